# SPDX-License-Identifier: Apache-2.0
"""The pledge towards registrars that lie: what it sends, what it believes, what it tells.

The registrar is Python's, with a certificate of each wrong kind when the test wants one; vouchers
are signed with the manufacturer's real signer unless the lie is about that.
"""
import base64
import datetime
import email.utils
import json
import re
import time

import pytest
from cryptography import x509

import harness
from brski_peer import certs, cms, forge, voucher
from brski_peer.pledge import est_body
from brski_peer.registrar import FakeRegistrar
from brski_peer.server import Answer, text
from places import Device

req = pytest.mark.req

CMS_TYPE = "application/voucher-cms+json"
JOINED, FAILED, USAGE, REFUSED, UNREACHABLE, BAD_VOUCHER, STILL_PENDING, NOT_ENROLLED = range(8)


@pytest.fixture
def tls():
    """Parametrize with "1.2" or "1.3" to hold the registrar to it."""
    return None


@pytest.fixture
def registrar(domain, acme, tls):
    with FakeRegistrar(domain.registrar_dir / "registrar.crt", domain.registrar_dir / "registrar.key",
                       domain.directory, acme.directory, tls=tls) as server:
        yield server


@pytest.fixture
def device(acme):
    return Device(acme, "masa.example")


class Try:
    """One device in front of one or more registrars."""

    def __init__(self, cell, device, *servers, changes=None, urls=None):
        urls = urls or [f"https://127.0.0.1:{s.port}" for s in servers]
        self.pledge = harness.Pledge(cell / "pledge", device.key, device.certificate,
                                     device.manufacturer.anchors, urls, changes)
        self.done = None

    def join(self, *args, expect=None, timeout=60):
        self.done = self.pledge.join(*args, timeout=timeout)
        if expect is not None:
            assert self.done.returncode == expect, (
                f"exit {self.done.returncode}, not {expect}\n{self.done.stdout}{self.done.stderr}")
        return self.done

    def status(self):
        return self.pledge.command("status").returncode


def refuses(cell, device, registrar, expect=BAD_VOUCHER, **more):
    """The voucher must be refused: telemetry says so, nothing of EST happens, nothing is kept."""
    attempt = Try(cell, device, registrar, **more)
    attempt.join(expect=expect)
    reports = registrar.reports("voucher_status")
    assert [r["status"] for r in reports] == [False]
    check_report(reports[0])
    steps = registrar.steps()
    assert not {"cacerts", "csrattrs", "simpleenroll", "enrollstatus"} & set(steps), steps
    assert attempt.status() == NOT_ENROLLED
    assert attempt.done.stderr.strip(), "a technician reads why"
    return attempt


def check_report(report):
    assert report["version"] == 1 and not isinstance(report["version"], bool)
    assert isinstance(report["status"], bool)
    assert set(report) <= {"version", "status", "reason", "reason-context"}
    assert isinstance(report.get("reason-context", {}), dict)
    if not report["status"]:
        assert report["reason"].strip()
        assert not re.search(r"/|\.c:|0x|BEGIN", report["reason"]), "no detail for a stranger"


# -- the whole road, as the standards want it

@req("R8995-PLG-002", "R8995-PLG-009", "R8995-PLG-014", "R8995-PLG-015", "R8995-PLG-016", "R8995-PLG-019",
     "R8995-PLG-020", "R8995-PLG-021", "R8995-PLG-022", "R8995-PLG-023", "R8995-PLG-024",
     "R8995-PLG-025", "R8995-PLG-041", "R8995-PLG-043", "R8995-PLG-045", "R8995-PLG-047",
     "R8995-PLG-048", "R8995-PLG-049", "R8995-PLG-050", "R8995-PLG-051", "R8995-PLG-061",
     "ET-13", "ER-15", "ENC-ALL-001", "ENC-ALL-002", "ENC-ALL-003", "ENC-ALL-007", "ENC-ALL-008",
     "ENC-ALL-009", "ENC-ALL-010", "ENC-ALL-011", "ENC-ALL-016", "ENC-ALL-026")
@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_join_sends_what_the_standards_say_in_their_order(cell, device, registrar, domain, tls):
    attempt = Try(cell, device, registrar)
    attempt.join(expect=JOINED)
    steps = registrar.steps()
    assert steps == ["requestvoucher", "voucher_status", "cacerts", "csrattrs", "simpleenroll",
                     "enrollstatus"], steps
    requests = registrar.seen()
    assert {r.tls for r in requests} == {"TLSv" + tls}
    assert len({r.connection for r in requests[:-1]}) == 1, "one connection up to the certificate"
    assert requests[-1].connection != requests[0].connection, "enrollstatus over a new one"
    assert registrar.server_names[0] is None, "no server name for an address"
    assert {r.peer_der for r in requests[:-1]} == {device.identity.der}

    ask = requests[0]
    assert (ask.method, ask.path) == ("POST", "/.well-known/brski/requestvoucher")
    assert ask.header("content-type").split(";")[0] == CMS_TYPE
    assert CMS_TYPE in ask.header("accept")
    assert ask.header("content-transfer-encoding") is None
    pvr = forge.read(ask.body)
    assert pvr.signer == device.identity.cert
    assert pvr.content_type == cms.JSON_VOUCHER and pvr.version == 3
    assert pvr.top == "ietf-voucher-request:voucher"
    assert set(pvr.fields) == {"assertion", "created-on", "serial-number", "nonce",
                               "proximity-registrar-cert"}
    assert pvr.fields["assertion"] == "proximity"
    assert pvr.fields["serial-number"] == device.serial
    assert pvr.fields["created-on"].endswith("Z")
    assert 16 <= len(base64.b64decode(pvr.fields["nonce"], validate=True)) <= 32
    shown = forge.load_certs(domain.registrar_dir / "registrar.crt")[0]
    assert base64.b64decode(pvr.fields["proximity-registrar-cert"], validate=True) == forge.der(shown)

    for step in ("voucher_status", "enrollstatus"):
        report, = registrar.reports(step)
        check_report(report)
        assert report["status"] is True
        assert registrar.seen(step)[0].header("content-type").split(";")[0] == "application/json"

    enroll = registrar.seen("simpleenroll")[0]
    assert enroll.header("content-type").split(";")[0] == "application/pkcs10"
    csr = x509.load_der_x509_csr(base64.b64decode(enroll.body))
    assert csr.is_signature_valid
    assert csr.public_key().public_numbers() != device.identity.cert.public_key().public_numbers()
    ldevid = forge.parse(requests[-1].peer_der)
    assert ldevid.issuer == forge.load_certs(domain.file("issuing.crt"))[0].subject
    assert attempt.status() == 0


