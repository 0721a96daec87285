# SPDX-License-Identifier: Apache-2.0
"""The conformance suite tested by itself: its roles join, each check passes on them, each check fails
on the role without its rule, and only that check does."""
import pathlib
import subprocess
import sys

import pytest

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "interop" / "brski-conformance"


def selftest(*options, timeout):
    done = subprocess.run([sys.executable, PROGRAM, "selftest", *options], capture_output=True, text=True,
                          timeout=timeout)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_every_check_passes_on_the_reference_and_fails_on_its_mutant():
    selftest(timeout=300)


@pytest.mark.slow
def test_no_check_fails_on_the_mutant_of_another():
    selftest("--exact", timeout=1800)
