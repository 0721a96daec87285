# SPDX-License-Identifier: Apache-2.0
"""The reference pledge with a cloud registrar (draft-ietf-anima-brski-cloud §3, §4): where it is sent,
whom it believes on the way, EST at the server that a voucher names."""
import contextlib
import ipaddress
import ssl
import time
import urllib.parse

from cryptography import x509

from brski_peer import cms, forge, voucher, wire
from brski_peer.pledge import VOUCHER_PATH, Pledge

from . import pledge_voucher
from .pledge import TIMEOUT_S, Attempt, Failed, ReferencePledge
from .pledge_ae import AeAttempt
from .pledge_coap import FAILURES, BadVoucher
from .pledge_jws import JwsAttempt

REDIRECTS_MAX = 40      # of one attempt
ASKS_MAX = 4            # of one registrar that says 401
RETRY_AFTER_MAX_S = 60
PARTIAL_CHAIN = 0x80000  # X509_V_FLAG_PARTIAL_CHAIN: an anchor need not be self-signed
ENDS = (Failed, BadVoucher, wire.Closed, AssertionError, *FAILURES)


class CloudPledge(ReferencePledge):
    """It speaks JWS when it is told to. It looks for local registrars (urls), then asks the one it was provisioned with (cloud)."""
    profiles = (*ReferencePledge.profiles, "cloud", "jws", "ae")

    def __init__(self, *how):
        super().__init__(*how)
        self.actions["join_jws"] = lambda **words: self.join(**words, over_https=JwsAttempt)
        self.actions["join_ae"] = lambda **words: self.join(**words, over_https=AeAttempt)
        self.actions["join_cloud"] = lambda **words: Journey(self, **words).run(1)
        self.actions["join_cloud_patiently"] = lambda **words: Journey(self, **words).run(2)


class Repeated(Failed):
    """Where it is sent it has been."""


class Journey:
    """From nothing to a certificate, in as many attempts as it has."""

    def __init__(self, pledge, key, certificate, anchors, implicit_anchors, cloud, urls, **_more):
        self.pledge, self.rule = pledge, pledge.rule
        self.identity, self.anchors = forge.load(key, certificate), forge.load_certs(anchors)
        self.implicit_anchors, self.cloud, self.urls = str(implicit_anchors), cloud, urls.split()

    def run(self, attempts):
        """Exit code and output."""
        said, local = [], True
        for _ in range(attempts):
            try:
                if local and self.local(said):
                    return 0, "joined"
                self.walk()
                return 0, "joined"
            except ENDS as e:
                said.append(f"{type(e).__name__}: {e}")
                loop = isinstance(e, Repeated)
                local = loop and self.rule("looks for local registrars again after a loop")
                if not loop and not self.rule("starts again at the provisioned cloud registrar"):
                    break
        return 1, "\n".join(said) if self.rule("says why it has failed") else ""

    def local(self, said):
        for url in self.urls:
            try:
                return LocalAttempt(self.pledge, self.identity, self.anchors, url).run()
            except ENDS as e:
                said.append(f"{url}: {e}")
        return None

    def walk(self):
        """By way of the cloud registrar."""
        self.visited, self.sent, self.context = [], None, self.make_context()
        return CloudAttempt(self, self.cloud).run()

    def make_context(self):
        """For servers that have to be known by the implicit anchors."""
        context = ssl.create_default_context(cafile=self.implicit_anchors)
        wire.log_keys(context)
        if self.rule("shows its certificate to the cloud registrar"):
            context.load_cert_chain(self.identity.cert_path, self.identity.key_path)
        return context


class LocalAttempt(Attempt):
    """A registrar that was discovered: nothing is known of it until the voucher."""

    def elsewhere(self, reply):
        self.refuse("leaves local registrars that redirect it", reply.status == 307,
                    "Who are you to send me there?", Failed)
        return super().elsewhere(reply)


