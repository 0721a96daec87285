/* SPDX-License-Identifier: Apache-2.0 */
/* Load generator: whole onboardings against a running registrar, as fast as N clients can go.
 *
 * Raw OpenSSL on blocking sockets, a thread per client, so that what is measured is the servers and
 * not a client library. Every device gets an IDevID of its own, made beforehand and not counted. An
 * onboarding is what a pledge does: TLS with the IDevID, voucher-request, voucher status, cacerts,
 * csrattrs, enrolment, then TLS with the new LDevID and the enrolment status. Anything but the
 * right answer at any step is a failure. Prints one JSON object.
 *
 *   loadgen --port P --ca DIR --clients N --count N --first N --pids REGISTRAR,MASA
 *           [--enroll] [--idle N] [--polls N] [--ledger FILE] [--serials]
 * --enroll lets every device enrol once more afterwards, on a connection of its own: what one costs
 * the registrar. --idle then opens N connections that do nothing: what one holds of its memory, and
 * the same with HTTP/2.
 * --patient dials again, for a while, where no connection is to be had, and where the server said
 * that an answer is the last on its connection: as a device lives through a restart. A request that
 * gets no answer is a failure still. --pause N lets a client start an onboarding every N ms at
 * most.
 * --polls N lets every device ask for a voucher that an administrator has to decide about, and then
 * again N times in the same octets on the same connection, each of which has to be told to wait:
 * what one such poll costs the registrar. No onboardings then.
 * --ledger FILE lets a device whose onboarding failed come again, with the same voucher-request and
 * the same CSR, until all of it was answered, for a minute and a half; and writes down what was
 * acknowledged, when it was: "MS voucher SERIAL SHA256", "MS certificate SERIAL SHA256", "MS joined
 * SERIAL", MS in milliseconds of the monotonic clock. --port then may be P,P: of several
 * registrars, which the devices try in turn.
 * --serials only prints the serial numbers the run would use, one a line.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/message/voucher_format.h"
#include "common/pki/cms.h"
#include "common/pki/csr.h"
#include "common/pki/digest.h"
#include "common/pki/issue.h"
#include "common/pki/pkcs7_certs.h"
#include "common/wire/base64.h"
#include "common/wire/hex.h"

#define CLIENTS_MAX    64
#define COUNT_MAX      20000
#define REPLY_MAX      65536
#define PENDING_TRIES  50 /* 202 answers followed before a device counts as failed */
#define IO_TIMEOUT_S   20
#define PATIENCE_MS    20000 /* as long as a restart may take */
#define REDIAL_MS      20
#define PORTS_MAX      4
#define PERSIST_MS     90000 /* thrice what a database may need to find another leader */
#define COME_AGAIN_MS  1000  /* at random up to so much later */
#define IDLE_SETTLE_US 200000
#define IDLE_MAX       1000 /* the server's limit per source address is a little higher */

struct device {
	char serial[32];
	struct identity idevid;
	double ms;	/* how long its onboarding took; negative: failed */
	struct buf pvr; /* what it asks with again when there is a ledger */
	char nonce[64];
	struct identity ldevid;
	struct buf csr; /* in base64 */
	char why[200];
};

struct bench {
	int ports[PORTS_MAX];
	size_t port_count;
	atomic_size_t turn; /* each connection goes to the next of them */
	size_t clients, count;
	FILE *ledger;	   /* or NULL */
	bool enroll_again; /* the second phase runs */
	bool patient;
	bool h2; /* offer HTTP/2 */
	double pause_ms;
	atomic_size_t redials;
	struct device *devices;
	atomic_size_t next;
	struct cert *issuing;
};

