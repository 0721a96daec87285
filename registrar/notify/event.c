/* SPDX-License-Identifier: Apache-2.0 */
/* The table of events, and a line of the journal as a CloudEvent (CloudEvents 1.0, JSON format,
 * with the extension `sequence`: digits of one length, so that text sorts as numbers do). */
#include "registrar/notify/event.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "registrar/admin/answer.h"

#define HOST_MAX 255

/* clang-format off */
const struct event_row event_rows[] = {
	{"claim", "pending", "brski.claim.pending", false},
	{"claim", "preapproved", "brski.claim.preapproved", false},
	{"claim", "announced", "brski.claim.announced", false},
	{"claim", "approved", "brski.claim.approved", false},
	{"claim", "approved-once", "brski.claim.approved_once", false},
	{"claim", "rejected", "brski.claim.rejected", false},
	{"claim", "expired", "brski.claim.expired", false},
	{"import", "done", "brski.claim.imported", false},

	{"voucher", "delivered", "brski.voucher.issued", false},
	{"admit", NULL, "brski.voucher.refused", false},
	{"claim", NULL, "brski.voucher.refused", false},
	{"endorse", NULL, "brski.voucher.failed", false},
	{"masa", NULL, "brski.voucher.failed", false},
	{"vet", NULL, "brski.voucher.failed", false},
	{"history", NULL, "brski.voucher.failed", false},
	{"journal", NULL, "brski.voucher.failed", false},
	{"deliver", NULL, "brski.voucher.failed", false},
	{"allocate", "redirected", "brski.cloud.redirected", false},
	{"allocate", "moved", "brski.cloud.moved", false},
	{"allocate", "est-named", "brski.cloud.est_named", false},
	{"allocate", NULL, "brski.cloud.failed", false},
	{"owner", "unclaimed", "brski.cloud.unclaimed", false},
	{"owner", NULL, "brski.cloud.failed", false},
	{"voucher-status", "true", "brski.voucher.accepted", false},
	{"voucher-status", "false", "brski.voucher.declined", false},

	{"history", "good", "brski.auditlog.checked", false},
	{"history", "unknown", "brski.auditlog.checked", false},
	{"history", "warned", "brski.auditlog.suspicious", false},
	{"history", "refused", "brski.auditlog.suspicious", false},

	{"enroll", "certificate", "brski.device.enrolled", false},
	{"keygen", "certificate", "brski.device.enrolled", false},
	{"renew", "certificate", "brski.device.renewed", false},
	{"enroll", NULL, "brski.device.enroll_failed", false},
	{"keygen", NULL, "brski.device.enroll_failed", false},
	{"renew", NULL, "brski.device.renew_failed", false},
	{"enroll-status", "true", "brski.device.joined", false},
	{"enroll-status", "false", "brski.device.join_failed", false},
	{"device", "revoked", "brski.device.revoked", false},
	{"device", "quarantined", "brski.device.quarantined", false},
	{"device", "released", "brski.device.released", false},
	{"device", "moved", "brski.device.moved", false},
	{"device", "labelled", "brski.device.labelled", false},
	{"device", "decommissioned", "brski.device.decommissioned", false},
	{"device", "replaced", "brski.device.replaced", false},

	{"device", "expiring", "brski.device.expiring", false},
	{"device", "expired", "brski.device.expired", false},
	{"device", "cleared", "brski.device.cleared", false},
	{"fraud", "clone-suspected", "brski.device.clone_suspected", false},
	{"fraud", "second-key", "brski.device.second_key", false},
	{"fraud", "foreign-domain", "brski.device.foreign_domain", false},
	{"fraud", "rejoin-while-renewing", "brski.device.rejoin_while_renewing", false},
	{"fraud", "looping", "brski.device.looping", false},

	{"ahead", "fetched", "brski.voucher.fetched_ahead", false},
	{"ahead", "renewed", "brski.voucher.renewed_ahead", false},
	{"ahead", "dropped", "brski.voucher.dropped_ahead", false},
	{"ca", "switched", "brski.ca.switched", false},
	{"rule", "added", "brski.rule.added", false},
	{"rule", "moved", "brski.rule.moved", false},
	{"rule", "removed", "brski.rule.removed", false},
	{"rule", "enabled", "brski.rule.enabled", false},
	{"rule", "disabled", "brski.rule.disabled", false},
	{"hook", "added", "brski.hook.added", true},
	{"hook", "removed", "brski.hook.removed", true},
	{"hook", "enabled", "brski.hook.enabled", true},
	{"hook", "disabled", "brski.hook.disabled", true},
	{"hook", "retried", "brski.hook.retried", true},
	{"hook", "dropped", "brski.hook.dropped", true},
	{"hook", "failing", "brski.hook.failing", true},
	{"hook", "recovered", "brski.hook.recovered", true},
	{"masa", "unreachable", "brski.masa.unreachable", false},
	{"masa", "recovered", "brski.masa.recovered", false},
	{"store", "low-space", "brski.store.low_space", false},
	{"store", "space-recovered", "brski.store.space_recovered", false},
	{"session", "denied", "brski.session.denied", true},
	{"device", "rejoined", "brski.device.rejoined", false},
	{"site", "added", "brski.site.added", false},
	{"site", "changed", "brski.site.changed", false},
	{"site", "removed", "brski.site.removed", false},
	{"session", "begun", "brski.session.begun", true},
	{"session", "ended", "brski.session.ended", true},
	{"user", "added", "brski.user.added", true},
	{"user", "removed", "brski.user.removed", true},
	{"user", "enabled", "brski.user.enabled", true},
	{"user", "disabled", "brski.user.disabled", true},
	{"user", "granted", "brski.user.granted", true},
	{"user", "ungranted", "brski.user.ungranted", true},
	{"user", "password-changed", "brski.user.password_changed", true},
	{"user", "code-made", "brski.user.code_made", true},
	{"user", "certificate-added", "brski.user.certificate_added", true},
	{"user", "certificate-removed", "brski.user.certificate_removed", true},
	{"token", "added", "brski.token.added", true},
	{"token", "removed", "brski.token.removed", true},
	{"job", "begun", "brski.job.begun", true},
	{"job", "finished", "brski.job.finished", true},
	{"job", "failed", "brski.job.failed", true},
	{"job", "interrupted", "brski.job.interrupted", true},
	{"config", "changed", "brski.config.changed", true},
	{"backup", "begun", "brski.backup.begun", true},
	{"restore", "restored", "brski.backup.restored", true},
};
/* clang-format on */
const size_t event_row_count = sizeof(event_rows) / sizeof(*event_rows);

