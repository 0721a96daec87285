# SPDX-License-Identifier: Apache-2.0
"""CoAP (RFC 7252) with block-wise transfer (RFC 7959) over DTLS: messages, and a client that does
what it is told, right or wrong. The server is in coap_server.py.

    with Client(port, identity) as client:
        reply = client.get("/.well-known/est/crts", accept=281)       # all blocks of it
        client.say(b"\\x40")                                           # a record of garbage
        client.throw(b"garbage")                                       # a datagram of garbage
        client.exchange(Message(CON, POST, options=…))                # one message, one answer

Nothing is judged here except what makes an answer unreadable.
"""
import itertools
import os
import select
import socket
import time
from dataclasses import dataclass, field

from . import dtls

CON, NON, ACK, RST = range(4)
EMPTY, GET, POST, PUT, DELETE = 0x00, 0x01, 0x02, 0x03, 0x04
CONTINUE, INCOMPLETE, TOO_LARGE = 0x5F, 0x88, 0x8D
ETAG, URI_PATH, CONTENT_FORMAT, ABBREV, MAX_AGE, URI_QUERY, ACCEPT = 4, 11, 12, 13, 14, 15, 17
BLOCK2, BLOCK1, SIZE2, SIZE1, REQUEST_TAG = 23, 27, 28, 60, 292

ACK_TIMEOUT_S, ACK_RANDOM, RETRANSMISSIONS = 2.0, 1.5, 4


class Malformed(Exception):
    """Octets that are no CoAP message."""


class Silence(Exception):
    """No answer came, or the association ended instead."""


def code(dotted):
    """2.05 → 0x45"""
    klass, detail = dotted.split(".")
    return int(klass) << 5 | int(detail)


def dotted(number):
    return f"{number >> 5}.{number & 31:02d}"


def uint(value):
    """Shortest form; zero is empty (RFC 7252 §3.2)."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def block(num, more, szx):
    return uint(num << 4 | bool(more) << 3 | szx)


def readable(sock, timeout):
    """Has something come? By poll(): select() knows a thousand descriptors only."""
    arrived = select.poll()
    arrived.register(sock, select.POLLIN)
    return bool(arrived.poll(max(0, timeout) * 1000))


def path_options(path):
    """Options of "/a/b?c"."""
    path, _, query = path.partition("?")
    options = [(URI_PATH, segment.encode()) for segment in path.strip("/").split("/") if segment]
    return options + [(URI_QUERY, part.encode()) for part in query.split("&") if part]


def _nibble(number):
    """(nibble, extension) of an option's delta or length."""
    if number < 13:
        return number, b""
    if number < 269:
        return 13, bytes([number - 13])
    return 14, (number - 269).to_bytes(2, "big")


@dataclass
class Message:
    type: int = CON
    code: int = GET
    id: int = 0
    token: bytes = b""
    options: list = field(default_factory=list)  # (number, value), any order
    payload: bytes = b""

    def encode(self):
        out = bytes([0x40 | self.type << 4 | len(self.token), self.code])
        out += self.id.to_bytes(2, "big") + self.token
        before = 0
        for number, value in sorted(self.options, key=lambda option: option[0]):
            delta, more_delta = _nibble(number - before)
            length, more_length = _nibble(len(value))
            out += bytes([delta << 4 | length]) + more_delta + more_length + value
            before = number
        return out + (b"\xff" + self.payload if self.payload else b"")

    @staticmethod
    def decode(octets):
        if len(octets) < 4 or octets[0] >> 6 != 1:
            raise Malformed(octets[:16].hex())
        token_length = octets[0] & 15
        if token_length > 8 or len(octets) < 4 + token_length:
            raise Malformed("token")
        message = Message(octets[0] >> 4 & 3, octets[1], int.from_bytes(octets[2:4], "big"),
                          octets[4:4 + token_length])
        message._read_options(octets[4 + token_length:])
        return message

    def _read_options(self, rest):
        number = 0
        while rest:
            if rest[0] == 0xFF:
                if len(rest) == 1:
                    raise Malformed("a payload marker without a payload")
                self.payload = rest[1:]
                return
            delta, length, rest = rest[0] >> 4, rest[0] & 15, rest[1:]
            delta, rest = self._extended(delta, rest)
            length, rest = self._extended(length, rest)
            if len(rest) < length:
                raise Malformed("an option beyond the end")
            number += delta
            self.options.append((number, rest[:length]))
            rest = rest[length:]

    @staticmethod
    def _extended(nibble, rest):
        octets = {13: 1, 14: 2}.get(nibble, 0)
        if nibble == 15 or len(rest) < octets:
            raise Malformed("option header")
        base = {13: 13, 14: 269}.get(nibble, nibble)
        return base + int.from_bytes(rest[:octets], "big"), rest[octets:]

    # -- reading

    def all(self, number):
        return [value for n, value in self.options if n == number]

    def option(self, number):
        return next(iter(self.all(number)), None)

    def number(self, number):
        """A uint option; None when it is absent."""
        value = self.option(number)
        return None if value is None else int.from_bytes(value, "big")

    def block(self, number):
        """(num, more, szx), or None."""
        value = self.number(number)
        return None if value is None else (value >> 4, bool(value & 8), value & 7)

    @property
    def path(self):
        return "/" + "/".join(v.decode("utf-8", "replace") for v in self.all(URI_PATH))

    @property
    def said(self):
        """The code as it is written: "2.05"."""
        return dotted(self.code)

    @property
    def content_format(self):
        return self.number(CONTENT_FORMAT)

    @property
    def text(self):
        return self.payload.decode("utf-8", "replace")

    def __str__(self):
        return f"{self.said} {self.options} {self.text[:100]!r}"


