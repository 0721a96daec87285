# SPDX-License-Identifier: Apache-2.0
"""The real pledge towards constrained registrars that lie: what it sends over CoAPS, what it
believes, what it tells (draft-ietf-anima-constrained-voucher, RFC 9148).

The registrar is Python's; vouchers are signed with the manufacturer's real signer unless the lie is
about that. What is the same over HTTPS is in test_pledge.py.
"""
import hashlib
import random
import re
import time

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import harness
from brski_peer import certs, coap, cose, forge
from brski_peer.coap_server import Answer
from brski_peer.constrained import (CBOR, MULTIPART, PKCS7_CERTS, PKCS10, PKCS8, PKIX_CERT, VOUCHER,
                                    FakeRegistrar)
from brski_peer.registrar import FakeRegistrar as HttpsRegistrar
from places import Device

req = pytest.mark.req

JOINED, FAILED, USAGE, REFUSED, UNREACHABLE, BAD_VOUCHER, STILL_PENDING, NOT_ENROLLED = range(8)
REPORT_OK = bytes.fromhex("a26776657273696f6e0166737461747573f5")  # as the draft prints it


def pending(seconds=1):
    return Answer("5.03", options=[(coap.MAX_AGE, coap.uint(seconds))])


@pytest.fixture
def serve(acme, domain):
    """Registrars of the usual domain, or showing another identity."""
    servers = []

    def make(identity=None, **more):
        identity = identity or forge.load(domain.registrar_dir / "registrar.key",
                                          domain.registrar_dir / "registrar.crt")
        server = FakeRegistrar(identity, domain.directory, acme.directory, **more)
        server.shown = identity.cert
        servers.append(server.start())
        return server
    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def registrar(serve):
    return serve()


@pytest.fixture
def device(acme):
    return Device(acme, "masa.example")


class Try:
    """One device in front of one or more registrars."""

    def __init__(self, cell, device, *servers, changes=None, anchors=None):
        urls = [f"coaps://127.0.0.1:{s.port}" for s in servers]
        anchors = anchors or device.manufacturer.directory / "masa" / "masa-signer.crt"
        self.pledge = harness.Pledge(cell / "pledge", device.key, device.certificate, anchors, urls,
                                     harness.merged({"coaps": {"connect_timeout": "3s",
                                                               "deadline": "5s"}}, changes))
        self.done = None

    def command(self, verb, *args, expect=None, timeout=60):
        self.done = self.pledge.command(verb, *args, timeout=timeout)
        if expect is not None:
            assert self.done.returncode == expect, (
                f"exit {self.done.returncode}, not {expect}\n{self.done.stdout}{self.done.stderr}")
        return self.done

    def join(self, *args, expect=None, timeout=60):
        return self.command("join", *args, expect=expect, timeout=timeout)

    def status(self):
        return self.pledge.command("status").returncode

    @property
    def current(self):
        return self.pledge.state / "current"

    def ldevid(self):
        return forge.load(self.current / "ldevid.key", self.current / "ldevid.crt")


def refuses(cell, device, registrar, expect=BAD_VOUCHER, **more):
    """The voucher must be refused: telemetry says so on the same session, nothing of EST happens,
    nothing is kept (R-15, D-10)."""
    attempt = Try(cell, device, registrar, **more)
    attempt.join(expect=expect)
    assert registrar.steps() == ["rv", "vs"]
    assert len({r.connection for r in registrar.seen()}) == 1
    check_failure(registrar.reports("vs")[0])
    assert attempt.status() == NOT_ENROLLED
    return attempt


def check_failure(report):
    assert set(report) == {"version", "status", "reason"}
    assert report["version"] == 1 and report["status"] is False
    assert report["reason"].strip()
    assert not re.search(r"/|\.c:|0x|BEGIN", report["reason"]), "no detail for a stranger"


def flat_domain():
    """A site whose root itself issues: (root, its registrar)."""
    root = certs.make_ca("Flat Site Root")
    return root, certs.make_registrar(root)


