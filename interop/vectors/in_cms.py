# SPDX-License-Identifier: Apache-2.0
"""Requests and vouchers in CMS."""
import base64
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from brski_peer import cms, forge, voucher
from vector_set import BORN, DIES, MADE, NONCE, NONCE_TEXT, SERIAL, SIGNED

CMS_OPTIONS = {"signing_time": SIGNED}


def cms_fields(world):
    """The leaves of the usual three messages."""
    pvr = {"assertion": "proximity", "created-on": MADE, "serial-number": SERIAL,
           "nonce": NONCE_TEXT, "proximity-registrar-cert": voucher.b64(world.registrar.der)}
    given = {"created-on": MADE, "assertion": "logged", "serial-number": SERIAL,
             "pinned-domain-cert": voucher.b64(world.site.der), "nonce": NONCE_TEXT}
    return pvr, given


def sealed(top, fields, signer, **options):
    return cms.sign(voucher.encode(top, fields), signer, **{**CMS_OPTIONS, **options})


def rvr_of(world, prior, **changes):
    fields = {"created-on": MADE, "serial-number": SERIAL,
              "idevid-issuer": voucher.b64(voucher.idevid_issuer(world.idevid.cert))}
    if prior is not None:
        fields.update({"assertion": "proximity", "nonce": NONCE_TEXT,
                       "prior-signed-voucher-request": voucher.b64(prior)})
    fields = forge.changed(fields, changes)
    return sealed(voucher.REQUEST, fields, world.registrar,
                  certs=world.registrar.chain(with_root=True))


def cms_valid(out, world):
    pvr, given = cms_fields(world)
    asked = sealed(voucher.REQUEST, pvr, world.idevid)
    good = {"pvr": out.valid("pvr-cms", "proximity", asked, ["ENC-ALL-001", "R8995-PLG-019"],
                             "a pledge's request with the certificate of the registrar it saw")}
    good["rvr"] = out.valid("rvr-cms", "nonced", rvr_of(world, asked), ["R8995-REG-029"],
                            "a registrar's request around it")
    out.valid("rvr-cms", "nonceless", rvr_of(world, None), ["ENC-ALL-012"],
              "a registrar's request for a device that is away", nonce=None)

    def issue(name, about, rows, signer=None, options=None, **changes):
        octets = sealed(voucher.VOUCHER, forge.changed(given, changes), signer or world.masa,
                        **(options or {}))
        return out.valid("voucher-cms", name, octets, rows, about)

    good["voucher"] = issue("nonced", "the usual voucher", ["ENC-ALL-001", "ENC-ALL-003"])
    endless = forge.changed(given, {"nonce": None, "expires_on": "2026-06-15T12:00:00Z"})
    good["nonceless"] = out.valid("voucher-cms", "nonceless",
                                  sealed(voucher.VOUCHER, endless, world.masa), ["ENC-ALL-013"],
                                  "no nonce, but an end", nonce=None)
    for assertion in ("verified", "proximity"):
        issue(assertion, f"its assertion is {assertion}", ["ENC-ALL-014"], assertion=assertion)
    for kind, signer in world.masas.items():
        good[kind] = issue(f"signed-{kind}", f"signed with another kind of key: {kind}",
                           ["ENC-ALL-025"], signer)
    issue("id-data", "content type id-data, as PKCS#7 tools write it", ["ENC-ALL-002"],
          options={"content_type": cms.ID_DATA})
    issue("id-data-no-attributes", "id-data without signed attributes", ["ENC-ALL-002"],
          options={"content_type": cms.ID_DATA, "attrs": None})
    issue("subject-key-identifier", "the signer is named by its key identifier", ["ENC-ALL-001"],
          options={"sid": "ski"})
    issue("sha512", "digest SHA-512", ["ENC-ALL-003"], options={"digest": "sha512"})
    issue("no-signing-time", "no signing time", ["ENC-ALL-003"], options={"signing_time": None})
    issue("version-4", "SignedData version 4", ["ENC-ALL-006"], options={"version": "v4"})
    issue("fraction-and-offset", "a time with a fraction and an offset", ["ENC-ALL-010"],
          created_on="2026-06-01T14:00:00.123+02:00")
    issue("unknown-member", "a member nobody knows", ["ENC-ALL-015"], x_unknown={"a": [1]})
    crl = (x509.CertificateRevocationListBuilder().issuer_name(world.maker.cert.subject)
           .last_update(BORN).next_update(DIES).sign(world.maker.key, hashes.SHA256())
           .public_bytes(serialization.Encoding.DER))
    issue("revocation-list", "a CRL in the container, which decides nothing", ["ENC-ALL-028"],
          options={"crls": [crl]})
    for size in (8, 32):
        text = base64.b64encode(bytes(range(size))).decode()
        out.valid("voucher-cms", f"nonce-{size}", sealed(voucher.VOUCHER, {**given, "nonce": text},
                  world.masa), ["ENC-ALL-011"], f"a nonce of {size} octets", nonce=text)
    return good


