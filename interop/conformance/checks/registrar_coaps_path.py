# SPDX-License-Identifier: Apache-2.0
"""The registrar over CoAPS: handshakes, paths, numbers instead of paths, options nobody knows (RFC 9148 §5,
RFC 7252 §5.4, draft-ietf-anima-constrained-voucher §6.1 to §6.5)."""
from brski_peer import certs, coap, constrained, dtls, hello
from brski_peer.coap import Message

from ..core import MUST, SHOULD, check

CBRSKI, EST_COAPS = ("cbrski",), ("est-coaps",)
BRSKI, EST = constrained.BRSKI, constrained.EST
UNKNOWN_OPTION = 2053  # an odd number is critical
Q_BLOCK1, Q_BLOCK2 = 19, 31
BAD_OPTION = "4.02"


def first_answer(t, suites):
    """The first answer to a ClientHello of DTLS 1.3 with these suites."""
    host, port = t.instance.address("coaps")
    client = t.coap_connect(port, host=host, handshake=False)
    offer = hello.offer13(suites)
    t.record("sent", "a ClientHello of DTLS 1.3 alone", f"suites {[hex(s) for s in suites]}", offer)
    client.throw(offer)
    client.socket.settimeout(t.session.patience)
    datagram = client.socket.recv(2048)
    t.record("received", "the answer", str(hello.answer(datagram)), datagram)
    return hello.answer(datagram)


def code_of(t, client, code, options, kind=coap.CON, payload=b""):
    """The code of the answer to one message; None when it is a reset."""
    token = b"only"
    t.record("sent", f"{coap.dotted(code)} with the options {[n for n, _ in options]}", "", payload)
    reply = client.exchange(Message(kind, code, 0, token, options, payload), timeout=t.session.patience)
    t.record("received", reply.said, reply.text, reply.payload)
    return None if reply.type == coap.RST else reply.said


# -- DTLS

@check("D-01", level=MUST, role="registrar", profiles=CBRSKI, mutant="speaks DTLS 1.3")
def dtls_1_2_and_1_3_are_spoken(t):
    """A handshake of either version is answered in it."""
    t.may_lack("dtls13")
    with t.coap_pledge(t.device()):
        pass
    said = first_answer(t, [hello.SUITES13["AES_128_GCM_SHA256"]])
    t.need(said and said.version == hello.DTLS13, f"DTLS 1.3 alone is answered with {said}")


@check("D-04", level=MUST, role="registrar", profiles=CBRSKI, mutant="has the suites of DTLS 1.3")
def dtls_1_3_has_its_three_suites(t):
    """Each of them is agreed on when it is the only one offered."""
    t.may_lack("dtls13")
    for name in ("AES_128_CCM_SHA256", "AES_128_CCM_8_SHA256"):
        said = first_answer(t, [hello.SUITES13[name]])
        t.need(said and said.suite == hello.SUITES13[name], f"{name} alone is answered with {said}")


@check("D-05", level=MUST, role="registrar", profiles=CBRSKI, mutant="agrees on X25519")
def dtls_with_ed25519_and_x25519_works(t):
    """A device with an Ed25519 key agrees on keys over X25519. (P-256 is offered as well: the server's
    certificate may be of that curve.)"""
    device = t.approved_device(key_type="ed25519")
    context = dtls.Context(device.identity, groups="X25519:P-256")
    with t.coap_pledge(device, context=context) as p:
        if p.client.link.group != dtls.X25519:
            t.skip("the server prefers P-256: whether it knows X25519 cannot be seen")


@check("C-01", "D-11", level=MUST, role="registrar", profiles=("cbrski", "est-coaps"),
       mutant="serves clients with a certificate only over CoAP")
def coaps_client_without_a_certificate_gets_nothing(t):
    """Other than over HTTPS that holds for crts as well: the handshake fails, or all is refused."""
    with t.hangs_up_or():
        with t.coap_pledge(None) as p:
            t.coap_refused(p.crts(), why="a client without a certificate asks for crts")


@check("D-11", level=MUST, role="registrar", profiles=CBRSKI, mutant="hears devices of every issuer over CoAP")
def coaps_device_of_an_unknown_issuer_is_refused_in_words(t):
    """Where the handshake takes certificates of any issuer, that nobody here knows the manufacturer is said
    in the answer to rv, for an admin may change it."""
    with t.hangs_up_or() as ended:
        p = t.coap_pledge(t.device(t.lab.stranger))
    if ended:
        t.skip("devices of strangers are turned away in the handshake, as a strict site may")
    with p:
        reply = p.request_voucher()
        if reply.said == "2.04":
            t.skip("devices of unknown manufacturers get vouchers: see R8995-REG-006")
        t.coap_refused(reply, why="nobody here knows the manufacturer")
        t.coap_refused(p.request_voucher(), why="the association has not ended")
    t.nothing_asked_of_masa("about a device of a stranger")


@check("D-12", level=MUST, role="registrar", profiles=CBRSKI, mutant="remembers who got a voucher")
def coaps_device_goes_on_over_another_association(t):
    """An association may be lost after the voucher: the same device enrols over another one."""
    device = t.approved_device()
    with t.coap_pledge(device) as p:
        t.coap_is(p.request_voucher(), "2.04", "a voucher is asked for")
        p.voucher_status()
    with t.coap_pledge(device) as p:
        t.coap_is(p.enroll()[0], "2.04", "the same device enrols over another association")


