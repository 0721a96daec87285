# SPDX-License-Identifier: Apache-2.0
"""The registrar as EST server (RFC 7030, RFC 8951): enrolment, its dialects and its refusals."""
import base64
import binascii
import contextlib
import datetime
import email

import pytest
from asn1crypto import cms as asn1_cms
from cryptography import x509
from cryptography.hazmat.primitives import serialization

import harness
from brski_peer import certs, forge
from brski_peer.pledge import (EST, certs_of, corrupt_csr_signature, est_body, make_csr, new_key,
                               pem_body)
from test_registrar import assert_refused

req = pytest.mark.req

CERTS_ONLY = "application/pkcs7-mime"


@contextlib.contextmanager
def admitted(site, device=None, **more):
    """A device with its voucher, still on the same connection."""
    with site.peer(device or site.device(), **more) as pledge:
        reply = pledge.request_voucher()
        assert reply.status == 200, reply.text
        assert pledge.voucher_status().status == 200
        yield pledge


@contextlib.contextmanager
def enrolled(site, cell, device=None, **more):
    """A connection with a fresh LDevID."""
    with admitted(site, device) as pledge:
        certificate, key = pledge.join()
    identity = forge.save(cell, "ldevid", key, [certificate])
    with site.peer(identity, **more) as client:
        yield client


def issued(reply):
    assert reply.status == 200, (reply.status, reply.text)
    found = certs_of(reply)
    assert len(found) == 1, "only the issued certificate"
    return found[0]


# -- cacerts

def assert_plain_certs_only(reply):
    """A degenerate SignedData in base64; returns its certificates."""
    assert reply.status == 200
    assert reply.media_type == CERTS_ONLY
    assert b"-----" not in reply.body
    der = base64.b64decode(b"".join(reply.body.split()), validate=True)
    info = asn1_cms.ContentInfo.load(der, strict=True)
    data = info["content"]
    assert data["version"].native == "v1"
    assert len(data["signer_infos"]) == 0 and len(data["digest_algorithms"]) == 0
    assert data["encap_content_info"]["content_type"].native == "data"
    assert data["encap_content_info"]["content"].native is None
    return certs_of(reply)


@req("EA-07", "ET-11", "ET-05", "R8995-REG-050", "ECA-01", "ECA-02", "ECA-03")
def test_cacerts_needs_no_client_certificate(fake_site):
    with fake_site.peer(None) as nobody:
        assert_plain_certs_only(nobody.cacerts())


@req("EA-07", "ET-11", "ER-01")
def test_csrattrs_needs_no_client_certificate(fake_site):
    with fake_site.peer(None) as nobody:
        assert nobody.csrattrs().status in (200, 204, 404)


@req("ECA-07", "ECA-09")
def test_cacerts_hold_the_root_and_all_that_chains_need(fake_site):
    with admitted(fake_site) as pledge:
        reply, _ = pledge.enroll()
        leaf = issued(reply)
        bag = assert_plain_certs_only(pledge.cacerts())
    chain, found = [leaf], True
    while found and chain[-1].issuer != chain[-1].subject:
        found = [c for c in bag if c.subject == chain[-1].issuer]
        assert found, f"nobody named {chain[-1].issuer} in cacerts"
        chain.append(found[0])
    for child, parent in zip(chain, chain[1:] + chain[-1:]):
        child.verify_directly_issued_by(parent) if hasattr(child, "verify_directly_issued_by") else \
            parent.public_key().verify(child.signature, child.tbs_certificate_bytes,
                                       _ecdsa(child))


def _ecdsa(certificate):
    from cryptography.hazmat.primitives.asymmetric import ec
    return ec.ECDSA(certificate.signature_hash_algorithm)


# -- who may enrol

@req("R8995-REG-047", "EA-06", "EA-05", "R8995-REG-049")
def test_idevid_without_a_voucher_is_403(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.enroll()[0], 403)


