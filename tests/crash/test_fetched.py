# SPDX-License-Identifier: Apache-2.0
"""kill -9 and a full disk at every flush of a registrar that has a voucher fetched, gives it to its device
while the MASA is away, looks at the device's history afterwards and drops it: what was said to be fetched is
there, the device gets that very voucher each time it asks, and nothing keeps its history from being looked at."""
import itertools

import pytest

import fault
import harness
from ledger import Failed, MasaLedger, granted, persist, rows
from patient import Patient
from places import Site
from test_durable import Files, NotReached, walk

_lives = itertools.count(1)

CONFIG = {"masa": {"stored_vouchers": "when-unreachable", "connect_timeout": "1s", "timeout": "3s",
                   "failures": "1", "pause": "1s"}}


class FetchLife:
    def __init__(self, place, acme, domain):
        self.place, self.acme, self.domain, self.port = place, acme, domain, harness.free_port()
        self.masa = harness.Masa(place / "masa", acme, changes={"policy": {
            "ownership": "known-owner", "nonceless": "owners"}})

    def __call__(self, kind, at):
        directory = self.place / f"life-{next(_lives)}"
        directory.mkdir()
        dials = fault.Fault(directory / "dials")
        store = Files().new(directory, "registrar")
        registrar = harness.Registrar(directory / "registrar", self.domain, [self.acme], port=self.port,
                                      changes=harness.merged(CONFIG, {"store": {"path": store}}))
        patient = Patient(registrar, dials)
        dials.arm(kind, at)
        try:
            patient.begin()
            self.live(Site(directory, self.acme, self.domain, self.masa, registrar), patient, store)
        except BaseException:
            registrar.kill()
            raise
        finally:
            if not self.masa.alive():
                self.masa.start()
        registrar.kill()
        if at and not dials.hits:
            raise NotReached("not reached")
        return dials

    def live(self, site, patient, store):
        device = site.device(owner="site")
        ledger, pvr = MasaLedger(self.masa.directory / "masa.db"), []

        def ctl(*words):
            done = site.registrar.ctl("vouchers", *words, check=None)
            if done.returncode != 0:
                raise Failed(done.stderr)

        def stored(columns):
            return rows(store, f"SELECT {columns} FROM stored_voucher WHERE serial = ?", device.serial)

        def ask():
            with site.peer(device) as peer:
                pvr.append(pvr[0] if pvr else peer.pvr())
                return granted(peer.request_voucher(pvr[0])).body

        def checked():
            patient.back()
            return stored("checked_at") != [(0,)]

        persist(lambda: ctl("fetch", device.serial, "--masa-url", site.masa_url), patient)
        (kept, used), = stored("voucher, used_at")
        ledger.voucher(kept)
        assert not used
        self.masa.kill()
        assert persist(ask, patient) == kept
        (used, looked_at), = stored("used_at, checked_at")
        assert used and not looked_at
        assert persist(ask, patient) == kept, "asked again it has the same"
        self.masa.start()
        harness.wait_until(checked, "its history is looked at", 30)
        persist(lambda: self.dropped(ctl, stored, device), patient)
        patient.finish()
        assert not stored("id")
        assert rows(store, "SELECT voucher, history FROM device WHERE serial = ?", device.serial)[0][0] == kept
        ledger.check()
        site.registrar.ctl("audit", "verify", check=0)

    @staticmethod
    def dropped(ctl, stored, device):
        """The answer may be lost when it was."""
        if stored("id"):
            ctl("drop", device.serial)


@pytest.fixture(scope="module")
def life(place, acme, domain):
    life = FetchLife(place, acme, domain)
    with harness.running(life.masa):
        life.masa.ctl("owners", "add", "site", domain.file("root.crt"))
        yield life


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pytest.param(fault.KILL, id="kill"), pytest.param(fault.ENOSPC, id="ENOSPC")])
@pytest.mark.req("R8995-REG-036", "EE-15")
def test_fetched_voucher_survives_whatever_meets_its_registrar(life, kind):
    walk(life, kind, only="fdatasync", vary=4)
