# SPDX-License-Identifier: Apache-2.0
"""DTLS 1.2 (RFC 6347) without a network: datagrams in, datagrams out, by OpenSSL through ctypes.

    context = Context(identity)                     # a client; Context(identity, server=True)
    link = Link(context, mtu=1024, max_fragment=512)
    for datagram in link.begin(): …                 # send them
    for datagram in link.feed(received): …          # likewise; link.inbox has what was said

Python's ssl module knows no DTLS. One end of a pair of datagram sockets is OpenSSL's, so that what
is one datagram here is one datagram for it; whoever holds a Link may drop, repeat or forge any.
"""
import ctypes
import hmac
import os
import socket
from ctypes import c_char_p, c_int, c_long, c_size_t, c_ubyte, c_uint, c_void_p

_ssl = ctypes.CDLL("libssl.so.3")
_crypto = ctypes.CDLL("libcrypto.so.3")


def _function(library, name, result, *arguments):
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments
    return function


_DTLS_client_method = _function(_ssl, "DTLS_client_method", c_void_p)
_DTLS_server_method = _function(_ssl, "DTLS_server_method", c_void_p)
_CTX_new = _function(_ssl, "SSL_CTX_new", c_void_p, c_void_p)
_CTX_free = _function(_ssl, "SSL_CTX_free", None, c_void_p)
_CTX_chain = _function(_ssl, "SSL_CTX_use_certificate_chain_file", c_int, c_void_p, c_char_p)
_CTX_key = _function(_ssl, "SSL_CTX_use_PrivateKey_file", c_int, c_void_p, c_char_p, c_int)
_CTX_ciphers = _function(_ssl, "SSL_CTX_set_cipher_list", c_int, c_void_p, c_char_p)
_CTX_verify = _function(_ssl, "SSL_CTX_set_verify", None, c_void_p, c_int, c_void_p)
_CTX_judge = _function(_ssl, "SSL_CTX_set_cert_verify_callback", None, c_void_p, c_void_p, c_void_p)
_CTX_options = _function(_ssl, "SSL_CTX_set_options", ctypes.c_uint64, c_void_p, ctypes.c_uint64)
_CTX_cookie_make = _function(_ssl, "SSL_CTX_set_cookie_generate_cb", None, c_void_p, c_void_p)
_CTX_cookie_check = _function(_ssl, "SSL_CTX_set_cookie_verify_cb", None, c_void_p, c_void_p)
_CTX_keylog = _function(_ssl, "SSL_CTX_set_keylog_callback", None, c_void_p, c_void_p)
_CTX_fragment = _function(_ssl, "SSL_CTX_set_tlsext_max_fragment_length", c_int, c_void_p, c_ubyte)
_CTX_ctrl = _function(_ssl, "SSL_CTX_ctrl", c_long, c_void_p, c_int, c_long, c_void_p)
_new = _function(_ssl, "SSL_new", c_void_p, c_void_p)
_free = _function(_ssl, "SSL_free", None, c_void_p)
_fd = _function(_ssl, "SSL_set_fd", c_int, c_void_p, c_int)
_set_bio = _function(_ssl, "SSL_set_bio", None, c_void_p, c_void_p, c_void_p)
_BIO_new_socket = _function(_crypto, "BIO_new_socket", c_void_p, c_int, c_int)
_fragment = _function(_ssl, "SSL_set_tlsext_max_fragment_length", c_int, c_void_p, c_ubyte)
_ctrl = _function(_ssl, "SSL_ctrl", c_long, c_void_p, c_int, c_long, c_void_p)
_client = _function(_ssl, "SSL_set_connect_state", None, c_void_p)
_server = _function(_ssl, "SSL_set_accept_state", None, c_void_p)
_handshake = _function(_ssl, "SSL_do_handshake", c_int, c_void_p)
_read = _function(_ssl, "SSL_read", c_int, c_void_p, c_char_p, c_int)
_write = _function(_ssl, "SSL_write", c_int, c_void_p, c_char_p, c_int)
_shutdown = _function(_ssl, "SSL_shutdown", c_int, c_void_p)
_error = _function(_ssl, "SSL_get_error", c_int, c_void_p, c_int)
_cipher = _function(_ssl, "SSL_get_current_cipher", c_void_p, c_void_p)
_cipher_name = _function(_ssl, "SSL_CIPHER_get_name", c_char_p, c_void_p)
_session = _function(_ssl, "SSL_get_session", c_void_p, c_void_p)
_agreed = _function(_ssl, "SSL_SESSION_get_max_fragment_length", c_ubyte, c_void_p)
_peer = _function(_ssl, "SSL_get1_peer_certificate", c_void_p, c_void_p)
_peers = _function(_ssl, "SSL_get_peer_cert_chain", c_void_p, c_void_p)
_finished = _function(_ssl, "SSL_get_finished", c_size_t, c_void_p, c_char_p, c_size_t)
_stack_count = _function(_crypto, "OPENSSL_sk_num", c_int, c_void_p)
_stack_at = _function(_crypto, "OPENSSL_sk_value", c_void_p, c_void_p, c_int)
_i2d = _function(_crypto, "i2d_X509", c_int, c_void_p, c_void_p)
_X509_free = _function(_crypto, "X509_free", None, c_void_p)
_ERR_get = _function(_crypto, "ERR_get_error", ctypes.c_ulong)
_ERR_text = _function(_crypto, "ERR_error_string_n", None, ctypes.c_ulong, c_char_p, c_size_t)

