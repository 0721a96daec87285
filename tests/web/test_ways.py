# SPDX-License-Identifier: Apache-2.0
"""The same work by every way there is: a program over HTTPS with a token, registrarctl at the socket
with a person at the terminal, and the pages in a browser. Whoever does it, the store is the same
after it: that is looked at by another connection, and by a device that asks again."""
import csv
import io
import itertools
import json

import pytest

import harness
from admin_api import Api
from terminal import at_terminal
from test_web import Browser, Requests, WEB, install
from places import Site

DONE = {200: True, 409: False, 412: False}
REFUSED = 404


class Way:
    """What an administrator does. meanwhile() is called between looking and deciding; what decides
    returns whether it was done."""

    def __init__(self, place):
        self.place = place


class Program(Way):
    """HTTPS and a token; what it saw is in If-Match and `expected`."""

    def __init__(self, place):
        super().__init__(place)
        self.api = place.program_of("anna")

    def _post(self, path, body, **headers):
        answer = self.api.post(f"/api/v1/{path}", body, **headers)
        assert answer.status in DONE, answer.body
        return DONE[answer.status]

    def look(self, serial):
        answer = self.api.get(f"/api/v1/claims/{serial}")
        assert answer.status == 200, answer.body
        return answer.json

    def approve(self, serial, note, meanwhile=lambda: None):
        seen = self.api.get(f"/api/v1/claims/{serial}").headers["ETag"]
        meanwhile()
        return self._post(f"claims/{serial}/approve", {"reason": note}, **{"If-Match": seen})

    def reject(self, serial, reason):
        assert self._post(f"claims/{serial}/reject", {"reason": reason})

    def approve_matching(self, match, note, meanwhile=lambda: None):
        match += ",state=pending"
        shown = len(self.api.get(f"/api/v1/claims?match={match}").json["items"])
        meanwhile()
        return shown, self._post("claims/approve", {"match": match, "expected": shown, "reason": note})

    def import_list(self, text):
        """The lines that are wrong."""
        answer = self.api.post("/api/v1/claims/import", text, **{"Content-Type": "text/csv"})
        return sorted({r["line"] for r in answer.json["results"]}) if answer.status == 400 else []

    def replace(self, old, new, reason):
        assert self._post(f"devices/{old}/replace", {"with": new, "reason": reason})

    def timeline(self, serial, last):
        items = self.api.get(f"/api/v1/devices/{serial}/history").json["items"]
        return "\n".join(f"{j['outcome']} {j['reason']} {j['by']}" for j in items)


class Terminal(Way):
    """registrarctl; it asks before it decides about several."""

    def _run(self, *args):
        return harness.run(harness.program("registrarctl"), "-s", self.place.site.registrar.socket, *args)

    def look(self, serial):
        return json.loads(self._run("claims", "show", serial, "-o", "json").stdout)

    def approve(self, serial, note, meanwhile=lambda: None):
        self.look(serial)
        meanwhile()
        return self._run("claims", "approve", serial, "--note", note).returncode == 0

    def reject(self, serial, reason):
        assert self._run("claims", "reject", serial, "--reason", reason).returncode == 0

    def approve_matching(self, match, note, meanwhile=lambda: None):
        def answer():
            meanwhile()
            return "y\n"
        code, out, said = at_terminal(self.place.site.registrar, answer, "claims", "approve", "--match",
                                      match, "--note", note)
        return int(said.split("approve ")[1].split()[0]), code == 0

    def import_list(self, text):
        path = self.place.site.directory / "list.csv"
        path.write_text(text)
        done = self._run("claims", "import", path, "-o", "csv")
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        return [int(r["line"]) for r in rows] if done.returncode else []

    def replace(self, old, new, reason):
        assert self._run("devices", "replace", old, new, "--reason", reason).returncode == 0

    def timeline(self, serial, last):
        return self._run("devices", "history", serial).stdout


class Pages(Way):
    """A browser."""

    def __init__(self, place, browser):
        super().__init__(place)
        self.browser = browser

    def _tell(self, *args, meanwhile=lambda: None):
        self.place.meanwhile, self.place.seen = lambda: meanwhile() and None, None
        self.browser.tell("way", *args)
        return self.place.seen

    def look(self, serial):
        return self._tell("look", serial)

    def approve(self, serial, note, meanwhile=lambda: None):
        return self._tell("approve", serial, note, meanwhile=meanwhile)["done"]

    def reject(self, serial, reason):
        self._tell("reject", serial, reason)

    def approve_matching(self, match, note, meanwhile=lambda: None):
        seen = self._tell("approve_matching", match, note, meanwhile=meanwhile)
        return seen["shown"], seen["done"]

    def import_list(self, text):
        return self._tell("import_list", text)["bad"]

    def replace(self, old, new, reason):
        self._tell("replace", old, new, reason)

    def timeline(self, serial, last):
        return self._tell("timeline", serial, last)["text"]


