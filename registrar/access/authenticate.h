/* SPDX-License-Identifier: Apache-2.0 */
/* Who sends this request of the administrators' side? In this order: the peer of the Unix socket;
 * "Authorization: Bearer TOKEN"; the session of a cookie, whose changing requests need their CSRF
 * token and have to come from our own pages; the certificate proven in the TLS handshake. A proof
 * that is wrong is not passed over for the next one. */
#ifndef REGISTRAR_ACCESS_AUTHENTICATE_H
#define REGISTRAR_ACCESS_AUTHENTICATE_H

#include "registrar/access/principal.h"
#include "registrar/registrar.h"
#include "registrar/access/secret.h"

/* Bound to this host by its prefix: no other can set it (RFC 6265bis §4.1.3). */
#define SESSION_COOKIE "__Host-brski-session"

/* The code of a request that a browser was made to send by a page of others. */
#define CODE_CSRF     "csrf"
#define CSRF_SENTENCE "The request does not come from a page of this service."

/* True: *out is somebody, cleared by the caller with principal_clear(). False with *e, and *out is
 * nobody: ERR_LOGIN when there is no proof or none that counts (401), ERR_NOT_ALLOWED when a
 * session is misused from elsewhere (403), else what kept us from finding out. On the call's loop,
 * when its headers are complete; the body need not be there. Never waits. */
bool admin_authenticate(
	struct registrar *r, struct call *c, struct principal *out, struct err *e) MUST_CHECK;

/* The user with all grants; out is all zeros, and the caller's to clear. */
bool admin_principal_of(struct registrar *r, const char *user, enum proof proof,
	struct principal *out, struct err *e) MUST_CHECK;
/* For who logs in and out. The session's secret as the request brought it, whatever it is worth. */
bool admin_session_of(const struct call *c, char out[SECRET_TEXT_LEN + 1]);
/* Was it our own page that made a browser send this? has_to_say: who does not say so is none. */
bool admin_is_same_origin(const struct call *c, bool has_to_say);
/* Whose certificate was proven in the handshake; ERR_LOGIN. */
bool admin_user_of_certificate(struct registrar *r, const struct call *c, int64_t now,
	char user[USER_NAME_LEN_MAX + 1], struct err *e) MUST_CHECK;

#endif
