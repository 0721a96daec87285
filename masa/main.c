/* SPDX-License-Identifier: Apache-2.0 */
/* brski-masa: the manufacturer's service that knows which device exists and who owns it, issues
 * vouchers and keeps the audit log (RFC 8995 §2.5.3, §5.5 to §5.8). */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/net/http_listen.h"
#include "common/pki/ossl_provider.h"
#include "common/run/config_changes.h"
#include "common/run/backup.h"
#include "common/run/daemon.h"
#include "common/run/store_move.h"
#include "masa/admin.h"
#include "masa/audit.h"
#include "masa/care.h"
#include "masa/follow.h"
#include "masa/guard.h"
#include "masa/limits.h"
#include "masa/meters.h"
#include "masa/serve.h"

struct service {
	const char *config_path;
	struct log log;
	struct masa *masa;
	struct daemon *daemon;
	struct tls_server *tls;	      /* of the start */
	struct tls_server *admin_tls; /* ... for administrators; NULL: not served */
	struct http_server *public, *admin, *elsewhere; /* registrars, the socket, HTTPS */
	char *admin_listen;				/* "unix:" and the socket's path */
	uint64_t store_turns;				/* that the watchdog has seen */
	struct buf started_list; /* the options at the start: what sockets and store are */
};

static struct tls_server *load_tls(const struct masa_config *c, int64_t *not_after, struct err *e)
{
	IDENTITY_AUTO struct identity id = {0};
	struct tls_server *tls = NULL;

	if (identity_load(&id, c->tls_key, c->tls_certificate, e))
		tls = tls_server_new(&id, true, e);
	if (tls)
		*not_after = cert_not_after(id.cert);
	else
		err_prefix(e, "TLS server");
	return tls;
}

/* *out stays NULL where no administrators are served over HTTPS. */
static bool load_admin_tls(const struct masa_config *c, struct tls_server **out, struct err *e)
{
	IDENTITY_AUTO struct identity id = {0};

	if (!c->admin_listen)
		return true;
	if (identity_load(&id, c->admin_key ? c->admin_key : c->tls_key,
		    c->admin_certificate ? c->admin_certificate : c->tls_certificate, e))
		*out = tls_server_new(&id, false, e);
	return *out || err_prefix(e, "[admin]");
}

/* Before the threads run, nobody replaces it. */
static const struct masa_config *config_at_start(const struct service *s)
{
	return s->masa->setup->config;
}

static bool addresses_check(const struct masa_config *c, struct err *e)
{
	if (!http_listen_is_address(c->listen, e))
		return false;
	if (c->admin_listen && !http_listen_is_address(c->admin_listen, e))
		return err_prefix(e, "[admin]");
	return !c->metrics_listen || http_listen_is_address(c->metrics_listen, e) ||
	       err_prefix(e, "[metrics]");
}

static bool load(struct service *s, const char *path, struct err *e)
{
	struct masa_setup *setup = masa_setup_load(path, clock_unix_s(NULL), e);
	int64_t not_after = 0;

	if (!setup)
		return false;
	s->config_path = path;
	s->log = (struct log){.program = "brski-masa",
		.level = setup->config->log_level,
		.fd = STDERR_FILENO,
		.limits = log_limits_new(e)};
	s->tls = s->log.limits && tls_init(e) ? load_tls(setup->config, &not_after, e) : NULL;
	if (!s->tls || !load_admin_tls(setup->config, &s->admin_tls, e) ||
		!buf_append(&s->started_list, setup->list.data, setup->list.len, e)) {
		masa_setup_free(setup);
		return false;
	}
	s->masa = masa_new(setup, &s->log, NULL, e);
	if (!s->masa)
		return false;
	atomic_store(&s->masa->tls_not_after, not_after);
	return addresses_check(config_at_start(s), e);
}

