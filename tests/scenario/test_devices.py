# SPDX-License-Identifier: Apache-2.0
"""What is done about devices that joined: shut out and let in again, taken out of service, put in
place of one another, moved and labelled; and those that come back after their certificate ended."""
import json

import pytest

import harness
from brski_peer import forge
from brski_peer.pledge import est_body
from places import Site
from test_registrar import assert_refused
from terminal import at_terminal
from test_sites import Api

DAY = 86400
FORBIDDEN = 4 << 5 | 3  # CoAP 4.03
SHUT_OUT = "This device is quarantined: an administrator has to release it."


@pytest.fixture(scope="module")
def clock(place):
    return harness.Clock(place / "clock")


@pytest.fixture(scope="module")
def here(place, acme, domain, clock):
    """A site where an administrator decides about each device."""
    masa = harness.Masa(place / "masa", acme)
    port = harness.free_port()
    registrar = harness.Registrar(place / "registrar", domain, [acme], coaps=True, changes={
        "admin": {"listen": f"127.0.0.1:{port}"}, f"manufacturer {acme.name}": {"admit": "hold"}, "ca": {"ldevid_days": 60},
        "policy": {"rejoin_days": 90, "approval_days": 365}})
    registrar.admin_port = port
    for daemon in (masa, registrar):
        daemon.env.update(clock.env())
    with harness.running(masa, registrar):
        yield Site(place, acme, domain, masa, registrar)


@pytest.fixture(autouse=True)
def _today(clock):
    clock.set(0)
    yield
    clock.set(0)


@pytest.fixture(name="api")
def _api(here):
    return Api(here.registrar)


def ctl(here, *args, check=0):
    return here.registrar.ctl("devices", *args, check=check)


def show(here, device):
    serial = getattr(device, "serial", device)
    told = json.loads(ctl(here, "show", serial, "-o", "json").stdout)
    told.pop("waiting_s")  # moves by itself
    return told


def ask(here, device):
    with here.peer(device) as pledge:
        return pledge.request_voucher().status


def approve(here, device):
    here.registrar.ctl("claims", "approve", device.serial)


def joined(here, cell, device):
    """Its certificate and key, in files."""
    assert ask(here, device) == 202
    approve(here, device)
    with here.peer(device) as pledge:
        certificate, key = pledge.join()
    return forge.save(cell, device.serial, key, [certificate])


def lines(here, device):
    return [(j["step"], j["outcome"], j["by"], j["reason"])
            for j in reversed(show(here, device)["journal"])]


# -- quarantine

def test_a_quarantined_device__gets_nothing__and_is_as_before_when_released(here, cell):
    device = here.device()
    identity = joined(here, cell, device)
    with here.peer(identity) as client:
        assert client.cacerts().status == 200
        ctl(here, "quarantine", device.serial, "--reason", "strange traffic")
        for operation in ("simplereenroll", "simpleenroll", "serverkeygen"):
            assert_refused(client.post_csr(est_body(client.csr()), operation), 403)
        assert SHUT_OUT in client.cacerts().text
    with here.peer(device) as pledge:
        assert_refused(pledge.enroll()[0], 403)
        request = pledge.pvr()
        assert [pledge.request_voucher(request).status for _ in range(2)] == [202, 202]
        assert SHUT_OUT in pledge.request_voucher().text
    told = show(here, device)
    assert (told["state"], told["quarantine_reason"]) == ("quarantined", "strange traffic")
    assert not told["certificates"][0]["revoked"]
    assert ("device", "quarantined", "unix:uid=0", "strange traffic") in lines(here, device)
    ctl(here, "release", device.serial)
    assert show(here, device)["state"] == "active"
    with here.peer(identity) as client:
        assert client.post_csr(est_body(client.csr()), "simplereenroll").status == 200
    assert ask(here, device) == 200


def test_a_quarantined_device__over_coaps__is_shut_out_as_well(here):
    device = here.device(key_type="ec-p256")
    assert ask(here, device) == 202
    approve(here, device)
    ctl(here, "quarantine", device.serial)
    with here.constrained_peer(device) as pledge:
        held = pledge.request_voucher()
        assert SHUT_OUT in str(held.payload), held
        reply = pledge.enroll()[0]
        assert reply.code == FORBIDDEN and SHUT_OUT in str(reply.payload), reply
    ctl(here, "release", device.serial)
    with here.constrained_peer(device) as pledge:
        pledge.join()
    assert show(here, device)["state"] == "active"


