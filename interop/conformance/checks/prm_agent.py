# SPDX-License-Identifier: Apache-2.0
"""A registrar-agent: what it signs and asks for itself (brski-prm §6.1, §7.1, §7.2, §7.3, §7.11)."""
import base64
import json
import re

from brski_peer import forge, jws, mdns, prm
from brski_peer.server import Answer

from ..core import MUST, check
from ..target import free_port

PRM, ROLE = ("prm",), "agent"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
RETRY_S, EARLY_S = 1, 0.1


# -- itself

@check("PRM-RA-001", level=MUST, role=ROLE, profiles=PRM, mutant="has a certificate with a key identifier")
def agents_certificate_has_a_key_identifier(t):
    """The certificate that the agent shows the registrar is of the domain and has a SubjectKeyIdentifier."""
    t.onboards()
    cert, domain = t.agent_cert, t.lab.domain
    t.need(t.leads_to(cert, [domain.issuing.cert], domain.root), "the certificate is not of the domain")
    t.need(forge.ski(cert), "the certificate has no SubjectKeyIdentifier")


@check("PRM-RA-002", level=MUST, role=ROLE, profiles=PRM, mutant="verifies the registrar")
def registrar_of_another_domain_gets_nothing(t):
    """The agent believes a registrar whose certificate leads to the domain's anchor; another one's certificate is
    not given to the pledge, and it gets no request."""
    t.registrar = t.new_registrar(t.lab.other_domain)
    t.need(not t.run(), "the agent says that all is well")
    t.need(not t.registrar.seen(), "a registrar of another domain gets the pledge's request")
    triggers = [json.loads(r.body).get(prm.PROXIMITY) for r in t.pledge.seen("tpvr")]
    t.need(forge.b64(t.lab.other_domain.registrar.der) not in triggers, "the pledge is told of a stranger")


@check("PRM-RA-002", level=MUST, role=ROLE, profiles=PRM,
       mutant="has the registrar's certificate before it triggers")
def agent_that_knows_no_registrar_triggers_nobody(t):
    """Without the registrar's certificate, from a connection or from its configuration, there is nothing to give
    to a pledge."""
    t.run(registrar=f"https://{t.host}:{free_port()}")
    for request in t.pledge.seen("tpvr"):
        t.equal(base64.b64decode(json.loads(request.body)[prm.PROXIMITY]), t.lab.domain.registrar.der,
                "the registrar's certificate in the trigger")


# -- discovery

@check("PRM-RA-003", level=MUST, role=ROLE, profiles=PRM, mutant="asks for the instance name of a pledge")
def agent_finds_a_pledge_by_its_serial_number(t):
    """The agent asks for SERIAL._brski-pledge._tcp.local, and goes where the answer says."""
    responder = t.responder()
    done = t.run("discover", mdns="{}:{}".format(*responder.address))
    asked = {".".join(name) for name, _ in responder.asked}
    t.need(any(mdns.same(name, mdns.instance(t.device.serial)) for name, _ in responder.asked),
           f"the agent asks for {sorted(asked)}")
    t.need(done, f"the agent does not go on: {t.said[-300:]!r}")


@check("PRM-RA-003", level=MUST, role=ROLE, profiles=PRM, mutant="browses for pledges")
def agent_browses_for_pledges(t):
    """The agent asks for _brski-pledge._tcp.local when it wants to know who is there."""
    responder = t.responder()
    t.run("browse", mdns="{}:{}".format(*responder.address))
    t.need(any(mdns.same(name, mdns.BROWSED) for name, _ in responder.asked),
           f"the agent asks for {sorted('.'.join(name) for name, _ in responder.asked)}")


# -- the trigger

@check("PRM-RA-002", "PRM-RA-004", level=MUST, role=ROLE, profiles=PRM,
       mutant="hands on the registrar's certificate")
def trigger_has_the_registrars_certificate(t):
    """agent-provided-proximity-registrar-cert is the registrar's own certificate, DER in base64."""
    said = json.loads(t.at_pledge("tpvr").body).get(prm.PROXIMITY)
    t.equal(base64.b64decode(said or "", validate=True), t.lab.domain.registrar.der, prm.PROXIMITY)


@check("PRM-RA-004", level=MUST, role=ROLE, profiles=PRM,
       mutant="writes what it signs in the General JSON Serialization")
def signed_data_is_general_json(t):
    """agent-signed-data is base64 of a JWS in the General JSON Serialization with one signature."""
    t.equal(len(t.signed_data()[0].signatures), 1, "the number of signatures")


def readable(t):
    """(jws.Signature, leaves) of what the agent signed, in whatever serialization."""
    data = base64.b64decode(json.loads(t.at_pledge("tpvr").body)[prm.SIGNED_DATA])
    if data[:1] != b"{":
        protected, payload, made = data.decode().split(".")
        data = prm.to_json({"payload": payload, "signatures": [{"protected": protected, "signature": made}]})
    box, said = prm.opened(data)
    return box.signatures[0], said


@check("PRM-RA-004", level=MUST, role=ROLE, profiles=PRM, mutant="names the pledge by its serial-number")
def signed_data_names_the_pledge(t):
    """serial-number is the pledge's, as its IDevID has it."""
    t.equal(readable(t)[1].get("serial-number"), t.device.serial, "serial-number")


@check("PRM-RA-004", level=MUST, role=ROLE, profiles=PRM, mutant="dates what it signs")
def signed_data_is_dated(t):
    """created-on is a time of RFC 3339."""
    said = readable(t)[1].get(prm.CREATED)
    t.need(isinstance(said, str) and TIME.fullmatch(said), f"created-on is {said!r}")


