# SPDX-License-Identifier: Apache-2.0
"""Who may in, and what an attacker finds: users, one-time codes, sessions, tokens, certificates."""
import datetime
import json
import re
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import harness
from admin_api import Api

PASSWORD = "a password of some length"
COOKIE = "__Host-brski-session"
names = (f"user-{i}" for i in range(1000))


@pytest.fixture(scope="module")
def registrar(place, acme, domain):
    port = harness.free_port()
    web = place / "web"
    web.mkdir()
    (web / "index.html").write_text("<!doctype html><title>Registrar</title>")
    people = Ca(place / "people.crt")
    r = harness.Registrar(place / "registrar", domain, [acme],
                          changes={"admin": {"listen": f"127.0.0.1:{port}", "web": web,
                                             "client_anchors": people.file}})
    r.admin_port, r.people = port, people
    r.clock = harness.Clock(place / "clock")
    r.env.update(r.clock.env())
    with harness.running(r):
        for site in ("/eu/dock", "/us/dock"):
            r.ctl("sites", "add", site)
        yield r


@pytest.fixture
def local(registrar):
    return Api(registrar)


@pytest.fixture
def api(registrar):
    return Api(registrar, registrar.admin_port)


class Session(Api):
    """What a browser does: the cookie, and the CSRF token with the origin on what changes."""

    def __init__(self, registrar, reply):
        super().__init__(registrar, registrar.admin_port)
        self.cookie = reply.headers["Set-Cookie"].split(";")[0]
        self.who = reply.json
        self.headers = {"Cookie": self.cookie, "X-CSRF-Token": self.who["csrf"],
                        "Origin": f"https://127.0.0.1:{self.port}"}


def add_user(local, **grant):
    name = next(names)
    reply = local.post("/api/v1/users", {"name": name, **grant})
    assert reply.status == 200, reply.body
    return name, reply.json["code"]


def log_in(api, user, cookie=None, **proof):
    """Waits where too many come from one address: all of these do."""
    end = time.monotonic() + 20
    while True:
        reply = api.post("/api/v1/session", {"user": user, **proof},
                         **({"Cookie": cookie} if cookie else {}))
        if reply.status != 429 or reply.code != "too-many":
            return reply
        assert time.monotonic() < end
        time.sleep(int(reply.headers["Retry-After"]) / 5)


def new_session(registrar, **grant):
    api, local = Api(registrar, registrar.admin_port), Api(registrar)
    name, code = add_user(local, **grant)
    reply = log_in(api, name, code=code, new_password=PASSWORD)
    assert reply.status == 200, reply.body
    return Session(registrar, reply), name


@pytest.fixture
def token_of(registrar, local):
    """A program that acts as a new user with one grant."""
    def make(**grant):
        user, _ = add_user(local, **grant)
        made = local.post("/api/v1/tokens", {"name": "robot", "user": user})
        assert made.status == 200, made.body
        return Api(registrar, registrar.admin_port,
                   {"Authorization": f"Bearer {made.json['token']}"})
    return make


def audit(local, **wanted):
    lines, after = [], 0
    while True:
        page = local.get(f"/api/v1/audit?after={after}").json
        lines += page["items"]
        if not page["next"]:
            return [x for x in lines if all(x[k] == v for k, v in wanted.items())]
        after = page["next"]


def test_a_code_is_for_one_log_in_and_then_the_password(api, local):
    name, code = add_user(local, role="viewer")
    assert re.fullmatch(r"([0-9a-hjkmnp-tv-z]{5}-){3}[0-9a-hjkmnp-tv-z]{5}", code)
    assert log_in(api, name, code=code).code == "input"  # a password belongs to it
    assert log_in(api, name, code=code, new_password="too short").code == "input"
    first = log_in(api, name, code=code.upper().replace("-", ""), new_password=PASSWORD)
    assert first.status == 200
    assert log_in(api, name, code=code, new_password=PASSWORD + "!").code == "wrong-login"
    assert log_in(api, name, password=PASSWORD).status == 200
    assert log_in(api, name, password=PASSWORD + "!").code == "wrong-login"
    assert [x["reason"].split(" from ")[0] for x in audit(local, by=name, outcome="begun")] == [
        "by code, with a new password,", "by password"]
    denied = audit(local, step="session", outcome="denied")
    assert any(f'log-in as "{name}" by code' in x["reason"] for x in denied)
    assert not any(PASSWORD in json.dumps(x) or code in json.dumps(x) for x in audit(local))


