# SPDX-License-Identifier: Apache-2.0
"""How a pledge that is told nobody finds the way in plain CoAP (draft-ietf-anima-constrained-voucher §10.1,
draft-ietf-anima-constrained-join-proxy §5)."""
from brski_peer import coap, constrained, links

from ..core import MUST, check
from ..target import free_port

CBRSKI = ("cbrski",)
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
    t.need(outcome.joined, f"the pledge does not join; it says: {outcome.said[-500:]!r}")
