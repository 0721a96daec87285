# SPDX-License-Identifier: Apache-2.0
"""All that is no voucher and no request for one: telemetry, the audit log, EST, JPY, IDevIDs."""
import base64
import copy
import json

import cbor2
from asn1crypto import cms as asn1_cms
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from brski_peer import certs, cms, cose, forge
from in_cms import CMS_OPTIONS
from vector_set import MADE, NONCE_TEXT, SERIAL, URL


# -- telemetry and the audit log

def dumped(value):
    return json.dumps(value, separators=(",", ":")).encode()


def telemetry(out):
    success = {"version": 1, "status": True}
    failure = {"version": 1, "status": False, "reason": "the voucher is for another device",
               "reason-context": {"serial-number": "PUMP-0043"}}
    forms = [("telemetry-json", dumped, ["R8995-REG-038"], "R8995-REG-038"),
             ("telemetry-cbor", cbor2.dumps, ["R-11"], "R-13")]
    for artifact, write, rows, row in forms:
        good = out.valid(artifact, "success", write(success), rows, "a step that went well",
                         expects=success)
        fail = out.valid(artifact, "failure", write(failure), rows, "a step that failed, and why",
                         expects=failure)
        octets = write(success)
        out.invalid(artifact, good, row, "no-version", write({"status": True}), "parse",
                    "version is missing")
        out.invalid(artifact, good, row, "no-status", write({"version": 1}), "parse",
                    "status is missing")
        out.invalid(artifact, good, row, "status-a-text", write({**success, "status": "maybe"}),
                    "parse", "status is no boolean")
        out.invalid(artifact, good, row, "version-0", write({**success, "version": 0}), "parse",
                    "there is no version 0")
        out.invalid(artifact, fail, row, "reason-a-number", write({**failure, "reason": 7}), "parse",
                    "reason is no text")
        out.invalid(artifact, good, row, "cut-off", octets[:-1], "parse", "the end is missing")
    usual = cbor2.dumps(success)
    good = "telemetry-cbor/success.bin"
    out.invalid("telemetry-cbor", good, "R-13", "status-a-number",
                cbor2.dumps({**success, "status": 1}), "parse", "status is a number, no boolean")
    out.invalid("telemetry-cbor", good, "R-13", "unknown-member", cbor2.dumps({**success, "x": 1}),
                "parse", "a member version 1 does not have")
    out.invalid("telemetry-cbor", good, "R-13", "key-a-number",
                cose.head(5, 3) + usual[1:] + b"\x01\x01", "parse", "a key that is no text")
    out.invalid("telemetry-cbor", good, "R-13", "octet-after-the-end", usual + b"\0", "parse",
                "an octet after the end")
    twice = dumped(success)[:-1] + b',"status":true}'
    out.invalid("telemetry-json", "telemetry-json/success.json", "R8995-REG-038", "member-twice",
                twice, "parse", "a member stands twice")


def audit_log(out, world):
    event = {"date": MADE, "domainID": forge.domain_id(world.site.der), "nonce": NONCE_TEXT,
             "assertion": "logged"}
    log = {"version": 1, "events": [event, {**event, "nonce": None, "truncated": 2}],
           "truncation": {"nonced duplicates": 1, "nonceless duplicates": 2, "arbitrary": 0}}
    row = "R8995-MASA-031"
    good = out.valid("audit-log", "two-events", dumped(log), [row, "R8995-MASA-032"],
                     "a voucher with a nonce and one without; some were left out", expects=log)
    out.valid("audit-log", "empty", dumped({"version": 1, "events": []}), [row],
              "a device nobody claimed yet")
    lenient = copy.deepcopy(log)
    lenient["events"][0]["registrarID"] = lenient["events"][0].pop("domainID")
    out.valid("audit-log", "registrar-id", dumped(lenient), ["R8995-REG-044"],
              "an older name of domainID, which a registrar may read")

    def bad(name, reason, path, value):
        changed = copy.deepcopy(log)
        at = changed
        for step in path[:-1]:
            at = at[step]
        if value is None:
            del at[path[-1]]
        else:
            at[path[-1]] = value
        out.invalid("audit-log", good, row, name, dumped(changed), "parse", reason)

    bad("no-date", "an event without a date", ("events", 0, "date"), None)
    bad("no-such-day", "a day that does not exist", ("events", 0, "date"), "2026-02-30T12:00:00Z")
    bad("no-domain", "an event without a domainID", ("events", 0, "domainID"), None)
    bad("nonce-a-number", "a nonce that is no text", ("events", 0, "nonce"), 5)
    bad("truncated-a-text", "a count that is no number", ("events", 1, "truncated"), "many")
    bad("truncation-negative", "a count below zero", ("truncation", "arbitrary"), -1)
    out.invalid("audit-log", good, row, "cut-off", dumped(log)[:-1], "parse", "the end is missing")
    out.invalid("audit-log", "audit-log/empty.json", row, "events-no-list",
                dumped({"version": 1, "events": ""}), "parse", "events is no list")


