# SPDX-License-Identifier: Apache-2.0
"""A join proxy that finds registrars by itself and is found by devices, on links where nothing is
configured: registrar — up0, proxy, down0 — device."""
import contextlib

import pytest

import harness
import netns
import proxies
from brski_peer import grasp, mdns
from neighbours import Flooded, Neighbour, Registrars, gone, places
from places import Site

req = pytest.mark.req

WHY_NOT = netns.missing()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))


@pytest.fixture(scope="module")
def links():
    with netns.Links() as made:
        yield made


@pytest.fixture(scope="module")
def site(place, acme, domain, links):
    """Its registrar tells the link of the proxy by multicast DNS, or by GRASP."""
    masa = harness.Masa(place / "masa-found", acme)
    port = harness.free_port()
    registrar = harness.Registrar(place / "registrar-found", domain, [acme], port=port, changes={
        "server": {"listen": f"[::]:{port}"}, "announce": {"interfaces": links.site_interface}})
    with harness.running(masa, registrar):
        yield Site(place, acme, domain, masa, registrar)


@pytest.fixture(scope="module")
def gateway(site):
    return proxies.gateway(site)


@contextlib.contextmanager
def proxy_between(links, cell, gateway, **options):
    proxy = proxies.Proxy(cell, gateway, {"listen": "down0", "registrars": "auto", "uplinks": "up0", "coap": "off",
                                          "discovery_port": 5683, "probe": "1s", **options})
    proxy.argv = netns.inside(links.gateway, proxy.argv)
    with harness.running(proxy):
        yield proxy


@req("R8995-JP-004", "DISC-JP-001", "DISC-JP-004", "R8995-JP-006", "R8995-JP-007")
def test_proxy_finds_its_registrar_and_is_found_until_it_is_gone(site, links, cell, gateway):
    device = Neighbour(links.device, "dev0")
    with proxy_between(links, cell, gateway, grasp="no") as proxy:
        port = proxy.port("circuit")
        said = device.hear(lambda all: any(kind == mdns.TXT for _, _, kind, _ in all) and places(all, port))
        (name, place), = places(said, port)
        assert name[1:] == ("_brski-proxy", "_tcp", "local")
        assert [mdns.keys_of(data) for _, n, kind, data in said if (n, kind) == (name, mdns.TXT)] == [("est-tls",)]
        assert {data for _, n, _, data in said if n == place.host and data == "fe80::c"}, "the address of this link"
        site.registrar.stop()
        try:
            device.hear(lambda all: gone(all, name))
            device.said.clear()
        finally:
            site.registrar.start()
        device.hear(lambda all: places(all, port), 20)


@req("R8995-JP-002", "R8995-JP-003", "DISC-REG-004")
def test_proxy_relays_to_whom_grasp_names_and_floods_itself(site, links, cell, gateway):
    floods = Flooded(links.device, "dev0")
    before = site.registrar.config.read_text()
    site.registrar.config.write_text(before.replace("[announce]", "[announce]\nmdns = no\nflood_interval = 1s"))
    site.registrar.restart()
    site.registrar.config.write_text(before)
    with proxy_between(links, cell, gateway, mdns="no") as proxy:
        said = grasp.parse(floods.hear(10)[1])
        objective, = said.objectives
        assert (objective.name, objective.flags, objective.loops, objective.value) == ("AN_Proxy", 4, 1, "")
        assert (str(objective.address), objective.protocol) == ("fe80::c", grasp.TCP)
        assert (objective.port, said.ttl_ms) == (proxy.port("circuit"), 180_000)
        device = site.device()
        pledge = site.pledge(device, [f"https://[fe80::c%25dev0]:{objective.port}"])
        done = harness.run(*netns.inside(links.device, [harness.program("brski-pledge"), "join", "-c", pledge.config]))
        assert done.returncode == 0, done.stdout + done.stderr
    site.registrar.restart()


def test_proxy_whose_registrar_never_answers_says_so(links, cell, gateway):
    port = harness.free_port()
    with proxy_between(links, cell, gateway, registrars=f"https://[fe80::a%25up0]:{port}") as proxy:
        harness.wait_until(lambda: proxy.lines("event=no-registrar-reached"), "a word on the registrar")
        assert not proxy.lines("event=proxy-announced")
    with proxy_between(links, cell, gateway, uplinks="down0") as proxy:
        harness.wait_until(lambda: proxy.lines("event=no-registrar-reached"), "a word on there being none")
        assert len(proxy.lines("event=no-registrar-reached")) == 1


def join_in(namespace, site, minutes=1):
    """A new device that is told nothing; how it went, and what it said."""
    pledge = site.pledge(site.device(), [], {"registrars": {"urls": None, "discover": "auto", "resolver": None},
                                             "retry": {"attempts": 20}})
    argv = [harness.program("brski-pledge"), "join", "-c", pledge.config, "-v"]
    done = harness.run(*netns.inside(namespace, argv), timeout=60 * minutes)
    return done.returncode, done.stdout + done.stderr


@req("DISC-REG-002", "DISC-REG-003", "R8995-PLG-004")
def test_device_with_nothing_configured_joins_the_registrar_that_announces_itself(site, links):
    """Nothing but fe80:: is on the link."""
    code, said = join_in(links.gateway, site)
    assert code == 0, said


@req("R8995-JP-001", "R8995-JP-004", "DISC-JP-001", "R8995-PLG-001", "R8995-PLG-058")
@pytest.mark.parametrize("way", ["mdns", "grasp"])
def test_device_with_nothing_configured_joins_through_the_proxy_that_found_the_registrar(way, site, links, cell, gateway):
    """On the device's link there is the proxy alone, announced in one way; the proxy is told of no registrar."""
    other = {"mdns": "grasp", "grasp": "mdns"}[way]
    with proxy_between(links, cell, gateway, **{other: "no"}) as proxy:
        code, said = join_in(links.device, site)
        assert code == 0, said
        assert proxy.lines("event=registrars-found") and proxy.lines("event=proxy-announced")


@req("DISC-JP-001", "DISC-JP-002")
def test_what_a_registrar_speaks_is_passed_on_whatever_it_is(site, links, cell, gateway):
    """One that speaks what nobody has heard of; a second does not, and only what both speak is told then."""
    device = Neighbour(links.device, "dev0")
    site.registrar.stop()

    def told(keys):
        def so(said):
            return any(kind == mdns.TXT and ttl and set(mdns.keys_of(data)) == keys for ttl, _, kind, data in said)
        return so
    others = Registrars(links.site_interface)
    try:
        with others, proxy_between(links, cell, gateway, grasp="no"):
            others.add("strange", ["est-tls", "foo-bar"])
            device.hear(told({"est-tls", "foo-bar"}), 15)
            device.said.clear()
            others.add("plain", ["est-tls"])
            device.hear(told({"est-tls"}), 15)
    finally:
        site.registrar.start()
