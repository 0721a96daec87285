# SPDX-License-Identifier: Apache-2.0
"""Multicast DNS (RFC 6762) and service discovery (RFC 6763), as much as finding a pledge takes.

    found = ask(("224.0.0.251", 5353), instance("SN-1"), SRV)
    with Responder(records_of("SN-1", port=8080)) as responder: …

A question from a port other than 5353 is answered to that port (RFC 6762 §6.7), so that nobody here
has to own the well-known one; the address may be a unicast one as well. Names are tuples of labels.
"""
import contextlib
import select
import socket
import struct
import threading
import time
import typing
from dataclasses import dataclass, field

GROUP = ("224.0.0.251", 5353)
A, PTR, TXT, SRV, ANY = 1, 12, 16, 33, 255
IN, UNICAST = 1, 0x8000
RESPONSE = 0x8400
POINTER = 0xC0
TTL_S = 120
SIZE = 9000
BROWSED = ("_brski-pledge", "_tcp", "local")
HOST = ("pledge", "local")


def instance(serial):
    """The name of one pledge's service."""
    return (serial, *BROWSED)


class Place(typing.NamedTuple):
    """What an SRV record says."""
    port: int
    host: tuple
    priority: int = 0
    weight: int = 0


@dataclass
class Message:
    id: int
    flags: int
    questions: list = field(default_factory=list)  # (name, kind)
    records: list = field(default_factory=list)    # (name, kind, data): a name, (port, name), or octets

    @property
    def is_answer(self):
        return bool(self.flags & 0x8000)


# -- octets

def coded(name):
    return b"".join(bytes([len(label.encode())]) + label.encode() for label in name) + b"\0"


def record(name, kind, data):
    if kind == SRV:
        place = Place(*data)
        octets = struct.pack("!HHH", place.priority, place.weight, place.port) + coded(place.host)
    else:
        octets = coded(data) if kind == PTR else data
    return coded(name) + struct.pack("!HHIH", kind, IN, TTL_S, len(octets)) + octets


def encode(message):
    head = struct.pack("!HHHHHH", message.id, message.flags, len(message.questions), len(message.records), 0, 0)
    asked = b"".join(coded(name) + struct.pack("!HH", kind, IN | (0 if message.is_answer else UNICAST))
                     for name, kind in message.questions)
    return head + asked + b"".join(record(*r) for r in message.records)


def name_at(octets, at):
    """(labels, where the next field begins)"""
    labels, end = [], None
    while octets[at]:
        if octets[at] & POINTER == POINTER:
            target = struct.unpack_from("!H", octets, at)[0] & 0x3FFF
            if target >= at:
                raise ValueError("a pointer that does not point back")
            end, at = end or at + 2, target
            continue
        labels.append(octets[at + 1:at + 1 + octets[at]].decode())
        at += 1 + octets[at]
    return tuple(labels), end or at + 1


def decode(octets):
    """ValueError or IndexError for what is none."""
    ident, flags, asked, *counts = struct.unpack_from("!HHHHHH", octets) if len(octets) >= 12 else (0, 0, 0, 0)
    message, at = Message(ident, flags), 12
    for _ in range(asked):
        name, at = name_at(octets, at)
        message.questions.append((name, struct.unpack_from("!H", octets, at)[0]))
        at += 4
    for _ in range(sum(counts)):
        name, at = name_at(octets, at)
        kind, _class, _ttl, size = struct.unpack_from("!HHIH", octets, at)
        at += 10
        data = octets[at:at + size]
        if kind == PTR:
            data = name_at(octets, at)[0]
        elif kind == SRV:
            priority, weight, port = struct.unpack_from("!HHH", octets, at)
            data = Place(port, name_at(octets, at + 6)[0], priority, weight)
        message.records.append((name, kind, data))
        at += size
    return message


def same(one, other):
    """Names are compared as DNS does."""
    return tuple(label.lower() for label in one) == tuple(label.lower() for label in other)


# -- asking

