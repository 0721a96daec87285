# SPDX-License-Identifier: Apache-2.0
"""Two implementations hold each other's COSE and CBOR against the light.

What our libraries write (through build/tools/emit) is taken apart by cbor2 and verified by
python3-cryptography; what Python writes, in every right and wrong way, goes to brski-voucher and
back through emit. Neither side shares code with the other.
"""

import base64
import json
import os
import pathlib
import subprocess

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature

from brski_peer import certs, cose, forge

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = REPOSITORY / os.environ.get("BUILD", "build")
INSPECT = BUILD / "brski-voucher"
EMIT = BUILD / "tools" / "emit"
VALID, NOT_VALID, NOT_READABLE = 0, 1, 2
KEY_TYPES = ("ec-p256", "ec-p384", "ed25519")
SN1 = "SN-1"
NONCE = bytes(range(8, 24))


def run(*command, stdin=b""):
    return subprocess.run(
        [str(part) for part in command], input=stdin, capture_output=True, timeout=30, check=False
    )


def emit(*arguments, stdin=b"", good=True):
    if not EMIT.exists():
        pytest.skip("build/tools/emit is not built (make check builds it)")
    done = run(EMIT, *arguments, stdin=stdin)
    assert (done.returncode == 0) == good, done.stderr
    return done.stdout if good else done.stderr.decode()


def inspect(octets, *options):
    """(exit code, report or None, the line on stderr)"""
    done = run(INSPECT, "inspect", *options, "-", stdin=octets)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr.decode()


class World:
    """A manufacturer and a site."""

    def __init__(self, key_type="ec-p256"):
        self.maker = certs.make_ca("Maker Root", key_type=key_type)
        self.site = certs.make_ca("Site Root", key_type=key_type)
        self.idevid = certs.make_idevid(self.maker, SN1, "masa.example", key_type=key_type)
        self.masa = certs.make_masa_signer(self.maker, key_type=key_type)
        self.registrar = certs.make_registrar(self.site, key_type=key_type)

    def pvr(self, keys="delta", **how):
        fields = cose.pvr_fields(self.idevid, forge.der(self.registrar.cert))
        fields["nonce"] = NONCE
        return cose.sign_request(fields, self.idevid, keys, **how)

    def rvr(self, pvr=None, **how):
        fields = cose.rvr_fields(pvr or self.pvr(), self.idevid.cert)
        return cose.sign_rvr(fields, self.registrar, [self.idevid.cert, self.maker.cert], **how)

    def voucher(self, fields=None, keys="delta", **how):
        usual = cose.voucher_fields({"nonce": NONCE, "serial-number": SN1}, self.site.cert)
        usual.update(fields or {})
        return cose.sign_voucher(usual, self.masa, keys, **how)


@pytest.fixture(scope="module")
def world():
    return World()


def one_form(octets):
    """Is this the deterministic encoding of what it says (RFC 8949 §4.2.1)?"""
    return cbor2.dumps(cbor2.loads(octets), canonical=True) == octets


# -- ours, read by others


@pytest.mark.parametrize("key_type", KEY_TYPES)
@pytest.mark.req("O-01", "O-02", "O-03", "O-04", "O-07", "O-15")
def test_our_cose__is_what_the_standards_ask_for(tmp_path, key_type):
    signer = certs.make_masa_signer(certs.make_ca("Maker", key_type=key_type), key_type=key_type)
    key, cert = signer.write(tmp_path, "masa", with_root=True)
    octets = emit("cose", key, cert, stdin=b"payload")
    box = cose.parse(octets)
    assert octets[:2] == b"\xd2\x84"
    assert one_form(octets) and one_form(box.protected_octets)
    assert box.protected == {cose.ALG: cose.usual_alg(signer.key)}
    assert box.unprotected == {cose.X5BAG: [forge.der(c) for c in signer.chain(with_root=True)]}
    assert box.payload == b"payload"
    box.verify(signer)
    assert box.signer() == signer.cert
    bare = cose.parse(emit("cose-bare", key, cert, stdin=b"payload"))
    assert bare.unprotected == {}
    bare.verify(signer)
    with pytest.raises(InvalidSignature):
        bare.verify(certs.make_ca("Other", key_type=key_type))


@pytest.mark.req("O-07")
def test_our_bag_of_one__is_a_bare_string(tmp_path, world):
    key, cert = world.maker.write(tmp_path, "alone")
    box = cose.parse(emit("cose", key, cert, stdin=b"x"))
    assert box.unprotected == {cose.X5BAG: forge.der(world.maker.cert)}


def b64(octets):
    return base64.b64encode(octets).decode()


