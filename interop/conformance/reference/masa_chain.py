# SPDX-License-Identifier: Apache-2.0
"""The reference MASA's judgement of a registrar's certificates (RFC 8995 §5.5.2 to §5.5.4)."""
import datetime
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from brski_peer import forge

from ..trial_masa import signed_by
from .rules import Refused

CMC_RA = "1.3.6.1.5.5.7.3.28"
LIST_TIMEOUT_S = 2


def judge(masa, rvr):
    """Refuses the request, or returns."""
    masa.refuse("takes requests of registration authorities only", CMC_RA not in forge.ekus(rvr.signer),
                403, "The signer is no registration authority.")
    masa.refuse("verifies the links of the registrar's chain", not linked(rvr.signer, rvr.certs), 403,
                "The chain does not hold.")
    masa.refuse("wants the registrar's certificate to be valid today",
                rvr.signer.not_valid_after < datetime.datetime.utcnow(), 403, "The certificate has ended.")
    masa.refuse("looks into revocation lists", revoked(rvr.signer), 403, "The certificate is revoked.")
    alone = [c for c in rvr.certs if c != rvr.signer] == []
    if alone and not masa.rule("takes a registrar's certificate alone"):
        raise Refused(403, "Where is the chain?")
    key = rvr.signer.public_key()
    if (isinstance(key, rsa.RSAPublicKey) or key.key_size != 256) and not masa.rule("takes P-384 and RSA"):
        raise Refused(403, "P-256 only.")


def linked(cert, candidates):
    """Does each certificate that names another one of those as its issuer bear its signature?"""
    for _ in range(8):
        named = [c for c in candidates if c.subject == cert.issuer and c != cert]
        issuer = next((c for c in named if signed_by(cert, c)), None)
        if issuer is None:
            return not named
        cert = issuer
    return True


def revoked(cert):
    """Is it on the list it points to?"""
    points = forge.extension(cert, x509.oid.ExtensionOID.CRL_DISTRIBUTION_POINTS)
    for point in points or ():
        with urllib.request.urlopen(point.full_name[0].value, timeout=LIST_TIMEOUT_S) as answer:
            found = x509.load_der_x509_crl(answer.read())
        if found.get_revoked_certificate_by_serial_number(cert.serial_number):
            return True
    return False
