/* SPDX-License-Identifier: Apache-2.0 */
/* DTLS associations without a socket: handshakes over a bad link, cookies, certificates, sizes. */
#include "tests/unit/dtls_fixture.h"

#include <malloc.h>

#include "common/base/clock.h"

#define ROUNDS	      20 /* of silence on a link that loses much */
#define IMPATIENCE_MS 16 /* OpenSSL takes less than 15 for nothing */

static struct fixture {
	struct identity ca, registrar, device;
	struct tls_server *tls;
	struct dtls_listener *listener;
	struct end server, client;
	struct dtls_client_config config;
	struct dtls_listener_config listening;
} fx;

static void issue(struct identity *out, enum key_type type, const char *eku)
{
	struct err e = ERR_INIT;
	struct recipe r = {.cn = "leaf",
		.issuer = cert_x509(fx.ca.cert),
		.issuer_key = key_evp(fx.ca.key),
		.ext = {{"subjectAltName", "DNS:registrar.example, IP:192.0.2.1"},
			{eku ? "extendedKeyUsage" : NULL, eku}}};

	*out = (struct identity){.key = key_generate(type, &e)};
	assert_non_null(out->key);
	r.key = key_evp(out->key);
	out->cert = fixture_cert(&r);
	MUST(cert_list_add(&out->chain, fx.ca.cert, &e));
}

static void make_ca(void)
{
	struct err e = ERR_INIT;
	struct recipe r = {.cn = "CA", .ext = {FIXTURE_CA}};

	fx.ca = (struct identity){.key = key_generate(KEY_EC_P256, &e)};
	assert_non_null(fx.ca.key);
	r.key = key_evp(fx.ca.key);
	fx.ca.cert = fixture_cert(&r);
}

static void listen_anew(void)
{
	struct err e = ERR_INIT;

	dtls_listener_free(fx.listener);
	fx.listening.tls = fx.tls;
	fx.listener = dtls_listener_new(&fx.listening, &e);
	assert_non_null(fx.listener);
}

static int set_up(void **state)
{
	struct err e = ERR_INIT;

	fx = (struct fixture){.listening = {.mtu = 0}};
	make_ca();
	issue(&fx.registrar, KEY_EC_P256, "serverAuth, cmcRA");
	issue(&fx.device, KEY_EC_P256, NULL);
	fx.tls = dtls_server_new(&fx.registrar, &e);
	if (!fx.tls)
		fail_msg("%s", e.text);
	listen_anew();
	fx.config = (struct dtls_client_config){.identity = &fx.device};
	return 0;
}

static int tear_down(void **state)
{
	end_clear(&fx.server);
	end_clear(&fx.client);
	dtls_listener_free(fx.listener);
	tls_server_free(fx.tls);
	identity_clear(&fx.device);
	identity_clear(&fx.registrar);
	identity_clear(&fx.ca);
	assert_int_equal(ERR_peek_error(), 0);
	return 0;
}

static void start_client(void)
{
	struct err e = ERR_INIT;

	fx.client.d = dtls_connect(&fx.config, &end_events, &fx.client, &e);
	if (!fx.client.d)
		fail_msg("%s", e.text);
}

static bool shake_hands(void)
{
	start_client();
	for (int i = 0; i < ROUNDS && !(fx.client.established && fx.server.established); i++) {
		carry(fx.listener, &fx.server, &fx.client);
		if (fx.client.established && fx.server.established)
			break;
		time_passes(&fx.client);
		time_passes(&fx.server);
	}
	return fx.client.established && fx.server.established;
}

static void must_shake_hands(void)
{
	if (!shake_hands())
		fail_msg("client: %s; server: %s", fx.client.why.text, fx.server.why.text);
	assert_true(dtls_is_established(fx.client.d) && dtls_is_established(fx.server.d));
}

