# SPDX-License-Identifier: Apache-2.0
"""Devices that ask again and again, and devices that are not who they seem to be: what the registrar
spares itself, what it notices, and what it does about it."""
import functools
import json
import signal
import socket
import time
from unittest import mock

import pytest

import harness
from brski_peer import forge
from brski_peer.masa import FakeMasa
from brski_peer.pledge import est_body
from brski_peer.ports import free_port
from brski_peer.wire import Connection
from places import Site
from test_registrar import assert_refused
from test_metrics import Scrape, changes, watched_registrar

WAIT = 0xa3  # 5.03
POLLED = ("pending_polls_total",)
ASKED_TO_WAIT = ("voucher_requests_total", "https", "pending")


@pytest.fixture(scope="module")
def site(place, acme, domain, masa_fake_server):
    """An administrator decides about every device."""
    registrar = watched_registrar(place / "registrar", domain, [acme], coaps=True, changes={
        f"manufacturer {acme.name}": {"admit": "hold"}})
    with harness.running(registrar):
        yield Site(place, acme, domain, masa_fake_server, registrar)


@pytest.fixture(autouse=True)
def honest(fake_masa):
    return fake_masa


def show(site, device):
    return json.loads(site.registrar.ctl("devices", "show", device.serial, "-o", "json").stdout)


def lines(site, device):
    return [(line["step"], line["outcome"]) for line in show(site, device)["journal"]]


# -- a device that waits

def test_the_same_octets_again__are_told_to_wait_by_their_digest(site):
    with site.peer(site.device()) as pledge:
        request = pledge.pvr()
        assert pledge.request_voucher(request).status == 202
        with changes(site.registrar) as told:
            for _ in range(3):
                reply = pledge.request_voucher(request)
                assert (reply.status, reply.header("retry-after")) == (202, "1")
    assert told == {POLLED: 3, ASKED_TO_WAIT: 3,
                    ("voucher_request_duration_seconds_count", "pending"): 3}


def test_the_same_octets_over_coaps__are_told_to_wait_by_their_digest(site):
    device = site.device()
    with site.constrained_peer(device) as pledge:
        request = pledge.pvr()
        assert pledge.request_voucher(request).code == WAIT
    with changes(site.registrar) as told, site.constrained_peer(device) as pledge:
        assert pledge.request_voucher(request).code == WAIT
    assert told[POLLED] == 1


def test_another_request__is_looked_at(site):
    device = site.device()
    with site.peer(device) as pledge, changes(site.registrar) as told:
        request = pledge.pvr()
        assert pledge.request_voucher(request).status == 202
        assert pledge.request_voucher(pledge.pvr()).status == 202
        assert pledge.request_voucher(request[:-1] + bytes([request[-1] ^ 1])).status == 403
    assert POLLED not in told
    assert lines(site, device).count(("claim", "pending")) == 1, "it waits all the same"


def test_the_same_octets_from_another_key__are_looked_at(site, cell, acme):
    device = site.device()
    with site.peer(device) as pledge:
        request = pledge.pvr()
        assert pledge.request_voucher(request).status == 202
    other = acme.idevid(device.serial, site.masa_url, where=cell / "copy")
    with site.peer(forge.load(*other)) as impostor, changes(site.registrar) as told:
        assert impostor.request_voucher(request).status == 403
    assert POLLED not in told


@pytest.mark.parametrize("verb, status", [("approve", 200), ("reject", 404)])
def test_a_decision__is_seen_by_the_very_next_request(site, verb, status):
    device = site.device()
    with site.peer(device) as pledge:
        request = pledge.pvr()
        assert [pledge.request_voucher(request).status for _ in range(2)] == [202, 202]
        site.registrar.ctl("claims", verb, device.serial)
        assert pledge.request_voucher(request).status == status


def test_a_rule__is_seen_by_the_very_next_request(site):
    device = site.device()
    with site.peer(device) as pledge:
        request = pledge.pvr()
        assert [pledge.request_voucher(request).status for _ in range(2)] == [202, 202]
        site.registrar.ctl("rules", "add", "approve", "--serial", device.serial)
        assert pledge.request_voucher(request).status == 200


# -- signals

@pytest.fixture(scope="module")
def lively(place, acme, domain, masa_fake_server):
    """Every device may join, twice a day, with three certificates."""
    registrar = watched_registrar(place / "lively", domain, [acme], coaps=True, changes={
        "policy": {"joins_per_day": 2, "renewals_per_day": 3},
        "audit": {"foreign_domain": "warn"}})
    with harness.running(registrar):
        yield Site(place, acme, domain, masa_fake_server, registrar)