EVERY_LEAF = {
    "voucher": {
        "assertion": "logged", "created-on": "2026-11-21T10:00:00Z",
        "domain-cert-revocation-checks": False, "expires-on": "2026-11-22T10:00:00Z",
        "idevid-issuer": b"\x04\x02\x30\x00", "last-renewal-date": "2027-11-22T10:00:00Z",
        "nonce": NONCE, "pinned-domain-cert": b"\x30\x03\x02\x01\x01",
        "pinned-domain-pubk": b"\x30\x00", "pinned-domain-pubk-sha256": bytes(32),
        "serial-number": "Zähler ½", "additional-configuration-url": "https://c.example/",
        "est-domain": "https://est.example/"},
    "request": {
        "assertion": "agent-proximity", "created-on": "2026-11-21T10:00:00Z",
        "expires-on": "2026-11-22T10:00:00Z", "idevid-issuer": b"\x04\x02\x30\x00",
        "nonce": NONCE[:8], "prior-signed-voucher-request": b"\xd2\x84" + bytes(300),
        "proximity-registrar-cert": b"\x30\x03\x02\x01\x01",
        "proximity-registrar-pubk": b"\x30\x00", "proximity-registrar-pubk-sha256": bytes(32),
        "serial-number": SN1},
}  # fmt: skip


@pytest.mark.req("Y-01", "Y-03", "Y-04", "Y-18")
@pytest.mark.parametrize("kind", EVERY_LEAF)
def test_our_content__has_every_leaf_under_its_sid(kind):
    leaves = EVERY_LEAF[kind]
    top = {"voucher": "ietf-voucher:voucher", "request": "ietf-voucher-request:voucher"}[kind]
    in_json = {k: b64(v) if isinstance(v, bytes) else v for k, v in leaves.items()}
    content = emit("content", "cose", stdin=json.dumps({top: in_json}).encode())
    assert one_form(content)
    assert cose.decode(content) == (kind, leaves)
    assert content == cose.encode(kind, leaves)


@pytest.mark.req("O-09", "Y-03")
def test_our_voucher__is_signed_and_carries_its_chain(tmp_path, world):
    key, cert = world.masa.write(tmp_path, "masa", with_root=True)
    leaves = {"serial-number": SN1, "nonce": b64(NONCE), "assertion": "proximity"}
    text = json.dumps({"ietf-voucher:voucher": leaves}).encode()
    box = cose.parse(emit("voucher", "cose", key, cert, stdin=text))
    assert box.signer() == world.masa.cert
    assert world.maker.cert in box.certs
    assert box.fields == {"serial-number": SN1, "nonce": NONCE, "assertion": "proximity"}


@pytest.mark.req("R-10")
@pytest.mark.parametrize("unprotected", ["bag", "chain", "both", "more", "none"])
def test_our_strip__is_what_python_makes_of_it(world, unprotected):
    der = [forge.der(c) for c in world.masa.chain(with_root=True)]
    headers = {"bag": {32: der}, "chain": {33: der}, "both": {32: der[0], 33: der},
               "more": {4: b"kid", 15: {6: 1}, 32: der}, "none": {15: {}}}[unprotected]  # fmt: skip
    octets = world.voucher(unprotected=headers)
    stripped = emit("strip", stdin=octets)
    assert stripped == cose.stripped(octets)
    cose.parse(stripped).verify(world.masa)


@pytest.mark.req("O-10", "R-10")
def test_our_strip__protected_bag_and_odd_encodings__stay_as_they_are(world):
    der = [forge.der(c) for c in world.masa.chain(with_root=True)]
    octets = world.voucher(protected={cose.X5BAG: der}, with_bag=False)
    assert emit("strip", stdin=octets) == octets
    # heads longer than needed, indefinite lengths: what is not taken out is not touched
    box = cose.parse(world.voucher())
    odd = (b"\xd8\x12\x9f" + b"\x58\x03" + box.protected_octets + b"\xbf\x18\x20"
           + cbor2.dumps(der) + b"\x61x\x18\x05\xff" + b"\x5f" + cbor2.dumps(box.payload)
           + b"\xff" + cbor2.dumps(box.signature) + b"\xff")  # fmt: skip
    left = emit("strip", stdin=odd)
    assert left == odd.replace(b"\xbf\x18\x20" + cbor2.dumps(der) + b"\x61x\x18\x05\xff",
                               b"\xa1\x61x\x18\x05")  # fmt: skip
    cose.parse(left).verify(world.masa)


# -- others', read by us


