/* SPDX-License-Identifier: Apache-2.0 */
/* Searching: an index that leaves few enough rows is looked at as a whole; when none does, rows
 * come in order of their numbers and the search ends after so many of them. */
#include "registrar/records/claims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registrar/access/principal.h"
#include "registrar/records/sql.h"

/* ---- Searching ---- */

struct searcher {
	const struct claim_search *q;
	records_claim_fn *fn;
	void *arg;
	int64_t examined, last;
	bool full; /* fn wants no more */
};

static bool is_listed(const struct claim_search *q, const struct claim_row *row)
{
	const char *state;

	if (q->of == MATCH_CLAIMS ? row->claim == CLAIM_NONE : row->standing == STANDING_NONE)
		return false;
	if (!q->match)
		return true;
	state = q->of == MATCH_CLAIMS
			? claim_state_name(row->claim)
			: standing_name(standing_of(row->standing, row->not_after, &q->rule));
	return match_has(q->match, row, state, q->rule.now);
}

static bool on_row(void *arg, const struct claim_row *row, struct err *e)
{
	struct searcher *s = arg;

	s->examined++;
	s->last = row->id;
	if (!is_listed(s->q, row))
		return true;
	s->full = !s->fn(s->arg, row, e);
	return !s->full;
}

static bool count_row(void *arg, const struct store_row *r, struct err *e)
{
	*(int64_t *)arg = store_row_int(r, 0);
	return true;
}

/* The texts an index holds between: all with the prefix; no UTF-8 is behind such an end. */
struct range {
	char *from, *to; /* owned */
};

static void range_clear(struct range *r)
{
	free(r->from);
	free(r->to);
}

static bool range_of(struct range *r, const char *value, bool prefix, struct err *e)
{
	r->from = str_dup(value, e);
	r->to = r->from ? str_printf(e, "%s%s", value, prefix ? RANGE_END : "") : NULL;
	return r->to != NULL;
}

/* An index that may serve the match: how to count what it has for it, and how to list that. */
struct way {
	enum statement count, list;
	const char *value;
	bool prefix;
};

/* Chooses the way with the fewest rows; false when even that has too many. */
static bool best_way(struct store *s, const struct way *ways, size_t count, struct way *best,
	struct range *range, bool *found, struct err *e)
{
	int64_t fewest = SEARCH_ROWS_MAX;

	*found = false;
	for (size_t i = 0; i < count; i++) {
		struct range r = {NULL, NULL};
		int64_t rows = 0;

		if (!ways[i].value)
			continue;
		if (!range_of(&r, ways[i].value, ways[i].prefix, e) ||
			!READ(s, ways[i].count, count_row, &rows, e, store_text(r.from),
				store_text(r.to), STORE_I(fewest + 1))) {
			range_clear(&r);
			return false;
		}
		if (rows > fewest) {
			range_clear(&r);
			continue;
		}
		range_clear(range);
		*range = r;
		*best = ways[i];
		*found = true;
		fewest = rows;
	}
	return true;
}

/* So many rows are looked at: without a match each is one of the answer. */
static int64_t rows_max(const struct claim_search *q)
{
	return q->match || q->limit > SEARCH_ROWS_MAX ? SEARCH_ROWS_MAX : q->limit;
}

static bool in_order(
	struct store *s, const struct claim_search *q, struct searcher *searcher, struct err *e)
{
	const struct store_value after = STORE_I(q->after), limit = STORE_I(rows_max(q));
	const char *named = q->match ? q->match->state : NULL;
	struct claim_reader reader = {on_row, searcher};
	enum claim_state state;
	enum standing standing;

	if (q->match && q->match->marks)
		return READ(s, LIST_MARKED, records_claim_row, &reader, e, after, limit);
	if (q->of == MATCH_DEVICES && named && standing_parse(named, &standing) &&
		standing != STANDING_NONE)
		return READ(s, LIST_DEVICES_IN, records_claim_row, &reader, e,
			STORE_I(standing < STANDING_STORED_COUNT ? standing : STANDING_ACTIVE),
			after, limit);
	if (q->of == MATCH_CLAIMS && named && claim_state_parse(named, &state))
		return READ(s, LIST_CLAIMS_IN, records_claim_row, &reader, e, STORE_I(state), after,
			limit);
	return READ(s, q->of == MATCH_CLAIMS ? LIST_CLAIMS : LIST_DEVICES, records_claim_row,
		&reader, e, after, limit);
}

