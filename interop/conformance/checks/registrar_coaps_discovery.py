# SPDX-License-Identifier: Apache-2.0
"""How a registrar is found by devices and by join proxies, and the port for stateless ones (RFC 6690,
RFC 9148 §5.1, draft-ietf-anima-constrained-voucher §10, draft-ietf-anima-constrained-join-proxy)."""
import re

import cbor2

from brski_peer import coap, constrained, cose, voucher
from brski_peer.coap import Message

from ..core import MUST, SHOULD, check

CBRSKI, EST_COAPS = ("cbrski",), ("est-coaps",)
CORE = "/.well-known/core"
COAPS_PORT = 5684
UNKNOWN_OPTION = 2053
LINK = re.compile(r"<([^>]*)>((?:;[^,;=]+(?:=(?:\"[^\"]*\"|[^,;]*))?)*)")


def links(t, pledge, query):
    """[(target, attributes)] over CoAPS; skips where there is no discovery there."""
    reply = pledge.client.get(f"{CORE}?{query}")
    if reply.said == "4.04":
        t.skip("the target answers no discovery over CoAPS: see C-27")
    t.coap_is(reply, "2.05", f"{CORE}?{query} is asked")
    t.equal(reply.content_format, constrained.LINK, "the format of links")
    return LINK.findall(reply.text)


def headed(header, more=()):
    """What a stateless join proxy does to datagrams, and undoes."""
    def unwrap(datagram):
        items = cbor2.loads(datagram)
        return items[1] if items[0] == header else None
    return {"wrap": lambda datagram: cbor2.dumps([header, datagram, *more]), "unwrap": unwrap}


# -- by devices that are there already

@check("C-27", level=SHOULD, role="registrar", profiles=EST_COAPS, mutant="answers discovery over CoAPS")
def coaps_functions_are_found(t):
    """The port is not the default one here: where EST is can be asked."""
    with t.coap_pledge(t.approved_device()) as p:
        t.coap_is(p.client.get(f"{CORE}?rt=ace.est*"), "2.05", "what there is of EST is asked")


@check("C-26", level=MUST, role="registrar", profiles=EST_COAPS, mutant="names what it has to have")
def coaps_discovery_names_crts_sen_and_sren(t):
    """Who asks for rt=ace.est* is told at least of these."""
    with t.coap_pledge(t.approved_device()) as p:
        found = " ".join(attributes for _, attributes in links(t, p, "rt=ace.est*"))
    for kind in ("ace.est.crts", "ace.est.sen", "ace.est.sren"):
        t.need(re.search(rf"{re.escape(kind)}[\" ;]", found + " "), f"{kind} is missing in {found!r}")


@check("R-20", level=MUST, role="registrar", profiles=CBRSKI, mutant="has short roots that do the same")
def coaps_short_roots_do_the_same_as_the_usual_ones(t):
    """Where links name other roots than those of /.well-known, a device may use either, and mix them."""
    with t.coap_pledge(t.approved_device()) as p:
        roots = [next((target for target, _ in links(t, p, f"rt={kind}") if target.startswith("/")), usual)
                 for kind, usual in (("brski", constrained.BRSKI), ("ace.est", constrained.EST))]
        short = [root for root in roots if not root.startswith("/.well-known")]
        if not short:
            t.skip("the target names no other roots than the usual ones")
        usual, p.roots = p.roots, [root.rstrip("/") + "/" for root in roots]
        t.coap_is(p.request_voucher(), "2.04", f"rv is asked for below {p.roots[0]}")
        p.roots = usual
        t.need(p.voucher_status().said.startswith("2."), "vs below the usual root is refused after that")
        p.roots = [root.rstrip("/") + "/" for root in roots]
        t.coap_is(p.enroll()[0], "2.04", f"sen is asked for below {p.roots[1]}")


@check("X-10", level=MUST, role="registrar", profiles=CBRSKI,
       mutant="writes lists of formats as others read them")
def coaps_formats_of_a_resource_are_a_list_of_numbers(t):
    """ct is a number, or numbers in quotes with one space between them."""
    with t.coap_pledge(t.approved_device()) as p:
        found = [attributes for _, attributes in links(t, p, "rt=ace.est*")]
    lists = re.findall(r";ct=(\"[^\"]*\"|[^;]*)", "".join(found))
    if not lists:
        t.skip("the target names no formats")
    for said in lists:
        t.need(re.fullmatch(r"\d+|\"\d+( \d+)*\"", said), f"ct={said}")


# -- by those who look for it

@check("X-05", level=SHOULD, role="registrar", profiles=CBRSKI, mutant="announces itself on the link")
def registrar_on_the_link_announces_itself(t):
    """A pledge that asks for a join proxy (brski-jp=*) is told the port of the registrar itself."""
    with t.asker("discovery") as asker:
        said = asker.ask("brski-jp=*").text
    port = t.instance.address("coaps")[1]
    t.need(re.search(rf"<>;[^,]*brski-jp=\"?{port}\b", said), f"it says {said!r} instead of the port {port}")


