# SPDX-License-Identifier: Apache-2.0
"""Every operation with every role and with none, and what bounds of a role hide. What each needs is
written down here once more, by hand: the test is the second opinion."""
import pytest

import places
from admin_api import Api
from openapi import Description

API = "/api/v1/"
PASSWORD = "correct horse battery staple"

ROLES = {
    "viewer": {"view"},
    "approver": {"view", "decide"},
    "operator": {"view", "decide", "announce", "operate"},
    "auditor": {"view", "audit"},
    "admin": {"view", "decide", "announce", "operate", "audit", "admin"},
    "supplier": {"view", "announce"},
}

NEEDS = {
    "view": """
        GET status, GET doctor, GET doctor/{serial},
        GET claims, GET claims/export, GET claims/{id},
        GET devices, GET devices/find, GET devices/{id}, GET devices/{id}/history,
        GET rules, GET rules/test, GET sites, GET events,
        GET manufacturers, GET certificates, GET vouchers, GET vouchers/ahead, GET ca, GET statistics""",
    "announce": "POST claims/import",
    "decide": """
        POST claims/approve, POST claims/reject, POST claims/{id}/approve, POST claims/{id}/reject,
        GET jobs, GET jobs/{id}""",
    "operate": """
        POST devices/{id}/quarantine, POST devices/{id}/release, POST devices/{id}/revoke,
        POST devices/{id}/decommission, POST devices/{id}/replace, POST devices/{id}/move,
        POST devices/{id}/label, POST devices/{id}/clear,
        POST vouchers/ahead/fetch, POST vouchers/ahead/{id}/drop""",
    "audit": "GET audit, GET audit/heads, GET audit/anchors, POST audit/seal",
    "admin": """
        GET backups, POST backups, POST reload, POST ca/switch,
        POST rules, POST rules/{id}/move, POST rules/{id}/remove, POST rules/{id}/enable,
        POST rules/{id}/disable, POST sites/add, POST sites/set, POST sites/remove,
        GET users, POST users, GET users/{name},
        POST users/{name}/code, POST users/{name}/grant, POST users/{name}/ungrant,
        POST users/{name}/disable, POST users/{name}/enable, POST users/{name}/remove,
        POST users/{name}/certificate,
        GET hooks, POST hooks, POST hooks/{id}/test, POST hooks/{id}/remove, POST hooks/{id}/enable,
        POST hooks/{id}/disable, GET hooks/{id}/dead, POST hooks/{id}/dead/retry,
        POST hooks/{id}/dead/drop""",
    "self": """
        GET session, DELETE session, POST users/{name}/password,
        GET tokens, POST tokens, POST tokens/{id}/remove""",
    "enter": "POST session, GET openapi.json",
}


# about the whole registrar: a role with bounds has no say
EVERYWHERE = """
    GET doctor, GET rules, GET rules/test, POST rules, POST rules/{id}/move, POST rules/{id}/remove,
    POST rules/{id}/enable, POST rules/{id}/disable, GET audit, GET audit/heads, GET audit/anchors, POST audit/seal, GET backups, POST backups,
    POST reload, GET users, POST users, GET users/{name}, POST vouchers/ahead/fetch, POST ca/switch,
    GET hooks, POST hooks, POST hooks/{id}/test, POST hooks/{id}/remove, POST hooks/{id}/enable,
    POST hooks/{id}/disable, GET hooks/{id}/dead, POST hooks/{id}/dead/retry,
    POST hooks/{id}/dead/drop"""


def whole():
    return {(m, API + p) for m, p in (operation.split() for operation in EVERYWHERE.split(","))}


def needs():
    table = {}
    for permission, operations in NEEDS.items():
        for operation in operations.split(","):
            method, path = operation.split()
            table[method, API + path] = permission
    return table


@pytest.fixture(scope="module")
def here(place, acme, stranger, domain):
    with places.site_of_two_makers(place, acme, stranger, domain) as site:
        yield site


@pytest.fixture(scope="module")
def local(here):
    return Api(here.registrar)


@pytest.fixture(scope="module")
def enter(here, local):
    """A user with a role, logged in as a browser is."""
    def make(name, role, **bounds):
        code = local.post(API + "users", {"name": name, "role": role, **bounds}).json["code"]
        api = Api(here.registrar, here.registrar.admin_port)
        session = api.post(API + "session", {"user": name, "code": code, "new_password": PASSWORD})
        assert session.status == 200, session.body
        api.headers = {"Cookie": session.headers["Set-Cookie"].split(";")[0],
                       "X-CSRF-Token": session.json["csrf"], "Sec-Fetch-Site": "same-origin"}
        return api
    return make


def test_the_table_has_every_operation():
    described = {key: o["x-permission"] for key, o in Description().operations.items()}
    assert described == needs()
    assert {key for key, o in Description().operations.items() if "x-everywhere" in o} == whole()
    for operation in Description().operations.values():
        may = [r for r in ROLES if operation["x-permission"] in ROLES[r]]
        assert operation.get("x-roles", []) == may


def ask(api, method, template, name):
    """A request that reaches the operation and, where it is let in, harms nobody."""
    path = template.replace("{name}", name).replace("{id}", "4711").replace("{serial}", "none")
    body = None
    headers = {}
    if method == "POST":
        body, headers = "{}", {"Content-Type": "application/json"}
        if path.endswith("/import"):
            body, headers = "manufacturer,serial\n", {"Content-Type": "text/csv"}
    return api.request(method, path, body, headers)


