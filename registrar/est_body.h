/* SPDX-License-Identifier: Apache-2.0 */
/* The dialects in which EST clients write a body, and answering in the one they read: libest wants
 * base64 in lines, strongSwan reads it unbroken only, curl users post PEM or DER (RFC 7030 §4,
 * RFC 8951 §3.1). */
#ifndef REGISTRAR_EST_BODY_H
#define REGISTRAR_EST_BODY_H

#include "common/base/buf.h"

enum est_wrapping { EST_UNWRAPPED, EST_WRAPPED };

#define EST_LINE_LEN 64 /* of a wrapped answer, as in PEM */

/* Append the DER in body: DER itself, PEM, or base64 with or without line breaks.
 * wrapping: out, what the client seems to read. ERR_INPUT when it is none of them. */
bool est_body_read(
	struct bytes body, struct buf *der, enum est_wrapping *wrapping, struct err *e) MUST_CHECK;
/* For a GET there is nothing to mirror: lines for libest, none for the others. */
enum est_wrapping est_wrapping_for(const char *user_agent);
/* Append der in base64. */
bool est_body_write(
	struct bytes der, enum est_wrapping wrapping, struct buf *out, struct err *e) MUST_CHECK;

#endif
