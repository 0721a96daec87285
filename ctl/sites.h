/* SPDX-License-Identifier: Apache-2.0 */
/* registrarctl sites: the tree devices are placed in. */
#ifndef CTL_SITES_H
#define CTL_SITES_H

#include "ctl/ctl.h"

extern const struct ctl_option sites_change_options[];

enum ctl_exit sites_list(struct ctl *c, int argc, char **argv);
enum ctl_exit sites_add(struct ctl *c, int argc, char **argv);
enum ctl_exit sites_set(struct ctl *c, int argc, char **argv);
enum ctl_exit sites_remove(struct ctl *c, int argc, char **argv);

#endif
