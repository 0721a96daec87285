# SPDX-License-Identifier: Apache-2.0
"""The MASA towards registrars: each check in its order, what the voucher says, the audit log.

The registrar is Python's: it signs requests with a certificate of brski-certs, truthfully or not.
"""
import base64
import datetime
import hashlib
import json

import pytest

import harness
from brski_peer import certs, cms, forge, voucher
from brski_peer.wire import Connection
from places import Device
from test_registrar import assert_refused

req = pytest.mark.req

CMS_TYPE = "application/voucher-cms+json"
BASE = "/.well-known/brski/"
CMC_RA = "1.3.6.1.5.5.7.3.28"


class Client:
    """A registrar talking to a MASA, over as many connections as the test opens."""

    def __init__(self, masa, identity, tls=None, authenticated=False):
        self.masa, self.identity = masa, identity
        args = {"certificate": identity.cert_path, "key": identity.key_path} if authenticated else {}
        self.connection = Connection(masa.port, tls=tls, **args)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def pvr(self, device, proximity=None, signer=None, **changes):
        fields = forge.pvr_fields(device.identity, forge.der(proximity or self.identity.cert))
        return forge.sign_request(forge.changed(fields, changes), signer or device.identity)

    def rvr(self, device, prior=None, signer=None, chain=None, container=None, **changes):
        """A registrar's request; prior: the pledge's request inside, honest when not given."""
        prior = self.pvr(device) if prior is None else prior
        fields = forge.changed(forge.rvr_fields(prior, device.identity.cert), changes)
        options = {"container": container} if container else {}
        if chain is not None:
            options["certs"] = chain
        return forge.sign_request(fields, signer or self.identity, **options)

    def nonceless(self, device, **changes):
        fields = {"created-on": voucher.timestamp(), "serial-number": device.serial,
                  "idevid-issuer": forge.b64(forge.aki_tlv(device.identity.cert))}
        return forge.sign_request(forge.changed(fields, changes), self.identity)

    def ask(self, body, path="requestvoucher", content_type=CMS_TYPE, accept=CMS_TYPE, headers=()):
        more = ([("Accept", accept)] if accept else []) + list(headers)
        return self.connection.post(BASE + path, body, content_type, more)

    def voucher(self, body):
        reply = self.ask(body)
        assert reply.status == 200, (reply.status, reply.text)
        assert reply.media_type == CMS_TYPE
        return forge.read(reply.body)

    def audit(self, body):
        reply = self.ask(body, "requestauditlog", accept="application/json")
        if reply.status == 201:
            reply = self.connection.get(reply.header("location").split(str(self.masa.port), 1)[-1])
        return reply


def running_masa(place, acme, name, changes=None):
    return harness.Masa(place / name, acme, changes=changes)


@pytest.fixture(scope="module")
def masa(place, acme):
    with harness.running(running_masa(place, acme, "masa")) as (daemon,):
        yield daemon


@pytest.fixture(scope="module")
def registrar(domain):
    return forge.load(domain.registrar_dir / "registrar.key", domain.registrar_dir / "registrar.crt")


@pytest.fixture(scope="module")
def other_registrar(other_domain):
    return forge.load(other_domain.registrar_dir / "registrar.key",
                      other_domain.registrar_dir / "registrar.crt")


def new_device(masa, acme, owner=None, **more):
    device = Device(acme, f"localhost:{masa.port}", **more)
    row = {"serial": device.serial}
    masa.import_devices([dict(row, owner=owner) if owner else row])
    return device


@pytest.fixture
def device(masa, acme):
    return new_device(masa, acme)


@pytest.fixture
def client(masa, registrar):
    with Client(masa, registrar) as c:
        yield c


# -- the good case

@req("R8995-MASA-001", "R8995-MASA-010", "R8995-MASA-013", "R8995-MASA-020", "R8995-MASA-021",
     "R8995-MASA-022", "R8995-MASA-027", "ENC-ALL-001", "ENC-ALL-002", "ENC-ALL-003", "ENC-ALL-004",
     "ENC-ALL-005", "ENC-ALL-007", "ENC-ALL-008", "ENC-ALL-009", "ENC-ALL-010", "ENC-ALL-012",
     "ENC-ALL-013", "ENC-ALL-014", "ENC-ALL-016")
