# SPDX-License-Identifier: Apache-2.0
"""Hooks: events reach a program of the site signed, in order and at least once, whatever the program
does; what it never takes is kept where an administrator sees it."""
import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time

import pytest

import harness
import stores
from brski_peer.ports import free_port
from places import Site


class Receiver:
    """An HTTP server that keeps what it is sent and answers with what `answers` has next, then 204.
    An answer is a status, "hang", or a function of the handler."""

    def __init__(self, tls=None, port=0):
        self.got, self.answers, self.lock = [], [], threading.Lock()
        self.released = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    receiver.got.append((dict(self.headers), body, self.path))
                    answer = receiver.answers.pop(0) if receiver.answers else 204
                if answer == "hang":
                    receiver.released.wait(30)
                    self.close_connection = True
                elif callable(answer):
                    answer(self)
                else:
                    self.send_response(answer)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls[1], tls[0])
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.scheme = "https" if tls else "http"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.server.server_port}/events?x=1"

    def events(self):
        with self.lock:
            return [json.loads(body) for _, body, _ in self.got]

    def types(self, serial=None):
        return [e["type"] for e in self.events() if not serial or e.get("subject") == f"Acme/{serial}"]

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def tls(place, domain):
    return domain.registrar_identity(place / "receiver", san="IP:127.0.0.1,DNS:localhost")


@pytest.fixture(scope="module")
def here(place, acme, domain):
    masa = harness.Masa(place / "masa", acme)
    registrar = harness.Registrar(place / "registrar", domain, [acme], changes={
        f"manufacturer {acme.name}": {"admit": "hold"},
        "hooks": {"tries": 2, "timeout": "2s", "anchors": domain.file("root.crt")},
        "metrics": {"listen": f"127.0.0.1:{free_port()}"}})
    with harness.running(masa, registrar):
        yield Site(place, acme, domain, masa, registrar)


@pytest.fixture()
def receiver(tls):
    made = Receiver(tls)
    yield made
    made.close()


def ctl(site, *args, check=0):
    return site.registrar.ctl("hooks", *args, "-o", "json", check=check)


def hooks(site):
    return json.loads(ctl(site, "list").stdout)


def hook(site, number):
    return [h for h in hooks(site) if h["id"] == number][0]


def dead(site, number):
    return json.loads(ctl(site, "dead", str(number)).stdout)


@pytest.fixture(autouse=True)
def _no_hooks(here):
    yield
    for h in hooks(here):
        ctl(here, "remove", str(h["id"]))


def add(site, receiver, *args):
    said = json.loads(ctl(site, "add", getattr(receiver, "url", receiver), *args).stdout)
    return said["id"], said["secret"]


def hold(site):
    """A device that asks and is held: its serial number."""
    device = site.device()
    with site.peer(device) as peer:
        assert peer.request_voucher().status == 202
    return device.serial


def wait_types(receiver, serial, types):
    harness.wait_until(lambda: receiver.types(serial) == types, f"{types} of {serial}: {receiver.types()}")


def test_events_arrive_signed_and_in_order(here, receiver):
    number, secret = add(here, receiver, "--type", "claim.*")
    serial = hold(here)
    here.registrar.ctl("claims", "approve", serial, "--reason", "ours")
    wait_types(receiver, serial, ["brski.claim.pending", "brski.claim.approved"])
    for headers, body, path in receiver.got:
        assert path == "/events?x=1"
        assert headers["Content-Type"] == "application/cloudevents+json"
        signed = headers["X-Brski-Timestamp"].encode() + b"." + body
        assert headers["X-Brski-Signature"] == \
            "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        assert abs(int(headers["X-Brski-Timestamp"]) - time.time()) < 60
    told = receiver.events()
    assert [int(e["sequence"]) for e in told] == sorted(int(e["sequence"]) for e in told)
    assert told == [e for e in map(json.loads, here.registrar.ctl(
        "events", "tail", "--once", "--type", "claim.*", "-o", "json").stdout.splitlines())
        if e["id"] in {t["id"] for t in told}]
    harness.wait_until(lambda: hook(here, number)["delivered"], "the hook's books")


def test_a_secret_is_shown_once_and_stands_nowhere(here, receiver):
    _, secret = add(here, receiver)
    hold(here)
    harness.wait_until(receiver.events, "an event")
    assert secret not in ctl(here, "list").stdout
    assert secret not in here.registrar.log()
    assert secret not in here.registrar.ctl("audit", "export").stdout
    assert "x=1" not in here.registrar.ctl("audit", "export").stdout  # nor what an address may hold


