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

#endif
