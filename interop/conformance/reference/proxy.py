# SPDX-License-Identifier: Apache-2.0
"""An honest join proxy (RFC 8995 §4, draft-ietf-anima-constrained-join-proxy): circuits for HTTPS, and for
CoAPS stateless relaying, or stateful in the configuration of that name."""
import contextlib
import os
import select
import socket
import struct
import threading
import time

import cbor2
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from brski_peer import links

from .announce import ProxyBrowsing, ProxyGrasp
from .rules import Role

CONNECTIONS_PER_NEIGHBOUR = 8
MAPPINGS_PER_NEIGHBOUR = 2
REGISTRARS_MAX = 4
EXPIRY_S, BRIEF_S = 30, 1
AWAY_S = 0.05
NONCE = 8     # octets; with the tag a header of 30
POLL_S = 0.1
STRANGE_TLS = b"\x16\x03\x09"   # a handshake record of a version that nobody knows


class ReferenceProxy(Role):
    """Variants: stateful; brief, the same with mappings that end after a second; nowhere, stateful towards a
    port where nobody is; crowded, more registrars than it has ports for; https-only, one registrar, over
    HTTPS; seeking, which is told no registrar for CoAPS and asks for one; browsing and grasp, which find
    registrars for HTTPS by DNS-SD or GRASP and announce themselves so."""
    profiles = ("rfc8995", "cbrski", "discovery")
    variants = ("stateful", "brief", "nowhere", "crowded", "https-only", "seeking", "browsing",
                "grasp")

    def __init__(self, lab, folder, rules, variant="plain", words=None):
        super().__init__(lab, folder, rules, variant)
        self.words = words
        self.upstream = {kind: address_of(words[f"registrar_{kind}"]) for kind in ("https", "coaps", "jpy")}
        self.tcp = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.ports = [JoinPort(self, *way) for way in self.ways()]
        self.finder = links.Answerer(self.links)
        self.addresses = {"circuit": self.tcp.getsockname(), "discovery": ("127.0.0.1", self.finder.port)}
        if self.ports:
            self.addresses["coaps"] = self.ports[0].udp.getsockname()
        self.finding = {"browsing": lambda: ProxyBrowsing(self, address_of(words["registrar_mdns"])),
                        "grasp": lambda: ProxyGrasp(self)}.get(variant, lambda: None)()
        if self.finding:
            self.addresses |= self.finding.addresses
        self.held = {}     # address of a device → its circuits
        self.stopping = threading.Event()
        self.threads = []

    # -- registrars for CoAPS

    def ways(self):
        """[(registrar, its join port)] where one of both may be missing; a port of ours for each."""
        if self.variant == "crowded":
            all_of_them = [address_of(place) for place in self.words["registrar_crowd"].split()]
            enough = self.rule("offers some of too many registrars")
            return [(place, None) for place in all_of_them[:REGISTRARS_MAX if enough else 0]]
        if self.variant in ("browsing", "grasp"):
            return []
        if self.variant == "https-only":
            return [] if self.rule("offers no way its registrar has not") else [(self.upstream["coaps"], None)]
        if self.variant == "seeking":
            return self.found()
        if self.variant == "nowhere":
            return [(address_of(self.words["registrar_nowhere"]), None)]
        return [(self.upstream["coaps"], self.upstream["jpy"] if self.variant == "plain" else None)]

    def found(self):
        """Who answers to the question for a join port; else nobody."""
        if not self.rule("asks for a registrar"):
            return []
        if not self.rule("asks without wildcards"):
            links.ask(address_of(self.words["registrar_finder"]), "rt=brski*")
        reply = links.ask(address_of(self.words["registrar_finder"]), "rt=brski.rjp")
        targets = [target for target, _ in links.parse(reply.text)] if reply else []
        return [(None, address_of(t.removeprefix("jpy://"))) for t in targets if t.startswith("jpy://")]

    def links(self, query):
        """What devices are told that ask for a way."""
        if query not in ("brski-jp=*", "brski-jp"):
            return b""
        target = "" if self.rule("tells its ports without an address") else "coaps://192.0.2.1"
        return ",".join(f"<{target}>;brski-jp={port.udp.getsockname()[1]}" for port in self.ports).encode()

    def start(self):
        self.finder.start()
        if self.finding:
            self.finding.start()
        for loop in (self.accept, self.datagrams):
            self.run(loop)
        return self

    def run(self, loop, *args):
        thread = threading.Thread(target=loop, args=args, daemon=True)
        self.threads.append(thread)
        thread.start()

    def stop(self):
        self.stopping.set()
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.tcp.close()
        for thread in self.threads:
            thread.join(5)
        self.finder.stop()
        if self.finding:
            self.finding.stop()
        for port in self.ports:
            port.close()

    # -- circuits

    def accept(self):
        while not self.stopping.is_set():
            try:
                device, address = self.tcp.accept()
            except OSError:
                return
            full = self.held.get(address[0], 0) >= CONNECTIONS_PER_NEIGHBOUR
            if full and self.rule("bounds the connections of one neighbour"):
                reset(device)
                continue
            self.held[address[0]] = self.held.get(address[0], 0) + 1
            if self.rule("serves devices side by side"):
                self.run(self.circuit, device, address[0])
            else:
                self.circuit(device, address[0])

    def circuit(self, device, neighbour):
        """One connection, until both directions have ended."""
        registrar = self.registrar()
        if registrar:
            Circuit(self, device, registrar).run()
        else:
            reset(device)
        self.held[neighbour] -= 1

    def registrar(self):
        """A connection to one of those it knows; None."""
        for place in self.finding.places() if self.finding else [self.upstream["https"]]:
            try:
                return socket.create_connection(place, 5)
            except OSError:
                if not self.finding or not self.finding.has_failed(place):
                    break
        return None

    # -- datagrams

    def datagrams(self):
        while not self.stopping.is_set():
            waiting = {s: port for port in self.ports for s in port.sockets()}
            for each in select.select(list(waiting), [], [], POLL_S)[0]:
                with contextlib.suppress(OSError):
                    waiting[each].take(each)


