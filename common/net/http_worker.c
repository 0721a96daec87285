/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting connections on one loop, within the limits, and ending them when the server drains. */
#include "common/net/http_worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/net/http_listen.h"

#define ACCEPTS_PER_TURN                                                                           \
	64	       /* so that a flood of connections leaves time for those that are here       \
			*/
#define LAST_TURNS 16  /* of accepting, when draining: a full backlog */
#define PAUSE_MS   100 /* without descriptors; a closing connection gives one back */
/* Of connections that wait for another turn, before all sockets are looked at again. */
#define TURNS_AT_ONCE 4

static void refuse_fd(struct http_worker *w, int fd, const struct peer *from, const char *why)
{
	close(fd);
	server_count(&w->server->tally.shed);
	log_event(w->server->config.log, LOG_LEVEL_WARNING, "connection-refused", NULL, "peer",
		from->address, "reason", why, NULL);
}

/* End one connection that fits the wish; false when there is none. */
static bool shed(struct http_worker *w, const struct shed_wish *wish, const char *why)
{
	struct conn *c = shed_choose(&w->shed, wish);

	if (!c)
		return false;
	server_count(&w->server->tally.shed);
	shed_log_tell(&w->shed_log, w->server->config.log, c->peer->peer.address, why);
	conn_free(c);
	return true;
}

static bool enter_server(struct http_worker *w)
{
	static const struct shed_wish anyone = {.source = NULL};
	struct http_server *s = w->server;

	if (atomic_fetch_add(&s->connections, 1) < s->config.limits.connections_max ||
		shed(w, &anyone, "connections"))
		return true;
	atomic_fetch_sub(&s->connections, 1);
	return false;
}

static bool enter_source(struct http_worker *w, const uint8_t source[HTTP_SOURCE_LEN])
{
	const struct shed_wish same_source = {.source = source};
	struct http_sources *sources = w->server->sources;

	return w->server->unix_path || http_sources_enter(sources, source) ||
	       (shed(w, &same_source, "connections of one source") &&
		       http_sources_enter(sources, source));
}

/* Count it in, and let another one go for it where there is no room. */
static bool enter(struct http_worker *w, const uint8_t source[HTTP_SOURCE_LEN], const char **why)
{
	*why = "too many connections of this source";
	if (!enter_source(w, source))
		return false;
	*why = "too many connections";
	if (enter_server(w))
		return true;
	if (!w->server->unix_path)
		http_sources_leave(w->server->sources, source);
	return false;
}

static void leave(struct http_worker *w, const uint8_t source[HTTP_SOURCE_LEN])
{
	if (!w->server->unix_path)
		http_sources_leave(w->server->sources, source);
	atomic_fetch_sub(&w->server->connections, 1);
}

bool http_worker_identify(struct http_worker *w, struct conn *c, struct err *e)
{
	struct http_sources *identities = w->server->identities;
	const struct shed_wish same_identity = {.identity = c->identity};

	if (!c->peer->peer.cert)
		return true;
	memcpy(c->identity, cert_sha256(c->peer->peer.cert), sizeof(c->identity));
	c->identified = http_sources_enter(identities, c->identity) ||
			(shed(w, &same_identity, "connections with one certificate") &&
				http_sources_enter(identities, c->identity));
	return c->identified ||
	       err_set(e, ERR_RETRY_LATER, "too many connections with this certificate");
}

bool http_worker_told(
	struct http_worker *w, struct conn *c, const struct address *from, struct err *e)
{
	uint8_t source[HTTP_SOURCE_LEN];

	http_listen_describe(c->stream.fd, &from->sa, &c->peer->peer);
	http_source_of(&from->sa, source);
	if (!enter_source(w, source))
		return err_set(e, ERR_RETRY_LATER, "too many connections of this source");
	http_sources_leave(w->server->sources, c->source);
	memcpy(c->source, source, sizeof(c->source));
	return true;
}

void http_worker_account(struct http_worker *w, struct conn *c, size_t held)
{
	static const struct shed_wish holders = {.holds_memory = true};
	struct http_server *s = w->server;

	/* unsigned, so a difference below zero wraps round to what it should be */
	atomic_fetch_add(&s->held, held - c->held);
	c->held = held;
	if (held == 0 || w->drain.begun || s->unix_path) /* administrators take long lists */
		return;
	while (atomic_load(&s->held) > s->config.limits.held_max && shed(w, &holders, "memory"))
		;
}

void http_worker_queue(struct http_worker *w, struct conn *c)
{
	if (TAILQ_EMPTY(&w->waiting))
		loop_timer_arm(&w->turns, 0);
	TAILQ_INSERT_TAIL(&w->waiting, c, turn_link);
	c->waits = true;
}

static void unqueue(struct http_worker *w, struct conn *c)
{
	TAILQ_REMOVE(&w->waiting, c, turn_link);
	c->waits = false;
}

/* A timer of no time and not an event made active, for the loop works those off before it looks at
 * its sockets again. */
