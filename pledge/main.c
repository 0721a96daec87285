/* SPDX-License-Identifier: Apache-2.0 */
/* brski-pledge: the program on the device. What it does is in commands.c, and the protocol in
 * join.c and renew.c; here are the command line and the real clock. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pledge/commands.h"

static const char usage[] =
	"usage: brski-pledge join|status|renew|reset|proxy [-c FILE] [-v] [--once] [--force]\n"
	"                    [--coaps URI]\n"
	"\n"
	"  join    get this site's certificate, with the manufacturer's voucher (RFC 8995)\n"
	"  status  say whether the device has joined\n"
	"  renew   replace the certificate when its end is near\n"
	"  reset   forget the site; the factory's identity stays\n"
	"  proxy   relay for devices nearby that have not joined yet; runs until SIGTERM\n"
	"\n"
	"  -c, --config FILE  configuration (default " PLEDGE_CONFIG_DEFAULT ")\n"
	"  -v, --verbose      log to stderr\n"
	"      --once         join, renew: one round over the registrars, then give up\n"
	"      --coaps URI    join: with this registrar only, coaps://host[:port]\n"
	"      --force        renew: now, whatever the dates say\n"
	"  -h, --help         this text and the configuration\n"
	"  -V, --version      the release\n"
	"\n"
	"exit status: 0 done, 1 failed, 2 usage or configuration, 3 refused by every registrar,\n"
	"  4 no registrar reachable, 5 voucher not valid, 6 still pending, 7 status, proxy: "
	"not enrolled\n";

static void pause_ms(void *arg, int64_t ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&left, &left) != 0)
		; /* a signal that does not end us */
}

static int help(void)
{
	BUF_AUTO struct buf text = BUF_INIT(65536);
	struct err e = ERR_INIT;

	fputs(usage, stdout);
	if (!config_describe(&pledge_config_schema, &text, &e))
		return 1;
	printf("\nConfiguration:\n\n%s", buf_str(&text));
	return 0;
}

static int usage_error(const char *what, const char *arg)
{
	fprintf(stderr, "brski-pledge: %s%s%s; try --help\n", what, *arg ? " " : "", arg);
	return EXIT_USAGE;
}

struct command_line {
	const struct command *command;
	const char *config_path;
	struct command_options options;
	bool help, version;
};

static bool parse_options(int argc, char **argv, struct command_line *c)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"verbose", no_argument, NULL, 'v'},
		{"once", no_argument, NULL, 'o'},
		{"force", no_argument, NULL, 'f'},
		{"coaps", required_argument, NULL, 'C'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:vhV", longs, NULL)) != -1) {
		if (option == 'c')
			c->config_path = optarg;
		else if (option == 'v')
			c->options.verbose = true;
		else if (option == 'o')
			c->options.once = true;
		else if (option == 'f')
			c->options.force = true;
		else if (option == 'C')
			c->options.coaps = optarg;
		else if (option == 'h')
			c->help = true;
		else if (option == 'V')
			c->version = true;
		else
			return false;
	}
	return true;
}

/* 0, or the exit code of a usage error. */
static int parse_command_line(int argc, char **argv, struct command_line *c)
{
	if (!parse_options(argc, argv, c))
		return EXIT_USAGE; /* getopt has said why */
	if (c->help || c->version)
		return 0;
	if (optind == argc)
		return usage_error("no command given", "");
	c->command = command_find(argv[optind]);
	if (!c->command)
		return usage_error("unknown command", argv[optind]);
	if (c->options.coaps && strcmp(c->command->name, "join") != 0)
		return usage_error("--coaps is for join, not for", c->command->name);
	return optind + 1 == argc
		       ? 0
		       : usage_error("one command at a time, not also", argv[optind + 1]);
}

int main(int argc, char **argv)
{
	struct command_line c = {.config_path = PLEDGE_CONFIG_DEFAULT};
	struct pledge p = {
		.log = {.program = "brski-pledge", .level = LOG_LEVEL_ERROR, .fd = STDERR_FILENO},
		.out = stdout,
		.pause = pause_ms,
	};
	int code = parse_command_line(argc, argv, &c);

	if (code)
		return code;
	if (c.help)
		return help();
	if (c.version) {
		puts("brski-pledge " BRSKI_VERSION);
		return 0;
	}
	if (c.options.verbose)
		p.log.level = LOG_LEVEL_DEBUG;
	code = command_run(c.command, &p, c.config_path, &c.options);
	pledge_clear(&p);
	return code;
}
