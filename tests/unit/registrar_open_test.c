/* SPDX-License-Identifier: Apache-2.0 */
/* What --check finds: each fault of configuration, keys and certificates, named. */
#include <openssl/ocsp.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/base/file.h"
#include "common/pki/issue.h"
#include "registrar/registrar.h"
#include "tests/unit/identity_fixture.h"

struct fixture {
	char dir[64];
	struct registrar *registrar;
	struct identity root, issuing;
	int64_t now;
};

static char *path(const struct fixture *f, const char *name)
{
	struct err e = ERR_INIT;
	char *p = str_printf(&e, "%s/%s", f->dir, name);

	assert_non_null(p);
	return p;
}

static void put(const struct fixture *f, const char *name, struct bytes content)
{
	FREE_AUTO char *p = path(f, name);
	struct err e = ERR_INIT;

	MUST(file_write_atomic(p, content, 0600, &e));
}

static void put_cert(const struct fixture *f, const char *name, const struct cert *c)
{
	BUF_AUTO struct buf pem = BUF_INIT(65536);
	struct err e = ERR_INIT;

	MUST(cert_format_pem(c, &pem, &e));
	put(f, name, buf_bytes(&pem));
}

static void put_key(const struct fixture *f, const char *name, const struct key *k)
{
	FREE_AUTO char *p = path(f, name);
	struct err e = ERR_INIT;

	MUST(key_save(k, p, &e));
}

static void make(struct identity *out, enum cert_profile profile, const struct identity *issuer,
	int64_t not_before, int64_t not_after)
{
	BUF_AUTO struct buf spki = BUF_INIT(1024);
	struct err e = ERR_INIT;
	struct issue_request r = {.profile = profile,
		.issuer = issuer,
		.common_name = "Test",
		.organization = "Site",
		.san = profile == PROFILE_REGISTRAR || profile == PROFILE_TLS_SERVER
			       ? "DNS:localhost"
			       : NULL,
		.not_before = not_before,
		.not_after = not_after};

	*out = (struct identity){.key = key_generate(KEY_EC_P256, &e)};
	MUST(key_public_spki(out->key, &spki, &e));
	r.spki = buf_bytes(&spki);
	r.self_key = issuer ? NULL : out->key;
	out->cert = issue_certificate(&r, &e);
	if (!out->cert)
		fail_msg("%s", e.text);
}

static const char config[] = "[server]\nkey=r.key\ncertificate=r.crt\n"
			     "[ca]\nkey=ca.key\ncertificate=ca.crt\nchain=root.crt\n"
			     "[manufacturer acme]\nanchors=root.crt\nmasa_anchors=root.crt\n";

/* A site that is in order; tests break one thing of it. */
static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	IDENTITY_AUTO struct identity registrar;

	assert_non_null(f);
	f->registrar = calloc(1, sizeof(*f->registrar));
	snprintf(f->dir, sizeof(f->dir), "/tmp/open_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->now = clock_unix_s(NULL);
	make(&f->root, PROFILE_ROOT_CA, NULL, f->now - 1000, f->now + 100000);
	make(&f->issuing, PROFILE_ISSUING_CA, &f->root, f->now - 1000, f->now + 90000);
	make(&registrar, PROFILE_REGISTRAR, &f->issuing, f->now - 1000, f->now + 80000);
	put_cert(f, "root.crt", f->root.cert);
	put_cert(f, "ca.crt", f->issuing.cert);
	put_key(f, "ca.key", f->issuing.key);
	put_cert(f, "r.crt", registrar.cert);
	put_key(f, "r.key", registrar.key);
	put(f, "c.conf", bytes_of_str(config));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[96];

	identity_clear(&f->root);
	identity_clear(&f->issuing);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f->registrar);
	free(f);
	return 0;
}

static void opens(struct fixture *f)
{
	FREE_AUTO char *p = path(f, "c.conf");
	struct err e = ERR_INIT;

	MUST(registrar_open(f->registrar, p, &e));
	registrar_close(f->registrar);
}

static void complains(struct fixture *f, const char *of)
{
	FREE_AUTO char *p = path(f, "c.conf");
	struct err e = ERR_INIT;

	assert_false(registrar_open(f->registrar, p, &e));
	registrar_close(f->registrar);
	if (!strstr(e.text, of))
		fail_msg("\"%s\" does not speak of \"%s\"", e.text, of);
}

