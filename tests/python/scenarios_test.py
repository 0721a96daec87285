# SPDX-License-Identifier: Apache-2.0
"""The stories of the suite and what tells them: files are read with clear errors, links do what they say,
a story passes as it is and fails with its broken change."""
import os
import pathlib
import re
import socket
import subprocess

import pytest

import harness
from scenarios import actions, expectations, faults, runner  # noqa: F401  (they register their verbs)
from scenarios import hosts, links, story
from scenarios.evidence import Captures
from scenarios.verbs import VERBS

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOOD = """\
story: A good day
about: Nothing is wrong.
rows: [R8995-PLG-001]
parts:
  masa: {runs: brski-masa}
  office: {runs: brski-registrar}
devices:
  lamp: {asks: office}
links:
  - between: [hall, office]
steps:
  - join: lamp
holds:
  - joined: lamp
broken:
  because: nobody asks
  without: [join]
  fails: not at all
"""


def read(tmp_path, text):
    path = tmp_path / "tale.yaml"
    path.write_text(text)
    return story.read(path, VERBS)


# -- reading

def test_story_is_read_with_its_mutant(tmp_path):
    variant, = read(tmp_path, GOOD)
    assert [verb for verb, _, _ in variant.story.steps] == ["join", "joined"]
    assert [verb for verb, _, _ in variant.mutant.steps] == ["joined"]


@pytest.mark.parametrize("old, new, says", [
    ("- join: lamp", "- fly: lamp", "tale.yaml:12: 'fly' is no verb; known are"),
    ("- join: lamp", "- join: lump", "tale.yaml:12: there is no 'lump' among the devices"),
    ("- join: lamp", "- join: {devices: lamp, when: now}", "tale.yaml:12: join knows no 'when'"),
    ("- join: lamp", "- cut: [hall, masa]", "tale.yaml:12: the two hosts of one of the story's links"),
    ("- join: lamp", "- wait: {device: lamp}", "tale.yaml:12: wait needs 'says'"),
    ("- join: lamp", "- wait: {device: lamp, says: '('}", "tale.yaml:12: says: no regular expression"),
    ("- joined: lamp", "- joined lamp", "tale.yaml:14: a step is one verb"),
    ("asks: office", "asks: school", "tale.yaml:8: there is no part 'school'"),
    ("asks: office", "colour: red", "tale.yaml:8: 'colour' means nothing here; known are"),
    ("{runs: brski-masa}", "{maker: acme}", "tale.yaml:5: 'runs' is missing"),
    ("office: {runs", "masa: {runs", "tale.yaml:6: 'masa' stands here a second time"),
    ("R8995-PLG-001", "R8995-PLG-999", "tale.yaml:3: the catalogue has no row R8995-PLG-999"),
    ("[hall, office]", "[hall, moon]", "tale.yaml:10: two of the hosts"),
    ("[hall, office]", "[hall, office]\n    loss: ten", "tale.yaml:11: loss: a share such as 10%"),
    ("[hall, office]", "[hall, office]\n    delay: 5", "tale.yaml:11: delay: a time such as"),
    ("  fails: not at all", "  change: {}", "tale.yaml:16: 'fails' is missing"),
    ("story: A good day", "story: [", "tale.yaml:3: "),
])
def test_what_is_wrong_in_a_story_is_told_with_its_line(tmp_path, old, new, says):
    assert old in GOOD
    with pytest.raises(story.StoryError) as told:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert str(told.value).startswith(says), told.value


def test_cases_are_stories_of_their_own(tmp_path):
    small = "cases:\n  large: {}\n  small: {devices: {lamp: {over: coaps}}}\n"
    large, small = read(tmp_path, GOOD + small)
    assert (large.name, small.name) == ("tale.large", "tale.small")
    assert "over" not in large.story.data["devices"]["lamp"]
    assert small.story.data["devices"]["lamp"] == {"asks": ["office"], "over": "coaps"}


def test_all_stories_can_be_told_and_stand_in_the_list(capsys):
    variants = story.read_all(VERBS)
    assert len({v.path for v in variants}) >= 30
    assert len({v.name for v in variants}) == len(variants)
    assert subprocess.run([ROOT / "interop/brski-conformance", "scenarios", "--list"], check=True,
                          capture_output=True, text=True).stdout.count("\n") == 2 * len(variants) + 1


def test_every_verb_says_what_it_does():
    assert all(v.about.endswith((".", ")")) for v in VERBS.values())


# -- links over loopback

class Echo:
    """Sends back whatever comes, over TCP or UDP."""

    def __init__(self, kind):
        self.kind = kind
        self.socket = socket.create_server(("127.0.0.1", 0)) if kind == "tcp" else \
            socket.socket(type=socket.SOCK_DGRAM)
        if kind == "udp":
            self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]


def client_of(place, echo):
    host, port = place.reach("hall", "office", echo.port, echo.kind).split(":")
    made = socket.socket(type=socket.SOCK_DGRAM if echo.kind == "udp" else socket.SOCK_STREAM)
    made.settimeout(10)
    made.connect((host, int(port)))
    return made


