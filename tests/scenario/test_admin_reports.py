# SPDX-License-Identifier: Apache-2.0
"""Manufacturers, certificates, vouchers, statistics: what there is to look at."""
import datetime
import json
import re

import pytest

import harness
import stores
from admin_api import Api
from places import Site

API = "/api/v1/"


@pytest.fixture(scope="module")
def here(place, acme, stranger, domain):
    masa = harness.Masa(place / "masa", acme)
    registrar = harness.Registrar(
        place / "registrar", domain, [acme, stranger],
        changes={"ca": {"ldevid_days": 20},
                 f"manufacturer {stranger.name}": {"admit": "hold",
                                                   "masa_url": "https://127.0.0.1:1/"}})
    with harness.running(masa, registrar):
        yield Site(place, acme, domain, masa, registrar)


@pytest.fixture(scope="module")
def joined(here):
    """Three devices that have joined, one after the other."""
    devices = [here.device() for _ in range(3)]
    for device in devices:
        assert here.pledge(device).join().returncode == 0
    return devices


@pytest.fixture
def api(here):
    return Api(here.registrar)


def pages(api, path, limit):
    """All items of a list in pages of so many."""
    items, after = [], ""
    while after is not None:
        page = api.get(f"{path}{'&' if '?' in path else '?'}limit={limit}{after}").json
        assert len(page["items"]) <= limit
        items += page["items"]
        after = page["next"] and f"&after={page['next']}"
    return items


def test_manufacturers_are_those_of_the_configuration(api, here, joined, acme, stranger):
    items = {m["name"]: m for m in api.get(API + "manufacturers").json["items"]}
    assert set(items) == {acme.name, stranger.name}
    mine = items[acme.name]
    assert (mine["admit"], mine["masa_url"], mine["masa_up"]) == ("all", None, True)
    assert mine["devices"] >= 3 and mine["devices_more"] is False and mine["pending"] == 0
    shown = harness.run("openssl", "x509", "-in", acme.anchors, "-noout", "-fingerprint", "-sha256")
    digest = shown.stdout.strip().split("=")[1].replace(":", "").lower()
    assert [a["sha256"] for a in mine["anchors"]] == [digest]
    assert acme.name in mine["anchors"][0]["subject"]
    assert mine["anchors"][0]["not_after"] is None  # without an end
    other = items[stranger.name]
    assert (other["admit"], other["masa_up"]) == ("hold", None)
    assert other["masa_url"] == "https://127.0.0.1:1/" and other["devices"] == 0


def test_a_manufacturer_nobody_has_configured_is_told(api, here, place):
    third = harness.Manufacturer(place / "third", "Third")
    device = here.device(manufacturer=third, known=False)
    for _ in range(2):
        with here.peer(device) as peer:
            assert peer.request_voucher().status == 403
    unknown = api.get(API + "manufacturers").json["unknown"]
    assert len(unknown) == 1 and unknown[0]["count"] == 2
    assert third.name in unknown[0]["issuer"] and device.serial in unknown[0]["subject"]
    assert unknown[0]["address"].startswith("127.0.0.1:")


def test_claims_that_wait_are_counted_by_manufacturer(api, here, stranger):
    device = here.device(manufacturer=stranger, known=False)
    with here.peer(device) as peer:
        assert peer.request_voucher().status == 202
    items = {m["name"]: m for m in api.get(API + "manufacturers").json["items"]}
    assert items[stranger.name]["pending"] == 1 == items[stranger.name]["devices"]


@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_certificates_come_in_the_order_of_their_end(api, joined, limit):
    items = pages(api, API + "certificates", limit)
    assert {d.serial for d in joined} <= {c["device_serial"] for c in items}
    assert len({c["sha256"] for c in items}) == len(items)
    places = [(c["not_after"], c["sha256"]) for c in items]
    assert places == sorted(places)
    mine = [c for c in items if c["device_serial"] == joined[0].serial]
    assert len(mine) == 1 and mine[0]["current"] is True and mine[0]["revoked"] is None
    assert joined[0].serial in mine[0]["subject"] and re.fullmatch("[0-9a-fA-F]+", mine[0]["serial"])
    assert mine[0]["device_id"] in {v["device_id"] for v in pages(api, API + "vouchers", 1000)}


def test_certificates_that_end_soon_are_those_in_service(api, here, joined):
    soon = {c["device_serial"] for c in pages(api, API + "certificates?expiring=21d", 2)}
    assert {d.serial for d in joined} <= soon
    assert pages(api, API + "certificates?expiring=19d", 2) == []
    gone = here.device()
    assert here.pledge(gone).join().returncode == 0
    assert gone.serial in {c["device_serial"] for c in pages(api, API + "certificates?expiring=21d", 9)}
    assert api.post(f"{API}devices/{gone.serial}/revoke", {}).status == 200
    assert gone.serial not in {c["device_serial"]
                               for c in pages(api, API + "certificates?expiring=21d", 9)}
    listed = [c for c in pages(api, API + "certificates", 9) if c["device_serial"] == gone.serial]
    assert listed[0]["revoked"] and listed[0]["current"] is False


