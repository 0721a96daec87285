# SPDX-License-Identifier: Apache-2.0
"""An honest and strict registrar of pledges in responder mode (draft-ietf-anima-brski-prm §6.3, §7.3 to §7.5,
§7.9, §7.10)."""
import base64
import ssl

from cryptography import x509

from brski_peer import certs, forge, jws, prm, voucher, wire
from brski_peer.pledge import est_body
from brski_peer.server import Answer, Server

from .prm_registrar_judgement import Judgement
from .rules import Refused, Role, answered

TIMEOUT_S = 2
MASA_URL = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.32")


class Client:
    """A device that has been accepted."""

    def __init__(self, idevid, rvr):
        self.idevid, self.rvr, self.issued = idevid, rvr, None


class ReferencePrmRegistrar(Judgement, Role, Server):
    profiles = ("prm",)

    def __init__(self, lab, folder, rules, variant="plain"):
        Role.__init__(self, lab, folder, rules, variant)
        self.domain, self.identity = lab.domain, lab.domain.registrar
        self.sister = lab.domain.registrar_identity()
        Server.__init__(self, self.identity.cert_path, self.identity.key_path, any_client=True)
        self.agents = [lab.domain.agent.cert]
        self.devices = {}  # serial → Client
        self.addresses = {"https": ("127.0.0.1", self.port)}
        self.actions = {"know_agent": self.know_agent}

    def start(self):
        return Server.start(self)

    def stop(self):
        Server.stop(self)

    def know_agent(self, certificate):
        self.agents.append(forge.load_certs(certificate)[0])

    def lapses(self, rule, when=True):
        """Does the mutant go wrong here? The rule is met only then."""
        return when and not self.rule(rule)

    def log(self, request, what, serial):
        agent = forge.parse(request.peer_der).subject.rfc4514_string() if request.peer_der else "nobody"
        if not self.rule("logs who was there"):
            agent = serial = "somebody"
        self.write_log(f"{voucher.timestamp()} {what} of {serial} by {agent}")

    # -- HTTP

    def handle(self, request):
        return answered(self.route, request)

    def route(self, request):
        name = request.path.removeprefix(prm.BASE)
        method, handler = {"requestvoucher": ("POST", self.request_voucher),
                           "requestenroll": ("POST", self.request_enroll),
                           "wrappedcacerts": ("GET", self.wrapped_cas),
                           "voucher_status": ("POST", self.voucher_status),
                           "enrollstatus": ("POST", self.enroll_status)}.get(name, (None, None))
        if handler is None or self.lapses("has every endpoint", request.body == b"{}"):
            raise Refused(404, "There is nothing here.")
        if request.method != method:
            raise Refused(405, f"{method} only.", headers=[("Allow", method)])
        self.judge_client(request)
        self.judge_types(name, request)
        return handler(request)

    # -- voucher

    def request_voucher(self, request):
        box, pvr = self.read(request, "requestvoucher")
        idevid = self.judge_pvr(box, pvr, request)
        serial = pvr["serial-number"]
        self.log(request, "voucher-request", serial)
        agent = self.agent_chain(pvr)
        rvr = self.make_rvr(request.body, pvr, idevid, agent)
        octets = self.ask_masa(idevid, rvr)
        self.devices[serial] = Client(idevid, rvr)
        kind = prm.VOUCHER_TYPE if self.rule("answers in the type of the request") else prm.JOSE_TYPE
        return Answer(200, self.countersigned(octets), kind)

    def agent_chain(self, pvr):
        """Of the agent that has signed."""
        signed = jws.parse(base64.b64decode(pvr[prm.SIGNED_DATA])).signatures[0]
        agent = signed.signer(self.agents) or self.agents[0]
        return certs.Identity(None, agent, [self.domain.issuing.cert, self.domain.root])

    def signer(self, rule):
        """The key it shows; a sister's when the rule is off."""
        return self.identity if self.rule(rule) else self.sister

    def make_rvr(self, prior, pvr, idevid, agent):
        fields = prm.rvr_fields(prior, agent, idevid)
        if self.lapses("dates its request"):
            del fields[prm.CREATED]
        if self.lapses("copies the nonce"):
            fields["nonce"] = voucher.new_nonce()
        if self.lapses("copies the serial-number"):
            fields["serial-number"] = fields["serial-number"].lower()
        if self.lapses("names the issuer of the IDevID"):
            del fields["idevid-issuer"]
        if self.lapses("says agent-proximity"):
            fields["assertion"] = "proximity"
        if self.lapses("hands on the octets of the pledge's request"):
            fields["prior-signed-voucher-request"] = forge.b64(prior + b"\n")
        if self.lapses("shows the MASA the agent's chain"):
            fields["agent-sign-cert"] = fields["agent-sign-cert"][0]
        return prm.sign_rvr(fields, self.signer("signs its request with the key it shows"))

    def ask_masa(self, idevid, rvr):
        """The octets of the voucher."""
        url = idevid.extensions.get_extension_for_oid(MASA_URL).value.value
        host, _, port = url[2:].decode().partition(":")
        context = ssl.create_default_context(cafile=str(self.lab.maker.file("root.crt")))
        if self.rule("shows the MASA its certificate"):
            context.load_cert_chain(self.identity.cert_path, self.identity.key_path)
        kind = prm.VOUCHER_TYPE if self.rule("asks in the type of the pledge's request") else prm.JOSE_TYPE
        accept = prm.VOUCHER_TYPE if self.rule("accepts the type of the pledge's request only") else "*/*"
        try:
            with wire.Connection(int(port), host, context=context, sni=host, timeout=TIMEOUT_S) as connection:
                reply = connection.post(prm.BASE + "requestvoucher", rvr, kind, [("Accept", accept)])
        except (wire.Closed, OSError) as e:
            later = [("Retry-After", "5")] if self.rule("says when to come back") else []
            raise Refused(503, "The manufacturer cannot be reached.", headers=later) from e
        if reply.status != 200:
            raise Refused(502, "The manufacturer refuses.")
        try:
            jws.parse(reply.body)
        except ValueError as e:
            self.refuse("tells a voucher from other answers", True, 502, "The manufacturer answers strangely.")
            raise Refused(404, "no") from e
        return reply.body

    def countersigned(self, octets):
        if self.lapses("countersigns the voucher"):
            return octets
        if self.lapses("leaves the MASA's payload as it is"):
            box = jws.parse(octets)
            said = jws.json.dumps(jws.json.loads(box.payload)).encode()
            octets = jws.encode(said, jws.json.loads(octets)["signatures"])
        pin = forge.parse(base64.b64decode(prm.leaves(jws.parse(octets))["pinned-domain-cert"]))
        how = {}
        if self.lapses("ends its chain below the pinned certificate"):
            how["x5c"] = self.identity.chain(with_root=True)
        signer = self.signer("countersigns with the key it shows")
        made = prm.countersign(octets, signer, pin, **how)
        if self.lapses("signs the voucher as it is"):
            made = jws.flip_signature(made, 1)
        if self.lapses("keeps the MASA's signature"):
            members = jws.json.loads(made)
            members["signatures"].reverse()
            made = prm.to_json(members)
        return made

    # -- certificates

    def request_enroll(self, request):
        csr, client, serial = self.judge_per(*self.read(request, "requestenroll"))
        self.log(request, "enroll-request", serial)
        more = {}
        if self.lapses("keeps the serial-number in the certificate"):
            more["subject"] = certs.name("device")
        client.issued = forge.issue(self.domain.issuing, csr, **more)
        alone = self.rule("sends the new certificate alone")
        body = est_body(forge.certs_only([client.issued] if alone else [client.issued, self.domain.issuing.cert]))
        kind = prm.CERTS_TYPE if self.rule("names the type of certificates") else "application/pkix-cert"
        return Answer(200, body, kind)

    def wrapped_cas(self, _request):
        cas = [self.domain.issuing.cert, self.domain.root]
        signer = self.signer("signs CA certificates with the key it shows")
        made = prm.ca_bag(signer, cas)
        if self.lapses("writes a bag as specified"):
            made = prm.sign_json({"x5bag": [forge.b64(self.domain.issuing.der)]}, signer, x5c=[signer.cert])
        if self.lapses("ends the chain of a bag below the pinned certificate"):
            made = prm.ca_bag(signer, cas, x5c=signer.chain(with_root=True))
        if self.lapses("signs CA certificates"):
            made = jws.flip_signature(made)
        return Answer(200, made, prm.JOSE_TYPE if self.rule("names the type of CA certificates") else prm.JSON_TYPE)

    # -- reports

    def voucher_status(self, request):
        client, serial = self.judge_report(*self.read(request, "voucher_status"), "pvs-details")
        self.log(request, "voucher status", serial)
        if client and self.rule("asks for the audit log after the report"):
            self.ask_history(client)
        return Answer(200)

    def ask_history(self, client):
        url = client.idevid.extensions.get_extension_for_oid(MASA_URL).value.value
        host, _, port = url[2:].decode().partition(":")
        context = ssl.create_default_context(cafile=str(self.lab.maker.file("root.crt")))
        context.load_cert_chain(self.identity.cert_path, self.identity.key_path)
        with wire.Connection(int(port), host, context=context, sni=host, timeout=TIMEOUT_S) as connection:
            connection.post(prm.BASE + "requestauditlog", client.rvr, prm.VOUCHER_TYPE,
                            [("Accept", "application/json")])

    def enroll_status(self, request):
        _, serial = self.judge_report(*self.read(request, "enrollstatus"), "pes-details")
        self.log(request, "enroll status", serial)
        return Answer(200)
