/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

bool address_parse(const char *literal, uint16_t port, struct address *out, struct err *e)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM};
	struct addrinfo *found;
	int rc = getaddrinfo(literal, NULL, &hints, &found);

	if (rc != 0)
		return err_set(e, ERR_INPUT, "%s is no address: %s", literal, gai_strerror(rc));
	*out = address_of(found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	address_set_port(out, port);
	return true;
}

struct address address_of(const struct sockaddr *sa, socklen_t len)
{
	struct address a = {.len = len};

	memcpy(&a.any, sa, len);
	return a;
}

bool address_of_socket(int fd, struct address *out, struct err *e)
{
	out->len = sizeof(out->any);
	return getsockname(fd, &out->sa, &out->len) == 0 ||
	       err_set_errno(e, ERR_IO, "address of a socket");
}

uint16_t address_port(const struct address *a)
{
	return ntohs(a->sa.sa_family == AF_INET ? a->v4.sin_port : a->v6.sin6_port);
}

void address_set_port(struct address *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET)
		a->v4.sin_port = htons(port);
	else
		a->v6.sin6_port = htons(port);
}

bool address_equal(const struct address *a, const struct address *b)
{
	uint8_t one[ADDRESS_KEY_LEN], other[ADDRESS_KEY_LEN];

	address_key(a, one);
	address_key(b, other);
	return a->sa.sa_family == b->sa.sa_family && address_port(a) == address_port(b) &&
	       memcmp(one, other, sizeof(one)) == 0;
}

bool address_is_link_local(const struct address *a)
{
	return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&a->v6.sin6_addr);
}

/* The same for an IPv4 address and for one mapped into IPv6, which the kernel takes for it. */
static struct in6_addr in_ipv6(const struct address *a)
{
	uint8_t key[ADDRESS_KEY_LEN];
	struct in6_addr out;

	address_key(a, key);
	memcpy(&out, key, sizeof(out));
	return out;
}

bool address_is_wildcard(const struct address *a)
{
	struct in6_addr i = in_ipv6(a);

	return IN6_IS_ADDR_UNSPECIFIED(&i) || (IN6_IS_ADDR_V4MAPPED(&i) && i.s6_addr[12] == 0);
}

bool address_is_loopback(const struct address *a)
{
	struct in6_addr i = in_ipv6(a);

	return IN6_IS_ADDR_LOOPBACK(&i) || (IN6_IS_ADDR_V4MAPPED(&i) && i.s6_addr[12] == 127);
}

bool address_is_multicast(const struct address *a)
{
	struct in6_addr i = in_ipv6(a);

	return IN6_IS_ADDR_MULTICAST(&i) || (IN6_IS_ADDR_V4MAPPED(&i) && i.s6_addr[12] >= 224);
}

void address_key(const struct address *a, uint8_t out[ADDRESS_KEY_LEN])
{
	memset(out, 0, ADDRESS_KEY_LEN);
	if (a->sa.sa_family == AF_INET) {
		memset(out + 10, 0xff, 2);
		memcpy(out + 12, &a->v4.sin_addr, 4);
	} else {
		memcpy(out, &a->v6.sin6_addr, 16);
		memcpy(out + 16, &a->v6.sin6_scope_id, 4);
	}
}

const char *address_format(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];

	if (getnameinfo(&a->sa, a->len, host, sizeof(host), NULL, 0, NI_NUMERICHOST) != 0)
		snprintf(host, sizeof(host), "?");
	if (a->sa.sa_family == AF_INET6)
		snprintf(out, ADDRESS_TEXT_MAX, "[%.54s]:%u", host, address_port(a));
	else
		snprintf(out, ADDRESS_TEXT_MAX, "%.54s:%u", host, address_port(a));
	return out;
}

static bool is_it(const struct ifaddrs *i, const char *name)
{
	const struct sockaddr_in6 *v6 = (const void *)i->ifa_addr;

	return i->ifa_addr && i->ifa_addr->sa_family == AF_INET6 &&
	       strcmp(i->ifa_name, name) == 0 && IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr);
}

bool address_of_interface(const char *name, struct address *out, struct err *e)
{
	struct ifaddrs *all, *i;

	if (if_nametoindex(name) == 0)
		return err_set(e, ERR_IO, "there is no interface %s", name);
	if (getifaddrs(&all) != 0)
		return err_set_errno(e, ERR_IO, "addresses of %s", name);
	for (i = all; i && !is_it(i, name);)
		i = i->ifa_next;
	if (i)
		*out = address_of(i->ifa_addr, sizeof(struct sockaddr_in6));
	freeifaddrs(all);
	return i != NULL ||
	       err_set(e, ERR_IO, "interface %s has no link-local IPv6 address (yet)", name);
}
