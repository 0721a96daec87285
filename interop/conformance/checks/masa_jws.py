# SPDX-License-Identifier: Apache-2.0
"""A MASA that speaks JWS: the vouchers it makes, the requests it must not take
(draft-ietf-anima-jws-voucher §3, RFC 7515)."""
from .. import jws_looks as looks
from ..core import MUST, check

JWS = ("jws",)
WHAT = "the voucher"


def voucher(t):
    """The octets of the voucher for an honest request."""
    device = t.device()
    with t.registrar() as r:
        reply = r.jws_ask(r.jws_rvr(device))
    t.status(reply, 200, why="an honest request in JWS")
    return reply.body


def refused(t, wrong):
    """None of these is taken as the registrar's request."""
    device = t.device()
    for what, make in wrong:
        with t.registrar() as r:
            body = make(lambda r=r, **how: r.jws_rvr(device, how=how))
            t.refused(r.jws_ask(body), why=f"there is {what} in the registrar's request")


@check("ENC-ALL-018", level=MUST, role="masa", profiles=JWS, mutant="writes the general serialization of JWS")
def jws_voucher_is_in_the_general_serialization(t):
    """A voucher in JWS is a JSON object with payload and an array signatures."""
    looks.look(t, voucher(t), WHAT)


@check("ENC-ALL-018", level=MUST, role="masa", profiles=JWS, mutant="reads the general serialization of JWS only")
def request_in_another_serialization_is_refused(t):
    """Compact and flattened JWS are no voucher-requests."""
    refused(t, looks.OTHER_FORMS)


@check("ENC-ALL-019", level=MUST, role="masa", profiles=JWS, mutant="writes base64url without padding")
def jws_voucher_is_in_base64url(t):
    """payload, protected and signature are base64url, and there is no padding."""
    looks.unpadded(t, voucher(t), WHAT)


@check("ENC-ALL-019", level=MUST, role="masa", profiles=JWS, mutant="writes raw signatures")
def jws_voucher_has_a_raw_signature(t):
    """An ECDSA signature in a JWS is R and S, each as long as the curve's order: 64 octets for ES256."""
    looks.raw(t, voucher(t), WHAT)


@check("ENC-ALL-019", level=MUST, role="masa", profiles=JWS, mutant="wants raw signatures")
def request_with_a_signature_in_der_is_refused(t):
    """The same two numbers in DER are no signature of a JWS."""
    refused(t, looks.DER)


@check("ENC-ALL-019", level=MUST, role="masa", profiles=JWS, mutant="reads base64url without padding only")
def request_with_padding_is_refused(t):
    """base64url in a JWS has no padding."""
    refused(t, looks.PADDED)


@check("ENC-ALL-020", level=MUST, role="masa", profiles=JWS, mutant="puts its own certificate first in x5c")
def jws_voucher_carries_its_certificates(t):
    """The protected header has alg, and x5c: padded base64 of certificates, the signer's first."""
    looks.header_of(t, voucher(t), WHAT)


@check("ENC-ALL-020", level=MUST, role="masa", profiles=JWS, mutant="names the type of a voucher in its JWS")
def jws_voucher_has_the_type_of_a_voucher(t):
    """typ may be left out; when it is there, it is voucher-jws+json."""
    looks.typ(t, voucher(t), WHAT)


@check("ENC-ALL-020", level=MUST, role="masa", profiles=JWS, mutant="knows the algorithms of its signers")
def request_without_a_signature_of_the_key_is_refused(t):
    """alg "none" is no signature, and an HMAC with a public key is none either."""
    refused(t, looks.ALGORITHMS)


@check("ENC-ALL-020", level=MUST, role="masa", profiles=JWS, mutant="wants the type of a voucher in a JWS")
def request_with_another_type_is_refused(t):
    """What says with typ that it is something else is no voucher-request."""
    refused(t, looks.TYPES)


@check("ENC-ALL-021", level=MUST, role="masa", profiles=JWS, mutant="reads escaped slashes in x5c")
def request_with_escaped_slashes_is_taken(t):
    """JSON may write a slash as \\/, also in the base64 of x5c: that changes nothing."""
    device = t.device()
    with t.registrar() as r:
        t.status(r.jws_ask(r.jws_rvr(device, how={"escaped": True})), 200,
                 why="the slashes in x5c are written with a backslash before them")
