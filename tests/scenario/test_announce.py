# SPDX-License-Identifier: Apache-2.0
"""A registrar that tells a link where it is: by multicast DNS and by GRASP, read by programs that share
nothing with it, on a link of its own."""
import contextlib
import ipaddress
import signal
import socket
import struct
import time

import pytest

import harness
import netns
from brski_peer import mdns


req = pytest.mark.req

WHY_NOT = netns.missing()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))

AAAA = 28
FLUSH = 0x8000


@pytest.fixture(scope="module")
def links():
    with netns.Links() as made:
        netns.ip("addr", "add", "192.0.2.1/24", "dev", made.site_interface)
        netns.ip("-n", made.gateway, "addr", "add", "192.0.2.2/24", "dev", "up0")
        yield made


@pytest.fixture
def announcing(place, cell, acme, domain, links):
    """A function that starts a registrar; every one ends with the test."""
    with contextlib.ExitStack() as stack:
        def start(listen="[::]", coaps=False, **announce):
            port, coaps_port = harness.free_port(), harness.free_port()
            changes = {"server": {"listen": f"{listen}:{port}"},
                       "announce": {"interfaces": links.site_interface, **announce}}
            if coaps:
                changes["coaps"] = {"listen": f"{listen}:{coaps_port}"}
            directory = cell / f"registrar-{port}"
            registrar = harness.Registrar(directory, domain, [acme], port=port, changes=changes)
            registrar.coaps_port = coaps_port
            stack.enter_context(harness.running(registrar))
            return registrar
        yield start


class Neighbour:
    """Listens on the other end of the link, on port 5353, and can ask."""

    def __init__(self, links):
        self.socket = netns.socket_in(links.gateway)
        index = netns.index_in(links.gateway, "up0")
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                               socket.inet_pton(socket.AF_INET6, "ff02::fb") + struct.pack("@I", index))
        self.socket.bind(("::", 5353))
        self.to = ("ff02::fb", 5353, 0, index)
        self.said = []  # (name, kind, data) with the ttl in front
        self.own = []   # records that are ours

    def hear(self, until, timeout=8):
        """Everything that is said until `until(records)` is so; the records."""
        deadline = time.monotonic() + timeout
        while not until(self.said):
            left = deadline - time.monotonic()
            assert left > 0, f"not heard; only {self.said}"
            self.socket.settimeout(left)
            with contextlib.suppress(TimeoutError):
                octets = self.socket.recv(9000)
                self.said += [r for r in records(octets) if r not in self.said]
                self.defend(octets)
        return self.said

    def defend(self, octets):
        asked = {name for name, _kind in mdns.decode(octets).questions} if self.own else ()
        mine = [r for r in self.own if r[0] in asked]
        if mine:
            self.socket.sendto(mdns.encode(mdns.Message(0, mdns.RESPONSE, [], mine)), self.to)

    def ask(self, name, kind):
        self.said.clear()
        self.socket.sendto(mdns.encode(mdns.Message(0, 0, [(name, kind)])), self.to)


def records(octets):
    """[(ttl, name, kind, data)] of an answer."""
    said, at = [], 12
    _, flags, asked, *counts = struct.unpack_from("!HHHHHH", octets)
    if not flags & 0x8000:
        return said
    for _ in range(asked):
        at = mdns.name_at(octets, at)[1] + 4
    for _ in range(sum(counts)):
        name, at = mdns.name_at(octets, at)
        kind, _class, ttl, size = struct.unpack_from("!HHIH", octets, at)
        at += 10
        data = octets[at:at + size]
        if kind == mdns.PTR:
            data = mdns.name_at(octets, at)[0]
        elif kind == mdns.SRV:
            data = mdns.Place(*(lambda p, w, port: (port, mdns.name_at(octets, at + 6)[0], p, w))(
                *struct.unpack_from("!HHH", octets, at)))
        elif kind == AAAA:
            data = str(ipaddress.ip_address(data))
        elif kind == mdns.A:
            data = str(ipaddress.ip_address(data))
        said.append((ttl, name, kind, data))
        at += size
    return said


def places(said, port):
    return [(name, data) for ttl, name, kind, data in said if kind == mdns.SRV and data.port == port and ttl]


