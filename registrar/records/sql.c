/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's statements. Nothing is counted or scanned on a device's road. A number is given
 * out as max + 1, which is safe because the store has one writer. */
#include "registrar/records/sql.h"

#include "registrar/records/migrations.h"
#include "registrar/records/postgres.h"
#include "registrar/records/records.h"

/* Below a site are paths from its own with a '/' behind it on, before '0', which comes next. */
#define SITE_COLUMNS                                                                               \
	"path, name, note, approvers, unknown, revision, "                                         \
	"(SELECT count FROM tally WHERE kind = 'site' AND value = path), "                         \
	"(SELECT CAST(coalesce(sum(count), 0) AS BIGINT) FROM tally WHERE kind = 'site' AND "      \
	"value > "                                                                                 \
	"CASE path WHEN '/' THEN '/' ELSE path || '/' END AND value < "                            \
	"CASE path WHEN '/' THEN '0' ELSE path || '0' END), "                                      \
	"CASE WHEN EXISTS (SELECT 1 FROM site AS s WHERE s.path > "                                \
	"CASE site.path WHEN '/' THEN '/' ELSE site.path || '/' END AND s.path < "                 \
	"CASE site.path WHEN '/' THEN '0' ELSE site.path || '0' END) THEN 1 ELSE 0 END"

/* The device of this key, if nobody changed it meanwhile. */
#define THIS(manufacturer_, serial_, revision_)                                                    \
	"manufacturer = " manufacturer_ " AND serial = " serial_ " AND (" revision_                \
	" = 0 OR revision = " revision_ ")"

/* $1: when */
#define RETIRED_AS(standing_)                                                                      \
	"state = 4, claim = CASE claim WHEN 3 THEN 3 ELSE 0 END, claim_until = NULL, "             \
	"revision = revision + 1, retired_at = $1, retired_as = " standing_ ", "                   \
	"quarantined_at = NULL, quarantine_reason = NULL, "                                        \
	"voucher = NULL, voucher_type = NULL, registrar_request = NULL "

/* Approvals nobody used, so many at a time that others get at the store in between. */
#define RUN_OUT                                                                                    \
	"(SELECT id FROM device WHERE claim IN (2, 4) AND claim_until <= $1 "                      \
	"ORDER BY claim_until, id LIMIT 10000)"

/* Numbers of devices and claims behind $1: the index of each standing, or state, gives the first of
 * its own. */
#define DEVICES_FROM(standing)                                                                     \
	"SELECT id FROM (SELECT id FROM device WHERE standing = " standing                         \
	" AND standing > 0 AND id > $1 ORDER BY id LIMIT $2) AS s"
#define AND_FROM(standing) " UNION ALL " DEVICES_FROM(standing)
#define IN_SERVICE	   DEVICES_FROM("1") AND_FROM("2") AND_FROM("3")
#define DEVICES		   IN_SERVICE AND_FROM("4") AND_FROM("5") AND_FROM("6") AND_FROM("7")
#define CLAIMS_FROM(state)                                                                         \
	"SELECT id FROM (SELECT id FROM device WHERE claim = " state                               \
	" AND id > $1 ORDER BY id LIMIT $2) AS s"

/* A row of a supplier's list, as records.h has it. */
#define IMPORTED_COLUMNS                                                                           \
	"(id, manufacturer, serial, claim, state, history, first_seen, last_seen, claim_reason, "  \
	"claim_by, claim_at, claim_until, site, model, labels, announced_idevid) "
#define IMPORTED_VALUES(claim)                                                                     \
	"SELECT (SELECT coalesce(max(id), 0) FROM device) + row_number() OVER (ORDER BY j.key), "  \
	"j.value ->> 0, j.value ->> 1, " claim ", 0, 0, 0, 0, j.value ->> 2, $1, $2, "             \
	"coalesce(CAST(j.value ->> 8 AS BIGINT), $3), coalesce(j.value ->> 4, '/'), j.value ->> "  \
	"5, "                                                                                      \
	"j.value ->> 6, j.value ->> 7 FROM json_each($4) AS j WHERE true "

#define JOB_COLUMNS                                                                                \
	"id, state, kind, actor, exchange, what, total, done, failed, begun, ended, reason, "      \
	"failures"

/* whose registrar is not there any more */
#define OF_NOBODY " AND (member IS NULL OR member NOT IN (SELECT id FROM member))"

/* The oldest head that lets something go: all lines up to it go at once, so that what is left
 * begins behind a signed head. A line stays in any case, for its number. */
#define SWEEP_JOURNAL_TO(which)                                                                    \
	"DELETE FROM journal WHERE id <= (SELECT min(sequence) FROM head WHERE "                   \
	"sequence >= (SELECT min(id) FROM journal) AND "                                           \
	"sequence < (SELECT max(id) FROM journal) AND " which ")"

#define USER_COLUMNS                                                                               \
	"name, CASE WHEN password IS NULL THEN 0 ELSE 1 END, disabled, created_at, login_at, "     \
	"code_until, "                                                                             \
	"(SELECT count(*) FROM token WHERE token.\"user\" = name), "                               \
	"(SELECT count(*) FROM user_certificate WHERE user_certificate.\"user\" = name)"

/* Somebody else than user $1 is admin of everything at moment $2; or $3: it does not matter. */
#define ADMIN_STAYS                                                                                \
	"($3 <> 0 OR EXISTS (SELECT 1 FROM user_grant AS g JOIN \"user\" AS u ON u.name = "        \
	"g.\"user\" "                                                                              \
	"WHERE u.name <> $1 AND u.disabled = 0 AND g.role = 'admin' AND g.site IS NULL "           \
	"AND g.manufacturer IS NULL AND (g.until = 0 OR g.until > $2)))"

#define AHEAD_COLUMNS                                                                              \
	"v.id, v.manufacturer, v.serial, v.type, v.masa, v.by, v.fetched_at, v.until, "            \
	"v.renew_at, v.used_at, v.checked_at, d.site"
#define FROM_AHEAD                                                                                 \
	"FROM stored_voucher AS v LEFT JOIN device AS d "                                          \
	"ON d.manufacturer = v.manufacturer AND d.serial = v.serial "

/* What names the site $1. */
#define SITE_IN_RULES "EXISTS (SELECT 1 FROM rule WHERE site = $1)"
#define SITE_IN_ROLES                                                                              \
	"(EXISTS (SELECT 1 FROM user_grant WHERE site = $1) OR EXISTS "                            \
	"(SELECT 1 FROM token WHERE site = $1))"

/* The oldest line that is left follows from the head before it. */
#define BROKEN_CHAIN                                                                               \
	"SELECT coalesce(min(id), 0) FROM (SELECT id, hash, chain_hash(coalesce("                  \
	"(SELECT p.hash FROM journal AS p WHERE p.id = j.id - 1), "                                \
	"(SELECT h.hash FROM head AS h WHERE h.sequence = j.id - 1)), CAST(id AS TEXT), "          \
	"CAST(at AS TEXT), exchange, manufacturer, serial, actor, step, outcome, reason) "         \
	"AS wanted FROM journal AS j) AS line WHERE hash <> wanted"

