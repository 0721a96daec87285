#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What an onboarding costs registrar and MASA together when they know 100,000 devices, in proportion
to 1,000. The known devices have vouchers' events and certificates on record, put there by SQL. Both
sites run side by side and take turns, so that a noisy machine disturbs both alike; adds
cost_ratio_100k_vs_1k to build/bench.json."""
import json
import os
import sqlite3
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_site import Site  # noqa: E402

BUILD = os.environ.get("BUILD", "build")
FEW, MANY = 1000, 100000
ROUNDS, COUNT, CLIENTS = 7, 200, 8
WARM_UP = 50

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
KNOWN_DEVICES = f"""INSERT INTO device (id, manufacturer, serial, claim, state, history, first_seen, last_seen,
 subject, idevid_sha256, request_sha256, registrar_sha256, voucher_type, voucher)
 {NUMBERS} SELECT i, 'bench', printf('KNOWN-%07d', i), 0, 2, 1, 1700000000, 1700000000, 'CN=known',
 randomblob(32), randomblob(32), randomblob(32), 'application/voucher-cms+json', randomblob(1500) FROM n"""
KNOWN_CERTIFICATES = f"""INSERT INTO certificate (sha256, serial_hex, manufacturer, serial, subject, issued_at,
 not_after, csr_sha256, client_sha256, der)
 {NUMBERS} SELECT randomblob(32), hex(randomblob(16)), 'bench', printf('KNOWN-%07d', i), 'CN=known', 1700000000,
 4000000000, randomblob(32), randomblob(32), randomblob(600) FROM n"""


def fill(site, known):
    """Devices and certificates of the past, in the registrar and in the MASA."""
    with sqlite3.connect(site.path("registrar.db"), timeout=60) as db:
        db.execute(KNOWN_DEVICES, (known,))
        db.execute(KNOWN_CERTIFICATES, (known,))
    db.close()
    site.write("known.csv", "serial\n" + "".join(f"KNOWN-{i:07}\n" for i in range(1, known + 1)))
    site.tool("masactl", "-s", site.path("masa.sock"), "devices", "import", site.path("known.csv"))


def main():
    total = WARM_UP + ROUNDS * COUNT
    costs = {FEW: [], MANY: []}
    failures = 0
    with Site(BUILD, devices=total) as few, Site(BUILD, devices=total) as many:
        for site, known in ((few, FEW), (many, MANY)):
            fill(site, known)
            site.load(CLIENTS, WARM_UP, 1)
        for turn in range(ROUNDS):
            for site, known in ((few, FEW), (many, MANY)):
                r = site.load(CLIENTS, COUNT, 1 + WARM_UP + turn * COUNT)
                costs[known].append(r["registrar_cpu_us"] + r["masa_cpu_us"])
                failures += r["failures"]
    few_us, many_us = statistics.median(costs[FEW]), statistics.median(costs[MANY])
    ratio = round(many_us / few_us, 3)
    print(f"onboarding with {FEW} known devices {few_us:.0f} µs, with {MANY} {many_us:.0f} µs: ratio {ratio}; "
          f"{failures} failures")
    path = f"{BUILD}/bench.json"
    figures = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as old:
            figures = json.load(old)
    figures["cost_ratio_100k_vs_1k"] = ratio
    with open(path, "w", encoding="utf-8") as out:
        json.dump(figures, out, indent=1)
        out.write("\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
