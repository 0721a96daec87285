# SPDX-License-Identifier: Apache-2.0
"""A pledge in responder mode: what it makes of voucher, CA certificates and certificate, and how it reports
(brski-prm §7.6 to §7.8, §7.11)."""
from brski_peer import certs, forge, jws, prm

from ..core import MUST, SHOULD, check
from ..trial_masa import other_key_same_names

PRM, ROLE = ("prm",), "prm-pledge"


# -- the voucher

@check("PRM-PLG-011", "PRM-PLG-012", level=MUST, role=ROLE, profiles=PRM, mutant="says pvs-details")
def honest_voucher_is_taken(t):
    """A voucher with the MASA's signature and the registrar's: 200, version 1, status true, and
    reason-context with pvs-details."""
    reply = t.supply(t.countersigned(t.triggered()))
    said = t.report(reply, "pvs-details")
    t.need(said["status"] is True, f"the voucher is refused: {said}")


def refused(t, voucher, why):
    """It is not taken, however the pledge says so."""
    t.not_taken(t.supply(voucher), why)


def wrong_in_every_way(t, asked):
    """A voucher that any one of the pledge's rules refuses."""
    voucher = t.countersigned(asked, masa=t.lab.stranger.signer, serial_number=t.lab.new_serial(),
                              nonce=forge.voucher.new_nonce())
    return jws.flip_signature(voucher, 1)


@check("PRM-PLG-011", level=MUST, role=ROLE, profiles=PRM, mutant="verifies the MASA's signature")
def voucher_with_a_broken_masa_signature_is_refused(t):
    """First the MASA's signature is verified."""
    voucher = t.countersigned(t.triggered())
    refused(t, jws.flip_signature(voucher, 0), "the MASA's signature does not hold")


@check("PRM-PLG-011", level=MUST, role=ROLE, profiles=PRM, mutant="wants the manufacturer's MASA")
def voucher_of_another_manufacturer_is_refused(t):
    """The MASA's certificate leads to the anchor that the pledge was made with, not to any that comes along."""
    stranger = t.lab.stranger.signer
    voucher = t.countersigned(t.triggered(), masa=stranger, how={"x5c": stranger.chain(with_root=True)})
    refused(t, voucher, "another manufacturer's MASA has signed")


@check("PRM-PLG-011", level=MUST, role=ROLE, profiles=PRM,
       mutant="validates the registrar's certificate of the trigger")
def voucher_for_another_domain_than_the_triggers_is_refused(t):
    """The registrar's certificate of tpvr has to lead to the pinned certificate."""
    stranger = t.lab.other_domain.registrar
    asked = t.triggered(registrar=stranger)
    refused(t, t.countersigned(asked), "the registrar of the trigger is of another domain than the pinned one")


@check("PRM-PLG-011", level=MUST, role=ROLE, profiles=PRM, mutant="wants the registrar's signature")
def voucher_without_the_registrars_signature_is_refused(t):
    """The MASA's signature alone does not prove that the registrar has a hand in it."""
    refused(t, t.voucher(t.triggered()), "the registrar's signature is missing")


@check("PRM-PLG-011", level=MUST, role=ROLE, profiles=PRM, mutant="verifies the registrar's signature")
def voucher_with_a_broken_registrar_signature_is_refused(t):
    """The registrar's signature is verified, too."""
    refused(t, jws.flip_signature(t.countersigned(t.triggered()), 1), "the registrar's signature does not hold")


@check("PRM-PLG-011", level=MUST, role=ROLE, profiles=PRM, mutant="wants the signer below the pinned certificate")
def voucher_countersigned_by_a_stranger_is_refused(t):
    """The second signature is of somebody whose certificate leads to the pinned one."""
    voucher = t.countersigned(t.triggered(), other_key_same_names(t.registrar))
    refused(t, voucher, "the second signer does not lead to the pinned certificate")


@check("PRM-PLG-011", level=MUST, role=ROLE, profiles=PRM, mutant="compares the serial-number")
def voucher_of_another_device_is_refused(t):
    """serial-number is the pledge's own."""
    voucher = t.countersigned(t.triggered(), serial_number=t.lab.new_serial())
    refused(t, voucher, "the serial-number is another device's")


@check("PRM-PLG-011", level=MUST, role=ROLE, profiles=PRM, mutant="compares the nonce")
def voucher_with_another_nonce_is_refused(t):
    """The nonce is that of the pledge's request."""
    voucher = t.countersigned(t.triggered(), nonce=forge.voucher.new_nonce())
    refused(t, voucher, "the nonce is another")


