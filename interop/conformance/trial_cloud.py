# SPDX-License-Identifier: Apache-2.0
"""A cloud registrar under test, and what a pledge under test meets when it knows one.

A target file of a cloud registrar has [address] https (a host name), [trust] tls_anchors (what a pledge
knows its TLS certificate by; the system's anchors otherwise) and voucher_anchors (the suite's
manufacturer otherwise, for one that asks the MASA in the IDevID). Its devices are those of
lab/maker/root.crt. [cloud] names = [...] are the names it has, if it has several. Actions:

    import           {serial}                       a device of its own, whose owner is not known
    claim_registrar  {serial} {location}            the owner has a registrar, at this URL
    claim_est        {serial} {est_domain} {pin}    … has an EST server at this URL, with this certificate
    configure        {serial} {url}                 there is additional configuration at this URL

A pledge's: join_cloud, one attempt with {cloud} (the URL it was provisioned with), {implicit_anchors} (what
it knows a cloud registrar by), {urls} (local registrars that are found, or none), and the words of join;
join_cloud_patiently, the same, and it starts again once when it was refused. What it shows of its state is
what the command writes.
"""
import ssl

from brski_peer import certs, forge, voucher, wire
from brski_peer.pledge import CMS_TYPE, VOUCHER_PATH, Pledge
from brski_peer.server import Answer

from .core import Skipped
from .trial import Trial
from .trial_masa import leads_to
from .trial_registrar import device_name, identity_of


class CloudTrial(Trial):
    """masa: ours, for a cloud registrar that asks one; honest when the check begins."""

    def __init__(self, subject, session):
        super().__init__(subject, session)
        self.masa = session.masa
        self.masa.be_honest()
        self.masa.requests.clear()
        self.watch(self.masa, "the MASA")

    # -- devices

    def new_device(self, manufacturer=None, **idevid):
        """A device the cloud registrar has not been told of."""
        return self.lab.device(self.session.masa_url, manufacturer, **idevid)

    def device(self):
        """One of its devices; nobody has claimed it."""
        device = self.new_device()
        self.do("import", serial=device.serial)
        return device

    def redirected_device(self, location="https://registrar.example/.well-known/brski/requestvoucher"):
        """Its owner has a registrar there."""
        device = self.device()
        self.do("claim_registrar", serial=device.serial, location=location)
        return device

    def est_device(self, est_domain="https://est.example:8443/", server=None):
        """Its owner has an EST server there, that shows the certificate of this identity."""
        device = self.device()
        self.claim_est(device, est_domain, server or self.lab.domain.registrar)
        return device

    def claim_est(self, device, est_domain, server):
        path = self.lab.folder("est-servers") / f"{self.lab.new_serial()}.crt"
        path.write_bytes(certs.cert_pem(server.cert))
        self.do("claim_est", serial=device.serial, est_domain=est_domain, pin=path)
        self.masa.lie = lambda fields: {**fields, "est-domain": est_domain,
                                        "pinned-domain-cert": forge.b64(server.der)}

    def serves(self):
        return self.ask(self.redirected_device()).status in (200, 307)

    # -- talking to the target

    def names(self):
        """What it is called."""
        return self.target.settings.get("cloud", {}).get("names") or [self.instance.address("https")[0]]

    def pledge(self, device=None, name=None, context=None, **how):
        """Our pledge on a new connection; device: None for a client without a certificate."""
        host, port = self.instance.address("https")
        made = Pledge(port, identity_of(device), host=host, sni=name or host, context=context,
                      connect=self.connect_http, **how)
        self.record("sent", "TLS handshake", f"as {device_name(device)}")
        return made

    def connect_http(self, port, **how):
        return self.connect(port, **how)

    def verifying(self, tls=None):
        """A client's context that knows the cloud registrar by the anchors of pledges."""
        context = ssl.create_default_context(cafile=self.file_or("tls_anchors", None))
        wire.log_keys(context)
        if tls == "1.2":
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context

    def file_or(self, name, otherwise):
        """A file of [trust], or what holds where the target file does not name it."""
        try:
            return str(self.instance.file(name))
        except Skipped:
            return otherwise

    def ask(self, device, signer=None, tls_device=None, body=None):
        """The answer to a device's request. signer: who signs it; tls_device: who is connected."""
        with self.pledge(tls_device or device) as p:
            if body is None:
                body = p.pvr(signer=signer, serial_number=device.serial)
            return p.request_voucher(body)

    # -- judging

    def not_positive(self, reply, why):
        """An error: neither a voucher nor a way to one."""
        self.need(reply.status >= 400, f"the answer is {reply.status}: {why}")
        self.need(reply.header("location") is None, f"the refusal has a Location: {why}")

    def voucher(self, reply):
        """The voucher of an answer, its signature verified up to the manufacturer."""
        self.status(reply, 200, why="its owner has an EST server")
        self.equal(reply.media_type, CMS_TYPE, "the media type of the voucher")
        got = forge.read(reply.body)
        anchors = forge.load_certs(self.file_or("voucher_anchors", self.lab.maker.anchors))
        self.need(leads_to(got.signer, got.certs, anchors), "the voucher is not the manufacturer's")
        self.equal(got.top, voucher.VOUCHER, "what is signed")
        return got.fields


