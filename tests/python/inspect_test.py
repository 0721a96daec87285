# SPDX-License-Identifier: Apache-2.0
"""brski-voucher over messages made here, by code that shares nothing with ours: good ones of every
kind verify, and each way to do it wrong is refused with its reason."""

import datetime
import json
import os
import pathlib
import subprocess

import pytest

from brski_peer import certs, cms, voucher

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = REPOSITORY / os.environ.get("BUILD", "build") / "brski-voucher"
VALID, NOT_VALID, NOT_READABLE = 0, 1, 2
SERIAL = "SN-1"


def inspect(tmp_path, der, *options):
    """(exit code, report or None, the line on stderr)"""
    path = tmp_path / "message"
    path.write_bytes(der)
    command = [str(PROGRAM), "inspect", *map(str, options), str(path)]
    done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    report = json.loads(done.stdout) if done.stdout else None
    return done.returncode, report, done.stderr.decode()


class World:
    """A manufacturer and a site."""

    def __init__(self, key_type="ec-p256"):
        self.maker = certs.make_ca("Maker Root", key_type=key_type)
        self.site = certs.make_ca("Site Root", key_type=key_type)
        self.idevid = certs.make_idevid(self.maker, SERIAL, "masa.example", key_type=key_type)
        self.masa = certs.make_masa_signer(self.maker, key_type=key_type)
        self.registrar = certs.make_registrar(self.site, key_type=key_type)

    def anchor(self, tmp_path, which):
        path = tmp_path / "anchor.pem"
        path.write_bytes(certs.cert_pem(which.cert))
        return path


@pytest.fixture(scope="module")
def world():
    return World()


@pytest.mark.parametrize("key_type", certs.KEY_TYPES + ("ec-p521", "rsa-2048"))
def test_every_key_type__verifies_in_request_and_voucher(tmp_path, key_type):
    world = World(key_type)
    pvr = voucher.signed_pvr(world.idevid, world.registrar.cert)
    rvr = voucher.signed_rvr(world.registrar, pvr, world.idevid.cert)
    code, report, why = inspect(
        tmp_path, rvr, "--anchor", world.anchor(tmp_path, world.site), "--serial", SERIAL
    )
    assert code == VALID, why
    assert report["chain"] == "valid"
    assert report["nested"]["signature"] == "valid"
    assert report["nested"]["signer"]["masa-url"] == "https://masa.example/.well-known/brski"
    signed = voucher.signed_voucher(world.masa, SERIAL, world.site.cert, voucher.nonce_of(pvr))
    code, report, why = inspect(
        tmp_path, signed, "--anchor", world.anchor(tmp_path, world.maker),
        "--nonce", voucher.nonce_of(pvr),
    )  # fmt: skip
    assert code == VALID, why
    assert report["type"] == "voucher"
    assert report["decoded"]["pinned-domain-cert"]["ca"] is True


def test_certificates__are_decoded_as_python_reads_them(tmp_path, world):
    rvr = voucher.signed_rvr(world.registrar, None, world.idevid.cert)
    signer = inspect(tmp_path, rvr)[1]["signer"]
    cert = world.registrar.cert
    assert int(signer["serial"], 16) == cert.serial_number
    assert signer["sha256"] == cert.fingerprint(certs.hashes.SHA256()).hex()
    assert signer["notBefore"] == cert.not_valid_before.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert signer["notAfter"] == cert.not_valid_after.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert signer["extendedKeyUsage"] == ["cmcRA", "serverAuth", "clientAuth"]
    ski = cert.extensions.get_extension_for_class(certs.x509.SubjectKeyIdentifier).value.digest
    assert signer["ski"] == ski.hex()
    assert signer["ca"] is False


GOOD_VARIANTS = {
    "id-data": {"content_type": cms.ID_DATA},
    "id-data without signed attributes": {"content_type": cms.ID_DATA, "attrs": None},
    "subjectKeyIdentifier": {"sid": "ski"},
    "no signing time": {"signing_time": None},
    "SHA-512": {"digest": "sha512"},
    "version 4": {"version": "v4"},
}


@pytest.mark.req("ENC-ALL-002")
@pytest.mark.parametrize("variant", GOOD_VARIANTS)
def test_variants_peers_use__are_valid(tmp_path, world, variant):
    signed = voucher.signed_voucher(
        world.masa, SERIAL, world.site.cert, "AAECAwQFBgc=", cms_options=GOOD_VARIANTS[variant]
    )
    code, _, why = inspect(tmp_path, signed)
    assert code == VALID, why


BAD_SIGNATURES = {
    "no signed attributes": {"attrs": None},
    "SHA-1": {"digest": "sha1"},
    "signed over something else": {"sign_over": b"x"},
}


@pytest.mark.req("ENC-ALL-003")
@pytest.mark.parametrize("variant", BAD_SIGNATURES)
def test_bad_signatures__are_shown_as_invalid(tmp_path, world, variant):
    signed = voucher.signed_voucher(
        world.masa, SERIAL, world.site.cert, "AAECAwQFBgc=", cms_options=BAD_SIGNATURES[variant]
    )
    code, report, why = inspect(tmp_path, signed)
    assert code == NOT_VALID and why.startswith("brski-voucher: ")
    assert report["signature"] == "invalid"
    assert report["fields"]["serial-number"] == SERIAL


