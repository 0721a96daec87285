# SPDX-License-Identifier: Apache-2.0
"""The reference pledge's request for a voucher over HTTPS and its judgement of the answer (RFC 8995
§5.2, §5.6.1, §5.6.2)."""
import base64
import datetime
import hashlib

from cryptography import x509

from brski_peer import cms, forge, voucher
from brski_peer.pledge import CMS_TYPE

from ..trial_masa import leads_to
from .forms import CmsForm
from .masa_chain import revoked
from .pledge_coap import BadVoucher

ASSERTIONS = ("verified", "logged", "proximity")
KNOWN_LEAVES = {"created-on", "expires-on", "assertion", "serial-number", "nonce", "pinned-domain-cert",
                "idevid-issuer", "domain-cert-revocation-checks", "last-renewal-date",
                "pinned-domain-pubk-sha256", "est-domain", "additional-configuration-url"}


def request(attempt, p):
    """The signed request, and the leaves of it."""
    rule, identity = attempt.rule, attempt.identity
    changes, how = {}, {}
    if not rule("makes a new nonce each time"):
        changes["nonce"] = attempt.pledge.usual_nonce
    if not rule("names its registrar"):
        changes["proximity_registrar_cert"] = forge.b64(identity.der)
    if not rule("writes binary leaves in base64 on one line"):
        changes["proximity_registrar_cert"] = base64.encodebytes(p.registrar_der).decode()
    if not rule("says its serial-number"):
        changes["serial_number"] = "UNKNOWN"
    if not rule("dates its request"):
        changes["created_on"] = None
    if not rule("leaves out what belongs into vouchers"):
        changes["domain_cert_revocation_checks"] = False
    if not rule("names the type of its content"):
        how["content_type"] = cms.ID_DATA
    if not rule("sends its chain along"):
        how["certs"] = [identity.cert]
    signer = identity
    if not rule("signs its request"):
        signer = forge.certs.make_cert(identity.cert.subject)
    asked = p.pvr(signer=signer, cms=how, **changes)
    fields = voucher.decode(cms.parse(asked).payload)[1]
    return asked if rule("writes DER") else cms.to_ber(asked), fields