@req("R8995-PLG-001")
def test_enrolled_pledge_does_not_start_again(cell, device, registrar):
    attempt = Try(cell, device, registrar)
    attempt.join(expect=JOINED)
    before = registrar.connections
    attempt.join(expect=JOINED)
    assert registrar.connections == before, "no word on the network"


@req("R8995-PLG-009", "R8995-PLG-057")
def test_every_attempt_has_its_own_nonce(cell, device, registrar):
    registrar.on["requestvoucher"] = lambda _r: text(403, "No.\n")
    for _ in range(3):
        Try(cell, device, registrar).join(expect=REFUSED)
    Try(cell, device, registrar).pledge.command("reset")
    Try(cell, device, registrar).join(expect=REFUSED)
    nonces = [forge.read(r.body).fields["nonce"] for r in registrar.seen("requestvoucher")]
    assert len(nonces) >= 4 and len(set(nonces)) == len(nonces)


@req("R8995-PLG-021")
def test_without_a_trusted_clock_created_on_may_be_absent(cell, device, registrar):
    Try(cell, device, registrar, changes={"device": {"trusted_clock": "no"}}).join(expect=JOINED)
    assert "created-on" not in forge.read(registrar.seen("requestvoucher")[0].body).fields


# -- provisional TLS

@pytest.fixture
def with_certificate(cell, domain, acme):
    """A registrar that shows another certificate than the usual one."""
    servers = []

    def make(identity, pin=None, **more):
        saved = forge.save(cell, f"shown-{len(servers)}", identity.key, identity.chain(with_root=True))
        server = FakeRegistrar(saved.cert_path, saved.key_path, domain.directory, acme.directory, **more)
        server.pin = pin or identity.cert
        servers.append(server.start())
        return server
    yield make
    for server in servers:
        server.stop()


@req("R8995-PLG-016", "R8995-PLG-041", "ET-15")
@pytest.mark.parametrize("kind", ["self-signed", "wrong name", "unknown issuer"])
def test_certificate_no_browser_would_take_is_good_when_pinned(cell, device, with_certificate, domain, kind):
    made = {
        "self-signed": lambda: certs.make_registrar(None),
        "wrong name": lambda: certs.make_registrar(forge.issuing(domain.directory), alt="DNS:elsewhere.example"),
        "unknown issuer": lambda: certs.make_registrar(certs.make_ca("Nobody knows")),
    }[kind]()
    registrar = with_certificate(made)
    Try(cell, device, registrar).join()
    assert registrar.reports("voucher_status")[0]["status"] is True


@req("R8995-PLG-016", "R8995-PLG-037")
def test_expired_server_certificate_fails_only_at_imprint(cell, device, with_certificate, domain):
    made = certs.make_registrar(forge.issuing(domain.directory), not_before=datetime.datetime(2019, 1, 1),
                                not_after=datetime.datetime(2020, 1, 1))
    registrar = with_certificate(made, pin=forge.issuing(domain.directory).cert)
    attempt = Try(cell, device, registrar)
    attempt.join()
    assert attempt.done.returncode != JOINED
    assert registrar.seen("requestvoucher"), "the request was made"
    assert registrar.reports("voucher_status")[0]["status"] is False


@req("R8995-PLG-037")
def test_expired_server_certificate_is_good_without_a_clock(cell, device, with_certificate, domain):
    made = certs.make_registrar(forge.issuing(domain.directory), not_before=datetime.datetime(2019, 1, 1),
                                not_after=datetime.datetime(2020, 1, 1))
    registrar = with_certificate(made, pin=forge.issuing(domain.directory).cert)
    Try(cell, device, registrar, changes={"device": {"trusted_clock": "no"}}).join()
    assert registrar.reports("voucher_status")[0]["status"] is True


@req("R8995-PLG-017")
def test_certificate_with_a_bad_signature_of_the_issuer_shown_ends_the_attempt(cell, device,
                                                                              with_certificate):
    made = certs.make_registrar(certs.make_ca("Issuer"))
    made.cert = forge.parse(forge.flip_signature(made.der))
    registrar = with_certificate(made)
    attempt = Try(cell, device, registrar)
    attempt.join()
    assert attempt.done.returncode != JOINED
    assert not registrar.seen("requestvoucher")


