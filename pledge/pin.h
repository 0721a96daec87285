/* SPDX-License-Identifier: Apache-2.0 */
/* The forms in which a request names a registrar and a voucher pins one: its certificate or a CA's,
 * its public key, or that key's SHA-256 (RFC 8995 §3.4; rfc8366bis §8, §9;
 * draft-ietf-anima-constrained-voucher §13). */
#ifndef PLEDGE_PIN_H
#define PLEDGE_PIN_H

#include "common/message/voucher.h"
#include "common/pki/cert.h"

enum pin_form { PIN_SHA256, PIN_KEY, PIN_CERT, PIN_FORM_COUNT };
/* As configurations say; by form, then NULL. */
extern const char *const pin_form_names[];

/* Name the server in a request. */
bool pin_put_proximity(
	enum pin_form form, const struct cert *server, struct voucher *v, struct err *e) MUST_CHECK;

/* Which of a voucher's pins counts (rows Y-09, R8995-PLG-059): the form the request used; without
 * it, and for a voucher that answers no request, the first there is of hash, key, certificate.
 * ERR_INPUT: it pins nothing. */
bool pin_choose(const struct voucher *v, enum pin_form asked_with, enum pin_form *out,
	struct err *e) MUST_CHECK;
/* The leaf of that form. */
const struct buf *pin_leaf(const struct voucher *v, enum pin_form form);
/* Is this the server whose key is pinned? For the two forms that pin a key. ERR_UNAUTHENTICATED. */
bool pin_key_is(
	enum pin_form form, struct bytes pin, const struct cert *server, struct err *e) MUST_CHECK;

#endif
