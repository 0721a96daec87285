# SPDX-License-Identifier: Apache-2.0
"""What the command line of the conformance suite says to who holds it wrongly, and its exit codes."""
import contextlib
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import threading

import pytest

from conformance import core, main, report, runner, target
from conformance.lab import Lab
from conformance.reference.registrar import ReferenceRegistrar
from conformance.reference.rules import Rules

PROGRAM = pathlib.Path(main.__file__).resolve().parents[1] / "brski-conformance"
HANGS = """
role = "registrar"
[address]
https = "localhost:1"
[run]
start = "sh -c 'echo $$ > {here}/pid; echo up; exec sleep 600'"
ready = "up"
[do]
admit = "touch {here}/began; exec sleep 600"
"""
HONEST = "voucher_reaches_the_pledge_octet_for_octet"


def said_by(capsys, *words):
    """(exit code, standard output and error) of a call."""
    try:
        code = main.main([str(word) for word in words])
    except SystemExit as e:
        code = e.code
    told = capsys.readouterr()
    return code, told.out + told.err


@pytest.fixture
def running(tmp_path):
    """(https address, lab) of a registrar that runs already."""
    lab = Lab(tmp_path / "its-lab")
    (tmp_path / "registrar").mkdir()
    registrar = ReferenceRegistrar(lab, tmp_path / "registrar", Rules()).start()
    yield "https://{}:{}".format(*registrar.addresses["https"]), lab.directory
    registrar.stop()


@pytest.mark.parametrize("words, said", [
    (["-k", "["], "is no regular expression"),
    (["ftp://127.0.0.1:1"], "https://host:port"),
    (["https://127.0.0.1:1:2"], "https://127.0.0.1:1:2"),
    (["{here}/not-there.toml"], "not-there.toml"),
    (["{here}/prose"], "is no target file"),
    (["{here}/masa.toml"], "describes a masa, no registrar"),
    (["{here}/typo.toml"], "there is no entry 'adress'"),
    (["{here}/portless.toml"], "which is no host:port"),
    (["{here}/profile.toml"], "there is no profile 'rfc9999'"),
    (["{here}/good.toml", "-k", "nothing is called so"], "no check matches"),
    (["{here}/good.toml", "--compare", "{here}"], "no results.json"),
    (["{here}/good.toml", "--report", "{here}/prose"], "no report can be left in"),
])
def test_mistake_is_told_in_a_sentence(words, said, tmp_path, capsys):
    for name, text in {"prose": "Dear reader,", "masa.toml": 'role = "masa"', "typo.toml": "[adress]",
                       "portless.toml": '[address]\nhttps = "localhost"', "profile.toml": 'profiles = ["rfc9999"]',
                       "good.toml": 'role = "registrar"'}.items():
        (tmp_path / name).write_text(text)
    code, told = said_by(capsys, "registrar", *(word.replace("{here}", str(tmp_path)) for word in words))
    assert code == runner.UNUSABLE
    assert said in told and "Traceback" not in told


def test_port_where_nobody_listens_is_told_once(capsys):
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    code, told = said_by(capsys, "registrar", f"https://127.0.0.1:{port}")
    assert code == runner.UNUSABLE
    assert told.count("nobody answers at") == 1 and "FAILED" not in told


def test_when_all_is_skipped_the_reasons_are_told_and_nothing_has_passed(tmp_path, capsys):
    (tmp_path / "pledge.toml").write_text('role = "pledge"')
    code, told = said_by(capsys, "pledge", tmp_path / "pledge.toml", "--profile", "rfc8995")
    assert code == runner.UNUSABLE
    assert "the target file has no command for 'join'" in told


