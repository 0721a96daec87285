# SPDX-License-Identifier: Apache-2.0
"""The store is copied while devices join, and a copy is put back: all of it or nothing."""
import json
import os
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import threading

import pytest
from cryptography import x509

import harness
from brski_peer import forge
from places import Site
from test_est import admitted

pytestmark = pytest.mark.file_store


@pytest.fixture
def site(cell, acme, domain, masa_fake_server, fake_masa):
    registrar = harness.Registrar(cell / "r", domain, [acme])
    with harness.running(registrar):
        yield Site(cell, acme, domain, masa_fake_server, registrar)


def join(site):
    device = site.device()
    with admitted(site, device) as pledge:
        certificate, key = pledge.join()
    return device, forge.save(site.directory, device.serial, key, [certificate])


def restore(registrar, file, check=0):
    return registrar.ctl("restore", file, "--config", registrar.config, check=check)


def serials(registrar):
    return {d["serial"] for d in json.loads(
        registrar.ctl("devices", "list", "-o", "json").stdout)}


# -- a copy

def test_a_backup__made_while_devices_join__is_one_whole_moment(site, cell):
    ended = threading.Event()

    def keep_joining():
        while not ended.is_set():
            join(site)
    joining = threading.Thread(target=keep_joining)
    joining.start()
    try:
        harness.wait_until(lambda: len(serials(site.registrar)) > 3, "devices")
        done = site.registrar.ctl("backup", cell / "copy.db")
    finally:
        ended.set()
        joining.join()
    assert stat.S_IMODE((cell / "copy.db").stat().st_mode) == 0o600
    assert f"{(cell / 'copy.db').stat().st_size} octets" in done.stdout
    assert sorted(p.name for p in cell.iterdir() if "copy" in p.name) == ["copy.db"]
    with sqlite3.connect(cell / "copy.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        devices = db.execute("SELECT count(*) FROM device WHERE state = 2").fetchone()[0]
        certificates = db.execute("SELECT count(*) FROM certificate").fetchone()[0]
    assert devices == certificates >= 3


def test_a_backup__has_an_audit_log_that_verifies(site, cell, acme, domain):
    join(site)
    head = site.registrar.ctl("audit", "verify").stdout.split()[-1]
    site.registrar.ctl("backup", cell / "copy.db")
    other = harness.Registrar(cell / "other", domain, [acme])
    shutil.copy(cell / "copy.db", other.directory / "registrar.db")
    with harness.running(other):
        other.ctl("audit", "verify", "--expect", head)
        lines = json.loads(other.ctl("audit", "list", "-o", "json").stdout)
    mine = [line for line in lines if line["step"] == "backup"]
    assert [(line["by"], line["reason"]) for line in mine] == [
        (f"unix:uid={os.getuid()}", str(cell / "copy.db"))]


def test_a_backup__by_a_relative_name__is_where_its_maker_stands(site, cell):
    harness.run(harness.program("registrarctl"), "-s", site.registrar.socket, "backup", "here.db",
                cwd=cell, check=0)
    assert (cell / "here.db").exists()


def test_a_backup__over_a_file_that_is_there__is_refused(site, cell):
    (cell / "mine").write_text("precious")
    done = site.registrar.ctl("backup", cell / "mine", check=1)
    assert "already" in done.stderr
    assert (cell / "mine").read_text() == "precious"
    done = site.registrar.ctl("backup", cell / "nowhere" / "copy.db", check=1)
    assert "No such file" in done.stderr
    site.registrar.ctl("backup", cell / "copy.db")


def test_a_backup__onto_a_full_disk__leaves_nothing_and_the_registrar_serves(site, cell):
    """The disk full, played by a limit on the size of the registrar's files."""
    for _ in range(3):
        join(site)
    site.registrar.restart()  # a write-ahead log that is shorter than the copy
    site.registrar.ctl("backup", cell / "first.db")
    small = (cell / "first.db").stat().st_size - 4096
    pid, unlimited = site.registrar.popen.pid, resource.RLIM_INFINITY
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (small, unlimited))
    done = site.registrar.ctl("backup", cell / "copy.db", check=1)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
    assert "copy.db" in done.stderr or "registrar.db" in done.stderr, done
    assert site.registrar.lines("alert-backup-failed")
    assert not [p for p in cell.iterdir() if "copy" in p.name]
    join(site)
    site.registrar.ctl("backup", cell / "copy.db")


# -- putting one back

