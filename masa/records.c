/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA's tables, their statements and the functions that speak for them: see records.h. */
#include "masa/records.h"

#include <stdlib.h>
#include <string.h>

#include "common/wire/base64.h"
#include "masa/records_sql.h"

#define DUPLICATES_COUNTED_MAX 1024 /* counters in the log may stop here (RFC 8995 §5.8.1) */

static const char *const migrations[] = {
	"CREATE TABLE owners (name TEXT PRIMARY KEY, anchors TEXT NOT NULL, created INTEGER NOT "
	"NULL);"
	/* issuer_key: the key identifier of the IDevID's issuer, empty where serials are unique */
	"CREATE TABLE devices (id INTEGER PRIMARY KEY, serial TEXT NOT NULL, issuer_key BLOB NOT "
	"NULL,"
	" idevid_issuer BLOB, owner TEXT REFERENCES owners (name), created INTEGER NOT NULL,"
	" UNIQUE (serial, issuer_key));"
	"CREATE TABLE events (id INTEGER PRIMARY KEY,"
	" device INTEGER NOT NULL REFERENCES devices (id), date INTEGER NOT NULL,"
	" domain_id TEXT NOT NULL, domain_key BLOB NOT NULL, nonce TEXT, assertion INTEGER NOT "
	"NULL,"
	" digest BLOB UNIQUE, expires_on INTEGER, content TEXT NOT NULL, registrar TEXT NOT NULL);"
	"CREATE INDEX events_of_device ON events (device, domain_key)",
	/* The audit log becomes a hash chain whose heads are signed; nothing of it ever goes. */
	"ALTER TABLE events ADD COLUMN hash BLOB;"
	"CREATE TABLE head (sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL, hash BLOB NOT NULL,"
	" signature BLOB NOT NULL, certificates TEXT NOT NULL);"
	"CREATE TRIGGER events_stay BEFORE UPDATE OF id, device, date, domain_id, domain_key, "
	"nonce,"
	" assertion, expires_on, content, registrar, hash ON events WHEN OLD.hash IS NOT NULL BEGIN"
	" SELECT RAISE(ABORT, 'the audit log is only added to'); END;"
	"CREATE TRIGGER events_are_kept BEFORE DELETE ON events BEGIN"
	" SELECT RAISE(ABORT, 'the audit log is only added to'); END",
	/* Several MASAs with one database read the owners again when one has changed them. */
	"ALTER TABLE owners ADD COLUMN revision INTEGER NOT NULL DEFAULT 0",
	/* One voucher for a pledge's request, however often its registrar asks: of those that were
	 * given twice before, the last one counts. */
	"UPDATE events SET digest = NULL WHERE nonce IS NOT NULL AND digest IS NOT NULL"
	" AND id NOT IN (SELECT max(id) FROM events WHERE digest IS NOT NULL"
	" GROUP BY device, domain_key, nonce);"
	"DROP INDEX events_of_device;"
	"CREATE UNIQUE INDEX events_of_device ON events"
	" (device, domain_key, (CASE WHEN digest IS NOT NULL THEN nonce END))",
	/* Where owners want their devices; kind: enum destination_kind. */
	"CREATE TABLE destination (owner TEXT NOT NULL REFERENCES owners (name),"
	" kind INTEGER NOT NULL, url TEXT NOT NULL, weight INTEGER NOT NULL, region TEXT, pin BLOB,"
	" PRIMARY KEY (owner, kind, url))",
	NULL,
};

/* A domainID is a key identifier, and a CA may write another's into its certificate. One that
 * stands for several keys in the same log names nobody: its events go by the fingerprint of the
 * key, as if there were no identifier (RFC 8995 §5.8.2), so that each domain knows its own. */
#define KEY_OF_SHARED "CASE WHEN shared.domain_id IS NULL THEN NULL ELSE e.domain_key END"
#define JOIN_SHARED                                                                                \
	" LEFT JOIN (SELECT domain_id FROM events WHERE device = $1 GROUP BY domain_id"            \
	" HAVING count(DISTINCT domain_key) > 1) AS shared ON shared.domain_id = e.domain_id"

/* As the index has it: a device that joins often has many events of one domain. */
#define NONCE_OF_DIGEST "(CASE WHEN digest IS NOT NULL THEN nonce END)"
#define HAS_EXPIRED	" AND digest IS NOT NULL AND expires_on IS NOT NULL AND expires_on <= $2"

