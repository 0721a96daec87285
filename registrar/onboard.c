/* SPDX-License-Identifier: Apache-2.0 */
/* The sequence of an onboarding, as a table. A step takes what the steps before it have put into
 * struct onboard, adds its own and returns; it never calls another. Waiting for a commit or for the
 * MASA is the index of the step. What is cheap or needs no trust is checked first; the client
 * certificate is looked at before the request is parsed, so that a stranger gets no signature check
 * out of us. */
#include "registrar/onboard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/pki/cms.h"
#include "common/pki/cose.h"
#include "common/wire/datetime.h"
#include "registrar/ahead.h"
#include "registrar/claim.h"
#include "registrar/cloud/cloud.h"
#include "registrar/endorse.h"
#include "registrar/masa_watch.h"
#include "registrar/meters.h"
#include "registrar/vet.h"

static enum step_result strip_voucher(struct onboard *o, struct err *e);
static enum step_result ask_history(struct onboard *o, struct err *e);
static enum step_result record_outcome(struct onboard *o, struct err *e);
static enum step_result deliver(struct onboard *o, struct err *e);

static const struct onboard_step steps[] = {
	{"admit", admit_media},		 /* a type we read, a type it takes: 415, 406 */
	{"admit", admit_device},	 /* an IDevID of a known manufacturer: 403 */
	{"admit", admit_reserve},	 /* one exchange at a time for each device: 202 */
	{"admit", admit_recall},	 /* seen these octets before? 202, or the stored voucher */
	{"admit", admit_request},	 /* signature, serial, proximity, nonce: 400, 403, 401 */
	{"admit", suspect_space},	 /* is there room to write it down? 503 */
	{"fraud", suspect_device},	 /* is it what it seems to be? 403, 503 */
	{"claim", claim_judge_device},	 /* may it join? 403, 404, or wait for an administrator */
	{"claim", claim_hold},		 /* the claim is durable: 202 */
	{"admit", admit_reserve_stored}, /* nor with two registrars of the site: 202 */
	{"admit", admit_recall_again},	 /* or was it, just before? */
	{"endorse", onboard_endorse},	 /* our request around the pledge's */
	{"masa", onboard_ask_masa},	 /* 503, 504, 502 */
	{"masa", onboard_read_answer},	 /* its status: 4xx, 502, 202 */
	{"vet", onboard_vet},		 /* a voucher for this request: 502 */
	{"vet", strip_voucher},	     /* in COSE: without certificates the pledge has no use for */
	{"history", ask_history},    /* the device's past */
	{"journal", record_outcome}, /* durable before anybody is told */
	{"deliver", deliver},	     /* what was stored, or 406 */
};

#define STEP_COUNT (sizeof(steps) / sizeof(*steps))

/* ---- What every step needs ---- */

struct device_key onboard_device(const struct onboard *o)
{
	return (struct device_key){
		o->manufacturer ? o->manufacturer->config->name : NULL, o->serial};
}

struct request_record onboard_record(const struct onboard *o)
{
	const struct peer *peer = call_peer(o->call);

	return (struct request_record){
		.device = onboard_device(o),
		.subject = cert_subject(peer->cert),
		.idevid_sha256 = cert_sha256(peer->cert),
		.request_sha256 = o->request_sha256,
		.registrar_sha256 = cert_sha256(o->face->identity.cert),
		.at = o->now,
		.model = o->model[0] ? o->model : NULL,
		.address = o->host,
		.key_sha256 = o->key_sha256,
		.address_before = o->place.before[0] ? o->place.before : NULL,
		.moved_at = o->place.moved_at,
		.fraud = &o->fraud,
		.waits = o->known.claim == CLAIM_PENDING,
	};
}

struct journal_entry onboard_journal_entry(
	const struct onboard *o, const char *outcome, const char *reason)
{
	return (struct journal_entry){
		.at = o->now,
		.exchange = call_exchange(o->call),
		.device = onboard_device(o),
		.step = o->steps[o->step].name,
		.outcome = outcome,
		.reason = reason,
	};
}

bool onboard_is_cose(const struct onboard *o)
{
	return strcmp(o->format->media_type, VOUCHER_COSE) == 0;
}

const char *onboard_answer_type(const struct onboard *o)
{
	const char *type = voucher_format_answer_type(
		o->format, call_header(o->call, "Accept"), call_header(o->call, "Content-Type"));

	return type ? type : o->format->media_type;
}

