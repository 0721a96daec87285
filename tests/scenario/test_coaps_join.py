# SPDX-License-Identifier: Apache-2.0
"""Constrained devices join a site over CoAPS: the three programs as processes. The steps, words and
exit codes are those of test_join.py."""
import concurrent.futures
import json
import re

import cbor2
import pytest

import harness
from brski_peer import certs, forge
from brski_peer.constrained import FakeRegistrar
from places import Device, Site
from test_join import ldevid_of, pending_claim, steps_of
from udp_relay import Relay

req = pytest.mark.req

JOINED, FAILED, USAGE, REFUSED, UNREACHABLE, BAD_VOUCHER, STILL_PENDING, NOT_ENROLLED = range(8)


def joins(pledge, **more):
    done = pledge.join(**more)
    assert done.returncode == JOINED, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def requests_of(registrar, since=0):
    """What the registrar's log says was asked of it over CoAPS, in order: the short names."""
    lines = registrar.lines(r"event=request .*path=/\.well-known/(est|brski)/\w+ ", since)
    return [re.search(r"path=\S+/(\w+) ", line)[1] for line in lines]


@pytest.fixture(scope="module")
def site(coaps_site):
    return coaps_site


@pytest.fixture(scope="module")
def holding(place, acme, domain, site):
    """A second registrar of the site that holds every device."""
    registrar = harness.Registrar(place / "holding", domain, [acme], coaps=True,
                                  changes={"manufacturer Acme": {"admit": "hold"}})
    with harness.running(registrar):
        yield Site(place / "holding", acme, domain, site.masa, registrar)


# -- good days

@req("R-01", "R-11", "R-23", "N-01", "N-03", "N-05", "O-16", "C-05", "C-25", "D-12", "D-13", "O-09", "O-10",
     "R-10", "Y-03")
@pytest.mark.parametrize("idevid, ldevid", [("ec-p256", "ec-p256"), ("ec-p384", "ec-p384"),
                                            ("ec-p256", "ed25519"), ("ec-p256", "rsa-3072")])
def test_device_joins_with_each_key_type(site, domain, idevid, ldevid):
    since = site.registrar.log_size()
    device = site.device(idevid)
    pledge = site.coaps_pledge(device, changes={"device": {"key_type": ldevid}})
    joins(pledge)
    certificate = ldevid_of(pledge)
    assert certificate.issuer == forge.load_certs(domain.file("issuing.crt"))[0].subject
    assert device.serial in certificate.subject.rfc4514_string()
    assert requests_of(site.registrar, since) == ["rv", "vs", "sen", "crts", "es"]
    told = site.registrar.wait_log(f"event=enroll-status .*serial={device.serial}", since)
    assert "status=true" in told and "session=ldevid" in told
    assert pledge.command("status").returncode == 0


def test_voucher_it_got_is_valid_for_who_names_the_signer(site, acme):
    """The file that names it holds its issuer too, which leads to the root."""
    pledge = site.coaps_pledge(site.device())
    joins(pledge)
    path = pledge.state / "current" / "voucher.vch"
    signer = acme.directory / "masa" / "masa-signer.crt"
    inspect = [harness.program("brski-voucher"), "inspect", path, "--anchor", acme.anchors]
    named = harness.run(*inspect, "--signer", signer)
    assert named.returncode == 0 and not named.stderr
    unnamed = harness.run(*inspect)
    assert unnamed.returncode == 1 and "--signer" in unnamed.stderr


def test_anchors_without_the_signer_are_named_in_the_advice(site, acme):
    pledge = site.coaps_pledge(site.device(), changes={"device": {"masa_anchors": acme.anchors}})
    done = pledge.join()
    assert done.returncode == 5
    assert "check that masa_anchors" in done.stderr and "the MASA's signer itself" in done.stderr


def test_key_of_the_registrar_over_https_is_refused_before_anything_is_asked(site):
    pledge = site.pledge(site.device(), changes={"device": {"key_source": "registrar"}})
    done = pledge.join()
    assert done.returncode == 2
    assert "key_source = registrar works over CoAPS only" in done.stderr
    assert "voucher" not in done.stdout


@pytest.mark.parametrize("url, said", [
    ("coap://127.0.0.1", "begins neither with https:// nor with coaps://"),
    ("coaps://[fe80::1]", "a link-local address needs its interface, as in [fe80::1%25eth0]"),
])
def test_url_of_a_registrar_that_cannot_be_is_told(site, url, said):
    done = site.pledge(site.device(), [url]).join()
    assert done.returncode == 2 and said in done.stderr


