/* SPDX-License-Identifier: Apache-2.0 */
/* The routes for registrars and the sequence behind each. */
#ifndef MASA_SERVE_H
#define MASA_SERVE_H

#include "common/net/http_server.h"
#include "masa/masa.h"

/* Handlers get the struct masa as app. */
extern const struct http_route masa_routes[];
extern const size_t masa_route_count;

#endif
