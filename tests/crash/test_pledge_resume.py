# SPDX-License-Identifier: Apache-2.0
"""A device that loses power, or a part of what it wrote, and starts again in another world.

Killed at each durable step of an onboarding, a renewal and a reset, in turn; each file it keeps cut
at each kind of place or filled with garbage. Whatever is left: the next start goes on or begins
anew, what is installed stays installed, and a registrar that no voucher ever named is never trusted,
even when it stands where the one stood that was asked before.
"""
import concurrent.futures
import json
import os
import random
import shutil
import signal
import subprocess

import pytest

import fault
import harness
import netns
from brski_peer import certs, forge
from brski_peer.registrar import FakeRegistrar
from brski_peer.server import Answer
from places import Device

req = pytest.mark.req

JOINED, FAILED, PENDING, NOT_ENROLLED = 0, 1, 6, 7
AT_ONCE = 4  # lives side by side


class World:
    """One device, and one place where its registrar, or somebody else, listens."""

    def __init__(self, directory, acme, domain, changes=None):
        directory.mkdir()
        self.directory, self.acme, self.domain = directory, acme, domain
        self.port = harness.free_port()
        self.device = Device(acme, "masa.example")
        self.pledge = harness.Pledge(directory / "pledge", self.device.key, self.device.certificate,
                                     acme.anchors, [f"https://127.0.0.1:{self.port}"], changes)
        self.dials = fault.Fault(directory / "dials")
        self.healthy = dict(self.pledge.env)

    def registrar(self):
        return FakeRegistrar(self.domain.registrar_dir / "registrar.crt",
                             self.domain.registrar_dir / "registrar.key",
                             self.domain.directory, self.acme.directory, port=self.port)

    def impostor(self):
        """Its certificate has the right names, of a CA that no voucher pins."""
        other = certs.make_registrar(certs.make_ca("Example Site CA"))
        saved = forge.save(self.directory, "impostor", other.key, other.chain())
        server = FakeRegistrar(saved.cert_path, saved.key_path, self.domain.directory,
                               self.acme.directory, port=self.port)
        server.on["requestvoucher"] = lambda _r: Answer(
            200, server.make_voucher(_r.body), "application/voucher-cms+json")
        return server

    def killed_at(self, at, verb, *args):
        """Run the verb, killed at that durable step (0: not); its Fault says what there was."""
        self.dials.arm(fault.KILL, at)
        self.pledge.env = dict(self.healthy, **self.dials.env)
        done = self.pledge.command(verb, *args)
        self.dials.off()
        self.pledge.env = self.healthy
        assert not at or (self.dials.hits and done.returncode == -signal.SIGKILL), done.returncode
        return done

    def status(self):
        return self.pledge.command("status").returncode

    def certificate(self):
        return (self.pledge.state / "current" / "ldevid.crt").read_bytes()


@pytest.fixture
def world(cell, acme, domain):
    return World(cell / "world", acme, domain)


def each_step(count, live):
    """live(step) for each; failures together."""
    def one(at):
        try:
            live(at)
        except AssertionError as e:
            return f"step {at}: {str(e)[:600]}"
        return None
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        faults = [f for f in pool.map(one, range(1, count + 1)) if f]
    assert not faults, f"{len(faults)} of {count} steps:\n" + "\n".join(faults[:8])


def steps_of(world, verb, *args):
    world.killed_at(0, verb, *args)
    assert world.dials.count > 3, "the injector does not see the steps"
    return world.dials.count


# -- an impostor where the registrar was

def hold_first(registrar):
    """Not yet, once: so that there is a request to remember."""
    registrar.on["requestvoucher"] = lambda _r: (
        NotImplemented if len(registrar.seen("requestvoucher")) > 1
        else Answer(202, headers=[("Retry-After", "1")]))


@pytest.mark.slow
@req("R8995-PLG-026", "R8995-PLG-041", "R8995-PLG-018")
def test_killed_anywhere_it_never_takes_the_impostor_that_comes_next(cell, acme, domain):
    first = World(cell / "undisturbed", acme, domain)
    with first.registrar() as honest:
        hold_first(honest)
        count = steps_of(first, "join")

    def live(at):
        world = World(cell / f"step-{at}", acme, domain)
        with world.registrar() as honest:
            hold_first(honest)
            world.killed_at(at, "join")
            octets = {r.body for r in honest.seen("requestvoucher")}
        installed = world.status() == 0
        with world.impostor() as rogue:
            code = world.pledge.join().returncode
            assert (code == JOINED) == installed, f"{code} in front of the impostor"
            assert not {"cacerts", "csrattrs", "simpleenroll", "enrollstatus"} & set(rogue.steps()), rogue.steps()
            assert not octets & {r.body for r in rogue.seen("requestvoucher")}, \
                "what was meant for the registrar goes to the impostor"
            assert (world.status() == 0) == installed
        with world.registrar():
            assert world.pledge.join().returncode == JOINED, world.pledge.log()[-2000:]
            assert world.status() == 0

    each_step(count, live)