# -- EST

def est_csr(out, world):
    subject, key = world.idevid.cert.subject, world.keys["ldevid"]
    usual = certs.make_csr(key, subject)
    good = out.valid("csr", "subject-of-the-idevid", usual, ["EE-03", "EE-07"],
                     "asks for what the IDevID says", expects=SERIAL)
    out.valid("csr", "alt-name-and-password", certs.make_csr(
        key, subject, alt="DNS:pump.example.com", challenge_password="dGVzdA=="), ["EE-04"],
        "with a subjectAltName and a challengePassword", expects=SERIAL)

    def bad(row, name, octets, reason):
        out.invalid("csr", good, row, name, octets, "parse", reason)

    flipped = usual[:-1] + bytes([usual[-1] ^ 1])
    bad("EE-03", "signature", flipped, "its own signature does not verify")
    twice = certs.name("Device", SERIAL, extra=[
        x509.NameAttribute(x509.NameOID.SERIAL_NUMBER, "PUMP-0043")])
    bad("EE-16", "two-serial-numbers", certs.make_csr(key, twice), "two serial numbers in the subject")
    bad("EE-01", "octet-after-the-end", usual + b"\0", "an octet after the end")
    bad("EE-01", "base64", base64.b64encode(usual), "base64 where DER is asked for")
    bad("EE-01", "cut-off", usual[:-8], "the end is missing")


def sequence(*parts):
    return forge.tlv(0x30, *parts)


def attribute(oid, *values):
    return sequence(forge.oid(oid), forge.tlv(0x31, *values))


CHALLENGE_PASSWORD, EXTENSION_REQUEST = "1.2.840.113549.1.9.7", "1.2.840.113549.1.9.14"
EC_KEY, P256, RSA_KEY = "1.2.840.10045.2.1", "1.2.840.10045.3.1.7", "1.2.840.113549.1.1.1"
TEMPLATE, EXTENSION_TEMPLATE = "1.2.840.113549.1.9.16.2.61", "1.2.840.113549.1.9.16.2.62"
EXTENDED_KEY_USAGE, CLIENT_AUTH = "2.5.29.37", "1.3.6.1.5.5.7.3.2"


def template(version=0):
    key = forge.tlv(0xA0, sequence(forge.oid(EC_KEY), forge.oid(P256)))
    wanted = attribute(EXTENSION_TEMPLATE, sequence(sequence(forge.oid("2.5.29.17"))))
    return attribute(TEMPLATE, sequence(forge.tlv(2, bytes([version])), key, forge.tlv(0xA1, wanted)))


