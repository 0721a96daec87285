/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/proxy_header.h"

#include <stdlib.h>
#include <string.h>

#include "common/pki/siv.h"

#define TEXT_LEN   (HEADER_LEN - SIV_TAG_LEN)
#define AT_PORT	   2
#define AT_ADDRESS 4

struct header_keys {
	struct siv_key *now, *before;
	int64_t made_ms, used_ms;
};

struct header_keys *header_keys_new(int64_t now_ms, struct err *e)
{
	struct header_keys *k = mem_new(sizeof(*k), e);

	if (!k)
		return NULL;
	k->made_ms = k->used_ms = now_ms;
	k->now = siv_key_new(e);
	if (k->now)
		return k;
	header_keys_free(k);
	return NULL;
}

void header_keys_free(struct header_keys *k)
{
	if (!k)
		return;
	siv_key_free(k->now);
	siv_key_free(k->before);
	free(k);
}

static void forget_before(struct header_keys *k)
{
	siv_key_free(k->before);
	k->before = NULL;
}

static bool is_time(const struct header_keys *k, int64_t age_ms, int64_t now_ms)
{
	return age_ms >= HEADER_LATE_MS ||
	       (age_ms >= HEADER_KEY_MS && now_ms - k->used_ms >= HEADER_QUIET_MS);
}

/* Without a new key the old one goes on: better than no proxy. */
static void rotate(struct header_keys *k, int64_t now_ms)
{
	struct err ignored = ERR_INIT;
	int64_t age_ms = now_ms - k->made_ms;
	struct siv_key *fresh;

	if (age_ms >= HEADER_GRACE_MS)
		forget_before(k);
	if (is_time(k, age_ms, now_ms) && (fresh = siv_key_new(&ignored))) {
		k->before = k->now;
		k->now = fresh;
		k->made_ms = now_ms;
		if (age_ms >= HEADER_LATE_MS + HEADER_GRACE_MS)
			forget_before(k); /* it should have been replaced long ago */
	}
	k->used_ms = now_ms;
}

static bool is_neighbour(const struct address *device, const struct address *here)
{
	if (device->sa.sa_family != here->sa.sa_family)
		return false;
	return device->sa.sa_family == AF_INET ||
	       (memcmp(&device->v6.sin6_addr, &here->v6.sin6_addr, 8) == 0 &&
		       device->v6.sin6_scope_id == here->v6.sin6_scope_id);
}

/* The one layout, for both ways. */
static void put_device(const struct address *device, uint8_t text[TEXT_LEN])
{
	uint16_t port = address_port(device);

	text[AT_PORT] = (uint8_t)(port >> 8);
	text[AT_PORT + 1] = (uint8_t)port;
	if (device->sa.sa_family == AF_INET)
		memcpy(text + AT_ADDRESS, &device->v4.sin_addr, 4);
	else
		memcpy(text + AT_ADDRESS, device->v6.sin6_addr.s6_addr + 8, 8);
}

static void get_device(
	const uint8_t text[TEXT_LEN], const struct address *here, struct address *out)
{
	*out = *here;
	address_set_port(out, (uint16_t)(text[AT_PORT] << 8 | text[AT_PORT + 1]));
	if (out->sa.sa_family == AF_INET)
		memcpy(&out->v4.sin_addr, text + AT_ADDRESS, 4);
	else
		memcpy(out->v6.sin6_addr.s6_addr + 8, text + AT_ADDRESS, 8);
}

bool header_seal(struct header_keys *k, const struct header *h, const struct address *here,
	int64_t now_ms, uint8_t out[HEADER_LEN], struct err *e)
{
	uint8_t text[TEXT_LEN] = {h->place, h->registrar};

	if (!is_neighbour(&h->device, here))
		return err_set(e, ERR_REFUSED, "the device is not on this link");
	rotate(k, now_ms);
	put_device(&h->device, text);
	return siv_seal(k->now, bytes_of(text, sizeof(text)), out, e);
}

static bool open_with(const struct siv_key *key, struct bytes sealed, uint8_t text[TEXT_LEN])
{
	struct err ignored = ERR_INIT;

	return key && siv_open(key, sealed, text, &ignored);
}

bool header_open(struct header_keys *k, struct bytes sealed, const struct address *places,
	size_t place_count, int64_t now_ms, struct header *out, struct err *e)
{
	uint8_t text[TEXT_LEN];

	rotate(k, now_ms);
	if (sealed.len != HEADER_LEN ||
		(!open_with(k->now, sealed, text) && !open_with(k->before, sealed, text)))
		return err_set(e, ERR_UNAUTHENTICATED, "the header is not ours");
	out->place = text[0];
	out->registrar = text[1];
	if (out->place >= place_count)
		return err_set(e, ERR_UNAUTHENTICATED, "the header names no place of ours");
	get_device(text, &places[out->place], &out->device);
	return true;
}
