/* SPDX-License-Identifier: Apache-2.0 */
/* Status, doctor, backup and restore of a MASA: see care.h. */
#include "masa/care.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/run/backup.h"
#include "common/run/checkup.h"
#include "common/run/store_copy.h"
#include "common/run/store_move.h"
#include "common/wire/datetime.h"
#include "masa/guard.h"
#include "masa/limits.h"
#include "masa/owner.h"

/* ---- What is looked at ---- */

struct figures {
	struct masa *m;
	const struct masa_setup *setup;
	int64_t now, devices, vouchers, backup;
	int64_t signer_end, tls_end;
	struct store_space space;
};

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static bool look(struct figures *f, struct err *e)
{
	const struct masa_setup *s = f->setup;

	f->now = masa_now(f->m);
	f->backup = backup_succeeded(f->m->backup);
	f->tls_end = atomic_load(&f->m->tls_not_after);
	f->signer_end = cert_not_after(s->signer.cert);
	if (s->has_nonceless_signer)
		f->signer_end = earlier(f->signer_end, cert_not_after(s->nonceless_signer.cert));
	return records_last_device(f->m->store, &f->devices, e) &&
	       records_last_event(f->m->store, &f->vouchers, e) &&
	       store_space(f->m->store, &f->space, e);
}

static bool wants_owners(const struct figures *f)
{
	return masa_owner_policy(f->setup).ownership == OWNERSHIP_KNOWN_OWNER &&
	       owners_count(f->m->owners) == 0;
}

/* ---- Status ---- */

enum health { HEALTH_OK, HEALTH_WARN, HEALTH_FAIL };
static const char *const health_names[] = {"ok", "warn", "fail"};

static bool is_over(const struct figures *f)
{
	return earlier(f->signer_end, f->tls_end) <= f->now;
}

static bool is_near_the_end(const struct figures *f)
{
	return !is_over(f) && earlier(f->signer_end, f->tls_end) - f->now <
				      (int64_t)CHECKUP_RENEW_DAYS * CHECKUP_DAY_S;
}

static bool is_full(const struct figures *f)
{
	return f->space.free_bytes >= 0 && f->space.free_bytes < CHECKUP_SPACE_MIN;
}

static bool knows_no_device(const struct figures *f)
{
	return f->devices == 0;
}

static bool has_no_copy(const struct figures *f)
{
	return f->backup ? f->now - f->backup > CHECKUP_BACKUP_AGE_S
			 : f->now - f->m->started_at > CHECKUP_BACKUP_NEW_S;
}

static const struct {
	bool (*is_so)(const struct figures *f);
	enum health health;
	const char *sentence;
} complaints[] = {
	{is_over, HEALTH_FAIL, "The certificate of the server or of a voucher signer has ended."},
	{is_full, HEALTH_FAIL, "The disk of the store is full."},
	{is_near_the_end, HEALTH_WARN,
		"The certificate of the server or of a voucher signer ends within 30 days."},
	{knows_no_device, HEALTH_WARN, "No device is known here."},
	{wants_owners, HEALTH_WARN, "Owners only get vouchers, and there is no owner."},
	{has_no_copy, HEALTH_WARN, "There was no backup for more than a day."},
};

static bool judge(const struct figures *f, json_t *answer)
{
	enum health worst = HEALTH_OK;
	json_t *problems = json_array();
	bool ok = problems && json_object_set_new(answer, "problems", problems) == 0;

	for (size_t i = 0; ok && i < sizeof(complaints) / sizeof(*complaints); i++) {
		if (!complaints[i].is_so(f))
			continue;
		if (complaints[i].health > worst)
			worst = complaints[i].health;
		ok = json_array_append_new(problems, json_string(complaints[i].sentence)) == 0;
	}
	return ok && json_object_set_new(answer, "health", json_string(health_names[worst])) == 0;
}

static json_t *moment(int64_t unix_s)
{
	char text[DATETIME_LEN + 1];
	struct err ignored = ERR_INIT;

	if (unix_s == 0 || unix_s == INT64_MAX || !datetime_format(unix_s, text, &ignored))
		return json_null();
	return json_string(text);
}

static json_t *tell(const struct figures *f)
{
	json_t *o = json_pack("{ss so sI sI sI sI so so sI so so}", "version", BRSKI_VERSION,
		"started", moment(f->m->started_at), "devices_known", (json_int_t)f->devices,
		"owners", (json_int_t)owners_count(f->m->owners), "vouchers",
		(json_int_t)f->vouchers, "connections",
		(json_int_t)(f->m->public ? http_server_connections(f->m->public) : 0),
		"certificate_not_after", moment(f->tls_end), "signer_not_after",
		moment(f->signer_end), "store_bytes", (json_int_t)f->space.bytes,
		"store_free_bytes", checkup_octets(f->space.free_bytes), "backup",
		moment(f->backup));

	if (o && judge(f, o))
		return o;
	json_decref(o);
	return NULL;
}

static void reply(struct call *c, const struct masa *m, const json_t *value, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(MASA_ADMIN_REPLY_MAX);

	if (!value && e->kind == ERR_NONE)
		err_set(e, ERR_NO_MEMORY, "no memory for an answer");
	if (value && json_format(value, &text, e))
		call_reply(c, 200, "application/json", buf_bytes(&text));
	else
		call_reply_err(c, m->log, "admin-failed", e);
}

