/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max_len)
{
	*b = (struct buf)BUF_INIT(max_len);
}

void buf_clear(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}

void buf_wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_clear(b);
}

/* Room for `more` octets and a NUL. Growth copies by hand so that a wiped buffer leaves no trace.
 */
static bool reserve(struct buf *b, size_t more, struct err *e)
{
	size_t need, cap;
	uint8_t *grown;

	if (more > b->max || b->len > b->max - more)
		return err_set(e, ERR_TOO_LARGE, "more than %zu octets", b->max);
	need = b->len + more + 1;
	if (need <= b->cap)
		return true;
	cap = b->cap ? b->cap : 64;
	while (cap < need)
		cap *= 2;
	if (cap > b->max + 1)
		cap = b->max + 1;
	grown = malloc(cap);
	if (!grown)
		return err_set(e, ERR_NO_MEMORY, "no memory for %zu octets", cap);
	if (b->data) {
		memcpy(grown, b->data, b->len);
		explicit_bzero(b->data, b->cap);
		free(b->data);
	}
	b->data = grown;
	b->cap = cap;
	return true;
}

bool buf_append(struct buf *b, const void *data, size_t len, struct err *e)
{
	if (!reserve(b, len, e))
		return false;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return true;
}

bool buf_append_str(struct buf *b, const char *s, struct err *e)
{
	return buf_append(b, s, strlen(s), e);
}

bool buf_printf(struct buf *b, struct err *e, const char *fmt, ...)
{
	va_list ap, again;
	bool ok = false;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n < 0) {
		err_set(e, ERR_BUG, "bad format string");
	} else if (reserve(b, (size_t)n, e)) {
		vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
		ok = true;
	}
	va_end(again);
	va_end(ap);
	return ok;
}

struct bytes buf_bytes(const struct buf *b)
{
	return (struct bytes){b->data, b->len};
}

const char *buf_str(const struct buf *b)
{
	return b->data ? (const char *)b->data : "";
}

void buf_consume(struct buf *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	if (!n)
		return;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
	b->data[b->len] = '\0';
}

struct bytes bytes_of(const void *data, size_t len)
{
	return (struct bytes){data, len};
}

struct bytes bytes_of_str(const char *s)
{
	return (struct bytes){(const uint8_t *)s, strlen(s)};
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool bytes_equal_ct(struct bytes a, struct bytes b)
{
	volatile uint8_t diff = 0;

	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		diff |= (uint8_t)(a.data[i] ^ b.data[i]);
	return diff == 0;
}

struct bytes bytes_cut_text(struct bytes text, size_t max)
{
	size_t n = text.len < max ? text.len : max;

	while (n > 0 && n < text.len && (text.data[n] & 0xc0) == 0x80)
		n--;
	return bytes_of(text.data, n);
}

char *str_dup_n(const void *s, size_t len, struct err *e)
{
	char *copy = malloc(len + 1);

	if (!copy) {
		err_set(e, ERR_NO_MEMORY, "no memory for %zu octets", len);
		return NULL;
	}
	if (len)
		memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *str_dup(const char *s, struct err *e)
{
	return str_dup_n(s, strlen(s), e);
}

char *str_printf(struct err *e, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0) {
		err_set(e, ERR_NO_MEMORY, "no memory for a string");
		return NULL;
	}
	return s;
}

void *mem_new(size_t size, struct err *e)
{
	void *p = calloc(1, size);

	if (!p)
		err_set(e, ERR_NO_MEMORY, "no memory for %zu octets", size);
	return p;
}

void free_ptr(void *p)
{
	void **pp = p;

	free(*pp);
	*pp = NULL;
}
