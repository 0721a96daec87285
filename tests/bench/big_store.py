# SPDX-License-Identifier: Apache-2.0
"""A registrar's store as it is after years: a million devices with their vouchers and certificates,
claims that wait, the end of a long journal. The schema is the daemon's own, from an empty store it
has made; the rows are put in by SQL, without indexes and triggers, which come back when all is
there, and what triggers count is counted once. Kept under build/ for the next time, by schema."""
import hashlib
import os
import shutil
import sqlite3
import time

DEVICES, PENDING = 1000000, 50000
JOURNAL_DEVICES = 480000  # four lines each: as many as the registrar keeps
DAY = 86400
FORM = 3  # of the rows below

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
SITE = "CASE i % 10 WHEN 0 THEN '/' ELSE printf('/r%d/c%d/s%d', i % 4, i % 20, i % 100) END"
MODEL = "printf('%s-%d', CASE i % 3 WHEN 0 THEN 'gw' WHEN 1 THEN 'sensor' ELSE 'lock' END, i % 40)"
MAKER = "CASE WHEN i % 10 < 6 THEN 'bench' WHEN i % 10 < 9 THEN 'acme' ELSE 'gadgets' END"
LABELS = "CASE i % 10 WHEN 3 THEN printf('{{\"rack\":\"%d\"}}', i % 60) END"
ADDRESS = "printf('10.%d.%d.%d', i % 7, i / 256 % 256, i % 256)"
# of a thousand: 3 refused, 5 revoked, 5 quarantined, 2 joining, the rest enrolled
STATE = "CASE WHEN i % 1000 < 3 THEN 3 WHEN i % 1000 < 8 THEN 4 WHEN i % 1000 < 10 THEN 1 ELSE 2 END"
SEEN = "{now} - 300 * 86400 + i * 25"
ENDS = "CASE WHEN i % 1000 >= 10 OR i % 1000 BETWEEN 3 AND 7 THEN {now} + (i * 7919 % 370 - 5) * 86400 END"

DEVICE_ROWS = f"""INSERT INTO device (id, manufacturer, serial, claim, state, history, first_seen,
 last_seen, subject, voucher_status, enroll_status, vouched_at, enrolled_at, idevid_sha256,
 request_sha256, registrar_sha256, voucher_type, voucher, site, labels, model, address, not_after,
 quarantined_at, retired_at)
 {NUMBERS} SELECT i, {MAKER}, printf('K-%08d', i), 0, {STATE}, 1, {SEEN}, {SEEN} + 9000000,
 printf('serialNumber=K-%08d,O=Acme', i), 'true', 'true', {SEEN}, {SEEN}, randomblob(32),
 randomblob(32), randomblob(32), 'application/voucher-cms+json', randomblob(1200), {SITE}, {LABELS},
 {MODEL}, {ADDRESS}, {ENDS}, CASE WHEN i % 1000 BETWEEN 10 AND 14 THEN {{now}} END,
 CASE WHEN i % 1000 BETWEEN 3 AND 7 THEN {{now}} END FROM n"""
CLAIM_ROWS = f"""INSERT INTO device (id, manufacturer, serial, claim, state, history, first_seen,
 last_seen, subject, idevid_sha256, request_sha256, registrar_sha256, site, model, address)
 {NUMBERS} SELECT {{first}} + i, {MAKER}, printf('P-%08d', i), 1, 0, 0, {{now}} - 50000 + i, {{now}},
 printf('serialNumber=P-%08d,O=Acme', i), randomblob(32), randomblob(32), randomblob(32), {SITE},
 {MODEL}, {ADDRESS} FROM n"""
CERTIFICATE_ROWS = """INSERT INTO certificate (sha256, serial_hex, manufacturer, serial, subject, issued_at,
 not_after, csr_sha256, client_sha256, der, revoked_at)
 SELECT randomblob(32), lower(hex(randomblob(16))), manufacturer, serial, subject, enrolled_at,
 not_after, randomblob(32), randomblob(32), randomblob(500), retired_at FROM device
 WHERE not_after IS NOT NULL"""
