/* SPDX-License-Identifier: Apache-2.0 */
/* Paths to anchors of every kind, and the ones that must not be found. */
#include "tests/unit/pki_fixture.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/pki/chain.h"

#define NOW 1800000000 /* 2027-01-15, inside the validity of everything not said to be expired */

/* root → sub → ee, each with a key of its own. */
static struct {
	EVP_PKEY *root_key, *sub_key, *ee_key;
	struct cert *root, *sub, *ee;
} t;

static struct recipe root_recipe(void)
{
	return (struct recipe){.cn = "root", .key = t.root_key, .ext = {FIXTURE_CA}};
}

static struct recipe sub_recipe(void)
{
	return (struct recipe){.cn = "sub",
		.key = t.sub_key,
		.issuer = cert_x509(t.root),
		.issuer_key = t.root_key,
		.ext = {FIXTURE_CA, {"authorityKeyIdentifier", "keyid"}}};
}

static struct recipe ee_recipe(void)
{
	return (struct recipe){.cn = "ee",
		.key = t.ee_key,
		.issuer = cert_x509(t.sub),
		.issuer_key = t.sub_key,
		.ext = {{"authorityKeyIdentifier", "keyid"}, {"subjectKeyIdentifier", "hash"}}};
}

static int make_hierarchy(void **state)
{
	struct recipe r;

	t.root_key = fixture_ec("P-256");
	t.sub_key = fixture_ec("P-256");
	t.ee_key = fixture_ec("P-256");
	r = root_recipe();
	t.root = fixture_cert(&r);
	r = sub_recipe();
	t.sub = fixture_cert(&r);
	r = ee_recipe();
	t.ee = fixture_cert(&r);
	return 0;
}

static int free_hierarchy(void **state)
{
	cert_free(t.root);
	cert_free(t.sub);
	cert_free(t.ee);
	EVP_PKEY_free(t.root_key);
	EVP_PKEY_free(t.sub_key);
	EVP_PKEY_free(t.ee_key);
	return 0;
}

static struct anchors *anchors_of(struct cert *c)
{
	struct err e = ERR_INIT;
	struct cert *items[] = {c};
	struct cert_list l = {items, 1};
	struct anchors *a = anchors_new(&l, &e);

	assert_non_null(a);
	assert_int_equal(anchors_certs(a)->count, 1);
	return a;
}

/* "" when there is a path, else the reason. */
static const char *verdict(struct cert *anchor, struct cert *leaf, struct cert *middle, int64_t now)
{
	static struct err e;
	ANCHORS_AUTO struct anchors *a = anchors_of(anchor);
	struct cert *items[] = {middle};
	struct cert_list untrusted = {items, middle ? 1 : 0};
	CERT_LIST_AUTO struct cert_list path = CERT_LIST_INIT;

	e = (struct err)ERR_INIT;
	if (!chain_verify(a, leaf, &untrusted, now, &path, &e)) {
		assert_int_equal(e.kind, ERR_UNAUTHENTICATED);
		assert_int_equal(path.count, 0);
		assert_queue_empty();
		return e.text;
	}
	assert_true(cert_same(path.items[0], leaf));
	assert_true(cert_same(path.items[path.count - 1], anchor));
	assert_queue_empty();
	return "";
}

#define assert_path(...)	 assert_string_equal(verdict(__VA_ARGS__), "")
#define assert_no_path(why, ...) assert_non_null(strstr(verdict(__VA_ARGS__), why))

/* req: R8995-PLG-041 */
static void chain_verify__root_sub_ca_or_leaf_as_anchor__all_give_a_path(void **state)
{
	assert_path(t.root, t.ee, t.sub, NOW);
	assert_path(t.sub, t.ee, NULL, NOW);
	assert_path(t.sub, t.ee, t.sub, NOW);
	assert_path(t.ee, t.ee, NULL, NOW);
	assert_path(t.ee, t.ee, t.sub, NOW);
	assert_path(t.root, t.root, NULL, NOW);
	assert_path(t.root, t.sub, NULL, NOW);
}

