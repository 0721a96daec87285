/* SPDX-License-Identifier: Apache-2.0 */
/* COSE_Sign1: what we write is taken apart octet by octet, and every rule of reading is tried with
 * a container made by hand, its signature by OpenSSL.
 */
#include "common/pki/cose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#include "common/wire/cbor.h"
#include "tests/unit/identity_fixture.h"

#define OCTETS(...) bytes_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define MADE_MAX    (2 * COSE_MAX)

static struct identity signer; /* P-256, made once: keys cost time, and nothing changes it */
static struct identity stranger;

static struct bytes payload(void)
{
	return bytes_of_str("anything that was signed");
}

/* ---- a container made by hand, one wrong thing at a time ---- */

struct wanted {
	struct bytes tag;   /* octets in front */
	struct bytes array; /* octets of the array's head */
	struct bytes protected_header;
	struct bytes unprotected; /* a whole item */
	struct bytes payload;	  /* a whole item; len 0: the usual */
	struct bytes signature;	  /* a whole item; len 0: a good one */
	struct bytes after;
	bool der_signature;
};

static struct wanted usual(void)
{
	static const uint8_t tag[] = {0xd2}, array[] = {0x84}, es256[] = {0xa1, 0x01, 0x26},
			     empty_map[] = {0xa0};
	return (struct wanted){.tag = bytes_of(tag, sizeof(tag)),
		.array = bytes_of(array, sizeof(array)),
		.protected_header = bytes_of(es256, sizeof(es256)),
		.unprotected = bytes_of(empty_map, sizeof(empty_map))};
}

static void add(struct buf *out, struct bytes octets)
{
	struct err e = ERR_INIT;
	MUST(buf_append(out, octets.data, octets.len, &e));
}

static void add_bytes(struct buf *out, struct bytes octets)
{
	struct err e = ERR_INIT;
	MUST(cbor_put_bytes(out, octets, &e));
}

/* OpenSSL's own way from DER to the two numbers. */
static struct bytes raw_of(const struct buf *der, uint8_t raw[64])
{
	const uint8_t *p = der->data;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)der->len);
	assert_non_null(sig);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32), 32);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32), 32);
	ECDSA_SIG_free(sig);
	return bytes_of(raw, 64);
}

static void sign_by_hand(const struct wanted *w, struct buf *out)
{
	BUF_AUTO struct buf tbs = BUF_INIT(MADE_MAX);
	BUF_AUTO struct buf der = BUF_INIT(256);
	struct err e = ERR_INIT;
	uint8_t raw[64];
	add(&tbs, OCTETS(0x84, 0x6a));
	add(&tbs, bytes_of_str("Signature1"));
	add_bytes(&tbs, w->protected_header);
	add(&tbs, OCTETS(0x40));
	add_bytes(&tbs, payload());
	MUST(key_sign(signer.key, buf_bytes(&tbs), &der, &e));
	add_bytes(out, w->der_signature ? buf_bytes(&der) : raw_of(&der, raw));
}

static void make(const struct wanted *w, struct buf *out)
{
	add(out, w->tag);
	add(out, w->array);
	add_bytes(out, w->protected_header);
	add(out, w->unprotected);
	if (w->payload.len)
		add(out, w->payload);
	else
		add_bytes(out, payload());
	if (w->signature.len)
		add(out, w->signature);
	else
		sign_by_hand(w, out);
	add(out, w->after);
}

static struct cert_list only(struct identity *who)
{
	return (struct cert_list){.items = &who->cert, .count = 1};
}

static void assert_opens(const struct wanted *w)
{
	BUF_AUTO struct buf made = BUF_INIT(MADE_MAX);
	COSE_AUTO struct cose c;
	struct cert_list hint = only(&signer);
	struct err e = ERR_INIT;
	make(w, &made);
	MUST(cose_open(buf_bytes(&made), NULL, &hint, &c, &e));
	assert_true(bytes_equal(buf_bytes(&c.payload), payload()));
	assert_true(cert_same(c.signer, signer.cert));
	assert_queue_empty();
}

