# SPDX-License-Identifier: Apache-2.0
"""What a check is, what it is given, and what becomes of it.

A check shows one thing that a requirement says, on an implementation it knows only from outside:

    @check("R8995-REG-053", level=MUST, role="registrar", profiles=("rfc8995",),
           mutant="takes any proximity certificate")
    def request_that_names_another_registrar_is_401(t):
        \"\"\"A voucher-request naming another server's certificate is an attack: 401, then close.\"\"\"
        device = t.approved_device()
        with t.pledge(device) as p:
            reply = p.request_voucher(p.pvr(proximity_registrar_cert=t.lab.some_certificate()))
            t.status(reply, 401)
            t.need(p.connection.ended_by_peer(), "the connection stays open after the 401")

The name says what must hold; the docstring says it to the other side's developer. `rows` are IDs of
the catalogue (catalogue.tsv). `mutant` names the rule of our reference implementation of the role
that is switched off to see this check fail (reference/*.py, selftest.py): a check without one is not
accepted. A check waits for events, never for time.

The target may be hostile: however it behaves a check comes to a verdict, and what is kept of it has a size.
"""
import contextlib
import dataclasses
import re
import signal
import time
import traceback

MUST, SHOULD, MAY = "MUST", "SHOULD", "MAY"
PRM_ROLES = ("agent", "prm-pledge", "prm-registrar", "prm-masa")  # pledge in responder mode
ROLES = ("registrar", "masa", "pledge", "proxy", "cloud", *PRM_ROLES)
PROFILES = ("rfc8995", "8366bis", "cbrski", "est", "est-coaps", "cloud", "jws", "ae", "prm", "discovery")

CHECK_S = 300        # a check that takes longer is kept from ending
CLEANUP_S = 60
AGAIN_S = 5          # should somebody not have heard
MESSAGES_MAX = 2000  # of a check that are kept
EVIDENCE_MAX = 1 << 20  # octets of them all
OCTETS_MAX = 64 * 1024  # of one message
TEXT_MAX = 128 * 1024  # characters of a message, or of a log during one check
SENTENCE_MAX = 4000