@pytest.fixture(scope="module")
def strict(place, acme, domain, masa_fake_server):
    """Signals quarantine."""
    registrar = watched_registrar(place / "strict", domain, [acme], changes={
        "policy": {"quarantine_on": "second-key foreign-domain rejoin-while-renewing"},
        "audit": {"foreign_domain": "warn"}})
    with harness.running(registrar):
        yield Site(place, acme, domain, masa_fake_server, registrar)


def signals(site, device):
    return show(site, device)["signals"]


def marked(site, device, signal):
    """It bears the mark, and one line says why."""
    shown = show(site, device)
    said = [line for line in shown["journal"] if line["step"] == "fraud"]
    assert shown["signals"] == [signal] and shown["marks"] > 0
    assert [line["outcome"] for line in said] == [signal] and said[0]["reason"]
    return True


def coming_from(address):
    """How a peer connects from an address of this machine."""
    def connect(port, **more):
        there = functools.partial(socket.create_connection, source_address=(address, 0))
        with mock.patch("brski_peer.wire.socket.create_connection", there):
            return Connection(port, **more)
    return connect


def ask_from(site, device, address, request=None):
    with site.peer(device, connect=coming_from(address)) as pledge:
        request = request or pledge.pvr()
        assert pledge.request_voucher(request).status == 202
    return request


def another_key(site, cell, device):
    """An IDevID of the same name."""
    return forge.load(*site.manufacturer.idevid(device.serial, site.masa_url, where=cell / "copy"))


def renew(site, cell, certificate, key, status=200):
    with site.peer(forge.save(cell, "ldevid", key, [certificate])) as client:
        reply = client.post_csr(est_body(client.csr()), "simplereenroll")
    assert reply.status == status, reply.text
    return reply


def clear_marks(site, device, *options, check=0):
    return site.registrar.ctl("devices", "clear-marks", device.serial, *options, check=check)


def test_two_networks_in_turns__are_taken_for_a_clone(site):
    device = site.device()
    ask_from(site, device, "127.0.0.1")
    ask_from(site, device, "127.0.1.1")
    assert signals(site, device) == [], "it was moved"
    with changes(site.registrar) as told:
        ask_from(site, device, "127.0.0.2")
    assert told["fraud_signals_total", "clone-suspected"] == 1
    assert marked(site, device, "clone-suspected")
    ask_from(site, device, "127.0.1.1")
    assert marked(site, device, "clone-suspected"), "and is not said again"
    assert show(site, device)["claim"] == "pending"


def test_a_warehouse_with_two_uplinks__is_not(site):
    device, others = site.device(), [site.device() for _ in range(3)]
    request = ask_from(site, device, "127.0.0.1")
    for address in ("127.0.1.1", "127.0.0.1", "127.0.1.1"):
        ask_from(site, device, address, request)
    for other in others:
        ask_from(site, other, "127.0.0.1")
    assert [signals(site, d) for d in (device, *others)] == [[]] * 4


def test_a_second_key__marks_the_device(site, cell):
    device = site.device()
    ask_from(site, device, "127.0.0.1")
    with site.peer(another_key(site, cell, device)) as pledge:
        assert pledge.request_voucher().status == 202
    assert marked(site, device, "second-key")


def test_a_second_key_over_coaps__marks_the_device(site, cell):
    device = site.device()
    for identity in (device, another_key(site, cell, device)):
        with site.constrained_peer(identity) as pledge:
            assert pledge.request_voucher().code == WAIT
    assert marked(site, device, "second-key")


def test_marks__are_cleared_for_a_reason_and_may_come_again(site, cell):
    device = site.device()
    ask_from(site, device, "127.0.0.1")
    assert "no marks" in clear_marks(site, device, "--reason", "none", check=1).stderr
    other = another_key(site, cell, device)
    for identity in (other, device):
        with site.peer(identity) as pledge:
            assert pledge.request_voucher().status == 202
    for listed in ("claims", "devices"):
        said = json.loads(site.registrar.ctl(listed, "list", "--match", "signal=second-key", "-o",
                                             "json").stdout)
        assert (device.serial in {row["serial"] for row in said}) == (listed == "claims")
        assert all("second-key" in row["signals"] for row in said)
    assert "second-key" in site.registrar.ctl("doctor", device.serial, check=None).stdout
    assert "why" in clear_marks(site, device, check=1).stderr
    clear_marks(site, device, "--reason", "its board was changed")
    shown = show(site, device)
    assert (shown["signals"], shown["marks"]) == ([], 0)
    cleared = [line for line in shown["journal"] if line["outcome"] == "cleared"]
    assert [(line["step"], line["reason"]) for line in cleared] == [
        ("device", "its board was changed")] and cleared[0]["by"]
    with site.peer(other) as pledge:
        assert pledge.request_voucher().status == 202
    assert signals(site, device) == ["second-key"]


