# SPDX-License-Identifier: Apache-2.0
"""What a MASA answers: its vouchers leaf by leaf, its refusals, HTTP and TLS (RFC 8995 §5.4, §5.6)."""
import base64
import os
import re

from brski_peer import certs, cms, forge, voucher
from brski_peer.wire import Closed

from ..core import MUST, SHOULD, check

RFC8995, BIS = ("rfc8995",), ("8366bis",)
BINARY = ("pinned-domain-cert", "idevid-issuer", "nonce")
UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")


def honest_voucher(t):
    """(octets, forge.Read) of the voucher for an honest request."""
    device = t.device()
    with t.registrar() as r:
        reply = r.ask(r.rvr(device))
        return reply.body, t.voucher(reply)


# -- the container

@check("ENC-ALL-001", "ENC-ALL-016", level=MUST, role="masa", profiles=RFC8995, mutant="writes DER")
def voucher_is_one_der_object_as_it_is(t):
    """The body is the CMS itself: DER, no base64, its content inside."""
    octets, _ = honest_voucher(t)
    t.equal(octets[:1], b"\x30", "the first octet")
    t.need(octets[1] != 0x80, "the length is indefinite: that is BER")
    t.need(cms.parse(octets).payload, "the content is not inside")


@check("ENC-ALL-002", "ENC-ALL-003", level=MUST, role="masa", profiles=BIS,
       mutant="names the type of its content")
def voucher_says_what_it_contains(t):
    """eContentType is id-ct-animaJSONVoucher, SignedData of version 3, with signed attributes."""
    octets, got = honest_voucher(t)
    t.equal((got.content_type, got.version), (cms.JSON_VOUCHER, 3), "content type and version")
    t.need(cms.parse(octets).attributes(), "there are no signed attributes")


@check("ENC-ALL-005", level=SHOULD, role="masa", profiles=RFC8995, mutant="sends its chain along")
def voucher_brings_its_signers_chain(t):
    """The certificates of the CMS lead from the signer towards the anchor that devices have."""
    octets, _ = honest_voucher(t)
    box = cms.parse(octets)
    signer = box.signer()
    t.need(signer, "the signer's certificate is not there")
    t.need(signer.issuer == signer.subject or any(c.subject == signer.issuer for c in box.certs),
           "the issuer of the signer's certificate is not there")


# -- leaves

@check("ENC-ALL-007", "ENC-ALL-012", level=MUST, role="masa", profiles=RFC8995,
       mutant="fills in what a voucher has to have")
def voucher_has_what_it_has_to_have(t):
    """One member, ietf-voucher:voucher, with created-on, assertion, serial-number and
    pinned-domain-cert."""
    _, got = honest_voucher(t)
    t.equal(got.top, voucher.VOUCHER, "the one member")
    missing = {"created-on", "assertion", "serial-number", "pinned-domain-cert"} - set(got.fields)
    t.need(not missing, f"the voucher lacks {', '.join(sorted(missing))}")


@check("ENC-ALL-008", "ENC-ALL-009", level=MUST, role="masa", profiles=RFC8995,
       mutant="writes binary leaves in base64 on one line")
def binary_leaves_are_plain_base64(t):
    """Binary leaves are padded base64 of the standard alphabet on one line; a certificate's is DER of
    one certificate."""
    _, got = honest_voucher(t)
    for name in BINARY:
        if name in got.fields:
            octets = base64.b64decode(got.fields[name], validate=True)
            t.equal(got.fields[name], voucher.b64(octets), name)
    pin = base64.b64decode(got.fields["pinned-domain-cert"])
    t.equal(forge.der(forge.parse(pin)), pin, "pinned-domain-cert as one certificate")


@check("ENC-ALL-010", level=MUST, role="masa", profiles=RFC8995, mutant="writes times with their zone")
def times_of_a_voucher_have_a_zone(t):
    """created-on and the like are RFC 3339 with Z or an offset."""
    _, got = honest_voucher(t)
    for leaf in ("created-on", "expires-on", "last-renewal-date"):
        if leaf in got.fields:
            t.need(UTC.match(got.fields[leaf]), f"{leaf} is {got.fields[leaf]!r}")


@check("ENC-ALL-013", level=MUST, role="masa", profiles=RFC8995,
       mutant="leaves an end out of vouchers with a nonce")
def nonce_and_end_exclude_each_other(t):
    """A voucher with a nonce has no expires-on, and so no last-renewal-date either."""
    _, got = honest_voucher(t)
    t.need("nonce" in got.fields, "the voucher has no nonce")
    for leaf in ("expires-on", "last-renewal-date"):
        t.need(leaf not in got.fields, f"the voucher has a nonce and {leaf}")


@check("R8995-MASA-027", level=SHOULD, role="masa", profiles=RFC8995,
       mutant="keeps the request out of the voucher")
