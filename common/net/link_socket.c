/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/link_socket.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"

#define BATCH 32 /* then others have their turn */

/* ---- Interfaces ----------------------------------------------------------------------------- */

bool link_interfaces_have(const struct link_interfaces *on, unsigned index)
{
	for (size_t i = 0; i < on->count; i++)
		if (on->index[i] == index)
			return true;
	return false;
}

static void add_interface(struct link_interfaces *to, unsigned index)
{
	if (index && !link_interfaces_have(to, index) && to->count < LINK_INTERFACES_MAX)
		to->index[to->count++] = index;
}

static bool is_usable(const struct ifaddrs *i)
{
	const unsigned wanted = IFF_UP | IFF_MULTICAST;

	return (i->ifa_flags & wanted) == wanted && !(i->ifa_flags & IFF_LOOPBACK);
}

bool link_interfaces_find(
	struct link_interfaces *out, const char *const *names, size_t count, struct err *e)
{
	struct ifaddrs *all;

	out->count = 0;
	for (size_t i = 0; names && i < count; i++)
		add_interface(out, if_nametoindex(names[i]));
	if (names)
		return true;
	if (getifaddrs(&all) != 0)
		return err_set_errno(e, ERR_IO, "interfaces");
	for (const struct ifaddrs *i = all; i; i = i->ifa_next)
		if (is_usable(i))
			add_interface(out, if_nametoindex(i->ifa_name));
	freeifaddrs(all);
	return true;
}

/* ---- Neighbours ----------------------------------------------------------------------------- */

static bool same_prefix(const uint8_t *a, const uint8_t *b, const uint8_t *mask, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((a[i] ^ b[i]) & mask[i])
			return false;
	return true;
}

static bool shares_subnet(const struct ifaddrs *i, const struct address *a)
{
	const struct sockaddr_in *own = (const void *)i->ifa_addr,
				 *mask = (const void *)i->ifa_netmask;
	const struct sockaddr_in6 *own6 = (const void *)i->ifa_addr,
				  *mask6 = (const void *)i->ifa_netmask;

	if (!i->ifa_addr || !i->ifa_netmask || i->ifa_addr->sa_family != a->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return same_prefix((const uint8_t *)&own->sin_addr,
			(const uint8_t *)&a->v4.sin_addr, (const uint8_t *)&mask->sin_addr, 4);
	return same_prefix(
		own6->sin6_addr.s6_addr, a->v6.sin6_addr.s6_addr, mask6->sin6_addr.s6_addr, 16);
}

static bool is_in_a_subnet_of(unsigned interface, const struct address *a)
{
	struct ifaddrs *all;
	bool found = false;

	if (getifaddrs(&all) != 0)
		return false;
	for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next)
		found = if_nametoindex(i->ifa_name) == interface && shares_subnet(i, a);
	freeifaddrs(all);
	return found;
}

bool link_datagram_is_near(const struct link_datagram *d)
{
	return d->hops == LINK_HOPS_ON_LINK || address_is_link_local(&d->from) ||
	       address_is_multicast(&d->to) || is_in_a_subnet_of(d->interface, &d->from);
}

bool link_place(const struct link_datagram *d, struct address *at)
{
	if (address_is_link_local(at))
		at->v6.sin6_scope_id = d->interface;
	return !address_is_wildcard(at) && !address_is_multicast(at) &&
	       (!address_is_loopback(at) || address_is_loopback(&d->from)) && address_port(at) != 0;
}

/* ---- The socket ----------------------------------------------------------------------------- */

struct link_socket {
	int fd, family;
	struct event *readable;
	struct fair_rate rate;
	link_received_fn *received;
	void *arg;
};

/* What came with it: the interface, the address it was sent to, hops. */
static void take_control(struct msghdr *m, struct link_datagram *d)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			d->interface = info.ipi6_ifindex;
			d->to.v6 = (struct sockaddr_in6){
				.sin6_family = AF_INET6, .sin6_addr = info.ipi6_addr};
			d->to.len = sizeof(d->to.v6);
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			d->interface = (unsigned)info.ipi_ifindex;
			d->to.v4 = (struct sockaddr_in){
				.sin_family = AF_INET, .sin_addr = info.ipi_addr};
			d->to.len = sizeof(d->to.v4);
		} else if ((c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT) ||
			   (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL)) {
			memcpy(&d->hops, CMSG_DATA(c), sizeof(d->hops));
		}
	}
}

