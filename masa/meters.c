/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the MASA's metrics, and where each is counted or looked up. A name that is told once
 * stays: dashboards and alert rules of others hang on it (docs/examples/prometheus). */
#include "masa/meters.h"

#include "common/net/status.h"
#include "common/run/metrics_listener.h"

enum {
	BUILD_INFO,
	READY,
	VOUCHER_REQUESTS,
	VOUCHER_DURATION,
	AUDITLOG_REQUESTS,
	FAILURES,
	HANDSHAKES,
	CONNECTIONS,
	RATE_LIMITED,
	TLS_NOT_AFTER,
	SIGNER_NOT_AFTER,
	STORE_BYTES,
	STORE_FREE_BYTES,
	AUDIT_LAST,
	METRIC_COUNT
};

enum { DELIVERED, REFUSED, FAILED }; /* ends[] */
enum { SHAKEN, NOT_SHAKEN };	     /* shakes[] */
enum { NONCED, NONCELESS };	     /* signers[] */

static const char *const versions[] = {BRSKI_VERSION, NULL};
static const char *const ends[] = {"delivered", "refused", "failed", NULL};
static const char *const requests[] = {"voucher", "auditlog", NULL};
static const char *const shakes[] = {"ok", "failed", NULL};
static const char *const limits[] = {"connections", "registrar", NULL};
static const char *const signers[] = {"nonced", "nonceless", NULL};

/* clang-format off */
static const struct metric table[METRIC_COUNT] = {
	[BUILD_INFO] = {"build_info", METRIC_GAUGE,
		"Always 1; the release that runs.",
		{{"version", versions}}, NULL},
	[READY] = {"ready", METRIC_GAUGE,
		"1 while requests are taken, 0 while the MASA stops or its database is away.",
		{{NULL, NULL}}, NULL},
	[VOUCHER_REQUESTS] = {"voucher_requests_total", METRIC_COUNTER,
		"Voucher-requests answered; refused: the registrar was told no; failed: we could not.",
		{{"result", ends}}, NULL},
	[VOUCHER_DURATION] = {"voucher_request_duration_seconds", METRIC_HISTOGRAM,
		"From a voucher-request to its answer.",
		{{"result", ends}}, metrics_durations_us},
	[AUDITLOG_REQUESTS] = {"auditlog_requests_total", METRIC_COUNTER,
		"Requests for a device's history answered.",
		{{"result", ends}}, NULL},
	[FAILURES] = {"request_failures_total", METRIC_COUNTER,
		"Requests refused or failed, by the kind of error as the log names it.",
		{{"request", requests}, {"reason", err_kind_names + 1}}, NULL},
	[HANDSHAKES] = {"handshakes_total", METRIC_COUNTER,
		"Handshakes of TLS; failed: refused, given up or cut off.",
		{{"result", shakes}}, NULL},
	[CONNECTIONS] = {"connections", METRIC_GAUGE,
		"Connections of registrars that stand now.",
		{{NULL, NULL}}, NULL},
	[RATE_LIMITED] = {"rate_limited_total", METRIC_COUNTER,
		"Times a limit cost somebody something: a connection ended or refused for want of room, a registrar that asks too fast told to come later.",
		{{"reason", limits}}, NULL},
	[TLS_NOT_AFTER] = {"certificate_not_after_timestamp_seconds", METRIC_GAUGE,
		"When the certificate of the TLS server expires, seconds since 1970.",
		{{NULL, NULL}}, NULL},
	[SIGNER_NOT_AFTER] = {"signer_not_after_timestamp_seconds", METRIC_GAUGE,
		"When the certificate of the voucher signer expires, seconds since 1970.",
		{{"signer", signers}}, NULL},
	[STORE_BYTES] = {"store_bytes", METRIC_GAUGE,
		"Octets of the database and its write-ahead log.",
		{{NULL, NULL}}, NULL},
	[STORE_FREE_BYTES] = {"store_free_bytes", METRIC_GAUGE,
		"Octets that are free for us where the database is.",
		{{NULL, NULL}}, NULL},
	[AUDIT_LAST] = {"audit_last_sequence", METRIC_GAUGE,
		"Number of the audit log's last event.",
		{{NULL, NULL}}, NULL},
};
/* clang-format on */

static const struct metrics_schema schema = {"brski_masa_", table, METRIC_COUNT};