struct connection {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	struct buf in; /* octets read and not yet used */
	struct bench *bench;
	const struct identity *id; /* to dial again */
	bool last;		   /* the server closes after what it has answered */
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* --- one TLS connection ------------------------------------------------------------------- */

static void hang_up(struct connection *c)
{
	if (c->ssl) {
		SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
	}
	SSL_CTX_free(c->ctx);
	if (c->fd >= 0)
		close(c->fd);
	buf_clear(&c->in);
	*c = (struct connection){.fd = -1, .in = BUF_INIT(REPLY_MAX)};
}

static bool dial_tcp(struct connection *c, int port, struct err *e)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct timeval limit = {.tv_sec = IO_TIMEOUT_S};
	int on = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return err_set_errno(e, ERR_IO, "socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		return err_set_errno(e, ERR_IO, "connect");
	return true;
}

static bool dial_once(
	struct connection *c, struct bench *b, const struct identity *id, struct err *e)
{
	int port = b->ports[atomic_fetch_add(&b->turn, 1) % b->port_count];

	*c = (struct connection){.fd = -1, .in = BUF_INIT(REPLY_MAX), .bench = b, .id = id};
	c->ctx = SSL_CTX_new(TLS_client_method());
	if (!c->ctx || SSL_CTX_use_certificate(c->ctx, cert_x509(id->cert)) != 1 ||
		SSL_CTX_use_PrivateKey(c->ctx, key_evp(id->key)) != 1)
		return err_set(e, ERR_BUG, "TLS context");
	for (size_t i = 0; i < id->chain.count; i++)
		SSL_CTX_add1_chain_cert(c->ctx, cert_x509(id->chain.items[i]));
	SSL_CTX_set1_groups_list(c->ctx, "X25519");
	if (b->h2 && SSL_CTX_set_alpn_protos(c->ctx, (const unsigned char *)"\2h2", 3) != 0)
		return err_set(e, ERR_BUG, "ALPN");
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
	if (!dial_tcp(c, port, e))
		return false;
	c->ssl = SSL_new(c->ctx);
	if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_connect(c->ssl) != 1)
		return err_set(e, ERR_PEER, "TLS handshake");
	return true;
}

static void pause_until(double moment_ms)
{
	double left = moment_ms - now_ms();

	if (left > 0)
		usleep((useconds_t)(left * 1e3));
}

static bool dial(struct connection *c, struct bench *b, const struct identity *id, struct err *e)
{
	double until = now_ms() + PATIENCE_MS;

	while (!dial_once(c, b, id, e)) {
		if (!b->patient || now_ms() > until)
			return false;
		hang_up(c);
		ERR_clear_error();
		*e = (struct err)ERR_INIT;
		atomic_fetch_add(&b->redials, 1);
		pause_until(now_ms() + REDIAL_MS);
	}
	return true;
}

/* A connection on which a request may be sent. */
static bool keep_open(struct connection *c, struct err *e)
{
	struct bench *b = c->bench;
	const struct identity *id = c->id;

	if (!c->last || !b->patient)
		return true;
	hang_up(c);
	atomic_fetch_add(&b->redials, 1);
	return dial(c, b, id, e);
}

/* --- one request -------------------------------------------------------------------------- */

struct reply {
	int status;
	int retry_after_s;
	struct buf body;
};

static bool read_more(struct connection *c, struct err *e)
{
	char chunk[8192];
	int n = SSL_read(c->ssl, chunk, sizeof(chunk));

	if (n <= 0)
		return err_set(e, ERR_PEER, "connection ended");
	return buf_append(&c->in, chunk, (size_t)n, e);
}

static long header_number(const char *head, const char *name, long otherwise)
{
	const char *at = strcasestr(head, name);

	return at ? strtol(at + strlen(name), NULL, 10) : otherwise;
}

