/* SPDX-License-Identifier: Apache-2.0 */
/* What a reload changed: a loaded configuration as a list of lines, and the difference of two such
 * lists in the words of the configuration file. Files count by their content, so that a renewed
 * certificate under its old name is a change. */
#ifndef RUN_CONFIG_CHANGES_H
#define RUN_CONFIG_CHANGES_H

#include "common/base/log.h"
#include "common/run/config.h"

#define CONFIG_LIST_MAX	   (1 << 20) /* octets of a list: 64 sections of a dozen options */
#define CONFIG_CHANGES_MAX 600	     /* octets of names in a log line; the rest is "…" */

/* Append the options of the single sections of what config_load() filled in. Make the list before
 * the files are loaded: what changes in between is then seen by the next reload. */
bool config_list(const struct config_schema *schema, const void *values, struct buf *out,
	struct err *e) MUST_CHECK;
/* ... of one instance of the repeated section. */
bool config_list_instance(const struct config_schema *schema, const char *name,
	const void *instance, struct buf *out, struct err *e) MUST_CHECK;

enum config_scope { CONFIG_AT_START, CONFIG_RELOADED };

/* Append the names of what differs, "[policy] retry_after, [manufacturer acme]"; nothing when
 * nothing does. scope: only what is read at start, or only what a reload takes up. */
bool config_compare(const struct config_schema *schema, const struct buf *old,
	const struct buf *fresh, enum config_scope scope, struct buf *out,
	struct err *e) MUST_CHECK;

/* The outcome of a reload in the log: what changed between old and fresh; and, as a warning, which
 * options differ from those of the start and wait for a restart. */
void config_log_reload(const struct log *l, const struct config_schema *schema,
	const struct buf *started, const struct buf *old, const struct buf *fresh);
/* ... which failed: an error, whatever its kind. */
void config_log_failed_reload(const struct log *l, const struct err *e);

#endif