def test_the_cookie_is_for_this_host_and_no_script(registrar, api, local):
    name, code = add_user(local, role="viewer")
    reply = log_in(api, name, code=code, new_password=PASSWORD)
    cookie = reply.headers["Set-Cookie"]
    value, *attributes = cookie.split("; ")
    assert re.fullmatch(COOKIE + "=[0-9a-f]{64}", value)
    assert set(attributes) == {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"}
    assert reply.headers["Cache-Control"] == "no-store"
    session = Session(registrar, reply)
    assert session.get("/api/v1/session").json == session.who
    assert session.who["user"] == name and session.who["may"] == ["view"]
    assert session.get("/api/v1/claims").status == 200
    assert session.get("/api/v1/audit").code == "not-allowed"


def test_a_session_that_somebody_chose_is_none(registrar, api, local):
    name, code = add_user(local, role="viewer")
    chosen = {"Cookie": f"{COOKIE}={'a' * 64}"}
    assert api.get("/api/v1/session", **chosen).code == "not-logged-in"
    reply = log_in(api, name, chosen["Cookie"], code=code, new_password=PASSWORD)
    assert reply.status == 200 and "a" * 64 not in reply.headers["Set-Cookie"]
    assert api.get("/api/v1/session", **chosen).code == "not-logged-in"
    first = Session(registrar, reply)
    again = log_in(api, name, first.cookie, password=PASSWORD)
    assert again.status == 200
    assert first.get("/api/v1/session").code == "not-logged-in"  # replaced
    assert Session(registrar, again).get("/api/v1/session").status == 200


def test_logging_out_ends_it(registrar):
    session, name = new_session(registrar, role="viewer")
    reply = session.request("DELETE", "/api/v1/session")
    assert reply.status == 204 and "Max-Age=0" in reply.headers["Set-Cookie"]
    assert session.get("/api/v1/session").code == "not-logged-in"


@pytest.mark.parametrize("change", [
    {"X-CSRF-Token": None}, {"X-CSRF-Token": "0" * 64}, {"X-CSRF-Token": ""},
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": None},
    {"Origin": "http://127.0.0.1:{port}"}, {"Origin": "https://127.0.0.1:{port}.evil.example"},
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
])
def test_a_page_of_others_changes_nothing(registrar, local, change):
    session, name = new_session(registrar, role="operator")
    for header, value in change.items():
        session.headers.pop(header, None)
        if value is not None:
            session.headers[header] = value.format(port=registrar.admin_port)
    assert session.post("/api/v1/tokens", {"name": "stolen"}).code == "csrf"
    assert session.request("DELETE", "/api/v1/session").code == "csrf"
    assert session.get("/api/v1/session").status == 200
    assert local.get("/api/v1/tokens").json["items"] == [] or name not in [
        t["user"] for t in local.get("/api/v1/tokens").json["items"]]


def test_the_csrf_token_of_another_session_does_not_count(registrar):
    one, _ = new_session(registrar, role="operator")
    two, _ = new_session(registrar, role="operator")
    one.headers["X-CSRF-Token"] = two.who["csrf"]
    assert one.post("/api/v1/tokens", {"name": "x"}).code == "csrf"


def test_a_log_in_is_not_sent_by_other_pages(api, local):
    name, code = add_user(local, role="viewer")
    body = {"user": name, "code": code, "new_password": PASSWORD}
    assert api.post("/api/v1/session", body, Origin="https://evil.example").code == "csrf"
    form = api.request("POST", "/api/v1/session", json.dumps(body),
                       {"Content-Type": "text/plain"})
    assert form.status == 415


@pytest.mark.slow
def test_who_fails_too_often_waits_and_so_does_nobody(api, local):
    name, code = add_user(local, role="viewer")
    wrong = {"password": "wrong wrong wrong"}
    for user in (name, "nobody-at-all"):
        replies = [log_in(api, user, **wrong) for _ in range(6)]
        assert [(r.status, r.code) for r in replies] == (
            [(401, "wrong-login")] * 5 + [(429, "locked")])
        assert int(replies[-1].headers["Retry-After"]) > 20
    assert log_in(api, name, code=code, new_password=PASSWORD).code == "locked"
    assert local.get("/api/v1/status").status == 200  # never locked out
    fresh = local.post(f"/api/v1/users/{name}/code").json["code"]
    assert log_in(api, name, code=code, new_password=PASSWORD).code == "wrong-login"
    assert log_in(api, name, code=fresh, new_password=PASSWORD).status == 200


@pytest.mark.parametrize("name", ["Ada", "ad\u00e4", "ad\u0430", "ada ", "", "../ada", "a" * 64,
                                  "unix:uid=0", ".ada"])
def test_names_that_look_alike_are_refused(local, name):
    assert local.post("/api/v1/users", {"name": name}).code == "input"


def test_a_name_in_another_case_is_nobody(api, local):
    name, code = add_user(local, role="viewer")
    assert log_in(api, name.upper(), code=code, new_password=PASSWORD).code == "wrong-login"


def test_a_disabled_user_is_nobody(registrar, api, local):
    session, name = new_session(registrar, role="operator")
    token = session.post("/api/v1/tokens", {"name": "robot"}).json["token"]
    robot = Api(registrar, registrar.admin_port, {"Authorization": f"Bearer {token}"})
    assert robot.get("/api/v1/session").json["by"] == "token"
    assert local.post(f"/api/v1/users/{name}/disable").status == 200
    assert robot.get("/api/v1/claims").code == "not-logged-in"
    assert session.get("/api/v1/claims").code == "not-logged-in"
    assert log_in(api, name, password=PASSWORD).code == "wrong-login"
    assert local.post(f"/api/v1/users/{name}/disable").code == "conflict"
    assert local.post(f"/api/v1/users/{name}/enable").status == 200
    assert robot.get("/api/v1/claims").status == 200
    assert session.get("/api/v1/claims").code == "not-logged-in"  # that one ended
    assert local.post(f"/api/v1/users/{name}/remove").status == 200
    assert robot.get("/api/v1/claims").code == "not-logged-in"
    assert local.get(f"/api/v1/users/{name}").code == "not-found"


def test_a_token_may_less_than_its_user_and_makes_no_tokens(registrar, local):
    session, name = new_session(registrar, role="operator")
    made = session.post("/api/v1/tokens", {"name": "reader", "role": "viewer", "days": 1})
    assert made.status == 200 and made.json["token"].startswith("brski-")
    robot = Api(registrar, registrar.admin_port,
                {"Authorization": f"Bearer {made.json['token']}"})
    assert robot.get("/api/v1/session").json["may"] == ["view"]
    assert robot.post("/api/v1/claims/approve", {"all": True}).code == "not-allowed"
    assert robot.post("/api/v1/tokens", {"name": "child"}).code == "not-allowed"
    more = session.post("/api/v1/tokens", {"name": "more", "role": "admin"}).json["token"]
    robot = Api(registrar, registrar.admin_port, {"Authorization": f"Bearer {more}"})
    assert "admin" not in robot.get("/api/v1/session").json["may"]
    assert robot.get("/api/v1/users").code == "not-allowed"
    assert session.post("/api/v1/tokens", {"name": "reader"}).code == "conflict"
    listed = session.get("/api/v1/tokens").json["items"]
    assert [t["name"] for t in listed] == ["reader", "more"]
    assert made.json["token"] not in json.dumps(listed)
    other, _ = new_session(registrar, role="viewer")
    assert other.get("/api/v1/tokens").json["items"] == []
    gone = f"/api/v1/tokens/{listed[1]['id']}/remove"
    assert other.post(gone).code == "not-found"
    assert session.post(gone).status == 200
    assert robot.get("/api/v1/session").code == "not-logged-in"


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic YWRhOmFkYQ==", "Bearer x",
                                   "Bearer brski-" + "0" * 64, "bearer " + "0" * 4000])
