/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi interface on our event loop: the registrar's way to the MASA (RFC 8995 §5.4).
 *
 * curl says which sockets it wants watched and when it wants to be woken; both become events of the
 * loop. A transfer is a `struct fetch` that lives from http_fetch() until its done() was called.
 *
 * Set on every transfer, each for a measured reason:
 *   CAINFO_BLOB, CAPATH=NULL Debian's default also trusts /etc/ssl/certs beside the pinned CA
 *   PIPEWAIT, MAX_HOST_CONNECTIONS   300 queued h2 requests opened 201 connections without them
 *   FORBID_REUSE until answered   out of memory, curl kept a broken h2 session for the next request
 *   open-socket and prereq callbacks   no address outside the classes the administrator allowed is
 *                            spoken to, on a new connection or on one that already stands
 *   addresses that failed are put last   one address of three that swallows everything cost each
 *                            new connection half of its time, and one that hangs in TLS all of it
 *   NOSIGNAL, empty Expect:, no proxy from the environment, redirects not followed
 *   https only, but for objects that carry their own signature (signed_object) and on this machine
 */
#include "common/net/http_client.h"

#include <assert.h>
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"

#define HOST_CONNECTIONS_MAX                                                                       \
	4 /* per host and loop: one when the server speaks h2, 4 with HTTP/1.1 */
#define IDLE_CONNECTIONS_MAX 64 /* kept open over all hosts of a loop */
#define URL_MAX		     1024
#define UPLOAD_BUFFER	     16384L /* its least; by default 64 kB are taken and given back each time */
#define REASON_MAX	     200   /* of curl's own words */
#define SHUNNED_MAX	     32	   /* addresses that failed lately: those of a few sites */
#define SHUNNED_MS	     60000 /* so long another address of the name is taken instead */
#define OPENED_MAX	     8	   /* of one request, looked at when it has ended */

/* Where a connection could not be made, though somebody wanted one. */
struct shunned {
	struct sockaddr_storage address;
	socklen_t len;
	int64_t until_ms;
};

struct http_client {
	struct loop *loop;
	CURLM *multi; /* NULL: the next request makes it */
	struct loop_timer timer;
	bool woken;	     /* by it, just now */
	struct fetch *first; /* outstanding */
	struct shunned shunned[SHUNNED_MAX];
};

struct fetch {
	struct http_client *client;
	struct fetch *prev, *next;
	CURL *easy;
	struct curl_slist *headers;
	struct buf body; /* of the request */
	struct buf answer;
	struct uri uri;
	unsigned address_classes;
	bool too_large, address_refused, address_used;
	struct shunned opened[OPENED_MAX];  /* where connections were begun, in this order */
	size_t opened_count, opened_before; /* before this attempt */
	bool passed_over, again; /* some were left out; whatever they did, they are tried now */
	CURLcode failed;	 /* of the first attempt */
	int64_t until_ms;	 /* its time is over then, however many attempts there were */
	char *content_type, *location, *retry_after, *date, *brski_timestamp, *brski_signature;
	http_done *done;
	void *arg;
	char reason[CURL_ERROR_SIZE], failed_reason[CURL_ERROR_SIZE];
};

/* ---- Address classes ------------------------------------------------------------------------ */

const char *const http_address_class_names[] = {
	"global", "private", "loopback", "link-local", NULL};

struct address_range {
	uint8_t prefix[16];
	unsigned bits;
	unsigned class; /* 0: never a peer */
};

static const struct address_range ranges4[] = {
	{{0}, 8, 0},
	{{10}, 8, HTTP_ADDR_PRIVATE},
	{{100, 64}, 10, HTTP_ADDR_PRIVATE},
	{{127}, 8, HTTP_ADDR_LOOPBACK},
	{{169, 254}, 16, HTTP_ADDR_LINK_LOCAL},
	{{172, 16}, 12, HTTP_ADDR_PRIVATE},
	{{192, 168}, 16, HTTP_ADDR_PRIVATE},
	{{224}, 3, 0}, /* multicast, reserved, broadcast */
	{{0}, 0, HTTP_ADDR_GLOBAL},
};

