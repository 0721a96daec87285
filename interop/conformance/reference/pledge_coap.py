# SPDX-License-Identifier: Apache-2.0
"""The reference pledge over CoAPS (draft-ietf-anima-constrained-voucher): rv, vs, crts where they are
needed, sen, and es over a new association."""
import contextlib
import os
import socket
import time

from cryptography import x509

from brski_peer import certs, coap, constrained, cose, dtls, forge

from ..trial_masa import leads_to
from . import pledge_coap_odd, pledge_coap_voucher
from .masa_chain import CMC_RA
from .pledge_coap_voucher import BadVoucher, Failed

FRAGMENT = 512
MTU, MTU_OF_MUTANT = 1024, 1400
LARGE = 1250    # octets of a datagram that a mutant sends
TIMEOUT_S = 5
MAX_AGE_MAX_S = 1
PENDING_MAX = 5
FAILURES = (coap.Silence, coap.Malformed, dtls.Failed, socket.error, ValueError)


class CoapAttempt:
    """One registrar, from the handshake to the certificate."""

    def __init__(self, pledge, identity, anchors, url):
        self.rule, self.pledge = pledge.rule, pledge
        self.identity, self.anchors = identity, anchors
        host, _, port = url.removeprefix("coaps://").rpartition(":")
        self.host, self.port = host, int(port.rstrip("/"))
        self.pinned = self.received = None

    def run(self):
        p = self.connect()
        with p, self.other_ports(p):
            self.chain = [forge.parse(der) for der in p.client.link.peer_chain]
            self.voucher(p)
            if not self.rule("asks for no attributes over CoAP"):
                p.att()
            ldevid = self.enroll(p)
        with self.connect(ldevid) as enrolled:
            if self.rule("sends es true over CoAP"):
                enrolled.enrollstatus(True)
        return ldevid

    def connect(self, identity=None):
        fragment = FRAGMENT if self.rule("offers a small fragment length") else None
        ciphers = dtls.CIPHERS
        if not self.rule("knows CCM_8"):
            ciphers = ciphers.replace(dtls.CCM8 + ":", "")
        mtu = MTU if self.rule("sends handshakes in datagrams of 1024 octets") else MTU_OF_MUTANT
        made = constrained.Pledge(self.port, identity or self.identity, host=self.host, ciphers=ciphers, mtu=mtu,
                                  max_fragment=fragment, timeout=TIMEOUT_S, ack_timeout=0.5, handshake=False)
        try:
            for hello in pledge_coap_odd.hellos(self.rule):
                made.client.throw(hello)
            made.client.shake_hands()
        except Exception:
            made.client.close()
            raise
        return made

    def other_ports(self, p):
        closed = self.rule("listens on no other port")
        return contextlib.nullcontext() if closed else pledge_coap_odd.port_beside(p.client.socket)

    # -- the voucher

    def voucher(self, p):
        octets = pledge_coap_voucher.request(self.rule, p)
        asked = cose.parse(octets).fields
        reply = self.ask_until_there_is_an_answer(p, octets)
        if reply.said != "2.04":
            raise Failed(f"rv: {reply.said}")
        try:
            self.pinned = pledge_coap_voucher.Judge(self, asked).judge(reply.payload)
        except BadVoucher as e:
            if self.rule("sends vs false over CoAP"):
                p.voucher_status(False, reason=str(e))
            raise
        if self.rule("sends vs true over CoAP"):
            self.report_good(p)

    def ask_until_there_is_an_answer(self, p, octets):
        p.abbreviated = True
        for _ in range(PENDING_MAX):
            reply = p.request_voucher(octets)
            if reply.said == "4.02" and p.abbreviated and self.rule("spells paths out in the end"):
                p.abbreviated = False
            elif reply.said != "5.03":
                break
            else:
                if not self.rule("asks for nothing else before the voucher"):
                    p.crts()
                self.rest(reply)
        return reply

    def rest(self, reply):
        time.sleep(min(reply.number(coap.MAX_AGE) or 0, MAX_AGE_MAX_S))

    def report_good(self, p):
        if not self.rule("keeps datagrams small"):
            p.client.throw(dtls.record(dtls.APPLICATION, os.urandom(LARGE), epoch=1, sequence=1 << 40))
        if self.rule("sends confirmable requests"):
            p.voucher_status(True)
            return
        path = p.path("vs")
        path = coap.path_options(path) if isinstance(path, str) else path
        options = [*path, (coap.CONTENT_FORMAT, coap.uint(constrained.CBOR))]
        p.client.exchange(coap.Message(coap.NON, coap.POST, 0, os.urandom(4), options, cose.status_report(True)))

    # -- EST

    def authorities(self, p):
        """The domain's certificates; those pinned may do."""
        if self.pinned is not None and self.pinned.issuer == self.pinned.subject:
            if not self.rule("enrols under a pinned root"):
                raise Failed("there is nothing between the root and us")
            return [self.pinned]
        if self.pinned is not None and not self.rule("asks for crts where the pin does not do"):
            return [self.pinned]
        reply = p.crts()
        if reply.said != "2.05":
            raise Failed(f"crts: {reply.said}")
        return constrained.certs_of(reply)

    def enroll(self, p):
        key = certs.new_key()
        subject = None if self.rule("takes its name from its IDevID") else self.chain[0].issuer
        try:
            cert = self.certificate(p, p.csr(key, subject), key, self.authorities(p))
        except Failed as e:
            if self.rule("sends es false over CoAP"):
                p.enrollstatus(False, reason=str(e))
            raise
        return self.saved(key, cert)

    def certificate(self, p, csr, key, roots, step="sen"):
        for _ in range(PENDING_MAX):
            reply = p.post_csr(csr, step)
            if reply.said != "5.03":
                break
            self.rest(reply)
            if not self.rule("repeats the same certification request over CoAP"):
                csr = p.csr(key)
        if reply.said != "2.04":
            raise Failed(f"{step}: {reply.said}")
        self.received = cert = constrained.certs_of(reply)[0]
        anchors = roots + ([self.pinned] if self.pinned is not None else [])
        good = forge.spki(cert) == spki_of(key) and leads_to(cert, roots, anchors)
        new = "new" if step == "sen" else "renewed"
        if not good and self.rule(f"checks its {new} certificate over CoAP"):
            raise Failed("the new certificate is not ours")
        return cert

    # -- renewal

    def renew(self, ldevid):
        """Another certificate, asked for with the one it has; what fails changes nothing."""
        self.pinned, key = None, certs.new_key()
        with self.connect(ldevid if self.rule("shows the certificate it renews") else self.identity) as p:
            plain = CMC_RA not in forge.ekus(forge.parse(p.client.link.peer_der))
            if plain and self.rule("renews at registration authorities only over CoAP"):
                return ldevid
            roots = constrained.certs_of(p.crts())
            try:
                cert = self.certificate(p, p.csr(key, ldevid.cert.subject), key, roots, "sren")
            except Failed as e:
                p.enrollstatus(False, reason=str(e))
                if self.rule("keeps its certificate when a renewal fails") or self.received is None:
                    return ldevid
                return self.saved(key, self.received)
        made = self.saved(key, cert)
        with self.connect(made) as renewed:
            renewed.enrollstatus(True)
        return made

    def saved(self, key, cert):
        return forge.save(self.pledge.lab.folder("reference-pledge"), os.urandom(8).hex(), key, [cert])


def spki_of(key):
    return forge.spki(certs.make_cert(x509.Name([]), key=key).cert)

