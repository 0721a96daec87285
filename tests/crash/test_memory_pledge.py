# SPDX-License-Identifier: Apache-2.0
"""Every allocation of a pledge's onboarding fails once, each in a run of its own from an empty state
directory: it ends with a reason and an exit code, never by a signal, and what it leaves behind is
either nothing that counts or a whole enrolment; from there the next run joins.

An onboarding asks for memory some 80,000 times, the same places in the same order each time, and a
run costs some 30 ms of CPU (loading the libraries 7, the servers 6): all of it takes two idle cores
the better part of half an hour, with TMPDIR in memory (the disk is what is waited for otherwise).
"""
import concurrent.futures
import shutil
import threading
from collections import Counter

import pytest

import fault
import harness
from brski_peer import forge
from places import Site

STRIDE_IN_CHECK = 1999  # in make check every so many-th; make check-all takes each
AT_ONCE = 4             # pledges side by side: they wait for the servers and the disk, too
JOIN_AGAIN_EVERY = 16   # so many-th runs are followed by one in health; all leave a sound state
RUNS_OF_A_DEVICE = 100  # the MASA tells of each earlier voucher: beyond, that is most of the work
FAULTS_MAX = 60

WRONGLY = {3: "refused", 4: "unreachable"}  # what the peers did is no reason here


class Runner:
    """Devices whose runs are disturbed one by one."""

    making = threading.Lock()  # one device at a time: they come to the MASA by one file

    def __init__(self, site):
        self.site, self.pledge, self.runs = site, None, 0
        self.exits = Counter()

    def next_device(self):
        if self.pledge:
            shutil.rmtree(self.pledge.directory)
        with self.making:
            self.pledge = self.site.pledge(self.site.device())
        self.dials = fault.Fault(self.pledge.directory / "dials")
        self.healthy = dict(self.pledge.env)
        self.armed = dict(self.pledge.env, **self.dials.env)

    def run(self, at, again):
        """False when the run needed fewer allocations than `at`."""
        if self.runs % RUNS_OF_A_DEVICE == 0:
            self.next_device()
        self.runs += 1
        shutil.rmtree(self.pledge.state, ignore_errors=True)
        self.dials.arm(fault.MEMORY, at)
        self.pledge.env = self.armed
        done = self.pledge.join()
        self.dials.off()
        self.pledge.env = self.healthy
        self.exits[done.returncode] += 1
        assert done.returncode >= 0, f"ended by signal {-done.returncode}"
        assert not harness.SANITIZERS.search(done.stderr), done.stderr[-3000:]
        assert done.returncode == 0 or done.stderr.strip(), f"exit {done.returncode} without a word"
        assert done.returncode not in WRONGLY, \
            f"for lack of memory it says {WRONGLY[done.returncode]}: {done.stderr[-600:]}"
        if not self.dials.hits:
            assert done.returncode == 0, f"ended before allocation {at}: {done.stderr[-600:]}"
        assert "what to do: run 'brski-pledge reset'" not in done.stderr, \
            "told to throw away what could only not be read this once"
        self.sound_state(done)
        if again:
            assert self.pledge.join().returncode == 0, "the next run did not join"
        return self.dials.hits > 0

    def sound_state(self, done):
        current = self.pledge.state / "current"
        if not current.exists():
            assert done.returncode != 0, "said to have joined, and has no enrolment"
            return
        certificate = forge.load_certs(current / "ldevid.crt")[0]
        key = forge.load(current / "ldevid.key", current / "ldevid.crt").key
        assert key.public_key().public_numbers() == certificate.public_key().public_numbers()
        forge.read((current / "voucher.vcj").read_bytes())
        assert forge.load_certs(current / "cacerts.crt")


@pytest.fixture(scope="module")
def site(place, acme, domain):
    masa = harness.Masa(place / "masa", acme, changes={"log": {"level": "error"}})
    registrar = harness.Registrar(place / "registrar", domain, [acme],
                                  changes={"log": {"level": "error"},
                                           "policy": {"joins_per_day": 1000000}})
    with harness.running(masa, registrar):
        yield Site(place, acme, domain, masa, registrar)


@pytest.mark.parametrize("stride", [
    pytest.param(STRIDE_IN_CHECK, id="some"),
    pytest.param(1, id="each", marks=pytest.mark.slow)])
def test_pledge_survives_any_failed_allocation(site, stride):
    faults, numbers = [], iter(range(1, 10 ** 9, stride))
    lock, over = threading.Lock(), threading.Event()

    def work(runner):
        while not over.is_set() and len(faults) < FAULTS_MAX:
            with lock:
                at = next(numbers)
            for last in (False, True):  # servers on a busy machine may be late, but not twice
                try:
                    if not runner.run(at, again=stride > 1 or at % JOIN_AGAIN_EVERY == 0):
                        over.set()
                    break
                except AssertionError as e:
                    if last:
                        faults.append(f"allocation {at}: {str(e)[:300]}\n{runner.pledge.log()[-600:]}")

    runners = [Runner(site) for _ in range(AT_ONCE)]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(work, runners))
    print("exit codes of the runs:", dict(sum((r.exits for r in runners), Counter())))
    assert not faults, f"{len(faults)} faults:\n" + "\n".join(faults[:10])
