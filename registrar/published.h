/* SPDX-License-Identifier: Apache-2.0 */
/* A listener for who verifies certificates of this site: what the issuing CAs have signed about
 * them, over plain HTTP, for anybody, and nothing else. Over HTTPS a verifier would first have to
 * know whether our own certificate is good (RFC 5280 §8, RFC 6960 §5). Off unless [ca] http_listen
 * names an address.
 *
 * It has a thread and a loop of its own, behind the others where processors are few, on which
 * strangers' questions are answered wherever they came in: devices do not wait for them. */
#ifndef REGISTRAR_PUBLISHED_H
#define REGISTRAR_PUBLISHED_H

#include "registrar/registrar.h"

/* Is http_listen an address? For --check: nothing is bound. */
bool published_address_check(const struct registrar_config *c, struct err *e) MUST_CHECK;
/* The thread always, the listener where one is configured. */
bool published_start(struct registrar *r, struct err *e) MUST_CHECK;

struct errand {
	loop_fn *work; /* called on the thread */
	loop_fn *done; /* then on the loop it came from */
	loop_fn *drop; /* instead of either, when the process ends before */
};
/* Also from its own loop, so that of many who ask each has a turn. ERR_RETRY_LATER: too many from
 * elsewhere wait, ERR_NO_MEMORY: nothing is called. On the thread of `home`. */
bool published_run(struct registrar *r, struct loop *home, const struct errand *what, void *arg,
	struct err *e) MUST_CHECK;

bool published_listens(const struct registrar *r);
/* What is on its way is answered; done(r) is called once. Not without a listener. Any thread. */
void published_drain(struct registrar *r, loop_fn *done);
/* Zeros without a listener. Any thread. */
void published_counts(const struct registrar *r, struct server_counts *out);
/* While the store is still there; also what published_start() left behind. */
void published_end(struct registrar *r);

#endif
