# SPDX-License-Identifier: Apache-2.0
"""How a join proxy for HTTPS finds registrars and announces itself, by GRASP and by DNS-SD (RFC 8995 §4.1,
§4.3; draft-ietf-anima-brski-discovery §3.2, §3.3)."""
import contextlib
import os
import select
import time

from brski_peer import grasp, mdns

from ..core import MUST, SHOULD, check

RFC8995, DISCOVERY = ("rfc8995",), ("discovery",)
UNKNOWN = "foo-bar"         # a variation that nobody has heard of
WITHDRAWN_S = 120
SHORT_S = 0.5
DEVICES, STARTS = 12, 12    # enough that chance cannot explain what is seen


# -- GRASP

@contextlib.contextmanager
def flooded(t, quiet=SHORT_S):
    """The proxy knows our registrar by GRASP; the group where it announces itself."""
    if not t.target.has_variant("grasp"):
        t.skip("the target knows no GRASP: it has no configuration 'grasp'")
    with t.freshly("grasp"):
        link, acp = t.group("grasp"), t.group("grasp_acp")
        early = [o for said in link.floods(quiet) for o in said.objectives if o.name == grasp.PROXY]
        t.need(not early, "the proxy announces itself although it knows no registrar")
        place = (t.home.host, t.home.tcp.getsockname()[1])
        acp.send(grasp.flood([(grasp.REGISTRAR, "EST-TLS", place)]))
        t.record("sent", f"M_FLOOD {grasp.REGISTRAR}", f"{place}")
        yield link


def announcement(t, link):
    """(flood, objective) of the first AN_Proxy."""
    for said in link.floods(t.session.patience):
        for objective in said.objectives:
            if objective.name == grasp.PROXY:
                t.record("received", f"M_FLOOD {grasp.PROXY}", str(said))
                return said, objective
    t.need(False, "the proxy floods no AN_Proxy")
    return None


@check("R8995-JP-002", level=MUST, role="proxy", profiles=RFC8995,
       mutant="relays to the registrar that GRASP names")
def proxy_finds_its_registrar_by_grasp(t):
    """AN_join_registrar in the ACP says where to relay to; until then the proxy announces nothing."""
    with flooded(t):
        t.circuit()


@check("R8995-JP-003", level=MUST, role="proxy", profiles=RFC8995,
       mutant="floods its announcement as specified")
def proxy_floods_an_proxy(t):
    """AN_Proxy: F_SYNCH alone, loop count 1, 180 s, a locator of the link with TCP."""
    with flooded(t, 0) as link:
        said, objective = announcement(t, link)
        t.equal((objective.flags, objective.loops, said.ttl_ms), (grasp.F_SYNCH, grasp.LINK_LOOPS, grasp.TTL_MS),
                "flags, loop count and ttl")
        t.equal(objective.protocol, grasp.TCP, "the transport protocol")
        t.need(objective.address.is_link_local or objective.address.is_loopback,
               f"{objective.address} is no address of the link")


@check("R8995-JP-006", level=MUST, role="proxy", profiles=RFC8995, mutant="announces the port it listens on")
def announced_port_is_where_devices_connect(t):
    """The port is any; the one that is announced takes devices."""
    with flooded(t, 0) as link:
        _said, objective = announcement(t, link)
        try:
            t.device(at=(str(objective.address), objective.port))
        except OSError as e:
            t.need(False, f"{objective.address} port {objective.port}: {e}")


# -- DNS-SD

def announce(t, *registrars):
    """registrars: (port, variations, priority)."""
    t.home.announced = [record for i, (port, keys, priority) in enumerate(registrars)
                        for record in mdns.service(mdns.REGISTRARS, f"registrar-{i}", port, keys, priority)]


def port_of(listener):
    return listener.getsockname()[1]


def found(t):
    return t.wait(t.proxies, "DNS-SD finds no proxy")[0]


@check("DISC-JP-001", level=MUST, role="proxy", profiles=DISCOVERY,
       mutant="writes the variations it supports as keys")
