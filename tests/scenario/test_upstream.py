# SPDX-License-Identifier: Apache-2.0
"""The registrar when its MASA is dead, hangs, answers with errors, or has bad addresses beside good
ones: what devices are told, what it costs, and that all is well again when the MASA is."""
import concurrent.futures
import contextlib
import os
import signal
import socket
import threading
import time

import pytest

import harness
import places
from admin_api import Api
from brski_peer import forge
from brski_peer.ports import free_port
from brski_peer.server import text

SHORT = {"masa": {"connect_timeout": "1s", "timeout": "2s", "failures": "2", "pause": "2s"}}


@pytest.fixture
def upstream(cell, acme, domain):
    """A real MASA and a registrar that soon gives up on it; of this test alone."""
    masa = harness.Masa(cell / "masa", acme)
    registrar = harness.Registrar(cell / "registrar", domain, [acme], changes=SHORT)
    with harness.running(masa, registrar):
        yield places.Site(cell, acme, domain, masa, registrar)


def ask(site, device):
    """One voucher-request of the device over a connection of its own: reply, seconds it took."""
    began = time.monotonic()
    with site.peer(device) as pledge:
        reply = pledge.request_voucher()
    return reply, time.monotonic() - began


def gate(site):
    """What the registrar thinks of the one address that it has asked."""
    (only,) = Api(site.registrar).get("/api/v1/status").json["masa_addresses"]
    return only


def joins(site, device):
    return ask(site, device)[0].status == 200


def is_left_alone(site):
    """Whoever asks now is told to come back, at once and with a time."""
    devices = [site.device(known=False) for _ in range(3)]
    replies = [ask(site, d) for d in devices]
    assert [r.status for r, _ in replies] == [503] * 3
    assert max(took for _, took in replies) < 0.5
    waits = [int(r.header("retry-after")) for r, _ in replies]
    assert all(1 <= w <= 60 for w in waits), waits
    assert gate(site)["state"] == "open"


def breaks(site, break_it, mend_it, statuses):
    device = site.device()
    assert joins(site, device)
    assert gate(site)["state"] == "closed"
    break_it()
    others = [site.device(known=False) for _ in range(2)]
    assert {ask(site, d)[0].status for d in others} <= statuses
    is_left_alone(site)
    said = site.registrar.ctl("status", check=None).stdout
    assert "left alone" in said, said
    mend_it()
    late = site.device()
    harness.wait_until(lambda: joins(site, late), "the device joins once its MASA is back")
    assert gate(site)["state"] == "closed"
    assert site.registrar.lines("masa-left-alone") and site.registrar.lines("masa-asked-again")


def test_masa_that_was_killed(upstream):
    breaks(upstream, upstream.masa.kill, upstream.masa.start, {502, 503})


def test_masa_that_hangs(upstream):
    breaks(upstream, lambda: upstream.masa.signal(signal.SIGSTOP),
           lambda: upstream.masa.signal(signal.SIGCONT), {502, 504})


def test_masa_that_answers_with_errors(cell, acme, domain, fake_masa):
    registrar = harness.Registrar(cell / "registrar", domain, [acme], changes=SHORT)
    with harness.running(registrar):
        site = places.Site(cell, acme, domain, fake_masa, registrar)
        breaks(site, lambda: setattr(fake_masa, "answer", lambda request: text(500, "broken")),
               fake_masa.be_honest, {502})


def test_a_refusal_is_an_answer(cell, acme, domain, fake_masa):
    """A MASA that says no to many devices is well."""
    registrar = harness.Registrar(cell / "registrar", domain, [acme], changes=SHORT)
    fake_masa.answer = lambda request: text(403, "no")
    with harness.running(registrar):
        site = places.Site(cell, acme, domain, fake_masa, registrar)
        assert [ask(site, site.device())[0].status for _ in range(4)] == [403] * 4
        assert gate(site)["state"] == "closed"


# -- several addresses

def test_second_url_of_a_masa_is_asked_when_the_first_is_dead(cell, acme, domain):
    masa = harness.Masa(cell / "masa", acme)
    dead = free_port()
    registrar = harness.Registrar(cell / "registrar", domain, [acme], changes=harness.merged(
        SHORT, {"manufacturer Acme": {
            "masa_url": f"https://localhost:{dead} https://localhost:{masa.port}"}}))
    with harness.running(masa, registrar):
        site = places.Site(cell, acme, domain, masa, registrar)
        for _ in range(4):
            reply, took = ask(site, site.device())
            assert reply.status == 200 and took < 1
        states = {g["masa"]: g["state"] for g in Api(registrar).get("/api/v1/status").json[
            "masa_addresses"]}
        assert states == {f"localhost:{dead}": "open", f"localhost:{masa.port}": "closed"}


@contextlib.contextmanager
def deaf(address, port):
    """An address that drops every SYN: its backlog is full."""
    with socket.socket() as listener, contextlib.ExitStack() as kept:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(4):
            client = kept.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex((address, port))
        yield


@contextlib.contextmanager
def mute(address, port):
    """An address that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(64)
        yield


def with_hosts(process, directory, lines):
    """The process sees these lines in place of /etc/hosts."""
    hosts = directory / "hosts"
    hosts.write_text("\n".join(lines) + "\n")
    process.argv = ["unshare", "--mount", "sh", "-c",
                    'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts), *process.argv]
    return process


@contextlib.contextmanager
def listening_at(masa, address):
    harness.Process.start(masa)
    try:
        harness.wait_until(lambda: reachable(address, masa.port), f"the MASA at {address}")
        yield
    finally:
        masa.stop()


def reachable(address, port):
    with socket.socket() as s:
        return s.connect_ex((address, port)) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="a hosts file of one's own needs root")
@pytest.mark.parametrize("bad", [deaf, mute])
def test_a_dead_address_of_three_costs_one_device_little_and_the_others_nothing(
        cell, acme, domain, bad):
    tls = cell / "tls"
    harness.run(harness.program("brski-certs"), "masa", "--ca", acme.directory, "--out", tls,
                "--san", "DNS:masa.test", check=0)
    port = free_port()
    masa = harness.Masa(cell / "masa", acme, port=port, changes={"server": {
        "listen": f"127.0.0.3:{port}", "key": tls / "masa-tls.key",
        "certificate": tls / "masa-tls.crt"}})
    registrar = harness.Registrar(cell / "registrar", domain, [acme], changes={
        "masa": {"connect_timeout": "2s", "timeout": "10s"}})
    with_hosts(registrar, cell, ["127.0.0.1 localhost", "127.0.0.1 masa.test",
                                 "127.0.0.3 masa.test", "127.0.0.4 masa.test"])
    with bad("127.0.0.1", port), listening_at(masa, "127.0.0.3"), harness.running(registrar):
        site = places.Site(cell, acme, domain, masa, registrar)
        asked = [ask(site, site.device(masa_url=f"masa.test:{port}")) for _ in range(5)]
        print("seconds with a dead address of three:", [f"{took:.2f}" for _, took in asked])
        assert [reply.status for reply, _ in asked] == [200] * 5
        assert asked[0][1] < 4
        assert max(took for _, took in asked[1:]) < 0.5