static void assert_refused(const struct wanted *w, enum err_kind kind, const char *reason)
{
	BUF_AUTO struct buf made = BUF_INIT(MADE_MAX);
	COSE_AUTO struct cose c;
	struct cert_list hint = only(&signer);
	struct err e = ERR_INIT;
	make(w, &made);
	REFUSED(cose_open(buf_bytes(&made), NULL, &hint, &c, &e), kind);
	if (!strstr(e.text, reason))
		fail_msg("\"%s\" is not in \"%s\"", reason, e.text);
	assert_queue_empty();
}

/* {32: ...} or {33: ...} with these certificates, in an array if asked for. */
static void make_bag(
	struct buf *out, uint8_t label, bool array, struct cert *const *certs, size_t count)
{
	struct err e = ERR_INIT;
	add(out, OCTETS(0xa1, 0x18, label));
	if (array)
		MUST(cbor_put_array(out, count, &e));
	for (size_t i = 0; i < count; i++)
		add_bytes(out, cert_der(certs[i]));
}

/* ---- the structure ---- */

static void cose_open__made_by_hand__is_read(void **state)
{
	struct wanted w = usual();
	assert_opens(&w);
	w.tag = bytes_of(NULL, 0);
	assert_opens(&w);
	w = usual();
	w.array = OCTETS(0x9f); /* of indefinite length */
	w.after = OCTETS(0xff);
	assert_opens(&w);
	w = usual();
	w.protected_header = OCTETS(0xbf, 0x18, 0x01, 0x26, 0xff); /* signed as it stands */
	assert_opens(&w);
}

static void cose_open__another_structure__is_refused(void **state)
{
	struct wanted w = usual();
	w.tag = OCTETS(0xd1);
	assert_refused(&w, ERR_INPUT, "tag 17");
	w = usual();
	w.tag = OCTETS(0xd2, 0xd2);
	assert_refused(&w, ERR_INPUT, "tag where array");
	w = usual();
	w.array = OCTETS(0x85);
	w.after = OCTETS(0x00);
	assert_refused(&w, ERR_INPUT, "5 elements");
	w = usual();
	w.after = OCTETS(0x00);
	assert_refused(&w, ERR_INPUT, "after the end");
	w = usual();
	w.unprotected = OCTETS(0x40);
	assert_refused(&w, ERR_INPUT, "unprotected header");
	w = usual();
	w.signature = OCTETS(0xf6);
	assert_refused(&w, ERR_INPUT, "signature");
}

static void cose_open__detached_payload__is_refused(void **state)
{
	struct wanted w = usual();
	w.payload = OCTETS(0xf6);
	assert_refused(&w, ERR_INPUT, "detached");
	w.payload = OCTETS(0x61, 'x');
	assert_refused(&w, ERR_INPUT, "payload");
}

static void cose_open__too_long__is_refused(void **state)
{
	BUF_AUTO struct buf b = BUF_INIT(COSE_MAX + 1);
	COSE_AUTO struct cose c;
	struct err e = ERR_INIT;
	add(&b, OCTETS(0x59, (COSE_MAX - 2) >> 8, (COSE_MAX - 2) & 0xff));
	while (b.len <= COSE_MAX)
		add(&b, OCTETS(0));
	cose_init(&c);
	REFUSED(cose_open(buf_bytes(&b), NULL, NULL, &c, &e), ERR_TOO_LARGE);
}

/* ---- headers ---- */

static void cose_open__alg_not_protected_or_missing__is_refused(void **state)
{
	struct wanted w = usual();
	w.protected_header = bytes_of(NULL, 0);
	assert_refused(&w, ERR_INPUT, "alg is missing");
	w.protected_header = OCTETS(0xa0);
	assert_refused(&w, ERR_INPUT, "alg is missing");
	w.protected_header = OCTETS(0xa1, 0x0f, 0xa0);
	assert_refused(&w, ERR_INPUT, "alg is missing");
	w = usual();
	w.unprotected = OCTETS(0xa1, 0x01, 0x26);
	assert_refused(&w, ERR_INPUT, "in both headers");
	w.protected_header = bytes_of(NULL, 0);
	assert_refused(&w, ERR_INPUT, "alg is missing");
}

