/* SPDX-License-Identifier: Apache-2.0 */
/* A decision, about one claim or many, on the thread for such work (jobs.h): which claims, what
 * becomes of each (decide.h), one transaction that is only kept when all its rows still are as they
 * were judged; else it is judged again. */
#include "registrar/admin/claims_decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registrar/admin/answer.h"
#include "registrar/admin/claims_bulk.h"
#include "registrar/admin/jobs.h"
#include "registrar/admin/sites.h"
#include "registrar/meters.h"
#include "registrar/site.h"

#define TRIES	 5	   /* devices that ask change their rows; nobody does that five times */
#define ROWS_MAX (1 << 20) /* BULK_AT_ONCE verdicts as JSON, two approvals each */
#define WHAT_MAX 300

/* ---- Which claims ---- */

static bool on_match(void *arg, const struct claim_row *row, struct err *e)
{
	struct bulk *b = arg;
	struct bulk_item *i;

	if (b->all && row->state == DEVICE_REVOKED) /* they come back by name only */
		return true;
	if (!principal_may(&b->who, MAY_DECIDE, row->manufacturer, row->site, b->who.asked_at))
		return true;
	if (b->count == BULK_MAX) {
		err_set(e, ERR_TOO_LARGE, "more than %d claims match", BULK_MAX);
		return err_tell(
			e, "More than %d claims match; decide about them in parts.", BULK_MAX);
	}
	i = bulk_add(b, e);
	if (i)
		i->id = row->id;
	return i != NULL;
}

static bool find_matching(struct bulk *b, struct err *e)
{
	struct claim_search q = {.of = MATCH_CLAIMS,
		.match = &b->match,
		.limit = SEARCH_ROWS_MAX,
		.rule = standing_rule_of(b->r)};

	bulk_drop_items(b);
	do {
		if (!records_search(b->r->store, &q, on_match, b, &q.after, e))
			return false;
	} while (q.after);
	return true;
}

static bool count_changed(const struct bulk *b, struct err *e)
{
	err_set(e, ERR_CONFLICT, "%zu claims match, not %lld", b->count, (long long)b->expected);
	err_code(e, "count-changed");
	return err_tell(e, "%zu claims match by now, not %lld; nothing was changed.", b->count,
		(long long)b->expected);
}

/* A name that is none, or several claims', is a result of that item. */
static bool find_named(struct bulk *b, struct err *e)
{
	for (size_t n = 0; n < b->count; n++) {
		struct bulk_item *i = &b->items[n];

		if (!i->name || admin_find_claim(b->r, &b->who, i->name, &i->id, e))
			continue;
		if (b->one || (e->kind != ERR_NOT_FOUND && e->kind != ERR_CONFLICT))
			return false;
		i->result = e->kind == ERR_CONFLICT ? DECIDE_SEVERAL : DECIDE_NOT_FOUND;
		i->detail = str_dup(err_sentence(e), e);
		*e = (struct err)ERR_INIT;
	}
	return true;
}

static bool find(struct bulk *b, struct err *e)
{
	if (!b->has_match)
		return find_named(b, e);
	return find_matching(b, e) &&
	       (b->all || b->expected == (int64_t)b->count || count_changed(b, e));
}

/* ---- One transaction ---- */

struct part { /* some of the items */
	struct bulk *b;
	struct bulk_item *items;
	size_t count;
	struct decision decision;
	struct careful_sites careful;
	struct standing_rule rule;
	struct buf rows; /* what is to be written, as records/claims.h has it */
	int64_t written;
	bool fits; /* each row of a match is still meant */
};

static const char *outcome(const struct decide_verdict *v)
{
	return v->result == DECIDE_ONCE ? decide_result_name(DECIDE_ONCE) : claim_state_name(v->to);
}

static bool add_verdict(
	struct part *p, const struct claim_row *row, const struct decide_verdict *v, struct err *e)
{
	JSON_AUTO json_t *one = json_pack("[I I s o s?]", (json_int_t)row->id,
		(json_int_t)row->revision, outcome(v),
		v->result == DECIDE_DONE ? json_integer(v->to) : json_null(), v->approvals);

