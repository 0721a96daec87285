/* SPDX-License-Identifier: Apache-2.0 */
/* join, status, renew, reset, proxy: what each does around the protocol. */
#ifndef PLEDGE_COMMANDS_H
#define PLEDGE_COMMANDS_H

#include "pledge/pledge.h"

#define EXIT_USAGE	  2
#define EXIT_NOT_ENROLLED 7

struct command_options {
	bool verbose, once, force;
	const char *coaps; /* join: with this registrar only; or NULL */
};

struct command {
	const char *name;
	int (*run)(struct pledge *p, const struct command_options *o);
	/* load what it needs of the device */
	bool (*init)(struct pledge *p, const char *config_path, struct err *e);
};

/* NULL when there is no such command. */
const struct command *command_find(const char *name);
/* Load the configuration, open the state and run it. Returns the exit code; what went wrong and
 * what to do next is on stderr. */
int command_run(const struct command *c, struct pledge *p, const char *config_path,
	const struct command_options *o);

#endif
