/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's blocking HTTPS session, one of the carriers of session.h: exactly one TLS connection
 * to one registrar, in one of two modes. PROVISIONAL accepts any server certificate, remembers the
 * chain and proves nothing yet (RFC 8995 §5.1); ANCHORED verifies the chain against anchors (EST
 * server: the name or cmcRA, RFC 7030 §3.6.1). A lost connection ends the session: nothing
 * reconnects behind the caller's back. */
#ifndef NET_HTTP_SESSION_H
#define NET_HTTP_SESSION_H

#include "common/net/session.h"

struct http_session;

/* Nothing is sent yet; the first request connects. */
struct http_session *http_session_new(
	const struct session_config *config, struct err *e) MUST_CHECK;
void http_session_free(struct http_session *s);

/* ERR_PEER_TIMEOUT, ERR_RETRY_LATER (refused, unreachable, DNS), ERR_UNAUTHENTICATED (certificate),
 * ERR_PEER (connection lost, protocol, too large; nothing it takes a signature by that our key
 * can make), ERR_NO_MEMORY. Any status code is a success here. After an error the session is over:
 * only http_session_server_chain() and http_session_free() are of use.
 */
bool http_session_send(struct http_session *s, const struct session_request *rq,
	struct session_reply *out, struct err *e) MUST_CHECK;

/* Connect without sending, to learn the server's chain before the first request is made (the PVR
 * carries its first certificate). */
bool http_session_connect(struct http_session *s, struct err *e) MUST_CHECK;
/* The chain the server sent, end entity first; borrowed. Empty before the handshake. */
const struct cert_list *http_session_server_chain(const struct http_session *s);
/* Was the server known by the anchors? */
bool http_session_is_verified(const struct http_session *s);
/* Is there a connection that a further request could be sent on? Looks whether the server has
 * closed it meanwhile (or said something unasked, which ends the session too). */
bool http_session_is_open(struct http_session *s);
/* base64 channel binding for challengePassword: tls-unique on 1.2, tls-exporter on 1.3. Appends.
 * ERR_UNAUTHENTICATED on a TLS 1.2 connection without extended master secret (EE-06). */
bool http_session_channel_binding(
	struct http_session *s, struct buf *out, struct err *e) MUST_CHECK;

#endif
