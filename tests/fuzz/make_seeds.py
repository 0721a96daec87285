#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Make the seeds of the fuzz targets anew: tests/fuzz/make_seeds.py [BUILD]

Each seed is written to corpus/TARGET/seed-NAME; other files there were found by fuzzing and stay.
Needs BUILD/fuzz/seal (make build/fuzz/seal), openssl for a few public keys, and python3-cbor2.
"""
import base64
import hashlib
import json
import pathlib
import struct
import subprocess
import sys

import cbor2

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build")
NONCE = "AAECAwQFBgcICQoLDA0ODw=="


def seed(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data if isinstance(data, bytes) else data.encode())


def seeds(target, things):
    for number, data in enumerate(things):
        seed(target, f"{number:02}", data)


# ---- DER ----

def tlv(tag, *parts):
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def seq(*parts):
    return tlv(0x30, *parts)


def set_of(*parts):
    return tlv(0x31, *parts)


def octets(*parts):
    return tlv(0x04, *parts)


def bits(data):
    return tlv(0x03, b"\0", data)


def integer(n):
    return tlv(0x02, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def utf8(text):
    return tlv(0x0c, text.encode())


def oid(dotted):
    first, second, *rest = map(int, dotted.split("."))
    out = b""
    for arc in [first * 40 + second, *rest]:
        group = [arc & 0x7f]
        while arc := arc >> 7:
            group.insert(0, 0x80 | arc & 0x7f)
        out += bytes(group)
    return tlv(0x06, out)


def name(*pairs):
    return seq(*(set_of(seq(oid(kind), value)) for kind, value in pairs))


def extension(kind, value, critical=False):
    return seq(oid(kind), tlv(0x01, b"\xff") if critical else b"", octets(value))


def openssl(*arguments, stdin=b""):
    return subprocess.run(["openssl", *arguments], input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True).stdout


def certificate(file):
    return openssl("x509", "-in", str(HERE / "pki" / file), "-outform", "DER")


def public_key(*how):
    private = openssl("genpkey", *how)
    return openssl("pkey", "-pubout", "-outform", "DER", stdin=private)


DEVICE, MASA, REGISTRAR = certificate("device.crt"), certificate("masa.crt"), certificate("registrar.crt")
MAKER_ROOT, SITE_ROOT = certificate("maker-root.crt"), certificate("site-root.crt")
DEVICE_SPKI = openssl("pkey", "-in", str(HERE / "pki/device.key"), "-pubout", "-outform", "DER")
REGISTRAR_SPKI = openssl("pkey", "-in", str(HERE / "pki/registrar.key"), "-pubout", "-outform", "DER")
ECDSA_SHA256 = seq(oid("1.2.840.10045.4.3.2"))
CN, SERIAL, ORGANIZATION = "2.5.4.3", "2.5.4.5", "2.5.4.10"
MASA_URL, SAN, AKI, SKI, EKU, CONSTRAINTS = (
    "1.3.6.1.5.5.7.1.32", "2.5.29.17", "2.5.29.35", "2.5.29.14", "2.5.29.37", "2.5.29.19")


def b64(data):
    return base64.b64encode(data).decode()


def pem(kind, data):
    text = base64.encodebytes(data).decode()
    return f"-----BEGIN {kind}-----\n{text}-----END {kind}-----\n"


# ---- vouchers ----

def sign(who, payload, *more):
    if not isinstance(payload, (bytes, str)):
        payload = json.dumps(payload, separators=(",", ":"))
    if isinstance(payload, str):
        payload = payload.encode()
    return subprocess.run([str(BUILD / "fuzz/seal"), who, *more], input=payload, stdout=subprocess.PIPE, check=True).stdout


def voucher(**changes):
    return {"ietf-voucher:voucher": leaves({
        "created-on": "2026-11-29T10:00:00Z", "assertion": "logged", "serial-number": "FUZZ-1", "nonce": NONCE,
        "pinned-domain-cert": b64(SITE_ROOT)}, changes)}


def request(**changes):
    return {"ietf-voucher-request:voucher": leaves({
        "created-on": "2026-11-29T10:00:00Z", "assertion": "proximity", "serial-number": "FUZZ-1", "nonce": NONCE},
        changes)}


def leaves(start, changes):
    start = dict(start)
    for key, value in changes.items():
        key = key.replace("_", "-")
        if value is None:
            start.pop(key, None)
        else:
            start[key] = value
    return start


def spki_digest(spki):
    import hashlib
    return b64(hashlib.sha256(spki).digest())


PLEDGE_REQUESTS = [
    request(proximity_registrar_cert=b64(REGISTRAR)),
    request(proximity_registrar_pubk=b64(REGISTRAR_SPKI)),
    request(proximity_registrar_pubk_sha256=spki_digest(REGISTRAR_SPKI)),
    request(proximity_registrar_cert=b64(DEVICE)),
    request(proximity_registrar_cert="AAAA"),
    request(),
    request(assertion="logged", proximity_registrar_cert=b64(REGISTRAR)),
    request(nonce=None, proximity_registrar_cert=b64(REGISTRAR)),
    request(nonce="AAAA", proximity_registrar_cert=b64(REGISTRAR)),
    request(nonce="A" * 60, proximity_registrar_cert=b64(REGISTRAR)),
    request(serial_number="OTHER", proximity_registrar_cert=b64(REGISTRAR)),
    voucher(),
]


def make_registrar_request():
    seeds("registrar_request", [sign("device", r) for r in PLEDGE_REQUESTS] +
          [sign("masa", PLEDGE_REQUESTS[0]), b"no CMS", sign("device", "no JSON")])


def registrar_request(inner, **changes):
    return request(assertion=None, prior_signed_voucher_request=b64(inner), **changes)


def make_masa_request():
    good = sign("device", PLEDGE_REQUESTS[0])
    out = [sign("registrar", registrar_request(sign("device", r))) for r in PLEDGE_REQUESTS]
    out += [sign("registrar", r) for r in (
        registrar_request(good, idevid_issuer="BBgwFoAUAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        registrar_request(good, nonce=None), registrar_request(good, serial_number="OTHER"),
        registrar_request(good, proximity_registrar_cert=b64(REGISTRAR)),
        registrar_request(good, nonce="AAAA"), registrar_request(b"no CMS"),
        registrar_request(sign("masa", PLEDGE_REQUESTS[0])), registrar_request(sign("registrar", PLEDGE_REQUESTS[0])),
        registrar_request(sign("device", request(nonce=None, proximity_registrar_cert=b64(REGISTRAR))), nonce=None),
        registrar_request(sign("device", request(serial_number="OTHER"))),
        request(), request(nonce=None), voucher())]
    out += [sign("registrar", registrar_request(sign("device", PLEDGE_REQUESTS[3])), "also", "device"),
            sign("registrar", registrar_request(good), "also", "masa")]
    out += [sign("device", registrar_request(good)), sign("masa", registrar_request(good)), b"no CMS"]
    out += [sign("registrar", "no JSON")]
    seeds("masa_request", out)
    for number, octets_ in enumerate(cose_requests()):
        seed("masa_request", f"cose-{number:02}", octets_)


def make_voucher():
    pins = [SITE_ROOT, REGISTRAR, DEVICE, MAKER_ROOT]
    out = [voucher(pinned_domain_cert=b64(pin)) for pin in pins]
    out += [
        voucher(pinned_domain_cert=None), voucher(pinned_domain_cert="AAAA"),
        voucher(pinned_domain_cert=None, pinned_domain_pubk=b64(REGISTRAR_SPKI)),
        voucher(pinned_domain_cert=None, pinned_domain_pubk=b64(DEVICE_SPKI)),
        voucher(pinned_domain_cert=None, pinned_domain_pubk_sha256=spki_digest(REGISTRAR_SPKI)),
        voucher(pinned_domain_cert=None, pinned_domain_pubk_sha256=spki_digest(DEVICE_SPKI)),
        voucher(serial_number="OTHER"), voucher(nonce="AAAAAAAAAAAAAAA="), voucher(nonce=None),
        voucher(nonce=None, expires_on="2026-12-24T10:00:00Z"), voucher(expires_on="2026-11-29T11:00:00Z"),
        voucher(created_on="2027-12-24T10:00:00Z"), voucher(last_renewal_date="2027-12-24T10:00:00Z"),
        voucher(assertion="verified"), voucher(assertion="proximity"), voucher(assertion="odd"),
        voucher(assertion=None), voucher(domain_cert_revocation_checks=True),
        voucher(domain_cert_revocation_checks=False),
        voucher(idevid_issuer="BBgwFoAUAAAAAAAAAAAAAAAAAAAAAAAAAAA="), voucher(est_domain="x", unknown=[1]),
        request()]
    out = [sign("masa", v) for v in out] + [sign("device", voucher()), sign("registrar", voucher()), b"-"]
    out += [sign("masa", voucher(est_domain=where)) for where in (
        "site.example", "https://site.example/.well-known/est", "https://site.example/x", "https://")]
    seeds("voucher", out)


def make_voucher_json():
    out = [json.dumps(v) for v in PLEDGE_REQUESTS] + [
        json.dumps(voucher(**{leaf: value})) for leaf, values in {
            "created_on": ["x", 1, "2026-11-29T10:00:00.25+01:00"], "expires_on": ["2026-12-29T10:00:00Z", "x"],
            "last_renewal_date": ["2026-12-29T10:00:00Z"], "assertion": ["verified", "agent-proximity", "odd", 1, None],
            "serial_number": ["", None, 1, "x" * 129], "nonce": ["AAECAwQFBgcICQoLDA0O_w", "", 1, "\u00e4"],
            "idevid_issuer": ["AAAA", "A", 1], "pinned_domain_cert": ["", "AAAA", "!"],
            "pinned_domain_pubk": ["AAAA"], "pinned_domain_pubk_sha256": ["AAAA"],
            "domain_cert_revocation_checks": [True, False, "true", 1],
            "est_domain": ["site.example", 1], "additional_configuration_url": ["https://site.example/", 1],
            "unknown": [{"a": [1, {"b": None}]}]}.items() for value in values]
    out += ["", "{}", "[]", "{\"a\":1}", "{\"ietf-voucher:voucher\":1}", "{\"ietf-voucher:voucher\":{},\"x\":1}",
            json.dumps(voucher())[:-1], json.dumps(voucher()) + " x", json.dumps(voucher()).replace("FUZZ", "\\u0000"),
            json.dumps(request(prior_signed_voucher_request="AAAA", proximity_registrar_cert="AAAA")),
            "{\"ietf-voucher:voucher\":{\"nonce\":\"a\",\"nonce\":\"a\"}}", "[" * 40 + "]" * 40, "{\"a\":" * 20]
    seeds("voucher_json", out)


def make_cms():
    good = sign("masa", voucher())
    out = [good, sign("device", request()), sign("masa", "{}"), sign("masa", ""), b"", good[:-1], good + b"\0",
           b"\x30\x80" + good[4:]]
    # one field changed at a time, where our own encoding has it
    for old, new in ((oid("1.2.840.113549.1.9.16.1.40"), oid("1.2.840.113549.1.9.16.1.41")),
                     (oid("1.2.840.113549.1.9.4"), oid("1.2.840.113549.1.9.6")),
                     (oid("1.2.840.113549.1.9.3"), oid("1.2.840.113549.1.9.7")),
                     (oid("1.2.840.113549.1.9.5"), oid("1.2.840.113549.1.9.4")),
                     (oid("2.16.840.1.101.3.4.2.1"), oid("2.16.840.1.101.3.4.2.3")),
                     (oid("1.2.840.10045.4.3.2"), oid("1.2.840.10045.4.3.4")), (b"\x02\x01\x03", b"\x02\x01\x07")):
        out += [good.replace(old, new), new.join(good.rsplit(old, 1))]
    signer_info = seq(integer(3), tlv(0x80, b"\0" * 20), seq(oid("2.16.840.1.101.3.4.2.1")),
                      ECDSA_SHA256, octets(b"x"))
    for infos in (b"", signer_info, signer_info * 2):
        out.append(seq(oid("1.2.840.113549.1.7.2"), tlv(0xa0, seq(
            integer(3), set_of(seq(oid("2.16.840.1.101.3.4.2.1"))),
            seq(oid("1.2.840.113549.1.7.1"), tlv(0xa0, octets(b"{}"))), tlv(0xa0, MASA), set_of(infos)))))
    import hashlib

    def signed(algorithm, digest_name="sha256", digest_oid="2.16.840.1.101.3.4.2.1", attributes=(), sid=None, content=b"{}", version=1,
               tail=b"", certs=MASA, digest_tail=b""):
        serial_at = MASA.index(tlv(0xa0, integer(2))) + 5
        serial = MASA[serial_at:serial_at + 2 + MASA[serial_at + 1]]
        issuer_at = MASA.index(ECDSA_SHA256) + len(ECDSA_SHA256)
        issuer = MASA[issuer_at:issuer_at + 2 + MASA[issuer_at + 1]]
        digest = seq(oid(digest_oid), digest_tail)
        attrs = attributes or (attribute("1.2.840.113549.1.9.3", oid("1.2.840.113549.1.7.1")),
                               attribute("1.2.840.113549.1.9.4", octets(hashlib.new(digest_name, content).digest())))
        info = seq(integer(version), sid or seq(issuer, serial), digest, tlv(0xa0, *sorted(attrs)) if attrs[0] else b"", algorithm,
                   octets(b"x"), tail)
        return seq(oid("1.2.840.113549.1.7.2"), tlv(0xa0, seq(
            integer(1), set_of(digest), seq(oid("1.2.840.113549.1.7.1"), tlv(0xa0, octets(content))), tlv(0xa0, certs) if certs else b"",
            set_of(info))))

    def attribute(kind, *values):
        return seq(oid(kind), set_of(*values))

    pss = "1.2.840.113549.1.1.10"
    sha256, sha384, sha1 = seq(oid("2.16.840.1.101.3.4.2.1")), seq(oid("2.16.840.1.101.3.4.2.2")), seq(oid("1.3.14.3.2.26"))
    kind = attribute("1.2.840.113549.1.9.3", oid("1.2.840.113549.1.7.1"))
    digest = attribute("1.2.840.113549.1.9.4", octets(hashlib.sha256(b"{}").digest()))

    def time(tag, text):
        return attribute("1.2.840.113549.1.9.5", tlv(tag, text))

    out += [signed(a) for a in (
        ECDSA_SHA256, seq(oid(pss), seq(tlv(0xa0, sha256))), seq(oid(pss), seq(tlv(0xa0, sha384))), seq(oid(pss), seq(tlv(0xa0, sha1))),
        seq(oid(pss), seq()), seq(oid(pss)), seq(oid("1.2.3")), seq(oid("1.2.840.113549.1.1.1"), b"\5\0"), seq(oid("1.2.840.113549.1.1.5")),
        seq(oid("1.3.101.112")), seq(), seq(oid("1.2.840.10045.4.3.3")), seq(oid("1.2.840.10045.4.3.2"), b"\5\0", b"\5\0"))]
    out += [signed(ECDSA_SHA256, attributes=a) for a in (
        (kind,), (digest,), (kind, digest, kind), (b"",), (kind, digest, time(0x17, b"261129100000Z")), (kind, digest, time(0x18, b"20261129100000Z")),
        (kind, digest, time(0x17, b"9912")), (kind, digest, time(0x17, b"261329100000Z")), (kind, digest, time(0x17, b"26112910000xZ")),
        (kind, digest, time(4, b"")), (kind, digest, time(0x17, b"750229100000Z")), (kind, digest, time(0x18, b"20261129100000.5Z")),
        (attribute("1.2.840.113549.1.9.3", octets(b"")), digest), (kind, attribute("1.2.840.113549.1.9.4", integer(1))),
        (kind, attribute("1.2.840.113549.1.9.4", octets(b"short"))), (kind, digest, attribute("1.2.3", integer(1))), (kind, digest, integer(1)),
        (attribute("1.2.840.113549.1.9.3"), digest), (kind, digest, attribute("1.2.840.113549.1.9.4", octets(b"x"), octets(b"y"))),
        (attribute("1.2.840.113549.1.9.3", oid("1.2.3")), digest))]
    out += [signed(ECDSA_SHA256, digest_oid=d) for d in ("1.3.14.3.2.26", "2.16.840.1.101.3.4.2.2", "1.2.3")]
    out += [signed(ECDSA_SHA256, sid=tlv(0x80, b"k"), version=3), signed(ECDSA_SHA256, sid=tlv(0x81, b"k")), signed(ECDSA_SHA256, sid=seq()),
            signed(ECDSA_SHA256, version=3), signed(ECDSA_SHA256, tail=tlv(0xa1)), signed(ECDSA_SHA256, tail=b"\5\0"), signed(ECDSA_SHA256, certs=b""),
            signed(ECDSA_SHA256, certs=MASA * 9), signed(ECDSA_SHA256, certs=seq()), signed(ECDSA_SHA256, certs=tlv(0xa1)),
            signed(ECDSA_SHA256, digest_tail=b"\5\0"), signed(ECDSA_SHA256, digest_tail=integer(1)), signed(ECDSA_SHA256, certs=MASA + tlv(0xa0, b"")),
            signed(ECDSA_SHA256, certs=MAKER_ROOT), seq(oid("1.2.3"), tlv(0xa0, seq())), seq(oid("1.2.840.113549.1.7.2"), seq()), b"0" * 65537]
    seeds("cms", out)


# ---- COSE ----

def sign_cose(who, payload, along="none"):
    payload = payload if isinstance(payload, bytes) else cbor2.dumps(payload)
    return subprocess.run([str(BUILD / "fuzz/seal"), who, "cose", along], input=payload, stdout=subprocess.PIPE, check=True).stdout


NONCE_OCTETS = bytes(range(16))
DELTAS = {"assertion": (1, 1), "created_on": (2, 2), "revocation": (3, 3), "expires_on": (4, 4), "issuer": (5, 5), "renewal": (6, 6),
          "nonce": (7, 7), "pin": (8, 8), "pin_pubk": (9, 17), "pin_sha256": (10, 18), "serial": (11, 13), "config": (12, 19),
          "est": (13, 20), "prior": (None, 9), "prox": (None, 10), "prox_sha256": (None, 11), "prox_pubk": (None, 12)}


def cbor_leaves(kind, start, changes):
    """changes: leaves by the names above, or keys as they are when they are no names."""
    start = {**start, **changes}
    return {DELTAS[k][kind] if k in DELTAS else k: v for k, v in start.items() if v is not None}


def cbor_voucher(more=(), **changes):
    return {2451: {**cbor_leaves(0, {"assertion": 1, "created_on": "2026-11-29T10:00:00Z", "nonce": NONCE_OCTETS, "pin": SITE_ROOT,
                                     "serial": "FUZZ-1"}, changes), **dict(more)}}


def cbor_request(more=(), **changes):
    return {2501: {**cbor_leaves(1, {"assertion": 2, "created_on": "2026-11-29T10:00:00Z", "nonce": NONCE_OCTETS, "serial": "FUZZ-1"},
                                 changes), **dict(more)}}


def cbor_pledge_requests():
    import hashlib
    digest = hashlib.sha256(REGISTRAR_SPKI).digest()
    return [cbor_request(prox_pubk=REGISTRAR_SPKI), cbor_request(prox=REGISTRAR), cbor_request(prox_sha256=digest), cbor_request(),
            cbor_request(prox=DEVICE), cbor_request(nonce=None, prox=REGISTRAR), cbor_request(serial="OTHER", prox=REGISTRAR),
            cbor_request(prox=seq(integer(1))), cbor_voucher()]


def cose_requests():
    asked = cbor_pledge_requests()
    good = sign_cose("device", asked[0])
    out = [sign_cose("registrar", cbor_request(assertion=None, prior=sign_cose("device", a)), "device") for a in asked]
    out += [sign_cose("registrar", payload, "device") for payload in (
        cbor_request(prior=good, issuer=octets(bytes(22))), cbor_request(prior=good, nonce=None), cbor_request(prior=good, serial="OTHER"),
        cbor_request(prior=good, prox_pubk=REGISTRAR_SPKI), cbor_request(prior=b"none"), cbor_request(nonce=None), cbor_request(),
        cbor_request(nonce=None, prior=sign_cose("device", asked[5])), cbor_voucher(), b"no CBOR",
        cbor_request(prior=sign("device", PLEDGE_REQUESTS[0])), cbor_request(prior=sign_cose("masa", asked[0], "masa")))]
    return out + [sign_cose("registrar", cbor_request(prior=good), along) for along in ("none", "registrar", "masa")] + [
        sign_cose("device", cbor_request(prior=good), "device")] + [
        # signatures of nobody, with a registrar's, a device's and only a CA's certificate along
        sign_cose("registrar", cbor_request(), "device")[:-1] + b"?", sign_cose("device", cbor_request(), "device")[:-1] + b"?",
        cbor2.dumps(cbor2.CBORTag(18, [b"\xa1\x01\x26", {32: MAKER_ROOT}, cbor2.dumps(cbor_request()), bytes(range(64))]))]


def make_cose():
    chain = [MASA, MAKER_ROOT]
    good = sign_cose("masa", cbor_voucher(), "masa")
    bare = sign_cose("masa", cbor_voucher())
    tag = cbor2.loads(bare)
    protected, _, payload, signature = tag.value

    def made(p=protected, u=None, content=payload, s=signature, number=18):
        return cbor2.dumps(cbor2.CBORTag(number, [p if isinstance(p, bytes) else cbor2.dumps(p), {} if u is None else u, content, s]))

    out = [good, bare, bare[1:], good + b"\0", good[:-1], b"", b"\xd2", b"\xd2\x84", b"\x84\x40\xa0\x40\x40", b"\x80",
           made(number=17), made(u={32: chain}), made(u={33: chain, 4: b"kid"}), made(u={32: MASA, 33: chain}), made(u={32: [b"x"]}),
           made(u={32: 1}), made(u={33: {}}), made(u={1: -7}), made(u={2: [1]}), made(u={4: "kid"}), made(u={4: b"k" * 300}),
           made(u={32: [b"x"] * 17}), made(u={15: {6: 1}, "x": 1, 3: 60}), made(u={b"x": 1}), made(u=[]), made(content=None), made(content="x"),
           made(s=b""), made(s=bytes(64)), made(s=b"x" * 71), made(s=1), made(p=b""), made(p={}), made(p=[]), made(p=b"\xa1\x01"),
           made(p={1: -7, 2: [1, 4]}), made(p={1: -7, 2: [99], 99: 0}), made(p={1: -7, 2: []}), made(p={1: -7, 2: [["x"]] * 1}),
           made(p={1: -7, 2: ["x"]}), made(p={1: -7, 2: 1}), made(p={1: -7, 2: [1] * 17}), made(p={1: -7, 32: chain}), made(p={1: -7, 4: b"a"}, u={4: b"a"}),
           made(p={1: -8}), made(p={1: -35}), made(p={1: -36}), made(p={1: -47}), made(p={1: "ES256"}), made(p={15: {}}),
           made(p={1: -7, 32: MASA}, u={33: MAKER_ROOT}), made(u={32: [MASA, MASA]}), made(u={32: [DEVICE, REGISTRAR]}),
           made(u={32: REGISTRAR}), made(p=1), sign_cose("masa", b"", "masa"), sign_cose("device", cbor_request(), "device"),
           b"\x9f\x5f\x43\xa1\x01\x26\xff\xbf\x18\x20" + cbor2.dumps(MASA) + b"\x0f\xa0\xff" + cbor2.dumps(payload) + cbor2.dumps(signature) + b"\xff",
           b"\xd2\x85" + bare[2:] + b"\0", made(s=b"\x01" + bytes(63)), made(s=bytes(32) + b"\xff" * 32), made(u={32: b""}),
           b"\x84" * 40]
    seeds("cose", out)


def make_inspect():
    """Each wrapping, and the kinds of contents that are shown in different ways."""
    vouched, asked = sign("masa", voucher(pinned_domain_cert=b64(SITE_ROOT))), sign("device", PLEDGE_REQUESTS[0])
    nested = sign("registrar", registrar_request(asked))
    deep = sign("registrar", registrar_request(sign("registrar", registrar_request(nested))))
    cose, cose_asked = sign_cose("masa", cbor_voucher(), "masa"), cose_requests()
    wrapped = base64.encodebytes(vouched).decode()
    out = [vouched, asked, nested, deep, cose, *cose_asked[:4], *cose_asked[-5:], sign_cose("device", cbor_request(), "none"),
           b64(vouched), wrapped, " \r\n" + wrapped, b64(cose), cose.hex(), vouched.hex(" "), cose.hex()[:-1], pem("CMS", vouched), pem("PKCS7", vouched),
           pem("PKCS #7 SIGNED DATA", vouched).replace("\n", "\r\n"), pem("CERTIFICATE", DEVICE), pem("CMS", vouched) + "x", "-----BEGIN CMS-----",
           "-----BEGIN CMS", "-----BEGIN CMS----- \nAAAA", "-----BEGIN CMS-----\n!\n-----END CMS-----", pem("CMS", b"\x30\0"), "", " ", "{", "{}",
           '{"signatures":[]}', json.dumps(voucher()), json.dumps(request()), '{"a":"eyJ"}', "eyJh.eyJh.AAAA", b"\xa1\1\2", b"\xbf\xff", b"\x84\x40",
           "!", "AAAA", "41", "eyJhIjoxfQ==", vouched[:-1] + bytes([vouched[-1] ^ 1]), cose[:-1] + b"?", vouched[:-1], sign("masa", voucher(pinned_domain_cert="AAAA")),
           sign("masa", voucher(nonce=None, expires_on="2026-11-29T11:00:00Z")), sign("masa", voucher(serial_number="OTHER", nonce="AAAAAAAAAAAAAAA=")),
           sign("registrar", registrar_request(b"no CMS")), sign("registrar", registrar_request(wrapped.encode())),
           sign("masa", voucher(pinned_domain_cert=None)), sign("device", voucher())]
    purposes = seq(oid("1.3.6.1.5.5.7.3.1"), oid("1.3.6.1.4.1.99999.70000"), tlv(6, b"\x88\x37\3"), tlv(6, b"\xff" * 9 + b"\x7f"), tlv(6, b"\1" * 200))
    out += [sign("masa", voucher(pinned_domain_cert=b64(seq(seq(
        tlv(0xa0, integer(2)), integer(5), ECDSA_SHA256, name((CN, utf8("CA"))), seq(tlv(0x17, b"250101000000Z"), tlv(0x18, b"99991231235959Z")),
        name((CN, utf8("a\tb"))), DEVICE_SPKI, tlv(0xa3, seq(*more))), ECDSA_SHA256, bits(b"\x30\0"))))) for more in (
            [extension(EKU, purposes)], [extension(EKU, b"x")], [extension(EKU, seq(integer(1)))], [extension(MASA_URL, tlv(0x16, b"masa.example"))],
            [extension(SKI, octets(b"\2" * 20)), extension(AKI, seq(tlv(0x80, b"\1" * 20)))])]
    names = {cbor2.CBORTag(47, 2514): "FUZZ-1", cbor2.CBORTag(46, 2508): 1, cbor2.CBORTag(47, "x"): 1, 99: 2, -1: 3, False: 4, 70000: 5}
    out += [sign_cose("device", cbor2.dumps(payload), "device") for payload in (
        {cbor2.CBORTag(47, 2501): names}, {2501: {13: "FUZZ-1", 99: 2, -1: 3, "x": 1, 1: 7}}, {2501: {13: "FUZZ-1", 70000: 0}},
        {"ietf-voucher-request:voucher": {"assertion": 2, "nonce": NONCE_OCTETS, "serial-number": "FUZZ-1", "unknown": [1]}})]
    seeds("inspect", out)


def make_voucher_cbor():
    out = cbor_pledge_requests() + [
        cbor_voucher(**{leaf: value}) for leaf, values in {
            "created_on": ["x", 1, "2026-11-29T10:00:00.25+01:00"], "expires_on": ["2026-12-29T10:00:00Z"], "renewal": ["2026-12-29T10:00:00Z"],
            "assertion": [0, 2, 3, 4, "logged", None], "serial": ["", None, 1, "x" * 129, "x" * 5000, "a\nb"], "nonce": [bytes(7), bytes(33), "x", None],
            "issuer": [b"", b"x", 1], "pin": [b"", b"x", seq(integer(1)), "x"], "pin_pubk": [b"x"], "pin_sha256": [bytes(32)],
            "revocation": [True, False, None, 1], "est": ["site.example", 1], "config": ["https://site.example/", b"x"]}.items() for value in values]
    named = {"assertion": 2, "nonce": NONCE_OCTETS, "serial-number": "FUZZ-1", "unknown": [1], "x" * 80: 1}
    out += [{"ietf-voucher-request:voucher": named}, {"ietf-voucher:voucher": named}, {2501: named}, {"ietf-voucher:x": named},
            {cbor2.CBORTag(47, 2501): {cbor2.CBORTag(47, 2514): "FUZZ-1", cbor2.CBORTag(46, 2508): 1, cbor2.CBORTag(47, "x"): 1, 99: 2, -1: 3, False: 4}},
            {2501: {13: "FUZZ-1", "serial-number": "FUZZ-1"}}, {2501: {13: "FUZZ-1", 70000: 0}}, {2501: 1}, {2501: []}, {1: {}}, {2451: {}, 2501: {}},
            {}, [], 1, {-1: {}}, {b"x": {}}, {2501: {13: "FUZZ-1", 9: b"\xd2\x84", 10: seq(), 11: bytes(32), 12: b"x", 5: b"x"}}, {2500: {}}]
    out = [cbor2.dumps(x) for x in out]
    out += [b"", b"\xbf\x19\x09\xc5\xbf\x0d\x7f\x62FU\x62ZZ\xff\x07\x5f\x44abcd\x44efgh\xff\xff\xff", out[0] + b"\0", out[0][:-1],
            b"\xa1\x19\x09\xc5\xa2\x0d\x61x\x0d\x61y", b"\xa1\x19\x09\xc5\xa1\x0d\x61\x00"]
    seeds("voucher_cbor", out)


def make_cbor():
    values = [0, 23, 24, 255, 256, 65536, 2**32, 2**64 - 1, -1, -24, -25, -2**63, -2**64, b"", b"x" * 30, "", "t", "ä€😀", [], [1, [2, [3]]], {}, {1: 2, "a": b"b", -1: None},
              {True: 1, False: 2, None: 3}, cbor2.CBORTag(18, [1]), cbor2.CBORTag(55799, 1), True, None, cbor2.undefined, 1.5, 1e300, cbor2.CBORSimpleValue(99),
              {cbor2.CBORTag(47, 1): 1, cbor2.CBORTag(47, 2): 1, cbor2.CBORTag(46, 1): 1}, {b"a": 1, "a": 1, b"ab": 2}, {1.5: 1, 2.5: 2}, list(range(40)), {n: n for n in range(128)},
              {n: n for n in range(129)}]
    raw = ["", "1c", "1d", "1e", "1f", "3f", "df", "ff", "18", "19ff", "1b00", "f800", "f81f", "f820", "f8ff", "5f", "5fff", "5f41", "5f4101ff", "5f6161ff", "5f5fffff", "7f6161ff", "7f61c3ff", "7f61c361a9ff",
           "61ff", "62c080", "62c1bf", "63e08080", "63eda080", "64f4908080", "64f5808080", "63f09f98", "64f0808080", "6100", "62e282", "63e28241", "64f09f9841", "9f", "9f01", "9f01ff", "9fff", "bf01", "bf01ff", "bf0102ff", "bfff",
           "81", "8201", "9bffffffffffffffff", "a1", "a101", "bbffffffffffffffff", "5bffffffffffffffff", "7bffffffffffffffff", "9a00010000", "a2010001", "a20100180100", "a2616100", "a26161006161" "00", "a26161007f606161ff00",
           "a2c10000c10000", "a2f90000", "a2f93c0000fa00003c0000", "a1a000", "a18000", "a1c1a000", "a1d8ff8000", "a2010002" "00", "a20100200" "0", "0000", "8000", "1800", "190001", "1a00000001", "1b0000000000000001", "3900ff",
           "f90000", "fa00000000", "fb0000000000000000", "f97e00", "fc", "e0", "f4", "f7", "d81c", "d9d9f700", "c2" * 20 + "00", "81" * 15 + "00", "81" * 16 + "00", "a100" * 14 + "00", "9f" * 20 + "ff" * 20]
    for number, text in enumerate(['{"a":[1,-2,true,false,null,"x",{}],"b":{}}', '{"a":1.5}', '{"a":[1.5]}', '{"a":{"b":[[[[[[[[[[[[1]]]]]]]]]]]]}}', '{']):
        seed("cbor", f"json-{number:02}", text)
    seeds("cbor", [cbor2.dumps(v) for v in values] + [bytes.fromhex(x if len(x) % 2 == 0 else x + "0") for x in raw])


def make_multipart_core():
    values = [[], [287, DEVICE], [287, DEVICE, 287, MAKER_ROOT], [284, b"key", 281, b"certs"], [0, None], [287], [287, b"", 287], [287, "x"], ["x", b""], [65535, b""], [65536, b""], [-1, b""],
              [0, b""] * 4, [0, b""] * 5, {}, {287: b""}, [287, True], [287, []], 1]
    seeds("multipart_core", [cbor2.dumps(v) for v in values] + [
        b"\x9f\x00\x5f\x41x\xff\xff", b"\x9f\x00\xff", b"\x82\x00\x5f\x41x\x41y\xff", b"\x82\x00\x40\x00", b"", b"\x82\x19\x01\x1f\x59\xff\xff", b"\x82\x00\xf8"])


def make_est_reply():
    keys = {kind: openssl("pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in", str(HERE / f"pki/{kind}.key")) for kind in ("device", "masa")}
    key = keys["device"]
    chain = seq(oid("1.2.840.113549.1.7.2"), tlv(0xa0, seq(integer(1), set_of(b""), seq(oid("1.2.840.113549.1.7.1")), tlv(0xa0, MAKER_ROOT + SITE_ROOT), set_of(b""))))
    parts = [[287, DEVICE], [287, DEVICE, 287, MAKER_ROOT], [287, b"x"], [284, key], [], [287], [287, DEVICE] * 17]
    with_key = [[284, key, 287, DEVICE], [287, DEVICE, 284, key], [284, key, 281, chain], [284, key], [287, DEVICE], [284, key, 284, key, 287, DEVICE], [280, key, 287, DEVICE], [284, key[:-1], 287, DEVICE],
                [284, key + b"x", 287, DEVICE], [284, b"", 287, DEVICE], [284, key[:-64] + keys["masa"][-64:], 287, DEVICE], [284, key, 287, DEVICE, 287, MAKER_ROOT, 287, SITE_ROOT, 287, DEVICE], [284, key, 281, b""]]
    seeds("est_reply", [b"\x00" + chain, b"\x40" + chain, b"\x40" + base64.b64encode(chain), b"\x00" + base64.b64encode(chain), b"\x01" + DEVICE, b"\x41" + base64.b64encode(DEVICE), b"\x01" + DEVICE + b"x", b"\x01", b"", b"\x03x",
                        b"\x40!", b"\x80x", b"\x82", b"\x02x"] + [b"\x02" + cbor2.dumps(p) for p in parts] + [b"\x82" + cbor2.dumps(p) for p in with_key])


def make_status_report_cbor():
    reports = [{"version": 1, "status": True}, {"version": 1, "status": False, "reason": "x", "reason-context": {"a": [1, None, True, b"b"], 0: "n", "m": {"o": 1.5}}},
               {"version": 2, "status": True, "new": 1, "newer": {}}, {"version": 1, "status": True, "new": 1}, {"version": 0, "status": True}, {"version": 2**33, "status": True},
               {"version": "1", "status": True}, {"version": 1, "status": 1}, {"version": 1}, {"status": True}, {}, [], {0: 1}, {"version": 1, "status": False, "reason": 1},
               {"version": 1, "status": False, "reason": "ä" * 200}, {"version": 1, "status": False, "reason-context": []}, {"version": 1, "status": False, "reason-context": {0: 1, "0": 2}},
               {"version": 1, "status": False, "reason-context": {-1: {}, "x": cbor2.CBORTag(1, 5), "y": 2**64 - 1}}, {"version": 2, "status": True, "x" * 600: 1},
               {"version": 1, "status": False, "reason": "x" * 8300}]
    for number, report in enumerate(reports):
        seed("status_report", f"cbor-{number:02}", cbor2.dumps(report))


# ---- other messages ----

def make_status_report():
    seeds("status_report", [
        '{"version":1,"status":true}', '{"version":"1","Status":"false","Reason":"x","reason-context":{"a":[1]}}',
        '{"version":1,"status":1,"reason":"ok","reason_context":{}}', '{"version":2,"status":0,"new":1,"newer":2}',
        '{"status":"TRUE","version":99999999999}', '{"version":1}', '{"version":1,"status":null}', '{"version":[],"status":true}',
        '{"VERSION":1,"STATUS":"no","REASON":7}', '{"version":1,"status":true,"reason":"' + "x" * 300 + '"}',
        '{"version":1,"status":true,"Status":false}', '{"version":"","status":true}', '{"version":-1,"status":true}',
        '{"version":1.5,"status":2}', '{"version":1,"status":true,"reason":"a\\nb\\u00e4","reason-context":"x"}', "x", "",
        '{"version":1,"status":false,"reason":"' + "ä" * 200 + '"}'])


def make_audit_log():
    event = ('{"date":"2026-11-29T10:00:00Z","domainID":"AAECAwQFBgcICQoLDA0ODxAREhM=","nonce":"%s","assertion":"logged",'
             '"truncated":"0"}' % NONCE)
    seeds("audit_log", [
        '{"version":"1","events":[%s],"truncation":{"nonced duplicates":"0","nonceless duplicates":"1","arbitrary":"2"}}' % event,
        '{"version":1,"events":[%s,%s]}' % (event, event.replace("logged", "odd")), '{"version":1,"events":[]}',
        '{"version":7,"events":[{"date":"2026-11-29T10:00:00.5+01:00","registrarID":"AAAA","nonce":null}]}',
        '{"version":1,"events":[{"date":"x","domainID":"AAAA"}]}', '{"version":1,"events":[{"domainID":"AAAA"}]}',
        '{"version":1,"events":[{"date":"2026-11-29T10:00:00Z","nonce":"NULL","truncated":3}]}', '{"events":[]}', '{"version":1}',
        '{"version":1,"events":{}}', '{"version":1,"events":[1]}', '{"version":1,"events":[],"truncation":1}',
        '{"version":1,"events":[],"truncation":{"nonced duplicates":"x"}}', '{"version":-1,"events":[]}', "x", "",
        '{"version":1,"events":[{"date":"1960-01-01T00:00:00Z","domainID":"AAAA","assertion":"verified"}]}',
        '{"version":1,"events":[{"date":1,"domainID":"AAAA"}]}', '{"version":1,"events":[{"date":"2026-11-29T10:00:00Z","domainID":1}]}',
        '{"version":1,"events":[{"date":"2026-11-29T10:00:00Z","domainID":"AAAA","nonce":1}]}',
        '{"version":1,"events":[{"date":"2026-11-29T10:00:00Z","domainID":"AAAA","assertion":1}]}',
        '{"version":1,"events":[{"date":"2026-11-29T10:00:00Z","domainID":"AAAA","truncated":"-1"}]}'])


def make_csr():
    def csr(subject=name((CN, utf8("x"))), spki=DEVICE_SPKI, attributes=b"", version=0, extra=b""):
        return seq(seq(integer(version), subject, spki, tlv(0xa0, attributes)), ECDSA_SHA256, bits(b"\x30\0"), extra)

    def attribute(kind, *values):
        return seq(oid(kind), set_of(*values))

    def real(subject, *extensions):
        config = "[req]\ndistinguished_name=dn\n[dn]\n"
        config_file = BUILD / "fuzz/req.cnf"
        config_file.write_text(config)
        extra = [x for e in extensions for x in ("-addext", e)]
        return openssl("req", "-new", "-key", str(HERE / "pki/device.key"), "-subj", subject, "-config",
                       str(config_file), "-outform", "DER", *extra)

    password, requests = "1.2.840.113549.1.9.7", "1.2.840.113549.1.9.14"
    san = extension(SAN, seq(tlv(0x82, b"a.example")))
    signed = real("/serialNumber=FUZZ-1", "subjectAltName=DNS:a.example")
    rsa = openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=r", "-outform", "DER",
                  "-config", str(BUILD / "fuzz/req.cnf"))
    out = [
        signed, pem("CERTIFICATE REQUEST", signed), b64(signed), base64.encodebytes(signed), rsa, signed[:-1] + b"\0",
        b64(signed)[:-4] + "!", "-----BEGIN X-----", "-----BEGIN X-----\nAAAA", " \r\n", "", DEVICE, signed + b"\0",
        real("/serialNumber=FUZZ-1/serialNumber=2"), real("/CN=x", "extendedKeyUsage=clientAuth,serverAuth"),
        csr(), csr(version=1), csr(extra=b"\5\0"), csr(subject=b"\x30\x02\x31\0"),
        csr(name((SERIAL, tlv(0x1e, b"\0A")))), csr(name((SERIAL, utf8("x\0y")))),
        csr(attributes=attribute(password, utf8("secret")) + attribute(requests, seq(san))),
        csr(attributes=attribute(password, tlv(0x13, b"x" * 256))), csr(attributes=attribute(password, tlv(0x1e, b"\0a"))),
        csr(attributes=attribute(password, utf8("a\0b"))), csr(attributes=attribute(password, utf8("a"), utf8("b"))),
        csr(attributes=attribute(password, utf8("a")) * 2), csr(attributes=attribute(requests, seq(san, san))),
        csr(attributes=attribute(requests, integer(1))), csr(attributes=attribute(requests, seq(seq(oid(SAN), integer(1))))),
        csr(attributes=attribute(requests, seq(*(extension(f"1.2.3.{n}", b"x") for n in range(33))))),
        csr(attributes=attribute("1.2.3.4")), csr(attributes=attribute(password)), csr(attributes=integer(1)),
        csr(attributes=attribute("1.3.6.1.5.5.7.7.36.1", integer(1)) + attribute("1.2.840.113549.1.9.16.2.37", octets(b"k")) +
            attribute("1.2.840.113549.1.9.16.2.54", octets(b"k")) + attribute("1.2.840.113549.1.9.14.1", integer(1))),
        csr(attributes=attribute("1.3.6.1.5.5.7.7.36", seq())),
        csr(spki=public_key("-algorithm", "ed25519")), csr(spki=public_key("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024")),
        csr(spki=seq(seq(oid("1.2.3")), bits(b"x"))), csr(spki=b"\x30\0"), seq(seq(), ECDSA_SHA256, bits(b"")), seq()]
    for wanted in ([], [san], [san, extension("1.2.3.4", b"")]):
        exts = seq(*wanted, extension("2.5.29.15", b"\x03\x02\x07\x80"))
        out.append(csr(attributes=attribute(password, utf8("a")) + attribute(requests, exts)))
    binding = b64(b"\1\2\3")

    def proven(info):
        """The request with our key's signature."""
        key = str(HERE / "pki/device.key")
        return seq(info, ECDSA_SHA256, bits(openssl("dgst", "-sha256", "-sign", key, stdin=info)))

    def info(subject=name((SERIAL, tlv(0x13, b"FUZZ-1"))), attributes=b""):
        return seq(integer(0), subject, DEVICE_SPKI, tlv(0xa0, attributes))

    device_name = name((ORGANIZATION, utf8("Fuzz Devices")), (SERIAL, tlv(0x13, b"FUZZ-1")))
    seeds("enroll", [proven(i) for i in (
        info(), info(name()), info(name((CN, utf8("x")))), info(name((SERIAL, utf8("OTHER")))), info(device_name),
        info(name((CN, utf8("x" * 200)))), info(name((SERIAL, tlv(0x16, b"FUZZ-1")))), info(b"\x30\x02\x31\0"), info(seq(set_of(seq(oid(CN))))),
        info(attributes=attribute(password, utf8(binding))), info(attributes=attribute(password, utf8("AAAA"))), info(attributes=attribute(password, utf8("!"))),
        info(attributes=attribute(requests, seq(san))), info(attributes=attribute(requests, seq(extension(SAN, seq())))),
        info(attributes=attribute(requests, seq(extension(SAN, b"x")))), info(attributes=attribute(requests, seq(san, extension(CONSTRAINTS, seq(tlv(1, b"\xff"))))))
        , info(device_name, attribute(requests, seq(san))), info(attributes=attribute("1.3.6.1.5.5.7.7.36", seq())))] + [signed, rsa, signed[:-1] + b"\0", b""])
    # what is asked for beside what comes
    modulus = tlv(2, b"\0" + b"\x80" * 100)
    rsa_key = seq(seq(oid("1.2.840.113549.1.1.1"), b"\5\0"), bits(seq(modulus, integer(3))))
    template = "1.2.840.113549.1.9.16.2.61"
    sans = seq(tlv(0x82, b"a.example"), tlv(0x87, b"\x7f\0\0\1"))
    requests_for = [
        csr(), csr(spki=rsa_key), csr(name((SERIAL, utf8("1")), (CN, utf8("x")))), csr(name((CN, utf8("y")))), csr(name()),
        csr(attributes=attribute(requests, seq(extension(SAN, sans)))), csr(attributes=attribute(requests, seq(extension(SAN, b"")))),
        csr(spki=seq(seq(oid("1.2.840.113549.1.1.1")), tlv(3, b""))), csr(spki=seq(seq(oid("1.2.840.113549.1.1.1")), bits(b"x"))),
        csr(spki=seq(seq(oid("1.2.840.10045.2.1")), bits(b"x"))), csr(attributes=attribute(requests, seq(extension(SAN, seq(tlv(0x82, b"")))))),
        csr(attributes=attribute(requests, seq(extension(EKU, b"x"), extension(SAN, seq(tlv(0x82, b"b.example"))))))]
    attrs = [attribute("1.2.840.113549.1.1.1", integer(n)) for n in (512, 2048)] + [
        attribute("1.2.840.10045.2.1", oid("1.2.840.10045.3.1.7")), attribute("1.2.840.10045.2.1", oid("1.3.132.0.34")), oid(SAN), oid(EKU),
        oid(password), attribute(template, seq(integer(0), name((CN, utf8("x"))))), attribute(template, seq(integer(0), seq(set_of(seq(oid(SERIAL)))))),
        attribute(template, seq(integer(0), seq())), attribute(requests, seq(extension(EKU, b"x"))), attribute(requests, seq(extension(EKU, b"y"), extension(SAN, b""))),
        attribute(requests, seq(extension(SAN, seq(tlv(0x82, b""))))), attribute(requests, seq(extension(SAN, seq(tlv(0x82, b"a.example"), tlv(0x87, b""))))),
        attribute(template, seq(integer(0), seq(), tlv(0xa1, attribute("1.2.840.113549.1.9.16.2.62", seq(seq(oid(SAN), octets(sans)), seq(oid(EKU))))))),
        attribute(requests, seq(extension(SAN, sans))), attribute(template, seq(integer(0), seq(set_of(seq(oid(CN), utf8("x")), seq(oid(SERIAL), utf8("")))))) ]
    for number, wish in enumerate(attrs):
        wish = seq(wish)
        for other, made in enumerate(requests_for):
            seed("csr", f"wish-{number:02}-{other:02}", b"a" + bytes([len(wish)]) + wish + made)
    seeds("csr", out)


