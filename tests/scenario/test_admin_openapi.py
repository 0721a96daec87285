# SPDX-License-Identifier: Apache-2.0
"""A day of a site, each answer held against the description of the administrators' side."""
import jsonschema
import pytest

import harness
from openapi import FILE, CheckedApi, Description
from places import Site

API = "/api/v1/"


@pytest.fixture(scope="module")
def here(place, acme, domain):
    masa = harness.Masa(place / "masa", acme)
    port = harness.free_port()
    registrar = harness.Registrar(place / "registrar", domain, [acme],
                                  changes={"admin": {"listen": f"127.0.0.1:{port}"},
                                           f"manufacturer {acme.name}": {"admit": "hold"}})
    registrar.admin_port = port
    with harness.running(masa, registrar):
        yield Site(place, acme, domain, masa, registrar)


@pytest.fixture(scope="module")
def api(here):
    return CheckedApi(here.registrar)


def ask(here, device):
    with here.peer(device) as peer:
        return peer.request_voucher().status


# -- the file itself

def test_the_daemon_serves_the_file(api):
    assert api.get(API + "openapi.json").body == FILE.read_bytes()


def test_the_file_is_in_order():
    d = Description()
    assert d.document["openapi"] == "3.1.0"
    names = [o["operationId"] for o in d.operations.values()]
    assert len(names) == len(set(names))
    for schema in d.document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)

    def references(node):
        if isinstance(node, dict):
            if "$ref" in node:
                d.resolve(node)
            node = node.values()
        for value in node if isinstance(node, (list, type({}.values()))) else ():
            references(value)
    references(d.document)
    for (method, template), operation in d.operations.items():
        assert operation["summary"] and operation["responses"]["default"], template
        given = {d.resolve(p)["name"] for p in operation.get("parameters", [])
                 if d.resolve(p)["in"] == "path"}
        assert given == {part[1:-1] for part in template.split("/") if part.startswith("{")}
        assert ("Idempotency-Key" in {d.resolve(p)["name"] for p in operation.get("parameters", [])}) \
            == (method == "POST" and operation["x-permission"] != "enter")


# -- a day

def test_a_look_around(api):
    for path in ("status", "doctor", "jobs", "session", "users", "tokens", "hooks", "claims", "devices", "rules", "sites", "events", "audit",
                 "audit/heads", "audit/anchors", "backups", "manufacturers", "certificates",
                 "vouchers", "vouchers/ahead", "ca", "statistics"):
        assert api.get(API + path).status == 200, path


def test_claims_and_devices(api, here, cell):
    first, second, third = (here.device() for _ in range(3))
    assert [ask(here, d) for d in (first, second, third)] == [202] * 3
    waiting = api.get(API + "claims?state=pending").json["items"]
    assert len(waiting) == 3
    assert api.post(f"{API}claims/{waiting[0]['id']}/approve", {"reason": "ours"}).status == 200
    assert api.post(f"{API}claims/{waiting[1]['id']}/reject", {"reason": "not ours"}).status == 200
    assert api.post(API + "claims/approve", {"all": True}).status == 200
    fourth = here.device()
    assert ask(here, fourth) == 202
    assert api.post(API + "claims/reject", {"all": True}).status == 200
    assert api.post(API + "claims/4711/approve").code == "not-found"
    assert api.post(API + "claims/approve", {}).code == "input"
    assert api.post(API + "claims/import", f"manufacturer,serial\nAcme,SN-IMPORTED\n",
                    **{"Content-Type": "text/csv"}).status == 200
    bad = api.post(API + "claims/import", "manufacturer,serial\nNobody,\n",
                   **{"Content-Type": "text/csv"})
    assert bad.status == 400 and bad.json["results"]
    assert api.post(API + "claims/import", "x", **{"Content-Type": "image/png"}).status == 415
    assert api.get(API + "claims/export").body.count(b"\n") >= 5
    assert api.get(API + "claims/export?format=ndjson&match=state=approved").status == 200
    assert api.get(API + "claims?count=true").json["count"] == 5
    one = api.get(f"{API}claims/{waiting[0]['id']}")
    stale = api.post(f"{API}claims/{waiting[0]['id']}/reject", {"change": True}, **{"If-Match": '"0"'})
    assert one.headers["ETag"] and (stale.status, stale.code) == (412, "stale")
    many = api.post(API + "claims/approve", {"match": "serial=SN-*", "expected": 4711})
    assert (many.status, many.code) == (409, "count-changed")
    assert here.pledge(first).join().returncode == 0
    for path in ("devices", "devices?limit=1", f"devices/{first.serial}", f"doctor/{first.serial}",
                 f"devices/{first.serial}/history", "devices/find?text=TEST&anywhere=true",
                 "devices?match=manufacturer=Acme&count=true",
                 "certificates", "certificates?expiring=400d", "vouchers", "statistics", "status",
                 "manufacturers", "events?type=brski.device.*", "audit?limit=3"):
        assert api.get(API + path).status == 200, path
    assert api.get(API + "devices/none").code == "unknown-device"
    at = f"{API}devices/{first.serial}/"
    api.post(API + "sites/add", {"path": "/eu/berlin"})
    assert api.post(at + "move", {"site": "/eu/berlin"}).json["site"] == "/eu/berlin"
    assert api.post(at + "label", {"set": {"rack": "4"}}).json["labels"] == {"rack": "4"}
    assert api.post(at + "quarantine", {"reason": "odd"}).json["state"] == "quarantined"
    assert api.post(at + "release").json["state"] == "active"
    assert api.post(at + "replace", {"with": "SN-IMPORTED"}).json["state"] == "replaced"
    assert api.post(at + "revoke", {"reason": "stolen"}).status in (200, 409)
    assert api.post(at + "move", {"site": "not a path"}).code == "input"
    for verb in ("revoke", "decommission"):
        device = here.device()
        assert ask(here, device) == 202
        assert api.post(f"{API}claims/{device.serial}/approve").status == 200
        assert here.pledge(device).join().returncode == 0
        gone = api.post(f"{API}devices/{device.serial}/{verb}", {"reason": "x"})
        assert gone.status == 200 and gone.headers["ETag"]