class JoinPort:
    """Where devices send what goes to one registrar."""

    def __init__(self, proxy, registrar, join_port):
        self.rule = proxy.rule
        self.udp = udp_socket()
        self.stateful = registrar and Stateful(self, registrar, BRIEF_S if proxy.variant == "brief" else EXPIRY_S)
        self.stateless = join_port and Stateless(self, join_port)
        self.ways = [way for way in (self.stateful, self.stateless) if way]

    def sockets(self):
        return [self.udp, *(s for way in self.ways for s in way.sockets())]

    def close(self):
        for each in self.sockets():
            each.close()

    def take(self, each):
        """Something has come to one of the sockets."""
        way = next((way for way in self.ways if each in way.sockets()), None)
        try:
            octets, address = each.recvfrom(65536)
        except ConnectionError:
            if way is self.stateful and self.rule("passes errors on"):
                self.be_away()
            return
        if way:
            way.from_registrar(each, octets, address)
        else:
            for way in self.chosen():
                way.from_device(octets, address)

    def chosen(self):
        return self.ways if not self.stateless or not self.rule("prefers the join port") else [self.stateless]

    def be_away(self):
        """Whoever sends meanwhile is told that nobody is here: by the kernel, since nobody else may."""
        address = self.udp.getsockname()
        self.udp.close()
        time.sleep(AWAY_S)
        self.udp = udp_socket(address)


