# SPDX-License-Identifier: Apache-2.0
"""The command line: interop/brski-conformance."""
import argparse
import contextlib
import os
import pathlib
import re
import shlex
import signal
import sys
import tempfile

from . import catalogue, coverage, report, runner
from .core import PROFILES, ROLES, Broken, Result
from .lab import Lab
from .target import read_target

USUAL_LAB = "brski-lab"  # in the current directory
ROOM = 256 << 10         # octets that a report needs at least
OURS = pathlib.Path(__file__).resolve().parents[1] / "targets"
README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
USAGE = """\
brski-conformance registrar|masa|pledge|… TARGET   test an implementation: TARGET is a target file, an
                                                    address (https://host:port), or left out: ours
brski-conformance ours                              ours, every role there is a target file for
brski-conformance lab --lab DIR                     make the suite's manufacturers and domains in DIR
brski-conformance selftest                          test the suite on its own roles and their mutants
brski-conformance scenarios                         whole sites of this repository's programs, good days and bad
brski-conformance [ROLE] --list                     what is covered by which check, and what is not

Exit codes: 0 nothing failed, 1 something failed, 2 nothing could be tested, or not all (interrupted).
The last line is 'N passed, N failed, N skipped'.
"""


def regex(text):
    try:
        re.compile(text)
    except re.error as e:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {e}") from e
    return text


def arguments(argv):
    p = argparse.ArgumentParser(prog="brski-conformance", usage=USAGE, add_help=True)
    p.add_argument("what", nargs="?", choices=[*ROLES, "ours", "lab", "selftest", "scenarios"])
    p.add_argument("target", nargs="?", help="a target file or an address")
    p.add_argument("--profile", action="append", choices=PROFILES, default=[],
                   help="only checks of this profile; may be given several times")
    p.add_argument("-k", dest="pattern", metavar="REGEX", type=regex, help="only checks whose id or rows match")
    p.add_argument("--strict", action="store_true", help="a SHOULD that is not fulfilled fails")
    p.add_argument("--report", metavar="DIR", help="leave results, evidence and logs there")
    p.add_argument("--compare", metavar="DIR", help="say what changed since the run reported there")
    p.add_argument("--lab", metavar="DIR", help="the suite's keys and certificates; made when missing")
    p.add_argument("--list", action="store_true", help="list coverage; with -v every check")
    p.add_argument("--readme", action="store_true", help="list: write the table into this repository's README")
    p.add_argument("-v", "--verbose", action="store_true", help="show every message as it happens")
    p.add_argument("--sample", type=int, default=1, metavar="N", help="selftest: each Nth check only")
    p.add_argument("--exact", action="store_true",
                   help="selftest: a mutant must fail no check but those that name it")
    p.add_argument("--place", choices=["namespaces", "loopback", "both"],
                   help="scenarios: on what; namespaces where that is possible")
    p.add_argument("--pace", choices=["fast", "usual", "slow"], help="scenarios: none that are slower")
    p.add_argument("--selftest", action="store_true",
                   help="scenarios: each with what it names as broken, which it has to notice")
    p.add_argument("--jobs", type=int, default=2, help="scenarios: so many side by side")
    return p, p.parse_args(argv)


def main(argv=None):
    parser, options = arguments(argv)
    try:
        if options.what == "scenarios":
            from scenarios import runner as scenarios
            return scenarios.main(options)
        if options.list:
            return list_coverage(options)
        if options.what == "lab":
            return make_lab(options)
        if options.what == "selftest":
            from . import selftest
            return selftest.main(options)
        if options.what:
            return test(options)
    except (Broken, OSError) as e:
        print(f"brski-conformance: {e}", file=sys.stderr)
        return runner.UNUSABLE
    except KeyboardInterrupt:
        print("brski-conformance: interrupted", file=sys.stderr)
        return runner.UNUSABLE
    parser.error("what is to be tested? A role, ours, lab, selftest or scenarios")


# -- coverage

def list_coverage(options):
    """The lines of one role, profile or pattern; the tables always count everything."""
    rows, checks = catalogue.read(), runner.load_checks()
    chosen = runner.choose(pattern=options.pattern) if options.pattern else checks
    named = {row for check in chosen for row in check.rows}
    listed = {i: row for i, row in rows.items() if not options.pattern or i in named}
    for line in coverage.listing(listed, chosen, options.what, options.profile, options.verbose):
        print(line)
    for fault in coverage.missing(rows, checks):
        print(f"\n{fault}")
    print("\nRows with a check, of those that can be seen from outside:\n")
    print(coverage.tables(rows, checks))
    if options.readme:
        README.write_text(coverage.with_table(README.read_text(encoding="utf-8"), rows, checks), encoding="utf-8")
    return runner.PASSED


# -- runs

def make_lab(options):
    lab = Lab(options.lab or USUAL_LAB)
    print(f"""{lab.directory} is ready. Tell your implementation (interop/README.md, "Your own implementation"):
registrar  devices of {lab.maker.file('root.crt')} may join; its MASA's TLS certificate has this root, too
           devices of {lab.cautious.file('root.crt')} wait for an admin; their MASA is the same one
MASA       devices of {lab.maker.file('root.crt')} are its own
pledge     vouchers lead to {lab.maker.file('anchors.crt')}""")
    return runner.PASSED


