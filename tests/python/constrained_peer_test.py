# SPDX-License-Identifier: Apache-2.0
"""The second opinion about CoAP, DTLS and COSE, itself held against others: the published vectors
of cBRSKI, and the example programs of libcoap."""
import contextlib
import os
import pathlib
import shutil
import subprocess

import cbor2
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from brski_peer import certs, coap, coap_server, cose, dtls, forge
from brski_peer.ports import free_port

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
VECTORS = pathlib.Path(os.environ.get("BRSKI_VECTORS", REPOSITORY.parent / "shared" / "vectors"))
EXAMPLES = VECTORS / "constrained-voucher/examples"
have_vectors = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="no folder of published vectors")


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"no {program}")


def octets(name):
    return bytes.fromhex((EXAMPLES / name).read_text())


def certificate(name):
    return x509.load_pem_x509_certificate((EXAMPLES / "cose-examples" / name).read_bytes())


# -- COSE

@have_vectors
@pytest.mark.parametrize("message, signer, container", [
    ("pvr", "pledge", "request"), ("rvr", "registrar", "request"), ("voucher", "masa_ca", "voucher")])
def test_published_messages_are_read_and_written_alike(message, signer, container):
    published = octets(f"cose-examples/{message}.hex")
    box = cose.parse(published).verify(certificate(f"{signer}.pem"))
    assert box.tagged and box.alg == cose.ES256 and box.container == container
    assert box.fields["serial-number"] == "JADA123456789"
    assert cose.encode(container, box.fields) == box.payload
    with pytest.raises(InvalidSignature):
        cose.parse(published[:-1] + bytes([published[-1] ^ 1])).verify(certificate(f"{signer}.pem"))


@have_vectors
def test_the_stripped_voucher_is_the_published_one():
    unstripped = octets("script-cose-examples/cose-hex/voucher.hex")
    assert cose.stripped(unstripped) == octets("cose-examples/voucher.hex")


@pytest.mark.parametrize("kind", ["ec-p256", "ec-p384", "ed25519"])
@pytest.mark.parametrize("keys", ["delta", "names", "absolute", "mixed"])
def test_what_is_signed_is_read_again(kind, keys):
    key = certs.new_key(kind)
    fields = {"assertion": "proximity", "nonce": b"12345678", "serial-number": "SN"}
    box = cose.parse(cose.sign_request(fields, key, keys)).verify(key.public_key())
    assert box.fields == fields


# -- CoAP: vectors of the drafts

def test_messages_of_the_draft():
    report = bytes.fromhex("a26776657273696f6e0166737461747573f5")
    long = bytes.fromhex("4102ab0f4dbb2e77656c6c2d6b6e6f776e056272736b69026573113cff") + report
    short = bytes.fromhex("4102ab0f4dc13c120191ff") + report
    for wire, options in ((long, coap.path_options("/.well-known/brski/es")),
                          (short, [(coap.ABBREV, coap.uint(401))])):
        message = coap.Message.decode(wire)
        assert (message.type, message.code, message.id, message.token) == (0, 2, 0xAB0F, b"\x4d")
        assert message.payload == report and message.content_format == 60
        assert set(options) < set(message.options)
        assert message.encode() == wire


@pytest.mark.parametrize("wire", ["", "40", "80010001", "4901000100", "40010001ff", "40010001f0",
                                  "400100010f", "40010001d0", "4001000112"])
def test_what_is_no_message(wire):
    with pytest.raises(coap.Malformed):
        coap.Message.decode(bytes.fromhex(wire))


# -- CoAP: libcoap

class FileIdentity:
    def __init__(self, identity, directory, name):
        self.key_path, self.cert_path = identity.write(directory, name, with_root=True)


@pytest.fixture(scope="module")
def identities(tmp_path_factory):
    directory, ca = tmp_path_factory.mktemp("coap-identities"), certs.make_ca("Peer CA")
    return (FileIdentity(certs.make_registrar(ca), directory, "server"),
            FileIdentity(certs.make_idevid(ca, "SN-1"), directory, "client"))


@contextlib.contextmanager
def stock_server(identity, directory):
    """libcoap's example server; its DTLS port is the given one + 1."""
    both, port = directory / "both.pem", free_port()
    both.write_bytes(b"".join(open(p, "rb").read() for p in (identity.key_path, identity.cert_path)))
    server = subprocess.Popen(["coap-server-openssl", "-A", "127.0.0.1", "-p", str(port), "-c", both,
                               "-n"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield port + 1
    finally:
        server.terminate()
        server.wait(10)


@needs("coap-server-openssl")
def test_our_client_and_a_stock_server(identities, tmp_path):
    server, client = identities
    with stock_server(server, tmp_path) as port:
        with contextlib.ExitStack() as stack:
            for attempt in range(50):
                with contextlib.suppress(coap.Silence):
                    c = stack.enter_context(coap.Client(port, client, timeout=0.5, max_fragment=512))
                    break
            assert c.link.cipher == dtls.CCM8 and c.link.max_fragment == 512
            assert c.request(coap.PUT, "/example_data", b"x" * 3000, 0, szx=4).said == "2.01"
            reply = c.get("/example_data", szx2=4)
            assert (reply.said, reply.payload) == ("2.05", b"x" * 3000)
            assert c.get("/nothing").said == "4.04"


class Echo(coap_server.Server):
    def handle(self, request):
        if request.method == "POST":
            return coap_server.Answer("2.04", request.body, 60)
        return coap_server.Answer("2.05", b"y" * 3000, 60)


@needs("coap-client-openssl")
def test_a_stock_client_and_our_server(identities):
    server, client = identities
    with Echo(forge.load(server.key_path, server.cert_path), szx=3) as s:
        done = subprocess.run(["coap-client-openssl", "-B", "5", "-n", "-c", client.cert_path, "-j",
                               client.key_path, "-m", "get", f"coaps://127.0.0.1:{s.port}/big"],
                              capture_output=True, timeout=20, check=True)
        assert done.stdout.strip() == b"y" * 3000
        assert s.requests[0].link.peer_der


def test_our_client_and_our_server(identities):
    """Both block options in one exchange, with the server's smaller blocks."""
    server, client = identities
    with Echo(forge.load(server.key_path, server.cert_path), szx=2) as s:
        with coap.Client(s.port, client) as c:
            reply = c.post("/echo", bytes(range(256)) * 9, 60, szx=5)
            assert reply.payload == bytes(range(256)) * 9
            assert cbor2.loads(cose.status_report()) == {"version": 1, "status": True}
