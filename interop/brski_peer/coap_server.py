# SPDX-License-Identifier: Apache-2.0
"""A server for CoAP (RFC 7252) with block-wise transfer (RFC 7959) over DTLS that lies: every request is
recorded, every answer is a function's.
"""
import itertools
import os
import socket
import threading
import time
from dataclasses import dataclass, field

from . import dtls
from .coap import (ABBREV, ACCEPT, ACK, BLOCK1, BLOCK2, CON, CONTENT_FORMAT, CONTINUE, EMPTY, ETAG, GET,
                   INCOMPLETE, Malformed, Message, NON, POST, RST, block, code, readable, uint)


@dataclass
class Request:
    method: str
    path: str
    body: bytes
    content_format: int
    accept: int
    connection: int
    link: dtls.Link
    message: Message  # its last block
    at: float

    @property
    def step(self):
        return self.path.rsplit("/", 1)[-1]


@dataclass
class Answer:
    code: str = "2.04"
    body: bytes = b""
    content_format: int = None
    options: list = field(default_factory=list)
    separate: float = None    # seconds between an empty ACK and the answer
    silent: bool = False      # no answer at all, not even an ACK
    delay: float = 0          # before a piggybacked answer
    etag: bytes = None        # of every block; "changing": another one for each block
    close: bool = False       # close_notify after a piggybacked answer


class _Association:
    def __init__(self, server, address, number):
        self.server, self.address, self.number = server, address, number
        self.link = dtls.Link(server.context, server.mtu)
        self.uploads, self.answers, self.downloads = {}, {}, {}
        self.greeted = False

    def transmit(self, datagrams):
        for datagram in datagrams:
            self.server.transmit(datagram, self.address)

    def send(self, message):
        if not self.link.ended:
            self.transmit(self.link.say(message.encode()))


