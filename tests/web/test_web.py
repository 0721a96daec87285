# SPDX-License-Identifier: Apache-2.0
"""The pages in a browser (headless Chromium, driven by driver.mjs) against a real registrar, MASA and
pledges. Each test is a story of stories/; what only Python can do for it, it asks for by name. The
browser's console has to stay silent. Pictures are left in build/browser/."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import harness
from admin_api import Api
from places import Site

HERE = pathlib.Path(__file__).resolve().parent
WEB = harness.REPOSITORY / "web"
PASSWORD = "correct horse battery staple"  # as in steps.mjs
ROLES = {"lena": "admin", "anna": "admin", "vera": "viewer", "otto": "approver", "susi": "supplier"}


def install():
    """playwright-core as package-lock.json pins it, once for a build directory; None, or why not."""
    where = harness.BUILD / "browser" / "deps"
    if not shutil.which("node") or not shutil.which("npm"):
        return "node and npm are not installed"
    if not pathlib.Path(os.environ.get("CHROMIUM", "/usr/bin/chromium")).exists():
        return "chromium is not installed"
    where.mkdir(parents=True, exist_ok=True)
    wanted = (HERE / "package-lock.json").read_text()
    done = where / "installed"
    if done.exists() and done.read_text() == wanted:
        return None
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, where / name)
    made = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=where,
                          capture_output=True, text=True, timeout=180)
    if made.returncode:
        return f"npm cannot install playwright-core: {made.stderr[-300:]}"
    done.write_text(wanted)
    return None


class Browser:
    """driver.mjs, and the requests of the stories it tells."""

    def __init__(self, url, requests):
        self.requests = requests
        self.log = harness.BUILD / "browser" / "driver.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.popen = subprocess.Popen(
            ["node", HERE / "driver.mjs", json.dumps({"build": str(harness.BUILD), "url": url})],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self.log, "w"), text=True)

    def write(self, value):
        self.popen.stdin.write(json.dumps(value) + "\n")
        self.popen.stdin.flush()

    def tell(self, story, *args):
        self.write({"story": story, "args": args})
        for line in self.popen.stdout:
            said = json.loads(line)
            if "told" in said:
                return
            if "failed" in said:
                pytest.fail(said["failed"], pytrace=False)
            try:
                self.write({"value": getattr(self.requests, said["ask"])(*said["args"])})
            except Exception as error:  # the story says where it was
                self.write({"error": repr(error)})
        pytest.fail(f"the browser ended: {self.log.read_text()[-2000:]}", pytrace=False)

    def close(self):
        self.popen.stdin.close()
        try:
            self.popen.wait(20)
        except subprocess.TimeoutExpired:
            self.popen.kill()


class Requests:
    """What stories ask for."""

    def __init__(self, site, port):
        self.site, self.port, self.devices = site, port, {}
        self.local = Api(site.registrar)
        self.users = set()
        self.furnished = None

    # -- people

    def code(self, user):
        """A new user's one-time code."""
        bounds = {"manufacturer": self.site.manufacturer.name} if ROLES[user] == "supplier" else {}
        answer = self.local.post("/api/v1/users", {"name": user, "role": ROLES[user], **bounds})
        assert answer.status == 200, answer.body
        return answer.json["code"]

    def have_user(self, user):
        if user in self.users:
            return
        outside = Api(self.site.registrar, self.port)
        answer = outside.post("/api/v1/session", {"user": user, "code": self.code(user), "new_password": PASSWORD})
        assert answer.status == 200, answer.body
        self.users.add(user)

    # -- devices

    def device(self):
        device = self.site.device()
        self.devices[device.serial] = device
        return device.serial

    def hold(self):
        """A device asks and is held."""
        serial = self.device()
        with self.site.peer(self.devices[serial]) as peer:
            assert peer.request_voucher().status == 202
        return serial

    def hold_many(self, first, count):
        harness.run(harness.program("bench/loadgen"), "--port", self.site.registrar.port, "--ca",
                    self.site.manufacturer.directory, "--masa-url", self.site.masa_url, "--clients", 1,
                    "--first", first, "--count", count, "--polls", 1, check=0)

    def join(self, serial):
        return self.site.pledge(self.devices[serial]).join().returncode

    def joined(self):
        serial = self.hold()
        self.ctl("claims", "approve", serial)
        assert self.join(serial) == 0
        return serial

    def some_device(self):
        return self.furnished

    # -- the registrar

    def ctl(self, *args):
        return self.site.registrar.ctl(*args).stdout

    def claims(self):
        items, after = [], 0
        while after is not None:
            page = self.local.get(f"/api/v1/claims?limit=1000&after={after}").json
            items += page["items"]
            after = page["next"]
        return items

    def claim(self, serial):
        return [c for c in self.claims() if c["serial"] == serial][0]

    def count(self, state, reason=None):
        return len([c for c in self.claims() if c["claim"] == state and reason in (None, c["reason"])])

    def stop(self):
        self.site.registrar.stop()

    def start(self):
        self.site.registrar.start()

    def furnish(self):
        """Something of everything, so that pages have something to show."""
        if self.furnished:
            return
        self.furnished = self.joined()
        self.hold()
        self.ctl("claims", "reject", self.hold(), "--reason", "not in the order")
        for path, body in (("sites/add", {"path": "/eu/de/berlin-3", "name": "Berlin, hall 3"}),
                           ("rules", {"action": "hold", "serial": "X-*", "reason": "not yet"}),
                           ("hooks", {"url": "https://hooks.invalid/brski", "types": "claim.*"})):
            answer = self.local.post(f"/api/v1/{path}", body)
            assert answer.status == 200, (path, answer.body)


