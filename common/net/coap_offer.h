/* SPDX-License-Identifier: Apache-2.0 */
/* What is said to who asks GET /.well-known/core: the offers that the question is about, as links
 * (RFC 6690 §4.1; rows, J-20). No I/O. */
#ifndef NET_COAP_OFFER_H
#define NET_COAP_OFFER_H

#include "common/net/address.h"
#include "common/net/coap_discovery.h"
#include "common/wire/coap_message.h"

/* Append the offers that all Uri-Query of the question match. at: our address in them. */
bool coap_offers_put(const struct coap_offer *offers, size_t count, const struct address *at,
	const struct coap_message *question, struct buf *out, struct err *e) MUST_CHECK;

#endif
