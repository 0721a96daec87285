/* SPDX-License-Identifier: Apache-2.0 */
/* EST, the client's side. */
#include "pledge/enroll.h"

#include <string.h>

#include "common/pki/csr.h"
#include "common/wire/base64.h"
#include "common/wire/media_type.h"

#define PKCS7_MIME    "application/pkcs7-mime"
#define CHALLENGE_MAX 256

/* A body in base64, or in DER as some servers send it: base64 of DER begins with 'M', and DER
 * itself with 30 and a long length. */
static bool decode_body(struct bytes body, struct buf *out, struct err *e)
{
	if (body.len > 1 && body.data[0] == 0x30 && body.data[1] >= 0x80)
		return buf_append(out, body.data, body.len, e);
	return base64_decode_spaced(body, out, e);
}

static bool get(struct exchange *x, const char *path, const char *accept, size_t reply_max,
	struct session_reply *reply, struct err *e)
{
	struct session_request rq = {
		.method = "GET",
		.path = path,
		.accept = accept,
		.reply_max = reply_max,
	};

	return exchange_send(x, &rq, reply, e);
}

/* ---- cacerts -------------------------------------------------------------------------------- */

bool enroll_parse_certs(struct bytes body, struct cert_list *out, struct err *e)
{
	BUF_AUTO struct buf der = BUF_INIT(PKCS7_CERTS_DER_MAX);

	return decode_body(body, &der, e) && pkcs7_certs_parse(buf_bytes(&der), out, e);
}

struct anchors *enroll_anchors(const struct cert_list *cacerts, struct cert *pinned, struct err *e)
{
	CERT_LIST_AUTO struct cert_list roots = CERT_LIST_INIT;

	for (size_t i = 0; i < cacerts->count; i++)
		if (cert_is_self_signed(cacerts->items[i]) &&
			!cert_list_add(&roots, cacerts->items[i], e))
			return NULL;
	if (roots.count == 0 && pinned && !cert_list_add(&roots, pinned, e))
		return NULL;
	if (roots.count == 0) {
		err_set(e, ERR_INPUT, "no root among the CA certificates");
		return NULL;
	}
	return anchors_new(&roots, e);
}

static bool install_cacerts(struct exchange *x, const struct cert_list *certs, struct err *e)
{
	struct anchors *anchors = enroll_anchors(certs, x->accepted.pinned, e);

	if (!anchors)
		return false;
	anchors_unref(&x->domain_anchors);
	x->domain_anchors = anchors;
	cert_list_clear(&x->cacerts);
	for (size_t i = 0; i < certs->count; i++)
		if (!cert_list_add(&x->cacerts, certs->items[i], e))
			return false;
	return true;
}

/* Without the set, the pin stays the only anchor (R8995-PLG-047); when renewing, the old set stays.
 */
static bool keep_known_anchors(struct exchange *x, int status, struct err *e)
{
	CERT_LIST_AUTO struct cert_list pin = CERT_LIST_INIT;

	pledge_say(x->pledge, "cacerts: none (status %d)", status);
	if (x->domain_anchors)
		return true;
	if (!x->accepted.pinned)
		return err_set(e, ERR_PEER, "no CA certificates, and the voucher pins a key only");
	return cert_list_add(&pin, x->accepted.pinned, e) && install_cacerts(x, &pin, e);
}

/* From here on the set is what counts. The connection was made before it was known, and its server
 * is the one the voucher names; that it is under the set too is worth a word if it is not. */
static void warn_if_server_is_not_under(const struct exchange *x)
{
	struct err e = ERR_INIT;

	if (!chain_verify(x->domain_anchors, x->server_chain.items[0], &x->server_chain,
		    pledge_judging_time(x->pledge), NULL, &e))
		log_err(&x->pledge->log, "registrar-not-under-cacerts", x->id, &e);
}

static bool take_cacerts(struct exchange *x, const struct session_reply *reply, struct err *e)
{
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;

	if (!media_type_is(reply->content_type, PKCS7_MIME))
		return err_set(e, ERR_PEER, "CA certificates come as '%s'", reply->content_type);
	if (!enroll_parse_certs(buf_bytes(&reply->body), &certs, e) ||
		!install_cacerts(x, &certs, e))
		return false;
	warn_if_server_is_not_under(x);
	pledge_say(
		x->pledge, "cacerts: %zu certificate%s", certs.count, certs.count == 1 ? "" : "s");
	return true;
}

