/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's tables on PostgreSQL: the first migration makes what those of SQLite lead to, in
 * the version that is named in sql.c; each further one is the twin of SQLite's of the same number.
 * Then the statements that PostgreSQL needs in words of its own. */
#include "registrar/records/postgres.h"

#include <stddef.h>

#include "common/run/store_postgres_sql.h"
#include "registrar/records/sql.h"

#define TEXT STORE_PG_TEXT

#define TABLES                                                                                     \
	"CREATE TABLE device ("                                                                    \
	" id BIGINT PRIMARY KEY,"                                                                  \
	" manufacturer " TEXT " NOT NULL,"                                                         \
	" serial " TEXT " NOT NULL,"                                                               \
	" claim BIGINT NOT NULL,"                                                                  \
	" state BIGINT NOT NULL,"                                                                  \
	" history BIGINT NOT NULL,"                                                                \
	" first_seen BIGINT NOT NULL,"                                                             \
	" last_seen BIGINT NOT NULL,"                                                              \
	" subject " TEXT ","                                                                       \
	" claim_reason " TEXT ","                                                                  \
	" claim_by " TEXT ","                                                                      \
	" claim_at BIGINT,"                                                                        \
	" history_reason " TEXT ","                                                                \
	" voucher_status " TEXT ","                                                                \
	" enroll_status " TEXT ","                                                                 \
	" vouched_at BIGINT,"                                                                      \
	" enrolled_at BIGINT,"                                                                     \
	" idevid_sha256 BYTEA,"                                                                    \
	" request_sha256 BYTEA,"                                                                   \
	" registrar_sha256 BYTEA,"                                                                 \
	" voucher_type " TEXT ","                                                                  \
	" voucher BYTEA,"                                                                          \
	" registrar_request BYTEA,"                                                                \
	" claim_until BIGINT,"                                                                     \
	" site " TEXT " NOT NULL DEFAULT '/',"                                                     \
	" labels " TEXT ","                                                                        \
	" model " TEXT ","                                                                         \
	" address " TEXT ","                                                                       \
	" revision BIGINT NOT NULL DEFAULT 1,"                                                     \
	" quarantined_at BIGINT,"                                                                  \
	" quarantine_reason " TEXT ","                                                             \
	" retired_at BIGINT,"                                                                      \
	" retired_as BIGINT,"                                                                      \
	" not_after BIGINT,"                                                                       \
	" rejoined_at BIGINT,"                                                                     \
	" replaces BIGINT,"                                                                        \
	" replaced_by BIGINT,"                                                                     \
	" marks BIGINT NOT NULL DEFAULT 0,"                                                        \
	" approvals " TEXT ","                                                                     \
	" standing BIGINT NOT NULL GENERATED ALWAYS AS (CASE"                                      \
	"  WHEN state = 4 THEN coalesce(retired_as, 4)"                                            \
	"  WHEN quarantined_at IS NOT NULL THEN 3"                                                 \
	"  WHEN state = 3 OR (claim = 3 AND state > 0) THEN 7"                                     \
	"  WHEN state = 2 THEN 1"                                                                  \
	"  WHEN state = 1 THEN 2"                                                                  \
	"  ELSE 0 END) STORED,"                                                                    \
	" key_sha256 BYTEA,"                                                                       \
	" address_before " TEXT ","                                                                \
	" moved_at BIGINT,"                                                                        \
	" renewed_at BIGINT,"                                                                      \
	" day BIGINT,"                                                                             \
	" joins BIGINT,"                                                                           \
	" certificates BIGINT,"                                                                    \
	" announced_idevid " TEXT ","                                                              \
	" UNIQUE (manufacturer, serial));"                                                         \
	"CREATE INDEX device_serial ON device (serial);"                                           \
	"CREATE INDEX device_claim ON device (claim, id);"                                         \
	"CREATE INDEX device_until ON device (claim, claim_until) WHERE claim_until IS NOT NULL;"  \
	"CREATE INDEX device_idle ON device (claim, last_seen) WHERE state = 0;"                   \
	"CREATE INDEX device_site ON device (site, id) WHERE site <> '/';"                         \
	"CREATE INDEX device_not_after ON device (not_after) WHERE not_after IS NOT NULL;"         \
	"CREATE INDEX device_standing ON device (standing, id) WHERE standing > 0;"                \
	"CREATE INDEX device_marks ON device (id) WHERE marks <> 0;"                               \
	"CREATE INDEX device_waiting ON device (manufacturer, claim) WHERE claim = 1;"             \
	"CREATE TABLE certificate ("                                                               \
	" sha256 BYTEA PRIMARY KEY,"                                                               \
	" serial_hex " TEXT " NOT NULL,"                                                           \
	" manufacturer " TEXT " NOT NULL,"                                                         \
	" serial " TEXT " NOT NULL,"                                                               \
	" subject " TEXT ","                                                                       \
	" issued_at BIGINT NOT NULL,"                                                              \
	" not_after BIGINT NOT NULL,"                                                              \
	" revoked_at BIGINT,"                                                                      \
	" csr_sha256 BYTEA NOT NULL,"                                                              \
	" client_sha256 BYTEA NOT NULL,"                                                           \
	" der BYTEA NOT NULL);"                                                                    \
	"CREATE INDEX certificate_csr ON certificate (csr_sha256, issued_at);"                     \
	"CREATE INDEX certificate_device ON certificate (manufacturer, serial, issued_at);"        \
	"CREATE INDEX certificate_expiry ON certificate (not_after, sha256);"                      \
	"CREATE INDEX certificate_revoked ON certificate (revoked_at)"                             \
	" WHERE revoked_at IS NOT NULL;"                                                           \
	"CREATE TABLE journal ("                                                                   \
	" id BIGINT PRIMARY KEY,"                                                                  \
	" at BIGINT NOT NULL,"                                                                     \
	" exchange " TEXT ","                                                                      \
	" manufacturer " TEXT ","                                                                  \
	" serial " TEXT ","                                                                        \
	" step " TEXT ","                                                                          \
	" outcome " TEXT ","                                                                       \
	" reason " TEXT ","                                                                        \
	" actor " TEXT ","                                                                         \
	" hash BYTEA);"                                                                            \
	"CREATE INDEX journal_serial ON journal (serial, id);"                                     \
	"CREATE TABLE head ("                                                                      \
	" sequence BIGINT PRIMARY KEY,"                                                            \
	" at BIGINT NOT NULL,"                                                                     \
	" hash BYTEA NOT NULL,"                                                                    \
	" signature BYTEA NOT NULL,"                                                               \
	" certificates " TEXT " NOT NULL);"                                                        \
	"CREATE INDEX head_at ON head (at);"                                                       \
	"CREATE TABLE crl ("                                                                       \
	" issuer BYTEA PRIMARY KEY,"                                                               \
	" number BIGINT NOT NULL,"                                                                 \
	" der BYTEA NOT NULL);"                                                                    \
	"CREATE TABLE rule ("                                                                      \
	" id BIGINT PRIMARY KEY,"                                                                  \
	" place BIGINT NOT NULL,"                                                                  \
	" action BIGINT NOT NULL,"                                                                 \
	" manufacturer " TEXT ","                                                                  \
	" serials " TEXT ","                                                                       \
	" network " TEXT ","                                                                       \
	" not_before BIGINT NOT NULL,"                                                             \
	" not_after BIGINT NOT NULL,"                                                              \
	" remaining BIGINT NOT NULL,"                                                              \
	" reason " TEXT ","                                                                        \
	" model " TEXT ","                                                                         \
	" site " TEXT ","                                                                          \
	" labels " TEXT ","                                                                        \
	" enabled BIGINT NOT NULL DEFAULT 1);"                                                     \
	"CREATE TABLE site ("                                                                      \
	" path " TEXT " PRIMARY KEY,"                                                              \
	" name " TEXT ","                                                                          \
	" note " TEXT ","                                                                          \
	" approvers BIGINT NOT NULL DEFAULT 1,"                                                    \
	" unknown BIGINT NOT NULL DEFAULT 0,"                                                      \
	" revision BIGINT NOT NULL DEFAULT 1);" /* a number or a path; each as text */             \
	"CREATE TABLE tally ("                                                                     \
	" kind " TEXT " NOT NULL,"                                                                 \
	" value " TEXT " NOT NULL,"                                                                \
	" count BIGINT NOT NULL,"                                                                  \
	" PRIMARY KEY (kind, value));"                                                             \
	"CREATE TABLE hourly ("                                                                    \
	" hour BIGINT NOT NULL,"                                                                   \
	" step " TEXT " NOT NULL,"                                                                 \
	" outcome " TEXT " NOT NULL,"                                                              \
	" manufacturer " TEXT " NOT NULL,"                                                         \
	" count BIGINT NOT NULL,"                                                                  \
	" PRIMARY KEY (hour, step, outcome, manufacturer));"                                       \
	"CREATE TABLE ending ("                                                                    \
	" day BIGINT NOT NULL,"                                                                    \
	" manufacturer " TEXT " NOT NULL,"                                                         \
	" count BIGINT NOT NULL,"                                                                  \
	" PRIMARY KEY (day, manufacturer));"                                                       \
	"CREATE TABLE job ("                                                                       \
	" id BIGINT PRIMARY KEY,"                                                                  \
	" state BIGINT NOT NULL,"                                                                  \
	" kind " TEXT " NOT NULL,"                                                                 \
	" actor " TEXT ","                                                                         \
	" exchange " TEXT ","                                                                      \
	" what " TEXT " NOT NULL,"                                                                 \
	" total BIGINT NOT NULL,"                                                                  \
	" done BIGINT NOT NULL,"                                                                   \
	" failed BIGINT NOT NULL,"                                                                 \
	" begun BIGINT NOT NULL,"                                                                  \
	" ended BIGINT,"                                                                           \
	" reason " TEXT ","                                                                        \
	" failures " TEXT ");"                                                                     \
	"CREATE TABLE \"user\" ("                                                                  \
	" name " TEXT " PRIMARY KEY,"                                                              \
	" password " TEXT ","                                                                      \
	" disabled BIGINT NOT NULL,"                                                               \
	" created_at BIGINT NOT NULL,"                                                             \
	" login_at BIGINT,"                                                                        \
	" code BYTEA,"                                                                             \
	" code_until BIGINT);"                                                                     \
	"CREATE TABLE user_grant ("                                                                \
	" id BIGINT PRIMARY KEY,"                                                                  \
	" \"user\" " TEXT " NOT NULL,"                                                             \
	" role " TEXT " NOT NULL,"                                                                 \
	" site " TEXT ","                                                                          \
	" manufacturer " TEXT ","                                                                  \
	" until BIGINT NOT NULL);"                                                                 \
	"CREATE INDEX user_grant_user ON user_grant (\"user\", id);"                               \
	"CREATE TABLE session ("                                                                   \
	" id BYTEA PRIMARY KEY,"                                                                   \
	" \"user\" " TEXT " NOT NULL,"                                                             \
	" created_at BIGINT NOT NULL,"                                                             \
	" used_at BIGINT NOT NULL);"                                                               \
	"CREATE INDEX session_user_used ON session (\"user\", used_at);"                           \
	"CREATE TABLE token ("                                                                     \
	" id BIGINT PRIMARY KEY,"                                                                  \
	" \"user\" " TEXT " NOT NULL,"                                                             \
	" name " TEXT " NOT NULL,"                                                                 \
	" sha256 BYTEA NOT NULL UNIQUE,"                                                           \
	" role " TEXT " NOT NULL,"                                                                 \
	" site " TEXT ","                                                                          \
	" manufacturer " TEXT ","                                                                  \
	" until BIGINT NOT NULL,"                                                                  \
	" created_at BIGINT NOT NULL,"                                                             \
	" used_at BIGINT NOT NULL,"                                                                \
	" UNIQUE (\"user\", name));"                                                               \
	"CREATE TABLE user_certificate ("                                                          \
	" sha256 BYTEA PRIMARY KEY,"                                                               \
	" \"user\" " TEXT " NOT NULL,"                                                             \
	" subject " TEXT ","                                                                       \
	" not_after BIGINT NOT NULL,"                                                              \
	" added_at BIGINT NOT NULL);"                                                              \
	"CREATE INDEX user_certificate_user ON user_certificate (\"user\");"                       \
	"CREATE TABLE number ("                                                                    \
	" kind " TEXT " PRIMARY KEY,"                                                              \
	" last BIGINT NOT NULL);"                                                                  \
	"CREATE TABLE hook ("                                                                      \
	" id BIGINT PRIMARY KEY,"                                                                  \
	" url " TEXT " NOT NULL,"                                                                  \
	" secret " TEXT " NOT NULL,"                                                               \
	" types " TEXT ","                                                                         \
	" anchors " TEXT ","                                                                       \
	" enabled BIGINT NOT NULL,"                                                                \
	" by " TEXT ","                                                                            \
	" added_at BIGINT NOT NULL,"                                                               \
	" delivered_at BIGINT,"                                                                    \
	" cursor BIGINT NOT NULL,"                                                                 \
	" failing_at BIGINT,"                                                                      \
	" failure " TEXT ","                                                                       \
	" dropped BIGINT NOT NULL);"                                                               \
	"CREATE TABLE dead_letter ("                                                               \
	" hook BIGINT NOT NULL,"                                                                   \
	" sequence BIGINT NOT NULL,"                                                               \
	" at BIGINT NOT NULL,"                                                                     \
	" tries BIGINT NOT NULL,"                                                                  \
	" reason " TEXT ","                                                                        \
	" wanted BIGINT NOT NULL,"                                                                 \
	" PRIMARY KEY (hook, sequence));"

