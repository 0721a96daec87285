# SPDX-License-Identifier: Apache-2.0
"""Hostile insiders, suppliers, devices and outsiders at the administrators' side."""
import concurrent.futures
import contextlib
import csv
import io
import json
import signal
import socket
import sqlite3
import ssl
import threading
import time
import urllib.parse

import pytest

from cryptography import x509
from cryptography.x509.name import _ASN1Type

import h2wire
import harness
import places
from admin_api import Answer, Api
from brski_peer import certs, forge

V1 = "/api/v1/"
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\r\n"


@pytest.fixture(scope="module")
def here(place, acme, stranger, domain):
    with places.site_of_two_makers(place, acme, stranger, domain) as site:
        yield site


@pytest.fixture(scope="module")
def local(here):
    return Api(here.registrar)


def bearer(here, token):
    return Api(here.registrar, here.registrar.admin_port, {"Authorization": f"Bearer {token}"})


@pytest.fixture(scope="module")
def user(here, local):
    """A user with one grant and a token; limit: what the token is narrowed to."""
    def make(name, token=None, **grant):
        assert local.post(V1 + "users", {"name": name, **grant}).status == 200
        return more(name, "first", **(token or {}))

    def more(name, token, **limit):
        made = local.post(V1 + "tokens", {"name": token, "user": name, **limit})
        assert made.status == 200, made.body
        api = bearer(here, made.json["token"])
        api.token = made.json["token"]
        return api
    make.token = more
    return make


def ask(here, device, status=202):
    with here.peer(device) as peer:
        assert peer.request_voucher().status == status


def claim(local, serial):
    return local.get(V1 + f"claims/{serial}").json


# -- insiders

def test_nobody_replaces_a_device_by_one_of_a_manufacturer_that_is_not_theirs(here, local, user):
    mine, device = user("only-acme", role="operator", manufacturer=here.manufacturer.name), here.device()
    ask(here, device)
    path = V1 + f"devices/{device.serial}/replace"
    for serial in ("NEVER-SEEN-1", device.serial):
        body = {"with": serial, "with_manufacturer": "Stranger", "force": True}
        assert mine.post(path, body).status == 404
    assert local.get(V1 + "claims?match=manufacturer=Stranger").json["items"] == []
    assert mine.post(path, {"with": "NEVER-SEEN-1"}).status == 200


def test_who_is_bounded_by_manufacturer_hears_no_numbers_of_a_site(here, local, user):
    for site in ("/hall", "/yard", "/yard/gate"):
        assert local.post(V1 + "sites/add", {"path": site}).status == 200
    supplier = user("supplier", role="supplier", manufacturer=here.manufacturer.name)
    for site in supplier.get(V1 + "sites").json["items"]:
        assert "devices" not in site and "below" not in site
    assert all("devices" in s for s in local.get(V1 + "sites").json["items"])
    gate = user("gate", role="viewer", site="/yard/gate")
    for after in ("", "/", "/hall"):
        page = gate.get(V1 + f"sites?limit=1&after={after}").json
        assert [s["path"] for s in page["items"]] == ["/yard/gate"] and page["next"] in (None, "/yard/gate")
    assert gate.get(V1 + "sites?limit=1&after=/yard/gate").json == {"items": [], "next": None}


def test_nobody_goes_round_two_approvers_by_moving(here, local, user):
    ann = user("ann", role="operator")
    assert local.post(V1 + "sites/add", {"path": "/safe", "approvers": 2}).status == 200
    device = here.device()
    ask(here, device)
    assert ann.post(V1 + f"claims/{device.serial}/approve").json["claim"] == "approved"
    move = V1 + f"devices/{device.serial}/move"
    assert ann.post(move, {"site": "/safe"}).code == "needs-approval"
    assert claim(local, device.serial)["site"] == "/"
    body = {"site": "/safe", "change": True}
    time.sleep(1.1)  # approvals of the second of a decision are taken to be before it
    bob = user("bob", role="operator")
    once = ann.post(V1 + f"claims/{device.serial}/approve", body)
    assert once.json["result"] == "approved-once", once.body
    assert bob.post(V1 + f"claims/{device.serial}/approve", body).status == 200
    assert claim(local, device.serial)["site"] == "/safe"


