# SPDX-License-Identifier: Apache-2.0
"""How the reference pledge finds registrars and proxies: by plain CoAP (draft-ietf-anima-constrained-voucher
§10.1)."""
import urllib.parse

from brski_peer import links


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
