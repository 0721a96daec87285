# SPDX-License-Identifier: Apache-2.0
"""A pledge in responder mode: how it is found, and what it answers to triggers (brski-prm §6.1.2, §6.2,
§7.1, §7.2)."""
import base64
import json
import re

from cryptography import x509

from brski_peer import forge, mdns, prm

from ..core import MUST, SHOULD, check

PRM, ROLE = ("prm",), "prm-pledge"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
THEN = "2031-03-01T10:00:00Z"     # a time that no clock of today shows
CLOCK_SLACK_S = 120
NONCE_MIN = 8


def moment(t, text, what):
    """A time of a message."""
    t.need(isinstance(text, str) and TIME.fullmatch(text), f"{what} is {text!r}, which is no time")
    return forge.parse_time(text).timestamp()


# -- being there

@check("PRM-PLG-001", level=MUST, role=ROLE, profiles=PRM, mutant="has every endpoint")
def pledge_serves_each_endpoint(t):
    """tpvr, tper, svr, scac and ser stand under /.well-known/brski/ and take POST; what is posted here is
    wrong, so that any answer but 404, 405 and 501 will do."""
    t.factory()
    for name in ("tpvr", "tper", "svr", "scac", "ser"):
        reply = t.post(name, b"{}", {"svr": prm.VOUCHER_TYPE, "scac": prm.JOSE_TYPE,
                                     "ser": prm.CERTS_TYPE}.get(name, prm.JSON_TYPE))
        t.need(reply.status not in (404, 405, 501), f"POST of {name} is answered with {reply.status}")


@check("PRM-PLG-001", level=SHOULD, role=ROLE, profiles=PRM, mutant="can be asked for its status")
def pledge_serves_qps(t):
    """The endpoint qps is there, too."""
    t.factory()
    reply = t.post("qps", b"{}", prm.JOSE_TYPE)
    t.need(reply.status not in (404, 405, 501), f"POST of qps is answered with {reply.status}")


@check("PRM-PLG-001", level=MUST, role=ROLE, profiles=PRM, mutant="answers POST only")
def trigger_by_get_is_refused(t):
    """Endpoints of a pledge take POST; a GET triggers nothing."""
    t.factory()
    t.refused(t.post("tpvr", None, None, method="GET"))


@check("PRM-PLG-002", level=MUST, role=ROLE, profiles=PRM, mutant="answers whatever the Host header says")
def host_header_does_not_matter(t):
    """A pledge answers under whatever name it is called."""
    device = t.factory()
    host, port = t.instance.address("http")
    body = t.trigger(device)
    with t.connect(port, host=host, clear=True) as connection:
        lines = [f"POST {prm.BASE}tpvr HTTP/1.1", "Host: nobody-knows-me.example:4711",
                 f"Content-Type: {prm.JSON_TYPE}", f"Accept: {prm.VOUCHER_TYPE}", f"Content-Length: {len(body)}"]
        connection.send("\r\n".join([*lines, "", ""]).encode() + body)
        t.status(connection.read_reply(), 200)


@check("PRM-PLG-003", "DISC-PLG-002", level=MUST, role=ROLE, profiles=(*PRM, "discovery"),
       mutant="answers to its instance name")
def pledge_is_found_by_its_serial_number(t):
    """A DNS-SD question for SERIAL._brski-pledge._tcp.local is answered with where its HTTP server is."""
    device = t.factory()
    name = mdns.instance(device.serial)
    ports = [data[0] for n, kind, data in t.mdns_records(name, mdns.SRV)
             if kind == mdns.SRV and mdns.same(n, name)]
    t.equal(ports, [t.instance.address("http")[1]], f"the ports in SRV records of {'.'.join(name)}")


@check("PRM-PLG-003", level=SHOULD, role=ROLE, profiles=PRM, mutant="answers those who browse")
def pledge_is_found_by_browsing(t):
    """A question for all of _brski-pledge._tcp.local is answered with the pledge's instance name."""
    device = t.factory()
    found = [data for _, kind, data in t.mdns_records(mdns.BROWSED, mdns.PTR) if kind == mdns.PTR]
    t.need(any(mdns.same(name, mdns.instance(device.serial)) for name in found),
           f"the pledge is not among {['.'.join(name) for name in found]}")


# -- the voucher-request

