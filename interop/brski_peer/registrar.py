# SPDX-License-Identifier: Apache-2.0
"""A registrar that can lie in each way a pledge has to notice. It makes vouchers itself with the
manufacturer's signer and issues certificates with the domain's CA; every request is recorded.

Override a step: set `on["requestvoucher"]` (or "voucher_status", "cacerts", "csrattrs",
"simpleenroll", "simplereenroll", "enrollstatus") to a function of the request that returns an Answer,
None to hang up, or NotImplemented for the honest answer.
"""
import base64
import json

from . import cmp, forge, jws
from .pledge import est_body
from .server import Answer, Server, text

CMS_TYPE = "application/voucher-cms+json"


class FakeRegistrar(Server):
    def __init__(self, certificate, key, domain_dir, manufacturer_dir, port=0, **more):
        super().__init__(certificate, key, port,
                         client_anchors=[manufacturer_dir / "root.crt", domain_dir / "root.crt"],
                         **more)
        masa = manufacturer_dir / "masa"
        self.signer = forge.load(masa / "masa-signer.key", masa / "masa-signer.crt")
        self.ca = forge.load(domain_dir / "issuing.key", domain_dir / "issuing.crt")
        self.root = forge.load_certs(domain_dir / "root.crt")[0]
        self.pin = self.ca.cert
        self.lie = None        # fields → fields of the voucher
        self.cms = {}          # arguments for its signing
        self.jws = {}          # the same for one in JWS
        self.reshape = None    # octets of a voucher in JWS → other octets
        self.attributes = None  # csrattrs: DER; None answers 204
        self.profile = {}      # changes to the certificate issued
        self.cmp_signer = forge.load(key, certificate)  # who protects answers over CMP
        self.on = {}

    def handle(self, request):
        step = request.path.rsplit("/", 1)[-1]
        if step in self.on:
            answered = self.on[step](request)
            if answered is not NotImplemented:
                return answered
        honest = {"requestvoucher": self.voucher, "voucher_status": self.noted,
                  "enrollstatus": self.noted, "cacerts": self.cacerts, "csrattrs": self.csrattrs,
                  "simpleenroll": self.enroll, "simplereenroll": self.enroll,
                  "initialization": self.cmp_answer, "pkcs10": self.cmp_answer}.get(step)
        return honest(request) if honest else text(404, "nothing here\n")

    # -- what tests ask

    def reports(self, step):
        return [json.loads(r.body) for r in self.seen(step)]

    def steps(self):
        return [r.path.rsplit("/", 1)[-1] for r in self.seen()]

    # -- honest answers

    def voucher(self, request):
        if request.header("content-type") == jws.MEDIA_TYPE:
            return Answer(200, self.make_jws_voucher(request.body), jws.MEDIA_TYPE)
        return Answer(200, self.make_voucher(request.body), CMS_TYPE)

    def make_jws_voucher(self, pvr_octets):
        fields = forge.voucher_fields(jws.leaves(pvr_octets), pin=self.pin)
        octets = jws.sign_voucher(self.lie(fields) if self.lie else fields, self.signer, **self.jws)
        return self.reshape(octets) if self.reshape else octets

    def make_voucher(self, pvr_octets, lie=None, signer=None, **cms):
        fields = forge.voucher_fields(forge.read(pvr_octets).fields, pin=self.pin)
        lie = lie or self.lie
        if lie:
            fields = lie(fields)
        return forge.sign_voucher(fields, signer or self.signer, **(cms or self.cms))

    def noted(self, _request):
        return Answer(200)

    def cacerts(self, _request):
        body = est_body(forge.certs_only([self.ca.cert, self.root]))
        return Answer(200, body, "application/pkcs7-mime; smime-type=certs-only")

    def csrattrs(self, _request):
        if self.attributes is None:
            return Answer(204)
        return Answer(200, est_body(self.attributes), "application/csrattrs")

    def enroll(self, request):
        csr = base64.b64decode(request.body)
        return self.certificate_answer(forge.issue(self.ca, csr, **self.profile))

    def cmp_answer(self, request):
        """Whatever protects the request, somebody else judges it."""
        asked = cmp.parse(request.body)
        if asked.kind == "cert_conf":
            octets = cmp.reply(asked, self.cmp_signer, "pkiconf", cmp.core.Null())
        else:
            subject, public = asked.subject_and_key()
            made = forge.certs.make_cert(subject, self.ca, public_key=public, eku=[forge.certs.CLIENT_AUTH],
                                         key_usage={"digital_signature"})
            kind = "cp" if asked.kind == "p10cr" else "ip"
            octets = cmp.reply(asked, self.cmp_signer, kind, cmp.grant(asked, made.cert, [self.root]))
        return Answer(200, octets, cmp.MEDIA_TYPE)

    @staticmethod
    def certificate_answer(*certs):
        return Answer(200, est_body(forge.certs_only(list(certs))),
                      "application/pkcs7-mime; smime-type=certs-only")
