/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration values by type: a table of parsers, one per enum config_type. */
#include "common/run/config_value.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/pki/digest.h"
#include "common/run/store.h"
#include "common/wire/hex.h"

#define CHOICES_TEXT_MAX 400 /* octets of a list of choices in a message */

struct input {
	const struct config_option *option;
	const char *text;
	const char *dir;
};

static bool set_string(const struct input *in, void *field, struct err *e)
{
	char **owned = field;
	char *copy = NULL;

	if (*in->text) {
		copy = str_dup(in->text, e);
		if (!copy)
			return false;
	}
	free(*owned);
	*owned = copy;
	return true;
}

static bool set_path(const struct input *in, void *field, struct err *e)
{
	char **owned = field;
	char *copy;

	if (in->text[0] == '/' || !*in->text)
		return set_string(in, field, e);
	copy = str_printf(e, "%s/%s", in->dir, in->text);
	if (!copy)
		return false;
	free(*owned);
	*owned = copy;
	return true;
}

static bool set_store(const struct input *in, void *field, struct err *e)
{
	if (!store_where_check(in->text, e))
		return false;
	return store_is_remote(in->text) ? set_string(in, field, e) : set_path(in, field, e);
}

/* Decimal digits with an optional sign, and what comes after them. */
static bool parse_number(const char *text, int64_t *out, const char **rest)
{
	char *end;

	if (!isdigit((unsigned char)text[text[0] == '-']))
		return false;
	errno = 0;
	*out = strtoll(text, &end, 10);
	*rest = end;
	return errno == 0;
}

static bool in_range(const struct config_option *o, int64_t value, struct err *e)
{
	if (value >= o->min && value <= o->max)
		return true;
	return err_set(e, ERR_INPUT, "%lld is not between %lld and %lld", (long long)value,
		(long long)o->min, (long long)o->max);
}

static bool set_int(const struct input *in, void *field, struct err *e)
{
	const char *rest;
	int64_t value;

	if (!parse_number(in->text, &value, &rest) || *rest)
		return err_set(e, ERR_INPUT, "'%s' is not a whole number", in->text);
	if (!in_range(in->option, value, e))
		return false;
	*(int64_t *)field = value;
	return true;
}

static bool set_duration(const struct input *in, void *field, struct err *e)
{
	static const struct {
		const char *suffix;
		int64_t seconds;
	} units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
	const char *rest;
	int64_t value;

	if (parse_number(in->text, &value, &rest) && value >= 0 && value < INT64_MAX / 86400)
		for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
			if (strcmp(rest, units[i].suffix) == 0) {
				*(int64_t *)field = value * units[i].seconds;
				return in_range(in->option, value * units[i].seconds, e);
			}
	return err_set(
		e, ERR_INPUT, "'%s' is not a duration such as 90, 90s, 15m, 12h or 30d", in->text);
}

static bool set_bool(const struct input *in, void *field, struct err *e)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {{"yes", true}, {"true", true}, {"on", true}, {"no", false}, {"false", false},
		{"off", false}};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcasecmp(in->text, words[i].word) == 0) {
			*(bool *)field = words[i].value;
			return true;
		}
	return err_set(e, ERR_INPUT, "'%s' is neither yes nor no", in->text);
}

static int find_choice(const struct config_option *o, const char *word, size_t len)
{
	for (int i = 0; o->choices[i]; i++)
		if (strlen(o->choices[i]) == len && strncmp(o->choices[i], word, len) == 0)
			return i;
	return -1;
}

static bool bad_choice(const struct config_option *o, const char *word, size_t len, struct err *e)
{
	BUF_AUTO struct buf all = BUF_INIT(CHOICES_TEXT_MAX);
	struct err ignored = ERR_INIT;

	for (int i = 0; o->choices[i]; i++)
		if (!buf_printf(&all, &ignored, "%s%s", i ? ", " : "", o->choices[i]))
			break;
	return err_set(e, ERR_INPUT, "'%.*s' is none of: %s", (int)len, word, buf_str(&all));
}