def test_what_is_no_token_is_nobody(registrar, value):
    api = Api(registrar, registrar.admin_port, {"Authorization": value})
    assert api.get("/api/v1/status").code == "not-logged-in"


def test_a_grant_that_ends_is_over_and_one_of_the_past_is_none(registrar, local):
    name, _ = add_user(local)
    assert local.post(f"/api/v1/users/{name}/grant",
                      {"role": "viewer", "until": "2020-01-01T00:00:00Z"}).code == "input"


def test_nobody_gives_more_than_they_hold(registrar, local):
    until = "2099-01-01T00:00:00Z"
    session, name = new_session(registrar, role="admin", until=until)
    boss, _ = add_user(local, role="admin")
    mine, _ = add_user(local, role="viewer", until=until)
    grant = f"/api/v1/users/{mine}/grant"
    assert session.post(grant, {"role": "operator", "until": until}).status == 200
    assert session.post(grant, {"role": "operator"}).code == "not-allowed"
    assert session.post(f"/api/v1/users/{name}/grant", {"role": "admin"}).code == "not-allowed"
    for verb in ("code", "disable", "remove"):
        assert session.post(f"/api/v1/users/{boss}/{verb}").code == "not-allowed"
    assert session.post("/api/v1/users", {"name": next(names), "role": "admin"}).code == "not-allowed"


