/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists from the network: what is believed of them, and where certificates say they are.
 */
#include "tests/unit/masa_fixture.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "common/pki/crl_list.h"

#define URI "http://crl.example/site.crl"

struct fixture {
	struct world *w;
	X509_CRL *crl; /* in the making: of the site's CA, nobody named */
	struct crl_list *l;
	struct err e;
};

static void set_time(struct fixture *f, int64_t this_update, int64_t next_update)
{
	ASN1_TIME *t = ASN1_TIME_set(NULL, (time_t)this_update);

	assert_true(X509_CRL_set1_lastUpdate(f->crl, t));
	ASN1_TIME_set(t, (time_t)next_update);
	assert_true(X509_CRL_set1_nextUpdate(f->crl, t));
	ASN1_TIME_free(t);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->w = world_new();
	f->crl = X509_CRL_new();
	assert_true(X509_CRL_set_version(f->crl, 1));
	assert_true(
		X509_CRL_set_issuer_name(f->crl, X509_get_subject_name(cert_x509(f->w->ca.cert))));
	set_time(f, NOW - 3600, NOW + 3600);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	crl_list_free(f->l);
	X509_CRL_free(f->crl);
	world_free(f->w);
	free(f);
	return 0;
}

static void enter(struct fixture *f, const struct identity *who)
{
	X509_REVOKED *r = X509_REVOKED_new();
	ASN1_TIME *at = ASN1_TIME_set(NULL, NOW);

	assert_true(X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(cert_x509(who->cert))));
	assert_true(X509_REVOKED_set_revocationDate(r, at));
	assert_true(X509_CRL_add0_revoked(f->crl, r));
	ASN1_TIME_free(at);
}

static void add_extension(struct fixture *f, const char *name, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *x;

	X509V3_set_ctx(&ctx, NULL, NULL, NULL, f->crl, 0);
	x = X509V3_EXT_conf(NULL, &ctx, name, value);
	assert_non_null(x);
	assert_true(X509_CRL_add_ext(f->crl, x, -1));
	X509_EXTENSION_free(x);
}

/* signed with the key of `by`, read as a list of `issuer` */
static bool open_as(
	struct fixture *f, const struct identity *by, const struct identity *issuer, int64_t now)
{
	uint8_t *der = NULL;
	int len;

	assert_true(X509_CRL_sign(f->crl, key_evp(by->key), EVP_sha256()) > 0);
	len = i2d_X509_CRL(f->crl, &der);
	assert_true(len > 0);
	crl_list_free(f->l);
	f->e = (struct err)ERR_INIT;
	f->l = crl_list_open(bytes_of(der, (size_t)len), issuer->cert, now, &f->e);
	OPENSSL_free(der);
	assert_int_equal(ERR_peek_error(), 0);
	return f->l != NULL;
}

static bool opens(struct fixture *f)
{
	return open_as(f, &f->w->ca, &f->w->ca, NOW);
}

static void refused(struct fixture *f, enum err_kind kind, const char *why)
{
	assert_false(opens(f));
	assert_int_equal(f->e.kind, kind);
	if (!strstr(f->e.text, why))
		fail_msg("'%s' does not say '%s'", f->e.text, why);
}

/* ---- crl_list_open ---- */

/* req: R8995-MASA-007 */
static void crl_list_names__who_is_on_it__and_nobody_else(void **state)
{
	struct fixture *f = *state;

	assert_true(opens(f));
	assert_false(crl_list_names(f->l, f->w->registrar.cert));
	enter(f, &f->w->other_registrar);
	assert_true(opens(f));
	assert_false(crl_list_names(f->l, f->w->registrar.cert));
	enter(f, &f->w->registrar);
	assert_true(opens(f));
	assert_true(crl_list_names(f->l, f->w->registrar.cert));
	assert_int_equal(crl_list_next_update(f->l), NOW + 3600);
}

static void crl_list_names__any_of_many__is_found(void **state)
{
	struct fixture *f = *state;

	for (long i = 1; i < 3000; i++) {
		X509_REVOKED *r = X509_REVOKED_new();
		ASN1_TIME *at = ASN1_TIME_set(NULL, NOW);
		ASN1_INTEGER *n = ASN1_INTEGER_new();

		ASN1_INTEGER_set(n, i * 7919 % 100003);
		assert_true(X509_REVOKED_set_serialNumber(r, n));
		assert_true(X509_REVOKED_set_revocationDate(r, at));
		assert_true(X509_CRL_add0_revoked(f->crl, r));
		ASN1_INTEGER_free(n);
		ASN1_TIME_free(at);
	}
	assert_true(opens(f));
	assert_false(crl_list_names(f->l, f->w->registrar.cert));
	enter(f, &f->w->registrar);
	assert_true(opens(f));
	assert_true(crl_list_names(f->l, f->w->registrar.cert));
}

