/* SPDX-License-Identifier: Apache-2.0 */
/* The administrator's side: /api/v1/ on the Unix socket. Who may open the socket may do all of it;
 * it is never reachable from the device network. */
#ifndef REGISTRAR_ADMIN_ADMIN_H
#define REGISTRAR_ADMIN_ADMIN_H

#include "registrar/registrar.h"

extern const struct http_route admin_routes[];
extern const size_t admin_route_count;

#endif