@req("EA-06", "R8995-REG-006", "ET-11", "R8995-REG-049")
@pytest.mark.parametrize("operation", ["simpleenroll", "simplereenroll", "serverkeygen"])
def test_nobody_enrols_without_a_client_certificate(fake_site, operation):
    body = est_body(make_csr(new_key(), certs.name("x", "TEST-NOBODY")))
    with fake_site.peer(None) as nobody:
        reply = assert_refused(nobody.post_csr(body, operation), (401, 403))
        assert reply.status == 403 or reply.header("www-authenticate")


@req("R8995-REG-047", "EA-05")
def test_idevid_of_an_unknown_manufacturer_does_not_enrol(fake_site, stranger):
    with fake_site.peer(fake_site.device(manufacturer=stranger)) as pledge:
        assert_refused(pledge.enroll()[0], 403)


@req("R8995-REG-047")
def test_voucher_of_one_device_does_not_let_another_enrol(fake_site):
    with admitted(fake_site):
        with fake_site.peer(fake_site.device()) as other:
            assert_refused(other.enroll()[0], 403)


@req("R8995-REG-015", "EA-06")
def test_second_idevid_of_the_same_serial_does_not_enrol_on_the_first_ones_voucher(fake_site, cell, acme):
    device = fake_site.device()
    twin = forge.idevid(cell, device.serial, fake_site.masa_url, acme)
    with admitted(fake_site, device):
        with fake_site.peer(twin) as other:
            assert_refused(other.enroll()[0], 403)


@req("EA-01", "EE-01", "EE-02", "EE-07")
def test_enrolment_returns_only_the_certificate_for_the_key(fake_site, domain):
    device = fake_site.device()
    with admitted(fake_site, device) as pledge:
        reply, key = pledge.enroll()
        certificate = issued(reply)
        assert_plain_certs_only(reply)
    assert certificate.public_key().public_numbers() == key.public_key().public_numbers()
    ca = forge.load_certs(domain.file("issuing.crt"))[0]
    assert certificate.issuer == ca.subject
    assert certificate.not_valid_before <= datetime.datetime.utcnow() <= certificate.not_valid_after
    assert not forge.is_ca(certificate)
    assert device.serial in certificate.subject.rfc4514_string()


@req("EE-01")
@pytest.mark.parametrize("content_type", ["text/plain", "application/pkcs7-mime", None])
def test_enrolment_with_another_content_type_is_415(fake_site, content_type):
    with admitted(fake_site) as pledge:
        assert_refused(pledge.post_csr(est_body(pledge.csr()), content_type=content_type), (400, 415))


@req("EE-16")
def test_serial_of_another_device_in_the_subject_is_refused(fake_site):
    with admitted(fake_site) as pledge:
        body = est_body(pledge.csr(subject=certs.name("x", "TEST-OTHER-DEVICE")))
        assert_refused(pledge.post_csr(body), (400, 403))


@req("EE-16")
def test_no_certificate_ever_names_what_the_request_made_up(fake_site):
    """CA bits, names of others: the policy decides, not the request."""
    with admitted(fake_site) as pledge:
        extensions = [(x509.BasicConstraints(True, None), True),
                      (x509.ExtendedKeyUsage([certs.CMC_RA, certs.SERVER_AUTH]), False)]
        body = est_body(pledge.csr(extensions=extensions))
        reply = pledge.post_csr(body)
        if reply.status == 200:
            certificate = issued(reply)
            assert not forge.is_ca(certificate)
            assert not {"1.3.6.1.5.5.7.3.28", "1.3.6.1.5.5.7.3.1"} & forge.ekus(certificate)
        else:
            assert_refused(reply, (400, 403))


@req("EE-03")
def test_csr_with_a_broken_signature_is_400(fake_site):
    with admitted(fake_site) as pledge:
        assert_refused(pledge.post_csr(est_body(corrupt_csr_signature(pledge.csr()))), 400)


@req("EE-03")
def test_certificate_in_place_of_a_csr_is_400(fake_site):
    with admitted(fake_site) as pledge:
        root = certs.make_ca("Mine")
        assert_refused(pledge.post_csr(est_body(root.der)), 400)
        assert_refused(pledge.post_csr(certs.cert_pem(root.cert)), 400)


