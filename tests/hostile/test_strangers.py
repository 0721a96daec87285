# SPDX-License-Identifier: Apache-2.0
"""Strangers who ask what the CA has signed, at the plain listener and where devices are served: in
masses, in pieces, or without taking the answer. Devices join all the same, and verifiers are answered."""
import contextlib
import socket
import time

import pytest

import harness
import ocsp_client as asking
from brski_peer import forge
from ocsp_client import UNKNOWN, cert_id, request
from places import Site
from siege import CACERTS, FILLED_MAX_KB, REQUESTVOUCHER, SLOWER, Stopwatch, Target, read_to_end, send_all
from test_published import Publisher

VERIFIER_MAX_S = 2.0  # for an answer while others shout
LOG_MAX_S = 120_000    # octets a second, however many complain
BATCH = 100


class Door(Target):
    """One of the registrar's ports, with TLS or without."""

    def __init__(self, site, tls):
        super().__init__(site.registrar, None)
        self.is_tls, self.ca = tls, forge.load_certs(site.domain.file("issuing.crt"))[0]
        if not tls:
            self.port = site.registrar.http

    def open(self, source=None):
        if self.is_tls:
            return self.tls()
        return socket.create_connection(("127.0.0.1", self.port), timeout=10 * SLOWER,
                                        source_address=(source, 0) if source else None)


@pytest.fixture(scope="module")
def site(place, acme, domain, site_changes):
    masa = harness.Masa(place / "masa", acme, changes=site_changes)
    registrar = Publisher(place / "registrar", domain, [acme], site_changes)
    with harness.running(masa, registrar):
        yield Site(place, acme, domain, masa, registrar)


@pytest.fixture(scope="module")
def plain(site, siege):
    return Door(site, tls=False)


@pytest.fixture(scope="module", params=["plain", "devices"])
def door(request, site, siege):
    return Door(site, tls=request.param == "devices")


def question(door, number, nonce=b""):
    return request(cert_id(door.ca, number), extensions=[asking.nonce(nonce)] if nonce else [])


def posted(der, length=None):
    return (b"POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\n"
            + b"Content-Length: %d\r\n\r\n" % (len(der) if length is None else length) + der)


def got(der):
    return f"GET {asking.path_of(der)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def answers(s, count):
    """So many of them, or until the peer has had enough."""
    seen, tail = 0, b""
    while seen < count:
        more = s.recv(65536)
        if not more:
            break
        octets = tail + more
        seen += octets.count(b"HTTP/1.1 ")
        tail = octets[-8:] if not octets.endswith(b"HTTP/1.1 ") else b""
    return seen


def verifier_is_answered(door):
    watch = Stopwatch()
    assert asking.statuses(asking.post(door.port, question(door, 5), tls=door.is_tls), door.ca) == [UNKNOWN]
    took = watch.exceeds(VERIFIER_MAX_S * SLOWER)
    assert not took, f"a verifier waited {took:.2f} s"


# -- in masses

@pytest.mark.parametrize("most", [pytest.param(1, id="one"), pytest.param(8, id="eight", marks=pytest.mark.slow)])
def test_questions_without_a_pause(siege, door, most):
    """Each costs a signature; four strangers send them one behind the other on ten connections each,
    and a verifier asks now and then."""
    asked = request(*(cert_id(door.ca, n + 1, "sha512" if most > 1 else "sha1") for n in range(most)))

    def attack(target):
        batch = (got(asked) if most == 1 else posted(asked)) * BATCH
        with contextlib.ExitStack() as stack:
            crowd = [stack.enter_context(target.open()) for _ in range(10)]
            while target.going():
                for s in crowd:
                    s.sendall(batch)
                target.struck()
                verifier_is_answered(door)
                for s in crowd:
                    assert answers(s, BATCH) == BATCH

    siege.lay(attack, joins=3, attackers=4, targets=[door])
    verifier_is_answered(door)


def test_one_connection_per_question(siege, plain):
    """With a nonce each time: nothing that could be kept."""
    def attack(target):
        n = 0
        while target.going():
            n += 1
            with target.open() as s:
                s.sendall(posted(question(target, n, n.to_bytes(8, "big"))))
                assert answers(s, 1) == 1
                target.struck()

    siege.lay(attack, attackers=4, targets=[plain])
    verifier_is_answered(plain)