def test_a_claim__may_be_quarantined_before_it_joins(here):
    device = here.device()
    assert ask(here, device) == 202
    ctl(here, "quarantine", device.serial)
    approve(here, device)
    assert ask(here, device) == 202
    ctl(here, "release", device.serial)
    assert ask(here, device) == 200


def test_a_real_pledge__waits_while_it_is_quarantined(here):
    device = here.device()
    assert ask(here, device) == 202
    approve(here, device)
    ctl(here, "quarantine", device.serial)
    pledge = here.pledge(device, changes={"retry": {"attempts": 30}})
    held = len(here.registrar.lines("requestvoucher status=202"))
    with harness.running(pledge):
        harness.wait_until(
            lambda: len(here.registrar.lines("requestvoucher status=202")) >= held + 2,
            "it was held twice")
        ctl(here, "release", device.serial)
        assert pledge.wait(20) == 0
    assert show(here, device)["state"] == "active"


# -- out of service

def all_revoked(told):
    assert told["certificates"]
    return all(c["revoked"] for c in told["certificates"])


def test_a_decommissioned_device__is_revoked_and_comes_back_by_a_new_approval_only(here, cell):
    device = here.device()
    identity = joined(here, cell, device)
    ctl(here, "decommission", device.serial, "--reason", "scrapped")
    told = show(here, device)
    assert (told["state"], told["claim"]) == ("decommissioned", "none")
    assert all_revoked(told)
    with here.peer(identity) as client:
        assert_refused(client.post_csr(est_body(client.csr()), "simplereenroll"), 403)
    with here.peer(device) as pledge:
        assert "was decommissioned" in pledge.cacerts().text
    assert ask(here, device) == 202
    approve(here, device)
    assert ask(here, device) == 200
    assert show(here, device)["state"] == "joining"


def test_who_is_retired__is_retired_further_and_not_back(here, cell):
    device = here.device()
    joined(here, cell, device)
    ctl(here, "revoke", device.serial)
    ctl(here, "decommission", device.serial)
    assert show(here, device)["state"] == "decommissioned"
    assert "revoked already" in ctl(here, "revoke", device.serial, check=1).stderr
    assert "revoked already" in ctl(here, "decommission", device.serial, check=1).stderr
    assert "nothing to shut out" in ctl(here, "quarantine", device.serial, check=1).stderr


def test_what_makes_no_sense__is_refused_and_changes_nothing(here, cell, api):
    device = here.device()
    assert ask(here, device) == 202
    before = show(here, device)
    assert "reject its claim" in ctl(here, "decommission", device.serial, check=1).stderr
    assert "not quarantined" in ctl(here, "release", device.serial, check=1).stderr
    assert "no such site" in ctl(here, "move", device.serial, "--site", "/nowhere",
                                 check=1).stderr.lower()
    assert "A site is / or like" in ctl(here, "move", device.serial, "--site", "x", check=1).stderr
    assert "A label is" in ctl(here, "label", device.serial, "--set", "Rack=4", check=1).stderr
    assert ctl(here, "quarantine", "NOBODY-9", check=3).stderr
    path = f"/api/v1/devices/{device.serial}"
    assert api("POST", f"{path}/explode", {})[0] == 404
    assert api("POST", f"{path}/label", {})[0] == 400
    assert api("POST", f"{path}/label", {"set": {"a": 1}})[0] == 400
    assert api("POST", f"{path}/quarantine", {"reason": "x" * 201})[0] == 400
    assert api("POST", f"{path}/replace", {})[0] == 400
    assert show(here, device) == before


# -- one in place of another

