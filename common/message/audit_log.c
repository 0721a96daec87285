/* SPDX-License-Identifier: Apache-2.0 */
/* The history of a device as its MASA tells it (RFC 8995 §5.8.1). The RFC's own example quotes
 * numbers that its grammar wants bare, and the oldest MASA in use names the domain `registrarID`
 * and leaves the assertion out: both are read (T-18), neither is written. The nonce is the string
 * of the request, unchanged (R8995-MASA-032).
 */
#include "common/message/audit_log.h"

#include <stdlib.h>
#include <string.h>

#include "common/wire/datetime.h"
#include "common/wire/json.h"

#define AUDIT_LOG_VERSION 1

static void event_clear(struct audit_event *event)
{
	free(event->domain_id);
	free(event->nonce);
	*event = (struct audit_event){.date = 0};
}

void audit_log_clear(struct audit_log *l)
{
	for (size_t i = 0; i < l->event_count; i++)
		event_clear(&l->events[i]);
	free(l->events);
	*l = (struct audit_log){.version = AUDIT_LOG_VERSION};
}

/* The three counters of "truncation" and where they are kept. */
static const struct counter {
	const char *name;
	size_t offset;
} counters[] = {
	{"nonced duplicates", offsetof(struct audit_log, nonced_duplicates)},
	{"nonceless duplicates", offsetof(struct audit_log, nonceless_duplicates)},
	{"arbitrary", offsetof(struct audit_log, arbitrary)},
};
#define COUNTER_COUNT (sizeof(counters) / sizeof(counters[0]))

/* ---- reading ---- */

/* A number, bare or quoted; absent is the default. */
static bool get_number(
	const json_t *object, const char *name, uint32_t absent, uint32_t *out, struct err *e)
{
	const json_t *value = json_object_get(object, name);
	const char *quoted = json_string_value(value);
	json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
	if (quoted && quoted[0] != '\0' && strlen(quoted) <= 10 &&
		quoted[strspn(quoted, "0123456789")] == '\0')
		number = strtoll(quoted, NULL, 10);
	if (!value)
		number = absent;
	if (number < 0 || number > UINT32_MAX)
		return err_set(e, ERR_INPUT, "%s is not a number", name);
	*out = (uint32_t)number;
	return true;
}

static bool get_copy(
	const json_t *object, const char *name, const char *other_name, char **out, struct err *e)
{
	const json_t *value = json_object_get(object, name);
	if (!value && other_name)
		value = json_object_get(object, other_name);
	if (!value || json_is_null(value))
		return true;
	if (!json_is_string(value))
		return err_set(e, ERR_INPUT, "%s is not a string", name);
	*out = str_dup(json_string_value(value), e);
	return *out != NULL;
}

static bool get_date(const json_t *object, int64_t *out, struct err *e)
{
	const char *text;
	if (!json_get_string(object, "date", &text, e))
		return false;
	if (!text)
		return err_set(e, ERR_INPUT, "date is missing");
	return datetime_parse(text, out, e);
}

static bool get_assertion(const json_t *object, enum voucher_assertion *out, struct err *e)
{
	const char *text;
	if (!json_get_string(object, "assertion", &text, e))
		return false;
	*out = text ? voucher_assertion_parse(text) : ASSERTION_LOGGED;
	return true;
}

static bool parse_event(const json_t *object, struct audit_event *out, struct err *e)
{
	*out = (struct audit_event){.date = 0};
	if (!json_is_object(object))
		return err_set(e, ERR_INPUT, "not an object");
	if (!get_date(object, &out->date, e) ||
		!get_copy(object, "domainID", "registrarID", &out->domain_id, e) ||
		!get_copy(object, "nonce", NULL, &out->nonce, e) ||
		!get_assertion(object, &out->assertion, e) ||
		!get_number(object, "truncated", 0, &out->truncated, e))
		return false;
	return out->domain_id || err_set(e, ERR_INPUT, "domainID is missing");
}

static bool parse_events(const json_t *array, struct audit_log *out, struct err *e)
{
	size_t count = json_array_size(array);
	if (!json_is_array(array))
		return err_set(e, ERR_INPUT, "events is not an array");
	if (count > AUDIT_LOG_EVENTS_MAX)
		return err_set(e, ERR_TOO_LARGE, "%zu events", count);
	out->events = mem_new((count ? count : 1) * sizeof(*out->events), e);
	if (!out->events)
		return false;
	for (size_t i = 0; i < count; i++) {
		out->event_count = i + 1;
		if (!parse_event(json_array_get(array, i), &out->events[i], e))
			return err_prefix(e, "event %zu", i + 1);
	}
	return true;
}

