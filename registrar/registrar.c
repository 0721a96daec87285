/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, starting, draining and closing a registrar, and the table of its routes. What can be
 * wrong with files is found by setup.c, so that --check, a start and a reload say the same. */
#include "registrar/registrar.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/message/status_report.h"
#include "common/message/voucher.h"
#include "common/net/http_listen.h"
#include "common/net/network.h"
#include "common/run/config_changes.h"
#include "common/run/daemon.h"
#include "registrar/access/access.h"
#include "registrar/admin/admin.h"
#include "registrar/admin/guard.h"
#include "registrar/admin/events.h"
#include "registrar/admin/web.h"
#include "registrar/announce.h"
#include "registrar/notify/ask.h"
#include "registrar/ahead.h"
#include "registrar/backup.h"
#include "registrar/cloud/cloud.h"
#include "registrar/coap.h"
#include "registrar/enroll.h"
#include "registrar/fellows.h"
#include "registrar/est.h"
#include "registrar/admin/jobs.h"
#include "registrar/issuing.h"
#include "registrar/masa_gate.h"
#include "registrar/masa_watch.h"
#include "registrar/notify/hooks.h"
#include "registrar/admin/idempotency.h"
#include "registrar/meters.h"
#include "registrar/ocsp.h"
#include "registrar/onboard.h"
#include "registrar/published.h"
#include "registrar/records/rules.h"
#include "registrar/revoked.h"
#include "registrar/seal.h"
#include "registrar/strangers.h"
#include "registrar/telemetry.h"

#define DAY_S	    86400
#define SOCKET_MODE 0600 /* a configured group is let in afterwards; nobody else ever */

static const struct http_route routes[] = {
	{"POST", "/.well-known/brski/requestvoucher", onboard_handle, PLEDGE_REQUEST_MAX, NULL},
	{"POST", "/.well-known/brski/voucher_status", telemetry_voucher_status, STATUS_REPORT_MAX,
		NULL},
	{"POST", "/.well-known/brski/enrollstatus", telemetry_enroll_status, STATUS_REPORT_MAX,
		NULL},
	{"GET", REVOKED_PATH, revoked_serve, 0, NULL},
	{"GET", REVOKED_STANDBY_PATH, revoked_serve_standby, 0, NULL},
	{"POST", OCSP_PATH, ocsp_serve, OCSP_REQUEST_DER_MAX, OCSP_REQUEST_TYPE},
	{"GET", OCSP_GET_PATH, ocsp_serve_get, 0, NULL},
	{"GET", "/.well-known/est/cacerts", est_cacerts, 0, NULL},
	{"GET", "/.well-known/est/csrattrs", est_csrattrs, 0, NULL},
	{"POST", "/.well-known/est/simpleenroll", enroll_simple, ENROLL_BODY_MAX,
		"application/pkcs10"},
	{"POST", "/.well-known/est/simplereenroll", enroll_renew, ENROLL_BODY_MAX,
		"application/pkcs10"},
	{"POST", "/.well-known/est/serverkeygen", enroll_keygen, ENROLL_BODY_MAX,
		"application/pkcs10"},
};

#define ROUTE_COUNT (sizeof(routes) / sizeof(*routes))

/* ---- Opening ---- */

static bool balancers_check(const struct registrar_config *c, struct err *e)
{
	struct networks n;

	return networks_parse(c->proxied_from, &n, e) ||
	       err_prefix(e, "[server] proxy_protocol_from");
}

static bool metrics_address_check(const struct registrar_config *c, struct err *e)
{
	return !c->metrics_listen || http_listen_is_address(c->metrics_listen, e) ||
	       err_prefix(e, "[metrics]");
}

static bool admin_address_check(const struct registrar_config *c, struct err *e)
{
	return !c->admin_listen || http_listen_is_address(c->admin_listen, e) ||
	       err_prefix(e, "[admin]");
}