struct metrics *masa_meters_new(struct err *e)
{
	return metrics_new(&schema, e);
}

/* ---- Counting ---- */

void masa_meter_answer(
	struct masa *m, enum masa_meter_request what, int64_t began_us, const struct err *failure)
{
	size_t end = DELIVERED;

	if (failure) {
		/* one that forgot to say which is no success: as call_reply_err() has it */
		enum err_kind kind = failure->kind == ERR_NONE ? ERR_BUG : failure->kind;

		end = status_of(kind) < 500 ? REFUSED : FAILED;
		metrics_count(m->metrics, FAILURES, what, kind - 1);
	}
	if (what == MASA_METER_AUDITLOG) {
		metrics_count(m->metrics, AUDITLOG_REQUESTS, end, 0);
		return;
	}
	metrics_count(m->metrics, VOUCHER_REQUESTS, end, 0);
	metrics_observe(m->metrics, VOUCHER_DURATION, end, 0, clock_mono_us() - began_us);
}

void masa_meter_limit(struct masa *m, enum masa_meter_limit which)
{
	metrics_count(m->metrics, RATE_LIMITED, which, 0);
}

/* ---- Looking ---- */

static bool is_ready(void *arg)
{
	struct masa *m = arg;

	return !atomic_load(&m->draining) && store_ready(m->store);
}

static void look_at_server(struct masa *m)
{
	struct server_counts c;

	http_server_counts(m->public, &c);
	metrics_set(m->metrics, HANDSHAKES, SHAKEN, 0, (int64_t)c.handshakes);
	metrics_set(m->metrics, HANDSHAKES, NOT_SHAKEN, 0, (int64_t)c.handshakes_failed);
	metrics_set(m->metrics, RATE_LIMITED, MASA_METER_LIMIT_CONNECTIONS, 0, (int64_t)c.shed);
	metrics_set(m->metrics, CONNECTIONS, 0, 0, (int64_t)http_server_connections(m->public));
}

static void look_at_certificates(struct masa *m)
{
	struct masa_setup *s = masa_setup_take(m);
	struct signers by = masa_signers(s);

	metrics_set(m->metrics, TLS_NOT_AFTER, 0, 0, atomic_load(&m->tls_not_after));
	metrics_set(m->metrics, SIGNER_NOT_AFTER, NONCED, 0, cert_not_after(by.nonced->cert));
	metrics_set(m->metrics, SIGNER_NOT_AFTER, NONCELESS, 0, cert_not_after(by.nonceless->cert));
	masa_setup_free(s);
}

static void look_at_store(struct masa *m)
{
	struct store_space space;
	struct err e = ERR_INIT;
	bool known = store_space(m->store, &space, &e);
	int64_t last;

	metrics_unset(m->metrics, STORE_BYTES, 0, 0);
	metrics_unset(m->metrics, STORE_FREE_BYTES, 0, 0);
	metrics_unset(m->metrics, AUDIT_LAST, 0, 0);
	if (known)
		metrics_set(m->metrics, STORE_BYTES, 0, 0, space.bytes);
	if (known && space.free_bytes >= 0)
		metrics_set(m->metrics, STORE_FREE_BYTES, 0, 0, space.free_bytes);
	if (records_last_event(m->store, &last, &e))
		metrics_set(m->metrics, AUDIT_LAST, 0, 0, last);
}

static void refresh(void *arg)
{
	struct masa *m = arg;

	metrics_set(m->metrics, BUILD_INFO, 0, 0, 1);
	metrics_set(m->metrics, READY, 0, 0, is_ready(m));
	look_at_server(m);
	look_at_certificates(m);
	look_at_store(m);
}

bool masa_meters_start(
	struct masa *m, const struct http_server *public, struct loop *l, struct err *e)
{
	const struct metrics_listener_config config = {
		.listen = m->setup->config->metrics_listen,
		.log = m->log,
		.metrics = m->metrics,
		.refresh = refresh,
		.is_ready = is_ready,
		.app = m,
	};

	m->public = public;
	if (!config.listen)
		return true;
	m->watched = metrics_listener_new(&config, l, e);
	return m->watched != NULL;
}

void masa_meters_stop(struct masa *m)
{
	metrics_listener_free(m->watched);
	m->watched = NULL;
}