static bool read_reply(struct connection *c, struct reply *out, struct err *e)
{
	const char *end;
	size_t head_len;
	long length;

	while (!(end = c->in.len ? strstr(buf_str(&c->in), "\r\n\r\n") : NULL))
		if (!read_more(c, e))
			return false;
	head_len = (size_t)(end - buf_str(&c->in)) + 4;
	c->in.data[head_len - 2] = '\0';
	out->status = (int)strtol(buf_str(&c->in) + strlen("HTTP/1.1 "), NULL, 10);
	out->retry_after_s = (int)header_number(buf_str(&c->in), "\r\nRetry-After:", 1);
	length = header_number(buf_str(&c->in), "\r\nContent-Length:", 0);
	c->last = strcasestr(buf_str(&c->in), "\r\nConnection: close") != NULL;
	buf_consume(&c->in, head_len);
	while (c->in.len < (size_t)length)
		if (!read_more(c, e))
			return false;
	buf_clear(&out->body);
	if (!buf_append(&out->body, c->in.data, (size_t)length, e))
		return false;
	buf_consume(&c->in, (size_t)length);
	return true;
}

static bool ask(struct connection *c, const char *method, const char *path, const char *type,
	struct bytes body, struct reply *out, struct err *e)
{
	BUF_AUTO struct buf request = BUF_INIT(REPLY_MAX);

	if (!buf_printf(&request, e, "%s %s HTTP/1.1\r\nHost: localhost\r\n", method, path) ||
		(type && !buf_printf(&request, e, "Content-Type: %s\r\nContent-Length: %zu\r\n",
				 type, body.len)) ||
		!buf_append_str(&request, "\r\n", e) ||
		!buf_append(&request, body.data, body.len, e))
		return false;
	if (!keep_open(c, e))
		return false;
	if (SSL_write(c->ssl, request.data, (int)request.len) != (int)request.len)
		return err_set(e, ERR_PEER, "write to %s", path);
	return read_reply(c, out, e) || err_prefix(e, "%s", path);
}

/* As ask(), but the answer must be 200. */
static bool ask_ok(struct connection *c, const char *method, const char *path, const char *type,
	struct bytes body, struct reply *out, struct err *e)
{
	if (!ask(c, method, path, type, body, out, e))
		return false;
	return out->status == 200 || err_set(e, ERR_PEER, "%s: status %d: %.100s", path,
					     out->status, buf_str(&out->body));
}

/* --- one onboarding ----------------------------------------------------------------------- */

static bool make_request(struct connection *c, struct device *d, struct err *e)
{
	VOUCHER_AUTO struct voucher v;
	BUF_AUTO struct buf text = BUF_INIT(64);
	X509 *server = SSL_get0_peer_certificate(c->ssl);
	uint8_t raw[16];
	CERT_AUTO struct cert *registrar = server ? cert_from_x509(server, e) : NULL;
	struct bytes der;

	voucher_init(&v, VOUCHER_REQUEST);
	if (!registrar || !rng_bytes(raw, sizeof(raw), e) ||
		!base64_encode(bytes_of(raw, sizeof(raw)), &text, e))
		return false;
	snprintf(d->nonce, sizeof(d->nonce), "%s", buf_str(&text));
	buf_init(&d->pvr, CMS_DER_MAX);
	der = cert_der(registrar);
	v.assertion = ASSERTION_PROXIMITY;
	v.has_created_on = true;
	v.created_on = clock_unix_s(NULL);
	v.serial_number = str_dup(d->serial, e);
	v.nonce = str_dup(d->nonce, e);
	buf_init(&v.proximity_registrar_cert, CERT_DER_MAX);
	return v.serial_number && v.nonce &&
	       buf_append(&v.proximity_registrar_cert, der.data, der.len, e) &&
	       voucher_formats[0].seal(&v, &d->idevid, &d->idevid.chain, v.created_on, &d->pvr, e);
}

/* One line of what was acknowledged, if it is written down. */
static bool note(struct bench *b, const char *what, const struct device *d, struct bytes octets,
	struct err *e)
{
	uint8_t hash[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1] = "";

	if (!b->ledger)
		return true;
	if (octets.len > 0) {
		if (!digest_sha256(octets, hash, e))
			return false;
		hex_encode(bytes_of(hash, sizeof(hash)), hex);
	}
	fprintf(b->ledger, "%.0f %s %s %s\n", now_ms(), what, d->serial, hex);
	return true;
}

