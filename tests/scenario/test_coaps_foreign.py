# SPDX-License-Identifier: Apache-2.0
"""Constrained peers of other make: OpenSSL's client, and the Python second opinion as a pledge before
our registrar and our MASA, and as a registrar before our pledge."""
import contextlib
import os
import select
import shutil
import subprocess
import time

import pytest
from cryptography import x509

import harness
from brski_peer import certs, coap, constrained, cose, dtls, forge
from brski_peer.certs import new_key
from brski_peer.constrained import FakeRegistrar, certs_of
from places import Device

req = pytest.mark.req

JOINED, FAILED, USAGE, REFUSED, UNREACHABLE, BAD_VOUCHER, STILL_PENDING, NOT_ENROLLED = range(8)
EST, BRSKI = "/.well-known/est/", "/.well-known/brski/"


@pytest.fixture(scope="module")
def site(coaps_site):
    return coaps_site


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"no {program}")


# -- OpenSSL

class SClient:
    """openssl s_client as a pipe: what goes in is one record, what comes out is one."""

    def __init__(self, site, device, *more):
        issuer = site.manufacturer.file("issuing.crt")
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-dtls1_2", "-connect", f"127.0.0.1:{site.registrar.coaps_port}",
             "-cert", device.certificate, "-key", device.key, "-cert_chain", issuer, "-quiet",
             "-nocommands", *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def exchange(self, message):
        """Until the handshake is done the record waits in the pipe."""
        self.process.stdin.write(message.encode())
        self.process.stdin.flush()
        assert select.select([self.process.stdout], [], [], 10)[0], "silence"
        return coap.Message.decode(os.read(self.process.stdout.fileno(), 20000))


@needs("openssl")
@req("B-12", "C-23", "D-03", "D-07")
@pytest.mark.parametrize("fragment, most", [("512", 256), ("1024", 512)])
def test_blocks_fit_the_negotiated_fragments(site, fragment, most):
    get = coap.Message(coap.CON, coap.GET, 7, b"tk", coap.path_options(EST + "crts")
                       + [(coap.ACCEPT, coap.uint(constrained.PKCS7_CERTS))])
    with SClient(site, site.device(), "-cipher", dtls.CCM8, "-maxfraglen", fragment) as s:
        answer = s.exchange(get)
        num, more, szx = answer.block(coap.BLOCK2)
        assert (answer.said, num, more, 16 << szx, len(answer.payload)) == ("2.05", 0, True, most, most)


@needs("openssl")
@req("C-23")
def test_p256_and_ccm8_are_spoken(site):
    with SClient(site, site.device(), "-cipher", dtls.CCM8, "-groups", "P-256") as s:
        answer = s.exchange(coap.Message(coap.CON, coap.GET, 9, b"x", coap.path_options("/nothing")))
        assert answer.said == "4.04"


# -- the Python pledge

def of_kind(site, cell, kind):
    """brski-certs makes no IDevID whose key could not sign a CMS that all can read; others do."""
    if kind != "ed25519":
        return site.device(key_type=kind)
    device = site.device()
    made = forge.idevid(cell, device.serial, site.masa_url, site.manufacturer, key_type=kind)
    device.key, device.certificate = made.key_path, made.cert_path
    return device


@req("C-08", "C-11", "C-29", "C-30", "C-31", "D-13", "N-05", "R-01", "R-10", "R-11", "R-17", "R-19",
     "R-20", "R-23", "O-01", "O-02")
@pytest.mark.parametrize("kind, how", [
    ("ec-p256", {}), ("ec-p256", {"abbreviated": True}), ("ec-p256", {"roots": ("/b/", "/e/")}),
    ("ec-p256", {"max_fragment": 512}), ("ec-p256", {"ciphers": dtls.CCM8, "max_fragment": 1024}),
    ("ec-p384", {}), ("ed25519", {})], ids=["long", "abbreviated", "short", "512", "ccm8", "p384", "ed25519"])
