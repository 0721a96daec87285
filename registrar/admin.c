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
#include "registrar/admin_events.h"
#include "registrar/admin_guard.h"
#include "registrar/admin_import.h"
#include "registrar/admin_reports.h"
#include "registrar/admin_object.h"
#include "registrar/admin_reload.h"
#include "registrar/admin_revoke.h"
#include "registrar/admin_rules.h"
#include "registrar/admin_status.h"
#include "registrar/admin_sites.h"
#include "registrar/backup.h"
#include "registrar/doctor.h"
#include "registrar/explain.h"
#include "registrar/meters.h"
#include "registrar/records.h"

#define ADMIN_HISTORY_MAX 200 /* lines of a device's journal that are shown */
#define ADMIN_CERTS_MAX	  50

#define CLAIMS_PATH "/api/v1/claims/"

/* ---- Lists ---- */

static bool query_state(const struct call *c, enum claim_state *state, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(32);
	bool present;

	*state = CLAIM_STATE_COUNT;
	if (!percent_query(call_query(c), "state", &text, &present, e))
		return err_prefix(e, "state");
	if (present && (!claim_state_parse(buf_str(&text), state) || *state == CLAIM_NONE)) {
		err_set(e, ERR_INPUT, "no such state");
		return err_tell(e, "state is pending, approved, preapproved, expired or rejected.");
	}
	return true;
}

static void claims_list(struct call *c, void *app)
{
	struct registrar *r = app;
	struct admin_page p = {.rule = standing_rule_of(r)};
	enum claim_state state;
	struct err e = ERR_INIT;
	int64_t after;

	if (query_state(c, &state, &e) && admin_page_init(&p, c, &after, &e) &&
		records_list_claims(r->store, state, after, p.limit, admin_add_claim, &p, &e))
		admin_page_reply(c, r, &p);
	else
		call_reply_err(c, &r->log, "admin-failed", &e);
	json_decref(p.items);
}

