# SPDX-License-Identifier: Apache-2.0
"""Versions of TLS as a server's rules: an old client is looked at before the handshake, because the
library would turn it away whatever the rule says."""
import copy
import socket
import ssl

from brski_peer.server import Server

HELLO_OCTETS = 11   # up to the version in a ClientHello
TLS_1_2 = b"\x03\x03"


class OldTls:
    """To be mixed into a Server that has rules."""

    def _serve(self, raw, number):
        raw.settimeout(30)
        hello = raw.recv(HELLO_OCTETS, socket.MSG_PEEK)
        if hello[9:11] < TLS_1_2 and not self.rule("speaks TLS 1.2 at least"):
            return Server._serve(_with(self, old=True), raw, number)
        if not self.rule("offers TLS 1.3"):
            return Server._serve(_with(self, old=False), raw, number)
        return Server._serve(self, raw, number)


def _with(server, old):
    """The same server with another TLS context."""
    other = copy.copy(server)
    other.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    other.context.load_cert_chain(*server.identity_files)
    other.context.maximum_version = ssl.TLSVersion.TLSv1_2
    if old:
        other.context.set_ciphers("ALL:@SECLEVEL=0")
        other.context.minimum_version = ssl.TLSVersion.TLSv1
    return other
