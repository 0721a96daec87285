/* SPDX-License-Identifier: Apache-2.0 */
/* Two ends of a DTLS association in memory, with a link between them that loses, repeats and
 * reorders as the test asks. */
#ifndef TESTS_UNIT_DTLS_FIXTURE_H
#define TESTS_UNIT_DTLS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <string.h>

#include "common/net/dtls.h"
#include "tests/unit/identity_fixture.h"

#define LINK_MAX  256
#define LINK_TEXT 8192

struct parcel {
	uint8_t octets[4096];
	size_t len;
};
/* One direction. */
struct link {
	struct parcel *parcels[LINK_MAX];
	size_t count;
	size_t sent;	/* all that went in */
	size_t longest; /* the longest of them */
	unsigned seed;
	unsigned lose;	  /* so many of a hundred */
	unsigned repeat;  /* ... come twice */
	unsigned reorder; /* ... overtake what waits */
};
struct end {
	struct dtls *d;
	struct link out;
	bool established, over;
	struct err why;
	uint8_t text[LINK_TEXT];
	size_t text_len, records;
};

static inline void link_clear(struct link *l)
{
	while (l->count)
		free(l->parcels[--l->count]);
}

static inline void link_put(struct link *l, struct bytes b, bool in_front)
{
	struct parcel *p = malloc(sizeof(*p));

	assert_non_null(p);
	assert_true(b.len <= sizeof(p->octets) && l->count < LINK_MAX);
	memcpy(p->octets, b.data, b.len);
	p->len = b.len;
	if (in_front)
		memmove(l->parcels + 1, l->parcels, l->count * sizeof(*l->parcels));
	l->parcels[in_front ? 0 : l->count] = p;
	l->count++;
}

static inline struct parcel *link_take(struct link *l)
{
	struct parcel *p = l->parcels[0];

	l->count--;
	memmove(l->parcels, l->parcels + 1, l->count * sizeof(*l->parcels));
	return p;
}

/* The same course of bad luck in every run. */
static inline bool link_hits(struct link *l, unsigned percent)
{
	l->seed = l->seed * 1103515245 + 12345;
	return (l->seed >> 16) % 100 < percent;
}

static inline bool end_transmit(void *arg, struct bytes datagram)
{
	struct link *l = &((struct end *)arg)->out;

	l->sent++;
	if (datagram.len > l->longest)
		l->longest = datagram.len;
	if (link_hits(l, l->lose))
		return true;
	link_put(l, datagram, link_hits(l, l->reorder));
	if (link_hits(l, l->repeat))
		link_put(l, datagram, false);
	return true;
}

static inline void end_established(void *arg)
{
	struct end *end = arg;

	assert_false(end->established);
	end->established = true;
}

static inline void end_receive(void *arg, struct bytes text)
{
	struct end *end = arg;

	assert_true(end->text_len + text.len <= sizeof(end->text));
	memcpy(end->text + end->text_len, text.data, text.len);
	end->text_len += text.len;
	end->records++;
}

static const struct dtls_events end_events = {
	.transmit = end_transmit, .established = end_established, .receive = end_receive};

static inline void end_clear(struct end *end)
{
	dtls_free(end->d);
	link_clear(&end->out);
	end->d = NULL;
}

static inline void end_feed(struct end *end, struct bytes datagram)
{
	if (end->d && !end->over)
		end->over = !dtls_feed(end->d, datagram, &end->why);
}

#define PEER_KEY bytes_of("peer-1", 6)

/* Everything that waits goes where it belongs. */
static inline void carry(struct dtls_listener *l, struct end *server, struct end *client)
{
	while (server->out.count + client->out.count > 0) {
		bool up = client->out.count > 0;
		struct parcel *p = link_take(up ? &client->out : &server->out);
		struct bytes b = bytes_of(p->octets, p->len);

		if (!up)
			end_feed(client, b);
		else if (server->d)
			end_feed(server, b);
		else
			server->d = dtls_listener_receive(
				l, PEER_KEY, b, &end_events, server, &server->why);
		free(p);
	}
}

/* The timer of an end that has one runs out: some ten milliseconds in these tests. */
static inline void time_passes(struct end *end)
{
	if (!end->d || end->over || dtls_timeout_ms(end->d) < 0)
		return;
	while (dtls_timeout_ms(end->d) > 0)
		sched_yield();
	end->over = !dtls_on_timeout(end->d, &end->why);
}

#endif
