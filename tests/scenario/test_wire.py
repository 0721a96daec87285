# SPDX-License-Identifier: Apache-2.0
"""The cable of the tests is as bad as it is said to be, and what crosses it is not changed."""
import hashlib
import time

import pytest

import harness
import netns
from ledger import RegistrarLedger
from wire import LEFT, Wire, site_at_left

pytestmark = [pytest.mark.skipif(netns.missing() is not None, reason=str(netns.missing())), pytest.mark.slow]

SINK = f"""
import hashlib, socket
with socket.create_server(("{LEFT}", 4000)) as s:
    print("up", flush=True)
    conn, _ = s.accept()
    digest = hashlib.sha256()
    while octets := conn.recv(65536):
        digest.update(octets)
    conn.sendall(digest.digest())
"""
SOURCE = f"""
import socket, sys
with socket.create_connection(("{LEFT}", 4000)) as s:
    s.sendall(bytes(range(256)) * 2000)
    s.shutdown(socket.SHUT_WR)
    print(s.recv(32, socket.MSG_WAITALL).hex())
"""


def test_octets_arrive_as_they_were_sent_over_a_bad_cable(cell):
    with Wire(delay_ms=10, jitter_ms=3, loss_pct=5, mtu=1500) as wire:
        sink = harness.Process(netns.inside(wire.left, ["/usr/bin/python3", "-c", SINK]), cell / "sink.log").start()
        sink.wait_log("up")
        done = wire.run(wire.right, ["/usr/bin/python3", "-c", SOURCE], timeout=60)
        sink.wait(20)
    assert done.stdout.strip() == hashlib.sha256(bytes(range(256)) * 2000).hexdigest(), done.stderr
    carried, lost = wire.counts["right0"]
    assert carried > 300, "one packet is one frame"
    assert 0.01 < lost / (carried + lost) < 0.12


class Ends:
    """A datagram and its echo, from the right end to the left one over link-local IPv6."""

    def __init__(self, wire):
        self.left, self.right = netns.socket_in(wire.left), netns.socket_in(wire.right)
        self.left.bind(("::", 4000))
        self.to = ("fe80::1", 4000, 0, netns.index_in(wire.right, "eth0"))
        self.echo(1, patience=10)  # they have found each other then

    def echo(self, size, patience=0.5):
        """Seconds for both ways, or None."""
        self.left.settimeout(patience)
        self.right.settimeout(patience)
        octets, began = bytes(size), time.monotonic()
        try:
            self.right.sendto(octets, self.to)
            got, whence = self.left.recvfrom(65535)
            self.left.sendto(got, whence)
            assert self.right.recv(65535) == octets
        except TimeoutError:
            return None
        return time.monotonic() - began

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.left.close()
        self.right.close()


def test_delay_is_the_one_that_was_asked_for():
    with Wire(delay_ms=50) as wire, Ends(wire) as ends:
        took = [ends.echo(10, patience=10) for _ in range(10)]
    assert all(t and t >= 0.1 for t in took) and min(took) < 0.15, took


def test_large_packets_are_lost_and_a_cut_cable_carries_nothing():
    with Wire(mtu=1280) as wire, Ends(wire) as ends:
        assert ends.echo(1200, patience=10) and not ends.echo(1400)
        wire.cut()
        assert not ends.echo(100)
        wire.mend()
        assert ends.echo(100, patience=10)


# -- joining over it

@pytest.mark.req("R8995-PLG-010")
def test_device_joins_over_a_long_and_lossy_cable(cell, acme, domain):
    with Wire(delay_ms=100, loss_pct=5, mtu=1500) as wire, site_at_left(wire, cell, acme, domain) as site:
        pledges = [site.pledge(site.device(), changes={"retry": {"attempts": 0}}) for _ in range(8)]
        for pledge in pledges:
            pledge.argv = netns.inside(wire.right, pledge.argv)
            pledge.start()
        assert [p.wait(90) for p in pledges] == [0] * 8
        ledger = RegistrarLedger(site.registrar.directory / "registrar.db")
        assert all(ledger.count_certificates(p.directory.name.removeprefix("pledge-")) == 1 for p in pledges)
    assert wire.counts["right0"][1] > 0, "nothing was lost"


@pytest.mark.req("R8995-PLG-026", "EE-13", "EE-15")
@pytest.mark.parametrize("step", ["voucher: requested", "voucher: accepted", "certificate: requested"])
@pytest.mark.parametrize("away_s", [1, 5], ids=["shortly", "longer than it waits"])
def test_uplink_cut_in_the_middle_of_a_join_costs_time_only(cell, acme, domain, step, away_s):
    with Wire(delay_ms=60) as wire, site_at_left(wire, cell, acme, domain) as site:
        device = site.device()
        pledge = site.pledge(device, changes={"retry": {"attempts": 0, "timeout": "3s"}})
        pledge.argv = netns.inside(wire.right, pledge.argv)
        pledge.start()
        pledge.wait_log(step)
        wire.cut()
        time.sleep(away_s)
        wire.mend()
        assert pledge.wait(40) == 0, pledge.log()[-2000:]
        assert RegistrarLedger(site.registrar.directory / "registrar.db").count_certificates(device.serial) == 1