@pytest.mark.parametrize("query", ["expiring=soon", "expiring=0d", "expiring=99999d", "expiring=",
                                   "after=1", "after=x-y", "after=", "after=1-" + "0" * 63 + "g",
                                   "limit=1001", "limit=0"])
def test_a_question_that_makes_no_sense_is_refused(api, query):
    assert api.get(f"{API}certificates?{query}").code == "input"


def test_vouchers_are_listed_by_device(api, joined):
    items = pages(api, API + "vouchers", 2)
    mine = [v for v in items if v["device_serial"] == joined[0].serial]
    assert len(mine) == 1 and mine[0]["type"] == "application/voucher-cms+json" and mine[0]["issued"]
    ids = [v["device_id"] for v in items]
    assert ids == sorted(set(ids))


def test_statistics_follow_what_happens(api, here, joined):
    before = api.get(API + "statistics").json
    device = here.device()
    assert here.pledge(device).join().returncode == 0
    unknown = here.device(known=False)
    with here.peer(unknown) as peer:
        refused = peer.request_voucher().status
    assert refused >= 400

    def failures(statistics):
        return sum(f["count"] for f in statistics["failures"])
    harness.wait_until(lambda: failures(api.get(API + "statistics").json) == failures(before) + 1,
                       "the failure is counted")
    now = api.get(API + "statistics").json
    assert now["joined_today"] == before["joined_today"] + 1
    assert sum(j["count"] for j in now["joins_per_hour"]) == now["joined_today"]
    assert all(f["step"] and f["reason"] for f in now["failures"])
    hour = datetime.datetime.strptime(now["joins_per_hour"][-1]["hour"], "%Y-%m-%dT%H:%M:%SZ")
    assert (hour.minute, hour.second) == (0, 0)
    day = (datetime.datetime.utcnow() + datetime.timedelta(days=20)).date()
    near = {(day + datetime.timedelta(days=d)).isoformat() for d in (-1, 0, 1)}
    ends = {d["day"]: d["count"] for d in now["expiry_by_day"]}
    assert set(ends) <= near and sum(ends.values()) == now["expiring"]
    assert now["expiring"] == before["expiring"] + 1
    assert api.post(f"{API}devices/{device.serial}/revoke", {}).status == 200
    assert api.get(API + "statistics").json["expiring"] == before["expiring"]


def test_what_people_decide_is_no_failure(api, here, stranger):
    before = api.get(API + "statistics").json["failures"]
    device = here.device(manufacturer=stranger, known=False)
    assert api.post(API + "claims/import", f"manufacturer,serial\n{stranger.name},{device.serial}\n",
                    **{"Content-Type": "text/csv"}).status == 200
    assert api.post(f"{API}claims/{device.serial}/reject", {"change": True}).status == 200
    assert api.get(API + "statistics").json["failures"] == before
    with here.peer(device) as peer:
        assert peer.request_voucher().status == 404

    def refusals():
        return [f for f in api.get(API + "statistics").json["failures"] if f["step"] == "claim"]
    harness.wait_until(refusals, "the refusal is counted")
    assert refusals() == [{"step": "claim", "reason": "unwanted", "count": 1}]


def test_kept_sums_are_those_of_the_rows(here, joined):
    """What triggers have summed up is what counting finds."""
    def rows(sql):
        return stores.query(here.registrar.directory, "registrar", sql)
    days = dict(rows("SELECT day, sum(count) FROM ending GROUP BY 1 HAVING sum(count) > 0"))
    assert days == dict(rows("SELECT not_after / 86400, count(*) FROM device "
                             "WHERE state = 2 AND not_after IS NOT NULL GROUP BY 1"))
    kept = rows("SELECT sum(count) FROM hourly WHERE outcome = 'certificate'")
    assert kept == rows("SELECT count(*) FROM journal WHERE outcome = 'certificate'")


def test_the_command_line_shows_the_same(here, api, joined):
    def rows(*argv):
        return json.loads(here.registrar.ctl(*argv, "-o", "json").stdout)
    assert rows("certificates", "list") == pages(api, API + "certificates", 1000)
    assert {c["device_serial"] for c in rows("certificates", "list", "--expiring", "21d")} \
        >= {d.serial for d in joined}
    assert rows("vouchers", "list") == pages(api, API + "vouchers", 1000)
    assert {m["name"] for m in rows("manufacturers", "list")} >= {here.manufacturer.name}
    assert rows("statistics")["expiry_by_day"]
    assert "Acme" in here.registrar.ctl("manufacturers", "list").stdout
    assert here.registrar.ctl("certificates", "list", "--expiring", "soon", check=1).stderr
