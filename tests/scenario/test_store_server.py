# SPDX-License-Identifier: Apache-2.0
"""A registrar and a MASA whose records are in a PostgreSQL: that comes up after them, hangs, is
killed, and whose password nobody gets to read."""
import contextlib
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

import harness
from places import Site
from postgres import PASSWORD, Postgres
from several import ready
from test_operations import Manager, reload, rewrite


class Databases:
    def __init__(self):
        # root's own folders are closed to the user it runs as
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="brski-store-"))
        self.folder.chmod(0o755)
        self.server = Postgres(self.folder / "pg")
        self.server.make()

    def uri(self, name):
        return f"postgresql://brski:{PASSWORD}@127.0.0.1:{self.server.port()}/{name}"

    def make(self, name):
        subprocess.run(["psql", "-X", "-q", "-c", f"CREATE DATABASE {name}", self.uri("postgres")], check=True)


@pytest.fixture(scope="module")
def databases():
    d = Databases()
    yield d
    d.server.stop()
    shutil.rmtree(d.folder)


@pytest.fixture(scope="module")
def here(place, acme, domain, databases):
    """Both were started before their server: `waited` is what the registrar's manager heard until then."""
    daemons = {}
    for name, made in (("masa", lambda **k: harness.Masa(place / "masa", acme, **k)),
                       ("registrar", lambda **k: harness.Registrar(place / "registrar", domain, [acme], **k))):
        metrics = harness.free_port()
        daemons[name] = made(changes={"store": {"path": databases.uri(name)},
                                      "metrics": {"listen": f"127.0.0.1:{metrics}"}})
        daemons[name].metrics = metrics
    registrar = daemons["registrar"]
    manager = Manager(place / "notify")
    registrar.env.update(manager.env(6))
    for d in daemons.values():
        harness.Process.start(d)  # not waiting for it
    try:
        for d in daemons.values():
            d.wait_log("event=store-waits")
        heard = manager.hears("READY=1", 0.5)
        databases.server.start()
        for name, d in daemons.items():
            databases.make(name)
            harness.wait_until(lambda p=d.port: harness.listening(p), "a start")
        site = Site(place, acme, domain, daemons["masa"], registrar)
        site.manager, site.heard = manager, heard
        yield site
    finally:
        for d in reversed(daemons.values()):
            d.stop()


def joins(site):
    device = site.device()
    with site.peer(device) as peer:
        return peer.request_voucher().status


def test_a_start_waits_for_the_server_and_says_so(here):
    assert here.heard is None
    assert here.manager.hears("READY=1")
    assert "refused" in here.registrar.lines("event=store-waits")[0]
    assert joins(here) == 200


def test_status_and_doctor_say_that_room_is_not_known(here):
    for daemon in (here.registrar, here.masa):
        status = daemon.ctl("status").stdout
        assert "free" not in status
        assert "disk" not in status
        assert re.search(r"store space +ok +not known", daemon.ctl("doctor", check=None).stdout)


def test_a_server_that_hangs_is_said_to_be_busy_and_nothing_is_lost(here, databases):
    """The watchdog is fed, devices are told when to come back, and what was begun is done."""
    device = here.device()
    harness.wait_until(lambda: ready(here.registrar), "ready")
    databases.server.freeze()
    try:
        begun = time.monotonic()
        with here.peer(device) as peer:
            reply = peer.request_voucher()
        assert reply.status == 503 and reply.header("Retry-After")
        assert time.monotonic() - begun < 5
        harness.wait_until(lambda: not ready(here.registrar) and not ready(here.masa), "not ready")
        while here.manager.hears("WATCHDOG=1", 0.01):  # what was said before
            pass
        for _ in range(3):
            assert here.manager.hears("WATCHDOG=1", 6)
    finally:
        databases.server.thaw()
    harness.wait_until(lambda: ready(here.registrar) and ready(here.masa), "the server")
    with here.peer(device) as peer:
        assert peer.request_voucher().status == 200


def test_a_server_that_is_killed_and_comes_back_is_found_again(here, databases):
    databases.server.kill()
    harness.wait_until(lambda: not ready(here.registrar) and not ready(here.masa), "not ready")
    # an administrator is told what is away and not that the service is busy, or that a log was changed
    assert "store cannot be reached" in here.registrar.ctl("claims", "list", check=None).stderr
    rows = [row for row in here.registrar.ctl("doctor", check=None).stdout.splitlines() if " fail " in row]
    assert rows and all("see whether the database's server runs" in row and " ?" not in row for row in rows), rows
    databases.server.start()
    harness.wait_until(lambda: ready(here.registrar) and ready(here.masa), "the server")
    assert joins(here) == 200


