/* SPDX-License-Identifier: Apache-2.0 */
/* Asynchronous HTTPS client on a loop (libcurl multi): registrar → MASA. HTTP/2 multiplexed on one
 * connection per host when the server offers it, certificates checked against the anchors given and
 * nothing else (CAPATH off), host name by DNS-ID, SNI sent, redirects never followed, cookies never
 * kept, time-outs always set. The one exception to HTTPS is asked for by name: signed_object. */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include "common/net/loop.h"
#include "common/pki/chain.h"
#include "common/pki/identity.h"
#include "common/wire/uri.h"

enum http_address_class { /* where a name may resolve to (bits); others are not connected to */
	HTTP_ADDR_GLOBAL = 1,
	HTTP_ADDR_PRIVATE = 2, /* 10/8, 172.16/12, 192.168/16, fc00::/7, 100.64/10 */
	HTTP_ADDR_LOOPBACK = 4,
	HTTP_ADDR_LINK_LOCAL = 8,
};

/* The words for them in configurations, in the order of their bits; NULL at the end. */
extern const char *const http_address_class_names[];

struct http_client; /* one per loop */
struct http_client *http_client_new(struct loop *l, struct err *e) MUST_CHECK;
/* Outstanding requests are dropped, done is not called. Before its loop is freed; never from done.
 */
void http_client_free(struct http_client *c);

struct http_field_text {
	const char *name, *value;
};

struct http_fetch {
	struct uri uri;			      /* where; path includes the resource */
	const char *method;		      /* "GET" or "POST" */
	const char *content_type;	      /* for a body; else NULL */
	const char *accept;		      /* or NULL */
	const char *exchange;		      /* X-Request-Id, or NULL */
	const struct http_field_text *fields; /* further ones, for the call */
	size_t field_count;
	/* As PEM text; borrowed until done() was called or the client is freed: a file could change
	 * between two connections without anybody having checked it. */
	struct bytes ca_pem;			      /* anchors for the server's certificate */
	struct bytes client_cert_pem, client_key_pem; /* mutual TLS; len 0: none */
	const char *basic_user, *basic_password;      /* HTTP Basic, only inside TLS; or NULL */
	struct bytes body;			      /* copied */
	size_t reply_max;			      /* more octets than this → ERR_PEER */
	int64_t connect_ms, timeout_ms; /* 2 s per attempt, 10 s in all are good values */
	unsigned address_classes;	/* bits of http_address_class */
	/* The answer is an object with a signature of its own, which the caller verifies (a
	 * revocation list): http is allowed, and with https the server may have any certificate.
	 * Nothing may be sent along that tells who we are: no certificate, no password. */
	bool signed_object;
	/* http is allowed to this very machine: address_classes is HTTP_ADDR_LOOPBACK alone. No
	 * certificate and no password goes along. */
	bool plain_loopback;
};

struct http_reply {
	int status;
	struct bytes body;
	const char *content_type;		       /* "" when absent */
	const char *location;			       /* or NULL */
	const char *retry_after;		       /* or NULL */
	const char *date;			       /* or NULL */
	const char *brski_timestamp, *brski_signature; /* X-Brski-…; or NULL */
};

/* Exactly one of reply and e is NULL; both borrowed for the call.
 * ERR_PEER_TIMEOUT, ERR_RETRY_LATER (name or address not reachable), ERR_REFUSED (every address of
 * the name is of a class not allowed), ERR_PEER (TLS, protocol, lost, too large), ERR_IO (a PEM
 * text cannot be used), ERR_NO_MEMORY. A status code of any value is a reply. */
typedef void http_done(void *arg, const struct http_reply *reply, const struct err *e);
/* Start a request; done is called later, on the loop's thread, exactly once, unless false came
 * back. */
bool http_fetch(struct http_client *c, const struct http_fetch *f, http_done *done, void *arg,
	struct err *e) MUST_CHECK;

#endif
