# SPDX-License-Identifier: Apache-2.0
"""A pledge in responder mode under test: a registrar-agent of ours talks to it.

Actions of a target file: factory, the device is as it left the factory, with this IDevID ({serial} {key}
{certificate} {anchors} {registrar}); one with an IDevID that the suite cannot choose, [device], does without
when it forgets what it was told by the next trigger. Addresses: http (host:port, no TLS); mdns, where it answers
DNS-SD questions, the multicast group when the file does not say. Variants: clockless, it does not know
the time; combined, it seeks the registrar at {registrar} as well.
"""
import dataclasses
import threading

from brski_peer import certs, forge, jws, mdns, prm, voucher
from brski_peer.pledge import est_body
from brski_peer.server import Answer, Server

from .core import Skipped, Wrong
from .lab import Device
from .trial import Trial
from .trial_masa import leads_to


@dataclasses.dataclass
class Triggered:
    """A pledge that has been asked for its requests."""
    device: object
    fields: dict         # the leaves of its voucher-request
    registrar: object    # the registrar it was told of
    csr: object = None   # x509 request, after the enroll-trigger


class SlowRegistrar(Server):
    """Says nothing to whoever asks for a voucher."""

    def __init__(self, identity, host, patience):
        super().__init__(identity.cert_path, identity.key_path, host=host, any_client=True)
        self.patience, self.asked = patience, threading.Event()

    def handle(self, request):
        self.asked.set()
        return Answer(202, headers=[("Retry-After", "60")], delay=self.patience)


