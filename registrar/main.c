/* SPDX-License-Identifier: Apache-2.0 */
/* brski-registrar: the site's registrar (RFC 8995) with EST and a built-in issuing CA (RFC 7030).
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/pki/ossl_provider.h"
#include "common/run/daemon.h"
#include "common/run/store_move.h"
#include "registrar/records/records.h"
#include "registrar/registrar.h"
#include "registrar/restore.h"

#define DEFAULT_CONFIG "/etc/brski/registrar.conf"

struct process {
	struct registrar *registrar;
	struct daemon *daemon;
};

static void drained(void *arg)
{
	struct process *p = arg;

	daemon_drained(p->daemon);
}

static void drain(void *arg)
{
	struct process *p = arg;

	registrar_drain(p->registrar, drained, p);
}

static bool reload(void *arg)
{
	struct process *p = arg;
	struct err logged = ERR_INIT;

	return registrar_reload(p->registrar, &logged);
}

static int failed(const struct err *e)
{
	fprintf(stderr, "brski-registrar: %s\n", e->text);
	return EXIT_FAILURE;
}

static int serve(struct registrar *r)
{
	struct err e = ERR_INIT;
	struct process p = {r, daemon_new((size_t)r->setup->config.workers, &r->log, &e)};
	struct loop **loops;
	size_t count;
	int code;

	if (!p.daemon)
		return failed(&e);
	daemon_watch(p.daemon, registrar_moves, r);
	loops = daemon_loops(p.daemon, &count);
	if (registrar_start(r, loops, count, &e))
		code = daemon_run(p.daemon, drain, reload, &p, DRAIN_MS + 1000);
	else
		code = failed(&e);
	registrar_close(r);
	daemon_free(p.daemon);
	return code;
}

/* With two CAs it runs with one, but that is no configuration in order. */
static bool has_fault(const struct registrar_setup *s, struct err *e)
{
	for (enum ca_slot i = CA_PRIMARY; i < CA_SLOT_COUNT; i++)
		if (s->cas[i] && ca_fault(s->cas[i])) {
			err_set(e, ERR_INPUT, "[ca] %s: %s", ca_slot_name(i), ca_fault(s->cas[i]));
			return true;
		}
	return false;
}

static int run(struct registrar *r, const struct daemon_options *options)
{
	struct err e = ERR_INIT;
	int code = EXIT_SUCCESS;

	if (!ossl_provider_install(&e) || !registrar_open(r, options->config_path, &e))
		code = failed(&e);
	else if (!options->check_only)
		return serve(r);
	else if (has_fault(r->setup, &e))
		code = failed(&e);
	else
		printf("ok\n");
	registrar_close(r);
	return code;
}

static int put_back(const struct daemon_options *options)
{
	struct err e = ERR_INIT;

	return restore(options->config_path, options->restore_from, &e) ? EXIT_SUCCESS : failed(&e);
}

static int copy_store(const struct daemon_options *options)
{
	struct err e = ERR_INIT;

	return store_move_told(&records_schema, options->copy_from, options->copy_to, &e)
		       ? EXIT_SUCCESS
		       : failed(&e);
}

int main(int argc, char **argv)
{
	struct daemon_options options;
	const struct daemon_program program = {
		.name = "brski-registrar",
		.what_it_is = "The registrar of a site: lets devices join, runs EST and the site's "
			      "issuing CA.",
		.default_config = DEFAULT_CONFIG,
		.schema = &registrar_config_schema,
		.restores = true,
	};
	struct registrar *r;
	int code;

	if (!daemon_options_parse(argc, argv, &program, &options, &code))
		return code;
	if (options.restore_from)
		return put_back(&options);
	if (options.copy_from)
		return copy_store(&options);
	r = calloc(1, sizeof(*r));
	if (!r)
		return EXIT_FAILURE;
	code = run(r, &options);
	free(r);
	return code;
}
