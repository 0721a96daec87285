/* SPDX-License-Identifier: Apache-2.0 */
/* registrarctl ca: the issuing CAs of the site. */
#ifndef CTL_CA_H
#define CTL_CA_H

#include "ctl/ctl.h"

extern const struct ctl_option ca_switch_options[];

enum ctl_exit ca_show(struct ctl *c, int argc, char **argv);
enum ctl_exit ca_switch(struct ctl *c, int argc, char **argv);

#endif
