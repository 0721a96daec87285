# SPDX-License-Identifier: Apache-2.0
"""A registrar that tells a link where it is: by multicast DNS and by GRASP, read by programs that share
nothing with it, on a link of its own."""
import concurrent.futures
import contextlib
import signal
import socket
import threading

import cbor2
import pytest

import avahi
import harness
import netns
from brski_peer import grasp, mdns
from neighbours import AAAA, Flooded, Neighbour, gone, one_place, places
from places import Site

req = pytest.mark.req

WHY_NOT = netns.missing()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))


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


@req("DISC-REG-001", "DISC-REG-002", "DISC-REG-003", "R8995-REG-003")
def test_link_is_told_of_each_socket_with_its_place(announcing, links):
    neighbour = Neighbour(links.gateway, "up0")
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


@req("DISC-REG-003")
def test_link_is_told_when_the_registrar_stops(announcing, links):
    neighbour = Neighbour(links.gateway, "up0")
    registrar = announcing(grasp="no")
    name, _ = one_place(neighbour, registrar)
    registrar.stop()
    neighbour.hear(lambda said: gone(said, name))


@req("DISC-REG-003")
def test_link_is_told_before_the_last_request_is_done(announcing, links, acme, domain, cell, fake_masa):
    """A registrar that ends takes no more devices: they are not sent to it while it waits for its MASA."""
    neighbour = Neighbour(links.gateway, "up0")
    registrar, go_on = announcing(grasp="no"), threading.Event()
    site = Site(cell, acme, domain, fake_masa, registrar)
    fake_masa.answer = lambda _request: go_on.wait(20) and NotImplemented
    name, _ = one_place(neighbour, registrar)
    with concurrent.futures.ThreadPoolExecutor(1) as pool, site.peer(site.device()) as peer:
        try:
            reply = pool.submit(peer.request_voucher)
            registrar.wait_log("event=masa-asked")
            registrar.signal(signal.SIGTERM)
            neighbour.hear(lambda said: gone(said, name))
            assert registrar.alive() and not reply.done()
        finally:
            go_on.set()
        assert reply.result().status == 200


@req("DISC-REG-003")
def test_name_that_another_registrar_has_is_not_taken(announcing, links):
    neighbour = Neighbour(links.gateway, "up0")
    assert one_place(neighbour, announcing(grasp="no", name="The One"))[0][0] == "The One"
    second = announcing(grasp="no", name="The One")
    assert one_place(neighbour, second)[0][0] == "The One #2"
    assert "event=announce-renamed" in second.log()


@req("DISC-REG-003")
def test_host_name_that_somebody_defends_is_not_taken(announcing, links):
    neighbour = Neighbour(links.gateway, "up0")
    neighbour.own = [(("only", "local"), mdns.A, socket.inet_aton("192.0.2.9"))]
    registrar = announcing(grasp="no", host="only")
    said = neighbour.hear(lambda all: any(place.host != ("only", "local") for _, place in places(all, registrar.port)))
    assert ("only-2", "local") in {place.host for _, place in places(said, registrar.port)}


@req("DISC-REG-003")
def test_addresses_are_followed_as_they_come_and_go(announcing, links):
    neighbour = Neighbour(links.gateway, "up0")
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
    neighbour = Neighbour(links.gateway, "up0")
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
    warned, = registrar.lines("event=announce-interface-missing")
    assert "interface=nowhere0" in warned and "ip link" in warned


@req("R8995-REG-001", "R8995-REG-002", "DISC-REG-004")
def test_link_is_flooded_with_where_the_registrar_is(announcing, links):
    link = Flooded(links.gateway, "up0")
    registrar = announcing(mdns="no", coaps=True, flood_interval="1s")
    heard = [link.hear() for _ in range(3)]
    floods = [grasp.parse(octets) for _, octets in heard]
    assert {len(flood.objectives) for flood in floods} == {1}, "CoAPS is not told of by GRASP"
    one = floods[0].objectives[0]
    assert (one.name, one.flags, one.loops, one.value) == ("AN_join_registrar", 4, 255, "EST-TLS")
    assert (str(one.address), one.protocol, one.port) == ("fe80::a", grasp.TCP, registrar.port)
    assert {flood.ttl_ms for flood in floods} == {180_000}
    assert len({cbor2.loads(octets)[1] for _, octets in heard}) == 3, "each flood has a session of its own"
    gaps = [after - before for (before, _), (after, _) in zip(heard, heard[1:])]
    assert all(0.9 < gap < 3 for gap in gaps), gaps


def test_interface_that_comes_later_is_told_at_once(announcing, links):
    netns.ip("link", "set", links.site_interface, "down")
    link = Flooded(links.gateway, "up0")
    try:
        registrar = announcing(mdns="no")
    finally:
        netns.ip("link", "set", links.site_interface, "up")
        netns.ip("addr", "add", "fe80::a/64", "dev", links.site_interface, "nodad")
    assert grasp.parse(link.hear()[1]).objectives[0].port == registrar.port


@pytest.mark.slow
@pytest.mark.skipif(avahi.missing() is not None, reason=str(avahi.missing()))
@req("DISC-REG-002", "DISC-REG-003")
def test_avahi_finds_the_registrar_beside_another_avahi_on_its_host(announcing, links, cell):
    """avahi-daemon runs on the registrar's host when it starts; both are found, and each one's end takes nothing
    from the other."""
    with avahi.Avahi(cell / "neighbour", "up0", "neighbour", links.gateway) as neighbour:
        def machine():
            return neighbour.run("avahi-resolve", "-4n", "machine.local")
        with avahi.Avahi(cell / "machine", links.site_interface, "machine"):
            assert "192.0.2.1" in machine()
            registrar = announcing(grasp="no", name="Dock 9")
            found = harness.wait_until(neighbour.registrars, "avahi-browse finds it", 10)
            assert {name for name, *_ in found} == {"Dock\\0329"}
            assert {address for _, _, address, _, _ in found} >= {"192.0.2.1"}
            assert {(port, texts) for *_, port, texts in found} == {(registrar.port, '"est-tls"')}
            assert "machine.local" not in {host for _, host, *_ in found}
            registrar.stop()
            harness.wait_until(lambda: not neighbour.registrars(), "it is gone", 10)
            assert "192.0.2.1" in machine()
            registrar.start()
            harness.wait_until(neighbour.registrars, "it is found again", 10)
        assert neighbour.registrars(), "with the other avahi's end it is still there"
        assert "announce-renamed" not in registrar.log()
