# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 as an attacker speaks it: too much, too slow, without end, or in two ways at once."""
import contextlib

import pytest

from siege import FILLED_MAX_KB, Target, read_to_end, send_all

HUNDRED_MB = 100 << 20
PIECE = b"A" * 65536
SECOND = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
CMS = b"Content-Type: application/voucher-cms+json\r\n"

req = pytest.mark.req


def post(target, *fields):
    return (f"POST {target.writable} HTTP/1.1\r\nHost: x\r\n".encode() + CMS + b"".join(fields)
            + b"\r\n")


def assert_refused(octets, *statuses):
    """One answer of these, and the end."""
    assert octets.startswith(tuple(b"HTTP/1.1 %d " % s for s in statuses)), octets[:200]
    assert octets.count(b"HTTP/1.1 ") == 1, octets
    assert b"\r\nConnection: close\r\n" in octets


# -- too much

@req("ENC-ALL-001")
def test_body_of_100_mb_announced(siege):
    def attack(target):
        while target.going():
            with target.tls() as s:
                sent, more = 0, send_all(s, post(target, b"Content-Length: %d\r\n" % HUNDRED_MB))
                while more and sent < HUNDRED_MB and target.going():
                    more = send_all(s, PIECE)
                    sent += len(PIECE)
                target.struck()

    siege.lay(attack)


def test_body_of_100_mb_announced_is_refused_before_it_comes(siege):
    def attack(target):
        while target.going():
            with target.tls() as s:
                s.sendall(post(target, b"Content-Length: %d\r\n" % HUNDRED_MB))
                assert_refused(read_to_end(s), 413)
                target.struck()

    siege.lay(attack, joins=1)