@pytest.fixture
def flat(serve, cell):
    """A registrar of such a site."""
    root, identity = flat_domain()
    server = serve(forge.save(cell, "flat", identity.key, identity.chain(with_root=True)))
    server.ca, server.root, server.pin = root, root.cert, root.cert
    return server


# -- the whole road

@req("R-11", "R-13", "R-23", "N-01", "N-03", "N-05", "D-07", "D-10", "D-12", "D-13", "O-01", "O-05", "Y-15",
     "Y-18", "C-05", "C-06", "C-15", "C-19", "C-25", "K-02", "D-14")
def test_join_sends_what_the_standards_say_in_their_order(cell, device, registrar):
    attempt = Try(cell, device, registrar)
    attempt.join(expect=JOINED)
    assert registrar.steps() == ["rv", "vs", "sen", "crts", "es"]
    requests = registrar.seen()
    assert len({r.connection for r in requests[:-1]}) == 1, "one session up to the certificate"
    assert requests[-1].connection != requests[0].connection, "es over a new one"
    assert {r.message.type for r in requests} == {coap.CON}
    assert requests[0].link.max_fragment == 1024
    assert {r.link.peer_der for r in requests[:-1]} == {device.identity.der}

    rv, vs, sen, crts, es = requests
    assert (rv.content_format, rv.accept) == (VOUCHER, VOUCHER)
    pvr = cose.parse(rv.body).verify(device.identity.cert)
    assert pvr.tagged and pvr.alg == cose.ES256 and pvr.protected_octets == bytes.fromhex("a10126")
    assert pvr.unprotected == {} and pvr.container == "request"
    assert set(pvr.fields) == {"assertion", "created-on", "nonce", "serial-number",
                               "proximity-registrar-pubk"}
    assert pvr.fields["assertion"] == "proximity" and len(pvr.fields["nonce"]) >= 8
    assert pvr.fields["serial-number"] == device.serial
    assert pvr.fields["proximity-registrar-pubk"] == forge.spki(registrar.shown)
    assert cose.encode("request", pvr.fields) == pvr.payload, "shortest form, keys ascending"

    for report in (vs, es):
        assert report.content_format == CBOR and report.body == REPORT_OK
    assert (sen.content_format, sen.accept) == (PKCS10, PKIX_CERT)
    csr = x509.load_der_x509_csr(sen.body)
    assert csr.is_signature_valid
    assert csr.subject.public_bytes() == device.identity.cert.subject.public_bytes()
    assert csr.public_key().public_numbers() != device.identity.cert.public_key().public_numbers()
    assert crts.accept == MULTIPART

    ldevid = attempt.ldevid()
    assert es.link.peer_der == ldevid.der
    assert cose.parse((attempt.current / "voucher.vch").read_bytes()).fields["serial-number"] == device.serial
    assert len(forge.load_certs(attempt.current / "cacerts.crt")) == 2
    assert attempt.status() == 0


@req("C-23", "D-03")
def test_the_mandatory_cipher_suite_alone_is_enough(cell, device, serve):
    registrar = serve(ciphers="ECDHE-ECDSA-AES128-CCM8")
    Try(cell, device, registrar).join(expect=JOINED)
    assert {r.link.cipher for r in registrar.seen()} == {"ECDHE-ECDSA-AES128-CCM8"}


@req("N-02")
def test_pinned_root_that_signed_the_certificate_needs_no_crts(cell, device, flat):
    Try(cell, device, flat).join(expect=JOINED)
    assert flat.steps() == ["rv", "vs", "sen", "es"]


@req("N-02", "N-03")
@pytest.mark.parametrize("issuer_comes_along", [False, True])
def test_pinned_root_above_the_issuer_does_not_end_it(cell, device, registrar, issuer_comes_along):
    registrar.pin = registrar.root

    def with_issuer(request):
        chain = [forge.issue(registrar.ca, request.body), registrar.ca.cert]
        return Answer("2.04", forge.certs_only(chain), PKCS7_CERTS)
    if issuer_comes_along:
        registrar.on["sen"] = with_issuer
    Try(cell, device, registrar).join(expect=JOINED)
    assert registrar.steps() == ["rv", "vs", "sen", "crts", "es"]