#define V4_INSIDE 0x8000 /* the class is that of the IPv4 address in the last octets */

static const struct address_range ranges6[] = {
	{{[15] = 1}, 128, HTTP_ADDR_LOOPBACK},
	{{[10] = 0xff, [11] = 0xff}, 96, V4_INSIDE},
	{{0}, 96, 0},				   /* unspecified and IPv4-compatible */
	{{0x00, 0x64, 0xff, 0x9b}, 96, V4_INSIDE}, /* NAT64 */
	{{0xfe, 0x80}, 10, HTTP_ADDR_LINK_LOCAL},
	{{0xfe, 0xc0}, 10, HTTP_ADDR_PRIVATE}, /* site-local, deprecated */
	{{0xfc}, 7, HTTP_ADDR_PRIVATE},
	{{0xff}, 8, 0},
	{{0x20, 0x02}, 16, 0}, /* 6to4: hides an IPv4 address */
	{{0}, 0, HTTP_ADDR_GLOBAL},
};

static bool in_range(const uint8_t *address, const struct address_range *r)
{
	unsigned whole = r->bits / 8, rest = r->bits % 8;
	uint8_t mask = (uint8_t)(0xff << (8 - rest));

	return memcmp(address, r->prefix, whole) == 0 &&
	       (rest == 0 || (address[whole] & mask) == r->prefix[whole]);
}

static unsigned class_in(const uint8_t *address, const struct address_range *r)
{
	while (!in_range(address, r))
		r++; /* the last range of each table holds every address */
	return r->class == V4_INSIDE ? class_in(address + 12, ranges4) : r->class;
}

static unsigned class_of_text(const char *ip)
{
	uint8_t address[16];

	if (inet_pton(AF_INET, ip, address) == 1)
		return class_in(address, ranges4);
	if (inet_pton(AF_INET6, ip, address) == 1)
		return class_in(address, ranges6);
	return 0;
}

static unsigned class_of(const struct sockaddr *sa)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (sa->sa_family == AF_INET) {
		memcpy(&v4, sa, sizeof(v4));
		return class_in((const uint8_t *)&v4.sin_addr, ranges4);
	}
	if (sa->sa_family == AF_INET6) {
		memcpy(&v6, sa, sizeof(v6));
		return class_in(v6.sin6_addr.s6_addr, ranges6);
	}
	return 0;
}

/* ---- Addresses that failed ---- */

static bool same_address(const struct shunned *s, const struct curl_sockaddr *a)
{
	return s->len == a->addrlen && memcmp(&s->address, &a->addr, s->len) == 0;
}

static bool is_shunned(const struct http_client *c, const struct curl_sockaddr *a)
{
	const int64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < SHUNNED_MAX; i++)
		if (same_address(&c->shunned[i], a) && c->shunned[i].until_ms > now_ms)
			return true;
	return false;
}

/* In the place of the one that is over first. */
static void shun(struct http_client *c, const struct shunned *who)
{
	struct shunned *at = &c->shunned[0];

	for (size_t i = 0; i < SHUNNED_MAX; i++) {
		struct shunned *s = &c->shunned[i];

		if (s->len == who->len && memcmp(&s->address, &who->address, s->len) == 0) {
			at = s;
			break;
		}
		if (s->until_ms < at->until_ms)
			at = s;
	}
	*at = *who;
	at->until_ms = clock_mono_ms() + SHUNNED_MS;
}

/* Each address once, and in one attempt one of each family, which curl races: from one that
 * swallows everything it comes to the next of the same family, and then lets that one fail as well.
 */
static bool has_its_turn(const struct fetch *f, const struct curl_sockaddr *a)
{
	for (size_t i = 0; i < f->opened_before; i++)
		if (same_address(&f->opened[i], a))
			return false;
	for (size_t i = f->opened_before; i < f->opened_count; i++)
		if (f->opened[i].address.ss_family == a->family)
			return false;
	return true;
}

static void note_opened(struct fetch *f, const struct curl_sockaddr *a)
{
	struct shunned *s;

	if (f->opened_count == OPENED_MAX || a->addrlen > sizeof(s->address))
		return;
	s = &f->opened[f->opened_count];
	memcpy(&s->address, &a->addr, a->addrlen);
	s->len = a->addrlen;
	f->opened_count++;
}

