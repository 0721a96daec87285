/* SPDX-License-Identifier: Apache-2.0 */
/* GET /api/v1/status: what it is made of, and a table of what would be wrong with it. */
#include "registrar/admin/status.h"

#include <string.h>

#include "common/run/checkup.h"
#include "common/wire/hex.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/scope.h"
#include "registrar/announce.h"
#include "registrar/backup.h"
#include "registrar/issuing.h"
#include "registrar/masa_gate.h"
#include "registrar/masa_watch.h"
#include "registrar/records/records.h"
#include "registrar/revoked.h"
#include "registrar/standing.h"

#define CLAIM_WAIT_S 3600

struct figures {
	struct registrar *r;
	const struct registrar_setup *setup;
	int64_t now;
	int64_t claims[CLAIM_STATE_COUNT], devices[STANDING_STORED_COUNT];
	int64_t expiring, oldest, masas_gone, backup;
	struct store_space space;
};

/* ---- Looking ---- */

static bool count_all(struct figures *f, struct err *e)
{
	struct store *s = f->r->store;
	const struct standing_rule rule = standing_rule_of(f->r);

	for (int i = CLAIM_NONE + 1; i < CLAIM_STATE_COUNT; i++)
		if (!records_count_claims(s, (enum claim_state)i, &f->claims[i], e))
			return false;
	for (int i = STANDING_NONE + 1; i < STANDING_STORED_COUNT; i++)
		if (!records_count_devices(s, (enum standing)i, &f->devices[i], e))
			return false;
	return records_count_ending(s, f->now, f->now + rule.expiring_s, &f->expiring, e) &&
	       records_oldest_pending(s, &f->oldest, e) && store_space(s, &f->space, e);
}

static bool look(struct figures *f, struct err *e)
{
	f->now = registrar_now(f->r);
	f->masas_gone = (int64_t)masa_watch_gone(f->r->masa_watch);
	f->backup = backup_succeeded(f->r->backup);
	return count_all(f, e);
}

/* ---- Judging ---- */

enum health { HEALTH_OK, HEALTH_WARN, HEALTH_FAIL };
static const char *const health_names[] = {"ok", "warn", "fail"};

static bool is_over(const struct figures *f)
{
	return cert_not_after(f->setup->face->identity.cert) <= f->now ||
	       ca_not_after(f->setup->ca) <= f->now;
}

static bool is_near_the_end(const struct figures *f)
{
	const int64_t soon = f->now + (int64_t)CHECKUP_RENEW_DAYS * CHECKUP_DAY_S;

	return !is_over(f) && (cert_not_after(f->setup->face->identity.cert) <= soon ||
				      ca_not_after(f->setup->ca) <= soon);
}

static bool cannot_issue(const struct figures *f)
{
	return ca_fault(f->setup->ca) != NULL;
}

static bool lacks_its_standby(const struct figures *f)
{
	const struct ca *other =
		f->setup->cas[issuing_slot(f->setup) == CA_PRIMARY ? CA_STANDBY : CA_PRIMARY];

	return other && ca_fault(other);
}

static bool is_full(const struct figures *f)
{
	return f->space.free_bytes >= 0 && f->space.free_bytes < CHECKUP_SPACE_MIN;
}

static bool has_no_room(const struct figures *f)
{
	return f->claims[CLAIM_PENDING] >= f->setup->config.claims_max;
}

static bool is_waited_for(const struct figures *f)
{
	return f->oldest && f->now - f->oldest > CLAIM_WAIT_S;
}

static bool lacks_a_masa(const struct figures *f)
{
	return f->masas_gone > 0;
}

static bool lacks_manufacturers(const struct figures *f)
{
	return f->setup->manufacturer_count == 0;
}

static bool has_no_list(const struct figures *f)
{
	return ca_crl_issuer(f->setup->ca).len > 0 &&
	       revoked_next_update(f->r, issuing_slot(f->setup)) <= f->now &&
	       f->now - f->r->started_at > CLAIM_WAIT_S;
}

static bool has_no_copy(const struct figures *f)
{
	return f->backup ? f->now - f->backup > CHECKUP_BACKUP_AGE_S
			 : f->now - f->r->started_at > CHECKUP_BACKUP_NEW_S;
}