def test_users_are_for_admins_without_bounds(registrar):
    bounded, _ = new_session(registrar, role="admin", site="/eu")
    operator, _ = new_session(registrar, role="operator")
    for session in (bounded, operator):
        assert session.get("/api/v1/users").code == "not-allowed"
        assert session.post("/api/v1/users", {"name": next(names)}).code == "not-allowed"


@pytest.mark.parametrize("method, path, role", [
    ("GET", "rules", "viewer"), ("POST", "rules", "admin"), ("GET", "rules/test?serial=x", "viewer"),
    ("POST", "rules/1/remove", "admin"), ("GET", "audit", "auditor"), ("GET", "audit/heads", "auditor"),
    ("GET", "hooks", "admin"), ("GET", "doctor", "viewer"), ("GET", "backups", "admin"),
    ("POST", "backups", "admin"), ("POST", "reload", "admin"), ("GET", "users", "admin"),
    ("GET", "users/ada", "admin"),
])
def test_what_concerns_all_sites_takes_a_role_at_all_of_them(token_of, method, path, role):
    bounded = token_of(role=role, site="/eu").request(method, "/api/v1/" + path)
    assert bounded.code == "not-allowed" and "all sites" in bounded.json["detail"]
    assert token_of(role=role).request(method, "/api/v1/" + path).status not in (401, 403)


def test_a_password_of_ones_own_ends_other_sessions(registrar, api):
    session, name = new_session(registrar, role="viewer")
    other = Session(registrar, log_in(api, name, password=PASSWORD))
    change = f"/api/v1/users/{name}/password"
    body = {"password": PASSWORD, "new_password": PASSWORD + " 2"}
    assert session.post(change, {**body, "password": "not that one"}).code == "wrong-login"
    assert other.get("/api/v1/session").status == 200
    assert session.post(change, body).status == 200
    assert session.get("/api/v1/session").status == 200
    assert other.get("/api/v1/session").code == "not-logged-in"
    assert log_in(api, name, password=PASSWORD).code == "wrong-login"
    stranger, _ = new_session(registrar, role="admin")
    assert stranger.post(change, body).code == "not-allowed"


# -- the command line

