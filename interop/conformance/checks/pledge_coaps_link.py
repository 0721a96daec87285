# SPDX-License-Identifier: Apache-2.0
"""The pledge's side of DTLS and of its datagrams (RFC 6347, RFC 7925, draft-ietf-anima-constrained-voucher
§6.1, draft-ietf-anima-constrained-join-proxy §4.5)."""
import contextlib
import os
import select
import socket

from brski_peer import dtls
from brski_peer.coap_server import Answer

from ..core import MUST, SHOULD, check

CBRSKI, BOTH = ("cbrski",), ("cbrski", "est-coaps")
HANDSHAKE_MAX = 1024
DATAGRAM_MAX = 1232                   # IPv6's smallest MTU without its headers and UDP's
HEADER_MAX = 38                       # of what a stateless join proxy puts around
CLIENT_HELLO = b"\x01"
CLIENT_CERTIFICATE_TYPE, RECORD_SIZE_LIMIT, SUPPORTED_VERSIONS = 19, 28, 43
DTLS_12, DTLS_13 = b"\xfe\xfd", b"\xfe\xfc"
X509_TYPE = 0
PORTS = (5683, 5684, 61616, 61617)    # of CoAP, and of CoAP in 6LoWPAN
NEAR = 4                              # ports on each side of the one it uses
PROBE_S = 0.2


def datagrams_of(t, registrar=None):
    """The octets of every datagram a pledge that joins sends."""
    registrar = registrar or t.coap_registrar
    came, taken = [], registrar.drop

    def take(octets, way):
        if way == "in":
            came.append(octets)
        return taken(octets, way)
    registrar.drop = take
    t.joins(None, registrar)
    return came


def hellos(t):
    """[{extension: octets}] of each ClientHello."""
    found = []
    for datagram in datagrams_of(t):
        for kind, epoch, _number, fragment in dtls.records(datagram):
            if kind == dtls.HANDSHAKE and epoch == 0 and fragment[:1] == CLIENT_HELLO:
                found.append(extensions(fragment[12:]))
    return found


def extensions(hello):
    """Of a ClientHello's body: version, random, session, cookie, suites, compressions come before."""
    at = 2 + 32
    at += 1 + hello[at]
    at += 1 + hello[at]
    at += 2 + int.from_bytes(hello[at:at + 2], "big")
    at += 1 + hello[at] + 2
    found = {}
    while at + 4 <= len(hello):
        number, size = (int.from_bytes(hello[i:i + 2], "big") for i in (at, at + 2))
        found[number] = hello[at + 4:at + 4 + size]
        at += 4 + size
    return found


def versions(hello):
    listed = hello.get(SUPPORTED_VERSIONS, b"")[1:]
    return {listed[i:i + 2] for i in range(0, len(listed), 2)}


@check("D-03", "C-23", level=MUST, role="pledge", profiles=BOTH, mutant="knows CCM_8")
def coaps_pledge_speaks_ccm_8(t):
    """TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8 on P-256 is the one suite that every side has in DTLS 1.2."""
    t.joins(None, t.new_coap_registrar(ciphers=dtls.CCM8))


@check("D-02", level=MUST, role="pledge", profiles=CBRSKI, mutant="offers one version of DTLS alone")
def coaps_pledge_with_dtls_1_3_does_not_offer_1_2(t):
    """A pledge that has DTLS 1.3 does not speak 1.2 as well."""
    both = [h for h in hellos(t) if {DTLS_12, DTLS_13} <= versions(h)]
    t.need(not both, "a ClientHello offers DTLS 1.3 and 1.2")


@check("D-08", level=MUST, role="pledge", profiles=CBRSKI, mutant="limits its records in 1.3")
def coaps_pledge_with_dtls_1_3_limits_its_records(t):
    """In DTLS 1.3 a constrained pledge sends record_size_limit, 512 to 1024."""
    for hello in hellos(t):
        limit = int.from_bytes(hello.get(RECORD_SIZE_LIMIT, b""), "big")
        t.need(DTLS_13 not in versions(hello) or 512 <= limit <= 1024,
               f"record_size_limit is {limit or 'missing'} in a ClientHello with DTLS 1.3")