@check("PRM-PLG-011", level=MUST, role=ROLE, profiles=PRM, mutant="forgets the anchor of a voucher it refuses")
def refused_voucher_leaves_no_anchor(t):
    """After a voucher that fails, its pinned certificate counts for nothing: CA certificates signed below it
    are not taken."""
    t.supply(wrong_in_every_way(t, t.triggered()))
    t.refused(t.supply_cas(t.cas()), why="the voucher was refused")


@check("PRM-PLG-007", level=MUST, role=ROLE, profiles=PRM,
       mutant="keeps the registrar's certificate that came last")
def last_trigger_counts(t):
    """The registrar's certificate of the last trigger is the one that a voucher is held against."""
    device = t.factory()
    t.triggered(device, registrar=t.lab.other_domain.registrar)
    asked = t.triggered(device)
    t.taken(t.supply(t.countersigned(asked)), "a voucher for the registrar of the second trigger")


@check("PRM-PLG-012", level=MUST, role=ROLE, profiles=PRM, mutant="names the type of pvs")
def voucher_status_is_jose(t):
    """The status comes as application/jose+json."""
    reply = t.supply(t.countersigned(t.triggered()))
    t.equal(reply.media_type, prm.JOSE_TYPE, "the media type")


@check("PRM-PLG-012", level=MUST, role=ROLE, profiles=PRM, mutant="signs its voucher status with the IDevID")
def voucher_status_is_signed_with_the_idevid(t):
    """alg and x5c in the header, the signature is of the IDevID's key."""
    asked = t.triggered()
    t.signed_by(t.supply(t.countersigned(asked)), asked.device.identity, "the voucher status")


@check("PRM-PLG-012", level=MUST, role=ROLE, profiles=PRM, mutant="answers 200 when pvs fails")
def voucher_that_fails_is_reported_with_200(t):
    """A voucher that is refused is no error of HTTP: 200 and a signed report."""
    t.status(t.supply(wrong_in_every_way(t, t.triggered())), 200)


@check("PRM-PLG-012", level=MUST, role=ROLE, profiles=PRM, mutant="says why pvs failed")
def voucher_status_says_what_is_wrong(t):
    """reason has words for a person when the voucher is refused."""
    said = t.fields_of(t.supply(wrong_in_every_way(t, t.triggered())))
    good = t.fields_of(t.supply(t.countersigned(t.triggered())))
    t.need(isinstance(said.get("reason"), str) and said["reason"], "there is no reason")
    t.need(said["reason"] != good.get("reason"), "the reason is the same as for a good voucher")


# -- CA certificates

@check("PRM-PLG-013", level=MUST, role=ROLE, profiles=PRM, mutant="installs CA certificates")
def certificates_of_each_installed_ca_are_taken(t):
    """CA certificates that the registrar signed become anchors: a certificate of a CA among them is taken."""
    asked = t.with_voucher(t.enrolling())
    twin = t.twin_ca()
    t.status(t.supply_cas(t.cas(twin.cert)), 200, 204)
    t.taken(t.supply_certificate(t.certificate(asked, twin)), "a certificate of a CA that was supplied")


@check("PRM-PLG-013", level=SHOULD, role=ROLE, profiles=PRM, mutant="says no more than 200 to CA certificates")
def ca_certificates_are_answered_without_a_body(t):
    """200 without a body."""
    t.with_voucher()
    reply = t.supply_cas(t.cas())
    t.status(reply, 200)
    t.equal(reply.body, b"", "the body")


@check("PRM-PLG-013", level=MUST, role=ROLE, profiles=PRM, mutant="verifies the signature of CA certificates")
def ca_certificates_with_a_broken_signature_are_refused(t):
    """403 (or another 4xx)."""
    t.with_voucher()
    t.refused(t.supply_cas(jws.flip_signature(t.cas())))


@check("PRM-PLG-013", level=MUST, role=ROLE, profiles=PRM, mutant="wants CA certificates from the registrar")
def ca_certificates_of_a_stranger_are_refused(t):
    """403 (or another 4xx) when the signer does not lead to the pinned certificate."""
    t.with_voucher()
    stranger = t.lab.other_domain.registrar
    t.refused(t.supply_cas(t.cas(signer=stranger, x5c=stranger.chain(with_root=True))))


@check("PRM-PLG-013", level=MUST, role=ROLE, profiles=PRM, mutant="verifies intermediate certificates")
def ca_certificates_that_lead_nowhere_are_refused(t):
    """403 (or another 4xx) when one that is not self-signed has no issuer among them."""
    t.with_voucher()
    t.refused(t.supply_cas(t.cas(t.lab.other_domain.issuing.cert)))


