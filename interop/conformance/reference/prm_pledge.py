# SPDX-License-Identifier: Apache-2.0
"""An honest and strict pledge in responder mode (draft-ietf-anima-brski-prm §6.2, §7)."""
import contextlib
import json
import threading
import time

from brski_peer import certs, forge, mdns, prm, voucher, wire
from brski_peer.server import Answer, Server

from .prm_pledge_judgement import Judgement
from .rules import Refused, Role, answered

CONNECTIONS, OF_ONE_INITIATOR = 16, 8
UNSET_CLOCK_S = -20 * 365 * 86400  # how far behind a pledge without a clock is
BODY_TYPES = {"tpvr": prm.JSON_TYPE, "tper": prm.JSON_TYPE, "svr": prm.VOUCHER_TYPE, "scac": prm.JOSE_TYPE,
              "ser": "application/pkcs7-mime", "qps": prm.JOSE_TYPE}
ANSWER_TYPES = {"tpvr": prm.VOUCHER_TYPE, "tper": prm.JOSE_TYPE, "qps": prm.JOSE_TYPE}


class Device:
    """What a pledge remembers."""

    def __init__(self, idevid, anchors):
        self.idevid, self.anchors = idevid, anchors
        self.serial = voucher.serial_of(idevid.cert)
        self.registrar = self.nonce = self.pin = self.key = self.ldevid = None
        self.cas = []
        self.progress = "factory-default"
        self.told, self.told_at = None, 0  # the agent's time, and when it came


