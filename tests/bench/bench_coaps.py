# SPDX-License-Identifier: Apache-2.0
"""The constrained side in the bench: what a registrar spends on an onboarding over CoAPS, how long
4 KiB take each way, and what an association holds of its memory.

The devices are the second opinion's (interop/brski_peer), which are slow enough that the registrar is
never at its end: what is measured is its CPU time, and that of the HTTPS side in the same minute.
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "interop"))
from bench_site import Site  # noqa: E402
from brski_peer import certs, constrained, forge  # noqa: E402

CLIENTS = 32
ONBOARDINGS = int(os.environ.get("BENCH_COAPS_COUNT", "320"))
WARM_UP = 64
ASSOCIATIONS = 1000
SOURCES = 50
EXCHANGE = 4096
EXCHANGES = 20
PADDING = 4711  # a header parameter that nobody knows and everybody passes over


class ConstrainedSite(Site):
    """With devices numbered as loadgen numbers them."""

    def __enter__(self):
        super().__enter__()
        self.issuing = forge.load(self.path("maker", "issuing.key"), self.path("maker", "issuing.crt"))
        with open(self.path("devices.csv"), encoding="ascii") as f:
            self.serials = f.read().split()[1:]
        return self

    def idevid(self, number):
        made = certs.make_idevid(self.issuing, self.serials[number], f"localhost:{self.masa_port}")
        paths = made.write(self.path("idevids"), str(number))
        return forge.FileIdentity(*paths, made.key, made.chain())

    def peer(self, identity):
        return constrained.Pledge(self.coaps_port, identity, max_fragment=1024, timeout=60)


def must(reply, said):
    if reply.said != said:
        raise SystemExit(f"CoAPS: {reply}, not {said}")
    return reply


def onboard(site, identity):
    """All that loadgen does over HTTPS, over CoAPS."""
    with site.peer(identity) as peer:
        must(peer.request_voucher(), "2.04")
        must(peer.voucher_status(), "2.04")
        chain = constrained.certs_of(must(peer.crts(), "2.05"))
        if peer.att().said not in ("2.05", "4.04"):
            raise SystemExit("CoAPS: no answer to att")
        reply, key = peer.enroll()
        ldevid, = constrained.certs_of(must(reply, "2.04"))
    paths = certs.Identity(key, ldevid, chain[:1]).write(site.path("ldevids"), str(ldevid.serial_number))
    with site.peer(forge.FileIdentity(*paths, key, [ldevid, chain[0]])) as peer:
        must(peer.enrollstatus(), "2.04")


def onboard_all(site, identities):
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        before = site.registrar_cpu_s()
        for done in [pool.submit(onboard, site, i) for i in identities]:
            done.result()
        return (site.registrar_cpu_s() - before) / len(identities) * 1e6


def exchange_ms(site, identity):
    """A voucher-request of 4 KiB up, CA certificates of as much down, in blocks of 512 octets."""
    with site.peer(identity) as peer:
        padding = EXCHANGE - len(peer.pvr(how={"unprotected": {PADDING: b"x" * 3800}})) + 3800
        body = peer.pvr(how={"unprotected": {PADDING: b"x" * padding}})
        began = time.monotonic()
        must(peer.request_voucher(body), "2.04")
        reply = must(peer.crts(accept=constrained.PKCS7_CERTS), "2.05")
        took = time.monotonic() - began
    if len(body) < EXCHANGE or len(reply.payload) < EXCHANGE:
        raise SystemExit(f"CoAPS: only {len(body)} up and {len(reply.payload)} down")
    return took * 1000


def association_kb(site):
    before = site.registrar_status("VmRSS")
    attacker = subprocess.Popen(
        [f"{site.build}/tools/coaps_abuse", "sessions", str(site.coaps_port), str(ASSOCIATIONS),
         str(SOURCES), site.path("maker", "issuing.key"), site.path("maker", "issuing.crt")], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE)
    stand = int(attacker.stdout.readline().split()[1])
    held = site.registrar_status("VmRSS") - before
    attacker.communicate()
    if stand < ASSOCIATIONS:
        raise SystemExit(f"CoAPS: only {stand} associations")
    return held / stand


def coaps(build):
    """The figures. The HTTPS one is measured again here, with the same number of devices at a time."""
    anchors = "".join(certs.cert_pem(certs.make_ca(f"Another CA {i}").cert).decode() for i in range(8))
    with ConstrainedSite(build, 2 * WARM_UP + 3 * ONBOARDINGS + EXCHANGES, coaps=True,
                         more_cacerts=anchors) as site:
        identities = [site.idevid(i) for i in range(WARM_UP + ONBOARDINGS + EXCHANGES)]
        first = len(identities) + 1
        onboard_all(site, identities[:1])
        held_kb = association_kb(site)  # first: what later falls free would hide it
        onboard_all(site, identities[1:WARM_UP])
        site.load(CLIENTS, WARM_UP, first)
        cpu_us = onboard_all(site, identities[WARM_UP:WARM_UP + ONBOARDINGS])
        https = site.load(CLIENTS, ONBOARDINGS, first + WARM_UP)["registrar_cpu_us"]
        times = sorted(exchange_ms(site, i) for i in identities[-EXCHANGES:])
    figures = {
        "coaps_registrar_cpu_us": round(cpu_us),
        "coaps_https_cpu_us": round(https),
        "coaps_exchange_4k_ms": round(times[len(times) // 2], 1),
        "coaps_session_kb": round(held_kb, 1),
    }
    print(f"CoAPS: registrar {cpu_us:.0f} µs per onboarding ({https:.0f} over HTTPS beside it, at most "
          f"{1.3 * https + 2100:.0f} allowed); 4 KiB each way {figures['coaps_exchange_4k_ms']} ms; "
          f"{figures['coaps_session_kb']} kB per association", flush=True)
    return figures


if __name__ == "__main__":
    print(json.dumps(coaps(os.environ.get("BUILD", "build")), indent=1))
