# SPDX-License-Identifier: Apache-2.0
"""What the scripts of the peers share: legs with a verdict, and our side of each leg.

A leg is one thing that one side asks of the other. It passes, fails, is skipped (with the reason), or
stops at a fault that the peer's page tells of: then it is skipped with that fault, after having been
tried. A fault that has gone, or that has another face, is not passed over in silence.
"""
import contextlib
import functools
import itertools
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "tests" / "scenario")]

from cryptography.hazmat.primitives.serialization import pkcs7  # noqa: E402

import harness  # noqa: E402
from brski_peer import certs, cose, forge, voucher  # noqa: E402
from brski_peer.masa import FakeMasa  # noqa: E402
from brski_peer.pledge import certs_of, est_body  # noqa: E402
from brski_peer.server import Answer  # noqa: E402
from places import Site  # noqa: E402

KEPT = 2000  # characters of what a program said, shown when a leg fails


class Skip(Exception):
    """The leg cannot be tried, or ends at a fault that is known."""


def need(condition, why):
    if not condition:
        raise AssertionError(str(why)[-KEPT:])


def equal(is_, expected, what):
    need(is_ == expected, f"{what}: {is_!r}, not {expected!r}")


def known_fault(said, pattern, side, what):
    """The leg has failed. Ends it as skipped if `said` shows the known fault, else as failed."""
    need(re.search(pattern, said), f"{said}\nfailed, but not at the known fault ({pattern!r})")
    raise Skip(f"known fault of {side}: {what}")


def installed(*programs):
    for name in programs:
        if not shutil.which(name):
            raise Skip(f"{name} is not installed")


class Legs:
    """The legs of one peer, in the order they were written."""

    def __init__(self, name):
        self.name, self.legs = name, []
        self.ready = lambda *given: None

    def leg(self, title):
        def add(function):
            self.legs.append((title, function))
            return function
        return add

    def before(self, function):
        """What has to hold for any leg; raises Skip."""
        self.ready = function
        return function

    def run(self, *given):
        """Run each leg with what was given; the exit code for the script."""
        if absent := [path for path in given if isinstance(path, pathlib.Path) and not path.exists()]:
            sys.exit(f"{self.name}: there is no {absent[0]}; interop/peers has a page that says what is wanted")
        count = {"passed": 0, "failed": 0, "skipped": 0}
        print(f"-- {self.name}", flush=True)
        with Lab() as lab:
            for title, function in self.legs:
                verdict, why = self.one(function, lab, given)
                count[verdict] += 1
                print(f"{verdict:8}{title}" + (f" ({why})" if why else ""), flush=True)
        print(", ".join(f"{n} {verdict}" for verdict, n in count.items()))
        return 1 if count["failed"] else 0

    def one(self, function, lab, given):
        try:
            self.ready(*given)
            function(lab, *given)
        except Skip as skip:
            return "skipped", str(skip)
        except Exception as error:
            told = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
            return "failed", "\n    " + told.strip().replace("\n", "\n    ") + lab.logs()
        return "passed", ""


