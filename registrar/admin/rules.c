/* SPDX-License-Identifier: Apache-2.0 */
/* A change is durable, with its line in the journal, and in force before it is answered. */
#include "registrar/admin/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/wire/datetime.h"
#include "common/wire/json.h"
#include "common/wire/percent.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/guard.h"
#include "registrar/admin/scope.h"
#include "registrar/admin/sites.h"
#include "registrar/claim.h"
#include "registrar/records/hooks.h"
#include "registrar/records/rules.h"

#define QUERY_TEXT_MAX 1024
#define DAY_S	       86400
#define REMAINING_MAX  1000000000 /* more is no limit */

/* ---- Showing ---- */

json_t *rule_labels(const struct rule_text *t)
{
	struct err ignored = ERR_INIT;
	json_t *labels = t->labels ? json_parse_object(bytes_of_str(t->labels), &ignored) : NULL;

	return labels ? labels : json_null();
}

static json_t *rule_object(const struct rule *r, size_t position)
{
	const struct rule_text *t = &r->text;

	return json_pack("{sI sI ss sb so so so so so so so so so so}", "position",
		(json_int_t)position, "id", (json_int_t)r->id, "action",
		rule_action_name(t->action), "enabled", !t->disabled, "manufacturer",
		admin_text(t->manufacturer), "model", admin_text(t->model), "serial",
		admin_text(t->serials), "network", admin_text(t->network), "not_before",
		admin_moment(t->not_before), "not_after", admin_moment(t->not_after), "remaining",
		t->limited ? json_integer(atomic_load(&r->remaining)) : json_null(), "reason",
		admin_text(t->reason), "site", admin_text(t->site), "labels", rule_labels(t));
}

/* Of a rule for every manufacturer: who sees all of them. */
static bool is_in_sight(const struct call *c, const struct rule *r)
{
	return admin_sees_all(c) ||
	       (r->text.manufacturer && admin_sees(c, r->text.manufacturer, r->text.site));
}

/* What becomes of a device that no rule matches. */
static json_t *default_object(const struct manufacturer_config *m)
{
	static const struct {
		const char *action, *reason;
	} rows[] = {
		[ADMIT_HOLD] = {"hold",
			"no rule matches: admit = hold, but for its list of serials"},
		[ADMIT_LISTED] = {"reject", "no rule matches: admit = listed, and not on its list"},
		[ADMIT_ALL] = {"approve", "no rule matches: admit = all"},
	};

	return json_pack("{ss ss ss}", "manufacturer", m->name, "action", rows[m->admit].action,
		"reason", rows[m->admit].reason);
}

static bool add_defaults(struct registrar *r, const struct call *c, json_t *defaults, struct err *e)
{
	struct registrar_setup *s = registrar_setup_take(r);
	bool ok = true;

	for (size_t i = 0; ok && i < s->manufacturer_count; i++) {
		const struct manufacturer_config *m = s->manufacturers[i].config;

		if (admin_sees_all(c) || admin_sees(c, m->name, NULL))
			ok = admin_append(defaults, default_object(m), e);
	}
	registrar_setup_free(s);
	return ok;
}

void rules_list(struct call *c, void *app)
{
	struct registrar *r = app;
	struct rule_set *s = registrar_rules_take(r);
	JSON_AUTO json_t *items = json_array();
	JSON_AUTO json_t *defaults = json_array();
	JSON_AUTO json_t *answer = NULL;
	struct err e = ERR_INIT;
	bool ok = items && defaults;

	for (size_t i = 0; ok && s && i < s->count; i++)
		if (is_in_sight(c, &s->rules[i]))
			ok = admin_append(items, rule_object(&s->rules[i], i + 1), &e);
	rule_set_free(s);
	if (ok && add_defaults(r, c, defaults, &e))
		answer = json_pack("{sO sn sO}", "items", items, "next", "default", defaults);
	admin_reply(c, r, answer);
}

/* ---- A change under way ---- */

