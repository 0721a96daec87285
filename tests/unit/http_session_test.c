/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's session against real TLS servers: honest, expired, self-made, broken, rude. */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/net/http_session.h"
#include "tests/unit/https_peer.h"

#define MIB_10 (10 * 1024 * 1024)

struct world {
	struct peer_identity root, other_root, sub, ee, cmc_ra, self_signed, expired, device;
	struct https_peer peer;
	struct identity idevid;
	struct anchors *anchors;
	struct session_config config;
	struct http_session *session;
	struct session_request request;
	struct session_reply reply;
	struct err e;
};

static struct cert *cert_of(X509 *x)
{
	struct err e = ERR_INIT;
	struct cert *c = cert_from_x509(x, &e);

	assert_non_null(c);
	return c;
}

/* Through a PEM file, as the program gets its identity. */
static void load_identity(struct identity *out, const struct peer_identity *from)
{
	char key_path[] = "/tmp/http_session_key.XXXXXX",
	     cert_path[] = "/tmp/http_session_crt.XXXXXX";
	struct err e = ERR_INIT;

	close(mkstemp(key_path));
	close(mkstemp(cert_path));
	peer_write_pem(key_path, NULL, NULL, from->key);
	peer_write_pem(cert_path, from->cert, NULL, NULL);
	assert_true(identity_load(out, key_path, cert_path, &e));
	unlink(key_path);
	unlink(cert_path);
}

static struct anchors *anchors_of(X509 *x)
{
	CERT_LIST_AUTO struct cert_list list = CERT_LIST_INIT;
	CERT_AUTO struct cert *c = cert_of(x);
	struct err e = ERR_INIT;
	struct anchors *a;

	assert_true(cert_list_add(&list, c, &e));
	a = anchors_new(&list, &e);
	assert_non_null(a);
	return a;
}

static void make_identities(struct world *w)
{
	const char *here = "DNS:localhost,IP:127.0.0.1";

	w->root = peer_identity_make(&(struct peer_cert_wish){.cn = "Root", .ca = true});
	w->other_root = peer_identity_make(&(struct peer_cert_wish){.cn = "Other", .ca = true});
	w->sub = peer_identity_make(
		&(struct peer_cert_wish){.cn = "Sub", .ca = true, .issuer = &w->root});
	w->ee = peer_identity_make(
		&(struct peer_cert_wish){.cn = "registrar", .san = here, .issuer = &w->sub});
	w->cmc_ra = peer_identity_make(&(struct peer_cert_wish){.cn = "ra",
		.san = "DNS:elsewhere.example",
		.eku = "1.3.6.1.5.5.7.3.28",
		.issuer = &w->sub});
	w->self_signed = peer_identity_make(&(struct peer_cert_wish){.cn = "me"});
	w->expired = peer_identity_make(&(struct peer_cert_wish){
		.cn = "old", .from_s = -7200, .until_s = -3600, .issuer = &w->sub});
	w->device = peer_identity_make(&(struct peer_cert_wish){.cn = "device"});
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	signal(SIGPIPE, SIG_IGN);
	make_identities(w);
	load_identity(&w->idevid, &w->device);
	w->peer.identity = &w->ee;
	w->peer.chain[0] = w->sub.cert;
	w->peer.body = "good day";
	w->config = (struct session_config){.server = {.host = "localhost"},
		.identity = &w->idevid,
		.now_unix_s = time(NULL),
		.connect_ms = 3000,
		.timeout_ms = 3000,
		.exchange = "0123456789abcdef"};
	w->request = (struct session_request){.method = "GET", .path = "/hello", .reply_max = 1000};
	*state = w;
	return 0;
}

static void drop_session(struct world *w)
{
	session_reply_clear(&w->reply);
	http_session_free(w->session);
	w->session = NULL;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct peer_identity *all[] = {&w->root, &w->other_root, &w->sub, &w->ee, &w->cmc_ra,
		&w->self_signed, &w->expired, &w->device};

	drop_session(w);
	https_peer_stop(&w->peer);
	anchors_free(w->anchors);
	identity_clear(&w->idevid);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		peer_identity_free(all[i]);
	free(w);
	return 0;
}

static void start_peer(struct world *w)
{
	https_peer_start(&w->peer);
	w->config.server.port = w->peer.port;
}

static void open_session(struct world *w)
{
	drop_session(w);
	w->session = http_session_new(&w->config, &w->e);
	assert_non_null(w->session);
}

