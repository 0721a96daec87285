# SPDX-License-Identifier: Apache-2.0
"""The system's clock is set while the daemons run, by years, both ways (build/tools/clock.so).

Certificates are judged and issued by the new time, whatever it is: that is what a clock is for. But
it is said in the log, nothing is issued that could not be valid, no timer goes wrong, and when the
clock is right again everything works as before.
"""
import datetime
import re
import threading
import time

import pytest

import harness
from admin_api import Api
from places import Site
from brski_peer.masa import FakeMasa

DAY = 86400
YEARS_10 = 3660 * DAY


def jumps(daemon, since):
    """Their sizes, in seconds."""
    return [int(re.search(r"seconds=([+-]\d+)", line)[1])
            for line in daemon.lines("event=alert-clock-jumped", since)]


def about(seconds):
    """Two clocks are read one after the other: a second may have begun in between."""
    return pytest.approx(seconds, abs=2)


@pytest.fixture
def place_in_time(cell, acme, domain):
    """Both daemons under a clock of their own."""
    clock = harness.Clock(cell / "clock")
    masa = harness.Masa(cell / "masa", acme)
    registrar = harness.Registrar(cell / "registrar", domain, [acme])
    for daemon in (masa, registrar):
        daemon.env.update(clock.env())
    with harness.running(masa, registrar):
        yield clock, Site(cell, acme, domain, masa, registrar)


def joins(site):
    with site.peer(site.device()) as peer:
        return peer.join()[0]


@pytest.mark.engines
def test_ten_years_ahead_and_back(place_in_time):
    """The site's certificates are expired then."""
    clock, site = place_in_time
    joins(site)
    mark = site.registrar.log_size()
    clock.set(YEARS_10)
    with site.peer(site.device()) as peer:
        reply = peer.request_voucher()
        assert reply.status == 503, reply.text
        assert reply.header("Retry-After")
    assert jumps(site.registrar, mark) == [about(YEARS_10)]
    assert site.registrar.lines("our own certificate is not valid at this time", mark)
    assert not site.masa.lines("event=voucher-issued", mark)
    site.registrar.ctl("status")
    clock.set(0)
    joins(site)
    assert jumps(site.registrar, mark) == [about(YEARS_10), about(-YEARS_10)]


@pytest.mark.engines
def test_ten_years_back_and_ahead(place_in_time):
    """Nothing of this site exists yet: neither devices nor CAs."""
    clock, site = place_in_time
    with site.peer(site.device()) as peer:
        assert peer.request_voucher().status == 200
        mark = site.registrar.log_size()
        clock.set(-YEARS_10)
        reply, _ = peer.enroll()
        assert reply.status in (401, 403, 503), reply.text
        assert not site.registrar.lines("event=certificate-issued", mark)
    assert jumps(site.registrar, mark)
    with site.peer(site.device()) as peer:
        assert peer.request_voucher().status in (401, 403, 503)
    site.masa.ctl("devices", "list")
    clock.set(0)
    joins(site)


@pytest.mark.engines
def test_what_administrators_did_is_there_after_years_ahead_and_back(cell, acme, domain):
    """Approvals and roles are over in ten years, and not any more when it is today again."""
    clock = harness.Clock(cell / "clock")
    masa = harness.Masa(cell / "masa", acme)
    registrar = harness.Registrar(cell / "registrar", domain, [acme],
                                  changes={f"manufacturer {acme.name}": {"admit": "hold"}})
    for daemon in (masa, registrar):
        daemon.env.update(clock.env())
    with harness.running(masa, registrar):
        site, local = Site(cell, acme, domain, masa, registrar), Api(registrar)
        device = site.device()
        with site.peer(device) as peer:
            assert peer.request_voucher().status == 202
        registrar.ctl("claims", "approve", device.serial)
        registrar.ctl("users", "add", "otto", "--role", "approver", "--until", "2030-01-01T00:00:00Z")
        before = [local.get(f"/api/v1/{noun}").json["items"] for noun in ("claims", "users")]
        clock.set(YEARS_10)
        assert local.get(f"/api/v1/claims/{device.serial}").status == 200
        registrar.ctl("claims", "reject", "NOBODY-1", check=3)
        told = registrar.ctl("doctor", check=1)
        assert "clock" in told.stdout + told.stderr or "not valid" in told.stdout + told.stderr
        clock.set(0)
        after = [local.get(f"/api/v1/{noun}").json["items"] for noun in ("claims", "users")]
        assert [x["serial"] for x in after[0]] == [x["serial"] for x in before[0]]
        assert (after[0][0]["claim"], after[0][0]["until"]) == ("approved", before[0][0]["until"])
        assert after[1] == before[1]
        with site.peer(device) as peer:
            assert peer.request_voucher().status == 200
        registrar.ctl("audit", "verify")


def test_two_years_ahead_certificates_and_vouchers_bear_the_new_time(place_in_time):
    clock, site = place_in_time
    mark, masa_mark = site.registrar.log_size(), site.masa.log_size()
    joins(site)
    clock.set(730 * DAY)
    issued = joins(site)
    now = datetime.datetime.now(datetime.timezone.utc)
    starts = issued.not_valid_before.replace(tzinfo=datetime.timezone.utc)
    assert 729 < (starts - now) / datetime.timedelta(days=1) < 731
    for daemon, since in ((site.registrar, mark), (site.masa, masa_mark)):
        said = daemon.log()[since:]
        assert said.index("event=alert-clock-jumped") < said.rindex(
            "event=certificate-issued" if daemon is site.registrar else "event=voucher-issued")


def test_masa_whose_signer_is_not_valid_at_the_new_time_records_and_signs_nothing(cell, acme, domain):
    short = cell / "short-lived"
    harness.run(harness.program("brski-certs"), "masa", "--ca", acme.directory, "--out", short,
                "--days", "30", check=0)
    clock = harness.Clock(cell / "clock")
    masa = harness.Masa(cell / "masa", acme, changes={"signer": {
        "key": short / "masa-signer.key", "certificate": short / "masa-signer.crt"}})
    masa.env.update(clock.env())
    registrar = harness.Registrar(cell / "registrar", domain, [acme])
    with harness.running(masa, registrar):
        site = Site(cell, acme, domain, masa, registrar)
        joins(site)
        clock.set(40 * DAY)
        device = site.device()
        with site.peer(device) as peer:
            assert peer.request_voucher().status == 503
        assert masa.lines("voucher signer's certificate is not valid at this time")
        assert "proximity" not in masa.ctl("audit", "show", device.serial, check=None).stdout
        clock.set(0)
        with site.peer(device) as peer:
            peer.join()


@pytest.mark.parametrize("offset", [YEARS_10, -YEARS_10], ids=["ahead", "back"])
def test_timers_that_run_do_not_notice(cell, acme, domain, offset):
    """A MASA that never answers: the registrar gives up after its three seconds, not before, not
    ten years later."""
    clock = harness.Clock(cell / "clock")
    with FakeMasa(acme.directory) as masa:
        masa.delay = 8
        registrar = harness.Registrar(cell / "registrar", domain, [acme])
        registrar.env.update(clock.env())
        with harness.running(registrar):
            site = Site(cell, acme, domain, masa, registrar)
            with site.peer(site.device()) as peer:
                started = time.monotonic()
                setter = threading.Timer(1, clock.set, [offset])
                setter.start()
                reply = peer.request_voucher()
                setter.join()
                assert reply.status == 504, reply.text
                assert 2.5 < time.monotonic() - started < 8
