# SPDX-License-Identifier: Apache-2.0
"""The reference registrar over CoAPS (RFC 9148, draft-ietf-anima-constrained-voucher): another way in to
the same judgement as over HTTPS."""
import dataclasses
import traceback

import cbor2
from cryptography import x509

from brski_peer import coap, constrained, cose, forge
from brski_peer.coap import Answer

from .forms import CoseForm
from .rules import Refused

CODES = {400: "4.00", 401: "4.01", 402: "4.02", 403: "4.03", 404: "4.04", 405: "4.05", 406: "4.06", 413: "4.13",
         415: "4.15", 500: "5.00", 502: "5.02", 503: "5.03"}
MAX_AGE_S = 1


@dataclasses.dataclass
class Asked:
    """A request as the registrar's judgement wants it."""
    peer_der: bytes
    peer_chain: list
    body: bytes


class CoapSide(coap.Server):
    def __init__(self, registrar):
        super().__init__(registrar.domain.registrar)
        self.registrar, self.rule, self.refuse = registrar, registrar.rule, registrar.refuse

    # -- which function, and errors

    def handle(self, request):
        try:
            return self.route(request)
        except Refused as e:
            options = [(coap.MAX_AGE, coap.uint(MAX_AGE_S))] if e.status == 503 else []
            return Answer(CODES[e.status], e.why.encode()[:80], options=options, close=e.close)
        except Exception:
            return Answer("5.00", traceback.format_exc().encode()[-400:])

    def route(self, request):
        step = self.step_of(request)
        routes = {"rv": ("POST", self.voucher), "vs": ("POST", self.voucher_status),
                  "es": ("POST", self.enrollstatus), "crts": ("GET", self.crts),
                  "sen": ("POST", self.enroll), "sren": ("POST", self.renew)}
        if step not in routes:
            raise Refused(404, "There is nothing here.")
        method, handler = routes[step]
        self.refuse(f"answers {method} only over CoAP", request.method != method, 405, f"{method} only.")
        link = request.link
        return handler(request, Asked(link.peer_der, link.peer_chain, request.body))

    def step_of(self, request):
        """The short name of the function asked for, by its path or by its number."""
        number = request.message.number(coap.ABBREV)
        if number is None:
            roots = {constrained.BRSKI: ("rv", "vs", "es"), constrained.EST: ("crts", "sen", "sren")}
            return next((request.step for root, steps in roots.items()
                         if request.step in steps and request.path == root + request.step), None)
        steps = {n: step for step, n in constrained.ABBREVS.items()}
        beside = request.message.option(coap.URI_PATH) is not None
        if number not in steps or beside:
            return self.bad_option()
        if not self.rule("knows Uri-Path-Abbrev"):
            return None
        return steps[number]

    def bad_option(self):
        if self.rule("refuses unknown abbreviations as a bad option"):
            raise BadOption
        return None

    def format_is(self, request, number):
        self.refuse("knows the formats it reads", request.content_format != number, 415,
                    f"Format {number}, please.")

    def accepted(self, request, *formats):
        """The format to answer in: the first of ours that is accepted."""
        if request.accept is None:
            return formats[0]
        self.refuse("obeys Accept", request.accept not in formats, 406, "Not in that format.")
        return request.accept if request.accept in formats else formats[0]

    # -- BRSKI

    def voucher(self, request, asked):
        client = self.registrar.client(asked)
        self.format_is(request, constrained.VOUCHER)
        self.accepted(request, constrained.VOUCHER)
        octets = self.registrar.voucher_for(CoseForm, asked, client)
        if octets is None:
            return Answer("5.03", options=[(coap.MAX_AGE, coap.uint(MAX_AGE_S))])
        if self.rule("strips certificates from vouchers over CoAP"):
            octets = cose.stripped(octets)
        return Answer("2.04", octets, constrained.VOUCHER)

    def report(self, request):
        self.format_is(request, constrained.CBOR)
        try:
            said = cbor2.loads(request.body)
        except Exception as e:
            raise Refused(400, "That is no report.") from e
        good = (isinstance(said, dict) and type(said.get("version")) is int
                and isinstance(said.get("status"), bool))
        self.refuse("reads well-formed reports only", not good, 400, "That is no report.")
        return said

    def voucher_status(self, request, asked):
        self.registrar.reported(asked, self.registrar.client(asked), self.report(request))
        return Answer("2.04")

    def enrollstatus(self, request, _asked):
        self.report(request)
        return Answer("2.04")

    # -- EST

    def crts(self, request, _asked):
        domain = self.registrar.domain
        chain = [domain.issuing.cert, domain.root]
        kind = self.accepted(request, constrained.PKCS7_CERTS, constrained.MULTIPART,
                             constrained.PKIX_CERT)
        if kind == constrained.PKIX_CERT:
            return Answer("2.05", forge.der(chain[0]), kind)
        if kind == constrained.PKCS7_CERTS:
            return Answer("2.05", forge.certs_only(chain), kind)
        parts = [item for c in chain for item in (constrained.PKIX_CERT, forge.der(c))]
        return Answer("2.05", cbor2.dumps(parts), kind)

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
        cert = forge.issue(self.registrar.domain.issuing, request.body)
        body = forge.der(cert) if kind == constrained.PKIX_CERT else forge.certs_only([cert])
        return Answer("2.04", body, kind)

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


class BadOption(Refused):
    """4.02, which HTTP has no word for."""

    def __init__(self):
        super().__init__(402, "Bad Option")
