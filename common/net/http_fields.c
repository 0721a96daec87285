/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields as offsets into one block: a request costs two or three allocations however many
 * fields it has, and a growing block never leaves a pointer behind. */
#include "common/net/http_fields.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Two of these in one request are an attempt to be understood in two ways. */
static const char *const singletons[] = {
	"Host",
	"Content-Length",
	"Content-Type",
	"Content-Encoding",
	"Authorization",
	"X-Request-Id",
};

void http_fields_init(struct http_fields *f, size_t octets_max)
{
	buf_init(&f->text, octets_max);
	f->count = 0;
}

void http_fields_clear(struct http_fields *f)
{
	buf_clear(&f->text);
	f->count = 0;
}

static bool add_text(struct http_fields *f, struct bytes s, uint32_t *at, struct err *e)
{
	*at = (uint32_t)f->text.len;
	return buf_append(&f->text, s.data, s.len, e) && buf_append(&f->text, "", 1, e);
}

bool http_fields_add(struct http_fields *f, struct bytes name, struct bytes value, struct err *e)
{
	size_t before = f->text.len;

	if (f->count == HTTP_HEADERS_MAX)
		return err_set(e, ERR_TOO_LARGE, "more than %d header fields", HTTP_HEADERS_MAX);
	if (!add_text(f, name, &f->at[f->count].name, e) ||
		!add_text(f, value, &f->at[f->count].value, e)) {
		f->text.len = before;
		return err_prefix(e, "header fields");
	}
	f->count++;
	return true;
}

const char *http_fields_name(const struct http_fields *f, size_t i)
{
	return buf_str(&f->text) + f->at[i].name;
}

void http_fields_lower_names(struct http_fields *f)
{
	for (size_t i = 0; i < f->count; i++)
		for (uint8_t *c = f->text.data + f->at[i].name; *c; c++)
			*c = (uint8_t)tolower(*c);
}

const char *http_fields_value(const struct http_fields *f, size_t i)
{
	return buf_str(&f->text) + f->at[i].value;
}

/* Index of the first field of that name from `from` on; count when there is none. */
static size_t find(const struct http_fields *f, const char *name, size_t from)
{
	size_t i = from;

	while (i < f->count && strcasecmp(http_fields_name(f, i), name) != 0)
		i++;
	return i;
}

const char *http_fields_get(const struct http_fields *f, const char *name)
{
	size_t i = find(f, name, 0);

	return i < f->count ? http_fields_value(f, i) : NULL;
}

bool http_fields_set(struct http_fields *f, const char *name, const char *value, struct err *e)
{
	size_t i = find(f, name, 0);

	if (i == f->count)
		return http_fields_add(f, bytes_of_str(name), bytes_of_str(value), e);
	return add_text(f, bytes_of_str(value), &f->at[i].value, e);
}

static bool join(struct http_fields *f, const char *name, const char *between, struct err *e)
{
	size_t first = find(f, name, 0);
	char *joined FREE_AUTO = NULL;

	for (size_t i = find(f, name, first + 1); i < f->count; i = find(f, name, i + 1)) {
		free_ptr(&joined);
		joined = str_printf(
			e, "%s%s%s", http_fields_value(f, first), between, http_fields_value(f, i));
		if (!joined || !http_fields_set(f, name, joined, e))
			return false;
	}
	return true;
}

bool http_fields_settle(struct http_fields *f, struct err *e)
{
	for (size_t i = 0; i < sizeof(singletons) / sizeof(*singletons); i++)
		if (find(f, singletons[i], find(f, singletons[i], 0) + 1) < f->count)
			return err_set(e, ERR_INPUT, "more than one %s field", singletons[i]);
	return join(f, "Accept", ", ", e) && join(f, "Cookie", "; ", e);
}