def test_replace__old_is_refused__new_joins_with_site_and_labels(here, cell):
    here.registrar.ctl("sites", "add", "/eu/berlin/dock")
    old, new = here.device(), here.device()
    identity = joined(here, cell, old)
    ctl(here, "move", old.serial, "--site", "/eu/berlin/dock")
    ctl(here, "label", old.serial, "--set", "rack=4,row=B")
    ctl(here, "replace", old.serial, new.serial, "--reason", "burnt")
    with here.peer(identity) as client:
        assert_refused(client.post_csr(est_body(client.csr()), "simplereenroll"), 403)
    with here.peer(old) as pledge:
        assert "was replaced by another" in pledge.cacerts().text
        assert pledge.request_voucher().status == 202
    assert here.pledge(new).join().returncode == 0
    gone, come = show(here, old), show(here, new)
    assert (gone["state"], come["state"]) == ("replaced", "active")
    assert all_revoked(gone) and not all_revoked(come)
    assert (gone["replaced_by"], come["replaces"]) == (come["id"], gone["id"])
    assert (come["site"], come["labels"]) == ("/eu/berlin/dock", {"rack": "4", "row": "B"})
    assert ("device", "replaced", "unix:uid=0", f"by Acme {new.serial}: burnt") in lines(here, old)
    assert ("claim", "preapproved", "unix:uid=0",
            f"replaces Acme {old.serial}: burnt") in lines(here, new)
    assert "replaced already" in ctl(here, "replace", old.serial, here.device().serial,
                                     check=1).stderr


def test_replace__by_one_that_waits__approves_it(here, cell):
    old, new = here.device(), here.device()
    joined(here, cell, old)
    assert ask(here, new) == 202
    ctl(here, "replace", old.serial, new.serial)
    assert ask(here, new) == 200


def test_replace__by_one_that_may_not__is_refused_whole(here, cell):
    old, active, rejected, shut_out = (here.device() for _ in range(4))
    for device in (old, active):
        joined(here, cell, device)
    for device in (rejected, shut_out):
        assert ask(here, device) == 202
    here.registrar.ctl("claims", "reject", rejected.serial)
    ctl(here, "quarantine", shut_out.serial)
    for device, why in ((rejected, "was rejected"), (shut_out, "is quarantined"),
                        (active, "joined already")):
        assert why in ctl(here, "replace", old.serial, device.serial, check=1).stderr
    assert "does not replace itself" in ctl(here, "replace", old.serial, old.serial, check=1).stderr
    assert show(here, old)["state"] == "active"
    ctl(here, "replace", old.serial, active.serial, "--force")
    assert show(here, active)["replaces"] == show(here, old)["id"]
    assert show(here, active)["state"] == "active"


def test_replace__of_one_that_never_joined__is_done(here):
    old, new = here.device(), here.device()
    assert ask(here, old) == 202
    ctl(here, "replace", old.serial, new.serial)
    assert ask(here, old) == 202 and ask(here, new) == 200
    assert show(here, old)["state"] == "replaced"


def test_replace__where_two_have_to_agree__takes_one_that_is_approved_only(here, cell):
    here.registrar.ctl("sites", "add", "/careful", "--approvers", "2")
    old, new = here.device(), here.device()
    joined(here, cell, old)
    ctl(here, "move", old.serial, "--site", "/careful")
    assert ask(here, new) == 202
    assert "Two administrators" in ctl(here, "replace", old.serial, new.serial, check=1).stderr
    assert ask(here, new) == 202 and show(here, old)["state"] == "active"
    approve(here, new)
    ctl(here, "replace", old.serial, new.serial)
    assert ask(here, new) == 200 and show(here, new)["site"] == "/careful"


# -- where it is, and what it is called

def test_move_and_label__say_from_where_to_where(here, cell):
    here.registrar.ctl("sites", "add", "/shelf/a")
    device = here.device()
    assert ask(here, device) == 202
    ctl(here, "move", device.serial, "--site", "/shelf/a", "--reason", "tidied")
    assert ("device", "moved", "unix:uid=0", "from / to /shelf/a: tidied") in lines(here, device)
    ctl(here, "label", device.serial, "--set", "a=1,b=2")
    ctl(here, "label", device.serial, "--set", "b=3", "--remove", "a")
    assert show(here, device)["labels"] == {"b": "3"}
    before = show(here, device)["revision"]
    ctl(here, "move", device.serial, "--site", "/shelf/a")
    assert show(here, device)["revision"] == before, "nothing to do"
    assert "devices or claims in it" in here.registrar.ctl(
        "sites", "remove", "/shelf/a", check=1).stderr
    sites = {s["path"]: s for s in json.loads(
        here.registrar.ctl("sites", "list", "-o", "json").stdout)}
    assert (sites["/shelf/a"]["devices"], sites["/shelf"]["below"]) == (1, 1)
    ctl(here, "move", device.serial, "--site", "/")
    here.registrar.ctl("sites", "remove", "/shelf/a")


