# SPDX-License-Identifier: Apache-2.0
"""The JSON of voucher-requests and vouchers (RFC 8995 §3, RFC 8366 §5.3), and whole signed ones.

    pvr = signed_pvr(idevid, registrar.cert)                    # DER
    rvr = signed_rvr(registrar, pvr, idevid.cert)                  # DER
    voucher = signed_voucher(masa, "SN-1", domain.cert, nonce_of(pvr))

Every leaf can be replaced, or left out by passing None:

    signed_pvr(idevid, registrar.cert, nonce=None, assertion="logged")
"""

import base64
import datetime
import json
import os

from cryptography import x509
from cryptography.x509.oid import NameOID

from . import certs, cms

REQUEST = "ietf-voucher-request:voucher"
VOUCHER = "ietf-voucher:voucher"


def b64(octets):
    """Standard padded base64 as text: how binary leaves travel."""
    return base64.b64encode(octets).decode()


def timestamp(moment=None, seconds=0):
    """RFC 3339, UTC, whole seconds; moment (a naive UTC datetime, now by default) plus seconds."""
    moment = moment or datetime.datetime.utcnow()
    return (moment + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_nonce():
    """16 random octets in base64."""
    return b64(os.urandom(16))


def serial_of(cert):
    """Subject serialNumber of an IDevID."""
    return cert.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)[0].value


def idevid_issuer(cert):
    """Octets of the idevid-issuer leaf: the whole extnValue OCTET STRING of the AKI; None without."""
    try:
        aki = cert.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound:
        return None
    value = aki.value.public_bytes()
    return b"\x04" + bytes([len(value)]) + value


def encode(top, leaves):
    """Compact JSON octets {top: leaves}, leaves with the value None left out."""
    kept = {k: v for k, v in leaves.items() if v is not None}
    return json.dumps({top: kept}, separators=(",", ":")).encode()


def decode(payload):
    """(top member name, leaves) of a payload."""
    ((top, leaves),) = json.loads(payload).items()
    return top, leaves


def _leaf(name):
    return name.replace("_", "-")


def _with(leaves, changes):
    leaves.update({_leaf(k): v for k, v in changes.items()})
    return leaves


def pvr(serial_number, registrar_cert, **changes):
    """Payload of a pledge's request. changes: leaves with '_' for '-', None leaves one out."""
    leaves = {
        "assertion": "proximity",
        "created-on": timestamp(),
        "serial-number": serial_number,
        "nonce": new_nonce(),
        "proximity-registrar-cert": b64(certs.cert_der(registrar_cert)),
    }
    return encode(REQUEST, _with(leaves, changes))


def rvr(serial_number, prior=None, idevid_cert=None, **changes):
    """Payload of a registrar's request around a signed pledge request (None: nonceless)."""
    issuer = idevid_issuer(idevid_cert) if idevid_cert else None
    leaves = {
        "created-on": timestamp(),
        "serial-number": serial_number,
        "idevid-issuer": b64(issuer) if issuer else None,
    }
    if prior is not None:
        leaves["assertion"] = "proximity"
        leaves["nonce"] = nonce_of(prior)
        leaves["prior-signed-voucher-request"] = b64(prior)
    return encode(REQUEST, _with(leaves, changes))


def voucher(serial_number, pinned, nonce=None, **changes):
    """Payload of a voucher; without a nonce it gets expires-on, 20 minutes from now."""
    leaves = {
        "created-on": timestamp(),
        "assertion": "logged",
        "serial-number": serial_number,
        "pinned-domain-cert": b64(certs.cert_der(pinned)),
        "nonce": nonce,
    }
    if nonce is None:
        leaves["expires-on"] = timestamp(seconds=1200)
    return encode(VOUCHER, _with(leaves, changes))


def nonce_of(signed):
    """The nonce string inside a signed request or voucher; None when it has none."""
    return decode(cms.parse(signed).payload)[1].get("nonce")


def signed_pvr(idevid, registrar_cert, serial_number=None, cms_options=None, **changes):
    """A pledge's signed request. cms_options go to cms.sign()."""
    payload = pvr(serial_number or serial_of(idevid.cert), registrar_cert, **changes)
    return cms.sign(payload, idevid, **(cms_options or {}))


def signed_rvr(registrar, prior, idevid_cert, serial_number=None, cms_options=None, **changes):
    """A registrar's signed request; it carries the registrar's whole chain, root included."""
    serial_number = serial_number or serial_of(idevid_cert)
    payload = rvr(serial_number, prior, idevid_cert, **changes)
    options = {"certs": registrar.chain(with_root=True)}
    options.update(cms_options or {})
    return cms.sign(payload, registrar, **options)


def signed_voucher(masa, serial_number, pinned, nonce=None, cms_options=None, **changes):
    """A MASA's signed voucher."""
    return cms.sign(voucher(serial_number, pinned, nonce, **changes), masa, **(cms_options or {}))
