/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of the server, on its loop: handshake, octets in and out, the deadlines of its
 * phases, its end. What the octets mean is the protocol's business (http1_conn.c, http2.c).
 *
 * Everything happens in turns: a socket event, a deadline or an answer starts a turn; the protocol
 * may in its turn ask for the end (conn_finish, conn_abort), and only when the turn is over is
 * anything freed. So no callback of a parser or of nghttp2 ever frees what its caller still holds.
 *
 * A turn takes some requests and no more. Who sent more, without waiting for answers, gives way:
 * the loop looks at all sockets first, and nothing is read of that connection until its next turn.
 */
#ifndef NET_HTTP_CONN_H
#define NET_HTTP_CONN_H

#include "common/net/call_impl.h"
#include "common/net/http_server.h"
#include "common/net/http_shed.h"
#include "common/net/proxy_protocol.h"
#include "common/net/tls_stream.h"

#define CONN_READ_MAX  16384	   /* octets per read: one TLS record */
#define CONN_READS     4	   /* reads per turn, so that one peer cannot keep the loop */
#define CONN_OUT_HIGH  65536	   /* no more is produced or read while this much waits */
#define CONN_OUT_MAX   (80u << 20) /* a whole reply (REPLY_BODY_MAX) and its head */
#define CONN_LINGER_MS 2000	   /* for our last words to be read before the socket closes */

enum conn_phase { /* what the connection's deadline is for; the limits are in struct http_limits */
	CONN_HANDSHAKE,
	CONN_IDLE,
	CONN_HEADER,
	CONN_BODY,
	CONN_ANSWER, /* a handler works: the call has a deadline of its own */
	CONN_LINGER,
	CONN_PHASE_COUNT
};

struct http_worker;
struct conn;

/* A protocol on a connection. `p` is what open() returned. */
struct conn_protocol {
	void *(*open)(struct conn *c, struct err *e);
	/* Take all octets, or call conn_finish()/conn_abort(). */
	void (*input)(void *p, struct bytes in);
	/* Go on with what waits (pipelined requests, frames to send): fill c->out. */
	void (*advance)(void *p);
	/* Does it want more input now? */
	bool (*wants_input)(void *p);
	/* Requests received or answered that are not over yet? */
	bool (*is_busy)(void *p);
	/* Is a request with its handler right now? */
	bool (*is_serving)(void *p);
	/* Octets of requests and replies it keeps in memory, beside c->out. */
	size_t (*held)(void *p);
	/* The deadline of the phase has passed. */
	void (*expired)(void *p, enum conn_phase phase);
	/* Serve what has begun and what is on its way, then end; the second time, what has begun.
	 */
	void (*drain)(void *p);
	/* The connection goes: detach or free every call. */
	void (*close)(void *p);
	/* How many requests a turn may take. */
	unsigned turn_max;
};
extern const struct conn_protocol http1_protocol, http2_protocol;

/* The PROXY header of a connection, as it comes. */
struct conn_proxied {
	uint8_t octets[PROXY_HEADER_MAX];
	size_t len;
};

struct conn {
	struct conn *next, **link; /* in the worker's list */
	TAILQ_ENTRY(conn) shed_link, turn_link;
	struct http_worker *worker;
	struct tls_stream stream;
	struct event *readable, *writable;
	struct loop_timer deadline, write_deadline;
	struct peer_ref *peer;
	struct conn_proxied *proxied;	      /* NULL: no header is to come, or it has come */
	const struct conn_protocol *protocol; /* NULL during the handshake */
	void *p;
	struct buf out;
	size_t out_sent; /* of out, already with the kernel */
	enum conn_phase phase;
	bool write_armed;
	bool in_turn;
	unsigned taken;			   /* requests, in this turn */
	bool cut;			   /* there were more of them */
	bool waits;			   /* for another turn, in the worker's list */
	bool shaken;			   /* its TLS handshake is over */
	bool in_eof;			   /* the peer sends no more */
	bool finish;			   /* end when out is empty */
	bool dead;			   /* end now */
	bool drained;			   /* asked to end */
	bool served;			   /* a request of it has been answered */
	bool identified;		   /* it has a client certificate */
	size_t held;			   /* octets in memory at the end of its last turn */
	uint8_t source[HTTP_SOURCE_LEN];   /* whose share of the limit it uses */
	uint8_t identity[HTTP_SOURCE_LEN]; /* of the digest of its client certificate */
};

/* Take over an accepted socket. On failure it is closed. */
bool conn_open(struct http_worker *w, int fd, const struct peer *from, const uint8_t source[16],
	struct err *e) MUST_CHECK;
/* Serve what has begun and what is on its way, then end; again when the grace for it is over. */
void conn_drain(struct conn *c);
/* Its turn has come. */
void conn_go_on(struct conn *c);
void conn_free(struct conn *c);

/* For protocols. */
/* Another request in this turn? If not, there will be one more turn. Who takes it counts it. */
bool conn_may_take(struct conn *c);
void conn_answered(struct conn *c);			    /* a request has got its answer */
void conn_set_phase(struct conn *c, enum conn_phase phase); /* arms its deadline */
void conn_finish(struct conn *c);			    /* after out has been sent */
void conn_abort(struct conn *c);			    /* now */
/* Outside a turn (an answer that came later): have one soon. */
void conn_kick(struct conn *c);
/* Append to c->out; on failure the connection ends. */
void conn_put(struct conn *c, struct bytes b);
struct call *conn_new_call(
	struct conn *c, const struct call_carrier *carrier, void *arg, struct err *e) MUST_CHECK;
const struct http_limits *conn_limits(const struct conn *c);

#endif
