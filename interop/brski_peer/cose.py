# SPDX-License-Identifier: Apache-2.0
"""COSE_Sign1 (RFC 9052) around a voucher in YANG-CBOR (RFC 9254, RFC 8366bis), right and wrong.

    octets = sign(encode("request", fields), idevid)      # as the drafts want it
    octets = sign(payload, idevid, alg=-47)                # … and every wrong way
    box = parse(octets); box.fields; box.verify(public)    # raises InvalidSignature

Built and read with cbor2, signed and verified with cryptography. Leaves are a plain dict by their
YANG names, binary ones as bytes, enumerations as text.
"""
import hashlib
import os
from dataclasses import dataclass

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from . import forge, voucher

ES256, EDDSA, ES384 = -7, -8, -35
ALG, CRIT, CONTENT_TYPE, KID, CWT_CLAIMS, X5BAG, X5CHAIN = 1, 2, 3, 4, 15, 32, 33
TAG_SIGN1, TAG_ABSOLUTE_SID = 18, 47
USUAL = object()

ASSERTIONS = ("verified", "logged", "proximity", "agent-proximity")
CONTAINERS = {"voucher": 2451, "request": 2501}
NAMES = {"voucher": "ietf-voucher:voucher", "request": "ietf-voucher-request:voucher"}
_COMMON = {1: "assertion", 2: "created-on", 3: "domain-cert-revocation-checks", 4: "expires-on",
           5: "idevid-issuer", 6: "last-renewal-date", 7: "nonce", 8: "pinned-domain-cert"}
DELTAS = {
    "voucher": {**_COMMON, 9: "pinned-domain-pubk", 10: "pinned-domain-pubk-sha256",
                11: "serial-number", 12: "additional-configuration-url", 13: "est-domain",
                14: "manufacturer-proprietary", 15: "extensions"},
    "request": {**_COMMON, 9: "prior-signed-voucher-request", 10: "proximity-registrar-cert",
                11: "proximity-registrar-pubk-sha256", 12: "proximity-registrar-pubk",
                13: "serial-number", 14: "agent-provided-proximity-registrar-cert",
                15: "agent-sign-cert", 16: "agent-signed-data", 17: "pinned-domain-pubk",
                18: "pinned-domain-pubk-sha256", 19: "additional-configuration-url",
                20: "est-domain", 21: "extensions", 22: "manufacturer-proprietary"},
}


# -- leaves ↔ CBOR

def encode(container, fields, keys="delta"):
    """keys: "delta", "names", "absolute" (tag 47), or "mixed"."""
    sid_of = {name: delta for delta, name in DELTAS[container].items()}
    base, entries = CONTAINERS[container], []
    for i, (name, value) in enumerate(fields.items()):
        if value is None:
            continue
        if name == "assertion" and value in ASSERTIONS:
            value = ASSERTIONS.index(value)
        how = ("names", "delta")[i % 2] if keys == "mixed" else keys
        delta = sid_of.get(name, name)
        if not isinstance(delta, int) or how == "names":
            key = name
        else:
            key = delta if how == "delta" else cbor2.CBORTag(TAG_ABSOLUTE_SID, base + delta)
        entries.append((key, value))
    if keys == "delta" and all(isinstance(k, int) for k, _ in entries):
        entries.sort()
    return b"\xa1" + cbor2.dumps(NAMES[container] if keys == "names" else base) + raw_map(entries)


def head(major, length):
    """The head of a CBOR item, whatever it announces."""
    for info, octets in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if length < 24:
            return bytes([major << 5 | length])
        if length < 1 << 8 * octets:
            return bytes([major << 5 | info]) + length.to_bytes(octets, "big")
    raise ValueError(length)


def raw_map(entries):
    """A map of (key, value) pairs as they stand: in this order, doubles included."""
    return head(5, len(entries)) + b"".join(cbor2.dumps(k) + cbor2.dumps(v) for k, v in entries)


def decode(payload):
    """(container, leaves)."""
    ((top, entries),) = cbor2.loads(payload).items()
    container = {**{v: k for k, v in CONTAINERS.items()}, **{v: k for k, v in NAMES.items()}}[top]
    fields = {}
    for key, value in entries.items():
        if isinstance(key, cbor2.CBORTag):
            key = key.value - CONTAINERS[container]
        name = DELTAS[container].get(key, key)
        if name == "assertion" and isinstance(value, int):
            value = ASSERTIONS[value]
        fields[name] = value
    return container, fields


# -- COSE_Sign1

def usual_alg(key):
    if isinstance(key, (ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey)):
        return EDDSA
    return ES384 if key.curve.key_size > 256 else ES256


def _hash(alg):
    return hashes.SHA384() if alg == ES384 else hashes.SHA256()


def to_be_signed(protected, payload, context="Signature1", external=b""):
    return cbor2.dumps([context, protected, external, payload])


