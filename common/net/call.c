/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its reply. The call belongs to its handler from the moment the handler is entered
 * until it is answered; the connection may go earlier (the call is detached) and the time may run
 * out earlier (the peer gets a 503, the call is detached): in both cases the handler's answer is
 * dropped when it comes. Errors are text/plain in UTF-8 with a reason (RFC 8995 §5.6),
 * or problems (RFC 9457) where programs of ours ask. */
#include "common/net/call_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/net/status.h"
#include "common/net/tls.h"
#include "common/wire/problem.h"

#define EXCHANGE_ID_MIN 8 /* shorter ones do not tell exchanges apart */
#define RETRY_AFTER_S	5 /* with every 503: soon, but not at once, */
#define RETRY_SPREAD_S	6 /* and not all at the same moment (T-20) */
#define REPLY_BODY_MAX                                                                             \
	(64u << 20) /* lists of an admin API; what goes to devices is far smaller                  \
		     */
#define TEXT_PLAIN "text/plain; charset=utf-8"

struct peer_ref *peer_ref_new(struct err *e)
{
	struct peer_ref *p = mem_new(sizeof(*p), e);

	if (p)
		p->refs = 1;
	return p;
}

struct peer_ref *peer_ref_take(struct peer_ref *p)
{
	p->refs++;
	return p;
}

void peer_ref_drop(struct peer_ref *p)
{
	if (!p || --p->refs)
		return;
	cert_free(p->peer.cert);
	cert_list_clear(&p->peer.chain);
	tls_server_free(p->peer.tls);
	free(p);
}

static void link_call(struct call *c, struct call_list *l)
{
	if (!l)
		return;
	c->next = l->first;
	c->link = &l->first;
	if (c->next)
		c->next->link = &c->next;
	l->first = c;
}

static void unlink_call(struct call *c)
{
	if (!c->link)
		return;
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->link = NULL;
}

/* The time is over: the peer gets its answer now, the handler's will come to nothing. */
static void on_deadline(void *arg)
{
	struct call *c = arg;

	log_event(c->log, LOG_LEVEL_WARNING, "request-timeout", c->exchange, "method", c->method,
		"path", c->path, NULL);
	c->timed_out = true;
	call_refuse(c, 503, "The service did not answer in time; try again later.");
}

static void tell_answer(struct call *c, int status)
{
	call_answer_fn *fn = c->on_answer;

	c->on_answer = NULL;
	if (fn)
		fn(c->on_answer_arg, status, http_fields_get(&c->reply.headers, "Content-Type"),
			buf_bytes(&c->reply.body));
}

void call_on_answer(struct call *c, call_answer_fn *fn, void *arg)
{
	c->on_answer = fn;
	c->on_answer_arg = arg;
}

/* Who may use a Unix socket is a matter of its file. */
static bool is_let_in_by_the_kernel(const struct peer *p)
{
	return strncmp(p->address, "unix:", strlen("unix:")) == 0;
}

struct call *call_new(const struct call_setup *setup, struct err *e)
{
	struct call *c = mem_new(sizeof(*c), e);

	if (!c)
		return NULL;
	c->loop = setup->loop;
	c->log = setup->log;
	c->peer = peer_ref_take(setup->peer);
	c->carrier = setup->carrier;
	c->carrier_arg = setup->carrier_arg;
	c->answer_ms = setup->answer_ms;
	c->problems = setup->problems;
	c->sender_known = is_let_in_by_the_kernel(&c->peer->peer);
	c->started_ms = clock_mono_ms();
	c->query = "";
	/* twice: several Accept fields are joined beside the originals */
	http_fields_init(&c->headers, 2 * setup->header_block_max);
	http_fields_init(&c->reply.headers, CALL_REPLY_HEADERS_MAX);
	buf_init(&c->reply.body, REPLY_BODY_MAX);
	link_call(c, setup->list);
	if (!loop_timer_init(&c->deadline, c->loop, on_deadline, c, e)) {
		call_free(c);
		return NULL;
	}
	return c;
}