def make_signature():
    """Of the MASA's key, or followed by the key they are of."""
    def signed(key, *how):
        return openssl("dgst", *(how or ("-sha256",)), "-sign", str(HERE / "pki" / key), stdin=b"what is signed")

    def ec(curve, *how):
        return public_key("-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}", *how)
    good, device = signed("masa.key"), signed("device.key")
    while len(good) != 70 or 0 in (good[4], good[38]):  # two numbers of 32 octets, so that one more fits in front
        good = signed("masa.key")
    r, s = good[4:4 + good[3]], good[6 + good[3]:]
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    other = integer(order - int.from_bytes(s, "big"))
    r, s = tlv(2, r), tlv(2, s)
    out = [good, signed("masa.key"), signed("masa.key", "-sha384"), device, device + DEVICE_SPKI, signed("registrar.key") + REGISTRAR_SPKI, good + DEVICE_SPKI,
           seq(r, other), seq(s, r), seq(r), seq(r, s, s), seq(r, s) + b"\0", seq(), b"", good[:-1], seq(tlv(2, b"\0", r[2:]), s), seq(r, tlv(2, b"\0", s[2:])), seq(tlv(2), s),
           seq(r, integer(0)), seq(integer(0), s), seq(integer(1), integer(1)), seq(r, integer(order)), seq(integer(order), s), seq(integer(order - 1), integer(order - 1)),
           seq(integer(int.from_bytes(r[2:], "big") + order), s), seq(tlv(2, b"\x80" + r[3:]), s), seq(r, tlv(4, s[2:])), tlv(0x31, r, s), b"\x30\x81" + good[1:]]
    point = DEVICE_SPKI[-65:]
    kind, p256 = oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")

    def spki(algorithm, key):
        return seq(seq(*algorithm), bits(key))
    out += [device + key for key in (
        DEVICE_SPKI[:-1] + bytes([DEVICE_SPKI[-1] ^ 1]), DEVICE_SPKI + b"\0", DEVICE_SPKI[:-1], spki((kind, p256), bytes([2 + point[-1] % 2]) + point[1:33]),
        spki((kind, p256), bytes([6 + point[-1] % 2]) + point[1:]), spki((kind, p256), b"\0"), spki((kind, p256), b""), spki((kind,), point), spki((kind, p256, p256), point),
        spki((kind, tlv(5)), point), seq(seq(kind, p256), tlv(3, b"\1" + point)), seq(seq(kind, p256)), seq(), spki((oid("1.3.101.112"),), point[1:33]),
        spki((oid("1.3.101.112"), tlv(5)), point[1:33]), spki((oid("1.3.101.112"),), point), spki((oid("1.2.3"),), point), ec("P-256"), ec("P-384"), ec("P-521"), ec("secp256k1"),
        ec("P-256", "-pkeyopt", "ec_param_enc:explicit"), public_key("-algorithm", "ed25519"), public_key("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"))]
    seeds("signature", out)