static bool send_once(struct world *w)
{
	session_reply_clear(&w->reply);
	return http_session_send(w->session, &w->request, &w->reply, &w->e);
}

static void expect_answer(struct world *w)
{
	assert_true(send_once(w));
	assert_int_equal(w->reply.status, 200);
	assert_string_equal(buf_str(&w->reply.body), "good day");
}

static void expect_refused(struct world *w, enum err_kind kind)
{
	assert_false(send_once(w));
	assert_int_equal(w->e.kind, kind);
	assert_int_equal(w->peer.requests, 0);
}

/* ---- provisional ---- */

static void http_session_provisional__any_server__is_talked_to(void **state)
{
	struct world *w = *state;
	const struct peer_identity *servers[] = {&w->ee, &w->cmc_ra, &w->self_signed, &w->expired};

	for (size_t i = 0; i < sizeof(servers) / sizeof(*servers); i++) {
		w->peer.identity = servers[i];
		w->peer.chain[0] = servers[i] == &w->self_signed ? NULL : w->sub.cert;
		w->peer.port = 0;
		start_peer(w);
		open_session(w);
		expect_answer(w);
		drop_session(w);
		if (i + 1 < sizeof(servers) / sizeof(*servers))
			https_peer_stop(&w->peer);
	}
}

static void http_session_connect__chain__is_known_before_anything_is_sent(void **state)
{
	struct world *w = *state;
	CERT_AUTO struct cert *ee = cert_of(w->ee.cert), *sub = cert_of(w->sub.cert);
	const struct cert_list *chain;

	start_peer(w);
	open_session(w);
	assert_int_equal(http_session_server_chain(w->session)->count, 0);
	assert_true(http_session_connect(w->session, &w->e));
	chain = http_session_server_chain(w->session);
	assert_int_equal(chain->count, 2);
	assert_true(cert_same(chain->items[0], ee));
	assert_true(cert_same(chain->items[1], sub));
	assert_int_equal(w->peer.requests, 0);
	expect_answer(w);
	assert_int_equal(w->peer.connections, 1);
}

static void http_session_send__several_requests__share_the_one_connection(void **state)
{
	struct world *w = *state;

	start_peer(w);
	open_session(w);
	for (int i = 0; i < 5; i++)
		expect_answer(w);
	assert_int_equal(w->peer.requests, 5);
	assert_int_equal(w->peer.connections, 1);
	assert_int_equal(w->peer.handshakes, 1);
}

static void http_session_send__post__is_written_as_peers_read_it(void **state)
{
	struct world *w = *state;
	char host[64];

	start_peer(w);
	open_session(w);
	w->request = (struct session_request){.method = "POST",
		.path = "/.well-known/brski/requestvoucher",
		.content_type = "application/voucher-cms+json",
		.accept = "application/voucher-cms+json",
		.body = {(const uint8_t *)"\x30\x00\x31", 3},
		.reply_max = 1000};
	expect_answer(w);
	snprintf(host, sizeof(host), "\r\nHost: localhost:%u\r\n", (unsigned)w->peer.port);
	assert_memory_equal(
		w->peer.last_request, "POST /.well-known/brski/requestvoucher HTTP/1.1\r\n", 49);
	assert_non_null(strstr(w->peer.last_request, host));
	assert_non_null(strstr(w->peer.last_request, "\r\nContent-Length: 3\r\n"));
	assert_non_null(
		strstr(w->peer.last_request, "\r\nContent-Type: application/voucher-cms+json\r\n"));
	assert_non_null(
		strstr(w->peer.last_request, "\r\nAccept: application/voucher-cms+json\r\n"));
	assert_non_null(strstr(w->peer.last_request, "\r\nX-Request-Id: 0123456789abcdef\r\n"));
	assert_null(strcasestr(w->peer.last_request, "\r\nExpect:"));
	assert_null(strcasestr(w->peer.last_request, "\r\nTransfer-Encoding:"));
	assert_memory_equal(w->peer.last_request + w->peer.last_request_len - 3, "\x30\x00\x31", 3);
}

static void http_session__idevid__is_presented(void **state)
{
	struct world *w = *state;

	w->peer.ask_client_cert = true;
	start_peer(w);
	open_session(w);
	expect_answer(w);
	assert_int_equal(w->peer.client_certs, 1);
}

/* What the server says of a request without a certificate would be taken for a refusal of the
 * device. */
