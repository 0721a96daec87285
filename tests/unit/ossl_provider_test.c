/* SPDX-License-Identifier: Apache-2.0 */
/* With the cut-down provider in place: every format of key that is accepted still loads, stands in
 * certificates, chains and both ends of TLS; what is left out is refused. */
#include "tests/unit/pki_fixture.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

#include "common/pki/chain.h"
#include "common/pki/key.h"
#include "common/pki/ossl_provider.h"

#define AT 1700000000 /* within the fixture's validity */

static int install(void **state)
{
	struct err e = ERR_INIT;

	return ossl_provider_install(&e) ? 0 : -1;
}

static EVP_PKEY *generate(enum key_type type)
{
	struct err e = ERR_INIT;
	KEY_AUTO struct key *k = key_generate(type, &e);

	assert_non_null(k);
	EVP_PKEY_up_ref(key_evp(k));
	return key_evp(k);
}

/* ---- keys ---- */

static void assert_loads(BIO *bio, EVP_PKEY *expected)
{
	struct err e = ERR_INIT;
	char *pem;
	long len = BIO_get_mem_data(bio, &pem);
	KEY_AUTO struct key *k = key_parse_pem(bytes_of(pem, (size_t)len), &e);

	if (!k)
		fail_msg("%s", e.text);
	assert_int_equal(EVP_PKEY_eq(key_evp(k), expected), 1);
	BIO_free(bio);
	assert_queue_empty();
}

static void key_parse_pem__pkcs8_of_every_type__is_read(void **state)
{
	for (int t = 0; t < KEY_TYPE_COUNT; t++) {
		EVP_PKEY *evp = generate((enum key_type)t);
		BIO *bio = BIO_new(BIO_s_mem());

		assert_true(PEM_write_bio_PKCS8PrivateKey(bio, evp, NULL, NULL, 0, NULL, NULL));
		assert_loads(bio, evp);
		EVP_PKEY_free(evp);
	}
}

static void key_parse_pem__traditional_form_of_every_type__is_read(void **state)
{
	for (int t = 0; t < KEY_TYPE_COUNT; t++) {
		EVP_PKEY *evp = generate((enum key_type)t);
		BIO *bio = BIO_new(BIO_s_mem());

		if (t != KEY_ED25519) { /* has none */
			assert_true(PEM_write_bio_PrivateKey_traditional(
				bio, evp, NULL, NULL, 0, NULL, NULL));
			assert_loads(bio, evp);
		} else {
			BIO_free(bio);
		}
		EVP_PKEY_free(evp);
	}
}

/* As `openssl ecparam -genkey` writes it. */
static void key_parse_pem__behind_its_ec_parameters__is_read(void **state)
{
	static const char parameters[] = "-----BEGIN EC PARAMETERS-----\n"
					 "BggqhkjOPQMBBw==\n"
					 "-----END EC PARAMETERS-----\n";
	EVP_PKEY *evp = fixture_ec("P-256");
	BIO *bio = BIO_new(BIO_s_mem());

	BIO_puts(bio, parameters);
	assert_true(PEM_write_bio_PrivateKey_traditional(bio, evp, NULL, NULL, 0, NULL, NULL));
	assert_loads(bio, evp);
	EVP_PKEY_free(evp);
}

static void key_parse_pem__encrypted__is_still_said_to_be(void **state)
{
	static const unsigned char password[] = "secret";
	EVP_PKEY *evp = fixture_ec("P-256");
	BIO *bio = BIO_new(BIO_s_mem());
	struct err e = ERR_INIT;
	char *pem;
	long len;

	assert_true(PEM_write_bio_PrivateKey(bio, evp, EVP_aes_128_cbc(), password, 6, NULL, NULL));
	len = BIO_get_mem_data(bio, &pem);
	assert_null(key_parse_pem(bytes_of(pem, (size_t)len), &e));
	assert_non_null(strstr(e.text, "encrypted"));
	BIO_free(bio);
	EVP_PKEY_free(evp);
	assert_queue_empty();
}

