# SPDX-License-Identifier: Apache-2.0
"""A small HTTPS server for peers that lie: every request is recorded, every answer is a function's.

An answer is an Answer, or None to close without a word. Each connection has a number, so that a
test can tell whether two requests came over the same one.
"""
import contextlib
import ctypes
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field

from . import tls_extensions
from .wire import channel_binding, log_keys

RECORD_MAX = 16384 + 5  # octets of a TLS record
HEAD_MAX = 256 * 1024   # octets of all headers of a request
WHY_MAX = 1000          # characters of a sentence about what cannot be read
BODY_MAX = 16 << 20     # of a request's body
CONNECTIONS_MAX = 1024  # at a time; who opens more is told nothing
REQUESTS_MAX = 20000    # that are kept: a client that asks for ever fills no memory


@dataclass
class Request:
    method: str
    path: str
    headers: list
    body: bytes
    connection: int
    peer_der: bytes  # the client's certificate, None without one
    tls: str
    at: float
    peer_chain: list = field(default_factory=list)  # all the certificates the client sent, in DER
    binding: bytes = None  # what a channel binding to this connection has to say

    def header(self, name):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None


@dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    content_type: str = None
    headers: list = field(default_factory=list)
    delay: float = 0          # seconds before the first octet; ends early when the server stops
    claimed_length: int = None  # a Content-Length other than the truth
    close: bool = False

    def octets(self):
        lines = [f"HTTP/1.1 {self.status} Answer"]
        if self.content_type:
            lines.append(f"Content-Type: {self.content_type}")
        length = len(self.body) if self.claimed_length is None else self.claimed_length
        lines.append(f"Content-Length: {length}")
        lines += [f"{key}: {value}" for key, value in self.headers]
        if self.close:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + self.body


def text(status, sentence, **more):
    return Answer(status, sentence.encode(), "text/plain; charset=utf-8", **more)


_Judge = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_accept_anybody = _Judge(lambda _store, _arg: 1)


def ask_anybody(context):
    """Have a server context ask for a client certificate and take whichever comes: Python's module can
    only ask for one that it verifies itself. The OpenSSL object is the first field of Python's."""
    context.verify_mode = ssl.CERT_OPTIONAL
    ssl_ctx = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    judge = ctypes.CDLL("libssl.so.3").SSL_CTX_set_cert_verify_callback
    judge.restype, judge.argtypes = None, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    judge(ssl_ctx, ctypes.cast(_accept_anybody, ctypes.c_void_p), None)


def chain_of(tls):
    """All certificates the peer of a TLS socket sent, its own first, in DER."""
    sent = tls._sslobj.get_unverified_chain() or []
    return [ssl.PEM_cert_to_DER_cert(c.public_bytes()) for c in sent if c]


