#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The machine with the database dies while 50 devices a second join: tests/cluster/failover.py, once.

Adds to build/bench.json:
failover_lost_acks   what was acknowledged (voucher, certificate, report, approval, audit entry) and is
                     not there afterwards, or was issued twice; 0
failover_resume_s    from the leader's death until an answer of a new one is acknowledged; <= 30
"""
import json
import os
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("tests/cluster", "tests/scenario", "interop")]
from failover import KILL_AFTER_S, RATE, Failover  # noqa: E402

BUILD = os.environ.get("BUILD", "build")


def main():
    print(f"failover: {RATE} devices a second join; the database's leader is killed after {KILL_AFTER_S} s", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        result = Failover(pathlib.Path(folder)).run()
    figures = {"failover_lost_acks": len(result.lost) + len(result.twice), "failover_resume_s": result.resumed_s,
               "failover_failures": result.report["failures"]}
    for wrong in result.lost + result.twice:
        print(f"failover: {wrong}")
    acknowledged = ", ".join(f"{what} {n}" for what, n in sorted(result.acknowledged.items()))
    print(f"failover: acknowledged {acknowledged}; lost or twice {figures['failover_lost_acks']}; joins went on after "
          f"{result.resumed_s} s; slowest hundredth of the devices {result.report['p99_ms'] / 1000:.1f} s")
    path = pathlib.Path(BUILD) / "bench.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**before, **figures}, indent=1) + "\n")
    return 1 if figures["failover_lost_acks"] or figures["failover_failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
