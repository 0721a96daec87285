# SPDX-License-Identifier: Apache-2.0
"""What a pledge writes over CoAPS: its voucher-request in COSE and YANG-CBOR (RFC 9052, RFC 9254,
draft-ietf-anima-constrained-voucher §9.2)."""
import cbor2

from brski_peer import cose
from brski_peer.coap_server import Answer

from ..core import MUST, check

CBRSKI = ("cbrski",)
SIGN1 = 0xD2  # tag 18
OCTETS = ("nonce", "proximity-registrar-cert", "proximity-registrar-pubk", "proximity-registrar-pubk-sha256",
          "idevid-issuer")
TEXTS = ("created-on", "expires-on", "serial-number")


def request_of(t, device):
    """The octets of the first voucher-request, which is not answered with a voucher."""
    t.coap_registrar.on["rv"] = lambda _request: Answer("4.03")
    t.run(device, t.coap_registrar)
    asked = t.coap_registrar.seen("rv")
    t.need(asked, "the pledge never asked for a voucher")
    return asked[0].body


def written(t):
    """(key of the container, leaves by name with their values as CBOR has them)."""
    outer = cbor2.loads(cose.parse(request_of(t, t.device())).payload)
    t.need(isinstance(outer, dict) and len(outer) == 1, f"the outer map is {outer!r:.80}")
    ((top, entries),) = outer.items()
    container = next((c for c in cose.CONTAINERS if top in (cose.CONTAINERS[c], cose.NAMES[c])), "request")
    base, names = cose.CONTAINERS[container], cose.DELTAS[container]
    leaves = {}
    for key, value in entries.items():
        key = key.value - base if isinstance(key, cbor2.CBORTag) else key
        leaves[names.get(key, key)] = value
    return top, leaves


@check("O-01", level=MUST, role="pledge", profiles=CBRSKI, mutant="tags its request")
def coaps_request_is_a_tagged_cose_sign1(t):
    """A voucher-request is a COSE_Sign1 with its tag 18."""
    octets = request_of(t, t.device())
    t.equal(octets[0], SIGN1, "the first octet")


@check("O-02", level=MUST, role="pledge", profiles=CBRSKI, mutant="signs as COSE has it")
def coaps_request_is_signed_as_cose_has_it(t):
    """The algorithm is under the signature; that is r and s side by side, by the IDevID's key, over
    Sig_structure without external data."""
    device = t.device()
    box = cose.parse(request_of(t, device))
    t.need(cose.ALG in box.protected, f"the protected header is {box.protected}, without alg")
    t.need(box.payload is not None, "the payload is detached")
    try:
        box.verify(device.identity)
    except Exception as e:
        t.need(False, f"the signature of {len(box.signature)} octets does not hold: {e!r}")


@check("Y-01", level=MUST, role="pledge", profiles=CBRSKI, mutant="names the container of its request")
def coaps_request_names_its_container(t):
    """The outer map has one entry: SID 2501, or ietf-voucher-request:voucher."""
    top, _leaves = written(t)
    t.need(top in (cose.CONTAINERS["request"], cose.NAMES["request"]), f"the container is {top!r}")


@check("Y-04", level=MUST, role="pledge", profiles=CBRSKI, mutant="writes every leaf in its type")
def coaps_request_has_every_leaf_in_its_type(t):
    """An enumeration is its number, times and serial-number are text, binary leaves are octets."""
    _top, leaves = written(t)
    t.need(isinstance(leaves.get("assertion", 0), int), f"assertion is {leaves.get('assertion')!r}")
    for names, kind in ((TEXTS, str), (OCTETS, bytes)):
        for name in names:
            t.need(isinstance(leaves.get(name, kind()), kind), f"{name} is {leaves.get(name)!r}")


@check("Y-05", level=MUST, role="pledge", profiles=CBRSKI, mutant="makes nonces of 8 octets at least")
def coaps_nonce_has_8_to_32_octets(t):
    """A request has a nonce of 8 to 32 octets."""
    _top, leaves = written(t)
    nonce = leaves.get("nonce")
    t.need(isinstance(nonce, bytes) and 8 <= len(nonce) <= 32, f"the nonce is {nonce!r}")


@check("Y-06", level=MUST, role="pledge", profiles=CBRSKI, mutant="says its serial-number over CoAP")
def coaps_request_says_the_serial_number(t):
    """serial-number is there and the one of the IDevID."""
    device = t.device()
    fields = cose.parse(request_of(t, device)).fields
    t.equal(fields.get("serial-number"), device.serial, "serial-number")


@check("Y-15", level=MUST, role="pledge", profiles=CBRSKI, mutant="leaves idevid-issuer to the registrar")
def coaps_request_has_no_idevid_issuer(t):
    """idevid-issuer is the registrar's to add."""
    _top, leaves = written(t)
    t.need("idevid-issuer" not in leaves, "the request has idevid-issuer")
