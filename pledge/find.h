/* SPDX-License-Identifier: Apache-2.0 */
/* Join proxies, and registrars one hop away, found by asking on the link (rows;
 * draft-ietf-anima-constrained-voucher §10.1). Who answers is a place to try and no more: nothing
 * it says is believed but the port, and whoever is there proves itself by the voucher. */
#ifndef PLEDGE_FIND_H
#define PLEDGE_FIND_H

#include "common/wire/uri.h"

#define FOUND_MAX      16 /* places of one round; the nearest answer first */
#define FIND_WORDS_MAX 16
#define FIND_WORD_ALL  "all" /* interfaces that are up and can multicast */

/* words: interfaces, FIND_WORD_ALL, or addresses to ask by themselves. False with *e set only when
 * nobody could be asked at all; *count 0: nobody answered. Blocks for a few seconds. */
bool find_registrars(const char *words, uint16_t port, struct uri out[FOUND_MAX], size_t *count,
	struct err *e) MUST_CHECK;

#endif
