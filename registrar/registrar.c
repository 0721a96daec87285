/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, starting, draining and closing a registrar, and the table of its routes. What can be
 * wrong with files is found in registrar_open(), so that --check and a start say the same. */
#include "registrar/registrar.h"

#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/message/status_report.h"
#include "common/message/voucher.h"
#include "common/net/http_listen.h"
#include "registrar/admin.h"
#include "registrar/enroll.h"
#include "registrar/est.h"
#include "registrar/onboard.h"
#include "registrar/records.h"
#include "registrar/telemetry.h"

#define DAY_S	    86400
#define SOCKET_MODE 0660 /* owner and group administer; nobody else */

static const struct http_route routes[] = {
	{"POST", "/.well-known/brski/requestvoucher", onboard_handle, PLEDGE_REQUEST_MAX, NULL},
	{"POST", "/.well-known/brski/voucher_status", telemetry_voucher_status, STATUS_REPORT_MAX,
		"application/json"},
	{"POST", "/.well-known/brski/enrollstatus", telemetry_enroll_status, STATUS_REPORT_MAX,
		"application/json"},
	{"GET", "/.well-known/est/cacerts", est_cacerts, 0, NULL},
	{"GET", "/.well-known/est/csrattrs", est_csrattrs, 0, NULL},
	{"POST", "/.well-known/est/simpleenroll", enroll_simple, ENROLL_BODY_MAX,
		"application/pkcs10"},
	{"POST", "/.well-known/est/simplereenroll", enroll_renew, ENROLL_BODY_MAX,
		"application/pkcs10"},
	/* last, so that it can be left out */
	{"POST", "/.well-known/est/serverkeygen", enroll_keygen, ENROLL_BODY_MAX,
		"application/pkcs10"},
};

#define ROUTE_COUNT (sizeof(routes) / sizeof(*routes))

/* ---- Opening ---- */

/* The registrar's certificate signs requests and serves TLS: both uses have to be in it
 * (R8995-REG-034; clientAuth as well when it is shown to a MASA). */
static bool check_identity(const struct registrar *r, int64_t now, struct err *e)
{
	const struct cert *c = r->identity.cert;
	unsigned eku = cert_eku(c);

	if (!(eku & CERT_EKU_CMC_RA))
		return err_set(e, ERR_INPUT,
			"the certificate lacks the extended key usage cmcRA "
			"(1.3.6.1.5.5.7.3.28): no MASA would accept its requests");
	if (!(eku & CERT_EKU_SERVER_AUTH))
		return err_set(
			e, ERR_INPUT, "the certificate lacks the extended key usage serverAuth");
	if (cert_not_after(c) <= now)
		return err_set(e, ERR_INPUT, "the certificate is expired");
	if (cert_not_before(c) > now)
		return err_set(e, ERR_INPUT, "the certificate is not valid yet");
	return true;
}

/* Devices accept us because we are under what the voucher pins: an end entity without its issuer
 * gives the MASA nothing but itself to pin. */
static bool check_chain(const struct registrar *r, struct err *e)
{
	CERT_LIST_AUTO struct cert_list chain = CERT_LIST_INIT;
	const struct identity *id = &r->identity;

	if (!cert_list_add(&chain, id->cert, e))
		return false;
	for (size_t i = 0; i < id->chain.count; i++)
		if (!cert_list_add(&chain, id->chain.items[i], e))
			return false;
	return chain_links_intact(&chain, e);
}

static bool open_identity(struct registrar *r, int64_t now, struct err *e)
{
	if (identity_load(&r->identity, r->config.key, r->config.certificate, e) &&
		check_identity(r, now, e) && check_chain(r, e))
		return true;
	return err_prefix(e, "[server]");
}

static bool open_manufacturers(struct registrar *r, struct err *e)
{
	for (size_t i = 0; i < r->config.manufacturer_count; i++) {
		if (!manufacturer_load(&r->manufacturers[i], r->config.manufacturers[i], e))
			return false;
		r->manufacturer_count++;
	}
	return true;
}

static bool check_group(const char *name, struct err *e)
{
	return !name || getgrnam(name) ||
	       err_set(e, ERR_INPUT, "[admin] group \"%s\" does not exist", name);
}

bool registrar_open(struct registrar *r, const char *config_path, struct err *e)
{
	int64_t now;

	memset(r, 0, sizeof(*r));
	r->log = (struct log){"brski-registrar", LOG_LEVEL_INFO, STDERR_FILENO};
	now = clock_unix_s(&r->clock);
	if (!tls_init(e) || !registrar_config_load(&r->config, config_path, e))
		return false;
	r->log.level = (enum log_level)r->config.log_level;
	if (!open_identity(r, now, e) || !(r->ca = ca_open(&r->config, now, e)) ||
		!domain_init(&r->domain, &r->identity, ca_certs(r->ca), e) ||
		!open_manufacturers(r, e) || !check_group(r->config.admin_group, e) ||
		!http_listen_is_address(r->config.listen, e))
		return false;
	r->cert_cache = cert_cache_new(CERT_CACHE_ENTRIES, e);
	r->outstanding = r->cert_cache ? outstanding_new(OUTSTANDING_MAX, e) : NULL;
	return r->outstanding != NULL;
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
	struct http_server_config config = {
		.listen = r->config.listen,
		.routes = routes,
		.route_count = r->config.server_keygen ? ROUTE_COUNT : ROUTE_COUNT - 1,
		.app = r,
		.limits = http_limits_default,
		.cache = r->cert_cache,
		.log = &r->log,
	};

	r->tls = tls_server_new(&r->identity, true, e);
	if (!r->tls)
		return false;
	config.tls = r->tls;
	r->server = http_server_new(&config, loops, loop_count, e);
	return r->server != NULL;
}