def test_rules_and_sites(api):
    rule = api.post(API + "rules", {"action": "approve", "serial": "A-*", "remaining": 5}).json
    api.post(API + "rules", {"action": "hold", "reason": "look first"})
    assert api.get(API + "rules").json["items"]
    assert api.get(API + "rules/test?serial=A-1").json["answer"] == "joins"
    for verb, body in (("move", {"position": 2}), ("disable", {}), ("enable", {})):
        assert api.post(f"{API}rules/{rule['id']}/{verb}", body).status == 200
    assert api.post(f"{API}rules/{rule['id']}/remove").status == 200
    assert api.post(API + "rules", {"action": "perhaps"}).code == "input"
    site = api.post(API + "sites/add", {"path": "/eu/paris", "name": "Paris"})
    etag = site.headers["ETag"]
    assert api.post(API + "sites/set", {"path": "/eu/paris", "note": "x"}, **{"If-Match": etag}).status == 200
    stale = api.post(API + "sites/set", {"path": "/eu/paris", "note": "y"}, **{"If-Match": etag})
    assert (stale.status, stale.code) == (412, "stale")
    assert api.get(API + "sites").json["items"]
    assert api.post(API + "sites/remove", {"path": "/eu/paris"}).status == 200


def test_a_job(api):
    rows = "".join(f"Acme,JOB-{n}\n" for n in range(1001))
    assert api.post(API + "claims/import", "manufacturer,serial\n" + rows,
                    **{"Content-Type": "text/csv"}).status == 200
    begun = api.post(API + "claims/reject", {"match": "serial=JOB-*,state=preapproved",
                                             "expected": 1001})
    assert begun.status == 202
    harness.wait_until(lambda: api.get(begun.json["job"]).json["state"] == "finished", "the job is done")
    assert api.get(API + "jobs").json["items"][0]["done"] == 1001


