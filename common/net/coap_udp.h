/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams on a bound socket that belongs to many addresses: an answer has to leave from the
 * address its question came to, or the asker does not take it for one. */
#ifndef NET_COAP_UDP_H
#define NET_COAP_UDP_H

#include <netinet/in.h>

#include "common/base/buf.h"

/* Between whom. */
struct coap_udp_path {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} peer;
	struct in6_pktinfo local; /* ours; an IPv4 address as a mapped one */
};
#define COAP_UDP_KEY_LEN 40 /* octets that tell one path from all others */

/* Have the socket say which address a datagram came to. */
bool coap_udp_prepare(int fd, struct err *e) MUST_CHECK;
/* One datagram; false: none there. A datagram longer than room comes cut and is worth nothing:
 * *len is 0 then. */
bool coap_udp_receive(int fd, uint8_t *to, size_t room, size_t *len, struct coap_udp_path *from);
/* false: not sent, perhaps because there was no room. */
bool coap_udp_send(int fd, const struct coap_udp_path *to, struct bytes datagram);
void coap_udp_key(const struct coap_udp_path *p, uint8_t out[COAP_UDP_KEY_LEN]);

#endif
