/* SPDX-License-Identifier: Apache-2.0 */
/* The PostgreSQL engine of the store: see store_postgres.h. Here: what a URI says, what is in a
 * database and how it gets from one version to the next, opening and closing. */
#include "common/run/store_postgres.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/clock.h"

#define WRITER_KEPT "7 days" /* a row of a writer: nobody is in doubt for that long */

/* ---- what the URI says ---- */

static const char *setting(const struct pg *p, const char *keyword)
{
	for (const PQconninfoOption *o = p->options; o->keyword; o++)
		if (strcmp(o->keyword, keyword) == 0)
			return o->val;
	return NULL;
}

/* "port 1,2"; libpq has nothing but commas for hosts that are named without one. */
static bool has_ports(const char *ports)
{
	return ports && ports[strspn(ports, ",")];
}

/* Its texts may quote what they could not read, which may be the password: they are not shown. */
static bool read_uri(struct pg *p, struct err *e)
{
	const char *hosts, *ports, *name;
	char *text = NULL;

	p->options = PQconninfoParse(p->store->where, &text);
	PQfreemem(text);
	if (!p->options)
		return err_set(e, ERR_INPUT, "store: this is no URI of a PostgreSQL database");
	hosts = setting(p, "host");
	ports = setting(p, "port");
	name = setting(p, "dbname");
	p->shown = str_printf(e, "database %s at %s%s%s", name ? name : "of the service",
		hosts ? hosts : "the socket", has_ports(ports) ? " port " : "",
		has_ports(ports) ? ports : "");
	return p->shown != NULL;
}

/* ---- what is in the database ---- */

#define TABLES_SQL                                                                                 \
	"CREATE TABLE store_schema (name text NOT NULL, version bigint NOT NULL);"                 \
	"CREATE TABLE store_writer (id text PRIMARY KEY, batch bigint NOT NULL,"                   \
	" at timestamptz NOT NULL);"                                                               \
	"CREATE FUNCTION chain_hash(previous bytea, VARIADIC fields text[]) RETURNS bytea"         \
	" LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$"                                              \
	" SELECT sha256(CASE WHEN octet_length(previous) = 32 THEN previous"                       \
	"  ELSE decode(repeat('00', 32), 'hex') END ||"                                            \
	"  coalesce((SELECT string_agg(CASE WHEN f IS NULL THEN convert_to('-', 'UTF8')"           \
	"   ELSE convert_to(octet_length(f) || ':' || f, 'UTF8') END, ''::bytea ORDER BY n)"       \
	"   FROM unnest(fields) WITH ORDINALITY AS field (f, n)), ''::bytea)) $$;"

#define IS_HERE "relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
/* One row: encoding, fsync, the schema, is a table of ours in it, are others' while ours is not? */
#define PLACE_SQL                                                                                  \
	"SELECT current_setting('server_encoding'), current_setting('fsync'), current_schema(),"   \
	" ours, NOT ours AND EXISTS (SELECT FROM pg_class WHERE relkind IN ('r', 'p')"             \
	"  AND " IS_HERE ") FROM (SELECT EXISTS (SELECT FROM pg_class"                             \
	"  WHERE relname = 'store_schema' AND " IS_HERE ") AS ours) AS place"
enum { ENCODING, FSYNC, SCHEMA, OURS, OTHERS };

static PGresult *one_row(struct pg *p, struct pg_link *l, const char *sql, struct err *e)
{
	const struct pg_patience patience = {.until_ms = PG_FOREVER};
	PGresult *r = pg_ask(l, sql, 0, NULL, &patience);

	if (r && pg_is_good(r) && PQntuples(r) == 1)
		return r;
	if (r && pg_is_good(r))
		err_set(e, ERR_STORE, "store: %s: %d rows for: %s", p->shown, PQntuples(r), sql);
	else
		pg_fail(p, l, r, "looking into it", e);
	PQclear(r);
	return NULL;
}

/* A server that does not flush loses what it has said to be durable. */
static void warn_of_fsync(const struct pg *p, const char *fsync_setting)
{
	if (strcmp(fsync_setting, "on") != 0 && p->store->log)
		log_event(p->store->log, LOG_LEVEL_WARNING, "store-unsafe", NULL, "store", p->shown,
			"reason", "the server runs with fsync=off", NULL);
}

