/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens, for programs that act as a user: one's own; from the socket, everybody's. A token may
 * what its user may at the time, or less. It is shown once. A token makes no tokens. */
#ifndef REGISTRAR_ADMIN_TOKENS_H
#define REGISTRAR_ADMIN_TOKENS_H

#include "registrar/registrar.h"

#define TOKENS_PATH "/api/v1/tokens"

void tokens_list(struct call *c, void *registrar);
/* POST {"name" [, "days", "role", "site", "manufacturer"] [, "user" from the socket]} */
void tokens_add(struct call *c, void *registrar);
/* POST …/ID/remove */
void tokens_remove(struct call *c, void *registrar);

#endif
