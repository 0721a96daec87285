# SPDX-License-Identifier: Apache-2.0
"""The registrar when its MASA is dead, hangs, answers with errors, or has bad addresses beside good
ones: what devices are told, what it costs, and that all is well again when the MASA is."""
import concurrent.futures
import contextlib
import os
import signal
import socket
import threading
import time

import pytest

import harness
import places
import stores
from admin_api import Api
from brski_peer import forge
from brski_peer.ports import free_port
from brski_peer.server import text

req = pytest.mark.req

SHORT = {"masa": {"connect_timeout": "1s", "timeout": "2s", "failures": "2", "pause": "2s"}}
PATIENT = harness.merged(SHORT, {"masa": {"pause": "8s"}})  # after the first one, which is always PAUSE_S
PAUSE_S = 2


@pytest.fixture
def upstream(cell, acme, domain):
    """A real MASA and a registrar that soon gives up on it; of this test alone."""
    masa = harness.Masa(cell / "masa", acme)
    registrar = harness.Registrar(cell / "registrar", domain, [acme], changes=PATIENT)
    with harness.running(masa, registrar):
        yield places.Site(cell, acme, domain, masa, registrar)


def ask(site, device):
    """One voucher-request of the device over a connection of its own: reply, seconds it took."""
    began = time.monotonic()
    with site.peer(device) as pledge:
        reply = pledge.request_voucher()
    return reply, time.monotonic() - began


def gate(site):
    """What the registrar thinks of the one address that it has asked."""
    (only,) = Api(site.registrar).get("/api/v1/status").json["masa_addresses"]
    return only


def joins(site, device):
    return ask(site, device)[0].status == 200


def is_left_alone(site, devices):
    """Whoever asks now is told to come back, without a question to the MASA and with a time. Where all
    that takes longer than the pause, the next one is longer."""
    for _ in range(4):
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(len(devices)) as pool:
            replies = list(pool.map(lambda d: ask(site, d), devices))
        statuses = [r.status for r, _ in replies]
        if statuses == [503] * len(devices) or time.monotonic() - began < PAUSE_S / 2:
            break
    assert statuses == [503] * len(devices)
    waits = [int(r.header("retry-after")) for r, _ in replies]
    assert all(1 <= w <= 60 for w in waits), waits
    assert gate(site)["state"] == "open"


def breaks(site, break_it, mend_it, statuses):
    device = site.device()
    assert joins(site, device)
    assert gate(site)["state"] == "closed"
    others, more = ([site.device(known=False) for _ in range(n)] for n in (2, 3))
    break_it()
    assert {ask(site, d)[0].status for d in others} <= statuses
    is_left_alone(site, more)
    said = site.registrar.ctl("status", check=None).stdout
    assert "left alone" in said, said
    mend_it()
    late = site.device()
    harness.wait_until(lambda: joins(site, late), "the device joins once its MASA is back")
    assert gate(site)["state"] == "closed"
    assert site.registrar.lines("masa-left-alone") and site.registrar.lines("masa-asked-again")


def test_masa_that_was_killed(upstream):
    breaks(upstream, upstream.masa.kill, upstream.masa.start, {502, 503})


def test_masa_that_hangs(upstream):
    breaks(upstream, lambda: upstream.masa.signal(signal.SIGSTOP),
           lambda: upstream.masa.signal(signal.SIGCONT), {502, 504})


def test_masa_that_answers_with_errors(cell, acme, domain, fake_masa):
    registrar = harness.Registrar(cell / "registrar", domain, [acme], changes=PATIENT)
    with harness.running(registrar):
        site = places.Site(cell, acme, domain, fake_masa, registrar)
        breaks(site, lambda: setattr(fake_masa, "answer", lambda request: text(500, "broken")),
               fake_masa.be_honest, {502})


def test_a_refusal_is_an_answer(cell, acme, domain, fake_masa):
    """A MASA that says no to many devices is well."""
    registrar = harness.Registrar(cell / "registrar", domain, [acme], changes=SHORT)
    fake_masa.answer = lambda request: text(403, "no")
    with harness.running(registrar):
        site = places.Site(cell, acme, domain, fake_masa, registrar)
        assert [ask(site, site.device())[0].status for _ in range(4)] == [403] * 4
        assert gate(site)["state"] == "closed"