@req("N-04", "K-04", "K-03")
@pytest.mark.parametrize("form", ["pinned-domain-pubk", "pinned-domain-pubk-sha256"])
def test_pinned_key_needs_crts_even_where_the_root_issues(cell, device, flat, form):
    flat.pin, flat.pin_form = flat.shown, form
    Try(cell, device, flat).join(expect=JOINED)
    assert flat.steps() == ["rv", "vs", "sen", "crts", "es"]


@req("Y-10", "K-03", "R-06")
@pytest.mark.parametrize("word, leaf", [
    ("pubk", "proximity-registrar-pubk"), ("pubk-sha256", "proximity-registrar-pubk-sha256"),
    ("certificate", "proximity-registrar-cert")])
def test_registrar_is_named_in_the_form_configured(cell, device, registrar, word, leaf):
    Try(cell, device, registrar, changes={"coaps": {"proximity": word}}).join(expect=JOINED)
    fields = cose.parse(registrar.seen("rv")[0].body).fields
    assert [k for k in fields if k.startswith("proximity")] == [leaf]
    spki = forge.spki(registrar.shown)
    assert fields[leaf] == {"pubk": spki, "pubk-sha256": hashlib.sha256(spki).digest(),
                            "certificate": forge.der(registrar.shown)}[word]


@req("C-26", "N-01")
def test_attributes_are_asked_for_when_configured(cell, device, registrar):
    registrar.attributes = wants_p384()
    Try(cell, device, registrar, changes={"coaps": {"csrattrs": "yes"}}).join(expect=JOINED)
    assert registrar.steps() == ["rv", "vs", "att", "sen", "crts", "es"]
    csr = x509.load_der_x509_csr(registrar.seen("sen")[0].body)
    assert csr.public_key().curve.name == "secp384r1"


def wants_p384():
    """CsrAttrs that want a key on P-384."""
    curve = forge.tlv(0x31, forge.oid("1.3.132.0.34"))
    return forge.tlv(0x30, forge.tlv(0x30, forge.oid("1.2.840.10045.2.1"), curve))


# -- vouchers

def changed(**leaves):
    return lambda fields: forge.changed(fields, {k.replace("_", "-"): v for k, v in leaves.items()})


MUTATIONS = {
    "serial number": (changed(serial_number="ANOTHER"), {}),
    "no serial number": (changed(serial_number=None), {}),
    "nonce": (changed(nonce=bytes(16)), {}),
    "idevid-issuer": (changed(idevid_issuer=bytes.fromhex("041830168014") + bytes(20)), {}),
    "expired": (changed(nonce=None, expires_on="2020-01-01T00:00:00Z"), {}),
    "made tomorrow": (changed(created_on="2099-01-01T00:00:00Z"), {}),
    "assertion": (lambda f: f, {"policy": {"assertion": "verified"}}),
    "without a nonce": (changed(nonce=None), {"policy": {"nonceless": "refuse"}}),
    "no pin": (changed(pinned_domain_cert=None), {}),
    "pin that is none": (changed(pinned_domain_cert=b"\x30\x00"), {}),
}


@req("O-16", "R-15", "D-10")
@pytest.mark.parametrize("what", MUTATIONS)
def test_voucher_with_one_wrong_field_is_refused(cell, device, registrar, what):
    registrar.lie, changes = MUTATIONS[what]
    if what == "assertion":
        registrar.lie = changed(assertion="logged")
    refuses(cell, device, registrar, changes=changes)


