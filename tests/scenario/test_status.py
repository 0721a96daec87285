# SPDX-License-Identifier: Apache-2.0
"""registrarctl status: one screen, an object, an exit code; and doctor about one device."""
import json

import pytest

import harness
from places import Site


@pytest.fixture
def site(cell, acme, domain):
    masa = harness.Masa(cell / "m", acme)
    registrar = harness.Registrar(cell / "r", domain, [acme], changes={
        f"manufacturer {acme.name}": {"admit": "hold"}})
    clock = harness.Clock(cell / "clock")
    registrar.env.update(clock.env())
    with harness.running(masa, registrar):
        place = Site(cell, acme, domain, masa, registrar)
        place.clock = clock
        yield place


def status(site):
    return json.loads(site.registrar.ctl("status", "-o", "json").stdout)


def screen(site):
    return {line[:17].strip(): line[17:].strip()
            for line in site.registrar.ctl("status").stdout.splitlines()}


def explain(site, device, code):
    """What doctor says, once it says so with this exit code: a failure is noted after its answer."""
    done = []

    def judged():
        done.append(site.registrar.ctl("doctor", device.serial, "-o", "json", check=None))
        return done[-1].returncode == code
    harness.wait_until(judged, f"doctor to end with {code}")
    return {row["check"]: row for row in json.loads(done[-1].stdout)}


def test_status__follows_a_device(site):
    assert status(site)["health"] == "ok" and screen(site)["claims"] == "0 pending"
    device = site.device()
    with site.peer(device) as pledge:
        assert pledge.request_voucher().status == 202
        now = status(site)
        assert now["claims"]["pending"] == 1 and now["oldest_pending"]
        assert screen(site)["claims"].startswith("1 pending, the oldest waits for")
        assert screen(site)["MASA " + site.manufacturer.name] == "not asked yet"
        rows = explain(site, device, 0)
        assert "approve" in rows["claim"]["next"] and rows["last step"]["verdict"] == "ok"
        site.registrar.ctl("claims", "approve", device.serial)
        pledge.request_voucher()
    assert site.pledge(device).join().returncode == 0
    assert screen(site)["devices"] == "1 active"
    assert screen(site)["MASA " + site.manufacturer.name] == "up"
    rows = explain(site, device, 0)
    assert all(row["verdict"] == "ok" for row in rows.values()), rows
    assert "active" in rows["state"]["found"]
    site.clock.set(350 * 86400)
    assert status(site)["expiring"] == 1
    assert explain(site, device, 0)["state"]["verdict"] == "warn"


def test_status__of_a_registrar_in_need__says_so_and_by_its_exit_code(site):
    site.registrar.ctl("status", "--quiet")
    with site.peer(site.device()) as pledge:
        assert pledge.request_voucher().status == 202
    site.clock.set(2 * 3600)
    now = status(site)
    assert now["health"] == "warn" and "waits" in now["problems"][0]
    assert site.registrar.ctl("status", "--quiet").stdout == ""
    site.clock.set(4000 * 86400)
    assert status(site)["health"] == "fail"
    assert site.registrar.ctl("status", "--quiet", check=1).stdout == ""
    site.registrar.stop()
    site.registrar.ctl("status", "--quiet", check=6)


def test_doctor__of_a_device__says_what_stands_in_its_way(site):
    device = site.device()
    site.masa.stop()
    with site.peer(device) as pledge:
        assert pledge.request_voucher().status == 202
        site.registrar.ctl("claims", "approve", device.serial)
        assert pledge.request_voucher().status >= 500
    row = explain(site, device, 1)["last step"]
    assert row["found"].startswith("masa:") and "MASA" in row["next"]
    assert screen(site)["MASA " + site.manufacturer.name] == "down"
    assert status(site)["health"] == "warn"
    site.registrar.ctl("claims", "reject", device.serial, "--reason", "stolen")
    row = explain(site, device, 1)["claim"]
    assert row["verdict"] == "fail" and "stolen" in row["found"]


def test_doctor__of_a_device_nobody_saw__is_not_found(site):
    assert "never came here" in site.registrar.ctl("doctor", "NOBODY", check=3).stderr
