/* SPDX-License-Identifier: Apache-2.0 */
/* EST, the client's side: attributes, request, certificate. The CA certificates are cacerts.c's. */
#include "pledge/enroll.h"

#include <string.h>

#include "common/pki/csr.h"
#include "common/wire/base64.h"
#include "pledge/cacerts.h"
#include "pledge/est_reply.h"

#define CHALLENGE_MAX  256
#define NOT_ACCEPTABLE 406

/* ---- csrattrs ------------------------------------------------------------------------------- */

static bool take_csrattrs(struct exchange *x, const struct session_reply *reply, struct err *e)
{
	BUF_AUTO struct buf der = BUF_INIT(CSRATTRS_DER_MAX);

	if (!est_reply_decode(buf_bytes(&reply->body), dialect_of(x->session)->base64, &der, e) ||
		!csrattrs_parse(buf_bytes(&der), &x->csrattrs, e))
		return err_prefix(e, "attributes for the request");
	pledge_say(x->pledge, "csrattrs: %s", der.len > 2 ? "received" : "none");
	return true;
}

/* Servers that want nothing say so in several ways (T-33). */
static bool wants_nothing(int status)
{
	return status == 204 || status == 404 || status == 405 || status == 501;
}

/* Over CoAPS every exchange costs, and few sites want anything (N-01). */
static bool asks_for_csrattrs(const struct exchange *x)
{
	return !session_is_constrained(x->session) || x->pledge->config.coaps_csrattrs;
}

bool enroll_csrattrs(struct exchange *x, struct err *e)
{
	struct session_request rq = {
		.method = "GET",
		.path = EST_CSRATTRS,
		.accept = "application/csrattrs",
		.reply_max = CSRATTRS_REPLY_MAX,
	};
	struct session_reply reply;
	bool ok;

	if (!asks_for_csrattrs(x))
		return true;
	if (!exchange_ask(x, &rq, &reply, e))
		return false;
	if (wants_nothing(reply.status)) {
		pledge_say(x->pledge, "csrattrs: none");
		ok = true;
	} else {
		ok = reply.status == 200 ? take_csrattrs(x, &reply, e)
					 : exchange_refused(x, &reply, e);
	}
	session_reply_clear(&reply);
	return ok;
}

/* ---- The request ---------------------------------------------------------------------------- */

static bool choose_key_type(const struct exchange *x, enum key_type *out, struct err *e)
{
	*out = (enum key_type)x->pledge->config.key_type;
	return csrattrs_key_type(&x->csrattrs, out, e);
}

/* Subject and name as wished, where the registrar did not ask for others. */
static bool asks_for(
	const struct csr *csr, const struct enroll_wish *w, const struct csrattrs *attrs)
{
	bool subject =
		attrs->subject_template.len || bytes_equal(csr_subject_der(csr), w->subject_der);
	bool san = attrs->extension_count || bytes_equal(csr_san(csr), w->san);

	return subject && san;
}

/* A CSR made before a crash is sent again if it still is what we would ask: the registrar then
 * knows it (EE-13, EE-15). One bound to a connection cannot be. */
static bool reuse_csr(struct exchange *x, const struct enroll_wish *w, const struct key *key,
	struct buf *der, struct err *e)
{
	BUF_AUTO struct buf spki = BUF_INIT(KEY_PEM_MAX);
	CSR_AUTO struct csr *csr = NULL;
	bool exists;

	if (x->csrattrs.wants_challenge_password ||
		!state_next_csr(x->pledge->state, der, &exists, e) || !exists ||
		!key_public_spki(key, &spki, e))
		return false;
	csr = csr_parse(buf_bytes(der), e);
	return csr && csr_verify(csr, e) && bytes_equal(csr_spki(csr), buf_bytes(&spki)) &&
	       asks_for(csr, w, &x->csrattrs) && csr_satisfies(csr, &x->csrattrs, e);
}

static bool make_csr(struct exchange *x, const struct enroll_wish *w, const struct key *key,
	struct buf *der, struct err *e)
{
	BUF_AUTO struct buf challenge = BUF_INIT(CHALLENGE_MAX);
	struct csr_wish wish = {
		.key = key,
		.subject_der = w->subject_der,
		.san = w->san,
		.attrs = &x->csrattrs,
	};

	if (x->csrattrs.wants_challenge_password) {
		if (!session_channel_binding(x->session, &challenge, e))
			return false;
		wish.challenge_password = buf_str(&challenge);
	}
	return csr_make(&wish, der, e) && state_save_next_csr(x->pledge->state, buf_bytes(der), e);
}

