# SPDX-License-Identifier: Apache-2.0
"""A manufacturer and a site in a temporary folder, with the real daemons running, for the bench."""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "interop"))
from brski_peer.ports import free_port  # noqa: E402

READY_S = 15  # a daemon that does not listen by then has failed


def cpu_s(process):
    """CPU time of a process so far."""
    return time.clock_gettime(~process.pid << 3 | 2)


class Site:
    """with Site(build, devices=N) as site: site.load(clients, count, first)

    coaps: the registrar serves constrained devices too, on coaps_port. more_cacerts: PEM.
    admit: whom it lets in."""

    def __init__(self, build, devices, workers=0, level="warning", coaps=False, more_cacerts="", admit="all"):
        self.build = os.path.abspath(build)
        self.devices = devices
        self.workers, self.level = workers, level
        self.dir = tempfile.mkdtemp(prefix="brski-bench-")
        self.port, self.masa_port = free_port(), free_port()
        self.coaps_port = free_port() if coaps else None
        self.more_cacerts, self.admit = more_cacerts, admit
        self.running = []

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def tool(self, name, *args):
        subprocess.run([f"{self.build}/{name}", *args], check=True, stdout=subprocess.DEVNULL)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)

    def start(self, program, config, port):
        log = open(self.path(program + ".log"), "wb")
        process = subprocess.Popen([f"{self.build}/{program}", "-c", self.path(config)], stderr=log, stdout=log)
        self.running.append(process)
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    return process
            if process.poll() is not None:
                break
            time.sleep(0.05)
        with open(self.path(program + ".log"), encoding="utf-8", errors="replace") as said:
            raise SystemExit(f"{program} did not start:\n{said.read()}")

    def __enter__(self):
        try:
            self.tool("brski-certs", "manufacturer", "--out", self.path("maker"))
            self.tool("brski-certs", "masa", "--ca", self.path("maker"), "--out", self.path("masa"))
            self.tool("brski-certs", "domain", "--out", self.path("domain"))
            self.tool("brski-certs", "registrar", "--ca", self.path("domain"), "--out", self.path("site"))
            with open(self.path("domain", "root.crt"), encoding="ascii") as root:
                self.write("chain.crt", root.read() + self.more_cacerts)
            self.write("masa.conf", f"""[server]
listen = 127.0.0.1:{self.masa_port}
workers = {self.workers}
key = masa/masa-tls.key
certificate = masa/masa-tls.crt
[signer]
key = masa/masa-signer.key
certificate = masa/masa-signer.crt
[devices]
anchors = maker/root.crt
[store]
path = masa.db
[log]
level = {self.level}
[admin]
socket = masa.sock
[rate]
per_registrar_per_minute = 1000000
""")
            self.write("registrar.conf", f"""[server]
listen = 127.0.0.1:{self.port}
workers = {self.workers}
key = site/registrar.key
certificate = site/registrar.crt
[ca]
key = domain/issuing.key
certificate = domain/issuing.crt
chain = chain.crt
[store]
path = registrar.db
[admin]
socket = registrar.sock
[log]
level = {self.level}
[masa]
addresses = loopback
[manufacturer bench]
anchors = maker/root.crt
masa_anchors = maker/root.crt
admit = {self.admit}
""" + (f"[coaps]\nlisten = 127.0.0.1:{self.coaps_port}\n" if self.coaps_port else ""))
            self.masa = self.start("brski-masa", "masa.conf", self.masa_port)
            serials = subprocess.check_output([f"{self.build}/bench/loadgen", "--serials", "--count",
                                               str(self.devices)]).decode()
            self.write("devices.csv", "serial\n" + serials)
            self.tool("masactl", "-s", self.path("masa.sock"), "devices", "import", self.path("devices.csv"))
            self.registrar = self.start("brski-registrar", "registrar.conf", self.port)
        except BaseException:
            self.__exit__()
            raise
        return self

    def load(self, clients, count, first, *more):
        out = subprocess.check_output([
            f"{self.build}/bench/loadgen", "--port", str(self.port), "--ca", self.path("maker"),
            "--masa-url", f"localhost:{self.masa_port}", "--clients", str(clients), "--count", str(count),
            "--first", str(first), "--pids", f"{self.registrar.pid},{self.masa.pid}", *more])
        return json.loads(out)

    def registrar_status(self, field):
        """A line of /proc/PID/status that counts kB."""
        with open(f"/proc/{self.registrar.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(field + ":"))

    def registrar_cpu_s(self):
        """CPU time of the registrar so far."""
        return cpu_s(self.registrar)

    def __exit__(self, *_):
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(self.dir, ignore_errors=True)
