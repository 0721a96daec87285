# SPDX-License-Identifier: Apache-2.0
"""A pledge that speaks JWS: its request, the vouchers it must not take
(draft-ietf-anima-jws-voucher §3, RFC 7515). Action of a target file: join_jws, as join."""
from brski_peer import forge, jws
from brski_peer.server import Answer

from .. import jws_looks as looks
from ..core import MUST, check

JWS = ("jws",)
WHAT = "the pledge's request"


def request(t, **how):
    """(the octets of its first request, did it join?)"""
    for name, value in how.items():
        setattr(t.registrar, name, value)
    outcome = t.run(action="join_jws")
    asked = t.registrar.seen("requestvoucher")
    t.need(asked, "the pledge never asked for a voucher")
    t.need(asked[0].header("content-type") == jws.MEDIA_TYPE,
           f"the pledge asks with {asked[0].header('content-type')}")
    return asked[0].body, outcome.joined


def answer(registrar, make):
    """To a request for a voucher: one that is made like this."""
    def made(request):
        fields = forge.voucher_fields(jws.leaves(request.body), pin=registrar.pin)
        octets = make(lambda **how: jws.sign_voucher(fields, registrar.signer, **how))
        return Answer(200, octets, jws.MEDIA_TYPE)
    return made


def refused(t, wrong):
    """None of these is a voucher."""
    for what, make in wrong:
        registrar = t.new_registrar()
        registrar.on["requestvoucher"] = answer(registrar, make)
        t.refuses_voucher(None, registrar, f"there is {what} in the voucher", action="join_jws")
        t.need(registrar.seen("requestvoucher"), "the pledge never asked for a voucher")


@check("ENC-ALL-018", level=MUST, role="pledge", profiles=JWS, mutant="writes the general serialization of JWS")
def jws_request_is_in_the_general_serialization(t):
    """A voucher-request in JWS is a JSON object with payload and an array signatures."""
    looks.look(t, request(t)[0], WHAT)


@check("ENC-ALL-018", level=MUST, role="pledge", profiles=JWS,
       mutant="reads the general serialization of JWS only")
def voucher_in_another_serialization_is_refused(t):
    """Compact and flattened JWS are no vouchers."""
    refused(t, looks.OTHER_FORMS)


@check("ENC-ALL-019", level=MUST, role="pledge", profiles=JWS, mutant="writes base64url without padding")
def jws_request_is_in_base64url(t):
    """payload, protected and signature are base64url, and there is no padding."""
    looks.unpadded(t, request(t)[0], WHAT)


@check("ENC-ALL-019", level=MUST, role="pledge", profiles=JWS, mutant="writes raw signatures")
def jws_request_has_a_raw_signature(t):
    """An ECDSA signature in a JWS is R and S, each as long as the curve's order: 64 octets for ES256."""
    looks.raw(t, request(t)[0], WHAT)


@check("ENC-ALL-019", level=MUST, role="pledge", profiles=JWS, mutant="wants raw signatures")
def voucher_with_a_signature_in_der_is_refused(t):
    """The same two numbers in DER are no signature of a JWS."""
    refused(t, looks.DER)


@check("ENC-ALL-019", level=MUST, role="pledge", profiles=JWS, mutant="reads base64url without padding only")
def voucher_with_padding_is_refused(t):
    """base64url in a JWS has no padding."""
    refused(t, looks.PADDED)


@check("ENC-ALL-020", level=MUST, role="pledge", profiles=JWS, mutant="puts its own certificate first in x5c")
def jws_request_carries_its_certificates(t):
    """The protected header has alg, and x5c: padded base64 of certificates, the IDevID first."""
    looks.header_of(t, request(t)[0], WHAT)


@check("ENC-ALL-020", level=MUST, role="pledge", profiles=JWS, mutant="names the type of a voucher in its JWS")
def jws_request_has_the_type_of_a_voucher(t):
    """typ may be left out; when it is there, it is voucher-jws+json."""
    looks.typ(t, request(t)[0], WHAT)


@check("ENC-ALL-020", level=MUST, role="pledge", profiles=JWS, mutant="knows the algorithms of its signers")
def voucher_without_a_signature_of_the_key_is_refused(t):
    """alg "none" is no signature, and an HMAC with a public key is none either."""
    refused(t, looks.ALGORITHMS)


@check("ENC-ALL-020", level=MUST, role="pledge", profiles=JWS, mutant="wants the type of a voucher in a JWS")
def voucher_with_another_type_is_refused(t):
    """What says with typ that it is something else is no voucher."""
    refused(t, looks.TYPES)


@check("ENC-ALL-021", level=MUST, role="pledge", profiles=JWS, mutant="reads escaped slashes in x5c")
def voucher_with_escaped_slashes_is_taken(t):
    """JSON may write a slash as \\/, also in the base64 of x5c: that changes nothing."""
    _, joined = request(t, jws={"escaped": True})
    t.need(joined, "the pledge does not join with slashes in x5c that have a backslash before them")
