# SPDX-License-Identifier: Apache-2.0
"""kill -9 and I/O errors at every durable step: nothing acknowledged is missing afterwards, nothing
was issued twice for one request, and the device joins.

Each test walks through a whole life with a fault at step N: an empty store, its creation, a
request, an onboarding, the checkpoint at the end. N goes from 1 to the last step of an undisturbed
life. The outcome is read from the stores with the database's own client. On PostgreSQL a step is
whatever is sent to the server.
"""
import concurrent.futures
import contextlib
import itertools
import json
import pathlib
import signal
import socket
import tempfile
import threading

import pytest

import fault
import harness
from brski_peer import forge, mdns
from brski_peer.registrar import FakeRegistrar
from brski_peer.server import Answer
from places import Device, Site
from ledger import MasaLedger, Onboarding, RegistrarLedger, granted, Failed, persist
from patient import Patient
from postgres import Postgres
from seekers import Resolver
from test_masa import Client

ALL = [fault.KILL, fault.TORN, fault.EIO, fault.ENOSPC]
# of a conversation with a server: before something is said, half of it, and all but the answer heard
SAID = [fault.KILL, fault.TORN, fault.DONE]
TRIES = 5  # of lives that end before an appointed step
VARY = 6  # what goes by the clock: signs of life, looks at the server
every_death = pytest.mark.parametrize("kind", SAID, ids=[fault.KIND_NAMES[k] for k in SAID])
every_kind = pytest.mark.parametrize("kind", ALL, ids=[fault.KIND_NAMES[k] for k in ALL])

_lives = itertools.count(1)


class NotReached(AssertionError):
    """This life had fewer steps than the one they were counted in."""


def walk(live, kind, only="", at_once=1, vary=0):
    """live(kind, at) runs one life and returns its Fault. Runs one undisturbed life to count the
    steps, then one for each (for those whose name holds `only`), at_once of them side by side.
    A step that a life did not get to is none when an undisturbed one, counted again, ends before it
    as well, or it is among that one's last `vary`; else it is tried again, for what goes by the clock
    is never the same. Failures are collected, so that one report shows all."""
    names = live(kind, 0).names()
    assert len(names) > 10, "the injector does not see the steps"

    def one(at):
        for _ in range(TRIES):
            with contextlib.suppress(NotReached):
                return live(kind, at)
            if at > live(kind, 0).count - vary:
                return None
        raise NotReached(f"not reached in {TRIES} lives")

    def told(at):
        try:
            one(at)
        except Exception as e:  # what went wrong is for the report
            return f"step {at}, {names[at - 1]}: {type(e).__name__}: {str(e)[-1500:]}"
        return None

    steps = [at for at, name in enumerate(names, 1) if only in name]
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        faults = [f for f in pool.map(told, steps) if f]
    assert not faults, f"{len(faults)} of {len(steps)} steps:\n" + "\n".join(faults[:8])


class Files:
    """Stores in SQLite, each a file of its own."""

    env = {}

    def new(self, directory, name):
        return directory / f"{name}.db"


class Server:
    """Stores in PostgreSQL, each a database of its own."""

    def __init__(self, folder):
        self.postgres = Postgres(folder)

    def __enter__(self):
        self.postgres.start()
        self.env = {"FAULT_DATABASE_PORT": self.postgres.port()}
        return self

    def __exit__(self, *_):
        self.postgres.stop()

    def new(self, directory, name):
        database = f"{name}_{directory.name.replace('-', '_')}"
        harness.run("psql", "-Xq", "-c", f"CREATE DATABASE {database}", self.postgres.uri(), check=0)
        return self.postgres.uri().rpartition("/")[0] + f"/{database}"


@pytest.fixture(scope="module")
def server():
    with tempfile.TemporaryDirectory(prefix="brski-crash-") as folder:
        pathlib.Path(folder).chmod(0o755)  # root's own folders are closed to the user it runs as
        with Server(pathlib.Path(folder) / "pg") as started:
            yield started