class ReferencePrmPledge(Judgement, Role, Server):
    """Variants: clockless, without a clock; combined, which seeks a registrar as well."""
    profiles = ("prm", "discovery")
    variants = ("clockless", "combined")

    def __init__(self, lab, folder, rules, variant="plain"):
        Role.__init__(self, lab, folder, rules, variant)
        Server.__init__(self, None, None)
        self.announcer = mdns.Responder(self.announced)
        self.addresses = {"http": ("127.0.0.1", self.port), "mdns": self.announcer.address}
        self.actions = {"factory": self.factory}
        self.device = self.seeking = self.usual_nonce = None

    def start(self):
        self.announcer.__enter__()
        return Server.start(self)

    def stop(self):
        self.announcer.stop()
        Server.stop(self)

    def factory(self, key, certificate, anchors, registrar=None, **_more):
        """A new device with this IDevID."""
        self.device = Device(forge.load(key, certificate), forge.load_certs(anchors))
        if self.variant == "combined":
            self.seeking = threading.Thread(target=self.seek, args=[registrar], daemon=True)
            self.seeking.start()

    def seek(self, url):
        """Ask a registrar for a voucher, and wait for its answer."""
        host, _, port = url.removeprefix("https://").rpartition(":")
        try:
            with wire.Connection(int(port), host) as connection:
                connection.post(prm.BASE + "requestvoucher", b"{}", prm.VOUCHER_TYPE)
        except (wire.Closed, OSError):
            return

    def announced(self, name):
        if self.device is None:
            return []
        right = mdns.records_of(self.device.serial, self.port)
        if mdns.same(name, mdns.BROWSED):
            return right if self.rule("answers those who browse") else []
        if mdns.same(name, mdns.instance(self.device.serial)):
            return right[1:] if self.rule("answers to its instance name") else []
        return []

    def secured(self, raw):
        """Room for some connections, and for fewer of one initiator."""
        who, held = raw.getpeername()[0], []
        for each in list(self.open):
            with contextlib.suppress(OSError):  # it may be over
                held.append(each.getpeername()[0])
        crowded = held.count(who) >= OF_ONE_INITIATOR
        if len(held) >= CONNECTIONS or crowded and self.rule("bounds the connections of one initiator"):
            raise OSError("no room")
        return super().secured(raw)

    # -- HTTP

    def handle(self, request):
        return answered(self.route, request)

    def lapses(self, rule, when=True):
        """Does the mutant go wrong here? The rule is met only then."""
        return when and not self.rule(rule)

    def route(self, request):
        name = request.path.removeprefix(prm.BASE)
        endpoints = {"tpvr": self.trigger, "tper": self.enroll_trigger, "svr": self.take_voucher,
                     "scac": self.take_cas, "ser": self.take_certificate, "qps": self.status}
        probing = request.body == b"{}"
        if name == "scac" and self.lapses("has every endpoint", probing) \
                or name == "qps" and self.lapses("can be asked for its status", probing):
            raise Refused(404, "There is nothing here.")
        if name not in endpoints:
            raise Refused(404, "There is nothing here.")
        if request.method != "POST":
            if self.rule("answers POST only"):
                raise Refused(405, "POST only.", headers=[("Allow", "POST")])
            return Answer(200)
        foreign = not (request.header("host") or "").startswith("127.")
        if self.lapses("answers whatever the Host header says", foreign):
            raise Refused(421, "That is another host.")
        busy = self.seeking is not None and self.seeking.is_alive()
        if self.lapses("answers triggers while it seeks a registrar", busy):
            raise Refused(503, "Later.")
        self.judge_types(name, request)
        return endpoints[name](request)

    def judge_types(self, name, request):
        kind = (request.header("content-type") or "").split(";")[0].strip().lower()
        self.refuse(f"looks at the media type of {name}", kind != BODY_TYPES[name], 415,
                    f"{name} reads {BODY_TYPES[name]}.")
        wanted = request.header("accept")
        if name in ANSWER_TYPES and wanted is None and self.lapses("takes triggers without Accept"):
            raise Refused(406, "Say what you take.")
        types = {part.split(";")[0].strip().lower() for part in (wanted or "*/*").split(",")}
        answer = ANSWER_TYPES.get(name)
        self.refuse(f"refuses what it cannot answer {name} in", bool(answer) and not types & {answer, "*/*"}, 406,
                    f"{name} answers {answer}.")

    # -- time

    def now(self, rule):
        """The time for a message. A pledge without a clock goes by the agent's."""
        if self.variant != "clockless":
            return voucher.timestamp()
        told = self.device.told
        if told and self.rule(rule):
            return voucher.timestamp(forge.parse_time(told).replace(tzinfo=None),
                                     int(time.monotonic() - self.device.told_at))
        return voucher.timestamp(seconds=UNSET_CLOCK_S)

    # -- triggers

    def trigger(self, request):
        d = self.device
        try:
            asked = json.loads(request.body)
            registrar = forge.parse(prm.base64.b64decode(asked[prm.PROXIMITY], validate=True))
            d.told = self.time_in(asked[prm.SIGNED_DATA])
        except Exception as e:
            missing = isinstance(e, KeyError)
            self.refuse("wants both members of a trigger" if missing else "wants a trigger it can read", True, 400,
                        "That is no trigger.")
            return Answer(200)
        d.told_at = time.monotonic()
        if d.registrar is None or self.rule("keeps the registrar's certificate that came last"):
            d.registrar = registrar
        fields = self.request_fields(d, request.body)
        d.nonce = fields["nonce"]
        signer = certs.Identity(certs.new_key(), d.idevid.cert, d.idevid.issuers) \
            if self.lapses("signs with the IDevID's key") else d.idevid
        kind = prm.VOUCHER_TYPE if self.rule("names the type of its voucher-request") else prm.JOSE_TYPE
        return Answer(200, prm.sign_pvr(fields, signer), kind)

    @staticmethod
    def time_in(data):
        """created-on of what the agent signed. The pledge cannot judge the signature."""
        return prm.opened(prm.base64.b64decode(data, validate=True))[1].get(prm.CREATED)

    def request_fields(self, d, body):
        fields = prm.pvr_fields(d.idevid, body)
        fields[prm.CREATED] = self.now("dates its voucher-request by the agent's time")
        self.usual_nonce = self.usual_nonce or fields["nonce"]
        if self.lapses("makes a new nonce each time"):
            fields["nonce"] = self.usual_nonce
        if self.lapses("names itself by its serial-number"):
            fields["serial-number"] = d.serial.lower()
        if self.lapses("says agent-proximity"):
            fields["assertion"] = "proximity"
        if self.lapses("copies the registrar's certificate"):
            fields[prm.PROXIMITY] = forge.b64(d.idevid.der)
        if self.lapses("copies what the agent signed"):
            data = json.loads(prm.base64.b64decode(fields[prm.SIGNED_DATA]))
            fields[prm.SIGNED_DATA] = forge.b64(json.dumps(data).encode())
        if self.lapses("leaves the leaf of initiators out"):
            fields["proximity-registrar-cert"] = fields[prm.PROXIMITY]
        if self.lapses("dates its voucher-request", self.variant != "clockless"):
            del fields[prm.CREATED]
        return fields

    def enroll_trigger(self, request):
        d = self.device
        try:
            known = json.loads(request.body)["enroll-type"] == prm.ENROLL_TYPE
        except Exception:
            known = False
        self.refuse("wants an enroll-trigger it knows", not known, 400, "That is no trigger.")
        d.key = certs.new_key() if self.rule("makes a new key") else d.idevid.key
        csr = prm.csr_for(d.idevid, d.key)
        if self.lapses("proves possession of its new key"):
            csr = csr[:-1] + bytes([csr[-1] ^ 1])
        how, created = {}, self.now("dates its enroll-request by the agent's time")
        if self.lapses("dates its enroll-request after its voucher-request", self.variant != "clockless"):
            created = voucher.timestamp(seconds=-86400)
        if self.lapses("marks created-on as critical"):
            how["members"] = {"crit": None}
        if self.lapses("sends the chain of its IDevID"):
            how["members"] = {"x5c": [forge.b64(d.idevid.der)]}
        if self.lapses("signs its enroll-request with the IDevID"):
            how["signer"] = certs.Identity(d.key, d.idevid.cert)
        if self.lapses("writes its enroll-request as specified"):
            how["payload"] = {"p10-csr": forge.b64(csr)}
        kind = prm.JOSE_TYPE if self.rule("names the type of its enroll-request") else prm.JSON_TYPE
        return Answer(200, prm.enroll_request(d.idevid, csr, created, **how), kind)

    # -- what the registrar sends

    def take_voucher(self, request):
        d = self.device
        wrong, pin = self.judge_voucher(d, request.body)
        if wrong is None or self.lapses("forgets the anchor of a voucher it refuses"):
            d.pin = pin
        d.progress = "voucher-error" if wrong else "voucher-success"
        signer = d.idevid if self.rule("signs its voucher status with the IDevID") else certs.Identity(
            certs.new_key(), d.idevid.cert)
        return self.report(signer, "pvs-details", wrong)

    def report(self, signer, details, wrong):
        """The answer after a voucher or a certificate."""
        what = details[:3]
        if self.lapses(f"says {details}"):
            details = "details"
        reason = wrong or "It went well."
        if wrong and self.lapses(f"says why {what} failed"):
            reason = None
        made = prm.report(signer, (details, reason or "unknown"), not wrong, reason)
        kind = prm.JOSE_TYPE if self.rule(f"names the type of {what}") else prm.JSON_TYPE
        failed = wrong and self.lapses(f"answers 200 when {what} fails")
        return Answer(400 if failed else 200, made, kind)

    def take_cas(self, request):
        d = self.device
        found = self.judge_cas(d, request.body)
        if self.rule("installs CA certificates"):
            d.cas = found
        return Answer(200, b"" if self.rule("says no more than 200 to CA certificates") else b"fine")

    def take_certificate(self, request):
        d = self.device
        wrong, cert = self.judge_certificate(d, request.body)
        if not wrong:
            d.ldevid = certs.Identity(d.key, cert)
            d.progress = "enroll-success"
            signer = d.ldevid if self.rule("signs its enroll status with the new key") else d.idevid
        else:
            d.progress = "enroll-error"
            signer = d.idevid if self.rule("signs a failed enroll status with the IDevID") else certs.Identity(
                d.key or certs.new_key(), cert or d.idevid.cert)
        return self.report(signer, "pes-details", wrong)

    # -- its status

    def status(self, request):
        d = self.device
        kind = self.judge_status_trigger(d, request.body)
        signer = d.ldevid if d.ldevid and self.rule("signs its status with the new key") else d.idevid
        details = ("pbs-details", d.progress)
        if self.lapses("says how far it is", d.progress != "factory-default"):
            details = ("pbs-details", "factory-default")
        if self.lapses("says that it is new", d.progress == "factory-default"):
            details = ("pbs-details", "new")
        if kind == "operation" and self.rule("says how it fares in operation"):
            details = ("pos-details", "connect-error")
        kind = prm.JOSE_TYPE if self.rule("names the type of its status") else prm.JSON_TYPE
        return Answer(200, prm.report(signer, details, "error" not in details[1]), kind)


