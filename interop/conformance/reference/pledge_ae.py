# SPDX-License-Identifier: Apache-2.0
"""The reference pledge that enrols with CMP instead of EST (BRSKI-AE §4.2, §5.1; RFC 9483)."""
from cryptography.exceptions import InvalidSignature

from brski_peer import certs, cmp, forge

from ..trial_masa import leads_to
from .csr_wishes import Wishes
from .pledge import Attempt
from .pledge_coap import Failed


class AeAttempt(Attempt):
    def est(self, p):
        """What stands in its place."""
        try:
            return self.enroll(p, Wishes(self, b""))
        except Failed as e:
            self.report(p, "enrollstatus", False, reason=str(e))
            raise

    def certificate(self, p, key, wishes):
        own = self.rule("protects its request with the IDevID")
        signer = self.identity if own else certs.make_cert(self.identity.cert.subject)
        answer = self.believed(p, cmp.request(signer, key, self.identity.cert.subject))
        cert = answer.certificate
        if cert is None or forge.spki(cert) != cmp.spki(key):
            raise Failed(f"{answer.kind}: {answer.failure}")
        self.believed(p, cmp.confirmation(signer, answer, cert))
        return cert

    def message(self, p, octets):
        reply = p.connection.post(cmp.BASE + "initialization", octets, cmp.MEDIA_TYPE, p.headers())
        if reply.status != 200:
            raise Failed(f"initialization: {reply.status}")
        try:
            return cmp.parse(reply.body)
        except ValueError as e:
            raise Failed(f"initialization: {e}") from e

    def believed(self, p, octets):
        """The answer, and it is of the domain that is pinned."""
        answer = self.message(p, octets)
        try:
            signer = answer.verify(self.chain)
        except InvalidSignature as e:
            raise Failed("The answer is not protected.") from e
        foreign = not leads_to(signer, [*answer.certs, *self.chain], [self.pinned])
        self.refuse("believes answers of the pinned domain only", foreign, "Another domain answers.", Failed)
        return answer