@pytest.mark.req("ENC-ALL-001")
@pytest.mark.parametrize("variant", [{"detached": True}, {"content_type": "1.2.3.4"}], ids=str)
def test_containers_that_hold_no_voucher__are_not_readable(tmp_path, world, variant):
    signed = voucher.signed_voucher(
        world.masa, SERIAL, world.site.cert, "AAECAwQFBgc=", cms_options=variant
    )
    assert inspect(tmp_path, signed)[0] == NOT_READABLE


@pytest.mark.req("ENC-ALL-028")
def test_crl_in_the_container__does_no_harm(tmp_path, world):
    """ENC-ALL-028: revocation lists may be carried; nothing is decided by them."""
    now = datetime.datetime.utcnow()
    crl = (
        certs.x509.CertificateRevocationListBuilder()
        .issuer_name(world.maker.cert.subject)
        .last_update(now)
        .next_update(now + datetime.timedelta(days=1))
        .sign(world.maker.key, certs.hashes.SHA256())
        .public_bytes(certs.serialization.Encoding.DER)
    )
    signed = voucher.signed_voucher(
        world.masa, SERIAL, world.site.cert, "AAECAwQFBgc=", cms_options={"crls": [crl]}
    )
    code, _, why = inspect(tmp_path, signed)
    assert code == VALID, why


@pytest.mark.req("ENC-ALL-001")
def test_ber__is_not_readable(tmp_path, world):
    signed = voucher.signed_voucher(world.masa, SERIAL, world.site.cert, "AAECAwQFBgc=")
    code, _, why = inspect(tmp_path, cms.to_ber(signed))
    assert code == NOT_READABLE and "indefinite" in why


@pytest.mark.req("ENC-ALL-004")
def test_nobody_signed__is_not_valid(tmp_path, world):
    payload = voucher.voucher(SERIAL, world.site.cert, "AAECAwQFBgc=")
    code, report, _ = inspect(tmp_path, cms.sign(payload, world.masa, infos=[]))
    assert code != VALID
    assert report is None or report["signature"] != "valid"


BAD_PAYLOADS = {
    b'{"ietf-voucher:voucher":{}}': "serial-number is missing",
    b'{"ietf-voucher:voucher":{"serial-number":"1"},"x":{}}': "2 top-level members",
    b'{"ietf-voucher:voucher":{"serial-number":"1","serial-number":"2"}}': "duplicate",
    b'{"ietf-voucher-request-prm:voucher":{"serial-number":"1"}}': "PRM",
    b'{"voucher":{"serial-number":"1"}}': "module's name",
    b'{"ietf-voucher:voucher":{"serial-number":"1","created-on":"2021-04-13T21:43:23"}}': "zone",
    b'{"ietf-voucher:voucher":{"serial-number":"1","pinned-domain-cert":"A==="}}': "base64",
    b'{"ietf-voucher:voucher":{"serial-number":"1\\u0000"}}': "JSON",
    b'{"ietf-voucher:voucher":' * 2000 + b"}" * 2000: "nested deeper",
    b"A===": "JSON",
    b"": "empty",
}


@pytest.mark.req("ENC-ALL-007", "ENC-ALL-012")
@pytest.mark.parametrize("payload", BAD_PAYLOADS, ids=lambda p: p[:60].decode())
def test_signed_payloads_that_are_no_voucher__are_not_readable_with_the_reason(
    tmp_path, world, payload
):
    code, report, why = inspect(tmp_path, cms.sign(payload, world.masa))
    assert code == NOT_READABLE and report is None
    assert BAD_PAYLOADS[payload] in why


@pytest.mark.req("ENC-ALL-015")
def test_unknown_members__are_kept_in_the_report(tmp_path, world):
    payload = voucher.voucher(SERIAL, world.site.cert, "AAECAwQFBgc=", x_test={"a": [1]})
    code, report, _ = inspect(tmp_path, cms.sign(payload, world.masa))
    assert code == VALID
    assert report["fields"]["x-test"] == {"a": [1]}


def test_expired_voucher__is_not_valid_once_a_moment_is_asked_for(tmp_path, world):
    signed = voucher.signed_voucher(
        world.masa, SERIAL, world.site.cert, expires_on="2021-01-01T00:00:00Z"
    )
    assert inspect(tmp_path, signed)[0] == VALID
    assert inspect(tmp_path, signed, "--at", "2020-12-31T23:59:59Z")[0] == VALID
    code, _, why = inspect(tmp_path, signed, "--at", "2021-01-01T00:00:01Z")
    assert code == NOT_VALID and "expired on 2021-01-01" in why


@pytest.mark.req("ENC-ALL-027")
def test_complete_chain_of_a_stranger__is_valid_to_nobody_but_itself(tmp_path, world):
    stranger = World()
    options = {"certs": stranger.masa.chain(with_root=True)}
    signed = voucher.signed_voucher(
        stranger.masa, SERIAL, world.site.cert, "AAECAwQFBgc=", cms_options=options
    )
    code, report, why = inspect(
        tmp_path, signed, "--anchor", world.anchor(tmp_path, world.maker)
    )
    assert code == NOT_VALID and "chain" in why
    assert report["signature"] == "valid"
    assert report["chain"] == "invalid"
