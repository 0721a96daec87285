# SPDX-License-Identifier: Apache-2.0
"""Joining over links that lose, repeat, reorder and shorten (RFC 7252 §4.2, §4.5; RFC 7959).

Whatever the link does, a device has one certificate or none: what the registrar has on record is
what the device holds, and a join that broke off goes on later with the same key and request.
"""
import concurrent.futures
import re
import time
from dataclasses import dataclass

import pytest

import harness
from brski_peer import coap, constrained, forge
from brski_peer.certs import new_key
from brski_peer.pledge import CMS_TYPE
from ledger import rows
from places import Site
from udp_relay import DOWN, UP, Relay

req = pytest.mark.req

JOINED = 0
WITHIN_S = 60
BAD = {"duplicate": 0.05, "reorder": 0.1, "delay": 0.01, "jitter": 0.02}
NOWHERE = 1  # a port to put another in the place of
PATIENT = {"retry": {"attempts": 0, "timeout": "30s", "backoff_max": "2s"},
           "coaps": {"connect_timeout": "20s"}}
IMPATIENT = {"retry": {"attempts": 1, "timeout": "2s"},
             "coaps": {"connect_timeout": "3s", "deadline": "3s"}}


@pytest.fixture(scope="module")
def site(coaps_site):
    return coaps_site


@dataclass
class Attempt:
    """A device, what became of its join, and how the link was."""
    site: object
    device: object
    pledge: object
    code: int = None
    said: str = ""
    took: float = 0
    link: object = None

    def join(self, link, timeout=120):
        began = time.monotonic()
        done = self.pledge.join(timeout=timeout)
        self.took, self.code, self.said, self.link = (time.monotonic() - began, done.returncode,
                                                      done.stdout + done.stderr, link)
        return self

    def point(self, port):
        """The pledge's registrar is behind this port from now on."""
        text = self.pledge.config.read_text()
        self.pledge.config.write_text(re.sub(r"coaps://127.0.0.1:\d+", f"coaps://127.0.0.1:{port}", text))

    def again(self):
        """Over a good link to the same registrar."""
        self.point(self.site.registrar.coaps_port)
        return self.join(self.link)

    @property
    def certificates(self):
        return certificates(self.site, self.device.serial)

    def check(self):
        """One certificate, the device's, or none that counts."""
        issued, current = self.certificates, self.pledge.state / "current" / "ldevid.crt"
        if self.code == JOINED:
            assert issued == [forge.der(forge.load_certs(current)[0])], f"{len(issued)} on record"
        else:
            assert len(issued) <= 1, f"{len(issued)} certificates for a join that failed"
            assert not current.exists(), self.said

    def __str__(self):
        return f"{self.device.serial}: exit {self.code} after {self.took:.1f} s, {self.link.count}\n{self.said}"


def certificates(site, serial):
    database = site.registrar.directory / "registrar.db"
    return [der for der, in rows(database, "SELECT der FROM certificate WHERE serial = ?", serial)]


def prepare(site, count, changes=None):
    """So many devices, made one after the other, their pledges not yet pointed anywhere."""
    found = []
    for _ in range(count):
        device = site.device()
        found.append(Attempt(site, device, site.coaps_pledge(device, NOWHERE,
                                                             harness.merged(PATIENT, changes))))
    return found


def go(attempt, **how):
    with Relay(attempt.site.registrar.coaps_port, **how) as link:
        attempt.point(link.port)
        return attempt.join(link)


def go_all(site, links, changes=None):
    """Every link with a device of its own, all at once: they mostly wait."""
    attempts = prepare(site, len(links), changes)
    with concurrent.futures.ThreadPoolExecutor(len(links)) as pool:
        running = [pool.submit(go, a, **how) for a, how in zip(attempts, links)]
        return [r.result() for r in running]


def all_joined(attempts):
    for a in attempts:
        assert a.code == JOINED, str(a)
        assert a.took < WITHIN_S, str(a)
        a.check()
    distinct_serials(attempts[0].site)


def distinct_serials(site):
    database = site.registrar.directory / "registrar.db"
    assert rows(database, "SELECT count(*) FROM certificate") == \
        rows(database, "SELECT count(DISTINCT serial_hex) FROM certificate")
    assert rows(database, "SELECT csr_sha256 FROM certificate GROUP BY csr_sha256 "
                          "HAVING count(*) > 1") == []


# -- loss