def token_file(path, token):
    path.write_text(token + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def remote(registrar, cell):
    """registrarctl over HTTPS with a token of such a user."""
    def make(**grant):
        name = next(names)
        options = [x for k, v in grant.items() for x in (f"--{k}", v)]
        registrar.ctl("users", "add", name, *options, "-o", "ids")
        token = registrar.ctl("tokens", "add", "--name", "robot", "--user", name, "-o", "ids")
        file = token_file(cell / f"{name}.token", token.stdout.strip())

        def ctl(*args, check=0):
            return harness.run(
                harness.program("registrarctl"), "--url",
                f"https://127.0.0.1:{registrar.admin_port}", "--token-file", file,
                "--cacert", registrar.domain.file("root.crt"), *args, check=check)
        ctl.user, ctl.file = name, file
        return ctl
    return make


def test_the_same_commands_from_elsewhere(registrar, remote):
    admin, viewer = remote(role="admin"), remote(role="viewer")
    assert "version" in admin("status", "-o", "json").stdout
    assert admin("claims", "list").returncode == 0
    assert viewer("claims", "list").returncode == 0
    refused = viewer("users", "list", check=5)
    assert "role" in refused.stderr
    assert viewer.user in admin("users", "list", "-o", "csv").stdout
    viewer.file.write_text("brski-" + "0" * 64)
    assert "tokens add" in viewer("status", check=5).stderr


def test_where_to_goes_may_stand_in_the_environment(registrar, remote, cell):
    admin = remote(role="viewer")
    env = {"REGISTRARCTL_URL": f"https://127.0.0.1:{registrar.admin_port}/",
           "REGISTRARCTL_TOKEN_FILE": str(admin.file),
           "REGISTRARCTL_CACERT": str(registrar.domain.file("root.crt"))}
    ctl = harness.program("registrarctl")
    assert harness.run(ctl, "status", env=env, check=0).stdout
    harness.run(ctl, "users", "list", env=env, check=5)
    harness.run(ctl, "-s", registrar.socket, "users", "list", env=env, check=0)
    harness.run(ctl, "-s", registrar.socket, "--url", env["REGISTRARCTL_URL"], "status", check=2)
    said = harness.run(ctl, "status", env={**env, "REGISTRARCTL_CACERT": ""}, check=1)  # not trusted
    assert "--cacert" in said.stderr
    said = harness.run(ctl, "status", env={**env, "REGISTRARCTL_TOKEN_FILE": ""}, check=5)
    assert "--token-file" in said.stderr
    for url in ("http://127.0.0.1:1", "https://", "https://a@b", "registrar", "https://a/?x"):
        harness.run(ctl, "--url", url, "status", check=2)
    port = harness.free_port()
    harness.run(ctl, "--url", f"https://127.0.0.1:{port}", "status", env=env, check=6)
    admin.file.chmod(0o644)
    assert "everybody" in harness.run(ctl, "status", env=env, check=2).stderr
    for text in ("", "two words", "line\nline"):
        bad = token_file(cell / "bad", text)
        harness.run(ctl, "--token-file", bad, "status", env=env, check=2)


def test_users_by_the_command_line(registrar):
    def ctl(*args, check=0):
        return registrar.ctl(*args, check=check)

    name = next(names)
    assert "code" in ctl("users", "add", name, "--role", "operator", "--site", "/eu").stdout
    ctl("users", "add", name, check=1)
    ctl("users", "grant", name, "--role", "viewer")
    ctl("users", "grant", name, "--role", "supplier", check=1)  # of whom?
    ctl("users", "grant", name, "--role", "viewer", "--site", "eu", check=1)
    ctl("users", "grant", name, "--role", "viewer", "--site", "", check=1)
    for arguments in (("grant", name), ("add", next(names))):
        refused = ctl("users", *arguments, "--role", "viewer", "--site", "/nosuch", check=1)
        assert "no such site" in refused.stderr and "sites add" in refused.stderr
    ctl("users", "grant", name, "--role", "viewer", "--until", "2099-02-30", check=1)
    ctl("users", "grant", name, "--role", "viewer", "--until", "2099-12-31")
    assert "viewer until 2099-12-31T23:59:59Z" in ctl("users", "list", "-o", "csv").stdout
    ctl("users", "grant", name, "--role", "viewer")
    ctl("users", "grant", name, check=2)
    ctl("users", "grant", "nobody-here", "--role", "viewer", check=3)
    shown = ctl("users", "list", "-o", "csv").stdout
    assert "operator at /eu, viewer" in shown
    ctl("users", "ungrant", name, "--role", "operator", check=1)  # that is with a site
    ctl("users", "ungrant", name, "--role", "operator", "--site", "/eu")
    grants = json.loads(ctl("users", "show", name, "-o", "json").stdout)["grants"]
    assert grants == [{"role": "viewer", "site": None, "manufacturer": None, "until": None}]
    ctl("users", "disable", name)
    ctl("tokens", "add", "--name", "x", "--user", name, check=1)
    ctl("users", "enable", name)
    ctl("tokens", "add", "--name", "x", "--user", name, "--days", "0", check=1)
    ctl("tokens", "add", "--name", "x", check=1)
    ctl("users", "remove", name)
    ctl("users", "code", name, check=3)


# -- certificates

class Ca:
    """Of people's certificates."""

    def __init__(self, file):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "People")])
        self.file = file
        made = self._sign(self.name, self.key, 60, 300, ca=True)
        file.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def _sign(self, subject, key, begun, days, ca=False):
        now = datetime.datetime.now(datetime.timezone.utc)
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name)
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(days=begun))
                .not_valid_after(now + datetime.timedelta(days=days))
                .add_extension(x509.BasicConstraints(ca, None), critical=True)
                .sign(self.key, hashes.SHA256()))

    def issue(self, directory, name, days=30):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        made = self._sign(subject, key, 50, days)
        paths = directory / f"{name}.crt", directory / f"{name}.key"
        paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM,
                                               serialization.PrivateFormat.PKCS8,
                                               serialization.NoEncryption()))
        return paths


