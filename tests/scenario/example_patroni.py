# SPDX-License-Identifier: Apache-2.0
"""Start what docs/examples/patroni/ describes, file by file, on one machine: run by
test_example_patroni.py in a network namespace that has all the example's addresses.

    example_patroni.py FOLDER        exit 0: devices joined, before and after the leader was killed
"""
import json
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "scenario"), str(TESTS / "cluster"), str(TESTS.parent / "interop")]

import harness  # noqa: E402 pylint: disable=wrong-import-position
from cluster import EXAMPLE_NET, Cluster  # noqa: E402 pylint: disable=wrong-import-position
from places import Device  # noqa: E402 pylint: disable=wrong-import-position


class Example:
    def __init__(self, folder, cluster):
        self.folder, self.cluster = pathlib.Path(folder), cluster
        self.processes = []

    def text(self, name, **more):
        """A file of the example with this machine's places in it."""
        text = self.cluster.text(name)
        for old, new in more.items():
            text = text.replace(old, new)
        return text

    def start(self, process):
        self.processes.append(process)
        harness.Process.start(process)

    def daemon(self, daemon, fragment, **replaced):
        """A daemon with the example's fragment beside its configuration."""
        folder = daemon.config.with_name(daemon.config.name + ".d")
        folder.mkdir()
        (folder / "50-several.conf").write_text(self.text(fragment, **replaced))
        self.start(daemon)
        daemon.wait_log("event=(listening|started)", timeout=60)
        return daemon

    def services(self):
        acme = harness.Manufacturer(self.folder / "acme", "Acme")
        domain = harness.Domain(self.folder / "domain")
        self.masa = self.daemon(harness.Masa(self.folder / "masa1", acme), "masa.conf", **{"0.0.0.0": "192.0.2.41"})
        self.registrars = [
            self.daemon(harness.Registrar(self.folder / f"reg{n}", domain, [acme]), "registrar.conf",
                        **{"0.0.0.0": f"192.0.2.2{n}", "192.0.2.21:9464": f"192.0.2.2{n}:9464"}) for n in (1, 2)]
        config = self.folder / "haproxy.cfg"
        config.write_text(self.text("haproxy.cfg", **{"bind :9443": "bind 127.0.0.1:9443", "bind :": "bind 192.0.2.31:"}))
        self.start(harness.Process(["haproxy", "-db", "-f", config], self.folder / "haproxy.log"))
        self.acme = acme

    def join(self, patience):
        device = Device(self.acme, "localhost:9443")
        harness.wait_until(lambda: self.masa.ctl("devices", "import", self.inventory(device), check=None).returncode == 0,
                           "the MASA's store", patience)
        pledge = harness.Pledge(self.folder / f"pledge-{device.serial}", device.key, device.certificate,
                                self.acme.anchors, ["https://192.0.2.31:8443"])
        harness.wait_until(lambda: pledge.join().returncode == 0, f"{device.serial} joins", patience)
        self.certificate = next(pledge.state.glob("**/ldevid*.crt"))
        return device.serial

    def verifier_hears(self, word):
        """About the certificate of who joined last, at the address that is in it; the balancer looks after who is
        there for each of its ports by itself."""
        url = harness.run("openssl", "x509", "-in", self.certificate, "-noout", "-ocsp_uri", check=0).stdout.strip()

        def answered():
            said = harness.run("openssl", "ocsp", "-issuer", self.folder / "domain" / "issuing.crt", "-cert",
                               self.certificate, "-url", url, "-CAfile", self.folder / "domain" / "root.crt")
            return said if "Responder Error" in said.stdout + said.stderr or said.returncode == 0 else None
        said = harness.wait_until(answered, "an answer by OCSP", 10)
        assert "Response verify OK" in said.stderr and f": {word}\n" in said.stdout, said.stdout + said.stderr

    def inventory(self, device):
        path = self.folder / "devices.csv"
        path.write_text(f"serial\n{device.serial}\n")
        return path

    def kill_the_leader(self):
        old = self.cluster.leader()
        old.kill()
        harness.wait_until(lambda: self.cluster.leader() not in (None, old), "another one leads", 60)

    def run(self):
        for kind in ("registrar", "masa"):
            self.cluster.sql(f"CREATE DATABASE brski_{kind} OWNER brski")
        self.services()
        first = self.join(30)
        self.kill_the_leader()
        second = self.join(60)
        for _ in self.registrars:  # the balancer asks each in its turn
            self.verifier_hears("good")
        self.registrars[0].ctl("devices", "revoke", second)
        for _ in self.registrars:
            self.verifier_hears("revoked")
        for serial in (first, second):
            assert len(json.loads(self.masa.ctl("audit", "show", serial, "-o", "json").stdout)) == 1
        for daemon in (self.masa, *self.registrars):
            assert daemon.ctl("audit", "verify").returncode == 0
            assert not daemon.lines("proxied-refused")

    def end(self):
        for process in reversed(self.processes):
            try:
                process.stop(20)
            except AssertionError:
                pass


def main(folder):
    with Cluster(EXAMPLE_NET) as cluster:
        example = Example(folder, cluster)
        try:
            example.run()
        except BaseException:
            for process in example.processes:
                print(f"--- {process.log_path.name}\n{process.log()[-2500:]}", file=sys.stderr)
            print("\n".join(n.logs() for n in cluster.nodes), file=sys.stderr)
            raise
        finally:
            example.end()


if __name__ == "__main__":
    main(sys.argv[1])
