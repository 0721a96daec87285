/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar towards constrained devices: the same handlers as over HTTPS, on CoAP over DTLS
 * (RFC 9148; draft-ietf-anima-constrained-voucher §6), directly and through stateless join proxies.
 */
#ifndef REGISTRAR_COAP_H
#define REGISTRAR_COAP_H

#include "registrar/registrar.h"

extern const struct coap_route registrar_coap_routes[];
extern const size_t registrar_coap_route_count;
extern const struct coap_root registrar_coap_roots[];
extern const size_t registrar_coap_root_count;

/* Could the configured addresses be listened on? Nothing is bound. */
bool coap_addresses_check(const struct registrar_config *c, struct err *e) MUST_CHECK;
/* Serve as configured, and be found where configured; r->coap stays NULL when [coaps] has no
 * listen.
 */
bool coap_start(
	struct registrar *r, struct loop **loops, size_t loop_count, struct err *e) MUST_CHECK;
/* Be found no longer, answer what is on its way; done(r) is called once. Any thread. */
void coap_drain(struct registrar *r, loop_fn *done);
/* After the loops have stopped; also what coap_start() left behind. */
void coap_stop(struct registrar *r);

#endif
