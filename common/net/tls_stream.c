/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing TLS on non-blocking sockets. OpenSSL's error queue belongs to the thread, not
 * to the connection: it is emptied before each call, or one connection's error would end another.
 */
#include "common/net/tls_stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/pki/ossl.h"

#define LATE_MESSAGES_MAX 16 /* of the handshake protocol after the handshake */

bool tls_stream_open(struct tls_stream *s, int fd, struct tls_server *tls, struct err *e)
{
	*s = (struct tls_stream){.fd = fd};
	if (!tls)
		return true;
	s->ssl = SSL_new(tls_server_ctx(tls));
	if (!s->ssl || SSL_set_fd(s->ssl, fd) != 1) {
		tls_stream_close(s);
		ossl_forget();
		return err_set(e, ERR_NO_MEMORY, "no memory for a TLS connection");
	}
	SSL_set_accept_state(s->ssl);
	SSL_set_read_ahead(s->ssl, 1); /* a flight is many small records */
	return true;
}

/* Renegotiation is off, so the peer has no handshake message to send any more but a KeyUpdate (one
 * per 2^24 records is what the ciphers need). Each costs it a few octets and us a key schedule or
 * two, and SSL_read() takes them without end and without returning: so its end is made here. The
 * flag makes it take the next record for one after the peer's end. RFC 8446 §4.6.3. */