static bool get_csr(struct exchange *x, const struct enroll_wish *w, const struct key *key,
	struct buf *body, struct err *e)
{
	BUF_AUTO struct buf der = BUF_INIT(CSR_DER_MAX);
	struct err why = ERR_INIT;

	if (!reuse_csr(x, w, key, &der, &why)) {
		if (why.kind == ERR_NO_MEMORY) { /* there may be one */
			*e = why;
			return err_prefix(e, "certificate request");
		}
		buf_clear(&der);
		if (!make_csr(x, w, key, &der, e))
			return err_prefix(e, "certificate request");
	}
	buf_clear(body);
	return dialect_of(x->session)->base64 ? base64_encode(buf_bytes(&der), body, e)
					      : buf_append(body, der.data, der.len, e);
}

/* Where a request goes, and in which form its answer may come. */
struct enroll_form {
	const char *path, *accept;
};

/* Until the answer is something other than "not yet". A request bound to a connection is made anew
 * when there is a new connection; any other is sent as it was. */
static bool request_certificate(struct exchange *x, const struct enroll_wish *w,
	const struct enroll_form *form, const struct key *key, struct session_reply *reply,
	struct err *e)
{
	BUF_AUTO struct buf body = BUF_INIT(BASE64_REPLY_MAX(CSR_DER_MAX));
	struct session_request rq = {
		.method = "POST",
		.path = form->path,
		.content_type = "application/pkcs10",
		.accept = form->accept,
		.reply_max = BASE64_REPLY_MAX(PKCS7_CERTS_DER_MAX),
	};

	for (unsigned made_on = 0;; session_reply_clear(reply)) {
		bool bound = x->csrattrs.wants_challenge_password;

		if ((!made_on || (bound && made_on != x->sessions)) &&
			!get_csr(x, w, key, &body, e))
			return false;
		made_on = x->sessions;
		rq.body = buf_bytes(&body);
		pledge_say(x->pledge, "certificate: requested");
		if (!exchange_send(x, &rq, reply, e)) {
			if (!exchange_recover(x, e))
				return false;
			continue;
		}
		if (reply->status != 202)
			return true;
		if (!exchange_wait(x, "certificate", reply, e)) {
			session_reply_clear(reply);
			return false;
		}
	}
}

/* With the first form that the server has. */
static bool request_in_some_form(struct exchange *x, const struct enroll_wish *w,
	const struct enroll_form *forms, int refusal, const struct key *key,
	struct session_reply *reply, struct err *e)
{
	for (; forms->path; forms++) {
		if (!request_certificate(x, w, forms, key, reply, e))
			return false;
		if (reply->status != refusal || !forms[1].path)
			return true;
		session_reply_clear(reply);
	}
	return err_set(e, ERR_BUG, "no form to ask in");
}

/* ---- The answer ----------------------------------------------------------------------------- */

static struct cert *find_ours(const struct issued_check *in, struct err *e)
{
	BUF_AUTO struct buf spki = BUF_INIT(KEY_PEM_MAX);

	if (!key_public_spki(in->key, &spki, e))
		return NULL;
	for (size_t i = 0; i < in->received->count; i++)
		if (bytes_equal(cert_spki(in->received->items[i]), buf_bytes(&spki)))
			return in->received->items[i];
	err_set(e, ERR_PEER, "the certificate is not for our key");
	return NULL;
}

/* Everything between our certificate and the anchor. */
static bool take_issuers(const struct cert_list *path, struct cert_list *chain, struct err *e)
{
	for (size_t i = 1; i + 1 < path->count; i++)
		if (!cert_list_add(chain, path->items[i], e))
			return false;
	return true;
}

bool enroll_check_issued(
	const struct issued_check *in, struct cert **ldevid, struct cert_list *chain, struct err *e)
{
	CERT_LIST_AUTO struct cert_list untrusted = CERT_LIST_INIT;
	CERT_LIST_AUTO struct cert_list path = CERT_LIST_INIT;
	struct cert *ours = find_ours(in, e);

	if (!ours)
		return false;
	if (cert_is_ca(ours))
		return err_set(e, ERR_PEER, "the certificate is one of a CA");
	if (!cert_list_append(&untrusted, in->received, e) ||
		!cert_list_append(&untrusted, in->cacerts, e))
		return false;
	if (!chain_verify(in->anchors, ours, &untrusted, in->now_unix_s, &path, e))
		return err_prefix(e, "the certificate is not under the site's CA");
	if (!take_issuers(&path, chain, e))
		return false;
	*ldevid = cert_ref(ours);
	return true;
}

/* Is what we know of the site's CAs enough for this certificate? When renewing, if it leads to one
 * of them (C-36); at the first one, if the pin is the root and its very issuer (N-02): a pinned CA
 * between says nothing of what is above it (N-03), a pinned key nothing at all (N-04). */
