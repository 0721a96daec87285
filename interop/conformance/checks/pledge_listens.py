# SPDX-License-Identifier: Apache-2.0
"""How a pledge that is told nobody listens on its link, and asks there (RFC 8995 §4.1, Appendix B)."""
from brski_peer import grasp

from ..core import MAY, MUST, SHOULD, check
from ..trial_link import Link, announcement

RFC8995 = ("rfc8995",)
PROBES = 4
SLOWER = 1.5   # each pause against the one before: doubled, less what a busy machine adds


def host_of(t):
    return "127.0.0.1" if t.target.suite_host == "localhost" else t.target.suite_host


def flood(t, registrar, name=grasp.PROXY):
    return grasp.flood([(name, "", (host_of(t), registrar.port))])


def link_of(t):
    if not t.can("join_listening"):
        t.skip("the target knows neither GRASP nor mDNS: its file has no command for 'join_listening'")
    return Link(t)


def listen(t, link):
    return t.run(None, action="join_listening", urls=[], **link.words)


@check("R8995-PLG-003", level=MUST, role="pledge", profiles=RFC8995, mutant="listens for AN_Proxy")
def pledge_joins_where_an_proxy_is_flooded(t):
    """AN_Proxy in an M_FLOOD on the link says where to join."""
    link = link_of(t)
    link.flooded = flood(t, t.registrar)
    outcome = listen(t, link)
    t.need(outcome.joined, f"the pledge does not join; it says: {outcome.said[-500:]!r}")


@check("R8995-PLG-003", level=MUST, role="pledge", profiles=RFC8995, mutant="passes over other objectives")
def pledge_passes_over_other_objectives(t):
    """What is flooded under another name is no proxy, whatever its locator."""
    link, other = link_of(t), t.new_registrar()
    place = (host_of(t), other.port)
    link.flooded = grasp.flood([("AN_Something", "", place), (grasp.PROXY, "", (host_of(t), t.registrar.port))])
    listen(t, link)
    t.need(not other.connections, "the pledge goes where an objective of another name is")


@check("R8995-PLG-004", level=MAY, role="pledge", profiles=RFC8995,
       mutant="takes the answers to its questions")
def pledge_joins_where_mdns_says(t):
    """A proxy that answers to _brski-proxy._tcp.local is a way in."""
    link = link_of(t)
    link.answer = announcement(t.registrar.port, host_of(t))
    outcome = listen(t, link)
    t.need(outcome.joined, f"the pledge does not join; it says: {outcome.said[-500:]!r}")


@check("R8995-PLG-005", level=SHOULD, role="pledge", profiles=RFC8995, mutant="listens before it asks")
def pledge_listens_before_it_asks(t):
    """Where proxies announce themselves unasked, a pledge that uses mDNS asks nothing."""
    link = link_of(t)
    link.announced = announcement(t.registrar.port, host_of(t))
    listen(t, link)
    t.equal(len(link.asked), 0, "the number of questions on the link")


@check("R8995-PLG-006", level=SHOULD, role="pledge", profiles=RFC8995, mutant="asks less and less often")
def pledge_asks_less_and_less_often(t):
    """While nobody answers, the pauses between a pledge's questions double; it listens meanwhile."""
    link = link_of(t)
    late = flood(t, t.registrar)
    link.when_asked(PROBES, lambda: setattr(link, "flooded", late))
    listen(t, link)
    times = link.asked[:PROBES]
    t.equal(len(times), PROBES, "the number of questions")
    pauses = [later - earlier for earlier, later in zip(times, times[1:])]
    t.need(all(b > SLOWER * a for a, b in zip(pauses, pauses[1:])),
           f"the pauses are {', '.join(f'{p:.2f} s' for p in pauses)}")
