# SPDX-License-Identifier: Apache-2.0
"""Approval before devices ask: a supplier's list is taken as a whole or not at all, twice is once, and
a device of it joins without waiting."""
import csv
import hashlib
import http.client
import io
import json
import socket
import subprocess
import time

import pytest

import harness
from places import Site

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def here(place, acme, domain):
    """A site that holds what nobody approved."""
    masa = harness.Masa(place / "masa", acme)
    registrar = harness.Registrar(place / "registrar", domain, [acme],
                                  changes={f"manufacturer {acme.name}": {"admit": "hold"}})
    with harness.running(masa, registrar):
        yield Site(place, acme, domain, masa, registrar)


@pytest.fixture
def load(here, cell):
    """Import a list from its text; the exit code and what was printed."""
    def run(text, *options, name="list.csv", check=None, timeout=60):
        path = cell / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return harness.run(harness.program("registrarctl"), "-s", here.registrar.socket, "claims",
                           "import", path, *options, timeout=timeout, check=check)
    return run


def results(done):
    return [(r["line"], r["serial"], r["result"]) for r in json.loads(done.stdout)]


def journal(registrar, serial):
    shown = json.loads(registrar.ctl("devices", "show", serial, "-o", "json").stdout)
    return [(j["step"], j["outcome"], j["reason"], j["by"]) for j in reversed(shown["journal"])]


def state(registrar, serial):
    found = [c for c in registrar.claims() if c["serial"] == serial]
    return found[0]["claim"] if found else None


def unix_post(registrar, path, body, media_type):
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(registrar.socket))
    connection.request("POST", path, body, {"Content-Type": media_type} if media_type else {})
    reply = connection.getresponse()
    answer = reply.status, reply.read().decode()
    connection.close()
    return answer


# -- what is imported

def test_a_device_of_the_list_joins_at_once(here, load):
    device, other = here.device(), here.device()
    done = load(f"manufacturer,serial,note\nAcme,{device.serial},order 4711\n", "-o", "json", check=0)
    assert results(done) == [(2, device.serial, "preapproved")]
    assert [c["serial"] for c in here.registrar.claims("preapproved")] == [device.serial]
    claim = here.registrar.claims("preapproved")[0]
    assert (claim["first_seen"], claim["last_seen"], claim["reason"]) == (None, None, "order 4711")
    with here.peer(other) as peer:
        assert peer.request_voucher().status == 202
    with here.peer(device) as peer:
        assert peer.request_voucher().status == 200
    assert here.pledge(device).join().returncode == 0
    assert state(here.registrar, device.serial) == "approved"
    shown = json.loads(here.registrar.ctl("devices", "show", device.serial, "-o", "json").stdout)
    assert shown["first_seen"] and shown["subject"]
    steps = journal(here.registrar, device.serial)
    assert steps[0][:3] == ("claim", "preapproved", "order 4711") and steps[0][3].startswith("unix:")
    assert steps[1][:2] == ("voucher", "delivered")
    assert not here.registrar.lines("alert-second-idevid")


def test_a_device_that_waits_is_approved_by_the_list(here, load):
    device = here.device()
    with here.peer(device) as peer:
        assert peer.request_voucher().status == 202
        done = load(f"serial,manufacturer\n{device.serial},Acme\n", "-o", "json", check=0)
        assert results(done) == [(2, device.serial, "approved")]
        assert peer.request_voucher().status == 200
    assert ("claim", "approved") in [line[:2] for line in journal(here.registrar, device.serial)]


def test_the_same_list_again_changes_nothing(here, load):
    text = "manufacturer,serial\nAcme,AGAIN-1\nAcme,AGAIN-2\nAcme,AGAIN-1\n"
    done = load(text, "-o", "json", check=0)
    assert [r[2] for r in results(done)] == ["preapproved", "preapproved", "unchanged"]
    before = here.registrar.ctl("audit", "list", "-o", "json").stdout
    done = load(text, "-o", "json", check=0)
    assert [r[2] for r in results(done)] == ["unchanged"] * 3
    assert here.registrar.ctl("audit", "list", "-o", "json").stdout == before


def test_a_dry_run_says_what_would_be_and_does_nothing(here, load):
    text = "manufacturer,serial\nAcme,DRY-1\n"
    done = load(text, "--dry-run", "-o", "json", check=0)
    assert results(done) == [(2, "DRY-1", "preapproved")] and "nothing was changed" in done.stderr
    assert state(here.registrar, "DRY-1") is None
    assert results(load(text, "-o", "json", check=0)) == [(2, "DRY-1", "preapproved")]


def test_a_rejected_device_stays_rejected_and_the_others_are_taken(here, load):
    device = here.device()
    with here.peer(device) as peer:
        assert peer.request_voucher().status == 202
    here.registrar.ctl("claims", "reject", device.serial, "--reason", "stolen")
    done = load(f"manufacturer,serial\nAcme,{device.serial}\nAcme,BESIDE-1\n", "-o", "json", check=4)
    assert [r[2] for r in results(done)] == ["rejected", "preapproved"]
    assert state(here.registrar, device.serial) == "rejected"
    assert state(here.registrar, "BESIDE-1") == "preapproved"