#define FIRST_ROWS                                                                                 \
	"INSERT INTO tally VALUES ('claim', '1', 0), ('claim', '2', 0), ('claim', '3', 0),"        \
	" ('claim', '4', 0), ('claim', '5', 0), ('claim', '6', 0), ('device', '1', 0),"            \
	" ('device', '2', 0), ('device', '3', 0), ('device', '4', 0), ('device', '5', 0),"         \
	" ('device', '6', 0), ('device', '7', 0);"                                                 \
	"INSERT INTO site (path) VALUES ('/');"                                                    \
	"INSERT INTO number (kind, last) VALUES ('rule', 0), ('hook', 0);"

#define ON(name, when, table, condition)                                                           \
	"CREATE TRIGGER " name " " when " ON " table " FOR EACH ROW WHEN (" condition ")"          \
	" EXECUTE FUNCTION " name "();"
#define DO(name, body)                                                                             \
	"CREATE FUNCTION " name "() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " body            \
	" RETURN NEW; END $$;"
#define RAISE_COUNT(kind, value)                                                                   \
	"UPDATE tally SET count = count + 1 WHERE tally.kind = '" kind "' AND tally.value = "      \
	"CAST(" value " AS TEXT);"
#define LOWER_COUNT(kind, value)                                                                   \
	"UPDATE tally SET count = count - 1 WHERE tally.kind = '" kind "' AND tally.value = "      \
	"CAST(" value " AS TEXT);"

