#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The bench: real registrar and MASA, a raw-OpenSSL load generator, and the primitive floor, in one
run. Prints a table and writes build/bench.json. Figures are CPU time, counts and ratios; the two
latency figures and the times of whole joins are wall-clock and only as good as the machine is quiet.

A machine that others share is 10 % faster or slower from one second to the next, and now and then a half:
the floor is measured before, between and after the parts of the 32-client run, and the ratios are of
the two means.

    BENCH_COUNT=N   onboardings of the 32-client run, by tens (default 10000)
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_coaps import coaps  # noqa: E402
from bench_join import join_times  # noqa: E402
from bench_pledge import pledge  # noqa: E402
from bench_polls import polls  # noqa: E402
from bench_scaling import scaling  # noqa: E402
from bench_site import Site, cpu_s  # noqa: E402

BUILD = os.environ.get("BUILD", "build")
COUNT_C32 = int(os.environ.get("BENCH_COUNT", "10000"))
RUNS = ((1, 300, 1), (8, 800, 1), (32, COUNT_C32, 10))  # clients, onboardings, parts
PRIMITIVES = (("x25519_keygen", "X25519, new key"), ("x25519_derive", "X25519, agreement"),
              ("p256_sign", "P-256, sign"), ("p256_verify", "P-256, verify"))
WARM_UP = 50
ENROLLMENTS = 300
IDLE_CONNECTIONS = 900
IDLE_S = 10


def chain(site):
    """What it costs that the MASA's log is a chain, on a copy of the store it has after the runs."""
    for end in ("", "-wal"):
        shutil.copy(site.path("masa.db" + end), site.path("copy.db" + end))
    figures = json.loads(subprocess.check_output([f"{BUILD}/bench/chain", site.path("copy.db")]))
    print(f"the MASA writes an event in {figures['masa_event_us']:.1f} µs, {figures['masa_chain_us']:.1f} of "
          f"them for the hash chain of its log", flush=True)
    return figures


def mean(rows):
    """Of each figure that is a number."""
    return {key: statistics.fmean(row[key] for row in rows) for key, value in rows[0].items() if not isinstance(value, list)}


class Floor:
    """What the primitives alone cost, measured again and again."""

    def __init__(self):
        self.rows = []

    def measure(self):
        self.rows.append(json.loads(subprocess.check_output([f"{BUILD}/bench/floor"])))

    def tell(self):
        means = mean(self.rows)
        for name, title in PRIMITIVES:
            registrar, masa = self.rows[0][name + "_count"]
            print(f"{title:>20}: {means[name + '_us']:>6.1f} µs; registrar {registrar}, MASA {masa} per onboarding")
        for name, title in (("registrar_floor_us", "registrar"), ("masa_floor_us", "MASA")):
            each = [row[name] for row in self.rows]
            print(f"{'floor, these only':>20}: {title} {means[name]:.0f} µs ({min(each):.0f} to {max(each):.0f})")
        print("not in it: hashes, ciphers, verifying what was signed here", flush=True)
        return means


def in_parts(site, clients, count, parts, first, floor):
    """Onboardings, those in parts of like size with the floor around each. What each part says, summed or by
    its mean; the latencies are the middle one's."""
    if parts == 1:
        return site.load(clients, count, first)
    size, rows = count // parts, []
    floor.measure()
    for part in range(parts):
        rows.append(site.load(clients, size, first + part * size))
        floor.measure()
    whole = mean(rows)
    for key in ("p50_ms", "p99_ms"):
        whole[key] = statistics.median(row[key] for row in rows)
    for key in ("onboardings", "failures"):
        whole[key] = sum(row[key] for row in rows)
    return whole


