/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/proxy_found.h"

#include <string.h>

#define PER_SENDER_MAX 6 /* one registrar: an address of each family on some links */

static bool same_variations(const struct variations *a, const struct variations *b)
{
	for (size_t i = 0; i < a->count; i++)
		if (!variations_have(b, a->list[i]))
			return false;
	return a->count == b->count;
}

static size_t count_of(const struct found *f, const uint8_t sender[ADDRESS_KEY_LEN])
{
	size_t n = 0;

	for (size_t i = 0; i < f->count; i++)
		n += memcmp(f->all[i].sender, sender, ADDRESS_KEY_LEN) == 0;
	return n;
}

/* Of itself: it is its address. */
static bool is_own(const struct place_found *p)
{
	uint8_t key[ADDRESS_KEY_LEN];

	address_key(&p->to.at, key);
	return memcmp(key, p->sender, sizeof(key)) == 0;
}

/* Whoever said it first is believed in what else there is to say, or who speaks of himself. */
static bool may_renew(const struct place_found *known, const struct place_found *p)
{
	return memcmp(known->sender, p->sender, sizeof(p->sender)) == 0 || is_own(p);
}

/* A place of the sender who has most of them, for one who has fewer. */
static struct place_found *give_away(struct found *f, const struct place_found *p)
{
	size_t most = count_of(f, p->sender) + 1;
	struct place_found *of = NULL;

	for (size_t i = 0; i < f->count; i++) {
		size_t count = count_of(f, f->all[i].sender);

		if (count <= most)
			continue;
		most = count;
		of = &f->all[i];
	}
	return of;
}

bool found_keep(struct found *f, const struct place_found *p)
{
	struct place_found *room;

	for (size_t i = 0; i < f->count; i++) {
		struct place_found *known = &f->all[i];
		int64_t until_ms = known->until_ms;
		bool news;

		if (!address_equal(&known->to.at, &p->to.at))
			continue;
		if (!may_renew(known, p)) {
			if (known->until_ms < p->until_ms)
				known->until_ms = p->until_ms;
			return false;
		}
		news = known->to.priority != p->to.priority || known->to.weight != p->to.weight ||
		       !same_variations(&known->variations, &p->variations);
		*known = *p;
		if (until_ms > p->until_ms)
			known->until_ms = until_ms;
		return news;
	}
	if (count_of(f, p->sender) >= PER_SENDER_MAX)
		return false;
	room = f->count < FOUND_MAX ? &f->all[f->count++] : give_away(f, p);
	if (room)
		*room = *p;
	return room != NULL;
}

bool found_drop_old(struct found *f, int64_t now_ms)
{
	size_t kept = 0, before = f->count;

	for (size_t i = 0; i < before; i++)
		if (f->all[i].until_ms > now_ms)
			f->all[kept++] = f->all[i];
	f->count = kept;
	return kept != before;
}

void found_sum(const struct found *f, struct upstreams *out, struct variations *all_speak)
{
	bool usual = false;

	out->count = all_speak->count = 0;
	for (size_t i = 0; i < f->count; i++)
		usual = usual || variations_have(&f->all[i].variations, VARIATION_USUAL);
	for (size_t i = 0; i < f->count; i++) {
		const struct variations *v = &f->all[i].variations;
		size_t kept = 0;

		if (usual && !variations_have(v, VARIATION_USUAL))
			continue;
		if (out->count == 0)
			*all_speak = *v;
		for (size_t k = 0; k < all_speak->count; k++)
			if (variations_have(v, all_speak->list[k]))
				memmove(all_speak->list[kept++], all_speak->list[k], VARIATION_MAX);
		all_speak->count = kept;
		out->list[out->count++] = f->all[i].to;
	}
}
