#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes every file of this folder but the program and the text: messages, certificates, index.json.

    interop/vectors/make_vectors.py [FOLDER]

Keys are taken from keys/ and made where one is missing; times and numbers are fixed. ECDSA signatures
are random, so whoever runs it changes the octets of what is signed with such a key, and nothing else:
the set is checked in and made again only on purpose.
"""
import base64
import copy
import datetime
import hashlib
import json
import pathlib
import sys

import cbor2
from asn1crypto import cms as asn1_cms
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))

import take_apart  # noqa: E402
from brski_peer import certs, cms, cose, forge, voucher  # noqa: E402

BORN = datetime.datetime(2026, 1, 1)
DIES = datetime.datetime(2036, 1, 1)
AT = "2026-06-01T12:05:00Z"  # when everything is judged
MADE = "2026-06-01T12:00:00Z"
SIGNED = datetime.datetime(2026, 6, 1, 12, 0, 0, tzinfo=datetime.timezone.utc)
SERIAL = "PUMP-0042"
NONCE = bytes(range(0x10, 0x20))
NONCE_TEXT = base64.b64encode(NONCE).decode()
KEY_KINDS = {"maker": "ec-p256", "masa": "ec-p256", "masa-p384": "ec-p384", "masa-rsa": "rsa-3072",
             "masa-ed25519": "ed25519", "idevid": "ec-p256", "site": "ec-p256",
             "registrar": "ec-p256", "stranger": "ec-p256", "ldevid": "ec-p256"}
URL = "masa.example.net"


class Set:
    """The folder and its index."""

    def __init__(self, folder):
        self.folder, self.entries, self.octets = folder, [], {}
        self.keys = {name: self.key(name, kind) for name, kind in KEY_KINDS.items()}
        self.public = [key.public_key() for key in self.keys.values()]

    def write(self, name, octets):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)

    def key(self, name, kind):
        path = self.folder / "keys" / f"{name}.key"
        if not path.exists():
            self.write(f"keys/{name}.key", certs.key_pem(certs.new_key(kind)))
        return serialization.load_pem_private_key(path.read_bytes(), None)

    def _add(self, artifact, name, octets, verdict, rows, more):
        path = f"{artifact}/{name}.{'json' if artifact in JSON_ARTIFACTS else 'bin'}"
        assert path not in self.octets, path
        self.octets[path] = octets
        self.write(path, octets)
        entry = {"file": path, "artifact": artifact, "verdict": verdict, "rows": rows, **more,
                 "at": AT, **{k: v for k, v in needs(artifact).items() if k not in more}}
        self.entries.append(entry)
        return path

    def valid(self, artifact, name, octets, rows, about, **more):
        return self._add(artifact, name, octets, "valid", rows, {"about": about, **more})

    def invalid(self, artifact, good, row, name, octets, stage, reason, **more):
        """good: the path of the valid one. The difference is taken from the octets."""
        changed = take_apart.difference(artifact, self.octets[good], octets, self.public)
        if len(changed) != 1:
            raise ValueError(f"{row} {name}: {len(changed)} differences: {changed}")
        ((part, (was, now)),) = changed.items()
        more = {"stage": stage, "reason": reason, "derived_from": good,
                "changed": {"part": part, "was": was, "is": now}, **more}
        self._add(artifact, f"{row}-{name}", octets, "invalid", [row], more)

    def finish(self):
        index = {"about": "BRSKI test vectors, see README.md", "judged_at": AT,
                 "vectors": self.entries}
        self.write("index.json", (json.dumps(index, indent=1, ensure_ascii=False) + "\n").encode())


JSON_ARTIFACTS = ("telemetry-json", "audit-log")


def needs(artifact):
    """What a reader has to have: anchors, the signer it is not told, what it asked for."""
    kind, _, form = artifact.partition("-")
    if form not in ("cms", "cose"):
        return {}
    out = {"anchors": ["keys/site.crt" if kind == "rvr" else "keys/maker.crt"],
           "nonce": NONCE_TEXT, "serial_number": SERIAL}
    if kind == "rvr":
        out["pledge"] = "keys/idevid.crt"
    if artifact == "pvr-cose":
        out["signer"] = "keys/idevid.crt"  # the pledge's certificate comes from its (D)TLS
    return out


class World:
    """Who takes part. Certificates are made anew each time, from the keys of the folder."""

    def __init__(self, keys):
        self.keys = keys
        window = {"not_before": BORN, "not_after": DIES}
        self.window = window
        self.maker = certs.make_ca("Example Pumps Root", key=keys["maker"], serial=1, **window)
        self.site = None  # a certificate whose base64 needs padding, so that padding can be missing
        while self.site is None or len(self.site.der) % 3 == 0:
            self.site = certs.make_ca("Example Site Root", key=keys["site"], serial=1, **window)
        self.stranger_root = certs.make_ca("Example Pumps Root", key=keys["stranger"], serial=1,
                                           **window)
        self.idevid = self.device()
        self.masa = self.signer("masa", 3)
        self.masas = {kind: self.signer(f"masa-{kind}", 4 + i)
                      for i, kind in enumerate(("p384", "rsa", "ed25519"))}
        self.registrar = certs.make_registrar(self.site, key=keys["registrar"], serial=2,
                                              alt="DNS:registrar.example.com", **window)
        self.ldevid = certs.make_ldevid(self.site, SERIAL, key=keys["ldevid"], serial=3, **window)

    def device(self, url=URL, encoding="ia5", serial=2, **more):
        return certs.make_idevid(self.maker, SERIAL, url, key=self.keys["idevid"], serial=serial,
                                 masa_url_encoding=encoding, not_before=BORN, **more)

    def signer(self, key, serial, issuer=None, **more):
        return certs.make_masa_signer(issuer or self.maker, key=self.keys[key], serial=serial,
                                      **{**self.window, **more})

    def write(self, out):
        people = {"maker": self.maker, "site": self.site, "idevid": self.idevid, "masa": self.masa,
                  "registrar": self.registrar, "ldevid": self.ldevid,
                  "stranger": self.stranger_root,
                  **{f"masa-{k}": v for k, v in self.masas.items()}}
        for name, who in people.items():
            out.write(f"keys/{name}.crt", certs.cert_pem(who.cert))


# -- vouchers and requests in CMS

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


# -- COSE

def cose_sealed(container, fields, signer, keys="delta", bag=(), **how):
    if bag:
        how["unprotected"] = {cose.X5BAG: cose.bag(c.der for c in bag), **how.get("unprotected", {})}
    return cose.sign(cose.encode(container, fields, keys), signer, **how)


def cose_fields(world):
    spki = forge.spki(world.registrar.cert)
    pvr = {"assertion": "proximity", "nonce": NONCE, "proximity-registrar-pubk": spki,
           "serial-number": SERIAL}
    given = {"assertion": "proximity", "created-on": MADE, "nonce": NONCE,
             "pinned-domain-cert": world.site.der, "serial-number": SERIAL}
    return pvr, given


def cose_rvr(world, prior):
    fields = {"assertion": "proximity", "created-on": MADE, "nonce": NONCE,
              "idevid-issuer": voucher.idevid_issuer(world.idevid.cert),
              "prior-signed-voucher-request": prior, "serial-number": SERIAL}
    return cose_sealed("request", fields, world.registrar,
                       bag=(world.registrar, world.site, world.idevid, world.maker))


def cose_valid(out, world):
    pvr, given = cose_fields(world)
    spki = pvr["proximity-registrar-pubk"]
    good = {}

    def ask(name, about, rows, fields=None, keys="delta", **how):
        return out.valid("pvr-cose", name, cose_sealed("request", fields or pvr, world.idevid, keys,
                                                       **how), rows, about)

    good["pvr"] = ask("proximity-pubk", "a pledge's request with the registrar's key", ["O-01", "Y-10"])
    ask("proximity-cert", "... with its certificate", ["Y-10"], {
        **forge.changed(pvr, {"proximity_registrar_pubk": None}),
        "proximity-registrar-cert": world.registrar.der})
    ask("proximity-pubk-sha256", "... with the hash of its key", ["Y-10"], {
        **forge.changed(pvr, {"proximity_registrar_pubk": None}),
        "proximity-registrar-pubk-sha256": hashlib.sha256(spki).digest()})
    ask("names", "member names in place of SIDs", ["Y-02"], keys="names")
    ask("absolute-sids", "SIDs in full, under tag 47", ["Y-02"], keys="absolute")
    ask("untagged", "without tag 18", ["O-01"], tag=False)
    good["rvr"] = out.valid("rvr-cose", "nonced", cose_rvr(world, out.octets[good["pvr"]]),
                            ["O-06", "Y-12"], "a registrar's request around a pledge's")

    def issue(name, about, rows, fields=None, signer=None, nonce=NONCE_TEXT, bag=None, **how):
        signer = signer or world.masa
        bag = (signer, world.maker) if bag is None else bag
        return out.valid("voucher-cose", name, cose_sealed("voucher", fields or given, signer,
                                                           bag=bag, **how), rows, about, nonce=nonce)

    good["voucher"] = issue("nonced", "the usual voucher, as a MASA sends it", ["O-01", "O-09"])
    stripped = cose.stripped(out.octets[good["voucher"]])
    good["stripped"] = out.valid("voucher-cose", "stripped", stripped, ["R-10"],
                                 "the same as a registrar hands it on", signer="keys/masa.crt")
    issue("bag-of-one", "an array around a single certificate is read", ["O-07"], bag=(),
          unprotected={cose.X5BAG: [world.masa.der]})
    good["header"] = issue("unknown-header", "a protected header nobody knows", ["O-13"],
                           protected={-70001: 1})
    for kind in ("p384", "ed25519"):
        issue(f"signed-{kind}", f"signed with another kind of key: {kind}", ["O-03"],
              signer=world.masas[kind])
    nonceless = {**forge.changed(given, {"nonce": None}), "expires-on": "2026-06-15T12:00:00Z"}
    good["nonceless"] = issue("nonceless", "no nonce, but an end", ["Y-08"], nonceless, nonce=None)
    issue("pinned-pubk", "pins the key alone", ["Y-09"], {
        **forge.changed(given, {"pinned_domain_cert": None}),
        "pinned-domain-pubk": forge.spki(world.site.cert)})
    issue("unknown-leaf", "a leaf nobody knows", ["Y-02"], {**given, 40: "?"})
    return good


def cose_invalid(out, world, good):
    _, given = cose_fields(world)
    usual = out.octets[good["voucher"]]
    bag = (world.masa, world.maker)

    def bad(row, name, octets, stage, reason, of="voucher", **more):
        out.invalid(good[of].split("/")[0], good[of], row, name, octets, stage, reason, **more)

    def container(row, name, stage, reason, signer=None, bag=bag, of="voucher", **how):
        bad(row, name, cose_sealed("voucher", given, signer or world.masa, bag=bag, **how), stage,
            reason, of)

    def leaf(row, name, stage, reason, **changes):
        bad(row, name, cose_sealed("voucher", forge.changed(given, changes), world.masa, bag=bag),
            stage, reason)

    item = cbor2.loads(usual).value
    bad("O-01", "another-tag", cbor2.dumps(cbor2.CBORTag(98, item)), "parse", "tag 98, not 18")
    bad("O-01", "three-elements", cbor2.dumps(cbor2.CBORTag(18, item[:3])), "parse",
        "three elements where a COSE_Sign1 has four")
    container("O-02", "alg-unprotected", "parse", "alg is not in the protected header", alg=None,
              unprotected={cose.ALG: cose.ES256})
    container("O-02", "no-alg", "parse", "there is no alg", alg=None)
    container("O-02", "signature-in-der", "verify", "the signature is in DER, not raw", der=True)
    container("O-02", "other-context", "verify", "signed as a COSE_Signature, not a COSE_Sign1",
              context="Signature")
    wrong = list(item)
    wrong[3] = wrong[3][:-1] + bytes([wrong[3][-1] ^ 1])
    bad("O-02", "signature", cbor2.dumps(cbor2.CBORTag(18, wrong)), "verify",
        "the signature does not verify")
    container("O-03", "unknown-alg", "verify", "an algorithm nobody has to know", alg=-47)
    stranger = world.signer("masa", 3, world.stranger_root)
    container("O-11", "signer-of-a-stranger", "verify",
              "the signer's chain ends at no anchor, though the names are right",
              bag=(stranger, world.maker))
    container("O-11", "no-certificate", "verify", "the signer's certificate is missing", bag=())
    container("O-14", "unknown-critical", "parse", "a critical header nobody knows", of="header",
              protected={-70001: 1, cose.CRIT: [-70001]})
    container("O-15", "detached", "parse", "the payload is not in it", detached=True)
    container("O-15", "external-data", "verify", "signed together with external data",
              external=b"external")
    bad("Y-18", "octet-after-the-end", usual + b"\0", "parse", "an octet after the end")
    bad("Y-18", "cut-off", usual[:-10], "parse", "the last 10 octets are missing")

    def content(row, name, octets, reason):
        bad(row, name, cose.sign(octets, world.masa, unprotected={
            cose.X5BAG: cose.bag(c.der for c in bag)}), "parse", reason)

    payload = cose.encode("voucher", given)
    content("Y-01", "another-sid", payload.replace(b"\xa1\x19\x09\x93", b"\xa1\x19\x09\x94", 1),
            "the SID at the top is no container of a voucher")
    content("Y-01", "two-at-the-top", b"\xa2" + payload[1:] + b"\x01\xa0", "two entries at the top")
    nonce = b"\x07\x50" + NONCE
    doubled = payload.replace(nonce, 2 * nonce, 1).replace(b"\x93\xa5", b"\x93\xa6", 1)
    content("Y-18", "leaf-twice", doubled, "a leaf stands twice")
    leaf("Y-04", "time-a-number", "parse", "created-on is a number, not a text", created_on=1780315200)
    leaf("Y-04", "certificate-a-text", "parse", "pinned-domain-cert is a text, not octets",
         pinned_domain_cert=voucher.b64(world.site.der))
    leaf("Y-04", "serial-number-octets", "parse", "serial-number is octets, not a text",
         serial_number=SERIAL.encode())
    leaf("Y-05", "nonce-7", "parse", "a nonce of 7 octets", nonce=NONCE[:7])
    leaf("Y-05", "nonce-33", "parse", "a nonce of 33 octets", nonce=bytes(33))
    leaf("Y-06", "no-serial-number", "parse", "serial-number is missing", serial_number=None)
    leaf("O-16", "another-nonce", "judge", "the answer to another request", nonce=NONCE[:-1] + b"\0")
    leaf("O-16", "another-serial-number", "judge", "for another device", serial_number="PUMP-0043")
    expired = {**forge.changed(given, {"nonce": None}), "expires-on": "2026-06-01T12:04:59Z"}
    bad("O-16", "expired", cose_sealed("voucher", expired, world.masa, bag=bag), "judge",
        "it expired a second before", of="nonceless", nonce=None)
    prior = out.octets[good["pvr"]]
    bad("A-04", "nested-signature", cose_rvr(world, prior[:-1] + bytes([prior[-1] ^ 1])), "verify",
        "the pledge's request within does not verify", of="rvr")
    bad("R-04", "signature", prior[:-1] + bytes([prior[-1] ^ 1]), "verify",
        "the pledge's signature does not verify", of="pvr")


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


def make(folder):
    out = Set(folder)
    world = World(out.keys)
    world.write(out)
    cms_invalid(out, world, cms_valid(out, world))
    cose_invalid(out, world, cose_valid(out, world))
    telemetry(out)
    audit_log(out, world)
    est_csr(out, world)
    est_csrattrs(out)
    est_certs(out, world)
    multipart(out, world)
    jpy(out)
    idevids(out, world)
    out.finish()
    return out


if __name__ == "__main__":
    made = make(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
    print(f"{len(made.entries)} vectors")