def test_a_device_that_looped__goes_on_when_its_marks_are_cleared(lively):
    device = lively.device()
    with lively.peer(device) as pledge:
        assert [pledge.request_voucher().status for _ in range(3)] == [200, 200, 503]
        clear_marks(lively, device, "--reason", "it was us")
        assert pledge.request_voucher().status == 200


def test_a_device_that_joins_again_while_it_renews__is_marked(lively, cell):
    device = lively.device()
    with lively.peer(device) as pledge:
        certificate, key = pledge.join()
    renew(lively, cell, certificate, key)
    with lively.peer(device) as pledge:
        assert pledge.request_voucher().status == 200
    assert marked(lively, device, "rejoin-while-renewing")


def next_second():
    """Times are kept in seconds."""
    before = int(time.time())
    harness.wait_until(lambda: int(time.time()) > before, "the next second")


def test_a_certificate_of_before_it_joined_again__marks_when_it_renews(lively, cell):
    device = lively.device()
    with lively.peer(device) as pledge:
        certificate, key = pledge.join()
    next_second()
    with lively.peer(device) as pledge:
        assert pledge.request_voucher().status == 200
    assert signals(lively, device) == [], "a reset is none"
    renew(lively, cell, certificate, key)
    assert marked(lively, device, "rejoin-while-renewing")


def sold_on(masa):
    """A history in which another domain got a voucher after us."""
    def history(serial):
        log = masa.foreign_history(serial)
        log["events"][0]["date"] = "2099-01-01T00:00:00Z"
        return log
    return history


def test_a_foreign_domain_after_us__marks_at_the_next_look(lively, fake_masa):
    device, bought = lively.device(), lively.device()
    with lively.peer(device) as pledge:
        pledge.join()
    fake_masa.audit = sold_on(fake_masa)
    with lively.peer(device) as pledge:
        assert pledge.request_voucher().status == 200
    assert marked(lively, device, "foreign-domain")
    fake_masa.audit = fake_masa.foreign_history
    with lively.peer(bought) as pledge:
        assert pledge.request_voucher().status == 200
    assert signals(lively, bought) == [], "it was another's before it was ours"


def test_more_vouchers_than_a_day_has__are_refused_for_a_while(lively):
    device = lively.device()
    with lively.peer(device) as pledge, changes(lively.registrar) as told:
        assert [pledge.request_voucher().status for _ in range(2)] == [200, 200]
        again = pledge.pvr()
        for request in (again, again, pledge.pvr()):
            reply = assert_refused(pledge.request_voucher(request), 503)
            assert reply.header("retry-after") == "60"
    assert told["fraud_signals_total", "looping"] == 1
    assert told["rate_limited_total", "joins"] == 3
    assert marked(lively, device, "looping")
    assert len(lines(lively, device)) == 3, "two vouchers and the mark"


def test_more_vouchers_over_coaps__are_refused_too(lively):
    device = lively.device()
    for _ in range(2):
        with lively.constrained_peer(device) as pledge:
            assert pledge.request_voucher().said == "2.04"
    with lively.constrained_peer(device) as pledge:
        assert pledge.request_voucher().code == WAIT
    assert marked(lively, device, "looping")


def test_more_certificates_than_a_day_has__are_refused_but_answers_repeated(lively):
    device = lively.device()
    with lively.peer(device) as pledge:
        assert pledge.request_voucher().status == 200
        bodies = [est_body(pledge.csr()) for _ in range(4)]
        assert [pledge.post_csr(body).status for body in bodies[:3]] == [200] * 3
        reply = assert_refused(pledge.post_csr(bodies[3]), 503)
        assert reply.header("retry-after") == "3600"
        assert pledge.post_csr(bodies[0]).status == 200
        assert_refused(pledge.post_csr(bodies[3]), 503)
    assert marked(lively, device, "looping")
    assert len([s for s in lines(lively, device) if s[0] == "enroll"]) == 3


# -- policy

def test_a_second_key__quarantines_by_policy_and_is_held(strict, cell, fake_masa):
    device = strict.device()
    with strict.peer(device) as pledge:
        certificate, key = pledge.join()
    asked = len(fake_masa.seen("/requestvoucher"))
    with strict.peer(another_key(strict, cell, device)) as pledge:
        for _ in range(2):
            reply = pledge.request_voucher()
            assert reply.status == 202 and "quarantined" in reply.text
    assert len(fake_masa.seen("/requestvoucher")) == asked
    shown = show(strict, device)
    assert (shown["state"], shown["quarantine_reason"]) == ("quarantined", "second-key")
    by_policy = [line for line in shown["journal"] if line["outcome"] == "quarantined"]
    assert [(line["step"], line["by"]) for line in by_policy] == [("device", "policy")]
    renew(strict, cell, certificate, key, status=403)


