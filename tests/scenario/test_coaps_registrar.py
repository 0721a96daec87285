# SPDX-License-Identifier: Apache-2.0
"""The registrar towards constrained devices: vouchers in COSE and EST over CoAPS, served beside HTTPS.

A Python pledge talks to the real registrar; its MASA is the fake one, so that every octet towards it
is seen. CoAP as such (blocks, duplicates, options) has tests of its own beside the server.
"""
import base64
import contextlib
import os
import re
import signal
import socket

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key

import harness
from brski_peer import certs, coap, constrained, cose, dtls, forge, voucher
from brski_peer.constrained import (CBOR, MULTIPART, PKCS7_CERTS, PKCS8, PKIX_CERT, VOUCHER, certs_of)
from brski_peer.masa import COSE_TYPE, OLDER_COSE_TYPE
from brski_peer.pledge import BRSKI, EST
from brski_peer.server import Answer, text
from brski_peer.wire import Closed
from places import Site

req = pytest.mark.req

JSON, PKCS10, CSRATTRS = 50, 286, 285


@pytest.fixture(scope="module")
def running_site(place, acme, domain, masa_fake_server):
    registrar = harness.Registrar(place / "registrar", domain, [acme], coaps=True)
    with harness.running(registrar):
        yield Site(place, acme, domain, masa_fake_server, registrar)


@pytest.fixture
def site(running_site, fake_masa):
    """The real registrar, over both carriers, with the fake MASA."""
    return running_site


@contextlib.contextmanager
def other_site(cell, site, coaps=None, manufacturers=None, **sections):
    """A registrar with a configuration of its own."""
    changes = {"coaps": coaps or {}}
    changes.update({name.replace("_", " "): keys for name, keys in sections.items()})
    registrar = harness.Registrar(cell / "registrar", site.domain,
                                  manufacturers or [site.manufacturer], changes=changes, coaps=True)
    with harness.running(registrar):
        yield Site(cell, site.manufacturer, site.domain, site.masa, registrar)


@contextlib.contextmanager
def admitted(site, device=None, **more):
    """A device with its voucher, still on the same association."""
    with site.constrained_peer(device or site.device(), **more) as pledge:
        assert_ok(pledge.request_voucher())
        assert_ok(pledge.voucher_status())
        yield pledge


@contextlib.contextmanager
def enrolled(site, cell):
    """A fresh LDevID on an association of its own."""
    with admitted(site) as pledge:
        certificate, key = pledge.join()
    with site.constrained_peer(forge.save(cell, "ldevid", key, [certificate])) as client:
        yield client


def assert_ok(reply, said="2.04"):
    assert reply.said == said, str(reply)
    return reply


def assert_refused(reply, said):
    """The code, and a short sentence for a person without anything of ours in it."""
    assert reply.said == said, str(reply)
    assert reply.content_format is None
    assert reply.text.strip(), "a refusal says why"
    assert not re.search(r"(^|\s)/\w|\.[ch]:\d|error:|0x", reply.text), reply.text
    return reply


def issued(reply):
    assert_ok(reply)
    found = certs_of(reply)
    assert len(found) == 1, "only the issued certificate"
    return found[0]


def assert_issued_by(certificate, ca):
    assert certificate.issuer == ca.subject
    ca.public_key().verify(certificate.signature, certificate.tbs_certificate_bytes,
                           ec.ECDSA(certificate.signature_hash_algorithm))


# -- the voucher

@req("R-01", "R-11", "R-19", "C-08", "C-11", "C-25", "D-11", "D-12", "D-13", "N-05", "C-31")
def test_the_whole_road_on_one_association(site):
    device = site.device()
    with site.constrained_peer(device) as pledge:
        reply = assert_ok(pledge.request_voucher())
        assert reply.content_format == VOUCHER
        box = cose.parse(reply.payload)
        box.verify(site.masa.signer.cert.public_key())
        assert box.container == "voucher"
        assert box.fields["nonce"] == pledge.nonce
        assert box.fields["serial-number"] == device.serial
        reply = assert_ok(pledge.voucher_status())
        assert reply.payload == b"" and reply.content_format is None
        anchors = certs_of(assert_ok(pledge.crts(), "2.05"))
        reply, key = pledge.enroll()
        certificate = issued(reply)
        assert reply.content_format == PKIX_CERT
        assert forge.spki(certificate) == key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        assert_issued_by(certificate, anchors[0])
        assert voucher.serial_of(certificate) == device.serial
        assert_ok(pledge.enrollstatus())


@req("R-10")
def test_voucher_arrives_without_the_masas_certificates_and_otherwise_untouched(site):
    with site.constrained_peer(site.device()) as pledge:
        reply = assert_ok(pledge.request_voucher())
    sent = site.masa.vouchers[-1]
    assert cose.parse(sent).certs, "the MASA sends its chain"
    assert reply.payload == cose.stripped(sent) != sent


@req("O-06", "Y-12", "Y-16", "Y-17", "A-01", "O-08", "R-05", "K-05")
def test_the_request_to_the_masa_is_what_the_drafts_say(site):
    device = site.device()
    with site.constrained_peer(device) as pledge:
        body = pledge.pvr()
        assert_ok(pledge.request_voucher(body))
    asked = site.masa.seen("/requestvoucher")[-1]
    assert asked.header("content-type") == asked.header("accept") == COSE_TYPE
    rvr = cose.parse(asked.body)
    registrar = forge.load_certs(site.registrar.certificate)
    rvr.verify(registrar[0].public_key())
    carried = {forge.der(c) for c in rvr.certs}
    assert carried >= {forge.der(c) for c in registrar + device.identity.chain()}
    assert rvr.container == "request"
    fields = rvr.fields
    assert fields["prior-signed-voucher-request"] == body
    assert fields["serial-number"] == device.serial
    assert fields["assertion"] == "proximity" and fields["nonce"] == pledge.nonce
    assert fields["idevid-issuer"] == voucher.idevid_issuer(device.identity.cert)
    assert fields["idevid-issuer"][0] == 0x04
    assert not [name for name in fields if name.startswith("proximity-")]
    assert "created-on" in fields


