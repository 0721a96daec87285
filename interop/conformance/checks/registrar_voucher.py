# SPDX-License-Identifier: Apache-2.0
"""The registrar's requestvoucher (RFC 8995 §5.2 to §5.6): what it takes from pledges, what it asks the
MASA, what it hands back."""
import base64
import datetime

from brski_peer import forge, voucher

from ..core import MUST, SHOULD, check

RFC8995 = ("rfc8995",)


@check("R8995-REG-053", "R8995-REG-010", level=MUST, role="registrar", profiles=RFC8995,
       mutant="takes only its own certificate as proximity")
def request_that_names_another_registrar_is_401_and_the_end(t):
    """A voucher-request naming another server's certificate shows somebody in between: 401, then the
    registrar closes the connection, and asks no MASA."""
    device = t.approved_device()
    with t.pledge(device) as p:
        reply = p.request_voucher(p.pvr(proximity_registrar_cert=forge.b64(t.lab.some_certificate())))
        t.status(reply, 401)
        t.need(p.connection.ended_by_peer(), "the connection stays open after the 401")
    t.nothing_asked_of_masa("about a pledge that somebody sits in front of")


@check("R8995-REG-017", level=MUST, role="registrar", profiles=RFC8995,
       mutant="hands the voucher on untouched")
def voucher_reaches_the_pledge_octet_for_octet(t):
    """Success is 200 with the MASA's voucher, no octet changed, under its media type."""
    with t.pledge(t.approved_device()) as p:
        reply = p.request_voucher()
        t.status(reply, 200)
        t.equal(reply.media_type, "application/voucher-cms+json", "the media type")
        t.equal(reply.body, t.masa.vouchers[-1], "the voucher")


@check("R8995-REG-030", level=SHOULD, role="registrar", profiles=RFC8995,
       mutant="puts the pledge's request into its own")
def request_to_the_masa_holds_the_pledges_request(t):
    """prior-signed-voucher-request holds the pledge's signed request, no octet changed."""
    with t.pledge(t.approved_device()) as p:
        asked = p.pvr()
        t.voucher(p, asked)
    prior = t.rvr().fields.get("prior-signed-voucher-request")
    t.need(prior, "the registrar's request has no prior-signed-voucher-request")
    t.equal(base64.b64decode(prior), asked, "prior-signed-voucher-request")


@check("R8995-REG-028", level=MUST, role="registrar", profiles=RFC8995, mutant="copies the nonce")
def nonce_reaches_the_masa_verbatim(t):
    """The nonce in the registrar's request is the pledge's string, in whatever alphabet it wrote it."""
    with t.pledge(t.approved_device()) as p:
        t.voucher(p)
        t.equal(t.rvr().fields.get("nonce"), p.nonce, "the nonce")


@check("R8995-REG-031", level=MUST, role="registrar", profiles=RFC8995,
       mutant="leaves proximity-registrar-cert out of its own request")
def request_to_the_masa_has_no_proximity_certificate(t):
    """proximity-registrar-cert belongs to the pledge's request, never to the registrar's."""
    with t.pledge(t.approved_device()) as p:
        t.voucher(p)
    t.need("proximity-registrar-cert" not in t.rvr().fields,
           "the registrar's request has proximity-registrar-cert")


@check("R8995-REG-029", level=MUST, role="registrar", profiles=("rfc8995", "8366bis"),
       mutant="names the issuer of the IDevID")
def request_to_the_masa_names_the_issuer_of_the_idevid(t):
    """idevid-issuer is the whole extnValue OCTET STRING of the IDevID's authority key identifier."""
    device = t.approved_device()
    with t.pledge(device) as p:
        t.voucher(p)
    issuer = t.rvr().fields.get("idevid-issuer")
    t.need(issuer, "the registrar's request has no idevid-issuer")
    t.equal(base64.b64decode(issuer), device.idevid_issuer, "idevid-issuer")


@check("R8995-REG-027", level=SHOULD, role="registrar", profiles=RFC8995, mutant="dates its request")
def request_to_the_masa_is_dated_now(t):
    """created-on is the time of the request, within a minute."""
    with t.pledge(t.approved_device()) as p:
        t.voucher(p)
    date = t.rvr().fields.get("created-on")
    t.need(date, "the registrar's request has no created-on")
    age = datetime.datetime.now(datetime.timezone.utc) - forge.parse_time(date)
    t.need(abs(age.total_seconds()) < 60, f"created-on is {age.total_seconds():.0f} s old")


