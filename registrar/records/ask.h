/* SPDX-License-Identifier: Apache-2.0 */
/* What a program of the site decided about a claim that a rule asked it about. */
#ifndef REGISTRAR_RECORDS_ASK_H
#define REGISTRAR_RECORDS_ASK_H

#include "registrar/records/records.h"

struct asked_record {
	enum claim_state to;	   /* CLAIM_APPROVED or CLAIM_REJECTED */
	int64_t until;		   /* of an approval that no device uses; 0: without an end */
	const char *site, *labels; /* for a device that nobody placed; NULL: as it is */
};
/* j names device, actor and reason. ERR_CONFLICT: its claim is no longer open, or it was revoked or
 * quarantined meanwhile. */
bool records_decide_asked(const struct records_writer *w, const struct asked_record *d,
	const struct journal_entry *j, struct err *e) MUST_CHECK;

#endif
