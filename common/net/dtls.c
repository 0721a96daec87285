/* SPDX-License-Identifier: Apache-2.0 */
/* One DTLS 1.2 association on OpenSSL over a BIO of our own, which holds the one datagram that is
 * being fed and hands what OpenSSL sends to whoever carries datagrams: no socket in here.
 *
 * Why not libcoap, whose job this could be: 4.3.1, the one there is, sends no certificate chain,
 * reads keys from disk again for every handshake, ignores the negotiated fragment length, knows
 * peers by their addresses only (two pledges behind one join proxy are one to it) and gives a
 * client no way to ask for a fragment length. Its message layer runs a repeated request twice. So
 * both layers are ours, one implementation for registrar, pledge and proxy; libcoap's programs are
 * the foreign peers of the tests.
 *
 * Sent while the handshake runs, datagrams are never longer than the MTU given: nothing discovers a
 * path's here (row D-09). OpenSSL's own buffers, twice 17 kB, are held only while it works. */
#include "common/net/dtls_impl.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "common/pki/ossl.h"

#define RETRANSMIT_MAX_US 60000000 /* RFC 6347 §4.2.4.1 */

/* The layout of a record with a ClientHello (RFC 6347 §4.1, §4.2.2). */
#define RECORD_HEAD	 13
#define RECORD_EPOCH_AT	 3
#define RECORD_HANDSHAKE 22
#define HANDSHAKE_HEAD	 12
#define CLIENT_HELLO	 1
#define HELLO_RANDOM_AT	 (RECORD_HEAD + HANDSHAKE_HEAD + 2)

#define DTLS_OPTIONS                                                                               \
	(SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |                      \
		SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_QUERY_MTU)

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* ---- The BIO -------------------------------------------------------------------------------- */

static int bio_read(BIO *b, char *to, int room)
{
	struct dtls *d = BIO_get_data(b);
	size_t n = d->in.len < (size_t)room ? d->in.len : (size_t)room;

	BIO_clear_retry_flags(b);
	if (!d->in.data) {
		BIO_set_retry_read(b);
		return -1;
	}
	memcpy(to, d->in.data, n);
	d->in = bytes_of(NULL, 0);
	return (int)n;
}

/* What cannot be sent is lost: the protocol above is made for that. */
static int bio_write(BIO *b, const char *from, int len)
{
	struct dtls *d = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	d->events->transmit(d->arg, bytes_of(from, (size_t)len));
	return len;
}

static long bio_ctrl(BIO *b, int what, long number, void *pointer)
{
	return what == BIO_CTRL_FLUSH || what == BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT;
}

static BIO_METHOD *make_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "datagrams");

	if (m && BIO_meth_set_read(m, bio_read) && BIO_meth_set_write(m, bio_write) &&
		BIO_meth_set_ctrl(m, bio_ctrl))
		return m;
	BIO_meth_free(m);
	return NULL;
}

/* ---- Beginning and end ---------------------------------------------------------------------- */

bool dtls_configure(SSL_CTX *ctx, const struct identity *id, struct err *e)
{
	char groups[] = DTLS_GROUPS; /* OpenSSL's macro casts a const away */

	if (SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) != 1 ||
		SSL_CTX_set_cipher_list(ctx, DTLS_SUITES) != 1 ||
		SSL_CTX_set1_groups_list(ctx, groups) != 1)
		return ossl_fail(e, ERR_BUG, "DTLS: settings");
	SSL_CTX_set_options(ctx, DTLS_OPTIONS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_cert_list(ctx, TLS_PEER_CERTS_BYTES_MAX);
	return tls_use_identity(ctx, id, e);
}

static unsigned next_timeout_us(SSL *ssl, unsigned last_us)
{
	const struct dtls *d = SSL_get_app_data(ssl);

	if (last_us == 0)
		return d->retransmit_ms * 1000;
	return last_us < RETRANSMIT_MAX_US / 2 ? last_us * 2 : RETRANSMIT_MAX_US;
}

static size_t fit_mtu(size_t mtu)
{
	if (mtu == 0)
		return DTLS_MTU_DEFAULT;
	if (mtu < DTLS_MTU_MIN)
		return DTLS_MTU_MIN;
	return mtu < DTLS_MTU_MAX ? mtu : DTLS_MTU_MAX;
}

