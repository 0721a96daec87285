/* SPDX-License-Identifier: Apache-2.0 */
/* The match language: a table of keys, each with the function that reads its value. What a value
 * costs on a row is bounded by its length; labels, the only JSON, are looked at last. */
#include "registrar/admin/match.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/wire/json.h"
#include "registrar/fraud.h"
#include "registrar/access/principal.h"

#define AGE_MAX_S  (100 * 365 * (int64_t)86400) /* longer is a slip */
#define AGE_DIGITS 10
#define LABEL_KEY  "label."
#define SHOWN_MAX  60 /* octets of what was written that a sentence repeats */

void match_clear(struct match *m)
{
	free(m->written);
	memset(m, 0, sizeof(*m));
}

/* The part of the text that is wrong, as it may be shown. */
static bool wrong(struct err *e, const char *what, const char *shown)
{
	char safe[SHOWN_MAX + 1] = "";
	struct bytes cut = bytes_cut_text(bytes_of_str(shown), SHOWN_MAX);

	if (cut.len)
		memcpy(safe, cut.data, cut.len);
	text_make_utf8(safe, '?');
	text_make_safe(safe, '?');
	err_set(e, ERR_INPUT, "match: %s: \"%s\"", what, safe);
	return err_tell(e, "In the match: %s: \"%s\".", what, safe);
}

/* ---- Values ---- */

static bool read_text(struct match_text *out, const char *key, char *value, struct err *e)
{
	char *star = strchr(value, '*');

	if (out->value)
		return wrong(e, "this key is there twice", key);
	if (star && star[1])
		return wrong(e, "a '*' stands at the end of a value only", value);
	if (star)
		*star = '\0';
	*out = (struct match_text){value, strlen(value), star != NULL};
	return true;
}

static bool read_manufacturer(struct match *m, enum match_of of, char *value, struct err *e)
{
	return read_text(&m->manufacturer, "manufacturer", value, e);
}

static bool read_model(struct match *m, enum match_of of, char *value, struct err *e)
{
	return read_text(&m->model, "model", value, e);
}

static bool read_serial(struct match *m, enum match_of of, char *value, struct err *e)
{
	return read_text(&m->serial, "serial", value, e);
}

static bool read_from(struct match *m, enum match_of of, char *value, struct err *e)
{
	struct err why = ERR_INIT;

	if (m->has_from)
		return wrong(e, "this key is there twice", "from");
	if (!network_parse(value, &m->from, &why))
		return wrong(e,
			"from is a network like 10.8.0.0/16, without bits behind its length",
			value);
	m->has_from = true;
	return true;
}

static bool read_site(struct match *m, enum match_of of, char *value, struct err *e)
{
	size_t len = strlen(value);

	if (m->site)
		return wrong(e, "this key is there twice", "site");
	if (value[0] != '/')
		return wrong(e, "site is a path like /eu/de", value);
	if (len > 2 && strcmp(value + len - 2, "/*") == 0) /* means the same */
		value[len - 2] = '\0';
	else if (strcmp(value, "/*") == 0)
		value[1] = '\0';
	len = strlen(value);
	if (strchr(value, '*') || strstr(value, "//") || (len > 1 && value[len - 1] == '/'))
		return wrong(e, "site is a path like /eu/de", value);
	m->site = value;
	return true;
}

static bool read_state(struct match *m, enum match_of of, char *value, struct err *e)
{
	static const char *const claims[] = {
		"pending", "approved", "rejected", "preapproved", "expired", "announced", NULL};
	static const char *const devices[] = {"joining", "active", "expiring", "expired",
		"quarantined", "revoked", "decommissioned", "replaced", "refused", NULL};
	const char *const *names = of == MATCH_CLAIMS ? claims : devices;

	if (m->state)
		return wrong(e, "this key is there twice", "state");
	while (*names && strcmp(*names, value) != 0)
		names++;
	if (!*names && of == MATCH_CLAIMS)
		return wrong(e,
			"a claim's state is pending, approved, rejected, preapproved, announced or "
			"expired",
			value);
	if (!*names)
		return wrong(e,
			"a device's state is joining, active, expiring, expired, quarantined, "
			"revoked, decommissioned, replaced or refused",
			value);
	m->state = *names;
	return true;
}

static bool read_older_than(struct match *m, enum match_of of, char *value, struct err *e)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
	size_t digits = strspn(value, "0123456789");

	if (m->older_than_s)
		return wrong(e, "this key is there twice", "older-than");
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (digits >= 1 && digits <= AGE_DIGITS && value[digits] == units[i].unit &&
			!value[digits + 1])
			m->older_than_s = strtoll(value, NULL, 10) * units[i].seconds;
	if (m->older_than_s < 1 || m->older_than_s > AGE_MAX_S)
		return wrong(e, "older-than is a number with s, m, h, d or w behind it", value);
	return true;
}

