# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 over TLS with nothing hidden: octets in, octets out, one connection.

A client that can send what no library would send, and a reply read exactly once. Whoever answers may
be hostile: a reply has a size and a time to be whole in, and so has what is sent.
"""
import contextlib
import ctypes
import os
import socket
import ssl
import time
from dataclasses import dataclass, field

HEAD_MAX = 8 << 20     # octets of all headers; a check of pledges sends 4 MB of them
BODY_MAX = 16 << 20    # of a body: nothing of BRSKI or EST comes near
INTERIM_MAX = 10       # answers 100 before the real one
SENT_AT_ONCE = 65536


class Closed(Exception):
    """The peer ended the connection (or the handshake) instead of answering."""


class TooMuch(Exception):
    """A reply that does not end."""


@dataclass
class Reply:
    status: int
    reason: str
    headers: list = field(default_factory=list)
    body: bytes = b""
    closed: bool = False  # the server said it will close

    def header(self, name):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None

    @property
    def media_type(self):
        return (self.header("content-type") or "").split(";")[0].strip().lower()

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")


def log_keys(context):
    """Where SSLKEYLOGFILE names a file, the keys go there, for who reads a capture."""
    if os.environ.get("SSLKEYLOGFILE"):
        context.keylog_filename = os.environ["SSLKEYLOGFILE"]


def client_context(certificate=None, key=None, tls=None):
    """A context that accepts any server. tls: "1.2" or "1.3" holds it to that version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    log_keys(context)
    if tls:
        version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[tls]
        context.minimum_version = context.maximum_version = version
    if certificate:
        context.load_cert_chain(str(certificate), str(key))
    return context


EXPORTER_LABEL, EXPORTER_SIZE = b"EXPORTER-Channel-Binding", 32  # RFC 9266


def channel_binding(tls):
    """What ties a request to this connection: tls-unique up to TLS 1.2, tls-exporter from 1.3 on, which
    Python's module does not know: the OpenSSL object is the second field of Python's."""
    if tls.version() != "TLSv1.3":
        return tls.get_channel_binding("tls-unique")
    handle = ctypes.c_void_p.from_address(id(tls._sslobj) + object.__basicsize__ +
                                          ctypes.sizeof(ctypes.c_void_p))
    export = ctypes.CDLL("libssl.so.3").SSL_export_keying_material
    export.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p,
                       ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    out = ctypes.create_string_buffer(EXPORTER_SIZE)
    if export(handle, out, EXPORTER_SIZE, EXPORTER_LABEL, len(EXPORTER_LABEL), b"", 0, 1) != 1:
        raise ssl.SSLError("no keying material")
    return out.raw


class Connection:
    def __init__(self, port, host="127.0.0.1", certificate=None, key=None, tls=None, sni=None,
                 timeout=20, context=None, clear=False):
        """clear: no TLS at all."""
        self.raw = socket.create_connection((host, port), timeout=timeout)
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.host, self.port = host, port
        self.pending = bytearray()
        self.tls, self.server_der = self.raw, None
        if not clear:
            self.context = context or client_context(certificate, key, tls)
            self.handshake(sni)

    def handshake(self, sni):
        try:
            self.tls = self.context.wrap_socket(self.raw, server_hostname=sni)
        except (ssl.SSLError, OSError) as e:
            self.raw.close()
            raise Closed(str(e)) from e
        self.server_der = self.tls.getpeercert(binary_form=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.tls.close()

    @property
    def binding(self):
        return channel_binding(self.tls)

    @property
    def tls_unique(self):
        return self.tls.get_channel_binding("tls-unique")

    def send(self, octets):
        """All of it, in the time that a reply has as well."""
        left = memoryview(octets)
        with self._in_time():
            while left:
                self._hurry()
                try:
                    left = left[self.tls.send(left[:SENT_AT_ONCE]):]
                except (ssl.SSLError, OSError) as e:
                    raise Closed(str(e)) from e

    @contextlib.contextmanager
    def _in_time(self):
        """What usually is the limit of one call is the limit of all that is done here."""
        usual = self.tls.gettimeout()
        self.deadline = time.monotonic() + usual
        try:
            yield
        finally:
            self.tls.settimeout(usual)

    def _hurry(self):
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("it drips, and does not end in time")
        self.tls.settimeout(left)

    def _more(self, most):
        """Further octets of a part that has no more than so many."""
        if len(self.pending) > most:
            raise TooMuch(f"more than {most} octets, and no end")
        self._hurry()
        try:
            octets = self.tls.recv(65536)
        except (ssl.SSLError, OSError) as e:
            if isinstance(e, socket.timeout):
                raise
            raise Closed(str(e)) from e
        if not octets:
            raise Closed("end of stream")
        self.pending += octets

    def _take(self, count):
        if not 0 <= count <= BODY_MAX:
            raise TooMuch(f"a body of {count} octets")
        while len(self.pending) < count:
            self._more(BODY_MAX)
        out, self.pending = bytes(self.pending[:count]), self.pending[count:]
        return out

    def _line(self):
        while (end := self.pending.find(b"\r\n")) < 0:
            self._more(HEAD_MAX)
        line, self.pending = bytes(self.pending[:end]), self.pending[end + 2:]
        return line.decode("latin-1")

    def read_reply(self, head=False):
        """The next final answer. head: it has no body, whatever its headers say."""
        with self._in_time():
            for _ in range(INTERIM_MAX):
                reply = self._head()
                if reply.status != 100:
                    break
            else:
                raise TooMuch(f"{INTERIM_MAX} times 100 Continue, and no answer")
            if not head and reply.status not in (204, 304):
                reply.body = self._body(reply)
            return reply

    def _head(self):
        version, status, reason = (self._line().split(" ", 2) + [""])[:3]
        assert version == "HTTP/1.1", f"the answer begins with {version[:40]!r} instead of HTTP/1.1"
        reply, size = Reply(int(status), reason), 0
        while line := self._line():
            size += len(line)
            if size > HEAD_MAX:
                raise TooMuch(f"more than {HEAD_MAX} octets of headers")
            key, value = line.split(":", 1)
            reply.headers.append((key, value.strip()))
        reply.closed = (reply.header("connection") or "").lower() == "close"
        return reply

    def _body(self, reply):
        if (reply.header("transfer-encoding") or "").lower() != "chunked":
            return self._take(int(reply.header("content-length") or 0))
        body = bytearray()
        while size := int(self._line().split(";")[0], 16):
            if len(body) + size > BODY_MAX:
                raise TooMuch(f"more than {BODY_MAX} octets in chunks")
            body += self._take(size)
            self._line()
        self._line()
        return bytes(body)

    def request_octets(self, method, path, body=None, content_type=None, headers=()):
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}"]
        if content_type:
            lines.append(f"Content-Type: {content_type}")
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{key}: {value}" for key, value in headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")

    def request(self, method, path, body=None, content_type=None, headers=()):
        self.send(self.request_octets(method, path, body, content_type, headers))
        return self.read_reply(head=method == "HEAD")

    def get(self, path, headers=()):
        return self.request("GET", path, headers=headers)

    def post(self, path, body, content_type, headers=()):
        return self.request("POST", path, body, content_type, headers)

    def ended_by_peer(self, timeout=5):
        """Has the peer closed (or does it within the time), with nothing more to say?"""
        self.raw_timeout = self.tls.gettimeout()
        self.tls.settimeout(timeout)
        try:
            return self.tls.recv(1) == b""
        except socket.timeout:
            return False
        except (ssl.SSLError, OSError):
            return True
        finally:
            self.tls.settimeout(self.raw_timeout)