@check("PRM-RA-004", level=MUST, role=ROLE, profiles=PRM, mutant="names its key by the key identifier")
def signed_data_names_the_key(t):
    """kid is base64 of the SubjectKeyIdentifier's octets."""
    signature, _ = readable(t)
    if forge.ski(t.agent_cert):  # that there is one is a check of its own
        t.equal(signature.header.get("kid"), jws.key_id(t.agent_cert), "kid")


@check("PRM-RA-004", level=MUST, role=ROLE, profiles=PRM, mutant="signs with its own key")
def signed_data_is_signed_with_the_agents_key(t):
    """The signature is of the key that the agent has in TLS."""
    t.verified_by(readable(t)[0], t.agent_cert, "agent-signed-data")


@check("PRM-RA-006", level=MUST, role=ROLE, profiles=PRM, mutant="asks for a generic certificate")
def enroll_trigger_asks_for_a_generic_certificate(t):
    """tper gets {"enroll-type": "enroll-generic-cert"}."""
    t.equal(json.loads(t.at_pledge("tper").body).get("enroll-type"), prm.ENROLL_TYPE, "enroll-type")


# -- the registrar

@check("PRM-RA-007", level=MUST, role=ROLE, profiles=PRM, mutant="shows the registrar its certificate")
def agent_shows_the_registrar_its_certificate(t):
    """TLS with the registrar is mutual."""
    t.need(t.at_registrar("requestvoucher").peer_der, "the agent shows no certificate")


@check("PRM-RA-007", level=MUST, role=ROLE, profiles=PRM, mutant="speaks TLS 1.2 and later only")
def agent_speaks_no_tls_before_1_2(t):
    """A registrar that knows nothing later than TLS 1.1 gets no request."""
    t.registrar = t.old_registrar()
    t.need(not t.run(), "the agent says that all is well")
    t.need(not t.registrar.seen(), f"the agent speaks {[r.tls for r in t.registrar.seen()]}")


def kept_waiting(t):
    """The requests for a voucher when the first is answered with 202."""
    def not_yet(_request):
        if len(t.registrar.seen("requestvoucher")) > 1:
            return NotImplemented
        return Answer(202, headers=[("Retry-After", str(RETRY_S))])
    t.registrar.on["requestvoucher"] = not_yet
    t.run()
    return t.registrar.seen("requestvoucher")


@check("PRM-RA-008", level=MUST, role=ROLE, profiles=PRM, mutant="comes back after 202")
def agent_repeats_its_request_after_202(t):
    """After 202 the same request comes again."""
    requests = kept_waiting(t)
    t.need(len(requests) > 1, "the agent does not come back")
    t.equal(requests[1].body, requests[0].body, "the second request")


@check("PRM-RA-008", level=MUST, role=ROLE, profiles=PRM, mutant="waits as long as it is told")
def agent_waits_as_long_as_it_is_told(t):
    """Not before the time that Retry-After says."""
    requests = kept_waiting(t)
    if len(requests) < 2:
        t.skip("the agent does not come back: see the check of that")
    waited = requests[1].at - requests[0].at
    t.need(waited >= RETRY_S - EARLY_S, f"Retry-After was {RETRY_S} s, the agent is back after {waited:.1f} s")


# -- the pledge's status

@check("PRM-RA-013", level=MUST, role=ROLE, profiles=PRM, mutant="signs its question")
def status_trigger_is_signed_by_the_agent(t):
    """What comes to qps is signed with the key of the certificate that x5c begins with, the agent's."""
    box, _ = t.ask_status()
    signature = box.signatures[0]
    t.need(signature.certs and t.leads_to(signature.certs[0], [*signature.certs, t.lab.domain.issuing.cert],
                                          t.lab.domain.root), "x5c is not of the domain")
    t.holds(signature, "the status trigger")


@check("PRM-RA-013", level=MUST, role=ROLE, profiles=PRM, mutant="sends its chain with its question")
def status_trigger_has_the_agents_chain(t):
    """x5c has the issuers of the agent's certificate, too."""
    found = t.ask_status()[0].signatures[0].certs
    t.need(t.leads_to(found[0], found, t.lab.domain.root), "x5c does not lead to the domain's root")


@check("PRM-RA-013", level=MUST, role=ROLE, profiles=PRM, mutant="writes version 1")
def status_trigger_has_version_1(t):
    """version is the number 1."""
    said = t.ask_status()[1].get("version")
    t.need(said == 1 and isinstance(said, int), f"version is {said!r}")


@check("PRM-RA-013", level=MUST, role=ROLE, profiles=PRM, mutant="names the pledge it asks")
def status_trigger_names_the_pledge(t):
    """serial-number is the pledge's."""
    t.equal(t.ask_status()[1].get("serial-number"), t.device.serial, "serial-number")


@check("PRM-RA-013", level=MUST, role=ROLE, profiles=PRM, mutant="dates its question")
def status_trigger_is_dated(t):
    """created-on is a time of RFC 3339."""
    said = t.ask_status()[1].get(prm.CREATED)
    t.need(isinstance(said, str) and TIME.fullmatch(said), f"created-on is {said!r}")


@check("PRM-RA-013", level=MUST, role=ROLE, profiles=PRM, mutant="says which status it asks for")
def status_trigger_says_what_it_asks_for(t):
    """status-type is bootstrap or operation, as the technician wants it."""
    t.equal(t.ask_status("operation")[1].get("status-type"), "operation", "status-type")
