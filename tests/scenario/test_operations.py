# SPDX-License-Identifier: Apache-2.0
"""Running the daemons for years: reload, drain, restart, second instances, under load."""
import base64
import json
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
import pytest

import harness
from brski_peer import certs, forge
from places import Site

PROXIMITY = "proximity_registrar_cert"


def rewrite(path, old, new):
    text = path.read_text()
    assert old in text, f"{old!r} is not in {path}"
    path.write_text(text.replace(old, new))


def reload(daemon, event="reloaded"):
    """SIGHUP, and the line that tells how it went."""
    mark = daemon.log_size()
    daemon.signal(signal.SIGHUP)
    return daemon.wait_log(rf"event={event}\b", since=mark)


class Cell:
    """A MASA and a registrar with files of their own, which a test may replace."""

    def __init__(self, directory, acme, domain, registrar_changes=None, masa_changes=None):
        self.directory = pathlib.Path(directory)
        self.domain = domain
        self.identity = self.directory / "identity"
        self.spare = self.directory / "second-identity"
        for where in (self.identity, self.spare):
            domain.registrar_identity(where)
        self.anchors = self.directory / "acme.crt"
        shutil.copy(acme.anchors, self.anchors)
        masa_files = self.directory / "masa-files"
        shutil.copytree(acme.directory / "masa", masa_files)
        self.masa_files = masa_files
        self.masa = harness.Masa(self.directory / "masa", acme, changes=harness.merged({
            "server": {"key": masa_files / "masa-tls.key", "certificate": masa_files / "masa-tls.crt"},
            "signer": {"key": masa_files / "masa-signer.key",
                       "certificate": masa_files / "masa-signer.crt"},
        }, masa_changes))
        self.registrar = harness.Registrar(
            self.directory / "registrar", domain, [acme], changes=harness.merged({
                "server": {"key": self.identity / "registrar.key",
                           "certificate": self.identity / "registrar.crt"},
                f"manufacturer {acme.name}": {"anchors": self.anchors},
            }, registrar_changes))
        self.site = Site(self.directory, acme, domain, self.masa, self.registrar)

    def renew_identity(self):
        """Another key and certificate of the registrar under the same names."""
        for name in ("registrar.key", "registrar.crt"):
            shutil.copy(self.spare / name, self.identity / name)


@pytest.fixture
def running_cell(cell, acme, domain):
    c = Cell(cell, acme, domain)
    with harness.running(c.masa, c.registrar):
        yield c


# -- reload of the registrar

def test_reload_with_nothing_changed_says_so(running_cell):
    for daemon in (running_cell.masa, running_cell.registrar):
        assert "changed=nothing" in reload(daemon)


def test_connection_made_before_a_reload_finishes_with_the_certificate_it_has_seen(running_cell):
    """The voucher-request names the certificate of its TLS connection; so must everything after."""
    c = running_cell
    with c.site.peer(c.site.device()) as before:
        c.renew_identity()
        line = reload(c.registrar)
        assert "[server] key" in line and "[server] certificate" in line
        with c.site.peer(c.site.device()) as after:
            assert after.registrar_der != before.registrar_der
            after.join()
            # what the older connection saw is not what this one shows
            stale = after.request_voucher(after.pvr(**{PROXIMITY: base64.b64encode(before.registrar_der).decode()}))
            assert stale.status == 401, stale.text
        before.join()


def test_reload_while_a_device_waits_for_approval(cell, acme, domain):
    """After a 202 the device comes back on a new connection, sees another certificate, starts over
    with a new nonce, and joins."""
    c = Cell(cell, acme, domain, {f"manufacturer {acme.name}": {"admit": "hold"}})
    with harness.running(c.masa, c.registrar):
        device = c.site.device()
        pledge = c.site.pledge(device, changes={"retry": {"attempts": 20}}).start()
        harness.wait_until(lambda: c.registrar.claims("pending"), "a pending claim")
        c.renew_identity()
        reload(c.registrar)
        c.registrar.ctl("claims", "approve", "--all", "--yes")
        assert pledge.wait() == 0, pledge.log()


