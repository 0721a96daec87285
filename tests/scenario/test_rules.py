# SPDX-License-Identifier: Apache-2.0
"""Rules on who may join: the first that matches decides, a person's word comes before them, the
configuration's after; each decision and each change is in the audit log."""
import json

import pytest

import harness
from places import Site


@pytest.fixture(scope="module")
def here(place, acme, domain):
    masa = harness.Masa(place / "masa", acme)
    registrar = harness.Registrar(place / "registrar", domain, [acme],
                                  changes={f"manufacturer {acme.name}": {"admit": "hold"}})
    with harness.running(masa, registrar):
        yield Site(place, acme, domain, masa, registrar)


def ctl(site, *args, check=0):
    return site.registrar.ctl("rules", *args, "-o", "json", check=check)


def rules(site):
    return json.loads(ctl(site, "list").stdout)


def add(site, *args):
    return str(json.loads(ctl(site, "add", *args).stdout)["id"])


@pytest.fixture(autouse=True)
def _no_rules(here):
    yield
    for rule in rules(here):
        ctl(here, "remove", str(rule["id"]))


def ask(site, device):
    with site.peer(device) as peer:
        return peer.request_voucher().status


def lines(site, serial):
    shown = json.loads(site.registrar.ctl("devices", "show", serial, "-o", "json").stdout)
    return [(j["by"], j["step"], j["outcome"], j["reason"]) for j in reversed(shown["journal"])]


def claim(site, serial):
    return [c for c in site.registrar.claims() if c["serial"] == serial][0]


def test_without_rules_the_configuration_decides(here):
    assert rules(here) == []
    assert ask(here, here.device()) == 202


def test_an_approving_rule_lets_a_device_join_and_is_named(here):
    device = here.device()
    rule = add(here, "approve", "--serial", device.serial, "--manufacturer", "Acme", "--network",
               "127.0.0.0/8", "--reason", "pilot")
    assert here.pledge(device).join().returncode == 0
    assert (f"rule {rule}", "claim", "approved", "pilot") in lines(here, device.serial)
    found = claim(here, device.serial)
    assert (found["claim"], found["by"], found["until"]) == ("approved", f"rule {rule}", None)
    assert here.registrar.ctl("audit", "verify").returncode == 0
    ctl(here, "remove", rule)
    assert ask(here, device) == 200  # it was approved


def test_a_device_that_waits_joins_by_a_rule_of_later(here):
    device = here.device()
    with here.peer(device) as peer:
        request = peer.pvr()
        assert peer.request_voucher(request).status == 202
        add(here, "approve", "--serial", device.serial)
        assert peer.request_voucher(request).status == 200


def test_a_rejecting_rule_says_so_for_as_long_as_it_stands(here):
    device = here.device()
    rule = add(here, "reject", "--serial", device.serial, "--reason", "not here")
    with here.peer(device) as peer:
        reply = peer.request_voucher()
        assert reply.status == 404 and b"rule" in reply.body
    # the line of a refusal is not waited for
    harness.wait_until(lambda: f"rule {rule}: not here" in here.registrar.ctl("audit", "list").stdout,
                       "the line of the refusal")
    ctl(here, "remove", rule)
    assert ask(here, device) == 202


def test_the_first_that_matches_decides_and_moving_changes_that(here):
    device = here.device()
    hold = add(here, "hold", "--serial", device.serial, "--reason", "look first")
    everybody = add(here, "approve")
    assert ask(here, device) == 202
    assert lines(here, device.serial)[-1][3] == f"rule {hold}: look first"
    ctl(here, "move", everybody, "1")
    assert [str(r["id"]) for r in rules(here)] == [everybody, hold]
    assert ask(here, device) == 200


def test_a_rule_approves_as_many_as_it_has(here):
    devices = [here.device() for _ in range(3)]
    add(here, "approve", "--remaining", "2")
    assert [ask(here, device) for device in devices] == [200, 200, 202]
    assert ask(here, devices[0]) == 200  # the same again takes none
    assert rules(here)[0]["remaining"] == 0
    here.registrar.restart()
    assert rules(here)[0]["remaining"] == 0
    assert ask(here, devices[2]) == 202


def test_a_person_comes_before_every_rule(here):
    rejected, revoked = here.device(), here.device()
    assert ask(here, rejected) == 202
    here.registrar.ctl("claims", "reject", rejected.serial)
    add(here, "approve")
    assert ask(here, rejected) == 404
    assert here.pledge(revoked).join().returncode == 0
    here.registrar.ctl("devices", "revoke", revoked.serial)
    assert ask(here, revoked) == 202


@pytest.mark.parametrize("options", [
    ("--network", "192.0.2.0/24"), ("--serial", "NOBODY-*"), ("--not-before", "2099-01-01T00:00:00Z"),
    ("--not-after", "2020-01-01T00:00:00Z")])
def test_a_rule_about_others_changes_nothing(here, options):
    add(here, "approve", *options)
    assert ask(here, here.device()) == 202


def test_a_test_says_what_would_become_of_a_device(here):
    rule = add(here, "reject", "--serial", "BAD-1..BAD-9", "--network", "10.0.0.0/8", "--reason", "no")
    for arguments, answer, by in ((["BAD-5", "--from", "10.1.2.3"], "rejected", int(rule)),
                                  (["BAD-5", "--from", "192.0.2.1"], "held", None),
                                  (["BAD-5"], "held", None), (["GOOD-1"], "held", None)):
        said = json.loads(ctl(here, "test", *arguments).stdout)
        assert (said["answer"], said["rule"]) == (answer, by), arguments
    assert ctl(here, "test", "X", "--manufacturer", "Nobody", check=1)


