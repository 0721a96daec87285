/* SPDX-License-Identifier: Apache-2.0 */
/* Paths from a certificate to an anchor (RFC 5280 §6, with the anchors RFC 8995 §5.6.2 allows).
 * OpenSSL builds the path and judges it; here it is told how, and its verdicts are kept. */
#include "common/pki/chain.h"

#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/base/digest_map.h"
#include "common/pki/ossl.h"

#define SECURITY_LEVEL 2 /* 112 bits: RSA-2048, SHA-224 and better */

struct anchors {
	struct cert_list certs;
	X509_STORE *store;
	pthread_mutex_t lock; /* around verdicts */
	struct digest_map *verdicts;
};

/* A path that was found, and the time it is good for. */
struct verdict {
	struct cert_list path;
	int64_t not_before, not_after;
	bool issues; /* it was found above a leaf, and nothing in it asks for certain names below */
};

static void verdict_free(void *value)
{
	struct verdict *v = value;

	cert_list_clear(&v->path);
	free(v);
}

/* ---- anchors ---- */

static bool fill(struct anchors *a, const struct cert_list *certs, struct err *e)
{
	if (!a->store || !a->verdicts)
		return ossl_fail(e, ERR_NO_MEMORY, "anchors");
	for (size_t i = 0; i < certs->count; i++) {
		if (cert_list_contains(&a->certs, certs->items[i]))
			continue;
		if (!cert_list_add(&a->certs, certs->items[i], e))
			return false;
		if (!cert_x509(certs->items[i]) ||
			X509_STORE_add_cert(a->store, cert_x509(certs->items[i])) != 1)
			return ossl_fail(e, ERR_NO_MEMORY, "anchors");
	}
	return true;
}

struct anchors *anchors_new(const struct cert_list *certs, struct err *e)
{
	struct anchors *a = mem_new(sizeof(*a), e);

	if (!a)
		return NULL;
	pthread_mutex_init(&a->lock, NULL);
	a->store = X509_STORE_new();
	a->verdicts = digest_map_new(CHAIN_VERDICTS_MAX, verdict_free, e);
	if (!fill(a, certs, e)) {
		anchors_free(a);
		return NULL;
	}
	return a;
}

struct anchors *anchors_load(const char *pem_path, struct err *e)
{
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;

	return cert_list_load(pem_path, &certs, e) ? anchors_new(&certs, e) : NULL;
}