@pytest.mark.parametrize("lets_in", ["all", "serials"])
def test_reload_that_lets_in_a_device_that_waits(cell, acme, domain, lets_in):
    """The claim is settled: the device gets its voucher and its certificate, and nobody is asked to
    decide about it any more."""
    c = Cell(cell, acme, domain, {f"manufacturer {acme.name}": {"admit": "hold"}})
    with harness.running(c.masa, c.registrar):
        device = c.site.device()
        pledge = c.site.pledge(device, changes={"retry": {"attempts": 20}}).start()
        harness.wait_until(lambda: c.registrar.claims("pending"), "a pending claim")
        (c.directory / "serials.txt").write_text(device.serial + "\n")
        rewrite(c.registrar.config, "admit = hold", {
            "all": "admit = all",
            "serials": f"admit = hold\nserials = {c.directory / 'serials.txt'}"}[lets_in])
        reload(c.registrar)
        assert pledge.wait() == 0, pledge.log()
        assert not c.registrar.claims("pending")
        assert "claims          0 pending" in c.registrar.ctl("status").stdout


@pytest.mark.req("EE-09", "EE-10")
@pytest.mark.parametrize("kept", [True, False], ids=["in the chain", "forgotten"])
def test_certificates_of_the_issuing_ca_before_renew_themselves(running_cell, kept):
    """The site has a new issuing CA under its root; the old one stays in the chain, or does not."""
    c = running_cell
    pledge = c.site.pledge(c.site.device())
    assert pledge.join().returncode == 0
    root = forge.load(c.domain.file("root.key"), c.domain.file("root.crt"))
    made = certs.make_ca("Second issuing CA", root, path_length=0)
    made.write(c.directory, "second")
    chain = c.directory / "chain.crt"
    chain.write_bytes((c.domain.file("issuing.crt").read_bytes() if kept else b"")
                      + c.domain.file("root.crt").read_bytes())
    for name, new in (("issuing.key", "second.key"), ("issuing.crt", "second.crt"), ("root.crt", "chain.crt")):
        rewrite(c.registrar.config, f"= {c.domain.file(name)}", f"= {c.directory / new}")
    reload(c.registrar)
    done = pledge.command("renew", "--force")
    assert done.returncode == (0 if kept else 3), done.stderr
    issued = forge.load_certs(pledge.state / "current" / "ldevid.crt")[0]
    assert (issued.issuer == made.cert.subject) == kept
    fresh = c.site.pledge(c.site.device())
    assert fresh.join().returncode == 0


@pytest.mark.parametrize("spoil, says", [
    (lambda c: (c.identity / "registrar.crt").write_text("no certificate"), "registrar.crt"),
    (lambda c: (c.identity / "registrar.key").unlink(), "registrar.key"),
    (lambda c: shutil.copy(c.spare / "registrar.key", c.identity / "registrar.key"),
     "is not that of the first certificate"),
    (lambda c: c.anchors.write_text(""), "acme.crt"),
    (lambda c: rewrite(c.registrar.config, "[policy]", "[policy]\nsurprise = 1"),
     "unknown key 'surprise'"),
], ids=["certificate", "no key", "another key", "anchors", "unknown option"])
def test_failed_reload_changes_nothing_and_says_why(running_cell, spoil, says):
    c = running_cell
    with c.site.peer(c.site.device()) as peer:
        peer.join()
        shown = peer.registrar_der
    spoil(c)
    line = reload(c.registrar, "reload-failed")
    assert says in line and "level=error" in line
    for _ in range(2):  # the files are bad still; nobody looks at them
        with c.site.peer(c.site.device()) as peer:
            assert peer.registrar_der == shown
            peer.join()


def test_masa_is_asked_with_what_was_loaded_not_with_what_is_on_the_disk(running_cell):
    """No connection to the MASA stands yet: its first one is made after the files went bad."""
    c = running_cell
    for name in ("registrar.key", "registrar.crt"):
        (c.identity / name).unlink()
    c.anchors.unlink()
    with c.site.peer(c.site.device()) as peer:
        peer.join()