static bool known_cas_suffice(struct exchange *x, const struct issued_check *check)
{
	const struct cert *pinned = x->accepted.pinned;
	struct err ignored = ERR_INIT;
	bool ok;

	if (!check->anchors || !enroll_check_issued(check, &x->ldevid, &x->ldevid_chain, &ignored))
		return false;
	ok = x->renews || (cert_is_self_signed(pinned) && x->ldevid_chain.count == 0);
	if (!ok) {
		cert_unref(&x->ldevid);
		cert_list_clear(&x->ldevid_chain);
	}
	return ok;
}

static bool judge_certificate(
	struct exchange *x, const struct key *key, const struct cert_list *received, struct err *e)
{
	struct issued_check check = {
		.received = received,
		.key = key,
		.anchors = x->domain_anchors,
		.cacerts = &x->cacerts,
		.now_unix_s = pledge_judging_time(x->pledge),
	};

	if (!dialect_of(x->session)->cacerts_first) {
		if (known_cas_suffice(x, &check))
			return true;
		if (!cacerts_refresh(x, e))
			return false;
		check.anchors = x->domain_anchors;
	}
	return enroll_check_issued(&check, &x->ldevid, &x->ldevid_chain, e);
}

static bool take_certificate(
	struct exchange *x, const struct key *key, const struct cert_list *received, struct err *e)
{
	if (!judge_certificate(x, key, received, e))
		return false;
	pledge_say(x->pledge, "certificate: received for %s, issued by %s", cert_subject(x->ldevid),
		cert_issuer(x->ldevid));
	return true;
}

/* ---- With a key of our own ------------------------------------------------------------------ */

static bool enroll_own_key(
	struct exchange *x, const struct enroll_wish *w, const struct key *key, struct err *e)
{
	const struct dialect *d = dialect_of(x->session);
	const struct enroll_form forms[] = {
		{w->path, d->certificate[0]},
		{d->certificate[1] ? w->path : NULL, d->certificate[1]},
		{NULL, NULL},
	};
	CERT_LIST_AUTO struct cert_list received = CERT_LIST_INIT;
	struct session_reply reply;
	bool ok;

	if (!request_in_some_form(x, w, forms, NOT_ACCEPTABLE, key, &reply, e))
		return false;
	ok = reply.status == 200 ? est_reply_certs(&reply, d->base64, &received, e) &&
					   take_certificate(x, key, &received, e)
				 : exchange_refused(x, &reply, e);
	session_reply_clear(&reply);
	return ok;
}

/* ---- With a key of the registrar ------------------------------------------------------------ */

static bool take_key_and_certificate(
	struct exchange *x, const struct session_reply *reply, struct err *e)
{
	CERT_LIST_AUTO struct cert_list received = CERT_LIST_INIT;
	KEY_AUTO struct key *key = NULL;

	if (!est_reply_key(reply, &key, &received, e) || !take_certificate(x, key, &received, e) ||
		!state_put_next_key(x->pledge->state, key, e))
		return false;
	pledge_say(x->pledge, "key: received from the registrar");
	return true;
}

/* Our own key only signs the request, as its form demands (RFC 7030 §4.4.1). */
static bool enroll_keygen(
	struct exchange *x, const struct enroll_wish *w, const struct key *key, struct err *e)
{
	static const struct enroll_form forms[] = {
		{EST_KEYGEN_CERT, "application/multipart-core"},
		{EST_KEYGEN_CERTS, "application/multipart-core"},
		{NULL, NULL},
	};
	struct session_reply reply;
	bool ok;

	if (!session_is_constrained(x->session))
		return err_set(
			e, ERR_INPUT, "[device] key_source = registrar works over CoAPS only");
	if (!request_in_some_form(x, w, forms, 404, key, &reply, e))
		return false;
	ok = reply.status == 200 ? take_key_and_certificate(x, &reply, e)
				 : exchange_refused(x, &reply, e);
	buf_wipe(&reply.body);
	session_reply_clear(&reply);
	return ok;
}

bool enroll_certificate(struct exchange *x, const struct enroll_wish *w, struct err *e)
{
	KEY_AUTO struct key *key = NULL;
	enum key_type type;

	if (!choose_key_type(x, &type, e))
		return false;
	key = state_next_key(x->pledge->state, key_type_name(type), e);
	if (!key)
		return false;
	if (x->pledge->config.key_source == KEY_OF_REGISTRAR)
		return enroll_keygen(x, w, key, e);
	pledge_say(x->pledge, "key: %s ready", key_type_name(type));
	return enroll_own_key(x, w, key, e);
}
