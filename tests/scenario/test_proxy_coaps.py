# SPDX-License-Identifier: Apache-2.0
"""Constrained devices join through a neighbour: the stateful and the stateless relay of
`brski-pledge proxy`, with the real pledge, registrar and MASA, and with datagrams made by hand."""
import contextlib
import os
import re
import socket
import threading
import time

import cbor2
import pytest

import harness
import proxies

req = pytest.mark.req

FLOODER = "127.0.0.2"
OTHER = "127.0.0.3"


@pytest.fixture(scope="module")
def site(coaps_site):
    return coaps_site


@pytest.fixture(scope="module")
def gateway(site):
    return proxies.gateway(site)


def registrars(site, mode):
    port = {"stateless": site.registrar.jpy_port, "stateful": site.registrar.coaps_port}[mode]
    return f"{'jpy' if mode == 'stateless' else 'coaps'}://127.0.0.1:{port}"


@pytest.fixture(params=["stateful", "stateless"])
def mode(request):
    return request.param


@pytest.fixture
def proxy(cell, site, gateway, mode):
    """All devices here have one address and each needs two mappings: one with its LDevID."""
    options = {"registrars": registrars(site, mode), "mappings_per_neighbour": 8}
    with harness.running(proxies.Proxy(cell, gateway, options)) as (p,):
        yield p


def pledge_for(site, port, changes=None):
    """The manufacturer built the key of its voucher signer into it: no voucher brings that along."""
    built_in = {"device": {"masa_anchors": site.manufacturer.directory / "masa" / "masa-signer.crt"}}
    return site.pledge(site.device(), urls=[f"coaps://127.0.0.1:{port}"],
                       changes=harness.merged(built_in, changes))


def joins_through(site, port, **more):
    pledge = pledge_for(site, port, **more)
    done = pledge.join()
    assert done.returncode == 0, done.stdout + done.stderr
    return pledge