# -- several addresses

def test_second_url_of_a_masa_is_asked_when_the_first_is_dead(cell, acme, domain):
    masa = harness.Masa(cell / "masa", acme)
    dead = free_port()
    registrar = harness.Registrar(cell / "registrar", domain, [acme], changes=harness.merged(
        SHORT, {"manufacturer Acme": {
            "masa_url": f"https://localhost:{dead} https://localhost:{masa.port}"}}))
    with harness.running(masa, registrar):
        site = places.Site(cell, acme, domain, masa, registrar)
        asked = [ask(site, site.device()) for _ in range(5)]
        assert [reply.status for reply, _ in asked] == [200] * 5
        assert sorted(took for _, took in asked)[2] < 1
        states = {g["masa"]: g["state"] for g in Api(registrar).get("/api/v1/status").json[
            "masa_addresses"]}
        assert states == {f"localhost:{dead}": "open", f"localhost:{masa.port}": "closed"}
        checks = {c["check"]: c["verdict"] for c in Api(registrar).get("/api/v1/doctor").json["items"]}
        assert checks[f"MASA of Acme at localhost:{dead}"] == "fail"
        assert checks[f"MASA of Acme at localhost:{masa.port}"] == "ok"


@contextlib.contextmanager
def deaf(address, port):
    """An address that drops every SYN: its backlog is full."""
    with socket.socket() as listener, contextlib.ExitStack() as kept:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(4):
            client = kept.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex((address, port))
        yield


