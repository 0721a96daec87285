/* SPDX-License-Identifier: Apache-2.0 */
/* Which CAs a site has: asking, and what is believed while it has not told (RFC 7030 §4.1; RFC 8995
 * §5.9.1; over CoAPS draft-ietf-anima-constrained-voucher §6.7). */
#include "pledge/cacerts.h"

#include <string.h>

#include "pledge/est_reply.h"

#define EST_CACERTS    "/.well-known/est/cacerts"
#define NOT_ACCEPTABLE 406
#define NOT_MODIFIED   304

/* Try one form after the other (rows C-07, C-10). */
static bool get_first_acceptable(struct exchange *x, struct session_request *rq,
	const char *const *accept, struct session_reply *reply, struct err *e)
{
	for (; *accept; accept++) {
		rq->accept = *accept;
		if (!exchange_ask(x, rq, reply, e))
			return false;
		if (reply->status != NOT_ACCEPTABLE || !accept[1])
			return true;
		session_reply_clear(reply);
	}
	return err_set(e, ERR_BUG, "nothing to accept");
}

struct anchors *cacerts_anchors(const struct cert_list *cacerts, struct cert *pinned, struct err *e)
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

/* Without a root among them and without a certificate that was pinned, the first counts: the issuer
 * of the device's certificate (row C-31). */
static bool install_cacerts(struct exchange *x, const struct cert_list *certs, struct err *e)
{
	struct cert *pinned = x->accepted.pinned ? x->accepted.pinned : certs->items[0];
	struct anchors *anchors = cacerts_anchors(certs, pinned, e);

	if (!anchors)
		return false;
	anchors_unref(&x->domain_anchors);
	x->domain_anchors = anchors;
	cert_list_clear(&x->cacerts);
	return cert_list_append(&x->cacerts, certs, e);
}

/* Until the site has told its CAs, or when it tells none, the pin is the only anchor
 * (R8995-PLG-047); when renewing, the old set stays. */
static bool trust_the_pin(struct exchange *x, struct err *e)
{
	CERT_LIST_AUTO struct cert_list pin = CERT_LIST_INIT;

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

static void keep_etag(struct exchange *x, const struct session_reply *reply)
{
	x->cacerts_etag.len = reply->etag_len;
	memcpy(x->cacerts_etag.octets, reply->etag, sizeof(x->cacerts_etag.octets));
}

static bool take_cacerts(struct exchange *x, const struct session_reply *reply, struct err *e)
{
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;

	if (!est_reply_certs(reply, dialect_of(x->session)->base64, &certs, e) ||
		!install_cacerts(x, &certs, e))
		return err_prefix(e, "CA certificates");
	keep_etag(x, reply);
	warn_if_server_is_not_under(x);
	pledge_say(
		x->pledge, "cacerts: %zu certificate%s", certs.count, certs.count == 1 ? "" : "s");
	return true;
}

/* *told: whether the set is the one the site has now. */
static bool take_cacerts_answer(
	struct exchange *x, const struct session_reply *reply, bool *told, struct err *e)
{
	*told = true;
	if (reply->status == 200 || reply->status == NOT_MODIFIED)
		x->cacerts_asked_unix_s = clock_unix_s(&x->pledge->clock);
	if (reply->status == 200)
		return take_cacerts(x, reply, e);
	if (reply->status == NOT_MODIFIED && x->cacerts_etag.len) {
		pledge_say(x->pledge, "cacerts: as before");
		return true;
	}
	*told = false;
	pledge_say(x->pledge, "cacerts: none (status %d)", reply->status);
	return true;
}

static bool fetch_cacerts(struct exchange *x, bool *told, struct err *e)
{
	struct session_request rq = {
		.method = "GET",
		.path = EST_CACERTS,
		.etag = bytes_of(x->cacerts_etag.octets, x->cacerts_etag.len),
		.reply_max = CACERTS_REPLY_MAX,
	};
	struct session_reply reply;
	bool ok;

	if (!get_first_acceptable(x, &rq, dialect_of(x->session)->cacerts, &reply, e))
		return false;
	ok = take_cacerts_answer(x, &reply, told, e);
	session_reply_clear(&reply);
	return ok;
}

bool cacerts_refresh(struct exchange *x, struct err *e)
{
	bool told;

	return fetch_cacerts(x, &told, e) &&
	       (told || err_set(e, ERR_PEER, "the site tells no CA certificates"));
}

bool cacerts_learn(struct exchange *x, struct err *e)
{
	bool told;

	if (dialect_of(x->session)->cacerts_first)
		return fetch_cacerts(x, &told, e) && (told || trust_the_pin(x, e));
	return x->accepted.form != PIN_CERT || trust_the_pin(x, e);
}