def test_a_certificate_that_was_named_is_a_proof(registrar, local, cell):
    name, _ = add_user(local, role="operator")
    people = registrar.people
    mine, other = people.issue(cell, "ada"), people.issue(cell, "eve")
    registrar.ctl("users", "certificate", name, mine[0])
    registrar.ctl("users", "certificate", add_user(local)[0], mine[0], check=1)
    registrar.ctl("users", "certificate", name, mine[1], check=1)
    registrar.ctl("users", "certificate", name, people.issue(cell, "old", days=-1)[0], check=1)
    ada = Api(registrar, registrar.admin_port, identity=mine)
    eve = Api(registrar, registrar.admin_port, identity=other)
    unknown = Ca(cell / "unknown.crt").issue(cell, "mallory")
    registrar.ctl("users", "certificate", name, unknown[0])  # named, but of no CA that counts
    mallory = Api(registrar, registrar.admin_port, identity=unknown)
    assert mallory.get("/api/v1/session").code == "not-logged-in"
    assert ada.get("/api/v1/session").json["by"] == "certificate"
    assert eve.get("/api/v1/session").code == "not-logged-in"
    assert eve.post("/api/v1/session", {}).code == "not-logged-in"
    # a browser sends it along for other people's pages
    assert ada.post("/api/v1/tokens", {"name": "x"}, Origin="https://evil.example").code == "csrf"
    assert ada.post("/api/v1/tokens", {"name": "x"}, **{"Sec-Fetch-Site": "cross-site"}).code == "csrf"
    assert ada.post("/api/v1/tokens", {"name": "x"}).status == 200
    session = Session(registrar, ada.post("/api/v1/session", {}))
    assert session.get("/api/v1/session").json["user"] == name
    registrar.ctl("users", "certificate", name, mine[0], "--forget")
    assert ada.get("/api/v1/session").code == "not-logged-in"


