# SPDX-License-Identifier: Apache-2.0
"""A disk that fills up, and what a power cut leaves behind the last commit: the daemon answers 503
and goes on when there is room again; it starts on a torn log and knows all that was acknowledged.
"""
import contextlib
import itertools
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import tempfile
import time

import pytest

import fault
import harness
from brski_peer import forge
from brski_peer.wire import Closed
from places import Site
from ledger import Failed, MasaLedger, Onboarding, RegistrarLedger, granted
from patient import Patient
from postgres import Postgres
from test_masa import Client

_numbers = itertools.count(1)


class Masas:
    """A MASA asked by one registrar, over and over."""

    name = "masa"

    def __init__(self, place, acme, domain):
        self.place, self.acme = place, acme
        self.identity = forge.load(domain.registrar_dir / "registrar.key",
                                   domain.registrar_dir / "registrar.crt")

    @contextlib.contextmanager
    def started(self, directory=None, store=None):
        self.daemon = harness.Masa(directory or self.place / f"masa-{next(_numbers)}", self.acme,
                                   changes={"store": {"path": store}} if store else None)
        self.database = store or self.daemon.directory / "masa.db"
        self.ledger = MasaLedger(self.database)
        self.patient = Patient(self.daemon, fault.Fault(self.place / f"dials-{next(_numbers)}"))
        with harness.running(self.daemon):
            yield self

    def one(self):
        """Something to acknowledge: a function that asks the same thing each time it is called."""
        site = Site(self.place, self.acme, None, self.daemon, None)
        device = site.device()
        self.ledger.imported.add(device.serial)
        with Client(self.daemon, self.identity) as client:
            rvr = client.rvr(device)

        def ask():
            with Client(self.daemon, self.identity) as client:
                self.ledger.voucher(granted(client.ask(rvr)).body)
        return ask


class Registrars:
    """A registrar that takes devices in."""

    name = "registrar"
    floor_mb = 0

    def __init__(self, place, acme, domain):
        self.place, self.acme, self.domain = place, acme, domain
        self.masa = harness.Masa(place / "masa-behind", acme)

    @contextlib.contextmanager
    def started(self, directory=None, store=None):
        self.daemon = harness.Registrar(
            directory or self.place / f"registrar-{next(_numbers)}", self.domain, [self.acme],
            changes={"store": {"free_floor": self.floor_mb, **({"path": store} if store else {})}})
        self.database = store or self.daemon.directory / "registrar.db"
        self.ledger = RegistrarLedger(self.database)
        self.patient = Patient(self.daemon, fault.Fault(self.place / f"dials-{next(_numbers)}"))
        with harness.running(self.masa, self.daemon):
            yield self

    def one(self):
        where = self.place / f"site-{next(_numbers)}"
        where.mkdir()
        site = Site(where, self.acme, self.domain, self.masa, self.daemon)
        return Onboarding(site, site.device(), self.ledger).go


@pytest.fixture(params=[Masas, Registrars], ids=lambda k: k.name)
def side(request, cell, acme, domain):
    return request.param(cell, acme, domain)


def fails_cleanly(ask):
    try:
        ask()
    except (Failed, Closed):
        return True
    return False


# -- no room

@pytest.mark.slow
def test_disk_that_is_full_from_some_step_on_is_survived(side):
    with side.started():
        side.one()()
        at = 1
        while True:
            ask = side.one()
            side.patient.dials.arm(fault.ENOSPC, at, sticky=True)
            failed = fails_cleanly(ask)
            hit = side.patient.dials.hits > 0
            side.patient.dials.off()
            ask()  # room again: the same request is served, by the same process
            if not hit:
                break
            assert failed, f"granted though nothing could be written from step {at} on"
            at += 1
        assert at > 3
        side.ledger.check()
        side.daemon.kill()
        side.daemon.start()
        side.ledger.check()


@contextlib.contextmanager
def disk_of(where, size_mb):
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=755", "tmpfs", str(where)],
                          capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("mounting is not permitted here; the injected ENOSPC stands for it")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", str(where)], check=False)


@contextlib.contextmanager
def full(disk):
    """Nothing is left on it, until the end."""
    filler = disk / "filler"
    with open(filler, "wb") as f:
        os.posix_fallocate(f.fileno(), 0, max(shutil.disk_usage(disk).free, 1))
    try:
        yield
    finally:
        filler.unlink()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, larger than a write-ahead log before its first checkpoint."""
    where = tmp_path / "small"
    where.mkdir()
    with disk_of(where, 8):
        yield where


@pytest.fixture
def small_server():
    """A PostgreSQL on a file system of its own."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="brski-disk-"))
    folder.chmod(0o755)  # root's own folders are closed to the user it runs as
    with disk_of(folder, 160):
        server = Postgres(folder / "pg").start()
        try:
            yield folder, server
        finally:
            server.stop()
    folder.rmdir()


