# SPDX-License-Identifier: Apache-2.0
"""A join proxy under test: devices of ours on one side, registrars of ours on the other. No side needs
to be more than octets, for a proxy looks into nothing.

Words a target file can use besides the usual ones: {join_url} {key} {certificate} {anchors} (a registrar
where the proxy's own device can join first), {registrar_https} {registrar_coaps} {registrar_jpy} (host:port
to relay to). Addresses: circuit (HTTPS devices connect here), coaps (CoAPS devices send here), discovery
(devices ask here for a way, in plain CoAP). In the configuration "stateful" CoAPS is relayed to
registrar_coaps, else to registrar_jpy. Further configurations:

    brief       stateful, and a mapping ends after a second of silence
    nowhere     stateful, towards {registrar_nowhere}, where nobody is
    crowded     stateful, towards all of {registrar_crowd}: more registrars than a proxy has ports for
    https-only  no registrar but registrar_https
    seeking     no registrar for CoAPS is configured; {registrar_finder} is asked for one, in plain CoAP
    browsing    registrars for HTTPS are found by DNS-SD, as {registrar_mdns} answers, and the proxy announces
                itself so; address mdns: where it answers, the multicast group when the file does not say
    grasp       the same by GRASP; addresses grasp, the group on the link, and grasp_acp, where registrars are
                flooded. [suite] interface names the suite's own for such groups, in IPv6
"""
import contextlib
import os
import socket

from brski_peer import links, mdns
from brski_peer.registrar import FakeRegistrar

from .core import Skipped, Wrong
from .target import free_port
from .trial import Trial

BACKLOG = 256
CROWD = 12      # registrars
LAST_S = 0.3    # for what a proxy has begun when its device ends
ATTEMPT_SHARE = 1 / 8   # of the patience with a proxy, for one connection


class Home:
    """Where the proxy's own device joins, and the registrars it relays to; as long as the session."""

    def __init__(self, lab, target):
        self.device = lab.device("masa.example")
        shown = lab.domain.registrar
        self.registrar = FakeRegistrar(shown.cert_path, shown.key_path, lab.domain.directory,
                                       lab.maker.directory, host=target.suite_bind, any_client=True)
        self.tcp = socket.create_server((target.suite_bind, 0), backlog=BACKLOG)
        self.coaps, self.jpy, *self.crowd = (bound_udp(target.suite_bind) for _ in range(2 + CROWD))
        self.finder = links.Answerer(self.offer, target.suite_bind)
        self.nowhere = free_port()
        self.announced = []    # records of registrars, for those who browse
        self.mdns = mdns.Responder(lambda name: mdns.about(self.announced, name), (target.suite_bind, 0))
        self.host = "127.0.0.1" if target.suite_host == "localhost" else target.suite_host
        self.registrar.start()
        self.finder.start()
        self.mdns.__enter__()

    def offer(self, query):
        """To a proxy that asks for a registrar's join port."""
        return f"<jpy://{self.at(self.jpy)}>;rt=brski.rjp".encode() if query == "rt=brski.rjp" else b""

    def words(self):
        """For the commands of the target file."""
        identity = self.device.identity
        return {"join_url": f"https://{self.host}:{self.registrar.port}", "key": identity.key_path,
                "certificate": identity.cert_path, "anchors": self.device.manufacturer.anchors,
                "registrar_https": self.at(self.tcp), "registrar_coaps": self.at(self.coaps),
                "registrar_jpy": self.at(self.jpy), "registrar_nowhere": f"{self.host}:{self.nowhere}",
                "registrar_mdns": f"{self.host}:{self.mdns.address[1]}",
                "registrar_finder": f"{self.host}:{self.finder.port}",
                "registrar_crowd": " ".join(map(self.at, self.crowd))}

    def at(self, listener):
        return f"{self.host}:{listener.getsockname()[1]}"

    def ports(self):
        return [s.getsockname()[1] for s in (self.tcp, self.coaps, self.jpy, *self.crowd)]

    def close(self):
        self.registrar.stop()
        self.finder.stop()
        self.mdns.stop()
        for each in (self.tcp, self.coaps, self.jpy, *self.crowd):
            each.close()


def bound_udp(host):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((host, 0))
    return made


