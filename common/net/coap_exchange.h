/* SPDX-License-Identifier: Apache-2.0 */
/* The message layer of the CoAPS server for one peer (RFC 7252 §4, §5; RFC 7959): which message is
 * which request's, what has been answered already, who still waits. See coap_exchange.c. */
#ifndef NET_COAP_EXCHANGE_H
#define NET_COAP_EXCHANGE_H

#include "common/net/coap_transfer.h"

struct coap_peer;
struct coap_exchange;
struct coap_work;

struct coap_exchanges {
	TAILQ_HEAD(coap_exchange_list, coap_exchange) list; /* oldest first */
	TAILQ_HEAD(coap_work_list, coap_work) works;
	struct coap_transfers transfers;
	size_t count, work_count;
	uint16_t next_id;
};

void coap_exchanges_init(struct coap_exchanges *x);
/* Detaches the calls that run. */
void coap_exchanges_clear(struct coap_exchanges *x);
/* One message of the peer. */
void coap_exchanges_receive(struct coap_peer *p, struct bytes octets);
/* Do what is due; when the next thing is, INT64_MAX: nothing. */
int64_t coap_exchanges_on_time(struct coap_peer *p, int64_t now_ms);
size_t coap_exchanges_size(const struct coap_exchanges *x);
/* A handler works for it. */
bool coap_exchanges_serving(const struct coap_exchanges *x);
/* Something is on its way in, out or with a handler. */
bool coap_exchanges_busy(const struct coap_exchanges *x);

#endif
