/* SPDX-License-Identifier: Apache-2.0 */
/* Before a verb touches several objects: which they are as a table, and a question on the terminal.
 * --yes answers it, --dry-run shows them and does nothing. And lists of ids in files. */
#ifndef CTL_CONFIRM_H
#define CTL_CONFIRM_H

#include "ctl/ctl.h"

/* True: go on. False: *code is how the command ends: CTL_DONE after a --dry-run, CTL_USAGE when
 * there is nobody to ask, CTL_FAILED when the answer was no. A single object needs no question.
 *
 * verb    "approve"; nouns  "claims"
 * count   how many will be touched
 * items   these, an array of objects, columns as for ctl_print_list(); looked at only when
 *         ctl_wants_preview() says so, else NULL is fine */
bool ctl_confirm(struct ctl *c, const char *verb, const char *nouns, size_t count,
	const json_t *items, const struct ctl_column *columns, enum ctl_exit *code);
bool ctl_wants_preview(const struct ctl *c, size_t count);

/* The names on the command line and those of --file FILE, one a line, "-" for standard input, as a
 * new array of strings. *code: CTL_DONE, or what went wrong, after saying so. */
json_t *ctl_names(struct ctl *c, int argc, char **argv, enum ctl_exit *code);

#endif
