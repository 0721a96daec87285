# SPDX-License-Identifier: Apache-2.0
"""What a pledge makes of a voucher in COSE (RFC 9052, RFC 9254, RFC 8366bis;
draft-ietf-anima-constrained-voucher §9.2)."""
import hashlib

import cbor2

from brski_peer import cose, forge
from brski_peer.coap_server import Answer
from brski_peer.constrained import VOUCHER

from ..core import MUST, check

CBRSKI = ("cbrski",)
CRITICAL = {cose.CRIT: [-70001], -70001: "obey"}
PIN_OF = {"proximity-registrar-cert": "pinned-domain-cert", "proximity-registrar-pubk": "pinned-domain-pubk",
          "proximity-registrar-pubk-sha256": "pinned-domain-pubk-sha256"}


def with_leaves(t, **changes):
    t.coap_registrar.lie = lambda fields: forge.changed(fields, changes)


def with_payload(t, change):
    """The honest voucher, its CBOR changed before it is signed."""
    registrar = t.coap_registrar

    def answer(request):
        payload = cose.parse(registrar.make_voucher(request.body)).payload
        return Answer("2.04", cose.sign(change(payload), registrar.signer), VOUCHER)
    registrar.on["rv"] = answer


def refused(t, why):
    t.refuses_voucher(None, t.coap_registrar, why)


@check("O-01", level=MUST, role="pledge", profiles=CBRSKI, mutant="reads vouchers without a tag")
def coaps_voucher_without_a_tag_is_read(t):
    """A voucher may come without the tag 18, for its format says what it is."""
    t.coap_registrar.cose = {"tag": False}
    t.joins(None, t.coap_registrar)


@check("O-02", level=MUST, role="pledge", profiles=CBRSKI, mutant="wants signatures as COSE has them")
def coaps_voucher_with_a_der_signature_is_refused(t):
    """A signature in DER, as X.509 has it, is none in COSE."""
    t.coap_registrar.cose = {"der": True}
    refused(t, "its signature is DER")


@check("O-02", level=MUST, role="pledge", profiles=CBRSKI, mutant="wants the algorithm under the signature")
def coaps_voucher_with_an_unprotected_algorithm_is_refused(t):
    """alg stands in the protected header; elsewhere it is anybody's word."""
    t.coap_registrar.cose = {"alg": None, "unprotected": {cose.ALG: cose.ES256}}
    refused(t, "its algorithm is not protected")


@check("O-07", level=MUST, role="pledge", profiles=CBRSKI, mutant="reads arrays of certificates")
def coaps_voucher_with_an_array_of_one_certificate_is_read(t):
    """An x5bag with one certificate in an array is as good as the certificate alone."""
    t.coap_registrar.cose = {"unprotected": {cose.X5BAG: [forge.der(t.coap_registrar.signer.cert)]}}
    t.joins(None, t.coap_registrar)


@check("O-14", level=MUST, role="pledge", profiles=CBRSKI,
       mutant="reads what it knows every critical header of")
def coaps_voucher_with_an_unknown_critical_header_is_refused(t):
    """What crit names has to be understood."""
    t.coap_registrar.cose = {"protected": CRITICAL}
    refused(t, "a critical header is unknown")


@check("O-15", level=MUST, role="pledge", profiles=CBRSKI, mutant="wants the payload inside")
def coaps_voucher_with_a_detached_payload_is_refused(t):
    """A voucher's payload is inside."""
    t.coap_registrar.cose = {"detached": True}
    refused(t, "the payload is not there")


@check("O-15", level=MUST, role="pledge", profiles=CBRSKI, mutant="verifies the signature over CoAP")
def coaps_voucher_signed_with_external_data_is_refused(t):
    """The signature covers no external data."""
    t.coap_registrar.cose = {"external": b"more"}
    refused(t, "the signature is over something else, too")


@check("Y-01", level=MUST, role="pledge", profiles=CBRSKI, mutant="knows the two containers")
def coaps_voucher_in_another_container_is_refused(t):
    """The outer map's key is the voucher's SID or name, nothing else."""
    def elsewhere(payload):
        ((_top, leaves),) = cbor2.loads(payload).items()
        return cbor2.dumps({2551: leaves})
    with_payload(t, elsewhere)
    refused(t, "its container has SID 2551")


