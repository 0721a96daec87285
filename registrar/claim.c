/* SPDX-License-Identifier: Apache-2.0 */
/* The policy on joining. What an administrator said about a device wins over the rules, and they
 * win over what the configuration says about its manufacturer. */
#include "registrar/claim.h"

#include "registrar/notify/ask.h"

#include <stdio.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/wire/hex.h"
#include "registrar/meters.h"
#include "registrar/onboard.h"
#include "registrar/records/sites.h"

#define DAY_S 86400

enum claim_answer claim_decide(enum admit_policy admit, bool listed, enum claim_state said)
{
	if (said == CLAIM_REJECTED)
		return CLAIM_REFUSE;
	if (said == CLAIM_APPROVED || said == CLAIM_PREAPPROVED || listed)
		return CLAIM_ADMIT;
	switch (admit) {
	case ADMIT_ALL:
		return CLAIM_ADMIT;
	case ADMIT_HOLD:
		return CLAIM_HOLD;
	case ADMIT_LISTED:
		break;
	}
	return CLAIM_UNWANTED;
}

void claim_ask(struct onboard *o)
{
	if (o->rule && o->rule->text.action == RULE_ASK)
		ask_about(o);
}

static void on_held(void *arg, const int64_t *changed, const struct err *e)
{
	struct onboard *o = arg;

	if (!e)
		claim_ask(o);

	if (changed && changed[0] == 1)
		atomic_fetch_add(&o->r->pending_claims, 1);
	onboard_resume(o, e);
}

/* Why it is held although it was approved, or by which rule; NULL: as all are. */
static const char *hold_reason(const struct onboard *o, char *text, size_t size)
{
	if (o->known.quarantined_at)
		return "it is quarantined";
	if (claim_has_ended(&o->known, o->now))
		return "its certificate ended too long ago";
	if (o->rule) {
		snprintf(text, size, "rule %lld%s%s", (long long)o->rule->id,
			o->rule->text.reason ? ": " : "",
			o->rule->text.reason ? o->rule->text.reason : "");
		return text;
	}
	return device_record_claim(&o->known, o->now) == CLAIM_EXPIRED ? "its approval has run out"
								       : NULL;
}

static enum step_result hold(struct onboard *o, struct err *e)
{
	struct request_record record = onboard_record(o);
	const struct records_writer w = {o->r->store, call_loop(o->call), on_held, o};
	struct rule_use use;
	char reason[REASON_LEN_MAX + 32];
	const struct journal_entry entry =
		onboard_journal_entry(o, "pending", hold_reason(o, reason, sizeof(reason)));

	if (!o->known.found && atomic_load(&o->r->pending_claims) >= o->setup->config.claims_max) {
		meter_limit(o->r, METER_LIMIT_CLAIMS);
		err_set(e, ERR_RETRY_LATER, "%lld claims are open",
			(long long)o->setup->config.claims_max);
		return STEP_FAILED;
	}
	if (o->known.claim != CLAIM_PENDING)
		log_event(&o->r->log, LOG_LEVEL_INFO, "claim-pending", entry.exchange,
			"manufacturer", record.device.manufacturer, "serial", o->serial, NULL);
	if (o->rule) {
		use = (struct rule_use){.site = o->rule->text.site, .labels = o->rule->text.labels};
		record.rule = &use;
	}
	record.spent = !o->known.quarantined_at && claim_has_ended(&o->known, o->now);
	o->held = true;
	o->journaled = true;
	fraud_tell(o->r, entry.exchange, record.device, &o->fraud);
	return records_hold(&w, &record, &entry, e) ? STEP_WAIT : STEP_FAILED;
}

int64_t claim_wait_s(int64_t cap, int64_t pending)
{
	return pending < CLAIMS_MANY ? cap : cap - (int64_t)rng_below((uint32_t)cap / 4 + 1);
}

static bool open_to_rules(enum claim_state said)
{
	return said == CLAIM_NONE || said == CLAIM_PENDING || said == CLAIM_EXPIRED ||
	       said == CLAIM_ANNOUNCED;
}

bool claim_has_ended(const struct device_record *known, int64_t now)
{
	bool joined = known->state == DEVICE_ENROLLED || known->state == DEVICE_VOUCHED;

	return joined && known->not_after != 0 && known->not_after <= now;
}

/* A device whose certificate has ended comes back by itself within the window. Behind it somebody
 * has to say so again: the approval it once joined with counts no longer, whatever rules and
 * configuration say of devices that are new. */
static enum claim_answer judge_return(const struct claim_case *c, enum claim_state said)
{
	const struct device_record *d = c->known;
	bool approved = said == CLAIM_APPROVED && (d->claim_until || d->decided_at > d->not_after);

	return approved || c->now - d->not_after < c->rejoin_s ? CLAIM_ADMIT : CLAIM_HOLD;
}

