# SPDX-License-Identifier: Apache-2.0
"""Two registrars and two MASAs, each pair with one PostgreSQL: what one was told holds at the other,
what is done once is done by one, and none of it needs a device to come back to where it was."""
import json
import re
import socket
import threading
import time
from unittest import mock

import pytest
from cryptography import x509

import harness
from admin_api import Api
from brski_peer import forge
from brski_peer.pledge import est_body
from brski_peer.wire import Closed, Connection
from several import Several, ready
from test_hooks import Receiver


@pytest.fixture(scope="module")
def here(place, acme, domain):
    with Several(place / "several", acme, domain).running() as several:
        yield several


def ask(site, device, body=None):
    """(status, body, the request that was sent)"""
    with site.peer(device) as peer:
        sent = body or peer.pvr()
        reply = peer.request_voucher(sent)
    return reply.status, reply.body, sent


def ask_through_balancer(here, device):
    """None while the balancer has not seen yet that one is ready."""
    try:
        return ask(here.both, device)[0]
    except Closed:
        return None


def approve(registrar, device):
    registrar.ctl("claims", "approve", device.serial, "--reason", "ours")


def admitted(here, device):
    """It may join."""
    assert ask(here.a, device)[0] == 202
    approve(here.registrars[0], device)
    return device


@pytest.mark.req("R8995-REG-016", "R8995-REG-019")
def test_a_request_that_one_holds_is_taken_up_by_the_other(here):
    device = here.device()
    status, _, sent = ask(here.a, device)
    assert status == 202
    assert ask(here.b, device, sent)[0] == 202
    assert len([c for c in here.registrars[1].claims("pending") if c["serial"] == device.serial]) == 1
    approve(here.registrars[0], device)
    status, voucher, _ = ask(here.b, device, sent)
    assert status == 200
    assert ask(here.a, device, sent)[:2] == (200, voucher)
    assert len(here.issued(device.serial)) == 1