def test_users_and_tokens(here, api, cell):
    code = api.post(API + "users", {"name": "ada", "role": "viewer"}).json["code"]
    assert api.get(API + "users/ada").json["grants"]
    api.post(API + "sites/add", {"path": "/eu"})
    assert api.post(API + "users/ada/grant", {"role": "approver", "site": "/eu"}).status == 200
    assert api.post(API + "users/ada/grant", {"role": "approver", "site": "/no"}).code == "no-such-site"
    assert api.post(API + "users/ada/ungrant", {"role": "approver", "site": "/eu"}).status == 200
    assert api.post(API + "users/ada/disable").status == 200
    assert api.post(API + "users/ada/enable").status == 200
    code = api.post(API + "users/ada/code").json["code"]
    pem = (here.domain.registrar_dir / "registrar.crt").read_text().split("-----END CERTIFICATE-----")[0]
    pem += "-----END CERTIFICATE-----\n"
    for more in ({}, {"remove": True}):
        assert api.post(API + "users/ada/certificate", {"certificate": pem, **more}).status == 200
    web = CheckedApi(here.registrar, here.registrar.admin_port)
    first, second = "correct horse battery", "battery horse correct"
    assert web.post(API + "session", {"user": "ada", "password": "wrong"}).status == 401
    entered = web.post(API + "session", {"user": "ada", "code": code, "new_password": first})
    assert entered.status == 200
    web.headers = {"Cookie": entered.headers["Set-Cookie"].split(";")[0],
                   "X-CSRF-Token": entered.json["csrf"], "Sec-Fetch-Site": "same-origin"}
    assert web.get(API + "session").json["user"] == "ada"
    assert web.get(API + "users").code == "not-allowed"
    token = web.post(API + "tokens", {"name": "script"}).json["token"]
    assert web.post(API + "users/ada/password", {"password": first, "new_password": second}).status == 200
    program = CheckedApi(here.registrar, here.registrar.admin_port,
                         {"Authorization": f"Bearer {token}"})
    assert program.get(API + "claims").status == 200
    mine = web.get(API + "tokens").json["items"]
    assert web.post(f"{API}tokens/{mine[0]['id']}/remove").status == 200
    assert program.get(API + "claims").code == "not-logged-in"
    assert web.request("DELETE", API + "session").status == 204
    assert api.post(API + "users/ada/remove").status == 200
    api.done |= web.done | program.done


def test_hooks(api):
    hook = api.post(API + "hooks", {"url": f"https://127.0.0.1:{harness.free_port()}/", "types": "brski.*"})
    at = f"{API}hooks/{hook.json['id']}"
    assert hook.json["secret"] and api.get(API + "hooks").json["items"]
    assert api.post(at + "/test").json["taken"] is False
    assert api.get(at + "/dead").json["items"] == []
    for verb in ("dead/retry", "dead/drop"):
        assert api.post(f"{at}/{verb}", {"all": True}).status == 409  # there are none
    for verb in ("disable", "enable", "remove"):
        assert api.post(f"{at}/{verb}").status == 200


def test_vouchers_ahead(api, here):
    """This MASA gives none: the job says so of each."""
    order = {"serials": [here.device().serial], "manufacturer": here.manufacturer.name,
             "masa_url": here.masa_url}
    begun = api.post(API + "vouchers/ahead/fetch", order)
    assert begun.status == 202
    harness.wait_until(lambda: api.get(begun.json["job"]).json["state"] == "finished", "it ends")
    assert api.get(begun.json["job"]).json["failed"] == 1
    for wrong in ({}, {"serials": ["A"], "match": "state=pending"}, {"serials": [1]},
                  {"serials": ["A"], "manufacturer": "nobody"},
                  {"serials": ["A"], "manufacturer": here.manufacturer.name, "masa_url": "::"}):
        assert api.post(API + "vouchers/ahead/fetch", wrong).status == 400, wrong
    assert api.post(API + "vouchers/ahead/none/drop", {}).code == "not-found"


def test_the_system(api, here, cell):
    assert api.post(API + "audit/seal", {}).status == 200
    assert api.get(API + "audit/heads").json["items"]
    assert api.post(API + "backups", {"path": str(cell / "copy.db")}).status == 200
    harness.wait_until(lambda: api.get(API + "backups").json["state"] == "done", "the backup is made")
    assert api.post(API + "reload", {}).status == 200
    assert api.post(API + "ca/switch", {"to": "primary"}).json["changed"] is False
    assert api.post(API + "ca/switch", {"to": "standby"}).status == 409  # there is none
    assert api.post(API + "ca/switch", {"to": "other"}).status == 400


def test_every_operation_was_tried(api):
    """Behind all others: nothing is described that nobody has seen work."""
    elsewhere = {("POST", API + path) for path in ("hooks/{id}/dead/retry", "hooks/{id}/dead/drop",
                                                   "devices/{id}/clear",
                                                   "vouchers/ahead/{id}/drop")}
    assert set(api.description.operations) - api.done - elsewhere == set()
