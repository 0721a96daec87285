# SPDX-License-Identifier: Apache-2.0
"""Start what docs/examples/patroni/ describes, file by file, on one machine: run by
test_example_patroni.py in a network namespace that has all the example's addresses.

    example_patroni.py FOLDER        exit 0: devices joined, before and after the leader was killed
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parents[2] / "interop")]

import harness  # noqa: E402 pylint: disable=wrong-import-position
from places import Device  # noqa: E402 pylint: disable=wrong-import-position

EXAMPLE = harness.REPOSITORY / "docs/examples/patroni"
NODES = {"db1": "192.0.2.11", "db2": "192.0.2.12", "db3": "192.0.2.13"}


class Example:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.processes = []
        # where things are on this machine instead
        self.places = {
            "/etc/brski-db": f"{self.folder}/db", "/etc/brski/db-ca.crt": f"{self.folder}/db/ca.crt",
            "/etc/brski/pgpass": f"{self.folder}/pgpass", "/var/run/postgresql": f"{self.folder}/run"}

    def text(self, name, **more):
        """A file of the example with this machine's places in it."""
        text = (EXAMPLE / name).read_text()
        for old, new in {**self.places, **more}.items():
            text = text.replace(old, new)
        return text

    def spawn(self, name, argv, env=None, user="postgres"):
        if os.geteuid() == 0 and user:
            argv = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *argv]
        process = harness.Process(argv, self.folder / f"{name}.log", dict(env or {}, HOME=str(self.folder)))
        self.processes.append(process)
        return process.start()

    def certificates(self):
        """As the README makes them."""
        where = self.folder / "db"
        where.mkdir()
        made = re.search(r"```sh\n# one CA.*?```", (EXAMPLE / "README.md").read_text(), re.S)[0]
        for line in made.splitlines()[1:-1]:
            if not line.startswith("#"):
                subprocess.run(line, shell=True, check=True, cwd=where, capture_output=True)
        for path in where.iterdir():
            shutil.chown(path, "postgres", "postgres")

    def node(self, name):
        """etcd and Patroni of one machine; its own certificate stands where the others have theirs."""
        own = self.folder / name
        own.mkdir()
        shutil.chown(own, "postgres", "postgres")
        for ending in ("crt", "key"):
            shutil.copy(self.folder / "db" / f"{name}.{ending}", own / f"server.{ending}")
            shutil.chown(own / f"server.{ending}", "postgres", "postgres")
        (own / "server.key").chmod(0o600)
        env = dict(re.findall(r"^(\w+)=(.*)$", self.text(f"etcd-{name}.env"), re.M), ETCD_DATA_DIR=str(own / "etcd"))
        env["ETCD_UNSAFE_NO_FSYNC"] = "true"  # nothing here outlives the test
        self.spawn(f"etcd-{name}", ["etcd"], env)
        config = own / "patroni.yml"
        config.write_text(self.text(f"patroni-{name}.yml", **{
            "/etc/brski-db/server": f"{own}/server", "/var/lib/postgresql/15/brski": f"{own}/data",
            "/var/lib/postgresql/pgpass-patroni": f"{own}/pgpass", f"{self.folder}/run": str(own)}).replace(
                f"{self.folder}/db/server", f"{own}/server"))
        return config

    def cluster(self):
        (self.folder / "run").mkdir()
        shutil.chown(self.folder / "run", "postgres", "postgres")
        configs = {name: self.node(name) for name in NODES}
        self.patronis = {name: self.spawn(f"patroni-{name}", ["patroni", str(path)]) for name, path in configs.items()}
        harness.wait_until(self.is_whole, "a leader and two that follow it, one in step", 150)

    def members(self):
        for address in NODES.values():
            try:
                with urllib.request.urlopen(f"http://{address}:8008/cluster", timeout=2) as reply:
                    return json.load(reply)["members"]
            except (OSError, ValueError, urllib.error.URLError):
                continue
        return []

    def is_whole(self):
        roles = sorted(m["role"] for m in self.members() if m.get("state") in ("running", "streaming"))
        return len(roles) == 3 and "leader" in roles and "sync_standby" in roles

    def leader(self):
        return [m["name"] for m in self.members() if m["role"] == "leader"][0]

    def databases(self):
        uri = f"postgresql://postgres@{','.join(NODES.values())}/postgres?target_session_attrs=read-write&sslmode=require"
        for sql in ("CREATE ROLE brski LOGIN PASSWORD 'sesame'", "CREATE DATABASE brski_registrar OWNER brski",
                    "CREATE DATABASE brski_masa OWNER brski"):
            harness.run("psql", "-Xqc", sql, uri, check=0, env={"PGPASSWORD": "CHANGE-ME-SUPERUSER"})
        pgpass = self.folder / "pgpass"
        pgpass.write_text("".join(f"{a}:5432:*:brski:sesame\n" for a in NODES.values()))
        pgpass.chmod(0o600)

    def daemon(self, daemon, fragment, **replaced):
        """A daemon with the example's fragment beside its configuration."""
        folder = daemon.config.with_name(daemon.config.name + ".d")
        folder.mkdir()
        (folder / "50-several.conf").write_text(self.text(fragment, **replaced))
        self.processes.append(daemon)
        harness.Process.start(daemon)
        daemon.wait_log("event=(listening|started)", timeout=60)
        return daemon

    def services(self):
        acme = harness.Manufacturer(self.folder / "acme", "Acme")
        domain = harness.Domain(self.folder / "domain")
        self.masa = self.daemon(harness.Masa(self.folder / "masa1", acme), "masa.conf", **{"0.0.0.0": "192.0.2.41"})
        self.registrars = [
            self.daemon(harness.Registrar(self.folder / f"reg{n}", domain, [acme]), "registrar.conf",
                        **{"0.0.0.0": f"192.0.2.2{n}", "192.0.2.21:9464": f"192.0.2.2{n}:9464"}) for n in (1, 2)]
        config = self.folder / "haproxy.cfg"
        config.write_text(self.text("haproxy.cfg", **{"bind :9443": "bind 127.0.0.1:9443", "bind :": "bind 192.0.2.31:"}))
        self.spawn("haproxy", ["haproxy", "-db", "-f", str(config)], user=None)
        self.acme = acme

    def join(self, patience):
        device = Device(self.acme, "localhost:9443")
        harness.wait_until(lambda: self.masa.ctl("devices", "import", self.inventory(device), check=None).returncode == 0,
                           "the MASA's store", patience)
        pledge = harness.Pledge(self.folder / f"pledge-{device.serial}", device.key, device.certificate,
                                self.acme.anchors, ["https://192.0.2.31:8443"])
        harness.wait_until(lambda: pledge.join().returncode == 0, f"{device.serial} joins", patience)
        return device.serial

    def inventory(self, device):
        path = self.folder / "devices.csv"
        path.write_text(f"serial\n{device.serial}\n")
        return path

    def kill_the_leader(self):
        """As by a power cut."""
        name = self.leader()
        postmaster = int((self.folder / name / "data/postmaster.pid").read_text().split()[0])
        self.patronis[name].kill()
        os.kill(postmaster, signal.SIGKILL)
        harness.wait_until(lambda: [m for m in self.members() if m["role"] == "leader" and m["name"] != name and
                                    m.get("state") == "running"], "another one leads", 60)

    def run(self):
        self.certificates()
        self.cluster()
        self.databases()
        self.services()
        first = self.join(30)
        self.kill_the_leader()
        second = self.join(60)
        for serial in (first, second):
            assert len(json.loads(self.masa.ctl("audit", "show", serial, "-o", "json").stdout)) == 1
        for daemon in (self.masa, *self.registrars):
            assert daemon.ctl("audit", "verify").returncode == 0
            assert not daemon.lines("proxied-refused")

    def end(self):
        for process in reversed(self.processes):
            try:
                process.stop(20)
            except AssertionError:
                pass
        for pid_file in self.folder.glob("db*/data/postmaster.pid"):
            try:
                os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
            except (OSError, ValueError, IndexError):
                pass


def main(folder):
    example = Example(folder)
    try:
        example.run()
    except BaseException:
        for process in example.processes:
            print(f"--- {process.log_path.name}\n{process.log()[-2500:]}", file=sys.stderr)
        raise
    finally:
        example.end()


if __name__ == "__main__":
    main(sys.argv[1])