def test_voucher_is_what_the_standards_say(client, device, acme, domain):
    rvr = client.rvr(device)
    got = client.voucher(rvr)
    assert got.content_type == cms.JSON_VOUCHER and got.version == 3
    assert got.top == "ietf-voucher:voucher"
    signer = forge.load_certs(acme.directory / "masa" / "masa-signer.crt")
    assert got.signer == signer[0]
    assert {forge.der(c) for c in got.certs} >= {forge.der(c) for c in signer[:1]}
    assert set(got.fields) <= {"created-on", "assertion", "serial-number", "nonce",
                               "pinned-domain-cert", "domain-cert-revocation-checks"}
    assert got.fields["nonce"] == voucher.nonce_of(rvr)
    assert got.fields["assertion"] == "proximity"
    assert got.fields["serial-number"] == device.serial
    assert got.fields["created-on"].endswith("Z") and "." not in got.fields["created-on"]
    age = datetime.datetime.now(datetime.timezone.utc) - forge.parse_time(got.fields["created-on"])
    assert abs(age.total_seconds()) < 30
    pin = base64.b64decode(got.fields["pinned-domain-cert"], validate=True)
    assert pin == forge.der(forge.load_certs(domain.file("issuing.crt"))[0])


@req("R8995-MASA-018")
@pytest.mark.parametrize("pin, which", [("end-entity", 0), ("lowest-ca", 1), ("highest-ca", 2)])
def test_pin_is_the_one_configured(place, acme, registrar, domain, pin, which):
    with harness.running(running_masa(place, acme, f"pin-{pin}", {"policy": {"pin": pin}})) as (masa,):
        device = new_device(masa, acme)
        chain = registrar.chain(with_root=True) + forge.load_certs(domain.file("root.crt"))
        with Client(masa, registrar) as client:
            got = client.voucher(client.rvr(device, chain=chain))
    assert base64.b64decode(got.fields["pinned-domain-cert"]) == forge.der(chain[which])


@req("R8995-MASA-006", "R8995-MASA-018")
def test_request_with_the_end_entity_alone_pins_it(client, device, registrar):
    got = client.voucher(client.rvr(device, chain=[registrar.cert]))
    assert base64.b64decode(got.fields["pinned-domain-cert"]) == registrar.der


# -- 1. to 3. method, types, form

@req("R8995-MASA-005", "R8995-MASA-001")
@pytest.mark.parametrize("path", ["requestvoucher", "requestauditlog"])
def test_get_is_405_with_allow(client, path):
    reply = assert_refused(client.connection.get(BASE + path), 405)
    assert reply.header("allow") == "POST"


@req("R8995-MASA-005")
def test_unknown_path_is_404(client):
    assert_refused(client.connection.get("/"), 404)
    assert_refused(client.connection.get(BASE + "nothing"), 404)


@req("R8995-MASA-004", "R8995-MASA-005")
@pytest.mark.parametrize("path", ["requestvoucher", "requestauditlog"])
def test_unknown_content_type_is_415(client, device, path):
    assert_refused(client.ask(client.rvr(device), path, content_type="text/plain"), 415)


@req("R8995-MASA-019")
def test_accept_that_cannot_be_served_is_406(client, device):
    assert_refused(client.ask(client.rvr(device), accept="application/voucher-jws+json"), (406, 415))


@req("R8995-MASA-019")
@pytest.mark.parametrize("accept", [None, "*/*", "application/voucher-jws+json;q=0.9, " + CMS_TYPE])
def test_missing_or_wide_accept_gets_the_type_of_the_request(client, device, accept):
    reply = client.ask(client.rvr(device), accept=accept)
    assert (reply.status, reply.media_type) == (200, CMS_TYPE)


@req("R8995-MASA-005")
@pytest.mark.parametrize("body", [b"", b"garbage", b"0", b"\x30\x80\x00\x00", b"\x30\x03\x02\x01\x01",
                                  b"\x30\x84\xff\xff\xff\xff", b"{}", b"\x30\x82" * 3000])
def test_garbage_is_400(client, body):
    assert_refused(client.ask(body), 400)


@req("R8995-MASA-005")
def test_oversized_body_is_413(client):
    assert_refused(client.ask(b"\x30" * 200_000), 413)


# -- 4. to 6. the registrar's signature and certificate

@req("R8995-MASA-006", "R8995-MASA-005")
def test_request_with_a_broken_signature_is_403(client, device):
    assert_refused(client.ask(forge.flip_signature(client.rvr(device))), 403)


@req("R8995-MASA-006", "ENC-ALL-003", "ENC-ALL-004")
@pytest.mark.parametrize("container", forge.CONTAINERS)
def test_container_that_is_not_right_is_refused_by_the_masa(client, device, container):
    assert_refused(client.ask(client.rvr(device, container=container)), (400, 403))


