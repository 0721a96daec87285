/* SPDX-License-Identifier: Apache-2.0 */
/* Around every daemon's work: the command line, worker threads with a loop each, signals, drain.
 * The main thread only waits: for a signal, for the end of a drain, for its deadline. */
#include "common/run/daemon.h"

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"

#define WORKERS_MAX	64    /* loops: more cores than any registrar needs */
#define HELP_TEXT_MAX	65536 /* octets of --help */
#define GROUP_ENTRY_MAX 65536 /* octets of a group with its members */
#define EXIT_USAGE	2

struct daemon {
	const struct log *log;
	struct loop **loops;
	pthread_t *threads;
	size_t loop_count;
	int signal_fd;
	int drained_fd;
};

/* ---- command line ---- */

static void print_help(const char *program, const char *what, const char *config,
	const struct config_schema *schema)
{
	BUF_AUTO struct buf text = BUF_INIT(HELP_TEXT_MAX);
	struct err e = ERR_INIT;

	printf("%s - %s\n\n"
	       "usage: %s [-c FILE] [--check]\n"
	       "  -c, --config FILE  configuration (default %s), and FILE.d/*.conf in order of "
	       "name\n"
	       "      --check        load everything the configuration names, say \"ok\", end\n"
	       "  -h, --help         this text\n"
	       "  -V, --version      the release\n",
		program, what, program, config);
	if (!config_describe(schema, &text, &e))
		return;
	printf("\nThe configuration, every option with its default:\n\n%s", buf_str(&text));
}

static bool usage(const char *program, int *exit_code)
{
	fprintf(stderr, "usage: %s [-c FILE] [--check]; %s --help says more\n", program, program);
	*exit_code = EXIT_USAGE;
	return false;
}

bool daemon_options_parse(int argc, char **argv, const char *program, const char *what_it_is,
	const char *default_config, const struct config_schema *schema, struct daemon_options *out,
	int *exit_code)
{
	static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};
	int option;

	*out = (struct daemon_options){.config_path = default_config};
	*exit_code = 0;
	optind = 0; /* start over: tests parse more than once */
	while ((option = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1) {
		if (option == 'c') {
			out->config_path = optarg;
		} else if (option == 'k') {
			out->check_only = true;
		} else if (option == 'h') {
			print_help(program, what_it_is, default_config, schema);
			return false;
		} else if (option == 'V') {
			printf("%s %s\n", program, BRSKI_VERSION);
			return false;
		} else {
			return usage(program, exit_code);
		}
	}
	return optind == argc || usage(program, exit_code);
}

/* ---- signals and the service manager ---- */

/* Blocked before any thread starts, so that every thread inherits it and only the main one reads.
 */
static bool open_signals(struct daemon *d, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return err_set(e, ERR_BUG, "signals cannot be blocked");
	d->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	d->drained_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->signal_fd < 0 || d->drained_fd < 0)
		return err_set_errno(e, ERR_IO, "signal descriptors");
	return true;
}

/* sd_notify(3) without its library: one datagram to the socket the service manager named. */
static void notify_service_manager(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	socklen_t len;
	int fd;

	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, strlen(path));
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, len) < 0)
		(void)state; /* nobody listens: nothing to be done about it */
	close(fd);
}

/* ---- life ---- */

static bool make_loops(struct daemon *d, size_t count, struct err *e)
{
	d->loops = mem_new(count * sizeof(*d->loops), e);
	d->threads = mem_new(count * sizeof(*d->threads), e);
	if (!d->loops || !d->threads)
		return false;
	for (; d->loop_count < count; d->loop_count++) {
		d->loops[d->loop_count] = loop_new(e);
		if (!d->loops[d->loop_count])
			return false;
	}
	return true;
}

struct daemon *daemon_new(size_t worker_count, const struct log *l, struct err *e)
{
	struct daemon *d = mem_new(sizeof(*d), e);

