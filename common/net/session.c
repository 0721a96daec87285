/* SPDX-License-Identifier: Apache-2.0 */
/* The carriers of a pledge's session as a table: which scheme, and the functions of each. */
#include "common/net/session.h"

#include <stdlib.h>

#include "common/net/coap_session.h"
#include "common/net/http_session.h"

struct session {
	const struct carrier *carrier;
	void *own; /* the carrier's struct */
};

struct carrier {
	enum uri_scheme scheme;
	bool is_constrained;
	void *(*new)(const struct session_config *config, struct err *e);
	void (*free)(void *own);
	bool (*send)(void *own, const struct session_request *rq, struct session_reply *out,
		struct err *e);
	bool (*connect)(void *own, struct err *e);
	const struct cert_list *(*server_chain)(const void *own);
	bool (*is_verified)(const void *own);
	bool (*is_open)(void *own);
	bool (*channel_binding)(void *own, struct buf *out, struct err *e);
};

/* A carrier's functions take its own struct; these have the table's types. */
#define CARRIER_FUNCTIONS(name)                                                                    \
	static void *name##_new_any(const struct session_config *config, struct err *e)            \
	{                                                                                          \
		return name##_new(config, e);                                                      \
	}                                                                                          \
	static void name##_free_any(void *own)                                                     \
	{                                                                                          \
		name##_free(own);                                                                  \
	}                                                                                          \
	static bool name##_send_any(void *own, const struct session_request *rq,                   \
		struct session_reply *out, struct err *e)                                          \
	{                                                                                          \
		return name##_send(own, rq, out, e);                                               \
	}                                                                                          \
	static bool name##_connect_any(void *own, struct err *e)                                   \
	{                                                                                          \
		return name##_connect(own, e);                                                     \
	}                                                                                          \
	static const struct cert_list *name##_server_chain_any(const void *own)                    \
	{                                                                                          \
		return name##_server_chain(own);                                                   \
	}                                                                                          \
	static bool name##_is_verified_any(const void *own)                                        \
	{                                                                                          \
		return name##_is_verified(own);                                                    \
	}                                                                                          \
	static bool name##_is_open_any(void *own)                                                  \
	{                                                                                          \
		return name##_is_open(own);                                                        \
	}                                                                                          \
	static bool name##_channel_binding_any(void *own, struct buf *out, struct err *e)          \
	{                                                                                          \
		return name##_channel_binding(own, out, e);                                        \
	}

CARRIER_FUNCTIONS(http_session)
CARRIER_FUNCTIONS(coap_session)

static const struct carrier carriers[] = {
	{URI_HTTPS, false, http_session_new_any, http_session_free_any, http_session_send_any,
		http_session_connect_any, http_session_server_chain_any,
		http_session_is_verified_any, http_session_is_open_any,
		http_session_channel_binding_any},
	{URI_COAPS, true, coap_session_new_any, coap_session_free_any, coap_session_send_any,
		coap_session_connect_any, coap_session_server_chain_any,
		coap_session_is_verified_any, coap_session_is_open_any,
		coap_session_channel_binding_any},
};

static const struct carrier *carrier_of(const struct uri *server)
{
	for (size_t i = 0; i < sizeof(carriers) / sizeof(*carriers); i++)
		if (carriers[i].scheme == server->scheme)
			return &carriers[i];
	return NULL;
}

struct session *session_new(const struct session_config *config, struct err *e)
{
	const struct carrier *carrier = carrier_of(&config->server);
	struct session *s;

	if (!carrier) {
		err_set(e, ERR_INPUT, "no session is carried by %s",
			uri_scheme_name(config->server.scheme));
		return NULL;
	}
	s = mem_new(sizeof(*s), e);
	if (!s)
		return NULL;
	s->carrier = carrier;
	s->own = carrier->new (config, e);
	if (s->own)
		return s;
	free(s);
	return NULL;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	s->carrier->free(s->own);
	free(s);
}

bool session_send(struct session *s, const struct session_request *rq, struct session_reply *out,
	struct err *e)
{
	return s->carrier->send(s->own, rq, out, e);
}

bool session_connect(struct session *s, struct err *e)
{
	return s->carrier->connect(s->own, e);
}

const struct cert_list *session_server_chain(const struct session *s)
{
	return s->carrier->server_chain(s->own);
}

bool session_is_verified(const struct session *s)
{
	return s->carrier->is_verified(s->own);
}

bool session_is_open(struct session *s)
{
	return s->carrier->is_open(s->own);
}

bool session_channel_binding(struct session *s, struct buf *out, struct err *e)
{
	return s->carrier->channel_binding(s->own, out, e);
}

bool session_is_constrained(const struct session *s)
{
	return s->carrier->is_constrained;
}

void session_reply_clear(struct session_reply *r)
{
	buf_clear(&r->body);
}