def test_the_python_pledge_joins(site, cell, kind, how):
    device = of_kind(site, cell, kind)
    with site.constrained_peer(device, **how) as peer:
        reply = peer.request_voucher()
        assert (reply.said, reply.content_format) == ("2.04", constrained.VOUCHER), str(reply)
        box = cose.parse(reply.payload).verify(forge.load_certs(
            site.manufacturer.file("masa/masa-signer.crt"))[0])
        assert box.tagged and not set(box.unprotected) & {cose.X5BAG, cose.X5CHAIN}
        assert box.fields["serial-number"] == device.serial and box.fields["nonce"] == peer.nonce
        pin = forge.parse(box.fields["pinned-domain-cert"])
        assert peer.voucher_status().said == "2.04"
        chain = certs_of(peer.crts())
        assert pin in chain
        reply, key = peer.enroll()
        assert (reply.said, reply.content_format) == ("2.04", constrained.PKIX_CERT), str(reply)
        ldevid, = certs_of(reply)
        assert ldevid.issuer == chain[0].subject
    owner = forge.save(cell, "ldevid", key, [ldevid, chain[0]])
    with site.constrained_peer(owner, **how) as peer:
        assert peer.enrollstatus().said == "2.04"
        renewed, = certs_of(peer.post_csr(peer.csr(new_key()), "sren"))
        assert renewed.subject == ldevid.subject


@req("Y-02", "Y-10", "O-05", "O-13")
@pytest.mark.parametrize("how", [
    {"keys": "names"}, {"keys": "absolute"}, {"keys": "mixed"},
    {"proximity": "proximity-registrar-cert"}, {"proximity": "proximity-registrar-pubk-sha256"},
    {"how": {"unprotected": {cose.KID: b"me"}}}, {"how": {"tag": False}},
    {"how": {"unprotected": {cose.CWT_CLAIMS: {6: 1700000000}}}},
    {"how": {"unprotected": {cose.X5BAG: b"\x30\x03\x02\x01\x01"}}},
    {"created_on": "2026-01-01T00:00:00Z"}], ids=str)
def test_requests_in_any_form(site, how):
    device = site.device()
    with site.constrained_peer(device) as peer:
        reply = peer.request_voucher(peer.pvr(**how))
        assert reply.said == "2.04", str(reply)
        assert cose.parse(reply.payload).fields["nonce"] == peer.nonce


# -- the Python registrar; what else it does wrong stands in test_coaps_pledge.py

@pytest.fixture
def registrar(domain, acme):
    identity = forge.load(domain.registrar_dir / "registrar.key",
                          domain.registrar_dir / "registrar.crt")
    with FakeRegistrar(identity, domain.directory, acme.directory) as server:
        yield server


@pytest.fixture
def device(acme):
    return Device(acme, "masa.example")


def joins(cell, device, registrar, expect=(JOINED,), changes=None):
    pledge = harness.Pledge(cell / "pledge", device.key, device.certificate,
                            device.manufacturer.file("masa/masa-signer.crt"),
                            [f"coaps://127.0.0.1:{registrar.port}"], changes)
    done = pledge.join()
    assert done.returncode in expect, f"exit {done.returncode}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("szx", [0, 2])
@req("B-03", "C-15")
def test_small_blocks_are_followed(cell, device, registrar, szx):
    registrar.szx = szx
    joins(cell, device, registrar, changes={"coaps": {"proximity": "certificate", "mtu": 512}})
    for number in (coap.BLOCK1, coap.BLOCK2):
        used = [m.block(number) for m in registrar.messages if m.block(number)]
        assert any(num > 1 and s == szx for num, _more, s in used), (number, used)


@req("B-06")
def test_a_body_that_changes_under_way_is_not_put_together(cell, device, registrar):
    registrar.szx = 3

    def changing(request):
        answer = registrar.voucher(request)
        answer.etag = "changing"
        return answer

    registrar.on["rv"] = changing
    joins(cell, device, registrar, expect=(FAILED, UNREACHABLE, BAD_VOUCHER),
          changes={"retry": {"timeout": "3s"}, "coaps": {"deadline": "3s"}})
    assert "sen" not in registrar.steps()


@req("R-24")
def test_a_registrar_without_abbreviated_paths(cell, device, registrar):
    registrar.long_paths = True
    joins(cell, device, registrar)


@req("O-02", "O-14", "O-15", "O-16")
@pytest.mark.parametrize("how", [
    {"alg": None}, {"alg": -47}, {"alg": cose.ES384}, {"detached": True}, {"context": "Signature"},
    {"external": b"x"}, {"protected": {cose.CRIT: [77], 77: 1}},
    {"protected_octets": b"\xa2\x01\x26\x01\x26"}], ids=str)
def test_containers_that_are_wrong_are_refused(cell, device, registrar, how):
    registrar.cose = how
    joins(cell, device, registrar, expect=(BAD_VOUCHER,))
    assert registrar.steps() == ["rv", "vs"]
    assert [r["status"] for r in registrar.reports("vs")] == [False]
