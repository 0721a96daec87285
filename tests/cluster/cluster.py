# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL cluster as a site would have it: three nodes of etcd, Patroni and PostgreSQL, here
all on loopback, each process in a session of its own so that a whole node can be killed at once.

PostgreSQL does not run as root, so that the nodes run as the user postgres when we are root.
"""
import json
import os
import pathlib
import signal
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

import harness

NODES = ("one", "two", "three")
BINARIES = pathlib.Path("/usr/lib/postgresql/15/bin")
PATRONI = """
scope: brski
name: {node.name}
restapi:
  listen: 127.0.0.1:{node.rest}
  connect_address: 127.0.0.1:{node.rest}
etcd3:
  hosts: [{etcd}]
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 2
    retry_timeout: 3
    synchronous_mode: true
    postgresql:
      use_pg_rewind: true
      parameters:
        wal_log_hints: "on"
        max_connections: 60
        unix_socket_directories: ""
  initdb: [data-checksums, {{encoding: UTF8}}, {{locale: C.UTF-8}}]
  users:
    brski:
      password: brski
      options: [createdb]
postgresql:
  listen: 127.0.0.1:{node.sql}
  connect_address: 127.0.0.1:{node.sql}
  data_dir: {node.directory}/data
  bin_dir: {bin}
  pgpass: {node.directory}/pgpass
  authentication:
    superuser: {{username: postgres, password: postgres}}
    replication: {{username: replicator, password: replicator}}
  pg_hba:
    - host all all 127.0.0.1/32 trust
    - host replication all 127.0.0.1/32 trust
"""
READY_S = 120  # three nodes on two busy cores; alone it takes about 12 s


def as_postgres(argv):
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *argv] \
        if os.getuid() == 0 else list(argv)


class Node:
    """One machine of the cluster: etcd, and Patroni with its PostgreSQL."""

    def __init__(self, name, directory, ports):
        self.name, self.directory = name, pathlib.Path(directory)
        self.client, self.peer, self.sql, self.rest = ports
        self.etcd = self.patroni = None

    def spawn(self, name, argv):
        with open(self.directory / f"{name}.log", "ab") as log:
            return subprocess.Popen(as_postgres(argv), stdout=log, stderr=log,
                                    stdin=subprocess.DEVNULL, cwd=self.directory,
                                    start_new_session=True,
                                    env=dict(os.environ, HOME=str(self.directory)))

    def start_etcd(self, nodes):
        members = ",".join(f"{n.name}=http://127.0.0.1:{n.peer}" for n in nodes)
        own = f"http://127.0.0.1:{self.client}"
        between = f"http://127.0.0.1:{self.peer}"
        self.etcd = self.spawn("etcd", [
            "etcd", "--name", self.name, "--data-dir", self.directory / "etcd",
            "--listen-client-urls", own, "--advertise-client-urls", own,
            "--listen-peer-urls", between, "--initial-advertise-peer-urls", between,
            "--initial-cluster", members, "--initial-cluster-state", "new",
            "--unsafe-no-fsync", "--logger", "zap"])

    def start_patroni(self, config):
        path = self.directory / "patroni.yml"
        path.write_text(config)
        self.patroni = self.spawn("patroni", ["patroni", path])

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
        for process in (self.patroni, self.etcd):
            if process and process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in (self.patroni, self.etcd):
            if process:
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(10)
        pid = self.postmaster()
        if pid and pathlib.Path(f"/proc/{pid}/comm").exists() and \
                pathlib.Path(f"/proc/{pid}/comm").read_text().startswith("postgres"):
            os.kill(pid, signal.SIGKILL)

    def logs(self):
        return "\n".join(f"--- {self.name}/{p.name}\n{p.read_text(errors='replace')[-3000:]}"
                         for p in sorted(self.directory.glob("*.log")))


class Cluster:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="brski-cluster-"))
        self.nodes = [Node(name, self.directory / name, [harness.free_port() for _ in range(4)])
                      for name in NODES]

    def __enter__(self):
        self.directory.chmod(0o711)  # a user of its own has to get at its node
        for node in self.nodes:
            node.directory.mkdir(parents=True)
            if os.getuid() == 0:
                shutil.chown(node.directory, "postgres", "postgres")
            node.directory.chmod(0o700)
        try:
            for node in self.nodes:
                node.start_etcd(self.nodes)
            for node in self.nodes:
                node.start_patroni(self.config_of(node))
            self.wait_whole()
        except BaseException as why:
            self.__exit__(None, None, None)
            raise AssertionError(f"the cluster does not start: {why}\n" +
                                 "\n".join(n.logs() for n in self.nodes)) from why
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def config_of(self, node):
        return PATRONI.format(node=node, etcd=",".join(f"127.0.0.1:{n.client}"
                                                       for n in self.nodes), bin=BINARIES)

    def sql(self, statement, database="postgres", user="postgres"):
        """Rows of one statement at the leader, as lines of text."""
        return harness.run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement,
                           self.uri(database, user), check=0).stdout.splitlines()

    def states(self):
        """Role by name of the nodes that run, as any living Patroni tells it."""
        for node in self.nodes:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{node.rest}/cluster",
                                            timeout=2) as reply:
                    members = json.load(reply)["members"]
            except (OSError, ValueError, urllib.error.URLError):
                continue
            return {m["name"]: m["role"] for m in members
                    if m.get("state") in ("running", "streaming")}
        return {}

    def leader(self):
        """The node that is written to now, or None."""
        for node in self.nodes:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{node.rest}/primary", timeout=2):
                    return node
            except (OSError, urllib.error.URLError):
                continue
        return None

    def wait_whole(self):
        """Until there is a leader and each of the others follows it, one of them in step."""
        def whole():
            roles = sorted(self.states().values())
            return len(roles) == len(self.nodes) and "sync_standby" in roles and \
                "leader" in roles
        harness.wait_until(whole, "a leader and a standby in step with it", READY_S)

    def uri(self, database="postgres", user="brski"):
        hosts = ",".join(f"127.0.0.1:{n.sql}" for n in self.nodes)
        return f"postgresql://{user}@{hosts}/{database}?target_session_attrs=read-write"
