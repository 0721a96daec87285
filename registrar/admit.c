/* SPDX-License-Identifier: Apache-2.0 */
/* The first steps of an onboarding: who asks, was it asked before, and is the request what a pledge
 * of this manufacturer may send over this very connection (RFC 8995 §5.2, §5.6). */
#include <string.h>

#include "registrar/claim.h"
#include "registrar/fellows.h"
#include "registrar/identify.h"
#include "registrar/meters.h"
#include "registrar/onboard.h"
#include "registrar/records/members.h"
#include "registrar/strangers.h"

/* RFC 8995 §5.3, §5.6: the type of the request decides the container, Accept that of the answer. */
enum step_result admit_media(struct onboard *o, struct err *e)
{
	const char *type = call_header(o->call, "Content-Type");

	o->format = type ? voucher_format_by_media_type(type) : NULL;
	if (!o->format) {
		err_set(e, ERR_UNSUPPORTED_TYPE, "voucher-request of type \"%.100s\"",
			type ? type : "");
		return STEP_FAILED;
	}
	/* the voucher is in the format of the request, always */
	if (!voucher_format_answer_type(o->format, call_header(o->call, "Accept"), type)) {
		err_set(e, ERR_NOT_ACCEPTABLE, "Accept \"%.200s\" cannot be served",
			call_header(o->call, "Accept"));
		return STEP_FAILED;
	}
	return STEP_NEXT;
}

enum step_result admit_device(struct onboard *o, struct err *e)
{
	o->manufacturer = identify_idevid(o->setup, call_peer(o->call), o->now, &o->serial, e);
	if (!o->manufacturer) {
		if (e->kind == ERR_REFUSED)
			strangers_note(o->r->strangers, call_peer(o->call), o->now);
		return STEP_FAILED;
	}
	call_sender_is_known(o->call);
	describe_model(cert_subject_der(call_peer(o->call)->cert), o->model);
	describe_host(call_peer(o->call)->address, o->host);
	return STEP_NEXT;
}

static enum step_result pending(struct onboard *o, int64_t retry_after_s, const char *sentence)
{
	o->retry_after_s = retry_after_s;
	o->sentence = sentence;
	return STEP_PENDING;
}

enum step_result admit_reserve(struct onboard *o, struct err *e)
{
	memcpy(o->idevid_sha256, cert_sha256(call_peer(o->call)->cert), SHA256_LEN);
	switch (outstanding_take(o->r->outstanding, o->idevid_sha256)) {
	case OUTSTANDING_TAKEN:
		o->reserved = true;
		return STEP_NEXT;
	case OUTSTANDING_BUSY:
		return pending(o, 1, "Your request is being worked on.");
	case OUTSTANDING_FULL:
		break;
	}
	meter_limit(o->r, METER_LIMIT_VOUCHER_REQUESTS);
	err_set(e, ERR_RETRY_LATER, "%d voucher-requests are under way", OUTSTANDING_MAX);
	return STEP_FAILED;
}

/* ---- Among several registrars ---- */

static void on_reserved(void *arg, const int64_t *changed, const struct err *e)
{
	struct onboard *o = arg;

	o->elsewhere = e && e->kind == ERR_CONFLICT;
	o->reserved_stored = !e;
	onboard_resume(o, o->elsewhere ? NULL : e);
}

/* Two registrars may be asked at once, by a device that tries both or through a balancer. The store
 * says who is at it: for as long as the MASA may take for voucher and history, if it is not told
 * before that it is over. Alone, the table in memory is enough. */
enum step_result admit_reserve_stored(struct onboard *o, struct err *e)
{
	const struct records_writer w = {o->r->store, call_loop(o->call), on_reserved, o};
	const char *own = fellows_id(o->r);

	if (!own)
		return STEP_NEXT;
	return records_reserve(&w, o->idevid_sha256, own, o->now,
		       o->now + 2 * o->setup->config.masa_timeout + RESERVED_MORE_S, e)
		       ? STEP_WAIT
		       : STEP_FAILED;
}

enum step_result admit_recall_again(struct onboard *o, struct err *e)
{
	if (o->elsewhere)
		return pending(o, 1, "Your request is being worked on.");
	return o->reserved_stored ? admit_recall(o, e) : STEP_NEXT;
}