enum claim_answer claim_judge(
	const struct claim_case *c, const struct rule_set *rules, struct rule **rule)
{
	static const enum claim_answer by_rule[RULE_ACTION_COUNT] = {
		[RULE_APPROVE] = CLAIM_ADMIT,
		[RULE_HOLD] = CLAIM_HOLD,
		[RULE_REJECT] = CLAIM_REFUSE,
		[RULE_ASK] = CLAIM_HOLD,
	};
	const enum claim_state said = device_record_claim(c->known, c->now);
	/* who was revoked comes back by a person's word, whatever rules and configuration say */
	bool revoked = c->known->state == DEVICE_REVOKED;
	bool shut_out = c->known->quarantined_at != 0 && said != CLAIM_REJECTED;
	const struct rule_question q = {
		c->manufacturer->config->name, c->serial, c->address, c->model, c->now};

	*rule = !revoked && !shut_out && open_to_rules(said) ? rule_set_match(rules, &q) : NULL;
	if (shut_out)
		return CLAIM_HOLD;
	if (said != CLAIM_REJECTED && claim_has_ended(c->known, c->now) &&
		!(*rule && (*rule)->text.action == RULE_REJECT)) {
		*rule = NULL;
		return judge_return(c, said);
	}
	if (*rule)
		return by_rule[(*rule)->text.action];
	return claim_decide(
		revoked ? ADMIT_HOLD : (enum admit_policy)c->manufacturer->config->admit,
		!revoked && manufacturer_lists(c->manufacturer, c->serial), said);
}

enum claim_answer claim_answer_of(struct onboard *o)
{
	const struct claim_case c = {
		.manufacturer = o->manufacturer,
		.serial = o->serial,
		.address = call_peer(o->call)->address,
		.model = o->model,
		.known = &o->known,
		.now = o->now,
		.rejoin_s = o->setup->config.rejoin_days * DAY_S,
	};

	if (!o->rules)
		o->rules = registrar_rules_take(o->r);
	return claim_judge(&c, o->rules, &o->rule);
}

static enum step_result refuse(struct onboard *o, struct err *e)
{
	if (o->rule) {
		err_set(e, ERR_UNWANTED, "rule %lld: %s", (long long)o->rule->id,
			o->rule->text.reason ? o->rule->text.reason : "rejected");
		err_tell(e, "A rule of this site rejects this device.");
	} else {
		err_set(e, ERR_UNWANTED, "the claim was rejected");
		err_tell(e, CLAIM_REJECTED_SENTENCE);
	}
	return STEP_FAILED;
}

/* Nobody announced it, no rule knows it, and its site wants no such devices? */
static bool is_unwelcome(const struct onboard *o, bool *answer, struct err *e)
{
	const struct device_record *d = &o->known;
	const enum claim_state said = device_record_claim(d, o->now);
	struct site_policy policy;

	*answer = false;
	if (o->rule || d->state != DEVICE_NEW || d->quarantined_at ||
		(said != CLAIM_NONE && said != CLAIM_EXPIRED))
		return true;
	if (!records_site_policy(o->r->store, d->found ? d->site : "/", &policy, e))
		return false;
	*answer = policy.rejects_unknown;
	return true;
}

static enum step_result hold_or_refuse(struct onboard *o, struct err *e)
{
	bool unwelcome;

	if (!is_unwelcome(o, &unwelcome, e))
		return STEP_FAILED;
	if (!unwelcome)
		return hold(o, e);
	err_set(e, ERR_UNWANTED, "the site rejects unknown devices");
	err_tell(e, "This site takes no devices that nobody announced.");
	return STEP_FAILED;
}

enum step_result claim_hold_back(struct onboard *o, struct err *e)
{
	return hold(o, e);
}

/* A list that named the serial-number may have said which IDevID it comes with. */
static bool is_announced(const struct onboard *o)
{
	char hex[2 * SHA256_LEN + 1];

	if ((o->known.claim != CLAIM_PREAPPROVED && o->known.claim != CLAIM_ANNOUNCED) ||
		!o->known.announced[0])
		return true;
	hex_encode(bytes_of(o->idevid_sha256, SHA256_LEN), hex);
	return strcmp(hex, o->known.announced) == 0;
}

enum step_result claim_judge_device(struct onboard *o, struct err *e)
{
	if (!is_announced(o)) {
		err_set(e, ERR_REFUSED, "announced with another IDevID than this one");
		err_tell(e, "This serial-number was announced with another certificate.");
		return STEP_FAILED;
	}
	switch (claim_answer_of(o)) {
	case CLAIM_ADMIT:
		return STEP_NEXT;
	case CLAIM_HOLD:
		return hold_or_refuse(o, e);
	case CLAIM_REFUSE: /* decided, and not for want of a setting: R8995-REG-012 */
		return refuse(o, e);
	case CLAIM_UNWANTED:
		err_set(e, ERR_UNWANTED, "not among the serials of the manufacturer's list");
		return STEP_FAILED;
	}
	err_set(e, ERR_BUG, "no answer to a claim");
	return STEP_FAILED;
}

enum step_result claim_hold(struct onboard *o, struct err *e)
{
	if (!o->held)
		return STEP_NEXT;
	return onboard_undecided(o);
}
