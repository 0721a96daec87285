# SPDX-License-Identifier: Apache-2.0
"""A MASA of pledges in responder mode: requests in JWS that an agent has a part in (brski-prm §6.4, §7.3.1)."""
import base64

from brski_peer import forge, prm

from ..core import MAY, MUST, check

PRM, ROLE = ("prm",), "prm-masa"


# -- the voucher

@check("PRM-MASA-001", level=MUST, role=ROLE, profiles=PRM, mutant="answers in the type of the request")
def voucher_has_the_type_of_the_request(t):
    """A request as application/voucher-jws+json brings a voucher of that type."""
    reply = t.ask(t.rvr(t.device()))
    t.status(reply, 200)
    t.equal(reply.media_type, prm.VOUCHER_TYPE, "the media type")


@check("PRM-MASA-001", level=MUST, role=ROLE, profiles=PRM, mutant="writes the General JSON Serialization")
def voucher_is_general_json(t):
    """The voucher is a JWS in the General JSON Serialization: payload and signatures."""
    t.jws_voucher(t.ask(t.rvr(t.device())))


@check("PRM-MASA-001", level=MUST, role=ROLE, profiles=PRM, mutant="signs as the manufacturer")
def voucher_is_signed_by_the_manufacturer(t):
    """Its one signature leads to the manufacturer's anchor."""
    reply = t.ask(t.rvr(t.device()))
    t.status(reply, 200)
    members = t.json(reply)
    if "signatures" in members:
        t.is_signed_by_the_maker(t.jws_voucher(reply)[0])


def leaves(t, reply):
    """Of a voucher in JWS, in whatever serialization."""
    t.status(reply, 200)
    return prm.voucher.decode(prm.jws.from_b64url(t.json(reply)["payload"]))[1]


def leaf(t, name):
    """(device, request's nonce, the leaf of the voucher)"""
    device = t.device()
    prior = t.pvr(device)
    return device, prm.opened(prior)[1]["nonce"], leaves(t, t.ask(t.rvr(device, prior))).get(name)


@check("PRM-MASA-001", level=MUST, role=ROLE, profiles=PRM, mutant="copies the nonce")
def voucher_has_the_nonce(t):
    """nonce is that of the request."""
    _, nonce, said = leaf(t, "nonce")
    t.equal(said, nonce, "nonce")


@check("PRM-MASA-001", level=MUST, role=ROLE, profiles=PRM, mutant="copies the serial-number")
def voucher_has_the_serial_number(t):
    """serial-number is the device's."""
    device, _, said = leaf(t, "serial-number")
    t.equal(said, device.serial, "serial-number")


@check("PRM-MASA-001", level=MUST, role=ROLE, profiles=PRM, mutant="pins a certificate of the registrar's chain")
def voucher_pins_the_registrars_domain(t):
    """pinned-domain-cert is one of the registrar's chain."""
    pin = forge.parse(base64.b64decode(leaf(t, "pinned-domain-cert")[2]))
    t.need(pin in t.registrar_identity.chain(with_root=True), f"{pin.subject.rfc4514_string()} is pinned")


@check("PRM-MASA-002", level=MUST, role=ROLE, profiles=PRM, mutant="says agent-proximity when it is proven")
def voucher_says_agent_proximity(t):
    """Where all that an agent has a part in agrees, assertion is agent-proximity (unless the MASA's policy says
    something stronger: verified)."""
    said = leaf(t, "assertion")[2]
    t.need(said in ("agent-proximity", "verified"), f"assertion is {said!r}")


# -- the agent's part

def refused(t, device, prior=None, why="", **changes):
    t.refused(t.ask(t.rvr(device, prior, **changes)), why=why)


@check("PRM-MASA-002", level=MUST, role=ROLE, profiles=PRM, mutant="compares the domains of both registrars")
def registrar_of_another_domain_in_the_request_is_refused(t):
    """The registrar's certificate that the pledge was given is of the domain that asks."""
    device = t.device()
    refused(t, device, t.pvr(device, registrar=t.lab.other_domain.registrar))


@check("PRM-MASA-002", level=MUST, role=ROLE, profiles=PRM, mutant="takes triggers for sister registrars")
def sister_registrar_in_the_request_is_fine(t):
    """It need not be the one that asks: the domain may have several, and certificates are renewed."""
    device = t.device()
    prior = t.pvr(device, registrar=t.lab.domain.registrar_identity())
    t.status(t.ask(t.rvr(device, prior)), 200)


@check("PRM-MASA-002", level=MUST, role=ROLE, profiles=PRM, mutant="compares the domains of registrar and agent")
def agent_of_another_domain_is_refused(t):
    """The agent in agent-sign-cert is of the same domain as the registrar."""
    device, agent = t.device(), t.lab.other_domain.agent
    refused(t, device, t.pvr(device, agent=agent), agent=agent)


@check("PRM-MASA-002", level=MUST, role=ROLE, profiles=PRM, mutant="verifies the agent's signature")
def broken_signature_of_the_agent_is_refused(t):
    """The signature of agent-signed-data is verified with agent-sign-cert."""
    device = t.device()
    fields = prm.opened(t.pvr(device))[1]
    data = t.broken(base64.b64decode(fields[prm.SIGNED_DATA]))
    refused(t, device, t.pvr(device, agent_signed_data=forge.b64(data)))


