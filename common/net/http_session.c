/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's HTTPS session (RFC 8995 §5.1, §5.6.2; RFC 7030 §3.6.1): libcurl makes the one TLS
 * connection, we speak HTTP/1.1 on it.
 *
 * Why not let libcurl send the requests too: the pledge voucher-request carries the server's first
 * certificate, so the body is made after the handshake, and libcurl wants to know its size before
 * it connects (it is fixed when the transfer starts, so not even the pre-request callback can set
 * it). A harmless first request to learn the certificate would show on the wire, and servers that
 * close after an error would end the session before it began. CURLOPT_CONNECT_ONLY is made for
 * this: names, addresses and TLS are libcurl's, and a connection made so is never used by another
 * transfer, never retried, never reopened. HTTP/2 is not offered: one request at a time gains
 * nothing from it.
 *
 * Certificates are judged in OpenSSL's verify callback. libcurl's own checks are off in both modes,
 * because neither knows about provisional servers or cmcRA; the callback's verdict is what counts.
 */
#include "common/net/http_session.h"

#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/net/http1_reply.h"
#include "common/net/tls.h"
#include "common/net/tls_judge.h"
#include "common/pki/ossl.h"
#include "common/wire/base64.h"

#define REQUEST_HEAD_MAX   4096
#define REQUEST_BODY_MAX   262144 /* more than any server of ours accepts */
#define URL_MAX		   1024
#define TLS_EXPORTER_LEN   32 /* RFC 9266 §2 */
#define TLS_EXPORTER_LABEL "EXPORTER-Channel-Binding"
#define REASON_MAX	   200 /* of the library's own words */
#define READ_CHUNK	   16384
#define EMPTY_CERTIFICATE  8 /* octets of that message at most: RFC 8446 §4.4.2, RFC 5246 §7.4.6 */

struct http_session {
	struct session_config config; /* pointers borrowed from the caller */
	char *exchange;
	CURL *easy;
	curl_socket_t fd;
	bool open, verified;
	SSL *ssl;		/* owned by libcurl, alive as long as easy */
	struct cert_list chain; /* as the server sent it */
	int alert;		/* the fatal one it sent; -1: none */
	bool no_tls;		/* its first octets are no TLS record */
	bool unpresented;	/* it asked for our certificate and got none */
	struct err verdict;	/* why we refused to set TLS up or to go on; or ERR_NONE */
	char reason[CURL_ERROR_SIZE];
};

/* ---- Judging the server --------------------------------------------------------------------- */