static void chain_verify__more_than_needed_supplied__the_path_ends_at_the_anchor(void **state)
{
	ANCHORS_AUTO struct anchors *a = anchors_of(t.sub);
	struct cert *items[] = {t.ee, t.sub, t.root};
	struct cert_list all = {items, 3};
	CERT_LIST_AUTO struct cert_list path = CERT_LIST_INIT;
	struct err e = ERR_INIT;

	assert_true(chain_verify(a, t.ee, &all, NOW, &path, &e));
	assert_int_equal(path.count, 2);
	assert_true(cert_same(path.items[1], t.sub));
}

/* req: ET-15, R8995-PLG-041 */
static void chain_verify__self_signed_leaf_as_its_own_anchor__gives_a_path(void **state)
{
	struct recipe r = {.cn = "registrar", .key = t.ee_key};
	CERT_AUTO struct cert *self = NULL;
	CERT_AUTO struct cert *parsed_again = NULL;
	struct err e = ERR_INIT;

	self = fixture_cert(&r);
	parsed_again = cert_parse(cert_der(self), &e);
	assert_path(self, self, NULL, NOW);
	assert_path(self, parsed_again, NULL, NOW);
	assert_no_path("self", t.root, self, NULL, NOW);
}

/* req: R8995-REG-006 */
static void chain_verify__intermediate_missing__has_no_path(void **state)
{
	assert_no_path("unable to get local issuer", t.root, t.ee, NULL, NOW);
}

/* req: ENC-ALL-027, R8995-REG-006 */
static void chain_verify__root_supplied_by_the_peer__is_no_anchor(void **state)
{
	struct recipe r = {.cn = "stranger", .key = t.ee_key, .ext = {FIXTURE_CA}};
	CERT_AUTO struct cert *stranger = fixture_cert(&r);
	ANCHORS_AUTO struct anchors *a = anchors_of(stranger);
	struct cert *items[] = {t.sub, t.root};
	struct cert_list all = {items, 2};
	struct err e = ERR_INIT;

	assert_false(chain_verify(a, t.ee, &all, NOW, NULL, &e));
	assert_int_equal(e.kind, ERR_UNAUTHENTICATED);
}

static void chain_verify__same_names_other_key__has_no_path(void **state)
{
	EVP_PKEY *other = fixture_ec("P-256");
	struct recipe r = root_recipe();
	CERT_AUTO struct cert *impostor = NULL;

	r.key = other;
	impostor = fixture_cert(&r);
	assert_no_path("", impostor, t.sub, NULL, NOW);
	assert_true(*verdict(impostor, t.sub, NULL, NOW));
	EVP_PKEY_free(other);
}

static void chain_verify__signature_changed__has_no_path(void **state)
{
	struct recipe r = ee_recipe();
	struct bytes der = fixture_der(&r);
	uint8_t *odd = malloc(der.len);
	struct err e = ERR_INIT;
	CERT_AUTO struct cert *c = NULL;

	memcpy(odd, der.data, der.len);
	odd[der.len - 1] ^= 1;
	c = cert_parse(bytes_of(odd, der.len), &e);
	assert_non_null(c);
	assert_no_path("signature failure", t.sub, c, NULL, NOW);
	free(odd);
	fixture_free(der);
}

/* req: R8995-REG-007, R8995-PLG-037 */
static void chain_verify__expired_anywhere__is_refused_unless_time_is_not_asked(void **state)
{
	struct recipe r = ee_recipe();
	CERT_AUTO struct cert *old_ee = NULL;
	CERT_AUTO struct cert *old_sub = NULL;
	CERT_AUTO struct cert *old_root = NULL;

	r.not_after = "20210101000000Z";
	old_ee = fixture_cert(&r);
	assert_no_path("expired", t.sub, old_ee, NULL, NOW);
	assert_path(t.sub, old_ee, NULL, CHAIN_NO_TIME);
	assert_path(t.sub, old_ee, NULL, 1600000000);
	assert_no_path("expired", old_ee, old_ee, NULL, NOW); /* its own anchor */

	r = sub_recipe();
	r.not_after = "20210101000000Z";
	old_sub = fixture_cert(&r);
	assert_no_path("expired", t.root, t.ee, old_sub, NOW);
	assert_path(t.root, t.ee, old_sub, CHAIN_NO_TIME);
	assert_path(t.ee, t.ee, old_sub, NOW); /* not needed: the leaf is the anchor */
	assert_no_path("expired", old_sub, t.ee, NULL, NOW); /* a sub-CA as anchor */
	assert_path(old_sub, t.ee, NULL, CHAIN_NO_TIME);

	r = root_recipe();
	r.not_after = "20210101000000Z";
	old_root = fixture_cert(&r);
	assert_no_path("expired", old_root, t.sub, NULL, NOW);
	assert_path(old_root, t.sub, NULL, CHAIN_NO_TIME);
}

