# SPDX-License-Identifier: Apache-2.0
"""Which pledges and which voucher-requests a registrar takes (RFC 8366 §5.3, §5.4; RFC 8995 §3, §5.1, §5.2)."""
import hashlib
import json

from brski_peer import certs, cms, forge, voucher
from brski_peer.pledge import BRSKI, est_body

from ..core import MUST, SHOULD, check

RFC8995 = ("rfc8995",)


# -- who it is

@check("R8995-REG-006", "R8995-REG-049", "R8995-REG-058", "ENC-ALL-027", level=MUST, role="registrar",
       profiles=RFC8995, mutant="knows its manufacturers")
def device_of_an_unknown_manufacturer_gets_no_voucher(t):
    """Anchors are what the registrar was told, not what a device brings along: here its manufacturer's
    root is part of the TLS chain and of the signed request."""
    device = t.device(t.lab.stranger)
    chain = [*device.identity.chain(), t.lab.stranger.root]
    whole = forge.save(t.lab.folder("devices"), device.serial, device.identity.key, chain)
    t.does_not_join(whole, "a device of a manufacturer that nobody has told it about")


@check("R8995-REG-006", "R8995-REG-049", level=MUST, role="registrar", profiles=RFC8995,
       mutant="knows its manufacturers")
def certificate_that_only_claims_its_issuer_gets_no_voucher(t):
    """The IDevID has the name of a trusted issuer and the signature of somebody else; or it is
    signed by itself."""
    folder, serial = t.lab.folder("devices"), t.lab.new_serial()
    impostor = forge.impostor_idevid(folder, serial, t.session.masa_url, t.lab.maker.issuing.cert)
    t.does_not_join(impostor, "the signature of its certificate is not its issuer's")
    own = forge.self_signed_idevid(folder, t.lab.new_serial(), t.session.masa_url)
    t.does_not_join(own, "its certificate is signed by itself")


@check("R8995-REG-006", "R8995-REG-049", "ET-11", level=MUST, role="registrar", profiles=RFC8995,
       mutant="asks devices for a certificate")
def client_without_a_certificate_gets_no_voucher(t):
    """A good request over a connection without a client certificate: anybody could have sent it."""
    t.does_not_join(None, "the client has shown no certificate")


@check("R8995-REG-015", "R8995-REG-011", level=MUST, role="registrar", profiles=RFC8995,
       mutant="takes a request signed by the device that asks only")
def stored_request_sent_by_another_device_is_refused(t):
    """A request belongs to the pair of certificates it was made for; from another IDevID it is refused,
    even from one with the same serial number."""
    device = t.approved_device()
    with t.pledge(device) as p:
        stolen = p.pvr()
    with t.pledge(t.approved_device(serial=device.serial)) as thief:
        t.refused(thief.request_voucher(stolen), why="another device's request")
    t.nothing_asked_of_masa("for a request from another device's connection")


@check("R8995-REG-011", "ENC-ALL-003", level=MUST, role="registrar", profiles=RFC8995,
       mutant="verifies the pledge's signature")
def request_with_a_broken_signature_is_refused(t):
    """One bit of the signature is wrong."""
    with t.pledge(t.approved_device()) as p:
        t.refused(p.request_voucher(forge.flip_signature(p.pvr())), 400, 403)
    t.nothing_asked_of_masa("for a request whose signature does not hold")


@check("R8995-REG-007", level=SHOULD, role="registrar", profiles=RFC8995,
       mutant="takes expired IDevIDs where it is told to")
def expired_idevid_is_taken_where_the_admin_says_so(t):
    """A device has been on the shelf for longer than its certificate is valid; the configuration
    "older-devices" takes such ones of this manufacturer."""
    t.variant("older-devices")
    serial = t.lab.new_serial()  # in both places where such a configuration may look for it
    with t.pledge(t.approved_device(expired=True, serial=serial, cn=serial)) as p:
        t.status(p.request_voucher(), 200)


@check("R8995-REG-008", level=SHOULD, role="registrar", profiles=RFC8995,
       mutant="finds the serial number where it is told to")
def serial_number_is_found_where_the_manufacturer_puts_it(t):
    """The configuration "older-devices" takes the serial number of this manufacturer's devices from the
    common name; it is what the MASA is told."""
    t.variant("older-devices")
    name = f"CN-{t.lab.new_serial()}"
    with t.pledge(t.approved_device(cn=name)) as p:
        t.status(p.request_voucher(p.pvr(serial_number=name)), 200)
    t.equal(t.rvr().fields.get("serial-number"), name, "the serial-number the MASA was told")


@check("ENC-ALL-025", level=MUST, role="registrar", profiles=RFC8995,
       mutant="takes devices with every usual key")
def devices_with_every_usual_key_get_vouchers(t):
    """IDevIDs with P-256, P-384 and RSA keys, for TLS and for the signature of the request."""
    for kind in ("ec-p256", "ec-p384", "rsa-2048"):
        with t.pledge(t.approved_device(key_type=kind)) as p:
            t.status(p.request_voucher(), 200, why=f"a device with a key of type {kind}")


