# SPDX-License-Identifier: Apache-2.0
"""The registrar towards pledges: who is refused, with which status, and what it does for the others.

A Python pledge talks to the real registrar; its MASA is the fake one, so that every octet towards it
is seen. EST has a file of its own (test_est.py).
"""
import base64
import datetime
import hashlib
import json
import re
import time

import pytest

import harness
from brski_peer import cms, forge
from brski_peer.pledge import BRSKI, CMS_TYPE, Pledge, certs_of, est_body, new_key
from brski_peer.server import Answer, text
from brski_peer.wire import Closed, Connection

req = pytest.mark.req


def assert_refused(reply, status):
    """The status, and a sentence for the peer without anything of ours in it."""
    allowed = status if isinstance(status, tuple) else (status,)
    assert reply.status in allowed, (reply.status, reply.text)
    assert reply.media_type == "text/plain"
    assert "utf-8" in reply.header("content-type").lower()
    assert reply.text.strip(), "a refusal says why"
    assert not re.search(r"(^|\s)/\w|\.[ch]:\d|error:|0x", reply.text), reply.text
    return reply


def refusal_in_log(registrar, pledge, since=0):
    """The line about this exchange that says why."""
    return registrar.wait_log(rf"exchange=\"?{pledge.exchange}.*(warn|error|refus|kind=)", since)


# -- 1. method and path

@req("R8995-REG-014")
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_requestvoucher_with_another_method_is_405_with_allow(fake_site, method):
    with fake_site.peer(fake_site.device()) as pledge:
        reply = assert_refused(pledge.connection.request(method, BRSKI + "requestvoucher"), 405)
        assert reply.header("allow") == "POST"


@req("R8995-REG-014")
@pytest.mark.parametrize("path", ["nothing", "requestvoucher/", "requestvoucher/x", "", "../x"])
def test_unknown_path_under_brski_is_404(fake_site, path):
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.connection.post(BRSKI + path, b"x", CMS_TYPE), 404)


@req("R8995-REG-014")
def test_draft_era_path_under_est_is_404(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.connection.post("/.well-known/est/requestvoucher", b"x", CMS_TYPE), 404)


# -- 2. media types

@req("R8995-REG-013", "ENC-ALL-022")
@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "application/pkcs10",
                                          "application/voucher-cms", "nonsense", None])
def test_unknown_content_type_is_415(fake_site, content_type):
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.request_voucher(content_type=content_type), 415)


@req("ENC-ALL-022")
@pytest.mark.parametrize("content_type", ["Application/Voucher-CMS+JSON", CMS_TYPE + "; charset=utf-8"])
def test_content_type_is_compared_without_case_and_parameters(fake_site, content_type):
    with fake_site.peer(fake_site.device()) as pledge:
        assert pledge.request_voucher(content_type=content_type).status == 200


@req("R8995-REG-026")
@pytest.mark.parametrize("accept", ["text/html", "application/voucher-jws+json",
                                    CMS_TYPE + ";q=0"])
def test_accept_that_cannot_be_served_is_406(fake_site, accept):
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.request_voucher(accept=accept), 406)


@req("R8995-REG-026", "R8995-PLG-020")
@pytest.mark.parametrize("accept", [None, "*/*", "application/*", "text/html, */*;q=0.1",
                                    "application/voucher-jws+json, " + CMS_TYPE])
def test_missing_or_wide_accept_gets_the_type_of_the_request(fake_site, fake_masa, accept):
    with fake_site.peer(fake_site.device()) as pledge:
        reply = pledge.request_voucher(accept=accept)
        assert (reply.status, reply.media_type) == (200, CMS_TYPE), reply.text
    asked = fake_masa.seen("/requestvoucher")[-1].header("accept")
    assert asked == CMS_TYPE if accept in (None, "*/*") else asked in (accept, CMS_TYPE)


# -- 3. size and form

@req("R8995-REG-012", "EE-17")
def test_body_over_the_limit_is_413_and_not_read(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        head = pledge.connection.request_octets("POST", BRSKI + "requestvoucher", None, CMS_TYPE,
                                                [("Content-Length", str(100 * 1024 * 1024))])
        pledge.connection.send(head)
        assert_refused(pledge.connection.read_reply(), 413)


# -- 4. the client certificate

@req("R8995-REG-006", "R8995-REG-049")
def test_without_client_certificate_is_refused(fake_site, fake_masa):
    device = fake_site.device()
    with fake_site.peer(None) as nobody:
        fields = forge.pvr_fields(device.identity, nobody.registrar_der)
        reply = nobody.request_voucher(forge.sign_request(fields, device.identity))
        assert_refused(reply, (401, 403))
        assert reply.header("www-authenticate") is None
    assert not fake_masa.seen("/requestvoucher")


@req("R8995-REG-006", "R8995-REG-012", "R8995-REG-049", "R8995-REG-058")
def test_unknown_manufacturer_is_403_and_its_masa_not_asked(fake_site, fake_masa, stranger):
    with fake_site.peer(fake_site.device(manufacturer=stranger)) as pledge:
        assert_refused(pledge.request_voucher(), 403)
    assert not fake_masa.requests


@req("R8995-REG-006", "R8995-REG-049")
def test_self_made_idevid_is_403(fake_site, cell):
    identity = forge.self_signed_idevid(cell, "TEST-SELF-MADE", fake_site.masa_url)
    with fake_site.peer(identity) as pledge:
        assert_refused(pledge.request_voucher(), 403)


@req("R8995-REG-006")
def test_idevid_with_the_right_issuer_name_but_another_key_is_403(fake_site, cell, acme):
    identity = forge.impostor_idevid(cell, "TEST-IMPOSTOR", fake_site.masa_url,
                                     forge.load_certs(acme.file("issuing.crt"))[0])
    with fake_site.peer(identity) as pledge:
        assert_refused(pledge.request_voucher(), 403)


@req("R8995-REG-007")
def test_expired_idevid_is_403_by_default(fake_site, cell, acme):
    identity = forge.idevid(cell, "TEST-EXPIRED", fake_site.masa_url, acme, expired=True)
    with fake_site.peer(identity) as pledge:
        assert_refused(pledge.request_voucher(), 403)


@req("R8995-REG-008")
def test_idevid_without_serial_number_is_refused_by_default(fake_site, cell, acme):
    identity = forge.idevid(cell, None, fake_site.masa_url, acme)
    with fake_site.peer(identity) as pledge:
        assert_refused(pledge.request_voucher(pledge.pvr(serial_number="TEST-X")), (403, 404))


@req("R8995-REG-008", "ENC-ALL-012")
def test_idevid_with_utf8_serial_and_clientauth_usage_is_accepted(fake_site, cell, acme):
    identity = forge.idevid(cell, "TÄST-UTF8", fake_site.masa_url, acme, restricted=True,
                            utf8=True)
    with fake_site.peer(identity) as pledge:
        assert pledge.request_voucher().status == 200


# -- 5. to 8. the request against the certificate

@req("R8995-REG-011")
def test_request_signed_by_another_idevid_is_403(fake_site, fake_masa):
    other = fake_site.device().identity
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.request_voucher(pledge.pvr(signer=other)), 403)
    assert not fake_masa.requests


