/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the pages: every directory with its own descriptor, so that nothing is followed out of
 * it. */
#include "registrar/admin/web_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/pki/digest.h"
#include "common/wire/hex.h"

#define ETAG_OCTETS 16

static const struct {
	const char *extension, *type;
} types[] = {
	{".css", "text/css; charset=utf-8"},
	{".html", "text/html; charset=utf-8"},
	{".ico", "image/x-icon"},
	{".jpg", "image/jpeg"},
	{".js", "text/javascript; charset=utf-8"},
	{".json", "application/json"},
	{".mjs", "text/javascript; charset=utf-8"},
	{".png", "image/png"},
	{".svg", "image/svg+xml"},
	{".txt", "text/plain; charset=utf-8"},
	{".webmanifest", "application/manifest+json"},
	{".webp", "image/webp"},
	{".woff2", "font/woff2"},
};

struct web_files {
	struct web_file files[WEB_FILES_MAX]; /* in the order of their paths */
	size_t count, total;
};

static const char *type_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(types[i].extension, dot) == 0)
			return types[i].type;
	return NULL;
}

/* ---- Reading ---- */

static bool read_all(int fd, struct buf *out, struct err *e)
{
	uint8_t octets[16384];
	ssize_t got;

	while ((got = read(fd, octets, sizeof(octets))) > 0)
		if (!buf_append(out, octets, (size_t)got, e))
			return false;
	return got == 0 || err_set_errno(e, ERR_IO, "read");
}

static bool make_etag(struct web_file *f, struct err *e)
{
	uint8_t digest[SHA256_LEN];
	char hex[2 * ETAG_OCTETS + 1];

	if (!digest_sha256(buf_bytes(&f->content), digest, e))
		return false;
	hex_encode(bytes_of(digest, ETAG_OCTETS), hex);
	snprintf(f->etag, sizeof(f->etag), "\"%s\"", hex);
	return true;
}

static bool add_file(struct web_files *w, int fd, const char *path, const char *type, struct err *e)
{
	struct web_file *f = &w->files[w->count];

	if (w->count == WEB_FILES_MAX)
		return err_set(e, ERR_TOO_LARGE, "more than %d files", WEB_FILES_MAX);
	w->count++;
	f->type = type;
	f->path = str_dup(path, e);
	buf_init(&f->content, WEB_FILE_MAX);
	if (!f->path || !read_all(fd, &f->content, e) || !make_etag(f, e))
		return false;
	w->total += f->content.len;
	return w->total <= WEB_TOTAL_MAX ||
	       err_set(e, ERR_TOO_LARGE, "more than %d octets in all", WEB_TOTAL_MAX);
}

static bool add_directory(
	struct web_files *w, int fd, const char *path, int depth, struct err *e) MUST_CHECK;

/* A file, a directory, or nothing that is served. */
static bool add_entry(struct web_files *w, int directory, const char *name, const char *parent,
	int depth, struct err *e)
{
	FREE_AUTO char *path = str_printf(e, "%s/%s", parent, name);
	int fd =
		path ? openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) : -1;
	struct stat st;
	bool ok;

	if (fd < 0 || fstat(fd, &st) != 0) {
		ok = path && errno == ELOOP;
		if (path && !ok)
			err_set_errno(e, ERR_IO, "%s", path);
	} else if (S_ISDIR(st.st_mode)) {
		return add_directory(w, fd, path, depth + 1, e);
	} else {
		ok = !S_ISREG(st.st_mode) || !type_of(name) ||
		     add_file(w, fd, path, type_of(name), e) || err_prefix(e, "%s", path);
	}
	if (fd >= 0)
		close(fd);
	return ok;
}

/* Takes fd. */
static bool add_directory(struct web_files *w, int fd, const char *path, int depth, struct err *e)
{
	DIR *d = fdopendir(fd);
	struct dirent *entry;
	bool ok = true;

	if (!d) {
		close(fd);
		return err_set_errno(e, ERR_IO, "%s", path);
	}
	if (depth > WEB_DEPTH_MAX)
		ok = err_set(
			e, ERR_TOO_LARGE, "%s: more than %d directories deep", path, WEB_DEPTH_MAX);
	while (ok && (entry = readdir(d)) != NULL)
		ok = entry->d_name[0] == '.' ||
		     add_entry(w, dirfd(d), entry->d_name, path, depth, e);
	closedir(d);
	return ok;
}

static int by_path(const void *a, const void *b)
{
	const struct web_file *l = a, *r = b;

	return strcmp(l->path, r->path);
}

static bool load(struct web_files *w, const char *directory, struct err *e)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_set_errno(e, ERR_IO, "cannot open");
	if (!add_directory(w, fd, "", 0, e))
		return false;
	qsort(w->files, w->count, sizeof(*w->files), by_path);
	return web_files_find(w, "/") || err_set(e, ERR_INPUT, "there is no index.html");
}

struct web_files *web_files_load(const char *directory, struct err *e)
{
	struct web_files *w = mem_new(sizeof(*w), e);

	if (!w || load(w, directory, e))
		return w;
	err_prefix(e, "%s", directory);
	web_files_free(w);
	return NULL;
}

void web_files_free(struct web_files *w)
{
	for (size_t i = 0; w && i < w->count; i++) {
		free(w->files[i].path);
		buf_clear(&w->files[i].content);
	}
	free(w);
}

/* ---- Finding ---- */

static int path_against(const void *path, const void *file)
{
	const struct web_file *f = file;

	return strcmp(path, f->path);
}

const struct web_file *web_files_find(const struct web_files *w, const char *path)
{
	if (strcmp(path, "/") == 0)
		path = "/index.html";
	return bsearch(path, w->files, w->count, sizeof(*w->files), path_against);
}