@req("R8995-MASA-006", "ENC-ALL-027")
def test_chain_whose_links_do_not_hold_is_403(client, device, domain):
    """The registrar's certificate beside a CA of the right name that did not sign it."""
    real = forge.load_certs(domain.file("issuing.crt"))[0]
    impostor = certs.make_cert(real.subject, None, ca=True, key_usage={"key_cert_sign"})
    reply = client.ask(client.rvr(device, chain=[client.identity.cert, impostor.cert]))
    if reply.status == 200:  # then the impostor must not be what is pinned
        pinned = forge.read(reply.body).fields["pinned-domain-cert"]
        assert base64.b64decode(pinned) != impostor.der
    else:
        assert_refused(reply, 403)


@req("R8995-MASA-008")
@pytest.mark.parametrize("eku", [[certs.SERVER_AUTH, certs.CLIENT_AUTH], None])
def test_signer_without_cmcra_is_403(masa, device, domain, cell, eku):
    made = certs.make_registrar(forge.issuing(domain.directory), eku=eku)
    with Client(masa, forge.save(cell, "no-ra", made.key, made.chain())) as client:
        assert_refused(client.ask(client.rvr(device)), 403)


@req("R8995-MASA-008")
def test_request_signed_by_an_ldevid_is_403(masa, device, domain, cell):
    made = certs.make_ldevid(forge.issuing(domain.directory), "SOME-DEVICE")
    with Client(masa, forge.save(cell, "ldevid", made.key, made.chain())) as client:
        assert_refused(client.ask(client.rvr(device)), 403)


@req("R8995-MASA-006", "ET-15")
def test_self_signed_registrar_with_cmcra_gets_its_voucher(masa, device, cell):
    made = certs.make_registrar(None)
    with Client(masa, forge.save(cell, "self-signed", made.key, made.chain(with_root=True))) as client:
        got = client.voucher(client.rvr(device, chain=[made.cert]))
        assert base64.b64decode(got.fields["pinned-domain-cert"]) == made.der


@req("R8995-MASA-006")
def test_expired_registrar_certificate_is_403(masa, device, domain, cell):
    made = certs.make_registrar(forge.issuing(domain.directory),
                                not_before=datetime.datetime(2019, 1, 1),
                                not_after=datetime.datetime(2020, 1, 1))
    with Client(masa, forge.save(cell, "expired", made.key, made.chain())) as client:
        assert_refused(client.ask(client.rvr(device)), 403)


# -- 7. leaves

@req("R8995-MASA-016")
def test_proximity_certificate_in_a_registrars_request_is_403(client, device):
    rvr = client.rvr(device, proximity_registrar_cert=forge.b64(client.identity.der))
    assert_refused(client.ask(rvr), (400, 403))


@req("R8995-MASA-040")
def test_voucher_only_leaves_in_a_request_are_ignored(client, device):
    got = client.voucher(client.rvr(device, pinned_domain_cert="AAAA",
                                    last_renewal_date="2020-01-01T00:00:00Z",
                                    domain_cert_revocation_checks=True))
    assert base64.b64decode(got.fields["pinned-domain-cert"]) != b"\0\0\0"
    assert "last-renewal-date" not in got.fields


@req("ENC-ALL-015", "ENC-ALL-023")
def test_unknown_members_are_ignored(client, device):
    got = client.voucher(client.rvr(device, **{"x-test": 1, "extension:foo": {"a": 1}}))
    assert "x-test" not in got.fields


@req("R8995-MASA-015", "R8995-MASA-021", "ENC-ALL-014")
@pytest.mark.parametrize("assertion", ["verified", "logged", "nonsense", None])
def test_assertion_of_the_request_counts_for_nothing(client, device, assertion):
    assert client.voucher(client.rvr(device, assertion=assertion)).fields["assertion"] == "proximity"


