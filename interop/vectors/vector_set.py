# SPDX-License-Identifier: Apache-2.0
"""The set of vectors as it is made: the folder with its index, and who takes part."""
import datetime
import json

from cryptography.hazmat.primitives import serialization

import take_apart
from brski_peer import certs, voucher

BORN = datetime.datetime(2026, 1, 1)
DIES = datetime.datetime(2036, 1, 1)
AT = "2026-06-01T12:05:00Z"  # when everything is judged
MADE = "2026-06-01T12:00:00Z"
SIGNED = datetime.datetime(2026, 6, 1, 12, 0, 0, tzinfo=datetime.timezone.utc)
SERIAL = "PUMP-0042"
NONCE = bytes(range(0x10, 0x20))
NONCE_TEXT = voucher.b64(NONCE)
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