enum step_result onboard_undecided(struct onboard *o)
{
	o->retry_after_s =
		claim_wait_s(o->setup->config.retry_after, atomic_load(&o->r->pending_claims));
	o->sentence = o->known.quarantined_at
			      ? "This device is quarantined: an administrator has to release it."
			      : "An administrator has to decide.";
	return STEP_PENDING;
}

/* ---- endorse, masa, vet ---- */

static bool presented_certs(const struct peer *peer, struct cert_list *out, struct err *e)
{
	return cert_list_add(out, peer->cert, e) && cert_list_append(out, &peer->chain, e);
}

enum step_result onboard_endorse(struct onboard *o, struct err *e)
{
	const struct peer *peer = call_peer(o->call);
	CERT_LIST_AUTO struct cert_list presented = CERT_LIST_INIT;
	const struct endorsement w = {
		.format = o->format,
		.pledge_request = &o->request.fields,
		.pledge_octets = call_body(o->call),
		.idevid = peer->cert,
		.serial = o->serial,
		.registrar = &o->face->identity,
		.presented = onboard_is_cose(o) ? &presented : NULL,
		.now = o->now,
	};

	if (!presented_certs(peer, &presented, e) || !endorse(&w, &o->registrar_request, e))
		return STEP_FAILED;
	return STEP_NEXT;
}

static int64_t clamp_retry(int64_t s)
{
	if (s < 1)
		return 1;
	return s > MASA_RETRY_AFTER_MAX_S ? MASA_RETRY_AFTER_MAX_S : s;
}

void onboard_tell_retry_after(struct call *c, int64_t seconds)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)seconds);
	call_set_header(c, "Retry-After", text);
}

/* A MASA that cannot be reached: devices come back after its pause, and not all at one moment. */
static void tell_come_back(struct onboard *o)
{
	const int64_t pause_s = (o->masa_wait_ms + 999) / 1000;

	onboard_tell_retry_after(
		o->call, clamp_retry(pause_s + 1 + (int64_t)rng_below(MASA_RETRY_SPREAD_S)));
}

/* It has several addresses, and this one did not do: the same request to another. */
static bool ask_another(struct onboard *o)
{
	struct err e = ERR_INIT;

	return masa_has_another(o->r, o->manufacturer, o->masas_tried) &&
	       onboard_ask_masa(o, &e) == STEP_WAIT;
}

/* Not a want of ours. */
static bool is_away(const struct err *failure)
{
	return failure->kind != ERR_NO_MEMORY && failure->kind != ERR_IO;
}

static void on_masa_reply(void *arg, const struct http_reply *reply, const struct err *failure)
{
	struct onboard *o = arg;
	struct err e = ERR_INIT;
	bool ok;

	meter_masa(o->r, METER_REQUESTVOUCHER, o->asked_us, reply);
	masa_watch_tell(o->r, call_loop(o->call), o->manufacturer->config->name,
		call_exchange(o->call), failure);
	if (!masa_has_answered(reply) && ask_another(o))
		return;
	if (failure && is_away(failure) && ahead_use(o)) {
		onboard_resume(o, NULL);
		return;
	}
	if (failure) {
		masa_transport_error(&o->masa, failure, &e);
		if (e.kind == ERR_RETRY_LATER)
			tell_come_back(o);
		onboard_resume(o, &e);
		return;
	}
	o->masa_status = reply->status;
	if (!reply->retry_after || !datetime_parse_retry_after(reply->retry_after, reply->date,
					   o->now, &o->masa_retry_s))
		o->masa_retry_s = o->setup->config.retry_after;
	ok = buf_append(&o->voucher, reply->body.data, reply->body.len, &e);
	if (ok && reply->status == 200 &&
		voucher_format_by_media_type(reply->content_type) != o->format &&
		!masa_media_type_is(o->manufacturer, o->format->media_type, reply->content_type)) {
		err_set(&e, ERR_PEER, "voucher of type \"%.100s\"", reply->content_type);
		masa_transport_error(&o->masa, &e, &e);
		ok = false;
	}
	onboard_resume(o, ok ? NULL : &e);
}

enum step_result onboard_ask_masa(struct onboard *o, struct err *e)
{
	char accept[ACCEPT_MAX + 1];
	struct masa_request q = {
		.setup = o->setup,
		.face = o->face,
		.manufacturer = o->manufacturer,
		.resource = "requestvoucher",
		.media_type = o->format->media_type,
		.accept = onboard_is_cose(o) ? o->format->media_type : accept,
		.exchange = call_exchange(o->call),
		.body = buf_bytes(&o->registrar_request),
		.reply_max = MASA_REPLY_MAX,
		.wait_ms = &o->masa_wait_ms,
	};