def at_once(*calls):
    """Run them together; what each returned."""
    results, barrier = [None] * len(calls), threading.Barrier(len(calls))

    def run(n, call):
        barrier.wait()
        results[n] = call()
    threads = [threading.Thread(target=run, args=(n, c)) for n, c in enumerate(calls)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results


@pytest.mark.req("R8995-REG-016")
def test_a_device_that_asks_both_at_once_is_vouched_for_once(here):
    for _ in range(6):
        device = admitted(here, here.device())
        with here.a.peer(device) as peer:
            sent = peer.pvr()
        first = at_once(lambda: ask(here.a, device, sent), lambda: ask(here.b, device, sent))
        assert {r[0] for r in first} <= {200, 202}
        for site in (here.a, here.b):
            harness.wait_until(lambda s=site: ask(s, device, sent)[0] == 200, "a voucher")
        assert len({ask(site, device, sent)[1] for site in (here.a, here.b)}) == 1
        assert len(here.issued(device.serial)) == 1


def test_a_rule_that_one_was_given_is_in_force_at_the_other(here):
    rule = json.loads(here.registrars[0].ctl("rules", "add", "approve", "--serial", "RULED-*", "-o", "json").stdout)["id"]
    number = iter(range(100))
    harness.wait_until(lambda: ask(here.b, here.device(serial=f"RULED-{next(number)}"))[0] == 200, "the rule at the other")
    here.registrars[1].ctl("rules", "remove", str(rule))
    harness.wait_until(lambda: ask(here.a, here.device(serial=f"RULED-{next(number)}"))[0] == 202, "no rule any more")


def crl(path):
    found = x509.load_der_x509_crl(path.read_bytes())
    return found, found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def test_revoked_at_one_is_refused_at_the_other_and_on_the_list_of_both(here, cell):
    device = admitted(here, here.device())
    with here.b.peer(device) as peer:
        certificate, key = peer.join()
    here.registrars[0].ctl("devices", "revoke", device.serial)
    identity = ldevid(cell, device, key, certificate)
    with here.b.peer(identity) as peer:
        reply = peer.post_csr(peer_csr(peer), "simplereenroll")
        assert reply.status == 403, reply.text
    assert ask(here.b, device)[0] in (202, 403)

    def both():
        lists = [crl(here.directory / f"{n}.crl") for n in "ab"]
        return lists[0][1] == lists[1][1] and all(
            found.get_revoked_certificate_by_serial_number(certificate.serial_number) for found, _ in lists)
    harness.wait_until(both, "it on the lists of both")


def ldevid(cell, device, key, certificate):
    return forge.save(cell, device.serial, key, [certificate])


def peer_csr(peer):
    return est_body(peer.csr())


def test_a_renewal_goes_to_whichever_is_there(here, cell):
    device = admitted(here, here.device())
    with here.a.peer(device) as peer:
        certificate, key = peer.join()
    identity = ldevid(cell, device, key, certificate)
    with here.b.peer(identity) as peer:
        body = peer_csr(peer)
        first = peer.post_csr(body, "simplereenroll")
        assert first.status == 200, first.text
    with here.a.peer(identity) as peer:  # the answer was lost: the same request gets the same certificate
        assert peer.post_csr(body, "simplereenroll").body == first.body


def test_who_logged_in_at_one_is_known_at_the_other(here):
    a, b = here.registrars
    a.ctl("users", "add", "ann", "--role", "admin")
    token = a.ctl("tokens", "add", "--name", "robot", "--user", "ann", "-o", "ids").stdout.strip()
    for registrar in (a, b):
        robot = Api(registrar, registrar.admin_port, {"Authorization": f"Bearer {token}"})
        assert robot.get("/api/v1/session").json["user"] == "ann"
    through = Api(a, here.admin_front, {"Authorization": f"Bearer {token}"})
    assert {through.get("/api/v1/session").json["user"] for _ in range(4)} == {"ann"}
    gone = json.loads(b.ctl("tokens", "list", "-o", "json").stdout)[0]["id"]
    b.ctl("tokens", "remove", str(gone))
    assert Api(a, a.admin_port, {"Authorization": f"Bearer {token}"}).get("/api/v1/session").status == 401


def test_a_device_joins_through_the_balancer_and_is_known_by_its_own_address(here):
    device = admitted(here, here.device())
    before = {daemon: daemon.log_size() for daemon in (*here.registrars, *here.masas)}
    assert here.both.pledge(device, urls=[here.both.url]).join().returncode == 0
    shown = json.loads(here.registrars[1].ctl("devices", "show", device.serial, "-o", "json").stdout)
    assert "127.0.0.9" not in json.dumps(shown) and "127.0.0.1" in json.dumps(shown)
    assert not any(daemon.lines("proxied-refused", since) for daemon, since in before.items())


def test_a_rule_goes_by_the_address_that_the_balancer_tells(here):
    rule = json.loads(here.registrars[0].ctl("rules", "add", "approve", "--network", "127.0.0.5/32", "-o", "json").stdout)["id"]

    def ask_from(address):
        def connect(port, **more):
            with_source = socket.create_connection
            with mock.patch("socket.create_connection", lambda *a, **k: with_source(*a, **k, source_address=(address, 0))):
                return Connection(port, **more)
        with here.both.peer(here.device(), connect=connect) as peer:
            return peer.request_voucher().status
    harness.wait_until(lambda: [ask_from("127.0.0.5") for _ in here.registrars] == [200, 200], "both have read it")
    assert [ask_from(a) for a in ("127.0.0.5", "127.0.0.6") * 2] == [200, 202] * 2
    here.registrars[0].ctl("rules", "remove", str(rule))


def test_who_speaks_for_a_balancer_must_say_for_whom(here):
    """The balancer's address without its header; somebody else with one."""
    port = here.registrars[0].port
    told = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([127, 0, 0, 5, 127, 0, 0, 1, 0x9C, 0x40, 0x20, 0xFB])
    for source, first in (("127.0.0.9", b"\x16\x03\x01"), ("127.0.0.9", told + told), ("127.0.0.9", b"PROXY TCP4 "), ("127.0.0.4", told)):
        with socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0)) as s:
            s.sendall(first + b"x" * 40)
            try:
                assert not s.recv(100).startswith(b"\x16")  # no handshake: closed, or an alert
            except ConnectionResetError:
                pass
    assert len(here.registrars[0].lines("proxied-refused")) >= 2


