/* SPDX-License-Identifier: Apache-2.0 */
/* registrarctl restore and masactl restore: a backup in place of the store. */
#ifndef CTL_RESTORE_H
#define CTL_RESTORE_H

#include "ctl/ctl.h"

extern const struct ctl_option restore_options[];

enum ctl_exit restore_registrar(struct ctl *c, int argc, char **argv);
enum ctl_exit restore_masa(struct ctl *c, int argc, char **argv);

#endif