static void say(struct end *from, const char *text)
{
	struct err e = ERR_INIT;

	MUST(dtls_send(from->d, bytes_of_str(text), &e));
	carry(fx.listener, &fx.server, &fx.client);
}

static bool heard(const struct end *end, const char *text)
{
	return bytes_equal(bytes_of(end->text, end->text_len), bytes_of_str(text));
}

static void must_talk(void)
{
	say(&fx.client, "up");
	say(&fx.server, "down");
	assert_true(heard(&fx.server, "up") && heard(&fx.client, "down"));
}

/* ---- Handshakes ----------------------------------------------------------------------------- */

/* req: C-25, D-11 */
static void dtls__two_ends__talk_and_know_each_other(void **state)
{
	struct err e = ERR_INIT;
	struct cert_list seen CERT_LIST_AUTO = CERT_LIST_INIT;
	struct cert_list of_server CERT_LIST_AUTO = CERT_LIST_INIT;

	must_shake_hands();
	must_talk();
	MUST(dtls_peer_certs(fx.server.d, NULL, &seen, &e));
	assert_int_equal(seen.count, 2); /* the whole chain was sent */
	assert_true(cert_same(seen.items[0], fx.device.cert));
	assert_true(cert_same(seen.items[1], fx.ca.cert));
	MUST(dtls_peer_certs(fx.client.d, NULL, &of_server, &e));
	assert_int_equal(of_server.count, 2);
	assert_true(cert_same(of_server.items[0], fx.registrar.cert));
	assert_ptr_equal(dtls_tls(fx.server.d), fx.tls);
	assert_int_equal(dtls_timeout_ms(fx.server.d), -1);
	assert_int_equal(dtls_timeout_ms(fx.client.d), -1);
}

/* req: C-38 */
static void channel_binding__both_ends__is_the_same(void **state)
{
	struct err e = ERR_INIT;
	struct buf up BUF_AUTO = BUF_INIT(64), down BUF_AUTO = BUF_INIT(64);

	start_client();
	REFUSED(dtls_channel_binding(fx.client.d, &up, &e), ERR_UNAUTHENTICATED);
	end_clear(&fx.client);
	must_shake_hands();
	MUST(dtls_channel_binding(fx.client.d, &up, &e));
	MUST(dtls_channel_binding(fx.server.d, &down, &e));
	assert_int_equal(up.len, 12);
	assert_true(bytes_equal(buf_bytes(&up), buf_bytes(&down)));
}

static void handshake__loss_repeats_disorder__comes_through(void **state)
{
	static const unsigned rows[][3] = {/* lose, repeat, reorder */
		{10, 0, 0}, {20, 0, 0}, {0, 100, 0}, {0, 0, 50}, {10, 30, 30}};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct link *links[] = {&fx.client.out, &fx.server.out};

		fx.config.retransmit_ms = fx.listening.retransmit_ms = IMPATIENCE_MS;
		listen_anew();
		for (unsigned k = 0; k < 2; k++) {
			links[k]->seed = 10 * i + k;
			links[k]->lose = rows[i][0];
			links[k]->repeat = rows[i][1];
			links[k]->reorder = rows[i][2];
		}
		must_shake_hands();
		for (unsigned k = 0; k < 2; k++)
			links[k]->lose = links[k]->reorder = 0;
		must_talk();
		tear_down(NULL);
		set_up(NULL);
	}
}

static void handshake__nobody_answers__is_repeated_ever_slower(void **state)
{
	int64_t begun_ms = 0;

	fx.config.retransmit_ms = IMPATIENCE_MS;
	fx.client.out.lose = 100;
	start_client();
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(fx.client.out.sent, i + 1);
		assert_in_range(dtls_timeout_ms(fx.client.d), 0, IMPATIENCE_MS << i);
		begun_ms = clock_mono_ms();
		time_passes(&fx.client);
	}
	assert_in_range(dtls_timeout_ms(fx.client.d), 0, 8 * IMPATIENCE_MS);
	time_passes(&fx.client);
	assert_true(clock_mono_ms() - begun_ms >= 8 * IMPATIENCE_MS);
}