static bool has_text(const struct shunned *s, const char *ip)
{
	char text[INET6_ADDRSTRLEN] = "";
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	memcpy(&v4, &s->address, sizeof(v4));
	memcpy(&v6, &s->address, sizeof(v6));
	if (s->address.ss_family == AF_INET)
		inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
	return strcmp(text, ip) == 0;
}

/* Those before the one that answered did not, and of a request that got no answer none did. Where
 * there is only one, it is never left out: nothing else could be tried. */
static void shun_failed(struct fetch *f, bool answered)
{
	const char *ip = NULL;

	if (answered)
		curl_easy_getinfo(f->easy, CURLINFO_PRIMARY_IP, &ip);
	for (size_t i = 0; i < f->opened_count; i++) {
		if (ip && has_text(&f->opened[i], ip))
			break; /* what was opened behind it had no time */
		shun(f->client, &f->opened[i]);
	}
}

static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct fetch *f = arg;

	if (!(class_of(&address->addr) & f->address_classes)) {
		f->address_refused = true;
		return CURL_SOCKET_BAD;
	}
	if (!has_its_turn(f, address))
		return CURL_SOCKET_BAD;
	if (!f->again && is_shunned(f->client, address)) {
		f->passed_over = true;
		return CURL_SOCKET_BAD;
	}
	f->address_used = true;
	note_opened(f, address);
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* The connection may have been opened for a request with wider classes. */
static int on_before_request(
	void *arg, char *peer_ip, char *local_ip, int peer_port, int local_port)
{
	struct fetch *f = arg;

	if (class_of_text(peer_ip) & f->address_classes)
		return CURL_PREREQFUNC_OK;
	f->address_refused = true;
	f->address_used = false;
	return CURL_PREREQFUNC_ABORT;
}

/* ---- One transfer --------------------------------------------------------------------------- */

static void fetch_free(struct fetch *f)
{
	if (f->prev)
		f->prev->next = f->next;
	else if (f->client->first == f)
		f->client->first = f->next;
	if (f->next)
		f->next->prev = f->prev;
	if (f->easy) {
		curl_multi_remove_handle(f->client->multi, f->easy);
		curl_easy_cleanup(f->easy);
	}
	curl_slist_free_all(f->headers);
	buf_clear(&f->body);
	buf_clear(&f->answer);
	free_ptr(&f->content_type);
	free_ptr(&f->location);
	free_ptr(&f->retry_after);
	free_ptr(&f->date);
	free_ptr(&f->brski_timestamp);
	free_ptr(&f->brski_signature);
	free(f);
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct fetch *f = arg;
	struct err ignored = ERR_INIT;

	if (!buf_append(&f->answer, data, size * count, &ignored)) {
		f->too_large = true;
		return 0;
	}
	return size * count;
}

static void keep_header(char **slot, const char *value, size_t len)
{
	struct err ignored = ERR_INIT;

	while (len > 0 && (*value == ' ' || *value == '\t')) {
		value++;
		len--;
	}
	while (len > 0 && strchr(" \t\r\n", value[len - 1]))
		len--;
	free_ptr(slot);
	*slot = str_dup_n(value, len, &ignored); /* absent when there is no memory */
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct fetch *f = arg;
	const struct {
		const char *name;
		char **slot;
	} kept[] = {
		{"content-type:", &f->content_type},
		{"location:", &f->location},
		{"retry-after:", &f->retry_after},
		{"date:", &f->date},
		{"x-brski-timestamp:", &f->brski_timestamp},
		{"x-brski-signature:", &f->brski_signature},
	};
	size_t len = size * count;

	curl_easy_setopt(f->easy, CURLOPT_FORBID_REUSE, 0L); /* the connection proved good */
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
		size_t name_len = strlen(kept[i].name);

		if (len > name_len && strncasecmp(line, kept[i].name, name_len) == 0)
			keep_header(kept[i].slot, line + name_len, len - name_len);
	}
	return len;
}