static void chain_verify__not_yet_valid__is_refused(void **state)
{
	assert_no_path("not yet valid", t.sub, t.ee, NULL, 1500000000);
}

/* req: R8995-REG-007 */
static void chain_verify__no_expiry__is_valid_far_ahead(void **state)
{
	struct recipe r = {.cn = "forever",
		.key = t.ee_key,
		.not_after = "99991231235959Z",
		.ext = {FIXTURE_CA}};
	CERT_AUTO struct cert *c = fixture_cert(&r);

	assert_path(c, c, NULL, 253402300798);
}

static void chain_verify__issuer_that_is_no_ca__is_refused(void **state)
{
	struct recipe r = sub_recipe();
	CERT_AUTO struct cert *no_ca = NULL;
	CERT_AUTO struct cert *by_usage = NULL;

	r.ext[0][1] = "critical,CA:FALSE";
	r.ext[1][1] = "digitalSignature";
	no_ca = fixture_cert(&r);
	assert_true(*verdict(t.root, t.ee, no_ca, NOW));
	r.ext[0][0] = "keyUsage"; /* keyCertSign without basicConstraints is no CA either */
	r.ext[0][1] = "critical,keyCertSign";
	r.ext[1][0] = "subjectKeyIdentifier";
	r.ext[1][1] = "hash";
	r.ext[2][0] = NULL;
	by_usage = fixture_cert(&r);
	assert_no_path("invalid CA", t.root, t.ee, by_usage, NOW);
}

static void chain_verify__path_length_exceeded__is_refused(void **state)
{
	struct recipe r = root_recipe();
	CERT_AUTO struct cert *short_root = NULL;

	r.ext[0][1] = "critical,CA:TRUE,pathlen:0";
	short_root = fixture_cert(&r);
	assert_path(short_root, t.sub, NULL, NOW);
	assert_no_path("path length", short_root, t.ee, t.sub, NOW);
}

static void chain_verify__any_extended_key_usage__is_not_judged(void **state)
{
	struct recipe r = ee_recipe();
	CERT_AUTO struct cert *c = NULL;

	r.ext[2][0] = "extendedKeyUsage";
	r.ext[2][1] = "critical,1.3.6.1.5.5.7.3.28";
	c = fixture_cert(&r);
	assert_path(t.root, c, t.sub, NOW);
}

static void chain_verify__unknown_critical_extension__is_refused(void **state)
{
	struct recipe r = ee_recipe();
	CERT_AUTO struct cert *c = NULL;

	r.ext[2][0] = "1.2.3.4";
	r.ext[2][1] = "critical,DER:0500";
	c = fixture_cert(&r);
	assert_no_path("critical extension", t.root, c, t.sub, NOW);
}

/* req: ENC-ALL-025 */
static void chain_verify__sha1_or_short_key__is_refused(void **state)
{
	struct recipe r = ee_recipe();
	CERT_AUTO struct cert *sha1 = NULL;
	CERT_AUTO struct cert *weak = NULL;
	EVP_PKEY *rsa = EVP_RSA_gen(1024);

	r.digest = "SHA1";
	sha1 = fixture_cert(&r);
	assert_no_path("digest", t.sub, sha1, NULL, NOW);
	r.digest = NULL;
	r.key = rsa;
	weak = fixture_cert(&r);
	assert_no_path("too weak", t.sub, weak, NULL, NOW);
	EVP_PKEY_free(rsa);
}

