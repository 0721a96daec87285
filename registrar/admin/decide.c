/* SPDX-License-Identifier: Apache-2.0 */
/* One decision about one claim. */
#include "registrar/admin/decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/datetime.h"
#include "common/wire/json.h"

#define APPROVALS_MAX 2048 /* two names and moments, escaped */

static const char *const names[DECIDE_RESULT_COUNT] = {"decided", "approved-once", "unchanged",
	"not-found", "ambiguous", "not-allowed", "already-decided", "same-approver", "stale"};

const char *decide_result_name(enum decide_result r)
{
	return names[r];
}

bool decide_is_written(enum decide_result r)
{
	return r == DECIDE_DONE || r == DECIDE_ONCE;
}

/* ---- What was decided before ---- */

static enum claim_state said(const struct claim_row *row, int64_t now)
{
	bool approved = row->claim == CLAIM_APPROVED || row->claim == CLAIM_PREAPPROVED;

	return approved && row->until && row->until <= now ? CLAIM_EXPIRED : row->claim;
}

static bool is_approval(enum claim_state s)
{
	return s == CLAIM_APPROVED || s == CLAIM_PREAPPROVED;
}

static void tell(struct decide_verdict *v, const struct claim_row *row, const char *ending)
{
	char when[DATETIME_LEN + 1] = "an unknown time";
	struct err ignored = ERR_INIT;

	if (row->decided_at && !datetime_format(row->decided_at, when, &ignored))
		when[0] = '\0';
	snprintf(v->detail, sizeof(v->detail), "%s by %.64s at %s%s",
		is_approval(row->claim) ? "Approved" : "Rejected", row->by ? row->by : "a rule",
		when, ending);
}

/* A person's word, and not that of whoever asks now. A rule is not asked. */
static bool is_anothers(const struct decision *d, const struct claim_row *row)
{
	return row->by && strncmp(row->by, "rule ", strlen("rule ")) != 0 &&
	       strcmp(row->by, d->who->name) != 0;
}

/* ---- Two approvers ---- */

/* The approvals since the last decision; an object with one member, so that it can be parsed. */
static json_t *approvals_of(const struct claim_row *row, struct err *e)
{
	FREE_AUTO char *text = str_printf(e, "{\"a\":%s}", row->approvals ? row->approvals : "[]");
	JSON_AUTO json_t *object = text ? json_parse_object(bytes_of_str(text), e) : NULL;
	JSON_AUTO json_t *all = json_incref(json_object_get(object, "a"));
	json_t *open = json_array(), *one;
	size_t i;

	json_array_foreach(all, i, one)
	{
		const char *at = json_string_value(json_object_get(one, "at"));
		struct err ignored = ERR_INIT;
		int64_t moment;

		if (at && datetime_parse(at, &moment, &ignored) && moment > row->decided_at &&
			json_array_append(open, one) != 0)
			err_set(e, ERR_NO_MEMORY, "no memory for approvals");
	}
	if (object && open && e->kind == ERR_NONE)
		return open;
	json_decref(open);
	if (e->kind == ERR_NONE)
		err_set(e, ERR_NO_MEMORY, "no memory for approvals");
	return NULL;
}

static bool has_approved(const json_t *approvals, const char *who)
{
	const json_t *one;
	size_t i;

	json_array_foreach(approvals, i, one)
	{
		const char *by = json_string_value(json_object_get(one, "by"));

		if (by && strcmp(by, who) == 0)
			return true;
	}
	return false;
}

static bool add_approval(
	json_t *approvals, const struct decision *d, struct decide_verdict *v, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(APPROVALS_MAX);
	char at[DATETIME_LEN + 1];

	if (!datetime_format(d->now, at, e))
		return false;
	if (json_array_append_new(approvals, json_pack("{ss ss}", "by", d->who->name, "at", at)) !=
		0)
		return err_set(e, ERR_NO_MEMORY, "no memory for approvals");
	if (!json_format(approvals, &text, e))
		return false;
	v->approvals = str_dup(buf_str(&text), e);
	return v->approvals != NULL;
}

static bool approve(const struct decision *d, const struct claim_row *row, int approvers,
	struct decide_verdict *v, struct err *e)
{
	JSON_AUTO json_t *approvals = NULL;

	v->result = DECIDE_DONE;
	if (approvers < 2)
		return true;
	approvals = approvals_of(row, e);
	if (!approvals)
		return false;
	if (has_approved(approvals, d->who->name)) {
		v->result = DECIDE_SAME_APPROVER;
		snprintf(v->detail, sizeof(v->detail),
			"You have approved it; its site asks for %d approvers.", approvers);
		return true;
	}
	if ((int)json_array_size(approvals) + 1 < approvers) {
		v->result = DECIDE_ONCE;
		snprintf(v->detail, sizeof(v->detail),
			"Its site asks for %d approvers: somebody else has to approve it as well.",
			approvers);
	}
	return add_approval(approvals, d, v, e);
}

/* ---- The verdict ---- */

static bool may_know(const struct decision *d, const struct claim_row *row)
{
	return principal_may(
		d->who, MAY_VIEW, row->manufacturer, row->site ? row->site : "/", d->now);
}

/* Where it is, and where it is to be. */
static bool may_decide(const struct decision *d, const struct claim_row *row)
{
	return principal_may(d->who, MAY_DECIDE, row->manufacturer, row->site ? row->site : "/",
		       d->now) &&
	       (!d->site || principal_may(d->who, MAY_DECIDE, row->manufacturer, d->site, d->now));
}

static bool judge(const struct decision *d, const struct claim_row *row, int64_t revision,
	int approvers, struct decide_verdict *v, struct err *e)
{
	const enum claim_state before = said(row, d->now);
	const bool same = d->to == CLAIM_APPROVED ? is_approval(before) : before == CLAIM_REJECTED;
	const bool other = d->to == CLAIM_APPROVED ? before == CLAIM_REJECTED : is_approval(before);
	const bool stale = revision != DECIDE_ANY_REVISION && revision != row->revision;

	if (!may_know(d, row)) {
		v->result = DECIDE_NOT_FOUND;
	} else if (!may_decide(d, row)) {
		v->result = DECIDE_NOT_ALLOWED;
		snprintf(v->detail, sizeof(v->detail), "You may not decide about this device.");
	} else if (same && !d->change) {
		v->result = DECIDE_UNCHANGED;
		tell(v, row, " already; nothing was changed.");
	} else if (other && !d->change &&
		   (stale || (revision == DECIDE_ANY_REVISION && is_anothers(d, row)))) {
		v->result = DECIDE_ALREADY;
		tell(v, row, "; look at it again, and say so if it shall change.");
	} else if (stale) {
		v->result = DECIDE_STALE;
		snprintf(v->detail, sizeof(v->detail), "It changed since you looked at it.");
	} else if (d->to == CLAIM_APPROVED) {
		return approve(d, row, approvers, v, e);
	} else {
		v->result = DECIDE_DONE;
	}
	return true;
}

bool decide_judge(const struct decision *d, const struct claim_row *row, int64_t revision,
	int approvers, struct decide_verdict *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	out->to = d->to == CLAIM_APPROVED && row->first_seen == 0 ? CLAIM_PREAPPROVED : d->to;
	return judge(d, row, revision, approvers, out, e);
}
