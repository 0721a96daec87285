# SPDX-License-Identifier: Apache-2.0
"""A site with a second issuing CA that stands by: the switch, what devices learn of it, and a key
that is lost."""
import datetime
import json
import shutil

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import harness
import places
from admin_api import Api
from brski_peer import forge
from brski_peer.pledge import certs_of

API = "/api/v1/"


def standby_of(domain, directory, name="standby"):
    harness.run(harness.program("brski-certs"), "standby", "--ca", domain.directory, "--out",
                directory / name, check=0)
    return directory / name / "standby.key", directory / name / "standby.crt"


@pytest.fixture
def pair(cell, acme, domain):
    """A registrar with two CAs, a MASA, and a port for constrained devices."""
    key, certificate = standby_of(domain, cell)
    masa = harness.Masa(cell / "masa", acme)
    registrar = harness.Registrar(cell / "registrar", domain, [acme], coaps=True, changes={"ca": {
        "key": cell / "issuing.key", "standby_key": key, "standby_certificate": certificate}})
    shutil.copy(domain.file("issuing.key"), cell / "issuing.key")
    registrar.ca_key, registrar.standby = cell / "issuing.key", certificate
    with harness.running(masa, registrar):
        yield places.Site(cell, acme, domain, masa, registrar)


def ldevid(pledge):
    return forge.load_certs(next(iter((pledge.state).glob("**/ldevid*.crt"))))[0]


def subject(path):
    return forge.load_certs(path)[0].subject


def switch(site, *args, check=0):
    return site.registrar.ctl("ca", "switch", "--yes", *args, check=check)


def issues(site):
    (name,) = [ca["name"] for ca in Api(site.registrar).get(API + "ca").json["items"]
               if ca["issues"]]
    return name


def crl(site, path):
    with site.peer() as peer:
        reply = peer.connection.get(path)
    assert reply.status == 200
    return x509.load_der_x509_crl(reply.body)


def test_devices_of_the_old_ca_renew_under_the_new_one(pair):
    device = pair.device()
    pledge = pair.pledge(device)
    assert pledge.join().returncode == 0
    assert ldevid(pledge).issuer == subject(pair.domain.file("issuing.crt"))
    said = switch(pair, "--reason", "a drill").stderr
    assert "standby issues from now on" in said and issues(pair) == "standby"
    assert "standby issues already" in switch(pair, "--to", "standby").stderr
    told = pair.registrar.ctl("audit", "list").stdout
    assert "from primary to standby: a drill" in told
    assert pledge.command("renew", "--force").returncode == 0, pledge.log()
    assert ldevid(pledge).issuer == subject(pair.registrar.standby)
    fresh = pair.pledge(pair.device())
    assert fresh.join().returncode == 0
    assert ldevid(fresh).issuer == subject(pair.registrar.standby)
    # a reload goes on with it, not by way of the other
    before = pair.registrar.log_size()
    assert Api(pair.registrar).post(API + "reload", {}).status == 200
    assert issues(pair) == "standby" and not pair.registrar.lines("ca-switched", before)
    # durable, and back again
    pair.registrar.restart()
    assert issues(pair) == "standby"
    switch(pair, "--to", "primary")
    assert pledge.command("renew", "--force").returncode == 0, pledge.log()
    assert ldevid(pledge).issuer == subject(pair.domain.file("issuing.crt"))


def test_cacerts_hold_the_root_and_both_issuing_cas(pair):
    with pair.peer() as peer:
        before = [c.subject for c in certs_of(peer.cacerts())]
    switch(pair)
    with pair.peer() as peer:
        after = [c.subject for c in certs_of(peer.cacerts())]
    want = {subject(pair.domain.file("root.crt")), subject(pair.domain.file("issuing.crt")),
            subject(pair.registrar.standby)}
    assert set(before) == set(after) == want and len(before) == len(after) == 3


@pytest.mark.parametrize("carrier", ["pledge", "coaps_pledge"])
def test_device_that_joined_before_there_was_a_second_ca_learns_it(cell, acme, domain, carrier):
    key, certificate = standby_of(domain, cell)
    masa = harness.Masa(cell / "masa", acme)
    registrar = harness.Registrar(cell / "registrar", domain, [acme], coaps=True)
    with harness.running(masa, registrar):
        site = places.Site(cell, acme, domain, masa, registrar)
        pledge = getattr(site, carrier)(site.device())
        assert pledge.join().returncode == 0, pledge.log()
        conf = registrar.config.read_text()
        registrar.config.write_text(conf.replace(
            "[ca]", f"[ca]\nstandby_key = {key}\nstandby_certificate = {certificate}"))
        assert Api(registrar).post(API + "reload", {}).status == 200
        switch(site)
        assert pledge.command("renew", "--force").returncode == 0, pledge.log()
        assert ldevid(pledge).issuer == subject(certificate)


def test_constrained_device_joins_and_renews_across_the_switch(pair):
    pledge = pair.coaps_pledge(pair.device())
    assert pledge.join().returncode == 0, pledge.log()
    switch(pair)
    assert pledge.command("renew", "--force").returncode == 0, pledge.log()
    assert ldevid(pledge).issuer == subject(pair.registrar.standby)


