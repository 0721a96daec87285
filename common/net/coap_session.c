/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's CoAPS session (RFC 8995 §5.1 over RFC 7252; RFC 9148): one connected UDP socket, one
 * DTLS association, one CoAP client, and the loop that waits for all three. What they do is in
 * dtls.c and coap_client.c; here are addresses, deadlines, and what a request and its answer are
 * called on either side.
 *
 * Once the association stands, the network's own error reports (ICMP) are not believed: they are
 * not authenticated, and what they report may pass. The deadline decides then. */
#include "common/net/coap_session.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/net/coap_client.h"
#include "common/net/dtls.h"
#include "common/wire/base64.h"
#include "common/wire/coap_format.h"
#include "common/wire/coap_message.h"

#define DATAGRAM_MAX	 4096 /* larger ones do not cross such links, and fail as lost */
#define DATAGRAMS_A_TURN 64   /* read before the timers are looked at again */
#define FRAGMENT_USUAL	 1024 /* max_fragment_length (row D-07) … */
#define FRAGMENT_SMALL	 512  /* … where the MTU is below it */
#define FINISHED_MAX	 64

struct coap_session {
	struct session_config config; /* pointers borrowed from the caller */
	int fd;			      /* -1: none */
	struct dtls *dtls;
	struct coap_client *client; /* once the association stands */
	struct cert_list chain;	    /* as the server sent it */
	bool tried, open;
	int unreachable; /* errno of the network's report, while nothing is established */
};

struct coap_session *coap_session_new(const struct session_config *config, struct err *e)
{
	struct coap_session *s = mem_new(sizeof(*s), e);

	if (!s)
		return NULL;
	s->config = *config;
	s->fd = -1;
	return s;
}

static void drop_association(struct coap_session *s)
{
	coap_client_free(s->client);
	dtls_free(s->dtls);
	if (s->fd >= 0)
		close(s->fd);
	s->client = NULL;
	s->dtls = NULL;
	s->fd = -1;
	s->open = false;
}

void coap_session_free(struct coap_session *s)
{
	if (!s)
		return;
	if (s->open)
		dtls_close(s->dtls);
	drop_association(s);
	cert_list_clear(&s->chain);
	free(s);
}

const struct cert_list *coap_session_server_chain(const struct coap_session *s)
{
	return &s->chain;
}

/* ---- Datagrams ------------------------------------------------------------------------------ */

/* What does not get away counts as lost: it is sent again. */
static bool on_transmit(void *arg, struct bytes datagram)
{
	struct coap_session *s = arg;

	if (send(s->fd, datagram.data, datagram.len, MSG_NOSIGNAL) == (ssize_t)datagram.len)
		return true;
	s->unreachable = errno;
	return false;
}

static void on_receive(void *arg, struct bytes plaintext)
{
	struct coap_session *s = arg;

	if (s->client)
		coap_client_receive(s->client, plaintext, clock_mono_ms());
}

static void on_established(void *arg)
{
	(void)arg; /* finish_handshake() looks itself */
}

static const struct dtls_events events = {
	.transmit = on_transmit, .established = on_established, .receive = on_receive};

static bool on_message(void *arg, struct bytes message)
{
	struct coap_session *s = arg;
	struct err e = ERR_INIT;

	return dtls_send(s->dtls, message, &e);
}

/* Read what is there. false: the association is over. */
static bool take_datagrams(struct coap_session *s, struct err *e)
{
	uint8_t datagram[DATAGRAM_MAX];

	for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
		ssize_t n = recv(s->fd, datagram, sizeof(datagram), 0);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			s->unreachable = errno;
		if (n < 0)
			return true;
		if (!dtls_feed(s->dtls, bytes_of(datagram, (size_t)n), e))
			return false;
	}
	return true;
}

static int64_t sooner(int64_t a_ms, int64_t b_ms)
{
	return b_ms < 0 || (a_ms >= 0 && a_ms < b_ms) ? a_ms : b_ms;
}

/* One turn: wait for a datagram or the first of all timers, then serve both. */
static bool turn(struct coap_session *s, int64_t deadline_ms, struct err *e)
{
	int64_t now = clock_mono_ms(), wait = deadline_ms - now;
	struct pollfd p = {.fd = s->fd, .events = POLLIN};

	wait = sooner(wait > 0 ? wait : 0, dtls_timeout_ms(s->dtls));
	if (s->client)
		wait = sooner(wait, coap_client_timeout_ms(s->client, now));
	if (poll(&p, 1, wait > INT32_MAX ? INT32_MAX : (int)wait) > 0 && !take_datagrams(s, e))
		return false;
	if (dtls_timeout_ms(s->dtls) == 0 && !dtls_on_timeout(s->dtls, e))
		return false;
	if (s->client)
		coap_client_on_timeout(s->client, clock_mono_ms());
	return true;
}

