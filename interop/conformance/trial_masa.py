# SPDX-License-Identifier: Apache-2.0
"""A MASA under test: registrars of ours ask it about devices that its manufacturer is told of."""
import datetime
import ssl

from brski_peer import certs, cms, cose, forge, jws, voucher, wire
from brski_peer.masa import CMS_TYPE

from .core import said
from .trial import Trial

BASE = "/.well-known/brski/"


class MasaTrial(Trial):
    """Actions of a target file: import; import_owned, where it knows owners; import_issuer, for devices
    of several issuers that share a serial-number. Variants: known-owner, vouchers for a device's owner
    only, nonceless ones too; promising, the same with last-renewal-date; limited, which lets a
    registrar ask some ten times a minute. It may fetch revocation lists from the suite's host."""

    @property
    def masa_url(self):
        """As an IDevID names it."""
        return "{}:{}".format(*self.instance.address("https"))

    def serves(self):
        device = self.device()
        with self.registrar() as r:
            return r.ask(r.rvr(device)).status == 200

    # -- devices

    def new_device(self, manufacturer=None, **idevid):
        """A device the MASA has not been told of."""
        return self.lab.device(self.masa_url, manufacturer, **idevid)

    def device(self, owner=None, **more):
        """A device in the MASA's inventory ("import": {serial} {idevid_issuer} {certificate}
        {owner}); owner: a Domain of the lab, for a MASA that knows owners."""
        self.need_acquaintance()
        device = self.new_device(**more)
        self.tell(device, owner)
        return device

    def tell(self, device, owner=None):
        """Put a device into the inventory. Where the target file has no command for that, its MASA
        has to know every device of our manufacturer."""
        words = {"serial": device.serial, "idevid_issuer": forge.b64(device.idevid_issuer),
                 "certificate": device.identity.cert_path}
        if owner is not None:
            self.do("import_owned", owner=owner.directory.name, anchor=owner.file("root.crt"), **words)
        elif self.can("import"):
            self.do("import", **words)

    def greeting(self):
        """(status, words) for an honest registrar and device."""
        device = self.device()
        with self.registrar() as r:
            reply = r.ask(r.rvr(device))
        return reply.status, said(reply)

    # -- talking to the target

    def registrar(self, identity=None, authenticated=True, tls=None, **how):
        """Our registrar on a new connection; identity: who signs, the lab's registrar by default.
        authenticated: it shows its certificate to the TLS server as well."""
        identity = identity or self.lab.domain.registrar
        if authenticated:
            how = {"certificate": identity.cert_path, "key": identity.key_path, **how}
        host, port = self.instance.address("https")
        return Registrar(self, identity, self.connect(port, host=host, tls=tls, **how))

    @staticmethod
    def soon(**delta):
        """As certificates are given their end."""
        return datetime.datetime.utcnow().replace(microsecond=0) + datetime.timedelta(**delta)

    @staticmethod
    def old_tls():
        """A client's context that knows TLS 1.1 and nothing later."""
        context = wire.client_context()
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        return context

    # -- judging

    def voucher(self, reply, why="an honest request"):
        """The voucher of an answer, its signature verified up to the MASA's anchor."""
        self.status(reply, 200, why=why)
        self.need(reply.media_type == CMS_TYPE, f"the voucher comes as {reply.media_type!r}")
        got = forge.read(reply.body, self.anchors())
        self.need(leads_to(got.signer, got.certs, self.anchors()),
                  "the voucher's signer does not lead to the manufacturer's anchor")
        return got

    def anchors(self):
        return forge.load_certs(self.instance.file("voucher_anchors"))