void anchors_free(struct anchors *a)
{
	if (!a)
		return;
	X509_STORE_free(a->store);
	digest_map_free(a->verdicts);
	cert_list_clear(&a->certs);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

void anchors_unref(struct anchors **a)
{
	anchors_free(*a);
	*a = NULL;
}

const struct cert_list *anchors_certs(const struct anchors *a)
{
	return &a->certs;
}

/* ---- verdicts ---- */

static bool copy_list(const struct cert_list *from, struct cert_list *to, struct err *e)
{
	if (cert_list_append(to, from, e))
		return true;
	cert_list_clear(to);
	return false;
}

/* With the lock held: the verdict that is good for this moment, or NULL. */
static const struct verdict *verdict_at(struct anchors *a, const struct cert *leaf, int64_t now)
{
	const struct verdict *v = digest_map_get(a->verdicts, cert_sha256(leaf));

	return v && (now == CHAIN_NO_TIME || (now >= v->not_before && now <= v->not_after)) ? v
											    : NULL;
}

/* *known says whether there is such a verdict; its path, if wanted, is appended. */
static bool recall(struct anchors *a, const struct cert *leaf, int64_t now, bool *known,
	struct cert_list *path, struct err *e)
{
	const struct verdict *v;
	bool ok = true;

	pthread_mutex_lock(&a->lock);
	v = verdict_at(a, leaf, now);
	*known = v != NULL;
	if (*known && path)
		ok = copy_list(&v->path, path, e);
	pthread_mutex_unlock(&a->lock);
	return ok;
}

static bool can_issue(struct anchors *a, const struct cert *ca, int64_t now)
{
	const struct verdict *v;
	bool can;

	pthread_mutex_lock(&a->lock);
	v = verdict_at(a, ca, now);
	can = v && v->issues;
	pthread_mutex_unlock(&a->lock);
	return can;
}

static bool remember(struct anchors *a, const struct cert *leaf, const struct cert_list *path,
	bool issues, struct err *e)
{
	struct verdict *v = mem_new(sizeof(*v), e);

	if (!v)
		return false;
	v->not_before = INT64_MIN;
	v->not_after = INT64_MAX;
	v->issues = issues;
	for (size_t i = 0; i < path->count; i++) {
		const struct cert *c = path->items[i];

		if (cert_not_before(c) > v->not_before)
			v->not_before = cert_not_before(c);
		if (cert_not_after(c) < v->not_after)
			v->not_after = cert_not_after(c);
	}
	if (!copy_list(path, &v->path, e)) {
		verdict_free(v);
		return false;
	}
	pthread_mutex_lock(&a->lock);
	digest_map_put(a->verdicts, cert_sha256(leaf), v);
	pthread_mutex_unlock(&a->lock);
	return true;
}

static bool constrains_names(const struct cert_list *path)
{
	for (size_t i = 0; i < path->count; i++)
		if (cert_extension(path->items[i], "2.5.29.30", NULL).data)
			return true;
	return false;
}

/* A part of a good path is a good path. */
static bool remember_issuer(struct anchors *a, const struct cert_list *path, struct err *e)
{
	const struct cert_list upper = {.items = path->items + 1, .count = path->count - 1};

	return path->count < 2 || can_issue(a, upper.items[0], CHAIN_NO_TIME) ||
	       remember(a, upper.items[0], &upper, !constrains_names(&upper), e);
}

/* ---- below a path that is known ---- */

static struct cert *known_issuer(
	struct anchors *a, const struct cert *leaf, const struct cert_list *among, int64_t now)
{
	for (size_t i = 0; among && i < among->count; i++) {
		struct cert *ca = among->items[i];

		if (bytes_equal(cert_subject_der(ca), cert_issuer_der(leaf)) &&
			(!cert_aki(leaf).len || bytes_equal(cert_aki(leaf), cert_ski(ca))) &&
			can_issue(a, ca, now))
			return ca;
	}
	return NULL;
}

/* Every device of a manufacturer comes below the same path. When OpenSSL found it good above one of
 * them, what is left of its judgement (RFC 5280 §6.1) for another that is plain is the time, the
 * names, the key identifiers and the signature. False with *e as it was: OpenSSL is to say. */
static bool find_below_known(struct anchors *a, struct cert *leaf,
	const struct cert_list *untrusted, int64_t now, struct cert_list *path)
{
	struct err ignored = ERR_INIT;
	struct cert *issuer;
	bool known;

	if (!cert_is_plain(leaf) || cert_list_contains(&a->certs, leaf) ||
		(now != CHAIN_NO_TIME &&
			(now < cert_not_before(leaf) || now > cert_not_after(leaf))))
		return false;
	issuer = known_issuer(a, leaf, untrusted, now);
	if (!issuer)
		issuer = known_issuer(a, leaf, &a->certs, now);
	if (issuer && cert_signed_by(leaf, issuer, &ignored) &&
		cert_list_add(path, leaf, &ignored) &&
		recall(a, issuer, now, &known, path, &ignored) && known)
		return true;
	cert_list_clear(path);
	return false;
}

/* ---- one verification ---- */

static struct cert *find(const struct cert_list *l, const X509 *x)
{
	for (size_t i = 0; l && i < l->count; i++)
		if (cert_x509(l->items[i]) == x)
			return l->items[i];
	return NULL;
}

/* What verify_links() needs to know, as the context's application data. */
struct verification {
	struct anchors *anchors;
	const struct cert_list *untrusted;
	int64_t now;
	X509_STORE_CTX_verify_fn rest; /* OpenSSL's own */
};

static bool same_path(const struct cert_list *path, STACK_OF(X509) * chain, int from)
{
	if (path->count != (size_t)(sk_X509_num(chain) - from))
		return false;
	for (size_t i = 0; i < path->count; i++)
		if (X509_cmp(cert_x509(path->items[i]), sk_X509_value(chain, from + (int)i)) != 0)
			return false;
	return true;
}

/* Whether the way from the leaf's issuer to the anchor is one that was found good for this time. */
static bool issuer_is_known(const struct verification *v, STACK_OF(X509) * chain)
{
	CERT_LIST_AUTO struct cert_list path = CERT_LIST_INIT;
	struct err ignored = ERR_INIT;
	struct cert *issuer;
	bool known;

	if (sk_X509_num(chain) < 3)
		return false;
	issuer = find(v->untrusted, sk_X509_value(chain, 1));
	return issuer && recall(v->anchors, issuer, v->now, &known, &path, &ignored) && known &&
	       same_path(&path, chain, 1);
}

/* OpenSSL checks the signatures and times of the whole path whenever it meets a new leaf. When the
 * upper part is known, it is shown the leaf and its issuer only. Everything else about the path
 * (names, constraints, lengths, usage) it judges by itself, before this and after it. */
static int verify_links(X509_STORE_CTX *ctx)
{
	const struct verification *v = X509_STORE_CTX_get_app_data(ctx);
	STACK_OF(X509) *whole = X509_STORE_CTX_get1_chain(ctx);
	STACK_OF(X509) *lowest =
		whole && issuer_is_known(v, whole) ? X509_chain_up_ref(whole) : NULL;
	int ok;

	if (!lowest) {
		sk_X509_pop_free(whole, X509_free);
		return v->rest(ctx);
	}
	while (sk_X509_num(lowest) > 2)
		X509_free(sk_X509_pop(lowest));
	X509_STORE_CTX_set0_verified_chain(ctx, lowest);
	ok = v->rest(ctx);
	X509_STORE_CTX_set0_verified_chain(ctx, whole);
	return ok;
}

/* OpenSSL's path in our certificates. They are the objects it was given, so nothing is parsed. */
static bool take_path(X509_STORE_CTX *ctx, const struct anchors *a, struct cert *leaf,
	const struct cert_list *untrusted, struct cert_list *path, struct err *e)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);

	for (int i = 0; i < sk_X509_num(chain); i++) {
		const X509 *x = sk_X509_value(chain, i);
		struct cert *c = x == cert_x509(leaf) ? leaf : find(&a->certs, x);

		if (!c)
			c = find(untrusted, x);
		if (!c)
			return err_set(e, ERR_BUG, "path holds a certificate nobody gave");
		if (!cert_list_add(path, c, e))
			return false;
	}
	return true;
}