# -- what it says

@check("R8995-REG-010", "ENC-ALL-014", level=MUST, role="registrar", profiles=RFC8995,
       mutant="takes the assertion proximity only")
def request_without_the_assertion_proximity_is_401_and_the_end(t):
    """A pledge on the network asserts proximity, in lower case; everything else, or nothing, is 401 and
    the end of the connection."""
    for assertion in (None, "logged", "Proximity"):
        with t.pledge(t.approved_device()) as p:
            t.status(p.request_voucher(p.pvr(assertion=assertion)), 401, why=f"the assertion is {assertion}")
            t.need(p.connection.ended_by_peer(), "the connection stays open after the 401")
    t.nothing_asked_of_masa("for a request that does not assert proximity")


@check("R8995-REG-053", level=MUST, role="registrar", profiles=("8366bis",),
       mutant="considers the hash of the key before the certificate")
def key_hash_that_contradicts_the_certificate_is_refused(t):
    """proximity-registrar-pubk-sha256 comes before the certificate: when it names another key, a right
    certificate beside it does not help."""
    with t.pledge(t.approved_device()) as p:
        t.status(p.request_voucher(p.pvr(proximity_registrar_pubk_sha256=forge.b64(bytes(32)))), 401)
    t.nothing_asked_of_masa("for a request that names another key")
    with t.pledge(t.approved_device()) as p:
        right = hashlib.sha256(forge.spki(forge.parse(p.registrar_der))).digest()
        reply = p.request_voucher(p.pvr(proximity_registrar_pubk_sha256=forge.b64(right)))
        t.status(reply, 200, why="hash and certificate agree")


@check("R8995-REG-036", "R8995-REG-049", level=MUST, role="registrar", profiles=RFC8995,
       mutant="wants a nonce")
def request_without_a_nonce_is_refused(t):
    """What is not bound to this moment could be replayed; that takes an explicit decision of the admin."""
    t.not_taken("a request without a nonce", nonce=None)


@check("ENC-ALL-011", level=MUST, role="registrar", profiles=RFC8995, mutant="wants 8 to 32 octets in a nonce")
def nonce_has_8_to_32_octets(t):
    """Shorter and longer ones are refused, those at the edges are taken."""
    for size in (7, 33):
        t.not_taken(f"a nonce of {size} octets", nonce=forge.b64(bytes(size)))
    for size in (8, 32):
        t.taken(f"a nonce of {size} octets", nonce=forge.b64(bytes(range(size))))


@check("ENC-ALL-010", level=MUST, role="registrar", profiles=RFC8995, mutant="reads times with a zone only")
def time_without_a_zone_is_refused(t):
    """RFC 3339 wants Z or an offset; without one it is not known which moment is meant."""
    t.not_taken("created-on without a zone", created_on="2026-01-01T00:00:00")


@check("ENC-ALL-010", level=MUST, role="registrar", profiles=RFC8995, mutant="reads every form of a time")
def every_form_of_a_time_is_read(t):
    """Fractions of a second and offsets, as in the RFC's own examples."""
    for time in ("2021-04-13T17:43:23.747-04:00", "2021-04-13T21:43:23Z", "2021-04-13T21:43:23.787Z"):
        t.taken(f"created-on is {time}", created_on=time)


@check("ENC-ALL-008", level=MUST, role="registrar", profiles=RFC8995,
       mutant="reads base64 without line breaks only")
def base64_with_line_breaks_is_refused(t):
    """Binary leaves are one run of base64."""
    with t.pledge(t.approved_device()) as p:
        text = forge.b64(p.registrar_der)
        broken = text[:64] + "\n" + text[64:]
        t.refused(p.request_voucher(p.pvr(proximity_registrar_cert=broken)))
    t.nothing_asked_of_masa("for a request with line breaks in its base64")


@check("ENC-ALL-009", level=MUST, role="registrar", profiles=RFC8995, mutant="reads certificates in DER only")
def certificate_in_pem_is_refused(t):
    """proximity-registrar-cert is the DER of one certificate, not the base64 of PEM, and has nothing
    after its end."""
    with t.pledge(t.approved_device()) as p:
        shown = p.registrar_der
        for octets in (certs.cert_pem(forge.parse(shown)), shown + b"\0"):
            with t.pledge(t.approved_device()) as other:
                t.refused(other.request_voucher(other.pvr(proximity_registrar_cert=forge.b64(octets))))
    t.nothing_asked_of_masa("for a request whose certificate is not DER")


@check("ENC-ALL-015", "ENC-ALL-023", "ENC-ALL-024", level=SHOULD, role="registrar", profiles=RFC8995,
       mutant="passes over members it does not know")
def unknown_members_are_ignored(t):
    """Whatever else a request holds, extensions included, changes nothing. (RFC 8995 binds the pledge alone.)"""
    t.taken("members that nobody knows", **{"x-test": 1, "extension:foo": {"a": [1, 2]}, "extensions": ["foo"],
                                            "manufacturer-proprietary": "AAAA"})