class Place(Requests):
    """And what a way tells back, and somebody else who decides."""

    def __init__(self, site, port):
        super().__init__(site, port)
        self.somebody_else = self.program_of("lena")

    def program_of(self, user):
        self.have_user(user)
        made = self.local.post("/api/v1/tokens", {"name": "robot", "user": user})
        assert made.status == 200, made.body
        token = made.json["token"]
        return Api(self.site.registrar, self.port, {"Authorization": f"Bearer {token}"})

    def reject_meanwhile(self, serial):
        answer = self.somebody_else.post(f"/api/v1/claims/{serial}/reject", {"reason": "stolen"})
        assert answer.status == 200, answer.body

    def read(self, value):
        self.seen = value

    def ask(self, device):
        with self.site.peer(device) as peer:
            return peer.request_voucher().status

    def hold_one(self, **more):
        device = self.site.device(**more)
        self.devices[device.serial] = device
        assert self.ask(device) == 202
        return device

    def claim(self, serial):
        return self.local.get(f"/api/v1/devices/{serial}").json

    def states(self, devices):
        return [self.claim(d.serial)["claim"] for d in devices]


@pytest.fixture(scope="module")
def place_of_work(place, acme, domain):
    port = harness.free_port()
    masa = harness.Masa(place / "masa", acme)
    registrar = harness.Registrar(place / "registrar", domain, [acme],
                                  changes={f"manufacturer {acme.name}": {"admit": "hold"},
                                           "admin": {"listen": f"127.0.0.1:{port}", "web": WEB}})
    with harness.running(masa, registrar):
        yield Place(Site(place, acme, domain, masa, registrar), port)


@pytest.fixture(scope="module", params=["https", "socket", pytest.param("browser", marks=pytest.mark.slow)])
def way(request, place_of_work):
    if request.param != "browser":
        yield {"https": Program, "socket": Terminal}[request.param](place_of_work)
        return
    why = install()
    if why:
        pytest.skip(why)
    browser = Browser(f"https://127.0.0.1:{place_of_work.port}", place_of_work)
    yield Pages(place_of_work, browser)
    browser.close()


_lots = itertools.count(1)


@pytest.fixture(name="lot")
def _lot():
    """A beginning of serial-numbers that nobody else has."""
    return f"LOT-{next(_lots)}-"


def test_a_device_is_seen__approved__joins__and_its_timeline_tells(way, place_of_work):
    device = place_of_work.hold_one(model="gw-8")
    seen = way.look(device.serial)
    assert (seen["claim"], seen["model"], seen["address"]) == ("pending", "gw-8", "127.0.0.1")
    assert way.approve(device.serial, "on the delivery note")
    assert place_of_work.claim(device.serial)["claim"] == "approved"
    assert place_of_work.join(device.serial) == 0
    told = way.timeline(device.serial, "on the delivery note")
    assert "on the delivery note" in told and "127.0.0.1" not in told
    assert place_of_work.claim(device.serial)["state"] == "active"


def test_several__after_a_preview(way, place_of_work, lot):
    devices = [place_of_work.hold_one(serial=f"{lot}{n}") for n in range(3)]
    other = place_of_work.hold_one()
    assert way.approve_matching(f"serial={lot}*", "pallet 12") == (3, True)
    assert place_of_work.states([*devices, other]) == ["approved"] * 3 + ["pending"]
    assert {place_of_work.claim(d.serial)["reason"] for d in devices} == {"pallet 12"}
    assert [place_of_work.ask(d) for d in (devices[0], other)] == [200, 202]


def test_several__of_which_one_changed_behind_the_preview__are_none(way, place_of_work, lot):
    devices = [place_of_work.hold_one(serial=f"{lot}{n}") for n in range(3)]

    assert way.approve_matching(f"serial={lot}*", "pallet 13",
                                lambda: place_of_work.reject_meanwhile(devices[1].serial)) == (3, False)
    assert place_of_work.states(devices) == ["pending", "rejected", "pending"]


def test_a_rejection_has_its_reason__and_the_device_is_refused(way, place_of_work):
    device = place_of_work.hold_one()
    way.reject(device.serial, "not in the order")
    claim = place_of_work.claim(device.serial)
    assert (claim["claim"], claim["reason"]) == ("rejected", "not in the order")
    assert place_of_work.ask(device) == REFUSED


def test_who_decides_about_what_was_different__is_told_and_changes_nothing(way, place_of_work):
    device = place_of_work.hold_one()
    assert not way.approve(device.serial, "seen it myself",
                           lambda: place_of_work.reject_meanwhile(device.serial))
    claim = place_of_work.claim(device.serial)
    assert (claim["claim"], claim["reason"]) == ("rejected", "stolen")


def test_a_list_with_bad_rows__imports_nothing__and_corrected_all_of_it(way, place_of_work, lot):
    good = f"manufacturer,serial\nAcme,{lot}1\nAcme,{lot}2\n"
    before = len(place_of_work.claims())
    assert way.import_list(good + f"Acne,{lot}3\nAcme,\n") == [4, 5]
    assert len(place_of_work.claims()) == before
    assert way.import_list(good) == []
    made = [c for c in place_of_work.claims() if c["serial"].startswith(lot)]
    assert [c["claim"] for c in made] == ["preapproved"] * 2


def test_one_takes_the_place_of_another(way, place_of_work):
    old, new = place_of_work.joined(), place_of_work.device()
    way.replace(old, new, "broken display")
    assert place_of_work.join(new) == 0
    gone, come = place_of_work.claim(old), place_of_work.claim(new)
    assert (gone["state"], come["state"], come["replaces"]) == ("replaced", "active", gone["id"])
