# SPDX-License-Identifier: Apache-2.0
"""A device is revoked: here at once, for others by the list, and back only by a person's word."""
import json
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import harness
from brski_peer import forge
from brski_peer.pledge import est_body
from places import Site
from test_est import admitted, issued
from test_registrar import assert_refused

LIST = "/issuing.crl"


@pytest.fixture(scope="module")
def site(place, acme, domain, masa_fake_server):
    """Every device may join, and certificates say where the list is."""
    registrar = harness.Registrar(place / "registrar", domain, [acme], changes={
        "ca": {"crl_url": "http://pki.example/issuing.crl", "crl_file": place / "issuing.crl"}})
    with harness.running(registrar):
        registrar.wait_log("crl-published")
        yield Site(place, acme, domain, masa_fake_server, registrar)


@pytest.fixture(autouse=True)
def honest(fake_masa):
    return fake_masa


def joined(site, cell, device):
    """The certificate and its key, in files."""
    with admitted(site, device) as pledge:
        certificate, key = pledge.join()
    return certificate, forge.save(cell, device.serial, key, [certificate])


def fetch(site):
    with site.peer(None) as anybody:
        reply = anybody.connection.get(LIST)
    assert reply.status == 200 and reply.media_type == "application/pkix-crl"
    return x509.load_der_x509_crl(reply.body)


def on_the_list(site, certificate):
    return fetch(site).get_revoked_certificate_by_serial_number(certificate.serial_number)


def revoke(site, device, *options, check=0):
    number = fetch(site).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    done = site.registrar.ctl("devices", "revoke", device.serial, *options, check=check)
    if check == 0:
        harness.wait_until(lambda: fetch(site).extensions.get_extension_for_class(
            x509.CRLNumber).value.crl_number > number, "a new revocation list")
    return done


def show(site, device):
    return json.loads(site.registrar.ctl("devices", "show", device.serial, "-o", "json").stdout)


def openssl_verify(cell, domain, crl, certificate):
    pem = cell / "crl.pem"
    subprocess.run(["openssl", "crl", "-inform", "DER", "-in", crl, "-out", pem], check=True)
    leaf = cell / "leaf.pem"
    leaf.write_bytes(certificate)
    return subprocess.run(
        ["openssl", "verify", "-crl_check", "-x509_strict", "-partial_chain", "-trusted",
         domain.file("issuing.crt"), "-CRLfile", pem, leaf], capture_output=True, text=True,
        check=False)


# -- for others

def test_the_list__of_a_new_site__is_there_for_anybody_and_signed(site, domain):
    crl = fetch(site)
    ca = forge.load_certs(domain.file("issuing.crt"))[0]
    assert crl.is_signature_valid(ca.public_key()) and crl.issuer == ca.subject
    aki = crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    ski = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert aki.key_identifier == ski.digest
    assert (crl.next_update - crl.last_update).days == 7
    assert "crl_next_update" in site.registrar.ctl("status", "-o", "json").stdout


def test_openssl__by_the_list__refuses_the_revoked_and_takes_the_other(site, cell, domain):
    good, bad = site.device(), site.device()
    certificates = [joined(site, cell, device)[0] for device in (good, bad)]
    revoke(site, bad, "--reason", "stolen")
    with site.peer(None) as anybody:
        (cell / "crl").write_bytes(anybody.connection.get(LIST).body)
    said = [openssl_verify(cell, domain, cell / "crl", c.public_bytes(Encoding.PEM))
            for c in certificates]
    assert said[0].returncode == 0, said[0].stderr
    assert said[1].returncode != 0 and "certificate revoked" in said[1].stderr, said[1].stderr


def test_certificates__say_where_the_list_is(site, cell):
    certificate, _ = joined(site, cell, site.device())
    points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints)
    assert not points.critical
    assert [n.value for p in points.value for n in p.full_name] == [
        "http://pki.example/issuing.crl"]


def test_the_file__is_the_list_that_is_served(site, cell):
    device = site.device()
    certificate, _ = joined(site, cell, device)
    revoke(site, device)
    crl = x509.load_der_x509_crl((site.directory / "issuing.crl").read_bytes())
    assert crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
    assert crl == fetch(site)


# -- here

