# SPDX-License-Identifier: Apache-2.0
"""The CoAPS port under attack: CBOR and COSE that are dear to read, blocks that never make a body,
floods without a cookie, crowds of associations, a join proxy's port full of noise.

A good device joins meanwhile, over CoAPS as well; every hostile message has its code; memory stays
flat.
"""
import collections
import contextlib
import itertools
import os
import random
import socket
import subprocess
import time

import cbor2
import pytest

import harness
from brski_peer import certs, coap, constrained, cose, dtls, forge
from ledger import rows
from siege import GROWTH_MAX_KB, MEASURED, SLOWER, Siege, memory_kb

req = pytest.mark.req

RV, VS, SEN, CRTS = ("/.well-known/brski/rv", "/.well-known/brski/vs", "/.well-known/est/sen",
                     "/.well-known/est/crts")
HELD_BODIES = 200         # three descriptors each
FLOOD_RATE = 20000        # a second; beyond that the machine is at its end before the registrar
FLOODED_S = 10.0          # a datagram of the good one is lost now and then: a retransmission or two
ASSOCIATION_KB = 75
ASSOCIATIONS_MAX = 4096   # the registrar's cap, and what it holds
ATTACKER = str(harness.BUILD / "tools" / "coaps_abuse")


@pytest.fixture(scope="module")
def site(coaps_site):
    return coaps_site


@pytest.fixture(scope="module")
def siege(site):
    return Siege(site, site.coaps_pledge)


def lay(siege, attack, joins=1, limit_s=3.0, **more):
    """Only the registrar speaks CoAP."""
    siege.lay(attack, joins=joins, targets=siege.targets[:1], limit_s=limit_s, **more)


def client(target, **more):
    return coap.Client(target.daemon.coaps_port, target.identity, timeout=20 * SLOWER, **more)


def besiege(siege, strokes):
    """strokes: functions of a client and a target; all again and again on new associations."""
    def attack(target):
        while target.going():
            with client(target) as c:
                for stroke in strokes:
                    stroke(c, target)
            target.struck()
    lay(siege, attack)


# -- bodies

def deep(octet, depth=15000):
    return bytes([octet]) * depth


BOMBS = {
    "an array of 2^32": cose.head(4, 1 << 32) + b"\x00" * 10,
    "a map of 2^60": cose.head(5, 1 << 60) + b"\x00" * 10,
    "a string of 2^40": cose.head(2, 1 << 40) + b"x" * 10,
    "a text of 2^63": cose.head(3, 1 << 63) + b"x" * 10,
    "arrays 15000 deep": deep(0x81),
    "open arrays 15000 deep": deep(0x9F),
    "maps 15000 deep": deep(0xA1),
    "tags 15000 deep": deep(0xC1),
    "a string of 15000 empty pieces": b"\x5f" + deep(0x40) + b"\xff",
    "15000 ones": cose.head(4, 15000) + deep(0x01),
    "nothing but a break": b"\xff",
    "a tagged Sign1 of bombs": b"\xd2\x84" + cose.head(2, 1 << 31) + b"\xa0" + b"\x40" * 2,
    "a Sign1 whose headers are a bomb": cbor2.dumps(cbor2.CBORTag(18, [deep(0x81, 9000), {}, b"x", b"y" * 64])),
    "a Sign1 with a thousand headers": cbor2.dumps(
        cbor2.CBORTag(18, [b"\xa1\x01\x26", {i: 0 for i in range(1000)}, b"x", b"y" * 64])),
}


@req("Y-18")
@pytest.mark.parametrize("path, content_format", [(RV, constrained.VOUCHER), (VS, constrained.CBOR)])
def test_cbor_bombs(siege, path, content_format):
    def stroke(bomb):
        def strike(c, _target):
            said = c.post(path, bomb, content_format).said
            assert said in ("4.00", "4.13"), said
        return strike
    besiege(siege, [stroke(bomb) for bomb in BOMBS.values()])


def signed(target, entries, **how):
    """A voucher-request whose map has these pairs."""
    payload = b"\xa1" + cbor2.dumps(2501) + cose.raw_map(entries)
    return cose.sign(payload, target.identity, **how)


