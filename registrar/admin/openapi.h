/* SPDX-License-Identifier: Apache-2.0 */
/* docs/openapi/registrar.json as a part of the program: what the administrators' side serves,
 * described for programs. A test holds it against the routes. */
#ifndef REGISTRAR_ADMIN_OPENAPI_H
#define REGISTRAR_ADMIN_OPENAPI_H

#include "common/net/call.h"

#define OPENAPI_PATH "/api/v1/openapi.json"

struct bytes openapi_document(void);
/* GET, for everybody: it is no secret. */
void openapi_show(struct call *c, void *registrar);

#endif
