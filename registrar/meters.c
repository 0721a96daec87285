/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the registrar's metrics, and where each is counted or looked up. A name that is told
 * once stays: dashboards and alert rules of others hang on it (docs/examples/prometheus). */
#include "registrar/meters.h"

#include "common/net/status.h"
#include "common/run/metrics.h"
#include "registrar/meters_gauges.h"

static const char *const versions[] = {BRSKI_VERSION, NULL};
static const char *const transports[] = {"https", "coaps", NULL};
/* by enum meter_end */
static const char *const ends[] = {"delivered", "refused", "failed", "pending", NULL};
static const char *const ends_at_once[] = {"delivered", "refused", "failed", NULL};
static const char *const requests[] = {"voucher", "enroll", "status", NULL};
static const char *const resources[] = {"requestvoucher", "requestauditlog", NULL};
static const char *const answers[] = {"answered", "refused", "failed", "unreachable", NULL};
static const char *const standings[] = {"active", "joining", "quarantined", "revoked",
	"decommissioned", "replaced", "refused", NULL};
_Static_assert(STANDING_STORED_COUNT == 8, "every stored standing has its value in standings[]");
static const char *const claims[] = {
	"pending", "approved", "rejected", "preapproved", "expired", "announced", NULL};
static const char *const decisions[] = {"approved", "rejected", "preapproved", NULL};
static const char *const enrollments[] = {"enroll", "renew", "keygen", NULL};
static const char *const verdicts[] = {"good", "warned", "refused", "failed", NULL};
static const char *const reports[] = {"voucher", "enroll", NULL};
static const char *const truths[] = {"false", "true", NULL};
static const char *const shakes[] = {"ok", "failed", NULL};
static const char *const limits[] = {
	"connections", "claims", "voucher-requests", "joins", "certificates", "space", NULL};

static const char *const asked[] = {"approve", "hold", "reject", "failed", NULL};
static const char *const deliveries[] = {"delivered", "failed", "dead", NULL};

/* by enum meter_ocsp */
static const char *const ocsp_statuses[] = {"good", "revoked", "unknown", "malformed",
	"internal-error", "try-later", "unauthorized", NULL};

_Static_assert(CLAIM_STATE_COUNT == 7, "every state of a claim has its value in claims[]");
_Static_assert(HISTORY_STATE_COUNT == 4, "every verdict has its value in verdicts[]");

