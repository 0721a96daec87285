# SPDX-License-Identifier: Apache-2.0
"""The reference pledge's request for a voucher in COSE and its judgement of the answer
(draft-ietf-anima-constrained-voucher §7, §9; RFC 8366bis §8)."""
import hashlib

from cryptography import x509

from brski_peer import cose, forge

from ..trial_masa import leads_to
from . import cose_flaws
from .forms import VOUCHER, CoseForm, Unreadable
from .masa_chain import revoked

FORM = "proximity-registrar-pubk"
PIN_OF_FORM = "pinned-domain-pubk"
# In the order they count when the voucher answers no request.
PINS = ("pinned-domain-pubk-sha256", "pinned-domain-pubk", "pinned-domain-cert")


class BadVoucher(Exception):
    """The voucher is refused; the text goes into the report."""


class Failed(Exception):
    """The attempt ends here."""


def request(rule, p):
    """The signed request."""
    changes, how = {}, {}
    if not rule("names its registrar over CoAP"):
        changes["proximity_registrar_pubk"] = forge.spki(p.identity.cert)
    if not rule("makes nonces of 8 octets at least"):
        changes["nonce"] = b"\x01" * 4
    if not rule("says its serial-number over CoAP"):
        changes["serial_number"] = "UNKNOWN"
    if not rule("writes every leaf in its type"):
        changes["created_on"] = 1_700_000_000
    if not rule("leaves idevid-issuer to the registrar"):
        changes["idevid_issuer"] = forge.aki_tlv(p.identity.cert)
    if not rule("tags its request"):
        how["tag"] = False
    if not rule("signs as COSE has it"):
        how["der"] = True
    if not rule("names the container of its request"):
        return wrong_container(p)
    return p.pvr(proximity=FORM, how=how, **changes)


def wrong_container(p):
    """Its leaves in the container of a voucher."""
    return cose.sign(cose.encode("voucher", cose.parse(p.pvr(proximity=FORM)).fields), p.identity)


class Judge:
    """Of one voucher; pinned: the certificate to trust from now on, or None where a key is pinned."""

    def __init__(self, attempt, asked):
        self.attempt, self.asked = attempt, asked
        self.rule, self.anchors, self.chain = attempt.rule, attempt.anchors, attempt.chain
        self.pinned = None

    def refuse(self, rule, wrong, why):
        if wrong and self.rule(rule):
            raise BadVoucher(why)

    def judge(self, octets):
        """Form and signature first, then what it says."""
        flaw = cose_flaws.flaw(octets)
        if flaw:
            self.refuse(flaw, True, "That is no voucher in COSE.")
        self.tolerate(octets)
        try:
            message = CoseForm.read(octets, self.anchors)
        except Unreadable as e:
            if flaw:
                return None
            raise BadVoucher("The voucher cannot be read.") from e
        if not flaw or message.signer:
            self.signer(message)
        self.refuse("reads vouchers only over CoAP", message.container != VOUCHER, "That is no voucher.")
        self.leaves(message.fields)
        self.pin(message.fields)
        return self.pinned

    def tolerate(self, octets):
        """What a mutant stumbles over."""
        try:
            box = cose.parse(octets)
            fields = box.fields
        except Exception:
            return
        if not box.tagged and not self.rule("reads vouchers without a tag"):
            raise BadVoucher("Where is the tag?")
        if isinstance(box.unprotected.get(cose.X5BAG), list) and not self.rule("reads arrays of certificates"):
            raise BadVoucher("That is no certificate.")
        known = cose.DELTAS["voucher"].values()
        more = {name for name in fields if name == "extensions" or name not in known}
        if more and not self.rule("passes over extensions over CoAP"):
            raise BadVoucher("What is that?")

    def signer(self, message):
        signer = message.signer
        self.refuse("verifies the signature over CoAP", signer is None, "The signature does not hold.")
        known = signer is None or leads_to(signer, message.certs, self.anchors)
        self.refuse("has its manufacturer built in", not known, "Not the manufacturer signed it.")

    def leaves(self, fields):
        self.refuse("compares the serial-number over CoAP",
                    fields.get("serial-number", self.asked["serial-number"]) != self.asked["serial-number"],
                    "It is for another device.")
        nonce = self.asked["nonce"]
        self.refuse("compares the nonce over CoAP", fields.get("nonce", nonce) != nonce,
                    "It answers another request.")

    def pin(self, fields):
        """The certificate or the key that the voucher pins; the registrar has to fit it."""
        there = [name for name in PINS if name in fields]
        if not there:
            raise BadVoucher("It pins nobody.")
        name = there[0]
        if PIN_OF_FORM in there and "nonce" in fields:
            name = PIN_OF_FORM
        if len(there) > 1 and not self.rule("takes the pin in the form of its request over CoAP"):
            name = there[-1] if name == there[0] else there[0]
        self.refuse("wants the registrar to lead to the pin over CoAP", not self.fits(name, fields[name]),
                    "The registrar is not of the domain it pins.")
        if fields.get("domain-cert-revocation-checks"):
            points = forge.extension(self.chain[0], x509.oid.ExtensionOID.CRL_DISTRIBUTION_POINTS)
            self.refuse("checks revocation over CoAP where the voucher says so",
                        not points or revoked(self.chain[0]), "The registrar may be revoked.")

    def fits(self, name, pin):
        spki = forge.spki(self.chain[0])
        if name == "pinned-domain-cert":
            self.pinned = forge.parse(pin)
            return leads_to(self.chain[0], self.chain, [self.pinned])
        return pin == (hashlib.sha256(spki).digest() if name == PINS[0] else spki)
