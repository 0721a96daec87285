/* SPDX-License-Identifier: Apache-2.0 */
/* A listener for who verifies certificates of this site: what the issuing CAs have signed about
 * them, over plain HTTP, for anybody, and nothing else. Over HTTPS a verifier would first have to
 * know whether our own certificate is good (RFC 5280 §8, RFC 6960 §5). Off unless [ca] http_listen
 * names an address.
 *
 * It has a thread and a loop of its own, behind the others where processors are few: whatever
 * strangers ask for here, devices do not wait for it. */
#ifndef REGISTRAR_PUBLISHED_H
#define REGISTRAR_PUBLISHED_H

#include "registrar/registrar.h"

/* Is http_listen an address? For --check: nothing is bound. */
bool published_address_check(const struct registrar_config *c, struct err *e) MUST_CHECK;
bool published_start(struct registrar *r, struct err *e) MUST_CHECK;
/* What is on its way is answered; done(r) is called once. Not without a listener. Any thread. */
void published_drain(struct registrar *r, loop_fn *done);
/* Zeros without a listener. Any thread. */
void published_counts(const struct registrar *r, struct server_counts *out);
/* While the store is still there; also what published_start() left behind. */
void published_end(struct registrar *r);

#endif
