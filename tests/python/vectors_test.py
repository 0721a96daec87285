# SPDX-License-Identifier: Apache-2.0
"""brski-voucher over the messages other implementations published.

The folder of vectors is BRSKI_VECTORS, else ../shared/vectors beside the repository; where it is
absent these tests are skipped. Expected values are facts read off the vectors: serial numbers,
nonces, who issued the signer, and a moment at which its chain was valid.
"""

import base64
import json
import os
import pathlib
import re
import subprocess

import cbor2
import pytest
from asn1crypto import cms as asn1_cms

from brski_peer import certs, cms, cose, forge

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = REPOSITORY / os.environ.get("BUILD", "build") / "brski-voucher"
VECTORS = pathlib.Path(
    os.environ.get("BRSKI_VECTORS", REPOSITORY.parent / "shared" / "vectors")
)
HAVE_VECTORS = (VECTORS / "INDEX.md").is_file()
pytestmark = pytest.mark.skipif(not HAVE_VECTORS, reason="no folder of published vectors")

VALID, NOT_VALID, NOT_READABLE = 0, 1, 2

BOOTSTRAP = "anima-bootstrap/examples/"
VENDOR = BOOTSTRAP + "vendor.crt"
OWNER = BOOTSTRAP + "ownerca_secp384r1.crt"
JRC = "CN=fountain-test.example.com,DC=sandelman,DC=ca"
SERIAL = "00-D0-E5-F2-00-02"
NONCE_2020 = "aMjgueKUT-22wVimj6z27Q"
NONCE_2021 = "-_XE9zK9q8Ll1qylMtLKeg"
NONCE_2022 = "4vTsppS2CeqBzhEdoifM2g"
SPRING_2020, SPRING_2021, SUMMER_2022 = (
    "2020-06-01T00:00:00Z",
    "2021-06-01T00:00:00Z",
    "2022-07-11T00:00:00Z",
)

# file, type, assertion, nonce, anchor, moment, member with the registrar's certificate
GOLDEN = [
    (BOOTSTRAP + "vr_" + SERIAL, "voucher-request", "proximity", NONCE_2021, VENDOR, SPRING_2021,
     "proximity-registrar-cert"),
    (BOOTSTRAP + "parboiled_vr_" + SERIAL, "voucher-request", "proximity", NONCE_2021, OWNER,
     SPRING_2021, None),
    (BOOTSTRAP + "voucher_" + SERIAL, "voucher", "logged", NONCE_2021, VENDOR, SPRING_2021,
     "pinned-domain-cert"),
    ("voucher/examples/vr_" + SERIAL, "voucher-request", "proximity", NONCE_2022, VENDOR,
     SUMMER_2022, "proximity-registrar-cert"),
    ("voucher/examples/voucher_" + SERIAL, "voucher", "logged", NONCE_2022, VENDOR, SUMMER_2022,
     "pinned-domain-cert"),
]  # fmt: skip
GOLDEN = [(row[0] + ending,) + row[1:] for row in GOLDEN for ending in (".pkcs", ".b64")]
GOLDEN.append((BOOTSTRAP + "parboiled_00-D0-E5-F2-00-02.b64", "voucher-request", "proximity",
               NONCE_2020, OWNER, SPRING_2020, None))  # fmt: skip


def inspect(path, *options, stdin=None):
    """(exit code, report or None, the line on stderr)"""
    command = [str(PROGRAM), "inspect", *map(str, options), str(path)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=20, check=False)
    assert done.returncode in (VALID, NOT_VALID, NOT_READABLE), done
    report = json.loads(done.stdout) if done.stdout else None
    why = done.stderr.decode()
    assert why.count("\n") == (0 if done.returncode == VALID else 1), why
    assert (report is None) == (done.returncode == NOT_READABLE)
    return done.returncode, report, why


def row_name(row):
    """How a row is called in the output; pytest asks even when there is none."""
    return row[0] if isinstance(row, tuple) else None


