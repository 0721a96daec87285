/* SPDX-License-Identifier: Apache-2.0 */
/* voucher_status at a cloud registrar: see report.h. */
#include "registrar/cloud/report.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/message/status_report.h"
#include "registrar/identify.h"
#include "registrar/records/allocations.h"

#define STEP "voucher-status"

struct report {
	struct registrar *r;
	struct registrar_setup *setup;
	struct call *call;
	const struct manufacturer *manufacturer;
	char *serial;
	struct status_report status;
};

static void report_free(struct report *p)
{
	registrar_setup_free(p->setup);
	status_report_clear(&p->status);
	free(p->serial);
	registrar_work_end(p->r);
	free(p);
}

static void on_recorded(void *arg, const int64_t *changed, const struct err *e)
{
	struct report *p = arg;

	if (e)
		call_reply_err(p->call, &p->r->log, STEP, e);
	else
		call_reply(p->call, 200, NULL, (struct bytes){0});
	report_free(p);
}

static bool parse(struct report *p, struct err *e)
{
	return status_report_parse_typed(
		call_header(p->call, "Content-Type"), call_body(p->call), &p->status, e);
}

static bool was_sent(const struct report *p, struct device_key key, struct err *e)
{
	struct allocated a;

	if (!records_allocation(p->r->store, key, &a, e))
		return false;
	if (a.found)
		return true;
	err_set(e, ERR_NOT_FOUND, "\"%s\" was never sent anywhere", p->serial);
	return err_tell(e, "This device has not been told anything here.");
}

static bool record(struct report *p, struct err *e)
{
	const struct records_writer w = {p->r->store, call_loop(p->call), on_recorded, p};
	const struct journal_entry line = {
		.at = registrar_now(p->r),
		.exchange = call_exchange(p->call),
		.device = {p->manufacturer->config->name, p->serial},
		.step = STEP,
		.outcome = p->status.status ? "true" : "false",
		.reason = p->status.reason[0] ? p->status.reason : NULL,
	};

	log_event(&p->r->log, p->status.status ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, STEP,
		line.exchange, "manufacturer", line.device.manufacturer, "serial", p->serial,
		"status", line.outcome, "reason", line.reason, NULL);
	return was_sent(p, line.device, e) && records_journal(&w, &line, e);
}

static bool take(struct report *p, struct err *e)
{
	p->manufacturer =
		identify_idevid(p->setup, call_peer(p->call), registrar_now(p->r), &p->serial, e);
	if (!p->manufacturer)
		return false;
	call_sender_is_known(p->call);
	return parse(p, e) && record(p, e);
}

void report_voucher_status(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct err e = ERR_INIT;
	struct report *p = mem_new(sizeof(*p), &e);

	if (!p) {
		call_reply_err(c, &r->log, "telemetry-failed", &e);
		return;
	}
	p->r = r;
	p->call = c;
	registrar_work_begin(r);
	p->setup = registrar_setup_take(r);
	if (take(p, &e))
		return;
	call_reply_err(c, &r->log, "telemetry-failed", &e);
	report_free(p);
}