static int on_verify(X509_STORE_CTX *store, void *arg)
{
	struct http_session *s = arg;
	const struct tls_expectation expected = {
		.anchors = s->config.anchors,
		.now_unix_s = s->config.now_unix_s,
		.named = s->config.named,
		.else_provisional = s->config.else_provisional,
		.same_server = s->config.same_server,
		.host = s->config.server.host,
		.host_is_ip = s->config.server.host_is_ip,
	};
	bool starved = ossl_is_starved(), ok;

	s->ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	ok = tls_judge_chain(store, &s->chain, &s->verdict) &&
	     tls_judge_server(&expected, &s->chain, &s->verified, &s->verdict);
	ossl_go_on(starved);
	/* libcurl reads this too; the alert sent for it is bad_certificate */
	X509_STORE_CTX_set_error(store, ok ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
	return ok;
}

/* ---- Setting up TLS ------------------------------------------------------------------------- */

/* A provisional server has no name we could know (R8995-PLG-015). libcurl sets SNI on its own; the
 * start of the handshake is the first moment after. (OpenSSL passes its own SSL as const here.) */
static void on_info(const SSL *ssl, int where, int ret)
{
	if (where & SSL_CB_HANDSHAKE_START)
		SSL_set_tlsext_host_name((SSL *)(uintptr_t)ssl, NULL);
}

/* What the library makes of alerts and foreign octets is a sentence only. That it presents nothing,
 * because it could not choose how to sign, it tells nobody: the server's words about it ("a client
 * certificate is needed") would pass for a refusal of this device. */
static void on_message(int sent, int version, int content_type, const void *octets, size_t len,
	SSL *ssl, void *arg)
{
	struct http_session *s = arg;
	const uint8_t *p = octets;

	if (sent) {
		s->unpresented |= content_type == SSL3_RT_HANDSHAKE && len > 0 &&
				  p[0] == SSL3_MT_CERTIFICATE && len <= EMPTY_CERTIFICATE;
		return;
	}
	if (content_type == SSL3_RT_HEADER && len > 0)
		s->no_tls = p[0] < SSL3_RT_CHANGE_CIPHER_SPEC || p[0] > SSL3_RT_APPLICATION_DATA;
	if (content_type == SSL3_RT_ALERT && len == 2 && p[0] == SSL3_AL_FATAL)
		s->alert = p[1];
	(void)version, (void)ssl;
}

static CURLcode on_ssl_ctx(CURL *easy, void *ssl_ctx, void *arg)
{
	struct http_session *s = arg;
	SSL_CTX *ctx = ssl_ctx;

	if (!tls_use_identity(ctx, s->config.identity, &s->verdict))
		return CURLE_SSL_CERTPROBLEM;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL); /* so that the callback's refusal counts */
	SSL_CTX_set_cert_verify_callback(ctx, on_verify, s);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_msg_callback(ctx, on_message);
	SSL_CTX_set_msg_callback_arg(ctx, s);
	SSL_CTX_set_max_cert_list(ctx, TLS_PEER_CERTS_BYTES_MAX);
	if (!s->config.anchors)
		SSL_CTX_set_info_callback(ctx, on_info);
	return CURLE_OK;
}

/* ---- A connection that is there already ----------------------------------------------------- */

static curl_socket_t give_connected(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_session *s = arg;
	int fd = *s->config.connected;

	*s->config.connected = -1;
	return fd < 0 ? CURL_SOCKET_BAD : fd; /* from here on libcurl's */
}

static int say_connected(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

#define SET(option, value) (rc = rc ? rc : curl_easy_setopt(easy, (option), (value)))

static bool prepare(struct http_session *s, struct err *e)
{
	BUF_AUTO struct buf url = BUF_INIT(URL_MAX);
	CURLcode rc = CURLE_OK;
	CURL *easy = s->easy;

	if (!uri_format(&s->config.server, &url, e))
		return false;
	SET(CURLOPT_URL, buf_str(&url));
	SET(CURLOPT_CONNECT_ONLY, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "https");
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)s->config.connect_ms);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 0L);
	SET(CURLOPT_SSL_VERIFYHOST, 0L);
	SET(CURLOPT_CAINFO, (char *)NULL);
	SET(CURLOPT_CAPATH, (char *)NULL);
	SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
	SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
	SET(CURLOPT_SSL_CTX_DATA, s);
	SET(CURLOPT_ERRORBUFFER, s->reason);
	if (s->config.connected && *s->config.connected >= 0) {
		SET(CURLOPT_OPENSOCKETFUNCTION, give_connected);
		SET(CURLOPT_OPENSOCKETDATA, s);
		SET(CURLOPT_SOCKOPTFUNCTION, say_connected);
	}
	return !rc || err_set(e, rc == CURLE_OUT_OF_MEMORY ? ERR_NO_MEMORY : ERR_BUG,
			      "HTTPS session cannot be set up: %s", curl_easy_strerror(rc));
}

struct http_session *http_session_new(const struct session_config *config, struct err *e)
{
	struct http_session *s;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
		err_set(e, ERR_BUG, "the HTTP library cannot be initialised");
		return NULL;
	}
	s = mem_new(sizeof(*s), e);
	if (!s)
		return NULL;
	s->config = *config;
	s->alert = -1;
	s->exchange = config->exchange ? str_dup(config->exchange, e) : NULL;
	s->easy = curl_easy_init();
	if (!s->easy || (config->exchange && !s->exchange))
		err_set(e, ERR_NO_MEMORY, "no memory for an HTTPS session");
	else if (prepare(s, e))
		return s;
	http_session_free(s);
	return NULL;
}

