/* SPDX-License-Identifier: Apache-2.0 */
/* A look at the MASA's voucher before it goes to the pledge, octets unchanged (R8995-REG-037). A
 * MASA that lies or errs is found here and not by a device that gives up. No I/O. */
#ifndef REGISTRAR_VET_H
#define REGISTRAR_VET_H

#include "common/message/voucher_format.h"
#include "registrar/domain.h"

struct vetting { /* all borrowed */
	const struct voucher_format *format;
	struct anchors *masa_anchors;
	const struct domain *domain;
	struct cert_cache *cache;
	const struct cert *idevid;  /* of the device that asked; NULL: none has yet */
	const char *serial, *nonce; /* what was asked for; nonce NULL: without one */
	bool bare_keys;		    /* may be signed with a key that no anchor speaks for */
	bool names_est;		    /* of a cloud registrar: it pins the EST server it names */
	int64_t now;
};

/* ERR_PEER saying what is wrong with it. */
bool vet_voucher(const struct vetting *v, struct bytes octets, struct err *e) MUST_CHECK;

#endif