@req("R8995-PLG-013")
def test_tls_1_1_is_refused(cell, device):
    import subprocess
    port = harness.free_port()
    made = certs.make_registrar(None)
    saved = forge.save(cell, "old", made.key, [made.cert])
    server = subprocess.Popen(["openssl", "s_server", "-accept", str(port), "-cert", saved.cert_path,
                               "-key", saved.key_path, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        harness.wait_until(lambda: harness.listening(port), "s_server")
        attempt = Try(cell, device, urls=[f"https://127.0.0.1:{port}"])
        attempt.join()
        assert attempt.done.returncode != JOINED
    finally:
        server.kill()
        server.wait()


@req("R8995-PLG-041", "R8995-PLG-016")
@pytest.mark.parametrize("pin", ["end entity", "issuing", "root"])
def test_pin_may_be_end_entity_issuing_ca_or_root(cell, device, registrar, domain, pin):
    shown = forge.load_certs(domain.registrar_dir / "registrar.crt")
    registrar.pin = {"end entity": shown[0], "issuing": shown[1],
                     "root": forge.load_certs(domain.file("root.crt"))[0]}[pin]
    Try(cell, device, registrar).join(expect=JOINED)


# -- the checks on a voucher, one lie each

def without(*names):
    return lambda f: {k: v for k, v in f.items() if k not in names}


def replaced(**changes):
    return lambda f: forge.changed(f, changes)


PAST, LONG_AGO = voucher.timestamp(seconds=-3600), voucher.timestamp(seconds=-7200)

LIES = {
    "another serial": replaced(serial_number="SOMEBODY-ELSE"),
    "serial in another case": lambda f: dict(f, **{"serial-number": f["serial-number"].lower()}),
    "no serial": without("serial-number"),
    "another nonce": replaced(nonce=voucher.new_nonce()),
    "empty nonce": replaced(nonce=""),
    "another issuer": replaced(idevid_issuer=forge.b64(bytes.fromhex("041830168014") + bytes(20))),
    "no pin": without("pinned-domain-cert"),
    "pin that is no certificate": replaced(pinned_domain_cert=forge.b64(b"\x30\x03abc")),
    "pin in PEM": lambda f: dict(f, **{"pinned-domain-cert": forge.b64(certs.cert_pem(
        forge.parse(base64.b64decode(f["pinned-domain-cert"]))))}),
    "pin with octets after it": lambda f: dict(f, **{"pinned-domain-cert": forge.b64(
        base64.b64decode(f["pinned-domain-cert"]) + b"\0")}),
    "unrelated pin": replaced(pinned_domain_cert=forge.b64(certs.make_ca("Unrelated").der)),
    "expired": replaced(expires_on=PAST),
    "created in a far future": replaced(created_on="2999-01-01T00:00:00Z"),
    "unknown assertion": replaced(assertion="trust me"),
    "timestamp without zone": replaced(created_on="2026-01-01T00:00:00"),
    "renewal date without expiry": replaced(last_renewal_date=voucher.timestamp(seconds=999)),
}

CLAUSES = {
    "another serial": ["R8995-PLG-033"], "another nonce": ["R8995-PLG-035"],
    "another issuer": ["R8995-PLG-034"], "no pin": ["R8995-PLG-039", "ENC-ALL-012"],
    "unrelated pin": ["R8995-PLG-041"], "expired": ["R8995-PLG-037"],
}


@req("R8995-PLG-033", "R8995-PLG-034", "R8995-PLG-035", "R8995-PLG-037", "R8995-PLG-039",
     "R8995-PLG-041", "R8995-PLG-044", "R8995-PLG-043", "ENC-ALL-009", "ENC-ALL-010", "ENC-ALL-012",
     "ENC-ALL-013", "ENC-ALL-014", "R8995-PLG-038")
@pytest.mark.parametrize("lie", LIES)
def test_voucher_with_a_lie_is_refused(cell, device, registrar, lie):
    registrar.lie = LIES[lie]
    refuses(cell, device, registrar)


@req("R8995-PLG-032", "ENC-ALL-027")
@pytest.mark.parametrize("who", ["another manufacturer", "self-signed", "the registrar itself",
                                 "another manufacturer with its whole chain"])
def test_voucher_of_another_signer_is_refused(cell, device, registrar, stranger, domain, who):
    masa = stranger.directory / "masa"
    foreign = forge.load(masa / "masa-signer.key", masa / "masa-signer.crt")
    if who == "self-signed":
        foreign = certs.make_masa_signer(None)
    elif who == "the registrar itself":
        foreign = forge.load(domain.registrar_dir / "registrar.key", domain.registrar_dir / "registrar.crt")
    elif who.endswith("chain"):
        registrar.cms = {"certs": foreign.chain() + forge.load_certs(stranger.anchors)}
    registrar.signer = foreign
    refuses(cell, device, registrar)


@req("R8995-PLG-032")
def test_voucher_signed_by_a_device_of_the_same_manufacturer_is_refused(cell, device, registrar, acme):
    """An IDevID chains to the same anchor as the MASA: that must not be enough."""
    registrar.signer = Device(acme, "masa.example").identity
    refuses(cell, device, registrar)


@req("R8995-PLG-032", "ENC-ALL-003", "ENC-ALL-004", "ENC-ALL-001")
@pytest.mark.parametrize("container", forge.CONTAINERS)
def test_voucher_in_a_container_that_is_not_right_is_refused(cell, device, registrar, container):
    registrar.cms = {"container": container}
    refuses(cell, device, registrar)


@req("R8995-PLG-032")
def test_voucher_with_a_broken_signature_is_refused(cell, device, registrar):
    registrar.on["requestvoucher"] = lambda r: Answer(
        200, forge.flip_signature(registrar.make_voucher(r.body)), CMS_TYPE)
    refuses(cell, device, registrar)


@req("R8995-PLG-035")
def test_replayed_voucher_is_refused(cell, device, registrar):
    old = {}

    def keep(request):
        old["voucher"] = registrar.make_voucher(request.body)
        return text(503, "Later.\n")
    registrar.on["requestvoucher"] = keep
    Try(cell, device, registrar).join()
    registrar.on["requestvoucher"] = lambda _r: Answer(200, old["voucher"], CMS_TYPE)
    refuses(cell, device, registrar)


@req("ENC-ALL-002", "ENC-ALL-006")
def test_voucher_as_id_data_is_good(cell, device, registrar):
    registrar.cms = {"content_type": cms.ID_DATA}
    Try(cell, device, registrar).join(expect=JOINED)


@req("ENC-ALL-015", "ENC-ALL-023", "ENC-ALL-024")
def test_unknown_members_of_a_voucher_are_ignored(cell, device, registrar):
    registrar.lie = lambda f: dict(f, **{"x-test": 1, "extension:foo": {"a": {"b": [1]}},
                                         "extensions": ["foo"], "manufacturer-private": "AAAA"})
    Try(cell, device, registrar).join(expect=JOINED)


@req("R8995-PLG-034")
@pytest.mark.parametrize("form", ["tlv", "sequence", "key id"])
def test_idevid_issuer_in_each_known_form_is_recognised(cell, device, registrar, form):
    tlv = forge.aki_tlv(device.identity.cert)
    octets = {"tlv": tlv, "sequence": tlv[2:], "key id": tlv[-20:]}[form]
    registrar.lie = replaced(idevid_issuer=forge.b64(octets))
    Try(cell, device, registrar).join(expect=JOINED)


@req("R8995-PLG-035")
def test_nonce_in_another_alphabet_is_the_same_nonce(cell, device, registrar):
    registrar.lie = lambda f: dict(f, nonce=f["nonce"].replace("+", "-").replace("/", "_").rstrip("="))
    Try(cell, device, registrar).join(expect=JOINED)


@req("R8995-PLG-037", "ENC-ALL-010")
@pytest.mark.parametrize("created", ["2021-04-13T17:43:23.747-04:00", "2021-04-13T21:43:23Z",
                                     "2021-04-13T21:43:23.787Z", "2021-04-13t21:43:23z"])
def test_timestamps_in_each_legal_form_are_read(cell, device, registrar, created):
    registrar.lie = replaced(created_on=created)
    Try(cell, device, registrar).join(expect=JOINED)


@req("R8995-PLG-037")
def test_expired_voucher_is_good_without_a_clock(cell, device, registrar):
    registrar.lie = replaced(expires_on=PAST)
    Try(cell, device, registrar, changes={"device": {"trusted_clock": "no"}}).join(expect=JOINED)


@req("ENC-ALL-013", "R8995-PLG-037")
def test_voucher_with_nonce_and_a_future_end_is_good(cell, device, registrar):
    registrar.lie = replaced(expires_on=voucher.timestamp(seconds=3600))
    Try(cell, device, registrar).join(expect=JOINED)


@req("R8995-PLG-036", "ENC-ALL-013")
@pytest.mark.parametrize("expires", [False, True])
def test_nonceless_voucher_is_accepted_by_default(cell, device, registrar, expires):
    registrar.lie = replaced(nonce=None, expires_on=voucher.timestamp(seconds=3600) if expires else None)
    Try(cell, device, registrar).join(expect=JOINED)


@req("R8995-PLG-036")
def test_nonceless_voucher_is_refused_where_policy_says_so(cell, device, registrar):
    registrar.lie = replaced(nonce=None, expires_on=voucher.timestamp(seconds=3600))
    refuses(cell, device, registrar, changes={"policy": {"nonceless": "refuse"}})


@req("R8995-PLG-038")
@pytest.mark.parametrize("policy, said, good", [("verified", "logged", False), ("verified", "verified", True),
                                                ("proximity", "logged", False),
                                                ("proximity", "proximity", True), ("any", "logged", True)])
def test_assertion_is_judged_by_policy(cell, device, registrar, policy, said, good):
    registrar.lie = replaced(assertion=said)
    changes = {"policy": {"assertion": policy}}
    if good:
        Try(cell, device, registrar, changes=changes).join(expect=JOINED)
    else:
        refuses(cell, device, registrar, changes=changes)


@req("R8995-PLG-040", "Y-20")
@pytest.mark.parametrize("said, good", [(False, True), (None, True), (True, False)])
def test_demanded_revocation_check_that_cannot_be_made_is_a_failure(cell, device, registrar, said, good):
    registrar.lie = replaced(domain_cert_revocation_checks=said)
    attempt = Try(cell, device, registrar)
    attempt.join()
    assert (attempt.done.returncode == JOINED) == good, attempt.done.stderr


@req("R8995-PLG-059")
def test_pin_by_certificate_decides_when_several_forms_are_there(cell, device, registrar):
    registrar.lie = replaced(pinned_domain_pubk_sha256=forge.b64(bytes(32)))
    Try(cell, device, registrar).join(expect=JOINED)


@req("R8995-PLG-055", "R8995-PLG-018")
@pytest.mark.parametrize("answer", [
    Answer(200), Answer(200, b"", CMS_TYPE), Answer(200, b"ok", "text/plain"), Answer(204),
    Answer(200, b"\x30\x80\x00\x00", CMS_TYPE), Answer(200, b"{}", CMS_TYPE),
    Answer(200, b"\x30" * 100, CMS_TYPE), Answer(200, b"[" * 50_000, "application/json")])
def test_success_without_a_voucher_never_imprints(cell, device, registrar, answer):
    registrar.on["requestvoucher"] = lambda _r: answer
    attempt = Try(cell, device, registrar)
    attempt.join()
    assert attempt.done.returncode != JOINED
    assert "simpleenroll" not in registrar.steps() and attempt.status() == NOT_ENROLLED


@req("ENC-ALL-022", "R8995-PLG-055")
def test_right_voucher_under_another_media_type_is_refused(cell, device, registrar):
    registrar.on["requestvoucher"] = lambda r: Answer(200, registrar.make_voucher(r.body), "text/html")
    attempt = Try(cell, device, registrar)
    attempt.join()
    assert attempt.done.returncode != JOINED


@req("R8995-PLG-018")
@pytest.mark.parametrize("answer", [
    Answer(200, b"\x30" * 10_000_000, CMS_TYPE),
    Answer(200, b"x", CMS_TYPE, headers=[("X-Long", "y" * 10_000_000)]),
    Answer(200, b"x", CMS_TYPE, claimed_length=10**15),
    Answer(200, b"x", CMS_TYPE, headers=[("Set-Cookie", "a=b")] * 20_000)])
def test_oversized_answers_end_the_attempt(cell, device, registrar, answer):
    registrar.on["requestvoucher"] = lambda _r: answer
    attempt = Try(cell, device, registrar, changes={"retry": {"timeout": "4s"}})
    began = time.monotonic()
    attempt.join()
    assert attempt.done.returncode in (FAILED, REFUSED, UNREACHABLE, BAD_VOUCHER)
    assert time.monotonic() - began < 20


# -- waiting, refusals, redirects

@req("R8995-PLG-027", "R8995-PLG-028", "EE-14")
@pytest.mark.parametrize("retry_after", ["1", "86400", None, "soon", "-1", "DATE"])
def test_pending_repeats_the_same_octets_after_the_time_given(cell, device, registrar, retry_after):
    def pending(request):
        if len(registrar.seen("requestvoucher")) > 1:
            return NotImplemented
        headers = []
        if retry_after == "DATE":
            headers = [("Date", email.utils.formatdate(usegmt=True)),
                       ("Retry-After", email.utils.formatdate(time.time() + 1, usegmt=True))]
        elif retry_after:
            headers = [("Retry-After", retry_after)]
        return Answer(202, headers=headers)
    registrar.on["requestvoucher"] = pending
    Try(cell, device, registrar).join(expect=JOINED)
    first, second = registrar.seen("requestvoucher")
    assert first.body == second.body
    assert second.at - first.at >= 0.9, "not before the second it was told (or the cap set here)"
    assert second.at - first.at < 10


@req("R8995-PLG-028")
def test_pending_waits_the_full_time_below_the_cap(cell, device, registrar):
    registrar.on["requestvoucher"] = lambda r: (
        NotImplemented if len(registrar.seen("requestvoucher")) > 1
        else Answer(202, headers=[("Retry-After", "3")]))
    Try(cell, device, registrar, changes={"retry": {"retry_after_max": "60s"}}).join(expect=JOINED)
    first, second = registrar.seen("requestvoucher")
    assert 2.9 <= second.at - first.at < 8


@req("R8995-PLG-026", "R8995-PLG-027")
def test_connection_lost_while_pending_goes_on_with_the_same_octets(cell, device, registrar):
    registrar.on["requestvoucher"] = lambda r: (
        NotImplemented if len(registrar.seen("requestvoucher")) > 1
        else Answer(202, headers=[("Retry-After", "1")], close=True))
    Try(cell, device, registrar).join(expect=JOINED)
    first, second = registrar.seen("requestvoucher")
    assert first.body == second.body and first.connection != second.connection


@req("R8995-PLG-026")
def test_another_certificate_after_pending_ends_it(cell, device, domain, acme):
    port = harness.free_port()
    identity = domain.registrar_dir / "registrar.crt", domain.registrar_dir / "registrar.key"
    other = certs.make_registrar(forge.issuing(domain.directory))
    swapped = forge.save(cell, "swapped", other.key, other.chain())
    attempt = Try(cell, device, urls=[f"https://127.0.0.1:{port}"],
                  changes={"retry": {"retry_after_max": "2s"}})
    with FakeRegistrar(*identity, domain.directory, acme.directory, port=port) as first:
        first.on["requestvoucher"] = lambda _r: Answer(202, headers=[("Retry-After", "2")], close=True)
        attempt.pledge.start()
        octets = first.wait_seen("requestvoucher")[0].body
    with FakeRegistrar(swapped.cert_path, swapped.key_path, domain.directory, acme.directory,
                       port=port) as second:
        code = attempt.pledge.wait(30)
        assert all(r.body != octets for r in second.seen("requestvoucher"))
        assert code != JOINED or second.seen("requestvoucher")


@req("R8995-PLG-029")
def test_pending_ends_after_the_longest_time(cell, device, registrar):
    registrar.on["requestvoucher"] = lambda _r: Answer(202, headers=[("Retry-After", "1")])
    attempt = Try(cell, device, registrar, changes={"retry": {"pending_max": "3s"}})
    attempt.join(expect=STILL_PENDING)
    assert "not decided" in attempt.done.stderr
    assert len({r.body for r in registrar.seen("requestvoucher")}) == 1


@req("R8995-PLG-031")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 415, 429, 500, 503])
def test_error_answer_ends_the_attempt_without_a_loop(cell, device, registrar, status):
    registrar.on["requestvoucher"] = lambda _r: text(status, "Not today.\n", headers=[
        ("WWW-Authenticate", 'Basic realm="give me"')] if status == 401 else [])
    attempt = Try(cell, device, registrar)
    attempt.join()
    assert attempt.done.returncode in (REFUSED, FAILED, UNREACHABLE)
    asked = registrar.seen("requestvoucher")
    assert len(asked) == 1
    assert not any(r.header("authorization") for r in registrar.seen())
    assert "simpleenroll" not in registrar.steps()