static bool set_up(struct dtls *d, SSL_CTX *ctx, size_t mtu, struct err *e)
{
	BIO *bio;

	d->ssl = SSL_new(ctx);
	d->method = make_method();
	bio = d->method ? BIO_new(d->method) : NULL;
	if (!d->ssl || !bio) {
		BIO_free(bio);
		return ossl_fail(e, ERR_NO_MEMORY, "DTLS: association");
	}
	BIO_set_data(bio, d);
	BIO_set_init(bio, 1);
	SSL_set_bio(d->ssl, bio, bio);
	if (SSL_set_app_data(d->ssl, d) != 1)
		return ossl_fail(e, ERR_NO_MEMORY, "DTLS: association");
	DTLS_set_timer_cb(d->ssl, next_timeout_us);
	return SSL_set_mtu(d->ssl, (long)fit_mtu(mtu)) > 0 || ossl_fail(e, ERR_BUG, "DTLS: MTU");
}

struct dtls *dtls_new(SSL_CTX *ctx, size_t mtu, unsigned retransmit_ms, struct err *e)
{
	struct dtls *d = mem_new(sizeof(*d), e);

	if (!d)
		return NULL;
	d->retransmit_ms = retransmit_ms ? retransmit_ms : DTLS_RETRANSMIT_MS;
	if (set_up(d, ctx, mtu, e))
		return d;
	dtls_free(d);
	return NULL;
}

void dtls_free(struct dtls *d)
{
	if (!d)
		return;
	SSL_free(d->ssl);
	BIO_meth_free(d->method);
	dtls_client_free(d->client);
	tls_server_free(d->tls);
	free(d);
}

/* ---- Datagrams in --------------------------------------------------------------------------- */

