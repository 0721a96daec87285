/* SPDX-License-Identifier: Apache-2.0 */
/* JSON answers of the administrator's side: values, lists, pages. */
#include "registrar/admin/answer.h"

#include <stdlib.h>
#include <string.h>

#include "common/wire/datetime.h"
#include "common/wire/percent.h"

#define ADMIN_REPLY_MAX                                                                            \
	(4 << 20) /* ADMIN_LIST_MAX rows of some 1.5 kB, and the history of a device */
#define ADMIN_LIST_DEFAULT 200
#define ID_DIGITS_MAX	   18

/* ---- Requests ---- */

bool admin_parse_number(const char *text, int64_t *out)
{
	size_t len = strlen(text);

	if (len == 0 || len > ID_DIGITS_MAX || strspn(text, "0123456789") != len)
		return false;
	*out = strtoll(text, NULL, 10);
	return true;
}

bool admin_query_number(const struct call *c, const char *name, int64_t *value, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(ID_DIGITS_MAX);
	bool present;

	if (!percent_query(call_query(c), name, &text, &present, e))
		return err_prefix(e, "%s", name);
	if (present && !admin_parse_number(buf_str(&text), value))
		return err_set(e, ERR_INPUT, "%s is not a number", name);
	return true;
}

json_t *admin_body(const struct call *c, struct err *e)
{
	const struct bytes text = call_body(c);
	json_t *body = text.len ? json_parse_object(text, e) : json_object();

	if (!body && e->kind == ERR_NONE)
		err_set(e, ERR_NO_MEMORY, "no memory for a body");
	return body;
}

bool admin_bad(struct err *e, const char *sentence)
{
	err_set(e, ERR_INPUT, "%s", sentence);
	return err_tell(e, "%s", sentence);
}

/* ---- Values ---- */

json_t *admin_text(const char *s)
{
	json_t *value = s ? json_string(s) : NULL;

	return value ? value : json_null();
}

json_t *admin_moment(int64_t unix_s)
{
	char text[DATETIME_LEN + 1];
	struct err ignored = ERR_INIT;

	if (unix_s == 0)
		return json_null();
	return datetime_format(unix_s, text, &ignored) ? json_string(text) : json_null();
}

json_t *admin_stored_json(const char *text, json_t *otherwise)
{
	struct err ignored = ERR_INIT;
	FREE_AUTO char *wrapped = text ? str_printf(&ignored, "{\"value\":%s}", text) : NULL;
	JSON_AUTO json_t *object =
		wrapped ? json_parse_object(bytes_of_str(wrapped), &ignored) : NULL;

	if (!object)
		return otherwise;
	json_decref(otherwise);
	return json_incref(json_object_get(object, "value"));
}

bool admin_append(json_t *array, json_t *value, struct err *e)
{
	if (value && json_array_append_new(array, value) == 0)
		return true;
	return err_set(e, ERR_NO_MEMORY, "no memory for an item");
}

void admin_reply(struct call *c, const struct registrar *r, const json_t *value)
{
	BUF_AUTO struct buf text = BUF_INIT(ADMIN_REPLY_MAX);
	struct err e = ERR_INIT;

	if (!value)
		err_set(&e, ERR_NO_MEMORY, "no memory for an answer");
	if (!value || !json_format(value, &text, &e))
		call_reply_err(c, &r->log, "admin-failed", &e);
	else
		call_reply(c, 200, "application/json", buf_bytes(&text));
}

/* ---- Revisions ---- */

void admin_reply_tagged(
	struct call *c, const struct registrar *r, const json_t *value, int64_t revision)
{
	char etag[32];

	snprintf(etag, sizeof(etag), "\"%lld\"", (long long)revision);
	call_set_header(c, "ETag", etag);
	admin_reply(c, r, value);
}

bool admin_if_match(const struct call *c, int64_t *revision, struct err *e)
{
	const char *given = call_header(c, "If-Match");
	size_t len = given ? strlen(given) : 0;
	char number[ID_DIGITS_MAX + 1];

	*revision = ADMIN_ANY_REVISION;
	if (!given || strcmp(given, "*") == 0)
		return true;
	if (len >= 3 && len - 2 <= ID_DIGITS_MAX && given[0] == '"' && given[len - 1] == '"') {
		snprintf(number, sizeof(number), "%.*s", (int)len - 2, given + 1);
		if (admin_parse_number(number, revision))
			return true;
	}
	return err_set(e, ERR_STALE, "If-Match names no revision of ours");
}

bool admin_check_revision(const struct call *c, int64_t now, struct err *e)
{
	int64_t wanted;

	if (!admin_if_match(c, &wanted, e))
		return false;
	return wanted == ADMIN_ANY_REVISION || wanted == now ||
	       err_set(e, ERR_STALE, "revision %lld instead of %lld", (long long)now,
		       (long long)wanted);
}

/* ---- Lists ---- */

void admin_page_reply(struct call *c, const struct registrar *r, struct admin_page *p)
{
	bool more = (int64_t)json_array_size(p->items) == p->limit;
	JSON_AUTO json_t *next = more ? json_sprintf("%lld", (long long)p->last_id) : json_null();
	JSON_AUTO json_t *list = json_pack("{sO sO}", "items", p->items, "next", next);

	admin_reply(c, r, list);
}

bool admin_query_limit(const struct call *c, int64_t *limit, struct err *e)
{
	*limit = ADMIN_LIST_DEFAULT;
	if (!admin_query_number(c, "limit", limit, e))
		return false;
	if (*limit >= 1 && *limit <= ADMIN_LIST_MAX)
		return true;
	err_set(e, ERR_INPUT, "limit %lld", (long long)*limit);
	return err_tell(e, "limit is a number from 1 to %d.", ADMIN_LIST_MAX);
}

void admin_reply_list(struct call *c, const struct registrar *r, json_t *items, const char *next)
{
	JSON_AUTO json_t *list = json_pack("{sO ss?}", "items", items, "next", *next ? next : NULL);

	admin_reply(c, r, list);
}

bool admin_page_init(struct admin_page *p, const struct call *c, int64_t *after, struct err *e)
{
	*after = 0;
	if (!admin_query_number(c, "after", after, e) || !admin_query_limit(c, &p->limit, e))
		return false;
	p->items = json_array();
	return p->items || err_set(e, ERR_NO_MEMORY, "no memory for a list");
}