/* A chain of n certificates, root first in l. */
static void long_chain(int n, struct cert_list *l)
{
	struct err e = ERR_INIT;

	for (int i = 0; i < n; i++) {
		char cn[16];
		struct recipe r = {.cn = cn, .key = t.root_key, .ext = {FIXTURE_CA}};
		CERT_AUTO struct cert *c = NULL;

		snprintf(cn, sizeof(cn), "c%d", i);
		r.issuer = i ? cert_x509(l->items[i - 1]) : NULL;
		r.issuer_key = t.root_key;
		c = fixture_cert(&r);
		assert_true(cert_list_add(l, c, &e));
	}
}

static void chain_verify__longer_than_the_limit__is_refused(void **state)
{
	CERT_LIST_AUTO struct cert_list l = CERT_LIST_INIT;
	ANCHORS_AUTO struct anchors *a = NULL;
	struct err e = ERR_INIT;

	long_chain(CHAIN_DEPTH_MAX + 1, &l);
	a = anchors_of(l.items[0]);
	assert_true(chain_verify(a, l.items[CHAIN_DEPTH_MAX - 1], &l, NOW, NULL, &e));
	assert_false(chain_verify(a, l.items[CHAIN_DEPTH_MAX], &l, NOW, NULL, &e));
	assert_int_equal(e.kind, ERR_UNAUTHENTICATED);
}

static void chain_verify__verdict_remembered__needs_no_intermediate_but_keeps_its_time(void **state)
{
	ANCHORS_AUTO struct anchors *a = anchors_of(t.root);
	struct cert *items[] = {t.sub};
	struct cert_list untrusted = {items, 1};
	CERT_LIST_AUTO struct cert_list path = CERT_LIST_INIT;
	struct err e = ERR_INIT;

	assert_false(chain_verify(a, t.ee, NULL, NOW, NULL, &e)); /* a refusal is not remembered */
	assert_true(chain_verify(a, t.ee, &untrusted, NOW, NULL, &e));
	assert_true(chain_verify(a, t.ee, NULL, NOW, &path, &e));
	assert_int_equal(path.count, 3);
	assert_true(cert_same(path.items[1], t.sub));
	assert_false(chain_verify(a, t.ee, &untrusted, 1500000000, NULL, &e));
	assert_false(chain_verify(a, t.ee, &untrusted, 2600000000, NULL, &e));
	assert_true(chain_verify(a, t.ee, NULL, CHAIN_NO_TIME, NULL, &e));
}

/* A second leaf under a sub-CA whose path is known: its own signature, its own time and that of the
 * path count as for the first one; and a sub-CA of the same name with another key is not known. */
static void chain_verify__issuer_remembered__the_next_leaf_is_judged_all_the_same(void **state)
{
	ANCHORS_AUTO struct anchors *a = anchors_of(t.root);
	CERT_AUTO struct cert *second = NULL, *forged = NULL, *expired = NULL, *third = NULL;
	CERT_AUTO struct cert *other_sub = NULL;
	struct cert *items[] = {t.sub}, *other_items[1];
	struct cert_list untrusted = {items, 1}, other = {other_items, 1};
	CERT_LIST_AUTO struct cert_list path = CERT_LIST_INIT;
	struct recipe r = ee_recipe();
	struct err e = ERR_INIT;

	assert_true(chain_verify(a, t.ee, &untrusted, NOW, NULL, &e));
	second = fixture_cert(&r);
	r.issuer_key = t.root_key; /* not the key of the sub-CA it names */
	forged = fixture_cert(&r);
	assert_false(chain_verify(a, forged, &untrusted, NOW, NULL, &e));
	assert_non_null(strstr(e.text, "signature failure"));
	r = ee_recipe();
	r.not_after = "20210101000000Z";
	expired = fixture_cert(&r);
	assert_false(chain_verify(a, expired, &untrusted, NOW, NULL, &e));
	assert_false(chain_verify(a, second, &untrusted, 2600000000, NULL, &e));
	assert_true(chain_verify(a, second, &untrusted, NOW, &path, &e));
	assert_int_equal(path.count, 3);
	assert_true(cert_same(path.items[2], t.root));

	r = sub_recipe();
	r.issuer_key = t.sub_key; /* names the root, which never signed it */
	other_sub = other_items[0] = fixture_cert(&r);
	r = ee_recipe();
	r.issuer = cert_x509(other_sub);
	third = fixture_cert(&r);
	assert_false(chain_verify(a, third, &other, NOW, NULL, &e));
	assert_non_null(strstr(e.text, "signature failure"));
	assert_queue_empty();
}