@req("DISC-REG-001", "DISC-REG-002", "DISC-REG-003", "R8995-REG-003")
def test_link_is_told_of_each_socket_with_its_place(announcing, links):
    neighbour = Neighbour(links)
    registrar = announcing(coaps=True, priority=7, weight=30, grasp="no")
    said = neighbour.hear(lambda all: places(all, registrar.port) and places(all, registrar.coaps_port)
                          and any(kind == AAAA for _, _, kind, _ in all) and any(k == mdns.A for _, _, k, _ in all)
                          and sum(kind == mdns.TXT for _, _, kind, _ in all) >= 2)
    (name, place), = places(said, registrar.port)
    assert name[1:] == ("_brski-registrar", "_tcp", "local")
    assert (place.priority, place.weight) == (7, 30)
    assert {data for _, n, kind, data in said if n == place.host and kind in (AAAA, mdns.A)} == {"fe80::a", "192.0.2.1"}
    assert [mdns.keys_of(data) for _, n, kind, data in said if n == name and kind == mdns.TXT] == [("est-tls",)]
    (other, _), = places(said, registrar.coaps_port)
    assert other[1:] == ("_brski-registrar", "_udp", "local")
    assert [mdns.keys_of(data) for _, n, kind, data in said if n == other and kind == mdns.TXT] == [("rrm-cose",)]


def gone(said, name):
    return any(ttl == 0 and kind in (mdns.SRV, mdns.PTR) and name in (n, data) for ttl, n, kind, data in said)


def one_place(neighbour, registrar):
    return places(neighbour.hear(lambda said: places(said, registrar.port)), registrar.port)[0]


@req("DISC-REG-003")
def test_link_is_told_when_the_registrar_stops(announcing, links):
    neighbour = Neighbour(links)
    registrar = announcing(grasp="no")
    name, _ = one_place(neighbour, registrar)
    registrar.stop()
    neighbour.hear(lambda said: gone(said, name))


@req("DISC-REG-003")
def test_name_that_another_registrar_has_is_not_taken(announcing, links):
    neighbour = Neighbour(links)
    assert one_place(neighbour, announcing(grasp="no", name="The One"))[0][0] == "The One"
    second = announcing(grasp="no", name="The One")
    assert one_place(neighbour, second)[0][0] == "The One #2"
    assert "event=announce-renamed" in second.log()


@req("DISC-REG-003")
def test_host_name_that_somebody_defends_is_not_taken(announcing, links):
    neighbour = Neighbour(links)
    neighbour.own = [(("only", "local"), mdns.A, socket.inet_aton("192.0.2.9"))]
    registrar = announcing(grasp="no", host="only")
    said = neighbour.hear(lambda all: any(place.host != ("only", "local") for _, place in places(all, registrar.port)))
    assert ("only-2", "local") in {place.host for _, place in places(said, registrar.port)}


@req("DISC-REG-003")
def test_addresses_are_followed_as_they_come_and_go(announcing, links):
    neighbour = Neighbour(links)
    registrar = announcing(grasp="no")
    _, place = one_place(neighbour, registrar)

    def told(ttl_is_0):
        return lambda said: [r for r in said if r[1] == place.host and r[3] == "192.0.2.77" and (r[0] == 0) == ttl_is_0]
    netns.ip("addr", "add", "192.0.2.77/24", "dev", links.site_interface)
    try:
        neighbour.hear(told(False))
    finally:
        netns.ip("addr", "del", "192.0.2.77/24", "dev", links.site_interface)
    neighbour.hear(told(True))


@req("DISC-REG-003")
def test_reload_changes_what_is_announced(announcing, links):
    neighbour = Neighbour(links)
    registrar = announcing(grasp="no", name="Before")
    name, _ = one_place(neighbour, registrar)
    registrar.config.write_text(registrar.config.read_text().replace("name = Before", "name = After\npriority = 9"))
    registrar.signal(signal.SIGHUP)
    said = neighbour.hear(lambda all: gone(all, name) and any(n[0] == "After" for n, _ in places(all, registrar.port)))
    assert {place.priority for n, place in places(said, registrar.port) if n[0] == "After"} == {9}


def test_status_and_doctor_tell_what_is_announced_where(announcing, links):
    registrar = announcing(grasp="no", interfaces=f"{links.site_interface} nowhere0")
    harness.wait_until(lambda: "still asking" not in registrar.ctl("status").stdout, "it is announced")
    assert f"_brski-registrar._tcp on {links.site_interface} at " in registrar.ctl("status").stdout
    found = registrar.ctl("doctor", check=None).stdout
    assert "announced on nowhere0" in found and "there is no such interface" in found
    assert f"announced on {links.site_interface}" in found
