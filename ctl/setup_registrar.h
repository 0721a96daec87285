/* SPDX-License-Identifier: Apache-2.0 */
/* registrarctl setup: a usable site in one command. */
#ifndef CTL_SETUP_REGISTRAR_H
#define CTL_SETUP_REGISTRAR_H

#include "ctl/ctl.h"

extern const struct ctl_option setup_registrar_options[];

enum ctl_exit setup_registrar(struct ctl *c, int argc, char **argv);

#endif