/* DNS-ID or IP-ID only: curl alone would fall back to the common name (RFC 6125 §6.4.4). */
static CURLcode on_ssl_ctx(CURL *easy, void *ssl_ctx, void *arg)
{
	struct fetch *f = arg;
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ssl_ctx);
	int ok;

	X509_VERIFY_PARAM_set_hostflags(
		param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	ok = f->uri.host_is_ip ? X509_VERIFY_PARAM_set1_ip_asc(param, f->uri.host)
			       : X509_VERIFY_PARAM_set1_host(param, f->uri.host, 0);
	return ok ? CURLE_OK : CURLE_ABORTED_BY_CALLBACK;
}

static bool add_header(struct fetch *f, const char *name, const char *value, struct err *e)
{
	FREE_AUTO char *line = NULL;
	struct curl_slist *longer;

	line = value ? str_printf(e, "%s: %s", name, value) : str_printf(e, "%s:", name);
	if (!line)
		return false;
	longer = curl_slist_append(f->headers, line);
	if (!longer)
		return err_set(e, ERR_NO_MEMORY, "no memory for a header");
	f->headers = longer;
	return true;
}

static bool add_headers(struct fetch *f, const struct http_fetch *w, struct err *e)
{
	for (size_t i = 0; i < w->field_count; i++)
		if (!add_header(f, w->fields[i].name, w->fields[i].value, e))
			return false;
	return add_header(f, "Expect", NULL, e) &&
	       (!w->content_type || add_header(f, "Content-Type", w->content_type, e)) &&
	       (!w->accept || add_header(f, "Accept", w->accept, e)) &&
	       (!w->exchange || add_header(f, "X-Request-Id", w->exchange, e));
}

/* The first option that fails is what is reported; curl copies strings. */
#define SET(option, value) (rc = rc ? rc : curl_easy_setopt(easy, (option), (value)))

static CURLcode set_request(struct fetch *f, const struct http_fetch *w, const char *url)
{
	CURL *easy = f->easy;
	CURLcode rc = CURLE_OK;

	SET(CURLOPT_URL, url);
	SET(CURLOPT_PROTOCOLS_STR, w->signed_object || w->plain_loopback ? "http,https" : "https");
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_HTTPHEADER, f->headers);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	SET(CURLOPT_PIPEWAIT, 1L);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)w->connect_ms);
	SET(CURLOPT_TIMEOUT_MS, (long)w->timeout_ms);
	if (strcmp(w->method, "POST") == 0) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->body.len);
		SET(CURLOPT_POSTFIELDS, buf_str(&f->body));
	}
	if (w->basic_user) {
		SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		SET(CURLOPT_USERNAME, w->basic_user);
		SET(CURLOPT_PASSWORD, w->basic_password);
	}
	return rc;
}

static struct curl_blob borrowed(struct bytes pem)
{
	return (struct curl_blob){
		.data = (void *)(uintptr_t)pem.data, .len = pem.len, .flags = CURL_BLOB_NOCOPY};
}

static CURLcode set_tls(struct fetch *f, const struct http_fetch *w)
{
	struct curl_blob ca = borrowed(w->ca_pem), cert = borrowed(w->client_cert_pem),
			 key = borrowed(w->client_key_pem);
	CURL *easy = f->easy;
	CURLcode rc = CURLE_OK;

	SET(CURLOPT_FORBID_REUSE, 1L); /* until there is an answer */
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (w->signed_object) {
		SET(CURLOPT_SSL_VERIFYPEER, 0L);
		SET(CURLOPT_SSL_VERIFYHOST, 0L);
		return rc;
	}
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_CAINFO, (char *)NULL);
	SET(CURLOPT_CAINFO_BLOB, &ca);
	SET(CURLOPT_CAPATH, (char *)NULL);
	SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
	SET(CURLOPT_SSL_CTX_DATA, f);
	if (w->client_cert_pem.len) {
		SET(CURLOPT_SSLCERT_BLOB, &cert);
		SET(CURLOPT_SSLKEY_BLOB, &key);
	}
	return rc;
}