@check("PRM-PLG-004", level=MUST, role=ROLE, profiles=PRM, mutant="names the type of its voucher-request")
def trigger_brings_a_voucher_request(t):
    """tpvr is answered with 200 and the request as application/voucher-jws+json."""
    reply = t.ask_pvr()
    t.status(reply, 200)
    t.equal(reply.media_type, prm.VOUCHER_TYPE, "the media type")
    t.opened(reply)


@check("PRM-PLG-004", level=MUST, role=ROLE, profiles=PRM, mutant="takes triggers without Accept")
def trigger_without_accept_means_jws(t):
    """Who says nothing about what it accepts gets application/voucher-jws+json."""
    reply = t.post("tpvr", t.trigger(t.factory()), prm.JSON_TYPE)
    t.status(reply, 200)


@check("PRM-PLG-004", level=MUST, role=ROLE, profiles=PRM, mutant="wants a trigger it can read")
def trigger_that_is_no_json_is_refused(t):
    """400 (or another 4xx) for what is no JSON."""
    t.factory()
    t.refused(t.post("tpvr", b'{"agent-signed-data":', prm.JSON_TYPE, prm.VOUCHER_TYPE))


@check("PRM-PLG-004", level=MUST, role=ROLE, profiles=PRM, mutant="wants both members of a trigger")
def trigger_without_a_member_is_refused(t):
    """Without the registrar's certificate, or without what the agent signed, there is no request."""
    whole = json.loads(t.trigger(t.factory()))
    for missing in whole:
        body = prm.to_json({k: v for k, v in whole.items() if k != missing})
        t.refused(t.post("tpvr", body, prm.JSON_TYPE, prm.VOUCHER_TYPE), why=f"{missing} is missing")


@check("PRM-PLG-004", level=MUST, role=ROLE, profiles=PRM, mutant="looks at the media type of tpvr")
def trigger_of_another_type_is_refused(t):
    """415 (or another 4xx) for a trigger that is not application/json."""
    body = t.trigger(t.factory())
    t.refused(t.post("tpvr", body, "text/plain", prm.VOUCHER_TYPE))


@check("PRM-PLG-004", level=MUST, role=ROLE, profiles=PRM, mutant="refuses what it cannot answer tpvr in")
def trigger_that_accepts_something_else_is_refused(t):
    """406 (or another 4xx) for an Accept that holds nothing the pledge can make."""
    body = t.trigger(t.factory())
    t.refused(t.post("tpvr", body, prm.JSON_TYPE, "image/png"))


@check("PRM-PLG-005", level=MUST, role=ROLE, profiles=PRM, mutant="copies the registrar's certificate")
def request_holds_the_registrars_certificate(t):
    """agent-provided-proximity-registrar-cert is the one of the trigger."""
    asked = t.triggered()
    t.equal(base64.b64decode(asked.fields.get(prm.PROXIMITY, "")), t.registrar.der, prm.PROXIMITY)


@check("PRM-PLG-005", level=MUST, role=ROLE, profiles=PRM, mutant="copies what the agent signed")
def request_holds_what_the_agent_signed(t):
    """agent-signed-data is the value of the trigger, unchanged to the last octet."""
    device = t.factory()
    body = t.trigger(device)
    reply = t.post("tpvr", body, prm.JSON_TYPE, prm.VOUCHER_TYPE)
    t.equal(t.fields_of(reply).get(prm.SIGNED_DATA), json.loads(body)[prm.SIGNED_DATA], prm.SIGNED_DATA)


@check("PRM-PLG-005", level=MUST, role=ROLE, profiles=PRM, mutant="says agent-proximity")
def request_says_agent_proximity(t):
    """assertion is agent-proximity."""
    t.equal(t.triggered().fields.get("assertion"), "agent-proximity", "assertion")


@check("PRM-PLG-005", level=MUST, role=ROLE, profiles=PRM, mutant="names itself by its serial-number")
def request_names_the_serial_number(t):
    """serial-number is that of the IDevID's subject."""
    asked = t.triggered()
    t.equal(asked.fields.get("serial-number"), asked.device.serial, "serial-number")