/* clang-format off */
static const struct metric table[METER_COUNT] = {
	[METER_BUILD_INFO] = {"build_info", METRIC_GAUGE,
		"Always 1; the release that runs.",
		{{"version", versions}}, NULL},
	[METER_READY] = {"ready", METRIC_GAUGE,
		"1 while requests are taken, 0 while the registrar stops or its database is away.",
		{{NULL, NULL}}, NULL},
	[METER_LEADS] = {"leads", METRIC_GAUGE,
		"1 when this registrar, of those that share its database, does what is done once.",
		{{NULL, NULL}}, NULL},
	[METER_VOUCHER_REQUESTS] = {"voucher_requests_total", METRIC_COUNTER,
		"Voucher-requests answered; refused: the device was told no; failed: we or the MASA could not.",
		{{"transport", transports}, {"result", ends}}, NULL},
	[METER_VOUCHER_DURATION] = {"voucher_request_duration_seconds", METRIC_HISTOGRAM,
		"From a voucher-request to its answer, with the MASA's share.",
		{{"result", ends}}, metrics_durations_us},
	[METER_FAILURES] = {"request_failures_total", METRIC_COUNTER,
		"Requests refused or failed, by the kind of error as log and journal name it.",
		{{"request", requests}, {"reason", err_kind_names + 1}}, NULL},
	[METER_MASA_REQUESTS] = {"masa_requests_total", METRIC_COUNTER,
		"Requests to MASAs; answered: below 400; refused: 4xx; failed: 5xx; unreachable: no answer that could be trusted.",
		{{"resource", resources}, {"result", answers}}, NULL},
	[METER_MASA_DURATION] = {"masa_request_duration_seconds", METRIC_HISTOGRAM,
		"From a request to a MASA to its answer, or until it was given up.",
		{{"resource", resources}}, metrics_durations_us},
	[METER_MASAS_UNREACHABLE] = {"masas_unreachable", METRIC_GAUGE,
		"Manufacturers whose MASA gave no answer that could be trusted when it was asked last.",
		{{NULL, NULL}}, NULL},
	[METER_MASAS_LEFT_ALONE] = {"masas_left_alone", METRIC_GAUGE,
		"Addresses of MASAs that are not asked for a pause, as they failed several times in a row.",
		{{NULL, NULL}}, NULL},
	[METER_CLAIMS] = {"claims", METRIC_GAUGE,
		"Claims by state.",
		{{"state", claims}}, NULL},
	[METER_DEVICES] = {"devices", METRIC_GAUGE,
		"Devices by state; active are those whose certificate ends soon or has ended as well.",
		{{"state", standings}}, NULL},
	[METER_CLAIM_OLDEST] = {"claim_oldest_pending_seconds", METRIC_GAUGE,
		"How long ago the device of the oldest open claim was first seen; 0 when none is open.",
		{{NULL, NULL}}, NULL},
	[METER_PENDING_POLLS] = {"pending_polls_total", METRIC_COUNTER,
		"Voucher-requests of devices that wait, told to wait again by their digest alone.",
		{{NULL, NULL}}, NULL},
	[METER_CLAIM_DECISIONS] = {"claim_decisions_total", METRIC_COUNTER,
		"Claims that administrators decided.",
		{{"decision", decisions}}, NULL},
	[METER_ENROLLMENTS] = {"enrollments_total", METRIC_COUNTER,
		"Requests for certificates answered; delivered counts a repeated answer again.",
		{{"kind", enrollments}, {"result", ends_at_once}}, NULL},
	[METER_AUDITLOG_CHECKS] = {"auditlog_checks_total", METRIC_COUNTER,
		"Histories of devices fetched from MASAs and judged; failed: none could be had.",
		{{"result", verdicts}}, NULL},
	[METER_STATUS_REPORTS] = {"status_reports_total", METRIC_COUNTER,
		"What devices reported about vouchers and certificates; false: they could not use it.",
		{{"about", reports}, {"status", truths}}, NULL},
	[METER_FRAUD] = {"fraud_signals_total", METRIC_COUNTER,
		"Devices marked because they may not be what they seem to be.",
		{{"signal", fraud_signal_names}}, NULL},
	[METER_HANDSHAKES] = {"handshakes_total", METRIC_COUNTER,
		"Handshakes of TLS and DTLS; failed: refused, given up or cut off.",
		{{"transport", transports}, {"result", shakes}}, NULL},
	[METER_CONNECTIONS] = {"connections", METRIC_GAUGE,
		"Connections of devices that stand now.",
		{{"transport", transports}}, NULL},
	[METER_RATE_LIMITED] = {"rate_limited_total", METRIC_COUNTER,
		"Times a limit cost somebody something: a connection ended or refused for want of room, a new claim or a voucher-request told to come later.",
		{{"reason", limits}}, NULL},
	[METER_CERTIFICATE_NOT_AFTER] = {"certificate_not_after_timestamp_seconds", METRIC_GAUGE,
		"When the registrar's certificate expires, seconds since 1970.",
		{{NULL, NULL}}, NULL},
	[METER_CA_NOT_AFTER] = {"ca_not_after_timestamp_seconds", METRIC_GAUGE,
		"When the issuing CA's certificate expires, seconds since 1970.",
		{{NULL, NULL}}, NULL},
	[METER_CRL_NEXT_UPDATE] = {"crl_next_update_timestamp_seconds", METRIC_GAUGE,
		"When the next revocation list is due at the latest, seconds since 1970.",
		{{NULL, NULL}}, NULL},
	[METER_OCSP_ANSWERS] = {"ocsp_answers_total", METRIC_COUNTER,
		"What OCSP said: good, revoked, unknown for each certificate asked about, else why the request got no answer.",
		{{"status", ocsp_statuses}}, NULL},
	[METER_STORE_BYTES] = {"store_bytes", METRIC_GAUGE,
		"Octets of the database and its write-ahead log.",
		{{NULL, NULL}}, NULL},
	[METER_STORE_FREE_BYTES] = {"store_free_bytes", METRIC_GAUGE,
		"Octets that are free for us where the database is.",
		{{NULL, NULL}}, NULL},
	[METER_BACKUP] = {"backup_last_success_timestamp_seconds", METRIC_GAUGE,
		"When the last backup since the start was finished that succeeded, seconds since 1970.",
		{{NULL, NULL}}, NULL},
	[METER_STORED_VOUCHERS_USED] = {"stored_vouchers_used_total", METRIC_COUNTER,
		"Vouchers fetched ahead that devices got while the MASA could not be reached.",
		{{NULL, NULL}}, NULL},
	[METER_DECISIONS_ASKED] = {"decisions_asked_total", METRIC_COUNTER,
		"Questions about devices to the program that rules ask; failed: no answer that counts, the device stays held.",
		{{"result", asked}}, NULL},
	[METER_HOOK_DELIVERIES] = {"hook_deliveries_total", METRIC_COUNTER,
		"Events sent to hooks; failed: one try in vain; dead: given up, kept as a dead letter.",
		{{"result", deliveries}}, NULL},
	[METER_EVENT_BACKLOG] = {"event_backlog", METRIC_GAUGE,
		"Lines of the audit log that the slowest enabled hook has before it.",
		{{NULL, NULL}}, NULL},
	[METER_AUDIT_LAST] = {"audit_last_sequence", METRIC_GAUGE,
		"Number of the audit log's last line.",
		{{NULL, NULL}}, NULL},
	[METER_AUDIT_SEALED] = {"audit_sealed_sequence", METRIC_GAUGE,
		"Number of the last line whose hash is signed.",
		{{NULL, NULL}}, NULL},
};
/* clang-format on */

