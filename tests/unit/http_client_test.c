/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's HTTPS client against a real TLS server on loopback. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/file.h"
#include "common/net/http_client.h"
#include "common/net/http_server.h"
#include "tests/unit/https_peer.h"

#define MANY	 20
#define FOR_EVER 5000 /* requests in one turn: a tenth of a second */

struct world {
	struct buf ca_pem, other_ca_pem, client_pem;
	char dir[64], ca_path[128], other_ca_path[128], client_path[128];
	struct peer_identity ca, other_ca, server, cn_only, client;
	struct https_peer peer;
	struct loop *loop;
	struct http_client *client_of_loop;
	struct http_fetch fetch;
	/* what came back */
	int wanted, done;
	int status;
	enum err_kind kind;
	char text[600], body[256], content_type[64], retry_after[64], location[128];
};

static void copy(char *out, size_t size, const char *in)
{
	snprintf(out, size, "%s", in ? in : "");
}

static void on_done(void *arg, const struct http_reply *reply, const struct err *e)
{
	struct world *w = arg;

	assert_true((reply == NULL) != (e == NULL));
	w->status = reply ? reply->status : 0;
	w->kind = e ? e->kind : ERR_NONE;
	copy(w->text, sizeof(w->text), e ? e->text : "");
	if (reply) {
		snprintf(w->body, sizeof(w->body), "%.*s", (int)reply->body.len,
			reply->body.data ? (const char *)reply->body.data : "");
		copy(w->content_type, sizeof(w->content_type), reply->content_type);
		copy(w->retry_after, sizeof(w->retry_after), reply->retry_after);
		copy(w->location, sizeof(w->location), reply->location);
	}
	if (++w->done == w->wanted)
		loop_stop(w->loop);
}

static void start_peer(struct world *w)
{
	https_peer_start(&w->peer);
	w->fetch.uri.port = w->peer.port;
}

/* Send the fetch n times at once and wait for all answers. */
static void run(struct world *w, int n)
{
	struct err e = ERR_INIT;

	w->wanted = n;
	w->done = 0;
	for (int i = 0; i < n; i++)
		assert_true(http_fetch(w->client_of_loop, &w->fetch, on_done, w, &e));
	loop_run(w->loop);
	assert_int_equal(w->done, n);
}

static void make_identities(struct world *w)
{
	w->ca = peer_identity_make(&(struct peer_cert_wish){.cn = "MASA CA", .ca = true});
	w->other_ca = peer_identity_make(&(struct peer_cert_wish){.cn = "Other CA", .ca = true});
	w->server = peer_identity_make(&(struct peer_cert_wish){
		.cn = "masa", .san = "DNS:localhost,IP:127.0.0.1", .issuer = &w->ca});
	w->cn_only =
		peer_identity_make(&(struct peer_cert_wish){.cn = "localhost", .issuer = &w->ca});
	w->client =
		peer_identity_make(&(struct peer_cert_wish){.cn = "registrar", .issuer = &w->ca});
	snprintf(w->ca_path, sizeof(w->ca_path), "%s/ca.pem", w->dir);
	snprintf(w->other_ca_path, sizeof(w->other_ca_path), "%s/other.pem", w->dir);
	snprintf(w->client_path, sizeof(w->client_path), "%s/client.pem", w->dir);
	peer_write_pem(w->ca_path, w->ca.cert, NULL, NULL);
	peer_write_pem(w->other_ca_path, w->other_ca.cert, NULL, NULL);
	peer_write_pem(w->client_path, w->client.cert, NULL, w->client.key);
}

static struct bytes pem_of(struct buf *b, const char *path)
{
	struct err e = ERR_INIT;

	buf_init(b, 16384);
	if (!file_read(path, b, &e))
		fail_msg("%s", e.text);
	return buf_bytes(b);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err e = ERR_INIT;

