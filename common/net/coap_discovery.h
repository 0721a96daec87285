/* SPDX-License-Identifier: Apache-2.0 */
/* Finding each other by plain CoAP (RFC 6690 over RFC 7252, draft-ietf-anima-constrained-voucher
 * §10, draft-ietf-anima-constrained-join-proxy §5; rows, J-20). Two sides:
 *
 * coap_responder answers GET /.well-known/core, asked by unicast or by multicast on the interfaces
 * given, from a small table of offers. Nothing in it is secret and nothing an asker says is kept.
 *
 * coap_query asks once on given interfaces (or one address) and collects who answers. What comes
 * back is a stranger's word: a candidate is a place to try, whoever is there has to prove itself.
 */
#ifndef NET_COAP_DISCOVERY_H
#define NET_COAP_DISCOVERY_H

#include <sys/socket.h>

#include "common/base/log.h"
#include "common/net/loop.h"

#define COAP_PORT  5683
#define COAPS_PORT 5684

#define COAP_GROUP_LINK	 "ff02::fd" /* all CoAP nodes (RFC 7252 §12.8) of the link, */
#define COAP_GROUP_REALM "ff03::fd" /* of the 6LoWPAN realm, */
#define COAP_GROUP_SITE	 "ff05::fd" /* of the site */

/* ---- answering ---- */

enum coap_offer_kind {
	/* A port where pledges join: `<>;brski-jp=PORT` for brski-jp=*, and for rt=brski.jp (older
	 * drafts) `<coaps://[addr]:PORT>;rt=brski.jp`. A proxy's, or a registrar's own (row X-05).
	 */
	COAP_OFFER_JOIN_PORT,
	COAP_OFFER_COAPS, /* `<coaps://[addr]:PORT/path>;rt=…`, "brski" unless said */
	COAP_OFFER_JPY,	  /* `<jpy://[addr]:PORT>;rt=brski.rjp` */
};
struct coap_offer {
	enum coap_offer_kind kind;
	uint16_t port;
	const char *path; /* COAPS: "/b", or NULL */
	const char *rt;	  /* COAPS: NULL is "brski"; "ace.est" */
};
#define COAP_OFFERS_MAX 16

/* [addr] in an offer is the address that the answer is sent from. */
struct coap_responder_config {
	struct loop *loop;
	const struct log *log;
	const char *interface; /* "wpan0": its addresses, and the three groups on it; or NULL */
	const char *address;   /* "127.0.0.1", "fe80::1%eth0": that one, no groups; or NULL */
	uint16_t port;	       /* 0: COAP_PORT */
	bool any_port;	       /* whichever is free: for tests */
	int64_t leisure_ms;    /* 0: the default, see coap_responder.c */
};
struct coap_responder;
/* One socket on one interface or address (exactly one of both is given). Nothing is offered yet.
 * On the loop's thread, or before it runs. */
struct coap_responder *coap_responder_new(
	const struct coap_responder_config *config, struct err *e) MUST_CHECK;
/* Replace what is offered; copied, the strings are borrowed for good. Without offers it is silent
 * to multicast. */
void coap_responder_offer(
	struct coap_responder *r, const struct coap_offer *offers, size_t offer_count);
uint16_t coap_responder_port(const struct coap_responder *r);
void coap_responder_free(struct coap_responder *r);

/* ---- asking ---- */

enum coap_find {
	COAP_FIND_JOIN_PORT, /* ?brski-jp=*, in the link: what a pledge asks */
	COAP_FIND_COAPS,     /* ?rt=brski, in realm and site: what a stateful proxy asks */
	COAP_FIND_JPY,	     /* ?rt=brski.rjp, in realm and site: a stateless proxy */
};
#define COAP_CANDIDATES_MAX 16
struct coap_candidate {
	struct sockaddr_storage at; /* where to go, port and zone included */
	socklen_t at_len;
	struct sockaddr_storage from; /* who said so */
	int64_t after_ms;	      /* how long it took */
};

struct coap_query_config {
	struct loop *loop;
	enum coap_find find;
	const char *const *interfaces; /* names; borrowed for the call */
	size_t interface_count;	       /* 0 with to: none; 0 without: every one that is up and can
					  multicast */
	const struct sockaddr *to;     /* ask this address alone, by unicast; NULL: the groups */
	socklen_t to_len;
	uint16_t port;	    /* 0: COAP_PORT */
	int64_t window_ms;  /* how long answers are waited for; 0: the default, about 4 s */
	bool stop_at_first; /* done with the first answer */
};
struct coap_query;
/* count 0: nobody answered. In the order of arrival, each place once. The query has ended when this
 * is called; free it there or later. */
typedef void coap_found_fn(void *arg, const struct coap_candidate *found, size_t count);
struct coap_query *coap_query_new(const struct coap_query_config *config, coap_found_fn *done,
	void *arg, struct err *e) MUST_CHECK;
void coap_query_free(struct coap_query *q); /* before its end: done is not called */

#endif