_PEM = 1
_VERIFY_PEER, _FAIL_IF_NO_PEER = 1, 2
_OP_NO_QUERY_MTU, _OP_COOKIE_EXCHANGE = 1 << 12, 1 << 13
_WANT_READ, _ZERO_RETURN = 2, 6
_CTRL_SET_MTU, _CTRL_TIMEOUT, _CTRL_HANDLE_TIMEOUT = 17, 73, 74
_CTRL_SET_MIN_PROTO, _CTRL_SET_GROUPS, _CTRL_GET_GROUP = 123, 92, 134
X25519 = 1034  # as OpenSSL numbers it
_DTLS12 = 0xFEFD
_FRAGMENT_CODES = {512: 1, 1024: 2, 2048: 3, 4096: 4}

# AES-128-CCM-8 is what constrained devices have (RFC 7925); "DEFAULT" does not name it.
CIPHERS = "ECDHE-ECDSA-AES128-CCM8:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"
CCM8 = "ECDHE-ECDSA-AES128-CCM8"

_Judge = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p)
_MakeCookie = ctypes.CFUNCTYPE(c_int, c_void_p, ctypes.POINTER(c_ubyte), ctypes.POINTER(c_uint))
_CheckCookie = ctypes.CFUNCTYPE(c_int, c_void_p, ctypes.POINTER(c_ubyte), c_uint)
_KeyLog = ctypes.CFUNCTYPE(None, c_void_p, c_char_p)
_accept_anybody = _Judge(lambda _store, _arg: 1)
_secret = os.urandom(32)


@_KeyLog
def _log_keys(_ssl_object, line):
    if os.environ.get("SSLKEYLOGFILE"):
        with open(os.environ["SSLKEYLOGFILE"], "ab") as log:
            log.write(line + b"\n")


class Failed(Exception):
    """The association is over; .alert tells whether the peer ended it."""


class TimeVal(ctypes.Structure):
    _fields_ = [("seconds", c_long), ("microseconds", c_long)]


def _errors():
    said = []
    while code := _ERR_get():
        text = ctypes.create_string_buffer(256)
        _ERR_text(code, text, len(text))
        said.append(text.value.decode())
    return "; ".join(said)


def _der(x509):
    length = _i2d(x509, None)
    octets = ctypes.create_string_buffer(length)
    place = ctypes.c_void_p(ctypes.addressof(octets))
    _i2d(x509, ctypes.byref(place))
    return octets.raw[:length]