@req("R-06", "Y-10")
@pytest.mark.parametrize("form", ["proximity-registrar-cert", "proximity-registrar-pubk",
                                  "proximity-registrar-pubk-sha256"])
def test_each_way_to_name_the_registrar_is_understood(site, form):
    with site.constrained_peer(site.device()) as pledge:
        assert_ok(pledge.request_voucher(pledge.pvr(proximity=form)))


@req("R-06")
@pytest.mark.parametrize("changes", [
    {"proximity_registrar_pubk": b"\x30\x59" + bytes(89)},
    {"proximity_registrar_pubk": None, "proximity_registrar_pubk_sha256": bytes(32)},
    {"proximity_registrar_pubk": None},
    {"assertion": "logged"}, {"assertion": None},
])
def test_another_registrars_proximity_is_401_and_the_end(site, changes):
    asked = len(site.masa.seen("/requestvoucher"))
    with site.constrained_peer(site.device()) as pledge:
        assert_refused(pledge.request_voucher(pledge.pvr(**changes)), "4.01")
        with pytest.raises(coap.Silence):
            pledge.client.receive(5)
            pledge.client.get(EST + "crts", timeout=3)
        assert pledge.client.link.ended
    assert len(site.masa.seen("/requestvoucher")) == asked


@req("R-04", "O-05")
def test_request_signed_by_another_device_is_403(site):
    other = site.device()
    with site.constrained_peer(site.device()) as pledge:
        assert_refused(pledge.request_voucher(pledge.pvr(signer=other.identity)), "4.03")
        bag = {"unprotected": {cose.X5BAG: cose.bag([forge.der(other.identity.cert)])}}
        assert_refused(pledge.request_voucher(pledge.pvr(signer=other.identity, how=bag)), "4.03")


@req("O-05")
@pytest.mark.parametrize("header", ["kid", "foreign bag", "no certificate in the bag"])
def test_headers_that_name_a_signer_count_for_nothing(site, header):
    other = site.device()
    unprotected = {"kid": {cose.KID: b"whoever"},
                   "foreign bag": {cose.X5BAG: cose.bag([forge.der(other.identity.cert)])},
                   "no certificate in the bag": {cose.X5BAG: b"\x30\x03abc"}}[header]
    with site.constrained_peer(site.device()) as pledge:
        assert_ok(pledge.request_voucher(pledge.pvr(how={"unprotected": unprotected})))


@req("R-05", "Y-17")
def test_serial_number_of_another_device_is_403(site):
    with site.constrained_peer(site.device()) as pledge:
        assert_refused(pledge.request_voucher(pledge.pvr(serial_number="TEST-OTHER")), "4.03")


@req("Y-05", "Y-06", "O-15")
@pytest.mark.parametrize("body", [b"", b"\xd2", b"\x00", b"\xa1\x19\x09\xc5\xa0"])
def test_what_is_no_request_is_400(site, body):
    with site.constrained_peer(site.device()) as pledge:
        assert_refused(pledge.request_voucher(body), "4.00")


@req("Y-05", "Y-06")
@pytest.mark.parametrize("changes", [{"nonce": b"1234567"}, {"nonce": bytes(33)}, {"nonce": None},
                                     {"serial_number": None}])
def test_leaf_that_is_missing_or_out_of_bounds_is_400(site, changes):
    with site.constrained_peer(site.device()) as pledge:
        assert_refused(pledge.request_voucher(pledge.pvr(**changes)), "4.00")


@req("Y-02")
@pytest.mark.parametrize("keys", ["delta", "names", "absolute", "mixed"])
def test_each_spelling_of_a_request_makes_the_same_one_to_the_masa(site, keys):
    with site.constrained_peer(site.device()) as pledge:
        assert_ok(pledge.request_voucher(pledge.pvr(keys=keys)))
    fields = cose.parse(site.masa.seen("/requestvoucher")[-1].body).fields
    assert set(fields) == {"assertion", "created-on", "idevid-issuer", "nonce",
                           "prior-signed-voucher-request", "serial-number"}


@req("R-02", "R-03", "C-10")
def test_formats_that_are_not_spoken(site):
    with site.constrained_peer(site.device()) as pledge:
        for number in (65000, CBOR, None):
            assert_refused(pledge.request_voucher(content_format=number), "4.15")
        assert_refused(pledge.request_voucher(accept=CBOR), "4.06")
        assert assert_ok(pledge.request_voucher(accept=None)).content_format == VOUCHER


# -- who may join

@req("R-07")
def test_devices_the_policy_denies(site, cell, stranger):
    serials = cell / "serials"
    serials.write_text("TEST-NOT-THIS\n")
    with other_site(cell, site, manufacturer_Acme={"admit": "listed", "serials": serials}) as strict:
        with strict.constrained_peer(strict.device()) as unlisted:
            assert_refused(unlisted.request_voucher(), "4.04")
        with strict.constrained_peer(strict.device(manufacturer=stranger)) as unknown:
            assert_refused(unknown.request_voucher(), "4.03")


