# SPDX-License-Identifier: Apache-2.0
"""The MASA towards registrars of constrained devices: the same checks as in CMS, on COSE requests.

The registrar is Python's: it signs requests with a certificate of brski-certs, truthfully or not.
"""
import base64
import hashlib
import json

import cbor2
import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

import harness
from brski_peer import certs, cms, cose, forge, voucher
from brski_peer.wire import Connection
from places import Device
from test_registrar import assert_refused

req = pytest.mark.req

COSE_TYPE = "application/voucher+cose"
OLD_TYPE = "application/voucher-cose+cbor"
SIGN1_TYPE = "application/cose"
CMS_TYPE = "application/voucher-cms+json"
BASE = "/.well-known/brski/"
FORMS = ("proximity-registrar-cert", "proximity-registrar-pubk", "proximity-registrar-pubk-sha256")


class Client:
    """A registrar talking to a MASA."""

    def __init__(self, masa, identity):
        self.identity = identity
        self.connection = Connection(masa.port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def pvr(self, device, form=FORMS[1], changes=None, signer=None, keys="delta", **how):
        fields = cose.pvr_fields(device.identity, forge.der(self.identity.cert), form)
        fields.update(changes or {})
        return cose.sign_request(fields, signer or device.identity, keys, **how)

    def rvr(self, device, prior=None, changes=None, signer=None, idevid=None, **how):
        prior = self.pvr(device) if prior is None else prior
        try:
            fields = cose.rvr_fields(prior, device.identity.cert)
        except (ValueError, TypeError, AttributeError, KeyError, cbor2.CBORDecodeError):
            fields = dict(cose.rvr_fields(self.pvr(device), device.identity.cert))
            fields["prior-signed-voucher-request"] = prior
        fields.update(changes or {})
        chain = device.identity.chain(with_root=True) if idevid is None else idevid
        return cose.sign_rvr(fields, signer or self.identity, chain, **how)

    def ask(self, body, path="requestvoucher", content_type=COSE_TYPE, accept=COSE_TYPE):
        return self.connection.post(BASE + path, body, content_type,
                                    [("Accept", accept)] if accept else [])

    def voucher(self, body, **types):
        reply = self.ask(body, **types)
        assert reply.status == 200, (reply.status, reply.text)
        return cose.parse(reply.body)


@pytest.fixture(scope="module")
def masa(place, acme):
    with harness.running(harness.Masa(place / "masa-cose", acme)) as (daemon,):
        yield daemon


@pytest.fixture(scope="module")
def registrar(domain):
    return forge.load(domain.registrar_dir / "registrar.key", domain.registrar_dir / "registrar.crt")


@pytest.fixture(scope="module")
def other_registrar(other_domain):
    return forge.load(other_domain.registrar_dir / "registrar.key",
                      other_domain.registrar_dir / "registrar.crt")


def new_device(masa, acme, **more):
    device = Device(acme, f"localhost:{masa.port}", **more)
    masa.import_devices([{"serial": device.serial}])
    return device


@pytest.fixture
def device(masa, acme):
    return new_device(masa, acme)


@pytest.fixture
def client(masa, registrar):
    with Client(masa, registrar) as c:
        yield c


# -- the good case

@req("O-01", "O-02", "O-04", "O-06", "O-09", "O-10", "Y-01", "Y-03", "Y-08", "Y-14", "Y-16", "Y-18",
     "Y-19", "A-01", "A-04", "A-05")
def test_voucher_is_what_the_drafts_say(client, device, acme, domain):
    rvr = client.rvr(device)
    reply = client.ask(rvr)
    assert (reply.status, reply.media_type) == (200, COSE_TYPE)
    got = cose.parse(reply.body)
    assert reply.body[:2] == b"\xd2\x84" and got.protected_octets == b"\xa1\x01\x26"
    assert list(got.unprotected) == [cose.X5BAG]
    signer = forge.load_certs(acme.directory / "masa" / "masa-signer.crt")
    assert got.signer() == signer[0]
    assert {forge.der(c) for c in got.certs} >= {forge.der(c) for c in signer}
    assert cbor2.dumps(cbor2.loads(got.payload), canonical=True) == got.payload
    assert got.container == "voucher"
    assert set(got.fields) == {"created-on", "assertion", "serial-number", "nonce",
                               "pinned-domain-cert"}
    assert got.fields["nonce"] == cose.parse(rvr).fields["nonce"]
    assert got.fields["assertion"] == "proximity"
    assert got.fields["serial-number"] == device.serial
    pin = forge.load_certs(domain.file("issuing.crt"))[0]
    assert got.fields["pinned-domain-cert"] == forge.der(pin)


@req("A-01", "R-22")
@pytest.mark.parametrize("asked, accept, answered", [
    (COSE_TYPE, None, COSE_TYPE), (COSE_TYPE, "*/*", COSE_TYPE), (OLD_TYPE, OLD_TYPE, OLD_TYPE),
    (OLD_TYPE, None, OLD_TYPE), (SIGN1_TYPE + '; cose-type="cose-sign1"', None, SIGN1_TYPE),
    (COSE_TYPE, OLD_TYPE, OLD_TYPE), (COSE_TYPE, f"{CMS_TYPE};q=0.1, {COSE_TYPE}", COSE_TYPE)])
def test_type_of_the_answer_is_the_one_used(client, device, asked, accept, answered):
    reply = client.ask(client.rvr(device), content_type=asked, accept=accept)
    assert (reply.status, reply.media_type) == (200, answered)
    cose.parse(reply.body).signer()


@req("Y-02", "Y-10", "A-05")
@pytest.mark.parametrize("keys", ["delta", "names", "absolute", "mixed"])
@pytest.mark.parametrize("form", FORMS)
def test_pledge_may_write_it_as_it_likes(client, device, domain, form, keys):
    got = client.voucher(client.rvr(device, client.pvr(device, form, keys=keys)))
    assert got.fields["assertion"] == "proximity"
    assert got.fields["pinned-domain-cert"] == forge.der(
        forge.load_certs(domain.file("issuing.crt"))[0])


@req("A-06", "A-07", "Y-09")
def test_pin_of_the_end_entity_is_the_key_where_the_pledge_named_it_so(place, acme, registrar):
    spki = forge.spki(registrar.cert)
    pins = {FORMS[0]: {"pinned-domain-cert": registrar.der}, FORMS[1]: {"pinned-domain-pubk": spki},
            FORMS[2]: {"pinned-domain-pubk-sha256": hashlib.sha256(spki).digest()}}
    changes = {"policy": {"pin": "end-entity"}}
    with harness.running(harness.Masa(place / "pin-key", acme, changes=changes)) as (masa,):
        device = new_device(masa, acme)
        with Client(masa, registrar) as client:
            for form, expected in pins.items():
                rvr = client.rvr(device, client.pvr(device, form))
                for _ in range(2):  # the second time as recorded
                    got = client.voucher(rvr).fields
                    assert {k: v for k, v in got.items() if k.startswith("pinned")} == expected


@req("O-03")
@pytest.mark.parametrize("key_type", ["ec-p384", "ed25519"])
def test_other_algorithms(device, client, domain, key_type):
    signer = certs.make_registrar(forge.issuing(domain.directory), key_type=key_type)
    fields = cose.pvr_fields(device.identity, forge.der(signer.cert), FORMS[0])
    rvr = client.rvr(device, cose.sign_request(fields, device.identity), signer=signer)
    assert cose.parse(rvr).alg in (cose.ES384, cose.EDDSA)
    assert client.voucher(rvr).fields["assertion"] == "proximity"


@req("O-07", "O-08", "O-12", "O-13", "Y-17")
def test_headers_and_order_that_may_differ(client, device, registrar):
    bag = [forge.der(c) for c in registrar.chain(with_root=True)
           + device.identity.chain(with_root=True)]
    fields = cose.rvr_fields(client.pvr(device), device.identity.cert)
    payload = cose.encode("request", fields)
    for how in (
        {"unprotected": {cose.X5BAG: bag[::-1]}},
        {"unprotected": {cose.X5CHAIN: bag[:2], cose.X5BAG: bag[2:]}},
        {"protected": {cose.X5BAG: bag}},
        {"unprotected": {cose.X5BAG: bag}, "tag": False},
        {"unprotected": {cose.X5BAG: bag, cose.KID: b"kid", cose.CWT_CLAIMS: {6: 1}}},
    ):
        assert client.voucher(cose.sign(payload, registrar, **how)).fields["assertion"] == "proximity"


@req("O-05", "O-13")
def test_pledge_request_with_certificates_or_claims_is_the_same(client, device, other_registrar):
    for unprotected in (
        {cose.X5BAG: device.identity.der}, {cose.X5BAG: other_registrar.der}, {cose.KID: b"x"},
        {cose.X5CHAIN: [b"no certificate"]}, {cose.CWT_CLAIMS: {6: 1700000000}},
    ):  # fmt: skip
        pvr = client.pvr(device, unprotected=unprotected)
        assert client.voucher(client.rvr(device, pvr)).fields["assertion"] == "proximity"


@req("Y-19")
def test_assertion_of_the_registrar_counts_for_nothing(client, device):
    pvr = client.pvr(device, changes={FORMS[1]: None})
    got = client.voucher(client.rvr(device, pvr, {"assertion": "proximity"}))
    assert got.fields["assertion"] == "logged"
    assert "prior-signed-voucher-request" not in got.fields


def test_repeated_request_gets_the_same_content(client, device):
    rvr = client.rvr(device)
    first = client.voucher(rvr)
    assert client.voucher(rvr).payload == first.payload
    audit = client.ask(rvr, "requestauditlog", accept="application/json")
    assert audit.status == 200 and len(json.loads(audit.body)["events"]) == 1


# -- lies

def flipped(octets, at):
    return octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1:]


