/* SPDX-License-Identifier: Apache-2.0 */
/* The sequence of an enrolment, as a table: who asks and may it, is the CSR what was asked for, was
 * it answered before, issue, record, deliver. A certificate leaves when its record is durable.
 * The private key of /serverkeygen is in this request's memory only and is wiped with it (EK-09).
 */
#include "registrar/enroll.h"

#include <stdlib.h>
#include <string.h>

#include "common/pki/csr.h"
#include "common/wire/coap_format.h"
#include "common/wire/hex.h"
#include "registrar/enroll_answer.h"
#include "registrar/enroll_rules.h"
#include "registrar/est.h"
#include "registrar/est_body.h"
#include "registrar/fraud.h"
#include "registrar/meters.h"
#include "registrar/review.h"
#include "registrar/space.h"
#include "registrar/subject.h"

struct enroll {
	struct registrar *r;
	struct registrar_setup *setup;
	struct call *call;
	enum enroll_kind kind;
	uint32_t format; /* of the certificate, a Content-Format */
	size_t step;
	int64_t now;

	struct client client;
	struct device_record device;
	struct fraud fraud;
	struct buf csr_der;
	enum est_wrapping wrapping;
	struct csr *csr;
	uint8_t csr_sha256[SHA256_LEN];
	struct key *key; /* ENROLL_KEYGEN */
	struct buf cert_der;
	struct cert *cert; /* NULL when it was issued before */
	bool journaled;
};

enum enroll_result { ENROLL_NEXT, ENROLL_WAIT, ENROLL_DONE, ENROLL_FAILED };

static const struct {
	const char *journal;	     /* the step's name in the journal */
	const char *failed, *issued; /* events in the log */
} kinds[] = {
	[ENROLL_SIMPLE] = {"enroll", "enroll-failed", "certificate-issued"},
	[ENROLL_RENEW] = {"renew", "renew-failed", "certificate-renewed"},
	[ENROLL_KEYGEN] = {"keygen", "keygen-failed", "certificate-issued-with-key"},
};

/* ---- May it? ---- */

/* Over HTTPS there is one form of a certificate. Over CoAP it is what the client accepts, else what
 * is configured, for the documents do not agree on it (C-07, C-08, C-09). */
static enum enroll_result choose_format(struct enroll *n, struct err *e)
{
	bool pkix = n->setup->config.coaps_certificate == CERTIFICATE_PKIX;

	if (n->format != COAP_FORMAT_NONE)
		return ENROLL_NEXT;
	n->format = COAP_FORMAT_PKCS7_CERTS;
	if (call_peer(n->call)->constrained)
		n->format = est_format(n->call, pkix ? COAP_FORMAT_PKIX_CERT : n->format);
	if (n->format == COAP_FORMAT_PKCS7_CERTS || n->format == COAP_FORMAT_PKIX_CERT)
		return ENROLL_NEXT;
	err_set(e, ERR_NOT_ACCEPTABLE, "Accept \"%.100s\" for a certificate",
		call_header(n->call, "Accept"));
	return ENROLL_FAILED;
}

static enum enroll_result identify(struct enroll *n, struct err *e)
{
	const struct peer *peer = call_peer(n->call);
	const struct enroll_policy policy = {n->setup->config.renew_expired, n->now};

	if (n->kind == ENROLL_KEYGEN && !n->setup->config.server_keygen) {
		err_set(e, ERR_NOT_FOUND, "[est] server_keygen = no");
		err_tell(e, "Keys are not made here.");
		return ENROLL_FAILED;
	}
	if (!identify_client(n->r, n->setup, peer, n->now, &n->client, e))
		return ENROLL_FAILED;
	call_sender_is_known(n->call);
	if (!records_device(n->r->store, client_key(&n->client), &n->device, e) ||
		!rules_client_allowed(
			n->kind, &n->client, &n->device, cert_sha256(peer->cert), &policy, e))
		return ENROLL_FAILED;
	return ENROLL_NEXT;
}

static void enroll_resume(struct enroll *n, const struct err *e);

