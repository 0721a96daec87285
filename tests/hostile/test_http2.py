# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 as an attacker speaks it: frames that are cheap to send and dear to take (CVE-2019-9511 to
9518, CVE-2023-44487, CVE-2024-27316 and -28182, CVE-2025-8671).
"""
import contextlib
import struct
import threading

import pytest

import h2wire
from h2wire import (CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS,
                    INITIAL_WINDOW_SIZE, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE,
                    frame, frames_of, hello, literal, request, window_update)
from siege import FILLED_MAX_KB, Target, read_to_end, send_all


def flood(target, begin, batch, batches=40, reads=True):
    """Send begin and then batch(n) for n = 0, 1 …; what the victim said before it hung up."""
    said = []
    with target.tls(alpn="h2", timeout=None if reads else 0.3) as s:
        assert s.selected_alpn_protocol() == "h2"
        reader = None
        if reads:  # who does not read is stopped by his own full socket
            reader = threading.Thread(target=lambda: said.append(read_to_end(s)), daemon=True)
            reader.start()
        more, n = send_all(s, begin), 0
        while more and n < batches:
            more = send_all(s, batch(n))
            n += 1
        if reader:
            reader.join(12)
            assert said, f"taken without end: {n} batches"
    return b"".join(said)


def opened(n, per_batch, path, method=b"\x82", flags=END_HEADERS | END_STREAM):
    """The HEADERS of batch n, each with the next stream's number."""
    block = request(path, method)
    return [(1 + 2 * i, frame(HEADERS, flags, 1 + 2 * i, block))
            for i in range(n * per_batch, (n + 1) * per_batch)]


def rapid_reset(target):
    return lambda n: b"".join(h + frame(RST_STREAM, 0, i, CANCEL)
                              for i, h in opened(n, 200, target.readable))


def made_you_reset(target):
    """The same by provoking the victim's own resets: a window update of nothing."""
    return lambda n: b"".join(h + window_update(i, 0)
                              for i, h in opened(n, 200, target.writable, b"\x83", END_HEADERS))


def fixed(octets):
    return lambda target: lambda n: octets


FLOODS = {
    "rapid reset": rapid_reset,
    "made you reset": made_you_reset,
    "settings": fixed(frame(SETTINGS) * 1000),
    "settings of many": fixed(h2wire.settings(*[(INITIAL_WINDOW_SIZE, 65535)] * 100) * 100),
    "settings acknowledged": fixed(frame(SETTINGS, h2wire.ACK) * 1000),
    "ping": fixed(frame(PING, payload=b"12345678") * 1000),
    "ping acknowledged": fixed(frame(PING, h2wire.ACK, payload=b"12345678") * 1000),
    "priority": fixed(frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 1)) * 1000),
    "priority of many": lambda t: lambda n: b"".join(
        frame(PRIORITY, 0, 1 + 2 * i, struct.pack(">IB", 1 + 2 * i + 2, 1))
        for i in range(n * 1000, (n + 1) * 1000)),
    "window of the connection": fixed(window_update(0, 1) * 1000),
    "rst of idle streams": fixed(frame(RST_STREAM, 0, 1, CANCEL) * 1000),
    "goaway": fixed(frame(h2wire.GOAWAY, payload=bytes(8)) * 1000),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_flood_ends_the_connection(site, kind):
    """Each alone first: the victim hangs up by itself, not when the attacker is tired, and has
    answered hardly anything of it."""
    for daemon in (site.registrar, site.masa):
        target = Target(daemon, None)
        said = flood(target, hello(), FLOODS[kind](target))
        assert len(list(frames_of(said))) < 3000


def test_floods(siege):
    def attack(target):
        while target.going():
            for make in FLOODS.values():
                flood(target, hello(), make(target))
                target.struck()

    siege.lay(attack, joins=6)