def raw_sign(key, octets, alg):
    """r‖s, as COSE wants it."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(octets)
    size = (key.curve.key_size + 7) // 8
    r, s = decode_dss_signature(key.sign(octets, ec.ECDSA(_hash(alg))))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def raw_verify(public, signature, octets, alg):
    if isinstance(public, ed25519.Ed25519PublicKey):
        return public.verify(signature, octets)
    size = (public.curve.key_size + 7) // 8
    if len(signature) != 2 * size:
        raise InvalidSignature(f"{len(signature)} octets")
    r, s = (int.from_bytes(part, "big") for part in (signature[:size], signature[size:]))
    return public.verify(encode_dss_signature(r, s), octets, ec.ECDSA(_hash(alg)))


def bag(certificates):
    """x5bag or x5chain of DER octets: one as it is, more in an array (RFC 9360 §2)."""
    certificates = list(certificates)
    return certificates[0] if len(certificates) == 1 else certificates


def sign(payload, signer, alg=USUAL, protected=None, unprotected=None, tag=True, der=False,
         detached=False, protected_octets=None, context="Signature1", external=b""):
    """signer: an identity or a key. protected: further headers; protected_octets: those exactly.
    der: the signature as X.509 has it (wrong). alg None leaves it out."""
    key = getattr(signer, "key", signer)
    used = usual_alg(key) if alg is USUAL or alg is None else alg
    if protected_octets is None:
        headers = {} if alg is None else {ALG: used}
        headers.update(protected or {})
        protected_octets = cbor2.dumps(headers) if headers else b""
    octets = to_be_signed(protected_octets, payload, context, external)
    signature = key.sign(octets, ec.ECDSA(_hash(used))) if der else raw_sign(key, octets, used)
    parts = [protected_octets, unprotected or {}, None if detached else payload, signature]
    return cbor2.dumps(cbor2.CBORTag(TAG_SIGN1, parts) if tag else parts)


@dataclass
class Sign1:
    tagged: bool
    protected_octets: bytes
    unprotected: dict
    payload: bytes
    signature: bytes
    octets: bytes

    @property
    def protected(self):
        return cbor2.loads(self.protected_octets) if self.protected_octets else {}

    @property
    def alg(self):
        return self.protected[ALG]

    @property
    def certs(self):
        """Of an x5bag or x5chain, wherever it is."""
        for headers in (self.unprotected, self.protected):
            for label in (X5BAG, X5CHAIN):
                if label in headers:
                    found = headers[label]
                    found = [found] if isinstance(found, bytes) else found
                    return [forge.parse(der) for der in found]
        return []

    @property
    def container(self):
        return decode(self.payload)[0]

    @property
    def fields(self):
        return decode(self.payload)[1]

    def verify(self, public):
        """public: a key, a certificate or an identity."""
        public = getattr(public, "cert", public)
        public = public.public_key() if isinstance(public, x509.Certificate) else public
        octets = to_be_signed(self.protected_octets, self.payload)
        raw_verify(public, self.signature, octets, self.alg)
        return self

    def signer(self):
        """The certificate of the bag whose key made the signature."""
        for cert in self.certs:
            try:
                self.verify(cert)
                return cert
            except InvalidSignature:
                continue
        raise InvalidSignature("no certificate of the bag fits")


def parse(octets):
    item = cbor2.loads(octets)
    tagged = isinstance(item, cbor2.CBORTag)
    if tagged and item.tag != TAG_SIGN1:
        raise ValueError(f"tag {item.tag}")
    protected, unprotected, payload, signature = item.value if tagged else item
    return Sign1(tagged, protected, unprotected, payload, signature, octets)


def stripped(octets):
    """As a registrar hands a voucher on: without certificates in the unprotected header."""
    box = parse(octets)
    kept = {k: v for k, v in box.unprotected.items() if k not in (X5BAG, X5CHAIN)}
    return cbor2.dumps(cbor2.CBORTag(TAG_SIGN1, [box.protected_octets, kept, box.payload,
                                                 box.signature]))


# -- the messages

def pvr_fields(identity, registrar_der, proximity="proximity-registrar-pubk"):
    """proximity: which leaf names the registrar."""
    spki = forge.spki(forge.parse(registrar_der))
    value = {"proximity-registrar-cert": registrar_der, "proximity-registrar-pubk": spki,
             "proximity-registrar-pubk-sha256": hashlib.sha256(spki).digest()}[proximity]
    return {"assertion": "proximity", "nonce": os.urandom(8), proximity: value,
            "serial-number": voucher.serial_of(identity.cert)}


def rvr_fields(prior, idevid_cert):
    """The leaves of a registrar's request around a signed pledge's request."""
    asked = parse(prior).fields
    return {"assertion": "proximity", "created-on": voucher.timestamp(),
            "idevid-issuer": voucher.idevid_issuer(idevid_cert), "nonce": asked["nonce"],
            "prior-signed-voucher-request": prior,
            "serial-number": voucher.serial_of(idevid_cert)}


def voucher_fields(asked, pin, form="pinned-domain-cert", assertion="proximity"):
    """An honest nonced voucher. pin: a certificate; form: the leaf it is pinned in."""
    spki = forge.spki(pin)
    value = {"pinned-domain-cert": forge.der(pin), "pinned-domain-pubk": spki,
             "pinned-domain-pubk-sha256": hashlib.sha256(spki).digest()}[form]
    return {"assertion": assertion, "created-on": voucher.timestamp(), "nonce": asked["nonce"],
            form: value, "serial-number": asked["serial-number"]}


def sign_request(fields, signer, keys="delta", **how):
    return sign(encode("request", fields, keys), signer, **how)


def sign_rvr(fields, registrar, idevid_chain, **how):
    """With the bag a registrar sends: its own chain and what the pledge showed."""
    certs = [forge.der(c) for c in registrar.chain(with_root=True)]
    certs += [c if isinstance(c, bytes) else forge.der(c) for c in idevid_chain]
    how.setdefault("unprotected", {X5BAG: bag(certs)})
    return sign(encode("request", fields), registrar, **how)


def sign_voucher(fields, signer, keys="delta", with_bag=True, **how):
    """with_bag: as a MASA sends it to a registrar."""
    if with_bag:
        how.setdefault("unprotected", {X5BAG: bag(forge.der(c) for c in signer.chain(with_root=True))})
    return sign(encode("voucher", fields, keys), signer, **how)


def status_report(status=True, **more):
    return cbor2.dumps({"version": 1, "status": status, **more})


# -- multipart-core (RFC 8710)

def parts(body):
    """[(content format, octets)]"""
    items = cbor2.loads(body)
    return list(zip(items[::2], items[1::2]))
