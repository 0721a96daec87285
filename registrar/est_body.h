/* SPDX-License-Identifier: Apache-2.0 */
/* The dialects in which EST clients write a body, and answering in the one they read: libest wants
 * base64 in lines, strongSwan reads it unbroken only, curl users post PEM or DER (RFC 7030 §4,
 * RFC 8951 §3.1). Over CoAP there is one dialect, DER. */
#ifndef REGISTRAR_EST_BODY_H
#define REGISTRAR_EST_BODY_H

#include "common/base/buf.h"

/* EST_BINARY: DER itself, all that is spoken over CoAP (RFC 9148 §4.3). */
enum est_wrapping { EST_UNWRAPPED, EST_WRAPPED, EST_BINARY };

#define EST_LINE_LEN 64 /* of a wrapped answer, as in PEM */

/* Append the DER in body: DER itself, PEM, or base64 with or without line breaks.
 * wrapping: out, what the client seems to read. ERR_INPUT when it is none of them. */
bool est_body_read(
	struct bytes body, struct buf *der, enum est_wrapping *wrapping, struct err *e) MUST_CHECK;
/* The same from a constrained client: DER and nothing else. ERR_INPUT. */
bool est_body_read_der(struct bytes body, struct buf *der, struct err *e) MUST_CHECK;
/* For a GET there is nothing to mirror: lines for libest, none for the others. */
enum est_wrapping est_wrapping_for(const char *user_agent);
/* Append der in base64, or as it is. */
bool est_body_write(
	struct bytes der, enum est_wrapping wrapping, struct buf *out, struct err *e) MUST_CHECK;

#endif
