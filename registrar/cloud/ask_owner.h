/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the device's MASA whose it is (brski-masa(8), CLOUD REGISTRARS). */
#ifndef REGISTRAR_CLOUD_ASK_OWNER_H
#define REGISTRAR_CLOUD_ASK_OWNER_H

#include "registrar/onboard.h"

/* A step: GET …/lookup/SERIAL at the MASA, with our certificate or a token. */
enum step_result ask_owner(struct onboard *o, struct err *e);
/* Its answer into o->cloud->places. ERR_UNKNOWN_DEVICE, ERR_RETRY_LATER, ERR_PEER. */
bool ask_owner_read(struct onboard *o, struct err *e) MUST_CHECK;

#endif
