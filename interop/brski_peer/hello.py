# SPDX-License-Identifier: Apache-2.0
"""The first flight of DTLS by hand (RFC 6347, RFC 9147): a ClientHello that offers what is wanted, what
comes back, and the same from the other side. No more than that is spoken of DTLS 1.3 here: no library
of the machine knows it.
"""
import hashlib
import os
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from . import dtls

DTLS12, DTLS13 = 0xFEFD, 0xFEFC
GROUPS, VERSIONS, COOKIE = 10, 43, 44
SECP256R1, X25519 = 0x0017, 0x001D
SUITES13 = {"AES_128_GCM_SHA256": 0x1301, "AES_128_CCM_SHA256": 0x1304, "AES_128_CCM_8_SHA256": 0x1305}
HANDSHAKE_FAILURE, PROTOCOL_VERSION = 40, 70
CLIENT_HELLO, SERVER_HELLO = 1, 2
RETRY = hashlib.sha256(b"HelloRetryRequest").digest()


def _sized(octets, width):
    return len(octets).to_bytes(width, "big") + octets


def _extension(kind, octets):
    return kind.to_bytes(2, "big") + _sized(octets, 2)


def offer13(suites):
    """A ClientHello datagram of DTLS 1.3 alone, with these cipher suites."""
    p256 = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(
        Encoding.X962, PublicFormat.UncompressedPoint)
    curve = x25519.X25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    shares = _group(SECP256R1) + _sized(p256, 2) + _group(X25519) + _sized(curve, 2)
    extensions = (_extension(VERSIONS, b"\x02" + _group(DTLS13))
                  + _extension(GROUPS, _sized(_group(SECP256R1) + _group(X25519), 2))
                  + _extension(13, bytes.fromhex("000604030503" "0807"))  # signature_algorithms
                  + _extension(51, _sized(shares, 2)))                     # key_share
    return dtls.client_hello(suites=b"".join(map(_group, suites)), extensions=extensions)


def _group(number):
    return number.to_bytes(2, "big")


@dataclass
class Answer:
    """alert: its number, or None. suite, version: of a ServerHello or HelloRetryRequest."""
    alert: int = None
    suite: int = None
    version: int = None


def answer(datagram):
    """What a server says to a ClientHello; None: something else, a HelloVerifyRequest perhaps."""
    for kind, _epoch, _number, fragment in dtls.records(datagram):
        if kind == dtls.ALERT:
            return Answer(alert=fragment[1])
        if kind == dtls.HANDSHAKE and fragment[:1] == bytes([SERVER_HELLO]):
            after = fragment[12 + 34:]
            after = after[1 + after[0]:]
            suite = int.from_bytes(after[:2], "big")
            version = dict(_extensions(after[3:])).get(VERSIONS, fragment[12:14])
            return Answer(suite=suite, version=int.from_bytes(version, "big"))
    return None


def _extensions(octets):
    rest = octets[2:]
    while len(rest) >= 4:
        length = int.from_bytes(rest[2:4], "big")
        yield int.from_bytes(rest[:2], "big"), rest[4:4 + length]
        rest = rest[4 + length:]


# -- the other side

@dataclass
class Hello:
    suites: list
    extensions: dict

    def numbers(self, kind, head):
        """The list of two-octet numbers in an extension behind its length of head octets."""
        octets = self.extensions.get(kind, b"")[head:]
        return [int.from_bytes(octets[i:i + 2], "big") for i in range(0, len(octets), 2)]


def read_hello(datagram):
    """The Hello a datagram begins with; None when it is none, or not whole."""
    try:
        kind, epoch, _number, fragment = dtls.records(datagram)[0]
        if kind != dtls.HANDSHAKE or epoch or fragment[0] != CLIENT_HELLO or fragment[1:4] != fragment[9:12]:
            return None
        rest = fragment[12 + 34:]
        for _ in ("session_id", "cookie"):
            rest = rest[1 + rest[0]:]
        length = int.from_bytes(rest[:2], "big")
        offered, rest = rest[2:2 + length], rest[2 + length:]
        suites = [int.from_bytes(offered[i:i + 2], "big") for i in range(0, length, 2)]
        return Hello(suites, dict(_extensions(rest[1 + rest[0]:])))
    except IndexError:
        return None


def retry(suite):
    """A HelloRetryRequest of DTLS 1.3 with this cipher suite and a cookie."""
    cookie = _sized(os.urandom(16), 2)
    extensions = _extension(VERSIONS, _group(DTLS13)) + _extension(COOKIE, cookie)
    body = _group(DTLS12) + RETRY + b"\0" + _group(suite) + b"\0" + _sized(extensions, 2)
    length = len(body).to_bytes(3, "big")
    return dtls.record(dtls.HANDSHAKE, bytes([SERVER_HELLO]) + length + bytes(5) + length + body)


def alert(number):
    return dtls.record(dtls.ALERT, bytes([2, number]))
