/* SPDX-License-Identifier: Apache-2.0 */
/* Claims and devices as JSON resources. Lists are {"items": […], "next": TEXT or null} and are
 * continued with ?after=TEXT. A claim or device is named by its number or its serial-number. */
#include "registrar/admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/datetime.h"
#include "common/wire/json.h"
#include "common/wire/percent.h"
#include "registrar/admin_answer.h"
#include "registrar/admin_audit.h"
#include "registrar/admin_claims.h"
#include "registrar/admin_decide.h"
#include "registrar/admin_device.h"
#include "registrar/admin_events.h"
#include "registrar/admin_guard.h"
#include "registrar/admin_hooks.h"
#include "registrar/admin_import.h"
#include "registrar/admin_reports.h"
#include "registrar/admin_object.h"
#include "registrar/admin_reload.h"
#include "registrar/admin_rules.h"
#include "registrar/admin_session.h"
#include "registrar/admin_status.h"
#include "registrar/admin_sites.h"
#include "registrar/admin_tokens.h"
#include "registrar/admin_users.h"
#include "registrar/backup.h"
#include "registrar/doctor.h"
#include "registrar/explain.h"
#include "registrar/jobs.h"
#include "registrar/meters.h"
#include "registrar/openapi.h"
#include "registrar/records.h"

#define ADMIN_HISTORY_MAX 200 /* lines of a device's journal that are shown */
#define ADMIN_CERTS_MAX	  50

/* ---- Lists ---- */

static void devices_list(struct call *c, void *app)
{
	admin_search(c, app, MATCH_DEVICES);
}

/* ---- One device ---- */

static bool add_journal_line(void *arg, const struct journal_line *line, struct err *e)
{
	const struct journal_entry *j = &line->entry;

	return admin_append(arg,
		json_pack("{sI so so so so so so so}", "sequence", (json_int_t)line->sequence,
			"time", admin_moment(j->at), "exchange", admin_text(j->exchange),
			"manufacturer", admin_text(j->device.manufacturer), "by",
			admin_text(j->actor), "step", admin_text(j->step), "outcome",
			admin_text(j->outcome), "reason", admin_text(j->reason)),
		e);
}

static bool add_certificate(void *arg, const char *serial_hex, const char *subject,
	int64_t issued_at, int64_t not_after, int64_t revoked_at, struct err *e)
{
	return admin_append(arg,
		json_pack("{ss so so so so}", "serial", serial_hex, "subject", admin_text(subject),
			"issued", admin_moment(issued_at), "not_after", admin_moment(not_after),
			"revoked", admin_moment(revoked_at)),
		e);
}

/* Every manufacturer's device with this serial-number, each with its certificates; then what the
 * journal knows of the serial-number, even of a device that never came far enough to be stored. */
static bool show_device(
	struct registrar *r, const char *serial, json_t *devices, json_t *history, struct err *e)
{
	struct admin_page p = {.items = devices, .rule = standing_rule_of(r)};
	json_t *device;
	size_t i;

	if (!records_find_by_serial(r->store, serial, admin_add_claim, &p, e) ||
		!records_read_journal(
			r->store, serial, ADMIN_HISTORY_MAX, add_journal_line, history, e))
		return false;
	json_array_foreach(devices, i, device)
	{
		struct device_key key = {
			json_string_value(json_object_get(device, "manufacturer")), serial};
		json_t *certificates = json_array();

		if (!certificates || json_object_set_new(device, "certificates", certificates) != 0)
			return err_set(e, ERR_NO_MEMORY, "no memory for a device");
		if (!records_list_certificates(
			    r->store, key, ADMIN_CERTS_MAX, add_certificate, certificates, e))
			return false;
	}
	if (json_array_size(devices) == 0 && json_array_size(history) == 0) {
		err_set(e, ERR_UNKNOWN_DEVICE, "no device \"%s\"", serial);
		return err_tell(e, "No device with this serial-number was seen here.");
	}
	return true;
}

/* One device as one object; several of the same serial-number under "devices". */
static json_t *device_answer(const char *serial, json_t *devices, json_t *history)
{
	json_t *answer;

	if (json_array_size(devices) == 1)
		answer = json_incref(json_array_get(devices, 0));
	else if (json_array_size(devices) == 0)
		answer = json_pack("{ss}", "serial", serial);
	else
		answer = json_pack("{ss sO}", "serial", serial, "devices", devices);
	if (answer && json_object_set(answer, "journal", history) != 0) {
		json_decref(answer);
		return NULL;
	}
	return answer;
}

static void devices_show(struct call *c, void *app)
{
	struct registrar *r = app;
	BUF_AUTO struct buf serial = BUF_INIT(1024);
	JSON_AUTO json_t *devices = json_array();
	JSON_AUTO json_t *history = json_array();
	JSON_AUTO json_t *answer = NULL;
	const char *path = call_path(c) + strlen(DEVICES_PATH);
	struct err e = ERR_INIT;

	if (!devices || !history) {
		admin_reply(c, r, NULL);
		return;
	}
	if (!percent_decode(bytes_of_str(path), &serial, &e) ||
		!show_device(r, buf_str(&serial), devices, history, &e)) {
		call_reply_err(c, &r->log, "admin-failed", &e);
		return;
	}
	answer = device_answer(buf_str(&serial), devices, history);
	admin_reply(c, r, answer);
}

