# SPDX-License-Identifier: Apache-2.0
"""CMS SignedData around a voucher (RFC 5652, RFC 8366 §5.4), right and wrong.

    der = sign(b'{"ietf-voucher:voucher":{…}}', masa)          # as the standards want it
    der = sign(payload, masa, digest="sha1")                    # … and every wrong way
    box = parse(der); box.payload; box.verify()                 # raises InvalidSignature

Built and read with asn1crypto, signed and verified with cryptography.
"""

import datetime
import hashlib

from asn1crypto import algos, cms, core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from . import certs as certs_module

JSON_VOUCHER = "1.2.840.113549.1.9.16.1.40"  # id-ct-animaJSONVoucher
ID_DATA = "1.2.840.113549.1.7.1"
HASHES = {
    "md5": hashes.MD5,
    "sha1": hashes.SHA1,
    "sha224": hashes.SHA224,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
USUAL = object()  # "what the standards ask for" where None means "leave it out"


def usual_digest(key):
    """The digest our side would use with this key as well."""
    if isinstance(key, (ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey)):
        return "sha512"
    return certs_module.signing_hash(key).name


def raw_sign(key, data, digest, pss=False):
    """Sign data the way CMS does with this type of key."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    hash_ = HASHES[digest]()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(hash_))
    if pss:
        return key.sign(data, padding.PSS(padding.MGF1(hash_), hash_.digest_size), hash_)
    return key.sign(data, padding.PKCS1v15(), hash_)


def raw_verify(public_key, signature, data, digest, pss=False):
    """Raises InvalidSignature."""
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return public_key.verify(signature, data)
    hash_ = HASHES[digest]()
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return public_key.verify(signature, data, ec.ECDSA(hash_))
    if pss:
        pad = padding.PSS(padding.MGF1(hash_), hash_.digest_size)
        return public_key.verify(signature, data, pad, hash_)
    return public_key.verify(signature, data, padding.PKCS1v15(), hash_)


def signature_algorithm(key, digest, style="usual"):
    """A SignerInfo's signatureAlgorithm.

    style  usual       ecdsa-with-SHA…, rsaEncryption, Ed25519
           with-hash   sha…WithRSAEncryption
           key-oid     id-ecPublicKey, as some toolkits write
           pss         RSASSA-PSS
    """
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {"algorithm": "ed25519"}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        if style == "key-oid":
            return {"algorithm": "1.2.840.10045.2.1"}
        return {"algorithm": digest + "_ecdsa"}
    if style == "with-hash":
        return {"algorithm": digest + "_rsa", "parameters": core.Null()}
    if style == "pss":
        return {
            "algorithm": "rsassa_pss",
            "parameters": {
                "hash_algorithm": {"algorithm": digest},
                "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": digest}},
                "salt_length": HASHES[digest]().digest_size,
            },
        }
    return {"algorithm": "rsassa_pkcs1v15", "parameters": core.Null()}


def attribute(kind, *values):
    """A signed attribute; kind as asn1crypto names it or a dotted OID."""
    return cms.CMSAttribute({"type": kind, "values": list(values)})


def usual_attributes(payload, content_type, digest, signing_time=USUAL):
    """contentType, messageDigest and (unless None) signingTime."""
    attrs = [
        attribute("content_type", content_type),
        attribute("message_digest", hashlib.new(digest, payload).digest()),
    ]
    if signing_time is USUAL:
        signing_time = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    if signing_time is not None:
        attrs.append(attribute("signing_time", cms.Time({"utc_time": core.UTCTime(signing_time)})))
    return attrs


def signer_info(
    payload,
    signer,
    content_type=JSON_VOUCHER,
    digest=None,
    attrs=USUAL,
    sid="issuer",
    signature_style="usual",
    unsigned_attrs=None,
    sign_over=None,
    signing_time=USUAL,
):
    """One SignerInfo.

    attrs      USUAL, None (no signed attributes), or a list from attribute()
    sid        "issuer" (issuerAndSerialNumber) or "ski" (subjectKeyIdentifier)
    sign_over  sign these octets instead of the right ones
    """
    digest = digest or usual_digest(signer.key)
    cert = asn1_x509.Certificate.load(signer.der)
    if attrs is USUAL:
        attrs = usual_attributes(payload, content_type, digest, signing_time)
    if sid == "ski":
        identifier = cms.SignerIdentifier("subject_key_identifier", cert.key_identifier)
    else:
        identifier = cms.SignerIdentifier(
            "issuer_and_serial_number",
            cms.IssuerAndSerialNumber(
                {"issuer": cert.issuer, "serial_number": cert.serial_number}
            ),
        )
    fields = {
        "version": "v3" if sid == "ski" else "v1",
        "sid": identifier,
        "digest_algorithm": algos.DigestAlgorithm({"algorithm": digest}),
        "signature_algorithm": algos.SignedDigestAlgorithm(
            signature_algorithm(signer.key, digest, signature_style)
        ),
    }
    data = payload
    if attrs is not None:
        set_of = cms.CMSAttributes(attrs)
        fields["signed_attrs"] = set_of
        data = set_of.dump()
    if sign_over is not None:
        data = sign_over
    fields["signature"] = raw_sign(signer.key, data, digest, signature_style == "pss")
    if unsigned_attrs is not None:
        fields["unsigned_attrs"] = cms.CMSAttributes(unsigned_attrs)
    return cms.SignerInfo(fields)


def sign(
    payload,
    signer,
    content_type=JSON_VOUCHER,
    version=None,
    certs=USUAL,
    crls=None,
    detached=False,
    infos=None,
    **info_options,
):
    """DER of a CMS SignedData.

    signer   certs.Identity
    version  "v1" … "v5"; by default what the content type asks for
    certs    x509 certificates to carry; USUAL: the signer's and its issuers below the root; None: none
    crls     list of DER CRLs
    infos    the SignerInfos (list of signer_info(), may be empty), instead of one by signer
    Everything else goes to signer_info().
    """
    if certs is USUAL:
        certs = signer.chain()
    if infos is None:
        infos = [signer_info(payload, signer, content_type, **info_options)]
    encap = {"content_type": content_type}
    if not detached:
        octets = core.OctetString if content_type == ID_DATA else core.ParsableOctetString
        encap["content"] = octets(payload)
    digests = {i["digest_algorithm"]["algorithm"].native for i in infos} or {"sha256"}
    fields = {
        "version": version or ("v1" if content_type == ID_DATA else "v3"),
        "digest_algorithms": [{"algorithm": d} for d in sorted(digests)],
        "encap_content_info": encap,
        "signer_infos": infos,
    }
    if certs:
        fields["certificates"] = [
            cms.CertificateChoices(
                "certificate", asn1_x509.Certificate.load(certs_module.cert_der(c))
            )
            for c in certs
        ]
    if crls:
        from asn1crypto import crl as asn1_crl

        fields["crls"] = [
            cms.RevocationInfoChoice("crl", asn1_crl.CertificateList.load(c)) for c in crls
        ]
    old_version = version == "v1" and content_type != ID_DATA
    if old_version:  # which asn1crypto takes for PKCS#7; the version is not signed
        fields["version"] = "v3"
    info = cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(fields)})
    der = info.dump(force=True)
    return der.replace(b"\x02\x01\x03\x31", b"\x02\x01\x01\x31", 1) if old_version else der


def to_ber(der):
    """The same container with an indefinite outer length: BER, no longer DER."""
    start = 2 if der[1] < 0x80 else 2 + (der[1] & 0x7F)
    return bytes([der[0], 0x80]) + der[start:] + b"\x00\x00"


class Parsed:
    """A CMS as read by asn1crypto: payload, content_type, version, certs, infos."""

    def __init__(self, der):
        info = cms.ContentInfo.load(der, strict=True)
        if info["content_type"].native != "signed_data":
            raise ValueError("not SignedData")
        self.signed_data = info["content"]
        encap = self.signed_data["encap_content_info"]
        self.content_type = encap["content_type"].dotted
        self.version = self.signed_data["version"].native
        content = encap["content"]
        self.payload = None if isinstance(content, core.Void) else bytes(content)
        self.certs = [
            x509.load_der_x509_certificate(c.chosen.dump())
            for c in self.signed_data["certificates"] or []
            if c.name == "certificate"
        ]
        self.infos = list(self.signed_data["signer_infos"])

    def attributes(self, info=None):
        """Signed attributes as {asn1crypto name or OID: list of values}; None when absent."""
        info = info or self.infos[0]
        if not info["signed_attrs"].contents:
            return None
        return {a["type"].native: a["values"] for a in info["signed_attrs"]}

    def signer(self, hints=(), info=None):
        """The x509 certificate the SignerInfo names, or None."""
        sid = (info or self.infos[0])["sid"]
        for cert in list(self.certs) + list(hints):
            parsed = asn1_x509.Certificate.load(certs_module.cert_der(cert))
            if sid.name == "issuer_and_serial_number":
                if (
                    parsed.serial_number == sid.chosen["serial_number"].native
                    and parsed.issuer.dump() == sid.chosen["issuer"].dump()
                ):
                    return cert
            elif parsed.key_identifier == sid.chosen.native:
                return cert
        return None

    def verify(self, hints=()):
        """Check attributes and signature of the one signer; returns its certificate."""
        if len(self.infos) != 1:
            raise InvalidSignature("%d signers" % len(self.infos))
        if self.payload is None:
            raise InvalidSignature("detached content")
        info = self.infos[0]
        cert = self.signer(hints)
        if cert is None:
            raise InvalidSignature("no certificate of the signer")
        digest = info["digest_algorithm"]["algorithm"].native
        pss = info["signature_algorithm"]["algorithm"].native == "rsassa_pss"
        data = self.payload
        attrs = self.attributes()
        if attrs is not None:
            if attrs["content_type"][0].dotted != self.content_type:
                raise InvalidSignature("content-type attribute")
            if attrs["message_digest"][0].native != hashlib.new(digest, self.payload).digest():
                raise InvalidSignature("message-digest attribute")
            data = b"\x31" + info["signed_attrs"].dump()[1:]
        elif self.content_type != ID_DATA:
            raise InvalidSignature("no signed attributes")
        raw_verify(cert.public_key(), info["signature"].native, data, digest, pss)
        return cert


def parse(der):
    """Read a CMS; ValueError when it is not one."""
    return Parsed(der)
