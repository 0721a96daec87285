/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of options and their differences: see config_changes.h. A line is "[section] key", a tab,
 * the value, a newline; configuration values hold no newline, and a tab in one does no harm. */
#include "common/run/config_changes.h"

#include <string.h>

#include "common/base/file.h"
#include "common/pki/digest.h"
#include "common/run/config_value.h"
#include "common/wire/hex.h"

#define FILE_MAX (64 << 20) /* the largest file a configuration names: a list of serials */

static bool is_at_start(const struct config_schema *schema, const char *name, size_t len)
{
	for (const char *const *p = schema->at_start_only; p && *p; p++)
		if (strlen(*p) == len && memcmp(*p, name, len) == 0)
			return true;
	return false;
}

/* A key may be in the file: the octets are wiped. */
static bool list_content(const char *path, struct buf *out, struct err *e)
{
	BUF_AUTO_WIPE struct buf content = BUF_INIT(FILE_MAX);
	struct err unreadable = ERR_INIT;
	uint8_t digest[SHA256_LEN];
	char text[2 * SHA256_LEN + 1];

	if (!file_read(path, &content, &unreadable))
		return unreadable.kind == ERR_NO_MEMORY ? (*e = unreadable, false)
							: buf_append_str(out, " (unreadable)", e);
	if (!digest_sha256(buf_bytes(&content), digest, e))
		return false;
	hex_encode(bytes_of(digest, SHA256_LEN), text);
	return buf_printf(out, e, " sha256=%s", text);
}

static bool list_option(const struct config_schema *schema, const struct config_option *o,
	const char *instance, const void *base, struct buf *out, struct err *e)
{
	size_t start = out->len, name_len;
	const char *path;

	if (!buf_printf(out, e, "[%s%s%s] %s", o->section, instance ? " " : "",
		    instance ? instance : "", o->key))
		return false;
	name_len = out->len - start;
	if (!buf_append_str(out, "\t", e) || !config_value_format(o, base, out, e))
		return false;
	if (o->type == CONFIG_PATH && !is_at_start(schema, buf_str(out) + start, name_len)) {
		path = *(char *const *)((const char *)base + o->offset);
		if (path && !list_content(path, out, e))
			return false;
	}
	return buf_append_str(out, "\n", e);
}

static bool list_all(const struct config_schema *schema, const char *instance, const void *base,
	struct buf *out, struct err *e)
{
	for (size_t i = 0; i < schema->option_count; i++) {
		const struct config_option *o = &schema->options[i];
		bool repeated = schema->repeated_section &&
				strcmp(o->section, schema->repeated_section) == 0;

		if (repeated == (instance != NULL) &&
			!list_option(schema, o, instance, base, out, e))
			return false;
	}
	return true;
}

bool config_list(
	const struct config_schema *schema, const void *values, struct buf *out, struct err *e)
{
	return list_all(schema, NULL, values, out, e);
}

bool config_list_instance(const struct config_schema *schema, const char *name,
	const void *instance, struct buf *out, struct err *e)
{
	return list_all(schema, name, instance, out, e);
}

/* ---- differences ---- */

struct line {
	const char *name;
	size_t name_len, section_len; /* the section with its brackets */
	size_t len;		      /* of the whole, without the newline */
};

static bool next_line(const char **p, struct line *out)
{
	const char *end = strchr(*p, '\n');

	if (!end)
		return false;
	out->name = *p;
	out->len = (size_t)(end - *p);
	out->name_len = strcspn(*p, "\t");
	out->section_len = strcspn(*p, "]") + 1;
	*p = end + 1;
	return true;
}

static bool find(const char *list, const char *text, size_t len, struct line *out)
{
	while (next_line(&list, out))
		if (out->len >= len && memcmp(out->name, text, len) == 0)
			return true;
	return false;
}

struct comparison {
	const struct config_schema *schema;
	enum config_scope scope;
	struct buf *out;
	bool full;
};

static bool add_name(struct comparison *c, const char *name, size_t len, struct err *e)
{
	if (c->full)
		return true;
	c->full = c->out->len + len > CONFIG_CHANGES_MAX;
	if (c->full)
		return buf_append_str(c->out, ", ...", e);
	return buf_printf(c->out, e, "%s%.*s", c->out->len ? ", " : "", (int)len, name);
}

/* A section that is on one side only is named once, not option by option. */
static bool add_section_once(
	struct comparison *c, const struct line *l, const struct line *before, struct err *e)
{
	bool named = before->name && before->section_len == l->section_len &&
		     memcmp(before->name, l->name, l->section_len) == 0;

	return named || add_name(c, l->name, l->section_len, e);
}

/* Lines of `in` that are not, or not so, in `other`. values: look at more than the names. */
static bool add_missing(
	struct comparison *c, const char *in, const char *other, bool values, struct err *e)
{
	struct line l, found, before = {.name = NULL};

	for (; next_line(&in, &l); before = l) {
		bool ok = true;

		if (is_at_start(c->schema, l.name, l.name_len) != (c->scope == CONFIG_AT_START))
			continue;
		if (!find(other, l.name, l.section_len, &found))
			ok = add_section_once(c, &l, &before, e);
		else if (!find(other, l.name, l.name_len + 1, &found) ||
			 (values && (found.len != l.len || memcmp(found.name, l.name, l.len) != 0)))
			ok = add_name(c, l.name, l.name_len, e);
		if (!ok)
			return false;
	}
	return true;
}

bool config_compare(const struct config_schema *schema, const struct buf *old,
	const struct buf *fresh, enum config_scope scope, struct buf *out, struct err *e)
{
	struct comparison c = {schema, scope, out, false};

	return add_missing(&c, buf_str(fresh), buf_str(old), true, e) &&
	       add_missing(&c, buf_str(old), buf_str(fresh), false, e);
}

/* ---- the log ---- */

void config_log_reload(const struct log *l, const struct config_schema *schema,
	const struct buf *started, const struct buf *old, const struct buf *fresh)
{
	BUF_AUTO struct buf changed = BUF_INIT(2 * CONFIG_CHANGES_MAX);
	BUF_AUTO struct buf waiting = BUF_INIT(2 * CONFIG_CHANGES_MAX);
	struct err e = ERR_INIT;

	if (!config_compare(schema, old, fresh, CONFIG_RELOADED, &changed, &e) ||
		!config_compare(schema, started, fresh, CONFIG_AT_START, &waiting, &e))
		log_err(l, "reload-not-described", NULL, &e);
	log_event(l, LOG_LEVEL_INFO, "reloaded", NULL, "changed",
		changed.len ? buf_str(&changed) : "nothing", NULL);
	if (waiting.len)
		log_event(l, LOG_LEVEL_WARNING, "reload-needs-restart", NULL, "options",
			buf_str(&waiting), NULL);
}

void config_log_failed_reload(const struct log *l, const struct err *e)
{
	log_event(l, LOG_LEVEL_ERROR, "reload-failed", NULL, "kind", err_kind_name(e->kind),
		"reason", e->text, "hint", "the earlier configuration stays in force", NULL);
}