bool registrar_open(struct registrar *r, const char *config_path, struct err *e)
{
	memset(r, 0, sizeof(*r));
	pthread_mutex_init(&r->setup_lock, NULL);
	pthread_mutex_init(&r->reload_lock, NULL);
	buf_init(&r->started_list, CONFIG_LIST_MAX);
	r->log = (struct log){
		.program = "brski-registrar", .level = LOG_LEVEL_INFO, .fd = STDERR_FILENO};
	r->log.limits = log_limits_new(e);
	r->config_path = str_dup(config_path, e);
	if (!r->log.limits || !r->config_path || !tls_init(e) ||
		!(r->setup = registrar_setup_load(config_path, clock_unix_s(&r->clock), e)) ||
		!http_listen_is_address(r->setup->config.listen, e) ||
		!admin_address_check(&r->setup->config, e) ||
		!balancers_check(&r->setup->config, e) ||
		!coap_addresses_check(&r->setup->config, e) ||
		!metrics_address_check(&r->setup->config, e) ||
		!published_address_check(&r->setup->config, e))
		return false;
	r->log.level = (enum log_level)r->setup->config.log_level;
	r->cert_cache = cert_cache_new(CERT_CACHE_ENTRIES, e);
	r->outstanding = r->cert_cache ? outstanding_new(OUTSTANDING_MAX, e) : NULL;
	r->masa_watch = r->outstanding ? masa_watch_new(e) : NULL;
	r->masa_gates = r->masa_watch ? masa_gates_new(e) : NULL;
	r->metrics = r->masa_gates ? meters_new(e) : NULL;
	r->idempotency = r->metrics ? idempotency_new(e) : NULL;
	r->strangers = r->idempotency ? strangers_new(e) : NULL;
	r->cloud_rate = r->strangers ? cloud_rate_new(e) : NULL;
	return r->cloud_rate &&
	       buf_append(&r->started_list, r->setup->list.data, r->setup->list.len, e);
}

/* ---- The setup and its replacement ---- */

static void warn_of_no_manufacturer(const struct registrar *r, const struct registrar_setup *s)
{
	if (s->manufacturer_count == 0)
		log_event(&r->log, LOG_LEVEL_WARNING, "no-manufacturer", NULL, "hint",
			"no device can join before registrarctl manufacturers add", NULL);
}

struct registrar_setup *registrar_setup_take(struct registrar *r)
{
	struct registrar_setup *s;

	pthread_mutex_lock(&r->setup_lock);
	s = registrar_setup_ref(r->setup);
	pthread_mutex_unlock(&r->setup_lock);
	return s;
}

bool registrar_knows_manufacturer(struct registrar *r, const char *name)
{
	struct registrar_setup *s = registrar_setup_take(r);
	bool known = registrar_setup_manufacturer(s, name) != NULL;

	registrar_setup_free(s);
	return known;
}

/* The new one is the registrar's, the old one the caller's. */
static struct registrar_setup *replace_setup(struct registrar *r, struct registrar_setup *fresh)
{
	struct registrar_setup *old;

	pthread_mutex_lock(&r->setup_lock);
	old = r->setup;
	r->setup = fresh;
	pthread_mutex_unlock(&r->setup_lock);
	return old;
}

struct rule_set *registrar_rules_take(struct registrar *r)
{
	struct rule_set *s;

	pthread_mutex_lock(&r->setup_lock);
	s = rule_set_ref(r->rules);
	pthread_mutex_unlock(&r->setup_lock);
	return s;
}

static bool add_rule(void *arg, int64_t id, const struct rule_text *text, struct err *e)
{
	return rule_set_add(arg, id, text, e) || err_prefix(e, "rule %lld", (long long)id);
}

bool registrar_load_rules(struct registrar *r, struct err *e)
{
	struct rule_set *fresh = rule_set_new(e), *old = fresh;
	bool ok = fresh && records_list_rules(r->store, add_rule, fresh, e);

	if (ok) {
		pthread_mutex_lock(&r->setup_lock);
		old = r->rules;
		r->rules = fresh;
		pthread_mutex_unlock(&r->setup_lock);
	}
	rule_set_free(old);
	return ok;
}