@req("ENC-ALL-007", "R8995-MASA-005")
@pytest.mark.parametrize("payload", [
    b"", b"{", b"[]", b"{}", b'{"ietf-voucher-request:voucher":{}}', b'{"ietf-voucher:voucher":{}}',
    b'{"ietf-voucher-request:voucher":{"serial-number":1}}',
    b'{"ietf-voucher-request:voucher":{"serial-number":"x"},"more":{}}',
    b'{"ietf-voucher-request:voucher":{"serial-number":"x","serial-number":"y"}}',
    b'{"voucher":{"serial-number":"x"}}', b"[" * 5000, b'{"a":' * 5000,
    b'{"ietf-voucher-request:voucher":{"serial-number":"x","created-on":"yesterday"}}',
    b'{"ietf-voucher-request:voucher":{"serial-number":"x","created-on":"2026-01-01T00:00:00"}}',
    b'{"ietf-voucher-request:voucher":{"serial-number":"x","nonce":"!!!!"}}',
    b'{"ietf-voucher-request:voucher":{"serial-number":"x\\u0000y"}}',
    b'{"ietf-voucher-request:voucher":{"serial-number":"' + b"x" * 5000 + b'"}}'])
def test_signed_nonsense_is_400(client, payload):
    assert_refused(client.ask(cms.sign(payload, client.identity)), (400, 403))


# -- 8. the device

@req("R8995-MASA-011", "R8995-MASA-005")
def test_unknown_serial_is_404(client, masa, acme):
    stranger = Device(acme, f"localhost:{masa.port}")  # not imported
    assert_refused(client.ask(client.rvr(stranger)), 404)


@req("R8995-MASA-011", "R8995-MASA-006")
def test_unknown_serial_in_a_request_that_does_not_verify_is_403_not_404(client, masa, acme):
    """Nobody enumerates serial numbers with requests that prove nothing."""
    known, unknown = new_device(masa, acme), Device(acme, f"localhost:{masa.port}")
    said = [client.ask(client.rvr(d, prior=forge.flip_signature(client.pvr(d))))
            for d in (known, unknown)]
    assert said[0].status == said[1].status == 403
    assert said[0].text == said[1].text


@req("R8995-MASA-011", "R8995-MASA-023")
def test_serials_that_collide_are_told_apart_by_issuer(place, acme, lab, registrar):
    """Two issuing CAs gave out the same serial number."""
    twin = harness.Manufacturer(lab / "acme-twin", "Acme Twin")
    anchors = place / "both.pem"
    anchors.write_text(acme.anchors.read_text() + twin.anchors.read_text())
    with harness.running(running_masa(place, acme, "twins", {"devices": {"anchors": anchors}})) as (masa,):
        devices = [Device(m, f"localhost:{masa.port}", serial="SAME-SERIAL") for m in (acme, twin)]
        issuers = [forge.b64(forge.aki_tlv(d.identity.cert)) for d in devices]
        masa.import_devices([{"serial": "SAME-SERIAL", "idevid_issuer": i} for i in issuers])
        with Client(masa, registrar) as client:
            for device, issuer in zip(devices, issuers):
                got = client.voucher(client.rvr(device))
                assert got.fields["idevid-issuer"] == issuer


# -- 9. the pledge's request inside

@req("R8995-MASA-012")
def test_nested_request_with_a_broken_signature_is_403(client, device):
    assert_refused(client.ask(client.rvr(device, prior=forge.flip_signature(client.pvr(device)))), 403)


@req("R8995-MASA-012", "R8995-MASA-013")
def test_nested_request_of_a_foreign_manufacturer_is_403(client, masa, acme, stranger):
    device = new_device(masa, acme)
    fake = Device(stranger, f"localhost:{masa.port}", serial=device.serial)
    prior = client.pvr(fake)
    assert_refused(client.ask(client.rvr(device, prior=prior)), 403)


@req("R8995-MASA-013")
def test_serial_of_another_device_around_a_nested_request_is_403(client, masa, acme):
    mine, victim = new_device(masa, acme), new_device(masa, acme)
    rvr = client.rvr(mine, serial_number=victim.serial)
    assert_refused(client.ask(rvr), 403)


@req("R8995-MASA-013")
def test_serial_inside_the_nested_request_other_than_its_signers_is_403(client, masa, acme):
    mine, victim = new_device(masa, acme), new_device(masa, acme)
    prior = client.pvr(mine, serial_number=victim.serial)
    assert_refused(client.ask(client.rvr(mine, prior=prior, serial_number=victim.serial)), 403)


@req("R8995-MASA-014")
def test_nonces_that_differ_are_403(client, device):
    assert_refused(client.ask(client.rvr(device, nonce=voucher.new_nonce())), 403)


@req("R8995-MASA-013")
def test_nested_request_naming_another_registrar_is_403(client, device, other_registrar):
    prior = client.pvr(device, proximity=other_registrar.cert)
    assert_refused(client.ask(client.rvr(device, prior=prior)), 403)