def test_a_narrowed_token_takes_no_other_away(local, user):
    narrow = user("dora", role="admin", token={"role": "viewer"})
    user.token("dora", "second")
    tokens = {t["name"]: t["id"] for t in local.get(V1 + "tokens").json["items"] if t["user"] == "dora"}
    for token in tokens.values():
        assert narrow.post(V1 + f"tokens/{token}/remove").code == "not-allowed"
    assert user.token("dora", "third").post(V1 + f"tokens/{tokens['second']}/remove").status == 200


def test_an_idempotency_key_tells_a_narrower_token_nothing(here, local, user):
    device = here.device()
    ask(here, device)
    whole = user("emil", role="operator")
    narrow = user.token("emil", "narrow", site="/hall")
    key, path, body = {"Idempotency-Key": "the-same"}, V1 + f"devices/{device.serial}/label", {"set": {"rack": "4"}}
    first = whole.post(path, body, **key)
    assert first.status == 200 and whole.post(path, body, **key).headers["Idempotency-Replayed"]
    assert narrow.post(path, body, **key).status == 404
    assert local.post(path, body, **key).headers["Idempotency-Replayed"] is None


@pytest.mark.parametrize("end", ["disable", "ungrant"])
def test_who_waits_for_events_hears_nothing_once_they_may_not(here, local, user, end):
    name = f"nora-{end}"
    nora = user(name, role="viewer")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(nora.get, V1 + "events?after=end&wait=20&type=claim.pending")
        harness.wait_until(lambda: not waiting.done(), "waiting")
        time.sleep(0.3)
        assert local.post(V1 + f"users/{name}/{end}", {"role": "viewer"}).status == 200
        ask(here, here.device())
        reply = waiting.result(10)
    assert reply.code in ("not-logged-in", "not-allowed"), reply.body


def test_one_who_waits_too_often_keeps_nobody_from_waiting(here, user):
    pia, quin = user("pia", role="viewer"), user("quin", role="viewer")
    path = V1 + "events?after=end&type=backup.*&wait="
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        replies = [pool.submit(pia.get, path + "3") for _ in range(20)]
        time.sleep(1)
        assert quin.get(path + "1").status == 200
        assert sorted(r.result().status for r in replies) == [200] * 16 + [503] * 4


def test_a_crowd_outside_does_not_hide_what_a_user_tried(here, local, user):
    olaf, nobody = user("olaf", role="viewer"), Api(here.registrar, here.registrar.admin_port)
    for _ in range(30):
        assert nobody.get(V1 + "users").status == 401
    assert olaf.post(V1 + "users", {"name": "eve", "role": "admin"}).status == 403
    harness.wait_until(lambda: rows(here, "SELECT 1 FROM journal WHERE actor = 'olaf' AND outcome = 'denied'"),
                       "the denial in the journal")


# -- what is shown of what strangers and others wrote

def test_a_long_reason_is_cut_at_a_character_and_the_log_stays_whole(here, local, tmp_path):
    device = here.device()
    ask(here, device)
    for fill in ("ä", "€", "𝄞"):
        for lead in range(4):
            reason = "x" * lead + fill * 80
            body = {"reason": reason, "change": True}
            assert local.post(V1 + f"claims/{device.serial}/reject", body).status == 200
            shown = claim(local, device.serial)["reason"]
            assert shown and shown.rstrip("?") == reason[:len(shown.rstrip("?"))], shown
    here.registrar.ctl("audit", "verify", check=0)


def test_a_spreadsheet_computes_nothing_of_what_was_imported(here, local):
    evil = ["=HYPERLINK(1)", "+1+2", "-2", "@SUM(A1)", "'=1", "''=1", "'quoted'"]
    table = "manufacturer,serial,model,note\n" + "".join(
        f"Acme,{serial.replace('=', '=X')},{serial},{serial}\n" for serial in evil)
    reply = local.request("POST", V1 + "claims/import", table, {"Content-Type": "text/csv"})
    assert reply.status == 200, reply.body
    exported = local.get(V1 + "claims/export").body.decode()
    listed = here.registrar.ctl("claims", "list", "--state", "preapproved", "-o", "csv").stdout
    for text in (exported, listed):
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert not [c for c in cells if c.startswith(tuple("=+-@\t\r"))]
    again = local.request("POST", V1 + "claims/import?dry_run=1", exported.encode(), {"Content-Type": "text/csv"})
    assert again.json["summary"]["preapproved"] == 0, "what was exported is what was imported"


