# SPDX-License-Identifier: Apache-2.0
"""A bad link for datagrams: loses, delays, repeats, reorders, and drops what is too long.

    with Relay(registrar_port, loss=0.1, duplicate=0.05, reorder=0.1, seed=7) as link:
        … talk to link.port …
    link.count["lost"]

Each way has its own generator made from the seed, so that what happens to the nth datagram of a way
does not depend on the other way. Every peer keeps a socket of its own towards the server, as behind
a NAT; rebind() gives them all new ones.
"""
import collections
import heapq
import itertools
import random
import select
import socket
import threading
import time

UP, DOWN = "up", "down"  # towards the server, towards its clients
HELD_S = 0.06            # how long a reordered datagram waits, so that others pass it


class Relay:
    """loss, duplicate, reorder: shares of 1. delay, jitter: seconds one way. mtu: octets of a
    datagram; longer ones vanish. lose: function of (way, number from 1, datagram), true: lost."""

    def __init__(self, server_port, loss=0, duplicate=0, reorder=0, delay=0, jitter=0, mtu=65535,
                 seed=1, lose=None, host="127.0.0.1"):
        self.server = (host, server_port)
        self.loss, self.duplicate, self.reorder = loss, duplicate, reorder
        self.delay, self.jitter, self.mtu, self.lose = delay, jitter, mtu, lose
        self.random = {UP: random.Random(f"{seed} up"), DOWN: random.Random(f"{seed} down")}
        self.front = self._socket()
        self.front.bind((host, 0))
        self.port = self.front.getsockname()[1]
        self.sockets = {}    # address of a peer → its socket towards the server
        self.retired = []    # of before a rebinding: what still comes there is nobody's
        self.count = collections.Counter()
        self.numbers = {UP: 0, DOWN: 0}
        self.longest = {UP: 0, DOWN: 0}
        self.queue, self.order = [], itertools.count()
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    @staticmethod
    def _socket():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        s.setblocking(False)
        return s

    # -- life

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.stopping.set()
        self.thread.join(5)
        for s in [self.front, *self.sockets.values(), *self.retired]:
            s.close()

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    def rebind(self):
        """From now on every peer comes from another port."""
        with self.lock:
            self.retired += self.sockets.values()
            self.sockets.clear()
            self.count["rebound"] += 1

    def cut(self, way=None):
        """Lose everything from now on, or everything of one way."""
        self.lose = lambda w, _number, _datagram: way is None or w == way

    def mend(self):
        self.lose = None

    # -- the link

    def _run(self):
        while not self.stopping.is_set():
            with self.lock:
                owners = {s: peer for peer, s in self.sockets.items()}
            patience = 0.05
            if self.queue:
                patience = min(patience, max(0, self.queue[0][0] - time.monotonic()))
            for s in select.select([self.front, *owners], [], [], patience)[0]:
                self._drain(s, owners.get(s))
            self._deliver()

    def _drain(self, s, owner):
        while True:
            try:
                datagram, address = s.recvfrom(65536)
            except BlockingIOError:
                return
            except OSError:
                continue  # nobody listens behind it: as good as lost
            self._pass(DOWN if owner else UP, datagram, owner or address)

    def _pass(self, way, datagram, peer):
        """Decide about one datagram: always the same number of draws, whatever happens to it."""
        draw = self.random[way]
        lost, twice, held = draw.random(), draw.random(), draw.random()
        waits = [self.delay + self.jitter * draw.random() for _ in range(2)]
        self.numbers[way] += 1
        self.longest[way] = max(self.longest[way], len(datagram))
        self.count["passed"] += 1
        self.count[way] += 1
        if len(datagram) > self.mtu:
            self.count["too long"] += 1
        elif lost < self.loss or self.lose and self.lose(way, self.numbers[way], datagram):
            self.count["lost"] += 1
        else:
            if held < self.reorder:
                self.count["reordered"] += 1
                waits[0] += HELD_S
            self._queue(way, datagram, peer, waits[0])
            if twice < self.duplicate:
                self.count["repeated"] += 1
                self._queue(way, datagram, peer, waits[1] + HELD_S / 2)

    def _queue(self, way, datagram, peer, wait):
        heapq.heappush(self.queue, (time.monotonic() + wait, next(self.order), way, datagram, peer))

    def _deliver(self):
        while self.queue and self.queue[0][0] <= time.monotonic():
            _, _, way, datagram, peer = heapq.heappop(self.queue)
            try:
                if way == DOWN:
                    self.front.sendto(datagram, peer)
                else:
                    self._upstream(peer).send(datagram)
            except OSError:
                self.count["undeliverable"] += 1

    def _upstream(self, peer):
        with self.lock:
            if peer not in self.sockets:
                self.sockets[peer] = self._socket()
                self.sockets[peer].connect(self.server)
            return self.sockets[peer]