static void add_config(struct fixture *f, const char *more)
{
	struct err e = ERR_INIT;
	FREE_AUTO char *text = str_printf(&e, "%s%s", config, more);

	put(f, "c.conf", bytes_of_str(text));
}

static void registrar_open__a_site_in_order__opens(void **state)
{
	opens(*state);
}

static void registrar_open__a_certificate_without_cmcra__says_so(void **state)
{
	struct fixture *f = *state;
	IDENTITY_AUTO struct identity server;

	make(&server, PROFILE_TLS_SERVER, &f->issuing, f->now - 1000, f->now + 80000);
	put_cert(f, "r.crt", server.cert);
	put_key(f, "r.key", server.key);
	complains(f, "cmcRA");
}

static void registrar_open__an_expired_or_future_certificate__says_so(void **state)
{
	struct fixture *f = *state;
	IDENTITY_AUTO struct identity old, early;

	make(&old, PROFILE_REGISTRAR, &f->issuing, f->now - 1000, f->now - 10);
	put_cert(f, "r.crt", old.cert);
	put_key(f, "r.key", old.key);
	complains(f, "expired");
	make(&early, PROFILE_REGISTRAR, &f->issuing, f->now + 1000, f->now + 2000);
	put_cert(f, "r.crt", early.cert);
	put_key(f, "r.key", early.key);
	complains(f, "not valid yet");
}

static void registrar_open__a_key_of_another_certificate__says_so(void **state)
{
	struct fixture *f = *state;

	put_key(f, "r.key", f->issuing.key);
	complains(f, "[server]");
}

static void registrar_open__no_key_file__names_it(void **state)
{
	struct fixture *f = *state;
	FREE_AUTO char *p = path(f, "ca.key");

	assert_int_equal(remove(p), 0);
	complains(f, "ca.key");
}

static void registrar_open__an_end_entity_as_ca__says_so(void **state)
{
	struct fixture *f = *state;
	IDENTITY_AUTO struct identity server;

	make(&server, PROFILE_TLS_SERVER, &f->issuing, f->now - 1000, f->now + 80000);
	put_cert(f, "ca.crt", server.cert);
	put_key(f, "ca.key", server.key);
	complains(f, "no CA certificate");
}

static void registrar_open__an_expired_ca__says_so(void **state)
{
	struct fixture *f = *state;
	IDENTITY_AUTO struct identity old;

	make(&old, PROFILE_ISSUING_CA, &f->root, f->now - 1000, f->now - 10);
	put_cert(f, "ca.crt", old.cert);
	put_key(f, "ca.key", old.key);
	complains(f, "[ca]: \"");
	complains(f, "expired");
}

static void registrar_open__a_chain_without_a_root__says_so(void **state)
{
	struct fixture *f = *state;

	put_cert(f, "root.crt", f->issuing.cert);
	complains(f, "root");
}

static void registrar_open__no_manufacturer_yet__opens(void **state)
{
	struct fixture *f = *state;

	put(f, "c.conf", bytes_of(config, (size_t)(strstr(config, "[manu") - config)));
	opens(f);
}

static void registrar_open__serials_that_cannot_be_read__names_the_file(void **state)
{
	struct fixture *f = *state;

	add_config(f, "serials=serials.txt\n");
	complains(f, "serials.txt");
	put(f, "serials.txt", bytes_of_str("SN-1\n"));
	opens(f);
}

static void registrar_open__listed_without_a_list__says_so(void **state)
{
	add_config(*state, "admit=listed\n");
	complains(*state, "[manufacturer acme]: admit = listed");
}

static void registrar_open__a_masa_url_that_is_not_https__says_so(void **state)
{
	add_config(*state, "masa_url=http://masa.example/\n");
	complains(*state, "masa_url");
}

static void registrar_open__csrattrs_nobody_knows__says_so(void **state)
{
	add_config(*state, "[est]\ncsrattrs=unheard-of\n");
	complains(*state, "csrattrs");
}

static void registrar_open__an_unknown_key__says_where(void **state)
{
	add_config(*state, "surprise=1\n");
	complains(*state, "surprise");
	complains(*state, "c.conf");
}

