# SPDX-License-Identifier: Apache-2.0
"""The pledge's enrolment over CoAPS, the first and the next ones (RFC 9148,
draft-ietf-anima-constrained-voucher §6.7)."""
from cryptography import x509

from brski_peer import certs, coap, constrained, forge
from brski_peer.coap_server import Answer

from ..core import MUST, SHOULD, check

CBRSKI, EST = ("cbrski",), ("est-coaps",)


def csr_of(t, step="sen"):
    asked = t.coap_registrar.seen(step)
    t.need(asked, f"the pledge never asks for {step}")
    return x509.load_der_x509_csr(asked[0].body)


def another_ca(t):
    """A CA of the registrar's domain that is not above the registrar; its chain is what crts answers."""
    root = forge.load(t.lab.domain.file("root.key"), t.lab.domain.file("root.crt"))
    made = certs.make_ca("Another Issuing", root, path_length=0)
    t.coap_registrar.ca = t.lab.domain.saved(made)
    return made


def stranger_issues(t):
    """The certificate comes from a CA of another domain; crts stays what it is."""
    other = t.lab.other_domain.issuing
    t.coap_registrar.on["sen"] = t.coap_registrar.on["sren"] = lambda request: Answer(
        "2.04", forge.der(forge.issue(other, request.body)), constrained.PKIX_CERT)


def says(t, step):
    return [r.get("status") for r in t.coap_registrar.reports(step)]


@check("N-01", level=MUST, role="pledge", profiles=CBRSKI, mutant="takes its name from its IDevID")
def coaps_request_for_a_certificate_has_the_idevids_subject(t):
    """The subject of the first certification request is the one of the IDevID, as it is there."""
    device = t.device()
    t.run(device, t.coap_registrar)
    t.equal(csr_of(t).subject.public_bytes(), device.identity.cert.subject.public_bytes(), "the subject")


@check("N-02", level=MUST, role="pledge", profiles=CBRSKI, mutant="enrols under a pinned root")
def coaps_certificate_of_the_pinned_root_is_good(t):
    """A pinned root that issues the device's certificate itself is all there is to verify it with."""
    root = forge.load(t.lab.domain.file("root.key"), t.lab.domain.file("root.crt"))
    t.coap_registrar.ca, t.coap_registrar.pin = root, root.cert
    t.joins(None, t.coap_registrar)


@check("N-03", level=MUST, role="pledge", profiles=CBRSKI, mutant="asks for crts where the pin does not do")
def coaps_certificate_not_under_the_pin_is_verified_with_crts(t):
    """Where the new certificate does not lead to the pin the pledge asks for crts, and takes it when it
    leads to a CA there."""
    another_ca(t)
    t.coap_registrar.pin = t.lab.domain.issuing.cert
    t.joins(None, t.coap_registrar)
    t.need(t.coap_registrar.seen("crts"), "crts was not asked for")


@check("N-03", level=MUST, role="pledge", profiles=CBRSKI, mutant="checks its new certificate over CoAP")
def coaps_certificate_of_a_foreign_ca_is_refused(t):
    """A certificate that leads neither to the pin nor to a CA of crts ends the attempt."""
    stranger_issues(t)
    outcome = t.run(None, t.coap_registrar)
    t.need(not outcome.joined, "the pledge joins with a certificate of a foreign CA")
    t.need(True not in says(t, "es"), "es says that the certificate is good")


@check("R-16", level=MUST, role="pledge", profiles=CBRSKI, mutant="sends es false over CoAP")
def coaps_failed_enrolment_is_reported(t):
    """es with status false says that an enrolment has failed."""
    t.coap_registrar.on["sen"] = lambda _request: Answer("4.00", b"not today")
    t.run(None, t.coap_registrar)
    t.need(False in says(t, "es"), f"the reports on es are {says(t, 'es')}")


@check("C-17", level=SHOULD, role="pledge", profiles=EST,
       mutant="repeats the same certification request over CoAP")