@req("O-16", "O-02", "R-15")
@pytest.mark.parametrize("how", ["signature", "stranger's signer", "a device's key", "DER signature"])
def test_voucher_with_a_wrong_signature_is_refused(cell, device, registrar, stranger, acme, how):
    def answer(request):
        signer = {"stranger's signer": lambda: forge.load(stranger.directory / "masa/masa-signer.key",
                                                          stranger.directory / "masa/masa-signer.crt"),
                  "a device's key": lambda: Device(acme, "masa.example").identity}.get(how)
        if how == "DER signature":
            registrar.cose = {"der": True}
        octets = registrar.make_voucher(request.body, signer() if signer else None)
        if how == "signature":
            octets = octets[:-1] + bytes([octets[-1] ^ 1])
        return Answer("2.04", octets, VOUCHER)
    registrar.on["rv"] = answer
    refuses(cell, device, registrar)


@req("K-06", "O-10", "O-09")
def test_signer_is_found_among_the_anchors_or_in_the_protected_header_and_nowhere_else(
        cell, device, registrar, acme):
    root = acme.anchors
    refuses(cell, device, registrar, anchors=root)  # stripped, and only the root is known
    bag = cose.bag(forge.der(c) for c in registrar.signer.chain())
    registrar.requests.clear()
    registrar.cose = {"protected": {cose.X5BAG: bag}}
    Try(cell, device, registrar, anchors=root).join(expect=JOINED)


@req("Y-09")
@pytest.mark.parametrize("wrong, result", [("cert", JOINED), ("pubk", BAD_VOUCHER)])
def test_of_two_pins_the_form_asked_with_decides(cell, device, registrar, wrong, result):
    stranger_ca = certs.make_ca("Another site").cert
    pins = {"pinned-domain-pubk": forge.spki(registrar.shown),
            "pinned-domain-cert": forge.der(registrar.ca.cert)}
    if wrong == "cert":
        pins["pinned-domain-cert"] = forge.der(stranger_ca)
    else:
        pins["pinned-domain-pubk"] = forge.spki(stranger_ca)
    registrar.lie = lambda fields: {**fields, **pins}
    if result == JOINED:
        Try(cell, device, registrar).join(expect=JOINED)
    else:
        refuses(cell, device, registrar)


@req("Y-09")
def test_of_two_pins_without_a_nonce_the_hash_decides(cell, device, registrar):
    good = hashlib.sha256(forge.spki(registrar.shown)).digest()
    registrar.lie = lambda fields: forge.changed(fields, {
        "nonce": None, "pinned-domain-pubk-sha256": good,
        "pinned-domain-cert": forge.der(certs.make_ca("Another site").cert)})
    Try(cell, device, registrar).join(expect=JOINED)


@req("O-16", "R-15")
def test_voucher_for_another_site_is_refused(cell, device, registrar):
    registrar.pin = certs.make_ca("Another site").cert
    refuses(cell, device, registrar)


@req("O-13", "Y-11")
def test_extra_headers_and_leaves_do_no_harm(cell, device, registrar):
    registrar.cose = {"protected": {15: {6: 1600000000}}}
    Try(cell, device, registrar).join(expect=JOINED)


# -- waiting, losing, finding again

@req("C-18", "R-09")
def test_pending_request_is_sent_again_octet_for_octet(cell, device, registrar):
    answers = iter([pending(1), pending(3600), NotImplemented])
    registrar.on["rv"] = lambda _r: next(answers)
    Try(cell, device, registrar).join(expect=JOINED)
    asked = registrar.seen("rv")
    assert len(asked) == 3 and len({r.body for r in asked}) == 1
    assert asked[2].at - asked[1].at < 5, "retry_after_max holds"


@req("C-17")
def test_pending_certificate_is_asked_for_with_the_same_csr(cell, device, registrar):
    answers = iter([pending(1), NotImplemented])
    registrar.on["sen"] = lambda _r: next(answers)
    Try(cell, device, registrar).join(expect=JOINED)
    asked = registrar.seen("sen")
    assert len(asked) == 2 and asked[0].body == asked[1].body


