# SPDX-License-Identifier: Apache-2.0
"""Devices join through a neighbour that has joined before: `brski-pledge proxy` with real programs
on both sides, honest neighbours and others."""
import contextlib
import os
import pathlib
import selectors
import shutil
import signal
import socket
import tempfile
import threading
import time

import pytest

import harness
import proxies

req = pytest.mark.req

FLOODER = "127.0.0.2"  # another neighbour: on Linux all of 127.0.0.0/8 is this machine


@pytest.fixture(scope="module")
def gateway(site):
    return proxies.gateway(site)


@pytest.fixture
def https_proxy(cell, site, gateway):
    with harness.running(proxies.Proxy(cell, gateway, {"coap": "off"})) as (proxy,):
        yield proxy


def joins_through(site, port, **more):
    pledge = site.pledge(site.device(), urls=[f"https://127.0.0.1:{port}"], **more)
    done = pledge.join()
    assert done.returncode == 0, done.stdout + done.stderr
    return pledge


def connect(port, source="127.0.0.1", timeout=10):
    return socket.create_connection(("127.0.0.1", port), timeout, (source, 0))


def is_reset(s, timeout=10):
    """Is the connection reset, without an orderly end?"""
    s.settimeout(timeout)
    try:
        s.sendall(b"x")
        return s.recv(1) is None
    except (ConnectionResetError, BrokenPipeError):
        return True
    except socket.timeout:
        return False


def is_refused(port, source="127.0.0.1"):
    """Does the proxy take the connection only to reset it at once?"""
    try:
        with connect(port, source) as s:
            return is_reset(s)
    except ConnectionResetError:
        return True


class Sink:
    """In the place of a registrar: takes connections, counts what comes from each and answers
    nothing, or what `answer` says."""

    def __init__(self, answer=None, read=True, stays_open=False):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        self.counts, self.ended, self.sockets = {}, [], []
        self.answer, self.read, self.stays_open = answer, read, stays_open
        self.lock = threading.Lock()
        self.running = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        with selectors.DefaultSelector() as ready:
            ready.register(self.listener, selectors.EVENT_READ)
            while self.running:
                for key, _ in ready.select(0.05):
                    if key.fileobj is self.listener:
                        s, _ = self.listener.accept()
                        self.sockets.append(s)
                        if self.read:
                            ready.register(s, selectors.EVENT_READ, {"first": b""})
                    else:
                        self._take(ready, key)

    def _take(self, ready, key):
        try:
            data = key.fileobj.recv(65536)
        except OSError as fault:
            self.ended.append(type(fault).__name__)
            ready.unregister(key.fileobj)
            return
        if not data:
            self.ended.append("end")
            ready.unregister(key.fileobj)
            if not self.stays_open:
                key.fileobj.close()
            return
        key.data["first"] = key.data["first"] or data[:1]
        with self.lock:
            name = key.data["first"]
            self.counts[name] = self.counts.get(name, 0) + len(data)
        if self.answer:
            key.fileobj.sendall(self.answer(data))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.running = False
        self.thread.join()
        for s in [self.listener, *self.sockets]:
            s.close()


@contextlib.contextmanager
def proxy_to(cell, gateway, upstream_port, name="proxy", **options):
    proxy = proxies.Proxy(cell, gateway, {"coap": "off", "registrars": f"https://127.0.0.1:{upstream_port}",
                                          **options}, name=name)
    with harness.running(proxy):
        yield proxy


# -- HTTPS: circuits

@req("R8995-JP-001", "R8995-JP-006", "R8995-JP-009")
def test_device_joins_through_the_circuit_proxy(site, https_proxy):
    pledge = joins_through(site, https_proxy.port("circuit"))
    assert pledge.command("status").returncode == 0
    closed = https_proxy.wait_log("event=circuit-closed")
    assert "reason=done" in closed or "reason=reset" in closed
    assert "voucher" not in https_proxy.log() and "BEGIN" not in https_proxy.log()


