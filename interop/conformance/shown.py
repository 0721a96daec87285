# SPDX-License-Identifier: Apache-2.0
"""Messages as a reader wants to see them: vouchers as JSON, certificates by name, the rest as text.

Nothing here judges: what cannot be decoded is shown as octets.
"""
import base64
import json

import cbor2
from asn1crypto import csr as asn1_csr
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7

from brski_peer import cmp, cms, coap, cose, jws, voucher

LONG = 4000  # characters of one message in a report; nobody reads more
CERTIFICATE_LEAVES = ("pinned-domain-cert", "proximity-registrar-cert",
                      "agent-provided-proximity-registrar-cert")
COAP_TYPES = {60: "application/cbor", 62: "application/multipart-core", 281: "application/pkcs7-mime",
              286: "application/pkcs10", 287: "application/pkix-cert", 836: "application/voucher+cose",
              285: "application/csrattrs", 40: "application/link-format"}


def message(media_type, body):
    """The body of a message of this type."""
    if not body:
        return ""
    readers = {"application/voucher-cms+json": signed_cms, "application/voucher+cose": signed_cose,
               jws.MEDIA_TYPE: signed_jws, "application/jose+json": signed_jws, cmp.MEDIA_TYPE: cmp_message,
               "application/voucher-cose+cbor": signed_cose, "application/json": as_json,
               "application/cbor": as_cbor, "application/pkcs7-mime": certificates,
               "application/pkix-cert": one_certificate, "application/pkcs10": request,
               "application/multipart-core": parts}
    reader = readers.get((media_type or "").split(";")[0].strip().lower(), text)
    try:
        return reader(body)[:LONG]
    except Exception as e:  # whatever a peer may send
        return f"(cannot be decoded: {e})\n{text(body)}"[:LONG]


def text(body):
    try:
        shown = body.decode()
        if shown.isprintable() or not any(ord(c) < 32 and c not in "\r\n\t" for c in shown):
            return shown
    except UnicodeDecodeError:
        pass
    return f"{len(body)} octets: {body[:512].hex()}{'…' if len(body) > 512 else ''}"


def as_json(body):
    said = json.loads(body)
    if isinstance(said, dict):
        open_leaves(said)
    return pretty(said)


def as_cbor(body):
    return pretty(readable(cbor2.loads(body)))


