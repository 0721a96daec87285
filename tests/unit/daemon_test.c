/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's frame: command line, signals, drain. Each run is a child process, because signals
 * and their masks belong to the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/run/daemon.h"
#include "common/run/service_manager.h"

#define DRAIN_MS 300 /* how long the tests let a drain take that never ends */

static const struct config_option options[] = {
	{"server", "listen", CONFIG_STRING, 0, "x", 0, 0, NULL, "Where to listen."}};
static const struct config_schema schema = {.options = options, .option_count = 1};

/* The words of a command line, at most 7; *out points into line. */
static bool parse(char *line, struct daemon_options *out, int *exit_code)
{
	char *words[8] = {NULL}, *rest = line;
	const struct daemon_program program = {"prog", "does things", "/etc/x.conf", &schema,
		.restores = strncmp(line, "restorer", 8) == 0};
	int n = 0;

	while (n < 7 && (words[n] = strsep(&rest, " ")) != NULL)
		n++;
	return daemon_options_parse(n, words, &program, out, exit_code);
}

static void daemon_options_parse__config_and_check__are_understood(void **state)
{
	struct daemon_options o;
	int code;

	assert_true(parse((char[]){"p"}, &o, &code));
	assert_string_equal(o.config_path, "/etc/x.conf");
	assert_false(o.check_only);
	assert_true(parse((char[]){"p -c f --check"}, &o, &code));
	assert_string_equal(o.config_path, "f");
	assert_true(o.check_only);
	assert_null(o.restore_from);
	assert_true(parse((char[]){"restorer -c f --restore b"}, &o, &code));
	assert_string_equal(o.restore_from, "b");
}

static void daemon_options_parse__mistakes__are_usage_errors(void **state)
{
	struct daemon_options o;
	int code = 0;

	assert_false(parse((char[]){"p --nonsense"}, &o, &code));
	assert_int_equal(code, 2);
	assert_false(parse((char[]){"p -c"}, &o, &code));
	assert_int_equal(code, 2);
	assert_false(parse((char[]){"p --restore b"}, &o, &code));
	assert_int_equal(code, 2);
	assert_false(parse((char[]){"restorer --check --restore b"}, &o, &code));
	assert_int_equal(code, 2);
	assert_false(parse((char[]){"p extra"}, &o, &code));
	assert_int_equal(code, 2);
	assert_false(parse((char[]){"p --version"}, &o, &code));
	assert_int_equal(code, 0);
}

enum drain_kind { DRAIN_AT_ONCE, DRAIN_ON_LOOP, DRAIN_NEVER };

struct child {
	struct daemon *d;
	enum drain_kind kind;
	int out; /* told 'd' for a drain, 'r' for a reload */
};

static void drained(void *arg)
{
	daemon_drained(((struct child *)arg)->d);
}

static void on_drain(void *arg)
{
	struct child *c = arg;
	struct err e = ERR_INIT;
	size_t n;

	if (write(c->out, "d", 1) != 1)
		_exit(9);
	if (c->kind == DRAIN_AT_ONCE)
		drained(c);
	if (c->kind == DRAIN_ON_LOOP && !loop_post(daemon_loops(c->d, &n)[0], drained, c, &e))
		_exit(9);
}

static bool on_reload(void *arg)
{
	if (write(((struct child *)arg)->out, "r", 1) != 1)
		_exit(9);
	return true;
}

/* Start a child with a daemon of two workers; *in tells what it did, first 'n' for the
 * notification. */
static pid_t start(enum drain_kind kind, int64_t drain_ms, int *in)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char word[64] = "";
	int fds[2], notify;
	pid_t pid;

	snprintf(at.sun_path, sizeof(at.sun_path), "/tmp/daemon_test.%ld", (long)getpid());
	unlink(at.sun_path);
	notify = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(bind(notify, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		struct err e = ERR_INIT;
		struct log l = {.program = "t", .level = LOG_LEVEL_ERROR, .fd = 2};
		struct child c = {.d = daemon_new(2, &l, &e), .kind = kind, .out = fds[1]};
		int code;

		setenv("NOTIFY_SOCKET", at.sun_path, 1);
		code = daemon_run(c.d, on_drain, on_reload, &c, drain_ms);
		daemon_free(c.d);
		_exit(code);
	}
	close(fds[1]);
	assert_true(recv(notify, word, sizeof(word) - 1, 0) > 0);
	assert_string_equal(word, "READY=1\nSTATUS=Serving");
	close(notify);
	unlink(at.sun_path);
	*in = fds[0];
	return pid;
}

