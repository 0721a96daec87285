# SPDX-License-Identifier: Apache-2.0
"""What checks of every role say about a voucher or a voucher-request in JWS: is it written as it has to be
(draft-ietf-anima-jws-voucher §3), and which ones nobody may take.

    members = look(t, octets)          # of the general serialization, or it is wrong
"""
import base64
import json
import re

from cryptography.exceptions import InvalidSignature

from brski_peer import forge, jws

BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
SIZES = {"ES256": 64, "ES384": 96, "ES512": 132, "EdDSA": 64}

# What is no voucher, or is signed as none may be: (what is said of it, how it is made of octets that
# sign(**options) returns).
OTHER_FORMS = (("the compact serialization", lambda sign: jws.compact(sign())),
               ("the flattened serialization", lambda sign: jws.flattened(sign())))
PADDED = (("base64url with padding", lambda sign: sign(padded=True)),)  # of 64 octets: two letters =
DER = (("an ECDSA signature in DER", lambda sign: sign(der=True)),)
ALGORITHMS = (("the algorithm none", lambda sign: sign(alg="none")),
              ("an HMAC with the public key", lambda sign: sign(alg="HS256")))
TYPES = (("the type of something else", lambda sign: sign(typ="jwt")),)


def look(t, octets, what):
    """The members of a JWS in its general serialization."""
    try:
        members = json.loads(octets)
    except ValueError as e:
        t.need(False, f"{what} is not JSON: {e}")
    t.need(isinstance(members, dict) and isinstance(members.get("signatures"), list) and members["signatures"],
           f"{what} has no array signatures: it is not the general serialization of JWS")
    return members


def loose(text):
    """base64 of either alphabet, padded or not."""
    return base64.urlsafe_b64decode(text.rstrip("=").replace("+", "-").replace("/", "_") + "===")


def parts(t, octets, what):
    """(first signature, its header) however it is serialized: other checks look at that."""
    try:
        members = json.loads(octets)
        first = members.get("signatures", [members])[0]
        return first, json.loads(loose(first["protected"]))
    except (ValueError, KeyError, AttributeError, IndexError):
        return t.skip(f"{what} is no JWS in JSON")


def unpadded(t, octets, what):
    """payload, protected and signature are base64url without padding."""
    first, _ = parts(t, octets, what)
    for name, value in (("payload", json.loads(octets).get("payload")), *first.items()):
        if name in ("payload", "protected", "signature"):
            t.need(isinstance(value, str) and BASE64URL.fullmatch(value),
                   f"the {name} of {what} is not base64url without padding")


def raw(t, octets, what):
    """An ECDSA signature is as long as the algorithm says."""
    first, header = parts(t, octets, what)
    size = SIZES.get(header.get("alg"))
    if size is None:
        t.skip(f"the signature of {what} is made with {header.get('alg')}")
    t.equal(len(loose(first["signature"])), size, f"the number of octets in the {header['alg']} signature of {what}")


def header_of(t, octets, what):
    """alg and x5c: padded base64 of certificates, the signer's first."""
    _, header = parts(t, octets, what)
    t.need(isinstance(header.get("alg"), str), f"the protected header of {what} has no alg")
    chain = header.get("x5c")
    t.need(isinstance(chain, list) and chain, f"the protected header of {what} has no x5c")
    try:
        found = [forge.parse(base64.b64decode(c, validate=True)) for c in chain]
    except ValueError as e:
        t.need(False, f"x5c of {what} is not padded base64 of certificates: {e}")
    fitting = [c for c in found if made_by(octets, c)]
    t.need(not fitting or found[0] in fitting, f"the first certificate in x5c of {what} is not the signer's")
    t.need(header["alg"] in jws.algs_of(found[0].public_key()),
           f"{header['alg']} does not go with the first key in x5c of {what}")


def made_by(octets, cert):
    """Did the key of this certificate make the signature?"""
    only = jws.parse(jws.general(octets)).signatures[0]
    try:
        jws.raw_verify(cert.public_key(), only.signature, only.signed, only.alg)
        return True
    except InvalidSignature:
        return False


def typ(t, octets, what):
    """When there is a typ, it is the voucher's."""
    _, header = parts(t, octets, what)
    t.equal(header.get("typ", jws.TYPE), jws.TYPE, f"the typ of {what}")
