# SPDX-License-Identifier: Apache-2.0
"""A rule that asks a program of the site: its answer decides, when it is signed, of now, and about this
question; whatever else it says or does, the device is held, and nothing waits for it."""
import hashlib
import hmac
import http.server
import json
import threading
import time

import pytest

import harness
from brski_peer.ports import free_port
from places import Site

SECRET = "a secret of the site"


def signed(at, body, secret=SECRET):
    return "sha256=" + hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


class Decider:
    """Answers each question with what `say` makes of it: (status, body, fields), or "hang"."""

    def __init__(self):
        self.asked, self.say, self.released = [], self.hold, threading.Event()
        decider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                decider.asked.append((dict(self.headers), body, json.loads(body)))
                said = decider.say(json.loads(body))
                if said == "hang":
                    decider.released.wait(30)
                    self.close_connection = True
                    return
                status, body, fields = said
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/decide"

    def questions(self, serial):
        return [q for _, _, q in self.asked if q["serial"] == serial]

    @staticmethod
    def answer(question, status=200, secret=SECRET, skew=0, **members):
        body = json.dumps(dict({"id": question["id"]}, **members)).encode()
        at = int(time.time()) + skew
        return status, body, {"X-Brski-Timestamp": str(at), "X-Brski-Signature": signed(at, body, secret),
                              "Content-Type": "application/json"}

    def hold(self, question):
        return self.answer(question, decision="hold")


@pytest.fixture(scope="module")
def decider():
    return Decider()


@pytest.fixture(scope="module")
def here(place, acme, domain, decider):
    secret = place / "decision.secret"
    secret.write_text(SECRET + "\n")
    masa = harness.Masa(place / "masa", acme)
    registrar = harness.Registrar(place / "registrar", domain, [acme], changes={
        f"manufacturer {acme.name}": {"admit": "hold"},
        "metrics": {"listen": f"127.0.0.1:{free_port()}"},
        "policy": {"decision_url": decider.url, "decision_secret": secret, "decision_timeout": "5s",
                   "decision_again": "1s"}})
    with harness.running(masa, registrar):
        site = Site(place, acme, domain, masa, registrar)
        site.rule = json.loads(registrar.ctl("rules", "add", "ask", "--reason", "the depot decides",
                                             "-o", "json").stdout)["id"]
        registrar.ctl("sites", "add", "/dock")
        yield site


def ask(site, device, request=None):
    with site.peer(device) as peer:
        return peer.request_voucher(request).status


def claim(site, serial):
    return [c for c in site.registrar.claims() if c["serial"] == serial][0]


def wait_claim(site, serial, state):
    harness.wait_until(lambda: claim(site, serial)["claim"] == state, f"{serial} {state}")
    return claim(site, serial)


def test_the_question_has_the_facts_and_is_signed(here, decider):
    decider.say = decider.hold
    device = here.device()
    assert ask(here, device) == 202
    question = harness.wait_until(lambda: decider.questions(device.serial), "a question")[0]
    assert (question["manufacturer"], question["site"], question["rule"]) == ("Acme", "/", here.rule)
    assert question["address"].startswith("127.0.0.1:") and device.serial in question["subject"]
    assert len(question["idevid_sha256"]) == 64 and question["reason"] == "the depot decides"
    headers, body, _ = decider.asked[-1]
    assert headers["X-Brski-Signature"] == signed(headers["X-Brski-Timestamp"], body)
    assert claim(here, device.serial)["claim"] == "pending"


def test_an_approval_lets_the_device_in_and_places_it(here, decider):
    decider.say = lambda q: decider.answer(q, decision="approve", reason="order 7", site="/dock",
                                           labels={"rack": "4"})
    device = here.device()
    assert ask(here, device) == 202  # told at once
    found = wait_claim(here, device.serial, "approved")
    assert (found["by"], found["reason"], found["site"], found["labels"]) == \
        ("decision 127.0.0.1", "order 7", "/dock", {"rack": "4"})
    assert found["until"]
    assert here.pledge(device).join().returncode == 0
    assert here.registrar.ctl("audit", "verify").returncode == 0


def test_a_rejection_keeps_it_out(here, decider):
    decider.say = lambda q: decider.answer(q, decision="reject", reason="stolen")
    device = here.device()
    assert ask(here, device) == 202
    assert wait_claim(here, device.serial, "rejected")["reason"] == "stolen"
    assert ask(here, device) == 404