/* The chain, and that nothing of it changes or goes unsigned. */
#define JOURNAL                                                                                    \
	DO("journal_chain",                                                                        \
		"NEW.hash = chain_hash((SELECT hash FROM journal WHERE id = NEW.id - 1),"          \
		" CAST(NEW.id AS TEXT), CAST(NEW.at AS TEXT), NEW.exchange, NEW.manufacturer,"     \
		" NEW.serial, NEW.actor, NEW.step, NEW.outcome, NEW.reason);")                     \
	ON("journal_chain", "BEFORE INSERT", "journal", "NEW.hash IS NULL")                        \
	STORE_PG_REFUSE("journal_stays", "the journal is only added to")                           \
	ON("journal_stays", "BEFORE UPDATE", "journal", "OLD.hash IS NOT NULL")                    \
	"CREATE FUNCTION journal_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "          \
	"IF OLD.id > (SELECT coalesce(max(sequence), 0) FROM head) THEN RAISE EXCEPTION "          \
	"'the journal is signed before its old lines go' "                                         \
	"USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN OLD; END $$;"            \
	"CREATE TRIGGER journal_is_kept BEFORE DELETE ON journal FOR EACH ROW "                    \
	"EXECUTE FUNCTION journal_is_kept();"

/* How many there are of what, kept with each change. */
#define TALLIES                                                                                    \
	DO("tally_in", RAISE_COUNT("claim", "NEW.claim") RAISE_COUNT("device", "NEW.standing"))    \
	ON("tally_in", "AFTER INSERT", "device", "NEW.claim <> 0 OR NEW.standing <> 0")            \
	DO("tally_placed",                                                                         \
		"INSERT INTO site (path) VALUES (NEW.site) ON CONFLICT DO NOTHING;" RAISE_COUNT(   \
			"site", "NEW.site"))                                                       \
	ON("tally_placed", "AFTER INSERT", "device", "true")                                       \
	DO("tally_out", LOWER_COUNT("claim", "OLD.claim") LOWER_COUNT("device", "OLD.standing")    \
				LOWER_COUNT("site", "OLD.site"))                                   \
	ON("tally_out", "AFTER DELETE", "device", "true")                                          \
	DO("tally_claim", LOWER_COUNT("claim", "OLD.claim") RAISE_COUNT("claim", "NEW.claim"))     \
	ON("tally_claim", "AFTER UPDATE OF claim", "device", "NEW.claim <> OLD.claim")             \
	DO("tally_standing",                                                                       \
		LOWER_COUNT("device", "OLD.standing") RAISE_COUNT("device", "NEW.standing"))       \
	ON("tally_standing", "AFTER UPDATE OF claim, state, quarantined_at, retired_as", "device", \
		"NEW.standing <> OLD.standing")                                                    \
	DO("tally_moved",                                                                          \
		"INSERT INTO site (path) VALUES (NEW.site) ON CONFLICT DO NOTHING;" LOWER_COUNT(   \
			"site", "OLD.site") RAISE_COUNT("site", "NEW.site"))                       \
	ON("tally_moved", "AFTER UPDATE OF site", "device", "NEW.site <> OLD.site")                \
	DO("site_counted", "INSERT INTO tally VALUES ('site', NEW.path, 0);")                      \
	ON("site_counted", "AFTER INSERT", "site", "true")                                         \
	DO("site_gone", "DELETE FROM tally WHERE kind = 'site' AND value = OLD.path;")             \
	ON("site_gone", "AFTER DELETE", "site", "true")

