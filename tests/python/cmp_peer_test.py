# SPDX-License-Identifier: Apache-2.0
"""The suite's CMP (AE-REG-001, AE-PLG-001): what it writes it reads, what is wrong it refuses, and the
openssl command takes part on either side."""
import http.client
import http.server
import shutil
import socket
import subprocess
import threading
import time

import pytest
from cryptography.exceptions import InvalidSignature

from brski_peer import certs, cmp, forge

TIMEOUT_S = 30
needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl command")


class Site:
    def __init__(self, folder):
        self.root = certs.make_ca("Root")
        self.ca = certs.make_ca("Issuing", self.root)
        self.device = certs.make_idevid(self.ca, "SN-1")
        self.registrar = certs.make_registrar(self.ca)
        self.folder = folder
        self.device.write(folder, "device")
        self.registrar.write(folder, "registrar")
        self.root.write(folder, "root", with_root=True)
        self.ca.write(folder, "ca")

    def file(self, name):
        return str(self.folder / name)

    def certificate(self, asked):
        subject, public = asked.subject_and_key()
        return certs.make_cert(subject, self.ca, public_key=public).cert

    def answer(self, octets):
        """As a registration authority."""
        asked = cmp.parse(octets)
        asked.verify()
        if asked.kind == "cert_conf":
            return cmp.reply(asked, self.registrar, "pkiconf", cmp.core.Null())
        kind = "cp" if asked.kind == "p10cr" else "ip"
        return cmp.reply(asked, self.registrar, kind, cmp.grant(asked, self.certificate(asked), [self.root.cert]))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return Site(tmp_path_factory.mktemp("cmp"))


@pytest.mark.parametrize("key_type", ["ec-p256", "ec-p384", "rsa-3072"])
@pytest.mark.parametrize("kind,answered", [("ir", "ip"), ("p10cr", "cp")])
def test_a_certificate_is_asked_for_granted_and_confirmed(site, key_type, kind, answered):
    key = certs.new_key(key_type)
    asked = cmp.parse(cmp.request(site.device, key, site.device.cert.subject, kind))
    assert asked.kind == kind and asked.verify() == site.device.cert
    answer = cmp.parse(site.answer(asked.octets))
    assert answer.kind == answered and answer.verify() == site.registrar.cert
    assert answer.recip_nonce == asked.sender_nonce and answer.transaction_id == asked.transaction_id
    assert forge.spki(answer.certificate) == cmp.spki(key) and answer.ca_pubs == [site.root.cert]
    done = cmp.parse(site.answer(cmp.confirmation(site.device, answer, answer.certificate)))
    assert done.kind == "pkiconf" and answer.failure is None


def test_a_refusal_says_why(site):
    asked = cmp.parse(cmp.request(site.device, certs.new_key(), site.device.cert.subject))
    refused = cmp.parse(cmp.reply(asked, site.registrar, "error", cmp.refusal(cmp.NOT_AUTHORIZED)))
    assert refused.failure == (cmp.REJECTION, cmp.NOT_AUTHORIZED) and refused.certificate is None


@pytest.mark.parametrize("how", [{"protector": certs.new_key()}, {"protected": False}, {"chain": None}],
                         ids=["another key", "unprotected", "no certificate"])
def test_a_false_protection_does_not_hold(site, how):
    box = cmp.parse(cmp.request(site.device, certs.new_key(), site.device.cert.subject, **how))
    with pytest.raises(InvalidSignature):
        box.verify()


def test_a_request_for_another_ones_key_does_not_hold(site):
    octets = cmp.request(site.device, certs.new_key(), site.device.cert.subject, pop_key=certs.new_key())
    with pytest.raises(InvalidSignature):
        cmp.parse(octets).subject_and_key()


@pytest.mark.parametrize("octets", [b"", b"\x30\x00", b"\x30\x03\x02\x01\x05", b"{}"])
def test_what_is_no_message_is_refused(octets):
    with pytest.raises(ValueError):
        cmp.parse(octets)


def test_ca_certificates_are_asked_for_and_read(site):
    asked = cmp.parse(cmp.question(site.device, cmp.CA_CERTS))
    chain = [site.ca.cert, site.root.cert]
    info = [{"type": cmp.CA_CERTS, "value": cmp.Certificates([cmp.asn1_cert(c) for c in chain])}]
    assert cmp.parse(cmp.reply(asked, site.registrar, "genp", info)).certificates_of(cmp.CA_CERTS) == chain


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.server.site.answer(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", cmp.MEDIA_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@needs_openssl
@pytest.mark.parametrize("command", ["ir", "p10cr"])
def test_openssl_gets_its_certificate_from_us(site, command):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.site = site
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        key = certs.new_key()
        (site.folder / "new.key").write_bytes(certs.key_pem(key))
        asks = ["-newkey", site.file("new.key"), "-subject", "/serialNumber=SN-1"]
        if command == "p10cr":
            (site.folder / "new.csr").write_bytes(certs.make_csr(key, site.device.cert.subject))
            asks = ["-csr", site.file("new.csr")]
        done = subprocess.run(
            ["openssl", "cmp", "-cmd", command, "-server", f"127.0.0.1:{server.server_port}", "-path",
             "/.well-known/cmp/initialization", "-cert", site.file("device.crt"), "-key",
             site.file("device.key"), *asks, "-trusted", site.file("root.crt"), "-recipient", "/CN=registrar",
             "-untrusted", site.file("ca.crt"), "-certout", site.file("new.crt")],
            capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert done.returncode == 0, done.stderr[-2000:]
    cert = cmp.x509.load_pem_x509_certificate((site.folder / "new.crt").read_bytes())
    assert forge.spki(cert) == cmp.spki(key)


@needs_openssl
def test_we_get_a_certificate_from_openssl(site):
    key = certs.new_key()
    granted = certs.make_cert(site.device.cert.subject, site.ca, key=key)
    granted.write(site.folder, "granted")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        ["openssl", "cmp", "-port", str(port), "-srv_cert", site.file("registrar.crt"), "-srv_key",
         site.file("registrar.key"), "-srv_trusted", site.file("root.crt"), "-srv_untrusted", site.file("ca.crt"),
         "-rsp_cert", site.file("granted.crt")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        answer = post(port, cmp.request(site.device, key, site.device.cert.subject))
        assert answer.failure is None and answer.kind == "ip", answer.failure
        assert answer.verify([site.registrar.cert]) == site.registrar.cert
        assert answer.certificate == granted.cert
    finally:
        server.terminate()
        server.wait(TIMEOUT_S)


def post(port, octets):
    """To a server that may be starting yet."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        try:
            connection.request("POST", "/", octets, {"Content-Type": cmp.MEDIA_TYPE})
            return cmp.parse(connection.getresponse().read())
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "openssl does not listen"
            time.sleep(0.02)
        finally:
            connection.close()