void http_session_free(struct http_session *s)
{
	if (!s)
		return;
	if (s->easy)
		curl_easy_cleanup(s->easy);
	ERR_clear_error();
	cert_list_clear(&s->chain);
	free(s->exchange);
	free(s);
}

/* ---- Connecting ----------------------------------------------------------------------------- */

/* Alerts that speak of our certificate (RFC 8446 §6.2). */
static bool is_about_certificate(int alert)
{
	static const int alerts[] = {SSL_AD_BAD_CERTIFICATE, SSL_AD_UNSUPPORTED_CERTIFICATE,
		SSL_AD_CERTIFICATE_REVOKED, SSL_AD_CERTIFICATE_EXPIRED, SSL_AD_CERTIFICATE_UNKNOWN,
		SSL_AD_UNKNOWN_CA, SSL_AD_ACCESS_DENIED, TLS13_AD_CERTIFICATE_REQUIRED};

	for (size_t i = 0; i < sizeof(alerts) / sizeof(*alerts); i++)
		if (alert == alerts[i])
			return true;
	return false;
}

/* What fails for lack of memory may look like any fault of the peer's. */
static bool fail(struct http_session *s, enum err_kind kind, const char *what, struct err *e)
{
	s->open = false;
	err_set(e, ossl_verdict(kind), "%.*s", REASON_MAX, s->reason[0] ? s->reason : what);
	if (is_about_certificate(s->alert)) {
		err_prefix(e, "it does not take our certificate");
		err_code(e, SESSION_DENIED);
	} else if (s->no_tls) {
		err_prefix(e, "what answers does not speak TLS; a captive portal?");
		err_code(e, SESSION_NO_TLS);
	}
	return uri_blame(&s->config.server, e);
}

static enum err_kind kind_of(const struct http_session *s, CURLcode rc)
{
	if (rc == CURLE_OPERATION_TIMEDOUT)
		return ERR_PEER_TIMEOUT;
	if (rc == CURLE_COULDNT_RESOLVE_HOST && s->config.server.host_is_ip)
		return ERR_NO_MEMORY; /* there was nothing to be asked about */
	if (rc == CURLE_COULDNT_RESOLVE_HOST || rc == CURLE_COULDNT_CONNECT)
		return ERR_RETRY_LATER;
	return rc == CURLE_OUT_OF_MEMORY ? ERR_NO_MEMORY : ERR_PEER;
}

static bool presented(struct http_session *s, struct err *e)
{
	if (!s->unpresented)
		return true;
	s->reason[0] = '\0';
	fail(s, ERR_PEER, "none of the signatures it asks for can be made with our key", e);
	return e->kind == ERR_NO_MEMORY ? false : err_code(e, SESSION_DENIED);
}

bool http_session_connect(struct http_session *s, struct err *e)
{
	CURLcode rc;

	if (s->open)
		return true;
	ossl_begin();
	if (s->ssl)
		return fail(s, ERR_PEER, "the connection has ended", e);
	rc = curl_easy_perform(s->easy);
	if (!rc)
		rc = curl_easy_getinfo(s->easy, CURLINFO_ACTIVESOCKET, &s->fd);
	if (s->verdict.kind != ERR_NONE) {
		*e = s->verdict;
		ERR_clear_error();
		return uri_blame(&s->config.server, e);
	}
	if (rc) {
		fail(s, kind_of(s, rc), curl_easy_strerror(rc), e);
		return rc == CURLE_COULDNT_RESOLVE_HOST && e->kind != ERR_NO_MEMORY
			       ? err_code(e, SESSION_NO_ADDRESS)
			       : false;
	}
	s->open = s->ssl && s->fd != CURL_SOCKET_BAD;
	if (!s->open)
		return fail(s, ERR_BUG, "connected without a TLS session", e);
	ERR_clear_error();
	return presented(s, e);
}

