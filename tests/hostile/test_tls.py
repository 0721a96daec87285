# SPDX-License-Identifier: Apache-2.0
"""TLS as an attacker speaks it: handshakes that never end, cost much or come too late."""
import contextlib
import socket
import ssl
import subprocess

import pytest

import harness
from brski_peer import certs, forge
from brski_peer.wire import client_context
from siege import SLOWER, read_to_end, send_all

ABUSE = harness.BUILD / "tools" / "abuse"


def client_hello(version="1.3"):
    """The first flight of a real client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context(tls=version).wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


STOPS = {
    "nothing": lambda hello: b"",
    "one octet": lambda hello: hello[:1],
    "record header": lambda hello: hello[:5],
    "all but one octet": lambda hello: hello[:-1],
    "whole ClientHello": lambda hello: hello,
    "record of 16 kB": lambda hello: b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc",
}


def test_handshakes_never_finished(siege):
    """Of each kind two hundred, together more than one source may have."""
    hello = client_hello()

    def attack(target):
        with contextlib.ExitStack() as stack:
            for stop in STOPS.values():
                for _ in range(200):
                    s = stack.enter_context(target.tcp())
                    send_all(s, stop(hello))
            target.struck()
            target.stop.wait(20)

    siege.lay(attack, joins=3, growth_max_kb=64 << 10)


def test_handshakes_started_without_end(siege):
    """The victim's key agreement and signature for one small packet, again and again."""
    hello = client_hello()

    def attack(target):
        while target.going():
            with target.tcp() as s:
                s.sendall(hello)
                s.recv(1)
                target.struck()

    siege.lay(attack, joins=3, attackers=2)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_handshakes_finished_and_dropped(siege, version):
    def attack(target):
        while target.going():
            target.tls(version=version, identity=target.identity).close()
            target.struck()

    siege.lay(attack, joins=3, attackers=2)


def test_handshake_dripped(siege):
    def attack(target):
        hello = client_hello()
        with contextlib.ExitStack() as stack:
            slow = [stack.enter_context(target.tcp()) for _ in range(100)]
            for octet in hello[:100]:
                for s in slow:
                    send_all(s, bytes([octet]))
                target.struck()
                target.rest(0.05)
                if not target.going():
                    return

    siege.lay(attack, joins=3)


def abuse(how, target):
    done = subprocess.run([ABUSE, how, str(target.port), "1"], capture_output=True, text=True,
                          timeout=30 * SLOWER, check=True)
    connections, messages = map(int, done.stdout.split())
    assert connections
    return connections, messages


def test_renegotiation(siege):
    def attack(target):
        while target.going():
            _, made = abuse("renegotiate", target)
            assert made == 0, "the victim renegotiates"
            target.struck()

    siege.lay(attack, joins=3)


def test_key_updates_without_end(siege):
    def attack(target):
        target.struck()
        while target.going():
            abuse("key-update", target)

    siege.lay(attack, joins=3)


def test_certificate_chains_of_100(siege, tmp_path):
    """Refused by their size, before the first of them is parsed."""
    root = certs.make_ca("attacker")
    key, chain = certs.new_key(), []
    for i in range(100):
        chain.append(certs.make_ca(f"CA {i}", issuer=chain[-1] if chain else root))
    end = certs.make_ldevid(chain[-1], "X-1")
    long = forge.save(tmp_path, "long", end.key, [end.cert] + [c.cert for c in reversed(chain)])

    def attack(target):
        while target.going():
            with contextlib.suppress(ssl.SSLError, OSError):
                with target.tls(identity=long) as s:
                    send_all(s, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    assert not s.recv(100), "answered"
            target.struck()

    siege.lay(attack, joins=3)


def test_records_of_nothing(siege):
    """Garbage, alerts and records of length zero in place of a handshake."""
    junk = [b"\x16\x03\x01\x00\x00" * 1000, b"\x15\x03\x03\x00\x02\x01\x00" * 1000,
            b"\x14\x03\x03\x00\x01\x01" * 1000, b"\x17\x03\x03\x00\x00" * 1000,
            b"\x80\x2e\x01\x00\x02" + b"\0" * 41, b"GET / HTTP/1.1\r\n\r\n" * 100, b"\0" * 20000]

    def attack(target):
        while target.going():
            for octets in junk:
                with target.tcp(timeout=0.2) as s, contextlib.suppress(TimeoutError):
                    send_all(s, octets)
                    target.struck()
                    read_to_end(s)

    siege.lay(attack, joins=3)


def test_reset_in_every_phase(siege):
    """Sockets that vanish with a RST: right away, in the handshake, after it, in a request."""
    hello, at_once = client_hello(), b"\1\0\0\0\0\0\0\0"

    def gone(s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        s.close()

    def attack(target):
        while target.going():
            for part in (b"", hello[:50], hello):
                s = target.tcp()
                send_all(s, part)
                gone(s)
            for part in (b"", b"GET / HT", b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n" * 50):
                s = target.tls()
                send_all(s, part)
                gone(s)
            target.struck()

    siege.lay(attack, joins=3)
