/* SPDX-License-Identifier: Apache-2.0 */
/* Who may become a peer of the CoAPS server, and who has to go for it. There is always room for a
 * device that joins: at a limit the peer goes that has been silent for longest (a handshake that is
 * stuck, when there are too many of them), and a crowd from one source makes room among itself
 * first. On the worker's loop. */
#ifndef NET_COAP_SHED_H
#define NET_COAP_SHED_H

#include "common/net/coap_peer.h"

/* Its cookie is good: is there room for it? Others may be ended for it. */
bool coap_shed_welcome(struct coap_peer *p);
/* It has shown its certificate: false when too many others show the same and none of them can be
 * ended. */
bool coap_shed_identify(struct coap_peer *p, struct err *e) MUST_CHECK;
/* It keeps so many octets in memory now. When all together keep too many, peers are ended, perhaps
 * this one too: the last thing in a turn. */
void coap_shed_account(struct coap_peer *p, size_t held);

#endif
