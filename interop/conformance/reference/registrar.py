# SPDX-License-Identifier: Apache-2.0
"""An honest and strict registrar over HTTPS: vouchers and telemetry here (RFC 8995 §5.2 to §5.8), what
pledges may send in pledge_rules.py, the MASA in masa_leg.py, EST in est.py."""
import json
import socket

from brski_peer import cms, forge, voucher
from brski_peer.server import Answer, Server

from ..lab import Domain
from ..trial_masa import leads_to
from . import pledge_rules
from .announce import PERIOD_S, RegistrarAnnounced
from .cmp_side import CmpSide
from .est import Est
from .forms import FORMS, REQUEST, CmsForm, Unreadable, names_certificate, proximity
from .jws_form import JwsForm, written
from .masa_leg import BRSKI, MasaLeg
from .registrar_coap import CoapSide, JoinPort
from .registrar_coap_links import GROUP, Announcer
from .rules import Refused, Role, answered
from .tls import Shown
from .upstream import UpstreamEst

EST = "/.well-known/est/"
IGNORED = ("pinned-domain-cert", "last-renewal-date", "domain-cert-revocation-checks")


class Client:
    """What a registrar remembers of a device, by its certificate."""

    def __init__(self):
        self.form = None      # CMS or COSE
        self.pvr = None       # of the voucher it asked for last
        self.voucher = None   # the answer to that
        self.rvr = None       # what the MASA was asked
        self.trusted = False  # EST is open to it
        self.connection = None  # over which it asked, by number
        self.bad = False      # its history is not to be forgiven