def main():
    total = WARM_UP + ENROLLMENTS + sum(count for _, count, _ in RUNS)
    results, floors = {}, Floor()
    with Site(BUILD, devices=total) as site:
        first = 1
        site.load(1, WARM_UP, first)
        first += WARM_UP
        print(f"{'clients':>8} {'onboardings':>12} {'failures':>9} {'p50 ms':>8} {'p99 ms':>8} {'per s':>8} "
              f"{'registrar µs':>13} {'MASA µs':>9}")
        for clients, count, parts in RUNS:
            r = results[clients] = in_parts(site, clients, count, parts, first, floors)
            first += count
            print(f"{clients:>8} {r['onboardings']:>12} {r['failures']:>9} {r['p50_ms']:>8.1f} {r['p99_ms']:>8.1f} "
                  f"{r['per_s']:>8.1f} {r['registrar_cpu_us']:>13.0f} {r['masa_cpu_us']:>9.0f}", flush=True)
        floor = floors.tell()  # around the last run, which the ratios are of
        more = site.load(8, ENROLLMENTS, first, "--enroll", "--idle", str(IDLE_CONNECTIONS))
        before = [cpu_s(daemon) for daemon in (site.registrar, site.masa)]
        time.sleep(IDLE_S)
        idle_cpu_pct, masa_idle_cpu_pct = (
            round((cpu_s(daemon) - then) / IDLE_S * 100, 3)
            for daemon, then in zip((site.registrar, site.masa), before))
        rss_peak_mb = site.registrar_status("VmHWM") / 1024
        chained = chain(site)
    threads = scaling(BUILD)
    device = pledge(BUILD)
    constrained = coaps(BUILD)
    waiting = polls(BUILD)
    over_a_cable = join_times()
    top = results[32]
    figures = {
        "registrar_cpu_us": top["registrar_cpu_us"],
        "registrar_floor_us": floor["registrar_floor_us"],
        "registrar_ratio": round(top["registrar_cpu_us"] / floor["registrar_floor_us"], 2),
        "masa_cpu_us": top["masa_cpu_us"],
        "masa_floor_us": floor["masa_floor_us"],
        "masa_ratio": round(top["masa_cpu_us"] / floor["masa_floor_us"], 2),
        "onboard_p50_ms_c1": results[1]["p50_ms"],
        "onboard_p99_ms_c1": results[1]["p99_ms"],
        "onboard_p50_ms_c8": results[8]["p50_ms"],
        "onboard_p99_ms_c8": results[8]["p99_ms"],
        "onboard_p50_ms_c32": top["p50_ms"],
        "onboard_p99_ms_c32": top["p99_ms"],
        "onboard_per_s_c32": top["per_s"],
        "onboardings": sum(r["onboardings"] for r in results.values()),
        "onboard_failures": sum(r["failures"] for r in results.values()),
        "enroll_cpu_us": more["enroll_cpu_us"],
        "enroll_failures": more["enroll_failures"] + more["failures"],
        "rss_peak_mb": round(rss_peak_mb, 1),
        "rss_idle_conn_kb": more["rss_idle_conn_kb"],
        "rss_idle_h2_conn_kb": more["rss_idle_h2_conn_kb"],
        "idle_cpu_pct": idle_cpu_pct,
        "masa_idle_cpu_pct": masa_idle_cpu_pct,
        **chained,
        **threads,
        **device,
        **constrained,
        **waiting,
        **over_a_cable,
    }
    with open(f"{BUILD}/bench.json", "w", encoding="utf-8") as out:
        json.dump(figures, out, indent=1)
        out.write("\n")
    print(f"registrar {figures['registrar_ratio']} × its floor, MASA {figures['masa_ratio']} × its floor; "
          f"enrolment {figures['enroll_cpu_us']:.0f} µs; {figures['rss_peak_mb']} MB at most, "
          f"{figures['rss_idle_conn_kb']} kB per idle connection ({figures['rss_idle_h2_conn_kb']} with HTTP/2), idle CPU {figures['idle_cpu_pct']} % (MASA {figures['masa_idle_cpu_pct']} %); "
          f"two workers {figures['scaling_1_to_2']} × one; "
          f"{figures['onboard_failures']} failures; figures in {BUILD}/bench.json")
    return 1 if figures["onboard_failures"] + figures["enroll_failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
