/* SPDX-License-Identifier: Apache-2.0 */
/* Three resources over plain HTTP: see metrics_listener.h. */
#include "common/run/metrics_listener.h"

#include <stdlib.h>

#define TEXT "text/plain; charset=utf-8"

/* Two Prometheus servers, a prober and a person or two: who opens more ends their own. */
#define CONNECTIONS_MAX 32

struct metrics_listener {
	struct metrics_listener_config config;
	struct log log; /* says what goes wrong, but not that somebody looked every few seconds */
	struct http_server *server;
};

static void tell_metrics(struct call *c, void *arg)
{
	struct metrics_listener *l = arg;
	BUF_AUTO struct buf text = BUF_INIT(METRICS_TEXT_MAX);
	struct err e = ERR_INIT;

	l->config.refresh(l->config.app);
	if (metrics_format(l->config.metrics, &text, &e))
		call_reply(c, 200, METRICS_TYPE, buf_bytes(&text));
	else
		call_reply_err(c, l->config.log, "metrics-failed", &e);
}

static void tell_health(struct call *c, void *arg)
{
	call_reply(c, 200, TEXT, bytes_of_str("ok\n"));
}

static void tell_ready(struct call *c, void *arg)
{
	struct metrics_listener *l = arg;

	if (l->config.is_ready(l->config.app))
		call_reply(c, 200, TEXT, bytes_of_str("ready\n"));
	else
		call_reply(c, 503, TEXT, bytes_of_str("stopping\n"));
}

static const struct http_route routes[] = {
	{"GET", "/metrics", tell_metrics, 0, NULL},
	{"GET", "/healthz", tell_health, 0, NULL},
	{"GET", "/readyz", tell_ready, 0, NULL},
};

struct metrics_listener *metrics_listener_new(
	const struct metrics_listener_config *config, struct loop *loop, struct err *e)
{
	struct metrics_listener *l = mem_new(sizeof(*l), e);
	struct http_server_config server = {
		.listen = config->listen,
		.without_tls = true,
		.routes = routes,
		.route_count = sizeof(routes) / sizeof(*routes),
		.app = l,
		.limits = {.connections_max = CONNECTIONS_MAX,
			.connections_per_source_max = CONNECTIONS_MAX},
	};

	if (!l)
		return NULL;
	l->config = *config;
	l->log = (struct log){.program = config->log->program,
		.level = LOG_LEVEL_WARNING,
		.fd = config->log->fd,
		.limits = config->log->limits};
	server.log = &l->log;
	l->server = http_server_new(&server, &loop, 1, e);
	if (l->server)
		return l;
	err_prefix(e, "[metrics]");
	metrics_listener_free(l);
	return NULL;
}

uint16_t metrics_listener_port(const struct metrics_listener *l)
{
	return http_server_port(l->server);
}

void metrics_listener_free(struct metrics_listener *l)
{
	if (!l)
		return;
	http_server_free(l->server);
	free(l);
}
