# SPDX-License-Identifier: Apache-2.0
"""What a MASA makes of a registrar's request in COSE whose form is odd, and the form of its vouchers
(RFC 9052, RFC 9254, RFC 9360; draft-ietf-anima-constrained-voucher §8.3, §9.2)."""
import cbor2

from brski_peer import cose, forge
from brski_peer.masa import COSE_TYPE

from ..core import MUST, SHOULD, check

CBRSKI = ("cbrski",)
SIGN1 = 0xD2  # tag 18
CRITICAL = {cose.CRIT: [-70001], -70001: "obey"}
TEXTS, OCTETS = ("created-on", "expires-on", "serial-number"), ("nonce", "pinned-domain-cert", "idevid-issuer")


def answer_to(t, make):
    """The answer to make(registrar, device), octets of a request."""
    device = t.device()
    with t.registrar() as r:
        return r.ask(make(r, device), content_type=COSE_TYPE, accept=COSE_TYPE)


def voucher_for(t, make=lambda r, device: r.cose_rvr(device)):
    """The octets of the voucher for a request that deserves one."""
    reply = answer_to(t, make)
    t.status(reply, 200, why="an honest request")
    return reply.body


def refused(t, make, why):
    t.refused(answer_to(t, make), why=why)


def signed_how(**how):
    return lambda r, device: r.cose_rvr(device, how=how)


def with_payload(change):
    """The honest request, its CBOR changed before it is signed."""
    def make(r, device):
        ((top, leaves),) = cbor2.loads(cose.parse(r.cose_rvr(device)).payload).items()
        certs = [*r.identity.chain(with_root=True), *device.identity.chain()]
        bag = cose.bag(c if isinstance(c, bytes) else forge.der(c) for c in certs)
        return cose.sign(change(top, leaves), r.identity, unprotected={cose.X5BAG: bag})
    return make


def delta(name):
    return next(d for d, leaf in cose.DELTAS["request"].items() if leaf == name)


# -- requests

@check("O-01", level=MUST, role="masa", profiles=CBRSKI, mutant="reads COSE without a tag")
def cose_request_without_a_tag_is_read(t):
    """The media type says that it is a COSE_Sign1; the tag may be missing."""
    voucher_for(t, signed_how(tag=False))


@check("O-02", level=MUST, role="masa", profiles=CBRSKI, mutant="wants signatures as COSE has them")
def cose_request_with_a_der_signature_is_refused(t):
    """A signature in DER, as X.509 has it, is none in COSE."""
    refused(t, signed_how(der=True), "the signature is DER")


@check("O-02", level=MUST, role="masa", profiles=CBRSKI, mutant="wants the algorithm under the signature")
def cose_request_with_an_unprotected_algorithm_is_refused(t):
    """alg stands in the protected header; elsewhere it is anybody's word."""
    def make(r, device):
        box = cose.parse(r.cose_rvr(device))
        return cose.sign(box.payload, r.identity, alg=None, unprotected={**box.unprotected, cose.ALG: cose.ES256})
    refused(t, make, "the algorithm is not protected")


@check("O-07", level=MUST, role="masa", profiles=CBRSKI, mutant="reads arrays of one certificate")
def cose_request_with_an_array_of_one_certificate_is_read(t):
    """A bag with one certificate in an array is as good as the certificate alone; here, in the pledge's
    request."""
    def make(r, device):
        bag = {cose.X5BAG: [forge.der(device.identity.cert)]}
        return r.cose_rvr(device, r.cose_pvr(device, how={"unprotected": bag}))
    voucher_for(t, make)


@check("O-14", level=MUST, role="masa", profiles=CBRSKI,
       mutant="reads what it knows every critical header of")
def cose_request_with_an_unknown_critical_header_is_refused(t):
    """What crit names has to be understood."""
    refused(t, signed_how(protected=CRITICAL), "a critical header is unknown")


@check("O-15", level=MUST, role="masa", profiles=CBRSKI, mutant="wants the payload inside")
def cose_request_with_a_detached_payload_is_refused(t):
    """A request's payload is inside."""
    refused(t, signed_how(detached=True), "the payload is not there")