@req("R-07", "A-09", "A-10")
def test_device_with_a_past_is_406_and_gets_no_est(site):
    site.masa.audit = site.masa.foreign_history
    with site.constrained_peer(site.device()) as pledge:
        assert_refused(pledge.request_voucher(), "4.06")
        assert_refused(pledge.enroll()[0], "4.03")
        assert_refused(pledge.crts(), "4.03")
    asked = site.masa.seen("/requestauditlog")[-1]
    assert asked.header("content-type") == COSE_TYPE
    assert asked.body == site.masa.seen("/requestvoucher")[-1].body


@req("C-18", "C-17", "R-07")
def test_held_device_comes_back_with_the_same_request_and_gets_its_voucher(site, cell):
    with other_site(cell, site, manufacturer_Acme={"admit": "hold"}) as held:
        device = held.device()
        with held.constrained_peer(device) as pledge:
            body = pledge.pvr()
            reply = assert_refused(pledge.request_voucher(body), "5.03")
            assert reply.number(coap.MAX_AGE) == 1
            assert held.registrar.claims("pending")[0]["serial"] == device.serial
            held.registrar.ctl("claims", "approve", device.serial)
            assert_ok(pledge.request_voucher(body))
        other = held.device()
        with held.constrained_peer(other) as pledge:
            assert_refused(pledge.request_voucher(), "5.03")
            held.registrar.ctl("claims", "reject", other.serial)
            assert_refused(pledge.request_voucher(), "4.04")


# -- the MASA

@req("R-08")
@pytest.mark.parametrize("status", [401, 403, 404, 406, 415])
def test_the_masas_refusal_goes_through(site, status):
    site.masa.answer = lambda request: text(status, "no\n")
    with site.constrained_peer(site.device()) as pledge:
        assert_refused(pledge.request_voucher(), f"4.{status % 100:02}")
        assert_ok(pledge.crts(), "2.05"), "and the association goes on"


@req("R-09")
def test_masa_that_is_away_is_503_and_nonsense_502(site):
    away = f"localhost:{harness.free_port()}"
    with site.constrained_peer(site.device(masa_url=away)) as pledge:
        reply = assert_refused(pledge.request_voucher(), "5.03")
        assert 0 < reply.number(coap.MAX_AGE) <= 60
    for answer in (Answer(200, b"nonsense", COSE_TYPE), Answer(200, b"", "application/json"),
                   text(500, "no\n")):
        site.masa.answer = lambda request, answer=answer: answer
        with site.constrained_peer(site.device()) as pledge:
            assert_refused(pledge.request_voucher(), "5.02")


@req("C-16", "C-20", "B-08")
@pytest.mark.parametrize("form", ["proximity-registrar-pubk-sha256", "proximity-registrar-cert"])
def test_impatient_pledge_of_a_slow_masa_makes_one_request(site, form):
    """One message; then several blocks, whose answer comes separately."""
    site.masa.delay = 1.7
    with site.constrained_peer(site.device(), ack_timeout=0.2) as pledge:
        assert_ok(pledge.request_voucher(pledge.pvr(proximity=form)))
        site.masa.delay = 0
        pledge.voucher_status()
        issued(pledge.enroll()[0])
    assert len(site.masa.seen("/requestvoucher")) == 1


@req("C-18")
def test_masa_that_has_not_decided_is_503_with_max_age_of_at_most_a_minute(site):
    site.masa.answer = lambda request: text(202, "wait\n", headers=[("Retry-After", "3600")])
    with site.constrained_peer(site.device()) as pledge:
        body = pledge.pvr()
        reply = assert_refused(pledge.request_voucher(body), "5.03")
        assert reply.number(coap.MAX_AGE) == 60
        site.masa.answer = None
        assert_ok(pledge.request_voucher(body))


@req("O-11", "R-09")
@pytest.mark.parametrize("lie", [
    {"nonce": b"another-nonce"}, {"nonce": None}, {"serial-number": "TEST-OTHER"},
    {"pinned-domain-cert": b"\x30\x00"}, {"pinned-domain-cert": None},
])
def test_voucher_with_a_lie_is_502(site, lie):
    site.masa.lie = lambda fields: {k: v for k, v in {**fields, **lie}.items() if v is not None}
    with site.constrained_peer(site.device()) as pledge:
        assert_refused(pledge.request_voucher(), "5.02")


@req("O-11")
def test_voucher_signed_by_a_stranger_is_502(site, stranger):
    masa = stranger.directory / "masa"
    site.masa.signer = forge.load(masa / "masa-signer.key", masa / "masa-signer.crt")
    with site.constrained_peer(site.device()) as pledge:
        assert_refused(pledge.request_voucher(), "5.02")


@req("A-01")
@pytest.mark.parametrize("pin", ["pinned-domain-pubk", "pinned-domain-pubk-sha256"])
def test_older_masa_is_asked_by_the_name_it_knows(site, cell, pin):
    site.masa.cose_type = OLDER_COSE_TYPE
    with other_site(cell, site, manufacturer_Acme={"cose_media_type": OLDER_COSE_TYPE}) as older:
        with older.constrained_peer(older.device()) as pledge:
            assert assert_ok(pledge.request_voucher()).content_format == VOUCHER
    for step in ("/requestvoucher", "/requestauditlog"):
        assert site.masa.seen(step)[-1].header("content-type") == OLDER_COSE_TYPE


