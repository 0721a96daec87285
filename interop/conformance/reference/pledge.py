# SPDX-License-Identifier: Apache-2.0
"""An honest and strict pledge over HTTPS (RFC 8995 §5): one attempt per registrar it is given."""
import base64
import ssl

from brski_peer import cms, forge, voucher, wire
from brski_peer.certs import make_csr, new_key
from brski_peer.pledge import CMS_TYPE, Pledge, certs_of, est_body
from brski_peer.server import chain_of

from ..trial_masa import leads_to
from .pledge_coap import FAILURES, BadVoucher, CoapAttempt, Failed
from .rules import Role

TIMEOUT_S = 5


class ReferencePledge(Role):
    profiles = ("rfc8995", "8366bis", "cbrski", "est", "est-coaps")
    options = {"pledge": {"coaps": True}}

    def __init__(self, lab, folder, rules, variant="plain"):
        super().__init__(lab, folder, rules, variant)
        self.actions = {"join": self.join}
        self.enrolled = {}    # device_state → the identity it got
        self.usual_nonce = voucher.new_nonce()

    def join(self, key, certificate, anchors, urls, device_state, **_more):
        """Exit code and output, as a program would have them."""
        if str(device_state) in self.enrolled and self.rule("starts only when it has not joined"):
            return 0, "already enrolled"
        said = []
        for url in urls.split():
            kind = CoapAttempt if url.startswith("coaps:") else Attempt
            try:
                attempt = kind(self, forge.load(key, certificate), forge.load_certs(anchors), url)
                self.enrolled[str(device_state)] = attempt.run()
                return 0, "joined"
            except (Failed, BadVoucher, wire.Closed, AssertionError, *FAILURES) as e:
                said.append(f"{url}: {type(e).__name__}: {e}")
        return 1, "\n".join(said)


class Attempt:
    """One registrar, from the handshake to the certificate."""

    def __init__(self, pledge, identity, anchors, url):
        self.rule, self.pledge = pledge.rule, pledge
        self.identity, self.anchors = identity, anchors
        host, _, port = url.removeprefix("https://").rpartition(":")
        self.host, self.port = host, int(port.rstrip("/"))

    def refuse(self, rule, wrong, why, kind=BadVoucher):
        """As Role.refuse(), with an exception of the pledge's own."""
        if wrong and self.rule(rule):
            raise kind(why)

    def run(self):
        with self.connect() as p:
            self.chain = [forge.parse(der) for der in chain_of(p.connection.tls)]
            self.voucher(p)
            roots = self.cacerts(p)
            self.csrattrs(p)
            ldevid = self.enroll(p, roots)
        return ldevid

    def connect(self, identity=None):
        how = {}
        if not self.rule("takes any certificate until the voucher"):
            root = self.pledge.lab.domain.file("root.crt")  # as if it had joined there before
            how["context"] = ssl.create_default_context(cafile=str(root))
            how["context"].check_hostname = False
            how["context"].load_cert_chain(self.identity.cert_path, self.identity.key_path)
        return Pledge(self.port, identity or self.identity, host=self.host, timeout=TIMEOUT_S, **how)

    # -- the voucher

    def request(self, p):
        """The signed request, and the leaves of it."""
        changes = {}
        if not self.rule("makes a new nonce each time"):
            changes["nonce"] = self.pledge.usual_nonce
        if not self.rule("names its registrar"):
            changes["proximity_registrar_cert"] = forge.b64(self.identity.der)
        if not self.rule("says its serial-number"):
            changes["serial_number"] = "UNKNOWN"
        signer = self.identity
        if not self.rule("signs its request"):
            signer = forge.certs.make_cert(self.identity.cert.subject)
        asked = p.pvr(signer=signer, **changes)
        return asked, voucher.decode(cms.parse(asked).payload)[1]

    def voucher(self, p):
        octets, asked = self.request(p)
        accept = CMS_TYPE if self.rule("says what it accepts") else None
        reply = p.request_voucher(octets, accept=accept)
        if reply.status != 200:
            raise Failed(f"requestvoucher: {reply.status}")
        try:
            self.judge(reply.body, asked)
        except BadVoucher as e:
            self.report(p, "voucher_status", False, reason=str(e))
            raise
        self.report(p, "voucher_status", True)

    def report(self, p, step, status, **more):
        if self.rule(f"sends {step} {str(status).lower()}"):
            p.report(step, {"version": 1, "status": status, **more})

    def judge(self, octets, asked):
        """Signature first, then what it says."""
        try:
            box = cms.parse(octets)
            top, fields = voucher.decode(box.payload)
            signer = box.verify(self.anchors)
        except Exception as e:
            raise BadVoucher("The voucher cannot be read.") from e
        self.refuse("verifies the signer of the voucher", not leads_to(signer, box.certs, self.anchors),
                    "Not the manufacturer signed it.")
        self.refuse("reads vouchers only", top != voucher.VOUCHER, "That is no voucher.")
        self.refuse("compares the serial-number", fields.get("serial-number") != asked["serial-number"],
                    "It is for another device.")
        self.refuse("compares the nonce", fields.get("nonce", asked["nonce"]) != asked["nonce"],
                    "It answers another request.")
        self.pin(fields)

    def pin(self, fields):
        try:
            self.pinned = forge.parse(base64.b64decode(fields["pinned-domain-cert"], validate=True))
        except (KeyError, ValueError) as e:
            raise BadVoucher("It pins nothing.") from e
        self.refuse("wants the registrar to lead to the pin",
                    not leads_to(self.chain[0], self.chain, [self.pinned]),
                    "The registrar is not of the domain it pins.")

    # -- EST

    def cacerts(self, p):
        reply = p.cacerts()
        if reply.status != 200:
            raise Failed(f"cacerts: {reply.status}")
        return certs_of(reply)

    def csrattrs(self, p):
        reply = p.csrattrs()
        if reply.status not in (200, 204, 404):
            raise Failed(f"csrattrs: {reply.status}")

    def enroll(self, p, roots):
        key = new_key()
        csr = make_csr(key, self.identity.cert.subject)
        reply = p.post_csr(est_body(csr))
        if reply.status != 200:
            raise Failed(f"simpleenroll: {reply.status}")
        cert = certs_of(reply)[0]
        good = (forge.spki(cert) == forge.spki(forge.certs.make_cert(cert.subject, key=key).cert)
                and leads_to(cert, roots, [*roots, self.pinned]))
        self.refuse("checks its new certificate", not good, "The certificate is not ours.", Failed)
        ldevid = forge.save(self.pledge.lab.folder("reference-pledge"), p.exchange, key, [cert])
        with self.connect(ldevid) as enrolled:
            enrolled.enrollstatus(True)
        return ldevid
