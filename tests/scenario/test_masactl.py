# SPDX-License-Identifier: Apache-2.0
"""masactl: a MASA from nothing, how it is, a copy of it and that copy put back."""
import contextlib
import hashlib
import json
import shutil
import signal
import sqlite3
import types

import pytest

import harness
from brski_peer.ports import free_port

DAY = 86400


class Fresh(harness.Daemon):
    """A MASA as setup leaves it; a drop-in moves it to a free port."""

    def __init__(self, cell):
        self.etc, self.state = cell / "etc", cell / "var"
        self.socket = self.state / "admin.sock"
        super().__init__("masa", self.etc, free_port())

    def setup(self, *args, check=0):
        return harness.run(harness.program("masactl"), "setup", "--directory", self.etc, "--state",
                           self.state, *args, check=check)

    def ctl(self, *args, check=0):
        return harness.run(harness.program("masactl"), "-s", self.socket, *args, check=check)

    def move(self):
        (self.etc / "masa.conf.d").mkdir()
        harness.write_conf(self.etc / "masa.conf.d" / "test.conf", {
            "server": {"listen": f"127.0.0.1:{self.port}", "workers": 1},
            "log": {"level": "debug"}})

    def move_to(self, store, socket):
        """Another store, another socket, another port; keys and all else stay."""
        harness.write_conf(self.etc / "masa.conf.d" / "test.conf", {
            "server": {"listen": f"127.0.0.1:{self.port}", "workers": 1},
            "store": {"path": store}, "admin": {"socket": socket}})


@pytest.fixture
def masa(cell):
    fresh = Fresh(cell)
    clock = harness.Clock(cell / "clock")
    fresh.env.update(clock.env())
    fresh.clock = clock
    fresh.setup("--yes", "--name", "Gadgets", "--host", "localhost")
    fresh.move()
    return fresh


def status(masa):
    return json.loads(masa.ctl("status", "-o", "json").stdout)


def doctor(masa, code=0):
    return {row["check"]: row for row in json.loads(masa.ctl("doctor", "-o", "json",
                                                             check=code).stdout)}


def make_devices(masa, cell, *serials):
    for serial in serials:
        harness.run(harness.program("brski-certs"), "idevid", "--ca", masa.state / "ca", "--out",
                    cell / "devices", "--serial", serial, "--masa-url", f"localhost:{masa.port}",
                    check=0)
    masa.ctl("devices", "import", cell / "devices" / "manifest.csv")


def test_a_fresh_masa__vouches_for_what_its_factory_makes(masa, domain, cell):
    again = masa.setup("--name", "Other").stdout
    assert "nothing was changed" in again and "made" not in again
    anchors = masa.state / "ca" / "root.crt"

    class Maker:
        name = "gadgets"
    Maker.anchors = anchors
    registrar = harness.Registrar(cell / "r", domain, [Maker])
    with harness.running(masa, registrar):
        now = status(masa)
        assert now["health"] == "warn" and now["problems"] == ["No device is known here."]
        assert doctor(masa)["devices"]["verdict"] == "warn"
        make_devices(masa, cell, "G-1")
        assert status(masa)["health"] == "ok" and status(masa)["devices_known"] == 1
        pledge = harness.Pledge(cell / "p", cell / "devices" / "G-1.key",
                                cell / "devices" / "G-1.crt", anchors,
                                [f"https://127.0.0.1:{registrar.port}"])
        assert pledge.join().returncode == 0, pledge.log()
        assert status(masa)["vouchers"] == 1
        screen = masa.ctl("status").stdout
        assert "vouchers" in screen and "voucher signer" in screen


def test_status_and_doctor__of_a_signer_that_ends(masa):
    with harness.running(masa):
        masa.clock.set(3640 * DAY)
        assert doctor(masa, 1)["voucher signer"]["verdict"] == "warn"
        assert doctor(masa, 1)["server certificate"]["verdict"] == "fail"
        assert status(masa)["health"] == "fail"
        assert masa.ctl("status", "--quiet", check=1).stdout == ""
    masa.ctl("status", check=6)
    masa.ctl("doctor", check=6)