static void cose_open__unknown_algorithm__is_refused(void **state)
{
	struct wanted w = usual();
	w.protected_header = OCTETS(0xa1, 0x01, 0x38, 46); /* ES256K */
	assert_refused(&w, ERR_INPUT, "algorithm -47");
	w.protected_header = OCTETS(0xa1, 0x01, 0x65, 'E', 'S', '2', '5', '6');
	assert_refused(&w, ERR_INPUT, "alg");
	w.protected_header = OCTETS(0xa1, 0x01, 0x27); /* EdDSA, and the key is P-256 */
	assert_refused(&w, ERR_UNAUTHENTICATED, "no certificate at hand has a key for EdDSA");
}

static void cose_open__headers_nobody_knows__are_passed_over(void **state)
{
	struct wanted w = usual();
	w.protected_header = OCTETS(0xa2, 0x01, 0x26, 0x0f, 0xa1, 0x06, 0x1a, 1, 2, 3, 4);
	w.unprotected = OCTETS(0xa4, 0x03, 0x00, 0x0f, 0xa0, 0x18, 0x63, 0x80, 0x61, 'x', 0xf6);
	assert_opens(&w);
}

static void cose_open__crit__holds_for_what_we_know_only(void **state)
{
	struct wanted w = usual();
	w.protected_header = OCTETS(0xa2, 0x01, 0x26, 0x02, 0x82, 0x01, 0x18, 0x20);
	assert_opens(&w);
	w.protected_header = OCTETS(0xa3, 0x01, 0x26, 0x02, 0x81, 0x0f, 0x0f, 0xa0);
	assert_refused(&w, ERR_INPUT, "critical header that is not known");
	w.protected_header = OCTETS(0xa3, 0x01, 0x26, 0x02, 0x81, 0x61, 'x', 0x61, 'x', 0x00);
	assert_refused(&w, ERR_INPUT, "critical header that is not known");
	w.protected_header = OCTETS(0xa2, 0x01, 0x26, 0x02, 0x80);
	assert_refused(&w, ERR_INPUT, "0 labels");
	w = usual();
	w.unprotected = OCTETS(0xa1, 0x02, 0x81, 0x01);
	assert_refused(&w, ERR_INPUT, "crit: not in the protected header");
}

static void cose_open__header_twice__is_refused(void **state)
{
	struct wanted w = usual();
	w.protected_header = OCTETS(0xa2, 0x01, 0x26, 0x01, 0x26);
	assert_refused(&w, ERR_INPUT, "twice");
	w.protected_header = OCTETS(0xa2, 0x01, 0x26, 0x04, 0x41, 1);
	w.unprotected = OCTETS(0xa1, 0x04, 0x41, 2);
	assert_refused(&w, ERR_INPUT, "kid: in both");
	w = usual();
	w.unprotected = OCTETS(0xa1, 0x41, 0x01, 0x00);
	assert_refused(&w, ERR_INPUT, "neither number nor text");
}

static void cose_open__kid__is_shown_and_decides_nothing(void **state)
{
	BUF_AUTO struct buf made = BUF_INIT(MADE_MAX);
	COSE_AUTO struct cose c;
	struct cert_list hint = only(&signer);
	struct wanted w = usual();
	struct err e = ERR_INIT;
	w.unprotected = OCTETS(0xa1, 0x04, 0x42, 0xca, 0xfe);
	make(&w, &made);
	MUST(cose_open(buf_bytes(&made), NULL, &hint, &c, &e));
	assert_true(bytes_equal(buf_bytes(&c.kid), OCTETS(0xca, 0xfe)));
	w.unprotected = OCTETS(0xa1, 0x04, 0x01);
	assert_refused(&w, ERR_INPUT, "kid");
}

/* ---- the signature ---- */

static void cose_verify__signature_in_der__is_refused(void **state)
{
	struct wanted w = usual();
	w.der_signature = true;
	assert_refused(&w, ERR_UNAUTHENTICATED, "raw and not in DER");
}

static void cose_verify__signature_of_zero__is_refused(void **state)
{
	struct wanted w = usual();
	uint8_t zero[66] = {0x58, 64};
	w.signature = bytes_of(zero, sizeof(zero));
	assert_refused(&w, ERR_UNAUTHENTICATED, "of zero");
}

