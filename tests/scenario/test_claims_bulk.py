# SPDX-License-Identifier: Apache-2.0
"""Claims searched and decided about, one or thousands at a time: what a preview has shown is what is
decided, or nothing; who decides against somebody else is told; a site may ask for two approvers."""
import contextlib
import csv
import http.client
import io
import json
import re
import socket
import subprocess

import pytest

import harness
import stores
from admin_api import Api
from places import Site
from terminal import at_terminal

MANY = 3000


@pytest.fixture(scope="module")
def here(place, acme, domain):
    """A site that holds what nobody approved, with thousands of claims of an import."""
    masa = harness.Masa(place / "masa", acme)
    port = harness.free_port()
    registrar = harness.Registrar(place / "registrar", domain, [acme],
                                  changes={f"manufacturer {acme.name}": {"admit": "hold"},
                                           "admin": {"listen": f"127.0.0.1:{port}"}})
    registrar.admin_port = port
    with harness.running(masa, registrar):
        site = Site(place, acme, domain, masa, registrar)
        path = place / "many.csv"
        path.write_text("manufacturer,serial\n" + "".join(f"Acme,LOT-{i:05}\n" for i in range(MANY)))
        registrar.ctl("claims", "import", path, "-o", "json")
        yield site


def request(here, method, path, body=None, headers=None):
    """Status, headers and JSON of an answer on the socket."""
    connection = http.client.HTTPConnection("localhost", timeout=30)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(here.registrar.socket))
    with contextlib.closing(connection):
        connection.request(method, "/api/v1/" + path, json.dumps(body) if body is not None else None,
                           dict({"Content-Type": "application/json"} if body is not None else {},
                                **(headers or {})))
        reply = connection.getresponse()
        text = reply.read().decode()
        return reply.status, reply.headers, json.loads(text) if reply.headers.get_content_subtype().endswith("json") and "nd" not in reply.headers.get_content_subtype() else text


def listed(here, query):
    """All items of a list, page by page; none is there twice and all are in order."""
    items, after = [], None
    while True:
        status, _, page = request(here, "GET", query + (f"&after={after}" if after else ""))
        assert status == 200, page
        items += page["items"]
        after = page["next"]
        if not after:
            break
    numbers = [i["id"] for i in items]
    assert numbers == sorted(set(numbers))
    return items


def pending(here, count):
    """Claims of devices that have asked: made in the store of a stopped registrar would be simpler,
    but a claim is what a request makes of it; so these really ask."""
    devices = [here.device() for _ in range(count)]
    for device in devices:
        with here.peer(device) as peer:
            assert peer.request_voucher().status == 202
    return devices


def claim_of(here, serial):
    status, headers, claim = request(here, "GET", f"claims/{serial}")
    assert status == 200, claim
    return claim, headers["ETag"]


# -- lists

def test_a_list_has_what_the_match_says(here):
    assert len(listed(here, "claims?match=serial=LOT-000*")) == 100
    assert [c["serial"] for c in listed(here, "claims?match=serial=LOT-00042")] == ["LOT-00042"]
    assert len(listed(here, "claims?match=serial=LOT-*,manufacturer=Acme&limit=1000")) == MANY
    assert listed(here, "claims?match=serial=LOT-000*,manufacturer=Nobody") == []
    assert listed(here, "claims?match=serial=LOT-000*&state=pending") == []
    assert len(listed(here, "claims?match=serial=LOT-000*&state=preapproved&limit=7")) == 100
    assert listed(here, "devices?match=serial=LOT-*") == []


def test_counting_says_how_many(here):
    status, _, page = request(here, "GET", "claims?match=serial=LOT-01*&count=true")
    assert (status, page) == (200, {"items": [], "count": 1000, "next": None})