class Context:
    """identity: has cert_path and key_path; None: no certificate. A server demands a certificate of
    its client, whoever issued it, unless demand is False, and sends a cookie first unless cookies is
    False. groups: "X25519", as OpenSSL writes them; None: its own choice."""

    def __init__(self, identity=None, server=False, ciphers=CIPHERS, cookies=True, demand=True, groups=None):
        self.server = server
        self.ctx = _CTX_new(_DTLS_server_method() if server else _DTLS_client_method())
        _CTX_ctrl(self.ctx, _CTRL_SET_MIN_PROTO, _DTLS12, None)
        _CTX_options(self.ctx, _OP_NO_QUERY_MTU)
        _CTX_keylog(self.ctx, ctypes.cast(_log_keys, c_void_p))
        self._must(_CTX_ciphers(self.ctx, ciphers.encode()))
        if identity:
            self._must(_CTX_chain(self.ctx, str(identity.cert_path).encode()))
            self._must(_CTX_key(self.ctx, str(identity.key_path).encode(), _PEM))
        if groups:
            self._must(_CTX_ctrl(self.ctx, _CTRL_SET_GROUPS, 0, groups.encode()))
        _CTX_verify(self.ctx, (_VERIFY_PEER | _FAIL_IF_NO_PEER) if server and demand else _VERIFY_PEER, None)
        _CTX_judge(self.ctx, ctypes.cast(_accept_anybody, c_void_p), None)
        if server and cookies:
            self._use_cookies()

    @staticmethod
    def _must(result):
        if result != 1:
            raise Failed(_errors())

    def _use_cookies(self):
        cookie = hmac.digest(_secret, b"cookie", "sha256")

        def make(_ssl_object, out, length):
            ctypes.memmove(out, cookie, len(cookie))
            length[0] = len(cookie)
            return 1

        def check(_ssl_object, given, length):
            return int(bytes(given[:length]) == cookie)

        self._callbacks = _MakeCookie(make), _CheckCookie(check)
        _CTX_options(self.ctx, _OP_COOKIE_EXCHANGE)
        _CTX_cookie_make(self.ctx, ctypes.cast(self._callbacks[0], c_void_p))
        _CTX_cookie_check(self.ctx, ctypes.cast(self._callbacks[1], c_void_p))

    def __del__(self):
        if getattr(self, "ctx", None):
            _CTX_free(self.ctx)
            self.ctx = None


