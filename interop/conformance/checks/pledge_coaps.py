# SPDX-License-Identifier: Apache-2.0
"""The pledge over CoAPS (draft-ietf-anima-constrained-voucher): its request, its judgement of the answer,
its reports."""
import hashlib

from brski_peer import constrained, cose, forge
from brski_peer.coap_server import Answer

from ..core import MUST, check

CBRSKI = ("cbrski",)


def asked(t):
    """The first voucher-request the registrar got, read."""
    requests = t.coap_registrar.seen("rv")
    t.need(requests, "the pledge never asked for a voucher")
    return requests[0]


@check("R-05", "R-06", "K-03", level=MUST, role="pledge", profiles=CBRSKI, mutant="names its registrar over CoAP")
def coaps_request_names_the_registrar_it_is_sent_to(t):
    """A request in format 836 whose proximity leaf is the key, its digest or the certificate that the
    registrar showed."""
    t.joins(None, t.coap_registrar)
    request = asked(t)
    t.equal(request.content_format, constrained.VOUCHER, "the format")
    fields = cose.parse(request.body).fields
    shown = t.lab.domain.registrar.cert
    named = [fields[name] for name in fields if name.startswith("proximity-registrar-")]
    t.need(named, f"no proximity leaf among {sorted(fields)}")
    t.need(named[0] in (forge.spki(shown), forge.der(shown), hashlib.sha256(forge.spki(shown)).digest()),
           "the proximity leaf is not of the registrar's certificate")


@check("O-16", level=MUST, role="pledge", profiles=CBRSKI, mutant="compares the nonce over CoAP")
def coaps_voucher_with_another_nonce_is_refused(t):
    """A voucher whose nonce is not that of the request is refused."""
    t.coap_registrar.lie = lambda fields: {**fields, "nonce": b"\x07" * 8}
    t.refuses_voucher(None, t.coap_registrar, "the nonce is another one")


@check("R-15", level=MUST, role="pledge", profiles=CBRSKI, mutant="sends vs false over CoAP")
def coaps_refused_voucher_is_reported(t):
    """vs with status false follows a voucher that is refused, over the same association."""
    t.coap_registrar.on["rv"] = lambda _request: Answer("2.04", b"no voucher", constrained.VOUCHER)
    t.run(None, t.coap_registrar)
    t.equal([r.get("status") for r in t.coap_registrar.reports("vs")], [False], "the status reports")
    t.equal(t.coap_registrar.seen("vs")[0].connection, asked(t).connection, "the association")


@check("D-07", level=MUST, role="pledge", profiles=CBRSKI, mutant="offers a small fragment length")
def coaps_pledge_offers_max_fragment_length(t):
    """A constrained pledge negotiates max_fragment_length of 512 or 1024 octets in DTLS 1.2."""
    t.joins(None, t.coap_registrar)
    agreed = asked(t).link.max_fragment
    t.need(agreed in (512, 1024), f"max_fragment_length is {agreed or 'not offered'}")
