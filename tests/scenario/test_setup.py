# SPDX-License-Identifier: Apache-2.0
"""registrarctl setup: from nothing to a device that joins; what was made is not made again."""
import json
import os
import pathlib
import re
import ssl
import stat
import subprocess
import urllib.request

import pytest
from cryptography import x509

import harness
from brski_peer.ports import free_port
from places import Device

CMC_RA = "1.3.6.1.5.5.7.3.28"


class Fresh(harness.Daemon):
    """A registrar as setup leaves it; a drop-in moves it to a free port."""

    def __init__(self, cell):
        self.etc, self.state = cell / "etc", cell / "var"
        self.socket = self.state / "admin.sock"
        super().__init__("registrar", self.etc, free_port())
        self.admin_port = free_port()

    def setup(self, *args, check=0, announce="none"):
        """On no interface of this machine unless said."""
        where = ["--announce", announce] if announce else []
        return harness.run(harness.program("registrarctl"), "setup", "--directory", self.etc,
                           "--state", self.state, *where, *args, check=check)

    def ctl(self, *args, check=0):
        return harness.run(harness.program("registrarctl"), "-s", self.socket, *args, check=check)

    def manufacturers(self, *args, check=0):
        return self.ctl("manufacturers", *args, "--directory", self.etc, check=check)

    def move(self):
        harness.write_conf(self.etc / "registrar.conf.d" / "test.conf", {
            "server": {"listen": f"127.0.0.1:{self.port}", "workers": 1},
            "policy": {"retry_after": "1s"}, "log": {"level": "debug"},
            "admin": {"listen": f"127.0.0.1:{self.admin_port}"},
            "masa": {"addresses": "loopback"}})

    def files(self):
        """What each file holds, and when it was last touched."""
        found = [p for d in (self.etc, self.state) for p in d.rglob("*") if p.is_file()]
        return {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in found}


@pytest.fixture
def fresh(cell):
    return Fresh(cell)


def certificates(path):
    ends = path.read_bytes().split(b"-----END CERTIFICATE-----\n")[:-1]
    return [x509.load_pem_x509_certificate(pem + b"-----END CERTIFICATE-----\n") for pem in ends]


def leads_to(certificate, root):
    """OpenSSL's verdict; what stands behind the certificate in its file may be used."""
    harness.run("openssl", "verify", "-x509_strict", "-CAfile", root, "-untrusted", certificate,
                certificate, check=0)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_device_joins_a_fresh_site__after_its_manufacturer_and_an_approval(fresh, acme, cell):
    fresh.setup("--yes", "--name", "Warehouse 7", "--host", "reg.example")
    fresh.move()
    masa = harness.Masa(cell / "m", acme)
    device = Device(acme, f"localhost:{masa.port}")
    with harness.running(masa, fresh):
        assert fresh.lines("no-manufacturer"), "a site without manufacturers starts and says so"
        masa.import_devices([{"serial": device.serial}])
        pledge = harness.Pledge(cell / "p", device.key, device.certificate, acme.anchors,
                                [f"https://127.0.0.1:{fresh.port}"],
                                {"retry": {"attempts": 30}})
        assert pledge.join("--once").returncode != 0, "nobody knows its manufacturer"
        fresh.manufacturers("add", "acme", "--anchors", acme.anchors)
        assert "nothing was changed" in fresh.manufacturers("add", "acme", "--anchors",
                                                            acme.anchors).stdout
        with harness.running(pledge):
            harness.wait_until(lambda: device.serial in fresh.ctl("claims", "list").stdout,
                               "the claim")
            fresh.ctl("claims", "approve", device.serial)
            assert pledge.wait(60) == 0, pledge.log()
        lines = fresh.ctl("audit", "list", "-o", "json").stdout
        assert "manufacturer acme added" in lines, lines
        fresh.manufacturers("remove", "acme")
        assert json.loads(fresh.ctl("status", "-o", "json").stdout)["manufacturers"] == 0
        assert not list((fresh.etc / "registrar.conf.d").glob("*acme*"))


