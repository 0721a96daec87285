# SPDX-License-Identifier: Apache-2.0
"""What the reference pledge in responder mode holds against what it is sent."""
import base64

from cryptography.hazmat.primitives.serialization import pkcs7

from brski_peer import forge, prm

from ..trial_masa import leads_to
from .rules import Refused


def holds(signature):
    """The signer's certificate when the signature holds, else None."""
    try:
        return signature.verify(typ=signature.header.get("typ"))
    except Exception:  # whatever may be in it
        return None


class Judgement:
    def judge_voucher(self, d, octets):
        """(what is wrong or None, the pinned certificate)"""
        try:
            box, said = prm.opened(octets)
            pin = forge.parse(base64.b64decode(said["pinned-domain-cert"]))
        except Exception:
            return "The voucher cannot be read.", None
        for rule, why in self.faults(d, box, said, pin):
            if self.rule(rule):
                return why, pin
        return None, pin

    def faults(self, d, box, said, pin):
        """(rule, sentence) of what is wrong, in the order it has to be looked at."""
        masa, *others = box.signatures
        if holds(masa) is None:
            yield "verifies the MASA's signature", "The MASA's signature does not hold."
        elif not leads_to(masa.certs[0], masa.certs, d.anchors):
            yield "wants the manufacturer's MASA", "The signer is not the manufacturer's."
        if said.get("serial-number") != d.serial:
            yield "compares the serial-number", "The voucher is another device's."
        if said.get("nonce", d.nonce) != d.nonce:
            yield "compares the nonce", "The nonce is not mine."
        if d.registrar is None or not leads_to(d.registrar, box.certs, [pin]):
            yield "validates the registrar's certificate of the trigger", "The registrar is not of that domain."
        if not others:
            yield "wants the registrar's signature", "The registrar has not signed."
            return
        signer = holds(others[0])
        if signer is None:
            yield "verifies the registrar's signature", "The registrar's signature does not hold."
        elif not leads_to(signer, others[0].certs, [pin]):
            yield "wants the signer below the pinned certificate", "Somebody else has signed."

    def judge_cas(self, d, octets):
        """The certificates to install."""
        try:
            box = prm.jws.parse(octets)
            found = prm.bag_of(box)
        except Exception as e:
            self.refuse("wants CA certificates it can read", True, 400, "That is no bag of certificates.")
            raise Refused(200, "taken") from e
        if d.pin is None and d.progress == "voucher-error":
            raise Refused(403, "The voucher was wrong.")
        if d.pin is None:
            self.refuse("wants a voucher before CA certificates", True, 403, "There is no voucher yet.")
            return found
        signer = holds(box.signatures[0])
        self.refuse("verifies the signature of CA certificates", signer is None, 403,
                    "The signature does not hold.")
        self.refuse("wants CA certificates from the registrar",
                    signer is not None and not leads_to(signer, box.certs, [d.pin]), 403,
                    "The registrar has not signed that.")
        roots = [c for c in found if c.issuer == c.subject]
        self.refuse("verifies intermediate certificates",
                    not all(leads_to(c, found, [*roots, d.pin]) for c in found), 403,
                    "One of them leads nowhere.")
        return found

    def judge_certificate(self, d, octets):
        """(what is wrong or None, the certificate)"""
        try:
            cert = pkcs7.load_der_pkcs7_certificates(prm.est_der(octets))[0]
        except Exception:
            return "The certificate cannot be read.", None
        known = [*d.cas, *([d.pin] if d.pin else [])]
        if not leads_to(cert, known, known) and self.rule("verifies its certificate with the anchors"):
            return "No anchor leads to the certificate.", cert
        if (d.key is None or forge.spki(cert) != forge.spki(d.key)) \
                and self.rule("compares the key of its certificate"):
            return "The certificate is for another key.", cert
        return None, cert

    def judge_status_trigger(self, d, octets):
        """The kind of status asked for."""
        try:
            box, said = prm.opened(octets)
            kind = said["status-type"]
        except Exception as e:
            self.refuse("wants a status trigger it can read", True, 400, "That is no status trigger.")
            raise Refused(200, "fine") from e
        if d.pin is not None:
            known = [*d.cas, d.pin]
            signer = holds(box.signatures[0])
            self.refuse("verifies who asks for its status",
                        signer is None or not leads_to(signer, [*box.certs, *known], known), 403,
                        "The domain has not signed that.")
        return kind
