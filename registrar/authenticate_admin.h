/* SPDX-License-Identifier: Apache-2.0 */
/* Who sends this request of the administrators' side? In this order: the peer of the Unix socket;
 * "Authorization: Bearer TOKEN"; the session of a cookie, whose changing requests need their CSRF
 * token and have to come from our own pages; the certificate proven in the TLS handshake. A proof
 * that is wrong is not passed over for the next one. */
#ifndef REGISTRAR_AUTHENTICATE_ADMIN_H
#define REGISTRAR_AUTHENTICATE_ADMIN_H

#include "registrar/principal.h"
#include "registrar/registrar.h"

/* True: *out is somebody, cleared by the caller with principal_clear(). False with *e, and *out is
 * nobody: ERR_LOGIN when there is no proof or none that counts (401), ERR_NOT_ALLOWED when a
 * session is misused from elsewhere (403), else what kept us from finding out. On the call's loop,
 * when its headers are complete; the body need not be there. Never waits. */
bool admin_authenticate(
	struct registrar *r, struct call *c, struct principal *out, struct err *e) MUST_CHECK;

#endif
