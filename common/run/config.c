/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files by a table of options. libinih splits the lines; around it stands a reader
 * that knows what libinih hides: line numbers, lines beyond its 200-octet buffer (cut there
 * silently, here handed over in pieces), names beyond 50, sections without keys, comments that
 * would eat half a value. Whatever is not understood stops the start with file and line. */
#include "common/run/config.h"

#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/run/config_value.h"

#define LINE_MAX_LEN 4096 /* octets of a line: a long list of URLs fits */
#define NAME_MAX_LEN 49	  /* libinih cuts section and key names here */
#define GUESS_MAX    3	  /* how many slips of the finger a suggestion may mend */
#define BLANKS	     " \t"

/* An option that was set: to find doubles within a file and what is missing in the end. */
struct seen {
	const struct config_option *option;
	char *instance; /* NULL in single sections */
	unsigned file;
	unsigned line;
};

struct loader {
	const struct config_schema *schema;
	void *out;
	struct err *e;
	bool failed;
	struct seen *seen;
	size_t seen_count;
	char **instances; /* names of repeated sections, in order */
	size_t instance_count;
	/* the file being read */
	FILE *stream;
	const char *path;
	char *dir;
	unsigned file, line;
	char section[NAME_MAX_LEN + 1];
	const char *instance; /* in section, or NULL */
	char text[LINE_MAX_LEN + 2];
	char *rest; /* of text: not handed to libinih yet */
	char key[NAME_MAX_LEN + 1];
	char value[LINE_MAX_LEN + 2];
};

/* ---- messages ---- */

static bool complain(struct loader *l)
{
	l->failed = true;
	return err_prefix(l->e, "%s:%u", l->path, l->line);
}

#define COMPLAIN(l, ...) (err_set((l)->e, ERR_INPUT, __VA_ARGS__), complain(l))

/* Edits between two words (Levenshtein), one row at a time. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_LEN + 2], len = strlen(b);

	if (len > NAME_MAX_LEN)
		return SIZE_MAX;
	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			size_t best = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[len];
}

struct guess {
	const char *word;
	size_t edits;
};

static void consider(struct guess *g, const char *wrong, const char *word)
{
	size_t edits = distance(wrong, word);

	if (edits <= GUESS_MAX && edits < strlen(word) && edits < g->edits)
		*g = (struct guess){word, edits};
}

static bool unknown_section(struct loader *l, const char *name)
{
	struct guess g = {NULL, SIZE_MAX};

	for (size_t i = 0; i < l->schema->option_count; i++)
		consider(&g, name, l->schema->options[i].section);
	if (g.word)
		return COMPLAIN(l, "unknown section [%s]; did you mean [%s]?", name, g.word);
	return COMPLAIN(l, "unknown section [%s]", name);
}

static bool unknown_key(struct loader *l)
{
	struct guess g = {NULL, SIZE_MAX};
	const struct config_option *o = l->schema->options;

	for (size_t i = 0; i < l->schema->option_count; i++, o++)
		if (strcmp(o->key, l->key) == 0)
			return COMPLAIN(l, "unknown key '%s' in [%s]; it belongs in [%s]", l->key,
				l->section, o->section);
	for (o = l->schema->options; o < l->schema->options + l->schema->option_count; o++)
		if (strcmp(o->section, l->section) == 0)
			consider(&g, l->key, o->key);
	if (g.word)
		return COMPLAIN(l, "unknown key '%s' in [%s]; did you mean '%s'?", l->key,
			l->section, g.word);
	return COMPLAIN(l, "unknown key '%s' in [%s]", l->key, l->section);
}

/* ---- sections ---- */

static bool is_repeated(const struct config_schema *schema, const char *section)
{
	return schema->repeated_section && strcmp(section, schema->repeated_section) == 0;
}

static bool section_known(const struct config_schema *schema, const char *name)
{
	for (size_t i = 0; i < schema->option_count; i++)
		if (strcmp(schema->options[i].section, name) == 0)
			return true;
	return false;
}

