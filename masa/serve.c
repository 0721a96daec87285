/* SPDX-License-Identifier: Apache-2.0 */
/* From a registrar's request to its answer (RFC 8995 §5.5, §5.6, §5.8): two tables of steps, run
 * one after the other. A step reads what earlier steps found and fills in its own part; none calls
 * the next. Waiting for the disk is an outcome of a step: the request is picked up where it stands
 * when the store has answered. The audit entry is durable before the voucher is even signed. */
#include "masa/serve.h"

#include <stdlib.h>
#include <string.h>

#include "common/pki/cms.h"
#include "common/wire/media_type.h"
#include "masa/limits.h"
#include "masa/lookup.h"
#include "masa/meters.h"

#define DOMAIN_ID_TEXT_MAX 128 /* base64 of a domainID */
#define AUDIT_LOG_TYPE	   "application/json"

enum outcome { NEXT, WAIT, FAILED };

struct request {
	struct masa *m;
	struct masa_setup *setup;
	struct authenticator by; /* of the setup */
	struct call *call;
	const struct sequence *sequence;
	size_t at; /* the step to run next */
	int64_t now, began_us;
	const struct voucher_format *asked;  /* what came */
	const struct voucher_format *wanted; /* what goes back */
	uint8_t digest[SHA256_LEN];	     /* of the request's octets */
	struct authentic authentic;
	int64_t fetch_until_ms; /* no revocation list is fetched later; 0: none was so far */
	unsigned fetches;
	bool known;	/* this very request was honoured before: nothing to decide or to record */
	int64_t device; /* its row; of requests that are not known */
	struct device_list devices;
	struct permit permit;
	struct voucher voucher;
	struct buf content;   /* the voucher's JSON, as recorded */
	struct buf domain_id; /* of the pinned certificate */
	uint8_t domain_key[SHA256_LEN];
	bool recorded; /* the event is ours; else an identical request was faster */
	struct err store_error;
	struct audit_log log;
	struct buf answer;
	const char *answer_type;
};

struct step {
	const char *what; /* in front of the reason in the log */
	enum outcome (*run)(struct request *r, struct err *e);
	bool first_time_only; /* left out when the request is known */
};

struct sequence {
	const char *refused; /* the log's event when a step fails */
	enum masa_meter_request what;
	const struct step *steps;
	size_t count;
};

static enum outcome outcome_of(bool ok)
{
	return ok ? NEXT : FAILED;
}

/* ---- steps of both sequences ---- */

static void run(struct request *r);

static void on_fetched(void *arg)
{
	run(arg);
}

static enum outcome read_content_type(struct request *r, struct err *e)
{
	const char *type = call_header(r->call, "Content-Type");

	r->asked = voucher_format_by_media_type(type);
	if (r->asked)
		return NEXT;
	err_set(e, ERR_UNSUPPORTED_TYPE, "Content-Type %s", type ? type : "missing");
	return FAILED;
}

static enum outcome take_digest(struct request *r, struct err *e)
{
	return outcome_of(digest_sha256(call_body(r->call), r->digest, e));
}

static enum outcome authenticate_the_registrar(struct request *r, struct err *e)
{
	bool (*authenticate)(const struct authenticator *by, const struct voucher_format *format,
		struct bytes octets, int64_t now, struct authentic *a, struct err *e) =
		r->known ? authenticate_registrar_again : authenticate_registrar;

	return outcome_of(
		authenticate(&r->by, r->asked, call_body(r->call), r->now, &r->authentic, e));
}

/* R8995-MASA-038. After the signature: nobody can use up another registrar's allowance. */
static enum outcome count_the_registrar(struct request *r, struct err *e)
{
	uint8_t who[SHA256_LEN];

	if (!digest_sha256(cert_spki(r->authentic.rvr.signer), who, e))
		return FAILED;
	if (rate_take(r->m->rate, who, clock_mono_ms(), e))
		return NEXT;
	if (e->kind == ERR_RETRY_LATER)
		masa_meter_limit(r->m, MASA_METER_LIMIT_REGISTRAR);
	return FAILED;
}