static bool search(struct store *s, const struct claim_search *q, struct searcher *searcher,
	struct range *range, bool *all, struct err *e)
{
	const struct match *m = q->match;
	const struct way ways[] = {
		{COUNT_BY_SERIAL, LIST_BY_SERIAL, m ? m->serial.value : NULL,
			m && m->serial.prefix},
		{COUNT_BY_SITE, LIST_BY_SITE, m && m->site && m->site[1] ? m->site : NULL, true},
		{COUNT_BY_MANUFACTURER, LIST_BY_MANUFACTURER, m ? m->manufacturer.value : NULL,
			m && m->manufacturer.prefix},
	};
	struct claim_reader reader = {on_row, searcher};
	struct way way;

	if (!best_way(s, ways, sizeof(ways) / sizeof(*ways), &way, range, all, e))
		return false;
	if (!*all)
		return in_order(s, q, searcher, e);
	return READ(s, way.list, records_claim_row, &reader, e, store_text(range->from),
		store_text(range->to), STORE_I(SEARCH_ROWS_MAX), STORE_I(q->after));
}

bool records_search(struct store *s, const struct claim_search *q, records_claim_fn *fn, void *arg,
	int64_t *next, struct err *e)
{
	struct searcher searcher = {.q = q, .fn = fn, .arg = arg};
	struct range range = {NULL, NULL};
	bool all, ok = search(s, q, &searcher, &range, &all, e);

	range_clear(&range);
	*next = searcher.full || (!all && searcher.examined == rows_max(q)) ? searcher.last : 0;
	return ok;
}

bool records_claims_in(
	struct store *s, struct bytes ids, records_claim_fn *fn, void *arg, struct err *e)
{
	struct claim_reader reader = {fn, arg};

	return READ(s, LIST_BY_IDS, records_claim_row, &reader, e,
		((struct store_value){.type = STORE_TEXT, .octets = ids}));
}

/* ---- Sites with several approvers ---- */

void careful_sites_clear(struct careful_sites *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->items[i].path);
	free(c->items);
	memset(c, 0, sizeof(*c));
}

static bool careful_site(void *arg, const struct store_row *r, struct err *e)
{
	struct careful_sites *c = arg;
	struct careful_site *items =
		realloc(c->items, (c->count + 1) * sizeof(*items)); /* a handful */
	const char *path = store_row_text(r, 0);

	if (!items)
		return err_set(e, ERR_NO_MEMORY, "no memory for sites");
	c->items = items;
	items[c->count] =
		(struct careful_site){str_dup(path ? path : "/", e), (int)store_row_int(r, 1)};
	return items[c->count].path && ++c->count;
}

bool records_careful_sites(struct store *s, struct careful_sites *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	if (store_read(s, LIST_CAREFUL_SITES, NULL, 0, careful_site, out, NULL, e))
		return true;
	careful_sites_clear(out);
	return false;
}

int careful_sites_approvers(const struct careful_sites *c, const char *site)
{
	int most = 1;

	for (size_t i = 0; i < c->count; i++)
		if (c->items[i].approvers > most &&
			site_within(site ? site : "/", c->items[i].path))
			most = c->items[i].approvers;
	return most;
}

/* ---- Deciding ---- */

static struct store_value json_value(struct bytes text)
{
	return (struct store_value){.type = STORE_TEXT, .octets = text};
}

static struct store_value moment_value(int64_t at)
{
	return at ? STORE_I(at) : (struct store_value){.type = STORE_NULL};
}

bool records_decide_rows(struct store *s, const struct verdict_record *v, struct err *e)
{
	const struct store_op ops[] = {
		{.statement = NOTE_VERDICTS,
			.params = {STORE_I(v->at), store_text(v->exchange), store_text(v->by),
				store_text(v->reason), json_value(v->rows)},
			.param_count = 5,
			.rows = v->count},
		{.statement = DECIDE_ROWS,
			.params = {store_text(v->reason), store_text(v->by), STORE_I(v->at),
				moment_value(v->until), store_text(v->site), store_text(v->labels),
				json_value(v->rows)},
			.param_count = 7,
			.rows = v->count},
		{.statement = STEP_JOB,
			.params = {STORE_I(v->done), STORE_I(v->failed), STORE_I(v->job)},
			.param_count = 3},
	};

	return store_write_wait(s, ops, v->job ? 3 : 2, NULL, e);
}

/* ---- Jobs ---- */