@pytest.mark.parametrize("query,sentence", [
    ("match=colour=red", "a key is manufacturer, model, serial"),
    ("match=serial=A*B", "a '*' stands at the end"),
    ("state=active", "a claim's state is pending"),
    ("match=state=pending&state=pending", "twice"),
    ("count=yes", ""), ("limit=0", ""), ("match=", "KEY=VALUE"),
])
def test_what_is_no_match_is_refused_with_a_sentence(here, query, sentence):
    status, _, problem = request(here, "GET", "claims?" + query)
    assert status == 400 and sentence in problem["detail"]


def test_one_claim_has_an_etag_and_what_is_needed_to_decide(here):
    device, = pending(here, 1)
    claim, tag = claim_of(here, device.serial)
    assert tag == f'"{claim["revision"]}"'
    assert claim["claim"] == "pending" and claim["address"] == "127.0.0.1" and claim["waiting_s"] >= 0
    assert {"model", "site", "labels", "history", "history_reason", "approvals"} <= set(claim)
    assert claim_of(here, claim["id"])[0]["serial"] == device.serial
    assert request(here, "GET", "claims/NOBODY")[0] == 404


# -- many at once

def test_four_hundred_are_approved_after_a_preview(here):
    match = "serial=LOT-02*,state=preapproved"
    status, _, page = request(here, "GET", f"claims?match={match}&count=true")
    assert page["count"] == 1000
    match = "serial=LOT-022*,state=preapproved"
    body = {"match": match, "expected": 100, "reason": "not these"}
    status, _, answer = request(here, "POST", "claims/reject", body)
    assert (status, answer["changed"], answer["failed"]) == (200, 100, 0), answer
    assert {i["result"] for i in answer["items"]} == {"rejected"}
    assert len(listed(here, "claims?match=serial=LOT-022*,state=rejected")) == 100
    body = {"match": "serial=LOT-022*,state=rejected", "expected": 100}
    status, _, answer = request(here, "POST", "claims/approve", body)
    assert (status, answer["changed"]) == (200, 100), answer


def test_a_count_that_changed_is_409_and_nothing_is_done(here):
    body = {"match": "serial=LOT-023*,state=preapproved", "expected": 99}
    status, _, problem = request(here, "POST", "claims/reject", body)
    assert (status, problem["code"]) == (409, "count-changed")
    assert problem["detail"] == "100 claims match by now, not 99; nothing was changed."
    assert len(listed(here, "claims?match=serial=LOT-023*,state=preapproved")) == 100


def test_a_match_without_a_state_means_those_that_wait(here):
    devices = pending(here, 2)
    serials = sorted(d.serial for d in devices)
    prefix = serials[0][:4]
    waiting = [c for c in listed(here, f"claims?match=serial={prefix}*&state=pending")]
    body = {"match": f"serial={prefix}*", "expected": len(waiting)}
    status, _, answer = request(here, "POST", "claims/approve", body)
    assert (status, answer["changed"]) == (200, len(waiting))
    with here.peer(devices[0]) as peer:
        assert peer.request_voucher().status == 200


def test_ids_are_done_or_not_one_by_one(here):
    device, = pending(here, 1)
    body = {"ids": [device.serial, "NOBODY", 999999, "LOT-00001", device.serial], "reason": "by list"}
    status, _, answer = request(here, "POST", "claims/approve", body)
    assert status == 200
    assert [i["result"] for i in answer["items"]] == ["approved", "not-found", "not-found", "unchanged",
                                                      "unchanged"]
    assert (answer["changed"], answer["failed"]) == (1, 2)


@pytest.mark.parametrize("body,sentence", [
    ({}, "Say which claims"), ({"ids": []}, "ids is a list"), ({"ids": "x"}, "ids is a list"),
    ({"ids": [0]}, "An id is"), ({"ids": [1], "all": True}, "Say which"), ({"match": "serial=X"}, "expected"),
    ({"match": "serial=X", "expected": "1"}, "expected"), ({"ids": [1], "site": "eu"}, "A site is"),
    ({"ids": [1], "labels": {"A b": "x"}}, "A label is"), ({"ids": [1], "labels": []}, "Labels are"),
    ({"ids": list(range(1, 10002))}, "More than 10000 ids"),
])
def test_a_bulk_that_says_nothing_is_refused(here, body, sentence):
    status, _, problem = request(here, "POST", "claims/approve", body)
    assert status in (400, 413) and sentence in problem["detail"], problem


