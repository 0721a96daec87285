# SPDX-License-Identifier: Apache-2.0
"""An honest registrar-agent (draft-ietf-anima-brski-prm §6.1, §7): it carries artifacts between a pledge and
a registrar, in order and unchanged."""
import json
import ssl
import time
import warnings

from brski_peer import certs, forge, jws, mdns, prm, wire

from .rules import Role

TIMEOUT_S = 2
RETRY_MAX_S, PENDING_MAX = 5, 3


class Failed(Exception):
    pass


class ReferenceAgent(Role):
    profiles = ("prm", "discovery")

    def __init__(self, lab, folder, rules, variant="plain"):
        super().__init__(lab, folder, rules, variant)
        self.actions = {"onboard": self.onboard, "discover": self.discover, "browse": self.browse,
                        "status": self.status, "discover_named": self.discover_named}

    def attempt(self, step):
        """Exit code and output, as a program would have them."""
        try:
            step()
            return 0, "done"
        except (Failed, wire.Closed, OSError, ValueError, KeyError, AssertionError) as e:
            return 1, f"{type(e).__name__}: {e}"

    def onboard(self, **words):
        return self.attempt(lambda: Onboarding(self, **words).run())

    def discover(self, serial, mdns_port=None, **words):
        name = mdns.instance(serial) if self.rule("asks for the instance name of a pledge") else mdns.BROWSED
        return self.attempt(lambda: Onboarding(self, serial, **{**words, "pledge": self.found(name, words)}).run())

    def discover_named(self, serial, domain, **words):
        labels = [f"{serial}.{domain}", serial]
        if not self.rule("builds names with the manufacturer's domain"):
            labels = labels[1:]
        at = next((mdns.instance(label) for label in labels if self.records(mdns.instance(label), words)), None)
        if at is None:
            return 1, "there is no such pledge"
        return self.attempt(lambda: Onboarding(self, serial, **{**words, "pledge": self.found(at, words)}).run())

    def browse(self, serial=None, **words):
        name = mdns.BROWSED if self.rule("browses for pledges") else ("_http", "_tcp", "local")
        return self.attempt(lambda: Onboarding(self, self.serial_at(name, words),
                                               **{**words, "pledge": self.found(name, words)}).run())

    @staticmethod
    def records(name, words):
        host, _, port = words["mdns"].rpartition(":")
        kind = mdns.PTR if name[0].startswith("_") else mdns.SRV
        return mdns.ask((host, int(port)), name, kind, TIMEOUT_S / 4)

    def serial_at(self, name, words):
        found = [data[0] for _, kind, data in self.records(name, words) if kind == mdns.PTR]
        if not found:
            raise Failed("no pledge is to be found")
        return found[0]

    def found(self, name, words):
        ports = [data[0] for _, kind, data in self.records(name, words) if kind == mdns.SRV]
        if not ports:
            raise Failed("the pledge is not to be found")
        return f"http://127.0.0.1:{ports[0]}"

    def status(self, **words):
        return self.attempt(lambda: Onboarding(self, **words).ask_status())


