# SPDX-License-Identifier: Apache-2.0
"""One HTML page about a run, to be handed to whoever has to mend the target: requirement by requirement,
the worst first. It needs nothing from elsewhere and no script."""
import html
import re

from . import catalogue

LOG_SHOWN = 8000          # characters of a log on the page
OPEN_MESSAGES = 2         # the last ones of a check that failed: there it shows
VERDICTS = ("failed", "broken", "warned", "skipped", "passed")
BAD = ("failed", "broken", "warned")
LEVELS = ("MUST", "SHOULD", "MAY")
WORDS = {"failed": "a MUST is not kept", "broken": "the suite could not do its part",
         "warned": "a SHOULD is not kept", "skipped": "cannot be seen on this target", "passed": "kept"}
ARROWS = {"sent": "→", "received": "←", "admin": "•"}
STANDARD = re.compile(r"RFC (\d{4})(?: §?(\d+(?:\.\d+)*))?")

STYLE = """
:root { color-scheme: light dark; --page: #fff; --card: #f6f7f8; --ink: #1c1f22; --faint: #5c656d;
        --line: #d7dbdf; --code: #eceef0; --good: #18794e; --bad: #c62a2f; --warn: #96500a; --skip: #5c656d }
@media (prefers-color-scheme: dark) {
  :root { --page: #131517; --card: #1b1e21; --ink: #e6e8ea; --faint: #9ba4ab; --line: #33383d;
          --code: #24282c; --good: #4cc38a; --bad: #ff7b80; --warn: #f1a54a; --skip: #9ba4ab } }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 0 auto; padding: 1.5rem 1rem 4rem;
       background: var(--page); color: var(--ink); overflow-wrap: anywhere }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem }
a { color: inherit; text-underline-offset: .15em } code { font-size: .9em }
.small { font-size: .875rem; color: var(--faint) }
.counts { display: flex; flex-wrap: wrap; gap: .5rem; padding: 0; margin: 1rem 0; list-style: none }
.counts li { border: 1px solid var(--line); border-radius: 6px; padding: .3rem .8rem; background: var(--card) }
.counts b { font-size: 1.3rem; margin-right: .3rem }
.todo { padding-left: 1.2rem; margin: .3rem 0 } .todo li { margin: .2rem 0 }
fieldset { border: 0; padding: 0; margin: .3rem 0; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem }
fieldset label { white-space: nowrap }
section { border: 1px solid var(--line); border-radius: 8px; margin: .8rem 0; padding: .6rem .9rem;
          background: var(--card) }
section > h3 { font-size: 1rem; margin: 0 0 .3rem; display: flex; flex-wrap: wrap; gap: .1rem .7rem }
section > h3 .about, section > h3 .small { font-weight: 400 }
details.check { border-top: 1px solid var(--line); padding: .4rem 0 } details.check:target { outline: 2px solid }
p.elsewhere { border-top: 1px solid var(--line); padding: .4rem 0; margin: 0 }
summary { cursor: pointer } .v { font-weight: 700 }
.failed > .v, .broken > .v, .failed > summary > .v, .broken > summary > .v { color: var(--bad) }
.warned > .v, .warned > summary > .v { color: var(--warn) }
.skipped > .v, .skipped > summary > .v { color: var(--skip) }
.passed > .v, .passed > summary > .v { color: var(--good) }
details.check > :not(summary) { margin-left: 1.1rem }
.why { border-left: 4px solid var(--bad); padding: .1rem 0 .1rem .8rem; white-space: pre-wrap; margin: .6rem 0 }
.warned .why { border-color: var(--warn) } .skipped .why, .passed .why { border-color: var(--skip) }
.messages { list-style: none; padding: 0; margin: .5rem 0 } .messages li { margin: .15rem 0 }
.messages .t { display: inline-block; min-width: 4.2rem; color: var(--faint); font-size: .875rem;
               font-variant-numeric: tabular-nums }
pre { background: var(--code); padding: .6rem .7rem; white-space: pre-wrap; font-size: .8125rem; line-height: 1.45;
      border-radius: 6px; margin: .3rem 0 .6rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .8rem; margin: .5rem 0 } dd { margin: 0 }
dt { color: var(--faint) }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: .3rem }
  details.check > :not(summary) { margin-left: 0 } }
@media print { fieldset { display: none } section { break-inside: avoid-page } }
"""


