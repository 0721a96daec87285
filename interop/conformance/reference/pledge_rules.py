# SPDX-License-Identifier: Apache-2.0
"""What the reference registrar refuses in a pledge's request over HTTPS without asking anybody, and what
it takes although others stumble over it (RFC 8366 §5.3, §5.4; RFC 8995 §3, §5.2, §6)."""
import base64
import datetime
import re

from asn1crypto import parser
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from brski_peer import cms, forge, voucher

from .rules import Refused

KNOWN = {"assertion", "created-on", "serial-number", "nonce", "proximity-registrar-cert", "idevid-issuer",
         "proximity-registrar-pubk", "proximity-registrar-pubk-sha256", "pinned-domain-cert",
         "last-renewal-date", "domain-cert-revocation-checks"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
SIGNATURE_RULES = {"no signed attributes": "wants signed attributes", "0 signers": "wants a signer"}


def headers(role, request):
    """Of a POST to requestvoucher."""
    if request.header("content-transfer-encoding") and not role.rule("passes over Content-Transfer-Encoding"):
        raise Refused(400, "No Content-Transfer-Encoding, please.")
    kind = request.header("content-type") or ""
    plain = kind.split(";")[0].strip().lower()
    if kind != plain and not role.rule("compares media types without case and parameters"):
        raise Refused(415, "That type is not known.")


def container(role, octets):
    """The signed octets, before they are read."""
    role.refuse("reads DER only", octets[1:2] == b"\x80", 400, "DER, please.")
    if octets[:1] == b"M" and not role.rule("reads raw octets only"):
        octets = base64.b64decode(octets)
    return octets


def own_type(role, octets):
    """The content type of a CMS that has been read."""
    if cms.parse(octets).content_type == cms.ID_DATA and not role.rule("reads id-data too"):
        raise Refused(400, "That content type is not read here.")


def broken_signature(octets, hints):
    """The name of the rule that a signature breaks."""
    try:
        cms.parse(octets).verify(hints)
    except Exception as e:
        return SIGNATURE_RULES.get(str(e), "verifies the pledge's signature")
    return "verifies the pledge's signature"


def members(role, fields):
    """Members nobody knows, and the form of those that are known."""
    if set(fields) - KNOWN and not role.rule("passes over members it does not know"):
        raise Refused(400, "There are members nobody knows.")
    created = fields.get("created-on")
    role.refuse("reads times with a zone only", created is not None and not TIME.fullmatch(str(created)), 400,
                "created-on is no time.")
    if "." in str(created) and not role.rule("reads every form of a time"):
        raise Refused(400, "created-on is too precise.")
    nonce = fields.get("nonce")
    role.refuse("wants a nonce", nonce is None, 403, "A nonce is needed.")
    size = nonce and len(base64.urlsafe_b64decode(nonce.replace("+", "-").replace("/", "_").rstrip("=") + "==="))
    role.refuse("wants 8 to 32 octets in a nonce", nonce is not None and not 8 <= size <= 32, 400,
                "The nonce has the wrong size.")


def proximity_form(role, fields):
    """The leaves, when the proximity certificate is written as it should be; a mutant reads more."""
    named = fields.get("proximity-registrar-cert")
    if not isinstance(named, str):
        return fields
    text = re.sub(r"\s", "", named)
    role.refuse("reads base64 without line breaks only", text != named, 400, "There are line breaks in base64.")
    try:
        octets = base64.b64decode(text, validate=True)
    except ValueError:
        return fields
    der = one_certificate(octets)
    role.refuse("reads certificates in DER only", der != octets, 400, "proximity-registrar-cert is not DER.")
    return {**fields, "proximity-registrar-cert": voucher.b64(der)}


def one_certificate(octets):
    """The DER in what may be PEM, or have something after its end; the octets themselves otherwise."""
    if octets.startswith(b"-----BEGIN"):
        return forge.der(x509.load_pem_x509_certificate(octets))
    try:
        return octets[:parser.peek(octets)]
    except ValueError:
        return octets


def assertion(role, fields):
    """A pledge on the network asserts proximity."""
    role.refuse("takes the assertion proximity only", fields.get("assertion") != "proximity", 401,
                "Only proximity will do.", close=True)


def idevid(role, cert):
    """The device's certificate itself, once its manufacturer is known."""
    p256 = isinstance(cert.public_key(), ec.EllipticCurvePublicKey) and cert.public_key().curve.key_size == 256
    if not p256 and not role.rule("takes devices with every usual key"):
        raise Refused(403, "That kind of key is not taken here.")
    if cert.not_valid_after < datetime.datetime.utcnow():
        if role.variant != "older-devices" or not role.rule("takes expired IDevIDs where it is told to"):
            raise Refused(403, "Your certificate has expired.")


def serial_of(role, cert):
    """The serial number of a device, from where its manufacturer has put it."""
    if role.variant == "older-devices" and role.rule("finds the serial number where it is told to"):
        return cert.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    found = cert.subject.get_attributes_for_oid(x509.NameOID.SERIAL_NUMBER)
    if not found:
        raise Refused(403, "Your certificate has no serial number.")
    return found[0].value
