# SPDX-License-Identifier: Apache-2.0
"""The published vectors of interop/vectors: what the index says of each is what our programs and, of
those that are right, an independent reader say; and each wrong one differs from a right one in the
one way the index names."""

import datetime
import json
import os
import pathlib
import subprocess
import sys

import cbor2
import pytest
from asn1crypto import cms as asn1_cms
from asn1crypto import core as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7

from brski_peer import certs, cms, cose

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = REPOSITORY / os.environ.get("BUILD", "build")
VECTORS = REPOSITORY / "interop" / "vectors"
sys.path.insert(0, str(VECTORS))

import take_apart  # noqa: E402

INDEX = json.loads((VECTORS / "index.json").read_text())["vectors"]
BY_FILE = {entry["file"]: entry for entry in INDEX}
VALID = [e for e in INDEX if e["verdict"] == "valid"]
INVALID = [e for e in INDEX if e["verdict"] == "invalid"]
SIZE_MAX = 1_500_000
SIGNED = ("cms", "cose")
CODES = {"verify": 1, "judge": 1, "parse": 2}

# What our programs say, by a part of the file's name; the longest that fits counts.
SAYS = {
    "indefinite-length": "indefinite length",
    "octet-after-the-end": "after the end",
    "voucher-cms/ENC-ALL-001-cut-off": "are left",
    "voucher-cose/Y-18-cut-off": "are left",
    "detached": "is detached",
    "another-content-type": "neither a JSON voucher nor id-data",
    "content-type-attribute": "content-type attribute",
    "message-digest": "message-digest attribute",
    "attribute-twice": "stands twice",
    "signature-over-something-else": "signature is wrong",
    "nobody-signed": "nobody signed it",
    "two-signers": "more than one signer",
    "voucher-cms/ENC-ALL-005-no-certificate": "certificate is missing",
    "voucher-cose/O-11-no-certificate": "none of the 1 certificates",
    "signer-of-a-stranger": "unable to get local issuer",
    "signer-expired": "certificate has expired",
    "sha-1": "digest algorithm is not SHA-256",
    "base64-without-padding": "pinned-domain-cert: base64: padding is missing",
    "base64-with-line-break": "pinned-domain-cert: base64: character 0x0a",
    "two-certificates-in-a-leaf": "pinned-domain-cert: certificate",
    "no-certificate-in-a-leaf": "pinned-domain-cert: certificate",
    "time-without-zone": "no valid time zone",
    "no-such-day": "no moment of the calendar",
    "nonce-7": "7 octets where 8 to 32",
    "nonce-33": "33 octets where 8 to 32",
    "no-serial-number": "serial-number is missing",
    "serial-number-a-number": "serial-number: not a string",
    "another-serial-number": "serial-number is PUMP-0043",
    "another-nonce": "nonce is EBESExQVFhcYGRobHB0eAA==",
    "no-module-name": "module's name",
    "two-at-the-top": "2 top-level members",
    "ENC-ALL-007-member-twice": "duplicate object key near '\"nonce\"'",
    "no-json": "JSON: '}' expected",
    "-expired": "expired on 2026-06-01T12:04:59Z",
    "MASA-012-nested-signature": "prior-signed-voucher-request: CMS signature by",
    "A-04-nested-signature": "name its signer with --signer: COSE signature: it was made with the key",
    "pvr-cms/R8995-REG-011-signature": "signature is wrong",
    "pvr-cose/R-04-signature": "the key of none",
    "another-tag": "tag 98 where 18",
    "three-elements": "3 elements where",
    "alg-unprotected": "alg is missing",
    "no-alg": "alg is missing",
    "signature-in-der": "raw and not in DER",
    "other-context": "the key of none",
    "O-02-signature.": "the key of none",
    "unknown-alg": "algorithm -47",
    "unknown-critical": "critical header that is not known",
    "external-data": "the key of none",
    "another-sid": "top-level SID 2452",
    "leaf-twice": "a key stands twice",
    "time-a-number": "created-on: CBOR: unsigned integer",
    "certificate-a-text": "pinned-domain-cert: CBOR: text",
    "serial-number-octets": "serial-number: CBOR: byte string",
    "no-version": "version is missing",
    "no-status": "status is missing",
    "status-a-text": "status",
    "status-a-number": "status: CBOR: unsigned",
    "version-0": "not a positive number",
    "reason-a-number": "reason",
    "telemetry-json/R8995-REG-038-cut-off": "JSON: '}' expected",
    "telemetry-cbor/R-13-cut-off": "CBOR: truncated",
    "unknown-member": "version 1 does not have: x",
    "key-a-number": "key: CBOR: unsigned",
    "R8995-REG-038-member-twice": "duplicate object key near '\"status\"'",
    "no-date": "date is missing",
    "no-domain": "domainID is missing",
    "nonce-a-number": "nonce is not a string",
    "truncated-a-text": "truncated is not a number",
    "truncation-negative": "arbitrary is not a number",
    "audit-log/R8995-MASA-031-cut-off": "JSON: '}' expected",
    "events-no-list": "events is not an array",
    "csr/EE-03-signature": "signature is wrong",
    "two-serial-numbers": "more than once",
    "base64.": "DER:",
    "csr/EE-01-cut-off": "are left",
    "two-extension-requests": "two requests for extensions",
    "two-key-types": "two types of key",
    "neither-oid-nor-attribute": "neither OID nor attribute",
    "template-version-1": "template version 1",
    "certs-only/ECA-11-no-certificate": "no certificate in it",
    "ECA-02-signer": "it has a signer",
    "ECA-02-content": "must be empty",
    "C-35-odd": "no pairs",
    "part-a-text": "CBOR: text where byte string",
    "format-a-text": "CBOR: text where unsigned",
    "format-65536": "content-format out of range",
    "multipart-core/C-30-cut-off": "are left",
    "one-element": "1 elements",
    "header-a-text": "CBOR: text where byte string",
    "content-a-text": "CBOR: text where byte string",
    "no-content": "no content",
    "jpy/J-07-cut-off": "are left",
    "no-url": "no MASA URL",
    "utf8": "tag 0x0c",
    "no-string": "MASA URL: DER",
    "idevid/R8995-REG-020-critical": "is critical",
    "empty": "no host",
    "control-character": "control character",
    "-http": "not an absolute https URI",
    "query": "query",
    "-user": "user information",
    "port-65536": "port 65536",
    "idevid/R8995-REG-009-no-serial-number": "serialNumber is not there",
}


