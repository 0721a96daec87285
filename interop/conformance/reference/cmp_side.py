# SPDX-License-Identifier: Apache-2.0
"""The reference registrar's CMP (BRSKI-AE, RFC 9483): it is the registration authority itself, and protects
its answers with the credential it has shown in TLS."""
from asn1crypto import core
from cryptography.exceptions import InvalidSignature

from brski_peer import cmp, forge
from brski_peer.server import Answer

OPERATIONS = ("initialization", "pkcs10", "getcacerts", "getcertreqtemplate")


class No(Exception):
    """A refusal in CMP: number of the bit in failInfo, words."""


class CmpSide:
    def __init__(self, registrar):
        self.registrar, self.rule = registrar, registrar.rule

    def routes(self):
        return {cmp.BASE + operation: ("POST", self.answer) for operation in OPERATIONS}

    def refuse(self, rule, wrong, failure, said):
        if wrong and self.rule(rule):
            raise No(failure, said)

    def answer(self, request):
        if not self.rule("speaks CMP at its well-known paths"):
            return Answer(404)
        kind = cmp.MEDIA_TYPE if self.rule("answers CMP under its media type") else "application/octet-stream"
        client, asked = self.registrar.client(request), None
        try:
            asked = self.read(request)
            self.may_ask(asked, client)
            octets = self.reply(asked, *self.content(asked))
        except No as e:
            if not self.rule("says no in CMP"):
                return Answer(400)
            octets = self.reply(asked, "error", cmp.refusal(*e.args))
        return Answer(200, octets, kind)

    def reply(self, asked, kind, content):
        domain = self.registrar.lab.other_domain
        own = self.rule("protects its answers with the credential it has shown")
        return cmp.reply(asked, self.registrar.identity if own else domain.registrar, kind, content)

    def read(self, request):
        try:
            asked = cmp.parse(request.body)
        except ValueError as e:
            raise No(cmp.BAD_DATA_FORMAT, "That is no message of CMP.") from e
        self.refuse("wants messages protected by the device", not self.is_of(asked, request.peer_der),
                    cmp.BAD_MESSAGE_CHECK, "The protection does not hold.")
        return asked

    @staticmethod
    def is_of(asked, der):
        try:
            return forge.der(asked.verify([forge.parse(der)])) == der
        except InvalidSignature:
            return False

    def may_ask(self, asked, client):
        self.refuse("certifies over CMP after the voucher only", not client.trusted, cmp.NOT_AUTHORIZED,
                    "First a voucher and a history without fault.")

    def content(self, asked):
        """(kind, content) of the answer."""
        if asked.kind == "cert_conf":
            self.refuse_mutant("acknowledges confirmations", "What of it?")
            return "pkiconf", core.Null()
        if asked.kind == "genm":
            return "genp", [self.information(item["type"].native) for item in asked.body.chosen]
        if asked.kind == "p10cr":
            self.refuse_mutant("takes PKCS #10 over CMP", "An ir, please.")
        if asked.kind not in ("ir", "p10cr"):
            raise No(cmp.BAD_REQUEST, "That is not done here.")
        return {"ir": "ip", "p10cr": "cp"}[asked.kind], self.certificate(asked)

    def refuse_mutant(self, rule, said):
        if not self.rule(rule):
            raise No(cmp.BAD_REQUEST, said)

    def certificate(self, asked):
        domain = self.registrar.domain
        try:
            subject, public = asked.subject_and_key()
        except InvalidSignature as e:
            raise No(cmp.BAD_POP, "Is that your key?") from e
        made = forge.certs.make_cert(subject, domain.issuing, public_key=public, eku=[forge.certs.CLIENT_AUTH],
                                     key_usage={"digital_signature"})
        return cmp.grant(asked, made.cert, [domain.root])

    def information(self, what):
        if what != cmp.CA_CERTS:
            return {"type": what}
        domain = self.registrar.domain
        chain = [domain.issuing.cert, domain.root]
        if not self.rule("serves every CA certificate over CMP"):
            chain = chain[1:]
        return {"type": what, "value": cmp.Certificates([cmp.asn1_cert(c) for c in chain])}