def test_a_backup__goes_back_to_where_it_was(masa, cell):
    copy = cell / "copy.db"
    with harness.running(masa):
        make_devices(masa, cell, "G-1")
        assert status(masa)["backup"] is None
        masa.ctl("backup", copy)
        assert status(masa)["backup"]
        masa.ctl("backup", copy, check=1)  # never over a file
        make_devices(masa, cell, "G-2")
        assert status(masa)["devices_known"] == 2
        done = harness.run(*masa.argv, "--restore", copy)
        assert done.returncode == 1 and "in use" in done.stderr, done.stderr
    assert "restored" in masa.ctl("restore", copy, "--config", masa.config).stdout
    masa.ctl("restore", cell / "nothing.db", "--config", masa.config, check=1)
    with harness.running(masa):
        assert status(masa)["devices_known"] == 1
        masa.ctl("devices", "show", "G-1")
        masa.ctl("devices", "show", "G-2", check=3)


def test_restore__of_what_is_no_store_of_a_masa__leaves_all_as_it_was(masa, cell):
    (cell / "text").write_text("no store")
    other = sqlite3.connect(cell / "other.db")
    other.execute("CREATE TABLE t (a)")
    other.commit()
    other.close()
    with harness.running(masa):
        make_devices(masa, cell, "G-1")
    for wrong in ("text", "other.db", "nothing"):
        assert harness.run(*masa.argv, "--restore", cell / wrong).returncode == 1
    with harness.running(masa):
        assert status(masa)["devices_known"] == 1


# ---- the audit log ----


@pytest.fixture(scope="module")
def vouched(lab):
    """A MASA that has issued three vouchers, stopped again."""
    cell = lab / "vouched"
    cell.mkdir()
    masa = Fresh(cell)
    masa.setup("--yes", "--name", "Gadgets", "--host", "localhost")
    masa.move()
    maker = types.SimpleNamespace(name="gadgets", anchors=masa.state / "ca" / "root.crt")
    registrar = harness.Registrar(cell / "r", harness.Domain(cell / "domain"), [maker])
    with harness.running(masa, registrar):
        make_devices(masa, cell, "G-1", "G-2", "G-3")
        for serial in ("G-1", "G-2", "G-3"):
            pledge = harness.Pledge(cell / serial, cell / "devices" / f"{serial}.key",
                                    cell / "devices" / f"{serial}.crt", maker.anchors,
                                    [f"https://127.0.0.1:{registrar.port}"])
            assert pledge.join().returncode == 0, pledge.log()
        masa.cell = cell
        yield masa


@contextlib.contextmanager
def changed(masa, cell, *statements):
    """The same MASA on a copy of its store, to which somebody has been."""
    other = Fresh(cell)
    shutil.copytree(masa.etc, other.etc)
    other.move_to(cell / "masa.db", other.state / "admin.sock")
    other.state.mkdir()
    masa.ctl("backup", cell / "masa.db")
    with sqlite3.connect(cell / "masa.db") as db:
        db.create_function("chain_hash", -1, chain_hash)
        for name in ("events_stay", "events_are_kept"):
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(statement)
    db.close()
    with harness.running(other):
        yield other


def chain_hash(previous, *fields):
    text = (b"-" if f is None else b"%d:%s" % (len(str(f).encode()), str(f).encode()) for f in fields)
    return hashlib.sha256((previous or bytes(32)) + b"".join(text)).digest()


RECHAIN = """UPDATE events SET hash = chain_hash((SELECT e.hash FROM events AS e WHERE e.id = events.id - 1),
 id, date, (SELECT serial FROM devices WHERE devices.id = device), domain_id, lower(hex(domain_key)), nonce,
 assertion, expires_on, content, registrar) WHERE id = {}"""