def try_all(api, name, may, bounded=False):
    """Operations that answer otherwise than the table says."""
    wrong = []
    for (method, template), need in sorted(needs().items(), key=lambda n: n[0] == ("DELETE", API + "session")):
        answer = ask(api, method, template, name)
        if need == "enter":
            right = answer.status != 403 and (answer.status != 401 or template.endswith("session"))
        elif may is None:
            right = answer.status == 401 and answer.code == "not-logged-in"
        elif need == "self" or (need in may and not (bounded and (method, template) in whole())):
            right = answer.status not in (401, 403)
        else:
            right = answer.status == 403 and answer.code == "not-allowed"
        if not right:
            wrong.append((method, template, answer.status, answer.body))
    return wrong


def test_nobody_gets_anywhere(here):
    assert try_all(Api(here.registrar, here.registrar.admin_port), "nobody", None) == []


def test_a_wrong_token_is_nobody(here):
    api = Api(here.registrar, here.registrar.admin_port, {"Authorization": "Bearer " + "a" * 43})
    assert try_all(api, "nobody", None) == []


@pytest.mark.parametrize("role", ROLES)
def test_every_role_may_what_the_table_says(here, enter, role):
    bounds = {"manufacturer": here.manufacturer.name} if role == "supplier" else {}
    assert try_all(enter(role, role, **bounds), role, ROLES[role], bool(bounds)) == []


def test_every_route_is_closed_to_methods_it_does_not_know(local):
    known = needs()
    for template in {template for _, template in known}:
        for method in ("PUT", "PATCH", "DELETE"):
            if (method, template) not in known:
                assert ask(local, method, template, "admin").status in (404, 405), (method, template)


# -- bounds

@pytest.fixture(scope="module")
def bounded(here, local, enter, stranger):
    """Somebody for one manufacturer at one site, and devices inside and outside of that."""
    inside, elsewhere, other = here.device(), here.device(), here.device(manufacturer=stranger, known=False)
    for device in (inside, elsewhere, other):
        with here.peer(device) as peer:
            assert peer.request_voucher().status == 202
    local.post(API + "sites/add", {"path": "/eu"})
    ids = {c["serial"]: c["id"] for c in local.get(API + "claims?limit=1000").json["items"]}
    for device, site in ((inside, "/eu"), (elsewhere, "/")):
        assert local.post(f"{API}claims/{ids[device.serial]}/approve", {"site": site}).status == 200
        assert here.pledge(device).join().returncode == 0
    api = enter("bounded", "operator", site="/eu", manufacturer=here.manufacturer.name)
    return api, inside, elsewhere, other, ids


def serials(api, path, member):
    return {i[member] for i in api.get(API + path).json["items"]}


def test_lists_show_what_is_in_bounds(bounded, local):
    api, inside, elsewhere, other, _ = bounded
    for path, member in (("claims", "serial"), ("devices", "serial"),
                         ("certificates", "device_serial"), ("vouchers", "device_serial")):
        assert serials(api, path, member) == {inside.serial}, path
        assert {inside.serial, elsewhere.serial} <= serials(local, path, member)
    assert inside.serial in api.get(API + "claims/export").body.decode()
    assert elsewhere.serial not in api.get(API + "claims/export").body.decode()
    assert elsewhere.serial not in api.get(API + "events?limit=1000").body.decode()
    heard = api.get(API + "events?limit=1000").json["items"]
    assert {e["subject"] for e in heard} == {f"{inside.manufacturer.name}/{inside.serial}"}
    assert serials(api, "devices/find?text=TEST-", "serial") == {inside.serial}


def test_what_is_out_of_bounds_is_not_there(bounded):
    api, inside, elsewhere, other, ids = bounded
    assert api.get(f"{API}claims/{ids[inside.serial]}").status == 200
    for device in (elsewhere, other):
        for path in (f"claims/{ids[device.serial]}", f"claims/{device.serial}",
                     f"devices/{device.serial}", f"devices/{device.serial}/history",
                     f"doctor/{device.serial}"):
            assert api.get(API + path).status == 404, path
        for path in (f"claims/{ids[device.serial]}/approve", f"claims/{ids[device.serial]}/reject",
                     f"devices/{device.serial}/revoke"):
            assert api.post(API + path, {}).status == 404, path


def test_sums_are_for_who_sees_all_of_them(bounded, local, here):
    api = bounded[0]
    mine = api.get(API + "manufacturers").json["items"]
    assert [m["name"] for m in mine] == [here.manufacturer.name]
    assert "devices" not in mine[0] and "pending" not in mine[0]
    assert api.get(API + "statistics").json["joined_today"] == 0
    assert local.get(API + "statistics").json["joined_today"] == 2


def test_bounds_are_no_way_to_what_concerns_all(bounded, enter, here):
    admin = enter("half-admin", "admin", site="/eu")
    for path, body in (("rules", {"action": "approve"}), ("reload", {}), ("users", {"name": "x", "role": "viewer"}),
                       ("backups", {"path": "/tmp/x"}),
                       ("hooks", {"url": "https://127.0.0.1/"}), ("audit/seal", {})):
        assert admin.post(API + path, body).code == "not-allowed", path
    assert admin.post(API + "sites/add", {"path": "/us"}).code == "not-found"
    assert admin.post(API + "sites/add", {"path": "/eu/paris"}).status == 200
    for path in ("users", "hooks", "audit", "backups"):
        assert admin.get(API + path).code == "not-allowed", path
