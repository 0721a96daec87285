/* SPDX-License-Identifier: Apache-2.0 */
/* What a voucher says, and its signature. Deciding and signing are two steps, because between them
 * the audit entry becomes durable: a voucher without one breaks the security argument (RFC 8995
 * §5.6). */
#ifndef MASA_ISSUE_H
#define MASA_ISSUE_H

#include "masa/owner.h"

enum pin { PIN_LOWEST_CA, PIN_END_ENTITY, PIN_HIGHEST_CA };

struct issue_policy {
	enum pin pin; /* for nonced vouchers; nonceless pin the highest CA */
	int64_t nonceless_lifetime_s;
	int64_t renewal_promise_s; /* nonceless: how long renewals are promised; 0: no promise */
};

struct signers {
	const struct identity *nonced;
	const struct identity
		*nonceless; /* the same one unless configured apart (RFC 8995 §11.6.2.2) */
};

/* Fill in `out` (voucher_init() done). pinned: out, borrowed from the permit's path. */
bool issue_decide(const struct issue_policy *policy, const struct authentic *a,
	const struct permit *permit, int64_t now, struct voucher *out, const struct cert **pinned,
	struct err *e) MUST_CHECK;

/* Has the one that would sign a certificate that is valid now? ERR_RETRY_LATER: to be asked before
 * anything is recorded. */
bool issue_signer_valid(const struct signers *by, const struct voucher *content, int64_t now,
	struct err *e) MUST_CHECK;

/* Does it sign in this container? ERR_NOT_ACCEPTABLE; before anything is recorded, too. */
bool issue_signer_fits(const struct signers *by, const struct voucher_format *format,
	const struct voucher *content, struct err *e) MUST_CHECK;

/* Sign. Only what reads back as `content` is signed, and only what then verified under the signer's
 * own certificate (seal sees to that) is appended to out. */
bool issue_sign(const struct signers *by, const struct voucher_format *format,
	const struct voucher *content, int64_t now, struct buf *out, struct err *e) MUST_CHECK;

#endif
