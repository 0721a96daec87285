# SPDX-License-Identifier: Apache-2.0
"""Requests and vouchers in CBOR and COSE."""
import hashlib

import cbor2

from brski_peer import cose, forge, voucher
from vector_set import MADE, NONCE, NONCE_TEXT, SERIAL


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