def test_a_dry_run__shows_and_changes_nothing(here, cell):
    device = here.device()
    joined(here, cell, device)
    before = show(here, device)
    for verb, more in (("quarantine", ()), ("decommission", ()), ("label", ("--set", "x=1")),
                       ("move", ("--site", "/")), ("revoke", ())):
        assert device.serial in ctl(here, verb, device.serial, *more, "--dry-run").stdout
    done = ctl(here, "replace", device.serial, "NEW-1", "--dry-run")
    assert device.serial in done.stdout
    assert show(here, device) == before
    assert ctl(here, "release", device.serial, "--dry-run", check=1).stderr


def test_several_at_once__each_has_its_result(here):
    devices = [here.device() for _ in range(3)]
    for device in devices:
        assert ask(here, device) == 202
    ctl(here, "quarantine", devices[1].serial)
    done = ctl(here, "quarantine", *[d.serial for d in devices], "--yes", check=4)
    assert devices[1].serial in done.stderr and devices[0].serial not in done.stderr
    assert {show(here, d)["state"] for d in devices} == {"quarantined"}


def states(here, devices):
    return [show(here, d)["state"] for d in devices]


def test_several_that_match__are_shown_and_asked_for__and_no_others_are_touched(here, cell):
    here.registrar.ctl("sites", "add", "/many/a")
    inside, outside = [here.device() for _ in range(3)], here.device()
    for device in (*inside, outside):
        joined(here, cell, device)
    names = "\n".join(d.serial for d in inside)
    (cell / "names.txt").write_text(names + "\n")
    ctl(here, "move", "--file", str(cell / "names.txt"), "--site", "/many/a", "--yes")
    which = ("quarantine", "--match", "site=/many", "--reason", "recalled")
    assert "quarantine 3 devices: no terminal to ask on; say --yes" in ctl(here, *which, check=2).stderr
    done = ctl(here, *which, "--dry-run", "-o", "ids")
    assert set(done.stdout.split()) == {d.serial for d in inside}
    assert "quarantine 3 devices; nothing was changed" in done.stderr
    code, out, said = at_terminal(here.registrar, "n\n", "devices", *which)
    assert code == 1 and inside[1].serial in out and outside.serial not in out
    assert "quarantine 3 devices? [y/N]" in said and "nothing was changed" in said
    assert states(here, [*inside, outside]) == ["active"] * 4
    assert at_terminal(here.registrar, "y\n", "devices", *which)[0] == 0
    assert states(here, [*inside, outside]) == ["quarantined"] * 3 + ["active"]
    ctl(here, "release", inside[0].serial)
    done = ctl(here, "release", "--match", "site=/many", "--yes", check=4)
    assert f"{inside[0].serial}: This device is not quarantined." in done.stderr
    assert states(here, inside) == ["active"] * 3


def test_what_changed_behind_a_question__is_not_touched(here, cell):
    """The answer comes after somebody else labelled one of them."""
    devices = [here.device() for _ in range(2)]
    for device in devices:
        assert ask(here, device) == 202

    def meanwhile():
        ctl(here, "label", devices[0].serial, "--set", "seen=yes")
        return "y\n"

    code, _, said = at_terminal(here.registrar, meanwhile, "devices", "quarantine",
                                        *[d.serial for d in devices])
    assert code == 4 and f"{devices[0].serial}: " in said and f"{devices[1].serial}: " not in said
    assert states(here, devices) == ["new", "quarantined"]


def test_which_devices_are_meant__is_said_in_one_way(here):
    assert "name the devices" in ctl(here, "quarantine", check=2).stderr
    assert "name the devices" in ctl(here, "quarantine", "A", "--match", "serial=A", check=2).stderr
    assert "no devices match" in ctl(here, "quarantine", "--match", "serial=NOBODY", check=3).stderr
    assert "a condition is KEY=VALUE" in ctl(here, "quarantine", "--match", "x", check=1).stderr


def test_two_administrators_at_once__one_wins(here, api):
    device = here.device()
    assert ask(here, device) == 202
    number, revision = (show(here, device)[m] for m in ("id", "revision"))
    path, seen = f"/api/v1/devices/{number}", f'"{revision}"'
    status, body, headers = api("POST", f"{path}/label", {"set": {"a": "1"}}, If_Match=seen)
    assert status == 200 and headers["ETag"] == f'"{body["revision"]}"' != seen
    assert api("POST", f"{path}/label", {"set": {"a": "2"}}, If_Match=seen)[0] == 412
    assert api("POST", f"{path}/quarantine", {}, If_Match=seen)[0] == 412
    assert show(here, device)["labels"] == {"a": "1"} and show(here, device)["state"] == "new"