/* req: D-05 */
static void handshake__other_kinds_of_keys__work(void **state)
{
	static const enum key_type types[][2] = {/* device, registrar */
		{KEY_ED25519, KEY_EC_P256}, {KEY_EC_P384, KEY_EC_P384},
		{KEY_RSA_3072, KEY_EC_P256}};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		identity_clear(&fx.device);
		identity_clear(&fx.registrar);
		issue(&fx.device, types[i][0], NULL);
		issue(&fx.registrar, types[i][1], NULL);
		tls_server_free(fx.tls);
		fx.tls = dtls_server_new(&fx.registrar, &e);
		assert_non_null(fx.tls);
		dtls_listener_set_tls(fx.listener, fx.tls);
		must_shake_hands();
		must_talk();
		tear_down(NULL);
		set_up(NULL);
	}
}

/* No suite of ours, or of OpenSSL's DTLS, takes them. */
static void server_new__key_that_no_suite_takes__is_refused(void **state)
{
	static const enum key_type types[] = {KEY_RSA_3072, KEY_ED25519};

	for (size_t i = 0; i < 2; i++) {
		struct err e = ERR_INIT;
		struct identity id;

		issue(&id, types[i], NULL);
		assert_null(dtls_server_new(&id, &e));
		assert_int_equal(e.kind, ERR_INPUT);
		identity_clear(&id);
	}
}

static void listener__new_identity__serves_new_associations_only(void **state)
{
	struct err e = ERR_INIT;
	struct identity second;
	struct end old;
	struct cert_list seen CERT_LIST_AUTO = CERT_LIST_INIT;

	must_shake_hands();
	issue(&second, KEY_EC_P256, NULL);
	tls_server_free(fx.tls);
	fx.tls = dtls_server_new(&second, &e);
	assert_non_null(fx.tls);
	dtls_listener_set_tls(fx.listener, fx.tls);
	must_talk();
	old = fx.server;
	end_clear(&fx.client);
	fx.client = fx.server = (struct end){.d = NULL};
	must_shake_hands();
	MUST(dtls_peer_certs(fx.client.d, NULL, &seen, &e));
	assert_true(cert_same(seen.items[0], second.cert));
	assert_ptr_not_equal(dtls_tls(old.d), dtls_tls(fx.server.d));
	end_clear(&old);
	identity_clear(&second);
}

/* ---- Cookies -------------------------------------------------------------------------------- */

/* The next datagram of the client, as if it came from `key`; true when an association begins. */
static bool arrives_from(const char *key)
{
	struct err e = ERR_INIT;
	struct parcel *p = link_take(&fx.client.out);
	struct dtls *d = dtls_listener_receive(fx.listener, bytes_of_str(key),
		bytes_of(p->octets, p->len), &end_events, &fx.server, &e);
	bool begun = d != NULL;

	assert_int_equal(e.kind, ERR_NONE);
	assert_true(begun || fx.server.out.count == 0 ||
		    fx.server.out.parcels[fx.server.out.count - 1]->len <= p->len);
	dtls_free(d);
	free(p);
	return begun;
}

static void cookie__of_another_peer__begins_nothing(void **state)
{
	struct parcel *p;

	start_client();
	assert_false(arrives_from("peer-1"));
	assert_int_equal(fx.server.out.count, 1); /* a HelloVerifyRequest */
	p = link_take(&fx.server.out);
	end_feed(&fx.client, bytes_of(p->octets, p->len));
	free(p);
	assert_int_equal(fx.client.out.count, 1);
	link_put(&fx.client.out,
		bytes_of(fx.client.out.parcels[0]->octets, fx.client.out.parcels[0]->len), false);
	assert_false(arrives_from("peer-2"));
	link_clear(&fx.server.out);
	assert_true(arrives_from("peer-1"));
	assert_true(fx.server.out.count >= 1); /* a flight */
}

