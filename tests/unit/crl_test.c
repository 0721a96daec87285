/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists: whom they name, who may sign them, what a bad file does. */
#include "tests/unit/masa_fixture.h"

#include <openssl/err.h>

#include "common/pki/crl.h"

struct fixture {
	struct world *w;
	char path[96];
	struct cert_list chain; /* the site's registrar to its root */
	struct err e;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->w = world_new();
	snprintf(f->path, sizeof(f->path), "%s/crl.pem", f->w->dir);
	OK(cert_list_add(&f->chain, f->w->registrar.cert, e));
	OK(cert_list_add(&f->chain, f->w->ca.cert, e));
	OK(cert_list_add(&f->chain, f->w->root.cert, e));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	cert_list_clear(&f->chain);
	world_free(f->w);
	free(f);
	return 0;
}

static bool check(struct fixture *f)
{
	struct crl_set *s = NULL;
	bool ok;

	OK(s = crl_set_load(f->path, e));
	ok = crl_set_check(s, &f->chain, &f->e);
	crl_set_free(s);
	return ok;
}

static void crl_set_check__nobody_named__holds(void **state)
{
	struct fixture *f = *state;

	write_crl(f->path, &f->w->ca, &f->w->ca, NULL);
	write_crl(f->path, &f->w->other_ca, &f->w->other_ca, &f->w->other_registrar);
	assert_true(check(f));
	assert_true(crl_set_check(NULL, &f->chain, &f->e));
}

/* req: R8995-MASA-007 */
static void crl_set_check__certificate_named__is_refused(void **state)
{
	struct fixture *f = *state;

	write_crl(f->path, &f->w->root, &f->w->root, NULL);
	write_crl(f->path, &f->w->ca, &f->w->ca, &f->w->registrar);
	assert_false(check(f));
	assert_int_equal(f->e.kind, ERR_UNAUTHENTICATED);
	assert_non_null(strstr(f->e.text, "is revoked"));
}

static void crl_set_check__sub_ca_named__is_refused(void **state)
{
	struct fixture *f = *state;

	write_crl(f->path, &f->w->root, &f->w->root, &f->w->ca);
	assert_false(check(f));
}

/* Somebody's list under the CA's name must not decide anything, in either direction. */
static void crl_set_check__list_not_its_issuers__is_refused(void **state)
{
	struct fixture *f = *state;

	write_crl(f->path, &f->w->ca, &f->w->other_ca, NULL);
	assert_false(check(f));
	assert_non_null(strstr(f->e.text, "not signed by its issuer"));
	assert_int_equal(ERR_peek_error(), 0);
}

/* req: R8995-MASA-007 */
static void crl_set_reload__new_file__counts_and_a_bad_one_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct crl_set *s = NULL;
	FILE *out;

	write_crl(f->path, &f->w->ca, &f->w->ca, NULL);
	OK(s = crl_set_load(f->path, e));
	assert_true(crl_set_check(s, &f->chain, &f->e));
	write_crl(f->path, &f->w->ca, &f->w->ca, &f->w->registrar);
	OK(crl_set_reload(s, f->path, e));
	assert_false(crl_set_check(s, &f->chain, &f->e));
	out = fopen(f->path, "w");
	fputs("-----BEGIN X509 CRL-----\n!!\n-----END X509 CRL-----\n", out);
	fclose(out);
	assert_false(crl_set_reload(s, f->path, &f->e));
	assert_false(crl_set_check(s, &f->chain, &f->e));
	assert_int_equal(ERR_peek_error(), 0);
	crl_set_free(s);
}

static void crl_set_load__no_list_in_the_file__is_refused(void **state)
{
	struct fixture *f = *state;
	FILE *out = fopen(f->path, "w");

	fputs("nothing\n", out);
	fclose(out);
	assert_null(crl_set_load(f->path, &f->e));
	assert_int_equal(f->e.kind, ERR_INPUT);
	assert_null(crl_set_load("/nowhere/crl.pem", &f->e));
	assert_int_equal(f->e.kind, ERR_IO);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(crl_set_check__nobody_named__holds),
		TEST(crl_set_check__certificate_named__is_refused),
		TEST(crl_set_check__sub_ca_named__is_refused),
		TEST(crl_set_check__list_not_its_issuers__is_refused),
		TEST(crl_set_reload__new_file__counts_and_a_bad_one_changes_nothing),
		TEST(crl_set_load__no_list_in_the_file__is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
