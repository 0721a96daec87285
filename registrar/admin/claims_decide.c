/* SPDX-License-Identifier: Apache-2.0 */
/* A decision, about one claim or many, on the thread for such work (jobs.h): which claims, what
 * becomes of each (decide.h), one transaction that is only kept when all its rows still are as they
 * were judged; else it is judged again. */
#include "registrar/admin/claims_decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/wire/percent.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/guard.h"
#include "registrar/admin/decide.h"
#include "registrar/admin/jobs.h"
#include "registrar/admin/sites.h"
#include "registrar/meters.h"
#include "registrar/site.h"

#define TRIES	     5 /* devices that ask change their rows; nobody does that five times */
#define NAME_MAX_LEN 1024
#define ROWS_MAX     (1 << 20) /* BULK_AT_ONCE verdicts as JSON, two approvals each */
#define WHAT_MAX     300

struct item {
	int64_t id;
	enum decide_result result;
	char *name;   /* owned: as it was asked for; NULL: by number */
	char *serial; /* owned; NULL: not read */
	char *detail; /* owned; NULL: nothing to say */
};

struct bulk {
	struct registrar *r;
	struct call *call; /* the loop's; NULL once it is answered */
	struct principal who;
	enum claim_state to;
	bool one, all, has_match, change;
	int64_t revision, expected;
	char exchange[EXCHANGE_ID_MAX + 1];
	char reason[REASON_LEN_MAX + 1];
	char *site, *labels, *match_text; /* owned */
	struct match match;
	struct item *items;
	size_t count, room, at; /* at: a job's next */
	int64_t written, failed;
	/* the answer: */
	int status;
	json_t *answer;
	struct err e;
};

static void item_clear(struct item *i)
{
	free(i->name);
	free(i->serial);
	free(i->detail);
}

static void bulk_free(void *arg)
{
	struct bulk *b = arg;

	principal_clear(&b->who);
	match_clear(&b->match);
	for (size_t i = 0; i < b->count; i++)
		item_clear(&b->items[i]);
	free(b->items);
	free(b->site);
	free(b->labels);
	free(b->match_text);
	json_decref(b->answer);
	free(b);
}

static struct item *add_item(struct bulk *b, struct err *e)
{
	if (b->count == b->room) {
		size_t room = b->room ? 2 * b->room : 16;
		struct item *items = realloc(b->items, room * sizeof(*items));

		if (!items) {
			err_set(e, ERR_NO_MEMORY, "no memory for %zu claims", room);
			return NULL;
		}
		b->items = items;
		b->room = room;
	}
	b->items[b->count] = (struct item){.result = DECIDE_NOT_FOUND};
	return &b->items[b->count++];
}

/* ---- Which claims ---- */

