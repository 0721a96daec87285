/* SPDX-License-Identifier: Apache-2.0 */
/* claims list, show, watch, approve, reject, export of registrarctl. */
#ifndef CTL_CLAIMS_H
#define CTL_CLAIMS_H

#include "ctl/ctl.h"

extern const struct ctl_option claims_list_options[], claims_watch_options[],
	claims_approve_options[], claims_reject_options[];

enum ctl_exit claims_list(struct ctl *c, int argc, char **argv);
enum ctl_exit claims_show(struct ctl *c, int argc, char **argv);
enum ctl_exit claims_watch(struct ctl *c, int argc, char **argv);
enum ctl_exit claims_approve(struct ctl *c, int argc, char **argv);
enum ctl_exit claims_reject(struct ctl *c, int argc, char **argv);
/* A list that claims import reads again, page by page as it comes. */
enum ctl_exit claims_export(struct ctl *c, int argc, char **argv);

#endif
