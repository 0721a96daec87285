/* SPDX-License-Identifier: Apache-2.0 */
/* An association from the inside: for dtls.c and its two ends, dtls_listener.c and dtls_client.c.
 */
#ifndef NET_DTLS_IMPL_H
#define NET_DTLS_IMPL_H

#include "common/net/dtls.h"

/* Ours in the order we like them. CCM_8 is the one every constrained device has (rows C-23, D-03);
 * a
 * server's key is EC. */
#define DTLS_SUITES                                                                                \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"                             \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-CCM:ECDHE-ECDSA-AES128-CCM8"
#define DTLS_GROUPS "X25519:P-256:P-384" /* X25519 costs 98 µs where P-256 costs 158 µs */

struct dtls_client; /* dtls_client.c */

struct dtls {
	SSL *ssl;
	BIO_METHOD *method;
	const struct dtls_events *events;
	void *arg;
	struct bytes in; /* the datagram that is being fed; data NULL: none */
	unsigned retransmit_ms;
	bool feeding; /* what is sent meanwhile leaves the buffers to what is read next */
	bool established;
	bool over;
	struct tls_server *tls;		/* of a server's */
	struct dtls_listener *listener; /* while it checks a cookie */
	struct dtls_client *client;	/* of a client's */
};

/* What both ends set alike. */
bool dtls_configure(SSL_CTX *ctx, const struct identity *id, struct err *e) MUST_CHECK;
/* An association in its first state; mtu and retransmit_ms may be 0. */
struct dtls *dtls_new(SSL_CTX *ctx, size_t mtu, unsigned retransmit_ms, struct err *e) MUST_CHECK;
/* Go on with the handshake and with what the datagram holds. */
bool dtls_advance(struct dtls *d, struct err *e) MUST_CHECK;

/* The client's part in dtls_advance(): why the server was refused, if it was; and its end. */
bool dtls_client_verdict(const struct dtls *d, struct err *e);
void dtls_client_free(struct dtls_client *c);

#endif