@check("D-12", level=MUST, role="registrar", profiles=CBRSKI, mutant="enrols after the voucher only")
def coaps_device_without_a_voucher_does_not_enrol(t):
    """Whoever has got no voucher enrols nowhere, over a new association or any other."""
    with t.coap_pledge(t.approved_device()) as p:
        t.coap_is(p.request_voucher(), "2.04", "a voucher is asked for")
        p.voucher_status()
    with t.coap_pledge(t.approved_device()) as p:
        t.coap_refused(p.enroll()[0], "4.01", "4.03", why="another device enrols")


@check("D-13", "R-11", "R-19", "R-23", level=MUST, role="registrar", profiles=CBRSKI, mutant="has everything on one port")
def coaps_everything_is_on_one_port_by_its_path(t):
    """rv, vs, crts, sen, es, sren: one address, one port, one association, each by its full path; a report
    may come where the device enrolled."""
    with t.coap_pledge(t.approved_device()) as p:
        t.coap_joined(p)
        t.need(p.crts().said == "2.05", "crts is not there")
        t.need(p.enrollstatus().said.startswith("2."), "es is not there")
        t.need(p.post_csr(p.csr(certs.new_key()), "sren").said != "4.04", "sren is not there")


# -- paths

@check("C-03", level=MUST, role="registrar", profiles=EST_COAPS, mutant="has no long names over CoAP")
def coaps_names_are_short_below_the_default_root(t):
    """/.well-known/est/crts is there, /.well-known/est/cacerts is not."""
    with t.coap_pledge(t.approved_device()) as p:
        t.equal(p.crts().said, "2.05", "the code of crts")
        t.coap_refused(p.client.get(EST + "cacerts"), "4.04")
        t.coap_refused(p.client.post(EST + "simpleenroll", b"0", constrained.PKCS10), "4.04")


@check("C-04", level=MUST, role="registrar", profiles=EST_COAPS, mutant="says 4.04 to what it does not have")
def coaps_optional_functions_work_or_are_4_04(t):
    """crts, sen and sren are there for everybody; att, skg and skc work, or are 4.04."""
    with t.coap_pledge(t.approved_device()) as p:
        t.coap_is(p.request_voucher(), "2.04", "a voucher is asked for")
        p.voucher_status()
        t.equal(p.crts().said, "2.05", "the code of crts")
        for step in ("sen", "sren"):
            t.need(p.client.post(EST + step, b"0", constrained.PKCS10).said != "4.04", f"{step} is not there")
        t.need(p.att().said in ("2.05", "4.04"), "att neither works nor is it 4.04")
        for step in ("skg", "skc"):
            reply = p.post_csr(p.csr(certs.new_key()), step, accept=constrained.MULTIPART)
            t.need(reply.said in ("2.04", "4.04"), f"{step} neither works nor is it 4.04: {reply.said}")


@check("C-11", level=MUST, role="registrar", profiles=EST_COAPS, mutant="answers a POST with 2.04")
def coaps_get_is_2_05_and_post_is_2_04(t):
    """Nothing is created in the sense of CoAP: no 2.01."""
    with t.coap_pledge(t.approved_device()) as p:
        said = {"rv": p.request_voucher().said, "vs": p.voucher_status().said, "crts": p.crts().said,
                "sen": p.enroll()[0].said}
    wanted = {step: "2.05" if step == "crts" else "2.04" for step in said}
    t.equal(said, wanted, "what each function answers")


@check("R-18", level=MUST, role="registrar", profiles=CBRSKI,
       mutant="refuses unknown abbreviations as a bad option")
def coaps_number_nobody_knows_is_4_02(t):
    """Uri-Path-Abbrev is critical: an unknown number, or one beside a path, is 4.02, never 4.04."""
    with t.coap_pledge(t.approved_device()) as p:
        t.equal(code_of(t, p.client, coap.GET, [(coap.ABBREV, coap.uint(999))]), BAD_OPTION, "an unknown number")
        beside = [*coap.path_options(EST + "crts"), (coap.ABBREV, coap.uint(constrained.ABBREVS["crts"]))]
        t.equal(code_of(t, p.client, coap.GET, beside), BAD_OPTION, "a number beside a path")


@check("C-21", level=MUST, role="registrar", profiles=EST_COAPS,
       mutant="refuses critical options it does not know")
def coaps_unknown_critical_option_is_4_02(t):
    """What such an option would have changed is not known; a reset would say nothing."""
    options = [*coap.path_options(EST + "crts"), (UNKNOWN_OPTION, b"?")]
    with t.coap_pledge(t.approved_device()) as p:
        t.equal(code_of(t, p.client, coap.GET, options), BAD_OPTION, "the code")


@check("C-21", level=SHOULD, role="registrar", profiles=EST_COAPS,
       mutant="says so to requests that are not confirmable too")
def coaps_unknown_critical_option_is_4_02_for_non(t):
    """The same in a request that is not confirmable, for which CoAP alone would have a reset, or nothing."""
    options = [*coap.path_options(EST + "crts"), (UNKNOWN_OPTION, b"?")]
    with t.coap_pledge(t.approved_device()) as p:
        t.equal(code_of(t, p.client, coap.GET, options, coap.NON), BAD_OPTION, "the code")


@check("B-11", level=SHOULD, role="registrar", profiles=EST_COAPS, mutant="has no Q-Block")
def coaps_q_block_is_4_02(t):
    """None of these specifications has it, so it is an option nobody knows."""
    with t.coap_pledge(t.approved_device()) as p:
        for number in (Q_BLOCK1, Q_BLOCK2):
            options = [*coap.path_options(EST + "crts"), (number, coap.block(0, False, 2))]
            t.equal(code_of(t, p.client, coap.GET, options), BAD_OPTION, f"the code for option {number}")
