/* SPDX-License-Identifier: Apache-2.0 */
/* What the registrar counts, where it happens; told at /metrics (run/metrics_listener.h) when an
 * address is configured for it. Nothing here says which device it was: the journal does. */
#ifndef REGISTRAR_METERS_H
#define REGISTRAR_METERS_H

#include "common/net/http_client.h"
#include "registrar/enroll_rules.h"
#include "registrar/fraud.h"
#include "registrar/history.h"
#include "registrar/registrar.h"

/* How a request ended. Refused: who asked was told no (4xx); failed: we or the MASA could not. */
enum meter_end { METER_DELIVERED, METER_REFUSED, METER_FAILED, METER_PENDING };
enum meter_request { METER_VOUCHER, METER_ENROLL, METER_STATUS };
enum meter_resource { METER_REQUESTVOUCHER, METER_REQUESTAUDITLOG };
enum meter_limit {
	METER_LIMIT_CONNECTIONS,
	METER_LIMIT_CLAIMS,
	METER_LIMIT_VOUCHER_REQUESTS,
	METER_LIMIT_JOINS,
	METER_LIMIT_CERTIFICATES,
	METER_LIMIT_SPACE
};

enum meter_ask { METER_ASK_APPROVED, METER_ASK_HELD, METER_ASK_REJECTED, METER_ASK_FAILED };
enum meter_hook_result { METER_HOOK_DELIVERED, METER_HOOK_FAILED, METER_HOOK_DEAD };

enum meter_ocsp {
	METER_OCSP_GOOD,
	METER_OCSP_REVOKED,
	METER_OCSP_UNKNOWN,
	METER_OCSP_MALFORMED,
	METER_OCSP_INTERNAL_ERROR,
	METER_OCSP_TRY_LATER,
	METER_OCSP_UNAUTHORIZED
};

struct metrics *meters_new(struct err *e) MUST_CHECK;
/* An address that is configured is listened on; on the loop of the first worker. */
bool meters_start(struct registrar *r, struct err *e) MUST_CHECK;
void meters_stop(struct registrar *r);

/* A request came to nothing; METER_REFUSED or METER_FAILED. */
enum meter_end meter_error(struct registrar *r, enum meter_request what, enum err_kind kind);
/* A voucher-request was answered that began at began_us (clock_mono_us()). */
void meter_voucher(struct registrar *r, bool constrained, int64_t began_us, enum meter_end end);
/* A device got a voucher that was fetched ahead. */
void meter_stored_voucher(struct registrar *r);
void meter_enroll(struct registrar *r, enum enroll_kind kind, enum meter_end end);
void meter_status(struct registrar *r, bool of_voucher, bool status);
/* What the MASA said to what it was asked at asked_us; NULL: no answer came. */
void meter_masa(struct registrar *r, enum meter_resource what, int64_t asked_us,
	const struct http_reply *reply);
/* A history was judged; NULL: it could not be. */
void meter_history(struct registrar *r, const struct history_verdict *v);
void meter_decision(struct registrar *r, enum claim_state to, int64_t claims);
/* A device that waits asked again in the same octets. */
void meter_poll(struct registrar *r);
/* A program was asked about a device and said this, or nothing that counts. */
void meter_ask(struct registrar *r, enum meter_ask result);
/* An event was taken by a hook's receiver, was not, or became a dead letter. */
void meter_hook(struct registrar *r, enum meter_hook_result result);
void meter_fraud(struct registrar *r, enum fraud_signal signal);
/* What was said about a certificate, or why a request got no answer. */
void meter_ocsp(struct registrar *r, enum meter_ocsp said);
void meter_limit(struct registrar *r, enum meter_limit which);

#endif
