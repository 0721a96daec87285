# SPDX-License-Identifier: Apache-2.0
"""The pledge's request for a voucher and its judgement of the answer (RFC 8995 §5.2, §5.6)."""
import base64

from brski_peer import forge, voucher
from brski_peer.registrar import CMS_TYPE
from brski_peer.server import Answer, text

from ..core import MUST, SHOULD, check

RFC8995 = ("rfc8995",)


@check("R8995-PLG-019", level=MUST, role="pledge", profiles=RFC8995, mutant="signs its request")
def request_is_a_signed_post_to_the_well_known_path(t):
    """POST to /.well-known/brski/requestvoucher with its media type, signed with the IDevID."""
    device = t.device()
    t.joins(device)
    asked = t.registrar.seen("requestvoucher")[0]
    t.equal((asked.method, asked.path), ("POST", "/.well-known/brski/requestvoucher"), "the request")
    t.equal(asked.header("content-type").split(";")[0], "application/voucher-cms+json", "the media type")
    t.equal(t.pvr().signer, device.identity.cert, "the signer of the request")
    t.equal(asked.peer_der, device.identity.der, "the certificate shown in the TLS handshake")


@check("R8995-PLG-022", level=MUST, role="pledge", profiles=RFC8995, mutant="names its registrar")
def request_names_the_registrar_it_is_sent_to(t):
    """assertion is proximity and proximity-registrar-cert the certificate the registrar showed."""
    t.joins()
    fields = t.pvr().fields
    t.equal(fields.get("assertion"), "proximity", "the assertion")
    t.equal(base64.b64decode(fields.get("proximity-registrar-cert", "")), t.lab.domain.registrar.der,
            "proximity-registrar-cert")


@check("R8995-PLG-023", level=MUST, role="pledge", profiles=RFC8995, mutant="says its serial-number")
def request_has_the_serial_number_of_the_idevid(t):
    """serial-number is the one in the subject of the IDevID."""
    device = t.device()
    t.joins(device)
    t.equal(t.pvr().fields.get("serial-number"), device.serial, "the serial-number")


@check("R8995-PLG-009", "R8995-PLG-057", level=MUST, role="pledge", profiles=RFC8995, mutant="makes a new nonce each time")
def nonces_differ_from_attempt_to_attempt(t):
    """Two attempts of a device to join, and one of another device, have three nonces, of 8 octets at
    least."""
    device = t.device()
    t.registrar.on["requestvoucher"] = lambda _request: text(404, "Not now.")
    for each in (device, device, t.device()):
        t.run(each)
    nonces = [forge.read(r.body).fields.get("nonce") for r in t.registrar.seen("requestvoucher")]
    t.need(len(nonces) >= 3 and all(nonces), f"the nonces of {len(nonces)} requests are {nonces}")
    t.equal(len(set(nonces)), len(nonces), "the number of different nonces")
    t.need(all(len(base64.b64decode(n)) >= 8 for n in nonces), f"short nonces: {nonces}")


@check("R8995-PLG-016", level=MUST, role="pledge", profiles=RFC8995,
       mutant="takes any certificate until the voucher")
def registrar_nobody_has_heard_of_gets_the_request(t):
    """Until the voucher the pledge accepts whatever certificate the registrar shows, of another name
    and from an unknown CA."""
    stranger = t.lab.other_domain.registrar_identity(alt="DNS:somewhere.example")
    registrar = t.new_registrar(stranger, t.lab.other_domain)
    t.joins(t.device(), registrar)


@check("R8995-PLG-020", level=SHOULD, role="pledge", profiles=RFC8995, mutant="says what it accepts")
def request_says_which_voucher_it_accepts(t):
    """The request has an Accept header with the voucher's media type."""
    t.joins()
    accept = t.registrar.seen("requestvoucher")[0].header("accept") or ""
    t.need("application/voucher-cms+json" in accept, f"Accept is {accept!r}")


@check("R8995-PLG-035", level=MUST, role="pledge", profiles=RFC8995, mutant="compares the nonce")
def voucher_with_another_nonce_is_refused(t):
    """A voucher whose nonce is not that of the request is an old one, or somebody else's."""
    t.registrar.lie = lambda fields: {**fields, "nonce": voucher.new_nonce()}
    t.refuses_voucher(why="the nonce is another one")


@check("R8995-PLG-033", level=MUST, role="pledge", profiles=RFC8995, mutant="compares the serial-number")
def voucher_for_another_device_is_refused(t):
    """A voucher with another serial-number is not for this device."""
    t.registrar.lie = lambda fields: {**fields, "serial-number": "ANOTHER"}
    t.refuses_voucher(why="the serial-number is another one")


@check("R8995-PLG-032", level=MUST, role="pledge", profiles=RFC8995,
       mutant="verifies the signer of the voucher")
def voucher_signed_by_a_stranger_is_refused(t):
    """Only the manufacturer's MASA signs vouchers for this device."""
    t.registrar.signer = t.lab.stranger.signer
    t.refuses_voucher(why="another manufacturer signed it")


@check("R8995-PLG-041", level=MUST, role="pledge", profiles=RFC8995,
       mutant="wants the registrar to lead to the pin")
def voucher_that_pins_another_domain_is_refused(t):
    """pinned-domain-cert has to verify the certificate the registrar showed."""
    t.registrar.pin = t.lab.other_domain.issuing.cert
    t.refuses_voucher(why="it pins the neighbour's CA")


@check("R8995-PLG-043", "R8995-PLG-045", level=MUST, role="pledge", profiles=RFC8995, mutant="sends voucher_status true")
def good_voucher_is_reported(t):
    """voucher_status with status true follows a good voucher."""
    t.joins()
    reports = t.registrar.reports("voucher_status")
    t.equal(len(reports), 1, "the number of voucher_status reports")
    t.equal(reports[0].get("status"), True, "the status")


def refusal_reports(t):
    """The reports on what is no voucher."""
    t.registrar.on["requestvoucher"] = lambda _request: Answer(200, b"no voucher", CMS_TYPE)
    if t.run().joined:
        t.skip("the pledge takes what is no voucher: see R8995-PLG-055")
    return t.registrar.reports("voucher_status")


@check("R8995-PLG-043", level=MUST, role="pledge", profiles=RFC8995, mutant="sends voucher_status false")
def refused_voucher_is_reported(t):
    """voucher_status with status false follows a voucher that is refused."""
    t.equal([r.get("status") for r in refusal_reports(t)], [False], "the status reports")


@check("R8995-PLG-044", level=SHOULD, role="pledge", profiles=RFC8995, mutant="says why it refuses a voucher")
def refused_voucher_is_reported_with_a_reason(t):
    """When status is false, reason says why."""
    reports = refusal_reports(t)
    if not reports:
        t.skip("the pledge does not report on the voucher: see R8995-PLG-043")
    t.need(str(reports[0].get("reason", "")).strip(), "voucher_status gives no reason")