void call_free(struct call *c)
{
	if (!c)
		return;
	unlink_call(c);
	tell_answer(c, 0);
	loop_timer_clear(&c->deadline);
	peer_ref_drop(c->peer);
	free(c->path);
	http_fields_clear(&c->headers);
	buf_wipe(&c->body);
	http_fields_clear(&c->reply.headers);
	call_attach(c, NULL, NULL);
	buf_wipe(&c->reply.body); /* serverkeygen delivers private keys */
	free(c);
}

void call_list_free(struct call_list *l)
{
	struct call *c;

	while ((c = l->first) != NULL) {
		call_free(c);
		assert(l->first != c); /* it took itself off the list */
	}
}

static bool is_exchange_id(const char *s)
{
	size_t n = strspn(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-");

	return n >= EXCHANGE_ID_MIN && n <= EXCHANGE_ID_MAX && s[n] == '\0';
}

static bool adopt_exchange(struct call *c, struct err *e)
{
	const char *given = http_fields_get(&c->headers, "X-Request-Id");

	if (!given || !is_exchange_id(given))
		return rng_exchange_id(c->exchange, e);
	snprintf(c->exchange, sizeof(c->exchange), "%s", given);
	return true;
}

bool call_begin(struct call *c, const char *method, const char *target, struct err *e)
{
	char *query;

	snprintf(c->method, sizeof(c->method), "%s", method);
	c->path = str_dup(target, e);
	if (!c->path)
		return false;
	query = strchr(c->path, '?');
	if (query) {
		*query = '\0';
		c->query = query + 1;
	}
	return adopt_exchange(c, e) && http_fields_settle(&c->headers, e);
}

void call_start_clock(struct call *c)
{
	if (c->answer_ms)
		loop_timer_arm(&c->deadline, c->answer_ms);
}

void call_detach(struct call *c)
{
	c->carrier = NULL;
	loop_timer_disarm(&c->deadline);
}

const char *call_method(const struct call *c)
{
	return c->method;
}

const char *call_path(const struct call *c)
{
	return c->path ? c->path : "";
}

const char *call_query(const struct call *c)
{
	return c->query;
}

const char *call_header(const struct call *c, const char *name)
{
	return http_fields_get(&c->headers, name);
}

struct bytes call_body(const struct call *c)
{
	return buf_bytes(&c->body);
}

const struct peer *call_peer(const struct call *c)
{
	return &c->peer->peer;
}

struct loop *call_loop(const struct call *c)
{
	return c->loop;
}

const char *call_exchange(const struct call *c)
{
	return c->exchange;
}

void call_sender_is_known(struct call *c)
{
	c->sender_known = true;
}

bool call_is_head(const struct call *c)
{
	return strcmp(c->method, "HEAD") == 0;
}

void call_set_header(struct call *c, const char *name, const char *value)
{
	struct err e = ERR_INIT;

	if (strpbrk(name, "\r\n: ") || strpbrk(value, "\r\n"))
		err_set(&e, ERR_BUG, "header %s with a line break", name);
	else if (http_fields_set(&c->reply.headers, name, value, &e))
		return;
	c->reply.incomplete |= e.kind == ERR_NO_MEMORY;
	log_err(c->log, "reply-header-dropped", c->exchange, &e);
}

void call_close_after(struct call *c)
{
	c->reply.close = true;
}

void call_attach(struct call *c, void *what, void (*drop)(void *what))
{
	if (c->drop)
		c->drop(c->attached);
	c->attached = what;
	c->drop = drop;
}

void *call_attached(const struct call *c)
{
	return c->attached;
}

static void log_access(const struct call *c, bool delivered)
{
	const char *event = delivered ? "request" : "request-abandoned";
	char status[16], took[24];

	snprintf(status, sizeof(status), "%d", c->reply.status);
	snprintf(took, sizeof(took), "%lld", (long long)(clock_mono_ms() - c->started_ms));
	(c->sender_known ? log_event : log_stranger)(c->log, LOG_LEVEL_INFO, event, c->exchange,
		"method", c->method[0] ? c->method : "-", "path", c->path ? c->path : "-", "status",
		status, "peer", c->peer->peer.address, "ms", took, NULL);
}

static void set_reply(struct call *c, int status, const char *content_type, struct bytes body)
{
	struct err e = ERR_INIT;

	c->reply.status = status;
	buf_clear(&c->reply.body);
	buf_init(&c->reply.body, REPLY_BODY_MAX); /* who carried a first one may have taken it */
	if (content_type)
		call_set_header(c, "Content-Type", content_type);
	if (!c->reply.incomplete && buf_append(&c->reply.body, body.data, body.len, &e))
		return;
	if (!c->reply.incomplete)
		log_err(c->log, "reply-dropped", c->exchange, &e);
	http_fields_clear(&c->reply.headers); /* they were for another answer */
	c->reply.status = 503;
	c->reply.close = true;
}

/* No error without a reason (R8995-MASA-005). */
static void set_error(struct call *c, int status, const char *code, const char *sentence)
{
	BUF_AUTO struct buf text = BUF_INIT(PROBLEM_MAX);
	const struct problem p = {
		.title = status_reason(status),
		.status = status,
		.detail = sentence,
		.code = code ? code : status_code_name(status),
		.exchange = c->exchange,
	};
	struct err e = ERR_INIT;

	if (c->problems && problem_format(&p, &text, &e))
		set_reply(c, status, PROBLEM_TYPE, buf_bytes(&text));
	else
		set_reply(c, status, TEXT_PLAIN, bytes_of_str(sentence));
}

/* Hand the reply over. Afterwards nothing is left to carry the call. */
static void send_reply(struct call *c)
{
	const struct call_carrier *carrier = c->carrier;

	log_access(c, carrier != NULL);
	call_detach(c);
	if (carrier)
		carrier->answered(c->carrier_arg, c);
}

/* The handler's answer is set: it goes out, unless the peer was told that it takes too long. */
static void conclude(struct call *c)
{
	tell_answer(c, c->reply.status);
	if (!c->timed_out)
		send_reply(c);
	call_free(c);
}

void call_reply(struct call *c, int status, const char *content_type, struct bytes body)
{
	if (status >= 400 && body.len == 0)
		set_error(c, status, NULL, status_reason(status));
	else
		set_reply(c, status, content_type, body);
	conclude(c);
}

/* Unless its sender knows better. Whoever was refused together does not come back together. */
static void say_when(struct call *c, int status)
{
	char seconds[12];

	if (status != 503 || http_fields_get(&c->reply.headers, "Retry-After"))
		return;
	snprintf(seconds, sizeof(seconds), "%u", RETRY_AFTER_S + rng_below(RETRY_SPREAD_S));
	call_set_header(c, "Retry-After", seconds);
}

void call_refuse_as(struct call *c, int status, const char *code, const char *sentence)
{
	say_when(c, status);
	set_error(c, status, code, sentence);
	send_reply(c);
}

void call_refuse(struct call *c, int status, const char *sentence)
{
	call_refuse_as(c, status, NULL, sentence);
}

void call_reply_err(struct call *c, const struct log *l, const char *event, const struct err *e)
{
	/* a failure that forgot to say which must not pass for success */
	int status = status_of(e->kind == ERR_NONE ? ERR_BUG : e->kind);

	log_err_about(
		l, event, c->exchange, c->peer->peer.address[0] ? c->peer->peer.address : NULL, e);
	say_when(c, status);
	if (e->kind == ERR_PROXIMITY)
		call_close_after(c);
	set_error(c, status, err_code_of(e), err_sentence(e));
	conclude(c);
}

void call_reply_pending(struct call *c, int64_t retry_after_s, const char *sentence)
{
	char seconds[24];

	snprintf(seconds, sizeof(seconds), "%lld", (long long)retry_after_s);
	call_set_header(c, "Retry-After", seconds);
	call_reply(c, 202, TEXT_PLAIN, bytes_of_str(sentence));
}
