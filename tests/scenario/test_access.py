# SPDX-License-Identifier: Apache-2.0
"""Who may in, and what an attacker finds: users, one-time codes, sessions, tokens, certificates."""
import json
import re
import time

import pytest

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
    r = harness.Registrar(place / "registrar", domain, [acme],
                          changes={"admin": {"listen": f"127.0.0.1:{port}", "web": web}})
    r.admin_port = port
    with harness.running(r):
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