SITE_ROWS = "INSERT INTO site (path) SELECT DISTINCT site FROM device WHERE site <> '/'"
TALLIES = """
UPDATE tally SET count = (SELECT count(*) FROM device WHERE claim = value) WHERE kind = 'claim';
UPDATE tally SET count = (SELECT count(*) FROM device WHERE standing = value) WHERE kind = 'device';
DELETE FROM tally WHERE kind = 'site';
INSERT INTO tally SELECT 'site', path, 0 FROM site;
UPDATE tally SET count = coalesce((SELECT n FROM (SELECT site AS s, count(*) AS n FROM device GROUP BY site)
 WHERE s = value), 0) WHERE kind = 'site';
INSERT INTO ending SELECT not_after / 86400, manufacturer, count(*) FROM device
 WHERE state = 2 AND not_after IS NOT NULL GROUP BY 1, 2;
INSERT INTO hourly SELECT at / 3600 * 3600, step, outcome, manufacturer, count(*) FROM journal
 WHERE at > (SELECT max(at) FROM journal) - 31 * 86400 GROUP BY 1, 2, 3, 4;
"""
STEPS = (("voucher", "delivered", "1 event, all ours"), ("voucher-status", "true", "over IDevID"),
         ("enroll", "certificate", "00caacf50bd786a4daed1869b9bc9ac533"),
         ("enroll-status", "true", "over LDevID"))


def journal_rows(first, devices, now):
    """The journal with its hash chain (common/pki/hash_chain.h)."""
    previous = bytes(32)
    sequence = 0
    start = now - 60 * DAY
    for device in range(first, first + devices):
        maker = ("bench" if device % 10 < 6 else "acme" if device % 10 < 9 else "gadgets")
        serial = f"K-{device:08}"
        exchange = f"{device:016x}"
        at = start + (device - first) * 60 * DAY // devices
        for step, outcome, reason in STEPS:
            sequence += 1
            text = "".join(f"{len(f)}:{f}" if f is not None else "-" for f in (
                str(sequence), str(at), exchange, maker, serial, None, step, outcome, reason))
            previous = hashlib.sha256(previous + text.encode()).digest()
            yield (sequence, at, exchange, maker, serial, step, outcome, reason, previous)


def take_away(db, kind):
    """The SQL of what is dropped, to be run again."""
    found = db.execute("SELECT name, sql FROM sqlite_master WHERE type = ? AND sql IS NOT NULL",
                       (kind,)).fetchall()
    for name, _ in found:
        db.execute(f"DROP {kind} {name}")
    return [sql for _, sql in found]


def fill(path):
    now = int(time.time())
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -4000000;"
                     "PRAGMA temp_store = MEMORY;")
    triggers, indexes = take_away(db, "trigger"), take_away(db, "index")
    db.execute("BEGIN")
    db.execute(DEVICE_ROWS.format(count=DEVICES, now=now))
    db.execute(CLAIM_ROWS.format(count=PENDING, now=now, first=DEVICES))
    db.execute(CERTIFICATE_ROWS)
    db.executemany("INSERT INTO journal (id, at, exchange, manufacturer, serial, step, outcome, reason, hash)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   journal_rows(DEVICES - JOURNAL_DEVICES, JOURNAL_DEVICES, now))
    db.execute(SITE_ROWS)
    for sql in indexes:
        db.execute(sql)
    for statement in TALLIES.split(";"):
        db.execute(statement)
    for sql in triggers:
        db.execute(sql)
    db.execute("COMMIT")
    db.execute("PRAGMA journal_mode = WAL")
    db.close()


def schema_of(path):
    with sqlite3.connect(path) as db:
        text = repr(db.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall())
    db.close()
    return hashlib.sha256(f"{text}{FORM}{DEVICES}{PENDING}".encode()).hexdigest()[:12]


def big_store(empty, build):
    """The path of a store like the empty one with everything in it; to be copied."""
    folder = os.path.join(build, "bench")
    path = os.path.join(folder, f"store-{schema_of(empty)}.db")
    if os.path.exists(path):
        return path
    for old in os.listdir(folder):
        if old.startswith("store-"):
            os.unlink(os.path.join(folder, old))
    began = time.monotonic()
    shutil.copyfile(empty, path + ".new")
    fill(path + ".new")
    os.rename(path + ".new", path)
    print(f"made {path}: {os.path.getsize(path) >> 20} MiB in {time.monotonic() - began:.0f} s", flush=True)
    return path
