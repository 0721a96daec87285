/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets by key digest: see rate.h. */
#include "masa/rate.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/digest_map.h"

#define MINUTE_MS 60000

struct bucket {
	int64_t level; /* requests left, times MINUTE_MS: so that a millisecond refills exactly */
	int64_t seen_ms;
};

struct rate {
	pthread_mutex_t lock; /* guards what follows */
	int64_t per_minute;
	struct digest_map *buckets;
};

struct rate *rate_new(size_t entries_max, int64_t per_minute, struct err *e)
{
	struct rate *r = mem_new(sizeof(*r), e);

	if (!r)
		return NULL;
	r->per_minute = per_minute;
	pthread_mutex_init(&r->lock, NULL);
	r->buckets = digest_map_new(entries_max, free, e);
	if (!r->buckets) {
		rate_free(r);
		return NULL;
	}
	return r;
}

void rate_free(struct rate *r)
{
	if (!r)
		return;
	digest_map_free(r->buckets);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void rate_set(struct rate *r, int64_t per_minute)
{
	pthread_mutex_lock(&r->lock);
	r->per_minute = per_minute;
	pthread_mutex_unlock(&r->lock);
}

static struct bucket *bucket_of(struct rate *r, const uint8_t *who, int64_t now_ms, struct err *e)
{
	struct bucket *b = digest_map_get(r->buckets, who);

	if (b)
		return b;
	b = mem_new(sizeof(*b), e);
	if (!b)
		return NULL;
	*b = (struct bucket){r->per_minute * MINUTE_MS, now_ms};
	digest_map_put(r->buckets, who, b);
	return b;
}

static bool take(struct bucket *b, int64_t per_minute, int64_t now_ms)
{
	int64_t full = per_minute * MINUTE_MS, idle_ms = now_ms - b->seen_ms;

	b->level = idle_ms >= MINUTE_MS ? full : b->level + idle_ms * per_minute;
	if (b->level > full)
		b->level = full;
	b->seen_ms = now_ms;
	if (b->level < MINUTE_MS)
		return false;
	b->level -= MINUTE_MS;
	return true;
}

bool rate_take(struct rate *r, const uint8_t who[SHA256_LEN], int64_t now_ms, struct err *e)
{
	struct bucket *b = NULL;
	int64_t per_minute;
	bool ok = true;

	pthread_mutex_lock(&r->lock);
	per_minute = r->per_minute;
	if (per_minute > 0) {
		b = bucket_of(r, who, now_ms, e);
		ok = b && take(b, per_minute, now_ms);
	}
	pthread_mutex_unlock(&r->lock);
	if (b && !ok)
		return err_set(e, ERR_RETRY_LATER,
			"more than %lld requests a minute from this registrar",
			(long long)per_minute);
	return ok;
}