class Lab:
    """A directory with our manufacturer, domain, MASA and registrar, each made when first asked for."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.cells, self.marks = itertools.count(1), {}

    def __enter__(self):
        missing = [p for p in ("brski-certs", "brski-masa", "brski-registrar", "brski-pledge")
                   if not pathlib.Path(harness.program(p)).exists()]
        if missing:
            sys.exit(f"not built: {', '.join(missing)} in {harness.BUILD} (run make, or set BUILD)")
        self.directory = pathlib.Path(self.stack.enter_context(
            tempfile.TemporaryDirectory(prefix="brski-peers-")))
        return self

    def __exit__(self, *failure):
        self.stack.close()

    def cell(self):
        """A fresh directory."""
        path = self.directory / f"cell-{next(self.cells)}"
        path.mkdir()
        return path

    @functools.cached_property
    def maker(self):
        return harness.Manufacturer(self.directory / "maker", "Acme")

    @functools.cached_property
    def domain(self):
        return harness.Domain(self.directory / "domain")

    @functools.cached_property
    def site(self):
        """Our registrar and our MASA, running."""
        return self.a_site("site")

    @functools.cached_property
    def coaps_site(self):
        return self.a_site("coaps", coaps=True)

    def a_site(self, name, domain=None, makers=None, masa_changes=None, registrar_changes=None, **more):
        """Another pair of them, with what else their configurations say."""
        place = self.directory / name
        domain, makers = domain or self.domain, makers or [self.maker]
        masa = harness.Masa(place / "masa", makers[0], changes=masa_changes)
        registrar = harness.Registrar(place / "registrar", domain, makers, changes=registrar_changes,
                                      **more)
        self.start(masa)
        self.start(registrar)
        return Site(place, makers[0], domain, masa, registrar)

    def chainless_site(self, name, masa=None):
        """A site for devices that send no chain with their IDevID, neither in TLS nor with their request:
        registrar and MASA are told of the CA that issues IDevIDs. masa: more for its configuration."""
        anchors = self.directory / "issuers.pem"
        anchors.write_text(self.maker.file("root.crt").read_text()
                           + self.maker.file("issuing.crt").read_text())
        return self.a_site(f"{name}-{next(self.cells)}",
                           masa_changes=harness.merged({"devices": {"anchors": anchors}}, masa),
                           registrar_changes={"manufacturer Acme": {"anchors": anchors}})

    def start(self, process):
        """Ends with the lab."""
        process.start()
        self.stack.callback(process.stop if isinstance(process, harness.Daemon) else process.kill)
        return process

    def background(self, argv, log, port=None, env=None, udp=False):
        """A server of the peer's; returns when it listens on the port."""
        process = self.start(harness.Process(argv, log, env))

        def up():
            need(process.alive(), f"{argv[0]} has ended:\n{process.log()}")
            return udp_bound(port) if udp else harness.listening(port)
        if port:
            harness.wait_until(up, f"{argv[0]} on port {port}:\n{process.log()[-KEPT:]}")
        return process

    def logs(self):
        """What our programs and the peer's have said since this was last asked."""
        out = []
        for process in harness.Process.known:
            said = process.log()[self.marks.get(process, 0):]
            self.marks[process] = process.log_size()
            if said:
                out.append(f"\n    -- log of {process.log_path}\n{said[-KEPT:]}")
        return "".join(out)


def udp_bound(port):
    """Whether somebody on this machine has the UDP port, IPv4 or IPv6."""
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        with open(table) as lines:
            if any(line.split()[1].endswith(f":{port:04X}") for line in list(lines)[1:]):
                return True
    return False


def run(*argv, timeout=60, env=None, cwd=None, text=None):
    """A program to its end; everything it says is in .said."""
    try:
        done = subprocess.run([str(a) for a in argv], capture_output=True, timeout=timeout, cwd=cwd,
                              env=dict(harness.os.environ, **(env or {})), errors="replace",
                              **({"input": text} if text is not None else {"stdin": subprocess.DEVNULL}))
    except subprocess.TimeoutExpired as slow:
        told = b"".join(filter(None, (slow.stdout, slow.stderr))).decode(errors="replace")
        raise AssertionError(f"{argv[0]}: no end after {timeout} s\n{told}") from slow
    done.said = done.stdout + done.stderr
    return done


def works(*argv, **more):
    """The same, and it must end with 0."""
    done = run(*argv, **more)
    need(done.returncode == 0, f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.said}")
    return done


def issued(reply):
    """The certificate in an answer to simpleenroll or simplereenroll."""
    equal(reply.status, 200, f"enrolment said {reply.text!r}")
    return certs_of(reply)[0]


def certs_in(der):
    """The certificates of a certs-only message."""
    return pkcs7.load_der_pkcs7_certificates(der)


def our_pledge(site, device, urls, changes=None):
    """The real pledge for the device, to be sent to other registrars; what it has been given before
    stays with it."""
    return site.pledge(device, urls, changes)


def pledge_joins(site, device=None):
    """Our pledge joins at our registrar; returns its process, for what else it can do."""
    pledge = site.pledge(device or site.device())
    done = pledge.join()
    need(done.returncode == 0, done.stdout + done.stderr)
    return pledge


def joined(site, **more):
    """The identity of a device that has just joined there."""
    with site.peer(site.device(), **more) as pledge:
        certificate, key = pledge.join()
    folder = site.directory / "joined"
    folder.mkdir(exist_ok=True)
    return forge.save(folder, f"ldevid-{certificate.serial_number:x}", key,
                      [certificate, forge.load_certs(site.domain.file("issuing.crt"))[0]])


__all__ = ["Answer", "FakeMasa", "Lab", "Legs", "Site", "Skip", "certs", "certs_in", "cose", "equal",
           "est_body", "forge", "harness", "installed", "issued", "joined", "known_fault", "need",
           "our_pledge", "pledge_joins", "run", "voucher", "works"]
