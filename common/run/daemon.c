/* SPDX-License-Identifier: Apache-2.0 */
/* Around every daemon's work: the command line, worker threads with a loop each, signals, drain.
 * The main thread only waits: for a signal, for the end of a drain, for its deadline. */
#include "common/run/daemon.h"

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/run/service_manager.h"

#define HELP_TEXT_MAX	65536 /* octets of --help */
#define GROUP_ENTRY_MAX 65536 /* octets of a group with its members */
#define EXIT_USAGE	2
#define TICK_MS		5000 /* between two looks at what the log has left out */
#define TICKS_PER_GRACE 4    /* pings within the time the service manager gives us */

/* A loop's answer to the watchdog. */
struct pulse {
	bool asked; /* main thread only */
	atomic_bool answered;
};

struct daemon {
	const struct log *log;
	struct loop **loops;
	struct pulse *pulses; /* one for each loop */
	pthread_t *threads;
	size_t loop_count;
	int signal_fd;
	int drained_fd;
	/* watchdog */
	bool (*moves)(void *arg); /* NULL: only loops are watched */
	void *moves_arg;
	int64_t watchdog_ms; /* 0: nobody watches */
	bool late;	     /* said so already */
	int64_t next_tick_ms;
};

/* ---- command line ---- */

#define USAGE(p)                                                                                   \
	((p)->restores ? "[-c FILE] [--check | --restore FILE | --store-copy FROM TO]"             \
		       : "[-c FILE] [--check]")

static void print_help(const struct daemon_program *p)
{
	BUF_AUTO struct buf text = BUF_INIT(HELP_TEXT_MAX);
	struct err e = ERR_INIT;

	printf("%s - %s\n\n"
	       "usage: %s %s\n"
	       "  -c, --config FILE  configuration (default %s), and FILE.d/*.conf in order of "
	       "name\n"
	       "      --check        load everything the configuration names, say \"ok\", end\n"
	       "%s"
	       "  -h, --help         this text\n"
	       "  -V, --version      the release\n",
		p->name, p->what_it_is, p->name, USAGE(p), p->default_config,
		p->restores ? "      --restore FILE put a backup in place of the store, end\n"
			      "      --store-copy FROM TO  copy a whole store, a file or a "
			      "postgresql:// URI each,\n"
			      "                     to where there is none yet; end\n"
			    : "");
	if (!config_describe(p->schema, &text, &e))
		return;
	printf("\nThe configuration, every option with its default:\n\n%s", buf_str(&text));
}

static bool usage(const struct daemon_program *p, int *exit_code)
{
	fprintf(stderr, "usage: %s %s; %s --help says more\n", p->name, USAGE(p), p->name);
	*exit_code = EXIT_USAGE;
	return false;
}

bool daemon_options_parse(int argc, char **argv, const struct daemon_program *program,
	struct daemon_options *out, int *exit_code)
{
	static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'}, {"restore", required_argument, NULL, 'r'},
		{"store-copy", required_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};
	int option;

	*out = (struct daemon_options){.config_path = program->default_config};
	*exit_code = 0;
	optind = 0; /* start over: tests parse more than once */
	while ((option = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1) {
		if (option == 'c') {
			out->config_path = optarg;
		} else if (option == 'k') {
			out->check_only = true;
		} else if (option == 'r' && program->restores) {
			out->restore_from = optarg;
		} else if (option == 's' && program->restores && optind < argc) {
			out->copy_from = optarg;
			out->copy_to = argv[optind++];
		} else if (option == 'h') {
			print_help(program);
			return false;
		} else if (option == 'V') {
			printf("%s %s\n", program->name, BRSKI_VERSION);
			return false;
		} else {
			return usage(program, exit_code);
		}
	}
	if (optind != argc ||
		out->check_only + (out->restore_from != NULL) + (out->copy_from != NULL) > 1)
		return usage(program, exit_code);
	return true;
}

/* ---- signals ---- */

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
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk */
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return err_set(e, ERR_BUG, "signals cannot be blocked");
	d->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	d->drained_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->signal_fd < 0 || d->drained_fd < 0)
		return err_set_errno(e, ERR_IO, "signal descriptors");
	return true;
}

/* ---- life ---- */

static bool make_loops(struct daemon *d, size_t count, struct err *e)
{
	d->loops = mem_new(count * sizeof(*d->loops), e);
	d->pulses = mem_new(count * sizeof(*d->pulses), e);
	d->threads = mem_new(count * sizeof(*d->threads), e);
	if (!d->loops || !d->pulses || !d->threads)
		return false;
	for (; d->loop_count < count; d->loop_count++) {
		d->loops[d->loop_count] = loop_new(e);
		if (!d->loops[d->loop_count])
			return false;
		atomic_init(&d->pulses[d->loop_count].answered, false);
	}
	return true;
}

/* On a busy machine a thread that has something to do again waits until another had its turn: fewer
 * turns spare a MASA under load a tenth of its work. What an administrator chose stays, and where
 * it is not permitted, everything goes on without. sched(7) */