def test_two_masas_keep_one_log_and_answer_a_request_once(here):
    vouchers = [m.lines("event=voucher-issued") for m in here.masas]
    assert all(vouchers), "the balancer gives work to both"
    for daemon in (*here.masas, *here.registrars):
        assert daemon.ctl("audit", "verify").returncode == 0


def test_an_owner_told_to_one_masa_is_known_to_the_other(here, domain):
    here.masas[0].ctl("owners", "add", "site", domain.file("root.crt"))

    def accepted():
        (here.masas[1].directory / "owned.csv").write_text("serial,owner\nOWNED-1,site\n")
        return here.masas[1].ctl("devices", "import", here.masas[1].directory / "owned.csv", check=None).returncode == 0
    harness.wait_until(accepted, "the owner at the other")


def test_a_hook_is_told_once_whoever_leads(here):
    receiver = Receiver()
    _, other = here.leader()
    other.ctl("hooks", "add", receiver.url, "--type", "claim.pending")
    device = here.device()
    assert ask(here.a, device)[0] == 202 and ask(here.b, device)[0] == 202
    harness.wait_until(lambda: receiver.got, "the event")
    time.sleep(1)
    mine = [json.loads(body) for _, body, _ in receiver.got if device.serial.encode() in body]
    assert len({e["id"] for e in mine}) == len(mine) >= 1


def test_events_of_one_are_heard_at_the_other(here):
    api = Api(here.registrars[1])
    after = api.get("/api/v1/events?after=end").json["next"]
    heard = {}
    waiting = threading.Thread(target=lambda: heard.update(page=Api(here.registrars[1]).get(
        f"/api/v1/events?after={after}&wait=50&types=brski.claim.pending").json))
    waiting.start()
    device = here.device()
    began = time.monotonic()
    assert ask(here.a, device)[0] == 202
    waiting.join()
    assert time.monotonic() - began < 25
    assert heard["page"]["items"][0]["subject"].endswith(device.serial)


def test_one_leads_and_seals_and_both_say_they_are_there(here):
    leads, other = here.leader()
    assert len(here.sql("registrar", "SELECT id FROM member")) == 2
    assert not other.lines("event=store-leads")


def test_a_switch_of_the_issuing_ca_at_one_is_followed_by_the_other(here, cell, domain):
    harness.run(harness.program("brski-certs"), "standby", "--ca", domain.directory, "--out", cell, check=0)

    def configure(registrar):
        registrar.config.write_text(registrar.config.read_text().replace(
            "[ca]", f"[ca]\nstandby_key = {cell}/standby.key\nstandby_certificate = {cell}/standby.crt"))
        assert Api(registrar).post("/api/v1/reload", {}).status == 200

    def issues(registrar):
        return [ca["name"] for ca in Api(registrar).get("/api/v1/ca").json["items"] if ca["issues"]]

    a, b = here.registrars
    configure(a)  # the other one has the old configuration still: it says so, once
    a.ctl("ca", "switch", "--to", "standby", "--yes")
    b.wait_log("event=ca-chosen-is-not-configured")
    for _ in range(4):
        assert ask(here.a, here.device())[0] == 202
        time.sleep(0.3)
    assert len(b.lines("ca-chosen-is-not-configured")) == 1
    b.ctl("ca", "switch", "--to", "primary", "--yes")  # what it does for want of the other is a choice, too
    harness.wait_until(lambda: issues(a) == ["primary"], "primary issues at the first")
    configure(b)
    for name in ("standby", "primary"):
        a.ctl("ca", "switch", "--to", name, "--yes")
        assert issues(a) == [name]
        harness.wait_until(lambda wanted=name: issues(b) == [wanted], f"{name} issues at the other")


