/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: [section], key = value, read with libinih into a struct by a table of
 * options. An unknown section or key, a bad value, a missing required key is an error with file and
 * line. Drop-ins: FILE.d, every *.conf in order of name. The same table prints the help. */
#ifndef RUN_CONFIG_H
#define RUN_CONFIG_H

#include "common/base/buf.h"

enum config_type {
	CONFIG_STRING,	 /* char * owned by the struct */
	CONFIG_PATH,	 /* char *, relative to the directory of the file it stands in */
	CONFIG_STORE,	 /* char *: a path as above, or the URI of a database as it is */
	CONFIG_INT,	 /* int64_t in [min, max] */
	CONFIG_DURATION, /* int64_t seconds; "90", "90s", "15m", "12h", "30d" */
	CONFIG_BOOL,	 /* bool; yes/no, true/false, on/off */
	CONFIG_CHOICE,	 /* int: index into choices */
	CONFIG_FLAGS, /* unsigned: bits by position in choices, words separated by space or comma */
	CONFIG_WORDS, /* char *, blank-separated list as it stands */
};

struct config_option {
	const char *section; /* "server"; for repeated sections "manufacturer" */
	const char *key;
	enum config_type type;
	size_t offset;	 /* in the struct (or in the instance of a repeated section) */
	const char *def; /* as text; NULL: required, "" for strings: unset (NULL) */
	int64_t min, max;
	const char *const *choices; /* NULL-terminated */
	const char *help;	    /* one sentence with the unit */
};

struct config_schema {
	const struct config_option *options;
	size_t option_count;
	/* [section NAME]: give the instance to fill in, new or existing, defaults set by
	 * config_load. NULL with *e set refuses it. Sections not named here are single. */
	const char *repeated_section;
	void *(*instance)(void *out, const char *name, struct err *e);
	/* "[server] listen", ...: what a reload cannot change, and files that are not read when the
	 * configuration is loaded; NULL-ended. NULL: none. */
	const char *const *at_start_only;
};

/* Fill the zeroed struct at out. Caller frees owned strings with config_clear(). */
bool config_load(
	const char *path, const struct config_schema *schema, void *out, struct err *e) MUST_CHECK;
void config_clear(const struct config_schema *schema, void *out); /* single sections */
void config_clear_instance(const struct config_schema *schema, void *instance);
/* Every option with type, default and help, as the text of a commented example file. Appends. */
bool config_describe(const struct config_schema *schema, struct buf *out, struct err *e) MUST_CHECK;

#endif