struct change {
	struct registrar *r;
	struct call *call;
	int64_t id, position;
	char by[PRINCIPAL_NAME_MAX];
};

static void on_changed(void *arg, const int64_t *changed, const struct err *e)
{
	struct change *g = arg;
	struct err why = ERR_INIT;
	bool ok = !e;

	if (e)
		why = *e;
	if (ok)
		ok = registrar_load_rules(g->r, &why);
	if (ok) {
		JSON_AUTO json_t *answer = json_pack(
			"{sI sI}", "id", (json_int_t)g->id, "position", (json_int_t)g->position);

		admin_reply(g->call, g->r, answer);
	} else {
		call_reply_err(g->call, &g->r->log, "admin-failed", &why);
	}
	free(g);
}

static struct change *change_new(struct registrar *r, struct call *c, struct err *e)
{
	struct change *g = mem_new(sizeof(*g), e);

	if (g) {
		g->r = r;
		g->call = c;
		snprintf(g->by, sizeof(g->by), "%s", admin_by(c));
	}
	return g;
}

static void change_failed(struct change *g, struct call *c, struct registrar *r, struct err *e)
{
	free(g);
	call_reply_err(c, &r->log, "admin-failed", e);
}

static struct journal_entry change_line(
	const struct change *g, const char *outcome, const char *reason)
{
	return (struct journal_entry){
		.at = registrar_now(g->r),
		.exchange = call_exchange(g->call),
		.actor = g->by,
		.step = "rule",
		.outcome = outcome,
		.reason = reason,
	};
}

/* ---- Adding ---- */

static bool get_moment(
	const json_t *body, const char *name, enum datetime_day day, int64_t *out, struct err *e)
{
	const char *text = NULL;

	if (!json_get_string(body, name, &text, e))
		return false;
	if (text && !datetime_parse_or_day(text, day, out, e))
		return admin_bad(e, "A time is written like 2026-12-01 or 2026-12-01T08:00:00Z.");
	return true;
}

/* *out stays when it is not there. */
static bool get_count(
	const json_t *body, const char *name, int64_t max, int64_t *out, bool *found, struct err *e)
{
	const json_t *value = json_object_get(body, name);

	*found = value && !json_is_null(value);
	if (!*found)
		return true;
	*out = json_integer_value(value);
	if (!json_is_integer(value) || *out < 1 || *out > max) {
		err_set(e, ERR_INPUT, "%s is no number from 1 to %lld", name, (long long)max);
		return err_tell(e, "%s is a number from 1 to %lld.", name, (long long)max);
	}
	return true;
}

static bool read_texts(const json_t *body, struct rule_text *t, struct err *e)
{
	const char *action = NULL;

	if (!json_get_string(body, "action", &action, e) ||
		!json_get_string(body, "manufacturer", &t->manufacturer, e) ||
		!json_get_string(body, "model", &t->model, e) ||
		!json_get_string(body, "site", &t->site, e) ||
		!json_get_string(body, "serial", &t->serials, e) ||
		!json_get_string(body, "network", &t->network, e) ||
		!json_get_string(body, "reason", &t->reason, e))
		return false;
	if (!action || !rule_action_parse(action, &t->action))
		return admin_bad(e, "A rule's action is approve, hold, reject or ask.");
	if (t->serials && strlen(t->serials) > RULE_SERIALS_MAX)
		return admin_bad(e, "The list of serials is too long for a rule.");
	if (t->model && strlen(t->model) > RULE_MODELS_MAX)
		return admin_bad(e, "The list of models is too long for a rule.");
	if (t->reason && strlen(t->reason) > REASON_LEN_MAX)
		return admin_bad(e, "The reason is too long.");
	return true;
}

static bool somebody_decides(struct registrar *r)
{
	struct registrar_setup *s = registrar_setup_take(r);
	bool is = s->has_decision;

	registrar_setup_free(s);
	return is;
}

