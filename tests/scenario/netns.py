# SPDX-License-Identifier: Apache-2.0
"""A device and its neighbour as hosts of their own, in network namespaces with links between them:

    this namespace (registrar)  fe80::a  ——  fe80::b  gateway (proxy)  fe80::c  ——  fe80::d  device

Nothing but link-local IPv6 works on the links. Needs root and the ip command.
"""
import ctypes
import itertools
import os
import shutil
import socket
import subprocess
import threading

_numbers = itertools.count()
_libc = ctypes.CDLL(None, use_errno=True)


def missing():
    """Why there can be no namespaces here, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not shutil.which("ip"):
        return "no ip command here (package iproute2)"
    name = f"brski-{os.getpid()}-try"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        return "the kernel lets us make no network namespace"
    done = subprocess.run(["ip", "-n", name, "link", "add", "name", "v0", "type", "veth", "peer", "name", "v1"],
                          capture_output=True, check=False)
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return "the kernel has no veth" if done.returncode else None


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


class Links:
    def __init__(self):
        number = next(_numbers)
        mark = f"{os.getpid()}{number}"
        # networks (/64) of no other test that runs here now: this namespace's routes are everybody's
        self.far, self.near = (f"2001:db8:{os.getpid() & 0xffff:x}:{2 * number + n:x}::" for n in range(2))
        self.site_interface = f"bs{mark}"  # in this namespace
        self.gateway, self.device = f"brski-{mark}-gw", f"brski-{mark}-dev"

    def __enter__(self):
        for name in (self.gateway, self.device):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("link", "add", "name", self.site_interface, "type", "veth", "peer", "name", "up0",
           "netns", self.gateway)
        ip("-n", self.gateway, "link", "add", "name", "down0", "type", "veth", "peer", "name", "dev0",
           "netns", self.device)
        self._up(None, self.site_interface, "a")
        self._up(self.gateway, "up0", "b")
        self._up(self.gateway, "down0", "c")
        self._up(self.device, "dev0", "d")
        return self

    @staticmethod
    def _up(namespace, interface, last):
        where = ["-n", namespace] if namespace else []
        ip(*where, "link", "set", interface, "addrgenmode", "none")
        ip(*where, "addr", "add", f"fe80::{last}/64", "dev", interface, "nodad")
        ip(*where, "link", "set", interface, "up")

    def __exit__(self, *_):
        for name in (self.gateway, self.device):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        # the pair goes with its other end, but not at once
        subprocess.run(["ip", "link", "del", self.site_interface], capture_output=True, check=False)


def inside(namespace, argv):
    """The command, to be run in the namespace."""
    return ["ip", "netns", "exec", namespace, *map(str, argv)]


def socket_in(namespace, kind=socket.SOCK_DGRAM):
    """An IPv6 socket that belongs to the namespace, wherever it is used."""
    made = []

    def make():
        with open(f"/run/netns/{namespace}", "rb") as where:
            assert _libc.setns(where.fileno(), 0x40000000) == 0, os.strerror(ctypes.get_errno())
        made.append(socket.socket(socket.AF_INET6, kind))

    thread = threading.Thread(target=make)  # what it enters ends with it
    thread.start()
    thread.join()
    made[0].settimeout(5)
    return made[0]


def index_in(namespace, interface):
    done = subprocess.run(["ip", "-n", namespace, "-o", "link", "show", "dev", interface],
                          capture_output=True, text=True, check=True)
    return int(done.stdout.split(":", 1)[0])
