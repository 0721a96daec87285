/* SPDX-License-Identifier: Apache-2.0 */
/* registrarctl manufacturers add|remove: whose devices may ask to join, as a drop-in of the
 * configuration with its anchors beside it, which a running registrar takes at once. */
#ifndef CTL_MANUFACTURERS_H
#define CTL_MANUFACTURERS_H

#include "ctl/ctl.h"

extern const struct ctl_option manufacturers_add_options[];
extern const struct ctl_option manufacturers_remove_options[];

enum ctl_exit manufacturers_add(struct ctl *c, int argc, char **argv);
enum ctl_exit manufacturers_remove(struct ctl *c, int argc, char **argv);

#endif