@req("R8995-REG-011", "R8995-REG-015")
def test_request_of_another_device_replayed_under_own_certificate_is_403(fake_site, fake_masa):
    with fake_site.peer(fake_site.device()) as honest:
        stolen = honest.pvr()
    with fake_site.peer(fake_site.device()) as thief:
        assert_refused(thief.request_voucher(stolen), 403)
    assert not fake_masa.requests


@req("R8995-REG-011")
def test_request_with_one_bit_of_the_signature_flipped_is_403(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.request_voucher(forge.flip_signature(pledge.pvr())), 403)


@req("R8995-REG-009")
def test_serial_other_than_the_certificates_is_403_and_logged(fake_site, fake_masa):
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.request_voucher(pledge.pvr(serial_number="TEST-OTHER")), 403)
        assert "serial" in refusal_in_log(fake_site.registrar, pledge)
    assert not fake_masa.requests


@req("R8995-REG-010")
@pytest.mark.parametrize("assertion", [None, "logged", "verified", "Proximity", "agent-proximity", "x"])
def test_assertion_other_than_proximity_is_401_and_close(fake_site, fake_masa, assertion):
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.request_voucher(pledge.pvr(assertion=assertion)), 401)
        assert pledge.connection.ended_by_peer()
    assert not fake_masa.requests


@req("R8995-REG-010")
def test_foreign_proximity_certificate_is_401_and_close(fake_site, fake_masa, other_domain):
    man_in_the_middle = forge.load_certs(other_domain.registrar_dir / "registrar.crt")[0]
    with fake_site.peer(fake_site.device()) as pledge:
        pvr = pledge.pvr(proximity_registrar_cert=forge.b64(forge.der(man_in_the_middle)))
        reply = assert_refused(pledge.request_voucher(pvr), 401)
        assert reply.header("www-authenticate") is None
        assert pledge.connection.ended_by_peer()
    assert not fake_masa.requests


@req("R8995-REG-010")
def test_missing_proximity_certificate_is_401(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.request_voucher(pledge.pvr(proximity_registrar_cert=None)), 401)


