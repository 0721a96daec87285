# SPDX-License-Identifier: Apache-2.0
"""A device that is told nobody finds its registrar: by mDNS, GRASP and DNS, on a link with nothing
but link-local IPv6, past dead and lying places. Who announces here shares no code with us."""
import contextlib
import pathlib
import socket
import ssl
import threading
import time

import pytest

import harness
import netns
import proxies
from brski_peer import grasp, mdns
from places import Site
from seekers import GRASP, HERE, JOINED, Announcer, Resolver, joins, running_site, seeker, service, tarpit

req = pytest.mark.req

UNREACHABLE = 4

WHY_NOT = netns.missing()
needs_links = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))


@pytest.fixture(scope="module")
def links():
    with netns.Links() as made:
        yield made


@pytest.fixture(scope="module")
def site(place, acme, domain):
    with running_site(place, acme, domain) as made:
        yield made


@needs_links
def test_device_says_where_it_looks_and_what_would_help(site):
    with netns.Links() as alone:
        def said(discover):
            pledge = seeker(None, site, discover=discover, attempts=1)
            pledge.argv = netns.inside(alone.device, pledge.argv)
            pledge.start()
            assert pledge.wait(30) == UNREACHABLE
            assert "discovery: nobody answers yet" in pledge.log()
            assert "[announce]" in pledge.log().split("what to do:")[1]
            return pledge.log()
        assert "looking for registrars and join proxies on dev0\n" in said("auto")
        assert "on dev7 (no such interface)\n" in said("dev7")
        netns.ip("-n", alone.device, "link", "set", "dev0", "down")
        assert "discovery: no interface is up, is the cable in?\n" in said("auto")


@needs_links
@req("R8995-PLG-004", "R8995-PLG-001", "DISC-REG-002")
@pytest.mark.parametrize("bare", [False, True])
def test_registrar_is_found_by_mdns_on_a_link_with_ipv6_alone(links, site, bare):
    records = service(mdns.REGISTRARS, "site registrar", site.registrar.port, ["est-tls", "prm-jose"])
    with Announcer(links, records, bare) as neighbour:
        pledge = seeker(links, site)
        assert joins(pledge) < 8
        first, octets, _sender = neighbour.questions[0]
        assert {mdns.REGISTRARS, mdns.PROXIES} <= {name for name, _ in first.questions}
        assert octets[-2:] == b"\x80\x01", "the answer is wanted by unicast (QU)"
        assert "source=mdns" in pledge.log()
        # a device that has joined asks nobody any more
        asked = len(neighbour.questions)
        pledge.start()
        assert pledge.wait() == JOINED and "already enrolled" in pledge.log()
        assert len(neighbour.questions) == asked


@needs_links
@req("R8995-PLG-007", "R8995-PLG-008", "DISC-PLG-001")
def test_dead_and_lying_places_cost_their_own_time_only(links, site, tmp_path):
    """The best by their own words: one where nobody listens, one that accepts and says nothing, one that
    speaks TLS and then sends a page; and the registrar last."""
    with tarpit() as (silent, taken), liar(site.domain, tmp_path, PAGE) as (page, asked):
        records = [r for at, port in enumerate([harness.free_port(), silent, page, site.registrar.port])
                   for r in service(mdns.PROXIES, f"proxy {at}", port, priority=10 * at)]
        with Announcer(links, records):
            pledge = seeker(links, site)
            took = joins(pledge)
            assert took < 10, pledge.log()
            assert taken and asked, "they were tried"


PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nhi!\n"
VOUCHER = b"HTTP/1.1 200 OK\r\nContent-Type: application/voucher-cms+json\r\nContent-Length: %d\r\n\r\n"
NOT_YET = b"HTTP/1.1 202 Accepted\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"


@contextlib.contextmanager
def liar(domain, directory, answer):
    """TLS with some certificate; whatever is asked, this is the answer. Yields (port, requests)."""
    key, certificate = domain.registrar_identity(where=directory / "liar")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    stopping, asked, held = threading.Event(), [], []
    with socket.create_server(("::", 0), family=socket.AF_INET6) as server:
        server.settimeout(0.05)

        def run():
            while not stopping.is_set():
                with contextlib.suppress(OSError):
                    plain, _ = server.accept()
                    plain.settimeout(2)
                    held.append(context.wrap_socket(plain, server_side=True))
                    asked.append(held[-1].recv(65536))
                    held[-1].sendall(answer)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1], asked
        finally:
            stopping.set()
            thread.join()
            for each in held:
                each.close()


@needs_links
@req("R8995-PLG-007", "R8995-PLG-010")
@pytest.mark.parametrize("answer", [pytest.param(NOT_YET, id="not-yet"),
                                    pytest.param(b"", id="silence", marks=pytest.mark.slow)])
