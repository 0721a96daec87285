# SPDX-License-Identifier: Apache-2.0
"""Chooses checks, runs them on a target, prints a line for each and one with the count."""
import collections
import contextlib
import importlib
import itertools
import pathlib
import pkgutil
import re
import textwrap
import types

from . import checks as checks_package
from . import evidence
from .core import CHECKS, MUST, SENTENCE_MAX, Broken, Check, Result, Skipped, harmless, run_check
from .trial import PATIENCE_S
from .trial_agent import AgentTrial
from .trial_cloud import CloudTrial
from .trial_masa import MasaTrial
from .trial_pledge import PledgeTrial
from .trial_prm_masa import PrmMasaTrial
from .trial_prm_pledge import PrmPledgeTrial
from .trial_prm_registrar import PrmRegistrarTrial
from .trial_proxy import Home, ProxyTrial
from .trial_registrar import UPSTREAM, RegistrarTrial, lying_masa, upstream_ca

PRM = {"agent": AgentTrial, "prm-pledge": PrmPledgeTrial, "prm-registrar": PrmRegistrarTrial,
       "prm-masa": PrmMasaTrial}
TRIALS = {"registrar": RegistrarTrial, "masa": MasaTrial, "pledge": PledgeTrial,
          "proxy": ProxyTrial, "cloud": CloudTrial, **PRM}
PASSED, FAILED, UNUSABLE = 0, 1, 2
SKIPS_SHOWN = 5
REFUSALS = (401, 403, 404)  # of who is not known


def load_checks():
    """All checks, in the order of their files."""
    for module in sorted(m.name for m in pkgutil.iter_modules(checks_package.__path__)):
        importlib.import_module(f"{checks_package.__name__}.{module}")
    return CHECKS


def choose(role=None, profiles=(), pattern=None):
    """Those of the role, of any of the profiles, whose id or rows match the regular expression."""
    found = [c for c in load_checks() if role is None or c.role == role]
    if profiles:
        found = [c for c in found if set(c.profiles) & set(profiles)]
    if pattern:
        found = [c for c in found
                 if any(re.search(pattern, text) for text in (c.id, *c.rows, *c.profiles))]
    return found


class Session:
    """What lives as long as the checks of one role: the target in its configurations, our servers."""

    def __init__(self, role, target, lab, folder):
        self.role, self.target, self.lab = role, target, lab
        self.folder = pathlib.Path(folder)
        self.instances = {}
        self.masa = self.home = self.upstream = None
        self.unserved = None  # why an honest peer is not served; "" when it is
        self.patience = PATIENCE_S
        self.stranger = None  # a sentence, when a target that runs already does not know the lab

    def __enter__(self):
        try:
            if self.role in ("registrar", "cloud"):
                self.masa = lying_masa(self).start()
            if self.role == "proxy":
                self.home = Home(self.lab, self.target)
            self.variant("plain")
        except BaseException:  # interrupted, too
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def variant(self, name):
        """The target in this configuration, started when first asked for."""
        if not self.target.has_variant(name):
            raise Skipped(f"the target cannot be started in the configuration {name!r}")
        if name not in self.instances:
            words = self.home.words() if self.home else {}
            if name == UPSTREAM:
                self.upstream = upstream_ca(self).start()
                words = {"upstream": f"{self.target.suite_host}:{self.upstream.port}"}
            self.instances[name] = self.target.begin(self._new_folder(name), self.lab, name, **words)
        return self.instances[name]

    def greet(self):
        """Is a target there that runs already, and does it know the lab? Then an honest device gets its voucher."""
        if not self.target.runs_already():
            return
        self.variant("plain").reach()
        probe = getattr(TRIALS[self.role], "greeting", None)
        if not probe or "https" not in self.target.settings.get("address", {}):
            return
        answers = []
        hello = types.SimpleNamespace(run=lambda trial: answers.append(probe(trial)), level=MUST)
        run_check(hello, TRIALS[self.role](hello, self))
        self.stranger = self._unknown(*answers[0]) if answers else None
        self.unserved = self.stranger

    def _unknown(self, status, words):
        if status not in REFUSALS:
            return None
        new = ", which was made now," if self.lab.made_now else ""
        return (f"an honest device of the lab {self.lab.directory}{new} is answered {status} {words}: does the "
                f"target know {self.lab.maker.file('root.crt')}"
                f"{', or take a command to know a device ([do] import)' if self.role == 'masa' else ''}? (interop/README.md, \"Your own implementation\")")

    def _new_folder(self, name):
        """Every start has one of its own."""
        names = itertools.chain([name], (f"{name}-{i}" for i in itertools.count(2)))
        return next(folder for n in names if not (folder := self.folder / n).exists())

    @contextlib.contextmanager
    def another(self, name):
        """The same, started now and stopped in the end."""
        kept = self.instances.pop(name, None)
        try:
            yield self.variant(name)
        finally:
            fresh = self.instances.pop(name, None)
            fault = fresh and fresh.stop()
            if kept:
                self.instances[name] = kept
        if fault:
            raise Broken(fault)

    @property
    def masa_url(self):
        """What IDevIDs say to a registrar under test."""
        return f"{self.target.suite_host}:{self.masa.port}"

    def close(self):
        if self.home:
            self.home.close()  # first: nothing may hang on to it
        self.faults = [fault for i in reversed(list(self.instances.values())) if (fault := i.stop())]
        self.instances.clear()
        for server in (self.masa, self.upstream):
            if server:
                server.stop()

    def run(self, check):
        marks = {name: i.log_size() for name, i in self.instances.items()}
        try:
            trial = TRIALS[check.role](check, self)
        except Broken as e:  # it ended before, and does not start again
            return Result(check, "broken", harmless(str(e), SENTENCE_MAX))
        result = run_check(check, trial)
        if result.verdict == "passed" and not trial.served and (why := self.serves_nobody()):
            result.verdict = "skipped"
            result.reason = f"the target serves no honest peer either, so that it shows nothing here: {why}"
        result.logs = {name: harmless(i.log(marks.get(name, 0))) for name, i in self.instances.items()}
        for name in [name for name, i in self.instances.items() if i.ended() is not None]:
            result.verdict, result.reason = "failed", harmless(self.gone(name, result), SENTENCE_MAX)
        return result

    def serves_nobody(self):
        """The reason, when the target does not even do for an honest peer what its role is; found out once."""
        if self.unserved is None:
            self.unserved = ""  # for the time being
            honest = Check("serves_an_honest_peer", (), MUST, self.role, (), "", "", lambda t: t.need(
                t.serves(), "what an honest peer wants is refused"))
            result = run_check(honest, TRIALS[self.role](honest, self))
            self.unserved = result.reason if result.verdict in ("failed", "broken") else ""
        return self.unserved

    def gone(self, name, result):
        """The target should be there for the next check, which starts it again. Returns a sentence."""
        fault = self.instances.pop(name).stop() or f"{self.target.name} ended"
        return f"during this check {fault}\nWithout that: {result.verdict}. {result.reason}".strip()

    def ports(self):
        """Every port of the target's and of ours that is known."""
        own = [server.port for server in (self.masa, self.upstream) if server] + (self.home.ports() if self.home else [])
        return own + [int(port) for i in self.instances.values() for port in i.known_ports()]