static void forget_requests(struct device *d)
{
	buf_clear(&d->pvr);
	buf_clear(&d->csr);
	identity_clear(&d->ldevid);
}

static bool get_voucher(struct connection *c, struct device *d, struct reply *r, struct err *e)
{
	static const char path[] = "/.well-known/brski/requestvoucher";
	SIGNED_VOUCHER_AUTO struct signed_voucher answer;

	signed_voucher_init(&answer);
	if (d->pvr.len == 0 && !make_request(c, d, e))
		return false;
	for (int i = 0; i < PENDING_TRIES; i++) {
		if (!ask(c, "POST", path, voucher_formats[0].media_type, buf_bytes(&d->pvr), r, e))
			return false;
		if (r->status != 202 && r->status != 503)
			break;
		sleep((unsigned)(r->retry_after_s > 0 ? r->retry_after_s : 1));
	}
	if (r->status != 200)
		return err_set(
			e, ERR_PEER, "%s: status %d: %.100s", path, r->status, buf_str(&r->body));
	if (!voucher_formats[0].open(buf_bytes(&r->body), NULL, NULL, &answer, e))
		return err_prefix(e, "voucher");
	if (!answer.fields.nonce || strcmp(answer.fields.nonce, d->nonce) != 0 ||
		strcmp(answer.fields.serial_number, d->serial) != 0)
		return err_set(e, ERR_PEER, "voucher for somebody else");
	return note(c->bench, "voucher", d, buf_bytes(&r->body), e);
}

static bool make_csr(struct device *d, struct err *e)
{
	BUF_AUTO struct buf der = BUF_INIT(CSR_DER_MAX);
	struct csr_wish wish = {.subject_der = cert_subject_der(d->idevid.cert)};

	buf_init(&d->csr, 2 * CSR_DER_MAX);
	d->ldevid.key = key_generate(KEY_EC_P256, e);
	wish.key = d->ldevid.key;
	return wish.key && csr_make(&wish, &der, e) && base64_encode(buf_bytes(&der), &d->csr, e);
}

static bool enroll(struct connection *c, struct device *d, struct reply *r, struct err *e)
{
	BUF_AUTO struct buf answer = BUF_INIT(REPLY_MAX);
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;

	if ((d->csr.len == 0 && !make_csr(d, e)) ||
		!ask_ok(c, "POST", "/.well-known/est/simpleenroll", "application/pkcs10",
			buf_bytes(&d->csr), r, e) ||
		!base64_decode_spaced(buf_bytes(&r->body), &answer, e) ||
		!pkcs7_certs_parse(buf_bytes(&answer), &certs, e))
		return false;
	cert_unref(&d->ldevid.cert);
	d->ldevid.cert = cert_ref(certs.items[0]);
	return note(c->bench, "certificate", d, cert_der(d->ldevid.cert), e);
}

static bool onboard(struct bench *b, struct device *d, struct err *e)
{
	static const char json[] = "{\"version\":1,\"status\":true}";
	struct connection c = {.fd = -1};
	struct reply r = {.body = BUF_INIT(REPLY_MAX)};
	struct bytes status = bytes_of_str(json), none = {NULL, 0};
	bool ok;

	ok = dial(&c, b, &d->idevid, e) && get_voucher(&c, d, &r, e) &&
	     ask_ok(&c, "POST", "/.well-known/brski/voucher_status", "application/json", status, &r,
		     e) &&
	     ask_ok(&c, "GET", "/.well-known/est/cacerts", NULL, none, &r, e) &&
	     ask(&c, "GET", "/.well-known/est/csrattrs", NULL, none, &r, e) && enroll(&c, d, &r, e);
	hang_up(&c);
	if (ok)
		ok = dial(&c, b, &d->ldevid, e) &&
		     ask_ok(&c, "POST", "/.well-known/brski/enrollstatus", "application/json",
			     status, &r, e);
	hang_up(&c);
	buf_clear(&r.body);
	return ok && note(b, "joined", d, none, e);
}