void care_status(struct call *c, void *masa)
{
	struct masa *m = masa;
	struct masa_setup *s = masa_setup_take(m);
	struct figures f = {.m = m, .setup = s};
	struct err e = ERR_INIT;
	JSON_AUTO json_t *answer = look(&f, &e) ? tell(&f) : NULL;

	masa_setup_free(s);
	reply(c, m, answer, &e);
}

/* ---- Doctor ---- */

static void check_owners(struct checkup *k, const struct figures *f)
{
	checkup_note(k, "owners", wants_owners(f) ? CHECKUP_WARN : CHECKUP_OK,
		"masactl owners add NAME ANCHOR.pem: [policy] ownership asks for one", "%zu known",
		owners_count(f->m->owners));
}

static void check_devices(struct checkup *k, const struct figures *f)
{
	checkup_note(k, "devices", f->devices ? CHECKUP_OK : CHECKUP_WARN,
		"masactl devices import FILE.csv: no other device gets a voucher", "%lld known",
		(long long)f->devices);
}

static void check_log(struct checkup *k, const struct figures *f)
{
	struct err e = ERR_INIT;
	int64_t signed_at;
	bool holds = seal_holds(f->m->seal, &signed_at, &e);

	checkup_note(k, "audit log", holds ? CHECKUP_OK : CHECKUP_FAIL,
		e.kind == ERR_RETRY_LATER
			? CHECKUP_STORE_AWAY
			: "keep a copy of the store as it is; masactl audit verify tells more",
		"%s", holds ? "as it was signed" : e.text);
}

static void examine(struct checkup *k, const struct figures *f)
{
	const struct masa_config *config = f->setup->config;

	checkup_time(k);
	checkup_space(k, config->store_path);
	checkup_end(k, "server certificate", f->tls_end,
		"issue a new one and reload; brski-certs masa makes such");
	checkup_end(k, "voucher signer", f->signer_end,
		"issue a new one and reload; devices of before trust what it leads to");
	checkup_port(k, "port for registrars", config->listen);
	check_log(k, f);
	check_devices(k, f);
	check_owners(k, f);
}

void care_doctor(struct call *c, void *masa)
{
	struct masa *m = masa;
	struct masa_setup *s = masa_setup_take(m);
	struct figures f = {.m = m, .setup = s};
	JSON_AUTO json_t *items = json_array();
	JSON_AUTO json_t *answer = NULL;
	struct err e = ERR_INIT;

	if (items && look(&f, &e)) {
		struct checkup k = {.items = items, .now = f.now};

		examine(&k, &f);
		e = k.e;
		answer = e.kind == ERR_NONE ? json_pack("{sO sn}", "items", items, "next") : NULL;
	}
	masa_setup_free(s);
	reply(c, m, answer, &e);
}

/* ---- Backup ---- */

static int64_t now(void *app)
{
	return masa_now(app);
}

/* So that the audit log in the copy verifies. */
static void on_sealed(void *arg, const struct hash_chain_head *head, const struct err *e)
{
	backup_prepared(arg, e);
}

static bool prepare(void *app, struct backup *b, const char *exchange, const char *by,
	const char *path, struct err *e)
{
	const struct masa *m = app;

	log_event(m->log, LOG_LEVEL_INFO, "backup-begun", exchange, "path", path, "by", by, NULL);
	return seal_now(m->seal, on_sealed, b, e);
}

void care_backup_show(struct call *c, void *masa)
{
	const struct masa *m = masa;

	backup_tell(m->backup, c);
}

void care_backup_begin(struct call *c, void *masa)
{
	const struct masa *m = masa;

	backup_want(m->backup, c, masa_asked_by(c));
}

bool care_start(struct masa *m, struct loop *l, struct err *e)
{
	const struct backup_daemon d = {
		.log = m->log,
		.loop = l,
		.store_path = m->setup->config->store_path,
		.store = m->store,
		.schema = &masa_schema,
		.app = m,
		.now = now,
		.prepare = prepare,
	};

	m->started_at = masa_now(m);
	m->backup = backup_new(&d, e);
	return m->backup != NULL;
}

void care_end(struct masa *m)
{
	backup_free(m->backup);
	m->backup = NULL;
}

/* ---- Restore ---- */

/* A copy of an older release is brought to this one's form. */
static bool adopt(void *from, const char *path, struct err *e)
{
	struct store *s = store_open(path, &masa_schema, e);

	store_close(s);
	return s || err_prefix(e, "%s", (const char *)from);
}

static bool put_back(const struct masa_config *c, const char *from, struct err *e)
{
	const struct store_move m = {.schema = &masa_schema};
	FREE_AUTO char *kept = NULL;

	if (store_is_remote(c->store_path)) {
		if (!store_load(&m, from, c->store_path, adopt, (void *)(uintptr_t)from, e))
			return false;
		printf("restored the database from %s\n", from);
		return true;
	}
	if (!store_restore(from, c->store_path, adopt, (void *)(uintptr_t)from, &kept, e))
		return false;
	printf("restored %s from %s\n", c->store_path, from);
	if (kept)
		printf("what was there is %s\n", kept);
	return true;
}

bool care_restore(const char *config_path, const char *from, struct err *e)
{
	struct masa_config config = {.listen = NULL};
	bool ok = masa_config_load(config_path, &config, e) && put_back(&config, from, e);

	masa_config_clear(&config);
	return ok;
}