def test_target_that_cannot_know_the_lab_is_not_blamed(running, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    address, _ = running
    code, told = said_by(capsys, "registrar", address, "-k", HONEST)
    assert code == runner.UNUSABLE and "0 failed" in told
    assert "which was made now, is answered 403" in told


def test_target_that_should_know_the_lab_is_blamed_with_a_hint(running, tmp_path, capsys):
    address, _ = running
    Lab(tmp_path / "another-lab")
    code, told = said_by(capsys, "registrar", address, "-k", HONEST, "--lab", tmp_path / "another-lab")
    assert code == runner.FAILED
    assert "another-lab is answered 403" in told


def test_lab_in_the_current_directory_is_used_by_itself(running, tmp_path, monkeypatch, capsys):
    address, lab = running
    monkeypatch.chdir(tmp_path)
    (tmp_path / main.USUAL_LAB).symlink_to(lab)
    code, told = said_by(capsys, "registrar", address, "-k", HONEST, "--report", tmp_path / "out")
    assert code == runner.PASSED and "1 passed, 0 failed" in told
    about = json.loads((tmp_path / "out/results.json").read_text())["about"]
    assert not {"jws", "ae", "discovery"} & set(about["profiles"])


def test_how_to_see_it_again_names_the_lab(running, tmp_path, capsys):
    address, lab = running
    said_by(capsys, "registrar", address, "-k", HONEST, "--lab", lab, "--report", tmp_path / "out")
    about = json.loads((tmp_path / "out/results.json").read_text())["about"]
    assert about["command"].endswith(f"registrar {address} --lab {lab}")


def test_address_alone_means_no_extension_but_those_asked_for():
    assert "jws" not in target.read_target("https://h:1").profiles
    assert "jws" in target.read_target("https://h:1", ["jws"]).profiles


@pytest.mark.parametrize("url, address", [
    ("https://[::1]:8443/", "[::1]:8443"), ("https://h", "h:443"), ("coaps://h", "h:5684"),
    ("https://h:1/.well-known/brski", "h:1")])
def test_url_is_an_address(url, address):
    assert list(target.address_of(url).values()) == [address]


def test_failed_handshake_with_our_masa_is_evidence(tmp_path):
    """A registrar that does not trust the MASA's certificate says so in an alert: who mends it wants to know."""
    lab = Lab(tmp_path / "lab")
    session = runner.Session("registrar", target.Target({"role": "registrar"}, tmp_path), lab, tmp_path / "work")
    with session:
        def run(trial):
            with socket.create_connection(("127.0.0.1", session.masa.port)) as raw, contextlib.suppress(ssl.SSLError):
                ssl.create_default_context().wrap_socket(raw, server_hostname="localhost")
            trial.wait(lambda: [s for s in trial.seen if "handshake fails" in s.what], "nothing is recorded")
        check = core.Check("none", ("R8995-REG-017",), core.MUST, "registrar", (), "", "", run)
        assert session.run(check).verdict == "passed"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_leaves_its_report_and_no_process(how, tmp_path):
    """The target hangs in a command of its admin when it is interrupted."""
    (tmp_path / "hangs.toml").write_text(HANGS.replace("{here}", str(tmp_path)))
    process = subprocess.Popen([PROGRAM, "registrar", tmp_path / "hangs.toml", "-k", HONEST, "--report",
                                tmp_path / "out"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    beginning = threading.Event()
    while not (tmp_path / "began").exists() and process.poll() is None:
        beginning.wait(0.05)
    process.send_signal(how)
    told, _ = process.communicate(timeout=20)
    assert process.returncode == runner.UNUSABLE
    assert "interrupted after 0 of 1 checks" in told and "Traceback" not in told
    assert (tmp_path / "out/results.json").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_index_leads_to_the_stories_beside_it(tmp_path):
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios/report.html").write_text("")
    report.write_index(tmp_path, [("registrar", "registrar", "ours", [])])
    assert 'href="scenarios/report.html"' in (tmp_path / "index.html").read_text()


def test_command_of_the_admin_that_fails_is_told_with_both_ends_of_what_it_said(tmp_path):
    mine = target.Target({"do": {"approve": "echo no such command: aprove; seq 1000; echo usage; false"}}, tmp_path)
    with pytest.raises(core.Broken, match=r"(?s)do.approve .* ends with 1: .*\nno such command: aprove\n1\n.*\nusage$"):
        mine.begin(tmp_path / "run", Lab(tmp_path / "lab")).do("approve", serial="1")
