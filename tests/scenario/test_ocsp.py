# SPDX-License-Identifier: Apache-2.0
"""Verifiers ask about single certificates (RFC 6960, RFC 9919): cryptography, openssl, strongSwan and
octets that no library sends; the answer is what the store says at that moment, or none."""
import base64
import contextlib
import datetime
import email.utils
import json
import re
import shutil
import sqlite3
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

import harness
import ocsp_client as asking
from brski_peer import certs, forge
from brski_peer.forge import tlv
from ocsp_client import GOOD, NONCE, REVOKED, UNKNOWN, about, believed, cert_id, get, post, refusal, request, status, statuses
from places import Site
from test_ca_switch import standby_of, switch
from test_est import admitted, est_body, issued
from test_metrics import Scrape
from test_published import Publisher, ask_raw

DOORS = {"plain": False, "devices": True}


def responding(directory, domain, makers, changes=None):
    """A registrar that answers at .http, and whose certificates say so."""
    registrar = Publisher(directory, domain, makers, changes)
    text = registrar.config.read_text()
    registrar.ocsp_url = f"http://127.0.0.1:{registrar.http}/ocsp"
    registrar.config.write_text(text.replace("[ca]", f"[ca]\nocsp_url = {registrar.ocsp_url}"))
    return registrar


@pytest.fixture(scope="module")
def site(place, acme, domain, masa_fake_server):
    metrics = harness.free_port()
    registrar = responding(place / "registrar", domain, [acme], {
        "ca": {"crl_url": "http://pki.example/issuing.crl"}, "metrics": {"listen": f"127.0.0.1:{metrics}"}})
    registrar.name, registrar.metrics = "registrar", metrics
    with harness.running(registrar):
        yield Site(place, acme, domain, masa_fake_server, registrar)


@pytest.fixture(autouse=True)
def honest(fake_masa):
    return fake_masa


@pytest.fixture(scope="module")
def ca(domain):
    return forge.load_certs(domain.file("issuing.crt"))[0]


def joined(site, device=None):
    """(device, its certificate)"""
    device = device or site.device()
    with admitted(site, device) as pledge:
        return device, pledge.join()[0]


def revoke(site, device):
    site.registrar.ctl("devices", "revoke", device.serial, "--reason", "stolen")


@pytest.fixture(scope="module")
def pair(site, masa_fake_server):
    """A good certificate and a revoked one."""
    masa_fake_server.be_honest()
    (_, good), (thief, bad) = joined(site), joined(site)
    revoke(site, thief)
    return good, bad


# -- good, revoked, unknown

@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256()], ids=lambda a: a.name)
@pytest.mark.parametrize("send", [post, get], ids=["POST", "GET"])
def test_answer__is_what_became_of_the_certificate(site, ca, pair, door, algorithm, send):
    port = site.registrar.port if DOORS[door] else site.registrar.http
    stranger = certs.make_idevid(forge.issuing(site.domain.directory), "S", "masa.example").cert
    for certificate, wanted in zip((*pair, stranger), (GOOD, REVOKED, UNKNOWN)):
        (one,) = believed(send(port, about(certificate, ca, algorithm), tls=DOORS[door]), ca)
        assert one.certificate_status == wanted
        assert one.serial_number == certificate.serial_number
        assert isinstance(one.hash_algorithm, type(algorithm))


def test_revoked__is_said_with_the_time_that_the_list_has(site, ca, pair):
    (one,) = believed(post(site.registrar.http, about(pair[1], ca)), ca)
    (crl,) = [x509.load_der_x509_crl(asking.exchange(site.registrar.http, "GET", "/issuing.crl")[2])]
    listed = crl.get_revoked_certificate_by_serial_number(pair[1].serial_number)
    assert one.revocation_time == listed.revocation_date and one.revocation_reason is None


def test_revoking__is_seen_by_who_asks_next(site, ca):
    """On a connection that stands, too: nothing is kept."""
    device, certificate = joined(site)
    question = about(certificate, ca)
    for _ in range(3):
        assert statuses(get(site.registrar.http, question), ca) == [GOOD]
    revoke(site, device)
    for send in (get, post):
        assert statuses(send(site.registrar.http, question), ca) == [REVOKED]