	signal(SIGPIPE, SIG_IGN);
	copy(w->dir, sizeof(w->dir), "/tmp/http_client_test.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	make_identities(w);
	w->peer.identity = &w->server;
	w->loop = loop_new(&e);
	assert_non_null(w->loop);
	w->client_of_loop = http_client_new(w->loop, &e);
	assert_non_null(w->client_of_loop);
	w->fetch = (struct http_fetch){.uri = {.host = "localhost", .path = "/hello"},
		.method = "GET",
		.ca_pem = pem_of(&w->ca_pem, w->ca_path),
		.reply_max = 1000,
		.connect_ms = 2000,
		.timeout_ms = 5000,
		.address_classes = HTTP_ADDR_LOOPBACK};
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	http_client_free(w->client_of_loop);
	loop_free(w->loop);
	https_peer_stop(&w->peer);
	peer_identity_free(&w->ca);
	peer_identity_free(&w->other_ca);
	peer_identity_free(&w->server);
	peer_identity_free(&w->cn_only);
	peer_identity_free(&w->client);
	buf_clear(&w->ca_pem);
	buf_clear(&w->other_ca_pem);
	buf_clear(&w->client_pem);
	unlink(w->ca_path);
	unlink(w->other_ca_path);
	unlink(w->client_path);
	rmdir(w->dir);
	free(w);
	return 0;
}

static void http_fetch__server_under_the_given_ca__is_answered(void **state)
{
	struct world *w = *state;

	w->peer.body = "good day";
	w->peer.headers = "Content-Type: text/plain\r\nRetry-After:  7 \r\nLocation: /there\r\n";
	start_peer(w);
	run(w, 1);
	assert_int_equal(w->status, 200);
	assert_string_equal(w->body, "good day");
	assert_string_equal(w->content_type, "text/plain");
	assert_string_equal(w->retry_after, "7");
	assert_string_equal(w->location, "/there");
	assert_int_equal(w->peer.sni_seen, 1);
}

static void http_fetch__post__carries_body_and_headers(void **state)
{
	struct world *w = *state;

	start_peer(w);
	w->fetch.method = "POST";
	w->fetch.body = bytes_of("\x30\x00\x31", 3);
	w->fetch.content_type = "application/voucher-cms+json";
	w->fetch.accept = "application/voucher-cms+json";
	w->fetch.exchange = "0123456789abcdef";
	w->fetch.basic_user = "u";
	w->fetch.basic_password = "p";
	run(w, 1);
	assert_int_equal(w->status, 200);
	assert_non_null(strstr(w->peer.last_request, "POST /hello HTTP/1.1\r\n"));
	assert_non_null(
		strstr(w->peer.last_request, "\r\nContent-Type: application/voucher-cms+json\r\n"));
	assert_non_null(
		strstr(w->peer.last_request, "\r\nAccept: application/voucher-cms+json\r\n"));
	assert_non_null(strstr(w->peer.last_request, "\r\nX-Request-Id: 0123456789abcdef\r\n"));
	assert_non_null(strstr(w->peer.last_request, "\r\nAuthorization: Basic dTpw\r\n"));
	assert_null(strcasestr(w->peer.last_request, "\r\nExpect:"));
	assert_memory_equal(w->peer.last_request + w->peer.last_request_len - 3, "\x30\x00\x31", 3);
}

static void http_fetch__status_404__is_a_reply(void **state)
{
	struct world *w = *state;

	w->peer.status = 404;
	w->peer.body = "no";
	start_peer(w);
	run(w, 1);
	assert_int_equal(w->status, 404);
	assert_string_equal(w->body, "no");
}

static void http_fetch__redirect__is_not_followed(void **state)
{
	struct world *w = *state;

	w->peer.status = 307;
	w->peer.headers = "Location: https://localhost/other\r\n";
	start_peer(w);
	run(w, 1);
	assert_int_equal(w->status, 307);
	assert_int_equal(w->peer.requests, 1);
}

/* A signed object needs no server anybody vouches for; nothing else goes that way. */
static void http_fetch__signed_object__may_come_from_anywhere(void **state)
{
	struct world *w = *state;
	struct err e = ERR_INIT;

	w->peer.body = "list";
	start_peer(w);
	w->fetch.ca_pem = (struct bytes){NULL, 0};
	w->fetch.signed_object = true;
	run(w, 1);
	assert_string_equal(w->body, "list");
	w->fetch.basic_user = "u";
	assert_false(http_fetch(w->client_of_loop, &w->fetch, on_done, w, &e));
	assert_int_equal(e.kind, ERR_BUG);
}

static void http_fetch__plain_http_without_being_asked_for__is_refused(void **state)
{
	struct world *w = *state;
	struct err e = ERR_INIT;

	w->fetch.uri.scheme = URI_HTTP;
	assert_false(http_fetch(w->client_of_loop, &w->fetch, on_done, w, &e));
	assert_int_equal(e.kind, ERR_BUG);
}

static void http_fetch__server_under_another_ca__is_refused(void **state)
{
	struct world *w = *state;

	w->fetch.ca_pem = pem_of(&w->other_ca_pem, w->other_ca_path);
	start_peer(w);
	run(w, 1);
	assert_int_equal(w->kind, ERR_PEER);
	assert_int_equal(w->peer.requests, 0);
}

static void http_fetch__ca_of_another_fetch_on_the_same_client__does_not_count(void **state)
{
	struct world *w = *state;

	start_peer(w);
	run(w, 1);
	assert_int_equal(w->status, 200);
	w->fetch.ca_pem = pem_of(&w->other_ca_pem, w->other_ca_path);
	run(w, 1);
	assert_int_equal(w->kind, ERR_PEER);
	assert_int_equal(w->peer.requests, 1);
}

static void http_fetch__name_not_in_the_certificate__is_refused(void **state)
{
	struct world *w = *state;

	w->peer.identity = &w->client;
	start_peer(w);
	run(w, 1);
	assert_int_equal(w->kind, ERR_PEER);
	assert_int_equal(w->peer.requests, 0);
}

static void http_fetch__name_only_in_the_common_name__is_refused(void **state)
{
	struct world *w = *state;

	w->peer.identity = &w->cn_only;
	start_peer(w);
	run(w, 1);
	assert_int_equal(w->kind, ERR_PEER);
	assert_int_equal(w->peer.requests, 0);
}

static void http_fetch__ip_literal_in_the_certificate__is_answered_without_sni(void **state)
{
	struct world *w = *state;

	start_peer(w);
	copy(w->fetch.uri.host, sizeof(w->fetch.uri.host), "127.0.0.1");
	w->fetch.uri.host_is_ip = true;
	run(w, 1);
	assert_int_equal(w->status, 200);
	assert_int_equal(w->peer.sni_seen, 0);
}

static void http_fetch__address_class_not_allowed__is_refused_before_a_connection(void **state)
{
	struct world *w = *state;

	start_peer(w);
	w->fetch.address_classes = HTTP_ADDR_GLOBAL | HTTP_ADDR_PRIVATE | HTTP_ADDR_LINK_LOCAL;
	run(w, 1);
	assert_int_equal(w->kind, ERR_REFUSED);
	assert_int_equal(w->peer.connections, 0);
}

static void http_fetch__class_not_allowed_on_a_standing_connection__is_refused(void **state)
{
	struct world *w = *state;

	start_peer(w);
	run(w, 1);
	assert_int_equal(w->status, 200);
	w->fetch.address_classes = HTTP_ADDR_GLOBAL;
	run(w, 1);
	assert_int_equal(w->kind, ERR_REFUSED);
	assert_int_equal(w->peer.requests, 1);
}

static void http_fetch__every_form_of_loopback_and_nothing__is_classed(void **state)
{
	static const char *const hosts[] = {"::ffff:127.0.0.1", "0.0.0.0", "224.0.0.1",
		"::", "ff02::1", "64:ff9b::7f00:1", "2002:7f00:1::"};
	struct world *w = *state;

	start_peer(w);
	w->fetch.address_classes = HTTP_ADDR_GLOBAL | HTTP_ADDR_PRIVATE | HTTP_ADDR_LINK_LOCAL;
	w->fetch.uri.host_is_ip = true;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
		copy(w->fetch.uri.host, sizeof(w->fetch.uri.host), hosts[i]);
		w->fetch.uri.host_is_ipv6 = strchr(hosts[i], ':') != NULL;
		run(w, 1);
		assert_int_equal(w->kind, ERR_REFUSED);
	}
}