def pretty(value):
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def readable(value):
    """CBOR in JSON's clothes: octets in hexadecimal, keys as text."""
    if isinstance(value, bytes):
        return "h'" + value.hex() + "'"
    if isinstance(value, dict):
        return {k if isinstance(k, str) else str(k): readable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [readable(v) for v in value]
    return value


def named(cert):
    return (f"certificate {cert.subject.rfc4514_string()!r} issued by {cert.issuer.rfc4514_string()!r}, "
            f"{cert.not_valid_before:%Y-%m-%d} to {cert.not_valid_after:%Y-%m-%d}")


def certificate_or_octets(octets):
    try:
        return named(x509.load_der_x509_certificate(octets))
    except ValueError:
        return "h'" + octets.hex() + "'"


# -- signed vouchers and voucher-requests

def signed_cms(body):
    return pretty(cms_object(body))


def cms_object(body):
    """A CMS as {signer, certificates, content type, payload}, what is nested in it opened too."""
    box = cms.parse(body)
    payload = json.loads(box.payload) if box.payload else None
    for leaves in payload.values() if isinstance(payload, dict) else ():
        if isinstance(leaves, dict):
            open_leaves(leaves)
    try:
        signer = named(box.verify())
    except Exception as e:
        signer = f"NOT VERIFIED: {e}"
    return {"signed by": signer, "content type": box.content_type,
            "certificates": [named(c) for c in box.certs], "payload": payload}


def open_leaves(leaves):
    """In place: certificates by name, the pledge's request inside a registrar's opened."""
    for name in CERTIFICATE_LEAVES:
        if isinstance(leaves.get(name), str):
            leaves[name] = certificate_or_octets(base64.b64decode(leaves[name]))
    if isinstance(leaves.get("agent-signed-data"), str):
        leaves["agent-signed-data"] = jws_object(base64.b64decode(leaves["agent-signed-data"]))
    if isinstance(leaves.get("agent-sign-cert"), list):
        leaves["agent-sign-cert"] = [certificate_or_octets(base64.b64decode(c)) for c in leaves["agent-sign-cert"]]
    prior = leaves.get("prior-signed-voucher-request")
    if isinstance(prior, str):
        inside = base64.b64decode(prior)
        leaves["prior-signed-voucher-request"] = (jws_object if inside[:1] == b"{" else cms_object)(inside)


def signed_jws(body):
    return pretty(jws_object(body))


def jws_object(body):
    """A JWS the same way; with several signatures, each."""
    box = jws.parse(body)
    payload = json.loads(box.payload)
    for leaves in payload.values() if isinstance(payload, dict) else ():
        if isinstance(leaves, dict):
            open_leaves(leaves)
    return {"signatures": [jws_signature(s) for s in box.signatures], "payload": payload}


def jws_signature(signature):
    try:
        signer = named(signature.verify())
    except Exception as e:
        signer = f"NOT VERIFIED: {e}"
    header = {name: value for name, value in signature.header.items() if name != "x5c"}
    return {"signed by": signer, "header": header, "certificates": [named(c) for c in signature.certs]}


def signed_cose(body):
    return pretty(cose_object(body))


def cose_object(body):
    box = cose.parse(body)
    container, fields = cose.decode(box.payload)
    shown = {}
    for name, value in fields.items():
        if name == "prior-signed-voucher-request":
            value = cose_object(value)
        elif name in CERTIFICATE_LEAVES:
            value = certificate_or_octets(value)
        shown[str(name)] = readable(value)
    return {"protected": readable(box.protected), "certificates": [named(c) for c in box.certs],
            "payload": {cose.NAMES[container]: shown}}


# -- enrolment

def cmp_message(body):
    box = cmp.parse(body)
    try:
        signer = named(box.verify())
    except Exception as e:
        signer = f"NOT VERIFIED: {e}"
    return pretty({"body": box.kind, "protected by": signer, "certificates": [named(c) for c in box.certs],
                   "certificate": box.certificate and named(box.certificate), "failure": box.failure})


def der_of(body):
    """EST over HTTPS wraps DER in base64; over CoAPS it does not."""
    return body if body[:1] == b"\x30" else base64.b64decode(body, validate=False)


def certificates(body):
    return "\n".join(named(c) for c in pkcs7.load_der_pkcs7_certificates(der_of(body)))


def one_certificate(body):
    return named(x509.load_der_x509_certificate(body))


def request(body):
    der = der_of(body)
    csr = x509.load_der_x509_csr(der)
    asked = asn1_csr.CertificationRequest.load(der)["certification_request_info"]["attributes"]
    return (f"certification request for {csr.subject.rfc4514_string()!r}, signature "
            f"{'holds' if csr.is_signature_valid else 'DOES NOT HOLD'}, attributes "
            f"{[a['type'].native for a in asked]}")


def parts(body):
    return "\n".join(f"{number}: {message(COAP_TYPES.get(number), octets)}"
                     for number, octets in cose.parts(body))


# -- whole HTTP and CoAP messages

def http(headers, body):
    """Headers and body. headers: (name, value) pairs."""
    kind = next((v for k, v in headers if k.lower() == "content-type"), None)
    head = "\n".join(f"{k}: {v}" for k, v in headers)
    shown = message(kind, body)
    return head + ("\n\n" + shown if shown else "")


def http_octets(octets):
    """(first line, shown) of a request as it was sent."""
    head, _, body = octets.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = [tuple(line.split(": ", 1)) for line in lines[1:] if ": " in line]
    return lines[0].removesuffix(" HTTP/1.1")[:200], http(headers, body)


def coap_body(content_format, body):
    shown = message(COAP_TYPES.get(content_format), body)
    return f"Content-Format: {content_format}\n\n{shown}" if content_format is not None else shown


def coap_path(options):
    """The path of a request that may be abbreviated."""
    if isinstance(options, str):
        return options
    return "Uri-Path-Abbrev " + " ".join(str(int.from_bytes(v, "big")) for n, v in options
                                         if n == coap.ABBREV)


def issued(leaves):
    """The JSON leaves of a voucher, for sentences in verdicts."""
    return {k: v if len(str(v)) < 60 else str(v)[:57] + "…" for k, v in leaves.items()}


def payload_of(octets):
    """(top member, leaves) of a CMS voucher or request."""
    return voucher.decode(cms.parse(octets).payload)
