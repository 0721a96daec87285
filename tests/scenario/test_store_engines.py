# SPDX-License-Identifier: Apache-2.0
"""A site and its manufacturer begin with files, move to a database, and back: who joined is known everywhere,
the logs are whole, and the next device joins."""
import json
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import harness
import stores
from places import Site
from postgres import PASSWORD, Postgres


@pytest.fixture(scope="module")
def server():
    """The URI of a server, the password in it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="brski-engines-"))
    folder.chmod(0o755)  # root's own folders are closed to the user it runs as
    postgres = Postgres(folder / "pg").start()
    yield postgres.uri()
    postgres.stop()
    shutil.rmtree(folder)


class Pair:
    """A MASA and a registrar that stand still, and where their stores are."""

    def __init__(self, cell, acme, domain):
        self.masa = harness.Masa(cell / "masa", acme, changes={"store": {"path": cell / "masa.db"}})
        self.registrar = harness.Registrar(cell / "registrar", domain, [acme],
                                           changes={"store": {"path": cell / "registrar.db"}})
        self.site = Site(cell, acme, domain, self.masa, self.registrar)
        self.at = {"masa": str(cell / "masa.db"), "registrar": str(cell / "registrar.db")}
        self.joined = []

    def daemons(self):
        return {"masa": self.masa, "registrar": self.registrar}

    def join(self):
        device = self.site.device()
        with self.site.peer(device) as pledge:
            pledge.join()
        self.joined.append(device.serial)

    def copy(self, kind, to, check=0):
        done = subprocess.run([harness.program(f"brski-{kind}"), "--store-copy", self.at[kind], str(to)],
                              capture_output=True, text=True)
        assert done.returncode == check and PASSWORD not in done.stdout + done.stderr, done
        return done

    def use(self, kind, where):
        config = self.daemons()[kind].config
        config.write_text(config.read_text().replace(self.at[kind], str(where)))
        self.at[kind] = str(where)

    def move(self, places):
        for kind, where in places.items():
            assert "copied" in self.copy(kind, where).stdout
            self.use(kind, where)

    def check(self):
        """All that happened is known, and more can."""
        with harness.running(self.masa, self.registrar):
            listed = json.loads(self.registrar.ctl("devices", "list", "-o", "json").stdout)
            assert {d["serial"] for d in listed} == set(self.joined)
            for serial in self.joined:
                assert len(self.masa.audit(serial)) > 0
            self.join()
            self.registrar.ctl("audit", "verify")
            self.masa.ctl("audit", "verify")
        for daemon in self.daemons().values():
            assert PASSWORD not in daemon.log()


@pytest.fixture
def pair(cell, acme, domain):
    return Pair(cell, acme, domain)


def database(server, cell, kind):
    return stores.schema_uri(server, f"{kind}_{cell.name}".replace("-", "_"))


def test_a_store_moves_to_a_database_and_back(pair, server, cell):
    pair.check()
    pair.move({kind: database(server, cell, kind) for kind in ("masa", "registrar")})
    pair.check()
    before, pair.at["registrar"] = pair.at["registrar"], str(cell / "registrar.db")
    assert "has been used: one is put only where there is none yet; name a new file" in \
        pair.copy("registrar", before, check=1).stderr
    pair.at["registrar"] = before
    pair.move({"masa": cell / "back-masa.db", "registrar": cell / "back-registrar.db"})
    pair.check()
    assert len(pair.joined) == 3


def test_a_backup_of_a_database_fits_both_engines(pair, server, cell):
    for kind in ("masa", "registrar"):
        pair.use(kind, database(server, cell, kind))
    with harness.running(pair.masa, pair.registrar):
        pair.join()
        pair.registrar.ctl("backup", cell / "registrar.copy")
        pair.masa.ctl("backup", cell / "masa.copy")
    for kind, ctl in (("masa", "masactl"), ("registrar", "registrarctl")):
        restore = [harness.program(ctl), "restore", cell / f"{kind}.copy", "--config", pair.daemons()[kind].config]
        done = subprocess.run(restore, capture_output=True, text=True)
        assert done.returncode != 0 and "has been used" in done.stderr and PASSWORD not in done.stderr, done
        pair.use(kind, cell / f"{kind}.restored")
        subprocess.run(restore, check=True)
    pair.check()
    for kind, ctl in (("masa", "masactl"), ("registrar", "registrarctl")):
        pair.use(kind, database(server, cell, kind + "2"))
        subprocess.run([harness.program(ctl), "restore", cell / f"{kind}.copy", "--config",
                        pair.daemons()[kind].config], check=True)
    pair.joined.pop()  # after the backup
    pair.check()
