# SPDX-License-Identifier: Apache-2.0
"""A registrar as EST server over HTTPS (RFC 7030, RFC 8951, RFC 8995 §5.9): who may enrol, with what, and
what comes back."""
import base64
import email

from asn1crypto import cms as asn1_cms
from cryptography.hazmat.primitives import serialization

from brski_peer import certs, cms, forge, keypackage
from brski_peer.pledge import EST, certs_of, corrupt_csr_signature, est_body

from ..core import MUST, SHOULD, check
from ..trial_registrar import spki_of

EST_PROFILE = ("est",)
BOTH = ("rfc8995", "est")


def decoded(t, body):
    """DER of a body in base64."""
    t.need(b"-----" not in body, "the body is PEM")
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except ValueError:
        return t.need(False, "the body is not base64")


# -- cacerts

@check("ECA-01", "ECA-03", "ET-05", "R8995-REG-050", level=MUST, role="registrar", profiles=EST_PROFILE,
       mutant="serves certificates as PKCS #7")
def cacerts_is_base64_of_pkcs7(t):
    """GET cacerts: 200, application/pkcs7-mime, base64 of DER without PEM lines."""
    with t.pledge(t.approved_device()) as p:
        reply = p.cacerts()
    t.status(reply, 200)
    t.equal(reply.media_type, "application/pkcs7-mime", "the media type")
    t.equal(decoded(t, reply.body)[:1], b"\x30", "the first octet of the DER")


@check("ECA-02", level=MUST, role="registrar", profiles=EST_PROFILE,
       mutant="serves certificates without a signature")
def cacerts_holds_certificates_and_nothing_else(t):
    """A SignedData without signers, digest algorithms and content."""
    with t.pledge(t.approved_device()) as p:
        data = asn1_cms.ContentInfo.load(decoded(t, p.cacerts().body), strict=True)["content"]
    t.equal(len(data["signer_infos"]), 0, "the number of signers")
    t.equal(len(data["digest_algorithms"]), 0, "the number of digest algorithms")
    t.equal(data["encap_content_info"]["content_type"].native, "data", "the type of the content")
    t.need(not data["encap_content_info"]["content"].native, "there is content")
    t.need(len(data["certificates"]) > 0, "there are no certificates")


@check("ECA-07", "RA-08", level=MUST, role="registrar", profiles=EST_PROFILE, mutant="serves the whole chain")
def cacerts_hold_all_that_a_chain_needs(t):
    """From a certificate issued a moment ago to the root, with what cacerts holds."""
    with t.admitted() as p:
        reply, _ = p.enroll()
        t.status(reply, 200)
        leaf = certs_of(reply)[0]
        bag = certs_of(p.cacerts())
    roots = [c for c in bag if c.issuer == c.subject]
    t.need(roots, "cacerts holds no root")
    t.need(any(t.leads_to(leaf, bag, root) for root in roots),
           "the new certificate does not lead to a root with what cacerts holds")


@check("EA-07", level=SHOULD, role="registrar", profiles=EST_PROFILE, mutant="serves cacerts to anybody")
def cacerts_needs_no_certificate(t):
    """cacerts and csrattrs are no secret: a client without a certificate gets them."""
    with t.pledge(None) as nobody:
        t.status(nobody.csrattrs(), 200, 204, 404)
        t.status(nobody.cacerts(), 200)


@check("ER-01", "R8995-REG-046", level=MUST, role="registrar", profiles=BOTH, mutant="answers csrattrs in full")
def csrattrs_is_a_sequence_or_nothing(t):
    """200 with base64 of a DER SEQUENCE, or 204, or 404; never 200 with nothing in it."""
    with t.pledge(t.approved_device()) as p:
        reply = p.csrattrs()
    t.status(reply, 200, 204, 404)
    if reply.status == 200:
        t.equal(reply.media_type, "application/csrattrs", "the media type")
        t.equal(decoded(t, reply.body)[:1], b"\x30", "the first octet of the DER")