static void take_long_turns(void)
{
	const struct sched_param none = {.sched_priority = 0};

	if (sched_getscheduler(0) == SCHED_OTHER)
		sched_setscheduler(0, SCHED_BATCH, &none);
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
	take_long_turns();
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
	char name[16]; /* as much as the kernel keeps, for top -H and the like */
	size_t started = 0;

	for (; started < d->loop_count; started++) {
		if (pthread_create(&d->threads[started], NULL, worker_main, d->loops[started]) != 0)
			break;
		snprintf(name, sizeof(name), "worker-%u", (unsigned)started & 0xff);
		pthread_setname_np(d->threads[started], name);
	}
	return started;
}

static void stop_workers(struct daemon *d, size_t started)
{
	for (size_t i = 0; i < started; i++)
		loop_stop(d->loops[i]);
	for (size_t i = 0; i < started; i++)
		pthread_join(d->threads[i], NULL);
}

/* ---- the watchdog ---- */

static void on_ping(void *arg)
{
	struct pulse *p = arg;

	atomic_store(&p->answered, true);
}

/* Has every loop answered the last ping? Those that have are asked again. */
static bool loops_move(struct daemon *d)
{
	struct err e = ERR_INIT;
	bool all = true;

	for (size_t i = 0; i < d->loop_count; i++)
		all = all && d->pulses[i].asked && atomic_load(&d->pulses[i].answered);
	for (size_t i = 0; i < d->loop_count; i++) {
		struct pulse *p = &d->pulses[i];

		if (p->asked && !atomic_load(&p->answered))
			continue;
		atomic_store(&p->answered, false);
		p->asked = loop_post(d->loops[i], on_ping, p, &e);
	}
	return all;
}

/* Only who hears from every thread may say that the service lives. */
static void feed_watchdog(struct daemon *d)
{
	bool loops = loops_move(d), rest = !d->moves || d->moves(d->moves_arg);

	if (loops && rest) {
		service_notify("WATCHDOG=1");
		d->late = false;
	} else if (!d->late) {
		d->late = true;
		log_event(d->log, LOG_LEVEL_WARNING, "thread-late", NULL, "which",
			loops ? "store" : "worker", NULL);
	}
}

static int64_t tick_ms(const struct daemon *d)
{
	int64_t share = d->watchdog_ms / TICKS_PER_GRACE;

	return d->watchdog_ms && share < TICK_MS ? share : TICK_MS;
}

static void tick(struct daemon *d, int64_t now)
{
	if (now < d->next_tick_ms)
		return;
	d->next_tick_ms = now + tick_ms(d);
	log_flush(d->log);
	if (d->watchdog_ms)
		feed_watchdog(d);
}

/* ---- the main thread ---- */

/* The next signal, 0 when the drain is over, -1 when deadline_ms (0: none) has passed. */
static int wait_for_event(struct daemon *d, int64_t deadline_ms)
{
	struct pollfd fds[2] = {
		{.fd = d->signal_fd, .events = POLLIN}, {.fd = d->drained_fd, .events = POLLIN}};
	struct signalfd_siginfo info;

	for (;;) {
		int64_t now = clock_mono_ms(), until;
		int n;

		if (deadline_ms && now >= deadline_ms)
			return -1;
		tick(d, now);
		until = deadline_ms && deadline_ms < d->next_tick_ms ? deadline_ms
								     : d->next_tick_ms;
		n = poll(fds, 2, until > now ? (int)(until - now) : 0);
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

static void run_reload(bool (*reload)(void *arg), void *arg)
{
	if (!reload)
		return;
	service_notify_reloading();
	service_notify(reload(arg) ? "READY=1\nSTATUS=Serving"
				   : "READY=1\nSTATUS=Serving with the earlier configuration: the "
				     "reload failed, see the log");
}

int daemon_run(struct daemon *d, void (*drain)(void *arg), bool (*reload)(void *arg), void *arg,
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
	d->watchdog_ms = service_watchdog_ms();
	service_notify("READY=1\nSTATUS=Serving");
	while ((event = wait_for_event(d, 0)) == SIGHUP)
		run_reload(reload, arg);
	service_notify("STOPPING=1\nSTATUS=Finishing what was begun");
	log_event(d->log, LOG_LEVEL_INFO, "stopping", NULL, NULL);
	deadline_ms = clock_mono_ms() + drain_ms;
	drain(arg);
	while ((event = wait_for_event(d, deadline_ms)) == SIGHUP)
		;
	stop_workers(d, started);
	log_flush(d->log);
	log_event(d->log, LOG_LEVEL_INFO, "stopped", NULL, "drain", drain_end_name(event), NULL);
	return 0;
}

void daemon_watch(struct daemon *d, bool (*moves)(void *arg), void *arg)
{
	d->moves = moves;
	d->moves_arg = arg;
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
	free(d->pulses);
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
