# SPDX-License-Identifier: Apache-2.0
"""masactl: a MASA from nothing, how it is, a copy of it and that copy put back."""
import json
import sqlite3

import pytest

import harness
from brski_peer.ports import free_port

DAY = 86400


class Fresh(harness.Daemon):
    """A MASA as setup leaves it; a drop-in moves it to a free port."""

    def __init__(self, cell):
        self.etc, self.state = cell / "etc", cell / "var"
        self.socket = self.state / "admin.sock"
        super().__init__("masa", self.etc, free_port())

    def setup(self, *args, check=0):
        return harness.run(harness.program("masactl"), "setup", "--directory", self.etc, "--state",
                           self.state, *args, check=check)

    def ctl(self, *args, check=0):
        return harness.run(harness.program("masactl"), "-s", self.socket, *args, check=check)

    def move(self):
        (self.etc / "masa.conf.d").mkdir()
        harness.write_conf(self.etc / "masa.conf.d" / "test.conf", {
            "server": {"listen": f"127.0.0.1:{self.port}", "workers": 1},
            "log": {"level": "debug"}})


@pytest.fixture
def masa(cell):
    fresh = Fresh(cell)
    clock = harness.Clock(cell / "clock")
    fresh.env.update(clock.env())
    fresh.clock = clock
    fresh.setup("--yes", "--name", "Gadgets", "--host", "localhost")
    fresh.move()
    return fresh


def status(masa):
    return json.loads(masa.ctl("status", "-o", "json").stdout)


def doctor(masa, code=0):
    return {row["check"]: row for row in json.loads(masa.ctl("doctor", "-o", "json",
                                                             check=code).stdout)}


def make_devices(masa, cell, *serials):
    for serial in serials:
        harness.run(harness.program("brski-certs"), "idevid", "--ca", masa.state / "ca", "--out",
                    cell / "devices", "--serial", serial, "--masa-url", f"localhost:{masa.port}",
                    check=0)
    masa.ctl("devices", "import", cell / "devices" / "manifest.csv")


def test_a_fresh_masa__vouches_for_what_its_factory_makes(masa, domain, cell):
    again = masa.setup("--name", "Other").stdout
    assert "nothing was changed" in again and "made" not in again
    anchors = masa.state / "ca" / "root.crt"

    class Maker:
        name = "gadgets"
    Maker.anchors = anchors
    registrar = harness.Registrar(cell / "r", domain, [Maker])
    with harness.running(masa, registrar):
        now = status(masa)
        assert now["health"] == "warn" and now["problems"] == ["No device is known here."]
        assert doctor(masa)["devices"]["verdict"] == "warn"
        make_devices(masa, cell, "G-1")
        assert status(masa)["health"] == "ok" and status(masa)["devices_known"] == 1
        pledge = harness.Pledge(cell / "p", cell / "devices" / "G-1.key",
                                cell / "devices" / "G-1.crt", anchors,
                                [f"https://127.0.0.1:{registrar.port}"])
        assert pledge.join().returncode == 0, pledge.log()
        assert status(masa)["vouchers"] == 1
        screen = masa.ctl("status").stdout
        assert "vouchers" in screen and "voucher signer" in screen


def test_status_and_doctor__of_a_signer_that_ends(masa):
    with harness.running(masa):
        masa.clock.set(3640 * DAY)
        assert doctor(masa, 1)["voucher signer"]["verdict"] == "warn"
        assert doctor(masa, 1)["server certificate"]["verdict"] == "fail"
        assert status(masa)["health"] == "fail"
        assert masa.ctl("status", "--quiet", check=1).stdout == ""
    masa.ctl("status", check=6)
    masa.ctl("doctor", check=6)


def test_a_backup__goes_back_to_where_it_was(masa, cell):
    copy = cell / "copy.db"
    with harness.running(masa):
        make_devices(masa, cell, "G-1")
        assert status(masa)["backup"] is None
        masa.ctl("backup", copy)
        assert status(masa)["backup"]
        masa.ctl("backup", copy, check=1)  # never over a file
        make_devices(masa, cell, "G-2")
        assert status(masa)["devices_known"] == 2
        done = harness.run(*masa.argv, "--restore", copy)
        assert done.returncode == 1 and "in use" in done.stderr, done.stderr
    assert "restored" in harness.run(*masa.argv, "--restore", copy, check=0).stdout
    with harness.running(masa):
        assert status(masa)["devices_known"] == 1
        masa.ctl("devices", "show", "G-1")
        masa.ctl("devices", "show", "G-2", check=3)


def test_restore__of_what_is_no_store_of_a_masa__leaves_all_as_it_was(masa, cell):
    (cell / "text").write_text("no store")
    other = sqlite3.connect(cell / "other.db")
    other.execute("CREATE TABLE t (a)")
    other.commit()
    other.close()
    with harness.running(masa):
        make_devices(masa, cell, "G-1")
    for wrong in ("text", "other.db", "nothing"):
        assert harness.run(*masa.argv, "--restore", cell / wrong).returncode == 1
    with harness.running(masa):
        assert status(masa)["devices_known"] == 1
