/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that are met again and again: see known_key.h. */
#include "common/pki/known_key.h"

#include <string.h>

#include "common/pki/ossl.h"
#include "common/pki/p256.h"

/* How many have multiples in the process: file-scope state, for their memory is the process's. */
static atomic_uint alive;

void known_key_init(struct known_key *k, struct bytes spki)
{
	*k = (struct known_key){.point = p256_point(spki)};
}

/* A failure is for good: the key goes on being verified without. */
static void keep_multiples(struct known_key *k)
{
	EC_GROUP *made = NULL;

	if (atomic_fetch_add(&alive, 1) < KNOWN_KEYS_MAX)
		made = p256_multiples(k->point);
	if (!made)
		atomic_fetch_sub(&alive, 1);
	atomic_store(&k->multiples, made);
}

static void note(struct known_key *k)
{
	if (atomic_load(&k->proven) >= KNOWN_KEY_AFTER ||
		atomic_fetch_add(&k->proven, 1) + 1 != KNOWN_KEY_AFTER)
		return;
	keep_multiples(k);
	ossl_begin(); /* nobody's verdict depends on it */
}

bool known_key_accepts(
	struct known_key *k, struct bytes sig_alg, struct bytes data, struct bytes signature)
{
	if (!p256_accepts(k->point, atomic_load(&k->multiples), sig_alg, data, signature))
		return false;
	note(k);
	return true;
}

void known_key_clear(struct known_key *k)
{
	EC_GROUP *multiples = atomic_load(&k->multiples);

	if (multiples)
		atomic_fetch_sub(&alive, 1);
	EC_GROUP_free(multiples);
	EC_POINT_free(k->point);
	memset(k, 0, sizeof(*k));
}
