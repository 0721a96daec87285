/* SPDX-License-Identifier: Apache-2.0 */
/* The CBOR of telemetry, the form of the constrained side (RFC 8995 §5.7 has the CDDL; draft-ietf-
 * anima-constrained-voucher §6.5.1 makes it CBOR). No old peers send it, so it is read strictly:
 * keys are the four names as they are spelled, status is a boolean. Only a later version may say
 * more.
 */
#include <stdlib.h>
#include <string.h>

#include "common/message/status_report.h"
#include "common/wire/cbor_json.h"

#define CONTEXT_MAX (4 * STATUS_REPORT_MAX) /* JSON of it: base64, escapes */
#define NAME_MAX    STATUS_REPORT_MAX

static bool take_version(struct cbor_reader *r, struct status_report *out, struct err *e)
{
	uint64_t version;

	if (!cbor_uint(r, &version, e))
		return false;
	if (version < 1 || version > UINT32_MAX)
		return err_set(e, ERR_INPUT, "not a positive number");
	out->version = (uint32_t)version;
	return true;
}

static bool take_status(struct cbor_reader *r, struct status_report *out, struct err *e)
{
	return cbor_bool(r, &out->status, e);
}

static bool take_reason(struct cbor_reader *r, struct status_report *out, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(STATUS_REPORT_MAX);

	if (!cbor_text_copy(r, &text, e))
		return false;
	status_report_set_reason(out, buf_str(&text));
	return true;
}

static bool take_context(struct cbor_reader *r, struct status_report *out, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(CONTEXT_MAX);
	json_t *JSON_AUTO context = NULL;

	if (cbor_peek(r) != CBOR_MAP)
		return err_set(e, ERR_INPUT, "not a map");
	context = cbor_to_json(r, e);
	if (!context || !json_format(context, &text, e))
		return false;
	out->reason_context = str_dup(buf_str(&text), e);
	return out->reason_context != NULL;
}

static const struct member {
	const char *name;
	bool (*take)(struct cbor_reader *r, struct status_report *out, struct err *e);
	bool required;
} members[] = {
	{"version", take_version, true},
	{"status", take_status, true},
	{"reason", take_reason, false},
	{"reason-context", take_context, false},
};
#define MEMBERS (sizeof(members) / sizeof(members[0]))

static const struct member *member_by_name(const char *name)
{
	for (size_t i = 0; i < MEMBERS; i++)
		if (strcmp(name, members[i].name) == 0)
			return &members[i];
	return NULL;
}

static bool take_member(struct cbor_reader *pairs, unsigned *seen, struct buf *unknown,
	struct status_report *out, struct err *e)
{
	BUF_AUTO struct buf name = BUF_INIT(NAME_MAX);
	const struct member *m;

	if (!cbor_text_copy(pairs, &name, e))
		return err_prefix(e, "key");
	m = member_by_name(buf_str(&name));
	if (!m)
		return cbor_skip(pairs, NULL, e) &&
		       status_report_note_unknown(buf_str(&name), unknown, e);
	*seen |= 1U << (m - members);
	return m->take(pairs, out, e) || err_prefix(e, "%s", m->name);
}

static bool take_members(struct cbor_reader pairs, struct status_report *out, struct err *e)
{
	BUF_AUTO struct buf unknown = BUF_INIT(STATUS_REPORT_UNKNOWN_MAX);
	unsigned seen = 0;

	while (!cbor_at_end(&pairs))
		if (!take_member(&pairs, &seen, &unknown, out, e))
			return false;
	for (size_t i = 0; i < MEMBERS; i++)
		if (members[i].required && !(seen & 1U << i))
			return err_set(e, ERR_INPUT, "%s is missing", members[i].name);
	if (unknown.len == 0)
		return true;
	if (out->version == STATUS_REPORT_VERSION)
		return err_set(e, ERR_INPUT, "members that version 1 does not have: %.200s",
			buf_str(&unknown));
	out->unknown_members = str_dup(buf_str(&unknown), e);
	return out->unknown_members != NULL;
}

bool status_report_parse_cbor(struct bytes cbor, struct status_report *out, struct err *e)
{
	struct cbor_reader r, pairs;

	*out = (struct status_report){.version = STATUS_REPORT_VERSION};
	if (cbor.len > STATUS_REPORT_MAX)
		return err_set(e, ERR_TOO_LARGE, "status report of %zu octets", cbor.len);
	if (cbor_open(cbor, &r, e) && cbor_map(&r, &pairs, NULL, e) && take_members(pairs, out, e))
		return true;
	status_report_clear(out);
	return err_prefix(e, "status report");
}

static bool put_context(const char *text, struct buf *out, struct err *e)
{
	json_t *JSON_AUTO context = json_parse_object(bytes_of_str(text), e);

	return (context && json_to_cbor(context, out, e)) || err_prefix(e, "reason-context");
}

/* In the order of the CDDL, as the drafts' own examples are. */
bool status_report_format_cbor(const struct status_report *r, struct buf *out, struct err *e)
{
	size_t count = 2 + (r->reason[0] ? 1 : 0) + (r->reason_context ? 1 : 0);

	return cbor_put_map(out, count, e) && cbor_put_text(out, "version", e) &&
	       cbor_put_uint(out, r->version, e) && cbor_put_text(out, "status", e) &&
	       cbor_put_bool(out, r->status, e) &&
	       (!r->reason[0] ||
		       (cbor_put_text(out, "reason", e) && cbor_put_text(out, r->reason, e))) &&
	       (!r->reason_context || (cbor_put_text(out, "reason-context", e) &&
					      put_context(r->reason_context, out, e)));
}
