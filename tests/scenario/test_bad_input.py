# SPDX-License-Identifier: Apache-2.0
"""Garbage, truncations, depth and size at every door: the right status, a sentence for the peer, the
reason in the log, and the daemon still serving. Many of these ended other implementations.
"""
import base64
import json
import random
import socket
import ssl

import pytest

import harness
from brski_peer import certs, cms, forge, voucher
from brski_peer.pledge import BRSKI, CMS_TYPE, est_body
from brski_peer.server import Answer
from brski_peer.wire import Closed, client_context
from test_est import admitted
from test_registrar import assert_refused

req = pytest.mark.req


@pytest.fixture(autouse=True)
def still_serving(request, site):
    """After every test: the same processes, still answering."""
    pids = site.registrar.popen.pid, site.masa.popen.pid
    yield
    assert site.registrar.alive() and site.masa.alive()
    assert (site.registrar.popen.pid, site.masa.popen.pid) == pids
    with site.peer(None) as nobody:
        assert nobody.cacerts().status == 200


der, nested = forge.tlv, forge.nested


def bomb(certificate, count):
    """A SignedData with `count` certificates."""
    box = cms.cms.ContentInfo.load(cms.sign(b"{}", certificate))
    choice = box["content"]["certificates"][0]
    box["content"]["certificates"] = [choice] * count
    return box.dump(force=True)


CONTAINERS = {
    "empty": b"",
    "one octet": b"\x30",
    "null": b"\x05\x00",
    "text": b"hello",
    "indefinite length": b"\x30\x80" + b"\x00" * 20,
    "length of 4 GB": b"\x30\x84\xff\xff\xff\xff" + b"\x00" * 20,
    "length of 2^63": b"\x30\x88\x7f" + b"\xff" * 7 + b"\x00" * 20,
    "length in nine octets": b"\x30\x89" + b"\x01" * 9,
    "100 levels": nested(100),
    "4000 levels": nested(4000),
    "ContentInfo of data": der(0x30, bytes.fromhex("06092a864886f70d010701")),
    "SignedData with nothing in it": der(0x30, bytes.fromhex("06092a864886f70d010702"), der(0xA0, der(0x30))),
    "zeros": b"\x00" * 1000,
    "ones": b"\xff" * 1000,
    "high tag": b"\x3f\xff\xff\xff\x7f\x00",
}


@req("ENC-ALL-001", "R8995-REG-012")
@pytest.mark.parametrize("name", CONTAINERS)
def test_body_that_is_no_signed_message_is_400_at_the_registrar(site, name):
    with site.peer(site.device(known=False)) as pledge:
        since = site.registrar.log_size()
        assert_refused(pledge.request_voucher(CONTAINERS[name]), 400)
        line = site.registrar.wait_log(pledge.exchange, since)
        assert "status=400" in line or "kind=input" in line or "input" in line


