# SPDX-License-Identifier: Apache-2.0
"""Links between hosts that lose, delay, repeat, reorder and shorten, or are cut.

A Line is what a story says of a link and what has happened on it; one Pump, a thread, moves what is
on the lines of a place. Over loopback a line has relays (DatagramRelay, StreamRelay) before the
ports of its two hosts; between network namespaces it is a Wire that carries whole frames. What is
random comes from the seed of the line, with a sequence of its own for each way.
"""
import array
import collections
import contextlib
import fcntl
import heapq
import itertools
import random
import selectors
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

UP, DOWN = "up", "down"      # towards the second host of the link, towards the first
HELD_S = 0.06                # how much later a reordered datagram comes, so that others pass it
RESENT_S = 0.2               # a segment lost by TCP over loopback comes this much later
HEADERS = 28                 # of IPv4 and UDP: the MTU counts them, a datagram does not
BUFFER = 1 << 20
CHUNK = 1400                 # octets of a stream that are lost or delayed together
ETHERTYPE_IP, ETHERNET_HEADER = 0x0800, 14
ALL_PROTOCOLS, OUTGOING = 0x0003, 4
SIOCETHTOOL, SET_TX_CHECKSUM = 0x8946, 0x17


@dataclass
class Line:
    """One link. loss, duplicate, reorder: shares of 1; delay, jitter: seconds one way."""
    ends: tuple
    loss: float = 0
    delay: float = 0
    jitter: float = 0
    duplicate: float = 0
    reorder: float = 0
    mtu: int = 1500
    seed: int = 1
    link_local: bool = False  # its ends have link-local IPv6 addresses besides
    is_cut: bool = False
    count: collections.Counter = field(default_factory=collections.Counter)

    def __post_init__(self):
        self.random = {way: random.Random(f"{self.seed} {way}") for way in (UP, DOWN)}
        self.held = []  # what of streams waits for the end of a cut: functions

    @property
    def is_perfect(self):
        return not (self.loss or self.delay or self.jitter or self.duplicate or self.reorder)

    def fate(self, way, size):
        """When the copies of this datagram come, in seconds from now; [] when none does. Always the
        same number of draws, so that the fate of the next does not hang on this one's."""
        draw = self.random[way]
        lost, twice, late = draw.random(), draw.random(), draw.random()
        waits = [self.delay + self.jitter * draw.random() for _ in range(2)]
        self.count["sent"] += 1
        if self.is_cut:
            self.count["cut"] += 1
            return []
        if size > self.mtu:
            self.count["too long"] += 1
            return []
        if lost < self.loss:
            self.count["lost"] += 1
            return []
        if late < self.reorder:
            self.count["reordered"] += 1
            waits[0] += HELD_S
        if twice < self.duplicate:
            self.count["repeated"] += 1
            return [waits[0], waits[1] + HELD_S / 2]
        return waits[:1]

    def lateness(self, way):
        """How much later a piece of a stream comes: lost pieces are sent again by TCP."""
        draw, late = self.random[way], self.delay
        self.count["sent"] += 1
        while draw.random() < self.loss:
            self.count["lost"] += 1
            late += RESENT_S
        return late