static void on_released(void *arg, const int64_t *changed, const struct err *e)
{
	struct registrar *r = arg;

	if (e)
		log_err(&r->log, "reservation-not-freed", NULL, e);
	registrar_work_end(r);
}

/* The call may have been answered, and be gone. */
void admit_release(struct onboard *o)
{
	struct registrar *r = o->r;
	const struct records_writer w = {r->store, r->workers[0].loop, on_released, r};
	struct err e = ERR_INIT;

	if (o->reserved)
		outstanding_release(r->outstanding, o->idevid_sha256);
	if (!o->reserved_stored)
		return;
	registrar_work_begin(r);
	if (!records_unreserve(&w, o->idevid_sha256, fellows_id(r), &e))
		on_released(r, NULL, &e);
}

/* ---- The same request again ---- */

static void on_touched(void *arg, const int64_t *changed, const struct err *e)
{
	struct registrar *r = arg;

	if (e)
		log_err(&r->log, "claim-touch-failed", NULL, e);
}

static void touch_claim(struct onboard *o)
{
	const struct records_writer w = {o->r->store, call_loop(o->call), on_touched, o->r};
	struct err e = ERR_INIT;

	if (o->now - o->known.last_seen >= CLAIM_TOUCH_S &&
		!records_touch(&w, onboard_device(o), o->now, &e))
		log_err(&o->r->log, "claim-touch-failed", call_exchange(o->call), &e);
}

static bool same_request(const struct onboard *o)
{
	const struct request_record now = onboard_record(o);

	return o->known.found &&
	       memcmp(o->known.request_sha256, now.request_sha256, SHA256_LEN) == 0 &&
	       memcmp(o->known.idevid_sha256, now.idevid_sha256, SHA256_LEN) == 0 &&
	       memcmp(o->known.registrar_sha256, now.registrar_sha256, SHA256_LEN) == 0;
}

/* The very octets of before, from the same device to the same certificate of ours: they were
 * verified then. Pending stays pending without a signature check; a voucher that was fetched is
 * served again, never one with an older nonce (R8995-REG-016, -019). */
enum step_result admit_recall(struct onboard *o, struct err *e)
{
	if (!digest_sha256(call_body(o->call), o->request_sha256, e) ||
		!records_device(o->r->store, onboard_device(o), &o->known, e))
		return STEP_FAILED;
	if (!same_request(o) || o->known.claim == CLAIM_REJECTED ||
		o->known.state == DEVICE_REFUSED)
		return STEP_NEXT;
	if ((o->known.claim == CLAIM_PENDING || o->known.quarantined_at) &&
		claim_answer_of(o) == CLAIM_HOLD) {
		touch_claim(o);
		meter_poll(o->r);
		claim_ask(o);
		return onboard_undecided(o);
	}
	if (!o->known.voucher_type[0] ||
		voucher_format_by_media_type(o->known.voucher_type) != o->format)
		return STEP_NEXT;
	if (!records_voucher(o->r->store, onboard_device(o), &o->voucher, e))
		return STEP_FAILED;
	log_event(&o->r->log, LOG_LEVEL_INFO, "voucher-delivered-again", call_exchange(o->call),
		"serial", o->serial, NULL);
	call_reply(o->call, 200, onboard_answer_type(o), buf_bytes(&o->voucher));
	return STEP_DONE;
}

/* A request in COSE names no signer that would count: it is the client certificate's (rows O-05,
 * One in CMS carries its certificate. */
static bool open_request(struct onboard *o, struct err *e)
{
	struct cert *client[1] = {call_peer(o->call)->cert};
	const struct cert_list hint = {client, 1};

	if (!o->format->open(call_body(o->call), o->r->cert_cache,
		    onboard_is_cose(o) ? &hint : NULL, &o->request, e))
		return false;
	return o->request.fields.kind == VOUCHER_REQUEST ||
	       err_set(e, ERR_INPUT, "it is a voucher, not a voucher-request");
}

static bool check_signer(const struct onboard *o, struct err *e)
{
	return cert_same_key(o->request.signer, call_peer(o->call)->cert) ||
	       err_set(e, ERR_UNAUTHENTICATED, "signed by \"%s\", not by the TLS client",
		       cert_subject(o->request.signer));
}

