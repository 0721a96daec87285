# SPDX-License-Identifier: Apache-2.0
"""A pledge as EST client over HTTPS (RFC 7030 §3.2, §3.6, §4.1; RFC 8951): whom it believes once it has
joined, and what it reads."""
import base64
import re

from brski_peer import certs, forge
from brski_peer.server import Answer, text

from ..core import MUST, SHOULD, check

EST = ("est",)
NO_CERTIFICATES = forge.tlv(0x30, forge.oid("1.2.840.113549.1.7.2"), forge.tlv(0xA0, forge.tlv(
    0x30, "020101", "3100", forge.tlv(0x30, forge.oid("1.2.840.113549.1.7.1")), "3100")))
CERTS_TYPE = "application/pkcs7-mime; smime-type=certs-only"


@check("EA-03", level=MUST, role="pledge", profiles=EST, mutant="tells nobody a password before the voucher")
def password_is_not_for_whom_nothing_is_known_of(t):
    """Before the voucher anybody may be at the other end: a challenge there is not answered."""
    t.registrar.on["requestvoucher"] = lambda _request: text(
        401, "Who are you?\n", headers=[("WWW-Authenticate", 'Basic realm="est"')])
    t.run()
    t.need(t.registrar.seen("requestvoucher"), "the pledge never asked for a voucher")
    told = [r.path for r in t.registrar.seen() if r.header("authorization")]
    t.need(not told, f"credentials are in the requests for {told}")


# -- what it reads

@check("ECA-04", level=SHOULD, role="pledge", profiles=EST, mutant="reads base64 with white space in it")
def white_space_in_base64_does_not_matter(t):
    """Bodies in base64 come on one line, in lines of 64 or 76, with CR LF, tabs or blanks between."""
    def folded(body, width, end):
        plain = re.sub(rb"\s", b"", body)
        return b"".join(plain[i:i + width] + end for i in range(0, len(plain), width))

    for width, end in ((100_000, b""), (64, b"\n"), (76, b"\r\n"), (72, b" \t\r\n")):
        registrar = t.new_registrar()

        def respaced(request, step, registrar=registrar, width=width, end=end):
            answer = step(request)
            return Answer(200, folded(answer.body, width, end), answer.content_type)
        registrar.on["cacerts"] = lambda request, r=registrar, f=respaced: f(request, r.cacerts)
        registrar.on["simpleenroll"] = lambda request, r=registrar, f=respaced: f(request, r.enroll)
        t.joins(t.device(), registrar)


@check("ECA-11", level=MUST, role="pledge", profiles=EST, mutant="wants a certificate in cacerts")
def cacerts_without_a_certificate_end_the_attempt(t):
    """An empty bag is no answer to the question for the domain's certificates."""
    body = base64.encodebytes(NO_CERTIFICATES)
    t.registrar.on["cacerts"] = lambda _request: Answer(200, body, CERTS_TYPE)
    joined = t.run().joined
    if not t.registrar.seen("cacerts"):
        t.skip("the pledge does not ask for them: see R8995-PLG-047")
    t.need(not joined, "the pledge joins")
    t.need(not t.registrar.seen("simpleenroll"), "the pledge asks for a certificate all the same")


# -- whom it believes later

def renewal_from(t, identity):
    """The requests for another certificate that come when the registrar shows this from now on."""
    device = t.device()
    registrar = t.new_registrar()
    registrar.profile = {"days": 10}
    t.joins(device, registrar)
    registrar.context.load_cert_chain(identity.cert_path, identity.key_path)
    t.record("admin", "another certificate", forge.parse(identity.der).subject.rfc4514_string())
    t.run(device, registrar, action="renew")
    return registrar.seen("simplereenroll")


ELSEWHERE = "DNS:elsewhere.example"


@check("TA-01", level=MUST, role="pledge", profiles=EST, mutant="renews where the name fits or with an authority only")
def renewal_does_not_go_to_just_any_server_of_the_domain(t):
    """A certificate of the domain with another name and without id-kp-cmcRA is somebody else's."""
    if not renewal_from(t, t.lab.domain.registrar_identity()):
        t.skip("the pledge renews nothing: see R8995-PLG-058")
    plain = t.lab.domain.registrar_identity(eku=[certs.SERVER_AUTH], alt=ELSEWHERE)
    t.need(not renewal_from(t, plain), "the request for another certificate goes to it")


@check("TA-01", level=MUST, role="pledge", profiles=EST, mutant="knows an authority by its usage")
def renewal_goes_to_an_authority_of_any_name(t):
    """id-kp-cmcRA makes a server of the domain a good one whatever its name is."""
    named = t.lab.domain.registrar_identity(alt=ELSEWHERE)
    asked = renewal_from(t, named)
    if not asked and not renewal_from(t, t.lab.domain.registrar_identity()):
        t.skip("the pledge renews nothing: see R8995-PLG-058")
    t.need(asked, "there is no request for another certificate")


@check("TA-05", level=MUST, role="pledge", profiles=EST, mutant="renews with the domain it has joined only")
def anchors_of_the_domain_replace_all_others(t):
    """Once it has the domain's anchors the device believes those alone: neither a neighbour's registrar nor
    one under the manufacturer's root, which it has built in, gets its request."""
    if not renewal_from(t, t.lab.domain.registrar_identity()):
        t.skip("the pledge renews nothing: see R8995-PLG-058")
    t.need(not renewal_from(t, t.lab.other_domain.registrar), "a neighbour's registrar gets the request")
    made = certs.make_registrar(t.lab.maker.issuing)
    t.need(not renewal_from(t, t.lab.domain.saved(made)), "a server under the manufacturer's root gets the request")