const char *job_state_name(enum job_state s)
{
	static const char *const names[JOB_STATE_COUNT] = {
		"waiting", "running", "finished", "failed", "interrupted"};

	return names[s];
}

struct job_reader {
	records_job_fn *fn;
	void *arg;
};

static bool job_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct job_reader *reader = arg;
	const struct job_record job = {
		.id = store_row_int(r, 0),
		.state = (enum job_state)store_row_int(r, 1),
		.kind = store_row_text(r, 2),
		.by = store_row_text(r, 3),
		.exchange = store_row_text(r, 4),
		.what = store_row_text(r, 5),
		.total = store_row_int(r, 6),
		.done = store_row_int(r, 7),
		.failed = store_row_int(r, 8),
		.begun = store_row_int(r, 9),
		.ended = store_row_int(r, 10),
		.reason = store_row_text(r, 11),
		.failures = store_row_text(r, 12),
	};

	return reader->fn(reader->arg, &job, e);
}

bool records_list_jobs(struct store *s, int64_t limit, records_job_fn *fn, void *arg, struct err *e)
{
	struct job_reader reader = {fn, arg};

	return READ(s, LIST_JOBS, job_row, &reader, e, STORE_I(limit));
}

bool records_show_job(struct store *s, int64_t id, records_job_fn *fn, void *arg, struct err *e)
{
	struct job_reader reader = {fn, arg};

	return READ(s, SHOW_JOB, job_row, &reader, e, STORE_I(id));
}

/* Its line in the journal: "job 7: approve, 10000 claims". */
static struct store_op job_line(
	const struct job_record *j, int64_t at, const char *outcome, const char *text)
{
	return journal_op(&(struct journal_entry){
		.at = at,
		.exchange = j->exchange,
		.actor = j->by,
		.step = "job",
		.outcome = outcome,
		.reason = text,
	});
}

bool records_begin_job(struct store *s, const struct job_record *j, struct err *e)
{
	FREE_AUTO char *text = str_printf(e, "job %lld: %s, %lld claims: %s", (long long)j->id,
		j->kind, (long long)j->total, j->what);
	const struct store_op ops[] = {
		{.statement = ADD_JOB,
			.params = {STORE_I(j->id), STORE_I(j->state), store_text(j->kind),
				store_text(j->by), store_text(j->exchange), store_text(j->what),
				STORE_I(j->total), STORE_I(j->begun), store_text(j->member)},
			.param_count = 9,
			.must_change = true},
		{.statement = SWEEP_JOBS},
		job_line(j, j->begun, "begun", text),
	};

	return text && store_write_wait(s, ops, sizeof(ops) / sizeof(*ops), NULL, e);
}

bool records_end_job(struct store *s, const struct job_record *j, struct err *e)
{
	FREE_AUTO char *text = str_printf(e, "job %lld: %s, %lld of %lld done, %lld failed%s%s",
		(long long)j->id, j->kind, (long long)j->done, (long long)j->total,
		(long long)j->failed, j->reason ? ": " : "", j->reason ? j->reason : "");
	const struct store_op ops[] = {
		{.statement = END_JOB,
			.params = {STORE_I(j->state), STORE_I(j->done), STORE_I(j->failed),
				STORE_I(j->ended), store_text(j->reason), store_text(j->failures),
				STORE_I(j->id)},
			.param_count = 7,
			.must_change = true},
		job_line(j, j->ended, job_state_name(j->state), text),
	};

	return text && store_write_wait(s, ops, sizeof(ops) / sizeof(*ops), NULL, e);
}

bool records_interrupt_all_jobs(struct store *s, int64_t now, struct err *e)
{
	const struct store_op ops[] = {
		{.statement = DROP_MEMBERS},
		{.statement = NOTE_INTERRUPTED, .params = {STORE_I(now)}, .param_count = 1},
		{.statement = INTERRUPT_JOBS, .params = {STORE_I(now)}, .param_count = 1},
	};

	return store_write_wait(s, ops, sizeof(ops) / sizeof(*ops), NULL, e);
}

bool records_interrupt_jobs(struct store *s, int64_t now, struct err *e)
{
	const struct store_op ops[] = {
		{.statement = NOTE_INTERRUPTED, .params = {STORE_I(now)}, .param_count = 1},
		{.statement = INTERRUPT_JOBS, .params = {STORE_I(now)}, .param_count = 1},
	};

	return store_write_wait(s, ops, sizeof(ops) / sizeof(*ops), NULL, e);
}
