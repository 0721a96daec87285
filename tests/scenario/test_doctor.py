# SPDX-License-Identifier: Apache-2.0
"""registrarctl doctor: each thing that can be wrong is made wrong once, and it says so."""
import json
import sqlite3

import pytest

import harness
from places import Site

DAY = 86400


@pytest.fixture
def site(cell, acme, domain):
    """The MASA has a clock of its own, the registrar too; its address is configured."""
    masa = harness.Masa(cell / "m", acme)
    registrar = harness.Registrar(cell / "r", domain, [acme], changes={
        f"manufacturer {acme.name}": {"masa_url": f"https://localhost:{masa.port}",
                                      "admit": "hold"}})
    clock = harness.Clock(cell / "clock")
    registrar.env.update(clock.env())
    with harness.running(masa, registrar):
        registrar.wait_log("crl-published")
        place = Site(cell, acme, domain, masa, registrar)
        place.clock = clock
        yield place


def doctor(registrar, check=None):
    done = registrar.ctl("doctor", "-o", "json", check=None)
    rows = {row["check"]: row for row in json.loads(done.stdout)}
    failed = any(row["verdict"] == "fail" for row in rows.values())
    assert done.returncode == (1 if failed else 0), done
    assert all(row["next"] for row in rows.values() if row["verdict"] != "ok")
    return rows[check] if check else rows


def test_a_site_in_order__passes_everything(site):
    rows = doctor(site.registrar)
    assert set(rows) == {"time", "store space", "registrar certificate", "issuing CA",
                         "revocation list", "port for HTTPS", "audit log", "claims", "manufacturers",
                         f"MASA of {site.manufacturer.name}"}
    for check in ("registrar certificate", "issuing CA", "revocation list", "audit log", "claims",
                  f"MASA of {site.manufacturer.name}"):
        assert rows[check]["verdict"] == "ok", rows[check]
    assert "fail" not in {row["verdict"] for row in rows.values()}
    assert rows["port for HTTPS"]["verdict"] == "warn", "nobody else reaches 127.0.0.1"
    assert rows["audit log"]["found"].startswith(("as it was signed, last at 2", "not signed yet"))
    table = site.registrar.ctl("doctor").stdout
    assert table.splitlines()[0].split() == ["CHECK", "VERDICT", "FOUND", "NEXT"]


PLAIN, WEB = "http://registrar.example:8080", "https://registrar.example"


@pytest.mark.parametrize("changes, verdict, word", [
    ({}, None, None),
    ({"crl_url": f"{PLAIN}/issuing.crl", "http_listen": "127.0.0.1:0"}, None, None),
    ({"http_listen": "127.0.0.1:0"}, "warn", "ocsp_url and crl_url"),
    ({"ocsp_url": f"{PLAIN}/ocsp"}, "warn", "http_listen"),
    ({"ocsp_url": PLAIN, "http_listen": "127.0.0.1:0"}, "warn", "/ocsp"),
    ({"ocsp_url": f"{PLAIN}/ocsp/", "http_listen": "127.0.0.1:0"}, "warn", "/ocsp"),
    ({"ocsp_url": f"{PLAIN}/ocsp", "http_listen": "127.0.0.1:0"}, "ok", None),
    ({"ocsp_url": f"{WEB}/site/ocsp"}, "ok", None),
], ids=["nothing", "a list only", "listening only", "not listening", "no path", "a slash more", "plain", "https"])
def test_where_verifiers_are_sent__is_looked_at(cell, domain, acme, changes, verdict, word):
    """Before a year's certificates say what is wrong."""
    registrar = harness.Registrar(cell, domain, [acme], changes={"ca": changes})
    with harness.running(registrar):
        row = doctor(registrar).get("OCSP")
        assert ("port for verifiers" in doctor(registrar)) == ("http_listen" in changes)
    assert (row and row["verdict"]) == verdict, row
    assert not row or changes.get("ocsp_url", "do not say where") in row["found"], row
    assert not word or word in row["next"], row


def test_a_masa_that_is_away__fails(site):
    site.masa.stop()
    row = doctor(site.registrar, f"MASA of {site.manufacturer.name}")
    assert row["verdict"] == "fail" and "masa_url" in row["next"], row


def test_a_masa_under_other_anchors__fails_by_tls(site, stranger, cell, domain, acme):
    registrar = harness.Registrar(cell / "other", domain, [acme], changes={
        f"manufacturer {acme.name}": {"masa_url": f"https://localhost:{site.masa.port}",
                                      "masa_anchors": stranger.anchors}})
    with harness.running(registrar):
        row = doctor(registrar, f"MASA of {acme.name}")
    assert row["verdict"] == "fail" and "masa_anchors" in row["next"], row


def test_a_masa_where_none_may_be__says_what_allows_it(cell, domain, acme):
    registrar = harness.Registrar(cell, domain, [acme], changes={
        f"manufacturer {acme.name}": {"masa_url": "https://127.0.0.1:1"},
        "masa": {"addresses": "global private"}})
    with harness.running(registrar):
        row = doctor(registrar, f"MASA of {acme.name}")
    assert row["verdict"] == "fail" and "addresses in [masa]" in row["next"], row


def test_a_masa_named_by_devices_alone__is_not_asked(cell, domain, acme):
    registrar = harness.Registrar(cell, domain, [acme])
    with harness.running(registrar):
        row = doctor(registrar, f"MASA of {acme.name}")
    assert row["verdict"] == "ok" and "not asked" in row["found"]


def test_a_clock_that_is_off__shows_beside_the_masas(site):
    site.clock.set(300)
    row = doctor(site.registrar, f"MASA of {site.manufacturer.name}")
    assert row["verdict"] == "warn" and "clock" in row["found"], row


def days_left(site):
    return int(doctor(site.registrar, "registrar certificate")["found"].split()[2])


def test_a_certificate__near_its_end_warns_and_behind_it_fails(site):
    left = days_left(site)
    site.clock.set((left - 20) * DAY)
    assert doctor(site.registrar, "registrar certificate")["verdict"] == "warn"
    site.clock.set((left + 2) * DAY)
    row = doctor(site.registrar, "registrar certificate")
    assert row["verdict"] == "fail" and "expired" in row["found"]


def test_a_claim_that_waits_for_hours__warns(site):
    with site.peer(site.device()) as pledge:
        assert pledge.request_voucher().status == 202
    assert doctor(site.registrar, "claims")["verdict"] == "ok"
    site.clock.set(2 * 3600)
    row = doctor(site.registrar, "claims")
    assert row["verdict"] == "warn" and row["found"] == "1 wait", row


@pytest.mark.file_store
def test_a_changed_audit_log__fails(site):
    with site.peer(site.device()) as pledge:
        assert pledge.request_voucher().status == 202
    site.registrar.ctl("audit", "verify")
    assert doctor(site.registrar, "audit log")["verdict"] == "ok"
    db = sqlite3.connect(site.registrar.directory / "registrar.db")
    db.execute("DROP TRIGGER journal_stays")
    db.execute("UPDATE journal SET hash = zeroblob(32)")
    db.commit()
    db.close()
    assert doctor(site.registrar, "audit log")["verdict"] == "fail"


def test_the_registrar_away__is_told_by_the_exit_code(site):
    site.registrar.stop()
    assert site.registrar.ctl("doctor", check=6).stdout == ""