@req("R8995-MASA-041")
def test_nested_proximity_hash_that_contradicts_the_certificate_is_403(client, device):
    prior = client.pvr(device, proximity_registrar_pubk_sha256=forge.b64(bytes(32)))
    assert_refused(client.ask(client.rvr(device, prior=prior)), 403)


@req("R8995-MASA-041", "R8995-MASA-013")
def test_nested_proximity_by_hash_alone_is_proximity(client, device, registrar):
    digest = hashlib.sha256(forge.spki(registrar.cert)).digest()
    prior = client.pvr(device, proximity_registrar_cert=None,
                       proximity_registrar_pubk_sha256=forge.b64(digest))
    assert client.voucher(client.rvr(device, prior=prior)).fields["assertion"] == "proximity"


@req("R8995-REG-035", "R8995-MASA-013")
def test_proximity_certificate_found_in_the_chain_is_enough(client, device, domain, cell):
    """The registrar signs with another key; its TLS certificate rides along."""
    signer = certs.make_registrar(forge.issuing(domain.directory), cn="second key")
    signer = forge.save(cell, "second", signer.key, signer.chain())
    chain = signer.chain() + [client.identity.cert]
    got = client.voucher(client.rvr(device, signer=signer, chain=chain))
    assert got.fields["assertion"] in ("proximity", "logged")


@req("R8995-MASA-012")
def test_nonced_request_without_a_nested_one_is_403_by_default(client, device):
    rvr = client.rvr(device, prior_signed_voucher_request=None)
    assert_refused(client.ask(rvr), 403)


@req("R8995-MASA-021", "R8995-MASA-012")
def test_nonced_request_without_a_nested_one_is_for_owners_and_logged(place, acme, registrar, domain,
                                                                      other_registrar):
    masa = running_masa(place, acme, "no-prior", {"policy": {"require_prior": "no",
                                                             "nonceless": "owners"}})
    with harness.running(masa):
        masa.ctl("owners", "add", "site", domain.file("root.crt"))
        device = new_device(masa, acme, owner="site")
        with Client(masa, registrar) as client:
            got = client.voucher(client.rvr(device, prior_signed_voucher_request=None))
            assert got.fields["assertion"] in ("logged", "verified")
        with Client(masa, other_registrar) as client:
            assert_refused(client.ask(client.rvr(device, prior_signed_voucher_request=None)), 403)


# -- 10. and 11. nonceless, ownership

@req("R8995-MASA-009", "R8995-MASA-042", "R8995-MASA-025")
def test_nonceless_request_is_403_by_default(client, device):
    assert_refused(client.ask(client.nonceless(device)), 403)


@pytest.fixture(scope="module")
def owned(place, acme, domain):
    """A MASA that knows owners and gives them nonceless vouchers."""
    masa = running_masa(place, acme, "owned", {"policy": {
        "ownership": "known-owner", "nonceless": "owners", "nonceless_lifetime": "20m"}})
    with harness.running(masa):
        masa.ctl("owners", "add", "site", domain.file("root.crt"))
        yield masa


@req("R8995-MASA-009", "R8995-MASA-024", "R8995-MASA-028", "ENC-ALL-013")
def test_owner_gets_a_nonceless_voucher_that_expires(owned, acme, registrar, domain):
    device = new_device(owned, acme, owner="site")
    with Client(owned, registrar, authenticated=True) as client:
        rvr = client.nonceless(device)
        got = client.voucher(rvr)
        assert "nonce" not in got.fields
        expires = forge.parse_time(got.fields["expires-on"])
        left = expires - datetime.datetime.now(datetime.timezone.utc)
        assert datetime.timedelta() < left <= datetime.timedelta(minutes=20, seconds=5)
        pin = forge.parse(base64.b64decode(got.fields["pinned-domain-cert"]))
        assert expires.replace(tzinfo=None) <= pin.not_valid_after
        events = json.loads(client.audit(rvr).body)["events"]
        assert events[-1]["nonce"] is None


@req("R8995-MASA-009")
def test_nonceless_request_of_a_stranger_is_403(owned, acme, other_registrar):
    device = new_device(owned, acme, owner="site")
    with Client(owned, other_registrar, authenticated=True) as client:
        assert_refused(client.ask(client.nonceless(device)), 403)