class Onboarding:
    """One device."""

    def __init__(self, agent, serial, pledge, registrar, key, certificate, anchors, kind="bootstrap", **_more):
        self.agent, self.rule, self.serial, self.kind = agent, agent.rule, serial, kind
        self.pledge, self.registrar, self.anchors = pledge, registrar, str(anchors)
        self.identity = forge.load(key, certificate)
        if not self.rule("has a certificate with a key identifier"):
            self.identity = agent.lab.domain.agent_identity(with_ski=False)

    def lapses(self, rule, when=True):
        return when and not self.rule(rule)

    def run(self):
        try:
            connection = self.connect()
        except OSError:
            if self.rule("has the registrar's certificate before it triggers"):
                raise
            self.trigger(self.identity.der)
            return
        with connection:
            registrar = connection.server_der
            if self.lapses("hands on the registrar's certificate"):
                registrar = self.agent.lab.domain.issuing.der
            pvr = self.trigger(registrar)
            per = self.to_pledge("tper", self.enroll_trigger(), prm.JSON_TYPE, prm.JOSE_TYPE)
            self.deliver(connection, pvr, per)

    def connect(self):
        """Mutual TLS with the registrar."""
        host, _, port = self.registrar.removeprefix("https://").rpartition(":")
        context = ssl.create_default_context(cafile=self.anchors)
        if self.lapses("verifies the registrar"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if self.lapses("speaks TLS 1.2 and later only"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                context.minimum_version = ssl.TLSVersion.TLSv1
            context.set_ciphers("ALL:@SECLEVEL=0")
        if self.rule("shows the registrar its certificate"):
            context.load_cert_chain(self.identity.cert_path, self.identity.key_path)
        return wire.Connection(int(port), host, context=context, sni=host, timeout=TIMEOUT_S)

    # -- the pledge

    def post(self, connection, where, name, body, content_type, accept):
        """The body of a good answer."""
        kind = content_type if self.rule(f"names the type at {name}") else "text/plain"
        headers = [("Accept", accept)] if accept and self.rule(f"says what it accepts at {name}") else []
        reply = connection.post(prm.BASE + name, body, kind, headers)
        if reply.status != 200:
            raise Failed(f"{where} answers {name} with {reply.status}: {reply.text}")
        return reply.body

    def to_pledge(self, name, body, content_type, accept=None):
        host, _, port = self.pledge.removeprefix("http://").rpartition(":")
        with wire.Connection(int(port), host, clear=True, timeout=TIMEOUT_S) as connection:
            return self.post(connection, "the pledge", name, body, content_type, accept)

    def trigger(self, registrar_der):
        how = {}
        signer = self.identity
        said = {"serial": self.serial}
        if self.lapses("names the pledge by its serial-number"):
            said["serial"] = self.serial.lower()
        if self.lapses("signs with its own key"):
            signer = certs.Identity(certs.new_key(), self.identity.cert)
        kid = self.key_id() if self.rule("names its key by the key identifier") else "agent"
        if self.lapses("dates what it signs"):
            said["created"] = "today"
        data = prm.agent_signed_data(signer, said.pop("serial"), kid=kid, how=how, **said)
        if self.lapses("writes what it signs in the General JSON Serialization"):
            data = jws.compact(data)
        return self.to_pledge("tpvr", prm.trigger(registrar_der, data), prm.JSON_TYPE, prm.VOUCHER_TYPE)

    def key_id(self):
        return jws.key_id(self.identity.cert) if forge.ski(self.identity.cert) else "none"

    def enroll_trigger(self):
        return prm.enroll_trigger(prm.ENROLL_TYPE if self.rule("asks for a generic certificate") else "any")

    # -- the registrar, and back

    def deliver(self, connection, pvr, per):
        def send(name, body, kind, accept=None):
            return self.post(connection, "the registrar", name, body, kind, accept)
        voucher_ = self.voucher(connection, self.kept("PVR", pvr))
        certificate = send("requestenroll", self.kept("PER", per), prm.JOSE_TYPE,
                           f"{prm.JOSE_TYPE}, application/pkcs7-mime")
        bag = self.bag(connection) if self.rule("asks for CA certificates") else None
        vouchers = self.to_pledge("svr", self.kept("voucher", voucher_), prm.VOUCHER_TYPE, prm.JOSE_TYPE)
        good = prm.leaves(jws.parse(vouchers)).get("status") is True
        enrolled = None
        if good or self.lapses("stops when the voucher is refused", not good):
            enrolled = self.supply(bag, certificate)
        reports = [("voucher_status", "voucher status", vouchers), ("enrollstatus", "enroll status", enrolled)]
        if enrolled and self.lapses("reports on the voucher first"):
            reports.reverse()
        for name, what, report in reports:
            if report and self.rule(f"hands on the {what}"):
                send(name, self.kept(what, report), prm.JOSE_TYPE)
        if not enrolled or prm.leaves(jws.parse(enrolled)).get("status") is not True:
            raise Failed("the device is not enrolled")

    def supply(self, bag, certificate):
        """CA certificates, then the certificate; the enroll status."""
        steps = [("scac", self.kept("caCerts", bag), prm.JOSE_TYPE, None)] if bag else []
        steps.append(("ser", self.kept_certificate(certificate), prm.CERTS_TYPE, prm.JOSE_TYPE))
        if self.lapses("supplies CA certificates before the certificate", len(steps) > 1):
            steps.reverse()
        answers = {step[0]: self.to_pledge(*step) for step in steps}
        return answers["ser"]

    def kept(self, what, octets):
        """As it came; a mutant writes it anew."""
        if self.rule(f"leaves a {what} as it is"):
            return octets
        return json.dumps(json.loads(octets), indent=1).encode()

    def kept_certificate(self, body):
        return body if self.rule("leaves a certificate as it is") else prm.est_der(body)

    def voucher(self, connection, pvr):
        """The registrar may want time."""
        for _ in range(PENDING_MAX):
            kind = prm.VOUCHER_TYPE if self.rule("names the type at requestvoucher") else "text/plain"
            accept = [("Accept", prm.VOUCHER_TYPE)] if self.rule("says what it accepts at requestvoucher") else []
            reply = connection.post(prm.BASE + "requestvoucher", pvr, kind, accept)
            if reply.status != 202 or self.lapses("comes back after 202"):
                break
            if self.rule("waits as long as it is told"):
                time.sleep(min(int(reply.header("retry-after") or 1), RETRY_MAX_S))
        if reply.status != 200:
            raise Failed(f"the registrar answers with {reply.status}: {reply.text}")
        return reply.body

    def bag(self, connection):
        accept = [("Accept", prm.JOSE_TYPE)] if self.rule("says what it accepts at wrappedcacerts") else []
        reply = connection.get(prm.BASE + "wrappedcacerts", accept)
        if reply.status != 200:
            raise Failed(f"no CA certificates: {reply.status}")
        return reply.body

    # -- status

    def ask_status(self):
        changes, how = {}, {}
        if self.lapses("names the pledge it asks"):
            changes["serial_number"] = None
        if self.lapses("writes version 1"):
            changes["version"] = "1"
        if self.lapses("dates its question"):
            changes["created_on"] = None
        if self.lapses("says which status it asks for"):
            changes["status_type"] = "any"
        if self.lapses("sends its chain with its question"):
            how["x5c"] = self.identity.chain()[:1]
        signer = self.identity
        if self.lapses("signs its question"):
            signer = certs.Identity(certs.new_key(), self.identity.cert, self.identity.issuers)
        body = prm.status_trigger(signer, self.serial, self.kind, how=how, **changes)
        self.to_pledge("qps", body, prm.JOSE_TYPE, prm.JOSE_TYPE)
