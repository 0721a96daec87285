/* SPDX-License-Identifier: Apache-2.0 */
/* Only what is new is news: a router's advertisements renew the same addresses for ever. Of other
 * changes it is enough to know that there were some, even if the word of them was lost. */
#include "common/net/link_watch.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/buf.h"

#define ROOM	  8192
#define READS_MAX 64  /* of what the kernel tells, at a time */
#define SETTLE_MS 200 /* addresses come in groups: the link, then one of each family */
#define LINKS_MAX 64  /* further ones are news each time */

struct link_watch {
	int fd;
	struct event *readable;
	struct loop_timer settled;
	struct link_watch_config config;
	unsigned running[LINKS_MAX]; /* 0: free */
	uint64_t addresses;	     /* a sum over them */
};

/* True when it was not known to run. */
static bool note_running(struct link_watch *w, unsigned index, bool runs)
{
	unsigned *slot = NULL;

	for (size_t i = 0; i < LINKS_MAX; i++) {
		if (w->running[i] == index) {
			w->running[i] = runs ? index : 0;
			return false;
		}
		if (!w->running[i])
			slot = &w->running[i];
	}
	if (slot && runs)
		*slot = index;
	return runs;
}

static uint64_t mix(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *octets = data;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ octets[i]) *
		      1099511628211u; /* FNV-1a: nobody gains from a collision */
	return sum;
}

/* The same for the same set, whatever its order. */
static uint64_t sum_of_addresses(void)
{
	struct ifaddrs *all;
	uint64_t sum = 0;

	if (getifaddrs(&all) != 0)
		return 0;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		int family = i->ifa_addr ? i->ifa_addr->sa_family : AF_UNSPEC;
		uint64_t one = mix(14695981039346656037u, i->ifa_name, strlen(i->ifa_name));

		if (family == AF_INET)
			sum += mix(one, i->ifa_addr, sizeof(struct sockaddr_in));
		else if (family == AF_INET6)
			sum += mix(one, i->ifa_addr, sizeof(struct sockaddr_in6));
	}
	freeifaddrs(all);
	return sum;
}

static bool is_link_news(struct link_watch *w, struct nlmsghdr *h)
{
	const struct ifinfomsg *link = NLMSG_DATA(h);
	const unsigned wanted = IFF_UP | IFF_RUNNING;

	if ((h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK) ||
		h->nlmsg_len < NLMSG_LENGTH(sizeof(*link)))
		return false;
	return note_running(w, (unsigned)link->ifi_index,
		h->nlmsg_type == RTM_NEWLINK && (link->ifi_flags & wanted) == wanted);
}

static bool is_address_news(struct link_watch *w)
{
	uint64_t now = sum_of_addresses();
	bool differs = now != w->addresses;

	w->addresses = now;
	return differs;
}

/* False: there was no more to read. */
static bool read_one(struct link_watch *w, bool *news, bool *addresses)
{
	_Alignas(struct nlmsghdr) uint8_t room[ROOM];
	struct sockaddr_nl from = {.nl_family = AF_NETLINK};
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(w->fd, room, sizeof(room), 0, (struct sockaddr *)&from, &from_len);
	unsigned left = n > 0 ? (unsigned)n : 0;

	if (n <= 0)
		return n < 0 && errno == ENOBUFS; /* some was lost */
	for (struct nlmsghdr *h = (void *)room; from.nl_pid == 0 && NLMSG_OK(h, left);
		h = NLMSG_NEXT(h, left)) {
		*news = is_link_news(w, h) || *news;
		*addresses = *addresses || h->nlmsg_type == RTM_NEWADDR;
	}
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct link_watch *w = arg;
	bool news = false, addresses = false;

	for (int i = 0; i < READS_MAX && read_one(w, &news, &addresses); i++)
		;
	if (w->config.changed)
		loop_timer_arm(&w->settled, SETTLE_MS);
	if (w->config.news && ((addresses && is_address_news(w)) || news))
		w->config.news(w->config.arg);
}

static void on_settled(void *arg)
{
	struct link_watch *w = arg;

	w->config.changed(w->config.arg);
}

static void note_all_running(struct link_watch *w)
{
	const unsigned wanted = IFF_UP | IFF_RUNNING;
	struct ifaddrs *all;

	if (getifaddrs(&all) != 0)
		return;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next)
		if ((i->ifa_flags & wanted) == wanted)
			(void)note_running(w, if_nametoindex(i->ifa_name), true);
	freeifaddrs(all);
}

static bool begin(struct link_watch *w, struct err *e)
{
	struct sockaddr_nl all = {.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};

	if (!loop_timer_init(&w->settled, w->config.loop, on_settled, w, e))
		return false;
	w->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (w->fd < 0 || bind(w->fd, (struct sockaddr *)&all, sizeof(all)) != 0)
		return err_set_errno(e, ERR_IO, "news of the links");
	note_all_running(w);
	w->addresses = sum_of_addresses();
	w->readable =
		event_new(loop_base(w->config.loop), w->fd, EV_READ | EV_PERSIST, on_readable, w);
	return (w->readable && event_add(w->readable, NULL) == 0) ||
	       err_set(e, ERR_NO_MEMORY, "no memory for a socket");
}

struct link_watch *link_watch_new(const struct link_watch_config *c, struct err *e)
{
	struct link_watch *w = mem_new(sizeof(*w), e);

	if (!w)
		return NULL;
	w->fd = -1;
	w->config = *c;
	if (begin(w, e))
		return w;
	link_watch_free(w);
	return NULL;
}

void link_watch_free(struct link_watch *w)
{
	if (!w)
		return;
	if (w->readable)
		event_free(w->readable);
	if (w->fd >= 0)
		close(w->fd);
	loop_timer_clear(&w->settled);
	free(w);
}