def test_restore__of_an_earlier_moment__brings_it_back_and_keeps_what_was_there(site, cell):
    first, identity = join(site)
    site.registrar.ctl("backup", cell / "copy.db")
    second, lost = join(site)
    site.registrar.stop()
    done = restore(site.registrar, cell / "copy.db")
    kept = done.stdout.split()[-1]
    site.registrar.start()
    assert serials(site.registrar) == {first.serial}
    with site.peer(identity) as client:
        assert client.cacerts().status == 200
        assert client.post_csr(b"x", "simplereenroll").status == 400
    with site.peer(lost) as client:
        assert client.post_csr(b"x", "simplereenroll").status == 403
    assert "whole" in site.registrar.ctl("audit", "verify").stdout
    lines = json.loads(site.registrar.ctl("audit", "list", "-o", "json").stdout)
    assert [(line["outcome"], line["by"], line["reason"]) for line in lines
            if line["step"] == "restore"] == [
        ("restored", f"uid={os.getuid()}", str(cell / "copy.db"))]
    with sqlite3.connect(kept) as db:
        rows = db.execute("SELECT serial FROM device").fetchall()
    assert {row[0] for row in rows} == {first.serial, second.serial}


def test_restore__after_a_crash__ignores_the_old_write_ahead_log(site, cell):
    first, _ = join(site)
    site.registrar.ctl("backup", cell / "copy.db")
    second, _ = join(site)
    site.registrar.kill()
    assert (cell / "r" / "registrar.db-wal").exists()
    kept = restore(site.registrar, cell / "copy.db").stdout.split()[-1]
    site.registrar.start()
    assert serials(site.registrar) == {first.serial}
    assert "whole" in site.registrar.ctl("audit", "verify").stdout
    with sqlite3.connect(kept) as db:
        rows = db.execute("SELECT serial FROM device").fetchall()
    assert {row[0] for row in rows} == {first.serial, second.serial}


def test_restore__under_a_running_registrar__is_refused(site, cell):
    join(site)
    site.registrar.ctl("backup", cell / "copy.db")
    done = restore(site.registrar, cell / "copy.db", check=1)
    assert f"in use by process {site.registrar.popen.pid}" in done.stderr
    assert len(serials(site.registrar)) == 1


def no_store(path):
    path.write_bytes(b"x" * 8192)


def store_of_another(path):
    with sqlite3.connect(path) as db:
        db.executescript("PRAGMA application_id = 77; CREATE TABLE t (a)")


def newer_store(path):
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 9999")


def damaged_store(path):
    octets = bytearray(path.read_bytes())
    for at in range(4096, len(octets), 4096):
        octets[at:at + 64] = b"\xff" * 64
    path.write_bytes(octets)


@pytest.mark.parametrize("spoil, why", [
    (no_store, "not a database"), (store_of_another, "not a registrar store"),
    (newer_store, "a newer release"), (damaged_store, "damaged|malformed"),
    (os.unlink, "unable to open")])
def test_restore__of_what_is_no_backup__changes_nothing(site, cell, spoil, why):
    device, _ = join(site)
    copy = cell / "copy.db"
    if spoil is store_of_another:
        pass
    else:
        site.registrar.ctl("backup", copy)
    spoil(copy)
    site.registrar.stop()
    before = (cell / "r" / "registrar.db").read_bytes()
    done = restore(site.registrar, copy, check=1)
    assert any(w in done.stderr for w in why.split("|")), done.stderr
    assert (cell / "r" / "registrar.db").read_bytes() == before
    assert not [p.name for p in (cell / "r").iterdir() if "restore" in p.name
                or "replaced" in p.name]
    site.registrar.start()
    assert serials(site.registrar) == {device.serial}


def test_restore__with_the_disk_full__changes_nothing(site, cell):
    device, _ = join(site)
    site.registrar.ctl("backup", cell / "copy.db")
    site.registrar.stop()

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (32768, 32768))
    done = subprocess.run([harness.program("brski-registrar"), "-c", site.registrar.config,
                           "--restore", cell / "copy.db"], preexec_fn=limit, capture_output=True,
                          text=True, check=False, timeout=30)
    assert done.returncode == 1, done
    assert not [p.name for p in (cell / "r").iterdir() if "restore" in p.name
                or "replaced" in p.name]
    site.registrar.start()
    assert serials(site.registrar) == {device.serial}


def test_restore__forgets_no_number_of_a_revocation_list(site, cell):
    def number():
        with site.peer(None) as anybody:
            crl = x509.load_der_x509_crl(anybody.connection.get("/issuing.crl").body)
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    site.registrar.ctl("backup", cell / "copy.db")
    device, _ = join(site)
    site.registrar.ctl("devices", "revoke", device.serial)
    since = site.registrar.log_size()
    site.registrar.restart()
    site.registrar.wait_log("crl-published", since)
    before = number()
    site.registrar.stop()
    restore(site.registrar, cell / "copy.db")
    since = site.registrar.log_size()
    site.registrar.start()
    site.registrar.wait_log("crl-published", since)
    harness.wait_until(lambda: number() > before, "a list with a higher number")
