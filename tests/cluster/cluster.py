# SPDX-License-Identifier: Apache-2.0
"""The PostgreSQL cluster of docs/examples/patroni, from its files: three nodes of etcd, Patroni and
PostgreSQL, here all on loopback. The example's addresses become ones of 127.0.0.0/8 and its places
folders under one that is thrown away; all else is as it is shipped.

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
NODES = ("db1", "db2", "db3")
READY_S = 120  # three nodes on two busy cores; alone it takes about 12 s
PASSWORD = "a password"


def as_postgres(argv):
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *map(str, argv)] \
        if os.getuid() == 0 else [str(a) for a in argv]


class Node:
    """One machine of the cluster."""

    def __init__(self, name, address, place):
        """place(text) puts a file of the example here."""
        self.name, self.address, self.place = name, address, place
        self.etcd = self.patroni = None

    def make(self, directory, ca):
        """What the example's README has an administrator prepare."""
        self.directory = directory
        certificates = directory / "brski-db"
        certificates.mkdir(parents=True)
        ca.certify(certificates, self.name, self.address)
        (directory / "run").mkdir()
        self.config = directory / "patroni.yml"
        self.config.write_text(self.localized(EXAMPLE / f"patroni-{self.name}.yml"))
        self.config.chmod(0o600)
        if os.getuid() == 0:
            for path in (directory, *directory.rglob("*")):
                shutil.chown(path, "postgres", "postgres")

    def localized(self, path):
        here = {"/etc/brski-db": self.directory / "brski-db", "/var/run/postgresql": self.directory / "run",
                "/var/lib/postgresql/15/brski": self.directory / "data", "/var/lib/etcd": self.directory,
                "/var/lib/postgresql/pgpass-patroni": self.directory / "pgpass"}
        text = self.place(path.read_text())
        for there in sorted(here, key=len, reverse=True):
            text = text.replace(there, str(here[there]))
        return text

    def spawn(self, name, argv, env):
        with open(self.directory / f"{name}.log", "ab") as log:
            return subprocess.Popen(as_postgres(argv), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                    cwd=self.directory, start_new_session=True,
                                    env={"PATH": os.environ["PATH"], "HOME": str(self.directory), **env})

    def start_etcd(self):
        env = re.findall(r"^(ETCD_\w+)=(.*)$", self.localized(EXAMPLE / f"etcd-{self.name}.env"), re.M)
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


class Authority:
    """The small CA of the databases."""

    def __init__(self, directory):
        self.key, self.certificate = directory / "ca.key", directory / "ca.crt"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 10,
                      "-subj", "/CN=BRSKI database CA", "-keyout", self.key, "-out", self.certificate)

    @staticmethod
    def _openssl(*argv):
        harness.run("openssl", *argv, check=0)

    def certify(self, where, name, address):
        key, request, names = where / "server.key", where / "server.csr", where / "names"
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        names.write_text(f"subjectAltName=IP:{address},DNS:{name}")
        self._openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
                      "-days", 10, "-extfile", names, "-out", where / "server.crt")
        key.chmod(0o600)
        shutil.copy(self.certificate, where / "ca.crt")


class Cluster:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="brski-cluster-"))
        self.net = f"127.{random.randint(64, 127)}.{random.randint(1, 254)}."
        self.nodes = [Node(name, f"{self.net}1{name[-1]}", self.localized) for name in NODES]

    def localized(self, text):
        # whoever connects on loopback comes from 127.0.0.1, whatever address it asks for
        return text.replace("192.0.2.0/24", "127.0.0.0/8").replace("192.0.2.", self.net)

    def __enter__(self):
        self.directory.chmod(0o711)  # a user of its own has to get at its node
        try:
            self.ca = Authority(self.directory)
            for node in self.nodes:
                node.make(self.directory / node.name, self.ca)
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
        """The URI that the example gives a registrar or a MASA, with the password's file made."""
        text = self.localized((EXAMPLE / f"{kind}.conf").read_text())
        uri = re.search(r"^path = (postgresql:.*)$", text, re.M)[1]
        passwords = self.directory / "pgpass"
        passwords.write_text("".join(f"{n.address}:5432:*:brski:{PASSWORD}\n" for n in self.nodes))
        passwords.chmod(0o600)
        return uri.replace("/etc/brski/pgpass", str(passwords)).replace("/etc/brski/db-ca.crt", str(self.ca.certificate))
