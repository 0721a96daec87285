# SPDX-License-Identifier: Apache-2.0
"""How join proxies and those who look for them find each other in plain CoAP
(draft-ietf-anima-constrained-join-proxy §4, §5)."""
import contextlib
import os
import select

import cbor2

from brski_peer import coap, links

from ..core import MUST, SHOULD, check

CBRSKI = ("cbrski",)


@check("X-02", level=MUST, role="proxy", profiles=CBRSKI, mutant="tells its ports without an address")
def device_that_asks_is_told_join_ports(t):
    """GET /.well-known/core?brski-jp=* is answered with 2.05 in format 40: <>;brski-jp=PORT, and what a
    device sends to that port arrives."""
    reply = t.ask("brski-jp=*")
    t.need(reply is not None, "nobody answers to brski-jp=*")
    t.equal(reply.said, "2.05", "the code")
    t.equal(reply.content_format, links.FORMAT, "the format")
    found = [(target, how["brski-jp"]) for target, how in links.parse(reply.text) if "brski-jp" in how]
    t.need(found, f"no link has brski-jp: {reply.text!r}")
    t.equal({target for target, _ in found}, {""}, "the targets")
    octets = os.urandom(16)
    t.coaps_device(t.neighbour(), int(found[0][1])).send(octets)
    t.need(octets in t.jpy_registrar().take()[0], "something else arrives")


@check("J-20", level=MUST, role="proxy", profiles=CBRSKI, mutant="asks for a registrar")
def proxy_without_a_registrar_asks_for_one_and_tells_devices(t):
    """Nobody has told the proxy where the registrar is: it asks by CoAP, and devices that ask it are told a
    port that leads there."""
    with t.freshly("seeking"):
        ports = t.wait(t.join_ports, "no device is told a port")
        t.coaps_device(t.neighbour(), ports[0]).send(b"hello")
        t.need(b"hello" in t.jpy_registrar().take()[0], "something else arrives")


@check("X-08", level=MUST, role="proxy", profiles=CBRSKI, mutant="asks without wildcards")
def proxy_asks_without_wildcards(t):
    """A proxy names the one type of resource it looks for."""
    with t.freshly("seeking"):
        t.in_time(lambda: t.home.finder.asked)
        queries = [q.decode() for asked in list(t.home.finder.asked) for q in asked.all(coap.URI_QUERY)]
    t.need(not any("*" in q for q in queries), f"it asks for {queries}")


@check("J-21", "J-18", level=MUST, role="proxy", profiles=CBRSKI, mutant="offers some of too many registrars")
def of_too_many_registrars_some_are_offered(t):
    """With more registrars than it can have ports for, the proxy chooses; devices are told some ports, and
    each leads to one registrar."""
    with t.freshly("crowded"):
        for port in t.wait(t.join_ports, "no device is told a port"):
            octets = os.urandom(16)
            t.coaps_device(t.neighbour(), port).send(octets)
            ready = select.select([r.socket for r in t.crowd()], [], [], t.session.patience)[0]
            t.equal([s.recv(100) for s in ready], [octets], "what comes to the registrars")


@check("R8995-JP-005", level=MUST, role="proxy", profiles=("rfc8995",),
       mutant="offers no way its registrar has not")
def proxy_of_an_https_registrar_offers_no_coaps(t):
    """A registrar that speaks nothing but TCP is offered over nothing else."""
    with t.freshly("https-only"):
        t.equal(t.join_ports(), [], "the ports for CoAPS that devices are told")


# -- mappings

@check("J-04", level=MUST, role="proxy", profiles=CBRSKI, mutant="forgets who is silent")
def mapping_ends_after_silence(t):
    """A mapping that no datagram has used for its time (30 s by default; here one second) is over: what the
    registrar sends to it later goes to nobody."""
    t.variant("brief")
    device, registrar = t.coaps_device(t.neighbour()), t.coaps_registrar()
    device.send(b"first")
    _got, early = registrar.take()
    registrar.send(b"answer", early)
    t.equal(device.take()[0], b"answer", "what comes at once")
    t.need(device.is_idle(1.5), "something comes that nobody has sent")
    registrar.send(b"late", early)
    device.send(b"again")
    _got, source = registrar.take()
    with contextlib.suppress(ConnectionError):
        registrar.send(b"fresh", source)
    t.equal(device.take()[0], b"fresh", "what comes after the silence")


@check("J-06", level=SHOULD, role="proxy", profiles=CBRSKI, mutant="passes errors on")
def device_is_told_that_no_registrar_is_there(t):
    """An ICMP error of the registrar's side reaches the device as one about its own datagram."""
    with t.freshly("nowhere"):
        device = t.coaps_device(t.neighbour())
        t.wait(device.is_told, "the device is not told that nobody is there")


# -- stateless

@check("J-09", level=MUST, role="proxy", profiles=CBRSKI, mutant="knows the header that comes back")
def header_that_comes_back_leads_to_the_device(t):
    """A registrar sends the header back octet for octet and nothing more is needed: each of two devices gets
    what comes with its own."""
    registrar, devices = t.jpy_registrar(), []
    for name in (b"one", b"two"):
        device = t.coaps_device(t.neighbour())
        device.send(name)
        octets, source = registrar.take()
        devices.append((device, name, cbor2.loads(octets)[0], source))
    for device, name, header, source in devices:
        registrar.send(cbor2.dumps([header, b"to " + name]), source)
        t.equal(device.take()[0], b"to " + name, "the answer")