def make_csrattrs():
    password, requests, template = "1.2.840.113549.1.9.7", "1.2.840.113549.1.9.14", "1.2.840.113549.1.9.16.2.61"
    extension_template = "1.2.840.113549.1.9.16.2.62"
    rsa, ec, p256, p384, ed = ("1.2.840.113549.1.1.1", "1.2.840.10045.2.1", "1.2.840.10045.3.1.7", "1.3.132.0.34",
                               "1.3.101.112")

    def attribute(kind, *values):
        return seq(oid(kind), set_of(*values))

    def tmpl(*parts, version=0):
        return seq(attribute(template, seq(integer(version), *parts)))

    san = seq(oid(SAN), octets(seq()))
    modulus = bits(seq(tlv(2, b"\0" + b"\x80" * 256), integer(3)))
    out = [
        b"", seq(), seq(oid(password), oid(SAN), oid(ec), oid("1.2.3")), seq(attribute(ec, oid(p256))),
        seq(attribute(ec, oid(p384))), seq(attribute(ec, oid("1.2.3"))), seq(attribute(ec)), seq(attribute(rsa, integer(3072))),
        seq(attribute(rsa, integer(0))), seq(attribute(rsa, integer(9000))), seq(attribute(rsa, integer(1 << 40))),
        seq(attribute(rsa, integer(99999))), seq(oid(ed)), seq(attribute("1.3.101.113", b"\5\0")),
        seq(attribute(ec, oid(p256)), attribute(rsa)), seq(attribute(rsa, integer(1), integer(2))),
        seq(attribute(requests, seq(san))), seq(attribute(requests, seq(san, san))), seq(attribute(requests, oid(SAN))),
        seq(attribute(requests, seq(seq(oid(SAN))))), seq(attribute(requests, integer(1))),
        seq(attribute(requests, seq(san)), attribute(requests, seq(san))), seq(attribute(requests)),
        seq(attribute(requests, seq(*(seq(oid(f"1.2.3.{n}"), tlv(1, b"\xff"), octets(b"")) for n in range(17))))),
        seq(attribute(requests, seq(seq(oid(SAN), octets(b""), b"\5\0")))),
        seq(attribute(password)), seq(integer(1)), seq(seq(oid(password))), seq(oid(SAN), oid(SAN)),
        tmpl(), tmpl(version=1), tmpl(name((CN, utf8("x")))), tmpl(seq(set_of(seq(oid(SERIAL))))), tmpl(seq(integer(1))),
        tmpl(seq(set_of(integer(1)))), tmpl(seq(set_of(seq(oid(CN), utf8("a"), utf8("b"))))),
        tmpl(seq(), tlv(0xa0, seq(oid(ec), oid(p256)))), tmpl(seq(), tlv(0xa0, seq(oid(rsa), b"\5\0"), modulus)),
        tmpl(tlv(0xa0, seq(oid(rsa)), bits(seq(tlv(2, b""))))), tmpl(tlv(0xa0, seq(oid(rsa)), tlv(3, b""))),
        tmpl(tlv(0xa0, seq(oid(ec)), bits(b""))), tmpl(tlv(0xa0, seq(oid(rsa)), bits(b"\5\0"))), tmpl(tlv(0xa0, integer(1))),
        tmpl(tlv(0xa1, attribute(password), attribute(extension_template, seq(seq(oid(SAN)), seq(oid(EKU), octets(b"x")))))),
        tmpl(tlv(0xa1, attribute(requests, seq(san)))), tmpl(tlv(0xa1, attribute(extension_template, oid(SAN)))),
        tmpl(tlv(0xa1, integer(1))), tmpl(tlv(0xa1, attribute("1.2.3"))), tmpl(integer(1)),
        seq(attribute(template, seq(integer(0))), attribute(template, seq(integer(0)))), seq(attribute(template)),
        seq(attribute(template, seq(), seq())), seq() + b"\0",
        "wchallengePassword ec-p256 san", "wec-p384,1.2.3", "wrsa-3072\ted25519", "wnonsense", "w1.2.", "w" + "x" * 200, "w"]
    seeds("csrattrs", out)


