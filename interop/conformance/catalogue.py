# SPDX-License-Identifier: Apache-2.0
"""The requirements: catalogue.tsv, a row each.

    id  role  level  reference  profile  about  observable

observable: "yes", or the reason why nobody can see it from outside.
"""
import csv
import dataclasses
import pathlib

FILE = pathlib.Path(__file__).with_name("catalogue.tsv")
ROLES = ("all", "registrar", "masa", "pledge", "proxy", "cloud", "agent")
STRENGTHS = {"MUST": "MUST", "MUST NOT": "MUST", "MUST(i)": "MUST", "stated": "MUST",
             "SHOULD": "SHOULD", "SHOULD NOT": "SHOULD"}


@dataclasses.dataclass(frozen=True)
class Row:
    id: str
    role: str        # who has to fulfil it; "all": whoever makes or reads such a message
    level: str
    reference: str
    profile: str
    about: str
    observable: str

    @property
    def visible(self):
        return self.observable == "yes"

    @property
    def strength(self):
        """MUST, SHOULD, or MAY for what binds nobody; of a row with several parts, the first's."""
        return STRENGTHS.get(self.level.split("/")[0], "MAY")


def read():
    """id → Row, in the order of the file."""
    with open(FILE, newline="", encoding="utf-8") as f:
        rows = [Row(**line) for line in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE)]
    return {row.id: row for row in rows}


def covered(checks):
    """row ID → the checks that show it."""
    found = {}
    for check in checks:
        for row in check.rows:
            found.setdefault(row, []).append(check)
    return found
