/* SPDX-License-Identifier: Apache-2.0 */
/* The side that answers (coap_discovery.h). One socket takes both what is sent to its address and
 * what is sent to the groups. To multicast it answers only when it has something to say, never with
 * an error and never with RST, and after a random while (RFC 7252 §8.1, §8.2; RFC 6690 §4.1; row
 * */
#include "common/net/coap_discovery.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <net/if.h>

#include "common/base/clock.h"
#include "common/base/fair_rate.h"
#include "common/base/rng.h"
#include "common/net/address.h"
#include "common/net/coap_offer.h"
#include "common/wire/coap_format.h"
#include "common/wire/coap_message.h"

#define DATAGRAM_MAX 1280 /* a question is short; what is longer is cut and will not parse */
#define ANSWER_MAX   1024 /* one message, without blocks */
#define BATCH	     16	  /* datagrams before the loop goes on */
#define PENDING_MAX  32	  /* answers that wait for their moment; further ones are dropped */
/* RFC 7252 §8.2: S·G/R with an answer of 100 octets, 50 that answer and 10 kB/s. */
#define LEISURE_DEFAULT_MS 500
#define ANSWERS_PER_SECOND 40 /* more than a link full of devices asks; nobody's amplifier */
#define GROUPS		   3

struct pending {
	int64_t due_ms; /* 0: free */
	struct address to, from;
	unsigned interface;
	size_t len;
	uint8_t octets[ANSWER_MAX + 64];
};

struct coap_responder {
	struct loop *loop;
	const struct log *log;
	int64_t leisure_ms;
	int fd;
	struct address at; /* with its port; the wildcard on an interface */
	struct event *readable;
	struct fair_rate rate;
	uint16_t next_id;
	struct coap_offer offers[COAP_OFFERS_MAX];
	size_t offer_count;
	struct pending pending[PENDING_MAX];
	struct loop_timer due;
};

/* A question, and where it came from. */
struct question {
	struct address from, to; /* to: our address that the answer leaves from */
	unsigned interface;
	bool multicast;
	struct coap_message message;
};

/* ---- Sending -------------------------------------------------------------------------------- */

