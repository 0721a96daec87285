/* SPDX-License-Identifier: Apache-2.0 */
/* Rules on who may join: shown, added, moved, removed, tried. */
#ifndef CTL_RULES_H
#define CTL_RULES_H

#include "ctl/ctl.h"

extern const struct ctl_option rules_add_options[], rules_test_options[];

enum ctl_exit rules_list(struct ctl *c, int argc, char **argv);
enum ctl_exit rules_add(struct ctl *c, int argc, char **argv);
enum ctl_exit rules_remove(struct ctl *c, int argc, char **argv);
enum ctl_exit rules_enable(struct ctl *c, int argc, char **argv);
enum ctl_exit rules_disable(struct ctl *c, int argc, char **argv);
enum ctl_exit rules_move(struct ctl *c, int argc, char **argv);
enum ctl_exit rules_test(struct ctl *c, int argc, char **argv);

#endif
