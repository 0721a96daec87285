# SPDX-License-Identifier: Apache-2.0
"""Ports for servers of a test.

They lie below those which the kernel gives to clients (/proc/sys/net/ipv4/ip_local_port_range), so
that no connection of another test takes one between its choice here and its server's start; chosen at
random, so that tests in several processes do not follow each other.
"""
import random
import socket

FIRST, LAST = 10_000, 32_000

_choice = random.SystemRandom()
_given = set()


def free_port():
    """A port of the loopback that nobody uses now, by TCP or UDP, and that was not handed out before."""
    while True:
        port = _choice.randint(FIRST, LAST)
        if port in _given:
            continue
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