/* Of the event that EVENT_ADD adds. */
#define CHAINED(previous, id)                                                                      \
	"chain_hash(" previous ", " id ", $2, (SELECT serial FROM devices WHERE devices.id = $1)," \
	" $3, lower(hex($4)), $5, $6, $8, $9, $10)"
#define FIRST_HASH CHAINED("NULL", "1")
#define NEXT_HASH  "(SELECT " CHAINED("hash", "id + 1") " FROM events ORDER BY id DESC LIMIT 1)"

static const char *const statements[] = {
	[DEVICES_BY_SERIAL] =
		"SELECT id, serial, owner, idevid_issuer, issuer_key, created FROM devices"
		" WHERE serial = $1 ORDER BY issuer_key",
	[DEVICES_AFTER] =
		"SELECT id, serial, owner, idevid_issuer, issuer_key, created FROM devices"
		" WHERE id > $1 ORDER BY id LIMIT $2",
	[DEVICE_SET_ISSUER] = "UPDATE devices SET issuer_key = $2, idevid_issuer = $3"
			      " WHERE serial = $1 AND length(issuer_key) = 0 AND issuer_key <> $2",
	[DEVICE_ADD] = "INSERT INTO devices (serial, issuer_key, idevid_issuer, created)"
		       " SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM devices"
		       " WHERE serial = $1 AND (issuer_key = $2 OR length($2) = 0))",
	[DEVICE_SET_OWNER] =
		"UPDATE devices SET owner = $3 WHERE serial = $1"
		" AND (issuer_key = $2 OR length($2) = 0) AND CAST($3 AS TEXT) IS NOT NULL"
		" AND owner IS DISTINCT FROM $3",
	[OWNERS_ALL] = "SELECT name, anchors, created FROM owners ORDER BY name",
	[OWNER_PUT] = "INSERT INTO owners (name, anchors, created, revision) VALUES ($1, $2, $3,"
		      " (SELECT coalesce(max(revision), 0) + 1 FROM owners))"
		      " ON CONFLICT (name) DO UPDATE SET anchors = excluded.anchors,"
		      " revision = excluded.revision",
	[OWNERS_REVISION] = "SELECT coalesce(max(revision), 0) FROM owners",
	/* one for each of what an event is found by: with OR, SQLite makes a table for the rows */
	[EVENT_RELEASE_DIGEST] = "UPDATE events SET digest = NULL WHERE digest = $1" HAS_EXPIRED,
	[EVENT_RELEASE_NONCE] = "UPDATE events SET digest = NULL WHERE device = $1"
				" AND domain_key = $3 AND " NONCE_OF_DIGEST " = $4" HAS_EXPIRED,
	/* each event's hash covers that of the one before it (audit.h), whose number it follows;
	 * not INSERT ... SELECT, which SQLite puts aside in a table of its own first */
	[EVENT_ADD] = "INSERT INTO events (device, date, domain_id, domain_key, nonce, assertion,"
		      " digest, expires_on, content, registrar, hash)"
		      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
		      "coalesce(" NEXT_HASH ", " FIRST_HASH ")) ON CONFLICT DO NOTHING",
	[ISSUED_BY_DIGEST] = "SELECT device, content FROM events WHERE digest = $1"
			     " AND (expires_on IS NULL OR expires_on > $2)",
	[ISSUED_BY_NONCE] = "SELECT device, content FROM events WHERE device = $1"
			    " AND domain_key = $2 AND " NONCE_OF_DIGEST " = $3"
			    " AND (expires_on IS NULL OR expires_on > $4)",
	[WAS_OWNER] = "SELECT 1 FROM events WHERE device = $1 AND domain_key = $2 LIMIT 1",
	/* Most devices had one owner; then there is nothing to be found out about the keys. With
	 * OFFSET the rows are limited before they are sorted, without a table for that. */
	[EVENTS_OF_ONE] =
		"SELECT date, domain_id, nonce, assertion, 1, NULL, domain_key, device FROM"
		" (SELECT id, date, domain_id, nonce, assertion, domain_key, device"
		" FROM events WHERE device = coalesce($1,"
		" (SELECT device FROM events WHERE digest = $3))"
		" LIMIT $2 OFFSET 0) AS e ORDER BY id DESC",
	[EVENTS_FULL] =
		"SELECT date, e.domain_id, nonce, assertion, 1, " KEY_OF_SHARED
		" FROM events AS e" JOIN_SHARED " WHERE device = $1 ORDER BY id DESC LIMIT $2",
	[EVENTS_ABRIDGED] = "SELECT date, e.domain_id, nonce, assertion, of_kind, " KEY_OF_SHARED
			    " FROM (SELECT id, date, domain_id, domain_key, nonce, assertion,"
			    " count(*) OVER kind AS of_kind,"
			    " row_number() OVER (PARTITION BY domain_id, domain_key, nonce IS NULL"
			    " ORDER BY id DESC) AS place"
			    " FROM events WHERE device = $1 WINDOW kind AS"
			    " (PARTITION BY domain_id, domain_key, nonce IS NULL)) AS e" JOIN_SHARED
			    " WHERE place = 1 ORDER BY id DESC",
	[EVENTS_BY_SERIAL] = "SELECT e.id, e.date, e.expires_on, d.serial, e.domain_id, e.nonce, "
			     "e.assertion, e.registrar"
			     " FROM events AS e JOIN devices AS d ON d.id = e.device"
			     " WHERE d.serial = $1 AND e.id > $2 ORDER BY e.id LIMIT $3",
	[LAST_EVENT] = "SELECT coalesce(max(id), 0) FROM events",
	[LAST_DEVICE] = "SELECT coalesce(max(id), 0) FROM devices",
	[AUDIT_LINES] = "SELECT e.id, e.date, d.serial, e.domain_id, lower(hex(e.domain_key)),"
			" e.nonce, e.assertion, e.expires_on, e.content, e.registrar, e.hash"
			" FROM events AS e JOIN devices AS d ON d.id = e.device"
			" WHERE e.id > $1 ORDER BY e.id LIMIT $2",
	[AUDIT_HEADS] = "SELECT sequence, at, hash, signature, certificates FROM head"
			" WHERE sequence > $1 ORDER BY sequence LIMIT $2",
	[AUDIT_LINE] = "SELECT id, hash FROM events WHERE id = $1",
	[AUDIT_LAST_LINE] = "SELECT id, hash FROM events ORDER BY id DESC LIMIT 1",
	[AUDIT_LAST_HEAD] = "SELECT sequence, at, hash, signature, certificates FROM head"
			    " ORDER BY sequence DESC LIMIT 1",
	[AUDIT_ADD_HEAD] = "INSERT INTO head (sequence, at, hash, signature, certificates)"
			   " SELECT $1, $2, $3, $4, $5 WHERE EXISTS"
			   " (SELECT 1 FROM events WHERE id = $1 AND hash = $3)"
			   " ON CONFLICT (sequence) DO NOTHING",
	[DESTINATIONS_OF] = "SELECT kind, url, weight, region, pin FROM destination"
			    " WHERE owner = $1 ORDER BY kind, url",
	[DESTINATION_REPLACED] =
		"DELETE FROM destination WHERE owner = $1 AND kind = $2 AND url <> $3",
	/* an owner has so many at most; one that is there may change */
	[DESTINATION_PUT] =
		"INSERT INTO destination (owner, kind, url, weight, region, pin)"
		" SELECT $1, $2, $3, $4, $5, $6 WHERE"
		" (SELECT count(*) FROM destination AS d WHERE d.owner = $1"
		" AND NOT (d.kind = $2 AND d.url = $3)) < $7"
		" ON CONFLICT (owner, kind, url) DO UPDATE SET weight = excluded.weight,"
		" region = excluded.region, pin = excluded.pin",
	[DESTINATION_REMOVE] = "DELETE FROM destination WHERE owner = $1 AND url = $2",
	[STATEMENT_COUNT] = NULL,
};

