/* SPDX-License-Identifier: Apache-2.0 */
/* Matching of rules: no I/O, time as a parameter. A pattern's cost is bounded by the product of two
 * short lengths, whatever a device calls itself. */
#include "registrar/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const actions[RULE_ACTION_COUNT] = {"approve", "hold", "reject", "ask"};

const char *rule_action_name(enum rule_action a)
{
	return actions[a];
}

bool rule_action_parse(const char *name, enum rule_action *out)
{
	for (size_t i = 0; i < RULE_ACTION_COUNT; i++)
		if (strcmp(name, actions[i]) == 0) {
			*out = (enum rule_action)i;
			return true;
		}
	return false;
}

/* ---- Serials ---- */

/* '*' is any octets, '?' is one; the last '*' alone is tried again. */
static bool glob_matches(struct bytes pattern, const char *s)
{
	const char *again = NULL;
	size_t p = 0, star = 0;

	while (*s) {
		if (p < pattern.len && pattern.data[p] == '*') {
			star = ++p;
			again = s;
		} else if (p < pattern.len &&
			   (pattern.data[p] == '?' || pattern.data[p] == (uint8_t)*s)) {
			p++;
			s++;
		} else if (again) {
			p = star;
			s = ++again;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.data[p] == '*')
		p++;
	return p == pattern.len;
}

/* The two ends of "A-100..A-199"; both have the same length, as all between them. */
static bool is_range(struct bytes item, struct bytes *from, struct bytes *to)
{
	for (size_t i = 0; i + 1 < item.len; i++)
		if (item.data[i] == '.' && item.data[i + 1] == '.') {
			*from = bytes_of(item.data, i);
			*to = bytes_of(item.data + i + 2, item.len - i - 2);
			return true;
		}
	return false;
}

static bool item_matches(struct bytes item, const char *serial)
{
	size_t len = strlen(serial);
	struct bytes from, to;

	if (!is_range(item, &from, &to))
		return glob_matches(item, serial);
	return len == from.len && len == to.len && memcmp(serial, from.data, len) >= 0 &&
	       memcmp(serial, to.data, len) <= 0;
}

static struct bytes next_item(const char **serials)
{
	size_t len = strcspn(*serials, ",");
	struct bytes item = bytes_of(*serials, len);

	*serials += len + ((*serials)[len] == ',');
	return item;
}

bool serials_check(const char *serials, struct err *e)
{
	size_t len = strlen(serials);

	if (len == 0 || serials[len - 1] == ',')
		return err_set(e, ERR_INPUT, "an empty serial in \"%.100s\"", serials);
	while (*serials) {
		struct bytes from, to, item = next_item(&serials);

		if (item.len == 0)
			return err_set(e, ERR_INPUT, "an empty serial in the list");
		if (is_range(item, &from, &to) && (from.len == 0 || from.len != to.len ||
							  memcmp(from.data, to.data, from.len) > 0))
			return err_set(e, ERR_INPUT, "no range of serials: \"%.*s\"",
				(int)(item.len > 100 ? 100 : item.len), (const char *)item.data);
	}
	return true;
}

bool serials_have(const char *serials, const char *serial)
{
	while (*serials)
		if (item_matches(next_item(&serials), serial))
			return true;
	return false;
}

/* ---- The set ---- */

struct rule_set *rule_set_new(struct err *e)
{
	struct rule_set *s = mem_new(sizeof(*s), e);

	if (s)
		atomic_store(&s->refs, 1);
	return s;
}

struct rule_set *rule_set_ref(struct rule_set *s)
{
	if (s)
		atomic_fetch_add(&s->refs, 1);
	return s;
}

static void rule_clear(struct rule *r)
{
	free((char *)(uintptr_t)r->text.manufacturer);
	free((char *)(uintptr_t)r->text.serials);
	free((char *)(uintptr_t)r->text.network);
	free((char *)(uintptr_t)r->text.reason);
	free((char *)(uintptr_t)r->text.model);
	free((char *)(uintptr_t)r->text.site);
	free((char *)(uintptr_t)r->text.labels);
}

void rule_set_free(struct rule_set *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	for (size_t i = 0; i < s->count; i++)
		rule_clear(&s->rules[i]);
	free(s->rules);
	free(s);
}

static bool copy_text(const char *from, const char **to, struct err *e)
{
	*to = from ? str_dup(from, e) : NULL;
	return !from || *to;
}

static bool fill(struct rule *r, const struct rule_text *t, struct err *e)
{
	r->text = *t;
	r->text.manufacturer = r->text.serials = r->text.network = r->text.reason = NULL;
	r->text.model = r->text.site = r->text.labels = NULL;
	atomic_store(&r->remaining, t->remaining);
	return (!t->network || network_parse(t->network, &r->network, e)) &&
	       (!t->serials || serials_check(t->serials, e)) &&
	       (!t->model || serials_check(t->model, e)) &&
	       copy_text(t->model, &r->text.model, e) && copy_text(t->site, &r->text.site, e) &&
	       copy_text(t->labels, &r->text.labels, e) &&
	       copy_text(t->manufacturer, &r->text.manufacturer, e) &&
	       copy_text(t->serials, &r->text.serials, e) &&
	       copy_text(t->network, &r->text.network, e) &&
	       copy_text(t->reason, &r->text.reason, e);
}

bool rule_set_add(struct rule_set *s, int64_t id, const struct rule_text *text, struct err *e)
{
	struct rule *r;

	if (s->count == s->room) {
		size_t room = s->room ? 2 * s->room : 8;
		struct rule *rules = realloc(s->rules, room * sizeof(*rules));

		if (!rules)
			return err_set(e, ERR_NO_MEMORY, "no memory for %zu rules", room);
		s->rules = rules;
		s->room = room;
	}
	r = &s->rules[s->count];
	memset(r, 0, sizeof(*r));
	r->id = id;
	if (fill(r, text, e)) {
		s->count++;
		return true;
	}
	rule_clear(r);
	return false;
}

const char *rule_differs(const struct rule *r, const struct rule_question *q)
{
	const struct rule_text *t = &r->text;

	if (t->disabled)
		return "disabled";
	if (t->manufacturer && strcmp(t->manufacturer, q->manufacturer) != 0)
		return "manufacturer";
	if (t->not_before && q->now < t->not_before)
		return "not_before";
	if (t->not_after && q->now >= t->not_after)
		return "not_after";
	if (t->limited && atomic_load(&r->remaining) <= 0)
		return "remaining";
	if (t->network && !network_has(&r->network, q->address))
		return "network";
	if (t->model && !serials_have(t->model, q->model))
		return "model";
	return t->serials && !serials_have(t->serials, q->serial) ? "serial" : NULL;
}

struct rule *rule_set_match(const struct rule_set *s, const struct rule_question *q)
{
	for (size_t i = 0; s && i < s->count; i++)
		if (!rule_differs(&s->rules[i], q))
			return &s->rules[i];
	return NULL;
}
