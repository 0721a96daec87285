# SPDX-License-Identifier: Apache-2.0
"""Events: each line of the audit log is one, told in order, filtered by type, and waited for without
holding anything up."""
import http.client
import json
import socket
import subprocess
import threading
import time

import pytest

import harness
from places import Site


@pytest.fixture(scope="module")
def here(place, acme, domain):
    masa = harness.Masa(place / "masa", acme)
    registrar = harness.Registrar(place / "registrar", domain, [acme],
                                  changes={f"manufacturer {acme.name}": {"admit": "hold"}})
    with harness.running(masa, registrar):
        yield Site(place, acme, domain, masa, registrar)


class Admin(http.client.HTTPConnection):
    """A connection to the administrators' socket."""

    def __init__(self, registrar):
        super().__init__("localhost", timeout=harness.PATIENCE)
        self.path = str(registrar.socket)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def get(self, path):
        self.request("GET", path)
        reply = self.getresponse()
        return reply.status, reply.read()


def events(site, query=""):
    admin = Admin(site.registrar)
    status, body = admin.get(f"/api/v1/events?{query}")
    admin.close()
    assert status == 200, body
    return json.loads(body)


def end(site):
    return events(site, "after=end")["next"]


def ask(site, device):
    with site.peer(device) as peer:
        return peer.request_voucher().status


def later(site, query):
    """Ask in a thread: the answer and how long it took."""
    got = {}

    def run():
        began = time.monotonic()
        got["page"] = events(site, query)
        got["s"] = time.monotonic() - began
    thread = threading.Thread(target=run)
    thread.start()
    got["thread"] = thread
    return got


def test_events_are_the_journals_lines_in_order(here):
    device, before = here.device(), end(here)
    assert ask(here, device) == 202
    here.registrar.ctl("claims", "approve", device.serial, "--reason", "ours")
    assert ask(here, device) == 200
    page = events(here, f"after={before}")
    mine = [e for e in page["items"] if e.get("subject") == f"Acme/{device.serial}"]
    assert [e["type"] for e in mine] == ["brski.claim.pending", "brski.claim.approved",
                                         "brski.voucher.issued"]
    lines = {str(j["sequence"]): j for j in
             json.loads(here.registrar.ctl("audit", "list", "--after", before, "-o", "json").stdout)}
    for event in mine:
        line = lines[event["id"]]
        assert event["specversion"] == "1.0" and int(event["sequence"]) == int(event["id"])
        assert event["time"] == line["time"] and event["source"].startswith("//")
        assert {k: event["data"][k] for k in ("step", "outcome", "by", "reason", "serial")} == \
            {k: line[k] for k in ("step", "outcome", "by", "reason", "serial")}
    assert page["next"] == max(lines, key=int)
    assert events(here, f"after={page['next']}")["items"] == []


def test_a_type_is_chosen_and_the_rest_is_passed_over(here):
    device, before = here.device(), end(here)
    assert ask(here, device) == 202
    here.registrar.ctl("claims", "reject", device.serial)
    for types in ("claim.rejected", "brski.claim.rejected", "device.*,claim.rej*"):
        page = events(here, f"after={before}&type={types}")
        assert [e["type"] for e in page["items"]] == ["brski.claim.rejected"]
    page = events(here, f"after={before}&type=backup.*")
    assert page["items"] == [] and int(page["next"]) > int(before)
    one = events(here, f"after={before}&limit=1")
    assert len(one["items"]) == 1 and one["next"] == one["items"][0]["id"]


def test_who_waits_hears_at_once_and_only_of_what_was_asked_for(here):
    device, before = here.device(), end(here)
    waiting = later(here, f"after={before}&wait=30&type=claim.approved")
    other = later(here, f"after={before}&wait=1&type=backup.*")
    assert ask(here, device) == 202
    other["thread"].join(harness.PATIENCE)
    assert other["page"]["items"] == [] and int(other["page"]["next"]) > int(before)
    assert waiting["thread"].is_alive()
    here.registrar.ctl("claims", "approve", device.serial)
    waiting["thread"].join(harness.PATIENCE)
    assert [e["type"] for e in waiting["page"]["items"]] == ["brski.claim.approved"]
    assert waiting["s"] < 10