def page(results, about):
    """about: {"target": …, "role": …, "at": …, "profiles": …, "command": …}"""
    rows = catalogue.read()
    found = by_requirement(results, rows)
    heading = f"BRSKI conformance: {about.get('target', '')}"
    boxes, rules = filters(results)
    body = (f"<h1>{esc(heading)}</h1>{facts(results, about)}{counts(results)}{todo(results)}{boxes}"
            f"<main>{''.join(requirement(row, some, rows, about) for row, some in found)}</main>")
    return document(heading, body, rules)


def document(heading, body, rules=""):
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{esc(heading)}</title><style>{STYLE}{rules}</style></head><body>{body}</body></html>\n")


def facts(results, about):
    seconds = sum(r.seconds for r in results)
    said = [f"{about.get('role', '')}", f"profiles: {text(about.get('profiles', 'all'))}", about.get("at", ""),
            f"{len(results)} checks in {seconds:.0f} s"]
    return f'<p class="small">{esc(" · ".join(filter(None, said)))}</p>'


def counts(results):
    items = [(v, sum(r.verdict == v for r in results)) for v in VERDICTS]
    return '<ul class="counts">' + "".join(
        f'<li class="{v}"><b class="v">{n}</b>{v} <span class="small">{WORDS[v]}</span></li>'
        for v, n in items if n) + "</ul>"


def todo(results, where=""):
    """What has to be mended, at one glance."""
    wrong = sorted((r for r in results if r.verdict in BAD), key=lambda r: VERDICTS.index(r.verdict))
    if not wrong:
        return ""
    return "<h2>Not as it should be</h2><ul class=\"todo\">" + "".join(
        f'<li class="{r.verdict}"><span class="v">{r.verdict}</span> <a href="{where}#{esc(r.check.id)}">'
        f'{esc(title(r.check))}</a> <span class="small">{esc(r.check.rows)}</span></li>' for r in wrong) + "</ul>"


def filters(results):
    """Boxes that hide verdicts and levels: (boxes, style). A browser without :has() shows everything."""
    groups = [("verdict", [v for v in VERDICTS if any(r.verdict == v for r in results)]),
              ("level", [v for v in LEVELS if any(r.check.level == v for r in results)])]
    boxes, rules = "<h2>Requirements</h2>", ""
    for name, values in groups:
        boxes += f"<fieldset><span class=\"small\">{name}:</span>" + "".join(
            f'<label><input type="checkbox" class="show-{v}" checked> {v}</label>' for v in values) + "</fieldset>"
        rules += "".join(f"body:has(.show-{v}:not(:checked)) main .{v} {{ display: none }}\n" for v in values)
    return boxes, rules


# -- requirement by requirement

def by_requirement(results, rows):
    """[(row ID, results)], worst first, then as in the catalogue. A check stands under each of its rows."""
    found = {}
    for result in results:
        for row in result.check.rows:
            found.setdefault(row, []).append(result)
    order = {row: place for place, row in enumerate(rows)}
    return sorted(found.items(), key=lambda item: (
        min(VERDICTS.index(r.verdict) for r in item[1]), order.get(item[0], len(order))))


def requirement(row_id, results, rows, about):
    """Hidden when all its checks are."""
    row = rows.get(row_id)
    verdicts, levels = {r.verdict for r in results}, {r.check.level for r in results}
    hides_with = [*(verdicts if len(verdicts) == 1 else ()), *(levels if len(levels) == 1 else ())]
    named = (f'<span>{esc(row.level)}</span> <span class="small">{linked(row.reference)}</span>'
             f'<span class="about">{esc(row.about)}</span>') if row else ""
    worst = min(verdicts, key=VERDICTS.index)
    return (f'<section id="{esc(row_id)}" class="{" ".join(hides_with)}"><h3><span>{esc(row_id)}</span> '
            f'<span class="{worst}"><span class="v">{worst}</span></span> {named}</h3>'
            + "".join(one(r, about) if r.check.rows[0] == row_id else elsewhere(r) for r in results)
            + "</section>")


