/* SPDX-License-Identifier: Apache-2.0 */
/* DTLS 1.2 associations (RFC 6347, RFC 7925; draft-ietf-anima-constrained-voucher §6.1) over
 * datagrams that somebody else carries: one `struct dtls` is one association, whether its datagrams
 * come from a socket of its own, from one socket for all, or wrapped by a join proxy. Keys and
 * certificates are loaded once, nothing is parsed again for each handshake; a server keeps nothing
 * for a peer that has not returned its cookie (RFC 6347 §4.2.1). Cipher suites name AES-128-CCM-8
 * besides GCM (rows C-23, D-03); the chain is judged by the caller, as on HTTPS. */
#ifndef NET_DTLS_H
#define NET_DTLS_H

#include "common/net/tls.h"
#include "common/pki/cert_cache.h"
#include "common/pki/chain.h"

#define DTLS_MTU_DEFAULT    1024 /* octets of a handshake datagram (row D-09) */
#define DTLS_MTU_MIN	    256	 /* below, OpenSSL cannot cut a handshake into datagrams */
#define DTLS_MTU_MAX	    4096 /* above, it does not keep to it */
#define DTLS_RETRANSMIT_MS  1000 /* RFC 6347 §4.2.4.1 */
#define DTLS_COOKIE_KEY_MAX 128	 /* what a peer is known by: address, and a join proxy's header */

/* For servers, whose key must be an EC key (ERR_INPUT): the context of struct tls_server, so that
 * reload and what is attached to it work as they do for HTTPS. Demands a client certificate (row
 * D-11), any issuer. */
struct tls_server *dtls_server_new(const struct identity *id, struct err *e) MUST_CHECK;

struct dtls;
struct dtls_events {
	/* Server: this one has a good cookie. false: not now, nothing is answered, nothing is lost:
	 * the peer comes again in a moment. NULL: always welcome. */
	bool (*welcome)(void *arg);
	/* One datagram for the peer. false: could not be sent; it counts as lost. */
	bool (*transmit)(void *arg, struct bytes datagram);
	void (*established)(void *arg);			    /* once */
	void (*receive)(void *arg, struct bytes plaintext); /* one application record */
};

/* ---- server ---- */
struct dtls_listener; /* one for each loop: makes and checks cookies */
struct dtls_listener_config {
	struct tls_server *tls; /* a reference is taken */
	size_t mtu;		/* octets of a datagram; 0: DTLS_MTU_DEFAULT */
	unsigned retransmit_ms; /* first; then doubled each time. 0: DTLS_RETRANSMIT_MS */
};
struct dtls_listener *dtls_listener_new(
	const struct dtls_listener_config *config, struct err *e) MUST_CHECK;
void dtls_listener_free(struct dtls_listener *l);
void dtls_listener_set_tls(struct dtls_listener *l, struct tls_server *tls);
/* A datagram of a peer without an association. NULL with *e left alone: it was no ClientHello
 * (ignored), or it had no good cookie (a HelloVerifyRequest went out through events->transmit, at
 * most as long as the datagram). NULL with *e set: it had one and failed. Else the association that
 * begins; its first flight has been sent. peer_key is what the cookie is bound to; events are
 * borrowed as long as the association lives. */
struct dtls *dtls_listener_receive(struct dtls_listener *l, struct bytes peer_key,
	struct bytes datagram, const struct dtls_events *events, void *arg, struct err *e);

/* ---- client ---- */
struct dtls_client_config {
	const struct identity *identity;
	struct anchors *anchors;	/* NULL: provisional, any certificate */
	int64_t now_unix_s;		/* for anchored checks */
	const struct cert *same_server; /* must be this one again; NULL: any */
	const char *host;		/* for the name check of anchored ones (the name or cmcRA);
					   never sent as SNI (row ET-13) */
	size_t mtu;			/* octets of a datagram; 0: DTLS_MTU_DEFAULT */
	unsigned max_fragment;	/* 512, 1024: max_fragment_length is offered (D-07); 0: not */
	unsigned retransmit_ms; /* as above */
};
struct dtls *dtls_connect(const struct dtls_client_config *config, const struct dtls_events *events,
	void *arg, struct err *e) MUST_CHECK;

/* ---- both ---- */
/* Feed one datagram. Events are called from within; the association must not be freed in them.
 * What is broken, forged, replayed or unexpected is dropped without a word (RFC 6347 §4.1.2.7).
 * false: the association is over, *e says why: ERR_PEER (also when the peer closed it),
 * ERR_UNAUTHENTICATED (client: the server's certificate), ERR_NO_MEMORY. */
bool dtls_feed(struct dtls *d, struct bytes datagram, struct err *e) MUST_CHECK;
bool dtls_send(struct dtls *d, struct bytes plaintext, struct err *e) MUST_CHECK;
/* Milliseconds until dtls_on_timeout() wants to be called; -1: not at all. */
int64_t dtls_timeout_ms(const struct dtls *d);
bool dtls_on_timeout(struct dtls *d, struct err *e) MUST_CHECK; /* false: given up */
/* Tell the peer that it is over, as far as one datagram can. */
void dtls_close(struct dtls *d);
void dtls_free(struct dtls *d);
bool dtls_is_established(const struct dtls *d);
/* Is it a ClientHello other than the one this association began with? A device that has restarted
 * sends one from the same address: it goes to the listener, and when its cookie is good the new
 * association takes the place of the old one (RFC 6347 §4.2.8). */
bool dtls_is_other_hello(const struct dtls *d, struct bytes datagram);
/* What dtls_send() takes: what the negotiated fragment length and the MTU leave (rows B-12, LC-23).
 */
size_t dtls_plaintext_max(const struct dtls *d);
/* End entity first; borrowed; empty before the handshake. Parsed through cache when given. */
bool dtls_peer_certs(
	struct dtls *d, struct cert_cache *cache, struct cert_list *out, struct err *e) MUST_CHECK;
struct tls_server *dtls_tls(const struct dtls *d); /* server: what it was made with */
/* tls-unique of the first handshake (row C-38). Appends raw octets. */
bool dtls_channel_binding(struct dtls *d, struct buf *out, struct err *e) MUST_CHECK;

#endif