@req("R8995-PLG-031", "R8995-PLG-008", "R8995-PLG-011")
def test_rounds_are_spaced_by_the_back_off(cell, device, registrar):
    registrar.on["requestvoucher"] = lambda _r: text(403, "No.\n")
    Try(cell, device, registrar, changes={"retry": {"attempts": 3, "backoff_min": "1s",
                                                    "backoff_max": "4s"}}).join(expect=REFUSED)
    at = [r.at for r in registrar.seen("requestvoucher")]
    assert len(at) == 3
    assert at[1] - at[0] >= 0.2 and at[2] - at[1] >= 0.2, "full jitter, but never at once"


@req("R8995-PLG-044")
def test_registrars_sentence_reaches_the_technician_but_not_the_terminal_raw(cell, device, registrar):
    registrar.on["requestvoucher"] = lambda _r: text(403, "Ask\x1b[31m Bob\nat gate 4")
    attempt = Try(cell, device, registrar)
    attempt.join(expect=REFUSED)
    said = attempt.done.stdout + attempt.done.stderr
    assert "\x1b" not in said


@req("R8995-PLG-030", "ET-10")
def test_one_redirect_to_another_origin_gets_a_new_request(cell, device, domain, acme, registrar):
    identity = domain.registrar_dir / "registrar.crt", domain.registrar_dir / "registrar.key"
    with FakeRegistrar(*identity, domain.directory, acme.directory) as second:
        registrar.on["requestvoucher"] = lambda _r: Answer(302, headers=[(
            "Location", f"https://127.0.0.1:{second.port}/.well-known/brski/requestvoucher")])
        attempt = Try(cell, device, registrar)
        attempt.join()
        if second.seen("requestvoucher"):
            old, new = registrar.seen("requestvoucher")[0], second.seen("requestvoucher")[0]
            assert forge.read(old.body).fields["nonce"] != forge.read(new.body).fields["nonce"]
            assert attempt.done.returncode == JOINED