@req("C-16")
def test_separate_responses_are_taken(cell, device, registrar):
    registrar.on["rv"] = lambda r: Answer("2.04", registrar.make_voucher(r.body), VOUCHER, separate=0.5)
    registrar.on["vs"] = lambda _r: Answer("2.04", separate=0.2)
    Try(cell, device, registrar).join(expect=JOINED)


@req("C-18", "D-12")
def test_restart_while_pending_sends_the_same_octets(cell, device, registrar):
    registrar.on["rv"] = lambda _r: pending(30)
    attempt = Try(cell, device, registrar, changes={"retry": {"retry_after_max": "30s"}})
    attempt.pledge.start()
    registrar.wait_seen("rv")
    attempt.pledge.wait_log("not decided yet")
    attempt.pledge.kill()
    registrar.on.clear()
    attempt.join(expect=JOINED)
    first, second = registrar.seen("rv")
    assert first.body == second.body and first.connection != second.connection


@req("D-12")
def test_session_lost_between_steps_is_opened_again_to_the_same_certificate(cell, device, registrar):
    def lose(_request):
        registrar.on.clear()
        registrar.hang_up()
        return None
    registrar.on["sen"] = lose
    Try(cell, device, registrar).join(expect=JOINED)
    assert registrar.steps() == ["rv", "vs", "sen", "sen", "crts", "es"]
    first, second = registrar.seen("sen")
    assert first.body == second.body, "nothing is issued twice"
    assert first.connection != second.connection
    assert first.link.peer_der == second.link.peer_der == device.identity.der


@req("D-12", "R8995-PLG-042")
def test_another_certificate_after_a_lost_session_ends_it(cell, device, registrar, serve, domain):
    port = registrar.port
    gone = []

    def lose(_request):
        gone.append(True)
        registrar.hang_up()
        return None
    registrar.on["sen"] = lose
    other = certs.make_registrar(forge.issuing(domain.directory))
    attempt = Try(cell, device, registrar)
    attempt.pledge.start()
    harness.wait_until(lambda: gone, "a request for the certificate")
    registrar.stop()
    second = serve(forge.save(cell, "other", other.key, other.chain(with_root=True)), port=port)
    assert attempt.pledge.wait() != JOINED
    assert second.steps() == [], "not a word to it"
    assert "another certificate" in attempt.pledge.log()


@pytest.mark.slow
@req("C-19", "D-12")
def test_join_gets_through_when_every_tenth_datagram_is_lost(cell, device, registrar):
    dice = random.Random(7)
    registrar.drop = lambda _datagram, _way: dice.random() < 0.1
    begun = time.monotonic()
    Try(cell, device, registrar, changes={"coaps": {"connect_timeout": "20s", "deadline": "60s"},
                                          "retry": {"timeout": "20s"}}).join(expect=JOINED, timeout=70)
    assert time.monotonic() - begun < 60
    assert len({r.body for r in registrar.seen("sen")}) == 1


def test_silent_registrar_is_given_up_after_the_deadline(cell, device, registrar):
    registrar.on["sen"] = lambda _r: None
    attempt = Try(cell, device, registrar, changes={"coaps": {"deadline": "1s"},
                                                    "retry": {"timeout": "1s"}})
    attempt.join(expect=FAILED, timeout=30)
    assert len({r.body for r in registrar.seen("sen")}) == 1
    assert attempt.status() == NOT_ENROLLED


def test_nobody_there_and_refused_have_their_exit_codes(cell, device, registrar):
    registrar.on["rv"] = lambda _r: Answer("4.03", b"Ask your admin.")
    attempt = Try(cell, device, registrar)
    attempt.join(expect=REFUSED)
    assert "Ask your admin." in attempt.done.stderr
    registrar.stop()
    Try(cell, device, registrar).join(expect=UNREACHABLE)


# -- enrolment

