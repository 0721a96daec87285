/* SPDX-License-Identifier: Apache-2.0 */
/* The side that asks (coap_discovery.h): one question, sent a few times because datagrams get lost,
 * and answers taken until the window closes. Whoever sees the question can answer anything; all
 * that is taken from an answer is where to try. For a join port not even that: the address is the
 * one the answer came from (row X-03). */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/net/address.h"
#include "common/net/coap_discovery.h"
#include "common/wire/coap_format.h"
#include "common/wire/coap_message.h"
#include "common/wire/core_link.h"

#define INTERFACES_MAX	  16
#define SENDS_MAX	  3
#define SEND_GAP_MS	  900  /* the first repetition; doubles */
#define WINDOW_DEFAULT_MS 4000 /* three sendings, and others' leisure after the last */
#define DATAGRAM_MAX	  2048
#define BATCH		  32
#define HOPS		  16 /* through the routers of a site */
#define TOKEN_LEN	  8  /* not to be guessed by who does not see it */

struct coap_query {
	enum coap_find find;
	struct address to; /* len 0: the groups */
	uint16_t port;
	unsigned interfaces[INTERFACES_MAX];
	size_t interface_count;
	bool stop_at_first;
	coap_found_fn *done;
	void *arg;
	int fd;
	struct event *readable;
	struct loop_timer again, window;
	unsigned sends;
	int64_t begun_ms;
	uint16_t next_id;
	uint8_t token[TOKEN_LEN];
	struct coap_candidate found[COAP_CANDIDATES_MAX];
	size_t count;
};

static const struct {
	const char *query;
	const char *groups[2];
	const char *scheme;
} questions[] = {
	[COAP_FIND_JOIN_PORT] = {"brski-jp=*", {COAP_GROUP_LINK}, NULL},
	[COAP_FIND_COAPS] = {"rt=brski", {COAP_GROUP_REALM, COAP_GROUP_SITE}, "coaps"},
	[COAP_FIND_JPY] = {"rt=brski.rjp", {COAP_GROUP_REALM, COAP_GROUP_SITE}, "jpy"},
};

/* ---- Asking --------------------------------------------------------------------------------- */

static bool format_question(struct coap_query *q, struct buf *out, struct err *e)
{
	struct coap_message m = {.type = COAP_NON, .code = COAP_GET, .id = q->next_id++};

	memcpy(m.token, q->token, TOKEN_LEN);
	m.token_len = TOKEN_LEN;
	return coap_message_add(&m, COAP_OPT_URI_PATH, bytes_of_str(".well-known"), e) &&
	       coap_message_add(&m, COAP_OPT_URI_PATH, bytes_of_str("core"), e) &&
	       coap_message_add(
		       &m, COAP_OPT_URI_QUERY, bytes_of_str(questions[q->find].query), e) &&
	       coap_message_format(&m, out, e);
}

/* Lost datagrams are what the repetitions are for; an interface that is down answers nothing. */
static void send_to_group(struct coap_query *q, const char *group, struct bytes octets)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(q->port)};

	inet_pton(AF_INET6, group, &to.sin6_addr);
	for (size_t i = 0; i < q->interface_count; i++) {
		int interface = (int)q->interfaces[i];

		to.sin6_scope_id = q->interfaces[i];
		if (setsockopt(q->fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface,
			    sizeof(interface)) == 0)
			(void)!sendto(q->fd, octets.data, octets.len, MSG_NOSIGNAL,
				(const struct sockaddr *)&to, sizeof(to));
	}
}

static void on_again(void *arg)
{
	struct coap_query *q = arg;
	BUF_AUTO struct buf octets = BUF_INIT(128);
	struct err e = ERR_INIT;

	if (!format_question(q, &octets, &e))
		return;
	if (q->to.len)
		(void)!sendto(q->fd, octets.data, octets.len, MSG_NOSIGNAL, &q->to.sa, q->to.len);
	for (size_t i = 0; !q->to.len && i < 2 && questions[q->find].groups[i]; i++)
		send_to_group(q, questions[q->find].groups[i], buf_bytes(&octets));
	if (++q->sends < SENDS_MAX)
		loop_timer_arm(&q->again, (int64_t)SEND_GAP_MS << (q->sends - 1));
}

/* ---- Answers -------------------------------------------------------------------------------- */

struct answer {
	struct address from;
	unsigned interface;
	struct coap_message message;
};

/* Anybody can answer, and a proxy passes on what comes from devices: not to this machine's own
 * services, nor to many at once. Who is on this machine may say so. */