class Server:
    """handle(request) decides; None: silence. One thread, one port, many associations.

    szx: of the blocks it sends and admits          mtu: of the handshake
    drop: function of (datagram, "in" | "out"), true: lost
    """

    def __init__(self, identity, port=0, szx=5, mtu=1024, ciphers=dtls.CIPHERS, cookies=True,
                 host="127.0.0.1"):
        self.context = dtls.Context(identity, server=True, ciphers=ciphers, cookies=cookies)
        self.szx, self.mtu = szx, mtu
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, port))
        self.port = self.socket.getsockname()[1]
        self.associations, self.candidates = {}, {}
        self.requests, self.messages = [], []
        self.datagrams = []       # sizes of what came
        self.connections, self.later = 0, []
        self.ended = []           # why associations are over
        self.drop = lambda _datagram, _way: False
        self.observer = lambda request, answer: None  # told of all
        self.ids = itertools.count(1)
        self.failure = None
        self.changed, self.stopping = threading.Condition(), threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    # -- life

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.stopping.set()
        self.thread.join(5)
        self.socket.close()
        if self.failure:
            raise self.failure

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    # -- what tests ask

    def seen(self, step=None):
        with self.changed:
            return [r for r in self.requests if step is None or r.step == step]

    def steps(self):
        return [r.step for r in self.seen()]

    def wait_seen(self, step, count=1, timeout=20):
        with self.changed:
            self.changed.wait_for(
                lambda: sum(r.step == step for r in self.requests) >= count, timeout)
        found = self.seen(step)
        assert len(found) >= count, f"{len(found)} of {count} requests for {step}; {self.steps()}"
        return found

    def hang_up(self):
        """close_notify to everybody."""
        self.later.append((0, self._close_all))

    def handle(self, request):
        raise NotImplementedError

    # -- datagrams

    def transmit(self, datagram, address):
        if not self.drop(datagram, "out"):
            self.socket.sendto(datagram, address)

    def _run(self):
        try:
            while not self.stopping.is_set():
                if readable(self.socket, self._patience()):
                    datagram, address = self.socket.recvfrom(65536)
                    self.datagrams.append(len(datagram))
                    if not self.drop(datagram, "in"):
                        self._receive(datagram, address)
                self._do_what_is_due()
        except Exception as e:  # shown by stop(), in the thread of the test
            self.failure = e

    def _patience(self):
        due = [at - time.monotonic() for at, _ in self.later]
        due += [t for a in self.candidates.values() if (t := a.link.timeout()) is not None]
        return max(0, min(due + [0.1]))

    def _do_what_is_due(self):
        now = time.monotonic()
        due = [action for at, action in self.later if at <= now]
        self.later = [(at, action) for at, action in self.later if at > now]
        for action in due:
            action()
        for a in self.candidates.values():
            if a.link.timeout() == 0:
                a.transmit(a.link.on_timeout())

    def _receive(self, datagram, address):
        association = self._of(datagram, address)
        association.transmit(association.link.feed(datagram))
        if association.link.established and self.candidates.get(address) is association:
            self.associations[address] = self.candidates.pop(address)
        while association.link.inbox:
            octets = association.link.inbox.pop(0)
            try:
                message = Message.decode(octets)
            except Malformed:
                continue
            self.messages.append(message)
            self._take(association, message)
        if association.link.ended:
            self.ended.append(association.link.ended)
            for known in (self.associations, self.candidates):
                if known.get(address) is association:
                    del known[address]

    def _of(self, datagram, address):
        """Whose datagram it is. A handshake replaces what its peer had only when it is complete: its
        ClientHello may be an old one that was under way for long (RFC 6347 §4.2.8)."""
        if datagram[3:5] != b"\0\0" and address in self.associations:
            return self.associations[address]
        if address not in self.candidates:
            self.connections += 1
            self.candidates[address] = _Association(self, address, self.connections)
        return self.candidates[address]

    def _close_all(self):
        for a in self.associations.values():
            a.transmit(a.link.close())
        self.associations.clear()

    # -- messages

    def _take(self, association, message):
        if message.type in (ACK, RST) or not 0 < message.code < 32:
            return
        before = association.answers.get(message.id)
        if before is not None:
            association.send(before)
            return
        self.close_after = False
        answer = self._answer_block(association, message)
        if answer is None:
            return
        self._deliver(association, message, *answer)
        if self.close_after:
            association.transmit(association.link.close())
            self.associations.pop(association.address, None)

    def _answer_block(self, association, message):
        """(message, separate, delay); None: silence."""
        key = (message.code, message.path, message.option(ABBREV))
        part1, part2 = message.block(BLOCK1), message.block(BLOCK2)
        if part2 and part2[0] and key in association.downloads:
            return self._slice(association, association.downloads[key], part2, [])
        body, options = message.payload, []
        if part1:
            num, more, szx = part1
            if num == 0:
                association.uploads[key] = b""
            held = association.uploads.get(key, b"")
            if num << (szx + 4) != len(held):
                return Message(code=INCOMPLETE), None, 0
            held += message.payload
            association.uploads[key] = held
            options = [(BLOCK1, block(num, more, min(szx, self._szx(association))))]
            if more:
                return Message(code=CONTINUE, options=options), None, 0
            body = association.uploads.pop(key)
        request = Request({GET: "GET", POST: "POST"}.get(message.code, "?"), message.path, body,
                          message.content_format, message.number(ACCEPT), association.number,
                          association.link, message, time.monotonic())
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()
        answer = self.handle(request)
        self.observer(request, answer)
        if answer is None or answer.silent:
            return None
        association.downloads[key] = answer
        self.close_after = answer.close
        return self._slice(association, answer, part2 or (0, False, self.szx), options)

    def _slice(self, association, answer, part, options):
        num, _, szx = part
        szx = min(szx, self._szx(association))
        size = 16 << szx
        offset = part[0] << (part[2] + 4)
        piece = answer.body[offset:offset + size]
        options = options + list(answer.options)
        if answer.content_format is not None:
            options.append((CONTENT_FORMAT, uint(answer.content_format)))
        if len(answer.body) > size or num:
            more = offset + size < len(answer.body)
            options.append((BLOCK2, block(offset // size, more, szx)))
            tag = answer.etag or b"\x01\x02"
            options.append((ETAG, os.urandom(4) if tag == "changing" else tag))
        return Message(code=code(answer.code), options=options, payload=piece), answer.separate, \
            answer.delay

    def _szx(self, association):
        return min(self.szx, 4 if association.link.max_fragment == 512 else 6)

    def _deliver(self, association, request, answer, separate, delay):
        answer.token = request.token
        if separate is None:
            answer.type, answer.id = (ACK, request.id) if request.type == CON else \
                (NON, next(self.ids) & 0xFFFF)
            association.answers[request.id] = answer
            if delay:
                self.later.append((time.monotonic() + delay, lambda: association.send(answer)))
            else:
                association.send(answer)
            return
        association.answers[request.id] = Message(ACK, EMPTY, request.id)
        association.send(association.answers[request.id])
        answer.type, answer.id = CON, next(self.ids) & 0xFFFF
        self.later.append((time.monotonic() + separate, lambda: association.send(answer)))