def test_a_revoked_device_stays_revoked(here, load):
    device = here.device()
    load(f"manufacturer,serial\nAcme,{device.serial}\n", check=0)
    assert here.pledge(device).join().returncode == 0
    here.registrar.ctl("devices", "revoke", device.serial)
    done = load(f"manufacturer,serial\nAcme,{device.serial}\n", "-o", "json", check=4)
    assert results(done) == [(2, device.serial, "revoked")]
    with here.peer(device) as peer:
        assert peer.request_voucher().status == 202


def test_a_site_that_is_new_is_added_and_said(here, load):
    text = ("manufacturer,serial,site\nAcme,PLACED-1,/fresh\nAcme,PLACED-2,/fresh\n"
            "Acme,PLACED-3,/\nAcme,PLACED-4,\n")
    new, known = "its site was not there before", None

    def said(*options):
        rows = json.loads(load(text, "-o", "json", *options, check=0).stdout)
        return [(r["result"], r.get("reason")) for r in rows]
    expected = [("preapproved", new)] * 2 + [("preapproved", known)] * 2
    assert said("--dry-run") == expected
    assert "/fresh" not in here.registrar.ctl("sites", "list", "-o", "csv").stdout
    assert said() == expected
    assert "/fresh" in here.registrar.ctl("sites", "list", "-o", "csv").stdout
    assert said() == [("unchanged", known)] * 4
    text = "manufacturer,serial,site\nAcme,PLACED-5,/fresh\n"
    assert said() == [("preapproved", known)]


def test_json_lines_are_a_list_too(here, load):
    text = '{"manufacturer":"Acme","serial":"LINE-1","note":"\\u00fc"}\n\n{"serial":"LINE-2","manufacturer":"Acme","colour":"red"}'
    done = load(text, "-o", "json", name="list.ndjson", check=0)
    assert results(done) == [(1, "LINE-1", "preapproved"), (3, "LINE-2", "preapproved")]
    assert "column 'colour' is kept as a label" in done.stderr


def test_unknown_columns_become_labels_with_a_warning(here, load):
    done = load("Serial,MANUFACTURER,site,model,Rack No,order\nWARN-1,Acme,/berlin,x,r7,4711\n", check=0)
    assert "column 'Rack No' is kept as a label" in done.stderr and "'site'" not in done.stderr
    claim = json.loads(here.registrar.ctl("claims", "show", "WARN-1", "-o", "json").stdout)
    assert (claim["claim"], claim["site"], claim["model"]) == ("preapproved", "/berlin", "x")
    assert claim["labels"] == {"rack-no": "r7", "order": "4711"}


def test_an_announced_idevid_is_the_only_one_that_joins(here, load):
    device, other = here.device(), here.device()
    der = subprocess.run(["openssl", "x509", "-in", device.certificate, "-outform", "DER"],
                         capture_output=True, check=True).stdout
    row = "manufacturer,serial,idevid_sha256,not_after\nAcme,{},{},2099-01-01\n"
    load(row.format(device.serial, hashlib.sha256(der).hexdigest().upper()), check=0)
    load(row.format(other.serial, hashlib.sha256(der).hexdigest()), check=0)
    with here.peer(other) as peer:
        reply = peer.request_voucher()
        assert reply.status == 403 and "another certificate" in reply.text
    with here.peer(device) as peer:
        assert peer.request_voucher().status == 200
    assert [c["until"] for c in here.registrar.claims("preapproved") if c["serial"] == other.serial] == ["2099-01-01T23:59:59Z"]
    here.registrar.ctl("claims", "approve", other.serial, "--change")
    with here.peer(other) as peer:
        assert peer.request_voucher().status == 200


def test_results_are_a_table_or_csv(load):
    text = '\ufeffmanufacturer,serial,note\r\nAcme,"TABLE,1","a ""quoted"" note"\r\n'
    assert load(text, "--dry-run", check=0).stdout.split("\n")[1].split() == \
        ["2", "Acme", "TABLE,1", "preapproved", "-"]
    rows = list(csv.DictReader(io.StringIO(load(text, "--dry-run", "-o", "csv", check=0).stdout)))
    assert [(r["line"], r["serial"], r["result"]) for r in rows] == [("2", "TABLE,1", "preapproved")]


def test_the_journal_tells_which_octets_were_imported(here, load):
    load("manufacturer,serial\nAcme,DIGEST-1\nAcme,DIGEST-2\n", check=0)
    lines = json.loads(here.registrar.ctl("audit", "list", "-o", "json").stdout)[-3:]
    assert [(j["step"], j["serial"]) for j in lines] == \
        [("import", None), ("claim", "DIGEST-1"), ("claim", "DIGEST-2")]
    assert "2 preapproved, 0 approved, 0 announced, of 2 rows; SHA-256 " in lines[0]["reason"]
    assert len({j["exchange"] for j in lines}) == 1
    assert here.registrar.ctl("audit", "verify").returncode == 0


# -- what is not

