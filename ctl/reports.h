/* SPDX-License-Identifier: Apache-2.0 */
/* registrarctl manufacturers list, certificates, statistics: what there is to look at. */
#ifndef CTL_REPORTS_H
#define CTL_REPORTS_H

#include "ctl/ctl.h"

extern const struct ctl_option certificates_list_options[];

enum ctl_exit manufacturers_list(struct ctl *c, int argc, char **argv);
enum ctl_exit certificates_list(struct ctl *c, int argc, char **argv);
enum ctl_exit statistics_show(struct ctl *c, int argc, char **argv);

#endif