static void http_fetch__server_stays_silent__times_out(void **state)
{
	struct world *w = *state;

	w->peer.silent = true;
	start_peer(w);
	w->fetch.timeout_ms = 200;
	run(w, 1);
	assert_int_equal(w->kind, ERR_PEER_TIMEOUT);
}

static void http_fetch__nobody_listens__is_retry_later(void **state)
{
	struct world *w = *state;
	uint16_t port;

	start_peer(w);
	port = w->peer.port;
	https_peer_stop(&w->peer);
	w->fetch.uri.port = port;
	run(w, 1);
	assert_int_equal(w->kind, ERR_RETRY_LATER);
	w->peer.port = 0;
	start_peer(w); /* for tear_down */
}

static void http_fetch__answer_over_the_limit__is_refused(void **state)
{
	struct world *w = *state;

	w->peer.filler = 1001;
	start_peer(w);
	run(w, 1);
	assert_int_equal(w->kind, ERR_PEER);
	assert_non_null(strstr(w->text, "larger than 1000"));
}

static void http_fetch__one_after_the_other__share_a_connection(void **state)
{
	struct world *w = *state;

	start_peer(w);
	run(w, 1);
	run(w, 1);
	assert_int_equal(w->peer.requests, 2);
	assert_int_equal(w->peer.connections, 1);
}

