/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's frame: command line, signals, drain. Each run is a child process, because signals
 * and their masks belong to the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/run/daemon.h"

#define DRAIN_MS 300 /* how long the tests let a drain take that never ends */

static const struct config_option options[] = {
	{"server", "listen", CONFIG_STRING, 0, "x", 0, 0, NULL, "Where to listen."}};
static const struct config_schema schema = {.options = options, .option_count = 1};

/* The words of a command line, at most 7; *out points into line. */
static bool parse(char *line, struct daemon_options *out, int *exit_code)
{
	char *words[8] = {NULL}, *rest = line;
	int n = 0;

	while (n < 7 && (words[n] = strsep(&rest, " ")) != NULL)
		n++;
	return daemon_options_parse(
		n, words, "prog", "does things", "/etc/x.conf", &schema, out, exit_code);
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
}

static void daemon_options_parse__mistakes__are_usage_errors(void **state)
{
	struct daemon_options o;
	int code = 0;

	assert_false(parse((char[]){"p --nonsense"}, &o, &code));
	assert_int_equal(code, 2);
	assert_false(parse((char[]){"p -c"}, &o, &code));
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

static void on_reload(void *arg)
{
	if (write(((struct child *)arg)->out, "r", 1) != 1)
		_exit(9);
}

/* Start a child with a daemon of two workers; *in tells what it did, first 'n' for the
 * notification. */
static pid_t start(enum drain_kind kind, int64_t drain_ms, int *in)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char word[16] = "";
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
	assert_string_equal(word, "READY=1");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(daemon_options_parse__config_and_check__are_understood),
		cmocka_unit_test(daemon_options_parse__mistakes__are_usage_errors),
		cmocka_unit_test(daemon_run__terminated__drains_and_ends_well),
		cmocka_unit_test(daemon_run__hangup__reloads_and_goes_on),
		cmocka_unit_test(daemon_run__drain_never_ends__deadline_or_second_signal_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
