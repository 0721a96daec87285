# SPDX-License-Identifier: Apache-2.0
"""A registrar that translates EST over CoAPS for a CA which it asks over HTTPS (RFC 9148 §6), in the
configuration "upstream"."""
import base64

from brski_peer import certs, coap
from brski_peer.server import Answer, text

from ..core import MUST, check
from .registrar_coaps_blocks import Upload
from .registrar_coaps_discovery import links

BOTH = ("est", "est-coaps")


@check("RA-02", "RA-03", level=MUST, role="registrar", profiles=BOTH, mutant="asks the CA when all of a request is there")
def coaps_ca_is_asked_when_all_blocks_have_come(t):
    """Of a request that breaks off the CA sees nothing; of a whole one, the octets that the device has
    signed."""
    ca = t.with_upstream()
    with t.coap_admitted() as p:
        upload = Upload(t, p, p.csr(certs.new_key()))
        ca.on["simpleenroll"] = lambda request: (
            NotImplemented if base64.b64decode(request.body) == upload.body else text(400, "What is that?\n"))
        for num in range(upload.last):
            t.coap_is(upload.block(num), "2.31", f"block {num} of {upload.last + 1} has come")
        t.need(not ca.seen("/simpleenroll"), "the CA is asked before the last block is there")
        t.coap_is(upload.block(upload.last), "2.04", "the last block has come")
    requests = ca.seen("/simpleenroll")
    t.equal([base64.b64decode(r.body) for r in requests], [upload.body], "the requests that the CA gets")


@check("RA-05", level=MUST, role="registrar", profiles=BOTH, mutant="passes on that the CA wants time over CoAP")
def coaps_ca_that_wants_time_is_5_03(t):
    """202 with Retry-After from the CA is 5.03 with Max-Age for who asks over CoAPS."""
    ca = t.with_upstream()
    ca.on["simpleenroll"] = lambda _request: Answer(202, headers=[("Retry-After", "5")])
    with t.coap_admitted() as p:
        reply, _ = p.enroll()
    t.coap_is(reply, "5.03", "the CA wants five seconds")
    if reply.number(coap.MAX_AGE) is None:
        t.skip("there is no Max-Age: see C-18")


@check("RA-07", level=MUST, role="registrar", profiles=BOTH, mutant="names what it has to have")
def coaps_proxy_of_a_ca_is_found_by_its_links(t):
    """Who passes EST on answers discovery: rt=ace.est* names crts, sen and sren."""
    t.with_upstream()
    with t.coap_pledge(t.approved_device()) as p:
        found = " ".join(attributes for _, attributes in links(t, p, "rt=ace.est*"))
    for kind in ("crts", "sen", "sren"):
        t.need(f"ace.est.{kind}" in found, f"{kind} is missing in {found!r}")