static bool on_match(void *arg, const struct claim_row *row, struct err *e)
{
	struct bulk *b = arg;
	struct item *i;

	if (b->all && row->state == DEVICE_REVOKED) /* they come back by name only */
		return true;
	if (!principal_may(&b->who, MAY_DECIDE, row->manufacturer, row->site, b->who.asked_at))
		return true;
	if (b->count == BULK_MAX) {
		err_set(e, ERR_TOO_LARGE, "more than %d claims match", BULK_MAX);
		return err_tell(
			e, "More than %d claims match; decide about them in parts.", BULK_MAX);
	}
	i = add_item(b, e);
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

	for (size_t i = 0; i < b->count; i++)
		item_clear(&b->items[i]);
	b->count = 0;
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
		struct item *i = &b->items[n];

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
	struct item *items;
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

static bool keep_text(char **to, const char *text, struct err *e)
{
	free(*to);
	*to = text && *text ? str_dup(text, e) : NULL;
	return !text || !*text || *to;
}

/* The stricter of where it is and where it is to be: nobody goes round a site by its neighbour. */
static int approvers_of(const struct part *p, const struct claim_row *row)
{
	int here = careful_sites_approvers(&p->careful, row->site);
	int there =
		p->decision.site ? careful_sites_approvers(&p->careful, p->decision.site) : here;

	return here > there ? here : there;
}

static bool judge_item(struct part *p, struct item *i, const struct claim_row *row, struct err *e)
{
	struct bulk *b = p->b;
	struct decide_verdict v;
	bool ok;

	if (b->has_match && !match_has(&b->match, row, claim_state_name(row->claim), p->rule.now)) {
		p->fits = false;
		i->result = DECIDE_STALE;
		return keep_text(&i->detail, "It does not match any more.", e);
	}
	ok = decide_judge(&p->decision, row, b->one ? b->revision : DECIDE_ANY_REVISION,
		approvers_of(p, row), &v, e);
	i->result = v.result;
	ok = ok && keep_text(&i->serial, row->serial, e) && keep_text(&i->detail, v.detail, e) &&
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
			if (!keep_text(&p->items[i].detail, "It is there twice.", e))
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

static const char *result_name(const struct bulk *b, const struct item *i)
{
	return i->result == DECIDE_DONE ? claim_state_name(b->to) : decide_result_name(i->result);
}

static bool has_failed(const struct item *i)
{
	return !decide_is_written(i->result) && i->result != DECIDE_UNCHANGED;
}

static json_t *item_object(const struct bulk *b, const struct item *i)
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

static bool refuse_one(const struct item *i, struct err *e)
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
	const struct item *i = &b->items[0];

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

/* ---- The request ---- */

static bool copy_who(struct principal *to, const struct principal *from, struct err *e)
{
	*to = *from;
	to->grant_count = 0;
	memset(to->grants, 0, sizeof(to->grants));
	memset(&to->limit, 0, sizeof(to->limit));
	for (size_t i = 0; i < from->grant_count; i++)
		if (!principal_add(to, &from->grants[i], e))
			return false;
	return !from->limited || principal_limit(to, &from->limit, e);
}

static bool read_id(struct bulk *b, const json_t *value, struct err *e)
{
	struct item *i = add_item(b, e);

	if (!i)
		return false;
	if (json_is_integer(value)) {
		i->id = json_integer_value(value);
		return i->id > 0 || admin_bad(e, "An id is a number above 0 or a serial-number.");
	}
	if (!json_is_string(value) || !*json_string_value(value))
		return admin_bad(e, "An id is a number above 0 or a serial-number.");
	i->name = str_dup(json_string_value(value), e);
	return i->name != NULL;
}

static bool read_ids(struct bulk *b, const json_t *ids, struct err *e)
{
	const json_t *value;
	size_t i;

	if (!json_is_array(ids) || json_array_size(ids) == 0)
		return admin_bad(e, "ids is a list of numbers or serial-numbers.");
	if (json_array_size(ids) > BULK_IDS_MAX) {
		err_set(e, ERR_TOO_LARGE, "%zu ids", json_array_size(ids));
		return err_tell(e, "More than %d ids; say which with a match.", BULK_IDS_MAX);
	}
	json_array_foreach(ids, i, value)
	{
		if (!read_id(b, value, e))
			return false;
	}
	return true;
}

/* What waits is meant, unless the match says otherwise; then its state has been seen. */
static bool read_match(struct bulk *b, const char *text, struct err *e)
{
	b->has_match = true;
	b->match_text = str_dup(text, e);
	if (!b->match_text || !match_parse(text, MATCH_CLAIMS, &b->match, e))
		return false;
	if (b->match.state)
		b->change = true;
	else
		b->match.state = claim_state_name(CLAIM_PENDING);
	return true;
}

static bool read_which(struct bulk *b, const json_t *body, struct err *e)
{
	const json_t *ids = json_object_get(body, "ids"),
		     *expected = json_object_get(body, "expected");
	const char *match = NULL;

	if (!json_get_string(body, "match", &match, e))
		return false;
	b->all = json_is_true(json_object_get(body, "all"));
	if ((ids != NULL) + (match != NULL) + b->all != 1)
		return admin_bad(e, "Say which claims: ids, or match and expected, or all.");
	if (ids)
		return read_ids(b, ids, e);
	if (b->all)
		return read_match(b, "state=pending", e);
	if (!json_is_integer(expected) || json_integer_value(expected) < 0)
		return admin_bad(e, "A match comes with expected: how many claims it has shown.");
	b->expected = json_integer_value(expected);
	return read_match(b, match, e);
}

/* Of a place out of sight nothing is told, not even whether it is there: each item says that it is
 * not allowed. */
static bool check_place(struct bulk *b, const char *site, struct err *e)
{
	return !principal_may(&b->who, MAY_VIEW, NULL, site, b->who.asked_at) ||
	       admin_site_check(b->r, site, e);
}

static bool read_place(struct bulk *b, const json_t *body, struct err *e)
{
	const json_t *labels = json_object_get(body, "labels");
	BUF_AUTO struct buf text = BUF_INIT(LABELS_TEXT_MAX);
	const char *site = NULL;

	if (!json_get_string(body, "site", &site, e))
		return false;
	if ((site || labels) && b->to != CLAIM_APPROVED)
		return admin_bad(e, "site and labels go with an approval.");
	if (site && (!site_check(site, e) || !check_place(b, site, e)))
		return false;
	if (labels && (!labels_check(labels, e) || !json_format(labels, &text, e)))
		return false;
	return keep_text(&b->site, site, e) && keep_text(&b->labels, buf_str(&text), e);
}

static bool read_revision(struct bulk *b, const json_t *body, struct err *e)
{
	const json_t *revision = json_object_get(body, "revision");

	if (!admin_if_match(b->call, &b->revision, e))
		return false;
	if (!revision)
		return true;
	b->revision = json_integer_value(revision);
	return json_is_integer(revision) || admin_bad(e, "revision is a number.");
}

static bool read_body(struct bulk *b, const char *name, struct err *e)
{
	JSON_AUTO json_t *body = admin_body(b->call, e);
	const char *reason = NULL;
	struct item *i;

	if (!body || !json_get_string(body, "reason", &reason, e))
		return false;
	snprintf(b->reason, sizeof(b->reason), "%.*s", REASON_LEN_MAX, reason ? reason : "");
	text_make_utf8(b->reason, '?'); /* it may have been cut within a character */
	b->change = json_is_true(json_object_get(body, "change"));
	if (!read_place(b, body, e) || !read_revision(b, body, e))
		return false;
	if (!*name)
		return read_which(b, body, e);
	if (json_object_get(body, "ids") || json_object_get(body, "match") ||
		json_is_true(json_object_get(body, "all")))
		return admin_bad(e, "Name one claim in the path or several in the body, not both.");
	b->one = true;
	i = add_item(b, e);
	if (!i)
		return false;
	i->name = str_dup(name, e);
	return i->name != NULL;
}

/* …/claims/approve, …/claims/NAME/approve; the name may be empty. */
static bool read_path(struct bulk *b, struct buf *name, struct err *e)
{
	const char *rest = call_path(b->call) + strlen(CLAIMS_PATH "/");
	const char *slash = strrchr(rest, '/'), *verb = slash ? slash + 1 : rest;

	if (strcmp(verb, "approve") == 0)
		b->to = CLAIM_APPROVED;
	else if (strcmp(verb, "reject") == 0)
		b->to = CLAIM_REJECTED;
	else
		return err_set(e, ERR_NOT_FOUND, "no such action");
	if (!slash)
		return true;
	return percent_decode(bytes_of(rest, (size_t)(slash - rest)), name, e) &&
	       (name->len || err_set(e, ERR_NOT_FOUND, "no name"));
}

static bool read_request(struct bulk *b, struct err *e)
{
	BUF_AUTO struct buf name = BUF_INIT(NAME_MAX_LEN);

	snprintf(b->exchange, sizeof(b->exchange), "%s", call_exchange(b->call));
	return read_path(b, &name, e) && copy_who(&b->who, admin_who(b->call), e) &&
	       read_body(b, buf_str(&name), e);
}

void claims_decide(struct call *c, void *app)
{
	struct registrar *r = app;
	struct err e = ERR_INIT;
	struct bulk *b = mem_new(sizeof(*b), &e);

	if (b) {
		b->r = r;
		b->call = c;
		if (read_request(b, &e) &&
			jobs_do(r, &(struct jobs_task){work, answer, bulk_free, call_loop(c), b},
				&e))
			return;
		bulk_free(b);
	}
	call_reply_err(c, &r->log, "admin-failed", &e);
}
