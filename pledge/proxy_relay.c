/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/proxy_relay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"

#define TELL_MS 10000 /* one line about dropped datagrams in so long: there may be very many */

void relay_drop(const struct join_port *p, const struct address *from, const char *reason)
{
	struct place_share *s = &p->relay->config.shares[p->place];
	char peer[ADDRESS_TEXT_MAX], count[24];
	int64_t now = clock_mono_ms();

	s->dropped++;
	if (s->told_ms && now - s->told_ms < TELL_MS)
		return;
	snprintf(count, sizeof(count), "%" PRIu64, s->dropped);
	log_event(p->relay->config.log, LOG_LEVEL_WARNING, "datagrams-dropped", NULL, "peer",
		from ? address_format(from, peer) : NULL, "reason", reason, "count", count, NULL);
	s->told_ms = now;
	s->dropped = 0;
}

void relay_send(const struct join_port *p, const struct address *to, struct bytes datagram)
{
	p->relay->config.shares[p->place].relayed_ms = clock_mono_ms();
	if (sendto(p->fd, datagram.data, datagram.len, MSG_NOSIGNAL, &to->sa, to->len) < 0)
		relay_drop(p, to, strerror(errno));
}

int relay_open_upstream(
	const struct relay *r, event_callback_fn fn, void *arg, struct event **out, struct err *e)
{
	const struct address *to = &r->config.registrar;
	int fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*out = NULL;
	if (fd < 0 || connect(fd, &to->sa, to->len) != 0) {
		err_set_errno(e, ERR_IO, "towards the registrar");
	} else {
		*out = event_new(loop_base(r->config.loop), fd, EV_READ | EV_PERSIST, fn, arg);
		if (*out)
			return fd;
		err_set(e, ERR_NO_MEMORY, "no memory for a socket");
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static void receive(struct join_port *p, const struct address *from, struct bytes datagram)
{
	struct place_share *s = &p->relay->config.shares[p->place];
	uint8_t key[ADDRESS_KEY_LEN];

	address_key(from, key);
	if (datagram.len > RELAY_DATAGRAM_MAX)
		relay_drop(p, from, "too long");
	else if (!fair_rate_admit(&s->rate, key, sizeof(key), 1, clock_mono_ms()))
		relay_drop(p, from, "too many");
	else if (datagram.len > 0) {
		s->relayed_ms = clock_mono_ms();
		p->relay->kind->receive(p, from, datagram);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct join_port *p = arg;
	uint8_t room[RELAY_DATAGRAM_MAX + 1];

	for (int i = 0; i < RELAY_BATCH; i++) {
		struct address from = {.len = sizeof(from.any)};
		ssize_t n = recvfrom(fd, room, sizeof(room), 0, &from.sa, &from.len);

		if (n < 0 && errno != EINTR && errno != ECONNREFUSED)
			return;
		if (n >= 0)
			receive(p, &from, bytes_of(room, (size_t)n));
	}
}

static bool open_port(struct relay *r, size_t place, struct err *e)
{
	struct join_port *p = &r->ports[place];
	char text[ADDRESS_TEXT_MAX];

	p->relay = r;
	p->place = place;
	p->at = r->config.places[place].at;
	address_set_port(&p->at, r->config.port);
	p->fd = socket(p->at.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0 || bind(p->fd, &p->at.sa, p->at.len) != 0)
		return err_set_errno(
			e, ERR_IO, "cannot listen on %s", address_format(&p->at, text));
	p->readable =
		event_new(loop_base(r->config.loop), p->fd, EV_READ | EV_PERSIST, on_readable, p);
	if (!p->readable || event_add(p->readable, NULL) != 0)
		return err_set(e, ERR_NO_MEMORY, "no memory for a socket");
	return address_of_socket(p->fd, &p->at, e);
}

struct relay *relay_new(
	const struct relay_kind *kind, const struct relay_config *config, struct err *e)
{
	struct relay *r = mem_new(sizeof(*r), e);
	bool ok = r != NULL;

	if (!ok)
		return NULL;
	r->config = *config;
	r->kind = kind;
	for (size_t i = 0; i < config->place_count; i++)
		r->ports[i].fd = -1;
	for (size_t i = 0; ok && i < config->place_count; i++)
		ok = open_port(r, i, e);
	if (ok && kind->open(r, e))
		return r;
	relay_free(r);
	err_prefix(e, "%s relay", kind->name);
	return NULL;
}

void relay_free(struct relay *r)
{
	if (!r)
		return;
	r->kind->close(r);
	for (size_t i = 0; i < r->config.place_count; i++) {
		if (r->ports[i].readable)
			event_free(r->ports[i].readable);
		if (r->ports[i].fd >= 0)
			close(r->ports[i].fd);
	}
	free(r);
}