def test_what_strangers_wrote_does_not_drive_a_terminal(here, local):
    device = here.device()
    ask(here, device)
    local.post(V1 + f"claims/{device.serial}/reject", {"reason": ESCAPES + "r"})
    local.post(V1 + f"devices/{device.serial}/label", {"set": {"rack": "4"}, "reason": ESCAPES})
    local.post(V1 + "sites/add", {"path": "/terminal", "name": ESCAPES, "note": ESCAPES})
    local.post(V1 + "rules", {"action": "hold", "serials": "NONE-*", "reason": ESCAPES})
    for args in (("claims", "list"), ("claims", "show", device.serial), ("devices", "show", device.serial),
                 ("devices", "history", device.serial), ("audit", "show"), ("audit", "list"), ("sites", "list"),
                 ("rules", "list"), ("doctor", device.serial), ("status",), ("jobs", "list"),
                 ("devices", "find", "\x1b[2J"), ("claims", "show", "\x1b[2J"), ("users", "show", "\x1b[2J"),
                 ("claims", "list", "--match", "model=\x1b[2J")):
        ran = here.registrar.ctl(*args, check=None)
        for text in (ran.stdout, ran.stderr):
            assert not set("\x1b\x07\x9b\u202e") & set(text), args
    rows = here.registrar.ctl("events", "tail", "--once", check=None)
    assert "\x1b" not in rows.stdout


@pytest.mark.parametrize("where", ["serial", "cn", "ou"])
def test_a_device_that_writes_on_terminals_in_its_certificate(here, local, cell, where):
    evil = "<script>\x1b[2J\x9b\u202e'\"=&" if where != "ou" else "gw\u202e\x9b"
    serial = f"EVIL-{where}" + (evil if where == "serial" else "")
    subject = certs.name("Device" + (evil if where == "cn" else ""), extra=[
        x509.NameAttribute(x509.NameOID.SERIAL_NUMBER, serial, _ASN1Type.UTF8String)] + (
        [x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, evil)] if where == "ou" else []))
    identity = forge._saved(cell, certs.make_idevid(forge.issuing(here.manufacturer.directory), serial,
                                                    here.masa_url, subject=subject))
    with here.peer(identity) as peer:
        status = peer.request_voucher().status
    assert status == 202 or 400 <= status < 500, status
    found = local.get(V1 + "claims?limit=1000")
    assert found.status == 200
    ran = here.registrar.ctl("claims", "list", check=0)
    assert not set("\x1b\x9b\u202e") & set(ran.stdout)
    mine = [c for c in found.json["items"] if c["serial"].startswith(f"EVIL-{where}")]
    for c in mine:
        assert not set("\x1b\x9b\u202e") & set((c["model"] or "") + c["serial"]), c
    assert "\x1b[2J" not in here.registrar.log()


# -- outsiders

