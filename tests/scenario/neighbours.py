# SPDX-License-Identifier: Apache-2.0
"""Hosts on a link that hear what is announced there: multicast DNS, GRASP."""
import contextlib
import ipaddress
import socket
import struct
import threading
import time

import netns
from brski_peer import mdns

AAAA = 28


class Neighbour:
    """Listens on an end of a link, on port 5353, and can ask."""

    def __init__(self, namespace, interface):
        self.socket = netns.socket_in(namespace)
        index = netns.index_in(namespace, interface)
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


class Flooded:
    """Listens for GRASP on an end of a link."""

    def __init__(self, namespace, interface):
        self.socket = netns.socket_in(namespace)
        index = netns.index_in(namespace, interface)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                               socket.inet_pton(socket.AF_INET6, "ff02::13") + struct.pack("@I", index))
        self.socket.bind(("::", 7017))

    def hear(self, timeout=5):
        """(seconds, octets) of the next message."""
        self.socket.settimeout(timeout)
        octets = self.socket.recv(65536)
        return time.monotonic(), octets


def gone(said, name):
    return any(ttl == 0 and kind in (mdns.SRV, mdns.PTR) and name in (n, data) for ttl, n, kind, data in said)


def one_place(neighbour, registrar):
    return places(neighbour.hear(lambda said: places(said, registrar.port)), registrar.port)[0]


class Registrars:
    """Answers who asks a link for registrars, over IPv6; each takes connections at fe80::a."""

    def __init__(self, interface):
        self.index = socket.if_nametoindex(interface)
        self.records, self.listeners, self.ends = [], [], False
        self.socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                               socket.inet_pton(socket.AF_INET6, "ff02::fb") + struct.pack("@I", self.index))
        self.socket.bind(("::", 5353))
        self.thread = threading.Thread(target=self.run, daemon=True)

    def add(self, label, keys):
        listener = socket.create_server(("fe80::a", 0, 0, self.index), family=socket.AF_INET6)
        self.listeners.append(listener)
        records = mdns.service(mdns.REGISTRARS, label, listener.getsockname()[1], keys)[:-1]
        self.records = [*self.records, *records, ((label, "local"), AAAA, socket.inet_pton(socket.AF_INET6, "fe80::a"))]

    def run(self):
        self.socket.settimeout(0.2)
        while not self.ends:
            with contextlib.suppress(TimeoutError):
                octets, sender = self.socket.recvfrom(9000)
                asked = mdns.decode(octets)
                found = [] if asked.is_answer else [r for n, _ in asked.questions for r in mdns.about(self.records, n)]
                if found:
                    self.socket.sendto(mdns.encode(mdns.Message(asked.id, mdns.RESPONSE, asked.questions, found)), sender)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends = True
        self.thread.join()
        for each in (self.socket, *self.listeners):
            each.close()
