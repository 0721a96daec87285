# SPDX-License-Identifier: Apache-2.0
"""What it costs the registrar to tell a device again that an administrator has to decide: CPU time of
one poll on a connection that is kept, and the share of a core that 10,000 such devices take."""
from bench_site import Site

DEVICES, POLLS = 50, 100
MANY = 10000
PERIOD_S = 45  # the least of what so many devices are told to wait


def polls(build):
    with Site(build, devices=DEVICES, admit="hold") as site:
        figures = site.load(1, DEVICES, 1, "--polls", str(POLLS))
    figures["pending_core_share"] = round(MANY / PERIOD_S * figures["pending_poll_cpu_us"] / 1e6, 3)
    print(f"a pending device asks again: {figures['pending_poll_cpu_us']:.0f} µs; {MANY} of them every "
          f"{PERIOD_S} s take {figures['pending_core_share']} of a core", flush=True)
    return figures