@check("O-15", level=MUST, role="masa", profiles=CBRSKI, mutant="verifies the registrar's signature")
def cose_request_signed_with_external_data_is_refused(t):
    """The signature covers no external data."""
    refused(t, signed_how(external=b"more"), "the signature is over something else, too")


@check("Y-01", level=MUST, role="masa", profiles=CBRSKI, mutant="knows the two containers")
def cose_request_in_another_container_is_refused(t):
    """The outer map's key is a request's SID or name, nothing else."""
    refused(t, with_payload(lambda _top, leaves: cbor2.dumps({2551: leaves})), "its container has SID 2551")


@check("Y-04", level=MUST, role="masa", profiles=CBRSKI, mutant="wants every leaf in its type")
def cose_request_with_a_leaf_in_another_type_is_refused(t):
    """An assertion in words is no enumeration in CBOR, and a number is no date."""
    for name, value in (("assertion", "proximity"), ("created-on", 1_700_000_000)):
        make = with_payload(lambda top, leaves: cbor2.dumps({top: {**leaves, delta(name): value}}))
        refused(t, make, f"{name} is {value!r}")


@check("Y-05", level=MUST, role="masa", profiles=CBRSKI, mutant="wants 8 to 32 octets in a nonce in COSE")
def cose_nonce_of_another_size_is_refused(t):
    """A nonce has 8 to 32 octets."""
    for nonce in (b"\x01" * 7, b"\x01" * 33):
        refused(t, lambda r, device: r.cose_rvr(device, r.cose_pvr(device, nonce=nonce)),
                f"the nonce has {len(nonce)} octets")


@check("Y-06", level=MUST, role="masa", profiles=CBRSKI,
       mutant="wants a serial-number in a request in COSE")
def cose_request_without_a_serial_number_is_refused(t):
    """A request says whom it is about."""
    refused(t, lambda r, device: r.cose_rvr(device, serial_number=None), "there is no serial-number")


@check("Y-07", level=MUST, role="masa", profiles=CBRSKI,
       mutant="passes over leaves a request has no business with in COSE")
def cose_leaves_without_meaning_in_a_request_are_ignored(t):
    """domain-cert-revocation-checks and last-renewal-date mean nothing in a request, and none of it comes
    back: last-renewal-date goes with expires-on only."""
    more = {"domain_cert_revocation_checks": True, "last_renewal_date": "2030-01-01T00:00:00Z"}
    fields = cose.parse(voucher_for(t, lambda r, device: r.cose_rvr(device, **more))).fields
    t.need(fields.get("domain-cert-revocation-checks") is not True, "the voucher says what the request said")
    t.need("last-renewal-date" not in fields or "expires-on" in fields,
           "the voucher has last-renewal-date and no expires-on")


@check("Y-11", level=MUST, role="masa", profiles=CBRSKI, mutant="passes over extensions in COSE")
def cose_unknown_extensions_of_a_request_are_ignored(t):
    """Extensions that the MASA has never heard of do no harm."""
    def extended(top, leaves):
        module = cbor2.CBORTag(cose.TAG_ABSOLUTE_SID, 60000)
        return cbor2.dumps({top: {**leaves, delta("extensions"): [60000], module: {1: "more"}}})
    voucher_for(t, with_payload(extended))


# -- vouchers

@check("O-01", level=MUST, role="masa", profiles=CBRSKI, mutant="tags its vouchers")
def cose_voucher_is_a_tagged_sign1(t):
    """A voucher is a COSE_Sign1 with its tag 18."""
    t.equal(voucher_for(t)[0], SIGN1, "the first octet")


@check("O-02", level=MUST, role="masa", profiles=CBRSKI, mutant="signs as COSE has it")
def cose_voucher_is_signed_as_cose_has_it(t):
    """The algorithm is under the signature; that is r and s side by side over Sig_structure without
    external data."""
    box = cose.parse(voucher_for(t))
    t.need(cose.ALG in box.protected, f"the protected header is {box.protected}, without alg")
    try:
        box.signer()
    except Exception as e:
        t.need(False, f"the signature of {len(box.signature)} octets does not hold: {e!r}")


