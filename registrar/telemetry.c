/* SPDX-License-Identifier: Apache-2.0 */
/* Telemetry is recorded, logged and answered 200. Voucher telemetry also starts the look at the
 * device's history where that is configured for afterwards (RFC 8995 §5.8). */
#include "registrar/telemetry.h"

#include <stdlib.h>
#include <string.h>

#include "common/message/status_report.h"
#include "registrar/identify.h"
#include "registrar/meters.h"
#include "registrar/review.h"

#define STATUS_TEXT_MAX (STATUS_REPORT_REASON_MAX + 16)

struct report {
	struct registrar *r;
	struct registrar_setup *setup;
	struct call *call;
	bool of_voucher;
	struct client client;
	struct device_record device;
	struct status_report status;
};

static const char *event_name(const struct report *p)
{
	return p->of_voucher ? "voucher-status" : "enroll-status";
}

static void report_free(struct report *p)
{
	registrar_setup_free(p->setup);
	client_clear(&p->client);
	status_report_clear(&p->status);
	registrar_work_end(p->r);
	free(p);
}

/* Over which certificate the report came is a fact of its own (R8995-REG-056). */
static void log_report(const struct report *p)
{
	log_event(&p->r->log, p->status.status ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, event_name(p),
		call_exchange(p->call), "manufacturer", p->client.manufacturer_name, "serial",
		p->client.serial, "status", p->status.status ? "true" : "false", "session",
		p->client.is_ldevid ? "ldevid" : "idevid", "reason",
		p->status.reason[0] ? p->status.reason : NULL, "context", p->status.reason_context,
		"unknown-members", p->status.unknown_members, NULL);
	if (p->status.version > 1)
		log_event(&p->r->log, LOG_LEVEL_WARNING, "alert-telemetry-version-unknown",
			call_exchange(p->call), "serial", p->client.serial, NULL);
}

static void start_review(const struct report *p)
{
	const struct review_case c = {
		.setup = p->setup,
		.manufacturer = p->client.manufacturer,
		.idevid = call_peer(p->call)->cert,
		.device = client_key(&p->client),
		.media_type = p->device.voucher_type,
		.exchange = call_exchange(p->call),
	};
	struct err e = ERR_INIT;
	bool asked;

	if (!p->of_voucher || p->client.is_ldevid || p->device.history != HISTORY_UNKNOWN ||
		p->setup->config.audit_check == AUDIT_OFF)
		return;
	if (!review_device(p->r, call_loop(p->call), &c, NULL, NULL, &asked, &e))
		log_err(&p->r->log, "history-review-failed", c.exchange, &e);
}

static void on_recorded(void *arg, const int64_t *changed, const struct err *e)
{
	struct report *p = arg;

	if (e) {
		meter_error(p->r, METER_STATUS, e->kind);
		call_reply_err(p->call, &p->r->log, event_name(p), e);
	} else {
		start_review(p);
		call_reply(p->call, 200, NULL, (struct bytes){0});
	}
	report_free(p);
}

static bool record(struct report *p, struct err *e)
{
	const struct records_writer w = {p->r->store, call_loop(p->call), on_recorded, p};
	char text[STATUS_TEXT_MAX], told[STATUS_TEXT_MAX];
	const struct journal_entry entry = {
		.at = registrar_now(p->r),
		.exchange = call_exchange(p->call),
		.device = client_key(&p->client),
		.step = event_name(p),
		.outcome = p->status.status ? "true" : "false",
		.reason = told,
	};

	snprintf(told, sizeof(told), "over %s%s%s", p->client.is_ldevid ? "LDevID" : "IDevID",
		p->status.reason[0] ? ": " : "", p->status.reason);
	snprintf(text, sizeof(text), "%s%s%s", p->status.status ? "true" : "false",
		p->status.reason[0] ? ": " : "", p->status.reason);
	return records_status(&w, entry.device, p->of_voucher, text, &entry, e);
}

static bool known_device(const struct report *p, struct err *e)
{
	if (p->device.found && p->device.last_seen)
		return true;
	err_set(e, ERR_NOT_FOUND, "\"%s\" never asked for a voucher", p->client.serial);
	return err_tell(e, "This device has not asked for a voucher.");
}

static bool parse_report(struct report *p, struct err *e)
{
	return status_report_parse_typed(
		call_header(p->call, "Content-Type"), call_body(p->call), &p->status, e);
}

static bool take_report(struct report *p, struct err *e)
{
	const struct peer *peer = call_peer(p->call);

	if (!identify_client(p->r, p->setup, peer, registrar_now(p->r), &p->client, e))
		return false;
	call_sender_is_known(p->call);
	if (!parse_report(p, e) ||
		!records_device(p->r->store, client_key(&p->client), &p->device, e) ||
		!known_device(p, e))
		return false;
	log_report(p);
	meter_status(p->r, p->of_voucher, p->status.status);
	return record(p, e);
}

static void handle(struct call *c, struct registrar *r, bool of_voucher)
{
	struct err e = ERR_INIT;
	struct report *p = mem_new(sizeof(*p), &e);

	if (!p) {
		call_reply_err(c, &r->log, "telemetry-failed", &e);
		return;
	}
	p->r = r;
	registrar_work_begin(r);
	p->setup = registrar_setup_take(r);
	p->call = c;
	p->of_voucher = of_voucher;
	if (take_report(p, &e))
		return;
	meter_error(r, METER_STATUS, e.kind);
	call_reply_err(c, &r->log, "telemetry-failed", &e);
	report_free(p);
}

void telemetry_voucher_status(struct call *c, void *registrar)
{
	handle(c, registrar, true);
}

void telemetry_enroll_status(struct call *c, void *registrar)
{
	handle(c, registrar, false);
}
