# SPDX-License-Identifier: Apache-2.0
"""A pledge that enrols with CMP (BRSKI-AE §4.1, §4.2, §5.1; RFC 9483). Action of a target file: join_ae, as
join."""
from brski_peer import cmp

from ..core import MUST, check

AE = ("ae",)


def asked_over_cmp(t):
    """The requests under /.well-known/cmp/ that the registrar got."""
    return [r for r in t.registrar.seen() if r.path.startswith(cmp.BASE)]


def run(t, device=None):
    """(did it join, what it asked over CMP); skips where it asks nothing."""
    joined = t.run(device, action="join_ae").joined
    asked = asked_over_cmp(t)
    t.need(asked, f"nothing is asked over CMP; the registrar got {t.registrar.steps()}")
    return joined, asked


@check("AE-PLG-001", level=MUST, role="pledge", profiles=AE, mutant="protects its request with the IDevID")
def request_over_cmp_is_protected_by_the_idevid(t):
    """The device asks for its certificate with an ir or a p10cr, protected with the key of its IDevID."""
    device = t.device()
    _, asked = run(t, device)
    message = cmp.parse(asked[0].body)
    t.need(message.kind in ("ir", "p10cr"), f"the first message is {message.kind}")
    message.verify([device.identity.cert])
    t.need(message.verify([device.identity.cert]) == device.identity.cert,
           "the key of another certificate protects the request")


@check("AE-PLG-001", level=MUST, role="pledge", profiles=AE, mutant="believes answers of the pinned domain only")
def answer_of_another_domain_is_refused(t):
    """An answer whose protection does not lead to the pinned certificate is none: the device does not take
    the certificate in it."""
    t.registrar.cmp_signer = t.lab.other_domain.registrar
    joined, _ = run(t)
    t.need(not joined, "the device takes a certificate from another domain")
    t.need(True not in [r.get("status") for r in t.registrar.reports("enrollstatus")],
           "enrollstatus says that all is well")


@check("AE-PLG-003", level=MUST, role="pledge", profiles=AE, mutant="sends voucher_status true")
def voucher_is_reported_before_cmp(t):
    """The device reports on its voucher as with EST."""
    run(t)
    said = [r.get("status") for r in t.registrar.reports("voucher_status")]
    t.equal(said, [True], "the reports on the voucher")


@check("AE-PLG-003", level=MUST, role="pledge", profiles=AE, mutant="sends enrollstatus true")
def certificate_over_cmp_is_reported(t):
    """The device reports on its certificate as with EST."""
    joined, _ = run(t)
    t.need(joined, "the device does not join")
    t.equal([r.get("status") for r in t.registrar.reports("enrollstatus")], [True], "the reports on the certificate")


@check("AE-PLG-003", "AE-PLG-001", level=MUST, role="pledge", profiles=AE, mutant="sends enrollstatus false")
def failure_over_cmp_is_reported(t):
    """When the answer cannot be believed, enrollstatus says false."""
    t.registrar.cmp_signer = t.lab.other_domain.registrar
    joined, _ = run(t)
    if joined:
        t.skip("the device takes the certificate: see the check of that")
    t.equal([r.get("status") for r in t.registrar.reports("enrollstatus")], [False],
            "the reports on the certificate")


@check("AE-PLG-005", level=MUST, role="pledge", profiles=AE, mutant="stays on the voucher's connection")
def cmp_stays_on_the_connection_of_the_voucher(t):
    """The device enrols over the TLS connection that its voucher has made a trusted one."""
    _, asked = run(t)
    first = t.registrar.seen("requestvoucher")[0].connection
    t.equal({r.connection for r in asked}, {first}, "the connections over which certificates are asked for")
