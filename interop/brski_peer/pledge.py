# SPDX-License-Identifier: Apache-2.0
"""A pledge that does what the test says, right or wrong, one step at a time.

Nothing is checked here but that an answer is readable: judging is the test's business.
"""
import base64
import json
import uuid

from cryptography.hazmat.primitives.serialization import pkcs7

from . import forge
from .certs import make_csr, new_key
from .wire import Connection

CMS_TYPE = "application/voucher-cms+json"
BRSKI = "/.well-known/brski/"
VOUCHER_PATH = BRSKI + "requestvoucher"
EST = "/.well-known/est/"


def corrupt_csr_signature(der):
    """The same request with the last octet of its signature changed."""
    return der[:-1] + bytes([der[-1] ^ 1])


def est_body(der, line=64, end=b"\n"):
    """Base64 as EST clients write it; line=None leaves it on one line."""
    text = base64.b64encode(der)
    if line is None:
        return text
    return b"".join(text[i:i + line] + end for i in range(0, len(text), line))


def pem_body(der, label=b"CERTIFICATE REQUEST"):
    return b"-----BEGIN " + label + b"-----\n" + est_body(der) + b"-----END " + label + b"-----\n"


def certs_of(reply):
    """The certificates of a certs-only answer in base64."""
    return pkcs7.load_der_pkcs7_certificates(base64.b64decode(reply.body, validate=False))


class Pledge:
    """One connection with one identity. exchange: the X-Request-Id, made up when not given."""

    def __init__(self, port, identity, tls=None, sni=None, exchange=None, context=None,
                 timeout=20, host="127.0.0.1", connect=Connection):
        self.identity = identity
        self.exchange = exchange or uuid.uuid4().hex
        args = {"certificate": identity.cert_path, "key": identity.key_path} if identity else {}
        self.connection = connect(port, host=host, tls=tls, sni=sni, context=context,
                                  timeout=timeout, **args)
        self.nonce = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    @property
    def registrar_der(self):
        return self.connection.server_der

    def headers(self, more=()):
        return [("X-Request-Id", self.exchange), *more]

    # -- voucher

    def pvr(self, signer=None, cms=None, **changes):
        """A signed voucher-request. changes: leaf_name=value; None removes the leaf.
        signer: somebody else's identity; cms: arguments for the signing."""
        fields = forge.pvr_fields(self.identity, self.registrar_der)
        fields = forge.changed(fields, changes)
        self.nonce = fields.get("nonce")
        return forge.sign_request(fields, signer or self.identity, **(cms or {}))

    def request_voucher(self, body=None, content_type=CMS_TYPE, accept=CMS_TYPE, headers=(),
                        path=VOUCHER_PATH):
        body = self.pvr() if body is None else body
        more = ([("Accept", accept)] if accept else []) + list(headers)
        return self.connection.post(path, body, content_type, self.headers(more))

    def report(self, path, report, content_type="application/json"):
        body = report if isinstance(report, bytes) else json.dumps(report).encode()
        return self.connection.post(BRSKI + path, body, content_type, self.headers())

    def voucher_status(self, status=True, **more):
        return self.report("voucher_status", {"version": 1, "status": status, **more})

    def enrollstatus(self, status=True, **more):
        return self.report("enrollstatus", {"version": 1, "status": status, **more})

    # -- EST

    def cacerts(self, headers=()):
        return self.connection.get(EST + "cacerts", self.headers(headers))

    def csrattrs(self, headers=()):
        return self.connection.get(EST + "csrattrs", self.headers(headers))

    def post_csr(self, body, operation="simpleenroll", content_type="application/pkcs10",
                 headers=()):
        return self.connection.post(EST + operation, body, content_type, self.headers(headers))

    def csr(self, key=None, subject=None, **more):
        key = key or new_key()
        return make_csr(key, subject or self.identity.cert.subject, **more)

    def enroll(self, key=None, **more):
        """simpleenroll with the IDevID's own subject. Returns (reply, key)."""
        key = key or new_key()
        return self.post_csr(est_body(self.csr(key, **more))), key

    def join(self):
        """The whole road up to the certificate; returns (certificate, key)."""
        reply = self.request_voucher()
        assert reply.status == 200, (reply.status, reply.text)
        assert self.voucher_status().status == 200
        reply, key = self.enroll()
        assert reply.status == 200, (reply.status, reply.text)
        return certs_of(reply)[0], key