class Link:
    """One association. max_fragment: what a client asks for (512, 1024, …)."""

    def __init__(self, context, mtu=1024, max_fragment=None):
        self.context = context
        self.inbox = []          # plaintexts, one for each record
        self.established = False
        self.ended = None        # why it is over
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (self.ours, self.theirs):
            end.setblocking(False)
        self.ssl = _new(context.ctx)
        bio = _BIO_new_socket(self.theirs.fileno(), 0)
        _set_bio(self.ssl, bio, bio)
        _ctrl(self.ssl, _CTRL_SET_MTU, mtu, None)
        if max_fragment:
            _fragment(self.ssl, _FRAGMENT_CODES[max_fragment])
        (_server if context.server else _client)(self.ssl)

    def begin(self):
        self._advance()
        return self.outgoing()

    def feed(self, datagram):
        """A datagram that came; returns those to send."""
        self.ours.send(datagram)
        self._advance()
        return self.outgoing()

    def say(self, plaintext):
        """One record; returns the datagrams to send."""
        if self.ended:
            raise Failed(self.ended)
        if _write(self.ssl, plaintext, len(plaintext)) != len(plaintext):
            raise Failed(f"write: {_errors()}")
        return self.outgoing()

    def close(self):
        """close_notify; returns the datagrams to send."""
        if self.established and not self.ended:
            _shutdown(self.ssl)
        return self.outgoing()

    def timeout(self):
        """Seconds until on_timeout() wants to be called; None: not at all."""
        left = TimeVal()
        if _ctrl(self.ssl, _CTRL_TIMEOUT, 0, ctypes.byref(left)) != 1:
            return None
        return left.seconds + left.microseconds / 1e6

    def on_timeout(self):
        if _ctrl(self.ssl, _CTRL_HANDLE_TIMEOUT, 0, None) < 0:
            self.ended = f"handshake given up: {_errors()}"
        return self.outgoing()

    def outgoing(self):
        datagrams = []
        while True:
            try:
                datagrams.append(self.ours.recv(65536))
            except BlockingIOError:
                return datagrams

    def _advance(self):
        if not self.established and not self.ended:
            result = _handshake(self.ssl)
            if result == 1:
                self.established = True
            else:
                self._judge(result, "handshake")
        if self.established and not self.ended:
            self._read_all()

    def _read_all(self):
        buffer = ctypes.create_string_buffer(17000)
        while True:
            result = _read(self.ssl, buffer, len(buffer))
            if result <= 0:
                return self._judge(result, "read")
            self.inbox.append(buffer.raw[:result])

    def _judge(self, result, what):
        error = _error(self.ssl, result)
        said = _errors()
        if error == _ZERO_RETURN:
            self.ended = "closed by the peer"
        elif error != _WANT_READ:
            self.ended = f"{what}: {said or f'error {error}'}"

    # -- what was agreed

    @property
    def cipher(self):
        return _cipher_name(_cipher(self.ssl)).decode()

    @property
    def group(self):
        """The group that keys were agreed on in, by OpenSSL's number."""
        return _ctrl(self.ssl, _CTRL_GET_GROUP, 0, None)

    @property
    def max_fragment(self):
        """Octets; None when it was not negotiated."""
        code = _agreed(_session(self.ssl))
        return 256 << code if code else None

    @property
    def peer_der(self):
        """The peer's certificate; None without one."""
        x509 = _peer(self.ssl)
        if not x509:
            return None
        try:
            return _der(x509)
        finally:
            _X509_free(x509)

    @property
    def peer_chain(self):
        """All certificates that the peer sent, its own first."""
        stack = _peers(self.ssl)
        sent = [_der(_stack_at(stack, i)) for i in range(_stack_count(stack))] if stack else []
        own = self.peer_der
        return sent if own is None or sent[:1] == [own] else [own] + sent

    @property
    def finished(self):
        """Our Finished: tls-unique when we are the client and nothing was resumed."""
        octets = ctypes.create_string_buffer(64)
        length = _finished(self.ssl, octets, len(octets))
        return octets.raw[:length]

    def __del__(self):
        if getattr(self, "ssl", None):
            _free(self.ssl)
            self.ssl = None
            self.ours.close()
            self.theirs.close()


# -- records as they travel (RFC 6347 §4.1), for those who forge them

HANDSHAKE, ALERT, APPLICATION = 22, 21, 23


def records(datagram):
    """[(content type, epoch, sequence number, fragment)] of a datagram."""
    found = []
    while len(datagram) >= 13:
        length = int.from_bytes(datagram[11:13], "big")
        found.append((datagram[0], int.from_bytes(datagram[3:5], "big"),
                      int.from_bytes(datagram[5:11], "big"), datagram[13:13 + length]))
        datagram = datagram[13 + length:]
    return found


def record(content_type, fragment, epoch=0, sequence=0, version=b"\xfe\xfd"):
    return (bytes([content_type]) + version + epoch.to_bytes(2, "big") + sequence.to_bytes(6, "big")
            + len(fragment).to_bytes(2, "big") + fragment)


def client_hello(cookie=b"", suites=b"\xc0\xae\xc0\x2b", extensions=None, sequence=0):
    """A ClientHello datagram like any other's, without any state behind it."""
    if extensions is None:  # supported_groups, ec_point_formats, signature_algorithms
        extensions = bytes.fromhex("000a000400020017" "000b00020100" "000d0006000404030503")
    body = (b"\xfe\xfd" + os.urandom(32) + b"\x00" + bytes([len(cookie)]) + cookie
            + len(suites).to_bytes(2, "big") + suites + b"\x01\x00"
            + len(extensions).to_bytes(2, "big") + extensions)
    length = len(body).to_bytes(3, "big")
    fragment = b"\x01" + length + bytes([0, sequence]) + b"\x00\x00\x00" + length + body
    return record(HANDSHAKE, fragment, sequence=sequence, version=b"\xfe\xff")


def cookie_of(datagram):
    """The cookie of a HelloVerifyRequest; None: it is something else."""
    for content_type, _epoch, _number, fragment in records(datagram):
        if content_type == HANDSHAKE and fragment[:1] == b"\x03":
            return fragment[15:15 + fragment[14]]
    return None