static CURLcode set_callbacks(struct fetch *f)
{
	CURL *easy = f->easy;
	CURLcode rc = CURLE_OK;

	SET(CURLOPT_PRIVATE, f);
	SET(CURLOPT_ERRORBUFFER, f->reason);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, f);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, f);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	SET(CURLOPT_OPENSOCKETDATA, f);
	SET(CURLOPT_PREREQFUNCTION, on_before_request);
	SET(CURLOPT_PREREQDATA, f);
	return rc;
}

/* What may go without a server we can name may not carry anything of ours. */
static bool is_permitted(const struct http_fetch *w, struct err *e)
{
	if (w->plain_loopback && w->address_classes != HTTP_ADDR_LOOPBACK)
		return err_set(e, ERR_BUG, "plain http to other machines asked for");
	if (!w->signed_object && !w->plain_loopback)
		return w->uri.scheme == URI_HTTPS || err_set(e, ERR_BUG, "plain http asked for");
	return (!w->client_cert_pem.len && !w->basic_user) ||
	       err_set(e, ERR_BUG, "credentials for a server nobody vouches for");
}

static bool fetch_prepare(struct fetch *f, const struct http_fetch *w, struct err *e)
{
	BUF_AUTO struct buf url = BUF_INIT(URL_MAX);
	CURLcode rc;

	f->easy = curl_easy_init();
	if (!f->easy)
		return err_set(e, ERR_NO_MEMORY, "no memory for an HTTP request");
	if (!is_permitted(w, e) || !buf_append(&f->body, w->body.data, w->body.len, e) ||
		!uri_format(&w->uri, &url, e) || !add_headers(f, w, e))
		return false;
	rc = set_request(f, w, buf_str(&url));
	if (!rc)
		rc = set_tls(f, w);
	if (!rc)
		rc = set_callbacks(f);
	return !rc || err_set(e, rc == CURLE_OUT_OF_MEMORY ? ERR_NO_MEMORY : ERR_BUG,
			      "HTTP request cannot be set up: %s", curl_easy_strerror(rc));
}

static struct fetch *fetch_new(struct http_client *c, const struct http_fetch *w, struct err *e)
{
	struct fetch *f = mem_new(sizeof(*f), e);

	if (!f)
		return NULL;
	f->client = c;
	f->uri = w->uri;
	f->address_classes = w->address_classes;
	f->until_ms = clock_mono_ms() + w->timeout_ms;
	buf_init(&f->body, w->body.len);
	buf_init(&f->answer, w->reply_max);
	if (fetch_prepare(f, w, e))
		return f;
	fetch_free(f);
	return NULL;
}

static int on_watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg);
static int on_watch_timer(CURLM *multi, long timeout_ms, void *arg);

static bool set_up_multi(struct http_client *c, struct err *e)
{
	CURLMcode rc = CURLM_OK;
	CURLM *m = curl_multi_init();

	c->multi = m;
	if (!m)
		return err_set(e, ERR_NO_MEMORY, "no memory for an HTTP client");
	rc = rc ? rc : curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_watch_socket);
	rc = rc ? rc : curl_multi_setopt(m, CURLMOPT_SOCKETDATA, c);
	rc = rc ? rc : curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_watch_timer);
	rc = rc ? rc : curl_multi_setopt(m, CURLMOPT_TIMERDATA, c);
	rc = rc ? rc : curl_multi_setopt(m, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	rc = rc ? rc
		: curl_multi_setopt(m, CURLMOPT_MAX_HOST_CONNECTIONS, (long)HOST_CONNECTIONS_MAX);
	rc = rc ? rc : curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS_MAX);
	if (!rc)
		return true;
	curl_multi_cleanup(m);
	c->multi = NULL;
	return err_set(e, ERR_BUG, "HTTP client cannot be set up: %s", curl_multi_strerror(rc));
}

bool http_fetch(struct http_client *c, const struct http_fetch *w, http_done *done, void *arg,
	struct err *e)
{
	struct fetch *f;
	CURLMcode rc;

