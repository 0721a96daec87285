# SPDX-License-Identifier: Apache-2.0
"""What makes a voucher-request or a voucher in COSE none, whatever its signature (RFC 9052 §3.1, §4.2,
RFC 9254; draft-ietf-anima-constrained-voucher §9.2)."""
import cbor2
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from brski_peer import cose

KNOWN_HEADERS = {cose.ALG, cose.CRIT, cose.CONTENT_TYPE, cose.KID}
TOPS = {*cose.CONTAINERS.values(), *cose.NAMES.values()}
NUMBERS, TEXTS, OCTETS = "assertion", ("created-on", "expires-on", "serial-number"), ("nonce", "idevid-issuer")


def flaw(octets):
    """The name of the rule that this one breaks; None: nothing is wrong with its form."""
    try:
        box = cose.parse(octets)
        headers = box.protected
    except Exception:
        return None  # it cannot be read at all
    found = (("reads what it knows every critical header of", set(headers.get(cose.CRIT, ())) - KNOWN_HEADERS),
             ("wants the algorithm under the signature", cose.ALG not in headers),
             ("wants the payload inside", box.payload is None),
             ("wants signatures as COSE has them", is_der(box.signature)))
    return next((rule for rule, wrong in found if wrong), None) or flaw_of_contents(box.payload)


def flaw_of_contents(payload):
    try:
        ((top, _leaves),) = cbor2.loads(payload).items()
        if top not in TOPS:
            return "knows the two containers"
        container, leaves = raw_leaves(payload)
    except Exception:
        return None
    typed = (isinstance(leaves.get(NUMBERS, 0), int)
             and all(isinstance(leaves.get(name, ""), str) for name in TEXTS)
             and all(isinstance(leaves.get(name, b""), bytes) for name in OCTETS))
    if not typed:
        return "wants every leaf in its type"
    if "serial-number" not in leaves:
        return f"wants a serial-number in a {container} in COSE"
    nonce = leaves.get("nonce") if container == "request" else None
    return "wants 8 to 32 octets in a nonce in COSE" if nonce is not None and not 8 <= len(nonce) <= 32 else None


def is_der(signature):
    """As X.509 has it."""
    try:
        return bool(decode_dss_signature(signature))
    except ValueError:
        return False


def raw_leaves(payload):
    """(container, leaves by name): values as CBOR has them."""
    ((top, entries),) = cbor2.loads(payload).items()
    container = next(c for c in cose.CONTAINERS if top in (cose.CONTAINERS[c], cose.NAMES[c]))
    names = cose.DELTAS[container]
    leaves = {}
    for key, value in entries.items():
        if isinstance(key, cbor2.CBORTag):
            key = key.value - cose.CONTAINERS[container]
        leaves[names.get(key, key)] = value
    return container, leaves
