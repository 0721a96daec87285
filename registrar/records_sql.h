/* SPDX-License-Identifier: Apache-2.0 */
/* The statements behind records.h by name; only records*.c include this. */
#ifndef REGISTRAR_RECORDS_SQL_H
#define REGISTRAR_RECORDS_SQL_H

#include "registrar/records.h"

enum statement {
	READ_DEVICE,
	READ_VOUCHER,
	READ_REGISTRAR_REQUEST,
	READ_CERTIFICATE,
	READ_CERTIFICATE_FOR,
	READ_TALLY,
	OLDEST_PENDING,
	LIST_CLAIMS,
	LIST_CLAIMS_IN,
	LIST_DEVICES,
	FIND_BY_SERIAL,
	FIND_BY_ID,
	READ_LISTED,
	READ_JOURNAL,
	LIST_JOURNAL,
	LAST_JOURNAL,
	LIST_HEADS,
	LAST_HEAD,
	LIST_CERTIFICATES,
	LIST_REVOKED,
	LIST_BY_END,
	LIST_VOUCHERS,
	LIST_HOURS,
	LIST_ENDS,
	COUNT_DEVICES_OF,
	COUNT_PENDING_OF,
	READ_CRL,
	ADD_DEVICE,
	HOLD_DEVICE,
	TOUCH_DEVICE,
	SETTLE_CLAIM,
	KEEP_VOUCHER,
	JUDGE_HISTORY,
	REFUSE_DEVICE,
	ADD_CERTIFICATE,
	ENROLL_DEVICE,
	NOTE_VOUCHER_STATUS,
	NOTE_ENROLL_STATUS,
	COUNT_BY_SERIAL,
	COUNT_BY_SITE,
	COUNT_BY_MANUFACTURER,
	LIST_BY_SERIAL,
	LIST_BY_SITE,
	LIST_BY_MANUFACTURER,
	LIST_BY_IDS,
	LIST_DEVICES_IN,
	LIST_CAREFUL_SITES,
	NOTE_VERDICTS,
	DECIDE_ROWS,
	LIST_JOBS,
	SHOW_JOB,
	ADD_JOB,
	STEP_JOB,
	END_JOB,
	NOTE_INTERRUPTED,
	INTERRUPT_JOBS,
	SWEEP_JOBS,
	IMPORT_CLAIMS,
	NOTE_IMPORTED,
	LIST_SITES,
	READ_SITE,
	READ_SITE_POLICY,
	ADD_SITE,
	SET_SITE,
	REMOVE_SITE,
	LIST_RULES,
	ADD_RULE,
	REMOVE_RULE,
	PLACE_RULE,
	SHIFT_RULES,
	CLOSE_RULES,
	USE_RULE,
	APPROVE_BY_RULE,
	ADD_JOURNAL,
	ADD_HEAD,
	REVOKE_DEVICE,
	REVOKE_CERTIFICATES,
	KEEP_CRL,
	NOTE_EXPIRED,
	EXPIRE_CLAIMS,
	SWEEP_CLAIMS,
	SWEEP_JOURNAL_AGE,
	SWEEP_JOURNAL_ROWS,
	SWEEP_HEADS,
	THIN_HEADS,
	SWEEP_CERTIFICATES,
	COUNT_ENDING,
	STATEMENT_COUNT
};

/* store_read() with the values of its parameters written out. */
#define READ(s, statement, fn, arg, e, ...)                                                        \
	store_read(s, statement, (const struct store_value[]){__VA_ARGS__},                        \
		sizeof((const struct store_value[]){__VA_ARGS__}) / sizeof(struct store_value),    \
		fn, arg, NULL, e)

/* A row of the columns every list of claims and devices has; arg of records_claim_row(). */
struct claim_reader {
	records_claim_fn *fn;
	void *arg;
};
bool records_claim_row(void *arg, const struct store_row *r, struct err *e) MUST_CHECK;

#endif
