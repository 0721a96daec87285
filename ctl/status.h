/* SPDX-License-Identifier: Apache-2.0 */
/* registrarctl status and masactl status: one screen; or an exit code alone, for health checks. */
#ifndef CTL_STATUS_H
#define CTL_STATUS_H

#include "ctl/ctl.h"

extern const struct ctl_option status_options[];

enum ctl_exit status(struct ctl *c, int argc, char **argv);

#endif
