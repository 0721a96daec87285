/* SPDX-License-Identifier: Apache-2.0 */
/* Claims, searched and shown. */
#include "registrar/admin/claims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/csv.h"
#include "common/wire/percent.h"
#include "registrar/admin/guard.h"
#include "registrar/admin/object.h"
#include "registrar/admin/scope.h"
#include "registrar/records/claims.h"

#define NAME_MAX_LEN 1024      /* a serial-number, percent-decoded */
#define EXPORT_MAX   (4 << 20) /* ADMIN_LIST_MAX rows of some 2 kB */

/* ---- The question ---- */

struct search {
	struct call *call;
	struct registrar *r;
	struct match match;
	struct claim_search q;
	struct admin_page page;
	bool count_only;
	int64_t counted;
};

static bool query_text(
	const struct call *c, const char *name, struct buf *out, bool *present, struct err *e)
{
	return percent_query(call_query(c), name, out, present, e) || err_prefix(e, "%s", name);
}

/* ?match= and ?state= are one match. */
static bool read_match(struct search *s, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(MATCH_LEN_MAX + 64), state = BUF_INIT(64);
	bool has_match, has_state;

	if (!query_text(s->call, "match", &text, &has_match, e) ||
		!query_text(s->call, "state", &state, &has_state, e))
		return false;
	if (has_state && strchr(buf_str(&state), ',')) {
		err_set(e, ERR_INPUT, "a comma in state");
		return err_tell(e, "state is one state.");
	}
	if (has_state && !buf_printf(&text, e, "%sstate=%s", has_match ? "," : "", buf_str(&state)))
		return false;
	if (!has_match && !has_state)
		return true;
	if (!match_parse(buf_str(&text), s->q.of, &s->match, e))
		return false;
	s->q.match = &s->match;
	return true;
}

static bool read_count(struct search *s, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(8);
	bool present;

	if (!query_text(s->call, "count", &text, &present, e))
		return false;
	s->count_only = present && strcmp(buf_str(&text), "true") == 0;
	return !present || s->count_only || err_set(e, ERR_INPUT, "count is true or not there");
}

/* ---- The answer ---- */

static bool in_sight(const struct search *s, const struct claim_row *row)
{
	return admin_sees(s->call, row->manufacturer, row->site);
}

static bool on_row(void *arg, const struct claim_row *row, struct err *e)
{
	struct search *s = arg;

	if (!in_sight(s, row))
		return true;
	s->counted++;
	if (s->count_only)
		return true;
	if (!admin_add_claim(&s->page, row, e))
		return false;
	return (int64_t)json_array_size(s->page.items) < s->page.limit;
}

static json_t *next_value(int64_t next)
{
	return next ? json_sprintf("%lld", (long long)next) : json_null();
}

static bool run(struct search *s, json_t **answer, struct err *e)
{
	int64_t next;

	s->page.rule = s->q.rule = standing_rule_of(s->r);
	if (!admin_page_init(&s->page, s->call, &s->q.after, e) || !read_match(s, e) ||
		!read_count(s, e))
		return false;
	s->q.limit = s->count_only || !admin_sees_all(s->call) ? SEARCH_ROWS_MAX : s->page.limit;
	if (!records_search(s->r->store, &s->q, on_row, s, &next, e))
		return false;
	*answer = s->count_only
			  ? json_pack("{s[] sI so}", "items", "count", (json_int_t)s->counted,
				    "next", next_value(next))
			  : json_pack("{sO so}", "items", s->page.items, "next", next_value(next));
	return true;
}

void admin_search(struct call *c, struct registrar *r, enum match_of of)
{
	struct search s = {.call = c, .r = r, .q = {.of = of}};
	JSON_AUTO json_t *answer = NULL;
	struct err e = ERR_INIT;

	if (run(&s, &answer, &e))
		admin_reply(c, r, answer);
	else
		call_reply_err(c, &r->log, "admin-failed", &e);
	json_decref(s.page.items);
	match_clear(&s.match);
}

void claims_list(struct call *c, void *app)
{
	admin_search(c, app, MATCH_CLAIMS);
}

/* ---- One claim ---- */

struct found {
	const struct principal *who;
	int64_t now;
	size_t count;
	int64_t id;
};

static bool note_found(void *arg, const struct claim_row *row, struct err *e)
{
	struct found *f = arg;

	if (!principal_may(f->who, MAY_VIEW, row->manufacturer, row->site, f->now))
		return true;
	f->count++;
	f->id = row->id;
	return true;
}