@pytest.mark.parametrize("key_type", KEY_TYPES)
@pytest.mark.req("O-03", "O-06", "O-08", "Y-17")
def test_request_in_a_request__both_verify(tmp_path, key_type):
    world = World(key_type)
    (tmp_path / "anchor").write_bytes(certs.cert_pem(world.site.cert))
    rvr = world.rvr()
    for octets in (rvr, rvr.hex().encode(), base64.encodebytes(rvr)):
        code, report, why = inspect(octets, "--anchor", tmp_path / "anchor", "--serial", SN1,
                                    "--nonce", b64(NONCE))  # fmt: skip
        assert code == VALID, why
    assert report["format"] == "cose" and report["cose"]["tagged"] is True
    assert report["cose"]["alg"] == {"ec-p256": "ES256", "ec-p384": "ES384",
                                     "ed25519": "EdDSA"}[key_type]  # fmt: skip
    assert report["fields"]["idevid-issuer"].startswith("BB")
    assert report["signer"]["extendedKeyUsage"].count("cmcRA") == 1
    assert report["nested"]["signature"] == "valid"
    assert report["nested"]["signer"]["serialNumber"] == SN1
    assert report["nested"]["certificates"] == []


@pytest.mark.req("Y-02")
def test_keys_in_every_form__say_the_same(world):
    fields = [inspect(world.rvr(world.pvr(keys)))[1]["nested"]["fields"]
              for keys in ("delta", "names", "absolute", "mixed")]  # fmt: skip
    assert fields[0]["assertion"] == "proximity"
    assert all(f == fields[0] for f in fields)


@pytest.mark.req("O-01", "O-05", "O-07", "O-13", "Y-11")
def test_what_may_differ__is_valid(world):
    der = [forge.der(c) for c in world.masa.chain(with_root=True)]
    for octets in (
        world.voucher(tag=False),
        world.voucher(unprotected={cose.X5CHAIN: der}),
        world.voucher(unprotected={cose.X5BAG: der[:1]}),
        world.voucher(unprotected={cose.X5BAG: der[0]}),
        world.voucher(unprotected={cose.X5BAG: der[::-1]}),
        world.voucher(protected={cose.X5BAG: der}, with_bag=False),
        world.voucher(unprotected={cose.X5BAG: der, cose.KID: b"k", cose.CWT_CLAIMS: {6: 1}}),
        world.voucher(protected={cose.CWT_CLAIMS: {6: 1}, "text": [1]}),
        world.voucher(protected={cose.CRIT: [cose.ALG, cose.X5BAG]}),
        world.voucher({"unknown-leaf": {1: 2}, "extensions": [1, "x"]}),
    ):
        code, report, why = inspect(octets)
        assert code == VALID, why
        assert report["fields"]["serial-number"] == SN1


WRONG = [
    ("DER signature", {"der": True}, NOT_VALID, "raw and not in DER"),
    ("detached", {"detached": True}, NOT_READABLE, "detached"),
    ("no alg", {"alg": None}, NOT_READABLE, "alg is missing"),
    ("empty map", {"protected_octets": b"\xa0"}, NOT_READABLE, "alg is missing"),
    ("ES256K", {"protected_octets": b"\xa1\x01\x38\x2e"}, NOT_VALID, "algorithm -47"),
    ("text alg", {"protected_octets": b"\xa1\x01\x65ES256"}, NOT_READABLE, "alg"),
    ("EdDSA", {"protected_octets": b"\xa1\x01\x27"}, NOT_VALID, "key for EdDSA"),
    ("crit", {"protected": {cose.CRIT: [99], 99: 1}}, NOT_READABLE, "critical"),
    ("crit of CWT", {"protected": {cose.CRIT: [15], 15: {}}}, NOT_READABLE, "critical"),
    ("crit empty", {"protected": {cose.CRIT: []}}, NOT_READABLE, "0 labels"),
    ("Signature", {"context": "Signature"}, NOT_VALID, "COSE signature"),
    ("aad", {"external": b"x"}, NOT_VALID, "COSE signature"),
    ("no map", {"protected_octets": b"\x80"}, NOT_READABLE, "protected header"),
    ("key twice", {"protected_octets": b"\xa2\x01\x26\x18\x01\x26"}, NOT_READABLE, "twice"),
    ("no bag", {"unprotected": {cose.KID: b"x"}}, NOT_VALID, "certificate is missing"),
    ("bag of text", {"unprotected": {cose.X5BAG: "x"}}, NOT_READABLE, "x5bag"),
    ("alg twice", {"unprotected": {cose.ALG: cose.ES256}}, NOT_READABLE, "in both headers"),
]  # fmt: skip


@pytest.mark.req("O-02", "O-03", "O-14", "O-15")
@pytest.mark.parametrize("how,code,reason", [row[1:] for row in WRONG], ids=[r[0] for r in WRONG])
def test_each_wrong_way_to_sign__has_its_verdict(world, how, code, reason):
    got, _, why = inspect(world.voucher(**how))
    assert (got, reason in why) == (code, True), why