def test_what_setup_makes__is_fit_and_closed(fresh):
    said = fresh.setup("--yes", "--name", "Warehouse 7", "--host", "10.1.2.3").stdout
    [root] = certificates(fresh.state / "ca" / "root.crt")
    own = certificates(fresh.state / "registrar.crt")
    usages = {u.dotted_string for u in
              own[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage).value}
    names = own[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert CMC_RA in usages and len(usages) == 3
    assert "10.1.2.3" in {str(a) for a in names.get_values_for_type(x509.IPAddress)}
    assert len(own) == 2
    leads_to(fresh.state / "registrar.crt", fresh.state / "ca" / "root.crt")
    digest = root.fingerprint(root.signature_hash_algorithm).hex(":").upper()
    assert digest in said
    assert mode(fresh.state) == 0o700
    assert all(mode(p) == 0o600 for p in fresh.state.rglob("*.key"))
    assert len(list(fresh.state.rglob("*.key"))) == 3


def test_setup_again__changes_nothing_and_says_so(fresh):
    fresh.setup("--yes")
    before = fresh.files()
    said = fresh.setup("--name", "Another", "--host", "elsewhere").stdout
    assert "nothing was changed" in said and "made" not in said
    assert fresh.files() == before


@pytest.mark.parametrize("lost", ["ca/root.crt", "ca/issuing.crt", "registrar.key", "registrar.crt"])
def test_setup_cut_short__goes_on_with_the_keys_that_are_there(fresh, lost):
    """Whatever was not yet written when the power went: what was made later is not there either."""
    fresh.setup("--yes")
    made = ["ca/root.key", "ca/root.crt", "ca/issuing.key", "ca/issuing.crt", "registrar.key",
            "registrar.crt"]
    for name in made[made.index(lost):]:
        (fresh.state / name).unlink()
    (fresh.etc / "registrar.conf").unlink()
    kept = {name: (fresh.state / name).read_bytes() for name in made[:made.index(lost)]}
    fresh.setup("--yes")
    assert {name: (fresh.state / name).read_bytes() for name in kept} == kept
    harness.run(harness.program("brski-registrar"), "-c", fresh.config, "--check", check=0)


def test_a_certificate_without_its_key__stops_setup(fresh):
    fresh.setup("--yes")
    (fresh.state / "registrar.key").unlink()
    (fresh.etc / "registrar.conf").unlink()
    done = fresh.setup("--yes", check=1)
    assert "without its key" in done.stderr and not fresh.config.exists()


def test_setup__with_a_ca_of_the_site(fresh, domain, cell):
    chain = cell / "chain.pem"
    chain.write_bytes(domain.file("issuing.crt").read_bytes() + domain.file("root.crt").read_bytes())
    fresh.setup("--yes", "--existing-ca", chain, "--existing-key", domain.file("issuing.key"))
    leads_to(fresh.state / "registrar.crt", domain.file("root.crt"))
    assert not (fresh.state / "ca" / "root.key").exists()
    assert (fresh.state / "ca" / "issuing.key").exists()


@pytest.mark.parametrize("args, why", [
    (["--existing-ca", "issuing.crt"], "name both files"),
    (["--existing-ca", "issuing.crt", "--existing-key", "issuing.key"], "root is missing"),
    (["--existing-ca", "chain.pem", "--existing-key", "root.key"], "not that of"),
    (["--host", "no host"], "DNS"),
])
def test_setup__what_cannot_be_used__leaves_no_configuration(fresh, domain, args, why, cell):
    (cell / "chain.pem").write_bytes(domain.file("issuing.crt").read_bytes()
                                     + domain.file("root.crt").read_bytes())
    args = [str(cell / a) if a == "chain.pem" else str(domain.file(a)) if "." in a else a
            for a in args]
    done = fresh.setup("--yes", *args, check=1)
    assert why in done.stderr and not fresh.config.exists()


def test_setup__nobody_to_ask__wants_yes(fresh):
    assert "--yes" in fresh.setup(check=1).stderr
    assert not fresh.etc.exists() and not fresh.state.exists()


def test_setup_of_a_registrar_that_runs__prints_a_code_once(fresh):
    """As when the unit was started meanwhile."""
    assert "users add admin" in fresh.setup("--yes").stdout
    fresh.move()
    with harness.running(fresh):
        fresh.config.unlink()
        said = fresh.setup("--yes").stdout
        assert re.search(r"log-in code +\S+, for the user admin", said), said
        assert "admin" in fresh.ctl("users", "list", "-o", "ids").stdout
        again = fresh.setup("--yes").stdout
        assert "nothing was changed" in again and "users code admin" in again
        if (harness.BUILD.parent / "web").is_dir():  # which setup finds; not beside a build with sanitizers
            root = ssl.create_default_context(cafile=fresh.state / "ca" / "root.crt")
            page = urllib.request.urlopen(f"https://localhost:{fresh.admin_port}/", context=root)
            assert page.status == 200 and b"<html" in page.read()


def test_setup__asks_four_things_at_a_terminal(fresh):
    master, slave = os.openpty()
    with subprocess.Popen([harness.program("registrarctl"), "setup", "--directory", fresh.etc,
                           "--state", fresh.state], stdin=slave, stdout=slave, stderr=slave) as setup:
        os.close(slave)
        os.write(master, b"Dock 9\n\n\ndock0 dock1\n")
        said = b""
        try:
            while chunk := os.read(master, 4096):
                said += chunk
        except OSError:
            pass  # the other end is closed
        assert setup.wait(20) == 0, said
    os.close(master)
    assert said.count(b"]: ") == 4, said
    assert b"Dock 9 Root CA" in said
    for missing in (b"dock0", b"dock1"):
        assert b"interface " + missing + b": see `ip link`" in said
    assert "\ninterfaces = dock0 dock1\n" in (fresh.etc / "registrar.conf").read_text()


def test_setup__announces_on_the_machines_own_interfaces_or_nowhere(fresh):
    own = [p.name for p in pathlib.Path("/sys/class/net").iterdir() if (p / "device").exists()
           and not (p / "master").exists()]
    fresh.setup("--yes", announce=None)
    lines = (fresh.etc / "registrar.conf").read_text().splitlines()
    told = [line for line in lines if line.startswith("interfaces = ")]
    assert sorted(told[0].split()[2:]) == sorted(own) if own else not told


def test_setup__announcing_on_what_is_no_interface__is_refused(fresh):
    assert "a/b" in fresh.setup("--yes", announce="a/b", check=1).stderr
    assert not (fresh.etc / "registrar.conf").exists()


@pytest.mark.parametrize("name", ["../acme", "", "a b", ".hidden", "-x" * 20])
def test_manufacturers_add__a_name_that_is_no_file_name__is_refused(fresh, acme, name):
    fresh.setup("--yes")
    before = fresh.files()
    assert fresh.ctl("manufacturers", "add", "--anchors", acme.anchors, "--directory", fresh.etc,
                     "--", name, check=1).stderr
    assert fresh.files() == before


def test_manufacturers_add__what_the_registrar_refuses__is_not_left_behind(fresh, acme):
    fresh.setup("--yes")
    fresh.move()
    with harness.running(fresh):
        before = fresh.files().keys()
        done = fresh.manufacturers("add", "acme", "--anchors", acme.anchors, "--masa-url", "ftp://x",
                                   check=1)
        assert "masa_url" in done.stderr
        assert fresh.files().keys() == before
        fresh.manufacturers("add", "acme", "--anchors", acme.anchors)
        done = fresh.manufacturers("add", "acme", "--anchors", acme.anchors, "--masa-url",
                                   "https://localhost:1", check=1)
        assert "something else" in done.stderr
        assert fresh.manufacturers("remove", "nobody", check=3)


def test_manufacturers_add__without_a_site__says_what_comes_first(fresh, acme):
    done = fresh.manufacturers("add", "acme", "--anchors", acme.anchors, check=1)
    assert "registrarctl setup" in done.stderr
