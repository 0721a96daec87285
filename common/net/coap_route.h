/* SPDX-License-Identifier: Apache-2.0 */
/* Which resource a CoAP request is for and what it is refused for before its body is looked at
 * (RFC 7252 §5.4, §5.7, §5.10; RFC 7959 is somebody else's business): 4.02, 4.04, 4.05, 4.06, 4.15,
 * 5.05. No state, no transport. */
#ifndef NET_COAP_ROUTE_H
#define NET_COAP_ROUTE_H

#include "common/net/coap_server.h"
#include "common/pki/digest.h"
#include "common/wire/coap_message.h"

#define COAP_TARGET_MAX 512 /* path and query; ours are below 64 */
#define COAP_LINKS_MAX	4096

struct coap_verdict {
	const struct coap_route *route; /* NULL: refused, or is_core */
	bool is_core;			/* /.well-known/core */
	uint8_t code;			/* of a refusal */
	const char *sentence;
	uint32_t accept;		  /* COAP_FORMAT_NONE: the handler's choice */
	uint32_t content_format;	  /* COAP_FORMAT_NONE: not said */
	char target[COAP_TARGET_MAX + 1]; /* the route's path and the query */
	uint8_t key[SHA256_LEN];	  /* same method, target and Accept, same key */
};

void coap_route_find(const struct coap_server_config *config, const struct coap_message *m,
	struct coap_verdict *out);
/* What /.well-known/core says, filtered by the request's Uri-Query (RFC 6690 §4.1). */
bool coap_route_links(const struct coap_server_config *config, const struct coap_message *m,
	struct buf *out, struct err *e) MUST_CHECK;

#endif