class Client:
    """One association with a server, from a port of its own.

    bind        an address to send from                header   speak through a JPY port: the octets
                                                                that name us to the join proxy
    handshake   False: only the socket, throw() can be used
    """

    def __init__(self, port, identity=None, host="127.0.0.1", mtu=1024, max_fragment=None,
                 ciphers=dtls.CIPHERS, timeout=20, bind=None, handshake=True, context=None,
                 ack_timeout=ACK_TIMEOUT_S, wrap=None, unwrap=None):
        self.timeout, self.ack_timeout = timeout, ack_timeout
        self.wrap, self.unwrap = wrap or (lambda d: d), unwrap or (lambda d: d)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        if bind:
            self.socket.bind(bind)
        self.socket.connect((host, port))
        self.sent, self.received = [], []   # every datagram, for replays and for looking at sizes
        self.ids = itertools.count(int.from_bytes(os.urandom(2), "big"))
        self.seen = {}                      # Message-ID → our acknowledgement of it
        self.waiting = []                   # messages that nobody has asked for yet
        self.link = dtls.Link(context or dtls.Context(identity, ciphers=ciphers), mtu, max_fragment)
        if handshake:
            try:
                self.shake_hands()
            except Exception:
                self.socket.close()
                raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """With close_notify; abandon() leaves without a word."""
        with_word = self.link.close()
        try:
            for datagram in with_word:
                self.throw(datagram)
        except OSError:
            pass
        self.abandon()

    def abandon(self):
        self.socket.close()

    @property
    def server_der(self):
        return self.link.peer_der

    # -- datagrams

    def throw(self, datagram):
        """A datagram, whatever it is."""
        self.sent.append(datagram)
        self.socket.send(self.wrap(datagram))

    def _catch(self, timeout):
        """One datagram into the link. False: none came."""
        if not readable(self.socket, timeout):
            return False
        try:
            datagram = self.socket.recv(65536)
        except ConnectionError:
            return True
        datagram = self.unwrap(datagram)
        if datagram is None:
            return True
        self.received.append(datagram)
        for answer in self.link.feed(datagram):
            self.throw(answer)
        return True

    def shake_hands(self):
        for datagram in self.link.begin():
            self.throw(datagram)
        self.wait_established()

    def wait_established(self):
        deadline = time.monotonic() + self.timeout
        while not self.link.established:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Silence("no handshake in time")
            patience = self.link.timeout()
            if not self._catch(left if patience is None else min(left, patience)):
                for datagram in self.link.on_timeout():
                    self.throw(datagram)
            if self.link.ended:
                raise dtls.Failed(self.link.ended)

    # -- messages

    @property
    def usual_szx(self):
        """Blocks of 512 octets, or what the negotiated fragments hold."""
        return 4 if self.link.max_fragment == 512 else 5

    def next_id(self):
        return next(self.ids) & 0xFFFF

    def say(self, octets):
        """One record of plaintext."""
        for datagram in self.link.say(octets):
            self.throw(datagram)

    def send(self, message):
        self.say(message.encode())
        return message

    def receive(self, timeout=None):
        """The next message, whatever it is; None: nothing came. Raises when the link has ended."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            while self.link.inbox:
                message = Message.decode(self.link.inbox.pop(0))
                if message.type != CON:
                    return message
                if message.id in self.seen:
                    self.say(self.seen[message.id])
                    continue
                if message.code:
                    self.seen[message.id] = Message(ACK, EMPTY, message.id).encode()
                    self.say(self.seen[message.id])
                return message
            if self.link.ended:
                raise Silence(self.link.ended)
            left = deadline - time.monotonic()
            if left <= 0 or not self._catch(left):
                return None

    def swallow(self):
        """Read all that has come, and keep none of it."""
        while self._catch(0):
            pass
        self.link.inbox.clear()

    def exchange(self, message, timeout=None, retransmit=True):
        """Send a request until its answer is there: the message with its token, or a reset."""
        message.id = message.id or self.next_id()
        octets = message.encode()
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        again_after, tries, acknowledged = self.ack_timeout, 0, message.type != CON
        self.say(octets)
        again_at = time.monotonic() + again_after
        while (now := time.monotonic()) < deadline:
            until = deadline if acknowledged or not retransmit else min(deadline, again_at)
            answer = self.receive(until - now)
            if answer is None:
                if not acknowledged and retransmit and time.monotonic() >= again_at:
                    tries += 1
                    if tries > RETRANSMISSIONS:
                        break
                    again_after *= 2
                    again_at = time.monotonic() + again_after
                    self.say(octets)
            elif answer.type == RST and answer.id == message.id:
                return answer
            elif answer.type == ACK and answer.code == EMPTY and answer.id == message.id:
                acknowledged = True
            elif answer.token == message.token and answer.code >= 0x40:
                return answer
        raise Silence(f"no answer to {dotted(message.code)} {message.path}")

    # -- whole bodies

    def request(self, method, path, body=b"", content_format=None, accept=None, options=(),
                szx=None, szx2=None, announce=True, timeout=None, body_max=1 << 20):
        """All blocks there and back; returns the last answer with the whole body as its payload.

        szx: of Block1 (None: usual_szx, when the body is longer than such a block)
        szx2: asked for in the first Block2; None: the server's choice
        announce: send Size1
        """
        common = path_options(path) if isinstance(path, str) else list(path)
        common += list(options)
        if content_format is not None:
            common.append((CONTENT_FORMAT, uint(content_format)))
        if accept is not None:
            common.append((ACCEPT, uint(accept)))
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)

        def ask(more, payload=b""):
            left = deadline - time.monotonic()
            return self.exchange(Message(CON, method, 0, os.urandom(4), common + more, payload),
                                 timeout=max(left, 0.01))

        first2 = [] if szx2 is None else [(BLOCK2, block(0, False, szx2))]
        answer = self._upload(ask, body, szx, first2, announce)
        return self._download(ask, answer, body_max)

    def _upload(self, ask, body, szx, first2, announce):
        usual = self.usual_szx if szx is None else szx
        if szx is None and len(body) <= 16 << usual:
            return ask(first2, body)
        size, offset, szx = 16 << usual, 0, usual
        while True:
            part = body[offset:offset + size]
            more = offset + size < len(body)
            options = [(BLOCK1, block(offset // size, more, szx))] + ([] if more else first2)
            if announce and offset == 0:
                options.append((SIZE1, uint(len(body))))
            answer = ask(options, part)
            if not more or answer.code != CONTINUE:
                return answer
            offset += len(part)
            agreed = answer.block(BLOCK1)
            if agreed and agreed[2] < szx:
                szx = agreed[2]
                size = 16 << szx

    @staticmethod
    def _download(ask, answer, body_max):
        """Block2 from the first answer on."""
        part = answer.block(BLOCK2)
        if not part or not part[1]:
            return answer
        body, tag = answer.payload, answer.option(ETAG)
        while part[1]:
            szx = part[2]
            following = ask([(BLOCK2, block(len(body) >> (szx + 4), False, szx))])
            if following.code != answer.code:
                return following
            if following.option(ETAG) != tag:
                raise Malformed("the blocks of one body have different ETags")
            part = following.block(BLOCK2)
            if part is None or part[0] << (part[2] + 4) != len(body):
                raise Malformed(f"asked for octet {len(body)}, got block {part}")
            body += following.payload
            if len(body) > body_max:
                raise Malformed("an endless body")
        answer.payload = body
        return answer

    def get(self, path, **how):
        return self.request(GET, path, **how)

    def post(self, path, body, content_format=None, **how):
        return self.request(POST, path, body, content_format, **how)