	if (!one)
		return err_set(e, ERR_NO_MEMORY, "no memory for a decision");
	p->written++;
	return buf_append_str(&p->rows, p->written == 1 ? "[" : ",", e) &&
	       json_format(one, &p->rows, e);
}

/* The stricter of where it is and where it is to be: nobody goes round a site by its neighbour. */
static int approvers_of(const struct part *p, const struct claim_row *row)
{
	int here = careful_sites_approvers(&p->careful, row->site);
	int there =
		p->decision.site ? careful_sites_approvers(&p->careful, p->decision.site) : here;

	return here > there ? here : there;
}

static bool judge_item(
	struct part *p, struct bulk_item *i, const struct claim_row *row, struct err *e)
{
	struct bulk *b = p->b;
	struct decide_verdict v;
	bool ok;

	if (b->has_match && !match_has(&b->match, row, claim_state_name(row->claim), p->rule.now)) {
		p->fits = false;
		i->result = DECIDE_STALE;
		return bulk_keep_text(&i->detail, "It does not match any more.", e);
	}
	ok = decide_judge(&p->decision, row, b->one ? b->revision : DECIDE_ANY_REVISION,
		approvers_of(p, row), &v, e);
	i->result = v.result;
	ok = ok && bulk_keep_text(&i->serial, row->serial, e) &&
	     bulk_keep_text(&i->detail, v.detail, e) &&
	     (!decide_is_written(v.result) || add_verdict(p, row, &v, e));
	free(v.approvals);
	return ok;
}

static bool judge_row(void *arg, const struct claim_row *row, struct err *e)
{
	struct part *p = arg;
	bool judged = false;

	for (size_t i = 0; i < p->count; i++) {
		if (p->items[i].id != row->id)
			continue;
		if (judged) {
			p->items[i].result = DECIDE_UNCHANGED;
			if (!bulk_keep_text(&p->items[i].detail, "It is there twice.", e))
				return false;
		} else if (!judge_item(p, &p->items[i], row, e)) {
			return false;
		}
		judged = true;
	}
	return true;
}

static bool judge_all(struct part *p, struct err *e)
{
	BUF_AUTO struct buf ids = BUF_INIT(ROWS_MAX);

	buf_clear(&p->rows);
	p->written = 0;
	p->fits = true;
	for (size_t i = 0; i < p->count; i++) {
		if (p->items[i].id)
			p->items[i].result = DECIDE_NOT_FOUND;
		if (!buf_printf(&ids, e, "%s%lld", i ? "," : "[", (long long)p->items[i].id))
			return false;
	}
	return buf_append_str(&ids, "]", e) &&
	       records_careful_sites(p->b->r->store, &p->careful, e) &&
	       records_claims_in(p->b->r->store, buf_bytes(&ids), judge_row, p, e) &&
	       (p->written == 0 || buf_append_str(&p->rows, "]", e));
}

static bool write_all(struct part *p, struct job *job, struct err *e)
{
	struct bulk *b = p->b;
	const int64_t now = p->decision.now;
	const struct verdict_record v = {
		.rows = buf_bytes(&p->rows),
		.count = p->written,
		.at = now,
		.until = b->to == CLAIM_APPROVED ? registrar_approval_end(b->r, now) : 0,
		.exchange = b->exchange,
		.by = b->who.name,
		.reason = b->reason[0] ? b->reason : NULL,
		.site = b->site,
		.labels = b->labels,
		.job = job ? job_id(job) : 0,
		.done = job ? job_done(job) + p->written : 0,
		.failed = job ? job_failed(job) : 0,
	};

	return p->written == 0 || records_decide_rows(b->r->store, &v, e);
}

/* Judge and write, again when a row changed in between. whole: all of a match or nothing. */
static bool decide_part(struct part *p, struct job *job, bool whole, struct err *e)
{
	p->rule = standing_rule_of(p->b->r);
	p->decision = (struct decision){.to = p->b->to,
		.who = &p->b->who,
		.change = p->b->change,
		.site = p->b->site,
		.now = p->rule.now};
	for (int tries = 0; tries < TRIES; tries++) {
		bool judged;

		careful_sites_clear(&p->careful);
		judged = judge_all(p, e);
		if (!judged)
			return false;
		if (whole && !p->fits)
			return err_set(e, ERR_CONFLICT, "a claim does not match any more");
		if (write_all(p, job, e))
			return true;
		if (e->kind != ERR_CONFLICT)
			return false;
		*e = (struct err)ERR_INIT;
	}
	return err_set(e, ERR_RETRY_LATER, "the claims change all the time");
}

