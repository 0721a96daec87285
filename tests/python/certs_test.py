# SPDX-License-Identifier: Apache-2.0
"""brski-certs, read by code that is not ours: python3-cryptography takes every certificate apart and
`openssl verify` judges the chains."""

import base64
import csv
import datetime
import hashlib
import ipaddress
import os
import pathlib
import stat
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = REPOSITORY / os.environ.get("BUILD", "build") / "brski-certs"
DONE, FAILED, USAGE = 0, 1, 2
MASA_URL = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.32")
CMC_RA = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.28")
KEY_TYPES = ("ec-p256", "ec-p384", "rsa-3072", "ed25519")
NEVER = datetime.datetime(9999, 12, 31, 23, 59, 59)


def run(*args, expect=DONE):
    done = subprocess.run([str(PROGRAM), *map(str, args)], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == expect, done.stderr
    return done


def load(path):
    """All certificates of a PEM file."""
    mark = b"-----END CERTIFICATE-----\n"
    parts = path.read_bytes().split(mark)
    return [x509.load_pem_x509_certificate(p + mark) for p in parts[:-1]]


def load_key(path):
    return serialization.load_pem_private_key(path.read_bytes(), None)


def spki(public_key):
    return public_key.public_bytes(serialization.Encoding.DER,
                                   serialization.PublicFormat.SubjectPublicKeyInfo)


def extension(cert, kind):
    return cert.extensions.get_extension_for_class(kind)


def has(cert, kind):
    return any(isinstance(e.value, kind) for e in cert.extensions)


def key_bits(cert):
    """The BIT STRING's value inside the SubjectPublicKeyInfo, by what SHA-1 identifiers use."""
    key = cert.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return key.public_bytes(serialization.Encoding.X962,
                            serialization.PublicFormat.UncompressedPoint)


def openssl_verify(anchor, leaf, *options):
    """leaf's file holds its issuer too"""
    command = ["openssl", "verify", "-x509_strict", "-CAfile", anchor, "-untrusted", leaf, *options, leaf]
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=20,
                          check=False)


def check_common(cert, issuer):
    """What every certificate has (RFC 5280; R8995-REG-045, R8995-MASA-035)."""
    assert cert.version == x509.Version.v3
    assert 0 < cert.serial_number < 1 << 159
    assert cert.serial_number.bit_length() > 64
    ski = extension(cert, x509.SubjectKeyIdentifier)
    assert not ski.critical
    assert ski.value.digest == hashlib.sha256(key_bits(cert)).digest()[:20]
    assert cert.issuer == issuer.subject
    if issuer is not cert:
        aki = extension(cert, x509.AuthorityKeyIdentifier)
        assert not aki.critical
        assert aki.value.key_identifier == extension(issuer, x509.SubjectKeyIdentifier).value.digest
    if not isinstance(issuer.public_key(), ed25519.Ed25519PublicKey):
        assert cert.signature_hash_algorithm.name in ("sha256", "sha384", "sha512")
    assert len({e.oid for e in cert.extensions}) == len(list(cert.extensions))


def check_ca(cert, path_length):
    constraints = extension(cert, x509.BasicConstraints)
    assert constraints.critical and constraints.value.ca
    assert constraints.value.path_length == path_length
    usage = extension(cert, x509.KeyUsage)
    assert usage.critical and usage.value.key_cert_sign and usage.value.crl_sign
    assert not usage.value.digital_signature
    assert not has(cert, x509.ExtendedKeyUsage)


def check_end_entity(cert):
    assert not has(cert, x509.BasicConstraints)
    usage = extension(cert, x509.KeyUsage)
    assert usage.critical and usage.value.digital_signature
    assert not usage.value.key_cert_sign and not usage.value.crl_sign


def check_key(directory, stem, key_type):
    path = directory / f"{stem}.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = load_key(path)
    assert spki(key.public_key()) == spki(load(directory / f"{stem}.crt")[0].public_key())
    kinds = {"ec-p256": ec.EllipticCurvePrivateKey, "ec-p384": ec.EllipticCurvePrivateKey,
             "rsa-3072": rsa.RSAPrivateKey, "ed25519": ed25519.Ed25519PrivateKey}
    assert isinstance(key, kinds[key_type])
    if key_type != "ed25519":
        assert key.key_size == {"ec-p256": 256, "ec-p384": 384, "rsa-3072": 3072}[key_type]


