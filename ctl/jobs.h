/* SPDX-License-Identifier: Apache-2.0 */
/* jobs list, show: what takes longer than an answer. */
#ifndef CTL_JOBS_H
#define CTL_JOBS_H

#include "ctl/ctl.h"

enum ctl_exit jobs_list(struct ctl *c, int argc, char **argv);
enum ctl_exit jobs_show(struct ctl *c, int argc, char **argv);

#endif
