/* SPDX-License-Identifier: Apache-2.0 */
/* The server's share on one loop: its listening socket, its connections, its calls. Only the
 * counters and the TLS context are shared between loops. */
#ifndef NET_HTTP_WORKER_H
#define NET_HTTP_WORKER_H

#include <stdatomic.h>

#include "common/net/drain.h"
#include "common/net/http_conn.h"
#include "common/net/http_sources.h"
#include "common/net/network.h"
#include "common/net/shed_log.h"
#include "common/net/tls_slot.h"

TAILQ_HEAD(turn_queue, conn);

struct http_worker {
	struct http_server *server;
	struct loop *loop;
	int listen_fd; /* -1: none (not the one that serves a Unix socket, or draining) */
	struct event *acceptable;
	struct loop_timer pause; /* out of descriptors: accept again a moment later */
	struct conn *conns;
	struct shed shed;
	struct shed_log shed_log;
	struct turn_queue waiting; /* for another turn: who sent many requests at once */
	struct loop_timer turns;   /* theirs */
	struct call_list calls;
	struct drain_share drain;
	struct loop_timer drain_grace;
};

struct http_server {
	struct http_server_config config;
	struct http_worker *workers;
	size_t worker_count;
	struct http_sources *sources;
	struct http_sources *identities;
	struct networks proxied; /* who has to say whom a connection is of */
	uint16_t port;
	char *unix_path; /* removed at the end; NULL for TCP */
	struct tls_slot tls;
	atomic_size_t connections;
	atomic_size_t held; /* octets of requests and replies in memory */
	atomic_int_fast64_t next_connection_id;
	struct server_tally tally;
	struct drain drain;
};

/* Start accepting; before its loop runs. */
bool http_worker_init(struct http_worker *w, struct err *e) MUST_CHECK;
/* On its loop. */
void http_worker_drain(void *worker);
void http_worker_clear(struct http_worker *w);
/* A balancer has said whose connection it is: from now on it counts as theirs, and is called so.
 * False: they have too many, and none of them can be ended. */
bool http_worker_told(struct http_worker *w, struct conn *c, const struct address *from,
	struct err *e) MUST_CHECK;
/* It has more requests than a turn takes. */
void http_worker_queue(struct http_worker *w, struct conn *c);
/* A connection is being freed. */
void http_worker_conn_gone(struct http_worker *w, struct conn *c);
/* It has shown its certificate, if it has one: false when too many others show the same and none of
 * them can be ended. */
bool http_worker_identify(struct http_worker *w, struct conn *c, struct err *e) MUST_CHECK;
/* It keeps so many octets in memory now. When all together keep too many, connections are ended,
 * perhaps this one too: the last thing in a turn. */
void http_worker_account(struct http_worker *w, struct conn *c, size_t held);
#endif
