/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table of counters under one lock, touched twice in a connection's life. The hash is keyed:
 * nobody can choose addresses that fall into one bucket. */
#include "common/net/http_sources.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"

#define BUCKETS 1024 /* chains stay short with some thousand connections */

struct source {
	struct source *next;
	uint8_t id[HTTP_SOURCE_LEN];
	size_t count;
};

struct http_sources {
	pthread_mutex_t lock;
	size_t per_source_max;
	uint64_t key[2]; /* odd */
	struct source *buckets[BUCKETS];
};

struct http_sources *http_sources_new(size_t per_source_max, struct err *e)
{
	struct http_sources *s = mem_new(sizeof(*s), e);

	if (!s)
		return NULL;
	if (!rng_bytes(s->key, sizeof(s->key), e)) {
		free(s);
		return NULL;
	}
	s->key[0] |= 1;
	s->key[1] |= 1;
	s->per_source_max = per_source_max;
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void http_sources_free(struct http_sources *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (s->buckets[i]) {
			struct source *next = s->buckets[i]->next;

			free(s->buckets[i]);
			s->buckets[i] = next;
		}
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void http_source_of(const struct sockaddr *from, uint8_t out[HTTP_SOURCE_LEN])
{
	memset(out, 0, HTTP_SOURCE_LEN);
	if (from->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)from;

		memcpy(out + 10, "\xff\xff", 2);
		memcpy(out + 12, &v4->sin_addr, 4);
	} else if (from->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)from;
		bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);

		memcpy(out, &v6->sin6_addr, mapped ? 16 : 8);
	}
}

static struct source **find(struct http_sources *s, const uint8_t *id)
{
	struct source **at;
	uint64_t half[2];
	uint64_t mixed;

	memcpy(half, id, sizeof(half));
	mixed = (half[0] ^ s->key[1]) * s->key[0];
	mixed = ((mixed ^ (mixed >> 29)) + half[1]) * s->key[1];
	at = &s->buckets[(mixed >> 40) % BUCKETS];
	while (*at && memcmp((*at)->id, id, HTTP_SOURCE_LEN) != 0)
		at = &(*at)->next;
	return at;
}

static bool enter(struct http_sources *s, const uint8_t *id)
{
	struct source **at = find(s, id);

	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (!*at)
			return false;
		memcpy((*at)->id, id, HTTP_SOURCE_LEN);
	}
	if ((*at)->count >= s->per_source_max)
		return false;
	(*at)->count++;
	return true;
}

bool http_sources_enter(struct http_sources *s, const uint8_t source[HTTP_SOURCE_LEN])
{
	bool entered;

	pthread_mutex_lock(&s->lock);
	entered = enter(s, source);
	pthread_mutex_unlock(&s->lock);
	return entered;
}

void http_sources_leave(struct http_sources *s, const uint8_t source[HTTP_SOURCE_LEN])
{
	struct source **at;

	pthread_mutex_lock(&s->lock);
	at = find(s, source);
	if (*at && --(*at)->count == 0) {
		struct source *gone = *at;

		*at = gone->next;
		free(gone);
	}
	pthread_mutex_unlock(&s->lock);
}