def test_rubbish_without_a_pause(siege, door):
    """Each is answered that it is none, and the log does not grow with them."""
    shapes = [b"\x30\x80" * 200, b"\0" * 4096, b"\x30\x82\x0f\xfc" * 1024, question(door, 5) + b"\0", b"<html>" * 100]

    def attack(target):
        with target.open() as s:
            while target.going():
                for shape in shapes:
                    s.sendall(posted(shape) * 20)
                    assert answers(s, 20) == 20
                    target.struck()

    before, began = door.daemon.log_size(), time.monotonic()
    siege.lay(attack, attackers=4, targets=[door])
    verifier_is_answered(door)
    assert door.daemon.log_size() - before < LOG_MAX_S * (time.monotonic() - began + 1)


def test_requests_of_strangers_leave_the_log_to_devices(site, siege):
    """Thousands a second that nobody has to answer for: a line for some, how many for the rest, and
    one for each request of a device."""
    def attack(target):
        asked = f"GET {target.readable} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * BATCH
        with target.tls() as s:
            while target.going():
                s.sendall(asked)
                assert answers(s, BATCH) == BATCH
                target.struck()

    before, began = {d: d.log_size() for d in siege.daemons}, time.monotonic()
    siege.lay(attack, attackers=4, joins=3)
    took = time.monotonic() - began
    for d, since in before.items():
        of_strangers = d.lines(rf"event=request .*path={CACERTS if d is site.registrar else '/nothing'} ", since)
        assert len(of_strangers) < 150 * (took + 1), f"{len(of_strangers)} in {took:.1f} s"
        d.wait_log("event=log-suppressed of=request peer=127.0.0.1 suppressed=", since)
        assert len(d.lines(f"event=request .*path={REQUESTVOUCHER} status=200 ", since)) == 4, "3 joins, and one after"
    for path in ("/.well-known/est/simpleenroll", "/.well-known/brski/voucher_status", "/.well-known/brski/enrollstatus"):
        assert len(site.registrar.lines(f"event=request .*path={path} status=200 ", before[site.registrar])) == 4, path


# -- too much, too slow, not taken

@pytest.mark.parametrize("begin", [posted(b"", 100 << 20), posted(b"", 4097), b"GET /ocsp/"],
                         ids=["100 MB", "one octet too many", "path without end"])
def test_more_than_fits(siege, plain, begin):
    piece = b"A" * 65536

    def attack(target):
        while target.going():
            with target.open() as s:
                more = send_all(s, begin)
                for _ in range(50):
                    more = more and target.going() and send_all(s, piece)
                assert b"HTTP/1.1 200 " not in read_to_end(s)
                target.struck()

    siege.lay(attack, joins=1, attackers=2, targets=[plain])
    verifier_is_answered(plain)


@pytest.mark.parametrize("part", ["head", "body"])
def test_an_octet_now_and_then(siege, plain, part):
    """As many as may connect; each is ended by its deadline, and verifiers get in meanwhile."""
    begin = b"GET /ocsp/" if part == "head" else posted(b"", 4000)

    def attack(target):
        with contextlib.ExitStack() as stack:
            slow = [stack.enter_context(target.open(f"127.0.{n % 4}.3")) for n in range(400)]
            for s in slow:
                send_all(s, begin)
            while target.going():
                for s in slow:
                    send_all(s, b"A")
                target.struck()
                verifier_is_answered(target)
                target.rest(0.1)

    siege.lay(attack, joins=2, targets=[plain])


def test_answers_that_nobody_takes(siege, plain):
    """Questions and lists, until every buffer on the way is full."""
    asked = posted(question(plain, 5)) * 300 + b"GET /issuing.crl HTTP/1.1\r\nHost: x\r\n\r\n" * 3000

    def attack(target):
        with contextlib.ExitStack() as stack:
            for n in range(100):
                s = stack.enter_context(target.open(f"127.0.{n % 4}.4"))
                s.settimeout(0.05)
                send_all(s, asked)
            target.struck()
            while target.going():
                verifier_is_answered(target)
                target.rest(0.1)

    siege.lay(attack, growth_max_kb=FILLED_MAX_KB, targets=[plain])


def test_two_ways_to_read_one_question(site, plain):
    """Lengths that contradict each other are no way to hide a second request in the first."""
    der = question(plain, 5)
    head = b"POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\n"
    for fields in (b"Content-Length: 0\r\nContent-Length: %d\r\n", b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n",
                   b"Content-Length : %d\r\n", b"Content-Length: %d\n"):
        with plain.open() as s:
            s.sendall(head + fields % len(der) + b"\r\n" + der + b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
            said = read_to_end(s)
        assert said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 ")) and said.count(b"HTTP/1.1 ") == 1, said
    assert not site.registrar.lines("path=/smuggled")