def est_csrattrs(out):
    usage = sequence(sequence(forge.oid(EXTENDED_KEY_USAGE),
                              forge.tlv(4, sequence(forge.oid(CLIENT_AUTH)))))
    request = attribute(EXTENSION_REQUEST, usage)
    key = attribute(EC_KEY, forge.oid(P256))
    password = forge.oid(CHALLENGE_PASSWORD)
    good = out.valid("csrattrs", "oids-and-attributes", sequence(password, key, request),
                     ["ER-01", "ER-04", "ER-05", "ER-06"],
                     "a challengePassword, a P-256 key, an extended key usage",
                     expects="challengePassword")
    out.valid("csrattrs", "empty", sequence(), ["ER-02"], "asks for nothing", expects="")
    out.valid("csrattrs", "unknown", sequence(forge.oid("1.2.3.4"), key), ["ER-03"],
              "an attribute nobody knows", expects="")
    form = out.valid("csrattrs", "template", sequence(template()), ["ER-07", "ER-09", "ER-11"],
                     "a template: a P-256 key and a subjectAltName to fill in", expects="")

    def bad(row, name, octets, reason, of=good):
        out.invalid("csrattrs", of, row, name, octets, "parse", reason)

    bad("ER-05", "two-extension-requests", sequence(password, key, request, request),
        "two extension requests")
    bad("ER-06", "two-key-types", sequence(password, key, request, attribute(
        RSA_KEY, forge.tlv(2, "0c00"))), "two types of key")
    bad("ER-01", "neither-oid-nor-attribute", sequence(password, key, request, forge.tlv(2, b"\1")),
        "an element that is neither an OID nor an attribute")
    bad("ER-01", "octet-after-the-end", sequence(password, key, request) + b"\0",
        "an octet after the end")
    bad("ER-07", "template-version-1", sequence(template(1)), "a template of version 1", form)


def est_certs(out, world):
    chain = [world.ldevid.cert, world.site.cert]
    one = out.valid("certs-only", "one", forge.certs_only(chain[:1]), ["EE-02"],
                    "the answer to an enrolment")
    out.valid("certs-only", "chain", forge.certs_only(chain), ["ECA-02"], "a chain")

    def bad(row, name, octets, reason):
        out.invalid("certs-only", one, row, name, octets, "parse", reason)

    def rebuilt(change):
        info = asn1_cms.ContentInfo.load(out.octets[one]).copy()
        data = info["content"].copy()
        change(data)
        return asn1_cms.ContentInfo({"content_type": "signed_data",
                                     "content": data}).dump(force=True)

    def signed(data):
        data["signer_infos"] = [cms.signer_info(b"", world.registrar, cms.ID_DATA, **CMS_OPTIONS)]

    def no_certificates(data):
        data["certificates"] = []

    def content(data):
        data["encap_content_info"] = {"content_type": "data", "content": b"content"}

    usual = out.octets[one]
    bad("ECA-11", "no-certificate", rebuilt(no_certificates), "no certificate in it")
    bad("ECA-02", "signer", rebuilt(signed), "it has a signer")
    bad("ECA-02", "content", rebuilt(content), "it has content")
    bad("ECA-02", "octet-after-the-end", usual + b"\0", "an octet after the end")
    bad("ECA-02", "indefinite-length", cms.to_ber(usual), "BER, not DER")
    bad("C-05", "base64", base64.b64encode(usual), "base64 where DER is asked for")


def multipart(out, world):
    site, ldevid = world.site.der, world.ldevid.der
    pair = [287, ldevid, 287, site]
    good = out.valid("multipart-core", "two-certificates", cbor2.dumps(pair), ["C-29", "C-30"],
                     "the issuing CA's answer to crts in two parts")
    key = world.keys["ldevid"].private_bytes(serialization.Encoding.DER,
                                             serialization.PrivateFormat.PKCS8,
                                             serialization.NoEncryption())
    out.valid("multipart-core", "key-and-certificate", cbor2.dumps([284, key, 287, ldevid]),
              ["C-13"], "a key made by the server and its certificate")
    out.valid("multipart-core", "empty-part", cbor2.dumps([287, ldevid, 287, None]), ["C-30"],
              "a part that is null has no octets")

    def bad(row, name, octets, reason):
        out.invalid("multipart-core", good, row, name, octets, "parse", reason)

    bad("C-35", "odd", cbor2.dumps(pair + [287]), "a number of elements that is odd")
    bad("C-30", "part-a-text", cbor2.dumps(pair[:3] + ["text"]), "a part that is a text")
    bad("C-30", "format-a-text", cbor2.dumps(pair[:2] + ["287"] + pair[3:]), "a format that is a text")
    bad("C-30", "format-65536", cbor2.dumps(pair[:2] + [65536] + pair[3:]), "a format out of range")
    bad("C-30", "octet-after-the-end", cbor2.dumps(pair) + b"\0", "an octet after the end")
    bad("C-30", "cut-off", cbor2.dumps(pair)[:-1], "the end is missing")