def test_datagrams_are_lost_as_the_seed_says_and_the_same_again():
    def fates():
        line = links.Line(("a", "b"), loss=0.3, duplicate=0.2, seed=7)
        return [len(line.fate(links.UP, 100)) for _ in range(200)], line.count
    first, count = fates()
    assert first == fates()[0] and set(first) == {0, 1, 2}
    assert 40 < count["lost"] == first.count(0) < 80


def test_long_datagrams_and_those_of_a_cut_link_do_not_come():
    line = links.Line(("a", "b"), mtu=600)
    assert line.fate(links.UP, 600) and not line.fate(links.UP, 601)
    links.cut(line)
    assert not line.fate(links.DOWN, 10) and line.count == {"sent": 3, "too long": 1, "cut": 1}


def test_stream_through_a_cut_link_goes_on_when_it_is_mended():
    line = links.Line(("hall", "office"), loss=0.2, delay=0.01)
    echo = Echo("tcp")
    with hosts.Loopback([line], Captures(None)) as place, client_of(place, echo) as client:
        server, _ = echo.socket.accept()
        server.settimeout(0.2)
        client.sendall(b"before")
        server.settimeout(10)
        assert server.recv(100) == b"before"
        place.cut("hall", "office")
        client.sendall(b"meanwhile")
        server.settimeout(0.2)
        with pytest.raises(socket.timeout):
            server.recv(100)
        place.mend("hall", "office")
        server.settimeout(10)
        assert server.recv(100) == b"meanwhile"
        server.close()


def test_datagrams_through_a_relay_find_their_way_back():
    echo = Echo("udp")
    with hosts.Loopback([links.Line(("hall", "office"), delay=0.01)], Captures(None)) as place:
        clients = [client_of(place, echo) for _ in range(2)]
        for number, client in enumerate(clients):
            client.send(b"%d" % number)
            octets, peer = echo.socket.recvfrom(100)
            echo.socket.sendto(b"answer to " + octets, peer)
        assert [c.recv(100) for c in clients] == [b"answer to 0", b"answer to 1"]


# -- telling

def tell(*words):
    done = subprocess.run([ROOT / "interop/brski-conformance", "scenarios", *words], capture_output=True,
                          text=True, timeout=120, check=False, env={**os.environ, "BUILD": str(harness.BUILD)})
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("place", ["loopback", "namespaces"])
def test_story_passes_and_its_mutant_is_noticed(place):
    if place == "namespaces" and (why := hosts.why_no_namespaces()):
        pytest.skip(why)
    words = ["--place", place, "-k", r"suppliers-devices-only"]
    assert tell(*words)[1].endswith("1 passed, 0 failed, 0 skipped\n")
    assert tell(*words, "--selftest")[1].endswith("1 passed, 0 failed, 0 skipped\n")


def test_story_that_fails_says_where_and_leaves_its_evidence(tmp_path, monkeypatch, capsys):
    wrong = (ROOT / "interop/scenarios/stories/masa-down-then-up.yaml").read_text()
    (tmp_path / "stories").mkdir()
    (tmp_path / "stories" / "tale.yaml").write_text(wrong.replace("{lamp: 1}", "{lamp: 2}"))
    monkeypatch.setattr(runner, "read_all", lambda verbs: story.read_all(verbs, tmp_path / "stories"))
    from conformance import main
    assert main.main(["scenarios", "--place", "loopback", "--report", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().out
    assert re.search(r"FAILED scenarios.tale .*\n +tale.yaml:\d+: vouchers in the masas record: 1 vouchers", said)
    assert said.endswith("0 passed, 1 failed, 0 skipped\n")
    for name in ("results.json", "junit.xml", "report.html", "logs/tale/by-exchange.txt"):
        assert (tmp_path / "out" / name).stat().st_size, name


@pytest.mark.skipif(os.geteuid() != 0, reason="who else may not capture")
def test_capture_of_our_own_programs_over_coaps_comes_with_their_secrets(tmp_path, monkeypatch, capsys):
    """No peer of the suite is in this story, and libcurl, which writes secrets down by itself, has no part
    in DTLS."""
    wrong = (ROOT / "interop/scenarios/stories/join-coaps.yaml").read_text()
    (tmp_path / "stories").mkdir()
    (tmp_path / "stories" / "tale.yaml").write_text(wrong.replace("count: 1}", "count: 2}"))
    monkeypatch.setattr(runner, "read_all", lambda verbs: story.read_all(verbs, tmp_path / "stories"))
    from conformance import main
    assert main.main(["scenarios", "--place", "loopback", "-k", "p256", "--report", str(tmp_path / "out")]) == 1
    assert "FAILED" in capsys.readouterr().out
    captures = tmp_path / "out" / "captures" / "tale.p256"
    packets = b"".join(p.read_bytes() for p in captures.glob("*.pcap"))
    secrets = [line.split() for line in (captures / "keys").read_text().splitlines()]
    of_dtls = [random for kind, random, _ in secrets if kind == "CLIENT_RANDOM"]
    assert of_dtls and all(bytes.fromhex(random) in packets for random in of_dtls)
