/* SPDX-License-Identifier: Apache-2.0 */
/* TLS contexts of our servers. One table of settings instead of a trail of calls, so that what is
 * on and what is off is seen at once. RFC 8995 §5.1, RFC 9325, RFC 7030 §3.3; RFC 9113 §9.2 for h2.
 */
#include "common/net/tls.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/pki/ossl.h"
#include "common/pki/ossl_provider.h"

/* TLS 1.2 only; the suites of 1.3 are all AEAD with ephemeral keys. The same list satisfies the
 * black list of HTTP/2, so one context serves both protocols. */
#define TLS12_SUITES                                                                               \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                               \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                               \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

/* SHA-256 first: the key schedule is all hashing, and SHA-384 costs eight times as much where the
 * processor has instructions for the one and not for the other. Both are as strong as the keys. */
#define TLS13_SUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* X25519 first: key generation and agreement cost 98 µs instead of 158 µs with P-256. */
#define TLS_GROUPS "X25519:P-256:P-384:P-521"

/* 112 bits: RSA from 2048, no SHA-1 (RFC 9325 §4.1, §4.5). */
#define TLS_SECURITY_LEVEL 2

/* Resumption is off because a resumed session carries no client certificates and breaks tls-unique;
 * a peer that closes without close_notify is a closed peer, our messages carry their length. */
#define TLS_OPTIONS                                                                                \
	(SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |                      \
		SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF)

/* Released buffers: an idle connection holds 25 kB instead of 35 kB. */
#define TLS_MODE                                                                                   \
	(SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |                                \
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER)

struct tls_server {
	SSL_CTX *ctx;
	atomic_uint refs;
	void *attached;
	void (*drop)(void *what);
};

int tls_accept_unverified(X509_STORE_CTX *store, void *arg)
{
	bool ok = sk_X509_num(X509_STORE_CTX_get0_untrusted(store)) <= TLS_PEER_CERTS_MAX;

	X509_STORE_CTX_set_error(store, ok ? X509_V_OK : X509_V_ERR_CERT_CHAIN_TOO_LONG);
	return ok;
}

static const unsigned char our_protocols[] = "\x02h2\x08http/1.1";

/* A client whose list has nothing in common with ours gets HTTP/1.1, as one without the extension.
 */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
	const unsigned char *in, unsigned in_len, void *arg)
{
	unsigned char *chosen;

	if (SSL_select_next_proto(&chosen, out_len, our_protocols, sizeof(our_protocols) - 1, in,
		    in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static bool configure(SSL_CTX *ctx, bool request_client_cert, struct err *e)
{
	static const unsigned char context_id[] = "brski";
	char groups[] = TLS_GROUPS; /* OpenSSL's macro casts a const away */

	SSL_CTX_set_security_level(ctx, TLS_SECURITY_LEVEL);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
		SSL_CTX_set_cipher_list(ctx, TLS12_SUITES) != 1 ||
		SSL_CTX_set_ciphersuites(ctx, TLS13_SUITES) != 1 ||
		SSL_CTX_set1_groups_list(ctx, groups) != 1 ||
		SSL_CTX_set_num_tickets(ctx, 0) != 1 || SSL_CTX_set_max_early_data(ctx, 0) != 1 ||
		SSL_CTX_set_session_id_context(ctx, context_id, sizeof(context_id)) != 1)
		return ossl_fail(e, ERR_BUG, "TLS: settings");
	SSL_CTX_set_options(ctx, TLS_OPTIONS);
	SSL_CTX_set_mode(ctx, TLS_MODE);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_cert_list(ctx, TLS_PEER_CERTS_BYTES_MAX);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	if (request_client_cert)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, tls_accept_unverified, NULL);
	return true;
}

bool tls_use_identity(SSL_CTX *ctx, const struct identity *id, struct err *e)
{
	if (SSL_CTX_use_certificate(ctx, cert_x509(id->cert)) != 1)
		return ossl_fail(e, ERR_INPUT, "TLS: certificate");
	if (SSL_CTX_use_PrivateKey(ctx, key_evp(id->key)) != 1 ||
		SSL_CTX_check_private_key(ctx) != 1)
		return ossl_fail(e, ERR_INPUT, "TLS: key");
	for (size_t i = 0; i < id->chain.count; i++)
		if (!cert_x509(id->chain.items[i]) ||
			SSL_CTX_add1_chain_cert(ctx, cert_x509(id->chain.items[i])) != 1)
			return ossl_fail(e, ERR_INPUT, "TLS: certificate chain");
	return true;
}

struct tls_server *tls_server_of(SSL_CTX *ctx, struct err *e)
{
	struct tls_server *t = mem_new(sizeof(*t), e);

	if (!t) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	atomic_init(&t->refs, 1);
	t->ctx = ctx;
	return t;
}

struct tls_server *tls_server_new(
	const struct identity *id, bool request_client_cert, struct err *e)
{
	SSL_CTX *ctx = SSL_CTX_new_ex(ossl_provider_handshake_ctx(), NULL, TLS_server_method());

	if (!ctx) {
		ossl_fail(e, ERR_NO_MEMORY, "TLS: context");
		return NULL;
	}
	if (!configure(ctx, request_client_cert, e) || !tls_use_identity(ctx, id, e)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return tls_server_of(ctx, e);
}

bool tls_server_name_clients(struct tls_server *t, const struct cert_list *cas, struct err *e)
{
	for (size_t i = 0; i < cas->count; i++)
		if (!cert_x509(cas->items[i]) ||
			SSL_CTX_add_client_CA(t->ctx, cert_x509(cas->items[i])) != 1)
			return ossl_fail(e, ERR_NO_MEMORY, "TLS: names of client CAs");
	return true;
}

struct tls_server *tls_server_ref(struct tls_server *t)
{
	atomic_fetch_add(&t->refs, 1);
	return t;
}

void tls_server_free(struct tls_server *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	if (t->drop)
		t->drop(t->attached);
	SSL_CTX_free(t->ctx);
	free(t);
}

void tls_server_attach(struct tls_server *t, void *what, void (*drop)(void *what))
{
	t->attached = what;
	t->drop = drop;
}

void *tls_server_attached(const struct tls_server *t)
{
	return t->attached;
}

SSL_CTX *tls_server_ctx(struct tls_server *t)
{
	return t->ctx;
}

bool tls_init(struct err *e)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	if (sigaction(SIGPIPE, &ignore, NULL) != 0)
		return err_set_errno(e, ERR_IO, "TLS: cannot ignore SIGPIPE");
	if (!ossl_prepare(e))
		return false;
	if (OPENSSL_init_ssl(0, NULL) != 1 || ossl_is_starved())
		return ossl_fail(e, ERR_NO_MEMORY, "TLS: library");
	return true;
}