def jpy(out):
    header, content = bytes(range(1, 19)), bytes.fromhex("16fefd0000000000000000000401020304")
    usual = cbor2.dumps([header, content])
    good = out.valid("jpy", "usual", usual, ["J-07"], "a datagram with the header of a proxy")
    out.valid("jpy", "header-32", cbor2.dumps([bytes(32), content]), ["J-12"], "the longest header")
    out.valid("jpy", "three-elements", cbor2.dumps([header, content, 1]), ["J-08"],
              "what follows the first two is passed over")

    def bad(row, name, octets, reason):
        out.invalid("jpy", good, row, name, octets, "parse", reason)

    bad("J-08", "one-element", cbor2.dumps([header]), "no content element")
    bad("J-07", "header-a-text", cbor2.dumps(["header", content]), "a header that is a text")
    bad("J-07", "content-a-text", cbor2.dumps([header, "content"]), "a content that is a text")
    bad("J-08", "no-content", cbor2.dumps([header, b""]), "nothing to relay")
    bad("J-07", "cut-off", usual[:-1], "the end is missing")


# -- IDevIDs

DEFAULT = "/.well-known/brski"
URL_FORMS = {"authority": (URL, f"https://{URL}{DEFAULT}"),
             "port": (f"{URL}:8443", f"https://{URL}:8443{DEFAULT}"),
             "path": (f"https://{URL}/brski/v1", f"https://{URL}/brski/v1"),
             "slash": (f"https://{URL}/", f"https://{URL}{DEFAULT}"),
             "ipv6": ("[2001:db8::1]:8443", f"https://[2001:db8::1]:8443{DEFAULT}")}


def idevids(out, world):
    row = "R8995-REG-020"
    anchors = ["keys/maker.crt"]
    for name, (text, uri) in URL_FORMS.items():
        out.valid("idevid", name, world.device(text).der, [row], f"the MASA URL is {text}",
                  expects=[SERIAL, uri], anchors=anchors)
    out.valid("idevid", "no-authority-key-identifier", world.device(with_aki=False).der, ["Y-13"],
              "nothing names the issuer's key", expects=[SERIAL, f"https://{URL}{DEFAULT}"],
              anchors=anchors)

    def bad(name, reason, octets, of="authority", row=row):
        out.invalid("idevid", f"idevid/{of}.bin", row, name, octets, "parse", reason, anchors=anchors)

    bad("no-url", "there is no MASA URL", world.device(None).der)
    bad("utf8", "a UTF8String where an IA5String belongs", world.device(encoding="utf8").der)
    bad("no-string", "octets without a tag", world.device(encoding="raw").der)
    bad("critical", "the extension is critical", world.device(masa_url_critical=True).der)
    bad("empty", "an empty URL", world.device("").der)
    bad("control-character", "a line break in it", world.device(URL + "\n").der)
    bad("http", "the scheme is http", world.device(f"http://{URL}/brski/v1").der, "path",
        "R8995-REG-021")
    bad("query", "a query", world.device(f"https://{URL}/brski/v1?x=1").der, "path")
    bad("user", "a user name", world.device(f"https://user@{URL}/brski/v1").der, "path")
    bad("port-65536", "a port out of range", world.device(f"{URL}:65536").der, "port")
    nobody = certs.name("Device")
    twice = certs.name("Device", SERIAL, extra=[
        x509.NameAttribute(x509.NameOID.SERIAL_NUMBER, "PUMP-0043")])
    bad("no-serial-number", "no serialNumber in the subject", world.device(subject=nobody).der,
        row="R8995-REG-009")
    bad("two-serial-numbers", "two serialNumbers in the subject", world.device(subject=twice).der,
        row="R8995-REG-009")
    certificate = out.octets["idevid/authority.bin"]
    bad("octet-after-the-end", "an octet after the end", certificate + b"\0")
