# SPDX-License-Identifier: Apache-2.0
"""Somebody on the link who lies as fast as he can, from as many addresses as he likes."""
import socket
import threading
import time

import pytest

import harness
import netns
import proxies
from brski_peer import grasp, mdns
from seekers import AAAA, GROUP, Announcer, joins, running_site, seeker, service, tarpit

req = pytest.mark.req

WHY_NOT = netns.missing()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))

LIARS = 20  # more than have room (CANDIDATES_PER_SOURCE)


@pytest.fixture(scope="module")
def links():
    with netns.Links() as made:
        for i in range(LIARS):
            netns.ip("addr", "add", f"fe80::bad:{i:x}/64", "dev", made.site_interface, "nodad")
        yield made


@pytest.fixture(scope="module")
def site(place, acme, domain):
    with running_site(place, acme, domain) as made:
        yield made


class Liars:
    """Each of many addresses announces places, again and again, `pause` seconds from one to the next."""

    def __init__(self, links, ports, pause=0.005):
        self.index, self.ports, self.pause = socket.if_nametoindex(links.site_interface), ports, pause
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def run(self):
        senders = []
        for i in range(LIARS):
            own = f"fe80::bad:{i:x}"
            udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            udp.bind((own, 0, 0, self.index))
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, self.index)
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
            senders.append((own, udp))
        n = 0
        while not self.stopping.is_set():
            own, udp = senders[n % LIARS]
            port = self.ports[n // LIARS % len(self.ports)]
            records = service(mdns.PROXIES, f"liar {n}", port, host=own)
            udp.sendto(mdns.encode(mdns.Message(0, mdns.RESPONSE, [], records)), (*GROUP, 0, self.index))
            n += 1
            time.sleep(self.pause)


@req("R8995-JP-002")
def test_proxy_believes_no_flood_from_beyond_the_link(links, site, cell):
    """Whoever can send a datagram to its address names nobody's registrar; a neighbour does."""
    netns.ip("addr", "add", f"{links.far}a/128", "dev", links.site_interface, "nodad")
    netns.ip("-n", links.gateway, "-6", "route", "add", f"{links.far}/64", "via", "fe80::a", "dev", "up0")
    netns.ip("-n", links.gateway, "addr", "add", f"{links.near}b/64", "dev", "up0", "nodad")
    netns.ip("-6", "route", "add", f"{links.near}/64", "dev", links.site_interface)
    proxy = proxies.Proxy(cell, proxies.gateway(site), {
        "listen": "down0", "registrars": "auto", "uplinks": "up0", "coap": "off", "probe": "1s", "mdns": "no"})
    proxy.argv = netns.inside(links.gateway, proxy.argv)
    words = grasp.flood([(grasp.REGISTRAR, "", (f"{links.far}a", site.registrar.port))])
    with harness.running(proxy), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as far, Announcer(links) as near:
        far.bind((f"{links.far}a", 0))
        far.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 7)
        for _ in range(10):
            far.sendto(words, (f"{links.near}b", 7017))
            time.sleep(0.1)
        assert not proxy.lines("event=registrars-found")

        def found():
            near.out.sendto(words, ("ff02::13", 7017, 0, near.index))
            return proxy.lines("event=registrars-found")
        harness.wait_until(found, "who is near is believed")


class Crowded(Announcer):
    """Asked for a registrar, a liar says more than there is room for, at once, and that it is elsewhere; then the
    registrar says what is so, and the liar speaks of it again."""

    def __init__(self, links, records):
        super().__init__(links, records)
        self.own = {}
        for own in ("fe80::a", "fe80::bad:0"):
            self.own[own] = udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            udp.bind((own, 5353, 0, self.index))

    def __exit__(self, *_):
        super().__exit__()
        for udp in self.own.values():
            udp.close()

    def one(self, message, octets, sender):
        if message.is_answer or not any(mdns.same(name, mdns.REGISTRARS) for name, _ in message.questions):
            return
        nowhere = socket.inet_pton(socket.AF_INET6, "fe80::dead")
        elsewhere = [(r[0], r[1], nowhere) if r[1] == AAAA else r for r in self.records]
        noise = [(mdns.REGISTRARS, mdns.PTR, (f"x{i}", *mdns.REGISTRARS)) for i in range(128)]
        for own, records in (("fe80::bad:0", noise), ("fe80::bad:0", noise), ("fe80::a", self.records),
                             ("fe80::bad:0", elsewhere)):
            self.own[own].sendto(mdns.encode(mdns.Message(message.id, mdns.RESPONSE, [], records)), sender)


@req("R8995-JP-002", "R8995-JP-004")
def test_proxy_finds_the_registrar_beside_a_liar_who_answers_first_and_last(links, site, cell):
    records = service(mdns.REGISTRARS, "site registrar", site.registrar.port)
    proxy = proxies.Proxy(cell, proxies.gateway(site), {
        "listen": "down0", "registrars": "auto", "uplinks": "up0", "coap": "off", "probe": "1s", "grasp": "no"})
    proxy.argv = netns.inside(links.gateway, proxy.argv)
    with Crowded(links, records), harness.running(proxy):
        harness.wait_until(lambda: proxy.lines("event=proxy-announced"), "a registrar that is there")


@pytest.mark.slow
@req("R8995-PLG-011")
def test_addresses_that_come_and_go_are_news_now_and_then(links, site):
    """Each time all that failed are forgiven and tried again: a link that flaps would have us knock for ever."""
    dead = harness.free_port()
    with Announcer(links, service(mdns.PROXIES, "dead", dead)) as neighbour:
        pledge = seeker(links, site, attempts=0)
        pledge.start()
        harness.wait_until(lambda: "connect: failed" in pledge.log(), "a place that failed", 20)
        for i in range(30):
            netns.ip("-n", links.gateway, "addr", "add", f"2001:db8:9::{i + 1:x}/64", "dev", "up0", "nodad")
            time.sleep(0.1)
        harness.wait_until(lambda: pledge.log().count("event=link-up") >= 5, "the last ones are seen, too", 12)
        assert pledge.log().count("event=link-up") <= 6
        assert neighbour.asked and pledge.log().count("connect: failed") < 25
        pledge.stop()


@pytest.mark.slow
@req("R8995-PLG-007", "R8995-PLG-010")
def test_registrar_that_answers_only_is_found_amid_a_flood(links, site):
    """More liars than there is room for, each of whom takes a connection and says nothing, announce places all the
    time and are better by their own words. The registrar announces nothing: it has to be asked, and heard."""
    records = service(mdns.REGISTRARS, "site registrar", site.registrar.port, priority=9)
    with tarpit() as (silent, taken), Announcer(links, records) as neighbour, Liars(links, [silent]):
        pledge = seeker(links, site, attempts=0)
        joins(pledge, 180)
        assert len(taken) > 8 and len(neighbour.asked) > 2, "both was so"