/* With a ledger: until it was done, with the same requests. */
static bool join(struct bench *b, struct device *d, struct err *e)
{
	double until = now_ms() + PERSIST_MS;
	bool ok = onboard(b, d, e);

	while (!ok && b->ledger && now_ms() < until) {
		*e = (struct err)ERR_INIT;
		ERR_clear_error();
		atomic_fetch_add(&b->redials, 1);
		pause_until(now_ms() + REDIAL_MS + rng_below(COME_AGAIN_MS));
		ok = onboard(b, d, e);
	}
	forget_requests(d);
	return ok;
}

/* A full handshake and one simpleenroll, as a device does that lost its certificate. */
static bool enroll_again(struct bench *b, struct device *d, struct err *e)
{
	struct connection c = {.fd = -1};
	struct reply r = {.body = BUF_INIT(REPLY_MAX)};
	bool ok = dial(&c, b, &d->idevid, e) && enroll(&c, d, &r, e);

	forget_requests(d);
	hang_up(&c);
	buf_clear(&r.body);
	return ok;
}

static void *client(void *arg)
{
	struct bench *b = arg;
	size_t i;

	while ((i = atomic_fetch_add(&b->next, 1)) < b->count) {
		struct err e = ERR_INIT;
		struct device *d = &b->devices[i];
		double start = now_ms();

		d->ms = (b->enroll_again ? enroll_again : join)(b, d, &e) ? now_ms() - start : -1;
		if (d->ms < 0)
			snprintf(d->why, sizeof(d->why), "%.199s", e.text);
		ERR_clear_error();
		pause_until(start + b->pause_ms);
	}
	return NULL;
}

/* --- devices and the report --------------------------------------------------------------- */

static bool make_device(
	struct device *d, const struct identity *ca, const char *masa, struct err *e)
{
	struct issue_request r = {.profile = PROFILE_IDEVID,
		.issuer = ca,
		.serial_number = d->serial,
		.organization = "Bench",
		.masa_url = masa,
		.not_before = clock_unix_s(NULL) - 3600,
		.not_after = INT64_MAX};
	BUF_AUTO struct buf spki = BUF_INIT(1024);

	d->idevid.key = key_generate(KEY_EC_P256, e);
	if (!d->idevid.key || !key_public_spki(d->idevid.key, &spki, e))
		return false;
	r.spki = buf_bytes(&spki);
	d->idevid.cert = issue_certificate(&r, e);
	return d->idevid.cert && cert_list_add(&d->idevid.chain, ca->cert, e);
}

