# SPDX-License-Identifier: Apache-2.0
"""What administrators do, with the power cut or the disk full at the first step or a flush of it: it is
done in full or not at all, what was answered is there, and the audit log is whole."""
import contextlib
import http.client
import itertools
import sqlite3

import pytest

import fault
import harness
from admin_api import Api

V1 = "/api/v1/"
ROWS = 300
_numbers = itertools.count(1)


class Rig:
    def __init__(self, place, acme, domain):
        self.dials = fault.Fault(place / "dials")
        self.admin_port = harness.free_port()
        self.registrar = harness.Registrar(place / "registrar", domain, [acme], changes={
            "admin": {"listen": f"127.0.0.1:{self.admin_port}"}})
        self.registrar.env.update(self.dials.env)
        self.local = Api(self.registrar)

    def rows(self, sql, *values):
        path = f"file:{self.registrar.directory}/registrar.db?mode=ro"
        with contextlib.closing(sqlite3.connect(path, uri=True)) as db:
            return db.execute(sql, values).fetchone()[0]

    def load(self, prefix, count=ROWS):
        text = "manufacturer,serial\n" + "".join(f"Acme,{prefix}-{i}\n" for i in range(count))
        return self.local.request("POST", V1 + "claims/import", text, {"Content-Type": "text/csv"})

    def lines(self, prefix, outcome):
        return self.rows("SELECT count(*) FROM journal WHERE serial LIKE ? AND outcome = ?", prefix + "-%", outcome)


class Import:
    def __init__(self, rig):
        self.rig, self.name = rig, f"I{next(_numbers)}"

    def act(self):
        return self.rig.load(self.name)

    def done(self):
        devices = self.rig.rows("SELECT count(*) FROM device WHERE serial LIKE ?", self.name + "-%")
        assert devices in (0, ROWS)
        assert self.rig.lines(self.name, "preapproved") == devices
        return devices == ROWS


class Bulk(Import):
    def __init__(self, rig):
        super().__init__(rig)
        assert rig.load(self.name).status == 200

    def act(self):
        return self.rig.local.post(V1 + "claims/reject", {"match": f"serial={self.name}-*,state=preapproved",
                                                          "expected": ROWS})

    def done(self):
        lines = self.rig.lines(self.name, "rejected")
        found = self.rig.local.get(V1 + f"claims?match=serial={self.name}-*,state=rejected&count=true").json["count"]
        assert found == lines and lines in (0, ROWS)
        return lines == ROWS


class Replace(Import):
    def __init__(self, rig):
        super().__init__(rig)
        assert rig.load(self.name, 1).status == 200

    def act(self):
        return self.rig.local.post(V1 + f"devices/{self.name}-0/replace", {"with": f"{self.name}-1"})

    def done(self):
        told = self.rig.local.get(V1 + f"devices/{self.name}-0").json
        new = self.rig.local.get(V1 + f"claims/{self.name}-1")
        replaced = told["state"] == "replaced"
        assert (new.status == 200) == replaced == bool(told["replaced_by"])
        assert not replaced or new.json["claim"] == "preapproved" and new.json["replaces"] == told["id"]
        assert self.rig.lines(self.name, "replaced") == replaced
        return replaced


class LogIn:
    def __init__(self, rig):
        self.rig, self.name = rig, f"user-{next(_numbers)}"
        self.code = rig.local.post(V1 + "users", {"name": self.name, "role": "viewer"}).json["code"]
        self.api = Api(rig.registrar, rig.admin_port)

    def act(self):
        reply = self.api.post(V1 + "session", {"user": self.name, "code": self.code,
                                               "new_password": "correct horse battery staple"})
        if reply.status == 200:
            self.api.headers["Cookie"] = reply.headers["Set-Cookie"].split(";")[0]
        return reply

    def done(self):
        begun = self.rig.rows("SELECT count(*) FROM journal WHERE actor = ? AND outcome = 'begun'", self.name)
        user = self.rig.local.get(V1 + f"users/{self.name}").json
        assert user["password"] == bool(begun) == (user["code_until"] is None)
        if self.api.headers:
            assert self.api.get(V1 + "session").json["user"] == self.name
        return bool(begun)


@pytest.fixture(scope="module")
def rig(place, acme, domain):
    rig = Rig(place, acme, domain)
    with harness.running(rig.registrar):
        yield rig


@pytest.mark.parametrize("kind", [
    pytest.param(fault.KILL, id="kill"), pytest.param(fault.ENOSPC, id="ENOSPC", marks=pytest.mark.slow)])
@pytest.mark.parametrize("what", [Import, Bulk, Replace, LogIn])
def test_what_an_administrator_does_is_done_in_full_or_not_at_all(rig, what, kind):
    steps = {1} | {at for at, name in enumerate(undisturbed(rig, what), 1) if "fdatasync" in name}
    met = 0
    for at in sorted(steps)[:3]:
        one = what(rig)
        rig.dials.arm(kind, at)
        try:
            status = one.act().status
        except (OSError, http.client.HTTPException):
            status = None
        hits = rig.dials.hits
        rig.dials.off()
        met += hits
        assert hits or status == 200, "a checkpoint comes now and then"
        if hits and kind == fault.KILL:
            rig.registrar.popen.wait(10)
            rig.registrar.start()
        assert status in (None, 200, 503, 507, 500), status
        assert one.done() or status != 200
        rig.registrar.ctl("audit", "verify", check=0)
        if status != 200 and not one.done():
            assert one.act().status == 200 and one.done(), "it is done when it is tried again"
    assert met


def undisturbed(rig, what):
    one = what(rig)
    rig.dials.arm(fault.KILL, 0)
    assert one.act().status == 200
    names = rig.dials.names()
    rig.dials.off()
    assert one.done()
    return names
