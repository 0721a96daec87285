# SPDX-License-Identifier: Apache-2.0
"""A join proxy in a scenario: `brski-pledge proxy` on a device that has joined."""
import contextlib
import re
import signal
import subprocess

import harness


class Proxy(harness.Process):
    """Runs with the configuration and the state of `gateway`, a pledge that has joined."""

    def __init__(self, directory, gateway, options, name="proxy", env=None):
        directory.mkdir(parents=True, exist_ok=True)
        self.config = directory / f"{name}.conf"
        self.begin = 0
        text = gateway.config.read_text()
        lines = [f"{key} = {value}" for key, value in {
            "listen": "127.0.0.1", "discovery_port": 0, **options}.items() if value is not None]
        self.config.write_text(text + "\n[proxy]\n" + "\n".join(lines) + "\n")
        super().__init__([harness.program("brski-pledge"), "proxy", "-v", "-c", self.config],
                         directory / f"{name}.log", env)

    def start(self):
        self.begin = self.log_size()
        super().start()

        def up():
            if not self.alive():
                raise AssertionError(f"the proxy ended with {self.popen.returncode}:\n{self.log()}")
            return self.lines("event=proxy-ready", self.begin)
        harness.wait_until(up, "the proxy is ready")
        return self

    def stop(self, timeout=None):
        """The second signal ends what still hangs on to a connection."""
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            self.signal(signal.SIGTERM)
            return self.popen.wait(0.5)
        return super().stop(timeout)

    def ports(self, relay):
        """Where it listens for this kind, in the order told."""
        return [int(re.search(r":(\d+)\"? registrars=", line)[1])
                for line in self.lines(f"event=listening relay={relay} ", self.begin)]

    def port(self, relay):
        return self.ports(relay)[-1]


def gateway(site):
    """A device that has joined, to run a proxy on."""
    pledge = site.pledge(site.device())
    done = pledge.join()
    assert done.returncode == 0, done.stdout + done.stderr
    return pledge
