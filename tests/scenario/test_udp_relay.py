# SPDX-License-Identifier: Apache-2.0
"""The lossy relay does what it says: what was learned through it is worth no more than that."""
import socket
import time

import pytest

from udp_relay import DOWN, UP, Relay

COUNT = 800


class Ends:
    """A client, a server and the link between them."""

    def __init__(self, **how):
        self.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.server.bind(("127.0.0.1", 0))
        self.relay = Relay(self.server.getsockname()[1], **how)
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for s in (self.server, self.client):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            s.settimeout(10)
        self.sent = 0
        self.client.connect(("127.0.0.1", self.relay.port))

    def __enter__(self):
        self.relay.start()
        return self

    def __exit__(self, *_):
        self.relay.stop()
        self.server.close()
        self.client.close()

    def send(self, octets):
        self.client.send(octets)
        self.sent += 1

    def up(self, count=COUNT, gap=0.0):
        """Numbers that arrive when so many are sent."""
        for i in range(count):
            self.send(i.to_bytes(4, "big"))
            if gap or i % 50 == 49:
                time.sleep(gap or 0.001)
        return [int.from_bytes(d, "big") for d in self.arrived()]

    def arrived(self):
        """What comes at the server until the relay has nothing more to pass on."""
        datagrams = []
        while True:
            over = self.relay.numbers[UP] == self.sent and not self.relay.queue
            try:
                self.server.settimeout(0.1)
                datagrams.append(self.server.recv(65536))
            except TimeoutError:
                if over:
                    return datagrams


def test_a_good_link_changes_nothing():
    with Ends() as ends:
        assert ends.up() == list(range(COUNT))
        assert ends.relay.count["lost"] == ends.relay.count["repeated"] == 0


@pytest.mark.parametrize("loss", [0.05, 0.15])
def test_loss_is_what_was_asked_for_and_the_same_again(loss):
    runs = []
    for seed in (1, 1, 2):
        with Ends(loss=loss, seed=seed) as ends:
            runs.append(ends.up())
            assert len(runs[-1]) == COUNT - ends.relay.count["lost"]
    assert abs(len(runs[0]) - COUNT * (1 - loss)) < COUNT * 0.04
    assert runs[0] == runs[1] != runs[2]


def test_repetition_and_reordering():
    with Ends(duplicate=0.1, reorder=0.1) as ends:
        numbers = ends.up(300, gap=0.001)
        assert sorted(set(numbers)) == list(range(300))
        assert len(numbers) == 300 + ends.relay.count["repeated"] and ends.relay.count["repeated"] > 10
        firsts = list(dict.fromkeys(numbers))
        assert firsts != sorted(firsts) and ends.relay.count["reordered"] > 10


@pytest.mark.alone
def test_delay():
    with Ends(delay=0.1, jitter=0.05) as ends:
        took = []
        for _ in range(5):
            began = time.monotonic()
            ends.client.send(b"x")
            ends.server.recv(10)
            took.append(time.monotonic() - began)
        assert 0.1 <= min(took) < 0.3, took


def test_too_long_datagrams_vanish():
    with Ends(mtu=600) as ends:
        for size in (600, 601, 1400, 10):
            ends.send(b"x" * size)
        assert [len(d) for d in ends.arrived()] == [600, 10]
        assert ends.relay.count["too long"] == 2 and ends.relay.longest[UP] == 1400


def test_answers_find_their_peer_and_a_rebinding_changes_its_port():
    with Ends() as ends:
        ports = []
        for _ in range(2):
            ends.client.send(b"question")
            _, address = ends.server.recvfrom(100)
            ports.append(address[1])
            ends.server.sendto(b"answer", address)
            assert ends.client.recv(100) == b"answer"
            ends.relay.rebind()
        assert ports[0] != ports[1]


def test_one_chosen_datagram_is_lost():
    with Ends(lose=lambda way, number, _datagram: (way, number) == (UP, 3)) as ends:
        assert ends.up(5) == [0, 1, 3, 4]
        ends.relay.cut(DOWN)
        assert ends.up(2) == [0, 1]
        ends.relay.cut()
        assert ends.up(2) == []
        ends.relay.mend()
        assert ends.up(2) == [0, 1]
