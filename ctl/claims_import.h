/* SPDX-License-Identifier: Apache-2.0 */
/* A supplier's list of devices that may join when they come. */
#ifndef CTL_CLAIMS_IMPORT_H
#define CTL_CLAIMS_IMPORT_H

#include "ctl/ctl.h"

extern const struct ctl_option claims_import_options[];

/* The list in the file argv[0]; a result for each row. */
enum ctl_exit claims_import(struct ctl *c, int argc, char **argv);

#endif
