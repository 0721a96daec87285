# SPDX-License-Identifier: Apache-2.0
"""Administrators over HTTPS: their port, their pages, and what the door says to strangers."""
import re
import signal
import ssl
import socket

import pytest

import harness
from admin_api import Api

API = "/api/v1/"


@pytest.fixture(scope="module")
def pages(place):
    web = place / "web"
    (web / "pages").mkdir(parents=True)
    (web / "index.html").write_text("<!doctype html><title>Registrar</title>")
    (web / "app.js").write_text("export const one = 1;\n")
    (web / "pages" / "claims.js").write_text("export const two = 2;\n")
    (web / "icon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (web / ".secret.js").write_text("no")
    (web / "notes.md").write_text("no")
    (place / "outside.txt").write_text("outside")
    (web / "link.txt").symlink_to(place / "outside.txt")
    (web / "up").symlink_to(place)
    return web


@pytest.fixture(scope="module")
def registrar(place, acme, domain, pages):
    port = harness.free_port()
    r = harness.Registrar(place / "registrar", domain, [acme],
                          changes={"admin": {"listen": f"127.0.0.1:{port}", "web": pages}})
    r.admin_port = port
    with harness.running(r):
        yield r


@pytest.fixture
def api(registrar):
    return Api(registrar, registrar.admin_port)


@pytest.fixture
def local(registrar):
    return Api(registrar)


# -- pages

@pytest.mark.parametrize("path, name, media_type", [
    ("/", "index.html", "text/html"),
    ("/index.html", "index.html", "text/html"),
    ("/app.js", "app.js", "text/javascript"),
    ("/pages/claims.js", "pages/claims.js", "text/javascript"),
    ("/icon.svg", "icon.svg", "image/svg+xml"),
])
def test_pages_are_there_for_everybody_and_may_do_little(api, pages, path, name, media_type):
    page = api.get(path)
    assert (page.status, page.type) == (200, media_type)
    assert page.body == (pages / name).read_bytes()
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-cache"
    again = api.get(path, **{"If-None-Match": page.headers["ETag"]})
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", page.headers["ETag"])
    assert api.get(path, **{"If-None-Match": '"other"'}).status == 200
    head = api.request("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(page.body))


@pytest.mark.parametrize("path", [
    "/.secret.js", "/notes.md", "/link.txt", "/up/outside.txt", "/../outside.txt",
    "/pages/../../outside.txt", "/%2e%2e/outside.txt", "/pages%2fclaims.js", "//app.js", "/pages",
    "/pages/", "/app.js/", "/app.js%00.html", "/nowhere", "/" + "a" * 4000])
def test_nothing_but_the_pages_is_there(api, path):
    assert api.get(path).code == "not-found"


def test_pages_are_read_again_with_the_configuration(api, registrar, pages):
    (pages / "new.txt").write_text("new")
    assert api.get("/new.txt").status == 404
    since = registrar.log_size()
    registrar.signal(signal.SIGHUP)
    registrar.wait_log(r"event=reloaded", since=since)
    assert api.get("/new.txt").body == b"new"
    (pages / "index.html").rename(pages / "gone.html")
    try:
        since = registrar.log_size()
        registrar.signal(signal.SIGHUP)
        registrar.wait_log(r"there is no index.html", since=since)
        assert api.get("/").status == 200
    finally:
        (pages / "gone.html").rename(pages / "index.html")


# -- the door

def test_nobody_gets_in_and_it_is_audited(api, local):
    refused = api.get(API + "claims")
    assert (refused.status, refused.code) == (401, "not-logged-in")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert refused.headers["Cache-Control"] == "no-store"

    def denied():
        lines = local.get(API + "audit?limit=1000").json["items"]
        return [l["reason"] for l in lines if (l["step"], l["outcome"], l["exchange"])
                == ("session", "denied", refused.headers["X-Request-Id"])]
    harness.wait_until(denied, "the denial is in the audit log")
    assert "GET /api/v1/claims" in denied()[0]


def test_a_body_of_nobody_is_not_waited_for(registrar):
    context = ssl.create_default_context(cafile=str(registrar.domain.file("root.crt")))
    context.check_hostname = False
    with socket.create_connection(("127.0.0.1", registrar.admin_port), timeout=5) as raw:
        with context.wrap_socket(raw) as peer:
            peer.sendall(b"POST /api/v1/claims/import HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                         b"Content-Type: text/csv\r\nContent-Length: 9999999\r\n\r\n")
            assert peer.recv(4096).startswith(b"HTTP/1.1 401 ")


def test_the_socket_has_no_pages(local):
    assert local.get("/").code == "not-found"
    assert local.get(API + "status").status == 200


def test_devices_and_administrators_have_ports_of_their_own(api, registrar):
    devices = Api(registrar, registrar.port)
    for path in ("/", "/app.js", API + "status", API + "claims"):
        assert devices.get(path).status == 404
    for path in ("/.well-known/est/cacerts", "/.well-known/brski/requestvoucher"):
        assert api.get(path).code == "not-found"


def test_no_client_certificate_is_asked_for(registrar):
    shown = harness.run("openssl", "s_client", "-connect", f"127.0.0.1:{registrar.admin_port}")
    assert "No client certificate CA names sent" in shown.stdout
    assert "Requested Signature Algorithms" not in shown.stdout
    asked = harness.run("openssl", "s_client", "-connect", f"127.0.0.1:{registrar.port}")
    assert "Requested Signature Algorithms" in asked.stdout


def test_client_certificates_are_asked_for_by_name_of_their_ca(cell, acme, domain, other_domain):
    port = harness.free_port()
    r = harness.Registrar(cell / "r", domain, [acme], changes={
        "admin": {"listen": f"127.0.0.1:{port}", "client_anchors": other_domain.file("root.crt")}})
    with harness.running(r):
        shown = harness.run("openssl", "s_client", "-connect", f"127.0.0.1:{port}").stdout
    names = shown.partition("Acceptable client certificate CA names")[2].splitlines()
    assert "Other Site" in names[1] and "Example Site" not in names[1]


# -- what goes wrong before a handler is asked

@pytest.mark.parametrize("method, path, headers, status, code", [
    ("DELETE", API + "claims", {}, 405, "method-not-allowed"),
    ("BREW", API + "claims", {}, 501, "method-unknown"),
    ("GET", API + "nothing", {}, 404, "not-found"),
    ("POST", API + "nothing", {}, 404, "not-found"),
    ("GET", API + "claims?limit=0", {}, 400, "input"),
    ("GET", API + "claims?limit=x", {}, 400, "input"),
    ("GET", API + "claims?after=" + "9" * 40, {}, 413, "too-large"),
    ("GET", API + "claims?state=odd", {}, 400, "input"),
])
def test_errors_are_problems(local, method, path, headers, status, code):
    refused = local.request(method, path, headers=headers)
    assert (refused.status, refused.code) == (status, code)
    if status == 405:
        assert refused.headers["Allow"] == "GET, HEAD"


def test_head_is_get_without_its_body(local):
    for path in ("status", "claims", "statistics", "nothing"):
        shown, head = local.get(API + path), local.request("HEAD", API + path)
        assert head.status == shown.status and head.body == b""
        assert head.headers["Content-Type"] == shown.headers["Content-Type"]


def test_too_much_of_anything_is_a_problem(local):
    long = local.get(API + "claims?state=" + "x" * 9000)
    assert long.status in (414, 431) and long.code in ("uri-too-long", "headers-too-large")
    body = local.post(API + "rules", "x" * 70000, **{"Content-Type": "application/json"})
    assert (body.status, body.code) == (413, "too-large")
    assert local.post(API + "rules", "{", **{"Content-Type": "application/json"}).code == "input"


def test_the_command_says_the_sentence_of_a_problem(registrar):
    done = registrar.ctl("devices", "show", "never-seen", check=3)
    assert re.search(r"never-seen: No device with this serial-number was seen here\.$", done.stderr, re.M)


# -- the configuration

@pytest.mark.parametrize("changes, reason", [
    ({"listen": "nowhere"}, r"\[admin\]"),
    ({"key": "k.pem"}, "key and certificate go together"),
    ({"web": "no-such-directory"}, "no-such-directory: cannot open"),
    ({"client_anchors": "none.pem"}, r"\[admin\]: client_anchors"),
])
def test_what_is_wrong_with_it_is_said_at_the_check(cell, acme, domain, changes, reason):
    r = harness.Registrar(cell / "r", domain, [acme],
                          changes={"admin": {"listen": "127.0.0.1:1", **changes}})
    checked = harness.run(harness.program("brski-registrar"), "--config", r.config, "--check")
    assert checked.returncode == 1
    assert re.search(reason, checked.stderr), checked.stderr
