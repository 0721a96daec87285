# SPDX-License-Identifier: Apache-2.0
"""Tells stories: `brski-conformance scenarios`. A line for each, and one with the count.

    scenarios [-k REGEX] [--place namespaces|loopback|both] [--pace fast|usual|slow] [--report DIR] [--list]
    scenarios --list -v        the stories, and the verbs there are
    scenarios --selftest       each story fails with its `broken` change, for the reason it names
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import tempfile
import time
import traceback

from conformance import report
from conformance.core import MUST, Broken, Check, Result, Seen
from conformance.runner import FAILED, PASSED, UNUSABLE, counts
from conformance.runner import line as verdict_line

from . import actions, expectations, faults, hosts  # noqa: F401  (the first three register their verbs)
from .stage import Stage
from .story import PACES, PLACES, StoryError, read_all
from .verbs import VERBS, Unmet

OUTCOME_SHOWN = 2500  # characters of a reason


def chosen(options):
    found = read_all(VERBS)
    if options.pace:
        found = [v for v in found if PACES.index(v.story.pace) <= PACES.index(options.pace)]
    if options.pattern:
        found = [v for v in found if any(re.search(options.pattern, text) for text in names_of(v))]
    return found


def names_of(variant):
    """What -k may match; the reports name the place when a story was told in both."""
    known = (variant.name, *(f"{variant.name}-{place}" for place in PLACES))
    return (*known, *(f"scenarios.{name}" for name in known), *variant.story.rows)


def check_of(variant, place):
    """A story as the reports know a check."""
    story = variant.story
    name = f"{variant.name}-{place}" if place else variant.name
    return Check(name, tuple(story.rows), MUST, "scenarios", (), variant.because,
                 f"{story.title}. {story.about}", None)


# -- one story

def tell(story, folder, place, captures=None):
    """Play it from the beginning to the end. (sentence about what went wrong or None, its record, logs)"""
    stage = Stage(story, folder, place, captures)
    why = None
    try:
        stage.set()
        for verb, arguments, line in story.steps:
            try:
                VERBS[verb].play(stage, arguments)
            except Unmet as e:
                raise Unmet(f"{story.path.name}:{line}: {verb}: {e}") from e
            except Broken as e:
                raise Broken(f"{story.path.name}:{line}: {verb}: {e}") from e
    except Unmet as e:
        why = str(e)
    except Broken as e:
        why = f"broken: {e}"
    except Exception as e:
        why = f"broken: {type(e).__name__}: {e}\n{traceback.format_exc(limit=-4)}"
    finally:
        ended = stage.strike()
    if ended and why is None:
        why = "\n".join(ended)
    return why, stage.record, stage.logs()


def place_of(story, wanted, why_not):
    """(place, None) or (None, why it is skipped)."""
    needs = story.needs["place"] if story.needs else None
    place = wanted or needs or ("loopback" if why_not else "namespaces")
    if needs and place != needs:
        return None, f"it needs {needs}: {story.needs['because']}"
    if place == "namespaces" and why_not:
        return None, why_not
    return place, None


def result_of(variant, story, folder, place, why_not, shown_place, captures=None):
    check = check_of(variant, shown_place)
    began = time.monotonic()
    place, reason = place_of(story, place, why_not)
    if place is None:
        return Result(check, "skipped", reason)
    why, record, logs = tell(story, folder, place, captures)
    verdict = "passed" if why is None else "broken" if why.startswith("broken: ") else "failed"
    seen = [Seen(at, "happened", what, shown, octets) for at, what, shown, octets in record]
    return Result(check, verdict, (why or "")[:OUTCOME_SHOWN], time.monotonic() - began, seen, logs)


# -- all of them

def run_all(jobs, count, tell_one):
    """Each job is a function that returns a Result."""
    results = []
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        try:
            for done in concurrent.futures.as_completed([pool.submit(job) for job in jobs]):
                results.append(done.result())
                tell_one(results[-1])
        except BaseException:  # interrupted: stories that run come to their end, no others begin
            pool.shutdown(cancel_futures=True)
            raise
    return results


def scratch_folder():
    """Short, because sockets live in it."""
    return tempfile.TemporaryDirectory(prefix="story-", dir="/tmp")


def main(options):
    try:
        variants = chosen(options)
    except StoryError as e:
        print(e)
        return UNUSABLE
    if options.list:
        return list_stories(variants, options.verbose)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was started is ended
    why_not = hosts.why_no_namespaces()
    places = {None: [None], "both": list(PLACES)}.get(options.place, [options.place])
    make = selftest_job if options.selftest else job
    with scratch_folder() as scratch:
        numbers = iter(range(10 ** 6))
        jobs = [make(v, pathlib.Path(scratch) / str(next(numbers)), place, why_not, len(places) > 1, options)
                for v in variants for place in places]
        try:
            results = run_all(jobs, options.jobs, lambda r: print(verdict_line(r), flush=True))
        except KeyboardInterrupt:
            print("interrupted")
            return UNUSABLE
    results.sort(key=lambda r: r.check.id)
    if options.report:
        write_report(pathlib.Path(options.report), results, options)
    if options.compare:
        for sentence in report.compare(options.compare, results):
            print(sentence)
    passed, failed, skipped = counts(results)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return FAILED if failed else PASSED


def job(variant, folder, place, why_not, several, options):
    """A story that fails is told again, with a capture when there is a report."""
    def run():
        result = result_of(variant, variant.story, folder, place, why_not, place if several else None)
        if result.verdict in ("failed", "broken"):
            captures = pathlib.Path(options.report, "captures", result.check.name) if options.report else None
            again = result_of(variant, variant.story, folder.with_name(f"{folder.name}b"), place, why_not, None,
                              captures)
            result.captured = f"captures/{result.check.name}" if captures and captures.exists() else ""
            if again.verdict == "passed":
                result.flaky = True
                result.reason += "\nIt passed when it was told again: flaky."
        shutil.rmtree(folder, ignore_errors=True)
        return result
    return run


def selftest_job(variant, folder, place, why_not, several, _options):
    """With its broken change a story fails, and says why."""
    def run():
        result = result_of(variant, variant.mutant, folder, place, why_not, place if several else None)
        shutil.rmtree(folder, ignore_errors=True)
        if result.verdict == "failed" and re.search(variant.fails, result.reason):
            result.verdict, result.reason = "passed", ""
        elif result.verdict != "skipped":
            said = result.reason or "it passed"
            result.verdict = "failed"
            result.reason = f"broken ({variant.because}), it must fail with {variant.fails!r}: {said}"
        return result
    return run


def list_stories(variants, with_verbs):
    for v in variants:
        print(f"{v.name:42} {v.story.pace:6} {v.story.title}")
        print(f"{'':49} {' '.join(v.story.rows)}")
    for name, known in sorted(VERBS.items() if with_verbs else ()):
        print(f"{name:30} {known.about}\n{'':30} {{{known.words}}}")
    files = {v.path.name for v in variants}
    print(f"{len(files)} files, {len(variants)} stories")
    return PASSED


def write_report(folder, results, options):
    about = {"target": "whole sites of this repository's programs", "role": "scenarios",
             "place": options.place or "where there are namespaces, there", "host": os.uname().nodename,
             "command": "interop/brski-conformance scenarios"}
    report.write(folder, results, about)
    for result in results:
        where = folder / "logs" / result.check.name
        where.mkdir(parents=True, exist_ok=True)
        for name, said in result.logs.items():
            (where / name.replace("/", "-")).write_text(said, encoding="utf-8")
        (where / "by-exchange.txt").write_text(by_exchange(result.logs), encoding="utf-8")


def by_exchange(logs):
    """What all parts wrote about each exchange, together."""
    found = {}
    for name, said in logs.items():
        for line in said.splitlines():
            if named := re.search(r'exchange="?([0-9A-Za-z-]{8,})', line):
                found.setdefault(named[1], []).append(f"{name}: {line}")
    return "\n".join(f"{exchange}\n  " + "\n  ".join(lines) + "\n" for exchange, lines in found.items())
