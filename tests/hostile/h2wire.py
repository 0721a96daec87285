# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 frames put together by hand, so that they can be wrong (RFC 9113 §4, §6; RFC 7541)."""
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 0x3, 0x4
CANCEL = struct.pack(">I", 8)


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + \
        struct.pack(">I", stream) + payload


def settings(*pairs):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", *p) for p in pairs))


def hello(*pairs):
    return PREFACE + settings(*pairs)


def window_update(stream, octets):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", octets))


def number(prefix_bits, first, value):
    """RFC 7541 §5.1."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = bytes([first | most]), value - most
    while value >= 128:
        out, value = out + bytes([value % 128 | 128]), value // 128
    return out + bytes([value])


def text(value):
    return number(7, 0, len(value)) + value


def literal(name, value, indexed=False):
    """A field with a new name; indexed: it goes into the peer's table as entry 62."""
    return (b"\x40" if indexed else b"\x00") + text(name) + text(value)


def request(path, method=b"\x82"):
    """:method GET (b"\x83": POST), :scheme https, :path, :authority."""
    return method + b"\x87" + b"\x04" + text(path.encode()) + b"\x01" + text(b"x")


def frames_of(octets):
    """(kind, flags, stream, payload) of each whole frame."""
    while len(octets) >= 9:
        size = int.from_bytes(octets[:3], "big")
        if len(octets) < 9 + size:
            return
        kind, flags, stream = octets[3], octets[4], int.from_bytes(octets[5:9], "big")
        yield kind, flags, stream, octets[9:9 + size]
        octets = octets[9 + size:]
