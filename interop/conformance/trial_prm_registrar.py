# SPDX-License-Identifier: Apache-2.0
"""A registrar of pledges in responder mode under test: a registrar-agent of ours in front of it, a MASA of
ours behind it.

The target is the registrar of the lab's domain, in its folder domain/, which has the agent too; one that is
of another site names in its target file, [agent] key and certificate, an agent that it takes. Its admin may
be told of further agents with the action know_agent ({certificate}), and of devices that may join with admit
({serial} {certificate}). Address: https.
"""
import contextlib
import time

from cryptography.hazmat.primitives.serialization import pkcs7

from brski_peer import certs, forge, jws, prm, wire
from brski_peer.prm_masa import PrmMasa

from .core import Wrong
from .trial import Trial
from .trial_masa import leads_to


class PrmRegistrarTrial(Trial):
    """masa: our MASA (brski_peer.prm_masa says how it lies)."""

    def __init__(self, subject, session):
        super().__init__(subject, session)
        shown = self.lab.maker.make_tls(self.target.suite_host)
        self.masa = PrmMasa(self.lab.maker.directory, self.target.suite_masa_port, shown.cert_path, shown.key_path,
                            host=self.target.suite_bind, any_client=True)
        self.later(self.masa.stop)
        self.watch(self.masa.start(), "the MASA")

    # -- who takes part

    @property
    def agent_identity(self):
        own = self.target.settings.get("agent")
        if not own:
            return self.lab.domain.agent
        return forge.load(*(self.instance.fill(own[k]) for k in ("key", "certificate")))

    def domain(self):
        """The site, where the suite has its keys."""
        if self.target.settings.get("agent"):
            self.skip("the target is of a site whose keys the suite does not have")
        return self.lab.domain

    def device(self, manufacturer=None, masa_port=None, **idevid):
        """A device that may join, unless it is of a stranger's."""
        made = self.lab.device(f"{self.target.suite_host}:{masa_port or self.masa.port}", manufacturer, **idevid)
        if manufacturer is None and self.can("admit"):
            self.do("admit", serial=made.serial, certificate=made.identity.cert_path)
        return made

    def agent(self, identity=None, client=True):
        """Our agent on a new connection. client: it shows its certificate."""
        identity = identity or self.agent_identity
        host, port = self.instance.address("https")
        how = {"certificate": identity.cert_path, "key": identity.key_path} if client else {}
        return Agent(self, identity, self.connect(port, host=host, **how))

    def serves(self):
        with self.accepted():
            return True

    # -- whole steps

    def refused_client(self, device, why, identity=None, client=True):
        """Whoever this is gets no voucher: a TLS alert or an error status."""
        with self.hangs_up_or() as ended:
            with self.agent(identity, client) as agent:
                reply = agent.request_voucher(agent.pvr(device, agent=self.agent_identity))
        if not ended:
            self.refused(reply, why=why)
        self.nothing_asked_of_masa(why)

    def refused_pvr(self, why, device=None, masa=False, **changes):
        """A request with these changes is refused, and no MASA is asked."""
        with self.agent() as agent:
            self.refused(agent.request_voucher(agent.pvr(device or self.device(), **changes)), why=why)
        self.nothing_asked_of_masa(why)

    @contextlib.contextmanager
    def accepted(self, device=None):
        """(agent, device) after the device has its voucher."""
        device = device or self.device()
        with self.agent() as agent:
            reply = agent.request_voucher(agent.pvr(device))
            self.status(reply, 200, why="an honest request")
            agent.voucher = reply
            yield agent, device

    @contextlib.contextmanager
    def enrolled(self):
        """(agent, device, Identity with the new certificate)"""
        with self.accepted() as (agent, device):
            key = certs.new_key()
            reply = agent.enroll(device, key)
            yield agent, device, certs.Identity(key, self.issued(reply, key), [])

    # -- judging

    def issued(self, reply, key):
        """The certificate for this key in an answer."""
        self.status(reply, 200, why="a certificate is asked for")
        found = [c for c in self.certs_in(reply) if forge.spki(c) == forge.spki(key)]
        self.need(found, "the answer holds no certificate for the key of the request")
        return found[0]

    @staticmethod
    def certs_in(reply):
        return pkcs7.load_der_pkcs7_certificates(prm.est_der(reply.body))

    def opened(self, reply):
        """(jws.Jws, leaves) of an answer."""
        self.status(reply, 200)
        try:
            return prm.opened(reply.body)
        except ValueError as e:
            raise Wrong(f"the answer is no JWS in the General JSON Serialization: {e}") from e

    def holds(self, signature, what):
        """Returns the certificate of who signed."""
        try:
            return signature.verify(typ=signature.header.get("typ"))
        except Exception as e:
            raise Wrong(f"the signature of {what} does not hold: {e}") from e

    @staticmethod
    def leads_to(cert, candidates, anchor):
        return leads_to(cert, candidates, [anchor])

    # -- what the MASA saw

    def rvr_request(self):
        """The one request for a voucher."""
        requests = self.masa.seen("/requestvoucher")
        self.need(len(requests) == 1, f"the MASA was asked {len(requests)} times for a voucher instead of once")
        return requests[0]

    def rvr(self):
        """(jws.Jws, leaves) of it."""
        return prm.opened(self.rvr_request().body)

    def nothing_asked_of_masa(self, why):
        self.need(not self.masa.seen("/requestvoucher"), f"the registrar asked the MASA: {why}")