static void put_in_force(struct registrar *r, struct registrar_setup *fresh)
{
	struct registrar_setup *old;
	struct err e = ERR_INIT;

	log_set_level(&r->log, (enum log_level)fresh->config.log_level);
	issuing_keep(r->setup, fresh); /* only reloads change it, one at a time */
	old = replace_setup(r, fresh);
	http_server_set_tls(r->server, fresh->tls);
	if (r->admin_https && fresh->admin.tls)
		http_server_set_tls(r->admin_https, fresh->admin.tls);
	if (r->coap && fresh->dtls)
		coap_server_set_tls(r->coap, fresh->dtls);
	config_log_reload(
		&r->log, &registrar_config_schema, &r->started_list, &old->list, &fresh->list);
	registrar_setup_free(old);
	warn_of_no_manufacturer(r, fresh);
	if (!issuing_follow(r, &e))
		log_err(&r->log, "following-failed", NULL, &e);
	issuing_warn(r, fresh);
	revoked_reload(r);
	announce_reload(r);
}

bool registrar_reload(struct registrar *r, struct err *e)
{
	struct registrar_setup *fresh;

	pthread_mutex_lock(&r->reload_lock);
	fresh = registrar_setup_load(r->config_path, clock_unix_s(&r->clock), e);
	if (fresh)
		put_in_force(r, fresh);
	else
		config_log_failed_reload(&r->log, e);
	pthread_mutex_unlock(&r->reload_lock);
	return fresh != NULL;
}

bool registrar_moves(void *registrar)
{
	struct registrar *r = registrar;

	return store_moves(r->store, &r->store_turns);
}

/* ---- Starting ---- */

static bool make_workers(struct registrar *r, struct loop **loops, size_t loop_count, struct err *e)
{
	if (loop_count > WORKERS_MAX)
		return err_set(e, ERR_INPUT, "more than %d workers", WORKERS_MAX);
	for (size_t i = 0; i < loop_count; i++) {
		r->workers[i].loop = loops[i];
		r->workers[i].masa = http_client_new(loops[i], e);
		if (!r->workers[i].masa)
			return false;
		r->worker_count++;
	}
	return true;
}

static bool serve_devices(
	struct registrar *r, struct loop **loops, size_t loop_count, struct err *e)
{
	bool cloud = r->setup->config.cloud_enabled;
	struct http_server_config config = {
		.listen = r->setup->config.listen,
		.proxied_from = r->setup->config.proxied_from,
		.tls = r->setup->tls,
		.routes = cloud ? cloud_routes : routes,
		.route_count = cloud ? cloud_route_count : ROUTE_COUNT,
		.app = r,
		.limits = {.connections_beside =
				   r->setup->config.ca_http_listen ? PUBLISHED_CLIENTS_MAX : 0},
		.cache = r->cert_cache,
		.log = &r->log,
	};

	r->server = http_server_new(&config, loops, loop_count, e);
	return r->server != NULL;
}

/* Administrators elsewhere: their own port, where no device is served. */
static bool serve_admin_https(struct registrar *r, struct loop **loops, struct err *e)
{
	struct http_server_config config = {
		.listen = r->setup->config.admin_listen,
		.proxied_from = r->setup->config.proxied_from,
		.tls = r->setup->admin.tls,
		.routes = admin_routes,
		.route_count = admin_route_count,
		.otherwise = &admin_web_route,
		.app = r,
		.limits = {.connections_max = ADMIN_CONNECTIONS_MAX,
			.connections_per_source_max = ADMIN_CONNECTIONS_MAX},
		.cache = r->cert_cache,
		.log = &r->log,
		.guard = admin_guard,
		.intercept = idempotency_intercept,
		.problems = true,
	};

	if (!config.listen)
		return true;
	r->admin_https = http_server_new(&config, loops, 1, e);
	return r->admin_https || err_prefix(e, "[admin]");
}

static bool serve_admin(struct registrar *r, struct loop **loops, struct err *e)
{
	const struct registrar_config *c = &r->setup->config;
	FREE_AUTO char *listen = NULL;
	struct http_server_config config = {
		.routes = admin_routes,
		.route_count = admin_route_count,
		.app = r,
		.limits = http_limits_default,
		.log = &r->log,
		.guard = admin_guard,
		.intercept = idempotency_intercept,
		.problems = true,
		.unix_mode = SOCKET_MODE,
	};

	if (!c->admin_socket)
		return true;
	listen = str_printf(e, "unix:%s", c->admin_socket);
	if (!listen)
		return false;
	config.listen = listen;
	r->admin = http_server_new(&config, loops, 1, e);
	return r->admin && daemon_share_socket(c->admin_socket, c->admin_group, e);
}

