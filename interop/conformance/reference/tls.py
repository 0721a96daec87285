# SPDX-License-Identifier: Apache-2.0
"""The reference registrar's TLS listener (RFC 8995 §5.1, RFC 7030 §3.3): a context for each handshake, as
the rules have it at that moment."""
import ssl
import warnings

from brski_peer import forge, wire
from brski_peer.server import ask_anybody


class Shown:
    """Makes contexts, and remembers each certificate that was shown to anybody."""

    def __init__(self, domain, rule):
        self.domain, self.rule = domain, rule
        self.contexts, self.ders = {}, {domain.registrar.der}

    def context(self):
        if self.domain.registrar.cert.issuer == self.domain.registrar.cert.subject:
            return self.make(())  # a configuration for one check
        wrong = tuple(name for name in (
            "shows a certificate with the usages of a server", "shows a certificate with a key identifier",
            "speaks TLS 1.2 and later only", "refuses suites without protection", "passes over the server's name",
            ) if not self.rule(name))
        if wrong not in self.contexts:
            self.contexts[wrong] = self.make(wrong)
        return self.contexts[wrong]

    def make(self, wrong):
        identity = self.domain.registrar
        if "shows a certificate with the usages of a server" in wrong:
            identity = self.domain.registrar_identity(eku=[forge.certs.CMC_RA])
        if "shows a certificate with a key identifier" in wrong:
            identity = self.domain.registrar_identity(with_ski=False)
        self.ders.add(identity.der)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(identity.cert_path, identity.key_path)
        ask_anybody(context)
        wire.log_keys(context)
        if "speaks TLS 1.2 and later only" in wrong:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                context.minimum_version = ssl.TLSVersion.TLSv1
            context.set_ciphers("ALL:!aNULL:!eNULL:@SECLEVEL=0")
        if "refuses suites without protection" in wrong:
            context.set_ciphers("ALL:aNULL:eNULL:@SECLEVEL=0")
        if "passes over the server's name" in wrong:
            context.sni_callback = lambda _socket, name, _context: (
                ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME if name else None)
        return context
