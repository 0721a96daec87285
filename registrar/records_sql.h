/* SPDX-License-Identifier: Apache-2.0 */
/* The statements behind records.h by name; only records*.c include this. */
#ifndef REGISTRAR_RECORDS_SQL_H
#define REGISTRAR_RECORDS_SQL_H

#include "common/run/store.h"

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
	NOTE_DECISION,
	NOTE_DECISIONS,
	DECIDE_CLAIM,
	DECIDE_PENDING,
	IMPORT_CLAIMS,
	NOTE_IMPORTED,
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

#endif
