# SPDX-License-Identifier: Apache-2.0
"""The conformance suite tested by itself: its roles join, each check passes on them, each check fails
on the role without its rule, and only that check does. Here some of the checks; all of them, each with
every rule that it meets, in `make check-slow`."""
import pathlib
import subprocess
import sys

import pytest

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "interop" / "brski-conformance"


def selftest(*options, timeout):
    done = subprocess.run([sys.executable, PROGRAM, "selftest", *options], capture_output=True, text=True,
                          timeout=timeout)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_checks_pass_on_the_reference_and_fail_on_their_mutants():
    selftest("--sample", "4", timeout=300)


@pytest.mark.slow
def test_every_check_fails_on_its_mutant_and_on_no_other():
    selftest("--exact", timeout=3600)
