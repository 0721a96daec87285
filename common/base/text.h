/* SPDX-License-Identifier: Apache-2.0 */
/* Text of strangers on its way to somebody's terminal. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>

/* Octets of the character that s (UTF-8, NUL-terminated) begins with when it would drive a terminal
 * or make text read otherwise than it stands there: control characters, C1 ones included, and those
 * that turn the direction of writing. 0: harmless, or the end. */
size_t text_unsafe_len(const char *s);

/* Each octet of such a character becomes `by`; the length stays. */
void text_make_safe(char *s, char by);

/* Each octet that is no part of well-formed UTF-8 (Unicode 15 table 3-7) becomes `by`. */
void text_make_utf8(char *s, char by);

#endif