static bool listen_public(struct service *s, struct err *e)
{
	struct http_server_config c = {.listen = config_at_start(s)->listen,
		.proxied_from = config_at_start(s)->proxied_from,
		.tls = s->tls,
		.routes = masa_routes,
		.route_count = masa_route_count,
		.app = s->masa,
		.limits = http_limits_default,
		.cache = s->masa->certs,
		.log = &s->log};
	size_t n;
	struct loop **loops = daemon_loops(s->daemon, &n);

	s->public = http_server_new(&c, loops, n, e);
	return s->public != NULL;
}

static bool listen_admin(struct service *s, struct err *e)
{
	const struct masa_config *config = config_at_start(s);
	struct http_server_config c = {.routes = masa_admin_routes,
		.route_count = masa_admin_route_count,
		.app = s->masa,
		.limits = http_limits_default,
		.log = &s->log,
		.problems = true,
		.unix_mode = 0600};
	size_t n;
	struct loop **loops = daemon_loops(s->daemon, &n);

	if (!config->admin_socket)
		return true;
	s->admin_listen = str_printf(e, "unix:%s", config->admin_socket);
	if (!s->admin_listen)
		return false;
	c.listen = s->admin_listen;
	s->admin = http_server_new(&c, loops, 1, e);
	return s->admin && daemon_share_socket(config->admin_socket, config->admin_group, e);
}

/* Administrators elsewhere: their own port, where no registrar is served. */
static bool listen_elsewhere(struct service *s, struct err *e)
{
	struct http_server_config c = {.listen = config_at_start(s)->admin_listen,
		.proxied_from = config_at_start(s)->proxied_from,
		.tls = s->admin_tls,
		.routes = masa_admin_routes,
		.route_count = masa_admin_route_count,
		.app = s->masa,
		.limits = {.connections_max = MASA_ADMIN_CONNECTIONS_MAX,
			.connections_per_source_max = MASA_ADMIN_CONNECTIONS_MAX},
		.log = &s->log,
		.guard = masa_guard,
		.problems = true};
	size_t n;
	struct loop **loops = daemon_loops(s->daemon, &n);

	if (!c.listen)
		return true;
	s->elsewhere = http_server_new(&c, loops, 1, e);
	return s->elsewhere || err_prefix(e, "[admin]");
}

static void on_drained(void *arg)
{
	struct service *s = arg;

	daemon_drained(s->daemon);
}

static void on_elsewhere_drained(void *arg)
{
	struct service *s = arg;

	if (s->admin)
		http_server_drain(s->admin, MASA_DRAIN_MS, on_drained, s);
	else
		on_drained(s);
}

static void on_public_drained(void *arg)
{
	struct service *s = arg;

	if (s->elsewhere)
		http_server_drain(s->elsewhere, MASA_DRAIN_MS, on_elsewhere_drained, s);
	else
		on_elsewhere_drained(s);
}

static void drain(void *arg)
{
	struct service *s = arg;

	atomic_store(&s->masa->draining, true);
	backup_cancel(s->masa->backup);
	http_server_drain(s->public, MASA_DRAIN_MS, on_public_drained, s);
}

/* SIGHUP: load everything again; from now on it is in force, or nothing has changed. */
static bool reload(void *arg)
{
	struct service *s = arg;
	struct err e = ERR_INIT;
	struct masa_setup *fresh = masa_setup_load(s->config_path, clock_unix_s(NULL), &e), *old;
	int64_t not_after = 0;
	struct tls_server *tls = fresh ? load_tls(fresh->config, &not_after, &e) : NULL;
	struct tls_server *admin_tls = NULL;

	if (!tls || !load_admin_tls(fresh->config, &admin_tls, &e)) {
		tls_server_free(tls);
		masa_setup_free(fresh);
		config_log_failed_reload(&s->log, &e);
		return false;
	}
	log_set_level(&s->log, (enum log_level)fresh->config->log_level);
	old = masa_setup_replace(s->masa, masa_setup_ref(fresh));
	http_server_set_tls(s->public, tls);
	if (s->elsewhere && admin_tls)
		http_server_set_tls(s->elsewhere, admin_tls);
	atomic_store(&s->masa->tls_not_after, not_after);
	config_log_reload(&s->log, &masa_config_schema, &s->started_list, &old->list, &fresh->list);
	tls_server_free(tls);
	tls_server_free(admin_tls);
	masa_setup_free(fresh);
	masa_setup_free(old);
	return true;
}