def test_policy_of_a_reload_holds_on_connections_that_stand(running_cell, stranger):
    """Trust that was withdrawn is withdrawn at once."""
    c = running_cell
    with c.site.peer(c.site.device()) as peer:
        assert peer.request_voucher().status == 200
        shutil.copy(stranger.anchors, c.anchors)
        assert "[manufacturer Acme] anchors" in reload(c.registrar)
        again = peer.request_voucher()
        assert again.status == 403, again.text


def test_reload_takes_up_serials_policy_and_log_level(running_cell, acme):
    c = running_cell
    device, other = c.site.device(), c.site.device()
    serials = c.directory / "serials.txt"
    serials.write_text(device.serial + "\n")
    rewrite(c.registrar.config, "admit = all", f"admit = listed\nserials = {serials}")
    rewrite(c.registrar.config, "retry_after = 1s", "retry_after = 7s")
    line = reload(c.registrar)
    assert "[policy] retry_after" in line and f"[manufacturer {acme.name}] serials" in line
    with c.site.peer(device) as peer:
        assert peer.request_voucher().status == 200
    with c.site.peer(other) as peer:
        assert peer.request_voucher().status == 404
    serials.write_text(f"{device.serial}\n{other.serial}\n")
    assert f"changed=\"[manufacturer {acme.name}] serials\"" in reload(c.registrar)
    with c.site.peer(other) as peer:
        assert peer.request_voucher().status == 200
    rewrite(c.registrar.config, "level = debug", "level = error")
    mark = c.registrar.log_size()
    c.registrar.signal(signal.SIGHUP)  # the line that would say so is one of those now left out

    def quiet():
        before = c.registrar.log_size()
        with c.site.peer(device) as peer:
            peer.cacerts()
        return c.registrar.log_size() == before
    harness.wait_until(quiet, "a registrar that no longer logs requests")
    assert not c.registrar.lines("reload-failed", mark)


@pytest.mark.parametrize("name", ["masa", "registrar"])
def test_options_read_at_the_start_only_are_named_until_the_restart(running_cell, name):
    daemon = getattr(running_cell, name)
    rewrite(daemon.config, "workers = 1", "workers = 2")
    rewrite(daemon.config, f"listen = 127.0.0.1:{daemon.port}",
            f"listen = 127.0.0.1:{harness.free_port()}")
    for _ in range(2):
        line = reload(daemon, "reload-needs-restart")
        assert "[server] listen" in line and "[server] workers" in line
    assert harness.listening(daemon.port)


# -- reload of the MASA

def test_masa_reload_exchanges_signer_and_tls(running_cell, acme, lab):
    c = running_cell
    fresh = c.directory / "masa-fresh"
    harness.run(harness.program("brski-certs"), "masa", "--ca", acme.directory, "--out", fresh, check=0)
    with c.site.peer(c.site.device()) as peer:
        before = peer.request_voucher().body
    for f in fresh.iterdir():
        shutil.copy(f, c.masa_files / f.name)
    line = reload(c.masa)
    assert "[signer] certificate" in line and "[server] certificate" in line
    with c.site.peer(c.site.device()) as peer:
        after = peer.request_voucher().body

    def der(path):
        return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)
    assert der(fresh / "masa-signer.crt") in after
    assert der(fresh / "masa-signer.crt") not in before
    with c.site.peer(c.site.device()) as peer:
        peer.join()


@pytest.mark.parametrize("spoil, says", [
    (lambda c: (c.masa_files / "masa-signer.crt").write_text("nothing"), "masa-signer.crt"),
    (lambda c: (c.masa_files / "masa-tls.key").unlink(), "masa-tls.key"),
    (lambda c: rewrite(c.masa.config, "audit-only", "audit-mostly"), "audit-mostly"),
], ids=["signer", "tls key", "choice"])
def test_failed_masa_reload_changes_nothing_and_says_why(running_cell, spoil, says):
    c = running_cell
    spoil(c)
    line = reload(c.masa, "reload-failed")
    assert says in line and "level=error" in line
    with c.site.peer(c.site.device()) as peer:
        peer.join()


def test_masa_reload_takes_up_policy(running_cell):
    c = running_cell
    with c.site.peer(c.site.device()) as peer:
        assert peer.request_voucher().status == 200
    rewrite(c.masa.config, "ownership = audit-only", "ownership = known-owner")
    assert "[policy] ownership" in reload(c.masa)
    with c.site.peer(c.site.device()) as peer:
        assert peer.request_voucher().status == 403


