# SPDX-License-Identifier: Apache-2.0
"""The hosts of a story and how one reaches another: network namespaces where we are root, ports of
the loopback interface otherwise.

    with Namespaces(lines) as place:
        place.run("office", function)                  # as seen from that host
        place.reach("hall", "office", 8443, "tcp")     # "10.89.0.2:8443", or a relay's port on loopback

Two hosts that no link of the story joins have a perfect one.
"""
import ctypes
import itertools
import os
import shutil
import socket
import subprocess
import threading

from conformance.core import Broken
from . import links
from .links import DOWN, UP, Line

CLONE_NEWNET = 0x40000000
_numbers = itertools.count()
_libc = ctypes.CDLL(None, use_errno=True)


def why_no_namespaces():
    """A sentence, or None when they can be made here."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not shutil.which("ip"):
        return "there is no ip command here (package iproute2)"
    name = f"story-{os.getpid()}-try"
    if _ip("netns", "add", name).returncode:
        return "the kernel makes no network namespaces for us"
    done = _ip("-n", name, "link", "add", "name", "v0", "type", "veth", "peer", "name", "v1")
    _ip("netns", "del", name)
    return "the kernel has no veth" if done.returncode else None


def _ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=False)


def ip(*words):
    done = _ip(*words)
    if done.returncode:
        raise Broken(f"ip {' '.join(words)}: {done.stderr.strip()}")


class Place:
    """What both kinds have. lines: the links the story speaks of; captures: of what passes, or none."""

    def __init__(self, lines, captures):
        self.lines = {frozenset(line.ends): line for line in lines}
        self.captures = captures
        self.lock = threading.RLock()
        self.pump = links.Pump()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pump.stop()
        self.captures.close()

    def line(self, one, other):
        with self.lock:
            ends = frozenset((one, other))
            if ends not in self.lines:
                self.lines[ends] = Line((one, other))
            return self.lines[ends]

    def cut(self, one, other):
        links.cut(self.line(one, other))

    def mend(self, one, other):
        line = self.line(one, other)
        with self.pump.lock:
            links.mend(line)


class Loopback(Place):
    """Every host is this machine; a link that the story speaks of is a relay before each port."""
    kind = "loopback"
    everywhere = "127.0.0.1"

    def __init__(self, lines, captures):
        super().__init__(lines, captures)
        self.captures.begin("lo", self.run_here)
        self.declared = set(self.lines)
        self.relays = {}

    def host(self, name):
        pass

    @staticmethod
    def run_here(function):
        return function()

    def run(self, _host, function):
        return function()

    def reach(self, client, server, port, kind):
        """host:port under which the client finds the server's port; kind: "tcp" or "udp"."""
        ends = frozenset((client, server))
        if client == server or ends not in self.declared:
            return f"127.0.0.1:{port}"
        with self.lock:
            relay = self.relays.get((client, server, port, kind))
            if relay is None:
                line = self.lines[ends]
                way = UP if client == line.ends[0] else DOWN
                make = links.DatagramRelay if kind == "udp" else links.StreamRelay
                relay = self.relays[client, server, port, kind] = make(self.pump, line, way, port)
        return f"127.0.0.1:{relay.port}"

    def names_of(self, _host):
        """What a certificate of a server there has to say."""
        return "DNS:localhost,IP:127.0.0.1,IP:::1"

    def own_address(self, _host):
        return self.everywhere

    def join_declared(self):
        pass

    def interface(self, host, _other):
        raise Broken(f"over loopback {host} has no interface of its own")