@req("R8995-REG-053")
def test_proximity_hash_that_contradicts_a_right_certificate_is_401(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        pvr = pledge.pvr(proximity_registrar_pubk_sha256=forge.b64(bytes(32)))
        assert_refused(pledge.request_voucher(pvr), 401)


@req("R8995-REG-053")
def test_proximity_key_that_contradicts_a_right_certificate_is_401(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        pvr = pledge.pvr(proximity_registrar_pubk=forge.b64(forge.spki(pledge.identity.cert)))
        assert_refused(pledge.request_voucher(pvr), 401)


@req("R8995-REG-053")
def test_all_proximity_forms_that_agree_are_accepted(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        spki = forge.spki(forge.parse(pledge.registrar_der))
        pvr = pledge.pvr(proximity_registrar_pubk=forge.b64(spki),
                         proximity_registrar_pubk_sha256=forge.b64(hashlib.sha256(spki).digest()))
        assert pledge.request_voucher(pvr).status == 200


@req("ENC-ALL-011")
@pytest.mark.parametrize("octets", [0, 7, 33, 64])
def test_nonce_out_of_bounds_is_400(fake_site, octets):
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.request_voucher(pledge.pvr(nonce=forge.b64(bytes(octets)))), 400)


@req("ENC-ALL-011", "R8995-REG-028")
@pytest.mark.parametrize("nonce", ["AAAAAAAAAAA=", forge.b64(bytes(range(32))),
                                   "-_XE9zK9q8Ll1qylMtLKeg", "0123456789abcdef0123456789abcdef"])
def test_nonce_string_reaches_the_masa_verbatim(fake_site, fake_masa, nonce):
    with fake_site.peer(fake_site.device()) as pledge:
        assert pledge.request_voucher(pledge.pvr(nonce=nonce)).status == 200
    rvr = forge.read(fake_masa.seen("/requestvoucher")[-1].body)
    assert rvr.fields["nonce"] == nonce


@req("R8995-REG-036", "R8995-REG-049")
def test_request_without_nonce_is_refused(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.request_voucher(pledge.pvr(nonce=None)), (400, 403))


@req("R8995-REG-054")
def test_voucher_only_leaves_in_a_request_change_nothing(fake_site, fake_masa):
    with fake_site.peer(fake_site.device()) as pledge:
        pvr = pledge.pvr(pinned_domain_cert="AAAA", last_renewal_date="2020-01-01T00:00:00Z",
                         domain_cert_revocation_checks=True)
        assert pledge.request_voucher(pvr).status == 200
    rvr = forge.read(fake_masa.seen("/requestvoucher")[-1].body)
    assert not {"pinned-domain-cert", "last-renewal-date",
                "domain-cert-revocation-checks"} & set(rvr.fields)


@req("ENC-ALL-015", "ENC-ALL-023", "ENC-ALL-024")
def test_unknown_members_in_a_request_change_nothing(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        pvr = pledge.pvr(**{"x-test": 1, "extension:foo": {"a": [1, 2]}, "extensions": ["foo"],
                            "manufacturer-proprietary": "AAAA"})
        assert pledge.request_voucher(pvr).status == 200


@req("R8995-PLG-024")
def test_idevid_issuer_in_a_request_is_ignored(fake_site, fake_masa):
    device = fake_site.device()
    with fake_site.peer(device) as pledge:
        assert pledge.request_voucher(pledge.pvr(idevid_issuer=forge.b64(b"nonsense"))).status == 200
    rvr = forge.read(fake_masa.seen("/requestvoucher")[-1].body)
    assert base64.b64decode(rvr.fields["idevid-issuer"]) == forge.aki_tlv(device.identity.cert)


# -- signed containers that are not what they should be

@req("ENC-ALL-002")
def test_id_data_content_type_is_accepted(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        assert pledge.request_voucher(pledge.pvr(cms={"content_type": cms.ID_DATA})).status == 200


@req("ENC-ALL-001", "ENC-ALL-003", "ENC-ALL-004", "R8995-REG-011")
@pytest.mark.parametrize("container", forge.CONTAINERS)
def test_container_that_is_not_right_is_refused(fake_site, fake_masa, container):
    with fake_site.peer(fake_site.device()) as pledge:
        reply = pledge.request_voucher(pledge.pvr(cms={"container": container}))
        if container == "no certificate of the signer" and reply.status == 200:
            return  # the TLS client certificate stands in for it
        assert_refused(reply, (400, 403))
    assert not fake_masa.requests


@req("ENC-ALL-001")
def test_octets_after_the_container_are_400(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.request_voucher(pledge.pvr() + b"\0" * 10), 400)


@req("ENC-ALL-016")
def test_base64_body_is_400(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.request_voucher(est_body(pledge.pvr())), 400)


@req("ENC-ALL-017")
def test_content_transfer_encoding_header_is_ignored(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        headers = [("Content-Transfer-Encoding", "base64")]
        assert pledge.request_voucher(headers=headers).status == 200


# -- the request to the MASA

@req("R8995-REG-025", "R8995-REG-027", "R8995-REG-029", "R8995-REG-030", "R8995-REG-031",
     "R8995-REG-032", "R8995-REG-033", "R8995-REG-034", "ENC-ALL-001", "ENC-ALL-002", "ENC-ALL-003",
     "ENC-ALL-005", "ENC-ALL-007", "ENC-ALL-008", "ENC-ALL-016")
def test_the_request_to_the_masa_is_what_the_standards_say(fake_site, fake_masa, domain):
    device = fake_site.device()
    with fake_site.peer(device) as pledge:
        pvr = pledge.pvr()
        assert pledge.request_voucher(pvr).status == 200
    request = fake_masa.seen("/.well-known/brski/requestvoucher")[-1]
    assert request.header("content-type").split(";")[0] == CMS_TYPE
    assert request.header("x-request-id") == pledge.exchange
    assert request.header("content-transfer-encoding") is None
    rvr = forge.read(request.body)
    assert rvr.top == "ietf-voucher-request:voucher"
    assert rvr.content_type == "1.2.840.113549.1.9.16.1.40" and rvr.version == 3
    fields = rvr.fields
    age = forge.parse_time(fields["created-on"]) - datetime.datetime.now(datetime.timezone.utc)
    assert abs(age.total_seconds()) < 30
    assert fields["serial-number"] == device.serial
    assert fields["assertion"] == "proximity"
    assert base64.b64decode(fields["idevid-issuer"], validate=True) == forge.aki_tlv(device.identity.cert)
    assert base64.b64decode(fields["prior-signed-voucher-request"], validate=True) == pvr
    assert "proximity-registrar-cert" not in fields
    registrar = forge.load_certs(domain.registrar_dir / "registrar.crt")
    assert rvr.signer == registrar[0]
    assert forge.ekus(rvr.signer) >= {"1.3.6.1.5.5.7.3.28", "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"}
    assert set(map(forge.der, rvr.certs)) <= {forge.der(c) for c in registrar} | {
        forge.der(c) for c in forge.load_certs(domain.file("root.crt"))}
    assert forge.der(registrar[1]) in map(forge.der, rvr.certs), "the issuing CA may be pinned"


@req("R8995-REG-017", "ENC-ALL-006", "R8995-REG-035")
@pytest.mark.parametrize("content_type", [cms.JSON_VOUCHER, cms.ID_DATA])
def test_voucher_reaches_the_pledge_octet_for_octet(fake_site, fake_masa, content_type):
    fake_masa.cms = {"content_type": content_type}  # SignedData version 3 and 1
    with fake_site.peer(fake_site.device()) as pledge:
        reply = pledge.request_voucher()
        assert (reply.status, reply.media_type) == (200, CMS_TYPE)
        assert reply.body == fake_masa.vouchers[-1]
        assert forge.read(reply.body).fields["nonce"] == pledge.nonce


@req("R8995-REG-019", "R8995-REG-016")
def test_identical_request_is_answered_again_without_asking_the_masa_twice(fake_site, fake_masa):
    with fake_site.peer(fake_site.device()) as pledge:
        pvr = pledge.pvr()
        first, second = pledge.request_voucher(pvr), pledge.request_voucher(pvr)
        assert first.status == second.status == 200
        assert first.body == second.body
        assert len(fake_masa.seen("/requestvoucher")) == 1
        third = pledge.request_voucher(pledge.pvr())
        assert third.status == 200 and third.body != first.body
        assert forge.read(third.body).fields["nonce"] == pledge.nonce
    assert len(fake_masa.seen("/requestvoucher")) == 2


@req("ENC-ALL-026", "ET-09")
def test_the_whole_exchange_fits_one_connection(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        certificate, key = pledge.join()
        assert pledge.cacerts().status == 200
        assert certificate.public_key().public_numbers() == key.public_key().public_numbers()


# -- the MASA's address

MASA_URLS = {  # how the extension's text leads to the fake MASA
    "localhost:{port}": "/.well-known/brski/requestvoucher",
    "127.0.0.1:{port}": "/.well-known/brski/requestvoucher",
    "https://localhost:{port}": "/.well-known/brski/requestvoucher",
    "https://localhost:{port}/": "/.well-known/brski/requestvoucher",
    "https://localhost:{port}/.well-known/brski/": "/.well-known/brski/requestvoucher",
    "https://localhost:{port}/base": "/base/requestvoucher",
    "localhost:{port}/base": "/base/requestvoucher",
    "https://localhost:{port}/" + "long/" * 30: "/" + "long/" * 30 + "requestvoucher",
}


@req("R8995-REG-020")
@pytest.mark.parametrize("url", MASA_URLS)
def test_masa_url_leads_to_the_masa(fake_site, fake_masa, cell, acme, url):
    identity = forge.idevid(cell, f"TEST-URL-{len(url)}-{hash(url) % 10**6}",
                            url.format(port=fake_masa.port), acme)
    with fake_site.peer(identity) as pledge:
        reply = pledge.request_voucher()
        assert reply.status == 200, reply.text
    assert fake_masa.requests[-1].path in (MASA_URLS[url], "/.well-known/brski/requestauditlog",
                                           MASA_URLS[url].replace("requestvoucher", "requestauditlog"))
    assert fake_masa.seen(MASA_URLS[url])


@req("R8995-REG-020", "R8995-REG-021")
@pytest.mark.parametrize("url", ["http://localhost:{port}/", "ldap://localhost:{port}/",
                                 "https://user:pw@localhost:{port}/", "https://localhost:{port}/#x",
                                 "local host:{port}", "", None])
def test_masa_url_that_is_not_https_or_malformed_is_refused(fake_site, fake_masa, cell, acme, url):
    text_of = url.format(port=fake_masa.port) if url else url
    identity = forge.idevid(cell, f"TEST-BADURL-{hash(url) % 10**6}", text_of, acme)
    with fake_site.peer(identity) as pledge:
        assert_refused(pledge.request_voucher(), (403, 404))
    assert not fake_masa.requests and not fake_masa.handshake_errors


@req("R8995-REG-020")
@pytest.mark.parametrize("encoding", ["utf8", "printable", "visible", "raw"])
def test_masa_url_of_another_string_type_is_refused(fake_site, fake_masa, cell, acme, encoding):
    identity = forge.idevid(cell, f"TEST-{encoding}", f"localhost:{fake_masa.port}", acme,
                            masa_url_encoding=encoding)
    with fake_site.peer(identity) as pledge:
        assert_refused(pledge.request_voucher(), (403, 404))
    assert not fake_masa.requests


@req("R8995-REG-020")
def test_critical_masa_url_is_refused(fake_site, fake_masa, cell, acme):
    identity = forge.idevid(cell, "TEST-CRITICAL", f"localhost:{fake_masa.port}", acme, critical=True)
    with fake_site.peer(identity) as pledge:
        assert_refused(pledge.request_voucher(), (403, 404))
    assert not fake_masa.requests


@req("R8995-REG-022", "A-02")
def test_masa_with_a_certificate_for_another_name_never_gets_the_request(fake_site, acme, place):
    from brski_peer.masa import FakeMasa
    out = place / "misnamed"
    harness.run(harness.program("brski-certs"), "masa", "--ca", acme.directory, "--out", out,
                "--san", "DNS:masa.invalid", check=0)
    with FakeMasa(acme.directory, certificate=out / "masa-tls.crt", key=out / "masa-tls.key") as masa:
        device = fake_site.device(masa_url=f"localhost:{masa.port}")
        with fake_site.peer(device) as pledge:
            assert_refused(pledge.request_voucher(), 502)
        assert not masa.requests


@req("R8995-REG-022", "A-02")
def test_masa_under_another_anchor_never_gets_the_request(fake_site, acme, stranger):
    from brski_peer.masa import FakeMasa
    masa_dir = stranger.directory / "masa"
    with FakeMasa(acme.directory, certificate=masa_dir / "masa-tls.crt",
                  key=masa_dir / "masa-tls.key") as masa:
        device = fake_site.device(masa_url=f"localhost:{masa.port}")
        with fake_site.peer(device) as pledge:
            assert_refused(pledge.request_voucher(), 502)
        assert not masa.requests


@req("R8995-REG-022", "A-02")
def test_the_masa_is_called_by_its_name(fake_site, fake_masa):
    fake_masa.server_names.clear()
    with fake_site.peer(fake_site.device(masa_url=f"localhost:{fake_masa.port}")) as pledge:
        assert pledge.request_voucher().status == 200
    # the connection may be older than this test: then its name was seen at its handshake
    assert set(fake_masa.server_names) <= {"localhost"}


# -- 12. what the MASA answers

@req("R8995-REG-018")
@pytest.mark.parametrize("said, told", [(400, (502,)), (401, (502, 503)), (403, (403,)), (404, (404,)),
                                        (406, (406, 502)), (415, (502, 415)), (500, (502, 503)),
                                        (503, (503, 202)), (200, (502,)), (301, (502,))])
def test_masa_status_is_mapped(fake_site, fake_masa, said, told):
    fake_masa.answer = lambda _r: text(said, "Not for you.\n")
    with fake_site.peer(fake_site.device()) as pledge:
        reply = pledge.request_voucher()
        if reply.status != 202:
            assert_refused(reply, told)
        if reply.status in (503, 202):
            assert int(reply.header("retry-after")) >= 1


@req("R8995-REG-018")
def test_masa_202_keeps_the_request_pending(fake_site, fake_masa):
    fake_masa.answer = lambda _r: Answer(202, headers=[("Retry-After", "1")])
    with fake_site.peer(fake_site.device()) as pledge:
        pvr = pledge.pvr()
        reply = pledge.request_voucher(pvr)
        assert reply.status == 202 and int(reply.header("retry-after")) >= 1
        fake_masa.answer = None
        harness.wait_until(lambda: pledge.request_voucher(pvr).status == 200, "the voucher")


@req("R8995-REG-018")
def test_masa_that_hangs_up_is_502_or_503(fake_site, fake_masa):
    fake_masa.answer = lambda _r: None
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.request_voucher(), (502, 503))


@req("R8995-REG-018")
def test_masa_that_does_not_answer_in_time_is_504(fake_site, fake_masa):
    fake_masa.delay = 30
    with fake_site.peer(fake_site.device()) as pledge:
        began = time.monotonic()
        reply = pledge.request_voucher()
        assert time.monotonic() - began < 10
        if reply.status != 202:
            assert_refused(reply, 504)


@req("R8995-REG-018")
def test_masa_that_is_down_is_503_with_retry_after(fake_site):
    device = fake_site.device(masa_url=f"localhost:{harness.free_port()}")
    with fake_site.peer(device) as pledge:
        reply = assert_refused(pledge.request_voucher(), (502, 503))
        if reply.status == 503:
            assert int(reply.header("retry-after")) >= 1


@req("R8995-REG-037", "R8995-REG-018")
@pytest.mark.parametrize("lie", ["nonce", "serial", "pin", "signer", "garbage", "no-pin", "type"])
def test_voucher_of_a_lying_masa_is_not_relayed(fake_site, fake_masa, stranger, other_domain, lie):
    foreign = forge.load_certs(other_domain.file("issuing.crt"))[0]
    lies = {
        "nonce": lambda f: dict(f, nonce=forge.b64(bytes(16))),
        "serial": lambda f: dict(f, **{"serial-number": "TEST-SOMEBODY-ELSE"}),
        "pin": lambda f: dict(f, **{"pinned-domain-cert": forge.b64(forge.der(foreign))}),
        "no-pin": lambda f: {k: v for k, v in f.items() if k != "pinned-domain-cert"},
    }
    fake_masa.lie = lies.get(lie)
    if lie == "signer":
        masa = stranger.directory / "masa"
        fake_masa.signer = forge.load(masa / "masa-signer.key", masa / "masa-signer.crt")
    if lie == "garbage":
        fake_masa.answer = lambda _r: Answer(200, b"\x30\x03abc", CMS_TYPE)
    if lie == "type":
        fake_masa.answer = lambda _r: Answer(200, b"<html>", "text/html")
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.request_voucher(), 502)
        refusal_in_log(fake_site.registrar, pledge)
        # and no certificate either
        assert_refused(pledge.enroll()[0], (401, 403))


@req("R8995-REG-018")
def test_empty_200_of_a_masa_never_becomes_a_200(fake_site, fake_masa):
    fake_masa.answer = lambda _r: Answer(200, b"", CMS_TYPE)
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.request_voucher(), 502)


@req("R8995-REG-018")
def test_oversized_answer_of_a_masa_is_502(fake_site, fake_masa):
    fake_masa.answer = lambda _r: Answer(200, b"\x30" * 5_000_000, CMS_TYPE)
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.request_voucher(), 502)


# -- 13. history

@req("R8995-REG-040", "R8995-REG-043")
def test_audit_log_is_asked_for_with_the_same_octets(fake_site, fake_masa):
    with fake_site.peer(fake_site.device()) as pledge:
        assert pledge.request_voucher().status == 200
        pledge.voucher_status()
    rvr = fake_masa.seen("/requestvoucher")[-1]
    log = fake_masa.wait_seen("/requestauditlog")[-1]
    assert log.body == rvr.body
    assert log.header("content-type") == rvr.header("content-type")


@req("R8995-REG-042", "R8995-REG-055", "R8995-REG-057")
def test_foreign_domain_in_the_history_is_406_and_no_est(fake_site, fake_masa):
    fake_masa.audit = fake_masa.foreign_history
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.request_voucher(), 406)
        assert_refused(pledge.enroll()[0], 403)
        refusal_in_log(fake_site.registrar, pledge)


@req("R8995-REG-042", "R8995-REG-049")
def test_nonceless_entry_in_the_history_is_refused_by_default(fake_site, fake_masa):
    def audit(serial):
        log = fake_masa.own_history(serial)
        log["events"].insert(0, dict(log["events"][0], nonce=None))
        return log
    fake_masa.audit = audit
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.request_voucher(), 406)