static void cose_verify__anything_signed_changed__is_refused(void **state)
{
	struct wanted w = usual();
	w.payload = OCTETS(0x41, 'x');
	assert_refused(&w, ERR_UNAUTHENTICATED, "none of the 1 certificates");
	BUF_AUTO struct buf made = BUF_INIT(MADE_MAX);
	w = usual();
	make(&w, &made);
	for (size_t i = made.len - 64; i < made.len; i += 21) {
		COSE_AUTO struct cose c;
		struct cert_list hint = only(&signer);
		struct err e = ERR_INIT;
		made.data[i] ^= 1;
		REFUSED(cose_open(buf_bytes(&made), NULL, &hint, &c, &e), ERR_UNAUTHENTICATED);
		made.data[i] ^= 1;
	}
}

static void cose_verify__nobody_at_hand__is_refused(void **state)
{
	BUF_AUTO struct buf made = BUF_INIT(MADE_MAX);
	COSE_AUTO struct cose c;
	struct cert_list other = only(&stranger);
	struct wanted w = usual();
	struct err e = ERR_INIT;
	make(&w, &made);
	cose_init(&c);
	REFUSED(cose_open(buf_bytes(&made), NULL, NULL, &c, &e), ERR_UNAUTHENTICATED);
	assert_non_null(strstr(e.text, "missing"));
	assert_string_equal(err_sentence(&e), "The certificate of the signer is missing.");
	REFUSED(cose_open(buf_bytes(&made), NULL, &other, &c, &e), ERR_UNAUTHENTICATED);
}

/* ---- certificates ---- */

static void open_bag(struct buf *bag, struct cose *c)
{
	BUF_AUTO struct buf made = BUF_INIT(MADE_MAX);
	struct wanted w = usual();
	struct err e = ERR_INIT;
	w.unprotected = buf_bytes(bag);
	make(&w, &made);
	MUST(cose_open(buf_bytes(&made), NULL, NULL, c, &e));
	assert_true(cert_same(c->signer, signer.cert));
}

static void cose_verify__certificate_in_either_form__is_found(void **state)
{
	static const uint8_t labels[] = {32, 33};
	for (size_t i = 0; i < 4; i++) {
		BUF_AUTO struct buf bag = BUF_INIT(COSE_MAX);
		COSE_AUTO struct cose c;
		make_bag(&bag, labels[i / 2], i % 2, &signer.cert, 1);
		open_bag(&bag, &c);
		assert_int_equal(c.certs.count, 1);
		assert_int_equal(c.protected_certs, 0);
	}
}

static void cose_verify__bag_in_any_order__finds_the_signer(void **state)
{
	struct cert *orders[][3] = {{signer.cert, stranger.cert, stranger.cert},
		{stranger.cert, signer.cert, signer.cert}};
	for (size_t i = 0; i < 2; i++) {
		BUF_AUTO struct buf bag = BUF_INIT(COSE_MAX);
		COSE_AUTO struct cose c;
		make_bag(&bag, 32, true, orders[i], 3);
		open_bag(&bag, &c);
		assert_int_equal(c.certs.count, 2); /* each once */
	}
}

static struct cert *certificate_of(struct identity *who, const char *cn, const char *eku)
{
	struct recipe r = {.cn = cn, .key = key_evp(who->key)};
	if (eku) {
		r.ext[0][0] = "extendedKeyUsage";
		r.ext[0][1] = eku;
	}
	return fixture_cert(&r);
}

static void cose_verify__two_certificates_of_the_key__takes_the_authority(void **state)
{
	CERT_AUTO struct cert *ra = certificate_of(&signer, "ra", "1.3.6.1.5.5.7.3.28");
	struct cert *orders[][2] = {{signer.cert, ra}, {ra, signer.cert}};
	for (size_t i = 0; i < 2; i++) {
		BUF_AUTO struct buf bag = BUF_INIT(COSE_MAX), made = BUF_INIT(MADE_MAX);
		COSE_AUTO struct cose c;
		struct wanted w = usual();
		struct err e = ERR_INIT;
		make_bag(&bag, 32, true, orders[i], 2);
		w.unprotected = buf_bytes(&bag);
		make(&w, &made);
		MUST(cose_open(buf_bytes(&made), NULL, NULL, &c, &e));
		assert_true(cert_same(c.signer, ra));
	}
}

