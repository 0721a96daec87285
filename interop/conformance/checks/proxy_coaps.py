# SPDX-License-Identifier: Apache-2.0
"""The join proxy for CoAPS (draft-ietf-anima-constrained-join-proxy), stateless and stateful."""
import os

import cbor2

from ..core import MUST, SHOULD, check

CBRSKI = ("cbrski",)
HEADER_MAX = 32


def wrapped(t, device, octets):
    """A device speaks: (header, content, where from) of what comes to the registrar's join port."""
    device.send(octets)
    got, source = t.jpy_registrar().take()
    try:
        parts = cbor2.loads(got)
    except Exception:
        parts = None
    t.need(isinstance(parts, list) and [type(p) for p in parts[:2]] == [bytes, bytes],
           f"a datagram to the join port is no array of byte strings: {got[:32].hex()}")
    return parts, source


@check("J-07", level=MUST, role="proxy", profiles=CBRSKI, mutant="sends arrays of two byte strings")
def stateless_proxy_wraps_in_an_array_of_two_byte_strings(t):
    """A datagram to the join port is a CBOR array of the header and the device's octets."""
    octets = os.urandom(400)
    parts, _source = wrapped(t, t.coaps_device(), octets)
    t.equal(len(parts), 2, "the number of elements")
    t.equal(parts[1], octets, "the content")


@check("J-12", level=SHOULD, role="proxy", profiles=CBRSKI, mutant="keeps the header short")
def header_is_at_most_32_octets(t):
    """The header has at most 32 octets."""
    (header, *_), _source = wrapped(t, t.coaps_device(), b"hello")
    t.need(len(header) <= HEADER_MAX, f"the header has {len(header)} octets")


@check("J-15", level=SHOULD, role="proxy", profiles=CBRSKI, mutant="has one source port for all devices")
def stateless_proxy_has_one_source_port(t):
    """All devices come to the join port from one address and port of the proxy."""
    sources = {wrapped(t, t.coaps_device(), b"hello")[1] for _ in range(2)}
    t.equal(len(sources), 1, "the number of source ports")


@check("J-13", level=SHOULD, role="proxy", profiles=CBRSKI, mutant="opens only what it has sealed")
def answer_with_a_changed_header_is_dropped(t):
    """An answer whose header was changed goes to nobody; one with the right header still arrives."""
    device = t.coaps_device()
    (header, *_), source = wrapped(t, device, b"hello")
    registrar = t.jpy_registrar()
    for at in (0, len(header) // 2, len(header) - 1):
        changed = header[:at] + bytes([header[at] ^ 1]) + header[at + 1:]
        registrar.send(cbor2.dumps([changed, b"forged"]), source)
    registrar.send(cbor2.dumps([header, b"honest"]), source)
    t.equal(device.take()[0], b"honest", "the first that the device gets")


@check("J-01", level=MUST, role="proxy", profiles=CBRSKI, mutant="prefers the join port")
def registrar_with_a_join_port_is_served_stateless(t):
    """Where a registrar offers both ways, the stateless one is taken, and the other is not."""
    wrapped(t, t.coaps_device(t.neighbour()), b"hello")
    t.need(t.coaps_registrar().is_idle(), "it comes to the registrar's other port as well")


@check("J-03", level=MUST, role="proxy", profiles=CBRSKI, mutant="gives each device a source port")
def stateful_proxy_has_a_source_port_for_each_device(t):
    """Two devices come to the registrar from two ports, octets untouched; answers find their way."""
    t.variant("stateful")
    registrar, sources = t.coaps_registrar(), {}
    devices = {name: t.coaps_device(t.neighbour()) for name in (b"one", b"two")}
    for name, device in devices.items():
        device.send(name)
        got, sources[name] = registrar.take()
        t.equal(got, name, "what comes to the registrar")
    t.equal(len(set(sources.values())), 2, "the number of source ports")
    for name, device in devices.items():
        registrar.send(b"to " + name, sources[name])
        t.equal(device.take()[0], b"to " + name, "the answer")


@check("J-05", level=SHOULD, role="proxy", profiles=CBRSKI, mutant="bounds the mappings of one neighbour")
def one_neighbour_has_two_mappings_at_most(t):
    """The third device behind one address is not relayed while two are; a device of another address is."""
    t.variant("stateful")
    if not t.on_loopback():
        t.skip("devices of several addresses can be played on loopback only")
    registrar, crowded = t.coaps_registrar(), t.neighbour()
    for _ in range(2):
        device = t.coaps_device(crowded)
        device.send(b"early")
        _got, source = registrar.take()
        registrar.send(b"more than it said", source)
        device.take()
    t.coaps_device(crowded).send(b"too many")
    t.coaps_device(t.neighbour()).send(b"honest")
    t.equal(registrar.take()[0], b"honest", "the next that comes to the registrar")
