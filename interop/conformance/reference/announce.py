# SPDX-License-Identifier: Apache-2.0
"""How the reference roles announce themselves and find each other (RFC 8995 §4.1, §4.3, Appendix B;
draft-ietf-anima-brski-discovery §3, §4.2): DNS-SD over mDNS, flooding in GRASP, links in plain CoAP."""
import random
import socket
import threading

from brski_peer import grasp, links, mdns

FLOOD_S = LOOK_S = 0.1   # a tester has no time for the usual minute
PERIOD_S = 1             # of a registrar, as its operator configured it
ANSWER_S = 0.3
DEFAULT = "est-tls"      # what nothing else is said about
HOST = "127.0.0.1"


class Repeated:
    """Does something again and again."""

    def __init__(self, action, seconds):
        self.action, self.seconds, self.stopping = action, seconds, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.thread.start()

    def stop(self):
        self.stopping.set()
        self.thread.join(5)

    def run(self):
        while not self.stopping.wait(self.seconds):
            self.action()


class RegistrarAnnounced:
    """A registrar in all three ways."""

    def __init__(self, role):
        self.rule, self.port = role.rule, role.port
        self.responder = mdns.Responder(lambda name: mdns.about(self.records(), name))
        self.finder = links.Answerer(self.links)
        self.group = grasp.Group.fresh()
        often = PERIOD_S if role.rule("floods no more often than it is told") else FLOOD_S
        self.again = Repeated(self.flood, often)
        self.addresses = {"mdns": self.responder.address, "grasp": self.group.address,
                          "core": (HOST, self.finder.port)}

    def start(self):
        self.responder.__enter__()
        self.finder.start()
        self.again.start()

    def stop(self):
        self.again.stop()
        self.finder.stop()
        self.responder.stop()
        self.group.close()

    def records(self):
        keys = [DEFAULT] if self.rule("announces variations that are registered") else ["rrm-cmsj-est"]
        if not self.rule("writes variations as keys without values"):
            keys = [f"var={DEFAULT}"]
        found = mdns.service(mdns.REGISTRARS, "registrar", self.port, keys)
        if not self.rule("has a name with an address"):
            found = [r for r in found if r[1] != mdns.A]
        return found

    def flood(self):
        value = "EST-TLS" if self.rule("floods an objective for each variation") else "rrm"
        self.group.send(grasp.flood([(grasp.REGISTRAR, value, (HOST, self.port))]))

    def links(self, query):
        if not query.startswith("rt=brski"):
            return b""
        where = f"https://{HOST}:{self.port}" if self.rule("links with scheme and port") else ""
        return f'<{where}/.well-known/brski>;rt=brski.rs;var="{DEFAULT}";pw="65535 0"'.encode()


class ProxyBrowsing:
    """A proxy that finds its registrars by DNS-SD and announces itself so as long as there are some."""

    def __init__(self, role, where):
        self.rule, self.where, self.port = role.rule, where, role.tcp.getsockname()[1]
        self.found, self.failed = [], set()
        self.responder = mdns.Responder(lambda name: mdns.about(self.records(), name))
        self.again = Repeated(self.look, LOOK_S)
        self.addresses = {"mdns": self.responder.address}

    def start(self):
        self.responder.__enter__()
        self.again.start()

    def stop(self):
        self.again.stop()
        self.responder.stop()

    def look(self):
        found = [f for f in mdns.browse(self.where, mdns.REGISTRARS, ANSWER_S) if f.place and f.addresses]
        if found or self.rule("withdraws with its registrars"):
            self.found = found

    def records(self):
        if not self.found:
            return []
        keys = {key for f in self.found for key in f.keys}
        if keys - {DEFAULT} and not self.rule("passes unknown variations on"):
            keys = {DEFAULT}
        if not self.rule("writes the variations it supports as keys"):
            keys = {f"var={key}" if key == DEFAULT else key for key in keys}
        return mdns.service(mdns.PROXIES, "proxy", self.port, sorted(keys))

    def places(self):
        """Where to try, in this order; who has failed rests."""
        found = sorted(self.found, key=lambda f: f.place.port)
        if len(found) > 1 and self.rule("chooses among equals at random"):
            random.shuffle(found)
        found.sort(key=lambda f: f.place.priority)
        places = [(f.addresses[0], f.place.port) for f in found]
        return [place for place in places if place not in self.failed]

    def has_failed(self, place):
        """True: another one is tried."""
        another = self.rule("leaves registrars that have failed")
        if another:
            self.failed.add(place)
        return another


class ProxyGrasp:
    """A proxy that finds its registrar by GRASP in the ACP and floods its own announcement on the link."""

    def __init__(self, role):
        self.rule, self.registrar, self.port = role.rule, None, role.tcp.getsockname()[1]
        self.link, self.acp = grasp.Group.fresh(), grasp.Group.fresh()
        self.again = Repeated(self.once, 0)
        self.addresses = {"grasp": self.link.address, "grasp_acp": self.acp.address}

    def start(self):
        self.again.start()

    def stop(self):
        self.again.stop()
        self.link.close()
        self.acp.close()

    def once(self):
        for said in self.acp.floods(FLOOD_S):
            for objective in said.objectives:
                if objective.name == grasp.REGISTRAR:
                    self.registrar = str(objective.address), objective.port
        if self.registrar:
            port = self.port
            if not self.rule("announces the port it listens on"):
                port = 1
            loops = None if self.rule("floods its announcement as specified") else grasp.ALL_LOOPS
            self.link.send(grasp.flood([(grasp.PROXY, "", (HOST, port))], loops=loops))

    def places(self):
        known = self.registrar and self.rule("relays to the registrar that GRASP names")
        return [self.registrar] if known else []

    def has_failed(self, _place):
        return False


class PledgeOffering:
    """A device that has joined and offers to relay for others, on the link."""

    def __init__(self, rule):
        self.rule, self.link = rule, grasp.Group.fresh()
        self.tcp = socket.create_server((HOST, 0))
        self.again = Repeated(self.flood, FLOOD_S)
        self.addresses = {"grasp": self.link.address}
        self.has_joined = False

    def start(self):
        self.again.start()

    def stop(self):
        self.again.stop()
        self.tcp.close()
        self.link.close()

    def flood(self):
        if self.has_joined and self.rule("offers a proxy once it has joined"):
            self.link.send(grasp.flood([(grasp.PROXY, "", self.tcp.getsockname())]))
