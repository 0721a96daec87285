/* SPDX-License-Identifier: Apache-2.0 */
/* The door of the administrator's side from elsewhere: a token of the setup's file, and one that
 * may do this. At the Unix socket nobody is asked: who may open it may do everything. */
#ifndef MASA_GUARD_H
#define MASA_GUARD_H

#include "common/net/http_server.h"

/* An http_guard for the HTTPS listener; app is the struct masa. */
bool masa_guard(struct call *c, const struct http_route *route, void *app, struct http_refusal *no);

/* Who asks, as log and backups have it: "token:NAME", or the peer's address at the socket. Lives as
 * long as the call. */
const char *masa_asked_by(const struct call *c);

#endif
