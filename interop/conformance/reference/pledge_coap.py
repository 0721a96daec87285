# SPDX-License-Identifier: Apache-2.0
"""The reference pledge over CoAPS (draft-ietf-anima-constrained-voucher): rv, vs, crts where they are
needed, sen, and es over a new association."""
import socket

from cryptography import x509

from brski_peer import certs, coap, constrained, cose, dtls, forge

from ..trial_masa import leads_to
from .forms import CoseForm, VOUCHER, Unreadable

FRAGMENT = 512
TIMEOUT_S = 5
FAILURES = (coap.Silence, coap.Malformed, dtls.Failed, socket.error, ValueError)


class CoapAttempt:
    """One registrar, from the handshake to the certificate."""

    def __init__(self, pledge, identity, anchors, url):
        self.rule, self.pledge = pledge.rule, pledge
        self.identity, self.anchors = identity, anchors
        host, _, port = url.removeprefix("coaps://").rpartition(":")
        self.host, self.port = host, int(port.rstrip("/"))

    def refuse(self, rule, wrong, why):
        if wrong and self.rule(rule):
            raise BadVoucher(why)

    def run(self):
        p = self.connect()
        with p:
            self.chain = [forge.parse(der) for der in p.client.link.peer_chain]
            self.voucher(p)
            roots = self.crts(p)
            if not self.rule("asks for no attributes over CoAP"):
                p.att()
            ldevid = self.enroll(p, roots)
        with self.connect(ldevid) as enrolled:
            if self.rule("sends es true over CoAP"):
                enrolled.enrollstatus(True)
        return ldevid

    def connect(self, identity=None):
        fragment = FRAGMENT if self.rule("offers a small fragment length") else None
        return constrained.Pledge(self.port, identity or self.identity, host=self.host,
                                  max_fragment=fragment, timeout=TIMEOUT_S, ack_timeout=0.5)

    # -- the voucher

    def voucher(self, p):
        form = "proximity-registrar-pubk"
        changes = {}
        if not self.rule("names its registrar over CoAP"):
            changes[form] = forge.spki(self.identity.cert)
        octets = p.pvr(proximity=form, **{k.replace("-", "_"): v for k, v in changes.items()})
        asked = cose.parse(octets).fields
        reply = p.request_voucher(octets)
        if reply.said != "2.04":
            raise Failed(f"rv: {reply.said}")
        try:
            self.judge(reply.payload, asked)
        except BadVoucher as e:
            if self.rule("sends vs false over CoAP"):
                p.voucher_status(False, reason=str(e))
            raise
        if self.rule("sends vs true over CoAP"):
            p.voucher_status(True)

    def judge(self, octets, asked):
        try:
            message = CoseForm.read(octets, self.anchors)
        except Unreadable as e:
            raise BadVoucher("The voucher cannot be read.") from e
        trusted = message.signer is not None and leads_to(message.signer, message.certs, self.anchors)
        self.refuse("verifies the signer of the voucher over CoAP", not trusted,
                    "Not the manufacturer signed it.")
        fields = message.fields
        self.refuse("reads vouchers only over CoAP", message.container != VOUCHER, "That is no voucher.")
        self.refuse("compares the serial-number over CoAP",
                    fields.get("serial-number") != asked["serial-number"], "It is for another device.")
        self.refuse("compares the nonce over CoAP",
                    fields.get("nonce", asked["nonce"]) != asked["nonce"], "It answers another request.")
        self.pin(fields)

    def pin(self, fields):
        """The certificate or the key that the voucher pins; the registrar has to fit it."""
        self.pinned = None
        if "pinned-domain-cert" in fields:
            self.pinned = forge.parse(fields["pinned-domain-cert"])
            fits = leads_to(self.chain[0], self.chain, [self.pinned])
        else:
            fits = fields.get("pinned-domain-pubk") == forge.spki(self.chain[0])
        self.refuse("wants the registrar to lead to the pin over CoAP", not fits,
                    "The registrar is not of the domain it pins.")

    # -- EST

    def crts(self, p):
        """The domain's certificates; not needed when a root is pinned that issues itself."""
        if self.pinned is not None and self.pinned.issuer == self.pinned.subject:
            return [self.pinned]
        reply = p.crts()
        if reply.said != "2.05":
            raise Failed(f"crts: {reply.said}")
        return constrained.certs_of(reply)

    def enroll(self, p, roots):
        reply, key = p.enroll()
        if reply.said != "2.04":
            raise Failed(f"sen: {reply.said}")
        cert = constrained.certs_of(reply)[0]
        anchors = roots + ([self.pinned] if self.pinned is not None else [])
        good = forge.spki(cert) == spki_of(key) and leads_to(cert, roots, anchors)
        if not good and self.rule("checks its new certificate over CoAP"):
            p.enrollstatus(False, reason="The certificate is not ours.")
            raise Failed("the new certificate is not ours")
        folder = self.pledge.lab.folder("reference-pledge")
        return forge.save(folder, p.nonce.hex(), key, [cert])


def spki_of(key):
    return forge.spki(certs.make_cert(x509.Name([]), key=key).cert)


class BadVoucher(Exception):
    """The voucher is refused; the text goes into the report."""


class Failed(Exception):
    """The attempt ends here."""
