/* SPDX-License-Identifier: Apache-2.0 */
/* EST's answers by their media type: certs-only in base64 or DER, one certificate, several of them
 * in parts, a key with its certificate (RFC 7030 §4.1.3, §4.2.3; RFC 9148 §4.3, §4.8;
 * draft-ietf-anima-constrained-voucher §6.7.5, §6.8). Pure. */
#ifndef PLEDGE_EST_REPLY_H
#define PLEDGE_EST_REPLY_H

#include "common/net/session.h"
#include "common/pki/cert.h"
#include "common/pki/key.h"

/* Append the DER in a body: base64 (any line breaks; plain DER too), or with base64 false DER
 * itself. */
bool est_reply_decode(struct bytes body, bool base64, struct buf *out, struct err *e) MUST_CHECK;
/* The certificates, in the order in which they stand. ERR_PEER: another media type; ERR_INPUT. */
bool est_reply_certs(const struct session_reply *reply, bool base64, struct cert_list *out,
	struct err *e) MUST_CHECK;
/* A key that the server made and its certificate, in either order, with issuers if they come
 * along. A key in CMS is refused: we asked for none. */
bool est_reply_key(const struct session_reply *reply, struct key **key, struct cert_list *certs,
	struct err *e) MUST_CHECK;

#endif
