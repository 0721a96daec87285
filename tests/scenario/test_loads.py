# SPDX-License-Identifier: Apache-2.0
"""Keys, certificates, anchors and TLS contexts are loaded at the start and by a reload, never for a
device. What a daemon loads is told by build/tools/loads.so: any file that is opened, and what is
made of its content by whichever library."""
import signal
from collections import Counter

import pytest

import harness
from places import Site

JOINS = 3
CHAIN = 2  # certificates that a device shows: the TLS library makes them anew each time, and we take those


class Loads:
    """What a daemon has loaded, a line each."""

    def __init__(self, daemon):
        library = harness.BUILD / "tools" / "loads.so"
        assert library.exists(), "make check builds it"
        self.path = daemon.directory / "loads"
        self.path.touch()
        self.daemon, self.mark = daemon, 0
        daemon.env.update(LD_PRELOAD=str(library), LOADS_FILE=str(self.path),
                          ASAN_OPTIONS="verify_asan_link_order=0")

    def all(self):
        return self.path.read_text().splitlines()

    def since(self):
        """Those after the last time this was asked."""
        lines = self.all()
        before, self.mark = self.mark, len(lines)
        return lines[before:]


@pytest.fixture
def site(place, acme, domain):
    masa = harness.Masa(place / "masa", acme)
    registrar = harness.Registrar(place / "registrar", domain, [acme], coaps=True)
    for daemon in (masa, registrar):
        daemon.loads = Loads(daemon)
    with harness.running(masa, registrar):
        yield Site(place, acme, domain, masa, registrar)


def joins(site):
    """A device over HTTPS, and one over CoAPS, on connections of their own."""
    for peer in (site.peer(site.device()), site.constrained_peer(site.device())):
        with peer:
            peer.join()


def names(lines):
    return {line.split("/")[-1] for line in lines}


def test_nothing_is_loaded_for_a_device_that_joins(site):
    masa, registrar = site.masa, site.registrar
    joins(site)  # makes the connection to the MASA
    at_first = {daemon: daemon.loads.since() for daemon in (masa, registrar)}
    for _ in range(JOINS):
        joins(site)
    assert not masa.loads.since()
    loaded = Counter(line.strip() for line in registrar.loads.since())
    assert loaded.pop("d2i_X509", 0) <= 2 * JOINS * CHAIN
    assert not loaded

    # that it is told at all: the start and a reload load all of it
    for daemon, its in ((masa, {"masa-tls.key", "masa-tls.crt", "masa-signer.key", "root.crt"}),
                        (registrar, {"registrar.key", "registrar.crt", "issuing.key", "issuing.crt", "root.crt"})):
        assert its <= names(at_first[daemon])
        mark = daemon.log_size()
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("event=reloaded", mark)
        again = daemon.loads.since()
        assert its <= names(again) and any("SSL_CTX_new" in line for line in again)