@req("R8995-JP-010")
def test_devices_join_at_once_through_one_proxy(site, https_proxy):
    pledges = [site.pledge(site.device(), urls=[f"https://127.0.0.1:{https_proxy.port('circuit')}"])
               for _ in range(4)]
    for p in pledges:
        p.start()
    assert [p.wait(30) for p in pledges] == [0] * len(pledges)


@req("R8995-JP-001")
def test_any_octets_pass_unchanged_both_ways(cell, gateway):
    told = os.urandom(300_000)
    with Sink(answer=lambda data: data[::-1]) as sink, proxy_to(cell, gateway, sink.port) as proxy, \
            connect(proxy.port("circuit")) as s:
        got = bytearray()

        def read():
            while len(got) < len(told):
                got.extend(s.recv(65536))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        s.sendall(told)
        reader.join(20)
        assert len(got) == len(told) and sorted(got) == sorted(told)
        assert sum(sink.counts.values()) == len(told)


@req("R8995-JP-008")
def test_half_close_passes_and_the_other_half_still_works(cell, gateway):
    with Sink(stays_open=True) as sink, proxy_to(cell, gateway, sink.port) as proxy, \
            connect(proxy.port("circuit")) as s:
        s.sendall(b"a")
        s.shutdown(socket.SHUT_WR)
        harness.wait_until(lambda: sink.ended == ["end"], "the registrar sees the end")
        sink.sockets[0].sendall(b"still here")
        assert s.recv(100) == b"still here"
        sink.sockets[0].close()
        assert s.recv(100) == b""
        proxy.wait_log("event=circuit-closed .*reason=done")