	if (!c->multi && !set_up_multi(c, e))
		return false;
	f = fetch_new(c, w, e);
	if (!f)
		return false;
	f->done = done;
	f->arg = arg;
	rc = curl_multi_add_handle(c->multi, f->easy);
	if (rc) {
		fetch_free(f);
		return err_set(e, rc == CURLM_OUT_OF_MEMORY ? ERR_NO_MEMORY : ERR_BUG,
			"HTTP request cannot be started: %s", curl_multi_strerror(rc));
	}
	f->next = c->first;
	if (f->next)
		f->next->prev = f;
	c->first = f;
	/* now, not after another look at all sockets; but those that begin one when another could
	 * not even begin must not keep everybody else from their turn */
	if (!c->woken)
		event_active(c->timer.ev, EV_TIMEOUT, 0);
	return true;
}

/* ---- Its end -------------------------------------------------------------------------------- */

static enum err_kind kind_of(CURLcode rc)
{
	static const struct {
		CURLcode rc;
		enum err_kind kind;
	} kinds[] = {
		{CURLE_OPERATION_TIMEDOUT, ERR_PEER_TIMEOUT},
		{CURLE_COULDNT_RESOLVE_HOST, ERR_RETRY_LATER},
		{CURLE_COULDNT_CONNECT, ERR_RETRY_LATER},
		{CURLE_OUT_OF_MEMORY, ERR_NO_MEMORY},
		{CURLE_SSL_CACERT_BADFILE, ERR_IO},
		{CURLE_SSL_CERTPROBLEM, ERR_IO},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (kinds[i].rc == rc)
			return kinds[i].kind;
	return ERR_PEER;
}

static void describe_failure(const struct fetch *f, CURLcode rc, struct err *e)
{
	const char *words = f->reason[0] ? f->reason : curl_easy_strerror(rc);

	if (f->too_large)
		err_set(e, ERR_PEER, "answer larger than %zu octets", f->answer.max);
	else if (f->address_refused && !f->address_used)
		err_set(e, ERR_REFUSED, "its address is of a class that is not allowed here");
	else
		err_set(e, kind_of(rc), "%.*s", REASON_MAX, words);
	uri_blame(&f->uri, e);
}

/* Nothing was sent yet: it can go another way without anybody having heard of it. */
static bool never_connected(const struct fetch *f, CURLcode rc)
{
	curl_off_t tls_us = 0;

	if (rc != CURLE_COULDNT_CONNECT && rc != CURLE_OPERATION_TIMEDOUT &&
		rc != CURLE_SSL_CONNECT_ERROR && rc != CURLE_PEER_FAILED_VERIFICATION)
		return false;
	curl_easy_getinfo(f->easy, CURLINFO_APPCONNECT_TIME_T, &tls_us);
	return tls_us == 0;
}

static bool start_again(struct fetch *f)
{
	const int64_t left_ms = f->until_ms - clock_mono_ms();

	if (left_ms <= 0 || f->opened_count == OPENED_MAX)
		return false;
	f->passed_over = false;
	f->opened_before = f->opened_count;
	curl_multi_remove_handle(f->client->multi, f->easy);
	return curl_easy_setopt(f->easy, CURLOPT_TIMEOUT_MS, (long)left_ms) == CURLE_OK &&
	       curl_multi_add_handle(f->client->multi, f->easy) == CURLM_OK;
}

/* The other addresses of the name, each once; those that were left out for what they did before
 * come last. What is told in the end is the first failure, not that nothing was left to try. */
static bool goes_on(struct fetch *f, CURLcode *rc)
{
	const bool tried = f->opened_count > f->opened_before;

	shun_failed(f, *rc == CURLE_OK);
	if (!never_connected(f, *rc))
		return false;
	if (tried && !f->failed) {
		f->failed = *rc;
		memcpy(f->failed_reason, f->reason, sizeof(f->reason));
	}
	if (tried || (f->passed_over && !f->again)) {
		f->again = f->again || !tried;
		if (start_again(f))
			return true;
	}
	if (f->failed) {
		*rc = f->failed;
		memcpy(f->reason, f->failed_reason, sizeof(f->reason));
	}
	return false;
}

static void finish(struct fetch *f, CURLcode rc)
{
	struct http_reply reply = {.content_type = f->content_type ? f->content_type : "",
		.location = f->location,
		.retry_after = f->retry_after,
		.date = f->date,
		.brski_timestamp = f->brski_timestamp,
		.brski_signature = f->brski_signature,
		.body = buf_bytes(&f->answer)};
	struct err e = ERR_INIT;
	long status = 0;

	if (goes_on(f, &rc))
		return;
	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	reply.status = (int)status;
	if (rc == CURLE_OK) {
		f->done(f->arg, &reply, NULL);
	} else {
		describe_failure(f, rc, &e);
		f->done(f->arg, NULL, &e);
	}
	fetch_free(f);
}

/* done() may start further requests: curl allows that here, we are not inside one of its callbacks.
 */
static void finish_completed(struct http_client *c)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
		CURLcode rc = m->data.result;
		char *f = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &f);
		finish((struct fetch *)(void *)f, rc);
	}
}