@check("Y-04", level=MUST, role="pledge", profiles=CBRSKI, mutant="wants every leaf in its type")
def coaps_voucher_with_a_leaf_in_another_type_is_refused(t):
    """An assertion in words is no enumeration in CBOR."""
    def in_words(payload):
        ((top, leaves),) = cbor2.loads(payload).items()
        return cbor2.dumps({top: {**leaves, 1: "proximity"}})
    with_payload(t, in_words)
    refused(t, "its assertion is text")


@check("Y-06", level=MUST, role="pledge", profiles=CBRSKI,
       mutant="wants a serial-number in a voucher in COSE")
def coaps_voucher_without_a_serial_number_is_refused(t):
    """Without serial-number it is nobody's."""
    with_leaves(t, serial_number=None)
    refused(t, "it has no serial-number")


@check("Y-11", level=MUST, role="pledge", profiles=CBRSKI, mutant="passes over extensions over CoAP")
def coaps_voucher_with_unknown_extensions_is_good(t):
    """Extensions that the pledge has never heard of do no harm."""
    def extended(payload):
        ((top, leaves),) = cbor2.loads(payload).items()
        more = {15: [60000], cbor2.CBORTag(cose.TAG_ABSOLUTE_SID, 60000): {1: "more"}}
        return cbor2.dumps({top: {**leaves, **more}})
    with_payload(t, extended)
    t.joins(None, t.coap_registrar)


@check("K-06", level=MUST, role="pledge", profiles=CBRSKI, mutant="has its manufacturer built in")
def coaps_voucher_that_brings_another_maker_along_is_refused(t):
    """The MASA's key is built into the device; certificates that a voucher brings along make nobody its
    manufacturer."""
    stranger = t.lab.stranger.signer
    t.coap_registrar.signer = stranger
    bag = cose.bag(forge.der(c) for c in stranger.chain(with_root=True))
    t.coap_registrar.cose = {"unprotected": {cose.X5BAG: bag}}
    refused(t, "another manufacturer signed it")


@check("Y-09", level=MUST, role="pledge", profiles=CBRSKI,
       mutant="takes the pin in the form of its request over CoAP")
def coaps_pin_in_the_form_of_the_request_decides(t):
    """Of two pins in a voucher with a nonce the one counts whose form the request had named the registrar
    in."""
    registrar, wrong = t.coap_registrar, t.lab.other_domain.issuing.cert
    bad = {"pinned-domain-cert": forge.der(wrong), "pinned-domain-pubk": forge.spki(wrong),
           "pinned-domain-pubk-sha256": hashlib.sha256(forge.spki(wrong)).digest()}

    def right_in(form):
        registrar.pin_form = form
        registrar.pin = registrar.ca.cert if form == "pinned-domain-cert" else t.lab.domain.registrar.cert

    def answer(request):
        fields = cose.parse(request.body).fields
        asked = next(PIN_OF[name] for name in PIN_OF if name in fields)
        other = "pinned-domain-cert" if asked != "pinned-domain-cert" else "pinned-domain-pubk-sha256"
        good, poor = (asked, other) if registrar.good_form_is_right else (other, asked)
        right_in(good)
        registrar.lie = lambda leaves: {**leaves, poor: bad[poor]}
        return Answer("2.04", registrar.make_voucher(request.body), VOUCHER)
    registrar.on["rv"] = answer
    registrar.good_form_is_right = True
    t.joins(None, registrar)
    registrar.good_form_is_right = False
    outcome = t.run(None, registrar)
    t.need(not outcome.joined, "the pledge joins: the pin in the form it had asked with is another domain's")


@check("Y-20", level=MUST, role="pledge", profiles=CBRSKI,
       mutant="checks revocation over CoAP where the voucher says so")
def coaps_revocation_is_checked_when_the_voucher_says_so(t):
    """domain-cert-revocation-checks true: a registrar that is revoked is refused, and one that cannot be
    checked as well; false: nobody looks."""
    def shown(identity, says):
        registrar = t.new_coap_registrar(identity)
        registrar.lie = lambda fields: {**fields, "domain-cert-revocation-checks": says}
        return registrar
    t.joins(None, shown(t.listed_registrar(revoked=True), False))
    t.refuses_voucher(registrar=shown(t.listed_registrar(revoked=True), True), why="it is on the list")
    t.refuses_voucher(registrar=shown(t.lab.domain.registrar, True), why="it points to no list")
