# SPDX-License-Identifier: Apache-2.0
"""An artifact as named parts, so that it can be said in what two of them differ.

    difference("voucher-cms", good, bad)      # {"payload: nonce": ["AAEC…", "AAED…"]}

What follows from something else is no part of its own: a digest of the content is "of the content" or
not, a signature "verifies" or not. What cannot be taken apart any more (cut off, another encoding) is
compared as octets.
"""
import base64
import hashlib
import json

import cbor2
from asn1crypto import cms, core, csr, x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from brski_peer import cms as peer_cms
from brski_peer import cose

SHOWN_MAX = 120  # characters of a value in the index
VERIFIES, FAILS = "verifies", "does not verify"


def short(value):
    """A value as the index shows it."""
    if isinstance(value, (bytes, bytearray)):
        value = "h'" + bytes(value).hex() + "'"
    elif not isinstance(value, str):
        value = json.dumps(value, default=repr, sort_keys=True)
    if len(value) <= SHOWN_MAX:
        return value
    return f"{value[:SHOWN_MAX - 40]}… ({len(value)} characters, sha256 " \
           f"{hashlib.sha256(value.encode()).hexdigest()[:8]})"


def flat(value, at=""):
    """{path: leaf} of JSON or CBOR."""
    if isinstance(value, dict) and value:
        return {k: v for key, item in value.items() for k, v in flat(item, f"{at}/{key}").items()}
    if isinstance(value, list) and value:
        return {k: v for i, item in enumerate(value) for k, v in flat(item, f"{at}/{i}").items()}
    return {at or "/": value}


def pairs_seen(pairs):
    """An object with every member it was written with: a second one of a name gets a number."""
    out = {}
    for key, value in pairs:
        while key in out:
            key += " again"
        out[key] = value
    return out


def json_parts(octets):
    return flat(json.loads(octets, object_pairs_hook=pairs_seen))


class Malformed(Exception):
    """Not to be taken apart: look at the octets."""


# -- CBOR with doubled keys kept

def cbor_item(octets, at=0):
    """(value, next offset); maps as lists of pairs under a class of their own."""
    first = octets[at]
    major, info = first >> 5, first & 31
    if info < 24:
        number, at = info, at + 1
    elif info < 28:
        size = 1 << (info - 24)
        number, at = int.from_bytes(octets[at + 1:at + 1 + size], "big"), at + 1 + size
    else:
        raise Malformed("length")
    if major in (2, 3):
        if at + number > len(octets):
            raise Malformed("end")
        raw = bytes(octets[at:at + number])
        return (raw if major == 2 else raw.decode()), at + number
    if major == 4:
        items = []
        for _ in range(number):
            item, at = cbor_item(octets, at)
            items.append(item)
        return items, at
    if major == 5:
        pairs = []
        for _ in range(number):
            key, at = cbor_item(octets, at)
            value, at = cbor_item(octets, at)
            pairs.append((str(key) if not isinstance(key, str) else json.dumps(key), value))
        return pairs_seen(pairs), at
    if major == 6:
        item, at = cbor_item(octets, at)
        return {f"tag {number}": item}, at
    if major == 7:
        return {20: False, 21: True, 22: None}.get(number, f"simple {number}"), at
    return (number if major == 0 else -1 - number), at


def cbor_whole(octets):
    try:
        value, end = cbor_item(octets)
    except (IndexError, UnicodeDecodeError) as error:
        raise Malformed(str(error)) from error
    if end != len(octets):
        raise Malformed("more after the end")
    return value


def cbor_parts(octets):
    return flat(cbor_whole(octets))


# -- CMS

def _payload(octets):
    """The names at the top, then the leaves of the first of them."""
    for read in (lambda o: json.loads(o, object_pairs_hook=pairs_seen), cbor_whole):
        try:
            content = read(octets)
            leaves = flat(next(iter(content.values())))
        except (ValueError, Malformed, RecursionError, AttributeError, StopIteration):
            continue
        return {"payload at the top": list(content),
                **{f"payload: {k.lstrip('/')}": v for k, v in leaves.items()}}
    return {"payload": octets}


