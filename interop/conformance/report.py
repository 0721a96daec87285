# SPDX-License-Identifier: Apache-2.0
"""What a run leaves in its folder, for machines and for the developer of the other side.

    results.json     every check: rows, verdict, reason, seconds, the messages
    junit.xml        the same for build servers
    report.html      one page without anything from elsewhere, requirement by requirement
    exchanges/       one text file for each check: all messages, decoded, and the target's log meanwhile
    captures/        of checks that failed: what went over the wire when they were run again, and the keys
    logs/            all that the target wrote, when the suite started it
    logs/exchanges/  the same by exchange (X-Request-Id): what each part said and wrote in it
    timings.csv      when each message came in the run and in its check, and how long it was waited for
    changes.txt      what has changed since another run (--compare)
"""
import csv
import datetime
import json
import pathlib
import re
import xml.etree.ElementTree as ET

from .page import index, page

ID = re.compile(r"^x-request-id: ([\w.-]{4,64})$", re.I | re.M)
TIME = "%Y-%m-%dT%H:%M:%SZ"
SHOWN_OCTETS = 64 * 1024  # of one message, in hexadecimal in results.json
SLOWER_BY = 2.0           # times as long as before is worth a word,
SLOWER_S = 0.2            # when it is this much more at least


def write(folder, results, about):
    """about: {"target": …, "role": …, "profiles": …}"""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    about = {"at": datetime.datetime.utcnow().strftime(TIME), **about}
    objects = [result_object(r) for r in results]
    (folder / "results.json").write_text(
        json.dumps({"about": about, "results": objects}, indent=1, ensure_ascii=False), encoding="utf-8")
    junit(results, about).write(folder / "junit.xml", encoding="utf-8", xml_declaration=True)
    (folder / "report.html").write_text(page(results, about), encoding="utf-8")
    exchanges(folder / "exchanges", results)
    by_exchange(folder / "logs" / "exchanges", results)
    with open(folder / "timings.csv", "w", newline="", encoding="utf-8") as f:
        csv.writer(f).writerows(timings(results))


def write_index(folder, reports):
    """Of a run over several roles: [(folder of the report, role, target, results)]. Stories told into the same
    folder (make conformance) have a line, too."""
    if pathlib.Path(folder, "scenarios", "report.html").exists():
        reports = [*reports, ("scenarios", "scenarios", "whole sites, good days and bad", [])]
    about = {"at": datetime.datetime.utcnow().strftime(TIME)}
    pathlib.Path(folder, "index.html").write_text(index(reports, about), encoding="utf-8")


def result_object(result):
    check = result.check
    return {"id": check.id, "rows": list(check.rows), "level": check.level, "role": check.role,
            "profiles": list(check.profiles), "about": check.about, "verdict": result.verdict,
            "reason": result.reason, "trace": result.trace, "flaky": result.flaky,
            "capture": result.captured, "seconds": round(result.seconds, 3),
            "messages": [{"at": round(s.at, 3), "direction": s.direction, "what": s.what,
                          "shown": s.shown,
                          "octets": s.octets[:SHOWN_OCTETS].hex() if s.octets else None}
                         for s in result.seen]}


def exchange_text(result):
    """All messages of a check, for reading."""
    check = result.check
    parts = [f"{check.id}\n{', '.join(check.rows)} ({check.level})\n{check.about}\n",
             f"verdict: {result.verdict}\n{result.reason}\n{result.trace}"]
    for seen in result.seen:
        parts.append(f"--- {seen.at:.3f} s  {seen.direction}: {seen.what}\n{seen.shown}\n")
    parts += [f"--- log of the target ({place})\n{said}" for place, said in result.logs.items() if said]
    return "\n".join(parts)


def logs(folder, instances):
    """What the target wrote, in each of its configurations."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, instance in instances.items():
        if said := instance.log():
            (folder / f"{name}.log").write_text(said, encoding="utf-8")


def timings(results):
    """A line for each message and one for each whole check, in the order of time."""
    lines = [("run s", "check s", "waited s", "check", "direction", "what")]
    start = min((r.began for r in results), default=0)
    for result in results:
        begin, last = result.began - start, 0
        for seen in result.seen:
            lines.append((f"{begin + seen.at:.3f}", f"{seen.at:.3f}", f"{seen.at - last:.3f}", result.check.id,
                          seen.direction, seen.what))
            last = seen.at
        lines.append((f"{begin + result.seconds:.3f}", f"{result.seconds:.3f}", f"{result.seconds - last:.3f}",
                      result.check.id, "end", result.verdict))
    return lines


def by_exchange(folder, results):
    """One file for each exchange: the messages that name it, and the lines of the target's logs."""
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        for exchange in dict.fromkeys(ID.findall("\n".join(s.shown for s in result.seen))):
            said = [f"{seen.at:.3f} s  {seen.direction}: {seen.what}\n" for seen in result.seen
                    if exchange in seen.shown]
            for place, log in result.logs.items():
                said += [f"{place}: {line}\n" for line in log.splitlines() if exchange in line]
            with open(folder / f"{exchange}.log", "a", encoding="utf-8") as f:
                f.write(f"{result.check.id}\n" + "".join(said))


def exchanges(folder, results):
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        (folder / f"{result.check.id}.txt").write_text(exchange_text(result), encoding="utf-8")


# -- for build servers

def junit(results, about):
    bad = sum(r.verdict in ("failed", "broken", "warned") for r in results)
    suite = ET.Element("testsuite", name=f"brski {about.get('role', '')}".strip(), timestamp=about["at"],
                       tests=str(len(results)), failures=str(bad), errors="0",
                       skipped=str(sum(r.verdict == "skipped" for r in results)),
                       time=f"{sum(r.seconds for r in results):.3f}")
    for result in results:
        case = ET.SubElement(suite, "testcase", classname=f"brski.{result.check.role}",
                             name=result.check.name, time=f"{result.seconds:.3f}")
        if result.verdict == "skipped":
            ET.SubElement(case, "skipped", message=printable(result.reason))
        elif result.verdict != "passed":
            wrong = ET.SubElement(case, "failure", type=result.verdict,
                                  message=printable(result.reason)[:500])
            wrong.text = printable(exchange_text(result))
    return ET.ElementTree(suite)


def printable(text):
    """XML has no way to say control characters."""
    return "".join(c if c >= " " or c in "\n\t" else "�" for c in text)


# -- with the run before

def compare(folder, results):
    """Sentences about what became different since the run in that folder."""
    with open(pathlib.Path(folder) / "results.json", encoding="utf-8") as f:
        before = {r["id"]: r for r in json.load(f)["results"]}
    said = []
    for result in results:
        old = before.pop(result.check.id, None)
        if result.flaky:
            said.append(f"flaky: {result.check.id} failed, and passed when run again")
        if old is None:
            said.append(f"new: {result.check.id} {result.verdict}")
        elif old["verdict"] != result.verdict:
            said.append(f"changed: {result.check.id} was {old['verdict']}, is {result.verdict}")
        elif result.seconds > old["seconds"] * SLOWER_BY and result.seconds - old["seconds"] > SLOWER_S:
            said.append(f"slower: {result.check.id} {old['seconds']:.2f} s, now {result.seconds:.2f} s")
    return said + [f"gone: {name}" for name in before]
