/* SPDX-License-Identifier: Apache-2.0 */
/* The device's past as its MASA tells it (RFC 8995 §5.8): fetched with the very octets of the
 * registrar voucher-request, judged by policy (§5.8.3). */
#ifndef REGISTRAR_HISTORY_H
#define REGISTRAR_HISTORY_H

#include "common/message/audit_log.h"
#include "registrar/masa.h"
#include "registrar/records/records.h"

struct history_policy {
	enum audit_judgement foreign_domain, nonceless;
	bool fetches_ahead; /* our own without a nonce are those */
};

struct history_verdict {
	enum history_state state; /* GOOD, WARNED or REFUSED */
	char reason[REASON_LEN_MAX + 1];
	bool foreign_since; /* another domain got a voucher after we got our first */
};

/* Judge a log that was fetched. No I/O. ERR_NO_MEMORY: no verdict. */
bool history_judge(const struct audit_log *log, const struct domain *own,
	const struct history_policy *policy, struct history_verdict *out, struct err *e) MUST_CHECK;

struct history_question {
	struct registrar_setup *setup; /* references are taken */
	struct registrar_face *face;
	const struct manufacturer *manufacturer;
	struct uri masa;	/* base */
	const char *media_type; /* of the registrar request */
	const char *exchange;
	struct bytes registrar_request; /* copied */
};
/* Exactly one of verdict and e is NULL; on l's thread. A MASA that keeps no log (404) makes
 * HISTORY_WARNED. */
typedef void history_done(void *arg, const struct history_verdict *verdict, const struct err *e);
bool history_ask(struct registrar *r, struct loop *l, const struct history_question *q,
	history_done *done, void *arg, struct err *e) MUST_CHECK;

/* The one line a person has to see (R8995-REG-057). */
void history_alarm(const struct registrar *r, const char *exchange, struct device_key device,
	const struct history_verdict *v);

#endif