	if (!masa_address(
		    o->r, o->manufacturer, call_peer(o->call)->cert, &o->masas_tried, &o->masa, e))
		return STEP_FAILED;
	q.uri = o->masa;
	o->asked_us = clock_mono_us();
	masa_accept(call_header(o->call, "Accept"), o->format->media_type, accept);
	log_event(&o->r->log, LOG_LEVEL_INFO, "masa-asked", q.exchange, "serial", o->serial, "host",
		o->masa.host, NULL);
	if (masa_send(o->r, call_loop(o->call), &q, on_masa_reply, o, e))
		return STEP_WAIT;
	if (!o->masa_wait_ms)
		return STEP_FAILED;
	if (ahead_use(o)) {
		*e = (struct err)ERR_INIT;
		return STEP_NEXT;
	}
	tell_come_back(o);
	return STEP_FAILED;
}

enum step_result onboard_read_answer(struct onboard *o, struct err *e)
{
	if (o->masa_status == 200)
		return STEP_NEXT;
	if (o->masa_status == 202) {
		o->retry_after_s = clamp_retry(o->masa_retry_s);
		o->sentence = "The manufacturer has not decided yet.";
		return STEP_PENDING;
	}
	if (o->masa_status >= 500 && ahead_use(o))
		return STEP_NEXT;
	masa_status_error(&o->masa, o->masa_status, buf_bytes(&o->voucher), e);
	if (call_peer(o->call)->constrained)
		e->kind = masa_constrained_kind(o->masa_status, e->kind);
	if (e->kind == ERR_RETRY_LATER)
		onboard_tell_retry_after(o->call, clamp_retry(o->masa_retry_s));
	if (o->masa_status == 401)
		log_event(&o->r->log, LOG_LEVEL_ERROR, "alert-masa-wants-authentication",
			call_exchange(o->call), "manufacturer", o->manufacturer->config->name,
			"host", o->masa.host, NULL);
	return STEP_FAILED;
}

enum step_result onboard_vet(struct onboard *o, struct err *e)
{
	const struct vetting v = {
		.format = o->format,
		.masa_anchors = o->manufacturer->masa_anchors,
		.domain = &o->face->domain,
		.cache = o->r->cert_cache,
		.idevid = call_peer(o->call)->cert,
		.serial = o->serial,
		.nonce = o->request.fields.nonce,
		.now = clock_unix_s(&o->r->clock),
		.bare_keys = onboard_is_cose(o),
		.names_est = o->cloud != NULL,
	};

	if (o->ahead) /* it was looked at already */
		return STEP_NEXT;
	return vet_voucher(&v, buf_bytes(&o->voucher), e) ? STEP_NEXT : STEP_FAILED;
}

/* A pledge has its MASA's key, so that certificates outside the signature only cost air time: they
 * go, every other octet stays (row R-10). What is left is what is stored and delivered. */
static enum step_result strip_voucher(struct onboard *o, struct err *e)
{
	struct buf stripped = BUF_INIT(MASA_REPLY_MAX);

	if (!onboard_is_cose(o))
		return STEP_NEXT;
	if (!cose_strip_certs(buf_bytes(&o->voucher), &stripped, e)) {
		buf_clear(&stripped);
		return STEP_FAILED;
	}
	buf_clear(&o->voucher);
	o->voucher = stripped;
	return STEP_NEXT;
}

/* ---- history, journal, deliver ---- */

static void on_history(void *arg, const struct history_verdict *verdict, const struct err *e)
{
	struct onboard *o = arg;

	if (verdict)
		o->verdict = *verdict;
	onboard_resume(o, e);
}

/* A device that was enrolled, refused or revoked before is looked at again whenever histories are
 * looked at at all: somebody may have taken it away in between (R8995-REG-059). */
static bool history_comes_first(const struct onboard *o)
{
	if (o->setup->config.audit_check == AUDIT_OFF || o->ahead) /* nobody to ask: later */
		return false;
	return o->setup->config.audit_check == AUDIT_BEFORE_DELIVERY ||
	       o->known.state == DEVICE_ENROLLED || o->known.state == DEVICE_REFUSED ||
	       o->known.state == DEVICE_REVOKED;
}

static enum step_result ask_history(struct onboard *o, struct err *e)
{
	const struct history_question q = {
		.setup = o->setup,
		.face = o->face,
		.manufacturer = o->manufacturer,
		.masa = o->masa,
		.media_type = o->format->media_type,
		.exchange = call_exchange(o->call),
		.registrar_request = buf_bytes(&o->registrar_request),
	};

	if (!history_comes_first(o))
		return STEP_NEXT;
	return history_ask(o->r, call_loop(o->call), &q, on_history, o, e) ? STEP_WAIT
									   : STEP_FAILED;
}

