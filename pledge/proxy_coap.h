/* SPDX-License-Identifier: Apache-2.0 */
/* CoAPS through the proxy: which registrars, in which of the two ways, at which ports, and telling
 * devices that ask (draft-ietf-anima-constrained-join-proxy §4.1, §4.6, §5; rows J-01, J-18, J-20,
 * J-21). Registrars are configured, or looked for and looked for again. */
#ifndef PLEDGE_PROXY_COAP_H
#define PLEDGE_PROXY_COAP_H

#include "common/wire/uri.h"
#include "pledge/config.h"
#include "pledge/proxy_relay.h"

/* Join ports that are offered; of more registrars these are taken (row J-21). */
#define COAP_REGISTRARS_MAX 4

struct proxy_coap_config {
	struct loop *loop;
	const struct log *log;
	const struct proxy_options *options; /* borrowed, as all that follows */
	const struct place *places;
	size_t place_count;
	const struct uri *registrars; /* configured; others than coaps and jpy are passed over */
	size_t registrar_count;
	bool find;	       /* none are configured: look for them */
	uint16_t ask_port;     /* where they are asked; 0: CoAP's */
	const struct uri *own; /* the device's own registrar, when none is found; or NULL */
};

struct proxy_coap;
/* The configured ones are served when it returns, others when they are found. */
struct proxy_coap *proxy_coap_new(const struct proxy_coap_config *config, struct err *e) MUST_CHECK;
/* Will there ever be something to do? */
bool proxy_coap_is_idle(const struct proxy_coap *p);
/* No offers any more; what is on its way goes on. */
void proxy_coap_drain(struct proxy_coap *p);
/* Since when nothing was relayed, in ms. */
int64_t proxy_coap_quiet_ms(const struct proxy_coap *p);
void proxy_coap_free(struct proxy_coap *p);

#endif