static const struct {
	bool (*is_so)(const struct figures *f);
	enum health health;
	const char *sentence;
} complaints[] = {
	{is_over, HEALTH_FAIL, "The certificate of the registrar or of its CA has ended."},
	{cannot_issue, HEALTH_FAIL,
		"The issuing CA cannot be used, but the other can: registrarctl ca switch."},
	{lacks_its_standby, HEALTH_WARN, "The issuing CA that stands by cannot be used."},
	{is_full, HEALTH_FAIL, "The disk of the store is full."},
	{has_no_room, HEALTH_FAIL, "As many claims are open as may be."},
	{is_near_the_end, HEALTH_WARN,
		"The certificate of the registrar or of its CA ends within 30 days."},
	{lacks_manufacturers, HEALTH_WARN, "No manufacturer is configured."},
	{lacks_a_masa, HEALTH_WARN, "A MASA does not answer."},
	{has_no_list, HEALTH_WARN, "The revocation list is out of date."},
	{is_waited_for, HEALTH_WARN, "A device waits for a decision for more than an hour."},
	{has_no_copy, HEALTH_WARN, "There was no backup for more than a day."},
};

static bool judge(const struct figures *f, json_t *answer, struct err *e)
{
	enum health worst = HEALTH_OK;
	json_t *problems = json_array();

	if (!problems || json_object_set_new(answer, "problems", problems) != 0)
		return err_set(e, ERR_NO_MEMORY, "no memory for a status");
	for (size_t i = 0; i < sizeof(complaints) / sizeof(*complaints); i++) {
		if (!complaints[i].is_so(f))
			continue;
		if (complaints[i].health > worst)
			worst = complaints[i].health;
		if (!admin_append(problems, json_string(complaints[i].sentence), e))
			return false;
	}
	return json_object_set_new(answer, "health", json_string(health_names[worst])) == 0 ||
	       err_set(e, ERR_NO_MEMORY, "no memory for a status");
}

/* ---- Telling ---- */

static json_t *counts_object(const int64_t *counts, int from, int to, const char *(*name)(int i))
{
	json_t *o = json_object();

	for (int i = from; i < to; i++)
		if (json_object_set_new(o, name(i), json_integer(counts[i])) != 0) {
			json_decref(o);
			return NULL;
		}
	return o;
}

static const char *claim_name(int i)
{
	return claim_state_name((enum claim_state)i);
}

static const char *device_name(int i)
{
	return standing_name((enum standing)i);
}

static const char *masa_state_name(enum masa_state s)
{
	static const char *const names[] = {
		[MASA_NOT_ASKED] = "not asked yet", [MASA_UP] = "up", [MASA_GONE] = "down"};

	return names[s];
}

