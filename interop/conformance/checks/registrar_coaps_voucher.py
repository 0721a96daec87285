# SPDX-License-Identifier: Apache-2.0
"""The registrar over CoAPS: which voucher-requests of constrained devices it takes, and what of the MASA's
answer comes back (draft-ietf-anima-constrained-voucher §6 to §9)."""
import cbor2

from brski_peer import coap, constrained, cose, forge
from brski_peer.server import text

from ..core import MUST, SHOULD, check

CBRSKI = ("cbrski",)
RELAYED = (401, 403, 404, 406, 415)
UNKNOWN_FORMAT = 65000
RS256 = -257


def taken(t, why, **changes):
    """A request with these changes brings its voucher."""
    with t.coap_pledge(t.approved_device()) as p:
        t.coap_is(p.request_voucher(p.pvr(**changes)), "2.04", why)


# -- the request

@check("R-03", level=MUST, role="registrar", profiles=CBRSKI, mutant="knows the formats it reads")
def coaps_request_of_another_format_is_4_15(t):
    """rv takes format 836 only; what is said to be of another one is 4.15."""
    with t.coap_pledge(t.approved_device()) as p:
        t.coap_refused(p.request_voucher(content_format=UNKNOWN_FORMAT), "4.15", "4.06")
    t.nothing_asked_of_masa("about a request of another format")


@check("R-03", "C-10", level=MUST, role="registrar", profiles=("cbrski", "est-coaps"), mutant="obeys Accept")
def coaps_accept_that_cannot_be_served_is_4_06(t):
    """Accept is critical: who wants a format that is not to be had is told so, and gets no other."""
    with t.coap_pledge(t.approved_device()) as p:
        t.coap_refused(p.request_voucher(accept=UNKNOWN_FORMAT), "4.06", why="rv is asked")
        t.coap_refused(p.crts(accept=constrained.CBOR), "4.06", why="crts is asked")


@check("R-05", level=MUST, role="registrar", profiles=CBRSKI,
       mutant="takes the serial-number of the IDevID only")
def coaps_request_with_another_serial_number_is_refused(t):
    """The serial-number of a request is that of the IDevID the device shows."""
    with t.coap_pledge(t.approved_device()) as p:
        t.coap_refused(p.request_voucher(p.pvr(serial_number=t.lab.new_serial())))
    t.nothing_asked_of_masa("about the serial number of another device")


@check("Y-02", level=MUST, role="registrar", profiles=CBRSKI, mutant="reads every spelling of a leaf")
def coaps_request_is_read_however_its_leaves_are_named(t):
    """Differences of SIDs, names, absolute SIDs in tag 47, or some of each; and a leaf nobody knows is
    passed over."""
    for keys in ("delta", "names", "absolute", "mixed"):
        taken(t, f"its leaves are written as: {keys}", keys=keys)
    with t.coap_pledge(t.approved_device()) as p:
        fields = cose.pvr_fields(p.identity, p.registrar_der)
        fields[200] = "what is this?"
        t.coap_is(p.request_voucher(cose.sign_request(fields, p.identity)), "2.04", "it has a leaf nobody knows")


@check("O-03", "D-05", level=MUST, role="registrar", profiles=CBRSKI, mutant="takes devices with every usual key")
def coaps_request_signed_with_ed25519_is_taken(t):
    """ES256 is what most devices have, EdDSA what new ones should have."""
    for kind in ("ec-p256", "ed25519"):
        with t.coap_pledge(t.approved_device(key_type=kind)) as p:
            t.coap_is(p.request_voucher(), "2.04", f"the device has a key of the kind {kind}")


@check("O-03", level=SHOULD, role="registrar", profiles=CBRSKI, mutant="reads the usual algorithms only")
def coaps_request_of_another_algorithm_is_refused(t):
    """The header says an algorithm that is none of those a voucher-request may have."""
    with t.coap_pledge(t.approved_device()) as p:
        t.coap_refused(p.request_voucher(p.pvr(how={"alg": RS256})))
    t.nothing_asked_of_masa("about a request of an algorithm nobody knows")


