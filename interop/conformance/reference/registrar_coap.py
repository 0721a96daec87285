# SPDX-License-Identifier: Apache-2.0
"""The reference registrar over CoAPS (RFC 9148, draft-ietf-anima-constrained-voucher): another way in to
the same judgement as over HTTPS. Blocks are in registrar_coap_blocks.py, EST in registrar_coap_est.py,
how it is found in registrar_coap_links.py."""
import dataclasses
import traceback

import cbor2

from brski_peer import coap, constrained, cose, forge
from brski_peer.coap_server import Answer

from ..trial_masa import leads_to
from . import registrar_coap_links as links
from .forms import CoseForm
from .registrar_coap_blocks import Blocks, context
from .registrar_coap_est import CoapEst
from .rules import Refused

CODES = {400: "4.00", 401: "4.01", 402: "4.02", 403: "4.03", 404: "4.04", 405: "4.05", 406: "4.06", 413: "4.13",
         415: "4.15", 500: "5.00", 502: "5.02", 503: "5.03", 504: "5.04"}
MAX_AGE_S = 1
HEADER_SHORT = 12  # octets
ALGORITHMS = {cose.ES256, cose.EDDSA, cose.ES384}
STEPS = {constrained.BRSKI: ("rv", "vs", "es"), constrained.EST: ("crts", "sen", "sren", "skg", "att")}
SHORT_ROOTS = {"/b/": constrained.BRSKI, "/e/": constrained.EST}


@dataclasses.dataclass
class Asked:
    """A request as the registrar's judgement wants it."""
    peer_der: bytes
    peer_chain: list
    body: bytes
    connection: tuple