/* What is not known yet is fetched, and this step runs once more: it finds the list then, or that
 * it is not to be had. */
static enum outcome fetch_and_look_again(
	struct request *r, const struct revocation_gap *gap, struct err *e)
{
	if (r->fetches++ == 0)
		r->fetch_until_ms = clock_mono_ms() + MASA_LIST_WAIT_MS;
	r->at--;
	return revocation_fetch(r->m->revocation, call_loop(r->call), gap, r->now, on_fetched, r, e)
		       ? WAIT
		       : FAILED;
}

static bool may_fetch(const struct request *r)
{
	return r->fetches == 0 ||
	       (r->fetches < MASA_LIST_FETCHES_PER_REQUEST && clock_mono_ms() < r->fetch_until_ms);
}

static enum outcome look_for_revocation(
	struct request *r, const struct cert_list *path, struct err *e)
{
	struct revocation_rules rules = masa_revocation_rules(r->setup);
	struct revocation_gap gap;

	switch (revocation_look(r->m->revocation, &rules, path, r->now, call_exchange(r->call),
		may_fetch(r) ? &gap : NULL, e)) {
	case REVOCATION_CLEAR:
		return NEXT;
	case REVOCATION_UNKNOWN:
		return fetch_and_look_again(r, &gap, e);
	case REVOCATION_REFUSED:
		return FAILED;
	}
	return FAILED;
}

/* R8995-MASA-007. Not before the registrar's allowance is counted: a fetch is work. */
static enum outcome check_domain_revocation(struct request *r, struct err *e)
{
	return look_for_revocation(r, &r->authentic.domain, e);
}

static enum outcome authenticate_the_pledge(struct request *r, struct err *e)
{
	return outcome_of(authenticate_pledge(&r->by, r->asked, r->now, &r->authentic, e));
}

/* R8995-MASA-011. */
static enum outcome look_up_device(struct request *r, struct err *e)
{
	return outcome_of(records_devices_find(
		r->m->store, r->authentic.rvr.fields.serial_number, &r->devices, e));
}

/* ---- steps of requestvoucher ---- */

static enum outcome choose_format(struct request *r, struct err *e)
{
	const char *accept = call_header(r->call, "Accept");

	r->wanted = voucher_format_by_accept(accept, r->asked);
	if (r->wanted)
		r->answer_type = voucher_format_answer_type(
			r->wanted, accept, call_header(r->call, "Content-Type"));
	if (r->wanted && r->answer_type)
		return NEXT;
	err_set(e, ERR_NOT_ACCEPTABLE, "Accept %s", accept ? accept : "missing");
	return FAILED;
}

/* What an earlier request was given, while it is good: the same content, no second event. */
static bool recall(struct request *r, const struct issued *earlier, struct err *e)
{
	r->known = earlier->found;
	if (!earlier->found)
		return true;
	voucher_clear(&r->voucher);
	return voucher_parse_json(bytes_of_str(earlier->content), &r->voucher, e) ||
	       err_set(e, ERR_STORE, "recorded voucher is not readable");
}

static enum outcome recall_voucher(struct request *r, struct err *e)
{
	ISSUED_AUTO struct issued earlier;

	return outcome_of(records_issued_find(r->m->store, r->digest, r->now, &earlier, e) &&
			  recall(r, &earlier, e));
}

static enum outcome ask_policy(struct request *r, struct err *e)
{
	struct owner_policy policy = masa_owner_policy(r->setup);
	const struct signed_voucher *rvr = &r->authentic.rvr;
	bool cloud = lookup_is_cloud(r->setup, rvr->signer, &rvr->certs, r->now);

	if (cloud && !owner_permit_cloud(r->m->store, &r->authentic, &r->devices, &r->permit, e))
		return FAILED;
	if (!cloud && !owner_permit(r->m->owners, &policy, &r->authentic, &r->devices, r->now,
			      &r->permit, e))
		return FAILED;
	r->device = r->permit.device->id;
	return NEXT;
}