const struct store_schema masa_schema = {
	.name = "masa",
	.migrations = migrations,
	.statements = statements,
	.postgres = {masa_postgres_migrations, MASA_POSTGRES_FIRST, masa_postgres_statements},
	.moving = {.used = "SELECT CASE WHEN EXISTS (SELECT 1 FROM devices) "
			   "OR EXISTS (SELECT 1 FROM owners) THEN 1 ELSE 0 END",
		.broken = "SELECT coalesce(min(id), 0) FROM (SELECT e.id, hash, chain_hash("
			  "(SELECT p.hash FROM events AS p WHERE p.id = e.id - 1), "
			  "CAST(e.id AS TEXT), CAST(date AS TEXT), d.serial, domain_id, "
			  "lower(hex(domain_key)), nonce, assertion, CAST(expires_on AS TEXT), "
			  "content, registrar) AS wanted FROM events AS e JOIN devices AS d "
			  "ON d.id = e.device) AS line WHERE hash <> wanted"},
};

/* ---- devices ---- */

void device_list_clear(struct device_list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free(l->items[i].serial);
		free(l->items[i].owner);
		buf_clear(&l->items[i].idevid_issuer);
		buf_clear(&l->items[i].issuer_key);
	}
	l->count = 0;
}

static struct device_row device_row_of(const struct store_row *r)
{
	return (struct device_row){
		.id = store_row_int(r, 0),
		.serial = store_row_text(r, 1),
		.owner = store_row_text(r, 2),
		.idevid_issuer = store_row_blob(r, 3),
		.issuer_key = store_row_blob(r, 4),
		.created = store_row_int(r, 5),
	};
}

