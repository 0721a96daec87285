# SPDX-License-Identifier: Apache-2.0
"""A pledge under test: it is started before registrars of ours that lie, or do not."""
import dataclasses
import ssl
import time

from brski_peer import certs as certificates
from brski_peer import constrained, forge
from brski_peer.registrar import FakeRegistrar

from .lab import Device
from .trial import Trial
from .trial_finding import Finding

EST_STEPS = ("cacerts", "csrattrs", "simpleenroll", "simplereenroll", "enrollstatus",
             "crts", "att", "sen", "sren", "es")


@dataclasses.dataclass
class Outcome:
    """What one run of the pledge came to."""
    joined: bool
    said: str        # what it wrote
    seconds: float


class PledgeTrial(Finding, Trial):
    """registrar: an honest registrar of ours over HTTPS, made when first asked for; set its `lie`,
    `on`, `pin`, … before run() (brski_peer.registrar says how). coap_registrar: the same over CoAPS.

    Actions of a target file; all but the first may be missing: join; join_patiently, the same, and it
    comes back a few times when all have refused; join_proximity, a device whose policy wants vouchers
    that say proximity; renew, the device that has joined gets another certificate; est_enroll, the
    device knows EST but not BRSKI: it gets a certificate from {urls}, believing {implicit} (a PEM file of
    anchors it has from elsewhere), or, when that is empty, a CA with the SHA-256 {fingerprint} that its
    operator confirms; est_enroll_explicit, the same when its operator has switched {implicit} off; est_renew,
    that device gets another one. trial_cloud.py says what join_cloud and
    join_cloud_patiently are, trial_finding.py what join_coap_discovery is.
    """

    def __init__(self, subject, session):
        super().__init__(subject, session)
        self._registrar = self._coap_registrar = None

    def serves(self):
        return self.run().joined or bool(self.target.settings.get("pledge", {}).get("coaps")
                                         and self.run(None, self.coap_registrar).joined)

    # -- registrars

    @property
    def registrar(self):
        if self._registrar is None:
            self._registrar = self.new_registrar()
        return self._registrar

    @property
    def coap_registrar(self):
        if self._coap_registrar is None:
            self._coap_registrar = self.new_coap_registrar()
        return self._coap_registrar

    def new_registrar(self, identity=None, domain=None, **how):
        """identity: what it shows, the domain's registrar by default. how: tls="1.2", …"""
        domain = domain or self.lab.domain
        identity = identity or domain.registrar
        server = FakeRegistrar(identity.cert_path, identity.key_path, domain.directory,
                               self.lab.maker.directory, host=self.target.suite_bind, any_client=True,
                               **how)
        self.later(server.stop)
        return self.watch(self.with_signer(server).start(), "the registrar")

    def old_registrar(self):
        """A registrar that knows TLS 1.1 and nothing later."""
        server = self.new_registrar()
        server.context.set_ciphers("ALL:@SECLEVEL=0")
        server.context.minimum_version = ssl.TLSVersion.TLSv1
        server.context.maximum_version = ssl.TLSVersion.TLSv1_1
        return server

    def new_coap_registrar(self, identity=None, domain=None, **how):
        if not self.target.settings.get("pledge", {}).get("coaps"):
            self.skip("the target file does not say pledge.coaps = true")
        domain = domain or self.lab.domain
        server = constrained.FakeRegistrar(identity or domain.registrar, domain.directory,
                                           self.lab.maker.directory, host=self.target.suite_bind, **how)
        self.later(server.stop)
        return self.coap_watch(self.with_signer(server).start(), "the registrar")

    def with_signer(self, server):
        """A device that is not the lab's has a MASA of its own: [device] masa_key, masa_certificate."""
        fixed = self.target.settings.get("device")
        if fixed:
            server.signer = forge.load(*(self.instance.fill(fixed[k])
                                         for k in ("masa_key", "masa_certificate")))
        return server

    # -- devices

    def device(self, masa_url="masa.example", **idevid):
        """A new device, or the only one where the target file names one in [device]: key,
        certificate, and masa_key, masa_certificate to sign its vouchers."""
        fixed = self.target.settings.get("device")
        if not fixed:
            return self.lab.device(masa_url, **idevid)
        if idevid:
            self.skip("the target's device has an IDevID of its own")
        key, certificate = (self.instance.fill(fixed[k]) for k in ("key", "certificate"))
        identity = forge.load(key, certificate)
        return Device(self.lab.maker, identity, forge.voucher.serial_of(identity.cert))

    # -- running it

    def url(self, registrar):
        scheme = "coaps" if isinstance(registrar, constrained.FakeRegistrar) else "https"
        host = "127.0.0.1" if self.target.suite_host == "localhost" else self.target.suite_host
        return f"{scheme}://{host}:{registrar.port}"

    def run(self, device=None, *registrars, action="join", urls=None, **words):
        """The device is switched on before these registrars (the trial's own by default) and runs until
        it has joined or given up. Action "join" of the target file: {serial} {key} {certificate}
        {anchors} {urls} {device_state}; exit code 0: it has joined. words: what else the action gets."""
        device = device or self.device()
        if urls is None:
            urls = [self.url(r) for r in registrars or [self.registrar]]
        began = time.monotonic()
        self.record("admin", action, f"{device.serial} before {' '.join(urls)}")
        code, said = self.instance.attempt(
            action, serial=device.serial, key=device.identity.key_path,
            certificate=device.identity.cert_path, anchors=device.manufacturer.anchors,
            urls=" ".join(urls), device_state=self.instance.state / "devices" / device.serial, **words)
        self.record("admin", f"exit {code}", said[-2000:])
        return Outcome(code == 0, said, time.monotonic() - began)

    def est_anchors(self, *certs):
        """A file of anchors that a device has from elsewhere; without certificates, an empty one."""
        path = self.lab.folder("implicit") / f"{self.lab.new_serial()}.pem"
        path.write_bytes(b"".join(map(certificates.cert_pem, certs)))
        return path

    # -- judging

    def joins(self, *what, **how):
        """It must join; returns the Outcome."""
        outcome = self.run(*what, **how)
        self.need(outcome.joined, f"the pledge does not join; it says: {outcome.said[-500:]!r}")
        return outcome

    def refuses_voucher(self, device=None, registrar=None, why="the voucher must be refused",
                        action="join"):
        """The voucher is refused: the pledge does not join, nothing of EST happens, and if it reports
        on the voucher it does not call it good. (That it reports at all is a check of its own.)"""
        registrar = registrar or self.registrar
        outcome = self.run(device, registrar, action=action)
        self.need(not outcome.joined, f"the pledge joins: {why}")
        self.no_est(registrar, why)
        step = "vs" if isinstance(registrar, constrained.FakeRegistrar) else "voucher_status"
        said = [r.get("status") for r in registrar.reports(step)]
        self.need(True not in said, f"voucher_status says the voucher is good: {why}")
        return outcome

    def no_est(self, registrar, why):
        went_on = [s for s in registrar.steps() if s in EST_STEPS]
        self.need(not went_on, f"the pledge goes on with {went_on}: {why}")

    def pvr(self, registrar=None):
        """The first voucher-request a registrar got, read (forge.Read)."""
        asked = (registrar or self.registrar).seen("requestvoucher")
        self.need(asked, "the pledge never asked for a voucher")
        return forge.read(asked[0].body)