@req("R8995-JP-008")
def test_reset_passes_both_ways(cell, gateway):
    with Sink() as sink, proxy_to(cell, gateway, sink.port) as proxy:
        s = connect(proxy.port("circuit"))
        s.sendall(b"a")
        harness.wait_until(lambda: sink.counts, "octets at the registrar")
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
        harness.wait_until(lambda: sink.ended == ["ConnectionResetError"], "the registrar sees a reset")
        with connect(proxy.port("circuit")) as s:
            s.sendall(b"b")
            harness.wait_until(lambda: b"b" in sink.counts, "octets at the registrar")
            sink.sockets[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sink.running = False
            sink.thread.join()
            sink.sockets[1].close()
            time.sleep(0.1)
            assert is_reset(s)


@req("R8995-JP-008")
def test_silence_and_long_life_end_a_circuit(cell, gateway):
    with Sink(answer=lambda data: data) as sink, \
            proxy_to(cell, gateway, sink.port, idle="1s", lifetime="2s") as proxy:
        with connect(proxy.port("circuit")) as quiet:
            quiet.sendall(b"q")
            quiet.recv(1)
            proxy.wait_log("event=circuit-closed .*reason=idle")
            assert is_reset(quiet)
        with connect(proxy.port("circuit")) as busy, contextlib.suppress(ConnectionError):
            for _ in range(80):
                busy.sendall(b"b")
                busy.recv(1)
                time.sleep(0.05)
        proxy.wait_log('event=circuit-closed .*reason="too long"')


@req("R8995-JP-008")
def test_connections_of_one_neighbour_are_bounded_and_others_are_served(cell, gateway):
    with Sink(answer=lambda data: data) as sink, contextlib.ExitStack() as held, \
            proxy_to(cell, gateway, sink.port, connections=6, connections_per_neighbour=4) as proxy:
        mine = [held.enter_context(connect(proxy.port("circuit"), FLOODER)) for _ in range(4)]
        for s in mine:
            s.sendall(b"m")
            assert s.recv(1) == b"m"
        assert is_refused(proxy.port("circuit"), FLOODER)
        proxy.wait_log('event=circuit-refused .*reason="too many of this neighbour"')
        for other in ("127.0.0.3", "127.0.0.4", "127.0.0.5"):  # the last finds all six taken
            s = held.enter_context(connect(proxy.port("circuit"), other))
            s.sendall(b"o")
            assert s.recv(1) == b"o"
        proxy.wait_log('event=circuit-closed peer=127.0.0.2:.*reason="made room"')
        assert sum(1 for s in mine if is_reset(s, 0.3)) == 1


@req("R8995-JP-010", "J-19")
def test_neighbour_with_many_connections_gets_no_more_than_one_with_one(cell, gateway):
    """Eight connections that send as fast as they can against one: the octets are shared by
    neighbour, within a tenth or so."""
    stop = threading.Event()

    def pump(source, first):
        with connect(proxy.port("circuit"), source) as s, contextlib.suppress(OSError):
            block = first * 65536
            while not stop.is_set():
                s.sendall(block)

    with Sink() as sink, proxy_to(cell, gateway, sink.port, octets=2_000_000) as proxy:
        threads = [threading.Thread(target=pump, args=a, daemon=True)
                   for a in [(FLOODER, b"f")] * 8 + [("127.0.0.1", b"h")]]
        for t in threads:
            t.start()
        harness.wait_until(lambda: len(sink.counts) == 2, "octets of both")
        before, began = dict(sink.counts), time.monotonic()
        time.sleep(1.5)
        share = {k: sink.counts[k] - before[k] for k in before}
        took = time.monotonic() - began
        stop.set()
    assert sum(share.values()) < took * 2_000_000 * 1.5
    assert share[b"f"] < 1.5 * share[b"h"], share


@req("R8995-JP-008", "R8995-JP-010", "J-19")
def test_device_joins_while_a_neighbour_floods(site, https_proxy):
    port = https_proxy.port("circuit")
    stop = threading.Event()

    def flood():
        while not stop.is_set():
            with contextlib.suppress(OSError), connect(port, FLOODER, 1) as s:
                for _ in range(20):
                    s.sendall(os.urandom(4096))

    threads = [threading.Thread(target=flood, daemon=True) for _ in range(6)]
    for t in threads:
        t.start()
    try:
        https_proxy.wait_log("event=circuit-refused")
        begun = time.monotonic()
        joins_through(site, port)
        assert time.monotonic() - begun < 10
    finally:
        stop.set()
        for t in threads:
            t.join()


@req("R8995-JP-010")
def test_reader_that_takes_nothing_holds_up_nobody_else(cell, site, gateway):
    with Sink(read=False) as sink, proxy_to(cell, gateway, sink.port) as proxy, \
            connect(proxy.port("circuit"), FLOODER) as stuck:
        stuck.settimeout(1)
        with contextlib.suppress(socket.timeout):
            while True:
                stuck.send(bytes(65536))
        before = time.monotonic()
        with connect(proxy.port("circuit")) as s:
            s.sendall(b"x")
            harness.wait_until(lambda: len(sink.sockets) == 2, "the second connection")
            sink.sockets[1].settimeout(10)
            assert sink.sockets[1].recv(10) == b"x"
        assert time.monotonic() - before < 5


@req("DISC-JP-003")
def test_registrar_that_is_away_is_passed_over_and_rests(cell, site, gateway):
    dead = harness.free_port()
    urls = " ".join(f"https://127.0.0.1:{p}" for p in (dead, site.registrar.port))
    proxy = proxies.Proxy(cell, gateway, {"coap": "off", "registrars": urls})
    with harness.running(proxy):
        for _ in range(6):
            with connect(proxy.port("circuit")) as s:
                s.sendall(b"\x16\x03\x01")
                s.shutdown(socket.SHUT_WR)
                s.recv(1000)
        joins_through(site, proxy.port("circuit"))
        assert len(proxy.lines("event=registrar-away")) <= 1  # once it failed it rests for a minute


@req("DISC-JP-003")
def test_registrar_by_its_name_is_reached_at_the_address_that_works(cell, site, gateway):
    """localhost is ::1 as well, where nobody listens."""
    proxy = proxies.Proxy(cell, gateway, {"coap": "off", "registrars":
                                          f"https://localhost:{site.registrar.port}"})
    with harness.running(proxy):
        joins_through(site, proxy.port("circuit"))


@req("DISC-JP-005")
def test_equal_registrars_are_chosen_at_random(cell, gateway):
    with Sink() as one, Sink() as other:
        urls = " ".join(f"https://127.0.0.1:{s.port}" for s in (one, other))
        proxy = proxies.Proxy(cell, gateway, {"coap": "off", "registrars": urls})
        with harness.running(proxy):
            for _ in range(8):  # each start by itself decides anew
                with connect(proxy.port("circuit")) as s:
                    s.sendall(b"x")
                    harness.wait_until(lambda n=len(one.sockets) + len(other.sockets):
                                       n or True, "taken")
                time.sleep(0.15)  # eight a second of one neighbour
            harness.wait_until(lambda: len(one.sockets) + len(other.sockets) >= 8, "all arrived")
        first = {len(s.sockets) for s in (one, other)}
        # both were chosen: 1 in 128 says otherwise, so that one more try follows
        if 0 in first:
            with harness.running(proxy):
                for _ in range(8):
                    connect(proxy.port("circuit")).close()
                    time.sleep(0.15)
                harness.wait_until(lambda: len(one.sockets) + len(other.sockets) >= 16, "all arrived")
        assert one.sockets and other.sockets


def test_no_registrar_at_all_is_a_reset(cell, gateway):
    with proxy_to(cell, gateway, harness.free_port()) as proxy:
        assert is_refused(proxy.port("circuit"))
        proxy.wait_log('event=circuit-closed .*reason="no registrar"')


# -- who may, and its life

@req("R8995-JP-007", "J-01")
def test_device_that_has_not_joined_is_no_proxy(cell, site):
    pledge = site.pledge(site.device())
    proxy = proxies.Proxy(cell, pledge, {})
    done = harness.run(*proxy.argv)
    assert done.returncode == 7
    assert "not enrolled" in done.stderr and "what to do: run 'brski-pledge join'" in done.stderr


@req("J-01")
@pytest.mark.parametrize("options, said", [
    ({"listen": None}, "[proxy] listen is not set"),
    ({"listen": "::"}, ":: is every address of this machine"),
    ({"listen": "0.0.0.0"}, "0.0.0.0 is every address of this machine"),
    ({"listen": "fe80::1"}, "fe80::1 is link-local: say on which interface"),
    ({"listen": "a:b"}, "a:b is neither an interface nor an address"),
    ({"registrars": "http://127.0.0.1:1"}, "[proxy] registrars: 'http://127.0.0.1:1'"),
    ({"registrars": "jpy://127.0.0.1"}, "jpy needs a port"),
    ({"circuit": "no", "coap": "off"}, "neither HTTPS nor CoAPS is to be relayed"),
    ({"coap": "stateless", "registrars": "coaps://127.0.0.1:1"}, "stateless CoAPS jpy://"),
])
def test_wrong_configuration_is_told(cell, gateway, options, said):
    proxy = proxies.Proxy(cell, gateway, options)
    done = harness.run(*proxy.argv)
    assert done.returncode == 2
    assert said in done.stderr and "what to do: mend section [proxy]" in done.stderr


def test_uplink_that_is_not_there_is_told(cell, gateway):
    options = {"registrars": None, "uplinks": "brski-none0"}
    with harness.running(proxies.Proxy(cell, gateway, options)) as (proxy,):
        proxy.wait_log("event=uplink-missing interface=brski-none0")


@pytest.mark.slow
def test_search_in_vain_is_told_once(cell, gateway):
    options = {"registrars": None, "uplinks": "lo", "coap": "stateful"}
    with harness.running(proxies.Proxy(cell, gateway, options)) as (proxy,):
        proxy.wait_log("event=no-registrar-found")
        time.sleep(12)  # it has looked again by now
        assert len(proxy.lines("no-registrar-found")) == 1


def test_interface_that_is_not_there_yet_is_no_fault_of_the_configuration(cell, gateway):
    done = harness.run(*proxies.Proxy(cell, gateway, {"listen": "brski-none0"}).argv)
    assert done.returncode == 1
    assert "there is no interface brski-none0" in done.stderr


@req("R8995-JP-007")
def test_other_commands_work_while_the_proxy_runs(site, https_proxy, gateway):
    assert gateway.command("status").returncode == 0
    assert gateway.command("renew", "--force", "--once").returncode == 0


def test_proxy_reads_no_key_of_the_device(cell, site, gateway):
    """All it opens below the state directory is what is no secret."""
    tracer = harness.run("sh", "-c", "command -v strace || true").stdout.strip()
    if not tracer:
        pytest.skip("no strace here")
    proxy = proxies.Proxy(cell, gateway, {"coap": "off"}, env={"ASAN_OPTIONS": "detect_leaks=0"})
    proxy.argv = [tracer, "-D", "-f", "-e", "trace=openat,open", "-o", str(cell / "trace"), *proxy.argv]
    with harness.running(proxy):
        joins_through(site, proxy.port("circuit"))
    opened = (cell / "trace").read_text()
    assert "current/info" in opened
    assert ".key" not in opened and "idevid" not in opened


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_proxy_runs_as_a_user_who_cannot_read_the_keys(site, gateway):
    """As its service does. In a directory that this user may enter."""
    with tempfile.TemporaryDirectory() as where:
        place = pathlib.Path(where)
        place.chmod(0o755)
        shutil.copytree(gateway.state, place / "state", symlinks=True)
        shutil.copy(harness.program("brski-pledge"), place)
        proxy = proxies.Proxy(place, gateway, {"coap": "off"})
        proxy.config.write_text(proxy.config.read_text().replace(str(gateway.state), str(place / "state")))
        proxy.config.chmod(0o644)
        (place / "proxy.log").touch()
        proxy.argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                      str(place / "brski-pledge"), *proxy.argv[1:]]
        assert harness.run(*proxy.argv[:4], "cat", place / "state/current/ldevid.key").returncode != 0
        with harness.running(proxy):
            joins_through(site, proxy.port("circuit"))