@req("R8995-PLG-030", "ET-10")
def test_second_redirect_to_another_origin_is_not_followed(cell, device, domain, acme, registrar):
    identity = domain.registrar_dir / "registrar.crt", domain.registrar_dir / "registrar.key"
    with FakeRegistrar(*identity, domain.directory, acme.directory) as second, \
            FakeRegistrar(*identity, domain.directory, acme.directory) as third:
        def to(server):
            return lambda _r: Answer(302, headers=[("Location", f"https://127.0.0.1:{server.port}/x")])
        registrar.on["requestvoucher"] = to(second)
        second.handle = to(third)
        attempt = Try(cell, device, registrar)
        attempt.join()
        assert attempt.done.returncode != JOINED
        assert not third.requests and third.connections == 0


@req("R8995-PLG-030", "R8995-PLG-018")
@pytest.mark.parametrize("location", ["http://127.0.0.1:{port}/x", "file:///etc/passwd", "//", "", "x" * 9000])
def test_redirect_to_nowhere_good_is_not_followed(cell, device, registrar, location):
    registrar.on["requestvoucher"] = lambda _r: Answer(
        302, headers=[("Location", location.format(port=registrar.port))])
    attempt = Try(cell, device, registrar)
    attempt.join()
    assert attempt.done.returncode != JOINED
    assert len(registrar.requests) <= 3


