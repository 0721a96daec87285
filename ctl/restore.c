/* SPDX-License-Identifier: Apache-2.0 */
/* The service is stopped then, so it is its program that does it, and says what came of it. */
#include "ctl/restore.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/setup.h"

const struct ctl_option restore_options[] = {{"config", "FILE"}, {NULL, NULL}};

static enum ctl_exit become(
	struct ctl *c, const char *program, const char *standard_config, const char *backup)
{
	const char *config = ctl_option(c, "config");
	char path[PATH_MAX];
	struct err e = ERR_INIT;

	if (!setup_program(program, path, &e))
		return ctl_fail(c, "%s", e.text);
	fflush(stdout);
	execlp(path, path, "-c", config ? config : standard_config, "--restore", backup,
		(char *)NULL);
	return ctl_fail(c, "%s: %s", path, strerror(errno));
}

enum ctl_exit restore_registrar(struct ctl *c, int argc, char **argv)
{
	return become(c, "brski-registrar", "/etc/brski/registrar.conf", argv[0]);
}

enum ctl_exit restore_masa(struct ctl *c, int argc, char **argv)
{
	return become(c, "brski-masa", "/etc/brski/masa.conf", argv[0]);
}