def test_disk_that_is_really_full(side, small_disk):
    filler = small_disk / "filler"
    with side.started(small_disk / "d"):
        side.one()()
        failures = 0
        for spare in range(0, 96, 4):  # kB left: every place where the store could run into the end
            ask = side.one()
            room = shutil.disk_usage(small_disk).free - spare * 1024
            with open(filler, "wb") as f:
                os.posix_fallocate(f.fileno(), 0, max(room, 1))
            failures += fails_cleanly(ask)
            filler.unlink()
            ask()
        assert failures > 0, "it was never full"
        side.ledger.check()
        side.daemon.kill()
        side.daemon.start()
        side.ledger.check()


MANY = 40  # onboardings, of which one needs a page that is not there yet


@pytest.mark.slow
def test_disk_of_the_database_that_is_really_full(side, small_server):
    """First the tables find no room, then the server's own log, which ends the server."""
    disk, server = small_server
    with side.started(store=server.uri()):
        side.one()()
        asks = [side.one() for _ in range(MANY)]
        with full(disk):
            ask = next((a for a in asks if fails_cleanly(a)), None)
            assert ask, "it was never full"
        ask()  # room again: the same request is served, by the same process
        ask = side.one()
        with full(disk):
            subprocess.run(["psql", "-Xqc", "SELECT pg_switch_wal()", server.uri()], capture_output=True, check=False)
            with contextlib.suppress(TimeoutError):  # what was said last to the server may be known to it alone
                assert fails_cleanly(ask)
        if not server.answers():
            server.start()
        harness.wait_until(lambda: not fails_cleanly(ask), "the server", 60)
        side.ledger.held = set()  # 202 meant that the request of before was still under way
        side.ledger.check()
        side.daemon.ctl("audit", "verify")


def test_room_below_the_floor__is_kept_for_what_is_under_way(cell, acme, domain, small_disk):
    registrars = Registrars(cell, acme, domain)
    registrars.floor_mb = 3
    with registrars.started(small_disk / "d"):
        registrars.one()()
        ask = registrars.one()
        with open(small_disk / "filler", "wb") as f:
            os.posix_fallocate(f.fileno(), 0, shutil.disk_usage(small_disk).free - (2 << 20))
        time.sleep(0.3)  # it looks four times a second
        for _ in range(3):
            assert fails_cleanly(ask)
        log = json.loads(registrars.daemon.ctl("audit", "list", "-o", "json").stdout)
        assert [(s["step"], s["outcome"]) for s in log if s["step"] == "store"] == [
            ("store", "low-space")]
        (small_disk / "filler").unlink()
        time.sleep(0.3)
        ask()
        registrars.ledger.check()


# -- torn logs

def end_of_last_commit(wal):
    """Octets of the write-ahead log up to and with its last commit (sqlite.org/fileformat.html)."""
    page_size, = struct.unpack(">I", wal[8:12])
    salts, end, at = wal[16:24], 32, 32
    while at + 24 + page_size <= len(wal) and wal[at + 8:at + 16] == salts:
        at += 24 + page_size
        if wal[at - 24 - page_size + 4:at - page_size] != b"\0\0\0\0":
            end = at
    return end, page_size


def _cut(wal, end, page_size):
    return wal[:end]


def _noise(wal, end, page_size):
    return wal[:end] + random.Random(1).randbytes(page_size + 1000)


def _zeros(wal, end, page_size):
    return wal[:end] + bytes(2 * page_size)


def _half_a_frame(wal, end, page_size):
    """The last frame once more, as an uncommitted one that did not make it to the disk whole."""
    return wal[:end] + wal[end - 24 - page_size:end][:(24 + page_size) // 2]


def _frame_with_a_torn_page(wal, end, page_size):
    """A frame that says it commits, with half a page of something else: its checksum is wrong."""
    frame = bytearray(wal[end - 24 - page_size:end])
    frame[24 + page_size // 2:] = random.Random(2).randbytes(page_size - page_size // 2)
    return wal[:end] + bytes(frame)


@pytest.mark.parametrize("tear", [_cut, _noise, _zeros, _half_a_frame, _frame_with_a_torn_page])
@pytest.mark.parametrize("index", ["kept", "lost", "garbled"])
def test_torn_end_of_the_log_costs_nothing_acknowledged(side, tear, index):
    with side.started():
        first = side.one()
        first()
        side.daemon.kill()
        wal, shm = (side.database.with_name(side.database.name + end) for end in ("-wal", "-shm"))
        octets = wal.read_bytes()
        wal.write_bytes(tear(octets, *end_of_last_commit(octets)))
        if index == "lost":
            shm.unlink()
        elif index == "garbled":
            shm.write_bytes(random.Random(3).randbytes(shm.stat().st_size))
        side.daemon.start()
        side.ledger.check()
        first()  # the same answers
        side.one()()
        side.ledger.check()
