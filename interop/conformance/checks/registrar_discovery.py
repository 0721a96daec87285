# SPDX-License-Identifier: Apache-2.0
"""How a registrar announces itself: DNS-SD, GRASP and links in plain CoAP (draft-ietf-anima-brski-discovery
§3.5, §4.2)."""
import contextlib
import ipaddress
import time
import urllib.parse

from brski_peer import grasp, links, mdns

from ..core import MUST, Skipped, check

DISCOVERY = ("discovery",)
KEYS = {"est-tls", "cmp", "prm-jose"}        # of _brski-registrar._tcp
VALUES = {"EST-TLS", "cmp", "prm-jose"}      # of AN_join_registrar


@contextlib.contextmanager
def announcing(t):
    """The target in the configuration "announcing", or as it is when it has none such."""
    if t.target.has_variant("announcing"):
        with t.freshly("announcing"):
            yield
    else:
        yield


def announced(t):
    """Its instances in DNS-SD; by multicast when the target file names no address mdns."""
    try:
        where = t.instance.address("mdns")
    except Skipped:
        where = mdns.GROUP
    found = t.wait(lambda: mdns.browse(where, mdns.REGISTRARS, t.session.patience / 8),
                   "DNS-SD finds no _brski-registrar._tcp")
    t.record("received", f"{len(found)} registrars", "\n".join(map(str, found)))
    return found


@check("DISC-REG-001", level=MUST, role="registrar", profiles=DISCOVERY,
       mutant="announces variations that are registered")
def registrar_announces_registered_variations(t):
    """What is announced by default are variations of the registry."""
    with announcing(t):
        for one in announced(t):
            names = {key.partition("=")[2] or key for key in one.keys}
            t.need({n.lower() for n in names} <= KEYS, f"{one.name} announces {one.keys}")


@check("DISC-REG-002", level=MUST, role="registrar", profiles=DISCOVERY,
       mutant="writes variations as keys without values")
def registrars_variations_are_keys_without_values(t):
    """Each variation is a key without a value; the empty one does not exist, it is est-tls."""
    with announcing(t):
        for one in announced(t):
            t.need(all(key and "=" not in key for key in one.keys), f"{one.name} has {one.keys}")


@check("DISC-REG-003", level=MUST, role="registrar", profiles=DISCOVERY, mutant="has a name with an address")
def registrar_has_a_host_name_with_an_address(t):
    """Each instance is one socket: an SRV record with a host name, which has an address, where the
    registrar listens."""
    with announcing(t):
        for one in announced(t):
            t.need(one.place, f"{one.name} has no SRV record")
            t.need(one.addresses, f"{'.'.join(one.place.host)} has no address")
            t.connect(one.place.port, host=one.addresses[0]).close()


@check("DISC-REG-004", level=MUST, role="registrar", profiles=DISCOVERY,
       mutant="floods an objective for each variation")
def registrar_floods_an_objective_for_each_variation(t):
    """AN_join_registrar, once for each variation with its name as the value, EST-TLS for the default; the
    place is where the registrar listens."""
    with announcing(t):
        said = next(t.group("grasp").floods(t.session.patience), None)
        t.need(said, "nothing is flooded")
        t.record("received", "M_FLOOD", str(said))
        objectives = [o for o in said.objectives if o.name == grasp.REGISTRAR]
        t.need(objectives, f"the objectives are {[o.name for o in said.objectives]}")
        values = [o.value for o in objectives]
        t.need(set(values) <= VALUES and len(set(values)) == len(values), f"the values are {values}")
        for one in objectives:
            t.connect(one.port, host=str(one.address)).close()


@check("R8995-REG-002", level=MUST, role="registrar", profiles=("rfc8995",), mutant="floods no more often than it is told")
def registrar_floods_again_in_time(t):
    """What M_FLOOD says holds for 180 s. It comes again before that, and not more often than the operator wants:
    every 60 s, or what [suite] flood_s of the target file says."""
    period_s = t.target.settings.get("suite", {}).get("flood_s", 60)
    with announcing(t):
        came = {}
        for said in t.group("grasp").floods(period_s * 2 + t.session.patience):
            t.record("received", "M_FLOOD", str(said))
            times = came.setdefault(str(said.objectives), [])
            times.append(time.monotonic())
            t.equal(said.ttl_ms, grasp.TTL_MS, "for how many milliseconds the flood holds")
            if len(times) > 1:
                break
        t.need(came, "nothing is flooded")
        gaps = [b - a for a, b in (times for times in came.values() if len(times) > 1)]
        t.need(gaps, "it is not flooded again")
        t.need(gaps[0] >= period_s / 2, f"it comes again after {gaps[0]:.1f} s; {period_s} s are configured")


@check("DISC-REG-005", level=MUST, role="registrar", profiles=DISCOVERY, mutant="links with scheme and port")
def registrars_links_have_a_scheme_and_a_port(t):
    """GET /.well-known/core?rt=brski.* gives links with scheme, address and port; pw is priority and weight."""
    with announcing(t):
        reply = links.ask(t.instance.address("core"), "rt=brski.*", t.session.patience)
        t.need(reply, "nobody answers to rt=brski.*")
        t.record("received", reply.said, reply.text)
        found = [(target, how) for target, how in links.parse(reply.text) if how.get("rt", "").startswith("brski.")]
        t.need(found, f"no link has an rt of brski: {reply.text!r}")
        for target, how in found:
            place = urllib.parse.urlsplit(target)
            t.need(place.scheme and place.port, f"<{target}> has no scheme, or no port")
            ipaddress.ip_address(place.hostname)
            numbers = how.get("pw", "65535 0").split()
            t.need(len(numbers) == 2 and all(n.isdigit() for n in numbers), f"pw is {how.get('pw')!r}")