	if (!d)
		return NULL;
	d->log = l;
	d->signal_fd = -1;
	d->drained_fd = -1;
	if (worker_count == 0)
		worker_count = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
	if (worker_count > WORKERS_MAX)
		worker_count = WORKERS_MAX;
	if (!open_signals(d, e) || !make_loops(d, worker_count, e)) {
		daemon_free(d);
		return NULL;
	}
	return d;
}

struct loop **daemon_loops(struct daemon *d, size_t *count)
{
	*count = d->loop_count;
	return d->loops;
}

static void *worker_main(void *arg)
{
	loop_run(arg);
	return NULL;
}

static size_t start_workers(struct daemon *d)
{
	size_t started = 0;

	while (started < d->loop_count &&
		pthread_create(&d->threads[started], NULL, worker_main, d->loops[started]) == 0)
		started++;
	return started;
}

static void stop_workers(struct daemon *d, size_t started)
{
	for (size_t i = 0; i < started; i++)
		loop_stop(d->loops[i]);
	for (size_t i = 0; i < started; i++)
		pthread_join(d->threads[i], NULL);
}

/* The next signal, 0 when the drain is over, -1 when deadline_ms (0: none) has passed. */
static int wait_for_event(struct daemon *d, int64_t deadline_ms)
{
	struct pollfd fds[2] = {
		{.fd = d->signal_fd, .events = POLLIN}, {.fd = d->drained_fd, .events = POLLIN}};
	struct signalfd_siginfo info;

	for (;;) {
		int64_t left = deadline_ms ? deadline_ms - clock_mono_ms() : -1;
		int n;

		if (deadline_ms && left <= 0)
			return -1;
		n = poll(fds, 2, (int)left);
		if (n < 0 && errno != EINTR)
			return -1;
		if (n <= 0)
			continue;
		if (fds[1].revents)
			return 0;
		if (read(d->signal_fd, &info, sizeof(info)) == sizeof(info))
			return (int)info.ssi_signo;
	}
}

static const char *drain_end_name(int event)
{
	if (event == 0)
		return "complete";
	return event < 0 ? "deadline" : "second signal";
}

int daemon_run(struct daemon *d, void (*drain)(void *arg), void (*reload)(void *arg), void *arg,
	int64_t drain_ms)
{
	size_t started = start_workers(d);
	int64_t deadline_ms;
	int event;

	if (started < d->loop_count) {
		log_event(d->log, LOG_LEVEL_ERROR, "no-thread", NULL, NULL);
		stop_workers(d, started);
		return 1;
	}
	notify_service_manager("READY=1");
	while ((event = wait_for_event(d, 0)) == SIGHUP)
		if (reload)
			reload(arg);
	notify_service_manager("STOPPING=1");
	log_event(d->log, LOG_LEVEL_INFO, "stopping", NULL, NULL);
	deadline_ms = clock_mono_ms() + drain_ms;
	drain(arg);
	while ((event = wait_for_event(d, deadline_ms)) == SIGHUP)
		;
	stop_workers(d, started);
	log_event(d->log, LOG_LEVEL_INFO, "stopped", NULL, "drain", drain_end_name(event), NULL);
	return 0;
}

void daemon_drained(struct daemon *d)
{
	const uint64_t one = 1;

	while (write(d->drained_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void daemon_free(struct daemon *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->loop_count; i++)
		loop_free(d->loops[i]);
	free(d->loops);
	free(d->threads);
	if (d->signal_fd >= 0)
		close(d->signal_fd);
	if (d->drained_fd >= 0)
		close(d->drained_fd);
	free(d);
}

bool daemon_share_socket(const char *path, const char *group, struct err *e)
{
	char room[GROUP_ENTRY_MAX];
	struct group entry, *found;

	if (!group)
		return true;
	if (getgrnam_r(group, &entry, room, sizeof(room), &found) != 0 || !found)
		return err_set(e, ERR_INPUT, "there is no group %s", group);
	if (chown(path, (uid_t)-1, entry.gr_gid) != 0 || chmod(path, 0660) != 0)
		return err_set_errno(e, ERR_IO, "%s: group %s", path, group);
	return true;
}
