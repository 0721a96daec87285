/* SPDX-License-Identifier: Apache-2.0 */
/* A small HTTPS/1.1 server on loopback for the tests of our clients: a thread that accepts, a
 * thread per connection, canned answers, and a record of what came in. It uses OpenSSL directly, so
 * that it can present certificates our own issuing code refuses to make. */
#ifndef TESTS_HTTPS_PEER_H
#define TESTS_HTTPS_PEER_H

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEER_HELPER __attribute__((unused)) static

/* ---- Certificates --------------------------------------------------------------------------- */

struct peer_identity {
	EVP_PKEY *key;
	X509 *cert;
};

struct peer_cert_wish {
	const char *cn;
	const char *serial_number; /* subject's 2.5.4.5, or NULL */
	const char *san;	   /* "DNS:localhost,IP:127.0.0.1" or NULL */
	const char *eku;	   /* OpenSSL's notation or NULL */
	bool ca;
	long from_s, until_s; /* relative to now; both 0: from an hour ago for a day */
	const struct peer_identity *issuer; /* NULL: self-signed */
	EVP_PKEY *key;			    /* NULL: a new one */
};

PEER_HELPER void peer_add_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (!ext || !X509_add_ext(x, ext, -1))
		abort();
	X509_EXTENSION_free(ext);
}

PEER_HELPER struct peer_identity peer_identity_make(const struct peer_cert_wish *w)
{
	static atomic_long serial = 1000;
	struct peer_identity id = {w->key ? w->key : EVP_EC_gen("P-256"), X509_new()};
	X509 *issuer = w->issuer ? w->issuer->cert : id.cert;
	X509_NAME *name = X509_get_subject_name(id.cert);
	bool times = w->from_s || w->until_s;

	if (w->key)
		EVP_PKEY_up_ref(w->key);
	X509_set_version(id.cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(id.cert), ++serial);
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_UTF8, (const unsigned char *)w->cn, -1, -1, 0);
	if (w->serial_number)
		X509_NAME_add_entry_by_txt(name, "serialNumber", MBSTRING_ASC,
			(const unsigned char *)w->serial_number, -1, -1, 0);
	X509_set_issuer_name(id.cert, X509_get_subject_name(issuer));
	X509_gmtime_adj(X509_getm_notBefore(id.cert), times ? w->from_s : -3600);
	X509_gmtime_adj(X509_getm_notAfter(id.cert), times ? w->until_s : 86400);
	X509_set_pubkey(id.cert, id.key);
	peer_add_ext(
		id.cert, issuer, NID_basic_constraints, w->ca ? "critical,CA:TRUE" : "CA:FALSE");
	peer_add_ext(id.cert, issuer, NID_subject_key_identifier, "hash");
	if (w->issuer)
		peer_add_ext(id.cert, issuer, NID_authority_key_identifier, "keyid");
	if (w->san)
		peer_add_ext(id.cert, issuer, NID_subject_alt_name, w->san);
	if (w->eku)
		peer_add_ext(id.cert, issuer, NID_ext_key_usage, w->eku);
	if (!X509_sign(id.cert, w->issuer ? w->issuer->key : id.key, EVP_sha256()))
		abort();
	return id;
}

PEER_HELPER void peer_identity_free(struct peer_identity *id)
{
	EVP_PKEY_free(id->key);
	X509_free(id->cert);
}

/* The same certificate with one bit of its signature turned. */
PEER_HELPER void peer_identity_corrupt(struct peer_identity *id)
{
	unsigned char *der = NULL;
	int len = i2d_X509(id->cert, &der);
	const unsigned char *p = der;

	der[len - 1] ^= 1;
	X509_free(id->cert);
	id->cert = d2i_X509(NULL, &p, len);
	if (!id->cert)
		abort();
	OPENSSL_free(der);
}

PEER_HELPER void peer_write_pem(const char *path, X509 *cert, X509 *also, EVP_PKEY *key)
{
	FILE *f = fopen(path, "w");

	if (!f || (cert && !PEM_write_X509(f, cert)) || (also && !PEM_write_X509(f, also)) ||
		(key && !PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL)))
		abort();
	fclose(f);
}

/* ---- The server ----------------------------------------------------------------------------- */

#define PEER_CONNECTIONS_MAX 32
#define PEER_REQUEST_MAX     65536

struct peer_request {
	int connection; /* 1 for the first */
	char method[16], path[512];
	const char *head;
	const uint8_t *body;
	size_t body_len;
	X509 *client; /* or NULL */
};

struct peer_reply {
	int status;
	char headers[1024]; /* lines with CRLF */
	uint8_t body[PEER_REQUEST_MAX];
	size_t body_len;
	bool close_after;
};

