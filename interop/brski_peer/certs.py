# SPDX-License-Identifier: Apache-2.0
"""Keys and certificates for tests (RFC 5280, IEEE 802.1AR, RFC 8995 §2.3).

    root = make_ca("Maker Root")
    issuing = make_ca("Maker Issuing", issuer=root)
    idevid = make_idevid(issuing, "SN-1", "masa.example")
    idevid.write("/tmp/x", "SN-1")        # SN-1.key, SN-1.crt (with the chain), as the programs read them

Every function takes what is needed to make a wrong certificate as well: any validity, any extended
key usage, any extension octets, any key.
"""

import datetime
import ipaddress
import os

from asn1crypto import core as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

MASA_URL_OID = ObjectIdentifier("1.3.6.1.5.5.7.1.32")
CMC_RA = ObjectIdentifier("1.3.6.1.5.5.7.3.28")
SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH
FOREVER = datetime.datetime(9999, 12, 31, 23, 59, 59)  # 99991231235959Z: does not expire
KEY_TYPES = ("ec-p256", "ec-p384", "rsa-3072", "ed25519")  # what the programs make themselves


def new_key(kind="ec-p256"):
    """A private key: ec-p256, ec-p384, ec-p521, ec-secp256k1, ed25519, or rsa-BITS."""
    curves = {
        "ec-p256": ec.SECP256R1,
        "ec-p384": ec.SECP384R1,
        "ec-p521": ec.SECP521R1,
        "ec-secp256k1": ec.SECP256K1,
    }
    if kind in curves:
        return ec.generate_private_key(curves[kind]())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind.startswith("rsa-"):
        return rsa.generate_private_key(65537, int(kind[4:]))
    raise ValueError(kind)


def signing_hash(key):
    """The hash that belongs to a key; None for Ed25519."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size > 256:
        return hashes.SHA384()
    return hashes.SHA256()


def key_pem(key):
    """Unencrypted PKCS#8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def cert_der(cert):
    """DER octets of a certificate."""
    return cert.public_bytes(serialization.Encoding.DER)


def cert_pem(cert):
    """PEM of a certificate."""
    return cert.public_bytes(serialization.Encoding.PEM)


class Identity:
    """A key, the certificate for it, and the issuers above it (nearest first, the root last)."""

    def __init__(self, key, cert, issuers=()):
        self.key = key
        self.cert = cert
        self.issuers = list(issuers)

    @property
    def der(self):
        """DER of the certificate."""
        return cert_der(self.cert)

    @property
    def root(self):
        """The certificate at the top; itself when self-signed."""
        return self.issuers[-1] if self.issuers else self.cert

    def chain(self, with_root=False):
        """The certificate and its issuers, by default without the self-signed root."""
        above = self.issuers if with_root else [c for c in self.issuers if c.issuer != c.subject]
        return [self.cert] + above

    def chain_pem(self, with_root=False):
        return b"".join(cert_pem(c) for c in self.chain(with_root))

    def key_pem(self):
        return key_pem(self.key)

    def write(self, directory, name, with_root=False):
        """Write NAME.key and NAME.crt; returns both paths as strings."""
        os.makedirs(directory, exist_ok=True)
        key_path = os.path.join(str(directory), name + ".key")
        cert_path = os.path.join(str(directory), name + ".crt")
        with open(key_path, "wb") as f:
            f.write(self.key_pem())
        os.chmod(key_path, 0o600)
        with open(cert_path, "wb") as f:
            f.write(self.chain_pem(with_root))
        return key_path, cert_path


def name(cn=None, serial_number=None, organization=None, extra=()):
    """An x509.Name; extra holds further x509.NameAttribute."""
    parts = []
    if organization is not None:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    if cn is not None:
        parts.append(x509.NameAttribute(NameOID.COMMON_NAME, cn))
    if serial_number is not None:
        parts.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial_number))
    return x509.Name(parts + list(extra))


def san(text="DNS:localhost,IP:127.0.0.1,IP:::1"):
    """A SubjectAlternativeName from "DNS:…,IP:…,URI:…"."""
    names = []
    for item in text.split(","):
        kind, value = item.split(":", 1)
        if kind == "DNS":
            names.append(x509.DNSName(value))
        elif kind == "IP":
            names.append(x509.IPAddress(ipaddress.ip_address(value)))
        elif kind == "URI":
            names.append(x509.UniformResourceIdentifier(value))
        else:
            raise ValueError(item)
    return x509.SubjectAlternativeName(names)


def masa_url_value(text, encoding="ia5"):
    """Octets of the MASA URL extension: ia5 (right), utf8, printable, visible, or raw (no tag)."""
    kinds = {
        "ia5": asn1.IA5String,
        "utf8": asn1.UTF8String,
        "printable": asn1.PrintableString,
        "visible": asn1.VisibleString,
    }
    if encoding == "raw":
        return text.encode()
    return kinds[encoding](text).dump()


