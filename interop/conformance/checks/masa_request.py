# SPDX-License-Identifier: Apache-2.0
"""What a MASA makes of a registrar's request: whom it believes, what it passes over (RFC 8995 §3.4,
§5.5). What its vouchers look like is the business of masa_answer."""
import base64
import datetime

from brski_peer import certs, cms, forge, voucher

from ..core import MUST, SHOULD, check

RFC8995, BIS = ("rfc8995",), ("8366bis",)


def no_proof(t, reply):
    """403, or a voucher that does not say proximity."""
    if reply.status == 200:
        t.need(t.voucher(reply).fields.get("assertion") != "proximity", "the voucher says proximity")
    else:
        t.refused(reply, 403)


# -- the registrar

@check("R8995-MASA-006", "ENC-ALL-027", level=MUST, role="masa", profiles=RFC8995,
       mutant="verifies the links of the registrar's chain")
def chain_whose_links_do_not_hold_is_403(t):
    """A signer whose certificate names a CA of the chain but is not signed by it is a 403; or at least
    that CA is not pinned, only the certificate itself."""
    device = t.device()
    real = t.lab.domain.issuing
    namesake = certs.make_cert(real.cert.subject, None, ca=True, key_usage={"key_cert_sign"})
    forged = certs.make_registrar(namesake, with_aki=False)
    with t.registrar() as r:
        rvr = r.rvr(device, r.pvr(device, proximity=forged.der), signer=forged,
                    how={"certs": [forged.cert, *real.chain(with_root=True)]})
        reply = r.ask(rvr)
        if reply.status == 200:
            t.equal(t.voucher(reply).fields["pinned-domain-cert"], forge.b64(forged.der), "the pin")
        else:
            t.refused(reply, 403)


@check("R8995-MASA-006", "R8995-MASA-018", level=MUST, role="masa", profiles=RFC8995,
       mutant="takes a registrar's certificate alone")
def certificate_that_comes_alone_is_the_anchor_and_the_pin(t):
    """A request that carries the registrar's certificate and no other one: there is nothing else to pin."""
    device = t.device()
    with t.registrar() as r:
        got = r.voucher(r.rvr(device, how={"certs": [r.identity.cert]}))
        t.equal(base64.b64decode(got.fields["pinned-domain-cert"]), r.identity.der, "pinned-domain-cert")


@check("R8995-MASA-006", level=MUST, role="masa", profiles=RFC8995,
       mutant="wants the registrar's certificate to be valid today")
def expired_registrar_certificate_is_403(t):
    """A registrar whose certificate ended last year signs nothing any more."""
    device = t.device()
    year = datetime.timedelta(days=365)
    ended = datetime.datetime.utcnow() - year
    old = t.lab.domain.registrar_identity(not_before=ended - year, not_after=ended)
    with t.registrar(old, authenticated=False) as r:
        t.status(r.ask(r.rvr(device)), 403)


@check("R8995-MASA-007", level=MUST, role="masa", profiles=RFC8995,
       mutant="looks into revocation lists")
def revoked_registrar_certificate_is_403(t):
    """A registrar whose certificate is on the list that it points to is a 403; one that is not on the
    list gets its voucher."""
    device = t.device()
    with t.registrar(t.listed_registrar(revoked=False)) as r:
        r.voucher(r.rvr(device), why="the registrar is not on the list")
    with t.registrar(t.listed_registrar(revoked=True)) as r:
        t.status(r.ask(r.rvr(device)), 403)


@check("ENC-ALL-003", level=MUST, role="masa", profiles=BIS, mutant="wants signed attributes")
def request_without_signed_attributes_is_refused(t):
    """A signature over the bare content, without signed attributes, does not count."""
    device = t.device()
    with t.registrar() as r:
        t.refused(r.ask(r.rvr(device, how={"container": "no signed attributes"})))


@check("ENC-ALL-004", level=MUST, role="masa", profiles=RFC8995, mutant="wants a signer")
def request_that_nobody_signed_is_refused(t):
    """A CMS with certificates and no SignerInfo is signed by nobody."""
    device = t.device()
    with t.registrar() as r:
        t.refused(r.ask(r.rvr(device, how={"container": "no signer"})))


