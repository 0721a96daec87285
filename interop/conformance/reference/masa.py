# SPDX-License-Identifier: Apache-2.0
"""An honest and strict MASA over HTTPS (RFC 8995 §5.5, §5.6, §5.8)."""
import json

from brski_peer import forge, voucher
from brski_peer.server import Answer, Server

from ..trial_masa import leads_to
from .forms import FORMS, REQUEST, CmsForm, Unreadable, names_certificate, proximity
from .rules import Refused, Role, answered

BASE = "/.well-known/brski/"
CMC_RA = "1.3.6.1.5.5.7.3.28"


class ReferenceMasa(Role, Server):
    """variant known-owner: vouchers for the owner of a device only, nonceless ones too."""
    profiles = ("rfc8995", "8366bis", "cbrski")
    variants = ("known-owner",)

    def __init__(self, lab, folder, rules, variant="plain", masa_url=None):
        Role.__init__(self, lab, folder, rules, variant)
        shown = lab.maker.make_tls("localhost")
        Server.__init__(self, shown.cert_path, shown.key_path, any_client=True)
        self.signer = lab.maker.signer
        self.inventory = {}   # serial → domain that owns it, or None
        self.log = {}         # serial → events
        self.addresses = {"https": ("localhost", self.port)}
        self.files = {"voucher_anchors": lab.maker.file("root.crt")}
        self.actions = {"import": self.learn, "import_owned": self.learn}

    def start(self):
        return Server.start(self)

    def stop(self):
        Server.stop(self)

    def learn(self, serial, owner=None, **_more):
        self.inventory[serial] = owner

    # -- HTTP

    def handle(self, request):
        return answered(self.route, request)

    def route(self, request):
        handler = {BASE + "requestvoucher": self.request_voucher,
                   BASE + "requestauditlog": self.request_audit_log}.get(request.path)
        if handler is None:
            raise Refused(404, "There is nothing here.")
        if request.method != "POST" and self.rule("answers POST only"):
            raise Refused(405, "POST only.", headers=[("Allow", "POST")])
        kind = (request.header("content-type") or "").split(";")[0].strip().lower()
        self.refuse("knows the media types it reads", kind not in FORMS, 415, f"{kind} is not read here.")
        return handler(FORMS.get(kind, CmsForm), request)

    # -- what comes

    def read(self, form, octets, what, hints=()):
        """A signed request whose signature holds; nothing in it is judged. With the rule that
        verifies this signature off, as it stands."""
        try:
            message = form.read(octets, hints)
        except Unreadable as e:
            raise Refused(400, f"The {what}'s request cannot be read.") from e
        if message.signer is None:
            self.refuse(f"verifies the {what}'s signature", True, 403,
                        f"The {what}'s signature does not hold.")
            message.signer = form.named_signer(octets, hints)
        if message.signer is None:
            raise Refused(403, f"The {what} names no signer.")
        if message.container != REQUEST:
            raise Refused(400, "That is no voucher-request.")
        return message

    def registrars_request(self, form, request):
        """The request of a registrar whose signature holds up to the top of the chain it brought."""
        rvr = self.read(form, request.body, "registrar")
        self.refuse("takes requests of registration authorities only",
                    CMC_RA not in forge.ekus(rvr.signer), 403, "The signer is no registration authority.")
        return rvr

    def pledges_request(self, form, rvr, serial):
        """The request inside, proven to be the device's own; None without one."""
        prior = rvr.fields.get("prior-signed-voucher-request")
        if prior is None:
            return None
        pvr = self.read(form, form.octets(prior), "pledge", rvr.certs)
        self.refuse("takes requests of its own devices only",
                    not leads_to(pvr.signer, [*pvr.certs, *rvr.certs], [self.lab.maker.root]), 403,
                    "That is no device of ours.")
        self.refuse("compares the serial-number with the device's certificate",
                    voucher.serial_of(pvr.signer) != serial, 403, "The serial-number is another device's.")
        self.refuse("compares both nonces", rvr.fields.get("nonce") != pvr.fields.get("nonce"), 403,
                    "The nonces differ.")
        self.refuse("wants the pledge's request to name the registrar", not self.near(form, pvr, rvr), 403,
                    "The pledge has seen another registrar.")
        return pvr

    @staticmethod
    def near(form, pvr, rvr):
        """Is what the pledge saw of the registrar's chain?"""
        named = proximity(form, pvr.fields)
        return bool(named) and any(names_certificate(*named[0], cert) for cert in rvr.certs)

    # -- what goes

    def request_voucher(self, form, request):
        rvr = self.registrars_request(form, request)
        serial = rvr.fields.get("serial-number")
        pvr = self.pledges_request(form, rvr, serial)
        self.refuse("knows its devices", serial not in self.inventory, 404, "No such device.")
        if pvr is None:
            self.may_have_nonceless(rvr, serial)
        fields = self.voucher_for(form, rvr, pvr, serial)
        if self.rule("logs each voucher"):
            self.log.setdefault(serial, []).append(self.event(form, rvr, fields))
        kind = form.media_type
        if form is not CmsForm and not self.rule("answers in the form of the request"):
            kind = CmsForm.media_type
        return Answer(200, form.sign_voucher(fields, self.signer), kind)

    def may_have_nonceless(self, rvr, serial):
        """Without a pledge's request, only the owner's registrar may ask."""
        owner = self.inventory.get(serial)
        domain = {d.directory.name: d for d in (self.lab.domain, self.lab.other_domain)}.get(owner)
        known = domain is not None and leads_to(rvr.signer, rvr.certs, [domain.root])
        self.refuse("gives nonceless vouchers to the owner only", not known, 403,
                    "Without a nonce, the owner only.")

    def voucher_for(self, form, rvr, pvr, serial):
        asked = rvr.fields
        pin = forge.lowest_ca(rvr.certs, rvr.signer)
        if not self.rule("pins a certificate of the registrar's chain"):
            pin = self.lab.other_domain.root
        proven = "proximity" if self.rule("says proximity when it is proven") else "logged"
        nonce = asked.get("nonce")
        if nonce and not self.rule("copies the nonce"):
            nonce = form.new_nonce()
        copied = serial if self.rule("copies the serial-number") else serial + "0"
        fields = {"created-on": voucher.timestamp(), "assertion": proven if pvr else "logged",
                  "serial-number": copied, "nonce": nonce,
                  "pinned-domain-cert": form.leaf(forge.der(pin)),
                  "expires-on": None if nonce else voucher.timestamp(seconds=1200)}
        return {name: value for name, value in fields.items() if value is not None}

    # -- the audit log

    @staticmethod
    def event(form, rvr, fields):
        pin, nonce = forge.lowest_ca(rvr.certs, rvr.signer), rvr.fields.get("nonce")
        return {"date": fields["created-on"], "domainID": forge.domain_id(forge.der(pin)),
                "nonce": forge.b64(nonce) if isinstance(nonce, bytes) else nonce,
                "assertion": fields["assertion"]}

    def request_audit_log(self, form, request):
        rvr = self.registrars_request(form, request)
        own = forge.domain_id(forge.der(forge.lowest_ca(rvr.certs, rvr.signer)))
        events = self.log.get(rvr.fields.get("serial-number"), [])
        self.refuse("shows the log to former owners only", all(e["domainID"] != own for e in events), 404,
                    "Nothing is known of that device.")
        return Answer(200, json.dumps({"version": 1, "events": events}).encode(), "application/json")