def test_the_words_are_those_of_https(site):
    def words(done):
        return sorted({line.split(":")[0] for line in steps_of(done.stdout)})
    over_https = words(joins(site.pledge(site.device())))
    over_coaps = words(joins(site.coaps_pledge(site.device())))
    assert set(over_coaps) <= set(over_https)
    assert set(over_https) - set(over_coaps) == {"csrattrs"}


@pytest.fixture(scope="module")
def flat(place, acme, site):
    """A registrar of a site whose root issues itself."""
    root = certs.make_ca("Flat Site Root")
    ra = certs.make_registrar(root)
    where = place / "flat"
    where.mkdir()
    ca = forge.save(where, "ca", root.key, root.chain())
    ra = forge.save(where, "ra", ra.key, ra.chain(with_root=True))
    registrar = harness.Registrar(where, site.domain, [acme], coaps=True,
                                  identity=(ra.key_path, ra.cert_path),
                                  changes={"ca": {"key": ca.key_path, "certificate": ca.cert_path,
                                                  "chain": None}})
    with harness.running(registrar):
        yield Site(where, acme, site.domain, site.masa, registrar)


@req("N-02", "A-05")
def test_site_with_a_single_root_needs_no_crts(flat):
    joins(flat.coaps_pledge(flat.device()))
    assert requests_of(flat.registrar) == ["rv", "vs", "sen", "es"]


@req("Y-10", "R-06")
@pytest.mark.parametrize("form", ["pubk", "pubk-sha256", "certificate"])
def test_each_way_to_name_the_registrar_gets_a_voucher(site, form):
    joins(site.coaps_pledge(site.device(), changes={"coaps": {"proximity": form}}))


@req("C-12", "C-13", "C-14")
def test_registrar_makes_the_key_for_a_device_that_cannot(site):
    since = site.registrar.log_size()
    pledge = site.coaps_pledge(site.device(), changes={"device": {"key_source": "registrar"}})
    joins(pledge)
    assert requests_of(site.registrar, since) == ["rv", "vs", "skc", "crts", "es"]
    key = pledge.state / "current" / "ldevid.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE KEY" in key.read_text() and "PRIVATE KEY" not in pledge.log()


@req("C-36", "EE-09")
def test_enrolled_device_renews(site):
    since = site.registrar.log_size()
    pledge = site.coaps_pledge(site.device())
    joins(pledge)
    before = ldevid_of(pledge)
    asked = len(requests_of(site.registrar, since))
    assert pledge.command("renew", "--force").returncode == 0
    after = ldevid_of(pledge)
    assert after.subject == before.subject and after.serial_number != before.serial_number
    assert requests_of(site.registrar, since)[asked:] == ["sren", "es"]
    assert pledge.command("renew").returncode == 0, "nothing is due"
    assert len(requests_of(site.registrar, since)) == asked + 2


def test_both_kinds_of_device_at_once(site):
    pledges = [(site.coaps_pledge if i % 2 else site.pledge)(site.device()) for i in range(6)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda p: p.join().returncode, pledges))
    assert results == [JOINED] * 6


# -- waiting

@req("C-18", "R-07")
def test_held_device_joins_when_approved(holding):
    device = holding.device()
    pledge = holding.coaps_pledge(device).start()
    pending_claim(holding, device)
    pledge.wait_log("not decided yet")
    holding.registrar.ctl("claims", "approve", device.serial)
    assert pledge.wait(30) == JOINED
    assert not [c for c in holding.registrar.claims("pending") if device.serial in json.dumps(c)]


def test_rejected_device_is_told_and_stops(holding):
    device = holding.device()
    pledge = holding.coaps_pledge(device).start()
    pending_claim(holding, device)
    holding.registrar.ctl("claims", "reject", device.serial, "--reason", "not ordered")
    assert pledge.wait(30) == REFUSED
    assert pledge.command("status").returncode == NOT_ENROLLED