@pytest.fixture(name="maker")
def _maker(tmp_path):
    run("manufacturer", "--out", tmp_path / "maker", "--name", "Acme Devices")
    return tmp_path / "maker"


@pytest.mark.req("R8995-REG-045", "R8995-MASA-035")
@pytest.mark.parametrize("command", ("manufacturer", "domain"))
@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_hierarchy_is_a_root_and_an_issuing_ca(tmp_path, command, key_type):
    out = tmp_path / "not" / "there" / "yet"
    run(command, "--out", out, "--name", "Ærø & Søn", "--key-type", key_type)
    assert sorted(p.name for p in out.iterdir()) == ["issuing.crt", "issuing.key", "root.crt", "root.key"]
    (root,), (issuing,) = load(out / "root.crt"), load(out / "issuing.crt")
    for cert, path_length in ((root, None), (issuing, 0)):
        check_common(cert, root)
        check_ca(cert, path_length)
        assert cert.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "Ærø & Søn"
    for stem in ("root", "issuing"):
        check_key(out, stem, key_type)
    days = (issuing.not_valid_after - issuing.not_valid_before).days
    assert issuing.not_valid_after == NEVER if command == "manufacturer" else days == 3650
    assert openssl_verify(out / "root.crt", out / "issuing.crt").returncode == 0


@pytest.mark.req("R8995-PLG-062", "R8995-REG-045", "R8995-MASA-035")
@pytest.mark.parametrize("key_type", ("ec-p256", "ec-p384", "rsa-3072"))
def test_idevid_is_what_802_1ar_and_rfc_8995_want(tmp_path, maker, key_type):
    out = tmp_path / "devices"
    run("idevid", "--ca", maker, "--out", out, "--masa-url", "https://masa.example:9443/", "--serial",
        "SN-1", "--key-type", key_type)
    cert, issuing = load(out / "SN-1.crt")
    assert [issuing] == load(maker / "issuing.crt")
    check_common(cert, issuing)
    check_key(out, "SN-1", key_type)
    (serial,) = cert.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    assert serial.value == "SN-1"
    assert b"\x06\x03\x55\x04\x05\x13\x04SN-1" in cert.subject.public_bytes()  # a PrintableString
    assert cert.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "Acme Devices"
    assert cert.not_valid_after == NEVER
    for kind in (x509.KeyUsage, x509.ExtendedKeyUsage, x509.BasicConstraints):
        assert not has(cert, kind)
    url = cert.extensions.get_extension_for_oid(MASA_URL)
    assert not url.critical
    assert url.value.value == b"\x16\x11masa.example:9443"  # R8995-PLG-062: the authority alone
    assert openssl_verify(maker / "root.crt", out / "SN-1.crt").returncode == 0


def model_of(out, serial):
    units = load(out / f"{serial}.crt")[0].subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    return [unit.value for unit in units]


def test_model_is_in_the_subject_and_a_row_may_have_its_own(tmp_path, maker):
    out, table = tmp_path / "devices", tmp_path / "list.csv"
    table.write_text("model,serial\ngw-9,SN-1\n,SN-2\n" + "x" * 65 + ",SN-3\n")
    same = ("idevid", "--ca", maker, "--out", out, "--masa-url", "m.example")
    done = run(*same, "--model", "gw-8 Ä", "--csv", table, expect=FAILED)
    assert (model_of(out, "SN-1"), model_of(out, "SN-2")) == (["gw-9"], ["gw-8 Ä"])
    assert 'serial "SN-3"' in done.stderr and not (out / "SN-3.key").exists()
    run(*same, "--serial", "SN-4")
    assert model_of(out, "SN-4") == []


