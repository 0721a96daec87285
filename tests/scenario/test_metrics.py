# SPDX-License-Identifier: Apache-2.0
"""What the daemons tell whoever watches them: every number moves when its thing happens and only then,
Prometheus' own reader takes it, and the shipped rules, dashboard and pages name what is there."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

import harness
import ocsp_client
from brski_peer import forge, server
from brski_peer.pledge import est_body, new_key
from brski_peer.ports import free_port
from places import Site

EXAMPLES = harness.REPOSITORY / "docs" / "examples"
PAGES = harness.REPOSITORY / "docs" / "man"
TYPE = "text/plain; version=0.0.4; charset=utf-8"


# -- asking

def ask(port, path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=harness.PATIENCE)
    try:
        connection.request(method, path)
        reply = connection.getresponse()
        return reply.status, reply.getheader("Content-Type"), reply.read().decode()
    finally:
        connection.close()


def families(port):
    status, kind, text = ask(port, "/metrics")
    assert (status, kind) == (200, TYPE)
    return list(text_string_to_metric_families(text))


class Scrape(dict):
    """{(name without the program's prefix, label values in their order): value}"""

    def __init__(self, daemon):
        self.prefix = f"brski_{daemon.name}_"
        super().__init__({(s.name.removeprefix(self.prefix), *s.labels.values()): s.value
                          for family in families(daemon.metrics) for s in family.samples})

    def since(self, before):
        """What has changed: only that."""
        return {key: value - before.get(key, 0) for key, value in self.items()
                if value != before.get(key, 0)}


# of time, place and size, not of events
MOVING = re.compile("store_|audit_|.*_seconds_sum|.*_seconds_bucket|connections|claim_oldest")


def steady(changes):
    return {key: value for key, value in changes.items() if not MOVING.match(key[0])}


@contextlib.contextmanager
def changes(daemon):
    """{} that has what changed on the daemon when the block is over."""
    before, out = Scrape(daemon), {}
    yield out
    out.update(steady(Scrape(daemon).since(before)))


def watched(daemon_class, name, *args, **more):
    """A daemon with a listener for its metrics."""
    port = free_port()
    asked = {"metrics": {"listen": f"127.0.0.1:{port}"}}
    daemon = daemon_class(*args, changes=harness.merged(asked, more.pop("changes", None)), **more)
    daemon.name, daemon.metrics = name, port
    return daemon


def watched_registrar(*args, **more):
    return watched(harness.Registrar, "registrar", *args, **more)


def watched_masa(*args, **more):
    return watched(harness.Masa, "masa", *args, **more)


@pytest.fixture(scope="module", name="site")
def _site(place, acme, domain):
    masa = watched_masa(place / "masa", acme)
    registrar = watched_registrar(place / "registrar", domain, [acme], coaps=True)
    with harness.running(masa, registrar):
        harness.wait_until(lambda: ("crl_next_update_timestamp_seconds",) in Scrape(registrar),
                           "the first revocation list")
        yield Site(place, acme, domain, masa, registrar)


@pytest.fixture(name="holding")
def _holding(cell, acme, domain, masa_fake_server):
    """A registrar that asks its administrator, with room for two open claims."""
    masa_fake_server.be_honest()
    registrar = watched_registrar(cell / "r", domain, [acme], changes={
        f"manufacturer {acme.name}": {"admit": "hold"}, "policy": {"claims_max": 2}})
    with harness.running(registrar):
        yield Site(cell, acme, domain, masa_fake_server, registrar)


def ask_to_join(site, device):
    with site.peer(device) as pledge:
        return pledge.request_voucher().status


# -- what is told

@pytest.mark.parametrize("name", ["registrar", "masa"])
def test_every_metric__has_type_help_and_a_name_as_prometheus_wants_it(site, name):
    found = families(getattr(site, name).metrics)
    assert len(found) > 10
    for family in found:
        assert re.fullmatch(rf"brski_{name}_[a-z_]+", family.name)
        assert family.documentation.endswith(".")
        assert family.samples or "backup" in family.name  # none was made yet
        assert family.type in ("counter", "gauge", "histogram")
        for sample in family.samples:
            assert family.type != "counter" or sample.name.endswith("_total")
            assert all(re.fullmatch(r"[a-z0-9.+I-]+[a-z0-9.]*|\+Inf", v) for v in sample.labels.values())


def test_no_device_and_no_address__is_in_it(site):
    device = site.device()
    assert site.pledge(device).join().returncode == 0
    for daemon in (site.registrar, site.masa):
        text = ask(daemon.metrics, "/metrics")[2]
        assert device.serial not in text and "127.0.0.1" not in text and "Acme" not in text


@pytest.mark.file_store
def test_gauges__are_what_is_so(site, cell):
    told, masa = Scrape(site.registrar), Scrape(site.masa)
    version = harness.run(harness.program("brski-registrar"), "--version").stdout.split()[1]
    assert told["build_info", version] == masa["build_info", version] == 1
    assert told[("ready",)] == masa[("ready",)] == 1
    directory = site.registrar.directory
    on_disk = sum((directory / f"registrar.db{end}").stat().st_size for end in ("", "-wal"))
    assert told[("store_bytes",)] == on_disk
    assert masa[("store_bytes",)] > 4096
    free = os.statvfs(directory)
    for scrape in (told, masa):
        assert abs(scrape[("store_free_bytes",)] - free.f_bavail * free.f_frsize) < 1 << 30
    assert told[("certificate_not_after_timestamp_seconds",)] == not_after(site.registrar.certificate)
    assert told[("ca_not_after_timestamp_seconds",)] == not_after(site.domain.file("issuing.crt"))
    assert told[("crl_next_update_timestamp_seconds",)] == next_update(cell, site.registrar)
    files = site.manufacturer.directory / "masa"
    assert masa[("certificate_not_after_timestamp_seconds",)] == not_after(files / "masa-tls.crt")
    for signer in ("nonced", "nonceless"):
        assert masa["signer_not_after_timestamp_seconds", signer] == not_after(
            files / "masa-signer.crt")


def next_update(cell, registrar):
    path = cell / "issuing.crl"
    harness.run("curl", "-sk", "-o", path, f"https://127.0.0.1:{registrar.port}/issuing.crl", check=0)
    return unix_time("crl", "-inform", "DER", "-in", path, "-noout", "-nextupdate")


def not_after(path):
    return unix_time("x509", "-in", path, "-noout", "-enddate")


def unix_time(*command):
    said = harness.run("openssl", *command, check=0).stdout
    return int(harness.run("date", "-u", "-d", said.split("=")[1].strip(), "+%s", check=0).stdout)


def test_audit_log__its_last_line_and_the_last_signed_one_are_told(site):
    before = Scrape(site.registrar)
    masa = Scrape(site.masa)[("audit_last_sequence",)]
    assert site.pledge(site.device()).join().returncode == 0
    after = Scrape(site.registrar)
    assert after[("audit_last_sequence",)] >= before[("audit_last_sequence",)] + 4
    assert Scrape(site.masa)[("audit_last_sequence",)] == masa + 1
    site.registrar.ctl("audit", "verify")  # signs
    signed = Scrape(site.registrar)
    assert signed[("audit_sealed_sequence",)] == signed[("audit_last_sequence",)]


def test_backup__that_succeeded_last__is_told(holding, cell):
    key = ("backup_last_success_timestamp_seconds",)
    assert key not in Scrape(holding.registrar)
    holding.registrar.ctl("backup", cell / "nowhere" / "copy.db", check=1)
    assert key not in Scrape(holding.registrar)
    holding.registrar.ctl("backup", cell / "copy.db")
    assert 0 <= time.time() - Scrape(holding.registrar)[key] < 10


# -- what happens

ONE_JOIN = {
    ("voucher_request_duration_seconds_count", "delivered"): 1,
    ("masa_requests_total", "requestvoucher", "answered"): 1,
    ("masa_requests_total", "requestauditlog", "answered"): 1,
    ("masa_request_duration_seconds_count", "requestvoucher"): 1,
    ("masa_request_duration_seconds_count", "requestauditlog"): 1,
    ("devices", "active"): 1,
    ("auditlog_checks_total", "good"): 1,
    ("status_reports_total", "voucher", "true"): 1,
    ("status_reports_total", "enroll", "true"): 1,
    ("enrollments_total", "enroll", "delivered"): 1,
}


def test_join_over_https__is_counted_once_in_everything_on_its_road(site):
    with changes(site.registrar) as told, changes(site.masa) as masa:
        assert site.pledge(site.device()).join().returncode == 0
    assert told.pop(("handshakes_total", "https", "ok")) == 2  # the second with the LDevID
    assert told.pop(("handshakes_total", "https", "failed"), 0) <= 1  # were we listening?
    assert told == ONE_JOIN | {("voucher_requests_total", "https", "delivered"): 1}
    assert masa.pop(("handshakes_total", "ok"), 0) <= 1  # kept connections need none
    assert masa == {("voucher_requests_total", "delivered"): 1,
                    ("voucher_request_duration_seconds_count", "delivered"): 1,
                    ("auditlog_requests_total", "delivered"): 1}


def test_join_over_coaps__is_told_apart(site):
    with changes(site.registrar) as told:
        assert site.coaps_pledge(site.device()).join().returncode == 0
    assert told.pop(("handshakes_total", "coaps", "ok")) == 2
    assert told == ONE_JOIN | {("voucher_requests_total", "coaps", "delivered"): 1}


def test_ocsp__counts_what_it_said_of_each_certificate_or_why_it_said_nothing(site):
    device = site.device()
    assert site.pledge(device).join().returncode == 0
    shown = json.loads(site.registrar.ctl("devices", "show", device.serial, "-o", "json").stdout)
    (ours,) = [int(c["serial"], 16) for c in shown["certificates"]]
    ca, root = (forge.load_certs(site.domain.file(f"{name}.crt"))[0] for name in ("issuing", "root"))
    for asked, counted in (
            (ocsp_client.request(ocsp_client.cert_id(ca, ours), ocsp_client.cert_id(ca, 7)), ("good", "unknown")),
            (ocsp_client.request(ocsp_client.cert_id(root, 7)), ("unauthorized",)), (b"what?", ("malformed",))):
        with changes(site.registrar) as told:
            assert ocsp_client.post(site.registrar.port, asked, tls=True)[0] == 200
        assert told.pop(("handshakes_total", "https", "ok")) == 1
        assert told == {("ocsp_answers_total", status): 1 for status in counted}
    site.registrar.ctl("devices", "revoke", device.serial)
    before = Scrape(site.registrar)
    ocsp_client.post(site.registrar.port, ocsp_client.request(ocsp_client.cert_id(ca, ours)), tls=True)
    key = ("ocsp_answers_total", "revoked")
    assert Scrape(site.registrar)[key] == before[key] + 1


def test_duration__is_in_seconds_and_its_buckets_rise(site):
    before = Scrape(site.registrar)
    began = time.monotonic()
    assert ask_to_join(site, site.device()) == 200
    took = time.monotonic() - began
    after = Scrape(site.registrar)
    name = "voucher_request_duration_seconds"
    spent = after[f"{name}_sum", "delivered"] - before[f"{name}_sum", "delivered"]
    assert 0.0002 < spent < took
    buckets = [value for key, value in after.items() if key[:2] == (f"{name}_bucket", "delivered")]
    assert buckets == sorted(buckets) and len(buckets) == 15
    assert buckets[-1] == after[f"{name}_count", "delivered"]


def test_device_of_an_unknown_manufacturer__is_refused_with_the_reason(site, stranger):
    device = site.device(manufacturer=stranger, known=False)
    with changes(site.registrar) as told:
        assert ask_to_join(site, device) == 403
    assert told.pop(("handshakes_total", "https", "ok")) == 1
    (reason,) = [key for key in told if key[0] == "request_failures_total"]
    assert reason[1:] in (("voucher", "unauthenticated"), ("voucher", "refused"))
    del told[reason]
    assert told == {("voucher_requests_total", "https", "refused"): 1,
                    ("voucher_request_duration_seconds_count", "refused"): 1}


def test_device_the_masa_does_not_know__is_refused_by_both(site):
    with changes(site.registrar) as told, changes(site.masa) as masa:
        assert ask_to_join(site, site.device(known=False)) == 404
    assert told["masa_requests_total", "requestvoucher", "refused"] == 1
    assert told["request_failures_total", "voucher", "unknown-device"] == 1
    assert told["voucher_requests_total", "https", "refused"] == 1
    assert masa["voucher_requests_total", "refused"] == 1
    assert masa["request_failures_total", "voucher", "unknown-device"] == 1
    assert ("voucher_requests_total", "delivered") not in masa


def test_masa_that_cannot_be_reached__is_a_failure_and_no_refusal(site):
    device = site.device(masa_url=f"localhost:{free_port()}", known=False)
    with changes(site.registrar) as told:
        assert ask_to_join(site, device) == 503
    assert told["masa_requests_total", "requestvoucher", "unreachable"] == 1
    assert told["masa_request_duration_seconds_count", "requestvoucher"] == 1
    assert told["request_failures_total", "voucher", "retry-later"] == 1
    assert told["voucher_requests_total", "https", "failed"] == 1


@pytest.mark.parametrize("status, result, ours", [(500, "failed", "failed"), (403, "refused", "refused")])
def test_masa_that_answers_with_an_error__is_counted_by_whose_it_is(holding, masa_fake_server, status,
                                                                    result, ours):
    device = holding.device()
    assert ask_to_join(holding, device) == 202
    holding.registrar.ctl("claims", "approve", device.serial)
    masa_fake_server.answer = lambda request: refusal(status)
    with changes(holding.registrar) as told:
        ask_to_join(holding, device)
    assert told["masa_requests_total", "requestvoucher", result] == 1
    assert told["voucher_requests_total", "https", ours] == 1


def refusal(status):
    return server.text(status, "no\n")


def test_history__is_counted_by_its_verdict(holding, masa_fake_server):
    device = holding.device()
    masa_fake_server.audit = masa_fake_server.foreign_history
    assert ask_to_join(holding, device) == 202
    holding.registrar.ctl("claims", "approve", device.serial)
    with changes(holding.registrar) as told:
        assert ask_to_join(holding, device) == 406
    assert told["auditlog_checks_total", "refused"] == 1
    assert told["request_failures_total", "voucher", "history"] == 1
    assert told["voucher_requests_total", "https", "refused"] == 1


def test_history_that_cannot_be_had__is_counted_too(holding, masa_fake_server):
    device = holding.device()
    masa_fake_server.answer = lambda r: refusal(500) if "auditlog" in r.path else NotImplemented
    assert ask_to_join(holding, device) == 202
    holding.registrar.ctl("claims", "approve", device.serial)
    with changes(holding.registrar) as told:
        assert ask_to_join(holding, device) == 502
    assert told["auditlog_checks_total", "failed"] == 1
    assert told["masa_requests_total", "requestauditlog", "failed"] == 1


def await_claims(registrar, **by_state):
    """They are counted one state at a time."""
    harness.wait_until(lambda: all(told["claims", state] == n for told in [Scrape(registrar)]
                                   for state, n in by_state.items()), f"claims: {by_state}")


def test_claims__wait_are_decided_and_have_a_limit(holding):
    first, second, third = (holding.device() for _ in range(3))
    before = Scrape(holding.registrar)
    assert before[("claim_oldest_pending_seconds",)] == 0 == before["claims", "pending"]
    assert [ask_to_join(holding, d) for d in (first, second, third)] == [202, 202, 503]
    told = Scrape(holding.registrar)
    assert told["claims", "pending"] == 2
    changed = told.since(before)
    assert changed["rate_limited_total", "claims"] == 1
    assert changed["voucher_requests_total", "https", "pending"] == 2
    assert changed["voucher_requests_total", "https", "failed"] == 1
    assert changed["request_failures_total", "voucher", "retry-later"] == 1
    harness.wait_until(lambda: Scrape(holding.registrar)[("claim_oldest_pending_seconds",)] >= 1,
                       "a second of waiting")
    with changes(holding.registrar) as decided:
        holding.registrar.ctl("claims", "approve", first.serial)
        holding.registrar.ctl("claims", "reject", second.serial)
        await_claims(holding.registrar, approved=1, rejected=1)
    assert decided == {("claim_decisions_total", "approved"): 1,
                       ("claim_decisions_total", "rejected"): 1, ("claims", "pending"): -2,
                       ("claims", "approved"): 1, ("claims", "rejected"): 1}
    assert Scrape(holding.registrar)[("claim_oldest_pending_seconds",)] == 0


def test_claims__of_a_suppliers_list__are_decisions_too(holding, cell):
    here, to_come = holding.device(), holding.device()
    assert ask_to_join(holding, here) == 202
    path = cell / "list.csv"
    path.write_text(f"manufacturer,serial\n{holding.manufacturer.name},{here.serial}\n"
                    f"{holding.manufacturer.name},{to_come.serial}\n")
    with changes(holding.registrar) as told:
        holding.registrar.ctl("claims", "import", path)
        await_claims(holding.registrar, approved=1, preapproved=1)
    assert told["claim_decisions_total", "preapproved"] == 1
    assert told["claim_decisions_total", "approved"] == 1
    assert told["claims", "pending"] == -1


def test_certificates__renewed_made_with_a_key_and_refused(site, cell):
    with changes(site.registrar) as told:
        with site.peer(site.device()) as pledge:
            assert pledge.request_voucher().status == 200
            certificate, key = pledge.join()
            assert pledge.post_csr(est_body(pledge.csr(new_key())), "serverkeygen").status == 200
            assert pledge.post_csr(b"AAAA", "simpleenroll").status == 400
        identity = forge.save(cell, "ldevid", key, [certificate])
        with site.peer(identity) as client:
            assert client.post_csr(est_body(client.csr(key)), "simplereenroll").status == 200
    assert {key[1:]: n for key, n in told.items() if key[0] == "enrollments_total"} == {
        ("enroll", "delivered"): 1, ("keygen", "delivered"): 1, ("enroll", "refused"): 1,
        ("renew", "delivered"): 1}
    assert told["request_failures_total", "enroll", "input"] == 1


def test_status_reports__bad_news_and_nonsense(site):
    with site.peer(site.device()) as pledge:
        assert pledge.request_voucher().status == 200
        with changes(site.registrar) as told:
            assert pledge.voucher_status(False).status == 200
            assert pledge.report("voucher_status", b"{").status == 400
    assert told == {("status_reports_total", "voucher", "false"): 1,
                    ("request_failures_total", "status", "input"): 1}


def test_handshakes_that_fail__are_counted_on_each_transport(site):
    targets = [(site.registrar, "-tls1_2", site.registrar.port, ("https", "failed")),
               (site.registrar, "-dtls1_2", site.registrar.coaps_port, ("coaps", "failed")),
               (site.masa, "-tls1_2", site.masa.port, ("failed",))]
    for daemon, version, port, labels in targets:
        with changes(daemon) as told:
            harness.run("timeout", "5", "openssl", "s_client", version, "-connect", f"127.0.0.1:{port}",
                        "-cipher", "AES128-SHA", "-brief")
            key = ("handshakes_total", *labels)
            before = Scrape(daemon)[key]
            assert before >= 1
        assert told == {key: 1}


def test_registrar_that_asks_too_fast__is_counted_at_the_masa(cell, acme, domain):
    masa = watched_masa(cell / "m", acme, changes={"rate": {"per_registrar_per_minute": 1}})
    registrar = watched_registrar(cell / "r", domain, [acme])
    site = Site(cell, acme, domain, masa, registrar)
    with harness.running(masa, registrar):
        device = site.device()
        with changes(masa) as told:
            ask_to_join(site, device)  # the history comes too soon after the voucher
    assert told["rate_limited_total", "registrar"] == 1
    assert told["auditlog_requests_total", "failed"] == 1
    assert told["request_failures_total", "auditlog", "retry-later"] == 1


def test_connections__that_stand_and_that_found_no_room(cell, acme, domain, masa_fake_server):
    registrar = watched_registrar(cell / "r", domain, [acme])
    with harness.running(registrar), contextlib.ExitStack() as open_ones:
        site = Site(cell, acme, domain, masa_fake_server, registrar)
        device = site.device()
        before = Scrape(registrar)
        for _ in range(3):
            open_ones.enter_context(site.peer(device))
        assert Scrape(registrar)["connections", "https"] == before["connections", "https"] + 3
        for _ in range(130):  # with one certificate; 128 may stand
            open_ones.enter_context(site.peer(device))
        harness.wait_until(lambda: Scrape(registrar)["rate_limited_total", "connections"] >= 5,
                           "connections ended")


# -- who is answered

def test_metrics__not_configured__are_nowhere(cell, acme, domain):
    masa = harness.Masa(cell / "m", acme)
    registrar = harness.Registrar(cell / "r", domain, [acme])
    with harness.running(masa, registrar):
        assert ask_tls(registrar.port, "/metrics") == ask_tls(masa.port, "/metrics") == 404
        for daemon in (masa, registrar):
            assert sockets_of(daemon.popen.pid) == {daemon.port}


def ask_tls(port, path):
    done = harness.run("curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}",
                       f"https://127.0.0.1:{port}{path}")
    return int(done.stdout)


def sockets_of(pid):
    """TCP ports it listens on."""
    rows = harness.run("ss", "-tlnpH", check=0).stdout.splitlines()
    return {int(row.split()[3].rsplit(":", 1)[1]) for row in rows if f"pid={pid}," in row}


@pytest.mark.parametrize("name", ["registrar", "masa"])
def test_listener__serves_three_resources_and_nothing_else(site, name):
    port = getattr(site, name).metrics
    assert ask(port, "/healthz")[0] == ask(port, "/readyz")[0] == 200
    for path in ("/", "/metrics/", "/api/v1/claims", "/api/v1/status", "/.well-known/est/cacerts",
                 "/.well-known/brski/requestvoucher"):
        for method in ("GET", "POST"):
            assert ask(port, path, method)[0] == 404
    for path in ("/metrics", "/healthz", "/readyz"):
        for method in ("POST", "PUT", "DELETE"):
            assert ask(port, path, method)[0] == 405


@pytest.mark.parametrize("name", ["registrar", "masa"])
def test_device_listener__never_answers_without_tls(site, name):
    with socket.create_connection(("127.0.0.1", getattr(site, name).port), 5) as plain:
        plain.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        plain.settimeout(harness.PATIENCE)
        said = b""
        with contextlib.suppress(ConnectionResetError):
            while octets := plain.recv(4096):
                said += octets
    assert b"HTTP" not in said


@pytest.mark.parametrize("listen", ["9464", "unix:/tmp/x.sock", "127.0.0.1:http", "::1:9464"])
def test_check__an_address_that_is_none__is_refused(cell, acme, domain, masa_fake_server, listen):
    asked = {"metrics": {"listen": listen}}
    for daemon in (harness.Registrar(cell / "r", domain, [acme], changes=asked),
                   harness.Masa(cell / "m", acme, changes=asked)):
        done = harness.run(*daemon.argv, "--check")
        assert done.returncode == 1 and "[metrics]" in done.stderr


def test_start__the_address_is_taken__says_which(cell, acme, domain):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        asked = {"metrics": {"listen": f"127.0.0.1:{taken.getsockname()[1]}"}}
        for daemon in (harness.Registrar(cell / "r", domain, [acme], changes=asked),
                       harness.Masa(cell / "m", acme, changes=asked)):
            done = harness.run(*daemon.argv)
            assert done.returncode == 1 and "[metrics]: " in done.stderr, done.stderr


def test_reload__another_address__waits_for_a_restart(cell, acme, domain, masa_fake_server):
    registrar = watched_registrar(cell / "r", domain, [acme])
    with harness.running(registrar):
        text = registrar.config.read_text()
        registrar.config.write_text(text.replace(str(registrar.metrics), str(free_port())))
        registrar.signal(signal.SIGHUP)
        registrar.wait_log(r"event=reload-needs-restart .*\[metrics\] listen")
        assert Scrape(registrar)[("ready",)] == 1


def test_stopping__is_not_ready_but_still_tells(cell, acme, domain, masa_fake_server):
    """While the last device gets its voucher."""
    masa_fake_server.be_honest()
    registrar = watched_registrar(cell / "r", domain, [acme])
    site = Site(cell, acme, domain, masa_fake_server, registrar)
    with harness.running(registrar):
        device = site.device()
        masa_fake_server.delay = 2
        last = threading.Thread(target=ask_to_join, args=(site, device))
        last.start()
        registrar.wait_log("event=masa-asked")
        assert ask(registrar.metrics, "/readyz")[0] == 200
        registrar.signal(signal.SIGTERM)
        registrar.wait_log("event=draining")
        assert ask(registrar.metrics, "/readyz")[0] == 503
        assert ask(registrar.metrics, "/healthz")[0] == 200
        assert Scrape(registrar)[("ready",)] == 0
        last.join(harness.PATIENCE)
        assert registrar.wait() == 0
    masa_fake_server.be_honest()


# -- what it costs

def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_scrape__costs_little_and_says_nothing_in_the_log(site):
    mark, scrapes = site.registrar.log_size(), 300
    before = cpu_s(site.registrar.popen.pid)
    for _ in range(scrapes):
        assert ask(site.registrar.metrics, "/metrics")[0] == 200
    each = (cpu_s(site.registrar.popen.pid) - before) / scrapes
    limit = 0.003 if not os.environ.get("BRSKI_TEST_PATIENCE") else 0.05
    assert each < limit, f"{each * 1e6:.0f} µs a scrape"
    assert not site.registrar.lines("/metrics", since=mark)


def test_scrape__under_load__is_answered_and_each_device_too(site):
    """Somebody asks without a pause while devices join; nobody waits for the other."""
    devices, statuses, slowest = [site.device() for _ in range(12)], [], []
    over = threading.Event()

    def watch():
        while not over.is_set():
            began = time.monotonic()
            assert ask(site.registrar.metrics, "/metrics")[0] == 200
            slowest.append(time.monotonic() - began)
    watcher = threading.Thread(target=watch)
    with changes(site.registrar) as told:
        watcher.start()
        try:
            joining = [threading.Thread(target=lambda d=d: statuses.append(ask_to_join(site, d)))
                       for d in devices]
            for thread in joining:
                thread.start()
            for thread in joining:
                thread.join(harness.PATIENCE)
        finally:
            over.set()
            watcher.join(harness.PATIENCE)
    assert statuses == [200] * len(devices)
    assert told["voucher_requests_total", "https", "delivered"] == len(devices)
    assert len(slowest) > 5 and sorted(slowest)[len(slowest) // 2] < 1


# -- what stands in the documents

def told_by(daemon):
    """{name as it stands in expressions: (type, labels)}"""
    out = {}
    for family in families(daemon.metrics):
        name = family.name + ("_total" if family.type == "counter" else "")
        out[name] = family.type, [k for s in family.samples[:1] for k in s.labels if k != "le"]
    return out


@pytest.mark.parametrize("name", ["registrar", "masa"])
def test_page__has_every_metric_with_type_and_labels_and_no_others(site, name):
    text = (PAGES / f"brski-{name}.8").read_text().split("\n.SH METRICS\n")[1].split("\n.SH ")[0]
    described = {match[1]: (match[3], match[2].strip("{}").split(", ") if match[2] else [])
                 for match in re.finditer(r'^\.BR (\w+) "(\{[^}]*\})? \((\w+)\)"$', text, re.M)}
    assert described == told_by(getattr(site, name))


def names_in(expression):
    return set(re.findall(r"\bbrski_\w+", expression))


def exist(names, site):
    told = dict(told_by(site.registrar), **told_by(site.masa))
    for name, (kind, _) in list(told.items()):
        if kind == "histogram":
            told.update({name + end: None for end in ("_bucket", "_sum", "_count")})
    assert names and names <= told.keys(), names - told.keys()


def selectors(expression):
    return re.findall(r"\b(brski_\w+)\{([^}]*)\}", expression)


def assert_labels_exist(expression, site):
    """Every label value that is asked for is one that is told."""
    samples = [s for daemon in (site.registrar, site.masa) for f in families(daemon.metrics)
               for s in f.samples]
    for name, matchers in selectors(expression):
        for label, operator, value in re.findall(r'(\w+)(=~|!=|!~|=)"([^"]*)"', matchers):
            if label == "instance":
                continue  # Prometheus' own
            values = {s.labels.get(label) for s in samples if s.name == name}
            assert values & set(value.split("|")) == set(value.split("|")), (name, label, value)
            assert operator in ("=", "=~", "!=", "!~")


def test_alert_rules__name_what_exists_and_say_what_to_do(site):
    rules = [rule for group in yaml.safe_load((EXAMPLES / "prometheus/alerts.yml").read_text())["groups"]
             for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 8
    for rule in rules:
        exist(names_in(rule["expr"]), site)
        assert_labels_exist(rule["expr"], site)
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert {"summary", "description"} <= rule["annotations"].keys()
        assert re.fullmatch(r"\d+[smhd]", rule.get("for", "1m"))
        assert rule["expr"].count("(") == rule["expr"].count(")")


def test_dashboard__names_what_exists(site):
    board = json.loads((EXAMPLES / "prometheus/dashboard.json").read_text())
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert len(panels) >= 8
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in panels:
        assert panel["title"] and panel["targets"]
        for target in panel["targets"]:
            exist(names_in(target["expr"]), site)
            assert_labels_exist(target["expr"], site)


@pytest.mark.skipif(subprocess.run(["sh", "-c", "command -v promtool"], capture_output=True,
                                   check=False).returncode != 0, reason="no promtool here")
def test_alert_rules__promtool_takes_them():
    harness.run("promtool", "check", "rules", EXAMPLES / "prometheus/alerts.yml", check=0)
