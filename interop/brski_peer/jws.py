# SPDX-License-Identifier: Apache-2.0
"""Signed vouchers and requests in JSON: JWS (RFC 7515, draft-ietf-anima-jws-voucher), right and wrong.

    octets = sign(b'{"ietf-voucher:voucher":{…}}', masa)        # as the draft wants it
    octets = sign(payload, masa, alg="none")                    # … and every wrong way
    octets = countersign(octets, registrar)                     # a second signature over the same payload
    octets = sign(payload, agent, typ=None, x5c=None, kid=key_id(agent.cert))
    box = parse(octets); box.payload; box.verify()              # raises InvalidSignature

The artifact is the General JWS JSON Serialization: {"payload", "signatures": [{"protected",
"signature"}]}, all three base64url without padding, the signature raw. parse() takes nothing else;
compact() and flattened() turn an artifact into the forms that are none.
"""
import base64
import binascii
import hashlib
import hmac
import json
import re
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from . import forge, voucher

MEDIA_TYPE = "application/voucher-jws+json"
TYPE = "voucher-jws+json"    # the header member typ of a voucher and of a voucher-request
USUAL = object()             # "what the draft asks for" where None means "leave it out"
UNDERSTOOD = ("created-on",)  # header members that crit may name
_HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


# -- base64