def test_the_last_admin_goes_only_at_the_socket(registrar, local):
    session, name = new_session(registrar, role="admin")
    others = [u["name"] for u in local.get("/api/v1/users").json["items"] if u["name"] != name
              and any(g["role"] == "admin" and not g["site"] and not g["manufacturer"]
                      for g in u["grants"])]
    for other in others:
        assert local.post(f"/api/v1/users/{other}/remove").status == 200
    mine = f"/api/v1/users/{name}"
    assert session.post(mine + "/disable").code == "conflict"
    assert session.post(mine + "/remove").code == "conflict"
    assert session.post(mine + "/ungrant", {"role": "admin"}).code == "conflict"
    soon = {"role": "admin", "until": "2099-01-01T00:00:00Z"}
    assert session.post(mine + "/grant", soon).code == "conflict"
    assert session.get(mine).json["grants"][0]["until"] is None
    second, _ = new_session(registrar, role="admin")
    assert session.post(mine + "/ungrant", {"role": "admin"}).status == 200
    assert session.get("/api/v1/users").code == "not-allowed"
    assert second.get("/api/v1/users").status == 200
    assert local.post(f"/api/v1/users/{second.who['user']}/remove").status == 200


# -- suppliers, and bounds in general

def send_list(api, *rows):
    text = "manufacturer,serial,site\n" + "".join(f"{','.join(r)}\n" for r in rows)
    return api.request("POST", "/api/v1/claims/import", text, {"Content-Type": "text/csv"})


def results(reply):
    return [(r["serial"], r["result"]) for r in reply.json["results"]]


def test_what_a_supplier_announces_waits_for_somebody_else(token_of, local, acme, registrar):
    supplier = token_of(role="supplier", manufacturer=acme.name)
    rows = [(acme.name, "SUP-1", "/eu"), (acme.name, "SUP-2", "")]
    assert results(send_list(supplier, *rows)) == [("SUP-1", "announced"), ("SUP-2", "announced")]
    assert results(send_list(supplier, *rows)) == [("SUP-1", "unchanged"), ("SUP-2", "unchanged")]
    shown = supplier.get("/api/v1/claims/SUP-1").json
    assert (shown["claim"], shown["site"]) == ("announced", "/eu")
    assert supplier.post("/api/v1/claims/SUP-1/approve").code == "not-allowed"
    assert supplier.post("/api/v1/devices/SUP-1/revoke").code == "not-allowed"
    listed = local.get("/api/v1/claims?state=announced").json["items"]
    assert {"SUP-1", "SUP-2"} <= {c["serial"] for c in listed}
    # who may decide, does: by name or with a list of their own
    assert local.post("/api/v1/claims/SUP-1/approve").status == 200
    assert local.get("/api/v1/claims/SUP-1").json["claim"] == "preapproved"
    assert results(send_list(local, rows[1])) == [("SUP-2", "preapproved")]
    assert local.post("/api/v1/claims/SUP-2/reject", {"change": True}).status == 200
    assert results(send_list(supplier, rows[1])) == [("SUP-2", "rejected")]


def test_a_supplier_of_another_manufacturer_is_told_nothing(token_of, local, acme, registrar):
    assert send_list(local, (acme.name, "SECRET-1", "")).status == 200
    user, _ = add_user(local)
    assert local.post(f"/api/v1/users/{user}/grant", {
        "role": "supplier", "manufacturer": "Unknown"}).code == "input"
    assert local.post(f"/api/v1/users/{user}/grant", {"role": "supplier"}).code == "input"
    elsewhere = token_of(role="supplier", manufacturer=acme.name, site="/us")
    bad = send_list(elsewhere, (acme.name, "OUT-1", "/eu"), (acme.name, "OUT-2", "/us/dock"))
    assert bad.status == 400 and not bad.json["summary"]["imported"]
    assert [r["reason"] for r in bad.json["results"]] == ["you may not announce such devices there"]
    assert local.get("/api/v1/claims/OUT-2").code == "not-found"
    assert elsewhere.get("/api/v1/claims/SECRET-1").code == "not-found"
    assert "SECRET-1" not in json.dumps(elsewhere.get("/api/v1/claims?limit=1000").json)


