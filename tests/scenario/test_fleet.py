# SPDX-License-Identifier: Apache-2.0
"""Two hundred real pledges get their power at once, in front of one real registrar that has too few
descriptors for them and whose MASA is away at first: it sheds connections and answers 503. All are
in soon after the MASA is there, each once, and they do not come in step.
"""
import collections
import time

import pytest

import harness
from ledger import RegistrarLedger
from places import Device, Site

FLEET = 200
DESCRIPTORS = 96      # of the registrar: some sixty connections at a time
MASA_AWAY_S = 6
ALL_IN_S = 120        # a machine that does other things, too


def seconds_of(lines):
    """How many of these lines of a log fall into each second."""
    return collections.Counter(line.split("time=", 1)[1][:19] for line in lines)


@pytest.mark.slow
@pytest.mark.req("R8995-PLG-008", "R8995-PLG-011")
def test_fleet_that_is_switched_on_at_once_is_in_soon_and_each_once(cell, acme, domain):
    masa = harness.Masa(cell / "masa", acme)
    registrar = harness.Registrar(cell / "registrar", domain, [acme])
    registrar.argv = ["prlimit", f"--nofile={DESCRIPTORS}", *registrar.argv]
    site = Site(cell, acme, domain, masa, registrar)
    with harness.running(masa):
        devices = [Device(acme, site.masa_url) for _ in range(FLEET)]
        masa.import_devices([{"serial": d.serial} for d in devices])
    pledges = [site.pledge(d, changes={"retry": {
        "attempts": 0, "backoff_min": "2s", "backoff_max": "1h", "retry_after_max": "60s",
        "budget": f"{ALL_IN_S}s", "connect_timeout": "5s"}}) for d in devices]
    with harness.running(registrar):
        started = time.monotonic()
        for pledge in pledges:
            pledge.start()
        try:
            time.sleep(MASA_AWAY_S)
            with harness.running(masa):
                codes = [p.wait(ALL_IN_S) for p in pledges]
        finally:
            for pledge in pledges:
                pledge.kill()
        took = time.monotonic() - started
        assert codes == [0] * FLEET, collections.Counter(codes)
        asked = seconds_of(line for p in pledges for line in p.lines("event=connect "))
        waves = [count for second, count in sorted(asked.items())][MASA_AWAY_S:]
        rounds = sorted(len(p.lines("trying again in")) for p in pledges)
        print(f"all in after {took:.0f} s; {rounds[FLEET // 2]} rounds in the middle, {rounds[-1]} at most; "
              f"connections a second: {[n for _, n in sorted(asked.items())]}")
        ledger = RegistrarLedger(registrar.directory / "registrar.db")
        assert [ledger.count_certificates(d.serial) for d in devices] == [1] * FLEET
        assert max(waves, default=0) < FLEET * 3 / 4, f"in step: {waves}"
        assert rounds[-1] <= 20
