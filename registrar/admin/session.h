/* SPDX-License-Identifier: Apache-2.0 */
/* Logging in and out, and who one is: GET, POST and DELETE /api/v1/session.
 *
 * POST {"user", "password" or "code" [, "new_password"]}; {} with a client certificate. A one-time
 * code needs a new password with it. The answer is what GET says, with the cookie of a new session;
 * one that came with the request ends. */
#ifndef REGISTRAR_ADMIN_SESSION_H
#define REGISTRAR_ADMIN_SESSION_H

#include "registrar/registrar.h"

#define SESSION_PATH "/api/v1/session"

void session_show(struct call *c, void *registrar);
void session_begin(struct call *c, void *registrar);
void session_end(struct call *c, void *registrar);

#endif