def make_pkcs7_certs():
    def certs_only(certs=MAKER_ROOT, version=1, digests=b"", kind="1.2.840.113549.1.7.1", content=b"", crls=b"", infos=b"",
                   outer="1.2.840.113549.1.7.2", tail=b""):
        return seq(oid(outer), tlv(0xa0, seq(integer(version), set_of(digests), seq(oid(kind), content), tlv(0xa0, certs),
                                             crls, set_of(infos), tail)))
    seeds("pkcs7_certs", [
        certs_only(), certs_only(MAKER_ROOT + SITE_ROOT), certs_only(MAKER_ROOT * 17), certs_only(b""), certs_only(version=9),
        certs_only(version=0), certs_only(kind="1.2.3"), certs_only(content=tlv(0xa0, octets())),
        certs_only(content=tlv(0xa0, octets(b"x"))), certs_only(content=tlv(0xa0, octets(), octets())),
        certs_only(crls=tlv(0xa1)), certs_only(infos=seq()), certs_only(outer="1.2.3"), certs_only(tail=b"\5\0"),
        certs_only(tlv(0xa1, seq())), certs_only(seq()), certs_only(digests=seq()), certs_only() + b"\0", b"", seq(),
        certs_only(DEVICE + tlv(0xa3, b""))])


def make_crl_list():
    device = name((ORGANIZATION, utf8("Fuzz Devices")), (SERIAL, tlv(0x13, b"FUZZ-1")))
    registrar = int(openssl("x509", "-in", str(HERE / "pki/registrar.crt"), "-noout", "-serial").split(b"=")[1], 16)
    now, later = tlv(0x17, b"261129000000Z"), tlv(0x18, b"20261231000000Z")
    delta, point = "2.5.29.27", "2.5.29.28"

    def entry(number=b"\2\1\7", time=now, extensions=b""):
        return seq(number, time, extensions)

    def crl(*entries, version=integer(1), algorithm=ECDSA_SHA256, issuer=device, this=now, to=later, extensions=None, tail=b""):
        wanted = tlv(0xa0, seq(*extensions)) if extensions is not None else b""
        return seq(version, algorithm, issuer, this, to, seq(*entries) if entries else b"", wanted, tail)

    def part(*fields):
        return [extension(point, seq(*fields), True)]
    uri = tlv(0x86, b"http://crl.example/site.crl")
    seeds("crl_list", [
        crl(), crl(entry(), entry(integer(registrar))), crl(entry(tlv(2, b"\0" * 3 + b"\7"))), crl(entry(tlv(2))), crl(version=b""),
        crl(version=integer(0)), crl(version=integer(2)), crl(algorithm=seq()), crl(issuer=name((CN, utf8("x")))), crl(to=b""),
        crl(this=later, to=later), crl(to=now), crl(this=tlv(0x17, b"x")), crl(this=b"\5\0"), crl(entry(time=b"")), crl(entry(time=b"\5\0")),
        crl(entry(extensions=seq(extension("2.5.29.21", b"\x0a\1\1")))), crl(entry(extensions=seq(extension("2.5.29.29", seq(), True)))),
        crl(entry(extensions=seq(seq()))), crl(entry(extensions=b"\5\0")), crl(*[seq()] * 9), crl(b"\5\0" * 12), crl(extensions=[]),
        crl(extensions=[extension("2.5.29.20", integer(1))]), crl(extensions=[extension("2.999", b"", True)]), crl(extensions=[seq()]),
        crl(extensions=[extension(delta, integer(1), True)]), crl(extensions=part()), crl(extensions=part(tlv(0xa0, tlv(0xa0, uri)))),
        crl(extensions=part(tlv(0xa0, tlv(0xa0, tlv(0xa4, name()), tlv(0x86, b"http://x/"))))), crl(extensions=part(tlv(0xa0, tlv(0xa0)))),
        crl(extensions=part(tlv(0xa0, tlv(0xa0, b"\x86\5x")))), crl(extensions=part(tlv(0xa0, tlv(0xa1)))), crl(extensions=part(tlv(0xa0, tlv(0xa0, uri), uri))),
        crl(extensions=part(tlv(0x81, b"\xff"))), crl(extensions=part(tlv(0x82, b"\xff"))), crl(extensions=part(tlv(0x81, b"\0"))),
        crl(extensions=part(tlv(0x84, b"\xff"))), crl(extensions=[extension(point, b"\5\0")]), crl(extensions=[extension(point, seq() + seq())]),
        crl(tail=b"\5\0"), crl(tlv(2, b"\1")), crl()[:-1], seq(), b"", seq(crl(), ECDSA_SHA256, bits(b"x")), seq(crl(), ECDSA_SHA256, tlv(3)),
        seq(crl(), ECDSA_SHA256, tlv(3, b"\1x")), seq(crl(), seq(), bits(b"x"), b"\5\0")])


