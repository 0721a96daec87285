/* SPDX-License-Identifier: Apache-2.0 */
/* registrarctl events: what happens, one event a line. */
#ifndef CTL_EVENTS_H
#define CTL_EVENTS_H

#include "ctl/ctl.h"

extern const struct ctl_option events_tail_options[];
enum ctl_exit events_tail(struct ctl *c, int argc, char **argv);

#endif
