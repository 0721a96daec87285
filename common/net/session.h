/* SPDX-License-Identifier: Apache-2.0 */
/* A pledge's conversation with one registrar, whatever carries it: exactly one TLS or DTLS
 * connection, provisional (any server certificate is accepted and remembered; RFC 8995 §5.1) or
 * anchored (the chain is verified; the name or cmcRA, RFC 7030 §3.6.1). A lost connection ends the
 * session: nothing reconnects behind the caller's back. One table of functions for each carrier:
 * http_session (https://) and coap_session (coaps://). */
#ifndef NET_SESSION_H
#define NET_SESSION_H

#include "common/pki/chain.h"
#include "common/pki/identity.h"
#include "common/wire/coap_message.h"
#include "common/wire/uri.h"

/* By what an anchored server is known beside its chain. */
enum server_name {
	SERVER_NAME_OR_RA, /* the name it was called by, or cmcRA (RFC 7030 §3.6.1) */
	SERVER_NAME,	   /* the name alone (RFC 9525): a cloud registrar */
	SERVER_ANY_NAME,   /* the anchor says it all: one that a voucher pins */
};

struct session_config {
	struct uri server;		 /* its scheme chooses the carrier */
	const struct identity *identity; /* IDevID or LDevID; borrowed */
	struct anchors *anchors;	 /* NULL: provisional */
	int64_t now_unix_s;		 /* for anchored checks; CHAIN_NO_TIME without a clock */
	enum server_name named;		 /* for anchored checks */
	bool else_provisional; /* one that is not known by anchors and name is provisional */
	const struct cert *same_server; /* provisional again after a wait: the server must show this
					   one (RFC 8995 §5, §5.6); NULL otherwise */
	int64_t connect_ms, timeout_ms;
	const char *exchange; /* X-Request-Id; not sent over CoAP */
	size_t mtu;	      /* coaps: octets of a datagram; 0: default */
	int *connected; /* https: a TCP connection to the server that is there already, taken over
			   when it connects (then -1); NULL or -1: there is none */
};

struct session_request {
	const char *method;		   /* "GET", "POST" */
	const char *path;		   /* as on HTTPS; a carrier shortens it by its table */
	const char *content_type, *accept; /* media types, or NULL */
	struct bytes body;
	struct bytes etag; /* of what we have: 304 instead of the same again (coaps; row C-28) */
	size_t reply_max;
	int64_t timeout_ms; /* for the answer; 0: the session's */
};
struct session_reply { /* owned by the caller: session_reply_clear() */
	int status;    /* HTTP's; a CoAP code becomes one (wire/coap_format.h): 5.03 with Max-Age is
			  a 202 with Retry-After */
	struct buf body;
	char content_type[128];
	char location[1024];
	char retry_after[64];
	char date[64];
	uint8_t etag[COAP_ETAG_MAX];
	size_t etag_len; /* 0: none (https: always) */
};
void session_reply_clear(struct session_reply *r);

/* Codes of errors (err_code_of()): why there is no session, or none any more. */
#define SESSION_NO_ADDRESS   "no-address"	  /* the name has none, or nobody could be asked */
#define SESSION_NO_TLS	     "no-tls"		  /* what answers does not speak TLS */
#define SESSION_DENIED	     "certificate-denied" /* it takes none of ours, or not how it signs */
#define SESSION_OTHER_SERVER "other-server"	  /* not the one that same_server says */

struct session;
/* Nothing is sent yet. ERR_INPUT: a scheme that no carrier has. */
struct session *session_new(const struct session_config *config, struct err *e) MUST_CHECK;
void session_free(struct session *s);
bool session_send(struct session *s, const struct session_request *rq, struct session_reply *out,
	struct err *e) MUST_CHECK;
bool session_connect(struct session *s, struct err *e) MUST_CHECK;
const struct cert_list *session_server_chain(const struct session *s);
/* Was the server known by the anchors? Once it is connected. */
bool session_is_verified(const struct session *s);
bool session_is_open(struct session *s);
bool session_channel_binding(struct session *s, struct buf *out, struct err *e) MUST_CHECK;
/* Is the carrier a constrained one: binary bodies, COSE and CBOR, no base64. */
bool session_is_constrained(const struct session *s);

#endif