BAD_LEAVES = [
    ({"nonce": bytes(7)}, "nonce"), ({"nonce": bytes(33)}, "nonce"), ({"nonce": "text"}, "nonce"),
    ({"serial-number": None}, "serial-number is missing"), ({"serial-number": b"SN"}, "serial"),
    ({"assertion": "Proximity"}, "assertion"), ({"created-on": 1}, "created-on"),
    ({"pinned-domain-cert": "x"}, "pinned-domain-cert"), ({"expires-on": "soon"}, "expires-on"),
    ({"domain-cert-revocation-checks": "false"}, "revocation"), ({"idevid-issuer": ""}, "issuer"),
]  # fmt: skip


@pytest.mark.req("Y-04", "Y-05", "Y-06")
@pytest.mark.parametrize("keys", ["delta", "names"])
@pytest.mark.parametrize("fields,reason", BAD_LEAVES, ids=str)
def test_each_wrong_leaf__is_not_readable(world, fields, reason, keys):
    code, _, why = inspect(world.voucher(fields, keys))
    assert code == NOT_READABLE and reason in why


@pytest.mark.req("Y-01", "Y-18")
@pytest.mark.parametrize("payload,reason", [
    (cbor2.dumps({2452: {11: SN1}}), "top-level SID"),
    (cbor2.dumps({"ietf-voucher:vouchers": {11: SN1}}), "top-level member"),
    (cbor2.dumps({2451: {11: SN1}, 2501: {}}), "2 top-level"),
    (cbor2.dumps({2451: {11: SN1}}) + b"\x00", "after the end"),
    (b"\xa1\x19\x09\x93\xa2\x0b\x64SN-1\x0b\x64SN-1", "twice"),
    (b"\xa1\x19\x09\x93\xa2\x0b\x64SN-1\x6dserial-number\x64SN-1", "two keys"),
    (b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff", "pairs in"),
    (b"\x81" * 40, "nested"),
    (json.dumps({"ietf-voucher:voucher": {"serial-number": SN1}}).encode(), "CBOR"),
], ids=str)  # fmt: skip
def test_content_that_is_no_voucher__is_not_readable(world, payload, reason):
    der = [forge.der(c) for c in world.masa.chain(with_root=True)]
    code, _, why = inspect(cose.sign(payload, world.masa, unprotected={cose.X5BAG: der}))
    assert code == NOT_READABLE and reason in why, why


def test_any_octet_flipped__never_crashes_and_never_passes_what_is_signed(world):
    octets = world.voucher()
    box = cose.parse(octets)
    signed = [octets.index(box.payload), octets.index(box.payload) + len(box.payload)]
    for position in range(0, len(octets), 17):
        changed = bytearray(octets)
        changed[position] ^= 0x20
        code, _, why = inspect(bytes(changed))
        assert code in (VALID, NOT_VALID, NOT_READABLE)
        if signed[0] <= position < signed[1] or position >= len(octets) - 64:
            assert code != VALID, (position, why)


def test_truncated_anywhere__is_not_readable(world):
    octets = world.rvr()
    for length in list(range(0, 60, 7)) + list(range(60, len(octets), 97)) + [len(octets) - 1]:
        assert inspect(octets[:length])[0] == NOT_READABLE


# -- telemetry and multipart


@pytest.mark.req("R-11", "R-13")
def test_telemetry__both_ways(world):
    for report in (
        {"version": 1, "status": True},
        {"version": 1, "status": False, "reason": "ü" * 40, "reason-context": {"a": [1, None]}},
    ):
        ours = emit("report", stdin=json.dumps(report).encode())
        assert cbor2.loads(ours) == report
        assert json.loads(emit("read-report", stdin=cbor2.dumps(report))) == report
    assert emit("report", stdin=b'{"version":1,"status":true}') == cose.status_report()


@pytest.mark.req("R-13")
@pytest.mark.parametrize("report", [
    {"version": "1", "status": True}, {"version": 1, "status": 1}, {"version": 1}, {}, [],
    {"version": 1, "Status": True}, {0: 1, 1: True}, {"version": 1, "status": True, "x": 1},
    {"version": 1, "status": False, "reason": 5}, {"version": -1, "status": True},
], ids=str)  # fmt: skip
def test_telemetry_of_another_shape__is_refused(report):
    assert "input: status report" in emit("read-report", stdin=cbor2.dumps(report), good=False)


@pytest.mark.req("C-30", "C-35")
def test_multipart__both_ways():
    body = cbor2.dumps([287, b"one", 287, b"two" * 100])
    assert emit("parts", stdin=body) == body
    assert cose.parts(body)[0] == (287, b"one")
    for bad in ([287], [287, b"", 287], [b"", 287], ["x", b""], [65536, b""], {287: b""}):
        assert "multipart" in emit("parts", stdin=cbor2.dumps(bad), good=False)
