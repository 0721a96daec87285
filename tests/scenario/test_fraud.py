# SPDX-License-Identifier: Apache-2.0
"""Devices that ask again and again, and devices that are not who they seem to be: what the registrar
spares itself, what it notices, and what it does about it."""
import json

import pytest

import harness
from brski_peer import forge
from brski_peer.masa import FakeMasa
from brski_peer.ports import free_port
from places import Site
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
    assert lines(site, device).count(("claim", "pending")) == 2


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