def to_der(path):
    """The container's octets, out of PEM, base64 or DER."""
    octets = pathlib.Path(path).read_bytes()
    if octets.startswith(b"-----"):
        octets = b"".join(octets.split(b"-----")[2].split())
    return octets if octets[0] == 0x30 else base64.b64decode(octets)


@pytest.mark.req("ENC-ALL-001", "ENC-ALL-002", "ENC-ALL-010")
@pytest.mark.parametrize("row", GOLDEN, ids=row_name)
def test_golden_cms__at_its_time__is_valid_with_the_published_values(row):
    path, kind, assertion, nonce, anchor, at, member = row
    code, report, why = inspect(
        VECTORS / path, "--anchor", VECTORS / anchor, "--at", at, "--nonce", nonce,
        "--serial", SERIAL,
    )  # fmt: skip
    assert code == VALID, why
    assert report["type"] == kind
    assert report["format"] == "cms"
    assert report["signature"] == "valid"
    assert report["chain"] == "valid"
    assert report["problems"] == []
    assert report["fields"]["serial-number"] == SERIAL
    assert report["fields"]["nonce"] == nonce
    assert report["fields"]["assertion"] == assertion
    if member:
        assert report["decoded"][member]["subject"] == JRC


def test_golden_registrar_request__holds_the_pledge_request__verified():
    code, report, _ = inspect(VECTORS / BOOTSTRAP / "parboiled_vr_00-D0-E5-F2-00-02.pkcs")
    nested = report["nested"]
    assert code == VALID
    assert nested["type"] == "voucher-request"
    assert nested["signature"] == "valid"
    assert nested["fields"]["nonce"] == report["fields"]["nonce"] == NONCE_2021
    assert nested["signer"]["serialNumber"] == SERIAL
    assert nested["signer"]["masa-url"].startswith("https://highway-test.example.com:9443/")
    assert nested["decoded"]["proximity-registrar-cert"]["extendedKeyUsage"] == ["cmcRA"]
    assert nested["nested"] is None