def with_attributes(change):
    """Signed attributes of the usual content, changed."""
    def attrs(payload):
        found = cms.usual_attributes(payload, cms.JSON_VOUCHER, "sha256", SIGNED)
        return {"attrs": change(found)}
    return attrs


def cms_invalid(out, world, good):
    _, given = cms_fields(world)
    usual = out.octets[good["voucher"]]
    payload = voucher.encode(voucher.VOUCHER, given)

    def bad(row, name, octets, stage, reason, of="voucher", **more):
        out.invalid(good[of].split("/")[0], good[of], row, name, octets, stage, reason, **more)

    def container(row, name, stage, reason, signer=None, of="voucher", **options):
        bad(row, name, cms.sign(payload, signer or world.masa, **{**CMS_OPTIONS, **options}), stage,
            reason, of)

    def leaf(row, name, stage, reason, **changes):
        bad(row, name, sealed(voucher.VOUCHER, forge.changed(given, changes), world.masa), stage,
            reason)

    bad("ENC-ALL-001", "indefinite-length", cms.to_ber(usual), "parse", "BER, not DER")
    bad("ENC-ALL-001", "octet-after-the-end", usual + b"\0", "parse", "an octet after the end")
    bad("ENC-ALL-001", "cut-off", usual[:-40], "parse", "the last 40 octets are missing")
    container("ENC-ALL-001", "detached", "parse", "the content is not in it", detached=True)
    container("ENC-ALL-002", "another-content-type", "parse",
              "eContentType is neither a JSON voucher nor id-data", content_type="1.2.3.4")
    other = with_attributes(lambda a: [cms.attribute("content_type", "1.2.3.4")] + a[1:])(payload)
    container("ENC-ALL-003", "content-type-attribute", "verify",
              "the content-type attribute is not the eContentType", **other)
    wrong_digest = with_attributes(lambda a: [a[0], cms.attribute("message_digest", bytes(32)), a[2]])
    container("ENC-ALL-003", "message-digest", "verify",
              "the message-digest attribute is of something else", **wrong_digest(payload))
    container("ENC-ALL-003", "attribute-twice", "parse", "a signed attribute stands twice",
              **with_attributes(lambda a: a + a[2:])(payload))
    container("ENC-ALL-003", "no-message-digest", "verify",
              "the message-digest attribute is missing", **with_attributes(lambda a: [a[0], a[2]])(payload))
    container("ENC-ALL-003", "signature-over-something-else", "verify",
              "the signature does not verify", sign_over=b"something else")
    container("ENC-ALL-004", "nobody-signed", "verify", "nobody signed it", infos=[])
    twice = [cms.signer_info(payload, world.masa, **CMS_OPTIONS)]
    second = cms.signer_info(payload, world.masa, sid="ski", **CMS_OPTIONS)
    container("ENC-ALL-004", "two-signers", "parse", "more than one signer", infos=twice + [second])
    container("ENC-ALL-005", "no-certificate", "verify", "the signer's certificate is missing",
              certs=None)
    stranger = world.signer("masa", 3, world.stranger_root)
    container("ENC-ALL-027", "signer-of-a-stranger", "verify",
              "the signer's chain ends at no anchor, though the names are right", stranger)
    past = world.signer("masa", 3, not_after=datetime.datetime(2026, 5, 1))
    container("R8995-PLG-037", "signer-expired", "verify",
              "the signer's certificate had expired", past)
    container("ENC-ALL-025", "sha-1", "verify", "the digest is SHA-1", world.masas["rsa"],
              of="rsa", digest="sha1")

    leaf("ENC-ALL-008", "base64-without-padding", "parse", "base64 without its padding",
         pinned_domain_cert=unpadded(given["pinned-domain-cert"]))
    leaf("ENC-ALL-008", "base64-with-line-break", "parse", "white space within base64",
         pinned_domain_cert=given["pinned-domain-cert"][:64] + "\n" + given["pinned-domain-cert"][64:])
    leaf("ENC-ALL-009", "two-certificates-in-a-leaf", "parse", "a second certificate in the leaf",
         pinned_domain_cert=voucher.b64(2 * world.site.der))
    leaf("ENC-ALL-009", "no-certificate-in-a-leaf", "parse", "the leaf holds no certificate",
         pinned_domain_cert=voucher.b64(b"certificate"))
    leaf("ENC-ALL-010", "time-without-zone", "parse", "a time without a zone",
         created_on="2026-06-01T12:00:00")
    leaf("ENC-ALL-010", "no-such-day", "parse", "a day that does not exist",
         created_on="2026-02-30T12:00:00Z")
    for size in (7, 33):
        text = base64.b64encode(bytes(range(size))).decode()
        bad("ENC-ALL-011", f"nonce-{size}", sealed(voucher.VOUCHER, {**given, "nonce": text},
            world.masa), "parse", f"a nonce of {size} octets", nonce=text)
    leaf("ENC-ALL-012", "no-serial-number", "parse", "serial-number is missing", serial_number=None)
    leaf("ENC-ALL-012", "serial-number-a-number", "parse", "serial-number is not a string",
         serial_number=42)
    leaf("R8995-PLG-033", "another-serial-number", "judge", "for another device",
         serial_number="PUMP-0043")
    leaf("R8995-PLG-035", "another-nonce", "judge", "the answer to another request",
         nonce=base64.b64encode(NONCE[:-1] + b"\0").decode())

    def text(row, name, content, reason):
        bad(row, name, cms.sign(content, world.masa, **CMS_OPTIONS), "parse", reason)

    text("ENC-ALL-007", "no-module-name", payload.replace(b"ietf-voucher:voucher", b"voucher"),
         "the top-level member lacks its module's name")
    text("ENC-ALL-007", "two-at-the-top", payload[:-1] + b',"x":{}}', "two top-level members")
    text("ENC-ALL-007", "member-twice", payload.replace(b'"nonce":', b'"nonce":"%s","nonce":' %
                                                       NONCE_TEXT.encode()), "a member stands twice")
    text("ENC-ALL-007", "no-json", payload[:-1], "the content is no JSON: its last brace is missing")

    expired = dict(given, **{"expires-on": "2026-06-01T12:04:59Z"})
    expired.pop("nonce")
    bad("R8995-PLG-037", "expired", sealed(voucher.VOUCHER, expired, world.masa), "judge",
        "it expired a second before", of="nonceless", nonce=None)
    asked = bytearray(out.octets[good["pvr"]])
    asked[-1] ^= 1
    bad("R8995-MASA-012", "nested-signature", rvr_of(world, bytes(asked)), "verify",
        "the pledge's request within does not verify", of="rvr")
    bad("R8995-REG-011", "signature", bytes(asked), "verify",
        "the pledge's signature does not verify", of="pvr")


def unpadded(text):
    """base64 without the padding it had."""
    assert text.endswith("=")
    return text.rstrip("=")
