/* SPDX-License-Identifier: Apache-2.0 */
/* What every daemon does around its work: worker threads with their loops, signals, drain, and the
 * options -c/--config, --check, --restore, --store-copy, --help, --version. */
#ifndef RUN_DAEMON_H
#define RUN_DAEMON_H

#include "common/base/log.h"
#include "common/net/loop.h"
#include "common/run/config.h"

#define WORKERS_MAX 64 /* loops: more cores than any of these servers needs */

struct daemon_program {
	const char *name, *what_it_is;
	const char *default_config;
	const struct config_schema *schema;
	bool restores; /* it has a store: it knows --restore and --store-copy */
};

struct daemon_options {
	const char *config_path;
	bool check_only;		 /* --check: load everything, say "ok", exit 0 */
	const char *restore_from;	 /* --restore FILE: put a backup in place, exit; or NULL */
	const char *copy_from, *copy_to; /* --store-copy FROM TO: copy a store, exit; or NULL */
};

/* Parse the command line; on --help, --version or a usage error it prints and returns false with
 * *exit_code set (0 or 2). --help ends with the configuration options of the schema. */
bool daemon_options_parse(int argc, char **argv, const struct daemon_program *program,
	struct daemon_options *out, int *exit_code);

struct daemon; /* loops and their threads, signals */

/* Block the signals, ignore SIGPIPE and SIGXFSZ, have the process scheduled as one that computes
 * (SCHED_BATCH), make worker_count loops. Call before any thread starts. */
struct daemon *daemon_new(size_t worker_count, const struct log *l, struct err *e) MUST_CHECK;
struct loop **daemon_loops(struct daemon *d, size_t *count);
/* Start the threads, tell the service manager we are ready (NOTIFY_SOCKET when set), wait for
 * SIGTERM or SIGINT, then call drain(arg) once from the main thread; it must lead to
 * daemon_drained(), from any thread. A second signal or drain_ms ends at once. SIGHUP calls
 * reload(arg) on the main thread; false: it failed, and nothing has changed. Returns the exit code.
 * Loops are stopped and threads joined when it returns.
 *
 * When the service manager asks for a sign of life (WATCHDOG_USEC), it gets one only after every
 * loop has answered a ping since the last: a thread that hangs ends the service, to be started
 * anew. */
int daemon_run(struct daemon *d, void (*drain)(void *arg), bool (*reload)(void *arg), void *arg,
	int64_t drain_ms);
/* Ask moves(arg) besides, on the main thread: has what it stands for done anything since the last
 * time, or had it nothing to do? Before daemon_run(). */
void daemon_watch(struct daemon *d, bool (*moves)(void *arg), void *arg);
void daemon_drained(struct daemon *d);
void daemon_free(struct daemon *d);

/* Let a group use a Unix socket that is already bound. NULL: nobody besides the service's user.
 * ERR_INPUT: there is no such group. */
bool daemon_share_socket(const char *path, const char *group, struct err *e) MUST_CHECK;

#endif