def test_a_device_that_came_back__has_one_revoked_and_one_good(site, ca):
    device, first = joined(site)
    revoke(site, device)
    site.registrar.ctl("claims", "approve", device.serial, "--reason", "found")
    _, second = joined(site, device)
    assert status(site.registrar.http, first, ca) == REVOKED
    assert status(site.registrar.http, second, ca) == GOOD


def test_a_restart__changes_no_answer(site, ca, pair):
    site.registrar.restart()
    assert [status(site.registrar.http, c, ca) for c in pair] == [GOOD, REVOKED]


def test_validity__is_as_configured(cell, acme, domain, ca, masa_fake_server):
    registrar = responding(cell / "r", domain, [acme], {"ca": {"ocsp_minutes": 5}})
    with harness.running(registrar):
        (one,) = believed(post(registrar.http, request(cert_id(ca, 5))), ca)
        assert one.next_update - one.this_update == datetime.timedelta(minutes=5)
    for wrong in ("0", "-1", "x"):
        registrar.config.write_text(re.sub("ocsp_minutes = .*", f"ocsp_minutes = {wrong}", registrar.config.read_text()))
        assert "ocsp_minutes" in harness.run(*registrar.argv, "--check", check=1).stderr


def test_validity__is_an_hour_where_nothing_is_said(site, ca):
    (one,) = believed(post(site.registrar.http, request(cert_id(ca, 5))), ca)
    assert one.next_update - one.this_update == datetime.timedelta(hours=1)


def listed(port):
    """The numbers on the list."""
    return {entry.serial_number for entry in x509.load_der_x509_crl(asking.exchange(port, "GET", "/issuing.crl")[2])}


def renewed(site, device):
    """(its certificate, another one that it got with that)"""
    with admitted(site, device) as pledge:
        certificate, key = pledge.join()
    with site.peer(forge.save(site.directory, f"{device.serial}-ldevid", key, [certificate])) as client:
        return certificate, issued(client.post_csr(est_body(client.csr(key)), "simplereenroll"))


def test_list_and_answers__agree_whatever_became_of_a_device(site, ca):
    """Certificates that were renewed, too: none of them is forgotten with its device."""
    registrar, devices = site.registrar, [site.device() for _ in range(7)]
    kept, stolen, retired, swapped, locked, refused, back = devices
    all_of = {device: renewed(site, device) for device in devices}
    registrar.ctl("devices", "revoke", stolen.serial, back.serial, "--reason", "stolen", "--yes")
    registrar.ctl("devices", "decommission", retired.serial, "--reason", "old", "--yes")
    registrar.ctl("devices", "replace", swapped.serial, site.device().serial, "--reason", "burnt")
    registrar.ctl("devices", "quarantine", locked.serial, "--reason", "odd", "--yes")
    registrar.ctl("claims", "reject", refused.serial, "--reason", "not ours", "--yes", check=None)
    registrar.ctl("claims", "approve", back.serial, "--reason", "found")
    _, again = joined(site, back)
    out = {c.serial_number for device in (stolen, retired, swapped, back) for c in all_of[device]}
    harness.wait_until(lambda: out <= listed(registrar.http), "the list")
    on_list = listed(registrar.http)
    for device, certificates in [*all_of.items(), (back, (again,))]:
        for certificate in certificates:
            told = status(registrar.http, certificate, ca)
            assert told == (REVOKED if certificate.serial_number in on_list else GOOD), device.serial
    assert not {c.serial_number for c in (*all_of[kept], *all_of[locked], again)} & on_list


@pytest.mark.file_store
def test_after_an_earlier_store_was_put_back__list_and_answers_agree(cell, acme, domain, masa_fake_server, ca):
    """What was revoked since is good at both, as the manual warns; what was issued since is known to neither."""
    registrar = responding(cell / "r", domain, [acme])
    site = Site(cell, acme, domain, masa_fake_server, registrar)
    with harness.running(registrar):
        (early, before), (late, since) = joined(site), joined(site)
        revoke(site, early)
        registrar.ctl("backup", cell / "copy.db")
        revoke(site, late)
        _, new = joined(site)
        harness.wait_until(lambda: since.serial_number in listed(registrar.http), "the list")
        registrar.stop()
        registrar.ctl("restore", cell / "copy.db", "--config", registrar.config)
        mark = registrar.log_size()
        registrar.start()
        registrar.wait_log("crl-published", mark)
        assert [status(registrar.http, c, ca) for c in (before, since, new)] == [REVOKED, GOOD, UNKNOWN]
        assert listed(registrar.http) == {before.serial_number}
        revoke(site, late)
        assert status(registrar.http, since, ca) == REVOKED
        harness.wait_until(lambda: since.serial_number in listed(registrar.http), "the list")


