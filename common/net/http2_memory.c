/* SPDX-License-Identifier: Apache-2.0 */
/* Pages for the large areas of a session, the heap for the rest: see http2_memory.h. */
#include "common/net/http2_memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LARGE 4096 /* octets: a page */

/* The area that begins there; NULL for a place that is free. */
static struct http2_area *area_at(struct http2_memory *m, const void *pages)
{
	for (size_t i = 0; i < HTTP2_AREAS; i++)
		if (m->areas[i].pages == pages)
			return &m->areas[i];
	return NULL;
}

/* Zeroed pages, or NULL: it is not large, or there is no place left. */
static void *take_pages(struct http2_memory *m, size_t len)
{
	struct http2_area *area = len < LARGE ? NULL : area_at(m, NULL);
	void *pages;

	if (!area)
		return NULL;
	pages = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return NULL;
	*area = (struct http2_area){pages, len};
	return pages;
}

static void *allocate(size_t size, void *arg)
{
	void *pages = take_pages(arg, size);

	return pages ? pages : malloc(size);
}

static void *allocate_zeroed(size_t count, size_t size, void *arg)
{
	void *pages = size && count > SIZE_MAX / size ? NULL : take_pages(arg, count * size);

	return pages ? pages : calloc(count, size);
}

static void release(void *p, void *arg)
{
	struct http2_area *area = p ? area_at(arg, p) : NULL;

	if (!area) {
		free(p);
		return;
	}
	munmap(area->pages, area->len);
	area->pages = NULL;
}

static void *reallocate(void *old, size_t size, void *arg)
{
	struct http2_area *area = old ? area_at(arg, old) : NULL;
	void *grown;

	if (!old)
		return allocate(size, arg);
	if (!area)
		return realloc(old, size);
	grown = malloc(size);
	if (grown) {
		memcpy(grown, old, size < area->len ? size : area->len);
		release(old, arg);
	}
	return grown;
}

nghttp2_mem http2_memory_for(struct http2_memory *memory)
{
	return (nghttp2_mem){memory, allocate, release, allocate_zeroed, reallocate};
}
