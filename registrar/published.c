/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of the plain listener and its limits: see published.h. */
#include "registrar/published.h"

#include "common/net/http_listen.h"
#include "registrar/revoked.h"

static const struct http_route routes[] = {
	{"GET", REVOKED_PATH, revoked_serve, 0, NULL},
	{"GET", REVOKED_STANDBY_PATH, revoked_serve_standby, 0, NULL},
};

/* Who asks has one short question: nobody needs the patience that devices are given, and whatever
 * strangers do here leaves the devices their connections. */
static const struct http_limits limits = {
	.connections_max = PUBLISHED_CLIENTS_MAX,
	.connections_per_source_max = PUBLISHED_CLIENTS_MAX / 2,
	.header_ms = PUBLISHED_REQUEST_MS,
	.body_ms = PUBLISHED_REQUEST_MS,
	.idle_ms = PUBLISHED_IDLE_MS,
	.held_max = PUBLISHED_HELD_MAX,
};

bool published_address_check(const struct registrar_config *c, struct err *e)
{
	return !c->ca_http_listen || http_listen_is_address(c->ca_http_listen, e) ||
	       err_prefix(e, "[ca] http_listen");
}

bool published_start(struct registrar *r, struct loop **loops, size_t loop_count, struct err *e)
{
	const struct http_server_config config = {
		.listen = r->setup->config.ca_http_listen,
		.proxied_from = r->setup->config.proxied_from,
		.without_tls = true,
		.routes = routes,
		.route_count = sizeof(routes) / sizeof(*routes),
		.app = r,
		.limits = limits,
		.log = &r->log,
	};

	if (!config.listen)
		return true;
	r->published = http_server_new(&config, loops, loop_count, e);
	return r->published || err_prefix(e, "[ca] http_listen");
}
