/* SPDX-License-Identifier: Apache-2.0 */
/* What is true at the moment of a scrape: looked up on the listener's loop, each thing bounded, so
 * that a scrape holds up nobody whatever the store holds. */
#include "registrar/meters_gauges.h"

#include "common/run/metrics_listener.h"
#include "registrar/backup.h"
#include "registrar/issuing.h"
#include "registrar/masa_gate.h"
#include "registrar/masa_watch.h"
#include "registrar/notify/hooks.h"
#include "registrar/meters.h"
#include "registrar/published.h"
#include "registrar/revoked.h"

static void set(struct registrar *r, enum registrar_metric which, size_t a, int64_t value)
{
	metrics_set(r->metrics, which, a, 0, value);
}

static bool is_ready(void *registrar)
{
	struct registrar *r = registrar;

	return !atomic_load(&r->draining) && store_ready(r->store);
}

/* ---- Claims ---- */

static void look_at_claims(struct registrar *r)
{
	struct err e = ERR_INIT;
	int64_t count;

	for (int state = CLAIM_PENDING; state < CLAIM_STATE_COUNT; state++) {
		size_t row = (size_t)state - CLAIM_PENDING;

		if (records_count_claims(r->store, (enum claim_state)state, &count, &e))
			set(r, METER_CLAIMS, row, count);
		else
			metrics_unset(r->metrics, METER_CLAIMS, row, 0);
	}
}

static void look_at_devices(struct registrar *r)
{
	struct err e = ERR_INIT;
	int64_t count;

	for (int standing = STANDING_ACTIVE; standing < STANDING_STORED_COUNT; standing++) {
		size_t row = (size_t)standing - STANDING_ACTIVE;

		if (records_count_devices(r->store, (enum standing)standing, &count, &e))
			set(r, METER_DEVICES, row, count);
		else
			metrics_unset(r->metrics, METER_DEVICES, row, 0);
	}
}

static void look_at_oldest_claim(struct registrar *r)
{
	int64_t first_seen, now = clock_unix_s(&r->clock);
	struct err e = ERR_INIT;

	metrics_unset(r->metrics, METER_CLAIM_OLDEST, 0, 0);
	if (records_oldest_pending(r->store, &first_seen, &e))
		set(r, METER_CLAIM_OLDEST, 0,
			first_seen && first_seen < now ? now - first_seen : 0);
}

/* ---- Servers, certificates ---- */

static void tell_server(
	struct registrar *r, size_t transport, const struct server_counts *c, size_t connections)
{
	metrics_set(r->metrics, METER_HANDSHAKES, transport, METER_SHAKEN, (int64_t)c->handshakes);
	metrics_set(r->metrics, METER_HANDSHAKES, transport, METER_NOT_SHAKEN,
		(int64_t)c->handshakes_failed);
	set(r, METER_CONNECTIONS, transport, (int64_t)connections);
}

static void look_at_servers(struct registrar *r)
{
	struct server_counts https, coaps = {0}, published;

	http_server_counts(r->server, &https);
	tell_server(r, METER_HTTPS, &https, http_server_connections(r->server));
	if (r->coap)
		coap_server_counts(r->coap, &coaps);
	tell_server(r, METER_COAPS, &coaps, r->coap ? coap_server_sessions(r->coap) : 0);
	published_counts(r, &published);
	set(r, METER_RATE_LIMITED, METER_LIMIT_CONNECTIONS,
		(int64_t)(https.shed + coaps.shed + published.shed));
}

static void look_at_certificates(struct registrar *r)
{
	struct registrar_setup *s = registrar_setup_take(r);
	int64_t next_update = revoked_next_update(r, issuing_slot(s));

	metrics_unset(r->metrics, METER_CRL_NEXT_UPDATE, 0, 0);
	if (next_update)
		set(r, METER_CRL_NEXT_UPDATE, 0, next_update);
	set(r, METER_CERTIFICATE_NOT_AFTER, 0, cert_not_after(s->face->identity.cert));
	set(r, METER_CA_NOT_AFTER, 0, ca_not_after(s->ca));
	registrar_setup_free(s);
}

/* ---- Store and audit log ---- */

static void look_at_store(struct registrar *r)
{
	struct store_space space;
	struct err e = ERR_INIT;
	bool known = store_space(r->store, &space, &e);

	metrics_unset(r->metrics, METER_BACKUP, 0, 0);
	if (backup_succeeded(r->backup))
		set(r, METER_BACKUP, 0, backup_succeeded(r->backup));
	metrics_unset(r->metrics, METER_STORE_BYTES, 0, 0);
	metrics_unset(r->metrics, METER_STORE_FREE_BYTES, 0, 0);
	if (!known)
		return;
	set(r, METER_STORE_BYTES, 0, space.bytes);
	if (space.free_bytes >= 0) /* else it is not known */
		set(r, METER_STORE_FREE_BYTES, 0, space.free_bytes);
}

static bool take_line(void *arg, const struct journal_line *line, struct err *e)
{
	int64_t *sequence = arg;

	*sequence = line->sequence;
	return true;
}

static bool take_head(void *arg, const struct head_record *h, struct err *e)
{
	int64_t *sequence = arg;

	*sequence = h->head.sequence;
	return true;
}

static void look_at_journal(struct registrar *r)
{
	int64_t last = 0, sealed = 0;
	struct err e = ERR_INIT;

	metrics_unset(r->metrics, METER_AUDIT_LAST, 0, 0);
	metrics_unset(r->metrics, METER_AUDIT_SEALED, 0, 0);
	if (records_last_journal(r->store, take_line, &last, &e)) {
		set(r, METER_AUDIT_LAST, 0, last);
		set(r, METER_EVENT_BACKLOG, 0, store_leads(r->store) ? hooks_backlog(r, last) : 0);
	}
	if (records_last_head(r->store, take_head, &sealed, &e))
		set(r, METER_AUDIT_SEALED, 0, sealed);
}

/* ---- The listener ---- */

static void refresh(void *registrar)
{
	struct registrar *r = registrar;

	set(r, METER_BUILD_INFO, 0, 1);
	set(r, METER_READY, 0, is_ready(r));
	set(r, METER_LEADS, 0, store_leads(r->store));
	look_at_claims(r);
	look_at_devices(r);
	look_at_oldest_claim(r);
	look_at_servers(r);
	set(r, METER_MASAS_UNREACHABLE, 0, (int64_t)masa_watch_gone(r->masa_watch));
	set(r, METER_MASAS_LEFT_ALONE, 0, (int64_t)masa_gates_open(r->masa_gates));
	look_at_certificates(r);
	look_at_store(r);
	look_at_journal(r);
}

bool meters_start(struct registrar *r, struct err *e)
{
	const struct metrics_listener_config config = {
		.listen = r->setup->config.metrics_listen,
		.log = &r->log,
		.metrics = r->metrics,
		.refresh = refresh,
		.is_ready = is_ready,
		.app = r,
	};

	if (!config.listen)
		return true;
	r->watched = metrics_listener_new(&config, r->workers[0].loop, e);
	return r->watched != NULL;
}

void meters_stop(struct registrar *r)
{
	metrics_listener_free(r->watched);
	metrics_free(r->metrics);
}
