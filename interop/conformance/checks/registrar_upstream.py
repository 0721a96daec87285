# SPDX-License-Identifier: Apache-2.0
"""A registrar as a registration authority: certificates come from a CA that it asks by EST (RFC 7030 §3.7,
RFC 9148 §6); and the certificates of a CA that changes its root. For targets with the configurations
"upstream" (the CA is at {upstream}, under the root of the lab's domain) and "rollover"."""
import base64
import email

from brski_peer import forge, keypackage
from brski_peer.certs import new_key
from brski_peer.pledge import certs_of, est_body
from brski_peer.server import Answer

from ..core import MUST, SHOULD, check
from ..trial_masa import signed_by

EST = ("est",)
CMC_RA = "1.3.6.1.5.5.7.3.28"
BOUNDARY = "next-part"


def asked(t, ca, operation="simpleenroll"):
    """The one request that the CA got."""
    requests = ca.seen("/" + operation)
    t.equal(len(requests), 1, f"the number of requests to the CA for {operation}")
    return requests[0]


@check("RA-01", level=MUST, role="registrar", profiles=EST, mutant="shows the CA that it is a registration authority")
def ca_is_asked_by_a_registration_authority(t):
    """The registrar judges the client itself; the CA sees a certificate with id-kp-cmcRA, and nothing of whom
    the registrar turns away."""
    ca = t.with_upstream()
    with t.pledge(t.approved_device()) as stranger:
        reply, _ = stranger.enroll()
        if reply.status == 200:
            t.skip("devices without a voucher enrol: see R8995-REG-047")
        t.refused(reply, 401, 403, why="it has no voucher")
    t.need(not ca.seen("/simpleenroll"), "the CA is asked for a device that has no voucher")
    with t.admitted() as p:
        t.status(p.enroll()[0], 200)
    shown = asked(t, ca).peer_der
    t.need(shown and CMC_RA in forge.ekus(forge.parse(shown)), "its certificate is not for registration authorities")


@check("RA-02", level=MUST, role="registrar", profiles=EST, mutant="hands requests on as they are")
def request_reaches_the_ca_bit_for_bit(t):
    """The device has signed it: another octet would break that."""
    ca = t.with_upstream()
    with t.admitted() as p:
        der = p.csr()
        t.status(p.post_csr(est_body(der)), 200)
    t.equal(base64.b64decode(asked(t, ca).body), der, "the request that the CA gets")


@check("RA-05", level=MUST, role="registrar", profiles=EST, mutant="passes on that the CA wants time")
def ca_that_wants_time_is_202_for_the_device(t):
    """202 with Retry-After from the CA is 202 with Retry-After for who asks over HTTPS; the request made again
    brings the certificate."""
    ca = t.with_upstream()
    ca.on["simpleenroll"] = lambda _request: (
        Answer(202, headers=[("Retry-After", "1")]) if len(ca.seen("/simpleenroll")) == 1 else NotImplemented)
    with t.admitted() as p:
        body = est_body(p.csr())
        reply = p.post_csr(body)
        t.status(reply, 202)
        t.need((reply.header("retry-after") or "").isdigit(), "202 without Retry-After in seconds")

        def answered():
            again = p.post_csr(body)
            return again if again.status != 202 else None
        t.status(t.wait(answered, "the request stays pending after the CA has answered"), 200)


@check("RA-09", level=MUST, role="registrar", profiles=EST, mutant="hands an encrypted key on as it is")
def encrypted_key_reaches_the_device_as_it_is(t):
    """The key that the CA has made and encrypted for the device is for nobody between."""
    ca = t.with_upstream()
    device, key = t.approved_device(), new_key()
    sealed = keypackage.seal(b"a key for you alone", t.lab.domain.registrar, device.identity.cert)

    def made(request):
        cert = forge.issue(ca.ca, base64.b64decode(request.body), key=key)
        parts = [("application/pkcs7-mime; smime-type=server-generated-key", sealed),
                 ("application/pkcs7-mime; smime-type=certs-only", forge.certs_only([cert]))]
        body = b"".join(f"--{BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n".encode() + est_body(der) + b"\r\n"
                        for kind, der in parts) + f"--{BOUNDARY}--\r\n".encode()
        return Answer(200, body, f"multipart/mixed; boundary={BOUNDARY}")
    ca.on["serverkeygen"] = made
    with t.admitted(device) as p:
        reply = p.post_csr(est_body(p.csr()), "serverkeygen")
    t.status(reply, 200)
    head = f"Content-Type: {reply.header('content-type')}\r\n\r\n".encode()
    got = [base64.b64decode(part.get_payload()) for part in email.message_from_bytes(head + reply.body).get_payload()
           if "server-generated-key" in part["content-type"]]
    t.equal(got, [sealed], "the encrypted key")


# -- a CA that changes its root

@check("ECA-08", level=SHOULD, role="registrar", profiles=EST, mutant="serves the certificates of a rollover")
def cacerts_of_a_new_root_lead_from_the_old_one(t):
    """While the CA changes its root ("rollover"), cacerts holds both roots, and each signed with the key of
    the other, so that who believes one comes to believe the other."""
    t.variant("rollover")
    with t.pledge(t.approved_device()) as p:
        bag = certs_of(p.cacerts())
    roots = [c for c in bag if c.subject == c.issuer and forge.is_ca(c)]
    own = [c for c in roots if signed_by(c, c)]
    t.equal(len(own), 2, "the number of roots that sign themselves")
    old, new = own
    crossed = {(forge.spki(a), forge.spki(b)) for a in roots for b in own
               if forge.spki(a) != forge.spki(b) and signed_by(a, b)}
    t.need((forge.spki(old), forge.spki(new)) in crossed and (forge.spki(new), forge.spki(old)) in crossed,
           "the roots are not signed with each other's keys")
