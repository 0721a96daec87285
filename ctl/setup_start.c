/* SPDX-License-Identifier: Apache-2.0 */
/* Running the program that was set up: its own check first, then its unit. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ctl/setup.h"

#define SYSTEMD_RUNS  "/run/systemd/system" /* sd_booted(3) */
#define START_TRIES   100
#define START_WAIT_MS 100

extern char **environ;

/* What it complains of is the caller's to read. False: it could not be run, or did not end well. */
static bool run(const char *const argv[], struct err *e)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status, rc = posix_spawn_file_actions_init(&actions);

	if (rc == 0) {
		rc = posix_spawn_file_actions_addopen(
			&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
		if (rc == 0)
			rc = posix_spawnp(&pid, argv[0], &actions, NULL,
				(char *const *)(uintptr_t)argv, environ);
		posix_spawn_file_actions_destroy(&actions);
	}
	if (rc != 0) {
		errno = rc;
		return err_set_errno(e, ERR_IO, "%s", argv[0]);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set_errno(e, ERR_IO, "%s", argv[0]);
	return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
	       err_set(e, ERR_IO, "%s failed", argv[0]);
}

/* The folder of this tool; NULL: it cannot be seen. */
static const char *own_folder(char own[PATH_MAX])
{
	ssize_t len = readlink("/proc/self/exe", own, PATH_MAX - 1);

	if (len <= 0)
		return NULL;
	own[len] = '\0';
	return dirname(own);
}

char *setup_data(const char *name, struct err *e)
{
	static const char *const places[] = {"../share/brski", ".."};
	char own[PATH_MAX], *found = NULL, *path;
	const char *folder = own_folder(own);

	for (size_t i = 0; folder && !found && i < sizeof(places) / sizeof(*places); i++) {
		path = str_printf(e, "%s/%s/%s", folder, places[i], name);
		found = path ? realpath(path, NULL) : NULL;
		free(path);
	}
	return found;
}

bool setup_program(const char *name, char out[PATH_MAX], struct err *e)
{
	char own[PATH_MAX];
	const char *folder = own_folder(own);

	if (folder && snprintf(out, PATH_MAX, "%s/%s", folder, name) < PATH_MAX &&
		access(out, X_OK) == 0)
		return true;
	return snprintf(out, PATH_MAX, "%s", name) < PATH_MAX ||
	       err_set(e, ERR_BUG, "%s: name too long", name);
}

bool setup_check(const struct setup *s, struct err *e)
{
	char program[PATH_MAX];
	const char *const argv[] = {program, "-c", s->config_path, "--check", NULL};

	fflush(stdout);
	if (setup_program(s->service->program, program, e) && run(argv, e))
		return true;
	unlink(s->config_path); /* it would stand for a setup that is complete */
	return false;
}

static bool answers(const char *socket_path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", socket_path);
	yes = fd >= 0 && strlen(socket_path) < sizeof(to.sun_path) &&
	      connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0;
	if (fd >= 0)
		close(fd);
	return yes;
}

static bool wait_for(const char *socket_path)
{
	const struct timespec pause = {.tv_nsec = START_WAIT_MS * 1000000L};

	for (int i = 0; i < START_TRIES; i++) {
		if (answers(socket_path))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static bool say_how(const struct setup *s, bool has_unit, struct err *e)
{
	char program[PATH_MAX];

	if (!setup_program(s->service->program, program, e))
		return false;
	if (has_unit)
		setup_tell("start it", "systemctl enable --now %s.service", s->service->program);
	else
		setup_tell("start it", "%s -c %s", program, s->config_path);
	return true;
}

bool setup_start(const struct setup *s, bool *runs, struct err *e)
{
	FREE_AUTO char *unit = str_printf(e, "%s.service", s->service->program);
	const char *const argv[] = {"systemctl", "enable", "--now", unit, NULL};
	bool has_unit = s->standard && access(SYSTEMD_RUNS, F_OK) == 0;

	if (!unit)
		return false;
	*runs = answers(s->socket);
	if (*runs)
		return true;
	if (!has_unit || geteuid() != 0)
		return say_how(s, has_unit, e);
	fflush(stdout);
	if (!run(argv, e))
		return false;
	*runs = wait_for(s->socket);
	return *runs || err_set(e, ERR_IO,
				"%s was started and does not answer at %s; see "
				"journalctl -u %s",
				s->service->program, s->socket, unit);
}
