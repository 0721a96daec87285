# SPDX-License-Identifier: Apache-2.0
"""CSR attributes by hand: what a registrar may ask of a certification request, in both forms
(RFC 7030 §4.5.2; RFC 9908 §3), and the small DER reader that taking them apart needs.

    wishes(oid(CHALLENGE_PASSWORD), attribute(EC_KEY, oid(P384)))
    wishes(template(subject=[rdn(CN), rdn(OU, "Pumps")], key=(EC_KEY, oid(P384))))
"""
from asn1crypto import parser

from .forge import oid, tlv

CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7"
EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
TEMPLATE = "1.2.840.113549.1.9.16.2.61"
EXTENSION_TEMPLATE = "1.2.840.113549.1.9.16.2.62"
EC_KEY, RSA_KEY = "1.2.840.10045.2.1", "1.2.840.113549.1.1.1"
P256, P384 = "1.2.840.10045.3.1.7", "1.3.132.0.34"
ALTERNATIVE_NAME, MAC_ADDRESS = "2.5.29.17", "1.3.6.1.1.1.1.22"
CN, OU = "2.5.4.3", "2.5.4.11"
SEQUENCE, SET, OID, INTEGER, OCTETS, UTF8, BOOLEAN = 0x30, 0x31, 0x06, 0x02, 0x04, 0x0C, 0x01
DNS_NAME, DIRECTORY_NAME = 0x82, 0xA4
KEY_PART, ATTRIBUTES_PART = 0xA0, 0xA1
OPEN_DIRECTORY_NAME = tlv(DIRECTORY_NAME, tlv(SEQUENCE))  # the client fills in its own


# -- writing

def wishes(*items):
    """CsrAttrs of OIDs and attributes."""
    return tlv(SEQUENCE, *items)


def attribute(kind, *values):
    return tlv(SEQUENCE, oid(kind), tlv(SET, *values))


def extension(kind, value=None):
    """Without a value, as a template may have it, the client supplies it."""
    return tlv(SEQUENCE, oid(kind), *([tlv(OCTETS, value)] if value is not None else []))


def names(*general_names):
    """The value of subjectAltName."""
    return tlv(SEQUENCE, *general_names)


def dns(name):
    return tlv(DNS_NAME, name.encode())


def extension_request(*extensions):
    return attribute(EXTENSION_REQUEST, tlv(SEQUENCE, *extensions))


def extension_template(*extensions):
    return attribute(EXTENSION_TEMPLATE, tlv(SEQUENCE, *extensions))


def rdn(kind, value=None):
    """One part of a subject; without a value the client fills it in."""
    return tlv(SET, tlv(SEQUENCE, oid(kind), *([tlv(UTF8, value.encode())] if value else [])))


def template(subject=(), key=None, attributes=(), version=0):
    """key: (algorithm OID, parameter)."""
    parts = [tlv(INTEGER, bytes([version]))]
    if subject:
        parts.append(tlv(SEQUENCE, *subject))
    if key:
        parts.append(tlv(KEY_PART, tlv(SEQUENCE, oid(key[0]), key[1])))
    parts.append(tlv(ATTRIBUTES_PART, *attributes))
    return attribute(TEMPLATE, tlv(SEQUENCE, *parts))


# -- reading

def elements(octets):
    """[(tag, content, whole)] of DER values in a row."""
    found = []
    while octets:
        *_, head, content, trailer = parser.parse(octets)
        size = len(head) + len(content) + len(trailer)
        found.append((octets[0], content, octets[:size]))
        octets = octets[size:]
    return found


def inside(octets, tag=SEQUENCE):
    """The elements of the one value that there has to be."""
    (found, content, _), = elements(octets)
    if found != tag:
        raise ValueError(f"tag {found:#x} instead of {tag:#x}")
    return elements(content)