static void devices_list(struct call *c, void *app)
{
	struct registrar *r = app;
	struct admin_page p = {.rule = standing_rule_of(r)};
	struct err e = ERR_INIT;
	int64_t after;

	if (admin_page_init(&p, c, &after, &e) &&
		records_list_devices(r->store, after, p.limit, admin_add_claim, &p, &e))
		admin_page_reply(c, r, &p);
	else
		call_reply_err(c, &r->log, "admin-failed", &e);
	json_decref(p.items);
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

/* ---- Decisions ---- */

struct decision {
	struct registrar *r;
	struct call *call;
	enum claim_state to;
	int64_t id; /* 0: every pending claim */
	char by[CALL_PEER_MAX];
	char reason[REASON_LEN_MAX + 1];
};

static void on_decided(void *arg, const int64_t *changed, const struct err *e)
{
	struct decision *d = arg;
	struct err missing = ERR_INIT;
	JSON_AUTO json_t *answer = NULL;
	char claim[24] = "all", count[24];

	if (!e && d->id != 0 && changed[0] == 0) {
		err_set(&missing, ERR_NOT_FOUND, "claim %lld is gone", (long long)d->id);
		e = &missing;
	}
	if (e) {
		call_reply_err(d->call, &d->r->log, "admin-failed", e);
	} else {
		if (d->id != 0)
			snprintf(claim, sizeof(claim), "%lld", (long long)d->id);
		snprintf(count, sizeof(count), "%lld", (long long)changed[0]);
		log_event(&d->r->log, LOG_LEVEL_INFO,
			d->to == CLAIM_APPROVED ? "claim-approved" : "claim-rejected",
			call_exchange(d->call), "claim", claim, "claims", count, "by", d->by,
			"reason", d->reason[0] ? d->reason : NULL, NULL);
		meter_decision(d->r, d->to, changed[0]);
		registrar_count_claims(d->r);
		answer = json_pack("{ss sI}", "claim", claim_state_name(d->to), "changed",
			(json_int_t)changed[0]);
		admin_reply(d->call, d->r, answer);
	}
	free(d);
}

struct found {
	size_t count;
	int64_t id;
	bool pending;
};

static bool note_found(void *arg, const struct claim_row *row, struct err *e)
{
	struct found *f = arg;

	f->count++;
	f->id = row->id;
	return true;
}

/* A claim's number, or a serial-number. A text that is both, of two claims, is refused: approving
 * the wrong device is worse than asking again. */
static bool find_claim(struct registrar *r, const char *name, int64_t *id, struct err *e)
{
	struct found by_serial = {0}, by_number = {0};
	int64_t number;

	if (!records_find_by_serial(r->store, name, note_found, &by_serial, e) ||
		(admin_parse_number(name, &number) &&
			!records_find_by_id(r->store, number, note_found, &by_number, e)))
		return false;
	if (by_serial.count == 0 && by_number.count == 0) {
		err_set(e, ERR_NOT_FOUND, "no claim \"%s\"", name);
		return err_tell(e, "No claim with this number or serial-number.");
	}
	if (by_serial.count > 1 ||
		(by_serial.count == 1 && by_number.count == 1 && by_serial.id != by_number.id)) {
		err_set(e, ERR_CONFLICT, "\"%s\" names several claims", name);
		return err_tell(e, "This names several claims; see the list for their numbers.");
	}
	*id = by_serial.count ? by_serial.id : by_number.id;
	return true;
}

static bool read_body(struct call *c, struct decision *d, bool *all, struct err *e)
{
	JSON_AUTO json_t *body = NULL;
	const char *reason = NULL;

	*all = false;
	if (call_body(c).len == 0)
		return true;
	body = json_parse_object(call_body(c), e);
	if (!body || !json_get_string(body, "reason", &reason, e))
		return false;
	*all = json_is_true(json_object_get(body, "all"));
	snprintf(d->reason, sizeof(d->reason), "%.*s", REASON_LEN_MAX, reason ? reason : "");
	return true;
}

/* The name in …/claims/NAME/approve; NULL for the whole collection …/claims/approve. */
static bool read_name(const struct call *c, const char *verb, struct buf *name, struct err *e)
{
	const char *rest = call_path(c) + strlen(CLAIMS_PATH);
	const char *slash = strrchr(rest, '/');

	if (strcmp(slash ? slash + 1 : rest, verb) != 0)
		return err_set(e, ERR_NOT_FOUND, "no such action");
	return !slash || percent_decode(bytes_of(rest, (size_t)(slash - rest)), name, e);
}

static bool start_decision(struct decision *d, const char *verb, struct err *e)
{
	BUF_AUTO struct buf name = BUF_INIT(1024);
	const struct records_writer w = {d->r->store, call_loop(d->call), on_decided, d};
	const int64_t now = registrar_now(d->r);
	bool all;

	if (!read_name(d->call, verb, &name, e) || !read_body(d->call, d, &all, e))
		return false;
	if ((name.len == 0) != all)
		return err_set(e, ERR_INPUT, "name one claim, or send {\"all\": true} for all");
	if (!all && !find_claim(d->r, buf_str(&name), &d->id, e))
		return false;
	snprintf(d->by, sizeof(d->by), "%s", admin_by(d->call));
	return records_decide(&w,
		&(struct decision_record){
			.id = d->id,
			.to = d->to,
			.at = now,
			.until = d->to == CLAIM_APPROVED ? registrar_approval_end(d->r, now) : 0,
			.exchange = call_exchange(d->call),
			.by = d->by,
			.reason = d->reason[0] ? d->reason : NULL,
		},
		e);
}

static void decide(struct call *c, struct registrar *r, enum claim_state to, const char *verb)
{
	struct err e = ERR_INIT;
	struct decision *d = mem_new(sizeof(*d), &e);

	if (d) {
		d->r = r;
		d->call = c;
		d->to = to;
		if (start_decision(d, verb, &e))
			return;
	}
	call_reply_err(c, &r->log, "admin-failed", &e);
	free(d);
}

/* …/claims/NAME/approve and …/claims/NAME/reject share one route. */
static void claims_decide(struct call *c, void *app)
{
	const char *slash = strrchr(call_path(c), '/');

	if (strcmp(slash, "/reject") == 0)
		decide(c, app, CLAIM_REJECTED, "reject");
	else
		decide(c, app, CLAIM_APPROVED, "approve");
}

const struct http_route admin_routes[] = {
	{"GET", STATUS_PATH, status_show, 0, NULL, MAY_VIEW},
	{"GET", "/api/v1/claims", claims_list, 0, NULL, MAY_VIEW},
	{"POST", CLAIMS_PATH "import", claims_import, IMPORT_BODY_MAX, NULL, MAY_ANNOUNCE},
	{"POST", CLAIMS_PATH "*", claims_decide, ADMIN_BODY_MAX, NULL, MAY_DECIDE},
	{"GET", RULES_PATH, rules_list, 0, NULL, MAY_VIEW},
	{"POST", RULES_PATH, rules_add, ADMIN_BODY_MAX, NULL, MAY_ADMIN},
	{"GET", RULES_PATH "/test", rules_test, 0, NULL, MAY_VIEW},
	{"POST", RULES_PATH "/*", rules_change, ADMIN_BODY_MAX, NULL, MAY_ADMIN},
	{"GET", SITES_PATH, sites_list, 0, NULL, MAY_VIEW},
	{"POST", SITES_PATH "/add", sites_add, ADMIN_BODY_MAX, NULL, MAY_ADMIN},
	{"POST", SITES_PATH "/set", sites_set, ADMIN_BODY_MAX, NULL, MAY_ADMIN},
	{"POST", SITES_PATH "/remove", sites_remove, ADMIN_BODY_MAX, NULL, MAY_ADMIN},
	{"GET", "/api/v1/devices", devices_list, 0, NULL, MAY_VIEW},
	{"GET", DEVICES_PATH "*", devices_show, 0, NULL, MAY_VIEW},
	{"POST", DEVICES_PATH "*", devices_revoke, ADMIN_BODY_MAX, NULL, MAY_OPERATE},
	{"GET", AUDIT_PATH, audit_list, 0, NULL, MAY_AUDIT},
	{"GET", AUDIT_PATH "/heads", audit_heads, 0, NULL, MAY_AUDIT},
	{"POST", AUDIT_PATH "/seal", audit_seal, ADMIN_BODY_MAX, NULL, MAY_AUDIT},
	{"GET", AUDIT_PATH "/anchors", audit_anchors, 0, NULL, MAY_AUDIT},
	{"GET", EVENTS_PATH, events_list, 0, NULL, MAY_VIEW},
	{"GET", DOCTOR_PATH, doctor_examine, 0, NULL, MAY_VIEW},
	{"GET", EXPLAIN_PATH "*", explain_device, 0, NULL, MAY_VIEW},
	{"GET", MANUFACTURERS_PATH, manufacturers_list, 0, NULL, MAY_VIEW},
	{"GET", CERTIFICATES_PATH, certificates_list, 0, NULL, MAY_VIEW},
	{"GET", VOUCHERS_PATH, vouchers_list, 0, NULL, MAY_VIEW},
	{"GET", STATISTICS_PATH, statistics_show, 0, NULL, MAY_VIEW},
	{"GET", BACKUPS_PATH, backup_show, 0, NULL, MAY_ADMIN},
	{"POST", BACKUPS_PATH, backup_begin, ADMIN_BODY_MAX, NULL, MAY_ADMIN},
	{"POST", RELOAD_PATH, reload_config, ADMIN_BODY_MAX, NULL, MAY_ADMIN},
};
const size_t admin_route_count = sizeof(admin_routes) / sizeof(*admin_routes);