def test_an_approval_puts_the_device_in_its_place(here):
    device, = pending(here, 1)
    body = {"site": "/eu/de", "labels": {"rack": "4"}}
    status, _, problem = request(here, "POST", f"claims/{device.serial}/approve", body)
    assert (status, problem["code"]) == (400, "no-such-site") and "sites add" in problem["detail"]
    assert claim_of(here, device.serial)[0]["claim"] == "pending"
    here.registrar.ctl("sites", "add", "/eu/de")
    assert request(here, "POST", f"claims/{device.serial}/approve", body)[0] == 200
    claim, _ = claim_of(here, device.serial)
    assert (claim["site"], claim["labels"]) == ("/eu/de", {"rack": "4"})
    for match in ("site=/eu", "site=/eu/de", "label.rack=4", "from=127.0.0.0/8,site=/eu"):
        assert device.serial in [c["serial"] for c in listed(here, "claims?match=" + match)]
    for match in ("site=/e", "label.rack=5", "from=10.0.0.0/8,site=/eu"):
        assert [c["serial"] for c in listed(here, "claims?match=" + match)] == []


# -- jobs

def job_end(here, job):
    def ended():
        status, _, shown = request(here, "GET", f"jobs/{job}")
        return shown if status == 200 and shown["state"] != "running" else None
    return harness.wait_until(ended, f"the end of job {job}")


def test_more_than_a_thousand_become_a_job_with_progress(here):
    everything = "serial=LOT-01*,state=preapproved"
    body = {"match": "serial=LOT-*,state=preapproved", "expected": 0}
    body["expected"] = len(listed(here, f"claims?match={body['match']}&limit=1000"))
    status, headers, answer = request(here, "POST", "claims/reject", body)
    assert status == 202 and headers["Location"] == f"/api/v1/jobs/{answer['id']}", answer
    job = job_end(here, answer["id"])
    assert (job["state"], job["done"], job["failed"]) == ("finished", body["expected"], 0)
    assert listed(here, f"claims?match={everything}") == []
    lines = stores.query(here.registrar.directory, "registrar",
                         "SELECT outcome, reason FROM journal WHERE step = 'job' ORDER BY id DESC LIMIT 2")
    assert [o for o, _ in lines] == ["finished", "begun"] and all(f"job {answer['id']}: reject" in r for _, r in lines)
    # and back, as rejecting does not undo itself
    body["match"] = "serial=LOT-*,state=rejected"
    assert job_end(here, request(here, "POST", "claims/approve", body)[2]["id"])["state"] == "finished"
    assert request(here, "GET", "jobs")[2]["items"][0]["id"] == answer["id"] + 1
    assert request(here, "GET", "jobs/4711")[0] == 404


# -- two administrators

def test_the_same_decision_twice_is_no_change(here):
    device, = pending(here, 1)
    assert request(here, "POST", f"claims/{device.serial}/approve", {})[2]["changed"] == 1
    status, _, again = request(here, "POST", f"claims/{device.serial}/approve", {})
    assert (status, again["changed"], again["result"]) == (200, 0, "unchanged")
    assert again["detail"].startswith("Approved by unix:uid=") and "nothing was changed" in again["detail"]


