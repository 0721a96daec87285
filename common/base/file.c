/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_fd(int fd, const char *path, struct buf *out, struct err *e)
{
	uint8_t chunk[16384];

	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(e, ERR_IO, "%s", path);
		if (n == 0)
			return true;
		if (!buf_append(out, chunk, (size_t)n, e)) {
			explicit_bzero(chunk, sizeof(chunk));
			return err_prefix(e, "%s", path);
		}
		explicit_bzero(chunk, (size_t)n); /* it may have been a key */
	}
}

bool file_read_if_exists(const char *path, struct buf *out, bool *exists, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok;

	*exists = fd >= 0;
	if (fd < 0)
		return errno == ENOENT ? true : err_set_errno(e, ERR_IO, "%s", path);
	ok = read_fd(fd, path, out, e);
	close(fd);
	return ok;
}

bool file_read(const char *path, struct buf *out, struct err *e)
{
	bool exists;

	if (!file_read_if_exists(path, out, &exists, e))
		return false;
	return exists ? true : err_set(e, ERR_IO, "%s: no such file", path);
}

static bool sync_dir_of(const char *path, struct err *e)
{
	char copy[PATH_MAX];
	int fd;
	bool ok;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(e, ERR_IO, "directory of %s", path);
	ok = fsync(fd) == 0 || err_set_errno(e, ERR_IO, "fsync of the directory of %s", path);
	close(fd);
	return ok;
}

static bool write_all(int fd, struct bytes content, const char *path, struct err *e)
{
	while (content.len > 0) {
		ssize_t n = write(fd, content.data, content.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(e, ERR_IO, "%s", path);
		content.data += n;
		content.len -= (size_t)n;
	}
	return true;
}

bool file_write_atomic(const char *path, struct bytes content, mode_t mode, struct err *e)
{
	char tmp[PATH_MAX];
	bool ok;
	int fd;

	if (snprintf(tmp, sizeof(tmp), "%s.new.XXXXXX", path) >= (int)sizeof(tmp))
		return err_set(e, ERR_INPUT, "%s: path too long", path);
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(e, ERR_IO, "%s", tmp);
	ok = write_all(fd, content, tmp, e) &&
	     (fchmod(fd, mode) == 0 || err_set_errno(e, ERR_IO, "chmod %s", tmp)) &&
	     (fsync(fd) == 0 || err_set_errno(e, ERR_IO, "fsync %s", tmp));
	if (close(fd) != 0 && ok)
		ok = err_set_errno(e, ERR_IO, "close %s", tmp);
	if (ok && rename(tmp, path) != 0)
		ok = err_set_errno(e, ERR_IO, "rename to %s", path);
	if (!ok) {
		unlink(tmp);
		return false;
	}
	return sync_dir_of(path, e);
}

/* The name in the parent is part of what must survive: whatever is put in there relies on it. */
static bool make_dir(const char *path, mode_t mode, struct err *e)
{
	if (mkdir(path, mode) == 0)
		return sync_dir_of(path, e);
	return errno == EEXIST || err_set_errno(e, ERR_IO, "mkdir %s", path);
}

bool file_make_dir(const char *path, mode_t mode, struct err *e)
{
	char copy[PATH_MAX];

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return err_set(e, ERR_INPUT, "%s: path too long", path);
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (!make_dir(copy, mode, e))
			return false;
		*p = '/';
	}
	return make_dir(copy, mode, e);
}

bool file_remove(const char *path, struct err *e)
{
	if (unlink(path) != 0) {
		if (errno == ENOENT)
			return true;
		return err_set_errno(e, ERR_IO, "remove %s", path);
	}
	return sync_dir_of(path, e);
}
