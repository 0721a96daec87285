/* SPDX-License-Identifier: Apache-2.0 */
/* The policy on joining. What an administrator said about a device wins over what the configuration
 * says about its manufacturer. */
#include "registrar/claim.h"

#include "registrar/meters.h"
#include "registrar/onboard.h"

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

static void on_held(void *arg, const int64_t *changed, const struct err *e)
{
	struct onboard *o = arg;

	if (changed && changed[0] == 1)
		atomic_fetch_add(&o->r->pending_claims, 1);
	onboard_resume(o, e);
}

static enum step_result hold(struct onboard *o, struct err *e)
{
	const struct request_record record = onboard_record(o);
	const struct records_writer w = {o->r->store, call_loop(o->call), on_held, o};
	bool expired = device_record_claim(&o->known, o->now) == CLAIM_EXPIRED;
	const struct journal_entry entry =
		onboard_journal_entry(o, "pending", expired ? "its approval has run out" : NULL);

	if (!o->known.found && atomic_load(&o->r->pending_claims) >= o->setup->config.claims_max) {
		meter_limit(o->r, METER_LIMIT_CLAIMS);
		err_set(e, ERR_RETRY_LATER, "%lld claims are open",
			(long long)o->setup->config.claims_max);
		return STEP_FAILED;
	}
	if (o->known.claim != CLAIM_PENDING)
		log_event(&o->r->log, LOG_LEVEL_INFO, "claim-pending", entry.exchange,
			"manufacturer", record.device.manufacturer, "serial", o->serial, NULL);
	o->held = true;
	o->journaled = true;
	return records_hold(&w, &record, &entry, e) ? STEP_WAIT : STEP_FAILED;
}

enum step_result claim_judge_device(struct onboard *o, struct err *e)
{
	/* who was revoked comes back by a person's word, whatever the configuration says */
	bool revoked = o->known.state == DEVICE_REVOKED;
	enum admit_policy admit =
		revoked ? ADMIT_HOLD : (enum admit_policy)o->manufacturer->config->admit;
	bool listed = !revoked && manufacturer_lists(o->manufacturer, o->serial);

	switch (claim_decide(admit, listed, device_record_claim(&o->known, o->now))) {
	case CLAIM_ADMIT:
		return STEP_NEXT;
	case CLAIM_HOLD:
		return hold(o, e);
	case CLAIM_REFUSE: /* decided, and not for want of a setting: R8995-REG-012 */
		err_set(e, ERR_UNWANTED, "the claim was rejected");
		err_tell(e, CLAIM_REJECTED_SENTENCE);
		return STEP_FAILED;
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
	o->retry_after_s = o->setup->config.retry_after;
	o->sentence = "An administrator has to decide.";
	return STEP_PENDING;
}