# -- several at once

def test_several_certificates__are_answered_in_their_order(site, ca, pair):
    good, bad = (c.serial_number for c in pair)
    numbers = [bad, 7, good, good, bad, 1, 2, good]
    singles = believed(post(site.registrar.http, request(*(cert_id(ca, n) for n in numbers))), ca)
    assert [one.serial_number for one in singles] == numbers
    says = {good: GOOD, bad: REVOKED}
    assert [one.certificate_status for one in singles] == [says.get(n, UNKNOWN) for n in numbers]


def test_one_digest_here_another_there__each_is_answered_in_its_own(site, ca, pair):
    asked = [cert_id(ca, pair[1].serial_number, name) for name in ("sha1", "sha256", "sha384", "sha512")]
    singles = believed(post(site.registrar.http, request(*asked)), ca)
    assert [one.certificate_status for one in singles] == [REVOKED] * 4
    assert [one.hash_algorithm.name for one in singles] == ["sha1", "sha256", "sha384", "sha512"]


def test_too_many_certificates__are_malformed(site, ca):
    for count in (9, 30):
        assert refusal(post(site.registrar.http, request(*(cert_id(ca, n + 1) for n in range(count))))) == "MALFORMED_REQUEST"


# -- whose certificates

def other(name="Stranger"):
    return certs.make_ca(name).cert


def wrong_issuers(domain, acme, ca):
    return {
        "the root": forge.load_certs(domain.file("root.crt"))[0],
        "a manufacturer": forge.load_certs(acme.file("issuing.crt"))[0],
        "the name of ours with another key": certs.make_cert(ca.subject, None, ca=True, key_usage={"key_cert_sign"}).cert,
    }


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_question_about_others__is_not_authorized(site, acme, domain, ca, pair, algorithm):
    number = pair[0].serial_number
    for who, issuer in wrong_issuers(domain, acme, ca).items():
        assert refusal(post(site.registrar.http, request(cert_id(issuer, number, algorithm)))) == "UNAUTHORIZED", who
    halves = [{"name_hash": asking.digest(algorithm, b"x")}, {"key_hash": asking.digest(algorithm, b"x")},
              {"name_hash": b""}, {"key_hash": b""}, {"key_hash": asking.digest(algorithm, asking.key_bits(ca)) + b"\0"}]
    for wrong in halves:
        assert refusal(post(site.registrar.http, request(cert_id(ca, number, algorithm, **wrong)))) == "UNAUTHORIZED", wrong


def test_question_about_ours_and_others__is_not_authorized(site, ca, pair):
    mine = cert_id(ca, pair[0].serial_number)
    for asked in ([mine, cert_id(other(), 5)], [cert_id(other(), 5), mine]):
        assert refusal(post(site.registrar.http, request(*asked))) == "UNAUTHORIZED"


@pytest.mark.parametrize("algorithm", ["md5", "sha224"])
def test_digest_that_is_not_known__is_nobodys(site, ca, pair, algorithm):
    assert refusal(post(site.registrar.http, request(cert_id(ca, pair[0].serial_number, algorithm)))) == "UNAUTHORIZED"


# -- nonces

@pytest.mark.parametrize("size", [1, 16, 32, 33, 127, 128])
@pytest.mark.parametrize("send", [post, get], ids=["POST", "GET"])
def test_nonce__is_in_the_answer(site, ca, pair, size, send):
    octets = bytes((200 + n) % 256 for n in range(size))
    reply = send(site.registrar.http, about(pair[0], ca, nonce_octets=octets))
    assert statuses(reply, ca) == [GOOD]
    assert asking.reading(reply).extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == octets
    assert reply[1]["cache-control"] == "no-store" and not {"etag", "expires", "last-modified"} & set(reply[1])


def test_no_nonce__in_the_question__is_none_in_the_answer(site, ca, pair):
    assert not list(asking.reading(post(site.registrar.http, about(pair[0], ca))).extensions)