@req("A-07", "Y-09")
@pytest.mark.parametrize("form", ["pinned-domain-pubk", "pinned-domain-pubk-sha256"])
def test_voucher_that_pins_our_key_is_delivered_and_another_key_is_not(site, form, monkeypatch):
    own = forge.load_certs(site.registrar.certificate)[0]
    monkeypatch.setattr(forge, "lowest_ca", lambda *_: own)
    site.masa.pin_form = form
    with site.constrained_peer(site.device()) as pledge:
        reply = assert_ok(pledge.request_voucher())
        assert form in cose.parse(reply.payload).fields
    monkeypatch.undo()
    with site.constrained_peer(site.device()) as pledge:
        assert_refused(pledge.request_voucher(), "5.02")


@req("A-09", "A-10")
def test_history_after_telemetry_is_asked_with_the_stored_request(site, cell):
    with other_site(cell, site, audit={"check": "after-status"}) as later:
        with later.constrained_peer(later.device()) as pledge:
            assert_ok(pledge.request_voucher())
            assert not site.masa.seen("/requestauditlog")
            assert_ok(pledge.voucher_status())
            asked = site.masa.wait_seen("/requestauditlog")
            assert asked[-1].header("content-type") == COSE_TYPE
            assert_ok(pledge.enroll()[0])


@req("R-01", "R-21", "A-04", "A-05", "A-10")
@pytest.mark.parametrize("form", ["proximity-registrar-cert", "proximity-registrar-pubk",
                                  "proximity-registrar-pubk-sha256"])
def test_the_whole_road_with_our_own_masa(coaps_site, form):
    device = coaps_site.device()
    with coaps_site.constrained_peer(device) as pledge:
        fields = cose.parse(assert_ok(
            pledge.request_voucher(pledge.pvr(proximity=form))).payload).fields
        assert fields["nonce"] == pledge.nonce and fields["assertion"] == "proximity"
        assert_ok(pledge.voucher_status())
        issued(pledge.enroll()[0])
    assert len(coaps_site.masa.audit(device.serial)) == 1


# -- telemetry

@req("R-11", "R-12", "R-14", "R-15")
def test_reports_in_cbor_and_json_are_taken(site):
    with site.constrained_peer(site.device()) as pledge:
        assert_ok(pledge.request_voucher())
        assert_ok(pledge.voucher_status(False, reason="voucher expired",
                                        **{"reason-context": {"0": "more"}}))
        assert_ok(pledge.report("vs", b'{"version":1,"status":true}', JSON))
        assert_ok(pledge.enrollstatus(False))
    assert site.registrar.wait_log("voucher-status.*voucher expired")


@req("R-13", "C-06")
@pytest.mark.parametrize("body", [
    cbor2.dumps({"version": 1, "status": 1}), cbor2.dumps({1: 1, "status": True}),
    cbor2.dumps({"version": 1}), cbor2.dumps([1, True]), b"\xa1", b"\xa0\x00", b""])
def test_report_that_is_none_is_400(site, body):
    with admitted(site) as pledge:
        assert_refused(pledge.report("vs", body), "4.00")


@req("R-03")
def test_report_of_another_format_is_415(site):
    with admitted(site) as pledge:
        for number in (0, VOUCHER, None):
            assert_refused(pledge.report("vs", cose.status_report(), number), "4.15")


@req("R-23")
def test_log_says_over_which_certificate_a_report_came(site, cell):
    device = site.device()
    with admitted(site, device) as pledge:
        certificate, key = pledge.join()
        since = site.registrar.log_size()
        assert_ok(pledge.enrollstatus())
        site.registrar.wait_log(rf"enroll-status.*serial={device.serial}.*session=idevid", since)
    with site.constrained_peer(forge.save(cell, "ldevid", key, [certificate])) as client:
        assert_ok(client.enrollstatus())
        site.registrar.wait_log(rf"enroll-status.*serial={device.serial}.*session=ldevid", since)


# -- paths

@req("R-17", "R-19")
def test_the_whole_road_by_numbers_instead_of_paths(site):
    with site.constrained_peer(site.device(), abbreviated=True) as pledge:
        pledge.join()
        for accept in (MULTIPART, PKCS7_CERTS, PKIX_CERT):
            assert_ok(pledge.crts(accept), "2.05")
        assert pledge.att().said == "4.04"
        assert_ok(pledge.enrollstatus())


@req("R-18")
def test_number_that_is_unknown_or_beside_a_path_is_402(site):
    with site.constrained_peer(site.device(), abbreviated=True) as pledge:
        for path in ([(coap.ABBREV, coap.uint(999))],
                     [*coap.path_options(EST + "crts"), (coap.ABBREV, coap.uint(301))],
                     [(coap.ABBREV, coap.uint(301)), (coap.ABBREV, coap.uint(301))]):
            assert pledge.client.get(path).said == "4.02"


@req("R-20", "C-03")
def test_short_roots_mix_with_the_usual_ones(site):
    with site.constrained_peer(site.device(), roots=("/b/", EST)) as pledge:
        pledge.join()
        pledge.roots = (BRSKI, "/e/")
        assert_ok(pledge.crts(), "2.05")
        assert_ok(pledge.enrollstatus())


@req("C-03", "EF-03")
@pytest.mark.parametrize("path", [EST + "cacerts", EST + "fullcmc", EST + "x/crts", "/b/crts", "/e/rv",
                                  BRSKI + "requestvoucher", BRSKI + "requestauditlog", "/", "/x"])
def test_long_names_and_others_are_not_there(site, path):
    with site.constrained_peer(site.device()) as pledge:
        assert pledge.client.get(path).said == "4.04"
        assert pledge.client.post(path, b"x", PKCS10).said == "4.04"


