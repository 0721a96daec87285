/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers a daemon tells about itself, written as Prometheus reads them (text format 0.0.4).
 *
 * A program has a table of metrics; a metric has a cell for each combination of its labels' values,
 * which come from tables as well. So what is kept and told is bounded by the program and not by who
 * talks to it: no device and no address ever becomes a label. Counting is one relaxed atomic
 * addition, a duration two, from any thread. */
#ifndef RUN_METRICS_H
#define RUN_METRICS_H

#include "common/base/buf.h"

#define METRIC_LABELS_MAX 2
#define METRICS_TEXT_MAX  131072 /* octets of all of them: four times what the registrar has */
#define METRICS_TYPE	  "text/plain; version=0.0.4; charset=utf-8"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_label {
	const char *name;	   /* NULL: none */
	const char *const *values; /* NULL-ended; an index into it is how a value is named in C */
};

struct metric {
	const char *name; /* behind the schema's prefix */
	enum metric_type type;
	const char *help;
	struct metric_label labels[METRIC_LABELS_MAX];
	const int64_t *bounds_us; /* of a histogram: upper bounds, rising, ended by 0 */
};

/* For whatever takes from a millisecond to half a minute. */
extern const int64_t metrics_durations_us[];

struct metrics_schema {
	const char *prefix; /* "brski_masa_" */
	const struct metric *metrics;
	size_t count;
};

struct metrics;

/* The schema is borrowed. Counters and histograms begin at 0, gauges are not known yet. */
struct metrics *metrics_new(const struct metrics_schema *schema, struct err *e) MUST_CHECK;
void metrics_free(struct metrics *m);

/* metric: its index in the schema; a, b: which values of its labels, 0 where it has none. */
void metrics_add(struct metrics *m, size_t metric, size_t a, size_t b, uint64_t n);
void metrics_count(struct metrics *m, size_t metric, size_t a, size_t b);
/* Into a histogram. */
void metrics_observe(struct metrics *m, size_t metric, size_t a, size_t b, int64_t us);
/* A gauge; or a counter that somebody else counts. */
void metrics_set(struct metrics *m, size_t metric, size_t a, size_t b, int64_t value);
/* A gauge whose value is not to be had now is not told. */
void metrics_unset(struct metrics *m, size_t metric, size_t a, size_t b);

/* Append all of them. */
bool metrics_format(const struct metrics *m, struct buf *out, struct err *e) MUST_CHECK;

#endif