/* See migrations.c. */
#define REPORTED                                                                                   \
	"NEW.manufacturer IS NOT NULL AND CASE NEW.step"                                           \
	" WHEN 'voucher' THEN NEW.outcome <> 'delivered'"                                          \
	" WHEN 'voucher-status' THEN NEW.outcome = 'false'"                                        \
	" WHEN 'enroll-status' THEN NEW.outcome = 'false'"                                         \
	" WHEN 'masa' THEN NEW.outcome NOT IN ('unreachable', 'recovered')"                        \
	" WHEN 'claim' THEN NEW.outcome IN ('refused', 'unwanted', 'retry-later', 'conflict')"     \
	" WHEN 'history' THEN NEW.outcome NOT IN ('good', 'unknown', 'warned')"                    \
	" ELSE NEW.step IN ('enroll', 'keygen', 'renew', 'admit', 'endorse', 'vet', 'journal',"    \
	" 'deliver') END"

#define REPORTS                                                                                    \
	DO("journal_reported",                                                                     \
		"INSERT INTO hourly VALUES (NEW.at / 3600 * 3600, NEW.step, NEW.outcome,"          \
		" NEW.manufacturer, 1) ON CONFLICT (hour, step, outcome, manufacturer)"            \
		" DO UPDATE SET count = hourly.count + 1;")                                        \
	ON("journal_reported", "AFTER INSERT", "journal", REPORTED)                                \
	DO("hourly_ages", "DELETE FROM hourly WHERE hour < NEW.hour - 2678400;")                   \
	ON("hourly_ages", "AFTER INSERT", "hourly", "true")                                        \
	DO("ending_in",                                                                            \
		"INSERT INTO ending VALUES (NEW.not_after / 86400, NEW.manufacturer, 1)"           \
		" ON CONFLICT (day, manufacturer) DO UPDATE SET count = ending.count + 1;")        \
	ON("ending_in", "AFTER UPDATE OF state, not_after", "device",                              \
		"NEW.state = 2 AND NEW.not_after IS NOT NULL AND (OLD.state <> 2 OR"               \
		" OLD.not_after / 86400 IS DISTINCT FROM NEW.not_after / 86400)")                  \
	DO("ending_out", "UPDATE ending SET count = count - 1 WHERE day = OLD.not_after / 86400"   \
			 " AND manufacturer = OLD.manufacturer;")                                  \
	ON("ending_out", "AFTER UPDATE OF state, not_after", "device",                             \
		"OLD.state = 2 AND OLD.not_after IS NOT NULL AND (NEW.state <> 2 OR"               \
		" OLD.not_after / 86400 IS DISTINCT FROM NEW.not_after / 86400)")                  \
	"CREATE TRIGGER ending_gone AFTER DELETE ON device FOR EACH ROW WHEN (OLD.state = 2)"      \
	" EXECUTE FUNCTION ending_out();"

