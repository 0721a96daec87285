/* SPDX-License-Identifier: Apache-2.0 */
/* A call from the inside: for what carries it (HTTP/1.1, HTTP/2) and for tests of handlers, which
 * make a call, hand it to the handler and look at the reply. */
#ifndef NET_CALL_IMPL_H
#define NET_CALL_IMPL_H

#include "common/net/call.h"
#include "common/net/http_fields.h"

#define CALL_METHOD_MAX	       16   /* the longest registered method we know has 9 letters */
#define CALL_REPLY_HEADERS_MAX 4096 /* what handlers add: a Location or a Link is the longest */

/* A peer shared by the calls of its connection. Counted on the connection's loop only. */
struct peer_ref {
	struct peer peer;
	size_t refs;
};
struct peer_ref *peer_ref_new(struct err *e) MUST_CHECK;
struct peer_ref *peer_ref_take(struct peer_ref *p);
void peer_ref_drop(struct peer_ref *p);

struct call_reply_parts {
	int status; /* 0: not answered yet */
	struct http_fields headers;
	struct buf body;
	bool incomplete; /* there was no memory for a header of it */
	bool close;
};

/* What carries calls. answered() sends what c->reply holds and may take the body from it; it
 * neither frees nor keeps the call. */
struct call_carrier {
	void (*answered)(void *carrier, struct call *c);
};

/* All calls of one loop that are not answered by their handler yet, so that the end of the server
 * can free those nobody will answer. */
struct call_list {
	struct call *first;
};

struct call_setup {
	struct loop *loop;
	const struct log *log;
	struct call_list *list; /* or NULL */
	struct peer_ref *peer;	/* a reference is taken */
	const struct call_carrier *carrier;
	void *carrier_arg;
	int64_t answer_ms; /* time for the handler; 0: no limit */
	size_t header_block_max;
	bool problems; /* errors as problem+json */
};

struct call {
	struct call *next, **link; /* in its call_list */
	struct loop *loop;
	const struct log *log;
	struct peer_ref *peer;
	const struct call_carrier *carrier; /* NULL: the connection has gone, or the time is over */
	void *carrier_arg;
	struct loop_timer deadline;
	int64_t answer_ms;
	int64_t started_ms;
	char method[CALL_METHOD_MAX + 1];
	char *path; /* owned; the query is split off in place */
	const char *query;
	struct http_fields headers;
	struct buf body;
	char exchange[EXCHANGE_ID_MAX + 1];
	bool problems;
	bool sender_known;
	void *attached;
	void (*drop)(void *what);
	call_answer_fn *on_answer;
	void *on_answer_arg;
	bool timed_out; /* the peer has its answer, the handler has still to give one */
	struct call_reply_parts reply;
};

struct call *call_new(const struct call_setup *setup, struct err *e) MUST_CHECK;
/* target: origin-form, "/path?query". The headers have been added to c->headers before. ERR_INPUT
 * for fields that must not be there twice. */
bool call_begin(struct call *c, const char *method, const char *target, struct err *e) MUST_CHECK;
/* From now on the handler has answer_ms; then the peer gets a 503 and the answer is dropped. */
void call_start_clock(struct call *c);
/* The connection has gone: the answer will be dropped. */
void call_detach(struct call *c);
/* For a call that no handler has seen. */
void call_free(struct call *c);
void call_list_free(struct call_list *l);

/* Answer with a status and one sentence, from below the handlers. */
void call_refuse(struct call *c, int status, const char *sentence);
/* code NULL: that of the status. */
void call_refuse_as(struct call *c, int status, const char *code, const char *sentence);

#endif