static double process_cpu_us(long pid)
{
	struct timespec t;
	clockid_t id;

	if (pid <= 0 || clock_getcpuclockid((pid_t)pid, &id) != 0 || clock_gettime(id, &t) != 0)
		return 0;
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The times of those that succeeded into ms, which has room for all. */
static size_t collect(const struct bench *b, double *ms)
{
	size_t good = 0;

	for (size_t i = 0; i < b->count; i++) {
		if (b->devices[i].ms >= 0)
			ms[good++] = b->devices[i].ms;
		else
			fprintf(stderr, "loadgen: %s: %s\n", b->devices[i].serial,
				b->devices[i].why);
	}
	return good;
}

static void report(struct bench *b, double wall_ms, double registrar_us, double masa_us)
{
	double *ms = calloc(b->count + 1, sizeof(*ms));
	size_t good = ms ? collect(b, ms) : 0;

	if (ms)
		qsort(ms, good, sizeof(*ms), by_size);
	printf("{\"clients\": %zu, \"onboardings\": %zu, \"failures\": %zu, \"redials\": %zu, "
	       "\"p50_ms\": %.2f, "
	       "\"p99_ms\": %.2f, \"per_s\": %.1f, \"registrar_cpu_us\": %.1f, \"masa_cpu_us\": "
	       "%.1f",
		b->clients, b->count, b->count - good, atomic_load(&b->redials),
		good ? ms[good / 2] : 0, good ? ms[good * 99 / 100] : 0,
		(double)good * 1e3 / wall_ms, registrar_us / (double)b->count,
		masa_us / (double)b->count);
	free(ms);
}

static bool run_clients(struct bench *b)
{
	pthread_t threads[CLIENTS_MAX];

	atomic_store(&b->next, 0);
	for (size_t i = 0; i < b->clients; i++)
		if (pthread_create(&threads[i], NULL, client, b) != 0)
			return false;
	for (size_t i = 0; i < b->clients; i++)
		pthread_join(threads[i], NULL);
	return true;
}

static bool run(struct bench *b, long registrar_pid, long masa_pid)
{
	double start = now_ms(), r0 = process_cpu_us(registrar_pid), m0 = process_cpu_us(masa_pid);

	if (!run_clients(b))
		return false;
	report(b, now_ms() - start, process_cpu_us(registrar_pid) - r0,
		process_cpu_us(masa_pid) - m0);
	return true;
}

static bool run_enroll(struct bench *b, long registrar_pid)
{
	double before = process_cpu_us(registrar_pid), used;
	double *ms = calloc(b->count + 1, sizeof(*ms));
	size_t good;

	b->enroll_again = true;
	if (!ms || !run_clients(b)) {
		free(ms);
		return false;
	}
	used = process_cpu_us(registrar_pid) - before;
	good = collect(b, ms);
	free(ms);
	printf(", \"enroll_cpu_us\": %.1f, \"enroll_failures\": %zu", used / (double)b->count,
		b->count - good);
	return true;
}

/* --- idle connections --------------------------------------------------------------------- */

static long rss_kb(long pid)
{
	char path[64], line[256];
	long kb = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%ld/status", pid);
	in = fopen(path, "r");
	while (in && fgets(line, sizeof(line), in))
		if (strncmp(line, "VmRSS:", 6) == 0)
			kb = strtol(line + 6, NULL, 10);
	if (in)
		fclose(in);
	return kb;
}

/* The beginning of HTTP/2 (RFC 9113 §3.4): preface, settings, and an answer to the server's. */
static bool start_h2(struct connection *c, struct err *e)
{
	static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	static const char acknowledged[] = "\0\0\0\4\1\0\0\0\0";

	return (SSL_write(c->ssl, hello, sizeof(hello) - 1) > 0 && read_more(c, e) &&
		       SSL_write(c->ssl, acknowledged, sizeof(acknowledged) - 1) > 0) ||
	       err_set(e, ERR_PEER, "HTTP/2");
}

/* What memory that was used before can hold is filled by a first half: the second one counts. */
static bool run_idle(
	struct bench *b, size_t count, long registrar_pid, const char *figure, struct err *e)
{
	struct connection *open = calloc(count, sizeof(*open));
	long half = 0, all;
	bool ok = open != NULL;
	size_t n = 0;

	for (; ok && n < count; n++) {
		if (n == count / 2)
			half = rss_kb(registrar_pid);
		ok = dial(&open[n], b, &b->devices[n % b->count].idevid, e) &&
		     (!b->h2 || start_h2(&open[n], e));
	}
	usleep(IDLE_SETTLE_US);
	all = rss_kb(registrar_pid);
	for (size_t i = 0; i < n; i++)
		hang_up(&open[i]);
	free(open);
	if (ok)
		printf(", \"%s\": %.1f", figure,
			(double)(all - half) / (double)(count - count / 2));
	return ok;
}

/* HTTP/1.1 as a pledge speaks it, then HTTP/2; half as many at first, so that the memory they leave
 * behind is gone when the second half of the others is counted. */
static bool run_idles(struct bench *b, size_t count, long registrar_pid, struct err *e)
{
	if (!run_idle(b, count / 2, registrar_pid, "rss_idle_conn_kb", e))
		return false;
	b->h2 = true;
	return run_idle(b, count, registrar_pid, "rss_idle_h2_conn_kb", e);
}

/* --- devices that wait for an administrator ----------------------------------------------- */

struct waiting {
	struct connection c;
	struct device *device;
};

static bool poll_once(struct waiting *w, struct reply *r, struct err *e)
{
	static const char path[] = "/.well-known/brski/requestvoucher";

	if (!ask(&w->c, "POST", path, voucher_formats[0].media_type, buf_bytes(&w->device->pvr), r,
		    e))
		return false;
	return r->status == 202 ||
	       err_set(e, ERR_PEER, "%s: status %d: %.100s", path, r->status, buf_str(&r->body));
}

static bool start_waiting(struct waiting *w, struct bench *b, struct device *d, struct err *e)
{
	struct reply r = {.body = BUF_INIT(REPLY_MAX)};
	bool ok;

	w->device = d;
	ok = dial(&w->c, b, &d->idevid, e) && make_request(&w->c, d, e) && poll_once(w, &r, e);
	buf_clear(&r.body);
	return ok;
}

static bool poll_all(struct waiting *waiting, size_t count, long polls, struct err *e)
{
	struct reply r = {.body = BUF_INIT(REPLY_MAX)};
	bool ok = true;

	for (long round = 0; ok && round < polls; round++)
		for (size_t i = 0; ok && i < count; i++)
			ok = poll_once(&waiting[i], &r, e);
	buf_clear(&r.body);
	return ok;
}

static bool run_polls(struct bench *b, long polls, long registrar_pid, struct err *e)
{
	struct waiting *waiting = calloc(b->count, sizeof(*waiting));
	bool ok = waiting != NULL;
	double before;
	size_t n = 0;

	for (; ok && n < b->count; n++)
		ok = start_waiting(&waiting[n], b, &b->devices[n], e);
	before = process_cpu_us(registrar_pid);
	ok = ok && poll_all(waiting, n, polls, e);
	if (ok)
		printf("{\"pending_poll_cpu_us\": %.1f",
			(process_cpu_us(registrar_pid) - before) / (double)(polls * (long)n));
	for (size_t i = 0; i < n; i++) {
		hang_up(&waiting[i].c);
		forget_requests(waiting[i].device);
	}
	free(waiting);
	return ok;
}

struct arguments {
	const char *ca, *masa, *ports, *ledger;
	long clients, count, first, pids[2], idle, polls;
	double pause_ms;
	bool serials_only, enroll, patient;
};

static bool parse_arguments(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {{"port", 1, NULL, 'p'}, {"ca", 1, NULL, 'a'},
		{"masa-url", 1, NULL, 'm'}, {"clients", 1, NULL, 'n'}, {"count", 1, NULL, 'c'},
		{"first", 1, NULL, 'f'}, {"pids", 1, NULL, 'i'}, {"serials", 0, NULL, 's'},
		{"enroll", 0, NULL, 'e'}, {"idle", 1, NULL, 'd'}, {"patient", 0, NULL, 'r'},
		{"pause", 1, NULL, 'u'}, {"polls", 1, NULL, 'w'}, {"ledger", 1, NULL, 'l'}, {0}};
	char *rest;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case 'p':
			a->ports = optarg;
			break;
		case 'a':
			a->ca = optarg;
			break;
		case 'm':
			a->masa = optarg;
			break;
		case 'n':
			a->clients = strtol(optarg, NULL, 10);
			break;
		case 'c':
			a->count = strtol(optarg, NULL, 10);
			break;
		case 'f':
			a->first = strtol(optarg, NULL, 10);
			break;
		case 's':
			a->serials_only = true;
			break;
		case 'e':
			a->enroll = true;
			break;
		case 'r':
			a->patient = true;
			break;
		case 'u':
			a->pause_ms = strtod(optarg, NULL);
			break;
		case 'w':
			a->polls = strtol(optarg, NULL, 10);
			break;
		case 'l':
			a->ledger = optarg;
			break;
		case 'd':
			a->idle = strtol(optarg, NULL, 10);
			break;
		case 'i':
			a->pids[0] = strtol(optarg, &rest, 10);
			a->pids[1] = *rest == ',' ? strtol(rest + 1, NULL, 10) : 0;
			break;
		default:
			return false;
		}
	}
	return a->idle >= 0 && a->idle <= IDLE_MAX && a->polls >= 0 && a->clients > 0 &&
	       a->clients <= CLIENTS_MAX && a->count > 0 && a->count <= COUNT_MAX &&
	       (a->serials_only || (a->ca && a->masa && a->ports));
}