def voucher_has_nothing_of_the_request_inside(t):
    """No prior-signed-voucher-request, and no name of the registrar out of it."""
    _, got = honest_voucher(t)
    for leaf in ("prior-signed-voucher-request", "proximity-registrar-cert"):
        t.need(leaf not in got.fields, f"the voucher has {leaf}")


@check("R8995-MASA-020", "R8995-MASA-032", level=MUST, role="masa", profiles=RFC8995,
       mutant="leaves the nonce as it is written")
def nonce_in_the_other_alphabet_comes_back_as_it_was(t):
    """The nonce is a string to the MASA: one in unpadded base64url comes back so, in the voucher and in
    the log."""
    device = t.device()
    nonce = base64.urlsafe_b64encode(b"\xfb\xff" + os.urandom(14)).decode().rstrip("=")
    with t.registrar() as r:
        rvr = r.rvr(device, r.pvr(device, nonce=nonce))
        t.equal(r.voucher(rvr).fields.get("nonce"), nonce, "the nonce of the voucher")
        t.equal([e.get("nonce") for e in t.json(r.audit(rvr))["events"]], [nonce], "the log's nonces")


@check("R8995-MASA-009", "R8995-MASA-024", "R8995-MASA-021", level=MUST, role="masa", profiles=RFC8995,
       mutant="ends vouchers without a nonce")
def owner_gets_a_nonceless_voucher_that_ends(t):
    """The owner's registrar gets a voucher without a nonce: it has an end, and does not say proximity."""
    t.variant("known-owner")
    device = t.device(owner=t.lab.domain)
    with t.registrar() as r:
        fields = r.voucher(r.nonceless(device), why="the owner asks").fields
        t.need("nonce" not in fields, "the voucher has a nonce")
        t.need("expires-on" in fields, "the voucher has no end")
        t.need(fields.get("assertion") != "proximity", "the voucher says proximity, with no proof of it")


@check("R8995-MASA-037", level=SHOULD, role="masa", profiles=RFC8995,
       mutant="signs vouchers without a nonce with a key of their own")
def vouchers_that_last_have_a_key_of_their_own(t):
    """Who steals the key for vouchers with a nonce cannot make those without one: it is another key."""
    t.variant("known-owner")
    device = t.device(owner=t.lab.domain)
    with t.registrar() as r:
        usual, lasting = r.voucher(r.rvr(device)), r.voucher(r.nonceless(device), why="the owner asks")
    t.need(forge.spki(usual.signer) != forge.spki(lasting.signer), "both are signed with the same key")


@check("A-08", level=MUST, role="masa", profiles=("cbrski", "8366bis"), mutant="ends vouchers before the CA they pin")
def nonceless_voucher_ends_before_what_it_pins(t):
    """expires-on is not after the end of the certificate that is pinned: here that of a CA which ends soon."""
    t.variant("known-owner")
    device, domain = t.device(owner=t.lab.domain), t.lab.domain
    root = forge.load(domain.file("root.key"), domain.file("root.crt"))
    brief = certs.make_ca("Brief Issuing", root, path_length=0, not_after=t.soon(minutes=5))
    with t.registrar(domain.saved(certs.make_registrar(brief))) as r:
        fields = r.voucher(r.nonceless(device), why="the owner asks").fields
    pinned = forge.parse(base64.b64decode(fields["pinned-domain-cert"]))
    ends = forge.parse_time(fields["expires-on"]).replace(tzinfo=None)
    t.need(ends <= pinned.not_valid_after, f"the voucher ends at {ends}, what it pins at {pinned.not_valid_after}")


@check("R8995-MASA-024", level=SHOULD, role="masa", profiles=RFC8995,
       mutant="ends vouchers before the certificate they pin")
def nonceless_voucher_ends_before_the_registrars_certificate(t):
    """expires-on of a voucher without a nonce is not after the end of the registrar's certificate."""
    t.variant("known-owner")
    device = t.device(owner=t.lab.domain)
    brief = t.lab.domain.registrar_identity(not_after=t.soon(minutes=5))
    with t.registrar(brief) as r:
        ends = forge.parse_time(r.voucher(r.nonceless(device)).fields["expires-on"])
        t.need(ends.replace(tzinfo=None) <= brief.cert.not_valid_after,
               f"the voucher ends at {ends}, the registrar's certificate at {brief.cert.not_valid_after}")


@check("R8995-MASA-039", level=SHOULD, role="masa", profiles=RFC8995, mutant="promises renewals")
def nonceless_voucher_promises_renewal(t):
    """A voucher that ends soon says with last-renewal-date how long another one can be had."""
    t.variant("promising")
    device = t.device(owner=t.lab.domain)
    with t.registrar() as r:
        fields = r.voucher(r.nonceless(device)).fields
        t.need("last-renewal-date" in fields, "the voucher has no last-renewal-date")
        t.need(forge.parse_time(fields["last-renewal-date"]) > forge.parse_time(fields["expires-on"]),
               "the promise ends before the voucher does")


