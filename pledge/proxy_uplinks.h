/* SPDX-License-Identifier: Apache-2.0 */
/* On which side of a proxy registrars are looked for: the other one than that of the devices. */
#ifndef PLEDGE_PROXY_UPLINKS_H
#define PLEDGE_PROXY_UPLINKS_H

#include "common/net/local_links.h"
#include "pledge/config.h"
#include "pledge/proxy_places.h"

struct uplinks {
	struct local_interfaces interfaces;
	struct address at; /* asked in place of them, port 0; len 0: none */
};
/* As configured, else every interface that is up and is no place. ERR_IO, ERR_INPUT. */
bool uplinks_find(const struct proxy_options *o, const struct place *places, size_t place_count,
	struct uplinks *out, struct err *e) MUST_CHECK;

#endif
