# SPDX-License-Identifier: Apache-2.0
"""The join proxy where it belongs: between two links with nothing but link-local IPv6, found by
multicast on one and finding the registrar by multicast on the other."""
import contextlib
import errno
import re
import socket
import time

import pytest

import harness
import netns
import proxies
from places import Site

req = pytest.mark.req

WHY_NOT = netns.missing()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))

# NON GET /.well-known/core, token 5, a query to follow
ASK = b"\x51\x01\x12\x34\x05\xbb.well-known\x04core"
ASK_JOIN_PORT = ASK + b"\x4abrski-jp=*"


@pytest.fixture(scope="module")
def links():
    with netns.Links() as made:
        yield made


def registrar_changes(links, jpy):
    ports = harness.free_port(), harness.free_port(), harness.free_port()
    return ports, {"server": {"listen": f"[::]:{ports[0]}"},
                   "coaps": {"listen": f"[::]:{ports[1]}", "jpy_listen": f"[::]:{ports[2]}" if jpy else None,
                             "discovery": links.site_interface}}


def make_site(place, acme, domain, links, jpy):
    masa = harness.Masa(place / f"masa-{jpy}", acme)
    ports, changes = registrar_changes(links, jpy)
    registrar = harness.Registrar(place / f"registrar-{jpy}", domain, [acme], port=ports[0], changes=changes)
    registrar.coaps_port = ports[1]
    return Site(place, acme, domain, masa, registrar), masa, registrar


@pytest.fixture(scope="module")
def site(place, acme, domain, links):
    """A registrar with a port for stateless proxies."""
    made, masa, registrar = make_site(place, acme, domain, links, True)
    with harness.running(masa, registrar):
        yield made


@pytest.fixture(scope="module")
def gateway(site):
    return proxies.gateway(site)


def proxy_on(links, cell, gateway, **options):
    proxy = proxies.Proxy(cell, gateway, {"listen": "down0", "discovery_port": 5683, **options})
    proxy.argv = netns.inside(links.gateway, proxy.argv)
    return proxy


@pytest.fixture
def asker(links):
    """A socket of the device that can ask the whole link."""
    s = netns.socket_in(links.device)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, netns.index_in(links.device, "dev0"))
    with s:
        yield s


def ask_link(links, s, octets=ASK_JOIN_PORT, timeout=5, group="ff02::fd"):
    """(answer, address) or (None, None); never what was said to an earlier question."""
    s.settimeout(0)
    with contextlib.suppress(BlockingIOError):
        while True:
            s.recvfrom(2000)
    s.settimeout(timeout)
    s.sendto(octets, (group, 5683, 0, netns.index_in(links.device, "dev0")))
    try:
        return s.recvfrom(2000)
    except socket.timeout:
        return None, None


def find_port(links, s):
    def found():
        answer, address = ask_link(links, s, timeout=1)
        return answer and (re.search(rb"<>;brski-jp=(\d+)", answer), address)
    answer, address = harness.wait_until(found, "a join port on the link", 30)
    assert address[0].startswith("fe80::c") and address[1] == 5683
    return int(answer[1])


def join_from_device(links, site, url):
    built_in = {"device": {"masa_anchors": site.manufacturer.directory / "masa" / "masa-signer.crt"}}
    pledge = site.pledge(site.device(), urls=[url], changes=built_in if url.startswith("coaps") else None)
    pledge.argv = netns.inside(links.device, pledge.argv)
    pledge.start()
    assert pledge.wait(60) == 0, pledge.log()


@req("J-20", "J-01", "J-11", "X-01", "X-02", "X-03", "X-05", "X-06", "X-08")
def test_proxy_finds_the_registrar_and_the_device_finds_the_proxy(links, cell, site, gateway, asker):
    with harness.running(proxy_on(links, cell, gateway)) as (proxy,):
        told = proxy.wait_log("event=listening relay=stateless", timeout=30)
        assert "address=\"[fe80::c%down0]:" in told or "address=[fe80::c%down0]:" in told
        port = find_port(links, asker)
        join_from_device(links, site, f"coaps://[fe80::c%25dev0]:{port}")


@req("J-20", "J-01", "X-07")
def test_registrar_without_a_port_for_stateless_proxies_is_served_statefully(links, cell, place, acme, domain,
                                                                               asker):
    other, masa, registrar = make_site(place, acme, domain, links, False)
    with harness.running(masa, registrar):
        gateway = proxies.gateway(other)
        with harness.running(proxy_on(links, cell, gateway, coap="stateful")) as (proxy,):
            proxy.wait_log("event=listening relay=stateful", timeout=30)
            join_from_device(links, other, f"coaps://[fe80::c%25dev0]:{find_port(links, asker)}")