def elsewhere(result):
    """A check that is told of in full under another of its rows."""
    return (f'<p class="elsewhere {result.verdict} {result.check.level}"><span class="v">{result.verdict}</span> '
            f'<a href="#{esc(result.check.id)}">{esc(title(result.check))}</a></p>')


def one(result, about):
    check = result.check
    is_open = " open" if result.verdict in ("failed", "broken") else ""
    flaky = ' <span class="small">flaky</span>' if result.flaky else ""
    why = f'<p class="why">{esc(result.reason)}</p>' if result.reason else ""
    return (f'<details id="{esc(check.id)}" class="check {result.verdict} {check.level}"{is_open}>'
            f'<summary><span class="v">{result.verdict}</span> {esc(title(check))} '
            f'<span class="small">{result.seconds:.2f} s</span>{flaky}</summary>'
            f"<p>{esc(check.about)}</p>{why}{messages(result)}{further(result, about)}</details>")


def messages(result):
    """What was sent and what came back; of a failure the end is open."""
    first_open = len(result.seen) - OPEN_MESSAGES if result.verdict in BAD else len(result.seen)
    items = []
    for place, seen in enumerate(result.seen):
        arrow = ARROWS.get(seen.direction, "⇢")
        head = (f'<span class="t">{seen.at:.3f} s</span> {arrow} {esc(seen.direction)} '
                f"<strong>{esc(seen.what)}</strong>")
        items.append(f"<li>{folded(head, seen.shown, place >= first_open)}</li>")
    return f'<ul class="messages">{"".join(items)}</ul>' if items else ""


def further(result, about):
    """How to see it again, and what else there is of it."""
    check = result.check
    facts = [("check", f"<code>{esc(check.id)}</code>, {esc(check.level)}, {esc(check.profiles)}; shows "
              + ", ".join(f'<a href="#{esc(row)}">{esc(row)}</a>' for row in check.rows))]
    if result.verdict in BAD:
        facts.append(("again", f"<code>{esc(about.get('command', ''))} -k '^{esc(check.id)}$' -v</code>"))
        facts.append(("as text", f'<a href="exchanges/{esc(check.id)}.txt">exchanges/{esc(check.id)}.txt</a>'))
    if result.captured:
        facts.append(("capture", f'<a href="{esc(result.captured)}">{esc(result.captured)}</a>, its keys beside it'))
    listed = "".join(f"<dt>{name}</dt><dd>{said}</dd>" for name, said in facts)
    logs = "" if result.verdict == "passed" else "".join(
        folded(f"log of the target ({esc(place)})", said[-LOG_SHOWN:])
        for place, said in result.logs.items() if said)
    trace = folded("where in the suite", result.trace) if result.trace else ""
    return f"<dl>{listed}</dl>{logs}{trace}"


def folded(head, content, is_open=False):
    if not content:
        return head
    return f"<details{' open' if is_open else ''}><summary>{head}</summary><pre>{esc(content)}</pre></details>"


# -- words

def title(check):
    return check.name.replace("_", " ")


def linked(reference):
    """The reference with the RFCs in it as links."""
    def link(match):
        number, section = match.groups()
        place = f"#section-{section}" if section else ""
        return f'<a href="https://www.rfc-editor.org/rfc/rfc{number}{place}">{match.group()}</a>'
    return STANDARD.sub(link, esc(reference))


def text(value):
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple, set)) else str(value)


def esc(value):
    return html.escape(text(value))


# -- of a run over several roles

def index(reports, about):
    """reports: [(folder, role, target, results)]"""
    lines = "".join(
        f'<section><h3><a href="{esc(folder)}/report.html">{esc(role)}</a> <span class="small">{esc(target)}</span>'
        f"</h3>{counts(results)}{todo(results, f'{folder}/report.html')}</section>"
        for folder, role, target, results in reports)
    return document("BRSKI conformance", f"<h1>BRSKI conformance</h1><p class=\"small\">{esc(about['at'])}</p>{lines}")
