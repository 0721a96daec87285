/* SPDX-License-Identifier: Apache-2.0 */
/* The instance lock: see store_lock.h. Its file holds the number of the process. */
#include "common/run/store_lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/buf.h"

#define PID_TEXT_MAX 24

static bool refuse(int fd, const char *path, struct err *e)
{
	char pid[PID_TEXT_MAX] = "";
	ssize_t n = read(fd, pid, sizeof(pid) - 1);

	pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
	return err_set(e, ERR_STORE, "store: %s is already in use by process %s", path,
		pid[0] ? pid : "(unknown)");
}

static bool take(int fd, const char *path, const char *lock_path, struct err *e)
{
	char pid[PID_TEXT_MAX];
	int n;

	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return refuse(fd, path, e);
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n)
		return err_set_errno(e, ERR_STORE, "store: %s", lock_path);
	return true;
}

int store_lock(const char *path, struct err *e)
{
	FREE_AUTO char *lock_path = str_printf(e, "%s.lock", path);
	int fd;

	if (!lock_path)
		return -1;
	fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		err_set_errno(e, ERR_STORE, "store: %s", lock_path);
		return -1;
	}
	if (take(fd, path, lock_path, e))
		return fd;
	close(fd);
	return -1;
}
