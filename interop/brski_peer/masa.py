# SPDX-License-Identifier: Apache-2.0
"""A MASA that can lie in each way a registrar has to notice.

Set `lie` to a function of the voucher's fields (returns the fields to sign), `signer` to another
identity, `answer` to a function of the request that returns an Answer (or None to hang up); `audit`
to a function of the serial that returns the audit log's object or an Answer.
"""
import base64
import hashlib
import json

from . import cose, forge, jws, voucher
from .server import Answer, Server, text

CMS_TYPE = "application/voucher-cms+json"
COSE_TYPE = "application/voucher+cose"
OLDER_COSE_TYPE = "application/voucher-cose+cbor"


class FakeMasa(Server):
    def __init__(self, manufacturer_dir, port=0, certificate=None, key=None, **more):
        masa = manufacturer_dir / "masa"
        super().__init__(certificate or masa / "masa-tls.crt", key or masa / "masa-tls.key", port,
                         **more)
        self.honest_signer = forge.load(masa / "masa-signer.key", masa / "masa-signer.crt")
        self.be_honest()

    def be_honest(self):
        self.signer = self.honest_signer
        self.lie = None
        self.cms = {}
        self.cose = {}
        self.jws = {}           # arguments of jws.sign()
        self.reshape = None     # octets of a voucher in JWS → other octets
        self.cose_type = COSE_TYPE  # the one name it has for a voucher in COSE
        self.pin_form = "pinned-domain-cert"  # of vouchers in COSE
        self.answer = None
        self.audit = self.own_history
        self.delay = 0
        self.logged = {}
        self.vouchers = []

    def handle(self, request):
        if self.answer is not None:
            answered = self.answer(request)
            if answered is not NotImplemented:
                return answered
        if request.method == "POST" and request.path.endswith("/requestvoucher"):
            return self.voucher(request)
        if request.method == "POST" and request.path.endswith("/requestauditlog"):
            return self.audit_log(request)
        if request.method == "GET" and request.path.startswith("/log/"):
            return self.log_answer(self.audit(request.path[5:]))
        return text(404, "nothing here\n")

    def voucher(self, request):
        if self.is_cose(request):
            return self.cose_voucher(request)
        if request.header("content-type") == jws.MEDIA_TYPE:
            return self.jws_voucher(request)
        if request.header("content-type") in (COSE_TYPE, OLDER_COSE_TYPE):
            return text(415, "another name for it, please\n")
        try:
            rvr = forge.read(request.body)
        except ValueError as e:
            return text(400, f"{e}\n")
        fields = forge.voucher_fields(rvr.fields, pin=self.pin_of(rvr))
        if self.lie:
            fields = self.lie(fields)
        voucher = forge.sign_voucher(fields, self.signer, **self.cms)
        self.vouchers.append(voucher)
        self.logged.setdefault(rvr.fields["serial-number"], []).append(fields)
        return Answer(200, voucher, CMS_TYPE, delay=self.delay)

    def is_cose(self, request):
        return request.header("content-type") == self.cose_type

    def cose_voucher(self, request):
        """Leaves are bytes here; what is logged reads like the JSON."""
        rvr = cose.parse(request.body)
        pin = forge.lowest_ca(rvr.certs, rvr.signer())
        fields = cose.voucher_fields(rvr.fields, pin, self.pin_form)
        if self.lie:
            fields = self.lie(fields)
        octets = cose.sign_voucher(fields, self.signer, **self.cose)
        self.vouchers.append(octets)
        self.logged.setdefault(rvr.fields["serial-number"], []).append(
            {**fields, "nonce": voucher.b64(fields.get("nonce") or b""),
             "pinned-domain-cert": voucher.b64(forge.der(pin))})
        return Answer(200, octets, self.cose_type, delay=self.delay)

    def jws_voucher(self, request):
        """Whatever is wrong with the request, somebody else judges it."""
        asked, chain = jws.leaves(request.body), jws.parse(jws.general(request.body)).certs
        signer = next(c for c in chain if not forge.is_ca(c))
        fields = forge.voucher_fields(asked, pin=forge.lowest_ca(chain, signer))
        if self.lie:
            fields = self.lie(fields)
        octets = jws.sign_voucher(fields, self.signer, **self.jws)
        octets = self.reshape(octets) if self.reshape else octets
        self.vouchers.append(octets)
        self.logged.setdefault(asked["serial-number"], []).append(fields)
        return Answer(200, octets, jws.MEDIA_TYPE, delay=self.delay)

    def pin_of(self, rvr):
        """The certificate nearest to the signer that is a CA, else the signer itself."""
        return forge.lowest_ca(rvr.certs, rvr.signer)

    # -- audit log

    def own_history(self, serial):
        """What was really issued here, as RFC 8995 §5.8.1 has it."""
        events = [{"date": f["created-on"],
                   "domainID": forge.domain_id(base64.b64decode(f["pinned-domain-cert"])),
                   "nonce": f.get("nonce"), "assertion": f["assertion"]}
                  for f in self.logged.get(serial, []) if "pinned-domain-cert" in f]
        return {"version": 1, "events": events}

    def foreign_history(self, serial):
        """As if another domain had claimed the device before."""
        log = self.own_history(serial)
        stranger = base64.b64encode(hashlib.sha256(b"another domain").digest()[:20]).decode()
        log["events"].insert(0, {"date": "2024-01-01T00:00:00Z", "domainID": stranger,
                                 "nonce": "AAAAAAAAAAAAAAAAAAAAAA==", "assertion": "logged"})
        return log

    def audit_log(self, request):
        if request.header("content-type") == jws.MEDIA_TYPE:
            return self.log_answer(self.audit(jws.leaves(request.body)["serial-number"]))
        rvr = (cose.parse if self.is_cose(request) else forge.read)(request.body)
        return self.log_answer(self.audit(rvr.fields["serial-number"]))

    @staticmethod
    def log_answer(log):
        if isinstance(log, Answer):
            return log
        return Answer(200, json.dumps(log).encode(), "application/json")

    def history_by_location(self, location):
        """Answer 201 with a Location (LOCATION gets the path /log/SERIAL appended)."""
        def answer(request):
            if not request.path.endswith("/requestauditlog"):
                return NotImplemented
            serial = forge.read(request.body).fields["serial-number"]
            return Answer(201, headers=[("Location", f"{location}/log/{serial}")])
        self.answer = answer