@req("C-11")
def test_method_that_does_not_fit_is_405(site):
    with site.constrained_peer(site.device()) as pledge:
        assert pledge.client.get(EST + "sen").said == "4.05"
        assert pledge.client.post(EST + "crts", b"x", PKCS10).said == "4.05"
        assert pledge.client.request(coap.DELETE, EST + "crts").said == "4.05"


@req("C-26", "C-27", "X-09", "X-10")
def test_resources_are_found(site):
    with site.constrained_peer(site.device()) as pledge:
        def found(query):
            reply = pledge.client.get("/.well-known/core", options=[(coap.URI_QUERY, query)])
            return reply.payload.decode() if reply.said == "2.05" else ""
        est = found(b"rt=ace.est*")
        for name in ("ace.est.crts", "ace.est.sen", "ace.est.sren", "ace.est.skg"):
            assert name in est
        assert "brski.rv" in found(b"rt=brski.rv") and "brski.vs" not in found(b"rt=brski.rv")
        assert "ace.est" not in found(b"rt=brski*")


# -- the association

@req("C-23", "D-03")
def test_the_mandatory_suite_is_enough(site):
    suite = "ECDHE-ECDSA-AES128-CCM8"
    with site.constrained_peer(site.device(), ciphers=suite) as pledge:
        assert pledge.client.link.cipher == suite
        pledge.join()


@req("D-05", "O-03")
@pytest.mark.parametrize("key_type", ["ed25519", "ec-p384"])
def test_device_with_another_kind_of_key_joins(site, cell, acme, key_type):
    device = forge.idevid(cell, f"TEST-{key_type}", site.masa_url, acme, key_type=key_type)
    with site.constrained_peer(device) as pledge:
        pledge.join()


@req("B-12", "D-07", "D-09", "B-09")
@pytest.mark.parametrize("fragment", [512, 1024])
def test_device_with_short_records_joins(site, fragment):
    with site.constrained_peer(site.device(), max_fragment=fragment) as pledge:
        assert pledge.client.link.max_fragment == fragment
        pledge.join()
        assert_ok(pledge.crts(), "2.05")
        assert max(len(d) for d in pledge.client.received) <= 1024


@req("C-24")
def test_expired_idevid_is_taken_where_that_is_configured(site, cell, acme):
    def old(where):
        return forge.idevid(cell, f"TEST-OLD-{where}", site.masa_url, acme, expired=True)
    with site.constrained_peer(old("strict")) as pledge:
        assert_refused(pledge.request_voucher(), "4.03")
    with other_site(cell, site, manufacturer_Acme={"expired_idevid": "accept"}) as lenient:
        with lenient.constrained_peer(old("lenient")) as pledge:
            pledge.join()


# -- CA certificates and attributes

@req("C-07", "C-09", "C-29", "C-30", "C-31", "C-34", "C-05")
def test_ca_certificates_in_each_format(site):
    ca, root = (forge.load_certs(site.domain.file(name))[0] for name in ("issuing.crt", "root.crt"))
    with site.constrained_peer(site.device()) as pledge:
        listed = assert_ok(pledge.crts(MULTIPART), "2.05")
        assert [number for number, _ in cose.parts(listed.payload)] == [PKIX_CERT] * 2
        assert certs_of(listed) == [ca, root]
        assert certs_of(assert_ok(pledge.crts(PKIX_CERT), "2.05")) == [ca]
        for accept in (PKCS7_CERTS, None):
            bag = assert_ok(pledge.crts(accept), "2.05")
            assert bag.content_format == PKCS7_CERTS and bag.payload[0] == 0x30
            assert set(certs_of(bag)) == {ca, root}
        assert_refused(pledge.crts(CBOR), "4.06")


@req("C-28")
def test_ca_certificates_that_a_client_has_are_not_sent_again(site):
    with site.constrained_peer(site.device()) as pledge:
        first = pledge.crts()
        tag = first.option(coap.ETAG)
        assert 1 <= len(tag) <= 8
        again = pledge.crts(options=[(coap.ETAG, tag)])
        assert (again.said, again.payload) == ("2.03", b"")
        assert_ok(pledge.crts(options=[(coap.ETAG, b"another")]), "2.05")
        assert pledge.crts(PKCS7_CERTS).option(coap.ETAG) != tag


@req("C-33")
def test_size_of_the_ca_certificates_is_told_when_asked_for(site):
    with site.constrained_peer(site.device()) as pledge:
        ask = coap.Message(coap.CON, coap.GET, 0, b"t", [
            *coap.path_options(EST + "crts"), (coap.ACCEPT, coap.uint(MULTIPART)),
            (coap.SIZE2, b"")])
        reply = pledge.client.exchange(ask)
        assert reply.number(coap.SIZE2) == len(pledge.crts().payload)


@req("C-32", "C-34")
def test_list_of_ca_certificates_is_cut_and_one_is_refused_where_there_are_more_roots(
        site, cell, other_domain):
    chain = cell / "chain.pem"
    chain.write_bytes(other_domain.file("root.crt").read_bytes()
                      + site.domain.file("root.crt").read_bytes())
    with other_site(cell, site, {"cacerts_max": 2}, ca={"chain": chain}) as several:
        with several.constrained_peer(several.device()) as pledge:
            names = [c.subject for c in certs_of(pledge.crts(MULTIPART))]
            ca, root = (forge.load_certs(site.domain.file(n))[0] for n in ("issuing.crt", "root.crt"))
            assert names == [ca.subject, root.subject]
            assert len(certs_of(pledge.crts(PKCS7_CERTS))) == 3
            assert_refused(pledge.crts(PKIX_CERT), "4.06")