/* A CA that may issue for certain names only: every leaf is looked at for its own. */
static void chain_verify__issuer_constrains_names__the_next_leaf_is_judged_by_them(void **state)
{
	ANCHORS_AUTO struct anchors *a = anchors_of(t.root);
	CERT_AUTO struct cert *sub = NULL, *good = NULL, *bad = NULL;
	struct cert *items[1];
	struct cert_list untrusted = {items, 1};
	struct recipe r = sub_recipe();
	struct err e = ERR_INIT;

	memcpy(r.ext[4], (const char *[]){"nameConstraints", "critical,permitted;DNS:site.example"},
		sizeof(r.ext[4]));
	sub = items[0] = fixture_cert(&r);
	r = ee_recipe();
	r.issuer = cert_x509(sub);
	good = fixture_cert(&r);
	r.cn = "host.elsewhere.example"; /* OpenSSL takes a CN that looks like a host for one */
	bad = fixture_cert(&r);
	assert_true(cert_is_plain(good) && cert_is_plain(bad));
	assert_true(chain_verify(a, good, &untrusted, NOW, NULL, &e));
	assert_false(chain_verify(a, bad, &untrusted, NOW, NULL, &e));
	assert_non_null(strstr(e.text, "subtree violation"));
	assert_queue_empty();
}

/* The key identifiers have to agree for the next leaf as well. */
static void chain_verify__issuer_remembered__another_key_identifier_is_refused(void **state)
{
	ANCHORS_AUTO struct anchors *a = anchors_of(t.root);
	CERT_AUTO struct cert *stray = NULL;
	struct cert *items[] = {t.sub};
	struct cert_list untrusted = {items, 1};
	struct recipe r = ee_recipe();
	struct err e = ERR_INIT;

	assert_true(chain_verify(a, t.ee, &untrusted, NOW, NULL, &e));
	memcpy(r.ext[0], (const char *[]){"2.5.29.35", "DER:30:06:80:04:01:02:03:04"},
		sizeof(r.ext[0]));
	stray = fixture_cert(&r);
	assert_true(cert_is_plain(stray) && cert_signed_by(stray, t.sub, &e));
	assert_false(chain_verify(a, stray, &untrusted, NOW, NULL, &e));
	assert_queue_empty();
}

static void chain_verify__verdict_without_time__is_not_one_for_a_time(void **state)
{
	struct recipe r = ee_recipe();
	CERT_AUTO struct cert *old = NULL;
	ANCHORS_AUTO struct anchors *a = anchors_of(t.sub);
	struct err e = ERR_INIT;

	r.not_after = "20210101000000Z";
	old = fixture_cert(&r);
	assert_true(chain_verify(a, old, NULL, CHAIN_NO_TIME, NULL, &e));
	assert_false(chain_verify(a, old, NULL, NOW, NULL, &e));
	assert_non_null(strstr(e.text, "expired"));
}

struct worker {
	struct anchors *a;
	bool good;
};

static void *verify_often(void *arg)
{
	struct worker *w = arg;
	struct cert *items[] = {t.sub};
	struct cert_list untrusted = {items, 1};

	w->good = true;
	for (int i = 0; i < 100; i++) {
		struct err e = ERR_INIT;
		CERT_LIST_AUTO struct cert_list path = CERT_LIST_INIT;

		w->good = w->good && chain_verify(w->a, t.ee, &untrusted, NOW, &path, &e) &&
			  path.count == 3 && !chain_verify(w->a, t.ee, NULL, 1, NULL, &e);
	}
	return NULL;
}