static bool set_defaults(const struct config_schema *schema, const char *section, void *base,
	const char *dir, struct err *e)
{
	for (size_t i = 0; i < schema->option_count; i++) {
		const struct config_option *o = &schema->options[i];
		bool wanted = section ? strcmp(o->section, section) == 0
				      : !is_repeated(schema, o->section);

		if (wanted && o->def && !config_value_set(o, base, o->def, dir, e))
			return err_prefix(e, "default of [%s] %s", o->section, o->key);
	}
	return true;
}

static bool grow(void *array, size_t count, size_t item, struct err *e)
{
	void **p = array;
	void *grown = realloc(*p, (count + 1) * item);

	if (!grown)
		return err_set(e, ERR_NO_MEMORY, "no memory for the configuration");
	*p = grown;
	return true;
}

/* The name's position among the repeated sections; a new one is made with its defaults. */
static bool open_instance(struct loader *l, const char *name)
{
	void *base;

	for (size_t i = 0; i < l->instance_count; i++)
		if (strcmp(l->instances[i], name) == 0) {
			l->instance = l->instances[i];
			return true;
		}
	base = l->schema->instance(l->out, name, l->e);
	if (!base || !grow(&l->instances, l->instance_count, sizeof(*l->instances), l->e))
		return complain(l);
	l->instances[l->instance_count] = str_dup(name, l->e);
	if (!l->instances[l->instance_count])
		return complain(l);
	l->instance = l->instances[l->instance_count++];
	return set_defaults(l->schema, l->schema->repeated_section, base, l->dir, l->e) ||
	       complain(l);
}

/* "[name]" or "[name INSTANCE]", blanks around it removed already. */
static bool open_section(struct loader *l, char *line)
{
	char *end = strchr(line, ']'), *name;

	if (!end || end[1])
		return COMPLAIN(l, "a section is one [name] on a line of its own");
	*end = '\0';
	if (strlen(line + 1) > NAME_MAX_LEN)
		return COMPLAIN(l, "section name longer than %d characters", NAME_MAX_LEN);
	snprintf(l->section, sizeof(l->section), "%s", line + 1);
	*end = ']';
	l->instance = NULL;
	name = l->section + strcspn(l->section, BLANKS);
	if (*name)
		*name++ = '\0';
	name += strspn(name, BLANKS);
	if (!section_known(l->schema, l->section))
		return unknown_section(l, l->section);
	if (is_repeated(l->schema, l->section))
		return *name ? open_instance(l, name)
			     : COMPLAIN(l, "section [%s NAME] needs a name", l->section);
	return !*name || COMPLAIN(l, "section [%s] takes no name", l->section);
}

/* ---- options ---- */

static const struct config_option *find_option(const struct loader *l)
{
	for (size_t i = 0; i < l->schema->option_count; i++) {
		const struct config_option *o = &l->schema->options[i];

		if (strcmp(o->section, l->section) == 0 && strcmp(o->key, l->key) == 0)
			return o;
	}
	return NULL;
}

static struct seen *find_seen(
	const struct loader *l, const struct config_option *o, const char *instance)
{
	for (size_t i = 0; i < l->seen_count; i++) {
		struct seen *s = &l->seen[i];

		if (s->option == o && s->instance == instance)
			return s;
	}
	return NULL;
}

/* A later file overrides; twice in one file is a slip somebody should hear about. */
static bool remember(struct loader *l, const struct config_option *o)
{
	struct seen *s = find_seen(l, o, l->instance);

	if (s && s->file == l->file)
		return COMPLAIN(l, "'%s' stands in line %u already", l->key, s->line);
	if (!s) {
		if (!grow(&l->seen, l->seen_count, sizeof(*l->seen), l->e))
			return complain(l);
		s = &l->seen[l->seen_count++];
	}
	*s = (struct seen){o, (char *)(uintptr_t)l->instance, l->file, l->line};
	return true;
}

static bool apply(struct loader *l)
{
	const struct config_option *o;
	void *base = l->out;

	if (!l->key[0])
		return true;
	if (!l->section[0])
		return COMPLAIN(l, "'%s' stands before any [section]", l->key);
	o = find_option(l);
	if (!o)
		return unknown_key(l);
	if (!remember(l, o))
		return false;
	if (!o->def && !l->value[0])
		return COMPLAIN(l, "'%s' needs a value", l->key);
	if (l->instance)
		base = l->schema->instance(l->out, l->instance, l->e);
	if (!base || !config_value_set(o, base, l->value, l->dir, l->e)) {
		err_prefix(l->e, "[%s] %s", l->section, o->key);
		return complain(l);
	}
	l->key[0] = '\0';
	return true;
}