@pytest.mark.parametrize("value", [
    tlv(4), tlv(4, b"x" * 129), tlv(4, b"x" * 300), b"x" * 16, b"", tlv(4, b"x") + b"\0", tlv(2, b"x"), tlv(0x24, tlv(4, b"x"))],
    ids=["empty", "129", "300", "not wrapped", "no octets", "more after it", "a number", "in pieces"])
def test_nonce__that_is_none__is_malformed(site, ca, pair, value):
    asked = cert_id(ca, pair[0].serial_number)
    assert refusal(post(site.registrar.http, request(asked, extensions=[asking.extension(NONCE, value)]))) == "MALFORMED_REQUEST"


def test_two_nonces__are_malformed(site, ca, pair):
    asked = cert_id(ca, pair[0].serial_number)
    twice = [asking.nonce(b"one"), asking.nonce(b"two")]
    assert refusal(post(site.registrar.http, request(asked, extensions=twice))) == "MALFORMED_REQUEST"


# -- what is no question

def spoilt(ca, number):
    """{what is wrong: octets}"""
    one = cert_id(ca, number)
    good = request(one)
    return {
        "nothing": b"",
        "a digit": b"5",
        "zeros": bytes(100),
        "an octet more": good + b"\0",
        "an octet less": good[:-1],
        "two of them": good * 2,
        "base64": base64.b64encode(good),
        "PEM": b"-----BEGIN OCSP REQUEST-----\n" + base64.b64encode(good) + b"\n-----END OCSP REQUEST-----\n",
        "nobody": request(),
        "version 2": request(one, version=tlv(0xA0, b"\2\1\1")),
        "no length": b"\x30\x80" + good[2:] + b"\0\0",
        "a length of five octets": b"\x30\x85\0\0\0\0" + good[1:],
        "unknown and critical": request(one, extensions=[asking.extension("1.2.3.4", b"\5\0", True)]),
        "no digest": request(asking.sequence(one[4:])),
        "no serial number": request(cert_id(ca, 1, number=b"")),
        "empty serial number": request(cert_id(ca, 1, number=b"\2\0")),
        "serial number of 100 octets": request(cert_id(ca, 1, number=tlv(2, b"\1" * 100))),
        "an answer": asking.sequence(b"\x0a\1\0", tlv(0xA0, b"")),
        "a certificate": ca.public_bytes(Encoding.DER),
    }


@pytest.mark.parametrize("send", [post, get], ids=["POST", "GET"])
def test_what_is_no_question__is_malformed(site, ca, pair, send):
    for what, octets in spoilt(ca, pair[0].serial_number).items():
        reply = send(site.registrar.http, octets)
        if reply[0] == 404 and not octets:
            continue  # nothing in the path
        assert refusal(reply) == "MALFORMED_REQUEST", what
        assert reply[1]["cache-control"] == "no-store", what
    assert statuses(post(site.registrar.http, about(pair[0], ca)), ca) == [GOOD]


