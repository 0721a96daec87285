#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Both daemons built with ThreadSanitizer, 32 clients, a reload of both every 200 ms, administrators
looking on: every race that shows is a failure.

    BUILD=build/tsan tests/bench/threads.py
"""
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_site import Site  # noqa: E402

BUILD = os.environ.get("BUILD", "build/tsan")
CLIENTS = 32
ONBOARDINGS = 300
WORKERS = 4
RELOAD_S = 0.2
RELOADS_MIN = 3  # fewer have proved nothing


def disturb_until(done, site):
    while not done.wait(RELOAD_S):
        for process in site.running:
            process.send_signal(signal.SIGHUP)
        site.tool("registrarctl", "-s", site.path("registrar.sock"), "status")
        site.tool("masactl", "-s", site.path("masa.sock"), "devices", "show", "BENCH-0000001")


def main():
    os.environ["TSAN_OPTIONS"] = "exitcode=66:halt_on_error=0:second_deadlock_stack=1"
    faults = []
    with Site(BUILD, devices=ONBOARDINGS, workers=WORKERS, level="info") as site:
        done = threading.Event()
        others = threading.Thread(target=disturb_until, args=(done, site))
        others.start()
        try:
            result = site.load(CLIENTS, ONBOARDINGS, 1)
        finally:
            done.set()
            others.join()
        if result["failures"]:
            faults.append(f"{result['failures']} onboardings failed")
        for process in site.running:
            process.terminate()
        for process in site.running:
            code = process.wait(60)
            if code:
                faults.append(f"{process.args[0]} ended with {code}")
        for program in ("brski-masa", "brski-registrar"):
            with open(site.path(program + ".log"), encoding="utf-8", errors="replace") as log:
                text = log.read()
            count = text.count("WARNING: ThreadSanitizer")
            if count:
                faults.append(f"{program}: {count} reports\n{text[text.find('WARNING: ThreadSan'):][:20000]}")
            reloads = text.count("event=reloaded")
            if reloads < RELOADS_MIN or "reload-failed" in text:
                faults.append(f"{program}: {reloads} good reloads")
    print("\n".join(faults) if faults else
          f"{ONBOARDINGS} onboardings at {CLIENTS} clients with {WORKERS} workers each and reloads: no race")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
