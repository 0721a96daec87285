/* SPDX-License-Identifier: Apache-2.0 */
/* Counters by name in a table, tries by source in shared token buckets. */
#include "registrar/access/attempts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/fair_rate.h"
#include "common/base/rng.h"
#include "common/base/siphash.h"

struct attempt {
	uint64_t name; /* its keyed hash; 0: free */
	int64_t last_ms, locked_until_ms;
	uint32_t failures;
};

struct attempts {
	pthread_mutex_t lock;
	uint8_t key[SIPHASH_KEY_LEN];
	struct fair_rate sources;
	struct attempt names[ATTEMPTS_NAMES_MAX];
};

struct attempts *attempts_new(int64_t now_ms, struct err *e)
{
	struct attempts *a = mem_new(sizeof(*a), e);

	if (!a)
		return NULL;
	pthread_mutex_init(&a->lock, NULL);
	if (rng_bytes(a->key, sizeof(a->key), e) &&
		fair_rate_init(&a->sources, ATTEMPTS_PER_SECOND, now_ms, e))
		return a;
	attempts_free(a);
	return NULL;
}

void attempts_free(struct attempts *a)
{
	if (!a)
		return;
	pthread_mutex_destroy(&a->lock);
	free(a);
}

/* Without the port, which is another for each connection. */
static size_t source_len(const char *address)
{
	const char *colon = strrchr(address, ':');

	return colon ? (size_t)(colon - address) : strlen(address);
}

bool attempts_from(struct attempts *a, const char *address, int64_t now_ms, struct err *e)
{
	bool ok;

	pthread_mutex_lock(&a->lock);
	ok = fair_rate_admit(&a->sources, address, source_len(address), 1, now_ms);
	pthread_mutex_unlock(&a->lock);
	return ok || err_set(e, ERR_TOO_MANY, "too many log-ins from %s", address);
}

static uint64_t hash_of(const struct attempts *a, const char *name)
{
	uint64_t h = siphash(a->key, bytes_of_str(name));

	return h ? h : 1;
}

static bool yields_before(const struct attempt *a, const struct attempt *b)
{
	return a->failures != b->failures ? a->failures < b->failures : a->last_ms < b->last_ms;
}

/* The name's entry; with `make` a fresh one when it has none. */
static struct attempt *find(struct attempts *a, const char *name, int64_t now_ms, bool make)
{
	const uint64_t hash = hash_of(a, name);
	struct attempt *victim = &a->names[0];

	for (size_t i = 0; i < ATTEMPTS_NAMES_MAX; i++) {
		struct attempt *t = &a->names[i];

		if (t->name == hash)
			return t;
		if (t->name && now_ms - t->last_ms > ATTEMPTS_FORGET_MS)
			*t = (struct attempt){.name = 0};
		if (yields_before(t, victim))
			victim = t;
	}
	if (!make)
		return NULL;
	*victim = (struct attempt){.name = hash};
	return victim;
}

static int64_t lock_of(uint32_t failures)
{
	int64_t ms = ATTEMPTS_LOCK_MS;

	if (failures < ATTEMPTS_FREE)
		return 0;
	for (uint32_t i = ATTEMPTS_FREE; i < failures && ms < ATTEMPTS_LOCK_MAX_MS; i++)
		ms *= 2;
	return ms < ATTEMPTS_LOCK_MAX_MS ? ms : ATTEMPTS_LOCK_MAX_MS;
}

static int64_t begin(struct attempt *t, int64_t now_ms)
{
	if (now_ms - t->last_ms > ATTEMPTS_FORGET_MS)
		t->failures = 0;
	if (now_ms < t->locked_until_ms)
		return t->locked_until_ms - now_ms;
	t->failures++;
	t->last_ms = now_ms;
	t->locked_until_ms = now_ms + lock_of(t->failures);
	return 0;
}

bool attempts_begin(
	struct attempts *a, const char *name, int64_t now_ms, int64_t *wait_s, struct err *e)
{
	int64_t wait_ms;

	pthread_mutex_lock(&a->lock);
	wait_ms = begin(find(a, name, now_ms, true), now_ms);
	pthread_mutex_unlock(&a->lock);
	*wait_s = (wait_ms + 999) / 1000;
	if (wait_ms == 0)
		return true;
	err_set(e, ERR_TOO_MANY, "log-in is locked for %lld s", (long long)*wait_s);
	return err_tell(e, "Too many failed log-ins; wait %lld seconds.", (long long)*wait_s);
}

void attempts_forgive(struct attempts *a, const char *name)
{
	struct attempt *t;

	pthread_mutex_lock(&a->lock);
	t = find(a, name, 0, false);
	if (t)
		*t = (struct attempt){.name = 0};
	pthread_mutex_unlock(&a->lock);
}
