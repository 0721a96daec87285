/* SPDX-License-Identifier: Apache-2.0 */
/* Chains of registrars, verified once: see domain.h. */
#include "masa/domain.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/digest_map.h"
#include "common/pki/chain.h"
#include "common/wire/base64.h"

#define DOMAIN_ID_MAX 64 /* octets of a domainID: a key identifier; SHA-256 has 32 */

struct domain_cache {
	pthread_mutex_t lock;
	struct digest_map *paths; /* to struct cert_list */
};

static void path_free(void *value)
{
	cert_list_clear(value);
	free(value);
}

struct domain_cache *domain_cache_new(size_t entries_max, struct err *e)
{
	struct domain_cache *c = mem_new(sizeof(*c), e);

	if (!c)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	c->paths = digest_map_new(entries_max, path_free, e);
	if (!c->paths) {
		domain_cache_free(c);
		return NULL;
	}
	return c;
}

void domain_cache_free(struct domain_cache *c)
{
	if (!c)
		return;
	digest_map_free(c->paths);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* ---- finding the topmost certificate ---- */

static bool may_have_issued(const struct cert *issuer, const struct cert *subject)
{
	struct bytes wanted = cert_aki(subject), has = cert_ski(issuer);

	if (!bytes_equal(cert_subject_der(issuer), cert_issuer_der(subject)) ||
		cert_same(issuer, subject))
		return false;
	return wanted.len == 0 || has.len == 0 || bytes_equal(wanted, has);
}

static struct cert *issuer_among(const struct cert_list *certs, const struct cert *subject)
{
	for (size_t i = 0; i < certs->count; i++)
		if (may_have_issued(certs->items[i], subject))
			return certs->items[i];
	return NULL;
}

/* By names only; chain_verify() then proves or refuses the way there. */
static struct cert *topmost(struct cert *signer, const struct cert_list *certs)
{
	struct cert *top = signer;

	for (size_t depth = 1; depth < CHAIN_DEPTH_MAX && !cert_is_self_signed(top); depth++) {
		struct cert *issuer = issuer_among(certs, top);

		if (!issuer)
			break;
		top = issuer;
	}
	return top;
}

static bool verify(struct cert *signer, const struct cert_list *certs, int64_t now,
	struct cert_list *path, struct err *e)
{
	CERT_LIST_AUTO struct cert_list top = CERT_LIST_INIT;
	ANCHORS_AUTO struct anchors *temporary = NULL;

	if (!cert_list_add(&top, topmost(signer, certs), e))
		return false;
	temporary = anchors_new(&top, e);
	return temporary && chain_verify(temporary, signer, certs, now, path, e);
}

/* ---- the cache ---- */

/* Can it be above somebody of this company? The IDevID in a request in COSE cannot, and is another
 * one every time. */
static bool is_above_any(
	const struct cert *c, const struct cert *signer, const struct cert_list *certs)
{
	bool above = may_have_issued(c, signer);

	for (size_t i = 0; !above && i < certs->count; i++)
		above = may_have_issued(c, certs->items[i]);
	return above;
}

/* The signer and every issuer that came with it: another set of them may lead elsewhere. */
static bool cache_key(const struct cert *signer, const struct cert_list *certs,
	uint8_t out[SHA256_LEN], struct err *e)
{
	BUF_AUTO struct buf all = BUF_INIT((certs->count + 1) * SHA256_LEN);

	if (!buf_append(&all, cert_sha256(signer), SHA256_LEN, e))
		return false;
	for (size_t i = 0; i < certs->count; i++)
		if (is_above_any(certs->items[i], signer, certs) &&
			!buf_append(&all, cert_sha256(certs->items[i]), SHA256_LEN, e))
			return false;
	return digest_sha256(buf_bytes(&all), out, e);
}

static bool is_valid_at(const struct cert_list *path, int64_t now)
{
	for (size_t i = 0; i < path->count; i++)
		if (now < cert_not_before(path->items[i]) || now > cert_not_after(path->items[i]))
			return false;
	return true;
}

/* False with *e untouched: not there. */
static bool look_up(struct domain_cache *c, const uint8_t *key, int64_t now, struct cert_list *path,
	struct err *e)
{
	const struct cert_list *known;
	bool ok;

	pthread_mutex_lock(&c->lock);
	known = digest_map_get(c->paths, key);
	ok = known && is_valid_at(known, now) && cert_list_append(path, known, e);
	pthread_mutex_unlock(&c->lock);
	if (!ok)
		cert_list_clear(path);
	return ok;
}

/* Failing to remember costs time only. */
static void remember(struct domain_cache *c, const uint8_t *key, const struct cert_list *path)
{
	struct err ignored = ERR_INIT;
	struct cert_list *copy = mem_new(sizeof(*copy), &ignored);

	if (!copy)
		return;
	if (!cert_list_append(copy, path, &ignored)) {
		path_free(copy);
		return;
	}
	pthread_mutex_lock(&c->lock);
	digest_map_put(c->paths, key, copy);
	pthread_mutex_unlock(&c->lock);
}

bool domain_path(struct domain_cache *c, struct cert *signer, const struct cert_list *certs,
	int64_t now, struct cert_list *path, struct err *e)
{
	uint8_t key[SHA256_LEN];

	if (!cache_key(signer, certs, key, e))
		return false;
	if (look_up(c, key, now, path, e))
		return true;
	if (!verify(signer, certs, now, path, e))
		return err_prefix(e, "registrar's chain");
	remember(c, key, path);
	return true;
}

bool domain_key(const struct cert *pinned, uint8_t out[SHA256_LEN], struct err *e)
{
	return digest_sha256(cert_spki(pinned), out, e);
}

bool domain_id_text(const struct cert *pinned, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf octets = BUF_INIT(DOMAIN_ID_MAX);

	return cert_domain_id(pinned, &octets, e) && base64_encode(buf_bytes(&octets), out, e);
}