@check("ENC-ALL-001", level=MUST, role="masa", profiles=RFC8995, mutant="wants the content inside")
def request_with_its_content_elsewhere_is_refused(t):
    """A detached signature is no voucher-request, and the MASA says so instead of failing (no 5xx)."""
    device = t.device()
    with t.registrar() as r:
        t.refused(r.ask(r.rvr(device, how={"container": "detached"})))


@check("ENC-ALL-002", "ENC-ALL-006", level=MUST, role="masa", profiles=BIS,
       mutant="reads the older content type")
def request_as_plain_data_is_read(t):
    """Content of type id-data in a SignedData of version 1, as RFC 8995's own examples have it."""
    device = t.device()
    with t.registrar() as r:
        r.voucher(r.rvr(device, how={"content_type": cms.ID_DATA}))


# -- the device

@check("R8995-MASA-013", "R8995-MASA-012", level=MUST, role="masa", profiles=RFC8995,
       mutant="takes requests of its own devices only")
def device_of_another_manufacturer_proves_nothing(t):
    """A pledge's request signed by another manufacturer's device with the same serial-number."""
    device = t.device()
    stranger = t.new_device(t.lab.stranger, serial=device.serial)
    with t.registrar() as r:
        no_proof(t, r.ask(r.rvr(device, r.pvr(stranger))))


@check("R8995-MASA-013", level=MUST, role="masa", profiles=RFC8995,
       mutant="compares the serial-number with the device's certificate")
def request_of_another_device_proves_nothing(t):
    """The registrar's serial-number is that of the certificate which signed the pledge's request."""
    device, other = t.device(), t.device()
    with t.registrar() as r:
        no_proof(t, r.ask(r.rvr(device, r.pvr(other))))


@check("R8995-MASA-041", level=MUST, role="masa", profiles=BIS,
       mutant="takes the first name of the registrar in order")
def hash_of_another_registrars_key_counts_before_the_certificate(t):
    """Of several names of the registrar in a pledge's request, proximity-registrar-pubk-sha256 counts
    first: when it is another's there is no proximity, whatever the certificate says."""
    device = t.device()
    with t.registrar() as r:
        prior = r.pvr(device, proximity_registrar_pubk_sha256=voucher.b64(b"\x5a" * 32))
        no_proof(t, r.ask(r.rvr(device, prior)))


@check("R8995-MASA-009", "R8995-MASA-042", level=MUST, role="masa", profiles=RFC8995,
       mutant="gives nonceless vouchers to the owner only")
def stranger_gets_no_nonceless_voucher(t):
    """Without a nonce the registrar has to be known, and one that nobody told the MASA of is not."""
    device = t.device()
    with t.registrar() as r:
        t.refused(r.ask(r.nonceless(device)), 401, 403)


@check("R8995-MASA-017", "R8995-MASA-009", level=MUST, role="masa", profiles=RFC8995,
       mutant="serves the owner only")
def neighbour_of_the_owner_gets_no_voucher(t):
    """Where the MASA knows the owner of a device, another domain gets no voucher, and the owner still
    does afterwards."""
    t.variant("known-owner")
    device = t.device(owner=t.lab.domain)
    with t.registrar(t.lab.other_domain.registrar) as r:
        t.refused(r.ask(r.rvr(device)), 401, 403, 404)
    with t.registrar() as r:
        r.voucher(r.rvr(device), why="the owner asks")


@check("R8995-MASA-011", "R8995-MASA-023", "Y-14", level=MUST, role="masa", profiles=RFC8995,
       mutant="tells devices apart by their issuer")
def devices_with_one_serial_number_are_told_apart(t):
    """Two issuing CAs gave out one serial-number: each voucher has the idevid-issuer of its device."""
    if not t.can("import_issuer"):
        t.skip("the target file does not say import_issuer")
    twin = t.lab.twin_issuer()
    devices = [t.new_device()]
    devices.append(t.new_device(twin, serial=devices[0].serial))
    for device in devices:
        t.do("import_issuer", serial=device.serial, idevid_issuer=forge.b64(device.idevid_issuer))
    with t.registrar() as r:
        for device in devices:
            t.equal(r.voucher(r.rvr(device)).fields.get("idevid-issuer"),
                    forge.b64(device.idevid_issuer), "idevid-issuer")