class ProxyTrial(Trial):
    def __init__(self, subject, session):
        super().__init__(subject, session)
        self.home, self.streams = session.home, []
        self.forget_the_past()

    def forget_the_past(self, patience=0):
        """What an earlier check left on its way is nobody's business here."""
        self.home.finder.asked.clear()
        self.home.announced = []
        for udp in (self.home.coaps, self.home.jpy, *self.home.crowd):
            udp.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                while True:
                    udp.recvfrom(65536)
        self.home.tcp.settimeout(patience)
        with contextlib.suppress(BlockingIOError, TimeoutError):
            while True:
                self.home.tcp.accept()[0].close()

    @contextlib.contextmanager
    def freshly(self, name):
        with super().freshly(name) as instance:
            yield instance
            for stream in self.streams:
                stream.close()
            self.forget_the_past(LAST_S)  # so that the proxy has nothing to wait for

    def serves(self):
        return "circuit" not in self.target.settings.get("address", {"circuit": None}) or bool(self.circuit())

    # -- announcements

    def proxies(self):
        """What DNS-SD says about proxies."""
        try:
            where = self.instance.address("mdns")
        except Skipped:
            where = mdns.GROUP
        found = mdns.browse(where, mdns.PROXIES, self.session.patience * ATTEMPT_SHARE)
        self.record("received by the device", f"{len(found)} proxies", "\n".join(map(str, found)))
        return found

    def listener(self):
        """A registrar of ours that only this check knows."""
        made = socket.create_server((self.target.suite_bind, 0), backlog=BACKLOG)
        self.later(made.close)
        return made

    # -- circuits

    def device(self, source=None, at=None):
        """A device of ours that has connected; source: its address, on loopback; at: (host, port) other than
        the usual one."""
        address = at or self.instance.address("circuit")
        made = socket.create_connection(address, self.session.patience, source and (source, 0))
        return self.stream("device", made)

    def registrar(self, first):
        """The connection that came to our registrar and begins with these octets; None: there is none.
        Others are of earlier checks, and are ended."""
        self.home.tcp.settimeout(self.session.patience * ATTEMPT_SHARE)
        with contextlib.suppress(socket.timeout):
            while True:
                stream = self.stream("registrar", self.home.tcp.accept()[0])
                if stream.take(len(first)) == first:
                    return stream
                stream.close()
        return None

    def circuit(self, source=None, at=None):
        """(device, registrar) of one connection. The proxy may need a while to end what earlier checks
        have left: who is reset tries again."""
        def attempt():
            first = os.urandom(8)
            with contextlib.suppress(ConnectionError):
                device = self.device(source, at)
                device.send(first)
                registrar = self.registrar(first)
                return registrar and (device, registrar)
        return self.wait(attempt, "no connection of a device comes to the registrar unchanged")

    def stream(self, name, made):
        made.settimeout(self.session.patience)
        stream = Stream(self, name, made)
        self.streams.append(stream)
        self.later(stream.close)
        return stream

    # -- datagrams

    def ask(self, query):
        """A device asks for a way in plain CoAP: [(target, attributes)] of the links, and the answer; None
        when nobody says anything."""
        reply = links.ask(self.instance.address("discovery"), query, self.session.patience * ATTEMPT_SHARE)
        self.record("received by the device", reply.said if reply else "nothing", reply.text if reply else "")
        return reply

    def join_ports(self):
        """The ports that a device is told."""
        reply = self.ask("brski-jp=*")
        found = links.parse(reply.text) if reply and reply.said == "2.05" else []
        return [int(how["brski-jp"]) for _target, how in found if "brski-jp" in how]

    def coaps_device(self, source=None, port=None):
        """A socket of a device that speaks to the proxy's CoAPS port, or to another one of it."""
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if source:
            made.bind((source, 0))
        made.connect(self.instance.address("coaps") if port is None
                     else (self.instance.address("discovery")[0], port))
        end = Datagrams(self, "device", made)
        self.later(made.close)
        return end

    def coaps_registrar(self):
        """Our registrar for stateful proxies."""
        return Datagrams(self, "registrar", self.home.coaps)

    def crowd(self):
        """Our registrars, of which there are too many."""
        return [Datagrams(self, "registrar", made) for made in self.home.crowd]

    def jpy_registrar(self):
        """Our registrar's join port."""
        return Datagrams(self, "registrar", self.home.jpy)

    def neighbour(self):
        """An address of a device that no check has used, so that nothing is held against it. On
        loopback all of 127.0.0.0/8 is this machine; elsewhere None, the address it has."""
        if not self.on_loopback():
            return None
        return ".".join(["127", *(str(1 + octet % 254) for octet in os.urandom(3))])

    def on_loopback(self):
        return self.instance.address("coaps")[0].startswith("127.")


class Stream:
    """One end of a connection."""

    def __init__(self, trial, name, made):
        self.trial, self.name, self.socket = trial, name, made

    def send(self, octets):
        self.trial.record(f"sent by the {self.name}", f"{len(octets)} octets", octets[:64].hex(), octets)
        self.socket.sendall(octets)

    def take(self, count):
        """So many octets; fewer when the other side ends or says nothing more."""
        got = b""
        with contextlib.suppress(socket.timeout, ConnectionError):
            while len(got) < count and (more := self.socket.recv(count - len(got))):
                got += more
        self.trial.record(f"received by the {self.name}", f"{len(got)} octets", got[:64].hex(), got)
        return got

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """End without order: RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def ending(self):
        """How the other side ends: "end", "reset", or "" when it does not."""
        try:
            return "end" if self.socket.recv(1) == b"" else "more"
        except socket.timeout:
            return ""
        except ConnectionError:
            return "reset"

    def close(self):
        self.socket.close()


class Datagrams:
    """One end that speaks in datagrams."""

    def __init__(self, trial, name, made):
        self.trial, self.name, self.socket = trial, name, made
        made.settimeout(trial.session.patience)

    def send(self, octets, to=None):
        self.trial.record(f"sent by the {self.name}", f"{len(octets)} octets", octets[:64].hex(), octets)
        if to is None:
            self.socket.send(octets)
        else:
            self.socket.sendto(octets, to)

    def take(self):
        """(octets, where they came from); wrong when nothing comes."""
        try:
            octets, address = self.socket.recvfrom(65536)
        except socket.timeout as e:
            raise Wrong(f"nothing comes to the {self.name}") from e
        except ConnectionError as e:
            raise Wrong(f"the {self.name} is told that nobody is there: {e}") from e
        self.trial.record(f"received by the {self.name}", f"{len(octets)} octets", octets[:64].hex(), octets)
        return octets, address

    def is_told(self):
        """It says something: is it told then that nobody is there? Asked again and again."""
        self.socket.settimeout(0)
        try:
            self.socket.send(b"hello")
            return not self.socket.recv(1)
        except BlockingIOError:
            return False
        except ConnectionRefusedError:
            return True

    def is_idle(self, seconds=0):
        """Has nothing come, or does nothing in this time?"""
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            return not self.socket.recvfrom(65536)
        except (BlockingIOError, TimeoutError):
            return True
        finally:
            self.socket.settimeout(before)
