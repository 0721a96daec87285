/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of our making, read by OpenSSL: what is on them, who signed them, which number they have.
 */
#include "tests/unit/pki_fixture.h"

#include <stdlib.h>

#include "common/pki/crl_make.h"
#include "common/pki/issue.h"

#define NOW  1800000000
#define WEEK 604800

static struct identity ca;

static struct cert *issue_root(const struct key *key)
{
	struct err e = ERR_INIT;
	struct cert *c = issue_certificate(&(struct issue_request){.profile = PROFILE_ROOT_CA,
						   .self_key = key,
						   .common_name = "CA",
						   .not_before = NOW - WEEK,
						   .not_after = NOW + 100 * (int64_t)WEEK},
		&e);

	if (!c)
		fail_msg("%s", e.text);
	return c;
}

static int make_ca(void **state)
{
	struct err e = ERR_INIT;

	ca.key = key_generate(KEY_EC_P256, &e);
	ca.cert = issue_root(ca.key);
	return 0;
}

static int free_ca(void **state)
{
	identity_clear(&ca);
	return 0;
}

static struct crl_entry entry_of(uint32_t n)
{
	return (struct crl_entry){
		.serial = {0x00, 0x80, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n},
		.serial_len = 5,
		.revoked_at = NOW - 60,
	};
}

static struct crl_request request(const struct crl_entry *entries, size_t count)
{
	return (struct crl_request){.issuer = &ca,
		.number = 7,
		.this_update = NOW,
		.next_update = NOW + WEEK,
		.entries = entries,
		.entry_count = count};
}

static X509_CRL *must_make(const struct crl_request *r)
{
	struct buf out = BUF_INIT(CRL_LIST_DER_MAX);
	struct err e = ERR_INIT;
	X509_CRL *crl;
	const uint8_t *p;

	if (!crl_make(r, &out, &e))
		fail_msg("%s", e.text);
	assert_queue_empty();
	p = out.data;
	crl = d2i_X509_CRL(NULL, &p, (long)out.len);
	assert_non_null(crl);
	assert_true(p == out.data + out.len);
	buf_clear(&out);
	return crl;
}

static bool names(X509_CRL *crl, const struct crl_entry *entry)
{
	BIGNUM *n = BN_bin2bn(entry->serial, (int)entry->serial_len, NULL);
	ASN1_INTEGER *serial = BN_to_ASN1_INTEGER(n, NULL);
	X509_REVOKED *found;
	bool yes = X509_CRL_get0_by_serial(crl, &found, serial) == 1;

	ASN1_INTEGER_free(serial);
	BN_free(n);
	return yes;
}

/* ---- what is on it ---- */

static void crl_make__entries__are_what_openssl_finds_and_no_others(void **state)
{
	const struct crl_entry entries[] = {entry_of(9), entry_of(3), entry_of(70000)};
	const struct crl_entry other = entry_of(4);
	const struct crl_request r = request(entries, 3);
	X509_CRL *crl = must_make(&r);

	assert_int_equal(X509_CRL_verify(crl, key_evp(ca.key)), 1);
	for (size_t i = 0; i < 3; i++)
		assert_true(names(crl, &entries[i]));
	assert_false(names(crl, &other));
	assert_int_equal(X509_CRL_get_version(crl), X509_CRL_VERSION_2);
	X509_CRL_free(crl);
}

static void crl_make__number_and_key_identifier__are_in_it_not_critical(void **state)
{
	const struct crl_request r = request(NULL, 0);
	X509_CRL *crl = must_make(&r);
	int critical;
	ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, &critical, NULL);
	AUTHORITY_KEYID *aki;
	int64_t n;

	assert_non_null(number);
	assert_int_equal(critical, 0);
	assert_int_equal(ASN1_INTEGER_get_int64(&n, number), 1);
	assert_int_equal(n, 7);
	aki = X509_CRL_get_ext_d2i(crl, NID_authority_key_identifier, &critical, NULL);
	assert_non_null(aki);
	assert_true(
		bytes_equal(cert_ski(ca.cert), bytes_of(ASN1_STRING_get0_data(aki->keyid),
						       (size_t)ASN1_STRING_length(aki->keyid))));
	AUTHORITY_KEYID_free(aki);
	ASN1_INTEGER_free(number);
	X509_CRL_free(crl);
}