/* The owner's anchor may be above the topmost certificate that came along. */
static enum outcome check_owner_revocation(struct request *r, struct err *e)
{
	if (!r->permit.owner_verified)
		return NEXT;
	if (!crl_set_check(r->by.crls, &r->permit.path, e))
		return FAILED;
	return look_for_revocation(r, &r->permit.path, e);
}

static enum outcome decide_content(struct request *r, struct err *e)
{
	struct issue_policy policy = masa_issue_policy(r->setup);
	struct signers by = masa_signers(r->setup);
	const struct cert *pinned;

	return outcome_of(
		issue_decide(&policy, &r->authentic, &r->permit, r->now, &r->voucher, &pinned, e) &&
		issue_signer_valid(&by, &r->voucher, r->now, e) &&
		issue_signer_fits(&by, r->wanted, &r->voucher, e) &&
		voucher_format_json(&r->voucher, &r->content, e) &&
		domain_id_text(pinned, &r->domain_id, e) && domain_key(pinned, r->domain_key, e));
}

static void on_recorded(void *arg, const int64_t *changed, const struct err *e)
{
	struct request *r = arg;

	if (e)
		r->store_error = *e;
	else
		r->recorded = changed[EVENT_OPS - 1] > 0;
	run(r);
}

/* R8995-MASA-028. */
static enum outcome record_event(struct request *r, struct err *e)
{
	struct store_op ops[EVENT_OPS];
	struct event ev = {
		.device = r->device,
		.date = r->now,
		.domain_id = buf_str(&r->domain_id),
		.domain_key = r->domain_key,
		.nonce = r->voucher.nonce,
		.assertion = r->voucher.assertion,
		.digest = r->digest,
		.expires_on = r->voucher.has_expires_on ? r->voucher.expires_on : 0,
		.content = buf_str(&r->content),
		.registrar = cert_subject(r->authentic.rvr.signer),
	};

	records_event_write(&ev, ops);
	return store_write(r->m->store, ops, EVENT_OPS, call_loop(r->call), on_recorded, r, e)
		       ? WAIT
		       : FAILED;
}

/* The registrar asks again for the same request of the pledge, because it lost our answer, or in
 * two requests at the same moment: it gets what is recorded. */
static enum outcome check_recorded(struct request *r, struct err *e)
{
	ISSUED_AUTO struct issued earlier = {.found = false};

	if (r->store_error.kind != ERR_NONE) {
		*e = r->store_error;
		return FAILED;
	}
	if (r->recorded)
		return NEXT;
	if (!records_issued_find(r->m->store, r->digest, r->now, &earlier, e) ||
		(!earlier.found && r->voucher.nonce &&
			!records_issued_for_nonce(r->m->store, r->device, r->domain_key,
				r->voucher.nonce, r->now, &earlier, e)) ||
		!recall(r, &earlier, e))
		return FAILED;
	if (r->known)
		return NEXT;
	err_set(e, ERR_RETRY_LATER, "an identical request was recorded and is gone again");
	return FAILED;
}

static enum outcome sign_voucher(struct request *r, struct err *e)
{
	struct signers by = masa_signers(r->setup);

	return outcome_of(issue_sign(&by, r->wanted, &r->voucher, r->now, &r->answer, e));
}

/* Who presented itself in TLS: not asked for, but worth knowing (R8995-MASA-003). */
static const char *tls_client(const struct request *r)
{
	const struct peer *p = call_peer(r->call);

	return p->cert ? cert_subject(p->cert) : NULL;
}

static enum outcome log_issued(struct request *r, struct err *e)
{
	call_sender_is_known(r->call);
	const struct voucher *v = &r->voucher;

	log_event(r->m->log, LOG_LEVEL_INFO, "voucher-issued", call_exchange(r->call), "serial",
		v->serial_number, "assertion", voucher_assertion_name(v->assertion), "nonced",
		v->nonce ? "yes" : "no", "repeated", r->known ? "yes" : "no", "registrar",
		cert_subject(r->authentic.rvr.signer), "peer", call_peer(r->call)->address,
		"client", tls_client(r), NULL);
	return NEXT;
}