static const char *const statements[STATEMENT_COUNT + 1] = {
	[READ_DEVICE] = "SELECT id, claim, state, history, idevid_sha256, request_sha256, "
			"registrar_sha256, voucher_type, last_seen, claim_until, quarantined_at, "
			"not_after, standing, revision, claim_at, site, marks, key_sha256, "
			"address, address_before, moved_at, vouched_at, renewed_at, day, joins, "
			"certificates, announced_idevid "
			"FROM device WHERE manufacturer = $1 AND serial = $2",
	[READ_VOUCHER] = "SELECT voucher FROM device "
			 "WHERE manufacturer = $1 AND serial = $2 AND voucher IS NOT NULL",
	[READ_REGISTRAR_REQUEST] =
		"SELECT registrar_request FROM device "
		"WHERE manufacturer = $1 AND serial = $2 AND registrar_request IS NOT NULL",
	[READ_CERTIFICATE] = "SELECT manufacturer, serial, not_after, revoked_at, issued_at "
			     "FROM certificate "
			     "WHERE sha256 = $1",
	[READ_CERTIFICATE_FOR] =
		"SELECT der FROM certificate WHERE csr_sha256 = $1 AND client_sha256 = $2 "
		"AND issued_at >= $3 AND revoked_at IS NULL ORDER BY issued_at DESC LIMIT 1",
	[READ_TALLY] = "SELECT count FROM tally WHERE kind = $1 AND value = $2",
	/* numbers rise, so the lowest is the device that came first */
	[OLDEST_PENDING] = "SELECT first_seen FROM device WHERE claim = 1 ORDER BY id LIMIT 1",
	/* at a site that lets all in, most devices have no claim: rows are not tried one by one */
	[LIST_CLAIMS] = "SELECT " CLAIM_COLUMNS
			" FROM device WHERE id IN (" CLAIMS_FROM("1") " UNION ALL " CLAIMS_FROM("2") " UNION ALL " CLAIMS_FROM(
				"3") " UNION ALL " CLAIMS_FROM("4") " UNION ALL " CLAIMS_FROM("5") " UNION ALL " CLAIMS_FROM("6") ") ORDER BY id LIMIT $2",
	[LIST_CLAIMS_IN] = "SELECT " CLAIM_COLUMNS " FROM device "
			   "WHERE claim = $1 AND id > $2 ORDER BY id LIMIT $3",
	[LIST_DEVICES] = "SELECT " CLAIM_COLUMNS " FROM device "
			 "WHERE id IN (" DEVICES ") ORDER BY id LIMIT $2",
	[FIND_BY_SERIAL] =
		"SELECT " CLAIM_COLUMNS " FROM device WHERE serial = $1 ORDER BY id LIMIT $2",
	[FIND_BY_ID] = "SELECT " CLAIM_COLUMNS " FROM device WHERE id = $1",
	/* the cursor is a device, and its place in this order its serial-number */
	[FIND_BY_PREFIX] =
		"SELECT " CLAIM_COLUMNS " FROM device WHERE serial >= max($1, "
		"coalesce((SELECT serial FROM device WHERE id = $3), '')) AND serial < $2 AND "
		"(+serial, id) > (coalesce((SELECT serial FROM device WHERE id = $3), ''), $3) "
		"ORDER BY serial, id LIMIT $4",
	[FIND_ANYWHERE] = "SELECT " CLAIM_COLUMNS " FROM device WHERE id > $1 AND id <= $2 "
			  "AND instr(serial, $3) > 0 ORDER BY id LIMIT $4",
	[LAST_DEVICE] = "SELECT max(id) FROM device",
	[READ_HISTORY] = "SELECT " JOURNAL_COLUMNS " FROM journal WHERE serial = $1 "
			 "AND +manufacturer = $2 AND id > $3 ORDER BY id LIMIT $4",
	[READ_LISTED] =
		"SELECT j.value ->> 3, "
		"CASE WHEN d.claim IN (2, 4) AND d.claim_until <= $2 THEN 5 ELSE d.claim END, "
		"d.state, d.first_seen, d.site, lower(hex(d.idevid_sha256)) FROM json_each($1) AS "
		"j "
		"CROSS JOIN device AS d "
		"WHERE d.manufacturer = j.value ->> 0 AND d.serial = j.value ->> 1",
	[READ_JOURNAL] = "SELECT " JOURNAL_COLUMNS
			 " FROM journal WHERE serial = $1 ORDER BY id DESC LIMIT $2",
	[LIST_JOURNAL] =
		"SELECT " JOURNAL_COLUMNS " FROM journal WHERE id > $1 ORDER BY id LIMIT $2",
	[LIST_EVENTS] = "SELECT " JOURNAL_COLUMNS ", (SELECT site FROM device AS d WHERE "
			"d.manufacturer = journal.manufacturer AND d.serial = journal.serial) "
			"FROM journal WHERE id > $1 ORDER BY id LIMIT $2",
	[LAST_JOURNAL] = "SELECT " JOURNAL_COLUMNS " FROM journal ORDER BY id DESC LIMIT 1",
	[LIST_HEADS] = "SELECT sequence, at, hash, signature, certificates FROM head "
		       "WHERE sequence > $1 ORDER BY sequence LIMIT $2",
	[LAST_HEAD] = "SELECT sequence, at, hash, signature, certificates FROM head "
		      "ORDER BY sequence DESC LIMIT 1",
	[LIST_CERTIFICATES] =
		"SELECT serial_hex, subject, issued_at, not_after, revoked_at FROM certificate "
		"WHERE manufacturer = $1 AND serial = $2 ORDER BY issued_at DESC LIMIT $3",
	/* the plus keeps this to the small index of what is revoked */
	[LIST_REVOKED] = "SELECT serial_hex, revoked_at, der FROM certificate "
			 "WHERE revoked_at IS NOT NULL AND +not_after >= $1 ORDER BY revoked_at",
	[READ_BY_NUMBER] = "SELECT revoked_at, der FROM certificate WHERE serial_hex = $1",
	[LIST_BY_END] =
		"SELECT c.sha256, c.serial_hex, c.manufacturer, c.serial, c.subject, "
		"c.issued_at, c.not_after, c.revoked_at, d.id, d.site, "
		"CASE WHEN c.revoked_at IS NULL AND d.state = 2 AND d.not_after = c.not_after "
		"THEN 1 ELSE 0 END "
		"FROM certificate AS c LEFT JOIN device AS d "
		"ON d.manufacturer = c.manufacturer AND d.serial = c.serial "
		"WHERE (c.not_after, c.sha256) > ($1, $2) "
		"AND c.not_after < $3 ORDER BY c.not_after, c.sha256 LIMIT $4",
	[LIST_VOUCHERS] = "SELECT id, manufacturer, serial, vouched_at, voucher_type, site "
			  "FROM device WHERE id > $1 ORDER BY id LIMIT $2",
	[LIST_HOURS] = "SELECT hour, step, outcome, manufacturer, count FROM hourly "
		       "WHERE hour >= $1 ORDER BY hour",
	[LIST_ENDS] = "SELECT day, manufacturer, count FROM ending "
		      "WHERE day >= $1 AND day < $2 AND count > 0 ORDER BY day",
	[COUNT_DEVICES_OF] = "SELECT count(*) FROM (SELECT 1 FROM device "
			     "WHERE manufacturer = $1 LIMIT $2) AS s",
	[COUNT_PENDING_OF] = "SELECT count(*) FROM (SELECT 1 FROM device INDEXED BY device_waiting "
			     "WHERE manufacturer = $1 AND claim = 1 LIMIT $2) AS s",
	[READ_CRL] = "SELECT number, der FROM crl WHERE issuer = $1",
	[ADD_DEVICE] = "INSERT INTO device "
		       "(id, manufacturer, serial, claim, state, history, first_seen, last_seen, "
		       "subject) VALUES ((SELECT coalesce(max(id), 0) + 1 FROM device), "
		       "$1, $2, 0, 0, 0, $3, $4, $5) ON CONFLICT (manufacturer, serial) "
		       "DO UPDATE SET first_seen = excluded.first_seen, "
		       "subject = excluded.subject WHERE device.first_seen = 0",
	[HOLD_DEVICE] =
		"UPDATE device SET revision = revision + CASE WHEN claim <> 1 THEN 1 ELSE 0 END, "
		"claim = CASE "
		"WHEN claim IN (2, 4) AND (claim_until > $4 OR (claim_until IS NULL AND $9 = 0)) "
		"THEN 2 ELSE 1 END, claim_until = CASE WHEN claim IN (2, 4) AND claim_until > $4 "
		"THEN claim_until END, address = $7, model = coalesce($8, model), "
		"idevid_sha256 = $1, "
		"request_sha256 = $2, "
		"registrar_sha256 = $3, last_seen = $4, voucher_type = NULL, voucher = NULL, "
		"key_sha256 = coalesce($10, key_sha256), address_before = $11, moved_at = $12, "
		"registrar_request = NULL "
		"WHERE manufacturer = $5 AND serial = $6 "
		"AND (claim IN (0, 1, 5, 6) OR claim_until <= $4 OR (claim IN (2, 4) AND ($9 <> 0 "
		"OR "
		"quarantined_at IS NOT NULL)))",
	[TOUCH_DEVICE] = "UPDATE device SET last_seen = $1 WHERE manufacturer = $2 AND serial = $3",
	/* an approval that was used has no end; one that was over was not used */
	[SETTLE_CLAIM] =
		"UPDATE device SET claim = CASE WHEN claim IN (2, 4) AND claim_until > $3 THEN 2 "
		"ELSE 0 END, claim_until = NULL, revision = revision + 1 "
		"WHERE manufacturer = $1 AND serial = $2 "
		"AND (claim IN (1, 5, 6) OR claim_until IS NOT NULL)",
	[KEEP_VOUCHER] =
		"UPDATE device SET revision = revision + CASE WHEN state <> 1 THEN 1 ELSE 0 END, "
		"state = 1, retired_at = "
		"NULL, "
		"retired_as = NULL, address = $13, model = coalesce($14, model), "
		"idevid_sha256 = $1, request_sha256 = $2, "
		"registrar_sha256 = $3, last_seen = $4, vouched_at = $5, voucher = $6, "
		"voucher_type = $7, registrar_request = $8, history = $9, history_reason = $10, "
		"voucher_status = NULL, enroll_status = NULL, "
		"rejoined_at = coalesce($15, rejoined_at), "
		"key_sha256 = coalesce($16, key_sha256), address_before = $17, moved_at = $18, "
		"joins = 1 + CASE WHEN day = $19 THEN joins ELSE 0 END, "
		"certificates = CASE WHEN day = $19 THEN certificates ELSE 0 END, day = $19 "
		"WHERE manufacturer = $11 AND serial = $12 AND claim <> 3 "
		"AND quarantined_at IS NULL AND (state <> 4 OR claim = 2)",
	[JUDGE_HISTORY] = "UPDATE device SET history = $1, history_reason = $2, "
			  "registrar_request = NULL WHERE manufacturer = $3 AND serial = $4",
	/* who was revoked stays that: only an approval takes it back */
	[REFUSE_DEVICE] = "UPDATE device SET state = CASE state WHEN 4 THEN 4 ELSE 3 END, history "
			  "= $1, history_reason = $2, revision = revision + 1, "
			  "idevid_sha256 = $3, last_seen = $4, registrar_request = NULL, "
			  "voucher = NULL, voucher_type = NULL "
			  "WHERE manufacturer = $5 AND serial = $6 AND state <> 3",
	[ADD_CERTIFICATE] =
		"INSERT INTO certificate (sha256, serial_hex, manufacturer, serial, subject, "
		"issued_at, not_after, csr_sha256, client_sha256, der) "
		"SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 WHERE NOT EXISTS "
		"(SELECT 1 FROM certificate WHERE csr_sha256 = $8 AND client_sha256 = $9 "
		"AND issued_at >= $11 AND revoked_at IS NULL)",
	[ENROLL_DEVICE] = "UPDATE device SET revision = revision + CASE WHEN state <> 2 THEN 1 "
			  "ELSE 0 END, state = 2, "
			  "enrolled_at = $1, last_seen = $2, not_after = $5, "
			  "renewed_at = coalesce($6, renewed_at), "
			  "joins = CASE WHEN day = $7 THEN joins ELSE 0 END, "
			  "certificates = 1 + CASE WHEN day = $7 THEN certificates ELSE 0 END, "
			  "day = $7 "
			  "WHERE manufacturer = $3 AND serial = $4 AND state < 3 AND claim <> 3 "
			  "AND quarantined_at IS NULL",
	[NOTE_VOUCHER_STATUS] = "UPDATE device SET voucher_status = $1, last_seen = $2 "
				"WHERE manufacturer = $3 AND serial = $4",
	[NOTE_ENROLL_STATUS] = "UPDATE device SET enroll_status = $1, last_seen = $2 "
			       "WHERE manufacturer = $3 AND serial = $4",
	/* how many rows an index has for a match, up to a few: see records_search() */
	[COUNT_BY_SERIAL] = "SELECT count(*) FROM (SELECT 1 FROM device "
			    "WHERE serial BETWEEN $1 AND $2 LIMIT $3) AS s",
	[COUNT_BY_SITE] = "SELECT count(*) FROM (SELECT 1 FROM device "
			  "WHERE site BETWEEN $1 AND $2 AND site <> '/' LIMIT $3) AS s",
	[COUNT_BY_MANUFACTURER] = "SELECT count(*) FROM (SELECT 1 FROM device "
				  "WHERE manufacturer BETWEEN $1 AND $2 LIMIT $3) AS s",
	[LIST_BY_SERIAL] = "SELECT " CLAIM_COLUMNS " FROM device WHERE id IN "
			   "(SELECT id FROM device WHERE serial BETWEEN $1 AND $2 LIMIT $3) "
			   "AND id > $4 ORDER BY id",
	[LIST_BY_SITE] =
		"SELECT " CLAIM_COLUMNS " FROM device WHERE id IN "
		"(SELECT id FROM device WHERE site BETWEEN $1 AND $2 AND site <> '/' LIMIT $3) "
		"AND id > $4 ORDER BY id",
	[LIST_BY_MANUFACTURER] =
		"SELECT " CLAIM_COLUMNS " FROM device WHERE id IN "
		"(SELECT id FROM device WHERE manufacturer BETWEEN $1 AND $2 LIMIT $3) "
		"AND id > $4 ORDER BY id",
	[LIST_BY_IDS] = "SELECT " CLAIM_COLUMNS " FROM device "
			"WHERE id IN (SELECT CAST(atom AS BIGINT) FROM json_each($1)) ORDER BY id",
	[LIST_DEVICES_IN] = "SELECT " CLAIM_COLUMNS " FROM device "
			    "WHERE standing = $1 AND standing > 0 AND id > $2 ORDER BY id LIMIT $3",
	[LIST_MARKED] = "SELECT " CLAIM_COLUMNS " FROM device "
			"WHERE marks <> 0 AND id > $1 ORDER BY id LIMIT $2",
	[LIST_CAREFUL_SITES] = "SELECT path, approvers FROM site WHERE approvers > 1",
	[NOTE_VERDICTS] =
		"INSERT INTO journal "
		"(id, at, exchange, manufacturer, serial, actor, step, outcome, reason) "
		"SELECT (SELECT coalesce(max(id), 0) FROM journal) + row_number() OVER (ORDER BY "
		"j.key), "
		"$1, $2, d.manufacturer, d.serial, $3, 'claim', j.value ->> 2, $4 "
		"FROM json_each($5) AS j CROSS JOIN device AS d WHERE d.id = CAST(j.value ->> 0 AS "
		"BIGINT)",
	[DECIDE_ROWS] =
		"UPDATE device SET revision = revision + 1, approvals = j.value ->> 4, "
		"announced_idevid = CASE WHEN j.value ->> 3 IS NULL THEN announced_idevid END, "
		"claim = coalesce(CAST(j.value ->> 3 AS BIGINT), claim), "
		"claim_reason = CASE WHEN j.value ->> 3 IS NULL THEN claim_reason ELSE $1 END, "
		"claim_by = CASE WHEN j.value ->> 3 IS NULL THEN claim_by ELSE $2 END, "
		"claim_at = CASE WHEN j.value ->> 3 IS NULL THEN claim_at ELSE $3 END, "
		"claim_until = CASE WHEN j.value ->> 3 IS NULL THEN claim_until "
		"WHEN voucher IS NULL THEN CAST($4 AS BIGINT) END, "
		"site = CASE WHEN j.value ->> 3 IS NULL THEN site ELSE coalesce($5, site) END, "
		"labels = CASE WHEN j.value ->> 3 IS NULL OR CAST($6 AS TEXT) IS NULL THEN labels "
		"ELSE json_patch(coalesce(labels, '{}'), $6) END "
		"FROM json_each($7) AS j "
		"WHERE device.id = CAST(j.value ->> 0 AS BIGINT) "
		"AND device.revision = CAST(j.value ->> 1 AS BIGINT)",
	[LIST_JOBS] = "SELECT " JOB_COLUMNS " FROM job ORDER BY id DESC LIMIT $1",
	[SHOW_JOB] = "SELECT " JOB_COLUMNS " FROM job WHERE id = $1",
	[ADD_JOB] = "INSERT INTO job (id, state, kind, actor, exchange, what, total, done, failed, "
		    "begun, member) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8, $9) "
		    "ON CONFLICT (id) DO NOTHING",
	[STEP_JOB] = "UPDATE job SET done = $1, failed = $2 WHERE id = $3",
	[END_JOB] = "UPDATE job SET state = $1, done = $2, failed = $3, ended = $4, reason = $5, "
		    "failures = $6 WHERE id = $7",
	[NOTE_INTERRUPTED] =
		"INSERT INTO journal (id, at, exchange, actor, step, outcome, reason) "
		"SELECT (SELECT coalesce(max(id), 0) FROM journal) + row_number() OVER (ORDER BY "
		"id), $1, exchange, actor, 'job', 'interrupted', format('job %s: %s, %s of %s "
		"done, %s failed: the registrar was restarted', id, kind, done, total, failed) "
		"FROM job WHERE state IN (0, 1)" OF_NOBODY,
	[INTERRUPT_JOBS] = "UPDATE job SET state = 4, ended = $1, "
			   "reason = 'the registrar was restarted' "
			   "WHERE state IN (0, 1)" OF_NOBODY,
	[JOIN_MEMBER] = "INSERT INTO member (id, host, started_at, beat) VALUES ($1, $2, $3, 0)",
	[BEAT_MEMBER] = "UPDATE member SET beat = beat + 1 WHERE id = $1",
	[DROP_MEMBER] = "DELETE FROM member WHERE id = $1",
	[DROP_MEMBERS] = "DELETE FROM member",
	[LIST_MEMBERS] = "SELECT id, host, started_at, beat FROM member ORDER BY started_at, id",
	[RESERVE] = "INSERT INTO reservation (idevid_sha256, member, until) VALUES ($1, $2, $3) "
		    "ON CONFLICT (idevid_sha256) DO UPDATE SET member = excluded.member, "
		    "until = excluded.until WHERE reservation.until <= $4",
	[UNRESERVE] = "DELETE FROM reservation WHERE idevid_sha256 = $1 AND member = $2",
	[DROP_RESERVATIONS] = "DELETE FROM reservation WHERE member NOT IN (SELECT id FROM member)",
	[READ_NEWS] = "SELECT coalesce(max(id), 0), "
		      "coalesce(max(CASE step WHEN 'rule' THEN id END), 0), "
		      "coalesce(max(CASE step WHEN 'hook' THEN id END), 0) "
		      "FROM journal WHERE id > $1",
	[READ_CRL_NUMBER] = "SELECT number FROM crl WHERE issuer = $1",
	[SWEEP_JOBS] = "DELETE FROM job WHERE id <= (SELECT max(id) FROM job) - 100",
	[IMPORT_CLAIMS] = "INSERT INTO device " IMPORTED_COLUMNS IMPORTED_VALUES(
		"4") "ON CONFLICT (manufacturer, serial) "
		     "DO UPDATE SET revision = device.revision + 1, claim = CASE WHEN "
		     "device.first_seen = 0 THEN "
		     "4 "
		     "ELSE 2 END, site = CASE excluded.site WHEN '/' THEN device.site ELSE "
		     "excluded.site "
		     "END, "
		     "claim_reason = excluded.claim_reason, claim_by = excluded.claim_by, "
		     "claim_at = excluded.claim_at, claim_until = CASE WHEN device.voucher IS NULL "
		     "THEN "
		     "excluded.claim_until END, model = coalesce(device.model, excluded.model), "
		     "labels = CASE WHEN excluded.labels IS NULL THEN device.labels "
		     "ELSE json_patch(coalesce(device.labels, '{}'), excluded.labels) END, "
		     "announced_idevid = coalesce(excluded.announced_idevid, "
		     "device.announced_idevid) "
		     "WHERE device.state <> 4 AND (device.claim IN (0, 1, 5, 6) "
		     "OR device.claim_until <= excluded.claim_at)",
	[ANNOUNCE_CLAIMS] = "INSERT INTO device " IMPORTED_COLUMNS IMPORTED_VALUES(
		"6") "ON CONFLICT (manufacturer, serial) DO NOTHING",
	[NOTE_IMPORTED] =
		"INSERT INTO journal "
		"(id, at, exchange, manufacturer, serial, actor, step, outcome, reason) "
		"SELECT (SELECT coalesce(max(id), 0) FROM journal) + row_number() OVER (ORDER BY "
		"j.key), "
		"$1, $2, d.manufacturer, d.serial, $3, 'claim', "
		"CASE d.claim WHEN 4 THEN 'preapproved' WHEN 6 THEN 'announced' ELSE 'approved' "
		"END, d.claim_reason "
		"FROM json_each($4) AS j CROSS JOIN device AS d "
		"WHERE d.manufacturer = j.value ->> 0 AND d.serial = j.value ->> 1",
	[JOURNAL_LINE] = "SELECT id, hash FROM journal WHERE id = $1",
	[JOURNAL_LAST] = "SELECT id, hash FROM journal ORDER BY id DESC LIMIT 1",
	[COUNT_ENDING] = "SELECT CAST(coalesce(sum(count), 0) AS BIGINT) FROM ending WHERE day "
			 "BETWEEN $1 AND $2",
	[LIST_SITES] = "SELECT " SITE_COLUMNS " FROM site WHERE path > $1 ORDER BY path LIMIT $2",
	[READ_SITE] = "SELECT " SITE_COLUMNS " FROM site WHERE path = $1",
	/* $1: the path and those of all sites it is in, a JSON array */
	[READ_SITE_POLICY] = "SELECT max(approvers), max(unknown) FROM site "
			     "WHERE path IN (SELECT atom FROM json_each($1))",
	[READ_SITE_USES] = "SELECT CASE WHEN " SITE_IN_RULES " THEN 1 ELSE 0 END, "
			   "CASE WHEN " SITE_IN_ROLES " THEN 1 ELSE 0 END",
	[ADD_SITE] = "INSERT INTO site (path, name, note, approvers, unknown) "
		     "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (path) DO NOTHING",
	[SET_SITE] = "UPDATE site SET name = $1, note = $2, approvers = $3, unknown = $4, "
		     "revision = revision + 1 WHERE path = $5 AND revision = $6",
	[REMOVE_SITE] = "DELETE FROM site WHERE path = $1 AND path <> '/' AND revision = $2 "
			"AND NOT EXISTS (SELECT 1 FROM tally WHERE kind = 'site' "
			"AND value = path AND count > 0) AND NOT EXISTS "
			"(SELECT 1 FROM site AS s WHERE s.path > $1 || '/' AND s.path < $1 || '0') "
			"AND NOT " SITE_IN_RULES " AND NOT " SITE_IN_ROLES,
	[LIST_RULES] = "SELECT id, action, manufacturer, serials, network, not_before, not_after, "
		       "remaining, reason, model, site, labels, enabled FROM rule ORDER BY place",
	[ADD_RULE] = "INSERT INTO rule (id, place, action, manufacturer, serials, network, "
		     "not_before, not_after, remaining, reason, model, site, labels, enabled) "
		     "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1)",
	[ENABLE_RULE] = "UPDATE rule SET enabled = $3 WHERE id = $1 AND place = $2",
	/* what a person said of its place and labels stays */
	[PLACE_BY_RULE] =
		"UPDATE device SET site = CASE site WHEN '/' THEN coalesce($1, site) ELSE site "
		"END, labels = CASE WHEN CAST($2 AS TEXT) IS NULL THEN labels ELSE json_patch($2, "
		"coalesce(labels, '{}')) END "
		"WHERE manufacturer = $3 AND serial = $4 AND claim = 1",
	[REMOVE_RULE] = "DELETE FROM rule WHERE id = $1 AND place = $2",
	[PLACE_RULE] = "UPDATE rule SET place = $1 WHERE id = $2 AND place = $3",
	[SHIFT_RULES] = "UPDATE rule SET place = place + 1 WHERE place >= $1",
	[CLOSE_RULES] = "UPDATE rule SET place = place - 1 WHERE place > $1",
	[USE_RULE] = "UPDATE rule SET remaining = remaining - 1 WHERE id = $1 AND remaining > 0",
	[APPROVE_BY_RULE] =
		"UPDATE device SET revision = revision + 1, claim = 2, claim_reason = "
		"$1, claim_by = $2, claim_at = $3, "
		"site = CASE site WHEN '/' THEN coalesce($6, site) ELSE site END, "
		"labels = CASE WHEN CAST($7 AS TEXT) IS NULL THEN labels ELSE json_patch($7, "
		"coalesce(labels, '{}')) END, "
		"claim_until = NULL WHERE manufacturer = $4 AND serial = $5 "
		"AND claim IN (0, 1, 5, 6) AND state <> 4",
	[DECIDE_ASKED] =
		"UPDATE device SET revision = revision + 1, claim = $1, claim_reason = $2, "
		"claim_by = $3, claim_at = $4, claim_until = CASE WHEN voucher IS NULL THEN "
		"CAST($5 AS BIGINT) END, "
		"site = CASE site WHEN '/' THEN coalesce($8, site) ELSE site END, "
		"labels = CASE WHEN CAST($9 AS TEXT) IS NULL THEN labels ELSE json_patch($9, "
		"coalesce(labels, '{}')) END WHERE manufacturer = $6 AND serial = $7 "
		"AND claim = 1 AND state <> 4 AND quarantined_at IS NULL",
	[LAST_NUMBER] = "SELECT last FROM number WHERE kind = $1",
	[TAKE_NUMBER] = "UPDATE number SET last = $1 WHERE kind = $2 AND last = $1 - 1",
	[LIST_HOOKS] = "SELECT id, url, secret, types, anchors, enabled, by, added_at, "
		       "delivered_at, cursor, failing_at, failure, dropped, "
		       "(SELECT count(*) FROM dead_letter AS d WHERE d.hook = hook.id) "
		       "FROM hook ORDER BY id",
	[ADD_HOOK] = "INSERT INTO hook (id, url, secret, types, anchors, enabled, by, added_at, "
		     "cursor, dropped) SELECT $1, $2, $3, $4, $5, 1, $6, $7, coalesce(max(id), 0), "
		     "0 FROM journal",
	[REMOVE_HOOK] = "DELETE FROM hook WHERE id = $1",
	[ENABLE_HOOK] = "UPDATE hook SET enabled = $2, cursor = CASE WHEN $3 <> 0 THEN "
			"(SELECT coalesce(max(id), 0) FROM journal) ELSE cursor END WHERE id = $1",
	[SAVE_HOOK] = "UPDATE hook SET cursor = max(cursor, $2), "
		      "delivered_at = CASE WHEN $3 > 0 THEN $3 ELSE delivered_at END WHERE id = $1",
	[FAIL_HOOK] = "UPDATE hook SET failing_at = CASE WHEN $2 > 0 THEN $2 END, failure = $3 "
		      "WHERE id = $1",
	[LIST_DEAD] = "SELECT sequence, at, tries, reason, wanted FROM dead_letter "
		      "WHERE hook = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
	[WANTED_DEAD] = "SELECT sequence FROM dead_letter WHERE hook = $1 AND wanted = 1 "
			"AND sequence > $2 ORDER BY sequence LIMIT 1",
	/* a hook that was removed meanwhile has none */
	[ADD_DEAD] = "INSERT INTO dead_letter (hook, sequence, at, tries, reason, wanted) "
		     "SELECT id, $2, $3, $4, $5, 0 FROM hook WHERE id = $1 "
		     "ON CONFLICT (hook, sequence) DO UPDATE SET at = excluded.at, "
		     "tries = excluded.tries, reason = excluded.reason, wanted = 0",
	[COUNT_DROPPED] = "UPDATE hook SET dropped = dropped + (SELECT max(count(*) - $2, 0) "
			  "FROM dead_letter WHERE hook = $1) WHERE id = $1",
	[TRIM_DEAD] = "DELETE FROM dead_letter WHERE hook = $1 AND sequence <= "
		      "(SELECT sequence FROM dead_letter WHERE hook = $1 "
		      "ORDER BY sequence DESC LIMIT 1 OFFSET $2)",
	[BURY_AGAIN] = "UPDATE dead_letter SET at = $3, tries = tries + 1, reason = $4, wanted = 0 "
		       "WHERE hook = $1 AND sequence = $2",
	[WANT_DEAD] = "UPDATE dead_letter SET wanted = 1 "
		      "WHERE hook = $1 AND ($2 = 0 OR sequence = $2)",
	[DROP_DEAD] = "DELETE FROM dead_letter WHERE hook = $1 AND ($2 = 0 OR sequence = $2)",
	/* its number follows that of the line whose hash its own covers; the first gets its hash
	 * from the trigger; not INSERT ... SELECT, which SQLite puts aside in a table first */
	[ADD_JOURNAL] = "INSERT INTO journal "
			"(at, exchange, manufacturer, serial, actor, step, outcome, reason, hash) "
			"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, "
			"(SELECT chain_hash(hash, id + 1, $1, $2, $3, $4, $5, $6, $7, $8) "
			"FROM journal ORDER BY id DESC LIMIT 1))",
	/* as many lines as $9 + 1 of one serial-number in a day, and no more */
	[ADD_FAILURE] = "INSERT INTO journal "
			"(id, at, exchange, manufacturer, serial, actor, step, outcome, reason) "
			"SELECT (SELECT coalesce(max(id), 0) + 1 FROM journal), "
			"CAST($1 AS BIGINT), $2, $3, $4, $5, $6, $7, $8 "
			"WHERE coalesce((SELECT at FROM journal "
			"WHERE serial = $4 ORDER BY id DESC LIMIT 1 OFFSET $9), 0) <= $1 - 86400",
	/* only what the journal has come to is a head of it */
	[ADD_HEAD] = "INSERT INTO head (sequence, at, hash, signature, certificates) "
		     "SELECT $1, $2, $3, $4, $5 WHERE EXISTS "
		     "(SELECT 1 FROM journal WHERE id = $1 AND hash = $3) "
		     "ON CONFLICT (sequence) DO NOTHING",
	[NOTE_SIGNAL] = "INSERT INTO journal "
			"(id, at, exchange, manufacturer, serial, step, outcome, reason) "
			"SELECT (SELECT coalesce(max(id), 0) + 1 FROM journal), $1, $2, "
			"manufacturer, serial, 'fraud', $3, $4 FROM device "
			"WHERE manufacturer = $5 AND serial = $6 AND marks & $7 = 0",
	[NOTE_FRAUD_QUARANTINE] =
		"INSERT INTO journal "
		"(id, at, exchange, manufacturer, serial, actor, step, outcome, reason) "
		"SELECT (SELECT coalesce(max(id), 0) + 1 FROM journal), $1, $2, manufacturer, "
		"serial, 'policy', 'device', 'quarantined', $3 FROM device "
		"WHERE manufacturer = $4 AND serial = $5 AND quarantined_at IS NULL AND state <> 4",
	/* who is revoked has nothing that could be quarantined */
	[MARK_DEVICE] =
		"UPDATE device SET revision = revision + 1, marks = marks | $1, "
		"quarantine_reason = CASE WHEN $2 <> 0 AND state <> 4 AND quarantined_at IS NULL "
		"THEN $4 ELSE quarantine_reason END, "
		"quarantined_at = CASE WHEN $2 <> 0 AND state <> 4 THEN "
		"coalesce(quarantined_at, $3) ELSE quarantined_at END "
		"WHERE manufacturer = $5 AND serial = $6",
	[CLEAR_MARKS] = "UPDATE device SET revision = revision + 1, marks = 0, day = NULL, "
			"address_before = NULL, moved_at = NULL WHERE marks <> 0 AND " THIS(
				"$1", "$2", "$3"),
	[DROP_OLD_CERTIFICATES] = "DELETE FROM certificate WHERE manufacturer = $1 AND serial = $2 "
				  "AND +not_after < $3 AND revoked_at IS NULL AND issued_at < "
				  "(SELECT issued_at FROM certificate "
				  "WHERE manufacturer = $1 AND serial = $2 ORDER BY issued_at DESC "
				  "LIMIT 1 OFFSET $4)",
	/* what an administrator approved before counts no longer; a rejection stays */
	[RETIRE_DEVICE] = "UPDATE device SET " RETIRED_AS(
		"$2") "WHERE state <> 0 AND (state <> 4 "
		      "OR claim = 2 OR coalesce(retired_as, 4) < $2) AND " THIS("$3", "$4", "$5"),
	[REPLACE_DEVICE] = "UPDATE device SET " RETIRED_AS(
		"6") ", replaced_by = (SELECT id FROM device AS d "
		     "WHERE d.manufacturer = $2 AND d.serial = $3) "
		     "WHERE (replaced_by IS NULL OR standing <> 6) AND " THIS("$4", "$5", "$6"),
	[ADD_REPLACEMENT] =
		"INSERT INTO device "
		"(id, manufacturer, serial, claim, state, history, first_seen, last_seen, "
		"claim_reason, claim_by, claim_at, claim_until, site, labels, replaces) "
		"SELECT (SELECT coalesce(max(id), 0) + 1 FROM device), $1, $2, 4, 0, 0, 0, 0, "
		"$5, $6, $3, $4, site, labels, id FROM device "
		"WHERE manufacturer = $7 AND serial = $8 ON CONFLICT (manufacturer, serial) "
		"DO UPDATE SET claim = CASE WHEN device.first_seen = 0 THEN 4 ELSE 2 END, "
		"claim_reason = excluded.claim_reason, claim_by = excluded.claim_by, "
		"claim_at = excluded.claim_at, claim_until = CASE WHEN device.voucher IS NULL THEN "
		"excluded.claim_until END, site = excluded.site, labels = excluded.labels, "
		"replaces = excluded.replaces, revision = device.revision + 1 "
		"WHERE device.revision = $9",
	[QUARANTINE_DEVICE] =
		"UPDATE device SET quarantined_at = $1, quarantine_reason = $2, "
		"revision = revision + 1 WHERE quarantined_at IS NULL AND state <> 4 AND " THIS(
			"$3", "$4", "$5"),
	[RELEASE_DEVICE] = "UPDATE device SET quarantined_at = NULL, quarantine_reason = NULL, "
			   "revision = revision + 1 WHERE quarantined_at IS NOT NULL AND " THIS(
				   "$1", "$2", "$3"),
	[MOVE_DEVICE] = "UPDATE device SET site = $1, revision = revision + 1 WHERE " THIS(
		"$2", "$3", "$4"),
	[LABEL_DEVICE] = "UPDATE device SET labels = $1, revision = revision + 1 WHERE " THIS(
		"$2", "$3", "$4"),
	[REVOKE_CERTIFICATES] = "UPDATE certificate SET revoked_at = $1 "
				"WHERE manufacturer = $2 AND serial = $3 AND revoked_at IS NULL",
	[KEEP_CRL] = "INSERT INTO crl (issuer, number, der) VALUES ($1, $2, $3) "
		     "ON CONFLICT (issuer) DO UPDATE SET number = excluded.number, "
		     "der = excluded.der WHERE excluded.number > crl.number AND crl.number = $4",
	[NOTE_EXPIRED] =
		"INSERT INTO journal (id, at, manufacturer, serial, step, outcome, reason) "
		"SELECT (SELECT coalesce(max(id), 0) FROM journal) + row_number() OVER (ORDER BY "
		"id), "
		"$1, manufacturer, serial, 'claim', 'expired', 'nobody used the approval in time' "
		"FROM device WHERE id IN " RUN_OUT,
	[BEGIN_ENDS] = "INSERT INTO number (kind, last) VALUES ($1, $2) "
		       "ON CONFLICT (kind) DO UPDATE SET last = min(number.last, excluded.last)",
	[NOTE_ENDS] =
		"INSERT INTO journal (id, at, manufacturer, serial, step, outcome, reason) "
		"SELECT (SELECT coalesce(max(id), 0) FROM journal) + row_number() OVER (ORDER BY "
		"not_after, id), $3, manufacturer, serial, 'device', $1, 'its certificate ends ' "
		"|| strftime('%Y-%m-%dT%H:%M:%SZ', not_after, 'unixepoch') FROM device "
		"WHERE not_after > " ENDS_PASSED " AND not_after <= " ENDS_NEXT " AND standing = 1",
	[PASS_ENDS] = "UPDATE number SET last = " ENDS_NEXT " WHERE kind = $1",
	[EXPIRE_CLAIMS] =
		"UPDATE device SET claim = 5, revision = revision + 1 WHERE id IN " RUN_OUT,
	[SWEEP_CLAIMS] =
		"DELETE FROM device WHERE id IN ("
		"SELECT id FROM (SELECT id FROM device WHERE state = 0 AND claim IN (0, 1) "
		"AND last_seen < $1 LIMIT 1000) AS s UNION ALL "
		"SELECT id FROM (SELECT id FROM device WHERE claim = 5 AND claim_until < $1 "
		"AND state = 0 LIMIT 1000) AS s UNION ALL "
		"SELECT id FROM (SELECT id FROM device WHERE claim = 6 AND claim_until < $1 "
		"AND state = 0 LIMIT 1000) AS s)",
	[SWEEP_JOURNAL_AGE] = SWEEP_JOURNAL_TO("at < $1"),
	[SWEEP_JOURNAL_ROWS] = SWEEP_JOURNAL_TO("sequence <= (SELECT max(id) FROM journal) - $1"),
	/* those of lines that are gone, but for the one where what is left begins; and of older
	 * ones all but the last of each hour and of each 10,000 lines */
	[SWEEP_HEADS] = "DELETE FROM head WHERE sequence < (SELECT min(id) FROM journal) - 1",
	[THIN_HEADS] = "DELETE FROM head WHERE at < $1 AND sequence >= "
		       "(SELECT min(id) FROM journal) AND sequence NOT IN "
		       "(SELECT max(sequence) FROM head GROUP BY at / 3600, sequence / 10000)",
	[SWEEP_CERTIFICATES] = "DELETE FROM certificate WHERE sha256 IN "
			       "(SELECT sha256 FROM certificate WHERE not_after < $1 LIMIT 1000)",
	[LIST_USERS] =
		"SELECT " USER_COLUMNS " FROM \"user\" WHERE name > $1 ORDER BY name LIMIT $2",
	[READ_USER] = "SELECT " USER_COLUMNS " FROM \"user\" WHERE name = $1",
	[LIST_GRANTS] = "SELECT role, site, manufacturer, until FROM user_grant "
			"WHERE \"user\" = $1 ORDER BY id",
	[READ_LOGIN] =
		"SELECT password, code, code_until FROM \"user\" WHERE name = $1 AND disabled = 0",
	[READ_SESSION] =
		"SELECT s.\"user\", s.created_at, s.used_at FROM session AS s "
		"JOIN \"user\" AS u ON u.name = s.\"user\" WHERE s.id = $1 AND u.disabled = 0",
	[READ_TOKEN] =
		"SELECT t.id, t.\"user\", t.used_at, t.role, t.site, t.manufacturer, t.until "
		"FROM token AS t JOIN \"user\" AS u ON u.name = t.\"user\" "
		"WHERE t.sha256 = $1 AND u.disabled = 0",
	[READ_USER_OF_CERTIFICATE] =
		"SELECT u.name FROM user_certificate AS c JOIN \"user\" AS u ON u.name = c.user "
		"WHERE c.sha256 = $1 AND u.disabled = 0",
	[LIST_TOKENS] = "SELECT id, \"user\", used_at, role, site, manufacturer, until, name, "
			"created_at FROM token WHERE CAST($1 AS TEXT) IS NULL OR \"user\" = $1 "
			"ORDER BY id LIMIT $2",
	[LIST_USER_CERTIFICATES] = "SELECT sha256, subject, not_after, added_at "
				   "FROM user_certificate WHERE \"user\" = $1 ORDER BY added_at",
	[ADD_USER] = "INSERT INTO \"user\" (name, disabled, created_at, code, code_until) "
		     "SELECT $1, 0, $2, $3, $4 WHERE (SELECT count(*) FROM \"user\") < $5 "
		     "ON CONFLICT (name) DO NOTHING",
	[SET_CODE] = "UPDATE \"user\" SET code = $2, code_until = $3 WHERE name = $1",
	[USE_CODE] = "UPDATE \"user\" SET code = NULL, code_until = NULL "
		     "WHERE name = $1 AND code = $2 AND code_until > $3 AND disabled = 0",
	[ADD_GRANT] =
		"INSERT INTO user_grant (id, \"user\", role, site, manufacturer, until) "
		"SELECT (SELECT coalesce(max(id), 0) + 1 FROM user_grant), $1, $2, $3, $4, $5 "
		"WHERE EXISTS (SELECT 1 FROM \"user\" WHERE name = $1) "
		"AND (SELECT count(*) FROM user_grant WHERE \"user\" = $1) < $6 "
		"AND NOT EXISTS (SELECT 1 FROM user_grant WHERE \"user\" = $1 AND role = $2 "
		"AND site IS NOT DISTINCT FROM $3 AND manufacturer IS NOT DISTINCT FROM $4)",
	[REMOVE_GRANT] =
		"DELETE FROM user_grant WHERE \"user\" = $1 AND role = $4 "
		"AND site IS NOT DISTINCT FROM $5 AND manufacturer IS NOT DISTINCT FROM $6 "
		"AND " ADMIN_STAYS,
	[REMOVE_GRANTS] = "DELETE FROM user_grant WHERE \"user\" = $1",
	[DISABLE_USER] = "UPDATE \"user\" SET disabled = 1, code = NULL, code_until = NULL "
			 "WHERE name = $1 AND disabled = 0 AND " ADMIN_STAYS,
	[ENABLE_USER] = "UPDATE \"user\" SET disabled = 0 WHERE name = $1 AND disabled <> 0",
	[REMOVE_USER] = "DELETE FROM \"user\" WHERE name = $1 AND " ADMIN_STAYS,
	[ADD_USER_CERTIFICATE] =
		"INSERT INTO user_certificate (sha256, \"user\", subject, not_after, added_at) "
		"SELECT $1, $2, $3, $4, $5 WHERE EXISTS (SELECT 1 FROM \"user\" WHERE name = $2) "
		"AND (SELECT count(*) FROM user_certificate WHERE \"user\" = $2) < $6 "
		"ON CONFLICT (sha256) DO NOTHING",
	[REMOVE_USER_CERTIFICATE] =
		"DELETE FROM user_certificate WHERE sha256 = $1 AND \"user\" = $2",
	[REMOVE_USER_CERTIFICATES] = "DELETE FROM user_certificate WHERE \"user\" = $1",
	[SET_PASSWORD] = "UPDATE \"user\" SET password = $2 WHERE name = $1 AND disabled = 0",
	[CHANGE_PASSWORD] = "UPDATE \"user\" SET password = $2 "
			    "WHERE name = $1 AND disabled = 0 AND password = $3",
	[NOTE_LOGIN] = "UPDATE \"user\" SET login_at = $2 WHERE name = $1 AND disabled = 0 "
		       "AND (CAST($3 AS TEXT) IS NULL OR password = $3)",
	[ADD_SESSION] = "INSERT INTO session (id, \"user\", created_at, used_at) "
			"SELECT $1, $2, $3, $3 WHERE EXISTS "
			"(SELECT 1 FROM \"user\" WHERE name = $2 AND disabled = 0) "
			"ON CONFLICT (id) DO NOTHING",
	[TOUCH_SESSION] = "UPDATE session SET used_at = $2 WHERE id = $1 AND used_at < $2",
	[END_SESSION] = "DELETE FROM session WHERE id = $1",
	/* all of a user but the one named */
	[END_SESSIONS] = "DELETE FROM session WHERE \"user\" = $1 AND id IS DISTINCT FROM $2",
	[SWEEP_SESSIONS] = "DELETE FROM session WHERE used_at < $1 OR created_at < $2 OR id = $3 "
			   "OR id IN (SELECT id FROM session WHERE \"user\" = $4 "
			   "ORDER BY used_at DESC LIMIT 1000000000 OFFSET $5)",
	[ADD_TOKEN] =
		"INSERT INTO token (id, \"user\", name, sha256, role, site, manufacturer, until, "
		"created_at, used_at) "
		"SELECT (SELECT coalesce(max(id), 0) + 1 FROM token), $1, $2, $3, $4, $5, $6, $7, "
		"$8, 0 WHERE EXISTS (SELECT 1 FROM \"user\" WHERE name = $1 AND disabled = 0) "
		"AND (SELECT count(*) FROM token WHERE \"user\" = $1) < $9 "
		"ON CONFLICT (\"user\", name) DO NOTHING",
	[TOUCH_TOKEN] = "UPDATE token SET used_at = $2 WHERE id = $1 AND used_at < $2",
	[REMOVE_TOKEN] =
		"DELETE FROM token WHERE id = $1 AND (CAST($2 AS TEXT) IS NULL OR \"user\" = $2)",
	[READ_ISSUING] = "SELECT key_sha256, at FROM issuing WHERE id = 1",
	[CHOOSE_ISSUING] = "INSERT INTO issuing (id, key_sha256, at) VALUES (1, $1, $2) "
			   "ON CONFLICT (id) DO UPDATE SET key_sha256 = excluded.key_sha256, "
			   "at = excluded.at",
	[LIST_AHEAD] = "SELECT " AHEAD_COLUMNS ", NULL, NULL " FROM_AHEAD
		       "WHERE v.id > $1 ORDER BY v.id LIMIT $2",
	[READ_AHEAD] = "SELECT " AHEAD_COLUMNS ", v.voucher, v.request " FROM_AHEAD
		       "WHERE v.manufacturer = $1 AND v.serial = $2 AND v.type = $3",
	[FIND_AHEAD] = "SELECT " AHEAD_COLUMNS ", NULL, NULL " FROM_AHEAD
		       "WHERE v.serial = $1 OR CAST(v.id AS TEXT) = $1 ORDER BY v.id LIMIT $2",
	[DUE_AHEAD] = "SELECT " AHEAD_COLUMNS ", NULL, NULL " FROM_AHEAD
		      "WHERE v.renew_at > 0 AND v.renew_at <= $1 ORDER BY v.renew_at LIMIT $2",
	[UNCHECKED_AHEAD] = "SELECT " AHEAD_COLUMNS ", NULL, v.request " FROM_AHEAD
			    "WHERE v.used_at > 0 AND v.checked_at = 0 AND v.id > $1 "
			    "ORDER BY v.id LIMIT $2",
	[COUNT_AHEAD] = "SELECT count(*) FROM stored_voucher",
	[KEEP_AHEAD] = "INSERT INTO stored_voucher (id, manufacturer, serial, type, masa, by, "
		       "fetched_at, until, renew_at, voucher, request, used_at, checked_at) "
		       "VALUES ((SELECT coalesce(max(id), 0) + 1 FROM stored_voucher), $1, $2, $3, "
		       "$4, $5, $6, $7, $8, $9, $10, 0, 0) "
		       "ON CONFLICT (manufacturer, serial, type) DO UPDATE SET "
		       "masa = excluded.masa, by = excluded.by, fetched_at = excluded.fetched_at, "
		       "until = excluded.until, renew_at = excluded.renew_at, "
		       "voucher = excluded.voucher, request = excluded.request",
	[DELAY_AHEAD] = "UPDATE stored_voucher SET renew_at = $1 WHERE id = $2",
	[END_AHEAD] = "UPDATE stored_voucher SET renew_at = 0, until = CASE WHEN until > 0 AND "
		      "until < $1 THEN until ELSE $1 END WHERE id = $2",
	[DROP_AHEAD] = "DELETE FROM stored_voucher WHERE id = $1 "
		       "AND (used_at = 0 OR checked_at > 0)",
	[USE_AHEAD] = "UPDATE stored_voucher SET used_at = $1, checked_at = 0 "
		      "WHERE manufacturer = $2 AND serial = $3 AND type = $4",
	[CHECK_AHEAD] = "UPDATE stored_voucher SET checked_at = $1 WHERE id = $2",
	[SWEEP_AHEAD] = "DELETE FROM stored_voucher WHERE until > 0 AND until < $1 "
			"AND (used_at = 0 OR checked_at > 0)",
	[REMOVE_TOKENS] = "DELETE FROM token WHERE \"user\" = $1",
	[READ_ALLOCATION] = "SELECT owner, url, first_at, moves FROM allocation "
			    "WHERE manufacturer = $1 AND serial = $2",
	[PUT_ALLOCATION] =
		"INSERT INTO allocation (manufacturer, serial, owner, url, est, region, first_at, "
		"at, moves) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
		"ON CONFLICT (manufacturer, serial) DO UPDATE SET owner = excluded.owner, "
		"url = excluded.url, est = excluded.est, region = excluded.region, "
		"first_at = excluded.first_at, at = excluded.at, moves = excluded.moves",
};

const struct store_schema records_schema = {
	.name = "registrar",
	.migrations = records_migrations,
	.statements = statements,
	.postgres = {records_postgres_migrations, RECORDS_POSTGRES_FIRST,
		records_postgres_statements},
	.moving = {.used = "SELECT CASE WHEN EXISTS (SELECT 1 FROM journal) "
			   "OR EXISTS (SELECT 1 FROM device) OR EXISTS (SELECT 1 FROM rule) "
			   "OR EXISTS (SELECT 1 FROM \"user\") THEN 1 ELSE 0 END",
		.broken = BROKEN_CHAIN},
};
