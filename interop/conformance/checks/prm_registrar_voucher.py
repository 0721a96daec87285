# SPDX-License-Identifier: Apache-2.0
"""A registrar of pledges in responder mode: agents, voucher-requests, vouchers (brski-prm §6.3, §7.3)."""
import base64
import datetime
import re

from brski_peer import forge, jws, prm
from brski_peer.server import Answer

from ..core import MUST, SHOULD, check
from ..target import free_port

PRM, ROLE = ("prm",), "prm-registrar"
LONG_AGO = datetime.datetime(2020, 1, 1)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


# -- who may come

@check("PRM-REG-001", level=MUST, role=ROLE, profiles=PRM, mutant="has every endpoint")
def registrar_serves_each_endpoint(t):
    """requestvoucher, requestenroll and the two of reports take POST; what is posted here is wrong, so that any
    answer but 404, 405 and 501 will do. wrappedcacerts answers GET with 200."""
    with t.agent() as agent:
        for name in ("requestvoucher", "requestenroll", "voucher_status", "enrollstatus"):
            kind = prm.VOUCHER_TYPE if name == "requestvoucher" else prm.JOSE_TYPE
            reply = agent.post(name, b"{}", kind)
            t.need(reply.status not in (404, 405, 501), f"POST of {name} is answered with {reply.status}")
        t.status(agent.cacerts(), 200)


@check("PRM-REG-003", level=MUST, role=ROLE, profiles=PRM, mutant="wants a client certificate")
def client_without_a_certificate_is_refused(t):
    """TLS with the agent is mutual."""
    t.refused_client(t.device(), "the client has no certificate", client=False)


@check("PRM-REG-003", level=MUST, role=ROLE, profiles=PRM, mutant="takes agents of its own domain only")
def agent_of_another_domain_is_refused(t):
    """An agent has a certificate of the registrar's domain."""
    t.refused_client(t.device(), "the agent is of another domain", t.lab.other_domain.agent)


@check("PRM-REG-003", level=MUST, role=ROLE, profiles=PRM, mutant="takes no device for an agent")
def device_is_no_agent(t):
    """Who shows an IDevID is a pledge that has found the registrar, and does not bring an agent's requests."""
    device = t.device()
    t.refused_client(device, "the client shows an IDevID", device.identity)


# -- the pledge's request

@check("PRM-REG-004", level=MUST, role=ROLE, profiles=PRM, mutant="wants requestvoucher to be JWS")
def request_that_is_no_jws_is_refused(t):
    """400 (or another 4xx) for what cannot be read."""
    with t.agent() as agent:
        t.refused(agent.request_voucher(b'{"payload":'))


@check("PRM-REG-004", level=MUST, role=ROLE, profiles=PRM, mutant="looks at the media type of requestvoucher")
def request_of_another_type_is_refused(t):
    """415 (or another 4xx) for a media type that is not known."""
    with t.agent() as agent:
        t.refused(agent.request_voucher(agent.pvr(t.device()), content_type="application/voucher-test"))


@check("PRM-REG-004", level=MUST, role=ROLE, profiles=PRM,
       mutant="refuses what it cannot answer requestvoucher in")
def request_that_accepts_something_else_is_refused(t):
    """406 (or another 4xx) for an Accept that holds nothing that a voucher could be."""
    with t.agent() as agent:
        t.refused(agent.request_voucher(agent.pvr(t.device()), accept="image/png"))


@check("PRM-REG-004", level=MUST, role=ROLE, profiles=PRM, mutant="verifies the pledge's signature")
def broken_signature_of_the_pledge_is_refused(t):
    """The signature of the pledge's request is verified: 403 (or another 4xx)."""
    with t.agent() as agent:
        t.refused(agent.request_voucher(jws.flip_signature(agent.pvr(t.device()))))
    t.nothing_asked_of_masa("the signature does not hold")


@check("PRM-REG-004", level=MUST, role=ROLE, profiles=PRM, mutant="knows its manufacturers")
def device_of_an_unknown_manufacturer_is_refused(t):
    """Devices are authorised as in RFC 8995 §5.3: an IDevID has to lead to an anchor."""
    t.refused_pvr("the manufacturer is not known", t.device(t.lab.stranger))


@check("PRM-REG-004", level=MUST, role=ROLE, profiles=PRM, mutant="compares the domain of the named registrar")
def registrar_of_another_domain_in_the_request_is_refused(t):
    """agent-provided-proximity-registrar-cert is of the registrar's own domain."""
    t.refused_pvr("the pledge was told of another domain", registrar_der=t.lab.other_domain.registrar.der)


