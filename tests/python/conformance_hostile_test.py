# SPDX-License-Identifier: Apache-2.0
"""The conformance suite against targets that mean harm: each check comes to a verdict in a bounded time, and
what is kept of it is bounded and does nothing where it is shown."""
import pathlib
import socket
import threading
import time

import pytest

from brski_peer import wire
from brski_peer.server import Server, text
from conformance import core, report, runner
from conformance.lab import Lab
from conformance.target import SAID_MAX, Target

HEAD = b"HTTP/1.1 200 OK\r\n"
PATIENCE_S = 0.5
ROUNDS = 100  # of what has no end, as far as a client may read


def endless(start, again, pause=0.0):
    def say(connection):
        connection.sendall(start)
        while True:
            connection.sendall(again)
            time.sleep(pause)
    return say


LIES = {
    "drips": (endless(b"", b"H", 0.05), TimeoutError),
    "drips headers": (endless(HEAD, b"A: b\r\n", 0.05), TimeoutError),
    "has one header without an end": (endless(HEAD + b"A: ", b"b" * 65536), (wire.TooMuch, TimeoutError)),
    "has headers without an end": (endless(HEAD, b"A: b\r\n" * 10000), (wire.TooMuch, TimeoutError)),
    "has chunks without an end": (endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
                                          b"100000\r\n" + b"x" * 0x100000 + b"\r\n"), wire.TooMuch),
    "announces a gigabyte": (endless(HEAD + b"Content-Length: 1000000000\r\n\r\n", b"x" * 65536), wire.TooMuch),
    "announces less than nothing": (endless(HEAD + b"Content-Length: -5\r\n\r\n", b"x"), wire.TooMuch),
    "says Continue for ever": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), wire.TooMuch),
    "closes at once": (lambda connection: None, wire.Closed),
}