@check("R8995-REG-034", "ET-14", level=MUST, role="registrar", profiles=RFC8995,
       mutant="signs with a certificate for registration authorities")
def request_to_the_masa_is_signed_by_a_registration_authority(t):
    """The certificate that signs the registrar's request has the extended key usage id-kp-cmcRA."""
    with t.pledge(t.approved_device()) as p:
        t.voucher(p)
    t.need("1.3.6.1.5.5.7.3.28" in forge.ekus(t.rvr().signer),
           f"the signer's extended key usages are {sorted(forge.ekus(t.rvr().signer))}")


@check("R8995-REG-011", level=MUST, role="registrar", profiles=RFC8995,
       mutant="takes a request signed by the device that asks only")
def request_signed_by_another_device_is_403(t):
    """The voucher-request is signed with the IDevID of the TLS connection, or it is refused."""
    other = t.approved_device()
    with t.pledge(t.approved_device()) as p:
        t.status(p.request_voucher(p.pvr(signer=other.identity)), 403)
    t.nothing_asked_of_masa("for a request that another device signed")


@check("R8995-REG-009", "R8995-REG-008", level=MUST, role="registrar", profiles=RFC8995,
       mutant="takes the serial-number of the IDevID only")
def request_with_another_serial_number_is_refused(t):
    """serial-number in the request is the one of the IDevID's subject; another one is refused."""
    other = t.approved_device()
    with t.pledge(t.approved_device()) as p:
        t.refused(p.request_voucher(p.pvr(serial_number=other.serial)), 400, 403)
    t.nothing_asked_of_masa("about a serial number that is not the device's")


@check("R8995-REG-054", level=MUST, role="registrar", profiles=RFC8995,
       mutant="passes over leaves a pledge has no business with")
def leaves_a_pledge_has_no_business_with_are_ignored(t):
    """pinned-domain-cert, last-renewal-date and domain-cert-revocation-checks in a pledge's request
    change nothing, and are not in the registrar's own."""
    garbage = {"pinned_domain_cert": "AAAA", "last_renewal_date": voucher.timestamp(),
               "domain_cert_revocation_checks": True}
    with t.pledge(t.approved_device()) as p:
        t.voucher(p, p.pvr(**garbage))
    carried = {name.replace("_", "-") for name in garbage} & set(t.rvr().fields)
    t.need(not carried, f"the registrar's request has {sorted(carried)}")


@check("R8995-REG-016", "EE-13", level=MUST, role="registrar", profiles=RFC8995,
       mutant="remembers a request that waits")
def device_that_waits_for_a_human_gets_202_and_later_its_voucher(t):
    """202 with Retry-After while nobody has approved; the same octets again after that bring the
    voucher, and the MASA is asked once."""
    device = t.held_device()
    with t.pledge(device) as p:
        asked = p.pvr()
        reply = p.request_voucher(asked)
        t.status(reply, 202)
        t.need((reply.header("retry-after") or "").isdigit(), "202 without Retry-After in seconds")
        t.nothing_asked_of_masa("about a device nobody has approved")
        t.approve(device)

        def answered():
            again = p.request_voucher(asked)
            return again if again.status != 202 else None
        t.status(t.wait(answered, "the request stays pending after the approval"), 200)
    t.asked_of_masa(1)


@check("R8995-REG-013", level=SHOULD, role="registrar", profiles=RFC8995,
       mutant="knows the media types it reads")
def unknown_media_type_is_415(t):
    """A body of a type the registrar does not know is refused cleanly: 415, or 406."""
    with t.pledge(t.approved_device()) as p:
        t.refused(p.request_voucher(b"hello", content_type="text/plain"), 415, 406)


@check("R8995-REG-014", level=MUST, role="registrar", profiles=RFC8995, mutant="answers POST only")
def wrong_method_is_405(t):
    """GET of requestvoucher is 405 and says what is allowed."""
    with t.pledge(t.approved_device()) as p:
        reply = p.connection.get("/.well-known/brski/requestvoucher")
        t.status(reply, 405)
        t.need("POST" in (reply.header("allow") or ""), "405 without Allow: POST")
