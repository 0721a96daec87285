/* SPDX-License-Identifier: Apache-2.0 */
/* What a program holds of the heap at most. Preloaded into it, this counts every allocation, those
 * of the libraries underneath included, for they call the same symbols, and writes "PEAK LEFT
 * CALLS" (octets, octets, number) to the file $HEAP_REPORT at exit. A block counts with what the C
 * library rounds it up to (malloc_usable_size) and its header. For tests only. */
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_HEADER 8 /* of glibc on 64 bits */

/* glibc's own, under names that nobody interposes */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *p);

static atomic_size_t held, peak, calls;

static size_t size_of(void *p)
{
	return p ? malloc_usable_size(p) + BLOCK_HEADER : 0;
}

static void add(size_t octets)
{
	size_t now = held += octets, before = peak;

	while (now > before && !atomic_compare_exchange_weak(&peak, &before, now))
		;
}

static void *took(void *p)
{
	calls++;
	add(size_of(p));
	return p;
}

void *malloc(size_t size)
{
	return took(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
	return took(__libc_calloc(count, size));
}

/* While it copies, both are held. */
void *realloc(void *p, size_t size)
{
	size_t before = size_of(p);
	void *grown = __libc_realloc(p, size);

	if (!grown && size > 0)
		return NULL;
	if (grown == p)
		held -= before;
	took(grown);
	if (grown != p)
		held -= before;
	return grown;
}

void *memalign(size_t alignment, size_t size)
{
	return took(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
	void *p = memalign(alignment, size);

	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

void free(void *p)
{
	held -= size_of(p);
	__libc_free(p);
}

__attribute__((destructor)) static void report(void)
{
	const char *path = getenv("HEAP_REPORT");
	FILE *f = path ? fopen(path, "we") : NULL;

	if (!f)
		return;
	fprintf(f, "%zu %zu %zu\n", (size_t)peak, (size_t)held, (size_t)calls);
	fclose(f);
}