static void on_review(void *arg, const struct history_verdict *verdict, const struct err *e)
{
	struct enroll *n = arg;
	struct err failure = ERR_INIT;

	if (e) {
		enroll_resume(n, e);
		return;
	}
	n->device.state = verdict->state == HISTORY_REFUSED ? DEVICE_REFUSED : n->device.state;
	enroll_resume(
		n, est_device_allowed(&n->device, n->client.serial, &failure) ? NULL : &failure);
}

/* With audit check = after-status the verdict may be missing: telemetry that did not come yet, or
 * never. No certificate before it is there (RFC 8995 §5.8, §11). */
static enum enroll_result review(struct enroll *n, struct err *e)
{
	const struct review_case c = {
		.setup = n->setup,
		.manufacturer = n->client.manufacturer,
		.idevid = call_peer(n->call)->cert,
		.device = client_key(&n->client),
		.media_type = n->device.voucher_type,
		.exchange = call_exchange(n->call),
	};
	bool asked;

	if (n->client.is_ldevid || n->device.history != HISTORY_UNKNOWN ||
		n->setup->config.audit_check == AUDIT_OFF)
		return ENROLL_NEXT;
	if (!review_device(n->r, call_loop(n->call), &c, on_review, n, &asked, e))
		return ENROLL_FAILED;
	return asked ? ENROLL_WAIT : ENROLL_NEXT;
}

/* ---- Is it what was asked for? ---- */

static bool read_body(struct enroll *n, struct err *e)
{
	if (!call_peer(n->call)->constrained)
		return est_body_read(call_body(n->call), &n->csr_der, &n->wrapping, e);
	n->wrapping = EST_BINARY;
	return est_body_read_der(call_body(n->call), &n->csr_der, e);
}

static enum enroll_result read_csr(struct enroll *n, struct err *e)
{
	if (!read_body(n, e) || !(n->csr = csr_parse(buf_bytes(&n->csr_der), e)) ||
		!digest_sha256(buf_bytes(&n->csr_der), n->csr_sha256, e)) {
		if (e->kind == ERR_TOO_LARGE && n->csr_der.len < CSR_DER_MAX)
			e->kind = ERR_INPUT;
		return ENROLL_FAILED;
	}
	return ENROLL_NEXT;
}

static bool check_keygen(const struct enroll *n, struct err *e)
{
	if (!csr_asks_key_encryption(n->csr))
		return true;
	err_set(e, ERR_INPUT, "encryption of the private key asked for");
	return err_tell(e, "Private keys cannot be encrypted for you here.");
}

/* The signature of a /serverkeygen request is not looked at: its key is not the one to certify
 * (RFC 7030 §4.4.1). */
static enum enroll_result check_csr(struct enroll *n, struct err *e)
{
	const struct csrattrs *wanted = ca_csrattrs(n->setup->ca);
	const struct peer *peer = call_peer(n->call);
	bool ok;

	ok = n->kind == ENROLL_KEYGEN ? check_keygen(n, e)
				      : csr_verify(n->csr, e) && csr_satisfies(n->csr, wanted, e);
	ok = ok && rules_channel_binding(n->csr, wanted, peer, e) &&
	     (n->kind != ENROLL_RENEW || rules_same_names(n->csr, peer->cert, e));
	return ok ? ENROLL_NEXT : ENROLL_FAILED;
}

static bool find_repeat(struct enroll *n, struct err *e)
{
	return records_certificate_for(n->r->store, n->csr_sha256,
		cert_sha256(call_peer(n->call)->cert), n->now - ENROLL_REPEAT_S, &n->cert_der, e);
}

/* A client that lost the answer asks again with the same octets and gets the same certificate
 * (EE-15). A generated key cannot be given twice: it is not kept. */
static enum enroll_result recall(struct enroll *n, struct err *e)
{
	struct err none = ERR_INIT;

	if (n->kind == ENROLL_KEYGEN || find_repeat(n, &none))
		return ENROLL_NEXT;
	if (none.kind == ERR_NOT_FOUND)
		return ENROLL_NEXT;
	*e = none;
	return ENROLL_FAILED;
}

/* ---- Issue, record, deliver ---- */

