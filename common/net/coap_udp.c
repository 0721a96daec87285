/* SPDX-License-Identifier: Apache-2.0 */
/* recvmsg(2) and sendmsg(2) with the local address beside the datagram (RFC 3542 §6). One call for
 * each datagram: the handshake a datagram is part of costs some hundred times what a call costs. */
#include "common/net/coap_udp.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union control {
	struct cmsghdr align;
	uint8_t octets[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

bool coap_udp_prepare(int fd, struct err *e)
{
	const int on = 1;
	int family;
	socklen_t len = sizeof(family);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) != 0)
		return err_set_errno(e, ERR_IO, "datagram socket");
	if (setsockopt(fd, family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP,
		    family == AF_INET6 ? IPV6_RECVPKTINFO : IP_PKTINFO, &on, sizeof(on)) != 0)
		return err_set_errno(e, ERR_IO, "datagram socket: destination addresses");
	return true;
}

static void set_mapped(struct in6_addr *out, const struct in_addr *v4)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->s6_addr + 10, "\xff\xff", 2);
	memcpy(out->s6_addr + 12, v4, 4);
}

static void read_local(struct msghdr *m, struct in6_pktinfo *out)
{
	struct in_pktinfo v4;

	memset(out, 0, sizeof(*out));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(out, CMSG_DATA(c), sizeof(*out));
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&v4, CMSG_DATA(c), sizeof(v4));
			set_mapped(&out->ipi6_addr, &v4.ipi_spec_dst);
		}
	}
	/* the way back is for the routing table to say, but where an address needs an interface */
	if (!IN6_IS_ADDR_LINKLOCAL(&out->ipi6_addr))
		out->ipi6_ifindex = 0;
}

bool coap_udp_receive(int fd, uint8_t *to, size_t room, size_t *len, struct coap_udp_path *from)
{
	union control control;
	struct iovec iov = {.iov_base = to, .iov_len = room};
	struct msghdr m = {
		.msg_name = &from->peer,
		.msg_namelen = sizeof(from->peer),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	memset(&from->peer, 0, sizeof(from->peer));
	do /* an ICMP error of an earlier answer is nobody's here */
		n = recvmsg(fd, &m, 0);
	while (n < 0 && (errno == EINTR || errno == ECONNREFUSED));
	if (n < 0)
		return false;
	read_local(&m, &from->local);
	*len = m.msg_flags & MSG_TRUNC ? 0 : (size_t)n;
	return true;
}

static void write_local(struct msghdr *m, int family, const struct in6_pktinfo *local)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct in_pktinfo v4 = {.ipi_ifindex = 0};

	if (family == AF_INET6) {
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(*local));
		memcpy(CMSG_DATA(c), local, sizeof(*local));
		return;
	}
	memcpy(&v4.ipi_spec_dst, local->ipi6_addr.s6_addr + 12, 4);
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(v4));
	memcpy(CMSG_DATA(c), &v4, sizeof(v4));
	m->msg_controllen = CMSG_SPACE(sizeof(v4));
}

bool coap_udp_send(int fd, const struct coap_udp_path *to, struct bytes datagram)
{
	union control control = {.octets = {0}};
	struct coap_udp_path path = *to; /* msghdr knows no const */
	struct iovec iov = {.iov_base = (void *)(uintptr_t)datagram.data, .iov_len = datagram.len};
	bool v6 = path.peer.sa.sa_family == AF_INET6;
	struct msghdr m = {
		.msg_name = &path.peer,
		.msg_namelen = v6 ? sizeof(path.peer.v6) : sizeof(path.peer.v4),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	write_local(&m, path.peer.sa.sa_family, &path.local);
	do
		n = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n >= 0;
}

/* family 2, port 2, address 16, scope 4, our address 16 */
void coap_udp_key(const struct coap_udp_path *p, uint8_t out[COAP_UDP_KEY_LEN])
{
	memset(out, 0, COAP_UDP_KEY_LEN);
	memcpy(out, &p->peer.sa.sa_family, 2);
	if (p->peer.sa.sa_family == AF_INET6) {
		memcpy(out + 2, &p->peer.v6.sin6_port, 2);
		memcpy(out + 4, &p->peer.v6.sin6_addr, 16);
		memcpy(out + 20, &p->peer.v6.sin6_scope_id, 4);
	} else {
		memcpy(out + 2, &p->peer.v4.sin_port, 2);
		memcpy(out + 4, &p->peer.v4.sin_addr, 4);
	}
	memcpy(out + 24, &p->local.ipi6_addr, 16);
}