static int finish(pid_t pid, int in, char *words)
{
	ssize_t n, used = 0;
	int status;

	while ((n = read(in, words + used, 1)) == 1)
		used++;
	words[used] = '\0';
	close(in);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Of a process that had this one before it made its daemon. */
static int policy_after(int before)
{
	const struct sched_param none = {.sched_priority = 0};
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct log l = {.program = "t", .level = LOG_LEVEL_ERROR, .fd = 2};
		struct err e = ERR_INIT;

		if (sched_setscheduler(0, before, &none) != 0 || !daemon_new(1, &l, &e))
			_exit(99);
		_exit(sched_getscheduler(0));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void daemon_new__scheduled_as_what_computes__but_for_who_chose_otherwise(void **state)
{
	assert_int_equal(policy_after(SCHED_OTHER), SCHED_BATCH);
	assert_int_equal(policy_after(SCHED_IDLE), SCHED_IDLE);
}

static void daemon_run__terminated__drains_and_ends_well(void **state)
{
	static const enum drain_kind kinds[] = {DRAIN_AT_ONCE, DRAIN_ON_LOOP};
	static const int signals[] = {SIGTERM, SIGINT};

	for (size_t i = 0; i < 2; i++) {
		char words[16];
		int in;
		pid_t pid = start(kinds[i], 60000, &in);

		kill(pid, signals[i]);
		assert_int_equal(finish(pid, in, words), 0);
		assert_string_equal(words, "d");
	}
}

static void daemon_run__hangup__reloads_and_goes_on(void **state)
{
	char words[16], first;
	int in;
	pid_t pid = start(DRAIN_AT_ONCE, 60000, &in);

	kill(pid, SIGHUP);
	assert_int_equal(read(in, &first, 1), 1);
	assert_int_equal(first, 'r');
	kill(pid, SIGTERM);
	assert_int_equal(finish(pid, in, words), 0);
	assert_string_equal(words, "d");
}

static void daemon_run__drain_never_ends__deadline_or_second_signal_does(void **state)
{
	int64_t before = clock_mono_ms();
	char words[16], first;
	int in;
	pid_t pid = start(DRAIN_NEVER, DRAIN_MS, &in);

	kill(pid, SIGTERM);
	assert_int_equal(finish(pid, in, words), 0);
	assert_true(clock_mono_ms() - before >= DRAIN_MS);
	pid = start(DRAIN_NEVER, 3600000, &in);
	kill(pid, SIGTERM);
	assert_int_equal(read(in, &first, 1), 1);
	kill(pid, SIGTERM);
	assert_int_equal(finish(pid, in, words), 0);
}

/* ---- the service manager ---- */

struct watched {
	struct daemon *d;
	int hang[2];	    /* a loop that hangs waits for an octet of this pipe */
	atomic_bool stands; /* what daemon_watch() was given does not move */
};

static void hang(void *arg)
{
	struct watched *w = arg;
	char octet;

	if (read(w->hang[0], &octet, 1) != 1)
		_exit(9);
}

static void watched_drain(void *arg)
{
	daemon_drained(((struct watched *)arg)->d);
}

/* The first reload stops the second loop, further ones what is watched besides; they fail. */
static bool watched_reload(void *arg)
{
	struct watched *w = arg;
	struct err e = ERR_INIT;
	size_t n;

	if (w->hang[0] < 0)
		atomic_store(&w->stands, true);
	else if (!loop_post(daemon_loops(w->d, &n)[1], hang, w, &e))
		_exit(9);
	return false;
}

static bool watched_moves(void *arg)
{
	return !atomic_load(&((struct watched *)arg)->stands);
}

/* A child with a watchdog of 200 ms; *notify hears it. hang NULL: no loop of it ever hangs. */
static pid_t start_watched(const int *hang_pipe, int *notify)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	pid_t pid;

	snprintf(at.sun_path, sizeof(at.sun_path), "/tmp/daemon_test.%ld", (long)getpid());
	unlink(at.sun_path);
	*notify = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(bind(*notify, (struct sockaddr *)&at, sizeof(at)), 0);
	pid = fork();
	if (pid == 0) {
		struct err e = ERR_INIT;
		struct log l = {.program = "t", .level = LOG_LEVEL_ERROR, .fd = 2};
		struct watched w = {.d = daemon_new(2, &l, &e), .hang = {-1, -1}};

		if (hang_pipe)
			w.hang[0] = hang_pipe[0];
		setenv("NOTIFY_SOCKET", at.sun_path, 1);
		setenv("WATCHDOG_USEC", "200000", 1);
		daemon_watch(w.d, watched_moves, &w);
		_exit(daemon_run(w.d, watched_drain, watched_reload, &w, DRAIN_MS));
	}
	return pid;
}

/* Is a datagram with this text heard within the time? */
static bool hears(int notify, const char *text, int64_t within_ms)
{
	int64_t until = clock_mono_ms() + within_ms, left;

	while ((left = until - clock_mono_ms()) > 0) {
		struct pollfd p = {.fd = notify, .events = POLLIN};
		char said[256];
		ssize_t n;

		if (poll(&p, 1, (int)left) <= 0)
			break;
		n = recv(notify, said, sizeof(said) - 1, 0);
		if (n < 0)
			break;
		said[n] = '\0';
		if (strstr(said, text))
			return true;
	}
	return false;
}

#define SOON_MS	   10000
#define SILENCE_MS 500 /* ten of the daemon's ticks */

static bool falls_silent(int notify)
{
	int64_t until = clock_mono_ms() + SOON_MS;

	while (clock_mono_ms() < until)
		if (!hears(notify, "WATCHDOG=1", SILENCE_MS))
			return true;
	return false;
}

static void end(pid_t pid, int notify)
{
	int status;

	kill(pid, SIGTERM);
	assert_true(hears(notify, "STOPPING=1", SOON_MS));
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(notify);
}

static void daemon_run__one_loop_hangs__no_sign_of_life_until_it_goes_on(void **state)
{
	int pipe_fds[2], notify;
	pid_t pid;

	assert_int_equal(pipe(pipe_fds), 0);
	pid = start_watched(pipe_fds, &notify);
	assert_true(hears(notify, "WATCHDOG=1", SOON_MS));
	assert_true(hears(notify, "WATCHDOG=1", SOON_MS));
	kill(pid, SIGHUP);
	assert_true(falls_silent(notify));
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	assert_true(hears(notify, "WATCHDOG=1", SOON_MS));
	end(pid, notify);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void daemon_run__what_is_watched_besides_stands__no_sign_of_life(void **state)
{
	int notify;
	pid_t pid = start_watched(NULL, &notify);

	assert_true(hears(notify, "WATCHDOG=1", SOON_MS));
	kill(pid, SIGHUP);
	assert_true(falls_silent(notify));
	end(pid, notify);
}

static void daemon_run__a_reload__is_told_with_its_outcome(void **state)
{
	int notify;
	pid_t pid = start_watched(NULL, &notify);

	assert_true(hears(notify, "READY=1", SOON_MS));
	kill(pid, SIGHUP);
	assert_true(hears(notify, "RELOADING=1\nMONOTONIC_USEC=", SOON_MS));
	assert_true(hears(notify, "READY=1\nSTATUS=Serving with the earlier", SOON_MS));
	end(pid, notify);
}

static void service_watchdog_ms__meant_for_another_process__is_none_of_ours(void **state)
{
	char pid[24];

	setenv("WATCHDOG_USEC", "3000000", 1);
	assert_int_equal(service_watchdog_ms(), 3000);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(service_watchdog_ms(), 0);
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(service_watchdog_ms(), 3000);
	setenv("WATCHDOG_USEC", "soon", 1);
	assert_int_equal(service_watchdog_ms(), 0);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	assert_int_equal(service_watchdog_ms(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(daemon_options_parse__config_and_check__are_understood),
		cmocka_unit_test(daemon_options_parse__mistakes__are_usage_errors),
		cmocka_unit_test(
			daemon_new__scheduled_as_what_computes__but_for_who_chose_otherwise),
		cmocka_unit_test(daemon_run__terminated__drains_and_ends_well),
		cmocka_unit_test(daemon_run__hangup__reloads_and_goes_on),
		cmocka_unit_test(daemon_run__drain_never_ends__deadline_or_second_signal_does),
		cmocka_unit_test(daemon_run__one_loop_hangs__no_sign_of_life_until_it_goes_on),
		cmocka_unit_test(daemon_run__what_is_watched_besides_stands__no_sign_of_life),
		cmocka_unit_test(daemon_run__a_reload__is_told_with_its_outcome),
		cmocka_unit_test(service_watchdog_ms__meant_for_another_process__is_none_of_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