@check("ER-01", "R8995-REG-046", level=MUST, role="registrar", profiles=BOTH, mutant="says what it asks for")
def csrattrs_say_what_is_asked_for(t):
    """The configuration "asking" wants a challengePassword and a P-384 key: csrattrs says so."""
    t.variant("asking")
    with t.pledge(t.approved_device()) as p:
        reply = p.csrattrs()
    t.status(reply, 200)
    der = decoded(t, reply.body)
    for oid, what in (("1.2.840.113549.1.9.7", "challengePassword"), ("1.3.132.0.34", "secp384r1")):
        t.need(forge.oid(oid) in der, f"csrattrs does not name {what}")


@check("EE-18", "R8995-REG-046", level=MUST, role="registrar", profiles=BOTH, mutant="insists on the key it asks for")
def request_with_another_key_than_asked_for_is_400(t):
    """The configuration "asking" wants a P-384 key; a request with another one is 400, in words."""
    t.variant("asking")
    with t.admitted(tls="1.2") as p:
        binding = forge.b64(p.connection.binding)
        t.status(p.enroll(certs.new_key("ec-p256"), challenge_password=binding)[0], 400)
        t.status(p.enroll(certs.new_key("ec-p384"), challenge_password=binding)[0], 200)


@check("ER-04", "EE-18", level=MUST, role="registrar", profiles=EST_PROFILE,
       mutant="insists on the challengePassword it asks for")
def request_without_the_challenge_password_asked_for_is_400(t):
    """The configuration "asking" wants a challengePassword; a request without one is 400, in words."""
    t.variant("asking")
    with t.admitted(tls="1.2") as p:
        t.status(p.enroll(certs.new_key("ec-p384"))[0], 400)


# -- who may enrol

@check("R8995-REG-047", "EA-06", "EA-05", level=MUST, role="registrar", profiles=BOTH,
       mutant="enrols after the voucher only")
def device_without_a_voucher_does_not_enrol(t):
    """A trusted IDevID is not enough: nobody enrols before its voucher, nor with another device's."""
    with t.pledge(t.approved_device()) as p:
        t.refused(p.enroll()[0], 401, 403, why="no voucher was asked for")
    with t.admitted(), t.pledge(t.approved_device()) as other:
        t.refused(other.enroll()[0], 401, 403, why="the voucher was another device's")


@check("R8995-REG-015", "EA-06", level=MUST, role="registrar", profiles=BOTH, mutant="enrols after the voucher only")
def second_idevid_of_a_serial_number_does_not_enrol(t):
    """The voucher belongs to the certificate it was asked with; another one with the same serial number
    has none."""
    device = t.approved_device()
    with t.admitted(device):
        with t.pledge(t.approved_device(serial=device.serial)) as twin:
            t.refused(twin.enroll()[0], 401, 403)


@check("R8995-REG-015", "EA-06", level=MUST, role="registrar", profiles=BOTH, mutant="remembers who got a voucher")
def device_goes_on_over_another_connection(t):
    """The pair of certificates is remembered, not the connection: the device comes back and enrols."""
    device = t.approved_device()
    with t.admitted(device):
        pass
    with t.pledge(device) as p:
        t.status(p.enroll()[0], 200)


@check("ET-11", "EA-01", "R8995-REG-006", level=MUST, role="registrar", profiles=BOTH,
       mutant="enrols clients with a certificate only")
def client_without_a_certificate_does_not_enrol(t):
    """The certificate is asked for in the first handshake and not demanded there: without one, cacerts is
    answered and enrolment is 401 or 403, on the same connection."""
    with t.pledge(None) as nobody:
        request = certs.make_csr(certs.new_key(), certs.name("x", t.lab.new_serial()))
        t.refused(nobody.post_csr(est_body(request)), 401, 403)
        t.need(nobody.cacerts().status in (200, 401, 403), "the connection does not go on")


# -- simpleenroll

@check("EA-01", "EE-01", "ENC-ALL-025", level=MUST, role="registrar", profiles=EST_PROFILE,
       mutant="certifies keys of every kind")