def test_a_supplier_decides_where_a_site_delegates_it(registrar, local, acme):
    session, name = new_session(registrar, role="supplier", manufacturer=acme.name)
    delegated = {"role": "approver", "manufacturer": acme.name, "site": "/eu/dock",
                 "until": "2099-01-01T00:00:00Z"}
    assert local.post(f"/api/v1/users/{name}/grant", delegated).status == 200
    done = send_list(session, (acme.name, "DEL-1", "/eu/dock/3"), (acme.name, "DEL-2", "/eu"))
    assert results(done) == [("DEL-1", "preapproved"), ("DEL-2", "announced")]
    assert local.get("/api/v1/claims/DEL-1").json["by"] == name
    assert session.post("/api/v1/claims/DEL-2/approve").code in ("not-allowed", "not-found")
    assert local.post(f"/api/v1/users/{name}/ungrant", delegated).status == 200
    assert results(send_list(session, (acme.name, "DEL-3", "/eu/dock/3"))) == [
        ("DEL-3", "announced")]


def test_what_is_out_of_bounds_is_not_there(token_of, local, acme):
    assert send_list(local, (acme.name, "EU-1", "/eu/x"), (acme.name, "US-1", "/us/x")).status == 200
    bounded = token_of(role="operator", site="/eu")
    claims = bounded.get("/api/v1/claims?limit=1000").json["items"]
    assert "EU-1" in {c["serial"] for c in claims}
    assert {c["site"].split("/")[1] for c in claims} == {"eu"}
    for path in ("claims/US-1", "claims/US-1/approve", "claims/US-1/reject",
                 "devices/US-1/revoke", "devices/US-1/quarantine"):
        method = "GET" if path.count("/") == 1 else "POST"
        assert bounded.request(method, "/api/v1/" + path, {"reason": "x"} if method == "POST" else None
                               ).code in ("not-found", "unknown-device"), path
    # nor is a place to send things to
    assert bounded.post("/api/v1/claims/EU-1/approve", {"site": "/us", "change": True}).status in (403, 404)
    assert results(send_list(bounded, (acme.name, "EU-2", "/eu/x"))) == [("EU-2", "preapproved")]
    assert send_list(bounded, (acme.name, "EU-3", "/us/x")).status == 400
    assert send_list(bounded, (acme.name, "US-1", "/eu/x")).status == 400
    assert local.get("/api/v1/claims/US-1").json["site"] == "/us/x"


def test_how_much_others_have_is_not_told(token_of, local, acme):
    assert send_list(local, (acme.name, "NUM-1", "/us/x")).status == 200
    everything = token_of(role="viewer").get("/api/v1/status").json
    assert everything["claims"]["preapproved"] >= 1 and everything["masas"]
    bounded = token_of(role="viewer", site="/eu").get("/api/v1/status").json
    assert not {"claims", "devices", "expiring", "problems", "store_bytes"} & set(bounded)
    assert (bounded["claims_pending"], bounded["masas"]) == (0, [])
    supplier = token_of(role="supplier", manufacturer=acme.name).get("/api/v1/status").json
    assert [m["manufacturer"] for m in supplier["masas"]] == [acme.name]


def test_a_grant_ends_by_itself(registrar, local):
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    user, _ = add_user(local, role="viewer", until=soon.strftime("%Y-%m-%dT%H:%M:%SZ"))
    token = local.post("/api/v1/tokens", {"name": "robot", "user": user}).json["token"]
    api = Api(registrar, registrar.admin_port, {"Authorization": f"Bearer {token}"})
    assert api.get("/api/v1/claims").status == 200
    registrar.clock.set(3600)
    try:
        assert api.get("/api/v1/claims").status == 403
        assert api.get("/api/v1/session").json["may"] == []
    finally:
        registrar.clock.set(0)