/* Somebody decided about the device while the MASA was asked, or others took what the rule had
 * left: its next request is judged by what holds then. */
static void rule_was_no_more(struct onboard *o, struct err *e)
{
	struct err failure = ERR_INIT;

	e->kind = ERR_RETRY_LATER;
	err_prefix(e, "rule %lld approves no longer", (long long)o->rule->id);
	if (!registrar_load_rules(o->r, &failure))
		log_err(&o->r->log, "rules-failed", call_exchange(o->call), &failure);
}

static bool is_quarantined(const struct onboard *o)
{
	struct device_record now;
	struct err ignored = ERR_INIT;

	return records_device(o->r->store, onboard_device(o), &now, &ignored) &&
	       now.quarantined_at != 0;
}

/* An administrator may have rejected, revoked or quarantined the device while the MASA was asked.
 */
static void on_outcome(void *arg, const int64_t *changed, const struct err *e)
{
	struct onboard *o = arg;
	struct err rejected;

	if (!e || e->kind != ERR_CONFLICT) {
		onboard_resume(o, e);
		return;
	}
	o->journaled = false; /* nothing was written */
	rejected = *e;
	if (o->rule) {
		rule_was_no_more(o, &rejected);
		onboard_resume(o, &rejected);
		return;
	}
	if (is_quarantined(o)) {
		rejected.kind = ERR_RETRY_LATER;
		err_prefix(&rejected, "quarantined meanwhile");
		onboard_resume(o, &rejected);
		return;
	}
	rejected.kind = ERR_UNWANTED;
	err_prefix(&rejected, "the claim was rejected, or the device revoked, meanwhile");
	err_tell(&rejected, CLAIM_REJECTED_SENTENCE);
	onboard_resume(o, &rejected);
}

/* A claim that was open is settled with the voucher: the configuration changed meanwhile. Or it was
 * approved before the device asked, and was not counted. */
static void on_voucher_kept(void *arg, const int64_t *changed, const struct err *e)
{
	struct onboard *o = arg;

	if (changed && changed[0] == 1 && o->known.claim == CLAIM_PENDING)
		atomic_fetch_sub(&o->r->pending_claims, 1);
	if (changed && o->rule)
		atomic_fetch_sub(&o->rule->remaining, 1);
	on_outcome(arg, changed, e);
}

static enum step_result record_outcome(struct onboard *o, struct err *e)
{
	struct request_record record = onboard_record(o);
	bool refused = o->verdict.state == HISTORY_REFUSED;
	char name[32];
	struct rule_use use;
	const struct records_writer w = {
		o->r->store, call_loop(o->call), refused ? on_outcome : on_voucher_kept, o};
	const struct journal_entry entry = {
		.at = o->now,
		.exchange = call_exchange(o->call),
		.device = onboard_device(o),
		.step = refused ? "history" : "voucher",
		.outcome = refused ? "refused" : "delivered",
		.reason = o->verdict.reason[0] ? o->verdict.reason
			  : o->ahead	       ? o->ahead_note
					       : NULL,
	};
	bool later = !o->ahead && o->verdict.state == HISTORY_UNKNOWN &&
		     o->setup->config.audit_check == AUDIT_AFTER_STATUS;
	struct bytes kept = later ? buf_bytes(&o->registrar_request) : (struct bytes){0};

	if (o->rule) {
		snprintf(name, sizeof(name), "rule %lld", (long long)o->rule->id);
		use = (struct rule_use){o->rule->id, o->rule->text.limited, name,
			o->rule->text.reason, o->rule->text.site, o->rule->text.labels};
		record.rule = &use;
	}
	record.ahead = o->ahead;
	record.rejoined = claim_has_ended(&o->known, o->now);
	o->journaled = true;
	history_alarm(o->r, entry.exchange, entry.device, &o->verdict);
	if (o->verdict.foreign_since)
		fraud_add(&o->fraud, &o->known, FRAUD_FOREIGN_DOMAIN, "%.*s", FRAUD_REASON_MAX,
			o->verdict.reason);
	if (!refused && suspect_quarantine(o))
		return claim_hold_back(o, e);
	fraud_tell(o->r, entry.exchange, entry.device, &o->fraud);
	if (refused)
		return records_judge_history(&w, &record, HISTORY_REFUSED, &entry, e) ? STEP_WAIT
										      : STEP_FAILED;
	return records_keep_voucher(&w, &record, buf_bytes(&o->voucher), o->format->media_type,
		       kept, o->verdict.state, &entry, e)
		       ? STEP_WAIT
		       : STEP_FAILED;
}