const char *const records_postgres_migrations[] = {
	STORE_PG_FUNCTIONS TABLES JOURNAL TALLIES FIRST_ROWS REPORTS,
	"CREATE TABLE member ("
	" id " TEXT " PRIMARY KEY,"
	" host " TEXT " NOT NULL,"
	" started_at BIGINT NOT NULL,"
	" beat BIGINT NOT NULL);"
	"CREATE TABLE reservation ("
	" idevid_sha256 BYTEA PRIMARY KEY,"
	" member " TEXT " NOT NULL,"
	" until BIGINT NOT NULL);"
	"ALTER TABLE job ADD COLUMN member " TEXT ";",
	"CREATE TABLE allocation ("
	" manufacturer " TEXT " NOT NULL,"
	" serial " TEXT " NOT NULL,"
	" owner " TEXT " NOT NULL,"
	" url " TEXT " NOT NULL,"
	" est BIGINT NOT NULL,"
	" region " TEXT ","
	" first_at BIGINT NOT NULL,"
	" at BIGINT NOT NULL,"
	" moves BIGINT NOT NULL,"
	" PRIMARY KEY (manufacturer, serial));",
	"CREATE TABLE stored_voucher ("
	" id BIGINT PRIMARY KEY,"
	" manufacturer " TEXT " NOT NULL,"
	" serial " TEXT " NOT NULL,"
	" type " TEXT " NOT NULL,"
	" masa " TEXT " NOT NULL,"
	" by " TEXT ","
	" fetched_at BIGINT NOT NULL,"
	" until BIGINT NOT NULL,"
	" renew_at BIGINT NOT NULL,"
	" voucher BYTEA NOT NULL,"
	" request BYTEA NOT NULL,"
	" used_at BIGINT NOT NULL,"
	" checked_at BIGINT NOT NULL,"
	" UNIQUE (manufacturer, serial, type));"
	"CREATE INDEX stored_voucher_renew ON stored_voucher (renew_at) WHERE renew_at > 0;"
	"CREATE INDEX stored_voucher_used ON stored_voucher (used_at) "
	" WHERE used_at > 0 AND checked_at = 0;",
	"CREATE TABLE issuing ("
	" id BIGINT PRIMARY KEY,"
	" key_sha256 BYTEA NOT NULL,"
	" at BIGINT NOT NULL);",
	"CREATE INDEX certificate_number ON certificate (serial_hex);",
	NULL,
};