/* By us or by another registrar, on a thread of the store. */
static void on_commit(void *arg)
{
	events_wake(arg);
	hooks_wake(arg);
	fellows_wake(arg);
}

bool registrar_start(struct registrar *r, struct loop **loops, size_t loop_count, struct err *e)
{
	int64_t pending;

	r->started_at = registrar_now(r);
	r->store = store_open_logging(r->setup->config.store, &records_schema, &r->log, e);
	if (!r->store || !make_workers(r, loops, loop_count, e) || !fellows_start(r, e) ||
		!records_count_claims(r->store, CLAIM_PENDING, &pending, e) ||
		!registrar_load_rules(r, e) || !issuing_follow(r, e))
		return false;
	issuing_warn(r, r->setup);
	atomic_store(&r->pending_claims, pending);
	if (!jobs_start(r, e) || !events_start(r, e) || !access_start(r, e) || !ask_start(r, e) ||
		!hooks_start(r, e) || !serve_admin(r, loops, e) ||
		!serve_admin_https(r, loops, e) || !serve_devices(r, loops, loop_count, e) ||
		!coap_start(r, loops, loop_count, e) || !announce_start(r, e) ||
		!loop_timer_init(&r->sweep, loops[0], registrar_sweep, r, e) || !seal_start(r, e) ||
		!revoked_start(r, e) || !published_start(r, e) || !ahead_start(r, e) ||
		!backup_start(r, e) || !meters_start(r, e))
		return false;
	store_watch(r->store, on_commit, r);
	atomic_store(&r->sweep_from_ms, clock_mono_ms() + SWEEP_FIRST_MS);
	loop_timer_arm(&r->sweep, SWEEP_MS);
	log_event(&r->log, LOG_LEVEL_INFO, "started", NULL, "listen", r->setup->config.listen,
		"coaps", r->setup->config.coaps_listen, "jpy", r->setup->config.jpy_listen,
		"metrics", r->setup->config.metrics_listen, "admin", r->setup->config.admin_listen,
		"http", r->setup->config.ca_http_listen, NULL);
	warn_of_no_manufacturer(r, r->setup);
	return true;
}

struct http_client *registrar_masa_client(struct registrar *r, const struct loop *l)
{
	for (size_t i = 0; i < r->worker_count; i++)
		if (r->workers[i].loop == l)
			return r->workers[i].masa;
	return r->workers[0].masa;
}

/* ---- Ageing out ---- */

int64_t registrar_approval_end(struct registrar *r, int64_t now)
{
	struct registrar_setup *s = registrar_setup_take(r);
	int64_t end = now + s->config.approval_days * DAY_S;

	registrar_setup_free(s);
	return end;
}

void registrar_count_claims(struct registrar *r)
{
	struct err e = ERR_INIT;
	int64_t pending;

	if (records_count_claims(r->store, CLAIM_PENDING, &pending, &e))
		atomic_store(&r->pending_claims, pending);
	else
		log_err(&r->log, "count-failed", NULL, &e);
}

static void on_swept(void *arg, const int64_t *changed, const struct err *e)
{
	struct registrar *r = arg;

	if (e)
		log_err(&r->log, "sweep-failed", NULL, e);
	else
		registrar_count_claims(r);
	loop_timer_arm(&r->sweep, SWEEP_MS);
}

int64_t registrar_now(struct registrar *r)
{
	char seconds[24];
	int64_t by_s;

	if (clock_watch_jumped(&r->clock_watch, &r->clock, &by_s)) {
		snprintf(seconds, sizeof(seconds), "%+lld", (long long)by_s);
		log_event(&r->log, LOG_LEVEL_WARNING, "alert-clock-jumped", NULL, "seconds",
			seconds, "hint",
			"certificates are judged and issued by the new time; nothing is aged out "
			"for a day",
			NULL);
		atomic_store(&r->sweep_from_ms, clock_mono_ms() + SWEEP_HOLD_MS);
	}
	return clock_unix_s(&r->clock);
}

