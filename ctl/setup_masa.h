/* SPDX-License-Identifier: Apache-2.0 */
/* masactl setup: a manufacturer's CA and a MASA in one command. */
#ifndef CTL_SETUP_MASA_H
#define CTL_SETUP_MASA_H

#include "ctl/ctl.h"

enum ctl_exit setup_masa(struct ctl *c, int argc, char **argv);

#endif
