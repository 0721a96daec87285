# SPDX-License-Identifier: Apache-2.0
"""serverkeygen of the reference registrar (RFC 7030 §4.4): the key is made here and sent in clear, inside
TLS only."""
import base64
import re

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from brski_peer import certs, forge, keypackage
from brski_peer.pledge import est_body
from brski_peer.server import Answer

from .rules import Refused

DECRYPT_KEY_IDS = [forge.oid(f"1.2.840.113549.1.9.16.2.{number}") for number in (37, 54)]
BOUNDARY = "a-part-ends-here"


def serverkeygen(est, request):
    est.may_enrol(request)
    csr = request_of(request)
    if not csr.is_signature_valid and not est.rule("passes over the signature when it makes the key"):
        raise Refused(400, "The request is not signed with its key.")
    recipient = recipient_of(est, request, csr)
    est.judge_first(request, csr)
    key = certs.new_key()
    public = key if est.rule("certifies the key it has made") else certs.new_key()
    cert = forge.issue(est.registrar.domain.issuing, csr.public_bytes(serialization.Encoding.DER), key=public)
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                            serialization.NoEncryption())
    part = ("application/pkcs8", der)
    if recipient is not None and est.rule("encrypts the key for who wants it so"):
        part = ("application/pkcs7-mime; smime-type=server-generated-key",
                keypackage.seal(der, est.registrar.identity, recipient))
    parts = [part, ("application/pkcs7-mime; smime-type=certs-only", forge.certs_only([cert]))]
    body = b"".join(f"--{BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n".encode() + est_body(octets) + b"\r\n"
                    for kind, octets in parts) + f"--{BOUNDARY}--\r\n".encode()
    return Answer(200, body, f"multipart/mixed; boundary={BOUNDARY}")


def recipient_of(est, request, csr):
    """The certificate whose key the private key is to be encrypted with; None: with none."""
    der = csr.public_bytes(serialization.Encoding.DER)
    wanted = [certs.asn1.OctetString.load(der.partition(kind)[2][2:]).native  # after the head of a SET
              for kind in DECRYPT_KEY_IDS if kind in der]
    if not wanted:
        return None
    shown = forge.parse(request.peer_der)
    known = wanted == [forge.ski(shown)]
    est.refuse("sends no plain key to who wants an encrypted one", not known, 400, "That key is not known.")
    return shown if known else None


def request_of(request):
    try:
        return x509.load_der_x509_csr(base64.b64decode(re.sub(rb"\s", b"", request.body), validate=True))
    except Exception as e:
        raise Refused(400, "That is no certification request.") from e
