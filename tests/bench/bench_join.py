# SPDX-License-Identifier: Apache-2.0
"""How long a device takes from the start of its program to its certificate, in a network of its own:
a registrar and its MASA at one end of a cable, brski-pledge processes at the other, which are told of
no registrar and find it by its announcement.

join_lan_p50_s     the middle one, cable without delay or loss, one device after the other
join_lossy_p95_s   95 of 100 are quicker; 200 ms there and back, 5 % of the frames of each way lost,
                   several devices side by side, which wait for the cable and not for a processor
join_cpu_ms        processor time of one join on the device's side, user and system, the middle one
"""
import concurrent.futures
import os
import pathlib
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "scenario"), str(HERE.parents[1] / "interop")]
import harness  # noqa: E402
import netns  # noqa: E402
from places import Device  # noqa: E402
from wire import Wire, site_at_left  # noqa: E402

LAN_JOINS, LOSSY_JOINS, SIDE_BY_SIDE = 40, 100, 8
JOIN_S = 120
TARGETS = {"join_lan_p50_s": 2, "join_lossy_p95_s": 15}


def share(times, percent):
    return sorted(times)[min(len(times) - 1, len(times) * percent // 100)]


def distribution(what, times, cpu):
    shares = ", ".join(f"p{p} {share(times, p):.2f}" for p in (5, 25, 50, 75, 90, 95, 99))
    print(f"{what}: {len(times)} joins, {shares}, max {max(times):.2f} s; "
          f"CPU of one {1000 * share(cpu, 50):.0f} ms", flush=True)


def join(wire, pledge):
    """Seconds from its start to its end, and of processor time."""
    argv = netns.inside(wire.right, [harness.program("brski-pledge"), "join", "-c", pledge.config])
    with open(pledge.log_path, "wb") as log:
        began = time.monotonic()
        pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=[
            (os.POSIX_SPAWN_DUP2, log.fileno(), 1), (os.POSIX_SPAWN_DUP2, log.fileno(), 2)])
        _, status, used = os.wait4(pid, 0)
        took = time.monotonic() - began
    if status:
        raise SystemExit(f"a device did not join:\n{pledge.log()}")
    return took, used.ru_utime + used.ru_stime


def joins(directory, count, at_once, found, **cable):
    """found: the devices are told of no registrar and find it by its announcement."""
    acme, domain = harness.Manufacturer(directory / "acme"), harness.Domain(directory / "domain")
    quiet = {"log": {"level": "warning"}}
    with Wire(**cable) as wire, site_at_left(wire, directory, acme, domain, quiet) as site:
        devices = [Device(acme, site.masa_url) for _ in range(count)]
        site.masa.import_devices([{"serial": d.serial} for d in devices])
        changes = {"retry": {"attempts": 0, "backoff_min": None, "backoff_max": None, "timeout": None,
                             "connect_timeout": None, "retry_after_max": None, "budget": f"{JOIN_S}s"}}
        if found:
            changes["registrars"] = {"urls": None, "discover": None}
        pledges = [site.pledge(d, changes=changes) for d in devices]
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            return zip(*pool.map(lambda p: join(wire, p), pledges))


def join_times():
    if netns.missing():
        print(f"joins over a cable: left out, {netns.missing()}")
        return {}
    with tempfile.TemporaryDirectory(prefix="brski-join-") as top:
        top = pathlib.Path(top)
        told, told_cpu = joins(top / "told", LAN_JOINS, 1, found=False)
        distribution("on a LAN, address configured", told, told_cpu)
        lan, lan_cpu = joins(top / "lan", LAN_JOINS, 1, found=True)
        distribution("on a LAN, found", lan, lan_cpu)
        lossy, lossy_cpu = joins(top / "lossy", LOSSY_JOINS, SIDE_BY_SIDE, found=True, delay_ms=100, loss_pct=5)
        distribution("200 ms, 5 % lost, found", lossy, lossy_cpu)
    figures = {"join_lan_p50_s": round(share(lan, 50), 3), "join_lossy_p95_s": round(share(lossy, 95), 2),
               "join_cpu_ms": round(1000 * share(lan_cpu, 50), 1)}
    for name, target in TARGETS.items():
        print(f"{name} {figures[name]} (wanted: below {target})", flush=True)
    return figures


if __name__ == "__main__":
    join_times()