/* text: what t->labels is borrowed from. */
static bool read_labels(const json_t *body, struct rule_text *t, struct buf *text, struct err *e)
{
	const json_t *labels = json_object_get(body, "labels");

	if (!labels || json_is_null(labels))
		return true;
	if (!labels_check(labels, e) || !json_format(labels, text, e))
		return false;
	t->labels = buf_str(text);
	return true;
}

/* What is wrong with a pattern or network is said by who would match them. */
static bool try_rule(const struct rule_text *t, struct err *e)
{
	struct rule_set *s = rule_set_new(e);
	bool ok = s && rule_set_add(s, 1, t, e);

	rule_set_free(s);
	return ok || e->kind != ERR_INPUT || err_tell(e, "%s.", e->text);
}

static bool read_rule(struct registrar *r, const json_t *body, struct rule_text *t, struct err *e)
{
	if (!read_texts(body, t, e) ||
		!get_moment(body, "not_before", DATETIME_DAY_BEGINS, &t->not_before, e) ||
		!get_moment(body, "not_after", DATETIME_DAY_ENDS, &t->not_after, e) ||
		!get_count(body, "remaining", REMAINING_MAX, &t->remaining, &t->limited, e))
		return false;
	if (t->limited && t->action != RULE_APPROVE)
		return admin_bad(e, "Only a rule that approves has a number of devices.");
	if (t->not_before && t->not_after && t->not_before >= t->not_after)
		return admin_bad(e, "The rule ends before it begins.");
	if (t->manufacturer && !registrar_knows_manufacturer(r, t->manufacturer))
		return admin_bad(e, "No manufacturer of this name is configured.");
	if (t->action == RULE_REJECT && (t->site || t->labels))
		return admin_bad(e, "A device that is rejected gets no site and no labels.");
	if (t->action == RULE_ASK && !somebody_decides(r))
		return admin_bad(
			e, "[policy] of the configuration names nobody to ask: decision_url.");
	return admin_site_check(r, t->site, e) && try_rule(t, e);
}

/* A number nobody has, the place it goes to, and whether there is room. */
static bool find_place(struct change *g, const json_t *body, struct err *e)
{
	struct rule_set *s = registrar_rules_take(g->r);
	size_t count = s->count;
	bool given;

	rule_set_free(s);
	if (!records_last_number(g->r->store, "rule", &g->id, e))
		return false;
	g->id++;
	if (count >= RULES_MAX)
		return admin_bad(e, "There are too many rules.");
	g->position = (int64_t)count + 1;
	return get_count(body, "position", (int64_t)count + 1, &g->position, &given, e);
}

static bool start_add(struct change *g, struct err *e)
{
	const struct records_writer w = {g->r->store, call_loop(g->call), on_changed, g};
	JSON_AUTO json_t *body = json_parse_object(call_body(g->call), e);
	BUF_AUTO struct buf labels = BUF_INIT(LABELS_TEXT_MAX);
	struct rule_text t = {.action = RULE_HOLD};
	struct journal_entry j;
	char what[JOURNAL_REASON_MAX + 1];

	if (!body || !read_labels(body, &t, &labels, e) || !read_rule(g->r, body, &t, e) ||
		!find_place(g, body, e))
		return false;
	snprintf(what, sizeof(what), "rule %lld: %s %s%s%s from %s at place %lld%s%s%s%s",
		(long long)g->id, rule_action_name(t.action), t.serials ? t.serials : "*",
		t.model ? " of model " : "", t.model ? t.model : "",
		t.network ? t.network : "anywhere", (long long)g->position, t.site ? " to " : "",
		t.site ? t.site : "", t.reason ? ": " : "", t.reason ? t.reason : "");
	text_make_utf8(what, '?');
	j = change_line(g, "added", what);
	j.device.manufacturer = t.manufacturer;
	return records_add_rule(&w, g->id, g->position, &t, &j, e);
}

void rules_add(struct call *c, void *app)
{
	struct err e = ERR_INIT;
	struct change *g = change_new(app, c, &e);

	if (!g || !admin_may_everywhere(c, MAY_ADMIN, &e) || !start_add(g, &e))
		change_failed(g, c, app, &e);
}