static bool choose_key(struct enroll *n, struct buf *spki, struct err *e)
{
	enum key_type type = KEY_EC_P256;

	if (n->kind != ENROLL_KEYGEN) {
		struct bytes asked = csr_spki(n->csr);

		return buf_append(spki, asked.data, asked.len, e);
	}
	if (!csrattrs_key_type(ca_csrattrs(n->setup->ca), &type, e))
		return false;
	n->key = key_generate(type, e);
	return n->key && key_public_spki(n->key, spki, e);
}

static enum enroll_result issue(struct enroll *n, struct err *e)
{
	BUF_AUTO struct buf spki = BUF_INIT(CSR_DER_MAX);
	BUF_AUTO struct buf subject = BUF_INIT(SUBJECT_DER_MAX);
	bool keeps_san = n->kind == ENROLL_RENEW || rules_san_wanted(ca_csrattrs(n->setup->ca));
	struct ldevid_wish wish = {.san_der = keeps_san ? csr_san(n->csr) : (struct bytes){0}};
	struct bytes der;

	if (n->cert_der.len > 0)
		return ENROLL_NEXT;
	if (!subject_for_device(csr_subject_der(n->csr), n->client.serial, &subject, e) ||
		!choose_key(n, &spki, e))
		return ENROLL_FAILED;
	wish.spki = buf_bytes(&spki);
	wish.subject_der = buf_bytes(&subject);
	n->cert = ca_issue_ldevid(n->setup->ca, &wish, n->now, e);
	if (!n->cert)
		return ENROLL_FAILED;
	der = cert_der(n->cert);
	return buf_append(&n->cert_der, der.data, der.len, e) ? ENROLL_NEXT : ENROLL_FAILED;
}

static struct journal_entry journal_entry(
	const struct enroll *n, const char *outcome, const char *reason)
{
	return (struct journal_entry){
		.at = n->now,
		.exchange = call_exchange(n->call),
		.device = client_key(&n->client),
		.step = kinds[n->kind].journal,
		.outcome = outcome,
		.reason = reason,
	};
}

/* ---- Is it what it seems to be? ---- */

static void refusal(const struct enroll *n, struct err *e)
{
	struct device_record device = n->device;

	device.quarantined_at = fraud_quarantines(&n->fraud) ? n->now : 0;
	if (!est_device_allowed(&device, n->client.serial, e))
		return;
	err_set(e, ERR_RETRY_LATER, "%lld certificates today", (long long)n->device.certificates);
	err_tell(e, "This device has got too many certificates today.");
}

static void on_noted(void *arg, const int64_t *changed, const struct err *e)
{
	struct enroll *n = arg;
	struct err refused = ERR_INIT;

	if (!e)
		refusal(n, &refused);
	enroll_resume(n, e ? e : &refused);
}

static enum enroll_result refuse(struct enroll *n, struct err *e)
{
	const struct records_writer w = {n->r->store, call_loop(n->call), on_noted, n};
	const struct journal_entry about = journal_entry(n, NULL, NULL);

	n->journaled = true; /* by what was found, once */
	if (n->fraud.found == 0) {
		refusal(n, e);
		return ENROLL_FAILED;
	}
	fraud_tell(n->r, about.exchange, about.device, &n->fraud);
	return records_fraud(&w, &n->fraud, &about, e) ? ENROLL_WAIT : ENROLL_FAILED;
}

/* An answer that is repeated is none too many. */
static enum enroll_result suspect(struct enroll *n, struct err *e)
{
	const struct registrar_config *c = &n->setup->config;

	if (n->cert_der.len > 0)
		return ENROLL_NEXT;
	if (!space_left(n->r, n->setup, n->call, e)) {
		n->journaled = true; /* once, and not for each who asks */
		return ENROLL_FAILED;
	}
	n->fraud.quarantine_on = c->quarantine_on;
	if (n->client.is_ldevid)
		fraud_judge_renewal(&n->fraud, &n->device, n->client.issued_at);
	if (fraud_judge_certificates(&n->fraud, &n->device, c->renewals_per_day, n->now))
		return fraud_quarantines(&n->fraud) ? refuse(n, e) : ENROLL_NEXT;
	meter_limit(n->r, METER_LIMIT_CERTIFICATES);
	call_set_header(n->call, "Retry-After", LOOPING_EST_AFTER);
	return refuse(n, e);
}

