/* SPDX-License-Identifier: Apache-2.0 */
/* registrarctl setup: a usable site in one command. */
#ifndef CTL_SETUP_REGISTRAR_H
#define CTL_SETUP_REGISTRAR_H

#include "ctl/ctl.h"

enum ctl_exit setup_registrar(struct ctl *c, int argc, char **argv);

#endif
