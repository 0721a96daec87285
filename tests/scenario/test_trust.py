# SPDX-License-Identifier: Apache-2.0
"""Attacks on who is trusted for what. Each attacker here holds keys that are good for something else:
a device's, a neighbour's certificate of the same site, a CA of its own, another manufacturer's IDevID.
"""
import grp
import json
import os
import stat
import threading

import pytest
from cryptography import x509

import harness
from brski_peer import certs, forge
from brski_peer.pledge import certs_of, est_body
from brski_peer.registrar import FakeRegistrar
from places import Device, Site
from test_masa import Client, new_device, registrar  # noqa: F401
from test_pledge import JOINED, Try
from test_registrar import assert_refused

req = pytest.mark.req


@pytest.fixture(scope="module")
def masa(place, acme):
    with harness.running(harness.Masa(place / "masa", acme)) as (daemon,):
        yield daemon


def site_under(directory, name, key_identifier=None):
    """A registrar below a CA of its own; key_identifier: what the CA claims to be its SKI."""
    more = {}
    if key_identifier:
        more = {"with_ski": False,
                "extensions": [(x509.SubjectKeyIdentifier(key_identifier), False)]}
    made = certs.make_registrar(certs.make_ca(f"{name} CA", **more), cn=name)
    return forge.save(directory, name, made.key, made.chain(with_root=True))


# -- the MASA

@req("R8995-MASA-013")
@pytest.mark.parametrize("leaf", ["cert", "pubk"])
def test_the_key_of_another_registrar_in_a_certificate_of_ones_own_is_no_proximity(
        masa, acme, registrar, cell, leaf):  # noqa: F811
    """Anybody can certify a public key. That does not make its owner one of them."""
    device = new_device(masa, acme)
    ca = certs.make_ca("Thief CA")
    thief = certs.make_registrar(ca, cn="thief")
    thief = forge.save(cell, "thief", thief.key, thief.chain(with_root=True))
    borrowed = certs.make_registrar(ca, cn="borrowed", public_key=registrar.cert.public_key())
    with Client(masa, thief) as client:
        changes = {}
        if leaf == "pubk":
            changes = {"proximity_registrar_cert": None,
                       "proximity_registrar_pubk": forge.b64(forge.spki(registrar.cert))}
        prior = client.pvr(device, proximity=registrar.cert, **changes)
        reply = client.ask(client.rvr(device, prior, chain=thief.chain(with_root=True) + [borrowed.cert]))
    assert_refused(reply, 403)


@req("R8995-MASA-034", "R8995-MASA-035")
def test_a_domain_that_borrows_a_key_identifier_shows_in_the_history(masa, acme, cell):
    """The domainID is a key identifier, which a CA writes into its certificate as it likes."""
    device = new_device(masa, acme)
    victim = site_under(cell, "victim")
    thief = site_under(cell, "thief", forge.ski(victim.root))
    assert forge.ski(thief.root) == forge.ski(victim.root)
    with Client(masa, thief) as client:
        client.voucher(client.rvr(device, chain=thief.chain(with_root=True)))
    with Client(masa, victim) as client:
        rvr = client.rvr(device, chain=victim.chain(with_root=True))
        client.voucher(rvr)
        events = json.loads(client.audit(rvr).text)["events"]
    assert len(events) == 2
    assert len({event["domainID"] for event in events}) == 2, events


# -- the registrar

@req("R8995-REG-037")
def test_voucher_signed_by_a_device_is_not_relayed(fake_site, fake_masa):
    """Devices and MASA are below the same root."""
    fake_masa.signer = fake_site.device().identity
    with fake_site.peer(fake_site.device()) as pledge:
        assert_refused(pledge.request_voucher(), 502)


@pytest.fixture
def holding(cell, acme, domain, fake_masa):
    changes = {"manufacturer Acme": {"admit": "hold"}, "audit": {"check": "off"}}
    running = harness.Registrar(cell / "registrar", domain, [acme], changes=changes)
    with harness.running(running):
        yield Site(cell, acme, domain, fake_masa, running)


