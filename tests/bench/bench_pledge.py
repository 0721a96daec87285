# SPDX-License-Identifier: Apache-2.0
"""What a maker of small devices asks: how much code and how much memory brski-pledge wants.

pledge_text_kb       octets of .text, .rodata and .data; the shared libraries come on top
pledge_peak_heap_kb  what it and its libraries hold of the heap at most during one join over CoAPS,
                     from its start to the LDevID's report (heap.c, preloaded)
"""
import os
import pathlib
import subprocess

from bench_site import Site

SECTIONS = (".text", ".rodata", ".data")
SERIAL = "TINY-1"
JOIN_S = 30


def text_kb(program):
    rows = (line.split() for line in subprocess.check_output(["size", "-A", program], text=True).splitlines())
    return round(sum(int(row[1]) for row in rows if row and row[0] in SECTIONS) / 1000, 1)


def write_pledge(site, directory):
    """An IDevID and a configuration; the manufacturer's anchors hold the MASA's signer, because a
    voucher in COSE comes without certificates."""
    site.tool("brski-certs", "idevid", "--ca", site.path("maker"), "--out", site.path("devices"),
              "--serial", SERIAL, "--masa-url", f"https://localhost:{site.masa_port}")
    anchors = b"".join(pathlib.Path(site.path(name)).read_bytes() for name in ("maker/root.crt", "masa/masa-signer.crt"))
    pathlib.Path(site.path("anchors.crt")).write_bytes(anchors)
    site.write("pledge.conf", f"""[device]
idevid_key = devices/{SERIAL}.key
idevid_certificate = devices/{SERIAL}.crt
masa_anchors = anchors.crt
state_dir = {directory}
[registrars]
urls = coaps://127.0.0.1:{site.coaps_port}
[retry]
attempts = 1
""")


def peak_heap_kb(build):
    with Site(build, devices=1, coaps=True) as site:
        report = site.path("heap")
        write_pledge(site, site.path("state"))
        site.write("pledge.csv", f"serial\n{SERIAL}\n")
        site.tool("masactl", "-s", site.path("masa.sock"), "devices", "import", site.path("pledge.csv"))
        done = subprocess.run([f"{site.build}/brski-pledge", "join", "-c", site.path("pledge.conf")],
                              env=dict(os.environ, LD_PRELOAD=f"{site.build}/tools/heap.so", HEAP_REPORT=report),
                              capture_output=True, text=True, timeout=JOIN_S)
        if done.returncode:
            raise SystemExit(f"a pledge did not join over CoAPS:\n{done.stdout}{done.stderr}")
        with open(report, encoding="ascii") as said:
            return round(int(said.read().split()[0]) / 1000, 1)


def pledge(build):
    figures = {"pledge_text_kb": text_kb(f"{build}/brski-pledge"), "pledge_peak_heap_kb": peak_heap_kb(build)}
    print(f"brski-pledge: {figures['pledge_text_kb']} kB of code and constants, at most "
          f"{figures['pledge_peak_heap_kb']} kB of heap in a join over CoAPS", flush=True)
    return figures


if __name__ == "__main__":
    pledge(os.environ.get("BUILD", "build"))
