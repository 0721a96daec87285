# SPDX-License-Identifier: Apache-2.0
"""Daemons that may die at an appointed step: started, watched, buried and started again."""
import signal

import fault
import harness


class Patient:
    """A daemon of the harness with a fault injector in it."""

    def __init__(self, daemon, dials):
        self.daemon, self.dials = daemon, dials
        daemon.env.update(dials.env)

    def begin(self):
        """Start it with the fault armed. It may die of it; then start it in health."""
        harness.Process.start(self.daemon)
        harness.wait_until(lambda: not self.daemon.alive() or harness.listening(self.daemon.port),
                           f"{self.daemon.argv[0]} up or dead")
        self.back()

    def back(self):
        """Up again if it is dead: it must have been killed, or have said why it ends."""
        if self._doomed():
            self.daemon.popen.wait(10)
        if self.daemon.alive():
            return
        self._check_end(self.daemon.popen.returncode)
        self.dials.off()
        self.daemon.start()

    def finish(self):
        """SIGTERM with the fault still armed, then start it in health for the inspection."""
        if self.daemon.alive():
            self.daemon.signal(signal.SIGTERM)
            code = self.daemon.popen.wait(20)
            if code:
                self._check_end(code)
        self.dials.off()
        self.daemon.start()
        said = harness.SANITIZERS.search(self.daemon.log())
        assert not said, self.daemon.log()[-6000:]

    def _doomed(self):
        """It killed itself, even if the peers saw the end before its parent did."""
        return self.dials.kind in fault.DEADLY and self.dials.hits

    def _check_end(self, code):
        assert self.dials.hits, f"ended with {code} for no reason\n{self.daemon.log()[-3000:]}"
        if self._doomed():
            assert code == -signal.SIGKILL, code
        else:
            assert code > 0, f"ended with {code}\n{self.daemon.log()[-3000:]}"
