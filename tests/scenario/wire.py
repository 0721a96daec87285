# SPDX-License-Identifier: Apache-2.0
"""Two hosts, as network namespaces, at the ends of a cable of a quality of one's choice:

    left  eth0 198.18.96.1, fe80::1  ——  build/tools/wire  ——  198.18.96.2, fe80::2  eth0  right

    with Wire(delay_ms=100, loss_pct=5) as wire:
        wire.run(wire.left, ["brski-registrar", …])

Needs root and the ip command; nothing of it touches the machine's own interfaces.
"""
import contextlib
import itertools
import os
import re
import signal
import subprocess

import harness
import netns
from places import Site

LEFT, RIGHT = "198.18.96.1", "198.18.96.2"

_numbers = itertools.count()


class Wire:
    """delay_ms and jitter_ms are of each way; loss_pct is of the frames of each way; mtu: of IP packets
    that get through, without a word to who sends larger ones."""

    def __init__(self, delay_ms=0, jitter_ms=0, loss_pct=0, mtu=65535, seed=1):
        mark = f"{os.getpid()}{next(_numbers)}"
        self.left, self.right, self.between = (f"brski-{mark}-{end}" for end in ("left", "right", "wire"))
        self.argv = [harness.program("tools/wire"), "-d", delay_ms, "-j", jitter_ms, "-l", loss_pct, "-m", mtu,
                     "-s", seed, "left0", "right0"]
        self.popen = None
        self.counts = {}  # after the end: {"left0": (carried, lost), …}: frames that came in there

    def __enter__(self):
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _make(self):
        for name in (self.left, self.right, self.between):
            netns.ip("netns", "add", name)
            netns.ip("-n", name, "link", "set", "lo", "up")
        for name, end, address, last in ((self.left, "left0", LEFT, 1), (self.right, "right0", RIGHT, 2)):
            netns.ip("-n", self.between, "link", "add", "name", end, "type", "veth", "peer", "name", "eth0",
                     "netns", name)
            # one frame is one packet: a loss is a loss of 1500 octets, not of 64 kB
            netns.ip("-n", name, "link", "set", "eth0", "gso_max_segs", "1")
            netns.ip("-n", name, "link", "set", "eth0", "addrgenmode", "none")
            netns.ip("-n", self.between, "link", "set", end, "addrgenmode", "none")
            netns.ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            netns.ip("-n", name, "addr", "add", f"fe80::{last}/64", "dev", "eth0", "nodad")
            netns.ip("-n", self.between, "link", "set", end, "up")
            netns.ip("-n", name, "link", "set", "eth0", "up")
        self.popen = subprocess.Popen(netns.inside(self.between, self.argv), stdout=subprocess.PIPE, text=True)
        assert self.popen.stdout.readline() == "ready\n"

    def cut(self):
        self.popen.send_signal(signal.SIGUSR1)

    def mend(self):
        self.popen.send_signal(signal.SIGUSR2)

    def __exit__(self, *_):
        if self.popen:
            self.popen.terminate()
            said, _ = self.popen.communicate(timeout=10)
            self.counts = {end: (int(carried), int(lost)) for end, carried, lost in
                           re.findall(r"(\w+): (\d+) carried, (\d+) lost", said)}
        for name in (self.left, self.right, self.between):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    @staticmethod
    def run(namespace, argv, **more):
        return subprocess.run(netns.inside(namespace, argv), capture_output=True, text=True, check=False, **more)


# -- a site at the left end

KNOCK = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)"


@contextlib.contextmanager
def running_at(wire, namespace, daemon, address):
    daemon.argv = netns.inside(namespace, daemon.argv)
    harness.Process.start(daemon)
    try:
        harness.wait_until(
            lambda: wire.run(namespace, ["/usr/bin/python3", "-c", KNOCK, address, daemon.port]).returncode == 0,
            f"{daemon.log_path.name} listening")
        yield daemon
    finally:
        daemon.stop()


class LeftSite(Site):
    @property
    def url(self):
        return f"https://{LEFT}:{self.registrar.port}"


@contextlib.contextmanager
def site_at_left(wire, directory, acme, domain, changes=None):
    """Registrar and MASA; devices are to run at wire.right, where the registrar announces itself, too."""
    port = harness.free_port()
    masa = harness.Masa(directory / "masa", acme, changes=changes)
    registrar = harness.Registrar(directory / "registrar", domain, [acme], port, changes=harness.merged(
        changes or {}, {"server": {"listen": f"[::]:{port}"}, "announce": {"interfaces": "eth0"}}))
    with running_at(wire, wire.left, masa, "127.0.0.1"), running_at(wire, wire.left, registrar, LEFT):
        yield LeftSite(directory, acme, domain, masa, registrar)
