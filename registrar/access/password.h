/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords as they are kept: argon2id (RFC 9106) in its usual text form, with salt and costs.
 * Takes PASSWORD_MEMORY_KIB of memory and some 150 ms on purpose: never on a loop thread
 * (hasher.h). */
#ifndef REGISTRAR_ACCESS_PASSWORD_H
#define REGISTRAR_ACCESS_PASSWORD_H

#include "common/base/err.h"

/* Above the least that OWASP's password storage guide asks for (19 MiB, 2 passes), as the registrar
 * has to stay small: one is computed at a time. */
#define PASSWORD_MEMORY_KIB 32768
#define PASSWORD_PASSES	    3
#define PASSWORD_SALT_LEN   16
#define PASSWORD_HASH_LEN   32
#define PASSWORD_HASH_MAX   160 /* its text with the final NUL; such a one has 99 */

#define PASSWORD_CHARS_MIN  12	 /* NIST SP 800-63B asks for 8, or 15 where it is all there is */
#define PASSWORD_OCTETS_MAX 1024 /* sentences, too; hashing is not the place to find the end */

/* ERR_INPUT with a sentence: too short, too long. */
bool password_check(const char *password, struct err *e) MUST_CHECK;
bool password_hash(const char *password, char out[PASSWORD_HASH_MAX], struct err *e) MUST_CHECK;
/* *right: it is this password. ERR_NO_MEMORY, ERR_STORE when the hash is none. */
bool password_verify(const char *hash, const char *password, bool *right, struct err *e) MUST_CHECK;

#endif
