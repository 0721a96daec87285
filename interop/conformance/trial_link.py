# SPDX-License-Identifier: Apache-2.0
"""A link on which a pledge under test listens: GRASP floods and mDNS of ours, and the pledge's own questions.

Action of a target file: join_listening, the device is told nobody; it listens to the multicast groups {grasp}
and {mdns} (address:port), and may ask the second one. [pledge] grasp_group and mdns_group say which these are
for a device that knows but the usual ones, [suite] interface where they are.
"""
import contextlib
import select
import threading
import time

from brski_peer import grasp, mdns

REPEAT_S = 0.1


class Link:
    """flooded, announced: octets that are repeated as long as they are there; answer: octets for who asks.
    asked: when questions for proxies came."""

    def __init__(self, trial):
        settings = trial.target.settings
        interface = settings.get("suite", {}).get("interface", trial.target.suite_bind)
        self.groups = [self.group(settings.get("pledge", {}).get(name), interface)
                       for name in ("grasp_group", "mdns_group")]
        self.flooded = self.announced = self.answer = None
        self.asked = []
        self.at, self.then = 0, None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        trial.later(self.stop)

    @staticmethod
    def group(text, interface):
        if text is None:
            return grasp.Group.fresh()
        host, _, port = text.rpartition(":")
        return grasp.Group((host.strip("[]"), int(port)), interface)

    def when_asked(self, count, then):
        """Do it at so many questions."""
        self.at, self.then = count, then

    @property
    def words(self):
        return {name: "{}:{}".format(*group.address) for name, group in zip(("grasp", "mdns"), self.groups)}

    def stop(self):
        self.stopping.set()
        self.thread.join(5)
        for each in self.groups:
            each.close()

    def run(self):
        floods, names = self.groups
        while not self.stopping.is_set():
            for group, octets in ((floods, self.flooded), (names, self.announced)):
                if octets:
                    group.send(octets)
            until = time.monotonic() + REPEAT_S
            while (left := until - time.monotonic()) > 0:
                if select.select([names.socket], [], [], left)[0]:
                    self.hear(names)

    def hear(self, names):
        with contextlib.suppress(ValueError, IndexError):
            said = mdns.decode(names.socket.recv(mdns.SIZE))
            if not said.is_answer and any(mdns.same(name, mdns.PROXIES) for name, _ in said.questions):
                self.asked.append(time.monotonic())
                if len(self.asked) == self.at:
                    self.then()
                if self.answer:
                    names.send(self.answer)


def announcement(port, host):
    """Of one proxy, unsolicited."""
    return mdns.encode(mdns.Message(0, mdns.RESPONSE, [], mdns.service(mdns.PROXIES, "proxy", port, host=host)))