def test_who_decides_against_somebody_else_is_told(here):
    device, = pending(here, 1)
    _, tag = claim_of(here, device.serial)
    assert request(here, "POST", f"claims/{device.serial}/approve", {}, {"If-Match": tag})[0] == 200
    status, _, problem = request(here, "POST", f"claims/{device.serial}/reject", {}, {"If-Match": tag})
    assert (status, problem["code"]) == (409, "already-decided")
    assert problem["detail"].startswith("Approved by unix:uid=")
    _, tag = claim_of(here, device.serial)
    assert request(here, "POST", f"claims/{device.serial}/reject", {}, {"If-Match": tag})[0] == 200
    assert request(here, "POST", f"claims/{device.serial}/approve", {"revision": 1})[0] == 409
    assert request(here, "POST", f"claims/{device.serial}/approve", {"change": True})[0] == 200


def test_a_revision_that_is_old_is_412(here):
    device, = pending(here, 1)
    claim, _ = claim_of(here, device.serial)
    for headers in ({"If-Match": '"99"'}, None):
        status, _, problem = request(here, "POST", f"claims/{device.serial}/approve",
                                     {} if headers else {"revision": claim["revision"] + 1}, headers)
        assert (status, problem["code"]) == (412, "stale")
    assert request(here, "POST", f"claims/{device.serial}/approve", {}, {"If-Match": "x"})[0] == 412
    assert claim_of(here, device.serial)[0]["claim"] == "pending"


# -- registrarctl

