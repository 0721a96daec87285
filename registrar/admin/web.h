/* SPDX-License-Identifier: Apache-2.0 */
/* GET of a page or what belongs to it, for everybody: they hold nothing that is secret. */
#ifndef REGISTRAR_ADMIN_WEB_H
#define REGISTRAR_ADMIN_WEB_H

#include "common/net/http_server.h"

extern const struct http_route admin_web_route;

/* Header fields of every answer to administrators: nothing is kept, framed, guessed or run. */
void admin_web_set_headers(struct call *c);

#endif