@req("ENC-ALL-001")
def test_every_truncation_of_a_request_is_400_or_403(site):
    with site.peer(site.device(known=False)) as pledge:
        pvr = pledge.pvr()
        for length in range(1, len(pvr), max(1, len(pvr) // 60)):
            reply = pledge.request_voucher(pvr[:length])
            assert reply.status in (400, 403), (length, reply.status)
            assert reply.media_type == "text/plain"


@req("ENC-ALL-001", "R8995-REG-011")
def test_no_flipped_octet_gets_through(site):
    random.seed(8995)
    with site.peer(site.device()) as pledge:
        pvr = pledge.pvr()
        for _ in range(60):
            at = random.randrange(len(pvr))
            broken = pvr[:at] + bytes([pvr[at] ^ (1 << random.randrange(8))]) + pvr[at + 1:]
            reply = pledge.request_voucher(broken)
            if reply.status == 401:
                pytest.fail(f"octet {at}: proximity is judged before the signature")
            # a bit of the embedded certificates is not covered by the signature
            assert reply.status in (400, 403, 413) or reply.status == 200, (at, reply.status)
            if reply.status == 200:
                assert forge.cms.parse(broken).payload == forge.cms.parse(pvr).payload


@req("ENC-ALL-001")
def test_bomb_of_certificates_is_refused(site):
    with site.peer(site.device(known=False)) as pledge:
        reply = pledge.request_voucher(bomb(pledge.identity, 40))
        assert_refused(reply, (400, 413))


PAYLOADS = {
    "nothing": b"", "no JSON": b"{", "array": b"[]", "null": b"null", "number": b"1", "string": b'"x"',
    "empty object": b"{}",
    "empty request": b'{"ietf-voucher-request:voucher":{}}',
    "empty voucher": b'{"ietf-voucher:voucher":{}}',
    "null request": b'{"ietf-voucher-request:voucher":null}',
    "no prefix": b'{"voucher":{"serial-number":"x"}}',
    "two members": b'{"ietf-voucher-request:voucher":{"serial-number":"x"},"b":1}',
    "duplicate member": b'{"ietf-voucher-request:voucher":{"serial-number":"x","serial-number":"x"}}',
    "serial a number": b'{"ietf-voucher-request:voucher":{"serial-number":5}}',
    "serial an object": b'{"ietf-voucher-request:voucher":{"serial-number":{}}}',
    "5000 arrays": b'{"ietf-voucher-request:voucher":{"a":' + b"[" * 5000 + b"]" * 5000 + b"}}",
    "5000 objects": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "text after it": b'{"ietf-voucher-request:voucher":{"serial-number":"x"}}x',
    "bad UTF-8": b'{"ietf-voucher-request:voucher":{"serial-number":"\xff\xfe"}}',
    "NUL": b'{"ietf-voucher-request:voucher":{"serial-number":"a\\u0000b"}}',
    "raw control character": b'{"ietf-voucher-request:voucher":{"serial-number":"a\nb"}}',
    "lone surrogate": b'{"ietf-voucher-request:voucher":{"serial-number":"\\ud800"}}',
    "big number": b'{"ietf-voucher-request:voucher":{"serial-number":"x","y":1e999}}',
    "UTF-16": '{"ietf-voucher-request:voucher":{"serial-number":"x"}}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + b'{"ietf-voucher-request:voucher":{"serial-number":"x"}}',
}


@req("ENC-ALL-007", "ENC-ALL-008", "R8995-REG-012")
@pytest.mark.parametrize("name", PAYLOADS)
def test_signed_payload_that_is_no_request_is_400(site, name):
    with site.peer(site.device(known=False)) as pledge:
        assert_refused(pledge.request_voucher(cms.sign(PAYLOADS[name], pledge.identity)), 400)


LEAVES = {
    "nonce not base64": {"nonce": "!!!!"}, "nonce a number": {"nonce": 7},
    "certificate not base64": {"proximity_registrar_cert": "%%%"},
    "certificate in PEM": {"proximity_registrar_cert": "-----BEGIN CERTIFICATE-----"},
    "certificate with line breaks": {"proximity_registrar_cert": "MIIB\nMIIB"},
    "certificate A===": {"proximity_registrar_cert": "A==="},
    "created without zone": {"created_on": "2026-01-01T00:00:00"},
    "created on the 31st of February": {"created_on": "2026-02-31T00:00:00Z"},
    "created a number": {"created_on": 1},
    "assertion a number": {"assertion": 2},
    "no serial": {"serial_number": None},
    "serial of 100 kB": {"serial_number": "x" * 20_000},
}


@req("ENC-ALL-008", "ENC-ALL-009", "ENC-ALL-010", "ENC-ALL-011", "ENC-ALL-012")
@pytest.mark.parametrize("name", LEAVES)
def test_leaf_with_a_bad_value_is_400(site, name):
    with site.peer(site.device(known=False)) as pledge:
        assert_refused(pledge.request_voucher(pledge.pvr(**LEAVES[name])), (400, 413))


@req("ENC-ALL-009")
@pytest.mark.parametrize("octets", [b"", b"\x30", b"\x30\x03\x02\x01\x01", b"\x30\x80\x00\x00",
                                    "with octets after it", "the PEM"])
def test_proximity_certificate_that_is_none_is_refused(site, octets):
    with site.peer(site.device(known=False)) as pledge:
        shown = pledge.registrar_der
        octets = {"with octets after it": shown + b"\0",
                  "the PEM": certs.cert_pem(forge.parse(shown))}.get(octets, octets)
        reply = pledge.request_voucher(pledge.pvr(proximity_registrar_cert=forge.b64(octets)))
        assert_refused(reply, (400, 401))


@req("ENC-ALL-028")
def test_crl_inside_a_request_does_no_harm(site):
    """A CRL of the issuer, as RFC 5652 allows."""
    import datetime
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    ca = certs.make_ca("Somebody")
    now = datetime.datetime.utcnow()
    crl = (x509.CertificateRevocationListBuilder().issuer_name(ca.cert.subject).last_update(now)
           .next_update(now + datetime.timedelta(days=1)).sign(ca.key, hashes.SHA256()))
    with site.peer(site.device()) as pledge:
        pvr = pledge.pvr(cms={"crls": [crl.public_bytes(serialization.Encoding.DER)]})
        assert pledge.request_voucher(pvr).status == 200


@req("ENC-ALL-001")
def test_ber_is_refused(site):
    with site.peer(site.device(known=False)) as pledge:
        assert_refused(pledge.request_voucher(cms.to_ber(pledge.pvr())), 400)


@req("R8995-MASA-005", "R8995-MASA-012")
def test_masa_refuses_every_bad_nested_request(site, domain):
    from test_masa import Client
    registrar = forge.load(domain.registrar_dir / "registrar.key", domain.registrar_dir / "registrar.crt")
    device = site.device()
    with Client(site.masa, registrar) as client:
        good = client.pvr(device)
        for octets in (b"", b"\x30\x80\x00\x00", nested(100), b"x" * 5000, good[:-1], good + b"\0",
                       cms.to_ber(good), bomb(device.identity, 20)):
            rvr = client.rvr(device, prior=good, prior_signed_voucher_request=forge.b64(octets))
            assert_refused(client.ask(rvr), (400, 403, 413))
        assert client.ask(client.rvr(device, prior=good)).status == 200


# -- HTTP itself

def raw(site, octets, device=None, close_ok=True):
    """Send octets inside TLS; the status of the first answer, or None when the peer just closed."""
    with site.peer(device) as pledge:
        try:
            pledge.connection.send(octets)
            return pledge.connection.read_reply().status
        except Closed:
            assert close_ok
            return None


CACERTS = b"/.well-known/est/cacerts"
HTTP = {
    "no request line": b"\r\n\r\n\r\n\r\n",
    "garbage": b"\x00\x01\x02\x03\r\n\r\n",
    "HTTP/0.9": b"GET " + CACERTS + b"\r\n\r\n",
    "HTTP/3.0": b"GET " + CACERTS + b" HTTP/3.0\r\nHost: x\r\n\r\n",
    "no Host": b"GET " + CACERTS + b" HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET " + CACERTS + b" HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "blank before the colon": b"GET " + CACERTS + b" HTTP/1.1\r\nHost : x\r\n\r\n",
    "folded header": b"GET " + CACERTS + b" HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
    "bare LF": b"GET " + CACERTS + b" HTTP/1.1\nHost: x\n\n",
    "NUL in a header": b"GET " + CACERTS + b" HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
    "two lengths": b"POST " + CACERTS + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
                   b"Content-Length: 2\r\n\r\nab",
    "length and chunked": b"POST " + CACERTS + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative length": b"POST " + CACERTS + b" HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "length overflow": b"POST " + CACERTS + b" HTTP/1.1\r\nHost: x\r\nContent-Length: "
                       b"99999999999999999999999\r\n\r\n",
    "unknown coding": b"POST " + CACERTS + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "bad chunk": b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\nContent-Type: application/pkcs10"
                 b"\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "line of 100 kB": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "header of 100 kB": b"GET " + CACERTS + b" HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100_000 + b"\r\n\r\n",
    "10000 headers": b"GET " + CACERTS + b" HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 10_000 + b"\r\n",
    "h2 preface in h1": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "CONNECT": b"CONNECT localhost:443 HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", HTTP)
def test_http_that_is_not_right_is_a_4xx_or_a_close(site, name):
    status = raw(site, HTTP[name])
    assert status is None or 400 <= status < 506, status
    assert status != 200


def test_chunked_body_is_read(site):
    device = site.device()
    with site.peer(device) as pledge:
        pvr = pledge.pvr()
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(pvr[i:i + 700]), pvr[i:i + 700])
                          for i in range(0, len(pvr), 700)) + b"0\r\n\r\n"
        pledge.connection.send(pledge.connection.request_octets(
            "POST", BRSKI + "requestvoucher", None, CMS_TYPE, [("Transfer-Encoding", "chunked")]) + chunks)
        assert pledge.connection.read_reply().status == 200