/* ---- lines ---- */

/* libinih calls this once per piece of a line; the pieces of a long value come under one name. */
static int on_piece(void *user, const char *section, const char *name, const char *value)
{
	struct loader *l = user;
	size_t used = l->key[0] ? strlen(l->value) : 0;

	(void)section;
	if (l->failed)
		return 0;
	snprintf(l->key, sizeof(l->key), "%s", name);
	snprintf(l->value + used, sizeof(l->value) - used, "%s", value);
	return 1;
}

/* The next line with something in it, outer blanks removed; NULL at the end or when it is no good.
 */
static char *next_line(struct loader *l)
{
	while (fgets(l->text, sizeof(l->text), l->stream)) {
		char *p = l->text;
		size_t len = strlen(p);

		l->line++;
		if (l->line == 1 && strncmp(p, "\xef\xbb\xbf", 3) == 0)
			p += 3;
		if (len >= LINE_MAX_LEN) {
			COMPLAIN(l, "line longer than %d octets", LINE_MAX_LEN);
			return NULL;
		}
		if (len == 0 || (l->text[len - 1] != '\n' && !feof(l->stream))) {
			COMPLAIN(l, "a NUL octet");
			return NULL;
		}
		p += strspn(p, BLANKS);
		len = strlen(p);
		while (len > 0 && strchr(" \t\r\n", p[len - 1]))
			p[--len] = '\0';
		if (len > 0 && *p != '#' && *p != ';')
			return p;
	}
	if (ferror(l->stream)) {
		err_set_errno(l->e, ERR_IO, "cannot be read");
		complain(l);
	}
	return NULL;
}

static bool check_key_line(struct loader *l, const char *p)
{
	const char *equals = strchr(p, '=');
	size_t key_len = equals ? (size_t)(equals - p) : 0;

	if (!equals)
		return COMPLAIN(l, "neither [section] nor key = value");
	if (strcspn(p, ":") < key_len || key_len == 0 || key_len > NAME_MAX_LEN)
		return COMPLAIN(l, "'%.*s' is no name of an option", (int)key_len, p);
	for (const char *c = p; (c = strpbrk(c, ";#")) != NULL; c++)
		if (strchr(BLANKS, c[-1]))
			return COMPLAIN(l, "a comment stands on a line of its own");
	return true;
}

/* How much of the line fits into libinih's buffer without a blank or a comment sign at the cut,
 * which it would remove. */
static size_t piece_len(const char *p, size_t room)
{
	size_t len = strlen(p);

	if (len <= room)
		return len;
	for (len = room; len > 0; len--)
		if (!strchr(" \t;#", p[len]) && !strchr(BLANKS, p[len - 1]))
			break;
	return len;
}

/* fgets for libinih: whole lines, long ones as a first piece and indented continuations. */
static char *read_piece(char *out, int size, void *user)
{
	struct loader *l = user;
	const char *indent = "";
	size_t room = (size_t)size - 4,
	       len; /* indent, newline, NUL and libinih's carriage return */

	if (l->failed)
		return NULL;
	if (l->rest && *l->rest) {
		indent = " ";
	} else {
		if (!apply(l))
			return NULL;
		l->rest = next_line(l);
		if (!l->rest ||
			(*l->rest == '[' ? !open_section(l, l->rest) : !check_key_line(l, l->rest)))
			return NULL;
	}
	len = piece_len(l->rest, room);
	if (len == 0) {
		COMPLAIN(l, "too many blanks in a row");
		return NULL;
	}
	snprintf(out, (size_t)size, "%s%.*s\n", indent, (int)len, l->rest);
	l->rest += len;
	return out;
}

/* ---- files ---- */

static char *dir_of(const char *path, struct err *e)
{
	FREE_AUTO char *copy = str_dup(path, e);

	return copy ? str_dup(dirname(copy), e) : NULL;
}

