# SPDX-License-Identifier: Apache-2.0
"""The tree of sites: what is in it is counted, what is used stays, and nobody overwrites what
somebody else has changed meanwhile."""
import json

import pytest

import admin_api
import harness
from places import Site

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def here(place, acme, domain):
    masa = harness.Masa(place / "masa", acme)
    registrar = harness.Registrar(place / "registrar", domain, [acme],
                                  changes={f"manufacturer {acme.name}": {"admit": "hold"}})
    with harness.running(masa, registrar):
        yield Site(place, acme, domain, masa, registrar)


class Api(admin_api.Api):
    """Answers as (status, value, headers)."""

    def __call__(self, method, path, body=None, **headers):
        reply = self.request(method, path, body,
                             {name.replace("_", "-"): value for name, value in headers.items()})
        return reply.status, reply.json, reply.headers


@pytest.fixture
def api(here):
    return Api(here.registrar)


def sites(here):
    return {s["path"]: s for s in json.loads(here.registrar.ctl("sites", "list", "-o", "json").stdout)}


def ctl(here, *args, check=0):
    return here.registrar.ctl("sites", *args, check=check)


def test_a_new_site__comes_with_those_it_is_in(here):
    assert list(sites(here))[0] == "/"
    ctl(here, "add", "/eu/de/berlin-3", "--name", "Berlin", "--approvers", "2", "--unknown", "reject")
    tree = sites(here)
    assert {"/eu", "/eu/de", "/eu/de/berlin-3"} <= set(tree)
    berlin = tree["/eu/de/berlin-3"]
    assert (berlin["name"], berlin["approvers"], berlin["unknown"]) == ("Berlin", 2, "reject")
    assert (tree["/eu"]["approvers"], tree["/eu"]["unknown"]) == (1, "hold")


@pytest.mark.parametrize("path", ["eu", "/Eu", "/eu/", "/1/2/3/4/5/6/7/8/9", "/a b", "/../x"])
def test_a_path_that_is_none__is_refused(here, path):
    done = ctl(here, "add", path, check=1)
    assert "A site is / or like" in done.stderr
    assert path not in sites(here)


def test_a_second_of_the_same_path__is_a_conflict(here, api):
    ctl(here, "add", "/twice")
    assert api("POST", "/api/v1/sites/add", {"path": "/twice"})[0] == 409


def test_what_is_not_said__stays(here):
    ctl(here, "add", "/stays", "--name", "Old", "--note", "A note")
    ctl(here, "set", "/stays", "--name", "New")
    site = sites(here)["/stays"]
    assert (site["name"], site["note"]) == ("New", "A note")
    ctl(here, "set", "/stays", "--note", "")
    assert sites(here)["/stays"]["note"] is None
    assert "no such site" in ctl(here, "set", "/nowhere", "--name", "x", check=3).stderr.lower()


@pytest.mark.parametrize("wish", [{"approvers": 3}, {"approvers": "2"}, {"unknown": "approve"},
                                  {"name": 1}, {"note": "x" * 201}])
def test_a_wish_that_makes_no_sense__changes_nothing(here, api, wish):
    before = sites(here)["/"]
    assert api("POST", "/api/v1/sites/set", {"path": "/", **wish})[0] == 400
    assert sites(here)["/"] == before


def test_two_administrators_at_once__one_wins(here, api):
    status, made, headers = api("POST", "/api/v1/sites/add", {"path": "/busy"})
    assert status == 200 and headers["ETag"] == '"1"'
    first = api("POST", "/api/v1/sites/set", {"path": "/busy", "name": "A"}, If_Match='"1"')
    assert first[0] == 200 and first[1]["revision"] == 2 and first[2]["ETag"] == '"2"'
    second = api("POST", "/api/v1/sites/set", {"path": "/busy", "name": "B"}, If_Match='"1"')
    assert second[0] == 412
    third = api("POST", "/api/v1/sites/remove", {"path": "/busy"}, If_Match='"1"')
    assert third[0] == 412
    assert sites(here)["/busy"]["name"] == "A"
    assert api("POST", "/api/v1/sites/remove", {"path": "/busy"}, If_Match='"2"')[0] == 200


def test_a_site_with_sites_in_it__stays(here):
    ctl(here, "add", "/full/of/sites")
    assert "sites in it" in ctl(here, "remove", "/full", check=1).stderr
    ctl(here, "remove", "/full/of/sites", "/full/of", "/full")
    assert "/full" not in sites(here)
    assert ctl(here, "remove", "/full", check=3).stderr
    assert "not removed" in ctl(here, "remove", "/", check=1).stderr


def test_a_site_that_rules_or_roles_name__stays(here, api):
    ctl(here, "add", "/named")
    rule = api("POST", "/api/v1/rules", {"action": "hold", "serial": "R-*", "site": "/named"})[1]["id"]
    assert "Rules put devices in it" in ctl(here, "remove", "/named", check=1).stderr
    assert api("POST", "/api/v1/sites/remove", {"path": "/named"})[:2][1]["code"] == "site-in-use"
    here.registrar.ctl("rules", "remove", str(rule))
    here.registrar.ctl("users", "add", "nadja", "--role", "operator", "--site", "/named")
    assert "Roles of users" in ctl(here, "remove", "/named", check=1).stderr
    here.registrar.ctl("users", "ungrant", "nadja", "--role", "operator", "--site", "/named")
    made = api("POST", "/api/v1/tokens",
               {"name": "robot", "user": "nadja", "role": "viewer", "site": "/named"})
    assert made[0] == 200, made
    assert "or tokens are bound to it" in ctl(here, "remove", "/named", check=1).stderr
    tokens = api("GET", "/api/v1/tokens")[1]["items"]
    here.registrar.ctl("tokens", "remove", str(tokens[0]["id"]))
    ctl(here, "remove", "/named")
    assert "/named" not in sites(here)


def test_changes__are_in_the_audit_log(here):
    ctl(here, "add", "/logged")
    ctl(here, "remove", "/logged")
    lines = json.loads(here.registrar.ctl("audit", "list", "--last", "2", "-o", "json").stdout)
    assert [(line["step"], line["outcome"], line["by"]) for line in lines] == [
        ("site", "added", "unix:uid=0"), ("site", "removed", "unix:uid=0")]


def test_lists__come_in_pages(here, api):
    for n in range(5):
        ctl(here, "add", f"/page-{n}")
    seen, after = [], ""
    while after is not None:
        status, page, _ = api("GET", f"/api/v1/sites?limit=2&after={after}")
        assert status == 200 and len(page["items"]) <= 2
        seen += [s["path"] for s in page["items"]]
        after = page["next"]
    assert seen == sorted(sites(here)) and len(set(seen)) == len(seen)
    assert api("GET", "/api/v1/sites?limit=0")[0] == 400
