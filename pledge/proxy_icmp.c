/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/proxy_icmp.h"

#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PACKET_MAX 1232 /* RFC 4443 §2.4 (c): what fits into the smallest MTU, less our header */

struct proxy_icmp {
	int fd;
};

struct proxy_icmp *proxy_icmp_new(void)
{
	struct proxy_icmp *p = calloc(1, sizeof(*p));
	struct icmp6_filter nothing;

	if (!p)
		return NULL;
	p->fd = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	ICMP6_FILTER_SETBLOCKALL(&nothing); /* it only sends */
	if (p->fd >= 0 &&
		setsockopt(p->fd, IPPROTO_ICMPV6, ICMP6_FILTER, &nothing, sizeof(nothing)) == 0)
		return p;
	proxy_icmp_free(p);
	return NULL;
}

void proxy_icmp_free(struct proxy_icmp *p)
{
	if (!p)
		return;
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

/* The datagram the error is about, as far as its receiver needs it to know whose it was: addresses
 * and ports (RFC 4443 §3.1). Its checksum is not looked at. */
static size_t put_packet(
	uint8_t *out, const struct address *at, const struct address *device, struct bytes content)
{
	struct ip6_hdr ip = {.ip6_src = device->v6.sin6_addr, .ip6_dst = at->v6.sin6_addr};
	struct udphdr udp = {.uh_sport = device->v6.sin6_port, .uh_dport = at->v6.sin6_port};
	size_t room = PACKET_MAX - sizeof(ip) - sizeof(udp);
	size_t kept = content.len < room ? content.len : room;

	ip.ip6_flow = htonl(6u << 28);
	ip.ip6_plen = htons((uint16_t)(sizeof(udp) + content.len));
	ip.ip6_nxt = IPPROTO_UDP;
	ip.ip6_hlim = 1;
	udp.uh_ulen = htons((uint16_t)(sizeof(udp) + content.len));
	memcpy(out, &ip, sizeof(ip));
	memcpy(out + sizeof(ip), &udp, sizeof(udp));
	memcpy(out + sizeof(ip) + sizeof(udp), content.data, kept);
	return sizeof(ip) + sizeof(udp) + kept;
}

void proxy_icmp_send(const struct proxy_icmp *p, const struct address *at,
	const struct address *device, uint8_t type, uint8_t code, struct bytes content)
{
	uint8_t packet[sizeof(struct icmp6_hdr) + PACKET_MAX];
	struct icmp6_hdr head = {.icmp6_type = type, .icmp6_code = code};
	struct sockaddr_in6 to = device->v6;
	size_t len;

	if (!p || device->sa.sa_family != AF_INET6)
		return;
	to.sin6_port = 0; /* a raw socket's port is its protocol */
	memcpy(packet, &head, sizeof(head));
	len = sizeof(head) + put_packet(packet + sizeof(head), at, device, content);
	/* the kernel adds the checksum (RFC 3542 §3.1); an error about an error there is not */
	(void)!sendto(p->fd, packet, len, MSG_NOSIGNAL, (const struct sockaddr *)&to, sizeof(to));
}
