# SPDX-License-Identifier: Apache-2.0
"""An approval outlives the device's own patience, and not for ever: nobody used it in time, and the
device is held again. One that was used has no end. The daemons' clock is set, not waited for."""
import datetime
import json

import pytest

import harness
from places import Site

DAY = 86400


@pytest.fixture(scope="module")
def clock(place):
    return harness.Clock(place / "clock")


@pytest.fixture(scope="module")
def here(place, acme, domain, clock):
    """A site where approvals count for five days; its devices' vouchers do longer."""
    masa = harness.Masa(place / "masa", acme)
    registrar = harness.Registrar(place / "registrar", domain, [acme],
                                  changes={f"manufacturer {acme.name}": {"admit": "hold"},
                                           "policy": {"approval_days": 5}})
    for daemon in (masa, registrar):
        daemon.env.update(clock.env())
    with harness.running(masa, registrar):
        yield Site(place, acme, domain, masa, registrar)


@pytest.fixture(autouse=True)
def _today(clock):
    clock.set(0)
    yield
    clock.set(0)


def preapprove(site, cell, serial):
    (cell / "list.csv").write_text(f"manufacturer,serial\nAcme,{serial}\n")
    done = site.registrar.ctl("claims", "import", cell / "list.csv", "-o", "json")
    return json.loads(done.stdout)[0]["result"]


def claim(site, serial):
    return [c for c in site.registrar.claims() if c["serial"] == serial][0]


def lines(site, serial):
    shown = json.loads(site.registrar.ctl("devices", "show", serial, "-o", "json").stdout)
    return [(j["step"], j["outcome"], j["reason"]) for j in reversed(shown["journal"])]


def days_from_now(text):
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / DAY


def test_an_approval_waits_for_its_device(here, clock):
    device = here.device()
    with here.peer(device) as peer:
        assert peer.request_voucher().status == 202
    here.registrar.ctl("claims", "approve", device.serial)
    assert days_from_now(claim(here, device.serial)["until"]) == pytest.approx(5, abs=0.01)
    clock.set(4 * DAY)
    with here.peer(device) as peer:
        assert peer.request_voucher().status == 200
    assert claim(here, device.serial)["until"] is None
    clock.set(40 * DAY)
    with here.peer(device) as peer:
        assert peer.request_voucher().status == 200


def test_an_approval_nobody_used_is_over_and_the_device_is_held(here, clock):
    device = here.device()
    with here.peer(device) as peer:
        assert peer.request_voucher().status == 202
        here.registrar.ctl("claims", "approve", device.serial)
        clock.set(6 * DAY)
        assert peer.request_voucher().status == 202  # a new request
    assert claim(here, device.serial)["claim"] == "pending"
    assert lines(here, device.serial)[-1] == ("claim", "pending", "its approval has run out")
    here.registrar.ctl("claims", "approve", device.serial)
    with here.peer(device) as peer:
        assert peer.request_voucher().status == 200


def test_the_same_octets_after_the_end_are_held_too(here, clock):
    device = here.device()
    with here.peer(device) as peer:
        request = peer.pvr()
        assert peer.request_voucher(request).status == 202
        here.registrar.ctl("claims", "approve", device.serial)
        clock.set(6 * DAY)
        assert peer.request_voucher(request).status == 202
    assert claim(here, device.serial)["claim"] == "pending"


def test_a_preapproval_ends_and_the_list_renews_it(here, clock, cell):
    early, late = here.device(), here.device()
    for device in (early, late):
        assert preapprove(here, cell, device.serial) == "preapproved"
        assert preapprove(here, cell, device.serial) == "unchanged"
    clock.set(6 * DAY)
    with here.peer(early) as peer:
        assert peer.request_voucher().status == 202
    assert preapprove(here, cell, early.serial) == "approved"
    assert preapprove(here, cell, late.serial) == "preapproved"
    for device in (early, late):
        with here.peer(device) as peer:
            assert peer.request_voucher().status == 200


def test_a_rejection_has_no_end(here, clock):
    device = here.device()
    with here.peer(device) as peer:
        assert peer.request_voucher().status == 202
    here.registrar.ctl("claims", "reject", device.serial)
    assert claim(here, device.serial)["until"] is None
    clock.set(40 * DAY)
    with here.peer(device) as peer:
        assert peer.request_voucher().status == 404


@pytest.mark.parametrize("value", ["0", "3651", "soon"])
def test_a_lifetime_that_is_none_is_refused(cell, acme, domain, value):
    registrar = harness.Registrar(cell, domain, [acme], changes={"policy": {"approval_days": value}})
    done = harness.run(harness.program("brski-registrar"), "--check", "-c", registrar.config)
    assert done.returncode == 1 and "approval_days" in done.stderr
