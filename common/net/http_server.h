/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTPS server: HTTP/1.1 and HTTP/2 on one port, N worker threads with a loop each
 * (SO_REUSEPORT), absolute deadlines for every phase, bounded everything. Also plain HTTP/1.1: on a
 * Unix socket for the admin tools, with the peer's uid; and over TCP for who watches the daemon,
 * where nobody is known and nothing is secret. */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include "common/net/call.h"
#include "common/net/server_counts.h"
#include "common/net/tls.h"

typedef void http_handler(struct call *c, void *app);

/* A path is exact; a trailing slash-star ("/api/v1/claims/" + "*") matches one or more further
 * segments. Unknown path → 404, known path with another method → 405 + Allow, both as text/plain.
 * HEAD is served by GET routes. */
struct http_route {
	const char *method;
	const char *path;
	http_handler *handler;
	size_t body_max; /* 0: a body is refused with 413 */
	const char
		*content_type; /* what POST must bring (parameters ignored): else 415; NULL: any */
	int need; /* which permission, as the server's guard understands it; nobody else does */
	bool everywhere; /* that permission without bounds; the guard's, too */
};

/* Why a request is answered without its handler: constant texts. */
struct http_refusal {
	int status;
	const char *code;     /* NULL: that of the status */
	const char *sentence; /* for the peer */
};
/* The same from an error, whose sentence is that of its kind. */
struct http_refusal http_refusal_of(const struct err *e);

/* May this request go on to its route? Asked when its headers are complete, before any of its body
 * is read, on the loop of the connection; it may set headers of the answer, and hang on the call
 * who asks (call_attach()). False: refused with what *no says. */
typedef bool http_guard(
	struct call *c, const struct http_route *route, void *app, struct http_refusal *no);

/* Asked when all of a request is there, before its handler. False: it has answered. */
typedef bool http_intercept(struct call *c, void *app);

/* A field left 0 is the default. */
struct http_limits {
	size_t header_block_max;   /* 8 KiB */
	int64_t handshake_ms;	   /* 10 s */
	int64_t header_ms;	   /* 10 s from the first octet of a request */
	int64_t body_ms;	   /* 30 s from the end of the headers */
	int64_t request_ms;	   /* 60 s for the handler's answer, else 503 */
	int64_t idle_ms;	   /* 120 s between requests: pledges wait out a 202 of 60 s */
	int64_t write_ms;	   /* 30 s for the peer to take an answer */
	int64_t drain_grace_ms;	   /* 1 s for a request that is on its way when the server drains */
	size_t connections_max;	   /* per process */
	size_t connections_beside; /* 0; what other servers of the process may hold */
	size_t connections_per_source_max;
	size_t connections_per_identity_max; /* that show the same client certificate */
	size_t held_max;	 /* octets of requests and replies in memory, of all connections */
	unsigned h2_streams_max; /* 64 */
};
extern const struct http_limits http_limits_default;

struct http_server_config {
	const char *listen;	  /* "127.0.0.1:8443", "[::]:8443", or "unix:/run/x.sock" */
	struct tls_server *tls;	  /* NULL only for unix:, or with: */
	const char *proxied_from; /* networks of load balancers, whose connections begin with a
				     PROXY header (net/proxy_protocol.h); NULL: none */
	bool without_tls; /* plain HTTP over TCP is meant: a listener that merely lacks its TLS
			     is ERR_BUG, and so is one that has both */
	const struct http_route *routes;
	size_t route_count;
	const struct http_route *otherwise; /* for GET of a path that no route has; NULL: 404 */
	void *app;			    /* given to every handler */
	struct http_limits limits;
	struct cert_cache *cache; /* for peer certificates; may be NULL */
	const struct log *log;
	http_guard *guard;	   /* NULL: every route is open to everybody */
	http_intercept *intercept; /* or NULL */
	bool problems;	    /* errors are application/problem+json (RFC 9457), not text/plain */
	unsigned unix_mode; /* permission of the Unix socket, e.g. 0660 */
};

struct http_server;

/* Bind and listen on every loop given (one listening socket each); the loops must not run yet.
 * A Unix socket is served by the first loop. ERR_IO: "address in use" etc.
 * The config's pointers are borrowed until http_server_free(). */
struct http_server *http_server_new(const struct http_server_config *config, struct loop **loops,
	size_t loop_count, struct err *e) MUST_CHECK;
/* The port bound (for listen addresses with port 0). */
uint16_t http_server_port(const struct http_server *s);
/* Use this context for new connections from now on (any thread). */
void http_server_set_tls(struct http_server *s, struct tls_server *tls);
/* Stop accepting; finish what runs, and what comes within drain_grace_ms on connections that stand
 * (telling each peer that it is the last), then close connections; done(arg) is called once, on one
 * of the loops, when all are gone or deadline_ms has passed (any thread). */
void http_server_drain(struct http_server *s, int64_t deadline_ms, loop_fn *done, void *arg);
/* Loops must have stopped. */
void http_server_free(struct http_server *s);
/* Open connections right now. */
size_t http_server_connections(const struct http_server *s);
/* Any thread. */
void http_server_counts(const struct http_server *s, struct server_counts *out);

#endif
