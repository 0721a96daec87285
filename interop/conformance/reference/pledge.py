# SPDX-License-Identifier: Apache-2.0
"""An honest and strict pledge over HTTPS (RFC 8995 §5): one attempt per registrar it is given."""
import functools
import ssl
import time
import urllib.parse
import warnings

from brski_peer import forge, voucher, wire
from brski_peer.pledge import CMS_TYPE, VOUCHER_PATH, Pledge
from brski_peer.server import chain_of

from ..trial_masa import leads_to
from . import pledge_find, pledge_listen, pledge_voucher
from .announce import PledgeOffering
from .est_client import EstClients
from .masa_chain import linked
from .pledge_coap import FAILURES, BadVoucher, CoapAttempt, Failed
from .pledge_est import Enrolment
from .rules import Role

TIMEOUT_S = 2           # for a host on the same machine
HEADERS_MAX = 1_000_000  # octets of an answer's headers
RETRY_AFTER_MAX_S = 60
PENDING_MAX = 10        # answers "not yet" in a row
LATER = ", later"       # of who said when to come again
PASSWORD = "Basic ZGV2aWNlOnNlY3JldA=="  # a mutant's


class ReferencePledge(Role):
    """Variant: ani, it offers a proxy once it has joined."""
    profiles = ("rfc8995", "8366bis", "cbrski", "est", "est-coaps", "discovery")
    variants = ("ani",)
    options = {"pledge": {"coaps": True}}

    def __init__(self, lab, folder, rules, variant="plain"):
        super().__init__(lab, folder, rules, variant)
        self.actions = {"join": self.join,
                        "join_coap_discovery": functools.partial(self.join_found, pledge_find.by_coap),
                        "join_listening": self.join_listening,
                        "join_mdns_discovery": functools.partial(self.join_found, pledge_find.by_mdns),
                        "join_patiently": functools.partial(self.join, rounds=2), "renew": self.renew,
                        "join_proximity": functools.partial(self.join, policy="proximity")}
        plain = EstClients(lab, rules)
        self.actions |= {"est_enroll": plain.enroll, "est_enroll_explicit": plain.enroll_explicit, "est_renew": plain.renew}
        self.enrolled = {}    # device_state → the identity it got
        self.roots = {}       # device_state → the domain's certificates
        self.usual_nonce = voucher.new_nonce()
        self.offering = PledgeOffering(rules) if variant == "ani" else None
        if self.offering:
            self.addresses |= self.offering.addresses

    def start(self):
        if self.offering:
            self.offering.start()
        return self

    def stop(self):
        if self.offering:
            self.offering.stop()

    def join(self, *words, rounds=1, **more):
        """Exit code and output, as a program would have them."""
        code, said = self.round(*words, **more)
        if self.offering:
            self.offering.has_joined = code == 0
        if code and rounds > 1 and self.rule("comes back when all have refused"):
            if LATER in said and not self.rule("waits for each registrar apart"):
                more["urls"] = more["urls"].split()[0]
            return self.join(*words, rounds=rounds - 1, **more)
        return code, said

    def renew(self, key, certificate, anchors, urls, device_state, **_more):
        """Another certificate, while there is one."""
        if urls.startswith("coaps:"):
            attempt = CoapAttempt(self, forge.load(key, certificate), forge.load_certs(anchors), urls.split()[0])
            self.enrolled[str(device_state)] = attempt.renew(self.enrolled[str(device_state)])
            return 0, "renewed"
        attempt = Attempt(self, forge.load(key, certificate), forge.load_certs(anchors), urls.split()[0])
        attempt.roots = self.roots[str(device_state)]
        try:
            if self.rule("renews its certificate"):
                attempt.renew(self.enrolled[str(device_state)])
        except (Failed, wire.Closed) as e:
            return 1, str(e)
        return 0, "renewed"

    def join_listening(self, grasp, mdns, urls=None, **more):
        """At whatever proxy is heard of on the link."""
        groups = [(host, int(port)) for host, _, port in (text.rpartition(":") for text in (grasp, mdns))]
        return self.join(urls=pledge_listen.urls(self.rule, *groups), **more)

    def join_found(self, find, discovery, urls=None, **more):
        """Where whoever answers sends it."""
        return self.join(urls=" ".join(find(self.rule, discovery)), **more)

    def round(self, key, certificate, anchors, urls, device_state, policy="any", over_https=None, **_more):
        """One attempt per registrar. over_https: what kind of."""
        over_https = over_https or Attempt
        if str(device_state) in self.enrolled and self.rule("starts only when it has not joined"):
            return 0, "already enrolled"
        said = []
        for url in urls.split():
            kind = CoapAttempt if url.startswith("coaps:") else over_https
            try:
                attempt = kind(self, forge.load(key, certificate), forge.load_certs(anchors), url)
                attempt.policy = policy
                self.enrolled[str(device_state)] = attempt.run()
                self.roots[str(device_state)] = getattr(attempt, "roots", [])
                return 0, "joined"
            except (Failed, BadVoucher, wire.Closed, AssertionError, *FAILURES) as e:
                said.append(f"{url}: {type(e).__name__}: {e}")
                silent = "timed out" in str(e)
                more = url != urls.split()[-1]
                if more and not self.rule("leaves who says nothing" if silent else
                                          "goes on to the next registrar"):
                    break
        return 1, "\n".join(said)


