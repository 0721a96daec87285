# SPDX-License-Identifier: Apache-2.0
"""How the reference registrar is found: by links over CoAPS, by plain CoAP for who knows its address, and
by multicast (RFC 6690, RFC 9148 §5.1, cBRSKI §10, the join proxy's draft §5)."""
import fnmatch
import selectors
import socket
import threading

from brski_peer import coap, constrained
from brski_peer.coap import Message

PATH = "/.well-known/core"
GROUP, HERE = "224.0.1.187", "127.0.0.1"  # all CoAP nodes (RFC 7252 §12.8), on loopback
POLL_S = 0.1
COAPS_PORT = 5684  # where nobody says another
CERTIFICATES = (constrained.PKCS7_CERTS, constrained.PKIX_CERT)
RESOURCES = (  # path, rt, formats
    ("/b", "brski", ()),
    ("/e", "ace.est", ()),
    ("/.well-known/brski/rv", "brski.rv", (constrained.VOUCHER,)),
    ("/.well-known/brski/vs", "brski.vs", (constrained.CBOR,)),
    ("/.well-known/brski/es", "brski.es", (constrained.CBOR,)),
    ("/.well-known/est/crts", "ace.est.crts", (constrained.MULTIPART, *CERTIFICATES)),
    ("/.well-known/est/sen", "ace.est.sen", CERTIFICATES),
    ("/.well-known/est/sren", "ace.est.sren", CERTIFICATES))


def question(message):
    """(attribute, pattern) of "?rt=ace.est*"; None without."""
    query = message.option(coap.URI_QUERY)
    return tuple(query.decode("utf-8", "replace").partition("=")[::2]) if query else None


def resources(role, request):
    """Links to all that is here, or to what is asked for."""
    asked = question(request.message)
    wanted = [r for r in RESOURCES if asked is None or asked[0] == "rt" and fnmatch.fnmatchcase(r[1], asked[1])]
    if len(wanted) > 1 and not role.rule("names what it has to have"):
        wanted = wanted[:-1]
    found = []
    for path, kind, formats in wanted:
        listed = " ".join(map(str, formats))
        if len(formats) > 1 and not role.rule("writes lists of formats as others read them"):
            listed = listed.replace(" ", ",")
        found.append(f'<{path}>;rt="{kind}"' + (f';ct="{listed}"' if listed else ""))
    return ",".join(found).encode()


class Announcer:
    """Plain CoAP on a port, at one address and in the group of all CoAP nodes."""

    def __init__(self, rule, coaps_port, join_port):
        self.rule, self.coaps_port, self.join_port = rule, coaps_port, join_port
        self.alone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.alone.bind((HERE, 0))
        self.port = self.alone.getsockname()[1]
        self.group = self._joined()
        self.sockets = selectors.DefaultSelector()
        for each in (self.alone, self.group):
            self.sockets.register(each, selectors.EVENT_READ)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _joined(self):
        group = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        group.bind((GROUP, self.port))
        group.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                         socket.inet_aton(GROUP) + socket.inet_aton(HERE))
        return group

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.stopping.set()
        self.thread.join()
        for each in (self.sockets, self.alone, self.group):
            each.close()

    def _run(self):
        while not self.stopping.is_set():
            for key, _ in self.sockets.select(POLL_S):
                datagram, who = key.fileobj.recvfrom(2000)
                try:
                    answer = self.answer(Message.decode(datagram), multicast=key.fileobj is self.group)
                except coap.Malformed:
                    continue
                if answer:
                    self.alone.sendto(answer.encode(), who)

    def answer(self, message, multicast):
        known = all(n in (coap.URI_PATH, coap.URI_QUERY) for n, _ in message.options if n & 1)
        asked = question(message) if known and message.path == PATH else None
        links = self.links(*asked) if asked else ""
        if multicast and not links and self.rule("keeps silent in a group when it has nothing to say"):
            return None
        reply = Message(coap.ACK if message.type == coap.CON else coap.NON, coap.code("2.05"), message.id,
                        message.token, [(coap.CONTENT_FORMAT, coap.uint(constrained.LINK))], links.encode())
        if not asked:
            reply.code, reply.options = coap.code("4.04"), []
        return reply

    def links(self, attribute, pattern):
        if attribute == "brski-jp":
            return f"<>;brski-jp={self.coaps_port}" if self.rule("announces itself on the link") else ""
        if (attribute, pattern) == ("rt", "brski.rjp"):
            port = f":{self.join_port}" if self.rule("names its join port") else ""
            return f"<jpy://127.0.0.1{port}>;rt=brski.rjp"
        if (attribute, pattern) == ("rt", "brski"):
            port = self.coaps_port if self.rule("names its port for devices") else COAPS_PORT
            return f"<coaps://127.0.0.1:{port}>;rt=brski"
        return ""