class Server:
    """handle(request) decides. client_anchors (PEM files) make it ask for a client certificate that
    they lead to; any_client, for a certificate of anybody. observer(request, answer) is told of all,
    handshake_observer(why) of each TLS handshake that fails.
    Without a certificate of its own it speaks HTTP in the clear.
    """

    def __init__(self, certificate, key, port=0, client_anchors=(), tls=None, host="127.0.0.1",
                 any_client=False):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.clear = certificate is None
        if not self.clear:
            self.context.load_cert_chain(str(certificate), str(key))
        log_keys(self.context)
        if tls:
            version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[tls]
            self.context.minimum_version = self.context.maximum_version = version
        if client_anchors:
            self.context.verify_mode = ssl.CERT_OPTIONAL
            for anchor in client_anchors:
                self.context.load_verify_locations(str(anchor))
        if any_client:
            ask_anybody(self.context)
        self.observer = lambda request, answer: None
        self.handshake_observer = lambda why: None
        self.server_names = []  # the SNI of every handshake, None when it was absent
        self.hellos = []  # {number: octets} of the extensions of every ClientHello
        self.context.sni_callback = lambda _s, name, _c: self.server_names.append(name)
        self.listener = socket.create_server((host, port), backlog=64)
        self.listener.settimeout(0.1)
        self.port = self.listener.getsockname()[1]
        self.requests = []
        self.connections = 0
        self.handshake_errors = []
        self.changed = threading.Condition()
        self.stopping = threading.Event()
        self.threads = []
        self.open = set()  # sockets of connections

    # -- life

    def start(self):
        self._run(self._accept)
        return self

    def stop(self):
        self.stopping.set()
        for each in [self.listener, *list(self.open)]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for it
        self.listener.close()
        for thread in self.threads:
            thread.join(timeout=5)

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    def _run(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self.threads = [t for t in self.threads if t.is_alive()] + [thread]
        thread.start()

    def _accept(self):
        while not self.stopping.is_set():
            try:
                raw, _ = self.listener.accept()
            except (socket.timeout, OSError):
                continue
            if len(self.open) >= CONNECTIONS_MAX:
                raw.close()
                continue
            with self.changed:
                self.connections += 1
                number = self.connections
            self.open.add(raw)
            self._run(self._serve, raw, number)

    # -- what tests ask

    def seen(self, path=None):
        with self.changed:
            return [r for r in self.requests if path is None or r.path.endswith(path)]

    def wait_seen(self, path, count=1, timeout=20):
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                found = [r for r in self.requests if r.path.endswith(path)]
                if len(found) >= count:
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"{len(found)} of {count} requests for {path}; "
                                         f"seen: {[r.path for r in self.requests]}")
                self.changed.wait(left)

    def handle(self, request):
        raise NotImplementedError

    def tls_context(self):
        """For the next handshake."""
        return self.context

    def secured(self, raw):
        """A socket to talk through."""
        if self.clear:
            return raw
        self.hellos.append(tls_extensions.extensions(raw.recv(RECORD_MAX, socket.MSG_PEEK)))
        return self.tls_context().wrap_socket(raw, server_side=True)

    # -- one connection

    def _serve(self, raw, number):
        raw.settimeout(30)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            tls = self.secured(raw)
        except (ssl.SSLError, OSError) as e:
            self.handshake_errors.append(str(e))
            self.handshake_observer(str(e))
            raw.close()
            return
        finally:
            self.open.discard(raw)
        self.open.add(tls)
        reader = Reader(tls, self.stopping)
        with tls:
            try:
                while self._one(tls, reader, number):
                    pass
            except (ssl.SSLError, OSError, EOFError):
                pass
            finally:
                self.open.discard(tls)

    def _one(self, tls, reader, number):
        method, path, headers, length = reader.head()
        if any(k.lower() == "expect" for k, _ in headers):
            tls.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        request = Request(method, path, headers, reader.take(length), number, None, None, time.monotonic())
        if isinstance(tls, ssl.SSLSocket):
            request.peer_der, request.tls = tls.getpeercert(binary_form=True), tls.version()
            request.peer_chain, request.binding = chain_of(tls), channel_binding(tls)
        with self.changed:
            if len(self.requests) >= REQUESTS_MAX:
                return False
            self.requests.append(request)
            self.changed.notify_all()
        answer = self._answer_to(request)
        self.observer(request, answer)
        if answer is None:
            return False
        if answer.delay and self.stopping.wait(answer.delay):
            return False
        tls.settimeout(10)
        tls.sendall(answer.octets())
        return not answer.close


    def _answer_to(self, request):
        """The handler's; a 400 that says what it cannot read."""
        try:
            return self.handle(request)
        except Exception as e:
            return text(400, f"that is of no use here: {type(e).__name__}: {e}"[:WHY_MAX] + "\n")


class Reader:
    """Octets of one connection; gives up when the server stops."""

    def __init__(self, tls, stopping):
        self.tls, self.stopping, self.buffer = tls, stopping, bytearray()

    def _more(self, most):
        if len(self.buffer) > most:
            raise EOFError
        self.tls.settimeout(0.1)
        while not self.stopping.is_set():
            try:
                octets = self.tls.recv(65536)
            except (socket.timeout, ssl.SSLWantReadError):
                continue
            if not octets:
                break
            self.buffer += octets
            return
        raise EOFError

    def line(self):
        while b"\r\n" not in self.buffer:
            self._more(HEAD_MAX)
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line.decode("latin-1")

    def head(self):
        """(method, path, headers, length of the body); EOFError for what is no HTTP."""
        try:
            method, path, _ = self.line().split(" ", 2)
            headers, size = [], 0
            while line := self.line():
                key, value = line.split(":", 1)
                headers.append((key.strip(), value.strip()))
                size += len(line)
                if size > HEAD_MAX:
                    raise EOFError
            return method, path, headers, next((int(v) for k, v in headers if k.lower() == "content-length"), 0)
        except ValueError as e:
            raise EOFError from e

    def take(self, count):
        if not 0 <= count <= BODY_MAX:
            raise EOFError
        while len(self.buffer) < count:
            self._more(BODY_MAX)
        out, self.buffer = bytes(self.buffer[:count]), self.buffer[count:]
        return out
