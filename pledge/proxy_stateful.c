/* SPDX-License-Identifier: Apache-2.0 */
/* The stateful way (draft-ietf-anima-constrained-join-proxy §4.3): each neighbour gets a UDP socket
 * of its own towards the registrar, whose CoAPS port sees one source port for each (row J-03). Such
 * a mapping ends some seconds after the last datagram in either direction (row J-04). There are few
 * of them (row J-05), so that one whose device has not shown that it receives there makes room for
 * somebody new: until a device has returned the cookie it gets less from a registrar than it said
 * (RFC 6347 §4.2.1), whatever it says and however often, and then more. */
#include <errno.h>
#include <time.h> /* before the next, which needs it */

#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "pledge/proxy_relay.h"

#define BUCKETS	 64
#define TRIAL_MS 2000 /* an honest client returns the cookie sooner, or repeats itself */

struct mapping {
	struct mapping *next;	    /* in its bucket */
	LIST_ENTRY(mapping) beside; /* at its place */
	struct join_port *port;
	struct address device;
	int fd;
	struct event *readable;
	struct loop_timer expiry;
	int64_t born_ms, used_ms;
	uint64_t said, heard; /* octets of the device's, and to it */
	bool is_there;	      /* it has heard more than it said */
};

struct stateful {
	struct relay *relay;
	struct mapping *buckets[BUCKETS];
};

/* ---- Mappings ------------------------------------------------------------------------------- */

static struct mapping **bucket_of(struct stateful *s, const struct address *device)
{
	uint8_t key[ADDRESS_KEY_LEN];
	unsigned h = address_port(device);

	address_key(device, key);
	for (size_t i = 0; i < sizeof(key); i++)
		h = h * 31 + key[i];
	return &s->buckets[h % BUCKETS];
}

static struct mapping *find(
	struct stateful *s, const struct join_port *p, const struct address *device)
{
	struct mapping *m = *bucket_of(s, device);

	while (m && !(m->port == p && address_equal(&m->device, device)))
		m = m->next;
	return m;
}

static void end_mapping(struct mapping *m, const char *why)
{
	struct stateful *s = m->port->relay->state;
	const struct relay_config *c = &m->port->relay->config;
	struct mapping **at = bucket_of(s, &m->device);
	char peer[ADDRESS_TEXT_MAX];

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	LIST_REMOVE(m, beside);
	c->shares[m->port->place].mapping_count--;
	log_event(c->log, LOG_LEVEL_INFO, "mapping-ended", NULL, "peer",
		address_format(&m->device, peer), "reason", why, NULL);
	event_free(m->readable);
	loop_timer_clear(&m->expiry);
	close(m->fd);
	free(m);
}

static void on_expiry(void *arg)
{
	struct mapping *m = arg;
	int64_t left_ms = m->used_ms + m->port->relay->config.expiry_ms - clock_mono_ms();

	if (left_ms <= 0)
		end_mapping(m, "silence");
	else
		loop_timer_arm(&m->expiry, left_ms);
}

/* ---- From the registrar --------------------------------------------------------------------- */

/* The registrar, or somebody on the way to it, refused a datagram: its sender hears so, too, if it
 * can be told (row J-06). */
static void tell_error(struct mapping *m)
{
	uint8_t content[RELAY_DATAGRAM_MAX];
	struct iovec part = {.iov_base = content, .iov_len = sizeof(content)};
	union {
		struct cmsghdr align;
		uint8_t octets[512];
	} control;
	struct msghdr h = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.octets,
		.msg_controllen = sizeof(control.octets)};
	ssize_t n = recvmsg(m->fd, &h, MSG_ERRQUEUE);
	const struct relay_config *c = &m->port->relay->config;

	for (struct cmsghdr *x = n < 0 ? NULL : CMSG_FIRSTHDR(&h); x; x = CMSG_NXTHDR(&h, x)) {
		struct sock_extended_err why;

		if (!(x->cmsg_level == IPPROTO_IPV6 && x->cmsg_type == IPV6_RECVERR) &&
			!(x->cmsg_level == IPPROTO_IP && x->cmsg_type == IP_RECVERR))
			continue;
		memcpy(&why, CMSG_DATA(x), sizeof(why));
		relay_drop(m->port, &m->device, strerror((int)why.ee_errno));
		if (why.ee_origin == SO_EE_ORIGIN_ICMP6)
			proxy_icmp_send(c->icmp, &m->port->at, &m->device, why.ee_type, why.ee_code,
				bytes_of(content, (size_t)n));
		else if (why.ee_origin == SO_EE_ORIGIN_ICMP)
			proxy_icmp_send(c->icmp, &m->port->at, &m->device, ICMP6_DST_UNREACH,
				ICMP_NO_PORT, bytes_of(content, (size_t)n));
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct mapping *m = arg;
	uint8_t room[RELAY_DATAGRAM_MAX + 1];

	for (int i = 0; i < RELAY_BATCH; i++) {
		ssize_t n = recv(fd, room, sizeof(room), 0);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			tell_error(m);
		if (n < 0 && errno != EINTR)
			return;
		if (n > RELAY_DATAGRAM_MAX)
			relay_drop(m->port, &m->device, "too long");
		else if (n > 0) {
			m->used_ms = clock_mono_ms();
			m->heard += (size_t)n;
			m->is_there = m->is_there || m->heard > m->said;
			relay_send(m->port, &m->device, bytes_of(room, (size_t)n));
		}
	}
}