def ctl(here, *arguments, stdin=None):
    """Exit code, output and what was said."""
    argv = [harness.program("registrarctl"), "-s", str(here.registrar.socket), "claims", *map(str, arguments)]
    done = subprocess.run(argv, input=stdin or "", capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_ctl_list_knows_match_and_shorthands(here):
    code, out, _ = ctl(here, "list", "--match", "serial=LOT-000*", "-o", "csv")
    assert code == 0 and len(out.splitlines()) == 101
    assert ctl(here, "list", "--serial", "LOT-000*", "--manufacturer", "Acme", "-o", "csv")[1] == out
    code, _, said = ctl(here, "list", "--match", "nothing")
    assert code == 1 and 'a condition is KEY=VALUE: "nothing"' in said


def test_ctl_asks_before_it_touches_several(here):
    which = ("reject", "--match", "serial=LOT-0280*,state=approved", "--note", "late")
    which = tuple(w.replace("approved", state_of(here, "LOT-02800")) for w in which)
    code, _, said = ctl(here, *which)
    assert code == 2 and "reject 10 claims: no terminal to ask on; say --yes" in said
    code, out, said = ctl(here, *which, "--dry-run", "-o", "ids")
    assert code == 0 and len(out.split()) == 10 and "nothing was changed" in said
    code, out, said = at_terminal(here.registrar, "n\n", "claims", *which)
    assert code == 1 and "LOT-02805" in out and "reject 10 claims? [y/N]" in said
    assert listed(here, "claims?match=serial=LOT-0280*,state=rejected") == []
    assert at_terminal(here.registrar, "y\n", "claims", *which)[0] == 0
    claims = listed(here, "claims?match=serial=LOT-0280*,state=rejected")
    assert len(claims) == 10 and {c["reason"] for c in claims} == {"late"}


def state_of(here, serial):
    return claim_of(here, serial)[0]["claim"]


def test_ctl_takes_what_it_lists(here):
    before = state_of(here, "LOT-02810")
    _, ids, _ = ctl(here, "list", "--serial", "LOT-0281*", "-o", "ids")
    code, out, said = ctl(here, "reject", "-f", "-", "--yes", "-o", "json", stdin=ids)
    assert code == 0 and before != "rejected", said
    assert [(i["serial"], i["result"]) for i in json.loads(out)] == [(f"LOT-0281{n}", "rejected") for n in range(10)]
    code, out, said = ctl(here, "reject", "LOT-02810", "NOBODY", "--yes")
    assert code == 4 and "0 of 2 changed, 1 failed" in said
    assert ctl(here, "approve", "NOBODY", "NEITHER", "--yes")[0] == 3
    assert ctl(here, "approve", "NOBODY")[0] == 3
    assert ctl(here, "approve", "--match", "serial=NOBODY*", "--yes")[0] == 3
    assert ctl(here, "approve", "-f", "-", stdin="\n")[0] == 3
    assert ctl(here, "approve", "X", "--match", "serial=X")[0] == 2


def test_ctl_follows_a_job_to_its_end(here):
    state = state_of(here, "LOT-00001")
    match = f"serial=LOT-*,state={state}"
    count = len(listed(here, f"claims?match={match}&limit=1000"))
    assert count > 1000
    verb = "approve" if state == "rejected" else "reject"
    code, _, said = ctl(here, verb, "--match", match, "--yes")
    assert code == 0 and f"finished: {count} of {count} done, 0 failed" in said
    jobs = json.loads(here.registrar.ctl("jobs", "list", "-o", "json").stdout)
    assert (jobs[0]["kind"], jobs[0]["state"], jobs[0]["done"]) == (verb, "finished", count)
    assert match in here.registrar.ctl("jobs", "show", str(jobs[0]["id"])).stdout
    assert here.registrar.ctl("jobs", "show", "4711", check=None).returncode == 3


def test_an_export_is_a_list_again(here, cell):
    code, out, _ = ctl(here, "export", "--serial", "LOT-0001*")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0 and [r["serial"] for r in rows] == [f"LOT-0001{n}" for n in range(10)]
    path = cell / "export.csv"
    path.write_text(out)
    done = subprocess.run([harness.program("registrarctl"), "-s", str(here.registrar.socket), "claims", "import",
                           path, "--dry-run", "-o", "json"], capture_output=True, text=True, timeout=60)
    assert len(json.loads(done.stdout)) == 10, done.stderr
    status, headers, text = request(here, "GET", "claims/export?match=serial=LOT-0001*&format=ndjson&limit=4")
    assert status == 200 and len(text.splitlines()) == 4 and headers["X-Next"]
    status, headers, text = request(here, "GET", "claims/export?match=serial=LOT-0001*&limit=100")
    assert text.replace("\r", "") == out.replace("\r", "") and headers["X-Next"] is None


def test_show_and_watch(here):
    device, = pending(here, 1)
    assert json.loads(ctl(here, "show", device.serial, "-o", "json")[1])["claim"] == "pending"
    code, out, said = ctl(here, "watch", device.serial, "--seconds", "0")
    assert code == 1 and "claim pending" in out
    ctl(here, "reject", device.serial)
    assert ctl(here, "watch", device.serial, "--seconds", "20")[0] == 0
    assert ctl(here, "show", "NOBODY")[0] == 3


def test_what_others_wrote_does_not_drive_the_terminal(here):
    device, = pending(here, 1)
    harmful = "\x1b[2J\u009b2J\u202e\rgone"
    assert Api(here.registrar).post(f"/api/v1/claims/{device.serial}/reject",
                                    {"reason": harmful}).status == 200
    said = [ctl(here, *arguments)[1:] for arguments in (
        ["watch", device.serial], ["show", device.serial], ["list", "--serial", device.serial],
        ["list", "--serial", device.serial, "-o", "csv"], ["show", harmful], ["approve", harmful])]
    for out, complaint in said:
        assert "gone" in out + complaint
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]",
                             (out + complaint).replace("\r\n", "\n")), (out, complaint)


# -- several people

@pytest.fixture(scope="module")
def people(here):
    """Users with tokens: ann and bob approve everywhere, carl only in /us."""
    local = Api(here.registrar)

    def user(name, **grant):
        assert local.post("/api/v1/users", {"name": name, **grant}).status == 200
        token = local.post("/api/v1/tokens", {"name": "t", "user": name}).json["token"]
        return Api(here.registrar, here.registrar.admin_port, {"Authorization": f"Bearer {token}"})
    assert local.post("/api/v1/sites/add", {"path": "/us"}).status == 200
    return {"local": local, "ann": user("ann", role="approver"), "bob": user("bob", role="approver"),
            "carl": user("carl", role="approver", site="/us")}