static void crl_make__nobody_revoked__is_a_list_all_the_same(void **state)
{
	const struct crl_request r = request(NULL, 0);
	X509_CRL *crl = must_make(&r);

	assert_null(X509_CRL_get_REVOKED(crl));
	X509_CRL_free(crl);
}

/* What the fullest list takes is what its readers take. */
static void crl_make__as_many_as_there_may_be__fit(void **state)
{
	struct crl_entry *entries = calloc(CRL_ENTRIES_MAX, sizeof(*entries));
	struct crl_request r = request(entries, CRL_ENTRIES_MAX);
	X509_CRL *crl;

	for (uint32_t i = 0; i < CRL_ENTRIES_MAX; i++) {
		entries[i] = entry_of(i);
		entries[i].serial_len = 17;
	}
	crl = must_make(&r);
	assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), CRL_ENTRIES_MAX);
	X509_CRL_free(crl);
	free(entries);
}

/* ---- what is refused ---- */

static void refused(const struct crl_request *r, enum err_kind kind, const char *why)
{
	struct buf out = BUF_INIT(CRL_LIST_DER_MAX);
	struct err e = ERR_INIT;

	assert_false(crl_make(r, &out, &e));
	assert_int_equal(e.kind, kind);
	if (!strstr(e.text, why))
		fail_msg("'%s' does not say '%s'", e.text, why);
	assert_int_equal(out.len, 0);
	assert_queue_empty();
}

static void crl_make__one_too_many__is_refused(void **state)
{
	struct crl_request r = request(NULL, CRL_ENTRIES_MAX + 1);

	refused(&r, ERR_TOO_LARGE, "more than");
}

static void crl_make__times_in_the_wrong_order__are_refused(void **state)
{
	struct crl_request r = request(NULL, 0);

	r.next_update = NOW;
	refused(&r, ERR_INPUT, "nextUpdate");
}

static void crl_make__an_issuer_without_cRLSign__is_refused(void **state)
{
	struct err e = ERR_INIT;
	struct identity leaf = {.key = key_generate(KEY_EC_P256, &e)};
	struct buf spki = BUF_INIT(1024);
	struct crl_request r = request(NULL, 0);

	assert_true(key_public_spki(leaf.key, &spki, &e));
	leaf.cert = issue_certificate(&(struct issue_request){.profile = PROFILE_LDEVID,
					      .issuer = &ca,
					      .spki = buf_bytes(&spki),
					      .common_name = "device",
					      .not_before = NOW,
					      .not_after = NOW + WEEK},
		&e);
	assert_non_null(leaf.cert);
	r.issuer = &leaf;
	refused(&r, ERR_INPUT, "cRLSign");
	buf_clear(&spki);
	identity_clear(&leaf);
}

static void crl_make__a_key_that_is_not_the_certificates__does_not_leave(void **state)
{
	struct err e = ERR_INIT;
	struct identity wrong = {.key = key_generate(KEY_EC_P256, &e), .cert = cert_ref(ca.cert)};
	struct crl_request r = request(NULL, 0);

	r.issuer = &wrong;
	refused(&r, ERR_BUG, "not made");
	identity_clear(&wrong);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crl_make__entries__are_what_openssl_finds_and_no_others),
		cmocka_unit_test(crl_make__number_and_key_identifier__are_in_it_not_critical),
		cmocka_unit_test(crl_make__nobody_revoked__is_a_list_all_the_same),
		cmocka_unit_test(crl_make__as_many_as_there_may_be__fit),
		cmocka_unit_test(crl_make__one_too_many__is_refused),
		cmocka_unit_test(crl_make__times_in_the_wrong_order__are_refused),
		cmocka_unit_test(crl_make__an_issuer_without_cRLSign__is_refused),
		cmocka_unit_test(crl_make__a_key_that_is_not_the_certificates__does_not_leave),
	};

	return cmocka_run_group_tests(tests, make_ca, free_ca);
}