def enrolment_certifies_the_key(t):
    """The certificate is for the key of the request: P-256, P-384 or RSA."""
    with t.admitted() as p:
        for kind in ("ec-p256", "ec-p384", "rsa-2048"):
            reply, key = p.enroll(certs.new_key(kind))
            t.equal(reply.media_type, "application/pkcs7-mime", "the media type")
            t.issued(reply, key)


@check("EE-02", level=MUST, role="registrar", profiles=EST_PROFILE, mutant="sends the new certificate alone")
def enrolment_returns_the_certificate_alone(t):
    """The issued certificate, without its issuers."""
    with t.admitted() as p:
        reply, _ = p.enroll()
        t.status(reply, 200)
        t.equal(len(certs_of(reply)), 1, "the number of certificates")


@check("EE-01", level=MUST, role="registrar", profiles=EST_PROFILE, mutant="takes application/pkcs10 only")
def enrolment_of_another_media_type_is_refused(t):
    """The body is application/pkcs10."""
    with t.admitted() as p:
        t.refused(p.post_csr(est_body(p.csr()), content_type="text/plain"), 415, 400)


@check("EE-03", level=MUST, role="registrar", profiles=EST_PROFILE, mutant="verifies the request's own signature")
def request_not_signed_with_its_key_is_refused(t):
    """One bit of the signature of the certification request is wrong: nobody has shown to hold the key."""
    with t.admitted() as p:
        t.status(p.post_csr(est_body(corrupt_csr_signature(p.csr()))), 400)


@check("EE-16", level=MUST, role="registrar", profiles=BOTH, mutant="issues for the device's own subject only")
def subject_of_another_device_is_refused(t):
    """No device gets a certificate that says it is another one."""
    with t.admitted() as p:
        t.refused(p.post_csr(est_body(p.csr(subject=certs.name("x", t.lab.new_serial())))))


@check("EE-12", level=MUST, role="registrar", profiles=EST_PROFILE, mutant="says why it refuses")
def refusal_says_why(t):
    """An error has a text for a human."""
    with t.admitted() as p:
        reply = t.refused(p.post_csr(b"@@@@"), 400)
    t.need(reply.body.strip(), "the error has no text")
    t.need(reply.media_type in ("text/plain", "application/pkcs7-mime"), f"the text is {reply.media_type!r}")


@check("ECA-05", "ENC-ALL-017", level=SHOULD, role="registrar", profiles=EST_PROFILE,
       mutant="passes over Content-Transfer-Encoding of a request")
def content_transfer_encoding_of_a_request_is_ignored(t):
    """Whatever the header says, the body is base64."""
    with t.admitted() as p:
        t.status(p.post_csr(est_body(p.csr()), headers=[("Content-Transfer-Encoding", "binary")]), 200)


@check("EE-04", level=MUST, role="registrar", profiles=EST_PROFILE, mutant="compares the channel binding")
def tls_unique_is_compared(t):
    """TLS 1.2: a challengePassword is base64 of the connection's tls-unique, or the request is refused."""
    with t.admitted(tls="1.2") as p:
        t.refused(p.enroll(challenge_password=forge.b64(bytes(12)))[0], 400, 403)
        t.status(p.enroll(challenge_password=forge.b64(p.connection.binding))[0], 200, why="the right tls-unique")


@check("EE-05", level=MUST, role="registrar", profiles=EST_PROFILE, mutant="compares the channel binding")
def tls_exporter_is_compared(t):
    """TLS 1.3: the same with 32 octets of tls-exporter (RFC 9266)."""
    with t.admitted(tls="1.3") as p:
        t.refused(p.enroll(challenge_password=forge.b64(bytes(32)))[0], 400, 403)
        t.status(p.enroll(challenge_password=forge.b64(p.connection.binding))[0], 200, why="the right tls-exporter")


# -- simplereenroll

