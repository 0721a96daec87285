# SPDX-License-Identifier: Apache-2.0
"""The runs of the selftest, over several processes: each takes the next check that nobody has taken, and
keeps a lab and references of its own. Checks wait more than they compute, so there are more processes
than processors.

A check that meets a rule nowhere on the honest reference cannot notice that it is off; so what a check
has met there is all that has to be tried.
"""
import dataclasses
import itertools
import multiprocessing
import os
import time
from multiprocessing import util

from . import runner
from .core import MUST
from .lab import Lab
from .reference.rules import ReferenceTarget

PER_PROCESSOR = 2
AT_ONCE = 8     # mutants of one check that are one task
PATIENCE_S = 2  # the references answer at once, or never


@dataclasses.dataclass
class Proof:
    """What became of a task. others: the rules of other checks that this check has met."""
    check: str
    proven: bool = False
    others: list = dataclasses.field(default_factory=list)
    faults: list = dataclasses.field(default_factory=list)  # sentences
    flaky: list = dataclasses.field(default_factory=list)   # the same, of what was well the second time
    times: list = dataclasses.field(default_factory=list)   # (seconds, check, mutant or None)


class Worker:
    """What one process keeps. kinds: role → class of its reference."""

    def __init__(self, folder, kinds):
        self.folder, self.kinds = folder / f"part-{os.getpid()}", kinds
        self.lab, self.sessions = Lab(self.folder / "lab"), {}

    def session(self, role):
        if role not in self.sessions:
            target = ReferenceTarget(role, self.kinds[role])
            session = runner.Session(role, target, self.lab, self.folder / role).__enter__()
            session.patience = PATIENCE_S
            session.serves_nobody()  # while it is honest
            self.sessions[role] = session
        return self.sessions[role]

    def close(self):
        for session in self.sessions.values():
            session.close()

    def run(self, proof, check, mutant=None):
        """(result, the rules that mattered)"""
        session = self.session(check.role)
        rules = session.target.rules
        rules.off, rules.met = {mutant} if mutant else set(), set()
        began = time.monotonic()
        try:
            return session.run(check), set(rules.met)
        finally:
            rules.off = set()
            proof.times.append((time.monotonic() - began, check.id, mutant))

    def twice(self, proof, check, good, fault, mutant=None):
        """A run whose verdict has to be a good one, now or the second time. fault(result): a sentence."""
        result, met = self.run(proof, check, mutant)
        if result.verdict in good:
            return result, met
        again, met = self.run(proof, check, mutant)
        (proof.flaky if again.verdict in good else proof.faults).append(f"{check.id}: {fault(result)}")
        return again, met

    def prove(self, check, mutants):
        """The honest reference, and the one without the check's own rule."""
        proof = Proof(check.id)
        result, met = self.twice(proof, check, ("passed",),
                                 lambda r: f"{r.verdict} on the honest reference: {r.reason}")
        proof.others = sorted(mutants & met - {check.mutant})
        if result.verdict == "passed" and check.mutant not in met:
            proof.faults.append(f"{check.id}: the reference never meets the rule {check.mutant!r}")
        elif result.verdict == "passed":
            proof.proven = self.fails_with_its_mutant(proof, check)
        return proof

    def fails_with_its_mutant(self, proof, check):
        result, _ = self.run(proof, check, check.mutant)
        wanted = "failed" if check.level == MUST else "warned"
        if result.verdict != wanted:
            proof.faults.append(f"{check.id}: {result.verdict} instead of {wanted} without the rule "
                                f"{check.mutant!r}: {result.reason}")
        return result.verdict == wanted

    def pass_with_others(self, check, mutants):
        proof = Proof(check.id)
        for mutant in mutants:
            self.twice(proof, check, ("passed", "skipped"), lambda r, mutant=mutant: (
                f"{r.verdict} without the rule {mutant!r}, which is another check's: {(r.reason + ' ').splitlines()[0]}"),
                mutant)
        return proof


# -- the processes

_worker = None  # of this process


def _begin(folder, kinds):
    global _worker
    _worker = Worker(folder, kinds)
    util.Finalize(None, _worker.close, exitpriority=10)


def _prove(task):
    check_id, mutants = task
    return _worker.prove(_check(check_id), mutants)


def _pass_with_others(task):
    check_id, mutants = task
    return _worker.pass_with_others(_check(check_id), mutants)


def _check(check_id):
    return next(c for c in runner.load_checks() if c.id == check_id)


def run(checks, kinds, folder, exact, tell):
    """Proofs of all the checks, in no order; tell(proof) as soon as each is there."""
    mutants = {role: {c.mutant for c in checks if c.role == role} for role in kinds}
    parts = PER_PROCESSOR * (os.cpu_count() or 1)
    with multiprocessing.get_context("fork").Pool(parts, _begin, (folder, kinds)) as pool:
        tasks = [(c.id, mutants[c.role]) for c in checks]
        proofs = _told(pool.imap_unordered(_prove, tasks), tell)
        if exact:
            tasks = [(p.check, p.others[at:at + AT_ONCE]) for p in proofs if p.proven
                     for at in range(0, len(p.others), AT_ONCE)]
            proofs += _told(pool.imap_unordered(_pass_with_others, tasks), tell)
        pool.close()
        pool.join()
    return proofs


def _told(proofs, tell):
    done = []
    for proof in proofs:
        tell(proof)
        done.append(proof)
    return done


def slowest(proofs, count):
    return sorted(itertools.chain.from_iterable(p.times for p in proofs),
                  key=lambda t: t[0], reverse=True)[:count]