# -- MASA

class MasaLife:
    def __init__(self, place, acme, domain, stores):
        self.place, self.acme, self.domain, self.stores = place, acme, domain, stores
        self.identity = forge.load(domain.registrar_dir / "registrar.key",
                                   domain.registrar_dir / "registrar.crt")
        self.port = harness.free_port()
        self.registrar = harness.Registrar(place / "registrar", domain, [acme])

    def __call__(self, kind, at):
        directory = self.place / f"life-{next(_lives)}"
        directory.mkdir()
        dials = fault.Fault(directory / "dials")
        store = self.stores.new(directory, "masa")
        masa = harness.Masa(directory / "masa", self.acme, port=self.port,
                            changes={"store": {"path": store}})
        masa.env.update(self.stores.env)
        patient = Patient(masa, dials)
        dials.arm(kind, at)
        try:
            patient.begin()
            self.live(directory, masa, patient, MasaLedger(store))
        except BaseException:
            masa.kill()
            raise
        masa.kill()
        if at and not dials.hits:
            raise NotReached("not reached")
        return dials

    def live(self, directory, masa, patient, ledger):
        device = Device(self.acme, f"localhost:{masa.port}")
        requests = {}

        def imported():
            (masa.directory / "import.csv").write_text(f"serial\n{device.serial}\n")
            done = masa.ctl("devices", "import", masa.directory / "import.csv", check=None)
            if done.returncode != 0:
                raise Failed(done.stderr)
            ledger.imported.add(device.serial)

        def vouched():
            with Client(masa, self.identity) as client:
                rvr = requests.setdefault("rvr", client.rvr(device))
                ledger.voucher(granted(client.ask(rvr)).body)
                log = json.loads(granted(client.audit(rvr)).body)
                assert forge.read(rvr).fields["nonce"] in [e["nonce"] for e in log["events"]]

        persist(imported, patient)
        persist(vouched, patient)
        site = Site(directory, self.acme, self.domain, masa, self.registrar)
        pledge = site.pledge(device)
        if pledge.join().returncode != 0:  # the fault may meet it
            patient.back()
            assert pledge.join().returncode == 0, pledge.log()[-2000:]
        ledger.voucher((pledge.state / "current" / "voucher.vcj").read_bytes())
        patient.finish()
        vouched()  # a repeated request has the same answer after the restart, and no second entry
        ledger.check()
        nonces = [n for n, in ledger.events_of(device.serial)]
        assert len(nonces) == len(set(nonces)), f"two vouchers for one nonce: {nonces}"


@pytest.fixture(scope="module")
def masa_life(place, acme, domain):
    life = MasaLife(place, acme, domain, Files())
    with harness.running(life.registrar):
        yield life


@pytest.fixture(scope="module")
def masa_life_on_server(place, acme, domain, server):
    life = MasaLife(place, acme, domain, server)
    with harness.running(life.registrar):
        yield life


@pytest.mark.slow
@every_kind
@pytest.mark.req("R8995-MASA-028")
def test_masa_loses_nothing_at_any_durable_step(masa_life, kind):
    walk(masa_life, kind)


def test_masa_killed_at_each_flush_loses_nothing(masa_life):
    walk(masa_life, fault.KILL, only="fdatasync")


@pytest.mark.slow
@every_death
def test_masa_on_a_server_loses_nothing_whatever_it_was_saying(masa_life_on_server, kind):
    walk(masa_life_on_server, kind, vary=VARY)


# -- registrar

