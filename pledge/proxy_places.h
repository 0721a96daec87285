/* SPDX-License-Identifier: Apache-2.0 */
/* Where a proxy serves its neighbours: addresses of this machine, never all of them at once. */
#ifndef PLEDGE_PROXY_PLACES_H
#define PLEDGE_PROXY_PLACES_H

#include <net/if.h>

#include "common/net/address.h"

#define PLACES_MAX 8

struct place {
	struct address at;		 /* port 0 */
	char interface[IF_NAMESIZE + 1]; /* "" when an address stands there */
	char word[64];			 /* as it stands in the configuration */
};

/* Words separated by blanks or commas: an interface is its link-local address, anything else an
 * address literal. ERR_INPUT for what can never be; ERR_IO for an interface that is not there yet.
 */
bool places_parse(
	const char *words, struct place out[PLACES_MAX], size_t *count, struct err *e) MUST_CHECK;

#endif