def test_a_waiting_device_is_asked_about_again_but_not_at_each_poll(here, decider):
    decider.say = decider.hold
    device = here.device()
    with here.peer(device) as peer:
        request = peer.pvr()
        for _ in range(5):
            assert peer.request_voucher(request).status == 202
        assert len(decider.questions(device.serial)) <= 2
        harness.wait_until(lambda: peer.request_voucher(request).status == 202 and
                           len(decider.questions(device.serial)) >= 2, "a second question")


def raw(body, **fields):
    def say(question):
        at = int(time.time())
        return 200, body, dict({"X-Brski-Timestamp": str(at), "X-Brski-Signature": signed(at, body)}, **fields)
    return say


BAD = {
    "unsigned": lambda q: (200, Decider.answer(q, decision="approve")[1], {}),
    "another secret": lambda q: Decider.answer(q, decision="approve", secret="another"),
    "long ago": lambda q: Decider.answer(q, decision="approve", skew=-1000),
    "of the future": lambda q: Decider.answer(q, decision="approve", skew=1000),
    "another question": lambda q: Decider.answer({"id": "0123456789abcdef"}, decision="approve"),
    "no such decision": lambda q: Decider.answer(q, decision="admit"),
    "no decision": lambda q: Decider.answer(q),
    "no such site": lambda q: Decider.answer(q, decision="approve", site="/nowhere"),
    "no site": lambda q: Decider.answer(q, decision="approve", site="dock"),
    "no labels": lambda q: Decider.answer(q, decision="approve", labels={"A": 1}),
    "a long reason": lambda q: Decider.answer(q, decision="approve", reason="r" * 201),
    "a failure": lambda q: Decider.answer(q, decision="approve", status=500),
    "a redirect": lambda q: (307, b"", {"Location": "/elsewhere"}),
    "no JSON": raw(b"approve"),
    "nothing": raw(b""),
    "twice": raw(b'{"decision": "hold", "decision": "approve"}'),
    "too much": raw(b'{"decision": "approve", "x": "' + b"x" * 20000 + b'"}'),
}


@pytest.mark.parametrize("how", BAD)
def test_an_answer_that_is_none_decides_nothing(here, decider, how):
    failures = len(here.registrar.lines("decision-failed"))
    decider.say = BAD[how]
    device = here.device()
    assert ask(here, device) == 202
    harness.wait_until(lambda: len(here.registrar.lines("decision-failed")) > failures, "the failure in the log")
    assert claim(here, device.serial)["claim"] == "pending"


@pytest.mark.slow
def test_nobody_waits_for_one_that_hangs(here, decider):
    failures = len(here.registrar.lines("decision-failed"))
    decider.say = lambda q: "hang"
    devices = [here.device() for _ in range(3)]
    asked = time.monotonic()
    assert [ask(here, d) for d in devices] == [202] * 3
    assert time.monotonic() - asked < 10  # who waited would wait three times five seconds
    harness.wait_until(lambda: len(here.registrar.lines("decision-failed")) == failures + 3, "three cut off")
    assert all(claim(here, d.serial)["claim"] == "pending" for d in devices)


def test_a_person_who_was_quicker_wins(here, decider):
    gate = threading.Event()

    def say(question):
        gate.wait(10)
        return decider.answer(question, decision="approve")
    decider.say = say
    device = here.device()
    assert ask(here, device) == 202
    here.registrar.ctl("claims", "reject", device.serial, "--reason", "no")
    gate.set()
    here.registrar.wait_log(f"decision-too-late.*{device.serial}")
    assert claim(here, device.serial)["claim"] == "rejected"


def test_a_stop_with_a_question_under_way_ends_well(here, decider):
    decider.say = lambda q: "hang"
    device = here.device()
    assert ask(here, device) == 202
    harness.wait_until(lambda: decider.questions(device.serial), "a question")
    here.registrar.restart()
    decider.released.set()


def test_what_is_configured_badly_is_refused(here, place):
    for url, secret in (("http://192.0.2.1/", place / "decision.secret"), ("x", place / "decision.secret"),
                        ("https://127.0.0.1/", place / "no-such-file"), ("https://127.0.0.1/", None)):
        conf = place / "bad.conf"
        text = here.registrar.config.read_text()
        lines = [line for line in text.splitlines() if not line.startswith("decision_")]
        lines.insert(lines.index("[policy]") + 1, f"decision_url = {url}" +
                     (f"\ndecision_secret = {secret}" if secret else ""))
        conf.write_text("\n".join(lines))
        assert "decision" in harness.run(harness.program("brski-registrar"), "--check", "-c", conf, check=1).stderr
