# SPDX-License-Identifier: Apache-2.0
"""What a registrar sends to the MASA for a constrained device: a voucher-request in COSE around the
device's own (draft-ietf-anima-constrained-voucher §7, §8, §9.2.1; rfc8366bis §6)."""
import datetime

from brski_peer import cose, forge
from brski_peer.masa import COSE_TYPE

from ..core import MUST, check

CBRSKI = ("cbrski",)
PATIENCE = datetime.timedelta(minutes=5)


def asked(t, device=None):
    """(the pledge's request, the registrar's request, read, the pledge)"""
    with t.coap_pledge(device or t.approved_device()) as p:
        body = p.pvr()
        p.request_voucher(body)
    return body, cose.parse(t.asked_of_masa()[0].body), p


@check("A-01", level=MUST, role="registrar", profiles=CBRSKI, mutant="says what it accepts of the MASA")
def coaps_masa_is_asked_in_cose(t):
    """Content-Type and Accept towards the MASA are application/voucher+cose, over HTTPS."""
    asked(t)
    request = t.asked_of_masa()[0]
    t.equal(request.header("content-type"), COSE_TYPE, "the media type")
    t.need(COSE_TYPE in (request.header("accept") or ""), f"it accepts {request.header('accept')!r}")


@check("O-06", "K-05", level=MUST, role="registrar", profiles=CBRSKI, mutant="sends the device's chain to the MASA")
def coaps_request_to_the_masa_brings_both_chains(t):
    """One x5bag: the registrar's certificate and what it leads to, and every certificate the device has
    shown, so that the MASA can verify both and see what the device has seen."""
    device = t.approved_device()
    _, rvr, p = asked(t, device)
    brought = {forge.der(c) for c in rvr.certs}
    t.need(p.registrar_der in brought, "the certificate that the device has seen is not in it")
    rvr.verify(forge.parse(p.registrar_der))
    missing = [c.subject.rfc4514_string() for c in device.identity.chain() if forge.der(c) not in brought]
    t.need(not missing, f"it lacks what the device has shown: {missing}")
    t.need(any(c.subject == forge.parse(p.registrar_der).issuer for c in rvr.certs),
           "it lacks the issuer of the registrar's certificate")


@check("Y-12", level=MUST, role="registrar", profiles=CBRSKI, mutant="names the issuer of the IDevID")
def coaps_request_to_the_masa_names_the_issuer_of_the_idevid(t):
    """idevid-issuer is the whole OCTET STRING of the extension, its tag and length included."""
    device = t.approved_device()
    t.equal(asked(t, device)[1].fields.get("idevid-issuer"), device.idevid_issuer, "idevid-issuer")


@check("Y-13", level=MUST, role="registrar", profiles=CBRSKI,
       mutant="makes an issuer of the key where none is named")
def coaps_issuer_of_an_idevid_without_one_is_made_of_its_key(t):
    """Without an AuthorityKeyIdentifier in the IDevID, the same structure is made of the hash of its key."""
    device = t.approved_device(with_aki=False)
    t.equal(asked(t, device)[1].fields.get("idevid-issuer"), forge.aki_of_key(device.identity.cert),
            "idevid-issuer")


@check("Y-16", level=MUST, role="registrar", profiles=CBRSKI, mutant="carries the assertion on")
def coaps_request_to_the_masa_asserts_proximity(t):
    """What the pledge asserts the registrar asserts as well."""
    t.equal(asked(t)[1].fields.get("assertion"), "proximity", "the assertion")


@check("Y-17", level=MUST, role="registrar", profiles=CBRSKI, mutant="puts the pledge's request into its own")
def coaps_request_to_the_masa_holds_the_pledges_octets(t):
    """prior-signed-voucher-request is what the pledge sent, octet for octet."""
    body, rvr, _ = asked(t)
    t.equal(rvr.fields.get("prior-signed-voucher-request"), body, "prior-signed-voucher-request")


@check("Y-17", level=MUST, role="registrar", profiles=CBRSKI, mutant="copies the nonce")
def coaps_request_to_the_masa_has_the_pledges_nonce(t):
    """The nonce is the pledge's, the serial-number that of the certificate it has shown."""
    device = t.approved_device()
    _, rvr, p = asked(t, device)
    t.equal(rvr.fields.get("nonce"), p.nonce, "the nonce")
    t.equal(rvr.fields.get("serial-number"), device.serial, "the serial-number")


@check("Y-17", level=MUST, role="registrar", profiles=CBRSKI,
       mutant="leaves proximity-registrar-cert out of its own request")
def coaps_request_to_the_masa_has_no_proximity_leaf(t):
    """Those leaves are the pledge's to fill in."""
    found = [name for name in asked(t)[1].fields if str(name).startswith("proximity-")]
    t.need(not found, f"the request has {found}")


@check("Y-17", level=MUST, role="registrar", profiles=CBRSKI, mutant="dates its request")
def coaps_request_to_the_masa_is_dated_now(t):
    """created-on is the time of the registrar, which has a clock."""
    said = asked(t)[1].fields.get("created-on")
    t.need(said, "the request has no created-on")
    at = datetime.datetime.fromisoformat(str(said).replace("Z", "+00:00"))
    t.need(abs(datetime.datetime.now(datetime.timezone.utc) - at) < PATIENCE, f"created-on is {said}")
