# SPDX-License-Identifier: Apache-2.0
"""The suite tested by itself.

1. Its own pledge joins through its own registrar and MASA; one in responder mode by its own agent.
2. Each check passes on the reference of its role.
3. Each check fails when the rule it names as its mutant is switched off there.
4. With --exact: no other check fails then, except those that name the same mutant. Only checks that
   met the rule on the honest reference can, so only those are run.
"""
import contextlib
import multiprocessing
import os
import pathlib
import tempfile
import time

from . import runner
from .core import MUST
from .lab import Lab
from .reference.cloud import ReferenceCloud
from .reference.masa import ReferenceMasa
from .reference.pledge import ReferencePledge
from .reference.pledge_cloud import CloudPledge
from .reference.prm_agent import ReferenceAgent
from .reference.prm_masa import ReferencePrmMasa
from .reference.prm_pledge import ReferencePrmPledge
from .reference.prm_registrar import ReferencePrmRegistrar
from .reference.proxy import ReferenceProxy
from .reference.registrar import ReferenceRegistrar
from .reference.rules import ReferenceTarget, Rules

PRM = {"agent": ReferenceAgent, "prm-pledge": ReferencePrmPledge, "prm-registrar": ReferencePrmRegistrar,
       "prm-masa": ReferencePrmMasa}
ROLES = {"registrar": ReferenceRegistrar, "masa": ReferenceMasa, "pledge": CloudPledge,
         "proxy": ReferenceProxy, "cloud": ReferenceCloud, **PRM}
PATIENCE_S = 2  # the references answer at once, or never


SCHEMES = ("https", "coaps", "cloud", "prm")


def join_among_themselves(lab, folder, scheme):
    """What went wrong, or None. scheme: "https", "coaps", "cloud", by way of a cloud registrar, or "prm", by a
    registrar-agent."""
    if scheme == "prm":
        return join_by_agent(lab, folder)
    masa = ReferenceMasa(lab, folder / "masa", Rules()).start()
    (folder / "registrar").mkdir(parents=True)
    registrar = ReferenceRegistrar(lab, folder / "registrar", Rules()).start()
    try:
        device = lab.device(f"localhost:{masa.port}")
        masa.learn(device.serial)
        if scheme == "cloud":
            code, said = join_by_cloud(lab, folder, device, registrar)
        else:
            pledge = ReferencePledge(lab, folder / "pledge", Rules())
            url = "{}://{}:{}".format(scheme, *registrar.addresses[scheme])
            code, said = pledge.join(device.identity.key_path, device.identity.cert_path,
                                     device.manufacturer.anchors, url, folder / "device")
        return None if code == 0 else f"the references do not join among themselves over {scheme}: {said}"
    finally:
        registrar.stop()
        masa.stop()


def join_by_cloud(lab, folder, device, registrar):
    """The cloud registrar sends the device to its owner's registrar: (exit code, output)"""
    cloud = ReferenceCloud(lab, folder / "cloud", Rules()).start()
    try:
        place = "https://localhost:{}/.well-known/brski/requestvoucher"
        cloud.learn(device.serial, location=place.format(registrar.port))
        return CloudPledge(lab, folder / "pledge", Rules()).actions["join_cloud"](
            key=device.identity.key_path, certificate=device.identity.cert_path,
            anchors=device.manufacturer.anchors, implicit_anchors=lab.maker.file("root.crt"),
            cloud=place.format(cloud.port), urls="")
    finally:
        cloud.stop()