/* ---- Record, deliver ---- */

/* The same request was answered on another loop a moment ago, or the device was refused. */
static void on_conflict(struct enroll *n, const struct err *e)
{
	struct err refused = *e, none = ERR_INIT;

	buf_clear(&n->cert_der);
	cert_unref(&n->cert);
	if (n->kind != ENROLL_KEYGEN && find_repeat(n, &none)) {
		enroll_resume(n, NULL);
		return;
	}
	if (none.kind != ERR_NONE && none.kind != ERR_NOT_FOUND) {
		enroll_resume(n, &none);
		return;
	}
	refused.kind = ERR_REFUSED;
	err_prefix(&refused, "no longer allowed");
	enroll_resume(n, &refused);
}

static void on_recorded(void *arg, const int64_t *changed, const struct err *e)
{
	struct enroll *n = arg;

	if (e && e->kind == ERR_CONFLICT)
		on_conflict(n, e);
	else
		enroll_resume(n, e);
}

static void serial_text(const struct cert *c, char out[2 * CERT_SERIAL_MAX + 1])
{
	struct bytes serial = cert_serial(c);

	if (serial.len > CERT_SERIAL_MAX)
		serial.len = CERT_SERIAL_MAX;
	hex_encode(serial, out);
}

static enum enroll_result record(struct enroll *n, struct err *e)
{
	char serial[2 * CERT_SERIAL_MAX + 1];
	const struct records_writer w = {n->r->store, call_loop(n->call), on_recorded, n};
	struct journal_entry entry;
	struct issued_record issued;

	if (!n->cert)
		return ENROLL_NEXT;
	serial_text(n->cert, serial);
	entry = journal_entry(n, "certificate", serial);
	issued = (struct issued_record){
		.device = client_key(&n->client),
		.sha256 = cert_sha256(n->cert),
		.serial_hex = serial,
		.der = cert_der(n->cert),
		.subject = cert_subject(n->cert),
		.at = n->now,
		.not_after = cert_not_after(n->cert),
		.repeat_since = n->now - ENROLL_REPEAT_S,
		.csr_sha256 = n->kind == ENROLL_KEYGEN ? cert_sha256(n->cert) : n->csr_sha256,
		.client_sha256 = cert_sha256(call_peer(n->call)->cert),
		.renewal = n->kind == ENROLL_RENEW,
		.keep = n->setup->config.certificates_kept,
		.fraud = &n->fraud,
	};
	fraud_tell(n->r, entry.exchange, entry.device, &n->fraud);
	n->journaled = true;
	return records_issue(&w, &issued, &entry, e) ? ENROLL_WAIT : ENROLL_FAILED;
}

static void log_issued(const struct enroll *n)
{
	char serial[2 * CERT_SERIAL_MAX + 1];

	if (!n->cert)
		return; /* it was logged when it was issued */
	serial_text(n->cert, serial);
	log_event(&n->r->log, LOG_LEVEL_INFO, kinds[n->kind].issued, call_exchange(n->call),
		"manufacturer", n->client.manufacturer_name, "serial", n->client.serial, "subject",
		cert_subject(n->cert), "certificate", serial, NULL);
}

static enum enroll_result deliver(struct enroll *n, struct err *e)
{
	BUF_AUTO_WIPE struct buf out = BUF_INIT(ENROLL_ANSWER_MAX);
	CERT_AUTO struct cert *cert = NULL;
	struct enroll_answer answer = {.key = n->key, .wrapping = n->wrapping, .format = n->format};
	char type[ENROLL_ANSWER_TYPE_MAX];

	log_issued(n);
	cert = n->cert ? cert_ref(n->cert)
		       : cert_cache_get(n->r->cert_cache, buf_bytes(&n->cert_der), e);
	answer.cert = cert;
	if (!cert || !enroll_answer_write(&answer, &out, type, e))
		return ENROLL_FAILED;
	if (!answer.key)
		est_name_encoding(
			n->call, n->setup); /* a key's answer has parts, which name theirs */
	call_reply(n->call, 200, type, buf_bytes(&out));
	return ENROLL_DONE;
}

/* ---- The sequence ---- */