@check("O-05", level=MUST, role="registrar", profiles=CBRSKI, mutant="passes over the headers of a request")
def coaps_headers_of_a_request_count_for_nothing(t):
    """A kid, or certificates of somebody else: the device is who the association says it is."""
    other = forge.der(t.device().identity.cert)
    for name, headers in (("kid", {cose.KID: b"whoever"}), ("x5bag", {cose.X5BAG: other}),
                          ("x5chain", {cose.X5CHAIN: [other, other]})):
        taken(t, f"there is a {name} in its header", how={"unprotected": headers})


@check("O-05", level=MUST, role="registrar", profiles=CBRSKI,
       mutant="takes a request signed by the device that asks only")
def coaps_request_signed_by_another_device_is_refused(t):
    """Also when the certificate of the other device is in the header."""
    other = t.device().identity
    bag = {"unprotected": {cose.X5BAG: forge.der(other.cert)}}
    with t.coap_pledge(t.approved_device()) as p:
        t.coap_refused(p.request_voucher(p.pvr(signer=other, how=bag)), why="another device has signed")
    t.nothing_asked_of_masa("about a request that another device has signed")


# -- who may join

@check("R-07", level=SHOULD, role="registrar", profiles=CBRSKI, mutant="turns rejected devices away")
def coaps_device_that_is_not_wanted_is_4_04(t):
    """The admin has said no: that is final."""
    device = t.held_device()
    with t.coap_pledge(device) as p:
        body = p.pvr()
        p.request_voucher(body)
        t.reject(device)
        t.coap_refused(p.request_voucher(body), "4.04")


@check("R-07", level=SHOULD, role="registrar", profiles=CBRSKI, mutant="says 406 to a bad history")
def coaps_device_with_a_bad_history_is_4_06(t):
    """The MASA's log names another domain: once the registrar knows, a request for a voucher is 4.06."""
    t.masa.audit = t.masa.foreign_history
    with t.coap_pledge(t.approved_device()) as p:
        reply = p.request_voucher()
        if reply.said == "2.04":
            p.voucher_status()
            t.history_read()
            reply = t.in_time(lambda: (lambda r: r if r.said != "2.04" else None)(p.request_voucher()))
        if reply is None:
            t.skip("the registrar does not mind that history: see R8995-REG-057")
        t.coap_refused(reply, "4.06")


@check("C-18", level=MUST, role="registrar", profiles=("cbrski", "est-coaps"),
       mutant="says how long to wait over CoAP")
def coaps_device_that_waits_is_told_how_long(t):
    """5.03 with Max-Age."""
    with t.coap_pledge(t.held_device()) as p:
        reply = p.request_voucher()
        t.coap_is(reply, "5.03", "the admin has not decided")
        t.need(reply.number(coap.MAX_AGE), "the answer has no Max-Age")


@check("C-18", level=MUST, role="registrar", profiles=("cbrski", "est-coaps"),
       mutant="remembers a request that waits")
def coaps_device_that_has_waited_gets_its_voucher(t):
    """The same octets again bring the voucher once the admin has said yes."""
    device = t.held_device()
    with t.coap_pledge(device) as p:
        body = p.pvr()
        t.coap_is(p.request_voucher(body), "5.03", "the admin has not decided")
        t.approve(device)
        t.coap_is(p.request_voucher(body), "2.04", "the admin has approved")


# -- what the MASA says

@check("R-08", level=MUST, role="registrar", profiles=CBRSKI, mutant="passes on what the MASA refuses")
def coaps_refusal_of_the_masa_is_the_same_code(t):
    """401, 403, 404, 406, 415 of the MASA are 4.01, 4.03, 4.04, 4.06, 4.15 for the pledge."""
    for status in RELAYED:
        t.masa.answer = lambda request, status=status: text(status, "no\n")
        with t.coap_pledge(t.approved_device()) as p:
            t.coap_refused(p.request_voucher(), f"4.{status % 100:02}", why=f"the MASA says {status}")