class Registrar:
    """One connection to the MASA; requests as honest as their changes leave them."""

    def __init__(self, trial, identity, connection):
        self.trial, self.identity, self.connection = trial, identity, connection

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    # -- requests

    def pvr(self, device, proximity=None, signer=None, how=None, **changes):
        """A pledge's request that names this registrar; proximity: DER of another certificate."""
        fields = forge.pvr_fields(device.identity, proximity or self.identity.der)
        return forge.sign_request(forge.changed(fields, changes), signer or device.identity,
                                  **(how or {}))

    def rvr(self, device, prior=None, signer=None, how=None, **changes):
        """A registrar's request around a pledge's one (prior; honest when not given). how: arguments
        of the signing (certs=…, container=…); by default it carries the chain up to the root."""
        prior = self.pvr(device) if prior is None else prior
        signer = signer or self.identity
        fields = forge.changed(forge.rvr_fields(prior, device.identity.cert), changes)
        how = {"certs": signer.chain(with_root=True), **(how or {})}
        return forge.sign_request(fields, signer, **how)

    def nonceless(self, device, signer=None, **changes):
        """A request without a nonce and without a pledge's request in it."""
        signer = signer or self.identity
        fields = {"created-on": voucher.timestamp(), "serial-number": device.serial,
                  "idevid-issuer": forge.b64(device.idevid_issuer)}
        return forge.sign_request(forge.changed(fields, changes), signer,
                                  certs=signer.chain(with_root=True))

    def cose_pvr(self, device, proximity="proximity-registrar-pubk", signer=None, how=None, **changes):
        """proximity: the leaf that names this registrar."""
        fields = cose.pvr_fields(device.identity, self.identity.der, proximity)
        return cose.sign_request(forge.changed(fields, changes), signer or device.identity, **(how or {}))

    def cose_rvr(self, device, prior=None, signer=None, how=None, **changes):
        prior = self.cose_pvr(device) if prior is None else prior
        fields = forge.changed(cose.rvr_fields(prior, device.identity.cert), changes)
        return cose.sign_rvr(fields, signer or self.identity, device.identity.chain(), **(how or {}))

    def jws_pvr(self, device, how=None, **changes):
        """The same in JWS. how: arguments of jws.sign()."""
        fields = forge.changed(forge.pvr_fields(device.identity, self.identity.der), changes)
        return jws.sign_request(fields, device.identity, **(how or {}))

    def jws_rvr(self, device, prior=None, how=None, **changes):
        fields = jws.rvr_fields(prior or self.jws_pvr(device), device.identity.cert)
        how = {"x5c": self.identity.chain(with_root=True), **(how or {})}
        return jws.sign_request(forge.changed(fields, changes), self.identity, **how)

    # -- asking

    def jws_ask(self, body):
        return self.ask(body, content_type=jws.MEDIA_TYPE, accept=jws.MEDIA_TYPE)

    def ask(self, body, path="requestvoucher", content_type=CMS_TYPE, accept=CMS_TYPE, headers=()):
        more = ([("Accept", accept)] if accept else []) + list(headers)
        return self.connection.post(BASE + path, body, content_type, more)

    def voucher(self, body, **more):
        """The voucher for a request that deserves one."""
        return self.trial.voucher(self.ask(body), **more)

    def audit(self, body, content_type=CMS_TYPE):
        """The answer with the audit log, wherever the MASA keeps it."""
        reply = self.ask(body, "requestauditlog", content_type, accept="application/json")
        if reply.status == 201:
            location = reply.header("location") or ""
            path = "/" + location.split("://", 1)[-1].split("/", 1)[-1] if "://" in location else location
            reply = self.connection.get(path)
        return reply


def leads_to(cert, candidates, anchors):
    """Is there a chain of signatures from the certificate to an anchor?"""
    for _ in range(8):
        if cert in anchors:
            return True
        issuer = next((c for c in [*anchors, *candidates]
                       if c.subject == cert.issuer and signed_by(cert, c)), None)
        if issuer is None or issuer == cert:
            return False
        cert = issuer
    return False


def signed_by(cert, issuer):
    try:
        digest = cert.signature_hash_algorithm
        cms.raw_verify(issuer.public_key(), cert.signature, cert.tbs_certificate_bytes,
                       digest.name if digest else None)
        return True
    except Exception:  # InvalidSignature, or a key that cannot verify
        return False


def other_key_same_names(identity):
    """An identity with the names of this one, made by a CA that nobody knows."""
    ca = certs.make_cert(identity.cert.issuer, None, ca=True, key_usage={"key_cert_sign"})
    return certs.make_cert(identity.cert.subject, ca)
