#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Both daemons built with ThreadSanitizer, 32 clients, a reload of both every 200 ms, administrators
at work: every race that shows is a failure.

    BUILD=build/tsan tests/bench/threads.py
"""
import http.client
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_inventory import Admin  # noqa: E402
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


def administer(admin, watcher, after):
    """Waits for events, decides about all who wait, looks at everything."""
    page = watcher.ask("GET", f"events?after={after}&limit=50&wait=1")
    after = max([after, *(int(event["id"]) for event in page["items"])])
    admin.ask("POST", "claims/approve", {"match": "state=pending", "expected": 0, "reason": "none"})
    for what in ("statistics", "devices?limit=50", "audit?limit=50", "jobs", "sites", "hooks"):
        admin.ask("GET", what)
    return after


def administer_until(done, site, faults):
    admin, watcher = Admin(site.path("registrar.sock")), Admin(site.path("registrar.sock"))
    after = turns = 0
    try:
        admin.ask("POST", "hooks", {"url": "https://127.0.0.1:9/"})  # nobody answers there
        while not done.is_set():
            after = administer(admin, watcher, after)
            turns += 1
    except (SystemExit, OSError, http.client.HTTPException) as e:
        faults.append(f"an administrator, in turn {turns}: {e!r}")
    if turns < RELOADS_MIN:
        faults.append(f"administrators had {turns} turns")


def main():
    os.environ["TSAN_OPTIONS"] = "exitcode=66:halt_on_error=0:second_deadlock_stack=1"
    faults = []
    with Site(BUILD, devices=ONBOARDINGS, workers=WORKERS, level="info") as site:
        done = threading.Event()
        others = threading.Thread(target=disturb_until, args=(done, site))
        admins = threading.Thread(target=administer_until, args=(done, site, faults))
        others.start()
        admins.start()
        try:
            result = site.load(CLIENTS, ONBOARDINGS, 1)
        finally:
            done.set()
            others.join()
            admins.join()
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