/* O-05: a foreign bag in a pledge's request changes nothing about whom the TLS session names. */
static void cose_verify__signer_known_already__stands_above_the_bag(void **state)
{
	CERT_AUTO struct cert *twin = certificate_of(&signer, "twin", NULL);
	struct cert *bag_certs[] = {stranger.cert, twin};
	BUF_AUTO struct buf bag = BUF_INIT(COSE_MAX);
	struct wanted w = usual();
	make_bag(&bag, 32, true, bag_certs, 2);
	w.unprotected = buf_bytes(&bag);
	assert_opens(&w);
}

static void cose_parse__what_is_no_certificate__is_left_out(void **state)
{
	BUF_AUTO struct buf bag = BUF_INIT(COSE_MAX);
	COSE_AUTO struct cose c;
	add(&bag, OCTETS(0xa1, 0x18, 0x20, 0x82, 0x43, 1, 2, 3));
	add_bytes(&bag, cert_der(signer.cert));
	open_bag(&bag, &c);
	assert_int_equal(c.certs.count, 1);
	assert_int_equal(c.certs_unreadable, 1);
}

static void cose_parse__certificates_of_another_type__are_refused(void **state)
{
	struct wanted w = usual();
	w.unprotected = OCTETS(0xa1, 0x18, 0x20, 0x00);
	assert_refused(&w, ERR_INPUT, "x5bag");
	w.unprotected = OCTETS(0xa1, 0x18, 0x21, 0x81, 0x61, 'x');
	assert_refused(&w, ERR_INPUT, "x5chain");
}

static void cose_parse__too_many_certificates__are_refused(void **state)
{
	BUF_AUTO struct buf bag = BUF_INIT(COSE_MAX);
	struct wanted w = usual();
	struct cert *many[COSE_CERTS_MAX + 1];
	for (size_t i = 0; i <= COSE_CERTS_MAX; i++)
		many[i] = signer.cert;
	make_bag(&bag, 32, true, many, COSE_CERTS_MAX + 1);
	w.unprotected = buf_bytes(&bag);
	assert_refused(&w, ERR_TOO_LARGE, "more than 16 certificates");
}

static void cose_parse__protected_bag__is_told_apart(void **state)
{
	BUF_AUTO struct buf header = BUF_INIT(COSE_MAX), made = BUF_INIT(MADE_MAX);
	COSE_AUTO struct cose c;
	struct wanted w = usual();
	struct err e = ERR_INIT;
	add(&header, OCTETS(0xa2, 0x01, 0x26, 0x18, 0x20));
	add_bytes(&header, cert_der(signer.cert));
	w.protected_header = buf_bytes(&header);
	make(&w, &made);
	MUST(cose_open(buf_bytes(&made), NULL, NULL, &c, &e));
	assert_int_equal(c.protected_certs, 1);
	/* it reaches the pledge */
	BUF_AUTO struct buf stripped = BUF_INIT(COSE_MAX);
	MUST(cose_strip_certs(buf_bytes(&made), &stripped, &e));
	assert_true(bytes_equal(buf_bytes(&made), buf_bytes(&stripped)));
}

/* ---- writing ---- */

static void cose_seal__es256__is_this_octet_by_octet(void **state)
{
	BUF_AUTO struct buf out = BUF_INIT(COSE_MAX), expected = BUF_INIT(COSE_MAX);
	struct err e = ERR_INIT;
	struct cert_list bag = only(&signer);
	MUST(cose_seal(payload(), &signer, NULL, &out, &e));
	add(&expected, OCTETS(0xd2, 0x84, 0x43, 0xa1, 0x01, 0x26, 0xa0));
	add_bytes(&expected, payload());
	add(&expected, OCTETS(0x58, 64));
	assert_int_equal(out.len, expected.len + 64);
	assert_memory_equal(out.data, expected.data, expected.len);
	/* one certificate stands bare */
	buf_clear(&out);
	buf_clear(&expected);
	MUST(cose_seal(payload(), &signer, &bag, &out, &e));
	add(&expected, OCTETS(0xd2, 0x84, 0x43, 0xa1, 0x01, 0x26, 0xa1, 0x18, 0x20));
	add_bytes(&expected, cert_der(signer.cert));
	assert_memory_equal(out.data, expected.data, expected.len);
}

