# SPDX-License-Identifier: Apache-2.0
"""The pledge in networks that are not what they seem: captive portals, name servers that lie,
registrars that do not take its certificate, clocks that were never set. Each ends in a line that
says so, and when the real registrar appears the same process joins there.
"""
import contextlib
import os
import pathlib
import socket
import ssl
import struct
import threading
import time

import pytest

import harness
import netns
from brski_peer import certs, forge
from brski_peer.registrar import FakeRegistrar
from brski_peer.server import Answer
from places import Device

req = pytest.mark.req

JOINED, FAILED, REFUSED, NOBODY, BAD_VOUCHER = 0, 1, 3, 4, 5
PAGE = b"<!DOCTYPE html><html><body>Welcome! Please log in.</body></html>"
YEAR = 365 * 86400


@pytest.fixture
def device(acme):
    return Device(acme, "masa.example")


def real(domain, acme, port=0, **more):
    return FakeRegistrar(domain.registrar_dir / "registrar.crt", domain.registrar_dir / "registrar.key",
                         domain.directory, acme.directory, port=port, **more)


def patient_pledge(cell, device, *urls):
    """It tries on and on, each second."""
    return once(cell, device, *urls, changes={"retry": {"attempts": 0}})


def once(cell, device, *urls, changes=None):
    return harness.Pledge(cell / "pledge", device.key, device.certificate, device.manufacturer.anchors,
                          urls, changes)


# -- captive portals

class Portal:
    """Answers each request with its page, or sends to it; in clear, or in TLS with its own
    certificate."""

    def __init__(self, directory, port, secure=False, location=None):
        made = certs.make_registrar(None, alt="DNS:portal.hotel.example")
        saved = forge.save(directory, "portal", made.key, made.chain())
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if secure else None
        if self.context:
            self.context.load_cert_chain(saved.cert_path, saved.key_path)
        self.location = location
        self.listener = socket.create_server(("127.0.0.1", port))
        self.asked = []

    def __enter__(self):
        threading.Thread(target=self.run, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                conn, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=[conn], daemon=True).start()

    def serve(self, conn):
        with contextlib.suppress(OSError), conn:
            conn.settimeout(5)
            if self.context:
                conn = self.context.wrap_socket(conn, server_side=True)
            self.asked.append(conn.recv(65536))
            head = (f"HTTP/1.1 302 Found\r\nLocation: {self.location}\r\n" if self.location
                    else "HTTP/1.1 200 OK\r\n")
            conn.sendall(head.encode() + b"Content-Type: text/html; charset=utf-8\r\nContent-Length: "
                         + str(len(PAGE)).encode() + b"\r\nConnection: close\r\n\r\n" + PAGE)


@req("R8995-PLG-055", "R8995-PLG-018", "R8995-PLG-031")
@pytest.mark.parametrize("secure, location, said", [
    (False, None, "does not speak TLS; a captive portal?"),
    (True, None, "is no BRSKI registrar: it answers 200 with 'text/html; charset=utf-8'"),
    (True, "http://portal.hotel.example/login", "redirect"),
    (False, "http://portal.hotel.example/login", "does not speak TLS"),
], ids=["page in clear", "page in TLS", "redirect in TLS", "redirect in clear"])
def test_captive_portal_is_named_and_left_for_the_real_one(cell, device, domain, acme, secure, location, said):
    port = harness.free_port()
    pledge = patient_pledge(cell, device, f"https://127.0.0.1:{port}")
    with Portal(cell, port, secure, location) as portal:
        pledge.start()
        pledge.wait_log(said)
        assert pledge.alive()
    assert not any(b"voucher_status" in asked for asked in portal.asked), "nobody to report to"
    with real(domain, acme, port):
        assert pledge.wait(30) == JOINED, pledge.log()[-2000:]


@req("R8995-PLG-042", "R8995-PLG-031")
def test_portal_on_every_port_ends_with_what_to_look_for(cell, device):
    ports = [harness.free_port() for _ in range(3)]
    with contextlib.ExitStack() as portals:
        for i, port in enumerate(ports):
            portals.enter_context(Portal(cell, port, secure=i != 1))
        done = once(cell, device, *(f"https://127.0.0.1:{p}" for p in ports)).join()
    assert done.returncode == NOBODY
    assert "captive portal" in done.stderr.split("what to do:")[1]


# -- registrars that do not take the certificate

