/* SPDX-License-Identifier: Apache-2.0 */
/* What a pledge reports after it judged a voucher and after it tried to enrol (RFC 8995 §5.7,
 * §5.9.4). Old implementations capitalise the member names, quote the numbers and send 1 for true
 * (T-17); all of that is understood, none of it is sent.
 */
#include "common/message/status_report.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/wire/json.h"
#include "common/wire/media_type.h"

void status_report_clear(struct status_report *r)
{
	free(r->reason_context);
	free(r->unknown_members);
	*r = (struct status_report){.version = STATUS_REPORT_VERSION};
}

static bool parse_version(const json_t *value, struct status_report *out, struct err *e)
{
	const char *quoted = json_string_value(value);
	json_int_t version = json_is_integer(value) ? json_integer_value(value) : 0;
	if (quoted && quoted[0] != '\0' && strlen(quoted) <= 9 &&
		quoted[strspn(quoted, "0123456789")] == '\0')
		version = strtol(quoted, NULL, 10);
	if (version < 1 || version > UINT32_MAX)
		return err_set(e, ERR_INPUT, "version is not a positive number");
	out->version = (uint32_t)version;
	return true;
}

static bool parse_status(const json_t *value, struct status_report *out, struct err *e)
{
	const char *quoted = json_is_string(value) ? json_string_value(value) : "";
	bool yes =
		json_is_true(value) || strcasecmp(quoted, "true") == 0 || strcmp(quoted, "1") == 0;
	bool no = json_is_false(value) || strcasecmp(quoted, "false") == 0 ||
		  strcmp(quoted, "0") == 0;
	if (json_is_integer(value)) {
		yes = json_integer_value(value) == 1;
		no = json_integer_value(value) == 0;
	}
	if (!yes && !no)
		return err_set(e, ERR_INPUT, "status is not a boolean");
	out->status = yes;
	return true;
}

void status_report_set_reason(struct status_report *r, const char *text)
{
	struct bytes cut = bytes_cut_text(bytes_of_str(text), STATUS_REPORT_REASON_MAX);
	memcpy(r->reason, cut.data, cut.len);
	r->reason[cut.len] = '\0';
}

static bool parse_reason(const json_t *value, struct status_report *out, struct err *e)
{
	const char *text = json_string_value(value);
	if (json_is_null(value))
		return true;
	if (!text)
		return err_set(e, ERR_INPUT, "reason is not a string");
	status_report_set_reason(out, text);
	return true;
}

static bool parse_reason_context(const json_t *value, struct status_report *out, struct err *e)
{
	struct buf BUF_AUTO text = BUF_INIT(2 * STATUS_REPORT_MAX); /* escapes may grow */
	if (!json_format(value, &text, e))
		return false;
	out->reason_context = str_dup(buf_str(&text), e);
	return out->reason_context != NULL;
}

static const struct member {
	const char *name;
	bool (*parse)(const json_t *value, struct status_report *out, struct err *e);
	bool required;
} members[] = {
	{"version", parse_version, true},
	{"status", parse_status, true},
	{"reason", parse_reason, false},
	{"reason-context", parse_reason_context, false},
};
#define MEMBER_COUNT (sizeof(members) / sizeof(members[0]))

/* R8995-REG-038. */
bool status_report_note_unknown(const char *name, struct buf *list, struct err *e)
{
	if (list->len + strlen(name) + 1 > list->max)
		return true;
	return (list->len == 0 || buf_append_str(list, ",", e)) && buf_append_str(list, name, e);
}

static bool parse_member(const char *name, const json_t *value, bool seen[MEMBER_COUNT],
	struct buf *unknown, struct status_report *out, struct err *e)
{
	for (size_t i = 0; i < MEMBER_COUNT; i++) {
		if (strcasecmp(name, members[i].name) != 0)
			continue;
		if (seen[i])
			return err_set(e, ERR_INPUT, "%s is there twice", members[i].name);
		seen[i] = true;
		return members[i].parse(value, out, e);
	}
	return status_report_note_unknown(name, unknown, e);
}

static bool parse_members(json_t *object, struct status_report *out, struct err *e)
{
	struct buf BUF_AUTO unknown = BUF_INIT(STATUS_REPORT_UNKNOWN_MAX);
	bool seen[MEMBER_COUNT] = {false};
	const char *name;
	json_t *value;
	json_object_foreach(object, name, value)
	{
		if (!parse_member(name, value, seen, &unknown, out, e))
			return false;
	}
	for (size_t i = 0; i < MEMBER_COUNT; i++)
		if (members[i].required && !seen[i])
			return err_set(e, ERR_INPUT, "%s is missing", members[i].name);
	if (unknown.len == 0)
		return true;
	out->unknown_members = str_dup(buf_str(&unknown), e);
	return out->unknown_members != NULL;
}

bool status_report_parse(struct bytes json, struct status_report *out, struct err *e)
{
	*out = (struct status_report){.version = STATUS_REPORT_VERSION};
	if (json.len > STATUS_REPORT_MAX)
		return err_set(e, ERR_TOO_LARGE, "status report of %zu octets", json.len);
	json_t *JSON_AUTO root = json_parse_object(json, e);
	if (root && parse_members(root, out, e))
		return true;
	status_report_clear(out);
	return err_prefix(e, "status report");
}

/* reason-context as the object it has to be (RFC 8995 §5.7). */
static json_t *context_object(const struct status_report *r, struct err *e)
{
	return json_parse_object(bytes_of_str(r->reason_context), e);
}

static bool add(json_t *object, const char *name, json_t *value, struct err *e)
{
	if (json_object_set_new(object, name, value) == 0)
		return true;
	return err_set(e, ERR_NO_MEMORY, "no memory for JSON");
}

bool status_report_format(const struct status_report *r, struct buf *out, struct err *e)
{
	json_t *JSON_AUTO root = json_object();
	if (!add(root, "version", json_integer(r->version), e) ||
		!add(root, "status", json_boolean(r->status), e))
		return false;
	if (r->reason[0] && !add(root, "reason", json_string(r->reason), e))
		return false;
	if (r->reason_context) {
		json_t *context = context_object(r, e);
		if (!context)
			return err_prefix(e, "reason-context");
		if (!add(root, "reason-context", context, e))
			return false;
	}
	return json_format(root, out, e);
}

const struct status_report_format status_report_json = {
	"application/json", status_report_parse, status_report_format};
const struct status_report_format status_report_cbor = {
	"application/cbor", status_report_parse_cbor, status_report_format_cbor};

const struct status_report_format *status_report_format_by_media_type(const char *content_type)
{
	static const struct status_report_format *const formats[] = {
		&status_report_json, &status_report_cbor};
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (media_type_is(content_type, formats[i]->media_type))
			return formats[i];
	return NULL;
}

bool status_report_parse_typed(
	const char *content_type, struct bytes octets, struct status_report *out, struct err *e)
{
	const struct status_report_format *format =
		status_report_format_by_media_type(content_type);

	if (!format)
		return err_set(e, ERR_UNSUPPORTED_TYPE, "telemetry of type \"%.100s\"",
			content_type ? content_type : "");
	return format->parse(octets, out, e);
}