def octets_of(entry):
    return (VECTORS / entry["file"]).read_bytes()


def kind_of(entry):
    return entry["artifact"].rpartition("-")[2]


def name_of(entry):
    return entry["file"]


def run(*command, stdin=b""):
    program = BUILD / command[0]
    if not program.exists():
        pytest.skip(f"{program} is not built (make check builds it)")
    return subprocess.run([str(program), *map(str, command[1:])], input=stdin, capture_output=True,
                          timeout=20, check=False)  # fmt: skip


def inspected(entry):
    """brski-voucher with all the index says a reader has."""
    options = ["--at", entry["at"], "--serial", entry["serial_number"]]
    options += ["--nonce", entry["nonce"]] if entry["nonce"] else []
    options += [o for anchor in entry["anchors"] for o in ("--anchor", VECTORS / anchor)]
    options += ["--signer", VECTORS / entry["signer"]] if "signer" in entry else []
    return run("brski-voucher", "inspect", *options, "-", stdin=octets_of(entry))


def judged(entry):
    return run("tools/judge", entry["artifact"], stdin=octets_of(entry))


def load(name):
    return x509.load_pem_x509_certificate((VECTORS / name).read_bytes())


def spki(public):
    return public.public_bytes(serialization.Encoding.DER,
                               serialization.PublicFormat.SubjectPublicKeyInfo)  # fmt: skip


def public_keys():
    return [load(f"keys/{p.stem}.crt").public_key() for p in sorted(VECTORS.glob("keys/*.key"))]


def moment(entry):
    return datetime.datetime.fromisoformat(entry["at"].replace("Z", "+00:00"))


# ---- the index itself ----

def test_index_and_files_agree_one_to_one():
    there = {str(p.relative_to(VECTORS)) for p in VECTORS.rglob("*") if p.is_file()}
    others = {name for name in there if name.startswith(("keys/", "__pycache__/"))}
    others |= {name for name in there if "/" not in name and name.endswith(".py")}
    others |= {"index.json", "README.md"}
    assert sorted(there - others) == sorted(BY_FILE)
    assert len(BY_FILE) == len(INDEX)
    assert sum((VECTORS / name).stat().st_size for name in there) < SIZE_MAX


def test_index_names_rows_keys_and_derivations_that_exist():
    rows = (REPOSITORY / "docs" / "conformance.md").read_text()
    for entry in INDEX:
        assert entry["rows"] and all(f"| {row} |" in rows for row in entry["rows"]), entry["file"]
        for name in entry.get("anchors", []) + [entry[k] for k in ("signer", "pledge") if k in entry]:
            assert (VECTORS / name).is_file(), name
        if entry["verdict"] == "invalid":
            good = BY_FILE[entry["derived_from"]]
            assert good["verdict"] == "valid" and good["artifact"] == entry["artifact"]
            assert entry["file"].split("/")[1].startswith(entry["rows"][0] + "-")
            assert entry["stage"] in CODES and entry["reason"]


