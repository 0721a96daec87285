# SPDX-License-Identifier: Apache-2.0
"""Parts of a story that are not this repository's programs: the suite's peers, honest or lying."""
import contextlib
import re
import socket
import threading

from brski_peer import constrained, forge, voucher
from brski_peer.masa import FakeMasa
from brski_peer.registrar import FakeRegistrar
from brski_peer.server import Answer, text
from brski_peer.wire import Connection

from conformance.core import Broken

from .evidence import exchange_of
from .lies import MASA_LIES

CMS_TYPE = "application/voucher-cms+json"
BRSKI = "/.well-known/brski/"
HANDSHAKE = 22  # type of a TLS record


class Peer:
    """What the stage wants of every part."""

    def __init__(self, stage, name, settings):
        self.stage, self.name, self.settings = stage, name, settings
        self.host = settings.get("host", name)
        self.server = None

    def make(self):
        raise NotImplementedError

    def start(self):
        self.server = self.stage.place.run(self.host, lambda: self.watched(self.make()).start())
        return self

    def watched(self, server):
        """What it is asked and answers is part of the story's record."""
        def observe(request, answer):
            for direction, what, shown, octets in exchange_of(request, answer):
                self.stage.note(f"{direction} {self.name}: {what}", shown, octets)
        server.observer = observe
        return server

    def stop(self):
        if self.server:
            self.stage.place.run(self.host, self.server.stop)
        self.server = None

    def alive(self):
        return self.server is not None

    def log(self):
        """What it was asked, a line each."""
        return "".join(f"{r.method} {r.path}\n" for r in self.server.seen()) if self.server else ""

    def lines(self, pattern):
        return [line for line in self.log().splitlines() if re.search(pattern, line)]

    def count(self, step):
        return sum(r.path.rsplit("/", 1)[-1] == step for r in self.server.seen())


class LyingMasa(Peer):
    """lies: names of MASA_LIES; without any it is an honest one."""
    LIES = MASA_LIES

    def __init__(self, stage, name, settings):
        super().__init__(stage, name, settings)
        self.maker = stage.makers[settings.get("maker", "acme")]
        self.maker.masa_identity(stage.place.names_of(self.host))

    def make(self):
        made = FakeMasa(self.maker.directory, getattr(self, "port", 0), host=self.stage.place.everywhere)
        self.port = made.port
        for lie in self.settings.get("lies", []):
            MASA_LIES[lie](made, self.stage)
        return made


# -- registrars

class LyingRegistrar(Peer):
    """The suite's registrar with a certificate of the site. It makes vouchers with the maker's own
    signer, which no registrar could have: the worst a neighbour can be."""

    def __init__(self, stage, name, settings):
        super().__init__(stage, name, settings)
        self.site = stage.sites[settings.get("site", "home")]
        self.maker = stage.makers[settings.get("maker", "acme")]
        self.over_coaps = settings.get("coaps", False)
        self.stolen = None
        self.files = self.site.identity(name, stage.place.names_of(self.host))
        self.port = 0

    def prepare(self):
        """Before anybody knows its address: it listens already."""
        if self.port == 0:
            self.server = self.stage.place.run(self.host, self.make)

    def make(self):
        key, certificate = self.files
        if self.over_coaps:
            made = constrained.FakeRegistrar(forge.load(key, certificate), self.site.directory,
                                             self.maker.directory, self.port,
                                             host=self.stage.place.everywhere)
        else:
            made = FakeRegistrar(certificate, key, self.site.directory, self.maker.directory, self.port,
                                 host=self.stage.place.everywhere)
        self.port = made.port
        self.set_up(made)
        return made

    def set_up(self, server):
        def asked(request):
            if self.stolen is None:
                return NotImplemented
            return constrained.Answer("2.04", self.stolen, constrained.VOUCHER) if self.over_coaps \
                else Answer(200, self.stolen, CMS_TYPE)
        server.on["rv" if self.over_coaps else "requestvoucher"] = asked
        for lie in self.settings.get("lies", []):
            if lie not in MASA_LIES:
                raise Broken(f"{self.name}: no lie is called {lie!r}")
            MASA_LIES[lie](server, self.stage)

    def start(self):
        self.prepare()
        server, self.server = self.watched(self.server), None
        self.server = self.stage.place.run(self.host, server.start)
        return self

    def stop(self):
        super().stop()
        self.port = 0

    def ports(self, _over):
        return self.port, "udp" if self.over_coaps else "tcp"

    def reports(self, step):
        return self.server.reports(step)


