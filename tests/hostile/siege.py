# SPDX-License-Identifier: Apache-2.0
"""A siege: attackers in threads against a registrar and its MASA while a good pledge joins.

An attack is a function of a Target. It strikes until target.going() is false, says target.struck()
for each stroke, and asserts what its victim must answer. Besieged() runs it against both daemons at
once and demands what a site expects of them: the device joins in under three seconds, memory stays
flat, and when it is over the daemons go back to sleep and still answer.
"""
import contextlib
import hashlib
import itertools
import os
import pathlib
import socket
import ssl
import threading
import time
from dataclasses import dataclass

import harness
from brski_peer import forge
from brski_peer.wire import client_context

JOIN_MAX_S = 3.0
GROWTH_MAX_KB = 24 << 10   # of the peak: some sockets' buffers and the requests in flight
FILLED_MAX_KB = 96 << 10   # where the attack is to fill the daemon: 64 MB of requests and replies
IDLE_TICKS_MAX = 1         # of 10 ms, in a window of IDLE_WINDOW_S
IDLE_WINDOW_S = 0.3
YARDSTICK_ROUNDS, YARDSTICK_S = 200_000, 0.1  # of computing, where a join at peace takes 0.2 s
CACERTS = "/.well-known/est/cacerts"
REQUESTVOUCHER = "/.well-known/brski/requestvoucher"

# A sanitizer build is slower and keeps freed memory: there the attacks show that nothing is broken.
MEASURED = harness.BUILD.name != "asan"
SLOWER = 1 if MEASURED else 10


class Target:
    """One daemon under attack. identity: what the attacker shows when it shows a certificate."""

    def __init__(self, daemon, identity):
        self.daemon, self.port, self.identity = daemon, daemon.port, identity
        # a resource with an answer, and one that takes a body, of either daemon
        self.readable = CACERTS if isinstance(daemon, harness.Registrar) else "/nothing"
        self.writable = REQUESTVOUCHER
        self.gathering = False  # a crowd that still grows: pledges join until it does no more
        self.stop = threading.Event()
        self.first = threading.Event()

    def going(self):
        return not self.stop.is_set()

    def struck(self):
        self.first.set()

    def rest(self, seconds):
        """Wait between two octets of a slow attack; ends early when the siege does."""
        self.stop.wait(seconds)

    def tcp(self, timeout=10):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout * SLOWER)

    def tls(self, alpn=None, identity=None, version=None, timeout=None):
        """timeout: for what comes after the handshake."""
        args = (identity.cert_path, identity.key_path) if identity else ()
        context = client_context(*args, tls=version)
        if alpn:
            context.set_alpn_protocols([alpn])
        raw = self.tcp()
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            s = context.wrap_socket(raw)
            if timeout:
                s.settimeout(timeout)
            return s
        except (ssl.SSLError, OSError):
            raw.close()
            raise


def read_to_end(s):
    """All that comes until the peer ends the connection; TimeoutError when it does not."""
    octets = b""
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        while more := s.recv(65536):
            octets += more
    return octets


def send_all(s, octets):
    """False when the peer has had enough."""
    try:
        s.sendall(octets)
        return True
    except (ssl.SSLError, OSError):
        return False


# -- the daemon as the kernel sees it

def memory_kb(pid, field):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(field + ":"))


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def reset_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as f:
        f.write("5")


def are_idle(pids):
    before = [cpu_ticks(pid) for pid in pids]
    time.sleep(IDLE_WINDOW_S)
    return all(cpu_ticks(pid) - b <= IDLE_TICKS_MAX for pid, b in zip(pids, before))


# -- the machine that all of this shares with others

def cpu_ticks_of_machine():
    """(all there were, those that anybody used), a hypervisor's other guests among them."""
    with open("/proc/stat") as f:
        ticks = [int(n) for n in f.readline().split()[1:9]]
    return sum(ticks), sum(ticks) - ticks[3] - ticks[4]


def disk_of_machine():
    """(seconds that somebody waited for a disk, kB that were written); none where the kernel does not tell."""
    try:
        waited = pathlib.Path("/proc/pressure/io").read_text().split("total=")[1].split()[0]
    except (OSError, IndexError):
        return 0, 0
    return int(waited) / 1e6, int(pathlib.Path("/proc/vmstat").read_text().split("pgpgout ")[1].split()[0])


