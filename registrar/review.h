/* SPDX-License-Identifier: Apache-2.0 */
/* Judge a device that has its voucher already: take its stored registrar request, ask the MASA,
 * record the verdict, raise the alarm. */
#ifndef REGISTRAR_REVIEW_H
#define REGISTRAR_REVIEW_H

#include "registrar/history.h"

struct review_case { /* borrowed for the call */
	struct registrar_setup *setup;
	const struct manufacturer *manufacturer;
	const struct cert *idevid;
	struct device_key device;
	const char *media_type; /* of the stored request */
	const char *exchange;
};

/* done (may be NULL) is called on l's thread when the verdict is durable or there is none. When
 * there is nothing to ask with, *asked is false and done is not called. False: could not be
 * started. */
bool review_device(struct registrar *r, struct loop *l, const struct review_case *c,
	history_done *done, void *arg, bool *asked, struct err *e) MUST_CHECK;

#endif
