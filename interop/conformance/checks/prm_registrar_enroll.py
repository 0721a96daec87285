# SPDX-License-Identifier: Apache-2.0
"""A registrar of pledges in responder mode: certificates and reports (brski-prm §7.4, §7.5, §7.9, §7.10)."""
import base64
import json

from cryptography import x509

from brski_peer import certs, forge, jws, prm

from ..core import MUST, SHOULD, check

PRM, ROLE = ("prm",), "prm-registrar"


# -- requestenroll

@check("PRM-REG-008", level=MUST, role=ROLE, profiles=PRM, mutant="names the type of certificates")
def enroll_request_brings_a_certificate(t):
    """200, application/pkcs7-mime, with a certificate for the key of the request."""
    with t.accepted() as (agent, device):
        key = certs.new_key()
        reply = agent.enroll(device, key)
        t.issued(reply, key)
        t.equal(reply.media_type, "application/pkcs7-mime", "the media type")
        t.need("certs-only" in (reply.header("content-type") or ""), "smime-type is not certs-only")


@check("PRM-REG-008", level=MUST, role=ROLE, profiles=PRM, mutant="sends the new certificate alone")
def answer_holds_one_certificate(t):
    """Only the new certificate: the chain comes with the CA certificates."""
    with t.accepted() as (agent, device):
        reply = agent.enroll(device)
        t.status(reply, 200)
        t.equal(len(t.certs_in(reply)), 1, "the number of certificates")


@check("PRM-REG-008", level=MUST, role=ROLE, profiles=PRM, mutant="takes an Accept of jose+json")
def enroll_request_that_accepts_jose_is_fine(t):
    """Agents are told to send Accept: application/jose+json, though the answer is another type: that is no 406."""
    with t.accepted() as (agent, device):
        t.status(agent.enroll(device, accept=prm.JOSE_TYPE), 200)


@check("PRM-REG-008", level=MUST, role=ROLE, profiles=PRM, mutant="enrols accepted pledges only")
def enroll_request_without_a_voucher_is_refused(t):
    """A device of which no voucher-request has been accepted gets no certificate."""
    with t.agent() as agent:
        t.refused(agent.enroll(t.device()))


@check("PRM-REG-008", level=MUST, role=ROLE, profiles=PRM, mutant="compares the IDevIDs of both requests")
def enroll_request_of_a_namesake_is_refused(t):
    """A serial-number alone does not make a device: the same on a stranger's IDevID is refused."""
    with t.accepted() as (agent, device):
        t.refused(agent.enroll(t.device(t.lab.stranger, serial=device.serial)))


@check("PRM-REG-008", level=MUST, role=ROLE, profiles=PRM, mutant="verifies the signature of an enroll-request")
def enroll_request_with_a_broken_signature_is_refused(t):
    """403 (or another 4xx) when the signature is not of the certificate in x5c."""
    with t.accepted() as (agent, device):
        t.refused(agent.request_enroll(jws.flip_signature(agent.per(device, certs.new_key()))))


@check("PRM-REG-008", level=MUST, role=ROLE, profiles=PRM, mutant="understands what is critical")
def enroll_request_with_an_unknown_critical_member_is_refused(t):
    """crit names what has to be understood: what is not known makes the request invalid (RFC 7515 §4.1.11)."""
    with t.accepted() as (agent, device):
        members = {"crit": [prm.CREATED, "x-unknown"], "x-unknown": True}
        t.refused(agent.enroll(device, members=members))


@check("PRM-REG-008", level=MUST, role=ROLE, profiles=PRM, mutant="verifies the signature of a PKCS #10 request")
def csr_with_a_broken_signature_is_refused(t):
    """The PKCS #10 request inside proves that the device has the key."""
    with t.accepted() as (agent, device):
        csr = prm.csr_for(device.identity, certs.new_key())
        broken = csr[:-1] + bytes([csr[-1] ^ 1])
        t.refused(agent.request_enroll(prm.enroll_request(device.identity, broken)))


@check("PRM-REG-008", level=MUST, role=ROLE, profiles=PRM, mutant="wants requestenroll to be JWS")
def enroll_request_that_is_no_jws_is_refused(t):
    """400 (or another 4xx) for what cannot be read."""
    with t.agent() as agent:
        t.refused(agent.request_enroll(b'{"payload":'))


