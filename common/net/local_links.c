/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/local_links.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool local_interfaces_parse(const char *words, struct local_interfaces *out, struct err *e)
{
	FREE_AUTO char *copy = words ? str_dup(words, e) : NULL;
	char *rest = NULL;

	out->count = 0;
	if (words && !copy)
		return false;
	for (char *w = copy ? strtok_r(copy, " \t\r\n,", &rest) : NULL; w;
		w = strtok_r(NULL, " \t\r\n,", &rest)) {
		if (strlen(w) >= IF_NAMESIZE || strpbrk(w, ":/%"))
			return err_set(e, ERR_INPUT, "%s is no name of an interface", w);
		if (out->count == LOCAL_INTERFACES_MAX)
			return err_set(
				e, ERR_INPUT, "more than %d interfaces", LOCAL_INTERFACES_MAX);
		memcpy(out->names[out->count++], w, strlen(w) + 1);
	}
	return true;
}

static bool has(const struct local_interfaces *interfaces, const char *name)
{
	for (size_t i = 0; i < interfaces->count; i++)
		if (strcmp(interfaces->names[i], name) == 0)
			return true;
	return false;
}

static socklen_t length_of(const struct sockaddr *sa)
{
	if (!sa)
		return 0;
	if (sa->sa_family == AF_INET)
		return sizeof(struct sockaddr_in);
	return sa->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : 0;
}

static bool is_usable(const struct address *a)
{
	int fd = socket(a->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool usable = fd < 0 || bind(fd, &a->sa, a->len) == 0 || errno != EADDRNOTAVAIL;

	/* getifaddrs() does not tell what is tentative: nothing can be bound to that */
	if (fd >= 0)
		close(fd);
	return usable;
}

size_t local_addresses(
	const struct local_interfaces *interfaces, struct local_address out[LOCAL_ADDRESSES_MAX])
{
	struct ifaddrs *all;
	size_t n = 0;

	if (interfaces->count == 0 || getifaddrs(&all) != 0)
		return 0;
	for (const struct ifaddrs *i = all; i && n < LOCAL_ADDRESSES_MAX; i = i->ifa_next) {
		struct local_address *a = &out[n];
		socklen_t len = length_of(i->ifa_addr);

		if (!len || !(i->ifa_flags & IFF_UP) || !has(interfaces, i->ifa_name))
			continue;
		memset(a, 0, sizeof(*a));
		memcpy(a->interface, i->ifa_name, strlen(i->ifa_name) + 1);
		a->index = if_nametoindex(i->ifa_name);
		a->at = address_of(i->ifa_addr, len);
		if (a->index && is_usable(&a->at))
			n++;
	}
	freeifaddrs(all);
	return n;
}

bool local_address_serves(const struct local_address *a, const struct address *bound)
{
	struct address same = a->at;

	if (address_is_wildcard(bound))
		return bound->sa.sa_family == AF_INET6 || a->at.sa.sa_family == AF_INET;
	address_set_port(&same, address_port(bound));
	return address_equal(&same, bound);
}