class Udp:
    """A socket for datagrams made by hand."""

    def __init__(self, source="127.0.0.1", timeout=harness.PATIENCE):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((source, 0))
        self.socket.settimeout(timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    @property
    def port(self):
        return self.socket.getsockname()[1]

    def send(self, port, octets):
        self.socket.sendto(octets, ("127.0.0.1", port))

    def take(self, timeout=None):
        """A datagram and the port it came from; (None, None): there was none."""
        if timeout is not None:
            self.socket.settimeout(timeout)
        try:
            octets, address = self.socket.recvfrom(70000)
            return octets, address[1]
        except socket.timeout:
            return None, None

    def ask(self, port, octets):
        self.send(port, octets)
        return self.take()[0]


@contextlib.contextmanager
def proxy_to(cell, gateway, scheme, port, name="proxy", **options):
    options = {"registrars": f"{scheme}://127.0.0.1:{port}", **options}
    with harness.running(proxies.Proxy(cell, gateway, options, name)) as (proxy,):
        yield proxy, proxy.port("stateless" if scheme == "jpy" else "stateful")


# -- joining

@req("J-01", "J-02", "J-03", "J-17", "R-21")
def test_device_joins_through_the_proxy(site, proxy, mode):
    pledge = joins_through(site, proxy.port(mode))
    assert pledge.command("status").returncode == 0
    assert "voucher" not in proxy.log() and "BEGIN" not in proxy.log()


@req("J-03", "J-10", "J-15")
def test_devices_join_at_once_through_one_proxy(site, proxy, mode):
    pledges = [pledge_for(site, proxy.port(mode)) for _ in range(2)]
    for p in pledges:
        p.start()
    assert [p.wait(60) for p in pledges] == [0, 0], "\n".join(p.log() for p in pledges)


@req("J-19")
def test_device_joins_while_a_neighbour_floods(site, proxy, mode):
    port, stop = proxy.port(mode), threading.Event()

    def flood():
        with Udp(FLOODER) as u:
            while not stop.is_set():
                for _ in range(50):
                    u.send(port, b"\x16\xfe\xfd" + os.urandom(200))
                time.sleep(0.01)

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    try:
        proxy.wait_log("event=datagrams-dropped")
        joins_through(site, port)
    finally:
        stop.set()
        thread.join()


@req("J-08", "J-13")
def test_garbage_at_every_port_hurts_nobody(site, proxy, mode):
    garbage = [b"", b"\0", os.urandom(1), os.urandom(1200), os.urandom(4000), b"\x82\x58\x20" + bytes(32),
               b"\x82\x41a\x41b", cbor2.dumps([os.urandom(28), b"x"]), b"\x16\xfe\xfd" + bytes(300)]
    with Udp(FLOODER) as u:
        for octets in garbage:
            u.send(proxy.port(mode), octets)
            u.send(site.registrar.coaps_port, octets)
            u.send(site.registrar.jpy_port, octets)
    assert proxy.alive() and site.registrar.alive()
    joins_through(site, proxy.port(mode))


def test_restart_of_the_proxy_in_the_middle_of_a_join(cell, site, gateway, mode):
    port = harness.free_port()
    proxy = proxies.Proxy(cell, gateway, {"registrars": registrars(site, mode), "coaps_port": port,
                                           "mappings_per_neighbour": 8})
    pledge = pledge_for(site, port, changes={
        "retry": {"attempts": 20, "timeout": "3s"}, "coaps": {"connect_timeout": "2s", "deadline": "4s"}})
    with harness.running(proxy):
        pledge.start()
        pledge.wait_log("voucher: requested|connect:")
        proxy.kill()
        time.sleep(0.5)
        proxy.start()
        assert pledge.wait(60) == 0, pledge.log()


# -- stateful

@req("J-03")
def test_each_device_has_a_source_port_of_its_own(cell, gateway):
    with Udp() as registrar, Udp() as a, Udp() as b, Udp(FLOODER) as c, \
            proxy_to(cell, gateway, "coaps", registrar.port) as (_, port):
        seen = {}
        for name, device in (("a", a), ("b", b), ("c", c)):
            device.send(port, b"hello " + name.encode())
            octets, seen[name] = registrar.take()
            assert octets == b"hello " + name.encode()
        assert len(set(seen.values())) == 3
        for name, device in (("c", c), ("a", a), ("b", b)):
            registrar.send(seen[name], b"to " + name.encode())
            assert device.take() == (b"to " + name.encode(), port)
        a.send(port, b"again")
        assert registrar.take() == (b"again", seen["a"])


@req("J-04")
def test_mapping_ends_after_silence_and_not_before(cell, gateway):
    with Udp() as registrar, Udp() as device, \
            proxy_to(cell, gateway, "coaps", registrar.port, mapping_expiry="2s") as (proxy, port):
        device.send(port, b"1")
        _, first = registrar.take()
        for _ in range(3):  # either direction keeps it
            time.sleep(0.8)
            registrar.send(first, b"answer")
            assert device.take()[0] == b"answer"
        time.sleep(0.8)
        device.send(port, b"2")
        assert registrar.take() == (b"2", first)
        proxy.wait_log("event=mapping-ended .*reason=silence")
        device.send(port, b"3")
        octets, second = registrar.take()
        assert octets == b"3" and second != first
        registrar.send(first, b"late")
        assert device.take(0.2) == (None, None)


@req("J-04")
def test_mapping_lives_thirty_seconds_unless_told_otherwise():
    done = harness.run(harness.program("brski-pledge"), "--help")
    assert "#mapping_expiry = 30s" in done.stdout
    assert "#mappings_per_neighbour = 2" in done.stdout and "#mappings = 10" in done.stdout


@req("J-05")
def test_mappings_of_a_neighbour_and_of_all_are_bounded(cell, gateway):
    with contextlib.ExitStack() as held, Udp() as registrar, \
            proxy_to(cell, gateway, "coaps", registrar.port, mappings=3) as (proxy, port):
        def reaches(source, patience_s=harness.PATIENCE):
            u = held.enter_context(Udp(source))
            u.send(port, b"hello")
            octets, at = registrar.take(patience_s)
            if octets != b"hello":
                return False
            registrar.send(at, b"more than was said")
            return u.take()[0] == b"more than was said"

        assert reaches(FLOODER) and reaches(FLOODER)
        assert not reaches(FLOODER, 0.3)
        proxy.wait_log('event=datagrams-dropped .*reason="too many mappings of this neighbour"')
        assert reaches(OTHER)
        assert not reaches("127.0.0.4", 0.3)


@req("J-05")
@pytest.mark.parametrize("answered", [False, True])
def test_who_does_not_show_that_it_is_there_makes_room(cell, gateway, answered):
    """However much it says, and though the registrar asks it to say it again."""
    with contextlib.ExitStack() as held, Udp() as registrar, \
            proxy_to(cell, gateway, "coaps", registrar.port, mappings=3) as (proxy, port):
        for source in (FLOODER, FLOODER, OTHER):
            u = held.enter_context(Udp(source))
            for _ in range(3):
                u.send(port, b"nobody")
                octets, at = registrar.take()
                assert octets == b"nobody"
                if answered:
                    registrar.send(at, b"who?")
        time.sleep(2.1)
        with Udp("127.0.0.5") as u:
            u.send(port, b"honest")
            assert registrar.take()[0] == b"honest"
        proxy.wait_log('event=mapping-ended .*reason="made room"')


@req("J-05")
def test_mappings_to_one_registrar_make_room_for_another(cell, gateway):
    with contextlib.ExitStack() as held, Udp() as one, Udp() as other:
        options = {"registrars": f"coaps://127.0.0.1:{one.port} coaps://127.0.0.1:{other.port}",
                   "mappings": 3}
        proxy, = held.enter_context(harness.running(proxies.Proxy(cell, gateway, options)))
        first, second = proxy.ports("stateful")
        for source in (FLOODER, FLOODER, OTHER):
            held.enter_context(Udp(source)).send(first, b"once")
            assert one.take()[0] == b"once"
        time.sleep(2.1)
        held.enter_context(Udp("127.0.0.5")).send(second, b"honest")
        assert other.take()[0] == b"honest"


# -- stateless

@req("J-07", "J-09", "J-12", "J-15", "J-17")
def test_header_is_opaque_short_and_the_same_for_one_device(cell, gateway):
    with Udp() as registrar, Udp() as a, Udp(FLOODER) as b, \
            proxy_to(cell, gateway, "jpy", registrar.port) as (_, port):
        headers, sources = {}, set()
        for round_, length in enumerate((1, 60, 427, 1200)):
            for name, device in (("a", a), ("b", b)):
                content = os.urandom(length)
                device.send(port, content)
                wrapped, source = registrar.take()
                header, inner = cbor2.loads(wrapped)
                assert inner == content and len(header) <= 32
                assert len(wrapped) - length <= 38
                assert headers.setdefault(name, header) == header, round_
                sources.add(source)
                registrar.send(source, cbor2.dumps([header, content[::-1]]))
                assert device.take() == (content[::-1], port)
        assert len(sources) == 1 and headers["a"] != headers["b"]
        device_address = socket.inet_aton("127.0.0.2")
        assert device_address not in headers["b"] and b.port.to_bytes(2, "big") not in headers["b"]


@req("J-13", "J-08")
def test_answer_that_was_not_sealed_here_is_dropped_silently(cell, gateway):
    with Udp() as registrar, Udp() as device, Udp() as stranger, \
            proxy_to(cell, gateway, "jpy", registrar.port) as (proxy, port):
        device.send(port, b"hello")
        wrapped, source = registrar.take()
        header, _ = cbor2.loads(wrapped)
        for bit in (0, 7, 100, len(header) * 8 - 1):
            bad = bytearray(header)
            bad[bit // 8] ^= 1 << bit % 8
            registrar.send(source, cbor2.dumps([bytes(bad), b"x"]))
        for wrong in ([header], [header, "x"], {header: b"x"}, [header[:-1], b"x"], [b"", b"x"], [header, b""]):
            registrar.send(source, cbor2.dumps(wrong))
        registrar.send(source, b"\x16\xfe\xfd" + bytes(30))
        stranger.send(source, cbor2.dumps([header, b"not from the registrar"]))
        assert device.take(0.5) == (None, None)
        assert registrar.take(0.1) == (None, None)
        registrar.send(source, cbor2.dumps([header, b"more", 1, {2: 3}]))
        assert device.take() == (b"more", port)
        proxy.wait_log("event=datagrams-dropped")


@req("J-13")
def test_header_of_an_earlier_start_opens_nothing(cell, gateway):
    with Udp() as registrar, Udp() as device:
        with proxy_to(cell, gateway, "jpy", registrar.port) as (_, port):
            device.send(port, b"hello")
            header = cbor2.loads(registrar.take()[0])[0]
        with proxy_to(cell, gateway, "jpy", registrar.port) as (_, port):
            device.send(port, b"hello")
            wrapped, source = registrar.take()
            assert cbor2.loads(wrapped)[0] != header
            registrar.send(source, cbor2.dumps([header, b"x"]))
            assert device.take(0.3) == (None, None)


@req("J-19", "J-14")
def test_stateless_proxy_keeps_nothing_about_who_floods(cell, gateway):
    room_kb = 600 if harness.BUILD.name == "build" else 50_000  # sanitizers keep what was freed
    with Udp(timeout=0.2) as registrar, proxy_to(cell, gateway, "jpy", registrar.port, datagrams=50) \
            as (proxy, port):
        def memory():
            return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{proxy.popen.pid}/status").read())[1])

        def descriptors():
            return len(os.listdir(f"/proc/{proxy.popen.pid}/fd"))

        with Udp() as u:
            u.send(port, b"x")
            registrar.take()
        before, open_before, began = memory(), descriptors(), time.monotonic()
        for i in range(2000):
            with Udp(f"127.0.{i % 250}.{i // 250 + 2}") as u:
                u.send(port, b"\x16\xfe\xfd" + bytes(100))
        taken = 0
        while registrar.take()[0] is not None:
            taken += 1
        assert taken <= 50 * 2 + 50 * (time.monotonic() - began + 1)  # what was saved up, and its time of it
        assert memory() - before < room_kb and descriptors() == open_before


# -- which way, to whom

@req("J-01", "R8995-JP-005")
@pytest.mark.parametrize("coap, given, relays", [
    ("auto", ("coaps", "jpy"), ["stateless"]),
    ("auto", ("coaps",), ["stateful"]),
    ("auto", ("jpy",), ["stateless"]),
    ("stateful", ("coaps", "jpy"), ["stateful"]),
    ("stateless", ("coaps", "jpy"), ["stateless"]),
    ("stateless", ("coaps", "https"), []),
    ("off", ("coaps", "jpy", "https"), []),
    ("auto", ("https",), []),
])
def test_stateless_wins_and_what_is_configured_counts(cell, gateway, coap, given, relays):
    urls = " ".join(f"{scheme}://127.0.0.1:9" for scheme in given)
    with harness.running(proxies.Proxy(cell, gateway, {"coap": coap, "registrars": urls})) as (proxy,):
        assert [kind for kind in ("stateful", "stateless") if proxy.ports(kind)] == relays


@req("J-18", "J-21")
def test_each_registrar_has_a_join_port_of_its_own(cell, gateway):
    with contextlib.ExitStack() as held:
        those = [held.enter_context(Udp()) for _ in range(6)]
        discovery = harness.free_port()
        urls = " ".join(f"coaps://127.0.0.1:{u.port}" for u in those)
        proxy = proxies.Proxy(cell, gateway, {"registrars": urls, "discovery_port": discovery})
        with harness.running(proxy), Udp() as device:
            ports = proxy.ports("stateful")
            assert len(ports) == len(set(ports)) == 4
            for port, registrar in zip(ports, those):
                device.send(port, b"x")
                assert registrar.take()[0] == b"x"
            answer = device.ask(discovery, LINKS + b"\x4abrski-jp=*")
            assert re.findall(rb"<>;brski-jp=(\d+)", answer) == [str(p).encode() for p in ports]


# -- telling devices the way

LINKS = b"\x50\x01\x00\x01\xbb.well-known\x04core"  # NON GET /.well-known/core, a query to follow


@req("X-01", "X-02", "J-20")
def test_device_asks_for_the_way_and_joins(cell, site, gateway, mode):
    discovery = harness.free_port()
    proxy = proxies.Proxy(cell, gateway, {"registrars": registrars(site, mode), "discovery_port": discovery})
    with harness.running(proxy), Udp() as device:
        answer = device.ask(discovery, LINKS + b"\x4abrski-jp=*")
        port = int(re.search(rb"\xc1\x28\xff<>;brski-jp=(\d+)$", answer)[1])
        assert port == proxy.port(mode)
        assert b"<coaps://127.0.0.1:%d>;rt=brski.jp" % port in device.ask(discovery, LINKS + b"\x4brt=brski.jp")
        joins_through(site, port)


@req("J-20", "X-06", "X-07", "X-08")
def test_address_in_place_of_uplinks_is_asked_for_a_registrar(cell, site, gateway, mode):
    scheme, query = {"stateless": ("jpy", "rt=brski.rjp"), "stateful": ("coaps", "rt=brski")}[mode]
    place = f"{scheme}://127.0.0.1:{site.registrar.jpy_port if scheme == 'jpy' else site.registrar.coaps_port}"
    with Udp() as oracle:
        config = gateway.config.read_text().replace("[registrars]", f"[registrars]\ndiscovery_port = {oracle.port}")
        proxy = proxies.Proxy(cell, gateway, {"registrars": None, "uplinks": "127.0.0.1", "coap": mode})
        proxy.config.write_text(config + proxy.config.read_text()[len(gateway.config.read_text()):])
        with harness.running(proxy):
            asked, who = oracle.take()
            assert asked.endswith(bytes([0x40 | len(query)]) + query.encode())
            links = f"<{place}>;{query}".encode()
            kind, token = (0x50 if asked[0] & 0x10 else 0x60), asked[0] & 15
            oracle.send(who, bytes([kind | token, 0x45]) + asked[2:4 + token] + b"\xc1\x28\xff" + links)
            proxy.wait_log(f"event=listening relay={mode}")
            joins_through(site, proxy.port(mode))


def test_port_of_discovery_that_is_taken_is_told(cell, gateway):
    with Udp() as taken:
        proxy = proxies.Proxy(cell, gateway, {"discovery_port": taken.port})
        done = harness.run(*proxy.argv)
        assert done.returncode == 1 and "Address already in use" in done.stderr


def test_sigterm_waits_for_what_is_on_its_way(cell, gateway):
    with Udp() as registrar, Udp() as device, \
            proxy_to(cell, gateway, "coaps", registrar.port) as (proxy, port):
        device.send(port, b"1")
        _, source = registrar.take()
        proxy.signal(15)
        time.sleep(0.3)
        registrar.send(source, b"2")
        assert device.take() == (b"2", port)
        assert proxy.wait() == 0