def test_stranger_who_keeps_the_device_waiting_loses_it_to_others(links, site, tmp_path, answer):
    """The best by its own words says "not yet", or nothing, as long as it likes; the registrar is there, too."""
    with liar(site.domain, tmp_path, answer) as (port, asked), Announcer(
            links, service(mdns.PROXIES, "first", port) + service(
                mdns.PROXIES, "second", site.registrar.port, priority=9)):
        pledge = seeker(links, site)
        joins(pledge)
        assert len(asked) == 1, "it was asked first"
        assert ("others are asked meanwhile" if answer else "no answer in time") in pledge.log()


@needs_links
@pytest.mark.slow
@req("R8995-PLG-007", "DISC-PLG-001")
def test_right_one_of_two_registrars_is_found_past_a_lying_proxy(links, place, acme, domain, other_domain, tmp_path):
    """The proxy is there first, the best one by its own words, with a good voucher of another device for everybody;
    then a registrar that is not the owner's announces itself, and at last, beside it, the owner's."""
    masa = harness.Masa(place / "of-owners", acme, changes={"policy": {"ownership": "known-owner"}})
    theirs, ours = (harness.Registrar(place / name, owner, [acme], port=(port := harness.free_port()), changes={
        "server": {"listen": f"[::]:{port}"},
        "announce": {"interfaces": links.site_interface, "priority": priority}})
        for name, owner, priority in (("theirs", other_domain, 1), ("ours", domain, 2)))
    site = Site(place, acme, domain, masa, ours)
    with harness.running(masa):
        masa.ctl("owners", "add", "us", domain.file("root.crt"))
        first, device = site.device(known=False), site.device(known=False)
        masa.import_devices([{"serial": d.serial, "owner": "us"} for d in (first, device)])
        other = site.pledge(first)
        with harness.running(ours):
            assert other.join().returncode == JOINED, other.log()
        voucher = (other.state / "current" / "voucher.vcj").read_bytes()
        with liar(domain, tmp_path, VOUCHER % len(voucher) + voucher) as (port, asked), Announcer(
                links, service(mdns.PROXIES, "best", port)):
            pledge = seeker(links, site, device, attempts=0, timeout="2s")
            pledge.start()
            pledge.wait_log("voucher: failed: .*serial-number")
            with harness.running(theirs):
                theirs.wait_log(f"event=voucher-request-failed .*kind=refused.*{device.serial}")
                with harness.running(ours):
                    assert pledge.wait(30) == JOINED, pledge.log()
        assert asked and not theirs.lines(f"event=voucher-delivered.*{device.serial}")
        assert ours.lines(f"event=voucher-delivered.*{device.serial}")


@needs_links
@req("R8995-PLG-003", "DISC-REG-004")
def test_proxy_is_found_by_its_flood(links, site):
    """Other objectives, expired ones and what we do not speak are passed over."""
    decoy = harness.free_port()
    with Announcer(links) as neighbour, socket.create_server(("::", decoy), family=socket.AF_INET6) as trap:
        pledge = seeker(links, site, mdns="")
        pledge.start()

        def flood():
            neighbour.flood([("AN_Other", "", (HERE, decoy))])
            neighbour.flood([(grasp.PROXY, "", (HERE, decoy))], ttl_ms=0)
            neighbour.flood([(grasp.PROXY, "prm-jose", (HERE, decoy))])
            neighbour.flood([(grasp.PROXY, "", ("::1", decoy))])
            neighbour.flood([(grasp.PROXY, "", (HERE, site.registrar.port))])
            return not pledge.alive()
        harness.wait_until(flood, "the end of the join", 20)
        assert pledge.wait(1) == JOINED, pledge.log()
        assert not neighbour.questions, "no question by mDNS"
        trap.settimeout(0)
        with pytest.raises(BlockingIOError):
            trap.accept()


@needs_links
@pytest.mark.slow
@req("R8995-PLG-005", "R8995-PLG-006", "R8995-PLG-011")
def test_device_asks_less_and_less_and_hears_who_comes_late(links, site):
    records = service(mdns.PROXIES, "late", site.registrar.port)
    with Announcer(links) as neighbour:
        pledge = seeker(links, site, attempts=0)
        pledge.start()
        harness.wait_until(lambda: len(neighbour.asked) >= 4, "four questions", 20)
        pauses = [b - a for a, b in zip(neighbour.asked, neighbour.asked[1:])]
        assert pauses[0] >= 0.95 and all(1.7 < b / a < 2.4 for a, b in zip(pauses, pauses[1:])), pauses
        # the link comes up: from the start again
        netns.ip("-n", links.gateway, "link", "set", "up0", "down")
        netns.ip("-n", links.gateway, "addr", "add", "fe80::b/64", "dev", "up0", "nodad")
        before = len(neighbour.asked)
        netns.ip("-n", links.gateway, "link", "set", "up0", "up")
        harness.wait_until(lambda: len(neighbour.asked) >= before + 2, "two questions", 4)
        assert pledge.alive()
        begun = time.monotonic()
        neighbour.announce(records)
        assert pledge.wait(20) == JOINED, pledge.log()
        assert time.monotonic() - begun < 5