@req("C-04")
def test_attributes_are_there_when_there_are_any(site, cell):
    with site.constrained_peer(site.device()) as pledge:
        assert pledge.att().said == "4.04"
    with other_site(cell, site, est={"csrattrs": "ec-p256"}) as asking:
        with asking.constrained_peer(asking.device()) as pledge:
            reply = assert_ok(pledge.att(), "2.05")
            assert reply.content_format == CSRATTRS and reply.payload[0] == 0x30
        with asking.peer(None) as nobody:
            assert base64.b64decode(nobody.csrattrs().body) == reply.payload


@req("C-01", "D-11")
def test_everything_needs_a_client_certificate_of_somebody_known(site, stranger):
    with pytest.raises((dtls.Failed, coap.Silence)):
        with site.constrained_peer(None, timeout=5) as nobody:
            nobody.crts()
    with site.constrained_peer(site.device(manufacturer=stranger)) as unknown:
        assert_refused(unknown.crts(), "4.03")
        assert_refused(unknown.att(), "4.03")
        assert_refused(unknown.request_voucher(), "4.03")


def test_more_certificates_than_a_path_has_are_not_kept(site, cell, fake_masa):
    """Each costs memory as long as the connection stands, whoever made it."""
    device = site.device().identity
    own = forge.load_certs(device.cert_path)
    others = [certs.make_ca(f"Other {i}").cert for i in range(8)]

    def answer(count):
        identity = forge.save(cell, f"with-{count}", device.key, (own + others)[:count])
        with site.constrained_peer(identity, timeout=5) as pledge:
            said = pledge.crts().said
        with site.peer(identity) as pledge:
            return said, pledge.cacerts().status

    assert answer(8) == ("2.05", 200)
    with pytest.raises(dtls.Failed):
        answer(9)
    with pytest.raises(Closed):
        with site.peer(forge.save(cell, "again", device.key, (own + others)[:9])) as pledge:
            pledge.cacerts()


# -- enrolment

@req("C-07", "C-08", "C-09", "C-05", "N-05")
def test_certificate_comes_in_the_format_the_client_accepts(site, cell):
    with admitted(site) as pledge:
        for accept, expected in ((PKIX_CERT, PKIX_CERT), (PKCS7_CERTS, PKCS7_CERTS),
                                 (None, PKCS7_CERTS)):
            reply, _ = pledge.enroll(accept=accept)
            issued(reply)
            assert reply.content_format == expected
        assert_refused(pledge.enroll(accept=CBOR)[0], "4.06")
    with other_site(cell, site, {"certificate_format": "pkix-cert"}) as plain:
        with admitted(plain) as pledge:
            assert pledge.enroll(accept=None)[0].content_format == PKIX_CERT
            assert pledge.enroll(accept=PKCS7_CERTS)[0].content_format == PKCS7_CERTS


@req("C-06", "C-05", "C-22")
def test_request_that_is_not_binary_pkcs10_is_refused(site):
    with admitted(site) as pledge:
        csr = pledge.csr(certs.new_key())
        for number in (0, CBOR, None):
            assert_refused(pledge.post_csr(csr, content_format=number), "4.15")
        assert_refused(pledge.post_csr(base64.b64encode(csr)), "4.00")
        assert_refused(pledge.post_csr(csr[:-1] + bytes([csr[-1] ^ 1])), "4.00")
        issued(pledge.post_csr(csr))


@req("D-12", "C-01")
def test_device_without_a_voucher_does_not_enrol(site):
    with admitted(site):
        with site.constrained_peer(site.device()) as other:
            assert_refused(other.enroll()[0], "4.03")


@req("D-12")
def test_device_goes_on_over_another_association(site):
    device = site.device()
    with admitted(site, device):
        pass
    with site.constrained_peer(device) as again:
        issued(again.enroll()[0])


@req("C-20")
def test_same_request_again_gives_the_same_certificate(site):
    with admitted(site) as pledge:
        csr = pledge.csr(certs.new_key())
        first = issued(pledge.post_csr(csr))
        assert issued(pledge.post_csr(csr)) == first
        assert issued(pledge.post_csr(csr, accept=PKCS7_CERTS)) == first


@req("C-20")
def test_duplicate_of_a_message_makes_one_certificate(site):
    device = site.device()
    with admitted(site, device) as pledge:
        csr = pledge.csr(certs.new_key(), certs.name("x", device.serial))
        options = [*coap.path_options(EST + "sen"), (coap.CONTENT_FORMAT, coap.uint(PKCS10)),
                   (coap.ACCEPT, coap.uint(PKIX_CERT))]
        message = coap.Message(coap.CON, coap.POST, pledge.client.next_id(), b"once", options, csr)
        for _ in range(3):
            pledge.client.say(message.encode())
        first = assert_ok(pledge.client.receive())
        pledge.client.say(message.encode())
        assert pledge.client.receive() == first
    assert len(site.registrar.lines(rf"certificate-issued.*serial={device.serial} ")) == 1


@req("C-12", "C-13", "C-14")
@pytest.mark.parametrize("step, number", [("skg", PKCS7_CERTS), ("skc", PKIX_CERT)])
def test_key_and_certificate_from_the_server(site, step, number):
    with admitted(site) as pledge:
        reply = assert_ok(pledge.post_csr(pledge.csr(certs.new_key()), step, accept=MULTIPART))
    assert reply.content_format == MULTIPART
    parts = dict(cose.parts(reply.payload))
    assert set(parts) == {PKCS8, number}
    key = load_der_private_key(parts[PKCS8], None)
    reply.payload, reply_format = parts[number], number
    certificate = (forge.parse(parts[number]) if reply_format == PKIX_CERT else
                   constrained.pkcs7.load_der_pkcs7_certificates(parts[number])[0])
    assert certificate.public_key().public_numbers() == key.public_key().public_numbers()