def _info_parts(box, info, keys):
    algorithm = info["digest_algorithm"]["algorithm"].native
    parts = {"identifier": info["sid"].native, "digest algorithm": algorithm,
             "signature algorithm": info["signature_algorithm"]["algorithm"].native}
    data, attrs = box.payload or b"", None
    if info["signed_attrs"].contents:
        attrs = [(a["type"].native, a["values"]) for a in info["signed_attrs"]]
        parts["signed attributes"] = sorted(kind for kind, _ in attrs)
        values = dict(attrs)
        if "content_type" in values and values["content_type"][0].dotted != box.content_type:
            parts["content-type"] = values["content_type"][0].dotted
        if "message_digest" in values and box.payload is not None:
            right = hashlib.new(algorithm, box.payload).digest()
            same = values["message_digest"][0].native == right
            parts["message-digest"] = "of the content" if same else "of something else"
        if "signing_time" in values:
            parts["signing time"] = str(values["signing_time"][0].native)
        data = b"\x31" + info["signed_attrs"].dump()[1:]
    pss = parts["signature algorithm"] == "rsassa_pss"
    parts["signature"] = FAILS
    cert = box.signer(info=info)
    for key in [cert.public_key()] if cert else keys:
        try:
            peer_cms.raw_verify(key, info["signature"].native, data, algorithm, pss)
            parts["signature"] = VERIFIES
        except (InvalidSignature, AttributeError, TypeError, ValueError):
            continue
    return parts


def cms_parts(octets, keys=()):
    try:
        box = peer_cms.Parsed(octets)
        data = box.signed_data
        parts = {"version": box.version, "content type": box.content_type,
                 "certificates": [c.fingerprint(hashes.SHA256()).hex() for c in box.certs],
                 "revocation lists": len(data["crls"] or []), "signers": len(box.infos)}
    except (ValueError, TypeError, KeyError) as error:
        raise Malformed(str(error)) from error
    if box.payload is None:
        parts["content"] = "detached"
    else:
        parts.update(_payload(box.payload))
    if box.infos:
        found = _info_parts(box, box.infos[0], keys)
        parts.update({f"signer: {name}": value for name, value in found.items()})
    return parts


# -- COSE

def cose_parts(octets, keys=()):
    item = cbor_whole(octets)
    tag = next((k for k in item if k.startswith("tag")), None) if isinstance(item, dict) else None
    array = item[tag] if tag else item
    if not isinstance(array, list) or len(array) != 4:
        raise Malformed("not four elements")
    protected, unprotected, payload, signature = array
    parts = {"tag": tag}
    headers = cbor_whole(protected) if protected else {}
    parts.update({f"protected header {k}": v for k, v in headers.items()})
    parts.update({f"unprotected header {k}": v for k, v in unprotected.items()})
    if payload is None:
        parts["payload"] = "detached"
    else:
        parts.update(_payload(payload))
    signed = cose.to_be_signed(protected, payload or b"")
    algorithm = headers.get("1", unprotected.get("1", cose.ES256))
    parts["signature"] = f"{FAILS}, {len(signature)} octets"
    for key in keys:
        for guess in (algorithm, cose.ES256):
            try:
                cose.raw_verify(key, signature, signed, guess)
                parts["signature"] = VERIFIES
            except (InvalidSignature, AttributeError, ValueError, TypeError):
                continue
            break
    return parts


# -- certificates and requests

def _named(items, value_of):
    """{OID: value}, a second one of the same OID under a name of its own."""
    return pairs_seen((i["extn_id"].dotted, value_of(i)) for i in items)


def certificate_parts(octets, keys=()):
    try:
        cert = x509.Certificate.load(octets, strict=True)
        tbs = cert["tbs_certificate"]
        parts = {"subject": tbs["subject"].dump(), "issuer": tbs["issuer"].dump(),
                 "validity": tbs["validity"].dump(), "key": tbs["subject_public_key_info"].dump(),
                 "serial": tbs["serial_number"].native,
                 "algorithm": cert["signature_algorithm"]["algorithm"].dotted}
        found = _named(tbs["extensions"],
                       lambda e: [e["critical"].native, bytes(e["extn_value"]).hex()])
    except (ValueError, TypeError) as error:
        raise Malformed(str(error)) from error
    parts.update({f"extension {k}": v for k, v in found.items()})
    parts["signature"] = FAILS
    for key in keys:
        try:
            key.verify(cert["signature_value"].native, tbs.dump(), ec.ECDSA(hashes.SHA256()))
            parts["signature"] = VERIFIES
        except (InvalidSignature, AttributeError, TypeError):
            continue
    return parts


def csr_parts(octets, keys=()):
    try:
        request = csr.CertificationRequest.load(octets, strict=True)
        info = request["certification_request_info"]
        spki = info["subject_pk_info"].dump()
        parts = {"version": info["version"].native, "subject": info["subject"].dump(), "key": spki}
        found = pairs_seen((a["type"].dotted, a["values"].dump()) for a in info["attributes"])
    except (ValueError, TypeError) as error:
        raise Malformed(str(error)) from error
    parts.update({f"attribute {k}": v for k, v in found.items()})
    try:
        serialization.load_der_public_key(spki).verify(
            request["signature"].native, info.dump(), ec.ECDSA(hashes.SHA256()))
        parts["signature"] = VERIFIES
    except (InvalidSignature, ValueError, TypeError):
        parts["signature"] = FAILS
    return parts


