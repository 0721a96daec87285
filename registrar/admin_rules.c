/* SPDX-License-Identifier: Apache-2.0 */
/* A change is durable, with its line in the journal, and in force before it is answered. */
#include "registrar/admin_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/wire/datetime.h"
#include "common/wire/json.h"
#include "common/wire/percent.h"
#include "registrar/admin_answer.h"
#include "registrar/admin_guard.h"
#include "registrar/claim.h"
#include "registrar/records_rules.h"

#define QUERY_TEXT_MAX 1024
#define DAY_S	       86400
#define REMAINING_MAX  1000000000 /* more is no limit */

/* ---- Showing ---- */

static json_t *rule_object(const struct rule *r, size_t position)
{
	const struct rule_text *t = &r->text;

	return json_pack("{sI sI ss so so so so so so so}", "position", (json_int_t)position, "id",
		(json_int_t)r->id, "action", rule_action_name(t->action), "manufacturer",
		admin_text(t->manufacturer), "serial", admin_text(t->serials), "network",
		admin_text(t->network), "not_before", admin_moment(t->not_before), "not_after",
		admin_moment(t->not_after), "remaining",
		t->limited ? json_integer(atomic_load(&r->remaining)) : json_null(), "reason",
		admin_text(t->reason));
}

void rules_list(struct call *c, void *app)
{
	struct registrar *r = app;
	struct rule_set *s = registrar_rules_take(r);
	JSON_AUTO json_t *items = json_array();
	JSON_AUTO json_t *answer = NULL;
	struct err e = ERR_INIT;
	bool ok = items != NULL;

	for (size_t i = 0; ok && s && i < s->count; i++)
		ok = admin_append(items, rule_object(&s->rules[i], i + 1), &e);
	rule_set_free(s);
	answer = ok ? json_pack("{sO sn}", "items", items, "next") : NULL;
	admin_reply(c, r, answer);
}

/* ---- A change under way ---- */

struct change {
	struct registrar *r;
	struct call *call;
	int64_t id, position;
	char by[CALL_PEER_MAX];
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

static bool bad(struct err *e, const char *why)
{
	err_set(e, ERR_INPUT, "%s", why);
	return err_tell(e, "%s", why);
}

/* ---- Adding ---- */

static bool get_moment(const json_t *body, const char *name, int64_t *out, struct err *e)
{
	const char *text = NULL;

	if (!json_get_string(body, name, &text, e))
		return false;
	if (text && !datetime_parse(text, out, e))
		return bad(e, "A time is written like 2026-12-01T08:00:00Z.");
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
		!json_get_string(body, "serial", &t->serials, e) ||
		!json_get_string(body, "network", &t->network, e) ||
		!json_get_string(body, "reason", &t->reason, e))
		return false;
	if (!action || !rule_action_parse(action, &t->action))
		return bad(e, "A rule's action is approve, hold or reject.");
	if (t->serials && strlen(t->serials) > RULE_SERIALS_MAX)
		return bad(e, "The list of serials is too long for a rule.");
	if (t->reason && strlen(t->reason) > REASON_LEN_MAX)
		return bad(e, "The reason is too long.");
	return true;
}

static bool is_configured(struct registrar *r, const char *name)
{
	struct registrar_setup *s = registrar_setup_take(r);
	bool found = false;

	for (size_t i = 0; i < s->manufacturer_count; i++)
		found |= strcmp(s->manufacturers[i].config->name, name) == 0;
	registrar_setup_free(s);
	return found;
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
	if (!read_texts(body, t, e) || !get_moment(body, "not_before", &t->not_before, e) ||
		!get_moment(body, "not_after", &t->not_after, e) ||
		!get_count(body, "remaining", REMAINING_MAX, &t->remaining, &t->limited, e))
		return false;
	if (t->limited && t->action != RULE_APPROVE)
		return bad(e, "Only a rule that approves has a number of devices.");
	if (t->not_before && t->not_after && t->not_before >= t->not_after)
		return bad(e, "The rule ends before it begins.");
	if (t->manufacturer && !is_configured(r, t->manufacturer))
		return bad(e, "No manufacturer of this name is configured.");
	return try_rule(t, e);
}

/* A number nobody has, the place it goes to, and whether there is room. */
static bool find_place(struct change *g, const json_t *body, struct err *e)
{
	struct rule_set *s = registrar_rules_take(g->r);
	size_t count = s->count;
	bool given;

	g->id = 1;
	for (size_t i = 0; i < count; i++)
		if (s->rules[i].id >= g->id)
			g->id = s->rules[i].id + 1;
	rule_set_free(s);
	if (count >= RULES_MAX)
		return bad(e, "There are too many rules.");
	g->position = (int64_t)count + 1;
	return get_count(body, "position", (int64_t)count + 1, &g->position, &given, e);
}

static bool start_add(struct change *g, struct err *e)
{
	const struct records_writer w = {g->r->store, call_loop(g->call), on_changed, g};
	JSON_AUTO json_t *body = json_parse_object(call_body(g->call), e);
	struct rule_text t = {.action = RULE_HOLD};
	struct journal_entry j;
	char what[JOURNAL_REASON_MAX + 1];

	if (!body || !read_rule(g->r, body, &t, e) || !find_place(g, body, e))
		return false;
	snprintf(what, sizeof(what), "rule %lld: %s %s from %s at place %lld%s%s", (long long)g->id,
		rule_action_name(t.action), t.serials ? t.serials : "*",
		t.network ? t.network : "anywhere", (long long)g->position, t.reason ? ": " : "",
		t.reason ? t.reason : "");
	text_make_utf8(what, '?');
	j = change_line(g, "added", what);
	j.device.manufacturer = t.manufacturer;
	return records_add_rule(&w, g->id, g->position, &t, &j, e);
}