static bool parse_ports(struct bench *b, const char *text)
{
	char *rest = (char *)(uintptr_t)text;

	while (text && *rest && b->port_count < PORTS_MAX) {
		b->ports[b->port_count++] = (int)strtol(rest, &rest, 10);
		rest += *rest == ',';
	}
	return !text || *rest == '\0';
}

static bool open_ledger(struct bench *b, const char *path)
{
	b->ledger = path ? fopen(path, "we") : NULL;
	if (b->ledger)
		setlinebuf(b->ledger);
	return !path || b->ledger;
}

static bool measure(struct bench *b, const struct arguments *a, struct err *e)
{
	if (a->polls)
		return run_polls(b, a->polls, a->pids[0], e);
	return run(b, a->pids[0], a->pids[1]) && (!a->enroll || run_enroll(b, a->pids[0])) &&
	       (!a->idle || run_idles(b, (size_t)a->idle, a->pids[0], e));
}

static bool prepare(struct bench *b, const struct arguments *a, struct err *e)
{
	IDENTITY_AUTO struct identity ca = {.key = NULL};
	char key[512], cert[512];

	snprintf(key, sizeof(key), "%s/issuing.key", a->ca);
	snprintf(cert, sizeof(cert), "%s/issuing.crt", a->ca);
	if (!identity_load(&ca, key, cert, e))
		return false;
	for (size_t i = 0; i < b->count; i++)
		if (!make_device(&b->devices[i], &ca, a->masa, e))
			return false;
	return true;
}

