/* SPDX-License-Identifier: Apache-2.0 */
/* May this device join? (RFC 8995 §5.3; R8995-REG-012, -058) */
#ifndef REGISTRAR_CLAIM_H
#define REGISTRAR_CLAIM_H

#include "registrar/config.h"
#include "registrar/records.h"

#define CLAIM_REJECTED_SENTENCE "An administrator has rejected this device."

enum claim_answer {
	CLAIM_ADMIT,
	CLAIM_HOLD,	/* an administrator decides: 202 */
	CLAIM_REFUSE,	/* an administrator said no: 404 */
	CLAIM_UNWANTED, /* not on the list: 404 */
};

/* The whole policy: what the manufacturer's section says, whether the serial is in its file, what
 * an administrator said. No I/O. */
enum claim_answer claim_decide(enum admit_policy admit, bool listed, enum claim_state said);

#endif