/* NULL: the text of SQLite's is understood. */
const char *const records_postgres_statements[STATEMENT_COUNT] = {
	/* no plus before a text, which SQLite takes for "not by this index" */
	[FIND_BY_PREFIX] =
		"SELECT " CLAIM_COLUMNS " FROM device WHERE serial >= greatest($1, "
		"coalesce((SELECT serial FROM device WHERE id = $3), '')) AND serial < $2 AND "
		"(serial, id) > (coalesce((SELECT serial FROM device WHERE id = $3), ''), $3) "
		"ORDER BY serial, id LIMIT $4",
	[READ_HISTORY] = "SELECT " JOURNAL_COLUMNS " FROM journal WHERE serial = $1 "
			 "AND manufacturer = $2 AND id > $3 ORDER BY id LIMIT $4",
	[COUNT_PENDING_OF] = "SELECT count(*) FROM (SELECT 1 FROM device "
			     "WHERE manufacturer = $1 AND claim = 1 LIMIT $2) AS s",
	/* the trigger gives it its hash before it is written */
	[ADD_JOURNAL] = "INSERT INTO journal "
			"(id, at, exchange, manufacturer, serial, actor, step, outcome, reason) "
			"VALUES ((SELECT coalesce(max(id), 0) + 1 FROM journal), $1, $2, $3, $4, "
			"$5, $6, $7, $8)",
	[NOTE_ENDS] =
		"INSERT INTO journal (id, at, manufacturer, serial, step, outcome, reason) "
		"SELECT (SELECT coalesce(max(id), 0) FROM journal) + row_number() OVER (ORDER BY "
		"not_after, id), $3, manufacturer, serial, 'device', $1, 'its certificate ends ' "
		"|| to_char(to_timestamp(not_after) AT TIME ZONE 'UTC', "
		"'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM device "
		"WHERE not_after > " ENDS_PASSED " AND not_after <= " ENDS_NEXT " AND standing = 1",
};