@req("R8995-REG-012")
@pytest.mark.parametrize("verb, status", [(("claims", "reject"), 404), (("devices", "quarantine"), 503)])
def test_device_shut_out_while_the_masa_is_asked_gets_no_voucher(holding, fake_masa, verb, status):
    device = holding.device()
    replies = []
    with holding.peer(device) as pledge:
        pvr = pledge.pvr()
        assert pledge.request_voucher(pvr).status == 202
        holding.registrar.ctl("claims", "approve", device.serial)
        fake_masa.delay = 1.5
        waiting = threading.Thread(target=lambda: replies.append(pledge.request_voucher(pvr)))
        waiting.start()
        fake_masa.wait_seen("/requestvoucher", 1)
        holding.registrar.ctl(*verb, device.serial)
        waiting.join(20)
        assert_refused(replies[0], status)


@req("R8995-REG-012")
def test_decisions_on_claims_are_in_the_log_with_the_device(holding):
    device = holding.device()
    with holding.peer(device) as pledge:
        assert pledge.request_voucher().status == 202
    since = holding.registrar.log_size()
    holding.registrar.ctl("claims", "approve", device.serial)
    claim = holding.registrar.claims("approved")[0]["id"]
    holding.registrar.wait_log(rf"claim-approved.*claim={claim}\b", since)


@req("EA-06")
def test_approval_of_a_second_idevid_is_no_voucher(cell, acme, domain, fake_masa):
    """Same serial-number, other key: let in once, held later, approved, and enrols at once."""
    running = harness.Registrar(cell / "registrar", domain, [acme])
    site = Site(cell, acme, domain, fake_masa, running)
    device = site.device()
    twin = forge.idevid(cell, device.serial, site.masa_url, acme)
    with harness.running(running):
        with site.peer(device) as pledge:
            pledge.join()
    running = harness.Registrar(cell / "registrar", domain, [acme],
                                changes={"manufacturer Acme": {"admit": "hold"}})
    site = Site(cell, acme, domain, fake_masa, running)
    with harness.running(running):
        with site.peer(twin) as pledge:
            assert pledge.request_voucher().status == 202
            running.ctl("claims", "approve", device.serial)
            assert_refused(pledge.enroll()[0], 403)


@req("EA-06")
def test_serials_of_two_manufacturers_are_two_devices(cell, acme, stranger, domain, fake_masa):
    changes = {f"manufacturer {m.name}": {"admit": "hold", "masa_anchors": acme.anchors}
               for m in (acme, stranger)}
    running = harness.Registrar(cell / "registrar", domain, [acme, stranger], changes=changes)
    site = Site(cell, acme, domain, fake_masa, running)
    serial = "SAME-1"
    ours = Device(acme, site.masa_url, serial=serial)
    theirs = Device(stranger, site.masa_url, serial=serial)
    with harness.running(running), site.peer(ours) as pledge, site.peer(theirs) as other:
        assert pledge.request_voucher().status == 202
        assert other.request_voucher().status == 202
        assert running.ctl("claims", "approve", serial, check=None).returncode != 0
        claim = [c for c in running.claims("pending") if c["manufacturer"] == acme.name][0]
        running.ctl("claims", "approve", str(claim["id"]))
        assert pledge.request_voucher().status == 200
        assert other.request_voucher().status == 202
        assert_refused(other.enroll()[0], 403)


