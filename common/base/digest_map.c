/* SPDX-License-Identifier: Apache-2.0 */
/* Slots in one array, linked twice: in a bucket for look-up, in a ring by last use for eviction.
 * The array begins small, for a device that knows a handful of certificates, and doubles as it
 * fills. Keys are digests, so their first octets are as good as any hash; who grinds digests into
 * one bucket makes a look-up walk at most all slots. */
#include "common/base/digest_map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

#define NONE	   SIZE_MAX
#define ROOM_FIRST 16 /* slots */

struct slot {
	uint8_t key[DIGEST_MAP_KEY_LEN];
	void *value;
	size_t next_in_bucket;
	size_t newer, older;
};

struct digest_map {
	void (*value_free)(void *value);
	size_t max, room, used, bucket_count;
	size_t newest, oldest;
	struct slot *slots;
	size_t *buckets; /* first slot, or NONE */
};

static size_t *bucket_of(struct digest_map *m, const uint8_t *key)
{
	uint64_t h;

	memcpy(&h, key, sizeof(h));
	return &m->buckets[h & (m->bucket_count - 1)];
}

static void bucket_add(struct digest_map *m, size_t i)
{
	size_t *bucket = bucket_of(m, m->slots[i].key);

	m->slots[i].next_in_bucket = *bucket;
	*bucket = i;
}

/* At least as many buckets as slots. */
static bool spread(struct digest_map *m)
{
	size_t count = 1, *buckets;

	while (count < m->room)
		count *= 2;
	buckets = malloc(count * sizeof(*buckets));
	if (!buckets)
		return false;
	free(m->buckets);
	m->buckets = buckets;
	m->bucket_count = count;
	for (size_t i = 0; i < count; i++)
		m->buckets[i] = NONE;
	for (size_t i = 0; i < m->used; i++)
		bucket_add(m, i);
	return true;
}

static bool make_room(struct digest_map *m, size_t room)
{
	struct slot *slots;

	if (room > m->max)
		room = m->max;
	slots = reallocarray(m->slots, room, sizeof(*slots));
	if (!slots)
		return false;
	m->slots = slots;
	m->room = room;
	return true;
}

struct digest_map *digest_map_new(
	size_t entries_max, void (*value_free)(void *value), struct err *e)
{
	struct digest_map *m = mem_new(sizeof(*m), e);

	if (!m)
		return NULL;
	m->value_free = value_free;
	m->max = entries_max;
	m->newest = m->oldest = NONE;
	if (make_room(m, ROOM_FIRST) && spread(m))
		return m;
	err_set(e, ERR_NO_MEMORY, "no memory for a map of %zu entries", entries_max);
	digest_map_free(m);
	return NULL;
}

void digest_map_free(struct digest_map *m)
{
	if (!m)
		return;
	assert(m->used == 0 || m->slots);
	for (size_t i = 0; i < m->used; i++)
		m->value_free(m->slots[i].value);
	free(m->slots);
	free(m->buckets);
	free(m);
}

static size_t find(struct digest_map *m, const uint8_t *key)
{
	size_t i = *bucket_of(m, key);

	while (i != NONE && memcmp(m->slots[i].key, key, DIGEST_MAP_KEY_LEN) != 0)
		i = m->slots[i].next_in_bucket;
	return i;
}

static void ring_remove(struct digest_map *m, size_t i)
{
	struct slot *s = &m->slots[i];

	*(s->newer == NONE ? &m->newest : &m->slots[s->newer].older) = s->older;
	*(s->older == NONE ? &m->oldest : &m->slots[s->older].newer) = s->newer;
}

static void ring_add_newest(struct digest_map *m, size_t i)
{
	m->slots[i].newer = NONE;
	m->slots[i].older = m->newest;
	*(m->newest == NONE ? &m->oldest : &m->slots[m->newest].newer) = i;
	m->newest = i;
}

static void bucket_remove(struct digest_map *m, size_t i)
{
	size_t *link = bucket_of(m, m->slots[i].key);

	while (*link != i)
		link = &m->slots[*link].next_in_bucket;
	*link = m->slots[i].next_in_bucket;
}

void *digest_map_get(struct digest_map *m, const uint8_t key[DIGEST_MAP_KEY_LEN])
{
	size_t i = find(m, key);

	if (i == NONE)
		return NULL;
	ring_remove(m, i);
	ring_add_newest(m, i);
	return m->slots[i].value;
}

/* A slot that belongs to nobody: a fresh one, or that of the least recently used. Without memory to
 * grow the map stays as large as it is; with fewer buckets than slots look-ups take longer. */
static size_t free_slot(struct digest_map *m)
{
	size_t i = m->oldest;

	if (m->used == m->room && m->room < m->max && make_room(m, 2 * m->room))
		(void)spread(m);
	if (m->used < m->room)
		return m->used++;
	ring_remove(m, i);
	bucket_remove(m, i);
	m->value_free(m->slots[i].value);
	return i;
}

void digest_map_put(struct digest_map *m, const uint8_t key[DIGEST_MAP_KEY_LEN], void *value)
{
	size_t i = find(m, key);

	if (i != NONE) {
		m->value_free(m->slots[i].value);
		ring_remove(m, i);
	} else {
		i = free_slot(m);
		memcpy(m->slots[i].key, key, DIGEST_MAP_KEY_LEN);
		bucket_add(m, i);
	}
	m->slots[i].value = value;
	ring_add_newest(m, i);
}

size_t digest_map_count(const struct digest_map *m)
{
	return m->used;
}