static bool no_room(void *arg)
{
	return false;
}

static void cookie__good_but_no_room__begins_nothing_yet(void **state)
{
	static const struct dtls_events full = {.welcome = no_room, .transmit = end_transmit};
	struct err e = ERR_INIT;
	struct parcel *p;

	start_client();
	assert_false(arrives_from("peer-1"));
	p = link_take(&fx.server.out);
	end_feed(&fx.client, bytes_of(p->octets, p->len));
	free(p);
	p = fx.client.out.parcels[0];
	for (int i = 0; i < 3; i++) {
		assert_null(dtls_listener_receive(
			fx.listener, PEER_KEY, bytes_of(p->octets, p->len), &full, &fx.server, &e));
		assert_int_equal(e.kind, ERR_NONE);
		assert_int_equal(fx.server.out.count, 0);
	}
	carry(fx.listener, &fx.server, &fx.client);
	assert_true(fx.client.established && fx.server.established);
}

static void cookie__turned_bit__begins_nothing(void **state)
{
	struct parcel *p;

	start_client();
	assert_false(arrives_from("peer-1"));
	p = link_take(&fx.server.out);
	end_feed(&fx.client, bytes_of(p->octets, p->len));
	free(p);
	/* record 13, handshake 12, version 2, random 32, empty session 1, length 1 */
	fx.client.out.parcels[0]->octets[61 + 5] ^= 1;
	assert_false(arrives_from("peer-1"));
}

static void listener__anything_but_a_hello__is_ignored(void **state)
{
	static const char *const rows[] = {"", "x", "GET / HTTP/1.1\r\n\r\n",
		"\x16\xfe\xfd\0\0\0\0\0\0\0\0\xff\xff", "\x17\xfe\xfd\0\x01\0\0\0\0\0\x01\0\x01x",
		"\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x0c\x01\xff\xff\xff\0\0\0\0\0\xff\xff\xff"};
	static const size_t lengths[] = {0, 1, 18, 13, 14, 25};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_null(dtls_listener_receive(fx.listener, PEER_KEY,
			bytes_of(rows[i], lengths[i]), &end_events, &fx.server, &e));
		assert_int_equal(e.kind, ERR_NONE);
		assert_int_equal(fx.server.out.count, 0);
	}
	must_shake_hands(); /* and it is none the worse for it */
}

/* A thousand forged hellos: one answer each, no association, and less time than ten signatures. */
static void listener__flood_of_hellos__leaves_nothing(void **state)
{
	struct err e = ERR_INIT;
	struct parcel *p;

	start_client();
	p = link_take(&fx.client.out);
	for (int i = 0; i < 1000; i++) {
		char key[16];

		snprintf(key, sizeof(key), "%d", i);
		assert_null(dtls_listener_receive(fx.listener, bytes_of_str(key),
			bytes_of(p->octets, p->len), &end_events, &fx.server, &e));
		assert_int_equal(fx.server.out.count, 1);
		link_clear(&fx.server.out);
	}
	free(p);
	end_clear(&fx.client);
	must_shake_hands();
}

static void other_hello__restarted_device__is_told_from_a_repeat(void **state)
{
	struct parcel *first;

	start_client();
	first = link_take(&fx.client.out);
	link_put(&fx.client.out, bytes_of(first->octets, first->len), false);
	carry(fx.listener, &fx.server, &fx.client);
	assert_true(fx.server.established);
	assert_false(dtls_is_other_hello(fx.server.d, bytes_of(first->octets, first->len)));
	free(first);
	end_clear(&fx.client);
	fx.client = (struct end){.d = NULL};
	start_client();
	first = link_take(&fx.client.out);
	assert_true(dtls_is_other_hello(fx.server.d, bytes_of(first->octets, first->len)));
	assert_false(dtls_is_other_hello(fx.server.d, bytes_of(first->octets, 40)));
	first->octets[4] = 1; /* epoch */
	assert_false(dtls_is_other_hello(fx.server.d, bytes_of(first->octets, first->len)));
	free(first);
}

