/* SPDX-License-Identifier: Apache-2.0 */
/* Is a device that asks for a voucher what it seems to be, and does it ask too often? What is found
 * goes on with the request and is written with what comes of it, unless it ends the request here.
 */
#include "registrar/meters.h"
#include "registrar/onboard.h"
#include "registrar/space.h"

/* What waits or was answered before is answered all the same. */
enum step_result suspect_space(struct onboard *o, struct err *e)
{
	if (space_left(o->r, o->setup, o->call, e))
		return STEP_NEXT;
	o->journaled = true; /* once, and not for each who asks */
	return STEP_FAILED;
}

static void too_many(const struct onboard *o, struct err *e)
{
	err_set(e, ERR_RETRY_LATER, "%lld vouchers today", (long long)o->known.joins);
	err_tell(e, "This device has joined too often today.");
}

static void on_noted(void *arg, const int64_t *changed, const struct err *e)
{
	struct onboard *o = arg;
	struct err refused = ERR_INIT;

	if (!e)
		too_many(o, &refused);
	onboard_resume(o, e ? e : &refused);
}

static enum step_result refuse(struct onboard *o, struct err *e)
{
	const struct records_writer w = {o->r->store, call_loop(o->call), on_noted, o};
	const struct journal_entry about = onboard_journal_entry(o, NULL, NULL);

	meter_limit(o->r, METER_LIMIT_JOINS);
	call_set_header(o->call, "Retry-After", LOOPING_RETRY_AFTER);
	o->journaled = true; /* by the signal, once */
	if (o->fraud.found == 0) {
		too_many(o, e);
		return STEP_FAILED;
	}
	fraud_tell(o->r, about.exchange, about.device, &o->fraud);
	return records_fraud(&w, &o->fraud, &about, e) ? STEP_WAIT : STEP_FAILED;
}

enum step_result suspect_device(struct onboard *o, struct err *e)
{
	const struct registrar_config *c = &o->setup->config;

	if (!digest_sha256(cert_spki(call_peer(o->call)->cert), o->key_sha256, e))
		return STEP_FAILED;
	o->fraud.quarantine_on = c->quarantine_on;
	fraud_judge_place(&o->fraud, &o->known, o->host, o->now, &o->place);
	fraud_judge_key(&o->fraud, &o->known, o->key_sha256);
	fraud_judge_rejoin(&o->fraud, &o->known, o->now);
	if (!fraud_judge_joins(&o->fraud, &o->known, c->joins_per_day, o->now))
		return refuse(o, e);
	suspect_quarantine(o);
	return STEP_NEXT;
}

bool suspect_quarantine(struct onboard *o)
{
	if (!fraud_quarantines(&o->fraud) || o->known.state == DEVICE_REVOKED)
		return false;
	o->known.quarantined_at = o->now;
	return true;
}