/* From the address that was asked, on the interface it was asked on. */
static void send_from(const struct coap_responder *r, const struct address *to,
	const struct address *from, unsigned interface, struct bytes octets)
{
	struct iovec part = {.iov_base = (void *)(uintptr_t)octets.data, .iov_len = octets.len};
	union {
		struct cmsghdr align;
		uint8_t octets[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = {.octets = {0}};
	struct msghdr m = {.msg_name = (void *)(uintptr_t)&to->any,
		.msg_namelen = to->len,
		.msg_iov = &part,
		.msg_iovlen = 1};

	if (address_is_wildcard(&r->at)) {
		struct in6_pktinfo info = {
			.ipi6_addr = from->v6.sin6_addr, .ipi6_ifindex = interface};
		struct cmsghdr *c;

		m.msg_control = control.octets;
		m.msg_controllen = sizeof(control.octets);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	}
	/* a datagram that cannot be sent is a datagram lost */
	if (sendmsg(r->fd, &m, MSG_NOSIGNAL) < 0)
		log_event(r->log, LOG_LEVEL_DEBUG, "discovery-not-sent", NULL, "reason",
			strerror(errno), NULL);
}

static void arm_due(struct coap_responder *r)
{
	int64_t first = 0;

	for (size_t i = 0; i < PENDING_MAX; i++)
		if (r->pending[i].due_ms && (!first || r->pending[i].due_ms < first))
			first = r->pending[i].due_ms;
	if (first)
		loop_timer_arm(&r->due, first - clock_mono_ms());
}

static void on_due(void *arg)
{
	struct coap_responder *r = arg;
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &r->pending[i];

		if (!p->due_ms || p->due_ms > now)
			continue;
		p->due_ms = 0;
		send_from(r, &p->to, &p->from, p->interface, bytes_of(p->octets, p->len));
	}
	arm_due(r);
}

static void send_later(struct coap_responder *r, const struct question *q, struct bytes octets)
{
	struct pending *p = r->pending;

	while (p < r->pending + PENDING_MAX && p->due_ms)
		p++;
	if (p == r->pending + PENDING_MAX || octets.len > sizeof(p->octets))
		return;
	p->due_ms = clock_mono_ms() + 1 + rng_below((uint32_t)r->leisure_ms);
	p->to = q->from;
	p->from = q->to;
	p->interface = q->interface;
	p->len = octets.len;
	memcpy(p->octets, octets.data, octets.len);
	arm_due(r);
}

static void send_message(
	struct coap_responder *r, const struct question *q, const struct coap_message *m)
{
	BUF_AUTO struct buf octets = BUF_INIT(ANSWER_MAX + 64);
	struct err e = ERR_INIT;

	if (!coap_message_format(m, &octets, &e)) {
		log_err(r->log, "discovery-not-sent", NULL, &e);
		return;
	}
	if (q->multicast)
		send_later(r, q, buf_bytes(&octets));
	else
		send_from(r, &q->from, &q->to, q->interface, buf_bytes(&octets));
}

static void begin_answer(
	struct coap_responder *r, const struct question *q, uint8_t code, struct coap_message *out)
{
	const struct coap_message *m = &q->message;
	bool confirmable = m->type == COAP_CON;

	memset(out, 0, sizeof(*out));
	out->type = confirmable ? COAP_ACK : COAP_NON;
	out->id = confirmable ? m->id : r->next_id++;
	out->code = code;
	memcpy(out->token, m->token, m->token_len);
	out->token_len = m->token_len;
}

/* Multicast is never answered with an error. */
static void answer_error(struct coap_responder *r, const struct question *q, uint8_t code)
{
	struct coap_message m;

	if (q->multicast)
		return;
	begin_answer(r, q, code, &m);
	send_message(r, q, &m);
}

static void answer_reset(struct coap_responder *r, const struct question *q)
{
	struct coap_message m = {.type = COAP_RST, .id = q->message.id};

	if (!q->multicast && q->message.type == COAP_CON)
		send_message(r, q, &m);
}

static void answer_links(struct coap_responder *r, const struct question *q)
{
	BUF_AUTO struct buf payload = BUF_INIT(ANSWER_MAX);
	struct err e = ERR_INIT;
	struct coap_message m;
	uint8_t number[4];

	if (!coap_offers_put(r->offers, r->offer_count, &q->to, &q->message, &payload, &e)) {
		log_err(r->log, "discovery-not-sent", NULL, &e);
		return;
	}
	if (q->multicast && payload.len == 0)
		return;
	begin_answer(r, q, COAP_CONTENT, &m);
	m.payload = buf_bytes(&payload);
	if (coap_message_add(&m, COAP_OPT_CONTENT_FORMAT, coap_uint(COAP_FORMAT_LINK, number), &e))
		send_message(r, q, &m);
}

/* ---- Questions ------------------------------------------------------------------------------ */

static bool asks_for_links(const struct coap_message *m)
{
	BUF_AUTO struct buf path = BUF_INIT(64);
	struct err e = ERR_INIT;

	return coap_message_path(m, &path, &e) && strcmp(buf_str(&path), "/.well-known/core") == 0;
}

static void answer_request(struct coap_responder *r, const struct question *q)
{
	const struct coap_message *m = &q->message;
	uint32_t accept, block;

	if (coap_message_bad_option(m, true))
		answer_error(r, q, COAP_BAD_OPTION);
	else if (!asks_for_links(m))
		answer_error(r, q, COAP_NOT_FOUND);
	else if (m->code != COAP_GET)
		answer_error(r, q, COAP_NOT_ALLOWED);
	else if (coap_message_uint(m, COAP_OPT_ACCEPT, &accept) && accept != COAP_FORMAT_LINK)
		answer_error(r, q, COAP_NOT_ACCEPTABLE);
	else if (coap_message_uint(m, COAP_OPT_BLOCK2, &block) && block >> 4)
		answer_error(r, q, COAP_BAD_OPTION); /* there is one block only */
	else
		answer_links(r, q);
}

static bool may_answer(struct coap_responder *r, const struct address *from)
{
	uint8_t key[ADDRESS_KEY_LEN];

	address_key(from, key);
	return fair_rate_admit(&r->rate, key, sizeof(key), 1, clock_mono_ms());
}

static void answer(struct coap_responder *r, struct question *q, struct bytes datagram)
{
	struct err e = ERR_INIT;
	bool ok = coap_message_parse(datagram, &q->message, &e);

	if (datagram.len < 4 || !may_answer(r, &q->from))
		return;
	if (!ok || q->message.code == COAP_EMPTY || COAP_CODE_CLASS(q->message.code) != 0)
		answer_reset(r, q);
	else if (q->message.type == COAP_NON || (q->message.type == COAP_CON && !q->multicast))
		answer_request(r, q);
}

/* Our address on the way to somebody. */
static bool address_towards(const struct address *to, struct address *out)
{
	int fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct err ignored = ERR_INIT;
	bool ok = fd >= 0 && connect(fd, &to->sa, to->len) == 0 &&
		  address_of_socket(fd, out, &ignored);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* To which of our addresses was it sent, and on which interface did it come? */
static bool read_destination(struct msghdr *m, struct question *q)
{
	struct in6_pktinfo info;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		q->interface = info.ipi6_ifindex;
		q->multicast = IN6_IS_ADDR_MULTICAST(&info.ipi6_addr);
		q->to = (struct address){.len = sizeof(struct sockaddr_in6)};
		q->to.v6.sin6_family = AF_INET6;
		q->to.v6.sin6_addr = info.ipi6_addr;
		return !q->multicast || address_towards(&q->from, &q->to);
	}
	return false;
}

static ssize_t receive(struct coap_responder *r, struct question *q, uint8_t *room, bool *taken)
{
	struct iovec part = {.iov_base = room, .iov_len = DATAGRAM_MAX};
	union {
		struct cmsghdr align;
		uint8_t octets[256];
	} control;
	struct msghdr m = {.msg_name = &q->from.any,
		.msg_namelen = sizeof(q->from.any),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.octets,
		.msg_controllen = sizeof(control.octets)};
	ssize_t n = recvmsg(r->fd, &m, 0);

	if (n < 0)
		return n;
	q->from.len = m.msg_namelen;
	q->multicast = false;
	q->interface = 0;
	q->to = r->at;
	*taken = !address_is_wildcard(&r->at) || read_destination(&m, q);
	return n;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct coap_responder *r = arg;
	uint8_t room[DATAGRAM_MAX];

	for (int i = 0; i < BATCH; i++) {
		struct question q;
		bool taken = false;
		ssize_t n = receive(r, &q, room, &taken);

		if (n < 0 && errno != EINTR && errno != ECONNREFUSED)
			return;
		if (n >= 0 && taken)
			answer(r, &q, bytes_of(room, (size_t)n));
	}
}

/* ---- Life ----------------------------------------------------------------------------------- */

static bool join_groups(int fd, unsigned interface)
{
	static const char *const groups[GROUPS] = {
		COAP_GROUP_LINK, COAP_GROUP_REALM, COAP_GROUP_SITE};
	struct ipv6_mreq m = {.ipv6mr_interface = interface};

	for (size_t i = 0; i < GROUPS; i++)
		if (inet_pton(AF_INET6, groups[i], &m.ipv6mr_multiaddr) != 1 ||
			setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof(m)) != 0)
			return false;
	return true;
}