# What can stand in UTF-8, in XML and on a terminal without doing anything there.
_HARMFUL = re.compile("[^\t\n\x20-\x7e\xa0-\u2029\u202f-\u2065\u206a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

CHECKS = []  # in order of definition


@dataclasses.dataclass(frozen=True)
class Check:
    name: str
    rows: tuple
    level: str
    role: str
    profiles: tuple
    mutant: str
    about: str
    run: object = dataclasses.field(repr=False, compare=False)

    @property
    def id(self):
        return f"{self.role}.{self.name}"


def check(*rows, level, role, profiles, mutant):
    assert rows and level in (MUST, SHOULD, MAY) and role in ROLES and mutant
    assert set(profiles) <= set(PROFILES)

    def register(function):
        made = Check(function.__name__, rows, level, role, tuple(profiles), mutant,
                     " ".join((function.__doc__ or "").split()), function)
        assert made.about, f"{function.__name__} does not say what must hold"
        assert made.id not in {c.id for c in CHECKS}, made.id
        CHECKS.append(made)
        return function
    return register


def harmless(text, most=TEXT_MAX):
    """What somebody else said, to be kept and shown: control characters spelt out, its middle left out when
    it is long."""
    if len(text) > most:
        text = f"{text[:most // 2]}\n… {len(text) - most} characters …\n{text[len(text) - most // 2:]}"
    return _HARMFUL.sub(lambda m: "" if m.group() == "\r" else f"\\x{ord(m.group()):02x}", text)


class Wrong(AssertionError):
    """The target did not do what the requirement says; the text says why it is wrong."""


class Skipped(Exception):
    """It cannot be seen on this target; the text says why."""


class Broken(Exception):
    """The suite could not do its part: provisioning failed, the target could not be started."""


class Endless(BaseException):
    """Time is up; nothing between the check and run_check() takes it for something else."""


@dataclasses.dataclass
class Seen:
    """One message of a trial. octets may be None; shown is the message for a reader."""
    at: float            # seconds since the trial began
    direction: str       # "sent", "received"
    what: str            # "POST /.well-known/brski/requestvoucher", "200 application/…"
    shown: str
    octets: bytes = None  # its first OCTETS_MAX


@dataclasses.dataclass
class Result:
    check: Check
    verdict: str         # passed, failed, warned (a SHOULD), skipped, broken
    reason: str = ""
    seconds: float = 0
    seen: list = dataclasses.field(default_factory=list)
    logs: dict = dataclasses.field(default_factory=dict)  # what the target wrote meanwhile, by place
    flaky: bool = False  # it failed, and passed when it was run again
    began: float = 0     # by the clock of all checks of a run
    captured: str = ""   # the file with the packets of the second time
    trace: str = ""      # where in the suite it ended, when it was not a check that said so


class TrialBase:
    """What every role's trial has; trial.py adds what the role needs to be looked at."""

    def __init__(self, subject, target, lab):
        self.check, self.target, self.lab = subject, target, lab
        self.began = time.monotonic()
        self.seen, self.kept = [], 0
        self.served = False  # has the target done what it was asked for, whatever that was?
        self.cleanups = []

    # -- judging

    def need(self, condition, why):
        """why: what is wrong when it does not hold."""
        if not condition:
            raise Wrong(why)

    def status(self, reply, *wanted, why=""):
        if reply.status not in wanted:
            meant = " or ".join(str(w) for w in wanted)
            raise Wrong(f"the answer is {reply.status} instead of {meant}"
                        f"{': ' + why if why else ''}; it says: {said(reply)}")

    def skip(self, why):
        raise Skipped(why)

    # -- evidence

    def record(self, direction, what, shown="", octets=None):
        self.served |= direction == "received" and what.startswith("2") or what == "exit 0"
        at, place = time.monotonic() - self.began, len(self.seen)
        if place > MESSAGES_MAX:
            return
        if place == MESSAGES_MAX:
            direction, what, shown, octets = "admin", "further messages are not kept", "", None
        if self.kept > EVIDENCE_MAX:
            shown, octets = "(not kept: there is too much of it in this check)", None
        made = Seen(at, direction, harmless(what, SENTENCE_MAX), harmless(shown), octets and octets[:OCTETS_MAX])
        self.kept += len(made.shown) + len(made.octets or b"")
        self.seen.append(made)

    def later(self, cleanup):
        """To be called at the end, whatever happens; the last first."""
        self.cleanups.append(cleanup)

    def close(self):
        """All of it, whatever goes wrong with some; raises the first fault."""
        fault = None
        while self.cleanups:
            try:
                self.cleanups.pop()()
            except Exception as e:
                fault = fault or e
        if fault:
            raise fault


def said(reply):
    """The words of an answer, for a sentence; its size when it is not made of words."""
    readable = all(c.isprintable() or c in "\r\n\t" for c in reply.text)
    return repr(reply.text[:200]) if readable else f"{len(reply.text)} characters that are no text"


@contextlib.contextmanager
def ends_within(seconds):
    """Endless is raised here when it does not."""
    def time_is_up(*_):
        raise Endless
    before = signal.signal(signal.SIGALRM, time_is_up)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run_check(subject, trial):
    """One check on one trial. Never raises."""
    verdict, reason, trace = "passed", "", ""
    try:
        with ends_within(CHECK_S):
            subject.run(trial)
    except Skipped as e:
        verdict, reason = "skipped", str(e)
    except Wrong as e:
        verdict, reason = ("failed" if subject.level == MUST else "warned"), str(e)
    except Broken as e:
        verdict, reason = "broken", str(e)
    except Endless:
        verdict, reason = "failed", f"what the target does has no end: given up after {CHECK_S} s"
        trace = traceback.format_exc(limit=-3)
    except Exception as e:  # the peer hung up, or said what could not be read: its fault, or ours
        verdict = "failed"
        reason = f"what came, or did not come, is of no use here: {type(e).__name__}: {e}"
        trace = traceback.format_exc(limit=-3)
    try:
        with ends_within(CLEANUP_S):
            trial.close()
    except (Exception, Endless) as e:
        verdict, reason = "broken", f"cleaning up: {type(e).__name__}: {e}; before that: {verdict} {reason}"
    return Result(subject, verdict, harmless(reason, SENTENCE_MAX), time.monotonic() - trial.began, trial.seen,
                  trace=harmless(trace), began=trial.began)
