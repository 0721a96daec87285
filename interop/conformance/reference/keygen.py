# SPDX-License-Identifier: Apache-2.0
"""serverkeygen of the reference registrar (RFC 7030 §4.4): the key is made here and sent in clear, inside
TLS only."""
import base64
import re

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ObjectIdentifier

from brski_peer import certs, forge
from brski_peer.pledge import est_body
from brski_peer.server import Answer

from .rules import Refused

DECRYPT_KEY_IDS = (ObjectIdentifier("1.2.840.113549.1.9.16.2.37"), ObjectIdentifier("1.2.840.113549.1.9.16.2.54"))
BOUNDARY = "a-part-ends-here"


def serverkeygen(est, request):
    est.may_enrol(request)
    csr = request_of(request)
    if not csr.is_signature_valid and not est.rule("passes over the signature when it makes the key"):
        raise Refused(400, "The request is not signed with its key.")
    encrypted = any(attribute.oid in DECRYPT_KEY_IDS for attribute in csr.attributes)
    est.refuse("sends no plain key to who wants an encrypted one", encrypted, 400, "Keys are not encrypted here.")
    est.judge_first(request, csr)
    key = certs.new_key()
    public = key if est.rule("certifies the key it has made") else certs.new_key()
    cert = forge.issue(est.registrar.domain.issuing, csr.public_bytes(serialization.Encoding.DER), key=public)
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                            serialization.NoEncryption())
    parts = [("application/pkcs8", der), ("application/pkcs7-mime; smime-type=certs-only", forge.certs_only([cert]))]
    body = b"".join(f"--{BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n".encode() + est_body(octets) + b"\r\n"
                    for kind, octets in parts) + f"--{BOUNDARY}--\r\n".encode()
    return Answer(200, body, f"multipart/mixed; boundary={BOUNDARY}")


def request_of(request):
    try:
        return x509.load_der_x509_csr(base64.b64decode(re.sub(rb"\s", b"", request.body), validate=True))
    except Exception as e:
        raise Refused(400, "That is no certification request.") from e
