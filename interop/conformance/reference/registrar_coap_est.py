# SPDX-License-Identifier: Apache-2.0
"""EST over CoAPS as the reference registrar has it (RFC 9148, cBRSKI §6.7, §6.8). Who may have what is
judged as over HTTPS (est.py)."""
import base64

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from brski_peer import certs, coap, constrained, forge
from brski_peer.coap_server import Answer

from .registrar_coap_blocks import etag_of
from .rules import Refused

CRTS_MAX = 3


class CoapEst:
    """What the CoAP side inherits; it has rule, refuse, registrar, accepted() and format_is()."""

    def crts(self, request, _asked):
        kind = self.accepted(request, constrained.PKCS7_CERTS, constrained.MULTIPART, constrained.PKIX_CERT)
        body = self.anchors(kind)
        tag = etag_of(body)
        if request.message.option(coap.ETAG) == tag and self.rule("says 2.03 to who has them already"):
            return Answer("2.03", etag=tag)
        return Answer("2.05", body, kind, etag=tag)

    def anchors(self, kind):
        """The issuing CA first, then upwards."""
        domain = self.registrar.domain
        chain = [domain.issuing.cert, domain.root]
        if kind == constrained.PKCS7_CERTS:
            return forge.certs_only(chain)
        if kind == constrained.PKIX_CERT:
            one = self.rule("sends one CA as 287")
            return forge.der(chain[0]) if one else b"".join(map(forge.der, chain))
        if not self.rule("lists the issuing CA first"):
            chain.reverse()
        if not self.rule("lists three certificates at most"):
            chain += [self.registrar.lab.other_domain.root] * CRTS_MAX
        return cbor2.dumps([item for c in chain for item in (constrained.PKIX_CERT, forge.der(c))])

    def request_in(self, request):
        self.format_is(request, constrained.PKCS10)
        try:
            csr = x509.load_der_x509_csr(request.body)
        except ValueError as e:
            raise Refused(400, "That is no certification request.") from e
        self.refuse("verifies the request's own signature", not csr.is_signature_valid, 400,
                    "The request is not signed with its key.")
        return csr

    def issued(self, request):
        kind = self.accepted(request, constrained.PKCS7_CERTS, constrained.PKIX_CERT)
        cert = self.registrar.est.certificate(request.body)
        if request.accept == constrained.PKIX_CERT and not self.rule("gives a bare certificate to who wants one"):
            kind = constrained.PKCS7_CERTS
        if kind == constrained.PKIX_CERT:
            return Answer("2.04", forge.der(cert), kind)
        octets = forge.certs_only([cert])
        if request.accept == constrained.PKCS7_CERTS and not self.rule("sends DER over CoAP"):
            octets = base64.b64encode(octets)
        return Answer("2.04", octets, kind)

    def enroll(self, request, asked):
        est = self.registrar.est
        est.may_enrol(asked)
        est.judge_first(asked, self.request_in(request))
        return self.issued(request)

    def renew(self, request, asked):
        est = self.registrar.est
        est.may_renew(asked)
        est.judge_renewal(asked, self.request_in(request))
        return self.issued(request)

    def keygen(self, request, asked):
        """A key in clear, inside DTLS only, and the certificate that goes with it."""
        est = self.registrar.est
        est.may_enrol(asked)
        est.judge_first(asked, self.request_in(request))
        self.accepted(request, constrained.MULTIPART)
        key = certs.new_key()
        cert = forge.issue(self.registrar.domain.issuing, request.body, key=key)
        der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption())
        kind = constrained.PKCS8 if self.rule("says that a key is plain") else constrained.PKCS7_KEY
        return Answer("2.04", cbor2.dumps([kind, der, constrained.PKCS7_CERTS, forge.certs_only([cert])]),
                      constrained.MULTIPART)
