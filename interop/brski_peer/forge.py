# SPDX-License-Identifier: Apache-2.0
"""What the peers in this package (pledge, masa, registrar) make and read, leaf by leaf.

certs, cms and voucher build the parts; here they meet files made by brski-certs, and leaves are
plain dicts, so that a lie is one changed entry.
"""
import base64
import datetime
import hashlib
import itertools
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtensionOID

from . import certs, cms, voucher

b64 = voucher.b64
der = certs.cert_der
aki_tlv = voucher.idevid_issuer
_names = itertools.count(1)


# -- identities in files

class FileIdentity(certs.Identity):
    """An Identity that also stands in two files, as TLS libraries want it."""

    def __init__(self, key_path, cert_path, key, chain):
        super().__init__(key, chain[0], chain[1:])
        self.key_path, self.cert_path = str(key_path), str(cert_path)


def load_certs(path):
    pem = open(path, "rb").read()
    end = b"-----END CERTIFICATE-----"
    return [x509.load_pem_x509_certificate(part + end) for part in pem.split(end)[:-1]]


def load(key_path, cert_path):
    key = serialization.load_pem_private_key(open(key_path, "rb").read(), None)
    return FileIdentity(key_path, cert_path, key, load_certs(cert_path))


def save(directory, name, key, chain):
    """A key and its chain (end entity first) as files."""
    written = certs.Identity(key, chain[0], chain[1:]).write(directory, name, with_root=True)
    return FileIdentity(*written, key, chain)


def _saved(directory, identity):
    return save(directory, f"made-{next(_names)}", identity.key, identity.chain())


def issuing(ca_directory):
    """The issuing CA of a manufacturer or domain made by brski-certs."""
    return load(ca_directory / "issuing.key", ca_directory / "issuing.crt")


def idevid(directory, serial, masa_url, manufacturer, expired=False, critical=False,
           restricted=False, utf8=False, cn="Device", **more):
    """An IDevID brski-certs would not make, under the manufacturer's issuing CA."""
    if expired:
        more["not_before"] = datetime.datetime(2019, 1, 1)
        more["not_after"] = datetime.datetime(2020, 1, 1)
    if restricted:
        more["eku"] = [certs.CLIENT_AUTH]
        more["key_usage"] = {"digital_signature"}
    if utf8:
        serial_number = x509.NameAttribute(x509.NameOID.SERIAL_NUMBER, serial, _ASN1Type.UTF8String)
        subject = certs.name(cn, extra=[serial_number])
    else:
        subject = certs.name(cn, serial)
    return _saved(directory, certs.make_idevid(issuing(manufacturer.directory), serial, masa_url,
                                               subject=subject, masa_url_critical=critical, **more))


def self_signed_idevid(directory, serial, masa_url):
    return _saved(directory, certs.make_idevid(None, serial, masa_url))


def impostor_idevid(directory, serial, masa_url, real_issuer):
    """Issued by a CA that has the real one's name but not its key."""
    ca = certs.make_cert(real_issuer.subject, None, ca=True, key_usage={"key_cert_sign"})
    return _saved(directory, certs.make_idevid(ca, serial, masa_url))


# -- looking at certificates

def parse(octets):
    return x509.load_der_x509_certificate(octets)


def spki(cert):
    return cert.public_key().public_bytes(serialization.Encoding.DER,
                                          serialization.PublicFormat.SubjectPublicKeyInfo)


def aki_of_key(cert):
    """The idevid-issuer of a certificate that names no issuer's key: made of its own."""
    digest = x509.SubjectKeyIdentifier.from_public_key(cert.public_key()).digest
    return tlv(0x04, tlv(0x30, tlv(0x80, digest)))


def extension(cert, oid):
    """The extension's value, or None."""
    try:
        return cert.extensions.get_extension_for_oid(oid).value
    except x509.ExtensionNotFound:
        return None


def ski(cert):
    value = extension(cert, ExtensionOID.SUBJECT_KEY_IDENTIFIER)
    return value.digest if value else None


def ekus(cert):
    return {usage.dotted_string for usage in extension(cert, ExtensionOID.EXTENDED_KEY_USAGE) or ()}


def is_ca(cert):
    value = extension(cert, ExtensionOID.BASIC_CONSTRAINTS)
    return bool(value and value.ca)


def domain_id(octets):
    """base64 of the key identifier, else of the key's hash (RFC 8995 §5.8.2)."""
    cert = parse(octets)
    return b64(ski(cert) or hashlib.sha256(spki(cert)).digest())


def lowest_ca(candidates, signer):
    """The CA that issued the signer, if it is among the candidates; else the signer."""
    for cert in candidates:
        if is_ca(cert) and cert.subject == signer.issuer:
            return cert
    return signer


# -- signed messages as leaves