static bool give_to_group(const char *path, const char *name, struct err *e)
{
	const struct group *g = name ? getgrnam(name) : NULL;

	if (!g || chown(path, (uid_t)-1, g->gr_gid) == 0)
		return true;
	return err_set_errno(e, ERR_IO, "%s: cannot give it to group %s", path, name);
}

static bool serve_admin(struct registrar *r, struct loop **loops, struct err *e)
{
	FREE_AUTO char *listen = NULL;
	struct http_server_config config = {
		.routes = admin_routes,
		.route_count = admin_route_count,
		.app = r,
		.limits = http_limits_default,
		.log = &r->log,
		.unix_mode = SOCKET_MODE,
	};

	if (!r->config.admin_socket)
		return true;
	listen = str_printf(e, "unix:%s", r->config.admin_socket);
	if (!listen)
		return false;
	config.listen = listen;
	r->admin = http_server_new(&config, loops, 1, e);
	return r->admin && give_to_group(r->config.admin_socket, r->config.admin_group, e);
}

bool registrar_start(struct registrar *r, struct loop **loops, size_t loop_count, struct err *e)
{
	int64_t pending;

	r->started_at = clock_unix_s(&r->clock);
	r->store = store_open(r->config.store, &records_schema, e);
	if (!r->store || !records_count_pending(r->store, &pending, e))
		return false;
	atomic_store(&r->pending_claims, pending);
	if (!make_workers(r, loops, loop_count, e) || !serve_admin(r, loops, e) ||
		!serve_devices(r, loops, loop_count, e) ||
		!loop_timer_init(&r->sweep, loops[0], registrar_sweep, r, e))
		return false;
	loop_timer_arm(&r->sweep, 0);
	log_event(&r->log, LOG_LEVEL_INFO, "started", NULL, "listen", r->config.listen, NULL);
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

static void on_swept(void *arg, const int64_t *changed, const struct err *e)
{
	struct registrar *r = arg;
	struct err failure = ERR_INIT;
	int64_t pending;

	if (e)
		log_err(&r->log, "sweep-failed", NULL, e);
	else if (!records_count_pending(r->store, &pending, &failure))
		log_err(&r->log, "sweep-failed", NULL, &failure);
	else
		atomic_store(&r->pending_claims, pending);
	loop_timer_arm(&r->sweep, SWEEP_MS);
}

void registrar_sweep(void *registrar)
{
	struct registrar *r = registrar;
	const struct records_writer w = {r->store, r->workers[0].loop, on_swept, r};
	const int64_t now = clock_unix_s(&r->clock);
	const struct sweep_limits limits = {
		.claims_before = now - r->config.pending_days * DAY_S,
		.journal_before = now - r->config.journal_days * DAY_S,
		.journal_rows = JOURNAL_MAX,
		.certificates_before = now - r->config.journal_days * DAY_S,
	};
	struct err e = ERR_INIT;

	if (records_sweep(&w, &limits, &e))
		return;
	log_err(&r->log, "sweep-failed", NULL, &e);
	loop_timer_arm(&r->sweep, SWEEP_MS);
}

/* ---- Stopping ---- */

static void on_server_drained(void *arg)
{
	struct registrar *r = arg;

	if (atomic_fetch_sub(&r->draining, 1) == 1)
		r->drained(r->drained_arg);
}

void registrar_drain(struct registrar *r, void (*drained)(void *arg), void *arg)
{
	r->drained = drained;
	r->drained_arg = arg;
	log_event(&r->log, LOG_LEVEL_INFO, "draining", NULL, NULL);
	atomic_store(&r->draining, r->admin ? 2 : 1);
	if (r->admin)
		http_server_drain(r->admin, DRAIN_MS, on_server_drained, r);
	http_server_drain(r->server, DRAIN_MS, on_server_drained, r);
}

void registrar_close(struct registrar *r)
{
	store_close(r->store);
	for (size_t i = 0; i < r->worker_count; i++)
		http_client_free(r->workers[i].masa);
	if (r->sweep.ev)
		loop_timer_clear(&r->sweep);
	http_server_free(r->server);
	http_server_free(r->admin);
	tls_server_free(r->tls);
	outstanding_free(r->outstanding);
	for (size_t i = 0; i < r->manufacturer_count; i++)
		manufacturer_clear(&r->manufacturers[i]);
	ca_free(r->ca);
	identity_clear(&r->identity);
	cert_cache_free(r->cert_cache);
	registrar_config_clear(&r->config);
	memset(r, 0, sizeof(*r));
}
