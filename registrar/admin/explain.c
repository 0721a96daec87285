/* SPDX-License-Identifier: Apache-2.0 */
/* Tables from what is stored of a device to a sentence and a next step: see explain.h. */
#include "registrar/admin/explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/wire/datetime.h"
#include "common/wire/percent.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/scope.h"
#include "registrar/fraud.h"
#include "registrar/records/records.h"
#include "registrar/standing.h"

#define SERIAL_TEXT_MAX 1024
#define FOUND_MAX	900
#define LINES_LOOKED_AT 50 /* of the device's journal, the newest first */

struct explanation {
	struct registrar *r;
	struct call *call;
	struct standing_rule rule;
	json_t *items;
	size_t devices;
	bool settled; /* the newest line that says something was looked at */
	bool joined;
};

static bool PRINTF(6, 7) note(struct explanation *x, const char *check, const char *verdict,
	const char *next, struct err *e, const char *fmt, ...)
{
	char found[FOUND_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(found, sizeof(found), fmt, ap);
	va_end(ap);
	return admin_append(x->items,
		json_pack("{ss ss so so}", "check", check, "verdict", verdict, "found",
			admin_text(found), "next", admin_text(next)),
		e);
}

static const char *moment(int64_t unix_s, char out[DATETIME_LEN + 1])
{
	struct err ignored = ERR_INIT;

	return unix_s && datetime_format(unix_s, out, &ignored) ? out : "never";
}

/* ---- What is said about it, and where it stands ---- */

struct advice {
	const char *verdict, *next;
};

static const struct advice of_claim[CLAIM_STATE_COUNT] = {
	[CLAIM_NONE] = {"ok", NULL},
	[CLAIM_PENDING] = {"warn", "decide: registrarctl claims approve, or reject"},
	[CLAIM_APPROVED] = {"ok", NULL},
	[CLAIM_REJECTED] = {"fail", "if that was a mistake: registrarctl claims approve; the "
				    "device may have to be told "
				    "to join again"},
	[CLAIM_PREAPPROVED] = {"ok", NULL},
	[CLAIM_ANNOUNCED] = {"warn", "decide: registrarctl claims approve, or reject"},
	[CLAIM_EXPIRED] = {"warn", "nobody used the approval in time: registrarctl claims approve"},
};

static const struct advice of_standing[STANDING_COUNT] = {
	[STANDING_NONE] = {"ok", NULL},
	[STANDING_ACTIVE] = {"ok", NULL},
	[STANDING_JOINING] = {"warn", "it has a voucher and no certificate yet: see the last step "
				      "below, and the device's "
				      "own log"},
	[STANDING_QUARANTINED] = {"fail", "when it is safe: registrarctl devices release"},
	[STANDING_REVOKED] = {"fail",
		"only a new approval lets it back: registrarctl claims approve"},
	[STANDING_DECOMMISSIONED] = {"fail", "it was taken out of service for good"},
	[STANDING_REPLACED] = {"fail", "another device has its place"},
	[STANDING_REFUSED] = {"fail",
		"look at its history; registrarctl claims approve takes a rejection back"},
	[STANDING_EXPIRING] = {"warn", "its certificate ends soon: does it renew? see its log"},
	[STANDING_EXPIRED] = {"fail",
		"its certificate has ended: it joins again with its IDevID, where policy lets it"},
};

static const struct advice of_history[HISTORY_STATE_COUNT] = {
	[HISTORY_UNKNOWN] = {"ok", NULL},
	[HISTORY_GOOD] = {"ok", NULL},
	[HISTORY_WARNED] = {"warn", "ask its seller about the earlier owners the MASA tells of"},
	[HISTORY_REFUSED] = {"fail",
		"its MASA tells of other owners: ask its seller before [audit] is loosened"},
};

static bool explain_claim(struct explanation *x, const struct claim_row *row, struct err *e)
{
	char since[DATETIME_LEN + 1];
	const struct advice *a = &of_claim[row->claim];

	return note(x, "claim", a->verdict, a->next, e, "%s%s%s%s%s; first seen %s",
		row->claim == CLAIM_NONE ? "nobody had to decide" : claim_state_name(row->claim),
		row->by ? " by " : "", row->by ? row->by : "", row->reason ? ": " : "",
		row->reason ? row->reason : "", moment(row->first_seen, since));
}

static bool explain_standing(struct explanation *x, const struct claim_row *row, struct err *e)
{
	const enum standing s = standing_of(row->standing, row->not_after, &x->rule);
	char end[DATETIME_LEN + 1];
	const struct advice *a = &of_standing[s];

	x->joined = s == STANDING_ACTIVE || s == STANDING_EXPIRING;
	return note(x, "state", a->verdict, a->next, e, "%s%s%s%s%s",
		s == STANDING_NONE ? "has not joined" : standing_name(s),
		row->not_after ? ", its certificate ends " : "",
		row->not_after ? moment(row->not_after, end) : "",
		row->quarantine_reason ? ": " : "",
		row->quarantine_reason ? row->quarantine_reason : "");
}

static bool explain_history(struct explanation *x, const struct claim_row *row, struct err *e)
{
	const struct advice *a = &of_history[row->history];

	if (row->history == HISTORY_UNKNOWN)
		return true;
	return note(x, "history", a->verdict, a->next, e, "%s%s%s",
		history_state_name(row->history), row->history_reason ? ": " : "",
		row->history_reason ? row->history_reason : "");
}

static bool explain_marks(struct explanation *x, const struct claim_row *row, struct err *e)
{
	char marks[FRAUD_MARKS_TEXT_MAX];

	fraud_marks_text(row->marks, marks);
	return !row->marks ||
	       note(x, "marks", "warn",
		       "see why: registrarctl devices history; then devices quarantine, or "
		       "devices clear-marks",
		       e, "%s", marks);
}

static bool explain_row(void *arg, const struct claim_row *row, struct err *e)
{
	struct explanation *x = arg;
	char seen[DATETIME_LEN + 1];

	if (!admin_sees(x->call, row->manufacturer, row->site))
		return true;
	x->devices++;
	return note(x, "device", "ok", NULL, e, "%s of %s%s%s, site %s, last seen %s%s%s",
		       row->serial, row->manufacturer, row->model ? ", model " : "",
		       row->model ? row->model : "", row->site, moment(row->last_seen, seen),
		       row->address ? " from " : "", row->address ? row->address : "") &&
	       explain_claim(x, row, e) && explain_standing(x, row, e) &&
	       explain_marks(x, row, e) && explain_history(x, row, e);
}

/* ---- The step that was taken last ---- */

/* What may help when a step failed; "" stands for any other. */
static const struct {
	const char *step, *next;
} of_steps[] = {
	{"admit",
		"is its manufacturer configured (registrarctl manufacturers add), does its IDevID "
		"lead to those anchors, and is the device's clock right?"},
	{"claim", "see who rejected it, or which rule: registrarctl rules test"},
	{"endorse", "a request we could not carry on: the reason says which part of it"},
	{"masa", "is its MASA there (registrarctl doctor), does it know the device and us as its "
		 "owner?"},
	{"vet", "the MASA's answer was not good: compare masa_anchors, ask the manufacturer"},
	{"history", "its MASA's audit log could not be read, or speaks against it"},
	{"voucher-status",
		"the device did not take the voucher: does it trust its MASA's signer, is "
		"its clock right?"},
	{"enroll-status", "the device could not use its certificate: see the device's log"},
	{"enroll", "the request for a certificate was refused: the reason says why"},
	{"keygen", "the request for a certificate was refused: the reason says why"},
	{"renew", "the renewal was refused: the reason says why"},
	{"session", "who may do what: registrarctl users list"},
	{"", "the exchange's id finds all of it in the log"},
};

static const char *next_of(const char *step)
{
	size_t i = 0;

	while (of_steps[i].step[0] && strcmp(of_steps[i].step, step) != 0)
		i++;
	return of_steps[i].next;
}

static const char *const good_outcomes[] = {"delivered", "certificate", "true", "good", "pending",
	"approved", "preapproved", "released", "moved", "labelled", "warned", "unknown"};

static bool went_well(const char *outcome)
{
	for (size_t i = 0; i < sizeof(good_outcomes) / sizeof(*good_outcomes); i++)
		if (strcmp(good_outcomes[i], outcome) == 0)
			return true;
	return false;
}

static bool explain_line(void *arg, const struct journal_line *line, struct err *e)
{
	struct explanation *x = arg;
	const struct journal_entry *j = &line->entry;
	char at[DATETIME_LEN + 1];
	bool well;

	if (x->settled || !j->step || !j->outcome)
		return true;
	well = went_well(j->outcome);
	if (x->devices == 0 && !admin_sees(x->call, j->device.manufacturer, NULL))
		return true;
	x->settled = true;
	return note(x, "last step",
		well	    ? "ok"
		: x->joined ? "warn"
			    : "fail",
		well ? NULL : next_of(j->step), e, "%s: %s at %s%s%s (exchange %s)", j->step,
		j->outcome, moment(j->at, at), j->reason ? ": " : "", j->reason ? j->reason : "",
		j->exchange ? j->exchange : "none");
}

/* ---- The answer ---- */

static bool explain(struct explanation *x, struct err *e)
{
	BUF_AUTO struct buf serial = BUF_INIT(SERIAL_TEXT_MAX);

	if (!percent_decode(bytes_of_str(call_path(x->call) + strlen(EXPLAIN_PATH)), &serial, e) ||
		!records_find_by_serial(x->r->store, buf_str(&serial), explain_row, x, e) ||
		!records_read_journal(
			x->r->store, buf_str(&serial), LINES_LOOKED_AT, explain_line, x, e))
		return false;
	if (json_array_size(x->items) > 0)
		return true;
	err_set(e, ERR_NOT_FOUND, "no device \"%s\"", buf_str(&serial));
	return err_tell(e, "This device never came here: is it plugged in, does it find the "
			   "registrar, is its serial-number written so?");
}

void explain_device(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	JSON_AUTO json_t *items = json_array();
	JSON_AUTO json_t *answer = NULL;
	struct explanation x = {.r = r, .call = c, .rule = standing_rule_of(r), .items = items};
	struct err e = ERR_INIT;

	if (items && !explain(&x, &e)) {
		call_reply_err(c, &r->log, "admin-failed", &e);
		return;
	}
	answer = items ? json_pack("{sO sn}", "items", items, "next") : NULL;
	admin_reply(c, r, answer);
}
