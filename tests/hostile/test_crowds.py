# SPDX-License-Identifier: Apache-2.0
"""Crowds: more connections than a daemon holds, from the very address the good pledge has (a
warehouse sits behind one). Idle ones go, the newcomer gets in, every time."""
import concurrent.futures
import contextlib
import resource
import time

import pytest

from siege import read_to_end, send_all

# the cap of connections (4096 per source 1024) of some 35 kB each, and what the allocator keeps
CROWD_MAX_KB = 160 << 10


@pytest.fixture(autouse=True)
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < 11000:
        pytest.skip(f"only {hard} descriptors allowed")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def crowd(stack, target, count, connect):
    for _ in range(count):
        with contextlib.suppress(OSError):
            stack.enter_context(connect())


def gather(stack, target, count, connect):
    """Halves of the crowd before and while the pledges join."""
    crowd(stack, target, count // 2, lambda: connect(target))
    target.gathering = True
    target.struck()
    crowd(stack, target, count - count // 2, lambda: connect(target))
    target.gathering = False


def idle(siege, count, connect, joins=5, targets=None):
    """`count` connections on each daemon."""
    def attack(target):
        with contextlib.ExitStack() as stack:
            gather(stack, target, count, connect)
            target.stop.wait(60)

    siege.lay(attack, joins=joins, growth_max_kb=CROWD_MAX_KB, ready_s=120, targets=targets)


def test_3000_idle_sockets(siege):
    idle(siege, 3000, lambda target: target.tcp())


def test_1200_idle_tls_connections(siege):
    idle(siege, 1200, lambda target: target.tls())


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, 1], ids=["registrar", "masa"])
@pytest.mark.parametrize("kind", ["tcp", "tls", "h2"])
def test_10000_idle_connections(siege, kind, which):
    connect = {"tcp": lambda target: target.tcp(), "tls": lambda target: target.tls(),
               "h2": lambda target: target.tls(alpn="h2")}[kind]
    idle(siege, 10000, connect, joins=20, targets=[siege.targets[which]])


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, 1], ids=["registrar", "masa"])
@pytest.mark.parametrize("part", ["header", "body"])
def test_1000_clients_at_an_octet_a_second(siege, part, which):
    """Whoever drips is told so at the deadline, 10 s for a head and 30 s for a body; the thousand
    come again at once."""
    starts = {"header": b"GET / HTTP/1.1\r\nHost: x\r\nX: ",
              "body": b"POST /.well-known/brski/requestvoucher HTTP/1.1\r\nHost: x\r\n"
                      b"Content-Type: application/voucher-cms+json\r\nContent-Length: 5000\r\n\r\n"}
    deadline_s = {"header": 10, "body": 30}[part]

    def drip(target, slow):
        """Until the siege is over; one second for a round. Afterwards who is still connected?"""
        while target.going():
            began = time.monotonic()
            for s in slow:
                send_all(s, b"A")
            target.rest(max(0, began + 1 - time.monotonic()))

    def attack(target):
        with contextlib.ExitStack() as stack:
            slow = []
            for _ in range(1000):
                slow.append(stack.enter_context(target.tls()))
                send_all(slow[-1], starts[part])
            dripping_since = time.monotonic()
            target.struck()
            drip(target, slow)
            while time.monotonic() < dripping_since + deadline_s + 3:
                time.sleep(0.5)
                for s in slow:
                    send_all(s, b"A")
            for s in slow:
                assert b" 408 " in read_to_end(s)[:20]

    siege.lay(attack, joins=50, growth_max_kb=CROWD_MAX_KB, targets=[siege.targets[which]])


def drip_on(target, count):
    """An octet a second on so many connections; who is put out comes again. How many were there at once?"""
    slow, most = [], 0
    while target.going():
        began = time.monotonic()
        for s in slow:
            if not send_all(s, b"A"):
                s.close()
        slow = [s for s in slow if s.fileno() >= 0]
        with contextlib.suppress(OSError):
            while len(slow) < count and target.going():
                slow.append(target.tls())
                send_all(slow[-1], b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        most = max(most, len(slow))
        target.rest(max(0, began + 1 - time.monotonic()))
    for s in slow:
        s.close()
    return most


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, 1], ids=["registrar", "masa"])
def test_10000_idle_and_1000_that_drip_at_once(siege, which):
    def attack(target):
        with contextlib.ExitStack() as stack, concurrent.futures.ThreadPoolExecutor(1) as pool:
            dripping = pool.submit(drip_on, target, 1000)
            concurrent.futures.wait([dripping], 5)  # most of them are there first
            gather(stack, target, 10000, lambda t: t.tcp())
            target.stop.wait(60)
        assert dripping.result() > 100, "it is no crowd that drips"

    siege.lay(attack, joins=20, growth_max_kb=CROWD_MAX_KB, ready_s=120, targets=[siege.targets[which]])
