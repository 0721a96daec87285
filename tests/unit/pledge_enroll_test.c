/* SPDX-License-Identifier: Apache-2.0 */
/* What the pledge makes of CA certificates and of the certificate it is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "pledge/cacerts.h"
#include "pledge/enroll.h"
#include "tests/unit/pledge_fixture.h"

struct world {
	struct fixture f;
	struct cert_list list;
	struct key *key;
	struct issued_check check;
	struct anchors *anchors;
	struct cert_list received, cacerts, chain;
	struct cert *ldevid;
	struct err e;
};

static void add(struct cert_list *l, struct cert *c)
{
	struct err e = ERR_INIT;

	assert_true(cert_list_add(l, c, &e));
}

static void add_issued(struct world *w, const struct peer_cert_wish *wish)
{
	struct peer_identity made = peer_identity_make(wish);
	CERT_AUTO struct cert *c = fixture_cert(made.cert);

	add(&w->received, c);
	peer_identity_free(&made);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	fixture_init(&w->f);
	w->key = key_generate(KEY_EC_P256, &w->e);
	w->anchors = fixture_anchors(w->f.root_cert);
	add(&w->cacerts, w->f.sub_cert);
	add(&w->cacerts, w->f.root_cert);
	w->check = (struct issued_check){
		.received = &w->received,
		.key = w->key,
		.anchors = w->anchors,
		.cacerts = &w->cacerts,
		.now_unix_s = time(NULL),
	};
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	key_free(w->key);
	anchors_free(w->anchors);
	cert_list_clear(&w->list);
	cert_list_clear(&w->received);
	cert_list_clear(&w->cacerts);
	cert_list_clear(&w->chain);
	cert_free(w->ldevid);
	fixture_clear(&w->f);
	free(w);
	return 0;
}

/* ---- anchors ---- */

static void cacerts_anchors__with_a_root__are_the_root_and_not_the_pin(void **state)
{
	struct world *w = *state;
	ANCHORS_AUTO struct anchors *a = NULL;

	a = cacerts_anchors(&w->cacerts, w->f.other_root_cert, &w->e);
	assert_non_null(a);
	assert_int_equal(anchors_certs(a)->count, 1);
	assert_true(cert_same(anchors_certs(a)->items[0], w->f.root_cert));
}

static void cacerts_anchors__without_a_root__are_the_pin(void **state)
{
	struct world *w = *state;
	ANCHORS_AUTO struct anchors *a = NULL;

	add(&w->list, w->f.sub_cert);
	a = cacerts_anchors(&w->list, w->f.root_cert, &w->e);
	assert_non_null(a);
	assert_int_equal(anchors_certs(a)->count, 1);
	assert_true(cert_same(anchors_certs(a)->items[0], w->f.root_cert));
	assert_null(cacerts_anchors(&w->list, NULL, &w->e));
}

/* ---- the issued certificate ---- */

static bool judge(struct world *w)
{
	return enroll_check_issued(&w->check, &w->ldevid, &w->chain, &w->e);
}

static void enroll_check_issued__ours_under_the_site__is_taken_with_its_issuers(void **state)
{
	struct world *w = *state;

	add(&w->received, w->f.sub_cert); /* some servers send the issuer along */
	add_issued(w, &(struct peer_cert_wish){
			      .cn = "device", .issuer = &w->f.sub, .key = key_evp(w->key)});
	assert_true(judge(w));
	assert_true(cert_same(w->ldevid, w->received.items[1]));
	assert_int_equal(w->chain.count, 1);
	assert_true(cert_same(w->chain.items[0], w->f.sub_cert));
}

static void enroll_check_issued__other_key__is_refused(void **state)
{
	struct world *w = *state;

	add_issued(w, &(struct peer_cert_wish){.cn = "device", .issuer = &w->f.sub});
	assert_false(judge(w));
	assert_int_equal(w->e.kind, ERR_PEER);
}

static void enroll_check_issued__a_ca__is_refused(void **state)
{
	struct world *w = *state;

	add_issued(w,
		&(struct peer_cert_wish){
			.cn = "device", .ca = true, .issuer = &w->f.sub, .key = key_evp(w->key)});
	assert_false(judge(w));
	assert_int_equal(w->e.kind, ERR_PEER);
}

static void enroll_check_issued__other_site_or_self_signed__is_refused(void **state)
{
	struct world *w = *state;
	const struct peer_identity *issuers[] = {&w->f.other_root, NULL};

	for (size_t i = 0; i < 2; i++) {
		cert_list_clear(&w->received);
		add_issued(
			w, &(struct peer_cert_wish){
				   .cn = "device", .issuer = issuers[i], .key = key_evp(w->key)});
		assert_false(judge(w));
		assert_int_equal(w->e.kind, ERR_UNAUTHENTICATED);
	}
}

static void enroll_check_issued__not_valid_now__is_refused_with_a_clock_only(void **state)
{
	struct world *w = *state;

	add_issued(w, &(struct peer_cert_wish){.cn = "device",
			      .issuer = &w->f.sub,
			      .key = key_evp(w->key),
			      .from_s = -7200,
			      .until_s = -3600});
	assert_false(judge(w));
	w->check.now_unix_s = CHAIN_NO_TIME;
	assert_true(judge(w));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cacerts_anchors__with_a_root__are_the_root_and_not_the_pin),
		TEST(cacerts_anchors__without_a_root__are_the_pin),
		TEST(enroll_check_issued__ours_under_the_site__is_taken_with_its_issuers),
		TEST(enroll_check_issued__other_key__is_refused),
		TEST(enroll_check_issued__a_ca__is_refused),
		TEST(enroll_check_issued__other_site_or_self_signed__is_refused),
		TEST(enroll_check_issued__not_valid_now__is_refused_with_a_clock_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
