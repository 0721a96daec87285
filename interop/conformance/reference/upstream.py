# SPDX-License-Identifier: Apache-2.0
"""The reference registrar as a registration authority: it judges its clients itself and has the
certificates made by a CA that it asks by EST (RFC 7030 §3.7, RFC 9148 §6)."""
import base64
import contextlib
import email

from brski_peer import cms, forge, wire
from brski_peer.certs import make_csr, new_key
from brski_peer.pledge import certs_of, est_body
from brski_peer.server import Answer

from .est import BASE, Est
from .rules import Refused

TIMEOUT_S = 2
RETRY_AFTER_S = 5   # when the CA does not say how long
KEY_PART = "server-generated-key"


class UpstreamEst(Est):
    def __init__(self, registrar, address):
        super().__init__(registrar)
        host, _, port = address.rpartition(":")
        self.host, self.port = host, int(port)

    def routes(self):
        return {**super().routes(), BASE + "serverkeygen": ("POST", self.serverkeygen)}

    def ask(self, method, operation, der=None):
        """The CA's answer when it is 200; what it says otherwise is passed on."""
        shown = self.registrar.identity
        if not self.rule("shows the CA that it is a registration authority"):
            shown = self.registrar.domain.registrar_identity(eku=[forge.certs.CLIENT_AUTH])
        try:
            with wire.Connection(self.port, self.host, shown.cert_path, shown.key_path,
                                 timeout=TIMEOUT_S) as upstream:
                body = None if der is None else est_body(der)
                reply = upstream.request(method, BASE + operation, body, body and "application/pkcs10")
        except (wire.Closed, OSError) as e:
            raise Refused(503, "The CA does not answer.", headers=[("Retry-After", str(RETRY_AFTER_S))]) from e
        if reply.status == 202:
            raise Pending(reply.header("retry-after") or str(RETRY_AFTER_S))
        if reply.status != 200:
            raise Refused(reply.status if reply.status < 500 else 503, "The CA says no.")
        return reply

    # -- over HTTPS

    def passed_on(self, reply):
        return Answer(200, reply.body, reply.header("content-type"))

    def cacerts(self, _request):
        return self.passed_on(self.ask("GET", "cacerts"))

    def simpleenroll(self, request):
        self.may_enrol(request)
        der, csr = self.request_in(request)
        self.judge_first(request, csr)
        return self.over_https("simpleenroll", der)

    def over_https(self, operation, der):
        try:
            return self.passed_on(self.ask("POST", operation, self.as_it_is(der)))
        except Pending as e:
            if not self.rule("passes on that the CA wants time"):
                raise Refused(500, "The CA does not know yet.") from e
            return Answer(202, headers=[("Retry-After", str(e))])

    def as_it_is(self, der):
        if self.rule("hands requests on as they are"):
            return der
        return make_csr(new_key(), self.registrar.identity.cert.subject)

    def serverkeygen(self, request):
        self.may_enrol(request)
        der, csr = self.request_in(request)
        self.judge_first(request, csr)
        answer = self.over_https("serverkeygen", der)
        if answer.status == 200 and not self.rule("hands an encrypted key on as it is"):
            answer.body = spoilt(answer)
        return answer

    # -- over CoAPS

    def certificate(self, der):
        try:
            return certs_of(self.ask("POST", "simpleenroll", der))[0]
        except Pending as e:
            in_words = self.rule("passes on that the CA wants time over CoAP")
            raise Refused(503 if in_words else 500, "The CA does not know yet.") from e

    def block(self, part, more):
        """A block of a request has come; a mutant cannot wait for the rest."""
        if more and not self.rule("asks the CA when all of a request is there"):
            with contextlib.suppress(Refused):
                self.ask("POST", "simpleenroll", part)


class Pending(Exception):
    """The CA answers later; the text is how many seconds later."""


def spoilt(answer):
    """A mutant's: the encrypted key written anew."""
    head = f"Content-Type: {answer.content_type}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + answer.body).get_payload()
    part = next(part for part in parts if KEY_PART in part["content-type"])
    text = part.get_payload().encode()
    der = base64.b64decode(text)
    return answer.body.replace(text.strip(), est_body(cms.to_ber(der)).strip())