@req("R8995-PLG-030")
def test_redirect_in_circles_ends(cell, device, registrar):
    registrar.on["requestvoucher"] = lambda _r: Answer(307, headers=[(
        "Location", f"https://127.0.0.1:{registrar.port}/.well-known/brski/requestvoucher")])
    attempt = Try(cell, device, registrar)
    attempt.join()
    assert attempt.done.returncode != JOINED
    assert len(registrar.seen("requestvoucher")) <= 5


@req("ET-10", "R8995-PLG-053")
def test_redirect_of_enrolment_to_another_host_is_not_followed_blindly(cell, device, registrar, acme,
                                                                       domain):
    identity = domain.registrar_dir / "registrar.crt", domain.registrar_dir / "registrar.key"
    with FakeRegistrar(*identity, domain.directory, acme.directory) as second:
        registrar.on["simpleenroll"] = lambda _r: Answer(307, headers=[(
            "Location", f"https://127.0.0.1:{second.port}/.well-known/est/simpleenroll")])
        attempt = Try(cell, device, registrar)
        attempt.join()
        assert attempt.done.returncode != JOINED
        assert not second.requests


# -- several registrars

@req("R8995-PLG-042", "R8995-PLG-041")
def test_next_registrar_is_tried_after_one_that_cannot_prove_itself(cell, device, registrar, with_certificate,
                                                                    domain):
    impostor = with_certificate(certs.make_registrar(None), pin=forge.issuing(domain.directory).cert)
    attempt = Try(cell, device, impostor, registrar)
    attempt.join(expect=JOINED)
    assert [r["status"] for r in impostor.reports("voucher_status")] == [False]
    assert "simpleenroll" not in impostor.steps()
    nonces = {forge.read(s.seen("requestvoucher")[0].body).fields["nonce"] for s in (impostor, registrar)}
    assert len(nonces) == 2


@req("R8995-PLG-031")
def test_next_registrar_is_tried_after_a_refusal_and_after_silence(cell, device, registrar, domain, acme):
    identity = domain.registrar_dir / "registrar.crt", domain.registrar_dir / "registrar.key"
    with FakeRegistrar(*identity, domain.directory, acme.directory) as no:
        no.on["requestvoucher"] = lambda _r: text(404, "Not ours.\n")
        urls = [f"https://127.0.0.1:{p}" for p in (harness.free_port(), no.port, registrar.port)]
        Try(cell, device, urls=urls).join(expect=JOINED)
        assert no.seen("requestvoucher")


@req("R8995-PLG-010")
def test_tarpit_does_not_hold_the_pledge_for_long(cell, device, registrar):
    import socket
    with socket.create_server(("127.0.0.1", 0)) as tarpit:
        urls = [f"https://127.0.0.1:{p}" for p in (tarpit.getsockname()[1], registrar.port)]
        began = time.monotonic()
        Try(cell, device, urls=urls, changes={"retry": {"timeout": "2s"}}).join(expect=JOINED)
        assert time.monotonic() - began < 15


@req("R8995-PLG-031")
def test_nobody_reachable_has_its_own_exit_code(cell, device):
    attempt = Try(cell, device, urls=[f"https://127.0.0.1:{harness.free_port()}"])
    attempt.join(expect=UNREACHABLE)
    assert attempt.done.stderr.strip()


# -- telemetry

@req("R8995-PLG-046")
@pytest.mark.parametrize("status", [404, 500, 202, 301])
def test_answer_to_telemetry_is_ignored(cell, device, registrar, status):
    registrar.on["voucher_status"] = registrar.on["enrollstatus"] = lambda _r: Answer(status)
    Try(cell, device, registrar).join(expect=JOINED)


# -- EST

@req("ECA-11", "R8995-PLG-047", "R8995-PLG-052")
@pytest.mark.parametrize("answer", ["empty bag", "garbage", "pem"])
def test_bad_cacerts_never_install(cell, device, registrar, answer):
    body = {"empty bag": est_body(bytes.fromhex("3023 0609 2a864886f70d010702 a016 3014 020101 3100"
                                                "300b06092a864886f70d010701 3100".replace(" ", ""))),
            "garbage": b"!!!!", "pem": certs.cert_pem(registrar.root)}[answer]
    registrar.on["cacerts"] = lambda _r: Answer(200, body, "application/pkcs7-mime")
    attempt = Try(cell, device, registrar)
    attempt.join()
    if attempt.done.returncode != JOINED:
        assert attempt.status() == NOT_ENROLLED
        assert [r["status"] for r in registrar.reports("enrollstatus")] == [False]


@req("R8995-PLG-047")
def test_cacerts_404_is_tolerated_with_the_pin_as_anchor(cell, device, registrar):
    registrar.on["cacerts"] = lambda _r: text(404, "None.\n")
    Try(cell, device, registrar).join(expect=JOINED)


@req("ECA-04", "ECA-09")
@pytest.mark.parametrize("wrap", [(None, b""), (64, b"\n"), (76, b"\r\n"), (40, b" \t\r\n")])
def test_base64_in_each_wrapping_is_read(cell, device, registrar, wrap):
    def wrapped(request, chain):
        return Answer(200, est_body(forge.certs_only(chain), *wrap), "application/pkcs7-mime")
    registrar.on["cacerts"] = lambda r: wrapped(r, [registrar.root, registrar.ca.cert])
    registrar.on["simpleenroll"] = lambda r: wrapped(
        r, [forge.issue(registrar.ca, base64.b64decode(r.body))])
    Try(cell, device, registrar).join(expect=JOINED)


