/* SPDX-License-Identifier: Apache-2.0 */
/* The statements behind records.h by name; only records/ includes this. */
#ifndef REGISTRAR_RECORDS_SQL_H
#define REGISTRAR_RECORDS_SQL_H

#include "registrar/records/records.h"

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
	FIND_BY_PREFIX,
	FIND_ANYWHERE,
	LAST_DEVICE,
	READ_HISTORY,
	READ_LISTED,
	READ_JOURNAL,
	LIST_JOURNAL,
	LIST_EVENTS,
	LAST_JOURNAL,
	LIST_HEADS,
	LAST_HEAD,
	LIST_CERTIFICATES,
	LIST_REVOKED,
	READ_BY_NUMBER,
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
	LIST_MARKED,
	ADD_FAILURE,
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
	JOIN_MEMBER,
	BEAT_MEMBER,
	DROP_MEMBER,
	DROP_MEMBERS,
	LIST_MEMBERS,
	RESERVE,
	UNRESERVE,
	DROP_RESERVATIONS,
	READ_NEWS,
	READ_CRL_NUMBER,
	SWEEP_JOBS,
	IMPORT_CLAIMS,
	ANNOUNCE_CLAIMS,
	NOTE_IMPORTED,
	LIST_SITES,
	READ_SITE,
	READ_SITE_POLICY,
	READ_SITE_USES,
	ADD_SITE,
	SET_SITE,
	REMOVE_SITE,
	LIST_RULES,
	ADD_RULE,
	REMOVE_RULE,
	PLACE_RULE,
	ENABLE_RULE,
	PLACE_BY_RULE,
	DECIDE_ASKED,
	SHIFT_RULES,
	CLOSE_RULES,
	USE_RULE,
	APPROVE_BY_RULE,
	LAST_NUMBER,
	TAKE_NUMBER,
	LIST_HOOKS,
	ADD_HOOK,
	REMOVE_HOOK,
	ENABLE_HOOK,
	SAVE_HOOK,
	FAIL_HOOK,
	LIST_DEAD,
	WANTED_DEAD,
	ADD_DEAD,
	COUNT_DROPPED,
	TRIM_DEAD,
	BURY_AGAIN,
	WANT_DEAD,
	DROP_DEAD,
	ADD_JOURNAL,
	ADD_HEAD,
	NOTE_SIGNAL,
	NOTE_FRAUD_QUARANTINE,
	MARK_DEVICE,
	CLEAR_MARKS,
	DROP_OLD_CERTIFICATES,
	RETIRE_DEVICE,
	REPLACE_DEVICE,
	ADD_REPLACEMENT,
	QUARANTINE_DEVICE,
	RELEASE_DEVICE,
	MOVE_DEVICE,
	LABEL_DEVICE,
	REVOKE_CERTIFICATES,
	KEEP_CRL,
	NOTE_EXPIRED,
	BEGIN_ENDS,
	NOTE_ENDS,
	PASS_ENDS,
	EXPIRE_CLAIMS,
	SWEEP_CLAIMS,
	SWEEP_JOURNAL_AGE,
	SWEEP_JOURNAL_ROWS,
	SWEEP_HEADS,
	THIN_HEADS,
	SWEEP_CERTIFICATES,
	COUNT_ENDING,
	JOURNAL_LINE,
	JOURNAL_LAST,
	/* users: records/users.c */
	LIST_USERS,
	READ_USER,
	LIST_GRANTS,
	READ_LOGIN,
	READ_SESSION,
	READ_TOKEN,
	READ_USER_OF_CERTIFICATE,
	LIST_TOKENS,
	LIST_USER_CERTIFICATES,
	ADD_USER,
	SET_CODE,
	USE_CODE,
	ADD_GRANT,
	REMOVE_GRANT,
	REMOVE_GRANTS,
	DISABLE_USER,
	ENABLE_USER,
	REMOVE_USER,
	ADD_USER_CERTIFICATE,
	REMOVE_USER_CERTIFICATE,
	REMOVE_USER_CERTIFICATES,
	SET_PASSWORD,
	CHANGE_PASSWORD,
	NOTE_LOGIN,
	ADD_SESSION,
	TOUCH_SESSION,
	END_SESSION,
	END_SESSIONS,
	SWEEP_SESSIONS,
	ADD_TOKEN,
	TOUCH_TOKEN,
	REMOVE_TOKEN,
	REMOVE_TOKENS,
	READ_ALLOCATION,
	PUT_ALLOCATION,
	/* vouchers without a nonce: records/ahead.c */
	LIST_AHEAD,
	READ_AHEAD,
	FIND_AHEAD,
	DUE_AHEAD,
	UNCHECKED_AHEAD,
	COUNT_AHEAD,
	KEEP_AHEAD,
	DELAY_AHEAD,
	END_AHEAD,
	DROP_AHEAD,
	USE_AHEAD,
	CHECK_AHEAD,
	SWEEP_AHEAD,
	READ_ISSUING,
	CHOOSE_ISSUING,
	STATEMENT_COUNT
};

struct fraud;
struct journal_entry;
#define FRAUD_OPS_MAX 7
/* What was found about the device of line j, as operations (records/fraud.c); how many. */
size_t fraud_ops(const struct fraud *f, const struct journal_entry *j, struct store_op *ops);

/* Line j as an operation of the transaction of what it tells of. */
struct store_op journal_op(const struct journal_entry *j);
/* All of ops in one transaction, or none; w hears of its end. */
bool records_write(const struct records_writer *w, const struct store_op *ops, size_t count,
	struct err *e) MUST_CHECK;

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

/* Behind a text: where those that begin with it end. The last character there is, for PostgreSQL
 * takes nothing that is no UTF-8. */
#define RANGE_END "\xf4\x8f\xbf\xbf"

/* Parts of statements that several have, and those of PostgreSQL as well. */
#define CLAIM_COLUMNS                                                                              \
	"id, manufacturer, serial, subject, claim, claim_reason, claim_by, state, history, "       \
	"history_reason, voucher_status, enroll_status, first_seen, last_seen, claim_at, "         \
	"vouched_at, enrolled_at, claim_until, site, labels, model, address, revision, "           \
	"quarantined_at, quarantine_reason, retired_at, not_after, rejoined_at, replaces, "        \
	"replaced_by, marks, approvals, standing"

#define JOURNAL_COLUMNS "id, at, exchange, manufacturer, serial, actor, step, outcome, reason, hash"

/* Ends of certificates, of kind $1, up to which devices were told of; and up to which they are
 * next, not beyond $2: so many at a time, with all that end in the same second. */
#define ENDS_PASSED "(SELECT last FROM number WHERE kind = $1)"
#define ENDS_NEXT                                                                                  \
	"coalesce((SELECT min(not_after, $2) FROM device WHERE not_after > " ENDS_PASSED           \
	" ORDER BY device.not_after LIMIT 1 OFFSET 999), $2)"

#endif
