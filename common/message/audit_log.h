/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA's audit log response (RFC 8995 §5.8.1). */
#ifndef MESSAGE_AUDIT_LOG_H
#define MESSAGE_AUDIT_LOG_H

#include "common/message/voucher.h"

#define AUDIT_LOG_MAX	     262144 /* octets of one response */
#define AUDIT_LOG_EVENTS_MAX 2048

struct audit_event {
	int64_t date;	 /* unix seconds */
	char *domain_id; /* base64 as it stood */
	char *nonce;	 /* as it stood; NULL when nonceless */
	enum voucher_assertion assertion;
	uint32_t truncated;
};

struct audit_log {
	uint32_t version;
	struct audit_event *events;
	size_t event_count;
	uint32_t nonced_duplicates, nonceless_duplicates, arbitrary; /* truncation; 0 when absent */
};
void audit_log_clear(struct audit_log *l);
#define AUDIT_LOG_AUTO __attribute__((cleanup(audit_log_clear)))

/* Liberal on input (T-18): numbers as strings, `registrarID` for domainID, assertion absent =
 * logged, truncation absent = zeros, unknown members and higher versions. */
bool audit_log_parse(struct bytes json, struct audit_log *out, struct err *e) MUST_CHECK;
/* Strict on output; nonce null when NULL; truncation left out when all zero. Appends. */
bool audit_log_format(const struct audit_log *l, struct buf *out, struct err *e) MUST_CHECK;
bool audit_log_add(struct audit_log *l, const struct audit_event *event,
	struct err *e) MUST_CHECK; /* copies */

#endif
