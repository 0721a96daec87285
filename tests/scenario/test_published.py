# SPDX-License-Identifier: Apache-2.0
"""The plain listener: what the CA has signed, for who verifies certificates, and nothing else."""
import contextlib
import http.client
import signal
import socket
import threading
import time

import pytest
from cryptography import x509

import harness
from admin_api import Api
from places import Site
from test_ca_switch import standby_of
from test_metrics import Scrape, sockets_of

LISTS = {"/issuing.crl": "primary", "/standby.crl": "standby"}
BALANCER = "127.0.0.9"


class Publisher(harness.Registrar):
    """With a plain listener at .http."""

    def __init__(self, directory, domain, makers, changes=None):
        self.http = harness.free_port()
        super().__init__(directory, domain, makers, changes=harness.merged(
            {"ca": {"http_listen": f"127.0.0.1:{self.http}"}}, changes))

    def start(self):
        """That one is opened later than the other."""
        mark = self.log_size()
        super().start()
        self.wait_log("event=started", mark)
        return self


@pytest.fixture(scope="module")
def registrar(place, acme, domain):
    key, certificate = standby_of(domain, place)
    daemon = Publisher(place / "registrar", domain, [acme], {
        "ca": {"standby_key": key, "standby_certificate": certificate},
        "server": {"workers": 2, "proxy_protocol_from": f"{BALANCER}/32"}})
    with harness.running(daemon):
        harness.wait_until(lambda: len(daemon.lines("crl-published")) == 2, "both lists")
        yield daemon


def ask(port, path, method="GET", body=None, headers=None):
    """(status, headers, body)"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=harness.PATIENCE)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()


def ask_raw(port, octets, source=None):
    """All that is answered to these octets."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), harness.PATIENCE,
                                  source_address=(source, 0) if source else None) as s:
        with contextlib.suppress(ConnectionError):
            s.sendall(octets)
            while more := s.recv(65536):
                said += more
    return said


GET_LIST = b"GET /issuing.crl HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def told_for(address, family=0x11):
    """A PROXY header of version 2: this connection is of that address."""
    return (b"\r\n\r\n\0\r\nQUIT\n\x21" + bytes([family]) + b"\0\x0c" + socket.inet_aton(address)
            + bytes([127, 0, 0, 1]) + b"\x9c\x40\x20\xfb")


# -- what is served

@pytest.mark.parametrize("path", LISTS)
def test_list__over_plain_http__is_the_one_devices_get(registrar, path):
    status, headers, body = ask(registrar.http, path)
    assert status == 200 and headers["content-type"] == "application/pkix-crl"
    assert headers["cache-control"] == "max-age=60"
    over_tls = harness.run("curl", "-sk", "-o", registrar.directory / "tls.crl",
                           f"https://127.0.0.1:{registrar.port}{path}", check=0)
    assert over_tls.returncode == 0 and body == (registrar.directory / "tls.crl").read_bytes()
    assert x509.load_der_x509_crl(body).next_update
    status, headers, none = ask(registrar.http, path, "HEAD")
    assert (status, headers["content-length"], none) == (200, str(len(body)), b"")


def test_curl_and_openssl__read_the_list_from_the_url(registrar, domain):
    """As a verifier does that is told where it is."""
    url = f"http://127.0.0.1:{registrar.http}/issuing.crl"
    done = harness.run("openssl", "crl", "-in", url, "-inform", "DER", "-noout", "-CAfile",
                       domain.file("issuing.crt"), "-verify")
    if "No such file" in done.stderr:  # before OpenSSL 3.2 it does not fetch
        path = registrar.directory / "url.crl"
        harness.run("curl", "-sf", "-o", path, url, check=0)
        done = harness.run("openssl", "crl", "-in", path, "-inform", "DER", "-noout", "-CAfile",
                           domain.file("issuing.crt"), "-verify")
    assert done.returncode == 0 and "verify OK" in done.stderr, done.stderr


def test_nothing_else__is_served(registrar):
    for path in ("/", "/issuing.crl/", "/metrics", "/healthz", "/api/v1/status", "/../issuing.crl",
                 "/.well-known/est/cacerts", "/.well-known/est/simpleenroll",
                 "/.well-known/brski/requestvoucher", "/issuing.crl%00", "/ISSUING.CRL", "/ocspx"):
        for method in ("GET", "POST"):
            assert ask(registrar.http, path, method, b"" if method == "POST" else None)[0] in (
                400, 404), (method, path)
    for path in LISTS:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            status, headers, _ = ask(registrar.http, path, method, b"")
            assert (status, headers["allow"]) == (405, "GET, HEAD")
        assert ask(registrar.http, path, "GET", b"x")[0] == 413