static bool set_rules(X509_STORE_CTX *ctx, int64_t now, struct err *e)
{
	X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);

	if (X509_VERIFY_PARAM_set_purpose(p, X509_PURPOSE_ANY) != 1 ||
		X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN) != 1)
		return ossl_fail(e, ERR_NO_MEMORY, "chain");
	X509_VERIFY_PARAM_set_depth(p, CHAIN_DEPTH_MAX - 2); /* counts what is in between */
	X509_VERIFY_PARAM_set_auth_level(p, SECURITY_LEVEL);
	if (now == CHAIN_NO_TIME)
		X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_NO_CHECK_TIME);
	else
		X509_VERIFY_PARAM_set_time(p, (time_t)now);
	return true;
}

/* NULL when there is no memory for it, or for one of them. */
static STACK_OF(X509) * stack_of(const struct cert_list *l)
{
	STACK_OF(X509) *s = sk_X509_new_reserve(NULL, l ? (int)l->count : 0);

	for (size_t i = 0; s && l && i < l->count; i++) {
		if (!cert_x509(l->items[i])) {
			sk_X509_free(s);
			return NULL;
		}
		sk_X509_push(s, cert_x509(l->items[i]));
	}
	return s;
}

/* The reason, and which certificate it is about. */
static bool refuse(X509_STORE_CTX *ctx, struct err *e)
{
	int reason = X509_STORE_CTX_get_error(ctx);
	X509 *x = X509_STORE_CTX_get_current_cert(ctx);
	char name[128] = "";

	if (x)
		X509_NAME_oneline(X509_get_subject_name(x), name, sizeof(name));
	return err_set(e,
		reason == X509_V_ERR_OUT_OF_MEM ? ERR_NO_MEMORY : ossl_verdict(ERR_UNAUTHENTICATED),
		"%s%s%s", X509_verify_cert_error_string(reason), *name ? ": " : "", name);
}