@check("PRM-PLG-013", level=MUST, role=ROLE, profiles=PRM, mutant="wants a voucher before CA certificates")
def ca_certificates_before_the_voucher_are_refused(t):
    """Without a pinned certificate there is nothing to verify them with."""
    t.triggered()
    t.refused(t.supply_cas(t.cas()))


@check("PRM-PLG-013", level=MUST, role=ROLE, profiles=PRM, mutant="wants CA certificates it can read")
def ca_certificates_that_cannot_be_read_are_refused(t):
    """400 (or another 4xx)."""
    t.with_voucher()
    t.refused(t.supply_cas(b'{"payload":'))


@check("PRM-PLG-013", level=MUST, role=ROLE, profiles=PRM, mutant="looks at the media type of scac")
def ca_certificates_of_another_type_are_refused(t):
    """415 (or another 4xx) for what is not application/jose+json."""
    t.with_voucher()
    t.refused(t.post("scac", t.cas(), "text/plain"))


# -- the certificate

@check("PRM-PLG-014", level=MUST, role=ROLE, profiles=PRM, mutant="says pes-details")
def certificate_is_taken(t):
    """A certificate of the domain for the pledge's key: 200, status true, reason-context with pes-details."""
    asked = t.ready()
    said = t.report(t.supply_certificate(t.certificate(asked)), "pes-details")
    t.need(said["status"] is True, f"the certificate is refused: {said}")


@check("PRM-PLG-014", level=MUST, role=ROLE, profiles=PRM, mutant="names the type of pes")
def enroll_status_is_jose(t):
    """The status comes as application/jose+json."""
    reply = t.supply_certificate(t.certificate(t.ready()))
    t.equal(reply.media_type, prm.JOSE_TYPE, "the media type")


@check("PRM-PLG-014", level=MUST, role=ROLE, profiles=PRM, mutant="signs its enroll status with the new key")
def success_is_signed_with_the_new_key(t):
    """A report of success is signed with the key that has the new certificate; x5c begins with it."""
    asked = t.ready()
    cert = t.certificate(asked)
    t.signed_by(t.supply_certificate(cert), certs.Identity(None, cert), "the enroll status")


@check("PRM-PLG-014", level=MUST, role=ROLE, profiles=PRM, mutant="verifies its certificate with the anchors")
def certificate_of_another_domain_is_refused(t):
    """A certificate that leads to none of the installed anchors: status false."""
    asked = t.ready()
    reply = t.supply_certificate(t.certificate(asked, t.lab.other_domain.issuing))
    t.not_taken(reply, "a stranger has issued the certificate")


@check("PRM-PLG-014", level=MUST, role=ROLE, profiles=PRM, mutant="compares the key of its certificate")
def certificate_for_another_key_is_refused(t):
    """A certificate that is not for the key of the enroll-request: status false."""
    asked = t.ready()
    reply = t.supply_certificate(t.certificate(asked, key=certs.new_key()))
    t.not_taken(reply, "the certificate is for another key")


def failed_enrolment(t):
    """(device, the answer to a certificate of a stranger for another key)"""
    asked = t.ready()
    cert = t.certificate(asked, t.lab.other_domain.issuing, key=certs.new_key())
    return asked.device, t.supply_certificate(cert)


@check("PRM-PLG-014", level=MUST, role=ROLE, profiles=PRM, mutant="signs a failed enroll status with the IDevID")
def failure_is_signed_with_the_idevid(t):
    """A report that the certificate is not taken is signed with the IDevID."""
    device, reply = failed_enrolment(t)
    t.signed_by(reply, device.identity, "the enroll status")


@check("PRM-PLG-014", level=MUST, role=ROLE, profiles=PRM, mutant="answers 200 when pes fails")
def certificate_that_fails_is_reported_with_200(t):
    """A certificate that is refused is no error of HTTP: 200 and a signed report."""
    t.status(failed_enrolment(t)[1], 200)


@check("PRM-PLG-014", level=MUST, role=ROLE, profiles=PRM, mutant="says why pes failed")
def enroll_status_says_what_is_wrong(t):
    """reason has words for a person when the certificate is refused."""
    said = t.fields_of(failed_enrolment(t)[1])
    good = t.fields_of(t.supply_certificate(t.certificate(t.ready())))
    t.need(isinstance(said.get("reason"), str) and said["reason"], "there is no reason")
    t.need(said["reason"] != good.get("reason"), "the reason is the same as for a good certificate")