@req("C-14", "EK-06")
def test_key_that_should_be_encrypted_is_refused(site):
    with admitted(site) as pledge:
        builder = (x509.CertificateSigningRequestBuilder()
                   .subject_name(pledge.identity.cert.subject)
                   .add_attribute(x509.ObjectIdentifier("1.2.840.113549.1.9.16.2.37"), b"key-7"))
        csr = builder.sign(certs.new_key(), hashes.SHA256())
        for step in ("skg", "skc"):
            assert_refused(pledge.post_csr(csr.public_bytes(serialization.Encoding.DER), step,
                                           accept=MULTIPART), "4.00")


@req("C-04")
def test_keys_are_not_made_where_that_is_off(site, cell):
    with other_site(cell, site, est={"server_keygen": "no"}) as without:
        with admitted(without) as pledge:
            reply = pledge.post_csr(pledge.csr(certs.new_key()), "skg", accept=MULTIPART)
            assert_refused(reply, "4.04")


@req("C-36")
def test_renewal_is_with_the_certificate_itself(site, cell):
    with enrolled(site, cell) as client:
        reply = client.post_csr(client.csr(certs.new_key()), "sren")
        renewed = issued(reply)
        assert renewed.subject == client.identity.cert.subject
        assert renewed.serial_number != client.identity.cert.serial_number
        assert issued(client.post_csr(client.csr(client.identity.key), "sren",
                                      accept=PKCS7_CERTS)).subject == renewed.subject
        other = client.csr(certs.new_key(), certs.name("another", "TEST-OTHER"))
        assert client.post_csr(other, "sren").said in ("4.00", "4.03")
    with admitted(site) as pledge:
        assert_refused(pledge.post_csr(pledge.csr(certs.new_key()), "sren"), "4.03")


@req("C-38")
def test_request_tied_to_an_association_is_good_there_only(site):
    with admitted(site) as pledge, admitted(site) as other:
        def csr(link):
            return pledge.csr(certs.new_key(),
                              challenge_password=base64.b64encode(link.finished).decode())
        issued(pledge.post_csr(csr(pledge.client.link)))
        assert_refused(pledge.post_csr(csr(other.client.link)), "4.03")
        issued(pledge.post_csr(pledge.csr(certs.new_key())))


# -- beside HTTPS

@req("R-22")
@pytest.mark.parametrize("name", [COSE_TYPE, OLDER_COSE_TYPE])
def test_cose_over_https(site, name):
    device = site.device()
    with site.peer(device) as pledge:
        fields = cose.pvr_fields(device.identity, pledge.registrar_der)
        body = cose.sign_request(fields, device.identity)
        for _ in range(2):
            reply = pledge.request_voucher(body, content_type=name, accept=name)
            assert (reply.status, reply.media_type) == (200, name), reply.text
            box = cose.parse(reply.body)
            assert box.fields["nonce"] == fields["nonce"] and not box.certs
        for step in ("voucher_status", "enrollstatus"):
            reply = pledge.connection.post(BRSKI + step, cose.status_report(), "application/cbor")
            assert reply.status == 200, reply.text


@req("D-12", "R-01")
def test_device_begins_over_coaps_and_goes_on_over_https(site):
    device = site.device()
    with admitted(site, device):
        pass
    with site.peer(device) as pledge:
        reply, _ = pledge.enroll()
        assert reply.status == 200, reply.text


@req("D-12")
def test_reload_shows_the_new_certificate_to_new_associations_only(site, cell):
    key, certificate = site.domain.registrar_identity(cell / "identity")
    registrar = harness.Registrar(cell / "registrar", site.domain, [site.manufacturer], coaps=True,
                                  identity=(key, certificate))
    with harness.running(registrar):
        here = Site(cell, site.manufacturer, site.domain, site.masa, registrar)
        with here.constrained_peer(here.device()) as before:
            for new in site.domain.registrar_identity(cell / "renewed"):
                new.replace(cell / "identity" / new.name)
            registrar.signal(signal.SIGHUP)
            registrar.wait_log("reload")
            with here.constrained_peer(here.device()) as after:
                assert after.registrar_der != before.registrar_der
                assert_ok(after.request_voucher())
            assert_ok(before.request_voucher())
            asked = cose.parse(site.masa.seen("/requestvoucher")[-1].body)
            asked.verify(forge.parse(before.registrar_der).public_key())


@req("C-25")
def test_end_of_the_service_ends_associations(site, cell):
    with other_site(cell, site) as short:
        with short.constrained_peer(short.device()) as pledge:
            assert_ok(pledge.crts(), "2.05")
            short.registrar.signal(signal.SIGTERM)
            assert short.registrar.wait() == 0
            with pytest.raises(coap.Silence):
                pledge.client.get(EST + "crts", timeout=3)


@req("X-05")
def test_check_finds_addresses_that_are_none(site, cell):
    registrar = harness.Registrar(cell / "registrar", site.domain, [site.manufacturer],
                                  changes={"coaps": {"listen": "here"}})
    done = harness.run(harness.program("brski-registrar"), "-c", registrar.config, "--check", check=1)
    assert "[coaps]" in done.stderr


@req("D-13")
@pytest.mark.parametrize("key", ["listen", "jpy_listen"])
def test_port_of_another_is_not_shared(site, cell, key):
    coaps = {key: f"127.0.0.1:{site.registrar.coaps_port}"}
    registrar = harness.Registrar(cell / "registrar", site.domain, [site.manufacturer],
                                  changes={"coaps": coaps}, coaps=True)
    done = harness.run(harness.program("brski-registrar"), "-c", registrar.config, check=1)
    assert "[coaps]" in done.stderr and "in use" in done.stderr, done.stderr


