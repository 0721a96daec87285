# SPDX-License-Identifier: Apache-2.0
"""What a registrar wants to see in a certification request, as the reference pledge understands it (RFC
7030 §4.5.2; RFC 9908 §3): OIDs and attributes, or a template, which then is all that counts."""
from asn1crypto import core
from cryptography import x509

from brski_peer import csrattrs
from brski_peer.csrattrs import elements, inside
from brski_peer.forge import tlv

from .pledge_coap import Failed

KEY_KINDS = {(csrattrs.EC_KEY, csrattrs.P256): "ec-p256", (csrattrs.EC_KEY, csrattrs.P384): "ec-p384"}
KEYS = (csrattrs.EC_KEY, csrattrs.RSA_KEY)
EXTENSION_FORMS = (csrattrs.EXTENSION_REQUEST, csrattrs.EXTENSION_TEMPLATE)


def dotted(whole):
    return core.ObjectIdentifier.load(whole).dotted


class Wishes:
    """kind of the key, subject (None: the IDevID's), names (octets of subjectAltName or None), password."""

    def __init__(self, attempt, der):
        self.rule, self.idevid = attempt.rule, attempt.identity.cert
        self.refuse = lambda rule, wrong, why: attempt.refuse(rule, wrong, why, Failed)
        self.kind, self.subject, self.names, self.password = "ec-p256", None, None, False
        self.keys = self.requests = 0
        try:
            self.read(inside(der) if der else [])
        except (ValueError, TypeError) as e:
            raise Failed(f"CSR attributes: {e}") from e

    def read(self, items):
        found = [item for item in items if self.type(item) == csrattrs.TEMPLATE]
        if found and len(items) > len(found) and not self.rule("takes a template alone"):
            found = items
        for item in found or items:
            self.take(item)

    def type(self, item):
        """Of an OID, or of an attribute."""
        tag, content, whole = item
        return dotted(whole if tag == csrattrs.OID else elements(content)[0][2])

    def take(self, item):
        kind, values = self.type(item), []
        if item[0] == csrattrs.SEQUENCE:
            values = elements(elements(item[1])[1][1])
        if kind == csrattrs.TEMPLATE:
            self.template(values)
        elif kind == csrattrs.CHALLENGE_PASSWORD:
            self.password = True
        elif kind == csrattrs.EXTENSION_REQUEST:
            self.extension_request(values)
        elif kind in KEYS:
            self.key(kind, values)
        elif not self.rule("passes over wishes it does not know"):
            raise Failed(f"What is {kind}?")

    # -- OIDs and attributes

    def key(self, kind, values):
        self.keys += 1
        self.refuse("wants one type of key only", self.keys > 1, "Which key?")
        if self.rule("makes the key it is asked for"):
            self.kind = self.kind_of(kind, values)

    @staticmethod
    def kind_of(kind, values):
        if kind == csrattrs.RSA_KEY:
            return "rsa-3072"
        asked = kind, dotted(values[0][2]) if values else csrattrs.P256
        if asked not in KEY_KINDS:
            raise Failed("Such a key cannot be made here.")
        return KEY_KINDS[asked]

    def extension_request(self, values):
        self.requests += 1
        self.refuse("wants one request for extensions only", self.requests > 1, "Which extensions?")
        if self.rule("copies the extensions it is asked for"):
            self.extensions(values, fill=False)

    def extensions(self, values, fill):
        for _, content, _ in elements(values[0][1]):
            (_, _, kind), *value = elements(content)
            if dotted(kind) != csrattrs.ALTERNATIVE_NAME or not value:
                continue
            names = value[-1][1]
            self.names = self.filled(names) if fill else names

    # -- a template

    def template(self, values):
        (_, version, _), *parts = elements(values[0][1])
        self.refuse("knows templates of version 0 only", version != b"\0", "What is that?")
        for tag, content, _ in parts:
            if tag == csrattrs.SEQUENCE:
                self.subject_template(elements(content))
            elif tag == csrattrs.KEY_PART and self.rule("makes the key of a template"):
                (_, _, kind), *parameters = inside(content)
                self.kind = self.kind_of(dotted(kind), parameters)
            elif tag == csrattrs.ATTRIBUTES_PART:
                self.template_attributes(elements(content))

    def subject_template(self, rdns):
        if not self.rule("follows the subject of a template"):
            return
        pairs = [elements(pair) for _, content, _ in rdns for _, pair, _ in elements(content)]
        self.subject = x509.Name([x509.NameAttribute(
            x509.ObjectIdentifier(dotted(kind[2])), value[0][1].decode() if value else self.own(kind[2]))
            for kind, *value in pairs])

    def own(self, kind):
        """What this device puts where the template leaves it open."""
        found = self.idevid.subject.get_attributes_for_oid(x509.ObjectIdentifier(dotted(kind)))
        return found[0].value if found else "device"

    def template_attributes(self, attributes):
        """Full extensions or partial ones, not both."""
        forms = [item for item in attributes if self.type(item) in EXTENSION_FORMS]
        self.refuse("wants one form of extensions in a template", len(forms) > 1, "Which extensions?")
        for _, content, _ in forms:
            self.extensions(elements(elements(content)[1][1]), fill=True)

    def filled(self, names):
        """subjectAltName with the own name in the open places."""
        given = [whole for _, _, whole in inside(names)]
        own = [tlv(csrattrs.DIRECTORY_NAME, self.idevid.subject.public_bytes())]
        if csrattrs.OPEN_DIRECTORY_NAME not in given:
            own = []
        elif not self.rule("fills in what a template leaves open"):
            own = []
        return tlv(csrattrs.SEQUENCE, *[n for n in given if n != csrattrs.OPEN_DIRECTORY_NAME], *own)

    # -- the request

    def extensions_of_request(self):
        if self.names is None:
            return []
        kind = x509.ObjectIdentifier(csrattrs.ALTERNATIVE_NAME)
        return [(x509.UnrecognizedExtension(kind, self.names), False)]
