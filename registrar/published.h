/* SPDX-License-Identifier: Apache-2.0 */
/* A listener for who verifies certificates of this site: what the issuing CAs have signed about
 * them, over plain HTTP, for anybody, and nothing else. Over HTTPS a verifier would first have to
 * know whether our own certificate is good (RFC 5280 §8, RFC 6960 §5). Off unless [ca] http_listen
 * names an address. */
#ifndef REGISTRAR_PUBLISHED_H
#define REGISTRAR_PUBLISHED_H

#include "registrar/registrar.h"

/* Is http_listen an address? For --check: nothing is bound. */
bool published_address_check(const struct registrar_config *c, struct err *e) MUST_CHECK;
/* On every loop, none of which runs yet. */
bool published_start(
	struct registrar *r, struct loop **loops, size_t loop_count, struct err *e) MUST_CHECK;

#endif
