# SPDX-License-Identifier: Apache-2.0
"""An honest and strict registrar over HTTPS: vouchers and telemetry here (RFC 8995 §5.2 to §5.8), EST in
est.py."""
import base64
import json
import ssl

from brski_peer import cms, forge, voucher, wire
from brski_peer.server import Answer, Server

from ..lab import Domain
from ..trial_masa import leads_to
from .est import Est
from .rules import Refused, Role, answered

CMS_TYPE = "application/voucher-cms+json"
BRSKI = "/.well-known/brski/"
EST = "/.well-known/est/"
IGNORED = ("pinned-domain-cert", "last-renewal-date", "domain-cert-revocation-checks")
RELAYED = (401, 403, 404, 406, 415)  # of the MASA: the pledge gets the same


class Client:
    """What a registrar remembers of a device, by its certificate."""

    def __init__(self):
        self.pvr = None       # of the voucher it asked for last
        self.voucher = None   # the answer to that
        self.rvr = None       # what the MASA was asked
        self.trusted = False  # EST is open to it


class ReferenceRegistrar(Role, Server):
    def __init__(self, lab, folder, rules, variant="plain"):
        Role.__init__(self, lab, folder, rules, variant)
        self.domain = Domain(folder / "domain")
        shown = self.domain.registrar
        Server.__init__(self, shown.cert_path, shown.key_path, any_client=True)
        self.identity = shown
        self.clients = {}       # certificate → Client
        self.approved, self.rejected = set(), set()
        self.est = Est(self)
        self.addresses = {"https": ("127.0.0.1", self.port)}
        self.files = {"domain_ca": self.domain.file("issuing.crt"),
                      "domain_root": self.domain.file("root.crt")}
        self.actions = {"approve": lambda serial: self.approved.add(serial),
                        "reject": lambda serial: self.rejected.add(serial)}

    def start(self):
        return Server.start(self)

    def stop(self):
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
        client = self.client(request)
        kind = (request.header("content-type") or "").split(";")[0].strip().lower()
        self.refuse("knows the media types it reads", kind != CMS_TYPE, 415, f"{kind} is not read here.")
        pvr = self.read(request)
        self.judge(pvr, forge.parse(request.peer_der))
        if self.waits(request, client):
            return Answer(202, headers=[("Retry-After", "1")])
        if client.pvr != request.body or client.voucher is None:
            client.rvr = self.own_request(request, pvr)
            client.voucher = self.ask_masa(request, client.rvr)
            client.pvr = request.body
        client.trusted = True
        return Answer(200, self.handed_on(client.voucher), CMS_TYPE)

    def read(self, request):
        """The pledge's request, its signature verified, nothing else."""
        try:
            box = cms.parse(request.body)
            top, fields = voucher.decode(box.payload)
        except Exception as e:
            raise Refused(400, "That cannot be read.") from e
        if top != voucher.REQUEST:
            raise Refused(400, "That is no voucher-request.")
        try:
            signer = box.verify([forge.parse(request.peer_der)])
        except Exception as e:
            self.refuse("verifies the pledge's signature", True, 403, "The signature does not hold.")
            signer = box.signer() or forge.parse(request.peer_der)
            if signer is None:
                raise Refused(403, "There is no signer.") from e
        return forge.Read(top, fields, signer, box.certs, box.content_type, 3, box.payload)

    def judge(self, pvr, idevid):
        """Everything that can be said of a request without asking anybody."""
        self.refuse("takes a request signed by the device that asks only", pvr.signer != idevid, 403,
                    "Another device signed this.")
        self.refuse("takes the serial-number of the IDevID only",
                    pvr.fields.get("serial-number") != voucher.serial_of(idevid), 403,
                    "The serial-number is not that of your certificate.")
        self.refuse("takes only its own certificate as proximity", not self.names_us(pvr), 401,
                    "You have seen another registrar.", close=True)
        has_ignored = any(name in pvr.fields for name in IGNORED)
        if has_ignored and not self.rule("passes over leaves a pledge has no business with"):
            raise Refused(400, "A request has no such leaf.")

    def names_us(self, pvr):
        named = pvr.fields.get("proximity-registrar-cert") or ""
        try:
            return base64.b64decode(named, validate=True) == self.identity.der
        except ValueError:
            return False

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

    def own_request(self, request, pvr):
        """The signed request to the MASA around the pledge's."""
        fields = forge.rvr_fields(request.body, forge.parse(request.peer_der))
        if not self.rule("puts the pledge's request into its own"):
            fields.pop("prior-signed-voucher-request")
        if not self.rule("copies the nonce"):
            fields["nonce"] = voucher.new_nonce()
        if not self.rule("leaves proximity-registrar-cert out of its own request"):
            fields["proximity-registrar-cert"] = pvr.fields["proximity-registrar-cert"]
        if not self.rule("names the issuer of the IDevID"):
            fields.pop("idevid-issuer")
        if not self.rule("dates its request"):
            fields["created-on"] = voucher.timestamp(seconds=-7200)
        signer = self.identity
        if not self.rule("signs with a certificate for registration authorities"):
            signer = self.domain.registrar_identity(eku=[forge.certs.SERVER_AUTH])
        return forge.sign_request(fields, signer, certs=signer.chain(with_root=True))

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

    def ask_masa(self, request, rvr):
        connection, base = self.masa(forge.parse(request.peer_der))
        with connection:
            try:
                reply = connection.post(base + "/requestvoucher", rvr, CMS_TYPE, [("Accept", CMS_TYPE)])
            except (wire.Closed, OSError, ValueError, AssertionError) as e:
                raise Refused(502, "The manufacturer answers strangely.") from e
        if reply.status in RELAYED:
            raise Refused(reply.status, "The manufacturer refuses.")
        if reply.status != 200:
            raise Refused(502, "The manufacturer fails.")
        return reply.body

    def handed_on(self, octets):
        if self.rule("hands the voucher on untouched"):
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
        client = self.client(request)
        self.report(request)
        if client.rvr and self.rule("asks for the audit log after the report"):
            self.history(request, client)
        return Answer(200)

    def history(self, request, client):
        """The device's audit log: a domain that is not ours ends the trust."""
        connection, base = self.masa(forge.parse(request.peer_der))
        with connection:
            reply = connection.post(base + "/requestauditlog", client.rvr, CMS_TYPE,
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
