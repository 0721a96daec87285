# SPDX-License-Identifier: Apache-2.0
"""How a pledge judges a voucher (RFC 8995 §5.6.1, §5.6.2; RFC 8366 §5.3, §5.4): what it refuses, and
what it takes although it looks odd. More of it is in pledge_voucher."""
import datetime

from brski_peer import cms, forge, voucher
from brski_peer.registrar import CMS_TYPE
from brski_peer.server import Answer

from ..core import MUST, check

RFC8995, BIS = ("rfc8995",), ("8366bis",)


def lie(t, why, **leaves):
    """The voucher with these leaves (None takes one out) is refused."""
    registrar = t.new_registrar()
    registrar.lie = lambda fields: forge.changed(fields, leaves)
    t.refuses_voucher(registrar=registrar, why=why)


def good(t, device=None, **leaves):
    """The voucher with these leaves is good."""
    registrar = t.new_registrar()
    registrar.lie = lambda fields: forge.changed(fields, leaves)
    t.joins(device or t.device(), registrar)


def container(t, name, why):
    t.registrar.cms = {"container": name}
    t.refuses_voucher(why=why)


# -- the signature

@check("R8995-PLG-032", "ENC-ALL-027", level=MUST, role="pledge", profiles=RFC8995,
       mutant="takes anchors from nowhere but its memory")
def root_inside_the_voucher_is_no_anchor(t):
    """A stranger's voucher that brings the stranger's whole chain, root included, is a stranger's."""
    stranger = t.lab.stranger
    t.registrar.signer = stranger.signer
    t.registrar.cms = {"certs": [*stranger.signer.chain(), stranger.root]}
    t.refuses_voucher(why="the only root it leads to is inside the voucher")


@check("R8995-PLG-032", level=MUST, role="pledge", profiles=RFC8995,
       mutant="verifies the octets that were signed")
def voucher_with_a_broken_signature_is_refused(t):
    """One changed bit in the signature of a good voucher."""
    t.registrar.on["requestvoucher"] = lambda request: Answer(
        200, forge.flip_signature(t.registrar.make_voucher(request.body)), CMS_TYPE)
    t.refuses_voucher(why="the signature is broken")


@check("ENC-ALL-003", level=MUST, role="pledge", profiles=BIS, mutant="wants signed attributes")
def voucher_without_signed_attributes_is_refused(t):
    """A signature over the bare content, without signed attributes, does not count."""
    container(t, "no signed attributes", "there are no signed attributes")


@check("ENC-ALL-004", level=MUST, role="pledge", profiles=RFC8995, mutant="wants a signer")
def voucher_that_nobody_signed_is_refused(t):
    """A CMS with the MASA's certificates and no SignerInfo is signed by nobody."""
    container(t, "no signer", "nobody signed it")


@check("ENC-ALL-002", "ENC-ALL-006", level=MUST, role="pledge", profiles=BIS,
       mutant="reads the older content type")
def voucher_as_plain_data_is_read(t):
    """Content of type id-data in a SignedData of version 1, as RFC 8995's own examples have it."""
    t.registrar.cms = {"content_type": cms.ID_DATA}
    t.joins()


@check("ENC-ALL-007", level=MUST, role="pledge", profiles=RFC8995, mutant="reads vouchers only")
def request_is_no_voucher(t):
    """The one member of a voucher is ietf-voucher:voucher: a request signed by the MASA is none."""
    def mislabelled(request):
        fields = forge.voucher_fields(forge.read(request.body).fields, pin=t.registrar.pin)
        return Answer(200, forge.sign_request(fields, t.registrar.signer), CMS_TYPE)
    t.registrar.on["requestvoucher"] = mislabelled
    t.refuses_voucher(why="it is a request by its name")


@check("R8995-PLG-055", "R8995-PLG-018", level=MUST, role="pledge", profiles=RFC8995,
       mutant="joins with a voucher only")
def success_without_a_voucher_is_none(t):
    """A 200 with an empty body, or with anything else that is no voucher, brings no trust."""
    for body in (b"", b"{}", b"<html></html>", b"\x30\x80\x00\x00"):
        registrar = t.new_registrar()
        registrar.on["requestvoucher"] = lambda _request, body=body: Answer(200, body, CMS_TYPE)
        t.refuses_voucher(registrar=registrar, why=f"the body is {body!r}")


@check("ENC-ALL-022", level=MUST, role="pledge", profiles=RFC8995, mutant="compares media types as such")
def media_type_of_a_voucher_in_capitals_is_the_same(t):
    """Media types are compared without case and without parameters."""
    t.registrar.on["requestvoucher"] = lambda request: Answer(
        200, t.registrar.make_voucher(request.body), "Application/Voucher-CMS+JSON; charset=utf-8")
    t.joins()


# -- leaves

@check("R8995-PLG-034", level=MUST, role="pledge", profiles=RFC8995, mutant="compares the idevid-issuer")
def voucher_for_another_makers_device_is_refused(t):
    """When idevid-issuer is there it is that of the own IDevID."""
    device = t.device()
    good(t, device, idevid_issuer=forge.b64(device.idevid_issuer))
    lie(t, "idevid-issuer is another one",
        idevid_issuer=forge.b64(b"\x04\x18\x30\x16\x80\x14" + b"\x5a" * 20))


@check("R8995-PLG-036", "ENC-ALL-013", level=MUST, role="pledge", profiles=RFC8995,
       mutant="takes vouchers without a nonce")
def voucher_without_a_nonce_is_good(t):
    """A voucher without a nonce is good until it ends."""
    good(t, nonce=None, expires_on=voucher.timestamp(seconds=3600))


