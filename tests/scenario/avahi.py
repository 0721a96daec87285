# SPDX-License-Identifier: Apache-2.0
"""avahi-daemon on one interface of a network namespace, with a D-Bus of its own, and the programs that ask it:
a reader and a neighbour on the same host that have nothing of ours."""
import os
import shutil
import signal
import subprocess

import harness

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_type="signal"/><allow send_requested_reply="true"/><allow receive_type="method_call"/>
<allow receive_type="signal"/><allow receive_type="method_return"/><allow receive_type="error"/></policy></busconfig>
"""
DAEMON = """[server]
host-name={host}
allow-interfaces={interface}
use-ipv4=yes
use-ipv6=yes
[publish]
publish-hinfo=no
publish-workstation=no
"""
START = """set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/dbus /run/avahi-daemon
dbus-daemon --config-file={folder}/bus.conf --nofork --nopidfile &
for i in $(seq 100); do [ -S /run/dbus/system_bus_socket ] && break; sleep 0.05; done
exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f {folder}/avahi.conf
"""


def missing():
    return None if all(map(shutil.which, ("avahi-daemon", "avahi-browse", "dbus-daemon"))) else "no avahi here"


class Avahi:
    def __init__(self, folder, interface, host, namespace=None):
        folder.mkdir()
        (folder / "bus.conf").write_text(BUS)
        (folder / "avahi.conf").write_text(DAEMON.format(host=host, interface=interface))
        (folder / "start").write_text(START.format(folder=folder))
        self.log_path = folder / "log"
        self.argv = [*(["ip", "netns", "exec", namespace] if namespace else []), "unshare", "-m", "sh",
                     folder / "start"]
        self.popen = None

    def __enter__(self):
        with open(self.log_path, "wb") as log:
            self.popen = subprocess.Popen([str(a) for a in self.argv], stdout=log, stderr=log, start_new_session=True)
        harness.wait_until(lambda: "Server startup complete" in self.log_path.read_text(), "avahi-daemon runs", 10)
        return self

    def __exit__(self, *_):
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, signal.SIGTERM)
            self.popen.wait(10)

    def run(self, *argv):
        """A program on the same host, which speaks to this daemon; what it says."""
        done = harness.run("nsenter", "-t", self.popen.pid, "-m", "-n", *argv, timeout=20)
        return done.stdout

    def registrars(self):
        """[(name, host, address, port, texts)] of what is found and resolved."""
        lines = [line.split(";") for line in self.run("avahi-browse", "-rpt", "_brski-registrar._tcp").splitlines()]
        return [(words[3], words[6], words[7], int(words[8]), words[9]) for words in lines if words[0] == "="]
