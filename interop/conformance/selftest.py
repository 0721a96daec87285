# SPDX-License-Identifier: Apache-2.0
"""The suite tested by itself.

1. Its own pledge joins through its own registrar and MASA; one in responder mode by its own agent.
2. Each check passes on the reference of its role.
3. Each check fails when the rule it names as its mutant is switched off there.
4. With --exact: no other check fails then, except those that name the same mutant. Only checks that
   met the rule on the honest reference can, so only those are run.
"""
import contextlib
import pathlib
import tempfile

from . import provers, runner
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
from .reference.rules import Rules

PRM = {"agent": ReferenceAgent, "prm-pledge": ReferencePrmPledge, "prm-registrar": ReferencePrmRegistrar,
       "prm-masa": ReferencePrmMasa}
ROLES = {"registrar": ReferenceRegistrar, "masa": ReferenceMasa, "pledge": CloudPledge,
         "proxy": ReferenceProxy, "cloud": ReferenceCloud, **PRM}
SLOWEST = 20  # runs that --verbose names


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


def tell(proof):
    for fault in proof.faults:
        print(f"FAILED {fault}", flush=True)
    for sentence in proof.flaky:
        print(f"flaky: it was well the second time: {sentence}", flush=True)


def main(options):
    roles = {options.target: ROLES[options.target]} if options.target else ROLES
    chosen = [c for role in roles for c in runner.choose(role, pattern=options.pattern)][::options.sample]
    with tempfile.TemporaryDirectory(prefix="brski-selftest-") as scratch:
        folder = pathlib.Path(scratch)
        proofs = provers.run(chosen, roles, folder, options.exact, tell)
        lab = Lab(folder / "lab")
        wrong = [w for scheme in SCHEMES
                 if (w := join_among_themselves(lab, folder / f"join-{scheme}", scheme))]
    for fault in wrong:
        print(f"FAILED {fault}")
    faults = wrong + [fault for proof in proofs for fault in proof.faults]
    if options.verbose:
        for seconds, name, mutant in provers.slowest(proofs, SLOWEST):
            print(f"{seconds:6.2f} s {name}{f' without {mutant}' if mutant else ''}")
    print(f"{sum(len(proof.times) for proof in proofs)} runs")
    passed = sum(proof.proven for proof in proofs) + len(SCHEMES) - len(wrong)
    print(f"{passed} passed, {len(faults)} failed, 0 skipped")
    return runner.FAILED if faults else runner.PASSED
