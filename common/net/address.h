/* SPDX-License-Identifier: Apache-2.0 */
/* Socket addresses, link-local ones with their zone included: from text, to text, compared. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "common/base/buf.h"

struct address {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_storage any;
	};
	socklen_t len;
};

#define ADDRESS_TEXT_MAX 64 /* "[fe80::...%interface]:65535" */
#define ADDRESS_KEY_LEN	 20 /* the octets of an IPv6 address and its zone */

/* A literal: "192.0.2.1", "fe80::1%eth0", "::1". No name is looked up. ERR_INPUT; a zone that is no
 * interface here is ERR_INPUT, too. */
bool address_parse(
	const char *literal, uint16_t port, struct address *out, struct err *e) MUST_CHECK;
/* From what the kernel gave. */
struct address address_of(const struct sockaddr *sa, socklen_t len);
/* The local end of a socket. */
bool address_of_socket(int fd, struct address *out, struct err *e) MUST_CHECK;

uint16_t address_port(const struct address *a);
void address_set_port(struct address *a, uint16_t port);
bool address_equal(const struct address *a, const struct address *b); /* port included */
bool address_is_link_local(const struct address *a);
bool address_is_wildcard(const struct address *a); /* all of 0.0.0.0/8 */
bool address_is_loopback(const struct address *a);
bool address_is_multicast(const struct address *a); /* IPv4's reserved ones and broadcast, too */
/* Who it is, whatever the port: an IPv4 address is one mapped into IPv6. */
void address_key(const struct address *a, uint8_t out[ADDRESS_KEY_LEN]);
/* "192.0.2.1:5684", "[fe80::1%eth0]:5684". Returns out. */
const char *address_format(const struct address *a, char out[ADDRESS_TEXT_MAX]);

/* The first link-local IPv6 address of an interface, port 0. ERR_IO when it has none (yet), or is
 * not there. */
bool address_of_interface(const char *name, struct address *out, struct err *e) MUST_CHECK;

#endif