@check("ENC-ALL-007", level=MUST, role="registrar", profiles=RFC8995, mutant="wants a voucher-request")
def payload_that_is_no_voucher_request_is_refused(t):
    """One object with one member, ietf-voucher-request:voucher: not a voucher, no other name, no second
    member."""
    with t.pledge(t.approved_device()) as p:
        fields = forge.pvr_fields(p.identity, p.registrar_der)
        for wrong in ({voucher.VOUCHER: fields}, {"voucher": fields}, {voucher.REQUEST: fields, "b": 1}):
            octets = cms.sign(json.dumps(wrong).encode(), p.identity)
            t.refused(p.request_voucher(octets), why=f"the top members are {sorted(wrong)}")
    t.nothing_asked_of_masa("for a payload that is no voucher-request")


@check("ENC-ALL-012", "R8995-REG-009", level=MUST, role="registrar", profiles=RFC8995,
       mutant="takes the serial-number of the IDevID only")
def request_without_a_serial_number_is_refused(t):
    """serial-number is the one leaf that no voucher-request can do without."""
    t.not_taken("a request without a serial-number", serial_number=None)


# -- how it is signed and sent

@check("ENC-ALL-001", level=MUST, role="registrar", profiles=RFC8995, mutant="reads DER only")
def container_in_ber_is_refused(t):
    """A voucher-request is one ContentInfo in DER: no indefinite lengths, nothing after its end, the
    content inside."""
    with t.pledge(t.approved_device()) as p:
        wrong = {"an indefinite length": cms.to_ber(p.pvr()), "octets after the end": p.pvr() + b"\0",
                 "detached content": p.pvr(cms={"container": "detached"})}
        for what, octets in wrong.items():
            t.refused(p.request_voucher(octets), why=what)
    t.nothing_asked_of_masa("for a request that is not DER")


@check("ENC-ALL-002", level=MUST, role="registrar", profiles=("8366bis",), mutant="reads id-data too")
def request_with_the_older_content_type_is_taken(t):
    """Signed as id-data, as the examples of RFC 8995 are."""
    t.taken("the content type is id-data", cms={"content_type": cms.ID_DATA})


@check("ENC-ALL-003", level=MUST, role="registrar", profiles=("8366bis",), mutant="wants signed attributes")
def request_without_signed_attributes_is_refused(t):
    """With a content type other than id-data, a signature is over attributes; a bare one is refused."""
    t.not_taken("a signature without signed attributes", cms={"container": "no signed attributes"})


@check("ENC-ALL-004", level=MUST, role="registrar", profiles=RFC8995, mutant="wants a signer")
def request_that_nobody_signed_is_refused(t):
    """A SignedData without a signer."""
    t.not_taken("a request that nobody signed", cms={"container": "no signer"})


@check("ENC-ALL-016", level=MUST, role="registrar", profiles=RFC8995, mutant="reads raw octets only")
def request_in_base64_is_refused(t):
    """Bodies of requestvoucher are raw octets; base64 is for EST. (Taking it is a leniency that ought
    to be off.)"""
    with t.pledge(t.approved_device()) as p:
        t.refused(p.request_voucher(est_body(p.pvr(), None)), 400, 415)
    t.nothing_asked_of_masa("for a request in base64")


@check("ENC-ALL-017", level=SHOULD, role="registrar", profiles=RFC8995,
       mutant="passes over Content-Transfer-Encoding")
def content_transfer_encoding_is_ignored(t):
    """The header means nothing on these messages."""
    with t.pledge(t.approved_device()) as p:
        t.status(p.request_voucher(headers=[("Content-Transfer-Encoding", "base64")]), 200)


@check("ENC-ALL-022", level=MUST, role="registrar", profiles=RFC8995,
       mutant="compares media types without case and parameters")
def media_type_is_compared_without_case_and_parameters(t):
    """Media types are what HTTP says they are."""
    for kind in ("Application/Voucher-CMS+JSON", "application/voucher-cms+json; charset=utf-8"):
        with t.pledge(t.approved_device()) as p:
            t.status(p.request_voucher(content_type=kind), 200, why=f"the media type is {kind}")


@check("R8995-REG-014", level=MUST, role="registrar", profiles=RFC8995, mutant="has nothing at other paths")
def unknown_path_is_404(t):
    """There is nothing under /.well-known/brski but what the standards put there."""
    with t.pledge(t.approved_device()) as p:
        t.status(p.connection.post(BRSKI + "nothing", p.pvr(), "application/voucher-cms+json"), 404)


@check("R8995-REG-012", level=SHOULD, role="registrar", profiles=RFC8995, mutant="turns rejected devices away")
def device_that_is_not_wanted_is_404(t):
    """The admin has rejected it: 404, and no MASA is asked."""
    device = t.held_device()
    with t.pledge(device) as p:
        t.status(p.request_voucher(), 202)
        t.reject(device)
        t.status(p.request_voucher(), 404)
    t.nothing_asked_of_masa("about a device the admin has rejected")