@req("C-07", "C-10", "C-29")
def test_formats_a_server_lacks_are_asked_for_in_another(cell, device, registrar):
    for step, wanted in (("sen", PKIX_CERT), ("crts", MULTIPART)):
        registrar.on[step] = lambda r, wanted=wanted: \
            Answer("4.06") if r.accept == wanted else NotImplemented
    Try(cell, device, registrar).join(expect=JOINED)
    assert [r.accept for r in registrar.seen("sen")] == [PKIX_CERT, PKCS7_CERTS]
    assert [r.accept for r in registrar.seen("crts")] == [MULTIPART, PKCS7_CERTS]
    assert len({r.body for r in registrar.seen("sen")}) == 1


BAD_CRTS = {
    "refused": Answer("4.04"),
    "base64": Answer("2.05", b"MIIB", PKCS7_CERTS),
    "odd array": Answer("2.05", cbor2.dumps([PKIX_CERT]), MULTIPART),
    "another site": None,
}


@req("N-03", "R-16", "R-23", "C-35", "C-05")
@pytest.mark.parametrize("how", BAD_CRTS)
def test_without_ca_certificates_a_certificate_below_them_is_not_taken(cell, device, registrar, how):
    other = cbor2.dumps([PKIX_CERT, forge.der(certs.make_ca("Another site").cert)])
    registrar.on["crts"] = lambda _r: BAD_CRTS[how] or Answer("2.05", other, MULTIPART)
    attempt = Try(cell, device, registrar)
    attempt.join(expect=FAILED)
    assert registrar.steps() == ["rv", "vs", "sen", "crts", "es"]
    check_failure(registrar.reports("es")[0])
    assert len({r.connection for r in registrar.seen()}) == 1, "told on the session it failed on"
    assert attempt.status() == NOT_ENROLLED


@req("R-16", "R-23")
@pytest.mark.parametrize("lie", ["other key", "other issuer", "refused"])
def test_certificate_that_is_not_ours_is_reported(cell, device, registrar, lie):
    def answer(request):
        if lie == "refused":
            return Answer("4.00")
        ca = certs.make_ca("Another site") if lie == "other issuer" else registrar.ca
        key = certs.new_key() if lie == "other key" else None
        return Answer("2.04", forge.der(forge.issue(ca, request.body, key)), PKIX_CERT)
    registrar.on["sen"] = answer
    attempt = Try(cell, device, registrar)
    attempt.join(expect=REFUSED if lie == "refused" else FAILED)
    assert registrar.steps()[-1] == "es"
    check_failure(registrar.reports("es")[0])
    assert len({r.connection for r in registrar.seen()}) == 1
    assert attempt.status() == NOT_ENROLLED


def key_parts(registrar, made, request, number=PKIX_CERT, reverse=False):
    issued = forge.issue(registrar.ca, request.body, made)
    cert = forge.der(issued) if number == PKIX_CERT else forge.certs_only([issued])
    key = made.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    parts = [number, cert, PKCS8, key] if reverse else [PKCS8, key, number, cert]
    return Answer("2.04", cbor2.dumps(parts), MULTIPART)


@req("C-12", "C-13", "C-14")
@pytest.mark.parametrize("step, number, reverse", [
    ("skc", PKIX_CERT, False), ("skc", PKIX_CERT, True), ("skg", PKCS7_CERTS, False)])
def test_key_of_the_registrar_is_taken_when_configured(cell, device, registrar, step, number, reverse):
    made = certs.new_key()
    registrar.on[step] = lambda r: key_parts(registrar, made, r, number, reverse)
    attempt = Try(cell, device, registrar, changes={"device": {"key_source": "registrar"}})
    attempt.join(expect=JOINED)
    asked = [s for s in registrar.steps() if s.startswith("sk")]
    assert asked == (["skc"] if step == "skc" else ["skc", "skg"]) and "sen" not in registrar.steps()
    assert attempt.ldevid().key.private_numbers() == made.private_numbers()
    assert registrar.seen("es")[0].link.peer_der == attempt.ldevid().der
    key = attempt.current / "ldevid.key"
    assert key.stat().st_mode & 0o777 == 0o600