static void cose_seal__each_type_of_key__opens_again(void **state)
{
	static const struct {
		enum key_type type;
		int64_t alg;
		const char *name;
	} types[] = {{KEY_EC_P256, COSE_ES256, "ES256"}, {KEY_EC_P384, COSE_ES384, "ES384"},
		{KEY_ED25519, COSE_EDDSA, "EdDSA"}};
	for (size_t i = 0; i < 3; i++) {
		BUF_AUTO struct buf out = BUF_INIT(COSE_MAX);
		IDENTITY_AUTO struct identity who;
		COSE_AUTO struct cose c;
		struct err e = ERR_INIT;
		fixture_identity(types[i].type, "who", &who);
		struct cert *certs[] = {stranger.cert, who.cert, who.cert};
		struct cert_list bag = {.items = certs, .count = 3};
		MUST(cose_seal(payload(), &who, &bag, &out, &e));
		MUST(cose_open(buf_bytes(&out), NULL, NULL, &c, &e));
		assert_true(c.alg == types[i].alg);
		assert_string_equal(cose_alg_name(c.alg), types[i].name);
		assert_true(c.tagged);
		assert_int_equal(c.certs.count, 2);
		assert_true(cert_same(c.signer, who.cert));
		assert_queue_empty();
	}
}

static void cose_seal__key_without_an_algorithm__is_refused(void **state)
{
	BUF_AUTO struct buf out = BUF_INIT(COSE_MAX);
	IDENTITY_AUTO struct identity rsa;
	struct err e = ERR_INIT;
	fixture_identity(KEY_RSA_3072, "rsa", &rsa);
	REFUSED(cose_seal(payload(), &rsa, NULL, &out, &e), ERR_INPUT);
	assert_int_equal(out.len, 0);
}

/* Certificate and key that do not belong together: nothing leaves that does not verify. */
static void cose_seal__signature_that_does_not_verify__stays_here(void **state)
{
	BUF_AUTO struct buf out = BUF_INIT(COSE_MAX);
	struct identity mixed = {.key = stranger.key, .cert = signer.cert};
	struct err e = ERR_INIT;
	REFUSED(cose_seal(payload(), &mixed, NULL, &out, &e), ERR_BUG);
	assert_int_equal(out.len, 0);
}

/* ---- without certificates ---- */

static void cose_strip__certificates__are_gone_and_nothing_else(void **state)
{
	BUF_AUTO struct buf bag = BUF_INIT(COSE_MAX), made = BUF_INIT(MADE_MAX);
	BUF_AUTO struct buf stripped = BUF_INIT(COSE_MAX), expected = BUF_INIT(COSE_MAX);
	struct wanted w = usual();
	struct err e = ERR_INIT;
	/* {4: h'cafe', 32: bag, 15: {}, 33: chain} */
	add(&bag, OCTETS(0xa4, 0x04, 0x42, 0xca, 0xfe, 0x18, 0x20));
	add_bytes(&bag, cert_der(signer.cert));
	add(&bag, OCTETS(0x0f, 0xa0, 0x19, 0x00, 0x21, 0x81));
	add_bytes(&bag, cert_der(signer.cert));
	w.unprotected = buf_bytes(&bag);
	make(&w, &made);
	MUST(cose_strip_certs(buf_bytes(&made), &stripped, &e));
	size_t tail = made.len - 1 - 1 - 4 - bag.len;
	add(&expected, bytes_of(made.data, 6));
	add(&expected, OCTETS(0xa2, 0x04, 0x42, 0xca, 0xfe, 0x0f, 0xa0));
	add(&expected, bytes_of(made.data + made.len - tail, tail));
	assert_true(bytes_equal(buf_bytes(&stripped), buf_bytes(&expected)));
	/* the signature still holds */
	COSE_AUTO struct cose c;
	struct cert_list hint = only(&signer);
	MUST(cose_open(buf_bytes(&stripped), NULL, &hint, &c, &e));
	assert_int_equal(c.certs.count, 0);
}

