/* SPDX-License-Identifier: Apache-2.0 */
/* Networks, "192.0.2.0/24" and "2001:db8::/32", and who is in them. */
#ifndef NET_NETWORK_H
#define NET_NETWORK_H

#include "common/base/buf.h"

#define NETWORK_OCTETS 16
struct network {
	uint8_t octets[NETWORK_OCTETS]; /* IPv4 as mapped into IPv6 */
	unsigned bits;
};
/* ERR_INPUT: no address, no length, or bits set behind it. */
bool network_parse(const char *text, struct network *out, struct err *e) MUST_CHECK;
/* The network of so many bits that an address is in; false when it is none. */
bool network_of(const char *address, unsigned v4_bits, unsigned v6_bits, struct network *out);
/* address: "192.0.2.1:40000", "[2001:db8::1]:40000", or without the port. */
bool network_has(const struct network *n, const char *address);

#define NETWORKS_MAX 32 /* that a configuration names: the balancers of a site */
struct networks {
	struct network of[NETWORKS_MAX];
	size_t count;
};
/* Separated by blanks or commas; NULL is none. ERR_INPUT. */
bool networks_parse(const char *words, struct networks *out, struct err *e) MUST_CHECK;
bool networks_have(const struct networks *n, const char *address);

#endif