static bool leads_astray(const struct answer *a, const struct address *to)
{
	return address_is_wildcard(to) || address_is_multicast(to) ||
	       (address_is_loopback(to) && !address_is_loopback(&a->from));
}

/* Where a link leads. A link-local address is one on the interface the answer came by. */
static bool place_of(const struct coap_query *q, const struct answer *a, const struct core_link *l,
	struct address *out)
{
	char host[CORE_LINK_HOST_MAX];
	struct err ignored = ERR_INIT;
	uint16_t port;

	if (q->find == COAP_FIND_JOIN_PORT) {
		*out = a->from;
		if (!core_link_join_port(l, &port))
			return false;
		address_set_port(out, port);
		/* by multicast only the link is asked, so nobody beyond it has a say */
		return q->to.len || address_is_link_local(out);
	}
	if (!core_link_has(l->rt, bytes_of_str(questions[q->find].query + strlen("rt="))) ||
		!core_link_authority(l, questions[q->find].scheme, host, &port))
		return false;
	if (!port && q->find == COAP_FIND_JPY)
		return false; /* it has no default */
	if (strchr(host, '%') || !address_parse(host, port ? port : COAPS_PORT, out, &ignored))
		return false;
	if (address_is_link_local(out))
		out->v6.sin6_scope_id = a->interface;
	return !leads_astray(a, out);
}

static void keep(struct coap_query *q, const struct answer *a, const struct address *at)
{
	struct coap_candidate *c = &q->found[q->count];

	for (size_t i = 0; i < q->count; i++) {
		struct address known =
			address_of((const struct sockaddr *)&q->found[i].at, q->found[i].at_len);

		if (address_equal(&known, at))
			return;
	}
	if (q->count == COAP_CANDIDATES_MAX)
		return;
	c->at = at->any;
	c->at_len = at->len;
	c->from = a->from.any;
	c->after_ms = clock_mono_ms() - q->begun_ms;
	q->count++;
}

static void take_links(struct coap_query *q, const struct answer *a)
{
	struct core_links r = core_links_of(a->message.payload);
	struct core_link l;
	struct err ignored = ERR_INIT;
	struct address at;
	bool end = false;

	while (core_link_next(&r, &l, &end, &ignored) && !end)
		if (place_of(q, a, &l, &at))
			keep(q, a, &at);
}

static bool is_answer(const struct coap_query *q, const struct answer *a)
{
	const struct coap_message *m = &a->message;
	uint32_t format;

	return m->code == COAP_CONTENT && m->token_len == TOKEN_LEN &&
	       memcmp(m->token, q->token, TOKEN_LEN) == 0 &&
	       coap_message_uint(m, COAP_OPT_CONTENT_FORMAT, &format) &&
	       format == COAP_FORMAT_LINK && !coap_message_bad_option(m, false) &&
	       (!q->to.len || address_equal(&q->to, &a->from));
}

/* An answer may ask to be confirmed. */
static void confirm(const struct coap_query *q, const struct answer *a)
{
	BUF_AUTO struct buf octets = BUF_INIT(16);
	struct coap_message m = {.type = COAP_ACK, .id = a->message.id};
	struct err ignored = ERR_INIT;

	if (a->message.type == COAP_CON && coap_message_format(&m, &octets, &ignored))
		(void)!sendto(
			q->fd, octets.data, octets.len, MSG_NOSIGNAL, &a->from.sa, a->from.len);
}

static ssize_t receive(struct coap_query *q, struct answer *a, uint8_t *room)
{
	struct iovec part = {.iov_base = room, .iov_len = DATAGRAM_MAX};
	union {
		struct cmsghdr align;
		uint8_t octets[256];
	} control;
	struct msghdr m = {.msg_name = &a->from.any,
		.msg_namelen = sizeof(a->from.any),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.octets,
		.msg_controllen = sizeof(control.octets)};
	ssize_t n = recvmsg(q->fd, &m, 0);
	struct in6_pktinfo info;

	a->interface = 0;
	if (n < 0)
		return n;
	a->from.len = m.msg_namelen;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			a->interface = info.ipi6_ifindex;
		}
	return n;
}

/* The query has ended; the caller may free it. */
static void finish(struct coap_query *q)
{
	loop_timer_disarm(&q->again);
	loop_timer_disarm(&q->window);
	event_del(q->readable);
	q->done(q->arg, q->found, q->count);
}

