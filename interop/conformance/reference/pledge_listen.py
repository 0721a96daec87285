# SPDX-License-Identifier: Apache-2.0
"""A reference pledge that listens on its link: for AN_Proxy in GRASP, for announcements of proxies in mDNS, and
asks itself when nothing comes (RFC 8995 §4.1, Appendix B)."""
import select
import socket
import time

from brski_peer import grasp, mdns

LISTEN_S = 0.4     # before the first question
INTERVAL_S = 0.2   # after it; doubles
PATIENCE_S = 6


def urls(rule, floods, announcements):
    """Of the first proxy that is heard of. Both are addresses of groups."""
    with grasp.Group(floods) as link, grasp.Group(announcements) as names:
        return Listening(rule, link, names).run()


class Listening:
    def __init__(self, rule, link, names):
        self.rule, self.link, self.names = rule, link, names
        self.heard_s = time.monotonic() + PATIENCE_S
        self.next_s = time.monotonic() + (LISTEN_S if rule("listens before it asks") else 0)
        self.interval_s, self.has_asked = INTERVAL_S, False

    def run(self):
        while (now := time.monotonic()) < self.heard_s:
            if now >= self.next_s:
                self.ask(now)
            ready = select.select([self.link.socket, self.names.socket], [], [], max(0, self.next_s - now))[0]
            for each in ready:
                place = self.flooded() if each is self.link.socket else self.announced()
                if place:
                    return "https://{}:{}".format(*place)
        return ""

    def ask(self, now):
        self.names.send(mdns.encode(mdns.Message(0, 0, [(mdns.PROXIES, mdns.PTR)])))
        self.next_s, self.has_asked = now + self.interval_s, True
        self.interval_s *= 2 if self.rule("asks less and less often") else 1

    def flooded(self):
        for said in self.link.floods(0.01):
            for one in said.objectives:
                wanted = one.name == grasp.PROXY or not self.rule("passes over other objectives")
                if wanted and one.protocol == grasp.TCP and self.rule("listens for AN_Proxy"):
                    return one.address, one.port
        return None

    def announced(self):
        try:
            said = mdns.decode(self.names.socket.recv(mdns.SIZE))
        except (ValueError, IndexError):
            return None
        places = [data for _, kind, data in said.records if kind == mdns.SRV]
        hosts = [data for _, kind, data in said.records if kind == mdns.A]
        if not said.is_answer or not places or not hosts:
            return None
        if self.has_asked and not self.rule("takes the answers to its questions"):
            return None
        return socket.inet_ntoa(hosts[0]), places[0].port