struct https_peer {
	/* how it behaves; set before https_peer_start() */
	const struct peer_identity *identity;
	X509 *chain[3]; /* sent after the identity's certificate */
	int tls_max;	/* TLS1_2_VERSION, or 0 */
	bool ask_client_cert;
	const char *client_sigalgs;  /* signatures it takes of clients; NULL: any */
	bool any_address;	     /* listens on all addresses, not on 127.0.0.1 alone */
	int connections_max;	     /* further ones are closed at once; 0: no such limit */
	bool silent;		     /* reads requests and never answers */
	int requests_per_connection; /* closes after so many; 0: never by itself */
	int status;		     /* 0: 200 */
	const char *headers;	     /* lines with CRLF, or NULL */
	const char *body;	     /* or NULL */
	size_t filler;		     /* so many 'x' instead of body */
	const char *extra;	     /* sent behind the answer, or NULL */
	/* or: who answers, one request at a time */
	void (*answer)(void *arg, const struct peer_request *rq, struct peer_reply *out);
	void *answer_arg;
	/* what it saw */
	atomic_int connections, handshakes, requests, sni_seen, client_certs;
	char last_request[PEER_REQUEST_MAX]; /* head and body; read after an answer has come */
	size_t last_request_len;
	char last_exporter[64], last_finished[64]; /* the client's channel bindings, base64 */
	char first_exporter[64];		   /* of the first connection */
	uint16_t port;
	/* inner life */
	SSL_CTX *ctx;
	int listen_fd;
	pthread_t acceptor, threads[PEER_CONNECTIONS_MAX];
	int fds[PEER_CONNECTIONS_MAX];
	int thread_count;
	pthread_mutex_t lock;
};

struct peer_connection {
	struct https_peer *peer;
	int fd, number;
};

static int peer_on_servername(SSL *ssl, int *alert, void *arg)
{
	struct https_peer *p = arg;

	(void)alert;
	if (SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name))
		p->sni_seen++;
	return SSL_TLSEXT_ERR_OK;
}

static int peer_accept_any(int ok, X509_STORE_CTX *ctx)
{
	(void)ok;
	(void)ctx;
	return 1;
}

/* Head and body of one request into last_request; false at the end of the connection. */
static bool peer_read_request(struct https_peer *p, SSL *ssl)
{
	static _Thread_local char in[PEER_REQUEST_MAX];
	size_t len = 0, want = 0;
	char *end = NULL, *field;
	int n;

	while (!end || len < want) {
		n = SSL_read(ssl, in + len, (int)(sizeof(in) - 1 - len));
		if (n <= 0)
			return false;
		len += (size_t)n;
		in[len] = '\0';
		end = strstr(in, "\r\n\r\n");
		field = end ? strcasestr(in, "\r\ncontent-length:") : NULL;
		want = end ? (size_t)(end + 4 - in) : 0;
		if (field && field < end)
			want += strtoul(field + 17, NULL, 10);
	}
	pthread_mutex_lock(&p->lock);
	memcpy(p->last_request, in, len + 1);
	p->last_request_len = len;
	pthread_mutex_unlock(&p->lock);
	p->requests++;
	return true;
}

static void peer_note_bindings(struct https_peer *p, SSL *ssl)
{
	unsigned char octets[64];
	size_t n = SSL_get_peer_finished(ssl, octets, sizeof(octets));

	EVP_EncodeBlock((unsigned char *)p->last_finished, octets, (int)(n > 45 ? 45 : n));
	if (SSL_export_keying_material(
		    ssl, octets, 32, "EXPORTER-Channel-Binding", 24, octets, 0, 1) == 1)
		EVP_EncodeBlock((unsigned char *)p->last_exporter, octets, 32);
	if (!*p->first_exporter)
		strcpy(p->first_exporter, p->last_exporter);
}

static bool peer_write(SSL *ssl, const char *data, size_t len)
{
	return len == 0 || SSL_write(ssl, data, (int)len) > 0;
}

static bool peer_answer(const struct https_peer *p, SSL *ssl)
{
	static const char filler[4096] = {[0 ... 4095] = 'x'};
	size_t body_len = p->filler ? p->filler : p->body ? strlen(p->body) : 0;
	const char *extra = p->extra ? p->extra : "";
	char head[2048];

	snprintf(head, sizeof(head), "HTTP/1.1 %d Whatever\r\nContent-Length: %zu\r\n%s\r\n",
		p->status ? p->status : 200, body_len, p->headers ? p->headers : "");
	if (!peer_write(ssl, head, strlen(head)))
		return false;
	if (!p->filler)
		return peer_write(ssl, p->body, body_len) && peer_write(ssl, extra, strlen(extra));
	for (size_t left = p->filler; left > 0;) {
		size_t n = left < sizeof(filler) ? left : sizeof(filler);

		if (!peer_write(ssl, filler, n))
			return false;
		left -= n;
	}
	return true;
}