static bool moves(void *arg)
{
	struct service *s = arg;

	return store_moves(s->masa->store, &s->store_turns);
}

static bool start(struct service *s, struct err *e)
{
	struct loop **loops;
	size_t n;

	s->daemon = daemon_new((size_t)config_at_start(s)->workers, &s->log, e);
	if (!s->daemon)
		return false;
	daemon_watch(s->daemon, moves, s);
	loops = daemon_loops(s->daemon, &n);
	return revocation_use_loops(s->masa->revocation, loops, n, e) &&
	       masa_open_store(s->masa, e) && follow_start(s->masa, loops[0], e) &&
	       listen_public(s, e) && audit_start(s->masa, loops[0], e) &&
	       care_start(s->masa, loops[0], e) && listen_admin(s, e) && listen_elsewhere(s, e) &&
	       masa_meters_start(s->masa, s->public, loops[0], e);
}

static int run(struct service *s)
{
	char port[8];

	snprintf(port, sizeof(port), "%u", http_server_port(s->public));
	log_event(&s->log, LOG_LEVEL_INFO, "listening", NULL, "address", config_at_start(s)->listen,
		"port", port, NULL);
	return daemon_run(s->daemon, drain, reload, s, MASA_DRAIN_MS + 1000);
}

static void stop(struct service *s)
{
	if (s->masa) {
		masa_meters_stop(s->masa);
		care_end(s->masa);
		seal_free(s->masa->seal);
		s->masa->seal = NULL;
	}
	http_server_free(s->public);
	http_server_free(s->elsewhere);
	http_server_free(s->admin);
	free(s->admin_listen);
	masa_free(s->masa);
	daemon_free(s->daemon);
	tls_server_free(s->tls);
	tls_server_free(s->admin_tls);
	buf_clear(&s->started_list);
	log_end(&s->log);
}

static int failed(const struct err *e)
{
	fprintf(stderr, "brski-masa: %s\n", e->text);
	return EXIT_FAILURE;
}

static int put_back(const struct daemon_options *options)
{
	struct err e = ERR_INIT;

	return care_restore(options->config_path, options->restore_from, &e) ? EXIT_SUCCESS
									     : failed(&e);
}

static int copy_store(const struct daemon_options *options)
{
	struct err e = ERR_INIT;

	return store_move_told(&masa_schema, options->copy_from, options->copy_to, &e)
		       ? EXIT_SUCCESS
		       : failed(&e);
}

int main(int argc, char **argv)
{
	const struct daemon_program program = {
		.name = "brski-masa",
		.what_it_is = "manufacturer service for BRSKI: vouchers and audit log",
		.default_config = "/etc/brski/masa.conf",
		.schema = &masa_config_schema,
		.restores = true,
	};
	struct daemon_options options;
	struct service s = {.started_list = BUF_INIT(CONFIG_LIST_MAX)};
	struct err e = ERR_INIT;
	int code;

	if (!daemon_options_parse(argc, argv, &program, &options, &code))
		return code;
	if (options.restore_from)
		return put_back(&options);
	if (options.copy_from)
		return copy_store(&options);
	if (!ossl_provider_install(&e) || !load(&s, options.config_path, &e) ||
		(!options.check_only && !start(&s, &e))) {
		fprintf(stderr, "brski-masa: %s\n", e.text);
		code = EXIT_FAILURE;
	} else if (options.check_only) {
		puts("ok");
	} else {
		code = run(&s);
	}
	stop(&s);
	return code;
}