static void on_window(void *arg)
{
	finish(arg);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct coap_query *q = arg;
	uint8_t room[DATAGRAM_MAX];

	for (int i = 0; i < BATCH; i++) {
		struct answer a;
		struct err ignored = ERR_INIT;
		ssize_t n = receive(q, &a, room);

		if (n < 0 && errno != EINTR && errno != ECONNREFUSED)
			break;
		if (n < 0 || !coap_message_parse(bytes_of(room, (size_t)n), &a.message, &ignored) ||
			!is_answer(q, &a))
			continue;
		confirm(q, &a);
		take_links(q, &a);
	}
	if (q->count && q->stop_at_first)
		finish(q);
}

/* ---- Life ----------------------------------------------------------------------------------- */

static void add_interface(struct coap_query *q, unsigned interface)
{
	for (size_t i = 0; i < q->interface_count; i++)
		if (q->interfaces[i] == interface)
			return;
	if (interface && q->interface_count < INTERFACES_MAX)
		q->interfaces[q->interface_count++] = interface;
}

static bool can_ask(const struct ifaddrs *i)
{
	const unsigned wanted = IFF_UP | IFF_MULTICAST;

	return (i->ifa_flags & wanted) == wanted && !(i->ifa_flags & IFF_LOOPBACK) && i->ifa_addr &&
	       i->ifa_addr->sa_family == AF_INET6;
}

static bool find_interfaces(struct coap_query *q, const struct coap_query_config *c, struct err *e)
{
	struct ifaddrs *all;

	for (size_t i = 0; i < c->interface_count; i++)
		add_interface(q, if_nametoindex(c->interfaces[i]));
	if (!c->interface_count) {
		if (getifaddrs(&all) != 0)
			return err_set_errno(e, ERR_IO, "interfaces");
		for (struct ifaddrs *i = all; i; i = i->ifa_next)
			if (can_ask(i))
				add_interface(q, if_nametoindex(i->ifa_name));
		freeifaddrs(all);
	}
	if (!q->interface_count && c->interface_count)
		return err_set(e, ERR_IO, "there is no interface %s", c->interfaces[0]);
	return q->interface_count > 0 || err_set(e, ERR_IO, "no interface to ask on");
}

static bool open_socket(struct coap_query *q, struct loop *loop, struct err *e)
{
	int family = q->to.len ? q->to.sa.sa_family : AF_INET6;
	const int on = 1, hops = HOPS;

	q->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (q->fd < 0)
		return err_set_errno(e, ERR_IO, "socket");
	if (family == AF_INET6 &&
		(setsockopt(q->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) != 0 ||
			setsockopt(q->fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) !=
				0))
		return err_set_errno(e, ERR_IO, "socket");
	q->readable = event_new(loop_base(loop), q->fd, EV_READ | EV_PERSIST, on_readable, q);
	return (q->readable && event_add(q->readable, NULL) == 0) ||
	       err_set(e, ERR_NO_MEMORY, "no memory for a socket");
}

static bool begin(struct coap_query *q, const struct coap_query_config *c, struct err *e)
{
	if (c->to) {
		q->to = address_of(c->to, c->to_len);
		if (c->port)
			address_set_port(&q->to, c->port);
	} else if (!find_interfaces(q, c, e)) {
		return false;
	}
	if (!rng_bytes(q->token, sizeof(q->token), e) ||
		!rng_bytes(&q->next_id, sizeof(q->next_id), e) ||
		!loop_timer_init(&q->again, c->loop, on_again, q, e) ||
		!loop_timer_init(&q->window, c->loop, on_window, q, e) ||
		!open_socket(q, c->loop, e))
		return false;
	q->begun_ms = clock_mono_ms();
	loop_timer_arm(&q->window, c->window_ms ? c->window_ms : WINDOW_DEFAULT_MS);
	loop_timer_arm(&q->again, 0);
	return true;
}

struct coap_query *coap_query_new(
	const struct coap_query_config *c, coap_found_fn *done, void *arg, struct err *e)
{
	struct coap_query *q = mem_new(sizeof(*q), e);

	if (!q)
		return NULL;
	q->find = c->find;
	q->port = c->port ? c->port : COAP_PORT;
	q->stop_at_first = c->stop_at_first;
	q->done = done;
	q->arg = arg;
	q->fd = -1;
	if (begin(q, c, e))
		return q;
	coap_query_free(q);
	err_prefix(e, "discovery over CoAP");
	return NULL;
}

void coap_query_free(struct coap_query *q)
{
	if (!q)
		return;
	loop_timer_clear(&q->again);
	loop_timer_clear(&q->window);
	if (q->readable)
		event_free(q->readable);
	if (q->fd >= 0)
		close(q->fd);
	free(q);
}