def make_ocsp_request():
    sha1, sha256, nonce = oid("1.3.14.3.2.26"), oid("2.16.840.1.101.3.4.2.1"), "1.3.6.1.5.5.7.48.1.2"
    subject = name((ORGANIZATION, utf8("Fuzz Devices")), (SERIAL, tlv(0x13, b"FUZZ-1")))
    key = DEVICE_SPKI[-65:]

    def digest(how, data):
        return octets(hashlib.new(how, data).digest())

    def cert_id(hash_oid=sha1, parameters=b"\5\0", how="sha1", serial=integer(7), tail=b"", of=subject):
        return seq(seq(hash_oid, parameters), digest(how, of), digest(how, key), serial, tail)

    def asked(what=None, extensions=b"", tail=b""):
        return seq(cert_id() if what is None else what, extensions, tail)

    def request(*asks, version=b"", requestor=b"", extensions=None, tail=b"", signature=b""):
        wanted = tlv(0xa2, seq(*extensions)) if extensions is not None else b""
        return seq(seq(version, requestor, seq(*asks), wanted, tail), signature)

    def with_nonce(*values):
        return request(asked(), extensions=[extension(nonce, v) for v in values])
    seeds("ocsp_request", [
        request(asked()), request(asked(cert_id(sha256, b"", "sha256"))), request(asked(cert_id(parameters=b""))), request(asked(), asked(cert_id(serial=integer(8)))),
        request(asked(cert_id(of=b"other"))), request(asked(cert_id(oid("1.2.840.113549.2.5"), how="md5"))),
        request(*[asked()] * 8), request(*[asked()] * 9), request(), request(asked(cert_id(parameters=b"\4\0"))), request(asked(cert_id(parameters=b"\5\1x"))),
        request(asked(cert_id(serial=tlv(2)))), request(asked(cert_id(serial=tlv(2, b"\0\1")))), request(asked(cert_id(serial=tlv(2, b"\xff\x80")))), request(asked(cert_id(serial=tlv(2, b"\x80")))),
        request(asked(cert_id(serial=tlv(2, b"\1" * 33)))), request(asked(cert_id(serial=tlv(2, b"\0\xff" * 16)))), request(asked(cert_id(tail=b"\5\0"))), request(asked(tail=b"\5\0")),
        request(asked(extensions=tlv(0xa0, seq(extension("1.2.3", b""))))), request(asked(extensions=tlv(0xa0, seq(extension("1.2.3", b"", True))))),
        request(asked(extensions=tlv(0xa0, seq(extension(nonce, octets(b"x")))))),
        request(asked(), version=tlv(0xa0, integer(0))), request(asked(), version=tlv(0xa0, integer(1))), request(asked(), version=tlv(0xa0, integer(0), b"\5\0")), request(asked(), version=tlv(0xa0, tlv(2, b"\x80"))),
        request(asked(), requestor=tlv(0xa1, tlv(0xa4, subject))), request(asked(), signature=tlv(0xa0, seq(ECDSA_SHA256, bits(b"x")))), request(asked(), signature=b"\5\0"),
        request(asked(), tail=b"\5\0"), request(asked(), extensions=[]), request(asked(), extensions=[seq()]), request(asked(), extensions=[extension("1.3.6.1.5.5.7.48.1.4", seq(oid("1.3.6.1.5.5.7.48.1.1")))]),
        request(asked(), extensions=[extension("1.2.3", b"", True)]), with_nonce(octets(b"0123456789abcdef")), with_nonce(octets(b"n" * 128)), with_nonce(octets(b"n" * 129)),
        with_nonce(octets()), with_nonce(b"bare"), with_nonce(octets(b"1"), octets(b"2")), with_nonce(octets(b"1") + b"\5\0"),
        seq(seq(seq(asked()), tlv(0xa2, seq(), seq()))), request(asked(cert_id())) + b"\0", request(asked())[:-1], b"", seq(), seq(seq()), seq(seq(b"\5\0")), request(seq()), request(seq(seq())), b"\0" * 4097,
        request(asked(), extensions=[seq(oid("1.2.3"), tlv(1, b"\xff\xff"), octets())])])


def make_idevid():
    subject = name((CN, utf8("Device")), (SERIAL, tlv(0x13, b"FUZZ-2")))

    def cert(subject=subject, extensions=b"", spki=DEVICE_SPKI, version=2, serial=integer(5), tail=b"",
             begin=tlv(0x17, b"250101000000Z"), end=tlv(0x18, b"99991231235959Z")):
        tbs = seq(tlv(0xa0, integer(version)) if version else b"", serial, ECDSA_SHA256, name((CN, utf8("CA"))),
                  seq(begin, end), subject, spki, tlv(0xa3, seq(extensions)) if extensions else b"")
        return seq(tbs, ECDSA_SHA256, bits(b"\x30\0"), tail)

    def url(text, critical=False):
        return extension(MASA_URL, tlv(0x16, text.encode()), critical)

    def hardware(serial, critical=False):
        other = tlv(0xa0, oid("1.3.6.1.5.5.7.8.4"), tlv(0xa0, seq(oid("1.2.3"), octets(serial))))
        return extension(SAN, seq(other), critical)

    out = [DEVICE, MASA, REGISTRAR, MAKER_ROOT, SITE_ROOT, cert(), cert(version=0), cert(version=1), cert(version=5), cert(tail=b"\5\0"),
           cert() + b"\0", b"", seq(), cert(serial=tlv(2, b"\1" * 33)), cert(serial=tlv(2, b"")), cert(spki=seq())]
    out += [cert(extensions=url(t)) for t in (
        "masa.example", "masa.example:9443", "https://masa.example/", "https://masa.example/path/", "masa.example/x",
        "[2001:db8::1]:1", "192.0.2.1", "", "http://masa.example", "https://", "a b", "masa.example:99999", "x" * 600,
        "https://u@masa.example/", "masa.example/\u00e4")]
    out += [cert(extensions=x) for x in (
        url("masa.example", True), extension(MASA_URL, utf8("masa.example")), extension(MASA_URL, b""),
        extension(MASA_URL, tlv(0x16, b"a") + b"\0"), extension(MASA_URL, b"\x16\x81\x0cmasa.example"),
        extension(MASA_URL, b"\x16\x82\x00\x0cmasa.example"), extension(MASA_URL, tlv(0x16, b"a\0b")),
        url("a") + url("b"), hardware(b"HW-1"), hardware(b"\x01\x02"), hardware(b""), hardware(b"HW-1") + url("m.example"),
        extension(SAN, seq(tlv(0x82, b"a.example"))), extension(SAN, b"\5\0"),
        extension(SAN, seq(tlv(0xa0, oid("1.3.6.1.5.5.7.8.4"), tlv(0xa0, integer(1))))),
        extension(AKI, seq(tlv(0x80, b"\1" * 20))), extension(AKI, seq()), extension(AKI, b"x"), extension(SKI, octets(b"\2" * 20)),
        extension(SKI, b"x"), extension(EKU, seq(oid("1.3.6.1.5.5.7.3.28"), oid("1.3.6.1.5.5.7.3.1"), oid("2.5.29.37.0"))),
        extension(EKU, b"x"), extension(CONSTRAINTS, seq(tlv(1, b"\xff")), True), extension(CONSTRAINTS, b"x"),
        extension("1.2.3", b"x", True), b"".join(extension(f"1.2.3.{n}", b"") for n in range(65)))]
    out += [cert(name(*pairs)) for pairs in (
        [], [(SERIAL, utf8("FUZZ-3"))], [(SERIAL, tlv(0x1e, b"\0A"))], [(SERIAL, tlv(0x14, b"A"))], [(SERIAL, tlv(0x13, b""))],
        [(SERIAL, tlv(0x13, b"x" * 129))], [(SERIAL, utf8("a\0b"))], [(SERIAL, tlv(0x0c, b"\xff\xfe"))],
        [(SERIAL, tlv(0x13, b"1")), (SERIAL, tlv(0x13, b"2"))], [(CN, utf8("x")), (CN, utf8("y"))], [(CN, tlv(0x1c, b"\0\0\0A"))],
        [(ORGANIZATION, utf8("Org"))], [(ORGANIZATION, utf8("x" * 65))], [(CN, utf8("tab\there \"quote\", + \u00e4"))])]
    out += [cert(begin=tlv(0x17, b"x")), cert(end=tlv(0x18, b"20261301000000Z")), cert(begin=tlv(0x18, b"19000101000000Z")),
            cert(spki=public_key("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024")), cert(spki=public_key("-algorithm", "ed25519")),
            cert(spki=public_key("-algorithm", "X25519")),
            cert(spki=public_key("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384")),
            cert(spki=public_key("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1")),
            cert(spki=DEVICE_SPKI[:-1] + b"\0")]
    seeds("idevid", out)


# ---- HTTP ----