def test_every_change_is_in_the_audit_log(here):
    first, second = add(here, "hold"), add(here, "approve", "--position", "1")
    ctl(here, "move", second, "2")
    ctl(here, "remove", first)
    said = json.loads(here.registrar.ctl("audit", "list", "-o", "json").stdout)[-4:]
    assert [j["outcome"] for j in said] == ["added", "added", "moved", "removed"]
    assert all(j["step"] == "rule" and j["by"].startswith("unix:") for j in said)
    assert f"rule {second}: approve" in said[1]["reason"]


def test_rules_outlive_the_registrar(here):
    add(here, "approve", "--serial", "A-*,B-1", "--network", "2001:db8::/32", "--not-before",
        "2026-01-01T00:00:00Z", "--not-after", "2099-01-01T00:00:00Z", "--remaining", "7", "--reason", "x")
    before = rules(here)
    here.registrar.restart()
    assert rules(here) == before and before[0]["remaining"] == 7


def test_a_rule_for_days_holds_on_all_of_them(here):
    add(here, "hold", "--not-before", "2026-01-01", "--not-after", "2099-12-31")
    rule, = rules(here)
    assert (rule["not_before"], rule["not_after"]) == ("2026-01-01T00:00:00Z", "2099-12-31T23:59:59Z")


@pytest.mark.parametrize("arguments", [
    ("admit",), ("approve", "--network", "10.0.0.1/8"), ("approve", "--serial", "A,,B"),
    ("approve", "--serial", "A-2..A-1"), ("approve", "--not-before", "tomorrow"),
    ("approve", "--not-before", "2027-01-01T00:00:00Z", "--not-after", "2026-01-01T00:00:00Z"),
    ("approve", "--remaining", "0"), ("hold", "--remaining", "5"), ("approve", "--position", "9"),
    ("approve", "--manufacturer", "Nobody"), ("approve", "--reason", "r" * 201)])
def test_a_rule_that_is_none_is_refused(here, arguments):
    assert ctl(here, "add", *arguments, check=1).stderr
    assert rules(here) == []


def test_a_rule_nobody_has_is_not_found(here):
    assert ctl(here, "remove", "4711", check=3)
    assert ctl(here, "move", "4711", "1", check=3)
    assert ctl(here, "remove", "one", check=3)
    add(here, "hold")
    assert ctl(here, "move", str(rules(here)[0]["id"]), "2", check=1)


def test_a_rule_places_what_it_lets_in_and_what_it_holds(here):
    here.registrar.ctl("sites", "add", "/eu/dock")
    approved, held = here.device(), here.device()
    add(here, "approve", "--serial", approved.serial, "--site", "/eu/dock", "--label", "rack=4", "--label", "row=b")
    add(here, "hold", "--serial", held.serial, "--site", "/eu/dock", "--label", "rack=5")
    assert (ask(here, approved), ask(here, held)) == (200, 202)
    found = claim(here, approved.serial)
    assert (found["site"], found["labels"]) == ("/eu/dock", {"rack": "4", "row": "b"})
    found = claim(here, held.serial)
    assert (found["claim"], found["site"], found["labels"]) == ("pending", "/eu/dock", {"rack": "5"})


def test_a_rule_knows_models_by_what_the_device_says(here):
    device = here.device()
    model = json.loads(ctl(here, "test", device.serial).stdout)
    assert model["considered"] == [] and model["decides"] == "the configuration: no rule matches"
    nobody = add(here, "approve", "--model", "no-such-model-*")
    assert ask(here, device) == 202
    said = json.loads(ctl(here, "test", device.serial, "--model", "no-such-model-7").stdout)
    assert (said["answer"], said["rule"]) == ("joins", int(nobody))
    said = json.loads(ctl(here, "test", device.serial).stdout)
    assert said["considered"] == [{"position": 1, "id": int(nobody), "action": "approve", "matches": False,
                                   "differs": "model"}]


def test_a_disabled_rule_keeps_its_place_and_says_nothing(here):
    first = add(here, "approve")
    second = add(here, "hold", "--reason", "later")
    ctl(here, "disable", first)
    assert [(r["id"], r["enabled"]) for r in rules(here)] == [(int(first), False), (int(second), True)]
    device = here.device()
    assert ask(here, device) == 202
    said = json.loads(ctl(here, "test", device.serial).stdout)
    assert [(c["id"], c["differs"]) for c in said["considered"]] == [(int(first), "disabled"),
                                                                     (int(second), None)]
    ctl(here, "enable", first)
    assert ask(here, device) == 200
    outcomes = [j["outcome"] for j in json.loads(here.registrar.ctl("audit", "list", "-o", "json").stdout)
                if j["step"] == "rule" and j["reason"].startswith(f"rule {first} ")]
    assert outcomes == ["disabled", "enabled"]


def test_numbers_are_not_used_again(here):
    first = int(add(here, "hold"))
    ctl(here, "remove", str(first))
    assert int(add(here, "hold")) == first + 1


def test_what_no_rule_matches_is_shown_last(here):
    add(here, "approve", "--serial", "A-1")
    table = here.registrar.ctl("rules", "list").stdout.splitlines()
    assert "no rule matches: admit = hold" in table[-1] and " hold " in table[-1] and "Acme" in table[-1]
    assert len(rules(here)) == 1


@pytest.mark.parametrize("arguments", [
    ("approve", "--site", "/nowhere"), ("approve", "--site", "eu"), ("reject", "--site", "/"),
    ("reject", "--label", "a=b"), ("approve", "--label", "A=b"), ("approve", "--model", ",")])
def test_a_place_that_is_none_is_refused(here, arguments):
    assert ctl(here, "add", *arguments, check=1).stderr
    assert rules(here) == []