/* A key of a kind that is left out, made by an OpenSSL that has everything. */
static void key_parse_pem__ed448__is_refused(void **state)
{
	OSSL_LIB_CTX *full = OSSL_LIB_CTX_new();
	EVP_PKEY *evp = EVP_PKEY_Q_keygen(full, NULL, "ED448");
	BIO *bio = BIO_new(BIO_s_mem());
	struct err e = ERR_INIT;
	char *pem;
	long len;

	assert_non_null(evp);
	assert_true(PEM_write_bio_PKCS8PrivateKey(bio, evp, NULL, NULL, 0, NULL, NULL));
	len = BIO_get_mem_data(bio, &pem);
	assert_null(key_parse_pem(bytes_of(pem, (size_t)len), &e));
	assert_int_equal(e.kind, ERR_INPUT);
	BIO_free(bio);
	EVP_PKEY_free(evp);
	OSSL_LIB_CTX_free(full);
	assert_queue_empty();
}

/* ---- certificates and TLS ---- */

struct pair {
	EVP_PKEY *ca_key, *key;
	struct cert *ca, *leaf;
};

static void make_pair(enum key_type type, struct pair *p)
{
	const char *digest = type == KEY_ED25519 ? "" : "SHA256";
	struct recipe ca = {.cn = "CA", .ext = {FIXTURE_CA}, .digest = digest};
	struct recipe leaf = {.cn = "leaf", .digest = digest};

	p->ca_key = ca.key = generate(type);
	p->key = leaf.key = generate(type);
	p->ca = fixture_cert(&ca);
	leaf.issuer = cert_x509(p->ca);
	leaf.issuer_key = p->ca_key;
	p->leaf = fixture_cert(&leaf);
}

static void free_pair(struct pair *p)
{
	cert_free(p->ca);
	cert_free(p->leaf);
	EVP_PKEY_free(p->ca_key);
	EVP_PKEY_free(p->key);
}

static void chain_verify__keys_of_every_type__holds(void **state)
{
	for (int t = 0; t < KEY_TYPE_COUNT; t++) {
		CERT_LIST_AUTO struct cert_list roots = CERT_LIST_INIT;
		ANCHORS_AUTO struct anchors *anchors = NULL;
		struct err e = ERR_INIT;
		struct pair p;

		make_pair((enum key_type)t, &p);
		assert_true(cert_is_self_signed(p.ca));
		assert_true(cert_list_add(&roots, p.ca, &e));
		anchors = anchors_new(&roots, &e);
		assert_non_null(anchors);
		assert_true(chain_verify(anchors, p.leaf, NULL, AT, NULL, &e));
		free_pair(&p);
	}
	assert_queue_empty();
}

static int accept_any(X509_STORE_CTX *store, void *arg)
{
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

static SSL *endpoint_in(
	OSSL_LIB_CTX *lib, const SSL_METHOD *method, const struct pair *own, int version)
{
	SSL_CTX *ctx = SSL_CTX_new_ex(lib, NULL, method);
	SSL *ssl;

	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET); /* as net/tls */
	assert_int_equal(SSL_CTX_set_num_tickets(ctx, 0), 1);
	assert_int_equal(SSL_CTX_use_certificate(ctx, cert_x509(own->leaf)), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, own->key), 1);
	assert_int_equal(SSL_CTX_add1_chain_cert(ctx, cert_x509(own->ca)), 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
	assert_int_equal(SSL_CTX_set_min_proto_version(ctx, version), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(ctx, version), 1);
	ssl = SSL_new(ctx);
	assert_non_null(ssl);
	SSL_CTX_free(ctx);
	return ssl;
}

/* Our servers have a context of their own; clients, libcurl's, the default one. */
static SSL *endpoint(const SSL_METHOD *method, const struct pair *own, int version)
{
	return endpoint_in(method == TLS_server_method() ? ossl_provider_handshake_ctx() : NULL,
		method, own, version);
}

static void shake_hands(SSL *server, SSL *client)
{
	BIO *a, *b;

	assert_int_equal(BIO_new_bio_pair(&a, 65536, &b, 65536), 1);
	SSL_set_bio(server, a, a);
	SSL_set_bio(client, b, b);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int i = 0; i < 10 && !(SSL_is_init_finished(server) && SSL_is_init_finished(client));
		i++) {
		(void)SSL_do_handshake(client);
		(void)SSL_do_handshake(server);
	}
}