def make_cert(
    subject,
    issuer=None,
    key=None,
    key_type="ec-p256",
    public_key=None,
    ca=False,
    path_length=None,
    eku=None,
    key_usage=None,
    alt=None,
    masa_url=None,
    masa_url_encoding="ia5",
    masa_url_critical=False,
    not_before=None,
    not_after=None,
    days=365,
    serial=None,
    with_ski=True,
    with_aki=True,
    extensions=(),
    signature_hash=None,
):
    """Make any certificate and return its Identity.

    subject     x509.Name (see name())
    issuer      Identity that signs; None: self-signed
    key         private key to certify, else a new one of key_type; public_key: certify a foreign
                public key (the Identity's key is then None)
    eku         list of ObjectIdentifier, or None for no extension
    key_usage   set of names as in x509.KeyUsage ("digital_signature", …), or None for no extension
    alt         "DNS:…,IP:…" or an x509.SubjectAlternativeName
    not_before, not_after   naive UTC datetimes; FOREVER for no expiry
    extensions  further (x509 extension or (oid text, octets), critical) pairs
    """
    if key is None and public_key is None:
        key = new_key(key_type)
    subject_public = public_key or key.public_key()
    now = datetime.datetime.utcnow().replace(microsecond=0)
    issuer_cert = issuer.cert if issuer else None
    issuer_key = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_cert.subject if issuer_cert else subject)
        .public_key(subject_public)
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(not_before or now - datetime.timedelta(minutes=5))
        .not_valid_after(not_after or now + datetime.timedelta(days=days))
    )
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(True, path_length), True)
    if key_usage is not None:
        builder = builder.add_extension(_key_usage(key_usage), True)
    if eku is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(eku)), False)
    if alt is not None:
        builder = builder.add_extension(san(alt) if isinstance(alt, str) else alt, False)
    if with_ski:
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(subject_public), False
        )
    if with_aki:
        builder = builder.add_extension(_aki(issuer_cert, subject_public), False)
    if masa_url is not None:
        value = masa_url_value(masa_url, masa_url_encoding)
        builder = builder.add_extension(
            x509.UnrecognizedExtension(MASA_URL_OID, value), masa_url_critical
        )
    for extension, critical in extensions:
        if isinstance(extension, tuple):
            extension = x509.UnrecognizedExtension(ObjectIdentifier(extension[0]), extension[1])
        builder = builder.add_extension(extension, critical)
    cert = builder.sign(issuer_key, signature_hash or signing_hash(issuer_key))
    return Identity(key, cert, [issuer.cert] + issuer.issuers if issuer else [])


def _key_usage(names):
    flags = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only"
    ).split()
    unknown = set(names) - set(flags)
    if unknown:
        raise ValueError(unknown)
    return x509.KeyUsage(**{flag: flag in names for flag in flags})


def _aki(issuer_cert, subject_public):
    if issuer_cert is None:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(subject_public)
    try:
        ski = issuer_cert.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski)
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_cert.public_key())


def _defaults(given, **usual):
    usual.update(given)
    return usual


def make_ca(cn, issuer=None, **kw):
    """A certification authority; root without issuer, else below it."""
    kw = _defaults(kw, ca=True, key_usage={"key_cert_sign", "crl_sign"}, days=3650)
    return make_cert(name(cn, organization="Test"), issuer, **kw)


def make_idevid(issuer, serial_number, masa_url=None, **kw):
    """A device's factory certificate: subject serialNumber, no expiry, MASA URL."""
    subject = kw.pop("subject", None) or name("Device", serial_number)
    kw = _defaults(kw, masa_url=masa_url, not_after=FOREVER)
    return make_cert(subject, issuer, **kw)


def make_registrar(issuer, cn="registrar", **kw):
    """cmcRA + serverAuth + clientAuth. eku=[…] for one that lacks cmcRA."""
    kw = _defaults(
        kw,
        eku=[CMC_RA, SERVER_AUTH, CLIENT_AUTH],
        key_usage={"digital_signature"},
        alt="DNS:localhost,IP:127.0.0.1,IP:::1",
    )
    return make_cert(name(cn, organization="Site"), issuer, **kw)


def make_masa_signer(issuer, cn="MASA voucher signer", **kw):
    """Signs vouchers: digitalSignature only."""
    kw = _defaults(kw, key_usage={"digital_signature"})
    return make_cert(name(cn, organization="Maker"), issuer, **kw)


def make_tls_server(issuer, cn="localhost", **kw):
    """A TLS server with a subjectAltName."""
    kw = _defaults(
        kw,
        eku=[SERVER_AUTH],
        key_usage={"digital_signature"},
        alt="DNS:localhost,IP:127.0.0.1,IP:::1",
    )
    return make_cert(name(cn), issuer, **kw)


def make_ldevid(issuer, serial_number, **kw):
    """A site's certificate for a device."""
    kw = _defaults(kw, eku=[CLIENT_AUTH], key_usage={"digital_signature"})
    return make_cert(name(serial_number=serial_number), issuer, **kw)


def make_csr(key, subject, alt=None, challenge_password=None, extensions=(), signature_hash=None):
    """DER of a PKCS#10 request signed with key."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if alt is not None:
        builder = builder.add_extension(san(alt) if isinstance(alt, str) else alt, False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    if challenge_password is not None:
        oid = x509.oid.AttributeOID.CHALLENGE_PASSWORD
        builder = builder.add_attribute(oid, challenge_password.encode())
    csr = builder.sign(key, signature_hash or signing_hash(key))
    return csr.public_bytes(serialization.Encoding.DER)