def make_http1():
    post = "POST /.well-known/brski/requestvoucher HTTP/1.1\r\nHost: a.example\r\n"
    seeds("http1", [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "\r\nHEAD /x?y=1 HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n\r\n",
        post + "Content-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: b\r\n\r\n", post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        post + "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n",
        post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        post + "Content-Length: 1,1\r\n\r\nx", post + "Content-Length: -1\r\n\r\n", post + "Content-Length: 99999999999999999999\r\n\r\n",
        post + "Content-Length: 513\r\n\r\n", post + "Content-Length: 4\r\nExpect: 100-continue\r\n\r\nabcd", post + "Expect: odd\r\n\r\n",
        post + "Content-Length : 1\r\n\r\n", post + " folded\r\n\r\n", post + "A: b\n\r\n", post + "A\r\n\r\n", post + ": b\r\n\r\n",
        post + "A: \x01\r\n\r\n", post + "Host: b\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "GET / HTTP/1.7\r\nHost: a\r\n\r\n", "G\x00T / HTTP/1.1\r\n\r\n", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "GET /" + "x" * 2100 + " HTTP/1.1\r\n", "\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n" + "".join(f"H{n}: {n}\r\n" for n in range(70)) + "\r\n", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        post + "Transfer-Encoding: chunked\r\n\r\nx\r\n", post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX", post + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        post + "Transfer-Encoding: chunked\r\n\r\n201\r\n", post + "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
        post + "Transfer-Encoding: chunked\r\n\r\n0\r\nbad trailer\r\n\r\n", post + "Transfer-Encoding: chunked\r\n\r\n1;" + "x" * 300,
        post + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + "T: x\r\n" * 500, "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        post + "Transfer-Encoding: identity\r\n\r\n", post + "Transfer-Encoding:\r\n\r\n", post + "Content-Length:\r\n\r\n", "\rGET / HTTP/1.1\r\n", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"])


def make_http1_reply():
    ok = "HTTP/1.1 200 OK\r\n"
    seeds("http1_reply", [
        ok + "Content-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello", ok + "\r\nuntil the end", ok + "Content-Length: 5\r\n\r\nhel",
        ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", ok + "Transfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nT: 1\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 0\r\n\r\n", "HTTP/1.1 103 E\r\n\r\n" * 9 + ok, "HTTP/1.1 101 S\r\n\r\n",
        "HTTP/1.1 202 Accepted\r\nRetry-After: 5\r\nDate: Sun, 29 Nov 2026 10:00:00 GMT\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 204 N\r\n\r\n",
        "HTTP/1.1 307 T\r\nLocation: https://b.example/x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx", "HTTP/2 200\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n", ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", ok + "Content-Length: x\r\n\r\n", ok + "Content-Length: 1025\r\n\r\n",
        ok + "Content-Length: 99999999999999999999\r\n\r\n", ok + "Transfer-Encoding: gzip\r\n\r\n", ok + "A : b\r\n\r\n", ok + " folded\r\n\r\n",
        ok + "A: b\n\r\n", ok + "no colon\r\n\r\n", ok + ": x\r\n\r\n", ok + "Location: " + "x" * 1100 + "\r\n\r\n", ok + "Content-Type: a\r\nContent-Type: b\r\n\r\n",
        ok + "Transfer-Encoding: chunked\r\n\r\nx\r\n", ok + "Transfer-Encoding: chunked\r\n\r\n401\r\n", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nxy",
        ok + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n", ok + "Transfer-Encoding: chunked\r\n\r\n1;" + "x" * 300, ok + "A: " + "x" * 17000, "", "H", "SSH-2.0",
        ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + "T: x\r\n" * 3000, ok + "\r\n" + "x" * 1030, ok + "A: \x00\r\n\r\n",
        ok + "Transfer-Encoding: chunked\r\n\r\n\r\n", ok + "Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n", ok + "Retry-After: " + "1" * 70 + "\r\n\r\n"])


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(key, value):
    """An HPACK field without indexing (RFC 7541 §6.2.2), lengths below 127."""
    return b"\0" + bytes([len(key)]) + key.encode() + bytes([len(value)]) + value.encode()


def headers(stream, method, path, *fields, end=True, authority="a.example", flags=4):
    block = literal(":method", method) + literal(":scheme", "https") + literal(":path", path)
    if authority:
        block += literal(":authority", authority)
    return frame(1, flags | (1 if end else 0), stream, block + b"".join(literal(*f) for f in fields))


def make_http2():
    def data(stream, payload, end=True):
        return frame(0, 1 if end else 0, stream, payload)

    settings, ack = frame(4, 0, 0), frame(4, 1, 0)
    window = frame(8, 0, 0, (1 << 20).to_bytes(4, "big"))
    out = [
        headers(1, "POST", "/echo", end=False) + data(1, b"hello"), headers(1, "GET", "/refuse") + headers(3, "GET", "/any/x"),
        headers(1, "POST", "/late", end=False) + data(1, b"x") + headers(3, "POST", "/late", end=False) + data(3, b"y") + frame(3, 0, 1, b"\0\0\0\x08"),
        window + headers(1, "GET", "/large") + frame(8, 0, 1, (1 << 20).to_bytes(4, "big")), headers(1, "HEAD", "/large"),
        headers(1, "GET", "/none"), headers(1, "PUT", "/echo"), headers(1, "POST", "/typed", ("content-type", "text/plain"), end=False) + data(1, b"x" * 65),
        headers(1, "POST", "/typed", ("content-type", "image/png"), end=False) + data(1, b"x"), headers(1, "POST", "/echo", ("content-length", "9"), end=False) + data(1, b"x"),
        headers(1, "POST", "/echo", ("expect", "100-continue"), end=False) + data(1, b"x", False) + data(1, b"y"),
        headers(1, "GET", "/any/x", ("host", "a.example")), headers(1, "GET", "/any/x", ("host", "b.example")), headers(1, "GET", "/any/x", authority=""),
        headers(1, "GET", "x"), headers(1, "OPTIONS", "*"), headers(1, "GET", "/a#b"), headers(1, "VERYLONGMETHODNAMEHERE", "/any/x"),
        headers(1, "GET", "/any/x", ("X-Upper", "1")), headers(1, "GET", "/any/x", *((f"h{n}", "x") for n in range(70))),
        headers(1, "GET", "/any/x", *((f"h{n}", "x" * 120) for n in range(70))), headers(1, "GET", "/any/x", ("x-request-id", "0123456789abcdef")),
        headers(1, "GET", "/any/x", flags=0) + frame(9, 4, 1, literal("a", "b")), headers(1, "GET", "/any/x", flags=0) + frame(9, 0, 1, b"") * 6,
        headers(2, "GET", "/any/x"), headers(3, "GET", "/any/x") + headers(1, "GET", "/any/x"), data(1, b"x"), frame(6, 0, 0, b"12345678") * 3, frame(6, 0, 0, b"1"),
        frame(7, 0, 0, b"\0" * 8), frame(8, 0, 0, b"\0" * 4), frame(8, 0, 0, b"\x7f\xff\xff\xff") * 2, frame(5, 4, 1, b"\0\0\0\2"), frame(99, 0, 0, b"x"),
        headers(1, "POST", "/echo", end=False) + data(1, b"x", False) + frame(1, 5, 1, literal("trailer", "1")),
        b"".join(headers(n, "POST", "/late", end=False) for n in range(1, 21, 2)), b"".join(headers(n, "GET", "/any/x") + frame(3, 0, n, b"\0\0\0\x08") for n in range(1, 301, 2)),
        headers(1, "POST", "/echo", end=False) + data(1, b"x" * 4097, False), headers(1, "GET", "/refuse", end=False) + data(1, b"x" * 8000, False) * 9,
        headers(1, "POST", "/late", ("content-length", "1"), ("content-length", "1"), end=False) + data(1, b"x"),
        b"".join(headers(n, "POST", "/late", end=False) + data(n, b"x" * 900) for n in range(1, 41, 2)), frame(1, 4, 1, b"\xff\xff\xff\xff"), b"GET / HTTP/1.1\r\n\r\n",
        frame(4, 0, 0, b"\0\1\0\0\0\0" + b"\0\5\0\0\x40\0") * 3, headers(1, "POST", "/none", end=False) + data(1, b"x" * 9000, False) * 9 + headers(3, "GET", "/any/x"),
    ]
    out += [frame(8, 0, 0, b"\0\0\0\1") * 1100, headers(1, "POST", "/echo", end=False) + data(1, b"", False) * 900, (frame(99, 0, 0) * 300 + headers(1, "GET", "/any/x")) * 4]
    out = [settings + ack + o for o in out]
    seeds("http2", out + [out[0][:n] for n in (5, 40)] + [out[0] + b"\0" * n for n in (1, 2)])


# ---- files ----

def make_config():
    registrar = """[server]
listen = 127.0.0.1:8443
key = r.key
certificate = r.crt
[store]
path = store
[ca]
key = ca.key
certificate = ca.crt
[manufacturer Acme]
anchors = acme.crt
masa_anchors = masa.crt
admit = all
"""
    masa = "[server]\nlisten = 127.0.0.1:9443\nkey = k\ncertificate = c\n[store]\npath = s\n[signer]\nkey = k\ncertificate = c\n[devices]\nanchors = a\n"
    pledge = "[device]\nidevid_key = k\nidevid_certificate = c\nmasa_anchors = m\n[registrars]\nurls = https://a:1 https://b\n"
    out = ["r" + registrar, "m" + masa, "p" + pledge]
    out += ["r" + registrar + x for x in (
        "admit = listed\n", "serials = s\nadmit = listed\n", "[policy]\nretry_after = 5m\npending_days = 9\n", "[policy]\nretry_after = 5x\n",
        "[policy]\nretry_after = 99999999999999999999d\n", "[masa]\naddresses = global, loopback\n", "[masa]\naddresses = mars\n", "[server]\nworkers = -1\n",
        "[server]\nworkers = x\n", "[server]\nlistne = a\n", "[sever]\nlisten = a\n", "[ca]\nserver_keygen = yes\n", "[est]\nserver_keygen = on\ncacerts_open = no\n",
        "[est]\nserver_keygen = maybe\n", "[manufacturer Acme]\nadmit = hold\n", "[manufacturer B]\nanchors = b\nmasa_anchors = b\n", "[manufacturer]\nanchors = b\n",
        "[audit]\ncheck = off\n", "[audit]\ncheck = of\n", "[log]\nlevel = debug\n", "[server X]\n", "[server\n", "[]\n", "[manufacturer a b]\nanchors=x\n",
        "no equals\n", "= x\n", "[server]\nlisten =\n", "key\n = x\n", "# comment\n; comment\n[log] ; c\nlevel = info ; c\n", "[" + "x" * 60 + "]\n",
        "[server]\n" + "x" * 60 + " = 1\n", "[est]\ncsrattrs = " + "x" * 300 + "\n", "[est]\ncsrattrs = " + "x" * 5000 + "\n", "\0\n", "[est]\r\ncsrattrs = a\r\n",
        "[manufacturer C]\nserial_from = cn\nexpired_idevid = accept\nmasa_url = https://m.example\n", "[server]\nlisten : b\n", "[log]\nlevel = info\nlevel = info\n")]
    out += ["m" + masa + x for x in ("[policy]\nownership = known-owner\nnonceless = owners\nnonceless_lifetime = 20m\n", "[policy]\npin = end-entity\n",
                                     "[rate]\nper_registrar_per_minute = 0\n", "[policy]\nnonceless = owners\n")]
    out += ["p" + pledge + x for x in ("[retry]\nbackoff_min = 2s\nbackoff_max = 1h\nattempts = 3\n", "[policy]\nassertion = verified\nnonceless = refuse\n", "[device]\nkey_type = rsa-3072\n")]
    out += ["r" + registrar + "\n----\n" + x for x in ("[log]\nlevel = debug\n", "[server]\nlisten = b:1\nnonsense\n", "")]
    out += ["r" + x for x in ("[log]\nlevel = info # why\n", "[log]\nlevel = info;\n", "[log] x\n", "key = before any section\n", "[log]\n; c\n  level = info\n")]
    seeds("config", out + ["r", "m", "p", "p[device]\n", "r\xef\xbb\xbf" + registrar])


def make_csv():
    seeds("csv", [
        "serial,idevid_issuer,owner\nA-1,BBgwFoAUAAAAAAAAAAAAAAAAAAAAAAAAAAA=,Acme\n", "\ufeffserial\r\nA-1\r\n\r\nA-2\r\n", "Serial,\"own\"\"er\"\n\"a,b\",\"c\nd\"\n",
        "serial\n\"unfinished", "serial\n\"a\"b\n", "serial\na\"b\n", "serial\n" + "," * 70 + "\n", "serial\n" + "x" * 17000 + "\nA-2\n", "", "\n\n", ",\n", "\"\"\n", "a\rb\n",
        "serial\na\0b\nA-2\n", "idevid_issuer\nAAAA\nMBaAFAAAAAAAAAAAAAAAAAAAAAAAAAAA\nAAECAwQFBgcICQoLDA0ODxAREhM=\n!\n",
        "manufacturer,serial,note,site\nacme,A-1,order 7,x\nacme,A-1,,\nacme, A-2,,\nacne,A-3,,\nacme,\x1b,,\nacme,A-4,,,\n",
        "{\"manufacturer\":\"acme\",\"serial\":\"A-1\",\"note\":\"n\",\"site\":1}\n\n[]\n{\"manufacturer\":\"acme\",\"serial\":7}\n{\"manufacturer\":\"acme\",\"serial\":\"A-1\"}",
        # a supplier's list with all there can be, and what can be wrong with it
        "Manufacturer,SERIAL,note,model,site,labels,idevid_sha256,not_before,not_after,supplier,order,Pallet No,Pallet No\n"
        f"acme,B-1,n,M1,/eu/dock,rack=4;row=2,{'AB' * 32},2026-01-01,2027-01-01T00:00:00Z,Sup,O-7,P 1,\n"
        f"acme,B-2,,,,\"{{\"\"a\"\":\"\"b\"\"}}\",{'ab' * 31},,,,,,\nacme,B-3,,,,rack,,,,,,,\nacme,B-4,,,,{{,,,,,,,\n"
        "acme,B-5,,,dock,,,,,,,,\nacme,B-6,,,,,,tomorrow,,,,,\nacme,B-7,,,,,,2027-01-01,2026-01-01,,,,\nacme,B-8,,,,,,,2020-01-01,,,,\n"
        f"acme,B-1,again,,,,,,,,,,\nacme,B-9,{'n' * 2000},,,,,,,,,,\nacme,B-10,,{'m' * 300},,=x;a=;a=b=c;,zz,,,,,,\n",
        "serial,serial\nA,B\n", "manufacturer\nacme\n", "serial,labels\nacme,a=\xff\n",
        "{\"manufacturer\":\"acme\",\"serial\":\"C-1\",\"labels\":{\"rack\":\"4\"},\"Pallet\":\"7\",\"count\":3,\"odd\":null,\"site\":\"/a\"}\n"
        "{\"manufacturer\":\"acme\",\"serial\":\"C-2\",\"labels\":{\"rack\":4}}\n{\"manufacturer\":\"acme\",\"serial\":\"C-2\",\"labels\":\"rack=4\"}\n{]\n",
        f"manufacturer,serial\n,D-1\nacme,\nacme,{'D' * 300}\nacme,1.23457E+14\nacme,a\"b\nacme,\"unfinished"])