def b64url(octets):
    """base64url without padding, as text."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def from_b64url(text):
    """ValueError for padding, for letters of the other alphabet, and for what is no text."""
    if not isinstance(text, str) or not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise ValueError("not base64url without padding")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def key_id(cert):
    """A header's kid: the certificate's subjectKeyIdentifier in base64."""
    return forge.b64(forge.ski(cert))


# -- signatures

def usual_alg(key):
    """The algorithm our side would use with this key, private or public."""
    if isinstance(key, (ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey)):
        return "EdDSA"
    if isinstance(key, (rsa.RSAPrivateKey, rsa.RSAPublicKey)):
        return "RS256"
    return {256: "ES256", 384: "ES384", 521: "ES512"}[key.curve.key_size]


def algs_of(key):
    """Every algorithm that goes with this public key."""
    return ("RS256", "PS256") if isinstance(key, rsa.RSAPublicKey) else (usual_alg(key),)


def _rsa_padding(alg):
    hash_ = _HASHES[alg[2:]]()
    if alg.startswith("PS"):
        return padding.PSS(padding.MGF1(hash_), hash_.digest_size), hash_
    return padding.PKCS1v15(), hash_


def raw_sign(key, octets, alg, der=False):
    """alg "none": nothing; "HS256": an HMAC with the public key as its secret, an old trick.
    der: an ECDSA signature as X.509 has it (wrong)."""
    if alg == "none":
        return b""
    if alg == "HS256":
        return hmac.new(forge.spki(_Bare(key)), octets, hashlib.sha256).digest()
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(octets)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(octets, *_rsa_padding(alg))
    signature = key.sign(octets, ec.ECDSA(_HASHES[alg[2:]]()))
    if der:
        return signature
    size = (key.curve.key_size + 7) // 8
    return b"".join(n.to_bytes(size, "big") for n in decode_dss_signature(signature))


class _Bare:
    """A private key where forge.spki() wants a certificate."""

    def __init__(self, key):
        self.public_key = key.public_key


def raw_verify(public, signature, octets, alg):
    """Raises InvalidSignature, also for an algorithm that does not go with the key."""
    if alg not in algs_of(public):
        raise InvalidSignature(f"{alg} does not go with the signer's key")
    if isinstance(public, ed25519.Ed25519PublicKey):
        return public.verify(signature, octets)
    if isinstance(public, rsa.RSAPublicKey):
        return public.verify(signature, octets, *_rsa_padding(alg))
    size = (public.curve.key_size + 7) // 8
    if len(signature) != 2 * size:
        raise InvalidSignature(f"{len(signature)} octets are no {alg} signature")
    r, s = (int.from_bytes(part, "big") for part in (signature[:size], signature[size:]))
    return public.verify(encode_dss_signature(r, s), octets, ec.ECDSA(_HASHES[alg[2:]]()))


# -- writing

def header(signer, alg=USUAL, x5c=USUAL, typ=USUAL, kid=None, more=None):
    """The members of a protected header, in a dict.

    alg    USUAL: what goes with the key; None: none is named
    x5c    x509 certificates to carry; USUAL: the signer's and its issuers below the root; None: none
    typ    USUAL: voucher-jws+json
    more   further members, laid over these; with the value None one is taken out
    """
    members = {"alg": usual_alg(signer.key) if alg is USUAL else alg,
               "typ": TYPE if typ is USUAL else typ, "kid": kid}
    chain = signer.chain() if x5c is USUAL else x5c
    if chain is not None:
        members["x5c"] = [forge.b64(forge.der(c)) for c in chain]
    members.update(more or {})
    return {name: value for name, value in members.items() if value is not None}


def signature(payload, signer, escaped=False, der=False, padded=False, protected=None,
              unprotected=None, sign_over=None, **members):
    """One element of "signatures". signer: an Identity.

    escaped      the header is written with every / as \\/
    der, padded  an ECDSA signature as X.509 has it; base64url with padding: both wrong
    protected    octets of the header instead of those of members (arguments of header())
    unprotected  the member "header"
    sign_over    sign these octets as the payload instead
    """
    members = header(signer, **members)
    if protected is None:
        protected = json.dumps(members, separators=(",", ":"))
        protected = (protected.replace("/", "\\/") if escaped else protected).encode()
    coded = b64url(protected)
    signed = f"{coded}.{b64url(payload if sign_over is None else sign_over)}".encode()
    alg = members.get("alg", usual_alg(signer.key))
    made = b64url(raw_sign(signer.key, signed, alg, der))
    element = {"protected": coded, "signature": made + "=" * (-len(made) % 4) if padded else made}
    if unprotected is not None:
        element["header"] = unprotected
    return element


def sign(payload, *signers, **how):
    """Octets of the artifact, signed by each of these Identities in turn; how: of signature()."""
    return encode(payload, [signature(payload, signer, **how) for signer in signers])


def countersign(octets, signer, **how):
    """The artifact with one signature more, after those it has."""
    members = json.loads(octets)
    members["signatures"].append(signature(from_b64url(members["payload"]), signer, **how))
    return _dumps(members)


def encode(payload, signatures, padded=False):
    """The artifact of octets and elements from signature()."""
    coded = b64url(payload)
    return _dumps({"payload": coded + "=" * (-len(coded) % 4) if padded else coded,
                   "signatures": list(signatures)})


def _dumps(members):
    return json.dumps(members, separators=(",", ":")).encode()


def compact(octets):
    """The Compact Serialization of an artifact with one signature: no voucher any more."""
    members = json.loads(octets)
    (only,) = members["signatures"]
    return ".".join((only["protected"], members["payload"], only["signature"])).encode()


def flattened(octets):
    """The Flattened JSON Serialization: no voucher either."""
    members = json.loads(octets)
    (only,) = members["signatures"]
    return _dumps({"payload": members["payload"], **only})


def general(octets):
    """The general serialization without padding of what may be another one, for a reader that
    does not judge; ValueError for what is no JWS at all."""
    if octets.count(b".") == 2 and b"{" not in octets:
        protected, payload, signature = octets.decode().split(".")
        members = {"payload": payload, "signatures": [{"protected": protected, "signature": signature}]}
    else:
        members = json.loads(octets)
        if "signatures" not in members and "protected" in members:
            members = {"payload": members.pop("payload"), "signatures": [members]}
        elif b"=" not in octets:
            return octets
    members["payload"] = members["payload"].rstrip("=")
    for signature in members["signatures"]:
        signature["signature"] = signature["signature"].rstrip("=")
    return json.dumps(members, separators=(",", ":")).encode()


def flip_signature(octets, index=0):
    """The same artifact; one signature has a bit changed."""
    members = json.loads(octets)
    made = bytearray(from_b64url(members["signatures"][index]["signature"]))
    made[-1] ^= 1
    members["signatures"][index]["signature"] = b64url(bytes(made))
    return _dumps(members)


# -- reading

@dataclass
class Signature:
    """One signature as it came. header: the protected one; header_octets: as it was written."""
    header: dict
    header_octets: bytes
    unprotected: dict
    signature: bytes
    signed: bytes

    @property
    def alg(self):
        return self.header.get("alg")

    @property
    def certs(self):
        """Of x5c; ValueError when that is not an array of padded base64 of certificates."""
        found = self.header.get("x5c", [])
        if not isinstance(found, list):
            raise ValueError("x5c is no array")
        try:
            return [forge.parse(base64.b64decode(text, validate=True)) for text in found]
        except (TypeError, binascii.Error) as e:
            raise ValueError(f"x5c: {e}") from e

    def signer(self, hints=()):
        """The certificate the header names: the first of x5c, or the hint with the key of kid."""
        if self.certs:
            return self.certs[0]
        kid = str(self.header.get("kid", "")).rstrip("=").translate(str.maketrans("-_", "+/"))
        fitting = (c for c in hints if forge.ski(c) and key_id(c).rstrip("=") == kid)
        return next(fitting, None)

    def verify(self, hints=(), typ=TYPE):
        """Check the header and the signature; returns the signer's certificate. That somebody may
        sign is another matter: x5c is what the sender says of itself."""
        if self.header.get("typ", typ) != typ:
            raise InvalidSignature(f"typ is {self.header['typ']!r}")
        crit = self.header.get("crit", [])
        if "crit" in self.header and (not crit or not set(crit) <= set(UNDERSTOOD) & set(self.header)):
            raise InvalidSignature(f"crit is {crit!r}")
        cert = self.signer(hints)
        if cert is None:
            raise InvalidSignature("no certificate of the signer")
        raw_verify(cert.public_key(), self.signature, self.signed, self.alg)
        return cert


@dataclass
class Jws:
    payload: bytes
    signatures: list
    octets: bytes

    @property
    def header(self):
        """Of the first signature."""
        return self.signatures[0].header

    @property
    def certs(self):
        """Of every x5c, each once, in order."""
        return list(dict.fromkeys(c for s in self.signatures for c in s.certs))

    def decode(self):
        """(top member name, leaves) of a voucher or a request."""
        return voucher.decode(self.payload)

    def verify(self, hints=(), index=None, typ=TYPE):
        """One signature by its index; without one, the only one there is."""
        if index is None and len(self.signatures) != 1:
            raise InvalidSignature(f"{len(self.signatures)} signatures")
        return self.signatures[index or 0].verify(hints, typ)

    def verify_all(self, hints=(), typ=TYPE):
        """The signers' certificates, in order."""
        return [s.verify(hints, typ) for s in self.signatures]


