# SPDX-License-Identifier: Apache-2.0
"""What a trial of a registrar over CoAPS has besides: devices behind join proxies, questions in plain CoAP,
devices that may enrol."""
import contextlib
import ipaddress
import socket

import cbor2

from brski_peer import coap, constrained, forge
from brski_peer.coap import Message

from .core import Skipped, Wrong

CORE = "/.well-known/core"


class Asker:
    """Plain CoAP on a socket of its own, towards an address or a group."""

    def __init__(self, trial, address):
        self.trial = trial
        host, self.port = address
        self.to = socket.getaddrinfo(host, self.port, type=socket.SOCK_DGRAM)[0][4]
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        if ipaddress.ip_address(self.to[0].split("%")[0]).is_multicast and self.socket.family == socket.AF_INET:
            sender = socket.inet_aton(trial.target.suite_bind)
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, sender)
        self.sent = 0

    def throw(self, datagram):
        self.trial.record("sent", f"a datagram of {len(datagram)} octets", datagram[:64].hex(), datagram)
        self.socket.sendto(datagram, self.to)

    def send(self, message):
        self.sent += 1
        message.id = message.id or self.sent
        self.throw(message.encode())
        return message

    def has_something(self, timeout=0):
        return coap.readable(self.socket, timeout)

    def receive(self):
        """The next message; None: nothing comes."""
        if not self.has_something(self.trial.session.patience):
            return None
        datagram = self.socket.recv(65536)
        reply = Message.decode(datagram)
        self.trial.record("received", reply.said, reply.text, datagram)
        return reply

    def ask(self, query):
        """The answer to a question for links."""
        self.send(Message(coap.CON, coap.GET, 0, b"links", coap.path_options(f"{CORE}?{query}")))
        reply = self.receive()
        if reply is None or reply.said != "2.05" or reply.content_format != constrained.LINK:
            raise Wrong(f"{CORE}?{query} is answered with {reply and (reply.said, reply.content_format)}")
        return reply


class CoapsSteps:
    """What RegistrarTrial inherits."""

    @contextlib.contextmanager
    def asker(self, kind):
        """An Asker at the target's address of this kind."""
        host, port = self.instance.address(kind)
        if host.endswith("%"):
            raise Skipped("the machine has no interface where a group can be asked")
        made = Asker(self, (host, port))
        self.later(made.socket.close)
        yield made

    @contextlib.contextmanager
    def coap_admitted(self):
        """A device that may enrol now, over CoAPS."""
        with self.coap_pledge(self.approved_device()) as pledge:
            self.coap_is(pledge.request_voucher(), "2.04", "an approved device asks for its voucher")
            pledge.voucher_status()
            yield pledge

    def saved(self, key, chain):
        """A new certificate and its key, to be shown."""
        return forge.save(self.lab.folder("ldevids"), self.lab.new_serial(), key, chain)

    def jpy_pledge(self, device, **how):
        """Our pledge behind a stateless join proxy of ours: how has its wrap and unwrap."""
        return self.coap_pledge(device, port=self.instance.address("jpy")[1], **how)

    @contextlib.contextmanager
    def behind_one_port(self, devices):
        """Two pledges whose datagrams leave from one port, each with a header of its own; their handshakes
        run at the same time."""
        pledges = [self.jpy_pledge(device, handshake=False) for device in devices]
        clients = {f"header {i}".encode(): p.client for i, p in enumerate(pledges)}
        shared = next(iter(clients.values())).socket

        def sorted_out(own):
            def unwrap(datagram):
                header, content = cbor2.loads(datagram)[:2]
                if header == own:
                    return content
                other = clients[header]
                for answer in other.link.feed(content):
                    other.throw(answer)
                return None
            return unwrap

        for header, client in clients.items():
            if client.socket is not shared:
                client.socket.close()
                client.socket = shared
            client.wrap = lambda datagram, header=header: cbor2.dumps([header, datagram])
            client.unwrap = sorted_out(header)
        for client in clients.values():
            for datagram in client.link.begin():
                client.throw(datagram)
        for client in clients.values():
            client.wait_established()
        yield pledges
