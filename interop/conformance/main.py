# SPDX-License-Identifier: Apache-2.0
"""The command line: interop/brski-conformance."""
import argparse
import pathlib
import signal
import sys
import tempfile

from . import catalogue, coverage, report, runner
from .core import PROFILES, ROLES, Broken, Result
from .lab import Lab
from .target import read_target

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

Exit codes: 0 nothing failed, 1 something failed, 2 the run could not be made.
The last line is 'N passed, N failed, N skipped'.
"""


def arguments(argv):
    p = argparse.ArgumentParser(prog="brski-conformance", usage=USAGE, add_help=True)
    p.add_argument("what", nargs="?", choices=[*ROLES, "ours", "lab", "selftest", "scenarios"])
    p.add_argument("target", nargs="?", help="a target file or an address")
    p.add_argument("--profile", action="append", choices=PROFILES, default=[],
                   help="only checks of this profile; may be given several times")
    p.add_argument("-k", dest="pattern", metavar="REGEX", help="only checks whose id or rows match")
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
    parser.print_usage(sys.stderr)
    return runner.UNUSABLE


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
    lab = Lab(options.lab or "brski-lab")
    print(f"{lab.directory}: the manufacturer's root is {lab.maker.file('root.crt')}")
    return 0


def test(options):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(runner.UNUSABLE))  # what was started is stopped then, too
    with tempfile.TemporaryDirectory(prefix="brski-conformance-") as scratch:
        scratch = pathlib.Path(scratch)
        lab = Lab(options.lab or scratch / "lab")
        roles = ROLES if options.what == "ours" else [options.what]
        missing = [r for r in roles if not options.target and not (OURS / f"{r}.toml").exists()]
        results, reports = nobody(missing, options), []
        for role in roles:
            if role in missing:
                continue
            target = read_target(options.target or OURS / f"{role}.toml")
            done = test_role(role, target, lab, scratch, options, len(roles) > 1)
            reports.append((role, role, target.name, done))
            results += done
        if options.report and len(roles) > 1:
            report.write_index(options.report, reports)
        print(runner.summary(results, options.strict))
        return runner.FAILED if runner.counts(results, options.strict)[1] else runner.PASSED


def nobody(roles, options):
    """Roles that no program of this repository has."""
    chosen = [c for role in roles for c in runner.choose(role, options.profile, options.pattern)]
    if chosen:
        print(f"{', '.join(roles)}: nothing of ours has this role, {len(chosen)} checks are skipped", flush=True)
    return [Result(check, "skipped", "nothing of ours has this role") for check in chosen]


def test_role(role, target, lab, scratch, options, several):
    """One target. With several, each has a folder of its own in the report."""
    folder = pathlib.Path(options.report, role if several else "") if options.report else None
    if role not in runner.TRIALS:
        raise Broken(f"there are no checks of the role {role} yet")
    chosen = runner.choose(role, options.profile, options.pattern)
    print(f"{role}: {target.name}, {len(chosen)} checks", flush=True)

    def tell(result):
        if options.verbose:
            print(report.exchange_text(result))
        if options.verbose or result.verdict not in ("passed", "skipped") or sys.stdout.isatty():
            print(runner.line(result), flush=True)
    with runner.Session(role, target, lab, scratch / role) as session:
        results = runner.run(session, chosen, tell, folder)
        if folder:
            report.logs(folder / "logs", session.instances)
    for fault in session.faults:
        print(f"{fault}", file=sys.stderr)
    if folder:
        about = {"target": target.name, "role": role, "profiles": options.profile or "all",
                 "command": f"brski-conformance {role}{f' {options.target}' if options.target else ''}"}
        report.write(folder, results, about)
    if options.compare:
        said = report.compare(pathlib.Path(options.compare, role if several else ""), results)
        print("\n".join(said) or "nothing has changed")
        if folder:
            (folder / "changes.txt").write_text("".join(f"{sentence}\n" for sentence in said), encoding="utf-8")
    return results
