# SPDX-License-Identifier: Apache-2.0
"""The reference registrar towards the MASA (RFC 8995 §5.4 to §5.8): where it is, whether it is the right
one, what is asked, what is taken from it."""
import json
import socket
import ssl

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from brski_peer import certs, cose, forge, voucher, wire

from ..trial_masa import leads_to
from .forms import CmsForm, CoseForm
from .rules import Refused

BRSKI = "/.well-known/brski/"
RELAYED = (401, 403, 404, 406, 415)  # of the MASA: the pledge gets the same
TIMEOUT_S = 1
SLOW_S = 60


class MasaLeg:
    """What the registrar inherits; it has rule, refuse, identity, domain, lab."""

    def masa_address(self, idevid):
        """(host, port, base path) of the extension in an IDevID."""
        found = next((e for e in idevid.extensions if e.oid == certs.MASA_URL_OID), None)
        if found is None:
            raise Refused(404, "Your certificate names no MASA.")
        self.refuse("wants an uncritical MASA URL", found.critical, 404, "The MASA URL is critical.")
        text = certs.asn1.IA5String.load(found.value.value).native
        scheme, _, rest = text.rpartition("://")
        if scheme not in ("", "https"):
            if self.rule("calls the MASA over TLS only"):
                raise Refused(404, "Only https will do.")
            self.call_in_clear(rest)
        authority, _, path = rest.partition("/")
        host, _, port = authority.partition(":")
        if path and not self.rule("takes the path of a MASA URL"):
            path = ""
        return host, int(port or 443), f"/{path}".rstrip("/") or BRSKI.rstrip("/")

    @staticmethod
    def call_in_clear(rest):
        host, _, port = rest.split("/")[0].partition(":")
        with socket.create_connection((host, int(port or 80)), TIMEOUT_S) as clear:
            clear.sendall(b"POST /requestvoucher HTTP/1.1\r\n\r\n")
            clear.recv(1)

    def masa(self, idevid):
        """(connection, base path)"""
        host, port, base = self.masa_address(idevid)
        context = ssl.create_default_context(cafile=str(self.lab.maker.file("root.crt")))
        if self.rule("shows the MASA its certificate"):
            context.load_cert_chain(self.identity.cert_path, self.identity.key_path)
        if not self.rule("authenticates the MASA"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        name = host
        if not self.rule("calls the MASA by its name"):
            context.check_hostname, name = False, None
        timeout = TIMEOUT_S if self.rule("gives up on a silent MASA") else SLOW_S
        try:
            connection = wire.Connection(port, host, context=context, sni=name, timeout=timeout)
            if name is None:
                self.check_name(connection, host)
            return connection, base
        except (wire.Closed, OSError) as e:
            raise Refused(503, "The manufacturer cannot be reached.", headers=[("Retry-After", "1")]) from e

    @staticmethod
    def check_name(connection, host):
        """What the TLS library does when it is told the name."""
        names = forge.extension(forge.parse(connection.server_der), ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
        if host not in names.get_values_for_type(x509.DNSName):
            raise Refused(502, "The manufacturer has another name.")

    def ask_masa(self, form, request, rvr):
        connection, base = self.masa(forge.parse(request.peer_der))
        accept = form.media_type if self.rule("says what it accepts of the MASA") else "text/html"
        kind = form.media_type
        if form is CmsForm and not self.rule("asks under the media type of the request"):
            kind = "application/cms"
        with connection:
            try:
                reply = connection.post(base + "/requestvoucher", rvr, kind,
                                        [("Accept", accept)])
            except TimeoutError as e:
                raise Refused(504, "The manufacturer does not answer.") from e
            except (wire.Closed, OSError, ValueError, AssertionError) as e:
                raise Refused(502, "The manufacturer answers strangely.") from e
        if reply.status in RELAYED and self.rule("passes on what the MASA refuses"):
            raise Refused(reply.status, "The manufacturer refuses.")
        if reply.status == 202 and self.rule("passes on that the MASA has not decided"):
            raise Refused(503, "The manufacturer has not decided.", headers=[("Retry-After", "1")])
        if reply.status != 200:
            raise Refused(502 if self.rule("says 5xx when the MASA fails") else 404, "The manufacturer fails.")
        return reply.body

    def looked_at(self, form, rvr, octets):
        """A voucher before it is handed on: is it about what was asked, and of this manufacturer?"""
        if form is CoseForm:
            self.signed_right(octets)
        if form is CmsForm and not self.is_right(rvr, octets) and self.rule("looks into the voucher"):
            raise Refused(502, "The manufacturer's voucher is wrong.")
        if form is CmsForm and octets.find(b"\x02\x01\x01\x31", 0, 40) > 0 and not self.rule(
                "relays every version of CMS"):
            raise Refused(502, "That version is not relayed here.")

    def signed_right(self, octets):
        """A voucher in COSE: by a certificate that came with it, under the manufacturer's root."""
        try:
            box = cose.parse(octets)
            signer = box.signer()
        except Exception as e:
            raise Refused(502, "The manufacturer's voucher is not signed.") from e
        self.refuse("takes vouchers in COSE under a root it knows",
                    not leads_to(signer, box.certs, [self.lab.maker.root]), 502, "Who has signed that voucher?")

    def is_right(self, rvr, octets):
        try:
            got, asked = forge.read(octets), forge.read(rvr).fields
            same = all(got.fields.get(name) == asked[name] for name in ("serial-number", "nonce"))
            return same and leads_to(got.signer, got.certs, [self.lab.maker.root])
        except Exception:  # whatever a MASA may send
            return False

    # -- the device's history

    def history(self, request, client):
        """The device's audit log: a domain that is not ours ends the trust."""
        events = self.audit_log(request, client)
        foreign = any(e.get("domainID", e.get("registrarID")) not in self.own_ids() for e in events)
        if foreign and self.rule("judges the history"):
            client.trusted, client.bad = False, True
        if any(e.get("nonce") is None for e in events) and self.rule("fears vouchers without a nonce"):
            client.trusted, client.bad = False, True

    def own_ids(self):
        chain = [self.identity.cert, self.domain.issuing.cert, self.domain.root]
        if not self.rule("knows its own domainID at every pin"):
            chain = chain[:2]
        if not self.rule("signs with the key it shows"):
            chain.append(self.lab.other_domain.issuing.cert)
        return {forge.domain_id(forge.der(cert)) for cert in chain}

    def audit_log(self, request, client):
        connection, base = self.masa(forge.parse(request.peer_der))
        body = client.rvr
        if client.form is CmsForm and not self.rule("asks for the log with the octets of its request"):
            body = forge.sign_request({**forge.read(body).fields, "created-on": voucher.timestamp(seconds=1)},
                                      self.identity, certs=self.identity.chain(with_root=True))
        with connection:
            reply = connection.post(base + "/requestauditlog", body, client.form.media_type,
                                    [("Accept", "application/json")])
            if reply.status == 201 and self.rule("follows the location of a log"):
                reply = connection.get("/" + reply.header("location").removeprefix("https://").partition("/")[2])
        try:
            said = json.loads(reply.body) if reply.status == 200 else {}
        except ValueError:
            said = {}
        if said and said["version"] != 1 and not self.rule("reads logs of other versions"):
            return [{"domainID": "unreadable"}]
        return said.get("events", [])