/* Is this a place for our tables, and are they there? */
static bool look_at_place(struct pg *p, struct pg_link *l, bool *ours, struct err *e)
{
	PGresult *r = one_row(p, l, PLACE_SQL, e);
	bool ok = r != NULL;

	if (!ok)
		return false;
	*ours = *PQgetvalue(r, 0, OURS) == 't';
	if (strcmp(PQgetvalue(r, 0, ENCODING), "UTF8") != 0)
		ok = err_set(e, ERR_STORE, "store: %s: its encoding is %s, it must be UTF8",
			p->shown, PQgetvalue(r, 0, ENCODING));
	else if (PQgetisnull(r, 0, SCHEMA))
		ok = err_set(e, ERR_STORE, "store: %s: there is no schema for tables", p->shown);
	else if (*PQgetvalue(r, 0, OTHERS) == 't')
		ok = err_set(e, ERR_STORE, "store: %s is not a %s store", p->shown,
			p->store->schema->name);
	warn_of_fsync(p, PQgetvalue(r, 0, FSYNC));
	PQclear(r);
	return ok;
}

static bool version_in(struct pg *p, struct pg_link *l, int64_t *version, struct err *e)
{
	PGresult *r = one_row(p, l, "SELECT name, version FROM store_schema", e);
	bool ok = r != NULL;

	if (ok && strcmp(PQgetvalue(r, 0, 0), p->store->schema->name) != 0)
		ok = err_set(e, ERR_STORE, "store: %s is not a %s store", p->shown,
			p->store->schema->name);
	if (ok)
		*version = strtoll(PQgetvalue(r, 0, 1), NULL, 10);
	PQclear(r);
	return ok;
}

/* ---- from one version to the next ---- */

/* Both engines' tables are of one version, or a store could not be moved between them. */
static bool newest_version(const struct store_schema *schema, int64_t *newest, struct err *e)
{
	int64_t sqlite = 0, own = 0;

	if (!schema->postgres.migrations)
		return err_set(e, ERR_STORE, "store: a %s cannot be in PostgreSQL", schema->name);
	while (schema->migrations[sqlite])
		sqlite++;
	while (schema->postgres.migrations[own])
		own++;
	*newest = schema->postgres.first_version + own - 1;
	return *newest == sqlite ||
	       err_set(e, ERR_BUG, "store: version %lld for SQLite, %lld for PostgreSQL",
		       (long long)sqlite, (long long)*newest);
}

static bool ask(struct pg *p, struct pg_link *l, const char *sql, struct err *e)
{
	const struct pg_patience patience = {.until_ms = PG_FOREVER};

	return pg_do(p, l, sql, &patience, e);
}

static bool make_own(struct pg *p, struct pg_link *l, struct err *e)
{
	FREE_AUTO char *sql = str_printf(e, "%s INSERT INTO store_schema VALUES ('%s', 0)",
		TABLES_SQL, p->store->schema->name);

	return sql && ask(p, l, sql, e);
}

static bool migrate_one(struct pg *p, struct pg_link *l, int64_t *version, struct err *e)
{
	const struct store_schema *schema = p->store->schema;
	int64_t first = schema->postgres.first_version, next = *version ? *version + 1 : first;
	char set[64];

	snprintf(set, sizeof(set), "UPDATE store_schema SET version = %lld", (long long)next);
	if (*version && *version < first)
		return err_set(e, ERR_STORE, "store: %s: there is no way from version %lld",
			p->shown, (long long)*version);
	if (!ask(p, l, schema->postgres.migrations[next - first], e) || !ask(p, l, set, e))
		return err_prefix(e, "to schema version %lld", (long long)next);
	*version = next;
	return true;
}

/* Under the lock of all writers, in a transaction: one step on the way. */
static bool step(struct pg *p, struct pg_link *l, int64_t newest, int64_t *version, struct err *e)
{
	bool ours;

	if (!look_at_place(p, l, &ours, e) || (!ours && !make_own(p, l, e)) ||
		!version_in(p, l, version, e))
		return false;
	if (*version > newest)
		return err_set(e, ERR_STORE,
			"store: %s has schema version %lld, this program knows %lld: a newer "
			"release wrote it",
			p->shown, (long long)*version, (long long)newest);
	return *version == newest || migrate_one(p, l, version, e);
}

