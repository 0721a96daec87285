/* SPDX-License-Identifier: Apache-2.0 */
/* Members are only ever added here: whoever reads them is somewhere else. */
#include "registrar/admin/object.h"

#include <string.h>

#include "registrar/fraud.h"

static json_t *number_or_null(int64_t n)
{
	return n ? json_integer(n) : json_null();
}

static json_t *decision_object(const struct claim_row *row)
{
	return json_pack("{sI sI ss ss so so ss so so so ss so}", "id", (json_int_t)row->id,
		"revision", (json_int_t)row->revision, "manufacturer", row->manufacturer, "serial",
		row->serial, "model", admin_text(row->model), "subject", admin_text(row->subject),
		"claim", claim_state_name(row->claim), "reason", admin_text(row->reason), "by",
		admin_text(row->by), "until", admin_moment(row->until), "site", row->site, "labels",
		admin_stored_json(row->labels, json_object()));
}

static json_t *inventory_object(const struct claim_row *row, const struct standing_rule *rule)
{
	bool waits = row->claim == CLAIM_PENDING && row->first_seen <= rule->now;

	return json_pack("{ss so so so so so so so so sI so so}", "state",
		standing_name(standing_of(row->standing, row->not_after, rule)), "quarantined",
		admin_moment(row->quarantined_at), "quarantine_reason",
		admin_text(row->quarantine_reason), "retired", admin_moment(row->retired_at),
		"not_after", admin_moment(row->not_after), "rejoined",
		admin_moment(row->rejoined_at), "replaces", number_or_null(row->replaces),
		"replaced_by", number_or_null(row->replaced_by), "address",
		admin_text(row->address), "marks", (json_int_t)row->marks, "signals",
		fraud_marks_json(row->marks), "waiting_s",
		waits ? json_integer(rule->now - row->first_seen) : json_null());
}

static json_t *progress_object(const struct claim_row *row)
{
	return json_pack("{ss so so so so so so so so so}", "history",
		history_state_name(row->history), "history_reason", admin_text(row->history_reason),
		"voucher_status", admin_text(row->voucher_status), "enroll_status",
		admin_text(row->enroll_status), "first_seen", admin_moment(row->first_seen),
		"last_seen", admin_moment(row->last_seen), "decided", admin_moment(row->decided_at),
		"vouched", admin_moment(row->vouched_at), "enrolled",
		admin_moment(row->enrolled_at), "approvals",
		admin_stored_json(row->approvals, json_array()));
}

json_t *admin_claim_object(const struct claim_row *row, const struct standing_rule *rule)
{
	JSON_AUTO json_t *inventory = inventory_object(row, rule), *progress = progress_object(row);
	json_t *claim = decision_object(row);

	if (claim && inventory && progress && json_object_update(claim, inventory) == 0 &&
		json_object_update(claim, progress) == 0)
		return claim;
	json_decref(claim);
	return NULL;
}

bool admin_add_claim(void *arg, const struct claim_row *row, struct err *e)
{
	struct admin_page *p = arg;

	p->last_id = row->id;
	return admin_append(p->items, admin_claim_object(row, &p->rule), e);
}