void rules_add(struct call *c, void *app)
{
	struct err e = ERR_INIT;
	struct change *g = change_new(app, c, &e);

	if (!g || !start_add(g, &e))
		change_failed(g, c, app, &e);
}

/* ---- Removing, moving ---- */

/* …/ID/VERB */
static bool read_path(struct change *g, bool *move, struct err *e)
{
	const char *rest = call_path(g->call) + strlen(RULES_PATH "/");
	size_t len = strcspn(rest, "/");
	char number[24];

	snprintf(number, sizeof(number), "%.*s", (int)(len < 20 ? len : 20), rest);
	*move = strcmp(rest + len, "/move") == 0;
	return ((*move || strcmp(rest + len, "/remove") == 0) &&
		       admin_parse_number(number, &g->id)) ||
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
		return bad(e, "A move needs a position.");
	snprintf(what, sizeof(what), "rule %lld from place %lld to %lld", (long long)g->id,
		(long long)from, (long long)g->position);
	j = change_line(g, "moved", what);
	return records_move_rule(w, g->id, from, g->position, &j, e);
}

static bool start_change(struct change *g, struct err *e)
{
	const struct records_writer w = {g->r->store, call_loop(g->call), on_changed, g};
	struct journal_entry j;
	size_t count;
	char what[64];
	int64_t from;
	bool move;

	if (!read_path(g, &move, e))
		return false;
	from = place_of(g, &count);
	if (!from) {
		err_set(e, ERR_NOT_FOUND, "no rule %lld", (long long)g->id);
		return err_tell(e, "There is no rule with this number.");
	}
	if (move)
		return start_move(g, &w, from, count, e);
	g->position = from;
	snprintf(what, sizeof(what), "rule %lld at place %lld", (long long)g->id, (long long)from);
	j = change_line(g, "removed", what);
	return records_remove_rule(&w, g->id, from, &j, e);
}

void rules_change(struct call *c, void *app)
{
	struct err e = ERR_INIT;
	struct change *g = change_new(app, c, &e);

	if (!g || !start_change(g, &e))
		change_failed(g, c, app, &e);
}

/* ---- Trying ---- */

static const struct manufacturer *find_manufacturer(
	const struct registrar_setup *s, const char *name, struct err *e)
{
	for (size_t i = 0; i < s->manufacturer_count; i++)
		if (!*name || strcmp(s->manufacturers[i].config->name, name) == 0) {
			if (*name || s->manufacturer_count == 1)
				return &s->manufacturers[i];
			bad(e, "Several manufacturers are configured: name one.");
			return NULL;
		}
	bad(e, "No manufacturer of this name is configured.");
	return NULL;
}

static json_t *judge(struct registrar *r, const struct claim_case *c)
{
	static const char *const answers[] = {[CLAIM_ADMIT] = "joins",
		[CLAIM_HOLD] = "held",
		[CLAIM_REFUSE] = "rejected",
		[CLAIM_UNWANTED] = "not listed"};
	struct rule_set *s = registrar_rules_take(r);
	struct rule *rule;
	enum claim_answer answer = claim_judge(c, s, &rule);
	json_t *object = json_pack("{ss ss ss ss so so}", "serial", c->serial, "manufacturer",
		c->manufacturer->config->name, "claim",
		claim_state_name(device_record_claim(c->known, c->now)), "answer", answers[answer],
		"rule", rule ? json_integer(rule->id) : json_null(), "reason",
		admin_text(rule ? rule->text.reason : NULL));

	rule_set_free(s);
	return object;
}

static bool query_text(const struct call *c, const char *name, struct buf *out, struct err *e)
{
	bool found;

	return percent_query(call_query(c), name, out, &found, e) || err_prefix(e, "%s", name);
}

static json_t *try_device(
	struct registrar *r, const struct registrar_setup *s, const struct call *c, struct err *e)
{
	BUF_AUTO struct buf serial = BUF_INIT(QUERY_TEXT_MAX), name = BUF_INIT(QUERY_TEXT_MAX),
			    address = BUF_INIT(QUERY_TEXT_MAX);
	struct device_record known;
	struct claim_case q = {.known = &known,
		.now = registrar_now(r),
		.rejoin_s = s->config.rejoin_days * DAY_S};

	if (!query_text(c, "serial", &serial, e) || !query_text(c, "manufacturer", &name, e) ||
		!query_text(c, "address", &address, e))
		return NULL;
	if (serial.len == 0) {
		bad(e, "A serial is missing.");
		return NULL;
	}
	q.manufacturer = find_manufacturer(s, buf_str(&name), e);
	q.serial = buf_str(&serial);
	q.address = buf_str(&address);
	if (!q.manufacturer ||
		!records_device(r->store,
			(struct device_key){q.manufacturer->config->name, q.serial}, &known, e))
		return NULL;
	return judge(r, &q);
}

void rules_test(struct call *c, void *app)
{
	struct registrar *r = app;
	struct registrar_setup *s = registrar_setup_take(r);
	struct err e = ERR_INIT;
	JSON_AUTO json_t *answer = try_device(r, s, c, &e);

	registrar_setup_free(s);
	if (!answer && e.kind != ERR_NONE)
		call_reply_err(c, &r->log, "admin-failed", &e);
	else
		admin_reply(c, r, answer);
}
