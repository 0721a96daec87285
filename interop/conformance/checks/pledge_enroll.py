# SPDX-License-Identifier: Apache-2.0
"""What follows a good voucher: reports and EST (RFC 8995 §5.7, §5.9)."""
import base64
import json

from cryptography import x509

from brski_peer import forge
from brski_peer.server import Answer, text

from ..core import MUST, SHOULD, check

RFC8995 = ("rfc8995",)


def one(t, step):
    """The first request of this step."""
    asked = t.registrar.seen("/" + step)
    t.need(asked, f"there is no request for {step}")
    return asked[0]


@check("R8995-PLG-043", "R8995-PLG-050", level=MUST, role="pledge", profiles=RFC8995,
       mutant="writes reports as specified")
def reports_are_json_of_the_right_types(t):
    """Reports are application/json; version is the number 1 and status true or false, names in lower
    case."""
    t.joins()
    reports = [r for step in ("voucher_status", "enrollstatus") for r in t.registrar.seen("/" + step)]
    t.need(reports, "there are no reports")
    for report in reports:
        step, said = report.path.rsplit("/", 1)[-1], json.loads(report.body)
        t.equal(report.header("content-type").split(";")[0], "application/json", f"the type of {step}")
        t.need(type(said.get("version")) is int and said["version"] == 1, f"version of {step}: {said}")
        t.need(said.get("status") is True, f"status of {step}: {said}")


@check("R8995-PLG-050", level=MUST, role="pledge", profiles=RFC8995, mutant="sends enrollstatus true")
def enrolment_is_reported(t):
    """enrollstatus with status true follows the certificate."""
    t.joins()
    t.equal([r.get("status") for r in t.registrar.reports("enrollstatus")], [True], "the reports")


@check("R8995-PLG-051", level=SHOULD, role="pledge", profiles=RFC8995,
       mutant="reports over a new connection")
def enrolment_is_reported_with_the_new_certificate(t):
    """The report of success comes over a new connection, with the new certificate in TLS."""
    t.joins()
    if not t.registrar.seen("enrollstatus"):
        t.skip("the pledge reports no success: see R8995-PLG-050")
    asked, report = one(t, "simpleenroll"), one(t, "enrollstatus")
    t.need(report.connection != asked.connection, "it is the connection of the enrolment")
    t.need(report.peer_der and report.peer_der != asked.peer_der, "TLS shows the IDevID, or nothing")


@check("R8995-PLG-052", level=MUST, role="pledge", profiles=RFC8995, mutant="sends enrollstatus false")
def failed_enrolment_is_reported_on_the_same_connection(t):
    """A certificate for another key, or a refusal: enrollstatus false with a reason, over the connection
    of the enrolment."""
    wrong = {"a certificate for another key": lambda server: lambda request: server.certificate_answer(
                 forge.issue(server.ca, base64.b64decode(request.body), key=forge.certs.new_key())),
             "a refusal": lambda _server: lambda _request: text(403, "No.\n")}
    for what, make in wrong.items():
        registrar = t.new_registrar()
        registrar.on["simpleenroll"] = make(registrar)
        t.need(not t.run(None, registrar).joined, f"the pledge joins after {what}")
        reports = registrar.reports("enrollstatus")
        t.equal([r.get("status") for r in reports], [False], f"the reports after {what}")
        t.need(str(reports[0].get("reason", "")).strip(), f"there is no reason after {what}")
        t.equal(registrar.seen("enrollstatus")[0].connection, registrar.seen("simpleenroll")[0].connection,
                f"the connection of the report after {what}")


@check("R8995-PLG-046", level=MUST, role="pledge", profiles=RFC8995,
       mutant="passes over the answers to reports")
def answers_to_reports_do_not_matter(t):
    """404 and 500 in answer to voucher_status change nothing."""
    for status in (404, 500):
        registrar = t.new_registrar()
        registrar.on["voucher_status"] = lambda _request, status=status: text(status, "Who cares?\n")
        t.joins(t.device(), registrar)


@check("R8995-PLG-061", "R8995-PLG-045", "R8995-PLG-047", "ENC-ALL-026", level=SHOULD, role="pledge",
       profiles=RFC8995, mutant="stays on the voucher's connection")
def everything_up_to_the_certificate_is_one_connection(t):
    """requestvoucher, voucher_status, then EST, in this order and over one connection."""
    t.joins()
    steps = t.registrar.steps()
    if "voucher_status" not in steps:
        t.skip("the pledge does not report on the voucher: see R8995-PLG-043")
    t.equal(steps[:2], ["requestvoucher", "voucher_status"], "the first steps")
    t.need("simpleenroll" in steps, f"the steps are {steps}")
    until = steps.index("simpleenroll") + 1
    t.equal(len({r.connection for r in t.registrar.seen()[:until]}), 1, "the number of connections")