/* ---- Types ---- */

const struct event_row *event_row_of(const char *step, const char *outcome)
{
	const struct event_row *of_step = NULL;

	if (!step || !outcome)
		return NULL;
	for (size_t i = 0; i < event_row_count; i++) {
		const struct event_row *row = &event_rows[i];

		if (strcmp(row->step, step) != 0)
			continue;
		if (!row->outcome)
			of_step = row;
		else if (strcmp(row->outcome, outcome) == 0)
			return row;
	}
	return of_step;
}

void event_type(const char *step, const char *outcome, char out[EVENT_TYPE_MAX + 1])
{
	const struct event_row *row = event_row_of(step, outcome);

	if (row) {
		snprintf(out, EVENT_TYPE_MAX + 1, "%s", row->type);
		return;
	}
	snprintf(out, EVENT_TYPE_MAX + 1, EVENT_PREFIX "%.40s.%.40s", step ? step : "journal",
		outcome ? outcome : "noted");
	for (char *c = out; *c; c++)
		if (*c == '-')
			*c = '_';
}

static struct bytes next_pattern(const char **types)
{
	size_t len = strcspn(*types, ",");
	struct bytes pattern = bytes_of(*types, len);

	*types += len + ((*types)[len] == ',');
	return pattern;
}

/* Letters of a type, and perhaps a '*' behind them. */
static bool is_pattern(struct bytes p)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789._";
	size_t n = 0;

	while (n < p.len && p.data[n] && strchr(letters, p.data[n]))
		n++;
	return p.len > 0 && (n == p.len || (n + 1 == p.len && p.data[n] == '*'));
}