def test_each_ca_has_its_list_and_the_old_one_still_revokes(pair):
    old = pair.device()
    assert pair.pledge(old).join().returncode == 0
    switch(pair)
    new = pair.device()
    assert pair.pledge(new).join().returncode == 0
    for device in (old, new):
        pair.registrar.ctl("devices", "revoke", device.serial, "--reason", "gone")
    lists = {"/issuing.crl": pair.domain.file("issuing.crt"), "/standby.crl": pair.registrar.standby}
    for path, issuer in lists.items():
        harness.wait_until(lambda p=path: len(list(crl(pair, p))) == 1, f"{path} has its device")
        made = crl(pair, path)
        assert made.issuer == subject(issuer)
        assert made.is_signature_valid(forge.load_certs(issuer)[0].public_key())


def test_lost_key_is_told_of_and_never_switched_by_itself(pair):
    pair.registrar.stop()
    pair.registrar.ca_key.write_text("")
    checked = harness.run(harness.program("brski-registrar"), "-c", pair.registrar.config, "--check")
    assert checked.returncode == 1 and "primary" in checked.stderr
    pair.registrar.start()
    assert pair.registrar.lines("alert-ca-unusable.*registrarctl ca switch")
    assert issues(pair) == "primary"
    status = Api(pair.registrar).get(API + "status").json
    assert status["health"] == "fail" and any("ca switch" in p for p in status["problems"])
    device = pair.device()
    pledge = pair.pledge(device)
    assert pledge.join().returncode != 0
    with pair.peer(device) as peer:
        assert peer.request_voucher().status == 200
        assert peer.enroll()[0].status == 503
    switch(pair)
    assert pledge.join().returncode == 0, pledge.log()
    back = switch(pair, "--to", "primary", check=None)
    assert back.returncode != 0 and "cannot be used" in back.stderr
    pair.registrar.restart()
    assert issues(pair) == "standby"


def test_pair_that_is_none_is_refused(cell, acme, domain, other_domain):
    key, certificate = standby_of(domain, cell)
    foreign_key, foreign = standby_of(other_domain, cell, "foreign")
    wrong = {
        "go together": {"standby_key": key},
        "name of the other": {"standby_key": domain.file("issuing.key"),
                              "standby_certificate": domain.file("issuing.crt")},
        "[ca] standby: no valid path to a root in `chain`": {"standby_key": foreign_key, "standby_certificate": foreign},
    }
    for n, (words, changes) in enumerate(wrong.items()):
        registrar = harness.Registrar(cell / f"r{n}", domain, [acme], changes={"ca": changes})
        done = harness.run(harness.program("brski-registrar"), "-c", registrar.config, "--check")
        assert done.returncode == 1 and words in done.stderr, (words, done.stderr)


# -- a new root

def make_root(name):
    key = ec.generate_private_key(ec.SECP256R1())
    return key, ca_certificate(name, key, name, key)


def ca_certificate(name, key, issuer, issuer_key):
    now = datetime.datetime.now(datetime.timezone.utc)
    ski = x509.SubjectKeyIdentifier.from_public_key
    return (x509.CertificateBuilder().subject_name(name).issuer_name(issuer)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=100))
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False,
                                         False), True)
            .add_extension(ski(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                ski(issuer_key.public_key())), False)
            .sign(issuer_key, hashes.SHA256()))


def pem(*certificates):
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)


def test_rollover_certificates_are_checked_and_served(cell, acme, domain):
    old = forge.load_certs(domain.file("root.crt"))[0]
    old_key = serialization.load_pem_private_key(domain.file("root.key").read_bytes(), None)
    key, root = make_root(old.subject)  # the root's key changes, its name stays
    stranger_key, stranger = make_root(x509.Name([x509.NameAttribute(
        x509.NameOID.COMMON_NAME, "Stranger")]))
    old_with_new = ca_certificate(old.subject, old_key, old.subject, key)
    new_with_old = ca_certificate(old.subject, key, old.subject, old_key)
    masa = harness.Masa(cell / "masa", acme)
    rollover = cell / "rollover.pem"
    registrar = harness.Registrar(cell / "registrar", domain, [acme],
                                  changes={"ca": {"rollover": rollover}})

    def check():
        return harness.run(harness.program("brski-registrar"), "-c", registrar.config, "--check")

    bad = ca_certificate(stranger.subject, stranger_key, old.subject, old_key)
    rollover.write_bytes(pem(root, old_with_new, bad))
    done = check()
    assert done.returncode == 1 and "rollover" in done.stderr and "Stranger" in done.stderr
    rollover.write_bytes(pem(root, old_with_new, new_with_old))
    assert check().returncode == 0, check().stderr
    with harness.running(masa, registrar):
        site = places.Site(cell, acme, domain, masa, registrar)
        with site.peer() as peer:
            got = certs_of(peer.cacerts())
        for certificate in (old, root, old_with_new, new_with_old):
            assert certificate in got
        pledge = site.pledge(site.device())
        assert pledge.join().returncode == 0, pledge.log()
        assert pledge.command("renew", "--force").returncode == 0, pledge.log()