def test_one_bad_row_and_nothing_is_imported(here, load):
    text = "\n".join(["manufacturer,serial,note", "Acme,GOOD-1,", "Acme,,", ",NOBODY-1,", "Acne,TYPO-1,",
                      "Acme,GOOD-2,a,b", 'Acme,"open"x,', "Acme, BLANK-1,", f"Acme,{'9' * 129},",
                      f"Acme,NOTE-1,{'n' * 201}", "Acme,GOOD-3,"])
    done = load(text, "-o", "json", check=1)
    assert "8 of 10 rows are bad; nothing was imported" in done.stderr
    rows = json.loads(done.stdout)
    assert [r["line"] for r in rows] == [3, 4, 5, 6, 7, 8, 9, 10]
    for row, word in zip(rows, ("no serial", "no manufacturer", "configured", "more fields", "quote",
                                "blank", "longer", "note")):
        assert row["result"] == "bad" and word in row["reason"]
    assert not [c for c in here.registrar.claims() if c["serial"].startswith("GOOD-")]


def test_bad_json_lines_are_all_named(here, load):
    text = '{"manufacturer":"Acme","serial":"OBJECT-1"}\nnot json\n{"manufacturer":"Acme","serial":7}\n[]\n' \
        '{"manufacturer":"Acme","serial":"x","serial":"y"}\n{"manufacturer":"Acme","serial":"a\\u0007"}\n'
    done = load(text, "-o", "json", name="list.ndjson", check=1)
    assert [r["line"] for r in json.loads(done.stdout)] == [2, 3, 4, 5, 6]
    assert state(here.registrar, "OBJECT-1") is None


@pytest.mark.parametrize("row", [b"Acme,\xff\xfe-1", b"Acme,A\x1b[2J", "Acme,A\u202eB".encode(), b"Acme,A\0B"])
def test_a_serial_that_is_no_text_is_a_bad_row(load, row):
    done = load(b"manufacturer,serial\n" + row + b"\n", "-o", "json", check=1)
    assert [r["line"] for r in json.loads(done.stdout)] == [2]


@pytest.mark.parametrize("text", ["", "serial\nX-1\n", "Acme,X-1\nAcme,X-2\n", '"manufacturer,serial\nAcme,X'])
def test_a_file_without_the_columns_is_no_list(load, text):
    done = load(text, check=1)
    assert "first row" in done.stderr and not done.stdout


def test_a_file_that_is_not_there_is_said(here, cell):
    done = here.registrar.ctl("claims", "import", cell / "none.csv", check=None)
    assert done.returncode == 1 and "none.csv" in done.stderr


@pytest.mark.parametrize("path,media_type,status", [
    ("/api/v1/claims/import", None, 415),
    ("/api/v1/claims/import", "application/json", 415),
    ("/api/v1/claims/import?dry_run=yes", "text/csv", 400),
])
def test_a_request_that_is_no_import_is_refused(here, path, media_type, status):
    assert unix_post(here.registrar, path, b"manufacturer,serial\nAcme,Q-1\n", media_type)[0] == status
    assert state(here.registrar, "Q-1") is None


def test_a_refused_list_is_a_400_with_its_bad_rows(here):
    status, text = unix_post(here.registrar, "/api/v1/claims/import", b"manufacturer,serial\nAcme,\n",
                             "text/csv")
    answer = json.loads(text)
    assert status == 400 and answer["summary"]["imported"] is False and answer["summary"]["bad"] == 1
    assert [r["line"] for r in answer["results"]] == [2]


def test_only_the_import_takes_a_long_body(here):
    row = b"Acme,LONG-%06d,\n"
    text = b"manufacturer,serial,note\n" + b"".join(row % i for i in range(5000))
    assert unix_post(here.registrar, "/api/v1/claims/import?dry_run=1", text, "text/csv")[0] == 200
    assert unix_post(here.registrar, "/api/v1/rules", text, "text/csv")[0] == 413


def test_a_device_that_never_asked_cannot_send_telemetry(here, load):
    device = here.device()
    load(f"manufacturer,serial\nAcme,{device.serial}\n", check=0)
    with here.peer(device) as peer:
        assert peer.voucher_status(True).status == 404


# -- how many

@pytest.mark.slow
@pytest.mark.alone
def test_a_hundred_thousand_rows_take_less_than_thirty_seconds(here, load):
    text = "manufacturer,serial,note\n" + "".join(
        f"Acme,BULK-{i:06d},order 2026-11 pallet {i // 1000}\n" for i in range(100000))
    begin = time.monotonic()
    done = load(text, "-o", "csv", check=0, timeout=120)
    took = time.monotonic() - begin
    assert took < 30, took
    assert "100000 preapproved" in done.stderr and done.stdout.count("\n") == 100001
    begin = time.monotonic()
    assert "100000 unchanged" in load(text, check=0, timeout=120).stderr
    assert time.monotonic() - begin < 30
    device = here.device()
    with here.peer(device) as peer:
        assert peer.request_voucher().status == 202
    done = load(text + "Acme,ONE-MORE,\n", check=1)
    assert "More than 100000 rows" in done.stderr
    assert here.registrar.ctl("audit", "verify", check=0)
    print(f"100,000 rows in {took:.1f} s")