@check("PRM-REG-004", level=MUST, role=ROLE, profiles=PRM, mutant="takes triggers for sister registrars")
def sister_registrar_in_the_request_is_fine(t):
    """It need not be the certificate that this registrar shows: a domain may have several registrars."""
    sister = t.domain().registrar_identity()
    with t.agent() as agent:
        t.status(agent.request_voucher(agent.pvr(t.device(), registrar_der=sister.der)), 200)


@check("PRM-REG-004", level=MUST, role=ROLE, profiles=PRM, mutant="verifies the agent's signature")
def broken_signature_of_the_agent_is_refused(t):
    """The signature of agent-signed-data is verified."""
    t.refused_pvr("the agent's signature does not hold", change=jws.flip_signature)


@check("PRM-REG-014", level=MUST, role=ROLE, profiles=PRM, mutant="knows the agents it believes")
def unknown_agent_in_the_request_is_refused(t):
    """kid of agent-signed-data is the key identifier of an agent that the registrar knows."""
    t.refused_pvr("nobody knows the agent", agent=t.lab.other_domain.agent)


@check("PRM-REG-004", level=MUST, role=ROLE, profiles=PRM, mutant="wants the agent's certificate to be valid")
def agent_whose_time_is_over_is_refused(t):
    """What an agent has signed counts as long as its certificate is valid, no longer."""
    old = t.domain().agent_identity(not_before=LONG_AGO, not_after=LONG_AGO + datetime.timedelta(days=30))
    if t.can("know_agent"):
        t.do("know_agent", certificate=old.cert_path)
    t.refused_pvr("the agent's certificate has ended", agent=old)


@check("PRM-REG-004", level=MUST, role=ROLE, profiles=PRM, mutant="compares the agent's serial-number")
def agent_that_meant_another_device_is_refused(t):
    """serial-number of agent-signed-data is the pledge's."""
    t.refused_pvr("the agent meant another device", data={"serial": t.lab.new_serial()})


@check("PRM-REG-004", level=MUST, role=ROLE, profiles=PRM, mutant="compares the serial-number with the IDevID")
def pledge_that_says_another_serial_number_is_refused(t):
    """serial-number of the request is that of the IDevID's subject."""
    other = t.lab.new_serial()
    t.refused_pvr("the device means another one", data={"serial": other}, serial_number=other)


# -- the registrar's request

@check("PRM-REG-006", level=MUST, role=ROLE, profiles=PRM, mutant="asks in the type of the pledge's request")
def masa_is_asked_in_the_type_of_the_request(t):
    """Content-Type of the registrar's request is that of the pledge's."""
    with t.accepted():
        said = t.rvr_request().header("content-type") or ""
        t.equal(said.split(";")[0].strip().lower(), prm.VOUCHER_TYPE, "Content-Type")


@check("PRM-REG-006", level=MUST, role=ROLE, profiles=PRM,
       mutant="accepts the type of the pledge's request only")
def masa_is_asked_for_the_type_of_the_request(t):
    """Accept of the registrar's request is the type of the pledge's."""
    with t.accepted():
        said = t.rvr_request().header("accept") or ""
        t.equal(said.split(";")[0].strip().lower(), prm.VOUCHER_TYPE, "Accept")


def leaf(t, name):
    """(device, the leaf of the registrar's request, the leaves of the pledge's)"""
    with t.agent() as agent:
        device = t.device()
        prior = agent.pvr(device)
        t.status(agent.request_voucher(prior), 200, why="an honest request")
        return device, t.rvr()[1].get(name), prior


@check("PRM-REG-006", level=MUST, role=ROLE, profiles=PRM, mutant="dates its request")
def registrars_request_is_dated(t):
    """created-on is there."""
    said = leaf(t, prm.CREATED)[1]
    t.need(isinstance(said, str) and TIME.fullmatch(said), f"created-on is {said!r}")


@check("PRM-REG-006", level=MUST, role=ROLE, profiles=PRM, mutant="copies the nonce")
def registrars_request_has_the_nonce(t):
    """nonce is that of the pledge's request."""
    _, said, prior = leaf(t, "nonce")
    t.equal(said, prm.opened(prior)[1]["nonce"], "nonce")


@check("PRM-REG-006", level=MUST, role=ROLE, profiles=PRM, mutant="copies the serial-number")
def registrars_request_has_the_serial_number(t):
    """serial-number is the device's."""
    device, said, _ = leaf(t, "serial-number")
    t.equal(said, device.serial, "serial-number")