def proxy_announces_itself_by_dns_sd(t):
    """_brski-proxy._tcp has an instance with a place to connect to, and what its registrar can as keys
    without values."""
    with t.freshly("browsing"):
        announce(t, (port_of(t.home.tcp), ["est-tls"], 0))
        proxy = found(t)
        t.need(proxy.place and proxy.addresses, f"{proxy.name} has no SRV record, or its host no address")
        t.need(set(proxy.keys) <= {"est-tls"}, f"its TXT record says {proxy.keys}")
        t.circuit(at=(proxy.addresses[0], proxy.place.port))


@check("DISC-JP-002", level=SHOULD, role="proxy", profiles=DISCOVERY, mutant="passes unknown variations on")
def proxy_passes_unknown_variations_on(t):
    """A variation of a registrar that the proxy has never heard of is announced all the same."""
    with t.freshly("browsing"):
        announce(t, (port_of(t.home.tcp), ["est-tls", UNKNOWN], 0))
        t.wait(lambda: any(UNKNOWN in p.keys for p in t.proxies()), f"the proxy does not announce {UNKNOWN}")


def first_served(t, listeners, at):
    """Which of our registrars a new device's octets come to; None: no one. A proxy may look now and then whether
    a registrar is there: such connections bring nothing."""
    octets = os.urandom(8)
    deadline = time.monotonic() + t.session.patience / 4
    with contextlib.suppress(ConnectionError):
        device = t.device(at=at)
        device.send(octets)
        while (left := deadline - time.monotonic()) > 0:
            for ready in select.select(listeners, [], [], left)[0]:
                stream = t.stream("registrar", ready.accept()[0])
                served = stream.take(len(octets)) == octets
                stream.close()
                if served:
                    device.close()
                    return ready
    return None


@check("DISC-JP-003", level=SHOULD, role="proxy", profiles=DISCOVERY,
       mutant="leaves registrars that have failed")
def proxy_leaves_registrars_that_have_failed(t):
    """Of four registrars of one priority two are gone: devices are served by the others, and not by one of
    less priority."""
    live, spare, gone = [t.listener() for _ in range(2)], t.listener(), [t.listener() for _ in range(2)]
    with t.freshly("browsing"):
        announce(t, *((port_of(one), ["est-tls"], 0) for one in (*gone, *live)),
                 (port_of(spare), ["est-tls"], 10))
        proxy = found(t)
        for one in gone:
            one.close()
        for _ in range(DEVICES):
            served = first_served(t, [*live, spare], (proxy.addresses[0], proxy.place.port))
            t.need(served is not None, "a device gets to nobody")
            t.need(served is not spare, "a device gets to the registrar that others go before")


@check("DISC-JP-004", level=SHOULD, role="proxy", profiles=DISCOVERY,
       mutant="withdraws with its registrars")
def proxy_withdraws_when_its_registrars_are_gone(t):
    """Within 120 s of the end of its only registrar the proxy is not found any more."""
    one = t.listener()
    with t.freshly("browsing"):
        announce(t, (port_of(one), ["est-tls"], 0))
        found(t)
        one.close()
        t.home.announced = []
        t.wait(lambda: not t.proxies(), "the proxy is still found",
               WITHDRAWN_S if t.session.patience > 10 else t.session.patience)


@check("DISC-JP-005", level=MUST, role="proxy", profiles=DISCOVERY, mutant="chooses among equals at random")
def proxy_chooses_among_equals_at_random(t):
    """Of two equal registrars both are the first choice of some starts."""
    two, chosen = [t.listener() for _ in range(2)], set()
    for _ in range(STARTS):
        with t.freshly("browsing"):
            announce(t, *((port_of(one), ["est-tls"], 0) for one in two))
            t.wait(lambda: len(t.home.announced) and t.proxies(), "DNS-SD finds no proxy")
            proxy = found(t)
            chosen.add(first_served(t, two, (proxy.addresses[0], proxy.place.port)))
        if len(chosen - {None}) == len(two):
            return
    t.need(False, f"the first device got to the same registrar in {STARTS} starts")
