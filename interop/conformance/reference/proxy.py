# SPDX-License-Identifier: Apache-2.0
"""An honest join proxy (RFC 8995 §4, draft-ietf-anima-constrained-join-proxy): circuits for HTTPS, and for
CoAPS stateless relaying, or stateful in the configuration of that name."""
import contextlib
import os
import select
import socket
import struct
import threading

import cbor2
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .rules import Role

CONNECTIONS_PER_NEIGHBOUR = 8
MAPPINGS_PER_NEIGHBOUR = 2
NONCE = 8     # octets; with the tag a header of 30
POLL_S = 0.1
STRANGE_TLS = b"\x16\x03\x09"   # a handshake record of a version that nobody knows


class ReferenceProxy(Role):
    profiles = ("rfc8995", "cbrski")
    variants = ("stateful",)

    def __init__(self, lab, folder, rules, variant="plain", words=None):
        super().__init__(lab, folder, rules, variant)
        self.upstream = {kind: address_of(words[f"registrar_{kind}"]) for kind in ("https", "coaps", "jpy")}
        self.tcp = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.udp = udp_socket()
        self.stateful, self.stateless = Stateful(self), Stateless(self)
        self.addresses = {"circuit": self.tcp.getsockname(), "coaps": self.udp.getsockname()}
        self.held = {}     # address of a device → its circuits
        self.stopping = threading.Event()
        self.threads = []

    def start(self):
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
        self.stateful.close()
        self.stateless.close()
        self.udp.close()

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
        try:
            registrar = socket.create_connection(self.upstream["https"], 5)
        except OSError:
            reset(device)
        else:
            Circuit(self, device, registrar).run()
        self.held[neighbour] -= 1

    # -- datagrams

    def datagrams(self):
        while not self.stopping.is_set():
            waiting = [self.udp, *self.stateful.sockets(), *self.stateless.sockets()]
            for each in select.select(waiting, [], [], POLL_S)[0]:
                with contextlib.suppress(OSError):
                    octets, address = each.recvfrom(65536)
                    if each is self.udp:
                        self.from_device(octets, address)
                    else:
                        way = self.stateful if each in self.stateful.by_socket else self.stateless
                        way.from_registrar(each, octets, address)

    def from_device(self, octets, address):
        """Stateless where the registrar can, which it can but in the configuration "stateful"."""
        if self.variant == "stateful" or not self.rule("prefers the join port"):
            self.stateful.from_device(octets, address)
        if self.variant != "stateful":
            self.stateless.from_device(octets, address)


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
        except ConnectionError:
            self.broken()
        for each in self.other:
            each.close()

    def pass_on(self, each):
        octets = each.recv(65536)
        if octets:
            if octets.startswith(STRANGE_TLS) and not self.rule("does not look into what it relays"):
                octets = octets.replace(STRANGE_TLS, b"\x16\x03\x01")
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

    def __init__(self, proxy):
        self.proxy, self.rule = proxy, proxy.rule
        self.by_device, self.by_socket = {}, {}

    def sockets(self):
        return list(self.by_socket)

    def close(self):
        for each in self.by_socket:
            each.close()

    def from_device(self, octets, address):
        if address not in self.by_device:
            mine = sum(host == address[0] for host, _ in self.by_device)
            if mine >= MAPPINGS_PER_NEIGHBOUR and self.rule("bounds the mappings of one neighbour"):
                return
            shared = next(iter(self.by_socket), None)
            fresh = shared is None or self.rule("gives each device a source port")
            made = udp_socket() if fresh else shared
            self.by_device[address], self.by_socket[made] = made, address
        self.by_device[address].sendto(octets, self.proxy.upstream["coaps"])

    def from_registrar(self, each, octets, address):
        if address == self.proxy.upstream["coaps"]:
            self.proxy.udp.sendto(octets, self.by_socket[each])


class Stateless:
    """One socket towards the registrar; who a device is travels along, sealed."""

    def __init__(self, proxy):
        self.proxy, self.rule = proxy, proxy.rule
        self.key = AESGCM(AESGCM.generate_key(128))
        self.socket = udp_socket()
        self.others = []

    def sockets(self):
        return [self.socket, *self.others]

    def close(self):
        for each in self.sockets():
            each.close()

    def from_device(self, octets, address):
        header = self.seal(address, b"" if self.rule("keeps the header short") else bytes(16))
        self.last = address
        parts = [header, octets] if self.rule("sends arrays of two byte strings") else [header, octets, b""]
        towards = self.socket
        if not self.rule("has one source port for all devices"):
            towards = udp_socket()
            self.others.append(towards)
        towards.sendto(cbor2.dumps(parts), self.proxy.upstream["jpy"])

    def from_registrar(self, _each, octets, _address):
        try:
            header, content = cbor2.loads(octets)[:2]
            device = self.opened(header)
        except Exception:  # whatever came: it is dropped
            return
        self.proxy.udp.sendto(content, device)

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


def udp_socket():
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    return made


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
