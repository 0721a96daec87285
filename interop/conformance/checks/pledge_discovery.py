# SPDX-License-Identifier: Apache-2.0
"""How a pledge that is told nobody finds the way: in plain CoAP (draft-ietf-anima-constrained-voucher §10.1,
draft-ietf-anima-constrained-join-proxy §5) or by DNS-SD (draft-ietf-anima-brski-discovery §3.2); and what it
offers to others later (RFC 8995 §1.5)."""
from brski_peer import coap, constrained, grasp, links

from ..core import MUST, SHOULD, check
from ..target import free_port

CBRSKI, DISCOVERY = ("cbrski",), ("discovery",)
ATTEMPTS = 16     # enough that chance cannot explain what is seen
ELSEWHERE = "127.77.0.1"


@check("X-01", level=MUST, role="pledge", profiles=CBRSKI, mutant="asks for join ports")
def pledge_asks_for_join_ports(t):
    """The question is GET /.well-known/core?brski-jp=*."""
    answerer = t.answers(f"<>;brski-jp={t.coap_registrar.port}")
    t.find()
    t.need(answerer.asked, "the pledge asks nobody")
    t.equal(answerer.asked[0].path, links.WELL_KNOWN, "the path")
    t.equal(answerer.asked[0].all(coap.URI_QUERY), [b"brski-jp=*"], "the query")


@check("X-03", level=MUST, role="pledge", profiles=CBRSKI, mutant="goes where the answer came from")
def pledge_goes_where_the_answer_came_from(t):
    """The way is at the address that the answer comes from, whatever address is written in it."""
    if t.target.suite_bind != "127.0.0.1":
        t.skip("the suite has a second address on loopback only")
    port, other = t.coap_registrar.port, t.lab.other_domain
    elsewhere = constrained.FakeRegistrar(other.registrar, other.directory, t.lab.maker.directory, port,
                                          host=ELSEWHERE)
    t.later(elsewhere.start().stop)
    t.answers(f"<coaps://{ELSEWHERE}:{port}>;brski-jp={port},<>;brski-jp={port}")
    outcome = t.find()
    t.need(not elsewhere.datagrams, "the pledge goes to the address that is written in the answer")
    t.need(outcome.joined, f"the pledge does not join; it says: {outcome.said[-500:]!r}")


@check("X-04", level=MUST, role="pledge", profiles=CBRSKI, mutant="tries each port it is told")
def pledge_tries_one_port_after_the_other(t):
    """Of several ports the next one is tried where one fails; attributes that mean nothing do no harm."""
    t.answers(f'<>;brski-jp={free_port()},<>;p=v;brski-jp="{t.coap_registrar.port}"')
    outcome = t.find()
    if not outcome.joined:
        urls = [f"coaps://127.0.0.1:{free_port()}", t.url(t.coap_registrar)]
        if not t.run(urls=urls).joined:
            t.skip("the pledge tries one registrar only: see R8995-PLG-042")
    t.need(outcome.joined, f"the pledge does not join; it says: {outcome.said[-500:]!r}")


# -- DNS-SD

def asked(*registrars):
    return [bool(r.seen("requestvoucher")) for r in registrars]


@check("DISC-PLG-001", level=SHOULD, role="pledge", profiles=DISCOVERY,
       mutant="prefers its variations, then priority")
def pledge_prefers_its_variation_and_then_priority(t):
    """Of three the one is tried first that speaks a variation of the pledge's, and then has the better
    priority."""
    foreign, near, far = (t.new_registrar() for _ in range(3))
    t.announce((foreign, ["prm-jose"], 0), (far, ["est-tls"], 20), (near, ["est-tls"], 10))
    outcome = t.browse()
    t.need(outcome.joined, f"the pledge does not join; it says: {outcome.said[-500:]!r}")
    t.equal(asked(foreign, near, far), [False, True, False], "who is asked: other variation, near, far")


@check("DISC-PLG-004", level=MUST, role="pledge", profiles=DISCOVERY, mutant="chooses among equals at random")
def pledge_chooses_among_equals_at_random(t):
    """Of two equal ones both are the first choice of some devices."""
    two = [t.new_registrar() for _ in range(2)]
    t.announce(*((one, ["est-tls"], 0) for one in two))
    for _ in range(ATTEMPTS):
        t.browse(t.device())
        if all(asked(*two)):
            return
    t.need(False, f"{ATTEMPTS} devices went to the same one: {asked(*two)}")


# -- what it offers

@check("R8995-JP-007", level=SHOULD, role="pledge", profiles=("rfc8995",),
       mutant="offers a proxy once it has joined")
def device_that_has_joined_offers_a_proxy(t):
    """A device of an autonomic network that has joined announces a join proxy on its links."""
    if not t.target.has_variant("ani"):
        t.skip("the target knows no GRASP: it has no configuration 'ani'")
    with t.freshly("ani"):
        t.instance.address("grasp")
        t.joins()
        t.need(any(o.name == grasp.PROXY for o in t.offers()), "no AN_Proxy is flooded after the join")