# -- renewal and reset

@pytest.mark.slow
@req("EE-13", "EE-15")
def test_renewal_killed_anywhere_leaves_the_old_certificate_or_the_new_one(cell, acme, domain):
    first = World(cell / "undisturbed", acme, domain)
    with first.registrar():
        assert first.pledge.join().returncode == JOINED
        count = steps_of(first, "renew", "--force")

    def live(at):
        world = World(cell / f"step-{at}", acme, domain)
        with world.registrar():
            assert world.pledge.join().returncode == JOINED
            old = world.certificate()
            world.killed_at(at, "renew", "--force")
            assert world.status() == 0, "the certificate is lost"
            assert world.pledge.command("renew", "--force").returncode == 0, world.pledge.log()[-2000:]
            assert world.certificate() != old
            assert len(list(world.pledge.state.glob("enrolled.*"))) == 1, "the old one is still there"

    each_step(count, live)


def test_reset_killed_anywhere_leaves_the_enrolment_or_nothing(cell, acme, domain):
    world = World(cell / "world", acme, domain)
    with world.registrar():
        assert world.pledge.join().returncode == JOINED
        shutil.copytree(world.pledge.state, cell / "kept", symlinks=True)
        for at in range(1, steps_of(world, "reset") + 1):
            shutil.rmtree(world.pledge.state)
            shutil.copytree(cell / "kept", world.pledge.state, symlinks=True)
            world.killed_at(at, "reset")
            assert world.status() in (0, NOT_ENROLLED)
            assert world.pledge.command("reset").returncode == 0
            assert world.status() == NOT_ENROLLED
            assert not list(world.pledge.state.glob("enrolled.*"))
    assert "PRIVATE KEY" not in "".join(p.read_text(errors="replace")
                                        for p in world.pledge.state.rglob("*") if p.is_file())


# -- files that are not what was written

CHANCE = random.Random(8995)

