# SPDX-License-Identifier: Apache-2.0
"""Two registrars with one PostgreSQL, and who verifies the certificates of their site: as soon as one
has revoked, both say so, whichever is asked and whatever becomes of the other."""
import contextlib
import select
import threading
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

import harness
import ocsp_client as asking
from admin_api import Api
from brski_peer import forge
from brski_peer.wire import Connection
from ocsp_client import GOOD, REVOKED, UNKNOWN, about, cert_id, get, post, refusal, request, statuses
from several import Several, ready
from test_ca_switch import standby_of
from test_ocsp import openssl_ocsp

MAY_WAIT = 128  # questions from the devices' port
PROMPT_S = 5.0  # for an answer while the database hangs: its readers give up after 2 s


@pytest.fixture(scope="module")
def here(place, acme, domain):
    with Several(place / "several", acme, domain, admit="all").running() as several:
        yield several


@pytest.fixture(scope="module")
def ca(domain):
    return forge.load_certs(domain.file("issuing.crt"))[0]


def joined(here, site=None):
    """(device, its certificate)"""
    device = here.device()
    with (site or here.a).peer(device) as peer:
        return device, peer.join()[0]


def revoke(registrar, device):
    registrar.ctl("devices", "revoke", device.serial, "--reason", "stolen")


def doors(here):
    """Everywhere where one may ask: {name: (port, is it TLS)}"""
    a, b = here.registrars
    return {"a": (a.http, False), "b": (b.http, False), "devices of a": (a.port, True), "devices of b": (b.port, True),
            "balancer": (here.http_front, False), "balancer again": (here.http_front, False)}


def said(here, certificate, issuer):
    """What each says first, by POST and GET."""
    question, short = about(certificate, issuer), about(certificate, issuer, hashes.SHA256())
    return {name: statuses(post(port, question, tls=tls), issuer) + statuses(get(port, short, tls=tls), issuer)
            for name, (port, tls) in doors(here).items()}


def everywhere(here, status):
    return {name: [status] * 2 for name in doors(here)}


def test_revoked_at_one__both_say_so_when_they_are_asked_next(here, ca):
    """No list is waited for: the first question after the command has returned."""
    for n in range(4):
        device, certificate = joined(here, here.b if n % 2 else here.a)
        assert said(here, certificate, ca) == everywhere(here, GOOD)
        revoke(here.registrars[n % 2], device)
        assert said(here, certificate, ca) == everywhere(here, REVOKED)


def test_revoked_and_killed_at_once__the_other_says_so(here, ca, cell):
    """kill -9 in the moment the command is told that it is done: before any list was made."""
    a, b = here.registrars
    for n in range(3):
        device, certificate = joined(here)
        revoke(a, device)
        a.kill()
        try:
            assert statuses(post(b.http, about(certificate, ca)), ca) == [REVOKED]
            harness.wait_until(lambda c=certificate: "revoked" in through_the_balancer(here, cell, c), "the balancer's way")
        finally:
            a.start()
            harness.wait_until(lambda: ready(a), "it is back")
        assert statuses(post(a.http, about(certificate, ca)), ca) == [REVOKED]


def through_the_balancer(here, cell, certificate):
    """What openssl finds out by the address in the certificate."""
    path = cell / "asked.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    done = openssl_ocsp(here.domain, path)
    if "Response verify OK" not in done.stderr:
        return ""
    return done.stdout.split(f"{path}: ", 1)[1].splitlines()[0]


def test_address_in_the_certificate__leads_to_whichever_is_there(here, cell):
    _, certificate = joined(here)
    assert through_the_balancer(here, cell, certificate) == "good"
    a, b = here.registrars
    for stopped in (a, b):
        stopped.stop()
        try:
            harness.wait_until(lambda: through_the_balancer(here, cell, certificate) == "good", "the other's answer")
        finally:
            stopped.start()
            harness.wait_until(lambda r=stopped: ready(r), "it is back")


