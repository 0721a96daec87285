/* SPDX-License-Identifier: Apache-2.0 */
/* Cells and their text: see metrics.h. All cells are one array; a metric's begin where those of the
 * one before it end, those of a histogram's series are its buckets, the bucket without a bound, and
 * the sum. */
#include "common/run/metrics.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOT_KNOWN INT64_MIN /* of a gauge */
#define US_PER_S  1000000
#define SERIES_TEXT_MAX                                                                            \
	512 /* name and labels; every part of them is a word of a table of the program */

const int64_t metrics_durations_us[] = {1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
	500000, 1000000, 2500000, 5000000, 10000000, 30000000, 0};

struct place {
	size_t first;			  /* cell */
	size_t values[METRIC_LABELS_MAX]; /* of each label; 1 without */
	size_t bounds;
	size_t cells; /* of one series */
};

struct metrics {
	const struct metrics_schema *schema;
	struct place *places;
	atomic_int_least64_t *cells;
};

static size_t count_values(const struct metric_label *l)
{
	size_t n = 0;

	while (l->name && l->values[n])
		n++;
	return l->name ? n : 1;
}

static size_t count_bounds(const struct metric *m)
{
	size_t n = 0;

	while (m->type == METRIC_HISTOGRAM && m->bounds_us[n])
		n++;
	return n;
}

static struct place place_of(const struct metric *m, size_t first)
{
	size_t bounds = count_bounds(m);

	return (struct place){
		.first = first,
		.values = {count_values(&m->labels[0]), count_values(&m->labels[1])},
		.bounds = bounds,
		.cells = m->type == METRIC_HISTOGRAM ? bounds + 2 : 1,
	};
}

static size_t end_of(const struct place *p)
{
	return p->first + p->values[0] * p->values[1] * p->cells;
}

static void forget_gauges(struct metrics *m)
{
	for (size_t i = 0; i < m->schema->count; i++)
		for (size_t at = m->places[i].first;
			m->schema->metrics[i].type == METRIC_GAUGE && at < end_of(&m->places[i]);
			at++)
			atomic_init(&m->cells[at], NOT_KNOWN);
}

struct metrics *metrics_new(const struct metrics_schema *schema, struct err *e)
{
	struct metrics *m = mem_new(sizeof(*m), e);
	size_t cells = 0;

	if (!m)
		return NULL;
	m->schema = schema;
	m->places = mem_new(schema->count * sizeof(*m->places), e);
	for (size_t i = 0; m->places && i < schema->count; i++) {
		m->places[i] = place_of(&schema->metrics[i], cells);
		cells = end_of(&m->places[i]);
	}
	m->cells = m->places ? mem_new(cells * sizeof(*m->cells), e) : NULL;
	if (!m->cells) {
		metrics_free(m);
		return NULL;
	}
	forget_gauges(m);
	return m;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	free(m->places);
	free(m->cells);
	free(m);
}

/* ---- Counting ---- */

/* The first cell of a series. */
static atomic_int_least64_t *series(const struct metrics *m, size_t metric, size_t a, size_t b)
{
	const struct place *p = &m->places[metric];

	assert(metric < m->schema->count && a < p->values[0] && b < p->values[1]);
	return &m->cells[p->first + (a * p->values[1] + b) * p->cells];
}

static void add(atomic_int_least64_t *cell, int64_t n)
{
	atomic_fetch_add_explicit(cell, n, memory_order_relaxed);
}

void metrics_add(struct metrics *m, size_t metric, size_t a, size_t b, uint64_t n)
{
	add(series(m, metric, a, b), (int64_t)n);
}

void metrics_count(struct metrics *m, size_t metric, size_t a, size_t b)
{
	metrics_add(m, metric, a, b, 1);
}

void metrics_observe(struct metrics *m, size_t metric, size_t a, size_t b, int64_t us)
{
	const int64_t *bounds = m->schema->metrics[metric].bounds_us;
	atomic_int_least64_t *cells = series(m, metric, a, b);
	size_t i = 0;

	while (bounds[i] && us > bounds[i])
		i++;
	add(&cells[i], 1);
	add(&cells[m->places[metric].bounds + 1], us);
}

void metrics_set(struct metrics *m, size_t metric, size_t a, size_t b, int64_t value)
{
	atomic_store_explicit(series(m, metric, a, b), value, memory_order_relaxed);
}

