# SPDX-License-Identifier: Apache-2.0
"""A device that is told nobody, and those who tell it something: on its link, or as its network's resolver."""
import contextlib
import select
import socket
import struct
import threading
import time

import harness
import netns
from brski_peer import grasp, mdns
from places import Site

JOINED = 0
AAAA = 28
GROUP, GRASP = ("ff02::fb", 5353), ("ff02::13", 7017)
HERE = "fe80::a"  # this namespace on the link; the device is fe80::b


@contextlib.contextmanager
def running_site(place, acme, domain):
    """A MASA and a registrar that is on every link and announces nothing."""
    masa = harness.Masa(place / "masa", acme)
    registrar = harness.Registrar(place / "registrar", domain, [acme], port=(port := harness.free_port()),
                                  changes={"server": {"listen": f"[::]:{port}"}})
    with harness.running(masa, registrar):
        yield Site(place, acme, domain, masa, registrar)


def service(kind, label, port, keys=(), priority=0, host=HERE):
    """All records of one instance, as a responder has them."""
    name, machine = (label, *kind), (f"{label}-host", "local")
    return [(kind, mdns.PTR, name), (name, mdns.SRV, mdns.Place(port, machine, priority, 0)),
            (name, mdns.TXT, mdns.txt(keys)), (machine, AAAA, socket.inet_pton(socket.AF_INET6, host))]


class Announcer:
    """On the link in this namespace: hears the group, answers with `records` to who asks, announces them when
    told. bare: an answer has no more than what was asked for (RFC 6763 §12 lets it)."""

    def __init__(self, links, records=(), bare=False):
        self.index = socket.if_nametoindex(links.site_interface)
        self.records, self.bare, self.asked, self.questions = list(records), bare, [], []
        self.udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.udp.bind((*GROUP, 0, self.index))
        where = socket.inet_pton(socket.AF_INET6, GROUP[0]) + struct.pack("@I", self.index)
        self.udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, where)
        self.out = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, self.index)
        self.out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        self.udp.close()
        self.out.close()

    def run(self):
        while not self.stopping.is_set():
            if not select.select([self.udp], [], [], 0.05)[0]:
                continue
            octets, sender = self.udp.recvfrom(mdns.SIZE)
            with contextlib.suppress(ValueError, IndexError, struct.error):
                self.one(mdns.decode(octets), octets, sender)

    def one(self, message, octets, sender):
        if message.is_answer or not sender[0].startswith("fe80::b"):
            return
        if any(mdns.same(name, mdns.PROXIES) for name, _ in message.questions):
            self.asked.append(time.monotonic())
        self.questions.append((message, octets, sender))
        found = [r for r in self.records for name, kind in message.questions
                 if mdns.same(name, r[0]) and kind in (r[1], mdns.ANY)]
        if found:
            more = [] if self.bare else [r for r in self.records if r not in found]
            answer = mdns.encode(mdns.Message(message.id, mdns.RESPONSE, message.questions, found + more))
            self.out.sendto(answer, sender)

    def announce(self, records=None):
        message = mdns.Message(0, mdns.RESPONSE, [], list(records or self.records))
        self.out.sendto(mdns.encode(message), (*GROUP, 0, self.index))

    def flood(self, objectives, **more):
        self.out.sendto(grasp.flood(objectives, **more), (*GRASP, 0, self.index))


class Resolver(mdns.Responder):
    """As a resolver: one question at a time, the domain is example.test."""

    def one(self, message, sender):
        self.asked += message.questions
        found = [r for r in self.records for name, kind in message.questions
                 if mdns.same(name, r[0]) and kind == r[1]]
        flags = 0x8180 if found else 0x8183
        self.udp.sendto(mdns.encode(mdns.Message(message.id, flags, message.questions, found)), sender)


def seeker(links, site, device=None, **registrars):
    """A device on the link that is told nobody."""
    retry = {name: registrars.pop(name) for name in ("attempts", "connect_timeout", "timeout") if name in registrars}
    pledge = site.pledge(device or site.device(), urls=[], changes={
        "registrars": {"urls": None, "discover": "auto", "resolver": "", **registrars}, "retry": retry})
    if links:
        pledge.argv = netns.inside(links.gateway, pledge.argv)
    return pledge


def joins(pledge, timeout=30):
    """Seconds it took."""
    begun = time.monotonic()
    pledge.start()
    assert pledge.wait(timeout) == JOINED, pledge.log()
    return time.monotonic() - begun


@contextlib.contextmanager
def tarpit():
    """Accepts connections and says nothing. Yields (port, connections)."""
    taken, stopping = [], threading.Event()
    with socket.create_server(("::", 0), family=socket.AF_INET6) as server:
        server.settimeout(0.05)

        def run():
            while not stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    taken.append(server.accept()[0])
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1], taken
        finally:
            stopping.set()
            thread.join()
            for each in taken:
                each.close()