def use_of_tree():
    """(ticks of the processors, kB written) of this process and all that came of it."""
    stats, children = {}, {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rsplit(")", 1)[1].split()
            stats[int(path.parent.name)] = sum(map(int, fields[11:15]))  # with those that have ended
            children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    left, ticks, written = [os.getpid()], 0, 0
    while left:
        pid = left.pop()
        ticks += stats.get(pid, 0)
        left += children.get(pid, [])
        with contextlib.suppress(OSError, IndexError):
            io = pathlib.Path(f"/proc/{pid}/io").read_text()
            written += int(io.split("\nwrite_bytes: ")[1].split()[0]) >> 10
    return ticks, written


def slowness():
    """How much longer than the machine for which the limits were chosen this one takes to compute."""
    began = time.process_time()
    hashlib.pbkdf2_hmac("sha256", b"", b"", YARDSTICK_ROUNDS)
    return max(1.0, (time.process_time() - began) / YARDSTICK_S)


def share_of_others(all_there_was, ours):
    return max(0, all_there_was - max(0, ours)) / max(1, all_there_was)


class Stopwatch:
    """Takes time off that was nobody's here: what other programs had of the processors, waits for
    disks to which they write, and what a slower machine needs. What attackers and daemons take from
    each other stays."""

    def __init__(self):
        self.began, self.before = time.monotonic(), self.used()

    @staticmethod
    def used():
        return (*cpu_ticks_of_machine(), *disk_of_machine(), *use_of_tree())

    def exceeds(self, limit_s):
        """0, or the seconds that were too long."""
        took = time.monotonic() - self.began
        if took < limit_s:
            return 0
        ticks, busy, waited_s, written, our_ticks, our_written = (
            now - before for now, before in zip(self.used(), self.before))
        took -= waited_s * share_of_others(written, our_written)
        took *= (1 - share_of_others(busy, our_ticks) * busy / max(1, ticks)) / slowness()
        return took if took >= limit_s else 0


# -- the siege

class Attacker(threading.Thread):
    def __init__(self, attack, target):
        super().__init__(daemon=True)
        self.attack, self.target, self.failure = attack, target, None
        self.start()

    def run(self):
        try:
            self.attack(self.target)
        except BaseException as e:
            self.failure = e
            self.target.first.set()


def join_in_time(make_pledge, device, limit_s=JOIN_MAX_S):
    """The real pledge, from its start to its certificate."""
    pledge = make_pledge(device, changes={"retry": {"attempts": 3}})
    watch = Stopwatch()
    done = pledge.join()
    took = watch.exceeds(limit_s * SLOWER)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not took, f"the good pledge needed {took:.2f} s\n{done.stderr[-3000:]}"


@dataclass
class Device:
    serial: str
    key: pathlib.Path
    certificate: pathlib.Path
    manufacturer: object

    @property
    def identity(self):
        return forge.load(self.key, self.certificate)


_batches = itertools.count(1)


def make_devices(site, count=40):
    """Many at once: one call of each program."""
    batch = next(_batches)
    out = site.directory / f"devices-{batch}"
    serials = [f"GOOD-{batch}-{i:03d}" for i in range(count)]
    out.mkdir()
    (out / "serials.csv").write_text("\n".join(["serial", *serials]) + "\n")
    harness.run(harness.program("brski-certs"), "idevid", "--ca", site.manufacturer.directory, "--out",
                out, "--masa-url", site.masa_url, "--csv", out / "serials.csv", check=0)
    site.masa.import_devices([{"serial": s} for s in serials])
    return [Device(s, out / f"{s}.key", out / f"{s}.crt", site.manufacturer) for s in serials]


class Siege:
    """For the tests of one module, one siege after the other. make_pledge: the good one's maker,
    by default over HTTPS."""

    def __init__(self, site, make_pledge=None):
        self.site, self.make_pledge = site, make_pledge or site.pledge
        self.devices = make_devices(site)
        identity = self.device().identity
        self.targets = [Target(site.registrar, identity), Target(site.masa, identity)]
        self.daemons = [site.registrar, site.masa]

    def device(self):
        if not self.devices:
            self.devices = make_devices(self.site)
        return self.devices.pop()

    def lay(self, attack, joins=2, growth_max_kb=GROWTH_MAX_KB, attackers=1, ready_s=20,
            targets=None, limit_s=JOIN_MAX_S):
        """Run the attack, by default on both daemons, while `joins` pledges join one by one."""
        targets = targets or self.targets
        devices = [self.device() for _ in range(joins)]
        for t in targets:
            t.stop.clear()
            t.first.clear()
        if not self.warm():
            raise AssertionError("not even at peace")
        before = {}
        for d in self.daemons:
            reset_peak(d.popen.pid)
            before[d] = memory_kb(d.popen.pid, "VmRSS")
        threads = [Attacker(attack, t) for t in targets for _ in range(attackers)]
        try:
            for t in targets:
                assert t.first.wait(ready_s * SLOWER), "the attack did not begin"
            while devices or any(t.gathering for t in targets):
                join_in_time(self.make_pledge, devices.pop() if devices else self.device(),
                             limit_s)
                for thread in threads:
                    if thread.failure:
                        raise thread.failure
        finally:
            for t in targets:
                t.stop.set()
            for thread in threads:
                thread.join(60 * SLOWER)
        for thread in threads:
            assert not thread.is_alive(), "the attacker hangs: its victim neither answers nor ends"
            if thread.failure:
                raise thread.failure
        self.check_aftermath(before, growth_max_kb)

    def warm(self):
        with self.site.peer(None) as nobody:
            return nobody.cacerts().status == 200

    def check_aftermath(self, before, growth_max_kb):
        for d in self.daemons:
            assert d.alive(), d.log()[-3000:]
            if MEASURED:
                grown = memory_kb(d.popen.pid, "VmHWM") - before[d]
                assert grown <= growth_max_kb, f"{d.argv[0]} grew by {grown} kB"
        if MEASURED:
            pids = [d.popen.pid for d in self.daemons]
            harness.wait_until(lambda: are_idle(pids), "both daemons idle again")
        join_in_time(self.make_pledge, self.device())
