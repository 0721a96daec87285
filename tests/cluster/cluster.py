# SPDX-License-Identifier: Apache-2.0
"""The PostgreSQL cluster of docs/examples/patroni, from its files: three nodes of etcd, Patroni and
PostgreSQL on one machine. On loopback the example's addresses become ones of 127.0.0.0/8, in a
namespace that has them they stay; its places become folders under one that is thrown away, and all
else is as it is shipped.

PostgreSQL does not run as root, so that the nodes run as the user postgres when we are root.
"""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request

import harness

EXAMPLE = harness.REPOSITORY / "docs/examples/patroni"
EXAMPLE_NET = "192.0.2."
NODES = ("db1", "db2", "db3")
READY_S = 120  # three nodes on two busy cores; alone it takes about 12 s
PASSWORD = "a password"


def as_postgres(argv):
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *map(str, argv)] \
        if os.getuid() == 0 else [str(a) for a in argv]


class Node:
    """One machine of the cluster."""

    def __init__(self, name, address, text):
        """text(name) is a file of the example, put here."""
        self.name, self.address, self.text = name, address, text
        self.etcd = self.patroni = None

    def make(self, directory, certificates):
        """What the example's README has an administrator prepare."""
        self.directory = directory
        own = directory / "brski-db"
        own.mkdir(parents=True)
        for made, name in (("ca.crt", "ca.crt"), (f"{self.name}.crt", "server.crt"), (f"{self.name}.key", "server.key")):
            shutil.copy(certificates / made, own / name)
        (own / "server.key").chmod(0o600)
        (directory / "run").mkdir()
        self.config = directory / "patroni.yml"
        self.config.write_text(self.localized(f"patroni-{self.name}.yml"))
        self.config.chmod(0o600)
        if os.getuid() == 0:
            for path in (directory, *directory.rglob("*")):
                shutil.chown(path, "postgres", "postgres")

    def localized(self, name):
        here = {"/etc/brski-db": self.directory / "brski-db", "/var/run/postgresql": self.directory / "run",
                "/var/lib/postgresql/15/brski": self.directory / "data", "/var/lib/etcd": self.directory,
                "/var/lib/postgresql/pgpass-patroni": self.directory / "pgpass"}
        text = self.text(name)
        for there in sorted(here, key=len, reverse=True):
            text = text.replace(there, str(here[there]))
        return text

    def spawn(self, name, argv, env):
        with open(self.directory / f"{name}.log", "ab") as log:
            return subprocess.Popen(as_postgres(argv), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                    cwd=self.directory, start_new_session=True,
                                    env={"PATH": os.environ["PATH"], "HOME": str(self.directory), **env})

    def start_etcd(self):
        env = re.findall(r"^(ETCD_\w+)=(.*)$", self.localized(f"etcd-{self.name}.env"), re.M)
        self.etcd = self.spawn("etcd", ["etcd"], {**dict(env), "ETCD_UNSAFE_NO_FSYNC": "true"})

    def start_patroni(self):
        self.patroni = self.spawn("patroni", ["patroni", self.config], {})

    def psql(self, statement, database="postgres"):
        """As README has it: the user postgres on this machine. Rows as lines of text."""
        return harness.run(*as_postgres(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.directory / "run",
                                         "-U", "postgres", "-d", database, "-c", statement]),
                           check=0, cwd="/").stdout.splitlines()

    def postmaster(self):
        """The pid of this node's PostgreSQL, or None."""
        try:
            return int((self.directory / "data" / "postmaster.pid").read_text().split()[0])
        except (OSError, IndexError, ValueError):
            return None

    def kill(self):
        """The node dies as by a power cut: PostgreSQL and Patroni with -9 (etcd lives on, so that
        what is measured is the database's part)."""
        pid = self.postmaster()
        for process in (self.patroni.pid, pid):
            if process:
                os.kill(process, signal.SIGKILL)
        self.patroni.wait(10)

    def stop(self):
        running = [p for p in (self.patroni, self.etcd) if p and p.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        pid = self.postmaster()
        comm = pathlib.Path(f"/proc/{pid}/comm")
        if pid and comm.exists() and comm.read_text().startswith("postgres"):
            os.kill(pid, signal.SIGKILL)

    def logs(self):
        return "\n".join(f"--- {self.name}/{p.name}\n{p.read_text(errors='replace')[-3000:]}"
                         for p in sorted(self.directory.glob("*.log")))


class Cluster:
    def __init__(self, net=None):
        """net: what its addresses begin with; None: something on loopback."""
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="brski-cluster-"))
        self.net = net or f"127.{random.randint(64, 127)}.{random.randint(1, 254)}."
        self.nodes = [Node(name, f"{self.net}1{name[-1]}", self.text) for name in NODES]

    def text(self, name):
        """A file of the example, with this place's addresses and secrets in it."""
        text = (EXAMPLE / name).read_text()
        if self.net != EXAMPLE_NET:
            # whoever connects on loopback comes from 127.0.0.1, whatever address it asks for
            text = text.replace(f"{EXAMPLE_NET}0/24", "127.0.0.0/8").replace(EXAMPLE_NET, self.net)
        return text.replace("/etc/brski/pgpass", str(self.directory / "pgpass")).replace(
            "/etc/brski/db-ca.crt", str(self.directory / "ca" / "ca.crt"))

    def make_certificates(self):
        """As the README makes them."""
        where = self.directory / "ca"
        where.mkdir()
        made = re.search(r"```sh\n# one CA.*?```", self.text("README.md"), re.S)[0]
        for line in made.splitlines()[1:-1]:
            if not line.startswith("#"):
                subprocess.run(line, shell=True, check=True, cwd=where, capture_output=True)
        return where

    def make_password(self):
        passwords = self.directory / "pgpass"
        passwords.write_text("".join(f"{n.address}:5432:*:brski:{PASSWORD}\n" for n in self.nodes))
        passwords.chmod(0o600)

    def __enter__(self):
        self.directory.chmod(0o711)  # a user of its own has to get at its node
        try:
            self.make_password()
            certificates = self.make_certificates()
            for node in self.nodes:
                node.make(self.directory / node.name, certificates)
            for node in self.nodes:
                node.start_etcd()
            for node in self.nodes:
                node.start_patroni()
            self.wait_whole()
            self.leader().psql(f"CREATE ROLE brski LOGIN PASSWORD '{PASSWORD}'")
        except BaseException as why:
            logs = "\n".join(n.logs() for n in self.nodes)
            self.__exit__(None, None, None)
            raise AssertionError(f"the cluster does not start: {why}\n{logs}") from why
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def states(self):
        """Role by name of the nodes that run, as any living Patroni tells it."""
        for node in self.nodes:
            try:
                with urllib.request.urlopen(f"http://{node.address}:8008/cluster", timeout=2) as reply:
                    members = json.load(reply)["members"]
            except (OSError, ValueError, urllib.error.URLError):
                continue
            return {m["name"]: m["role"] for m in members if m.get("state") in ("running", "streaming")}
        return {}

    def leader(self):
        """The node that is written to now, or None."""
        for node in self.nodes:
            try:
                with urllib.request.urlopen(f"http://{node.address}:8008/primary", timeout=2):
                    return node
            except (OSError, urllib.error.URLError):
                continue
        return None

    def wait_whole(self):
        """Until there is a leader and each of the others follows it, one of them in step."""
        def whole():
            roles = sorted(self.states().values())
            return len(roles) == len(self.nodes) and "sync_standby" in roles and "leader" in roles
        harness.wait_until(whole, "a leader and a standby in step with it", READY_S)

    def sql(self, statement, database="postgres"):
        return self.leader().psql(statement, database)

    def store(self, kind):
        """The URI that the example gives a registrar or a MASA."""
        return re.search(r"^path = (postgresql:.*)$", self.text(f"{kind}.conf"), re.M)[1]