def coaps_waiting_pledge_sends_the_same_request_again(t):
    """After 5.03 with Max-Age the pledge waits so long and sends the same octets again."""
    first = iter([Answer("5.03", options=[(coap.MAX_AGE, coap.uint(1))])])
    t.coap_registrar.on["sen"] = lambda _request: next(first, NotImplemented)
    t.joins(None, t.coap_registrar)
    asked = t.coap_registrar.seen("sen")
    t.equal(len(asked), 2, "the number of requests")
    t.equal(asked[1].body, asked[0].body, "the second request")


@check("C-19", level=SHOULD, role="pledge", profiles=EST, mutant="sends confirmable requests")
def coaps_requests_are_confirmable(t):
    """Requests are confirmable."""
    t.joins(None, t.coap_registrar)
    asked = [m for m in t.coap_registrar.messages if 0 < m.code < 32]
    t.need(all(m.type == coap.CON for m in asked), "there are requests that are not confirmable")


@check("R-24", level=SHOULD, role="pledge", profiles=CBRSKI, mutant="spells paths out in the end")
def coaps_pledge_joins_where_abbreviations_are_unknown(t):
    """Whatever the pledge tries first, a registrar that answers 4.02 to Uri-Path-Abbrev gets the path."""
    t.joins(None, t.new_coap_registrar(long_paths=True))


# -- renewal

def joined(t, **profile):
    """A device over CoAPS whose certificate is old enough to be renewed."""
    t.coap_registrar.profile = {"days": 10, **profile}
    device = t.device()
    t.joins(device, t.coap_registrar)
    if not t.can("renew"):
        t.skip("the target file has no command for 'renew'")
    return device


def renewals(t):
    return t.coap_registrar.seen("sren")


@check("C-36", level=MUST, role="pledge", profiles=EST, mutant="shows the certificate it renews")
def coaps_renewal_is_asked_for_with_the_certificate_itself(t):
    """The device renews with sren, showing the site's certificate in DTLS, and reports with the new one."""
    device = joined(t)
    t.run(device, t.coap_registrar, action="renew")
    t.need(renews_with_its_own(t, device), "DTLS does not show the site's certificate")
    t.equal(says(t, "es"), [True, True], "the reports on es")


def renews_with_its_own(t, device):
    t.need(renewals(t), "the device never asks for sren")
    shown = renewals(t)[-1].link.peer_der
    return shown and shown != device.identity.der


@check("C-36", level=MUST, role="pledge", profiles=EST,
       mutant="keeps its certificate when a renewal fails")
def coaps_failed_renewal_keeps_what_there_was(t):
    """A certificate that leads to no CA of the domain changes nothing but that es says so: the next renewal
    is asked for with the same certificate as before."""
    device = joined(t)
    stranger_issues(t)
    t.run(device, t.coap_registrar, action="renew")
    t.need(False in says(t, "es"), f"the reports on es are {says(t, 'es')}")
    t.run(device, t.coap_registrar, action="renew")
    shown = {r.link.peer_der for r in renewals(t)}
    t.need(len(renewals(t)) >= 2 and len(shown) == 1, "the second renewal shows another certificate")


@check("C-36", level=MUST, role="pledge", profiles=EST,
       mutant="renews at registration authorities only over CoAP")
def coaps_renewal_at_a_server_that_is_no_registrar_is_not_asked_for(t):
    """A server whose certificate has neither cmcRA nor the name it was called by gets no request, though
    its CA is the domain's."""
    device = joined(t)
    port = t.coap_registrar.port
    t.coap_registrar.stop()
    plain = t.lab.domain.registrar_identity(eku=[certs.SERVER_AUTH, certs.CLIENT_AUTH],
                                             alt="DNS:elsewhere.example")
    other = t.new_coap_registrar(plain, port=port)
    t.run(device, other, action="renew")
    t.need(not other.seen("sren"), "the server without cmcRA gets the request")
