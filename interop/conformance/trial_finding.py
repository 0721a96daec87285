# SPDX-License-Identifier: Apache-2.0
"""A pledge under test that is told nobody and has to find somebody.

Actions of a target file: join_coap_discovery, the device asks {discovery} (host:port) for a way, in plain
CoAP. A device that asks by multicast alone needs [pledge] discovery_bind, "host:port" where the suite gets
such questions.
"""
from brski_peer import links


class Finding:
    """What a PledgeTrial has for that."""

    def answers(self, text):
        """Whoever asks in plain CoAP gets these links from now on."""
        bind = self.target.settings.get("pledge", {}).get("discovery_bind", f"{self.target.suite_bind}:0")
        host, _, port = bind.rpartition(":")
        self.answerer = links.Answerer(lambda _query: text.encode(), host.strip("[]"), int(port)).start()
        self.later(self.answerer.stop)
        return self.answerer

    def find(self, device=None):
        """The device is told nobody but where to ask; the Outcome."""
        host = "127.0.0.1" if self.target.suite_host == "localhost" else self.target.suite_host
        return self.run(device, action="join_coap_discovery", urls=[],
                        discovery=f"{host}:{self.answerer.port}")