@req("X-05")
@pytest.mark.parametrize("where", ["no-such-interface", "192.0.2.1", "::"])
def test_place_of_discovery_that_is_not_ours_is_named_at_the_start(site, cell, where):
    registrar = harness.Registrar(cell / "registrar", site.domain, [site.manufacturer], coaps=True,
                                  changes={"coaps": {"discovery": where}})
    done = harness.run(harness.program("brski-registrar"), "-c", registrar.config, check=1)
    assert "[coaps]" in done.stderr and where in done.stderr, done.stderr


# -- to be found

@req("X-02", "X-05", "X-06", "X-07", "J-02", "DISC-REG-005")
def test_discovery_tells_the_ports_of_the_registrar(site, cell):
    port = harness.free_port()
    with other_site(cell, site, {"discovery": "127.0.0.1", "discovery_port": port}) as found:
        with socket.socket(type=socket.SOCK_DGRAM) as asker:
            asker.settimeout(harness.PATIENCE)
            asker.connect(("127.0.0.1", port))

            def ask(query):
                message = coap.Message(coap.CON, coap.GET, 7, b"q", [
                    *coap.path_options("/.well-known/core"), (coap.URI_QUERY, query)])
                asker.send(message.encode())
                reply = coap.Message.decode(asker.recv(2048))
                assert reply.said == "2.05" and reply.content_format == constrained.LINK
                return reply.payload.decode()
            coaps, jpy = found.registrar.coaps_port, found.registrar.jpy_port
            assert re.search(rf"<>;brski-jp=\"?{coaps}\b", ask(b"brski-jp=*"))
            assert f"<jpy://127.0.0.1:{jpy}" in ask(b"rt=brski.rjp")
            assert f"<coaps://127.0.0.1:{coaps}" in ask(b"rt=brski")
            everything = ask(b"rt=brski.*")
            assert f"<coaps://127.0.0.1:{coaps}>;rt=brski.rs" in everything
            assert f"<jpy://127.0.0.1:{jpy}>;rt=brski.rjpy" in everything


@req("R-21", "J-02", "J-09")
def test_the_whole_road_through_a_stateless_join_proxy(site):
    header = os.urandom(16)

    def unwrap(datagram):
        said, content = cbor2.loads(datagram)[:2]
        assert said == header
        return content
    with site.constrained_peer(site.device(), port=site.registrar.jpy_port,
                               wrap=lambda d: cbor2.dumps([header, d]), unwrap=unwrap) as pledge:
        pledge.join()
        assert_ok(pledge.enrollstatus())


# -- a client that is not ours

FOREIGN = "coap-client-openssl"


def foreign(site, cell, device, path, method="get", body=None, content_format=None, accept=None):
    """One request with libcoap's client; the octets of the answer."""
    out = cell / "answer"
    out.unlink(missing_ok=True)
    args = ["-m", method, "-o", out, "-B", "10", "-c", device.certificate, "-j", device.key,
            "-R", site.domain.file("root.crt"), "-n", "-b", "512"]
    if body is not None:
        (cell / "body").write_bytes(body)
        args += ["-f", cell / "body", "-t", str(content_format)]
    if accept is not None:
        args += ["-A", str(accept)]
    done = harness.run(FOREIGN, *args, f"coaps://127.0.0.1:{site.registrar.coaps_port}{path}")
    assert out.exists() and out.stat().st_size, done.stdout + done.stderr
    return out.read_bytes()


class Foreign:
    """Files of an identity as the client wants them."""

    def __init__(self, identity):
        self.certificate, self.key = identity.cert_path, identity.key_path


@req("C-03", "C-07", "C-15", "C-29", "B-02", "B-08")
def test_libcoaps_client_enrols_and_renews(site, cell):
    device = site.device()
    with admitted(site, device):
        pass
    bag = foreign(site, cell, device, EST + "crts", accept=PKCS7_CERTS)
    assert len(constrained.pkcs7.load_der_pkcs7_certificates(bag)) == 2
    listed = cose.parts(foreign(site, cell, device, EST + "crts", accept=MULTIPART))
    ca = forge.parse(listed[0][1])
    key = certs.new_key()
    csr = certs.make_csr(key, device.identity.cert.subject)
    der = foreign(site, cell, device, EST + "sen", "post", csr, PKCS10, PKIX_CERT)
    certificate = forge.parse(der)
    assert_issued_by(certificate, ca)
    ldevid = forge.save(cell, "ldevid", key, [certificate])
    renewal = certs.make_csr(certs.new_key(), certificate.subject)
    renewed = foreign(site, cell, Foreign(ldevid), EST + "sren", "post", renewal, PKCS10, PKIX_CERT)
    assert forge.parse(renewed).subject == certificate.subject


@req("C-04", "C-12")
def test_libcoaps_client_reads_attributes_and_gets_a_key(site, cell):
    with other_site(cell, site, est={"csrattrs": "ec-p256"}) as asking:
        device = asking.device()
        with admitted(asking, device):
            pass
        assert foreign(asking, cell, device, EST + "att")[0] == 0x30
        csr = certs.make_csr(certs.new_key(), device.identity.cert.subject)
        parts = cose.parts(foreign(asking, cell, device, EST + "skc", "post", csr, PKCS10))
        assert {number for number, _ in parts} == {PKCS8, PKIX_CERT}