class RegistrarLife:
    def __init__(self, place, acme, domain, stores):
        self.place, self.acme, self.domain, self.stores = place, acme, domain, stores
        self.masa = harness.Masa(place / "masa", acme)
        self.port = harness.free_port()

    def __call__(self, kind, at):
        directory = self.place / f"life-{next(_lives)}"
        directory.mkdir()
        dials = fault.Fault(directory / "dials")
        store = self.stores.new(directory, "registrar")
        registrar = harness.Registrar(
            directory / "registrar", self.domain, [self.acme], port=self.port,
            changes={f"manufacturer {self.acme.name}": {"admit": "hold"},
                     "store": {"path": store}})
        registrar.env.update(self.stores.env)
        patient = Patient(registrar, dials)
        site = Site(directory, self.acme, self.domain, self.masa, registrar)
        dials.arm(kind, at)
        try:
            patient.begin()
            self.live(site, patient, RegistrarLedger(store))
        except BaseException:
            registrar.kill()
            raise
        registrar.kill()
        if at and not dials.hits:
            raise NotReached("not reached")
        return dials

    def live(self, site, patient, ledger):
        device = site.device()
        vouchers = MasaLedger(self.masa.directory / "masa.db")
        onboarding = Onboarding(site, device, ledger, vouchers)
        persist(onboarding.go, patient)
        patient.finish()
        onboarding.go()  # every request repeated: the same answers, nothing new
        ledger.check()
        vouchers.check()
        assert ledger.count_certificates(device.serial) == 1
        pledge = site.pledge(device)
        assert pledge.join().returncode == 0, pledge.log()[-2000:]


@pytest.fixture(scope="module")
def registrar_life(place, acme, domain):
    life = RegistrarLife(place, acme, domain, Files())
    with harness.running(life.masa):
        yield life


@pytest.fixture(scope="module")
def registrar_life_on_server(place, acme, domain, server):
    (place / "server").mkdir()
    life = RegistrarLife(place / "server", acme, domain, server)
    with harness.running(life.masa):
        yield life


@pytest.mark.slow
@every_kind
@pytest.mark.req("EE-15")
def test_registrar_loses_nothing_at_any_durable_step(registrar_life, kind):
    walk(registrar_life, kind)


def test_registrar_killed_at_each_flush_loses_nothing(registrar_life):
    walk(registrar_life, fault.KILL, only="fdatasync")


@pytest.mark.slow
@every_death
def test_registrar_on_a_server_loses_nothing_whatever_it_was_saying(registrar_life_on_server, kind):
    walk(registrar_life_on_server, kind, vary=VARY)


# -- pledge

@contextlib.contextmanager
def approving(registrar):
    """An administrator who approves whatever waits."""
    done = threading.Event()

    def approve():
        while not done.wait(0.2):
            registrar.ctl("claims", "approve", "--all", "--yes", check=None)
    thread = threading.Thread(target=approve)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class PledgeLife:
    """A pledge that is held, approved and enrolled."""

    def __init__(self, site, made=None):
        self.site, self.made = site, made or site.pledge
        self.ledger = RegistrarLedger(site.registrar.directory / "registrar.db")
        self.importing = threading.Lock()

    def __call__(self, kind, at, from_then_on=False):
        with self.importing:
            device = self.site.device()
        pledge = self.made(device)
        dials = fault.Fault(pledge.directory / "dials")
        dials.arm(kind, at, from_then_on)
        pledge.env.update(dials.env)
        first = pledge.join()
        dials.off()
        if at and not dials.hits:
            raise NotReached("not reached")
        self.check_end(first, kind if dials.hits else None)
        if "installed:" in first.stdout:
            assert pledge.command("status").returncode == 0, "said to be installed, and is not"
        again = pledge.join()
        assert again.returncode == 0, pledge.log()[-3000:]
        assert pledge.command("status").returncode == 0
        self.check_state(pledge, device)
        return dials

    def check_end(self, done, kind):
        assert not harness.SANITIZERS.search(done.stderr), done.stderr[-6000:]
        if kind in fault.DEADLY:
            assert done.returncode == -signal.SIGKILL, done.returncode
        else:
            assert done.returncode >= 0, f"ended with {done.returncode}"
            assert done.returncode == 0 or kind, done.stdout + done.stderr

    def check_state(self, pledge, device):
        current = pledge.state / "current"
        left = [p for p in pledge.state.rglob("*") if ".new." in p.name]
        assert not left, f"left behind: {left}"
        certificate = forge.load_certs(current / "ldevid.crt")[0]
        key = forge.load(current / "ldevid.key", current / "ldevid.crt").key
        assert key.public_key().public_numbers() == certificate.public_key().public_numbers()
        for path, mode in ((current / "ldevid.key", 0o600), (current / "ldevid.crt", 0o644)):
            assert path.stat().st_mode & 0o777 == mode, path
        kept, = self.ledger.device(device.serial, "voucher")
        assert kept == (current / "voucher.vcj").read_bytes()
        assert self.ledger.count_certificates(device.serial) == 1, "enrolled twice"