class Circuit:
    """Two connections and what flows between them."""

    def __init__(self, proxy, device, registrar):
        self.proxy, self.rule = proxy, proxy.rule
        self.other = {device: registrar, registrar: device}
        self.open = {device, registrar}     # that may still say something

    def run(self):
        try:
            while self.open and not self.proxy.stopping.is_set():
                for each in select.select(list(self.open), [], [], POLL_S)[0]:
                    self.pass_on(each)
        except OSError:
            self.broken()
        for each in self.other:
            each.close()

    def pass_on(self, each):
        octets = each.recv(65536)
        if octets:
            if octets.startswith(STRANGE_TLS) and not self.rule("does not look into what it relays"):
                octets = octets.replace(STRANGE_TLS, b"\x16\x03\x01")
            if not self.rule("logs nothing of what it relays"):
                self.proxy.write_log(octets.hex())
            self.other[each].sendall(octets)
            return
        self.open.discard(each)
        if self.rule("passes a half-close on"):
            self.other[each].shutdown(socket.SHUT_WR)
        else:
            self.open.clear()

    def broken(self):
        if self.rule("passes a reset on"):
            for each in self.other:
                reset(each)


class Stateful:
    """A socket towards the registrar for each device."""

    def __init__(self, port, registrar, expiry_s):
        self.port, self.rule, self.registrar, self.expiry_s = port, port.rule, registrar, expiry_s
        self.by_device, self.by_socket, self.used = {}, {}, {}

    def sockets(self):
        return list(self.by_socket)

    def from_device(self, octets, address):
        self.forget()
        if address not in self.by_device:
            mine = sum(host == address[0] for host, _ in self.by_device)
            if mine >= MAPPINGS_PER_NEIGHBOUR and self.rule("bounds the mappings of one neighbour"):
                return
            shared = next(iter(self.by_socket), None)
            fresh = shared is None or self.rule("gives each device a source port")
            made = self.towards_registrar() if fresh else shared
            self.by_device[address], self.by_socket[made] = made, address
        self.used[address] = time.monotonic()
        self.by_device[address].send(octets)

    def towards_registrar(self):
        made = udp_socket()
        made.connect(self.registrar)
        return made

    def from_registrar(self, each, octets, _address):
        self.forget()
        if each in self.by_socket:
            self.used[self.by_socket[each]] = time.monotonic()
            self.port.udp.sendto(octets, self.by_socket[each])

    def forget(self):
        """Who has been silent, in both directions."""
        for address in [a for a, at in self.used.items() if time.monotonic() - at > self.expiry_s]:
            if self.rule("forgets who is silent"):
                gone = self.by_device.pop(address)
                self.used.pop(address)
                if self.by_socket.pop(gone, None):
                    gone.close()


class Stateless:
    """One socket towards the registrar; who a device is travels along, sealed."""

    def __init__(self, port, registrar):
        self.port, self.rule, self.registrar = port, port.rule, registrar
        self.key = AESGCM(AESGCM.generate_key(128))
        self.socket = udp_socket()
        self.others = []

    def sockets(self):
        return [self.socket, *self.others]

    def from_device(self, octets, address):
        header = self.seal(address, b"" if self.rule("keeps the header short") else bytes(16))
        self.last = address
        parts = [header, octets] if self.rule("sends arrays of two byte strings") else [header, octets, b""]
        towards = self.socket
        if not self.rule("has one source port for all devices"):
            towards = udp_socket()
            self.others.append(towards)
        towards.sendto(cbor2.dumps(parts), self.registrar)

    def from_registrar(self, _each, octets, _address):
        try:
            header, content = cbor2.loads(octets)[:2]
            device = self.opened(header)
            if self.last != device and not self.rule("knows the header that comes back"):
                device = self.last
        except Exception:  # whatever came: it is dropped
            return
        self.port.udp.sendto(content, device)

    def seal(self, address, padding):
        nonce = os.urandom(NONCE)
        return nonce + self.key.encrypt(nonce, packed(address) + padding, None)

    def opened(self, header):
        """The device a header names; an exception when it was not sealed here."""
        try:
            return unpacked(self.key.decrypt(header[:NONCE], header[NONCE:], None))
        except Exception:
            if self.rule("opens only what it has sealed"):
                raise
            return self.last


def packed(address):
    return socket.inet_aton(address[0]) + struct.pack("!H", address[1])


def unpacked(octets):
    return socket.inet_ntoa(octets[:4]), struct.unpack_from("!H", octets, 4)[0]


def address_of(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def udp_socket(address=("127.0.0.1", 0)):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(address)
    return made


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