def test_answers__name_no_program_and_set_no_state(registrar):
    for path in ("/issuing.crl", "/nothing"):
        headers = ask(registrar.http, path)[1]
        assert not {"server", "set-cookie", "www-authenticate"} & set(headers)
        assert "brski" not in str(headers).lower()


def test_tls__is_not_spoken_there(registrar):
    done = harness.run("curl", "-sk", f"https://127.0.0.1:{registrar.http}/issuing.crl")
    assert done.returncode == 35
    assert ask_raw(registrar.http, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").startswith(b"HTTP/1.1 505 ")
    assert ask(registrar.http, "/issuing.crl")[0] == 200


def test_without_a_second_ca__there_is_one_list(cell, acme, domain):
    daemon = Publisher(cell / "r", domain, [acme])
    with harness.running(daemon):
        daemon.wait_log("crl-published")
        assert ask(daemon.http, "/issuing.crl")[0] == 200
        assert ask(daemon.http, "/standby.crl")[0] == 404


# -- behind a balancer

def test_balancer__says_whom_it_hands_on(registrar):
    before = registrar.log_size()
    said = ask_raw(registrar.http, told_for("192.0.2.7") + GET_LIST, BALANCER)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert ask_raw(registrar.http, told_for("192.0.2.7") + b"nonsense\r\n\r\n", BALANCER)
    assert registrar.lines(r"request-malformed", before)


@pytest.mark.parametrize("source, begin", [
    (BALANCER, b""), (BALANCER, b"PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n"),
    (BALANCER, told_for("192.0.2.7")[:-1] * 2), ("127.0.0.4", told_for("192.0.2.7"))],
    ids=["no header", "one of version 1", "half a header", "not a balancer"])
def test_balancer__that_does_not_say_it_and_others_that_do__get_no_list(registrar, source, begin):
    assert b"200" not in ask_raw(registrar.http, begin + GET_LIST, source)[:20]


# -- a life

def test_without_the_option__nothing_listens(cell, acme, domain):
    daemon = harness.Registrar(cell / "r", domain, [acme])
    with harness.running(daemon):
        assert sockets_of(daemon.popen.pid) == {daemon.port}


@pytest.mark.parametrize("listen", ["8080", "unix:/tmp/x.sock", "127.0.0.1:http", "::1:8080"])
def test_check__an_address_that_is_none__is_refused(cell, acme, domain, listen):
    daemon = harness.Registrar(cell / "r", domain, [acme], changes={"ca": {"http_listen": listen}})
    done = harness.run(*daemon.argv, "--check", check=1)
    assert "[ca] http_listen" in done.stderr


def test_start__the_address_is_taken__says_which(cell, acme, domain):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon = harness.Registrar(cell / "r", domain, [acme], changes={
            "ca": {"http_listen": f"127.0.0.1:{taken.getsockname()[1]}"}})
        done = harness.run(*daemon.argv, check=1)
    assert "[ca] http_listen: " in done.stderr


def test_reload__another_address__waits_for_a_restart(cell, acme, domain):
    daemon = Publisher(cell / "r", domain, [acme])
    with harness.running(daemon):
        text = daemon.config.read_text()
        daemon.config.write_text(text.replace(str(daemon.http), str(harness.free_port())))
        daemon.signal(signal.SIGHUP)
        daemon.wait_log(r"event=reload-needs-restart .*\[ca\] http_listen")
        harness.wait_until(lambda: ask(daemon.http, "/issuing.crl")[0] == 200, "the list")


def test_reload__of_the_ca__is_seen_at_once(cell, acme, domain):
    """What is served is of the setup in force, as where devices are served."""
    daemon = Publisher(cell / "r", domain, [acme])
    key, certificate = standby_of(domain, cell)
    with harness.running(daemon):
        assert ask(daemon.http, "/standby.crl")[0] == 404
        text = daemon.config.read_text()
        daemon.config.write_text(text.replace(
            "[ca]", f"[ca]\nstandby_key = {key}\nstandby_certificate = {certificate}"))
        assert Api(daemon).post("/api/v1/reload", {}).status == 200
        harness.wait_until(lambda: ask(daemon.http, "/standby.crl")[0] == 200, "the second list")


def test_stop__with_verifiers_connected__answers_them_and_ends(cell, acme, domain):
    """One in the middle of its question, one that says nothing: neither holds the end up."""
    daemon = Publisher(cell / "r", domain, [acme])
    with harness.running(daemon):
        daemon.wait_log("crl-published")
        with socket.create_connection(("127.0.0.1", daemon.http)) as asking, \
                socket.create_connection(("127.0.0.1", daemon.http)):
            asking.sendall(GET_LIST[:30])
            harness.wait_until(lambda: connections(daemon) == 2, "both connections")
            began = time.monotonic()
            daemon.signal(signal.SIGTERM)
            daemon.wait_log("event=draining")
            asking.sendall(GET_LIST[30:])
            assert asking.recv(12) == b"HTTP/1.1 200"
            assert daemon.wait() == 0 and time.monotonic() - began < 10


def connections(daemon):
    rows = harness.run("ss", "-tnpH", "state", "established", f"sport = :{daemon.http}", check=0)
    return len([row for row in rows.stdout.splitlines() if f"pid={daemon.popen.pid}," in row])


# -- with strangers at the door

def test_strangers_without_end__leave_room_for_who_asks_and_for_devices(cell, acme, domain,
                                                                        masa_fake_server):
    """Twice as many connections as there may be, all of them silent, and a device that joins."""
    masa_fake_server.be_honest()
    daemon = Publisher(cell / "r", domain, [acme], {"server": {"workers": 1}})
    site = Site(cell, acme, domain, masa_fake_server, daemon)
    with harness.running(daemon), contextlib.ExitStack() as crowd:
        daemon.wait_log("crl-published")
        for n in range(512):
            crowd.enter_context(socket.create_connection(
                ("127.0.0.1", daemon.http), source_address=(f"127.0.{n % 4}.2", 0)))
        assert connections(daemon) <= 257
        assert ask(daemon.http, "/issuing.crl")[0] == 200
        assert site.pledge(site.device()).join().returncode == 0


def test_one_stranger__has_its_share_only(cell, acme, domain):
    metrics = harness.free_port()
    daemon = Publisher(cell / "r", domain, [acme], {"metrics": {"listen": f"127.0.0.1:{metrics}"}})
    daemon.name, daemon.metrics = "registrar", metrics
    with harness.running(daemon), contextlib.ExitStack() as crowd:
        daemon.wait_log("crl-published")
        for _ in range(200):
            crowd.enter_context(socket.create_connection(("127.0.0.1", daemon.http),
                                                         source_address=("127.0.0.8", 0)))
        harness.wait_until(lambda: daemon.lines("of one source"), "some of them ended")
        harness.wait_until(lambda: Scrape(daemon)["rate_limited_total", "connections"] >= 72, "all of them counted")
        assert connections(daemon) <= 129
        assert ask(daemon.http, "/issuing.crl")[0] == 200


def test_strangers__at_both_ports__leave_descriptors_for_the_rest(cell, acme, domain, masa_fake_server):
    """Both listeners full, under a low limit: the database and the MASA can be opened all the same."""
    masa_fake_server.be_honest()
    daemon = Publisher(cell / "r", domain, [acme], {"server": {"workers": 1}})
    daemon.argv = ["prlimit", "--nofile=900:900", *daemon.argv]
    site = Site(cell, acme, domain, masa_fake_server, daemon)
    with harness.running(daemon), contextlib.ExitStack() as crowd:
        daemon.wait_log("crl-published")
        for port, count in ((daemon.http, 256), (daemon.port, 700)):
            for n in range(count):
                crowd.enter_context(socket.create_connection(
                    ("127.0.0.1", port), source_address=(f"127.0.{n % 4}.2", 0)))
        assert site.pledge(site.device()).join().returncode == 0
        assert not daemon.lines("accepting-paused")


@pytest.mark.slow
@pytest.mark.parametrize("begin, status", [(b"", b""), (GET_LIST[:20], b"HTTP/1.1 408 ")],
                         ids=["nothing", "half"])
def test_who_says_nothing_or_half__is_ended_in_time(registrar, begin, status):
    began = time.monotonic()
    assert ask_raw(registrar.http, begin).startswith(status)
    assert 4 < time.monotonic() - began < 14


def test_many_at_once__are_all_answered(registrar):
    statuses = []

    def run():
        for _ in range(20):
            statuses.append(ask(registrar.http, "/issuing.crl")[0])
    threads = [threading.Thread(target=run) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert statuses == [200] * 320
