# SPDX-License-Identifier: Apache-2.0
"""A device that is told no registrar asks for a join proxy, and joins where it is pointed to."""
import socket
import threading

import pytest

import harness
import proxies

req = pytest.mark.req

JOINED, FAILED, USAGE, REFUSED, UNREACHABLE, BAD_VOUCHER, STILL_PENDING, NOT_ENROLLED = range(8)


@pytest.fixture(scope="module")
def site(coaps_site):
    return coaps_site


@pytest.fixture(scope="module")
def gateway(site):
    return proxies.gateway(site)


def seeker(site, port, urls=None):
    """A device that asks at 127.0.0.1; multicast is not everywhere."""
    return site.coaps_pledge(site.device(), changes={
        "registrars": {"urls": urls, "discover": "127.0.0.1", "discovery_port": port},
        "coaps": {"connect_timeout": "2s"}})


class Oracle:
    """Answers every question on UDP with these links (RFC 6690)."""

    def __init__(self, links):
        self.links, self.asked = links, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.1)
        self.port = self.socket.getsockname()[1]
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        self.socket.close()

    def _run(self):
        while not self.stopping.is_set():
            try:
                asked, who = self.socket.recvfrom(2000)
            except TimeoutError:
                continue
            self.asked.append(asked)
            kind, token = (0x60 if asked[0] & 0x30 == 0 else 0x50), asked[4:4 + (asked[0] & 15)]
            self.socket.sendto(bytes([kind | len(token), 0x45]) + asked[2:4] + token
                               + b"\xc1\x28\xff" + self.links, who)


@req("X-01", "X-02", "X-03", "R-21", "D-12")
@pytest.mark.parametrize("scheme", ["coaps", "jpy"])
def test_device_finds_a_join_proxy_and_joins_through_it(cell, site, gateway, scheme):
    port = harness.free_port()
    registrar = site.registrar.coaps_port if scheme == "coaps" else site.registrar.jpy_port
    proxy = proxies.Proxy(cell, gateway, {"registrars": f"{scheme}://127.0.0.1:{registrar}",
                                          "mappings_per_neighbour": 8, "discovery_port": port})
    with harness.running(proxy):
        pledge = seeker(site, port)
        done = pledge.join()
        assert done.returncode == JOINED, done.stdout + done.stderr
        assert "discovery: 1 place to join at" in done.stdout


@req("X-01", "X-03", "X-04")
def test_ports_are_tried_one_after_the_other_at_whoever_answered(site):
    dead = harness.free_port()
    links = f"<>;brski-jp={dead},<>;p=v;brski-jp=\"{site.registrar.coaps_port}\""
    with Oracle(links.encode()) as oracle:
        pledge = seeker(site, oracle.port)
        done = pledge.join()
        assert done.returncode == JOINED, done.stdout + done.stderr
        assert len(oracle.asked) >= 1 and b"brski-jp=*" in oracle.asked[0]
        assert "discovery: 2 places to join at" in done.stdout


def test_known_registrar_that_works_is_asked_first(site):
    with Oracle(b"<>;brski-jp=9") as oracle:
        assert seeker(site, oracle.port, site.coaps_url).join().returncode == JOINED
        assert oracle.asked == []


@pytest.mark.slow
@req("X-03")
@pytest.mark.parametrize("links", [b"", b"<>;brski-jp=0", b"<>;brski-jp=x", b"<<<", b"</x>;rt=y"])
def test_answer_that_is_none_is_nowhere(site, links):
    with Oracle(links) as oracle:
        pledge = seeker(site, oracle.port)
        done = pledge.join()
        assert done.returncode == UNREACHABLE, done.stdout + done.stderr
        assert "nobody answered" in done.stderr
        assert pledge.command("status").returncode == NOT_ENROLLED


def test_neither_registrars_nor_discovery_is_a_configuration_error(site):
    pledge = site.coaps_pledge(site.device(), changes={"registrars": {"urls": None, "discover": "off"}})
    done = pledge.join()
    assert done.returncode == USAGE and "discover" in done.stderr
