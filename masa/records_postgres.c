/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA's tables on PostgreSQL: the first migration makes what those of SQLite lead to, each
 * further one is the twin of SQLite's of the same number. Then the statements that PostgreSQL needs
 * in words of its own. */
#include <stddef.h>

#include "common/run/store_postgres_sql.h"
#include "masa/records_sql.h"

#define TEXT STORE_PG_TEXT

const char *const masa_postgres_migrations[] = {
	STORE_PG_FUNCTIONS
	"CREATE TABLE owners ("
	" name " TEXT " PRIMARY KEY,"
	" anchors " TEXT " NOT NULL,"
	" created BIGINT NOT NULL);"
	"CREATE TABLE devices ("
	" id BIGINT PRIMARY KEY,"
	" serial " TEXT " NOT NULL,"
	" issuer_key BYTEA NOT NULL,"
	" idevid_issuer BYTEA,"
	" owner " TEXT " REFERENCES owners (name),"
	" created BIGINT NOT NULL,"
	" UNIQUE (serial, issuer_key));"
	"CREATE TABLE events ("
	" id BIGINT PRIMARY KEY,"
	" device BIGINT NOT NULL REFERENCES devices (id),"
	" date BIGINT NOT NULL,"
	" domain_id " TEXT " NOT NULL,"
	" domain_key BYTEA NOT NULL,"
	" nonce " TEXT ","
	" assertion " TEXT " NOT NULL,"
	" digest BYTEA UNIQUE,"
	" expires_on BIGINT,"
	" content " TEXT " NOT NULL,"
	" registrar " TEXT " NOT NULL,"
	" hash BYTEA);"
	"CREATE INDEX events_of_device ON events (device, domain_key);"
	"CREATE TABLE head ("
	" sequence BIGINT PRIMARY KEY,"
	" at BIGINT NOT NULL,"
	" hash BYTEA NOT NULL,"
	" signature BYTEA NOT NULL,"
	" certificates " TEXT " NOT NULL);"
	"CREATE FUNCTION events_chain() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	" NEW.hash = chain_hash((SELECT hash FROM events ORDER BY id DESC LIMIT 1),"
	" CAST(NEW.id AS TEXT), CAST(NEW.date AS TEXT),"
	" (SELECT serial FROM devices WHERE id = NEW.device), NEW.domain_id,"
	" encode(NEW.domain_key, 'hex'), NEW.nonce, NEW.assertion, CAST(NEW.expires_on AS TEXT),"
	" NEW.content, NEW.registrar); RETURN NEW; END $$;"
	"CREATE TRIGGER events_chain BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.hash IS NULL)"
	" EXECUTE FUNCTION events_chain();" STORE_PG_REFUSE("events_stay",
		"the audit log is only added to") "CREATE TRIGGER events_stay BEFORE UPDATE OF id, "
						  "device, date, domain_id, domain_key,"
						  " nonce, assertion, expires_on, content, "
						  "registrar, hash ON events FOR EACH ROW"
						  " WHEN (OLD.hash IS NOT NULL) EXECUTE FUNCTION "
						  "events_stay();"
						  "CREATE TRIGGER events_are_kept BEFORE DELETE ON "
						  "events FOR EACH ROW"
						  " EXECUTE FUNCTION events_stay();",
	"ALTER TABLE owners ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;",
	"UPDATE events SET digest = NULL WHERE nonce IS NOT NULL AND digest IS NOT NULL"
	" AND id NOT IN (SELECT max(id) FROM events WHERE digest IS NOT NULL"
	" GROUP BY device, domain_key, nonce);"
	"DROP INDEX events_of_device;"
	"CREATE UNIQUE INDEX events_of_device ON events"
	" (device, domain_key, (CASE WHEN digest IS NOT NULL THEN nonce END));",
	"CREATE TABLE destination ("
	" owner " TEXT " NOT NULL REFERENCES owners (name),"
	" kind BIGINT NOT NULL,"
	" url " TEXT " NOT NULL,"
	" weight BIGINT NOT NULL,"
	" region " TEXT ","
	" pin BYTEA,"
	" PRIMARY KEY (owner, kind, url));",
	NULL,
};

const char *const masa_postgres_statements[STATEMENT_COUNT] = {
	/* a number is given out here, as SQLite does by itself */
	[DEVICE_ADD] = "INSERT INTO devices (id, serial, issuer_key, idevid_issuer, created)"
		       " SELECT (SELECT coalesce(max(id), 0) + 1 FROM devices), $1, $2, $3, $4"
		       " WHERE NOT EXISTS (SELECT 1 FROM devices"
		       " WHERE serial = $1 AND (issuer_key = $2 OR length($2) = 0))",
	/* the trigger gives it its hash before it is written */
	[EVENT_ADD] = "INSERT INTO events (id, device, date, domain_id, domain_key, nonce,"
		      " assertion, digest, expires_on, content, registrar) VALUES ("
		      "(SELECT coalesce(max(id), 0) + 1 FROM events), $1, $2, $3, $4, $5, $6, $7, "
		      "$8, $9, $10) ON CONFLICT DO NOTHING",
};