def requested(registrar):
    return x509.load_der_x509_csr(base64.b64decode(registrar.seen("simpleenroll")[-1].body))


@req("ER-01", "ER-02", "R8995-PLG-048")
@pytest.mark.parametrize("answer", [Answer(204), Answer(404), Answer(200, b"MAA=", "application/csrattrs")])
def test_no_wishes_for_the_csr_is_fine(cell, device, registrar, answer):
    registrar.on["csrattrs"] = lambda _r: answer
    Try(cell, device, registrar).join(expect=JOINED)


CHALLENGE_PASSWORD = forge.oid("1.2.840.113549.1.9.7")
EXTENSION_REQUEST = forge.oid("1.2.840.113549.1.9.14")
TEMPLATE = forge.oid("1.2.840.113549.1.9.16.2.61")
EXTENSION_TEMPLATE = forge.oid("1.2.840.113549.1.9.16.2.62")
EC_KEY, P384 = forge.oid("1.2.840.10045.2.1"), forge.oid("1.3.132.0.34")
SAN_OID, MAC_ADDRESS = forge.oid("2.5.29.17"), forge.oid("1.3.6.1.1.1.1.22")
CN, OU = forge.oid("2.5.4.3"), forge.oid("2.5.4.11")
SEQUENCE, SET, tlv = 0x30, 0x31, forge.tlv


def attrs(*wishes):
    return tlv(SEQUENCE, *wishes)


def attribute(oid, *values):
    return tlv(SEQUENCE, oid, tlv(SET, *values))


@req("ER-04", "EE-04", "EE-05", "R8995-PLG-048")
@pytest.mark.parametrize("tls, octets", [("1.2", 12), ("1.3", 32)], ids=["tls-unique", "tls-exporter"])
def test_challenge_password_asked_for_is_the_channel_binding(cell, device, registrar, tls, octets):
    registrar.attributes = attrs(CHALLENGE_PASSWORD)
    Try(cell, device, registrar).join(expect=JOINED)
    value = requested(registrar).attributes.get_attribute_for_oid(
        x509.oid.AttributeOID.CHALLENGE_PASSWORD).value
    assert len(base64.b64decode(value)) == octets


@req("ER-06", "R8995-PLG-048")
def test_key_type_asked_for_is_made(cell, device, registrar):
    registrar.attributes = attrs(attribute(EC_KEY, P384))
    Try(cell, device, registrar).join(expect=JOINED)
    assert requested(registrar).public_key().curve.name == "secp384r1"


@req("ER-03", "ER-14")
def test_unknown_wishes_are_ignored(cell, device, registrar):
    extension = attribute(EXTENSION_REQUEST, tlv(SEQUENCE))
    registrar.attributes = attrs(MAC_ADDRESS, forge.oid("2.999.1"), attribute(forge.oid("2.999.2"),
                                                                              b"\x13\x01x"), extension)
    Try(cell, device, registrar).join(expect=JOINED)


def common(name, value=None):
    """One RDN of a subject template."""
    return tlv(SET, tlv(SEQUENCE, name, *([tlv(0x0C, value)] if value else [])))


@req("ER-07", "ER-08", "ER-09", "ER-11", "ER-12", "ER-13", "R8995-PLG-048")
def test_template_of_rfc_9908_is_followed_and_wins(cell, device, registrar):
    names = tlv(SEQUENCE, tlv(0x82, b"device.example"))
    extensions = tlv(SEQUENCE, tlv(SEQUENCE, SAN_OID, tlv(0x04, names)))
    template = tlv(SEQUENCE, b"\x02\x01\x00", tlv(SEQUENCE, common(CN), common(OU, b"myDept")),
                   tlv(0xA0, tlv(SEQUENCE, EC_KEY, P384)),
                   tlv(0xA1, attribute(EXTENSION_TEMPLATE, extensions)))
    registrar.attributes = attrs(attribute(TEMPLATE, template),
                                 attribute(EC_KEY, forge.oid("1.2.840.10045.3.1.7")))
    Try(cell, device, registrar).join(expect=JOINED)
    csr = requested(registrar)
    assert csr.public_key().curve.name == "secp384r1"
    assert [a.value for a in csr.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATIONAL_UNIT_NAME)] == ["myDept"]
    assert csr.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    san = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert san.get_values_for_type(x509.DNSName) == ["device.example"]


@req("ER-05", "ER-07", "ER-10")
@pytest.mark.parametrize("wishes", [
    attrs(attribute(EXTENSION_REQUEST, tlv(SEQUENCE)), attribute(EXTENSION_REQUEST, tlv(SEQUENCE))),
    attrs(attribute(TEMPLATE, tlv(SEQUENCE, b"\x02\x01\x01", tlv(0xA1)))),
], ids=["two extension requests", "template version 1"])
def test_wishes_that_contradict_the_standard_are_malformed(cell, device, registrar, wishes):
    registrar.attributes = wishes
    attempt = Try(cell, device, registrar)
    attempt.join()
    assert attempt.done.returncode != JOINED
    assert registrar.reports("enrollstatus")[0]["status"] is False


@req("ER-05", "ER-10", "R8995-PLG-052")
@pytest.mark.parametrize("body", [b"!!!", est_body(b"\x30\x05\x06"), est_body(b"\x04\x00"), b""])
def test_malformed_wishes_end_or_are_ignored_but_never_crash(cell, device, registrar, body):
    registrar.on["csrattrs"] = lambda _r: Answer(200, body, "application/csrattrs")
    attempt = Try(cell, device, registrar)
    attempt.join()
    assert attempt.done.returncode in (JOINED, FAILED, REFUSED)


BAD_CERTIFICATES = {
    "for another key": lambda r, csr: [forge.issue(r.ca, csr, key=certs.new_key())],
    "under another CA": lambda r, csr: [forge.issue(certs.make_ca("Not the domain's"), csr)],
    "expired": lambda r, csr: [forge.issue(r.ca, csr, not_before=datetime.datetime(2019, 1, 1),
                                           not_after=datetime.datetime(2020, 1, 1))],
    "nothing at all": lambda r, csr: [],
}


