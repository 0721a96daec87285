/* SPDX-License-Identifier: Apache-2.0 */
/* registrarctl: a site administrator's hands. Claims are what waits for a decision, devices what
 * has joined or tried to. */

#include "ctl/audit.h"
#include "ctl/backup.h"
#include "ctl/ca.h"
#include "ctl/claims.h"
#include "ctl/claims_import.h"
#include "ctl/ctl.h"
#include "ctl/devices.h"
#include "ctl/doctor.h"
#include "ctl/events.h"
#include "ctl/hooks.h"
#include "ctl/jobs.h"
#include "ctl/manufacturers.h"
#include "ctl/reports.h"
#include "ctl/restore.h"
#include "ctl/rules.h"
#include "ctl/sites.h"
#include "ctl/setup_ca.h"
#include "ctl/setup_registrar.h"
#include "ctl/status.h"
#include "ctl/users.h"
#include "ctl/vouchers.h"

#define DEVICES_MEANT "ID… | --file FILE | --match KEY=VALUE,…"

static const struct ctl_command commands[] = {
	{"setup", "", "", "Make a site: its CA, the registrar's certificate, the configuration.", 0,
		0, setup_registrar_options, setup_registrar},
	{"manufacturers", "add", "NAME", "Let devices of a manufacturer ask to join.", 1, 1,
		manufacturers_add_options, manufacturers_add},
	{"manufacturers", "remove", "NAME", "Refuse devices of a manufacturer from now on.", 1, 1,
		manufacturers_remove_options, manufacturers_remove},
	{"manufacturers", "list", "", "Manufacturers, and whether their MASAs answer.", 0, 0, NULL,
		manufacturers_list},
	{"claims", "list", "", "Devices that an administrator decides or decided about.", 0, 0,
		claims_list_options, claims_list},
	{"claims", "show", "ID", "One claim, with what is needed to decide.", 1, 1, NULL,
		claims_show},
	{"claims", "watch", "ID", "A line for each change, until the device has joined.", 1, 1,
		claims_watch_options, claims_watch},
	{"claims", "approve", "ID… | --file FILE | --match KEY=VALUE,… | --all",
		"Let devices join; ID is the number or the serial.", 0, -1, claims_approve_options,
		claims_approve},
	{"claims", "reject", "ID… | --file FILE | --match KEY=VALUE,…",
		"Do not let devices join, and refuse those that did.", 0, -1, claims_reject_options,
		claims_reject},
	{"claims", "export", "", "All claims as CSV, which import reads again.", 0, 0,
		claims_list_options, claims_export},
	{"claims", "import", "FILE.csv|FILE.ndjson",
		"Approve devices before they ask: all rows of the list, or none.", 1, 1,
		claims_import_options, claims_import},
	{"jobs", "list", "", "Decisions about more claims than an answer waits for.", 0, 0, NULL,
		jobs_list},
	{"jobs", "show", "ID", "One job, with what failed.", 1, 1, NULL, jobs_show},
	{"rules", "list", "", "Rules on who may join; the first that matches decides.", 0, 0, NULL,
		rules_list},
	{"rules", "add", "approve|hold|reject|ask",
		"Add a rule; what is not said matches anything, LIST is like A-1,B-*,C-100..C-199.",
		1, 1, rules_add_options, rules_add},
	{"rules", "remove", "ID", "Remove a rule.", 1, 1, NULL, rules_remove},
	{"rules", "enable", "ID", "Let a rule count again.", 1, 1, NULL, rules_enable},
	{"rules", "disable", "ID", "Put a rule aside; it keeps its place.", 1, 1, NULL,
		rules_disable},
	{"rules", "move", "ID POSITION", "Put a rule at another place; 1 is tried first.", 2, 2,
		NULL, rules_move},
	{"rules", "test", "SERIAL", "What would become of this device if it asked now.", 1, 1,
		rules_test_options, rules_test},
	{"devices", "list", "", "Devices that joined or tried to.", 0, 0, devices_list_options,
		devices_list},
	{"devices", "find", "TEXT",
		"Claims and devices whose serial number begins so, or has it anywhere.", 1, 1,
		devices_find_options, devices_find},
	{"devices", "show", "ID", "One device: state, certificates, journal.", 1, 1, NULL,
		devices_show},
	{"devices", "history", "ID", "All that happened to a device, the oldest first.", 1, 1,
		devices_history_options, devices_history},
	{"devices", "export", "", "All devices with all that is known, as -o csv for a file.", 0, 0,
		devices_list_options, devices_export},
	{"devices", "quarantine", DEVICES_MEANT, "Shut devices out until they are released.", 0, -1,
		devices_verb_options, devices_quarantine},
	{"devices", "release", DEVICES_MEANT, "Let quarantined devices in again, as they were.", 0,
		-1, devices_verb_options, devices_release},
	{"devices", "clear-marks", DEVICES_MEANT,
		"Take signals of fraud off devices, with a --reason; they may come again.", 0, -1,
		devices_verb_options, devices_clear_marks},
	{"devices", "revoke", DEVICES_MEANT,
		"Revoke all certificates of devices; only a new approval lets them back.", 0, -1,
		devices_verb_options, devices_revoke},
	{"devices", "decommission", DEVICES_MEANT, "The same of devices whose service ends.", 0, -1,
		devices_verb_options, devices_decommission},
	{"devices", "replace", "OLD NEW",
		"Let a device join in place of another, which is revoked; NEW is its serial.", 2, 2,
		devices_replace_options, devices_replace},
	{"devices", "move", DEVICES_MEANT, "Put devices in a site.", 0, -1, devices_move_options,
		devices_move},
	{"devices", "label", DEVICES_MEANT, "Set labels of devices, or take them off.", 0, -1,
		devices_label_options, devices_label},
	{"sites", "list", "", "The tree of sites, with the devices in each.", 0, 0, NULL,
		sites_list},
	{"sites", "add", "PATH", "Add a site, as /eu/berlin-3/dock, and those it is in.", 1, 1,
		sites_change_options, sites_add},
	{"sites", "set", "PATH", "Change a site; what is not said stays.", 1, 1,
		sites_change_options, sites_set},
	{"sites", "remove", "PATH…", "Remove sites that are empty.", 1, -1, NULL, sites_remove},
	{"certificates", "list", "", "What was issued, in the order of its end.", 0, 0,
		certificates_list_options, certificates_list},
	{"vouchers", "list", "",
		"Devices that have a voucher; with --ahead: vouchers that are stored.", 0, 0,
		vouchers_list_options, vouchers_list},
	{"vouchers", "fetch", "SERIAL… | --file FILE | --match KEY=VALUE,…",
		"Fetch vouchers before their devices ask, for when the MASA cannot be reached.", 0,
		-1, vouchers_fetch_options, vouchers_fetch},
	{"vouchers", "drop", "ID…|SERIAL… | --file FILE", "Forget stored vouchers.", 0, -1,
		vouchers_drop_options, vouchers_drop},
	{"statistics", "", "", "Joins, failures and ends, summed up.", 0, 0, NULL, statistics_show},
	{"audit", "list", "", "What administrators and devices did, the newest last.", 0, 0,
		audit_list_options, audit_list},
	{"audit", "export", "", "All of it, a JSON object a line: signed heads, then entries.", 0,
		0, NULL, audit_export},
	{"audit", "verify", "[EXPORT]",
		"Was it changed? Follow its hashes and signatures, here or in an export.", 0, 1,
		audit_verify_options, audit_verify},
	{"events", "tail", "", "What happens, as it happens; with --once what happened until now.",
		0, 0, events_tail_options, events_tail},
	{"hooks", "list", "", "Programs that are told of events.", 0, 0, NULL, hooks_list},
	{"hooks", "add", "URL", "Tell events to a program; its secret is shown this once.", 1, 1,
		hooks_add_options, hooks_add},
	{"hooks", "test", "ID", "Send one event for a try.", 1, 1, NULL, hooks_test},
	{"hooks", "remove", "ID", "Remove a hook and its dead letters.", 1, 1, NULL, hooks_remove},
	{"hooks", "enable", "ID", "Send again, beginning where it stopped.", 1, 1,
		hooks_enable_options, hooks_enable},
	{"hooks", "disable", "ID", "Send nothing until it is enabled.", 1, 1, NULL, hooks_disable},
	{"hooks", "dead", "ID", "Events that nobody took: list, retry or drop them.", 1, 1,
		hooks_dead_options, hooks_dead},
	{"users", "list", "", "Who may log in, and what they may do.", 0, 0, NULL, users_list},
	{"users", "show", "NAME", "One user, with certificates.", 1, 1, NULL, users_show},
	{"users", "add", "NAME",
		"Add a user; prints a code for the first log-in, good for a quarter of an hour.", 1,
		1, users_grant_options, users_add},
	{"users", "code", "NAME", "Make a new code: for a password that was forgotten.", 1, 1, NULL,
		users_code},
	{"users", "grant", "NAME", "Give a role, everywhere or within bounds.", 1, 1,
		users_grant_options, users_grant},
	{"users", "ungrant", "NAME", "Take the role with these very bounds away.", 1, 1,
		users_grant_options, users_ungrant},
	{"users", "disable", "NAME…", "Let nobody in as these users; their sessions end.", 1, -1,
		NULL, users_disable},
	{"users", "enable", "NAME…", "Let them in again.", 1, -1, NULL, users_enable},
	{"users", "remove", "NAME…", "Remove users with their tokens and sessions.", 1, -1, NULL,
		users_remove},
	{"users", "certificate", "NAME FILE",
		"Let a user in who proves this certificate in TLS; with --forget no more.", 2, 2,
		users_certificate_options, users_certificate},
	{"tokens", "list", "", "Tokens for programs: one's own, on the socket all.", 0, 0, NULL,
		tokens_list},
	{"tokens", "add", "", "Make a token; it is printed once.", 0, 0, tokens_add_options,
		tokens_add},
	{"tokens", "remove", "ID…", "Remove tokens.", 1, -1, NULL, tokens_remove},
	{"ca", "show", "", "The issuing CAs, and which of them issues.", 0, 0, NULL, ca_show},
	{"ca", "switch", "", "Have the other issuing CA issue from now on, or the one --to names.",
		0, 0, ca_switch_options, ca_switch},
	{"backup", "", "FILE", "Copy the store into a new file while the registrar runs.", 1, 1,
		NULL, backup},
	{"restore", "", "FILE", "Put a backup in place of the store; the registrar is stopped.", 1,
		1, restore_options, restore_registrar},
	{"doctor", "", "[SERIAL]",
		"What may be wrong, here or with one device, and what to do next.", 0, 1, NULL,
		doctor},
	{"status", "", "", "How the registrar and its site are, at one glance.", 0, 0,
		status_options, status},
	{NULL, NULL, NULL, NULL, 0, 0, NULL, NULL},
};

static const struct ctl_program program = {
	.name = "registrarctl",
	.what_it_is = "administers a running brski-registrar",
	.default_socket = "/run/brski-registrar/admin.sock",
	.commands = commands,
	.audit = &audit_log_of_registrar,
	.environment = "REGISTRARCTL",
	.token_command = "tokens add",
};

int main(int argc, char **argv)
{
	return ctl_main(argc, argv, &program);
}