static void http_fetch__many_at_once__stay_within_the_connection_limit(void **state)
{
	struct world *w = *state;

	start_peer(w);
	run(w, MANY);
	assert_int_equal(w->status, 200);
	assert_int_equal(w->peer.requests, MANY);
	assert_true(w->peer.connections <= 4);
}

/* Our own server, on the same loop: it speaks HTTP/2. */
struct h2_site {
	struct identity id;
	struct tls_server *tls;
	struct http_server *server;
	int64_t first_connection;
	int requests, other_connections;
};

static void on_h2_request(struct call *c, void *app)
{
	struct h2_site *site = app;

	if (site->requests++ == 0)
		site->first_connection = call_peer(c)->connection_id;
	site->other_connections += call_peer(c)->connection_id != site->first_connection;
	call_reply(c, 200, "text/plain", bytes_of_str("two"));
}

static void start_h2_site(struct world *w, struct h2_site *site)
{
	static const struct http_route routes[] = {{"GET", "/hello", on_h2_request, 0, NULL}};
	struct http_server_config config = {
		.listen = "127.0.0.1:0", .routes = routes, .route_count = 1, .app = site};
	char path[160];
	struct err e = ERR_INIT;

	snprintf(path, sizeof(path), "%s/server.pem", w->dir);
	peer_write_pem(path, w->server.cert, NULL, w->server.key);
	assert_true(identity_load(&site->id, path, path, &e));
	unlink(path);
	site->tls = tls_server_new(&site->id, false, &e);
	assert_non_null(site->tls);
	config.tls = site->tls;
	site->server = http_server_new(&config, &w->loop, 1, &e);
	assert_non_null(site->server);
	w->fetch.uri.port = http_server_port(site->server);
}

static void http_fetch__many_at_once_over_http_2__share_one_connection(void **state)
{
	struct world *w = *state;
	struct h2_site site = {.requests = 0};

	start_peer(w); /* for tear_down */
	start_h2_site(w, &site);
	run(w, MANY);
	assert_int_equal(w->status, 200);
	assert_string_equal(w->body, "two");
	assert_int_equal(site.requests, MANY);
	assert_int_equal(site.other_connections, 0);
	http_client_free(w->client_of_loop);
	w->client_of_loop = NULL;
	http_server_free(site.server);
	tls_server_free(site.tls);
	identity_clear(&site.id);
}

static void http_fetch__server_closed_the_kept_connection__is_answered_on_another(void **state)
{
	struct world *w = *state;

	w->peer.requests_per_connection = 1;
	start_peer(w);
	run(w, 1);
	run(w, 1);
	assert_int_equal(w->status, 200);
	assert_int_equal(w->peer.connections, 2);
}

static void http_fetch__client_certificate__is_presented(void **state)
{
	struct world *w = *state;

	w->peer.ask_client_cert = true;
	start_peer(w);
	w->fetch.client_cert_pem = pem_of(&w->client_pem, w->client_path);
	w->fetch.client_key_pem = buf_bytes(&w->client_pem);
	run(w, 1);
	assert_int_equal(w->status, 200);
	assert_int_equal(w->peer.client_certs, 1);
}

static void begin_one(void *arg)
{
	struct world *w = arg;
	struct err e = ERR_INIT;

	assert_true(http_fetch(w->client_of_loop, &w->fetch, on_done, w, &e));
}