def test_two_administrators_who_differ_are_told_of_each_other(here, people):
    device, = pending(here, 1)
    path = f"/api/v1/claims/{device.serial}/"
    assert people["ann"].post(path + "approve").status == 200
    reply = people["bob"].post(path + "reject", {"reason": "stolen"})
    assert (reply.status, reply.code) == (409, "already-decided")
    assert reply.json["detail"].startswith("Approved by ann at 20")
    again = people["bob"].post(path + "approve").json
    assert (again["changed"], again["detail"].split(";")[1]) == (0, " nothing was changed.") or "ann" in again["detail"]
    assert people["bob"].post(path + "reject", {"change": True}).status == 200
    many = people["ann"].post("/api/v1/claims/approve", {"ids": [device.serial]}).json
    assert (many["items"][0]["result"], many["failed"]) == ("already-decided", 1)


def test_nobody_approves_alone_into_a_site_with_two_approvers(here, people):
    site = {"path": "/strongroom", "approvers": 2}
    assert people["local"].post("/api/v1/sites/add", site).status == 200
    device, = pending(here, 1)
    path = f"/api/v1/claims/{device.serial}/approve"
    once = people["ann"].post(path, {"site": "/strongroom"}).json
    assert (once["claim"], once["result"]) == ("pending", "approved-once")
    assert people["ann"].post(path, {"site": "/strongroom"}).code == "same-approver"
    assert people["bob"].post(path, {"site": "/strongroom"}).json["claim"] == "approved"
    claim = claim_of(here, device.serial)[0]
    assert (claim["claim"], claim["site"]) == ("approved", "/strongroom")


def test_a_site_with_two_approvers_waits_for_both(here, people):
    for site in ({"path": "/vault", "approvers": 2}, {"path": "/vault/door"}):
        assert people["local"].post("/api/v1/sites/add", site).status == 200
    first, second = pending(here, 2)
    claims = [claim_of(here, d.serial)[0]["id"] for d in (first, second)]
    path = f"/api/v1/devices/{claims[0]}/move"
    for d in (first, second):
        moved = people["local"].post(f"/api/v1/devices/{d.serial}/move", {"site": "/vault/door"})
        assert moved.status == 200, (path, moved.body)
    once = people["ann"].post(f"/api/v1/claims/{first.serial}/approve").json
    assert (once["claim"], once["result"]) == ("pending", "approved-once")
    with here.peer(first) as peer:
        assert peer.request_voucher().status == 202
        reply = people["ann"].post(f"/api/v1/claims/{first.serial}/approve")
        assert (reply.status, reply.code) == (409, "same-approver")
        claim = claim_of(here, first.serial)[0]
        assert claim["claim"] == "pending" and [a["by"] for a in claim["approvals"]] == ["ann"]
        assert people["bob"].post(f"/api/v1/claims/{first.serial}/approve").json["claim"] == "approved"
        assert peer.request_voucher().status == 200
    # many at once, and a list, do not go around it
    body = {"match": "site=/vault", "expected": 1}
    assert people["ann"].post("/api/v1/claims/approve", body).json["items"][0]["result"] == "approved-once"
    reply = people["ann"].post("/api/v1/claims/approve", body)
    assert reply.json["items"][0]["result"] == "same-approver" and reply.json["changed"] == 0
    text = f"manufacturer,serial,site\nAcme,{second.serial},\nAcme,VAULT-1,/vault\n"
    reply = people["local"].request("POST", "/api/v1/claims/import", text, {"Content-Type": "text/csv"})
    assert reply.status == 400 and {r["reason"] for r in reply.json["results"]} == {
        "its site asks for several approvers: a list is one"}
    assert claim_of(here, second.serial)[0]["claim"] == "pending"
    steps = [e["outcome"] for e in json.loads(here.registrar.ctl("devices", "show", first.serial, "-o", "json").stdout)["journal"]
             if e["step"] == "claim"]
    assert "approved-once" in steps and "approved" in steps


