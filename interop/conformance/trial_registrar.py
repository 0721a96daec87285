# SPDX-License-Identifier: Apache-2.0
"""A registrar under test: pledges of ours in front of it, a MASA of ours behind it."""
import contextlib

from cryptography.hazmat.primitives import serialization

from brski_peer import constrained, forge, masa
from brski_peer.pledge import CMS_TYPE, Pledge, certs_of
from brski_peer.registrar import FakeRegistrar

from .core import Wrong, said
from .lab import Device, alternative_names
from .trial import Trial
from .trial_coaps import CoapsSteps
from .trial_masa import leads_to

UPSTREAM = "upstream"  # the configuration in which a registrar gets certificates from the suite's CA


class RegistrarTrial(CoapsSteps, Trial):
    """masa: our MASA, honest when the check begins (brski_peer.masa says how it lies)."""

    def __init__(self, subject, session):
        super().__init__(subject, session)
        self.masa = session.masa
        self.masa.be_honest()
        self.masa.requests.clear()
        self.watch(self.masa, "the MASA")

    def serves(self):
        device = self.approved_device()
        if "https" in self.target.settings.get("address", {"https": None}):
            with self.pledge(device) as p:
                return p.request_voucher().status == 200
        with self.coap_pledge(device) as p:
            return p.request_voucher().said.startswith("2.")

    # -- devices

    def device(self, manufacturer=None, masa_url=None, **idevid):
        """A new device of our manufacturer, about which no admin has said a word. idevid: changes to
        its certificate (forge.idevid)."""
        return self.lab.device(masa_url or self.session.masa_url, manufacturer, **idevid)

    def approved_device(self, **more):
        """A device that may join: of the manufacturer the target trusts, and admitted by its admin
        where that takes a command ("admit": {serial} {certificate})."""
        self.need_acquaintance()
        device = self.device(**more)
        if self.can("admit"):
            self.do("admit", serial=device.serial, certificate=device.identity.cert_path)
        return device

    def held_device(self, **more):
        """A device of the manufacturer "cautious", whose devices wait for the admin ("approve",
        "reject": {serial}); skips where the target has no such command."""
        if not self.can("approve"):
            self.skip("the target file has no command for 'approve': no device is held there")
        self.need_acquaintance()
        return self.device(self.lab.cautious, **more)

    def approve(self, device):
        self.do("approve", serial=device.serial)

    def reject(self, device):
        self.do("reject", serial=device.serial)

    def greeting(self):
        """(status, words) for an honest device."""
        with self.pledge(self.approved_device()) as p:
            reply = p.request_voucher()
        return reply.status, said(reply)

    # -- talking to the target

    def pledge(self, device=None, **how):
        """Our pledge on a new connection (brski_peer.pledge). device: a Device, an identity, or None
        for a client without a certificate. how: tls="1.2", sni=…, exchange=…"""
        host, port = self.instance.address("https")
        made = Pledge(port, identity_of(device), host=host, connect=self.connect_http, **how)
        self.record("sent", "TLS handshake", f"as {device_name(device)}; the server shows "
                    f"{forge.parse(made.registrar_der).subject.rfc4514_string()!r}")
        return made

    def does_not_join(self, identity, why):
        """Whoever this is gets no voucher: an error status, or the end of the connection. None: a client
        without a certificate, with the request of a device that may join."""
        device = identity or self.approved_device()
        with self.hangs_up_or() as ended:
            with self.pledge(identity) as p:
                p.identity = identity_of(device)
                reply = p.request_voucher()
        if not ended:
            self.refused(reply, why=why)
        self.nothing_asked_of_masa(why)

    def taken(self, why, cms=None, **changes):
        """A request with these changes brings its voucher."""
        with self.pledge(self.approved_device()) as p:
            self.status(p.request_voucher(p.pvr(cms=cms, **changes)), 200, why=why)

    def not_taken(self, why, cms=None, **changes):
        """A request with these changes is refused, and no MASA is asked."""
        with self.pledge(self.approved_device()) as p:
            self.refused(p.request_voucher(p.pvr(cms=cms, **changes)), why=why)
        self.nothing_asked_of_masa(why)

    def connect_http(self, port, **how):
        return self.connect(port, **how)

    def coap_pledge(self, device=None, **how):
        """Our constrained pledge on a new association (brski_peer.constrained), to another port perhaps."""
        host, usual = self.instance.address("coaps")
        port = how.pop("port", usual)
        made = constrained.Pledge(port, identity_of(device), host=host, connect=self.coap_connect, **how)
        self.record("sent", "DTLS handshake", f"as {device_name(device)}")
        return made

    def with_upstream(self):
        """From here on talk to the target as a registration authority; returns the CA behind it, which is an
        EST server of ours, honest when the check begins (brski_peer.registrar says how it lies)."""
        self.variant(UPSTREAM)
        ca = self.session.upstream
        ca.on.clear()
        ca.requests.clear()
        return self.watch(ca, "the CA")

    # -- whole steps, for checks that are about what comes after

    def voucher(self, pledge, *pvr):
        """The voucher a pledge gets, read; wrong when there is none."""
        reply = pledge.request_voucher(*pvr)
        self.status(reply, 200, why="an approved device asks for its voucher")
        self.need(reply.media_type == CMS_TYPE, f"the voucher comes as {reply.media_type!r}")
        return forge.read(reply.body)

    @contextlib.contextmanager
    def admitted(self, device=None, **how):
        """A device that may enrol now, on a connection of its own."""
        with self.pledge(device or self.approved_device(), **how) as pledge:
            self.voucher(pledge)
            self.status(pledge.voucher_status(), 200, 404, why="voucher_status")
            yield pledge

    def issued(self, reply, key):
        """The certificate for this key in an answer."""
        self.status(reply, 200, why="a certificate is asked for")
        found = [cert for cert in certs_of(reply) if forge.spki(cert) == spki_of(key)]
        self.need(found, "the answer holds no certificate for the key of the request")
        return found[0]

    @contextlib.contextmanager
    def enrolled(self):
        """A device on a connection with its new certificate."""
        with self.admitted() as pledge:
            reply, key = pledge.enroll()
            cert = self.issued(reply, key)
        identity = forge.save(self.lab.folder("ldevids"), pledge.exchange, key, [cert])
        with self.pledge(identity) as pledge:
            yield pledge

    def joined(self, pledge, key=None):
        """The whole road; returns the identity with the site's certificate."""
        self.voucher(pledge)
        self.status(pledge.voucher_status(), 200, why="voucher_status")
        reply, key = pledge.enroll(key)
        self.status(reply, 200, why="simpleenroll after the voucher")
        return forge.save(self.lab.folder("ldevids"), pledge.exchange, key, [self.issued(reply, key)])

    def coap_joined(self, pledge, key=None):
        """The same over CoAPS."""
        for reply in (pledge.request_voucher(), pledge.voucher_status()):
            if not reply.said.startswith("2."):
                raise Wrong(f"a device that may join gets {reply}")
        reply, key = pledge.enroll(key)
        if reply.said != "2.04":
            raise Wrong(f"no certificate after the voucher: {reply}")
        return forge.save(self.lab.folder("ldevids"), pledge.nonce.hex(), key,
                          constrained.certs_of(reply))

    # -- what the MASA saw

    def asked_of_masa(self, count=1):
        """The registrar's requests for a voucher, read; wrong when there are not so many."""
        requests = self.masa.seen("/requestvoucher")
        self.need(len(requests) == count,
                  f"the registrar asked the MASA {len(requests)} times for a voucher instead of {count}")
        return requests

    def rvr(self):
        """The one request the MASA got, read: fields, signer, certs (forge.Read)."""
        return forge.read(self.asked_of_masa()[0].body)

    def log_asked(self):
        """The registrar's request for the device's history, which it makes in its own time."""
        return self.wait(lambda: self.masa.seen("/requestauditlog"), "nobody asks for the device's history")[0]

    def history_read(self):
        """Goes on when the registrar has asked for the device's history; skips when it asks for none."""
        if not self.in_time(lambda: self.masa.seen("/requestauditlog")):
            self.skip("the registrar asks for no history: see R8995-REG-040")

    def further_masa(self, identity):
        """Another MASA of the manufacturer, under this TLS identity; has a url. Ends with the trial."""
        folder = self.lab.folder("masas")
        name = f"masa-{self.lab.new_serial()}"
        cert, key = (folder / f"{name}{end}" for end in (".crt", ".key"))
        identity.write(folder, name)
        made = masa.FakeMasa(self.lab.maker.directory, certificate=cert, key=key, host=self.target.suite_bind,
                             any_client=True).start()
        self.later(made.stop)
        made.url = f"{self.target.suite_host}:{made.port}"
        return self.watch(made, "another MASA")

    def domain_root(self):
        """The root of the target's domain: what its request to the MASA holds, or its target file says."""
        return forge.load_certs(self.instance.file("domain_root"))[0]

    @staticmethod
    def leads_to(cert, candidates, anchor):
        """Is there a chain of signatures from the certificate to the anchor?"""
        return leads_to(cert, candidates, [anchor])

    def nothing_asked_of_masa(self, why):
        self.need(not self.masa.seen("/requestvoucher"), f"the registrar asked the MASA: {why}")


def spki_of(key):
    return key.public_key().public_bytes(serialization.Encoding.DER,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


def identity_of(device):
    return device.identity if isinstance(device, Device) else device


def device_name(device):
    if device is None:
        return "a client without a certificate"
    return identity_of(device).cert.subject.rfc4514_string()


def lying_masa(session):
    """The MASA that all devices of a run name. It shows a TLS certificate of the manufacturer."""
    lab, target = session.lab, session.target
    shown = lab.maker.make_tls(target.suite_host)
    return masa.FakeMasa(lab.maker.directory, target.suite_masa_port, shown.cert_path, shown.key_path,
                         host=target.suite_bind, any_client=True)


def upstream_ca(session):
    """The EST server of a CA; its certificate is of the lab's domain."""
    domain, target = session.lab.domain, session.target
    shown = domain.registrar_identity(alt=alternative_names(target.suite_host))
    return FakeRegistrar(shown.cert_path, shown.key_path, domain.directory, session.lab.maker.directory,
                         host=target.suite_bind, any_client=True)
