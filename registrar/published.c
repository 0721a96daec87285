/* SPDX-License-Identifier: Apache-2.0 */
/* The plain listener's routes, limits and thread: see published.h. */
#include "registrar/published.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/net/http_listen.h"
#include "common/pki/ocsp.h"
#include "registrar/ocsp.h"
#include "registrar/revoked.h"

#define PUBLISHED_NICE 5    /* devices come first */
#define RETRY_POST_US  1000 /* a reply has to go out, whatever memory there is */

struct published {
	struct loop *loop;
	struct log log; /* says what goes wrong, but not that somebody asked: there is no end to
			   that */
	struct http_server *server; /* or NULL */
	pthread_t thread;
	bool thread_runs;
	_Atomic int waiting; /* errands from other loops */
};

struct errand_under_way {
	struct published *p;
	struct loop *home;
	struct errand what;
	void *arg;
};

static const struct http_route routes[] = {
	{"GET", REVOKED_PATH, revoked_serve, 0, NULL},
	{"GET", REVOKED_STANDBY_PATH, revoked_serve_standby, 0, NULL},
	{"POST", OCSP_PATH, ocsp_serve, OCSP_REQUEST_DER_MAX, OCSP_REQUEST_TYPE},
	{"GET", OCSP_GET_PATH, ocsp_serve_get, 0, NULL},
};

/* Who asks has one short question: nobody needs the patience that devices are given. */
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

/* ---- The listener ---- */

static bool serve(struct published *p, struct registrar *r, struct err *e)
{
	const struct http_server_config config = {
		.listen = r->setup->config.ca_http_listen,
		.proxied_from = r->setup->config.proxied_from,
		.without_tls = true,
		.routes = routes,
		.route_count = sizeof(routes) / sizeof(*routes),
		.app = r,
		.limits = limits,
		.log = &p->log,
	};

	if (!config.listen)
		return true;
	p->server = http_server_new(&config, &p->loop, 1, e);
	return p->server || err_prefix(e, "[ca] http_listen");
}

/* ---- Errands ---- */

static void drop(void *arg)
{
	struct errand_under_way *u = arg;

	u->what.drop(u->arg);
	free(u);
}

static void go_home(void *arg)
{
	struct errand_under_way *u = arg;

	u->what.done(u->arg);
	free(u);
}

static bool is_guest(const struct errand_under_way *u)
{
	return u->home != u->p->loop;
}

static void work(void *arg)
{
	struct errand_under_way *u = arg;
	struct err ignored = ERR_INIT;

	u->what.work(u->arg);
	if (!is_guest(u)) {
		go_home(u);
		return;
	}
	atomic_fetch_sub(&u->p->waiting, 1);
	while (!loop_post_or_drop(u->home, go_home, drop, u, &ignored))
		usleep(RETRY_POST_US); /* no memory to say so */
}

static bool post(struct errand_under_way *u, struct err *e)
{
	if (!is_guest(u))
		return loop_post_or_drop(u->p->loop, work, drop, u, e);
	if (atomic_fetch_add(&u->p->waiting, 1) >= PUBLISHED_GUESTS_MAX)
		err_set(e, ERR_RETRY_LATER, "too many wait to be told of certificates");
	else if (loop_post_or_drop(u->p->loop, work, drop, u, e))
		return true;
	atomic_fetch_sub(&u->p->waiting, 1);
	return false;
}

bool published_run(
	struct registrar *r, struct loop *home, const struct errand *what, void *arg, struct err *e)
{
	struct errand_under_way *u = mem_new(sizeof(*u), e);

	if (!u)
		return false;
	*u = (struct errand_under_way){r->published, home, *what, arg};
	if (post(u, e))
		return true;
	free(u);
	return false;
}

/* ---- The thread ---- */

static void *run(void *arg)
{
	struct published *p = arg;

	/* best effort: it is right in any order, only slower for devices */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), PUBLISHED_NICE);
	loop_run(p->loop);
	return NULL;
}

bool published_start(struct registrar *r, struct err *e)
{
	struct published *p = mem_new(sizeof(*p), e);

	if (!p)
		return false;
	r->published = p;
	p->log = (struct log){.program = r->log.program,
		.level = LOG_LEVEL_WARNING,
		.fd = r->log.fd,
		.limits = r->log.limits};
	p->loop = loop_new(e);
	if (!p->loop || !serve(p, r, e))
		return false;
	p->thread_runs = pthread_create(&p->thread, NULL, run, p) == 0;
	if (p->thread_runs)
		pthread_setname_np(p->thread, "published");
	return p->thread_runs ||
	       err_set(e, ERR_NO_MEMORY, "no thread for who verifies certificates");
}

bool published_listens(const struct registrar *r)
{
	return r->published->server != NULL;
}

void published_drain(struct registrar *r, loop_fn *done)
{
	http_server_drain(r->published->server, DRAIN_MS, done, r);
}

void published_counts(const struct registrar *r, struct server_counts *out)
{
	memset(out, 0, sizeof(*out));
	if (published_listens(r))
		http_server_counts(r->published->server, out);
}

void published_end(struct registrar *r)
{
	struct published *p = r->published;

	if (!p)
		return;
	if (p->thread_runs) {
		loop_stop(p->loop);
		pthread_join(p->thread, NULL);
	}
	http_server_free(p->server);
	loop_free(p->loop);
	free(p);
	r->published = NULL;
}
