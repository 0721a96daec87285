# SPDX-License-Identifier: Apache-2.0
"""The two forms of a voucher-request and a voucher that the references speak: CMS with JSON, COSE with
CBOR. A role is written once for both: leaves have their YANG names, binary ones go through octets()
and leaf()."""
import base64
import dataclasses
import hashlib

from brski_peer import cms, cose, forge, voucher

from . import cose_flaws

REQUEST, VOUCHER = "request", "voucher"


@dataclasses.dataclass
class Message:
    """What came, its signature judged."""
    container: str     # REQUEST or VOUCHER
    fields: dict
    signer: object     # x509 certificate whose key made the signature; None: nobody's
    certs: list        # that it brought along
    octets: bytes


class Unreadable(ValueError):
    """Not a signed voucher or voucher-request of this form."""


class CmsForm:
    media_type = "application/voucher-cms+json"

    @staticmethod
    def read(octets, hints=()):
        """signer: of the signature when it holds, else None. hints: certificates that may be needed."""
        try:
            box = cms.parse(octets)
            top, fields = voucher.decode(box.payload)
            container = {voucher.REQUEST: REQUEST, voucher.VOUCHER: VOUCHER}[top]
            if not isinstance(fields, dict):
                raise ValueError("no object")
        except Exception as e:
            raise Unreadable(str(e)) from e
        try:
            signer = box.verify(hints)
        except Exception:
            signer = None
        return Message(container, fields, signer, box.certs, octets)

    @staticmethod
    def flaw(octets):
        """The rule of containers that this one breaks, whatever its signature; None."""
        try:
            box = cms.parse(octets)
            if box.payload is None:
                return "wants the content inside"
            if not box.infos:
                return "wants a signer"
            bare = box.attributes() is None and box.content_type != cms.ID_DATA
            return "wants signed attributes" if bare else None
        except Exception:
            return None

    @staticmethod
    def named_signer(octets, hints=()):
        """The certificate it names as its signer, whether the signature holds or not."""
        box = cms.parse(octets)
        return box.signer(hints) if box.infos else next(c for c in box.certs if not forge.is_ca(c))

    @staticmethod
    def is_plain_data(octets):
        return cms.parse(octets).content_type == cms.ID_DATA

    @staticmethod
    def octets(leaf):
        return base64.b64decode(leaf, validate=True)

    @staticmethod
    def leaf(octets):
        return voucher.b64(octets)

    @staticmethod
    def new_nonce():
        return voucher.new_nonce()

    @staticmethod
    def sign_rvr(fields, signer, _idevid_chain):
        return forge.sign_request(fields, signer, certs=signer.chain(with_root=True))

    @staticmethod
    def rvr_fields(prior, idevid):
        return forge.rvr_fields(prior, idevid)

    @staticmethod
    def sign_voucher(fields, signer):
        return forge.sign_voucher(fields, signer)


class CoseForm:
    media_type = "application/voucher+cose"

    @staticmethod
    def flaw(octets):
        return cose_flaws.flaw(octets)

    @staticmethod
    def is_plain_data(_octets):
        return False

    @staticmethod
    def read(octets, hints=()):
        try:
            box = cose.parse(octets)
            container, fields = cose.decode(box.payload)
            candidates = [*box.certs, *hints]
        except Exception as e:
            raise Unreadable(str(e)) from e
        return Message(container, fields, _fitting(box, candidates), box.certs, octets)

    @staticmethod
    def named_signer(octets, hints=()):
        return next(iter([*hints, *cose.parse(octets).certs]), None)

    @staticmethod
    def octets(leaf):
        return leaf

    @staticmethod
    def leaf(octets):
        return octets

    @staticmethod
    def new_nonce():
        return base64.b64decode(voucher.new_nonce())

    @staticmethod
    def sign_rvr(fields, signer, idevid_chain):
        return cose.sign_rvr(fields, signer, idevid_chain)

    @staticmethod
    def rvr_fields(prior, idevid):
        return cose.rvr_fields(prior, idevid)

    @staticmethod
    def sign_voucher(fields, signer):
        return cose.sign_voucher(fields, signer)


def _fitting(box, candidates):
    """The first certificate whose key made the signature."""
    for cert in candidates:
        try:
            box.verify(cert)
            return cert
        except Exception:
            continue
    return None


FORMS = {form.media_type: form for form in (CmsForm, CoseForm)}


def proximity(form, fields):
    """[(leaf name, octets)] of what names the registrar, the one that counts first."""
    names = ("proximity-registrar-pubk-sha256", "proximity-registrar-pubk", "proximity-registrar-cert")
    found = []
    for name in names:
        if name in fields:
            try:
                found.append((name, form.octets(fields[name])))
            except (ValueError, TypeError):
                found.append((name, b""))
    return found


def names_certificate(name, octets, cert):
    """Does this leaf mean this certificate?"""
    spki = forge.spki(cert)
    return octets == {"proximity-registrar-pubk-sha256": hashlib.sha256(spki).digest(),
                      "proximity-registrar-pubk": spki, "proximity-registrar-cert": forge.der(cert)}[name]