@check("R8995-PLG-037", level=MUST, role="pledge", profiles=RFC8995, mutant="looks at the end of a voucher")
def voucher_that_has_ended_is_refused(t):
    """expires-on is over; the device has a clock."""
    lie(t, "it has ended", nonce=None, created_on=voucher.timestamp(seconds=-7200),
        expires_on=voucher.timestamp(seconds=-3600))


@check("ENC-ALL-010", level=MUST, role="pledge", profiles=RFC8995, mutant="reads every form of a time")
def times_of_every_form_are_read(t):
    """created-on in UTC with a fraction, or with an offset."""
    now = datetime.datetime.now(datetime.timezone.utc)
    west = now.astimezone(datetime.timezone(datetime.timedelta(hours=-4)))
    good(t, created_on=f"{now:%Y-%m-%dT%H:%M:%S}.787Z")
    good(t, created_on=f"{west:%Y-%m-%dT%H:%M:%S}-04:00")


@check("ENC-ALL-014", level=MUST, role="pledge", profiles=RFC8995, mutant="knows the assertions")
def assertion_nobody_knows_is_refused(t):
    """assertion is one of the words of the standard."""
    lie(t, "assertion is no known word", assertion="nonsense")


@check("R8995-PLG-038", level=MUST, role="pledge", profiles=RFC8995, mutant="judges the assertion")
def assertion_below_the_policy_is_refused(t):
    """A device whose policy wants proximity does not take a voucher that is only logged."""
    t.registrar.lie = lambda fields: {**fields, "assertion": "logged"}
    t.refuses_voucher(why="assertion is logged", action="join_proximity")


@check("R8995-PLG-039", "ENC-ALL-012", level=MUST, role="pledge", profiles=RFC8995, mutant="wants a pin")
def voucher_that_pins_nothing_is_refused(t):
    """Without pinned-domain-cert there is nobody to trust."""
    lie(t, "it pins nothing", pinned_domain_cert=None)


@check("ENC-ALL-009", level=MUST, role="pledge", profiles=RFC8995, mutant="wants certificates in DER")
def pin_in_pem_is_refused(t):
    """pinned-domain-cert is DER of one certificate, no PEM."""
    pem = forge.certs.cert_pem(t.lab.domain.issuing.cert)
    lie(t, "pinned-domain-cert is PEM", pinned_domain_cert=forge.b64(pem))


@check("ENC-ALL-015", "ENC-ALL-023", level=MUST, role="pledge", profiles=RFC8995,
       mutant="passes over what it does not know")
def unknown_members_of_a_voucher_are_ignored(t):
    """Members and extensions that the pledge has never heard of do no harm."""
    good(t, x_test=1, extensions=["example"], **{"extension:example": {"a": 1}})


@check("R8995-PLG-059", level=MUST, role="pledge", profiles=BIS,
       mutant="takes the pin in the form of its request")
def pin_in_the_form_of_the_request_decides(t):
    """Of several forms of the pin the one counts that the request had used: here, the certificate."""
    good(t, pinned_domain_pubk_sha256=voucher.b64(b"\x5a" * 32))


# -- the registrar against the pin

@check("R8995-PLG-041", level=MUST, role="pledge", profiles=RFC8995,
       mutant="takes each certificate of the chain as the pin")
def pin_may_be_the_registrar_itself_or_the_root(t):
    """The pin is any certificate of the registrar's chain, the registrar's own and the root included."""
    for pin in (t.lab.domain.registrar.cert, t.lab.domain.root):
        registrar = t.new_registrar()
        registrar.pin = pin
        t.joins(t.device(), registrar)


@check("R8995-PLG-037", "R8995-PLG-016", level=MUST, role="pledge", profiles=RFC8995,
       mutant="wants the registrar's certificate to be valid in the end")
def expired_registrar_gets_the_request_and_no_trust(t):
    """An expired certificate does not matter until the voucher; then it does: the device has a clock."""
    year = datetime.timedelta(days=365)
    ended = datetime.datetime.utcnow() - year
    old = t.lab.domain.registrar_identity(not_before=ended - year, not_after=ended)
    registrar = t.new_registrar(old)
    t.refuses_voucher(registrar=registrar, why="the registrar's certificate ended a year ago")
    t.need(registrar.seen("requestvoucher"), "the request was never made")


@check("R8995-PLG-016", "R8995-PLG-041", level=MUST, role="pledge", profiles=RFC8995,
       mutant="takes self-signed registrars")
def self_signed_registrar_is_good_when_it_is_pinned(t):
    """The certificate a registrar made for itself is as good as any when the voucher pins it."""
    alone = t.lab.domain.saved(forge.certs.make_registrar(None))
    registrar = t.new_registrar(alone)
    registrar.pin = alone.cert
    t.joins(t.device(), registrar)


@check("R8995-PLG-040", level=MUST, role="pledge", profiles=RFC8995,
       mutant="checks revocation where the voucher says so")
def revocation_is_checked_when_the_voucher_says_so(t):
    """domain-cert-revocation-checks true: a revoked registrar is refused, and one whose certificate
    cannot be checked as well; false: nobody looks."""
    def shown(identity, says):
        registrar = t.new_registrar(identity)
        registrar.lie = lambda fields: {**fields, "domain-cert-revocation-checks": says}
        return registrar
    t.joins(t.device(), shown(t.listed_registrar(revoked=False), True))
    t.joins(t.device(), shown(t.listed_registrar(revoked=True), False))
    t.refuses_voucher(registrar=shown(t.listed_registrar(revoked=True), True), why="it is on the list")
    t.refuses_voucher(registrar=shown(t.lab.domain.registrar, True), why="it points to no list")