class Judge:
    """Of one voucher; pinned: the certificate to trust from now on."""

    def __init__(self, attempt, asked):
        self.attempt, self.asked = attempt, asked
        self.rule, self.refuse = attempt.rule, attempt.refuse
        self.anchors, self.chain = attempt.anchors, attempt.chain

    def judge(self, reply):
        """Signature first, then what it says."""
        sent = reply.header("content-type") or ""
        if sent != self.attempt.media_type and not self.rule("compares media types as such"):
            raise BadVoucher("That is no voucher by its type.")
        fields = self.contents(reply.body)
        if fields is None:
            self.pinned = self.chain[-1]
            return self
        self.leaves(fields)
        self.times(fields)
        self.pin(fields)
        return self

    def contents(self, octets):
        """The leaves of a signed voucher."""
        flaw = CmsForm.flaw(octets)
        if flaw:
            self.refuse(flaw, True, "It is not signed as it should be.")
        try:
            box = cms.parse(octets)
            top, fields = voucher.decode(box.payload)
        except Exception as e:
            if self.rule("joins with a voucher only"):
                raise BadVoucher("The voucher cannot be read.") from e
            return None
        if CmsForm.is_plain_data(octets) and not self.rule("reads the older content type"):
            raise BadVoucher("That is plain data.")
        signer = self.signer(box, octets, flaw)
        self.trusted(box, signer)
        self.refuse("reads vouchers only", top != voucher.VOUCHER, "That is no voucher.")
        return fields

    def signer(self, box, octets, flaw):
        try:
            return box.verify(self.anchors)
        except Exception:
            if not flaw:
                self.refuse("verifies the octets that were signed", True, "The signature does not hold.")
            return CmsForm.named_signer(octets, self.anchors)

    def trusted(self, box, signer):
        rule = "verifies the signer of the voucher"
        if any(c.subject == c.issuer and c not in self.anchors for c in box.certs):
            rule = "takes anchors from nowhere but its memory"
        self.refuse(rule, not leads_to(signer, box.certs, self.anchors), "Not the manufacturer signed it.")

    def leaves(self, fields):
        idevid = self.attempt.identity.cert
        if set(fields) - KNOWN_LEAVES and not self.rule("passes over what it does not know"):
            raise BadVoucher("What is that?")
        self.refuse("compares the serial-number", fields.get("serial-number") != self.asked["serial-number"],
                    "It is for another device.")
        own = forge.b64(forge.aki_tlv(idevid))
        self.refuse("compares the idevid-issuer", fields.get("idevid-issuer", own) != own,
                    "It is for another maker's device.")
        self.refuse("compares the nonce", fields.get("nonce", self.asked["nonce"]) != self.asked["nonce"],
                    "It answers another request.")
        if "nonce" not in fields and not self.rule("takes vouchers without a nonce"):
            raise BadVoucher("It answers no request.")
        assertion = fields.get("assertion")
        self.refuse("knows the assertions", assertion not in ASSERTIONS, "Who asserts what?")
        self.refuse("judges the assertion", self.attempt.policy == "proximity" and assertion == "logged",
                    "That is not enough.")

    def times(self, fields):
        created, ends = fields.get("created-on", ""), fields.get("expires-on")
        if len(created) > len("2026-01-01T00:00:00Z") and not self.rule("reads every form of a time"):
            raise BadVoucher("What time is that?")
        now = datetime.datetime.now(datetime.timezone.utc)
        self.refuse("looks at the end of a voucher", ends is not None and forge.parse_time(ends) < now,
                    "It has ended.")

    def pin(self, fields):
        pinned = fields.get("pinned-domain-cert")
        self.refuse("wants a pin", pinned is None, "It pins nothing.")
        self.pinned = self.chain[-1] if pinned is None else self.certificate(pinned)
        self.hash(fields)
        self.refuse("wants the registrar to lead to the pin",
                    not leads_to(self.chain[0], self.chain, [self.pinned]),
                    "The registrar is not of the domain it pins.")
        odd = self.pinned not in self.chain[1:2] and len(self.chain) > 1 and self.pinned in self.chain
        if odd and not self.rule("takes each certificate of the chain as the pin"):
            raise BadVoucher("That is no issuer.")
        if len(self.chain) == 1 and self.chain[0].subject == self.chain[0].issuer \
                and not self.rule("takes self-signed registrars"):
            raise BadVoucher("Anybody can do that.")
        self.refuse("wants the registrar's certificate to be valid in the end",
                    self.chain[0].not_valid_after < datetime.datetime.utcnow(), "It has ended.")
        self.revocation(fields)

    def certificate(self, leaf):
        octets = base64.b64decode(leaf)
        try:
            return forge.parse(octets)
        except ValueError as e:
            self.refuse("wants certificates in DER", True, "It pins no certificate.")
            if octets.startswith(b"-----BEGIN"):
                return x509.load_pem_x509_certificate(octets)
            raise BadVoucher("It pins no certificate.") from e

    def hash(self, fields):
        """Another form of the pin, which counts for requests that had used that form."""
        other = fields.get("pinned-domain-pubk-sha256")
        right = forge.b64(hashlib.sha256(forge.spki(self.pinned)).digest())
        if other not in (None, right) and not self.rule("takes the pin in the form of its request"):
            raise BadVoucher("It pins two domains.")

    def revocation(self, fields):
        if fields.get("domain-cert-revocation-checks"):
            points = forge.extension(self.chain[0], x509.oid.ExtensionOID.CRL_DISTRIBUTION_POINTS)
            self.refuse("checks revocation where the voucher says so", not points or revoked(self.chain[0]),
                        "The registrar may be revoked.")