@req("R8995-REG-044")
def test_audit_log_of_another_dialect_is_read(fake_site, fake_masa):
    def audit(serial):
        log = fake_masa.own_history(serial)
        events = [dict({k: v for k, v in e.items() if k not in ("domainID", "assertion")},
                       registrarID=e["domainID"], truncated="0", extra={"x": 1})
                  for e in log["events"]]
        return {"version": "2", "events": events, "truncation": {"nonced duplicates": "0"}, "y": []}
    fake_masa.audit = audit
    with fake_site.peer(fake_site.device()) as pledge:
        reply = pledge.request_voucher()
        assert reply.status == 200, reply.text


@req("R8995-REG-041")
@pytest.mark.parametrize("absolute", [True, False])
def test_audit_log_by_location_is_fetched(fake_site, fake_masa, absolute):
    fake_masa.history_by_location(f"https://localhost:{fake_masa.port}" if absolute else "")
    device = fake_site.device()
    with fake_site.peer(device) as pledge:
        reply = pledge.request_voucher()
        assert reply.status == 200, reply.text
    assert fake_masa.wait_seen(f"/log/{device.serial}")[-1].method == "GET"


@req("R8995-REG-041")
@pytest.mark.parametrize("location", ["https://127.0.0.2:{port}", "http://localhost:{port}",
                                      "file:///etc/passwd?"])