static void http_session_connect__certificate_cannot_be_presented__sends_nothing(void **state)
{
	static const int versions[] = {0, TLS1_2_VERSION};
	struct world *w = *state;

	w->peer.ask_client_cert = true;
	w->peer.client_sigalgs = "RSA-PSS+SHA256"; /* our key is one of an elliptic curve */
	for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
		w->peer.tls_max = versions[i];
		w->peer.port = 0;
		start_peer(w);
		open_session(w);
		expect_refused(w, ERR_PEER);
		assert_string_equal(err_code_of(&w->e), SESSION_DENIED);
		assert_non_null(strstr(w->e.text, "none of the signatures"));
		assert_false(http_session_connect(w->session, &w->e)); /* nor later */
		drop_session(w);
		if (i + 1 < sizeof(versions) / sizeof(*versions))
			https_peer_stop(&w->peer);
	}
}

static void http_session_send__server_closed__does_not_reconnect(void **state)
{
	struct world *w = *state;

	w->peer.requests_per_connection = 1;
	start_peer(w);
	open_session(w);
	expect_answer(w);
	assert_false(send_once(w));
	assert_int_equal(w->e.kind, ERR_PEER);
	assert_false(http_session_is_open(w->session));
	assert_false(send_once(w));
	assert_int_equal(w->e.kind, ERR_PEER);
	assert_int_equal(w->peer.connections, 1);
}

static void http_session_send__server_restarted__does_not_reconnect(void **state)
{
	struct world *w = *state;

	start_peer(w);
	open_session(w);
	expect_answer(w);
	https_peer_stop(&w->peer);
	start_peer(w);
	assert_false(send_once(w));
	assert_int_equal(w->e.kind, ERR_PEER);
	assert_int_equal(w->peer.requests, 1);
}

static void http_session_is_open__server_has_closed__says_no(void **state)
{
	struct world *w = *state;

	start_peer(w);
	open_session(w);
	assert_false(http_session_is_open(w->session));
	expect_answer(w);
	assert_true(http_session_is_open(w->session));
	expect_answer(w);
	https_peer_stop(&w->peer);
	assert_false(http_session_is_open(w->session));
	start_peer(w); /* for tear_down */
}

static void http_session_send__server_says_close__ends_the_session(void **state)
{
	struct world *w = *state;

	w->peer.headers = "Connection: close\r\n";
	start_peer(w);
	open_session(w);
	expect_answer(w);
	assert_false(http_session_is_open(w->session));
	assert_false(send_once(w));
	assert_int_equal(w->peer.connections, 1);
}

static void http_session_provisional__broken_signature__is_refused(void **state)
{
	struct world *w = *state;

	peer_identity_corrupt(&w->ee);
	start_peer(w);
	open_session(w);
	expect_refused(w, ERR_UNAUTHENTICATED);
}

static void http_session_provisional__broken_self_signature__is_refused(void **state)
{
	struct world *w = *state;

	peer_identity_corrupt(&w->self_signed);
	w->peer.identity = &w->self_signed;
	w->peer.chain[0] = NULL;
	start_peer(w);
	open_session(w);
	expect_refused(w, ERR_UNAUTHENTICATED);
}

static void http_session_provisional__broken_signature_without_the_issuer__cannot_be_seen(
	void **state)
{
	struct world *w = *state;

	peer_identity_corrupt(&w->ee);
	w->peer.chain[0] = NULL;
	start_peer(w);
	open_session(w);
	expect_answer(w);
}

static void http_session_provisional__name_in_the_uri__is_not_in_sni(void **state)
{
	struct world *w = *state;

	start_peer(w);
	open_session(w);
	expect_answer(w);
	assert_int_equal(w->peer.sni_seen, 0);
}

static void http_session_same_server__same_certificate__goes_on(void **state)
{
	struct world *w = *state;
	CERT_AUTO struct cert *before = cert_of(w->ee.cert);

	w->config.same_server = before;
	start_peer(w);
	open_session(w);
	expect_answer(w);
}

static void http_session_same_server__another_certificate__is_refused(void **state)
{
	struct world *w = *state;
	CERT_AUTO struct cert *before = cert_of(w->cmc_ra.cert);

	w->config.same_server = before;
	start_peer(w);
	open_session(w);
	expect_refused(w, ERR_UNAUTHENTICATED);
	assert_string_equal(err_code_of(&w->e), SESSION_OTHER_SERVER);
}