static void registrar_config_load__the_example__is_understood(void **state)
{
	struct registrar_config c;
	struct err e = ERR_INIT;

	MUST(registrar_config_load(&c, "docs/examples/registrar.conf", &e));
	assert_string_equal(c.listen, "[::]:8443");
	assert_int_equal(c.retry_after, 10);
	assert_int_equal(c.masa_addresses, HTTP_ADDR_GLOBAL | HTTP_ADDR_PRIVATE);
	assert_int_equal(c.manufacturer_count, 1);
	assert_string_equal(c.manufacturers[0]->name, "acme");
	assert_int_equal(c.manufacturers[0]->admit, ADMIT_HOLD);
	registrar_config_clear(&c);
}

static void registrar_config_load__nothing_said__is_the_careful_choice(void **state)
{
	struct fixture *f = *state;
	FREE_AUTO char *p = path(f, "c.conf");
	struct registrar_config c;
	struct err e = ERR_INIT;

	MUST(registrar_config_load(&c, p, &e));
	assert_int_equal(c.manufacturers[0]->admit, ADMIT_HOLD);
	assert_int_equal(c.manufacturers[0]->expired_idevid, EXPIRED_REFUSE);
	assert_int_equal(c.audit_check, AUDIT_BEFORE_DELIVERY);
	assert_int_equal(c.audit_foreign, AUDIT_REFUSE);
	assert_int_equal(c.audit_nonceless, AUDIT_REFUSE);
	assert_int_equal(c.masa_addresses & (HTTP_ADDR_LOOPBACK | HTTP_ADDR_LINK_LOCAL), 0);
	assert_false(c.renew_expired);
	registrar_config_clear(&c);
}