static bool set_choice(const struct input *in, void *field, struct err *e)
{
	int found = find_choice(in->option, in->text, strlen(in->text));

	if (found < 0)
		return bad_choice(in->option, in->text, strlen(in->text), e);
	*(int *)field = found;
	return true;
}

static bool set_flags(const struct input *in, void *field, struct err *e)
{
	const char *p = in->text;
	unsigned flags = 0;

	for (;;) {
		size_t len;
		int found;

		p += strspn(p, " \t,");
		len = strcspn(p, " \t,");
		if (len == 0)
			break;
		found = find_choice(in->option, p, len);
		if (found < 0)
			return bad_choice(in->option, p, len, e);
		flags |= 1u << found;
		p += len;
	}
	*(unsigned *)field = flags;
	return true;
}

static const struct {
	bool (*set)(const struct input *in, void *field, struct err *e);
	bool owns;
	const char *what; /* for the help; NULL: the choices are listed */
} types[] = {
	[CONFIG_STRING] = {set_string, true, "text"},
	[CONFIG_PATH] = {set_path, true, "path, relative to this file's directory"},
	[CONFIG_STORE] = {set_store, true,
		"path, relative to this file's directory, or postgresql:// URI"},
	[CONFIG_INT] = {set_int, false, "number"},
	[CONFIG_DURATION] = {set_duration, false, "duration (90, 90s, 15m, 12h, 30d)"},
	[CONFIG_BOOL] = {set_bool, false, "yes or no"},
	[CONFIG_CHOICE] = {set_choice, false, NULL},
	[CONFIG_FLAGS] = {set_flags, false, NULL},
	[CONFIG_WORDS] = {set_string, true, "words separated by blanks"},
};

static void *field_of(const struct config_option *o, void *base)
{
	return (char *)base + o->offset;
}

bool config_value_set(
	const struct config_option *o, void *base, const char *text, const char *dir, struct err *e)
{
	struct input in = {o, text, dir};

	return types[o->type].set(&in, field_of(o, base), e);
}

void config_value_clear(const struct config_option *o, void *base)
{
	char **owned = field_of(o, base);

	if (!types[o->type].owns)
		return;
	free(*owned);
	*owned = NULL;
}

/* A URI may have a password in it: what is shown tells two of them apart, no more. */
static bool format_store(const char *text, struct buf *out, struct err *e)
{
	uint8_t digest[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];

	if (!store_is_remote(text))
		return buf_append_str(out, text, e);
	if (!digest_sha256(bytes_of_str(text), digest, e))
		return false;
	hex_encode(bytes_of(digest, SHA256_LEN), hex);
	return buf_printf(out, e, "postgresql:// sha256=%.16s", hex);
}

bool config_value_format(
	const struct config_option *o, const void *base, struct buf *out, struct err *e)
{
	const void *field = (const char *)base + o->offset;
	const char *text;

	switch (o->type) {
	case CONFIG_STRING:
	case CONFIG_PATH:
	case CONFIG_WORDS:
		text = *(char *const *)field;
		return buf_append_str(out, text ? text : "", e);
	case CONFIG_STORE:
		text = *(char *const *)field;
		return format_store(text ? text : "", out, e);
	case CONFIG_INT:
	case CONFIG_DURATION:
		return buf_printf(out, e, "%lld", (long long)*(const int64_t *)field);
	case CONFIG_BOOL:
		return buf_append_str(out, *(const bool *)field ? "yes" : "no", e);
	case CONFIG_CHOICE:
		return buf_append_str(out, o->choices[*(const int *)field], e);
	case CONFIG_FLAGS:
		return buf_printf(out, e, "%#x", *(const unsigned *)field);
	}
	return err_set(e, ERR_BUG, "option %s of an unknown type", o->key);
}

bool config_value_describe(const struct config_option *o, struct buf *out, struct err *e)
{
	if (types[o->type].what)
		return buf_append_str(out, types[o->type].what, e);
	if (!buf_append_str(out, o->type == CONFIG_FLAGS ? "any of:" : "one of:", e))
		return false;
	for (int i = 0; o->choices[i]; i++)
		if (!buf_printf(out, e, " %s", o->choices[i]))
			return false;
	return true;
}
