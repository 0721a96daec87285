/* SPDX-License-Identifier: Apache-2.0 */
/* The onboarding of a device, top to bottom. All requests up to the last step travel on one TLS
 * connection, whose server is provisional until the voucher names it (R8995-PLG-016); the last one
 * opens a new connection with the new certificate (R8995-PLG-051). */
#include "pledge/join.h"

#include <string.h>

#include "common/wire/media_type.h"
#include "pledge/cacerts.h"
#include "pledge/cloud.h"
#include "pledge/enroll.h"
#include "pledge/request.h"
#include "pledge/revocation.h"

/* ---- connect -------------------------------------------------------------------------------- */

static bool format_uri(const struct uri *u, const char *path, char *out, size_t size, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(STATE_URL_MAX - 1);
	struct uri full = *u;

	snprintf(full.path, sizeof(full.path), "%s", path);
	if (!uri_format(&full, &text, e))
		return false;
	snprintf(out, size, "%s", buf_str(&text));
	return true;
}

/* A request this registrar answered "not yet" before we were restarted. */
static bool recall_pending(struct exchange *x, struct err *e)
{
	char registrar[STATE_URL_MAX];
	bool exists;

	if (!format_uri(x->registrar, "", registrar, sizeof(registrar), e) ||
		!state_load_pending(x->pledge->state, &x->ask, &exists, e))
		return false;
	if (!exists || strcmp(registrar, x->ask.registrar) != 0) {
		pending_clear(&x->ask);
		return true;
	}
	if (!uri_parse_server(x->ask.server, &x->server, e))
		return false;
	snprintf(x->request_path, sizeof(x->request_path), "%s", x->server.path);
	x->server.path[0] = '\0';
	x->waited_s = x->ask.waited_s;
	x->resumed = true;
	return true;
}

static void say_connected(const struct exchange *x)
{
	exchange_say_server(x, "shows",
		x->server_verified ? ", as its anchors know it"
		: x->resumed	   ? ", as before"
				   : ", not trusted yet");
}

static bool connect_provisionally(struct exchange *x, struct err *e)
{
	struct err ignored = ERR_INIT;

	snprintf(x->request_path, sizeof(x->request_path), "%s", BRSKI_REQUEST_VOUCHER);
	if (!recall_pending(x, e) || (x->cloud.begun && !cloud_begin(x, e)))
		return false;
	if (!exchange_open(x, e)) {
		/* another certificate than before: the old request is void (RFC 8995 §5) */
		if (x->resumed && e->kind == ERR_UNAUTHENTICATED &&
			!state_drop_pending(x->pledge->state, &ignored))
			log_err(&x->pledge->log, "state", x->id, &ignored);
		return false;
	}
	say_connected(x);
	return true;
}

/* ---- voucher-request ------------------------------------------------------------------------ */

static enum pin_form proximity_of(const struct exchange *x)
{
	return session_is_constrained(x->session) ? (enum pin_form)x->pledge->config.coaps_proximity
						  : PIN_CERT;
}

static bool make_request(struct exchange *x, struct err *e)
{
	const struct pledge *p = x->pledge;
	struct request_input in = {
		.idevid = &p->idevid,
		.media_type = dialect_of(x->session)->voucher,
		.proximity = proximity_of(x),
		.serial_number = p->serial_number,
		.server = x->server_chain.items[0],
		.trusted_clock = p->config.trusted_clock,
		.now_unix_s = clock_unix_s(&p->clock),
	};

	return request_make(&in, &x->ask, e) || err_prefix(e, "voucher-request");
}

/* Before the first wait, so that a restart sends the same octets again; then now and then, for how
 * long it has been. */
static bool remember_request(struct exchange *x, struct err *e)
{
	if (x->remembered && x->waited_s - x->ask.waited_s < WAITED_SAVE_S)
		return true;
	x->remembered = true;
	x->ask.waited_s = x->waited_s;
	return format_uri(x->registrar, "", x->ask.registrar, sizeof(x->ask.registrar), e) &&
	       format_uri(&x->server, x->request_path, x->ask.server, sizeof(x->ask.server), e) &&
	       state_save_pending(x->pledge->state, &x->ask, e);
}

