/* SPDX-License-Identifier: Apache-2.0 */
/* CBOR as JSON and back: see cbor_json.h. Nesting is bounded by cbor_open() on the one side and by
 * json_parse_object() on the other.
 */
#include "common/wire/cbor_json.h"

#include "common/wire/base64.h"

#define TEXT_MAX 131072 /* octets of one string shown: base64 of the largest message */

static json_t *no_memory(struct err *e)
{
	err_set(e, ERR_NO_MEMORY, "no memory for JSON");
	return NULL;
}

/* value, or NULL with *e set when there was no memory for it. */
static json_t *made(json_t *value, struct err *e)
{
	return value ? value : no_memory(e);
}

static json_t *integer(struct cbor_reader *r, struct err *e)
{
	struct err ignored = ERR_INIT;
	int64_t value;

	if (cbor_int(r, &value, &ignored))
		return made(json_integer(value), e);
	return cbor_skip(r, NULL, e) ? made(json_null(), e) : NULL;
}

static json_t *text(struct cbor_reader *r, struct err *e)
{
	BUF_AUTO struct buf string = BUF_INIT(TEXT_MAX);

	return cbor_text_copy(r, &string, e) ? made(json_string(buf_str(&string)), e) : NULL;
}

static json_t *octets(struct cbor_reader *r, struct err *e)
{
	BUF_AUTO struct buf string = BUF_INIT(TEXT_MAX);
	BUF_AUTO struct buf encoded = BUF_INIT(2 * TEXT_MAX);

	if (!cbor_bytes_copy(r, &string, e) || !base64_encode(buf_bytes(&string), &encoded, e))
		return NULL;
	return made(json_string(buf_str(&encoded)), e);
}

static json_t *array(struct cbor_reader *r, struct err *e)
{
	json_t *JSON_AUTO out = json_array();
	struct cbor_reader elements;

	if (!cbor_array(r, &elements, NULL, e))
		return NULL;
	while (!cbor_at_end(&elements)) {
		json_t *value = cbor_to_json(&elements, e);

		if (!value)
			return NULL;
		if (json_array_append_new(out, value) != 0)
			return no_memory(e);
	}
	return made(json_incref(out), e);
}

/* A key as text: itself, or the JSON of what it is. */
static bool key_text(struct cbor_reader *r, struct buf *out, struct err *e)
{
	if (cbor_peek(r) == CBOR_TEXT)
		return cbor_text_copy(r, out, e);
	json_t *JSON_AUTO value = cbor_to_json(r, e);
	if (!value)
		return false;
	if (json_is_string(value))
		return buf_append_str(out, json_string_value(value), e);
	return json_format(value, out, e);
}

static bool add_member(json_t *object, struct cbor_reader *pairs, struct err *e)
{
	BUF_AUTO struct buf key = BUF_INIT(TEXT_MAX);
	json_t *value;

	if (!key_text(pairs, &key, e))
		return false;
	if (json_object_get(object, buf_str(&key)))
		return err_set(
			e, ERR_INPUT, "two keys of a map that read \"%.60s\"", buf_str(&key));
	value = cbor_to_json(pairs, e);
	if (!value)
		return false;
	return json_object_set_new(object, buf_str(&key), value) == 0 || no_memory(e);
}

static json_t *map(struct cbor_reader *r, struct err *e)
{
	json_t *JSON_AUTO out = json_object();
	struct cbor_reader pairs;

	if (!cbor_map(r, &pairs, NULL, e))
		return NULL;
	while (!cbor_at_end(&pairs))
		if (!add_member(out, &pairs, e))
			return NULL;
	return made(json_incref(out), e);
}

static json_t *tagged(struct cbor_reader *r, struct err *e)
{
	uint64_t tag;

	return cbor_tag(r, &tag, e) ? cbor_to_json(r, e) : NULL;
}

static json_t *simple(struct cbor_reader *r, struct err *e)
{
	uint8_t value;

	if (!cbor_simple(r, &value, e))
		return NULL;
	if (value == CBOR_FALSE || value == CBOR_TRUE)
		return made(json_boolean(value == CBOR_TRUE), e);
	return made(json_null(), e);
}

/* Nothing here measures anything. */
static json_t *fraction(struct cbor_reader *r, struct err *e)
{
	return cbor_skip(r, NULL, e) ? made(json_null(), e) : NULL;
}

static json_t *nothing(struct cbor_reader *r, struct err *e)
{
	err_set(e, ERR_INPUT, "CBOR: an item is missing");
	return NULL;
}

json_t *cbor_to_json(struct cbor_reader *r, struct err *e)
{
	static json_t *(*const by_type[])(struct cbor_reader * r, struct err * e) = {
		[CBOR_UINT] = integer,
		[CBOR_NEGATIVE] = integer,
		[CBOR_BYTES] = octets,
		[CBOR_TEXT] = text,
		[CBOR_ARRAY] = array,
		[CBOR_MAP] = map,
		[CBOR_TAG] = tagged,
		[CBOR_SIMPLE] = simple,
		[CBOR_FLOAT] = fraction,
		[CBOR_END] = nothing,
	};

	return by_type[cbor_peek(r)](r, e);
}

/* ---- back ---- */

static bool put_members(const json_t *object, struct buf *out, struct err *e)
{
	const char *name;
	const json_t *value;
	json_t *mutable = (json_t *)(uintptr_t)object; /* Jansson's iterator wants it so */

	if (!cbor_put_map(out, json_object_size(object), e))
		return false;
	json_object_foreach(mutable, name, value)
	{
		if (!cbor_put_text(out, name, e) || !json_to_cbor(value, out, e))
			return false;
	}
	return true;
}

static bool put_elements(const json_t *array, struct buf *out, struct err *e)
{
	if (!cbor_put_array(out, json_array_size(array), e))
		return false;
	for (size_t i = 0; i < json_array_size(array); i++)
		if (!json_to_cbor(json_array_get(array, i), out, e))
			return false;
	return true;
}

bool json_to_cbor(const json_t *value, struct buf *out, struct err *e)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return put_members(value, out, e);
	case JSON_ARRAY:
		return put_elements(value, out, e);
	case JSON_STRING:
		return cbor_put_text(out, json_string_value(value), e);
	case JSON_INTEGER:
		return cbor_put_int(out, json_integer_value(value), e);
	case JSON_TRUE:
	case JSON_FALSE:
		return cbor_put_bool(out, json_is_true(value), e);
	case JSON_NULL:
		return cbor_put_null(out, e);
	case JSON_REAL:
		break;
	}
	return err_set(e, ERR_INPUT, "a number with a fraction");
}