/* ---- Connecting ----------------------------------------------------------------------------- */

/* Not to be confused by a path that is said to be narrow: our datagrams are small as it is. */
static void allow_fragments(int fd, int family)
{
	int v4 = IP_PMTUDISC_DONT, v6 = IPV6_PMTUDISC_DONT;

	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof(v6));
	else
		setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof(v4));
}

static bool open_socket(struct coap_session *s, const struct addrinfo *to, struct err *e)
{
	s->unreachable = 0;
	s->fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return err_set_errno(e, ERR_IO, "UDP socket");
	allow_fragments(s->fd, to->ai_family);
	return connect(s->fd, to->ai_addr, to->ai_addrlen) == 0 ||
	       err_set_errno(e, ERR_RETRY_LATER, "cannot be reached");
}

static bool begin_handshake(struct coap_session *s, struct err *e)
{
	const struct session_config *c = &s->config;
	bool small = c->mtu > 0 && c->mtu < FRAGMENT_USUAL;
	struct dtls_client_config config = {.identity = c->identity,
		.anchors = c->anchors,
		.now_unix_s = c->now_unix_s,
		.same_server = c->same_server,
		.host = c->server.host,
		.mtu = c->mtu,
		.max_fragment = small ? FRAGMENT_SMALL : FRAGMENT_USUAL};

	s->dtls = dtls_connect(&config, &events, s, e);
	return s->dtls != NULL;
}

static bool is_unreachable(int error)
{
	return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH ||
	       error == EHOSTDOWN || error == ENETDOWN || error == EACCES || error == EPERM;
}

/* EACCES is what ICMPv6 "administratively prohibited" becomes: nothing of ours lacks a permission.
 */
static const char *why_unreachable(int error)
{
	return error == EACCES ? "a join proxy or firewall on the way takes no more for now"
			       : strerror(error);
}

static bool finish_handshake(struct coap_session *s, int64_t deadline_ms, struct err *e)
{
	while (!dtls_is_established(s->dtls)) {
		if (clock_mono_ms() >= deadline_ms)
			return err_set(e, ERR_PEER_TIMEOUT, "no DTLS handshake in time");
		if (!turn(s, deadline_ms, e))
			return false;
		if (!dtls_is_established(s->dtls) && is_unreachable(s->unreachable))
			return err_set(e, ERR_RETRY_LATER, "cannot be reached: %s",
				why_unreachable(s->unreachable));
	}
	return true;
}

static bool connect_to(
	struct coap_session *s, const struct addrinfo *to, int64_t deadline_ms, struct err *e)
{
	if (!open_socket(s, to, e) || !begin_handshake(s, e) ||
		!finish_handshake(s, deadline_ms, e) ||
		!dtls_peer_certs(s->dtls, NULL, &s->chain, e))
		return false;
	s->client = coap_client_new(dtls_plaintext_max(s->dtls), on_message, s, e);
	s->open = s->client != NULL;
	return s->open;
}

/* Another address may do better where this one was silent or not to be reached. */
static bool connect_to_any(struct coap_session *s, const struct addrinfo *list, struct err *e)
{
	int64_t now = clock_mono_ms(), end = now + s->config.connect_ms;
	int left = 0;

	for (const struct addrinfo *a = list; a; a = a->ai_next)
		left++;
	for (; list; list = list->ai_next, left--) {
		now = clock_mono_ms();
		if (connect_to(s, list, now + (end - now) / left, e))
			return true;
		drop_association(s);
		if (e->kind != ERR_RETRY_LATER && e->kind != ERR_PEER_TIMEOUT)
			return false;
	}
	return false;
}

bool coap_session_connect(struct coap_session *s, struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *list = NULL;
	char port[8];
	bool ok;
	int rc;

	if (s->open)
		return true;
	if (s->tried)
		return err_set(e, ERR_PEER, "the association has ended");
	s->tried = true;
	snprintf(port, sizeof(port), "%u", (unsigned)s->config.server.port);
	rc = getaddrinfo(s->config.server.host, port, &hints, &list);
	if (rc != 0) {
		err_set(e, rc == EAI_MEMORY ? ERR_NO_MEMORY : ERR_RETRY_LATER, "%s",
			gai_strerror(rc));
		err_code(e, SESSION_NO_ADDRESS);
		return uri_blame(&s->config.server, e);
	}
	ok = connect_to_any(s, list, e);
	freeaddrinfo(list);
	return ok || uri_blame(&s->config.server, e);
}