@check("PRM-PLG-005", level=MUST, role=ROLE, profiles=PRM, mutant="makes a new nonce each time")
def request_has_a_new_nonce(t):
    """Each request has a nonce of its own, of at least 8 octets. (A pledge may resend its request to who
    asks again: so that is asked of a device that has been reset.)"""
    nonces = [t.triggered().fields.get("nonce") for _ in range(2)]
    t.need(all(nonces), "a request has no nonce")
    t.need(nonces[0] != nonces[1], "two requests have the same nonce")
    t.need(len(base64.b64decode(nonces[0])) >= NONCE_MIN, "the nonce is shorter than 8 octets")


@check("PRM-PLG-005", level=MUST, role=ROLE, profiles=PRM, mutant="dates its voucher-request")
def request_is_dated(t):
    """created-on is there, a time of RFC 3339."""
    moment(t, t.triggered().fields.get(prm.CREATED), prm.CREATED)


@check("PRM-PLG-005", level=MUST, role=ROLE, profiles=PRM, mutant="leaves the leaf of initiators out")
def request_has_no_proximity_registrar_cert(t):
    """The leaf proximity-registrar-cert is for pledges that have seen the registrar themselves."""
    t.need("proximity-registrar-cert" not in t.triggered().fields, "proximity-registrar-cert is in the request")


@check("PRM-PLG-005", level=MUST, role=ROLE, profiles=PRM, mutant="signs with the IDevID's key")
def request_is_signed_with_the_idevid(t):
    """One signature, by the key of the IDevID that x5c begins with."""
    device = t.factory()
    t.signed_by(t.ask_pvr(device), device.identity, "the voucher-request")


@check("PRM-PLG-006", level=MUST, role=ROLE, profiles=PRM,
       mutant="dates its voucher-request by the agent's time")
def pledge_without_a_clock_takes_the_agents_time(t):
    """Who does not know the time goes on from created-on of what the agent signed."""
    t.variant("clockless")
    asked = t.triggered(created=THEN)
    later = moment(t, asked.fields.get(prm.CREATED), prm.CREATED) - moment(t, THEN, "ours")
    t.need(0 <= later <= CLOCK_SLACK_S, f"created-on is {asked.fields[prm.CREATED]}, the agent said {THEN}")


# -- the enroll-request

@check("PRM-PLG-009", level=MUST, role=ROLE, profiles=PRM, mutant="names the type of its enroll-request")
def enroll_trigger_brings_an_enroll_request(t):
    """tper is answered with 200 and the request as application/jose+json."""
    t.triggered()
    reply = t.ask_per()
    t.status(reply, 200)
    t.equal(reply.media_type, prm.JOSE_TYPE, "the media type")


@check("PRM-PLG-009", level=MUST, role=ROLE, profiles=PRM, mutant="writes its enroll-request as specified")
def enroll_request_holds_a_csr(t):
    """The payload is {"ietf-ztp-types": {"p10-csr": base64 of DER}}."""
    t.triggered()
    box, _ = t.opened(t.ask_per())
    said = json.loads(box.payload).get("ietf-ztp-types")
    t.need(isinstance(said, dict) and "p10-csr" in said, f"the payload is {box.payload[:60]!r}…")
    x509.load_der_x509_csr(base64.b64decode(said["p10-csr"], validate=True))


@check("PRM-PLG-009", level=MUST, role=ROLE, profiles=PRM, mutant="marks created-on as critical")
def enroll_request_is_dated_in_its_header(t):
    """The protected header has alg, x5c, created-on, and crit that names created-on."""
    t.triggered()
    header = t.opened(t.ask_per())[0].header
    for member in ("alg", "x5c", prm.CREATED):
        t.need(member in header, f"the header has no {member}")
    moment(t, header[prm.CREATED], prm.CREATED)
    t.equal(header.get("crit"), [prm.CREATED], "crit")


@check("PRM-PLG-009", level=SHOULD, role=ROLE, profiles=PRM, mutant="sends the chain of its IDevID")
def enroll_request_has_the_idevids_chain(t):
    """x5c has the issuers of the IDevID below the manufacturer's root, too."""
    if t.target.settings.get("device"):
        t.skip("the suite does not know the root of the target's own IDevID")
    t.triggered()
    found = t.opened(t.ask_per())[0].signatures[0].certs
    t.need(t.leads_to(found[0], found, t.lab.maker.root), "x5c does not lead to the manufacturer's root")


