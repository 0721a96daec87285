/* SPDX-License-Identifier: Apache-2.0 */
/* The server's end: its context, and who gets an association. Until a peer has shown that it
 * receives at the address it sends from, it gets one answer shorter than its question and nothing
 * is kept for it (RFC 6347 §4.2.1): all of a flood of forged ClientHellos goes through one and the
 * same unused association, without a signature or a key agreement. */
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/net/dtls_impl.h"
#include "common/pki/ossl.h"

#define COOKIE_LEN 32 /* HMAC-SHA-256 */
/* A cookie is good for one to two of these; the handshake that uses it begins at once. */
#define COOKIE_KEY_MS 60000

struct dtls_listener {
	struct dtls_listener_config config;
	uint8_t keys[2][COOKIE_LEN]; /* the present one, and the one before */
	int64_t turned_ms;
	struct dtls *next;     /* becomes the next association */
	struct bytes peer_key; /* of the datagram at hand */
};

/* ---- Cookies -------------------------------------------------------------------------------- */

static bool turn_keys(struct dtls_listener *l, struct err *e)
{
	int64_t now = clock_mono_ms(), age = now - l->turned_ms;

	if (age < COOKIE_KEY_MS)
		return true;
	memcpy(l->keys[1], l->keys[0], sizeof(l->keys[1]));
	l->turned_ms = now;
	return rng_bytes(l->keys[0], age < 2 * COOKIE_KEY_MS ? COOKIE_LEN : 2 * COOKIE_LEN, e);
}

static bool make_cookie(const struct dtls_listener *l, const uint8_t *key, uint8_t *out)
{
	unsigned len = 0;

	return HMAC(EVP_sha256(), key, COOKIE_LEN, l->peer_key.data, l->peer_key.len, out, &len) &&
	       len == COOKIE_LEN;
}

static int on_cookie_wanted(SSL *ssl, unsigned char *cookie, unsigned *len)
{
	const struct dtls *d = SSL_get_app_data(ssl);

	*len = COOKIE_LEN;
	return make_cookie(d->listener, d->listener->keys[0], cookie);
}

static int on_cookie(SSL *ssl, const unsigned char *cookie, unsigned len)
{
	const struct dtls *d = SSL_get_app_data(ssl);
	uint8_t good[COOKIE_LEN];

	for (size_t i = 0; i < 2; i++)
		if (make_cookie(d->listener, d->listener->keys[i], good) &&
			bytes_equal_ct(bytes_of(good, sizeof(good)), bytes_of(cookie, len)))
			return 1;
	return 0;
}

/* ---- The context ---------------------------------------------------------------------------- */

struct tls_server *dtls_server_new(const struct identity *id, struct err *e)
{
	SSL_CTX *ctx;

	ossl_begin();
	/* OpenSSL 3.0 has no DTLS suite for a server's Ed25519 key; a client's is welcome (D-05) */
	if (!EVP_PKEY_is_a(key_evp(id->key), "EC")) {
		err_set(e, ERR_INPUT, "DTLS: a server's key must be an EC key");
		return NULL;
	}
	ctx = SSL_CTX_new(DTLS_server_method());
	if (!ctx) {
		ossl_fail(e, ERR_NO_MEMORY, "DTLS: context");
		return NULL;
	}
	if (!dtls_configure(ctx, id, e)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_cookie_generate_cb(ctx, on_cookie_wanted);
	SSL_CTX_set_cookie_verify_cb(ctx, on_cookie);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, tls_accept_unverified, NULL);
	return tls_server_of(ctx, e);
}

/* ---- The listener --------------------------------------------------------------------------- */

struct dtls_listener *dtls_listener_new(const struct dtls_listener_config *config, struct err *e)
{
	struct dtls_listener *l = mem_new(sizeof(*l), e);

	if (!l)
		return NULL;
	l->config = *config;
	l->turned_ms = clock_mono_ms();
	tls_server_ref(config->tls);
	if (rng_bytes(l->keys, sizeof(l->keys), e))
		return l;
	dtls_listener_free(l);
	return NULL;
}

void dtls_listener_free(struct dtls_listener *l)
{
	if (!l)
		return;
	dtls_free(l->next);
	tls_server_free(l->config.tls);
	OPENSSL_cleanse(l->keys, sizeof(l->keys));
	free(l);
}

void dtls_listener_set_tls(struct dtls_listener *l, struct tls_server *tls)
{
	tls_server_ref(tls);
	tls_server_free(l->config.tls);
	l->config.tls = tls;
	dtls_free(l->next);
	l->next = NULL;
}

static bool have_next(struct dtls_listener *l, struct err *e)
{
	if (l->next)
		return true;
	l->next =
		dtls_new(tls_server_ctx(l->config.tls), l->config.mtu, l->config.retransmit_ms, e);
	if (!l->next)
		return false;
	l->next->tls = tls_server_ref(l->config.tls);
	l->next->listener = l;
	return true;
}

/* Its cookie is good: it gets the association. */
static struct dtls *begin(struct dtls_listener *l, struct err *e)
{
	struct dtls *d = l->next;
	bool ok;

	l->next = NULL;
	ok = dtls_advance(d, e);
	d->listener = NULL;
	d->in = bytes_of(NULL, 0);
	if (ok)
		return d;
	dtls_free(d);
	return NULL;
}

struct dtls *dtls_listener_receive(struct dtls_listener *l, struct bytes peer_key,
	struct bytes datagram, const struct dtls_events *events, void *arg, struct err *e)
{
	struct dtls *d = NULL;
	BIO_ADDR *nobody;

	if (datagram.len == 0 || peer_key.len > DTLS_COOKIE_KEY_MAX)
		return NULL;
	ossl_begin();
	if (!turn_keys(l, e) || !have_next(l, e))
		return NULL;
	nobody = BIO_ADDR_new();
	l->peer_key = peer_key;
	l->next->events = events;
	l->next->arg = arg;
	l->next->in = datagram;
	if (nobody && DTLSv1_listen(l->next->ssl, nobody) == 1 &&
		(!events->welcome || events->welcome(arg)))
		d = begin(l, e);
	else
		l->next->in = bytes_of(NULL, 0);
	l->peer_key = bytes_of(NULL, 0);
	BIO_ADDR_free(nobody);
	ossl_forget();
	return d;
}