static enum step_result deliver(struct onboard *o, struct err *e)
{
	if (o->held)
		return onboard_undecided(o);
	if (o->verdict.state == HISTORY_REFUSED) {
		err_set(e, ERR_HISTORY, "history of \"%s\": %s", o->serial, o->verdict.reason);
		return STEP_FAILED;
	}
	log_event(&o->r->log, LOG_LEVEL_INFO, "voucher-delivered", call_exchange(o->call),
		"manufacturer", o->manufacturer->config->name, "serial", o->serial, NULL);
	call_reply(o->call, 200, onboard_answer_type(o), buf_bytes(&o->voucher));
	return STEP_DONE;
}

/* ---- The sequence ---- */

static void onboard_free(struct onboard *o)
{
	registrar_setup_free(o->setup);
	registrar_face_free(o->face);
	rule_set_free(o->rules);
	free(o->serial);
	cloud_free(o->cloud);
	signed_voucher_clear(&o->request);
	buf_clear(&o->registrar_request);
	buf_clear(&o->voucher);
	registrar_work_end(o->r);
	free(o);
}

static void on_journaled(void *arg, const int64_t *changed, const struct err *e)
{
	struct registrar *r = arg;

	if (e)
		log_err(&r->log, "journal-failed", NULL, e);
}

/* Strangers leave a line in the log only: they must not push devices out of the journal. */
static void journal_failure(struct onboard *o, const struct err *e)
{
	const struct records_writer w = {o->r->store, call_loop(o->call), on_journaled, o->r};
	const struct journal_entry entry =
		onboard_journal_entry(o, err_kind_name(e->kind), e->text);
	/* that its MASA is left alone: the line of the MASA says the rest */
	const int64_t lines_max = o->masa_wait_ms ? DEVICE_AWAY_LINES_MAX : DEVICE_LINES_MAX;
	struct err failure = ERR_INIT;

	if (o->serial && !o->journaled && !records_failure(&w, &entry, lines_max, &failure))
		log_err(&o->r->log, "journal-failed", entry.exchange, &failure);
}

static void onboard_end(struct onboard *o, enum step_result result, struct err *e)
{
	enum meter_end end = o->cloud && o->cloud->unclaimed ? METER_PENDING : METER_DELIVERED;

	admit_release(o);
	if (result == STEP_FAILED) {
		end = meter_error(o->r, METER_VOUCHER, e->kind);
		if (o->serial)
			err_prefix(e, "%s: %s", o->serial, o->steps[o->step].name);
		journal_failure(o, e);
		call_reply_err(o->call, &o->r->log, "voucher-request-failed", e);
	} else if (result == STEP_PENDING) {
		end = METER_PENDING;
		call_reply_pending(o->call, o->retry_after_s, o->sentence);
	}
	meter_voucher(o->r, o->constrained, o->began_us, end);
	onboard_free(o);
}

static void onboard_run(struct onboard *o)
{
	struct err e = ERR_INIT;
	enum step_result result = STEP_DONE;

	for (; o->step < o->step_count; o->step++) {
		result = o->steps[o->step].run(o, &e);
		if (result == STEP_WAIT)
			return; /* o may be gone already */
		if (result != STEP_NEXT)
			break;
	}
	onboard_end(o, result, &e);
}

void onboard_resume(struct onboard *o, const struct err *e)
{
	struct err failure;

	if (e) {
		failure = *e;
		onboard_end(o, STEP_FAILED, &failure);
		return;
	}
	o->step++;
	onboard_run(o);
}

void onboard_start(
	struct call *c, struct registrar *r, const struct onboard_step *sequence, size_t count)
{
	struct err e = ERR_INIT;
	struct onboard *o = mem_new(sizeof(*o), &e);

	if (!o) {
		call_reply_err(c, &r->log, "voucher-request-failed", &e);
		return;
	}
	o->r = r;
	o->steps = sequence;
	o->step_count = count;
	registrar_work_begin(r);
	o->setup = registrar_setup_take(r);
	o->face = registrar_face_ref(registrar_face_shown(o->setup, call_peer(c)));
	o->call = c;
	o->constrained = call_peer(c)->constrained;
	o->began_us = clock_mono_us();
	o->now = registrar_now(r);
	signed_voucher_init(&o->request);
	buf_init(&o->registrar_request, CMS_DER_MAX);
	buf_init(&o->voucher, MASA_REPLY_MAX);
	onboard_run(o);
}

void onboard_handle(struct call *c, void *app)
{
	onboard_start(c, app, steps, STEP_COUNT);
}
