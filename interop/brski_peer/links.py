# SPDX-License-Identifier: Apache-2.0
"""Discovery in CoRE link format (RFC 6690) over plain CoAP: a question, and whoever answers with whatever
it is told to.

    reply = ask(("127.0.0.1", 5683), "brski-jp=*")       # coap.Message, or None
    for target, attributes in parse(reply.text): …
    with Answerer(lambda query: b"<>;brski-jp=5684") as a: … a.port, a.asked

Nothing is judged here.
"""
import os
import re
import socket
import threading
import time

from . import coap

FORMAT = 40
WELL_KNOWN = "/.well-known/core"
POLL_S = 0.1
_LINK = re.compile(r'\s*<([^>]*)>((?:\s*;\s*[^=;,\s]+(?:=(?:"[^"]*"|[^;,"]*))?)*)\s*(?:,|$)')
_ATTRIBUTE = re.compile(r'([^=;,\s]+)(?:=(?:"([^"]*)"|([^;,"]*)))?')


def parse(text):
    """[(target, {attribute: value})]; ValueError for what is no list of links. The first of two attributes
    with one name counts."""
    found, at = [], 0
    while at < len(text):
        match = _LINK.match(text, at)
        if not match:
            raise ValueError(f"no link: {text[at:at + 40]!r}")
        attributes = {}
        for name, quoted, bare in _ATTRIBUTE.findall(match.group(2)):
            attributes.setdefault(name, quoted or bare)
        found.append((match.group(1), attributes))
        at = match.end()
    return found


def question(query, kind=coap.NON):
    return coap.Message(kind, coap.GET, int.from_bytes(os.urandom(2), "big"), os.urandom(2),
                        coap.path_options(f"{WELL_KNOWN}?{query}"))


def ask(address, query, timeout=2, bind=None):
    """One question, by unicast or to a group: the first answer, with .source; None when nobody says
    anything."""
    asked = question(query, coap.CON)
    with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM) as udp:
        deadline = time.monotonic() + timeout
        if bind:
            udp.bind(bind)
        udp.sendto(asked.encode(), address)
        try:
            while (left := deadline - time.monotonic()) > 0:
                udp.settimeout(left)
                octets, source = udp.recvfrom(65536)
                answer = coap.Message.decode(octets)
                if answer.token == asked.token and answer.code >= 0x40:
                    answer.source = source
                    return answer
        except (TimeoutError, ConnectionError, coap.Malformed):
            pass
    return None


class Answerer:
    """links: function of the query ("rt=brski.rjp") that returns the octets of a 2.05, or None for silence.
    asked: the questions, as coap.Message."""

    def __init__(self, links, host="127.0.0.1", port=0):
        self.links, self.asked = links, []
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, port))
        self.socket.settimeout(POLL_S)
        self.port = self.socket.getsockname()[1]
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.stopping.set()
        self.thread.join(5)
        self.socket.close()

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    def _run(self):
        while not self.stopping.is_set():
            try:
                octets, source = self.socket.recvfrom(65536)
                asked = coap.Message.decode(octets)
            except (TimeoutError, ConnectionError, coap.Malformed):
                continue
            if asked.code == coap.GET:
                self.asked.append(asked)
                self._answer(asked, source)

    def _answer(self, asked, source):
        found = self.links(b"&".join(asked.all(coap.URI_QUERY)).decode("utf-8", "replace"))
        if found is None:
            return
        kind = coap.ACK if asked.type == coap.CON else coap.NON
        options = [(coap.CONTENT_FORMAT, coap.uint(FORMAT))]
        answer = coap.Message(kind, coap.code("2.05"), asked.id, asked.token, options, found)
        self.socket.sendto(answer.encode(), source)
