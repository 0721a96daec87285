# SPDX-License-Identifier: Apache-2.0
"""A registrar-agent under test, between a pledge and a registrar of ours.

Actions of a target file; exit code 0: the device has been onboarded. onboard ({serial} {pledge} {registrar}
{key} {certificate} {anchors} {agent_state}): URLs of both, the agent's own key and certificate, the domain's
root, a folder of this run; discover, the same without {pledge}: the agent finds it by DNS-SD, from {mdns};
discover_named, the same for a manufacturer whose instance names are SERIAL.{domain}, or the serial number
alone; browse, it takes the one that it finds, without {serial}; status ({serial} {pledge} {kind} …), it asks the
pledge for its status. An agent with a certificate of its own says so: [agent] certificate. The suite answers
DNS-SD questions at [suite] mdns, "224.0.0.251:5353" for an agent that asks nowhere else.
"""
import ssl

from brski_peer import forge, jws, mdns, prm
from brski_peer.prm_peers import FakePledge, FakeRegistrar, signed_data

from .core import Wrong
from .trial import Trial
from .trial_masa import leads_to


class AgentTrial(Trial):
    """pledge, registrar: honest ones of ours (brski_peer.prm_peers), made when first asked for."""

    def __init__(self, subject, session):
        super().__init__(subject, session)
        self.device = self.lab.device("masa.example")
        self.pledge = FakePledge(self.device.identity, self.target.suite_bind)
        self.later(self.pledge.stop)
        self.watch(self.pledge.start(), "the pledge")
        self.registrar = self.new_registrar(self.lab.domain)
        self.said = ""

    def new_registrar(self, domain):
        server = FakeRegistrar(domain, self.lab.maker.signer, host=self.target.suite_bind)
        self.later(server.stop)
        return self.watch(server.start(), "the registrar")

    def old_registrar(self):
        """It knows TLS 1.1 and nothing later."""
        server = self.new_registrar(self.lab.domain)
        server.context.set_ciphers("ALL:@SECLEVEL=0")
        server.context.minimum_version = ssl.TLSVersion.TLSv1
        server.context.maximum_version = ssl.TLSVersion.TLSv1_1
        return server

    @property
    def agent_cert(self):
        """What the agent showed the registrar, else what it was given."""
        shown = [r.peer_der for r in self.registrar.seen() if r.peer_der]
        own = self.target.settings.get("agent")
        if shown:
            return forge.parse(shown[0])
        return forge.load_certs(self.instance.fill(own["certificate"]))[0] if own else self.lab.domain.agent.cert

    # -- running it

    @property
    def host(self):
        return "127.0.0.1" if self.target.suite_host == "localhost" else self.target.suite_host

    def run(self, action="onboard", registrar=None, **more):
        """Did it onboard the device?"""
        agent = self.lab.domain.agent
        registrar = registrar or f"https://{self.host}:{self.registrar.port}"
        self.record("admin", action, f"{self.device.serial} to {registrar}")
        code, self.said = self.instance.attempt(
            action, serial=self.device.serial, pledge=f"http://{self.host}:{self.pledge.port}",
            registrar=registrar, key=agent.key_path, certificate=agent.cert_path,
            anchors=self.lab.domain.file("root.crt"), agent_state=self.instance.state / "agents" / self.device.serial,
            **more)
        self.record("admin", f"exit {code}", self.said[-2000:])
        return code == 0

    def serves(self):
        return self.run()

    def onboards(self, **more):
        """It must."""
        self.need(self.run(**more), f"the agent does not onboard the device; it says: {self.said[-500:]!r}")

    def at_pledge(self, name):
        """The first request that came to this endpoint of the pledge, after one onboarding."""
        return self.request(self.pledge, name)

    def at_registrar(self, name):
        return self.request(self.registrar, name)

    def request(self, server, name):
        if not self.pledge.requests and not self.registrar.requests:
            self.run()
        found = server.one(name)
        if found is None:
            raise Wrong(f"nothing comes to {name}; the agent says: {self.said[-500:]!r}")
        return found

    def ask_status(self, kind="bootstrap"):
        """The (jws.Jws, leaves) of what comes to qps."""
        self.run("status", kind=kind)
        found = self.pledge.one("qps")
        self.need(found, f"nothing comes to qps; the agent says: {self.said[-500:]!r}")
        return prm.opened(found.body)

    # -- discovery

    def responder(self, label=None):
        """Our DNS-SD responder for the pledge; its address goes to the agent as {mdns}. label: the first of its
        instance name, the serial number by default."""
        label = label or self.device.serial
        text = self.target.settings.get("suite", {}).get("mdns", "127.0.0.1:0")
        host, _, port = text.rpartition(":")
        records = mdns.records_of(label, self.pledge.port, self.host)

        def answer(name):
            if mdns.same(name, mdns.BROWSED):
                return records
            return records[1:] if mdns.same(name, mdns.instance(label)) else []
        made = mdns.Responder(answer, (host, int(port)))
        made.__enter__()
        self.later(made.stop)
        return made

    # -- what the agent has signed

    def signed_data(self):
        """(jws.Jws, leaves) in the trigger."""
        body = self.at_pledge("tpvr").body
        try:
            return prm.opened(signed_data(body))
        except (ValueError, KeyError) as e:
            raise Wrong(f"agent-signed-data is no JWS in base64: {e}") from e

    def holds(self, signature, what, hints=()):
        try:
            return signature.verify(hints, typ=signature.header.get("typ"))
        except Exception as e:
            raise Wrong(f"the signature of {what} does not hold: {e}") from e

    def verified_by(self, signature, cert, what):
        """The signature is of this certificate's key, whatever the header says."""
        try:
            jws.raw_verify(cert.public_key(), signature.signature, signature.signed, signature.alg)
        except Exception as e:
            raise Wrong(f"the signature of {what} is not of the agent's key: {e}") from e

    @staticmethod
    def leads_to(cert, candidates, anchor):
        return leads_to(cert, candidates, [anchor])