@req("R8995-MASA-009", "R8995-MASA-011")
def test_stranger_learns_nothing_about_serials_from_nonceless_requests(owned, acme, other_registrar):
    known, unknown = new_device(owned, acme, owner="site"), Device(acme, "localhost:1")
    with Client(owned, other_registrar, authenticated=True) as client:
        said = [client.ask(client.nonceless(d)) for d in (known, unknown)]
    assert (said[0].status, said[0].text) == (said[1].status, said[1].text)


@req("R8995-MASA-017", "R8995-MASA-042")
def test_device_of_another_owner_is_403_and_of_the_owner_200(owned, acme, registrar, other_registrar):
    device = new_device(owned, acme, owner="site")
    with Client(owned, other_registrar) as client:
        assert_refused(client.ask(client.rvr(device)), 403)
    with Client(owned, registrar) as client:
        assert client.voucher(client.rvr(device)).fields["assertion"] in ("proximity", "verified")
        again = client.voucher(client.rvr(device))
        assert again.fields["serial-number"] == device.serial


@req("R8995-MASA-021")
def test_known_owner_with_proof_of_proximity(owned, acme, registrar):
    device = new_device(owned, acme, owner="site")
    with Client(owned, registrar) as client:
        assert client.voucher(client.rvr(device)).fields["assertion"] in ("proximity", "verified")


# -- idempotency and the audit log

@req("R8995-MASA-028")
def test_same_request_again_gets_the_same_voucher_and_one_entry(client, device):
    rvr = client.rvr(device)
    first, second = client.ask(rvr), client.ask(rvr)
    assert first.status == second.status == 200
    assert forge.read(first.body).payload == forge.read(second.body).payload
    assert len(json.loads(client.audit(rvr).body)["events"]) == 1


@req("R8995-MASA-028")
def test_a_request_wrapped_anew_gets_the_same_voucher_and_one_entry(client, device):
    """A registrar that lost the answer asks again for the same request of the pledge."""
    pvr = client.pvr(device)
    first, again = client.rvr(device, prior=pvr), client.rvr(device, prior=pvr)
    assert first != again
    vouchers = [forge.read(client.ask(rvr).body) for rvr in (first, again)]
    assert vouchers[0].payload == vouchers[1].payload
    for rvr in (first, again):
        assert len(json.loads(client.audit(rvr).body)["events"]) == 1


def check_audit_schema(log):
    assert isinstance(log["version"], int) and not isinstance(log["version"], bool)
    assert log["events"], "at least one event"
    for event in log["events"]:
        forge.parse_time(event["date"])
        base64.b64decode(event["domainID"], validate=True)
        assert "nonce" in event and (event["nonce"] is None or isinstance(event["nonce"], str))
        assert event["assertion"] in ("verified", "logged", "proximity")
        assert isinstance(event.get("truncated", 0), int)
    assert not {"locked", "prior"} & set(log)


@req("R8995-MASA-028", "R8995-MASA-029", "R8995-MASA-030", "R8995-MASA-031", "R8995-MASA-032",
     "R8995-MASA-034", "R8995-MASA-001")
def test_audit_log_tells_what_was_issued(client, device):
    rvr = client.rvr(device)
    got = client.voucher(rvr)
    reply = client.audit(rvr)
    assert (reply.status, reply.media_type) == (200, "application/json"), reply.text
    log = json.loads(reply.body)
    check_audit_schema(log)
    event, = log["events"]
    assert event["nonce"] == got.fields["nonce"]
    assert event["assertion"] == got.fields["assertion"]
    assert event["domainID"] == forge.domain_id(base64.b64decode(got.fields["pinned-domain-cert"]))


@req("R8995-MASA-034")
def test_domain_id_without_key_identifier_is_the_hash_of_the_key(masa, device, cell):
    made = certs.make_registrar(None, with_ski=False, with_aki=False)
    with Client(masa, forge.save(cell, "no-ski", made.key, [made.cert])) as client:
        rvr = client.rvr(device, chain=[made.cert])
        client.voucher(rvr)
        event, = json.loads(client.audit(rvr).body)["events"]
    assert event["domainID"] == forge.b64(hashlib.sha256(forge.spki(made.cert)).digest())


@req("R8995-MASA-035")
def test_key_identifiers_we_make_come_from_sha256(domain):
    cert = forge.load_certs(domain.file("issuing.crt"))[0]
    info = certs.asn1.Sequence.load(forge.spki(cert))
    bits = info[1].native if hasattr(info[1], "native") else None
    key_bits = cert.public_key().public_bytes(
        forge.serialization.Encoding.X962, forge.serialization.PublicFormat.UncompressedPoint)
    assert bits is not None
    assert forge.ski(cert) == hashlib.sha256(key_bits).digest()[:20]