DAMAGES = {
    "missing": None,
    "empty": lambda octets: b"",
    "one octet": lambda octets: octets[:1],
    "half": lambda octets: octets[:len(octets) // 2],
    "one octet short": lambda octets: octets[:-1],
    "zeros behind the half": lambda octets: octets[:len(octets) // 2].ljust(len(octets), b"\0"),
    "garbage": lambda octets: bytes(CHANCE.randrange(256) for _ in octets) or b"\xff",
    "garbage behind": lambda octets: octets + b"\xff\0garbage",
}


def damage(path, how):
    octets = path.read_bytes()
    if DAMAGES[how] is None:
        path.unlink()
    else:
        path.write_bytes(DAMAGES[how](octets))


def files_of(state):
    return sorted(p.relative_to(state) for p in state.rglob("*")
                  if p.is_file() and not p.is_symlink() and "current" not in p.parts)


def interrupted(world, where, place):
    """What the device had on its disk when the power went away before a step of that name."""
    with world.registrar() as registrar:
        hold_first(registrar)
        world.killed_at(0, "join")
        at = next(n for n, name in enumerate(world.dials.names(), 1) if where in name)
        shutil.rmtree(world.pledge.state)
        registrar.requests.clear()
        world.killed_at(at, "join")
    shutil.copytree(world.pledge.state, place, symlinks=True)
    return files_of(place)


@req("R8995-PLG-027")
@pytest.mark.slow
@pytest.mark.parametrize("where, expected", [
    ("request.csr", {"enrolled.1/key-type", "enrolled.1/ldevid.key"}),
    ("current", {"enrolled.1/ldevid.key", "enrolled.1/request.csr", "enrolled.1/ldevid.crt"})])
def test_with_any_file_damaged_an_interrupted_onboarding_goes_on_or_begins_anew(world, cell, where, expected):
    files = interrupted(world, where, cell / "interrupted")
    assert expected <= set(map(str, files)), files
    with world.registrar():
        for file in files:
            for how in DAMAGES:
                shutil.rmtree(world.pledge.state)
                shutil.copytree(cell / "interrupted", world.pledge.state, symlinks=True)
                damage(world.pledge.state / file, how)
                done = world.pledge.join()
                assert done.returncode == JOINED, f"{file} {how}: {done.stdout}{done.stderr}"
                assert world.status() == 0, f"{file} {how}"


@req("R8995-PLG-027", "R8995-PLG-029")
def test_a_damaged_request_that_waits_is_made_anew(world, cell):
    """Nothing of it is believed: neither whom it was for nor how long it has waited."""
    with world.registrar() as registrar:
        registrar.on["requestvoucher"] = lambda _r: Answer(202, headers=[("Retry-After", "1")], close=True)
        world.pledge.start()
        octets = registrar.wait_seen("requestvoucher")[0].body
        harness.wait_until(lambda: (world.pledge.state / "pending").exists(), "the request kept")
        world.pledge.kill()
    shutil.copytree(world.pledge.state, cell / "waiting", symlinks=True)
    with world.registrar() as registrar:
        for how in [None, *DAMAGES]:
            shutil.rmtree(world.pledge.state)
            shutil.copytree(cell / "waiting", world.pledge.state, symlinks=True)
            if how:
                damage(world.pledge.state / "pending", how)
            registrar.requests.clear()
            assert world.pledge.join().returncode == JOINED, how
            assert (registrar.seen("requestvoucher")[0].body == octets) == (how is None), how


KEEPSAKES = {"voucher.vcj", "info", "report-due", "request.csr", "key-type", "lock"}


@pytest.mark.slow
@req("R8995-PLG-001")
def test_with_any_file_damaged_an_enrolment_stays_or_says_so_and_is_not_thrown_away(world, cell):
    with world.registrar() as registrar:
        registrar.on["enrollstatus"] = lambda _r: None  # hangs up: the report stays due
        assert world.pledge.join().returncode == JOINED
    shutil.copytree(world.pledge.state, cell / "enrolled", symlinks=True)
    files = files_of(cell / "enrolled")
    assert {p.name for p in files} >= {"ldevid.key", "ldevid.crt", "cacerts.crt", "info", "report-due"}
    for file in files:
        for how in DAMAGES:
            shutil.rmtree(world.pledge.state)
            shutil.copytree(cell / "enrolled", world.pledge.state, symlinks=True)
            damage(world.pledge.state / file, how)
            status = world.pledge.command("status")
            if file.name in KEEPSAKES or how == "garbage behind":
                assert status.returncode == 0, f"{file} {how}: {status.stderr}"
            else:
                assert status.returncode in (0, FAILED), f"{file} {how}"
                assert status.returncode == 0 or "what to do" in status.stderr
            left = files_of(world.pledge.state)
            assert set(left) >= set(files) - {file, file.parent / "report-due"}, f"{file} {how}: {left}"


def test_an_enrolment_beyond_repair_is_left_by_reset_and_join(world):
    with world.registrar():
        assert world.pledge.join().returncode == JOINED
        damage(world.pledge.state / "current" / "ldevid.key", "half")
        done = world.pledge.join()
        assert done.returncode == FAILED and "brski-pledge reset" in done.stderr
        assert world.pledge.command("reset").returncode == 0
        assert world.pledge.join().returncode == JOINED


# -- without any network

@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
@req("R8995-PLG-001")
def test_restarted_without_any_network_it_is_enrolled_and_sends_nothing(world):
    with world.registrar():
        assert world.pledge.join().returncode == JOINED
    name = f"brski-{os.getpid()}-dark"
    netns.ip("netns", "add", name)
    try:
        netns.ip("-n", name, "link", "set", "lo", "up")
        for verb, said in (("status", "enrolled"), ("join", "already enrolled")):
            done = subprocess.run(netns.inside(name, [harness.program("brski-pledge"), verb, "-c",
                                                      world.pledge.config]),
                                  capture_output=True, text=True, timeout=10)
            assert done.returncode == 0 and said in done.stdout, done.stdout + done.stderr
        told = subprocess.run(["ip", "-n", name, "-j", "-s", "link", "show", "lo"], capture_output=True,
                              text=True, check=True).stdout
        assert json.loads(told)[0]["stats64"]["tx"]["packets"] == 0
    finally:
        netns.ip("netns", "del", name)
