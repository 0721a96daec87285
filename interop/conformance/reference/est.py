# SPDX-License-Identifier: Apache-2.0
"""EST over HTTPS as the reference registrar has it (RFC 7030, RFC 8951)."""
import base64
import re

from cryptography import x509

from brski_peer import forge
from brski_peer.pledge import est_body
from brski_peer.server import Answer

from ..trial_masa import leads_to
from .rules import Refused

BASE = "/.well-known/est/"
CERTS_TYPE = "application/pkcs7-mime; smime-type=certs-only"


class Est:
    def __init__(self, registrar):
        self.registrar = registrar
        self.rule, self.refuse = registrar.rule, registrar.refuse

    def routes(self):
        return {BASE + "cacerts": ("GET", self.cacerts), BASE + "csrattrs": ("GET", self.csrattrs),
                BASE + "simpleenroll": ("POST", self.simpleenroll),
                BASE + "simplereenroll": ("POST", self.simplereenroll)}

    def cacerts(self, _request):
        domain = self.registrar.domain
        chain = [domain.issuing.cert, domain.root]
        if not self.rule("serves the whole chain"):
            chain = chain[:1]
        return Answer(200, est_body(forge.certs_only(chain)), CERTS_TYPE)

    def csrattrs(self, _request):
        return Answer(204)

    def request_in(self, request):
        """(DER, parsed) of a certification request whose signature holds."""
        kind = (request.header("content-type") or "").split(";")[0].strip().lower()
        self.refuse("takes application/pkcs10 only", kind != "application/pkcs10", 415,
                    "application/pkcs10, please.")
        try:
            der = base64.b64decode(re.sub(rb"\s", b"", request.body), validate=True)
            csr = x509.load_der_x509_csr(der)
        except Exception as e:
            raise Refused(400, "That is no certification request.") from e
        self.refuse("verifies the request's own signature", not csr.is_signature_valid, 400,
                    "The request is not signed with its key.")
        return der, csr

    def issued(self, der):
        cert = forge.issue(self.registrar.domain.issuing, der)
        certs = [cert] if self.rule("sends the new certificate alone") else [
            cert, self.registrar.domain.issuing.cert]
        return Answer(200, est_body(forge.certs_only(certs)), CERTS_TYPE)

    def simpleenroll(self, request):
        self.may_enrol(request)
        der, csr = self.request_in(request)
        self.judge_first(request, csr)
        return self.issued(der)

    def simplereenroll(self, request):
        self.may_renew(request)
        der, csr = self.request_in(request)
        self.judge_renewal(request, csr)
        return self.issued(der)

    # -- what holds over CoAPS as well

    def may_enrol(self, request):
        client = self.registrar.client(request)
        self.refuse("enrols after the voucher only", not client.trusted, 403,
                    "First a voucher and a history without fault.")

    def judge_first(self, request, csr):
        idevid = forge.parse(request.peer_der)
        self.refuse("issues for the device's own subject only", csr.subject != idevid.subject, 403,
                    "The subject is not yours.")

    def may_renew(self, request):
        if not request.peer_der:
            raise Refused(403, "Show a certificate.")
        domain = self.registrar.domain
        ldevid = forge.parse(request.peer_der)
        ours = leads_to(ldevid, [domain.issuing.cert], [domain.root])
        self.refuse("renews its own certificates only", not ours, 403, "That is no certificate of ours.")

    def judge_renewal(self, request, csr):
        ldevid = forge.parse(request.peer_der)
        self.refuse("keeps subject and names in a renewal",
                    csr.subject != ldevid.subject or names(csr) != names(ldevid), 403,
                    "Subject and alternative names stay as they are.")


def names(holder):
    """subjectAltName of a request or a certificate; None without one."""
    try:
        return holder.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
