# SPDX-License-Identifier: Apache-2.0
"""The circuit proxy for HTTPS (RFC 8995 §4): octets pass, nothing else happens to them."""
import base64
import os
import secrets

from ..core import MUST, SHOULD, check

RFC8995 = ("rfc8995",)
MANY = 200            # connections; no proxy has room for so many of one neighbour
OCTETS = 200_000      # more than any buffer of a proxy that reads ahead


@check("R8995-JP-001", level=MUST, role="proxy", profiles=RFC8995,
       mutant="does not look into what it relays")
def any_octets_pass_both_ways(t):
    """What is no TLS, or TLS nobody has heard of, passes unchanged in both directions."""
    device, registrar = t.circuit()
    for sender, taker in ((device, registrar), (registrar, device)):
        for octets in (b"\x16\x03\x09no such version", os.urandom(1000)):
            sender.send(octets)
            t.equal(taker.take(len(octets)), octets, "what arrives")


@check("R8995-JP-009", level=SHOULD, role="proxy", profiles=RFC8995, mutant="logs nothing of what it relays")
def relayed_octets_are_not_in_the_log(t):
    """What devices and registrars say to each other is not in the proxy's log, as it is or in digits."""
    device, registrar = t.circuit()
    told = secrets.token_hex(24).encode()

    def tell():
        for sender, taker in ((device, registrar), (registrar, device)):
            sender.send(told)
            t.equal(taker.take(len(told)), told, "what arrives")
        device.half_close()
        t.equal(registrar.ending(), "end", "what the registrar sees")
    said = t.log_of(tell, wait=False)
    plain = "".join(said.lower().replace(":", " ").split())
    for form in (told.decode(), told.hex(), base64.b64encode(told).decode().lower()):
        t.need(form not in plain, "what it has relayed is in the log")


@check("R8995-JP-008", level=SHOULD, role="proxy", profiles=RFC8995, mutant="passes a half-close on")
def half_close_passes_and_the_other_direction_goes_on(t):
    """A device that has said everything ends its direction; the registrar sees the end, and can still
    answer."""
    device, registrar = t.circuit()
    device.half_close()
    t.equal(registrar.ending(), "end", "what the registrar sees")
    registrar.send(b"answer")
    t.equal(device.take(6), b"answer", "what the device gets after that")


@check("R8995-JP-008", level=SHOULD, role="proxy", profiles=RFC8995, mutant="passes a reset on")
def reset_passes(t):
    """A connection that breaks off on one side breaks off on the other."""
    device, registrar = t.circuit()
    device.reset()
    t.equal(registrar.ending(), "reset", "what the registrar sees")


@check("R8995-JP-008", level=SHOULD, role="proxy", profiles=RFC8995,
       mutant="bounds the connections of one neighbour")
def one_neighbour_cannot_have_every_connection(t):
    """State per client is bounded: of very many connections of one neighbour some are reset."""
    t.circuit()
    devices = []
    try:
        for _ in range(MANY):
            devices.append(t.device())
            devices[-1].socket.settimeout(0)
    except (ConnectionError, TimeoutError):
        return
    t.wait(lambda: any(is_over(d) for d in devices), f"{MANY} connections of one neighbour are all held")


def is_over(device):
    try:
        return device.socket.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


@check("R8995-JP-010", level=SHOULD, role="proxy", profiles=RFC8995, mutant="serves devices side by side")
def device_that_reads_nothing_holds_nobody_up(t):
    """While one device takes nothing of what its registrar sends, another is served."""
    _slow, registrar = t.circuit()
    registrar.socket.settimeout(0)
    try:
        while True:
            registrar.socket.send(bytes(OCTETS))
    except BlockingIOError:
        pass  # every buffer on the way is full
    device, other = t.circuit()
    other.send(b"hello")
    t.equal(device.take(5), b"hello", "what the second device gets")