/* ---- Removing, moving ---- */

enum rule_verb { RULE_MOVE, RULE_REMOVE, RULE_ENABLE, RULE_DISABLE, RULE_VERB_COUNT };
static const char *const verbs[RULE_VERB_COUNT] = {"/move", "/remove", "/enable", "/disable"};

/* …/ID/VERB */
static bool read_path(struct change *g, enum rule_verb *verb, struct err *e)
{
	const char *rest = call_path(g->call) + strlen(RULES_PATH "/");
	size_t len = strcspn(rest, "/"), v = 0;
	char number[24];

	snprintf(number, sizeof(number), "%.*s", (int)(len < 20 ? len : 20), rest);
	while (v < RULE_VERB_COUNT && strcmp(rest + len, verbs[v]) != 0)
		v++;
	*verb = (enum rule_verb)v;
	return (v < RULE_VERB_COUNT && admin_parse_number(number, &g->id)) ||
	       err_set(e, ERR_NOT_FOUND, "no such rule or action");
}

/* Where it stands now; 0: nowhere. */
static int64_t place_of(struct change *g, size_t *count)
{
	struct rule_set *s = registrar_rules_take(g->r);
	int64_t place = 0;

	*count = s->count;
	for (size_t i = 0; i < s->count; i++)
		if (s->rules[i].id == g->id)
			place = (int64_t)i + 1;
	rule_set_free(s);
	return place;
}

static bool start_move(
	struct change *g, const struct records_writer *w, int64_t from, size_t count, struct err *e)
{
	JSON_AUTO json_t *body = json_parse_object(call_body(g->call), e);
	struct journal_entry j;
	char what[64];
	bool given;

	if (!body || !get_count(body, "position", (int64_t)count, &g->position, &given, e))
		return false;
	if (!given)
		return admin_bad(e, "A move needs a position.");
	snprintf(what, sizeof(what), "rule %lld from place %lld to %lld", (long long)g->id,
		(long long)from, (long long)g->position);
	j = change_line(g, "moved", what);
	return records_move_rule(w, g->id, from, g->position, &j, e);
}

static bool start_enable(
	struct change *g, const struct records_writer *w, bool enabled, struct err *e)
{
	struct journal_entry j;
	char what[64];

	snprintf(what, sizeof(what), "rule %lld at place %lld", (long long)g->id,
		(long long)g->position);
	j = change_line(g, enabled ? "enabled" : "disabled", what);
	return records_enable_rule(w, g->id, g->position, enabled, &j, e);
}

static bool start_remove(struct change *g, const struct records_writer *w, struct err *e)
{
	struct journal_entry j;
	char what[64];

	snprintf(what, sizeof(what), "rule %lld at place %lld", (long long)g->id,
		(long long)g->position);
	j = change_line(g, "removed", what);
	return records_remove_rule(w, g->id, g->position, &j, e);
}

static bool start_change(struct change *g, struct err *e)
{
	const struct records_writer w = {g->r->store, call_loop(g->call), on_changed, g};
	enum rule_verb verb;
	size_t count;

	if (!read_path(g, &verb, e))
		return false;
	g->position = place_of(g, &count);
	if (!g->position) {
		err_set(e, ERR_NOT_FOUND, "no rule %lld", (long long)g->id);
		return err_tell(e, "There is no rule with this number.");
	}
	if (verb == RULE_MOVE)
		return start_move(g, &w, g->position, count, e);
	return verb == RULE_REMOVE ? start_remove(g, &w, e)
				   : start_enable(g, &w, verb == RULE_ENABLE, e);
}

void rules_change(struct call *c, void *app)
{
	struct err e = ERR_INIT;
	struct change *g = change_new(app, c, &e);

	if (!g || !admin_may_everywhere(c, MAY_ADMIN, &e) || !start_change(g, &e))
		change_failed(g, c, app, &e);
}
