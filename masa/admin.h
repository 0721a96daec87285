/* SPDX-License-Identifier: Apache-2.0 */
/* The administrator's routes under /api/v1/, JSON over the Unix socket or, past guard.h, HTTPS:
 * devices, owners, audit. Whoever may open the socket may do all of it. */
#ifndef MASA_ADMIN_H
#define MASA_ADMIN_H

#include "common/net/http_server.h"
#include "masa/masa.h"

/* Handlers get the struct masa as app. */
extern const struct http_route masa_admin_routes[];
extern const size_t masa_admin_route_count;

#endif
