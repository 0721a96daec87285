/* SPDX-License-Identifier: Apache-2.0 */
/* The administrator's side: /api/v1/ on the Unix socket. Who may open the socket may do all of it;
 * it is never reachable from the device network. */
#ifndef REGISTRAR_ADMIN_H
#define REGISTRAR_ADMIN_H

#include "registrar/registrar.h"

extern const struct http_route admin_routes[];
extern const size_t admin_route_count;

/* Append what a percent-encoded text stands for. ERR_INPUT: not well-formed, or a NUL in it. */
bool admin_percent_decode(const char *in, size_t len, struct buf *out, struct err *e) MUST_CHECK;
/* Append the decoded value of a query's parameter; false in *present when it is not there. */
bool admin_query(const char *query, const char *name, struct buf *out, bool *present,
	struct err *e) MUST_CHECK;

#endif