@pytest.fixture(scope="module")
def here(place, acme, domain):
    port = harness.free_port()
    masa = harness.Masa(place / "masa", acme)
    registrar = harness.Registrar(place / "registrar", domain, [acme],
                                  changes={f"manufacturer {acme.name}": {"admit": "hold"},
                                           "admin": {"listen": f"127.0.0.1:{port}", "web": WEB}})
    with harness.running(masa, registrar):
        yield Requests(Site(place, acme, domain, masa, registrar), port)


@pytest.fixture(scope="module")
def browser(here):
    why = install()
    if why:
        pytest.skip(why)
    with contextlib.closing(Browser(f"https://127.0.0.1:{here.port}", here)) as b:
        yield b


# -- stories

def test_the_first_log_in_is_by_code_and_the_next_by_password(browser, here):
    code = here.code("lena")
    browser.tell("log_in", "lena", code)


def test_a_device_is_approved_and_followed_until_it_joined(browser):
    browser.tell("approve_one")


def test_four_hundred_are_approved_after_a_preview(browser, here):
    before = {c["serial"] for c in here.claims()}
    here.hold_many(1, 400)
    serials = [c["serial"] for c in here.claims() if c["serial"] not in before]
    common = os.path.commonprefix(serials)
    assert len(serials) == 400 and common
    browser.tell("approve_many", f"serial={common}*", {"first": 401, "count": 1})


def test_a_rejection_has_a_reason(browser):
    browser.tell("reject")


def test_a_list_with_bad_rows_is_corrected_and_imported(browser):
    browser.tell("import")


def test_what_a_supplier_announces_is_found_and_approved(browser):
    browser.tell("announce")


def test_a_device_is_replaced(browser):
    browser.tell("replace")


def test_an_old_page_asks_to_be_loaded_again(browser):
    browser.tell("old_page")


def test_the_slower_of_two_administrators_sees_what_changed(browser):
    browser.tell("stale")


def test_a_mouse_is_not_needed(browser):
    browser.tell("keyboard")


def test_who_may_only_look_gets_no_buttons(browser):
    browser.tell("viewer")


def test_a_restart_and_an_ended_session_lose_nothing(browser):
    browser.tell("lost")


def test_pages_are_for_everybody(browser):
    browser.tell("every_page", ["overview", "claims"])


@pytest.mark.slow
def test_all_pages_are_for_everybody(browser):
    browser.tell("every_page", ["devices", "certificates", "import", "rules", "sites", "manufacturers", "events",
                                "audit", "users", "system"])


@pytest.mark.slow
def test_what_is_done_now_and_then(browser, here, cell):
    here.furnish()
    browser.tell("administer", str(cell))


@pytest.mark.slow
def test_two_people_have_to_agree_where_a_site_wants_it(browser):
    browser.tell("two_people")


@pytest.mark.slow
def test_a_decision_about_many_more_is_followed(browser, here, cell):
    (cell / "list.csv").write_text("manufacturer,serial\n" + "".join(f"Acme,J-{i:05d}\n" for i in range(1500)))
    here.ctl("claims", "import", cell / "list.csv")
    browser.tell("job")


# -- the files

SOURCES = sorted(p for p in WEB.rglob("*") if p.is_file())


def test_the_files_are_of_this_version():
    made = re.search(r"^VERSION = (\S+)", (harness.REPOSITORY / "Makefile").read_text(), re.M)
    assert f"'{made.group(1)}'" in (WEB / "version.js").read_text()


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: str(p.relative_to(WEB)))
def test_a_file_makes_no_markup_from_text_and_takes_nothing_from_outside(source):
    text = source.read_text()
    assert "SPDX-License-Identifier: Apache-2.0" in text[:300]
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(",
                 "sessionStorage", "style="):
        assert word not in text, word
    for url in re.findall(r"""https?://[^\s'"`]+""", text):
        assert re.match(r"http://www\.w3\.org/|https://(example|hooks)\.", url), url
    if "localStorage" in text:  # the colours, and whether to ask who one is
        assert source.name in ("theme.js", "api.js")
    for wanted in re.findall(r"""from '(\.[^']+)'|(?:src|href)="([a-z][\w./-]*\.\w+)\"""", text):
        name = wanted[0] or wanted[1]
        assert (source.parent / name).is_file(), name


def test_pages_ask_for_what_is_described():
    described = json.loads((harness.REPOSITORY / "docs/openapi/registrar.json").read_text())["paths"]
    known = {(method, re.sub(r"{[^}]*}", "X", path.removeprefix("/api/v1")))
             for path, methods in described.items() for method in methods}
    asked = re.findall(r"""(get|post|one|call)\((?:'(GET|POST|DELETE)', )?(?:`(/[^`]*)`|'(/[^']*)')""",
                       (WEB / "api.js").read_text())
    assert len(asked) > 40
    for function, method, *paths in asked:
        path = "".join(paths)
        method = (method or ("POST" if function == "post" else "GET")).lower()
        path = re.sub(r"\$\{query\(.*", "", path)
        path = re.sub(r"\$\{path\((\w+)\)\}", "/X", path)
        path = re.sub(r"\$\{path\(\w+, '(\w+)'\)\}", r"/X/\1", path)
        path = re.sub(r"\$\{path\(\w+, verb\)\}", "/X/[a-z/]+", path)
        path = re.sub(r"\$\{verb\}", "[a-z/]+", path)
        assert any(m == method and re.fullmatch(path, p) for m, p in known), (method, path)
