# SPDX-License-Identifier: Apache-2.0
"""The registrar over CoAPS: vouchers and enrolment of constrained devices
(draft-ietf-anima-constrained-voucher, RFC 9148)."""
from brski_peer import constrained, cose, forge

from ..core import MUST, check
from ..trial import CLOSE_SHARE

CBRSKI = ("cbrski",)


@check("R-01", "R-10", level=MUST, role="registrar", profiles=CBRSKI,
       mutant="strips certificates from vouchers over CoAP")
def coaps_voucher_comes_without_unprotected_certificates(t):
    """rv answers 2.04 with a voucher in format 836; what certificates the MASA put into the unprotected
    header are gone, every other octet is the MASA's."""
    with t.coap_pledge(t.approved_device()) as p:
        reply = p.request_voucher()
        t.equal(reply.said, "2.04", "the code")
        t.equal(reply.content_format, constrained.VOUCHER, "the format")
        t.equal(reply.payload, cose.stripped(t.masa.vouchers[-1]), "the voucher")


@check("R-10", level=MUST, role="registrar", profiles=CBRSKI, mutant="leaves the other headers of a voucher alone")
def coaps_voucher_keeps_its_other_headers(t):
    """A kid in the unprotected header stays, and so do certificates in the protected one: they are signed."""
    chain = cose.bag(forge.der(c) for c in t.masa.signer.chain(with_root=True))
    kid = {cose.KID: b"whoever"}
    for headers in ({"unprotected": {cose.X5BAG: chain, **kid}},
                    {"unprotected": kid, "protected": {cose.X5BAG: chain}}):
        t.masa.cose = headers
        with t.coap_pledge(t.approved_device()) as p:
            reply = p.request_voucher()
        t.coap_is(reply, "2.04", "a voucher with a kid is handed on")
        got, sent = cose.parse(reply.payload), cose.parse(t.masa.vouchers[-1])
        t.equal(got.unprotected.get(cose.KID), kid[cose.KID], "the kid")
        t.equal(got.protected_octets, sent.protected_octets, "the protected header")
        t.equal((got.payload, got.signature), (sent.payload, sent.signature), "payload and signature")


@check("R-06", level=MUST, role="registrar", profiles=CBRSKI,
       mutant="takes only its own certificate as proximity")
def coaps_request_that_names_another_registrar_is_4_01(t):
    """A request that names another registrar's key is 4.01, and no MASA is asked."""
    other = forge.spki(t.lab.other_domain.registrar.cert)
    with t.coap_pledge(t.approved_device()) as p:
        t.coap_refused(p.request_voucher(p.pvr(proximity_registrar_pubk=other)), "4.01")
    t.nothing_asked_of_masa("about a pledge that somebody sits in front of")


@check("R-06", level=MUST, role="registrar", profiles=CBRSKI, mutant="ends the association of who is attacked")
def coaps_association_ends_after_a_wrong_proximity(t):
    """Somebody sits in between: after the 4.01 nothing is answered any more."""
    other = forge.spki(t.lab.other_domain.registrar.cert)
    with t.coap_pledge(t.approved_device()) as p:
        if p.request_voucher(p.pvr(proximity_registrar_pubk=other)).said != "4.01":
            t.skip("the attack is not noticed: see coaps_request_that_names_another_registrar_is_4_01")
        with t.hangs_up_or() as ended:
            p.client.receive(t.session.patience * CLOSE_SHARE)
            p.crts(timeout=t.session.patience * CLOSE_SHARE)
        t.need(ended, "the association goes on after the 4.01")


@check("R-17", level=MUST, role="registrar", profiles=CBRSKI, mutant="knows Uri-Path-Abbrev")
def coaps_abbreviated_path_works(t):
    """Uri-Path-Abbrev 402 in place of the path is rv."""
    with t.coap_pledge(t.approved_device(), abbreviated=True) as p:
        t.equal(p.request_voucher().said, "2.04", "the code")


@check("C-06", level=MUST, role="registrar", profiles=("est-coaps",), mutant="knows the formats it reads")
def coaps_request_for_a_certificate_in_another_format_is_4_15(t):
    """sen takes format 286; anything else is 4.15."""
    with t.coap_pledge(t.approved_device()) as p:
        t.equal(p.request_voucher().said, "2.04", "the code of the voucher")
        key = forge.certs.new_key()
        t.coap_refused(p.post_csr(p.csr(key), content_format=0), "4.15")
