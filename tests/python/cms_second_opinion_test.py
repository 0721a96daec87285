# SPDX-License-Identifier: Apache-2.0
"""Two implementations hold each other's signed objects against the light.

What our libraries write (through build/tools/emit) is taken apart by asn1crypto, verified by
python3-cryptography and by the openssl command; what Python writes, in every right and wrong way,
goes to brski-voucher. Neither side shares code with the other.
"""

import datetime
import os
import pathlib
import subprocess

import pytest
from asn1crypto import cms as asn1_cms
from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7
from cryptography.x509.oid import NameOID

from brski_peer import certs, cms, voucher

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = REPOSITORY / os.environ.get("BUILD", "build")
INSPECT = BUILD / "brski-voucher"
EMIT = BUILD / "tools" / "emit"
PAYLOAD = b'{"ietf-voucher:voucher":{"serial-number":"SN-1"}}'
SN1 = "SN-1"


def run(*command, stdin=b""):
    return subprocess.run(
        [str(part) for part in command], input=stdin, capture_output=True, timeout=30, check=False
    )


def emit(*arguments, stdin=b""):
    if not EMIT.exists():
        pytest.skip("build/tools/emit is not built (make check builds it)")
    done = run(EMIT, *arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def make_chain(key_type):
    """(root, signer below an issuing CA)"""
    root = certs.make_ca("Maker Root", key_type=key_type)
    issuing = certs.make_ca("Maker Issuing", root, key_type=key_type)
    return root, certs.make_masa_signer(issuing, key_type=key_type)


@pytest.fixture(scope="module")
def chain():
    return make_chain("ec-p256")


@pytest.fixture(scope="module")
def rsa_chain():
    return make_chain("rsa-2048")


# -- ours, read by others


@pytest.mark.parametrize("key_type", certs.KEY_TYPES)
@pytest.mark.req("ENC-ALL-001", "ENC-ALL-002", "ENC-ALL-003", "ENC-ALL-004", "ENC-ALL-005")
def test_our_cms__is_what_the_standards_ask_for(tmp_path, key_type):
    root, signer = make_chain(key_type)
    key, cert = signer.write(tmp_path, "masa")
    der = emit("cms", key, cert, stdin=PAYLOAD)
    box = cms.parse(der)
    assert box.verify() == signer.cert
    assert box.payload == PAYLOAD
    assert (box.content_type, box.version) == (cms.JSON_VOUCHER, "v3")
    assert sorted(map(certs.cert_der, box.certs)) == sorted(map(certs.cert_der, signer.chain()))
    info = box.infos[0]
    assert info["version"].native == "v1"
    assert info["sid"].name == "issuer_and_serial_number"
    assert info["digest_algorithm"]["algorithm"].native == cms.usual_digest(signer.key)
    attributes = box.attributes()
    assert set(attributes) == {"content_type", "message_digest", "signing_time"}
    age = datetime.datetime.now(datetime.timezone.utc) - attributes["signing_time"][0].native
    assert abs(age) < datetime.timedelta(minutes=1)
    assert asn1_cms.ContentInfo.load(der).dump(force=True) == der  # asn1crypto sorts sets: DER


@pytest.mark.parametrize("key_type", ["ec-p256", "ec-p384", "rsa-3072"])
def test_our_cms__is_verified_by_the_openssl_command(tmp_path, key_type):
    root, signer = make_chain(key_type)
    key, cert = signer.write(tmp_path, "masa")
    (tmp_path / "cms").write_bytes(emit("cms", key, cert, stdin=PAYLOAD))
    (tmp_path / "root").write_bytes(certs.cert_pem(root.cert))
    command = ["openssl", "cms", "-verify", "-inform", "DER", "-binary", "-purpose", "any"]
    command += ["-in", tmp_path / "cms", "-CAfile", tmp_path / "root"]
    done = run(*command)
    assert done.returncode == 0, done.stderr
    assert done.stdout == PAYLOAD
    stranger = certs.make_ca("Maker Root", key_type=key_type)
    (tmp_path / "root").write_bytes(certs.cert_pem(stranger.cert))
    assert run(*command).returncode != 0


@pytest.mark.parametrize("key_type", certs.KEY_TYPES)
@pytest.mark.req("EE-07", "ER-04")
def test_our_csr__is_read_by_python_and_openssl(tmp_path, key_type):
    key = certs.new_key(key_type)
    (tmp_path / "key").write_bytes(certs.key_pem(key))
    subject = certs.name("device", SN1)
    der = emit("csr", tmp_path / "key", "challengePassword", stdin=subject.public_bytes())
    csr = x509.load_der_x509_csr(der)
    assert csr.is_signature_valid
    assert csr.subject == subject
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert csr.public_key().public_bytes(*form) == key.public_key().public_bytes(*form)
    password = csr.attributes.get_attribute_for_oid(x509.oid.AttributeOID.CHALLENGE_PASSWORD)
    assert password.value == b"dGVzdCBiaW5kaW5n"
    done = run("openssl", "req", "-inform", "DER", "-verify", "-noout", stdin=der)
    assert done.returncode == 0, done.stderr


@pytest.mark.req("ECA-02")
def test_our_certs_only_cms__is_read_by_python_and_openssl(tmp_path, chain):
    root, signer = chain
    (tmp_path / "certs").write_bytes(signer.chain_pem(with_root=True))
    der = emit("certs", tmp_path / "certs")
    assert set(pkcs7.load_der_pkcs7_certificates(der)) == set(signer.chain(with_root=True))
    done = run("openssl", "pkcs7", "-inform", "DER", "-print_certs", "-noout", stdin=der)
    assert done.returncode == 0, done.stderr
    box = cms.parse(der)
    assert (box.infos, box.payload, box.content_type) == ([], None, cms.ID_DATA)


# -- theirs, read by us: certification requests


def read_csr(der):
    done = run(EMIT, "read-csr", stdin=der)
    return done.returncode == 0, (done.stdout or done.stderr).decode()


@pytest.mark.parametrize("key_type", certs.KEY_TYPES + ("ec-p521", "rsa-2048"))
@pytest.mark.req("EE-03", "EE-04")
def test_csr_of_python__proves_itself(key_type):
    if not EMIT.exists():
        pytest.skip("build/tools/emit is not built")
    der = certs.make_csr(
        certs.new_key(key_type), certs.name("x", SN1), "DNS:a", challenge_password="c2VjcmV0"
    )
    assert read_csr(der) == (True, "c2VjcmV0")
    flipped = der[:-1] + bytes([der[-1] ^ 1])
    good, why = read_csr(flipped)
    assert not good and why.startswith("emit read-csr: input: ")


def bad_csrs():
    key = certs.new_key()
    good = certs.make_csr(key, certs.name("x"))
    ca = certs.make_ca("self-signed", key=key)
    return {
        "self-signed certificate": ca.der,
        "octet after the end": good + b"\n",
        "PEM": x509.load_der_x509_csr(good).public_bytes(Encoding.PEM),
        "weak RSA key": certs.make_csr(certs.new_key("rsa-1024"), certs.name("x")),
        "curve": certs.make_csr(certs.new_key("ec-secp256k1"), certs.name("x")),
        "SHA-1": certs.make_csr(key, certs.name("x"), signature_hash=hashes.SHA1()),
        "empty": b"",
        "two serial numbers": certs.make_csr(
            key, certs.name("x", SN1, extra=[x509.NameAttribute(NameOID.SERIAL_NUMBER, "2")])
        ),
    }


@pytest.mark.req("EE-03", "EE-16")
def test_bad_csrs__are_refused():
    if not EMIT.exists():
        pytest.skip("build/tools/emit is not built")
    for what, der in bad_csrs().items():
        good, why = read_csr(der)
        assert not good, what
        assert why.startswith("emit read-csr: input: "), (what, why)


# -- theirs, read by us: containers


def inspect(tmp_path, der, *options):
    path = tmp_path / "message"
    path.write_bytes(der)
    done = run(INSPECT, "inspect", *options, path)
    return done.returncode, done.stderr.decode()


def crl_of(identity):
    now = datetime.datetime.utcnow()
    builder = x509.CertificateRevocationListBuilder().issuer_name(identity.cert.subject)
    builder = builder.last_update(now).next_update(now + datetime.timedelta(days=1))
    return builder.sign(identity.key, hashes.SHA256()).public_bytes(Encoding.DER)


def attributes(signer, digest="sha256", content_type=cms.JSON_VOUCHER, **more):
    return cms.usual_attributes(PAYLOAD, content_type, digest, **more)


UNKNOWN = "2.999.1"

GOOD = {
    "as ours": lambda s: {},
    "id-data version 1": lambda s: {"content_type": cms.ID_DATA},
    "id-data without attributes": lambda s: {"content_type": cms.ID_DATA, "attrs": None},
    "subject key identifier": lambda s: {"sid": "ski"},
    "id-ecPublicKey as algorithm": lambda s: {"signature_style": "key-oid"},
    "SHA-384": lambda s: {"digest": "sha384"},
    "SHA-512": lambda s: {"digest": "sha512"},
    "no signing time": lambda s: {"signing_time": None},
    "unsigned attribute": lambda s: {"unsigned_attrs": [cms.attribute(UNKNOWN, core.Null())]},
    "unknown signed attribute": lambda s: {
        "attrs": attributes(s) + [cms.attribute(UNKNOWN, core.Integer(7))]
    },
    "revocation list": lambda s: {"crls": [crl_of(s)]},
    "the root as well": lambda s: {"certs": s.chain(with_root=True)},
    "version 1": lambda s: {"version": "v1"},
    "version 5": lambda s: {"version": "v5"},
}


@pytest.mark.parametrize("what", GOOD)
@pytest.mark.req("ENC-ALL-002", "ENC-ALL-006", "ENC-ALL-028")
def test_containers_peers_send__are_valid(tmp_path, chain, what):
    signer = chain[1]
    code, why = inspect(tmp_path, cms.sign(PAYLOAD, signer, **GOOD[what](signer)))
    assert code == 0, why


@pytest.mark.parametrize("style", ["usual", "with-hash", "pss"])
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.req("ENC-ALL-025")
def test_rsa_in_every_spelling__is_valid(tmp_path, rsa_chain, style, digest):
    der = cms.sign(PAYLOAD, rsa_chain[1], signature_style=style, digest=digest)
    code, why = inspect(tmp_path, der)
    assert code == 0, why


BAD = {
    "no attributes": lambda s: {"attrs": None},
    "content-type attribute differs": lambda s: {"attrs": attributes(s, content_type=cms.ID_DATA)},
    "no content-type attribute": lambda s: {"attrs": attributes(s)[1:]},
    "no message-digest attribute": lambda s: {"attrs": attributes(s)[:1]},
    "digest of something else": lambda s: {
        "attrs": cms.usual_attributes(PAYLOAD + b" ", cms.JSON_VOUCHER, "sha256")
    },
    "attribute twice": lambda s: {"attrs": attributes(s) + attributes(s)[:1]},
    "attribute with two values": lambda s: {
        "attrs": [cms.attribute("content_type", cms.JSON_VOUCHER, cms.JSON_VOUCHER)]
        + attributes(s)[1:]
    },
    "SHA-1": lambda s: {"digest": "sha1"},
    "SHA-224": lambda s: {"digest": "sha224"},
    "signed over something else": lambda s: {"sign_over": b"something else"},
    "nobody signed": lambda s: {"infos": []},
    "two signers": lambda s: {"infos": [cms.signer_info(PAYLOAD, s)] * 2},
    "no certificates": lambda s: {"certs": None},
    "only the issuer": lambda s: {"certs": s.issuers[:1]},
    "nine certificates": lambda s: {"certs": [certs.make_ca(str(i)).cert for i in range(8)]
                                    + [s.cert]},
    "detached": lambda s: {"detached": True},
    "unknown type": lambda s: {"content_type": UNKNOWN},
    "XML voucher": lambda s: {"content_type": "1.2.840.113549.1.9.16.1.41"},
    "version 0": lambda s: {"version": "v0"},
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.req("ENC-ALL-001", "ENC-ALL-003", "ENC-ALL-004")
def test_containers_done_wrong__are_refused(tmp_path, chain, what):
    signer = chain[1]
    code, why = inspect(tmp_path, cms.sign(PAYLOAD, signer, **BAD[what](signer)))
    assert code != 0
    assert why.startswith("brski-voucher: ")


def test_container_of_another_signer_with_the_same_name__is_refused(tmp_path, chain):
    """The certificate named is in the set, but its key made nothing of this."""
    _, signer = chain
    liar = certs.Identity(certs.new_key(), signer.cert, signer.issuers)
    assert inspect(tmp_path, cms.sign(PAYLOAD, liar))[0] == 1


@pytest.mark.req("ENC-ALL-001")
def test_octets_around_the_container__are_refused(tmp_path, chain):
    der = cms.sign(PAYLOAD, chain[1])
    for wrong in (der + b"\0", b"\0" + der, cms.to_ber(der), der[:-1]):
        assert inspect(tmp_path, wrong)[0] == 2


@pytest.mark.req("ENC-ALL-027")
def test_chain_of_a_stranger__does_not_become_an_anchor(tmp_path, chain):
    root, _ = chain
    _, stranger = make_chain("ec-p256")
    anchor = tmp_path / "anchor"
    anchor.write_bytes(certs.cert_pem(root.cert))
    der = cms.sign(PAYLOAD, stranger, certs=stranger.chain(with_root=True))
    code, why = inspect(tmp_path, der, "--anchor", anchor)
    assert code == 1 and "chain" in why