static void on_turns(void *arg)
{
	struct http_worker *w = arg;
	struct conn *c;

	for (int i = 0; i < TURNS_AT_ONCE && (c = TAILQ_FIRST(&w->waiting)) != NULL; i++) {
		unqueue(w, c);
		conn_go_on(c); /* may free it, and others; or queue it again, at the end */
	}
	if (!TAILQ_EMPTY(&w->waiting))
		loop_timer_arm(&w->turns, 0);
}

void http_worker_conn_gone(struct http_worker *w, struct conn *c)
{
	if (c->waits)
		unqueue(w, c);
	shed_leave(&w->shed, c);
	if (c->identified)
		http_sources_leave(w->server->identities, c->identity);
	atomic_fetch_sub(&w->server->held, c->held);
	leave(w, c->source);
	drain_share_check(&w->drain, !w->conns);
}

static void serve_fd(struct http_worker *w, int fd, const struct sockaddr *from)
{
	struct peer peer = {.cert = NULL};
	uint8_t source[HTTP_SOURCE_LEN];
	struct err e = ERR_INIT;
	const char *why;

	http_listen_describe(fd, from, &peer);
	http_source_of(from, source);
	if (!enter(w, source, &why)) {
		refuse_fd(w, fd, &peer, why);
		return;
	}
	peer.connection_id = atomic_fetch_add(&w->server->next_connection_id, 1);
	if (!conn_open(w, fd, &peer, source, &e)) {
		leave(w, source);
		log_err(w->server->config.log, "connection-refused", NULL, &e);
	}
}

/* Out of descriptors or memory, accept() would fail again at once for as long as it lasts. */
static void pause_accepting(struct http_worker *w)
{
	struct err e = ERR_INIT;

	err_set_errno(&e, ERR_IO, "accept");
	log_err(w->server->config.log, "accepting-paused", NULL, &e);
	event_del(w->acceptable);
	loop_timer_arm(&w->pause, PAUSE_MS);
}

/* False when nothing waits any more, or nothing can be taken. */
static bool accept_some(struct http_worker *w, int fd)
{
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
		socklen_t len = sizeof(from);
		int got = accept4(fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (got >= 0)
			serve_fd(w, got, (const struct sockaddr *)&from);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accepting(w);
		if (got < 0 && errno != EINTR && errno != ECONNABORTED)
			return false;
	}
	return true;
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	accept_some(arg, fd);
}

static void on_pause_over(void *arg)
{
	struct http_worker *w = arg;

	event_add(w->acceptable, NULL);
}

static void drain_conns(struct http_worker *w)
{
	for (struct conn *c = w->conns, *next; c; c = next) {
		next = c->next;
		conn_drain(c); /* frees this one at most */
	}
}

static void on_drain_grace_over(void *arg)
{
	drain_conns(arg);
}

bool http_worker_init(struct http_worker *w, struct err *e)
{
	shed_init(&w->shed);
	TAILQ_INIT(&w->waiting);
	if (!loop_timer_init(&w->turns, w->loop, on_turns, w, e) ||
		!loop_timer_init(&w->pause, w->loop, on_pause_over, w, e) ||
		!loop_timer_init(&w->drain_grace, w->loop, on_drain_grace_over, w, e) ||
		!drain_share_init(&w->drain, &w->server->drain, w->loop, e))
		return false;
	if (w->listen_fd < 0)
		return true;
	w->acceptable =
		event_new(loop_base(w->loop), w->listen_fd, EV_READ | EV_PERSIST, on_acceptable, w);
	if (!w->acceptable || event_add(w->acceptable, NULL) != 0)
		return err_set(e, ERR_NO_MEMORY, "no memory to accept connections");
	return true;
}

/* Whose connection the kernel has made already is served: closing the socket would reset it. */
static void accept_last(struct http_worker *w)
{
	for (int i = 0; i < LAST_TURNS && w->listen_fd >= 0 && accept_some(w, w->listen_fd); i++)
		;
}

static void stop_accepting(struct http_worker *w)
{
	loop_timer_disarm(&w->pause);
	if (w->acceptable)
		event_free(w->acceptable);
	w->acceptable = NULL;
	if (w->listen_fd >= 0)
		close(w->listen_fd);
	w->listen_fd = -1;
}

void http_worker_drain(void *arg)
{
	struct http_worker *w = arg;

	if (!drain_share_begin(&w->drain))
		return;
	accept_last(w);
	stop_accepting(w);
	loop_timer_arm(&w->drain_grace, w->server->config.limits.drain_grace_ms);
	drain_conns(w);
	drain_share_check(&w->drain, !w->conns);
}

void http_worker_clear(struct http_worker *w)
{
	drain_share_clear(&w->drain);
	stop_accepting(w);
	while (w->conns)
		conn_free(w->conns);
	call_list_free(
		&w->calls); /* with handlers that will not come back: the loops have stopped */
	loop_timer_clear(&w->pause);
	loop_timer_clear(&w->turns);
	loop_timer_clear(&w->drain_grace);
}