class Namespaces(Place):
    """Every host is a namespace; a link is a pair of interfaces with a network of its own. One that
    is not perfect goes through a namespace of the runner's, where a Wire treats its packets."""
    kind = "namespaces"
    everywhere = "0.0.0.0"

    def __init__(self, lines, captures):
        super().__init__(lines, captures)
        self.mark = f"story-{os.getpid()}-{next(_numbers)}"
        self.made, self.joined = {}, {}  # joined: ends → name of the interface at both
        self.hosts, self.numbers = itertools.count(1), itertools.count()
        self.own = {}  # host → its address, the same for all its neighbours
        self.in_wires = {frozenset(line.ends) for line in lines}
        if any(line.link_local for line in lines):
            self.everywhere = "[::]"

    def __exit__(self, *_):
        super().__exit__()
        for name in self.made.values():
            _ip("netns", "del", name)

    def host(self, name):
        with self.lock:
            if name not in self.made:
                made = f"{self.mark}-{name}"
                ip("netns", "add", made)
                self.made[name], self.own[name] = made, f"10.88.0.{next(self.hosts)}"
                ip("-n", made, "link", "set", "lo", "up")
                ip("-n", made, "addr", "add", f"{self.own[name]}/32", "dev", "lo")
                self.captures.begin(name, lambda function: self.run(name, function))
            return self.made[name]

    def run(self, host, function):
        """The function in a thread that has entered the host; threads and processes that it starts
        are there as well."""
        namespace, done = self.host(host), {}

        def enter():
            try:
                with open(f"/run/netns/{namespace}", "rb") as where:
                    if _libc.setns(where.fileno(), CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
                done["value"] = function()
            except BaseException as e:
                done["error"] = e
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if "error" in done:
            raise done["error"]
        return done["value"]

    def reach(self, client, server, port, _kind):
        if client != server:
            with self.lock:
                self._join(self.line(client, server))
        return f"{self.own_address(server)}:{port}"

    def own_address(self, host):
        self.host(host)
        return self.own[host]

    def names_of(self, host):
        return f"DNS:localhost,IP:127.0.0.1,IP:{self.own_address(host)}"

    def _join(self, line):
        """Interfaces at both ends, each with the way to the other host."""
        ends = frozenset(line.ends)
        if ends in self.joined:
            return
        number = next(self.numbers)
        self.joined[ends] = interface = f"e{number}"
        hosts = [self.host(name) for name in line.ends]
        if ends in self.in_wires:
            self._through_wire(line, number, interface, hosts)
        else:
            ip("-n", hosts[0], "link", "add", "name", interface, "type", "veth", "peer", "name", interface,
               "netns", hosts[1])
        for host, last in zip(hosts, (1, 2)):
            ip("-n", host, "addr", "add", f"10.89.{number}.{last}/30", "dev", interface)
            if line.link_local:
                ip("-n", host, "link", "set", interface, "addrgenmode", "none")
                ip("-n", host, "addr", "add", f"fe80::{number + 1:x}:{last}/64", "dev", interface, "nodad")
            ip("-n", host, "link", "set", interface, "mtu", str(line.mtu), "up")
        for host, last, name, peer in zip(hosts, (2, 1), line.ends, reversed(line.ends)):
            ip("-n", host, "route", "add", self.own[peer], "via", f"10.89.{number}.{last}", "src",
               self.own[name])

    def join_declared(self):
        for line in list(self.lines.values()):
            self._join(line)

    def interface(self, host, other):
        """The name of the interface that leads from one host to the other."""
        return self.joined[frozenset((host, other))]

    def _through_wire(self, line, number, interface, hosts):
        middle = self.host("wires")
        ends = [f"w{number}a", f"w{number}b"]
        for host, end in zip(hosts, ends):
            ip("-n", host, "link", "add", "name", interface, "type", "veth", "peer", "name", end,
               "netns", middle)
            ip("-n", middle, "link", "set", end, "up")
        for name in line.ends:
            self.run(name, lambda: links.whole_checksums(interface))
        self.run("wires", lambda: links.Wire(self.pump, line, *ends))


def listening(address):
    """Does somebody take TCP connections there (as seen from where this is called)?"""
    host, port = address.rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), timeout=1):
            return True
    except OSError:
        return False