class ReferenceRegistrar(Role, MasaLeg, Server):
    variants = ("asking", "older-devices", "self-signed", "rollover", "upstream", "announcing")
    profiles = ("rfc8995", "8366bis", "cbrski", "est", "est-coaps", "jws", "ae", "discovery")

    options = {"suite": {"flood_s": PERIOD_S}}

    def __init__(self, lab, folder, rules, variant="plain", words=()):
        Role.__init__(self, lab, folder, rules, variant)
        self.domain = Domain(folder / "domain")
        if variant == "self-signed":
            made = forge.certs.make_registrar(None, cn="alone")
            self.domain.registrar = self.domain.saved(made)
        shown = self.domain.registrar
        Server.__init__(self, shown.cert_path, shown.key_path, any_client=True)
        self.identity, self.shown = shown, Shown(self.domain, rules)
        self.clients = {}       # certificate → Client
        self.approved, self.rejected = set(), set()
        self.cmp = CmpSide(self)
        self.est = UpstreamEst(self, words["upstream"]) if variant == "upstream" else Est(self)
        self.coap, self.join_port = CoapSide(self), JoinPort(self)
        self.announcer = Announcer(rules, self.coap.port, self.join_port.port)
        ports = {"https": self, "coaps": self.coap, "jpy": self.join_port, "discovery": self.announcer}
        self.addresses = {kind: ("127.0.0.1", server.port) for kind, server in ports.items()}
        self.addresses["discovery_group"] = (GROUP, self.announcer.port)
        self.beside = [self.coap, self.join_port, self.announcer]
        if variant == "announcing":
            self.beside.append(RegistrarAnnounced(self))
            self.addresses |= self.beside[-1].addresses
        self.files = {"domain_ca": self.domain.file("issuing.crt"),
                      "domain_root": self.domain.file("root.crt")}
        self.actions = {"approve": lambda serial: self.approved.add(serial),
                        "reject": lambda serial: self.rejected.add(serial)}

    def start(self):
        for beside in self.beside:
            beside.start()
        return Server.start(self)

    def stop(self):
        for beside in self.beside:
            beside.stop()
        Server.stop(self)

    # -- HTTP

    def tls_context(self):
        return self.shown.context()

    def _serve(self, raw, number):
        if raw.recv(1, socket.MSG_PEEK) == b"G" and not self.rule("speaks TLS only"):
            raw.sendall(Answer(200, b"in clear").octets())
            raw.close()
            return
        super()._serve(raw, number)

    def handle(self, request):
        given = request.header("authorization")
        if given and self.rule("keeps credentials out of its log"):
            given = "something in Authorization"
        self.write_log(f"{request.method} {request.path} {given or ''}")
        answer = answered(self.route, request)
        in_words = (answer.content_type or "").startswith("text/")
        if answer.status >= 400 and in_words and not self.rule("says why it refuses"):
            answer.body = b""
        return answer

    def route(self, request):
        routes = {BRSKI + "requestvoucher": ("POST", self.request_voucher),
                  BRSKI + "voucher_status": ("POST", self.voucher_status),
                  BRSKI + "enrollstatus": ("POST", self.enrollstatus), **self.est.routes(),
                  **self.cmp.routes()}
        label, _, operation = request.path.removeprefix(EST).partition("/")
        if {EST + label, EST + operation} <= set(routes) and not self.rule("has no label that is an operation's name"):
            request.path = EST + operation
        if request.path not in routes:
            self.refuse("has nothing at other paths", True, 404, "There is nothing here.")
            return Answer(200)
        method, handler = routes[request.path]
        self.refuse(f"answers {method} only", request.method != method, 405, f"{method} only.",
                    headers=[("Allow", method)])
        return handler(request)

    # -- who asks

    def client(self, request):
        """What is remembered of the device with an IDevID of a manufacturer that is trusted."""
        if not request.peer_der:
            self.refuse("asks devices for a certificate", True, 403, "Show a certificate.")
            self.guess(request)
        chain = [forge.parse(der) for der in request.peer_chain]
        roots = [self.lab.maker.root, self.lab.cautious.root]
        self.refuse("knows its manufacturers", not leads_to(forge.parse(request.peer_der), chain, roots),
                    403, "This device's manufacturer is not trusted here.")
        pledge_rules.idevid(self, forge.parse(request.peer_der))
        return self.clients.setdefault(request.peer_der, Client())

    @staticmethod
    def guess(request):
        """A mutant's: whoever signed it will have sent it."""
        box = cms.parse(request.body)
        request.peer_der = forge.der(box.signer())
        request.peer_chain = [request.peer_der, *map(forge.der, box.certs)]

    # -- vouchers

    def request_voucher(self, request):
        kind = (request.header("content-type") or "").split(";")[0].strip().lower()
        client = self.client(request)
        self.refuse("knows the media types it reads", kind not in FORMS, 415, f"{kind} is not read here.")
        client.connection = request.connection
        pledge_rules.headers(self, request)
        form = FORMS.get(kind, CmsForm)
        if form is CmsForm:
            request.body = pledge_rules.container(self, request.body)
        octets = self.voucher_for(form, request, client)
        if octets is None:
            return Answer(202, headers=[("Retry-After", "1")])
        return Answer(200, octets, form.media_type)

    def voucher_for(self, form, request, client):
        """The voucher for a request, however it came; None: the admin has not decided yet."""
        pvr = self.read(form, request)
        self.judge(form, pvr, forge.parse(request.peer_der))
        if self.waits(request, client):
            return None
        if client.bad:
            self.refuse("says 406 to a bad history", True, 406, "Your history forbids it.")
            raise Refused(403, "No.")
        if client.pvr != request.body or client.voucher is None:
            client.form, client.rvr = form, self.own_request(form, request, pvr)
            client.voucher = self.ask_masa(form, request, client.rvr)
            self.looked_at(form, client.rvr, client.voucher)
            client.pvr = request.body
        client.trusted = True
        return self.handed_on(form, client.voucher)

    def read(self, form, request):
        """The pledge's request, its signature verified, nothing else."""
        shown = [forge.parse(request.peer_der)]
        try:
            message = form.read(request.body, shown)
        except Unreadable as e:
            raise Refused(400, "That cannot be read.") from e
        if form is JwsForm:
            self.judge_jws(message)
        self.refuse("wants a voucher-request", message.container != REQUEST, 400, "That is no voucher-request.")
        if form is CmsForm:
            pledge_rules.own_type(self, request.body)
        if message.signer is None:
            rule = "verifies the pledge's signature"
            if form is CmsForm:
                rule = pledge_rules.broken_signature(request.body, shown)
            self.refuse(rule, True, 403, "The signature does not hold.")
            message.signer = shown[0] if rule == "wants a signer" else form.named_signer(request.body, shown)
        return message

    def judge_jws(self, message):
        """Its container, whatever it says."""
        flaw = JwsForm.flaw(message.octets)
        if flaw:
            self.refuse(flaw, True, 400, "That is no voucher-request in JWS.")
            message.signer = JwsForm.named_signer(message.octets)
        if JwsForm.is_escaped(message.octets) and not self.rule("reads escaped slashes in x5c"):
            raise Refused(400, "No backslashes, please.")

    def judge(self, form, pvr, idevid):
        """Everything that can be said of a request without asking anybody."""
        self.refuse("takes a request signed by the device that asks only", pvr.signer != idevid, 403,
                    "Another device signed this.")
        self.refuse("takes the serial-number of the IDevID only",
                    pvr.fields.get("serial-number") != pledge_rules.serial_of(self, idevid), 403,
                    "The serial-number is not that of your certificate.")
        fields = pvr.fields
        if form is CmsForm:
            pledge_rules.members(self, fields)
            pledge_rules.assertion(self, fields)
            fields = pledge_rules.proximity_form(self, fields)
        named = proximity(form, fields)
        names_us = bool(named) and self.is_us(named[-1])
        contradicts = names_us and not self.is_us(named[0])
        self.refuse("considers the hash of the key before the certificate", contradicts, 401,
                    "You have seen another key.", close=True)
        self.refuse("takes only its own certificate as proximity", not names_us, 401,
                    "You have seen another registrar.", close=True)
        has_ignored = any(name in pvr.fields for name in IGNORED)
        if has_ignored and not self.rule("passes over leaves a pledge has no business with"):
            raise Refused(400, "A request has no such leaf.")

    def is_us(self, named):
        return any(names_certificate(*named, forge.parse(der)) for der in self.shown.ders)

    def waits(self, request, client):
        """Devices of the cautious manufacturer wait for the admin."""
        idevid = forge.parse(request.peer_der)
        serial = pledge_rules.serial_of(self, idevid)
        if serial in self.rejected:
            self.refuse("turns rejected devices away", True, 404, "This device is not wanted here.")
        if idevid.issuer != self.lab.cautious.issuing.cert.subject:
            return False
        if serial in self.approved:
            return not self.rule("remembers a request that waits")
        return self.rule("lets nobody in before the admin does")

    # -- towards the MASA

    def own_request(self, form, request, pvr):
        """The signed request to the MASA around the pledge's."""
        fields = form.rvr_fields(request.body, forge.parse(request.peer_der))
        fields["serial-number"] = pledge_rules.serial_of(self, forge.parse(request.peer_der))
        if not self.rule("puts the pledge's request into its own"):
            fields.pop("prior-signed-voucher-request")
        if not self.rule("copies the nonce"):
            fields["nonce"] = form.new_nonce()
        if not self.rule("leaves proximity-registrar-cert out of its own request"):
            fields["proximity-registrar-cert"] = form.leaf(self.identity.der)
        if fields["idevid-issuer"] is None:
            if self.rule("makes an issuer of the key where none is named"):
                fields["idevid-issuer"] = form.leaf(forge.aki_of_key(forge.parse(request.peer_der)))
        elif not self.rule("names the issuer of the IDevID"):
            fields.pop("idevid-issuer")
        if not self.rule("dates its request"):
            fields["created-on"] = voucher.timestamp(seconds=-7200)
        if not self.rule("carries the assertion on"):
            fields.pop("assertion", None)
        signer = self.identity
        if form is CmsForm and not self.rule("signs with a certificate for registration authorities"):
            signer = self.domain.registrar_identity(eku=[forge.certs.SERVER_AUTH])
        if form is JwsForm:
            return written(self, voucher.REQUEST, fields, signer, signer.chain(with_root=True))
        if form is not CmsForm:
            shown = request.peer_chain if self.rule("sends the device's chain to the MASA") else []
            return form.sign_rvr(fields, signer, shown)
        return self.signed_request(fields, signer)

    def signed_request(self, fields, signer):
        """Its own request in CMS."""
        if not self.rule("signs with the key it shows"):
            signer = self.lab.other_domain.registrar
        chain = signer.chain(with_root=True)
        if len(chain) == 1 and not self.rule("works with a certificate of its own"):
            raise Refused(500, "Who has issued this?")
        if not self.rule("sends its chain to the MASA"):
            chain = chain[:1]
        if not self.rule("sends nothing but its chain"):
            chain = [*chain, self.lab.other_domain.root]
        kind = cms.JSON_VOUCHER if self.rule("signs under the type of vouchers") else cms.ID_DATA
        return forge.sign_request(fields, signer, certs=chain, content_type=kind)

    def handed_on(self, form, octets):
        if form is not CmsForm or self.rule("hands the voucher on untouched"):
            return octets
        return cms.to_ber(octets)  # the same for most readers

    # -- telemetry, and what follows from it

    def report(self, request):
        try:
            said = json.loads(request.body)
            if not isinstance(said, dict) or said["version"] != 1 and not self.rule("takes reports of later versions"):
                raise ValueError
            return said
        except (KeyError, ValueError) as e:
            raise Refused(400, "That is no report.") from e

    def voucher_status(self, request):
        said = self.report(request)
        self.reported(request, self.client(request), said)
        return Answer(200)

    def reported(self, request, client, _report):
        """A report on the voucher came, however: what there is to do after it."""
        if client.rvr and self.rule("asks for the audit log after the report"):
            self.history(request, client)

    def enrollstatus(self, request):
        if not request.peer_der:
            raise Refused(403, "Show a certificate.")
        self.report(request)
        kind = "IDevID" if leads_to(forge.parse(request.peer_der), [], [self.lab.maker.issuing.cert]) else "LDevID"
        over = f" over {kind}" if self.rule("logs which certificate brought enrollstatus") else ""
        self.write_log(f"enrollstatus{over}")
        return Answer(200 if self.rule("answers enrollstatus") else 500)