def test_what_fails_is_sent_again_and_the_order_stays(here, receiver):
    receiver.answers = [500]
    add(here, receiver, "--type", "claim.*")
    serial = hold(here)
    here.registrar.ctl("claims", "reject", serial)
    wait_types(receiver, serial, ["brski.claim.pending"] * 2 + ["brski.claim.rejected"])
    assert receiver.events()[0] == receiver.events()[1]


def test_what_nobody_takes_becomes_a_dead_letter_and_the_hook_goes_on(here, receiver):
    number, _ = add(here, receiver, "--type", "claim.*,hook.*")
    receiver.answers = [503, 503]
    serial = hold(here)
    wait_types(receiver, serial, ["brski.claim.pending"] * 2)
    letters = harness.wait_until(lambda: dead(here, number), "a dead letter")
    assert [d["tries"] for d in letters] == [2] and "503" in letters[0]["reason"]
    # it is told, and on it goes: what came after it is not held up
    harness.wait_until(lambda: receiver.types()[2:] == ["brski.hook.failing", "brski.hook.recovered"],
                       "failing and recovered")
    harness.wait_until(lambda: hook(here, number)["failing_since"] is None, "no more failing")
    assert json.loads(ctl(here, "dead", str(number), "--retry", "all").stdout)["changed"] == 1
    harness.wait_until(lambda: dead(here, number) == [], "the dead letter delivered")
    assert receiver.types(serial) == ["brski.claim.pending"] * 3


def test_a_dead_letter_is_dropped_or_fails_again(here, receiver):
    number, _ = add(here, receiver, "--type", "claim.*")
    receiver.answers = [503] * 5
    first, second = hold(here), hold(here)
    letters = harness.wait_until(lambda: len(dead(here, number)) == 2 and dead(here, number), "two")
    ctl(here, "dead", str(number), "--retry", str(letters[0]["sequence"]))
    harness.wait_until(lambda: dead(here, number)[0]["tries"] == 3, "a third try")
    assert not dead(here, number)[0]["retrying"]
    assert receiver.types(first) == ["brski.claim.pending"] * 3
    assert receiver.types(second) == ["brski.claim.pending"] * 2
    ctl(here, "dead", str(number), "--drop", str(letters[0]["sequence"]))
    assert [d["sequence"] for d in dead(here, number)] == [letters[1]["sequence"]]
    ctl(here, "dead", str(number), "--drop", "all")
    assert dead(here, number) == []
    assert ctl(here, "dead", str(number), "--drop", "1", check=1)
    assert ctl(here, "dead", str(number), "--drop", "one", check=2)


def redirect(handler):
    handler.send_response(307)
    handler.send_header("Location", "/elsewhere")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def nonsense(handler):
    handler.wfile.write(b"\x00\x01 what?\r\n\r\n")
    handler.close_connection = True


def endless(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "100000000")
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"x" * 65536)
    except OSError:
        handler.close_connection = True


@pytest.mark.parametrize("answer", [redirect, nonsense, endless, 404])
def test_whatever_is_no_yes_is_a_no(here, receiver, answer):
    number, _ = add(here, receiver, "--type", "claim.*")
    receiver.answers = [answer, answer]
    serial = hold(here)
    assert harness.wait_until(lambda: dead(here, number), "a dead letter")[0]["tries"] == 2
    assert {path for _, _, path in receiver.got} == {"/events?x=1"}
    assert receiver.types(serial) == ["brski.claim.pending"] * 2


@pytest.mark.slow
def test_a_hang_is_cut_and_nobody_else_waits(here, receiver, tls):
    other = Receiver(tls)
    try:
        receiver.answers = ["hang"]
        add(here, receiver, "--type", "claim.*")
        add(here, other, "--type", "claim.*")
        began = time.monotonic()
        serial = hold(here)
        assert time.monotonic() - began < 2
        wait_types(other, serial, ["brski.claim.pending"])
        wait_types(receiver, serial, ["brski.claim.pending"] * 2)
    finally:
        other.close()


def test_hooks_go_on_where_they_were_when_the_registrar_comes_back(here, receiver, tls):
    number, _ = add(here, receiver, "--type", "claim.*")
    first = hold(here)
    wait_types(receiver, first, ["brski.claim.pending"])
    port = receiver.server.server_port
    receiver.answers = ["hang"]
    second = hold(here)
    wait_types(receiver, second, ["brski.claim.pending"])
    here.registrar.stop()
    receiver.close()
    again = Receiver(tls, port)
    try:
        here.registrar.start()
        wait_types(again, second, ["brski.claim.pending"])
        assert again.types(first) == []
        assert hook(here, number)["enabled"]
    finally:
        again.close()