@req("Y-18", "O-05")
def test_signed_requests_that_are_dear_or_double(siege):
    def entries(c, target):
        fields = cose.pvr_fields(target.identity, c.server_der)
        return [(1, 2), (7, fields["nonce"]), (12, fields["proximity-registrar-pubk"]),
                (13, fields["serial-number"])]

    def doubled(c, target):
        twice = entries(c, target)
        said = c.post(RV, signed(target, twice + [twice[-1]]), constrained.VOUCHER).said
        assert said == "4.00", said

    def trailing(c, target):
        said = c.post(RV, signed(target, entries(c, target)) + b"\x00", constrained.VOUCHER).said
        assert said == "4.00", said

    def many(size):
        def strike(c, target):
            bag = [b"\x30" + os.urandom(size)] * 130
            body = signed(target, entries(c, target), unprotected={cose.X5BAG: bag})
            said = c.post(RV, body, constrained.VOUCHER).said
            assert said in ("4.00", "4.13", "2.04", "5.03"), said  # they are not looked at (O-05)
        return strike

    def real_ones(c, target):
        ca = certs.make_ca("x").der
        body = signed(target, entries(c, target),
                      unprotected={cose.X5BAG: [ca] * (14000 // len(ca))})
        said = c.post(RV, body, constrained.VOUCHER).said
        assert said in ("4.00", "4.13", "2.04", "5.03"), said

    besiege(siege, [doubled, trailing, many(100), many(1000), real_ones])


# -- messages

def answers_still(c):
    """Nothing that was said before has hurt the association."""
    assert c.get(CRTS, accept=constrained.PKCS7_CERTS).said == "2.05"


NO_MESSAGES = [b"", b"\x40", b"\x40\x01", b"\x80\x01\x00\x01", b"\x4f\x01\x00\x01" + b"t" * 15,
               b"\x49\x01\x00\x02" + b"t" * 9, b"\x40\x01\x00\x03\xff", b"\x40\x01\x00\x04\xf0",
               b"\x40\x01\x00\x05\x0f", b"\x40\x01\x00\x06\xdd\xff", b"\x40\x01\x00\x07\xee\xff\xff\xff\xff",
               b"\x40\x01\x00\x08\xb5a", b"\x40\xe1\x00\x09", b"\x40\x20\x00\x0a", b"\x60\x45\x00\x0b",
               b"\x60\x00\x00\x0c", b"\x70\x00\x00\x0d", b"\x50\x00\x00\x0e", b"\x44\x00\x00\x0ftttt",
               b"\x40\x01\x00\x10" + b"\x10" * 200, b"\x40\x01\x00\x11" + b"\xb0" + b"\x00" * 300]


@req("C-21")
def test_messages_that_are_none(siege):
    def strike(c, _target):
        for octets in NO_MESSAGES:
            if octets:
                c.say(octets)
        for size in (100, 1000):
            c.say(b"\x40\x02" + os.urandom(size))
        answers_still(c)
        unknown = coap.Message(coap.CON, coap.GET, 0, b"u", [(2053, b""), *coap.path_options(CRTS)])
        assert c.exchange(unknown).said == "4.02"
        ping = c.send(coap.Message(coap.CON, coap.EMPTY, c.next_id()))
        answers = iter(lambda: c.receive(5), None)
        assert any(a.type == coap.RST and a.id == ping.id for a in answers)

    besiege(siege, [strike])


def valid_messages(c, target):
    """What a device says, one of each kind; tokens and IDs are put in when they go out."""
    def message(code, path, payload=b"", *options):
        return coap.Message(coap.CON, code, 0, b"tokn", [*coap.path_options(path), *options], payload)

    fields = cose.pvr_fields(target.identity, c.server_der)
    pvr = cose.sign_request(fields, target.identity)
    voucher, csr = ((coap.CONTENT_FORMAT, coap.uint(n)) for n in (constrained.VOUCHER, constrained.PKCS10))
    return [
        message(coap.GET, CRTS, b"", (coap.ACCEPT, coap.uint(62)), (coap.SIZE2, b"")),
        message(coap.GET, CRTS, b"", (coap.BLOCK2, coap.block(1, False, 4))),
        message(coap.GET, "/.well-known/core?rt=brski*"),
        message(coap.POST, RV, pvr, voucher),
        message(coap.POST, RV, pvr[:128], voucher, (coap.BLOCK1, coap.block(0, True, 3)),
                (coap.SIZE1, coap.uint(len(pvr)))),
        message(coap.POST, RV, pvr[128:], voucher, (coap.BLOCK1, coap.block(1, False, 3))),
        message(coap.POST, VS, cose.status_report(), (coap.CONTENT_FORMAT, coap.uint(60))),
        message(coap.POST, SEN, certs.make_csr(target.identity.key, target.identity.cert.subject), csr),
        message(coap.POST, "/", pvr, (coap.ABBREV, coap.uint(402)), voucher),
    ]


def mutated(octets, dice):
    """One to four changes of the kinds that readers stumble over."""
    octets = bytearray(octets)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(octets))
        kind = dice.randrange(5)
        if kind == 0:
            octets[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            octets[at] = dice.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, 0xD0, 0xE0, 0xDD, 0x9F))
        elif kind == 2:
            del octets[at:at + dice.randint(1, 8)]
        elif kind == 3:
            octets[at:at] = octets[at:at + dice.randint(1, 16)]
        else:
            octets[at:at] = bytes(dice.randrange(256) for _ in range(dice.randint(1, 4)))
        if not octets:
            return b"\x40"
    return bytes(octets)


def test_messages_that_are_almost_right(siege):
    """On associations that stand; the seed changes with each of them."""
    seeds = itertools.count(1)

    def strike(c, target):
        dice = random.Random(next(seeds))
        templates = valid_messages(c, target)
        c.ids = itertools.count(1 << 15)  # what was sent with an ID before has its answer already
        for _ in range(300):
            message = dice.choice(templates)
            message.id = dice.randrange(1 << 15)
            c.say(mutated(message.encode(), dice))
            c.swallow()
            if c.link.ended:
                return
        answers_still(c)

    besiege(siege, [strike])


# -- blocks

def piece(c, num, more, szx, payload, *options, path=RV, content_format=constrained.VOUCHER):
    wanted = [*coap.path_options(path), (coap.CONTENT_FORMAT, coap.uint(content_format)),
              (coap.BLOCK1, coap.block(num, more, szx)), *options]
    return c.exchange(coap.Message(coap.CON, coap.POST, 0, os.urandom(4), wanted, payload))


@req("B-02", "B-04", "B-05", "B-07")
def test_blocks_that_make_no_body(siege):
    def announced(c, _target):
        answer = piece(c, 0, True, 5, b"x" * 512, (coap.SIZE1, coap.uint(50_000_000)))
        assert answer.said == "4.13", str(answer)

    def from_the_middle(c, _target):
        assert piece(c, 3, True, 2, b"x" * 64).said == "4.08"

    def with_a_hole(c, _target):
        assert piece(c, 0, True, 2, b"x" * 64).said == "2.31"
        assert piece(c, 2, True, 2, b"x" * 64).said == "4.08"

    def overlapping(c, _target):
        assert piece(c, 0, True, 3, b"x" * 128).said == "2.31"
        assert piece(c, 1, True, 3, b"y" * 128).said == "2.31"
        assert piece(c, 1, True, 2, b"z" * 64).said in ("2.31", "4.08")
        assert piece(c, 1, False, 3, b"z" * 128).said in ("4.00", "4.08")

    def of_another_format(c, _target):
        assert piece(c, 0, True, 2, b"x" * 64).said == "2.31"
        assert piece(c, 1, False, 2, b"x" * 64, content_format=constrained.CBOR).said in ("4.08", "4.15")

    def of_a_wrong_size(c, _target):
        assert piece(c, 0, True, 2, b"x" * 63).said in ("4.00", "4.08")
        assert piece(c, 0, True, 2, b"x" * 65).said in ("4.00", "4.08", "4.13")

    def reserved(c, _target):
        assert piece(c, 0, True, 7, b"x" * 64).said in ("4.00", "4.02")

    def endless(c, _target):
        for num in range(100):
            said = piece(c, num, True, 5, b"x" * 512).said
            if said != "2.31":
                break
        assert said == "4.13" and num <= 33, (said, num)

    def unfinished(c, _target):
        for path in (RV, VS, SEN):
            piece(c, 0, True, 5, b"x" * 512, path=path)

    def beyond_the_end(c, _target):
        get = [*coap.path_options(CRTS), (coap.BLOCK2, coap.block(5000, False, 5))]
        said = c.exchange(coap.Message(coap.CON, coap.GET, 0, b"far", get)).said
        assert said.startswith("4."), said

    besiege(siege, [announced, from_the_middle, with_a_hole, overlapping, of_another_format,
                    of_a_wrong_size, reserved, endless, unfinished, beyond_the_end,
                    lambda c, _target: answers_still(c)])


@req("B-02")
def test_a_body_without_its_size_is_a_body(site, siege):
    device = siege.device()
    with site.constrained_peer(device) as peer:
        assert peer.request_voucher(szx=2, announce=False).said == "2.04"


def test_many_bodies_that_are_never_finished(siege):
    """Twelve kilobytes each, on associations that stay; the oldest fall silent."""
    def attack(target):
        context, held = dtls.Context(target.identity), collections.deque(maxlen=HELD_BODIES)
        while target.going():
            c = client(target, context=context)
            held.append(c)
            for num in range(24):
                if not target.going() or piece(c, num, True, 5, b"x" * 512).said != "2.31":
                    break
            target.struck()

    lay(siege, attack, joins=3)


# -- replays

@req("C-20")
def test_whole_conversations_again(site, siege):
    """From the same port, and from another one."""
    device = siege.device()
    with site.constrained_peer(device) as peer:
        certificate, _key = peer.join()
        said = list(peer.client.sent)
        for _ in range(3):
            for datagram in said:
                peer.client.throw(datagram)
        assert peer.crts().said == "2.05"
        said = list(peer.client.sent)
    with coap.Client(site.registrar.coaps_port, device.identity, handshake=False) as stranger:
        for datagram in said:
            stranger.throw(datagram)
        stranger.abandon()
    database = site.registrar.directory / "registrar.db"
    issued = rows(database, "SELECT der FROM certificate WHERE serial = ?", device.serial)
    assert issued == [(forge.der(certificate),)]


# -- cookies

def raw_answers(c, datagram, wait=0.3):
    """What comes back for one datagram without an association."""
    c.throw(datagram)
    c.socket.settimeout(wait)
    answers = []
    with contextlib.suppress(TimeoutError):
        while True:
            answers.append(c.socket.recv(65536))
    return answers


def test_nobody_is_answered_more_than_was_said(site, siege):
    """A first ClientHello, whole, cut short, and followed by others in one datagram."""
    identity = siege.targets[0].identity
    with coap.Client(site.registrar.coaps_port, identity, handshake=False) as c:
        hello = dtls.client_hello()
        answer, = raw_answers(c, hello)
        assert dtls.cookie_of(answer) and len(answer) <= len(hello)
        assert raw_answers(c, hello[:40], 0.1) == raw_answers(c, b"", 0.1) == []
        for several in (hello * 5, hello + dtls.record(dtls.APPLICATION, b"x" * 50),
                        dtls.client_hello(cookie=b"c" * 200, sequence=1)):
            assert sum(map(len, raw_answers(c, several))) <= len(several)
        c.abandon()


def test_a_cookie_is_good_for_its_address_only(site, siege):
    identity = siege.targets[0].identity
    with coap.Client(site.registrar.coaps_port, identity, handshake=False) as one, \
            coap.Client(site.registrar.coaps_port, identity, handshake=False) as other:
        cookie = dtls.cookie_of(raw_answers(one, dtls.client_hello())[0])
        answers = raw_answers(other, dtls.client_hello(cookie, sequence=1))
        assert len(answers) <= 1 and all(dtls.cookie_of(a) != cookie for a in answers)
        assert sum(map(len, raw_answers(one, dtls.client_hello(cookie, sequence=1)))) > 500
        for c in (one, other):
            c.abandon()


# -- discovery, which is plain CoAP

def test_noise_at_the_discovery_port(place, acme, domain):
    """Nothing is said to noise that is longer than the noise; questions have their answer still."""
    port, dice = harness.free_port(), random.Random(1)
    registrar = harness.Registrar(place / "announcing", domain, [acme], coaps=True, changes={
        "coaps": {"discovery": "127.0.0.1", "discovery_port": port}})
    question = coap.Message(coap.CON, coap.GET, 77, b"q", coap.path_options("/.well-known/core?rt=brski"))
    with harness.running(registrar), socket.socket(type=socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", port))
        s.settimeout(0.3)
        before = memory_kb(registrar.popen.pid, "VmRSS")
        for i in range(3000):
            s.send(mutated(question.encode(), dice) if i % 2 else os.urandom(dice.randrange(1, 1200)))
        for noise in NO_MESSAGES:
            s.send(noise)

        def answered():
            """The noise may have cost the question its place in the socket, or its turn."""
            s.send(question.encode())
            with contextlib.suppress(TimeoutError, coap.Malformed):
                answer = coap.Message.decode(s.recv(2000))
                return answer.token == question.token and b"brski" in answer.payload

        harness.wait_until(answered, "an answer to a question")
        assert not MEASURED or memory_kb(registrar.popen.pid, "VmRSS") - before < 4096


# -- floods and crowds

def flood(siege, mode, port="coaps_port", seconds=60, **more):
    """As long as the siege; the flood itself ends after `seconds`."""
    def attack(target):
        argv = [ATTACKER, mode, str(getattr(target.daemon, port)), str(seconds * SLOWER),
                str(FLOOD_RATE // SLOWER)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as p:
            time.sleep(0.2)
            target.struck()
            while target.going():
                target.rest(0.1)
            p.terminate()

    lay(siege, attack, limit_s=FLOODED_S, **more)


@pytest.mark.parametrize("mode", ["hello", "garbage"])
def test_a_flood_of_datagrams(siege, mode):
    flood(siege, mode)


@req("J-08")
def test_a_flood_through_a_join_proxys_port(siege):
    flood(siege, "jpy", port="jpy_port")


JPY_NOISE = [b"", b"\x80", b"\x81\x40", b"\x82\x40", b"\x82\x40\x40", b"\xa1\x40\x40", b"\x60",
             b"\x82\x60\x40", b"\x82\x40\x60", b"\x9f\x40\x40", b"\x9f\xff", b"\x82\x5f\x40\xff\x40",
             b"\x82\x5b\xff\xff\xff\xff\xff\xff\xff\xff", b"\x82\x41x\x59\xff\xffab",
             b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x40\x40", b"\x82\x58\x21" + b"h" * 33 + b"\x40",
             b"\x81" * 60000, os.urandom(1200)]


@req("J-08", "J-09", "J-10")
def test_noise_from_join_proxies_disturbs_nobody_behind_them(site, siege):
    """Two devices behind one proxy, their datagrams in turn, noise from the same port between."""
    def header(name):
        return {"wrap": lambda d: cbor2.dumps([name, d]),
                "unwrap": lambda d: cbor2.loads(d)[1] if cbor2.loads(d)[0] == name else None}

    device = siege.device()
    with site.constrained_peer(device, site.registrar.jpy_port, **header(b"first")) as one, \
            site.constrained_peer(siege.device(), site.registrar.jpy_port, **header(b"\x00" * 16)) as two:
        assert one.request_voucher().said == "2.04"
        for noise in JPY_NOISE:
            one.client.socket.send(noise)
        assert two.request_voucher().said == "2.04"
        assert one.voucher_status().said == two.voucher_status().said == "2.04"
        reply, _key = one.enroll()
        assert reply.said == "2.04"


def crowd(siege, mode, count, spread, joins=2, **more):
    def attack(target):
        maker = siege.site.manufacturer
        identity = [maker.file("issuing.key"), maker.file("issuing.crt")] if mode == "sessions" else []
        argv = [ATTACKER, mode, str(target.daemon.coaps_port), str(count), str(spread), *identity]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
            target.gathering = True
            target.struck()
            ready = p.stdout.readline().decode().split()
            target.gathering = False
            while target.going():
                target.rest(0.1)
            p.stdin.close()
        assert int(ready[1]) > count * 0.95, ready

    held_kb = min(count, ASSOCIATIONS_MAX) * ASSOCIATION_KB
    lay(siege, attack, joins=joins, limit_s=FLOODED_S, growth_max_kb=GROWTH_MAX_KB + held_kb, **more)


def test_1000_half_open_handshakes(siege):
    crowd(siege, "half", 1000, 20)


@pytest.mark.slow
def test_half_open_handshakes_that_are_never_silent(siege):
    """From the address that good devices come from; none of them goes on, all of them are heard of."""
    def attack(target):
        argv = [ATTACKER, "clinging", str(target.daemon.coaps_port), "600", "1"]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
            p.stdout.readline()
            target.struck()
            while target.going():
                target.rest(0.1)
            p.stdin.close()

    lay(siege, attack, limit_s=FLOODED_S, growth_max_kb=GROWTH_MAX_KB + 600 * ASSOCIATION_KB)


def test_1100_idle_associations_from_one_address(siege):
    crowd(siege, "sessions", 1100, 1)


@pytest.mark.slow
@pytest.mark.parametrize("spread", [1, 500])
def test_10000_idle_associations(siege, spread):
    crowd(siege, "sessions", 10000, spread, joins=10)


@pytest.mark.slow
def test_20000_half_open_handshakes(siege):
    crowd(siege, "half", 20000, 500, joins=10)