class Attempt(Enrolment):
    """One registrar, from the handshake to the certificate."""
    media_type = CMS_TYPE  # of requests and vouchers

    def __init__(self, pledge, identity, anchors, url, redirects=0):
        self.rule, self.pledge = pledge.rule, pledge
        self.identity, self.anchors, self.redirects = identity, anchors, redirects
        self.policy, self.path = "any", VOUCHER_PATH
        host, _, port = url.removeprefix("https://").rpartition(":")
        self.host, self.port = host, int(port.rstrip("/"))

    def refuse(self, rule, wrong, why, kind=BadVoucher):
        """As Role.refuse(), with an exception of the pledge's own."""
        if wrong and self.rule(rule):
            raise kind(why)

    def run(self):
        with self.connect() as p:
            self.meet(p)
            moved = self.voucher(p)
            return moved.run() if moved else self.trusted()

    def meet(self, p):
        """The registrar's chain, as it has shown it."""
        self.chain = [forge.parse(der) for der in chain_of(p.connection.tls)]
        self.refuse("verifies what signatures it can", not linked(self.chain[0], self.chain),
                    "Its issuer did not sign that.", Failed)

    def trusted(self):
        """EST with a registrar that is trusted now."""
        p = self.last
        if not self.rule("stays on the voucher's connection"):
            p = self.connect()
        with p:
            return self.est(p)

    def connect(self, identity=None):
        identity = identity or self.identity
        context = self.old_context(identity)
        sni = None if self.rule("names no server in TLS") else "registrar.example"
        p = Pledge(self.port, identity, host=self.host, timeout=TIMEOUT_S, sni=sni, context=context)
        if not self.rule("takes any certificate until the voucher"):
            self.want_usual_registrar(p)
        return p

    def want_usual_registrar(self, p):
        """A mutant's, as if it had joined there before."""
        first, *others = map(forge.parse, chain_of(p.connection.tls))
        if first.subject != first.issuer and not leads_to(first, others, [self.pledge.lab.domain.root]):
            p.connection.close()
            raise Failed("That is not the usual registrar.")

    def old_context(self, identity):
        """None, but for the mutants."""
        shown = identity.cert_path
        if not self.rule("shows its chain in TLS"):
            shown = forge.save(self.pledge.lab.folder("reference-pledge"), f"alone-{id(self)}",
                               identity.key, [identity.cert]).cert_path
        context = wire.client_context(shown, identity.key_path,
                                      tls=None if self.rule("uses TLS 1.3 where it can") else "1.2")
        if not self.rule("speaks TLS 1.2 at least"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                context.minimum_version = ssl.TLSVersion.TLSv1
            context.set_ciphers("ALL:@SECLEVEL=0")
        return context

    # -- the voucher

    def voucher(self, p):
        """Trusts the registrar from then on; or another Attempt where it is redirected to."""
        octets, asked = self.voucher_request(p)
        reply = self.ask(p, octets, asked)
        if reply.status in (301, 302, 303, 307, 308):
            return self.elsewhere(reply)
        if reply.status != 200:
            raise Failed(f"requestvoucher: {reply.status}{LATER if reply.header('retry-after') else ''}")
        self.refuse("bounds what it reads", sum(len(v) for _, v in reply.headers) > HEADERS_MAX,
                    "That is too much.", Failed)
        try:
            self.pinned = self.judge(reply)
        except BadVoucher as e:
            why = {"reason": str(e)} if self.rule("says why it refuses a voucher") else {}
            self.report(self.last, "voucher_status", False, **why)
            raise
        self.report(self.last, "voucher_status", True)
        return None

    def voucher_request(self, p):
        """(signed octets, leaves)"""
        return pledge_voucher.request(self, p)

    def judge(self, reply):
        """The certificate to trust from now on."""
        return pledge_voucher.Judge(self, self.asked).judge(reply).pinned

    def ask(self, p, octets, asked):
        """Until there is an answer other than 202."""
        self.asked, self.last = asked, p
        accept = self.media_type if self.rule("says what it accepts") else None
        for _ in range(PENDING_MAX):
            reply = self.last.request_voucher(octets, self.media_type, accept, path=self.path)
            if reply.status == 401:
                reply = self.unauthorized(reply, octets, accept)
            if reply.status == 403 and not self.rule("ends the attempt at an error"):
                continue
            if reply.status != 202:
                return reply
            self.wait(reply)
            if reply.closed:
                self.last = self.connect()
                self.refuse("wants the same registrar after a wait",
                            self.last.registrar_der != p.registrar_der, "That is another one.", Failed)
            if not self.rule("repeats the same octets"):
                octets, self.asked = self.voucher_request(self.last)
        return reply

    def unauthorized(self, reply, octets, accept):
        """A registrar that wants a password."""
        if self.rule("tells nobody a password before the voucher"):
            return reply
        return self.last.request_voucher(octets, self.media_type, accept, headers=[("Authorization", PASSWORD)])

    def wait(self, reply):
        asked = int(reply.header("retry-after") or RETRY_AFTER_MAX_S)
        if self.rule("waits as long as it is told"):
            time.sleep(min(asked, RETRY_AFTER_MAX_S))

    def elsewhere(self, reply):
        self.refuse("follows one redirect only", self.redirects > 0, "That is far enough.", Failed)
        place = urllib.parse.urlsplit(reply.header("location") or "")
        if place.scheme != "https" or self.redirects > 3:
            raise Failed("That is nowhere.")
        other = Attempt(self.pledge, self.identity, self.anchors, f"https://{place.netloc}",
                        self.redirects + 1)
        other.policy = self.policy
        return other

    def report(self, p, step, status, **more):
        version = 1 if self.rule("writes reports as specified") else "1"
        if self.rule(f"sends {step} {str(status).lower()}"):
            reply = p.report(step, {"version": version, "status": status, **more})
            if reply.status != 200 and not self.rule("passes over the answers to reports"):
                raise Failed(f"{step}: {reply.status}")
