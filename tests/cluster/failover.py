# SPDX-License-Identifier: Apache-2.0
"""What becomes of a site's acknowledged records when the machine of its database dies in the middle
of a crowd: two registrars and a MASA on a cluster of three nodes, devices that join at a steady rate,
an administrator who approves claims meanwhile, and a leader that is killed with -9.

    Failover(directory).run()  →  a Result; what was acknowledged is compared with what is there
"""
import collections
import dataclasses
import json
import pathlib
import subprocess
import threading
import time

import harness
from places import Device, Site
from cluster import Cluster

RATE = 50  # joins a second: a client each, that starts one a second
SECONDS = 70
KILL_AFTER_S = 15
HELD = 60  # devices an administrator has to decide about, one every half second
LAST_S = 900  # on a busy machine the devices come as quickly as it goes


@dataclasses.dataclass
class Result:
    report: dict  # of the load generator
    acknowledged: collections.Counter
    lost: list  # what was acknowledged and is not there, in words
    twice: list  # what was issued more than once
    resumed_s: float  # from the leader's death to the first acknowledged answer of a new one
    verified: list  # what the programs say of their audit logs


class Failover:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.ledger = self.directory / "ledger"

    def run(self):
        with Cluster() as self.c:
            for kind in ("registrar", "masa"):
                self.c.sql(f"CREATE DATABASE brski_{kind} OWNER brski")
            with harness.running(*self.programs()):
                return self.under_load()

    def programs(self):
        lab = self.directory
        self.maker = harness.Manufacturer(lab / "acme", "Acme")
        self.careful = harness.Manufacturer(lab / "careful", "Careful")
        domain = harness.Domain(lab / "domain")

        def on(kind, **more):
            return {"store": {"path": self.c.store(kind)}, "log": {"level": "info"}, **more}
        self.masa = harness.Masa(lab / "masa", self.maker,
                                 changes=on("masa", rate={"per_registrar_per_minute": 1000000}))
        self.registrars = [
            harness.Registrar(lab / f"registrar-{n}", domain, [self.maker, self.careful],
                              changes=on("registrar", **{"manufacturer Careful": {"admit": "hold"}}))
            for n in (1, 2)]
        self.site = Site(lab, self.maker, domain, self.masa, self.registrars[0])
        return [self.masa, *self.registrars]

    # -- what goes on

    def hold(self):
        """Claims of devices that somebody has to decide about."""
        held = [Device(self.careful, self.site.masa_url) for _ in range(HELD)]
        for device in held:
            with self.site.peer(device) as peer:
                reply = peer.request_voucher(peer.pvr())
                assert reply.status == 202, (reply.status, reply.text)
        return [d.serial for d in held]

    def approve(self, held, approved):
        """One after the other, each until it was acknowledged."""
        for n, serial in enumerate(held):
            deadline = time.monotonic() + LAST_S
            while time.monotonic() < deadline:
                done = self.registrars[n % 2].ctl("claims", "approve", serial, check=None)
                if done.returncode == 0:
                    approved.append(serial)
                    break
                time.sleep(0.5)
            time.sleep(0.5)

    def load(self):
        tool, count = harness.program("bench/loadgen"), RATE * SECONDS
        serials = harness.run(tool, "--serials", "--count", count, check=0).stdout.split()
        self.masa.import_devices([{"serial": s} for s in serials])
        return subprocess.Popen(
            [tool, "--port", ",".join(str(r.port) for r in self.registrars), "--ca",
             self.maker.directory, "--masa-url", self.site.masa_url, "--clients", str(RATE),
             "--count", str(count), "--pause", "1000", "--ledger", self.ledger],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def under_load(self):
        held, approved = self.hold(), []
        administrator = threading.Thread(target=self.approve, args=(held, approved))
        load = self.load()
        try:
            harness.wait_until(lambda: any(" joined " in line for line in self.lines()),
                               "the first device to join", 60)
            administrator.start()
            time.sleep(KILL_AFTER_S)
            leader = self.c.leader()
            killed_ms = time.monotonic() * 1000
            leader.kill()
            out, errors = load.communicate(timeout=LAST_S)
        finally:
            load.kill()
            load.wait()
        administrator.join(LAST_S)
        assert out, errors[-3000:]
        return self.compare(json.loads(out), approved, killed_ms)

    # -- what came of it

    def lines(self):
        return self.ledger.read_text().splitlines() if self.ledger.exists() else []

    def rows(self, database, query):
        return [tuple(line.split("|")) for line in self.c.sql(query, f"brski_{database}")]

    def compare(self, report, approved, killed_ms):
        given = collections.defaultdict(set)
        moments = []
        for line in self.lines():
            at, what, serial, *digest = line.split()
            given[what].add((serial, *digest))
            if what == "certificate":
                moments.append(float(at))
        vouchers = set(self.rows("registrar", "SELECT serial, encode(sha256(voucher), 'hex') FROM device "
                                              "WHERE voucher IS NOT NULL"))
        certificates = set(self.rows("registrar", "SELECT serial, encode(sha256, 'hex') FROM certificate"))
        told = set(self.rows("registrar", "SELECT serial FROM device WHERE enroll_status IS NOT NULL"))
        allowed = set(self.rows("registrar", "SELECT serial FROM device WHERE claim = 2"))
        logged = collections.Counter(self.rows(
            "masa", "SELECT serial FROM events JOIN devices ON devices.id = device"))
        lost = [f"{what} of {row[0]}" for what, had, have in (
            ("voucher", given["voucher"], vouchers),
            ("certificate", given["certificate"], certificates),
            ("report", given["joined"], told),
            ("approval", {(s,) for s in approved}, allowed),
            ("audit entry", {row[:1] for row in given["voucher"]}, set(logged)),
        ) for row in sorted(had - have)]
        issued = collections.Counter(serial for serial, _ in certificates)
        twice = ([f"{n} vouchers of {row[0]}" for row, n in logged.items() if n > 1] +
                 [f"{n} certificates of {serial}" for serial, n in issued.items() if n > 1])
        acknowledged = collections.Counter({what: len(rows) for what, rows in given.items()})
        acknowledged["approval"] = len(approved)
        return Result(report, acknowledged, lost, twice, self.gap_s(moments, killed_ms),
                      [self.registrars[0].ctl("audit", "verify").stdout.strip(),
                       self.masa.ctl("audit", "verify").stdout.strip()])

    @staticmethod
    def gap_s(moments, killed_ms):
        """Answers that were on their way when the leader died still arrive; the next ones come after
        the longest silence."""
        after = sorted(m for m in moments if m > killed_ms)
        before = [killed_ms, *after[:-1]]
        _, resumed = max(((b - a), b) for a, b in zip(before, after))
        return round((resumed - killed_ms) / 1000, 1)