/* As a captive portal does for whoever comes to its port. */
static void *answer_in_clear(void *arg)
{
	static const char page[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
	int fd = accept(*(int *)arg, NULL, NULL);

	if (fd >= 0) {
		(void)!write(fd, page, strlen(page));
		close(fd);
	}
	return NULL;
}

static void http_session_connect__server_without_tls__is_named(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	struct world *w = *state;
	pthread_t portal;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(pthread_create(&portal, NULL, answer_in_clear, &listener), 0);
	snprintf(w->config.server.host, sizeof(w->config.server.host), "127.0.0.1");
	w->config.server.host_is_ip = true;
	w->config.server.port = ntohs(at.sin_port);
	open_session(w);
	assert_false(http_session_connect(w->session, &w->e));
	assert_int_equal(w->e.kind, ERR_PEER);
	assert_string_equal(err_code_of(&w->e), SESSION_NO_TLS);
	pthread_join(portal, NULL);
	close(listener);
}

static void http_session_provisional__tls_1_1__is_refused(void **state)
{
	struct world *w = *state;

	w->peer.tls_max = TLS1_1_VERSION;
	start_peer(w);
	open_session(w);
	expect_refused(w, ERR_PEER);
}

/* ---- bounds ---- */

static void http_session_send__10_mib_of_body__are_not_read(void **state)
{
	struct world *w = *state;

	w->peer.filler = MIB_10;
	start_peer(w);
	open_session(w);
	assert_false(send_once(w));
	assert_int_equal(w->e.kind, ERR_PEER);
}

static void http_session_send__endless_header__is_not_read(void **state)
{
	static char header[2200];
	struct world *w = *state;

	snprintf(header, sizeof(header), "X: %02100d\r\n", 0);
	w->peer.headers =
		header; /* cut in the middle by the peer's own buffer: no end of the head */
	w->peer.filler = MIB_10;
	start_peer(w);
	open_session(w);
	assert_false(send_once(w));
	assert_int_equal(w->e.kind, ERR_PEER);
}

static void http_session_send__something_unasked_behind_an_answer__ends_the_session(void **state)
{
	struct world *w = *state;

	w->peer.extra = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
	start_peer(w);
	open_session(w);
	/* it may arrive later than the answer: then one of the next looks finds it */
	for (int tries = 0; tries < 50 && send_once(w); tries++)
		;
	assert_false(http_session_is_open(w->session));
}

static void http_session_send__silent_server__times_out(void **state)
{
	struct world *w = *state;

	w->peer.silent = true;
	w->config.timeout_ms = 150;
	start_peer(w);
	open_session(w);
	assert_false(send_once(w));
	assert_int_equal(w->e.kind, ERR_PEER_TIMEOUT);
}

static void http_session_connect__nobody_there__is_retry_later(void **state)
{
	struct world *w = *state;

	start_peer(w);
	https_peer_stop(&w->peer);
	open_session(w);
	assert_false(http_session_connect(w->session, &w->e));
	assert_int_equal(w->e.kind, ERR_RETRY_LATER);
	start_peer(w); /* for tear_down */
}

/* ---- anchored ---- */

static void anchor(struct world *w, const struct peer_identity *root)
{
	w->anchors = anchors_of(root->cert);
	w->config.anchors = w->anchors;
}

static void http_session_anchored__right_name_and_anchor__is_talked_to_with_sni(void **state)
{
	struct world *w = *state;

	anchor(w, &w->root);
	start_peer(w);
	open_session(w);
	expect_answer(w);
	assert_int_equal(w->peer.sni_seen, 1);
}

static void http_session_anchored__ip_literal__matches_and_is_not_in_sni(void **state)
{
	struct world *w = *state;

	anchor(w, &w->root);
	start_peer(w);
	strcpy(w->config.server.host, "127.0.0.1");
	w->config.server.host_is_ip = true;
	open_session(w);
	expect_answer(w);
	assert_int_equal(w->peer.sni_seen, 0);
}

static void http_session_anchored__other_anchor__is_refused(void **state)
{
	struct world *w = *state;

	anchor(w, &w->other_root);
	start_peer(w);
	open_session(w);
	expect_refused(w, ERR_UNAUTHENTICATED);
}

static void http_session_anchored__wrong_name_but_cmc_ra__is_talked_to(void **state)
{
	struct world *w = *state;

	anchor(w, &w->root);
	w->peer.identity = &w->cmc_ra;
	start_peer(w);
	open_session(w);
	expect_answer(w);
}

static void http_session_anchored__wrong_name_without_cmc_ra__is_refused(void **state)
{
	struct world *w = *state;

	anchor(w, &w->root);
	start_peer(w);
	strcpy(w->config.server.host, "127.0.0.2");
	w->config.server.host_is_ip = true;
	w->peer.identity = &w->ee;
	https_peer_stop(&w->peer);
	w->peer.any_address = true;
	start_peer(w);
	open_session(w);
	expect_refused(w, ERR_UNAUTHENTICATED);
}

static void http_session_anchored__expired__is_refused_with_a_clock_only(void **state)
{
	struct world *w = *state;

	anchor(w, &w->root);
	peer_identity_free(&w->expired);
	w->expired = peer_identity_make(&(struct peer_cert_wish){.cn = "old",
		.san = "DNS:localhost",
		.from_s = -7200,
		.until_s = -3600,
		.issuer = &w->sub});
	w->peer.identity = &w->expired;
	start_peer(w);
	open_session(w);
	expect_refused(w, ERR_UNAUTHENTICATED);
	w->config.now_unix_s = CHAIN_NO_TIME;
	open_session(w);
	expect_answer(w);
}

/* ---- channel binding ---- */

static void http_session_channel_binding__tls_1_3__is_32_octets(void **state)
{
	struct world *w = *state;
	BUF_AUTO struct buf b = BUF_INIT(200);

	start_peer(w);
	open_session(w);
	assert_true(http_session_connect(w->session, &w->e));
	assert_true(http_session_channel_binding(w->session, &b, &w->e));
	expect_answer(w);
	assert_int_equal(b.len, 44);
	assert_string_equal(buf_str(&b), w->peer.last_exporter);
}

static void http_session_channel_binding__tls_1_2__is_our_finished_message(void **state)
{
	struct world *w = *state;
	BUF_AUTO struct buf b = BUF_INIT(200);

	w->peer.tls_max = TLS1_2_VERSION;
	start_peer(w);
	open_session(w);
	assert_true(http_session_connect(w->session, &w->e));
	assert_true(http_session_channel_binding(w->session, &b, &w->e));
	expect_answer(w);
	assert_int_equal(b.len, 16);
	assert_string_equal(buf_str(&b), w->peer.last_finished);
}

static void http_session_channel_binding__no_connection__is_an_error(void **state)
{
	struct world *w = *state;
	BUF_AUTO struct buf b = BUF_INIT(200);

	start_peer(w);
	open_session(w);
	assert_false(http_session_channel_binding(w->session, &b, &w->e));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(http_session_provisional__any_server__is_talked_to),
		TEST(http_session_connect__chain__is_known_before_anything_is_sent),
		TEST(http_session_send__several_requests__share_the_one_connection),
		TEST(http_session_send__post__is_written_as_peers_read_it),
		TEST(http_session__idevid__is_presented),
		TEST(http_session_connect__certificate_cannot_be_presented__sends_nothing),
		TEST(http_session_send__server_closed__does_not_reconnect),
		TEST(http_session_send__server_restarted__does_not_reconnect),
		TEST(http_session_is_open__server_has_closed__says_no),
		TEST(http_session_send__server_says_close__ends_the_session),
		TEST(http_session_provisional__broken_signature__is_refused),
		TEST(http_session_provisional__broken_self_signature__is_refused),
		TEST(http_session_provisional__broken_signature_without_the_issuer__cannot_be_seen),
		TEST(http_session_provisional__name_in_the_uri__is_not_in_sni),
		TEST(http_session_same_server__same_certificate__goes_on),
		TEST(http_session_same_server__another_certificate__is_refused),
		TEST(http_session_connect__server_without_tls__is_named),
		TEST(http_session_provisional__tls_1_1__is_refused),
		TEST(http_session_send__10_mib_of_body__are_not_read),
		TEST(http_session_send__endless_header__is_not_read),
		TEST(http_session_send__something_unasked_behind_an_answer__ends_the_session),
		TEST(http_session_send__silent_server__times_out),
		TEST(http_session_connect__nobody_there__is_retry_later),
		TEST(http_session_anchored__right_name_and_anchor__is_talked_to_with_sni),
		TEST(http_session_anchored__ip_literal__matches_and_is_not_in_sni),
		TEST(http_session_anchored__other_anchor__is_refused),
		TEST(http_session_anchored__wrong_name_but_cmc_ra__is_talked_to),
		TEST(http_session_anchored__wrong_name_without_cmc_ra__is_refused),
		TEST(http_session_anchored__expired__is_refused_with_a_clock_only),
		TEST(http_session_channel_binding__tls_1_3__is_32_octets),
		TEST(http_session_channel_binding__tls_1_2__is_our_finished_message),
		TEST(http_session_channel_binding__no_connection__is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
