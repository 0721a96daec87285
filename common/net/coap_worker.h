/* SPDX-License-Identifier: Apache-2.0 */
/* The CoAPS server's share on one loop: its sockets, its peers, its calls. Only the counters and
 * the DTLS context are shared between loops. Each has its share of the server's limits, because
 * none can end another one's peers. */
#ifndef NET_COAP_WORKER_H
#define NET_COAP_WORKER_H

#include <stdatomic.h>

#include "common/base/siphash.h"
#include "common/net/coap_peer.h"
#include "common/net/drain.h"
#include "common/net/shed_log.h"
#include "common/net/tls_slot.h"

#define COAP_BUCKETS 4096 /* chains stay short with some thousand peers */

struct coap_socket {
	struct coap_worker *worker;
	int fd;	  /* -1: none */
	bool jpy; /* a join proxy's messages */
	struct event *readable;
};
enum coap_socket_kind { COAP_SOCKET_PLAIN, COAP_SOCKET_JPY, COAP_SOCKET_COUNT };

TAILQ_HEAD(coap_queue, coap_peer);
struct coap_worker {
	struct coap_server *server;
	struct loop *loop;
	struct coap_socket sockets[COAP_SOCKET_COUNT];
	struct dtls_listener *listener;
	struct tls_server *tls;	    /* that the listener has */
	struct coap_peer *prospect; /* becomes the next peer */
	LIST_HEAD(coap_bucket, coap_peer) buckets[COAP_BUCKETS];
	uint8_t hash_key[SIPHASH_KEY_LEN];
	struct coap_queue handshaking; /* oldest first */
	struct coap_queue open;	       /* longest silent first */
	struct call_list calls;
	uint8_t *datagram; /* the one at hand */
	struct buf wrapped;
	size_t session_count, handshake_count;
	size_t held; /* octets of bodies and stored answers */
	struct shed_log shed_log;
	struct drain_share drain;
};

struct coap_server {
	struct coap_server_config config;
	struct coap_worker *workers;
	size_t worker_count;
	struct http_sources *sources;
	struct http_sources *identities;
	uint16_t ports[COAP_SOCKET_COUNT];
	struct tls_slot tls;
	atomic_size_t sessions;
	atomic_int_fast64_t next_connection_id;
	struct server_tally tally;
	struct drain drain;
};

/* Start receiving; before its loop runs. */
bool coap_worker_init(struct coap_worker *w, struct err *e) MUST_CHECK;
/* On its loop. */
void coap_worker_drain(void *worker);
void coap_worker_clear(struct coap_worker *w);

/* ---- for peers ---- */
bool coap_worker_send(struct coap_peer *p, struct bytes datagram);
/* A datagram has come from it. */
void coap_worker_alive(struct coap_peer *p);
void coap_worker_leave(struct coap_peer *p);
int64_t coap_worker_next_id(struct coap_worker *w);

#endif