@pytest.mark.req("R8995-REG-034", "R8995-REG-045", "R8995-MASA-035")
@pytest.mark.parametrize("key_type", ("ec-p256", "ec-p384", "rsa-3072"))
def test_registrar_has_its_three_purposes(tmp_path, key_type):
    run("domain", "--out", tmp_path / "site")
    run("registrar", "--ca", tmp_path / "site", "--out", tmp_path, "--key-type", key_type)
    cert, issuing = load(tmp_path / "registrar.crt")
    check_common(cert, issuing)
    check_end_entity(cert)
    check_key(tmp_path, "registrar", key_type)
    purposes = extension(cert, x509.ExtendedKeyUsage)
    assert not purposes.critical  # T-11
    assert set(purposes.value) == {CMC_RA, ExtendedKeyUsageOID.SERVER_AUTH,
                                   ExtendedKeyUsageOID.CLIENT_AUTH}
    names = extension(cert, x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1"),
                                                        ipaddress.ip_address("::1")]
    for purpose in ("sslserver", "sslclient"):
        assert openssl_verify(tmp_path / "site/root.crt", tmp_path / "registrar.crt", "-purpose", purpose,
                              "-verify_hostname", "localhost").returncode == 0
    assert openssl_verify(tmp_path / "site/root.crt", tmp_path / "registrar.crt", "-verify_hostname",
                          "other.example").returncode != 0


