# SPDX-License-Identifier: Apache-2.0
"""Programs that are not ours as clients, and their verdict on what we sign."""
import base64
import re
import shutil

import pytest
from cryptography import x509

import harness
from brski_peer import forge
from brski_peer.pledge import est_body, make_csr, new_key
from test_est import admitted

req = pytest.mark.req

CMS_TYPE = "application/voucher-cms+json"


def needs(name):
    return pytest.mark.skipif(not shutil.which(name), reason=f"{name} is not installed")


def curl(*args, check=0):
    return harness.run("curl", "--silent", "--show-error", "--max-time", "20", *args, check=check)


@pytest.fixture
def url(site):
    return f"https://127.0.0.1:{site.registrar.port}"


@pytest.fixture
def root(domain):
    return domain.file("root.crt")


# -- curl

@needs("curl")
@req("ET-05", "ECA-01", "ET-03", "R8995-REG-001")
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_curl_fetches_cacerts(url, root, cell, version):
    out, meta = cell / "cacerts.b64", "%{http_code} %{content_type} %{http_version}"
    said = curl(version, "--cacert", root, "-o", out, "-w", meta, url + "/.well-known/est/cacerts").stdout
    assert said.startswith("200 application/pkcs7-mime")
    assert said.endswith("2" if version == "--http2" else "1.1")
    p7 = cell / "cacerts.p7"
    p7.write_bytes(base64.b64decode(out.read_bytes()))
    listed = harness.run("openssl", "pkcs7", "-inform", "DER", "-in", p7, "-print_certs", "-noout", check=0)
    assert listed.stdout.count("subject") == 2


@needs("curl")
@req("R8995-REG-017", "EA-01", "ENC-ALL-016")
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_curl_walks_the_whole_road(site, url, root, cell, version):
    device = site.device()
    identity = device.identity
    registrar = forge.load_certs(site.registrar.certificate)[0]
    (cell / "pvr").write_bytes(forge.sign_request(forge.pvr_fields(identity, forge.der(registrar)), identity))
    (cell / "csr").write_bytes(est_body(make_csr(new_key(), identity.cert.subject)))
    common = [version, "--cacert", root, "--cert", device.certificate, "--key", device.key, "-w",
              "%{http_code}", "-o"]
    brski, est = url + "/.well-known/brski/", url + "/.well-known/est/"
    said = curl(*common, cell / "voucher", "-H", f"Content-Type: {CMS_TYPE}", "--data-binary",
                f"@{cell / 'pvr'}", brski + "requestvoucher").stdout
    assert said == "200", (cell / "voucher").read_bytes()
    said = curl(*common, cell / "none", "-H", "Content-Type: application/json", "--data",
                '{"version":1,"status":true}', brski + "voucher_status").stdout
    assert said == "200"
    said = curl(*common, cell / "cert", "-H", "Content-Type: application/pkcs10", "--data-binary",
                f"@{cell / 'csr'}", est + "simpleenroll").stdout
    assert said == "200", (cell / "cert").read_bytes()
    assert forge.read((cell / "voucher").read_bytes()).fields["serial-number"] == device.serial


@needs("curl")
@req("ET-11", "EA-06")
def test_h2_without_certificate_gets_cacerts_but_no_certificate(url, root, cell):
    said = curl("--http2", "--cacert", root, "-o", cell / "a", "-w", "%{http_code} ",
                url + "/.well-known/est/cacerts", "--next", "--http2", "--cacert", root, "-o", cell / "b",
                "-w", "%{http_code}", "--max-time", "20", "--silent", "-H", "Content-Type: application/pkcs10",
                "--data", "AAAA", url + "/.well-known/est/simpleenroll").stdout
    assert re.fullmatch(r"200 (401|403)", said), said


@needs("curl")
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@req("EE-17", "R8995-REG-014")
def test_refusals_are_the_same_over_both_versions(site, url, root, cell, version):
    device = site.device()
    (cell / "big").write_bytes(b"A" * 1_000_000)
    common = [version, "--cacert", root, "--cert", device.certificate, "--key", device.key, "-o",
              cell / "body", "-w", "%{http_code} %{content_type}"]
    path = url + "/.well-known/brski/requestvoucher"
    assert curl(*common, path).stdout.startswith("405 text/plain")
    assert curl(*common, path + "x").stdout.startswith("404 text/plain")
    assert curl(*common, "-d", "x", path).stdout.startswith("415 text/plain")
    said = curl(*common, "-H", f"Content-Type: {CMS_TYPE}", "--data-binary", f"@{cell / 'big'}", path,
                check=None).stdout
    assert said.startswith("413"), said


# -- nghttp

@needs("nghttp")
@req("ET-11", "ECA-01")
def test_nghttp_fetches_cacerts(url):
    said = harness.run("nghttp", "-v", "--no-verify-peer", url + "/.well-known/est/cacerts", timeout=20)
    assert ":status: 200" in said.stdout, said.stdout + said.stderr
    assert "application/pkcs7-mime" in said.stdout


