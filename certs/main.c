/* SPDX-License-Identifier: Apache-2.0 */
/* brski-certs: the hierarchies for factory and lab. */
#include <stdio.h>
#include <sys/stat.h>

#include "certs/devices.h"
#include "certs/make.h"
#include "certs/options.h"
#include "common/base/clock.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static bool run(const struct options *o, struct err *e)
{
	int64_t now = clock_unix_s(NULL);

	switch (o->command) {
	case COMMAND_MANUFACTURER:
	case COMMAND_DOMAIN:
		return make_hierarchy(o, now, e);
	case COMMAND_MASA:
		return make_masa(o, now, e);
	case COMMAND_STANDBY:
		return make_standby(o, now, e);
	case COMMAND_REGISTRAR:
		return make_registrar(o, now, e);
	case COMMAND_IDEVID:
		return devices_make(o, now, e);
	case COMMAND_COUNT:
		break;
	}
	return err_set(e, ERR_BUG, "no such command");
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct options o;

	if (!options_parse(argc, argv, &o, &e)) {
		fprintf(stderr, "brski-certs: %s (--help tells more)\n", e.text);
		return EXIT_USAGE;
	}
	if (o.help || o.version) {
		fputs(o.help ? options_help : "brski-certs " BRSKI_VERSION "\n", stdout);
		return EXIT_DONE;
	}
	umask(022);
	if (!run(&o, &e)) {
		fprintf(stderr, "brski-certs: %s\n", e.text);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}