static void on_message(
	int sent, int version, int type, const void *octets, size_t len, SSL *ssl, void *arg)
{
	struct tls_stream *s = arg;

	if (!sent && type == SSL3_RT_HANDSHAKE && ++s->handshake_messages > LATE_MESSAGES_MAX)
		SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

static enum stream_result failed(struct err *e, const char *what, int saved_errno)
{
	char reason[200];
	unsigned long code = ERR_peek_error();

	if (code)
		ERR_error_string_n(code, reason, sizeof(reason));
	ossl_forget();
	errno = saved_errno;
	if (code)
		err_set(e, ERR_UNAUTHENTICATED, "TLS: %s: %s", what, reason);
	else if (saved_errno)
		err_set_errno(e, ERR_IO, "%s", what);
	else
		err_set(e, ERR_IO, "%s: connection lost", what);
	return STREAM_FAILED;
}

static enum stream_result outcome(struct tls_stream *s, int rc, const char *what, struct err *e)
{
	int saved_errno = errno;

	switch (SSL_get_error(s->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return STREAM_WAIT;
	case SSL_ERROR_ZERO_RETURN:
		return STREAM_EOF;
	default: /* SSL_ERROR_SSL, SSL_ERROR_SYSCALL: an int, not an enum */
		return failed(e, what, saved_errno);
	}
}

enum stream_result tls_stream_handshake(struct tls_stream *s, struct err *e)
{
	int rc;

	if (!s->ssl)
		return STREAM_OK;
	ossl_forget();
	errno = 0;
	rc = SSL_do_handshake(s->ssl);
	s->read_wants_write = rc != 1 && SSL_want_write(s->ssl);
	if (rc != 1)
		return outcome(s, rc, "handshake", e);
	s->more = SSL_has_pending(s->ssl);
	SSL_set_msg_callback(s->ssl, on_message);
	SSL_set_msg_callback_arg(s->ssl, s);
	return STREAM_OK;
}

static enum stream_result plain_result(ssize_t n, const char *what, size_t *moved, struct err *e)
{
	if (n >= 0) {
		*moved = (size_t)n;
		return STREAM_OK;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return STREAM_WAIT;
	err_set_errno(e, ERR_IO, "%s", what);
	return STREAM_FAILED;
}

/* At the end of the stream there is nothing to read, which is no octet. */
static enum stream_result read_plain(
	struct tls_stream *s, void *to, size_t room, size_t *got, struct err *e)
{
	enum stream_result r = plain_result(read(s->fd, to, room), "read", got, e);

	return r == STREAM_OK && *got == 0 ? STREAM_EOF : r;
}

enum stream_result tls_stream_read_before(
	struct tls_stream *s, void *to, size_t room, size_t *got, struct err *e)
{
	*got = 0;
	return read_plain(s, to, room, got, e);
}

enum stream_result tls_stream_read(
	struct tls_stream *s, bool greed, void *to, size_t room, size_t *got, struct err *e)
{
	int rc;

	*got = 0;
	if (!s->ssl)
		return read_plain(s, to, room, got, e);
	ossl_forget();
	errno = 0;
	SSL_set_read_ahead(s->ssl, greed);
	rc = SSL_read_ex(s->ssl, to, room, got);
	s->read_wants_write = rc != 1 && SSL_want_write(s->ssl);
	s->more = rc == 1 && SSL_has_pending(s->ssl);
	return rc == 1 ? STREAM_OK : outcome(s, rc, "read", e);
}

enum stream_result tls_stream_write(
	struct tls_stream *s, struct bytes from, size_t *put, struct err *e)
{
	enum stream_result r;
	int rc;

	*put = 0;
	if (!s->ssl)
		return plain_result(
			send(s->fd, from.data, from.len, MSG_NOSIGNAL), "write", put, e);
	ossl_forget();
	errno = 0;
	rc = SSL_write_ex(s->ssl, from.data, from.len, put);
	s->write_wants_read = rc != 1 && SSL_want_read(s->ssl);
	if (rc == 1)
		return STREAM_OK;
	r = outcome(s, rc, "write", e);
	if (r == STREAM_EOF)
		return failed(e, "write", 0);
	return r;
}

void tls_stream_end_writing(struct tls_stream *s)
{
	if (s->ssl && SSL_is_init_finished(s->ssl)) {
		ossl_forget();
		SSL_shutdown(s->ssl);
		ossl_forget();
	}
	shutdown(s->fd, SHUT_WR);
}

enum stream_result tls_stream_discard(struct tls_stream *s)
{
	uint8_t away[4096];
	ssize_t n = recv(s->fd, away, sizeof(away), MSG_DONTWAIT);

	if (n > 0)
		return STREAM_OK;
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? STREAM_WAIT : STREAM_EOF;
}

void tls_stream_close(struct tls_stream *s)
{
	SSL_free(s->ssl);
	s->ssl = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

bool tls_stream_is_h2(const struct tls_stream *s)
{
	const unsigned char *name;
	unsigned len;

	if (!s->ssl)
		return false;
	SSL_get0_alpn_selected(s->ssl, &name, &len);
	return len == 2 && memcmp(name, "h2", 2) == 0;
}

static bool peer_chain(
	const struct tls_stream *s, struct cert_cache *cache, struct peer *out, struct err *e)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(s->ssl); /* without the end entity */

	for (int i = 0; i < sk_X509_num(chain); i++) {
		struct cert *c CERT_AUTO = cert_cache_get_x509(cache, sk_X509_value(chain, i), e);

		if (!c || !cert_list_add(&out->chain, c, e))
			return false;
	}
	return true;
}

/* The first Finished of a full handshake is the client's (RFC 5929 §3). Without the extended master
 * secret tls-unique binds nothing (RFC 7627 §1), and a resumed session would turn the order round.
 */
static size_t tls_unique(SSL *ssl, uint8_t out[CHANNEL_BINDING_MAX])
{
	size_t len;

	if (SSL_session_reused(ssl) || !SSL_get_extms_support(ssl))
		return 0;
	len = SSL_get_peer_finished(ssl, out, CHANNEL_BINDING_MAX);
	return len <= CHANNEL_BINDING_MAX ? len : 0;
}

/* RFC 9266 §3: 32 octets, empty context. */
static size_t tls_exporter(SSL *ssl, uint8_t out[CHANNEL_BINDING_MAX])
{
	static const char label[] = "EXPORTER-Channel-Binding";
	static const unsigned char no_context[1] = {0};
	const size_t len = 32;

	if (SSL_export_keying_material(ssl, out, len, label, sizeof(label) - 1, no_context, 0, 1) !=
		1) {
		ossl_forget();
		return 0;
	}
	return len;
}

bool tls_stream_peer(
	const struct tls_stream *s, struct cert_cache *cache, struct peer *out, struct err *e)
{
	X509 *x;

	if (!s->ssl)
		return true;
	out->tls_version = (unsigned)SSL_version(s->ssl);
	out->channel_binding_len = out->tls_version == TLS1_2_VERSION
					   ? tls_unique(s->ssl, out->channel_binding)
					   : tls_exporter(s->ssl, out->channel_binding);
	x = SSL_get0_peer_certificate(s->ssl);
	if (!x)
		return true;
	out->cert = cert_cache_get_x509(cache, x, e);
	if (!out->cert || !peer_chain(s, cache, out, e))
		return err_prefix(e, "client certificate");
	return true;
}