/* What OpenSSL says when it cannot go on. */
static bool outcome(struct dtls *d, int rc, const char *what, struct err *e)
{
	switch (SSL_get_error(d->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return true;
	case SSL_ERROR_ZERO_RETURN:
		SSL_shutdown(d->ssl);
		d->over = true;
		return err_set(e, ERR_PEER, "the peer has ended the association");
	default:
		d->over = true;
		if (dtls_client_verdict(d, e))
			return false;
		return ossl_fail(e, ERR_PEER, "DTLS %s", what);
	}
}

static bool handshake(struct dtls *d, struct err *e)
{
	int rc = SSL_do_handshake(d->ssl);

	if (rc != 1)
		return outcome(d, rc, "handshake", e);
	d->established = true;
	d->events->established(d->arg);
	return true;
}

static bool read_records(struct dtls *d, struct err *e)
{
	uint8_t octets[SSL3_RT_MAX_PLAIN_LENGTH];
	size_t got;
	int rc;

	while ((rc = SSL_read_ex(d->ssl, octets, sizeof(octets), &got)) == 1) {
		d->events->receive(d->arg, bytes_of(octets, got));
		OPENSSL_cleanse(octets, got); /* a generated key may have come in it */
	}
	return outcome(d, rc, "association", e);
}

bool dtls_advance(struct dtls *d, struct err *e)
{
	if (!d->established && !handshake(d, e))
		return false;
	return !d->established || read_records(d, e);
}

/* OpenSSL is at work between these two. Sending takes its buffers for granted. */
static bool begin(struct dtls *d, struct err *e)
{
	if (d->over)
		return err_set(e, ERR_PEER, "the association has ended");
	ossl_begin();
	return SSL_alloc_buffers(d->ssl) == 1 || ossl_fail(e, ERR_NO_MEMORY, "DTLS: buffers");
}

static void end(struct dtls *d)
{
	if (d->established && !d->feeding)
		SSL_free_buffers(d->ssl);
	ossl_forget();
}

bool dtls_feed(struct dtls *d, struct bytes datagram, struct err *e)
{
	bool ok;

	if (datagram.len == 0 && !d->over)
		return true; /* a read of nothing would be an end */
	if (!begin(d, e))
		return false;
	d->in = datagram;
	d->feeding = true;
	ok = dtls_advance(d, e);
	d->feeding = false;
	d->in = bytes_of(NULL, 0);
	end(d);
	return ok;
}

bool dtls_is_other_hello(const struct dtls *d, struct bytes in)
{
	uint8_t random[SSL3_RANDOM_SIZE];

	return in.len >= HELLO_RANDOM_AT + sizeof(random) && in.data[0] == RECORD_HANDSHAKE &&
	       get16(in.data + RECORD_EPOCH_AT) == 0 && in.data[RECORD_HEAD] == CLIENT_HELLO &&
	       SSL_get_client_random(d->ssl, random, sizeof(random)) == sizeof(random) &&
	       memcmp(random, in.data + HELLO_RANDOM_AT, sizeof(random)) != 0;
}

/* ---- Datagrams out -------------------------------------------------------------------------- */

size_t dtls_plaintext_max(const struct dtls *d)
{
	const SSL_SESSION *session = SSL_get0_session(d->ssl);
	uint8_t code = session ? SSL_SESSION_get_max_fragment_length(session) : 0;
	size_t room = DTLS_get_data_mtu(d->ssl);
	size_t fragment = (size_t)256 << code; /* RFC 6066 §4: 1 is 512 */

	return code && fragment < room ? fragment : room;
}

bool dtls_send(struct dtls *d, struct bytes plaintext, struct err *e)
{
	size_t put;
	bool ok;
	int rc;

	if (!d->established)
		return err_set(e, ERR_BUG, "DTLS: sending before the handshake is over");
	if (plaintext.len > dtls_plaintext_max(d))
		return err_set(e, ERR_TOO_LARGE, "DTLS: %zu octets do not fit into a record",
			plaintext.len);
	if (!begin(d, e))
		return false;
	rc = SSL_write_ex(d->ssl, plaintext.data, plaintext.len, &put);
	ok = rc == 1 || outcome(d, rc, "sending", e);
	end(d);
	return ok;
}

int64_t dtls_timeout_ms(const struct dtls *d)
{
	struct timeval left;

	if (d->over || DTLSv1_get_timeout(d->ssl, &left) != 1)
		return -1;
	return (int64_t)left.tv_sec * 1000 + (left.tv_usec + 999) / 1000;
}

bool dtls_on_timeout(struct dtls *d, struct err *e)
{
	int rc;

	if (!begin(d, e))
		return false;
	rc = (int)DTLSv1_handle_timeout(d->ssl);
	d->over = rc < 0;
	if (d->over)
		ossl_fail(e, ERR_PEER_TIMEOUT, "DTLS handshake: no answer");
	end(d);
	return !d->over;
}

void dtls_close(struct dtls *d)
{
	struct err e = ERR_INIT;

	if (!d->established || !begin(d, &e))
		return;
	SSL_shutdown(d->ssl);
	end(d);
	d->over = true;
}

/* ---- What is known of the peer -------------------------------------------------------------- */

bool dtls_is_established(const struct dtls *d)
{
	return d->established;
}

struct tls_server *dtls_tls(const struct dtls *d)
{
	return d->tls;
}

static bool add_cert(struct cert_cache *cache, X509 *x, struct cert_list *out, struct err *e)
{
	CERT_AUTO struct cert *c = cert_cache_get_x509(cache, x, e);

	return c && cert_list_add(out, c, e);
}

bool dtls_peer_certs(struct dtls *d, struct cert_cache *cache, struct cert_list *out, struct err *e)
{
	X509 *first = SSL_get0_peer_certificate(d->ssl);
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(d->ssl);

	if (first && !add_cert(cache, first, out, e))
		return err_prefix(e, "peer's certificate");
	/* a client's chain has the end entity in front, a server's has not */
	for (int i = d->tls ? 0 : 1; first && i < sk_X509_num(chain); i++)
		if (!add_cert(cache, sk_X509_value(chain, i), out, e))
			return err_prefix(e, "peer's certificate %d", i + 1);
	return true;
}

/* The first Finished of a full handshake is the client's (RFC 5929 §3). Without the extended master
 * secret tls-unique binds nothing (RFC 7627 §1). Sessions are never resumed. */
bool dtls_channel_binding(struct dtls *d, struct buf *out, struct err *e)
{
	uint8_t octets[EVP_MAX_MD_SIZE];
	size_t len = 0;

	if (d->established && SSL_get_extms_support(d->ssl) == 1)
		len = (d->tls ? SSL_get_peer_finished : SSL_get_finished)(
			d->ssl, octets, sizeof(octets));
	if (len == 0 || len > sizeof(octets))
		return err_set(
			e, ERR_UNAUTHENTICATED, "this DTLS association has no channel binding");
	return buf_append(out, octets, len, e);
}
