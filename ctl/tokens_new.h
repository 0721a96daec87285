/* SPDX-License-Identifier: Apache-2.0 */
/* masactl tokens new: a random token and the line by which a MASA knows it. Needs no service. */
#ifndef CTL_TOKENS_NEW_H
#define CTL_TOKENS_NEW_H

#include "ctl/ctl.h"

extern const struct ctl_option tokens_new_options[];
enum ctl_exit tokens_new(struct ctl *c, int argc, char **argv);

#endif
