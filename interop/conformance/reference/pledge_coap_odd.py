# SPDX-License-Identifier: Apache-2.0
"""What a pledge over CoAPS should not do; only mutants of the reference do it."""
import contextlib
import socket
import threading

from brski_peer import dtls

POLL_S = 0.05
USUAL = bytes.fromhex("000a000400020017" "000b00020100" "000d0006000404030503")
# rule → what a ClientHello says that breaks it: supported_versions with both; 1.3 without record_size_limit;
# client_certificate_type with raw public keys only
HELLOS = {"offers one version of DTLS alone": "002b000504fefcfefd" "001c00020200",
          "limits its records in 1.3": "002b000302fefc",
          "shows a certificate whatever the registrar shows": "001300020102"}


def hellos(rule):
    """Datagrams to send before the honest handshake."""
    return [dtls.client_hello(extensions=USUAL + bytes.fromhex(more))
            for name, more in HELLOS.items() if not rule(name)]


@contextlib.contextmanager
def port_beside(used):
    """Answer CoAP pings on a port near the one that is used."""
    host, port = used.getsockname()[:2]
    stopping = threading.Event()
    with socket.socket(used.family, socket.SOCK_DGRAM) as beside:
        beside.settimeout(POLL_S)
        for near in range(port + 1, port + 4):
            with contextlib.suppress(OSError):
                beside.bind((host, near))
                break

        def answer():
            while not stopping.is_set():
                with contextlib.suppress(OSError):
                    octets, address = beside.recvfrom(100)
                    beside.sendto(b"\x70" + octets[1:4], address)
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()