# -- who may

@pytest.fixture(name="operator_of")
def _operator_of(here, api):
    """A program that may operate within a site."""
    def make(site):
        user = f"operator-{site.strip('/')}"
        assert api("POST", "/api/v1/users", {"name": user, "role": "operator", "site": site})[0] == 200
        made = api("POST", "/api/v1/tokens", {"name": "robot", "user": user})
        assert made[0] == 200, made
        return Api(here.registrar, here.registrar.admin_port,
                   {"Authorization": f"Bearer {made[1]['token']}"})
    return make


def test_an_operator_of_a_site__sees_and_does_nothing_outside_it(here, api, operator_of):
    for site in ("/mine", "/other"):
        here.registrar.ctl("sites", "add", site)
    inside, outside = here.device(), here.device()
    for device, site in ((inside, "/mine"), (outside, "/other")):
        assert ask(here, device) == 202
        ctl(here, "move", device.serial, "--site", site)
    ctl(here, "quarantine", inside.serial)
    ctl(here, "quarantine", outside.serial)
    mine = operator_of("/mine")
    before = show(here, outside)
    for name in (outside.serial, before["id"]):
        assert mine("GET", f"/api/v1/devices/{name}")[0] == 404
        assert mine("GET", f"/api/v1/devices/{name}/history")[0] == 404
        for verb, body in (("release", {}), ("label", {"set": {"a": "1"}}), ("revoke", {}),
                           ("move", {"site": "/mine"}), ("replace", {"with": "X-1"})):
            assert mine("POST", f"/api/v1/devices/{name}/{verb}", body)[0] == 404, verb
    path = f"/api/v1/devices/{inside.serial}"
    assert mine("POST", f"{path}/move", {"site": "/other"})[0] == 400, "there is no such site"
    assert mine("POST", f"{path}/replace", {"with": outside.serial})[0] == 404
    assert show(here, outside) == before
    for query in ("devices?", "devices/find?text=TEST-&", "devices/find?text=T&anywhere=true&"):
        _, page, _ = mine("GET", f"/api/v1/{query}limit=1000")
        assert [d["serial"] for d in page["items"]] == [inside.serial], query
    assert [s["path"] for s in mine("GET", "/api/v1/sites")[1]["items"]] == ["/mine"]
    assert mine("POST", f"{path}/release", {})[0] == 200
    assert lines(here, inside)[-1][:3] == ("device", "released", "operator-mine")
    assert mine("POST", "/api/v1/sites/set", {"path": "/mine", "approvers": 1})[0] == 403


# -- back after the certificate ended

def test_a_device_whose_certificate_ended__joins_again_by_itself(here, cell, clock):
    device = here.device()
    joined(here, cell, device)
    clock.set(45 * DAY)
    assert show(here, device)["state"] == "expiring"
    clock.set(61 * DAY)
    assert show(here, device)["state"] == "expired"
    pledge = here.pledge(device)
    pledge.env.update(clock.env())
    assert pledge.join().returncode == 0
    told = show(here, device)
    assert told["state"] == "active" and told["rejoined"]
    assert ("device", "rejoined", None, "its certificate had ended") in lines(here, device)


def test_a_device_that_comes_too_late__waits_for_an_administrator(here, cell, clock):
    device = here.device()
    joined(here, cell, device)
    clock.set((60 + 91) * DAY)
    assert ask(here, device) == 202
    assert lines(here, device)[-1][3] == "its certificate ended too long ago"
    assert ask(here, device) == 202
    approve(here, device)
    assert ask(here, device) == 200


def test_who_is_shut_out_or_retired__does_not_come_back_after_the_end(here, cell, clock):
    shut_out, retired = here.device(), here.device()
    for device in (shut_out, retired):
        joined(here, cell, device)
    ctl(here, "quarantine", shut_out.serial)
    ctl(here, "decommission", retired.serial)
    clock.set(61 * DAY)
    assert [ask(here, d) for d in (shut_out, retired)] == [202, 202]


# -- devices nobody announced