# -- under load

SANITIZED = "asan" in harness.BUILD.parts or "tsan" in harness.BUILD.parts
CLIENTS = 16
RATE = 200 if not SANITIZED else 40  # onboardings a second
ONBOARDINGS = 2 * RATE
RESTARTED = 5 * RATE


class Load:
    """Whole onboardings by build/bench/loadgen, in the background."""

    def __init__(self, c, *more, count=ONBOARDINGS, first=1):
        tool = harness.program("bench/loadgen")
        serials = harness.run(tool, "--serials", "--count", count, "--first", first, check=0).stdout
        c.masa.import_devices([{"serial": s} for s in serials.split()])
        self.popen = subprocess.Popen(
            [tool, "--port", str(c.registrar.port), "--ca", c.site.manufacturer.directory,
             "--masa-url", c.site.masa_url, "--clients", str(CLIENTS), "--count", str(count),
             "--first", str(first), *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def runs(self):
        return self.popen.poll() is None

    def result(self):
        out, err = self.popen.communicate(timeout=120)
        assert self.popen.returncode == 0, err[-2000:]
        result = json.loads(out)
        assert result["failures"] == 0, err[-3000:]
        return result


@pytest.fixture
def busy_cell(cell, acme, domain):
    two = {"server": {"workers": 2}, "log": {"level": "info"}}
    c = Cell(cell, acme, domain, two, harness.merged(two, {"rate": {"per_registrar_per_minute": 0}}))
    with harness.running(c.masa, c.registrar):
        yield c


def issued(c):
    return len(c.registrar.lines("event=certificate-issued"))


@pytest.mark.alone
def test_reloads_under_load_drop_no_request(busy_cell, acme, stranger):
    """Certificates, anchors and policy go back and forth all the while, the MASA's as well."""
    c = busy_cell
    reloads, identities = 0, [c.spare, c.directory / "first-identity"]
    masa_files = [c.directory / "masa-fresh", c.directory / "masa-first"]
    harness.run(harness.program("brski-certs"), "masa", "--ca", acme.directory, "--out", masa_files[0], check=0)
    shutil.copytree(c.masa_files, masa_files[1])
    load = Load(c)
    anchors = [acme.anchors.read_text() + stranger.anchors.read_text(), acme.anchors.read_text()]
    pauses = ["retry_after = 1s", "retry_after = 2s"]
    shutil.copytree(c.identity, identities[1])
    while load.runs():
        for name in ("registrar.key", "registrar.crt"):
            shutil.copy(identities[reloads % 2] / name, c.identity / name)
        c.anchors.write_text(anchors[reloads % 2])
        rewrite(c.registrar.config, pauses[reloads % 2], pauses[1 - reloads % 2])
        for path in masa_files[reloads % 2].iterdir():
            shutil.copy(path, c.masa_files / path.name)
        line = reload(c.masa)
        assert "[signer] certificate" in line and "[server] certificate" in line, line
        line = reload(c.registrar)
        for changed in ("[server] certificate", "[manufacturer Acme] anchors", "[policy] retry_after"):
            assert changed in line, line
        reloads += 1
    load.result()
    assert reloads >= 5


@pytest.mark.alone
@pytest.mark.parametrize("name", ["registrar", "masa"])
def test_restarts_under_load_answer_every_request_that_was_accepted(busy_cell, name):
    """Devices find nobody listening for a moment and come back; none sends a request in vain."""
    c = busy_cell
    daemon = getattr(c, name)
    load = Load(c, "--patient", "--pause", str(1000 * CLIENTS / RATE), count=RESTARTED)
    for wanted in (issued(c) + RATE // 10, issued(c) + RATE):
        harness.wait_until(lambda: issued(c) >= wanted or not load.runs(), f"{wanted} certificates")
        assert load.runs(), "the load was over before the restart"
        assert daemon.stop() == 0
        assert daemon.lines("event=stopped drain=complete")
        daemon.start()
    result = load.result()
    assert name == "masa" or result["redials"] > 0
    assert not c.registrar.lines("event=request-abandoned")


# -- second instances

@pytest.mark.parametrize("name", ["masa", "registrar"])
def test_second_instance_on_the_same_port_does_not_start(running_cell, name):
    first = getattr(running_cell, name)
    config = first.directory / "second.conf"
    config.write_text(first.config.read_text().replace(f"{name}.db", "second.db")
                      .replace(f"{name}.sock", "second.sock"))
    done = harness.run(harness.program(f"brski-{name}"), "-c", config, check=1, timeout=20)
    assert f"cannot listen on 127.0.0.1:{first.port}: Address already in use" in done.stderr
    assert first.alive() and harness.listening(first.port)


@pytest.mark.file_store
@pytest.mark.parametrize("name", ["masa", "registrar"])
def test_second_instance_on_the_same_store_does_not_start(running_cell, name):
    first = getattr(running_cell, name)
    config = first.directory / "second.conf"
    config.write_text(first.config.read_text().replace(str(first.port), str(harness.free_port()))
                      .replace(f"{name}.sock", "second.sock"))
    done = harness.run(harness.program(f"brski-{name}"), "-c", config, check=1, timeout=20)
    assert f"{name}.db" in done.stderr and f"process {first.popen.pid}" in done.stderr
    assert first.alive()
    with running_cell.site.peer(running_cell.site.device()) as peer:
        peer.join()


@pytest.mark.parametrize("name", ["masa", "registrar"])
def test_second_instance_on_the_same_admin_socket_does_not_start(running_cell, name):
    first = getattr(running_cell, name)
    config = first.directory / "second.conf"
    config.write_text(first.config.read_text().replace(str(first.port), str(harness.free_port()))
                      .replace(f"{name}.db", "second.db"))
    done = harness.run(harness.program(f"brski-{name}"), "-c", config, check=1, timeout=20)
    assert f"{name}.sock" in done.stderr and "somebody does already" in done.stderr
    first.ctl("devices", "list")


# -- the service manager

class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))

    def env(self, watchdog_s):
        return {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": str(int(watchdog_s * 1e6))}

    def hears(self, text, within=harness.PATIENCE):
        """The first message with this text, or None."""
        deadline = time.monotonic() + within
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                said = self.socket.recv(4096).decode()
            except TimeoutError:
                return None
            if text in said:
                return said
        return None


@pytest.fixture(params=["masa", "registrar"])
def managed(request, cell, acme, domain):
    """A cell whose MASA or registrar has a service manager with a watchdog of one second."""
    c = Cell(cell, acme, domain)
    daemon, manager = getattr(c, request.param), Manager(cell / "notify")
    daemon.env.update(manager.env(1))
    with harness.running(c.masa, c.registrar):
        yield c, daemon, manager


def test_service_manager_is_told_of_start_reload_and_end(managed):
    c, daemon, manager = managed
    assert "STATUS=Serving" in manager.hears("READY=1")
    assert manager.hears("WATCHDOG=1")
    reload(daemon)
    assert "MONOTONIC_USEC=" in manager.hears("RELOADING=1")
    assert manager.hears("READY=1")
    rewrite(daemon.config, "[log]", "[log]\nsurprise = 1")
    reload(daemon, "reload-failed")
    assert "the reload failed" in manager.hears("READY=1\nSTATUS=Serving with")
    daemon.stop()
    assert manager.hears("STOPPING=1")


@pytest.mark.file_store
def test_no_sign_of_life_while_the_writer_of_the_store_hangs(managed):
    """Somebody else holds the database: what was queued cannot be written."""
    c, daemon, manager = managed
    assert manager.hears("WATCHDOG=1")
    device = c.site.device()
    database = daemon.directory / f"{daemon.argv[0].rsplit('-', 1)[1]}.db"
    with sqlite3.connect(database, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with c.site.peer(device) as peer:
            asking = threading.Thread(target=lambda: peer.request_voucher())
            asking.start()
            daemon.wait_log("event=thread-late .*which=store")
            while manager.hears("WATCHDOG=1", 0.01):  # what was said before
                pass
            assert not manager.hears("WATCHDOG=1", 1)
            other.execute("ROLLBACK")
            assert manager.hears("WATCHDOG=1")
            asking.join()
    other.close()