@check("PRM-REG-008", level=MUST, role=ROLE, profiles=PRM, mutant="looks at the media type of requestenroll")
def enroll_request_of_another_type_is_refused(t):
    """415 (or another 4xx) for what is not application/jose+json."""
    with t.accepted() as (agent, device):
        t.refused(agent.request_enroll(agent.per(device, certs.new_key()), content_type="text/plain"))


@check("PRM-REG-008", level=MUST, role=ROLE, profiles=PRM,
       mutant="refuses what it cannot answer requestenroll in")
def enroll_request_that_accepts_something_else_is_refused(t):
    """406 (or another 4xx) for an Accept that holds nothing that certificates could be."""
    with t.accepted() as (agent, device):
        t.refused(agent.enroll(device, accept="image/png"))


@check("PRM-REG-011", level=MUST, role=ROLE, profiles=PRM, mutant="keeps the serial-number in the certificate")
def certificate_has_the_serial_number(t):
    """The certificate's subject has the device's serialNumber, by which reports are told apart."""
    with t.accepted() as (agent, device):
        reply = agent.enroll(device)
        t.status(reply, 200)
        found = [a.value for c in t.certs_in(reply)
                 for a in c.subject.get_attributes_for_oid(x509.NameOID.SERIAL_NUMBER)]
        t.need(device.serial in found, f"serialNumber of the subject is {found}")


# -- wrappedcacerts

@check("PRM-REG-009", level=MUST, role=ROLE, profiles=PRM, mutant="names the type of CA certificates")
def ca_certificates_are_jose(t):
    """GET of wrappedcacerts: 200, application/jose+json."""
    with t.agent() as agent:
        reply = agent.cacerts()
        t.status(reply, 200)
        t.equal(reply.media_type, prm.JOSE_TYPE, "the media type")


@check("PRM-REG-009", level=MUST, role=ROLE, profiles=PRM, mutant="writes a bag as specified")
def bag_holds_ca_certificates(t):
    """x5bag is a string for one certificate, an array for two or more, each base64 of a CA's."""
    with t.agent() as agent:
        bag = json.loads(t.opened(agent.cacerts())[0].payload).get("x5bag")
    t.need(isinstance(bag, str) or isinstance(bag, list) and len(bag) >= 2,
           f"x5bag is {type(bag).__name__} of length {len(bag or ())}")
    for text in [bag] if isinstance(bag, str) else bag:
        cert = forge.parse(base64.b64decode(text, validate=True))
        t.need(forge.is_ca(cert), f"{cert.subject.rfc4514_string()} is no CA")


@check("PRM-REG-009", level=MUST, role=ROLE, profiles=PRM, mutant="signs CA certificates")
def bag_is_signed(t):
    """The signature holds with the first certificate of x5c."""
    with t.agent() as agent:
        t.holds(t.opened(agent.cacerts())[0].signatures[0], "the bag")


@check("PRM-REG-009", level=MUST, role=ROLE, profiles=PRM,
       mutant="ends the chain of a bag below the pinned certificate")
def bag_has_the_registrars_chain(t):
    """x5c is the registrar's certificate and what is between that and the pinned one."""
    with t.accepted() as (agent, _):
        pin = forge.parse(base64.b64decode(prm.opened(t.masa.vouchers[-1])[1]["pinned-domain-cert"]))
        found = t.opened(agent.cacerts())[0].signatures[0].certs
        t.need(pin not in found[1:], "the pinned certificate is in x5c")
        t.need(found and t.leads_to(found[0], found, pin), "x5c does not lead to the pinned certificate")


# -- voucher_status

@check("PRM-REG-010", level=MUST, role=ROLE, profiles=PRM, mutant="looks at the media type of voucher_status")
def voucher_status_of_another_type_is_refused(t):
    """A report in JSON without a signature says nothing about who made it: that is refused."""
    with t.accepted() as (agent, device):
        made = prm.report(device.identity, ("pvs-details", "fine"))
        t.refused(agent.report("voucher_status", made, "application/json"))


@check("PRM-REG-010", level=MUST, role=ROLE, profiles=PRM, mutant="verifies the signature of pvs")
def voucher_status_with_a_broken_signature_is_refused(t):
    """The signature is verified; an honest report is answered with 200."""
    with t.accepted() as (agent, device):
        t.refused(agent.voucher_status(device.identity, broken=True))
        t.status(agent.voucher_status(device.identity), 200)