@check("PRM-REG-006", level=MUST, role=ROLE, profiles=PRM, mutant="names the issuer of the IDevID")
def registrars_request_names_the_idevids_issuer(t):
    """idevid-issuer is the authority key identifier of the IDevID: the extension's octets, or what is in them."""
    device, said, _ = leaf(t, "idevid-issuer")
    issuer = base64.b64decode(said or "")
    key = forge.ski(forge.issuing(device.manufacturer.directory).cert)
    t.need(key in issuer, f"idevid-issuer is {issuer.hex()}, without {key.hex()}")


@check("PRM-REG-006", level=MUST, role=ROLE, profiles=PRM, mutant="hands on the octets of the pledge's request")
def registrars_request_holds_the_pledges(t):
    """prior-signed-voucher-request is the pledge's request, octet by octet."""
    _, said, prior = leaf(t, "prior-signed-voucher-request")
    t.equal(base64.b64decode(said or ""), prior, "prior-signed-voucher-request")


@check("PRM-REG-006", level=MUST, role=ROLE, profiles=PRM, mutant="says agent-proximity")
def registrars_request_says_agent_proximity(t):
    """assertion is agent-proximity."""
    t.equal(leaf(t, "assertion")[1], "agent-proximity", "assertion")


@check("PRM-REG-006", level=MUST, role=ROLE, profiles=PRM, mutant="shows the MASA the agent's chain")
def registrars_request_has_the_agents_chain(t):
    """agent-sign-cert is an array in base64: the agent's certificate first, then its issuers."""
    said = leaf(t, "agent-sign-cert")[1]
    t.need(isinstance(said, list) and said, f"agent-sign-cert is {type(said).__name__}")
    chain = [forge.parse(base64.b64decode(c)) for c in said]
    t.equal(forge.der(chain[0]), t.agent_identity.der, "the first certificate")
    for cert, issuer in zip(chain, chain[1:]):
        t.equal(issuer.subject, cert.issuer, "the issuer that comes next")
    t.need(len(chain) > 1, "the agent's issuer is missing")


@check("PRM-REG-013", level=MUST, role=ROLE, profiles=PRM, mutant="shows the MASA its certificate")
def masa_sees_a_client_certificate(t):
    """TLS with the MASA is mutual."""
    with t.accepted():
        t.need(t.rvr_request().peer_der, "the registrar shows the MASA no certificate")


# -- one certificate for all

def same_certificate(t, shown, signature, what):
    found = signature.certs
    t.need(found, f"x5c of {what} is missing")
    t.equal(forge.der(found[0]), shown, f"the certificate that {what} is signed with")


@check("PRM-REG-002", level=MUST, role=ROLE, profiles=PRM, mutant="signs its request with the key it shows")
def registrars_request_is_signed_with_the_tls_key(t):
    """The MASA's request is signed with the certificate that the agent saw in TLS."""
    with t.accepted() as (agent, _):
        signature = t.rvr()[0].signatures[0]
        same_certificate(t, agent.registrar_der, signature, "the request")
        t.holds(signature, "the request")


@check("PRM-REG-002", level=MUST, role=ROLE, profiles=PRM, mutant="countersigns with the key it shows")
def voucher_is_countersigned_with_the_tls_key(t):
    """The voucher's second signature is of the certificate that the agent saw in TLS."""
    with t.accepted() as (agent, _):
        box, _ = t.opened(agent.voucher)
        mine = [s for s in box.signatures if s.certs[:1] != [t.masa.signer.cert]]
        if mine:  # that there is one is a check of its own
            same_certificate(t, agent.registrar_der, mine[0], "the voucher")


@check("PRM-REG-002", level=MUST, role=ROLE, profiles=PRM, mutant="signs CA certificates with the key it shows")
def ca_certificates_are_signed_with_the_tls_key(t):
    """CA certificates are signed with the certificate that the agent saw in TLS."""
    with t.agent() as agent:
        same_certificate(t, agent.registrar_der, t.opened(agent.cacerts())[0].signatures[0], "the bag")


# -- the voucher

@check("PRM-REG-007", level=MUST, role=ROLE, profiles=PRM, mutant="countersigns the voucher")
def voucher_has_two_signatures(t):
    """The registrar adds a signature of its own to the MASA's."""
    with t.accepted() as (agent, _):
        t.equal(len(t.opened(agent.voucher)[0].signatures), 2, "the number of signatures")


