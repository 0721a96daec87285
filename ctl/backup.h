/* SPDX-License-Identifier: Apache-2.0 */
/* registrarctl backup FILE: have the daemon copy its store, and wait for the end. */
#ifndef CTL_BACKUP_H
#define CTL_BACKUP_H

#include "ctl/ctl.h"

enum ctl_exit backup(struct ctl *c, int argc, char **argv);

#endif