# -- the pledge's status

def bootstrap(t, device):
    """pbs-details of a pStatus."""
    return t.report(t.ask_status(device), "pbs-details")["reason-context"]["pbs-details"]


@check("PRM-PLG-015", level=MUST, role=ROLE, profiles=PRM, mutant="says that it is new")
def new_pledge_says_factory_default(t):
    """Before anything has happened pbs-details is factory-default, whoever asks."""
    t.equal(bootstrap(t, t.factory()), "factory-default", "pbs-details")


@check("PRM-PLG-015", level=MUST, role=ROLE, profiles=PRM, mutant="says how far it is")
def pledge_says_how_far_it_is(t):
    """pbs-details is voucher-error, voucher-success, enroll-error, enroll-success in turn."""
    asked = t.triggered()
    t.supply(wrong_in_every_way(t, asked))
    t.equal(bootstrap(t, asked.device), "voucher-error", "pbs-details after a voucher that fails")
    asked = t.ready()
    t.equal(bootstrap(t, asked.device), "voucher-success", "pbs-details after the voucher")
    t.supply_certificate(t.certificate(asked, t.lab.other_domain.issuing, key=certs.new_key()))
    t.equal(bootstrap(t, asked.device), "enroll-error", "pbs-details after a certificate that fails")
    asked = t.ready()
    t.supply_certificate(t.certificate(asked))
    t.equal(bootstrap(t, asked.device), "enroll-success", "pbs-details after the certificate")


@check("PRM-PLG-015", level=MUST, role=ROLE, profiles=PRM, mutant="names the type of its status")
def pledge_status_is_jose(t):
    """The status comes as application/jose+json, signed with the IDevID as long as there is nothing else."""
    device = t.factory()
    reply = t.ask_status(device)
    t.status(reply, 200)
    t.equal(reply.media_type, prm.JOSE_TYPE, "the media type")
    t.signed_by(reply, device.identity, "the status")


@check("PRM-PLG-015", level=MUST, role=ROLE, profiles=PRM, mutant="signs its status with the new key")
def status_after_enrolment_is_signed_with_the_new_key(t):
    """After enroll-success the status is signed with the site's certificate."""
    asked = t.ready()
    cert = t.certificate(asked)
    t.supply_certificate(cert)
    t.signed_by(t.ask_status(asked.device), certs.Identity(None, cert), "the status")


@check("PRM-PLG-015", level=MUST, role=ROLE, profiles=PRM, mutant="verifies who asks for its status")
def status_is_not_for_strangers(t):
    """403 (or another 4xx) when the trigger's signer does not lead to the domain's anchors."""
    asked = t.ready()
    t.refused(t.ask_status(asked.device, agent=t.lab.other_domain.agent))


@check("PRM-PLG-015", level=MUST, role=ROLE, profiles=PRM, mutant="says how it fares in operation")
def status_of_operation_has_pos_details(t):
    """A trigger for "operation" is answered with pos-details: connect-success or connect-error."""
    asked = t.ready()
    t.supply_certificate(t.certificate(asked))
    said = t.report(t.ask_status(asked.device, "operation"), "pos-details")["reason-context"]["pos-details"]
    t.need(said in ("connect-success", "connect-error"), f"pos-details is {said!r}")


@check("PRM-PLG-015", level=MUST, role=ROLE, profiles=PRM, mutant="wants a status trigger it can read")
def status_trigger_that_cannot_be_read_is_refused(t):
    """400 (or another 4xx)."""
    t.ask_status(t.factory())  # skips where there is no qps
    t.refused(t.post("qps", b'{"payload":', prm.JOSE_TYPE, prm.JOSE_TYPE))


@check("PRM-PLG-015", level=MUST, role=ROLE, profiles=PRM, mutant="looks at the media type of qps")
def status_trigger_of_another_type_is_refused(t):
    """415 (or another 4xx) for what is not application/jose+json."""
    device = t.factory()
    t.ask_status(device)
    t.refused(t.post("qps", prm.status_trigger(t.lab.domain.agent, device.serial), "text/plain", prm.JOSE_TYPE))


@check("PRM-PLG-015", level=MUST, role=ROLE, profiles=PRM, mutant="refuses what it cannot answer qps in")
def status_trigger_that_accepts_something_else_is_refused(t):
    """406 (or another 4xx) for an Accept that holds nothing the pledge can make."""
    device = t.factory()
    t.ask_status(device)
    t.refused(t.post("qps", prm.status_trigger(t.lab.domain.agent, device.serial), prm.JOSE_TYPE, "image/png"))