def make_ask_answer():
    seeds("ask_answer", [
        "{\"id\":\"q1\",\"decision\":\"approve\",\"reason\":\"order 7\",\"site\":\"/eu/dock\",\"labels\":{\"rack\":\"4\"}}",
        "{\"id\":\"q1\",\"decision\":\"hold\"}", "{\"id\":\"q1\",\"decision\":\"reject\",\"reason\":\"\\u001b\"}", "{\"id\":\"q2\",\"decision\":\"hold\"}",
        "{\"id\":\"q1\",\"decision\":\"admit\"}", "{\"id\":\"q1\",\"decision\":7}", "{\"id\":\"q1\",\"decision\":\"hold\",\"site\":\"dock\"}",
        "{\"id\":\"q1\",\"decision\":\"hold\",\"labels\":[]}", "{\"id\":\"q1\",\"decision\":\"hold\",\"labels\":{\"A\":1}}",
        "{\"id\":\"q1\",\"decision\":\"hold\",\"reason\":\"" + "r" * 300 + "\"}", "[]", "", "x" * 17000])


def make_cloud_places():
    one = "{\"url\":\"https://a.example/x\",\"weight\":7,\"region\":\"eu\"}"
    seeds("cloud_places", [
        "{\"serial\":\"S\",\"owner\":\"depot\",\"registrars\":[" + one + "],\"est_domain\":null}",
        "{\"owner\":null,\"registrars\":[],\"est_domain\":\"https://est.example/\"}", "{\"owner\":7}", "{\"registrars\":{}}",
        "{\"registrars\":[" + ",".join([one] * 65) + "]}", "{\"registrars\":[{\"url\":\"http://a/\"}]}", "{\"registrars\":[{\"url\":\"https://a/\\r\"}]}",
        "{\"registrars\":[{\"url\":\"https://a/\",\"weight\":-1}]}", "{\"registrars\":[{\"url\":\"https://a/\",\"weight\":\"1\"}]}", "{\"registrars\":[1]}",
        "{\"registrars\":[{\"url\":\"https://a/\",\"region\":\"" + "r" * 40 + "\"}]}", "{\"est_domain\":\"est.example\"}", "{\"owner\":\"" + "o" * 200 + "\"}", "[]", "",
        "10.0.0.0/8 a\n2001:db8::/32 b # c\n\n192.0.2.1 d\n", "10.0.0.0/33 a", "10.0.0.0/ a", "10.0.0.0/8", "x a", "10.0.0.0/8 a b", "\n" * 10001])


def make_core_link():
    seeds("core_link", [
        "<>;brski-jp=57101", "<>;brski-jp=57101,<>;p=v;brski-jp=\"57102\"", "<jpy://[2001:db8::1]:7634>;rt=brski.rjp", "<coaps://[fe80::1]/b>;rt=brski",
        "</b>;rt=brski;ct=836,</b/rv>;rt=\"brski.rv x\";ct=\"60 836\",</e>;rt=ace.est", "", " <a>", "<a>;obs;title=\"a \\\" b\";rt=x;rt=y", "x", "<a", "<a>x", "<a>;",
        "<a>;b=", "<a>;b=\"c", "<a>;b=\"c\\", "<a>,", "<>;brski-jp=0", "<>;brski-jp=x", "<>;brski-jp=123456", "<jpy://u@a:5>", "<jpy://[::1>", "<jpy://a:>", "<jpy://>",
        "<jpy://[::1]5>", ",".join(["<>"] * 65), "<" + "x" * 300 + ">", "<a>;b=" + "x" * 300, "<" + "x" * 4100 + ">", "<jpy://" + "x" * 70 + ":5>", "<jpy:x>", "<jpy://a/b?c>;rt=a"])


def make_jpy():
    header, record = bytes(range(32)), b"\x16\xfe\xfd" + bytes(60)
    seeds("jpy", [
        b"\x82\x58\x20" + header + b"\x58\x3f" + record, b"\x82\x50" + header[:16] + b"\x59\x00\x3f" + record,
        b"\x83\x41\xaa\x41\xbb\xf6", b"\x9f\x41\xaa\x41\xbb\xff", b"\x82\x40\x41\xbb", b"\x81\x41\xaa", b"\x82\x41\xaa\x40",
        b"\x82\x61a\x41b", b"\x82\x41a\x61b", b"\x82\x5f\x41a\xff\x41b", b"\xa1\x41a\x41b", b"\x9b" + b"\xff" * 8 + b"\x41a",
        b"\x82\x58\x41" + bytes(65) + b"\x41b", b"\x82\x58\x40" + bytes(64) + b"\x41b", b"\x82\x41a\x5a\xff\xff\xff\xffb", record])


def make_dns_message():
    head = struct.pack("!HHHHHH", 0, 0x8400, 0, 1, 0, 3)
    name, host, back = b"\x0c_brski-proxy\x04_tcp\x05local\0", b"\x02gw\xc0\x1e", b"\xc0\x0c"

    def record(owner, kind, data, kept=0x8001):
        return owner + struct.pack("!HHIH", kind, kept, 120, len(data)) + data
    ptr = record(name, 12, b"\x02p1" + back, 1)
    owner = struct.pack("!H", 0xc000 | (12 + len(name) + 10))
    whole = (head + ptr + record(owner, 33, struct.pack("!HHH", 1, 2, 4443) + host)
             + record(owner, 16, b"\x07est-tls\0\x03a=b") + record(b"\x02gw\xc0\x1e", 28, bytes(16)))
    question = struct.pack("!HHHHHH", 7, 0x0100, 2, 0, 0, 0) + name + b"\0\x0c\x80\1" + back + b"\0\x21\0\1"

    def one(data):
        return struct.pack("!HHHHHH", 0, 0x8400, 0, 1, 0, 0) + data
    seeds("dns_message", [
        whole, question, whole[:60], whole[:90], head, head[:7], b"", one(record(b"\1a\0", 1, b"\x7f\0\0\1")), one(record(b"\1a\0", 1, b"abc")),
        one(record(b"\1a\0", 33, b"abc")), one(record(b"\1a\0", 16, b"\5a")), one(record(b"\1a\0", 12, b"\1a\0x")), one(record(b"\1a\0", 47, b"x")), one(record(b"\0", 28, b"x")),
        one(record(b"\xc0\x0c", 1, b"abcd")), one(record(b"\xc0\x20", 1, b"abcd")), one(record(b"\x41a\0", 1, b"abcd")), one(b"\x3f" + b"a" * 63 * 4), one((b"\x3f" + b"a" * 63) * 5 + b"\0"),
        one(b"\xc0"), one(b"\3ab"), struct.pack("!HHHHHH", 0, 0, 33, 0, 0, 0), struct.pack("!HHHHHH", 0, 0, 0, 129, 0, 0), bytes(9001), one(b"\1a\0\0\1\0\1\0\0"),
        one(record(b"\4\x2e\x5c \xff\0", 12, b"\0"))])

    def dns_sd(*messages):
        return struct.pack("!H", len(messages[0])) + b"".join(messages)

    def said(*records, flags=0x8400):
        return struct.pack("!HHHHHH", 0, flags, 0, len(records), 0, 0) + b"".join(records)
    one_of, machine = b"\x03one" + name, b"\x02gw\x05local\0"
    srv = record(one_of, 33, struct.pack("!HHH", 1, 2, 4443) + machine)
    txt = [record(one_of, 16, t) for t in (b"\0", b"\x07EST-TLS\x03a=b", b"\x03cmp", b"\x09txtvers=1", b"\x28" + b"v" * 40)]
    whole_name = record(name, 12, one_of)
    at = record(machine, 1, b"\xc0\0\2\1"), record(machine, 28, bytes(15) + b"\1")
    many = [said(*(record(name, 12, b"\x04%04d" % (i + j) + name) for j in range(16))) for i in (0, 16)]
    seeds("dns_sd", [
        dns_sd(said(whole_name, srv, txt[0], *at), b""), dns_sd(said(whole_name), said(srv, txt[1], *at)), dns_sd(said(srv, txt[2]), said(*at)), dns_sd(said(txt[3], at[0], srv), whole),
        dns_sd(said(srv, txt[4], *at), question), dns_sd(said(srv, txt[0]), said(*at, flags=0x8403)), dns_sd(said(srv, txt[0], at[0]), said(record(one_of, 33, struct.pack("!HHH", 1, 2, 1) + b"\1x\0"))),
        dns_sd(*many), dns_sd(many[0], said(*(record(name, 12, b"\x05%05d" % j + name) for j in range(20)))), dns_sd(b"", b"x"), dns_sd(whole[:80], whole)])


def make_grasp():
    where = [103, bytes(15) + b"\1", 6, 4443]

    def flood(*pairs, kind=9, session=7, initiator=bytes(16), ttl=180000):
        return cbor2.dumps([kind, session, initiator, ttl, *pairs])
    proxy = ["AN_Proxy", 4, 1, ""]
    seeds("grasp", [
        flood([proxy, where]), flood([["AN_join_registrar", 4, 255, "EST-TLS"], [104, bytes(4), 17, 1]]), flood([proxy, []]), flood([proxy[:3], [105, "a.b", 6, 1]], [proxy, [106, "https://a", None, None]]),
        flood([["o", 4, 1, {"a": 1}], [107, 1]]), flood(*[[proxy[:3], []]] * 17), flood(), flood(kind=8), flood(session=2**32), flood(initiator=bytes(5)), flood(initiator=7), flood(ttl=-1), flood([proxy]),
        flood([proxy, where, 1]), flood([["o", 256, 1], []]), flood([["o", 4, 256], []]), flood([["o" * 64, 4, 1], []]), flood([["o", 4, 1, "v" * 64], []]), flood([["o", 4, 1, 1, 1], []]), flood([[1, 4, 1], []]),
        flood([proxy, [103, bytes(4), 6, 1]]), flood([proxy, [103, bytes(16), 6, 65536]]), flood([proxy, [103, bytes(16), 256, 1]]), flood([proxy, [103, bytes(16), 6]]), flood([proxy, [105, "h" * 256, 6, 1]]),
        flood([proxy, [103, bytes(16), True, 1]]), flood([proxy, ["x"]]), flood(7), b"", b"\x80", b"\x09", bytes(2049), flood([proxy, where])[:30], flood([proxy, [103, bytes(16), 6, 1, 1]])])


def make_proxy_protocol():
    begin, v4 = b"\r\n\r\n\0\r\nQUIT\n", bytes([192, 0, 2, 7, 198, 51, 100, 1, 0x9C, 0x40, 0x20, 0xFB])
    v6 = bytes.fromhex("20010db8000000000000000000000009" "20010db8000000000000000000000001" "9c4020fb")
    note = b"\x04\0\x02hi"
    seeds("proxy_protocol", [
        begin + b"\x21\x11\0\x0c" + v4, begin + b"\x21\x11\0\x11" + v4 + note, begin + b"\x21\x21\0\x24" + v6, begin + b"\x21\x21\0\x29" + v6 + note, begin + b"\x20\x00\0\0",
        begin + b"\x20\x11\0\x0c" + v4, begin + b"\x21\x00\0\0", begin + b"\x21\x31\0\x0c" + v4, begin + b"\x21\x12\0\x0c" + v4, begin + b"\x21\x11\0\x0b" + v4, begin + b"\x21\x11\xff\xff" + v4,
        begin + b"\x21\x11\0\x10" + v4 + note[:4], begin + b"\x21\x11\0\x0e" + v4 + b"xx", begin + b"\x11", begin, b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 8443\r\n", b"\x16\x03\x01", b"",
        begin + b"\x21\x11\0\x0c" + bytes(12), begin + b"\x21\x11\0\x0c" + v4 + b"\x16\x03\x01"])


def make_pledge_state():
    pending = ("registrar https://a.example\nserver https://a.example:8443/x\nnonce %s\nwaited 3600\nrequest %s\nserver-cert %s\n"
               % (NONCE, b64(sign("device", PLEDGE_REQUESTS[0])), b64(REGISTRAR)))
    key = (HERE / "pki/device.key").read_bytes()
    other = (HERE / "pki/masa.key").read_bytes()
    good, cacerts = pem("CERTIFICATE", DEVICE), pem("CERTIFICATE", SITE_ROOT)
    sealed = pending + "sha256 " + b64(hashlib.sha256(pending.encode()).digest()) + "\n"
    out = [b"\0" + x.encode() for x in (pending, sealed, sealed[:-1], sealed + "x", sealed.replace("3600", "3601"), pending.replace("waited 36", "waited x"), pending.replace("AA", "!A"), pending[:200], "", "\n", "registrar x\n",
                                        pending.replace("registrar https://a", "registrar " + "x" * 1100), pending + pending, pending.replace("nonce", "once"))]
    out += [b"\1" + x for x in (b"registrar https://b:2\n", b"", b"registrar", b"registrar " + b"x" * 1100 + b"\n")]
    out += [b"\2" + x.encode() for x in (good, good + cacerts, cacerts, "", good[:200], pem("CERTIFICATE", MASA))]
    out += [b"\3" + x.encode() for x in (cacerts, cacerts * 2, "", "x", "# comment\n" + cacerts)]
    out += [b"\4" + x for x in (key, other, b"", b"x", key[:100])] + [b"\5" + x for x in (key, other, b"", b"x", key[:100])]
    out += [b"\1registrar coaps://b\n" + x for x in (b"cacerts-asked 1796000000\ncacerts-etag AQIDBAUGBwg=\n", b"cacerts-asked x\ncacerts-etag AQIDBAUGBwgJ\n", b"cacerts-etag !\n", b"cacerts-etag \n")]
    seeds("pledge_state", out)


