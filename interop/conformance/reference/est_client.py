# SPDX-License-Identifier: Apache-2.0
"""An EST client that knows nothing of BRSKI (RFC 7030 §3.6, §4.1): it believes anchors it has from
elsewhere, or a CA whose fingerprint a human confirms, until it has the anchors of the CA itself."""
import hashlib
import os

from brski_peer import forge, tls_extensions, wire
from brski_peer.certs import make_csr, new_key
from brski_peer.pledge import Pledge, certs_of, est_body
from brski_peer.server import chain_of

from ..trial_masa import leads_to
from .pledge_coap import Failed
from .pledge_est import has_name

TIMEOUT_S = 2


class EstClient:
    """identity: what it shows in TLS. anchors: those of the CA (explicit), once it has them; implicit:
    those it has had before."""

    def __init__(self, rule, identity, url, implicit=()):
        self.rule, self.identity, self.implicit, self.anchors = rule, identity, list(implicit), []
        host, _, port = url.removeprefix("https://").partition("/")[0].rpartition(":")
        self.host, self.port = host, int(port)

    def connect(self):
        context = wire.client_context(self.identity.cert_path, self.identity.key_path)
        if self.anchors and self.implicit and self.rule("names its anchors in TLS when they have replaced others"):
            tls_extensions.send_extension(context, tls_extensions.TRUSTED_CA_KEYS, tls_extensions.trusted_authorities(self.anchors))
        p = Pledge(self.port, self.identity, host=self.host, timeout=TIMEOUT_S, context=context)
        try:
            self.judge(list(map(forge.parse, chain_of(p.connection.tls))))
        except Failed:
            p.connection.close()
            raise
        return p

    def judge(self, chain):
        """The server, by whatever there is to judge it with."""
        implicit = self.implicit
        if self.anchors and self.rule("believes the CA's own anchors alone"):
            implicit = []
        if leads_to(chain[0], chain, self.anchors) or not (self.anchors or implicit):
            return
        if not leads_to(chain[0], chain, implicit):
            if self.anchors or self.rule("takes anchors from servers it knows only"):
                raise Failed("Nobody known.")
            return
        if not has_name(chain[0], self.host) and self.rule("wants the server's name under anchors from elsewhere"):
            raise Failed("Another server.")

    def enroll(self, fingerprint):
        with self.connect() as p:
            reply = p.cacerts()
            if reply.status != 200:
                raise Failed(f"cacerts: {reply.status}")
            found = [c for c in certs_of(reply) if c.subject == c.issuer]
            if not self.implicit and not self.rule("asks for nothing but cacerts before it believes anybody"):
                p.csrattrs()
        confirmed = [c for c in found if hashlib.sha256(forge.der(c)).hexdigest() == fingerprint]
        self.anchors = found if self.implicit else confirmed
        if not self.anchors:
            raise Failed("That is not the CA.")
        return self.request("simpleenroll")

    def request(self, operation):
        key = new_key()
        with self.connect() as p:
            reply = p.post_csr(est_body(make_csr(key, self.identity.cert.subject)), operation)
        if reply.status != 200:
            raise Failed(f"{operation}: {reply.status}")
        return key, certs_of(reply)[0]


class EstClients:
    """The actions est_enroll and est_renew of a target, and what they remember."""

    def __init__(self, lab, rule):
        self.lab, self.rule, self.known = lab, rule, {}

    def enroll(self, key, certificate, urls, device_state, implicit, fingerprint="", **_more):
        client = EstClient(self.rule, forge.load(key, certificate), urls, forge.load_certs(implicit))
        return self.attempt(client, device_state, lambda: client.enroll(fingerprint))

    def enroll_explicit(self, implicit, **words):
        """With the anchors it has from elsewhere switched off."""
        if self.rule("believes no anchors from elsewhere when they are switched off"):
            implicit = os.devnull
        return self.enroll(implicit=implicit, **words)

    def renew(self, device_state, **_more):
        client = self.known[str(device_state)]
        return self.attempt(client, device_state, lambda: client.request("simplereenroll"))

    def attempt(self, client, state, step):
        try:
            key, cert = step()
        except (Failed, wire.Closed, ValueError) as e:
            return 1, f"{type(e).__name__}: {e}"
        name = self.lab.new_serial()
        client.identity = forge.save(self.lab.folder("reference-pledge"), name, key, [cert])
        self.known[str(state)] = client
        return 0, "enrolled"