@check("EE-09", level=MUST, role="registrar", profiles=EST_PROFILE, mutant="renews with a new key too")
def certificate_is_renewed_with_the_same_key_and_with_another(t):
    """Renewal and rekeying are both legal."""
    with t.enrolled() as p:
        for key in (p.identity.key, certs.new_key()):
            t.issued(p.post_csr(est_body(p.csr(key)), "simplereenroll"), key)


@check("EE-08", level=MUST, role="registrar", profiles=EST_PROFILE, mutant="keeps subject and names in a renewal")
def renewal_keeps_subject_and_names(t):
    """Another subject, or an alternative name the certificate has not: refused."""
    with t.enrolled() as p:
        for what, change in (("subject", {"subject": certs.name("Somebody else", t.lab.new_serial())}),
                             ("subjectAltName", {"alt": "DNS:admin.example"})):
            t.refused(p.post_csr(est_body(p.csr(**change)), "simplereenroll"), why=f"another {what}")


@check("EE-10", level=MUST, role="registrar", profiles=EST_PROFILE, mutant="renews its own certificates only")
def idevid_is_not_renewed(t):
    """simplereenroll is for certificates of the domain: an IDevID has no business there."""
    with t.admitted() as p:
        t.refused(p.post_csr(est_body(p.csr()), "simplereenroll"), 401, 403)


# -- serverkeygen

def keygen(t, pledge, request):
    """The answer to serverkeygen; skips where there is none of it."""
    reply = pledge.post_csr(est_body(request), "serverkeygen")
    if reply.status in (404, 501):
        t.skip("the target makes no keys for devices (serverkeygen)")
    return reply


def parts_of(t, reply):
    """[(media type, DER)] of an answer in multipart/mixed."""
    t.status(reply, 200)
    t.equal(reply.media_type, "multipart/mixed", "the media type")
    head = f"Content-Type: {reply.header('content-type')}\r\n\r\n".encode()
    return [(part["content-type"], decoded(t, part.get_payload().encode()))
            for part in email.message_from_bytes(head + reply.body).get_payload()]


def request_with(pledge, oid, octets):
    """A certification request with one attribute, an octet string."""
    key = certs.new_key()
    attribute = forge.tlv(0x30, forge.oid(oid), forge.tlv(0x31, forge.tlv(0x04, octets)))
    info = forge.tlv(0x30, "020100", pledge.identity.cert.subject.public_bytes(), spki_of(key),
                     forge.tlv(0xA0, attribute))
    signature = cms.raw_sign(key, info, "sha256")
    return forge.tlv(0x30, info, forge.tlv(0x30, forge.oid("1.2.840.10045.4.3.2")),
                     forge.tlv(0x03, b"\0", signature))


@check("EK-03", "EK-04", "EK-07", level=MUST, role="registrar", profiles=EST_PROFILE,
       mutant="certifies the key it has made")
def made_key_comes_with_its_certificate(t):
    """Two parts of multipart/mixed: application/pkcs8 and a certificate as of simpleenroll, both base64;
    they belong together."""
    with t.admitted() as p:
        reply = keygen(t, p, p.csr())
    parts = {kind.split(";")[0]: octets for kind, octets in parts_of(t, reply)}
    t.equal(set(parts), {"application/pkcs8", "application/pkcs7-mime"}, "the parts")
    key = serialization.load_der_private_key(parts["application/pkcs8"], None)
    found = forge.pkcs7.load_der_pkcs7_certificates(parts["application/pkcs7-mime"])
    t.equal(len(found), 1, "the number of certificates")
    t.equal(forge.spki(found[0]), spki_of(key), "the key in the certificate")


@check("EK-02", level=MUST, role="registrar", profiles=EST_PROFILE,
       mutant="passes over the signature when it makes the key")
def request_for_a_key_need_not_be_signed(t):
    """The key of the request and its signature mean nothing here."""
    with t.admitted() as p:
        t.status(keygen(t, p, corrupt_csr_signature(p.csr())), 200)


@check("EK-06", level=MUST, role="registrar", profiles=EST_PROFILE,
       mutant="sends no plain key to who wants an encrypted one")
