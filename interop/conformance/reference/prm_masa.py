# SPDX-License-Identifier: Apache-2.0
"""An honest and strict MASA of pledges in responder mode (draft-ietf-anima-brski-prm §6.4, §7.3.1)."""
import base64

from brski_peer import forge, jws, prm, voucher
from brski_peer.server import Answer, Server

from ..trial_masa import leads_to
from .prm_pledge_judgement import holds
from .rules import Refused, Role, answered


class ReferencePrmMasa(Role, Server):
    profiles = ("prm",)

    def __init__(self, lab, folder, rules, variant="plain"):
        Role.__init__(self, lab, folder, rules, variant)
        shown = lab.maker.make_tls("localhost")
        Server.__init__(self, shown.cert_path, shown.key_path, any_client=True)
        self.known = set()
        self.addresses = {"https": ("localhost", self.port)}
        self.files = {"voucher_anchors": lab.maker.anchors}
        self.actions = {"import": self.learn}

    def start(self):
        return Server.start(self)

    def stop(self):
        Server.stop(self)

    def learn(self, serial, **_more):
        self.known.add(serial)

    def lapses(self, rule, when=True):
        """Does the mutant go wrong here? The rule is met only then."""
        return when and not self.rule(rule)

    def handle(self, request):
        answer = answered(self.request_voucher, request)
        if 400 <= answer.status < 500 and self.lapses("says why in plain text"):
            answer.body, answer.content_type = b"", None
        return answer

    def request_voucher(self, request):
        if (request.method, request.path) != ("POST", prm.BASE + "requestvoucher"):
            raise Refused(404, "There is nothing here.")
        kind = (request.header("content-type") or "").split(";")[0].strip().lower()
        self.refuse("knows the media types it reads", kind != prm.VOUCHER_TYPE, 415, "Not read here.")
        accept = request.header("accept") or "*/*"
        self.refuse("refuses what it cannot answer in", accept not in (prm.VOUCHER_TYPE, "*/*"), 406, "Not here.")
        try:
            box, rvr = prm.opened(request.body)
            pvr_box, pvr = prm.opened(base64.b64decode(rvr["prior-signed-voucher-request"]))
        except Exception as e:
            raise Refused(400, "That is no request.") from e
        self.judge_signatures(box, rvr, pvr_box, pvr)
        proven = "agent-sign-cert" in rvr
        if proven:
            self.judge_proximity(box, rvr, pvr)
        self.judge_serials(rvr, pvr, pvr_box)
        return self.answer(box, rvr, proven)

    # -- what comes

    def judge_signatures(self, box, rvr, pvr_box, pvr):
        self.refuse("verifies the registrar's signature", holds(box.signatures[0]) is None, 403,
                    "The registrar's signature does not hold.")
        self.refuse("knows its devices", rvr["serial-number"] not in self.known, 404, "No such device.")
        self.refuse("verifies the pledge's signature", holds(pvr_box.signatures[0]) is None, 403,
                    "The pledge's signature does not hold.")
        device = pvr_box.signatures[0].certs
        self.refuse("takes requests of its own devices only",
                    not leads_to(device[0], device, [self.lab.maker.root]), 403, "No device of ours.")
        self.refuse("compares both nonces", rvr.get("nonce") != pvr.get("nonce"), 403, "The nonces differ.")

    def judge_proximity(self, box, rvr, pvr):
        """The registrar of the trigger, the agent and the signer belong together."""
        domain = [c for c in box.certs if forge.is_ca(c)]
        named = forge.parse(base64.b64decode(pvr[prm.PROXIMITY]))
        shown = rvr["agent-sign-cert"]
        agent = [forge.parse(base64.b64decode(c)) for c in ([shown] if isinstance(shown, str) else shown)]
        self.refuse("compares the domains of both registrars", not leads_to(named, domain, domain), 403,
                    "The pledge was told of another domain's registrar.")
        if self.lapses("takes triggers for sister registrars", named != box.certs[0]):
            raise Refused(403, "That is another registrar.")
        self.refuse("compares the domains of registrar and agent",
                    not leads_to(agent[0], [*agent, *domain], domain), 403, "The agent is of another domain.")
        signed = jws.parse(base64.b64decode(pvr[prm.SIGNED_DATA])).signatures[0]
        if signed.signer(agent[:1]) is None:
            self.refuse("finds the agent's key by its identifier", True, 403, "Somebody else has signed.")
            return
        try:
            signed.verify(agent[:1], typ=signed.header.get("typ"))
        except Exception:
            self.refuse("verifies the agent's signature", True, 403, "The agent's signature does not hold.")

    def judge_serials(self, rvr, pvr, pvr_box):
        agents = prm.leaves(jws.parse(base64.b64decode(pvr[prm.SIGNED_DATA])))["serial-number"]
        self.refuse("compares the agent's serial-number", agents != pvr["serial-number"], 403,
                    "The agent meant another device.")
        self.refuse("compares the registrar's serial-number", rvr["serial-number"] != pvr["serial-number"], 403,
                    "The registrar means another device.")
        self.refuse("compares the serial-number with the device's certificate",
                    pvr["serial-number"] != voucher.serial_of(pvr_box.signatures[0].certs[0]), 403,
                    "The device means another one.")

    # -- what goes

    def answer(self, box, rvr, proven):
        pin = forge.lowest_ca(box.certs, box.certs[0])
        assertion = "agent-proximity" if proven else "logged"
        if proven and self.lapses("says agent-proximity when it is proven"):
            assertion = "logged"
        if not proven and self.lapses("says agent-proximity only when it is proven"):
            assertion = "agent-proximity"
        fields = {prm.CREATED: voucher.timestamp(), "assertion": assertion, "serial-number": rvr["serial-number"],
                  "nonce": rvr["nonce"], "pinned-domain-cert": forge.b64(forge.der(pin))}
        if self.lapses("copies the nonce"):
            fields["nonce"] = voucher.new_nonce()
        if self.lapses("copies the serial-number"):
            fields["serial-number"] += "0"
        if self.lapses("pins a certificate of the registrar's chain"):
            fields["pinned-domain-cert"] = forge.b64(self.lab.other_domain.issuing.der)
        maker = self.lab.maker if self.rule("signs as the manufacturer") else self.lab.stranger
        made = jws.sign_voucher(fields, maker.signer)
        kind = prm.VOUCHER_TYPE if self.rule("answers in the type of the request") else prm.JOSE_TYPE
        return Answer(200, made if self.rule("writes the General JSON Serialization") else jws.flattened(made), kind)
