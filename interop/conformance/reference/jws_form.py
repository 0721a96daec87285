# SPDX-License-Identifier: Apache-2.0
"""The third form of a voucher-request and a voucher that the references speak: JWS with JSON
(draft-ietf-anima-jws-voucher §3). Leaves are those of CMS."""
from brski_peer import jws, voucher

from .forms import FORMS, REQUEST, VOUCHER, CmsForm, Message, Unreadable

GENERAL, UNPADDED = "reads the general serialization of JWS only", "reads base64url without padding only"
RAW, ALGORITHM = "wants raw signatures", "knows the algorithms of its signers"
TYPE = "wants the type of a voucher in a JWS"


class JwsForm(CmsForm):
    media_type = jws.MEDIA_TYPE

    @staticmethod
    def read(octets, hints=()):
        try:
            box = jws.parse(jws.general(octets))
            top, fields = box.decode()
            container = {voucher.REQUEST: REQUEST, voucher.VOUCHER: VOUCHER}[top]
            if not isinstance(fields, dict):
                raise ValueError("no object")
            certs = box.certs
        except Exception as e:
            raise Unreadable(str(e)) from e
        try:
            signer = box.verify(hints)
        except Exception:
            signer = None
        return Message(container, fields, signer, certs, octets)

    @staticmethod
    def flaw(octets):
        try:
            general = jws.general(octets)
            if general != octets:
                padded = b"signatures" in octets and b"=" in octets
                return UNPADDED if padded else GENERAL
            only = jws.parse(octets).signatures[0]
            key = only.certs[0].public_key()
            if only.alg not in jws.algs_of(key):
                return ALGORITHM
            if only.alg.startswith("ES") and len(only.signature) != 2 * ((key.curve.key_size + 7) // 8):
                return RAW
            return TYPE if only.header.get("typ", jws.TYPE) != jws.TYPE else None
        except Exception:
            return None

    @staticmethod
    def named_signer(octets, hints=()):
        return jws.parse(jws.general(octets)).signatures[0].signer(hints)

    @staticmethod
    def is_plain_data(_octets):
        return False

    @staticmethod
    def is_escaped(octets):
        """Are there slashes written as \\/ in a header?"""
        return any(b"\\/" in s.header_octets for s in jws.parse(jws.general(octets)).signatures)

    @staticmethod
    def rvr_fields(prior, idevid):
        return jws.rvr_fields(jws.general(prior), idevid)


FORMS[JwsForm.media_type] = JwsForm


def written(role, top, fields, signer, chain):
    """A message that the role signs. top: voucher.REQUEST or VOUCHER; chain: its certificates."""
    how = {"x5c": chain}
    if not role.rule("writes raw signatures"):
        how["der"] = True
    if not role.rule("writes base64url without padding"):
        how["padded"] = True
    if not role.rule("puts its own certificate first in x5c"):
        how["x5c"] = chain[::-1]
    if not role.rule("names the type of a voucher in its JWS"):
        how["typ"] = "jose+json"
    octets = jws.sign(voucher.encode(top, fields), signer, **how)
    return octets if role.rule("writes the general serialization of JWS") else jws.flattened(octets)