/* ---- Certificates --------------------------------------------------------------------------- */

static void must_be_refused(enum err_kind kind, const char *why)
{
	assert_false(shake_hands());
	assert_int_equal(fx.client.why.kind, kind);
	if (!strstr(fx.client.why.text, why))
		fail_msg("%s", fx.client.why.text);
	assert_true(fx.server.over);
}

/* req: D-12 */
static void client__provisional__takes_the_same_server_only(void **state)
{
	fx.config.same_server = fx.registrar.cert;
	must_shake_hands();
	tear_down(NULL);
	set_up(NULL);
	fx.config.same_server = fx.device.cert;
	must_be_refused(ERR_UNAUTHENTICATED, "another certificate");
}

static void client__anchored__needs_chain_and_name_or_ra(void **state)
{
	struct err e = ERR_INIT;
	static const struct {
		const char *eku, *host;
		bool foreign_anchor, fine;
	} rows[] = {
		{"serverAuth, cmcRA", "else.example", false, true},
		{"serverAuth", "registrar.example", false, true},
		{"serverAuth", "192.0.2.1", false, true},
		{"serverAuth", "192.0.2.2", false, false},
		{"serverAuth", "else.example", false, false},
		{"clientAuth", "registrar.example", false, false},
		{"serverAuth, cmcRA", "registrar.example", true, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct anchors *a;
		struct cert_list anchor CERT_LIST_AUTO = CERT_LIST_INIT;

		identity_clear(&fx.registrar);
		issue(&fx.registrar, KEY_EC_P256, rows[i].eku);
		tls_server_free(fx.tls);
		fx.tls = dtls_server_new(&fx.registrar, &e);
		dtls_listener_set_tls(fx.listener, fx.tls);
		MUST(cert_list_add(
			&anchor, rows[i].foreign_anchor ? fx.device.cert : fx.ca.cert, &e));
		a = anchors_new(&anchor, &e);
		assert_non_null(a);
		fx.config.anchors = a;
		fx.config.now_unix_s = clock_unix_s(NULL);
		fx.config.host = rows[i].host;
		if (rows[i].fine)
			must_shake_hands();
		else
			must_be_refused(ERR_UNAUTHENTICATED, "certificate");
		tear_down(NULL);
		set_up(NULL);
		anchors_free(a);
	}
}

/* req: C-01, D-11 */
static void server__client_without_certificate__is_refused(void **state)
{
	struct err e = ERR_INIT;
	SSL_CTX *ctx = SSL_CTX_new(DTLS_client_method());
	SSL *ssl = SSL_new(ctx);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

	BIO_set_mem_eof_return(in, -1);
	SSL_set_bio(ssl, in, out);
	SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
	SSL_set_mtu(ssl, 1400);
	for (int i = 0; i < 10 && !fx.server.over; i++) {
		uint8_t octets[4096];
		int n;

		SSL_connect(ssl);
		n = BIO_read(out, octets, sizeof(octets));
		if (n > 0 && fx.server.d)
			end_feed(&fx.server, bytes_of(octets, (size_t)n));
		else if (n > 0)
			fx.server.d = dtls_listener_receive(fx.listener, PEER_KEY,
				bytes_of(octets, (size_t)n), &end_events, &fx.server, &e);
		while (fx.server.out.count) {
			struct parcel *p = link_take(&fx.server.out);

			BIO_write(in, p->octets, (int)p->len);
			SSL_connect(ssl);
			free(p);
		}
	}
	assert_true(fx.server.over && !fx.server.established);
	assert_int_equal(fx.server.why.kind, ERR_PEER);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	ERR_clear_error();
}

/* It is not even kept: for the server the flight never comes. */
static void server__too_many_certificates__get_nowhere(void **state)
{
	struct err e = ERR_INIT;

	for (int i = 0; i < 60; i++)
		MUST(cert_list_add(&fx.device.chain, fx.ca.cert, &e));
	start_client();
	carry(fx.listener, &fx.server, &fx.client);
	assert_true(fx.client.out.sent > 10);
	assert_false(fx.server.established || fx.client.established);
}

/* ---- Sizes ---------------------------------------------------------------------------------- */

/* req: D-09 */
static void handshake__small_mtu__no_datagram_is_longer(void **state)
{
	static const size_t rows[] = {0, 256, 300, 512, 1232};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t mtu = rows[i] ? rows[i] : DTLS_MTU_DEFAULT;

		fx.config.mtu = fx.listening.mtu = rows[i];
		listen_anew();
		must_shake_hands();
		assert_in_range(fx.client.out.longest, 1, mtu);
		assert_in_range(fx.server.out.longest, mtu / 2, mtu);
		assert_in_range(dtls_plaintext_max(fx.server.d), mtu - 64, mtu - 29);
		tear_down(NULL);
		set_up(NULL);
	}
}

