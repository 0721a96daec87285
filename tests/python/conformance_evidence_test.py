# SPDX-License-Identifier: Apache-2.0
"""What a run of the conformance suite leaves in its folder: results, page, messages, timings, logs by
exchange, captures of what failed, and what has changed since the run before."""
import csv
import html.parser
import json
import os
import socket
import struct
import threading
import time
import xml.etree.ElementTree as ET

import pytest

from conformance import catalogue, core, evidence, report, runner
from conformance.lab import Lab
from conformance.reference.registrar import ReferenceRegistrar
from conformance.reference.rules import ReferenceTarget

FAILS = "registrar.voucher_reaches_the_pledge_octet_for_octet"
PASSES = "registrar.nonce_reaches_the_masa_verbatim"
PCAP_HEAD, PACKET_HEAD = 24, 16
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may listen to the network")


@core.check("R8995-REG-017", level=core.MUST, role="registrar", profiles=("rfc8995",), mutant="none: for a test")
def fails_the_first_time(t):
    """For a test of the evidence only."""
    t.session.tries = getattr(t.session, "tries", 0) + 1
    t.need(t.session.tries > 1, "it is the first time")


FLAKY = core.CHECKS.pop()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(folder, results) of three checks on a registrar that hands vouchers on in another form."""
    folder = tmp_path_factory.mktemp("evidence")
    target = ReferenceTarget("registrar", ReferenceRegistrar)
    target.rules.off = {"hands the voucher on untouched"}
    chosen = [c for c in runner.choose("registrar") if c.id in (FAILS, PASSES)] + [FLAKY]
    with runner.Session("registrar", target, Lab(folder / "lab"), folder / "work") as session:
        session.patience = 5
        results = runner.run(session, chosen, folder=folder / "out")
    report.write(folder / "out", results, {"target": "a mutant", "role": "registrar", "profiles": "all",
                                           "command": "brski-conformance registrar mutant.toml"})
    return folder / "out", {r.check.id: r for r in results}


def test_verdicts(run):
    _, results = run
    assert {i: (r.verdict, r.flaky) for i, r in results.items()} == {
        FAILS: ("failed", False), PASSES: ("passed", False), FLAKY.id: ("failed", True)}


def test_results_for_machines(run):
    folder, results = run
    said = json.loads((folder / "results.json").read_text())
    by_id = {r["id"]: r for r in said["results"]}
    assert set(by_id) == set(results)
    assert by_id[FAILS]["reason"] and by_id[FAILS]["rows"] == ["R8995-REG-017"]
    assert by_id[FLAKY.id]["flaky"]
    assert all(m["what"] and m["at"] >= 0 for m in by_id[PASSES]["messages"])
    suite = ET.parse(folder / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    assert "instead of" in suite.find("testcase/failure").get("message")


def test_messages_show_vouchers_as_json(run):
    folder, _ = run
    said = (folder / "exchanges" / f"{PASSES}.txt").read_text()
    assert "sent: POST /.well-known/brski/requestvoucher" in said
    assert '"ietf-voucher:voucher": {' in said and '"prior-signed-voucher-request": {' in said


def test_timings_are_a_series(run):
    folder, results = run
    with open(folder / "timings.csv", newline="") as f:
        lines = list(csv.DictReader(f))
    assert {line["check"] for line in lines} == set(results)
    times = [float(line["run s"]) for line in lines]
    assert times == sorted(times) and times[-1] > times[0]
    messages = [line for line in lines if line["check"] == PASSES and line["direction"] != "end"]
    assert len(messages) == len(results[PASSES].seen)


def test_logs_are_kept_by_exchange(tmp_path):
    check = runner.choose("registrar")[0]
    result = core.Result(check, "passed", seen=[
        core.Seen(0.1, "sent", "POST /x", "X-Request-Id: abcd1234\n\nbody"),
        core.Seen(0.2, "to the MASA", "POST /y", "x-request-id: abcd1234"),
        core.Seen(0.3, "sent", "POST /z", "X-Request-Id: ../../etc/passwd")],
        logs={"plain": "event=one exchange=abcd1234\nevent=two exchange=other\n"})
    report.by_exchange(tmp_path / "logs", [result])
    assert [p.name for p in (tmp_path / "logs").iterdir()] == ["abcd1234.log"]
    said = (tmp_path / "logs" / "abcd1234.log").read_text()
    assert "sent: POST /x" in said and "to the MASA: POST /y" in said and "event=one" in said
    assert "event=two" not in said


@as_root
def test_only_what_failed_is_captured_and_its_keys_fit(run):
    folder, results = run
    assert {p.stem for p in (folder / "captures").glob("*.pcap")} == {FAILS, FLAKY.id}
    assert results[FAILS].captured == f"captures/{FAILS}.pcap"
    packets = (folder / "captures" / f"{FAILS}.pcap").read_bytes()
    keys = (folder / "captures" / f"{FAILS}.keys").read_text().splitlines()
    randoms = {line.split()[1] for line in keys if not line.startswith("#")}
    assert randoms and all(bytes.fromhex(random) in packets for random in randoms)


@as_root
def test_capture_ends_while_others_go_on_talking(tmp_path):
    ends = threading.Event()

    def talk():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noise:
            while not ends.is_set():
                noise.sendto(b"x" * 100, ("127.0.0.1", 9))
    talker = threading.Thread(target=talk)
    talker.start()
    try:
        began = time.monotonic()
        with evidence.capture(tmp_path / "x.pcap", [9]):
            pass
        assert time.monotonic() - began < 5
    finally:
        ends.set()
        talker.join()
    octets = (tmp_path / "x.pcap").read_bytes()
    size, = struct.unpack_from("<I", octets, PCAP_HEAD + 8)
    assert octets[PCAP_HEAD + PACKET_HEAD] >> 4 == 4 and size > 100


# -- the page

class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.inner, self.text = [], [], set(), set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append((tag, found))
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)
        if "id" in found:
            assert found["id"] not in self.ids, found["id"]
            self.ids.add(found["id"])
        if found.get("href", "").startswith("#"):
            self.inner.add(found["href"][1:])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_page_stands_by_itself_and_tells_of_every_requirement(run):
    folder, results = run
    page = Page((folder / "report.html").read_text())
    assert not page.open
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "img", "iframe")]
    assert not [at for _, at in page.tags if "src" in at]
    rows = catalogue.read()
    for result in results.values():
        assert result.check.id in page.ids
        for row in result.check.rows:
            assert row in page.ids and rows[row].about in page.text
    assert page.inner <= page.ids
    assert results[FAILS].reason in page.text
    assert f"brski-conformance registrar mutant.toml -k '^{FAILS}$' -v" in page.text


def test_page_opens_the_end_of_what_failed_and_hides_nothing_hostile(run):
    _, results = run
    results[PASSES].reason = "<script>alert(1)</script>"
    text = report.page(list(results.values()), {"target": "<b>x", "role": "registrar"})
    results[PASSES].reason = ""
    assert "<script>" not in text and "<b>x" not in text
    section = text.split(f'id="{FAILS}"')[1].split("</section>")[0]
    assert section.startswith(' class="check failed MUST" open>')
    assert section.count("<details open>") == 2  # the last request and its answer


# -- with the run before

def changed(result, **more):
    return core.Result(result.check, more.get("verdict", result.verdict), seconds=more.get("seconds", 0.1),
                       flaky=more.get("flaky", False))


def test_what_has_changed_is_said(run, tmp_path):
    _, results = run
    one, two = results[FAILS], results[PASSES]
    report.write(tmp_path, [changed(one, verdict="passed"), changed(two, verdict="passed")], {"role": "registrar"})
    now = [changed(one, verdict="failed", flaky=True), changed(two, verdict="passed", seconds=3.0),
           changed(results[FLAKY.id], verdict="passed")]
    assert report.compare(tmp_path, now) == [
        f"flaky: {FAILS} failed, and passed when run again",
        f"changed: {FAILS} was passed, is failed",
        f"slower: {PASSES} 0.10 s, now 3.00 s",
        f"new: {FLAKY.id} passed"]
    assert report.compare(tmp_path, [changed(one, verdict="passed")]) == [f"gone: {PASSES}"]
