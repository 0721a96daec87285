# SPDX-License-Identifier: Apache-2.0
"""The shipped example of several registrars is what it says: its files are understood, and started as
they are they make a site that outlives its database's leader."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest
import yaml

import harness
import netns
from cluster import EXAMPLE

ADDRESSES = [f"192.0.2.{n}" for n in (11, 12, 13, 21, 22, 31, 32, 41, 42)]


def test_what_setup_makes_is_named_where_the_other_registrar_is_made(tmp_path):
    """Of its state the other one needs the CA and the registrar's certificate; the records are in the database."""
    harness.run(harness.program("registrarctl"), "setup", "--yes", "--announce", "none",
                "--directory", tmp_path / "etc", "--state", tmp_path / "state", check=0)
    text = (EXAMPLE / "README.md").read_text()
    begin = text.index("copy `/etc/brski` to the other")
    sentence = text[begin:text.index(".", text.index("/var/lib/brski-registrar", begin))]
    made = sorted(p.name for p in (tmp_path / "state").iterdir())
    assert made == ["ca", "registrar.crt", "registrar.key"]
    assert all(f"`{name}`" in sentence for name in made)



def test_the_balancer_understands_its_file():
    assert subprocess.run(["/usr/sbin/haproxy", "-c", "-f", EXAMPLE / "haproxy.cfg"], capture_output=True,
                          check=False).returncode == 0


def test_the_nodes_differ_in_name_and_address_only():
    for kind in ("patroni-db{}.yml", "etcd-db{}.env"):
        texts = set()
        for n in "123":
            lines = (EXAMPLE / kind.format(n)).read_text().splitlines()
            same = [line for line in lines if all(f"192.0.2.1{other}" in line for other in "123")]
            own = [line.replace(f"db{n}", "dbN").replace(f"192.0.2.1{n}", "ADDRESS") for line in lines if line not in same]
            texts.add("\n".join(same + own))
        assert len(texts) == 1


def test_nothing_is_acknowledged_before_two_machines_have_it():
    for n in "123":
        bootstrap = yaml.safe_load((EXAMPLE / f"patroni-db{n}.yml").read_text())["bootstrap"]["dcs"]
        assert bootstrap["synchronous_mode"] is True and bootstrap["synchronous_mode_strict"] is True
        assert not {"fsync", "synchronous_commit"} & set(bootstrap["postgresql"]["parameters"])


@pytest.mark.parametrize("program, name", [("brski-registrar", "registrar.conf"), ("brski-masa", "masa.conf")])
def test_the_fragments_hold_options_that_there_are(cell, program, name):
    """What is missing is another matter: they stand beside a whole configuration."""
    (cell / name).write_text("")
    (cell / f"{name}.d").mkdir()
    (cell / f"{name}.d/50-several.conf").write_text((EXAMPLE / name).read_text())
    said = harness.run(harness.program(program), "-c", cell / name, "--check")
    assert said.stderr.strip().endswith("[server] key is missing"), said.stderr


@pytest.mark.slow
def test_the_example_outlives_its_leader():
    why = netns.missing() or next((f"no {p} here" for p in ("etcd", "patroni") if not shutil.which(p)), None)
    if why:
        pytest.skip(why)
    namespace = f"brski-{os.getpid()}-example"
    folder = pathlib.Path(tempfile.mkdtemp(prefix="brski-example-"))
    folder.chmod(0o755)
    netns.ip("netns", "add", namespace)
    try:
        netns.ip("-n", namespace, "link", "set", "lo", "up")
        for address in ADDRESSES:
            netns.ip("-n", namespace, "addr", "add", f"{address}/32", "dev", "lo")
        for server in ("21", "22", "41", "42"):  # whom the balancer alone talks to
            netns.ip("-n", namespace, "route", "replace", "table", "local", "local", f"192.0.2.{server}", "dev", "lo",
                     "src", "192.0.2.31")
        done = subprocess.run(netns.inside(namespace, [sys.executable, harness.REPOSITORY / "tests/scenario/example_patroni.py",
                                                       folder]), capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-12000:]
    finally:
        netns.ip("netns", "del", namespace)
        shutil.rmtree(folder, ignore_errors=True)