static bool read_signal(struct match *m, enum match_of of, char *value, struct err *e)
{
	if (m->marks)
		return wrong(e, "this key is there twice", "signal");
	for (int i = 0; i < FRAUD_SIGNAL_COUNT; i++)
		if (strcmp(value, "any") == 0 || strcmp(value, fraud_signal_names[i]) == 0)
			m->marks |= FRAUD_BIT(i);
	return m->marks || wrong(e,
				   "a signal is clone-suspected, second-key, foreign-domain, "
				   "rejoin-while-renewing, looping or any",
				   value);
}

static const struct {
	const char *key;
	bool (*read)(struct match *m, enum match_of of, char *value, struct err *e);
} keys[] = {
	{"manufacturer", read_manufacturer},
	{"model", read_model},
	{"serial", read_serial},
	{"from", read_from},
	{"site", read_site},
	{"state", read_state},
	{"older-than", read_older_than},
	{"signal", read_signal},
};

static bool read_label(struct match *m, const char *name, char *value, struct err *e)
{
	struct match_label *l;

	if (!*name)
		return wrong(e, "a label has a name", LABEL_KEY);
	for (size_t i = 0; i < m->label_count; i++)
		if (strcmp(m->labels[i].name, name) == 0)
			return wrong(e, "this label is there twice", name);
	if (m->label_count == MATCH_LABELS_MAX)
		return wrong(e, "a device has at most 16 labels", name);
	l = &m->labels[m->label_count++];
	l->name = name;
	return read_text(&l->text, name, value, e);
}

/* ---- The whole ---- */

static bool read_item(struct match *m, enum match_of of, char *item, struct err *e)
{
	char *equals = strchr(item, '='), *value;

	if (!equals || equals == item)
		return wrong(e, "a condition is KEY=VALUE", item);
	*equals = '\0';
	value = equals + 1;
	if (!*value)
		return wrong(e, "this key has no value", item);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (strcmp(keys[i].key, item) == 0)
			return keys[i].read(m, of, value, e);
	if (strncmp(item, LABEL_KEY, strlen(LABEL_KEY)) == 0)
		return read_label(m, item + strlen(LABEL_KEY), value, e);
	return wrong(e,
		"a key is manufacturer, model, serial, from, site, state, older-than, signal or "
		"label.NAME",
		item);
}

bool match_parse(const char *text, enum match_of of, struct match *out, struct err *e)
{
	char *item, *rest;

	memset(out, 0, sizeof(*out));
	if (strlen(text) > MATCH_LEN_MAX) {
		err_set(e, ERR_TOO_LARGE, "a match of more than %d octets", MATCH_LEN_MAX);
		return err_tell(e, "A match has at most %d octets.", MATCH_LEN_MAX);
	}
	if (!*text)
		return wrong(e, "a condition is KEY=VALUE", text);
	rest = out->written = str_dup(text, e);
	if (!rest)
		return false;
	while ((item = rest)) {
		rest = strchr(item, ',');
		if (rest)
			*rest++ = '\0';
		item += strspn(item, " ");
		if (!read_item(out, of, item, e)) {
			match_clear(out);
			return false;
		}
	}
	return true;
}

/* ---- Rows ---- */

static bool text_has(const struct match_text *t, const char *value)
{
	if (!t->value)
		return true;
	if (!value)
		return false;
	return t->prefix ? strncmp(value, t->value, t->len) == 0 : strcmp(value, t->value) == 0;
}

static bool labels_have(const struct match *m, const char *labels)
{
	JSON_AUTO json_t *object = NULL;
	struct err ignored = ERR_INIT;

	if (m->label_count == 0)
		return true;
	object = labels ? json_parse_object(bytes_of_str(labels), &ignored) : NULL;
	for (size_t i = 0; i < m->label_count; i++) {
		const json_t *value = json_object_get(object, m->labels[i].name);

		if (!value || !text_has(&m->labels[i].text, json_string_value(value)))
			return false;
	}
	return true;
}

static bool is_old(const struct match *m, const struct claim_row *row, int64_t now)
{
	int64_t since = row->first_seen ? row->first_seen : row->decided_at;

	return !m->older_than_s || since <= now - m->older_than_s;
}

bool match_has(const struct match *m, const struct claim_row *row, const char *state, int64_t now)
{
	return (!m->state || (state && strcmp(m->state, state) == 0)) &&
	       text_has(&m->manufacturer, row->manufacturer) && text_has(&m->serial, row->serial) &&
	       text_has(&m->model, row->model) &&
	       (!m->site || site_within(row->site ? row->site : "/", m->site)) &&
	       is_old(m, row, now) && (!m->marks || (row->marks & m->marks)) &&
	       (!m->has_from || (row->address && network_has(&m->from, row->address))) &&
	       labels_have(m, row->labels);
}
