/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks as resources: list, add, test, remove, enable, disable; their dead letters: list, retry,
 * drop. A secret is shown once, when its hook is added. */
#ifndef REGISTRAR_ADMIN_HOOKS_H
#define REGISTRAR_ADMIN_HOOKS_H

#include "registrar/registrar.h"

#define HOOKS_PATH "/api/v1/hooks"

void hooks_list(struct call *c, void *registrar);
void hooks_add(struct call *c, void *registrar);
/* HOOKS_PATH/ID/dead */
void hooks_dead(struct call *c, void *registrar);
/* HOOKS_PATH/ID/test|remove|enable|disable, HOOKS_PATH/ID/dead/retry|drop */
void hooks_change(struct call *c, void *registrar);

#endif