static bool keep_octets(struct buf *to, struct bytes from, struct err *e)
{
	buf_init(to, from.len);
	return buf_append(to, from.data, from.len, e);
}

static bool keep_device(void *arg, const struct store_row *r, struct err *e)
{
	struct device_list *l = arg;
	struct device_row row = device_row_of(r);
	struct device *d = &l->items[l->count];

	if (l->count == MASA_NAMESAKES_MAX)
		return err_set(e, ERR_STORE, "more than %d devices called %s", MASA_NAMESAKES_MAX,
			row.serial);
	*d = (struct device){.id = row.id, .created = row.created};
	l->count++;
	d->serial = str_dup(row.serial, e);
	if (!d->serial || (row.owner && !(d->owner = str_dup(row.owner, e))))
		return false;
	return keep_octets(&d->idevid_issuer, row.idevid_issuer, e) &&
	       keep_octets(&d->issuer_key, row.issuer_key, e);
}

bool records_devices_find(
	struct store *s, const char *serial, struct device_list *out, struct err *e)
{
	struct store_value v = store_text(serial);

	out->count = 0;
	if (store_read(s, DEVICES_BY_SERIAL, &v, 1, keep_device, out, NULL, e))
		return true;
	device_list_clear(out);
	return false;
}

struct device_reader {
	device_row_fn *fn;
	void *arg;
};

static bool hand_device(void *arg, const struct store_row *r, struct err *e)
{
	struct device_reader *to = arg;
	struct device_row row = device_row_of(r);

	return to->fn(to->arg, &row, e);
}

bool records_devices_list(
	struct store *s, int64_t after, device_row_fn *fn, void *arg, struct err *e)
{
	struct store_value v[] = {STORE_I(after), STORE_I(MASA_PAGE_ROWS)};
	struct device_reader to = {fn, arg};

	return store_read(s, DEVICES_AFTER, v, 2, hand_device, &to, NULL, e);
}

/* An empty key stands for "any issuer" and must be a blob of no octets, not NULL. */
static struct store_value issuer_key_value(struct bytes key)
{
	return store_blob(key.len ? key : bytes_of("", 0));
}

void records_device_import(
	const struct device_row *row, int64_t now, struct store_op ops[DEVICE_IMPORT_OPS])
{
	struct store_value serial = store_text(row->serial),
			   key = issuer_key_value(row->issuer_key);
	struct store_value issuer = row->idevid_issuer.len
					    ? store_blob(row->idevid_issuer)
					    : (struct store_value){.type = STORE_NULL};

	ops[0] = (struct store_op){
		.statement = DEVICE_SET_ISSUER, .params = {serial, key, issuer}, .param_count = 3};
	ops[1] = (struct store_op){.statement = DEVICE_ADD,
		.params = {serial, key, issuer, STORE_I(now)},
		.param_count = 4};
	ops[2] = (struct store_op){.statement = DEVICE_SET_OWNER,
		.params = {serial, key, store_text(row->owner)},
		.param_count = 3};
}