def test_unknown_frames(siege):
    """They are skipped, whatever they are (RFC 9113 §5.5)."""
    def attack(target):
        while target.going():
            with target.tls(alpn="h2") as s:
                more = send_all(s, hello())
                for _ in range(200):
                    more = more and target.going() and send_all(s, frame(0x77, payload=b"x" * 10) * 1000)
                target.struck()

    siege.lay(attack)


def test_floods_by_one_that_does_not_read(siege):
    def attack(target):
        while target.going():
            for name in ("ping", "settings", "rapid reset", "made you reset"):
                flood(target, hello(), FLOODS[name](target), batches=20, reads=False)
                target.struck()

    siege.lay(attack, joins=3)


# -- header blocks

def test_continuation_flood(siege):
    """A header block that never ends."""
    def attack(target):
        block = request(target.readable)
        part = frame(CONTINUATION, 0, 1, literal(b"x", b"y" * 100) * 10)
        empty = frame(CONTINUATION, 0, 1)
        while target.going():
            for more in (part * 50, empty * 5000):
                said = flood(target, hello() + frame(HEADERS, END_STREAM, 1, block), lambda n: more)
                assert not [f for f in frames_of(said) if f[0] == HEADERS], "answered"
                target.struck()

    siege.lay(attack, joins=3)


def bomb(path):
    """One entry of almost the whole table, then 12,000 octets that each stand for it: 45 MB."""
    return request(path) + literal(b"x", b"y" * 3900, indexed=True) + b"\xbe" * 12000


def small_fields(path):
    """Fields without a value: most entries per octet."""
    return request(path) + literal(b"a", b"", True) + b"\xbe" * 12000


@pytest.mark.parametrize("make", [bomb, small_fields], ids=["large", "small"])
def test_header_bomb(siege, make):
    def attack(target):
        block = make(target.readable)
        while target.going():
            with target.tls(alpn="h2") as s:
                s.sendall(hello())
                for i in range(50):
                    if not send_all(s, frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * i, block)):
                        break
                target.struck()

    siege.lay(attack, joins=3)


def test_table_resized_without_end(siege):
    """Dynamic table size updates, alone and in pairs, before the first field."""
    def attack(target):
        block = b"\x20\x3f\xe1\x1f" * 3000 + request(target.readable)
        while target.going():
            with target.tls(alpn="h2") as s:
                s.sendall(hello() + frame(HEADERS, END_HEADERS | END_STREAM, 1, block))
                s.recv(65536)
                target.struck()

    siege.lay(attack, joins=1)


# -- windows

def test_zero_windows_with_pending_answers(siege):
    """All streams a connection may have, each with an answer that may not leave."""
    def attack(target):
        asked = b"".join(h for _, h in opened(0, 64, target.readable))
        with contextlib.ExitStack() as stack:
            for _ in range(100):
                s = stack.enter_context(target.tls(alpn="h2"))
                s.sendall(hello((INITIAL_WINDOW_SIZE, 0)) + asked)
            target.struck()
            target.stop.wait(20)

    siege.lay(attack, joins=3, growth_max_kb=FILLED_MAX_KB)


def test_windows_opened_octet_by_octet(siege):
    """Answers drawn out of the victim one octet per frame."""
    def attack(target):
        asked = b"".join(h for _, h in opened(0, 64, target.readable))
        step = b"".join(window_update(1 + 2 * i, 1) for i in range(64))
        while target.going():
            with target.tls(alpn="h2") as s:
                send_all(s, hello((INITIAL_WINDOW_SIZE, 0)) + asked)
                for _ in range(40):
                    if not send_all(s, step):
                        break
                target.struck()

    siege.lay(attack, joins=3)


def take_answers(s, count):
    said = b""
    while count > 0:
        more = s.recv(65536)
        assert more, f"{count} answers are missing"
        said += more
        for kind, flags, _, payload in frames_of(said):
            said = said[9 + len(payload):]
            count -= kind in (HEADERS, DATA) and flags & END_STREAM == END_STREAM


