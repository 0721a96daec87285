/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a program of the site to which of an owner's registrars a device is sent: signed as
 * notify/hook_send.h says, its answer too. */
#ifndef REGISTRAR_CLOUD_WEBHOOK_H
#define REGISTRAR_CLOUD_WEBHOOK_H

#include "registrar/onboard.h"

struct places;
struct place;

/* Send the question; onboard_resume() is called with the choice in o->cloud, or with
 * ERR_RETRY_LATER: without an answer nobody is sent anywhere. */
bool webhook_ask(struct onboard *o, struct err *e) MUST_CHECK;

/* The answer's body, verified before: {"id", "registrar": one of the owner's}. NULL: ERR_PEER. */
const struct place *webhook_read(
	struct bytes body, const char *id, const struct places *places, struct err *e) MUST_CHECK;

#endif