static enum enroll_result (*const steps[])(struct enroll *n, struct err *e) = {
	choose_format, /* 406 */
	identify,      /* 403 */
	review,	       /* the device's history, when nobody asked for it yet: 403 */
	read_csr,      /* 400 */
	check_csr,     /* 400, 403 */
	recall,	       /* answered before? */
	suspect,       /* is it what it seems to be, and does it ask too often? 403, 503 */
	issue,	       /* 400, 403 */
	record,
	deliver,
};

#define STEP_COUNT (sizeof(steps) / sizeof(*steps))

static void on_journaled(void *arg, const int64_t *changed, const struct err *e)
{
	struct registrar *r = arg;

	if (e)
		log_err(&r->log, "journal-failed", NULL, e);
}

static void journal_failure(struct enroll *n, const struct err *e)
{
	const struct records_writer w = {n->r->store, call_loop(n->call), on_journaled, n->r};
	const struct journal_entry entry = journal_entry(n, err_kind_name(e->kind), e->text);
	struct err failure = ERR_INIT;

	if (n->client.serial && n->device.found && !n->journaled &&
		!records_failure(&w, &entry, DEVICE_LINES_MAX, &failure))
		log_err(&n->r->log, "journal-failed", entry.exchange, &failure);
}

static void enroll_free(struct enroll *n)
{
	registrar_setup_free(n->setup);
	client_clear(&n->client);
	csr_free(n->csr);
	buf_clear(&n->csr_der);
	key_free(n->key);
	cert_free(n->cert);
	buf_clear(&n->cert_der);
	registrar_work_end(n->r);
	free(n);
}

static void enroll_fail(struct enroll *n, const struct err *e)
{
	journal_failure(n, e);
	meter_enroll(n->r, n->kind, meter_error(n->r, METER_ENROLL, e->kind));
	call_reply_err(n->call, &n->r->log, kinds[n->kind].failed, e);
	enroll_free(n);
}

static void enroll_run(struct enroll *n)
{
	enum enroll_result result = ENROLL_DONE;
	struct err e = ERR_INIT;

	for (; n->step < STEP_COUNT; n->step++) {
		result = steps[n->step](n, &e);
		if (result == ENROLL_WAIT)
			return; /* n may be gone already */
		if (result != ENROLL_NEXT)
			break;
	}
	if (result == ENROLL_FAILED) {
		if (n->client.serial)
			err_prefix(&e, "%s", n->client.serial);
		enroll_fail(n, &e);
		return;
	}
	meter_enroll(n->r, n->kind, METER_DELIVERED);
	enroll_free(n);
}

static void enroll_resume(struct enroll *n, const struct err *e)
{
	if (e) {
		enroll_fail(n, e);
		return;
	}
	n->step++;
	enroll_run(n);
}

/* format: of the certificate; COAP_FORMAT_NONE: as the client wants it */
static void enroll_start(
	struct call *c, struct registrar *r, enum enroll_kind kind, uint32_t format)
{
	struct err e = ERR_INIT;
	struct enroll *n = mem_new(sizeof(*n), &e);

	if (!n) {
		call_reply_err(c, &r->log, kinds[kind].failed, &e);
		return;
	}
	n->r = r;
	registrar_work_begin(r);
	n->setup = registrar_setup_take(r);
	n->call = c;
	n->kind = kind;
	n->format = format;
	n->now = registrar_now(r);
	buf_init(&n->csr_der, CSR_DER_MAX);
	buf_init(&n->cert_der, CERT_DER_MAX);
	enroll_run(n);
}

void enroll_simple(struct call *c, void *registrar)
{
	enroll_start(c, registrar, ENROLL_SIMPLE, COAP_FORMAT_NONE);
}

void enroll_renew(struct call *c, void *registrar)
{
	enroll_start(c, registrar, ENROLL_RENEW, COAP_FORMAT_NONE);
}

void enroll_keygen(struct call *c, void *registrar)
{
	enroll_start(c, registrar, ENROLL_KEYGEN, COAP_FORMAT_PKCS7_CERTS);
}

void enroll_keygen_pkix(struct call *c, void *registrar)
{
	enroll_start(c, registrar, ENROLL_KEYGEN, COAP_FORMAT_PKIX_CERT);
}
