# SPDX-License-Identifier: Apache-2.0
"""Whatever the registrar writes into its journal is an event with a row in the table, and the manual
page names every type. Read off the sources, so that a new line of the journal cannot be forgotten."""
import pathlib
import re

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SOURCES = sorted((REPOSITORY / "registrar").rglob("*.c"))
PAGE = REPOSITORY / "docs" / "man" / "brski-registrar.8"

ANY = None  # an outcome that is the kind of an error: the row without an outcome

# Where step or outcome is no literal, what it can be. Whoever writes a new expression adds it here.
EXPRESSIONS = {
    "o->steps[o->step].name": ["admit", "claim", "endorse", "masa", "vet", "history", "journal", "deliver", "owner",
                               "allocate"],
    "kinds[n->kind].journal": ["enroll", "renew", "keygen"],
    "event_name(p)": ["voucher-status", "enroll-status"],
    "history_state_name(v->verdict.state)": ["unknown", "good", "warned", "refused"],
    "store_row_text(r, 6)": [], "store_row_text(r, 1)": [],  # read, not written
    "STEP": ["voucher-status"],
    "claim_state_name(p->by_seen ? CLAIM_APPROVED : CLAIM_PREAPPROVED)": ["approved", "preapproved"],
}
# An outcome that comes as a parameter: by the step.
PARAMETERS = {
    "rule": ["added", "moved", "removed", "enabled", "disabled"],
    "enroll": ["certificate", ANY], "renew": ["certificate", ANY], "keygen": ["certificate", ANY],
    "claim": ["pending", ANY],
    "site": ["added", "changed", "removed"],
    "device": ["quarantined", "released", "revoked", "decommissioned", "replaced", "moved", "labelled"],
    "user": ["added", "removed", "enabled", "disabled", "granted", "ungranted", "password-changed",
             "code-made", "certificate-added", "certificate-removed"],
    "token": ["added", "removed"],
    "job": ["begun", "finished", "failed", "interrupted"],
    "hook": ["added", "removed", "enabled", "disabled", "retried", "dropped", "failing", "recovered"],
}


# The same of a statement that takes its outcome as a parameter.
SQL = {
    "claim": ["approved", "rejected"],
    "device": ["expiring", "expired"],
    "fraud": re.findall(r'\[FRAUD_\w+\] = "([a-z-]+)"', (REPOSITORY / "registrar" / "fraud.c").read_text()),
}


def rows():
    text = (REPOSITORY / "registrar" / "notify" / "event.c").read_text()
    found = re.findall(r'\{"([a-z_-]+)", (?:"([a-z_-]+)"|NULL),\s*"(brski\.[a-z_.]+)", (?:true|false)\}', text)
    assert len(found) > 30
    return {(step, outcome or ANY): type_ for step, outcome, type_ in found}


def values(expression, fallback, where):
    literals = re.findall(r'"([^"]*)"', expression)
    plain = re.sub(r"\s+", " ", expression.strip())
    if plain in EXPRESSIONS:
        return EXPRESSIONS[plain]
    if literals:
        return literals
    assert fallback is not None, f"{where}: say in EXPRESSIONS what {plain!r} can be"
    return fallback


def written():
    """Every (step, outcome) with the file it is written in."""
    for path in SOURCES:
        text = path.read_text()
        for match in re.finditer(r"\.step = (.+?),\s*\n?\s*\.outcome = (.+?),\s*(?:\.reason|\})", text, re.S):
            where = f"{path.name}: {match[0][:60]}"
            steps = values(match[1], None, where)
            chosen = "?" in match[1] and "?" in match[2]  # both by the same condition
            for i, step in enumerate(steps):
                outcomes = values(match[2], PARAMETERS.get(step, [ANY]), where)
                for outcome in outcomes[i:i + 1] if chosen else outcomes:
                    yield step, outcome, where
        for step, outcome in re.findall(r'store_text\("([a-z-]+)"\),\s*store_text\("([a-z-]+)"\)', text):
            yield step, outcome, path.name
        for match in re.finditer(r'\w(?:\.|->)outcome = "([a-z-]+)"', text):  # said anew later
            yield re.findall(r'\.step = "([a-z-]+)"', text[:match.start()])[-1], match[1], path.name
        count = [len(re.findall(rf"\s\.{name} = (?!job_step|step,)", text)) for name in ("step", "outcome")]
        assert count[0] == count[1], path.name
    sql = (REPOSITORY / "registrar" / "records" / "sql.c").read_text()
    for statement in re.split(r"\n\t\[", sql):
        text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', statement))
        words = re.findall(r"'([a-z-]+)'", text)
        if "INSERT INTO journal" not in text or not words:
            continue
        step, *outcomes = [w for w in words if w not in ("policy", "unixepoch")]  # who did it; a form of time
        for outcome in outcomes or SQL[step]:
            yield step, outcome, "records/sql.c"


def test_every_line_of_the_journal_has_a_row_in_the_table():
    table = rows()
    missing = {(s, o, w) for s, o, w in written() if (s, o) not in table}
    assert not missing, f"add a row to registrar/notify/event.c and its type to {PAGE.name}: {missing}"
    assert len({(s, o) for s, o, _ in written()}) > 20  # it reads what is there


def test_the_manual_page_names_every_type_and_no_other():
    text = PAGE.read_text().split("\n.SH EVENTS\n")[1].split("\n.SH ")[0]
    assert set(re.findall(r"^\.B (brski\.[a-z_.]+)$", text, re.M)) == set(rows().values())