@req("R8995-PLG-052", "EE-02")
@pytest.mark.parametrize("kind", BAD_CERTIFICATES)
def test_bad_certificate_is_reported_on_the_same_connection(cell, device, registrar, kind):
    def answer(request):
        chain = BAD_CERTIFICATES[kind](registrar, base64.b64decode(request.body))
        if not chain:
            return Answer(200, b"", "application/pkcs7-mime; smime-type=certs-only")
        return registrar.certificate_answer(*chain)
    registrar.on["simpleenroll"] = answer
    attempt = Try(cell, device, registrar)
    attempt.join()
    assert attempt.done.returncode != JOINED
    report, = registrar.reports("enrollstatus")
    check_report(report)
    assert report["status"] is False
    assert registrar.seen("enrollstatus")[0].connection == registrar.seen("simpleenroll")[0].connection
    assert attempt.status() == NOT_ENROLLED


@req("R8995-PLG-052", "R8995-PLG-049")
@pytest.mark.parametrize("status", [400, 403, 500])
def test_refused_enrolment_is_reported_on_the_same_connection(cell, device, registrar, status):
    registrar.on["simpleenroll"] = lambda _r: text(status, "No certificate for you.\n")
    attempt = Try(cell, device, registrar)
    attempt.join()
    assert attempt.done.returncode != JOINED
    report, = registrar.reports("enrollstatus")
    assert report["status"] is False and report["reason"]
    assert registrar.seen("enrollstatus")[0].connection == registrar.seen("simpleenroll")[0].connection


@req("R8995-PLG-049", "EE-13", "EE-14")
def test_pending_enrolment_repeats_the_same_csr(cell, device, registrar):
    registrar.on["simpleenroll"] = lambda r: (
        NotImplemented if len(registrar.seen("simpleenroll")) > 2
        else Answer(202, headers=[("Retry-After", "1")]))
    Try(cell, device, registrar).join(expect=JOINED)
    assert len({r.body for r in registrar.seen("simpleenroll")}) == 1


@req("EA-03", "R8995-PLG-031")
def test_password_challenge_is_never_answered(cell, device, registrar):
    registrar.on["simpleenroll"] = registrar.on["csrattrs"] = lambda _r: text(
        401, "Password?\n", headers=[("WWW-Authenticate", 'Basic realm="est"')])
    Try(cell, device, registrar).join()
    assert not any(r.header("authorization") for r in registrar.seen())


# -- after joining

@req("R8995-PLG-058", "EE-08", "EE-09", "EE-10", "TA-01", "R8995-PLG-063")
def test_renewal_uses_the_ldevid_and_keeps_the_name(cell, device, registrar):
    attempt = Try(cell, device, registrar, changes={"policy": {"renew_before": "400d"}})
    attempt.join(expect=JOINED)
    old = forge.parse(registrar.seen("enrollstatus")[0].peer_der)
    done = attempt.pledge.command("renew")
    assert done.returncode == 0, done.stderr
    again = registrar.seen("simplereenroll")[0]
    assert again.peer_der == forge.der(old)
    csr = x509.load_der_x509_csr(base64.b64decode(again.body))
    assert csr.subject == old.subject


@req("TA-01", "R8995-PLG-051", "TA-05", "ECA-10")
def test_renewal_at_a_server_of_another_domain_sends_nothing(cell, device, registrar, with_certificate):
    attempt = Try(cell, device, registrar, changes={"policy": {"renew_before": "400d"}})
    attempt.join(expect=JOINED)
    registrar.stop()
    rogue = with_certificate(certs.make_registrar(certs.make_ca("Rogue")), port=registrar.port)
    assert attempt.pledge.command("renew").returncode != 0
    assert not rogue.requests


@req("TA-01", "R8995-PLG-053")
def test_renewal_at_a_device_of_the_own_domain_sends_nothing(cell, device, registrar, with_certificate,
                                                            domain):
    """A neighbour with an LDevID is under the same anchor, but neither named nor a registrar."""
    attempt = Try(cell, device, registrar, changes={"policy": {"renew_before": "400d"}})
    attempt.join(expect=JOINED)
    neighbour = certs.make_ldevid(forge.issuing(domain.directory), "NEIGHBOUR",
                                  eku=[certs.CLIENT_AUTH, certs.SERVER_AUTH])
    registrar.stop()
    rogue = with_certificate(neighbour, port=registrar.port)
    assert attempt.pledge.command("renew").returncode != 0
    assert not rogue.requests


@req("R8995-PLG-056", "R8995-PLG-055")
def test_no_option_skips_the_voucher(cell, device):
    said = harness.run(harness.program("brski-pledge"), "--help").stdout
    assert not re.search(r"skip|insecure|no-voucher|tofu", said, re.I)


def test_wrong_use_is_exit_2(cell):
    assert harness.run(harness.program("brski-pledge")).returncode == USAGE
    assert harness.run(harness.program("brski-pledge"), "dance").returncode == USAGE
    assert harness.run(harness.program("brski-pledge"), "join", "-c", cell / "none.conf").returncode == USAGE


def test_state_is_for_its_owner_only(cell, device, registrar):
    attempt = Try(cell, device, registrar)
    attempt.join(expect=JOINED)
    keys = [p for p in attempt.pledge.state.rglob("*") if p.is_file() and "PRIVATE KEY" in
            p.read_text(errors="replace")]
    assert keys and all(p.stat().st_mode & 0o077 == 0 for p in keys)


def test_reset_forgets_everything(cell, device, registrar):
    attempt = Try(cell, device, registrar)
    attempt.join(expect=JOINED)
    assert attempt.pledge.command("reset").returncode == 0
    assert attempt.status() == NOT_ENROLLED
    left = [p for p in attempt.pledge.state.rglob("*") if p.is_file() and
            "PRIVATE KEY" in p.read_text(errors="replace")]
    assert not left
    attempt.join(expect=JOINED)


def test_reports_are_json_objects(cell, device, registrar):
    Try(cell, device, registrar).join(expect=JOINED)
    for step in ("voucher_status", "enrollstatus"):
        body = registrar.seen(step)[0].body
        assert json.loads(body) and b"\n" not in body.strip()