static void assert_sees(SSL *ssl, const struct pair *peer)
{
	X509 *x = SSL_get0_peer_certificate(ssl);

	assert_true(SSL_is_init_finished(ssl));
	assert_non_null(x);
	assert_int_equal(X509_cmp(x, cert_x509(peer->leaf)), 0);
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(x), peer->key), 1);
}

static void tls__keys_of_every_type_at_both_ends__agree(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	for (int t = 0; t < KEY_TYPE_COUNT; t++)
		for (size_t v = 0; v < 2; v++) {
			struct pair server, client;
			SSL *s, *c;

			make_pair((enum key_type)t, &server);
			make_pair((enum key_type)((t + 1) % KEY_TYPE_COUNT), &client);
			s = endpoint(TLS_server_method(), &server, versions[v]);
			c = endpoint(TLS_client_method(), &client, versions[v]);
			shake_hands(s, c);
			assert_sees(s, &client);
			assert_sees(c, &server);
			SSL_free(s);
			SSL_free(c);
			free_pair(&server);
			free_pair(&client);
			ERR_clear_error();
		}
}

/* What tls.c offers, one by one. */
static void tls__every_group_and_suite__agrees(void **state)
{
	static const char *const groups[] = {"X25519", "P-384", "P-521", "P-256"};
	static const char *const suites[][2] = {{"TLS_AES_128_GCM_SHA256", NULL},
		{"TLS_AES_256_GCM_SHA384", NULL}, {"TLS_CHACHA20_POLY1305_SHA256", NULL},
		{NULL, "ECDHE-ECDSA-AES128-GCM-SHA256"}, {NULL, "ECDHE-ECDSA-AES256-GCM-SHA384"},
		{NULL, "ECDHE-ECDSA-CHACHA20-POLY1305"}};
	struct pair p;

	make_pair(KEY_EC_P256, &p);
	for (size_t i = 0; i < 4 * 6; i++) {
		const char *const *suite = suites[i % 6];
		int version = suite[0] ? TLS1_3_VERSION : TLS1_2_VERSION;
		SSL *s = endpoint(TLS_server_method(), &p, version);
		SSL *c = endpoint(TLS_client_method(), &p, version);
		char list[32]; /* with TLS 1.2 the certificate's curve has to be among them */

		snprintf(list, sizeof(list), "%s%s", groups[i / 6],
			suite[0] || i / 6 == 3 ? "" : ":P-256");
		assert_int_equal(SSL_set1_groups_list(c, list), 1);
		assert_int_equal(suite[0] ? SSL_set_ciphersuites(c, suite[0])
					  : SSL_set_cipher_list(c, suite[1]),
			1);
		shake_hands(s, c);
		assert_sees(s, &p);
		assert_sees(c, &p);
		SSL_free(s);
		SSL_free(c);
		ERR_clear_error();
	}
	free_pair(&p);
}

/* A MASA may have nothing better; our servers have it not. */
static void tls__a_suite_with_cbc__is_for_clients_only(void **state)
{
	struct pair p;

	make_pair(KEY_EC_P256, &p);
	for (int ours = 0; ours < 2; ours++) {
		SSL *s = endpoint_in(ours ? ossl_provider_handshake_ctx() : NULL,
			TLS_server_method(), &p, TLS1_2_VERSION);
		SSL *c = endpoint(TLS_client_method(), &p, TLS1_2_VERSION);

		assert_int_equal(SSL_set_cipher_list(c, "ECDHE-ECDSA-AES128-SHA256"), 1);
		shake_hands(s, c);
		assert_int_equal(SSL_is_init_finished(c), !ours);
		SSL_free(s);
		SSL_free(c);
		ERR_clear_error();
	}
	free_pair(&p);
}

/* ---- keys as a handshake reads them ---- */

static EVP_PKEY *read_in_handshake(const uint8_t *der, int len)
{
	return d2i_PUBKEY_ex(NULL, &der, len, ossl_provider_handshake_ctx(), NULL);
}