/* ---- owners ---- */

struct owner_reader {
	owner_row_fn *fn;
	void *arg;
};

static bool hand_owner(void *arg, const struct store_row *r, struct err *e)
{
	struct owner_reader *to = arg;

	return to->fn(to->arg, store_row_text(r, 0), store_row_text(r, 1), store_row_int(r, 2), e);
}

bool records_owners_list(struct store *s, owner_row_fn *fn, void *arg, struct err *e)
{
	struct owner_reader to = {fn, arg};

	return store_read(s, OWNERS_ALL, NULL, 0, hand_owner, &to, NULL, e);
}

static bool take_number(void *arg, const struct store_row *r, struct err *e)
{
	*(int64_t *)arg = store_row_int(r, 0);
	return true;
}

bool records_owners_revision(struct store *s, int64_t *revision, struct err *e)
{
	return store_read(s, OWNERS_REVISION, NULL, 0, take_number, revision, NULL, e);
}

struct store_op records_owner_put(const char *name, const char *anchors_pem, int64_t now)
{
	return (struct store_op){.statement = OWNER_PUT,
		.params = {store_text(name), store_text(anchors_pem), STORE_I(now)},
		.param_count = 3};
}

/* ---- the audit log ---- */

void records_event_write(const struct event *ev, struct store_op ops[EVENT_OPS])
{
	struct store_value digest = store_blob(bytes_of(ev->digest, SHA256_LEN)),
			   key = store_blob(bytes_of(ev->domain_key, SHA256_LEN));
	struct store_value expires =
		ev->expires_on ? STORE_I(ev->expires_on) : (struct store_value){.type = STORE_NULL};

	ops[0] = (struct store_op){.statement = EVENT_RELEASE_DIGEST,
		.params = {digest, STORE_I(ev->date)},
		.param_count = 2};
	ops[1] = (struct store_op){.statement = EVENT_RELEASE_NONCE,
		.params = {STORE_I(ev->device), STORE_I(ev->date), key, store_text(ev->nonce)},
		.param_count = 4};
	ops[2] = (struct store_op){.statement = EVENT_ADD,
		.params = {STORE_I(ev->device), STORE_I(ev->date), store_text(ev->domain_id), key,
			store_text(ev->nonce), store_text(voucher_assertion_name(ev->assertion)),
			digest, expires, store_text(ev->content), store_text(ev->registrar)},
		.param_count = 10};
}

void issued_clear(struct issued *i)
{
	free(i->content);
	*i = (struct issued){.found = false};
}

static bool keep_issued(void *arg, const struct store_row *r, struct err *e)
{
	struct issued *i = arg;

	i->device = store_row_int(r, 0);
	i->content = str_dup(store_row_text(r, 1), e);
	i->found = i->content != NULL;
	return i->found;
}

bool records_issued_find(struct store *s, const uint8_t digest[SHA256_LEN], int64_t now,
	struct issued *out, struct err *e)
{
	struct store_value v[] = {store_blob(bytes_of(digest, SHA256_LEN)), STORE_I(now)};

	*out = (struct issued){.found = false};
	return store_read(s, ISSUED_BY_DIGEST, v, 2, keep_issued, out, NULL, e);
}

bool records_issued_for_nonce(struct store *s, int64_t device, const uint8_t domain_key[SHA256_LEN],
	const char *nonce, int64_t now, struct issued *out, struct err *e)
{
	struct store_value v[] = {STORE_I(device), store_blob(bytes_of(domain_key, SHA256_LEN)),
		store_text(nonce), STORE_I(now)};

	*out = (struct issued){.found = false};
	return store_read(s, ISSUED_BY_NONCE, v, 4, keep_issued, out, NULL, e);
}

static bool keep_int(void *arg, const struct store_row *r, struct err *e)
{
	*(int64_t *)arg = store_row_int(r, 0);
	return true;
}

bool records_was_owner(struct store *s, int64_t device, const uint8_t domain_key[SHA256_LEN],
	bool *was, struct err *e)
{
	struct store_value v[] = {STORE_I(device), store_blob(bytes_of(domain_key, SHA256_LEN))};
	int64_t rows = 0;

	if (!store_read(s, WAS_OWNER, v, 2, NULL, NULL, &rows, e))
		return false;
	*was = rows > 0;
	return true;
}