SIGNING_LIES = [
    ("der", {"der": True}, 403), ("detached", {"detached": True}, 400),
    ("no-alg", {"alg": None}, 400), ("es256k", {"protected_octets": b"\xa1\x01\x38\x2e"}, 400),
    ("crit", {"protected": {cose.CRIT: [77], 77: 0}}, 400), ("context", {"context": "x"}, 403),
    ("aad", {"external": b"x"}, 403), ("no-bag", {"unprotected": {}}, 403),
    ("bag-of-junk", {"unprotected": {cose.X5BAG: [b"\x30\x00"] * 3}}, 403),
    ("bag-of-numbers", {"unprotected": {cose.X5BAG: [1]}}, 400),
    ("big-bag", {"unprotected": {cose.X5BAG: [b"x"] * 17}}, 413),
    ("no-map", {"protected_octets": b"\x01"}, 400),
]  # fmt: skip


@req("O-02", "O-03", "O-14", "O-15", "A-04")
@pytest.mark.parametrize("how, status", [row[1:] for row in SIGNING_LIES],
                         ids=[row[0] for row in SIGNING_LIES])
def test_request_signed_in_a_wrong_way(client, device, how, status):
    assert_refused(client.ask(client.rvr(device, **how)), status)


@req("A-04")
def test_signature_that_is_wrong(client, device):
    rvr = client.rvr(device)
    assert_refused(client.ask(flipped(rvr, len(rvr) - 1)), 403)
    assert_refused(client.ask(flipped(rvr, rvr.index(cose.parse(rvr).payload) + 40)), (400, 403))


