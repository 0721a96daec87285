/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's blocking CoAPS session: the carrier of session.h for coaps:// (RFC 7252 and RFC 7959
 * over DTLS 1.2; RFC 9148). One UDP socket, connected to one registrar or join proxy, one DTLS
 * association on it, provisional or anchored as over HTTPS. Messages are lost, doubled and
 * reordered on such links: requests are repeated until timeout_ms, and the same request is repeated
 * as the same message, so that the server can tell.
 *
 * Paths are those of HTTPS; known ones go out under their short names (RFC 9148 §4.1,
 * draft-ietf-anima-constrained-voucher §6.5), media types as Content-Format numbers. A code comes
 * back as HTTP's status; 5.03 with Max-Age as 202 with retry_after. */
#ifndef NET_COAP_SESSION_H
#define NET_COAP_SESSION_H

#include "common/net/session.h"

struct coap_session;

/* Nothing is sent yet. The host may carry a zone ("fe80::1%eth0"); exchange is not used. */
struct coap_session *coap_session_new(
	const struct session_config *config, struct err *e) MUST_CHECK;
void coap_session_free(struct coap_session *s);

/* ERR_PEER_TIMEOUT (no handshake in connect_ms, no answer in timeout_ms), ERR_RETRY_LATER (refused,
 * unreachable, DNS), ERR_UNAUTHENTICATED (certificate), ERR_PEER (association ended, an answer that
 * is none, too large), ERR_INPUT (a content_type without a number). Any code is a success here.
 * After a time-out or the association's end the session is over: only coap_session_server_chain()
 * and coap_session_free() are of use. */
bool coap_session_send(struct coap_session *s, const struct session_request *rq,
	struct session_reply *out, struct err *e) MUST_CHECK;
/* The handshake alone, to learn the server's chain before the first request. */
bool coap_session_connect(struct coap_session *s, struct err *e) MUST_CHECK;
/* What the server sent, end entity first; borrowed. Empty before the handshake and
 * after one that failed. */
const struct cert_list *coap_session_server_chain(const struct coap_session *s);
/* Was it the anchors that let the server pass? */
bool coap_session_is_verified(const struct coap_session *s);
/* Is there an association that a further request could be sent on? Reads what has arrived. */
bool coap_session_is_open(struct coap_session *s);
/* base64 of tls-unique (row C-38), as http_session_channel_binding(). Appends. */
bool coap_session_channel_binding(
	struct coap_session *s, struct buf *out, struct err *e) MUST_CHECK;

#endif
