# SPDX-License-Identifier: Apache-2.0
"""What a registrar writes to its log (RFC 8995 §5.9.4, §10.1, §10.3). For targets whose log is seen: those
that the suite starts, and those with [run] log."""
import base64
import secrets

from cryptography.hazmat.primitives import hashes

from ..core import MUST, SHOULD, check
from ..trial import words_of

RFC8995 = ("rfc8995",)
KEY = "PRIVATE KEY-----"


@check("R8995-REG-056", level=MUST, role="registrar", profiles=RFC8995,
       mutant="logs which certificate brought enrollstatus")
def log_tells_which_certificate_brought_enrollstatus(t):
    """The log says whether enrollstatus came over a TLS session with the certificate that was issued, or with
    the IDevID. (Each is done twice; a word, or the certificate's number or digest, has to tell them apart.)"""
    told = {"idevid": [], "ldevid": []}
    for _ in range(2):
        device = t.approved_device()
        with t.pledge(device) as p:
            ldevid = t.joined(p)
        for kind, identity in (("idevid", device), ("ldevid", ldevid)):
            with t.pledge(identity) as p:
                said = t.log_of(p.enrollstatus)
            told[kind].append(words(said, p.identity.cert))
    before, after = (set.intersection(*said) for said in told.values())
    either = set.union(*told["idevid"]), set.union(*told["ldevid"])
    apart = (before - either[1]) | (after - either[0])
    t.record("received", "words of the log that tell them apart", " ".join(sorted(apart)))
    t.need(apart, "the log says the same whichever certificate enrollstatus came with")


def words(log, cert):
    """Those of a log; a number or digest of the certificate counts as the word "certificate-itself"."""
    found = words_of(log)
    plain = log.lower().replace(":", "")
    digests = (cert.fingerprint(kind()).hex() for kind in (hashes.SHA1, hashes.SHA256))
    names = f"{cert.serial_number:x}", str(cert.serial_number), *digests
    return found | {"certificate-itself"} if any(name in plain for name in names) else found


@check("R8995-REG-052", level=SHOULD, role="registrar", profiles=RFC8995, mutant="keeps credentials out of its log")
def credentials_are_not_in_the_log(t):
    """Neither passwords of a request, in HTTP or in a certification request, nor private keys are logged."""
    password = secrets.token_hex(16)
    basic = base64.b64encode(f"device:{password}".encode()).decode()

    def tell(p):
        with t.hangs_up_or():
            p.enroll(challenge_password=password)
            p.cacerts(headers=[("Authorization", f"Basic {basic}")])
    with t.admitted() as p:
        said = t.log_of(lambda: tell(p))
    for secret, what in ((password, "the password"), (basic, "the credentials of HTTP"), (KEY, "a private key")):
        t.need(secret not in said, f"{what} is in the log")
    t.need(KEY not in t.instance.log(), "a private key is in the log")
