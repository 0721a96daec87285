/* SPDX-License-Identifier: Apache-2.0 */
/* The stateless way (draft-ietf-anima-constrained-join-proxy §4.4, §4.5): a neighbour's datagram
 * goes to the registrar's join port wrapped with a header that names the neighbour; the registrar
 * gives the header back with its answer. Nothing is kept here, so that a flood fills nothing; what
 * limits it is the rate (row J-19). All go out from one address and port (row J-15). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/wire/jpy.h"
#include "pledge/proxy_relay.h"

#define WRAPPED_MAX (RELAY_DATAGRAM_MAX + JPY_OVERHEAD_MAX)

struct stateless {
	struct relay *relay;
	int fd;
	struct event *readable;
	struct address places[PLACES_MAX];
	struct buf wrapped; /* kept, so that no datagram allocates */
};

/* ---- From a neighbour ----------------------------------------------------------------------- */

static bool wrap(
	struct join_port *p, const struct address *from, struct bytes datagram, struct err *e)
{
	struct stateless *s = p->relay->state;
	const struct relay_config *c = &p->relay->config;
	struct header h = {.place = (uint8_t)p->place, .registrar = c->index, .device = *from};
	uint8_t sealed[HEADER_LEN] = {0};
	struct jpy m = {bytes_of(sealed, sizeof(sealed)), datagram};

	s->wrapped.len = 0;
	return header_seal(c->keys, &h, &s->places[p->place], clock_mono_ms(), sealed, e) &&
	       jpy_format(&m, &s->wrapped, e);
}

static void receive(struct join_port *p, const struct address *from, struct bytes datagram)
{
	struct stateless *s = p->relay->state;
	struct err e = ERR_INIT;

	if (!wrap(p, from, datagram, &e))
		relay_drop(p, from, e.text);
	else if (send(s->fd, s->wrapped.data, s->wrapped.len, MSG_NOSIGNAL) < 0)
		relay_drop(p, from, strerror(errno));
}

/* ---- From the registrar --------------------------------------------------------------------- */

/* What is not ours is dropped without a word to anybody (row J-13). */
static void unwrap(struct stateless *s, struct bytes datagram)
{
	const struct relay_config *c = &s->relay->config;
	struct err e = ERR_INIT;
	struct header h;
	struct jpy m;

	if (!jpy_parse(datagram, &m, &e) ||
		!header_open(c->keys, m.header, s->places, c->place_count, clock_mono_ms(), &h, &e))
		relay_drop(&s->relay->ports[0], &c->registrar, e.text);
	else if (h.registrar != c->index)
		relay_drop(&s->relay->ports[0], &c->registrar, "the header of another registrar");
	else
		relay_send(&s->relay->ports[h.place], &h.device, m.content);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct stateless *s = arg;
	uint8_t room[WRAPPED_MAX + 1];

	for (int i = 0; i < RELAY_BATCH; i++) {
		ssize_t n = recv(fd, room, sizeof(room), 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && errno != EINTR)
			relay_drop(
				&s->relay->ports[0], &s->relay->config.registrar, strerror(errno));
		if (n > 0)
			unwrap(s, bytes_of(room, (size_t)n));
	}
}

/* ---- Life ----------------------------------------------------------------------------------- */

static bool open_stateless(struct relay *r, struct err *e)
{
	struct stateless *s = mem_new(sizeof(*s), e);

	if (!s)
		return false;
	r->state = s;
	s->relay = r;
	buf_init(&s->wrapped, WRAPPED_MAX);
	for (size_t i = 0; i < r->config.place_count; i++)
		s->places[i] = r->config.places[i].at;
	s->fd = relay_open_upstream(r, on_readable, s, &s->readable, e);
	return s->fd >= 0 && (event_add(s->readable, NULL) == 0 ||
				     err_set(e, ERR_NO_MEMORY, "no memory for a socket"));
}

static void close_stateless(struct relay *r)
{
	struct stateless *s = r->state;

	if (!s)
		return;
	if (s->readable)
		event_free(s->readable);
	if (s->fd >= 0)
		close(s->fd);
	buf_clear(&s->wrapped);
	free(s);
	r->state = NULL;
}

const struct relay_kind relay_stateless = {"stateless", open_stateless, receive, close_stateless};