def test_masa_has_a_signer_and_a_server(tmp_path, maker):
    run("masa", "--ca", maker, "--out", tmp_path, "--san", "DNS:masa.example,IP:192.0.2.9")
    (signer, issuing), (server, same) = load(tmp_path / "masa-signer.crt"), load(tmp_path / "masa-tls.crt")
    assert [issuing] == [same] == load(maker / "issuing.crt")
    for cert, stem in ((signer, "masa-signer"), (server, "masa-tls")):
        check_common(cert, issuing)
        check_end_entity(cert)
        check_key(tmp_path, stem, "ec-p256")
        assert openssl_verify(maker / "root.crt", tmp_path / f"{stem}.crt").returncode == 0
    assert not has(signer, x509.ExtendedKeyUsage)
    assert list(extension(server, x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    names = extension(server, x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["masa.example"]
    assert openssl_verify(maker / "root.crt", tmp_path / "masa-tls.crt", "-purpose", "sslserver",
                          "-verify_ip", "192.0.2.9").returncode == 0


@pytest.mark.parametrize("command, extra", (("masa", ()), ("registrar", ()),
                                            ("idevid", ("--masa-url", "m.example", "--serial", "S"))))
def test_ed25519_is_refused_for_what_signs_cms(tmp_path, maker, command, extra):
    out = tmp_path / "out"
    done = run(command, "--ca", maker, "--out", out, "--key-type", "ed25519", *extra, expect=FAILED)
    assert "RFC 8419" in done.stderr
    assert not list(out.glob("*.key"))  # nothing half done


def test_days_are_kept_within_the_issuers(tmp_path):
    run("domain", "--out", tmp_path / "site", "--days", "10")
    run("registrar", "--ca", tmp_path / "site", "--out", tmp_path, "--days", "5")
    run("registrar", "--ca", tmp_path / "site", "--out", tmp_path / "long", "--days", "400")
    issuing = load(tmp_path / "site/issuing.crt")[0]
    assert (load(tmp_path / "registrar.crt")[0].not_valid_after - datetime.datetime.utcnow()).days == 4
    assert load(tmp_path / "long/registrar.crt")[0].not_valid_after == issuing.not_valid_after


def rows(out):
    with open(out / "manifest.csv", newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def test_batch_makes_the_good_and_names_the_bad(tmp_path, maker):
    table = tmp_path / "devices.csv"
    table.write_bytes(b"\xef\xbb\xbfname,Serial\r\na,SN-1\r\nb,\"SN,2\"\r\nc,SN-1\r\nd,\r\n\"e\"x,SN-3\r\n"
                      b"f,../../../etc/cron.d/x\r\ng,SN_4\r\nh,\x1b[2JSN\r\ni," + b"9" * 129 +
                      b"\r\nj,.profile\r\nk,SN-5\r\n")
    out = tmp_path / "devices"
    done = run("idevid", "--ca", maker, "--out", out, "--masa-url", "m.example", "--csv", table,
               expect=FAILED)
    assert "6 of 11 devices were not made" in done.stderr
    assert "\x1b" not in done.stderr
    good = [r for r in rows(out) if r["result"] == "ok"]
    assert [r["serial"] for r in good] == ["SN-1", "SN,2", "../../../etc/cron.d/x", ".profile", "SN-5"]
    for row in good:
        assert "/" not in row["certificate"] and not row["certificate"].startswith(".")
        cert, issuing = load(out / row["certificate"])
        assert hashlib.sha256(cert.public_bytes(serialization.Encoding.DER)).hexdigest() == \
            row["idevid_sha256"]
        (serial,) = cert.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
        assert serial.value == row["serial"]
        ski = extension(issuing, x509.SubjectKeyIdentifier).value.digest
        assert base64.b64decode(row["idevid_issuer"]) == b"\x04\x18\x30\x16\x80\x14" + ski
        assert openssl_verify(maker / "root.crt", out / row["certificate"]).returncode == 0
    reasons = [r["result"] for r in rows(out) if r["result"] != "ok"]
    for words in ("more than once", "is empty", "closing quote", "PrintableString", "control character",
                  "longer than"):
        assert any(words in reason for reason in reasons), words
    assert len({r["idevid_sha256"] for r in good}) == 5
    assert len(list(out.glob("*.key"))) == 5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["devices", "devices.csv", "maker"]


def test_manifest_keeps_the_devices_of_earlier_runs(tmp_path, maker):
    common = ("idevid", "--ca", maker, "--out", tmp_path / "d", "--masa-url", "m.example", "--serial")
    run(*common, "A")
    run(*common, "B")
    before = (tmp_path / "d/A.key").read_bytes()
    assert "exists already" in run(*common, "A", expect=FAILED).stderr
    assert (tmp_path / "d/A.key").read_bytes() == before
    assert [(r["serial"], r["result"]) for r in rows(tmp_path / "d")][:2] == [("A", "ok"), ("B", "ok")]
    run(*common, "C")
    assert [r["serial"] for r in rows(tmp_path / "d")] == ["A", "B", "C"]


@pytest.mark.parametrize("command", ("manufacturer", "domain"))
def test_existing_keys_are_never_overwritten(tmp_path, command):
    run(command, "--out", tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert "exists already" in run(command, "--out", tmp_path, expect=FAILED).stderr
    (tmp_path / "root.key").unlink()
    before.pop("root.key")
    run(command, "--out", tmp_path, expect=FAILED)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("args, words", (
    ((), "no command"),
    (("frobnicate",), "unknown command"),
    (("manufacturer",), "needs --out"),
    (("manufacturer", "--out"), "wants a value"),
    (("manufacturer", "--out", "a", "--out", "b"), "twice"),
    (("manufacturer", "--out", "a", "--ca", "b"), "no option of"),
    (("manufacturer", "--out", "a", "--key-type", "rsa-1024"), "key type"),
    (("manufacturer", "--out", "a", "--days", "0"), "--days"),
    (("manufacturer", "--out", "a", "--days", "1x"), "--days"),
    (("manufacturer", "--out", "a", "--color"), "unknown option"),
    (("registrar", "--out", "a"), "needs --ca"),
    (("idevid", "--out", "a", "--ca", "b", "--masa-url", "m"), "--serial or --csv"),
    (("idevid", "--out", "a", "--ca", "b", "--masa-url", "m", "--serial", "1", "--csv", "f"),
     "--serial or --csv"),
))
def test_wrong_command_line_is_exit_2(args, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert words in run(*args, expect=USAGE).stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("args, words", (
    (("registrar", "--ca", "nowhere", "--out", "a"), "no such file"),
    (("idevid", "--ca", "maker", "--out", "a", "--masa-url", "http://m/", "--serial", "1"), "https"),
    (("idevid", "--ca", "maker", "--out", "a", "--masa-url", "m", "--csv", "nowhere"), "no such file"),
    (("idevid", "--ca", "maker", "--out", "a", "--masa-url", "m", "--csv", "odd.csv"), "serial"),
    (("masa", "--ca", "maker", "--out", "a", "--san", "localhost"), "DNS:name"),
))
def test_what_cannot_be_made_is_exit_1(args, words, tmp_path, maker, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.csv").write_text("name\nSN-1\n")
    assert words in run(*args, expect=FAILED).stderr
    assert not list(tmp_path.glob("a/*.key"))
    assert maker.exists()


def test_help_and_version_say_what_there_is():
    text = run("--help").stdout
    for word in ("manufacturer", "domain", "masa", "registrar", "idevid", *KEY_TYPES, "--csv"):
        assert word in text
    assert run("idevid", "--help").stdout == text
    assert run("--version").stdout.startswith("brski-certs ")
