# SPDX-License-Identifier: Apache-2.0
"""The suite's JWS (ENC-ALL-018 to 021): what it writes it reads, and each wrong form it refuses."""
import base64
import json

import pytest
from cryptography.exceptions import InvalidSignature

from brski_peer import certs, jws, voucher

PAYLOAD = voucher.encode(voucher.VOUCHER, {"serial-number": "SN-1"})


@pytest.fixture(scope="module")
def signer():
    root = certs.make_ca("Maker Root")
    return certs.make_masa_signer(certs.make_ca("Maker Issuing", root))


@pytest.mark.parametrize("key_type", [*certs.KEY_TYPES, "ec-p521"])
def test_each_key_type_signs_and_verifies(key_type):
    signer = certs.make_masa_signer(None, key_type=key_type)
    box = jws.parse(jws.sign(PAYLOAD, signer))
    assert box.verify() == signer.cert and box.payload == PAYLOAD
    assert box.decode() == (voucher.VOUCHER, {"serial-number": "SN-1"})


def test_the_artifact_is_what_the_draft_says(signer):
    members = json.loads(jws.sign(PAYLOAD, signer))
    assert set(members) == {"payload", "signatures"}
    (only,) = members["signatures"]
    assert set(only) == {"protected", "signature"} and "=" not in "".join(only.values())
    assert len(jws.from_b64url(only["signature"])) == 64
    header = json.loads(jws.from_b64url(only["protected"]))
    assert header["alg"] == "ES256" and header["typ"] == "voucher-jws+json"
    assert [base64.b64decode(c, validate=True) for c in header["x5c"]] == [
        certs.cert_der(c) for c in signer.chain()]


def test_escaped_slashes_are_read(signer):
    octets = jws.sign(PAYLOAD, signer, escaped=True)
    assert b"\\/" in jws.parse(octets).signatures[0].header_octets
    assert jws.parse(octets).verify() == signer.cert


@pytest.mark.parametrize("how", [{"der": True}, {"alg": "none"}, {"alg": "HS256"}, {"typ": "jwt"},
                                 {"x5c": None}, {"alg": None}, {"sign_over": b"{}"},
                                 {"more": {"crit": ["x"], "x": 1}}], ids=str)
def test_a_wrong_signature_does_not_hold(signer, how):
    made = dict(how)
    alg = made.pop("alg", jws.USUAL)
    box = jws.parse(jws.sign(PAYLOAD, signer, alg=alg, **made))
    with pytest.raises(InvalidSignature):
        box.verify()


def test_a_changed_signature_does_not_hold(signer):
    with pytest.raises(InvalidSignature):
        jws.parse(jws.flip_signature(jws.sign(PAYLOAD, signer))).verify()


@pytest.mark.parametrize("form", [jws.compact, jws.flattened])
def test_other_serializations_are_no_artifact(signer, form):
    with pytest.raises(ValueError):
        jws.parse(form(jws.sign(PAYLOAD, signer)))


@pytest.mark.parametrize("octets", [b"", b"[]", b'{"payload":"","signatures":[]}',
                                    b'{"payload":"","signatures":[{"protected":"W10","signature":""}]}'])
def test_what_is_no_artifact_is_refused(octets):
    with pytest.raises(ValueError):
        jws.parse(octets)


def test_padding_is_refused(signer):
    padded = jws.encode(PAYLOAD + b" ", [jws.signature(PAYLOAD + b" ", signer)], padded=True)
    signature = jws.sign(PAYLOAD, signer, padded=True)
    for octets in (padded, signature):
        assert b"=" in octets
        with pytest.raises(ValueError):
            jws.parse(octets)


def test_two_signatures_are_verified_one_by_one(signer):
    registrar = certs.make_registrar(certs.make_ca("Site Root"))
    octets = jws.countersign(jws.sign(PAYLOAD, signer), registrar)
    assert jws.parse(octets).verify_all() == [signer.cert, registrar.cert]
    broken = jws.parse(jws.flip_signature(octets, 1))
    assert broken.verify(index=0) == signer.cert
    with pytest.raises(InvalidSignature):
        broken.verify_all()
    with pytest.raises(InvalidSignature):
        broken.verify()


def test_a_signer_named_by_kid_is_found_among_the_hints(signer):
    octets = jws.sign(PAYLOAD, signer, typ=None, x5c=None, kid=jws.key_id(signer.cert),
                      more={"crit": ["created-on"], "created-on": voucher.timestamp()})
    assert jws.parse(octets).verify([signer.cert]) == signer.cert
    with pytest.raises(InvalidSignature):
        jws.parse(octets).verify()
