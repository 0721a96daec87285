/* SPDX-License-Identifier: Apache-2.0 */
/* Short lists, walked: a device has one transfer at a time. */
#include "common/net/coap_transfer.h"

#include <stdlib.h>
#include <string.h>

void coap_transfers_init(struct coap_transfers *t)
{
	TAILQ_INIT(&t->uploads);
	TAILQ_INIT(&t->held);
}

static void drop_upload(struct coap_transfers *t, struct coap_upload *u)
{
	TAILQ_REMOVE(&t->uploads, u, link);
	coap_body_clear(&u->body);
	free(u);
}

static void drop_held(struct coap_transfers *t, struct coap_held *h)
{
	TAILQ_REMOVE(&t->held, h, link);
	buf_wipe(&h->body);
	free(h);
}

void coap_transfers_clear(struct coap_transfers *t)
{
	struct coap_upload *u, *next_u;
	struct coap_held *h, *next_h;

	for (u = TAILQ_FIRST(&t->uploads); u; u = next_u) {
		next_u = TAILQ_NEXT(u, link);
		drop_upload(t, u);
	}
	for (h = TAILQ_FIRST(&t->held); h; h = next_h) {
		next_h = TAILQ_NEXT(h, link);
		drop_held(t, h);
	}
}

size_t coap_transfers_size(const struct coap_transfers *t)
{
	const struct coap_upload *u;
	const struct coap_held *h;
	size_t n = 0;

	TAILQ_FOREACH(u, &t->uploads, link)
	n += sizeof(*u) + u->body.octets.cap;
	TAILQ_FOREACH(h, &t->held, link)
	n += sizeof(*h) + h->body.cap;
	return n;
}

bool coap_transfers_busy(const struct coap_transfers *t)
{
	const struct coap_held *h;

	TAILQ_FOREACH(h, &t->held, link)
	if (!h->fetched)
		return true;
	return !TAILQ_EMPTY(&t->uploads);
}

int64_t coap_transfers_expire(struct coap_transfers *t, int64_t now_ms)
{
	struct coap_upload *u, *next_u;
	struct coap_held *h, *next_h;
	int64_t due = INT64_MAX;

	for (u = TAILQ_FIRST(&t->uploads); u; u = next_u) {
		next_u = TAILQ_NEXT(u, link);
		if (u->until_ms <= now_ms)
			drop_upload(t, u);
		else if (u->until_ms < due)
			due = u->until_ms;
	}
	for (h = TAILQ_FIRST(&t->held); h; h = next_h) {
		next_h = TAILQ_NEXT(h, link);
		if (h->until_ms <= now_ms)
			drop_held(t, h);
		else if (h->until_ms < due)
			due = h->until_ms;
	}
	return due;
}

/* ---- Bodies in ------------------------------------------------------------------------------ */

static struct coap_upload *find_upload(struct coap_transfers *t, const uint8_t *key)
{
	struct coap_upload *u;

	TAILQ_FOREACH(u, &t->uploads, link)
	if (memcmp(u->key, key, SHA256_LEN) == 0)
		return u;
	return NULL;
}

static struct coap_upload *begin_upload(
	struct coap_transfers *t, const uint8_t *key, size_t max, int64_t deadline_ms)
{
	struct coap_upload *u = calloc(1, sizeof(*u)), *each;
	size_t count = 0;

	if (!u)
		return NULL;
	TAILQ_FOREACH(each, &t->uploads, link)
	count++;
	if (count >= COAP_UPLOADS_MAX)
		drop_upload(t, TAILQ_FIRST(&t->uploads));
	memcpy(u->key, key, SHA256_LEN);
	coap_body_init(&u->body, max);
	u->until_ms = deadline_ms;
	TAILQ_INSERT_TAIL(&t->uploads, u, link);
	return u;
}

enum coap_body_state coap_transfers_add(struct coap_transfers *t, const uint8_t key[SHA256_LEN],
	size_t max, int64_t deadline_ms, const struct coap_block *block,
	const struct coap_message *m, struct buf *whole)
{
	struct coap_upload *u = find_upload(t, key);
	enum coap_body_state state;

	if (!u && block->num > 0)
		return COAP_BODY_GAP;
	if (u && block->num == 0)
		u->until_ms = deadline_ms;
	if (!u)
		u = begin_upload(t, key, max, deadline_ms);
	if (!u)
		return COAP_BODY_NO_MEMORY;
	state = coap_body_add(&u->body, block, m);
	if (state == COAP_BODY_COMPLETE) {
		*whole = u->body.octets;
		buf_init(&u->body.octets, max);
	}
	if (state != COAP_BODY_MORE)
		drop_upload(t, u);
	return state;
}

/* ---- Answers out ---------------------------------------------------------------------------- */

struct coap_held *coap_transfers_held(struct coap_transfers *t, const uint8_t key[SHA256_LEN])
{
	struct coap_held *h;

	TAILQ_FOREACH(h, &t->held, link)
	if (memcmp(h->key, key, SHA256_LEN) == 0)
		return h;
	return NULL;
}

struct coap_held *coap_transfers_hold(
	struct coap_transfers *t, const uint8_t key[SHA256_LEN], struct buf *body, struct err *e)
{
	struct coap_held *h = mem_new(sizeof(*h), e), *old = coap_transfers_held(t, key), *each;
	size_t count = 0;

	if (!h) {
		buf_wipe(body);
		return NULL;
	}
	if (old)
		drop_held(t, old);
	TAILQ_FOREACH(each, &t->held, link)
	count++;
	if (count >= COAP_HELD_MAX)
		drop_held(t, TAILQ_FIRST(&t->held));
	memcpy(h->key, key, SHA256_LEN);
	h->body = *body;
	buf_init(body, 0);
	TAILQ_INSERT_TAIL(&t->held, h, link);
	return h;
}
