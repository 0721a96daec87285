# SPDX-License-Identifier: Apache-2.0
"""EST over HTTPS as the reference registrar has it (RFC 7030, RFC 8951)."""
import base64
import re

from cryptography import x509

from brski_peer import certs, cms, forge
from brski_peer.pledge import est_body
from brski_peer.server import Answer

from ..trial_masa import leads_to
from .keygen import serverkeygen
from .rules import Refused

BASE = "/.well-known/est/"
CSRATTRS_TYPE = "application/csrattrs"
CHALLENGE_PASSWORD = x509.oid.AttributeOID.CHALLENGE_PASSWORD
EC_PUBLIC_KEY, P384 = "1.2.840.10045.2.1", "1.3.132.0.34"
ASKED = forge.tlv(0x30, forge.oid(CHALLENGE_PASSWORD.dotted_string), forge.tlv(
    0x30, forge.oid(EC_PUBLIC_KEY), forge.tlv(0x31, forge.oid(P384))))
PKI_RESPONSE, STATUS_INFO_V2 = "1.3.6.1.5.5.7.12.3", "1.3.6.1.5.5.7.7.25"
CMC_BAD_REQUEST = forge.tlv(0x30, forge.tlv(0x30, forge.tlv(
    0x30, "020101", forge.oid(STATUS_INFO_V2), forge.tlv(0x31, forge.tlv(0x30, "020102", "3000", "020102")))),
    "3000", "3000")
CERTS_TYPE = "application/pkcs7-mime; smime-type=certs-only"


class Est:
    def __init__(self, registrar):
        self.registrar = registrar
        self.rule, self.refuse = registrar.rule, registrar.refuse

    def routes(self):
        return {BASE + "cacerts": ("GET", self.cacerts), BASE + "csrattrs": ("GET", self.csrattrs),
                BASE + "simpleenroll": ("POST", self.simpleenroll),
                BASE + "simplereenroll": ("POST", self.simplereenroll),
                BASE + "fullcmc": ("POST", self.fullcmc),
                BASE + "serverkeygen": ("POST", lambda request: serverkeygen(self, request))}

    def cacerts(self, request):
        if not request.peer_der and not self.rule("serves cacerts to anybody"):
            raise Refused(401, "Show a certificate.")
        domain = self.registrar.domain
        chain = [domain.issuing.cert, domain.root]
        if self.registrar.variant == "rollover":
            if self.rule("serves the certificates of a rollover"):
                chain += rollover(forge.load(domain.file("root.key"), domain.file("root.crt")))
        elif not self.rule("serves the whole chain"):
            chain = chain[:1]
        octets = forge.certs_only(chain)
        if not self.rule("serves certificates without a signature"):
            octets = cms.sign(b"certificates", domain.registrar, certs=chain)
        kind = CERTS_TYPE if self.rule("serves certificates as PKCS #7") else "application/x-x509-ca-cert"
        return Answer(200, est_body(octets), kind, close=not self.rule("keeps the connection after cacerts"))

    def csrattrs(self, _request):
        if self.registrar.variant != "asking":
            return Answer(204) if self.rule("answers csrattrs in full") else Answer(200, b"", CSRATTRS_TYPE)
        if not self.rule("says what it asks for"):
            return Answer(204)
        return Answer(200, est_body(ASKED), CSRATTRS_TYPE)

    def fullcmc(self, request):
        """It does no more than to refuse as CMC does (RFC 5272 §6.1.1)."""
        self.may_enrol(request)
        if not self.rule("refuses in CMC what came as CMC"):
            raise Refused(400, "No.")
        return Answer(400, est_body(cms.sign(CMC_BAD_REQUEST, self.registrar.identity, content_type=PKI_RESPONSE)),
                      "application/pkcs7-mime; smime-type=CMC-response")

    def request_in(self, request):
        """(DER, parsed) of a certification request whose signature holds."""
        kind = (request.header("content-type") or "").split(";")[0].strip().lower()
        if request.header("content-transfer-encoding") and not self.rule(
                "passes over Content-Transfer-Encoding of a request"):
            raise Refused(400, "No Content-Transfer-Encoding, please.")
        self.refuse("takes application/pkcs10 only", kind != "application/pkcs10", 415,
                    "application/pkcs10, please.")
        try:
            der = base64.b64decode(re.sub(rb"\s", b"", request.body), validate=True)
            csr = x509.load_der_x509_csr(der)
        except Exception as e:
            raise Refused(400, "That is no certification request.") from e
        self.refuse("verifies the request's own signature", not csr.is_signature_valid, 400,
                    "The request is not signed with its key.")
        self.judge_attributes(request, csr)
        return der, csr

    def judge_attributes(self, request, csr):
        """The channel binding, when there is one; whatever csrattrs asks for."""
        try:
            password = csr.attributes.get_attribute_for_oid(CHALLENGE_PASSWORD).value
        except x509.AttributeNotFound:
            password = None
        wrong = password is not None and password != base64.b64encode(request.binding)
        self.refuse("compares the channel binding", wrong, 400, "challengePassword is of another connection.")
        asking = self.registrar.variant == "asking"
        self.refuse("insists on the challengePassword it asks for", asking and password is None, 400,
                    "challengePassword is missing.")
        self.refuse("insists on the key it asks for", asking and csr.public_key().key_size != 384, 400,
                    "The key has to be a P-384 one.")

    def issued(self, der):
        usual = x509.load_der_x509_csr(der).public_key().key_size == 256
        key = None if usual or self.rule("certifies keys of every kind") else certs.new_key()
        cert = forge.issue(self.registrar.domain.issuing, der, key=key)
        sent = [cert] if self.rule("sends the new certificate alone") else [
            cert, self.registrar.domain.issuing.cert]
        return Answer(200, est_body(forge.certs_only(sent)), CERTS_TYPE)

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

    def certificate(self, der):
        """For a request that came over CoAPS."""
        return forge.issue(self.registrar.domain.issuing, der)

    def may_enrol(self, request):
        self.refuse("enrols clients with a certificate only", not request.peer_der, 401, "Show a certificate.")
        if not request.peer_der:  # a mutant's
            return
        client = self.registrar.client(request)
        if client.bad:
            raise Refused(403, "Your history forbids it.")
        elsewhere = client.connection and client.connection != getattr(request, "connection", None)
        if elsewhere and not self.rule("remembers who got a voucher"):
            raise Refused(403, "Nobody has asked for a voucher here.")
        self.refuse("enrols after the voucher only", not client.trusted, 403,
                    "First a voucher and a history without fault.")

    def judge_first(self, request, csr):
        if not request.peer_der:  # a mutant's
            return
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
        if forge.spki(csr) != forge.spki(ldevid) and not self.rule("renews with a new key too"):
            raise Refused(403, "The key stays as it is.")
        self.refuse("keeps subject and names in a renewal",
                    csr.subject != ldevid.subject or names(csr) != names(ldevid), 403,
                    "Subject and alternative names stay as they are.")


def names(holder):
    """subjectAltName of a request or a certificate; None without one."""
    try:
        return holder.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def rollover(old):
    """What tells the new root from the old one: the new one by itself, and each signed with the other's key
    (RFC 4210 §4.4)."""
    name = old.cert.subject
    new = certs.make_cert(name, ca=True, key_usage={"key_cert_sign"}, days=3650)
    old_with_new = certs.make_cert(name, new, key=old.key, ca=True, key_usage={"key_cert_sign"})
    new_with_old = certs.make_cert(name, old, key=new.key, ca=True, key_usage={"key_cert_sign"})
    return [new.cert, old_with_new.cert, new_with_old.cert]