class Selftest:
    """A share of the checks: each nth one. faults: sentences about the suite."""

    def __init__(self, lab, folder, pattern=None, exact=False, share=(0, 1)):
        self.lab, self.folder, self.pattern, self.exact, self.share = lab, folder, pattern, exact, share
        self.proven, self.faults, self.times = 0, [], []

    def role(self, role):
        begin, step = self.share
        chosen = runner.choose(role, pattern=self.pattern)
        mutants = {c.mutant for c in chosen}
        target = ReferenceTarget(role, ROLES[role])
        with runner.Session(role, target, self.lab, self.folder / role) as session:
            session.patience = PATIENCE_S
            for check in chosen[begin::step]:
                self.prove(session, check, mutants)
        return self

    def prove(self, session, check, mutants):
        result, met = self.run(session, check)
        if result.verdict != "passed":
            self.fault(check, f"{result.verdict} on the honest reference: {result.reason}")
        elif check.mutant not in met:
            self.fault(check, f"the reference never meets the rule {check.mutant!r}")
        elif self.fails_with_its_mutant(session, check):
            self.proven += 1
            if self.exact:
                self.passes_with_others(session, check, mutants & met - {check.mutant})

    def run(self, session, check, *off):
        """(result, the rules that mattered)"""
        rules = session.target.rules
        rules.off, rules.met = set(off), set()
        began = time.monotonic()
        try:
            return session.run(check), set(rules.met)
        finally:
            rules.off = set()
            self.times.append((time.monotonic() - began, check.id, off))

    def fault(self, check, what):
        self.faults.append(f"{check.id}: {what}")

    def fails_with_its_mutant(self, session, check):
        result, _ = self.run(session, check, check.mutant)
        wanted = "failed" if check.level == MUST else "warned"
        if result.verdict != wanted:
            self.fault(check, f"{result.verdict} instead of {wanted} without the rule {check.mutant!r}: "
                              f"{result.reason}")
        return result.verdict == wanted

    def passes_with_others(self, session, check, mutants):
        for mutant in sorted(mutants):
            result, _ = self.run(session, check, mutant)
            if result.verdict not in ("passed", "skipped"):
                self.fault(check, f"{result.verdict} without the rule {mutant!r}, which is another "
                                  f"check's: {result.reason.splitlines()[0]}")


def work(share, folder, options):
    """One process's part; each has a lab of its own."""
    folder = folder / f"part-{share[0]}"
    test = Selftest(Lab(folder / "lab"), folder, options.pattern, options.exact, share)
    for role in [options.target] if options.target else ROLES:
        test.role(role)
    return test.proven, test.faults, test.times


def join_by_agent(lab, folder):
    """What went wrong when an agent onboards a pledge in responder mode, or None."""
    folder.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        masa, registrar, pledge = (kind(lab, folder, Rules()).start() for kind in (
            ReferencePrmMasa, ReferencePrmRegistrar, ReferencePrmPledge))
        for role in (masa, registrar, pledge):
            stack.callback(role.stop)
        device, agent = lab.device(f"localhost:{masa.port}"), lab.domain.agent
        masa.learn(device.serial)
        pledge.factory(device.identity.key_path, device.identity.cert_path, device.manufacturer.anchors)
        code, said = ReferenceAgent(lab, folder, Rules()).onboard(
            serial=device.serial, pledge=f"http://127.0.0.1:{pledge.port}", key=agent.key_path,
            registrar=f"https://127.0.0.1:{registrar.port}", certificate=agent.cert_path,
            anchors=lab.domain.file("root.crt"))
        joined = code == 0 and pledge.device.progress == "enroll-success"
        return None if joined else f"the references do not join by an agent: {said}"


def main(options):
    with tempfile.TemporaryDirectory(prefix="brski-selftest-") as scratch:
        folder = pathlib.Path(scratch)
        parts = os.cpu_count() or 1
        with multiprocessing.get_context("fork").Pool(parts) as pool:
            done = pool.starmap(work, [((i, parts), folder, options) for i in range(parts)])
        faults = [fault for _, found, _ in done for fault in found]
        lab = Lab(folder / "lab")
        wrong = [w for scheme in SCHEMES
                 if (w := join_among_themselves(lab, folder / f"join-{scheme}", scheme))]
    for fault in wrong + faults:
        print(f"FAILED {fault}")
    times = sorted((t for _, _, some in done for t in some), reverse=True)
    if options.verbose:
        for seconds, name, off in times[:20]:
            print(f"{seconds:6.2f} s {name}{' without ' + off[0] if off else ''}")
    print(f"{len(times)} runs")
    passed = sum(proven for proven, *_ in done) + len(SCHEMES) - len(wrong)
    print(f"{passed} passed, {len(wrong + faults)} failed, 0 skipped")
    return runner.FAILED if wrong or faults else runner.PASSED