def test_sigterm_lets_a_join_come_to_its_end(cell, gateway):
    with Sink(answer=lambda data: data) as sink:
        proxy = proxies.Proxy(cell, gateway, {"coap": "off", "registrars": f"https://127.0.0.1:{sink.port}"})
        with harness.running(proxy), connect(proxy.port("circuit")) as s:
            port = proxy.port("circuit")
            s.sendall(b"a")
            assert s.recv(1) == b"a"
            proxy.signal(signal.SIGTERM)
            harness.wait_until(lambda: not harness.listening(port), "no new connections")
            s.sendall(b"b")
            assert s.recv(1) == b"b"
            s.close()
            assert proxy.wait() == 0


def test_restart_of_the_proxy_in_the_middle_of_a_join(cell, site, gateway):
    """The connection is lost; the device tries again and joins."""
    port = harness.free_port()
    proxy = proxies.Proxy(cell, gateway, {"coap": "off", "https_port": port})
    device = site.device()
    pledge = site.pledge(device, urls=[f"https://127.0.0.1:{port}"],
                         changes={"retry": {"attempts": 20}})
    with harness.running(proxy):
        pledge.start()
        pledge.wait_log("voucher: requested")
        proxy.kill()
        time.sleep(0.3)
        proxy.start()
        assert pledge.wait(40) == 0, pledge.log()