@req("EA-06", "R8995-REG-057")
def test_rejection_ends_every_certificate_of_the_device(holding, cell):
    device = holding.device()
    with holding.peer(device) as pledge:
        pvr = pledge.pvr()
        pledge.request_voucher(pvr)
        holding.registrar.ctl("claims", "approve", device.serial)
        assert pledge.request_voucher(pvr).status == 200
        reply, key = pledge.enroll()
        ldevid = forge.save(cell, "ldevid", key, certs_of(reply))
    holding.registrar.ctl("claims", "reject", device.serial)
    with holding.peer(ldevid) as renewing:
        csr = est_body(certs.make_csr(key, ldevid.cert.subject))
        for operation in ("simpleenroll", "simplereenroll", "serverkeygen"):
            assert_refused(renewing.post_csr(csr, operation), 403)
        assert_refused(renewing.cacerts(), 403)
    with holding.peer(device) as again:
        assert_refused(again.request_voucher(pvr), 404)
        assert_refused(again.enroll()[0], 403)


def test_ldevid_gets_no_voucher(fake_site, fake_masa, cell):
    with fake_site.peer(fake_site.device()) as pledge:
        cert, key = pledge.join()
    ldevid = forge.save(cell, "ldevid", key, [cert])
    before = len(fake_masa.seen("/requestvoucher"))
    with fake_site.peer(ldevid) as again:
        assert_refused(again.request_voucher(), 403)
    assert len(fake_masa.seen("/requestvoucher")) == before


@pytest.mark.parametrize("group", [None, "daemon"])
def test_admin_sockets_are_for_the_service_and_the_group_named(cell, acme, domain, group):
    """Not for everybody who happens to share the service's primary group."""
    if group and os.getuid() != 0:
        pytest.skip("only root gives files to another group")
    admin = {"group": group} if group else {}
    masa = harness.Masa(cell / "masa", acme, changes={"admin": admin})
    site = harness.Registrar(cell / "registrar", domain, [acme], changes={"admin": admin})
    with harness.running(masa, site):
        for daemon in (masa, site):
            found = os.stat(daemon.socket)
            assert stat.S_IMODE(found.st_mode) == (0o660 if group else 0o600)
            assert found.st_gid == (grp.getgrnam(group).gr_gid if group else os.getgid())


# -- the pledge

@pytest.fixture
def honest(domain, acme):
    with FakeRegistrar(domain.registrar_dir / "registrar.crt", domain.registrar_dir / "registrar.key",
                       domain.directory, acme.directory) as server:
        yield server


@req("TA-01", "R8995-PLG-053")
def test_neighbour_that_talked_the_site_into_a_name_is_no_server(cell, acme, domain, honest):
    """An LDevID with the registrar's own name: under the anchor, named, and for clients only."""
    device = Device(acme, "masa.example")
    attempt = Try(cell, device, honest, changes={"policy": {"renew_before": "400d"}})
    attempt.join(expect=JOINED)
    neighbour = certs.make_ldevid(forge.issuing(domain.directory), "NEIGHBOUR",
                                  alt="IP:127.0.0.1")
    honest.stop()
    files = neighbour.write(cell, "neighbour")
    with FakeRegistrar(files[1], files[0], domain.directory, acme.directory,
                       port=honest.port) as rogue:
        assert attempt.pledge.command("renew").returncode != 0
        assert not rogue.requests


@req("R8995-PLG-041", "R8995-PLG-053")
def test_neighbour_with_a_stolen_nonceless_voucher_is_no_registrar(cell, acme, domain):
    """The pin covers every certificate of the site's CA, and those of devices are for clients."""
    device = Device(acme, "masa.example")
    neighbour = certs.make_ldevid(forge.issuing(domain.directory), "NEIGHBOUR")
    files = neighbour.write(cell, "neighbour")
    with FakeRegistrar(files[1], files[0], domain.directory, acme.directory) as rogue:
        rogue.lie = lambda fields: {k: v for k, v in fields.items() if k != "nonce"}
        attempt = Try(cell, device, rogue, changes={"policy": {"nonceless": "accept"}})
        attempt.join()
        assert attempt.done.returncode == 5, attempt.done.stdout
        assert "simpleenroll" not in rogue.steps()
