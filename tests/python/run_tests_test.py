# SPDX-License-Identifier: Apache-2.0
"""What scripts/run-tests makes of what test programs say."""
import pathlib
import subprocess
import sys

import pytest

RUN_TESTS = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run-tests"
GOOD, BAD, SKIPPED = "ok 1 - a__b__c", "not ok 2 - a__b__d", "# skipped: no moon\nnot ok 3 # SKIP a__b__e"


@pytest.mark.parametrize("said, code, last, shown", [
    ([GOOD], 0, "1 passed, 0 failed, 0 skipped", "ok program: 1"),
    ([GOOD, BAD], 1, "1 passed, 1 failed, 0 skipped", "FAILED program"),
    ([GOOD, SKIPPED], 0, "1 passed, 0 failed, 1 skipped", "skipped a__b__e: no moon"),
    ([GOOD], 3, "1 passed, 1 failed, 0 skipped", "FAILED program (exit 3)"),
    ([], 0, "0 passed, 1 failed, 0 skipped", "FAILED program"),
])
def test_program__that_says_so__is_counted_so(tmp_path, said, code, last, shown):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\ncat <<E\n" + "\n".join(said) + f"\nE\nexit {code}\n")
    program.chmod(0o755)
    done = subprocess.run([sys.executable, RUN_TESTS, program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines()[-1] == last and shown in done.stdout
    assert (done.returncode == 0) == ("0 failed" in last)