static char *own(const char *s, struct err *e)
{
	return s ? str_dup(s, e) : NULL;
}

static enum voucher_assertion assertion_of(const char *name)
{
	static const enum voucher_assertion all[] = {ASSERTION_VERIFIED, ASSERTION_LOGGED,
		ASSERTION_PROXIMITY, ASSERTION_AGENT_PROXIMITY};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (strcmp(voucher_assertion_name(all[i]), name) == 0)
			return all[i];
	return ASSERTION_OTHER;
}

static char *domain_id_of(const struct store_row *r, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(2 * SHA256_LEN);
	struct bytes key = store_row_blob(r, 5);

	if (!key.len)
		return own(store_row_text(r, 1), e);
	return base64_encode(key, &text, e) ? str_dup(buf_str(&text), e) : NULL;
}

static bool keep_event(void *arg, const struct store_row *r, struct err *e)
{
	struct audit_log *log = arg;
	FREE_AUTO char *domain_id = domain_id_of(r, e);
	FREE_AUTO char *nonce = own(store_row_text(r, 2), e);
	int64_t of_kind = store_row_int(r, 4);
	struct audit_event ev = {.date = store_row_int(r, 0),
		.domain_id = domain_id,
		.nonce = nonce,
		.assertion = assertion_of(store_row_text(r, 3))};
	uint32_t *duplicates = nonce ? &log->nonced_duplicates : &log->nonceless_duplicates;

	if (!domain_id || (store_row_text(r, 2) && !nonce))
		return false;
	ev.truncated =
		of_kind > DUPLICATES_COUNTED_MAX ? DUPLICATES_COUNTED_MAX : (uint32_t)of_kind - 1;
	if (log->event_count ==
		AUDIT_LOG_EVENTS_MAX) { /* more domains than fit: say so (MASA-043) */
		if (log->arbitrary < DUPLICATES_COUNTED_MAX)
			log->arbitrary++;
		return true;
	}
	*duplicates += ev.truncated;
	if (*duplicates > DUPLICATES_COUNTED_MAX)
		*duplicates = DUPLICATES_COUNTED_MAX;
	return audit_log_add(log, &ev, e);
}

struct one_key_reader {
	struct audit_log *log;
	int64_t device;
	uint8_t key[SHA256_LEN];
	bool any, several;
};

/* Stops at the second key. */
static bool keep_event_of_one(void *arg, const struct store_row *r, struct err *e)
{
	struct one_key_reader *to = arg;
	struct bytes key = store_row_blob(r, 6);

	if (!to->any && key.len == sizeof(to->key))
		memcpy(to->key, key.data, key.len);
	to->any = true;
	to->device = store_row_int(r, 7);
	to->several = !bytes_equal(key, bytes_of(to->key, sizeof(to->key)));
	return !to->several && keep_event(to->log, r, e);
}

static void begin_log(struct audit_log *log)
{
	audit_log_clear(log);
	*log = (struct audit_log){.version = 1};
}

/* Of the device, or of the one that the request with this digest was about. */
static bool read_log(struct store *s, struct store_value device, struct store_value digest,
	int64_t full, bool *found, struct audit_log *out, struct err *e)
{
	struct store_value v[] = {device, STORE_I(full + 1), digest};
	struct one_key_reader one = {.log = out};
	int64_t rows = 0;

	*out = (struct audit_log){.version = 1};
	if (!store_read(s, EVENTS_OF_ONE, v, 3, keep_event_of_one, &one, &rows, e))
		return false;
	*found = one.any;
	v[0] = STORE_I(one.device);
	if (one.several) {
		begin_log(out);
		if (!store_read(s, EVENTS_FULL, v, 2, keep_event, out, &rows, e))
			return false;
	}
	if (rows <= full)
		return true;
	begin_log(out); /* more than are shown one by one */
	return store_read(s, EVENTS_ABRIDGED, v, 1, keep_event, out, NULL, e);
}

bool records_audit_log(
	struct store *s, int64_t device, int64_t full, struct audit_log *out, struct err *e)
{
	bool any;

	return read_log(s, STORE_I(device), store_blob((struct bytes){0}), full, &any, out, e);
}