/* A request starts by waking the client at once, in place of its timer for those under way. */
static void http_fetch__others_begun_meanwhile__keep_no_time_limit_from_its_end(void **state)
{
	struct world *w = *state;
	struct loop_timer later;
	struct err e = ERR_INIT;

	w->peer.silent = true;
	start_peer(w);
	w->fetch.timeout_ms = 200;
	w->wanted = 2;
	w->done = 0;
	begin_one(w);
	assert_true(loop_timer_init(&later, w->loop, begin_one, w, &e));
	loop_timer_arm(&later, 50);
	loop_run(w->loop);
	loop_timer_clear(&later);
	assert_int_equal(w->kind, ERR_PEER_TIMEOUT);
}

static void on_done_again(void *arg, const struct http_reply *reply, const struct err *e)
{
	struct world *w = arg;
	struct err ignored = ERR_INIT;

	assert_int_equal(e->kind, ERR_REFUSED);
	if (++w->done < w->wanted)
		assert_true(http_fetch(w->client_of_loop, &w->fetch, on_done_again, w, &ignored));
	else
		loop_stop(w->loop);
}

static void stop(void *arg)
{
	struct world *w = arg;

	w->wanted = w->done; /* the one under way is the last */
}

/* Asked from done(), it fails in no time, and others have their turn all the same. */
static void http_fetch__again_and_again_from_its_end__lets_others_have_their_turn(void **state)
{
	struct world *w = *state;
	struct loop_timer turn;
	struct err e = ERR_INIT;

	start_peer(w);
	w->fetch.address_classes = HTTP_ADDR_GLOBAL;
	w->wanted = FOR_EVER;
	w->done = 0;
	assert_true(loop_timer_init(&turn, w->loop, stop, w, &e));
	loop_timer_arm(&turn, 1);
	assert_true(http_fetch(w->client_of_loop, &w->fetch, on_done_again, w, &e));
	loop_run(w->loop);
	loop_timer_clear(&turn);
	assert_true(w->done < FOR_EVER);
}

static void http_client_free__with_a_request_under_way__calls_nobody(void **state)
{
	struct world *w = *state;
	struct err e = ERR_INIT;

	w->peer.silent = true;
	start_peer(w);
	w->done = 0;
	assert_true(http_fetch(w->client_of_loop, &w->fetch, on_done, w, &e));
	http_client_free(w->client_of_loop);
	w->client_of_loop = NULL;
	assert_int_equal(w->done, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(http_fetch__server_under_the_given_ca__is_answered),
		TEST(http_fetch__post__carries_body_and_headers),
		TEST(http_fetch__status_404__is_a_reply),
		TEST(http_fetch__redirect__is_not_followed),
		TEST(http_fetch__signed_object__may_come_from_anywhere),
		TEST(http_fetch__plain_http_without_being_asked_for__is_refused),
		TEST(http_fetch__server_under_another_ca__is_refused),
		TEST(http_fetch__ca_of_another_fetch_on_the_same_client__does_not_count),
		TEST(http_fetch__name_not_in_the_certificate__is_refused),
		TEST(http_fetch__name_only_in_the_common_name__is_refused),
		TEST(http_fetch__ip_literal_in_the_certificate__is_answered_without_sni),
		TEST(http_fetch__address_class_not_allowed__is_refused_before_a_connection),
		TEST(http_fetch__class_not_allowed_on_a_standing_connection__is_refused),
		TEST(http_fetch__every_form_of_loopback_and_nothing__is_classed),
		TEST(http_fetch__server_stays_silent__times_out),
		TEST(http_fetch__nobody_listens__is_retry_later),
		TEST(http_fetch__answer_over_the_limit__is_refused),
		TEST(http_fetch__one_after_the_other__share_a_connection),
		TEST(http_fetch__many_at_once__stay_within_the_connection_limit),
		TEST(http_fetch__many_at_once_over_http_2__share_one_connection),
		TEST(http_fetch__server_closed_the_kept_connection__is_answered_on_another),
		TEST(http_fetch__client_certificate__is_presented),
		TEST(http_fetch__others_begun_meanwhile__keep_no_time_limit_from_its_end),
		TEST(http_fetch__again_and_again_from_its_end__lets_others_have_their_turn),
		TEST(http_client_free__with_a_request_under_way__calls_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
