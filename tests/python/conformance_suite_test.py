# SPDX-License-Identifier: Apache-2.0
"""The interop suite's catalogue agrees with docs/conformance.md, and its checks with the catalogue."""
import dataclasses
import pathlib
import re

import pytest

from conformance import catalogue, core, coverage, main, runner

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| ([A-Z0-9]+(?:-[A-Z0-9]+)*-\d+) \| ([^|]*) \| ([^|]*) \|", re.M)
ROWS = 605


def documented():
    """id → (level, words), without the section on where implementations differ."""
    found = ROW.findall((ROOT / "docs" / "conformance.md").read_text())
    return {i: (level.strip(), about.strip()) for i, level, about in found if not i.startswith("T-")}


def test_every_row_stands_in_the_catalogue_once():
    rows = catalogue.read()
    lines = catalogue.FILE.read_text().splitlines()
    assert len(rows) == len(lines) - 1 == ROWS
    assert set(documented()) <= set(rows)


def test_catalogue_speaks_as_the_documentation_does():
    rows = catalogue.read()
    differ = {i: said for i, said in documented().items() if (rows[i].level, rows[i].about) != said}
    assert not differ


def test_rows_have_a_role_and_say_whether_they_can_be_seen():
    for row in catalogue.read().values():
        assert row.role in catalogue.ROLES and row.level and row.reference and row.about, row
        assert row.observable == "yes" or len(row.observable.split()) > 3, row


def test_checks_name_rows_that_exist_and_can_be_seen():
    rows = catalogue.read()
    for check in runner.load_checks():
        for row in check.rows:
            assert row in rows, (check.id, row)
            assert rows[row].visible, (check.id, row, rows[row].observable)


@pytest.mark.parametrize("who", [[], ["ours"], ["registrar"]], ids=["all", "ours", "a role"])
def test_list_names_checks_and_reasons_and_ends_with_the_counts(who, capsys):
    assert main.main([*who, "--list"]) == runner.PASSED
    said = capsys.readouterr().out
    assert re.search(r"^R8995-REG-053 .* registrar\.request_that_names_another_registrar", said, re.M)
    assert re.search(r"^C-02 .* not observable: \w+", said, re.M)
    assert ("R8995-MASA-014" in said) == (who != ["registrar"])
    tables = said.split("| Role |")[1]
    assert "| registrar |" in tables and "| rfc8995 |" in tables


def test_counts_go_over_the_checks_of_every_role():
    rows = {"A-01": catalogue.Row("A-01", "all", "MUST", "", "est", "", "yes"),
            "B-01": catalogue.Row("B-01", "masa", "MUST", "", "est", "", "yes"),
            "C-01": catalogue.Row("C-01", "masa", "SHOULD", "", "jws", "", "nobody can see that")}
    checks = [c for c in runner.load_checks() if c.role == "pledge"][:1]
    checks = [dataclasses.replace(checks[0], rows=("A-01",))]
    by_role, by_profile = coverage.tables(rows, checks).split("\n\n")
    assert "| all | 1 of 1 | – | – | 0 | 1 |" in by_role
    assert "| masa | 0 of 1 | – | – | 1 | 0 |" in by_role
    assert "| est | 1 of 2 | – | – | 0 | 1 |" in by_profile
    assert by_role.endswith("| sum | 1 of 2 | – | – | 1 | 1 |")
    assert coverage.missing(rows, checks) == ["1 of 1 MUST rows of the role masa have no check: B-01"]


def test_checks_ask_for_no_more_than_their_rows():
    """A row with several parts, "SHOULD/MUST", may have checks of both levels."""
    rows, rank = catalogue.read(), [core.MAY, core.SHOULD, core.MUST]

    def binds(row):
        parts = [catalogue.STRENGTHS.get(part, core.MAY) for part in rows[row].level.split("/")]
        return max(map(rank.index, parts))
    for check in runner.load_checks():
        asked = rank.index(check.level)
        assert asked <= max(1, *map(binds, check.rows)), (check.id, [rows[row].level for row in check.rows])


def test_what_a_must_asks_for_has_a_check_that_fails():
    shown = catalogue.covered(runner.load_checks())
    mild = [row.id for row in catalogue.read().values() if row.level.startswith("MUST") and row.id in shown
            and all(check.level != core.MUST for check in shown[row.id])]
    assert mild == []


def test_every_must_has_a_check_and_so_have_four_of_five_shoulds():
    assert coverage.missing(catalogue.read(), runner.load_checks()) == []


def test_readme_has_the_counts_of_today():
    text = main.README.read_text(encoding="utf-8")
    assert text == coverage.with_table(text, catalogue.read(), runner.load_checks()), \
        "interop/brski-conformance --list --readme writes them"