class PreparedRegistrar(LyingRegistrar):
    """A registrar of the site that has fetched vouchers ahead, without a nonce, and hands them out
    whether it can reach a MASA or not. What it has none for it refuses."""

    def __init__(self, stage, name, settings):
        super().__init__(stage, name, settings)
        self.kept = {}

    def set_up(self, server):
        server.on["requestvoucher"] = self.hand_out

    def hand_out(self, request):
        serial = forge.read(request.body).fields["serial-number"]
        kept = self.kept.get(serial)
        return Answer(200, kept, CMS_TYPE) if kept else text(503, "No voucher is here, and no way to one.\n")

    def fetch(self, device):
        """Ask the device's MASA as its owner does, without the device."""
        identity = forge.load(*self.files)
        fields = {"created-on": voucher.timestamp(), "serial-number": device.serial,
                  "idevid-issuer": forge.b64(forge.aki_tlv(device.identity.cert))}
        body = forge.sign_request(fields, identity, certs=identity.chain(with_root=True))
        host, port = self.stage.masa_address(self.host, device).rsplit(":", 1)

        def ask():
            with Connection(int(port), host, identity.cert_path, identity.key_path) as link:
                return link.post(BRSKI + "requestvoucher", body, CMS_TYPE, [("Accept", CMS_TYPE)])
        reply = self.stage.place.run(self.host, ask)
        if reply.status == 200:
            self.kept[device.serial] = reply.body
        return reply.status


class ManInTheMiddle(LyingRegistrar):
    """A neighbour that ends the device's TLS itself and asks the real registrar on its behalf."""

    def set_up(self, server):
        server.on["requestvoucher"] = self.forward
        self.answers = []

    def forward(self, request):
        key, certificate = self.files
        to = self.stage.parts[self.settings["to"]]
        host, port = self.stage.place.reach(self.host, to.host, to.port, "tcp").rsplit(":", 1)
        with Connection(int(port), host, certificate, key) as link:
            reply = link.post(BRSKI + "requestvoucher", request.body, CMS_TYPE, [("Accept", CMS_TYPE)])
        self.answers.append(reply.status)
        return Answer(reply.status, reply.body, reply.media_type)


class Tamperer(Peer):
    """A join proxy that changes a bit of whatever the device says once TLS stands."""

    def __init__(self, stage, name, settings):
        super().__init__(stage, name, settings)
        self.port, self.threads, self.spoiled = 0, [], 0
        self.honest = "honest" in settings.get("lies", [])

    @property
    def site(self):
        return self.stage.parts[self.settings["to"]].site

    def prepare(self):
        if not self.port:
            self.listener = self.stage.place.run(
                self.host, lambda: socket.create_server((self.stage.place.everywhere, 0)))
            self.port = self.listener.getsockname()[1]

    def start(self):
        self.prepare()
        self.server = self
        self.stage.place.run(self.host, lambda: self._begin(self._accept))
        return self

    def seen(self):
        return []

    def stop(self):
        if self.server:
            with contextlib.suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.server = None

    def ports(self, _over):
        return self.port, "tcp"

    def _begin(self, target, *args):
        threading.Thread(target=target, args=args, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                to = self.stage.parts[self.settings["to"]]
                host, port = self.stage.place.reach(self.host, to.host, to.port, "tcp").rsplit(":", 1)
                server = socket.create_connection((host, int(port)))
                self._begin(self._copy, client, server, True)
                self._begin(self._copy, server, client, False)

    def _copy(self, source, sink, upwards):
        with contextlib.suppress(OSError):
            while octets := source.recv(65536):
                if upwards and octets[0] != HANDSHAKE and not self.honest:
                    octets = octets[:-1] + bytes([octets[-1] ^ 1])
                    self.spoiled += 1
                sink.sendall(octets)
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


