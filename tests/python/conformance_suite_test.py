# SPDX-License-Identifier: Apache-2.0
"""The interop suite's catalogue agrees with docs/conformance.md, and its checks with the catalogue."""
import pathlib
import re

from conformance import catalogue, runner

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