static const struct metrics_schema schema = {"brski_registrar_", table, METER_COUNT};

struct metrics *meters_new(struct err *e)
{
	return metrics_new(&schema, e);
}

/* ---- Counting ---- */

enum meter_end meter_error(struct registrar *r, enum meter_request what, enum err_kind kind)
{
	enum err_kind told = kind == ERR_NONE ? ERR_BUG : kind; /* as call_reply_err() has it */

	metrics_count(r->metrics, METER_FAILURES, what, told - 1);
	return status_of(told) < 500 ? METER_REFUSED : METER_FAILED;
}

void meter_voucher(struct registrar *r, bool constrained, int64_t began_us, enum meter_end end)
{
	metrics_count(
		r->metrics, METER_VOUCHER_REQUESTS, constrained ? METER_COAPS : METER_HTTPS, end);
	metrics_observe(r->metrics, METER_VOUCHER_DURATION, end, 0, clock_mono_us() - began_us);
}

void meter_enroll(struct registrar *r, enum enroll_kind kind, enum meter_end end)
{
	metrics_count(r->metrics, METER_ENROLLMENTS, kind, end);
}

void meter_status(struct registrar *r, bool of_voucher, bool status)
{
	metrics_count(r->metrics, METER_STATUS_REPORTS, !of_voucher, status);
}

static size_t answer_of(const struct http_reply *reply)
{
	if (!reply)
		return 3;
	if (reply->status >= 500)
		return 2;
	return reply->status >= 400;
}

void meter_masa(struct registrar *r, enum meter_resource what, int64_t asked_us,
	const struct http_reply *reply)
{
	metrics_count(r->metrics, METER_MASA_REQUESTS, what, answer_of(reply));
	metrics_observe(r->metrics, METER_MASA_DURATION, what, 0, clock_mono_us() - asked_us);
}

void meter_history(struct registrar *r, const struct history_verdict *v)
{
	bool judged = v && v->state != HISTORY_UNKNOWN;

	metrics_count(r->metrics, METER_AUDITLOG_CHECKS,
		judged ? (size_t)v->state - HISTORY_GOOD : HISTORY_STATE_COUNT - HISTORY_GOOD, 0);
}

void meter_decision(struct registrar *r, enum claim_state to, int64_t count)
{
	metrics_add(
		r->metrics, METER_CLAIM_DECISIONS, (size_t)to - CLAIM_APPROVED, 0, (uint64_t)count);
}

void meter_stored_voucher(struct registrar *r)
{
	metrics_count(r->metrics, METER_STORED_VOUCHERS_USED, 0, 0);
}

void meter_poll(struct registrar *r)
{
	metrics_count(r->metrics, METER_PENDING_POLLS, 0, 0);
}

void meter_fraud(struct registrar *r, enum fraud_signal signal)
{
	metrics_count(r->metrics, METER_FRAUD, signal, 0);
}

void meter_limit(struct registrar *r, enum meter_limit which)
{
	metrics_count(r->metrics, METER_RATE_LIMITED, which, 0);
}

void meter_ocsp(struct registrar *r, enum meter_ocsp said)
{
	metrics_count(r->metrics, METER_OCSP_ANSWERS, said, 0);
}

void meter_hook(struct registrar *r, enum meter_hook_result result)
{
	metrics_count(r->metrics, METER_HOOK_DELIVERIES, result, 0);
}

void meter_ask(struct registrar *r, enum meter_ask result)
{
	metrics_count(r->metrics, METER_DECISIONS_ASKED, result, 0);
}
