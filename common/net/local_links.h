/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of this machine on a list of interfaces, as they come and go. */
#ifndef NET_LOCAL_LINKS_H
#define NET_LOCAL_LINKS_H

#include <net/if.h>

#include "common/net/address.h"

#define LOCAL_INTERFACES_MAX 16 /* of a list: a machine between sixteen networks is a router */
#define LOCAL_ADDRESSES_MAX  64 /* of all of them together; what is beyond is not seen */

/* Names, taken from a configuration's words. */
struct local_interfaces {
	char names[LOCAL_INTERFACES_MAX][IF_NAMESIZE];
	size_t count;
};
/* Words separated by blanks or commas; NULL: none. ERR_INPUT for what can be no interface's name;
 * whether there is such an interface now is not asked. */
bool local_interfaces_parse(
	const char *words, struct local_interfaces *out, struct err *e) MUST_CHECK;

struct local_address {
	unsigned index; /* of the interface */
	char interface[IF_NAMESIZE];
	struct address at; /* port 0; link-local ones with their zone */
};
/* Those that can be used now (interfaces that are up, addresses that are no longer tentative).
 * Returns how many. */
size_t local_addresses(
	const struct local_interfaces *interfaces, struct local_address out[LOCAL_ADDRESSES_MAX]);
/* Is it one that a socket bound to `bound` is reached at? A wildcard is reached at every address of
 * its family, that of IPv6 at those of IPv4 as well. */
bool local_address_serves(const struct local_address *a, const struct address *bound);

#endif
