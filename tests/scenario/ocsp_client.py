# SPDX-License-Identifier: Apache-2.0
"""A verifier that asks whether certificates are revoked (RFC 6960): requests as cryptography makes them,
or piece by piece where no library would; answers read and verified by cryptography."""
import base64
import contextlib
import datetime
import hashlib
import http.client
import ssl
import urllib.parse

from asn1crypto import algos, core, keys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp

from brski_peer import forge
from brski_peer.forge import tlv

PATH = "/ocsp"
REQUEST, RESPONSE = "application/ocsp-request", "application/ocsp-response"
NONCE = "1.3.6.1.5.5.7.48.1.2"
GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN
PATIENCE_S = 20


OCTETS, NULL = 0x04, b"\5\0"


# -- what is asked

def sequence(*parts):
    return tlv(0x30, b"".join(parts))


def key_bits(certificate):
    """The subjectPublicKey's octets, whose digests name an issuer."""
    return keys.PublicKeyInfo.load(forge.spki(certificate))["public_key"].contents[1:]


def digest(name, octets):
    return hashlib.new(name, octets).digest()


def cert_id(issuer, serial, algorithm="sha1", **more):
    """A CertID, DER. more: name_hash, key_hash or number (its INTEGER), where they are not as they should be."""
    said = {"name_hash": digest(algorithm, issuer.subject.public_bytes()),
            "key_hash": digest(algorithm, key_bits(issuer)), "number": core.Integer(serial).dump(), **more}
    oid = algos.DigestAlgorithmId(algorithm).dump()
    return sequence(sequence(oid, NULL), tlv(OCTETS, said["name_hash"]), tlv(OCTETS, said["key_hash"]), said["number"])


def extension(oid, value, critical=False):
    return sequence(core.ObjectIdentifier(oid).dump(), b"\x01\x01\xff" if critical else b"", tlv(OCTETS, value))


def nonce(octets):
    return extension(NONCE, tlv(OCTETS, octets))


def request(*asked, extensions=(), version=b"", signature=b""):
    """DER. asked: of cert_id(); extensions: of extension()."""
    listed = sequence(*(sequence(one) for one in asked))
    more = tlv(0xA2, sequence(*extensions)) if extensions else b""
    return sequence(sequence(version, listed, more), signature)


def about(certificate, issuer, algorithm=hashes.SHA1(), nonce_octets=None):
    """As cryptography asks about one certificate."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, algorithm)
    if nonce_octets is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce_octets), False)
    return builder.build().public_bytes(serialization.Encoding.DER)


# -- asking

def exchange(port, method, path, body=None, headers=None, tls=False):
    """(status, headers, body)"""
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE_S, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()


def post(port, der, **more):
    return exchange(port, "POST", PATH, der, {"Content-Type": REQUEST}, **more)


def path_of(der, safe=""):
    """safe: characters of base64 that are left as they are."""
    return f"{PATH}/{urllib.parse.quote(base64.b64encode(der).decode(), safe=safe)}"


def get(port, der, safe="", **more):
    return exchange(port, "GET", path_of(der, safe), **more)


# -- what is answered

def reading(reply):
    status, headers, body = reply
    assert (status, headers["content-type"]) == (200, RESPONSE), (status, headers, body[:200])
    return ocsp.load_der_ocsp_response(body)


def refusal(reply):
    """The name of the OCSP status of an answer that nobody signed."""
    answer = reading(reply)
    assert answer.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL
    return answer.response_status.name


def verify(issuer, answer):
    """Signed by the issuer itself, with no certificate beside it."""
    key, signature, signed = issuer.public_key(), answer.signature, answer.tbs_response_bytes
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, signed, padding.PKCS1v15(), answer.signature_hash_algorithm)
    else:
        key.verify(signature, signed, ec.ECDSA(answer.signature_hash_algorithm))
    assert answer.certificates == [] and answer.responder_name is None
    assert answer.responder_key_hash == digest("sha1", key_bits(issuer))


def believed(reply, issuer):
    """Its single answers, in their order, when all is as a careful verifier wants it."""
    answer = reading(reply)
    assert answer.response_status == ocsp.OCSPResponseStatus.SUCCESSFUL, answer.response_status
    verify(issuer, answer)
    singles, now = list(answer.responses), datetime.datetime.utcnow()
    for one in singles:
        assert one.this_update <= now + datetime.timedelta(seconds=2) and now < one.next_update
        assert abs(answer.produced_at - one.this_update) <= datetime.timedelta(minutes=5)
    return singles


def statuses(reply, issuer):
    return [one.certificate_status for one in believed(reply, issuer)]


def status(port, certificate, issuer, **more):
    """Of one certificate, asked as most do."""
    (one,) = statuses(post(port, about(certificate, issuer), **more), issuer)
    return one