bool coap_session_is_verified(const struct coap_session *s)
{
	return s->config.anchors && coap_session_server_chain(s)->count > 0;
}

bool coap_session_is_open(struct coap_session *s)
{
	struct err e = ERR_INIT;

	if (s->open && !take_datagrams(s, &e))
		s->open = false;
	return s->open;
}

/* ---- Requests ------------------------------------------------------------------------------- */

static bool number_of(const char *media_type, uint32_t *out, struct err *e)
{
	*out = coap_format_number(media_type);
	return !media_type || *out != COAP_FORMAT_NONE ||
	       err_set(e, ERR_INPUT, "%s has no number in CoAP", media_type);
}

static const struct {
	const char *name;
	uint8_t code;
} methods[] = {{"GET", COAP_GET}, {"POST", COAP_POST}, {"PUT", COAP_PUT}};

static bool code_of(const char *method, uint8_t *out, struct err *e)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		if (strcmp(methods[i].name, method) == 0) {
			*out = methods[i].code;
			return true;
		}
	return err_set(e, ERR_INPUT, "no method %s over CoAP", method);
}

static bool make_request(const struct session_request *rq, struct coap_request *out, struct err *e)
{
	*out = (struct coap_request){
		.path = rq->path, .body = rq->body, .etag = rq->etag, .reply_max = rq->reply_max};
	return code_of(rq->method, &out->code, e) &&
	       number_of(rq->content_type, &out->content_format, e) &&
	       number_of(rq->accept, &out->accept, e);
}

/* An error's payload without a format is a sentence for people (RFC 7252 §5.5.2). */
static const char *content_type_of(const struct coap_answer *a)
{
	const char *known = coap_format_media_type(a->format);

	if (a->format == COAP_FORMAT_NONE && COAP_CODE_CLASS(a->code) != 2 && a->body.len > 0)
		return coap_format_media_type(COAP_FORMAT_TEXT);
	return known ? known : "";
}

static void give(struct coap_answer *a, struct session_reply *out)
{
	out->status = coap_code_to_status(a->code, a->has_max_age);
	snprintf(out->content_type, sizeof(out->content_type), "%s", content_type_of(a));
	if (a->has_max_age && COAP_CODE_CLASS(a->code) != 2)
		snprintf(out->retry_after, sizeof(out->retry_after), "%u", (unsigned)a->max_age_s);
	out->body = a->body;
	memcpy(out->etag, a->etag, a->etag_len);
	out->etag_len = a->etag_len;
}

/* The answer counts, even when the association ended right behind it (row R-06). */
static bool exchange(struct coap_session *s, const struct coap_request *rq, int64_t timeout_ms,
	struct coap_answer *a, struct err *e)
{
	int64_t now = clock_mono_ms(), deadline = now + timeout_ms;
	struct err why = ERR_INIT;

	if (!coap_client_begin(s->client, rq, now, e))
		return false;
	while (!coap_client_is_done(s->client) && s->open) {
		if (clock_mono_ms() >= deadline) {
			s->open = false;
			return err_set(e, ERR_PEER_TIMEOUT, "no answer in time");
		}
		s->open = turn(s, deadline, &why);
	}
	if (coap_client_is_done(s->client))
		return coap_client_take(s->client, a, e);
	*e = why;
	return false;
}

bool coap_session_send(struct coap_session *s, const struct session_request *rq,
	struct session_reply *out, struct err *e)
{
	int64_t timeout_ms = rq->timeout_ms ? rq->timeout_ms : s->config.timeout_ms;
	struct coap_answer answer = {.code = 0};
	struct coap_request request;

	memset(out, 0, sizeof(*out));
	coap_session_is_open(s); /* what came meanwhile is not to be taken for an answer */
	if (!make_request(rq, &request, e) || !coap_session_connect(s, e))
		return false;
	if (!exchange(s, &request, timeout_ms, &answer, e))
		return uri_blame(&s->config.server, e);
	give(&answer, out);
	return true;
}

/* ---- Channel binding ------------------------------------------------------------------------ */

bool coap_session_channel_binding(struct coap_session *s, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf octets = BUF_INIT(FINISHED_MAX);

	if (!s->open)
		return err_set(e, ERR_PEER, "no association to bind to");
	return dtls_channel_binding(s->dtls, &octets, e) &&
	       base64_encode(buf_bytes(&octets), out, e);
}
