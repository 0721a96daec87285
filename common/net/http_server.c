/* SPDX-License-Identifier: Apache-2.0 */
/* The server as a whole: its limits, its workers, its listening sockets, its drain. What happens on
 * a connection is in http_conn.c; who may connect in http_worker.c. */
#include "common/net/http_server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/net/http_listen.h"
#include "common/net/http_worker.h"

#define SPARE_DESCRIPTORS 256 /* database, log, connections to the MASA */

const struct http_limits http_limits_default = {
	.header_block_max = 8192,
	.handshake_ms = 10000,
	.header_ms = 10000,
	.body_ms = 30000,
	.request_ms = 60000,
	.idle_ms = 120000,
	.write_ms = 30000,
	.drain_grace_ms = 1000,
	.connections_max = 4096,	     /* 25 kB each when idle: 100 MB */
	.connections_per_source_max = 1024,  /* a join proxy speaks for all devices behind it */
	.connections_per_identity_max = 128, /* a device needs one, a registrar two a worker */
	.held_max = 64u << 20,		     /* a thousand onboardings at once take 8 MB */
	.h2_streams_max = 64,
};

/* What is not said is the default. */
static void fill_limits(struct http_limits *l)
{
	const struct http_limits *d = &http_limits_default;

#define FILL(field) l->field = l->field ? l->field : d->field
	FILL(header_block_max);
	FILL(handshake_ms);
	FILL(header_ms);
	FILL(body_ms);
	FILL(request_ms);
	FILL(idle_ms);
	FILL(write_ms);
	FILL(drain_grace_ms);
	FILL(connections_max);
	FILL(connections_per_source_max);
	FILL(connections_per_identity_max);
	FILL(held_max);
	FILL(h2_streams_max);
#undef FILL
}

/* The usual soft limit of 1024 descriptors is far below what the server may hold; the hard one is
 * the administrator's word. Where it leaves fewer connections, these are the cap: at a cap idle
 * connections are shed, without descriptors nobody gets in. */
static void fit_descriptors(struct http_limits *limits)
{
	struct rlimit l;
	const rlim_t spare = SPARE_DESCRIPTORS + limits->connections_beside;
	const rlim_t wanted = limits->connections_max + spare;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur >= wanted)
		return;
	l.rlim_cur = l.rlim_max < wanted ? l.rlim_max : wanted;
	if (setrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur >= wanted)
		return;
	limits->connections_max =
		l.rlim_cur > 2 * spare ? (size_t)(l.rlim_cur - spare) : (size_t)l.rlim_cur / 2;
}

static bool listen_unix(struct http_server *s, const char *path, struct err *e)
{
	s->unix_path = str_dup(path, e);
	if (!s->unix_path)
		return false;
	s->workers[0].listen_fd = http_listen_unix(path, s->config.unix_mode, e);
	if (s->workers[0].listen_fd >= 0)
		return true;
	free_ptr(&s->unix_path); /* not ours to remove */
	return false;
}

static bool listen_all(struct http_server *s, struct err *e)
{
	const char *listen = s->config.listen;

	if (strncmp(listen, HTTP_UNIX_PREFIX, strlen(HTTP_UNIX_PREFIX)) == 0)
		return listen_unix(s, listen + strlen(HTTP_UNIX_PREFIX), e);
	if (!s->config.tls != s->config.without_tls)
		return err_set(
			e, ERR_BUG, "%s TLS for %s", s->config.tls ? "unwanted" : "no", listen);
	if (!http_listen_check_free(listen, e))
		return false;
	for (size_t i = 0; i < s->worker_count; i++) {
		s->workers[i].listen_fd = http_listen_tcp(listen, &s->port, e);
		if (s->workers[i].listen_fd < 0)
			return false;
	}
	return true;
}

static bool start(struct http_server *s, struct err *e)
{
	for (size_t i = 0; i < s->worker_count; i++)
		if (!http_worker_init(&s->workers[i], e))
			return false;
	return true;
}

static bool set_up(struct http_server *s, struct loop **loops, size_t loop_count, struct err *e)
{
	s->workers = mem_new(loop_count * sizeof(*s->workers), e);
	if (!s->workers)
		return false;
	s->worker_count = loop_count;
	for (size_t i = 0; i < loop_count; i++) {
		s->workers[i].server = s;
		s->workers[i].loop = loops[i];
		s->workers[i].listen_fd = -1;
	}
	s->sources = http_sources_new(s->config.limits.connections_per_source_max, e);
	s->identities = http_sources_new(s->config.limits.connections_per_identity_max, e);
	return s->sources && s->identities &&
	       networks_parse(s->config.proxied_from, &s->proxied, e) && listen_all(s, e) &&
	       start(s, e);
}

struct http_server *http_server_new(const struct http_server_config *config, struct loop **loops,
	size_t loop_count, struct err *e)
{
	struct http_server *s = mem_new(sizeof(*s), e);

	if (!s)
		return NULL;
	s->config = *config;
	fill_limits(&s->config.limits);
	tls_slot_init(&s->tls, config->tls);
	atomic_init(&s->connections, 0);
	atomic_init(&s->held, 0);
	atomic_init(&s->next_connection_id, 1);
	drain_init(&s->drain, loop_count);
	fit_descriptors(&s->config.limits);
	if (!set_up(s, loops, loop_count, e)) {
		http_server_free(s);
		return NULL;
	}
	return s;
}

uint16_t http_server_port(const struct http_server *s)
{
	return s->port;
}

void http_server_set_tls(struct http_server *s, struct tls_server *tls)
{
	tls_slot_set(&s->tls, tls);
}

void http_server_drain(struct http_server *s, int64_t deadline_ms, loop_fn *done, void *arg)
{
	drain_set(&s->drain, deadline_ms, done, arg);
	for (size_t i = 0; i < s->worker_count; i++)
		drain_start(&s->drain, s->workers[i].loop, http_worker_drain, &s->workers[i],
			s->config.log);
}

void http_server_free(struct http_server *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->worker_count; i++)
		http_worker_clear(&s->workers[i]);
	if (s->unix_path)
		unlink(s->unix_path);
	free(s->unix_path);
	free(s->workers);
	http_sources_free(s->sources);
	http_sources_free(s->identities);
	tls_slot_clear(&s->tls);
	free(s);
}

size_t http_server_connections(const struct http_server *s)
{
	return atomic_load(&s->connections);
}

void http_server_counts(const struct http_server *s, struct server_counts *out)
{
	server_tally_read(&s->tally, out);
}
