# SPDX-License-Identifier: Apache-2.0
"""The MASA's requestvoucher (RFC 8995 §5.5, §5.6): what it takes from registrars, what its vouchers say."""
import base64

from brski_peer import certs, cose, forge, voucher

from ..core import MUST, SHOULD, check
from ..trial_masa import leads_to

RFC8995 = ("rfc8995",)


@check("R8995-MASA-020", level=MUST, role="masa", profiles=RFC8995, mutant="copies the nonce")
def voucher_has_the_nonce_of_the_request(t):
    """The nonce of the voucher is the string of the request, unchanged."""
    device = t.device()
    with t.registrar() as r:
        rvr = r.rvr(device)
        t.equal(r.voucher(rvr).fields.get("nonce"), voucher.nonce_of(rvr), "the nonce")


@check("R8995-MASA-022", level=MUST, role="masa", profiles=RFC8995, mutant="copies the serial-number")
def voucher_has_the_serial_number_of_the_request(t):
    """The serial-number of the voucher is that of the request."""
    device = t.device()
    with t.registrar() as r:
        t.equal(r.voucher(r.rvr(device)).fields.get("serial-number"), device.serial, "the serial-number")


@check("R8995-MASA-021", "R8995-MASA-013", level=MUST, role="masa", profiles=RFC8995,
       mutant="says proximity when it is proven")
def proven_proximity_is_the_assertion(t):
    """A pledge's signed request that names the registrar of the request proves proximity: the voucher
    says so."""
    device = t.device()
    with t.registrar() as r:
        t.equal(r.voucher(r.rvr(device)).fields.get("assertion"), "proximity", "the assertion")


@check("R8995-MASA-018", level=SHOULD, role="masa", profiles=RFC8995,
       mutant="pins a certificate of the registrar's chain")
def pinned_certificate_is_of_the_registrars_chain(t):
    """pinned-domain-cert is one DER certificate out of the chain that came with the request."""
    device = t.device()
    with t.registrar() as r:
        pin = base64.b64decode(r.voucher(r.rvr(device)).fields["pinned-domain-cert"])
        chain = [forge.der(c) for c in r.identity.chain(with_root=True)]
        t.need(pin in chain, "pinned-domain-cert is not of the registrar's chain")


@check("R8995-MASA-008", level=MUST, role="masa", profiles=RFC8995,
       mutant="takes requests of registration authorities only")
def request_signed_without_cmcra_is_403(t):
    """The certificate that signs a registrar's request has to have the extended key usage cmcRA."""
    device = t.device()
    plain = t.lab.domain.registrar_identity(eku=[certs.SERVER_AUTH, certs.CLIENT_AUTH])
    with t.registrar(plain) as r:
        t.status(r.ask(r.rvr(device)), 403)


@check("R8995-MASA-014", level=MUST, role="masa", profiles=RFC8995, mutant="compares both nonces")
def nonce_that_is_not_the_pledges_is_403(t):
    """The nonces of the registrar's request and of the pledge's inside it agree."""
    device = t.device()
    with t.registrar() as r:
        t.status(r.ask(r.rvr(device, nonce=voucher.new_nonce())), 403)


@check("R8995-MASA-006", level=MUST, role="masa", profiles=RFC8995,
       mutant="verifies the registrar's signature")
def request_with_a_broken_signature_is_403(t):
    """One changed bit in the registrar's signature is a 403."""
    device = t.device()
    with t.registrar() as r:
        t.status(r.ask(forge.flip_signature(r.rvr(device))), 403)


@check("R8995-MASA-012", level=SHOULD, role="masa", profiles=RFC8995,
       mutant="verifies the pledge's signature")
def pledge_request_with_a_broken_signature_is_403(t):
    """One changed bit in the signature of the pledge's request inside is a 403."""
    device = t.device()
    with t.registrar() as r:
        honest = r.pvr(device)
        t.status(r.ask(r.rvr(device, honest[:-1] + bytes([honest[-1] ^ 1]))), 403)


@check("R8995-MASA-011", level=MUST, role="masa", profiles=RFC8995, mutant="knows its devices")
def device_nobody_told_it_of_is_404(t):
    """A device that the MASA does not have is 404."""
    if not t.can("import"):
        t.skip("this MASA knows every device of the manufacturer")
    device = t.new_device()
    with t.registrar() as r:
        t.status(r.ask(r.rvr(device)), 404)


@check("R8995-MASA-013", level=MUST, role="masa", profiles=RFC8995,
       mutant="wants the pledge's request to name the registrar")
def pledge_request_that_names_another_registrar_proves_nothing(t):
    """When the pledge's request names a certificate outside the registrar's chain there is no
    proximity: 403, or a voucher that does not say proximity."""
    device = t.device()
    with t.registrar() as r:
        reply = r.ask(r.rvr(device, r.pvr(device, proximity=t.lab.some_certificate())))
        if reply.status == 200:
            t.need(t.voucher(reply).fields.get("assertion") != "proximity",
                   "the voucher says proximity")
        else:
            t.refused(reply, 403)


@check("R8995-MASA-028", level=MUST, role="masa", profiles=RFC8995, mutant="logs each voucher")
def voucher_is_in_the_audit_log(t):
    """After each voucher the audit log has an event with its nonce."""
    device = t.device()
    with t.registrar() as r:
        for _ in range(2):
            rvr = r.rvr(device)
            r.voucher(rvr)
            reply = r.audit(rvr)
            t.status(reply, 200)
            nonces = [e.get("nonce") for e in t.json(reply).get("events", [])]
            t.need(voucher.nonce_of(rvr) in nonces, f"the log's nonces are {nonces}")


@check("R8995-MASA-004", level=SHOULD, role="masa", profiles=RFC8995,
       mutant="knows the media types it reads")
def unknown_media_type_is_415(t):
    """A body of a type the MASA does not know is refused cleanly: 415, or 406."""
    with t.registrar() as r:
        t.refused(r.ask(b"hello", content_type="text/plain"), 415, 406)


@check("A-01", "O-09", level=MUST, role="masa", profiles=("cbrski",),
       mutant="answers in the form of the request")
def cose_request_gets_a_cose_voucher(t):
    """A request in COSE gets a voucher in COSE, which brings its signer's chain along."""
    cose_type = "application/voucher+cose"
    device = t.device()
    with t.registrar() as r:
        reply = r.ask(r.cose_rvr(device), content_type=cose_type, accept=cose_type)
        t.status(reply, 200, why="an honest request")
        t.equal(reply.media_type, cose_type, "the type of the voucher")
        brought = cose.parse(reply.body).certs
        t.need(any(leads_to(c, brought, t.anchors()) for c in brought if not forge.is_ca(c)),
               "no certificate of a signer comes along, or none that leads to the manufacturer's anchor")