@req("C-14")
def test_key_that_does_not_fit_its_certificate_is_refused(cell, device, registrar):
    made, other = certs.new_key(), certs.new_key()

    def answer(request):
        parts = cbor2.loads(key_parts(registrar, made, request).body)
        parts[3] = forge.der(forge.issue(registrar.ca, request.body, other))
        return Answer("2.04", cbor2.dumps(parts), MULTIPART)
    registrar.on["skc"] = answer
    attempt = Try(cell, device, registrar, changes={"device": {"key_source": "registrar"}})
    attempt.join(expect=FAILED)
    assert attempt.status() == NOT_ENROLLED


# -- renewal

@pytest.fixture
def joined(cell, device, registrar):
    attempt = Try(cell, device, registrar)
    attempt.join(expect=JOINED)
    registrar.requests.clear()
    return attempt


@req("C-36", "R-23", "N-05")
def test_renewal_asks_with_the_certificate_and_reports_with_the_new_one(joined, registrar):
    old = joined.ldevid()
    joined.command("renew", "--force", expect=0)
    assert registrar.steps() == ["sren", "es"], "the new one leads to the known CAs"
    sren, es = registrar.seen()
    new = joined.ldevid()
    assert sren.link.peer_der == old.der and es.link.peer_der == new.der
    assert new.cert.public_key().public_numbers() != old.cert.public_key().public_numbers()
    assert (sren.content_format, sren.accept) == (PKCS10, PKIX_CERT)
    assert es.body == REPORT_OK


@req("C-36")
def test_renewal_below_a_new_ca_asks_for_the_cas(joined, registrar):
    new_root = certs.make_ca("New Root")
    new_ca = certs.make_ca("New Issuing CA", new_root)
    registrar.ca, registrar.root = new_ca, new_root.cert
    joined.command("renew", "--force", expect=0)
    assert registrar.steps()[:2] == ["sren", "crts"]
    assert [c.subject for c in forge.load_certs(joined.current / "cacerts.crt")] == [
        new_ca.cert.subject, new_root.cert.subject]


@req("C-36", "R-16")
@pytest.mark.parametrize("lie", ["other issuer", "other key", "refused"])
def test_failed_renewal_keeps_what_there_was_and_is_reported(joined, registrar, lie):
    def answer(request):
        if lie == "refused":
            return Answer("4.03")
        ca = certs.make_ca("Another site") if lie == "other issuer" else registrar.ca
        key = certs.new_key() if lie == "other key" else None
        return Answer("2.04", forge.der(forge.issue(ca, request.body, key)), PKIX_CERT)
    before = {p.name: p.read_bytes() for p in joined.current.iterdir()}
    registrar.on["sren"] = answer
    assert joined.command("renew", "--force", "--once").returncode not in (0, None)
    assert {p.name: p.read_bytes() for p in joined.current.iterdir()} == before
    check_failure(registrar.reports("es")[-1])
    assert len({r.connection for r in registrar.seen()}) == 1


@req("C-36", "ET-15")
def test_renewal_tells_a_server_that_is_no_registrar_nothing(joined, registrar, serve, cell, domain):
    port = registrar.port
    registrar.stop()
    device = certs.make_ldevid(forge.issuing(domain.directory), "SOMEBODY")
    liar = serve(forge.save(cell, "liar", device.key, device.chain(with_root=True)), port=port)
    joined.command("renew", "--force", "--once", expect=UNREACHABLE)
    assert liar.steps() == []


def age(attempt):
    """Pretend that the CA certificates were asked for long ago."""
    info = attempt.current / "info"
    kept = [line for line in info.read_text().splitlines() if not line.startswith("cacerts-asked")]
    info.write_text("\n".join(kept) + "\n")