/* ---- From a neighbour ----------------------------------------------------------------------- */

/* Of this neighbour, to this registrar. */
static size_t count(const struct join_port *p, const struct address *device)
{
	uint8_t key[ADDRESS_KEY_LEN], other[ADDRESS_KEY_LEN];
	const struct mapping *m;
	size_t n = 0;

	address_key(device, key);
	for (m = LIST_FIRST(&p->relay->config.shares[p->place].mappings); m;
		m = LIST_NEXT(m, beside)) {
		address_key(&m->device, other);
		n += m->port == p && memcmp(key, other, sizeof(key)) == 0;
	}
	return n;
}

/* The oldest of a place whose device may not be there; NULL: there is none. */
static struct mapping *oldest_on_trial(const struct place_share *share)
{
	int64_t since = clock_mono_ms() - TRIAL_MS;
	struct mapping *m, *found = NULL;

	LIST_FOREACH(m, &share->mappings, beside)
	if (!m->is_there && m->born_ms <= since)
		found = m; /* the newest come first */
	return found;
}

/* NULL: there is room for one more. */
static const char *make_room(const struct join_port *p, const struct address *device)
{
	const struct relay_config *c = &p->relay->config;
	const struct place_share *share = &c->shares[p->place];
	struct mapping *victim;

	if (count(p, device) >= c->per_neighbour_max)
		return "too many mappings of this neighbour";
	if (share->mapping_count < c->mappings_max)
		return NULL;
	victim = oldest_on_trial(share);
	if (!victim)
		return "too many mappings of all";
	end_mapping(victim, "made room");
	return NULL;
}

static bool open_mapping(struct mapping *m, struct err *e)
{
	struct relay *r = m->port->relay;
	const int on = 1;

	if (!loop_timer_init(&m->expiry, r->config.loop, on_expiry, m, e))
		return false;
	m->fd = relay_open_upstream(r, on_readable, m, &m->readable, e);
	if (m->fd < 0 || event_add(m->readable, NULL) != 0)
		return m->fd < 0 ? false : err_set(e, ERR_NO_MEMORY, "no memory for a socket");
	/* what cannot be asked for is not told */
	if (r->config.registrar.sa.sa_family == AF_INET6)
		setsockopt(m->fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
	else
		setsockopt(m->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	return true;
}

static struct mapping *new_mapping(
	struct stateful *s, struct join_port *p, const struct address *device, struct err *e)
{
	struct mapping *m = mem_new(sizeof(*m), e);
	struct mapping **bucket = bucket_of(s, device);
	struct place_share *share = &s->relay->config.shares[p->place];
	char peer[ADDRESS_TEXT_MAX];

	if (!m)
		return NULL;
	m->port = p;
	m->device = *device;
	m->fd = -1;
	m->born_ms = m->used_ms = clock_mono_ms();
	if (!open_mapping(m, e)) {
		if (m->readable)
			event_free(m->readable);
		if (m->fd >= 0)
			close(m->fd);
		loop_timer_clear(&m->expiry);
		free(m);
		return NULL;
	}
	m->next = *bucket;
	*bucket = m;
	share->mapping_count++;
	LIST_INSERT_HEAD(&share->mappings, m, beside);
	loop_timer_arm(&m->expiry, s->relay->config.expiry_ms);
	log_event(s->relay->config.log, LOG_LEVEL_INFO, "mapping-made", NULL, "peer",
		address_format(device, peer), NULL);
	return m;
}

static void receive(struct join_port *p, const struct address *from, struct bytes datagram)
{
	struct stateful *s = p->relay->state;
	struct mapping *m = find(s, p, from);
	struct err e = ERR_INIT;

	if (!m) {
		const char *full = make_room(p, from);

		if (full) {
			relay_drop(p, from, full);
			proxy_icmp_send(p->relay->config.icmp, &p->at, from, ICMP6_DST_UNREACH,
				ICMP_PROHIBITED, datagram);
			return;
		}
		m = new_mapping(s, p, from, &e);
	}
	if (!m) {
		relay_drop(p, from, e.text);
		return;
	}
	m->used_ms = clock_mono_ms();
	m->said += datagram.len;
	if (send(m->fd, datagram.data, datagram.len, MSG_NOSIGNAL) < 0)
		tell_error(m);
}

/* ---- Life ----------------------------------------------------------------------------------- */

static bool open_stateful(struct relay *r, struct err *e)
{
	struct stateful *s = mem_new(sizeof(*s), e);

	if (!s)
		return false;
	s->relay = r;
	r->state = s;
	return true;
}

static void close_stateful(struct relay *r)
{
	struct stateful *s = r->state;

	for (size_t i = 0; s && i < BUCKETS; i++)
		while (s->buckets[i])
			end_mapping(s->buckets[i], "stopped");
	free(s);
	r->state = NULL;
}

const struct relay_kind relay_stateful = {"stateful", open_stateful, receive, close_stateful};