@pytest.fixture(scope="module")
def pledge_life(place, acme, domain):
    masa = harness.Masa(place / "masa-of-pledges", acme)
    registrar = harness.Registrar(place / "registrar-of-pledges", domain, [acme],
                                  changes={f"manufacturer {acme.name}": {"admit": "hold"}})
    with harness.running(masa, registrar), approving(registrar):
        yield PledgeLife(Site(place, acme, domain, masa, registrar))


@pytest.mark.slow
@every_kind
@pytest.mark.req("EE-13", "EE-15")
def test_pledge_loses_nothing_at_any_durable_step(pledge_life, kind):
    walk(pledge_life, kind, at_once=8)


def test_pledge_killed_at_each_rename_loses_nothing(pledge_life):
    walk(pledge_life, fault.KILL, only="rename", at_once=8)


@pytest.mark.slow
def test_pledge_whose_disk_is_full_from_some_step_on_joins_when_there_is_room(pledge_life):
    walk(lambda kind, at: pledge_life(kind, at, from_then_on=True), fault.ENOSPC, at_once=8)


@pytest.fixture(scope="module")
def found_life(pledge_life, place):
    """It is told nobody: a resolver knows the registrar."""
    site = pledge_life.site
    kind, machine = ("_brski-registrar", "_tcp", "example", "test"), ("registrar", "example", "test")
    name = ("hq", *kind)
    records = [(kind, mdns.PTR, name), (name, mdns.SRV, mdns.Place(site.registrar.port, machine)),
               (name, mdns.TXT, b"\0"), (machine, mdns.A, socket.inet_aton("127.0.0.1"))]
    with Resolver(records) as resolver:
        conf = place / "resolv.conf"
        conf.write_text(f"search example.test\nnameserver 127.0.0.1:{resolver.address[1]}\n")
        yield PledgeLife(site, lambda device: site.pledge(device, [""], {"registrars": {
            "urls": None, "discover": "lo", "mdns": "", "grasp": "", "resolver": conf}}))


@pytest.fixture(scope="module")
def sent_life(pledge_life, acme, other_domain):
    """It is told nobody either, and its manufacturer's cloud registrar sends it there."""
    site = pledge_life.site
    folder = other_domain.registrar_dir
    onward = Answer(307, headers=[("Location", f"{site.url}/.well-known/brski/requestvoucher")])
    with FakeRegistrar(folder / "registrar.crt", folder / "registrar.key", other_domain.directory,
                       acme.directory) as cloud:
        cloud.on["requestvoucher"] = lambda _request: onward
        yield PledgeLife(site, lambda device: site.pledge(device, [""], {"registrars": {
            "urls": "", "cloud": f"https://localhost:{cloud.port}",
            "cloud_anchors": other_domain.file("root.crt")}}))


@pytest.mark.slow
@every_kind
@pytest.mark.req("EE-13", "EE-15", "R8995-PLG-004")
def test_pledge_that_found_its_registrar_loses_nothing_at_any_durable_step(found_life, kind):
    walk(found_life, kind, at_once=8)


@pytest.mark.slow
@every_kind
@pytest.mark.req("EE-13", "EE-15", "CLOUD-PLG-006")
def test_pledge_that_was_sent_to_its_registrar_loses_nothing_at_any_durable_step(sent_life, kind):
    walk(sent_life, kind, at_once=8)