class CoapSide(CoapEst, Blocks):
    def __init__(self, registrar):
        super().__init__(registrar.domain.registrar)
        self.context = context(registrar.domain.registrar)
        self.registrar, self.rule, self.refuse = registrar, registrar.rule, registrar.refuse

    # -- which function, and errors

    def handle(self, request):
        try:
            return self.route(request)
        except Refused as e:
            pending = e.status == 503 and self.rule("says how long to wait over CoAP")
            options = [(coap.MAX_AGE, coap.uint(MAX_AGE_S))] if pending else []
            close = e.close and self.rule("ends the association of who is attacked")
            return Answer(CODES[e.status], e.why.encode()[:80], options=options, close=close)
        except Exception:
            return Answer("5.00", traceback.format_exc().encode()[-400:])

    def take_block(self, association, what, message):
        if self.registrar.variant == "upstream":
            self.registrar.est.block(message.payload, message.block(coap.BLOCK1)[1])
        return super().take_block(association, what, message)

    def route(self, request):
        link = request.link
        self.refuse("serves clients with a certificate only over CoAP", link.peer_der is None, 401,
                    "Show a certificate.", close=True)
        self.known_issuer(link)
        if request.path == links.PATH:
            return self.links(request)
        step = self.step_of(request)
        routes = {"rv": ("POST", self.voucher), "vs": ("POST", self.voucher_status),
                  "es": ("POST", self.enrollstatus), "crts": ("GET", self.crts), "skg": ("POST", self.keygen),
                  "sen": ("POST", self.enroll), "sren": ("POST", self.renew)}
        if step not in routes:
            if step == "att" and not self.rule("says 4.04 to what it does not have"):
                raise Refused(500, "Perhaps one day.")
            raise Refused(404, "There is nothing here.")
        method, handler = routes[step]
        self.refuse(f"answers {method} only over CoAP", request.method != method, 405, f"{method} only.")
        asked = Asked(link.peer_der, link.peer_chain, request.body, ("coap", request.connection))
        return handler(request, asked)

    def known_issuer(self, link):
        """A stranger's device is heard, and refused for what it asks; a mutant hangs up at once."""
        if link.peer_der is None:
            return
        lab, cert = self.registrar.lab, forge.parse(link.peer_der)
        roots = [lab.maker.root, lab.cautious.root, self.registrar.domain.root]
        chain = [self.registrar.domain.issuing.cert, *map(forge.parse, link.peer_chain)]
        known = leads_to(cert, chain, roots) or self.rule("hears devices of every issuer over CoAP")
        if not known:
            raise Refused(403, "Who are you?", close=True)

    def step_of(self, request):
        """The short name of the function asked for, by its path or by its number."""
        number = request.message.number(coap.ABBREV)
        if number is None:
            return self.step_by_path(request)
        steps = {n: step for step, n in constrained.ABBREVS.items()}
        beside = request.message.option(coap.URI_PATH) is not None
        if number not in steps or beside:
            return self.bad_option()
        if not self.rule("knows Uri-Path-Abbrev"):
            return None
        return steps[number]

    def step_by_path(self, request):
        if request.path == constrained.EST + "cacerts" and not self.rule("has no long names over CoAP"):
            return "crts"
        path = request.path
        for short, root in SHORT_ROOTS.items():
            if path.startswith(short) and self.rule("has short roots that do the same"):
                path = root + path.removeprefix(short)
        step = next((request.step for root, steps in STEPS.items()
                     if request.step in steps and path == root + request.step), None)
        here = step != "es" or self.is_ours(forge.parse(request.link.peer_der))
        return step if here or self.rule("has everything on one port") else None

    def is_ours(self, cert):
        return cert.issuer == self.registrar.domain.issuing.cert.subject

    def bad_option(self):
        if self.rule("refuses unknown abbreviations as a bad option"):
            raise BadOption
        return None

    def links(self, request):
        if not self.rule("answers discovery over CoAPS"):
            raise Refused(404, "There is nothing here.")
        return Answer("2.05", links.resources(self, request), constrained.LINK)

    def format_is(self, request, number):
        self.refuse("knows the formats it reads", request.content_format != number, 415,
                    f"Format {number}, please.")

    def accepted(self, request, *formats):
        """The format to answer in: the first of ours that is accepted."""
        if request.accept is None:
            return formats[0] if formats[0] != constrained.PKCS7_CERTS or self.rule("picks 281 by itself") \
                else constrained.PKIX_CERT
        self.refuse("obeys Accept", request.accept not in formats, 406, "Not in that format.")
        return request.accept if request.accept in formats else formats[0]

    # -- BRSKI

    def voucher(self, request, asked):
        client = self.registrar.client(asked)
        self.format_is(request, constrained.VOUCHER)
        self.accepted(request, constrained.VOUCHER)
        client.connection = asked.connection
        self.spelling(request.body)
        octets = self.registrar.voucher_for(CoseForm, asked, client)
        if octets is None:
            raise Refused(503, "Come back later.")
        if self.rule("strips certificates from vouchers over CoAP"):
            octets = self.stripped(octets)
        return Answer("2.04", octets, constrained.VOUCHER)

    def stripped(self, octets):
        """Without the certificates of its unprotected header, and nothing else missing."""
        box, kept = cose.parse(octets), cose.stripped(octets)
        more = set(box.unprotected) - {cose.X5BAG, cose.X5CHAIN}
        if not more or self.rule("leaves the other headers of a voucher alone"):
            return kept
        return cbor2.dumps(cbor2.CBORTag(cose.TAG_SIGN1, [box.protected_octets, {}, box.payload, box.signature]))

    def spelling(self, octets):
        """What others stumble over in a request, and what they should."""
        try:
            box = cose.parse(octets)
            ((_, entries),) = cbor2.loads(box.payload).items()
            tagged = any(isinstance(key, cbor2.CBORTag) for key in entries)
            headers, alg = set(box.unprotected), box.alg
        except Exception as e:
            raise Refused(400, "That cannot be read.") from e
        if tagged and not self.rule("reads every spelling of a leaf"):
            raise Refused(400, "SIDs are differences, please.")
        if headers and not self.rule("passes over the headers of a request"):
            raise Refused(400, "No headers, please.")
        self.refuse("reads the usual algorithms only", alg not in ALGORITHMS, 400, "That algorithm is not known.")

    def report(self, request):
        self.format_is(request, constrained.CBOR)
        try:
            said = cbor2.loads(request.body)
        except Exception as e:
            raise Refused(400, "That is no report.") from e
        good = (isinstance(said, dict) and type(said.get("version")) is int
                and isinstance(said.get("status"), bool))
        self.refuse("reads well-formed reports only", not good, 400, "That is no report.")
        if good and not said["status"] and "reason" not in said and not self.rule("takes a failure without a reason"):
            raise Refused(400, "Why?")
        return said

    def voucher_status(self, request, asked):
        self.registrar.reported(asked, self.registrar.client(asked), self.report(request))
        code = "2.04" if self.rule("answers a POST with 2.04") else "2.01"
        return Answer(code, b"" if self.rule("answers a report without words") else b"Thank you.")

    def enrollstatus(self, request, asked):
        self.report(request)
        if self.is_ours(forge.parse(asked.peer_der)) and not self.rule("takes reports over the new certificate"):
            raise Refused(403, "Who are you?")
        return Answer("2.04")


class JoinPort(CoapSide):
    """The same behind stateless join proxies: an array of header and content around each datagram."""

    def __init__(self, registrar):
        super().__init__(registrar)
        self.last = {}

    def _receive(self, datagram, address):
        try:
            items = cbor2.loads(datagram)
            header, content = items[:2]
            if not isinstance(items, list) or not isinstance(header, bytes) or not isinstance(content, bytes):
                raise ValueError("no byte strings")
        except Exception:  # whatever came
            if not self.rule("drops what is no array in silence"):
                self.socket.sendto(datagram, address)
            return
        if len(header) > HEADER_SHORT and not self.rule("takes headers of every size"):
            return
        if len(items) > 2 and not self.rule("passes over further elements of the array"):
            return
        self.last[address] = header
        key = header if self.rule("tells devices apart by their header") else b""
        super()._receive(content, (address, key))

    def transmit(self, datagram, address):
        to, header = address
        super().transmit(cbor2.dumps([header or self.last[to], datagram]), to)


class BadOption(Refused):
    """4.02, which HTTP has no word for."""

    def __init__(self):
        super().__init__(402, "Bad Option")