@check("O-07", level=MUST, role="masa", profiles=CBRSKI, mutant="writes one certificate bare")
def cose_voucher_has_one_certificate_bare_and_several_in_an_array(t):
    """x5bag and x5chain are octets for one certificate, an array for two or more."""
    for headers in (cose.parse(voucher_for(t)).unprotected, cose.parse(voucher_for(t)).protected):
        for label in (cose.X5BAG, cose.X5CHAIN):
            bag = headers.get(label, b"")
            t.need(isinstance(bag, bytes) or len(bag) > 1 and all(isinstance(c, bytes) for c in bag),
                   f"header {label} is {type(bag).__name__} of {len(bag)}")


@check("Y-01", level=MUST, role="masa", profiles=CBRSKI, mutant="names the container of its vouchers")
def cose_voucher_names_its_container(t):
    """The outer map has one entry: SID 2451, or ietf-voucher:voucher."""
    outer = cbor2.loads(cose.parse(voucher_for(t)).payload)
    t.need(len(outer) == 1 and set(outer) <= {cose.CONTAINERS["voucher"], cose.NAMES["voucher"]},
           f"the containers are {list(outer)}")


@check("Y-04", level=MUST, role="masa", profiles=CBRSKI, mutant="writes every leaf in its type")
def cose_voucher_has_every_leaf_in_its_type(t):
    """An enumeration is its number, times and serial-number are text, binary leaves are octets."""
    ((top, leaves),) = cbor2.loads(cose.parse(voucher_for(t)).payload).items()
    container = "request" if top == cose.CONTAINERS["request"] else "voucher"
    named = {cose.DELTAS[container].get(key, key): value for key, value in leaves.items()}
    t.need(isinstance(named.get("assertion"), int), f"assertion is {named.get('assertion')!r}")
    for names, kind in ((TEXTS, str), (OCTETS, bytes)):
        for name in names:
            t.need(isinstance(named.get(name, kind()), kind), f"{name} is {named.get(name)!r}")


@check("Y-06", level=MUST, role="masa", profiles=CBRSKI, mutant="says whose voucher it is in COSE")
def cose_voucher_has_the_serial_number(t):
    """serial-number is there and the device's."""
    device = t.device()
    with t.registrar() as r:
        reply = r.ask(r.cose_rvr(device), content_type=COSE_TYPE, accept=COSE_TYPE)
        t.status(reply, 200, why="an honest request")
        t.equal(cose.parse(reply.body).fields.get("serial-number"), device.serial, "serial-number")


# -- a key in place of a certificate

def alone(r, device):
    """A request that brings no CA of the registrar along, of a pledge that named the registrar's key."""
    certs = [r.identity.cert, *device.identity.chain()]
    bag = cose.bag(c if isinstance(c, bytes) else forge.der(c) for c in certs)
    return r.cose_rvr(device, how={"unprotected": {cose.X5BAG: bag}})


@check("A-06", level=SHOULD, role="masa", profiles=CBRSKI, mutant="pins a key where the pledge named one")
def cose_key_is_pinned_in_place_of_an_end_entity(t):
    """Where only the registrar's own certificate could be pinned, its key is, for a pledge that named the
    registrar by its key."""
    fields = cose.parse(voucher_for(t, alone)).fields
    t.need("pinned-domain-cert" not in fields, "the voucher pins the registrar's own certificate")
    t.need({"pinned-domain-pubk", "pinned-domain-pubk-sha256"} & set(fields), f"it pins no key: {set(fields)}")


@check("A-07", "K-04", level=MUST, role="masa", profiles=CBRSKI, mutant="pins the registrar's own key")
def cose_pinned_key_is_the_registrars_own(t):
    """A key that is pinned is the one of the registrar's certificate, and no CA's."""
    own = forge.spki(t.lab.domain.registrar.cert)
    for make in (alone, lambda r, device: r.cose_rvr(device)):
        pinned = cose.parse(voucher_for(t, make)).fields.get("pinned-domain-pubk", own)
        t.equal(pinned, own, "pinned-domain-pubk")