@req("R8995-JP-001", "R8995-JP-006")
def test_device_joins_by_https_over_link_local_addresses(links, cell, site, gateway):
    up = f"https://[fe80::a%25up0]:{site.registrar.port}"
    with harness.running(proxy_on(links, cell, gateway, registrars=up)) as (proxy,):
        port = proxy.port("circuit")
        join_from_device(links, site, f"https://[fe80::c%25dev0]:{port}")


@req("X-11")
def test_multicast_that_asks_for_nothing_we_have_is_met_with_silence(links, cell, site, gateway, asker):
    silent = [ASK + b"\x48rt=other",                       # nothing matches
              b"\x51\x01\x12\x34\x05\xb3est",              # another path
              b"\x51\x02\x12\x34\x05\xbb.well-known\x04core",  # another method
              b"\x51\x01\x12\x34\x05\x91x",                # an unknown critical option
              b"\x41\x01\x12\x34\x05\xbb.well-known\x04core\x4abrski-jp=*",  # CON
              b"\x51", b"\x5f\x01\x12\x34", b"\x40\0\x12\x34"]  # no CoAP, a ping
    up = f"coaps://[fe80::a%25up0]:{site.registrar.port}"
    with harness.running(proxy_on(links, cell, gateway, registrars=up)):
        find_port(links, asker)
        for octets in silent:
            assert ask_link(links, asker, octets, timeout=0.7)[0] is None, octets
        assert ask_link(links, asker)[0]


@req("X-11")
def test_answers_to_multicast_come_after_a_random_while(links, cell, site, gateway, asker):
    up = f"coaps://[fe80::a%25up0]:{site.registrar.port}"
    with harness.running(proxy_on(links, cell, gateway, registrars=up)):
        find_port(links, asker)
        times = []
        for _ in range(8):
            begun = time.monotonic()
            ask_link(links, asker)
            times.append(time.monotonic() - begun)
        assert max(times) - min(times) > 0.1 and sorted(times)[4] < 0.7 and max(times) < 4, times


@req("X-11", "J-20")
def test_proxy_without_a_registrar_is_silent(links, cell, gateway, asker):
    with harness.running(proxy_on(links, cell, gateway, uplinks="lo", circuit="no")) as (proxy,):
        time.sleep(0.5)
        assert ask_link(links, asker, timeout=1)[0] is None
        assert not proxy.ports("stateful") and not proxy.ports("stateless")


def blocked_by(s, address, count):
    """Send so many datagrams and give back the error the link tells."""
    s.connect(address)
    for _ in range(count):
        try:
            s.send(b"\x16\xfe\xfd")
            time.sleep(0.1)
        except OSError as fault:
            return fault.errno
    return None


@req("J-05")
def test_neighbour_with_too_many_mappings_is_told_by_icmp(links, cell, site, gateway):
    up = f"coaps://[fe80::a%25up0]:{site.registrar.coaps_port}"
    with harness.running(proxy_on(links, cell, gateway, registrars=up, mappings_per_neighbour=1)) as (proxy,):
        there = ("fe80::c", proxy.port("stateful"), 0, netns.index_in(links.device, "dev0"))
        with netns.socket_in(links.device) as first, netns.socket_in(links.device) as second:
            first.sendto(b"\x16\xfe\xfd", there)
            proxy.wait_log("event=mapping-made")
            assert blocked_by(second, there, 100) == errno.EACCES  # type 1, code 1
        proxy.wait_log('event=datagrams-dropped .*reason="too many mappings of this neighbour"')


@req("J-06")
def test_error_of_the_registrar_reaches_the_device(links, cell, site, gateway):
    up = f"coaps://[fe80::a%25up0]:{harness.free_port()}"
    with harness.running(proxy_on(links, cell, gateway, registrars=up)) as (proxy,):
        there = ("fe80::c", proxy.port("stateful"), 0, netns.index_in(links.device, "dev0"))
        with netns.socket_in(links.device) as s:
            assert blocked_by(s, there, 100) == errno.ECONNREFUSED  # type 1, code 4


@pytest.mark.slow
@req("DISC-JP-004")
def test_offer_is_withdrawn_within_two_minutes_of_the_registrars_end(links, cell, place, acme, domain, asker):
    other, masa, registrar = make_site(place, acme, domain, links, True)
    with harness.running(masa):
        registrar.start()
        gateway = proxies.gateway(other)
        with harness.running(proxy_on(links, cell, gateway)) as (proxy,):
            find_port(links, asker)
            registrar.stop()
            gone = time.monotonic()
            proxy.wait_log("event=registrar-dropped", timeout=120)
            assert time.monotonic() - gone < 120
            assert ask_link(links, asker, timeout=2)[0] is None