/* ---- steps of requestauditlog ---- */

static enum outcome accept_json(struct request *r, struct err *e)
{
	static const char *const offered[] = {AUDIT_LOG_TYPE};
	const char *accept = call_header(r->call, "Accept");

	if (media_type_negotiate(accept, offered, 1) == 0)
		return NEXT;
	err_set(e, ERR_NOT_ACCEPTABLE, "Accept %s", accept ? accept : "missing");
	return FAILED;
}

/* RFC 8995 §5.8 lets the MASA tie this request to one it has verified already: with the very octets
 * of a request that was honoured comes the certainty that they were signed. */
static enum outcome recall_request(struct request *r, struct err *e)
{
	return outcome_of(records_audit_log_for(r->m->store, r->digest,
		r->setup->config->audit_full_events, &r->known, &r->log, e));
}

static bool any_was_owner(
	struct request *r, const struct cert_list *chain, bool *was, struct err *e)
{
	uint8_t key[SHA256_LEN];

	*was = false;
	for (size_t i = 0; i < chain->count && !*was; i++)
		if (!domain_key(chain->items[i], key, e) ||
			!records_was_owner(r->m->store, r->device, key, was, e))
			return false;
	return true;
}

/* The chain as shown, and as far as it leads to what the device's owner configured: a voucher may
 * have pinned a root the registrar does not send. */
static bool was_owner(struct request *r, const struct device *d, bool *was, struct err *e)
{
	CERT_LIST_AUTO struct cert_list path = CERT_LIST_INIT;
	const struct authentic *a = &r->authentic;
	struct err why = ERR_INIT;

	if (!any_was_owner(r, &a->domain, was, e))
		return false;
	if (*was || !d->owner)
		return true;
	if (owners_verify(
		    r->m->owners, d->owner, a->rvr.signer, &a->rvr.certs, r->now, &path, &why))
		return any_was_owner(r, &path, was, e);
	if (why.kind == ERR_NO_MEMORY)
		*e = why;
	return why.kind != ERR_NO_MEMORY;
}

/* R8995-MASA-029: owners and former owners only; others learn nothing, not even whether it exists.
 */
static enum outcome find_log(struct request *r, struct err *e)
{
	const struct device *d = owner_find_device(&r->devices, &r->authentic);
	bool was = false;

	if (d) {
		r->device = d->id;
		if (!was_owner(r, d, &was, e))
			return FAILED;
	}
	if (was)
		return NEXT;
	err_set(e, ERR_UNKNOWN_DEVICE, d ? "the registrar never owned %s" : "no device %s",
		r->authentic.rvr.fields.serial_number);
	err_tell(e, "There is no audit log of this device for this registrar.");
	return FAILED;
}

static enum outcome read_log(struct request *r, struct err *e)
{
	return outcome_of(records_audit_log(
		r->m->store, r->device, r->setup->config->audit_full_events, &r->log, e));
}

static enum outcome format_log(struct request *r, struct err *e)
{
	r->answer_type = AUDIT_LOG_TYPE;
	return outcome_of(audit_log_format(&r->log, &r->answer, e));
}

static enum outcome log_audit(struct request *r, struct err *e)
{
	call_sender_is_known(r->call);
	log_event(r->m->log, LOG_LEVEL_INFO, "audit-log-given", call_exchange(r->call), "serial",
		r->authentic.rvr.fields.serial_number, "registrar",
		cert_subject(r->authentic.rvr.signer), "peer", call_peer(r->call)->address,
		"client", tls_client(r), NULL);
	return NEXT;
}

/* ---- the sequences ---- */

static const struct step voucher_steps[] = {
	{"content type", read_content_type, false},
	{"accepted types", choose_format, false},
	{"digest", take_digest, false},
	{"registrar's request", authenticate_the_registrar, false},
	{"rate", count_the_registrar, false},
	{"revocation", check_domain_revocation, false},
	{"earlier voucher", recall_voucher, false},
	{"pledge's request", authenticate_the_pledge, true},
	{"device", look_up_device, true},
	{"policy", ask_policy, true},
	{"revocation", check_owner_revocation, true},
	{"voucher", decide_content, true},
	{"audit entry", record_event, true},
	{"audit entry", check_recorded, true},
	{"voucher", sign_voucher, false},
	{"log", log_issued, false},
};