static bool load_file(struct loader *l, const char *path)
{
	l->path = path;
	l->line = 0;
	l->section[0] = '\0';
	l->instance = NULL;
	l->rest = NULL;
	l->key[0] = '\0';
	l->file++;
	l->stream = fopen(path, "re");
	if (!l->stream)
		return err_set_errno(l->e, ERR_IO, "%s", path);
	free(l->dir);
	l->dir = dir_of(path, l->e);
	if (!l->dir) {
		fclose(l->stream);
		return false;
	}
	if (ini_parse_stream(read_piece, l, on_piece, l) != 0 && !l->failed)
		COMPLAIN(l, "not understood");
	fclose(l->stream);
	return !l->failed;
}

static int is_drop_in(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return d->d_name[0] != '.' && len > 5 && strcmp(d->d_name + len - 5, ".conf") == 0;
}

static bool load_drop_ins(struct loader *l, const char *path)
{
	FREE_AUTO char *dir = str_printf(l->e, "%s.d", path);
	struct dirent **names = NULL;
	bool ok = true;
	int n;

	if (!dir)
		return false;
	n = scandir(dir, &names, is_drop_in, alphasort);
	if (n < 0)
		return errno == ENOENT || err_set_errno(l->e, ERR_IO, "%s", dir);
	for (int i = 0; i < n; i++) {
		FREE_AUTO char *file = ok ? str_printf(l->e, "%s/%s", dir, names[i]->d_name) : NULL;

		ok = file && load_file(l, file);
		free(names[i]);
	}
	free(names);
	return ok;
}

static bool check_required(struct loader *l, const char *path)
{
	const struct config_option *o = l->schema->options;

	for (size_t i = 0; i < l->schema->option_count; i++, o++) {
		if (o->def)
			continue;
		if (!is_repeated(l->schema, o->section) && !find_seen(l, o, NULL))
			return err_set(l->e, ERR_INPUT, "%s: [%s] %s is missing", path, o->section,
				o->key);
		for (size_t n = 0; n < l->instance_count && is_repeated(l->schema, o->section); n++)
			if (!find_seen(l, o, l->instances[n]))
				return err_set(l->e, ERR_INPUT, "%s: [%s %s] %s is missing", path,
					o->section, l->instances[n], o->key);
	}
	return true;
}

static void loader_free(struct loader *l)
{
	for (size_t i = 0; i < l->instance_count; i++)
		free(l->instances[i]);
	free(l->instances);
	free(l->seen);
	free(l->dir);
	free(l);
}

bool config_load(const char *path, const struct config_schema *schema, void *out, struct err *e)
{
	struct loader *l = mem_new(sizeof(*l), e);
	bool ok;

	if (!l)
		return false;
	l->schema = schema;
	l->out = out;
	l->e = e;
	l->dir = dir_of(path, e);
	ok = l->dir && set_defaults(schema, NULL, out, l->dir, e) && load_file(l, path) &&
	     load_drop_ins(l, path) && check_required(l, path);
	loader_free(l);
	return ok;
}

static void clear(const struct config_schema *schema, bool repeated, void *base)
{
	for (size_t i = 0; i < schema->option_count; i++)
		if (is_repeated(schema, schema->options[i].section) == repeated)
			config_value_clear(&schema->options[i], base);
}

void config_clear(const struct config_schema *schema, void *out)
{
	clear(schema, false, out);
}

void config_clear_instance(const struct config_schema *schema, void *instance)
{
	clear(schema, true, instance);
}

static bool describe_option(const struct config_option *o, struct buf *out, struct err *e)
{
	if (!buf_printf(out, e, "# %s\n# ", o->help) || !config_value_describe(o, out, e))
		return false;
	if (!o->def)
		return buf_printf(out, e, "; required\n%s =\n", o->key);
	return buf_printf(out, e, "\n#%s = %s\n", o->key, o->def);
}

bool config_describe(const struct config_schema *schema, struct buf *out, struct err *e)
{
	const char *section = "";

	for (size_t i = 0; i < schema->option_count; i++) {
		const struct config_option *o = &schema->options[i];

		if (strcmp(section, o->section) != 0) {
			const char *name = is_repeated(schema, o->section) ? " NAME" : "";

			if (!buf_printf(out, e, "%s[%s%s]\n", i ? "\n" : "", o->section, name))
				return false;
			section = o->section;
		}
		if (!describe_option(o, out, e))
			return false;
	}
	return true;
}