def test_a_disabled_hook_is_told_nothing_until_it_is_enabled(here, receiver):
    number, _ = add(here, receiver, "--type", "claim.*")
    ctl(here, "disable", str(number))
    skipped = hold(here)
    ctl(here, "enable", str(number), "--skip")
    ctl(here, "disable", str(number))
    kept = hold(here)
    ctl(here, "enable", str(number))
    wait_types(receiver, kept, ["brski.claim.pending"])
    assert receiver.types(skipped) == []


def test_a_test_says_what_the_receiver_said(here, receiver):
    number, _ = add(here, receiver, "--type", "claim.*")
    said = json.loads(ctl(here, "test", str(number)).stdout)
    assert said["taken"] and receiver.types() == ["brski.hook.tested"]
    receiver.answers = [410]
    said = json.loads(ctl(here, "test", str(number), check=1).stdout)
    assert not said["taken"] and "410" in said["reason"]
    assert dead(here, number) == []


def test_a_receiver_nobody_vouches_for_is_told_nothing(here, receiver, place, tls):
    # the configuration's anchors are of another CA than this hook's
    other = harness.Domain(place / "other-site", "Other Site")
    number, _ = add(here, receiver, "--anchors", other.file("root.crt"))
    assert not json.loads(ctl(here, "test", str(number), check=1).stdout)["taken"]
    assert receiver.got == []


def test_plain_http_is_for_this_machine(here):
    plain = Receiver()
    try:
        number, _ = add(here, plain)
        assert json.loads(ctl(here, "test", str(number)).stdout)["taken"]
    finally:
        plain.close()


@pytest.mark.parametrize("arguments", [
    ("http://192.0.2.1/x",), ("http://localhost.example.com/",), ("ftp://127.0.0.1/",), ("no url",),
    ("https://user:password@127.0.0.1/",), ("https://127.0.0.1/#x",), ("https://127.0.0.1:0/",),
    ("https://" + "a" * 800,), ("https://127.0.0.1/", "--type", "a,,b"),
    ("https://127.0.0.1/", "--anchors", "/etc/hostname")])
def test_a_hook_that_is_none_is_refused(here, arguments):
    assert ctl(here, "add", *arguments, check=1).stderr
    assert hooks(here) == []


def test_a_hook_nobody_has_is_not_found_and_numbers_are_not_used_again(here, receiver):
    number, _ = add(here, receiver)
    ctl(here, "remove", str(number))
    for verb in ("remove", "enable", "disable", "test", "dead"):
        assert ctl(here, verb, str(number), check=3)
    assert ctl(here, "remove", "one", check=3)
    assert add(here, receiver)[0] == number + 1


def test_only_so_many_hooks(here):
    for _ in range(32):
        add(here, "https://127.0.0.1:9/")
    assert ctl(here, "add", "https://127.0.0.1:9/", check=1)


def test_a_damaged_hook_holds_up_no_other(here, receiver):
    damaged, _ = add(here, "https://127.0.0.1:9/")
    add(here, receiver, "--type", "claim.*")
    here.registrar.stop()
    stores.query(here.registrar.directory, "registrar", f"UPDATE hook SET url = 'nonsense' WHERE id = {damaged}")
    here.registrar.start()
    wait_types(receiver, hold(here), ["brski.claim.pending"])
    assert here.registrar.lines("hook-not-read")


def test_dead_letters_are_bounded(here, receiver):
    number, _ = add(here, receiver, "--type", "claim.*")
    ctl(here, "disable", str(number))
    here.registrar.stop()
    stores.query(here.registrar.directory, "registrar", "INSERT INTO dead_letter VALUES " + ", ".join(
        f"({number}, {-n}, 0, 2, 'x', 0)" for n in range(1, 1001)))
    here.registrar.start()
    receiver.answers = [500, 500]
    ctl(here, "enable", str(number), "--skip")
    hold(here)
    harness.wait_until(lambda: hook(here, number)["dropped"] == 1, "one made room")
    assert hook(here, number)["dead"] == 1000


def test_every_change_is_in_the_audit_log(here, receiver):
    number, _ = add(here, receiver)
    ctl(here, "disable", str(number))
    ctl(here, "remove", str(number))
    said = [j for j in json.loads(here.registrar.ctl("audit", "list", "-o", "json").stdout)
            if j["step"] == "hook" and f"hook {number}" in j["reason"]]
    assert [j["outcome"] for j in said] == ["added", "disabled", "removed"]
    assert all(j["by"].startswith("unix:") for j in said)
