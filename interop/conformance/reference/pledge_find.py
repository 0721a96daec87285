# SPDX-License-Identifier: Apache-2.0
"""How the reference pledge finds registrars and proxies: by plain CoAP (draft-ietf-anima-constrained-voucher
§10.1) and by DNS-SD (draft-ietf-anima-brski-discovery §3.2)."""
import random
import urllib.parse

from brski_peer import links, mdns

ANSWER_S = 0.3
VARIATIONS = {"est-tls"}  # that it speaks; no key at all means the same


def by_coap(rule, where):
    """URLs of the join ports that whoever answers there tells."""
    host, _, port = where.rpartition(":")
    reply = links.ask((host, int(port)), "brski-jp=*" if rule("asks for join ports") else "rt=brski*")
    found = [(target, int(how["brski-jp"])) for target, how in links.parse(reply.text) if "brski-jp" in how]
    if len(found) > 1 and not rule("tries each port it is told"):
        found = found[:1]
    return [f"coaps://{place(rule, target, reply.source[0])}:{port}" for target, port in found]


def place(rule, target, source):
    if not target or rule("goes where the answer came from"):
        return source
    return urllib.parse.urlsplit(target).hostname


def by_mdns(rule, where):
    """URLs of the proxies that are found, those to try first in front."""
    host, _, port = where.rpartition(":")
    found = mdns.browse((host, int(port)), mdns.PROXIES, ANSWER_S)
    found.sort(key=lambda f: f.place.port)
    if len(found) > 1 and rule("chooses among equals at random"):
        random.shuffle(found)
    if len({f.place.priority for f in found}) == 1:
        pass
    elif rule("prefers its variations, then priority"):
        found = sorted((f for f in found if not f.keys or VARIATIONS & set(f.keys)), key=lambda f: f.place.priority)
    else:
        found.sort(key=lambda f: -f.place.priority)
    return [f"https://{f.addresses[0]}:{f.place.port}" for f in found]