@pytest.fixture
def peer():
    """function(say) → port of a server in the clear that lets say(connection) talk to its only client."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve(say):
            with listener.accept()[0] as connection:
                try:
                    connection.recv(4096)
                    say(connection)
                except OSError:
                    pass

        def start(say):
            threading.Thread(target=serve, args=(say,), daemon=True).start()
            return listener.getsockname()[1]
        yield start


@pytest.mark.parametrize("lie", LIES)
def test_reply_is_read_within_bounds(peer, lie):
    say, wanted = LIES[lie]
    has_time = wanted in (wire.TooMuch, wire.Closed)  # for the many octets of which that is said
    patience_s = 60 * PATIENCE_S if has_time else PATIENCE_S
    began = time.monotonic()
    with wire.Connection(peer(say), clear=True, timeout=patience_s) as connection:
        with pytest.raises(wanted):
            connection.get("/")
    assert time.monotonic() - began < patience_s + 10 * PATIENCE_S


def test_who_does_not_read_is_not_waited_for(peer):
    with wire.Connection(peer(lambda _c: time.sleep(10 * PATIENCE_S)), clear=True, timeout=PATIENCE_S) as connection:
        with pytest.raises(wire.Closed):
            connection.post("/", b"x" * (64 << 20), "text/plain")


# -- verdicts

def a_check(function):
    """A Check that is in no list."""
    core.check("R8995-REG-017", level=core.MUST, role="masa", profiles=("rfc8995",), mutant="none: for a test")(function)
    return core.CHECKS.pop()


@a_check
def goes_on_for_ever(t):
    """For a test only."""
    t.later(lambda: t.record("admin", "cleaned up"))
    while True:
        try:
            time.sleep(1)
        except Exception:
            pass


@a_check
def repeats_what_it_hears(t):
    """For a test only."""
    for _ in range(core.MESSAGES_MAX + 5):
        t.record("received", "<script>\ud800\x1b[2J", "\ud800\u202e\x00\x1b]0;" + "x" * core.TEXT_MAX, b"x" * 10 ** 6)
    t.need(False, "it says \ud800 \x1b <script>" + "y" * 10 ** 6)


@a_check
def asks(t):
    """For a test only."""
    t.do("ask")


@a_check
def looks(t):
    """For a test only."""


def session(tmp_path, **settings):
    target = Target({"name": "hostile", "role": "masa", **settings}, tmp_path)
    return runner.Session("masa", target, Lab(tmp_path / "lab"), tmp_path / "work")


def test_check_that_does_not_end_fails_and_is_cleaned_up_after(tmp_path, monkeypatch):
    monkeypatch.setattr(core, "CHECK_S", 0.3)
    with session(tmp_path) as run:
        result = run.run(goes_on_for_ever)
    assert result.verdict == "failed" and "no end" in result.reason
    assert result.seen[-1].what == "cleaned up"


def test_evidence_is_bounded_and_harmless(tmp_path):
    with session(tmp_path) as run:
        result = run.run(repeats_what_it_hears)
    report.write(tmp_path / "out", [result], {"target": "<script>", "role": "masa"})
    files = [f for f in pathlib.Path(tmp_path / "out").rglob("*") if f.is_file()]
    assert sum(f.stat().st_size for f in files) < 20 * core.EVIDENCE_MAX
    for file in files:
        said = file.read_text(encoding="utf-8")
        assert not {"\x1b", "\x00", "\u202e"} & set(said)
        assert file.suffix != ".html" or "<script" not in said
    assert "\x1b" not in runner.line(result) and len(runner.line(result)) < 2 * core.SENTENCE_MAX


def test_command_that_writes_for_ever_is_ended(tmp_path):
    with session(tmp_path, do={"ask": "yes"}) as run:
        result = run.run(asks)
        assert run.variant("plain").log_size() < 2 * SAID_MAX
    assert result.verdict == "broken" and len(result.logs["plain"]) < 2 * core.TEXT_MAX


def test_command_may_leave_something_behind(tmp_path):
    with session(tmp_path, do={"ask": "sleep 20 & echo done"}) as run:
        result = run.run(asks)
    assert result.verdict == "passed" and result.seconds < 15 and "done" in result.logs["plain"]


def test_target_that_dies_fails_the_check_and_is_there_for_the_next(tmp_path):
    start = "echo up; while ! [ -e {state}/die ]; do sleep 0.02; done; rm {state}/die; kill -SEGV $$"
    start = f"sh -c '{start}'"
    with session(tmp_path, run={"start": start, "ready": "up"}, do={"ask": "touch {state}/die; sleep 0.5"}) as run:
        died, well = run.run(asks), run.run(looks)
    assert died.verdict == "failed" and "during this check hostile ended with -11" in died.reason
    assert well.verdict == "passed"


def test_target_that_does_not_start_again_breaks_the_checks_after(tmp_path):
    start = "sh -c '[ -e {lab}/once ] && exit 3; touch {lab}/once; echo up; sleep 0.3; exit 4'"
    with session(tmp_path, run={"start": start, "ready": "up"}, do={"ask": "sleep 0.5"}) as run:
        verdicts = [run.run(check).verdict for check in (asks, looks, looks)]
    assert verdicts == ["failed", "broken", "broken"]


# -- what shows nothing

@a_check
def refuses(t):
    """For a test only."""
    with t.registrar() as r:
        t.refused(r.ask(b""))


@pytest.mark.parametrize("code, verdict", [(403, "skipped"), (200, "failed")])
def test_refusal_of_who_refuses_everybody_shows_nothing(tmp_path, code, verdict):
    with session(tmp_path, address={"https": "127.0.0.1:{port:https}"}) as run:
        shown = run.lab.maker.make_tls("localhost")
        server = Server(shown.cert_path, shown.key_path, run.variant("plain").address("https")[1], any_client=True)
        server.handle = lambda _request: text(code, "no\n")
        with server:
            result = run.run(refuses)
    assert result.verdict == verdict
    assert verdict == "failed" or "no honest peer" in result.reason
