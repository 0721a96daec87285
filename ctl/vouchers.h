/* SPDX-License-Identifier: Apache-2.0 */
/* registrarctl vouchers: those that devices have, and those that are fetched before they ask. */
#ifndef CTL_VOUCHERS_H
#define CTL_VOUCHERS_H

#include "ctl/ctl.h"

extern const struct ctl_option vouchers_list_options[], vouchers_fetch_options[],
	vouchers_drop_options[];

enum ctl_exit vouchers_list(struct ctl *c, int argc, char **argv);
enum ctl_exit vouchers_fetch(struct ctl *c, int argc, char **argv);
enum ctl_exit vouchers_drop(struct ctl *c, int argc, char **argv);

#endif