def test_all_streams_asked_at_once(siege):
    """Forty clients with all streams they may have, again and again."""
    def attack(target):
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(target.tls(alpn="h2")) for _ in range(10)]
            for s in clients:
                s.sendall(hello() + window_update(0, 0x7fff0000))
            n = 0
            while target.going():
                asked = b"".join(h for _, h in opened(n, 64, target.readable))
                n += 1
                for s in clients:
                    s.sendall(asked)
                for s in clients:
                    take_answers(s, 64)
                    target.struck()

    siege.lay(attack, attackers=4)


def test_window_overflow(siege):
    def attack(target):
        while target.going():
            with target.tls(alpn="h2") as s:
                s.sendall(hello() + window_update(0, 0x7fffffff) * 2)
                said = read_to_end(s)
                assert [f for f in frames_of(said) if f[0] == h2wire.GOAWAY]
                target.struck()

    siege.lay(attack, joins=1)


def test_initial_window_toggled_with_streams_open(siege):
    """Each change is applied to every stream."""
    def attack(target):
        asked = b"".join(h for _, h in opened(0, 64, target.readable))
        toggle = h2wire.settings((INITIAL_WINDOW_SIZE, 1)) + h2wire.settings((INITIAL_WINDOW_SIZE, 0))
        while target.going():
            flood(target, hello((INITIAL_WINDOW_SIZE, 0)) + asked, lambda n: toggle * 200)
            target.struck()

    siege.lay(attack, joins=2)


# -- bodies

def post_headers(stream, path):
    block = request(path, b"\x83") + literal(b"content-type", b"application/voucher-cms+json")
    return frame(HEADERS, END_HEADERS, stream, block)


@pytest.mark.parametrize("size", [0, 1], ids=["empty", "one octet"])
def test_tiny_data_frames(siege, size):
    def attack(target):
        begin = hello() + post_headers(1, target.writable)
        while target.going():
            flood(target, begin, lambda n: frame(DATA, 0, 1, b"A" * size) * 1000)
            target.struck()

    siege.lay(attack, joins=2)


def test_body_of_100_mb(siege):
    """As far as flow control and the victim let it come."""
    def attack(target):
        piece = frame(DATA, 0, 1, b"A" * 16384)
        while target.going():
            with target.tls(alpn="h2", timeout=1) as s:
                more = send_all(s, hello() + post_headers(1, target.writable))
                for _ in range(6400):
                    more = more and target.going() and send_all(s, piece)
                target.struck()

    siege.lay(attack, joins=2)


def test_bodies_of_all_streams_almost_complete(siege):
    def attack(target):
        with contextlib.ExitStack() as stack:
            for _ in range(100):
                s = stack.enter_context(target.tls(alpn="h2", timeout=1))
                send_all(s, hello() + b"".join(
                    post_headers(1 + 2 * i, target.writable)
                    + frame(DATA, 0, 1 + 2 * i, b"A" * 1000) for i in range(64)))
            target.struck()
            target.stop.wait(20)

    siege.lay(attack, joins=3, growth_max_kb=FILLED_MAX_KB)


def test_garbage_after_the_preface(siege):
    def attack(target):
        while target.going():
            for junk in (b"\xff" * 20000, frame(99, 255, 0x7fffffff, b"x" * 16384),
                         frame(HEADERS, END_HEADERS, 2, b"\x82"), frame(DATA, 0, 0, b"x"),
                         frame(SETTINGS, 0, 0, b"12345"), frame(h2wire.PUSH_PROMISE, 4, 1, bytes(8)),
                         frame(CONTINUATION, 4, 1, b"\x82"), frame(PING, 0, 0, b"1234567"),
                         b"\x7f\xff\xff" + bytes([HEADERS, 4]) + bytes(4)):
                with target.tls(alpn="h2") as s:
                    send_all(s, hello() + junk)
                    send_all(s, frame(HEADERS, END_HEADERS, 0, b"\x80"))
                    read_to_end(s)
                    target.struck()

    siege.lay(attack, joins=3)