static void manufacturer_lists__serials_of_its_file__and_no_others(void **state)
{
	struct fixture *f = *state;
	FREE_AUTO char *root = path(f, "root.crt"), *serials = path(f, "s.txt");
	char name[] = "acme";
	const struct manufacturer_config c = {
		.name = name, .anchors = root, .masa_anchors = root, .serials = serials};
	struct manufacturer m;
	struct err e = ERR_INIT;

	put(f, "s.txt", bytes_of_str("# our order\nSN-9\r\n  SN-1 \n\nSN-10\nSN 5"));
	MUST(manufacturer_load(&m, &c, &e));
	assert_int_equal(m.listed.count, 4);
	assert_true(manufacturer_lists(&m, "SN-1"));
	assert_true(manufacturer_lists(&m, "SN-9"));
	assert_true(manufacturer_lists(&m, "SN-10"));
	assert_true(manufacturer_lists(&m, "SN 5"));
	assert_false(manufacturer_lists(&m, "SN-"));
	assert_false(manufacturer_lists(&m, "sn-1"));
	assert_false(manufacturer_lists(&m, "# our order"));
	assert_false(manufacturer_lists(&m, ""));
	manufacturer_clear(&m);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void registrar_open__constrained_devices_as_well__opens(void **state)
{
	struct fixture *f = *state;

	add_config(f, "[coaps]\nlisten=[::1]:5684\njpy_listen=127.0.0.1:5685\nmtu=1232\n"
		      "certificate_format=pkix-cert\ncacerts_max=16\n"
		      "discovery=127.0.0.1 wpan0\n");
	opens(f);
}

static void registrar_open__coaps_that_cannot_be_served__says_so(void **state)
{
	static const struct {
		const char *lines, *complaint;
	} rows[] = {
		{"listen=nonsense", "[coaps]"},
		{"listen=127.0.0.1:5684\njpy_listen=127.0.0.1", "[coaps]"},
		{"jpy_listen=127.0.0.1:5685", "jpy_listen needs"},
		{"discovery=127.0.0.1", "discovery needs"},
		{"mtu=100", "mtu"},
		{"mtu=1500", "mtu"},
		{"certificate_format=pem", "certificate_format"},
		{"cacerts_max=0", "cacerts_max"},
		{"[manufacturer acme]\ncose_media_type=cose", "cose_media_type"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err e = ERR_INIT;
		FREE_AUTO char *more = str_printf(
			&e, "%s%s\n", rows[i].lines[0] == '[' ? "" : "[coaps]\n", rows[i].lines);

		add_config(f, more);
		complains(f, rows[i].complaint);
	}
}

/* ---- what the CA says of its certificates ---- */

/* A question about a number that this CA may have given. */
static void ask(struct ocsp_request *q, const struct cert *issuer)
{
	X509 *x = cert_x509(issuer);
	OCSP_REQUEST *theirs = OCSP_REQUEST_new();
	struct err e = ERR_INIT;
	uint8_t *der = NULL;
	int len;

	assert_non_null(OCSP_request_add0_id(
		theirs, OCSP_cert_id_new(EVP_sha1(), X509_get_subject_name(x),
				X509_get0_pubkey_bitstr(x), X509_get_serialNumber(x))));
	len = i2d_OCSP_REQUEST(theirs, &der);
	assert_true(len > 0);
	MUST(ocsp_request_parse(bytes_of(der, (size_t)len), q, &e));
	OPENSSL_free(der);
	OCSP_REQUEST_free(theirs);
}

static bool answers(struct fixture *f, int64_t now, int64_t *next_update, struct err *e)
{
	static const struct ocsp_standing good = {OCSP_GOOD, 0};
	BUF_AUTO struct buf out = BUF_INIT(OCSP_ANSWER_DER_MAX);
	OCSP_REQUEST_AUTO struct ocsp_request q = OCSP_REQUEST_INIT;
	bool ok;

	ask(&q, f->issuing.cert);
	ok = ca_answer_ocsp(
		f->registrar->setup->cas[CA_PRIMARY], &q, &good, now, &out, next_update, e);
	assert_int_equal(ok, out.len > 0);
	return ok;
}

static void open_with(struct fixture *f, const char *of_the_ca)
{
	struct err e = ERR_INIT;
	FREE_AUTO char *p = path(f, "c.conf");
	FREE_AUTO char *text = str_printf(&e, "%s[ca]\n%s\n", config, of_the_ca);

	put(f, "c.conf", bytes_of_str(text));
	MUST(registrar_open(f->registrar, p, &e));
}

static void ca_answer_ocsp__is_valid_as_long_as_configured_and_no_longer_than_the_ca(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	int64_t until;

	open_with(f, "ocsp_minutes = 90");
	MUST(answers(f, f->now, &until, &e));
	assert_int_equal(until, f->now + 90 * 60);
	MUST(answers(f, f->now + 89000, &until, &e)); /* the CA ends at 90000 */
	assert_int_equal(until, f->now + 90000);
	registrar_close(f->registrar);
}

static void ca_answer_ocsp__a_ca_before_or_after_its_time__signs_nothing(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	int64_t until;

	open_with(f, "ocsp_url = http://pki.example/ocsp");
	assert_false(answers(f, f->now + 90001, &until, &e));
	assert_non_null(strstr(e.text, "expired"));
	assert_false(answers(f, f->now - 2000, &until, &e));
	assert_non_null(strstr(e.text, "not valid yet"));
	registrar_close(f->registrar);
}

static void registrar_open__an_ocsp_url_that_is_none__says_so(void **state)
{
	add_config(*state, "[ca]\nocsp_url = ldap://pki.example\n");
	complains(*state, "ocsp_url");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(registrar_open__a_site_in_order__opens),
		T(registrar_open__a_certificate_without_cmcra__says_so),
		T(registrar_open__an_expired_or_future_certificate__says_so),
		T(registrar_open__a_key_of_another_certificate__says_so),
		T(registrar_open__no_key_file__names_it),
		T(registrar_open__an_end_entity_as_ca__says_so),
		T(registrar_open__an_expired_ca__says_so),
		T(registrar_open__a_chain_without_a_root__says_so),
		T(registrar_open__no_manufacturer_yet__opens),
		T(registrar_open__serials_that_cannot_be_read__names_the_file),
		T(registrar_open__listed_without_a_list__says_so),
		T(registrar_open__a_masa_url_that_is_not_https__says_so),
		T(registrar_open__csrattrs_nobody_knows__says_so),
		T(registrar_open__an_unknown_key__says_where),
		T(registrar_config_load__the_example__is_understood),
		T(registrar_config_load__nothing_said__is_the_careful_choice),
		T(manufacturer_lists__serials_of_its_file__and_no_others),
		T(registrar_open__constrained_devices_as_well__opens),
		T(registrar_open__coaps_that_cannot_be_served__says_so),
		T(registrar_open__an_ocsp_url_that_is_none__says_so),
		T(ca_answer_ocsp__is_valid_as_long_as_configured_and_no_longer_than_the_ca),
		T(ca_answer_ocsp__a_ca_before_or_after_its_time__signs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
