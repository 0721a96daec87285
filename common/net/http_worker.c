/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting connections on one loop, within the limits, and ending them when the server drains. */
#include "common/net/http_worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "common/net/http_listen.h"

#define ACCEPTS_PER_TURN                                                                           \
	64	     /* so that a flood of connections leaves time for those that are here         \
		      */
#define PAUSE_MS 100 /* without descriptors; a closing connection gives one back */

static void refuse_fd(struct http_worker *w, int fd, const struct peer *from, const char *why)
{
	close(fd);
	log_event(w->server->config.log, LOG_LEVEL_WARNING, "connection-refused", NULL, "peer",
		from->address, "reason", why, NULL);
}

/* Count it in; false when the server or the source has what it may have. */
static bool enter(struct http_worker *w, const uint8_t source[16], const char **why)
{
	struct http_server *s = w->server;

	*why = "too many connections";
	if (atomic_fetch_add(&s->connections, 1) < s->config.limits.connections_max) {
		*why = "too many connections of this source";
		if (s->unix_path || http_sources_enter(s->sources, source))
			return true;
	}
	atomic_fetch_sub(&s->connections, 1);
	return false;
}

static void report_drained(struct http_server *s)
{
	if (!atomic_exchange(&s->drain_reported, true))
		s->drain_done(s->drain_arg);
}

static void check_drained(struct http_worker *w)
{
	if (!w->draining || w->drained || w->conns)
		return;
	w->drained = true;
	if (atomic_fetch_sub(&w->server->undrained, 1) == 1)
		report_drained(w->server);
}

void http_worker_conn_gone(struct http_worker *w, const uint8_t source[16])
{
	struct http_server *s = w->server;

	if (!s->unix_path)
		http_sources_leave(s->sources, source);
	atomic_fetch_sub(&s->connections, 1);
	check_drained(w);
}

static void serve_fd(struct http_worker *w, int fd, const struct sockaddr *from)
{
	const int on = 1;
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
	if (!w->server->unix_path) /* else Nagle and delayed ACK cost 44 ms a request */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	peer.connection_id = atomic_fetch_add(&w->server->next_connection_id, 1);
	if (!conn_open(w, fd, &peer, source, &e)) {
		http_worker_conn_gone(w, source);
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

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct http_worker *w = arg;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
		socklen_t len = sizeof(from);
		int got = accept4(fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (got >= 0)
			serve_fd(w, got, (const struct sockaddr *)&from);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accepting(w);
		if (got < 0 && errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

static void on_pause_over(void *arg)
{
	struct http_worker *w = arg;

	event_add(w->acceptable, NULL);
}

static void on_drain_deadline(void *arg)
{
	struct http_worker *w = arg;

	report_drained(w->server);
}

bool http_worker_init(struct http_worker *w, struct err *e)
{
	if (!loop_timer_init(&w->pause, w->loop, on_pause_over, w, e) ||
		!loop_timer_init(&w->drain_deadline, w->loop, on_drain_deadline, w, e))
		return false;
	if (w->listen_fd < 0)
		return true;
	w->acceptable =
		event_new(loop_base(w->loop), w->listen_fd, EV_READ | EV_PERSIST, on_acceptable, w);
	if (!w->acceptable || event_add(w->acceptable, NULL) != 0)
		return err_set(e, ERR_NO_MEMORY, "no memory to accept connections");
	return true;
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

	if (w->draining)
		return;
	w->draining = true;
	stop_accepting(w);
	if (w == w->server->workers)
		loop_timer_arm(&w->drain_deadline, w->server->drain_ms);
	for (struct conn *c = w->conns, *next; c; c = next) {
		next = c->next;
		conn_drain(c); /* frees this one at most */
	}
	check_drained(w);
}

void http_worker_clear(struct http_worker *w)
{
	w->drained = true; /* nobody is to be told any more */
	stop_accepting(w);
	while (w->conns)
		conn_free(w->conns);
	call_list_free(
		&w->calls); /* with handlers that will not come back: the loops have stopped */
	loop_timer_clear(&w->pause);
	loop_timer_clear(&w->drain_deadline);
}