int main(int argc, char **argv)
{
	struct arguments a = {.clients = 1, .count = 1, .first = 1};
	struct err e = ERR_INIT;
	struct bench b = {.port_count = 0};
	bool ok;

	if (!parse_arguments(argc, argv, &a)) {
		fprintf(stderr,
			"usage: loadgen --port P --ca DIR --masa-url U --clients N --count N "
			"[--first N] [--pids REGISTRAR,MASA] [--enroll] [--idle N] [--polls N] "
			"[--patient] [--pause MS] [--ledger FILE] [--serials]\n");
		return 2;
	}
	if (!parse_ports(&b, a.ports) || !open_ledger(&b, a.ledger))
		return 2;
	b.clients = (size_t)a.clients;
	b.patient = a.patient;
	b.pause_ms = a.pause_ms;
	b.count = (size_t)a.count;
	b.devices = calloc(b.count, sizeof(*b.devices));
	if (!b.devices)
		return 1;
	for (size_t i = 0; i < b.count; i++) {
		snprintf(b.devices[i].serial, sizeof(b.devices[i].serial), "BENCH-%07ld",
			a.first + (long)i);
		if (a.serials_only)
			puts(b.devices[i].serial);
	}
	ok = a.serials_only || (prepare(&b, &a, &e) && measure(&b, &a, &e));
	if (ok && !a.serials_only)
		puts("}");
	if (!ok)
		fprintf(stderr, "loadgen: %s\n", e.text);
	for (size_t i = 0; i < b.count; i++)
		identity_clear(&b.devices[i].idevid);
	free(b.devices);
	if (b.ledger)
		fclose(b.ledger);
	return ok ? 0 : 1;
}
