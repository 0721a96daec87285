# SPDX-License-Identifier: Apache-2.0
"""An honest and strict cloud registrar (draft-ietf-anima-brski-cloud §3, §4): it says who the owner's
registrar is, or makes the voucher itself with the manufacturer's key (§9.4)."""
import ssl

from brski_peer import forge, voucher, wire
from brski_peer.pledge import CMS_TYPE
from brski_peer.server import Answer, Server, ask_anybody

from ..trial_masa import leads_to
from .forms import REQUEST, CmsForm, Unreadable
from .rules import Refused, Role, answered

BRSKI, EST = "/.well-known/brski/", "/.well-known/est/"
NAMES = ("localhost", "cloud.example")
LATER_S = 60
REQUESTS_OF_ALL = 10  # in the variant overloaded
UPSTREAM = "https://cloud.maker.example" + BRSKI + "requestvoucher"


class Owner:
    """Of a device, as far as it is known."""
    location = est_domain = pin = configuration = None


class ReferenceCloud(Role, Server):
    """Variants: overloaded, which serves few requests; reseller, the cloud registrar of somebody who sells
    devices of the manufacturer."""
    profiles = ("rfc8995", "cloud")
    variants = ("overloaded", "reseller")
    options = {"cloud": {"names": list(NAMES)}}

    def __init__(self, lab, folder, rules, variant="plain"):
        Role.__init__(self, lab, folder, rules, variant)
        self.shown = {name: lab.domain.saved(forge.certs.make_tls_server(
            lab.maker.issuing, name, alt=f"DNS:{name}")) for name in (*NAMES, "elsewhere.example")}
        usual = self.shown[NAMES[0]]
        Server.__init__(self, usual.cert_path, usual.key_path)
        self.owners, self.requested = {}, 0
        self.addresses = {"https": ("localhost", self.port)}
        self.files = {"tls_anchors": lab.maker.file("root.crt"), "voucher_anchors": lab.maker.anchors}
        self.actions = {"import": self.learn, "claim_registrar": self.learn, "claim_est": self.learn,
                        "configure": self.configure}

    def start(self):
        return Server.start(self)

    def stop(self):
        Server.stop(self)

    # -- what the admin says

    def learn(self, serial, location=None, est_domain=None, pin=None):
        owner = self.owners.setdefault(serial, Owner())
        owner.location, owner.est_domain = location, est_domain
        if pin and (owner.pin is None or self.rule("pins the certificate the EST server has today")):
            owner.pin = forge.load_certs(pin)[0]

    def configure(self, serial, url):
        self.owners[serial].configuration = url

    # -- TLS

    def tls_context(self):
        context = self.context_of(NAMES[0] if self.rule("shows a certificate with its name") else
                                  "elsewhere.example")
        ask_anybody(context)
        context.sni_callback = self.named
        return context

    def context_of(self, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.shown[name].cert_path, self.shown[name].key_path)
        wire.log_keys(context)
        return context

    def named(self, socket, name, _context):
        """Another name, another certificate."""
        if name in NAMES[1:] and self.rule("has a certificate for each of its names"):
            context = self.context_of(name)
            ask_anybody(context)
            socket.context = context

    # -- HTTP

    def handle(self, request):
        return answered(self.route, request)

    def route(self, request):
        routes = {BRSKI + "requestvoucher": self.request_voucher, BRSKI + "voucher_status": self.voucher_status}
        if request.path == EST + "csrattrs":
            self.refuse("is no EST server", True, 404, "This is no EST server.")
            return Answer(204)
        if request.path not in routes:
            raise Refused(404, "There is nothing here.")
        if request.method != "POST":
            raise Refused(405, "POST only.", headers=[("Allow", "POST")])
        return routes[request.path](request)

    def voucher_status(self, request):
        return Answer(200 if request.peer_der else 403)

    def request_voucher(self, request):
        self.requested += 1
        self.refuse("serves no more than it can", self.variant == "overloaded"
                    and self.requested > REQUESTS_OF_ALL, 503, "Later.", headers=[("Retry-After", str(LATER_S))])
        pvr = self.device_request(request)
        serial = pvr.fields.get("serial-number")
        owner = self.owners.get(serial)
        if owner is None:
            return self.unknown()
        if owner.location:
            return Answer(307 if self.rule("redirects with 307") else 302,
                          headers=[("Location", owner.location)])
        if owner.est_domain:
            return Answer(200, self.voucher(pvr, owner), CMS_TYPE)
        return self.unclaimed()

    # -- who asks what

    def device_request(self, request):
        """A request that this very device has made and signed; nothing is said before that."""
        self.may_talk(request)
        kind = (request.header("content-type") or "").split(";")[0].strip().lower()
        if kind != CMS_TYPE:
            raise Refused(415, "Vouchers in CMS, please.")
        try:
            pvr = CmsForm.read(request.body)
            if pvr.container != REQUEST:
                raise Unreadable("no request")
        except Unreadable as e:
            raise Refused(400 if self.rule("says 400 to what it cannot read") else 404,
                          "That cannot be read.") from e
        if pvr.signer is None:
            self.refuse("verifies requests before it looks for the owner", True, 400,
                        "The signature does not hold.")
            pvr.signer = CmsForm.named_signer(request.body)
        idevid = forge.parse(request.peer_der) if request.peer_der else pvr.signer
        wrong = pvr.signer != idevid or pvr.fields.get("serial-number") != forge.voucher.serial_of(pvr.signer)
        self.refuse("answers a device about itself only", wrong, 403, "Ask for yourself.")
        return pvr

    def may_talk(self, request):
        if not request.peer_der:
            self.refuse("wants a certificate of each device", True, 403, "Show a certificate.")
            return
        chain = [forge.parse(der) for der in request.peer_chain]
        self.refuse("knows its manufacturer's devices", not leads_to(chain[0], chain, [self.lab.maker.root]), 403,
                    "That is no device of ours.")

    # -- answers

    def unknown(self):
        if self.variant == "reseller":
            self.refuse("sends no device back to the manufacturer", True, 404, "We have not sold this device.")
            return Answer(307, headers=[("Location", UPSTREAM)])
        self.refuse("says 404 of unknown devices", True, 404, "Nothing is known of this device.")
        raise Refused(403, "No.")

    def unclaimed(self):
        """Its owner is not known yet."""
        headers = [("Retry-After", str(LATER_S))] if self.rule("says when to come back") else []
        if not self.rule("asks for no password"):
            headers.append(("WWW-Authenticate", 'Basic realm="cloud"'))
        self.refuse("says 401 while nobody has claimed the device", True, 401, "Nobody has claimed it yet.",
                    headers=headers)
        return Answer(202, headers=headers)

    def voucher(self, pvr, owner):
        pin = owner.pin if self.rule("pins the EST server's certificate") else self.lab.other_domain.root
        fields = {"created-on": voucher.timestamp(), "assertion": "logged",
                  "serial-number": pvr.fields["serial-number"], "nonce": pvr.fields.get("nonce"),
                  "pinned-domain-cert": forge.b64(forge.der(pin)), "est-domain": owner.est_domain,
                  "additional-configuration-url": owner.configuration}
        if not self.rule("names the EST server"):
            fields["est-domain"] = None
        if not self.rule("names the additional configuration"):
            fields["additional-configuration-url"] = None
        if not self.rule("copies the nonce"):
            fields["nonce"] = voucher.new_nonce()
        kept = {name: value for name, value in fields.items() if value is not None}
        return forge.sign_voucher(kept, self.lab.maker.signer)