class Pump:
    """One thread that waits for sockets and for the time of what is under way."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.queue, self.order = [], itertools.count()
        self.lock, self.stopping = threading.RLock(), threading.Event()
        self.near, self.far = socket.socketpair()  # wakes it
        self.selector.register(self.far, selectors.EVENT_READ, lambda: self.far.recv(4096))
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def watch(self, sock, ready):
        with self.lock:
            self.selector.register(sock, selectors.EVENT_READ, ready)
        self._wake()

    def forget(self, sock):
        with self.lock, contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(sock)

    def at(self, when, do, *what):
        """do(*what) when time.monotonic() has come so far."""
        with self.lock:
            heapq.heappush(self.queue, (when, next(self.order), do, what))
        self._wake()

    def _wake(self):
        with contextlib.suppress(OSError):
            self.near.send(b".", socket.MSG_DONTWAIT)

    def _run(self):
        while not self.stopping.is_set():
            with self.lock:
                left = self.queue[0][0] - time.monotonic() if self.queue else None
            events = self.selector.select(left if left is None else max(0, left))
            with self.lock:
                for key, _ in events:
                    if key.fileobj.fileno() >= 0:
                        key.data()
                while self.queue and self.queue[0][0] <= time.monotonic():
                    _, _, do, what = heapq.heappop(self.queue)
                    with contextlib.suppress(OSError):
                        do(*what)

    def stop(self):
        self.stopping.set()
        self._wake()
        self.thread.join(5)
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.near.close()


def cut(line):
    line.is_cut = True


def mend(line):
    """What streams held back goes on its way now."""
    line.is_cut = False
    held, line.held = line.held, []
    for do in held:
        do()


# -- over loopback

class DatagramRelay:
    """Stands before a UDP port; every peer has a socket of its own behind it."""

    def __init__(self, pump, line, way, port):
        self.pump, self.line, self.target = pump, line, ("127.0.0.1", port)
        self.there, self.back = way, DOWN if way == UP else UP
        self.front = self._socket()
        self.front.bind(("127.0.0.1", 0))
        self.port = self.front.getsockname()[1]
        self.peers = {}
        pump.watch(self.front, lambda: self._drain(self.front, None))

    @staticmethod
    def _socket():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        made.setblocking(False)
        return made

    def _drain(self, sock, peer):
        while True:
            try:
                datagram, address = sock.recvfrom(65536)
            except BlockingIOError:
                return
            except OSError:
                continue  # nobody listens there: as good as lost
            way = self.back if peer else self.there
            for wait in self.line.fate(way, len(datagram) + HEADERS):
                self.pump.at(time.monotonic() + wait, self._send, datagram, peer, address)

    def _send(self, datagram, peer, address):
        if peer:
            self.front.sendto(datagram, peer)
            return
        if address not in self.peers:
            self.peers[address] = behind = self._socket()
            behind.connect(self.target)
            self.pump.watch(behind, lambda: self._drain(behind, address))
        self.peers[address].send(datagram)


class StreamRelay:
    """Stands before a TCP port. Over loopback nothing of a stream is lost: it comes later."""

    def __init__(self, pump, line, way, port):
        self.pump, self.line, self.target = pump, line, ("127.0.0.1", port)
        self.there, self.back = way, DOWN if way == UP else UP
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        pump.watch(self.listener, self._accept)

    def _accept(self):
        client, _ = self.listener.accept()
        if not self.line.is_cut:
            self._connect(client)
        else:
            self.line.held.append(lambda: self._connect(client))

    def _connect(self, client):
        try:
            server = socket.create_connection(self.target, timeout=5)
        except OSError:
            client.close()
            return
        for source, sink, way in ((client, server, self.there), (server, client, self.back)):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sink.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
            OneWay(self.pump, self.line, way, source, sink)


class OneWay:
    """The octets of one connection in one way: they come in order, whatever is late."""

    def __init__(self, pump, line, way, source, sink):
        self.pump, self.line, self.way, self.source, self.sink = pump, line, way, source, sink
        self.due = 0
        pump.watch(source, self._ready)

    def _ready(self):
        try:
            octets = self.source.recv(CHUNK)
        except OSError:
            octets = b""
        if not octets:
            self.pump.forget(self.source)
        self._carry(octets)

    def _carry(self, octets):
        if self.line.is_cut:
            self.line.held.append(lambda: self._carry(octets))
            return
        self.due = max(self.due, time.monotonic() + self.line.lateness(self.way))
        self.pump.at(self.due, self._deliver, octets)

    def _deliver(self, octets):
        try:
            if octets:
                self.sink.sendall(octets)
            else:
                self.sink.shutdown(socket.SHUT_WR)
        except OSError:
            self.pump.forget(self.source)
            with contextlib.suppress(OSError):
                self.source.shutdown(socket.SHUT_RD)


# -- between namespaces

class Wire:
    """Carries frames from one interface to another, both in the namespace of whoever makes it. The
    fate is that of IP packets; what finds addresses is never lost."""

    def __init__(self, pump, line, first, second):
        self.pump, self.line = pump, line
        self.taps = {UP: self._tap(first), DOWN: self._tap(second)}  # where frames of the way come in
        for way, other in ((UP, DOWN), (DOWN, UP)):
            pump.watch(self.taps[way], lambda w=way, o=other: self._drain(w, self.taps[o]))

    @staticmethod
    def _tap(interface):
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
        tap.bind((interface, 0))
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        tap.setblocking(False)
        return tap

    def _drain(self, way, out):
        while True:
            try:
                frame, address = self.taps[way].recvfrom(65536)
            except OSError:
                return
            if address[2] == OUTGOING:
                continue
            now = time.monotonic()
            if struct.unpack_from("!H", frame, 12)[0] == ETHERTYPE_IP:
                waits = self.line.fate(way, len(frame) - ETHERNET_HEADER)
            else:
                waits = [] if self.line.is_cut else [self.line.delay]
            for wait in waits:
                self.pump.at(now + wait, out.send, frame)


def whole_checksums(interface):
    """Have this interface (of our namespace) write checksums into what it sends: a Wire knows nothing
    of those a kernel has left out."""
    value = array.array("B", struct.pack("II", SET_TX_CHECKSUM, 0))
    request = struct.pack("16sP", interface.encode(), value.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCETHTOOL, request)
