/* SPDX-License-Identifier: Apache-2.0 */
/* Users of the administrators' side, and tokens for programs that act as them. */
#ifndef CTL_USERS_H
#define CTL_USERS_H

#include "ctl/ctl.h"

extern const struct ctl_option users_grant_options[], users_certificate_options[],
	tokens_add_options[];

enum ctl_exit users_list(struct ctl *c, int argc, char **argv);
enum ctl_exit users_show(struct ctl *c, int argc, char **argv);
enum ctl_exit users_add(struct ctl *c, int argc, char **argv);
enum ctl_exit users_code(struct ctl *c, int argc, char **argv);
enum ctl_exit users_grant(struct ctl *c, int argc, char **argv);
enum ctl_exit users_ungrant(struct ctl *c, int argc, char **argv);
enum ctl_exit users_disable(struct ctl *c, int argc, char **argv);
enum ctl_exit users_enable(struct ctl *c, int argc, char **argv);
enum ctl_exit users_remove(struct ctl *c, int argc, char **argv);
enum ctl_exit users_certificate(struct ctl *c, int argc, char **argv);

enum ctl_exit tokens_list(struct ctl *c, int argc, char **argv);
enum ctl_exit tokens_add(struct ctl *c, int argc, char **argv);
enum ctl_exit tokens_remove(struct ctl *c, int argc, char **argv);

#endif