def test_one_after_the_other_is_restarted_and_devices_go_on_joining(here):
    joined, stop = [], threading.Event()
    here.registrars[0].ctl("rules", "add", "approve", "--serial", "ROLLING-*")
    devices = (here.device(serial=f"ROLLING-{n}") for n in range(1000))

    def join():
        while not stop.is_set():
            device = next(devices)
            harness.wait_until(lambda d=device: ask_through_balancer(here, d) == 200, f"{device.serial} has its voucher")
            joined.append(device)
    thread = threading.Thread(target=join)
    thread.start()
    try:
        for registrar in here.registrars:
            before = len(joined)
            registrar.restart()
            harness.wait_until(lambda r=registrar: ready(r), "it is back")
            harness.wait_until(lambda n=before: len(joined) > n + 1, "devices join")
    finally:
        stop.set()
        thread.join()
    assert here.sql("registrar", "SELECT count(*) FROM member") == [["2"]]
    harness.wait_until(lambda: here.sql("registrar", "SELECT count(*) FROM reservation") == [["0"]], "no device in hand")
    for device in joined:
        outcomes = here.sql("registrar", f"SELECT count(*) FROM journal WHERE serial = '{device.serial}' AND step = 'voucher'")
        assert int(outcomes[0][0]) >= 1


def test_while_the_database_is_away_devices_are_told_to_come_back(here):
    device = admitted(here, here.device())
    here.postgres.kill()
    for registrar in here.registrars:
        harness.wait_until(lambda r=registrar: not ready(r), "/readyz says no")
        assert registrar.alive()
    waits = set()
    for site in (here.a, here.b) * 6:
        with site.peer(device) as peer:
            reply = peer.request_voucher()
        assert reply.status == 503, (reply.status, reply.text)
        waits.add(int(reply.header("Retry-After")))
    assert len(waits) > 1 and all(1 <= w <= 60 for w in waits)
    here.postgres.start()
    for registrar in here.registrars:
        harness.wait_until(lambda r=registrar: ready(r), "/readyz says yes")
    harness.wait_until(lambda: ask_through_balancer(here, device) == 200, "the voucher")
    assert len(here.sql("registrar", "SELECT id FROM member")) == 2


@pytest.mark.slow
def test_nobody_is_taken_for_dead_while_nothing_can_be_written(here):
    """Somebody holds a table for longer than a registrar may be silent: all of them are then."""
    before = [r.log_size() for r in here.registrars]
    here.sql("registrar", "BEGIN; LOCK TABLE member IN EXCLUSIVE MODE; SELECT pg_sleep(40); COMMIT")
    for registrar in here.registrars:
        harness.wait_until(lambda r=registrar: ready(r), "ready")
    time.sleep(6)  # a beat
    for registrar, since in zip(here.registrars, before):
        assert not registrar.lines("alert-member-lost|member-was-lost", since)


@pytest.mark.slow
def test_what_a_registrar_had_in_hand_is_free_when_it_has_died(lab, acme, domain):
    """After the other tests' site: one registrar is gone for good."""
    with Several(lab / "several-dying", acme, domain).running() as here:
        leads, other = here.leader()
        mine = re.search("member=([0-9a-f]+)", leads.lines("event=member-joined")[0])[1]
        theirs = [row[0] for row in here.sql("registrar", "SELECT id FROM member") if row[0] != mine][0]
        columns = "id, state, kind, what, total, done, failed, begun, member"
        for number, member in ((1, mine), (2, theirs)):
            here.sql("registrar", f"INSERT INTO job ({columns}) VALUES ({number}, 1, 'approve', 'x', 9, 0, 0, 1, '{member}')")
        leads.kill()
        harness.wait_until(lambda: other.lines("event=store-leads"), "another one leads", 30)
        harness.wait_until(lambda: here.sql("registrar", "SELECT state FROM job ORDER BY id") == [["4"], ["1"]],
                           "the job of the dead one interrupted", 90)
        assert other.lines("alert-member-lost")
        device = here.device()
        site = here.b if other is here.registrars[1] else here.a
        assert ask(site, device)[0] == 202
        approve(other, device)
        harness.wait_until(lambda: ask_through_balancer(here, device) == 200, "a voucher through the balancer")