@req("R8995-MASA-029", "R8995-MASA-036")
def test_audit_log_is_for_owners_only(client, masa, acme, other_registrar):
    device = new_device(masa, acme)
    client.voucher(client.rvr(device))
    with Client(masa, other_registrar) as outsider:
        assert_refused(outsider.audit(outsider.rvr(device)), 404)


@req("R8995-MASA-029")
def test_audit_log_is_served_to_former_owners(client, masa, acme, other_registrar):
    device = new_device(masa, acme)
    rvr = client.rvr(device)
    client.voucher(rvr)
    with Client(masa, other_registrar) as next_owner:
        next_owner.voucher(next_owner.rvr(device))
    log = json.loads(client.audit(rvr).body)
    check_audit_schema(log)
    assert len({e["domainID"] for e in log["events"]}) == 2


@req("R8995-MASA-029")
def test_audit_log_of_an_unknown_device_is_404(client, masa, acme):
    assert_refused(client.audit(client.rvr(Device(acme, f"localhost:{masa.port}"))), 404)


@req("R8995-MASA-029", "R8995-MASA-006")
def test_audit_request_that_does_not_verify_is_403(client, device):
    rvr = client.rvr(device)
    client.voucher(rvr)
    assert_refused(client.audit(forge.flip_signature(rvr)), (403, 404))


@req("R8995-MASA-033", "R8995-MASA-043")
def test_audit_log_counts_what_it_leaves_out(client, device):
    for _ in range(3):
        rvr = client.rvr(device)
        client.voucher(rvr)
    log = json.loads(client.audit(rvr).body)
    check_audit_schema(log)
    told = len(log["events"]) + sum(e.get("truncated", 0) for e in log["events"])
    assert told == 3, log


@req("R8995-MASA-028")
def test_audit_entry_survives_a_kill_right_after_the_answer(place, acme, registrar):
    masa = running_masa(place, acme, "killed")
    with harness.running(masa):
        device = new_device(masa, acme)
        with Client(masa, registrar) as client:
            rvr = client.rvr(device)
            client.voucher(rvr)
        masa.kill()
        masa.start()
        with Client(masa, registrar) as client:
            assert len(json.loads(client.audit(rvr).body)["events"]) == 1


@req("R8995-MASA-007")
def test_revoked_registrar_is_403(place, acme, registrar, domain, cell):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    issuing = forge.issuing(domain.directory)
    now = datetime.datetime.utcnow()
    gone = certs.make_registrar(issuing, cn="gone")
    revoked = x509.RevokedCertificateBuilder().serial_number(gone.cert.serial_number).revocation_date(
        now - datetime.timedelta(days=1)).build()
    crl = (x509.CertificateRevocationListBuilder().issuer_name(issuing.cert.subject)
           .last_update(now - datetime.timedelta(days=1)).next_update(now + datetime.timedelta(days=1))
           .add_revoked_certificate(revoked).sign(issuing.key, hashes.SHA256()))
    (cell / "crls.pem").write_bytes(crl.public_bytes(serialization.Encoding.PEM))
    masa = running_masa(place, acme, "revoking", {"policy": {"crls": cell / "crls.pem"}})
    with harness.running(masa):
        device = new_device(masa, acme)
        with Client(masa, forge.save(cell, "gone", gone.key, gone.chain())) as client:
            assert_refused(client.ask(client.rvr(device)), 403)
        with Client(masa, registrar) as client:
            client.voucher(client.rvr(device))


@req("R8995-MASA-037", "R8995-MASA-039", "ENC-ALL-013")
def test_nonceless_vouchers_have_their_own_signer_and_a_promise(place, acme, registrar, domain, cell):
    harness.run(harness.program("brski-certs"), "masa", "--ca", acme.directory, "--out", cell / "slow",
                check=0)
    slow = cell / "slow"
    masa = running_masa(place, acme, "two-signers", {
        "signer": {"nonceless_key": slow / "masa-signer.key",
                   "nonceless_certificate": slow / "masa-signer.crt"},
        "policy": {"nonceless": "owners", "renewal_promise": "30d"}})
    with harness.running(masa):
        masa.ctl("owners", "add", "site", domain.file("root.crt"))
        device = new_device(masa, acme, owner="site")
        with Client(masa, registrar, authenticated=True) as client:
            nonced, nonceless = client.voucher(client.rvr(device)), client.voucher(client.nonceless(device))
    assert nonceless.signer == forge.load_certs(slow / "masa-signer.crt")[0] != nonced.signer
    assert "last-renewal-date" not in nonced.fields
    promise = forge.parse_time(nonceless.fields["last-renewal-date"])
    assert promise - forge.parse_time(nonceless.fields["created-on"]) == datetime.timedelta(days=30)


