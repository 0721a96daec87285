/* SPDX-License-Identifier: Apache-2.0 */
/* Telling others which certificates of ours are revoked: the list (RFC 5280 §5) of each issuing CA,
 * made after each revocation, at the start, after a reload, and at half of its time. It is stored
 * before it is given out, so that no two lists have one number, and it is there again after a
 * restart. Of several registrars with one database each makes the list after a revocation of its
 * own, the one that leads in time, and all give out the last. We ourselves do not ask it: see
 * records_certificate(). */
#ifndef REGISTRAR_REVOKED_H
#define REGISTRAR_REVOKED_H

#include "registrar/registrar.h"

#define REVOKED_PATH	     "/issuing.crl"
#define REVOKED_STANDBY_PATH "/standby.crl" /* of the second issuing CA */

/* Where devices are served, for anybody: application/pkix-crl (RFC 2585 §4.2). */
void revoked_serve(struct call *c, void *registrar);
void revoked_serve_standby(struct call *c, void *registrar);

bool revoked_start(struct registrar *r, struct err *e) MUST_CHECK;
/* Make the list anew; what fails is in the log and tried again. On the loop of the first worker. */
void revoked_publish(struct registrar *r);
/* Another registrar may have made one: then it is ours, too. On the loop of the first worker. */
void revoked_follow(struct registrar *r);
/* The CA may be another now. On the main thread. */
void revoked_reload(struct registrar *r);
/* 0: there is no list. Any thread. */
int64_t revoked_next_update(struct registrar *r, enum ca_slot slot);
/* When the loops have stopped; NULL members are fine. */
void revoked_end(struct registrar *r);

#endif
