# SPDX-License-Identifier: Apache-2.0
"""EST over CoAPS: certificates of CAs, enrolment, renewal, keys made by the server (RFC 9148 §5,
draft-ietf-anima-constrained-voucher §6.7, §6.8)."""
import cbor2
from cryptography.hazmat.primitives import serialization

from brski_peer import certs, coap, constrained, cose, forge

from ..core import MUST, SHOULD, check
from ..trial_registrar import spki_of

EST_COAPS = ("est-coaps",)
LISTED_MAX = 3


def anchors(t, pledge, accept):
    """The answer to crts in this format."""
    reply = pledge.crts(accept)
    t.coap_is(reply, "2.05", f"crts is asked for with Accept {accept}")
    t.equal(reply.content_format, accept, "the format of crts")
    return reply.payload


def certificate(t, pledge, step, accept, key=None):
    """(the octets of an answer to sen or sren, the key it is about); its code and format are right."""
    key = key or certs.new_key()
    reply = pledge.post_csr(pledge.csr(key), step, accept=accept)
    t.coap_is(reply, "2.04", f"{step} is asked with Accept {accept}")
    t.equal(reply.content_format, accept, f"the format of {step}")
    return reply.payload, key


def issuer_of_ours(t, pledge):
    """Who issues to this device: the name in the certificate it gets."""
    reply, _ = pledge.enroll()
    t.coap_is(reply, "2.04", "a certificate is asked for")
    return constrained.certs_of(reply)[0].issuer


# -- what every server has

@check("C-05", "C-07", level=MUST, role="registrar", profiles=EST_COAPS, mutant="sends DER over CoAP")
def coaps_281_is_to_be_had_everywhere_and_in_der(t):
    """crts, sen and sren answer Accept 281 with a PKCS #7 of certificates, its octets as they are."""
    with t.coap_admitted() as p:
        answers = [("crts", anchors(t, p, constrained.PKCS7_CERTS))]
        octets, key = certificate(t, p, "sen", constrained.PKCS7_CERTS)
        answers.append(("sen", octets))
    t.equal(octets[:1], b"\x30", "the first octet of what sen answers")
    ldevid = t.saved(key, constrained.pkcs7.load_der_pkcs7_certificates(octets))
    with t.coap_pledge(ldevid) as p:
        answers.append(("sren", certificate(t, p, "sren", constrained.PKCS7_CERTS, key)[0]))
    for step, octets in answers:
        t.equal(octets[:1], b"\x30", f"the first octet of what {step} answers")
        t.need(constrained.pkcs7.load_der_pkcs7_certificates(octets), f"{step} answers without a certificate")


@check("C-09", level=SHOULD, role="registrar", profiles=EST_COAPS, mutant="picks 281 by itself")
def coaps_format_without_accept_is_281(t):
    """Who does not say what it wants gets what every client reads."""
    with t.coap_pledge(t.approved_device()) as p:
        reply = p.crts(accept=None)
        t.coap_is(reply, "2.05", "crts is asked for without Accept")
        t.equal(reply.content_format, constrained.PKCS7_CERTS, "the format")


@check("C-08", "N-05", level=MUST, role="registrar", profiles=("cbrski", "est-coaps"),
       mutant="gives a bare certificate to who wants one")
def coaps_287_is_one_certificate(t):
    """sen and sren answer Accept 287 with the new certificate and nothing around it."""
    with t.coap_admitted() as p:
        octets, key = certificate(t, p, "sen", constrained.PKIX_CERT)
    cert = forge.parse(octets)
    t.equal(forge.spki(cert), spki_of(key), "the key in the certificate")
    with t.coap_pledge(t.saved(key, [cert])) as p:
        octets, key = certificate(t, p, "sren", constrained.PKIX_CERT, key)
        t.equal(forge.spki(forge.parse(octets)), spki_of(key), "the key in the renewed certificate")


# -- crts

@check("C-29", "C-30", "C-31", level=MUST, role="registrar", profiles=EST_COAPS,
       mutant="lists the issuing CA first")
def coaps_crts_in_62_begin_with_the_issuing_ca(t):
    """An array of 287 and DER in turn: first who issues to this device, then who issued that, upwards."""
    with t.coap_admitted() as p:
        issuer = issuer_of_ours(t, p)
        items = cbor2.loads(anchors(t, p, constrained.MULTIPART))
    t.need(items and len(items) % 2 == 0, "the array has no pairs")
    t.equal(set(items[::2]), {constrained.PKIX_CERT}, "the formats in the array")
    listed = [forge.parse(der) for der in items[1::2]]
    t.equal(listed[0].subject, issuer, "the first certificate")
    for below, above in zip(listed, listed[1:]):
        if below.issuer == below.subject:
            break  # anchors of others may follow
        t.equal(above.subject, below.issuer, "the certificate after that one")


@check("C-32", level=SHOULD, role="registrar", profiles=EST_COAPS, mutant="lists three certificates at most")
def coaps_crts_are_three_at_most(t):
    """More only where an admin wants it so: somebody has to keep them."""
    with t.coap_pledge(t.approved_device()) as p:
        count = len(cose.parts(anchors(t, p, constrained.MULTIPART)))
    t.need(count <= LISTED_MAX, f"there are {count} certificates")


@check("C-34", level=MUST, role="registrar", profiles=EST_COAPS, mutant="sends one CA as 287")
def coaps_crts_in_287_are_the_issuing_ca(t):
    """One certificate, that of the CA that issues to this device; or 4.06 where one is not enough."""
    with t.coap_admitted() as p:
        issuer = issuer_of_ours(t, p)
        reply = p.crts(constrained.PKIX_CERT)
        if reply.said == "4.06":
            return
        t.coap_is(reply, "2.05", "crts is asked for with Accept 287")
    t.equal(forge.parse(reply.payload).subject, issuer, "the certificate")


@check("C-28", level=SHOULD, role="registrar", profiles=EST_COAPS, mutant="says 2.03 to who has them already")
def coaps_crts_that_are_known_are_not_sent_again(t):
    """Each answer has an ETag; who sends it along is told 2.03, with nothing in it."""
    with t.coap_pledge(t.approved_device()) as p:
        tag = p.crts(constrained.PKIX_CERT).option(coap.ETAG)
        t.need(tag, "the answer has no ETag")
        reply = p.crts(constrained.PKIX_CERT, options=[(coap.ETAG, tag)])
        t.coap_is(reply, "2.03", "the ETag is that of crts")
        t.equal(reply.payload, b"", "what the answer holds")


# -- keys

@check("C-14", level=MUST, role="registrar", profiles=EST_COAPS, mutant="says that a key is plain")
def coaps_made_key_is_plain_in_284(t):
    """A request that says nothing of encryption gets the key as PKCS #8 and a certificate for it."""
    with t.coap_admitted() as p:
        reply = p.post_csr(p.csr(certs.new_key()), "skg", accept=constrained.MULTIPART)
        if reply.said == "4.04":
            t.skip("the target makes no keys for devices (skg)")
        t.coap_is(reply, "2.04", "a key is asked for")
    parts = dict(cose.parts(reply.payload))
    t.need(constrained.PKCS8 in parts, f"the parts have the formats {sorted(parts)}")
    key = serialization.load_der_private_key(parts[constrained.PKCS8], None)
    found = constrained.pkcs7.load_der_pkcs7_certificates(parts.get(constrained.PKCS7_CERTS, b""))
    t.equal([forge.spki(c) for c in found], [spki_of(key)], "the keys of the certificates")