static json_t *masas_array(const struct figures *f)
{
	json_t *all = json_array();

	for (size_t i = 0; i < f->setup->manufacturer_count; i++) {
		const char *name = f->setup->manufacturers[i].config->name;
		json_t *masa = json_pack("{ss ss}", "manufacturer", name, "state",
			masa_state_name(masa_watch_state(f->r->masa_watch, name)));

		if (json_array_append_new(all, masa) != 0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

static void add_gate(void *arg, const struct masa_gate_sight *s)
{
	json_array_append_new(
		arg, json_pack("{ss ss sI sI}", "masa", s->name, "state",
			     masa_gate_state_name(s->state), "failures", (json_int_t)s->failures,
			     "again_in_s", (json_int_t)((s->wait_ms + 999) / 1000)));
}

/* Each address of a MASA that was asked since the start. */
static json_t *gates_array(const struct figures *f)
{
	json_t *all = json_array();

	if (all)
		masa_gates_each(f->r->masa_gates, clock_mono_ms(), add_gate, all);
	return all;
}

static json_t *itself_object(const struct figures *f)
{
	const struct cert *own = f->setup->face->identity.cert;
	char id[2 * SHA256_LEN + 1];

	hex_encode(bytes_of(cert_sha256(own), SHA256_LEN), id);
	return json_pack("{ss so sI sI sI sI ss ss so so so}", "version", BRSKI_VERSION, "started",
		admin_moment(f->r->started_at), "claims_pending",
		(json_int_t)f->claims[CLAIM_PENDING], "vouchers_under_way",
		(json_int_t)outstanding_count(f->r->outstanding), "connections",
		(json_int_t)http_server_connections(f->r->server), "manufacturers",
		(json_int_t)f->setup->manufacturer_count, "certificate", cert_subject(own),
		"certificate_sha256", id, "certificate_not_after",
		admin_moment(cert_not_after(own)), "ca_not_after",
		admin_moment(ca_not_after(f->setup->ca)), "crl_next_update",
		admin_moment(revoked_next_update(f->r, issuing_slot(f->setup))));
}

static json_t *figures_object(const struct figures *f)
{
	return json_pack("{so so so sI so so so sI so so}", "claims",
		counts_object(f->claims, CLAIM_NONE + 1, CLAIM_STATE_COUNT, claim_name),
		"oldest_pending", admin_moment(f->oldest), "devices",
		counts_object(f->devices, STANDING_NONE + 1, STANDING_STORED_COUNT, device_name),
		"expiring", (json_int_t)f->expiring, "masas", masas_array(f), "masa_addresses",
		gates_array(f), "announced", announce_show(f->r), "store_bytes",
		(json_int_t)f->space.bytes, "store_free_bytes", checkup_octets(f->space.free_bytes),
		"backup", admin_moment(f->backup));
}

static json_t *tell(const struct figures *f, struct err *e)
{
	JSON_AUTO json_t *figures = figures_object(f);
	json_t *answer = itself_object(f);

	if (answer && figures && json_object_update(answer, figures) == 0 && judge(f, answer, e))
		return answer;
	json_decref(answer);
	return NULL;
}

/* ---- For who does not see everything ---- */

#define PENDING_SHOWN_MAX 1000 /* claims that are looked at: more than that is many */

struct in_sight {
	const struct call *call;
	int64_t pending, oldest;
};

static bool count_in_sight(void *arg, const struct claim_row *row, struct err *e)
{
	struct in_sight *s = arg;

	if (!admin_sees(s->call, row->manufacturer, row->site))
		return true;
	s->pending++;
	if (row->first_seen && (!s->oldest || row->first_seen < s->oldest))
		s->oldest = row->first_seen;
	return true;
}

static json_t *masas_in_sight(const struct call *c, const json_t *all)
{
	json_t *some = json_array();
	json_t *masa;
	size_t i;

	json_array_foreach(all, i, masa)
	{
		const char *name = json_string_value(json_object_get(masa, "manufacturer"));

		if (admin_sees(c, name, NULL) && json_array_append(some, masa) != 0)
			return some;
	}
	return some;
}

/* How many devices others have, and how the machine is, is not theirs to know. */
static bool bound(const struct call *c, struct registrar *r, json_t *answer, struct err *e)
{
	static const char *const inner[] = {"claims", "devices", "expiring", "problems",
		"vouchers_under_way", "connections", "manufacturers", "store_bytes",
		"store_free_bytes", "backup", "announced", "masa_addresses"};
	struct in_sight s = {.call = c};
	json_t *masas;

	if (!records_list_claims(
		    r->store, CLAIM_PENDING, 0, PENDING_SHOWN_MAX, count_in_sight, &s, e))
		return false;
	for (size_t i = 0; i < sizeof(inner) / sizeof(*inner); i++)
		json_object_del(answer, inner[i]);
	masas = masas_in_sight(c, json_object_get(answer, "masas"));
	if (json_object_set_new(answer, "masas", masas) == 0 &&
		json_object_set_new(answer, "claims_pending", json_integer(s.pending)) == 0 &&
		json_object_set_new(answer, "oldest_pending", admin_moment(s.oldest)) == 0)
		return true;
	return err_set(e, ERR_NO_MEMORY, "no memory for a status");
}

void status_show(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct registrar_setup *s = registrar_setup_take(r);
	struct figures f = {.r = r, .setup = s};
	struct err e = ERR_INIT;
	JSON_AUTO json_t *answer = NULL;

	if (look(&f, &e))
		answer = tell(&f, &e);
	if (answer && !admin_sees_all(c) && !bound(c, r, answer, &e)) {
		json_decref(answer);
		answer = NULL;
	}
	registrar_setup_free(s);
	if (e.kind == ERR_NONE)
		admin_reply(c, r, answer);
	else
		call_reply_err(c, &r->log, "admin-failed", &e);
}