static const struct step audit_steps[] = {
	{"content type", read_content_type, false},
	{"accepted types", accept_json, false},
	{"digest", take_digest, false},
	{"earlier request", recall_request, false},
	{"registrar's request", authenticate_the_registrar, false},
	{"rate", count_the_registrar, false},
	{"revocation", check_domain_revocation, false},
	{"pledge's request", authenticate_the_pledge, true},
	{"device", look_up_device, true},
	{"device", find_log, true},
	{"audit log", read_log, true},
	{"audit log", format_log, false},
	{"log", log_audit, false},
};

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
static const struct sequence voucher_sequence = {
	"voucher-refused", MASA_METER_VOUCHER, voucher_steps, COUNT(voucher_steps)};
static const struct sequence audit_sequence = {
	"audit-log-refused", MASA_METER_AUDITLOG, audit_steps, COUNT(audit_steps)};

/* ---- running them ---- */

static void request_free(struct request *r)
{
	masa_setup_free(r->setup);
	authentic_clear(&r->authentic);
	device_list_clear(&r->devices);
	permit_clear(&r->permit);
	voucher_clear(&r->voucher);
	buf_clear(&r->content);
	buf_clear(&r->domain_id);
	audit_log_clear(&r->log);
	buf_clear(&r->answer);
	free(r);
}

static void finish(struct request *r, const struct err *e)
{
	masa_meter_answer(r->m, r->sequence->what, r->began_us, e);
	if (e)
		call_reply_err(r->call, r->m->log, r->sequence->refused, e);
	else
		call_reply(r->call, 200, r->answer_type, buf_bytes(&r->answer));
	request_free(r);
}

static void run(struct request *r)
{
	while (r->at < r->sequence->count) {
		const struct step *s = &r->sequence->steps[r->at++];
		struct err e = ERR_INIT;
		enum outcome o;

		if (s->first_time_only && r->known)
			continue;
		o = s->run(r, &e);
		if (o == WAIT)
			return;
		if (o == FAILED) {
			err_prefix(&e, "%s", s->what);
			finish(r, &e);
			return;
		}
	}
	finish(r, NULL);
}

static void start(struct call *c, struct masa *m, const struct sequence *s)
{
	struct err e = ERR_INIT;
	struct request *r = mem_new(sizeof(*r), &e);

	if (!r) {
		call_reply_err(c, m->log, s->refused, &e);
		return;
	}
	r->m = m;
	r->setup = masa_setup_take(m);
	r->by = masa_authenticator(m, r->setup);
	r->call = c;
	r->sequence = s;
	r->now = masa_now(m);
	r->began_us = clock_mono_us();
	authentic_init(&r->authentic);
	voucher_init(&r->voucher, VOUCHER);
	buf_init(&r->content, VOUCHER_JSON_MAX);
	buf_init(&r->domain_id, DOMAIN_ID_TEXT_MAX);
	buf_init(&r->answer, AUDIT_LOG_MAX > CMS_DER_MAX ? AUDIT_LOG_MAX : CMS_DER_MAX);
	run(r);
}

static void on_requestvoucher(struct call *c, void *app)
{
	start(c, app, &voucher_sequence);
}

static void on_requestauditlog(struct call *c, void *app)
{
	start(c, app, &audit_sequence);
}

const struct http_route masa_routes[] = {
	{"POST", "/.well-known/brski/requestvoucher", on_requestvoucher, CMS_DER_MAX, NULL},
	{"POST", "/.well-known/brski/requestauditlog", on_requestauditlog, CMS_DER_MAX, NULL},
	{"GET", LOOKUP_DIR "*", lookup_serve, 0, NULL},
};
const size_t masa_route_count = COUNT(masa_routes);
