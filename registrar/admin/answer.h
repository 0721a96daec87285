/* SPDX-License-Identifier: Apache-2.0 */
/* What the administrator's resources share: JSON values, replies, and lists in pages, which are
 * {"items": […], "next": TEXT or null} and are continued with ?after=TEXT. */
#ifndef REGISTRAR_ADMIN_ANSWER_H
#define REGISTRAR_ADMIN_ANSWER_H

#include "common/wire/json.h"
#include "registrar/registrar.h"
#include "registrar/standing.h"

/* A decimal number, or false. */
bool admin_parse_number(const char *text, int64_t *out);

/* The object in the body, empty where there is no body; the caller's. NULL with *e set. */
json_t *admin_body(const struct call *c, struct err *e) MUST_CHECK;
/* ERR_INPUT: what is wrong with a request, for log and person. False. */
bool admin_bad(struct err *e, const char *sentence);

/* A new value: null for NULL, null for the moment 0. */
json_t *admin_text(const char *s);
json_t *admin_moment(int64_t unix_s);
/* What is stored as JSON text, or what stands for nothing, which is taken. */
json_t *admin_stored_json(const char *text, json_t *otherwise);
/* Takes value; an item that could not be made is a lack of memory. */
bool admin_append(json_t *array, json_t *value, struct err *e) MUST_CHECK;

/* 200 with the value; NULL is a lack of memory. */
void admin_reply(struct call *c, const struct registrar *r, const json_t *value);

/* The same for one object, with its revision as ETag. */
void admin_reply_tagged(
	struct call *c, const struct registrar *r, const json_t *value, int64_t revision);
/* Which revision the caller saw last, from If-Match (RFC 9110 §13.1.1); ADMIN_ANY_REVISION where it
 * does not say. ERR_STALE for tags that are none of ours, or several. */
#define ADMIN_ANY_REVISION (-1)
bool admin_if_match(const struct call *c, int64_t *revision, struct err *e) MUST_CHECK;
/* Is `now` what If-Match says? Else ERR_STALE. Where a change is queued, its transaction asks
 * again.
 */
bool admin_check_revision(const struct call *c, int64_t now, struct err *e) MUST_CHECK;

/* A query member that is a number; *value stays without it. */
bool admin_query_number(
	const struct call *c, const char *name, int64_t *value, struct err *e) MUST_CHECK;
/* ?limit=, from 1 to ADMIN_LIST_MAX. */
bool admin_query_limit(const struct call *c, int64_t *limit, struct err *e) MUST_CHECK;
/* {"items", "next"}; takes neither; next "" is null. */
void admin_reply_list(struct call *c, const struct registrar *r, json_t *items, const char *next);

struct admin_page {
	json_t *items;
	int64_t limit, last_id;
	struct standing_rule rule; /* for lists of claims and devices: standing_rule_of() */
};
/* ?after= and ?limit= of the request. items is the caller's to free. */
bool admin_page_init(
	struct admin_page *p, const struct call *c, int64_t *after, struct err *e) MUST_CHECK;
void admin_page_reply(struct call *c, const struct registrar *r, struct admin_page *p);

#endif