static bool pattern_matches(struct bytes p, const char *type)
{
	if (p.len > 0 && p.data[p.len - 1] == '*')
		return strncmp((const char *)p.data, type, p.len - 1) == 0;
	return strlen(type) == p.len && memcmp(p.data, type, p.len) == 0;
}

/* A type, with or without its prefix, of the table. */
static bool matches_any(struct bytes p)
{
	for (size_t i = 0; i < event_row_count; i++)
		if (pattern_matches(p, event_rows[i].type) ||
			pattern_matches(p, event_rows[i].type + strlen(EVENT_PREFIX)))
			return true;
	return false;
}

bool event_types_check(const char *types, struct err *e)
{
	size_t len = strlen(types);

	if (len == 0 || len > EVENT_TYPES_MAX || types[len - 1] == ',') {
		err_set(e, ERR_INPUT, "no list of types of events");
		return err_tell(e, "Types are given like claim.*,device.enrolled.");
	}
	while (*types) {
		struct bytes p = next_pattern(&types);

		if (!is_pattern(p)) {
			err_set(e, ERR_INPUT, "no list of types of events");
			return err_tell(e, "Types are given like claim.*,device.enrolled.");
		}
		if (!matches_any(p)) {
			err_set(e, ERR_INPUT, "no event is of type %.*s", (int)p.len,
				(const char *)p.data);
			return err_tell(e,
				"No event is of type %.*s; types are like claim.*,device.enrolled.",
				(int)p.len, (const char *)p.data);
		}
	}
	return true;
}

bool event_types_have(const char *types, const char *type)
{
	if (!types || !*types)
		return true;
	while (*types) {
		struct bytes p = next_pattern(&types);

		if (pattern_matches(p, type) || pattern_matches(p, type + strlen(EVENT_PREFIX)))
			return true;
	}
	return false;
}

/* ---- The event ---- */

void event_source(char out[EVENT_SOURCE_MAX + 1])
{
	char host[HOST_MAX + 1] = "";

	if (gethostname(host, sizeof(host) - 1) != 0 || !host[0])
		snprintf(host, sizeof(host), "localhost");
	snprintf(out, EVENT_SOURCE_MAX + 1, "//%s/brski-registrar", host);
}

static json_t *subject(const struct device_key *d)
{
	if (!d->serial)
		return d->manufacturer ? json_string(d->manufacturer) : NULL;
	return json_sprintf("%s/%s", d->manufacturer ? d->manufacturer : "", d->serial);
}

static json_t *data_of(const struct journal_entry *j)
{
	return json_pack("{so so so so so so so}", "step", admin_text(j->step), "outcome",
		admin_text(j->outcome), "manufacturer", admin_text(j->device.manufacturer),
		"serial", admin_text(j->device.serial), "by", admin_text(j->actor), "reason",
		admin_text(j->reason), "exchange", admin_text(j->exchange));
}

json_t *event_json(const struct journal_line *line, const char *source)
{
	const struct journal_entry *j = &line->entry;
	char id[24], sequence[24], type[EVENT_TYPE_MAX + 1];
	json_t *event, *about = subject(&j->device);

	snprintf(id, sizeof(id), "%lld", (long long)line->sequence);
	snprintf(sequence, sizeof(sequence), "%020lld", (long long)line->sequence);
	event_type(j->step, j->outcome, type);
	event = json_pack("{ss ss ss ss so ss ss so*}", "specversion", "1.0", "id", id, "source",
		source, "type", type, "time", admin_moment(j->at), "sequence", sequence,
		"datacontenttype", "application/json", "data", data_of(j));
	if (event && about && json_object_set(event, "subject", about) != 0) {
		json_decref(event);
		event = NULL;
	}
	json_decref(about);
	return event;
}