static bool check_serial(const struct onboard *o, struct err *e)
{
	const char *serial = o->request.fields.serial_number;

	if (serial && strcmp(serial, o->serial) == 0)
		return true;
	err_set(e, ERR_UNAUTHENTICATED, "serial-number \"%.100s\" is not the IDevID's",
		serial ? serial : "");
	return err_tell(e, "The serial-number is not that of the certificate.");
}

/* Whichever of the three leaves are there, most specific first, have to mean us (R8995-REG-053). */
static bool check_proximity(const struct onboard *o, struct err *e)
{
	const struct voucher *f = &o->request.fields;
	const struct cert *own = o->face->identity.cert;
	const struct {
		const char *name;
		const struct buf *leaf;
		struct bytes want;
	} leaves[] = {
		{"-pubk-sha256", &f->proximity_registrar_pubk_sha256,
			bytes_of(o->face->domain.spki_sha256, SHA256_LEN)},
		{"-pubk", &f->proximity_registrar_pubk, cert_spki(own)},
		{"-cert", &f->proximity_registrar_cert, cert_der(own)},
	};
	size_t present = 0;

	if (f->assertion != ASSERTION_PROXIMITY)
		return err_set(e, ERR_PROXIMITY, "assertion is not proximity");
	for (size_t i = 0; i < sizeof(leaves) / sizeof(*leaves); i++) {
		if (leaves[i].leaf->len == 0)
			continue;
		present++;
		if (!bytes_equal(buf_bytes(leaves[i].leaf), leaves[i].want))
			return err_set(e, ERR_PROXIMITY, "proximity-registrar%s is not ours",
				leaves[i].name);
	}
	return present > 0 || err_set(e, ERR_PROXIMITY, "no proximity-registrar-cert");
}

static bool check_nonce(const struct onboard *o, struct err *e)
{
	BUF_AUTO struct buf octets = BUF_INIT(VOUCHER_NONCE_MAX);

	if (!o->request.fields.nonce)
		return err_set(e, ERR_INPUT, "no nonce") ||
		       err_tell(e, "The voucher-request has no nonce.");
	if (voucher_nonce_octets(o->request.fields.nonce, &octets, e))
		return true;
	if (e->kind == ERR_TOO_LARGE)
		e->kind = ERR_INPUT;
	return false;
}

static bool (*const request_checks[])(const struct onboard *o, struct err *e) = {
	check_signer,
	check_serial,
	check_proximity,
	check_nonce,
};

/* A device that has a certificate of ours asks to join: it was reset, or somebody has its key. */
static void notice_return(const struct onboard *o)
{
	static const uint8_t none[SHA256_LEN]; /* known, but it never asked: it is preapproved */

	if (o->known.found && memcmp(o->known.idevid_sha256, none, SHA256_LEN) != 0 &&
		memcmp(o->known.idevid_sha256, o->idevid_sha256, SHA256_LEN) != 0)
		log_event(&o->r->log, LOG_LEVEL_WARNING, "alert-second-idevid",
			call_exchange(o->call), "manufacturer", o->manufacturer->config->name,
			"serial", o->serial, NULL);
	if (o->known.state == DEVICE_ENROLLED)
		log_event(&o->r->log, LOG_LEVEL_WARNING, "alert-enrolled-device-returns",
			call_exchange(o->call), "manufacturer", o->manufacturer->config->name,
			"serial", o->serial, NULL);
	if (o->known.state == DEVICE_REVOKED)
		log_event(&o->r->log, LOG_LEVEL_WARNING, "alert-revoked-device-returns",
			call_exchange(o->call), "manufacturer", o->manufacturer->config->name,
			"serial", o->serial, NULL);
}

enum step_result admit_request(struct onboard *o, struct err *e)
{
	if (!open_request(o, e)) {
		err_prefix(e, "voucher-request");
		return STEP_FAILED;
	}
	for (size_t i = 0; i < sizeof(request_checks) / sizeof(*request_checks); i++)
		if (!request_checks[i](o, e)) {
			err_prefix(e, "voucher-request");
			return STEP_FAILED;
		}
	notice_return(o);
	return STEP_NEXT;
}
