/* SPDX-License-Identifier: Apache-2.0 */
/* By what a server under anchors is known: its name or cmcRA, its name alone, the anchor alone; and
 * what becomes of one the anchors do not know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "common/net/tls_judge.h"
#include "tests/unit/pledge_fixture.h"

struct world {
	struct fixture f;
	struct anchors *root, *other, *pin;
	struct tls_expectation x;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	fixture_init(&w->f);
	w->root = fixture_anchors(w->f.root_cert);
	w->other = fixture_anchors(w->f.other_root_cert);
	w->x = (struct tls_expectation){
		.anchors = w->root, .now_unix_s = time(NULL), .host = "localhost"};
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	anchors_free(w->root);
	anchors_free(w->other);
	anchors_free(w->pin);
	fixture_clear(&w->f);
	free(w);
	return 0;
}

/* 'v': verified, 'p': provisional, 'r': refused. */
static char judged(const struct world *w, const struct cert_list *chain)
{
	struct err e = ERR_INIT;
	bool verified;

	if (!tls_judge_server(&w->x, chain, &verified, &e)) {
		assert_int_equal(e.kind, ERR_UNAUTHENTICATED);
		return 'r';
	}
	return verified ? 'v' : 'p';
}

/* A server with this name and these usages, under the site's CA. */
static char judged_as(struct world *w, const char *san, const char *eku)
{
	CERT_LIST_AUTO struct cert_list chain = CERT_LIST_INIT;
	struct peer_identity id = peer_identity_make(&(struct peer_cert_wish){
		.cn = "x.maker.example", .san = san, .eku = eku, .issuer = &w->f.sub});
	CERT_AUTO struct cert *c = fixture_cert(id.cert);
	struct err e = ERR_INIT;

	assert_true(cert_list_add(&chain, c, &e) && cert_list_add(&chain, w->f.sub_cert, &e));
	peer_identity_free(&id);
	return judged(w, &chain);
}

#define RA "1.3.6.1.5.5.7.3.28,serverAuth"

static void tls_judge__name_or_ra__either_suffices(void **state)
{
	struct world *w = *state;

	w->x.host = "x.example";
	assert_int_equal(judged_as(w, "DNS:x.example", "serverAuth"), 'v');
	assert_int_equal(judged_as(w, "DNS:y.example", RA), 'v');
	assert_int_equal(judged_as(w, "DNS:y.example", "serverAuth"), 'r');
}

/* CLOUD-PLG-001: whatever its usages are, and never by its subject's common name. */
static void tls_judge__name_alone__counts(void **state)
{
	struct world *w = *state;

	w->x.named = SERVER_NAME;
	w->x.host = "x.maker.example";
	assert_int_equal(judged_as(w, "DNS:x.maker.example", "serverAuth"), 'v');
	assert_int_equal(judged_as(w, "DNS:X.Maker.Example", "serverAuth"), 'v');
	assert_int_equal(judged_as(w, "DNS:*.maker.example", "serverAuth"), 'v');
	assert_int_equal(judged_as(w, "DNS:y.maker.example", RA), 'r');
	assert_int_equal(judged_as(w, "DNS:x.maker.example", "clientAuth"), 'r');
	assert_int_equal(judged_as(w, "DNS:x*.maker.example", "serverAuth"), 'r');
	assert_int_equal(judged_as(w, NULL, "serverAuth"), 'r');
	w->x.host = "a.x.maker.example";
	assert_int_equal(judged_as(w, "DNS:*.maker.example", "serverAuth"), 'r');
}

/* CLOUD-PLG-008: what is pinned says it all. */
static void tls_judge__any_name__the_anchor_decides(void **state)
{
	struct world *w = *state;

	w->x.named = SERVER_ANY_NAME;
	w->x.host = "192.0.2.1";
	w->x.host_is_ip = true;
	assert_int_equal(judged_as(w, "DNS:y.example", "serverAuth"), 'v');
	assert_int_equal(judged_as(w, "DNS:y.example", "clientAuth"), 'r');
	w->pin = fixture_anchors(w->f.ee_cert);
	w->x.anchors = w->pin;
	assert_int_equal(judged(w, &w->f.server_chain), 'v');
	assert_int_equal(judged_as(w, "DNS:y.example", "serverAuth"), 'r');
}

/* CLOUD-PLG-006: where that is allowed; and the certificate of before is asked for either way. */
static void tls_judge__not_known_by_the_anchors__is_provisional_where_allowed(void **state)
{
	struct world *w = *state;

	w->x.named = SERVER_NAME;
	w->x.anchors = w->other;
	assert_int_equal(judged(w, &w->f.server_chain), 'r');
	w->x.else_provisional = true;
	assert_int_equal(judged(w, &w->f.server_chain), 'p');
	w->x.same_server = w->f.sub_cert;
	assert_int_equal(judged(w, &w->f.server_chain), 'r');
	w->x.anchors = w->root;
	assert_int_equal(judged(w, &w->f.server_chain), 'r');
	w->x.same_server = w->f.ee_cert;
	assert_int_equal(judged(w, &w->f.server_chain), 'v');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tls_judge__name_or_ra__either_suffices),
		TEST(tls_judge__name_alone__counts),
		TEST(tls_judge__any_name__the_anchor_decides),
		TEST(tls_judge__not_known_by_the_anchors__is_provisional_where_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