@req("R8995-MASA-033", "R8995-MASA-043")
def test_long_audit_log_is_abridged_and_says_so(place, acme, registrar):
    with harness.running(running_masa(place, acme, "abridged", {"audit": {"full_events": 2}})) as (masa,):
        device = new_device(masa, acme)
        with Client(masa, registrar) as client:
            for _ in range(4):
                rvr = client.rvr(device)
                last = client.voucher(rvr)
            log = json.loads(client.audit(rvr).body)
    check_audit_schema(log)
    assert len(log["events"]) <= 2
    assert last.fields["nonce"] in [e["nonce"] for e in log["events"]], "the newest stays"
    told = len(log["events"]) + sum(e.get("truncated", 0) for e in log["events"])
    assert told == 4, log
    assert log["truncation"]["nonced duplicates"] == 4 - len(log["events"])


# -- TLS, rate, tools

@req("R8995-MASA-002", "R8995-MASA-003", "ET-02")
@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_both_tls_versions_with_and_without_client_certificate(masa, device, registrar, tls):
    for authenticated in (False, True):
        with Client(masa, registrar, tls=tls, authenticated=authenticated) as client:
            assert client.voucher(client.rvr(device))


@req("R8995-MASA-038")
def test_flood_of_one_registrar_is_429_or_503_with_retry_after(place, acme, registrar, other_registrar):
    masa = running_masa(place, acme, "slowly", {"rate": {"per_registrar_per_minute": 3}})
    with harness.running(masa):
        device = new_device(masa, acme)
        with Client(masa, registrar) as client:
            replies = [client.ask(client.rvr(device)) for _ in range(6)]
            assert replies[0].status == 200
            refused = assert_refused(replies[-1], (429, 503))
            assert int(refused.header("retry-after")) >= 1
        with Client(masa, other_registrar) as client:
            assert client.ask(client.rvr(device)).status == 200


@req("R8995-MASA-011")
def test_import_of_a_csv_is_all_or_nothing_and_repeatable(masa, cell):
    path = cell / "devices.csv"
    path.write_text("serial,colour\nIMPORT-1,red\nIMPORT-2,blue\n")
    done = masa.ctl("devices", "import", path)
    assert "colour" in done.stdout + done.stderr, "an unknown column is named"
    masa.ctl("devices", "import", path)
    listed = masa.ctl("devices", "list", "-o", "csv").stdout
    assert listed.count("IMPORT-1") == 1 and listed.count("IMPORT-2") == 1
    path.write_text("serial\nIMPORT-3\n" + "x" * 500 + "\n")
    assert masa.ctl("devices", "import", path, check=None).returncode != 0
    assert "IMPORT-3" not in masa.ctl("devices", "list", "-o", "csv").stdout
    assert masa.ctl("devices", "show", "IMPORT-3", check=None).returncode == 3


def test_import_of_a_manifest_takes_the_devices_that_were_made(masa, acme, cell):
    (cell / "serials.csv").write_text("serial\nMADE-1\nMADE-2\nMADE-1\nNOT_MADE\n\"x\"y\n")
    made = harness.run(harness.program("brski-certs"), "idevid", "--ca", acme.directory, "--out",
                       cell / "made", "--masa-url", "localhost", "--csv", cell / "serials.csv")
    assert made.returncode == 1
    done = masa.ctl("devices", "import", cell / "made" / "manifest.csv")
    assert "2 devices" in done.stdout
    assert "NOT_MADE" not in masa.ctl("devices", "list", "-o", "csv").stdout
    assert json.loads(masa.ctl("devices", "show", "MADE-1", "-o", "json").stdout)["idevid_issuer"]


@req("R8995-MASA-028")
def test_masactl_shows_the_audit_log(client, masa, device):
    client.voucher(client.rvr(device))
    assert device.serial in json.dumps(masa.audit(device.serial)) or masa.audit(device.serial)


def test_second_instance_on_the_same_store_is_refused(masa):
    again = harness.run(harness.program("brski-masa"), "-c", masa.config, timeout=20)
    assert again.returncode != 0 and again.stderr.strip()
