/* SPDX-License-Identifier: Apache-2.0 */
/* registrarctl doctor: what the service finds wrong with itself, as a table. */
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include "ctl/ctl.h"

/* CTL_FAILED when a check failed; warnings are none. */
enum ctl_exit doctor(struct ctl *c, int argc, char **argv);

#endif