static void handshake__public_key_of_every_type__is_the_one_encoded(void **state)
{
	for (int t = 0; t < KEY_TYPE_COUNT; t++) {
		EVP_PKEY *key = generate((enum key_type)t), *again;
		uint8_t *der = NULL;
		int len = i2d_PUBKEY(key, &der);

		again = read_in_handshake(der, len);
		assert_non_null(again);
		assert_int_equal(EVP_PKEY_eq(key, again), 1);
		assert_queue_empty();
		EVP_PKEY_free(again);
		EVP_PKEY_free(key);
		OPENSSL_free(der);
	}
}

static void handshake__signature_by_a_key_on_p256__is_judged(void **state)
{
	EVP_PKEY *key = generate(KEY_EC_P256), *again;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[128], *der = NULL;
	size_t sig_len = sizeof(sig);
	int len = i2d_PUBKEY(key, &der);

	again = read_in_handshake(der, len);
	assert_true(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key));
	assert_true(EVP_DigestSign(ctx, sig, &sig_len, (const uint8_t *)"a", 1));
	for (int i = 0; i < 2; i++, sig[sig_len - 1] ^= 1) {
		EVP_MD_CTX_reset(ctx);
		assert_true(EVP_DigestVerifyInit_ex(
			ctx, NULL, "SHA256", ossl_provider_handshake_ctx(), NULL, again, NULL));
		assert_int_equal(
			EVP_DigestVerify(ctx, sig, sig_len, (const uint8_t *)"a", 1) == 1, i == 0);
	}
	ERR_clear_error();
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(again);
	EVP_PKEY_free(key);
	OPENSSL_free(der);
}

static void handshake__compressed_point__is_read(void **state)
{
	EVP_PKEY *key = generate(KEY_EC_P256), *again;
	uint8_t *der = NULL;
	int len;

	assert_true(EVP_PKEY_set_utf8_string_param(
		key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed"));
	len = i2d_PUBKEY(key, &der);
	assert_true(len < 91);
	again = read_in_handshake(der, len);
	assert_int_equal(EVP_PKEY_eq(key, again), 1);
	EVP_PKEY_free(again);
	EVP_PKEY_free(key);
	OPENSSL_free(der);
}

static void handshake__point_off_the_curve__is_refused(void **state)
{
	EVP_PKEY *key = generate(KEY_EC_P256);
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(key, &der);

	der[len - 1] ^= 1;
	assert_null(read_in_handshake(der, len));
	der[len - 1] ^= 1;
	memset(der + len - 64, 0xff, 32); /* x not below the prime */
	assert_null(read_in_handshake(der, len));
	memset(der + len - 64, 0, 64);
	assert_null(read_in_handshake(der, len));
	ERR_clear_error();
	EVP_PKEY_free(key);
	OPENSSL_free(der);
}

static void ossl_provider_install__twice__changes_nothing(void **state)
{
	struct err e = ERR_INIT;
	EVP_PKEY *before = fixture_ec("P-256"), *after;

	assert_true(ossl_provider_install(&e));
	after = fixture_ec("P-256");
	assert_ptr_equal(EVP_PKEY_get0_provider(before), EVP_PKEY_get0_provider(after));
	assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(after)), "brski");
	EVP_PKEY_free(before);
	EVP_PKEY_free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_parse_pem__pkcs8_of_every_type__is_read),
		cmocka_unit_test(key_parse_pem__traditional_form_of_every_type__is_read),
		cmocka_unit_test(key_parse_pem__behind_its_ec_parameters__is_read),
		cmocka_unit_test(key_parse_pem__encrypted__is_still_said_to_be),
		cmocka_unit_test(key_parse_pem__ed448__is_refused),
		cmocka_unit_test(chain_verify__keys_of_every_type__holds),
		cmocka_unit_test(tls__keys_of_every_type_at_both_ends__agree),
		cmocka_unit_test(tls__every_group_and_suite__agrees),
		cmocka_unit_test(tls__a_suite_with_cbc__is_for_clients_only),
		cmocka_unit_test(handshake__public_key_of_every_type__is_the_one_encoded),
		cmocka_unit_test(handshake__signature_by_a_key_on_p256__is_judged),
		cmocka_unit_test(handshake__compressed_point__is_read),
		cmocka_unit_test(handshake__point_off_the_curve__is_refused),
		cmocka_unit_test(ossl_provider_install__twice__changes_nothing),
	};

	return cmocka_run_group_tests(tests, install, NULL);
}