class PrmPledgeTrial(Trial):
    @property
    def registrar(self):
        """Who signs for the domain."""
        return self.lab.domain.registrar

    # -- devices

    def factory(self, registrar=None):
        """The pledge as new; returns the Device. registrar: URL of one it may seek."""
        device = self.new_device()
        words = {"serial": device.serial, "key": device.identity.key_path,
                 "certificate": device.identity.cert_path, "anchors": device.manufacturer.anchors}
        if self.can("factory") or not self.target.settings.get("device"):
            self.do("factory", registrar=registrar or "", **words)
        return device

    def new_device(self):
        fixed = self.target.settings.get("device")
        if not fixed:
            return self.lab.device("masa.example")
        key, certificate = (self.instance.fill(fixed[k]) for k in ("key", "certificate"))
        identity = forge.load(key, certificate)
        return Device(self.lab.maker, identity, voucher.serial_of(identity.cert))

    @property
    def masa(self):
        """Who signs vouchers: the manufacturer's, or of [device] masa_key, masa_certificate."""
        fixed = self.target.settings.get("device")
        if not fixed:
            return self.lab.maker.signer
        return forge.load(*(self.instance.fill(fixed[k]) for k in ("masa_key", "masa_certificate")))

    # -- talking to the target

    def post(self, endpoint, body, content_type, accept=None, **how):
        host, port = self.instance.address("http")
        with self.connect(port, host=host, clear=True) as connection:
            headers = [("Accept", accept)] if accept else []
            return connection.request(how.get("method", "POST"), prm.BASE + endpoint, body, content_type, headers)

    def trigger(self, device, agent=None, registrar=None, **changes):
        """The body for tpvr. changes: of the data the agent signs."""
        agent = agent or self.lab.domain.agent
        data = prm.agent_signed_data(agent, device.serial, **changes)
        return prm.trigger((registrar or self.registrar).der, data)

    def ask_pvr(self, device=None, **changes):
        return self.post("tpvr", self.trigger(device or self.factory(), **changes), prm.JSON_TYPE,
                         prm.VOUCHER_TYPE)

    def serves(self):
        return self.ask_pvr().status == 200

    def ask_per(self):
        return self.post("tper", prm.enroll_trigger(), prm.JSON_TYPE, prm.JOSE_TYPE)

    def triggered(self, device=None, registrar=None, **changes):
        """A pledge that has given its voucher-request."""
        device = device or self.factory()
        reply = self.ask_pvr(device, registrar=registrar, **changes)
        self.status(reply, 200, why="tpvr")
        return Triggered(device, self.fields_of(reply), registrar or self.registrar)

    def enrolling(self, asked=None):
        """The same, and its enroll-request."""
        asked = asked or self.triggered()
        reply = self.ask_per()
        self.status(reply, 200, why="tper")
        asked.csr = prm.csr_of(reply.body)
        return asked

    def supply(self, octets):
        """A voucher; returns the answer."""
        return self.post("svr", octets, prm.VOUCHER_TYPE, prm.JOSE_TYPE)

    def voucher(self, asked, pin=None, masa=None, how=None, **changes):
        """An honest voucher without the registrar's signature. how: of the signing."""
        fields = {"created-on": voucher.timestamp(), "nonce": asked.fields["nonce"],
                  "assertion": "agent-proximity", "serial-number": asked.device.serial,
                  "pinned-domain-cert": forge.b64(forge.der(pin or self.pin))}
        return jws.sign_voucher(forge.changed(fields, changes), masa or self.masa, **(how or {}))

    @property
    def pin(self):
        return self.lab.domain.issuing.cert

    def countersigned(self, asked, registrar=None, **changes):
        return prm.countersign(self.voucher(asked, **changes), registrar or self.registrar, self.pin)

    def with_voucher(self, asked=None):
        """A pledge that has taken its voucher."""
        asked = asked or self.triggered()
        self.taken(self.supply(self.countersigned(asked)), "an honest voucher")
        return asked

    def cas(self, *more, signer=None, **how):
        """caCerts of the domain."""
        found = [self.pin, self.lab.domain.root, *more]
        return prm.ca_bag(signer or self.registrar, found, **how)

    def supply_cas(self, octets):
        return self.post("scac", octets, prm.JOSE_TYPE)

    def ready(self):
        """A pledge that waits for its certificate."""
        asked = self.with_voucher(self.enrolling())
        self.status(self.supply_cas(self.cas()), 200, 204, why="CA certificates of the registrar")
        return asked

    def supply_certificate(self, cert):
        return self.post("ser", est_body(forge.certs_only([cert])), prm.CERTS_TYPE, prm.JOSE_TYPE)

    def certificate(self, asked, ca=None, **more):
        return forge.issue(ca or self.lab.domain.issuing, asked.csr, **more)

    def twin_ca(self):
        """A second CA below the domain's root."""
        root = forge.load(self.lab.domain.file("root.key"), self.lab.domain.file("root.crt"))
        return certs.make_ca("Domain Twin", root, path_length=0)

    def ask_status(self, device, kind="bootstrap", agent=None, **changes):
        trigger = prm.status_trigger(agent or self.lab.domain.agent, device.serial, kind, **changes)
        reply = self.post("qps", trigger, prm.JOSE_TYPE, prm.JOSE_TYPE)
        if reply.status == 404:
            self.skip("the pledge cannot be asked for its status")
        return reply

    # -- judging

    def opened(self, reply):
        """(jws.Jws, its leaves) of an answer."""
        try:
            return prm.opened(reply.body)
        except ValueError as e:
            raise Wrong(f"the answer is no JWS in the General JSON Serialization: {e}") from e

    def fields_of(self, reply):
        return self.opened(reply)[1]

    def signed_by(self, reply, identity, what):
        """The one signature of an answer is of this key, and its x5c begins with this certificate."""
        box, _ = self.opened(reply)
        self.equal(len(box.signatures), 1, f"the number of signatures of {what}")
        found = box.signatures[0].certs
        self.need(found and forge.der(found[0]) == identity.der,
                  f"x5c of {what} does not begin with the certificate of its signer")
        self.holds(box.signatures[0], what)

    def holds(self, signature, what):
        """Returns the signer's certificate."""
        try:
            return signature.verify(typ=signature.header.get("typ"))
        except Exception as e:
            raise Wrong(f"the signature of {what} does not hold: {e}") from e

    def report(self, reply, details):
        """The leaves of a status that came with 200."""
        self.status(reply, 200, why="a report comes with 200, whatever it says")
        said = self.fields_of(reply)
        self.equal(said.get("version"), 1, "the version of the report")
        self.need(isinstance(said.get("status"), bool), "status of the report is no boolean")
        self.need(isinstance(said.get("reason-context"), dict), "the report has no reason-context")
        self.need(details in said["reason-context"],
                  f"reason-context is {said['reason-context']!r}, without {details}")
        return said

    def taken(self, reply, why):
        """Whatever is not what a check is about: status true."""
        self.status(reply, 200, why=why)
        said = self.fields_of(reply)
        self.need(said.get("status") is True, f"{why} is not taken: {said}")

    def not_taken(self, reply, why):
        """An error status, or a report that says false."""
        if 400 <= reply.status < 600:
            return
        self.status(reply, 200, why=why)
        self.need(self.fields_of(reply).get("status") is False, f"the report says that all is well: {why}")

    @staticmethod
    def leads_to(cert, candidates, anchor):
        return leads_to(cert, candidates, [anchor])

    # -- discovery

    def mdns_records(self, name, kind):
        try:
            address = self.instance.address("mdns")
        except Skipped:
            address = mdns.GROUP
        self.record("sent", "mDNS question", ".".join(name))
        found = mdns.ask(address, name, kind, self.session.patience / 2)
        self.record("received", f"{len(found)} mDNS records", "\n".join(map(str, found)))
        return found

    # -- registrars

    def slow_registrar(self):
        """One that a pledge with both modes may find."""
        server = SlowRegistrar(self.registrar, self.target.suite_bind, self.session.patience)
        self.later(server.stop)
        return self.watch(server.start(), "the registrar")