static void send_exactly(struct end *from, size_t octets, bool fits)
{
	static const uint8_t text[4096];
	struct err e = ERR_INIT;

	if (!fits) {
		REFUSED(dtls_send(from->d, bytes_of(text, octets), &e), ERR_TOO_LARGE);
		return;
	}
	MUST(dtls_send(from->d, bytes_of(text, octets), &e));
	carry(fx.listener, &fx.server, &fx.client);
}

/* req: D-07, B-12 */
static void fragment_length__asked_for__holds_both_ways(void **state)
{
	static const struct {
		unsigned asked;
		size_t plaintext_max;
	} rows[] = {{512, 512}, {1024, 1024}, {0, 1232 - 13 - 24}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct end *ends[] = {&fx.client, &fx.server};

		fx.config.mtu = fx.listening.mtu = 1232;
		listen_anew();
		fx.config.max_fragment = rows[i].asked;
		must_shake_hands();
		for (size_t k = 0; k < 2; k++) {
			assert_int_equal(dtls_plaintext_max(ends[k]->d), rows[i].plaintext_max);
			send_exactly(ends[k], rows[i].plaintext_max, true);
			send_exactly(ends[k], rows[i].plaintext_max + 1, false);
			assert_int_equal(ends[!k]->text_len, rows[i].plaintext_max);
		}
		tear_down(NULL);
		set_up(NULL);
	}
}

/* ---- After the handshake -------------------------------------------------------------------- */

static void records__repeated_or_forged__are_dropped(void **state)
{
	struct err e = ERR_INIT;
	struct parcel *p;

	must_shake_hands();
	MUST(dtls_send(fx.client.d, bytes_of_str("once"), &e));
	p = link_take(&fx.client.out);
	p->octets[p->len - 1] ^= 1;
	end_feed(&fx.server, bytes_of(p->octets, p->len));
	assert_int_equal(fx.server.text_len, 0);
	p->octets[p->len - 1] ^= 1;
	for (int i = 0; i < 3; i++)
		end_feed(&fx.server, bytes_of(p->octets, p->len));
	assert_true(heard(&fx.server, "once"));
	end_feed(&fx.server, bytes_of_str(""));
	end_feed(&fx.server, bytes_of_str("plain words"));
	end_feed(&fx.server, bytes_of_str("\x15\xfe\xfd\0\0\0\0\0\0\0\x09\0\x02\x02\x28"));
	end_feed(&fx.server, bytes_of("\x15\xfe\xfd\0\0\0\0\0\0\0\x09\0\x02\x02\x28", 15));
	assert_false(fx.server.over);
	free(p);
	say(&fx.client, "!");
	assert_true(heard(&fx.server, "once!"));
}

