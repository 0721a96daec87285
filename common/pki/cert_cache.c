/* SPDX-License-Identifier: Apache-2.0 */
/* Parsed certificates under the digest of their octets. Parsing happens outside the lock: two
 * threads that miss at once both parse, and the later one's copy is used by itself only. */
#include "common/pki/cert_cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/digest_map.h"
#include "common/pki/digest.h"
#include "common/pki/ossl.h"

struct cert_cache {
	pthread_mutex_t lock;
	struct digest_map *map;
};

static void free_value(void *value)
{
	cert_free(value);
}

struct cert_cache *cert_cache_new(size_t entries_max, struct err *e)
{
	struct cert_cache *cache = mem_new(sizeof(*cache), e);

	if (!cache)
		return NULL;
	cache->map = digest_map_new(entries_max ? entries_max : 1, free_value, e);
	if (!cache->map) {
		free(cache);
		return NULL;
	}
	pthread_mutex_init(&cache->lock, NULL);
	return cache;
}

void cert_cache_free(struct cert_cache *cache)
{
	if (!cache)
		return;
	digest_map_free(cache->map);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static struct cert *look_up(struct cert_cache *cache, const uint8_t *key)
{
	struct cert *c;

	pthread_mutex_lock(&cache->lock);
	c = digest_map_get(cache->map, key);
	if (c)
		cert_ref(c);
	pthread_mutex_unlock(&cache->lock);
	return c;
}

static void remember(struct cert_cache *cache, const uint8_t *key, struct cert *c)
{
	pthread_mutex_lock(&cache->lock);
	digest_map_put(cache->map, key, cert_ref(c));
	pthread_mutex_unlock(&cache->lock);
}

struct cert *cert_cache_get(struct cert_cache *cache, struct bytes der, struct err *e)
{
	uint8_t key[SHA256_LEN];
	struct cert *c;

	if (!cache || der.len > CERT_DER_MAX)
		return cert_parse(der, e);
	if (!digest_sha256(der, key, e))
		return NULL;
	c = look_up(cache, key);
	if (c)
		return c;
	c = cert_parse(der, e);
	if (c)
		remember(cache, key, c);
	return c;
}

struct cert *cert_cache_get_x509(struct cert_cache *cache, X509 *x, struct err *e)
{
	BUF_AUTO struct buf der = BUF_INIT(CERT_DER_MAX);

	return ossl_x509_der(x, &der, e) ? cert_cache_get(cache, buf_bytes(&der), e) : NULL;
}
