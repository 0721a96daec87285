/* SPDX-License-Identifier: Apache-2.0 */
/* Random proofs: sessions, tokens, one-time codes. They are given out once; what is kept is their
 * SHA-256, which suffices as there is nothing to guess. */
#ifndef REGISTRAR_ACCESS_SECRET_H
#define REGISTRAR_ACCESS_SECRET_H

#include "common/pki/digest.h"

#define SECRET_OCTETS	32
#define SECRET_TEXT_LEN (2 * SECRET_OCTETS) /* hexadecimal */
#define TOKEN_PREFIX	"brski-"	    /* so that scanners find a token that was published */
#define CODE_LETTERS	20		    /* 100 bits for a quarter of an hour */
#define CODE_TEXT_LEN	(CODE_LETTERS + 3)  /* in groups of five */

/* 256 random bits behind a prefix (or ""). out holds strlen(prefix) + SECRET_TEXT_LEN + 1. */
bool secret_make(const char *prefix, char *out, struct err *e) MUST_CHECK;
bool secret_digest(const char *secret, uint8_t out[SHA256_LEN], struct err *e) MUST_CHECK;

/* "k7m2x-9qpac-…": letters and digits that are not taken for each other. */
bool code_make(char out[CODE_TEXT_LEN + 1], struct err *e) MUST_CHECK;
/* Of a code as a person typed it: in any case, with dashes and spaces or without. False: it is
 * none. */
bool code_digest(const char *typed, uint8_t out[SHA256_LEN], struct err *e) MUST_CHECK;

/* What a page sends along to show that it is ours: follows from the session's secret, which does
 * not follow from it. */
bool csrf_of(const char *session, char out[2 * SHA256_LEN + 1], struct err *e) MUST_CHECK;

#endif