@req("R8995-PLG-031")
@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_alert_about_our_certificate_is_a_refusal(cell, device, domain, acme, stranger, tls):
    with real(domain, acme, tls=tls) as registrar:
        registrar.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        registrar.context.load_cert_chain(domain.registrar_dir / "registrar.crt",
                                          domain.registrar_dir / "registrar.key")
        registrar.context.load_verify_locations(stranger.anchors)
        registrar.context.verify_mode = ssl.CERT_REQUIRED
        registrar.context.minimum_version = registrar.context.maximum_version = {
            "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[tls]
        done = once(cell, device, f"https://127.0.0.1:{registrar.port}").join()
    assert done.returncode == REFUSED, done.stderr
    assert "does not take our certificate" in done.stderr


# -- the time

@pytest.mark.parametrize("now", [1, 2208988800], ids=["1970", "2040"])
@req("R8995-PLG-021", "R8995-PLG-037")
def test_without_a_clock_it_joins_whatever_the_year(cell, site, now):
    clock = harness.Clock(cell / "clock")
    clock.set(now - int(time.time()))
    pledge = site.pledge(site.device(), changes={"device": {"trusted_clock": "no"}})
    pledge.env.update(clock.env())
    done = pledge.join()
    assert done.returncode == JOINED, done.stdout + done.stderr
    assert pledge.command("status").returncode == 0
    clock.set(0)
    assert pledge.command("status").returncode == 0 and pledge.join().returncode == JOINED


@pytest.mark.slow
@req("R8995-PLG-028", "R8995-PLG-029")
def test_clock_that_jumps_during_a_join_changes_no_wait(cell, device, domain, acme):
    """1970 until the network brings the time, then somebody sets it to 2040 and back."""
    clock = harness.Clock(cell / "clock")
    clock.set(-int(time.time()))
    with real(domain, acme) as registrar:
        def hold(_request):
            n = len(registrar.seen("requestvoucher"))
            if n > 3:
                return NotImplemented
            clock.set([0, 0, 14 * YEAR, -YEAR][n])
            return Answer(202, headers=[("Retry-After", "1")])
        registrar.on["requestvoucher"] = hold
        pledge = once(cell, device, f"https://127.0.0.1:{registrar.port}", changes={"device": {"trusted_clock": "no"}})
        pledge.env.update(clock.env())
        done = pledge.join()
        assert done.returncode == JOINED, done.stdout + done.stderr
        asked = registrar.seen("requestvoucher")
    assert len({r.body for r in asked}) == 1
    assert all(0.9 <= b.at - a.at < 4 for a, b in zip(asked, asked[1:]))


def test_wrong_clock_that_is_trusted_is_named(cell, device, domain, acme):
    clock = harness.Clock(cell / "clock")
    clock.set(-int(time.time()))
    with real(domain, acme) as registrar:
        pledge = once(cell, device, f"https://127.0.0.1:{registrar.port}")
        pledge.env.update(clock.env())
        done = pledge.join()
        assert done.returncode == BAD_VOUCHER
        assert "that the clock is right" in done.stderr
        clock.set(0)
        assert pledge.join().returncode == JOINED


# -- names

class NameServer:
    """Answers every question for an IPv4 address with `answer`: an address, None (no such name) or
    "silence"."""

    def __init__(self, namespace):
        self.answer = None
        self.socket = netns.socket_in(namespace)
        self.socket.bind(("::", 53))  # IPv4 as well

    def __enter__(self):
        threading.Thread(target=self.run, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.socket.close()

    def run(self):
        while self.socket.fileno() >= 0:
            with contextlib.suppress(OSError, TimeoutError):
                query, whence = self.socket.recvfrom(512)
                if self.answer != "silence":
                    self.socket.sendto(self.reply(query), whence)

    def reply(self, query):
        end = query.index(b"\0", 12) + 5
        wanted = struct.unpack("!H", query[end - 4:end - 2])[0]
        records = b""
        if self.answer and wanted == 1:
            records = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(self.answer)
        flags = 0x8180 if self.answer else 0x8183
        return query[:2] + struct.pack("!HHHHH", flags, 1, bool(records), 0, 0) + query[12:end] + records


REAL, ATTACKER, DEVICE = "198.18.95.1", "198.18.95.2", "198.18.95.3"


@pytest.fixture
def room():
    """A namespace for the device, whose names are ours to tell; the others are here, at REAL and
    ATTACKER."""
    if netns.missing():
        pytest.skip(netns.missing())
    name, here = f"brski-{os.getpid()}-dns", f"bd{os.getpid()}"
    told = pathlib.Path("/etc/netns") / name  # what ip netns exec puts over /etc
    told.mkdir(parents=True)
    (told / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    netns.ip("netns", "add", name)
    try:
        netns.ip("link", "add", "name", here, "type", "veth", "peer", "name", "eth0", "netns", name)
        for address in (REAL, ATTACKER):
            netns.ip("addr", "add", f"{address}/29", "dev", here)
        netns.ip("link", "set", here, "up")
        netns.ip("-n", name, "addr", "add", f"{DEVICE}/29", "dev", "eth0")
        for interface in ("lo", "eth0"):
            netns.ip("-n", name, "link", "set", interface, "up")
        yield name
    finally:
        netns.ip("netns", "del", name)
        (told / "resolv.conf").unlink()
        told.rmdir()


@pytest.mark.slow
@req("R8995-PLG-031", "R8995-PLG-042", "R8995-PLG-041")
def test_name_server_that_lies_delays_and_never_deceives(cell, room, device, domain, acme, other_domain):
    port = harness.free_port()
    pledge = patient_pledge(cell, device, f"https://registrar.site.example:{port}")
    pledge.argv = netns.inside(room, pledge.argv)
    with NameServer(room) as names, real(domain, acme, port, host=REAL), \
            FakeRegistrar(other_domain.registrar_dir / "registrar.crt",
                          other_domain.registrar_dir / "registrar.key", domain.directory, acme.directory,
                          port=port, host=ATTACKER) as attacker:
        pledge.start()
        pledge.wait_log("connect: failed: .*resolve host")
        for answer, said in (("127.0.0.1", "connect: failed: .*connect to"),
                             ("silence", "connect: failed: .*(resolve|timed out|timeout)"),
                             (ATTACKER, "voucher: failed: ")):
            since = pledge.log_size()
            names.answer = answer
            pledge.wait_log(said, since)
        assert {"requestvoucher", "voucher_status"} >= set(attacker.steps()), attacker.steps()
        assert not any(r["status"] for r in attacker.reports("voucher_status"))
        names.answer = REAL
        assert pledge.wait(30) == JOINED, pledge.log()[-2000:]


# -- each registrar has its own time

def busy(registrar, times, *headers):
    registrar.on["requestvoucher"] = lambda _r: (
        NotImplemented if len(registrar.seen("requestvoucher")) > times else Answer(503, headers=list(headers)))


@pytest.mark.slow
@req("R8995-PLG-008", "R8995-PLG-009", "R8995-PLG-031")
def test_nobody_waits_for_what_another_registrar_asked_for(cell, device, domain, acme):
    with real(domain, acme) as overloaded, real(domain, acme) as other:
        busy(overloaded, 99, ("Retry-After", "50"))
        busy(other, 2)
        pledge = once(cell, device, *(f"https://127.0.0.1:{s.port}" for s in (overloaded, other)),
                      changes={"retry": {"attempts": 0, "retry_after_max": "60s"}})
        assert pledge.join(timeout=30).returncode == JOINED
        assert len(overloaded.seen("requestvoucher")) == 1
        asked = [r.body for s in (overloaded, other) for r in s.seen("requestvoucher")]
        assert len({forge.read(body).fields["nonce"] for body in asked}) == len(asked) == 4


@pytest.mark.slow
@pytest.mark.parametrize("retry_after, least", [("3", 3), ("DATE", 2), ("86400", 4)])
@req("R8995-PLG-008")
def test_busy_registrar_is_not_asked_before_the_time_it_named_up_to_the_cap(cell, device, domain, acme,
                                                                          retry_after, least):
    with real(domain, acme) as registrar:
        if retry_after == "DATE":  # by its own clock, which is wrong
            busy(registrar, 1, ("Date", "Tue, 01 Jan 2030 00:00:00 GMT"),
                 ("Retry-After", "Tue, 01 Jan 2030 00:00:02 GMT"))
        else:
            busy(registrar, 1, ("Retry-After", retry_after))
        pledge = once(cell, device, f"https://127.0.0.1:{registrar.port}",
                      changes={"retry": {"attempts": 0, "retry_after_max": "4s"}})
        assert pledge.join(timeout=30).returncode == JOINED
        first, second = registrar.seen("requestvoucher")
        assert least <= second.at - first.at < 2 * least + 3


def test_budget_ends_what_would_go_on_for_days(cell, device):
    pledge = once(cell, device, f"https://127.0.0.1:{harness.free_port()}",
                  changes={"retry": {"attempts": 0, "budget": "1s", "backoff_max": "1h"}})
    done = pledge.join(timeout=15)
    assert done.returncode == NOBODY and "budget is spent" in done.stdout