@req("A-04", "O-06", "O-08")
def test_who_may_not_sign(client, device, domain, other_registrar):
    issuing = forge.issuing(domain.directory)
    member = certs.make_registrar(issuing, eku=[ExtendedKeyUsageOID.SERVER_AUTH])
    assert_refused(client.ask(client.rvr(device, signer=member)), 403)
    assert_refused(client.ask(client.rvr(device, signer=device.identity)), 403)
    stranger = certs.make_registrar(certs.make_ca("Stranger"))
    assert_refused(client.ask(client.rvr(device, signer=stranger)), 403)  # proximity
    assert_refused(client.ask(client.rvr(device, signer=other_registrar)), 403)


LEAVES = [
    ({"serial-number": "OTHER"}, 403), ({"nonce": bytes(16)}, 403), ({"nonce": None}, 403),
    ({"nonce": bytes(7)}, 400), ({"nonce": bytes(33)}, 400), ({"serial-number": None}, 400),
    ({"proximity-registrar-pubk": b"\x30\x00"}, 403), ({"assertion": "proximity!"}, 400),
    ({"created-on": "yesterday"}, 400), ({"prior-signed-voucher-request": None}, 403),
    ({"prior-signed-voucher-request": b""}, 400),
]  # fmt: skip


@req("A-04", "Y-04", "Y-05", "Y-06")
@pytest.mark.parametrize("changes, status", LEAVES, ids=str)
def test_registrar_lies_about_a_leaf(client, device, changes, status):
    assert_refused(client.ask(client.rvr(device, changes=changes)), status)


@req("A-04", "O-06")
def test_idevid_not_in_the_bag(client, device, masa, acme):
    assert_refused(client.ask(client.rvr(device, idevid=[])), 403)
    assert_refused(client.ask(client.rvr(device, idevid=[device.identity.cert])), 403)
    other = new_device(masa, acme)
    assert_refused(client.ask(client.rvr(device, idevid=other.identity.chain(with_root=True))), 403)
    both = device.identity.chain(with_root=True) + other.identity.chain()
    assert client.ask(client.rvr(device, idevid=both)).status == 200