def run(session, chosen, tell=lambda result: None, folder=None, results=None):
    """All chosen checks; tell(result) after each. A check of a profile that the target does not
    have is skipped. With a folder, what fails is run again there, with a capture where possible.
    results: a list to put them into, for who is interrupted."""
    results = [] if results is None else results
    for check in chosen:
        if session.target.means_to(check):
            result = session.run(check)
            if folder and result.verdict in ("failed", "warned"):
                try:
                    evidence.run_again(session, result, pathlib.Path(folder))
                except OSError as e:
                    result.reason += f"\n(not run again with a capture: {e.strerror})"
        else:
            result = Result(check, "skipped", f"the target does not have {' or '.join(check.profiles)}")
        results.append(result)
        tell(result)
    return results


def line(result):
    """A line for a terminal, more when something is wrong."""
    words = {"passed": "    ok", "failed": "FAILED", "warned": "  WARN", "skipped": "  skip",
             "broken": "BROKEN"}
    rows = ",".join(result.check.rows)
    text = f"{words[result.verdict]} {result.check.id} [{rows}] {result.seconds:.2f} s"
    if not result.reason:
        return text
    return text + textwrap.indent("\n" + result.reason.strip(), " " * 7)


def counts(results, strict=False):
    """(passed, failed, skipped); a SHOULD that is not fulfilled fails when strict."""
    bad = ("failed", "broken", "warned") if strict else ("failed", "broken")
    failed = sum(r.verdict in bad for r in results)
    skipped = sum(r.verdict == "skipped" for r in results)
    return len(results) - failed - skipped, failed, skipped


def reasons_of_skips(results):
    """A line for each, the most frequent first."""
    told = collections.Counter(r.reason for r in results if r.verdict == "skipped")
    return [f"skipped {count}: {reason}" for reason, count in told.most_common(SKIPS_SHOWN)]


def summary(results, strict=False):
    passed, failed, skipped = counts(results, strict)
    warned = sum(r.verdict == "warned" for r in results)
    if warned and not strict:
        print(f"{warned} of those passed with a warning: a SHOULD is not fulfilled (--strict fails them)")
    return f"{passed} passed, {failed} failed, {skipped} skipped"


__all__ = ["Broken", "Session", "choose", "counts", "line", "load_checks", "run", "summary"]