TRICKS = ["//api/v1/users", "/api//v1/users", "/api/v1//users", "/api/v1/users/", "/api/v1/users/.",
          "/api/v1/./users", "/api/v1/openapi.json/../users", "/api/v1/openapi.json/%2e%2e/users",
          "/api/v1%2fusers", "/API/V1/users", "/api/v1/users%00", "/api/v1/users%00.html",
          "/api/v1/users;.css", "/api/v1/users?x", "/api/v1/users#x", "/index.html/../api/v1/users",
          "/%2e%2e/%2e%2e/etc/passwd", "/../../etc/passwd", "/api/v1/session/../users",
          "https://127.0.0.1/api/v1/users", "*"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PROPFIND", "get", "TRACE"])
def test_no_spelling_of_a_path_gets_round_the_guard(here, method):
    api = Api(here.registrar, here.registrar.admin_port)
    for path in TRICKS:
        reply = api.request(method, path)
        assert reply.status in (400, 401, 404, 405, 415, 501), (method, path, reply.status)
        assert b"frida" not in reply.body


def test_a_request_is_its_own_principals_on_a_connection_of_several(here, local, user):
    """Who asks is found out anew for each request, refused ones in between."""
    viewer, admin = user("gina", role="viewer"), user("hugo", role="admin")
    connection = viewer._connection()
    try:
        for token, status, who in ((admin.token, 200, "hugo"), (None, 401, None), ("x" * 64, 401, None),
                                   (viewer.token, 200, "gina"), (None, 401, None), (admin.token, 200, "hugo")):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            connection.request("GET", V1 + "session", headers=headers)
            reply = Answer(connection.getresponse())
            assert reply.status == status
            assert not who or reply.json["user"] == who
    finally:
        connection.close()


def wire(api, alpn=None):
    """An own TLS connection."""
    context = ssl.create_default_context(cafile=str(api.registrar.domain.file("root.crt")))
    context.check_hostname = False
    if alpn:
        context.set_alpn_protocols([alpn])
    connection = socket.create_connection(("127.0.0.1", api.port), timeout=10)
    return context.wrap_socket(connection)


def test_streams_that_are_mixed_keep_their_principals(user):
    viewer, admin = user("kim", role="viewer"), user("lea", role="admin")
    who = [admin, None, viewer, None] * 8
    sent = h2wire.hello()
    for i, api in enumerate(who):
        block = h2wire.request(V1 + "session")
        if api:
            block += h2wire.literal(b"authorization", b"Bearer " + api.token.encode())
        sent += h2wire.frame(h2wire.HEADERS, h2wire.END_HEADERS | h2wire.END_STREAM, 2 * i + 1, block)
    said, bodies = b"", {}
    with wire(admin, "h2") as s:
        s.sendall(sent)
        while len(bodies) < len(who):
            said += s.recv(65536)
            bodies = {stream: payload for kind, _, stream, payload in h2wire.frames_of(said)
                      if kind == h2wire.DATA and payload}
    for i, api in enumerate(who):
        told = json.loads(bodies[2 * i + 1])
        assert told.get("user") == {viewer: "kim", admin: "lea", None: None}[api], told
        assert api or told["code"] == "not-logged-in"


def test_a_refused_body_is_no_request(user):
    """Refused before its body is read: what the body holds is not taken for the next request."""
    admin = user("mia", role="admin")
    inner = f"GET {V1}session HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {admin.token}\r\n\r\n"
    for sizes in (f"Content-Length: {len(inner)}", "Transfer-Encoding: chunked",
                  "Content-Length: 0\r\nTransfer-Encoding: chunked", f"Content-Length: {10 ** 9}",
                  f"Content-Length: 0\r\nContent-Length: {len(inner)}"):
        body = f"{len(inner):x}\r\n{inner}\r\n0\r\n\r\n" if "chunked" in sizes else inner
        said = b""
        with wire(admin) as s:
            s.sendall(f"POST {V1}users HTTP/1.1\r\nHost: x\r\n{sizes}\r\n\r\n{body}".encode())
            s.settimeout(0.3)
            with contextlib.suppress(OSError):
                while more := s.recv(65536):
                    said += more
        assert said[9:12] in (b"401", b"400", b"413"), (sizes, said)
        assert b'"mia"' not in said and said.count(b"HTTP/1.1 ") == 1, (sizes, said)


NUMBERS = ["9007199254740993", "9223372036854775807", "9223372036854775808", "-1", "1.0", "1e3", "0x1", "+1", "0", ""]


def test_numbers_that_are_none_are_refused_without_harm(local):
    for number in NUMBERS:
        for path in (f"claims/{number}", f"devices/{number}", f"jobs/{number}", f"hooks/{number}/dead",
                     f"claims?after={number}", f"claims?limit={number}", f"events?after={number}&limit={number}",
                     f"devices/{number}/history?after={number}"):
            assert local.get(V1 + path).status in (200, 400, 404, 413), path
        for path in (f"claims/{number}/approve", f"hooks/{number}/remove", f"rules/{number}/remove",
                     f"tokens/{number}/remove", f"devices/{number}/revoke"):
            assert local.post(V1 + path, {}).status in (400, 404, 413), path
    for number in ("9007199254740993", "-1", "1.5", "1e400", "9223372036854775808", "true", "null", '"1"', "[1]"):
        for path, body in (("claims/approve", '{"ids":[%s]}'), ("claims/approve", '{"match":"serial=none","expected":%s}'),
                           ("rules", '{"action":"hold","place":%s,"remaining":%s}'), ("sites/set", '{"path":"/","approvers":%s}'),
                           ("tokens", '{"user":"gina","name":"n","days":%s}')):
            reply = local.request("POST", V1 + path, body.replace("%s", number), {"Content-Type": "application/json"})
            assert reply.status < 500, (path, number, reply.body)


@pytest.mark.parametrize("text", [
    "' OR 1=1 --", "serial=' OR ''='", "serial=%' OR 1=1 --", "model=x') OR (1=1", "label.a'b=1", "site=/'; DROP TABLE device"])
def test_a_match_is_never_a_statement(local, text):
    reply = local.get(V1 + "claims?match=" + urllib.parse.quote(text))
    assert reply.status == 400 or reply.json["items"] == []
    found = local.get(V1 + "devices/find?text=" + urllib.parse.quote(text))
    assert found.status in (200, 400) and not found.json.get("items")


# -- all at once

def rows(here, sql):
    with contextlib.closing(sqlite3.connect(f"file:{here.registrar.directory}/registrar.db?mode=ro", uri=True)) as db:
        return db.execute(sql).fetchall()


def test_those_who_decide_about_the_same_at_once_leave_one_truth(here, local, user):
    """Two people, a list, a replacement and a bulk, over devices that ask all the time, with keys
    that are used twice, people who wait for events, and the configuration read again."""
    ivy, jack = user("ivy", role="operator"), user("jack", role="operator")
    devices = [here.device() for _ in range(6)]
    olds = [f"OLD-{i}" for i in range(6)]
    text = "manufacturer,serial\n" + "".join(f"Acme,{s}\n" for s in olds)
    assert local.request("POST", V1 + "claims/import", text, {"Content-Type": "text/csv"}).status == 200
    for device in devices:
        ask(here, device)
    ids = {d.serial: claim(local, d.serial)["id"] for d in devices}
    old_ids = {s: claim(local, s)["id"] for s in olds}
    answers, over = [], threading.Event()

    def note(what, reply):
        answers.append((what, reply.status, reply.body[:200]))
        return reply

    def decide(who, verb):
        for d in devices:
            note(verb, who.post(V1 + f"claims/{ids[d.serial]}/{verb}", {"reason": verb},
                                **{"Idempotency-Key": f"{verb}-{d.serial}"}))
        note(verb, who.post(V1 + f"claims/{verb}", {"ids": list(ids.values()), "change": True}))

    def take_list():
        listed = "manufacturer,serial,site\n" + "".join(f"Acme,{d.serial},/\n" for d in devices)
        note("import", local.request("POST", V1 + "claims/import", listed, {"Content-Type": "text/csv"}))

    def replace(who):
        for s, d in zip(olds, devices):
            note("replace", who.post(V1 + f"devices/{old_ids[s]}/replace", {"with": d.serial, "force": True}))

    def poll():
        for d in devices:
            with here.peer(d) as peer:
                status = peer.request_voucher().status
                answers.append(("voucher", status if status < 500 or status == 503 else 500, b""))

    def listen():
        while not over.is_set():
            note("events", ivy.get(V1 + "events?after=end&wait=1"))

    def reload():
        while not over.wait(0.1):
            here.registrar.popen.send_signal(signal.SIGHUP)

    work = [lambda: decide(ivy, "approve"), lambda: decide(jack, "reject"), take_list, poll,
            lambda: replace(ivy), lambda: replace(jack),
            lambda: note("bulk", local.post(V1 + "claims/approve", {"all": True}))]
    with concurrent.futures.ThreadPoolExecutor(len(work) + 3) as pool:
        others = [pool.submit(f) for f in (listen, listen, reload)]
        try:
            for done in [pool.submit(f) for f in work]:
                done.result()
        finally:
            over.set()
        for other in others:
            other.result()
    assert not [a for a in answers if a[1] >= 500 and a[0] != "voucher"]
    for d in devices:
        last = rows(here, "SELECT outcome FROM journal WHERE serial = '%s' AND step IN ('claim', 'device') AND outcome IN "
                    "('approved', 'rejected', 'preapproved') ORDER BY id DESC LIMIT 1" % d.serial)[0][0]
        assert claim(local, d.serial)["claim"] == last, d.serial
    for s in olds:
        told = local.get(V1 + f"devices/{s}").json
        lines = rows(here, f"SELECT 1 FROM journal WHERE serial = '{s}' AND outcome = 'replaced'")
        assert len(lines) == (told["state"] == "replaced") <= 1
    here.registrar.ctl("audit", "verify", check=0)