@req("A-04")
def test_pledge_request_that_is_not_the_devices(client, device, masa, acme, registrar):
    other = new_device(masa, acme)
    fake = certs.make_idevid(certs.make_ca("Other Maker"), device.serial, "masa.example")
    for prior, bag in (
        (flipped(client.pvr(device), 100), None),
        (client.pvr(device, signer=other.identity), other.identity.chain(with_root=True)),
        (client.pvr(device, signer=fake), fake.chain(with_root=True)),
        (client.pvr(device, signer=registrar), None),
        (client.pvr(device, changes={"serial-number": other.serial}), None),
        (client.pvr(device, der=True), None),
        (client.pvr(device, detached=True), None),
        (cose.encode("request", cose.pvr_fields(device.identity, registrar.der)), None),
        (voucher.signed_pvr(device.identity, registrar.cert), None),
        (b"\xd2\x84", None),
        (b"garbage", None),
    ):
        assert_refused(client.ask(client.rvr(device, prior, idevid=bag)), 403)


@req("A-04", "Y-10")
def test_pledge_saw_somebody_else(client, device, other_registrar):
    for form in FORMS:
        fields = cose.pvr_fields(device.identity, other_registrar.der, form)
        pvr = cose.sign_request(fields, device.identity)
        assert_refused(client.ask(client.rvr(device, pvr)), 403)
    # the digest decides, whatever stands beside it
    right = forge.spki(client.identity.cert)
    for digest, status in ((hashlib.sha256(right).digest(), 200), (bytes(32), 403)):
        pvr = client.pvr(device, changes={"proximity-registrar-pubk-sha256": digest})
        assert client.ask(client.rvr(device, pvr)).status == status


@req("A-04")
def test_status_of_what_it_cannot_serve(client, device, acme, masa):
    unknown = Device(acme, f"localhost:{masa.port}")
    assert_refused(client.ask(client.rvr(unknown)), 404)
    assert_refused(client.ask(client.rvr(device), content_type="application/cbor"), 415)
    assert_refused(client.ask(client.rvr(device), accept="application/cbor"), 406)
    assert_refused(client.ask(client.rvr(device), content_type=CMS_TYPE), 400)
    made = client.voucher(client.rvr(device)).octets
    assert_refused(client.ask(made), 400)  # a voucher is no request
    for body in (b"", b"\xd2", b"\xd2\x84", b"\x84\x40\xa0\x40\x40", b"\xd2\x9b" + b"\xff" * 8,
                 b"\x81" * 5000, b"\xbf" * 5000, client.rvr(device) + b"\x00"):
        assert_refused(client.ask(body), (400, 413))


# -- the audit log

@req("A-09", "A-10")
def test_audit_log_answers_a_cose_request(client, device, masa, other_registrar, domain):
    rvr = client.rvr(device)
    client.voucher(rvr)
    reply = client.ask(rvr, "requestauditlog", accept="application/json")
    assert (reply.status, reply.media_type) == (200, "application/json")
    (event,) = json.loads(reply.body)["events"]
    assert base64.b64decode(event["nonce"]) == cose.parse(rvr).fields["nonce"]
    assert event["assertion"] == "proximity"
    issuing = forge.load_certs(domain.file("issuing.crt"))[0]
    assert event["domainID"] == forge.domain_id(forge.der(issuing))
    # another request of an owner, in either format; a stranger learns nothing
    assert client.ask(client.rvr(device), "requestauditlog", accept="*/*").status == 200
    in_cms = voucher.signed_rvr(client.identity, voucher.signed_pvr(
        device.identity, client.identity.cert), device.identity.cert)
    assert client.ask(in_cms, "requestauditlog", CMS_TYPE, "*/*").status == 200
    with Client(masa, other_registrar) as stranger:
        assert_refused(stranger.ask(stranger.rvr(device), "requestauditlog", accept="*/*"), 404)
    assert_refused(client.ask(flipped(rvr, len(rvr) - 1), "requestauditlog", accept="*/*"), 403)


@req("A-01")
def test_other_format_can_be_had(client, device):
    """Only whoever asks for it gets it; what it says is the same."""
    rvr = client.rvr(device)
    reply = client.ask(rvr, accept=CMS_TYPE)
    assert (reply.status, reply.media_type) == (200, CMS_TYPE)
    in_cms = forge.read(reply.body).fields
    in_cose = client.voucher(rvr).fields
    assert base64.b64decode(in_cms["nonce"]) == in_cose["nonce"]
    assert base64.b64decode(in_cms["pinned-domain-cert"]) == in_cose["pinned-domain-cert"]
    assert cms.parse(reply.body).verify()