def test_audit_location_elsewhere_is_not_followed(fake_site, fake_masa, location):
    fake_masa.history_by_location(location.format(port=fake_masa.port))
    with fake_site.peer(fake_site.device()) as pledge:
        assert pledge.request_voucher().status in (200, 406, 502, 503)
    assert not [r for r in fake_masa.requests if r.path.startswith("/log/")]


@req("R8995-REG-040", "R8995-REG-041")
@pytest.mark.parametrize("answer", ["404", "garbage", "empty", "deep", "huge"])
def test_bad_audit_answer_is_logged_and_survived(fake_site, fake_masa, answer):
    bodies = {"garbage": b"{", "empty": b"", "huge": b'{"version":1,"events":[' + b" " * 2_000_000,
              "deep": b'{"version":1,"events":' + b"[" * 10_000}
    if answer == "404":
        fake_masa.audit = lambda _s: text(404, "Not you.\n")
    else:
        fake_masa.audit = lambda _s: Answer(200, bodies[answer], "application/json")
    with fake_site.peer(fake_site.device()) as pledge:
        reply = pledge.request_voucher()
        assert reply.status in (200, 406, 502, 503), reply.text
        fake_site.registrar.wait_log(rf"exchange=\"?{pledge.exchange}.*(histor|audit)")