static bool migrate(struct pg *p, struct pg_link *l, struct err *e)
{
	FREE_AUTO char *lock = pg_lock_sql(p, "pg_advisory_xact_lock", PG_LOCK_WRITE, e);
	FREE_AUTO char *begin = lock ? str_printf(e, "BEGIN; %s", lock) : NULL;
	int64_t newest = 0, version = -1;
	struct err ignored = ERR_INIT;
	bool ok = begin && newest_version(p->store->schema, &newest, e);

	while (ok && version < newest) {
		ok = ask(p, l, begin, e) && step(p, l, newest, &version, e);
		if (ok)
			ok = ask(p, l, "COMMIT", e);
		else
			(void)!ask(p, l, "ROLLBACK", &ignored);
	}
	return ok &&
	       ask(p, l, "DELETE FROM store_writer WHERE at < now() - interval '" WRITER_KEPT "'",
		       e);
}

/* ---- opening ---- */

static void tell_waiting(const struct pg *p, const struct err *why)
{
	if (p->store->log)
		log_err(p->store->log, "store-waits", NULL, why);
}

/* The writer's first connection, with which the tables are made; all of it can be begun again. */
static bool begin(struct pg *p, struct err *e)
{
	struct pg_link *l = pg_link_open(p, false, e);
	bool ok = l && migrate(p, l, e) && pg_learn(p, l, e);

	if (ok)
		p->next_writer = l;
	else
		pg_link_close(l);
	return ok;
}

/* A database may come up after us, or just be moving from one machine to another. */
static bool begin_by(struct pg *p, int64_t until_ms, struct err *e)
{
	unsigned tries = 0;
	bool ok;

	while (!(ok = begin(p, e)) && e->kind == ERR_RETRY_LATER && clock_mono_ms() < until_ms) {
		if (tries == 0)
			tell_waiting(p, e);
		usleep((useconds_t)pg_pause_ms(tries++) * 1000);
	}
	return ok;
}

static bool init(struct pg *p, struct err *e)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &attr);
	pthread_condattr_destroy(&attr);
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->types = mem_new((p->store->statement_count + 1) * sizeof(*p->types), e);
	if (p->wake_fd < 0)
		return err_set_errno(e, ERR_IO, "store");
	return p->types && rng_exchange_id(p->id, e) && read_uri(p, e);
}

/* What runs here waits, and has begun nothing that a kill would harm. A daemon blocks the signals
 * that end it, to read them once it serves: until then they end it as they do other programs. No
 * thread may be made here, for it would never block them. */
static bool while_signals_end_us(bool (*wait)(struct pg *p, int64_t until_ms, struct err *e),
	struct pg *p, int64_t until_ms, struct err *e)
{
	sigset_t ends, before;
	bool ok;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &ends, &before);
	ok = wait(p, until_ms, e);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ok;
}

static bool pg_open(struct store *s, struct err *e)
{
	const int64_t until_ms = clock_mono_ms() + STORE_START_WAIT_MS;
	struct pg *p = s->own = mem_new(sizeof(*p), e);

	if (!p)
		return false;
	p->store = s;
	return init(p, e) && while_signals_end_us(begin_by, p, until_ms, e) &&
	       pg_keeper_start(p, e) && while_signals_end_us(pg_is_up_by, p, until_ms, e);
}

static void pg_close(struct store *s)
{
	struct pg *p = s->own;

	if (!p)
		return;
	pg_keeper_stop(p);
	for (size_t i = 0; i < p->idle_count; i++)
		pg_link_close(p->idle[i]);
	pg_link_close(p->next_writer);
	pg_link_close(p->writer);
	PQconninfoFree(p->options);
	if (p->wake_fd >= 0)
		close(p->wake_fd);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p->types);
	free(p->shown);
	free(p);
}

static bool pg_ready(struct store *s)
{
	struct pg *p = s->own;
	bool up;

	pthread_mutex_lock(&p->lock);
	up = p->up;
	pthread_mutex_unlock(&p->lock);
	return up && !pg_writer_hangs(p);
}

static bool pg_leads(struct store *s)
{
	struct pg *p = s->own;

	return atomic_load(&p->leads) && clock_mono_ms() - atomic_load(&p->looked_ms) < PG_LEAD_MS;
}

const struct store_engine store_postgres = {
	.open = pg_open,
	.close = pg_close,
	.run = pg_run,
	.read = pg_read,
	.space = pg_space,
	.ready = pg_ready,
	.leads = pg_leads,
	.row_int = pg_row_int,
	.row_text = pg_row_text,
	.row_blob = pg_row_blob,
};