/* The last request, answered by the test; false when the connection shall end. */
static bool peer_ask_test(struct https_peer *p, SSL *ssl, int connection)
{
	struct peer_request rq = {.connection = connection, .head = p->last_request};
	struct peer_reply *r = calloc(1, sizeof(*r));
	const char *end;
	char head[2048];
	bool ok;

	pthread_mutex_lock(&p->lock);
	end = strstr(p->last_request, "\r\n\r\n") + 4;
	sscanf(p->last_request, "%15s %511s", rq.method, rq.path);
	rq.body = (const uint8_t *)end;
	rq.body_len = p->last_request_len - (size_t)(end - p->last_request);
	rq.client = SSL_get0_peer_certificate(ssl);
	r->status = 200;
	p->answer(p->answer_arg, &rq, r);
	pthread_mutex_unlock(&p->lock);
	snprintf(head, sizeof(head), "HTTP/1.1 %d Whatever\r\nContent-Length: %zu\r\n%s\r\n",
		r->status, r->body_len, r->headers);
	ok = peer_write(ssl, head, strlen(head)) &&
	     peer_write(ssl, (const char *)r->body, r->body_len) && !r->close_after;
	free(r);
	return ok;
}

static void *peer_serve(void *arg)
{
	struct peer_connection *c = arg;
	struct https_peer *p = c->peer;
	SSL *ssl = SSL_new(p->ctx);
	int served = 0;

	SSL_set_fd(ssl, c->fd);
	if ((!p->connections_max || c->number <= p->connections_max) && SSL_accept(ssl) == 1) {
		p->handshakes++;
		if (SSL_get0_peer_certificate(ssl))
			p->client_certs++;
		peer_note_bindings(p, ssl);
		while (peer_read_request(p, ssl)) {
			if (p->answer ? !peer_ask_test(p, ssl, c->number)
				      : !p->silent && !peer_answer(p, ssl))
				break;
			if (++served == p->requests_per_connection)
				break;
		}
		SSL_shutdown(ssl);
	}
	SSL_free(ssl);
	shutdown(c->fd, SHUT_RDWR);
	free(c);
	return NULL;
}

static void *peer_accept_loop(void *arg)
{
	struct https_peer *p = arg;
	int fd;

	while ((fd = accept(p->listen_fd, NULL, NULL)) >= 0) {
		struct peer_connection *c = malloc(sizeof(*c));

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
		if (!c || p->thread_count == PEER_CONNECTIONS_MAX)
			abort();
		*c = (struct peer_connection){p, fd, ++p->connections};
		p->fds[p->thread_count] = fd;
		if (pthread_create(&p->threads[p->thread_count], NULL, peer_serve, c) != 0)
			abort();
		p->thread_count++;
	}
	return NULL;
}

static void peer_make_ctx(struct https_peer *p)
{
	p->ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_security_level(p->ctx, 0);
	if (!SSL_CTX_use_certificate(p->ctx, p->identity->cert) ||
		!SSL_CTX_use_PrivateKey(p->ctx, p->identity->key))
		abort();
	for (size_t i = 0; i < 3 && p->chain[i]; i++)
		SSL_CTX_add1_chain_cert(p->ctx, p->chain[i]);
	if (p->tls_max)
		SSL_CTX_set_max_proto_version(p->ctx, p->tls_max);
	SSL_CTX_set_tlsext_servername_callback(p->ctx, peer_on_servername);
	SSL_CTX_set_tlsext_servername_arg(p->ctx, p);
	if (p->ask_client_cert)
		SSL_CTX_set_verify(p->ctx, SSL_VERIFY_PEER, peer_accept_any);
	if (p->client_sigalgs)
		SSL_CTX_set1_client_sigalgs_list(p->ctx, p->client_sigalgs);
}

PEER_HELPER void https_peer_start(struct https_peer *p)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);

	pthread_mutex_init(&p->lock, NULL);
	if (p->any_address)
		a.sin_addr.s_addr = htonl(INADDR_ANY);
	a.sin_port = htons(p->port); /* 0 on the first start */
	peer_make_ctx(p);
	p->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(p->listen_fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(p->listen_fd, (struct sockaddr *)&a, len) != 0 || listen(p->listen_fd, 16) != 0 ||
		getsockname(p->listen_fd, (struct sockaddr *)&a, &len) != 0)
		abort();
	p->port = ntohs(a.sin_port);
	if (pthread_create(&p->acceptor, NULL, peer_accept_loop, p) != 0)
		abort();
}

/* Ends every connection; what was seen stays to be read, and it can be started again. */
PEER_HELPER void https_peer_stop(struct https_peer *p)
{
	shutdown(p->listen_fd, SHUT_RDWR);
	pthread_join(p->acceptor, NULL);
	close(p->listen_fd);
	for (int i = 0; i < p->thread_count; i++)
		shutdown(p->fds[i], SHUT_RDWR);
	for (int i = 0; i < p->thread_count; i++) {
		pthread_join(p->threads[i], NULL);
		close(p->fds[i]);
	}
	p->thread_count = 0;
	SSL_CTX_free(p->ctx);
	pthread_mutex_destroy(&p->lock);
}

#endif
