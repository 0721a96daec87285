/* SPDX-License-Identifier: Apache-2.0 */
/* A hash set with open addressing under one lock; it is held for a few comparisons. The keys are
 * SHA-256 values of authenticated certificates, so their own octets are the hash. */
#include "registrar/outstanding.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

struct slot {
	bool used;
	uint8_t key[SHA256_LEN];
};

struct outstanding {
	pthread_mutex_t lock;
	size_t max, count, size; /* size is a power of two, at least twice max */
	struct slot *slots;
};

struct outstanding *outstanding_new(size_t max, struct err *e)
{
	struct outstanding *o = mem_new(sizeof(*o), e);

	if (!o)
		return NULL;
	o->max = max;
	for (o->size = 2; o->size < 2 * max; o->size *= 2)
		;
	o->slots = mem_new(o->size * sizeof(*o->slots), e);
	if (!o->slots) {
		free(o);
		return NULL;
	}
	pthread_mutex_init(&o->lock, NULL);
	return o;
}

void outstanding_free(struct outstanding *o)
{
	if (!o)
		return;
	pthread_mutex_destroy(&o->lock);
	free(o->slots);
	free(o);
}

static size_t home(const struct outstanding *o, const uint8_t *key)
{
	uint32_t h;

	memcpy(&h, key, sizeof(h));
	return h & (o->size - 1);
}

/* The slot that holds the key, or the free one where it would go. */
static size_t find(const struct outstanding *o, const uint8_t *key)
{
	size_t i = home(o, key);

	while (o->slots[i].used && memcmp(o->slots[i].key, key, SHA256_LEN) != 0)
		i = (i + 1) & (o->size - 1);
	return i;
}

static enum outstanding_answer take(struct outstanding *o, const uint8_t *key)
{
	size_t i = find(o, key);

	if (o->slots[i].used)
		return OUTSTANDING_BUSY;
	if (o->count == o->max)
		return OUTSTANDING_FULL;
	o->slots[i].used = true;
	memcpy(o->slots[i].key, key, SHA256_LEN);
	o->count++;
	return OUTSTANDING_TAKEN;
}

/* Close the gap: what was pushed past it moves back, so that find() never stops early. */
static void release(struct outstanding *o, const uint8_t *key)
{
	size_t gap = find(o, key), i = gap;

	if (!o->slots[gap].used)
		return;
	o->count--;
	o->slots[gap].used = false;
	for (;;) {
		size_t from_home, from_gap;

		i = (i + 1) & (o->size - 1);
		if (!o->slots[i].used)
			return;
		from_home = (i - home(o, o->slots[i].key)) & (o->size - 1);
		from_gap = (i - gap) & (o->size - 1);
		if (from_home < from_gap)
			continue;
		o->slots[gap] = o->slots[i];
		o->slots[i].used = false;
		gap = i;
	}
}

enum outstanding_answer outstanding_take(
	struct outstanding *o, const uint8_t idevid_sha256[SHA256_LEN])
{
	enum outstanding_answer answer;

	pthread_mutex_lock(&o->lock);
	answer = take(o, idevid_sha256);
	pthread_mutex_unlock(&o->lock);
	return answer;
}

void outstanding_release(struct outstanding *o, const uint8_t idevid_sha256[SHA256_LEN])
{
	pthread_mutex_lock(&o->lock);
	release(o, idevid_sha256);
	pthread_mutex_unlock(&o->lock);
}

size_t outstanding_count(struct outstanding *o)
{
	size_t n;

	pthread_mutex_lock(&o->lock);
	n = o->count;
	pthread_mutex_unlock(&o->lock);
	return n;
}