@contextlib.contextmanager
def locked(uri, table):
    """Nobody else gets to read it."""
    with subprocess.Popen(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", uri], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as psql:
        psql.stdin.write(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT 'locked';\n")
        psql.stdin.flush()
        assert psql.stdout.readline() == "locked\n"
        yield
        psql.stdin.close()


def test_a_log_that_cannot_be_read_is_none_that_was_changed(here, databases):
    """What there is of the store answers, the audit log does not."""
    for daemon, name in ((here.masa, "masa"), (here.registrar, "registrar")):
        with locked(databases.uri(name), "head"):
            said = daemon.ctl("doctor", check=None).stdout
        row, = re.findall("^.*audit log.* fail .*$", said, re.M)
        assert "see whether the database's server runs" in row, said
        assert re.search("audit log +ok", daemon.ctl("doctor", check=None).stdout)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("daemon", ["masa", "registrar"])
def test_a_start_that_waits_for_its_server_ends_at_once_when_told_to(here, cell, daemon, number):
    """Whether nobody is there or somebody who takes connections and says nothing."""
    real = getattr(here, daemon)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        for port in (harness.free_port(), mute.getsockname()[1]):
            config = cell / f"{port}.conf"
            config.write_text(re.sub("postgresql://.*", f"postgresql://brski@127.0.0.1:{port}/x", real.config.read_text()))
            # a shell's background jobs, this one perhaps, pass on that SIGINT is ignored
            waiting = harness.Process(["env", "--default-signal=INT", real.argv[0], "-c", config],
                                      cell / f"{port}.log").start()
            if port == mute.getsockname()[1]:
                mute.accept()[0].recv(1)  # it is in the middle of its first connection
            else:
                waiting.wait_log("event=store-waits")
            waiting.signal(number)
            assert waiting.wait() == -number


def test_hosts_without_ports_are_named_as_they_are(here):
    config = here.masa.directory / "ports.conf"
    text = here.masa.config.read_text().replace(str(here.masa.socket), str(here.masa.directory / "ports.sock"))
    config.write_text(re.sub("postgresql://.*", "postgresql://127.0.0.1,127.0.0.1/masa?sslmode=none", text))
    masa = harness.Process([harness.program("brski-masa"), "-c", config], here.masa.directory / "ports.log").start()
    try:
        assert "at 127.0.0.1,127.0.0.1: " in masa.wait_log("event=store-waits")
    finally:
        masa.kill()


def test_nobody_is_told_the_password(here, databases):
    """Neither in logs, nor where what a reload changes is listed."""
    rewrite(here.registrar.config, f":{PASSWORD}@", f":{PASSWORD}2@")
    reload(here.registrar)
    here.registrar.wait_log("restart")
    for daemon in (here.registrar, here.masa):
        assert PASSWORD not in daemon.log()
        assert PASSWORD not in daemon.ctl("status").stdout + daemon.ctl("doctor", check=None).stdout
    rewrite(here.registrar.config, f":{PASSWORD}2@", f":{PASSWORD}@")


def test_a_wrong_password_or_a_place_of_others_ends_the_start_at_once(here, databases):
    config = here.masa.directory / "second.conf"
    text = here.masa.config.read_text().replace(str(here.masa.socket), str(here.masa.directory / "second.sock"))
    for wrong, said in ((databases.uri("masa").replace(PASSWORD, "mellon"), "password authentication failed"),
                        (databases.uri("registrar"), "is not a masa store"),
                        (f"postgresql://{PASSWORD}%zz@", "no URI"),
                        (f"postgresq://brski:{PASSWORD}@db/masa", "neither a file nor a postgresql:// URI")):
        config.write_text(text.replace(databases.uri("masa"), wrong))
        done = harness.run(harness.program("brski-masa"), "-c", config, check=None, timeout=10)
        assert done.returncode != 0 and said in done.stderr
        assert PASSWORD not in done.stderr and "mellon" not in done.stderr
        assert ("~/.pgpass" in done.stderr) == ("authentication" in said)