void metrics_unset(struct metrics *m, size_t metric, size_t a, size_t b)
{
	metrics_set(m, metric, a, b, NOT_KNOWN);
}

/* ---- Telling ---- */

static int64_t read_cell(const atomic_int_least64_t *cell)
{
	return atomic_load_explicit(cell, memory_order_relaxed);
}

static bool put_labels(
	const struct metric *m, const size_t at[METRIC_LABELS_MAX], struct buf *out, struct err *e)
{
	for (size_t i = 0; i < METRIC_LABELS_MAX; i++)
		if (m->labels[i].name && !buf_printf(out, e, "%s%s=\"%s\"", i ? "," : "",
						 m->labels[i].name, m->labels[i].values[at[i]]))
			return false;
	return true;
}

static bool put_number(const char *prefix, const struct metric *m, const char *labels,
	const atomic_int_least64_t *cell, struct buf *out, struct err *e)
{
	int64_t value = read_cell(cell);

	if (value == NOT_KNOWN)
		return true;
	return buf_printf(out, e, *labels ? "%s%s{%s} %lld\n" : "%s%s%s %lld\n", prefix, m->name,
		labels, (long long)value);
}

static bool put_bucket(const char *prefix, const struct metric *m, const char *labels,
	const char *bound, int64_t count, struct buf *out, struct err *e)
{
	return buf_printf(out, e, "%s%s_bucket{%s%sle=\"%s\"} %lld\n", prefix, m->name, labels,
		*labels ? "," : "", bound, (long long)count);
}

/* Without zeros at the end: a bound is a label, and is compared as text. */
static void put_seconds(int64_t us, char *out, size_t room)
{
	size_t len;

	snprintf(out, room, "%lld.%06lld", (long long)(us / US_PER_S), (long long)(us % US_PER_S));
	for (len = strlen(out); out[len - 1] == '0'; len--)
		;
	out[out[len - 1] == '.' ? len - 1 : len] = '\0';
}

/* Buckets tell how many took at most so long. They are read once, so that the count is the last
 * bucket whatever is counted meanwhile. */
static bool put_histogram(const char *prefix, const struct metric *m, const char *labels,
	const atomic_int_least64_t *cells, struct buf *out, struct err *e)
{
	char number[32];
	int64_t count = 0;
	size_t i = 0;

	for (; m->bounds_us[i]; i++) {
		count += read_cell(&cells[i]);
		put_seconds(m->bounds_us[i], number, sizeof(number));
		if (!put_bucket(prefix, m, labels, number, count, out, e))
			return false;
	}
	count += read_cell(&cells[i]);
	put_seconds(read_cell(&cells[i + 1]), number, sizeof(number));
	return put_bucket(prefix, m, labels, "+Inf", count, out, e) &&
	       buf_printf(out, e, *labels ? "%s%s_sum{%s} %s\n" : "%s%s_sum%s %s\n", prefix,
		       m->name, labels, number) &&
	       buf_printf(out, e, *labels ? "%s%s_count{%s} %lld\n" : "%s%s_count%s %lld\n", prefix,
		       m->name, labels, (long long)count);
}

static bool put_series(
	const struct metrics *m, size_t metric, size_t a, size_t b, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf labels = BUF_INIT(SERIES_TEXT_MAX);
	const struct metric *row = &m->schema->metrics[metric];
	const atomic_int_least64_t *cells = series(m, metric, a, b);
	const size_t at[METRIC_LABELS_MAX] = {a, b};

	if (!put_labels(row, at, &labels, e))
		return false;
	return (row->type == METRIC_HISTOGRAM ? put_histogram : put_number)(
		m->schema->prefix, row, buf_str(&labels), cells, out, e);
}

static bool put_metric(const struct metrics *m, size_t metric, struct buf *out, struct err *e)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};
	const struct metric *row = &m->schema->metrics[metric];
	const struct place *p = &m->places[metric];
	const char *prefix = m->schema->prefix;

	if (!buf_printf(out, e, "# HELP %s%s %s\n# TYPE %s%s %s\n", prefix, row->name, row->help,
		    prefix, row->name, types[row->type]))
		return false;
	for (size_t a = 0; a < p->values[0]; a++)
		for (size_t b = 0; b < p->values[1]; b++)
			if (!put_series(m, metric, a, b, out, e))
				return false;
	return true;
}

bool metrics_format(const struct metrics *m, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < m->schema->count; i++)
		if (!put_metric(m, i, out, e))
			return err_prefix(e, "metrics");
	return true;
}
