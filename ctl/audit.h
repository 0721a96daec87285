/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log of a service: shown, written to a file, and judged without believing the service or
 * its database. */
#ifndef CTL_AUDIT_H
#define CTL_AUDIT_H

#include "ctl/ctl.h"

extern const struct audit_log audit_log_of_registrar, audit_log_of_masa;

extern const struct ctl_option audit_list_options[], audit_verify_options[];

/* The newest lines. */
enum ctl_exit audit_list(struct ctl *c, int argc, char **argv);
/* Everything as one JSON object a line on stdout: heads first, then lines. */
enum ctl_exit audit_export(struct ctl *c, int argc, char **argv);
/* Of the service, or of an export named by argv[0]. */
enum ctl_exit audit_verify(struct ctl *c, int argc, char **argv);

#endif