/* The next one; without octets when it was none, or too long. False: there are no more. */
static bool receive(int fd, struct link_datagram *d, uint8_t room[LINK_DATAGRAM_MAX])
{
	struct iovec part = {.iov_base = room, .iov_len = LINK_DATAGRAM_MAX};
	union {
		struct cmsghdr align;
		uint8_t octets[256];
	} control;
	struct msghdr m = {.msg_name = &d->from.any,
		.msg_namelen = sizeof(d->from.any),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.octets,
		.msg_controllen = sizeof(control.octets)};
	ssize_t n;

	*d = (struct link_datagram){.interface = 0};
	n = recvmsg(fd, &m, MSG_DONTWAIT);
	if (n < 0)
		return errno == EINTR || errno == ECONNREFUSED; /* what was sent before */
	d->from.len = m.msg_namelen;
	d->hops = -1;
	take_control(&m, d);
	d->octets = bytes_of(room, (m.msg_flags & MSG_TRUNC) ? 0 : (size_t)n);
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct link_socket *s = arg;
	uint8_t room[LINK_DATAGRAM_MAX], source[ADDRESS_KEY_LEN];

	for (int i = 0; i < BATCH; i++) {
		struct link_datagram d;

		if (!receive(s->fd, &d, room))
			break;
		if (!d.octets.len || !d.to.len)
			continue;
		address_key(&d.from, source);
		if (fair_rate_admit(&s->rate, source, sizeof(source), 1, clock_mono_ms()))
			s->received(s->arg, &d);
	}
}

static bool set(struct link_socket *s, int level, int option, int value)
{
	return setsockopt(s->fd, level, option, &value, sizeof(value)) == 0;
}

static bool set_options(struct link_socket *s, bool shared)
{
	if (shared &&
		(!set(s, SOL_SOCKET, SO_REUSEADDR, 1) || !set(s, SOL_SOCKET, SO_REUSEPORT, 1)))
		return false;
	if (s->family == AF_INET)
		return set(s, IPPROTO_IP, IP_PKTINFO, 1) && set(s, IPPROTO_IP, IP_RECVTTL, 1) &&
		       set(s, IPPROTO_IP, IP_MULTICAST_ALL, 0) &&
		       set(s, IPPROTO_IP, IP_TTL, LINK_HOPS_ON_LINK) &&
		       set(s, IPPROTO_IP, IP_MULTICAST_TTL, LINK_HOPS_ON_LINK);
	return set(s, IPPROTO_IPV6, IPV6_V6ONLY, 1) && set(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
	       set(s, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) &&
	       set(s, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0) &&
	       set(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, LINK_HOPS_ON_LINK) &&
	       set(s, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, LINK_HOPS_ON_LINK);
}

static bool begin(struct link_socket *s, const struct link_socket_config *c, struct err *e)
{
	struct address any = {.len = c->at.len};

	any.any.ss_family = c->at.any.ss_family;
	address_set_port(&any, address_port(&c->at));
	s->family = c->at.sa.sa_family;
	s->fd = socket(s->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || !set_options(s, c->shared) || bind(s->fd, &any.sa, any.len) != 0)
		return err_set_errno(e, ERR_IO, "UDP port %u", address_port(&any));
	if (!fair_rate_init(&s->rate, c->datagrams_per_second, clock_mono_ms(), e))
		return false;
	s->readable = event_new(loop_base(c->loop), s->fd, EV_READ | EV_PERSIST, on_readable, s);
	return (s->readable && event_add(s->readable, NULL) == 0) ||
	       err_set(e, ERR_NO_MEMORY, "no memory for a socket");
}

struct link_socket *link_socket_new(const struct link_socket_config *c, struct err *e)
{
	struct link_socket *s = mem_new(sizeof(*s), e);

	if (!s)
		return NULL;
	s->fd = -1;
	s->received = c->received;
	s->arg = c->arg;
	if (begin(s, c, e))
		return s;
	link_socket_free(s);
	return NULL;
}

void link_socket_free(struct link_socket *s)
{
	if (!s)
		return;
	if (s->readable)
		event_free(s->readable);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

void link_socket_join(
	struct link_socket *s, const struct address *group, const struct link_interfaces *on)
{
	int level = s->family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;

	for (size_t i = 0; i < on->count; i++) {
		struct group_req request = {.gr_interface = on->index[i], .gr_group = group->any};

		(void)!setsockopt(s->fd, level, MCAST_JOIN_GROUP, &request, sizeof(request));
	}
}

static bool leave_by(struct link_socket *s, unsigned interface)
{
	struct ip_mreqn v4 = {.imr_ifindex = (int)interface};

	if (s->family == AF_INET)
		return setsockopt(s->fd, IPPROTO_IP, IP_MULTICAST_IF, &v4, sizeof(v4)) == 0;
	return set(s, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)interface);
}

void link_socket_send(struct link_socket *s, const struct address *to,
	const struct link_interfaces *on, struct bytes octets)
{
	struct address there = *to;

	for (size_t i = 0; i < (on ? on->count : 1); i++) {
		if (on && !leave_by(s, on->index[i]))
			continue;
		if (on && there.sa.sa_family == AF_INET6)
			there.v6.sin6_scope_id = on->index[i];
		(void)!sendto(s->fd, octets.data, octets.len, MSG_NOSIGNAL, &there.sa, there.len);
	}
}
