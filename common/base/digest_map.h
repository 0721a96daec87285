/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded map from SHA-256 digests to objects; the least recently used goes first. Not locked:
 * who shares one between threads holds a mutex around it. */
#ifndef BASE_DIGEST_MAP_H
#define BASE_DIGEST_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define DIGEST_MAP_KEY_LEN 32

struct digest_map;

/* entries_max ≥ 1; value_free is called for what is pushed out, replaced or left at the end. */
struct digest_map *digest_map_new(
	size_t entries_max, void (*value_free)(void *value), struct err *e) MUST_CHECK;
void digest_map_free(struct digest_map *m);

/* Borrowed until the next digest_map_put(); NULL when it is not there. Counts as a use. */
void *digest_map_get(struct digest_map *m, const uint8_t key[DIGEST_MAP_KEY_LEN]);
/* Takes value; an older one under the same key is freed. Never fails: without memory for one more
 * it takes the place of the least recently used. */
void digest_map_put(struct digest_map *m, const uint8_t key[DIGEST_MAP_KEY_LEN], void *value);
size_t digest_map_count(const struct digest_map *m);

#endif
