/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA's tables and statements as SQLite has them; those that PostgreSQL needs in words of its
 * own are in records_postgres.c. */
#include "masa/records_sql.h"

#include <stddef.h>

#include "masa/records.h"

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