const struct cert_list *http_session_server_chain(const struct http_session *s)
{
	return &s->chain;
}

bool http_session_is_verified(const struct http_session *s)
{
	return s->verified;
}

bool http_session_is_open(struct http_session *s)
{
	uint8_t octet;
	size_t n;

	if (s->open && curl_easy_recv(s->easy, &octet, 1, &n) != CURLE_AGAIN)
		s->open = false;
	ERR_clear_error();
	return s->open;
}

/* ---- Sending and receiving ------------------------------------------------------------------ */

/* Wait until the socket is ready; false when the deadline has passed. */
static bool wait_for(struct http_session *s, short events, int64_t deadline_ms, struct err *e)
{
	struct pollfd p = {.fd = s->fd, .events = events};
	int64_t left = deadline_ms - clock_mono_ms();

	if (left > 0 && poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left) != 0)
		return true; /* ready, an error that the next call reports, or a signal */
	s->reason[0] = '\0';
	return fail(s, ERR_PEER_TIMEOUT, "no answer in time", e);
}

static bool send_all(struct http_session *s, struct bytes data, int64_t deadline_ms, struct err *e)
{
	while (data.len > 0) {
		size_t n = 0;
		CURLcode rc = curl_easy_send(s->easy, data.data, data.len, &n);

		if (rc && rc != CURLE_AGAIN)
			return fail(s, ERR_PEER, "connection lost while sending", e);
		data.data += n;
		data.len -= n;
		if (rc == CURLE_AGAIN && !wait_for(s, POLLOUT, deadline_ms, e))
			return false;
	}
	return true;
}

static bool take(struct http_session *s, struct http1_reply *r, struct bytes in, struct err *e)
{
	size_t used;

	s->reason[0] = '\0';
	if (!http1_reply_feed(r, in, &used, e)) {
		s->open = false;
		return err_prefix(e, "answer of %s", s->config.server.host);
	}
	if (used < in.len)
		return fail(s, ERR_PEER, "octets after the end of the answer", e);
	return true;
}

static bool finish_at_end(struct http_session *s, struct http1_reply *r, struct err *e)
{
	s->open = false;
	return http1_reply_end(r, e) || err_prefix(e, "answer of %s", s->config.server.host);
}

static bool receive(
	struct http_session *s, struct http1_reply *r, int64_t deadline_ms, struct err *e)
{
	uint8_t chunk[READ_CHUNK];

	while (r->state != HTTP1_REPLY_DONE) {
		size_t n = 0;
		CURLcode rc = curl_easy_recv(s->easy, chunk, sizeof(chunk), &n);

		if (rc == CURLE_AGAIN) {
			if (!wait_for(s, POLLIN, deadline_ms, e))
				return false;
			continue;
		}
		if (rc)
			return fail(s, ERR_PEER, "connection lost", e);
		if (n == 0)
			return finish_at_end(s, r, e);
		if (!take(s, r, bytes_of(chunk, n), e))
			return false;
		if (clock_mono_ms() >= deadline_ms && r->state != HTTP1_REPLY_DONE)
			return fail(s, ERR_PEER_TIMEOUT, "the answer takes too long", e);
	}
	return true;
}

static bool put_field(struct buf *out, const char *name, const char *value, struct err *e)
{
	return !value || buf_printf(out, e, "%s: %s\r\n", name, value);
}

static bool put_host(const struct uri *u, struct buf *out, struct err *e)
{
	int len = (int)strcspn(u->host, "%"); /* a zone is nobody's business but ours */

	return buf_printf(out, e, u->host_is_ipv6 ? "Host: [%.*s]" : "Host: %.*s", len, u->host) &&
	       (u->port == 443 || buf_printf(out, e, ":%u", (unsigned)u->port)) &&
	       buf_append_str(out, "\r\n", e);
}