@check("PRM-MASA-002", level=MUST, role=ROLE, profiles=PRM, mutant="finds the agent's key by its identifier")
def data_signed_by_another_agent_is_refused(t):
    """kid of agent-signed-data is the key identifier of agent-sign-cert, not of another agent."""
    device = t.device()
    refused(t, device, t.pvr(device, agent=t.lab.domain.agent_identity()))


@check("PRM-MASA-002", level=MUST, role=ROLE, profiles=PRM, mutant="compares the agent's serial-number")
def agent_that_meant_another_device_is_refused(t):
    """serial-number of agent-signed-data is the pledge's."""
    device = t.device()
    refused(t, device, t.pvr(device, data={"serial": t.lab.new_serial()}))


@check("PRM-MASA-002", level=MUST, role=ROLE, profiles=PRM, mutant="compares the registrar's serial-number")
def registrar_that_means_another_device_is_refused(t):
    """serial-number of the registrar's request is that of the pledge's."""
    device, other = t.device(), t.device()
    refused(t, device, t.pvr(device), serial_number=other.serial)


@check("PRM-MASA-002", level=MUST, role=ROLE, profiles=PRM,
       mutant="compares the serial-number with the device's certificate")
def pledge_that_says_another_serial_number_is_refused(t):
    """serial-number of the pledge's request is that of its IDevID."""
    device, other = t.device(), t.device()
    prior = t.pvr(device, data={"serial": other.serial}, serial_number=other.serial)
    refused(t, device, prior)


@check("PRM-MASA-003", level=MAY, role=ROLE, profiles=PRM, mutant="says agent-proximity only when it is proven")
def request_without_the_agents_certificate_proves_nothing(t):
    """Without agent-sign-cert the request is refused, or the voucher says less than agent-proximity."""
    reply = t.ask(t.rvr(t.device(), agent_sign_cert=None))
    if 400 <= reply.status < 500:
        return
    said = leaves(t, reply).get("assertion")
    t.need(said in ("logged", "verified"), f"assertion is {said!r} without the agent's certificate")


# -- refusals

@check("PRM-MASA-004", level=MUST, role=ROLE, profiles=PRM, mutant="verifies the registrar's signature")
def broken_signature_of_the_registrar_is_403(t):
    """A request whose signature does not hold: 403."""
    t.status(t.ask(t.broken(t.rvr(t.device()))), 403)


@check("PRM-MASA-004", level=MUST, role=ROLE, profiles=PRM, mutant="verifies the pledge's signature")
def broken_signature_of_the_pledge_is_403(t):
    """The same for the pledge's request inside."""
    device = t.device()
    t.status(t.ask(t.rvr(device, t.broken(t.pvr(device)))), 403)


@check("PRM-MASA-004", level=MUST, role=ROLE, profiles=PRM, mutant="takes requests of its own devices only")
def device_of_another_manufacturer_is_refused(t):
    """An IDevID of another manufacturer, though with a serial-number that is known: 403 or 404."""
    device = t.device()
    forged = t.new_device(t.lab.stranger, serial=device.serial)
    t.refused(t.ask(t.rvr(forged)), 403, 404)


@check("PRM-MASA-004", level=MUST, role=ROLE, profiles=PRM, mutant="compares both nonces")
def nonces_that_differ_are_403(t):
    """The registrar's nonce is the pledge's."""
    t.status(t.ask(t.rvr(t.device(), nonce=forge.voucher.new_nonce())), 403)


@check("PRM-MASA-004", level=MUST, role=ROLE, profiles=PRM, mutant="knows its devices")
def unknown_device_is_404(t):
    """A device of the manufacturer that nobody has told the MASA of: 404."""
    if not t.can("import"):
        t.skip("this MASA knows every device of the manufacturer")
    t.status(t.ask(t.rvr(t.new_device())), 404)


@check("PRM-MASA-004", level=MUST, role=ROLE, profiles=PRM, mutant="knows the media types it reads")
def request_of_another_type_is_415(t):
    """A format that is not read here: 415."""
    t.status(t.ask(t.rvr(t.device()), content_type="application/voucher-test"), 415)


@check("PRM-MASA-004", level=MUST, role=ROLE, profiles=PRM, mutant="refuses what it cannot answer in")
def answer_of_another_type_is_406(t):
    """A voucher of a type that the device cannot read, or that is not made here: 406, or 415."""
    t.status(t.ask(t.rvr(t.device()), accept="application/voucher-test"), 406, 415)


@check("PRM-MASA-004", level=MUST, role=ROLE, profiles=PRM, mutant="says why in plain text")
def refusal_says_why(t):
    """An error has a body of text/plain with words in it."""
    reply = t.ask(t.broken(t.rvr(t.device())), content_type=prm.VOUCHER_TYPE)
    if reply.status == 200:
        t.skip("a request whose signature does not hold is taken: see PRM-MASA-004")
    t.equal(reply.media_type, "text/plain", "the media type")
    t.need(reply.text.strip(), "the body is empty")