class Agent:
    """One connection to the registrar."""

    def __init__(self, trial, identity, connection):
        self.trial, self.identity, self.connection = trial, identity, connection
        self.voucher = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(wire.Closed):
            self.connection.close()

    @property
    def registrar_der(self):
        return self.connection.server_der

    def pvr(self, device, agent=None, registrar_der=None, data=None, signer=None, change=None, **changes):
        """A pledge's request. data: changes to what the agent signs; change: a function of those octets."""
        signed = prm.agent_signed_data(agent or self.identity, **{"serial": device.serial, **(data or {})})
        body = prm.trigger(registrar_der or self.registrar_der, change(signed) if change else signed)
        fields = forge.changed(prm.pvr_fields(device.identity, body), changes)
        return prm.sign_pvr(fields, signer or device.identity)

    def post(self, path, body, content_type, accept=None):
        headers = [("Accept", accept)] if accept else []
        return self.connection.post(prm.BASE + path, body, content_type, headers)

    def request_voucher(self, body, content_type=prm.VOUCHER_TYPE, accept=prm.VOUCHER_TYPE):
        """Asks again after 202, when it is told to, as long as there is patience."""
        end = time.monotonic() + self.trial.session.patience
        while (reply := self.post("requestvoucher", body, content_type, accept)).status == 202:
            later = int(reply.header("retry-after") or 1)
            if time.monotonic() + later > end:
                break
            time.sleep(later)
        return reply

    @staticmethod
    def per(device, key, **how):
        return prm.enroll_request(device.identity, prm.csr_for(device.identity, key), **how)

    def enroll(self, device, key=None, accept=f"{prm.JOSE_TYPE}, application/pkcs7-mime", **how):
        return self.request_enroll(self.per(device, key or certs.new_key(), **how), accept=accept)

    def request_enroll(self, body, content_type=prm.JOSE_TYPE, accept=f"{prm.JOSE_TYPE}, application/pkcs7-mime"):
        return self.post("requestenroll", body, content_type, accept)

    def cacerts(self):
        return self.connection.get(prm.BASE + "wrappedcacerts", [("Accept", prm.JOSE_TYPE)])

    def report(self, path, octets, content_type=prm.JOSE_TYPE):
        return self.post(path, octets, content_type)

    def voucher_status(self, signer, details="pvs-details", broken=False, **changes):
        made = prm.report(signer, (details, "fine"), **changes)
        return self.report("voucher_status", jws.flip_signature(made) if broken else made)

    def enroll_status(self, signer, details="pes-details", broken=False, **changes):
        made = prm.report(signer, (details, "fine"), **changes)
        return self.report("enrollstatus", jws.flip_signature(made) if broken else made)