def test_who_sees_a_part_decides_about_that(here, people):
    here_, there = pending(here, 2)
    assert people["local"].post("/api/v1/sites/add", {"path": "/us/tx"}).status == 200
    assert people["local"].post(f"/api/v1/devices/{there.serial}/move", {"site": "/us/tx"}).status == 200
    carl = people["carl"]
    assert [c["serial"] for c in carl.get("/api/v1/claims?limit=1000").json["items"]] == [there.serial]
    assert carl.get("/api/v1/claims?state=pending&count=true").json["count"] == 1
    assert carl.get(f"/api/v1/claims/{here_.serial}").status == 404
    assert carl.post(f"/api/v1/claims/{here_.serial}/approve").status == 404
    many = carl.post("/api/v1/claims/approve", {"ids": [here_.serial, there.serial]}).json
    assert [i["result"] for i in many["items"]] == ["not-found", "approved"]
    assert carl.post("/api/v1/claims/reject", {"match": "state=approved", "expected": 1}).json["changed"] == 1
    counts = {}
    for state in ("preapproved", "rejected"):  # whichever other tests have made of most of them
        match = f"serial=LOT-*,state={state}"
        counts[len(listed(here, f"claims?match={match}&limit=1000"))] = match
    most = max(counts)
    job = people["ann"].post("/api/v1/claims/approve", {"match": counts[most], "expected": most}).json["job"]
    assert carl.get("/api/v1/jobs").json["items"] == []
    assert carl.get(job).status == 404 and people["ann"].get(job).status == 200
    job_end(here, int(job.rsplit("/", 1)[1]))
    assert claim_of(here, here_.serial)[0]["claim"] == "pending"


# -- the end of the process

@pytest.mark.slow
@pytest.mark.parametrize("how", ["drained", "killed"])
def test_a_job_that_is_interrupted_says_so_and_can_be_begun_again(cell, acme, domain, how):
    """What it did is done, each claim in full with its line; the rest is as it was."""
    count = 30000
    registrar = harness.Registrar(cell / "registrar", domain, [acme])
    path = cell / "many.csv"
    path.write_text("manufacturer,serial\n" + "".join(f"Acme,JOB-{i:05}\n" for i in range(count)))
    with harness.running(registrar):
        registrar.ctl("claims", "import", path, "-o", "json")
        api = Api(registrar)
        body = {"match": "serial=JOB-*,state=preapproved", "expected": count}
        job = api.post("/api/v1/claims/reject", body).json["id"]
        harness.wait_until(lambda: api.get(f"/api/v1/jobs/{job}").json["done"] > 0, "progress")
        if how == "killed":
            registrar.popen.kill()
            registrar.popen.wait()
            registrar.start()
        else:
            registrar.restart()
        shown = api.get(f"/api/v1/jobs/{job}").json
        assert shown["state"] == "interrupted" and 0 < shown["done"] < count, shown
        rejected, lines, ends = (
            stores.query(registrar.directory, "registrar", sql) for sql in (
                "SELECT count(*) FROM device WHERE claim = 3",
                "SELECT count(*) FROM journal WHERE step = 'claim' AND outcome = 'rejected'",
                "SELECT outcome FROM journal WHERE step = 'job' ORDER BY id"))
        (rejected,), (lines,) = rejected[0], lines[0]
        assert rejected == lines == shown["done"]
        assert ends == [("begun",), ("interrupted",)]
        assert api.post("/api/v1/claims/reject", body).code == "count-changed"
        done = registrar.ctl("claims", "reject", "--match", body["match"], "--yes")
        assert f"{count - rejected} of {count - rejected} done, 0 failed" in done.stderr
        assert registrar.ctl("audit", "verify", check=0)