def test_the_audit_log__is_whole_as_it_was_written(vouched, cell):
    said = vouched.ctl("audit", "verify").stdout
    assert "lines 1 to 3" in said and "1 signed heads" in said, said
    head = said.splitlines()[1].split()[-1]
    export = cell / "export.ndjson"
    export.write_text(vouched.ctl("audit", "export").stdout)
    root = vouched.state / "ca" / "root.crt"
    vouched.ctl("audit", "verify", export, "--anchors", root, "--expect", head)
    assert [row["serial"] for row in json.loads(vouched.ctl("audit", "list", "-o", "json").stdout)] == [
        "G-1", "G-2", "G-3"]
    assert doctor(vouched)["audit log"]["verdict"] == "ok"
    lines = export.read_text().splitlines()
    for damaged in (lines[:-1], lines[:1] + lines[2:], lines[:1] + lines[2:0:-1] + lines[3:],
                    [line.replace("G-2", "G-9") for line in lines], lines[1:]):
        export.write_text("\n".join(damaged) + "\n")
        assert "NOT whole" in vouched.ctl("audit", "verify", export, "--anchors", root, check=1).stderr
    with changed(vouched, cell / "copy") as other:
        other.ctl("audit", "verify")


@pytest.mark.parametrize("statements", [
    ["UPDATE events SET nonce = 'AAAA' WHERE id = 2"],
    ["UPDATE events SET domain_key = zeroblob(32) WHERE id = 2"],
    ["UPDATE events SET content = '{}' WHERE id = 1"],
    ["UPDATE events SET expires_on = 1 WHERE id = 3"],
    ["UPDATE events SET device = 1 WHERE id = 3"],
    ["DELETE FROM events WHERE id = 3"],
    ["DELETE FROM events WHERE id = 2"],
    ["DELETE FROM events WHERE id = 1"],
    ["UPDATE events SET id = 9 WHERE id = 2", "UPDATE events SET id = 2 WHERE id = 3",
     "UPDATE events SET id = 3 WHERE id = 9"],
    ["UPDATE events SET registrar = 'nobody' WHERE id = 2", RECHAIN.format(2), RECHAIN.format(3)],
    ["UPDATE events SET hash = NULL"],
    ["UPDATE head SET hash = zeroblob(32)"],
], ids=str)
def test_the_audit_log__shows_every_change(vouched, cell, statements):
    with changed(vouched, cell / "copy", *statements) as other:
        assert other.ctl("audit", "verify", check=1).stderr


@pytest.mark.parametrize("statements", [
    ["DELETE FROM events WHERE id = 3"],
    ["UPDATE events SET registrar = 'nobody' WHERE id = 2", RECHAIN.format(2), RECHAIN.format(3)],
], ids=str)
def test_the_audit_log__with_another_end__is_said_at_the_start(vouched, cell, statements):
    with changed(vouched, cell / "copy", *statements) as other:
        other.wait_log("alert-journal-altered")
        assert doctor(other, 1)["audit log"]["verdict"] == "fail"


def test_the_audit_log__is_not_changed_by_a_slip_of_the_hand(vouched):
    db = sqlite3.connect(vouched.state / "masa.db")
    for statement in ("DELETE FROM events", "UPDATE events SET nonce = NULL"):
        with pytest.raises(sqlite3.DatabaseError, match="only added to"):
            db.execute(statement)
    db.close()


def test_import__of_a_dry_run__looks_at_every_row_and_writes_none(masa, cell):
    good, bad = cell / "good.csv", cell / "bad.csv"
    good.write_text("serial\nG-1\nG-2\n")
    bad.write_text("serial,owner\nG-1,\nG-2,nobody\n")
    with harness.running(masa):
        said = masa.ctl("devices", "import", good, "--dry-run").stdout
        assert said == "2 devices, all good; nothing was imported\n"
        assert "bad.csv:3: no owner nobody" in masa.ctl("devices", "import", bad, "--dry-run",
                                                        check=1).stderr
        assert masa.ctl("devices", "list", "-o", "ids").stdout == ""
        assert "2 new" in masa.ctl("devices", "import", good).stdout
        assert masa.ctl("devices", "list", "-o", "ids").stdout == "G-1\nG-2\n"


# ---- from elsewhere ----