@req("EE-03")
@pytest.mark.parametrize("kind", ["rsa-1024", "ec-secp256k1"])
def test_weak_or_odd_key_is_400(fake_site, kind):
    with admitted(fake_site) as pledge:
        assert_refused(pledge.enroll(new_key(kind))[0], 400)


@req("ENC-ALL-025")
@pytest.mark.parametrize("kind", ["ec-p256", "ec-p384", "rsa-3072", "ed25519"])
def test_each_key_type_enrols(fake_site, kind):
    with admitted(fake_site) as pledge:
        reply, key = pledge.enroll(new_key(kind))
        public = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        assert issued(reply).public_key().public_bytes(*public) == key.public_key().public_bytes(*public)


@req("EE-15")
def test_same_csr_again_gets_the_same_certificate(fake_site):
    with admitted(fake_site) as pledge:
        body = est_body(pledge.csr())
        assert issued(pledge.post_csr(body)) == issued(pledge.post_csr(body))


# -- channel binding

@req("EE-04")
def test_right_tls_unique_is_accepted(fake_site):
    with admitted(fake_site, tls="1.2") as pledge:
        binding = forge.b64(pledge.connection.tls_unique)
        assert issued(pledge.enroll(challenge_password=binding)[0])


@req("EE-04")
def test_wrong_tls_unique_is_refused(fake_site):
    with admitted(fake_site, tls="1.2") as pledge:
        reply, _ = pledge.enroll(challenge_password=forge.b64(bytes(12)))
        assert_refused(reply, (400, 403))


@req("EE-05")
def test_wrong_tls_exporter_is_refused(fake_site):
    with admitted(fake_site, tls="1.3") as pledge:
        reply, _ = pledge.enroll(challenge_password=forge.b64(bytes(32)))
        assert_refused(reply, (400, 403))


@req("EE-04", "EE-05")
def test_binding_of_another_connection_is_refused(fake_site):
    device = fake_site.device()
    with admitted(fake_site, device, tls="1.2") as first:
        binding = forge.b64(first.connection.tls_unique)
    with admitted(fake_site, device, tls="1.2") as second:
        assert_refused(second.enroll(challenge_password=binding)[0], (400, 403))


@req("EE-06")
def test_tls_unique_without_extended_master_secret_is_refused(fake_site):
    import ssl
    from brski_peer.pledge import Pledge
    from brski_peer.wire import client_context
    device = fake_site.device()
    with admitted(fake_site, device):
        pass
    context = client_context(device.certificate, device.key, "1.2")
    context.options |= getattr(ssl, "OP_NO_EXTENDED_MASTER_SECRET", 1)
    with Pledge(fake_site.registrar.port, device.identity, context=context) as pledge:
        binding = forge.b64(pledge.connection.tls_unique)
        assert_refused(pledge.enroll(challenge_password=binding)[0], (400, 403))