# -- HTTP

@check("R8995-MASA-019", level=MUST, role="masa", profiles=RFC8995,
       mutant="refuses what it cannot answer in")
def accept_of_something_else_is_refused(t):
    """A registrar that takes images only gets no voucher: 406, or 415."""
    device = t.device()
    with t.registrar() as r:
        t.refused(r.ask(r.rvr(device), accept="image/png"), 406, 415)


@check("R8995-MASA-019", level=MUST, role="masa", profiles=RFC8995,
       mutant="answers in the form of the request when there is no preference")
def no_preference_gets_the_form_of_the_request(t):
    """Without Accept, or with */*, the voucher comes in the form of the request."""
    device = t.device()
    with t.registrar() as r:
        for accept in (None, "*/*"):
            t.voucher(r.ask(r.rvr(device), accept=accept), why=f"Accept: {accept}")


@check("R8995-MASA-005", level=MUST, role="masa", profiles=RFC8995, mutant="says why in plain text")
def each_refusal_says_why_in_plain_text(t):
    """Every refusal is text/plain in UTF-8 and says why."""
    with t.registrar() as r:
        answers = {"an unreadable request": r.ask(b"\x30\x03\x02\x01\x01"),
                   "a media type nobody reads": r.ask(b"hello", content_type="text/plain"),
                   "an empty request": r.ask(b"")}
    for what, reply in answers.items():
        t.refused(reply, why=what)
        kind = (reply.header("content-type") or "").lower().replace(" ", "").replace('"', "")
        t.equal(kind, "text/plain;charset=utf-8", f"the type of the answer to {what}")
        t.need(reply.body.decode("utf-8").strip(), f"nothing is said about {what}")


@check("R8995-MASA-001", level=MUST, role="masa", profiles=RFC8995, mutant="answers POST only")
def get_is_no_request(t):
    """requestvoucher and requestauditlog are there, and GET is not the way to ask: 405 (or another
    refusal)."""
    with t.registrar() as r:
        for path in ("requestvoucher", "requestauditlog"):
            t.refused(r.connection.get("/.well-known/brski/" + path), 405, 400, 403)


@check("R8995-MASA-002", level=MUST, role="masa", profiles=RFC8995, mutant="speaks TLS 1.2 at least")
def tls_1_1_is_refused(t):
    """A registrar that knows no TLS after 1.1 cannot connect."""
    with t.hangs_up_or() as ended:
        with t.registrar(context=t.old_tls()):
            pass
    t.need(ended, "the handshake with TLS 1.1 works")


@check("R8995-MASA-002", level=SHOULD, role="masa", profiles=RFC8995, mutant="offers TLS 1.3")
def tls_1_3_is_offered(t):
    """TLS 1.3 is there for registrars that know nothing else."""
    device = t.device()
    try:
        with t.registrar(tls="1.3") as r:
            r.voucher(r.rvr(device))
    except Closed as e:
        t.need(False, f"there is no TLS 1.3: {e}")


@check("R8995-MASA-002", "ENC-ALL-025", level=MUST, role="masa", profiles=RFC8995,
       mutant="takes P-384 and RSA")
def registrars_with_other_keys_get_vouchers(t):
    """Registrars with P-384 and RSA keys connect over TLS 1.2 and get their vouchers."""
    device = t.device()
    for kind in ("ec-p384", "rsa-2048"):
        identity = t.lab.domain.registrar_identity(key_type=kind)
        with t.registrar(identity, tls="1.2") as r:
            r.voucher(r.rvr(device), why=f"a registrar with a key of {kind}")


@check("ENC-ALL-026", level=SHOULD, role="masa", profiles=RFC8995, mutant="keeps connections open")
def connection_stays_open_for_the_next_request(t):
    """A second request finds the connection open."""
    device = t.device()
    with t.registrar() as r:
        rvr = r.rvr(device)
        r.voucher(rvr)
        with t.hangs_up_or() as ended:
            r.ask(rvr)
        t.need(not ended, "the connection is closed after one answer")


@check("R8995-MASA-038", level=SHOULD, role="masa", profiles=RFC8995, mutant="limits each registrar")
def flood_of_one_registrar_is_turned_away(t):
    """A registrar that asks without end is told to come back later: 429 or 503 with Retry-After."""
    t.variant("limited")
    device = t.device()
    with t.registrar() as r:
        for _ in range(20):
            reply = r.ask(r.rvr(device))
            if reply.status != 200:
                break
        t.status(reply, 429, 503)
        t.need(reply.header("retry-after"), "there is no Retry-After")