class CloudSide:
    """For checks of pledges. cloud: the cloud registrar it is provisioned with, which knows nobody
    until redirect() or name_est() says otherwise; it is known by lab/maker/root.crt."""

    def __init__(self, trial, identity=None):
        self.trial, self.lab = trial, trial.lab
        self.cloud = self.server(identity)

    def server(self, identity=None, **how):
        """A server that the pledge knows by its implicit anchors; brski_peer.registrar says how it lies.
        Its vouchers pin what it shows itself."""
        identity = identity or self.lab.maker.make_tls(self.trial.target.suite_host)
        made = self.trial.new_registrar(identity=identity, **how)
        made.pin = identity.cert
        self.say(made, Answer(404))
        return made

    def est_server(self, identity=None):
        """An EST server of the domain that makes no vouchers."""
        made = self.trial.new_registrar(identity=identity)
        self.say(made, Answer(404))
        return made

    def authority(self, server):
        return f"https://{self.trial.target.suite_host}:{server.port}"

    def place(self, server, path=VOUCHER_PATH):
        return self.authority(server) + path

    @staticmethod
    def say(server, *answers):
        """To requests for vouchers; the last one for ever. NotImplemented: the honest one."""
        left = list(answers)
        server.on["requestvoucher"] = lambda _request: left.pop(0) if len(left) > 1 else left[0]

    def redirect(self, server, place, status=307):
        self.say(server, Answer(status, headers=[("Location", place)]))

    def name_est(self, est, pin=None, lie=lambda fields: fields, **leaves):
        """The cloud registrar's voucher names this EST server and pins what that shows, or pin."""
        more = {"est-domain": self.authority(est) + "/", **{k.replace("_", "-"): v for k, v in leaves.items()}}
        if pin is None:
            pin = est.ca.cert
        self.cloud.pin = pin
        self.cloud.lie = lambda fields: lie({**fields, **more})
        self.say(self.cloud, NotImplemented)

    def words(self):
        return {"cloud": self.place(self.cloud), "implicit_anchors": self.lab.maker.file("root.crt")}

    def run(self, *local, device=None, action="join_cloud"):
        """local: registrars of ours that are found, none by default."""
        return self.trial.run(device, action=action, urls=[self.trial.url(r) for r in local], **self.words())

    def joins(self, *local, **how):
        outcome = self.run(*local, **how)
        self.trial.need(outcome.joined, f"the pledge does not join; it says: {outcome.said[-500:]!r}")

    def fails(self, why, *local, **how):
        outcome = self.run(*local, **how)
        self.trial.need(not outcome.joined, f"the pledge joins: {why}")
        return outcome

    @staticmethod
    def asked(server):
        return server.seen("requestvoucher")