@req("C-37", "C-28")
def test_changed_ca_certificates_are_found_when_no_renewal_is_due(cell, device, registrar):
    tag = b"\x11\x22"
    registrar.on["crts"] = lambda r: Answer("2.03", options=[(coap.ETAG, tag)]) \
        if r.message.option(coap.ETAG) == tag else Answer(
            "2.05", registrar.crts(r).body, MULTIPART, etag=tag)
    attempt = Try(cell, device, registrar)
    attempt.join(expect=JOINED)
    registrar.requests.clear()
    attempt.command("renew", expect=0)
    assert registrar.steps() == [], "asked a moment ago"
    age(attempt)
    attempt.command("renew", expect=0)
    asked, = registrar.seen("crts")
    assert asked.message.option(coap.ETAG) == tag and asked.link.peer_der == attempt.ldevid().der
    assert "as before" in attempt.done.stdout
    registrar.requests.clear()
    attempt.command("renew", expect=0)
    assert registrar.steps() == []

    registrar.on.clear()
    more = registrar.crts
    other = certs.make_ca("Another Root").cert
    registrar.on["crts"] = lambda r: Answer("2.05", cbor2.dumps(
        cbor2.loads(more(r).body) + [PKIX_CERT, forge.der(other)]), MULTIPART)
    age(attempt)
    attempt.command("renew", expect=0)
    assert len(forge.load_certs(attempt.current / "cacerts.crt")) == 3
    assert attempt.status() == 0


@req("C-37")
def test_ca_certificates_our_own_is_not_under_are_not_taken(joined, registrar):
    other = cbor2.dumps([PKIX_CERT, forge.der(certs.make_ca("Another site").cert)])
    registrar.on["crts"] = lambda _r: Answer("2.05", other, MULTIPART)
    before = (joined.current / "cacerts.crt").read_bytes()
    age(joined)
    joined.command("renew", expect=0)
    assert registrar.steps() == ["crts"]
    assert (joined.current / "cacerts.crt").read_bytes() == before


# -- the command line

def test_coaps_on_the_command_line_names_the_only_registrar(cell, device, registrar):
    attempt = Try(cell, device, changes={"registrars": {"urls": "https://127.0.0.1:1"}})
    attempt.join("--coaps", f"coaps://127.0.0.1:{registrar.port}", expect=JOINED)
    assert f"coaps://127.0.0.1:{registrar.port}" in attempt.command("status").stdout


@pytest.mark.parametrize("verb, uri", [
    ("join", "https://127.0.0.1:1"), ("join", "coap://127.0.0.1"), ("join", "127.0.0.1"),
    ("join", "coaps://127.0.0.1/path"), ("renew", "coaps://127.0.0.1")])
def test_coaps_with_what_is_none_is_a_usage_error(cell, device, verb, uri):
    attempt = Try(cell, device, changes={"registrars": {"urls": "https://127.0.0.1:1"}})
    attempt.command(verb, "--coaps", uri, expect=USAGE)


def test_key_of_the_registrar_is_not_asked_for_over_https(cell, device, acme, domain):
    with HttpsRegistrar(domain.registrar_dir / "registrar.crt", domain.registrar_dir / "registrar.key",
                        domain.directory, acme.directory) as server:
        pledge = harness.Pledge(cell / "pledge", device.key, device.certificate, acme.anchors,
                                [f"https://127.0.0.1:{server.port}"],
                                {"device": {"key_source": "registrar"}})
        assert pledge.join().returncode == USAGE
        assert not server.steps()  # no voucher was spent on it


def test_key_of_the_registrar_waits_for_one_over_coaps(cell, device, acme, domain):
    with HttpsRegistrar(domain.registrar_dir / "registrar.crt", domain.registrar_dir / "registrar.key",
                        domain.directory, acme.directory) as server:
        pledge = harness.Pledge(cell / "pledge", device.key, device.certificate, acme.anchors,
                                [f"https://127.0.0.1:{server.port}", "coaps://127.0.0.1:1"],
                                {"device": {"key_source": "registrar"}})
        assert pledge.join().returncode not in (JOINED, USAGE)
        assert "simpleenroll" not in server.steps()