def index_rows():
    """(path, expected values, note) of every CMS message in the index that is there."""
    if not HAVE_VECTORS:
        return []
    rows = {}
    for line in (VECTORS / "INDEX.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 6 and cells[2].startswith("CMS ") and (VECTORS / cells[1]).is_file():
            rows[cells[1]] = (cells[1], cells[2], cells[4])
    return sorted(rows.values())


@pytest.mark.parametrize("row", index_rows(), ids=row_name)
def test_every_cms_of_the_index__gives_what_the_index_says(row):
    path, what, expected = row
    code, report, why = inspect(VECTORS / path)
    if "detached" in what:
        assert code == NOT_READABLE
        assert "detached" in why
        return
    assert code == VALID, why
    assert report["fields"]["serial-number"] == re.search(r"sn ([^;]+)", expected).group(1)
    assert report["fields"]["nonce"] == re.search(r"nonce ([^;]+)", expected).group(1)


NOT_CMS = [
    ("anima-bootstrap/example-voucher.json", "nobody signed"),
    ("voucher/refs/ex-file-voucher-ephemeral.json", "not readable"),
    ("anima-jws-voucher/draft-appendix/voucher.jws.json", "not supported by this build"),
    ("anima-jws-voucher/examples/voucher_01.b64", "compact serialization"),
    (VENDOR, "PEM: a CERTIFICATE, not a CMS"),
    (BOOTSTRAP + "masa.key", "not a CMS"),
    ("INDEX.md", "neither DER, PEM, CBOR"),
]


@pytest.mark.parametrize("path,reason", NOT_CMS, ids=str)
def test_files_that_are_no_cms_voucher__are_not_readable_with_the_reason(path, reason):
    if not (VECTORS / path).is_file():
        pytest.skip("not among these vectors")
    code, _, why = inspect(VECTORS / path)
    assert code == NOT_READABLE
    assert reason in why


def hostile_rows():
    """Files the index calls deliberately invalid; all are CBOR or COSE, none may pass."""
    if not HAVE_VECTORS:
        return []
    rows = set()
    for line in (VECTORS / "INDEX.md").read_text().splitlines():
        path = line.split("|")[1].strip() if line.count("|") > 6 else ""
        if "DELIBERATELY INVALID" in line and path and (VECTORS / path).is_file():
            rows.add(path)
    return sorted(rows)


@pytest.mark.parametrize("path", hostile_rows())
def test_deliberately_invalid__does_not_pass(path):
    assert inspect(VECTORS / path)[0] != VALID


# ---- COSE ----

EXAMPLES = "constrained-voucher/examples/"
COSE = EXAMPLES + "cose-examples/"
UNSTRIPPED = EXAMPLES + "script-cose-examples/cose-hex/voucher.hex"
OT = "ot-registrar-EskoDijk/java-tests/"
EMIT = PROGRAM.parent / "tools" / "emit"
WINTER_2022 = "2022-12-20T00:00:00Z"

# file, signers, type, nonce; each is valid with these
GOLDEN_COSE = [
    (COSE + "pvr.hex", ["pledge"], "voucher-request", "23bfbbc9c2bcf213"),
    (COSE + "rvr.hex", ["registrar", "pledge"], "voucher-request", "23bfbbc9c2bcf213"),
    (COSE + "voucher.hex", ["masa_ca"], "voucher", "57eed786ad404907"),
    (UNSTRIPPED, [], "voucher", "57eed786ad404907"),
]  # fmt: skip


def from_hex(path):
    return bytes.fromhex("".join((VECTORS / path).read_text().split()))


def emit(*arguments, stdin):
    if not EMIT.exists():
        pytest.skip("build/tools/emit is not built (make check builds it)")
    return subprocess.run([str(EMIT), *arguments], input=stdin, capture_output=True, timeout=20,
                          check=True).stdout  # fmt: skip


@pytest.mark.req("O-01", "O-02", "O-07", "Y-01", "Y-12", "Y-18")
@pytest.mark.parametrize("row", GOLDEN_COSE, ids=row_name)
def test_golden_cose__at_its_time__is_valid_with_the_published_values(tmp_path, row):
    path, signers, kind, nonce = row
    pem = tmp_path / "signers.pem"
    pem.write_bytes(b"".join((VECTORS / COSE / f"{s}.pem").read_bytes() for s in signers))
    options = ["--signer", pem] if signers else []
    code, report, why = inspect(
        VECTORS / path, *options, "--at", WINTER_2022, "--serial", "JADA123456789",
        "--nonce", base64.b64encode(bytes.fromhex(nonce)).decode(),
    )  # fmt: skip
    assert code == VALID, why
    assert (report["type"], report["format"]) == (kind, "cose")
    assert report["cose"] == {"tagged": True, "alg": "ES256", "protected-certificates": 0}
    assert report["fields"]["assertion"] == "proximity"
    if "rvr" in path:
        assert base64.b64decode(report["fields"]["prior-signed-voucher-request"]) == from_hex(
            COSE + "pvr.hex"
        )
        assert report["nested"]["signature"] == "valid"
        assert report["fields"]["idevid-issuer"].startswith("BBgwFoAU")
    assert inspect(VECTORS / path, "--signer", VECTORS / COSE / "domain_ca.pem")[0] == NOT_VALID


@pytest.mark.req("O-11")
def test_golden_cose_voucher__chains_to_its_anchor_and_to_no_other():
    anchor = VECTORS / COSE / "masa_ca.pem"
    code, report, why = inspect(VECTORS / UNSTRIPPED, "--anchor", anchor, "--at", WINTER_2022)
    assert code == VALID, why
    assert report["chain"] == "valid"
    assert inspect(VECTORS / COSE / "voucher.hex", "--anchor", anchor)[0] == VALID
    assert inspect(VECTORS / UNSTRIPPED, "--anchor", VECTORS / COSE / "domain_ca.pem")[0] == NOT_VALID


@pytest.mark.req("R-10")
def test_stripped_voucher__equals_the_published_one():
    assert emit("strip", stdin=from_hex(UNSTRIPPED)) == from_hex(COSE + "voucher.hex")


@pytest.mark.req("Y-18")
def test_our_content__equals_the_published_one():
    """Of the request; the others have fractions of a second, which we do not write."""
    fields = inspect(VECTORS / COSE / "pvr.hex")[1]["fields"]
    text = json.dumps({"ietf-voucher-request:voucher": fields}).encode()
    assert emit("content", "cose", stdin=text) == from_hex(COSE + "pvr-nonsigned.hex")


STALE_COSE = [
    (EXAMPLES + "pledge-to-regis.txt", NOT_VALID, "algorithm -47"),
    (EXAMPLES + "regis-to-MASA.txt", NOT_VALID, "algorithm -47"),
    (EXAMPLES + "voucher-from-MASA.txt", NOT_VALID, "algorithm -47"),
    (EXAMPLES + "parboiled_vr_00-D0-E5-F2-00-03.vrq", NOT_READABLE, "alg is missing"),
    (EXAMPLES + "voucher_00-D0-E5-F2-00-03.vch", NOT_READABLE, "alg is missing"),
    (EXAMPLES + "vr_00-D0-E5-F2-00-03.vrq", NOT_READABLE, "alg is missing"),
    (OT + "CoseTest-0.hex", NOT_VALID, "raw and not in DER"),
    (OT + "VoucherTest-5.hex", NOT_READABLE, "nobody signed"),
    (COSE + "pvr-nonsigned.hex", NOT_READABLE, "nobody signed"),
    (EXAMPLES + "voucher-hex.txt", NOT_READABLE, "nobody signed"),
    (EXAMPLES + "voucher-status.hex", NOT_READABLE, "no signed voucher"),
    (COSE + "pvr.hex", NOT_VALID, "certificate is missing"),
    (COSE + "rvr.hex", NOT_VALID, "prior-signed-voucher-request"),  # the pledge's is not in the bag
]


@pytest.mark.req("O-02", "O-03")
@pytest.mark.parametrize("path,code,reason", STALE_COSE, ids=str)
def test_published_cose_that_is_wrong__is_refused_with_the_reason(path, code, reason):
    got, _, why = inspect(VECTORS / path)
    assert got == code and reason in why, why


@pytest.mark.req("Y-05", "Y-06")
@pytest.mark.parametrize("name", ["CoseTest-2", "CoseTest-3"])
def test_cose_of_the_reference_registrar__verifies(name):
    code, report, why = inspect(VECTORS / OT / f"{name}.hex")
    assert code == VALID, why
    assert report["fields"]["serial-number"] == "A85D330001"
    assert report["cose"]["kid"]


@pytest.mark.req("R-13")
@pytest.mark.parametrize("name", ["FunctionalTest-0", "FunctionalTest-1"])
def test_published_telemetry_that_is_wrong__is_refused(name):
    if not EMIT.exists():
        pytest.skip("build/tools/emit is not built (make check builds it)")
    done = subprocess.run([str(EMIT), "read-report"], input=from_hex(OT + name + ".hex"),
                          capture_output=True, timeout=20, check=False)  # fmt: skip
    assert done.returncode == 1 and b"status report" in done.stderr


def sid_items(module):
    """{SID: leaf} of a published .sid file; the names of enumerations and features left out."""
    found = {}
    for path in sorted((VECTORS / "voucher").glob(f"{module}@*.sid")):
        for item in json.loads(path.read_text())["ietf-sid-file:sid-file"]["item"]:
            parts = item["identifier"].split("/")
            if item["namespace"] == "data" and len(parts) > 2:
                found[int(item["sid"])] = parts[-1].split(":")[-1]
    return found


@pytest.mark.req("Y-01", "Y-02")
@pytest.mark.parametrize("module,container", [("ietf-voucher", 2451),
                                              ("ietf-voucher-request", 2501)])  # fmt: skip
def test_our_sids__are_the_published_ones(module, container):
    """A voucher that has every leaf, as tools show it: its SIDs become the names of the .sid file."""
    kind = "voucher" if container == 2451 else "request"
    leaves = sid_items(module)
    assert len(leaves) > 10
    values = {"assertion": 0, "nonce": bytes(8), "serial-number": "SN-1", "est-domain": "x",
              "additional-configuration-url": "x", "domain-cert-revocation-checks": True,
              "prior-signed-voucher-request": b"x", "created-on": "2026-11-21T10:00:00Z",
              "expires-on": "2026-11-21T10:00:00Z", "last-renewal-date": "2026-11-21T10:00:00Z",
              "pinned-domain-cert": b"\x30\x00", "proximity-registrar-cert": b"\x30\x00"}  # fmt: skip
    entries = sorted((sid - container, values.get(name, b"x")) for sid, name in leaves.items())
    payload = b"\xa1" + cbor2.dumps(container) + cose.raw_map(entries)
    signer = certs.make_masa_signer(certs.make_ca("Maker"))
    octets = cose.sign(payload, signer, unprotected={cose.X5BAG: forge.der(signer.cert)})
    _, report, why = inspect("-", stdin=octets)
    assert report, why
    assert set(report["fields"]) == set(leaves.values())
    assert report["type"] == ("voucher" if kind == "voucher" else "voucher-request")


# ---- the same messages, wrong ----

VOUCHER = BOOTSTRAP + "voucher_00-D0-E5-F2-00-02.pkcs"
RVR = BOOTSTRAP + "parboiled_vr_00-D0-E5-F2-00-02.pkcs"


def written(tmp_path, octets, name="x"):
    path = tmp_path / name
    path.write_bytes(octets)
    return path


def changed(octets, old, new):
    assert octets.count(old) >= 1 and len(old) == len(new)
    return octets.replace(old, new, 1)


def test_der_and_standard_input__are_read(tmp_path):
    der = to_der(VECTORS / VOUCHER)
    assert inspect(written(tmp_path, der))[0] == VALID
    assert inspect("-", stdin=der)[0] == VALID
    assert inspect("-", stdin=base64.encodebytes(der))[0] == VALID


def test_wrong_nonce_or_serial__is_not_valid():
    code, report, why = inspect(VECTORS / VOUCHER, "--nonce", NONCE_2022)
    assert code == NOT_VALID and "nonce is" in why
    assert report["signature"] == "valid"
    code, _, why = inspect(VECTORS / VOUCHER, "--serial", "00-d0-e5-f2-00-02")
    assert code == NOT_VALID and "serial-number is" in why


def test_same_nonce_in_the_other_alphabet__is_valid():
    assert inspect(VECTORS / VOUCHER, "--nonce", "+/XE9zK9q8Ll1qylMtLKeg==")[0] == VALID


def test_chain__wrong_anchor_or_expired__is_invalid_while_the_signature_is_valid():
    for options in (
        ("--anchor", VECTORS / OWNER, "--at", SPRING_2021),
        ("--anchor", VECTORS / VENDOR, "--at", "2026-01-01T00:00:00Z"),
        ("--anchor", VECTORS / VENDOR, "--at", "2021-01-01T00:00:00Z"),
    ):
        code, report, why = inspect(VECTORS / VOUCHER, *options)
        assert code == NOT_VALID and "chain" in why
        assert report["chain"] == "invalid"
        assert report["signature"] == "valid"


def test_signer_given__must_be_the_one():
    code, report, _ = inspect(VECTORS / VOUCHER, "--signer", VECTORS / BOOTSTRAP / "masa.crt")
    assert code == VALID
    code, report, why = inspect(VECTORS / VOUCHER, "--signer", VECTORS / BOOTSTRAP / "vendor.crt")
    assert code == NOT_VALID and "not by the signer" in why
    assert report["signature"] == "invalid"


def test_payload_changed__is_shown_with_an_invalid_signature(tmp_path):
    der = changed(to_der(VECTORS / VOUCHER), b'"logged"', b'"lOgged"')
    code, report, why = inspect(written(tmp_path, der))
    assert code == NOT_VALID and "digest" in why
    assert report["signature"] == "invalid"
    assert report["fields"]["assertion"] == "lOgged"


def test_signature_changed__is_invalid(tmp_path):
    der = to_der(VECTORS / VOUCHER)
    code, report, why = inspect(written(tmp_path, der[:-1] + bytes([der[-1] ^ 1])))
    assert code == NOT_VALID and "signature" in why
    assert report["signature"] == "invalid"


def test_signer_certificate_taken_out__is_unverifiable_until_it_is_given(tmp_path):
    info = asn1_cms.ContentInfo.load(to_der(VECTORS / VOUCHER))
    info["content"]["certificates"] = None
    path = written(tmp_path, info.dump(force=True))
    code, report, _ = inspect(path)
    assert code == NOT_VALID
    assert report["signature"] == "unverifiable"
    assert report["signer"] is None
    assert inspect(path, "--signer", VECTORS / BOOTSTRAP / "masa.crt")[0] == VALID


def test_nested_request_changed__makes_the_outer_one_not_valid(tmp_path):
    """The inner payload is altered and the outer signed anew, so only the inner one is bad."""
    payload = json.loads(cms.parse(to_der(VECTORS / RVR)).payload)
    leaves = payload["ietf-voucher-request:voucher"]
    inner = base64.b64decode(leaves["prior-signed-voucher-request"])
    inner = changed(inner, b'"proximity"', b'"Proximity"')
    leaves["prior-signed-voucher-request"] = base64.b64encode(inner).decode()
    signer = certs.make_registrar(certs.make_ca("Site"))
    path = written(tmp_path, cms.sign(json.dumps(payload).encode(), signer))
    code, report, why = inspect(path)
    assert code == NOT_VALID and "prior-signed-voucher-request" in why
    assert report["signature"] == "valid"
    assert report["nested"]["signature"] == "invalid"


def test_truncated_anywhere__is_not_readable(tmp_path):
    der = to_der(VECTORS / RVR)
    for length in list(range(0, 60, 7)) + list(range(60, len(der), 211)) + [len(der) - 1]:
        assert inspect(written(tmp_path, der[:length]))[0] == NOT_READABLE


@pytest.mark.req("ENC-ALL-001")
def test_octets_after_the_end_or_indefinite_length__are_not_readable(tmp_path):
    der = to_der(VECTORS / VOUCHER)
    ber = b"\x30\x80" + der[4:] + b"\x00\x00"
    for octets in (der + b"\x00", der + der, ber):
        assert inspect(written(tmp_path, octets))[0] == NOT_READABLE


def test_any_octet_flipped__never_crashes_and_never_passes_what_is_signed(tmp_path):
    der = to_der(VECTORS / VOUCHER)
    start = der.index(b'{"ietf-voucher:voucher"')
    end = der.index(b"}}", start) + 2
    for position in range(0, len(der), 23):
        octets = bytearray(der)
        octets[position] ^= 0x20
        code, _, why = inspect(written(tmp_path, bytes(octets)))
        if start <= position < end or position > len(der) - 60:
            assert code != VALID, (position, why)


def test_text_damaged__is_not_readable(tmp_path):
    text = (VECTORS / VOUCHER).read_bytes()
    body = base64.b64encode(to_der(VECTORS / VOUCHER))
    for octets in (
        text.replace(b"-----END", b"-----ENX"),
        text + b"more",
        text.replace(b"\nM", b"\n%", 1),
        body[:-1],
        body + b"=",
        b"A===",
        b"",
        b" \n",
    ):
        assert inspect(written(tmp_path, octets))[0] == NOT_READABLE


def test_no_such_file_or_wrong_usage__is_exit_two():
    assert inspect("/nonexistent")[0] == NOT_READABLE
    for arguments in ([], ["inspect"], ["show", "x"], ["inspect", "--bogus", "x"]):
        done = subprocess.run([str(PROGRAM), *arguments], capture_output=True, check=False)
        assert done.returncode == NOT_READABLE and done.stderr and not done.stdout
    code, _, why = inspect(VECTORS / VOUCHER, "--at", "tomorrow")
    assert code == NOT_READABLE and "--at" in why