def test_every_octet_changed__never_makes_a_revoked_one_good(site, ca, pair):
    """Whatever is flipped: the answer is about another number, unknown, or none."""
    good = about(pair[1], ca)
    for at in range(len(good)):
        reply = post(site.registrar.http, good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
        answer = asking.reading(reply)
        if answer.response_status.name == "SUCCESSFUL":
            asking.verify(ca, answer)
            assert {one.certificate_status for one in answer.responses} <= {REVOKED, UNKNOWN}, at


def test_serial_number__in_a_longer_form__is_not_good(site, ca, pair):
    for certificate in pair:
        plain = certificate.serial_number.to_bytes(21, "big").lstrip(b"\0")
        for zeros in (2, 3):
            reply = post(site.registrar.http, request(cert_id(ca, 1, number=tlv(2, bytes(zeros) + plain))))
            answer = asking.reading(reply)
            assert answer.response_status.name == "MALFORMED_REQUEST" or statuses(reply, ca) != [GOOD]


def test_what_nobody_has_to_know__is_passed_over(site, ca, pair):
    """Extensions, a version that is written out, who asks, a signature of whomever."""
    one = cert_id(ca, pair[1].serial_number)
    signature = tlv(0xA0, asking.sequence(asking.sequence(forge.oid("1.2.840.10045.4.3.2")), tlv(3, b"\0" * 70)))
    for octets in (request(one, extensions=[asking.extension("1.2.3.4", b"\5\0")]),
                   request(one, extensions=[asking.extension("1.3.6.1.5.5.7.48.1.4", asking.sequence(forge.oid("1.3.6.1.5.5.7.48.1.1")))]),
                   request(one, signature=signature)):
        assert statuses(post(site.registrar.http, octets), ca) == [REVOKED]


# -- HTTP

def test_question_as_something_else__is_refused(site, ca, pair):
    port, question = site.registrar.http, about(pair[0], ca)
    send = asking.exchange
    for headers in ({"Content-Type": "application/octet-stream"}, {}):
        assert send(port, "POST", "/ocsp", question, headers)[0] == 415, headers
    assert post(port, question + bytes(4096))[0] == 413
    assert send(port, "POST", "/ocsp/", question, {"Content-Type": asking.REQUEST})[0] in (404, 405)
    assert send(port, "GET", "/ocsp")[0] in (404, 405)
    for method in ("PUT", "DELETE", "OPTIONS"):
        assert send(port, method, "/ocsp")[0] in (404, 405), method
    assert send(port, "POST", "/ocsp", question, {"Content-Type": "Application/OCSP-Request; charset=x"})[0] == 200


def path_forms(der):
    text = base64.b64encode(der).decode()
    quoted = asking.path_of(der)
    return {
        "quoted": quoted,
        "as it is": "/ocsp/" + text,
        "quoted in small letters": re.sub("%..", lambda m: m[0].lower(), quoted),
        "everything quoted": "/ocsp/" + "".join(f"%{ord(c):02X}" for c in text),
        "after two slashes": "/ocsp//" + text,
    }


def test_get__in_every_form_that_clients_use__is_answered(site, ca):
    """Among many numbers base64 has each of its signs at each place, two slashes in a row as well."""
    seen = ""
    for number in (*range(1 << 20, (1 << 20) + 6), int("ff" * 15, 16), int("3ff" * 9, 16), int("fbef" * 4, 16)):
        question = request(cert_id(ca, number))
        seen += base64.b64encode(question).decode() + "\n"
        for form, path in path_forms(question).items():
            reply = asking.exchange(site.registrar.http, "GET", path)
            (one,) = believed(reply, ca)
            assert (one.certificate_status, one.serial_number) == (UNKNOWN, number), (form, path)
    assert "//" in seen and "+" in seen and "=\n" in seen


def test_get__what_is_no_base64__is_malformed_or_refused(site):
    for path in ("/ocsp/x", "/ocsp/%", "/ocsp/%zz", "/ocsp/====", "/ocsp/MA==%00", "/ocsp/../issuing.crl", "/ocsp/MA=/x",
                 "/ocsp/" + "A" * 5000, "/ocsp/%4", "/ocsp/a?b"):
        reply = asking.exchange(site.registrar.http, "GET", path)
        assert reply[0] in (400, 404, 414) or refusal(reply) == "MALFORMED_REQUEST", (path, reply)
    assert asking.exchange(site.registrar.http, "GET", "/ocsp/" + "A" * 20000)[0] in (400, 414, 431)


def test_get__without_a_nonce__may_be_kept_for_a_while(site, ca, pair):
    reply = get(site.registrar.http, about(pair[0], ca))
    (one,) = believed(reply, ca)
    headers = reply[1]
    ages = dict(re.findall(r"([a-z-]+)(?:=(\d+))?", headers["cache-control"]))
    assert int(ages["max-age"]) == 1800 and "public" in ages and "no-store" not in ages
    moment = lambda name: email.utils.parsedate_to_datetime(headers[name]).replace(tzinfo=None)
    assert moment("last-modified") == one.this_update and moment("expires") == one.next_update
    assert re.fullmatch(r'"[0-9a-f]+"', headers["etag"])
    assert moment("date") <= moment("expires")


def test_post_and_refusals__are_kept_nowhere(site, ca, pair):
    port = site.registrar.http
    for reply in (post(port, about(pair[0], ca)), get(port, b"x"), get(port, request(cert_id(other(), 5)))):
        assert reply[1]["cache-control"] == "no-store" and "etag" not in reply[1]


def test_curl__by_head_and_get__gets_what_openssl_reads(site, ca, pair, cell):
    url = f"http://127.0.0.1:{site.registrar.http}{asking.path_of(about(pair[1], ca))}"
    head = harness.run("curl", "-sfI", url, check=0).stdout
    assert "application/ocsp-response" in head and "max-age=" in head
    harness.run("curl", "-sf", "-o", cell / "answer", url, check=0)
    said = harness.run("openssl", "ocsp", "-respin", cell / "answer", "-resp_text", "-noverify", check=0).stdout
    assert "Cert Status: revoked" in said


# -- who watches the registrar

def test_answers_and_refusals__are_counted_and_refusals_logged(site, ca, pair):
    site.registrar.restart()  # what was logged too often is logged again
    port, before, mark = site.registrar.http, Scrape(site.registrar), site.registrar.log_size()
    good, bad = (c.serial_number for c in pair)
    for octets in (request(*(cert_id(ca, n) for n in (good, bad, bad, 1))), request(cert_id(other(), 5)), b"x"):
        post(port, octets)
    counted = Scrape(site.registrar).since(before)
    said = {key[1]: value for key, value in counted.items() if key[0] == "ocsp_answers_total"}
    assert said == {"good": 1, "revoked": 2, "unknown": 1, "unauthorized": 1, "malformed": 1}
    lines = site.registrar.lines("event=ocsp-refused", mark)
    assert len(lines) == 2 and all("peer=127.0.0.1:" in line and "reason=" in line for line in lines), lines
    assert not site.registrar.lines("event=request ", mark), "that somebody asked at the plain listener is no news"
    post(site.registrar.port, b"x", tls=True)
    assert len(site.registrar.lines("event=request .*path=/ocsp status=200", mark)) == 1


@pytest.mark.file_store
def test_what_is_wrong_with_the_store__is_not_told_as_often_as_strangers_ask(cell, acme, domain, ca):
    """An error is no complaint about a peer, which the log bounds; but here anybody causes one."""
    registrar = responding(cell / "r", domain, [acme])
    question = request(cert_id(ca, 5))
    octets = (b"POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\n"
              b"Content-Length: %d\r\n\r\n" % len(question) + question)
    with harness.running(registrar):
        with contextlib.closing(sqlite3.connect(registrar.directory / "registrar.db")) as db:
            db.execute("ALTER TABLE certificate RENAME COLUMN serial_hex TO gone")
        assert refusal(post(registrar.http, question)) == "TRY_LATER"
        began = time.monotonic()
        ask_raw(registrar.http, octets * 999 + octets.replace(b"Host: x", b"Host: x\r\nConnection: close"))
        told = registrar.lines("event=ocsp-refused .*kind=store")
        assert 0 < len(told) < 300 * (2 + time.monotonic() - began), len(told)


# -- openssl and strongSwan, by what the certificate says

def files(cell, domain, *certificates):
    paths = []
    for n, certificate in enumerate(certificates):
        paths.append(cell / f"{n}.pem")
        paths[-1].write_bytes(certificate.public_bytes(Encoding.PEM))
    return paths


def openssl_ocsp(domain, certificate, *more):
    url = harness.run("openssl", "x509", "-in", certificate, "-noout", "-ocsp_uri", check=0).stdout.strip()
    return harness.run("openssl", "ocsp", "-issuer", domain.file("issuing.crt"), "-cert", certificate, "-url", url,
                       "-CAfile", domain.file("root.crt"), "-timeout", "10", *more)


@pytest.mark.parametrize("more", [(), ("-no_nonce",), ("-sha256",)], ids=["as it comes", "no nonce", "sha256"])
def test_openssl__by_the_address_in_the_certificate__knows_good_from_revoked(site, cell, pair, more):
    before = [more[0]] if more[:1] == ("-sha256",) else []
    after = [m for m in more if m not in before]
    for path, word in zip(files(cell, site.domain, *pair), ("good", "revoked")):
        url = harness.run("openssl", "x509", "-in", path, "-noout", "-ocsp_uri", check=0).stdout.strip()
        assert url == site.registrar.ocsp_url
        done = harness.run("openssl", "ocsp", *before, "-issuer", site.domain.file("issuing.crt"), "-cert", path, "-url", url,
                           "-CAfile", site.domain.file("root.crt"), "-timeout", "10", *after, check=0)
        assert f"{path}: {word}\n" in done.stdout and "Response verify OK" in done.stderr, done.stdout + done.stderr
        assert "WARNING" not in done.stderr, done.stderr


def test_openssl__under_another_root__believes_nothing(site, cell, pair, other_domain):
    (path,) = files(cell, site.domain, pair[0])
    done = openssl_ocsp(site.domain, path, "-no_nonce")
    assert "Response verify OK" in done.stderr
    done = harness.run("openssl", "ocsp", "-issuer", other_domain.file("issuing.crt"), "-cert", path, "-url",
                       site.registrar.ocsp_url, "-CAfile", other_domain.file("root.crt"), "-timeout", "10")
    assert "unauthorized" in done.stdout + done.stderr and "good" not in done.stdout


@pytest.mark.skipif(not shutil.which("pki"), reason="strongswan-pki is not installed")
def test_strongswan__online__takes_the_good_and_refuses_the_revoked(site, cell, pair):
    said = []
    for path in files(cell, site.domain, *pair):
        done = harness.run("pki", "--verify", "--online", "--in", path, "--cacert", site.domain.file("issuing.crt"),
                           "--cacert", site.domain.file("root.crt"), timeout=30)
        said.append(done.stdout + done.stderr)
    if "plugin 'curl': failed" in said[0]:
        pytest.skip("pki has no HTTP client (libstrongswan-extra-plugins is not installed)")
    good, bad = said
    assert f"requesting ocsp status from '{site.registrar.ocsp_url}'" in good and "ocsp response is valid" in good
    assert "certificate status is good" in good
    assert "revoked" in bad and "ocsp response is valid" in bad and "certificate status is good" not in bad


# -- the certificate says where

def test_certificates__say_where_to_ask_beside_the_list(site, pair):
    access = pair[0].extensions.get_extension_for_class(x509.AuthorityInformationAccess)
    assert not access.critical
    assert [(a.access_method, a.access_location.value) for a in access.value] == [
        (x509.AuthorityInformationAccessOID.OCSP, site.registrar.ocsp_url)]
    assert pair[0].extensions.get_extension_for_class(x509.CRLDistributionPoints)


def test_url__that_is_none__is_refused_at_the_start(cell, domain, acme):
    key, certificate = standby_of(domain, cell)
    for option in ("ocsp_url", "standby_ocsp_url"):
        for n, url in enumerate(("ldap://x", "http://", "x", "http://x y/", "http://" + "x" * 3000)):
            registrar = harness.Registrar(cell / f"{option}-{n}", domain, [acme], changes={"ca": {
                option: url, "standby_key": key, "standby_certificate": certificate}})
            assert "ocsp_url" in harness.run(*registrar.argv, "--check", check=1).stderr, url


# -- two CAs, and one of before

@pytest.fixture(scope="module")
def two(place, acme, domain, masa_fake_server):
    """A registrar with a second CA; its certificates name another address."""
    key, certificate = standby_of(domain, place)
    shutil.copy(domain.file("issuing.key"), place / "issuing.key")
    registrar = responding(place / "two", domain, [acme], {"ca": {
        "key": place / "issuing.key", "standby_key": key, "standby_certificate": certificate}})
    text = registrar.config.read_text()
    registrar.config.write_text(text.replace("[ca]", f"[ca]\nstandby_ocsp_url = {registrar.ocsp_url}"))
    registrar.ca_key = place / "issuing.key"
    with harness.running(registrar):
        site = Site(place, acme, domain, masa_fake_server, registrar)
        site.standby = forge.load_certs(certificate)[0]
        yield site


def test_after_a_switch__each_ca_signs_for_its_own(two, ca):
    """And whom it issued under the other one's name it does not know."""
    old, stolen = joined(two), joined(two)
    switch(two)
    try:
        new, lost = joined(two), joined(two)
        assert [c.issuer for _, c in (old, new)] == [ca.subject, two.standby.subject]
        for device, _ in (stolen, lost):
            revoke(two, device)
        port = two.registrar.http
        assert [status(port, c, ca) for _, c in (old, stolen)] == [GOOD, REVOKED]
        assert [status(port, c, two.standby) for _, c in (new, lost)] == [GOOD, REVOKED]
        # the number of the one, said to be of the other
        for number, issuer in ((old[1].serial_number, two.standby), (stolen[1].serial_number, two.standby),
                               (new[1].serial_number, ca), (lost[1].serial_number, ca)):
            assert statuses(post(port, request(cert_id(issuer, number))), issuer) == [UNKNOWN]
        both = request(cert_id(ca, old[1].serial_number), cert_id(two.standby, new[1].serial_number))
        assert refusal(post(port, both)) == "UNAUTHORIZED"
    finally:
        switch(two, "--to", "primary")


def test_without_its_key__a_ca_answers_nothing_and_the_other_goes_on(two, ca):
    number = joined(two)[1].serial_number
    before = two.registrar.ca_key.read_text()
    two.registrar.stop()
    two.registrar.ca_key.write_text("")
    try:
        two.registrar.start()
        port = two.registrar.http
        assert refusal(post(port, request(cert_id(ca, number)))) in ("INTERNAL_ERROR", "UNAUTHORIZED", "TRY_LATER")
        assert statuses(post(port, request(cert_id(two.standby, number))), two.standby) == [UNKNOWN]
    finally:
        two.registrar.ca_key.write_text(before)
        two.registrar.restart()
    assert statuses(post(two.registrar.http, request(cert_id(ca, number))), ca) == [GOOD]


def test_a_ca_of_before__is_not_ours_to_speak_for(cell, acme, domain, masa_fake_server, ca):
    """Its certificates renew themselves, but its key is not here."""
    key, certificate = standby_of(domain, cell, "new")
    chain = cell / "chain.pem"
    chain.write_bytes(domain.file("root.crt").read_bytes() + domain.file("issuing.crt").read_bytes())
    registrar = responding(cell / "r", domain, [acme])
    site = Site(cell, acme, domain, masa_fake_server, registrar)
    with harness.running(registrar):
        _, old = joined(site)
        assert status(registrar.http, old, ca) == GOOD
        registrar.stop()
        text = registrar.config.read_text()
        for was, now in ((domain.file("issuing.key"), key), (domain.file("issuing.crt"), certificate),
                         (domain.file("root.crt"), chain)):
            text = text.replace(f"= {was}\n", f"= {now}\n")
        registrar.config.write_text(text)
        registrar.start()
        assert refusal(post(registrar.http, about(old, ca))) == "UNAUTHORIZED"
        _, new = joined(site)
        assert status(registrar.http, new, forge.load_certs(certificate)[0]) == GOOD


def test_ca_that_may_not_sign_lists__answers_all_the_same(cell, acme, domain, masa_fake_server):
    """And who looks after it is told that this is how others hear of revocations."""
    root, issuing = forge.load(domain.file("root.key"), domain.file("root.crt")), forge.issuing(domain.directory)
    bare = certs.make_cert(issuing.cert.subject, root, key=issuing.key, ca=True, key_usage={"key_cert_sign"})
    (cell / "bare.crt").write_bytes(bare.cert.public_bytes(Encoding.PEM))
    registrar = responding(cell / "r", domain, [acme], {"ca": {"certificate": cell / "bare.crt"}})
    site = Site(cell, acme, domain, masa_fake_server, registrar)
    with harness.running(registrar):
        registrar.wait_log("crl-impossible.*by OCSP alone")
        device, certificate = joined(site)
        assert status(registrar.http, certificate, bare.cert) == GOOD
        revoke(site, device)
        assert status(registrar.http, certificate, bare.cert) == REVOKED
        assert asking.exchange(registrar.http, "GET", "/issuing.crl")[0] == 404
        assert "by OCSP alone" in registrar.ctl("doctor", check=None).stdout


@pytest.mark.parametrize("key_type", [pytest.param("rsa-3072", marks=pytest.mark.slow), "ec-p384"])
def test_ca_of_another_kind_of_key__signs_what_is_believed(cell, acme, masa_fake_server, key_type):
    domain = harness.Domain(cell / "domain", "Other Kind", key_type)
    registrar = responding(cell / "r", domain, [acme])
    issuer = forge.load_certs(domain.file("issuing.crt"))[0]
    with harness.running(registrar):
        site = Site(cell, acme, domain, masa_fake_server, registrar)
        _, certificate = joined(site)
        assert status(registrar.http, certificate, issuer) == GOOD
        most = request(*(cert_id(issuer, n + 1, "sha512") for n in range(8)), extensions=[asking.nonce(b"n" * 128)])
        assert statuses(post(registrar.http, most), issuer) == [UNKNOWN] * 8
        (path,) = files(cell, domain, certificate)
        assert "Response verify OK" in openssl_ocsp(domain, path).stderr