@check("R8995-PLG-047", level=SHOULD, role="pledge", profiles=RFC8995, mutant="asks for the CA certificates")
def ca_certificates_are_asked_for(t):
    """GET cacerts comes before the enrolment."""
    t.joins()
    asked = one(t, "cacerts")
    t.equal((asked.method, asked.path), ("GET", "/.well-known/est/cacerts"), "the request")
    steps = t.registrar.steps()
    t.need(steps.index("cacerts") < steps.index("simpleenroll"), f"cacerts comes too late: {steps}")


@check("R8995-PLG-048", "ER-15", level=MUST, role="pledge", profiles=RFC8995,
       mutant="asks for the attributes of requests")
def csr_attributes_are_asked_for_before_the_enrolment(t):
    """GET csrattrs comes before simpleenroll."""
    t.joins()
    steps = t.registrar.steps()
    t.need("csrattrs" in steps, f"there is no csrattrs: {steps}")
    t.need(steps.index("csrattrs") < steps.index("simpleenroll"), f"csrattrs comes too late: {steps}")


@check("R8995-PLG-048", level=MUST, role="pledge", profiles=RFC8995, mutant="does without attributes")
def no_attributes_are_no_obstacle(t):
    """A registrar that has no wishes says 204, or 404: the enrolment goes on."""
    for status in (204, 404):
        registrar = t.new_registrar()
        registrar.on["csrattrs"] = lambda _request, status=status: Answer(status)
        t.joins(t.device(), registrar)


@check("R8995-PLG-049", "EE-07", level=MUST, role="pledge", profiles=RFC8995,
       mutant="signs its certification request")
def certificate_is_asked_for(t):
    """POST simpleenroll with application/pkcs10 in base64, signed with the key it is for, which is not
    that of the IDevID."""
    device = t.device()
    t.run(device)
    asked = one(t, "simpleenroll")
    t.equal((asked.method, asked.path), ("POST", "/.well-known/est/simpleenroll"), "the request")
    t.equal(asked.header("content-type").split(";")[0], "application/pkcs10", "the media type")
    csr = x509.load_der_x509_csr(base64.b64decode(asked.body))
    t.need(csr.is_signature_valid, "the signature of the request does not hold")
    t.need(forge.spki(csr) != forge.spki(device.identity.cert), "the key is that of the IDevID")


@check("R8995-PLG-049", level=MUST, role="pledge", profiles=RFC8995,
       mutant="repeats the same certification request")
def certification_request_is_repeated_as_it_was(t):
    """After 202 the same request for a certificate comes again."""
    t.registrar.on["simpleenroll"] = lambda _request: (
        Answer(202, headers=[("Retry-After", "1")]) if len(t.registrar.seen("simpleenroll")) == 1
        else NotImplemented)
    t.joins()
    first, second = (base64.b64decode(r.body) for r in t.registrar.seen("simpleenroll"))
    t.need(first == second, "the second request is not the first one")


@check("R8995-PLG-053", level=SHOULD, role="pledge", profiles=RFC8995,
       mutant="enrols at registration authorities only")
def enrolment_does_not_go_to_just_any_server_of_the_domain(t):
    """A redirect of the enrolment to a server of the domain that is no registration authority (no cmcRA)
    is not followed."""
    plain = t.lab.domain.registrar_identity(eku=[forge.certs.SERVER_AUTH])
    other = t.new_registrar(plain)
    t.registrar.on["simpleenroll"] = lambda _request: Answer(307, headers=[
        ("Location", t.url(other) + "/.well-known/est/simpleenroll")])
    t.need(not t.run().joined, "the pledge joins")
    t.need(not other.seen("simpleenroll"), "the server without cmcRA gets the request")


@check("R8995-PLG-058", level=SHOULD, role="pledge", profiles=RFC8995, mutant="renews its certificate")
def certificate_is_renewed_before_its_end(t):
    """When the certificate nears its end the device asks for another with simplereenroll, showing the one
    it has in TLS."""
    device = t.device()
    t.registrar.profile = {"days": 10}
    t.joins(device)
    t.run(device, action="renew")
    shown = one(t, "simplereenroll").peer_der
    t.need(shown and shown != device.identity.der, "TLS does not show the site's certificate")
