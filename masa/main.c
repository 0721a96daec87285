/* SPDX-License-Identifier: Apache-2.0 */
/* brski-masa: the manufacturer's service that knows which device exists and who owns it, issues
 * vouchers and keeps the audit log (RFC 8995 §2.5.3, §5.5 to §5.8). */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/net/http_listen.h"
#include "common/pki/ossl_provider.h"
#include "common/run/daemon.h"
#include "masa/admin.h"
#include "masa/serve.h"

struct service {
	struct masa_config config;
	struct log log;
	struct masa *masa;
	struct daemon *daemon;
	struct tls_server *tls;
	struct http_server *public, *admin;
	char *admin_listen; /* "unix:" and the socket's path */
};

static bool load_tls(struct service *s, struct tls_server **out, struct err *e)
{
	IDENTITY_AUTO struct identity id = {0};

	if (!identity_load(&id, s->config.tls_key, s->config.tls_certificate, e))
		return err_prefix(e, "TLS server");
	*out = tls_server_new(&id, true, e);
	return *out != NULL;
}

static bool load(struct service *s, const char *path, struct err *e)
{
	if (!masa_config_load(path, &s->config, e))
		return false;
	s->log = (struct log){.program = "brski-masa",
		.level = (enum log_level)s->config.log_level,
		.fd = STDERR_FILENO};
	s->masa = tls_init(e) ? masa_new(&s->config, &s->log, NULL, e) : NULL;
	return s->masa && load_tls(s, &s->tls, e) && http_listen_is_address(s->config.listen, e);
}

static bool listen_public(struct service *s, struct err *e)
{
	struct http_server_config c = {.listen = s->config.listen,
		.tls = s->tls,
		.routes = masa_routes,
		.route_count = masa_route_count,
		.app = s->masa,
		.limits = http_limits_default,
		.cache = s->masa->authenticator.certs,
		.log = &s->log};
	size_t n;
	struct loop **loops = daemon_loops(s->daemon, &n);

	s->public = http_server_new(&c, loops, n, e);
	return s->public != NULL;
}

static bool listen_admin(struct service *s, struct err *e)
{
	struct http_server_config c = {.routes = masa_admin_routes,
		.route_count = masa_admin_route_count,
		.app = s->masa,
		.limits = http_limits_default,
		.log = &s->log,
		.unix_mode = 0600};
	size_t n;
	struct loop **loops = daemon_loops(s->daemon, &n);

	if (!s->config.admin_socket)
		return true;
	s->admin_listen = str_printf(e, "unix:%s", s->config.admin_socket);
	if (!s->admin_listen)
		return false;
	c.listen = s->admin_listen;
	s->admin = http_server_new(&c, loops, n, e);
	return s->admin && daemon_share_socket(s->config.admin_socket, s->config.admin_group, e);
}

static void on_drained(void *arg)
{
	struct service *s = arg;

	daemon_drained(s->daemon);
}

static void on_public_drained(void *arg)
{
	struct service *s = arg;

	if (s->admin)
		http_server_drain(s->admin, MASA_DRAIN_MS, on_drained, s);
	else
		on_drained(s);
}

static void drain(void *arg)
{
	struct service *s = arg;

	http_server_drain(s->public, MASA_DRAIN_MS, on_public_drained, s);
}

/* SIGHUP: a renewed TLS certificate, fresh revocation lists. */
static void reload(void *arg)
{
	struct service *s = arg;
	struct tls_server *fresh = NULL;
	struct err e = ERR_INIT;

	if (load_tls(s, &fresh, &e) &&
		(!s->config.crls ||
			crl_set_reload(s->masa->authenticator.crls, s->config.crls, &e))) {
		http_server_set_tls(s->public, fresh);
		log_event(&s->log, LOG_LEVEL_INFO, "reloaded", NULL, NULL);
	} else {
		log_err(&s->log, "reload-failed", NULL, &e);
	}
	tls_server_free(fresh);
}

static bool start(struct service *s, struct err *e)
{
	s->daemon = daemon_new((size_t)s->config.workers, &s->log, e);
	return s->daemon && masa_open_store(s->masa, e) && listen_public(s, e) &&
	       listen_admin(s, e);
}

static int run(struct service *s)
{
	char port[8];

	snprintf(port, sizeof(port), "%u", http_server_port(s->public));
	log_event(&s->log, LOG_LEVEL_INFO, "listening", NULL, "address", s->config.listen, "port",
		port, NULL);
	return daemon_run(s->daemon, drain, reload, s, MASA_DRAIN_MS);
}

static void stop(struct service *s)
{
	http_server_free(s->public);
	http_server_free(s->admin);
	free(s->admin_listen);
	masa_free(s->masa);
	daemon_free(s->daemon);
	tls_server_free(s->tls);
	masa_config_clear(&s->config);
}

int main(int argc, char **argv)
{
	struct daemon_options options;
	struct service s = {.masa = NULL};
	struct err e = ERR_INIT;
	int code;

	if (!daemon_options_parse(argc, argv, "brski-masa",
		    "manufacturer service for BRSKI: vouchers and audit log",
		    "/etc/brski/masa.conf", &masa_config_schema, &options, &code))
		return code;
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
