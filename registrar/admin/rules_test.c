/* SPDX-License-Identifier: Apache-2.0 */
/* What would become of a device if it asked now, which rules were looked at for it, and who
 * decides: the very judgement of its road (claim.h), with nothing written. */
#include <stdlib.h>
#include <string.h>

#include "common/wire/json.h"
#include "common/wire/percent.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/guard.h"
#include "registrar/admin/rules.h"
#include "registrar/admin/scope.h"
#include "registrar/claim.h"

#define QUERY_TEXT_MAX 1024
#define DAY_S	       86400

static const struct manufacturer *find_manufacturer(
	const struct registrar_setup *s, const char *name, struct err *e)
{
	const struct manufacturer *found =
		*name ? registrar_setup_manufacturer(s, name) : &s->manufacturers[0];

	if (!*name && s->manufacturer_count > 1) {
		admin_bad(e, "Several manufacturers are configured: name one.");
		return NULL;
	}
	if (!found || s->manufacturer_count == 0) {
		admin_bad(e, "No manufacturer of this name is configured.");
		return NULL;
	}
	return found;
}

/* Each rule in its order up to the one that decides: what it would say, and why it says nothing. */
static bool add_considered(
	json_t *list, const struct rule_set *s, const struct claim_case *c, struct err *e)
{
	const struct rule_question q = {
		c->manufacturer->config->name, c->serial, c->address, c->model, c->now};

	for (size_t i = 0; i < s->count; i++) {
		const struct rule *rule = &s->rules[i];
		const char *differs = rule_differs(rule, &q);

		if (!admin_append(list,
			    json_pack("{sI sI ss sb so}", "position", (json_int_t)i + 1, "id",
				    (json_int_t)rule->id, "action",
				    rule_action_name(rule->text.action), "matches", differs == NULL,
				    "differs", admin_text(differs)),
			    e))
			return false;
		if (!differs)
			break;
	}
	return true;
}

/* Who decides, in one sentence. */
static const char *decider(const struct claim_case *c, const struct rule *rule)
{
	enum claim_state said = device_record_claim(c->known, c->now);

	if (rule)
		return "the first rule that matches";
	if (said == CLAIM_APPROVED || said == CLAIM_PREAPPROVED || said == CLAIM_REJECTED)
		return "what was decided about this device, before any rule";
	if (c->known->state == DEVICE_REVOKED || c->known->quarantined_at)
		return "a person has to: it was revoked, or is quarantined";
	if (claim_has_ended(c->known, c->now))
		return "how long ago its certificate ended";
	return "the configuration: no rule matches";
}

static json_t *judge(struct registrar *r, const struct claim_case *c)
{
	static const char *const answers[] = {[CLAIM_ADMIT] = "joins",
		[CLAIM_HOLD] = "held",
		[CLAIM_REFUSE] = "rejected",
		[CLAIM_UNWANTED] = "not listed"};
	struct rule_set *s = registrar_rules_take(r);
	JSON_AUTO json_t *considered = json_array();
	struct err e = ERR_INIT;
	struct rule *rule;
	enum claim_answer answer = claim_judge(c, s, &rule);
	json_t *object = NULL;

	if (considered && add_considered(considered, s, c, &e))
		object = json_pack("{ss ss ss ss ss so so so so sO}", "serial", c->serial,
			"manufacturer", c->manufacturer->config->name, "claim",
			claim_state_name(device_record_claim(c->known, c->now)), "answer",
			answers[answer], "decides", decider(c, rule), "rule",
			rule ? json_integer(rule->id) : json_null(), "reason",
			admin_text(rule ? rule->text.reason : NULL), "site",
			admin_text(rule ? rule->text.site : NULL), "labels",
			rule ? rule_labels(&rule->text) : json_null(), "considered", considered);
	rule_set_free(s);
	return object;
}

static bool query_text(const struct call *c, const char *name, struct buf *out, struct err *e)
{
	bool found;

	return percent_query(call_query(c), name, out, &found, e) || err_prefix(e, "%s", name);
}

struct known_model {
	const char *manufacturer;
	struct buf *model;
};

static bool take_model(void *arg, const struct claim_row *row, struct err *e)
{
	struct known_model *k = arg;

	return strcmp(row->manufacturer, k->manufacturer) != 0 || !row->model ||
	       buf_append_str(k->model, row->model, e);
}

/* What nobody said is what the device said when it asked. */
static bool find_model(
	struct registrar *r, const struct claim_case *q, struct buf *model, struct err *e)
{
	struct known_model k = {q->manufacturer->config->name, model};

	return model->len > 0 || !q->known->found ||
	       records_find_by_serial(r->store, q->serial, take_model, &k, e);
}

static json_t *try_device(
	struct registrar *r, const struct registrar_setup *s, const struct call *c, struct err *e)
{
	BUF_AUTO struct buf serial = BUF_INIT(QUERY_TEXT_MAX), name = BUF_INIT(QUERY_TEXT_MAX),
			    address = BUF_INIT(QUERY_TEXT_MAX), model = BUF_INIT(QUERY_TEXT_MAX);
	struct device_record known;
	struct claim_case q = {.known = &known,
		.now = registrar_now(r),
		.rejoin_s = s->config.rejoin_days * DAY_S};

	if (!query_text(c, "serial", &serial, e) || !query_text(c, "manufacturer", &name, e) ||
		!query_text(c, "address", &address, e) || !query_text(c, "model", &model, e))
		return NULL;
	if (serial.len == 0) {
		admin_bad(e, "A serial is missing.");
		return NULL;
	}
	q.manufacturer = find_manufacturer(s, buf_str(&name), e);
	q.serial = buf_str(&serial);
	q.address = buf_str(&address);
	if (!q.manufacturer ||
		!records_device(r->store,
			(struct device_key){q.manufacturer->config->name, q.serial}, &known, e) ||
		!admin_may_or(c, MAY_VIEW, q.manufacturer->config->name, known.site, e) ||
		!find_model(r, &q, &model, e))
		return NULL;
	q.model = buf_str(&model);
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