bool admin_find_claim(struct registrar *r, const struct principal *who, const char *name,
	int64_t *id, struct err *e)
{
	const int64_t now = registrar_now(r);
	struct found by_serial = {.who = who, .now = now}, by_number = by_serial;
	int64_t number;

	if (!records_find_by_serial(r->store, name, note_found, &by_serial, e) ||
		(admin_parse_number(name, &number) &&
			!records_find_by_id(r->store, number, note_found, &by_number, e)))
		return false;
	if (by_serial.count == 0 && by_number.count == 0) {
		err_set(e, ERR_NOT_FOUND, "no claim \"%s\"", name);
		return err_tell(e, "No claim with this number or serial-number.");
	}
	if (by_serial.count > 1 ||
		(by_serial.count == 1 && by_number.count == 1 && by_serial.id != by_number.id)) {
		err_set(e, ERR_CONFLICT, "\"%s\" names several claims", name);
		err_code(e, "ambiguous");
		return err_tell(e, "This names several claims; see the list for their numbers.");
	}
	*id = by_serial.count ? by_serial.id : by_number.id;
	return true;
}

struct shown {
	struct standing_rule rule;
	json_t *object;
	int64_t revision;
};

static bool show_row(void *arg, const struct claim_row *row, struct err *e)
{
	struct shown *s = arg;

	s->revision = row->revision;
	s->object = admin_claim_object(row, &s->rule);
	return s->object || err_set(e, ERR_NO_MEMORY, "no memory for a claim");
}

static bool show(struct call *c, struct registrar *r, struct shown *s, struct err *e)
{
	BUF_AUTO struct buf name = BUF_INIT(NAME_MAX_LEN);
	int64_t id = 0;

	if (!percent_decode(bytes_of_str(call_path(c) + strlen(CLAIMS_PATH "/")), &name, e) ||
		!admin_find_claim(r, admin_who(c), buf_str(&name), &id, e) ||
		!records_find_by_id(r->store, id, show_row, s, e))
		return false;
	return s->object || err_set(e, ERR_NOT_FOUND, "claim %lld is gone", (long long)id);
}

void claims_show(struct call *c, void *app)
{
	struct registrar *r = app;
	struct shown s = {.rule = standing_rule_of(r)};
	struct err e = ERR_INIT;

	if (show(c, r, &s, &e))
		admin_reply_tagged(c, r, s.object, s.revision);
	else
		call_reply_err(c, &r->log, "admin-failed", &e);
	json_decref(s.object);
}

/* ---- Export ---- */

/* What an import reads again, and where the claim stands. */
static const char *const columns[] = {"manufacturer", "serial", "model", "site", "labels", "claim",
	"state", "reason", "by", "decided", "until", "address", "first_seen", "last_seen"};
#define COLUMN_COUNT (sizeof(columns) / sizeof(*columns))

static bool put_csv(const json_t *item, struct buf *out, struct err *e)
{
	const char *fields[COLUMN_COUNT];
	char *labels = NULL;
	bool ok;

	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		const json_t *value = json_object_get(item, columns[i]);

		if (json_is_object(value) && json_object_size(value))
			fields[i] = labels = json_dumps(value, JSON_COMPACT);
		else
			fields[i] = json_is_string(value) ? json_string_value(value) : "";
	}
	ok = csv_put(fields, COLUMN_COUNT, out, e);
	free(labels);
	return ok;
}

static bool put_line(const json_t *item, struct buf *out, struct err *e)
{
	return json_format(item, out, e) && buf_append_str(out, "\n", e);
}

static bool put_all(const json_t *answer, bool lines, bool first, struct buf *out, struct err *e)
{
	const json_t *item;
	size_t i;

	if (!lines && first && !csv_put(columns, COLUMN_COUNT, out, e))
		return false;
	json_array_foreach(json_object_get(answer, "items"), i, item)
	{
		if (!(lines ? put_line(item, out, e) : put_csv(item, out, e)))
			return false;
	}
	return true;
}

static bool is_lines(const struct call *c, bool *lines, struct err *e)
{
	BUF_AUTO struct buf format = BUF_INIT(16);
	bool present;

	if (!query_text(c, "format", &format, &present, e))
		return false;
	*lines = strcmp(buf_str(&format), "ndjson") == 0;
	return !present || *lines || strcmp(buf_str(&format), "csv") == 0 ||
	       err_set(e, ERR_INPUT, "format is csv or ndjson");
}

void claims_export(struct call *c, void *app)
{
	struct registrar *r = app;
	struct search s = {.call = c, .r = r, .q = {.of = MATCH_CLAIMS}};
	BUF_AUTO struct buf text = BUF_INIT(EXPORT_MAX);
	JSON_AUTO json_t *answer = NULL;
	struct err e = ERR_INIT;
	const char *next;
	bool lines;

	if (is_lines(c, &lines, &e) && run(&s, &answer, &e) &&
		put_all(answer, lines, s.q.after == 0, &text, &e)) {
		next = json_string_value(json_object_get(answer, "next"));
		if (next)
			call_set_header(c, "X-Next", next);
		call_reply(c, 200, lines ? "application/x-ndjson" : "text/csv", buf_bytes(&text));
	} else {
		call_reply_err(c, &r->log, "admin-failed", &e);
	}
	json_decref(s.page.items);
	match_clear(&s.match);
}