@contextlib.contextmanager
def mute(address, port):
    """An address that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(64)
        yield


def with_hosts(process, directory, lines):
    """The process sees these lines in place of /etc/hosts."""
    hosts = directory / "hosts"
    hosts.write_text("\n".join(lines) + "\n")
    process.argv = ["unshare", "--mount", "sh", "-c",
                    'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts), *process.argv]
    return process


@contextlib.contextmanager
def listening_at(masa, address):
    harness.Process.start(masa)
    try:
        harness.wait_until(lambda: reachable(address, masa.port), f"the MASA at {address}")
        yield
    finally:
        masa.stop()


def reachable(address, port):
    with socket.socket() as s:
        return s.connect_ex((address, port)) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="a hosts file of one's own needs root")
@pytest.mark.parametrize("bad", [deaf, mute])
def test_a_dead_address_of_three_costs_one_device_little_and_the_others_nothing(
        cell, acme, domain, bad):
    tls = cell / "tls"
    harness.run(harness.program("brski-certs"), "masa", "--ca", acme.directory, "--out", tls,
                "--san", "DNS:masa.test", check=0)
    port = free_port()
    masa = harness.Masa(cell / "masa", acme, port=port, changes={"server": {
        "listen": f"127.0.0.3:{port}", "key": tls / "masa-tls.key",
        "certificate": tls / "masa-tls.crt"}})
    registrar = harness.Registrar(cell / "registrar", domain, [acme], changes={
        "masa": {"connect_timeout": "2s", "timeout": "10s"}})
    with_hosts(registrar, cell, ["127.0.0.1 localhost", "127.0.0.1 masa.test",
                                 "127.0.0.3 masa.test", "127.0.0.4 masa.test"])
    with bad("127.0.0.1", port), listening_at(masa, "127.0.0.3"), harness.running(registrar):
        site = places.Site(cell, acme, domain, masa, registrar)
        asked = [ask(site, site.device(masa_url=f"masa.test:{port}")) for _ in range(5)]
        print("seconds with a dead address of three:", [f"{took:.2f}" for _, took in asked])
        assert [reply.status for reply, _ in asked] == [200] * 5
        assert asked[0][1] < 8  # a connection's two seconds and some, not a request's ten
        assert max(took for _, took in asked[1:]) < 2


# -- vouchers fetched ahead

@pytest.fixture
def owned(cell, acme, domain):
    """A MASA that gives the owner of devices vouchers without a nonce, and a registrar that gives
    those to its devices while it cannot reach the MASA."""
    masa = harness.Masa(cell / "masa", acme, changes={"policy": {
        "ownership": "known-owner", "nonceless": "owners", "nonceless_lifetime": "20m"}})
    registrar = harness.Registrar(cell / "registrar", domain, [acme], changes=harness.merged(
        SHORT, {"masa": {"stored_vouchers": "when-unreachable"}}))
    clock = harness.Clock(cell / "clock")
    registrar.env.update(clock.env())
    registrar.clock = clock
    with harness.running(masa, registrar):
        masa.ctl("owners", "add", "site", domain.file("root.crt"))
        yield places.Site(cell, acme, domain, masa, registrar)


def fetch(site, *devices, check=0, more=()):
    return site.registrar.ctl("vouchers", "fetch", *(d.serial for d in devices), "--masa-url",
                              site.masa_url, *more, check=check)


def stored(site):
    api = Api(site.registrar)
    return {v["device_serial"]: v for v in api.get("/api/v1/vouchers/ahead").json["items"]}


def add_unchecked(site, count):
    """Devices that joined offline, of a manufacturer that is gone for good."""
    for n in range(1, count + 1):
        stores.query(site.registrar.directory, "registrar", f"INSERT INTO stored_voucher VALUES ({n}, 'gone', 'GONE-{n}', "
                     "'application/voucher-cms+json', 'https://masa.gone/', 'x', 1, 0, 0, '-', '-', 1, 0)")


@req("R8995-REG-036")
def test_offline_site_lets_in_just_the_devices_whose_vouchers_were_fetched(owned):
    fetched, other = owned.device(owner="site"), owned.device(owner="site")
    add_unchecked(owned, 8)  # which keep nobody else from their turn
    said = fetch(owned, fetched)
    assert "1 of 1 done" in said.stderr
    assert [serial for serial in stored(owned) if not serial.startswith("GONE")] == [fetched.serial]
    owned.masa.kill()
    pledge = owned.pledge(fetched)
    assert pledge.join().returncode == 0, pledge.log()
    for _ in range(3):
        assert ask(owned, other)[0].status == 503
    assert stored(owned)[fetched.serial]["used"]
    told = owned.registrar.ctl("audit", "list").stdout
    assert "fetched" in told and "stored voucher of" in told
    # its history is looked at when somebody can be asked again, though it is given to nobody any more
    owned.registrar.ctl("vouchers", "drop", fetched.serial)
    assert stored(owned)[fetched.serial]["expired"]
    assert ask(owned, fetched)[0].status == 503
    assert not stored(owned)[fetched.serial]["history_checked"]
    owned.masa.start()
    harness.wait_until(lambda: stored(owned)[fetched.serial]["history_checked"],
                       "the history is looked at", 40)
    history = owned.registrar.ctl("devices", "history", fetched.serial).stdout
    assert "good" in history
    harness.wait_until(lambda: joins(owned, other), "others join again")
    owned.registrar.ctl("vouchers", "drop", fetched.serial)
    assert fetched.serial not in stored(owned)


def test_constrained_device_joins_offline_with_its_own_kind_of_voucher(cell, acme, domain):
    masa = harness.Masa(cell / "masa", acme, changes={"policy": {
        "ownership": "known-owner", "nonceless": "owners"}})
    registrar = harness.Registrar(cell / "registrar", domain, [acme], coaps=True,
                                  changes=harness.merged(SHORT, {
                                      "masa": {"stored_vouchers": "when-unreachable"},
                                      "manufacturer Acme": {
                                          "idevid_issuer": acme.file("issuing.crt")}}))
    with harness.running(masa, registrar):
        masa.ctl("owners", "add", "site", domain.file("root.crt"))
        site = places.Site(cell, acme, domain, masa, registrar)
        device = site.device(owner="site")
        fetch(site, device, more=["--constrained"])
        masa.kill()
        assert ask(site, device)[0].status == 503  # over HTTPS it is of no use
        pledge = site.coaps_pledge(device)
        assert pledge.join().returncode == 0, pledge.log()


def test_stored_voucher_is_not_used_while_the_masa_answers(owned):
    device = owned.device(owner="site")
    fetch(owned, device)
    assert joins(owned, device)
    assert not stored(owned)[device.serial]["used"]


def test_stored_voucher_that_ended_or_that_policy_keeps_is_not_given(owned):
    device = owned.device(owner="site")
    fetch(owned, device)
    owned.masa.kill()
    owned.registrar.clock.set(21 * 60)
    assert ask(owned, device)[0].status in (502, 503)
    assert owned.registrar.lines("stored-voucher-not-used.*expired")
    owned.registrar.clock.set(0)
    conf = owned.registrar.config.read_text()
    owned.registrar.config.write_text(conf.replace("stored_vouchers = when-unreachable",
                                                   "stored_vouchers = off"))
    Api(owned.registrar).post("/api/v1/reload", {})
    assert ask(owned, device)[0].status in (502, 503)
    owned.registrar.config.write_text(conf)
    Api(owned.registrar).post("/api/v1/reload", {})
    assert ask(owned, device)[0].status == 200


def test_stored_voucher_for_a_domain_of_before_is_not_given(owned, other_domain):
    """The registrar has moved to another domain since."""
    device = owned.device(owner="site")
    fetch(owned, device)
    owned.masa.kill()
    conf = owned.registrar.config.read_text()
    owned.registrar.config.write_text(
        conf.replace(str(owned.domain.directory) + "/", str(other_domain.directory) + "/"))
    Api(owned.registrar).post("/api/v1/reload", {})
    assert ask(owned, device)[0].status in (502, 503)
    assert owned.registrar.lines("stored-voucher-not-used")


def test_stored_voucher_that_a_device_signed_is_not_given(cell, acme, domain, fake_masa):
    """Who may sign for whom is known when the device is there: not a device of its manufacturer."""
    registrar = harness.Registrar(cell / "registrar", domain, [acme], changes=harness.merged(
        SHORT, {"masa": {"stored_vouchers": "when-unreachable"}}))
    with harness.running(registrar):
        site = places.Site(cell, acme, domain, fake_masa, registrar)
        good, bad = site.device(), site.device()
        fetch(site, good)
        fake_masa.signer = site.device().identity
        fetch(site, bad)
        fake_masa.answer = lambda request: text(503, "away")
        assert ask(site, good)[0].status == 200
        assert ask(site, bad)[0].status in (502, 503)
        assert registrar.lines("stored-voucher-not-used.*signed by a device")


def test_what_the_masa_refuses_is_a_failure_of_that_device(owned):
    mine, foreign = owned.device(owner="site"), owned.device()
    said = fetch(owned, mine, foreign, check=None)
    assert said.returncode != 0 and foreign.serial in said.stdout
    assert "1 of 2 done, 1 failed" in said.stderr
    assert list(stored(owned)) == [mine.serial]


def test_fetching_again_asks_for_what_is_missing_only(owned):
    devices = [owned.device(owner="site") for _ in range(12)]
    fetch(owned, *devices[:5])
    first = {serial: v["id"] for serial, v in stored(owned).items()}
    asked = len(owned.masa.lines("method=POST path=/.well-known/brski/requestvoucher"))
    assert "12 of 12 done" in fetch(owned, *devices).stderr
    assert len(stored(owned)) == 12
    assert {s: v["id"] for s, v in stored(owned).items() if s in first} == first
    now = len(owned.masa.lines("method=POST path=/.well-known/brski/requestvoucher"))
    assert now - asked == 7
    owned.registrar.ctl("vouchers", "drop", devices[0].serial)
    assert devices[0].serial not in stored(owned)
    owned.registrar.ctl("vouchers", "drop", devices[0].serial, check=3)


def test_masa_that_cannot_be_reached_ends_the_fetching(owned):
    owned.masa.kill()
    said = fetch(owned, *(owned.device(known=False) for _ in range(3)), check=None)
    assert said.returncode != 0 and "cannot be reached" in said.stderr


@pytest.mark.slow
@req("R8995-REG-051")
def test_stored_voucher_that_ends_soon_is_renewed(cell, acme, domain):
    masa = harness.Masa(cell / "masa", acme, changes={"policy": {
        "ownership": "known-owner", "nonceless": "owners", "nonceless_lifetime": "1m"}})
    registrar = harness.Registrar(cell / "registrar", domain, [acme], changes={
        "masa": {"stored_vouchers": "when-unreachable"}})
    with harness.running(masa, registrar):
        masa.ctl("owners", "add", "site", domain.file("root.crt"))
        site = places.Site(cell, acme, domain, masa, registrar)
        device = site.device(owner="site")
        fetch(site, device)
        before = stored(site)[device.serial]["until"]
        harness.wait_until(lambda: stored(site)[device.serial]["until"] > before,
                           "the voucher is renewed", 70)
        assert not stored(site)[device.serial]["expired"]


# -- many that wait

@pytest.mark.slow
@pytest.mark.alone
def test_five_hundred_devices_wait_for_a_masa_that_hangs_and_cost_nothing(upstream):
    """No thread, connection or memory for each of them; all of them join when it is back."""
    count = 500
    rows = upstream.directory / "rows.csv"
    serials = [f"WAIT-{n:04d}" for n in range(count)]
    rows.write_text("serial\n" + "\n".join(serials) + "\n")
    devices = upstream.directory / "devices"
    harness.run(harness.program("brski-certs"), "idevid", "--ca", upstream.manufacturer.directory,
                "--out", devices, "--masa-url", upstream.masa_url, "--csv", rows, check=0)
    upstream.masa.import_devices([{"serial": s} for s in serials])
    waiting = [forge.load(devices / f"{s}.key", devices / f"{s}.crt") for s in serials]
    assert joins(upstream, upstream.device())
    upstream.masa.signal(signal.SIGSTOP)
    while gate(upstream)["state"] == "closed":
        ask(upstream, upstream.device(known=False))

    def turn(identities):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            return [r for r, _ in pool.map(lambda i: ask(upstream, i), identities)]

    turn(waiting)
    before = cost(upstream.registrar)
    began = time.monotonic()
    replies = [r for _ in range(3) for r in turn(waiting)]
    pauses = (time.monotonic() - began) / 2  # of 2 s and more each
    after = cost(upstream.registrar)
    print("kB, threads, descriptors before and after:", before, after)
    assert {r.status for r in replies} <= {503, 504}
    assert sum(r.status == 504 for r in replies) <= 1 + pauses, "only probes wait, one after a pause"
    spread = {int(r.header("retry-after")) for r in replies if r.status == 503}
    assert len(spread) > 5, spread
    assert after[0] < before[0] + 2048
    assert after[1] == before[1] and after[2] <= before[2] + 8
    upstream.masa.signal(signal.SIGCONT)
    left = waiting
    deadline = time.monotonic() + 300  # for 500 joins on a busy machine
    while left and time.monotonic() < deadline:
        left = [i for i, r in zip(left, turn(left)) if r.status != 200]
    assert not left


def cost(process):
    """kB of memory, threads, open descriptors."""
    pid = process.popen.pid
    with open(f"/proc/{pid}/status") as f:
        said = dict(line.split(":", 1) for line in f)
    return (int(said["VmRSS"].split()[0]), int(said["Threads"]), len(os.listdir(f"/proc/{pid}/fd")))


# -- the line to the MASA is cut

class Line:
    """A relay to the MASA that can be cut while something is under way."""

    def __init__(self, to):
        self.to, self.ends = to, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.to))
                self.ends += [client, server]
                for a, b in ((client, server), (server, client)):
                    threading.Thread(target=self.carry, args=(a, b), daemon=True).start()

    @staticmethod
    def carry(a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                b.sendall(data)

    def cut(self):
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.ends.clear()


def test_line_that_is_cut_in_the_middle_of_a_request(fake_site, fake_masa):
    line = Line(fake_masa.port)
    device = fake_site.device(masa_url=f"localhost:{line.port}")
    fake_masa.delay = 5
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        reply = pool.submit(ask, fake_site, device)
        harness.wait_until(lambda: fake_masa.requests, "the request is on its way")
        line.cut()
        assert reply.result()[0].status == 502
    fake_masa.delay = 0
    assert joins(fake_site, device)