/* As far as the server's first flight, which waits. */
static void begin_association(void)
{
	start_client();
	for (int i = 0; i < 2; i++) { /* hello, cookie */
		struct parcel *p = link_take(&fx.client.out);

		fx.server.d = dtls_listener_receive(fx.listener, PEER_KEY,
			bytes_of(p->octets, p->len), &end_events, &fx.server, &fx.server.why);
		free(p);
		if (!fx.server.d) {
			p = link_take(&fx.server.out);
			end_feed(&fx.client, bytes_of(p->octets, p->len));
			free(p);
		}
	}
	assert_non_null(fx.server.d);
}

#define EARLY 200

/* So many records of epoch 1 in datagrams of their own. */
static void feed_early_records(uint8_t type)
{
	for (int i = 0; i < EARLY; i++) {
		uint8_t record[] = {type, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, (uint8_t)i, 0, 1, 'x'};

		end_feed(&fx.server, bytes_of(record, sizeof(record)));
	}
	assert_false(fx.server.over);
}

static void records__of_the_next_epoch__do_not_disturb_a_handshake(void **state)
{
	begin_association();
	feed_early_records(0x17);
	carry(fx.listener, &fx.server, &fx.client);
	if (!fx.client.established)
		fail_msg("client: %s; server: %s", fx.client.why.text, fx.server.why.text);
}

/* Like a Finished that comes too early: OpenSSL has to keep some, but not many. */
static void records__early_finished__are_kept_up_to_a_bound(void **state)
{
	size_t before;

	begin_association();
	before = mallinfo2().uordblks;
	feed_early_records(0x16);
	assert_true(mallinfo2().uordblks < before + 300000);
}

static void close__either_end__tells_the_other(void **state)
{
	struct err e = ERR_INIT;

	must_shake_hands();
	dtls_close(fx.client.d);
	assert_int_equal(fx.client.out.count, 1);
	carry(fx.listener, &fx.server, &fx.client);
	assert_true(fx.server.over);
	assert_int_equal(fx.server.why.kind, ERR_PEER);
	REFUSED(dtls_send(fx.client.d, bytes_of_str("x"), &e), ERR_PEER);
	REFUSED(dtls_send(fx.server.d, bytes_of_str("x"), &e), ERR_PEER);
}

static void send__before_the_handshake__is_refused(void **state)
{
	struct err e = ERR_INIT;

	start_client();
	REFUSED(dtls_send(fx.client.d, bytes_of_str("x"), &e), ERR_BUG);
	dtls_close(fx.client.d);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(dtls__two_ends__talk_and_know_each_other),
		T(channel_binding__both_ends__is_the_same),
		T(handshake__loss_repeats_disorder__comes_through),
		T(handshake__nobody_answers__is_repeated_ever_slower),
		T(handshake__other_kinds_of_keys__work),
		T(server_new__key_that_no_suite_takes__is_refused),
		T(listener__new_identity__serves_new_associations_only),
		T(cookie__of_another_peer__begins_nothing),
		T(cookie__good_but_no_room__begins_nothing_yet),
		T(cookie__turned_bit__begins_nothing),
		T(listener__anything_but_a_hello__is_ignored),
		T(listener__flood_of_hellos__leaves_nothing),
		T(other_hello__restarted_device__is_told_from_a_repeat),
		T(client__provisional__takes_the_same_server_only),
		T(client__anchored__needs_chain_and_name_or_ra),
		T(server__client_without_certificate__is_refused),
		T(server__too_many_certificates__get_nowhere),
		T(handshake__small_mtu__no_datagram_is_longer),
		T(fragment_length__asked_for__holds_both_ways),
		T(records__repeated_or_forged__are_dropped),
		T(records__of_the_next_epoch__do_not_disturb_a_handshake),
		T(records__early_finished__are_kept_up_to_a_bound),
		T(close__either_end__tells_the_other),
		T(send__before_the_handshake__is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