@check("PRM-REG-007", level=MUST, role=ROLE, profiles=PRM, mutant="leaves the MASA's payload as it is")
def voucher_has_the_masas_payload(t):
    """The payload is the MASA's, octet by octet."""
    with t.accepted() as (agent, _):
        t.equal(t.opened(agent.voucher)[0].payload, jws.parse(t.masa.vouchers[-1]).payload, "the payload")


@check("PRM-REG-007", level=MUST, role=ROLE, profiles=PRM, mutant="keeps the MASA's signature")
def voucher_keeps_the_masas_signature(t):
    """The MASA's signature stays as it was, and stays the first."""
    with t.accepted() as (agent, _):
        signed = t.opened(agent.voucher)[0].signatures[0]
        theirs = jws.parse(t.masa.vouchers[-1]).signatures[0]
        t.equal((signed.header_octets, signed.signature), (theirs.header_octets, theirs.signature),
                "the first signature")


def registrars_signature(t, agent):
    """Of a voucher; None where there is none, which is a check of its own."""
    found = [s for s in t.opened(agent.voucher)[0].signatures if s.certs[:1] != [t.masa.signer.cert]]
    return found[0] if found else None


@check("PRM-REG-007", level=MUST, role=ROLE, profiles=PRM, mutant="signs the voucher as it is")
def second_signature_holds(t):
    """The registrar's signature is over its own header and the payload."""
    with t.accepted() as (agent, _):
        signature = registrars_signature(t, agent)
        if signature:
            t.holds(signature, "the registrar")


@check("PRM-REG-007", level=MUST, role=ROLE, profiles=PRM, mutant="ends its chain below the pinned certificate")
def second_signature_has_its_chain(t):
    """x5c of the registrar's signature is its certificate and what is between that and the pinned one, which
    is in the voucher already."""
    with t.accepted() as (agent, _):
        signature = registrars_signature(t, agent)
        pin = forge.parse(base64.b64decode(prm.opened(t.masa.vouchers[-1])[1]["pinned-domain-cert"]))
        if signature:
            t.need(pin not in signature.certs[1:], "the pinned certificate is in x5c")
            t.need(t.leads_to(signature.certs[0], signature.certs, pin), "x5c does not lead to the pinned one")


@check("PRM-REG-007", level=MUST, role=ROLE, profiles=PRM, mutant="answers in the type of the request")
def voucher_has_the_type_of_the_request(t):
    """Content-Type of the voucher is that of the pledge's request."""
    with t.accepted() as (agent, _):
        t.equal(agent.voucher.media_type, prm.VOUCHER_TYPE, "the media type")


@check("PRM-REG-007", level=MUST, role=ROLE, profiles=PRM, mutant="tells a voucher from other answers")
def answer_of_the_masa_that_is_no_voucher_is_5xx(t):
    """502 (or another 5xx) when the MASA answers with something else."""
    t.masa.answer = lambda _request: Answer(200, b"<html>", prm.VOUCHER_TYPE)
    with t.agent() as agent:
        reply = agent.request_voucher(agent.pvr(t.device()))
    t.need(500 <= reply.status < 600, f"the answer is {reply.status} instead of a 5xx")


@check("PRM-REG-007", level=MUST, role=ROLE, profiles=PRM, mutant="says when to come back")
def answer_503_says_when_to_come_back(t):
    """A MASA that cannot be reached is the manufacturer's fault: 5xx; a 503 has Retry-After."""
    device = t.device(masa_port=free_port())
    with t.agent() as agent:
        reply = agent.request_voucher(agent.pvr(device))
    t.need(500 <= reply.status < 600, f"the answer is {reply.status} instead of a 5xx")
    t.need(reply.status != 503 or reply.header("retry-after"), "the 503 has no Retry-After")


@check("PRM-REG-012", level=SHOULD, role=ROLE, profiles=PRM, mutant="logs who was there")
def log_names_device_and_agent(t):
    """The registrar's log says which device was onboarded and which agent brought it. (Seen where the target
    is started from its target file, so that what it writes is seen.)"""
    device = t.device()

    def onboard():
        with t.accepted(device):
            pass
    written = t.log_of(onboard)
    agent = t.agent_identity.cert
    names = (agent.subject.rfc4514_string(), "registrar-agent", forge.ski(agent).hex(), f"{agent.serial_number:x}",
             str(agent.serial_number), jws.key_id(agent))
    t.need(device.serial in written, "the log does not name the device")
    t.need(any(name.lower() in written.lower() for name in names), "the log does not name the agent")