/* After the longest wait the device starts afresh, with a new nonce (RFC 8995 §5.6). */
static void forget_if_overdue(struct exchange *x)
{
	struct err e = ERR_INIT;

	if (x->setback == SETBACK_OVERDUE && !state_drop_pending(x->pledge->state, &e))
		log_err(&x->pledge->log, "state", x->id, &e);
}

/* The same octets until there is an answer other than "not yet" (R8995-PLG-027). */
static bool ask_until_answered(struct exchange *x, struct session_reply *reply, struct err *e)
{
	struct session_request rq = {
		.method = "POST",
		.path = x->request_path,
		.content_type = dialect_of(x->session)->voucher,
		.accept = dialect_of(x->session)->voucher,
		.body = buf_bytes(&x->ask.request),
		.reply_max = VOUCHER_REPLY_MAX,
	};

	for (;; session_reply_clear(reply)) {
		pledge_say(x->pledge, "voucher: requested");
		rq.timeout_ms = exchange_patience_ms(x);
		if (!exchange_send(x, &rq, reply, e)) {
			if (!exchange_recover(x, e))
				return false;
			continue;
		}
		if (reply->status != 202) {
			x->remembered = false;
			return state_drop_pending(x->pledge->state, e);
		}
		if (!remember_request(x, e) || !exchange_wait(x, "voucher", reply, e))
			break;
	}
	forget_if_overdue(x);
	return false;
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* The old request names the old server's certificate, so another server gets a new one, with a new
 * nonce (T-21); nothing of the old connection is kept. */
static bool move_to(struct exchange *x, const struct uri *target, struct err *e)
{
	x->server = *target;
	x->server.path[0] = '\0';
	if (x->cloud.begun)
		cloud_expect(x);
	cert_list_clear(&x->server_chain);
	pending_clear(&x->ask);
	x->resumed = false;
	if (!exchange_open(x, e))
		return false;
	say_connected(x);
	return true;
}

/* RFC 8995 §5.6 bounds them by counting; a 307 is the cloud registrar's way to send a device on and
 * has rules of its own. */
static bool may_follow(
	struct exchange *x, int status, const struct uri *target, bool same, struct err *e)
{
	if (status == 307 && (!same || x->cloud.begun))
		return cloud_may_follow(x, target, e);
	if (same ? x->same_origin_redirects++ == SAME_ORIGIN_REDIRECT_MAX
		 : x->other_origin_redirects++ == OTHER_ORIGIN_REDIRECT_MAX)
		return err_set(e, ERR_PEER, "registrar redirects once too often");
	return true;
}

/* The cloud draft's figure has a bare host name in Location (T-22). */
static bool parse_location(
	const struct exchange *x, const char *location, struct uri *out, struct err *e)
{
	bool bare = x->cloud.begun && x->server_verified && !strchr(location, '/');

	return *location && (bare ? uri_parse_authority(location, out, e)
				  : uri_resolve(&x->server, location, out, e));
}

static bool follow_redirect(struct exchange *x, const struct session_reply *reply, struct err *e)
{
	struct uri target;
	bool same;

	if (!parse_location(x, reply->location, &target, e))
		return err_set(e, ERR_PEER, "registrar redirects to nowhere");
	same = uri_same_origin(&x->server, &target);
	if (!may_follow(x, reply->status, &target, same, e))
		return false;
	snprintf(x->request_path, sizeof(x->request_path), "%s",
		target.path[0] && strcmp(target.path, "/") != 0 ? target.path
								: BRSKI_REQUEST_VOUCHER);
	pledge_say(x->pledge, "voucher: redirected to %s", target.host);
	if (same && !x->cloud.begun)
		return session_is_open(x->session) || exchange_open(x, e);
	return move_to(x, &target, e);
}

static void keep_voucher(struct exchange *x, struct session_reply *reply)
{
	x->voucher = reply->body;
	buf_init(&reply->body, 0);
	memcpy(x->voucher_type, reply->content_type, sizeof(x->voucher_type));
}

/* What captive portals answer to whatever they are asked: there is nothing in it to report about,
 * and nobody to report to. */
static bool is_page(const struct session_reply *reply)
{
	return media_type_is(reply->content_type, "text/html") ||
	       media_type_is(reply->content_type, "application/xhtml+xml");
}

/* Is this answer one to ask again after, here or elsewhere? *ok: and could that be begun? */
static bool asks_again(
	struct exchange *x, const struct session_reply *reply, bool *ok, struct err *e)
{
	if (is_redirect(reply->status)) {
		*ok = follow_redirect(x, reply, e);
		if (!*ok && !x->setback)
			x->setback = SETBACK_REDIRECT;
		return *ok;
	}
	return cloud_waits_for_claim(x, reply) && (*ok = move_to(x, &x->server, e));
}

static bool request_voucher(struct exchange *x, struct err *e)
{
	struct session_reply reply = {.status = 0};
	bool ok;

	do {
		session_reply_clear(&reply);
		ok = (x->ask.request.len > 0 || make_request(x, e)) &&
		     ask_until_answered(x, &reply, e);
	} while (ok && asks_again(x, &reply, &ok, e));
	if (ok && reply.status == 200 && !is_page(&reply))
		keep_voucher(x, &reply);
	else if (ok)
		ok = exchange_refused(x, &reply, e);
	session_reply_clear(&reply);
	return ok;
}

/* ---- imprint -------------------------------------------------------------------------------- */

/* The registrar's role is asserted in its certificate; older ones lack it (T-11). */
static void warn_without_cmc_ra(const struct exchange *x)
{
	const struct cert *server = x->server_chain.items[0];

	if (!(cert_eku(server) & CERT_EKU_CMC_RA))
		log_event(&x->pledge->log, LOG_LEVEL_WARNING, "registrar-without-cmcra", x->id,
			"subject", cert_subject(server), NULL);
}

/* R8995-PLG-040: true must be done, false must not; absent is normal checking, and that of a device
 * fresh out of its box has no lists. */
static bool check_revocation(struct exchange *x, struct err *e)
{
	const struct pledge *p = x->pledge;
	struct revocation_input in = {
		.path = &x->accepted.path,
		.server_chain = x->accepted.has_est ? &x->cloud.est.chain : &x->server_chain,
		.now_unix_s = pledge_judging_time(p),
		.address_classes = p->config.revocation_addresses,
		.connect_ms = p->config.connect_timeout_s * 1000,
		.timeout_ms = p->config.timeout_s * 1000,
	};

	if (x->accepted.voucher.fields.domain_cert_revocation_checks != FLAG_TRUE)
		return true;
	if (!revocation_check(&in, e))
		return false;
	pledge_say(p, "voucher: the registrar's certificate is not revoked");
	return true;
}

static bool check_voucher(struct exchange *x, struct err *e)
{
	const struct pledge *p = x->pledge;
	const char *assertion;
	struct accept_input in = {
		.octets = buf_bytes(&x->voucher),
		.content_type = x->voucher_type,
		.masa_anchors = p->masa_anchors,
		.idevid = p->idevid.cert,
		.serial_number = p->serial_number,
		.nonce = x->ask.nonce,
		.asked_with = proximity_of(x),
		.server_verified = x->cloud.begun && x->server_verified,
		.server_chain = &x->server_chain,
		.now_unix_s = pledge_judging_time(p),
		.nonceless = (enum nonceless_policy)p->config.nonceless,
		.assertion = (enum assertion_policy)p->config.assertion,
	};

	if (!accept_voucher(&in, &x->accepted, e))
		return false;
	x->others_wait = NULL; /* this one has proved itself */
	warn_without_cmc_ra(x);
	assertion = voucher_assertion_name(x->accepted.voucher.fields.assertion);
	pledge_say(p, "voucher: accepted, assertion %s", assertion ? assertion : "none");
	return true;
}

static bool report_voucher(struct exchange *x, struct err *e)
{
	bool sent = exchange_report(x, BRSKI_VOUCHER_STATUS, NULL);

	pledge_say(x->pledge, "voucher status: %s", sent ? "reported" : "could not be reported");
	if (x->accepted.has_est)
		return cloud_enter_est(x, e);
	if (sent && session_is_open(x->session))
		return true;
	/* gone or closing: the same certificates on both sides make it the same exchange (§5) */
	return exchange_reopen(x, e);
}

/* ---- enrolment ------------------------------------------------------------------------------ */

static bool enroll(struct exchange *x, struct err *e)
{
	struct enroll_wish w = {
		.path = EST_SIMPLEENROLL,
		.subject_der = cert_subject_der(x->pledge->idevid.cert),
	};

	return enroll_certificate(x, &w, e);
}

static bool install(struct exchange *x, struct err *e)
{
	char registrar[STATE_URL_MAX];
	struct state_install in = {
		.ldevid = x->ldevid,
		.chain = &x->ldevid_chain,
		.cacerts = &x->cacerts,
		.cacerts_etag = &x->cacerts_etag,
		.cacerts_asked_unix_s = x->cacerts_asked_unix_s,
		.voucher = buf_bytes(&x->voucher),
		.voucher_is_cose = session_is_constrained(x->session),
		.registrar = registrar,
		.report_due = true,
	};

	if (!format_uri(&x->server, "", registrar, sizeof(registrar), e) ||
		!state_install(x->pledge->state, &in, e))
		return false;
	pledge_say(x->pledge, "installed: %s", state_current_path(x->pledge->state));
	return true;
}

/* ---- success, told with the new certificate ------------------------------------------------- */

static bool report_with_ldevid(struct exchange *x, const struct enrolment *n, struct err *e)
{
	x->server_anchors = cacerts_anchors(&n->cacerts, n->cacerts.items[0], e);
	if (!x->server_anchors || !exchange_reopen(x, e))
		return false;
	return exchange_report(x, BRSKI_ENROLL_STATUS, NULL) ||
	       err_set(e, ERR_PEER, "the report was not delivered");
}

bool join_report_success(
	struct pledge *p, const struct enrolment *n, const char *exchange, struct err *e)
{
	struct candidate c = {.source = CANDIDATE_CONFIG};
	struct exchange x;
	bool ok;

	if (!uri_parse_server(n->registrar, &c.uri, e))
		return false;
	exchange_init(&x, p, &c);
	snprintf(x.id, sizeof(x.id), "%s", exchange);
	x.identity = &n->ldevid;
	ok = report_with_ldevid(&x, n, e);
	exchange_clear(&x);
	return ok && state_report_done(p->state, e);
}

bool join_reconnect_and_report(struct exchange *x, struct err *e)
{
	ENROLMENT_AUTO struct enrolment n;
	struct err why = ERR_INIT;

	session_free(x->session);
	x->session = NULL;
	if (!state_load_enrolment(x->pledge->state, &n, e))
		return false;
	if (join_report_success(x->pledge, &n, x->id, &why)) {
		pledge_say(x->pledge, "enrolment status: reported with the new certificate");
		return true;
	}
	log_err(&x->pledge->log, "enrolment-report", x->id, &why);
	pledge_say(x->pledge, "enrolment status: could not be reported: %s", why.text);
	return true;
}

const struct step join_steps[] = {
	{"connect", connect_provisionally, SETBACK_TLS, NULL, NULL},
	{"voucher", request_voucher, SETBACK_LOST, NULL, NULL},
	{"voucher", check_voucher, SETBACK_VOUCHER, BRSKI_VOUCHER_STATUS, REASON_VOUCHER},
	{"EST server", cloud_meet_est, SETBACK_TLS, BRSKI_VOUCHER_STATUS, REASON_EST},
	{"voucher", check_revocation, SETBACK_VOUCHER, BRSKI_VOUCHER_STATUS, REASON_VOUCHER},
	{"voucher status", report_voucher, SETBACK_LOST, NULL, NULL},
	{"configuration", cloud_fetch_configuration, SETBACK_LOCAL, NULL, NULL},
	{"cacerts", cacerts_learn, SETBACK_ENROLMENT, BRSKI_ENROLL_STATUS, REASON_CACERTS},
	{"csrattrs", enroll_csrattrs, SETBACK_ENROLMENT, BRSKI_ENROLL_STATUS, REASON_CSRATTRS},
	{"certificate", enroll, SETBACK_ENROLMENT, BRSKI_ENROLL_STATUS, REASON_CERT},
	{"install", install, SETBACK_LOCAL, BRSKI_ENROLL_STATUS, REASON_STORE},
	{"enrolment status", join_reconnect_and_report, SETBACK_LOCAL, NULL, NULL},
};
const size_t join_step_count = sizeof(join_steps) / sizeof(*join_steps);
