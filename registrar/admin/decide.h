/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of one decision about one claim, judged on the row as it was read: no I/O. Whoever
 * decides the other way than somebody before them is told so instead of overruling them unseen; a
 * site may ask for two approvers. */
#ifndef REGISTRAR_ADMIN_DECIDE_H
#define REGISTRAR_ADMIN_DECIDE_H

#include "registrar/access/principal.h"
#include "registrar/records/records.h"

enum decide_result {
	DECIDE_DONE,	      /* it is written */
	DECIDE_ONCE,	      /* the first of two approvals is written */
	DECIDE_UNCHANGED,     /* it was decided like that before */
	DECIDE_NOT_FOUND,     /* no such claim, or none this principal may know of */
	DECIDE_SEVERAL,	      /* a serial-number of several manufacturers */
	DECIDE_NOT_ALLOWED,   /* they see it, but do not decide about it */
	DECIDE_ALREADY,	      /* somebody else decided the other way */
	DECIDE_SAME_APPROVER, /* the second approval has to be somebody else's */
	DECIDE_STALE,	      /* it changed since the caller looked at it */
	DECIDE_RESULT_COUNT
};
/* As code of an error and result of an item: "not-found", "already-decided", …; those that are
 * written have the word of the decision. */
const char *decide_result_name(enum decide_result r);
bool decide_is_written(enum decide_result r);

#define DECIDE_ANY_REVISION (-1) /* ADMIN_ANY_REVISION */

struct decision {
	enum claim_state to; /* CLAIM_APPROVED or CLAIM_REJECTED */
	const struct principal *who;
	bool change;	  /* whatever was decided before */
	const char *site; /* where it is to be; NULL: where it is */
	int64_t now;
};
#define DECIDE_DETAIL_MAX 200
struct decide_verdict {
	enum decide_result result;
	enum claim_state to; /* of what is written: an approval before a device asks is another */
	char detail[DECIDE_DETAIL_MAX]; /* a sentence; "" when there is nothing to say */
	char *approvals;		/* owned: JSON text to keep; NULL: none */
};
/* revision: as the caller saw it, or DECIDE_ANY_REVISION. approvers: how many the site asks for.
 * False: ERR_NO_MEMORY. */
bool decide_judge(const struct decision *d, const struct claim_row *row, int64_t revision,
	int approvers, struct decide_verdict *out, struct err *e) MUST_CHECK;

#endif