# -- what is passed over

@check("R8995-MASA-015", "Y-19", "ENC-ALL-014", level=SHOULD, role="masa", profiles=RFC8995,
       mutant="passes over the registrar's assertion")
def assertion_of_the_registrar_counts_for_nothing(t):
    """assertion in a registrar's request is no proof of anything."""
    device = t.device()
    with t.registrar() as r:
        said = {a: r.voucher(r.rvr(device, assertion=a)).fields.get("assertion")
                for a in (None, "verified", "logged", "nonsense")}
        t.equal(len(set(said.values())), 1, f"the number of different assertions ({said})")


@check("R8995-MASA-040", level=MUST, role="masa", profiles=RFC8995,
       mutant="passes over leaves a request has no business with")
def leaves_of_vouchers_in_a_request_change_nothing(t):
    """pinned-domain-cert, last-renewal-date and domain-cert-revocation-checks in a request count for
    nothing."""
    device = t.device()
    theirs = forge.b64(t.lab.some_certificate())
    with t.registrar() as r:
        plain = r.voucher(r.rvr(device)).fields
        got = r.voucher(r.rvr(device, pinned_domain_cert=theirs, domain_cert_revocation_checks=True,
                              last_renewal_date="2040-01-01T00:00:00Z")).fields
        for leaf in ("pinned-domain-cert", "last-renewal-date", "domain-cert-revocation-checks"):
            t.equal(got.get(leaf), plain.get(leaf), leaf)


@check("ENC-ALL-015", "ENC-ALL-023", level=SHOULD, role="masa", profiles=RFC8995,
       mutant="passes over what it does not know")
def unknown_members_of_a_request_are_ignored(t):
    """Members and extensions that the MASA has never heard of do no harm. (RFC 8995 binds the pledge alone.)"""
    device = t.device()
    with t.registrar() as r:
        r.voucher(r.rvr(device, x_test=1, extensions=["example"], **{"extension:example": {"a": 1}}))


@check("ENC-ALL-007", level=MUST, role="masa", profiles=RFC8995, mutant="wants the name of a request")
def request_under_another_name_is_refused(t):
    """The one member of a request is ietf-voucher-request:voucher."""
    device = t.device()
    with t.registrar() as r:
        fields = voucher.decode(cms.parse(r.rvr(device)).payload)[1]
        for top in (voucher.VOUCHER, "voucher"):
            t.refused(r.ask(forge.sign(top, fields, r.identity,
                                       certs=r.identity.chain(with_root=True))), why=f"it is {top!r}")


@check("ENC-ALL-010", level=MUST, role="masa", profiles=RFC8995, mutant="reads every form of a time")
def times_of_every_form_are_read(t):
    """created-on in UTC or with an offset, with a fraction or without."""
    device = t.device()
    now = datetime.datetime.now(datetime.timezone.utc)
    west = now.astimezone(datetime.timezone(datetime.timedelta(hours=-4)))
    with t.registrar() as r:
        for created in (f"{now:%Y-%m-%dT%H:%M:%S}.787Z", f"{west:%Y-%m-%dT%H:%M:%S}-04:00"):
            r.voucher(r.rvr(device, created_on=created), why=f"created-on is {created}")


@check("ENC-ALL-011", level=MUST, role="masa", profiles=RFC8995, mutant="wants a nonce of 8 to 32 octets")
def nonce_too_short_or_too_long_is_refused(t):
    """A nonce has 8 to 32 octets."""
    device = t.device()
    with t.registrar() as r:
        for octets in (4, 40):
            nonce = voucher.b64(b"n" * octets)
            t.refused(r.ask(r.rvr(device, r.pvr(device, nonce=nonce))), why=f"{octets} octets of nonce")


@check("ENC-ALL-022", level=MUST, role="masa", profiles=RFC8995, mutant="compares media types as such")
def media_type_in_capitals_with_a_parameter_is_the_same(t):
    """Media types are compared without case and without parameters."""
    device = t.device()
    with t.registrar() as r:
        t.voucher(r.ask(r.rvr(device), content_type="Application/Voucher-CMS+JSON; charset=utf-8"))
