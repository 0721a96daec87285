# SPDX-License-Identifier: Apache-2.0
"""The extensions of a ClientHello: reading their numbers, and sending one that Python's module does not
know (RFC 8446 §4.1.2; RFC 6066 §6)."""
import ctypes

SERVER_NAME, TRUSTED_CA_KEYS = 0, 3
X509_NAME = 2                        # a kind of TrustedAuthority
RECORD_HEAD, MESSAGE_HEAD, VERSION, RANDOM = 5, 4, 2, 32
_Add = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.POINTER(ctypes.c_char_p),
                        ctypes.POINTER(ctypes.c_size_t), ctypes.c_void_p, ctypes.c_void_p)


def extensions(octets):
    """{number: octets} of a ClientHello in one TLS record; {} when it is none."""
    try:
        at = RECORD_HEAD + MESSAGE_HEAD + VERSION + RANDOM
        at += 1 + octets[at]                                      # session
        at += 2 + int.from_bytes(octets[at:at + 2], "big")        # suites
        at += 1 + octets[at]                                      # compression
        end, at, found = at + 2 + int.from_bytes(octets[at:at + 2], "big"), at + 2, {}
        while at < end:
            number, size = (int.from_bytes(octets[i:i + 2], "big") for i in (at, at + 2))
            found[number] = octets[at + 4:at + 4 + size]
            at += 4 + size
        return found
    except IndexError:
        return {}


def send_extension(context, number, octets):
    """Have a client context send this. The OpenSSL object is the first field of Python's."""
    def add(_ssl, _number, out, size, _alert, _arg):
        out[0], size[0] = octets, len(octets)
        return 1
    context.kept = (_Add(add), octets)  # as long as the context
    ssl_ctx = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    register = ctypes.CDLL("libssl.so.3").SSL_CTX_add_client_custom_ext
    register.argtypes = [ctypes.c_void_p, ctypes.c_uint, _Add] + [ctypes.c_void_p] * 4
    if not register(ssl_ctx, number, context.kept[0], None, None, None, None):
        raise ValueError(f"the extension {number} cannot be sent")


def trusted_authorities(certs):
    """The value of trusted_ca_keys: the names of these."""
    names = [cert.subject.public_bytes() for cert in certs]
    listed = b"".join(bytes([X509_NAME]) + len(name).to_bytes(2, "big") + name for name in names)
    return len(listed).to_bytes(2, "big") + listed
