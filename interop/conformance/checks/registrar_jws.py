# SPDX-License-Identifier: Apache-2.0
"""A registrar that speaks JWS: the pledge's requests it must not take, its own one to the MASA
(draft-ietf-anima-jws-voucher §3, RFC 7515)."""
from brski_peer import forge, jws

from .. import jws_looks as looks
from ..core import MUST, check

JWS = ("jws",)
WHAT = "the registrar's request"


def ask(t, p, octets):
    return p.request_voucher(octets, jws.MEDIA_TYPE, jws.MEDIA_TYPE)


def signed(p, **how):
    return jws.sign_request(forge.pvr_fields(p.identity, p.registrar_der), p.identity, **how)


def own_request(t):
    """The octets of the request that the MASA gets for an honest pledge's request in JWS."""
    with t.pledge(t.approved_device()) as p:
        ask(t, p, signed(p))
    asked = t.asked_of_masa()[0]
    t.need(asked.header("content-type") == jws.MEDIA_TYPE,
           f"the MASA is asked with {asked.header('content-type')} for a pledge that speaks JWS")
    return asked.body


def refused(t, wrong):
    """None of these is taken, nor is the MASA asked for it."""
    for what, make in wrong:
        with t.pledge(t.approved_device()) as p:
            t.refused(ask(t, p, make(lambda p=p, **how: signed(p, **how))), why=f"there is {what} in the request")
    t.nothing_asked_of_masa("the pledge's request was wrong")


@check("ENC-ALL-018", level=MUST, role="registrar", profiles=JWS,
       mutant="writes the general serialization of JWS")
def own_jws_request_is_in_the_general_serialization(t):
    """A voucher-request in JWS is a JSON object with payload and an array signatures."""
    looks.look(t, own_request(t), WHAT)


@check("ENC-ALL-018", level=MUST, role="registrar", profiles=JWS,
       mutant="reads the general serialization of JWS only")
def pledge_with_another_serialization_is_refused(t):
    """Compact and flattened JWS are no voucher-requests."""
    refused(t, looks.OTHER_FORMS)


@check("ENC-ALL-019", level=MUST, role="registrar", profiles=JWS, mutant="writes base64url without padding")
def own_jws_request_is_in_base64url(t):
    """payload, protected and signature are base64url, and there is no padding."""
    looks.unpadded(t, own_request(t), WHAT)


@check("ENC-ALL-019", level=MUST, role="registrar", profiles=JWS, mutant="writes raw signatures")
def own_jws_request_has_a_raw_signature(t):
    """An ECDSA signature in a JWS is R and S, each as long as the curve's order: 64 octets for ES256."""
    looks.raw(t, own_request(t), WHAT)


@check("ENC-ALL-019", level=MUST, role="registrar", profiles=JWS, mutant="wants raw signatures")
def pledge_with_a_signature_in_der_is_refused(t):
    """The same two numbers in DER are no signature of a JWS."""
    refused(t, looks.DER)


@check("ENC-ALL-019", level=MUST, role="registrar", profiles=JWS, mutant="reads base64url without padding only")
def pledge_with_padding_is_refused(t):
    """base64url in a JWS has no padding."""
    refused(t, looks.PADDED)


@check("ENC-ALL-020", level=MUST, role="registrar", profiles=JWS, mutant="puts its own certificate first in x5c")
def own_jws_request_carries_its_certificates(t):
    """The protected header has alg, and x5c: padded base64 of certificates, the registrar's first."""
    looks.header_of(t, own_request(t), WHAT)


@check("ENC-ALL-020", level=MUST, role="registrar", profiles=JWS,
       mutant="names the type of a voucher in its JWS")
def own_jws_request_has_the_type_of_a_voucher(t):
    """typ may be left out; when it is there, it is voucher-jws+json."""
    looks.typ(t, own_request(t), WHAT)


@check("ENC-ALL-020", level=MUST, role="registrar", profiles=JWS, mutant="knows the algorithms of its signers")
def pledge_without_a_signature_of_its_key_is_refused(t):
    """alg "none" is no signature, and an HMAC with a public key is none either."""
    refused(t, looks.ALGORITHMS)


@check("ENC-ALL-020", level=MUST, role="registrar", profiles=JWS, mutant="wants the type of a voucher in a JWS")
def pledge_with_another_type_is_refused(t):
    """What says with typ that it is something else is no voucher-request."""
    refused(t, looks.TYPES)


@check("ENC-ALL-021", level=MUST, role="registrar", profiles=JWS, mutant="reads escaped slashes in x5c")
def pledge_with_escaped_slashes_is_taken(t):
    """JSON may write a slash as \\/, also in the base64 of x5c: that changes nothing."""
    with t.pledge(t.approved_device()) as p:
        t.status(ask(t, p, signed(p, escaped=True)), 200,
                 why="the slashes in x5c are written with a backslash before them")