static void crl_list_open__signed_by_another_key__is_refused(void **state)
{
	struct fixture *f = *state;

	assert_false(open_as(f, &f->w->other_ca, &f->w->ca, NOW));
	assert_int_equal(f->e.kind, ERR_UNAUTHENTICATED);
}

static void crl_list_open__list_of_another_issuer__is_refused(void **state)
{
	struct fixture *f = *state;

	assert_false(open_as(f, &f->w->other_ca, &f->w->other_ca, NOW));
	assert_int_equal(f->e.kind, ERR_UNAUTHENTICATED);
	assert_non_null(strstr(f->e.text, "another issuer"));
}

/* A registrar's own key must not clear its certificate. */
static void crl_list_open__issuer_that_may_not_sign_lists__is_refused(void **state)
{
	struct fixture *f = *state;

	assert_true(X509_CRL_set_issuer_name(
		f->crl, X509_get_subject_name(cert_x509(f->w->registrar.cert))));
	assert_false(open_as(f, &f->w->registrar, &f->w->registrar, NOW));
	assert_int_equal(f->e.kind, ERR_UNAUTHENTICATED);
	assert_non_null(strstr(f->e.text, "may not sign"));
}

static void crl_list_open__time__is_looked_at(void **state)
{
	struct fixture *f = *state;

	assert_true(open_as(f, &f->w->ca, &f->w->ca, NOW + 3600));
	assert_false(open_as(f, &f->w->ca, &f->w->ca, NOW + 3601));
	assert_non_null(strstr(f->e.text, "expired"));
	assert_true(open_as(f, &f->w->ca, &f->w->ca, NOW - 3600 - CRL_LIST_SKEW_S));
	assert_false(open_as(f, &f->w->ca, &f->w->ca, NOW - 3601 - CRL_LIST_SKEW_S));
	assert_non_null(strstr(f->e.text, "future"));
	assert_true(open_as(f, &f->w->ca, &f->w->ca, CHAIN_NO_TIME));
}

static void crl_list_open__kinds_that_do_not_answer_alone__are_refused(void **state)
{
	static const struct {
		const char *name, *value, *why;
	} kinds[] = {
		{"deltaCRL", "critical,DER:020101", "delta"},
		{"issuingDistributionPoint", "critical,indirectCRL:TRUE", "indirect"},
		{"issuingDistributionPoint", "critical,onlysomereasons:keyCompromise", "reasons"},
		{"issuingDistributionPoint", "critical,onlyAA:TRUE", "reasons"},
		{"2.999.1", "critical,DER:0500", "critical extension"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		add_extension(f, kinds[i].name, kinds[i].value);
		refused(f, ERR_INPUT, kinds[i].why);
		X509_EXTENSION_free(X509_CRL_delete_ext(f->crl, 0));
	}
	add_extension(f, "2.999.1", "DER:0500");
	assert_true(opens(f));
}

static void crl_list_open__entry_with_a_critical_extension__is_refused(void **state)
{
	struct fixture *f = *state;
	X509_EXTENSION *x = X509V3_EXT_conf(NULL, NULL, "2.999.1", "critical,DER:0500");

	enter(f, &f->w->registrar);
	assert_true(X509_REVOKED_add_ext(
		sk_X509_REVOKED_value(X509_CRL_get_REVOKED(f->crl), 0), x, -1));
	refused(f, ERR_INPUT, "critical extension");
	X509_EXTENSION_free(x);
}

/* Every truncation, every octet changed: refused, never believed. */
static void crl_list_open__damaged_anywhere__is_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t *der = NULL;
	int len;

	enter(f, &f->w->registrar);
	assert_true(opens(f));
	len = i2d_X509_CRL(f->crl, &der);
	for (int i = 0; i < len; i++) {
		struct err e = ERR_INIT;
		uint8_t was = der[i];

		assert_null(crl_list_open(bytes_of(der, (size_t)i), f->w->ca.cert, NOW, &e));
		der[i] ^= 0x01;
		e = (struct err)ERR_INIT;
		assert_null(crl_list_open(bytes_of(der, (size_t)len), f->w->ca.cert, NOW, &e));
		assert_int_not_equal(e.kind, ERR_NONE);
		der[i] = was;
	}
	OPENSSL_free(der);
	assert_int_equal(ERR_peek_error(), 0);
}

static void crl_list_open__more_octets_than_allowed__is_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t *der = calloc(1, CRL_LIST_DER_MAX + 1);

	assert_null(crl_list_open(bytes_of(der, CRL_LIST_DER_MAX + 1), f->w->ca.cert, NOW, &f->e));
	assert_int_equal(f->e.kind, ERR_TOO_LARGE);
	free(der);
}

/* ---- crl_list_covers ---- */