class CloudAttempt(Attempt):
    """The cloud registrar, or where one has sent the pledge."""

    def __init__(self, journey, place, others=0):
        parts = split(place)
        super().__init__(journey.pledge, journey.identity, journey.anchors,
                         f"https://{parts.hostname}:{parts.port or 443}")
        self.journey, self.place, self.others = journey, place, others
        self.path = parts.path if parts.path not in ("", "/") else VOUCHER_PATH
        self.verified, self.fields = True, {}

    def run(self):
        self.refuse("asks no place twice", self.place in self.journey.visited, "I have been there.", Repeated)
        self.journey.visited.append(self.place)
        long = len(self.journey.visited) > 2
        if long and not self.rule("follows more than one redirect of a cloud registrar"):
            raise Failed("One redirect is enough.")
        self.refuse("ends a chain of redirects", len(self.journey.visited) > REDIRECTS_MAX,
                    "That is far enough.", Failed)
        if len(self.journey.visited) > 5 * REDIRECTS_MAX:  # a mutant's
            raise Failed("The net ends here.")
        with self.connect() as p:
            self.meet(p)
            moved = self.voucher(p)
            if not moved:
                return self.certified()
        return moved.run()

    # -- who is there

    def connect(self, identity=None):
        if not self.verified or identity:
            return super().connect(identity)
        try:
            return self.connect_verified()
        except wire.Closed as e:
            first = len(self.journey.visited) < 2
            if first or "certificate verify failed" not in str(e):
                raise
            if not self.rule("asks owners' registrars it cannot verify"):
                raise
            self.verified = False
        return super().connect()

    def connect_verified(self):
        context, name = self.journey.context, self.host
        certificate, key = self.identity.cert_path, self.identity.key_path
        try:
            return self.dial(context, name)
        except wire.Closed as e:
            first = len(self.journey.visited) < 2
            rule = ("compares the cloud registrar's name" if "mismatch" in str(e) else
                    "trusts cloud registrars of its anchors only")
            if not first or "certificate verify failed" not in str(e) or self.rule(rule):
                raise
        return self.dial(wire.client_context(certificate, key), name)

    def dial(self, context, name):
        checked, named = context.check_hostname, self.rule("names the cloud registrar in TLS")
        if not named:
            context.check_hostname, name = False, None
        p = Pledge(self.port, self.identity, host=self.host, timeout=TIMEOUT_S, sni=name, context=context)
        if checked and not named and self.host not in dns_names(forge.parse(p.registrar_der)):
            p.connection.close()
            raise wire.Closed("certificate verify failed: mismatch")  # as the library says it
        return p

    # -- what is asked, what comes

    def voucher_request(self, p):
        if self.journey.sent and not self.rule("makes another request for each registrar"):
            return self.journey.sent
        octets = p.pvr()
        self.journey.sent = octets, voucher.decode(cms.parse(octets).payload)[1]
        return self.journey.sent

    def unauthorized(self, reply, _octets, _accept):
        """Of a cloud registrar that says nothing about passwords."""
        return reply

    def ask(self, p, octets, asked):
        """A cloud registrar that does not know the owner yet says when to come back."""
        for _ in range(ASKS_MAX):
            reply = super().ask(p, octets, asked)
            if reply.status != 401:
                break
            when = reply.header("retry-after")
            if when is None:
                if self.rule("leaves who names no time"):
                    break
                when = "0"
            elif not self.rule("comes back to who names a time"):
                break
            if self.rule("comes back no earlier than it is told"):
                time.sleep(min(int(when), RETRY_AFTER_MAX_S))
        return reply

    def elsewhere(self, reply):
        place = reply.header("location") or ""
        if reply.status != 307:
            self.refuse("follows one redirect of the older kind", self.others > 0, "That is far enough.", Failed)
        if not self.verified:
            if self.rule("leaves who redirects before it is trusted"):
                self.complain("redirected by who is not trusted")
                raise Failed("Who are you to send me there?")
        return CloudAttempt(self.journey, place, self.others + (reply.status != 307))

    def complain(self, why):
        """To where it was sent from first."""
        if self.rule("tells the cloud registrar of a wrong redirect"):
            first = CloudAttempt(self.journey, self.journey.cloud)
            with contextlib.suppress(*ENDS), first.connect_verified() as p:
                p.voucher_status(False, reason=why)

    def judge(self, reply):
        judge = CloudJudge(self, self.asked)
        pinned = judge.judge(reply).pinned
        self.fields = judge.fields
        return pinned

    # -- afterwards

    def certified(self):
        """With the voucher: from this registrar, or from the EST server it names."""
        if "additional-configuration-url" in self.fields:
            self.configure(self.fields["additional-configuration-url"])
        if "est-domain" not in self.fields:
            return self.trusted()
        if not self.rule("asks the cloud registrar for vouchers only"):
            self.last.csrattrs()
        if not self.rule("goes on at the EST server of the voucher"):
            raise Failed("And now?")
        return EstAttempt(self, self.fields["est-domain"]).run()

    def configure(self, url):
        if not self.rule("fetches its additional configuration"):
            return
        parts = split(url)
        with contextlib.suppress(*ENDS):
            with wire.Connection(parts.port or 443, parts.hostname, context=self.journey.context,
                                 sni=parts.hostname, timeout=TIMEOUT_S) as connection:
                connection.get(parts.path or "/")