@check("X-06", "J-11", level=MUST, role="registrar", profiles=CBRSKI, mutant="names its join port")
def join_port_is_found_and_is_one_of_its_own(t):
    """A stateless join proxy that asks for brski.rjp is told jpy://address:port: the scheme has no default
    port, and it is not the one for devices."""
    with t.asker("discovery") as asker:
        said = asker.ask("rt=brski.rjp").text
    found = re.findall(r"<jpy://[^>]*?(?::(\d+))?/?>", said)
    t.need(found and all(found), f"there is no jpy link with a port in {said!r}")
    t.need(int(found[0]) != t.instance.address("coaps")[1], "the join port is that of CoAPS")
    with t.coap_pledge(t.approved_device(), port=int(found[0]), **headed(b"somebody")) as p:
        t.coap_is(p.request_voucher(), "2.04", "a device asks through that port")


@check("X-07", level=MUST, role="registrar", profiles=CBRSKI, mutant="names its port for devices")
def port_for_devices_is_found(t):
    """A stateful join proxy that asks for brski is told coaps://address, with a port unless it is 5684."""
    with t.asker("discovery") as asker:
        said = asker.ask("rt=brski").text
    ports = {int(port or COAPS_PORT) for port in re.findall(r"<coaps://[^>/]*?(?::(\d+))?(?:/[^>]*)?>", said)}
    t.equal(ports, {t.instance.address("coaps")[1]}, "the port in the links")


@check("X-11", level=SHOULD, role="registrar", profiles=CBRSKI,
       mutant="keeps silent in a group when it has nothing to say")
def nothing_to_say_to_a_group_is_silence(t):
    """To multicast nobody answers that there is nothing, or that something is wrong, nor with a reset."""
    wrong = {b"none": [*coap.path_options(f"{CORE}?rt=nothing.of.this")],
             b"path": [*coap.path_options("/nothing")],
             b"opt": [*coap.path_options(f"{CORE}?rt=brski"), (UNKNOWN_OPTION, b"?")]}
    with t.asker("discovery_group") as asker:
        for token, options in wrong.items():
            asker.send(Message(coap.NON, coap.GET, 0, token, options))
        asker.send(Message(coap.NON, coap.GET, 0, b"good", coap.path_options(f"{CORE}?rt=brski")))
        reply = asker.receive()
        t.need(reply, "nothing comes back from the group, not even for rt=brski")
        t.need(reply.token == b"good", f"the answer to {reply.token!r} is {reply.said}")
        t.equal(reply.said, "2.05", "the code")


# -- the join port

@check("J-02", "R-21", level=SHOULD, role="registrar", profiles=CBRSKI, mutant="takes headers of every size")
def device_joins_behind_a_stateless_proxy(t):
    """Datagrams in an array with the proxy's header, of 32 octets: it comes back as it was, the device joins."""
    with t.hangs_up_or() as ended:
        with t.jpy_pledge(t.approved_device(), **headed(bytes(range(32)))) as p:
            t.coap_joined(p)
    t.need(not ended, f"no device gets through to the registrar: {ended}")


@check("J-08", level=MUST, role="registrar", profiles=CBRSKI,
       mutant="passes over further elements of the array")
def array_of_more_than_two_is_taken(t):
    """The first two elements count."""
    with t.jpy_pledge(t.approved_device(), **headed(b"header", more=[1, "two"])) as p:
        t.coap_is(p.request_voucher(), "2.04", "the array has four elements")


@check("J-08", level=MUST, role="registrar", profiles=CBRSKI, mutant="drops what is no array in silence")
def garbage_at_the_join_port_is_dropped(t):
    """What is no array of two byte strings has no answer, and does no harm to who comes after it."""
    garbage = (b"", b"\xff", cbor2.dumps([b"alone"]), cbor2.dumps("text"), cbor2.dumps({1: b"a", 2: b"b"}),
               cbor2.dumps([1, 2]), cbor2.dumps([b"header", b"content"])[:-1], b"\x9f\x41a", bytes(60000))
    with t.asker("jpy") as asker:
        for datagram in garbage:
            asker.throw(datagram)
        with t.jpy_pledge(t.approved_device(), **headed(b"header")) as p:
            t.coap_is(p.request_voucher(), "2.04", "a device comes after the garbage")
        t.need(not asker.has_something(), "there is an answer to garbage")


@check("J-10", level=MUST, role="registrar", profiles=CBRSKI, mutant="tells devices apart by their header")
def devices_behind_one_port_are_told_apart_by_their_header(t):
    """Two handshakes through one address and port of a proxy, at the same time: two associations, and each
    device gets its own voucher."""
    with t.behind_one_port([t.approved_device(), t.approved_device()]) as pledges:
        vouchers = [p.request_voucher() for p in pledges]
        for p, reply in zip(pledges, vouchers):
            t.coap_is(reply, "2.04", "each asks for its voucher")
            t.equal(cose.parse(reply.payload).fields["serial-number"], voucher.serial_of(p.identity.cert),
                    "the serial-number of the voucher")