def test_every_artifact_has_valid_and_invalid_ones():
    artifacts = set(take_apart.READERS)
    assert {e["artifact"] for e in VALID} == artifacts
    assert {e["artifact"] for e in INVALID} == artifacts


def test_every_certificate_of_the_folder_has_its_key():
    for path in VECTORS.glob("keys/*"):
        key = serialization.load_pem_private_key(path.with_suffix(".key").read_bytes(), None)
        cert = load(f"keys/{path.stem}.crt")
        assert spki(key.public_key()) == spki(cert.public_key())


@pytest.mark.parametrize("entry", INVALID, ids=name_of)
def test_invalid_one_differs_from_a_valid_one_as_stated_and_in_nothing_else(entry):
    good = BY_FILE[entry["derived_from"]]
    found = take_apart.difference(entry["artifact"], octets_of(good), octets_of(entry), public_keys())
    changed = entry["changed"]
    assert found == {changed["part"]: [changed["was"], changed["is"]]}
    for need in ("anchors", "signer", "at", "serial_number"):
        assert entry.get(need) == good.get(need), "judged with other means"


# ---- our programs ----

@pytest.mark.req("ENC-ALL-001", "ENC-ALL-002", "ENC-ALL-003", "ENC-ALL-010", "ENC-ALL-015", "O-01",
                 "O-07", "Y-01", "Y-02", "Y-10")
@pytest.mark.parametrize("entry", [e for e in VALID if kind_of(e) in SIGNED], ids=name_of)
def test_valid_request_or_voucher_is_valid_to_us(entry):
    done = inspected(entry)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["format"] == kind_of(entry)
    assert report["type"] == ("voucher" if "voucher-c" in entry["artifact"] else "voucher-request")
    assert (report["signature"], report["chain"]) == ("valid", "valid")
    assert bool(report["nested"]) == (entry["artifact"].startswith("rvr") and bool(entry["nonce"]))


@pytest.mark.req("R-11", "R8995-REG-020", "ECA-02", "ER-07", "J-07", "J-08")
@pytest.mark.parametrize("entry", [e for e in VALID if kind_of(e) not in SIGNED], ids=name_of)
def test_valid_artifact_is_valid_to_us(entry):
    done = judged(entry)
    assert done.returncode == 0, done.stderr
    expects = entry.get("expects")
    if entry["artifact"] == "idevid":
        assert done.stdout.decode().split("\n") == expects
    elif isinstance(expects, str):
        assert done.stdout.decode() == expects
    elif expects is not None:
        assert json.loads(done.stdout) == expects
    elif entry["artifact"] == "certs-only":
        found, sent = (pkcs7.load_der_pkcs7_certificates(o) for o in (done.stdout, octets_of(entry)))
        assert {certs.cert_der(c) for c in found} == {certs.cert_der(c) for c in sent}


def says(entry):
    fitting = [text for text in SAYS if text in entry["file"]]
    assert fitting, "nothing expected of it"
    return SAYS[max(fitting, key=len)]


def refusal(entry):
    """(exit code, the code it has to be, what is said)"""
    if "another-tag" in entry["file"]:  # no COSE to a program that has to guess what it is given
        done = run("tools/emit", "strip", stdin=octets_of(entry))
        return done.returncode, 1, done.stderr.decode()
    if "ENC-ALL-011" in entry["file"]:  # brski-voucher compares nonces, whatever they are
        payload = asn1_cms.ContentInfo.load(octets_of(entry))["content"]["encap_content_info"]
        done = run("tools/judge", "voucher-json", stdin=bytes(payload["content"]))
        return done.returncode, 1, done.stderr.decode()
    if kind_of(entry) in SIGNED:
        done = inspected(entry)
        return done.returncode, CODES[entry["stage"]], done.stderr.decode()
    done = judged(entry)
    return done.returncode, 1, done.stderr.decode()


@pytest.mark.req("ENC-ALL-001", "ENC-ALL-002", "ENC-ALL-003", "ENC-ALL-004", "ENC-ALL-007",
                 "ENC-ALL-008", "ENC-ALL-009", "ENC-ALL-010", "ENC-ALL-011", "ENC-ALL-012",
                 "ENC-ALL-025", "ENC-ALL-027", "O-02", "O-03", "O-11", "O-14", "O-15", "Y-01", "Y-04",
                 "Y-05", "Y-06", "Y-18", "R-13", "C-30", "C-35", "ECA-02", "ECA-11", "EE-03", "EE-16",
                 "ER-05", "ER-06", "ER-07", "J-07", "J-08", "R8995-REG-020", "R8995-REG-021")
@pytest.mark.parametrize("entry", INVALID, ids=name_of)
def test_invalid_one_is_refused_by_us_for_the_stated_reason(entry):
    code, expected, why = refusal(entry)
    assert code == expected, why
    assert says(entry) in why


