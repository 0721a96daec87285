# SPDX-License-Identifier: Apache-2.0
"""The vouchers of the reference MASA, and their entries in its log (RFC 8995 §5.6, §5.8.1)."""
import base64
import datetime

from brski_peer import cms, cose, forge, voucher

from .forms import CmsForm, CoseForm
from .jws_form import JwsForm, written

NONCELESS_S = 1200
PROMISE_S = 30 * 86400
FOREIGN = ("pinned-domain-cert", "last-renewal-date", "domain-cert-revocation-checks")


def octets_of_nonce(nonce):
    """base64 of either alphabet, padded or not; octets as they are."""
    if isinstance(nonce, bytes):
        return nonce
    return base64.urlsafe_b64decode(nonce.rstrip("=").replace("+", "-").replace("/", "_")
                                    + "=" * (-len(nonce.rstrip("=")) % 4))


class Vouchers:
    def __init__(self, masa):
        self.masa, self.rule, self.signer = masa, masa.rule, masa.lab.maker.signer
        self.lasting = forge.certs.make_masa_signer(masa.lab.maker.issuing, "MASA of lasting vouchers")
        self.namesake = None  # a CA with the domain's key that is in nobody's chain

    def make(self, form, rvr, pvr, serial):
        """(the signed voucher, its event in the log)"""
        pin = self.pin(form, rvr)
        if form is CoseForm and pin != rvr.signer and not self.rule("pins the lowest CA"):
            pin = self.masa.lab.domain.root
        fields = {**self.leaves(form, rvr, pvr, serial, pin), **self.too_much(form, rvr, pvr)}
        kept = {name: value for name, value in fields.items() if value is not None}
        nonce = rvr.fields.get("nonce")
        event = {"date": kept.get("created-on") or voucher.timestamp(), "domainID": self.domain_id(pin),
                 "nonce": forge.b64(nonce) if isinstance(nonce, bytes) else nonce,
                 "assertion": kept["assertion"]}
        if form is CoseForm:
            kept = self.in_cose(rvr, pvr, kept)
        return self.signed(form, kept), event

    def pin(self, form, rvr):
        right = forge.lowest_ca(rvr.certs, rvr.signer)
        issuing = self.masa.lab.domain.issuing
        if form is not CoseForm and right == issuing.cert and not self.rule("pins a certificate of the registrar's chain"):
            self.namesake = self.namesake or forge.certs.make_cert(right.subject, None, key=issuing.key,
                                                                   ca=True).cert
            return self.namesake
        return right

    def leaves(self, form, rvr, pvr, serial, pin):
        created = voucher.timestamp()
        if not self.rule("writes times with their zone"):
            created = created[:-1]
        if not self.rule("fills in what a voucher has to have"):
            created = None
        return {"created-on": created, "assertion": self.assertion(rvr, pvr),
                "serial-number": serial if form is CoseForm or self.rule("copies the serial-number") else serial + "0",
                "nonce": self.nonce(form, rvr), "pinned-domain-cert": self.certificate(form, pin),
                "idevid-issuer": self.issuer(form, pvr, serial), **self.end(rvr, pvr)}

    def assertion(self, rvr, pvr):
        if rvr.fields.get("assertion") not in (None, "proximity") \
                and not self.rule("passes over the registrar's assertion"):
            return rvr.fields["assertion"]
        return "proximity" if pvr and self.rule("says proximity when it is proven") else "logged"

    def nonce(self, form, rvr):
        nonce = rvr.fields.get("nonce")
        if nonce is None:
            return None
        if isinstance(nonce, str) and nonce != voucher.b64(octets_of_nonce(nonce)):
            kept = self.rule("leaves the nonce as it is written")
            return nonce if kept else voucher.b64(octets_of_nonce(nonce))
        return nonce if self.rule("copies the nonce") else form.new_nonce()

    def certificate(self, form, pin):
        leaf = form.leaf(forge.der(pin))
        if form is CmsForm and not self.rule("writes binary leaves in base64 on one line"):
            return base64.encodebytes(forge.der(pin)).decode()
        return leaf

    def issuer(self, form, pvr, serial):
        """For devices that share their serial-number."""
        known = self.masa.issuers.get(serial, [])
        if not pvr or len(known) < 2:
            return None
        if not self.rule("tells devices apart by their issuer"):
            return known[0]
        return form.leaf(forge.aki_tlv(pvr.signer))

    def end(self, rvr, pvr):
        if pvr is not None:
            bounded = self.rule("leaves an end out of vouchers with a nonce")
            return {} if bounded else {"expires-on": voucher.timestamp(seconds=NONCELESS_S)}
        last = datetime.datetime.utcnow() + datetime.timedelta(seconds=NONCELESS_S)
        pinned = forge.lowest_ca(rvr.certs, rvr.signer)
        if pinned != rvr.signer and pinned.not_valid_after < last:
            if self.rule("ends vouchers before the CA they pin"):
                last = pinned.not_valid_after
        elif rvr.signer.not_valid_after < last:
            if self.rule("ends vouchers before the certificate they pin"):
                last = rvr.signer.not_valid_after
        elif self.masa.variant == "promising":
            promised = self.rule("promises renewals")
            return {"expires-on": voucher.timestamp(last),
                    "last-renewal-date": voucher.timestamp(seconds=PROMISE_S) if promised else None}
        elif not self.rule("ends vouchers without a nonce"):
            return {}
        return {"expires-on": voucher.timestamp(last)}

    def too_much(self, form, rvr, pvr):
        """What the mutants put in; those for COSE do so in in_cose()."""
        if form is CoseForm:
            return {}
        more = {}
        if any(name in rvr.fields for name in FOREIGN) \
                and not self.rule("passes over leaves a request has no business with"):
            more.update({name: rvr.fields[name] for name in FOREIGN if name in rvr.fields})
        if pvr and not self.rule("keeps the request out of the voucher"):
            more["prior-signed-voucher-request"] = form.leaf(pvr.octets)
        return more

    def signed(self, form, fields):
        if form is JwsForm:
            return written(self, voucher.VOUCHER, fields, self.signer, self.signer.chain())
        if form is not CmsForm:
            return self.signed_in_cose(fields)
        how, signer = {}, self.signer
        if "nonce" not in fields and self.rule("signs vouchers without a nonce with a key of their own"):
            signer = self.lasting
        if not self.rule("names the type of its content"):
            how["content_type"] = cms.ID_DATA
        if signer is self.signer and not self.rule("sends its chain along"):
            how["certs"] = [signer.cert]
        octets = forge.sign_voucher(fields, signer, **how)
        return octets if self.rule("writes DER") else cms.to_ber(octets)

    def in_cose(self, rvr, pvr, kept):
        """What is different in a voucher in COSE."""
        named_key = pvr is not None and "proximity-registrar-pubk" in pvr.fields
        if named_key and kept["pinned-domain-cert"] == forge.der(rvr.signer) \
                and self.rule("pins a key where the pledge named one"):
            own = self.rule("pins the registrar's own key")
            kept = {**kept, "pinned-domain-pubk": forge.spki(rvr.signer if own else self.masa.lab.domain.root)}
            del kept["pinned-domain-cert"]
        if set(FOREIGN) & set(rvr.fields) and not self.rule(
                "passes over leaves a request has no business with in COSE"):
            kept = {**kept, "last-renewal-date": kept["created-on"]}
        if not self.rule("writes every leaf in its type"):
            kept = {**kept, "created-on": 1_700_000_000}
        if not self.rule("says whose voucher it is in COSE"):
            kept = {**kept, "serial-number": kept["serial-number"] + "0"}
        return kept

    def signed_in_cose(self, fields):
        how = {}
        if not self.rule("writes SIDs"):
            how["keys"] = "names"
        if not self.rule("names no key in the protected header"):
            how["protected"] = {cose.KID: b"masa"}
        if not self.rule("tags its vouchers"):
            how["tag"] = False
        if not self.rule("signs as COSE has it"):
            how["der"] = True
        if not self.rule("writes one certificate bare"):
            how["unprotected"] = {cose.X5BAG: [forge.der(self.signer.cert)],
                                  cose.X5CHAIN: cose.bag(forge.der(c) for c in self.signer.chain(with_root=True))}
        if not self.rule("names the container of its vouchers"):
            bag = cose.bag(forge.der(c) for c in self.signer.chain(with_root=True))
            return cose.sign(cose.encode("request", fields), self.signer, unprotected={cose.X5BAG: bag})
        return cose.sign_voucher(fields, self.signer, **how)

    def domain_id(self, cert):
        """Of the certificate that is pinned."""
        right = forge.domain_id(forge.der(cert))
        name = ("takes the key identifier as domainID" if forge.ski(cert)
                else "takes the SHA-256 of the key without a key identifier")
        return right if self.rule(name) else forge.b64(b"domain-id")
