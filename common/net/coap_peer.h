/* SPDX-License-Identifier: Apache-2.0 */
/* One peer of the CoAPS server, on its loop: where its datagrams come from and go to, its DTLS
 * association, its one timer, its end. What its messages mean is coap_exchange.c's business.
 *
 * Everything happens in turns: a datagram, the timer or an answer starts one, and only when it is
 * over is a peer freed (or shed by another one's turn). */
#ifndef NET_COAP_PEER_H
#define NET_COAP_PEER_H

#include <sys/queue.h>

#include "common/net/call_impl.h"
#include "common/net/coap_exchange.h"
#include "common/net/coap_server.h"
#include "common/net/coap_udp.h"
#include "common/net/dtls.h"
#include "common/net/http_sources.h"
#include "common/wire/jpy.h"

#define COAP_PEER_KEY_MAX (1 + COAP_UDP_KEY_LEN + JPY_HEADER_MAX)
_Static_assert(COAP_PEER_KEY_MAX <= DTLS_COOKIE_KEY_MAX, "a cookie is bound to the whole key");

struct coap_worker;
struct coap_socket;

struct coap_peer {
	LIST_ENTRY(coap_peer) bucket; /* in the worker's table */
	TAILQ_ENTRY(coap_peer) queue; /* in the order of the last sign of life */
	struct coap_worker *worker;
	struct coap_socket *socket; /* that its datagrams come by */
	struct coap_udp_path path;
	uint8_t key[COAP_PEER_KEY_MAX];
	size_t key_len;
	uint8_t header[JPY_HEADER_MAX]; /* of its join proxy's messages */
	size_t header_len;
	struct dtls *dtls;
	struct peer_ref *ref;
	struct coap_exchanges exchanges;
	struct loop_timer timer;
	int64_t begun_ms, alive_ms;	   /* its last datagram */
	int64_t close_ms;		   /* close then; 0: not */
	size_t held;			   /* octets in memory at the end of its last turn */
	uint8_t source[HTTP_SOURCE_LEN];   /* whose share of the limit it uses */
	uint8_t identity[HTTP_SOURCE_LEN]; /* of the digest of its certificate */
	bool counted;			   /* as one of its source's */
	bool entered;			   /* in the worker's table */
	bool established;		   /* in its queue of those */
	bool identified;
	bool in_turn;
	bool dead;
};

/* An empty one, to be filled by who knows the datagram at hand; in no table yet. */
struct coap_peer *coap_peer_new(struct coap_worker *w, struct err *e) MUST_CHECK;
extern const struct dtls_events coap_peer_events; /* arg: the peer */
/* It has an association: start its clock. */
void coap_peer_begin(struct coap_peer *p);
void coap_peer_feed(struct coap_peer *p, struct bytes datagram);
/* The server drains: end it as soon as nothing is on its way. May free it. */
void coap_peer_drain(struct coap_peer *p);
/* Leaves the worker's table and limits. Calls are detached. */
void coap_peer_free(struct coap_peer *p);
/* The same without a word to the other end, which has begun anew. */
void coap_peer_supersede(struct coap_peer *p);
bool coap_peer_is_serving(const struct coap_peer *p);

/* ---- for coap_exchange.c ---- */
const struct coap_server_config *coap_peer_config(const struct coap_peer *p);
/* One message; what cannot be sent is lost. */
void coap_peer_send(struct coap_peer *p, struct bytes message);
/* After an answer that came outside a turn; may free the peer. */
void coap_peer_settle(struct coap_peer *p);
/* Close it when its last answer has had the time to arrive. */
void coap_peer_close_soon(struct coap_peer *p);
struct call *coap_peer_new_call(struct coap_peer *p, const struct call_carrier *carrier, void *arg,
	struct err *e) MUST_CHECK;

#endif