static bool decide_items(
	struct bulk *b, size_t from, size_t count, struct job *job, int64_t *written, struct err *e)
{
	struct part p = {
		.b = b, .items = b->items + from, .count = count, .rows = BUF_INIT(ROWS_MAX)};
	bool ok = decide_part(&p, job, b->has_match && !job && !b->all, e);

	*written = p.written;
	careful_sites_clear(&p.careful);
	buf_clear(&p.rows);
	return ok;
}

/* ---- What came of it ---- */

static void note_written(struct bulk *b, int64_t written)
{
	const char *event = b->to == CLAIM_APPROVED ? "claim-approved" : "claim-rejected";
	const char *reason = b->reason[0] ? b->reason : NULL;
	char claim[24], count[24];

	snprintf(claim, sizeof(claim), "%lld", b->one ? (long long)b->items[0].id : 0LL);
	snprintf(count, sizeof(count), "%lld", (long long)written);
	log_event(&b->r->log, LOG_LEVEL_INFO, event, b->exchange, "claim", b->one ? claim : NULL,
		"claims", count, "by", b->who.name, "reason", reason, NULL);
	meter_decision(b->r, b->to, written);
	registrar_count_claims(b->r);
}

static const char *result_name(const struct bulk *b, const struct bulk_item *i)
{
	return i->result == DECIDE_DONE ? claim_state_name(b->to) : decide_result_name(i->result);
}

static bool has_failed(const struct bulk_item *i)
{
	return !decide_is_written(i->result) && i->result != DECIDE_UNCHANGED;
}

static json_t *item_object(const struct bulk *b, const struct bulk_item *i)
{
	json_t *o = json_pack("{ss ss* ss*}", "result", result_name(b, i), "serial",
		i->serial ? i->serial : i->name, "detail", i->detail);

	if (i->id)
		json_object_set_new(o, "id", json_integer(i->id));
	return o;
}

static json_t *many_answer(const struct bulk *b, int64_t written)
{
	json_t *items = json_array();
	json_int_t failed = 0;

	for (size_t i = 0; i < b->count; i++) {
		json_array_append_new(items, item_object(b, &b->items[i]));
		failed += has_failed(&b->items[i]);
	}
	return json_pack("{ss sI sI so}", "claim", claim_state_name(b->to), "changed",
		(json_int_t)written, "failed", failed, "items", items);
}

static bool refuse_one(const struct bulk_item *i, struct err *e)
{
	static const enum err_kind kinds[DECIDE_RESULT_COUNT] = {
		[DECIDE_NOT_FOUND] = ERR_NOT_FOUND,
		[DECIDE_SEVERAL] = ERR_CONFLICT,
		[DECIDE_NOT_ALLOWED] = ERR_NOT_ALLOWED,
		[DECIDE_ALREADY] = ERR_CONFLICT,
		[DECIDE_SAME_APPROVER] = ERR_CONFLICT,
		[DECIDE_STALE] = ERR_STALE,
	};

	err_set(e, kinds[i->result], "claim %lld: %s", (long long)i->id,
		decide_result_name(i->result));
	err_code(e, decide_result_name(i->result));
	return err_tell(
		e, "%s", i->detail ? i->detail : "No claim with this number or serial-number.");
}

static bool one_answer(struct bulk *b, int64_t written, struct err *e)
{
	const struct bulk_item *i = &b->items[0];

	if (has_failed(i))
		return refuse_one(i, e);
	b->answer = json_pack("{ss sI sI ss ss*}", "claim",
		i->result == DECIDE_ONCE ? claim_state_name(CLAIM_PENDING)
					 : claim_state_name(b->to),
		"changed", (json_int_t)written, "id", (json_int_t)i->id, "result",
		result_name(b, i), "detail", i->detail);
	return b->answer || err_set(e, ERR_NO_MEMORY, "no memory for an answer");
}

