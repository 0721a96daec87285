# SPDX-License-Identifier: Apache-2.0
"""A pledge under test that is told nobody and has to find somebody.

Actions of a target file: join_coap_discovery, the device asks {discovery} (host:port) for a way, in plain
CoAP; join_mdns_discovery, it asks {discovery} by DNS-SD. A device that asks by multicast alone needs
[pledge] discovery_bind or mdns_bind, "host:port" where the suite gets such questions. Variants: ani, a
device that offers a proxy by GRASP once it has joined; address grasp: the group on the link.
"""
from brski_peer import grasp, links, mdns


class Finding:
    """What a PledgeTrial has for that."""

    def answers(self, text):
        """Whoever asks in plain CoAP gets these links from now on."""
        self.answerer = links.Answerer(lambda _query: text.encode(), *self.bind("discovery_bind")).start()
        self.later(self.answerer.stop)
        return self.answerer

    def find(self, device=None):
        """The device is told nobody but where to ask; the Outcome."""
        host = "127.0.0.1" if self.target.suite_host == "localhost" else self.target.suite_host
        return self.run(device, action="join_coap_discovery", urls=[],
                        discovery=f"{host}:{self.answerer.port}")

    def bind(self, name):
        text = self.target.settings.get("pledge", {}).get(name, f"{self.target.suite_bind}:0")
        host, _, port = text.rpartition(":")
        return host.strip("[]"), int(port)

    # -- DNS-SD

    def announce(self, *registrars):
        """Whoever browses finds these (a registrar of ours, its variations, priority) as proxies."""
        host = "127.0.0.1" if self.target.suite_host == "localhost" else self.target.suite_host
        found = [record for i, (registrar, keys, priority) in enumerate(registrars)
                 for record in mdns.service(mdns.PROXIES, f"proxy-{i}", registrar.port, keys, priority, host=host)]
        self.responder = mdns.Responder(lambda name: mdns.about(found, name), self.bind("mdns_bind"))
        self.responder.__enter__()
        self.later(self.responder.stop)

    def browse(self, device=None):
        """The device is told nobody and browses; the Outcome."""
        host = "127.0.0.1" if self.target.suite_host == "localhost" else self.target.suite_host
        return self.run(device, action="join_mdns_discovery", urls=[],
                        discovery=f"{host}:{self.responder.address[1]}")

    # -- GRASP

    def offers(self):
        """Objectives that are flooded on the link, for as long as the suite is patient."""
        interface = self.target.settings.get("suite", {}).get("interface", self.target.suite_bind)
        with grasp.Group(self.instance.address("grasp"), interface) as link:
            for said in link.floods(self.session.patience):
                self.record("received", "M_FLOOD", str(said))
                yield from said.objectives