def key_to_be_encrypted_never_comes_plain(t):
    """The request names a decryption key that nobody knows: an error, not a key in clear."""
    with t.admitted() as p:
        t.refused(keygen(t, p, request_with(p, "1.2.840.113549.1.9.16.2.37", b"key-7")))


@check("EK-05", level=MUST, role="registrar", profiles=EST_PROFILE, mutant="encrypts the key for who wants it so")
def key_is_encrypted_for_who_wants_it_so(t):
    """The request names the key of the IDevID by its identifier: the private key comes encrypted for it,
    signed, in application/pkcs7-mime."""
    device = t.approved_device()
    with t.admitted(device) as p:
        reply = keygen(t, p, request_with(p, "1.2.840.113549.1.9.16.2.54", forge.ski(device.identity.cert)))
    if reply.status == 400:
        t.skip("the target encrypts no keys")
    parts = parts_of(t, reply)
    kind, octets = next(((kind, octets) for kind, octets in parts if "server-generated-key" in kind), (None, None))
    t.need(kind, f"the parts are {[kind for kind, _ in parts]}")
    t.need(keypackage.unseal(octets, device.identity), "there is no key in it")


# -- fullcmc

@check("EF-02", level=MUST, role="registrar", profiles=EST_PROFILE, mutant="refuses in CMC what came as CMC")
def fullcmc_refuses_in_cmc(t):
    """What is no CMC request is refused with a CMC response, not with a text."""
    with t.admitted() as p:
        reply = p.connection.post(EST + "fullcmc", b"MAA=", "application/pkcs7-mime; smime-type=CMC-request")
    if reply.status in (404, 501):
        t.skip("the target has no fullcmc")
    t.refused(reply)
    t.equal(reply.media_type, "application/pkcs7-mime", "the media type of the refusal")
    t.equal(cms.parse(decoded(t, reply.body)).content_type, "1.3.6.1.5.5.7.12.3", "the content type")


# -- HTTP

@check("ET-05", "ET-08", "R8995-REG-050", "R8995-REG-014", level=MUST, role="registrar", profiles=BOTH,
       mutant="answers GET only")
def mandatory_operations_are_there(t):
    """cacerts, simpleenroll and simplereenroll answer beside BRSKI; a wrong method is 405 and says which
    is right."""
    with t.pledge(t.approved_device()) as p:
        reply = p.connection.post(EST + "cacerts", b"", "application/pkcs10")
        t.status(reply, 405)
        t.need("GET" in (reply.header("allow") or ""), "405 without Allow: GET")
        for operation in ("simpleenroll", "simplereenroll"):
            t.need(p.post_csr(b"", operation).status not in (404, 501), f"there is no {operation}")


@check("ET-07", level=MUST, role="registrar", profiles=BOTH, mutant="has no label that is an operation's name")
def operation_is_nobodys_label(t):
    """Where a CA has a label it stands before the operation; the name of an operation is no label."""
    with t.pledge(t.approved_device()) as p:
        for label in ("cacerts", "csrattrs", "simpleenroll", "simplereenroll", "fullcmc", "serverkeygen"):
            reply = p.connection.get(f"{EST}{label}/cacerts")
            t.need(reply.status != 200 or reply.media_type != "application/pkcs7-mime",
                   f"{EST}{label}/cacerts answers with certificates")
            if reply.closed:
                p.connection = t.pledge(t.approved_device()).connection


@check("ET-09", "ENC-ALL-026", level=SHOULD, role="registrar", profiles=BOTH,
       mutant="keeps the connection after cacerts")
def one_connection_is_enough(t):
    """Voucher, report, certificates of the CA, attributes and enrolment over one connection."""
    with t.admitted() as p:
        with t.hangs_up_or() as ended:
            t.status(p.cacerts(), 200)
            t.status(p.csrattrs(), 200, 204, 404)
            t.status(p.enroll()[0], 200)
        t.need(not ended, f"the connection ends before the device has enrolled: {ended}")
