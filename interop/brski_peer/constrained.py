# SPDX-License-Identifier: Apache-2.0
"""A pledge and a registrar that speak cBRSKI and EST over CoAPS (draft-ietf-anima-constrained-voucher,
RFC 9148), each able to lie. Nothing is judged but that an answer is readable.
"""
import cbor2
from cryptography.hazmat.primitives.serialization import pkcs7

from . import certs, coap, coap_server, cose, forge, pledge
from .coap_server import Answer

LINK, CBOR, MULTIPART, PKCS7_KEY, PKCS7_CERTS, PKCS8, CSRATTRS, PKCS10, PKIX_CERT, VOUCHER = (
    40, 60, 62, 280, 281, 284, 285, 286, 287, 836)
BRSKI, EST = pledge.BRSKI, pledge.EST
ABBREVS = {"crts": 301, "sen": 302, "sren": 303, "skg": 304, "skc": 305, "att": 306,
           "es": 401, "rv": 402, "vs": 403}


def certs_of(reply):
    """The certificates of an answer, whichever of the three formats it has."""
    if reply.content_format == PKIX_CERT:
        return [forge.parse(reply.payload)]
    if reply.content_format == MULTIPART:
        return [forge.parse(der) for number, der in cose.parts(reply.payload) if number == PKIX_CERT]
    return pkcs7.load_der_pkcs7_certificates(reply.payload)


class Pledge:
    """One association with one identity. abbreviated: Uri-Path-Abbrev in place of paths; roots:
    other ones than /.well-known. More goes to coap.Client()."""

    def __init__(self, port, identity, abbreviated=False, roots=(BRSKI, EST),
                 connect=coap.Client, **more):
        self.identity, self.abbreviated, self.roots = identity, abbreviated, roots
        self.client = connect(port, identity, **more)
        self.nonce = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    @property
    def registrar_der(self):
        return self.client.server_der

    def path(self, step):
        if self.abbreviated:
            return [(coap.ABBREV, coap.uint(ABBREVS[step]))]
        return self.roots[0 if step in ("rv", "vs", "es") else 1] + step

    # -- voucher

    def pvr(self, signer=None, proximity="proximity-registrar-pubk", keys="delta", how=None,
            **changes):
        """A signed voucher-request. changes: leaf_name=value; None removes the leaf."""
        fields = cose.pvr_fields(self.identity, self.registrar_der, proximity)
        fields = forge.changed(fields, changes)
        self.nonce = fields.get("nonce")
        return cose.sign_request(fields, signer or self.identity, keys, **(how or {}))

    def request_voucher(self, body=None, content_format=VOUCHER, accept=VOUCHER, **more):
        body = self.pvr() if body is None else body
        return self.client.post(self.path("rv"), body, content_format, accept=accept, **more)

    def report(self, step, body, content_format=CBOR):
        return self.client.post(self.path(step), body, content_format)

    def voucher_status(self, status=True, **more):
        return self.report("vs", cose.status_report(status, **more))

    def enrollstatus(self, status=True, **more):
        return self.report("es", cose.status_report(status, **more))

    # -- EST

    def crts(self, accept=MULTIPART, **more):
        return self.client.get(self.path("crts"), accept=accept, **more)

    def att(self, **more):
        return self.client.get(self.path("att"), accept=CSRATTRS, **more)

    def csr(self, key, subject=None, **more):
        return certs.make_csr(key, subject or self.identity.cert.subject, **more)

    def post_csr(self, body, step="sen", accept=PKIX_CERT, content_format=PKCS10, **more):
        return self.client.post(self.path(step), body, content_format, accept=accept, **more)

    def enroll(self, key=None, **more):
        """Returns (reply, key)."""
        key = key or certs.new_key()
        return self.post_csr(self.csr(key), **more), key

    def join(self):
        """The whole road up to the certificate; returns (certificate, key)."""
        reply = self.request_voucher()
        assert reply.said == "2.04", str(reply)
        assert self.voucher_status().said == "2.04"
        reply, key = self.enroll()
        assert reply.said == "2.04", str(reply)
        return certs_of(reply)[0], key


class FakeRegistrar(coap_server.Server):
    """It makes vouchers itself with the manufacturer's signer and issues certificates with the
    domain's CA; every request is recorded.

    Override a step: set `on["rv"]` (or "vs", "crts", "att", "sen", "sren", "es") to a function of the
    request that returns an Answer, None for silence, or NotImplemented for the honest answer.
    long_paths: does not know Uri-Path-Abbrev.
    """

    def __init__(self, identity, domain_dir, manufacturer_dir, port=0, long_paths=False, **more):
        super().__init__(identity, port, **more)
        masa = manufacturer_dir / "masa"
        self.signer = forge.load(masa / "masa-signer.key", masa / "masa-signer.crt")
        self.ca = forge.load(domain_dir / "issuing.key", domain_dir / "issuing.crt")
        self.root = forge.load_certs(domain_dir / "root.crt")[0]
        self.long_paths = long_paths
        self.be_honest()

    def be_honest(self):
        self.pin, self.pin_form = self.ca.cert, "pinned-domain-cert"
        self.lie = None         # fields → fields of the voucher
        self.cose = {}          # arguments for its signing
        self.attributes = None  # att: DER; None answers 4.04
        self.profile = {}       # changes to the certificate issued
        self.on = {}

    def step_of(self, request):
        number = request.message.number(coap.ABBREV)
        return {n: step for step, n in ABBREVS.items()}.get(number) if number else request.step

    def handle(self, request):
        if self.long_paths and request.message.option(coap.ABBREV) is not None:
            return Answer("4.02")
        step = self.step_of(request)
        request.path = "/" + (step or "?")
        if step in self.on:
            answered = self.on[step](request)
            if answered is not NotImplemented:
                return answered
        honest = {"rv": self.voucher, "vs": self.noted, "es": self.noted, "crts": self.crts,
                  "att": self.att, "sen": self.enroll, "sren": self.enroll}.get(step)
        return honest(request) if honest else Answer("4.04")

    def reports(self, step):
        return [cbor2.loads(r.body) for r in self.seen(step)]

    # -- honest answers

    def voucher(self, request):
        return Answer("2.04", self.make_voucher(request.body), VOUCHER)

    def make_voucher(self, pvr, signer=None):
        fields = cose.voucher_fields(cose.parse(pvr).fields, self.pin, self.pin_form)
        if self.lie:
            fields = self.lie(fields)
        return cose.sign_voucher(fields, signer or self.signer, with_bag=False, **self.cose)

    def noted(self, _request):
        return Answer("2.04")

    def crts(self, request):
        if request.accept == PKIX_CERT:
            return Answer("2.05", self.ca.der, PKIX_CERT)
        chain = [self.ca.cert, self.root]
        if request.accept == PKCS7_CERTS:
            return Answer("2.05", forge.certs_only(chain), PKCS7_CERTS)
        parts = [item for c in chain for item in (PKIX_CERT, forge.der(c))]
        return Answer("2.05", cbor2.dumps(parts), MULTIPART)

    def att(self, _request):
        if self.attributes is None:
            return Answer("4.04")
        return Answer("2.05", self.attributes, CSRATTRS)

    def enroll(self, request):
        issued = forge.issue(self.ca, request.body, **self.profile)
        if request.accept == PKCS7_CERTS:
            return Answer("2.04", forge.certs_only([issued]), PKCS7_CERTS)
        return Answer("2.04", forge.der(issued), PKIX_CERT)