@check("K-02", level=MUST, role="pledge", profiles=CBRSKI,
       mutant="shows a certificate whatever the registrar shows")
def coaps_pledge_shows_its_certificate(t):
    """Whether or not the registrar may answer with a raw key, the pledge's side stays X.509: the registrar
    has to find the manufacturer in it."""
    for hello in hellos(t):
        kinds = hello.get(CLIENT_CERTIFICATE_TYPE, bytes([1, X509_TYPE]))[1:]
        t.need(X509_TYPE in kinds, f"client_certificate_type offers {list(kinds)}")
    t.need(t.coap_registrar.seen("rv")[0].link.peer_der, "no certificate comes")


@check("D-09", level=SHOULD, role="pledge", profiles=CBRSKI,
       mutant="sends handshakes in datagrams of 1024 octets")
def coaps_handshake_datagrams_have_1024_octets_at_most(t):
    """Handshakes assume a path of 1024 octets."""
    sizes = [len(d) for d in datagrams_of(t) if dtls.records(d)[0][0] == dtls.HANDSHAKE]
    t.need(max(sizes) <= HANDSHAKE_MAX, f"a datagram of the handshake has {max(sizes)} octets")


@check("B-09", "J-17", level=MUST, role="pledge", profiles=BOTH, mutant="keeps datagrams small")
def coaps_datagrams_leave_room_for_a_join_proxy(t):
    """With DTLS and the header of a stateless join proxy around them, datagrams fit into IPv6's smallest
    packet."""
    largest = max(map(len, datagrams_of(t)))
    t.need(largest + HEADER_MAX <= DATAGRAM_MAX, f"a datagram has {largest} octets")


@check("J-16", level=MUST, role="pledge", profiles=CBRSKI, mutant="listens on no other port")
def coaps_pledge_listens_on_no_other_port(t):
    """While it joins, a pledge takes nothing on other UDP ports: neither on CoAP's nor near the one it
    uses."""
    registrar, answered = t.coap_registrar, set()

    def ask(_request):
        host, port = next(iter(registrar.associations))
        near = [p for p in range(port - NEAR, port + NEAR + 1) if p != port]
        answered.update(answering(host, [p for p in (*PORTS, *near) if p not in before]))
        return NotImplemented
    before = answering(registrar.socket.getsockname()[0], PORTS)
    registrar.on["rv"] = ask
    t.joins(None, registrar)
    t.need(not answered, f"the pledge answers on {sorted(answered)}")


def answering(host, ports):
    """Those of the UDP ports where a CoAP ping is answered."""
    ping = b"\x40\x00" + os.urandom(2)
    with contextlib.ExitStack() as held:
        asked = {}
        for port in ports:
            udp = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            udp.connect((host, port))
            with contextlib.suppress(OSError):
                udp.send(ping)
                asked[udp] = port
        heard = set()
        while silent := [u for u in asked if asked[u] not in heard]:
            ready = select.select(silent, [], [], PROBE_S)[0]
            for udp in ready:
                with contextlib.suppress(ConnectionError):
                    udp.recv(100)
                    heard.add(asked[udp])
                asked.pop(udp) if asked[udp] not in heard else None
            if not ready:
                break
        return heard


@check("D-10", level=MUST, role="pledge", profiles=CBRSKI, mutant="asks for nothing else before the voucher")
def coaps_pledge_asks_for_nothing_else_before_the_voucher(t):
    """Until it has a voucher the pledge sends its request, and a status about what was no voucher; nothing
    of EST."""
    registrar, times = t.coap_registrar, iter(range(2))

    def later(_request):
        return NotImplemented if next(times, None) is None else Answer("5.03", options=[(14, b"")])
    registrar.on["rv"] = later
    t.joins(None, registrar, action="join_patiently" if t.can("join_patiently") else "join")
    before = registrar.steps()[:len(registrar.steps()) - registrar.steps()[::-1].index("rv")]
    t.need(set(before) <= {"rv", "vs"}, f"before the voucher it asks for {before}")