@req("C-18", "D-12")
def test_restart_of_a_waiting_device_sends_the_same_octets(holding):
    device = holding.device()
    pledge = holding.coaps_pledge(device, changes={"retry": {"retry_after_max": "60s"}}).start()
    pending_claim(holding, device)
    pledge.wait_log("not decided yet")
    pledge.kill()
    kept = (pledge.state / "pending").read_text()
    again = holding.coaps_pledge(device).start()
    again.wait_log("not decided yet", since=again.log().rindex("connect:"))
    assert re.findall("(?m)^(?:request|nonce) .*", (pledge.state / "pending").read_text()) == \
        re.findall("(?m)^(?:request|nonce) .*", kept)
    holding.registrar.ctl("claims", "approve", device.serial)
    assert again.wait(30) == JOINED
    assert "as before" in again.log()


def test_registrar_restart_while_a_device_waits(holding):
    device = holding.device()
    pledge = holding.coaps_pledge(device, changes={"retry": {"attempts": 0}}).start()
    pending_claim(holding, device)
    holding.registrar.restart()
    holding.registrar.ctl("claims", "approve", device.serial)
    assert pledge.wait(60) == JOINED


# -- who must not join

@req("O-16", "R-15", "D-10")
def test_registrar_that_the_voucher_does_not_name_is_left(site, place, acme, other_domain, domain):
    """It relays the voucher of the good registrar."""
    identity = forge.load(other_domain.registrar_dir / "registrar.key",
                          other_domain.registrar_dir / "registrar.crt")
    with FakeRegistrar(identity, other_domain.directory, acme.directory) as liar:
        liar.pin = forge.load_certs(domain.file("issuing.crt"))[0]
        device = site.device()
        pledge = site.coaps_pledge(device, port=liar.port)
        assert pledge.join().returncode == BAD_VOUCHER
        assert liar.steps() == ["rv", "vs"]
        assert cbor2.loads(liar.seen("vs")[0].body)["status"] is False
    joins(site.coaps_pledge(device))


def test_device_of_an_unknown_manufacturer_is_refused(site, stranger):
    pledge = site.coaps_pledge(Device(stranger, site.masa_url))
    assert pledge.join().returncode == REFUSED
    assert pledge.command("status").returncode == NOT_ENROLLED


def test_device_the_masa_does_not_know_is_refused(site):
    assert site.coaps_pledge(site.device(known=False)).join().returncode == REFUSED


@req("R-15", "K-06")
def test_device_with_another_built_in_signer_does_not_believe_the_voucher(site, stranger):
    device = site.device()
    since = site.registrar.log_size()
    other = stranger.directory / "masa" / "masa-signer.crt"
    pledge = site.coaps_pledge(device, changes={"device": {"masa_anchors": other}})
    assert pledge.join().returncode == BAD_VOUCHER
    told = site.registrar.wait_log(f"event=voucher-status .*serial={device.serial}", since)
    assert "status=false" in told
    assert pledge.command("status").returncode == NOT_ENROLLED


def test_registrar_without_the_routes_of_constrained_devices_is_unreachable(acme, domain, place, site):
    registrar = harness.Registrar(place / "https-only", domain, [acme])
    with harness.running(registrar):
        pledge = site.coaps_pledge(site.device(), port=registrar.port)
        assert pledge.join().returncode == UNREACHABLE


# -- bad days

@pytest.mark.slow
@req("C-19", "C-20", "D-12")
@pytest.mark.parametrize("loss", [0.05, 0.1])
def test_device_joins_over_a_link_that_loses_datagrams(site, loss):
    since = site.registrar.log_size()
    device = site.device()
    with Relay(site.registrar.coaps_port, loss=loss, duplicate=0.05, reorder=0.1, seed=3) as link:
        pledge = site.coaps_pledge(device, port=link.port)
        joins(pledge, timeout=60)
        assert link.count["lost"]
    issued = site.registrar.lines(f"event=certificate-issued .*serial={device.serial}", since)
    assert len(issued) == 1


@pytest.mark.slow
@req("C-18", "D-12", "R8995-PLG-001")
def test_device_killed_after_each_step_joins_the_next_time(site):
    reference = steps_of(joins(site.coaps_pledge(site.device())).stdout)
    assert len(reference) >= 4, reference
    for number in range(1, len(reference) + 1):
        device = site.device()
        pledge = site.coaps_pledge(device).start()

        def reached():
            return len(steps_of(pledge.log())) >= number or not pledge.alive()
        harness.wait_until(reached, f"step {number}: {reference[number - 1]}")
        pledge.kill()
        done = pledge.join()
        assert done.returncode == JOINED, (reference[number - 1], done.stdout, done.stderr)
        assert device.serial in ldevid_of(pledge).subject.rfc4514_string()