/* Others on this machine may answer on the same port, for other interfaces or services. */
static bool open_on_interface(
	struct coap_responder *r, const char *name, uint16_t port, struct err *e)
{
	const int on = 1, off = 0;

	r->at = (struct address){.len = sizeof(struct sockaddr_in6)};
	r->at.v6.sin6_family = AF_INET6;
	address_set_port(&r->at, port);
	r->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (r->fd >= 0 && setsockopt(r->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
		setsockopt(r->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0 &&
		setsockopt(r->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) == 0 &&
		setsockopt(r->fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &off, sizeof(off)) == 0 &&
		setsockopt(r->fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name)) ==
			0 &&
		bind(r->fd, &r->at.sa, r->at.len) == 0 && join_groups(r->fd, if_nametoindex(name)))
		return true;
	return err_set_errno(e, ERR_IO, "interface %s, port %u", name, port);
}

static bool open_on_address(
	struct coap_responder *r, const char *literal, uint16_t port, struct err *e)
{
	if (!address_parse(literal, port, &r->at, e))
		return false;
	if (address_is_wildcard(&r->at))
		return err_set(e, ERR_INPUT, "%s is no address of an interface", literal);
	r->fd = socket(r->at.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return (r->fd >= 0 && bind(r->fd, &r->at.sa, r->at.len) == 0) ||
	       err_set_errno(e, ERR_IO, "%s, port %u", literal, port);
}

static bool open_socket(
	struct coap_responder *r, const struct coap_responder_config *c, struct err *e)
{
	uint16_t port = c->any_port ? 0 : c->port ? c->port : COAP_PORT;
	struct address bound;

	if (!(c->interface ? open_on_interface(r, c->interface, port, e)
			   : open_on_address(r, c->address, port, e)) ||
		!address_of_socket(r->fd, &bound, e))
		return false;
	address_set_port(&r->at, address_port(&bound));
	return true;
}

static bool set_up(struct coap_responder *r, const struct coap_responder_config *c, struct err *e)
{
	if (!rng_bytes(&r->next_id, sizeof(r->next_id), e) ||
		!fair_rate_init(&r->rate, ANSWERS_PER_SECOND, clock_mono_ms(), e) ||
		!loop_timer_init(&r->due, c->loop, on_due, r, e) || !open_socket(r, c, e))
		return false;
	r->readable = event_new(loop_base(c->loop), r->fd, EV_READ | EV_PERSIST, on_readable, r);
	return (r->readable && event_add(r->readable, NULL) == 0) ||
	       err_set(e, ERR_NO_MEMORY, "no memory for a socket");
}

struct coap_responder *coap_responder_new(const struct coap_responder_config *c, struct err *e)
{
	struct coap_responder *r = mem_new(sizeof(*r), e);

	if (!r)
		return NULL;
	r->loop = c->loop;
	r->log = c->log;
	r->leisure_ms = c->leisure_ms ? c->leisure_ms : LEISURE_DEFAULT_MS;
	r->fd = -1;
	if (set_up(r, c, e))
		return r;
	coap_responder_free(r);
	err_prefix(e, "discovery over CoAP");
	return NULL;
}

void coap_responder_offer(
	struct coap_responder *r, const struct coap_offer *offers, size_t offer_count)
{
	r->offer_count = offer_count < COAP_OFFERS_MAX ? offer_count : COAP_OFFERS_MAX;
	if (r->offer_count)
		memcpy(r->offers, offers, r->offer_count * sizeof(*offers));
}

uint16_t coap_responder_port(const struct coap_responder *r)
{
	return address_port(&r->at);
}

void coap_responder_free(struct coap_responder *r)
{
	if (!r)
		return;
	if (r->readable)
		event_free(r->readable);
	loop_timer_clear(&r->due);
	if (r->fd >= 0)
		close(r->fd);
	free(r);
}
