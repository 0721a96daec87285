/* SPDX-License-Identifier: Apache-2.0 */
/* A device that nobody near it lets in asks its manufacturer's cloud registrar, which sends it to
 * its owner's registrar or says in the voucher where to enrol (draft-ietf-anima-brski-cloud §3).
 *
 * The cloud registrar is never provisional: the implicit anchors and its name in the certificate
 * know it before a word of HTTP is said. Where it sends the device, the server may be known in the
 * same way, and is then believed like the cloud registrar; or it is not, and is then a registrar
 * like one found in the local network, provisional until the voucher names it (§3.3.1, §9.3). */
#ifndef PLEDGE_CLOUD_H
#define PLEDGE_CLOUD_H

#include "pledge/exchange.h"

/* What an exchange that starts at the cloud registrar begins with, before it connects. */
bool cloud_begin(struct exchange *x, struct err *e) MUST_CHECK;
/* Before connecting to x->server: how it has to be known. */
void cloud_expect(struct exchange *x);

/* A 307 to there: may it be followed, and was the device not there before? The place is noted.
 * From a server that is not verified it is an error, which the cloud registrar is told of
 * (CLOUD-PLG-004, -005). */
bool cloud_may_follow(struct exchange *x, const struct uri *target, struct err *e) MUST_CHECK;

/* A 401 that says when to come back, from who is verified: nobody has claimed the device yet. Has
 * waited, and the request may be made anew; false: the answer is an error like any other
 * (CLOUD-PLG-007, T-13). */
bool cloud_waits_for_claim(struct exchange *x, const struct session_reply *reply);

/* The voucher names an EST server: connect to it, known by the pin, beside the session with the
 * cloud registrar. Nothing is sent on it yet (CLOUD-PLG-008, -011). */
bool cloud_meet_est(struct exchange *x, struct err *e) MUST_CHECK;
/* From here on it is the one we talk to; the cloud registrar has been told. */
bool cloud_enter_est(struct exchange *x, struct err *e) MUST_CHECK;

/* Fetch what additional-configuration-url names, into the state directory; whatever becomes of it
 * is no failure of the onboarding (CLOUD-PLG-013). */
bool cloud_fetch_configuration(struct exchange *x, struct err *e) MUST_CHECK;

/* After a failure on the way that was no loop the device begins again at the cloud registrar, else
 * with what is near it (CLOUD-PLG-015). */
bool cloud_starts_over(const struct exchange *x);

#endif