def test_a_site_that_takes_no_unknown_devices__says_no(here):
    here.registrar.ctl("sites", "set", "/", "--unknown", "reject")
    try:
        stranger = here.device()
        with here.peer(stranger) as pledge:
            reply = pledge.request_voucher()
        assert_refused(reply, 404)
        assert "nobody announced" in reply.text
    finally:
        here.registrar.ctl("sites", "set", "/", "--unknown", "hold")
    assert ask(here, stranger) == 202


# -- looking

def serials(done):
    return [d["serial"] for d in json.loads(done.stdout)]


def test_lists__by_state_site_and_match__show_who_is_meant(here, cell):
    here.registrar.ctl("sites", "add", "/list/a")
    active, shut_out = here.device(), here.device()
    joined(here, cell, active)
    assert ask(here, shut_out) == 202
    ctl(here, "quarantine", shut_out.serial)
    ctl(here, "move", active.serial, shut_out.serial, "--site", "/list/a", "--yes")
    listed = ctl(here, "list", "--site", "/list", "-o", "json")
    assert sorted(serials(listed)) == sorted([active.serial, shut_out.serial])
    only = ctl(here, "list", "--site", "/list", "--state", "quarantined", "-o", "json")
    assert serials(only) == [shut_out.serial]
    match = f"serial={active.serial},state=active"
    assert serials(ctl(here, "list", "--match", match, "-o", "json")) == [active.serial]
    assert ctl(here, "list", "--state", "lost", check=1).stderr
    line = [row for row in ctl(here, "export").stdout.splitlines() if active.serial in row]
    assert len(line) == 1 and line[0].startswith(f"{active.serial},Acme,,active,/list/a,")


def test_find__by_beginning_and_by_part__in_pages(here, api):
    for n in range(5):
        old = here.device()
        assert ask(here, old) == 202
        ctl(here, "replace", old.serial, f"FIND-{n}-X{n % 2}")
    assert serials(ctl(here, "find", "FIND-", "-o", "json")) == [f"FIND-{n}-X{n % 2}" for n in range(5)]
    assert serials(ctl(here, "find", "X1", "-o", "json")) == []
    assert sorted(serials(ctl(here, "find", "X1", "--anywhere", "-o", "json"))) == [
        "FIND-1-X1", "FIND-3-X1"]
    for more in ("", "&anywhere=true"):
        seen, after = [], "0"
        while after is not None:
            status, page, _ = api("GET", f"/api/v1/devices/find?text=FIND-&limit=2&after={after}{more}")
            assert status == 200 and len(page["items"]) <= 2
            seen += [d["serial"] for d in page["items"]]
            after = page["next"]
        assert seen == [f"FIND-{n}-X{n % 2}" for n in range(5)]
    assert api("GET", "/api/v1/devices/find")[0] == 400
    assert api("GET", "/api/v1/devices/find?text=x&anywhere=maybe")[0] == 400


def test_history__is_one_timeline_in_its_order__and_goes_on_where_it_was_left(here, cell, api):
    device = here.device()
    joined(here, cell, device)
    ctl(here, "quarantine", device.serial)
    number = show(here, device)["id"]
    whole = json.loads(ctl(here, "history", device.serial, "-o", "json").stdout)
    steps = [(line["step"], line["outcome"]) for line in whole]
    assert steps[0] == ("claim", "pending") and steps[-1] == ("device", "quarantined")
    assert ("claim", "approved") in steps and ("voucher", "delivered") in steps
    assert whole == sorted(whole, key=lambda line: line["sequence"])
    status, page, _ = api("GET", f"/api/v1/devices/{number}/history?limit=2")
    assert status == 200 and page["items"] == whole[:2]
    _, page, _ = api("GET", f"/api/v1/devices/{number}/history?after={page['next']}")
    assert page["items"] == whole[2:] and page["next"] is None
    assert ctl(here, "history", "NOBODY-5", check=3).stderr
    assert json.loads(ctl(here, "history", device.serial, "--after", str(whole[-2]["sequence"]),
                          "-o", "json").stdout) == whole[-1:]


def test_a_device__is_shown_by_its_number_too__with_its_etag(here, api):
    device = here.device()
    assert ask(here, device) == 202
    told = show(here, device)
    status, by_number, headers = api("GET", f"/api/v1/devices/{told['id']}")
    assert status == 200 and by_number["serial"] == device.serial
    assert headers["ETag"] == f'"{told["revision"]}"'
    assert by_number["journal"] == told["journal"]
    assert (told["address"], told["site"], told["labels"]) == ("127.0.0.1", "/", {})