static bool parse_truncation(const json_t *truncation, struct audit_log *out, struct err *e)
{
	if (!truncation || json_is_null(truncation))
		return true;
	if (!json_is_object(truncation))
		return err_set(e, ERR_INPUT, "truncation is not an object");
	for (size_t i = 0; i < COUNTER_COUNT; i++) {
		uint32_t *number = (void *)((char *)out + counters[i].offset);
		if (!get_number(truncation, counters[i].name, 0, number, e))
			return false;
	}
	return true;
}

bool audit_log_parse(struct bytes json, struct audit_log *out, struct err *e)
{
	*out = (struct audit_log){.version = AUDIT_LOG_VERSION};
	if (json.len > AUDIT_LOG_MAX)
		return err_set(e, ERR_TOO_LARGE, "audit log of %zu octets", json.len);
	json_t *JSON_AUTO root = json_parse_object(json, e);
	if (root && get_number(root, "version", AUDIT_LOG_VERSION, &out->version, e) &&
		parse_events(json_object_get(root, "events"), out, e) &&
		parse_truncation(json_object_get(root, "truncation"), out, e))
		return true;
	audit_log_clear(out);
	return err_prefix(e, "audit log");
}

/* ---- writing ---- */

static bool add(json_t *object, const char *name, json_t *value, struct err *e)
{
	if (json_object_set_new(object, name, value) == 0)
		return true;
	return err_set(e, ERR_NO_MEMORY, "no memory for JSON");
}

static bool format_event(const struct audit_event *event, json_t *object, struct err *e)
{
	char date[DATETIME_LEN + 1];
	const char *assertion = voucher_assertion_name(event->assertion);
	if (!event->domain_id || !assertion || event->assertion == ASSERTION_OTHER)
		return err_set(e, ERR_BUG, "event without its domain or assertion");
	return datetime_format(event->date, date, e) && add(object, "date", json_string(date), e) &&
	       add(object, "domainID", json_string(event->domain_id), e) &&
	       add(object, "nonce", event->nonce ? json_string(event->nonce) : json_null(), e) &&
	       add(object, "assertion", json_string(assertion), e) &&
	       (event->truncated == 0 ||
		       add(object, "truncated", json_integer(event->truncated), e));
}

static bool format_events(const struct audit_log *l, json_t *array, struct err *e)
{
	for (size_t i = 0; i < l->event_count; i++) {
		json_t *object = json_object();
		if (json_array_append_new(array, object) != 0)
			return err_set(e, ERR_NO_MEMORY, "no memory for JSON");
		if (!format_event(&l->events[i], object, e))
			return false;
	}
	return true;
}

static bool format_truncation(const struct audit_log *l, json_t *root, struct err *e)
{
	json_t *truncation = json_object();
	if (l->nonced_duplicates == 0 && l->nonceless_duplicates == 0 && l->arbitrary == 0) {
		json_decref(truncation);
		return true;
	}
	if (!add(root, "truncation", truncation, e))
		return false;
	for (size_t i = 0; i < COUNTER_COUNT; i++) {
		const uint32_t *number = (const void *)((const char *)l + counters[i].offset);
		if (!add(truncation, counters[i].name, json_integer(*number), e))
			return false;
	}
	return true;
}

bool audit_log_format(const struct audit_log *l, struct buf *out, struct err *e)
{
	json_t *JSON_AUTO root = json_object();
	json_t *events = json_array();
	uint32_t version = l->version ? l->version : AUDIT_LOG_VERSION;
	if (!add(root, "version", json_integer(version), e)) {
		json_decref(events);
		return false;
	}
	return add(root, "events", events, e) && format_events(l, events, e) &&
	       format_truncation(l, root, e) && json_format(root, out, e);
}

bool audit_log_add(struct audit_log *l, const struct audit_event *event, struct err *e)
{
	struct audit_event copy = *event;
	if (l->event_count >= AUDIT_LOG_EVENTS_MAX)
		return err_set(e, ERR_TOO_LARGE, "more than %d events", AUDIT_LOG_EVENTS_MAX);
	struct audit_event *grown = realloc(l->events, (l->event_count + 1) * sizeof(*l->events));
	if (!grown)
		return err_set(e, ERR_NO_MEMORY, "no memory for an audit event");
	l->events = grown;
	copy.nonce = NULL;
	copy.domain_id = str_dup(event->domain_id, e);
	if (copy.domain_id && event->nonce)
		copy.nonce = str_dup(event->nonce, e);
	if (!copy.domain_id || (event->nonce && !copy.nonce)) {
		event_clear(&copy);
		return false;
	}
	l->events[l->event_count++] = copy;
	return true;
}
