/* SPDX-License-Identifier: Apache-2.0 */
/* CSR attributes in both forms, as RFC 7030 and RFC 9908 describe them, put together by hand. */
#include "common/pki/csrattrs.h"

#include "common/pki/oid.h"
#include "common/wire/der.h"
#include "tests/unit/identity_fixture.h"

#define DER(...) bytes_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Pieces of DER, by their tag and content. */
#define CHALLENGE_OID 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07
#define EXT_REQ_OID   0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e
#define UNKNOWN_OID   0x06, 0x03, 0x88, 0x37, 0x01 /* 2.999.1 */
#define RSA_OID	      0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01
#define EC_OID	      0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01
#define P256_OID      0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07
#define P384_OID      0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22
#define P521_OID      0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23
#define SAN_OID	      0x06, 0x03, 0x55, 0x1d, 0x11
/* Attribute { rsaEncryption, { 4096 } } and { id-ecPublicKey, { secp384r1 } } */
#define RSA_4096 0x30, 0x11, RSA_OID, 0x31, 0x04, 0x02, 0x02, 0x10, 0x00
#define EC_P384	 0x30, 0x12, EC_OID, 0x31, 0x07, P384_OID
#define EC_P521	 0x30, 0x12, EC_OID, 0x31, 0x07, P521_OID
/* Extension { SAN, critical, otherName 2.999.1 "a" }, and the Attribute around it */
#define OTHER_NAME    0x30, 0x0c, 0xa0, 0x0a, UNKNOWN_OID, 0xa0, 0x03, 0x0c, 0x01, 'a'
#define SAN_EXTENSION 0x30, 0x18, SAN_OID, 0x01, 0x01, 0xff, 0x04, 0x0e, OTHER_NAME
#define SAN_REQUEST   0x30, 0x29, EXT_REQ_OID, 0x31, 0x1c, 0x30, 0x1a, SAN_EXTENSION

static void parse(struct bytes der, struct csrattrs *out)
{
	struct err e = ERR_INIT;

	MUST(csrattrs_parse(der, out, &e));
}