/* Out of memory, curl forgets to watch a socket, or that it watches one, or says its handle is
 * dead: what is under way would wait for its time-out, and the next connection of the same number
 * crash. The handle is given up; the next request makes a new one. */
static void start_over(struct http_client *c)
{
	struct fetch *failed = c->first, *next;

	for (struct fetch *f = failed; f; f = f->next)
		curl_multi_remove_handle(c->multi, f->easy);
	curl_multi_cleanup(c->multi);
	c->multi = NULL;
	loop_timer_disarm(&c->timer);
	for (struct fetch *f = failed; f; f = next) { /* done() puts new ones before them */
		next = f->next;
		finish(f, CURLE_OUT_OF_MEMORY);
	}
}

/* ---- curl on the loop ----------------------------------------------------------------------- */

static void drive(struct http_client *c, curl_socket_t fd, int action)
{
	int running;
	CURLMcode rc = curl_multi_socket_action(c->multi, fd, action, &running);

	finish_completed(c);
	if (rc == CURLM_OUT_OF_MEMORY || rc == CURLM_ABORTED_BY_CALLBACK)
		start_over(c);
}

static void on_socket_event(evutil_socket_t fd, short what, void *arg)
{
	struct http_client *c = arg;
	drive(c, fd,
		(what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_timer(void *arg)
{
	struct http_client *c = arg;

	c->woken = true;
	drive(c, CURL_SOCKET_TIMEOUT, 0);
	c->woken = false;
}

static int on_watch_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct http_client *c = arg;

	if (timeout_ms < 0)
		loop_timer_disarm(&c->timer);
	else
		loop_timer_arm(&c->timer, timeout_ms);
	return 0;
}

static int on_watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct http_client *c = arg;
	struct event *ev = socket_arg;
	short wanted = EV_PERSIST;

	if (ev)
		event_free(ev);
	if (what == CURL_POLL_REMOVE) {
		curl_multi_assign(c->multi, fd, NULL);
		return 0;
	}
	if (what != CURL_POLL_OUT)
		wanted |= EV_READ;
	if (what != CURL_POLL_IN)
		wanted |= EV_WRITE;
	ev = event_new(loop_base(c->loop), fd, wanted, on_socket_event, c);
	curl_multi_assign(c->multi, fd, ev);
	if (!ev)
		return -1;
	return event_add(ev, NULL);
}

struct http_client *http_client_new(struct loop *l, struct err *e)
{
	struct http_client *c;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
		err_set(e, ERR_BUG, "the HTTP library cannot be initialised");
		return NULL;
	}
	c = mem_new(sizeof(*c), e);
	if (!c)
		return NULL;
	c->loop = l;
	if (loop_timer_init(&c->timer, l, on_timer, c, e) && set_up_multi(c, e))
		return c;
	http_client_free(c);
	return NULL;
}

void http_client_free(struct http_client *c)
{
	struct fetch *f;

	if (!c)
		return;
	while ((f = c->first) != NULL) {
		fetch_free(f);
		assert(c->first != f); /* it took itself off the list */
	}
	if (c->multi)
		curl_multi_cleanup(c->multi);
	loop_timer_clear(&c->timer);
	free(c);
}