void registrar_sweep(void *registrar)
{
	struct registrar *r = registrar;
	const struct records_writer w = {r->store, r->workers[0].loop, on_swept, r};
	const int64_t now = registrar_now(r);
	struct registrar_setup *s = registrar_setup_take(r);
	const struct sweep_limits limits = {
		.now = now,
		.expiring = now + s->config.expiring_days * DAY_S,
		.claims_before = now - s->config.pending_days * DAY_S,
		.journal_before = now - s->config.journal_days * DAY_S,
		.journal_rows = JOURNAL_MAX,
		.heads_before = now - HEADS_THIN_S,
		.certificates_before = now - s->config.journal_days * DAY_S,
	};
	struct err e = ERR_INIT;

	registrar_setup_free(s);
	denials_flush(r);
	if (clock_mono_ms() < atomic_load(&r->sweep_from_ms) || !store_leads(r->store)) {
		on_swept(r, NULL, NULL);
		return;
	}
	if (records_sweep(&w, &limits, &e))
		return;
	log_err(&r->log, "sweep-failed", NULL, &e);
	loop_timer_arm(&r->sweep, SWEEP_MS);
}

/* ---- Stopping ---- */

void registrar_work_begin(struct registrar *r)
{
	atomic_fetch_add(&r->running, 1);
}

void registrar_work_end(struct registrar *r)
{
	if (atomic_fetch_sub(&r->running, 1) == 1 && atomic_load(&r->draining) &&
		!atomic_exchange(&r->drain_reported, true))
		r->drained(r->drained_arg);
}

static void on_server_drained(void *arg)
{
	registrar_work_end(arg);
}

void registrar_drain(struct registrar *r, void (*drained)(void *arg), void *arg)
{
	r->drained = drained;
	r->drained_arg = arg;
	log_event(&r->log, LOG_LEVEL_INFO, "draining", NULL, NULL);
	atomic_fetch_add(&r->running, 1 + (r->admin != NULL) + (r->admin_https != NULL) +
					      published_listens(r) + (r->coap != NULL));
	atomic_store(&r->draining, true);
	backup_cancel(r->backup);
	jobs_cancel(r);
	events_drain(r);
	announce_drain(r);
	if (r->admin)
		http_server_drain(r->admin, DRAIN_MS, on_server_drained, r);
	if (r->admin_https)
		http_server_drain(r->admin_https, DRAIN_MS, on_server_drained, r);
	if (published_listens(r))
		published_drain(r, on_server_drained);
	if (r->coap)
		coap_drain(r, on_server_drained);
	http_server_drain(r->server, DRAIN_MS, on_server_drained, r);
}

void registrar_close(struct registrar *r)
{
	backup_free(r->backup);
	jobs_end(r);
	seal_free(r->seal);
	hooks_stop(r);
	published_end(r);
	fellows_stop(r);
	store_close(r->store);
	access_end(r);
	events_end(r);
	hooks_end(r);
	ask_end(r);
	revoked_end(r);
	fellows_end(r);
	ahead_end(r);
	for (size_t i = 0; i < r->worker_count; i++)
		http_client_free(r->workers[i].masa);
	if (r->sweep.ev)
		loop_timer_clear(&r->sweep);
	http_server_free(r->server);
	http_server_free(r->admin);
	http_server_free(r->admin_https);
	idempotency_free(r->idempotency);
	strangers_free(r->strangers);
	cloud_rate_free(r->cloud_rate);
	announce_stop(r);
	coap_stop(r);
	meters_stop(r);
	outstanding_free(r->outstanding);
	masa_watch_free(r->masa_watch);
	masa_gates_free(r->masa_gates);
	registrar_setup_free(r->setup);
	rule_set_free(r->rules);
	cert_cache_free(r->cert_cache);
	buf_clear(&r->started_list);
	free(r->config_path);
	log_end(&r->log);
	pthread_mutex_destroy(&r->setup_lock);
	pthread_mutex_destroy(&r->reload_lock);
	memset(r, 0, sizeof(*r));
}