def csrattrs_parts(octets, keys=()):
    try:
        items = core.SequenceOf.load(octets, strict=True, spec=core.Any)
        return {f"element {i}": item.dump() for i, item in enumerate(items)}
    except (ValueError, TypeError) as error:
        raise Malformed(str(error)) from error


def certs_only_parts(octets, keys=()):
    try:
        info = cms.ContentInfo.load(octets, strict=True)
        data = info["content"]
        content = data["encap_content_info"]["content"]
        return {"content type": info["content_type"].dotted, "version": data["version"].native,
                "eContentType": data["encap_content_info"]["content_type"].dotted,
                "content": None if isinstance(content, core.Void) else bytes(content),
                "certificates": [c.chosen.sha256.hex() for c in data["certificates"] or []],
                "signers": len(data["signer_infos"])}
    except (ValueError, TypeError, KeyError) as error:
        raise Malformed(str(error)) from error


def plain(read):
    def parts(octets, keys=()):
        try:
            return read(octets)
        except (ValueError, UnicodeDecodeError) as error:
            raise Malformed(str(error)) from error
    return parts


READERS = {
    "voucher-cms": cms_parts, "pvr-cms": cms_parts, "rvr-cms": cms_parts,
    "voucher-cose": cose_parts, "pvr-cose": cose_parts, "rvr-cose": cose_parts,
    "telemetry-json": plain(json_parts), "telemetry-cbor": plain(cbor_parts),
    "audit-log": plain(json_parts), "csr": csr_parts, "csrattrs": csrattrs_parts,
    "certs-only": certs_only_parts, "multipart-core": plain(cbor_parts), "jpy": plain(cbor_parts),
    "idevid": certificate_parts,
}


def collapsed(before, after):
    """Both without what only follows: nobody signed, so no signature; detached, so no leaves; a
    header that moved is one change."""
    if before.get("signers") != after.get("signers"):
        before, after = ({k: v for k, v in parts.items() if not k.startswith("signer:")}
                         for parts in (before, after))
    if "signer: message-digest" not in after:
        before = {k: v for k, v in before.items() if k != "signer: message-digest"}
    for part in ("content", "payload"):
        if part in after and part not in before:
            before = {k: v for k, v in before.items() if not k.startswith("payload")}
            for gone in ("signature", "signer: signature", "signer: message-digest"):
                after = {k: v for k, v in after.items() if k != gone}
                before = {k: v for k, v in before.items() if k != gone}
    for name in [k for k in before if k.startswith("protected header") and k not in after]:
        moved = "un" + name
        if moved not in before and after.get(moved) == before[name]:
            before = {**before, moved: "protected"}
            before.pop(name)
            after = {**after, moved: "unprotected"}
    return before, after


def as_octets(good, bad):
    """How octets differ that cannot be taken apart."""
    if good.startswith(bad):
        return {"octets": [f"{len(good)}", f"the first {len(bad)}"]}
    if bad.startswith(good):
        return {"octets": [f"{len(good)}", f"and {bad[len(good):].hex()} after the end"]}
    if good[:1] == b"\x30" and peer_cms.to_ber(good) == bad:
        return {"outer length": ["definite", "indefinite"]}
    if base64.b64encode(good) == bad:
        return {"octets": ["as they are", "in base64"]}
    start = next(i for i, (a, b) in enumerate(zip(good, bad)) if a != b)
    end = 0
    while end < min(len(good), len(bad)) - start and good[-1 - end] == bad[-1 - end]:
        end += 1
    return {f"octets from {start}": [short(good[start:len(good) - end]),
                                     short(bad[start:len(bad) - end])]}


def difference(artifact, good, bad, keys=()):
    """{part: [there, here]}; None stands for a part that is not there."""
    read = READERS[artifact]
    before = read(good, keys)
    try:
        after = read(bad, keys)
    except Malformed:
        return as_octets(good, bad)
    before, after = collapsed(before, after)
    names = list(dict.fromkeys(list(before) + list(after)))
    found = {n: [short(before.get(n)), short(after.get(n))] for n in names
             if type(before.get(n)) is not type(after.get(n)) or before.get(n) != after.get(n)}
    return found or as_octets(good, bad)