@needs_links
@req("R8995-PLG-005")
def test_announcement_makes_questions_unnecessary(links, site):
    records = service(mdns.PROXIES, "chatty", site.registrar.port)
    with Announcer(links, records) as neighbour:
        pledge = seeker(links, site)
        pledge.start()

        def announce():
            neighbour.announce()
            return not pledge.alive()
        harness.wait_until(announce, "the end of the join", 20)
        assert pledge.wait(1) == JOINED, pledge.log()
        assert not neighbour.asked


@needs_links
def test_words_from_beyond_the_link_are_not_heard(links, site):
    """A unicast answer or flood with hops used up, from an address that no neighbour has, is a stranger's."""
    netns.ip("addr", "add", f"{links.far}a/128", "dev", links.site_interface, "nodad")
    netns.ip("-n", links.gateway, "-6", "route", "add", f"{links.far}/64", "via", HERE, "dev", "up0")
    netns.ip("-n", links.gateway, "addr", "add", f"{links.near}b/64", "dev", "up0", "nodad")
    netns.ip("-6", "route", "add", f"{links.near}/64", "dev", links.site_interface)
    records = service(mdns.REGISTRARS, "far", site.registrar.port)
    with Announcer(links, records) as neighbour:
        neighbour.out.close()
        neighbour.out = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        neighbour.out.bind((f"{links.far}a", 0))
        neighbour.out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 7)
        pledge = seeker(links, site)
        pledge.start()
        words = grasp.flood([(grasp.REGISTRAR, "EST-TLS", (f"{links.far}a", site.registrar.port))])

        def asked_twice():
            neighbour.out.sendto(words, (f"{links.near}b", GRASP[1]))
            return len(neighbour.asked) >= 2
        harness.wait_until(asked_twice, "two questions")
        assert "event=candidate" not in pledge.log()
        pledge.stop()


@needs_links
@req("R8995-PLG-003", "R8995-PLG-004", "R8995-JP-002", "R8995-JP-003", "R8995-JP-004")
@pytest.mark.parametrize("way", ["mdns", pytest.param("grasp", marks=pytest.mark.slow)])
def test_nobody_is_told_anything_and_the_device_joins(links, cell, place, acme, domain, way):
    """The registrar announces itself on one link, the proxy finds it and announces itself on the other, the
    device finds the proxy: all of them ours, by this way alone."""
    masa, port = harness.Masa(place / f"masa-{way}", acme), harness.free_port()
    only = {"mdns": "no"} if way == "grasp" else {"grasp": "no"}
    floods = {"flood_interval": "1s"} if way == "grasp" else {}
    registrar = harness.Registrar(place / f"registrar-{way}", domain, [acme], port=port, changes={
        "server": {"listen": f"[::]:{port}"}, "announce": {"interfaces": links.site_interface, **only, **floods}})
    with harness.running(masa, registrar):
        site = Site(place, acme, domain, masa, registrar)
        proxy = proxies.Proxy(cell, proxies.gateway(site), {
            "listen": "down0", "registrars": "auto", "uplinks": "up0", "coap": "off", "discovery_port": 0, **only})
        proxy.argv = netns.inside(links.gateway, proxy.argv)
        pledge = seeker(None, site, attempts=0, **({"mdns": ""} if way == "grasp" else {"grasp": ""}))
        pledge.argv = netns.inside(links.device, pledge.argv)
        pledge.start()
        with harness.running(proxy):
            assert pledge.wait(30) == JOINED, pledge.log()
            assert f"source={way} proxy=yes" in pledge.log()


@req("R8995-PLG-004")
def test_registrar_is_found_by_the_networks_resolver(site, tmp_path):
    kind = ("_brski-registrar", "_tcp", "example", "test")
    name, machine = ("hq", *kind), ("registrar", "example", "test")
    records = [(kind, mdns.PTR, name), (name, mdns.SRV, mdns.Place(site.registrar.port, machine)),
               (name, mdns.TXT, b"\0"), (machine, mdns.A, socket.inet_aton("127.0.0.1"))]
    with Resolver(records) as resolver:
        conf = pathlib.Path(tmp_path / "resolv.conf")
        conf.write_text(f"# by DHCP\nsearch example.test\nnameserver 127.0.0.1:{resolver.address[1]}\noptions x\n")
        pledge = seeker(None, site, discover="lo", mdns="", grasp="", resolver=conf)
        joins(pledge)
        assert "source=dns-sd" in pledge.log()
        assert (kind, mdns.PTR) in resolver.asked and (machine, mdns.A) in resolver.asked