def test_only_so_many_wait_and_the_registrar_serves_on(here):
    waiting = []
    for _ in range(64):
        admin = Admin(here.registrar)
        admin.request("GET", "/api/v1/events?after=end&wait=20")
        waiting.append(admin)
    crowded = Admin(here.registrar)

    def refused():
        crowded.request("GET", "/api/v1/events?after=end&wait=1")
        reply = crowded.getresponse()
        reply.read()
        return reply.status == 503
    harness.wait_until(refused, "the 65th to be refused")
    device = here.device()
    assert ask(here, device) == 202
    for admin in waiting:
        assert device.serial in admin.getresponse().read().decode()
        admin.close()


def test_who_leaves_while_waiting_hurts_nobody(here):
    for _ in range(5):
        admin = Admin(here.registrar)
        admin.request("GET", "/api/v1/events?after=end&wait=20")
        admin.close()
    assert ask(here, here.device()) == 202


def test_a_stop_answers_who_waits(here):
    admin = Admin(here.registrar)
    assert admin.get("/api/v1/events?after=end")[0] == 200
    admin.request("GET", "/api/v1/events?after=end&wait=50")
    began = time.monotonic()
    here.registrar.restart()
    assert json.loads(admin.getresponse().read())["items"] == [] and time.monotonic() - began < 40
    admin.close()


def test_who_waits_hears_how_far_it_was_looked_when_much_came_that_is_not_theirs(here, place):
    path = place / "many.csv"
    path.write_text("manufacturer,serial\n" + "".join(f"Acme,MANY-{i:05}\n" for i in range(6000)))
    before = end(here)
    waiting = later(here, f"after={before}&wait=50&type=backup.*")
    time.sleep(0.2)
    here.registrar.ctl("claims", "import", path)
    waiting["thread"].join()
    assert waiting["s"] < 40 and waiting["page"]["items"] == []  # not at the end of its patience
    assert int(waiting["page"]["next"]) == int(before) + 5000


@pytest.mark.parametrize("query", ["after=x", "after=-1", "wait=51", "limit=0", "limit=1001", "type=",
                                   "type=a%2C%2Cb", "type=Claim.*", "type=%00"])
def test_a_query_that_is_none_is_refused(here, query):
    admin = Admin(here.registrar)
    assert admin.get(f"/api/v1/events?{query}")[0] == 400
    admin.close()


def test_the_tail_prints_events_as_they_happen(here):
    device, before = here.device(), end(here)
    tail = subprocess.Popen([harness.program("registrarctl"), "-s", here.registrar.socket, "events", "tail",
                             "--type", "claim.*", "--after", before, "-o", "json"], stdout=subprocess.PIPE,
                            text=True)
    try:
        assert ask(here, device) == 202
        assert json.loads(tail.stdout.readline())["subject"] == f"Acme/{device.serial}"
        here.registrar.ctl("claims", "reject", device.serial)
        assert json.loads(tail.stdout.readline())["type"] == "brski.claim.rejected"
    finally:
        tail.terminate()
        tail.wait(harness.PATIENCE)
    said = here.registrar.ctl("events", "tail", "--once", "--after", before, "--type", "claim.*").stdout
    assert [line.split()[2] for line in said.splitlines()] == ["brski.claim.pending", "brski.claim.rejected"]
    ids = here.registrar.ctl("events", "tail", "--once", "-o", "ids").stdout.split()
    assert ids == sorted(ids, key=int) and len(ids) >= 2
    assert here.registrar.ctl("events", "tail", "--once", "--type", "NO", check=1).stderr