const struct http_route admin_routes[] = {
	{"GET", STATUS_PATH, status_show, 0, NULL, MAY_VIEW},
	{"GET", CLAIMS_PATH, claims_list, 0, NULL, MAY_VIEW},
	{"GET", CLAIMS_PATH "/export", claims_export, 0, NULL, MAY_VIEW},
	{"GET", CLAIMS_PATH "/*", claims_show, 0, NULL, MAY_VIEW},
	{"POST", CLAIMS_PATH "/import", claims_import, IMPORT_BODY_MAX, NULL, MAY_ANNOUNCE},
	{"POST", CLAIMS_PATH "/*", claims_decide, BULK_BODY_MAX, NULL, MAY_DECIDE},
	{"GET", JOBS_PATH, jobs_list, 0, NULL, MAY_DECIDE},
	{"GET", JOBS_PATH "/*", jobs_show, 0, NULL, MAY_DECIDE},
	{"GET", RULES_PATH, rules_list, 0, NULL, MAY_VIEW, true},
	{"POST", RULES_PATH, rules_add, ADMIN_BODY_MAX, NULL, MAY_ADMIN, true},
	{"GET", RULES_PATH "/test", rules_test, 0, NULL, MAY_VIEW, true},
	{"POST", RULES_PATH "/*", rules_change, ADMIN_BODY_MAX, NULL, MAY_ADMIN, true},
	{"GET", SITES_PATH, sites_list, 0, NULL, MAY_VIEW},
	{"POST", SITES_PATH "/add", sites_add, ADMIN_BODY_MAX, NULL, MAY_ADMIN},
	{"POST", SITES_PATH "/set", sites_set, ADMIN_BODY_MAX, NULL, MAY_ADMIN},
	{"POST", SITES_PATH "/remove", sites_remove, ADMIN_BODY_MAX, NULL, MAY_ADMIN},
	{"GET", "/api/v1/devices", devices_list, 0, NULL, MAY_VIEW},
	{"GET", DEVICES_PATH "*", devices_show, 0, NULL, MAY_VIEW},
	{"POST", DEVICES_PATH "*", devices_change, ADMIN_BODY_MAX, NULL, MAY_OPERATE},
	{"GET", AUDIT_PATH, audit_list, 0, NULL, MAY_AUDIT, true},
	{"GET", AUDIT_PATH "/heads", audit_heads, 0, NULL, MAY_AUDIT, true},
	{"POST", AUDIT_PATH "/seal", audit_seal, ADMIN_BODY_MAX, NULL, MAY_AUDIT, true},
	{"GET", AUDIT_PATH "/anchors", audit_anchors, 0, NULL, MAY_AUDIT, true},
	{"GET", EVENTS_PATH, events_list, 0, NULL, MAY_VIEW},
	{"GET", HOOKS_PATH, hooks_list, 0, NULL, MAY_ADMIN, true},
	{"POST", HOOKS_PATH, hooks_add, ADMIN_BODY_MAX, NULL, MAY_ADMIN, true},
	{"GET", HOOKS_PATH "/*", hooks_dead, 0, NULL, MAY_ADMIN, true},
	{"POST", HOOKS_PATH "/*", hooks_change, ADMIN_BODY_MAX, NULL, MAY_ADMIN, true},
	{"GET", DOCTOR_PATH, doctor_examine, 0, NULL, MAY_VIEW, true},
	{"GET", EXPLAIN_PATH "*", explain_device, 0, NULL, MAY_VIEW},
	{"GET", MANUFACTURERS_PATH, manufacturers_list, 0, NULL, MAY_VIEW},
	{"GET", CERTIFICATES_PATH, certificates_list, 0, NULL, MAY_VIEW},
	{"GET", VOUCHERS_PATH, vouchers_list, 0, NULL, MAY_VIEW},
	{"GET", STATISTICS_PATH, statistics_show, 0, NULL, MAY_VIEW},
	{"GET", OPENAPI_PATH, openapi_show, 0, NULL, MAY_ENTER},
	{"GET", BACKUPS_PATH, backup_show, 0, NULL, MAY_ADMIN, true},
	{"POST", BACKUPS_PATH, backup_begin, ADMIN_BODY_MAX, NULL, MAY_ADMIN, true},
	{"GET", SESSION_PATH, session_show, 0, NULL, MAY_SELF},
	{"POST", SESSION_PATH, session_begin, LOGIN_BODY_MAX, "application/json", MAY_ENTER},
	{"DELETE", SESSION_PATH, session_end, 0, NULL, MAY_SELF},
	{"GET", USERS_PATH, users_list, 0, NULL, MAY_ADMIN, true},
	{"POST", USERS_PATH, users_add, ADMIN_BODY_MAX, NULL, MAY_ADMIN, true},
	{"GET", USERS_PATH "/*", users_show, 0, NULL, MAY_ADMIN, true},
	{"POST", USERS_PATH "/*", users_change, ADMIN_BODY_MAX, NULL, MAY_SELF},
	{"GET", TOKENS_PATH, tokens_list, 0, NULL, MAY_SELF},
	{"POST", TOKENS_PATH, tokens_add, ADMIN_BODY_MAX, NULL, MAY_SELF},
	{"POST", TOKENS_PATH "/*", tokens_remove, ADMIN_BODY_MAX, NULL, MAY_SELF},
	{"POST", RELOAD_PATH, reload_config, ADMIN_BODY_MAX, NULL, MAY_ADMIN, true},
};
const size_t admin_route_count = sizeof(admin_routes) / sizeof(*admin_routes);