def test_body_of_100_mb_in_chunks(siege):
    chunk = b"10000\r\n" + PIECE + b"\r\n"

    def attack(target):
        while target.going():
            with target.tls() as s:
                more = send_all(s, post(target, b"Transfer-Encoding: chunked\r\n"))
                for _ in range(HUNDRED_MB // len(PIECE)):
                    if not more or not target.going():
                        break
                    more = send_all(s, chunk)
                target.struck()

    siege.lay(attack)


@pytest.mark.parametrize("chunk", [b"1\r\nA\r\n", b"0001;" + b"x" * 200 + b"\r\nA\r\n"],
                         ids=["tiny", "with extensions"])
def test_chunks_of_one_octet(siege, chunk):
    def attack(target):
        while target.going():
            with target.tls() as s:
                more = send_all(s, post(target, b"Transfer-Encoding: chunked\r\n"))
                for _ in range(200):
                    more = more and target.going() and send_all(s, chunk * 1000)
                target.struck()

    siege.lay(attack, joins=1)


@pytest.mark.slow
def test_bodies_of_many_clients_almost_complete(siege):
    """Each within its bounds, all together more than the daemon may hold."""
    def attack(target):
        with contextlib.ExitStack() as stack:
            for _ in range(1500):
                s = stack.enter_context(target.tls())
                send_all(s, post(target, b"Content-Length: 60000\r\n") + PIECE[:59999])
            target.struck()
            target.stop.wait(20)

    siege.lay(attack, growth_max_kb=FILLED_MAX_KB, ready_s=120)


@pytest.mark.parametrize("drip", ["header", "body", "chunked"])
def test_drip(siege, drip):
    """Fifty clients at an octet each tenth of a second."""
    def start(target):
        if drip == "header":
            return b"GET / HTTP/1.1\r\nHost: x\r\nX: "
        return post(target, b"Content-Length: 30000\r\n" if drip == "body"
                    else b"Transfer-Encoding: chunked\r\n")

    def attack(target):
        octet = b"1\r\nA\r\n" if drip == "chunked" else b"A"
        with contextlib.ExitStack() as stack:
            slow = [stack.enter_context(target.tls()) for _ in range(50)]
            for s in slow:
                s.sendall(start(target))
            while target.going():
                for s in slow:
                    send_all(s, octet)
                target.struck()
                target.rest(0.1)

    siege.lay(attack, joins=1)


# -- without end

ENDLESS = {
    "request line": (b"GET /", b"a" * 4096, (414, 400)),
    "one field": (b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"a" * 4096, (431,)),
    "fields": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n" * 700, (431,)),
    "empty lines": (b"\r\n", b"\r\n" * 2000, (400,)),
    "no line end": (b"", b"\x01" * 4096, (400,)),
    "trailer": (b"POST /.well-known/brski/requestvoucher HTTP/1.1\r\nHost: x\r\n" + CMS
                + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 700, (431,)),
    "chunk extension": (b"POST /.well-known/brski/requestvoucher HTTP/1.1\r\nHost: x\r\n" + CMS
                        + b"Transfer-Encoding: chunked\r\n\r\n5;", b"x" * 4096, (400,)),
}


def test_heads_without_end(siege):
    def attack(target):
        while target.going():
            for begin, more, statuses in ENDLESS.values():
                with target.tls() as s:
                    send_all(s, begin)
                    for _ in range(6):
                        if not send_all(s, more):
                            break
                    assert_refused(read_to_end(s), *statuses)
                    target.struck()

    siege.lay(attack)


# -- in two ways at once: one answer, 400 or 501, and nothing of what follows is served

SMUGGLING = {
    "CL and TE": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE and CL": b"Transfer-Encoding: chunked\r\nContent-Length: 60\r\n\r\n0\r\n\r\n",
    "two CL": b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
    "two equal CL": b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "CL as list": b"Content-Length: 0, 0\r\n\r\n",
    "CL signed": b"Content-Length: +0\r\n\r\n",
    "CL in hex": b"Content-Length: 0x0\r\n\r\n",
    "CL empty": b"Content-Length: \r\n\r\n",
    "CL beyond 64 bits": b"Content-Length: 18446744073709551616\r\n\r\n",
    "two TE": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "TE in disguise": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "TE with vertical tab": b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "TE not final": b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "TE gzip, chunked": b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "TE identity": b"Transfer-Encoding: identity\r\n\r\n",
    "bare LF": b"X: y\n\r\n",
    "bare LF at the end": b"X: y\r\n\n",
    "bare CR": b"X: y\rContent-Length: 44\r\n\r\n",
    "obs-fold": b"X: y\r\n Content-Length: 44\r\n\r\n",
    "fold of the first line": b" X: y\r\n\r\n",
    "space before the colon": b"Content-Length : 44\r\n\r\n",
    "tab before the colon": b"Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
    "no colon": b"Content-Length\r\n\r\n",
    "empty name": b": y\r\n\r\n",
    "NUL in a name": b"Content\0-Length: 44\r\n\r\n",
    "NUL in a value": b"X: y\0z\r\n\r\n",
    "second Host": b"Host: y\r\n\r\n",
    "chunk size signed": b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    "chunk size with space": b"Transfer-Encoding: chunked\r\n\r\n 0\r\n\r\n",
    "chunk size in 0x": b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    "chunk size too long": b"Transfer-Encoding: chunked\r\n\r\n00000000000000000\r\n\r\n",
    "chunk longer than said": b"Transfer-Encoding: chunked\r\n\r\n1\r\nAB\r\n0\r\n\r\n",
    "chunk ended by LF": b"Transfer-Encoding: chunked\r\n\r\n1\nA\r\n0\r\n\r\n",
}


def test_request_smuggling(siege):
    def attack(target):
        while target.going():
            for fields in SMUGGLING.values():
                with target.tls() as s:
                    s.sendall(post(target, fields)[:-2] + SECOND)
                    assert_refused(read_to_end(s), 400, 413, 501)
                    target.struck()

    siege.lay(attack, joins=3)


@pytest.mark.parametrize("shape", SMUGGLING)
def test_smuggled_request_is_never_served(site, shape):
    for daemon in (site.registrar, site.masa):
        target, since = Target(daemon, None), daemon.log_size()
        with target.tls() as s:
            s.sendall(post(target, SMUGGLING[shape])[:-2] + SECOND)
            assert_refused(read_to_end(s), 400, 413, 501)
        assert not daemon.lines("path=/smuggled", since)


# -- answers nobody takes

def test_answers_not_read(siege):
    """Pipelined requests whose answers fill every buffer on the way."""
    def attack(target):
        asked = f"GET {target.readable} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 1000
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                s = stack.enter_context(target.tls(timeout=0.1))
                send_all(s, asked * 4)
            target.struck()
            target.stop.wait(20)

    siege.lay(attack, growth_max_kb=FILLED_MAX_KB)


def take_answers(s, count):
    said = b""
    while count > 0:
        more = s.recv(65536)
        assert more, f"{count} answers are missing"
        said = said[-8:] + more
        count -= said.count(b"HTTP/1.1 ")


def test_pipelines_of_a_hundred(siege):
    """Forty clients that ask without waiting: who waits for answers comes in between."""
    def attack(target):
        asked = f"GET {target.readable} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 100
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(target.tls()) for _ in range(10)]
            while target.going():
                for s in clients:
                    s.sendall(asked)
                for s in clients:
                    take_answers(s, 100)
                    target.struck()

    siege.lay(attack, attackers=4)


def test_one_connection_per_request(siege):
    def attack(target):
        while target.going():
            with target.tls() as s:
                s.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert_refused(read_to_end(s), 404)
                target.struck()

    siege.lay(attack, attackers=2)