class CloudJudge(pledge_voucher.Judge):
    """A cloud registrar that names an EST server does not have to lead to the pin: that server has to."""
    fields = {}

    def leaves(self, fields):
        self.fields = fields
        super().leaves(fields)

    def pin(self, fields):
        if "est-domain" not in fields:
            return super().pin(fields)
        self.refuse("wants a pin", "pinned-domain-cert" not in fields, "It pins nothing.")
        self.pinned = self.certificate(fields["pinned-domain-cert"])


class EstAttempt(Attempt):
    """A plain EST server, known by the certificate that the voucher pins."""

    def __init__(self, cloud, url):
        parts = split(url)
        super().__init__(cloud.pledge, cloud.identity, cloud.anchors,
                         f"https://{parts.hostname}:{parts.port or 443}")
        self.pinned = cloud.pinned

    def run(self):
        with self.connect() as p:
            self.last = p
            self.meet(p)
            return self.trusted()

    def connect(self, identity=None):
        identity = identity or self.identity
        context = self.context()
        context.load_cert_chain(identity.cert_path, identity.key_path)
        try:
            return self.dial(identity, context)
        except wire.Closed as e:
            rule = ("compares the EST server's name" if "mismatch" in str(e) else
                    "verifies the EST server by the pin")
            if "certificate verify failed" not in str(e) or self.rule(rule):
                raise Failed(f"the EST server: {e}") from e
        return self.dial(identity, wire.client_context(identity.cert_path, identity.key_path))

    def dial(self, identity, context):
        return Pledge(self.port, identity, host=self.host, timeout=TIMEOUT_S, sni=self.host, context=context)

    def context(self):
        context = ssl.create_default_context(cadata=forge.der(self.pinned))
        context.verify_flags |= PARTIAL_CHAIN
        wire.log_keys(context)
        own_name = forge.is_ca(self.pinned) or not self.rule("takes the pinned certificate under any name")
        context.check_hostname = own_name and not is_address(self.host)
        return context


def split(url):
    """An absolute URI, or the bare authority that some write."""
    return urllib.parse.urlsplit(url if "://" in url else f"https://{url}")


def dns_names(cert):
    found = forge.extension(cert, x509.oid.ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    return found.get_values_for_type(x509.DNSName) if found else []


def is_address(host):
    try:
        ipaddress.ip_address(host)
        return True
    except ValueError:
        return False