@req("C-15", "C-20", "B-01", "B-06")
def test_joins_over_bad_links(site):
    attempts = go_all(site, [{"loss": 0}, {"loss": 0.05, "seed": 5, **BAD},
                             {"loss": 0.1, "seed": 6, **BAD}])
    all_joined(attempts)
    assert attempts[2].link.count["lost"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("loss", [0, 0.05, 0.1])
def test_every_join_succeeds_up_to_a_tenth_lost(site, loss):
    all_joined(go_all(site, [{"loss": loss, "seed": seed, **BAD} for seed in range(12)]))


@pytest.mark.slow
def test_more_loss_ends_well_or_cleanly(site):
    """Where a device gives up, it says so, nothing of it is kept that does not count, and what it
    had asked for is what it gets later."""
    changes = {"retry": {"attempts": 1, "timeout": "10s"},
               "coaps": {"connect_timeout": "10s", "deadline": "20s"}}
    attempts = go_all(site, [{"loss": loss, "seed": seed, **BAD}
                             for loss in (0.15, 0.3) for seed in range(8)], changes)
    for a in attempts:
        a.check()
        if a.code != JOINED:
            assert a.again().code == JOINED, str(a)
            a.check()
    distinct_serials(site)


def datagrams_of_a_join(site):
    attempt = go_all(site, [{}])[0]
    all_joined([attempt])
    return attempt.link.numbers


@pytest.mark.slow
@pytest.mark.parametrize("way", [UP, DOWN])
@req("C-20")
def test_any_one_datagram_may_be_lost(site, way):
    count = datagrams_of_a_join(site)[way]
    assert count > 5
    for first in range(1, count + 1, 12):
        chosen = range(first, min(first + 12, count + 1))
        attempts = go_all(site, [{"lose": lambda w, n, _d, k=k: (w, n) == (way, k)} for k in chosen])
        all_joined(attempts)
        assert all(a.link.count["lost"] == 1 for a in attempts)


@pytest.mark.slow
@pytest.mark.parametrize("way", [UP, DOWN])
def test_a_link_that_breaks_anywhere(site, way):
    """Nothing passes any more from the nth datagram on; later the device comes back."""
    count = datagrams_of_a_join(site)[way]
    for first in range(1, count + 1, 12):
        chosen = range(first, min(first + 12, count + 1))
        for a in go_all(site, [{"lose": lambda w, n, _d, k=k: w == way and n >= k} for k in chosen],
                        IMPATIENT):
            a.check()
            assert a.again().code == JOINED, str(a)
            a.check()
    distinct_serials(site)


# -- repetition

class Lossy:
    """A Python pledge whose incoming datagrams can be lost by choice."""

    def __init__(self, site, device, **more):
        self.relay = Relay(site.registrar.coaps_port).start()
        self.peer = site.constrained_peer(device, self.relay.port, **more)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.peer.client.abandon()
        self.relay.stop()

    def ask_and_miss_the_answer(self, message):
        """The request arrives, the answer does not."""
        self.relay.cut(DOWN)
        before = self.relay.numbers[DOWN]
        self.peer.client.send(message)
        harness.wait_until(lambda: self.relay.numbers[DOWN] > before, "an answer to lose")
        self.relay.mend()


def enrollment(peer, key, accept=constrained.PKIX_CERT):
    client = peer.client
    options = coap.path_options("/.well-known/est/sen") + [
        (coap.CONTENT_FORMAT, coap.uint(constrained.PKCS10)), (coap.ACCEPT, coap.uint(accept))]
    return coap.Message(coap.CON, coap.POST, client.next_id(), b"once", options, peer.csr(key))


@req("C-20")
def test_a_lost_answer_to_an_enrolment_issues_one_certificate(site):
    device = site.device()
    with Lossy(site, device) as lossy:
        peer = lossy.peer
        assert peer.request_voucher().said == "2.04" and peer.voucher_status().said == "2.04"
        message = enrollment(peer, new_key())
        lossy.ask_and_miss_the_answer(message)
        first = peer.client.exchange(message)
        assert first.said == "2.04", str(first)
        again = peer.client.exchange(message)
        assert (again.code, again.options, again.payload) == (first.code, first.options, first.payload)
        assert len(certificates(site, device.serial)) == 1


@req("C-17", "C-20")
def test_the_same_request_on_another_association_has_the_same_answer(site):
    """As a pledge does that gave up waiting and came back."""
    device, key = site.device(), new_key()
    with Lossy(site, device) as lossy:
        peer = lossy.peer
        assert peer.request_voucher().said == "2.04" and peer.voucher_status().said == "2.04"
        message = enrollment(peer, key)
        lossy.ask_and_miss_the_answer(message)
    with site.constrained_peer(device) as peer:
        message.id, message.token = peer.client.next_id(), b"twice"
        answer = peer.client.exchange(message)
        assert answer.said == "2.04", str(answer)
    assert certificates(site, device.serial) == [answer.payload]


@req("C-18", "C-20")
def test_a_lost_answer_to_a_voucher_request_asks_the_masa_once(site):
    device = site.device()
    with Lossy(site, device) as lossy:
        peer = lossy.peer
        body = peer.pvr()
        options = coap.path_options("/.well-known/brski/rv") + [
            (coap.CONTENT_FORMAT, coap.uint(constrained.VOUCHER))]
        message = coap.Message(coap.CON, coap.POST, peer.client.next_id(), b"rv", options, body)
        lossy.ask_and_miss_the_answer(message)
        answer = peer.client.exchange(message)
        assert answer.said == "2.04", str(answer)
        again = peer.client.exchange(message)
        assert again.payload == answer.payload
    assert len(site.masa.audit(device.serial)) == 1


@pytest.mark.parametrize("carrier", ["coaps", "https"])
def test_what_a_vanished_device_asked_for_is_finished_before_the_end(place, acme, domain, fake_masa,
                                                                     carrier):
    """The MASA is about to write down that it issued a voucher: so does a registrar that is told
    to stop meanwhile, for the device to fetch later."""
    fake_masa.delay = 1
    registrar = harness.Registrar(place / f"vanished-{carrier}", domain, [acme], coaps=True)
    site = Site(place, acme, domain, fake_masa, registrar)
    device = site.device()
    with harness.running(registrar):
        if carrier == "coaps":
            with site.constrained_peer(device) as peer:
                path = coap.path_options("/.well-known/brski/rv")
                kind = (coap.CONTENT_FORMAT, coap.uint(constrained.VOUCHER))
                peer.client.send(coap.Message(coap.CON, coap.POST, 1, b"t", [*path, kind], peer.pvr()))
                fake_masa.wait_seen("/requestvoucher")
        else:
            with site.peer(device) as peer:
                peer.connection.send(peer.connection.request_octets(
                    "POST", "/.well-known/brski/requestvoucher", peer.pvr(), CMS_TYPE))
                fake_masa.wait_seen("/requestvoucher")
        assert registrar.stop() == 0
    assert registrar.lines("event=stopped drain=complete")
    (voucher,), = rows(registrar.directory / "registrar.db",
                       "SELECT voucher FROM device WHERE serial = ?", device.serial)
    assert voucher


# -- long datagrams

@req("B-09", "D-09")
def test_no_datagram_is_longer_than_the_link_takes(site):
    attempt, = go_all(site, [{"mtu": 1024}])
    all_joined([attempt])
    assert attempt.link.count["too long"] == 0


@req("B-09", "B-12", "D-09")
def test_a_link_of_600_octets(place, acme, domain, coaps_site):
    """Both ends have to be told: nobody can find out within a handshake."""
    registrar = harness.Registrar(place / "registrar-600", domain, [acme], coaps=True,
                                  changes={"coaps": {"mtu": 600}})
    with harness.running(registrar):
        site = Site(place, acme, domain, coaps_site.masa, registrar)
        attempt, = go_all(site, [{"mtu": 600}], {"coaps": {"mtu": 600}})
        all_joined([attempt])
        assert attempt.link.count["too long"] == 0


# -- another address

def test_a_new_address_in_the_middle_costs_time_and_nothing_else(site):
    """DTLS 1.2 here has no connection identifiers (RFC 9146): a device whose NAT forgot it is a
    stranger in the middle of its association. Its requests find no answer; it gives the association
    up after the time for one answer, and joins over a new one."""
    attempt, = prepare(site, 1, {"retry": {"timeout": "5s"}})
    with Relay(site.registrar.coaps_port) as link:
        moved = []

        def rebind_once(way, number, _datagram):
            if way == UP and number == 6 and not moved:
                moved.append(True)
                link.rebind()
            return False

        link.lose = rebind_once
        attempt.point(link.port)
        attempt.join(link)
        assert link.count["rebound"] == 1
    all_joined([attempt])
    assert attempt.took > 4


@req("D-12")
def test_an_old_hello_does_not_end_an_association(site):
    """A ClientHello that was under way for long, or that somebody repeats, changes nothing for the
    peer whose address it has (RFC 6347 §4.2.8)."""
    with site.constrained_peer(site.device()) as peer:
        assert peer.request_voucher().said == "2.04"
        hellos = [d for d in peer.client.sent if d[:1] == b"\x16" and d[13:14] == b"\x01"]
        assert len(hellos) == 2, "one without and one with the cookie"
        for hello in hellos:
            peer.client.throw(hello)
        assert peer.voucher_status().said == "2.04"
        assert peer.crts().said == "2.05"