def test_a_revoked_certificate__on_a_connection_that_stands__renews_nothing(site, cell):
    device = site.device()
    _, identity = joined(site, cell, device)
    with site.peer(identity) as client:
        assert client.cacerts().status == 200
        revoke(site, device, "--reason", "stolen")
        for operation in ("simplereenroll", "simpleenroll", "serverkeygen"):
            assert_refused(client.post_csr(est_body(client.csr()), operation), 403)
        assert_refused(client.cacerts(), 403)
    with site.peer(device) as pledge:
        assert_refused(pledge.enroll()[0], 403)
        assert_refused(pledge.cacerts(), 403)


def test_the_devices_page__tells_who_revoked_it_and_why(site, cell):
    device = site.device()
    joined(site, cell, device)
    revoke(site, device, "--reason", "stolen from the yard")
    told = show(site, device)
    assert told["state"] == "revoked"
    assert [bool(c["revoked"]) for c in told["certificates"]] == [True]
    line = told["journal"][0]
    assert (line["step"], line["outcome"], line["by"], line["reason"]) == (
        "device", "revoked", "unix:uid=0", "stolen from the yard")
    assert "whole" in site.registrar.ctl("audit", "verify").stdout


def test_a_revoked_device__waits_until_it_is_approved_anew(site, cell):
    device = site.device()
    first, _ = joined(site, cell, device)
    revoke(site, device)
    with site.peer(device) as pledge:
        request = pledge.pvr()
        assert pledge.request_voucher(request).status == 202
        assert pledge.request_voucher(request).status == 202
        site.registrar.ctl("claims", "approve", "--all", "--yes")
        assert pledge.request_voucher(request).status == 202, "--all is not for revoked devices"
        site.registrar.ctl("claims", "approve", device.serial, "--reason", "it was found")
        assert_refused(pledge.enroll()[0], 403)
    second, _ = joined(site, cell, device)
    assert show(site, device)["state"] == "active"
    assert on_the_list(site, first) and not on_the_list(site, second)


def test_the_same_csr__after_the_device_came_back__gets_a_new_certificate(site, cell):
    device = site.device()
    with admitted(site, device) as pledge:
        csr = pledge.csr()
        first = issued(pledge.post_csr(est_body(csr)))
        revoke(site, device)
        site.registrar.ctl("claims", "approve", device.serial)
        assert pledge.request_voucher().status == 200
        second = issued(pledge.post_csr(est_body(csr)))
    assert first.serial_number != second.serial_number


def test_an_approval__of_before__counts_no_longer(site, cell):
    device = site.device()
    joined(site, cell, device)
    site.registrar.ctl("claims", "approve", device.serial)
    revoke(site, device)
    with site.peer(device) as pledge:
        assert pledge.request_voucher().status == 202


# -- what is refused

def test_revoking__what_there_is_nothing_of__changes_nothing(site, cell):
    done = site.registrar.ctl("devices", "revoke", "NOBODY-1", check=3)
    assert "NOBODY-1" in done.stderr
    device = site.device()
    joined(site, cell, device)
    revoke(site, device)
    assert "revoked already" in revoke(site, device, check=1).stderr
    assert "No such" in revoke(site, device, "--manufacturer", "Nobody", check=3).stderr
    assert [line["outcome"] for line in show(site, device)["journal"]].count("revoked") == 1


def test_revoking__two_at_once_of_which_one_is_unknown__says_which(site, cell):
    device = site.device()
    joined(site, cell, device)
    done = site.registrar.ctl("devices", "revoke", device.serial, "NOBODY-2", "--yes", check=4)
    assert "NOBODY-2" in done.stderr and device.serial not in done.stderr


# -- over time

def test_a_list_of_before__is_served_after_a_restart_and_numbers_go_on(place, cell, site):
    device = site.device()
    certificate, identity = joined(site, cell, device)
    revoke(site, device)
    before = fetch(site)
    site.registrar.restart()
    assert on_the_list(site, certificate)
    number = [crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
              for crl in (before, fetch(site))]
    assert number[1] >= number[0]
    with site.peer(identity) as client:
        assert_refused(client.cacerts(), 403)


def test_a_crl_url__that_is_none__is_refused_at_the_start(cell, domain, acme):
    registrar = harness.Registrar(cell, domain, [acme], changes={"ca": {"crl_url": "ldap://x"}})
    done = harness.run(*registrar.argv, "--check", check=1)
    assert "crl_url" in done.stderr
