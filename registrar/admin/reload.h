/* SPDX-License-Identifier: Apache-2.0 */
/* Reloading the configuration when an administrator asks: unlike after SIGHUP, who asks hears what
 * is wrong with it, and nothing has changed then. */
#ifndef REGISTRAR_ADMIN_RELOAD_H
#define REGISTRAR_ADMIN_RELOAD_H

#include "registrar/registrar.h"

#define RELOAD_PATH "/api/v1/reload"

/* POST {"reason"?: TEXT}: 200 {"manufacturers": N} when it is in force; 400 says what is wrong. */
void reload_config(struct call *c, void *registrar);

#endif
