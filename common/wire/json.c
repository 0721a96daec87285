/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as the voucher, the audit log and telemetry use it, read by Jansson with every leniency off
 * (RFC 8259; RFC 7493 §2.3: no duplicate members). Depth is judged before Jansson sees the text,
 * because its own limit of 2048 levels is one a small stack does not like. Most of what comes is
 * plain enough for json_plain.c.
 */
#include "common/wire/json.h"

#include <stdlib.h>
#include <string.h>

#include "common/wire/json_plain.h"

/* Jansson 2.14 does not always say when it runs out of memory: remember that it did. */
static _Thread_local bool starved;

static void *allocate(size_t size)
{
	void *p = malloc(size);

	starved |= !p;
	return p;
}

/* Before anybody uses Jansson: what was allocated by one allocator is freed by it, too. */
__attribute__((constructor)) static void watch_allocations(void)
{
	json_set_alloc_funcs(allocate, free);
}

/* Count brackets outside of strings. Whether they match is for the parser to say. */
static bool depth_is_bounded(struct bytes text, struct err *e)
{
	unsigned depth = 0;
	bool in_string = false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '{' || c == '['))
			depth++;
		else if (!in_string && (c == '}' || c == ']') && depth > 0)
			depth--;
		if (depth > JSON_DEPTH_MAX)
			return err_set(e, ERR_INPUT, "JSON: nested deeper than %d", JSON_DEPTH_MAX);
	}
	return true;
}

json_t *json_parse_object(struct bytes text, struct err *e)
{
	json_error_t why;
	if (text.len == 0) {
		err_set(e, ERR_INPUT, "JSON: empty");
		return NULL;
	}
	json_t *value = json_parse_plain(text);
	if (value && json_is_object(value))
		return value;
	json_decref(value);
	if (!depth_is_bounded(text, e))
		return NULL;
	starved = false;
	value = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &why);
	if (!value || starved) { /* it leaves out characters it has no memory for, without a word */
		json_decref(value);
		err_set(e, starved ? ERR_NO_MEMORY : ERR_INPUT, "JSON: %s (octet %d)", why.text,
			why.position);
		return NULL;
	}
	if (!json_is_object(value)) {
		json_decref(value);
		err_set(e, ERR_INPUT, "JSON: not an object");
		return NULL;
	}
	return value;
}

/* Jansson's callback has room for one pointer. */
struct sink {
	struct buf *out;
	struct err *e;
	bool failed;
};

static int write_some(const char *text, size_t len, void *user)
{
	struct sink *s = user;
	s->failed = s->failed || !buf_append(s->out, text, len, s->e);
	return s->failed ? -1 : 0;
}

bool json_format(const json_t *value, struct buf *out, struct err *e)
{
	struct sink s = {.out = out, .e = e};
	size_t before = out->len;
	int rc;
	if (json_format_plain(value, out))
		return true;
	starved = false;
	rc = json_dump_callback(value, write_some, &s, JSON_COMPACT | JSON_ENCODE_ANY);
	/* Jansson does not look at what became of a member's name */
	if (rc == 0 && !s.failed && !starved)
		return true;
	out->len = before;
	if (!s.failed)
		err_set(e, ERR_NO_MEMORY, "JSON: could not be written");
	return false;
}

bool json_get_string(const json_t *object, const char *name, const char **out, struct err *e)
{
	const json_t *member = json_object_get(object, name);
	*out = NULL;
	if (!member)
		return true;
	if (!json_is_string(member))
		return err_set(e, ERR_INPUT, "%s is not a string", name);
	*out = json_string_value(member);
	return true;
}

void json_unref(json_t **value)
{
	json_decref(*value);
	*value = NULL;
}