def lab_for(target, options, scratch):
    """The one that is named; for a target that runs already the usual one, if it is there; else a new one."""
    usual = pathlib.Path(USUAL_LAB)
    if options.lab or target.runs_already() and usual.is_dir():
        return Lab(options.lab or usual)
    return Lab(scratch / "lab")


def prepare(options):
    """What would be a pity to find out after minutes."""
    build = pathlib.Path(os.environ.get("BUILD", README.parent / "build"))
    if not options.target and not (build / "brski-certs").exists():
        raise Broken("our programs are not built: run make, or name a target")
    if options.compare and not list(pathlib.Path(options.compare).glob("**/results.json")):
        raise Broken(f"no run was reported in {options.compare}: it has no results.json")
    if options.report:
        try:
            os.makedirs(options.report, exist_ok=True)
            with tempfile.TemporaryFile(dir=options.report) as f:
                f.write(b"." * ROOM)
        except OSError as e:
            raise Broken(f"no report can be left in {options.report}: {e.strerror}") from e


def test(options):
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was started is ended
    prepare(options)
    with tempfile.TemporaryDirectory(prefix="brski-conformance-") as scratch:
        scratch = pathlib.Path(scratch)
        roles = ROLES if options.what == "ours" else [options.what]
        missing = [r for r in roles if not options.target and not (OURS / f"{r}.toml").exists()]
        results, reports = nobody(missing, options), []
        for role in roles:
            if role in missing:
                continue
            target = read_target(options.target or OURS / f"{role}.toml", options.profile)
            lab = lab_for(target, options, scratch)
            done = test_role(role, target, lab, scratch, options, len(roles) > 1)
            reports.append((role, role, target.name, done))
            results += done
        if options.report and len(roles) > 1:
            report.write_index(options.report, reports)
        if not results:
            raise Broken("no check matches: see --list")
        passed, failed, _ = runner.counts(results, options.strict)
        if not passed and not failed:
            print("\n".join(runner.reasons_of_skips(results)))
        print(runner.summary(results, options.strict))
        done = passed and not getattr(options, "incomplete", False)
        return runner.FAILED if failed else runner.PASSED if done else runner.UNUSABLE


def nobody(roles, options):
    """Roles that no program of this repository has."""
    chosen = [c for role in roles for c in runner.choose(role, options.profile, options.pattern)]
    if chosen:
        print(f"{', '.join(roles)}: nothing of ours has this role, {len(chosen)} checks are skipped", flush=True)
    return [Result(check, "skipped", "nothing of ours has this role") for check in chosen]


def command(role, options):
    """What is typed to see it again."""
    words = [sys.argv[0], role, options.target, *(["--lab", options.lab] if options.lab else [])]
    return shlex.join(word for word in words if word)


def test_role(role, target, lab, scratch, options, several):
    """One target. With several, each has a folder of its own in the report."""
    folder = pathlib.Path(options.report, role if several else "") if options.report else None
    if role not in runner.TRIALS:
        raise Broken(f"there are no checks of the role {role} yet")
    if target.role not in (None, role):
        raise Broken(f"{options.target} describes a {target.role}, no {role}")
    chosen, results, interrupted = runner.choose(role, options.profile, options.pattern), [], False
    print(f"{role}: {target.name}, {len(chosen)} checks", flush=True)

    def tell(result):
        if options.verbose:
            print(report.exchange_text(result))
        if options.verbose or result.verdict not in ("passed", "skipped") or sys.stdout.isatty():
            print(runner.line(result), flush=True)
    with runner.Session(role, target, lab, scratch / role) as session:
        try:
            session.greet()
            if session.stranger:
                print(f"note: {session.stranger}", flush=True)
            runner.run(session, chosen, tell, folder, results)
        except KeyboardInterrupt:
            interrupted = True
            print(f"interrupted after {len(results)} of {len(chosen)} checks", flush=True)
        if folder:
            with complete_or_told(options):
                report.logs(folder / "logs", session.instances)
    for fault in session.faults:
        print(f"{fault}", file=sys.stderr)
    if folder:
        about = {"target": target.name, "role": role, "command": command(role, options),
                 "profiles": options.profile or [p for p in PROFILES if p in target.profiles]}
        with complete_or_told(options):
            report.write(folder, results, about)
    if interrupted:
        raise KeyboardInterrupt
    if options.compare:
        said = report.compare(pathlib.Path(options.compare, role if several else ""), results)
        print("\n".join(said) or "nothing has changed")
        if folder:
            (folder / "changes.txt").write_text("".join(f"{sentence}\n" for sentence in said), encoding="utf-8")
    return results


@contextlib.contextmanager
def complete_or_told(options):
    """What was found out counts even when the disk is full."""
    try:
        yield
    except OSError as e:
        print(f"brski-conformance: the report in {options.report} is not complete: {e.strerror}", file=sys.stderr)
        options.incomplete = True