static void chain_verify__several_threads__agree(void **state)
{
	ANCHORS_AUTO struct anchors *a = anchors_of(t.root);
	struct worker w[3];
	pthread_t threads[3];

	for (int i = 0; i < 3; i++) {
		w[i].a = a;
		pthread_create(&threads[i], NULL, verify_often, &w[i]);
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		assert_true(w[i].good);
	}
}

/* ---- chain_links_intact ---- */

/* req: R8995-PLG-017 */
static void chain_links_intact__good_or_unknowable__passes(void **state)
{
	struct cert *all[] = {t.ee, t.sub, t.root}, *alone[] = {t.ee};
	struct cert_list l = {all, 3}, one = {alone, 1};
	struct err e = ERR_INIT;

	assert_true(chain_links_intact(&l, &e));
	assert_true(chain_links_intact(&one, &e)); /* its issuer is not there */
	assert_queue_empty();
}

/* req: R8995-PLG-017 */
static void chain_links_intact__a_changed_signature__is_found(void **state)
{
	struct recipe recipes[] = {ee_recipe(), root_recipe()};

	for (size_t i = 0; i < 2; i++) { /* under an issuer that is there; under itself */
		struct bytes der = fixture_der(&recipes[i]);
		uint8_t *odd = malloc(der.len);
		struct err e = ERR_INIT;
		CERT_AUTO struct cert *c = NULL;
		struct cert *items[2] = {NULL, t.sub};
		struct cert_list l = {items, 2};

		memcpy(odd, der.data, der.len);
		odd[der.len - 1] ^= 1;
		c = cert_parse(bytes_of(odd, der.len), &e);
		items[0] = c;
		assert_false(chain_links_intact(&l, &e));
		assert_int_equal(e.kind, ERR_UNAUTHENTICATED);
		assert_queue_empty();
		free(odd);
		fixture_free(der);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chain_verify__root_sub_ca_or_leaf_as_anchor__all_give_a_path),
		cmocka_unit_test(
			chain_verify__more_than_needed_supplied__the_path_ends_at_the_anchor),
		cmocka_unit_test(chain_verify__self_signed_leaf_as_its_own_anchor__gives_a_path),
		cmocka_unit_test(chain_verify__intermediate_missing__has_no_path),
		cmocka_unit_test(chain_verify__root_supplied_by_the_peer__is_no_anchor),
		cmocka_unit_test(chain_verify__same_names_other_key__has_no_path),
		cmocka_unit_test(chain_verify__signature_changed__has_no_path),
		cmocka_unit_test(
			chain_verify__expired_anywhere__is_refused_unless_time_is_not_asked),
		cmocka_unit_test(chain_verify__not_yet_valid__is_refused),
		cmocka_unit_test(chain_verify__no_expiry__is_valid_far_ahead),
		cmocka_unit_test(chain_verify__issuer_that_is_no_ca__is_refused),
		cmocka_unit_test(chain_verify__path_length_exceeded__is_refused),
		cmocka_unit_test(chain_verify__any_extended_key_usage__is_not_judged),
		cmocka_unit_test(chain_verify__unknown_critical_extension__is_refused),
		cmocka_unit_test(chain_verify__sha1_or_short_key__is_refused),
		cmocka_unit_test(chain_verify__longer_than_the_limit__is_refused),
		cmocka_unit_test(
			chain_verify__verdict_remembered__needs_no_intermediate_but_keeps_its_time),
		cmocka_unit_test(
			chain_verify__issuer_remembered__the_next_leaf_is_judged_all_the_same),
		cmocka_unit_test(
			chain_verify__issuer_constrains_names__the_next_leaf_is_judged_by_them),
		cmocka_unit_test(
			chain_verify__issuer_remembered__another_key_identifier_is_refused),
		cmocka_unit_test(chain_verify__verdict_without_time__is_not_one_for_a_time),
		cmocka_unit_test(chain_verify__several_threads__agree),
		cmocka_unit_test(chain_links_intact__good_or_unknowable__passes),
		cmocka_unit_test(chain_links_intact__a_changed_signature__is_found),
	};

	return cmocka_run_group_tests(tests, make_hierarchy, free_hierarchy);
}