static bool decide_now(struct bulk *b, struct err *e)
{
	int64_t written = 0;

	if (b->count && !decide_items(b, 0, b->count, NULL, &written, e))
		return false;
	if (written)
		note_written(b, written);
	if (b->one)
		return one_answer(b, written, e);
	b->answer = many_answer(b, written);
	return b->answer || err_set(e, ERR_NO_MEMORY, "no memory for an answer");
}

/* ---- As a job ---- */

static bool job_step(void *arg, struct job *job, bool *more, struct err *e)
{
	struct bulk *b = arg;
	const size_t left = b->count - b->at, count = left < BULK_STEP ? left : BULK_STEP;
	int64_t written, failed = 0;

	if (!decide_items(b, b->at, count, job, &written, e))
		return false;
	for (size_t i = b->at; i < b->at + count; i++)
		if (has_failed(&b->items[i])) {
			failed++;
			job_note_failure(job, item_object(b, &b->items[i]));
		}
	job_count(job, (int64_t)count - failed, failed);
	b->at += count;
	b->written += written;
	*more = b->at < b->count;
	return true;
}

static void job_drop(void *arg)
{
	struct bulk *b = arg;

	if (b->written)
		note_written(b, b->written);
	bulk_free(b);
}

/* The claims become the job's; this bulk goes on with the answer. */
static bool become_job(struct bulk *b, struct err *e)
{
	struct bulk *jobs = mem_new(sizeof(*jobs), e);
	char what[WHAT_MAX];
	int64_t id;

	if (!jobs)
		return false;
	snprintf(what, sizeof(what), "%s",
		b->all	       ? "all that are pending"
		: b->has_match ? b->match_text
			       : "by their numbers");
	*jobs = *b;
	jobs->call = NULL;
	if (!jobs_add(b->r,
		    &(struct jobs_order){.kind = b->to == CLAIM_APPROVED ? "approve" : "reject",
			    .by = b->who.name,
			    .exchange = b->exchange,
			    .what = what,
			    .total = (int64_t)b->count,
			    .step = job_step,
			    .drop = job_drop,
			    .arg = jobs},
		    &id, e)) {
		free(jobs);
		return false;
	}
	/* what is owned went with the copy */
	*b = (struct bulk){.r = b->r, .call = b->call, .status = 202};
	b->answer = json_pack("{sI ss so sI}", "id", (json_int_t)id, "state",
		job_state_name(JOB_RUNNING), "job", json_sprintf(JOBS_PATH "/%lld", (long long)id),
		"total", (json_int_t)jobs->count);
	return b->answer || err_set(e, ERR_NO_MEMORY, "no memory for an answer");
}

/* ---- The thread and back ---- */

static void work(void *arg)
{
	struct bulk *b = arg;

	b->status = 200;
	for (int tries = 0; tries < TRIES; tries++) {
		b->e = (struct err)ERR_INIT;
		if (!find(b, &b->e))
			return;
		if (b->count > BULK_AT_ONCE ? become_job(b, &b->e) : decide_now(b, &b->e))
			return;
		if (!b->has_match || b->e.kind != ERR_CONFLICT)
			return;
	}
}

static void answer(void *arg)
{
	struct bulk *b = arg;
	BUF_AUTO struct buf text = BUF_INIT(ROWS_MAX);
	struct err e = b->e;

	if (b->status == 202 && b->answer)
		call_set_header(
			b->call, "Location", json_string_value(json_object_get(b->answer, "job")));
	if (e.kind == ERR_NONE && json_format(b->answer, &text, &e))
		call_reply(b->call, b->status, "application/json", buf_bytes(&text));
	else
		call_reply_err(b->call, &b->r->log, "admin-failed", &e);
	bulk_free(b);
}

void claims_decide(struct call *c, void *app)
{
	struct registrar *r = app;
	struct err e = ERR_INIT;
	struct bulk *b = mem_new(sizeof(*b), &e);

	if (b) {
		b->r = r;
		b->call = c;
		if (bulk_read(b, &e) &&
			jobs_do(r, &(struct jobs_task){work, answer, bulk_free, call_loop(c), b},
				&e))
			return;
		bulk_free(b);
	}
	call_reply_err(c, &r->log, "admin-failed", &e);
}