static bool build(struct anchors *a, struct cert *leaf, const struct cert_list *untrusted,
	int64_t now, struct cert_list *path, struct err *e)
{
	OSSL_AUTO(X509_STORE_CTX) X509_STORE_CTX *ctx = NULL;
	struct verification v = {.anchors = a, .untrusted = untrusted, .now = now};
	STACK_OF(X509) * others;
	bool ok;

	ossl_begin();
	ctx = X509_STORE_CTX_new();
	/* a leaf that is an anchor needs no issuers, and an expired one must not spoil it */
	others = stack_of(cert_list_contains(&a->certs, leaf) ? NULL : untrusted);
	ok = ctx && others && cert_x509(leaf) &&
	     X509_STORE_CTX_init(ctx, a->store, cert_x509(leaf), others) == 1;
	if (ok) {
		v.rest = X509_STORE_CTX_get_verify(ctx);
		X509_STORE_CTX_set_verify(ctx, verify_links);
		ok = X509_STORE_CTX_set_app_data(ctx, &v) == 1;
	}
	if (!ok)
		ossl_fail(e, ERR_NO_MEMORY, "chain");
	ok = ok && set_rules(ctx, now, e) && (X509_verify_cert(ctx) == 1 || refuse(ctx, e)) &&
	     take_path(ctx, a, leaf, untrusted, path, e);
	sk_X509_free(others);
	ossl_forget();
	return ok;
}

bool chain_verify(struct anchors *a, struct cert *leaf, const struct cert_list *untrusted,
	int64_t now_unix_s, struct cert_list *path, struct err *e)
{
	CERT_LIST_AUTO struct cert_list found = CERT_LIST_INIT;
	bool known;

	if (path)
		*path = (struct cert_list)CERT_LIST_INIT;
	if (!recall(a, leaf, now_unix_s, &known, path, e))
		return false;
	if (known)
		return true;
	if (!find_below_known(a, leaf, untrusted, now_unix_s, &found) &&
		!build(a, leaf, untrusted, now_unix_s, &found, e))
		return err_prefix(e, "chain of %s", cert_subject(leaf));
	return remember(a, leaf, &found, false, e) && remember_issuer(a, &found, e) &&
	       (!path || copy_list(&found, path, e));
}

/* ---- without anchors ---- */

/* Some issuer is there and none of them made this signature: somebody changed something. */
static bool link_intact(const struct cert_list *l, const struct cert *c, struct err *e)
{
	bool issuer_seen = false;

	ossl_begin();
	for (size_t i = 0; i < l->count; i++) {
		const struct cert *issuer = l->items[i];

		if (!bytes_equal(cert_subject_der(issuer), cert_issuer_der(c)))
			continue;
		if (cert_aki(c).len && cert_ski(issuer).len &&
			!bytes_equal(cert_aki(c), cert_ski(issuer)))
			continue; /* another key of that name */
		issuer_seen = true;
		if (cert_x509(c) && X509_verify(cert_x509(c), cert_public_key(issuer)) == 1)
			return true;
	}
	return !issuer_seen ||
	       err_set(e, ossl_verdict(ERR_UNAUTHENTICATED),
		       "signature in the certificate of %s is wrong", cert_subject(c));
}

bool chain_links_intact(const struct cert_list *presented, struct err *e)
{
	for (size_t i = 0; i < presented->count; i++)
		if (!link_intact(presented, presented->items[i], e))
			return false;
	return true;
}