@check("PRM-REG-010", level=MUST, role=ROLE, profiles=PRM, mutant="takes pvs of accepted devices only")
def voucher_status_of_an_unknown_device_is_refused(t):
    """A report has to be of a device that was accepted."""
    with t.agent() as agent:
        t.refused(agent.voucher_status(t.device().identity))


@check("PRM-REG-010", level=MUST, role=ROLE, profiles=PRM, mutant="compares the certificate of pvs")
def voucher_status_of_a_namesake_is_refused(t):
    """The same serial-number on a stranger's IDevID is another device."""
    with t.accepted() as (agent, device):
        t.refused(agent.voucher_status(t.device(t.lab.stranger, serial=device.serial).identity))


@check("PRM-REG-010", level=MUST, role=ROLE, profiles=PRM, mutant="wants pvs-details")
def voucher_status_with_pes_details_is_refused(t):
    """reason-context tells reports apart: one with pes-details is at the wrong endpoint."""
    with t.accepted() as (agent, device):
        t.refused(agent.voucher_status(device.identity, "pes-details"))


@check("PRM-REG-010", level=SHOULD, role=ROLE, profiles=PRM, mutant="asks for the audit log after the report")
def audit_log_is_asked_for_after_the_report(t):
    """After the report the registrar asks the MASA for the device's log."""
    with t.accepted() as (agent, device):
        t.status(agent.voucher_status(device.identity), 200)
        t.wait(lambda: t.masa.seen("/requestauditlog"), "nobody asks for the device's history")


# -- enrollstatus

@check("PRM-REG-011", level=MUST, role=ROLE, profiles=PRM, mutant="takes enroll status of the new key")
def enroll_status_of_the_new_key_is_taken(t):
    """A report of success is signed with the new certificate: 200."""
    with t.enrolled() as (agent, _, ldevid):
        t.status(agent.enroll_status(ldevid), 200)


@check("PRM-REG-011", level=MUST, role=ROLE, profiles=PRM, mutant="takes failed enroll status")
def enroll_status_of_a_failure_is_taken(t):
    """A report of failure is signed with the IDevID: 200 (or 404, as in RFC 8995 §5.9.4)."""
    with t.enrolled() as (agent, device, _):
        t.status(agent.enroll_status(device.identity, status=False), 200, 404)


@check("PRM-REG-011", level=MUST, role=ROLE, profiles=PRM, mutant="looks at the media type of enrollstatus")
def enroll_status_of_another_type_is_refused(t):
    """A report in JSON without a signature says nothing about who made it: that is refused."""
    with t.enrolled() as (agent, device, _):
        made = prm.report(device.identity, ("pes-details", "fine"), False)
        t.refused(agent.report("enrollstatus", made, "application/json"))


@check("PRM-REG-011", level=MUST, role=ROLE, profiles=PRM, mutant="verifies the signature of pes")
def enroll_status_with_a_broken_signature_is_refused(t):
    """The signature is verified."""
    with t.enrolled() as (agent, device, _):
        t.refused(agent.enroll_status(device.identity, broken=True))


@check("PRM-REG-011", level=MUST, role=ROLE, profiles=PRM, mutant="takes pes of accepted devices only")
def enroll_status_of_an_unknown_device_is_refused(t):
    """A report has to be of a device that was accepted."""
    with t.agent() as agent:
        t.refused(agent.enroll_status(t.device().identity))


@check("PRM-REG-011", level=MUST, role=ROLE, profiles=PRM, mutant="compares the certificate of pes")
def enroll_status_of_a_namesake_is_refused(t):
    """The same serial-number on a stranger's certificate is another device."""
    with t.enrolled() as (agent, device, _):
        t.refused(agent.enroll_status(t.device(t.lab.stranger, serial=device.serial).identity))


@check("PRM-REG-011", level=MUST, role=ROLE, profiles=PRM, mutant="wants pes-details")
def enroll_status_with_pvs_details_is_refused(t):
    """reason-context tells reports apart: one with pvs-details is at the wrong endpoint."""
    with t.enrolled() as (agent, device, _):
        t.refused(agent.enroll_status(device.identity, "pvs-details"))