@req("EE-05")
def test_right_tls_exporter_is_accepted(fake_site):
    """pyOpenSSL, because Python's ssl does not export keying material."""
    SSL = pytest.importorskip("OpenSSL.SSL", reason="python3-openssl is not installed")
    import socket
    device = fake_site.device()
    with admitted(fake_site, device):
        pass
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.use_certificate_chain_file(str(device.certificate))
    context.use_privatekey_file(str(device.key))
    raw = socket.create_connection(("127.0.0.1", fake_site.registrar.port), timeout=10)
    raw.setblocking(True)
    tls = SSL.Connection(context, raw)
    tls.set_connect_state()
    tls.do_handshake()
    binding = forge.b64(tls.export_keying_material(b"EXPORTER-Channel-Binding", 32, b""))
    body = est_body(make_csr(new_key(), device.identity.cert.subject, challenge_password=binding))
    tls.sendall(f"POST {EST}simpleenroll HTTP/1.1\r\nHost: x\r\nContent-Type: application/pkcs10\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    said = tls.recv(65536)
    raw.close()
    assert said.split(b" ", 2)[1] == b"200", said


# -- Content-Transfer-Encoding

ENCODING = "Content-Transfer-Encoding"


def answers(site):
    """What a device is answered over HTTPS from /cacerts to a key of the registrar's making."""
    with admitted(site) as pledge:
        yield pledge.cacerts()
        yield pledge.enroll()[0]
        csr = pledge.csr()
        yield pledge.post_csr(est_body(csr), "serverkeygen")


@req("ECA-05")
def test_the_encoding_is_not_named(site):
    for reply in answers(site):
        assert (reply.status, reply.header(ENCODING)) == (200, None)


@req("ECA-05")
def test_the_encoding_is_named_where_the_site_says_so(cell, acme, domain, site):
    """Of a message with parts each part names its own."""
    from places import Site
    registrar = harness.Registrar(cell / "naming", domain, [acme],
                                  changes={"est": {"transfer_encoding": "yes", "csrattrs": "ec-p256"}})
    with harness.running(registrar):
        naming = Site(cell, acme, domain, site.masa, registrar)
        with naming.peer() as anybody:
            assert anybody.csrattrs().header(ENCODING) == "base64"
        cacerts, certificate, mixed = answers(naming)
    assert (cacerts.header(ENCODING), certificate.header(ENCODING)) == ("base64", "base64")
    assert (mixed.status, mixed.header(ENCODING)) == (200, None)


# -- csrattrs

@pytest.fixture(scope="module")
def asking(place, acme, domain, masa_fake_server):
    """A registrar that asks for a challengePassword, a P-384 key and a subjectAltName; no
    serverkeygen."""
    from places import Site
    registrar = harness.Registrar(place / "asking", domain, [acme], changes={
        "est": {"csrattrs": "challengePassword ec-p384 san", "server_keygen": "no",
                "cacerts_open": "no"}})
    with harness.running(registrar):
        yield Site(place / "asking", acme, domain, masa_fake_server, registrar)


@req("ER-01", "R8995-REG-046", "ER-04", "ER-06")
def test_csrattrs_name_what_is_asked_for(asking, fake_masa):
    with asking.peer(asking.device()) as pledge:
        reply = pledge.csrattrs()
    assert (reply.status, reply.media_type) == (200, "application/csrattrs")
    der = base64.b64decode(b"".join(reply.body.split()), validate=True)
    assert der[0] == 0x30
    assert bytes.fromhex("06092a864886f70d010907") in der, "challengePassword"
    assert bytes.fromhex("06052b81040022") in der, "secp384r1"


@req("EE-18", "ER-04", "R8995-REG-046")
def test_csr_without_what_is_asked_for_is_400_naming_it(asking, fake_masa):
    san = "DNS:device.example"
    with admitted(asking, tls="1.2") as pledge:
        binding = forge.b64(pledge.connection.tls_unique)
        good = dict(challenge_password=binding, alt=san)
        missing = {
            "challengePassword": (new_key("ec-p384"), {"alt": san}),
            "key": (new_key("ec-p256"), good),
            "2.5.29.17": (new_key("ec-p384"), {"challenge_password": binding}),
        }
        for word, (key, more) in missing.items():
            assert word in assert_refused(pledge.enroll(key, **more)[0], 400).text
        reply, _ = pledge.enroll(new_key("ec-p384"), **good)
        assert issued(reply)


@req("EA-07", "EA-02")
def test_cacerts_can_be_closed(asking, fake_masa):
    with asking.peer(None) as nobody:
        reply = nobody.cacerts()
        assert reply.status in (401, 403)
    with asking.peer(asking.device()) as pledge:
        assert pledge.cacerts().status == 200


@req("EK-01", "EF-01")
def test_absent_operations_are_404(asking, fake_masa):
    with admitted(asking) as pledge:
        assert_refused(pledge.post_csr(est_body(pledge.csr()), "serverkeygen"), 404)
        assert_refused(pledge.connection.post(EST + "fullcmc", b"x", CERTS_ONLY), 404)


# -- method, path, size, form

@req("ET-08")
@pytest.mark.parametrize("method, operation, allow", [
    ("POST", "cacerts", "GET"), ("POST", "csrattrs", "GET"), ("GET", "simpleenroll", "POST"),
    ("GET", "simplereenroll", "POST"), ("GET", "serverkeygen", "POST")])
def test_wrong_method_is_405_with_allow(fake_site, method, operation, allow):
    with fake_site.peer(fake_site.device()) as pledge:
        body = b"" if method == "POST" else None
        reply = assert_refused(pledge.connection.request(method, EST + operation, body), 405)
        assert allow in [m.strip() for m in reply.header("allow").split(",")]


@req("ET-06")
@pytest.mark.parametrize("path", ["label/cacerts", "cacerts/x", "", "CACERTS"])
def test_unknown_label_or_operation_is_404(fake_site, path):
    with fake_site.peer(None) as nobody:
        assert_refused(nobody.connection.get(EST + path), 404)


@req("EE-17")
def test_enrolment_body_over_the_limit_is_413(fake_site):
    with admitted(fake_site) as pledge:
        assert_refused(pledge.post_csr(b"A" * 1024 * 1024), 413)


@req("ECA-06")
@pytest.mark.parametrize("body", [b"@@@@", b"A===", b"AAA", b"", b"=", b"MII", b"\0\0\0\0",
                                  b"MIIB" * 100, b"-----BEGIN CERTIFICATE REQUEST-----\n",
                                  b"MAA=", b"MIAAAA==", b"\x30\x80\x00\x00"])
def test_body_that_is_no_request_is_400(fake_site, body):
    with admitted(fake_site) as pledge:
        assert_refused(pledge.post_csr(body), 400)
        assert issued(pledge.enroll()[0]), "and the connection goes on"


@req("ECA-06", "EE-01")
def test_every_truncation_of_a_request_is_400(fake_site):
    with admitted(fake_site) as pledge:
        der = pledge.csr()
        for length in range(0, len(der), 23):
            assert_refused(pledge.post_csr(base64.b64encode(der[:length])), 400)


@req("EE-01")
def test_octets_after_the_request_are_400(fake_site):
    with admitted(fake_site) as pledge:
        assert_refused(pledge.post_csr(base64.b64encode(pledge.csr() + b"\0")), 400)


# -- dialects: what is accepted, and that the answer is wrapped as the question was

DIALECTS = {
    "wrapped at 64, LF": lambda der: est_body(der, 64, b"\n"),
    "wrapped at 76, CRLF": lambda der: est_body(der, 76, b"\r\n"),
    "unwrapped": lambda der: est_body(der, None),
    "blanks and tabs": lambda der: est_body(der, 40, b" \t\r\n"),
    "PEM": pem_body,
    "PEM, new label": lambda der: pem_body(der, b"NEW CERTIFICATE REQUEST"),
    "DER": lambda der: der,
}


@req("ECA-04", "EE-01", "ECA-03")
@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_way_to_write_a_request_is_read(fake_site, dialect):
    with admitted(fake_site) as pledge:
        body = DIALECTS[dialect](pledge.csr())
        reply = pledge.post_csr(body)
        assert issued(reply)
        wrapped = b"\n" in reply.body.strip()
        if dialect.startswith("wrapped"):
            assert wrapped, "libest reads wrapped base64 only"
            assert max(map(len, reply.body.split())) <= 76
        if dialect == "unwrapped":
            assert not wrapped, "strongSwan reads unwrapped base64 only"


@req("ECA-05", "ENC-ALL-017")
@pytest.mark.parametrize("encoding", ["base64", "binary", "quoted-printable"])
def test_content_transfer_encoding_is_ignored(fake_site, encoding):
    with admitted(fake_site) as pledge:
        reply = pledge.post_csr(est_body(pledge.csr()),
                                headers=[("Content-Transfer-Encoding", encoding)])
        assert issued(reply)


@req("ECA-04")
@pytest.mark.parametrize("agent, wrapped", [("libest 3.2.0p", True), ("libest", True), ("curl/7.88", False)])
def test_get_answers_are_wrapped_for_libest(fake_site, agent, wrapped):
    with fake_site.peer(None) as nobody:
        reply = nobody.cacerts([("User-Agent", agent)])
        assert (b"\n" in reply.body.strip()) == wrapped
        assert_plain_certs_only(reply)


@req("ECA-01")
def test_stray_crlf_after_a_body_does_not_break_the_next_request(fake_site):
    with admitted(fake_site) as pledge:
        body = est_body(pledge.csr())
        octets = pledge.connection.request_octets("POST", EST + "simpleenroll", body, "application/pkcs10")
        pledge.connection.send(octets + b"\r\n")
        assert issued(pledge.connection.read_reply())
        assert pledge.cacerts().status == 200


@req("ECA-01")
def test_answers_have_a_length_and_title_case_names(fake_site):
    with fake_site.peer(None) as nobody:
        reply = nobody.cacerts()
        names = [name for name, _ in reply.headers]
        assert "Content-Length" in names and "Transfer-Encoding" not in names
        assert all(part[0].isupper() for name in names for part in name.split("-")), names


# -- re-enrolment

@req("EE-09", "EE-08", "EE-10")
@pytest.mark.parametrize("rekey", [False, True])
def test_ldevid_renews_and_rekeys(fake_site, cell, rekey):
    with enrolled(fake_site, cell) as client:
        key = new_key() if rekey else client.identity.key
        reply = client.post_csr(est_body(client.csr(key)), "simplereenroll")
        certificate = issued(reply)
        assert certificate.subject == client.identity.cert.subject
        assert certificate.serial_number != client.identity.cert.serial_number
        assert certificate.public_key().public_numbers() == key.public_key().public_numbers()


@req("EE-19")
def test_ldevid_gets_one_more_certificate_by_simpleenroll(fake_site, cell):
    with enrolled(fake_site, cell) as client:
        reply, key = client.enroll()
        assert issued(reply).public_key().public_numbers() == key.public_key().public_numbers()


@req("EE-10")
def test_idevid_does_not_reenrol(fake_site):
    with admitted(fake_site) as pledge:
        assert_refused(pledge.post_csr(est_body(pledge.csr()), "simplereenroll"), 403)


@req("EE-08")
def test_reenrolment_with_another_subject_is_refused(fake_site, cell):
    with enrolled(fake_site, cell) as client:
        body = est_body(client.csr(subject=certs.name("Somebody else", "TEST-OTHER")))
        assert_refused(client.post_csr(body, "simplereenroll"), (400, 403))


@req("EE-08")
def test_reenrolment_with_another_alternative_name_is_refused(fake_site, cell):
    with enrolled(fake_site, cell) as client:
        body = est_body(client.csr(alt="DNS:admin.example"))
        assert_refused(client.post_csr(body, "simplereenroll"), (400, 403))


@req("EE-11")
def test_expired_ldevid_does_not_reenrol_by_default(fake_site, cell, domain):
    old = certs.make_ldevid(forge.issuing(domain.directory), "TEST-OLD",
                            not_before=datetime.datetime(2020, 1, 1),
                            not_after=datetime.datetime(2021, 1, 1))
    identity = forge.save(cell, "old", old.key, old.chain())
    with fake_site.peer(identity) as client:
        assert_refused(client.post_csr(est_body(client.csr()), "simplereenroll"), 403)


@req("EE-10", "EA-05")
def test_certificate_under_our_ca_that_was_not_issued_here_does_not_reenrol(fake_site, cell, domain):
    """Whoever got hold of the CA's key for an hour does not stay by renewing."""
    with enrolled(fake_site, cell) as client:
        subject = client.identity.cert.subject
    made = certs.make_cert(subject, forge.issuing(domain.directory), eku=[certs.CLIENT_AUTH])
    with fake_site.peer(forge.save(cell, "made", made.key, made.chain())) as client:
        assert_refused(client.post_csr(est_body(client.csr()), "simplereenroll"), 403)


@req("EE-10", "EA-05")
def test_certificate_of_the_domain_for_another_purpose_does_not_reenrol_as_a_device(fake_site, cell,
                                                                                   other_domain):
    foreign = certs.make_ldevid(forge.issuing(other_domain.directory), "TEST-FOREIGN")
    with fake_site.peer(forge.save(cell, "foreign", foreign.key, foreign.chain())) as client:
        assert_refused(client.post_csr(est_body(client.csr()), "simplereenroll"), 403)


# -- serverkeygen

def parts_of(reply):
    assert reply.media_type == "multipart/mixed", reply.header("content-type")
    message = email.message_from_bytes(b"Content-Type: " + reply.header("content-type").encode()
                                       + b"\r\n\r\n" + reply.body)
    return {part.get_content_type(): part for part in message.get_payload()}


@req("EK-02", "EK-03", "EK-04", "EK-07")
def test_serverkeygen_returns_key_and_certificate(fake_site):
    with admitted(fake_site) as pledge:
        reply = pledge.post_csr(est_body(corrupt_csr_signature(pledge.csr())), "serverkeygen")
        assert reply.status == 200, reply.text
    parts = parts_of(reply)
    assert set(parts) == {"application/pkcs8", CERTS_ONLY}
    key = serialization.load_der_private_key(
        base64.b64decode(b"".join(parts["application/pkcs8"].get_payload().encode().split())), None)
    chain = forge.pkcs7.load_der_pkcs7_certificates(
        base64.b64decode(b"".join(parts[CERTS_ONLY].get_payload().encode().split())))
    assert len(chain) == 1
    assert chain[0].public_key().public_numbers() == key.public_key().public_numbers()


@req("EK-09")
def test_generated_key_is_neither_logged_nor_stored(fake_site):
    with admitted(fake_site) as pledge:
        reply = pledge.post_csr(est_body(pledge.csr()), "serverkeygen")
        assert reply.status == 200
    der = base64.b64decode(b"".join(parts_of(reply)["application/pkcs8"].get_payload().encode().split()))
    secret = serialization.load_der_private_key(der, None).private_numbers().private_value
    octets = secret.to_bytes(32, "big")
    texts = [octets, binascii.hexlify(octets), base64.b64encode(octets)[:40]]
    for path in fake_site.registrar.directory.iterdir():
        if path.is_file():
            content = path.read_bytes()
            assert not any(t in content for t in texts), path


@req("EK-01", "EA-06")
def test_serverkeygen_without_a_voucher_is_403(fake_site):
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.post_csr(est_body(pledge.csr()), "serverkeygen"), 403)


@req("EK-06")
def test_asking_for_an_encrypted_key_never_yields_a_plain_one(fake_site):
    """DecryptKeyIdentifier names a key nobody knows."""
    from cryptography.x509.oid import ObjectIdentifier
    with admitted(fake_site) as pledge:
        builder = (x509.CertificateSigningRequestBuilder()
                   .subject_name(pledge.identity.cert.subject)
                   .add_attribute(ObjectIdentifier("1.2.840.113549.1.9.16.2.37"), b"key-7"))
        csr = builder.sign(new_key(), forge.certs.signing_hash(new_key()))
        body = est_body(csr.public_bytes(serialization.Encoding.DER))
        reply = assert_refused(pledge.post_csr(body, "serverkeygen"), 400)
        assert b"PRIVATE" not in reply.body


# -- the journal

@req("EE-12")
def test_every_refusal_is_a_sentence_in_plain_text(fake_site):
    with admitted(fake_site) as pledge:
        for body in (b"@@@@", est_body(corrupt_csr_signature(pledge.csr()))):
            reply = assert_refused(pledge.post_csr(body), 400)
            assert "<" not in reply.text and len(reply.text) < 300
