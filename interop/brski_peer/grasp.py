# SPDX-License-Identifier: Apache-2.0
"""Flooding in GRASP (RFC 8990) as far as BRSKI uses it: M_FLOOD with objectives and where they are.

    group = Group(("ff02::13", 7017), interface="eth0")        # or Group.fresh(), on loopback
    group.send(flood([("AN_Proxy", "", ("fe80::1", 4443))]))
    for said in group.floods(timeout=2): said.objectives[0].port

Right by default; every number can be another one.
"""
import contextlib
import ipaddress
import os
import socket
import struct
import time
from dataclasses import dataclass

import cbor2

M_FLOOD = 9
O_IPV6_LOCATOR, O_IPV4_LOCATOR = 103, 104
F_SYNCH = 4               # flags with the bit F_SYNCH alone
TCP, UDP = 6, 17
PROXY, REGISTRAR = "AN_Proxy", "AN_join_registrar"
LINK_LOOPS, ALL_LOOPS = 1, 255
TTL_MS = 180_000


@dataclass
class Objective:
    name: str
    flags: int
    loops: int
    value: object
    locator: int       # its kind
    address: object
    protocol: int
    port: int


@dataclass
class Flood:
    ttl_ms: int
    objectives: list


def flood(objectives, ttl_ms=TTL_MS, flags=F_SYNCH, loops=None, protocol=TCP):
    """objectives: [(name, value, (address, port))]."""
    made = []
    for name, value, (host, port) in objectives:
        address = ipaddress.ip_address(host)
        kind = O_IPV6_LOCATOR if address.version == 6 else O_IPV4_LOCATOR
        count = loops or (LINK_LOOPS if name == PROXY else ALL_LOOPS)
        made.append([[name, flags, count, value], [kind, address.packed, protocol, port]])
    sender = ipaddress.ip_address(objectives[0][2][0]).packed
    return cbor2.dumps([M_FLOOD, int.from_bytes(os.urandom(4), "big"), sender, ttl_ms, *made])


def parse(octets):
    """A Flood; ValueError for what is none."""
    try:
        kind, _session, _sender, ttl_ms, *rest = cbor2.loads(octets)
        if kind != M_FLOOD:
            raise ValueError(f"message type {kind}")
        return Flood(ttl_ms, [objective(*pair) for pair in rest])
    except (TypeError, ValueError, cbor2.CBORError) as e:
        raise ValueError(f"no flood: {e}") from e


def objective(described, locator):
    name, flags, loops, *value = described
    kind, address, protocol, port = locator
    return Objective(name, flags, loops, value[0] if value else None, kind, ipaddress.ip_address(address), protocol,
                     port)


class Group:
    """A multicast group. interface: for IPv4 an address of ours, for IPv6 the name of an interface."""

    def __init__(self, address, interface="127.0.0.1"):
        six = ":" in address[0]
        self.socket = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address[0], address[1]) if not six else ("::", address[1]))
        self.address = address[0], self.socket.getsockname()[1]
        if six:
            index = socket.if_nametoindex(interface)
            where = socket.inet_pton(socket.AF_INET6, address[0]) + struct.pack("@I", index)
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, where)
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            return
        own = socket.inet_aton(interface)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(address[0]) + own)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)

    @classmethod
    def fresh(cls):
        """One on loopback that nobody else has."""
        return cls((".".join(["239", "255", *(str(1 + octet % 254) for octet in os.urandom(2))]), 0))

    def is_reachable(self):
        """Does this machine let anybody send to the group there? Not on every loopback in IPv6."""
        with socket.socket(self.socket.family, socket.SOCK_DGRAM) as probe:
            if self.socket.family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF,
                                 self.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF))
            return probe.connect_ex(self.address) == 0

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, octets):
        self.socket.sendto(octets, self.address)

    def floods(self, timeout):
        """Those that come in this time, as they come; what is none is passed over."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            with contextlib.suppress(TimeoutError, ValueError):
                yield parse(self.socket.recvfrom(65536)[0])