def ask(address, name, kind, timeout=2):
    """The records of whoever answers first with one for this name; [] when nobody does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        udp.sendto(encode(Message(0, 0, [(name, kind)])), address)
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            udp.settimeout(left)
            with contextlib.suppress(socket.timeout, ConnectionError, ValueError, IndexError, struct.error):
                said = decode(udp.recvfrom(SIZE)[0])
                if any(same(n, name) for n, _, _ in said.records):
                    return said.records
        return []


@dataclass
class Found:
    """One instance of a service."""
    name: tuple
    place: Place = None
    keys: tuple = ()          # of its TXT record, as they are
    addresses: tuple = ()     # of its host


def browse(address, service, timeout=2):
    """Every instance of a service that one responder knows, with all that it says about them."""
    known = ask(address, service, PTR, timeout)
    names = [data for name, kind, data in known if kind == PTR and same(name, service)]
    return [describe(address, name, known, timeout) for name in dict.fromkeys(names)]


def describe(address, name, known, timeout=2):
    """known: records that came without asking."""
    def look(name, kind):
        found = [data for n, k, data in known if k == kind and same(n, name)]
        return found or [data for n, k, data in ask(address, name, kind, timeout) if k == kind and same(n, name)]
    found = Found(name, next(iter(look(name, SRV)), None))
    found.keys = keys_of(next(iter(look(name, TXT)), b""))
    if found.place:
        found.addresses = tuple(socket.inet_ntoa(a) for a in look(found.place.host, A))
    return found


def txt(keys):
    """A TXT record of keys without values, or of whatever strings."""
    return b"".join(bytes([len(k.encode())]) + k.encode() for k in keys) or b"\0"


def keys_of(octets):
    keys, at = [], 0
    while at < len(octets):
        keys.append(octets[at + 1:at + 1 + octets[at]].decode("utf-8", "replace"))
        at += 1 + octets[at]
    return tuple(keys) if keys != [""] else ()


# -- answering

REGISTRARS, PROXIES = ("_brski-registrar", "_tcp", "local"), ("_brski-proxy", "_tcp", "local")


def service(kind, label, port, keys=(), priority=0, weight=0, host="127.0.0.1"):
    """Records of one instance: kind is REGISTRARS or PROXIES."""
    name, machine = (label, *kind), (label, "local")
    return [(kind, PTR, name), (name, SRV, Place(port, machine, priority, weight)), (name, TXT, txt(keys)),
            (machine, A, socket.inet_aton(host))]


def about(records, name):
    """Those to answer with when this name is asked for: its own, and all about its instances."""
    own = [r for r in records if same(r[0], name)]
    named = [r[2] for r in own if r[1] == PTR]
    more = [r for r in records if any(same(r[0], n) for n in named)]
    hosts = [r[2].host for r in [*own, *more] if r[1] == SRV]
    return own + more + [r for r in records if any(same(r[0], h) for h in hosts) and r not in own]

def records_of(serial, port, host="127.0.0.1"):
    """What a pledge announces."""
    return [(BROWSED, PTR, instance(serial)), (instance(serial), SRV, (port, HOST)),
            (instance(serial), TXT, b"\0"), (HOST, A, socket.inet_aton(host))]


class Responder:
    """records(name): what there is to say when this name is asked for. Multicast where the address is the
    group's, any free port of a host otherwise."""

    def __init__(self, records, address=("127.0.0.1", 0)):
        self.records, self.asked, self.done = records, [], threading.Event()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if address[0] == GROUP[0]:
            self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self.udp.bind(("", address[1]))
            group = socket.inet_aton(address[0]) + socket.inet_aton("0.0.0.0")
            self.udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
            self.address = address
        else:
            self.udp.bind(address)
            self.address = self.udp.getsockname()
        self.wake, self.sleeper = socket.socketpair()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.wake.send(b".")
        self.thread.join(timeout=5)
        for each in (self.udp, self.wake, self.sleeper):
            each.close()

    def run(self):
        while self.sleeper not in (ready := select.select([self.udp, self.sleeper], [], [])[0]):
            octets, sender = ready[0].recvfrom(SIZE)
            with contextlib.suppress(ValueError, IndexError, struct.error, OSError):
                self.one(decode(octets), sender)

    def one(self, message, sender):
        if message.is_answer:
            return
        self.asked += message.questions
        found = [r for name, _ in message.questions for r in self.records(name)]
        if found:
            kept = message.questions if sender[1] != GROUP[1] else []
            to = sender if sender[1] != GROUP[1] else self.address
            self.udp.sendto(encode(Message(message.id, RESPONSE, kept, found)), to)
