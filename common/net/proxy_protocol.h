/* SPDX-License-Identifier: Apache-2.0 */
/* What a TCP load balancer says of a connection before its first octet: whom it takes it over from
 * (PROXY protocol, version 2, the binary one). It is unprotected, so it is read from balancers that
 * the configuration names and from nobody else; from those it has to come, or a client could say it
 * itself through a balancer that does not.
 *
 *	12 octets  0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a
 *	 1 octet   version 2 and the command: LOCAL (the balancer itself asks), PROXY
 *	 1 octet   family and transport of the addresses
 *	 2 octets  how much follows: addresses, then extensions of type, length and value
 *
 * Taken are LOCAL, and PROXY of TCP over IPv4 or IPv6; refused is what names nobody that could have
 * come over a network. Extensions have to be well-formed and are skipped.
 */
#ifndef NET_PROXY_PROTOCOL_H
#define NET_PROXY_PROTOCOL_H

#include "common/net/address.h"

#define PROXY_FIXED_LEN	 16
#define PROXY_HEADER_MAX 1040 /* what follows is 12 or 36 octets, and a balancer's few notes */

struct proxy_header {
	bool told;	     /* false: the balancer speaks for itself */
	struct address from; /* whose connection it is, when told */
};

/* How long is the header that begins so? Until its fixed part is there, that part. No octet behind
 * the header is ever asked for: it would be lost to whoever reads on. ERR_INPUT as soon as it
 * cannot become a header; ERR_TOO_LARGE. */
bool proxy_header_length(struct bytes begun, size_t *length, struct err *e) MUST_CHECK;
/* All of it, as long as proxy_header_length() said. ERR_INPUT. */
bool proxy_header_parse(struct bytes header, struct proxy_header *out, struct err *e) MUST_CHECK;

#endif
