/* SPDX-License-Identifier: Apache-2.0 */
/* The administrators' resources, all in one table. Lists are {"items": […], "next": TEXT or null}
 * and are continued with ?after=TEXT. A claim or device is named by its number or its
 * serial-number. */
#include "registrar/admin/admin.h"

#include "registrar/admin/answer.h"
#include "registrar/admin/audit.h"
#include "registrar/admin/ca.h"
#include "registrar/admin/claims.h"
#include "registrar/admin/claims_decide.h"
#include "registrar/admin/device.h"
#include "registrar/admin/events.h"
#include "registrar/admin/guard.h"
#include "registrar/admin/hooks.h"
#include "registrar/admin/claims_import.h"
#include "registrar/admin/reports.h"
#include "registrar/admin/object.h"
#include "registrar/admin/reload.h"
#include "registrar/admin/rules.h"
#include "registrar/admin/session.h"
#include "registrar/admin/status.h"
#include "registrar/admin/sites.h"
#include "registrar/admin/tokens.h"
#include "registrar/admin/users.h"
#include "registrar/admin/vouchers.h"
#include "registrar/backup.h"
#include "registrar/admin/doctor.h"
#include "registrar/admin/explain.h"
#include "registrar/admin/jobs.h"
#include "registrar/meters.h"
#include "registrar/admin/openapi.h"
#include "registrar/records/records.h"

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
	{"GET", DEVICES_PATH "find", devices_find, 0, NULL, MAY_VIEW},
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
	{"GET", CA_PATH, ca_show, 0, NULL, MAY_VIEW},
	{"POST", CA_PATH "/switch", ca_switch, ADMIN_BODY_MAX, NULL, MAY_ADMIN, true},
	{"GET", AHEAD_PATH, vouchers_ahead_list, 0, NULL, MAY_VIEW},
	{"POST", AHEAD_PATH "/fetch", vouchers_ahead_fetch, BULK_BODY_MAX, NULL, MAY_OPERATE, true},
	{"POST", AHEAD_PATH "/*", vouchers_ahead_drop, ADMIN_BODY_MAX, NULL, MAY_OPERATE},
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
