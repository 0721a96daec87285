/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/admin/claims_bulk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/wire/percent.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/claims_decide.h"
#include "registrar/admin/sites.h"

#define NAME_MAX_LEN 1024

void bulk_drop_items(struct bulk *b)
{
	for (size_t i = 0; i < b->count; i++) {
		free(b->items[i].name);
		free(b->items[i].serial);
		free(b->items[i].detail);
	}
	b->count = 0;
}

void bulk_free(void *arg)
{
	struct bulk *b = arg;

	principal_clear(&b->who);
	match_clear(&b->match);
	bulk_drop_items(b);
	free(b->items);
	free(b->site);
	free(b->labels);
	free(b->match_text);
	json_decref(b->answer);
	free(b);
}

struct bulk_item *bulk_add(struct bulk *b, struct err *e)
{
	if (b->count == b->room) {
		size_t room = b->room ? 2 * b->room : 16;
		struct bulk_item *items = realloc(b->items, room * sizeof(*items));

		if (!items) {
			err_set(e, ERR_NO_MEMORY, "no memory for %zu claims", room);
			return NULL;
		}
		b->items = items;
		b->room = room;
	}
	b->items[b->count] = (struct bulk_item){.result = DECIDE_NOT_FOUND};
	return &b->items[b->count++];
}

bool bulk_keep_text(char **to, const char *text, struct err *e)
{
	free(*to);
	*to = text && *text ? str_dup(text, e) : NULL;
	return !text || !*text || *to;
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
	struct bulk_item *i = bulk_add(b, e);

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
	return bulk_keep_text(&b->site, site, e) && bulk_keep_text(&b->labels, buf_str(&text), e);
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
	struct bulk_item *i;

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
	i = bulk_add(b, e);
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

bool bulk_read(struct bulk *b, struct err *e)
{
	BUF_AUTO struct buf name = BUF_INIT(NAME_MAX_LEN);

	snprintf(b->exchange, sizeof(b->exchange), "%s", call_exchange(b->call));
	return read_path(b, &name, e) && copy_who(&b->who, admin_who(b->call), e) &&
	       read_body(b, buf_str(&name), e);
}