class Elsewhere:
    """masactl over HTTPS to a MASA that has such a listener; tokens and the lines of its file."""

    def __init__(self, masa, cell):
        self.masa, self.cell, self.port = masa, cell, free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.lines = cell / "masa.tokens"
        self.lines.write_text("# nobody yet\n")
        self.lines.chmod(0o644)
        harness.write_conf(masa.etc / "masa.conf.d" / "zz-elsewhere.conf", {
            "admin": {"listen": f"127.0.0.1:{self.port}", "tokens": self.lines}})
        self.ca = masa.state / "ca" / "root.crt"

    def token(self, name, *args):
        """A file with a new token; its line is added to the MASA's, which has to read it yet."""
        made = json.loads(harness.run(harness.program("masactl"), "tokens", "new", name, *args,
                                      "-o", "json", check=0).stdout)
        assert made["token"] not in made["line"]
        with open(self.lines, "a", encoding="utf-8") as out:
            out.write(made["line"] + "\n")
        return self.file(name, made["token"])

    def file(self, name, text):
        path = self.cell / f"{name}.token"
        path.write_text(text + "\n")
        path.chmod(0o600)
        return path

    def ctl(self, token, *args, check=0, ca=None, env=None):
        shown = ["--token-file", token] if token else []
        return harness.run(harness.program("masactl"), "--url", self.url, *shown, "--cacert",
                           ca or self.ca, *args, env=env, check=check)


@pytest.fixture
def elsewhere(masa, cell):
    return Elsewhere(masa, cell)


def reload(masa, event="reloaded"):
    since = masa.log_size()
    masa.signal(signal.SIGHUP)
    masa.wait_log(f"event={event}", since=since)


def made_here(masa, cell, *serials):
    make = [harness.program("brski-certs"), "idevid", "--ca", masa.state / "ca",
            "--out", cell / "devices", "--masa-url", f"localhost:{masa.port}"]
    for serial in serials:
        harness.run(*make, "--serial", serial, check=0)
    return cell / "devices" / "manifest.csv"


def test_tokens__from_elsewhere__do_what_their_line_says(masa, elsewhere, cell):
    boss = elsewhere.token("boss", "--days", "2")
    reader = elsewhere.token("reader", "--read")
    manifest = made_here(masa, cell, "G-1")
    with harness.running(masa):
        refused = elsewhere.ctl(reader, "devices", "import", manifest, check=5)
        assert "may only read" in refused.stderr
        assert elsewhere.ctl(reader, "devices", "list", "-o", "ids").stdout == ""
        elsewhere.ctl(reader, "backup", cell / "copy.db", check=5)
        assert not (cell / "copy.db").exists()
        assert "1 new" in elsewhere.ctl(boss, "devices", "import", manifest).stdout
        elsewhere.ctl(boss, "owners", "add", "site", elsewhere.ca)
        assert elsewhere.ctl(reader, "devices", "list", "-o", "ids").stdout == "G-1\n"
        assert json.loads(elsewhere.ctl(reader, "status", "-o", "json").stdout)["health"] == "ok"
        env = {"MASACTL_URL": elsewhere.url, "MASACTL_TOKEN_FILE": str(reader),
               "MASACTL_CACERT": str(elsewhere.ca)}
        assert harness.run(harness.program("masactl"), "devices", "list", "-o", "ids", env=env,
                           check=0).stdout == "G-1\n"
        assert masa.ctl("devices", "list", "-o", "ids").stdout == "G-1\n"
    lines = masa.log().splitlines()
    for event, by in (("devices-imported", "boss"), ("owner-changed", "boss"),
                      ("admin-denied", "reader")):
        assert any(event in line and f"by=token:{by}" in line for line in lines), event
    for token in (boss, reader):
        assert token.read_text().strip() not in masa.log()


