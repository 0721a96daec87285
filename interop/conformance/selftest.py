# SPDX-License-Identifier: Apache-2.0
"""The suite tested by itself.

1. Its own pledge joins through its own registrar and MASA.
2. Each check passes on the reference of its role.
3. Each check fails when the rule it names as its mutant is switched off there.
4. With --exact: no other check fails then, except those that name the same mutant. Only checks that
   met the rule on the honest reference can, so only those are run.
"""
import pathlib
import tempfile
import time

from . import runner
from .core import MUST
from .lab import Lab
from .reference.masa import ReferenceMasa
from .reference.pledge import ReferencePledge
from .reference.registrar import ReferenceRegistrar
from .reference.rules import ReferenceTarget, Rules

ROLES = {"registrar": ReferenceRegistrar, "masa": ReferenceMasa, "pledge": ReferencePledge}
PATIENCE_S = 2  # the references answer at once, or never


def join_among_themselves(lab, folder, scheme):
    """What went wrong, or None. scheme: "https" or "coaps"."""
    masa = ReferenceMasa(lab, folder / "masa", Rules()).start()
    (folder / "registrar").mkdir(parents=True)
    registrar = ReferenceRegistrar(lab, folder / "registrar", Rules()).start()
    try:
        device = lab.device(f"localhost:{masa.port}")
        masa.learn(device.serial)
        pledge = ReferencePledge(lab, folder / "pledge", Rules())
        url = "{}://{}:{}".format(scheme, *registrar.addresses[scheme])
        code, said = pledge.join(device.identity.key_path, device.identity.cert_path,
                                 device.manufacturer.anchors, url, folder / "device")
        return None if code == 0 else f"the references do not join among themselves over {scheme}: {said}"
    finally:
        registrar.stop()
        masa.stop()


class Selftest:
    """faults: sentences about the suite. met: check id → the rules it met on the honest reference."""

    def __init__(self, lab, folder, pattern=None, exact=False):
        self.lab, self.folder, self.pattern, self.exact = lab, folder, pattern, exact
        self.proven, self.faults, self.unproven = 0, [], []
        self.met, self.runs, self.slow = {}, 0, []

    def role(self, role):
        chosen = runner.choose(role, pattern=self.pattern)
        target = ReferenceTarget(role, ROLES[role])
        with runner.Session(role, target, self.lab, self.folder / role) as session:
            session.patience = PATIENCE_S
            honest = [c for c in chosen if self.passes(session, c)]
            for check in honest:
                self.fails_with_its_mutant(session, check)
            if self.exact:
                for mutant in sorted({c.mutant for c in honest}):
                    self.fails_only_there(session, honest, mutant)

    def run(self, session, check, off=()):
        rules = session.target.rules
        rules.off, rules.met = set(off), set()
        self.runs += 1
        began = time.monotonic()
        try:
            return session.run(check)
        finally:
            rules.off = set()
            self.slow.append((time.monotonic() - began, check.id, sorted(off)))

    def passes(self, session, check):
        result = self.run(session, check)
        self.met[check.id] = set(session.target.rules.met)
        if result.verdict != "passed":
            self.faults.append(f"{check.id}: {result.verdict} on the honest reference: {result.reason}")
            return False
        if check.mutant not in self.met[check.id]:
            self.faults.append(f"{check.id}: the reference never meets the rule {check.mutant!r}")
            return False
        return True

    def fails_with_its_mutant(self, session, check):
        result = self.run(session, check, {check.mutant})
        wanted = "failed" if check.level == MUST else "warned"
        if result.verdict != wanted:
            self.faults.append(f"{check.id}: {result.verdict} instead of {wanted} without the rule "
                               f"{check.mutant!r}: {result.reason}")
        else:
            self.proven += 1

    def fails_only_there(self, session, checks, mutant):
        for check in checks:
            if check.mutant == mutant or mutant not in self.met[check.id]:
                continue
            result = self.run(session, check, {mutant})
            if result.verdict != "passed":
                self.faults.append(f"{check.id}: {result.verdict} without the rule {mutant!r}, which is "
                                   f"another check's: {result.reason.splitlines()[0]}")


def main(options):
    with tempfile.TemporaryDirectory(prefix="brski-selftest-") as scratch:
        folder = pathlib.Path(options.report or scratch)
        lab = Lab(options.lab or folder / "lab")
        test = Selftest(lab, folder, options.pattern, options.exact)
        wrong = [w for scheme in ("https", "coaps")
                 if (w := join_among_themselves(lab, folder / f"join-{scheme}", scheme))]
        test.faults += wrong
        roles = [options.target] if options.target else ROLES
        for role in roles:
            test.role(role)
        for fault in test.faults:
            print(f"FAILED {fault}")
        if options.verbose:
            for seconds, name, off in sorted(test.slow, reverse=True)[:20]:
                print(f"{seconds:6.2f} s {name} without {off}")
        print(f"{test.runs} runs, {sum(s for s, *_ in test.slow):.1f} s")
        print(f"{test.proven + 2 - len(wrong)} passed, {len(test.faults)} failed, 0 skipped")
        return runner.FAILED if test.faults else runner.PASSED
