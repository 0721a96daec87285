-- SPDX-License-Identifier: Apache-2.0
-- A registrar's store as the first release made it.
CREATE TABLE device (
 id INTEGER PRIMARY KEY,
 manufacturer TEXT NOT NULL,
 serial TEXT NOT NULL,
 claim INTEGER NOT NULL,
 state INTEGER NOT NULL,
 history INTEGER NOT NULL,
 first_seen INTEGER NOT NULL,
 last_seen INTEGER NOT NULL,
 subject TEXT,
 claim_reason TEXT,
 claim_by TEXT,
 claim_at INTEGER,
 history_reason TEXT,
 voucher_status TEXT,
 enroll_status TEXT,
 vouched_at INTEGER,
 enrolled_at INTEGER,
 idevid_sha256 BLOB,
 request_sha256 BLOB,
 registrar_sha256 BLOB,
 voucher_type TEXT,
 voucher BLOB,
 registrar_request BLOB,
 UNIQUE (manufacturer, serial));
CREATE INDEX device_serial ON device (serial);
CREATE INDEX device_claim ON device (claim, id);
CREATE INDEX device_idle ON device (state, last_seen);
CREATE TABLE certificate (
 sha256 BLOB PRIMARY KEY,
 serial_hex TEXT NOT NULL,
 manufacturer TEXT NOT NULL,
 serial TEXT NOT NULL,
 subject TEXT,
 issued_at INTEGER NOT NULL,
 not_after INTEGER NOT NULL,
 revoked_at INTEGER,
 csr_sha256 BLOB NOT NULL,
 client_sha256 BLOB NOT NULL,
 der BLOB NOT NULL);
CREATE INDEX certificate_csr ON certificate (csr_sha256);
CREATE INDEX certificate_device ON certificate (manufacturer, serial, issued_at);
CREATE INDEX certificate_expiry ON certificate (not_after);
CREATE TABLE journal (
 id INTEGER PRIMARY KEY,
 at INTEGER NOT NULL,
 exchange TEXT,
 manufacturer TEXT,
 serial TEXT,
 step TEXT,
 outcome TEXT,
 reason TEXT);
CREATE INDEX journal_serial ON journal (serial, id);
CREATE INDEX journal_at ON journal (at);