@needs("nghttp")
def test_nghttp_posts_a_voucher_request(site, url, cell):
    device = site.device()
    registrar = forge.load_certs(site.registrar.certificate)[0]
    body = cell / "pvr"
    body.write_bytes(forge.sign_request(forge.pvr_fields(device.identity, forge.der(registrar)),
                                        device.identity))
    said = harness.run("nghttp", "-v", "-n", "--no-verify-peer", f"--cert={device.certificate}",
                       f"--key={device.key}", "-d", body, "-H", f"content-type: {CMS_TYPE}",
                       url + "/.well-known/brski/requestvoucher", timeout=20)
    assert ":status: 200" in said.stdout, said.stdout + said.stderr


# -- openssl

@req("ET-03", "R8995-REG-004", "R8995-MASA-002")
@pytest.mark.parametrize("daemon, anchor", [("registrar", "domain"), ("masa", "acme")])
def test_s_client_verifies_the_chain_and_the_name(site, request, daemon, anchor):
    ca = request.getfixturevalue(anchor).file("root.crt")
    port = getattr(site, daemon).port
    done = harness.run("sh", "-c", f"openssl s_client -connect 127.0.0.1:{port} -CAfile {ca} "
                       "-verify_return_error -verify_hostname localhost -alpn h2,http/1.1 </dev/null")
    assert "Verify return code: 0 (ok)" in done.stdout, done.stdout + done.stderr
    assert "ALPN protocol: h2" in done.stdout


def openssl_verifies(cell, octets, anchor, cmd=("-purpose", "any")):
    (cell / "signed.der").write_bytes(octets)
    done = harness.run("openssl", "cms", "-verify", "-inform", "DER", "-in", cell / "signed.der", "-binary",
                       "-CAfile", anchor, "-out", cell / "payload.json", *cmd)
    assert done.returncode == 0, done.stderr
    return (cell / "payload.json").read_bytes()


@req("ENC-ALL-001", "ENC-ALL-004", "ENC-ALL-005", "R8995-REG-025", "R8995-MASA-001", "R8995-PLG-019")
def test_openssl_and_python_verify_all_three_messages(fake_site, fake_masa, site, acme, domain, cell):
    """The pledge's request (by the real pledge), the registrar's around it, the MASA's voucher."""
    assert fake_site.pledge(fake_site.device()).join().returncode == 0
    rvr = fake_masa.seen("/requestvoucher")[-1].body
    payload = openssl_verifies(cell, rvr, domain.file("root.crt"))
    assert payload == forge.read(rvr).payload
    pvr = base64.b64decode(forge.read(rvr).fields["prior-signed-voucher-request"])
    assert openssl_verifies(cell, pvr, acme.anchors) == forge.read(pvr).payload
    with site.peer(site.device()) as peer:
        reply = peer.request_voucher()
        assert reply.status == 200, reply.text
    assert openssl_verifies(cell, reply.body, acme.anchors) == forge.read(reply.body).payload


def test_openssl_verifies_an_issued_certificate(site, domain, cell):
    with admitted(site) as pledge:
        certificate, _ = pledge.join()
    (cell / "ldevid.pem").write_bytes(forge.certs.cert_pem(certificate))
    done = harness.run("openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile",
                       domain.file("root.crt"), "-untrusted", domain.file("issuing.crt"), cell / "ldevid.pem")
    assert done.returncode == 0, done.stdout + done.stderr


# -- strongSwan

def pki(*args):
    return harness.run("pki", *args, timeout=30)


def pki_speaks_est():
    if not shutil.which("pki"):
        return "strongswan-pki is not installed"
    said = pki("--help")
    if "--estca" not in said.stdout + said.stderr:
        return "this pki has no EST"
    if "plugin 'curl': failed" in said.stdout + said.stderr:
        return "pki has no HTTPS client (libstrongswan-extra-plugins is not installed)"
    return None


needs_pki_est = pytest.mark.skipif(pki_speaks_est() is not None, reason=str(pki_speaks_est()))


@needs_pki_est
@req("ECA-01", "ECA-04")
def test_strongswan_fetches_cacerts(site, root, cell):
    done = pki("--estca", "--url", f"https://localhost:{site.registrar.port}", "--cacert", root, "--caout",
               cell / "ca", "--outform", "pem")
    assert done.returncode == 0, done.stderr
    assert list(cell.glob("ca*"))


@needs_pki_est
@req("EE-02", "ECA-04", "EE-09", "EE-10")
def test_strongswan_reenrols_a_device_that_joined(site, domain, root, cell):
    """--cert and --key are the LDevID: pki renews it."""
    with admitted(site) as pledge:
        certificate, key = pledge.join()
    identity = forge.save(cell, "ldevid", key, [certificate])
    request = cell / "request.der"
    request.write_bytes(make_csr(new_key(), certificate.subject))
    issuing = domain.file("issuing.crt")
    done = pki("--est", "--url", f"https://localhost:{site.registrar.port}", "--in", request, "--cacert", root,
               "--cacert", issuing, "--cert", identity.cert_path, "--key", identity.key_path, "--outform",
               "pem")
    assert done.returncode == 0, done.stderr
    assert x509.load_pem_x509_certificate(done.stdout.encode()).subject == certificate.subject
