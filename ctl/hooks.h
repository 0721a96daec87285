/* SPDX-License-Identifier: Apache-2.0 */
/* registrarctl hooks: programs of the site that are told of events. */
#ifndef CTL_HOOKS_H
#define CTL_HOOKS_H

#include "ctl/ctl.h"

extern const struct ctl_option hooks_add_options[], hooks_enable_options[], hooks_dead_options[];
enum ctl_exit hooks_list(struct ctl *c, int argc, char **argv);
enum ctl_exit hooks_add(struct ctl *c, int argc, char **argv);
enum ctl_exit hooks_test(struct ctl *c, int argc, char **argv);
enum ctl_exit hooks_remove(struct ctl *c, int argc, char **argv);
enum ctl_exit hooks_enable(struct ctl *c, int argc, char **argv);
enum ctl_exit hooks_disable(struct ctl *c, int argc, char **argv);
enum ctl_exit hooks_dead(struct ctl *c, int argc, char **argv);

#endif
