# SPDX-License-Identifier: Apache-2.0
"""An honest and strict registrar over HTTPS: vouchers and telemetry here (RFC 8995 §5.2 to §5.8), EST in
est.py."""
import json
import ssl

from brski_peer import cms, forge, voucher, wire
from brski_peer.server import Answer, Server

from ..lab import Domain
from ..trial_masa import leads_to
from .est import Est
from .forms import FORMS, REQUEST, CmsForm, Unreadable, names_certificate, proximity
from .registrar_coap import CoapSide
from .rules import Refused, Role, answered

BRSKI = "/.well-known/brski/"
EST = "/.well-known/est/"
IGNORED = ("pinned-domain-cert", "last-renewal-date", "domain-cert-revocation-checks")
RELAYED = (401, 403, 404, 406, 415)  # of the MASA: the pledge gets the same


class Client:
    """What a registrar remembers of a device, by its certificate."""

    def __init__(self):
        self.form = None      # CMS or COSE
        self.pvr = None       # of the voucher it asked for last
        self.voucher = None   # the answer to that
        self.rvr = None       # what the MASA was asked
        self.trusted = False  # EST is open to it


class ReferenceRegistrar(Role, Server):
    profiles = ("rfc8995", "8366bis", "cbrski", "est", "est-coaps")

    def __init__(self, lab, folder, rules, variant="plain"):
        Role.__init__(self, lab, folder, rules, variant)
        self.domain = Domain(folder / "domain")
        shown = self.domain.registrar
        Server.__init__(self, shown.cert_path, shown.key_path, any_client=True)
        self.identity = shown
        self.clients = {}       # certificate → Client
        self.approved, self.rejected = set(), set()
        self.est = Est(self)
        self.coap = CoapSide(self)
        self.addresses = {"https": ("127.0.0.1", self.port), "coaps": ("127.0.0.1", self.coap.port)}
        self.files = {"domain_ca": self.domain.file("issuing.crt"),
                      "domain_root": self.domain.file("root.crt")}
        self.actions = {"approve": lambda serial: self.approved.add(serial),
                        "reject": lambda serial: self.rejected.add(serial)}

    def start(self):
        self.coap.start()
        return Server.start(self)

    def stop(self):
        self.coap.stop()
        Server.stop(self)

    # -- HTTP

    def handle(self, request):
        return answered(self.route, request)

    def route(self, request):
        routes = {BRSKI + "requestvoucher": ("POST", self.request_voucher),
                  BRSKI + "voucher_status": ("POST", self.voucher_status),
                  BRSKI + "enrollstatus": ("POST", self.enrollstatus), **self.est.routes()}
        if request.path not in routes:
            raise Refused(404, "There is nothing here.")
        method, handler = routes[request.path]
        self.refuse(f"answers {method} only", request.method != method, 405, f"{method} only.",
                    headers=[("Allow", method)])
        return handler(request)

    # -- who asks

    def client(self, request):
        """What is remembered of the device with an IDevID of a manufacturer that is trusted."""
        if not request.peer_der:
            raise Refused(403, "Show a certificate.")
        chain = [forge.parse(der) for der in request.peer_chain]
        roots = [self.lab.maker.root, self.lab.cautious.root]
        self.refuse("knows its manufacturers", not leads_to(forge.parse(request.peer_der), chain, roots),
                    403, "This device's manufacturer is not trusted here.")
        return self.clients.setdefault(request.peer_der, Client())

    # -- vouchers

    def request_voucher(self, request):
        kind = (request.header("content-type") or "").split(";")[0].strip().lower()
        client = self.client(request)
        self.refuse("knows the media types it reads", kind not in FORMS, 415, f"{kind} is not read here.")
        form = FORMS.get(kind, CmsForm)
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
        if client.pvr != request.body or client.voucher is None:
            client.form, client.rvr = form, self.own_request(form, request, pvr)
            client.voucher = self.ask_masa(form, request, client.rvr)
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
        if message.container != REQUEST:
            raise Refused(400, "That is no voucher-request.")
        if message.signer is None:
            self.refuse("verifies the pledge's signature", True, 403, "The signature does not hold.")
            message.signer = form.named_signer(request.body, shown)
        return message

    def judge(self, form, pvr, idevid):
        """Everything that can be said of a request without asking anybody."""
        self.refuse("takes a request signed by the device that asks only", pvr.signer != idevid, 403,
                    "Another device signed this.")
        self.refuse("takes the serial-number of the IDevID only",
                    pvr.fields.get("serial-number") != voucher.serial_of(idevid), 403,
                    "The serial-number is not that of your certificate.")
        named = proximity(form, pvr.fields)
        names_us = bool(named) and names_certificate(*named[0], self.identity.cert)
        self.refuse("takes only its own certificate as proximity", not names_us, 401,
                    "You have seen another registrar.", close=True)
        has_ignored = any(name in pvr.fields for name in IGNORED)
        if has_ignored and not self.rule("passes over leaves a pledge has no business with"):
            raise Refused(400, "A request has no such leaf.")

    def waits(self, request, client):
        """Devices of the cautious manufacturer wait for the admin."""
        idevid = forge.parse(request.peer_der)
        serial = voucher.serial_of(idevid)
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
        if not self.rule("puts the pledge's request into its own"):
            fields.pop("prior-signed-voucher-request")
        if not self.rule("copies the nonce"):
            fields["nonce"] = form.new_nonce()
        if not self.rule("leaves proximity-registrar-cert out of its own request"):
            fields["proximity-registrar-cert"] = form.leaf(self.identity.der)
        if not self.rule("names the issuer of the IDevID"):
            fields.pop("idevid-issuer")
        if not self.rule("dates its request"):
            fields["created-on"] = voucher.timestamp(seconds=-7200)
        signer = self.identity
        if not self.rule("signs with a certificate for registration authorities"):
            signer = self.domain.registrar_identity(eku=[forge.certs.SERVER_AUTH])
        return form.sign_rvr(fields, signer, request.peer_chain)

    def masa_address(self, idevid):
        """(host, port, base path) of the extension in an IDevID."""
        value = forge.extension(idevid, forge.certs.MASA_URL_OID).value
        text = forge.certs.asn1.IA5String.load(value).native
        authority, _, path = text.removeprefix("https://").partition("/")
        host, _, port = authority.partition(":")
        return host, int(port or 443), f"/{path}".rstrip("/") or BRSKI.rstrip("/")

    def masa(self, idevid):
        """(connection, base path)"""
        host, port, base = self.masa_address(idevid)
        context = ssl.create_default_context(cafile=str(self.lab.maker.file("root.crt")))
        context.load_cert_chain(self.identity.cert_path, self.identity.key_path)
        if not self.rule("authenticates the MASA"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            return wire.Connection(port, host, context=context, sni=host, timeout=5), base
        except (wire.Closed, OSError) as e:
            raise Refused(503, "The manufacturer cannot be reached.") from e

    def ask_masa(self, form, request, rvr):
        connection, base = self.masa(forge.parse(request.peer_der))
        with connection:
            try:
                reply = connection.post(base + "/requestvoucher", rvr, form.media_type,
                                        [("Accept", form.media_type)])
            except (wire.Closed, OSError, ValueError, AssertionError) as e:
                raise Refused(502, "The manufacturer answers strangely.") from e
        if reply.status in RELAYED:
            raise Refused(reply.status, "The manufacturer refuses.")
        if reply.status != 200:
            raise Refused(502, "The manufacturer fails.")
        return reply.body

    def handed_on(self, form, octets):
        if form is not CmsForm or self.rule("hands the voucher on untouched"):
            return octets
        return cms.to_ber(octets)  # the same for most readers

    # -- telemetry, and what follows from it

    def report(self, request):
        try:
            said = json.loads(request.body)
            if not isinstance(said, dict):
                raise ValueError
            return said
        except ValueError as e:
            raise Refused(400, "That is no report.") from e

    def voucher_status(self, request):
        self.reported(request, self.client(request), self.report(request))
        return Answer(200)

    def reported(self, request, client, _report):
        """A report on the voucher came, however: what there is to do after it."""
        if client.rvr and self.rule("asks for the audit log after the report"):
            self.history(request, client)

    def history(self, request, client):
        """The device's audit log: a domain that is not ours ends the trust."""
        connection, base = self.masa(forge.parse(request.peer_der))
        with connection:
            reply = connection.post(base + "/requestauditlog", client.rvr, client.form.media_type,
                                    [("Accept", "application/json")])
        own = forge.domain_id(forge.der(self.domain.issuing.cert))
        events = json.loads(reply.body).get("events", []) if reply.status == 200 else []
        if any(e.get("domainID") != own for e in events) and self.rule("judges the history"):
            client.trusted = False

    def enrollstatus(self, request):
        if not request.peer_der:
            raise Refused(403, "Show a certificate.")
        self.report(request)
        return Answer(200)