# -- telemetry

@req("R8995-REG-038")
def test_voucher_status_is_200_and_its_content_logged(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        assert pledge.request_voucher().status == 200
        assert pledge.voucher_status(True).status == 200
        reply = pledge.report("voucher_status", {
            "version": 2, "status": False, "reason": "voucher marked in red",
            "reason-context": {"additional": "JSON"}, "new-member": 1})
        assert reply.status == 200
        line = fake_site.registrar.wait_log("voucher marked in red")
        assert pledge.exchange in line
        fake_site.registrar.wait_log("new-member")


@req("R8995-REG-039")
def test_status_of_an_old_client_is_understood(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        assert pledge.request_voucher().status == 200
        body = b'{"version":"1","Status":"FALSE","Reason":"Informative human message from libest"}'
        assert pledge.report("voucher_status", body).status == 200
        fake_site.registrar.wait_log("Informative human message from libest")


@req("R8995-REG-038", "R8995-REG-048")
@pytest.mark.parametrize("path", ["voucher_status", "enrollstatus"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"version":1}', b'{"status":true}x',
                                  b'{"version":1,"status":"perhaps"}', b"{" * 5000, b"\xff\xfe",
                                  b'{"version":1,"status":true,"status":false}'])
def test_malformed_telemetry_is_400(fake_site, path, body):
    with fake_site.peer(fake_site.device()) as pledge:
        assert pledge.request_voucher().status == 200
        assert_refused(pledge.report(path, body), 400)


@req("R8995-REG-038")
def test_oversized_telemetry_is_413(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.report("voucher_status", b" " * 1_000_000), 413)


@req("R8995-REG-038")
def test_a_reason_cannot_forge_a_log_line(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        assert pledge.request_voucher().status == 200
        since = fake_site.registrar.log_size()
        assert pledge.voucher_status(False, reason="bad\nlevel=info event=forged.line").status == 200
        fake_site.registrar.wait_log("forged.line", since)
        assert not fake_site.registrar.lines(r"^\S*\s*(level=info )?event=forged.line", since)


@req("R8995-REG-048", "R8995-REG-056")
def test_enrollstatus_log_tells_ldevid_from_idevid(fake_site, cell):
    device = fake_site.device()
    with fake_site.peer(device) as pledge:
        certificate, key = pledge.join()
        since = fake_site.registrar.log_size()
        assert pledge.enrollstatus(False, reason="over the idevid").status == 200
        by_idevid = fake_site.registrar.wait_log("over the idevid", since)
    with fake_site.peer(forge.save(cell, "ldevid", key, [certificate])) as enrolled:
        assert enrolled.enrollstatus(True, reason="over the ldevid").status == 200
        by_ldevid = fake_site.registrar.wait_log("over the ldevid", since)
    assert "session=idevid" in by_idevid and "session=ldevid" in by_ldevid


# -- what the log must not hold

@req("R8995-REG-052")
def test_no_key_reaches_the_log(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        pledge.join()
    assert "PRIVATE KEY" not in fake_site.registrar.log()


# -- TLS

@req("R8995-REG-004", "ET-02", "ET-04", "ENC-ALL-025", "EK-08")
@pytest.mark.parametrize("options, works", [
    (["-tls1_2"], True), (["-tls1_3"], True),
    (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], False), (["-tls1", "-cipher", "ALL:@SECLEVEL=0"], False),
    (["-tls1_2", "-cipher", "aNULL:eNULL:@SECLEVEL=0"], False),
    (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], True)])
def test_tls_versions_and_suites(fake_site, options, works):
    done = harness.run("timeout", "10", "sh", "-c", 'exec openssl s_client -connect "$0" "$@" </dev/null',
                       f"127.0.0.1:{fake_site.registrar.port}", *options)
    assert ("-----BEGIN CERTIFICATE" in done.stdout) == works, done.stdout + done.stderr


@req("R8995-REG-005", "ET-12")
@pytest.mark.parametrize("sni", [None, "nonexistent.example", "127.0.0.1", "a" * 60 + ".example"])
def test_server_name_changes_nothing(fake_site, sni, domain):
    registrar = forge.load_certs(domain.registrar_dir / "registrar.crt")[0]
    with fake_site.peer(fake_site.device(), sni=sni) as pledge:
        assert pledge.registrar_der == forge.der(registrar)
        assert pledge.request_voucher().status == 200


@req("R8995-REG-006")
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_sessions_are_never_resumed(fake_site, cell, version):
    """A resumed session would bring no certificates for anybody to judge."""
    target = f"127.0.0.1:{fake_site.registrar.port}"
    harness.run("sh", "-c", f"openssl s_client -connect {target} {version} -sess_out {cell / 's'} </dev/null")
    again = ""
    if (cell / "s").exists():
        again = harness.run("sh", "-c", f"openssl s_client -connect {target} {version} -sess_in {cell / 's'} "
                            "</dev/null").stdout
    assert "Reused" not in again


@req("R8995-REG-034", "R8995-REG-045", "ET-14", "ET-03")
def test_registrar_certificate_has_its_usages_and_key_identifier(domain):
    certificate = forge.load_certs(domain.registrar_dir / "registrar.crt")[0]
    assert forge.ekus(certificate) >= {"1.3.6.1.5.5.7.3.28", "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"}
    assert forge.ski(certificate)


@req("R8995-REG-001", "ET-01")
def test_plain_http_gets_no_est_answer(fake_site):
    import socket
    with socket.create_connection(("127.0.0.1", fake_site.registrar.port), timeout=5) as s:
        s.sendall(b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: x\r\n\r\n")
        s.settimeout(5)
        try:
            said = s.recv(4096)
        except OSError:
            said = b""
    assert b"200" not in said.split(b"\r\n")[0]


@req("R8995-REG-015")
def test_second_connection_with_the_same_certificates_goes_on(fake_site):
    device = fake_site.device()
    with fake_site.peer(device) as pledge:
        assert pledge.request_voucher().status == 200
        assert pledge.voucher_status().status == 200
    with fake_site.peer(device) as again:
        reply, _ = again.enroll()
        assert reply.status == 200, reply.text


@req("R8995-REG-059")
def test_second_bootstrap_of_an_enrolled_device_is_noticed(fake_site, fake_masa):
    device = fake_site.device()
    with fake_site.peer(device) as pledge:
        pledge.join()
        assert pledge.enrollstatus().status == 200
    before = len(fake_masa.seen("/requestauditlog"))
    since = fake_site.registrar.log_size()
    with fake_site.peer(device) as again:
        assert again.request_voucher().status == 200
        again.voucher_status()
    fake_masa.wait_seen("/requestauditlog", before + 1)
    fake_site.registrar.wait_log(rf"(warn|alert).*{device.serial}|{device.serial}.*(again|second|already)",
                                 since)


# -- policies by manufacturer: one registrar, several manufacturers

@pytest.fixture(scope="module")
def policies(place, lab, domain, masa_fake_server):
    """A registrar where each manufacturer is admitted in another way."""
    from places import Site
    makers = {name: harness.Manufacturer(lab / f"maker-{name}", name)
              for name in ("Holdco", "Listed", "Oldtimer", "Override")}
    directory = place / "policies"
    directory.mkdir()
    (directory / "serials.txt").write_text("LISTED-1\nLISTED-2\n")
    # all these makers' MASAs are the one fake MASA: its TLS certificate is Acme's
    from brski_peer.forge import load_certs  # noqa: F401
    acme_root = lab / "acme" / "root.crt"
    changes = {f"manufacturer {n}": {"masa_anchors": acme_root} for n in makers}
    changes["manufacturer Holdco"]["admit"] = "hold"
    changes["manufacturer Listed"].update(admit="listed", serials=directory / "serials.txt")
    changes["manufacturer Oldtimer"].update(expired_idevid="accept")
    changes["manufacturer Override"].update(masa_url=f"localhost:{masa_fake_server.port}",
                                            serial_from="cn")
    changes["audit"] = {"check": "after-status"}
    registrar = harness.Registrar(directory, domain, makers.values(), changes=changes)
    with harness.running(registrar):
        site = Site(place / "policies", makers["Holdco"], domain, masa_fake_server, registrar)
        site.makers = makers
        yield site


@req("R8995-REG-016", "EE-13")
def test_held_device_gets_202_then_its_voucher_after_approval(policies, fake_masa):
    device = policies.device()
    with policies.peer(device) as pledge:
        pvr = pledge.pvr()
        reply = pledge.request_voucher(pvr)
        assert reply.status == 202
        assert int(reply.header("retry-after")) >= 1
        assert pledge.request_voucher(pvr).status == 202
        assert not fake_masa.requests, "nobody asks a MASA about a device that is not admitted"
        claims = [c for c in policies.registrar.claims("pending")
                  if c.get("serial", c.get("serial_number")) == device.serial]
        assert len(claims) == 1
        policies.registrar.ctl("claims", "approve", device.serial)
        reply = harness.wait_until(lambda: (lambda r: r if r.status != 202 else None)(
            pledge.request_voucher(pvr)), "the voucher after approval")
        assert reply.status == 200, reply.text
        assert forge.read(reply.body).fields["nonce"] == pledge.nonce
    assert len(fake_masa.seen("/requestvoucher")) == 1


@req("R8995-REG-015", "R8995-REG-016")
def test_held_request_resumes_on_another_connection_of_the_same_device_only(policies, fake_masa):
    device = policies.device()
    with policies.peer(device) as pledge:
        pvr = pledge.pvr()
        assert pledge.request_voucher(pvr).status == 202
    policies.registrar.ctl("claims", "approve", device.serial)
    with policies.peer(policies.device()) as thief:
        assert_refused(thief.request_voucher(pvr), 403)
    with policies.peer(device) as again:
        reply = harness.wait_until(lambda: (lambda r: r if r.status != 202 else None)(
            again.request_voucher(pvr)), "the voucher")
        assert reply.status == 200


@req("R8995-REG-012")
def test_rejected_device_is_404(policies, fake_masa):
    device = policies.device()
    with policies.peer(device) as pledge:
        assert pledge.request_voucher().status == 202
        policies.registrar.ctl("claims", "reject", device.serial, "--reason", "not ours")
        assert_refused(pledge.request_voucher(), 404)
        assert "not ours" not in pledge.request_voucher().text
    assert not fake_masa.requests


@req("R8995-REG-012", "R8995-REG-058")
def test_serial_not_on_the_list_is_refused_and_one_on_it_joins(policies, fake_masa):
    from places import Device
    listed = Device(policies.makers["Listed"], policies.masa_url, serial="LISTED-1")
    with policies.peer(listed) as pledge:
        assert pledge.request_voucher().status == 200
    fake_masa.requests.clear()
    other = Device(policies.makers["Listed"], policies.masa_url)
    with policies.peer(other) as pledge:
        assert_refused(pledge.request_voucher(), (403, 404))
    assert not fake_masa.requests


@req("R8995-REG-007")
def test_expired_idevid_joins_where_the_manufacturer_is_allowed_to(policies, cell):
    identity = forge.idevid(cell, "OLD-1", policies.masa_url, policies.makers["Oldtimer"], expired=True)
    with policies.peer(identity) as pledge:
        assert pledge.request_voucher().status in (200, 202)


@req("R8995-REG-008", "R8995-REG-023")
def test_serial_from_the_common_name_and_masa_by_override(policies, cell, fake_masa):
    identity = forge.idevid(cell, None, "masa.invalid", policies.makers["Override"], cn="CN-SERIAL-1")
    policies.registrar.ctl("status")
    with policies.peer(identity) as pledge:
        pvr = pledge.pvr(serial_number="CN-SERIAL-1")
        reply = pledge.request_voucher(pvr)
        assert reply.status == 200, reply.text
    rvr = forge.read(fake_masa.seen("/requestvoucher")[-1].body)
    assert rvr.fields["serial-number"] == "CN-SERIAL-1"


@req("R8995-REG-057", "R8995-REG-042", "EA-05")
def test_history_found_bad_after_the_voucher_stops_est(policies, fake_masa):
    """audit check = after-status: the voucher is out, then the foreign owner shows up."""
    from places import Device
    fake_masa.audit = fake_masa.foreign_history
    device = Device(policies.makers["Listed"], policies.masa_url, serial="LISTED-2")
    with policies.peer(device) as pledge:
        assert pledge.request_voucher().status == 200
        since = policies.registrar.log_size()
        assert pledge.voucher_status().status == 200
        fake_masa.wait_seen("/requestauditlog")
        policies.registrar.wait_log(rf"histor.*{device.serial}", since)
        harness.wait_until(lambda: pledge.enroll()[0].status == 403, "EST refused")


@req("R8995-REG-024", "R8995-REG-052", "A-03")
def test_masa_is_shown_a_certificate_and_a_password_where_configured(lab, cell, acme, stranger, domain):
    from brski_peer.masa import FakeMasa
    from places import Site
    (cell / "password").write_text("correct horse\n")
    changes = {"manufacturer Acme": {"masa_user": "site-7", "masa_password": cell / "password"},
               "manufacturer Stranger": {"masa_anchors": acme.anchors, "masa_certificate": "no"}}
    registrar = harness.Registrar(cell / "registrar", domain, [acme, stranger], changes=changes)
    with FakeMasa(acme.directory, client_anchors=[domain.file("root.crt")]) as masa:
        with harness.running(registrar):
            here = Site(cell, acme, domain, masa, registrar)
            with here.peer(here.device()) as pledge:
                assert pledge.request_voucher().status == 200
            shown = masa.seen("/requestvoucher")[-1]
            assert shown.peer_der == forge.der(forge.load_certs(registrar.certificate)[0])
            assert shown.header("authorization") == "Basic " + forge.b64(b"site-7:correct horse")
            with here.peer(here.device(manufacturer=stranger)) as pledge:
                assert pledge.request_voucher().status == 200
            plain = masa.seen("/requestvoucher")[-1]
            assert plain.peer_der is None and plain.header("authorization") is None
            assert "correct horse" not in registrar.log()
            assert forge.b64(b"site-7:correct horse") not in registrar.log()


@req("R8995-REG-024", "R8995-REG-018")
def test_masa_that_wants_a_password_nobody_gave_is_a_clean_failure(fake_site, fake_masa):
    fake_masa.answer = lambda _r: text(401, "Who?\n", headers=[("WWW-Authenticate", 'Basic realm="m"')])
    with fake_site.peer(fake_site.device()) as pledge:
        reply = assert_refused(pledge.request_voucher(), (502, 503))
        assert reply.header("www-authenticate") is None
        refusal_in_log(fake_site.registrar, pledge)
    assert len(fake_masa.seen("/requestvoucher")) == 1


@req("R8995-REG-042", "R8995-REG-044")
def test_history_is_only_warned_about_where_the_operator_says_so(cell, acme, domain, fake_masa):
    from places import Site
    registrar = harness.Registrar(cell / "registrar", domain, [acme],
                                  changes={"audit": {"foreign_domain": "warn"}})
    fake_masa.audit = fake_masa.foreign_history
    with harness.running(registrar):
        here = Site(cell, acme, domain, fake_masa, registrar)
        with here.peer(here.device()) as pledge:
            assert pledge.request_voucher().status == 200
            registrar.wait_log(rf"histor.*exchange=\"?{pledge.exchange}")


@req("R8995-REG-040", "R8995-REG-042")
def test_history_is_not_asked_for_where_it_is_off(cell, acme, domain, fake_masa):
    from places import Site
    registrar = harness.Registrar(cell / "registrar", domain, [acme], changes={"audit": {"check": "off"}})
    with harness.running(registrar):
        here = Site(cell, acme, domain, fake_masa, registrar)
        with here.peer(here.device()) as pledge:
            pledge.join()
    assert not fake_masa.seen("/requestauditlog")


# -- the admin socket

@req("R8995-REG-012")
def test_approving_an_unknown_claim_says_not_found(policies):
    assert policies.registrar.ctl("claims", "approve", "NO-SUCH-SERIAL", check=None).returncode == 3


def test_status_is_json_on_request(policies):
    assert json.loads(policies.registrar.ctl("status", "-o", "json", check=None).stdout or "{}") is not None


def test_admin_routes_are_not_on_the_device_listener(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        for path in ("/api/v1/claims", "/api/v1/status", "/api/v1/devices"):
            assert_refused(pledge.connection.get(path), 404)


def test_admin_tool_says_when_the_daemon_is_away(cell):
    done = harness.run(harness.program("registrarctl"), "-s", cell / "nobody.sock", "status")
    assert done.returncode == 6
