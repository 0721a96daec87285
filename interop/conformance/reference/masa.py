# SPDX-License-Identifier: Apache-2.0
"""An honest and strict MASA over HTTPS (RFC 8995 §5.5, §5.6, §5.8)."""
import json

from brski_peer import cose, forge
from brski_peer.server import Answer, Server

from ..trial_masa import leads_to
from . import masa_chain
from .forms import FORMS, REQUEST, CmsForm, CoseForm, Unreadable, names_certificate, proximity
from .jws_form import JwsForm
from .masa_voucher import Vouchers, octets_of_nonce
from .old_tls import OldTls
from .rules import Refused, Role, answered

BASE = "/.well-known/brski/"
KNOWN_LEAVES = {"created-on", "serial-number", "nonce", "assertion", "idevid-issuer", "expires-on",
                "prior-signed-voucher-request", "proximity-registrar-cert", "pinned-domain-cert",
                "domain-cert-revocation-checks", "last-renewal-date"}
REQUESTS_OF_ONE = 10  # in the variant limited


class ReferenceMasa(Role, OldTls, Server):
    """Variants: known-owner, vouchers for the owner of a device only, nonceless ones too; promising,
    the same with a promise of renewals; limited, which serves few requests of each registrar."""
    profiles = ("rfc8995", "8366bis", "cbrski", "jws")
    variants = ("known-owner", "promising", "limited")

    def __init__(self, lab, folder, rules, variant="plain", masa_url=None):
        Role.__init__(self, lab, folder, rules, variant)
        shown = lab.maker.make_tls("localhost")
        Server.__init__(self, shown.cert_path, shown.key_path, any_client=True)
        self.identity_files = shown.cert_path, shown.key_path
        self.vouchers = Vouchers(self)
        self.inventory = {}   # serial → domain that owns it, or None
        self.issuers = {}     # serial → idevid-issuers of several devices that have it, in base64
        self.log = {}         # serial → events
        self.owners = {}      # serial → what its owners are known by, the last one at the end
        self.asked = {}       # registrar → number of requests
        self.addresses = {"https": ("localhost", self.port)}
        self.files = {"voucher_anchors": lab.maker.anchors}
        self.actions = {"import": self.learn, "import_owned": self.learn,
                        "import_issuer": self.learn_issuer}

    def start(self):
        return Server.start(self)

    def stop(self):
        Server.stop(self)

    def learn(self, serial, owner=None, **_more):
        self.inventory[serial] = owner

    def learn_issuer(self, serial, idevid_issuer, **_more):
        self.inventory[serial] = None
        self.issuers.setdefault(serial, []).append(idevid_issuer)

    # -- HTTP

    def handle(self, request):
        answer = answered(self.route, request)
        if 400 <= answer.status < 500 and not self.rule("says why in plain text"):
            answer.body, answer.content_type = b"", None
        again = sum((r.connection, r.body) == (request.connection, request.body) for r in self.seen("voucher"))
        if again > 1 and not self.rule("keeps connections open"):
            return None
        return answer

    def route(self, request):
        handler = {BASE + "requestvoucher": self.request_voucher,
                   BASE + "requestauditlog": self.request_audit_log}.get(request.path)
        if handler is None:
            raise Refused(404, "There is nothing here.")
        if request.method != "POST":
            if self.rule("answers POST only"):
                raise Refused(405, "POST only.", headers=[("Allow", "POST")])
            return Answer(200)
        sent = request.header("content-type") or ""
        kind = sent.split(";")[0].strip().lower()
        if kind != sent and not self.rule("compares media types as such"):
            kind = sent
        self.refuse("knows the media types it reads", kind not in FORMS, 415, f"{kind} is not read here.")
        return handler(FORMS.get(kind, CmsForm), request)

    def form_of_answer(self, form, request):
        """By what the registrar accepts."""
        accept = request.header("accept")
        if accept in (None, "*/*"):
            if not self.rule("answers in the form of the request when there is no preference"):
                raise Refused(406, "Say what you take.")
            return form
        wanted = [part.split(";")[0].strip().lower() for part in accept.split(",")]
        self.refuse("refuses what it cannot answer in", not {*wanted, "*/*"} - {"*/*"} & {*FORMS}, 406,
                    f"There is no {accept} here.")
        return form

    # -- what comes

    def read(self, form, octets, what, hints=()):
        """A signed request whose signature holds; nothing in it is judged. With the rule that
        verifies this signature off, as it stands."""
        flaw = form.flaw(octets)
        if flaw:
            self.refuse(flaw, True, 403, f"The {what}'s request is not signed as it should be.")
        try:
            message = form.read(octets, hints)
        except Unreadable as e:
            if flaw:
                raise ValueError("what was not looked at breaks") from e
            raise Refused(400, f"The {what}'s request cannot be read.") from e
        self.tolerate(form, octets, message)
        if form.is_plain_data(octets) and not self.rule("reads the older content type"):
            raise Refused(400, "That is plain data.")
        if form is JwsForm and form.is_escaped(octets) and not self.rule("reads escaped slashes in x5c"):
            raise Refused(400, "No backslashes, please.")
        if message.signer is None:
            if not flaw:
                self.refuse(f"verifies the {what}'s signature", True, 403,
                            f"The {what}'s signature does not hold.")
            message.signer = form.named_signer(octets, hints)
        if message.signer is None:
            raise Refused(403, f"The {what} names no signer.")
        self.refuse("wants the name of a request", message.container != REQUEST, 400,
                    "That is no voucher-request.")
        return message

    def tolerate(self, form, octets, message):
        """What of a request in COSE a mutant stumbles over."""
        if form is not CoseForm:
            return
        box = cose.parse(octets)
        odd = (("reads COSE without a tag", not box.tagged),
               ("reads arrays of one certificate", len(box.unprotected.get(cose.X5BAG) or ()) == 1),
               ("passes over extensions in COSE", "extensions" in message.fields))
        for rule, is_odd in odd:
            if is_odd and not self.rule(rule):
                raise Refused(400, "That is odd.")

    def registrars_request(self, form, request):
        """The request of a registrar whose signature holds up to the top of the chain it brought."""
        rvr = self.read(form, request.body, "registrar")
        masa_chain.judge(self, rvr)
        unknown = form is not CoseForm and not set(rvr.fields) <= KNOWN_LEAVES
        if unknown and not self.rule("passes over what it does not know"):
            raise Refused(400, "What is that?")
        created = rvr.fields.get("created-on")
        odd = isinstance(created, str) and len(created) != len("2026-01-01T00:00:00Z")
        if odd and not self.rule("reads every form of a time"):
            raise Refused(400, "What time is that?")
        nonce = rvr.fields.get("nonce")
        self.refuse("wants a nonce of 8 to 32 octets",
                    form is CmsForm and nonce is not None and not 8 <= len(octets_of_nonce(nonce)) <= 32, 400,
                    "A nonce has 8 to 32 octets.")
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
                    forge.voucher.serial_of(pvr.signer) != serial, 403,
                    "The serial-number is another device's.")
        self.refuse("compares both nonces", rvr.fields.get("nonce") != pvr.fields.get("nonce"), 403,
                    "The nonces differ.")
        self.near(form, pvr, rvr)
        return pvr

    def near(self, form, pvr, rvr):
        """Is what the pledge saw of the registrar's chain?"""
        named = proximity(form, pvr.fields)
        if not named:
            raise Refused(403, "The pledge has seen nobody.")
        fits = [any(names_certificate(*name, cert) for cert in rvr.certs) for name in named]
        rule = "wants the pledge's request to name the registrar"
        if fits[-1] and not fits[0]:
            rule = "takes the first name of the registrar in order"
        self.refuse(rule, not fits[0], 403, "The pledge has seen another registrar.")

    # -- what goes

    def request_voucher(self, form, request):
        self.not_too_often(request)
        self.form_of_answer(form, request)
        rvr = self.registrars_request(form, request)
        serial = rvr.fields.get("serial-number")
        if serial is None and form is CoseForm:  # of a mutant: that of the request inside
            serial = cose.parse(rvr.fields["prior-signed-voucher-request"]).fields["serial-number"]
        pvr = self.pledges_request(form, rvr, serial)
        self.refuse("knows its devices", serial not in self.inventory, 404, "No such device.")
        self.is_for(rvr, pvr, serial)
        octets, event = self.vouchers.make(form, rvr, pvr, serial)
        self.note(rvr, pvr, serial, event)
        kind = form.media_type
        if form is not CmsForm and not self.rule("answers in the form of the request"):
            kind = CmsForm.media_type
        return Answer(200, octets, kind)

    def note(self, rvr, pvr, serial, event):
        owner = forge.domain_id(forge.der(forge.lowest_ca(rvr.certs, rvr.signer)))
        repeated = owner in self.owners.get(serial, [])
        self.owners.setdefault(serial, []).append(owner)
        if repeated and not self.rule("logs each voucher"):
            return
        if pvr or self.rule("logs vouchers without a nonce"):
            self.log.setdefault(serial, []).append(event)

    def not_too_often(self, request):
        self.asked[request.peer_der] = self.asked.get(request.peer_der, 0) + 1
        self.refuse("limits each registrar",
                    self.variant == "limited" and self.asked[request.peer_der] > REQUESTS_OF_ONE, 429,
                    "Later.", headers=[("Retry-After", "60")])

    def is_for(self, rvr, pvr, serial):
        """Without a pledge's request only the owner's registrar may ask; where owners are known, only
        it in any case."""
        owner = self.inventory.get(serial)
        domain = {d.directory.name: d for d in (self.lab.domain, self.lab.other_domain)}.get(owner)
        known = domain is not None and leads_to(rvr.signer, rvr.certs, [domain.root])
        self.refuse("gives nonceless vouchers to the owner only", pvr is None and not known, 403,
                    "Without a nonce, the owner only.")
        self.refuse("serves the owner only", pvr is not None and owner is not None and not known, 403,
                    "The device is somebody else's.")

    # -- the audit log

    def request_audit_log(self, form, request):
        if form is CoseForm and not self.rule("answers requests for the log in COSE"):
            raise Refused(415, "CMS, please.")
        broken = form.read(request.body).signer is None if form is CmsForm else False
        self.refuse("verifies who asks for the log", broken, 403, "The registrar's signature does not hold.")
        rvr = form.read(request.body) if broken else self.registrars_request(form, request)
        serial = rvr.fields.get("serial-number")
        if serial not in self.inventory:
            self.refuse("has no log of unknown devices", True, 404, "Nothing is known of that device.")
            return self.log_answer([])
        self.may_see(rvr, rvr.signer or form.named_signer(request.body), serial)
        return self.log_answer(self.log.get(serial, []))

    def may_see(self, rvr, signer, serial):
        own = forge.domain_id(forge.der(forge.lowest_ca(rvr.certs, signer)))
        mine = [owner == own for owner in self.owners.get(serial, [])]
        if any(mine) and not mine[-1] and not self.rule("remembers former owners"):
            raise Refused(404, "You have sold it.")
        self.refuse("shows the log to former owners only", not any(mine), 404,
                    "Nothing is known of that device.")

    def log_answer(self, events):
        version = 1 if self.rule("writes the log as specified") else "1"
        return Answer(200, json.dumps({"version": version, "events": events}).encode(), "application/json")