@check("PRM-PLG-009", level=MUST, role=ROLE, profiles=PRM, mutant="wants an enroll-trigger it knows")
def enroll_trigger_that_cannot_be_read_is_refused(t):
    """400 (or another 4xx) for a trigger without enroll-type, and for what is no JSON."""
    t.triggered()
    for body in (b'{"enroll', b"{}", b"[]"):
        t.refused(t.post("tper", body, prm.JSON_TYPE, prm.JOSE_TYPE), why=body.decode())


@check("PRM-PLG-009", level=MUST, role=ROLE, profiles=PRM, mutant="looks at the media type of tper")
def enroll_trigger_of_another_type_is_refused(t):
    """415 (or another 4xx) for a trigger that is not application/json."""
    t.triggered()
    t.refused(t.post("tper", prm.enroll_trigger(), "text/plain", prm.JOSE_TYPE))


@check("PRM-PLG-009", level=MUST, role=ROLE, profiles=PRM, mutant="refuses what it cannot answer tper in")
def enroll_trigger_that_accepts_something_else_is_refused(t):
    """406 (or another 4xx) for an Accept that holds nothing the pledge can make."""
    t.triggered()
    t.refused(t.post("tper", prm.enroll_trigger(), prm.JSON_TYPE, "image/png"))


@check("PRM-PLG-010", level=MUST, role=ROLE, profiles=PRM, mutant="signs its enroll-request with the IDevID")
def enroll_request_is_signed_with_the_idevid(t):
    """The signature proves who asks: it is of the IDevID's key."""
    device = t.triggered().device
    t.signed_by(t.ask_per(), device.identity, "the enroll-request")


@check("PRM-PLG-010", level=MUST, role=ROLE, profiles=PRM, mutant="proves possession of its new key")
def csr_is_signed_with_its_own_key(t):
    """The signature of the PKCS #10 request inside is of the key that is to be certified."""
    csr = x509.load_der_x509_csr(t.enrolling().csr)
    t.need(csr.is_signature_valid, "the signature of the PKCS #10 request does not hold")


@check("PRM-PLG-010", level=MUST, role=ROLE, profiles=PRM, mutant="makes a new key")
def csr_is_for_a_new_key(t):
    """The site's certificate is for a key of its own, not for the IDevID's."""
    asked = t.enrolling()
    csr = x509.load_der_x509_csr(asked.csr)
    t.need(forge.spki(csr) != forge.spki(asked.device.identity.cert), "the key is that of the IDevID")


@check("PRM-PLG-010", level=MUST, role=ROLE, profiles=PRM,
       mutant="dates its enroll-request after its voucher-request")
def dates_of_requests_are_in_order(t):
    """created-on of the enroll-request is not before that of the voucher-request, which is not before that of
    what the agent signed."""
    device = t.factory()
    signed = forge.voucher.timestamp()
    asked = t.triggered(device, created=signed)
    pvr = moment(t, asked.fields.get(prm.CREATED, signed), "created-on of the voucher-request")
    per = moment(t, t.opened(t.ask_per())[0].header.get(prm.CREATED), "created-on of the enroll-request")
    t.need(int(pvr) >= moment(t, signed, "ours"), "the voucher-request is dated before what the agent signed")
    t.need(per >= pvr, "the enroll-request is dated before the voucher-request")


@check("PRM-PLG-006", level=MUST, role=ROLE, profiles=PRM, mutant="dates its enroll-request by the agent's time")
def pledge_without_a_clock_dates_its_enroll_request(t):
    """That goes for created-on of the enroll-request, too."""
    t.variant("clockless")
    t.triggered(created=THEN)
    said = t.opened(t.ask_per())[0].header.get(prm.CREATED)
    later = moment(t, said, prm.CREATED) - moment(t, THEN, "ours")
    t.need(0 <= later <= CLOCK_SLACK_S, f"created-on is {said}, the agent said {THEN}")


@check("PRM-PLG-016", level=SHOULD, role=ROLE, profiles=PRM, mutant="answers triggers while it seeks a registrar")
def pledge_of_both_modes_answers_triggers_meanwhile(t):
    """While a registrar that it found keeps it waiting, a pledge with both modes answers an agent."""
    t.variant("combined")
    registrar = t.slow_registrar()
    device = t.factory(f"https://127.0.0.1:{registrar.port}")
    t.wait(registrar.asked.is_set, "the pledge does not ask the registrar that it was told of")
    t.status(t.ask_pvr(device), 200)
