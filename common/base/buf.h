/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes on their way: a borrowed view, and an owned buffer with a hard maximum given at birth. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

/* Borrowed: valid as long as its owner says. */
struct bytes {
	const uint8_t *data;
	size_t len;
};

/* Owned by whoever holds the struct; freed with buf_clear(). data is NUL-terminated beyond len once
 * anything was appended, so that text can be read as a C string. */
struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max; /* never grows beyond this many octets */
};

#define BUF_INIT(max_len)                                                                          \
	{                                                                                          \
		.data = NULL, .len = 0, .cap = 0, .max = (max_len)                                 \
	}
#define BUF_AUTO      __attribute__((cleanup(buf_clear)))
#define BUF_AUTO_WIPE __attribute__((cleanup(buf_wipe)))

void buf_init(struct buf *b, size_t max_len);
/* Free the octets; the buffer is empty and usable again. */
void buf_clear(struct buf *b);
/* Overwrite, then free: for secrets. */
void buf_wipe(struct buf *b);

/* Append; false with ERR_TOO_LARGE beyond max, ERR_NO_MEMORY, the buffer unchanged. */
bool buf_append(struct buf *b, const void *data, size_t len, struct err *e) MUST_CHECK;
bool buf_append_str(struct buf *b, const char *s, struct err *e) MUST_CHECK;
bool buf_printf(struct buf *b, struct err *e, const char *fmt, ...) PRINTF(3, 4) MUST_CHECK;

struct bytes buf_bytes(const struct buf *b);
/* "" when empty, else the NUL-terminated text. */
const char *buf_str(const struct buf *b);
/* Drop the first n octets. */
void buf_consume(struct buf *b, size_t n);

struct bytes bytes_of(const void *data, size_t len);
struct bytes bytes_of_str(const char *s);
bool bytes_equal(struct bytes a, struct bytes b);
/* In time that depends on the lengths only: for whatever decides (nonces, digests, tokens). */
bool bytes_equal_ct(struct bytes a, struct bytes b);

/* As much of UTF-8 text as fits into max octets, never half a character. */
struct bytes bytes_cut_text(struct bytes text, size_t max);

/* malloc'd copy with a NUL behind; NULL with ERR_NO_MEMORY. */
char *str_dup(const char *s, struct err *e) MUST_CHECK;
char *str_dup_n(const void *s, size_t len, struct err *e) MUST_CHECK;
/* malloc'd formatted string. */
char *str_printf(struct err *e, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;
/* calloc with an error. */
void *mem_new(size_t size, struct err *e) MUST_CHECK;

/* Cleanup attribute for malloc'd pointers. */
void free_ptr(void *p);
#define FREE_AUTO __attribute__((cleanup(free_ptr)))

#endif
