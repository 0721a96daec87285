# SPDX-License-Identifier: Apache-2.0
"""Which requirement is shown by which check, which is not and why, and how many there are.

The counts go over all rows and over the checks of all roles: a row about messages ("all") is shown
on whichever role shows it best.
"""
from . import catalogue
from .core import PROFILES

STRENGTHS = ("MUST", "SHOULD", "MAY")
ENOUGH = {"MUST": 1.0, "SHOULD": 0.8}  # the share of rows with a check that is asked for
COMMAND = "interop/brski-conformance --list"


def listing(rows, checks, role=None, profiles=(), verbose=False):
    """A line for each row of the role (None, "ours": of all), two with verbose."""
    shown = catalogue.covered(checks)
    lines = []
    for row in rows.values():
        if role not in (None, "ours", row.role) and not of_role(shown.get(row.id, ()), role):
            continue
        if profiles and row.profile not in profiles:
            continue
        lines.append(f"{row.id:15} {row.role:9} {row.level:10} {row.profile:9} {state(row, shown)}")
        if verbose:
            lines.append(f"{'':15} {row.reference}: {row.about}")
    return lines


def of_role(checks, role):
    return any(check.role == role for check in checks)


def state(row, shown):
    """The checks of a row, or why there are none."""
    if row.id in shown:
        return " ".join(check.id for check in shown[row.id])
    if not row.visible:
        return f"not observable: {row.observable}"
    return "no check: the row binds nobody" if row.strength == "MAY" else "NO CHECK"


def missing(rows, checks):
    """A sentence for each role and level that is not covered as it ought to be."""
    shown = catalogue.covered(checks)
    faults = []
    for role in catalogue.ROLES:
        for strength, enough in ENOUGH.items():
            visible = [r for r in rows.values() if r.visible and (r.role, r.strength) == (role, strength)]
            without = [r.id for r in visible if r.id not in shown]
            if len(without) > len(visible) * (1 - enough):
                faults.append(f"{len(without)} of {len(visible)} {strength} rows of the role {role} have no "
                              f"check: {' '.join(without)}")
    return faults


# -- tables

def tables(rows, checks):
    """By role and by profile; each ends with the sum."""
    return (table("Role", catalogue.ROLES, lambda row: row.role, rows, checks) + "\n\n"
            + table("Profile", profiles_of(rows), lambda row: row.profile, rows, checks))


def profiles_of(rows):
    """In the order of the command line's, then of the catalogue."""
    return list(dict.fromkeys([*PROFILES, *(row.profile for row in rows.values())]))


def table(title, names, group, rows, checks, with_checks=True):
    """Rows with a check, of those that can be seen from outside, by level; and how many checks show them."""
    shown = catalogue.covered(checks)
    heads = [title, *STRENGTHS, "not observable", *(["checks"] if with_checks else [])]
    lines = [line_of(heads), "|---" * len(heads) + "|"]
    for name in [*names, None]:
        of_these = [r for r in rows.values() if name in (None, group(r))]
        if not of_these:
            continue
        own = {c.id for r in of_these for c in shown.get(r.id, ())}
        unseen = sum(not r.visible for r in of_these)
        lines.append(line_of([name or "sum", *(counted(of_these, strength, shown) for strength in STRENGTHS),
                              unseen, *([len(own)] if with_checks else [])]))
    return "\n".join(lines)


def line_of(cells):
    return f"| {' | '.join(map(str, cells))} |"


def counted(rows, strength, shown):
    """ "3 of 4" of those that can be seen."""
    visible = [r for r in rows if r.visible and r.strength == strength]
    return f"{sum(r.id in shown for r in visible)} of {len(visible)}" if visible else "–"


def readme_table(rows, checks):
    """What stands in the repository's README, below its command."""
    return table("Role", catalogue.ROLES, lambda row: row.role, rows, checks, with_checks=False)


def with_table(text, rows, checks):
    """The text with the table by role in the place of the one below the command."""
    before, _, rest = text.partition(f"`{COMMAND}`")
    told, _, after = rest.partition("\n\n| Role |")
    _, _, after = after.partition("\n\n")
    return f"{before}`{COMMAND}`{told}\n\n{readme_table(rows, checks)}\n\n{after}"
