# SPDX-License-Identifier: Apache-2.0
"""A private key on its way to a device, encrypted (RFC 7030 §4.4.2, RFC 5958): EnvelopedData around
SignedData around AsymmetricKeyPackage. The openssl command encrypts and decrypts."""
import pathlib
import subprocess
import tempfile

from cryptography.hazmat.primitives import serialization

from . import certs, cms, forge

KEY_PACKAGE = "2.16.840.1.101.2.1.2.78.5"
DATA, SIGNED_DATA = forge.oid(cms.ID_DATA), forge.oid("1.2.840.113549.1.7.2")


def _openssl(folder, *words):
    subprocess.run(["openssl", "cms", "-inform", "DER", "-binary", "-in", folder / "in", "-out", folder / "out",
                    *words], check=True, capture_output=True)
    return (folder / "out").read_bytes()


def seal(key_der, signer, recipient):
    """PKCS #8 octets for the holder of a certificate (x509), signed by the server."""
    signed = cms.sign(forge.tlv(0x30, key_der), signer, content_type=KEY_PACKAGE)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "in").write_bytes(signed)
        (folder / "to").write_bytes(certs.cert_pem(recipient))
        octets = _openssl(folder, "-encrypt", "-outform", "DER", "-aes256", "-recip", folder / "to")
    before, _, after = octets.rpartition(DATA)  # what is inside is no plain data
    return before + SIGNED_DATA + after


def unseal(octets, identity):
    """The private key, whose package is signed; ValueError when there is none."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "in").write_bytes(octets)
        try:
            signed = _openssl(folder, "-decrypt", "-inkey", identity.key_path, "-recip", identity.cert_path)
        except subprocess.CalledProcessError as e:
            raise ValueError(f"it cannot be decrypted: {e.stderr.decode()[-200:]}") from e
    box = cms.parse(signed)
    box.verify()
    if box.content_type != KEY_PACKAGE:
        raise ValueError(f"what is signed is {box.content_type}, no key package")
    package = forge.certs.asn1.SequenceOf.load(box.payload, spec=forge.certs.asn1.Any)
    return serialization.load_der_private_key(package[0].dump(), None)