static bool covers(struct fixture *f, const struct identity *who, const char *uri)
{
	struct crl_points points = {.named = true, .count = 1};

	snprintf(points.uri[0], sizeof(points.uri[0]), "%s", uri);
	assert_true(opens(f));
	f->e = (struct err)ERR_INIT;
	return crl_list_covers(f->l, who->cert, &points, &f->e);
}

static void crl_list_covers__part_of_a_list__counts_for_its_own_only(void **state)
{
	struct fixture *f = *state;

	assert_true(covers(f, &f->w->registrar, URI));
	add_extension(f, "issuingDistributionPoint", "critical,fullname:URI:" URI);
	assert_true(covers(f, &f->w->registrar, URI));
	assert_false(covers(f, &f->w->registrar, URI "2"));
	assert_non_null(strstr(f->e.text, "another distribution point"));
}

static void crl_list_covers__users_and_cas__are_told_apart(void **state)
{
	struct fixture *f = *state;

	add_extension(f, "issuingDistributionPoint", "critical,onlyuser:TRUE");
	assert_true(covers(f, &f->w->registrar, URI));
	assert_false(covers(f, &f->w->ca, URI));
	X509_EXTENSION_free(X509_CRL_delete_ext(f->crl, 0));
	add_extension(f, "issuingDistributionPoint", "critical,onlyCA:TRUE");
	assert_false(covers(f, &f->w->registrar, URI));
	assert_true(covers(f, &f->w->ca, URI));
}

/* ---- crl_points_of ---- */

/* value: of the extension in OpenSSL's notation; NULL: none */
static void points_of(struct fixture *f, const char *value, struct crl_points *out)
{
	X509 *x = X509_dup(cert_x509(f->w->registrar.cert));
	X509_EXTENSION *ext =
		value ? X509V3_EXT_conf(NULL, NULL, "crlDistributionPoints", value) : NULL;
	CERT_AUTO struct cert *c = NULL;
	uint8_t *der = NULL;
	int len;

	assert_true(!value || (ext && X509_add_ext(x, ext, -1)));
	assert_true(X509_sign(x, key_evp(f->w->ca.key), EVP_sha256()) > 0);
	len = i2d_X509(x, &der);
	OK(c = cert_parse(bytes_of(der, (size_t)len), e));
	crl_points_of(c, out);
	assert_int_equal(ERR_peek_error(), 0);
	OPENSSL_free(der);
	X509_EXTENSION_free(ext);
	X509_free(x);
}

static void crl_points_of__http_and_https__are_found_in_their_order(void **state)
{
	struct crl_points p;

	points_of(*state, "URI:https://b.example/1,URI:ldap://x/y,URI:" URI, &p);
	assert_true(p.named);
	assert_int_equal(p.count, 2);
	assert_string_equal(p.uri[0], "https://b.example/1");
	assert_string_equal(p.uri[1], URI);
}

static void crl_points_of__no_extension__names_nothing(void **state)
{
	struct crl_points p;

	points_of(*state, NULL, &p);
	assert_false(p.named);
	assert_int_equal(p.count, 0);
}

static void crl_points_of__nothing_that_can_be_fetched__is_named_all_the_same(void **state)
{
	static const char *const values[] = {"URI:ldap://x/y", "URI:file:///etc/passwd",
		"URI:http://user@host/x", "URI:http://127.1/x", "DNS:crl.example"};

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		struct crl_points p;

		points_of(*state, values[i], &p);
		assert_true(p.named);
		assert_int_equal(p.count, 0);
	}
}

static void crl_points_of__more_than_are_tried__are_cut(void **state)
{
	struct crl_points p;

	points_of(*state,
		"URI:http://h/1,URI:http://h/2,URI:http://h/3,URI:http://h/4,URI:http://h/5", &p);
	assert_int_equal(p.count, CRL_POINTS_MAX);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(crl_list_names__who_is_on_it__and_nobody_else),
		TEST(crl_list_names__any_of_many__is_found),
		TEST(crl_list_open__signed_by_another_key__is_refused),
		TEST(crl_list_open__list_of_another_issuer__is_refused),
		TEST(crl_list_open__issuer_that_may_not_sign_lists__is_refused),
		TEST(crl_list_open__time__is_looked_at),
		TEST(crl_list_open__kinds_that_do_not_answer_alone__are_refused),
		TEST(crl_list_open__entry_with_a_critical_extension__is_refused),
		TEST(crl_list_open__damaged_anywhere__is_refused),
		TEST(crl_list_open__more_octets_than_allowed__is_refused),
		TEST(crl_list_covers__part_of_a_list__counts_for_its_own_only),
		TEST(crl_list_covers__users_and_cas__are_told_apart),
		TEST(crl_points_of__http_and_https__are_found_in_their_order),
		TEST(crl_points_of__no_extension__names_nothing),
		TEST(crl_points_of__nothing_that_can_be_fetched__is_named_all_the_same),
		TEST(crl_points_of__more_than_are_tried__are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
