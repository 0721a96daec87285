# SPDX-License-Identifier: Apache-2.0
"""Two registrars of one site and two MASAs of its manufacturer, each pair with one database, behind
a real TCP load balancer that tells whose connections it hands on."""
import contextlib
import http.client
import json
import pathlib
import shutil
import subprocess
import tempfile

import harness
from places import Site
from postgres import Postgres

BALANCER = "127.0.0.9"  # where its connections to the servers come from


class Balancer(harness.Process):
    """haproxy with a frontend for each group of servers; who is not ready gets nothing."""

    def __init__(self, directory, groups):
        """groups: {name: (port, [(server's port, its port for /readyz), …])}"""
        directory = pathlib.Path(directory)
        directory.mkdir()
        lines = ["global", "  maxconn 2000", "defaults", "  mode tcp", "  timeout connect 2s", "  timeout client 1m",
                 "  timeout server 1m", "  timeout check 1s", "  option redispatch",
                 f"  default-server check inter 100ms fall 1 rise 1 source {BALANCER} send-proxy-v2"]
        for name, (port, servers) in groups.items():
            lines += [f"listen {name}", f"  bind 127.0.0.1:{port}", "  balance roundrobin", "  option httpchk GET /readyz"]
            lines += [f"  server s{n} 127.0.0.1:{server} check port {asked}" for n, (server, asked) in enumerate(servers)]
        config = directory / "haproxy.cfg"
        config.write_text("\n".join(lines) + "\n")
        self.ports = [port for port, _ in groups.values()]
        super().__init__(["/usr/sbin/haproxy", "-db", "-f", config], directory / "haproxy.log")

    def start(self):
        super().start()
        harness.wait_until(lambda: all(map(harness.listening, self.ports)), "haproxy listening")
        return self

    def stop(self, timeout=None):
        """On SIGTERM it ends at once, with 143."""
        code = super().stop(timeout)
        return 0 if code in (143, -15) else code


def ready(daemon):
    """What GET /readyz says."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.metrics, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    finally:
        connection.close()


class Several:
    """Sites a and b differ in the registrar; `both` is reached through the balancer."""

    def __init__(self, directory, manufacturer, domain, admit="hold"):
        directory.mkdir(exist_ok=True)
        self.directory, self.manufacturer, self.domain = directory, manufacturer, domain
        # root's own folders are closed to the user it runs as
        self.server_folder = pathlib.Path(tempfile.mkdtemp(prefix="brski-several-"))
        self.server_folder.chmod(0o755)
        self.postgres = Postgres(self.server_folder / "pg")
        masa_front, registrar_front, self.http_front = (harness.free_port() for _ in range(3))
        self.masas = [self._masa(n) for n in "ab"]
        self.registrars = [self._registrar(n, admit) for n in "ab"]
        self.admin_front = harness.free_port()
        self.balancer = Balancer(directory / "balancer", {
            "masas": (masa_front, [(m.port, m.metrics) for m in self.masas]),
            "registrars": (registrar_front, [(r.port, r.metrics) for r in self.registrars]),
            "verifiers": (self.http_front, [(r.http, r.metrics) for r in self.registrars]),
            "administrators": (self.admin_front, [(r.admin_port, r.metrics) for r in self.registrars])})
        front = type("Front", (), {"port": masa_front})
        self.a, self.b = (Site(directory, manufacturer, domain, front, r) for r in self.registrars)
        both = type("Front", (), {"port": registrar_front, "coaps_port": None})
        self.both = Site(directory, manufacturer, domain, front, both)

    def _changes(self, name, kind, more):
        metrics = harness.free_port()
        return metrics, harness.merged({
            "server": {"proxy_protocol_from": f"{BALANCER}/32"},
            "store": {"path": self.uri(kind)}, "metrics": {"listen": f"127.0.0.1:{metrics}"}}, more)

    def uri(self, kind):
        return f"postgresql://brski@/brski_{kind}?host={self.postgres.folder}&port={{port}}"

    def _masa(self, name):
        metrics, changes = self._changes(name, "masa", {})
        masa = harness.Masa(self.directory / f"masa-{name}", self.manufacturer, changes=changes)
        masa.metrics = metrics
        return masa

    def _registrar(self, name, admit):
        admin, http = harness.free_port(), harness.free_port()
        metrics, changes = self._changes(name, "registrar", {
            "admin": {"listen": f"127.0.0.1:{admin}"},
            "ca": {"crl_url": "http://pki.example/issuing.crl", "crl_file": self.directory / f"{name}.crl",
                   "http_listen": f"127.0.0.1:{http}", "ocsp_url": f"http://127.0.0.1:{self.http_front}/ocsp"},
            f"manufacturer {self.manufacturer.name}": {"admit": admit}})
        registrar = harness.Registrar(self.directory / f"registrar-{name}", self.domain, [self.manufacturer],
                                      changes=changes)
        registrar.metrics, registrar.admin_port, registrar.http = metrics, admin, http
        return registrar

    def device(self, **more):
        device = self.a.device(known=False, **more)
        self.masas[0].import_devices([{"serial": device.serial}])
        return device

    def sql(self, kind, text):
        """What the database says, as rows of text."""
        done = subprocess.run(["psql", "-X", "-A", "-t", "-h", str(self.postgres.folder), "-p", self.postgres.port(), "-U",
                               "brski", "-d", f"brski_{kind}", "-c", text], check=True, stdout=subprocess.PIPE, text=True)
        return [row.split("|") for row in done.stdout.splitlines()]

    def issued(self, serial):
        return json.loads(self.masas[0].ctl("audit", "show", serial, "-o", "json").stdout)

    def leader(self):
        """The registrar that leads; the other one."""
        def found():
            for r in self.registrars:
                said = r.lines("event=store-(leads|follows)")
                if r.alive() and said and "store-leads" in said[-1]:
                    return r
            return None
        leads = harness.wait_until(found, "a registrar that leads")
        return leads, [r for r in self.registrars if r is not leads][0]

    @contextlib.contextmanager
    def running(self):
        self.postgres.start()
        try:
            for kind in ("masa", "registrar"):
                subprocess.run(["psql", "-X", "-q", "-h", str(self.postgres.folder), "-p", self.postgres.port(), "-U", "brski",
                                "-d", "postgres", "-c", f"CREATE DATABASE brski_{kind}"], check=True)
            for daemon in (*self.masas, *self.registrars):
                daemon.config.write_text(daemon.config.read_text().format(port=self.postgres.port()))
            with harness.running(*self.masas, *self.registrars, self.balancer):
                for daemon in (*self.masas, *self.registrars):
                    harness.wait_until(lambda d=daemon: ready(d), "the store")
                yield self
        finally:
            self.postgres.stop()
            shutil.rmtree(self.server_folder)
