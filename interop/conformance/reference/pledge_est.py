# SPDX-License-Identifier: Apache-2.0
"""The reference pledge's EST (RFC 7030, RFC 8951, RFC 8995 §5.9): the domain's certificates, the wishes for
its request, enrolment, and renewal under the domain's anchors."""
import base64
import ipaddress
import urllib.parse

from cryptography import x509

from brski_peer import forge
from brski_peer.certs import make_csr, new_key
from brski_peer.pledge import certs_of, corrupt_csr_signature, est_body
from brski_peer.server import chain_of

from ..trial_masa import leads_to
from .csr_wishes import Wishes
from .masa_chain import CMC_RA
from .pledge_coap import Failed


class Enrolment:
    """What an Attempt does once it has a voucher. roots: the certificates of the domain."""

    def est(self, p):
        try:
            self.roots = self.cacerts(p)
            wishes = self.csrattrs(p)
            return self.enroll(p, wishes)
        except Failed as e:
            self.report(p, "enrollstatus", False, reason=str(e))
            raise

    def read_body(self, reply):
        """Base64 as RFC 8951 has it."""
        if set(reply.body) & set(b" \t\r") and not self.rule("reads base64 with white space in it"):
            raise Failed("That is no base64.")
        return reply

    def cacerts(self, p):
        if not self.rule("asks for the CA certificates"):  # as if it knew what it will be issued with
            domain = self.pledge.lab.domain
            return [self.pinned, *self.chain, domain.issuing.cert, domain.root]
        reply = p.cacerts()
        if reply.status != 200:
            raise Failed(f"cacerts: {reply.status}")
        found = certs_of(self.read_body(reply))
        self.refuse("wants a certificate in cacerts", not found, "There is no certificate in it.", Failed)
        return found or [self.pinned, *self.chain]

    def csrattrs(self, p):
        if not self.rule("asks for the attributes of requests"):
            return Wishes(self, b"")
        reply = p.csrattrs()
        missing = reply.status in (204, 404)
        if reply.status != 200 and not (missing and (reply.status == 204
                                                     or self.rule("does without attributes"))):
            raise Failed(f"csrattrs: {reply.status}")
        try:
            der = b"" if missing else base64.b64decode(self.read_body(reply).body)
        except ValueError as e:
            raise Failed(f"csrattrs: {e}") from e
        return Wishes(self, der)

    def enroll(self, p, wishes):
        key = new_key(wishes.kind)
        cert = self.certificate(p, key, wishes)
        ldevid = forge.save(self.pledge.lab.folder("reference-pledge"), p.exchange, key, [cert])
        if not self.rule("reports over a new connection"):
            self.report(p, "enrollstatus", True)
            return ldevid
        with self.connect(ldevid) as enrolled:
            self.report(enrolled, "enrollstatus", True)
        return ldevid

    def request(self, p, key, wishes):
        """The certification request as it is wanted."""
        password = forge.b64(p.connection.binding) if wishes.password else None
        csr = make_csr(key, wishes.subject or self.identity.cert.subject, challenge_password=password,
                       extensions=wishes.extensions_of_request())
        return csr if self.rule("signs its certification request") else corrupt_csr_signature(csr)

    def certificate(self, p, key, wishes):
        csr = self.request(p, key, wishes)
        reply = p.post_csr(est_body(csr))
        if reply.status == 202:
            self.wait(reply)
            if not self.rule("repeats the same certification request"):
                csr = self.request(p, key, wishes)
            reply = p.post_csr(est_body(csr))
        if reply.status == 307:
            reply = self.enroll_elsewhere(reply, csr)
        if reply.status != 200:
            raise Failed(f"simpleenroll: {reply.status}")
        cert = certs_of(self.read_body(reply))[0]
        good = (forge.spki(cert) == forge.spki(forge.certs.make_cert(cert.subject, key=key).cert)
                and leads_to(cert, self.roots, [*self.roots, self.pinned]))
        self.refuse("checks its new certificate", not good, "The certificate is not ours.", Failed)
        return cert

    def enroll_elsewhere(self, reply, csr):
        """Another EST server of the domain has to be a registration authority."""
        place = urllib.parse.urlsplit(reply.header("location") or "")
        other = type(self)(self.pledge, self.identity, self.anchors, f"https://{place.netloc}")
        with other.connect() as p:
            plain = CMC_RA not in forge.ekus(forge.parse(p.registrar_der))
            self.refuse("enrols at registration authorities only", plain, "That is no authority.", Failed)
            return p.post_csr(est_body(csr))

    # -- later

    def renew(self, ldevid):
        """Whoever is asked now has to be of the domain that was joined."""
        with self.connect(ldevid) as p:
            self.known(p)
            p.post_csr(est_body(make_csr(new_key(), ldevid.cert.subject)), operation="simplereenroll")

    def known(self, p):
        """A server under the anchors of the domain, which has the name that was asked for, or is a
        registration authority."""
        chain = [forge.parse(der) for der in chain_of(p.connection.tls)]
        roots = [c for c in self.roots if c.subject == c.issuer]
        self.refuse("renews with the domain it has joined only", not leads_to(chain[0], chain, roots),
                    "Another domain.", Failed)
        if has_name(chain[0], self.host):
            return
        authority = CMC_RA in forge.ekus(chain[0])
        self.refuse("renews where the name fits or with an authority only", not authority,
                    "That is some server.", Failed)
        if authority and not self.rule("knows an authority by its usage"):
            raise Failed("That is another name.")


def has_name(cert, host):
    """Does the certificate name this host?"""
    found = forge.extension(cert, x509.oid.ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    if found is None:
        return False
    try:
        return ipaddress.ip_address(host) in found.get_values_for_type(x509.IPAddress)
    except ValueError:
        return host in found.get_values_for_type(x509.DNSName)
