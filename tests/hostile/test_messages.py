# SPDX-License-Identifier: Apache-2.0
"""Well-framed requests whose bodies are dear to read: many certificates, depth, size."""
import base64
import json

import pytest

from brski_peer import cms, forge
from brski_peer.certs import make_ca, make_csr, new_key
from siege import read_to_end

CMS = "application/voucher-cms+json"


def bomb(count):
    """A SignedData with `count` certificates, small ones."""
    box = cms.cms.ContentInfo.load(cms.sign(b"{}", make_ca("x")))
    box["content"]["certificates"] = [box["content"]["certificates"][0]] * count
    return box.dump(force=True)


def request(path, content_type, body):
    return (f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def statuses(target, requests):
    """All on one connection that shows a device's certificate; the last one ends it."""
    last = b"GET /end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with target.tls(identity=target.identity) as s:
        s.sendall(b"".join(requests) + last)
        said = read_to_end(s)
    return [int(part[:3]) for part in said.split(b"HTTP/1.1 ")[1:]]


def besiege(siege, requests, refused=(400, 403, 404, 413, 415, 429)):
    def attack(target):
        while target.going():
            rest = requests
            while rest:  # one too large ends its connection; the others go on a new one
                got = statuses(target, rest)
                assert got and all(status in refused for status in got), got
                assert len(got) > len(rest) or got[-1] == 413, got
                rest = rest[len(got):]
            target.struck()

    siege.lay(attack, joins=3)


def test_130_certificates_in_one_message(siege):
    besiege(siege, [request("/.well-known/brski/requestvoucher", CMS, bomb(130))] * 5)


def test_as_many_certificates_as_fit(siege):
    most = 64000 // len(forge.der(make_ca("x").cert))
    besiege(siege, [request("/.well-known/brski/requestvoucher", CMS, bomb(most))] * 5)


def signed(siege, payload):
    return cms.sign(payload, siege.targets[0].identity)


DEEP = {
    "arrays": b"[" * 30000,
    "arrays closed": b"[" * 15000 + b"]" * 15000,
    "objects": b'{"a":' * 6000,
    "in the voucher-request": b'{"ietf-voucher-request:voucher":' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
    "one long number": b'{"ietf-voucher-request:voucher":{"nonce":' + b"9" * 30000 + b"}}",
    "one long text": b'{"ietf-voucher-request:voucher":{"nonce":"' + b"\\u0041" * 5000 + b'"}}',
    "the same name": b'{"ietf-voucher-request:voucher":{' + b'"a":1,' * 5000 + b'"b":1}}',
    "many names": json.dumps({"ietf-voucher-request:voucher": {str(i): 1 for i in range(3000)}}).encode(),
}


@pytest.mark.parametrize("signed_by", ["its sender", "nobody"])
def test_deep_json(siege, signed_by):
    """In a message whose signature is right, so that the JSON is read; and as a status report."""
    if signed_by == "nobody":
        requests = [request("/.well-known/brski/" + path, "application/json", payload[:8000])
                    for payload in DEEP.values() for path in ("voucher_status", "enrollstatus")]
    else:
        requests = [request("/.well-known/brski/requestvoucher", CMS, signed(siege, payload))
                    for payload in DEEP.values()]
    besiege(siege, requests)


def test_deep_der(siege):
    deep = [forge.nested(4000), forge.nested(12000), b"\x30\x80" * 8000,
            forge.nested(3000, 0xa0), b"\x24\x80" * 8000 + b"\x04\x01x" + b"\0\0" * 8000]
    base64s = [base64.b64encode(d)[:32000] for d in deep]
    besiege(siege, [request("/.well-known/brski/requestvoucher", CMS, d) for d in deep]
            + [request("/.well-known/est/simpleenroll", "application/pkcs10", b) for b in base64s])


def test_enrolment_by_a_device_never_admitted(siege):
    """A signed request costs a verification; who has no voucher must not cause more."""
    key = new_key()
    identity = siege.targets[0].identity
    body = base64.b64encode(make_csr(key, identity.cert.subject))
    besiege(siege, [request("/.well-known/est/simpleenroll", "application/pkcs10", body)] * 20,
            refused=(400, 401, 403, 404, 413))


def test_one_device_that_asks_without_end(siege):
    """A known device in a loop, on many connections: its own requests wait, nobody else's."""
    def attack(target):
        if target.daemon is siege.site.masa:
            target.struck()
            return
        while target.going():
            with siege.site.peer(looping) as pledge:
                for _ in range(10):
                    reply = pledge.request_voucher()
                    assert reply.status in (200, 202, 429, 503), (reply.status, reply.text)
            target.struck()

    looping = siege.device()
    siege.lay(attack, joins=3, attackers=4)