static void refuse(struct bytes der, const char *reason)
{
	struct err e = ERR_INIT;
	CSRATTRS_AUTO struct csrattrs a;

	REFUSED(csrattrs_parse(der, &a, &e), ERR_INPUT);
	if (!strstr(e.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", e.text, reason);
	assert_queue_empty();
}

/* CsrAttrs { elements } */
static void list_of(struct buf *out, struct bytes elements)
{
	struct err e = ERR_INIT;

	buf_init(out, CSRATTRS_DER_MAX);
	MUST(der_put(out, DER_SEQUENCE, elements, &e));
}

/* CsrAttrs { more, template attribute { CertificationRequestInfoTemplate of these fields } } */
static void template_of(struct buf *out, struct bytes more, struct bytes fields)
{
	const struct bytes oid = OID_REQUEST_TEMPLATE;
	struct err e = ERR_INIT;
	BUF_AUTO struct buf info = BUF_INIT(CSRATTRS_DER_MAX);
	BUF_AUTO struct buf attribute = BUF_INIT(CSRATTRS_DER_MAX);
	BUF_AUTO struct buf list = BUF_INIT(CSRATTRS_DER_MAX);

	MUST(der_put(&info, DER_SEQUENCE, fields, &e));
	MUST(der_put(&attribute, DER_OID, oid, &e));
	MUST(der_put(&attribute, DER_SET, buf_bytes(&info), &e));
	MUST(buf_append(&list, more.data, more.len, &e));
	MUST(der_put(&list, DER_SEQUENCE, buf_bytes(&attribute), &e));
	list_of(out, buf_bytes(&list));
}

/* req: ER-02 */
static void csrattrs_parse__nothing_or_an_empty_list__asks_for_nothing(void **state)
{
	const struct bytes inputs[] = {{NULL, 0}, DER(0x30, 0x00)};

	for (size_t i = 0; i < 2; i++) {
		CSRATTRS_AUTO struct csrattrs a;
		struct err e = ERR_INIT;
		enum key_type type = KEY_EC_P384;

		parse(inputs[i], &a);
		assert_false(a.wants_challenge_password || a.has_key_type);
		assert_int_equal(a.extension_count + a.subject_template.len, 0);
		MUST(csrattrs_key_type(&a, &type, &e));
		assert_int_equal(type, KEY_EC_P384);
	}
}

/* req: ER-03 */
static void csrattrs_parse__unknown_oids_and_attributes__are_passed_over(void **state)
{
	CSRATTRS_AUTO struct csrattrs a;
	BUF_AUTO struct buf der;

	list_of(&der, DER(UNKNOWN_OID, 0x30, 0x0a, UNKNOWN_OID, 0x31, 0x03, 0x02, 0x01, 0x05,
			      CHALLENGE_OID));
	parse(buf_bytes(&der), &a);
	assert_true(a.wants_challenge_password);
	assert_false(a.has_key_type);
}

/* req: ER-06 */
static void csrattrs_parse__key_attributes__become_key_types(void **state)
{
	const struct {
		struct bytes element;
		enum key_type type;
		bool possible;
	} cases[] = {
		{OCTETS(RSA_4096), KEY_RSA_3072, true},
		{OCTETS(RSA_OID), KEY_RSA_3072, true},
		{OCTETS(EC_P384), KEY_EC_P384, true},
		{OCTETS(EC_OID), KEY_EC_P256, true},
		{OCTETS(0x30, 0x07, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x31, 0x00), KEY_ED25519, true},
		{OCTETS(EC_P521), 0, false},
		{OCTETS(0x30, 0x07, 0x06, 0x03, 0x2b, 0x65, 0x71, 0x31, 0x00), 0, false},
		{OCTETS(0x30, 0x11, RSA_OID, 0x31, 0x04, 0x02, 0x02, 0x20, 0x00), 0, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CSRATTRS_AUTO struct csrattrs a;
		BUF_AUTO struct buf der;
		struct err e = ERR_INIT;
		enum key_type type = KEY_TYPE_COUNT;

		list_of(&der, cases[i].element);
		parse(buf_bytes(&der), &a);
		assert_true(a.has_key_type);
		if (!cases[i].possible) {
			REFUSED(csrattrs_key_type(&a, &type, &e), ERR_INPUT);
			continue;
		}
		MUST(csrattrs_key_type(&a, &type, &e));
		assert_int_equal(type, cases[i].type);
	}
}

/* req: ER-06 */
static void csrattrs_parse__two_key_attributes__are_refused(void **state)
{
	BUF_AUTO struct buf der;

	list_of(&der, DER(RSA_4096, EC_P384));
	refuse(buf_bytes(&der), "two types of key");
}

/* req: ER-05 */
static void csrattrs_parse__extension_request__is_read(void **state)
{
	const struct bytes san = OID_SUBJECT_ALT_NAME;
	CSRATTRS_AUTO struct csrattrs a;
	BUF_AUTO struct buf der;

	list_of(&der, DER(SAN_REQUEST));
	parse(buf_bytes(&der), &a);
	assert_int_equal(a.extension_count, 1);
	assert_true(bytes_equal(a.extensions[0].oid, san));
	assert_true(a.extensions[0].critical);
	assert_true(bytes_equal(a.extensions[0].value, DER(OTHER_NAME)));
}

/* req: ER-05 */
static void csrattrs_parse__extensions_twice__are_refused(void **state)
{
	BUF_AUTO struct buf two;
	BUF_AUTO struct buf same;

	list_of(&two, DER(SAN_REQUEST, SAN_REQUEST));
	refuse(buf_bytes(&two), "two requests for extensions");
	list_of(&same,
		DER(0x30, 0x43, EXT_REQ_OID, 0x31, 0x36, 0x30, 0x34, SAN_EXTENSION, SAN_EXTENSION));
	refuse(buf_bytes(&same), "stands twice");
}

/* RFC 7030 printed it so (ER-14): an OID where the list of extensions belongs. */
/* req: ER-14 */
static void csrattrs_parse__oid_as_extension_request__asks_for_nothing(void **state)
{
	CSRATTRS_AUTO struct csrattrs a;
	BUF_AUTO struct buf der;

	list_of(&der, DER(0x30, 0x12, EXT_REQ_OID, 0x31, 0x05, UNKNOWN_OID, CHALLENGE_OID));
	parse(buf_bytes(&der), &a);
	assert_int_equal(a.extension_count, 0);
	assert_true(a.wants_challenge_password);
}

static void csrattrs_parse__oid_of_an_extension__asks_for_it(void **state)
{
	CSRATTRS_AUTO struct csrattrs a;
	BUF_AUTO struct buf der;

	list_of(&der, DER(SAN_OID));
	parse(buf_bytes(&der), &a);
	assert_int_equal(a.extension_count, 1);
	assert_int_equal(a.extensions[0].value.len, 0);
}

/* ER-08: CN open, OU given */
#define CN_OPEN	 0x31, 0x07, 0x30, 0x05, 0x06, 0x03, 0x55, 0x04, 0x03
#define OU_GIVEN 0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x0b, 0x0c, 0x01, 'd'
#define SUBJECT	 0x30, 0x15, CN_OPEN, OU_GIVEN

/* req: ER-07, ER-08, ER-12 */
static void csrattrs_parse__template__is_read_and_wins(void **state)
{
	const struct bytes ec = OID_EC_PUBLIC_KEY;
	CSRATTRS_AUTO struct csrattrs a;
	BUF_AUTO struct buf der;

	template_of(&der, DER(RSA_4096, CHALLENGE_OID, SAN_REQUEST),
		DER(0x02, 0x01, 0x00, SUBJECT, 0xa0, 0x15, 0x30, 0x13, EC_OID, P256_OID, 0xa1,
			0x00));
	parse(buf_bytes(&der), &a);
	assert_false(a.wants_challenge_password);
	assert_int_equal(a.extension_count, 0);
	assert_true(a.has_key_type);
	assert_true(bytes_equal(a.key_oid, ec));
	assert_int_equal(a.curve_oid.len, 8);
	assert_int_equal(a.key_bits, 0);
	assert_true(bytes_equal(a.subject_template, DER(SUBJECT)));
}

#define EXT_TEMPLATE_OID                                                                           \
	0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x3e
/* Attribute { extension template, { { SAN without a value } } } */
#define SAN_OPEN 0x30, 0x18, EXT_TEMPLATE_OID, 0x31, 0x09, 0x30, 0x07, 0x30, 0x05, SAN_OID

/* req: ER-10, ER-11 */
static void csrattrs_parse__template_with_an_open_extension__leaves_it_to_the_client(void **state)
{
	CSRATTRS_AUTO struct csrattrs a;
	BUF_AUTO struct buf der;

	template_of(&der, DER(), DER(0x02, 0x01, 0x00, 0xa1, 0x1a, SAN_OPEN));
	parse(buf_bytes(&der), &a);
	assert_int_equal(a.extension_count, 1);
	assert_int_equal(a.extensions[0].value.len, 0);
	assert_int_equal(a.subject_template.len, 0);
	assert_false(a.has_key_type);
}

/* req: ER-09 */
static void csrattrs_parse__template_with_a_placeholder_key__gives_its_size(void **state)
{
	struct err e = ERR_INIT;
	CSRATTRS_AUTO struct csrattrs a;
	BUF_AUTO struct buf der;
	BUF_AUTO struct buf spki = BUF_INIT(1024);
	BUF_AUTO struct buf fields = BUF_INIT(1024);
	KEY_AUTO struct key *key = key_generate(KEY_RSA_3072, &e);
	struct der d;
	struct der_tlv inner;

	assert_non_null(key);
	MUST(key_public_spki(key, &spki, &e));
	d = der_of(buf_bytes(&spki));
	MUST(der_expect(&d, DER_SEQUENCE, &inner, "spki", &e));
	MUST(buf_append(&fields, "\x02\x01\x00", 3, &e));
	MUST(der_put(&fields, DER_CONTEXT_CONSTRUCTED(0),
		bytes_of(inner.content.p, inner.content.len), &e));
	template_of(&der, DER(), buf_bytes(&fields));
	parse(buf_bytes(&der), &a);
	assert_int_equal(a.key_bits, 3072);
}

/* req: ER-07, ER-10 */
static void csrattrs_parse__malformed_template__is_refused(void **state)
{
	const struct {
		struct bytes fields;
		const char *reason;
	} cases[] = {
		{OCTETS(0x02, 0x01, 0x01, 0xa1, 0x00), "template version 1"},
		{OCTETS(0xa1, 0x00), "template version"},
		{OCTETS(0x02, 0x01, 0x00, 0xa1, 0x34, SAN_OPEN, SAN_OPEN), "two requests"},
		{OCTETS(0x02, 0x01, 0x00, 0xa1, 0x45, SAN_OPEN, SAN_REQUEST), "two requests"},
		{OCTETS(0x02, 0x01, 0x00, 0x30, 0x02, 0x05, 0x00), "subject template"},
		{OCTETS(0x02, 0x01, 0x00, 0xa1, 0x00, 0x05, 0x00), "after the end"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		BUF_AUTO struct buf der;

		template_of(&der, DER(), cases[i].fields);
		refuse(buf_bytes(&der), cases[i].reason);
	}
}

static void csrattrs_parse__not_csr_attributes__is_refused(void **state)
{
	BUF_AUTO struct buf number;

	list_of(&number, DER(0x02, 0x01, 0x01));
	refuse(buf_bytes(&number), "neither OID nor attribute");
	refuse(DER(0x31, 0x00), "list");
	refuse(DER(0x30, 0x00, 0x00), "after the end");
	refuse(DER(0x30, 0x80, 0x00, 0x00), "indefinite");
	refuse(bytes_of_str("MAA="), "DER");
}

static void csrattrs_format__words__are_read_back(void **state)
{
	struct err e = ERR_INIT;
	CSRATTRS_AUTO struct csrattrs a;
	BUF_AUTO struct buf der = BUF_INIT(CSRATTRS_DER_MAX);
	enum key_type type = KEY_TYPE_COUNT;

	MUST(csrattrs_format(" challengePassword  rsa-3072\t2.999.1, san ", &der, &e));
	parse(buf_bytes(&der), &a);
	assert_true(a.wants_challenge_password);
	assert_int_equal(a.key_bits, 3072);
	assert_int_equal(a.extension_count, 1);
	MUST(csrattrs_key_type(&a, &type, &e));
	assert_int_equal(type, KEY_RSA_3072);
}

static void csrattrs_format__every_key_type__is_read_back(void **state)
{
	for (enum key_type want = 0; want < KEY_TYPE_COUNT; want++) {
		struct err e = ERR_INIT;
		CSRATTRS_AUTO struct csrattrs a;
		BUF_AUTO struct buf der = BUF_INIT(CSRATTRS_DER_MAX);
		enum key_type type = KEY_TYPE_COUNT;

		MUST(csrattrs_format(key_type_name(want), &der, &e));
		parse(buf_bytes(&der), &a);
		MUST(csrattrs_key_type(&a, &type, &e));
		assert_int_equal(type, want);
	}
}

static void csrattrs_format__no_words__is_an_empty_list(void **state)
{
	struct err e = ERR_INIT;
	BUF_AUTO struct buf der = BUF_INIT(CSRATTRS_DER_MAX);

	MUST(csrattrs_format("", &der, &e));
	assert_true(bytes_equal(buf_bytes(&der), DER(0x30, 0x00)));
}

static void csrattrs_format__unknown_word__is_refused(void **state)
{
	struct err e = ERR_INIT;
	BUF_AUTO struct buf der = BUF_INIT(CSRATTRS_DER_MAX);
	char longest[300];

	REFUSED(csrattrs_format("challengePasswort", &der, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "challengePasswort"));
	memset(longest, '1', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	REFUSED(csrattrs_format(longest, &der, &e), ERR_INPUT);
	assert_int_equal(der.len, 0);
	assert_queue_empty();
}

/* Both forms, cut anywhere and with any bit changed: refused or read, never broken. */
static void csrattrs_parse__damaged__is_refused_or_read(void **state)
{
	struct err e = ERR_INIT;
	struct buf forms[2];

	list_of(&forms[0], DER(RSA_4096, CHALLENGE_OID, SAN_REQUEST, UNKNOWN_OID));
	template_of(&forms[1], DER(CHALLENGE_OID),
		DER(0x02, 0x01, 0x00, SUBJECT, 0xa0, 0x15, 0x30, 0x13, EC_OID, P256_OID, 0xa1, 0x1a,
			SAN_OPEN));
	for (size_t i = 0; i < 2; i++) {
		for (size_t len = 1; len < forms[i].len; len++) {
			CSRATTRS_AUTO struct csrattrs a;
			BUF_AUTO struct buf cut = BUF_INIT(CSRATTRS_DER_MAX);

			MUST(buf_append(&cut, forms[i].data, len, &e));
			REFUSED(csrattrs_parse(buf_bytes(&cut), &a, &e), ERR_INPUT);
		}
		for (size_t bit = 0; bit < forms[i].len * 8; bit++) {
			CSRATTRS_AUTO struct csrattrs a;
			enum key_type type;

			forms[i].data[bit / 8] ^= (uint8_t)(1u << bit % 8);
			if (csrattrs_parse(buf_bytes(&forms[i]), &a, &e))
				(void)!csrattrs_key_type(&a, &type, &e);
			assert_queue_empty();
			forms[i].data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		buf_clear(&forms[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csrattrs_parse__nothing_or_an_empty_list__asks_for_nothing),
		cmocka_unit_test(csrattrs_parse__unknown_oids_and_attributes__are_passed_over),
		cmocka_unit_test(csrattrs_parse__key_attributes__become_key_types),
		cmocka_unit_test(csrattrs_parse__two_key_attributes__are_refused),
		cmocka_unit_test(csrattrs_parse__extension_request__is_read),
		cmocka_unit_test(csrattrs_parse__extensions_twice__are_refused),
		cmocka_unit_test(csrattrs_parse__oid_as_extension_request__asks_for_nothing),
		cmocka_unit_test(csrattrs_parse__oid_of_an_extension__asks_for_it),
		cmocka_unit_test(csrattrs_parse__template__is_read_and_wins),
		cmocka_unit_test(
			csrattrs_parse__template_with_an_open_extension__leaves_it_to_the_client),
		cmocka_unit_test(csrattrs_parse__template_with_a_placeholder_key__gives_its_size),
		cmocka_unit_test(csrattrs_parse__malformed_template__is_refused),
		cmocka_unit_test(csrattrs_parse__not_csr_attributes__is_refused),
		cmocka_unit_test(csrattrs_format__words__are_read_back),
		cmocka_unit_test(csrattrs_format__every_key_type__is_read_back),
		cmocka_unit_test(csrattrs_format__no_words__is_an_empty_list),
		cmocka_unit_test(csrattrs_format__unknown_word__is_refused),
		cmocka_unit_test(csrattrs_parse__damaged__is_refused_or_read),
	};

	return cmocka_run_group_tests_name("csrattrs", tests, NULL, NULL);
}