bool records_audit_log_for(struct store *s, const uint8_t digest[SHA256_LEN], int64_t full,
	bool *found, struct audit_log *out, struct err *e)
{
	return read_log(s, (struct store_value){.type = STORE_NULL},
		store_blob(bytes_of(digest, SHA256_LEN)), full, found, out, e);
}

struct event_reader {
	event_row_fn *fn;
	void *arg;
};

static bool hand_event(void *arg, const struct store_row *r, struct err *e)
{
	struct event_reader *to = arg;
	struct event_row row = {
		.id = store_row_int(r, 0),
		.date = store_row_int(r, 1),
		.expires_on = store_row_int(r, 2),
		.serial = store_row_text(r, 3),
		.domain_id = store_row_text(r, 4),
		.nonce = store_row_text(r, 5),
		.assertion = store_row_text(r, 6),
		.registrar = store_row_text(r, 7),
	};

	return to->fn(to->arg, &row, e);
}

bool records_events_list(struct store *s, const char *serial, int64_t after, event_row_fn *fn,
	void *arg, struct err *e)
{
	struct store_value v[] = {store_text(serial), STORE_I(after), STORE_I(MASA_PAGE_ROWS)};
	struct event_reader to = {fn, arg};

	return store_read(s, EVENTS_BY_SERIAL, v, 3, hand_event, &to, NULL, e);
}

struct audit_reader {
	union {
		audit_line_fn *line;
		audit_head_fn *head;
	};
	void *arg;
};

static bool hand_line(void *arg, const struct store_row *r, struct err *e)
{
	const struct audit_reader *to = arg;
	struct bytes hash = store_row_blob(r, 10);
	const struct audit_line line = {
		.sequence = store_row_int(r, 0),
		.date = store_row_int(r, 1),
		.serial = store_row_text(r, 2),
		.domain_id = store_row_text(r, 3),
		.domain_key = store_row_text(r, 4),
		.nonce = store_row_text(r, 5),
		.assertion = store_row_text(r, 6),
		.expires_on = store_row_int(r, 7),
		.content = store_row_text(r, 8),
		.registrar = store_row_text(r, 9),
		.hash = hash.len == SHA256_LEN ? hash.data : NULL,
	};

	return to->line(to->arg, &line, e);
}

bool records_audit_lines(
	struct store *s, int64_t after, int64_t limit, audit_line_fn *fn, void *arg, struct err *e)
{
	struct store_value v[] = {STORE_I(after), STORE_I(limit)};
	struct audit_reader to = {.line = fn, .arg = arg};

	return store_read(s, AUDIT_LINES, v, 2, hand_line, &to, NULL, e);
}

static bool hand_head(void *arg, const struct store_row *r, struct err *e)
{
	const struct audit_reader *to = arg;
	struct bytes hash = store_row_blob(r, 2);
	struct hash_chain_head head = {
		.log = AUDIT_LOG_NAME, .sequence = store_row_int(r, 0), .at = store_row_int(r, 1)};

	if (hash.len != SHA256_LEN)
		return err_set(e, ERR_STORE, "head %lld of the audit log is damaged",
			(long long)head.sequence);
	memcpy(head.hash, hash.data, SHA256_LEN);
	return to->head(to->arg, &head, store_row_blob(r, 3), store_row_text(r, 4), e);
}

bool records_audit_heads(
	struct store *s, int64_t after, int64_t limit, audit_head_fn *fn, void *arg, struct err *e)
{
	struct store_value v[] = {STORE_I(after), STORE_I(limit)};
	struct audit_reader to = {.head = fn, .arg = arg};

	return store_read(s, AUDIT_HEADS, v, 2, hand_head, &to, NULL, e);
}

struct seal_statements records_seal_statements(void)
{
	return (struct seal_statements){
		AUDIT_LINE, AUDIT_LAST_LINE, AUDIT_LAST_HEAD, AUDIT_ADD_HEAD};
}

bool records_last_device(struct store *s, int64_t *id, struct err *e)
{
	*id = 0;
	return store_read(s, LAST_DEVICE, NULL, 0, keep_int, id, NULL, e);
}

bool records_last_event(struct store *s, int64_t *id, struct err *e)
{
	*id = 0;
	return store_read(s, LAST_EVENT, NULL, 0, keep_int, id, NULL, e);
}
