/* SPDX-License-Identifier: Apache-2.0 */
/* registrarctl devices: what has joined, and what is done about it. */
#ifndef CTL_DEVICES_H
#define CTL_DEVICES_H

#include "ctl/ctl.h"

#define DEVICES_PATH "/api/v1/devices"

extern const struct ctl_option devices_list_options[], devices_find_options[],
	devices_history_options[], devices_verb_options[], devices_move_options[],
	devices_label_options[], devices_replace_options[];

extern const struct ctl_column devices_columns[];

/* DEVICES_PATH/NAME or, with what, DEVICES_PATH/NAME/WHAT. */
bool devices_path(struct buf *path, const char *name, const char *what, struct err *e) MUST_CHECK;

enum ctl_exit devices_list(struct ctl *c, int argc, char **argv);
enum ctl_exit devices_show(struct ctl *c, int argc, char **argv);
enum ctl_exit devices_find(struct ctl *c, int argc, char **argv);
enum ctl_exit devices_history(struct ctl *c, int argc, char **argv);
enum ctl_exit devices_export(struct ctl *c, int argc, char **argv);
enum ctl_exit devices_quarantine(struct ctl *c, int argc, char **argv);
enum ctl_exit devices_release(struct ctl *c, int argc, char **argv);
enum ctl_exit devices_revoke(struct ctl *c, int argc, char **argv);
enum ctl_exit devices_decommission(struct ctl *c, int argc, char **argv);
enum ctl_exit devices_replace(struct ctl *c, int argc, char **argv);
enum ctl_exit devices_move(struct ctl *c, int argc, char **argv);
enum ctl_exit devices_clear_marks(struct ctl *c, int argc, char **argv);
enum ctl_exit devices_label(struct ctl *c, int argc, char **argv);

#endif