def test_a_foreign_domain__quarantines_before_the_voucher_is_given(strict, fake_masa):
    device = strict.device()
    with strict.peer(device) as pledge:
        pledge.join()
    fake_masa.audit = sold_on(fake_masa)
    with strict.peer(device) as pledge:
        assert pledge.request_voucher().status == 202
    assert show(strict, device)["state"] == "quarantined"


def test_a_renewal_of_before_it_joined_again__quarantines_and_gets_none(strict, cell):
    device = strict.device()
    with strict.peer(device) as pledge:
        certificate, key = pledge.join()
    next_second()
    with strict.peer(device) as pledge:
        assert pledge.request_voucher().status == 200
    renew(strict, cell, certificate, key, status=403)
    assert show(strict, device)["state"] == "quarantined"


# -- room

@pytest.mark.file_store
def test_too_little_room__new_work_waits_and_nothing_else(cell, acme, domain, masa_fake_server):
    """A floor that no disk has room above stands for a full one."""
    def configured(floor_mb):
        return harness.Registrar(cell, domain, [acme], changes={
            "store": {"free_floor": floor_mb}, f"manufacturer {acme.name}": {"admit": "hold"}})

    registrar = configured(1)
    with harness.running(registrar):
        site = Site(cell, acme, domain, masa_fake_server, registrar)
        waiting, approved, joined, late = (site.device() for _ in range(4))
        requests = {}
        for device in (waiting, approved):
            requests[device] = ask_from(site, device, "127.0.0.1")
        site.registrar.ctl("rules", "add", "approve", "--serial", joined.serial)
        with site.peer(joined) as pledge:
            certificate, key = pledge.join()
        configured_before = registrar.config.read_text()
        registrar.config.write_text(configured_before.replace("free_floor = 1\n",
                                                              "free_floor = 1000000000\n"))
        registrar.signal(signal.SIGHUP)
        registrar.wait_log("event=reloaded")
        time.sleep(0.3)  # it looks four times a second
        registrar.ctl("claims", "approve", approved.serial)
        for device in (late, approved):
            with site.peer(device) as pledge:
                reply = assert_refused(pledge.request_voucher(requests.get(device)), 503)
                assert reply.header("retry-after") == "60"
        renew(site, cell, certificate, key, status=503)
        ask_from(site, waiting, "127.0.0.1", requests[waiting])
        registrar.config.write_text(configured_before)
        registrar.signal(signal.SIGHUP)
        harness.wait_until(lambda: len(registrar.lines("event=reloaded")) == 2, "the reload")
        time.sleep(0.3)
        with site.peer(approved) as pledge:
            assert pledge.request_voucher(requests[approved]).status == 200
        renew(site, cell, certificate, key)
        harness.wait_until(lambda: "space-recovered" in registrar.ctl("audit", "list").stdout, "it")
        log = json.loads(registrar.ctl("audit", "list", "-o", "json").stdout)
        assert [s["outcome"] for s in log if s["step"] == "store"] == ["low-space", "space-recovered"]
        assert not [s for s in log if s["serial"] == late.serial], "not a line each time"


# -- a MASA that goes and comes back

def test_a_masa_that_is_gone__is_one_line_and_so_is_its_return(cell, acme, domain):
    port = free_port()
    registrar = watched_registrar(cell, domain, [acme], changes={
        f"manufacturer {acme.name}": {"masa_url": f"localhost:{port}"}})

    def said():
        log = json.loads(registrar.ctl("audit", "list", "-o", "json").stdout)
        return [(line["manufacturer"], line["serial"], line["outcome"]) for line in log
                if line["step"] == "masa" and not line["serial"]]

    with harness.running(registrar):
        site = Site(cell, acme, domain, None, registrar)
        for _ in range(3):
            with site.peer(site.device(masa_url="localhost:1")) as pledge:
                assert pledge.request_voucher().status == 503
        harness.wait_until(said, "the line")
        assert said() == [(acme.name, None, "unreachable")]
        assert Scrape(registrar)[("masas_unreachable",)] == 1
        with FakeMasa(acme.directory, port=port):
            for _ in range(2):
                with site.peer(site.device(masa_url="localhost:1")) as pledge:
                    assert pledge.request_voucher().status == 200
        harness.wait_until(lambda: len(said()) > 1, "the second line")
        assert said() == [(acme.name, None, "unreachable"), (acme.name, None, "recovered")]
        assert Scrape(registrar)[("masas_unreachable",)] == 0
