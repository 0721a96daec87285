/* SPDX-License-Identifier: Apache-2.0 */
/* ICMPv6 errors to neighbours (rows J-05, J-06): "destination unreachable" about a datagram of
 * theirs that went no further. Needs a raw socket, hence CAP_NET_RAW; without it nothing is told
 * and the neighbour finds out by waiting. */
#ifndef PLEDGE_PROXY_ICMP_H
#define PLEDGE_PROXY_ICMP_H

#include "common/net/address.h"

#define ICMP_PROHIBITED 1 /* codes of type 1 (RFC 4443 §3.1) */
#define ICMP_NO_PORT	4

struct proxy_icmp;
/* NULL without the privilege. */
struct proxy_icmp *proxy_icmp_new(void);
void proxy_icmp_free(struct proxy_icmp *p);
/* About a datagram from `device` to our join port `at` with this content. Only for IPv6. p may be
 * NULL. */
void proxy_icmp_send(const struct proxy_icmp *p, const struct address *at,
	const struct address *device, uint8_t type, uint8_t code, struct bytes content);

#endif