def test_every_expected_sentence_is_needed():
    assert set(SAYS.values()) == {says(entry) for entry in INVALID}


# ---- independent readers ----

def under_anchor(cert, entry):
    """cryptography alone: issued by an anchor, at its time; or an anchor itself."""
    at = moment(entry).replace(tzinfo=None)
    assert cert.not_valid_before <= at <= cert.not_valid_after
    (anchor,) = [load(name) for name in entry["anchors"]]
    assert cert.issuer == anchor.subject
    anchor.public_key().verify(cert.signature, cert.tbs_certificate_bytes,
                               ec.ECDSA(cert.signature_hash_algorithm))  # fmt: skip


@pytest.mark.parametrize("entry", [e for e in VALID if kind_of(e) == "cms"], ids=name_of)
def test_valid_cms_is_valid_to_asn1crypto_and_cryptography(entry):
    box = cms.parse(octets_of(entry))
    under_anchor(box.verify(), entry)
    (leaves,) = json.loads(box.payload).values()
    assert leaves["serial-number"] == entry["serial_number"]
    assert leaves.get("nonce") == entry["nonce"]


# OpenSSL 3.0 verifies no CMS that is signed with Ed25519.
FOR_OPENSSL = [e for e in VALID if kind_of(e) == "cms" and "ed25519" not in e["file"]]


@pytest.mark.parametrize("entry", FOR_OPENSSL, ids=name_of)
def test_valid_cms_is_valid_to_openssl(entry):
    command = ["openssl", "cms", "-verify", "-inform", "DER", "-in", VECTORS / entry["file"],
               "-CAfile", VECTORS / entry["anchors"][0], "-purpose", "any", "-binary",
               "-attime", str(int(moment(entry).timestamp()))]  # fmt: skip
    done = subprocess.run(list(map(str, command)), capture_output=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    assert entry["serial_number"] in done.stdout.decode()


@pytest.mark.parametrize("entry", [e for e in VALID if kind_of(e) == "cose"], ids=name_of)
def test_valid_cose_is_valid_to_cbor2_and_cryptography(entry):
    box = cose.parse(octets_of(entry))
    signer = load(entry["signer"]) if "signer" in entry else box.signer()
    box.verify(signer)
    under_anchor(signer, entry)
    assert box.fields["serial-number"] == entry["serial_number"]
    nonce = box.fields.get("nonce")
    assert (nonce and cose.voucher.b64(nonce)) == entry["nonce"]


def read_csr(octets, entry):
    request = x509.load_der_x509_csr(octets)
    assert request.is_signature_valid
    assert serial_of(request.subject) == entry["expects"]


def read_idevid(octets, entry):
    cert = x509.load_der_x509_certificate(octets)
    under_anchor(cert, entry)
    extension = cert.extensions.get_extension_for_oid(certs.MASA_URL_OID)
    text = asn1.IA5String.load(extension.value.value, strict=True).native
    serial, uri = entry["expects"]
    assert not extension.critical and text.rstrip("/") in uri
    assert serial_of(cert.subject) == serial


def serial_of(subject):
    (serial,) = subject.get_attributes_for_oid(x509.NameOID.SERIAL_NUMBER)
    return serial.value


def read_certs_only(octets, _):
    for cert in pkcs7.load_der_pkcs7_certificates(octets):
        load("keys/site.crt").public_key().verify(cert.signature, cert.tbs_certificate_bytes,
                                                  ec.ECDSA(hashes.SHA256()))  # fmt: skip


def read_csrattrs(octets, _):
    list(asn1.SequenceOf.load(octets, strict=True, spec=asn1.Any))


def read_multipart_core(octets, _):
    parts = cose.parts(octets)
    assert parts and all(isinstance(number, int) for number, _ in parts)
    for number, content in parts:
        if number == 287 and content:
            x509.load_der_x509_certificate(content)


def read_jpy(octets, _):
    assert all(isinstance(part, bytes) and part for part in cbor2.loads(octets)[:2])


def equals(loads):
    def read(octets, entry):
        value = loads(octets)
        assert value == entry.get("expects", value) and value["version"] == 1
    return read


READERS = {"csr": read_csr, "idevid": read_idevid, "certs-only": read_certs_only,
           "csrattrs": read_csrattrs, "multipart-core": read_multipart_core, "jpy": read_jpy,
           "telemetry-json": equals(json.loads), "audit-log": equals(json.loads),
           "telemetry-cbor": equals(cbor2.loads)}


@pytest.mark.parametrize("entry", [e for e in VALID if kind_of(e) not in SIGNED], ids=name_of)
def test_valid_artifact_is_valid_to_python(entry):
    READERS[entry["artifact"]](octets_of(entry), entry)