static void cose_strip__bag_alone__leaves_an_empty_map(void **state)
{
	BUF_AUTO struct buf sealed = BUF_INIT(COSE_MAX), stripped = BUF_INIT(COSE_MAX);
	struct cert_list bag = only(&signer);
	struct err e = ERR_INIT;
	MUST(cose_seal(payload(), &signer, &bag, &sealed, &e));
	MUST(cose_strip_certs(buf_bytes(&sealed), &stripped, &e));
	assert_memory_equal(stripped.data, "\xd2\x84\x43\xa1\x01\x26\xa0", 7);
	assert_memory_equal(
		stripped.data + 7, sealed.data + sealed.len - (stripped.len - 7), stripped.len - 7);
}

static void cose_strip__no_cose__is_refused(void **state)
{
	BUF_AUTO struct buf out = BUF_INIT(COSE_MAX);
	struct err e = ERR_INIT;
	REFUSED(cose_strip_certs(bytes_of_str("{}"), &out, &e), ERR_INPUT);
	REFUSED(cose_strip_certs(OCTETS(0x84, 0x40, 0x40, 0x40, 0x40), &out, &e), ERR_INPUT);
	assert_int_equal(out.len, 0);
}

static int make_identities(void **state)
{
	fixture_identity(KEY_EC_P256, "signer", &signer);
	fixture_identity(KEY_EC_P256, "stranger", &stranger);
	return 0;
}

static int clear_identities(void **state)
{
	identity_clear(&signer);
	identity_clear(&stranger);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cose_open__made_by_hand__is_read),
		cmocka_unit_test(cose_open__another_structure__is_refused),
		cmocka_unit_test(cose_open__detached_payload__is_refused),
		cmocka_unit_test(cose_open__too_long__is_refused),
		cmocka_unit_test(cose_open__alg_not_protected_or_missing__is_refused),
		cmocka_unit_test(cose_open__unknown_algorithm__is_refused),
		cmocka_unit_test(cose_open__headers_nobody_knows__are_passed_over),
		cmocka_unit_test(cose_open__crit__holds_for_what_we_know_only),
		cmocka_unit_test(cose_open__header_twice__is_refused),
		cmocka_unit_test(cose_open__kid__is_shown_and_decides_nothing),
		cmocka_unit_test(cose_verify__signature_in_der__is_refused),
		cmocka_unit_test(cose_verify__signature_of_zero__is_refused),
		cmocka_unit_test(cose_verify__anything_signed_changed__is_refused),
		cmocka_unit_test(cose_verify__nobody_at_hand__is_refused),
		cmocka_unit_test(cose_verify__certificate_in_either_form__is_found),
		cmocka_unit_test(cose_verify__bag_in_any_order__finds_the_signer),
		cmocka_unit_test(cose_verify__two_certificates_of_the_key__takes_the_authority),
		cmocka_unit_test(cose_verify__signer_known_already__stands_above_the_bag),
		cmocka_unit_test(cose_parse__what_is_no_certificate__is_left_out),
		cmocka_unit_test(cose_parse__certificates_of_another_type__are_refused),
		cmocka_unit_test(cose_parse__too_many_certificates__are_refused),
		cmocka_unit_test(cose_parse__protected_bag__is_told_apart),
		cmocka_unit_test(cose_seal__es256__is_this_octet_by_octet),
		cmocka_unit_test(cose_seal__each_type_of_key__opens_again),
		cmocka_unit_test(cose_seal__key_without_an_algorithm__is_refused),
		cmocka_unit_test(cose_seal__signature_that_does_not_verify__stays_here),
		cmocka_unit_test(cose_strip__certificates__are_gone_and_nothing_else),
		cmocka_unit_test(cose_strip__bag_alone__leaves_an_empty_map),
		cmocka_unit_test(cose_strip__no_cose__is_refused),
	};
	return cmocka_run_group_tests(tests, make_identities, clear_identities);
}