bool enroll_cacerts(struct exchange *x, struct err *e)
{
	struct session_reply reply;
	bool ok;

	if (!get(x, EST_CACERTS, PKCS7_MIME, CACERTS_REPLY_MAX, &reply, e))
		return false;
	ok = reply.status == 200 ? take_cacerts(x, &reply, e)
				 : keep_known_anchors(x, reply.status, e);
	session_reply_clear(&reply);
	return ok;
}

/* ---- csrattrs ------------------------------------------------------------------------------- */

static bool take_csrattrs(struct exchange *x, const struct session_reply *reply, struct err *e)
{
	BUF_AUTO struct buf der = BUF_INIT(CSRATTRS_DER_MAX);

	if (!decode_body(buf_bytes(&reply->body), &der, e) ||
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

bool enroll_csrattrs(struct exchange *x, struct err *e)
{
	struct session_reply reply;
	bool ok;

	if (!get(x, EST_CSRATTRS, "application/csrattrs", CSRATTRS_REPLY_MAX, &reply, e))
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
	struct buf *base64, struct err *e)
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
	buf_clear(base64);
	return base64_encode(buf_bytes(&der), base64, e);
}

/* Until the answer is something other than "not yet". A request bound to a connection is made anew
 * when there is a new connection; any other is sent as it was. */
static bool request_certificate(struct exchange *x, const struct enroll_wish *w,
	const struct key *key, struct session_reply *reply, struct err *e)
{
	BUF_AUTO struct buf body = BUF_INIT(BASE64_REPLY_MAX(CSR_DER_MAX));
	struct session_request rq = {
		.method = "POST",
		.path = w->path,
		.content_type = "application/pkcs10",
		.accept = PKCS7_MIME,
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

static bool add_all(struct cert_list *to, const struct cert_list *from, struct err *e)
{
	for (size_t i = 0; i < from->count; i++)
		if (!cert_list_add(to, from->items[i], e))
			return false;
	return true;
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
	if (!add_all(&untrusted, in->received, e) || !add_all(&untrusted, in->cacerts, e))
		return false;
	if (!chain_verify(in->anchors, ours, &untrusted, in->now_unix_s, &path, e))
		return err_prefix(e, "the certificate is not under the site's CA");
	if (!take_issuers(&path, chain, e))
		return false;
	*ldevid = cert_ref(ours);
	return true;
}

static bool take_certificate(
	struct exchange *x, const struct key *key, const struct session_reply *reply, struct err *e)
{
	CERT_LIST_AUTO struct cert_list received = CERT_LIST_INIT;
	struct issued_check check = {
		.received = &received,
		.key = key,
		.anchors = x->domain_anchors,
		.cacerts = &x->cacerts,
		.now_unix_s = pledge_judging_time(x->pledge),
	};

	if (!media_type_is(reply->content_type, PKCS7_MIME))
		return err_set(e, ERR_PEER, "the certificate comes as '%s'", reply->content_type);
	if (!enroll_parse_certs(buf_bytes(&reply->body), &received, e) ||
		!enroll_check_issued(&check, &x->ldevid, &x->ldevid_chain, e))
		return false;
	pledge_say(x->pledge, "certificate: received for %s, issued by %s", cert_subject(x->ldevid),
		cert_issuer(x->ldevid));
	return true;
}

bool enroll_certificate(struct exchange *x, const struct enroll_wish *w, struct err *e)
{
	struct session_reply reply;
	KEY_AUTO struct key *key = NULL;
	enum key_type type;
	bool ok;

	if (!choose_key_type(x, &type, e))
		return false;
	key = state_next_key(x->pledge->state, key_type_name(type), e);
	if (!key)
		return false;
	pledge_say(x->pledge, "key: %s ready", key_type_name(type));
	if (!request_certificate(x, w, key, &reply, e))
		return false;
	ok = reply.status == 200 ? take_certificate(x, key, &reply, e)
				 : exchange_refused(x, &reply, e);
	session_reply_clear(&reply);
	return ok;
}