@check("C-18", level=MUST, role="registrar", profiles=("cbrski", "est-coaps"),
       mutant="passes on that the MASA has not decided")
def coaps_masa_that_has_not_decided_is_5_03(t):
    """The MASA says 202: the pledge comes back with the same request when it is told to."""
    t.masa.answer = lambda request: text(202, "wait\n", headers=[("Retry-After", "1")])
    with t.coap_pledge(t.approved_device()) as p:
        body = p.pvr()
        t.coap_is(p.request_voucher(body), "5.03", "the MASA says 202")
        t.masa.answer = None
        t.coap_is(p.request_voucher(body), "2.04", "the MASA has decided")


@check("O-11", level=MUST, role="registrar", profiles=CBRSKI,
       mutant="takes vouchers in COSE under a root it knows")
def coaps_voucher_of_a_stranger_is_not_taken_for_verified(t):
    """A registrar that finds fault with a broken signature verifies; then it finds fault with a signer
    that leads to no root of its own as well, whatever root comes along."""
    t.masa.signer = t.lab.stranger.signer
    with t.coap_pledge(t.approved_device()) as p:
        of_stranger = p.request_voucher().said
    t.masa.signer = t.masa.honest_signer
    t.masa.cose = {"context": "CounterSignature"}
    with t.coap_pledge(t.approved_device()) as p:
        broken = p.request_voucher().said
    if broken != "2.04":
        t.need(of_stranger != "2.04", f"a broken signature is {broken}, a stranger's voucher goes through")


# -- reports

@check("R-11", level=MUST, role="registrar", profiles=CBRSKI, mutant="answers a report without words")
def coaps_reports_in_cbor_are_taken(t):
    """vs takes a map in CBOR (format 60) and answers with nothing in it; es is coaps_everything_is_on_one_port."""
    with t.coap_pledge(t.approved_device()) as p:
        t.coap_is(p.request_voucher(), "2.04", "a voucher is asked for")
        reply = p.voucher_status()
        t.need(reply.said.startswith("2."), f"the answer to vs is {reply.said}")
        t.equal(reply.payload, b"", "what the answer holds")


@check("R-13", level=MUST, role="registrar", profiles=CBRSKI, mutant="reads well-formed reports only")
def coaps_report_that_is_none_is_refused(t):
    """Keys are text, version is a number, status true or false."""
    wrong = {"a status that is a number": {"version": 1, "status": 1},
             "a version that is text": {"version": "1", "status": True},
             "numbers as keys": {1: 1, 2: True}, "no status": {"version": 1}, "an array": [1, True]}
    with t.coap_pledge(t.approved_device()) as p:
        t.coap_is(p.request_voucher(), "2.04", "a voucher is asked for")
        for name, said in wrong.items():
            t.coap_refused(p.report("vs", cbor2.dumps(said)), why=f"it has {name}")


@check("R-14", level=SHOULD, role="registrar", profiles=CBRSKI, mutant="takes a failure without a reason")
def coaps_report_of_a_failure_may_lack_its_reason(t):
    """The reason should be there; a report without it is better than none."""
    with t.coap_pledge(t.approved_device()) as p:
        t.coap_is(p.request_voucher(), "2.04", "a voucher is asked for")
        said = p.voucher_status(False).said
        t.need(said.startswith("2."), f"a failure without a reason is answered with {said}")


@check("R-23", level=SHOULD, role="registrar", profiles=CBRSKI, mutant="takes reports over the new certificate")
def coaps_enrollstatus_is_taken_over_the_new_certificate(t):
    """A pledge reports its enrolment on an association with its new certificate: what the registrar's admin
    reads of it then is not seen here."""
    with t.coap_pledge(t.approved_device()) as p:
        ldevid = t.coap_joined(p)
    with t.coap_pledge(ldevid) as p:
        reply = p.enrollstatus()
        t.need(reply.said.startswith("2."), f"over the new certificate it is {reply.said}: {reply.text!r}")