@dataclass
class Read:
    """A signed voucher or request whose signature held."""
    top: str
    fields: dict
    signer: x509.Certificate
    certs: list
    content_type: str
    version: int
    payload: bytes


def read(octets, hints=()):
    box = cms.parse(octets)
    signer = box.verify(hints)
    top, fields = voucher.decode(box.payload)
    return Read(top, fields, signer, box.certs, box.content_type, int(box.version[1:]), box.payload)


def parse_time(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def changed(fields, changes):
    """The leaves with changes (leaf_name=value, None takes it out) laid over them."""
    out = dict(fields)
    for name, value in changes.items():
        out[name.replace("_", "-")] = value
    return {name: value for name, value in out.items() if value is not None}


def pvr_fields(identity, registrar_der):
    try:
        serial = voucher.serial_of(identity.cert)
    except IndexError:
        serial = None
    return {"assertion": "proximity", "created-on": voucher.timestamp(), "serial-number": serial,
            "nonce": voucher.new_nonce(), "proximity-registrar-cert": b64(registrar_der)}


def rvr_fields(prior, idevid_cert):
    """The leaves of a registrar's request around a signed pledge's request."""
    asked = voucher.decode(cms.parse(prior).payload)[1]
    return {"created-on": voucher.timestamp(), "serial-number": voucher.serial_of(idevid_cert),
            "nonce": asked["nonce"], "assertion": "proximity", "idevid-issuer": b64(aki_tlv(idevid_cert)),
            "prior-signed-voucher-request": b64(prior)}


def voucher_fields(asked, pin, assertion="proximity"):
    """An honest voucher for the leaves of a request; with a nonce when that has one."""
    return {"created-on": voucher.timestamp(), "assertion": assertion,
            "serial-number": asked["serial-number"], **{k: asked[k] for k in ("nonce",) if k in asked},
            "pinned-domain-cert": b64(der(pin))}


def sign(top, fields, signer, container=None, **options):
    """container: a name of CONTAINERS; options: of cms.sign()."""
    payload = voucher.encode(top, fields)
    if container:
        options.update(CONTAINERS[container](payload, signer))
    return cms.sign(payload, signer, **options)


def sign_request(fields, signer, **how):
    return sign(voucher.REQUEST, fields, signer, **how)


def sign_voucher(fields, signer, **how):
    return sign(voucher.VOUCHER, fields, signer, **how)


def _digest_of_something_else(payload, signer):
    digest = cms.usual_digest(signer.key)
    return {"attrs": cms.usual_attributes(payload + b" ", cms.JSON_VOUCHER, digest)}


# Containers a careful reader refuses; several of them OpenSSL verifies.
CONTAINERS = {
    "no signed attributes": lambda p, s: {"attrs": None},
    "content-type attribute of another type": lambda p, s: {
        "attrs": cms.usual_attributes(p, cms.ID_DATA, cms.usual_digest(s.key))},
    "digest of something else": _digest_of_something_else,
    "sha-1": lambda p, s: {"digest": "sha1"},
    "no signer": lambda p, s: {"infos": []},
    "two signers": lambda p, s: {"infos": [cms.signer_info(p, s), cms.signer_info(p, s)]},
    "detached": lambda p, s: {"detached": True},
    "another content type": lambda p, s: {"content_type": "1.2.3.4"},
    "a repeated attribute": lambda p, s: {
        "attrs": 2 * cms.usual_attributes(p, cms.JSON_VOUCHER, cms.usual_digest(s.key))},
    "no certificate of the signer": lambda p, s: {"certs": None},
}


def flip_signature(octets):
    """The signature is the last field of a SignedData with one signer, and of a certificate."""
    return octets[:-1] + bytes([octets[-1] ^ 1])


# -- EST

def certs_only(chain):
    """Degenerate CMS: certificates and nothing else."""
    return pkcs7.serialize_certificates(list(chain), serialization.Encoding.DER)


def issue(ca, csr_der, key=None, **more):
    """A certificate for the request; key certifies another key, more goes to certs.make_cert()."""
    csr = x509.load_der_x509_csr(csr_der)
    public = key.public_key() if key else csr.public_key()
    more.setdefault("eku", [certs.CLIENT_AUTH])
    more.setdefault("key_usage", {"digital_signature"})
    return certs.make_cert(more.pop("subject", csr.subject), ca, public_key=public, **more).cert


# -- DER by hand, for what no library would write

def tlv(tag, *parts):
    body = b"".join(bytes.fromhex(p) if isinstance(p, str) else p for p in parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def oid(dotted):
    return certs.asn1.ObjectIdentifier(dotted).dump()


def nested(depth, tag=0x30):
    out = b""
    for _ in range(depth):
        out = tlv(tag, out)
    return out