def test_two_who_revoke_while_verifiers_ask__nobody_is_good_again(here, ca):
    """Once a verifier has heard "revoked" from one, no answer that begins later says "good"."""
    device, certificate = joined(here)
    question = about(certificate, ca)
    heard, stop = [], threading.Event()

    def ask(port):
        while not stop.is_set():
            began = time.monotonic()
            (status,) = statuses(post(port, question), ca)
            heard.append((began, time.monotonic(), status))
    threads = [threading.Thread(target=ask, args=(r.http,)) for r in here.registrars]
    for t in threads:
        t.start()
    try:
        revoke(here.registrars[0], device)
        harness.wait_until(lambda: any(status == REVOKED for _, _, status in heard), "who has heard of it")
        time.sleep(0.3)
    finally:
        stop.set()
        for t in threads:
            t.join()
    first = min(end for _, end, status in heard if status == REVOKED)
    assert not [began for began, _, status in heard if status != REVOKED and began > first]


def test_after_a_switch_at_one__both_sign_with_either_ca(here, ca, cell, domain):
    key, certificate = standby_of(domain, cell)
    standby = forge.load_certs(certificate)[0]
    a, b = here.registrars
    for registrar in (a, b):
        text = registrar.config.read_text()
        registrar.config.write_text(text.replace(
            "[ca]", f"[ca]\nstandby_key = {key}\nstandby_certificate = {certificate}"))
        assert Api(registrar).post("/api/v1/reload", {}).status == 200
    old_device, old = joined(here)
    a.ctl("ca", "switch", "--to", "standby", "--yes")
    try:
        harness.wait_until(lambda: joined(here, here.b)[1].issuer == standby.subject, "the other issues with it")
        new_device, new = joined(here, here.b)
        assert said(here, old, ca) == said(here, new, standby) == everywhere(here, GOOD)
        revoke(a, old_device)
        revoke(b, new_device)
        assert said(here, old, ca) == said(here, new, standby) == everywhere(here, REVOKED)
        assert statuses(post(b.http, request(cert_id(ca, new.serial_number))), ca) == [UNKNOWN]
    finally:
        a.ctl("ca", "switch", "--to", "primary", "--yes")


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_while_the_database_is_away__verifiers_are_told_to_come_back(here, ca, how):
    """In time, and the lists are there as ever: they need no database."""
    _, certificate = joined(here)
    question = about(certificate, ca)
    getattr(here.postgres, how)()
    try:
        for registrar in here.registrars:
            began = time.monotonic()
            assert refusal(post(registrar.http, question)) == "TRY_LATER"
            assert refusal(get(registrar.port, question, tls=True)) == "TRY_LATER"
            assert time.monotonic() - began < 2 * PROMPT_S
            assert asking.exchange(registrar.http, "GET", "/issuing.crl")[0] == 200
            assert refusal(post(registrar.http, request(cert_id(forge.load_certs(here.domain.file("root.crt"))[0], 5)))) == "UNAUTHORIZED"
    finally:
        here.postgres.start() if how == "kill" else here.postgres.thaw()
    for registrar in here.registrars:
        harness.wait_until(lambda r=registrar: ready(r), "it is back")
        harness.wait_until(lambda r=registrar: answers_good(r, question, ca), "an answer")


def too_many(crowd):
    told, _, _ = select.select([one.tls for one in crowd], [], [], 0)
    return told if len(told) >= 15 else None


@pytest.mark.alone
def test_more_than_may_wait__are_told_at_once_and_devices_notice_nothing(here, ca):
    """At the devices' port, while the one who answers is held up by a database that hangs."""
    a = here.registrars[0]
    question = about(joined(here)[1], ca)
    octets = (b"POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\n"
              b"Content-Length: %d\r\n\r\n" % len(question) + question)
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(Connection(a.port)) for _ in range(MAY_WAIT + 20)]
        here.postgres.freeze()
        try:
            for one in crowd:
                one.send(octets)
            # later all are told: those who wait for the database are given up then
            told = harness.wait_until(lambda: too_many(crowd), "those beyond it are told")
            with here.a.peer() as peer:
                assert peer.cacerts().status == 200
        finally:
            here.postgres.thaw()
        assert len(told) <= 25, len(told)
        answers = [asking.ocsp.load_der_ocsp_response(one.read_reply().body).response_status.name for one in crowd]
        assert set(answers) <= {"TRY_LATER", "SUCCESSFUL"} and answers.count("TRY_LATER") >= 15
    harness.wait_until(lambda: ready(a) and answers_good(a, question, ca), "it is back")


def answers_good(registrar, question, ca):
    answer = asking.reading(post(registrar.http, question))
    return answer.response_status.name == "SUCCESSFUL" and statuses(post(registrar.http, question), ca) == [GOOD]