def parse(octets):
    """Read an artifact; ValueError when it is not one. Signatures are not judged."""
    members = json.loads(octets)
    if not isinstance(members, dict) or not isinstance(members.get("signatures"), list):
        raise ValueError("not the General JWS JSON Serialization")
    if not members["signatures"]:
        raise ValueError("no signature")
    payload = from_b64url(members.get("payload"))
    return Jws(payload, [_element(members["payload"], e) for e in members["signatures"]], octets)


def _element(payload, element):
    if not isinstance(element, dict):
        raise ValueError("a signature is no object")
    octets = from_b64url(element.get("protected"))
    members, unprotected = json.loads(octets), element.get("header", {})
    if not isinstance(members, dict) or not isinstance(unprotected, dict):
        raise ValueError("a header is no object")
    return Signature(members, octets, unprotected, from_b64url(element.get("signature")),
                     f"{element['protected']}.{payload}".encode())


def leaves(octets):
    """Those of a voucher or a request, however it is serialized and signed."""
    return parse(general(octets)).decode()[1]


def read(octets, hints=()):
    """forge.Read of an artifact with one signature; InvalidSignature when that does not hold."""
    box = parse(octets)
    signer = box.verify(hints)
    top, fields = box.decode()
    return forge.Read(top, fields, signer, box.certs, box.header.get("typ"), 0, box.payload)


# -- the messages; leaves as forge has them, binary ones in base64

def rvr_fields(prior, idevid_cert):
    """The leaves of a registrar's request around a signed pledge's request."""
    asked = parse(prior).decode()[1]
    return {"created-on": voucher.timestamp(), "serial-number": voucher.serial_of(idevid_cert),
            "nonce": asked["nonce"], "assertion": "proximity",
            "idevid-issuer": forge.b64(forge.aki_tlv(idevid_cert)),
            "prior-signed-voucher-request": forge.b64(prior)}


def sign_request(fields, *signers, **how):
    return sign(voucher.encode(voucher.REQUEST, fields), *signers, **how)


def sign_voucher(fields, *signers, **how):
    return sign(voucher.encode(voucher.VOUCHER, fields), *signers, **how)
