# SPDX-License-Identifier: Apache-2.0
"""What was acknowledged to clients, and whether the stores still know it after whatever happened.

An onboarding here repeats its requests octet by octet until each was answered, as a pledge does
that lost an answer: so it also shows what a repetition leads to.
"""
import base64
import contextlib
import hashlib
import json
import sqlite3
import time

import psycopg2

from brski_peer import forge
from brski_peer.certs import new_key
from brski_peer.pledge import certs_of, est_body
from brski_peer.wire import Closed


class Failed(Exception):
    """A server answered that it could not, cleanly."""


RESERVED_S = 45  # more than a dead registrar's reservation lasts

CLEAN_FAILURES = (500, 502, 503, 504)


def granted(reply, *good):
    """The reply, if it is one of the good ones; a clean failure raises Failed, all else is wrong."""
    if reply.status in CLEAN_FAILURES:
        raise Failed(f"{reply.status} {reply.text.strip()}")
    assert reply.status in (good or (200,)), (reply.status, reply.text)
    return reply


def is_server(database):
    return str(database).startswith("postgresql:")


def _plain(value):
    return bytes(value) if isinstance(value, memoryview) else value


def rows(database, sql, *params):
    """Of a store: the file of one in SQLite, or the URI of one in PostgreSQL."""
    if is_server(database):
        with contextlib.closing(psycopg2.connect(database)) as db, db.cursor() as cursor:
            cursor.execute(sql.replace("?", "%s"), params)
            return [tuple(_plain(v) for v in row) for row in cursor.fetchall()]
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as db:
        return db.execute(sql, params).fetchall()


def sha256(octets):
    return hashlib.sha256(octets).digest()


class MasaLedger:
    def __init__(self, database):
        self.database = database
        self.imported, self.vouchers = set(), []

    def voucher(self, octets):
        self.vouchers.append(forge.read(octets).fields)

    def check(self):
        serials = {s for s, in rows(self.database, "SELECT serial FROM devices")}
        assert self.imported <= serials, f"imported and lost: {self.imported - serials}"
        written = [json.loads(c)["ietf-voucher:voucher"]
                   for c, in rows(self.database, "SELECT content FROM events")]
        for given in self.vouchers:
            same = [w for w in written if w["serial-number"] == given["serial-number"]
                    and w.get("nonce") == given.get("nonce")]
            assert same, f"a voucher without its audit entry: {given}"
            assert given in same, f"recorded otherwise than given: {given}, {same}"
        twice = rows(self.database, "SELECT digest, count(*) FROM events WHERE digest IS NOT NULL "
                                    "GROUP BY digest HAVING count(*) > 1")
        assert not twice, f"two audit entries for one request: {twice}"
        twice = rows(self.database, "SELECT device, nonce, count(*) FROM events WHERE nonce IS NOT NULL "
                                    "GROUP BY device, nonce HAVING count(*) > 1")
        assert not twice, f"two vouchers for one request of a pledge: {twice}"

    def events_of(self, serial):
        return rows(self.database, "SELECT nonce FROM events JOIN devices ON devices.id = device "
                                   "WHERE serial = ?", serial)


class RegistrarLedger:
    def __init__(self, database):
        self.database = database
        self.held, self.approved = set(), set()
        self.vouchers, self.certificates = {}, {}
        self.told = set()  # (serial, column of the report)

    def device(self, serial, columns):
        found = rows(self.database, f"SELECT {columns} FROM device WHERE serial = ?", serial)
        assert len(found) == 1, f"{serial}: {len(found)} rows"
        return found[0]

    def certificate(self, serial, csr, der):
        """The same request must always have the same answer."""
        before = self.certificates.setdefault((serial, csr), der)
        assert before == der, "two certificates for one request"

    def check(self):
        for serial in self.held | self.approved:
            claim, = self.device(serial, "claim")
            assert claim == 2 or serial not in self.approved and claim == 1, (serial, claim)
        for serial, given in self.vouchers.items():
            kept, = self.device(serial, "voucher")
            assert kept == given, f"the voucher of {serial} is not the one delivered"
        for (serial, csr), der in self.certificates.items():
            found = rows(self.database, "SELECT der, csr_sha256, serial FROM certificate WHERE "
                                        "sha256 = ?", sha256(der))
            assert found == [(der, sha256(csr), serial)], f"a certificate of {serial} unrecorded"
        for serial, column in self.told:
            assert self.device(serial, column) != (None,), f"{column} of {serial} lost"
        twice = rows(self.database, "SELECT csr_sha256, count(*) FROM certificate "
                                    "GROUP BY csr_sha256 HAVING count(*) > 1")
        assert not twice, f"two certificates for one request: {twice}"

    def count_certificates(self, serial):
        return rows(self.database, "SELECT count(*) FROM certificate WHERE serial = ?", serial)[0][0]


class Onboarding:
    """One device's way through a registrar, resumed from the start after each failure."""

    def __init__(self, site, device, ledger, masa_ledger=None):
        self.site, self.device, self.ledger = site, device, ledger
        self.masa_ledger = masa_ledger
        self.key = new_key()
        self.pvr = self.csr = None

    def go(self):
        with self.site.peer(self.device) as peer:
            self.pvr = self.pvr or peer.pvr()
            self.csr = self.csr or peer.csr(self.key)
            self._voucher(peer)
            granted(peer.voucher_status())
            self.ledger.told.add((self.device.serial, "voucher_status"))
            granted(peer.cacerts())
            reply = granted(peer.post_csr(est_body(self.csr)))
            certificate = certs_of(reply)[0]
            self.ledger.certificate(self.device.serial, self.csr, forge.der(certificate))
        self._report(certificate)

    def _voucher(self, peer):
        serial = self.device.serial
        reply = self._taken_up(peer, granted(peer.request_voucher(self.pvr), 200, 202))
        if reply.status == 202:
            assert serial not in self.ledger.approved, "an approval is forgotten"
            self.ledger.held.add(serial)
            done = self.site.registrar.ctl("claims", "approve", serial, check=None)
            if done.returncode != 0:
                raise Failed(done.stderr)
            self.ledger.approved.add(serial)
            reply = granted(peer.request_voucher(self.pvr))
        self.ledger.vouchers[serial] = reply.body
        if self.masa_ledger:
            self.masa_ledger.voucher(reply.body)

    def _taken_up(self, peer, reply):
        """On a server, what a registrar had in hand when it died is nobody's until its reservation ends."""
        until = time.monotonic() + RESERVED_S
        while (reply.status == 202 and self.device.serial in self.ledger.approved
                and is_server(self.ledger.database) and time.monotonic() < until
                and rows(self.ledger.database, "SELECT 1 FROM reservation")):
            assert self.ledger.device(self.device.serial, "claim") == (2,), "an approval is forgotten"
            time.sleep(0.5)
            reply = granted(peer.request_voucher(self.pvr), 200, 202)
        return reply

    def _report(self, certificate):
        chain = [certificate, *forge.load_certs(self.site.domain.file("issuing.crt"))]
        identity = forge.save(self.site.directory, self.device.serial, self.key, chain)
        with self.site.peer(identity) as peer:
            granted(peer.enrollstatus())
        self.ledger.told.add((self.device.serial, "enroll_status"))


def persist(action, daemon, tries=5):
    """Do it until it succeeds, starting the daemon again whenever it was killed."""
    for _ in range(tries):
        try:
            return action()
        except (Closed, Failed, OSError) as e:
            why = e
        daemon.back()
    raise AssertionError(f"still failing after {tries} tries: {why!r}")