# ---- CoAP ----

def coap_option(delta, value):
    def nibble(n):
        return (n, b"") if n < 13 else (13, bytes([n - 13])) if n < 269 else (14, (n - 269).to_bytes(2, "big"))
    (d, more), (size, longer) = nibble(delta), nibble(len(value))
    return bytes([d << 4 | size]) + more + longer + value


def coap_options(*options):
    out, before = b"", 0
    for number, value in sorted(options, key=lambda o: o[0]):
        if isinstance(value, int):
            value = value.to_bytes((value.bit_length() + 7) // 8, "big")
        out += coap_option(number - before, value)
        before = number
    return out


def coap(code, *options, payload=b"", kind=0, mid=0xab0f, token=b"M"):
    return (bytes([0x40 | kind << 4 | len(token), code]) + mid.to_bytes(2, "big") + token + coap_options(*options) +
            (b"\xff" + payload if payload else b""))


def make_coap_message():
    es = ((11, b"b"), (11, b"es"), (12, 60))
    types = [f"application/pkcs7-mime; a=b; smime-type={x}".encode() for x in ("certs-only", '"certs-only"', "server-generated-key", "x")]
    seeds("coap_message", [
        coap(2, *es, payload=b"\xa2"), coap(2, (12, 60), (13, 401), payload=b"\xa2"), coap(1, (11, b".well-known"), (11, b"core"), (15, b"rt=brski*")),
        coap(0, token=b"", kind=0), coap(0, token=b"", kind=2), coap(0, token=b"", kind=3), coap(0, token=b"", kind=1), coap(0, kind=0), coap(0, token=b"", payload=b"x"),
        coap(69, (4, b"tag"), (12, 836), (14, 60), (23, 0x1d), (28, 4096), payload=b"x" * 64, kind=2), coap(68, (27, 0x3d), kind=2), coap(95, (27, 0x0f), kind=0),
        coap(2, (27, b"\0\0\0\0")), coap(2, (3, b"host"), (7, 5684), (11, b""), (17, 281), (60, 1700), (292, b"rt")), coap(2, (2053, b"")), coap(2, (35, b"coap://x")), coap(1, (13, 1), (13, 1)),
        coap(1, (11, b"a/b")), coap(1, (11, b"..")), coap(1, (11, b"."),), coap(1, (11, b"a\0")), coap(1, (11, b"x" * 300)), coap(1, (11, b"x" * 13)), coap(1, (65535, b"x")), coap(1, (65535, b""), (65535, b"y")),
        coap(1, (1000, b"x")), coap(1, *[(11, b"")] * 33), coap(1, *[(11, b"")] * 32), coap(1, token=b"12345678"), bytes([0x49, 1, 0, 1]) + b"x" * 9, bytes([0x44, 1, 0, 1, 5]), bytes([0x80, 1, 0, 1]), b"", b"\x40",
        coap(32), coap(192), coap(1, kind=2), coap(69, kind=3), coap(1) + b"\xff", coap(1) + b"\xf1x", coap(1) + b"\x1fx", coap(1) + b"\xd0", coap(1) + b"\xe0\0", coap(1) + b"\x0d", coap(1) + b"\x0e\0", coap(1) + b"\xe0\xff\xff",
        coap(1) + b"\xb5x", coap(163, kind=2), coap(96), coap(134, kind=2), coap(2, (12, b"12345")), coap(2, (17, b"\0\0\0<")),
    ] + [coap(69, payload=x) for x in (*types, b"application/cose", b"text/plain", b"application/voucher+cose", b"image/png", b"text", b"application/pkcs7-mime;smime-type=\"")])
    seed("coap_message", "huge", coap(1, payload=b"x" * 16384))


def coap_record(data=b"", num=0, szx=0, more=False, block=True, answer=False, size=False, fmt=None):
    flags = szx << 5 | block | more << 1 | answer << 2 | size << 3 | (fmt is not None) << 4
    return bytes([flags, num]) + len(data).to_bytes(2, "big") + bytes([fmt or 0]) + data


def make_coap_block():
    a, b, c = b"a" * 32, b"b" * 32, b"c" * 16
    first, second = coap_record(a, 0, 1, True, fmt=60), coap_record(b, 1, 1, True, fmt=60)
    limit = b"\x08"
    seeds("coap_block", [limit + x for x in (
        first + second + coap_record(c, 2, 1, fmt=60), first + coap_record(c, 4, 0, fmt=60), first + second + second + coap_record(c, 2, 1, fmt=60) * 2, second, first + coap_record(b, 1, 1, True, fmt=61),
        first + coap_record(c, 1, 1, True, fmt=60), first + coap_record(b, 0, 0, fmt=60), first + coap_record(b, 0, 1, fmt=60), coap_record(a * 8, block=False), coap_record(a * 9, block=False), coap_record(b"", block=False),
        first + coap_record(b, 1, 1, answer=True), coap_record(a, 0, 1, True, size=True, fmt=255), coap_record(a, 0, 1, True, size=True, answer=True, fmt=40), first + second + first + second,
        first + second + coap_record(a, 2, 0, fmt=60), first + second + coap_record(a, 1, 1, True, fmt=60), first + second + coap_record(b[:16], 2, 0, True, fmt=60) + coap_record(b[:16], 3, 0, fmt=60),
        first + second + coap_record(b[:16], 2, 0, fmt=60), *[coap_record(a * 8, n, 4, True) for n in (0, 1)], b"".join(coap_record(a, n, 1, True) for n in range(9)))] +
        [b"", b"\x07", b"\xff\xff\xff", b"\0\0\0\x06", b"\x40" * 900, b"\x0f"])


def make_coap_client():
    def say(code, *options, payload=b"", kind=2, flags=0):
        body = bytes([kind << 1 | flags, code]) + coap_options(*options) + (b"\xff" + payload if payload else b"")
        return bytes([len(body) - 1]) + body

    def raw(data):
        return bytes([len(data)]) + b"\1" + data

    def block(num, szx, more):
        return num << 4 | more << 3 | szx
    ack, go_on, reset = say(0), [say(95, (27, block(n, 2, True))) for n in range(40)], say(0, kind=3)
    get, small, large = b"\x20\1", b"\x80\6", b"\0\x20"
    part = b"x" * 64
    down = [say(69, (4, b"t"), (12, 281), (23, block(n, 2, n < 3)), payload=part) for n in range(4)]
    seeds("coap_client", [
        small + say(68, (12, 287), payload=b"cert"), small + ack + say(68, payload=b"v", kind=0), small + say(68, payload=b"v", kind=0) * 2, small + say(68, kind=1), small + reset, small + ack + say(0, kind=0),
        small + say(68, (12, 287), flags=8), small + say(68, flags=16, kind=0), small + say(163, (14, 30)), small + say(68, (2053, b"")), small + say(68, (23, b"\7")), small + say(95), small + ack * 2, small + say(2, kind=0),
        small + raw(b"\x40\1\0\1\xff") + raw(b"\x40") + raw(b"\x80\1\0\1"), small + say(68, flags=32, payload=b"late") * 3, small + say(141, (27, block(0, 0, False))) + say(95, (27, block(0, 0, True))),
        large + b"".join(go_on), large + b"".join(go_on[:7]) + say(95, (27, block(7, 1, True))) + say(95, (27, block(16, 1, True))), large + go_on[0] + say(136) + go_on[0] + say(136) + say(136) + say(136), large + go_on[1], large + say(95),
        large + say(141, (27, block(0, 1, True))) * 5, large + say(143), large + say(68), large + b"".join(go_on[:7]) + say(68, (27, block(7, 2, False)), payload=b"done"),
        get + b"".join(down), get + down[0] + down[2], get + down[1], get + down[0] + say(69, (4, b"u"), (23, block(1, 2, False)), payload=part), get + down[0] + say(132), get + down[0] + say(69, (4, b"t")),
        get + say(69, (23, block(0, 0, True)), payload=b"x" * 16) + say(69, (23, block(1, 0, False)), payload=b"x"), get + say(69, (28, 9999), (23, block(0, 2, True)), payload=part), get + say(67, (4, b"t")), get + (down[0] + down[0]) * 6,
        small + say(68, (23, block(0, 2, True)), payload=part) + say(68, (23, block(0, 2, True)), payload=part), get + down[0] + ack + down[1] + say(0, kind=3, flags=8), b"", b"\0",
        get + say(69, (23, block(0, 2, True)), payload=b"short"), small + (say(68, flags=0)) * 3 + say(68, kind=0) + say(68, kind=0, flags=32)])


# ---- small texts ----

def make_texts():
    seeds("uri", [
        "https://a.example", "https://a.example:8443/x?y=1", "https://[2001:db8::1]:1/", "https://192.0.2.1/", "HTTPS://A.EXAMPLE/%41", "http://a", "https://u@a/", "https://a/#f", "https://",
        "https://a:0/", "https://a:65536/", "https://a:/", "https://a b/", "https://[::1", "https://[x]/", "https://" + "a" * 300, "https://a/" + "x" * 600, "a.example:1", "[::1]:2", "[::1]", "a",
        "https://a/b\n/c", "https://a/b\nhttps://c/d", "https://a/b\n//c", "https://a\nx", "https://a?x", "a=1&b=2&a=3", "b=%41&a=%4a%zz", "a=%00", "a=%4", "https://a/\nhttp://b/", "https://a/\n", "https://a..b/",
        "https://-a/", "https://a_b/", "https://a:1a/", "https://1.2.3.999/", "a+b=c&a", "%61=1", "https://a/\t", "https://a\\b/", "https://a/\x7f",
        "coaps://a.example", "coaps://[fe80::1%25eth0]:5", "https://[fe80::1%25e-t.h_0~]/x", "coaps://[fe80::1%eth0]", "coaps://[fe80::1%25]", "coaps://[fe80::1%25e!]", "coaps://[fe80::1%25sixteen-letters-]", "coaps://[2001:db8::1%25e]",
        "coap://a", "coaps:/a"])
    seeds("datetime", [
        "2026-11-30T00:00:00Z", "2026-11-30t00:00:00.123456+01:30", "2026-02-29T00:00:00Z", "2024-02-29T23:59:60Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "2026-11-30T00:00:00", "2026-11-30 00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-11-30T24:00:00Z", "2026-11-30T00:00:00.Z", "2026-11-30T00:00:00Zx", "0001-01-01T00:00:00Z", "120", "-1", "99999999999999999999", "120\nSun, 29 Nov 2026 10:00:00 GMT",
        "Mon, 30 Nov 2026 10:00:00 GMT\nSun, 29 Nov 2026 10:00:00 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nox 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
        "Mon, 30 Nov 2026 10:00:00 GMT\nx", "", " 5", "Sun, 31 Feb 2026 10:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT", "2026-11-30T00:00:00+24:00", "2026-11-30T00:00:00+0100", "1970-01-01T00:00:00+00:01",
        "Tuesday, 06-Nov-29 08:49:37 GMT", "Sun Nov 16 08:49:37 1994", "Sun, 6 Nov 1994 08:49:37 GMT"])
    seeds("media_type", [
        "application/voucher-cms+json", "Application/Voucher-CMS+JSON; charset=utf-8", "*/*", "application/*;q=0.5, text/plain;q=0.9", "text/plain;q=0", "text/plain; q=1.000, */*;q=0.001", "text/plain;q=1.001", "text/plain;q=x",
        "text", "text/", "/plain", "text/plain,", ",,text/plain", "text/plain;a=\"b,c\\\"d\";q=0.2", "text/plain;a=\"unfinished", "text/ plain", "", " ", "x" * 200 + "/y", "image/png", "a/b;q=0.1234", "application/pkcs7-mime; smime-type=certs-only",
        "*", "*/plain", "text/plain ; q = 1", "text/plain;q=", "text/*;q=0, text/plain", "application/json"])
    seeds("match", [
        "manufacturer=Acme,model=gw-*,serial=A-1*,from=10.8.0.0/16,site=/eu,state=pending,older-than=1h,label.rack=4", "serial=A-1", "site=/", "site=/*", "site=/eu/*", "site=/eu/de/x", "site=eu", "site=/eu/", "state=active", "state=pending",
        "state=expired", "older-than=1", "older-than=7w", "older-than=9999999999w", "label.rack=*", "label.=1", "label.a=1,label.a=2", ",".join(f"label.l{i}=x" for i in range(17)), "", ",", "serial", "=x", "serial=", "serial=a*b", "serial=a,serial=b",
        "from=10.8.0.1/16", "from=::/0", "from=::/0,from=::/0", "site=/,site=/", "state=active,state=active", "older-than=1d,older-than=1d", "colour=red", "x" * 1025, "manufacturer=B, serial=*", "label.rack=4,model=gw*", "older-than=3s"])


def main():
    for make in (make_registrar_request, make_masa_request, make_voucher, make_voucher_json, make_cms, make_status_report, make_audit_log, make_csr,
                 make_csrattrs, make_pkcs7_certs, make_crl_list, make_ocsp_request, make_idevid, make_http1, make_http1_reply, make_http2, make_config, make_csv, make_ask_answer, make_cloud_places, make_core_link, make_jpy, make_dns_message, make_grasp, make_proxy_protocol, make_pledge_state,
                 make_coap_message, make_coap_block, make_coap_client,
                 make_cose, make_inspect, make_signature, make_voucher_cbor, make_cbor, make_multipart_core, make_est_reply, make_status_report_cbor,
                 make_texts):
        make()


main()
