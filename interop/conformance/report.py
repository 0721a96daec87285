# SPDX-License-Identifier: Apache-2.0
"""What a run leaves in its folder, for machines and for the developer of the other side.

    results.json     every check: rows, verdict, reason, seconds, the messages
    junit.xml        the same for build servers
    report.html      one page without anything from elsewhere, requirement by requirement
    exchanges/       one text file for each check: all messages, decoded, and the target's log meanwhile
    captures/        of checks that failed: what went over the wire when they were run again, and the keys
    logs/            all that the target wrote, when the suite started it
    timings.csv      seconds of each check
"""
import csv
import datetime
import html
import json
import pathlib
import xml.etree.ElementTree as ET

from . import catalogue

SHOWN_OCTETS = 64 * 1024  # of one message, in hexadecimal in results.json
LOG_SHOWN = 8000          # characters of a log on the page
SLOWER_BY = 2.0           # times as long as before is worth a word,
SLOWER_S = 0.2            # when it is this much more at least


def write(folder, results, about):
    """about: {"target": …, "role": …, "profiles": …}"""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    about = {"at": datetime.datetime.utcnow().strftime("%Y-%m-%dT%H:%M:%SZ"), **about}
    objects = [result_object(r) for r in results]
    (folder / "results.json").write_text(
        json.dumps({"about": about, "results": objects}, indent=1, ensure_ascii=False), encoding="utf-8")
    junit(results, about).write(folder / "junit.xml", encoding="utf-8", xml_declaration=True)
    (folder / "report.html").write_text(page(results, about), encoding="utf-8")
    exchanges(folder / "exchanges", results)
    with open(folder / "timings.csv", "w", newline="", encoding="utf-8") as f:
        rows = ([r.check.id, f"{r.seconds:.3f}"] for r in results)
        csv.writer(f).writerows([["check", "seconds"], *rows])


def result_object(result):
    check = result.check
    return {"id": check.id, "rows": list(check.rows), "level": check.level, "role": check.role,
            "profiles": list(check.profiles), "about": check.about, "verdict": result.verdict,
            "reason": result.reason, "flaky": result.flaky, "seconds": round(result.seconds, 3),
            "messages": [{"at": round(s.at, 3), "direction": s.direction, "what": s.what,
                          "shown": s.shown,
                          "octets": s.octets[:SHOWN_OCTETS].hex() if s.octets else None}
                         for s in result.seen]}


def exchange_text(result):
    """All messages of a check, for reading."""
    check = result.check
    parts = [f"{check.id}\n{', '.join(check.rows)} ({check.level})\n{check.about}\n",
             f"verdict: {result.verdict}\n{result.reason}\n"]
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


# -- for people

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --good: #18794e; --bad: #c62a2f;
        --warn: #ad5700; --skip: #687076 }
@media (prefers-color-scheme: dark) {
  :root { --good: #4cc38a; --bad: #ff6369; --warn: #f1a10d; --skip: #9ba1a6 } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse } td, th { padding: .2rem .8rem .2rem 0; text-align: left }
details { border-top: 1px solid var(--line); padding: .4rem 0 }
details details { border: 0; margin-left: 1.2rem }
summary { cursor: pointer } summary b { display: inline-block; min-width: 4.5rem }
pre { background: var(--soft); padding: .6rem; overflow-x: auto; white-space: pre-wrap;
      overflow-wrap: anywhere; font-size: .85rem; border-radius: 4px }
.passed b { color: var(--good) } .failed b, .broken b { color: var(--bad) }
.warned b { color: var(--warn) } .skipped b { color: var(--skip) }
.why { border-left: 3px solid var(--bad); padding-left: .8rem; white-space: pre-wrap }
.skipped .why { border-color: var(--skip) } .warned .why { border-color: var(--warn) }
.small { font-size: .85rem; opacity: .8 } label { margin-right: 1rem }
"""
VERDICTS = ("failed", "broken", "warned", "skipped", "passed")


def filters():
    """Boxes that hide verdicts, without a script: (boxes, style)."""
    boxes = "".join(f'<label><input type="checkbox" class="v-{v}" checked> {v}</label>' for v in VERDICTS)
    rules = "".join(f"body:has(.v-{v}:not(:checked)) main .{v} {{ display: none }}" for v in VERDICTS)
    return f'<p class="filters">Show: {boxes}</p>', rules


def page(results, about):
    boxes, rules = filters()
    rows = catalogue.read()
    counted = {v: sum(r.verdict == v for r in results) for v in VERDICTS}
    heading = f"BRSKI conformance: {about.get('target', '')}"
    facts = "".join(f"<tr><th>{esc(k)}</th><td>{esc(v)}</td></tr>" for k, v in about.items())
    facts += "".join(f"<tr><th>{v}</th><td>{n}</td></tr>" for v, n in counted.items())
    body = "".join(requirement(row, of_row, rows) for row, of_row in by_requirement(results))
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{esc(heading)}</title><style>{STYLE}{rules}</style></head><body>"
            f"<h1>{esc(heading)}</h1><table>{facts}</table>{boxes}<main>{body}</main></body></html>\n")


def by_requirement(results):
    """[(row ID, results)], worst first; a check of several rows stands under its first."""
    found = {}
    for result in results:
        found.setdefault(result.check.rows[0], []).append(result)
    return sorted(found.items(), key=lambda item: min(VERDICTS.index(r.verdict) for r in item[1]))


def requirement(row_id, results, rows):
    row = rows.get(row_id)
    about = f"{row.level}, {row.reference}: {row.about}" if row else ""
    verdicts = {r.verdict for r in results}
    hides_with = verdicts.pop() if len(verdicts) == 1 else ""
    return (f'<section class="{hides_with}"><h3>{esc(row_id)} <span class=small>{esc(about)}</span></h3>'
            + "".join(one(r) for r in results) + "</section>")


def one(result):
    check = result.check
    why = f'<p class="why">{esc(result.reason)}</p>' if result.reason else ""
    messages = "".join(
        folded(f"<span class=small>{s.at:.3f} s</span> {esc(s.direction)}: {esc(s.what)}", s.shown)
        for s in result.seen)
    if result.verdict != "passed":
        messages += "".join(folded(f"log of the target ({esc(place)})", said[-LOG_SHOWN:])
                            for place, said in result.logs.items() if said)
    is_open = " open" if result.verdict in ("failed", "broken") else ""
    return (f'<details class="{result.verdict}"{is_open}><summary><b>{result.verdict}</b> '
            f"{esc(check.name.replace('_', ' '))} <span class=small>{result.seconds:.2f} s</span></summary>"
            f"<p>{esc(check.about)}</p><p class=small>{esc(check.rows)} · {esc(check.level)} · "
            f"{esc(check.profiles)}</p>{why}{messages}</details>")


def folded(title, text):
    return f"<details><summary>{title}</summary><pre>{esc(text) or '(nothing)'}</pre></details>"


def esc(value):
    return html.escape(value if isinstance(value, str) else ", ".join(map(str, value))
                       if isinstance(value, (list, tuple, set)) else str(value))


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
