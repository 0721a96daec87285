/* SPDX-License-Identifier: Apache-2.0 */
/* TLS contexts of our servers (RFC 8995 §5.1, RFC 9325): 1.2 and 1.3, ECDHE with AEAD, no tickets,
 * no renegotiation, no early data, ALPN h2 then http/1.1, SNI ignored (R8995-REG-005). A client
 * certificate is requested, its possession proven, its chain judged later and per route (T-31). */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <openssl/ssl.h>

#include "common/pki/identity.h"

#define TLS_PEER_CERTS_BYTES_MAX                                                                   \
	16384 /* SSL_CTX_set_max_cert_list: 225 µs per certificate, unauthenticated */
#define TLS_PEER_CERTS_MAX                                                                         \
	8 /* and 8 kB each as long as the connection stands; a path has CHAIN_DEPTH_MAX */

struct tls_server; /* immutable once made; reference-counted so that a reload can replace it */

struct tls_server *tls_server_new(
	const struct identity *id, bool request_client_cert, struct err *e) MUST_CHECK;
/* Tell clients whose certificates are welcome, so that browsers offer fitting ones only. Before it
 * is used. */
bool tls_server_name_clients(
	struct tls_server *t, const struct cert_list *cas, struct err *e) MUST_CHECK;
struct tls_server *tls_server_ref(struct tls_server *t);
void tls_server_free(struct tls_server *t);
SSL_CTX *tls_server_ctx(struct tls_server *t);
/* Have the context carry what belongs to its certificate; drop(what) is called when its last
 * reference goes. Before it is used. A handler finds it at call_peer()->tls. */
void tls_server_attach(struct tls_server *t, void *what, void (*drop)(void *what));
void *tls_server_attached(const struct tls_server *t);

/* The same around a context made elsewhere (DTLS); takes ctx over, also on failure. */
struct tls_server *tls_server_of(SSL_CTX *ctx, struct err *e) MUST_CHECK;

/* For whoever makes a context: key, certificate and the chain to send with it. */
bool tls_use_identity(SSL_CTX *ctx, const struct identity *id, struct err *e) MUST_CHECK;
/* A certificate verify callback that leaves the chain to the handler: possession of the key is
 * proven by the handshake, whose key it is the handler judges (T-31). It replaces the whole
 * verification, which saves building a chain that nobody asks for. */
int tls_accept_unverified(X509_STORE_CTX *store, void *arg);

/* Set the process up once: SIGPIPE ignored, library initialised. */
bool tls_init(struct err *e) MUST_CHECK;

#endif