def test_chunked_body_without_an_end_in_sight_is_413(site):
    with site.peer(site.device(known=False)) as pledge:
        pledge.connection.send(pledge.connection.request_octets(
            "POST", BRSKI + "requestvoucher", None, CMS_TYPE, [("Transfer-Encoding", "chunked")]))
        with pytest.raises(Closed):
            for _ in range(400):
                pledge.connection.send(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
            while True:
                reply = pledge.connection.read_reply()
                assert_refused(reply, 413)


def test_expect_100_continue_is_answered(site):
    with site.peer(site.device()) as pledge:
        pvr = pledge.pvr()
        pledge.connection.send(pledge.connection.request_octets(
            "POST", BRSKI + "requestvoucher", None, CMS_TYPE,
            [("Expect", "100-continue"), ("Content-Length", str(len(pvr)))]))
        pledge.connection.send(pvr)
        assert pledge.connection.read_reply().status == 200


def test_pipelined_requests_are_answered_in_order(site):
    with site.peer(None) as nobody:
        c = nobody.connection
        c.send(c.request_octets("GET", CACERTS.decode()) + c.request_octets("GET", "/nothing")
               + c.request_octets("GET", CACERTS.decode()))
        assert [c.read_reply().status for _ in range(3)] == [200, 404, 200]


def test_head_has_no_body(site):
    with site.peer(None) as nobody:
        reply = nobody.connection.request("HEAD", CACERTS.decode())
        assert reply.status == 200 and int(reply.header("content-length")) > 0
        assert nobody.cacerts().status == 200


@req("R8995-REG-006")
@pytest.mark.parametrize("count", [9, 60])
def test_long_client_chain_is_refused_without_harm(site, cell, count):
    ca = certs.make_ca("Padding")
    identity = certs.make_idevid(None, "TEST-CHAIN")
    identity.issuers = [ca.cert] * count
    saved = forge.save(cell, "chain", identity.key, identity.chain(with_root=True))
    try:
        with site.peer(saved) as pledge:
            assert pledge.request_voucher().status in (400, 403, 413)
    except (Closed, ssl.SSLError, OSError):
        pass  # refused in the handshake: as good


def test_connections_that_say_nothing_do_not_stop_the_others(site):
    idle = [socket.create_connection(("127.0.0.1", site.registrar.port)) for _ in range(20)]
    half = [client_context().wrap_socket(s) for s in
            [socket.create_connection(("127.0.0.1", site.registrar.port)) for _ in range(5)]]
    for s in half:
        s.sendall(b"POST /.well-known/brski/requestvoucher HTTP/1.1\r\n")
    try:
        with admitted(site) as pledge:
            assert pledge.enroll()[0].status == 200
    finally:
        for s in idle + half:
            s.close()


@req("R8995-REG-018")
def test_client_that_leaves_in_the_middle_does_no_harm(site):
    for _ in range(10):
        with site.peer(site.device(known=False)) as pledge:
            pledge.connection.send(pledge.connection.request_octets(
                "POST", BRSKI + "requestvoucher", pledge.pvr(), CMS_TYPE))
    # not waiting for any of the answers


# -- EST and telemetry bodies, in the dialect of those they killed elsewhere

@req("ECA-06", "EE-03")
@pytest.mark.parametrize("body", [b"A===", b"A" * 60_000, b"=" * 100, b"MIIBMIIB" * 20,
                                  base64.b64encode(nested(1000)), base64.b64encode(b"\x30\x84\xff\xff\xff\xff")])
def test_enrolment_bodies_that_killed_others_are_400(site, body):
    with admitted(site) as pledge:
        assert_refused(pledge.post_csr(body), (400, 413))


@pytest.mark.parametrize("body", [b'{"version":' + b"9" * 400 + b',"status":true}', b'{"a":' * 3000,
                                  b'{"version":1,"status":true,"reason":"' + b"x" * 7000 + b'"}',
                                  b'{"version":1,"status":true,"reason-context":[]}',
                                  json.dumps({"version": 1, "status": True,
                                              "reason": "\u0000\u001b[31m"}).encode()])
@req("R8995-REG-038")
def test_odd_telemetry_never_crashes(site, body):
    with site.peer(site.device()) as pledge:
        assert pledge.request_voucher().status == 200
        assert pledge.report("voucher_status", body).status in (200, 400, 413)
    assert "\x1b" not in site.registrar.log()


# -- brski-voucher and brski-certs

@pytest.mark.parametrize("name", CONTAINERS)
def test_inspect_of_what_is_no_voucher_is_exit_2(lab, cell, name):
    path = cell / "file"
    path.write_bytes(CONTAINERS[name])
    done = harness.run(harness.program("brski-voucher"), "inspect", path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1


def test_inspect_tells_valid_from_invalid(lab, cell, acme):
    masa = acme.directory / "masa"
    signer = forge.load(masa / "masa-signer.key", masa / "masa-signer.crt")
    good = voucher.signed_voucher(signer, "SN", signer.cert, nonce=voucher.new_nonce())
    for octets, code, word in ((good, 0, "valid"), (forge.flip_signature(good), 1, "invalid")):
        path = cell / f"v{code}"
        path.write_bytes(octets)
        done = harness.run(harness.program("brski-voucher"), "inspect", path, "--anchor", acme.anchors)
        assert done.returncode == code, done.stderr
        shown = json.loads(done.stdout)
        assert (shown["type"], shown["format"], shown["signature"]) == ("voucher", "cms", word)
        assert shown["fields"]["serial-number"] == "SN"


@pytest.mark.parametrize("argv", [
    ["idevid", "--serial", ""], ["idevid", "--serial", "x" * 500],
    ["idevid", "--serial", "X", "--key-type", "ed25519"], ["manufacturer", "--key-type", "rsa-512"]])
def test_brski_certs_refuses_what_would_be_no_good(lab, cell, acme, argv):
    more = ["--ca", acme.directory, "--masa-url", "masa.example"] if argv[0] == "idevid" else []
    done = harness.run(harness.program("brski-certs"), *argv, *more, "--out", cell / "out")
    assert done.returncode in (1, 2) and done.stderr.strip()
    assert not list(cell.rglob("*.key")) or not list(cell.rglob("*.crt"))


@pytest.mark.parametrize("serial", ["a/b", "../../x", "..", ".hidden", "a b", "%2e"])
def test_no_serial_number_leads_out_of_the_folder(lab, cell, acme, serial):
    out = cell / "deep" / "out"
    harness.run(harness.program("brski-certs"), "idevid", "--ca", acme.directory, "--masa-url",
                "masa.example", "--serial", serial, "--out", out)
    assert {p.parent for p in cell.rglob("*") if p.is_file()} <= {out}