static bool put_length(const struct session_request *rq, struct buf *out, struct err *e)
{
	if (strcmp(rq->method, "GET") == 0)
		return true;
	return buf_printf(out, e, "Content-Length: %zu\r\n", rq->body.len);
}

/* Head and body in one piece, so that they leave in one TLS record where they fit. */
static bool format_request(const struct http_session *s, const struct session_request *rq,
	struct buf *out, struct err *e)
{
	return buf_printf(out, e, "%s %s HTTP/1.1\r\n", rq->method, rq->path) &&
	       put_host(&s->config.server, out, e) &&
	       put_field(out, "User-Agent", "brski-pledge", e) &&
	       put_field(out, "Accept", rq->accept, e) &&
	       put_field(out, "Content-Type", rq->content_type, e) && put_length(rq, out, e) &&
	       put_field(out, "X-Request-Id", s->exchange, e) && buf_append_str(out, "\r\n", e) &&
	       buf_append(out, rq->body.data, rq->body.len, e);
}

static void give(struct http1_reply *r, struct session_reply *out)
{
	memset(out, 0, sizeof(*out));
	out->status = r->status;
	out->body = r->body;
	buf_init(&r->body, 0);
	memcpy(out->content_type, r->content_type, sizeof(out->content_type));
	memcpy(out->location, r->location, sizeof(out->location));
	memcpy(out->retry_after, r->retry_after, sizeof(out->retry_after));
	memcpy(out->date, r->date, sizeof(out->date));
}

bool http_session_send(struct http_session *s, const struct session_request *rq,
	struct session_reply *out, struct err *e)
{
	BUF_AUTO struct buf octets = BUF_INIT(REQUEST_HEAD_MAX + REQUEST_BODY_MAX);
	int64_t deadline_ms;
	struct http1_reply r;
	bool ok;

	memset(out, 0, sizeof(*out));
	http_session_is_open(
		s); /* an answer that nobody asked for must not pass for the next one */
	if (!http_session_connect(s, e) || !format_request(s, rq, &octets, e))
		return false;
	deadline_ms = clock_mono_ms() + (rq->timeout_ms ? rq->timeout_ms : s->config.timeout_ms);
	http1_reply_init(&r, rq->reply_max);
	s->reason[0] = '\0';
	ossl_begin();
	ok = send_all(s, buf_bytes(&octets), deadline_ms, e) && receive(s, &r, deadline_ms, e);
	if (ok) {
		s->open = r.keep_alive;
		give(&r, out);
	}
	http1_reply_clear(&r);
	ERR_clear_error();
	return ok;
}

/* ---- Channel binding ------------------------------------------------------------------------ */

static size_t binding_octets(SSL *ssl, uint8_t out[EVP_MAX_MD_SIZE])
{
	if (SSL_version(ssl) >= TLS1_3_VERSION)
		return SSL_export_keying_material(ssl, out, TLS_EXPORTER_LEN, TLS_EXPORTER_LABEL,
			       strlen(TLS_EXPORTER_LABEL), (const uint8_t *)"", 0, 1) == 1
			       ? TLS_EXPORTER_LEN
			       : 0;
	if (SSL_get_extms_support(ssl) != 1)
		return 0;
	return SSL_get_finished(
		ssl, out, EVP_MAX_MD_SIZE); /* sessions are never resumed: ours came first */
}

bool http_session_channel_binding(struct http_session *s, struct buf *out, struct err *e)
{
	uint8_t octets[EVP_MAX_MD_SIZE];
	size_t n;

	if (!s->open)
		return err_set(e, ERR_PEER, "no connection to bind to");
	n = binding_octets(s->ssl, octets);
	ERR_clear_error();
	if (n == 0 || n > sizeof(octets))
		return err_set(
			e, ERR_UNAUTHENTICATED, "this TLS connection has no channel binding");
	return base64_encode(bytes_of(octets, n), out, e);
}