def test_tokens__missing_wrong_or_ended__open_nothing(masa, elsewhere):
    boss = elsewhere.token("boss", "--days", "2")
    wrong = elsewhere.file("wrong", "brski-" + "0" * 64)
    digest = elsewhere.file("digest", elsewhere.lines.read_text().split()[-3])  # what the file has
    with harness.running(masa):
        elsewhere.ctl(boss, "status")
        for verb in (["status"], ["devices", "list"], ["audit", "verify"]):
            assert "--token-file" in elsewhere.ctl(None, *verb, check=5).stderr
            for bad in (wrong, digest):
                assert "tokens new" in elsewhere.ctl(bad, *verb, check=5).stderr
        masa.clock.set(2 * DAY + 60)
        assert "tokens new" in elsewhere.ctl(boss, "status", check=5).stderr
        masa.ctl("status", "--quiet")
    assert "the token boss has ended" in masa.log()


def test_tokens__of_a_file_that_changed__count_from_the_reload(masa, elsewhere):
    boss = elsewhere.token("boss")
    before = elsewhere.lines.read_text()
    with harness.running(masa):
        late = elsewhere.token("late")
        elsewhere.ctl(late, "status", check=5)
        reload(masa)
        elsewhere.ctl(late, "status")
        elsewhere.lines.chmod(0o666)
        elsewhere.lines.write_text(before)
        reload(masa, "reload-failed")
        elsewhere.ctl(late, "status")  # nothing has changed
        elsewhere.lines.chmod(0o644)
        reload(masa)
        elsewhere.ctl(late, "status", check=5)
        elsewhere.ctl(boss, "status")


def test_listeners__serve_their_own_and_are_known_by_their_ca(masa, elsewhere, domain):
    boss = elsewhere.token("boss")
    with harness.running(masa):
        said = elsewhere.ctl(boss, "status", check=1, ca=domain.file("root.crt"))
        assert "--cacert" in said.stderr

        def status_of(port, path, *more):
            return harness.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert",
                               elsewhere.ca, "-H",
                               f"Authorization: Bearer {boss.read_text().strip()}", *more,
                               f"https://127.0.0.1:{port}{path}", check=0).stdout
        assert status_of(elsewhere.port, "/api/v1/status") == "200"
        assert status_of(masa.port, "/api/v1/status") == "404"
        post = ["-X", "POST", "-d", "x"]
        assert status_of(elsewhere.port, "/.well-known/brski/requestvoucher", *post) == "404"
        assert status_of(masa.port, "/.well-known/brski/requestvoucher", *post) == "415"


@pytest.mark.parametrize("changes, said", [
    ({"tokens": None}, "listen needs tokens"),
    ({"key": "x.key"}, "key and certificate go together"),
    ({"listen": "127.0.0.1:SERVER"}, "another port"),
    ({"listen": "[::]:SERVER"}, "another port"),
    ({"listen": "nowhere"}, "[admin]"),
    ({"tokens": "/dev/null/none"}, "[admin] tokens"),
])
def test_options_of_the_listener__that_do_not_fit__are_refused(masa, elsewhere, changes, said):
    options = {"listen": f"127.0.0.1:{elsewhere.port}", "tokens": elsewhere.lines,
               **changes}
    options["listen"] = options["listen"] and options["listen"].replace("SERVER", str(masa.port))
    harness.write_conf(masa.etc / "masa.conf.d" / "zz-elsewhere.conf", {"admin": options})
    done = harness.run(*masa.argv, "--check", check=1)
    assert said in done.stderr, done.stderr


def test_tokens_new__names_and_days_that_are_none__are_refused():
    def new(*args, check=2):
        return harness.run(harness.program("masactl"), "tokens", "new", *args, check=check)

    for args in (["a b"], [""], ["x" * 65], ["a", "--days", "0"], ["a", "--days", "x"],
                 ["a", "--days", "3651"]):
        assert new(*args).stdout == ""
    made = new("a", "-o", "ids", check=0)
    token = made.stdout.strip()
    assert token != new("a", "-o", "ids", check=0).stdout.strip()
    assert made.stderr.split() == ["a", hashlib.sha256(token.encode()).hexdigest(), "all"]
    assert new("a", "--read", "-o", "csv", check=0).stdout.endswith(" read\n")
    assert "--token-file" in new("a", check=0).stdout
