# SPDX-License-Identifier: Apache-2.0
"""How much a second worker thread of the registrar is worth.

The load generator needs the same processors as the registrar, so onboardings a second say little on
a small machine. What stands in the way of twice the work on twice the processors is work that one
thread makes for another: locks that spin, lines of cache that travel, wake-ups. It shows as CPU time
per onboarding. So: scaling = 2 × (CPU per onboarding with one worker) / (CPU with two), where both
workers must have shared the load, or the figure would be that of one.
"""
import os

from bench_site import Site

CLIENTS = 32
ONBOARDINGS = 600
WARM_UP = 50
SHARE_MIN = 0.25  # of the workers' CPU time, for each; the kernel spreads connections by hash


def worker_cpu_ns(pid):
    """CPU time of each thread named worker…, from /proc/PID/task."""
    times = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        base = f"/proc/{pid}/task/{task}/"
        with open(base + "comm", encoding="ascii") as comm, open(base + "schedstat", encoding="ascii") as stat:
            if comm.read().startswith("worker"):
                times[task] = int(stat.read().split()[0])
    return times


def measure(build, workers):
    """CPU µs per onboarding of the registrar, and the share of its least busy worker."""
    with Site(build, devices=WARM_UP + ONBOARDINGS, workers=workers) as site:
        site.load(1, WARM_UP, 1)
        before = worker_cpu_ns(site.registrar.pid)
        result = site.load(CLIENTS, ONBOARDINGS, 1 + WARM_UP)
        used = [now - before[task] for task, now in worker_cpu_ns(site.registrar.pid).items()]
    if result["failures"] or len(used) != workers:
        raise SystemExit(f"scaling: {result['failures']} failures with {len(used)} workers")
    return result["registrar_cpu_us"], min(used) / sum(used)


def scaling(build):
    """The figures of the bench."""
    one, _ = measure(build, 1)
    two, share = measure(build, 2)
    return {
        "scaling_1_to_2": round(2 * one / two, 2) if share >= SHARE_MIN else 1.0,
        "scaling_cpu_us_1": one,
        "scaling_cpu_us_2": two,
        "scaling_least_share": round(share, 2),
    }


if __name__ == "__main__":
    print(scaling(os.environ.get("BUILD", "build")))
