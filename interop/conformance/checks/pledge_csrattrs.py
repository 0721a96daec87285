# SPDX-License-Identifier: Apache-2.0
"""What a pledge makes of a registrar's wishes for its certification request (RFC 7030 §4.5.2; RFC 9908)."""
import base64

from cryptography import x509

from brski_peer import csrattrs
from brski_peer.csrattrs import (CN, EC_KEY, MAC_ADDRESS, OU, P256, P384, attribute, dns, extension,
                                 extension_request, extension_template, names, rdn, template, wishes)
from brski_peer.forge import oid, tlv

from ..core import MUST, SHOULD, check

EST = ("est",)
UNKNOWN_OID, UNKNOWN_ATTRIBUTE = "2.999.1", "2.999.2"


def asked(registrar):
    """The certification request it got, or None."""
    came = registrar.seen("simpleenroll")
    return x509.load_der_x509_csr(base64.b64decode(came[0].body)) if came else None


def request_for(t, *what):
    """The certification request that follows these wishes."""
    registrar = t.new_registrar()
    registrar.attributes = wishes(*what)
    t.joins(t.device(), registrar)
    if not registrar.seen("csrattrs"):
        t.skip("the pledge does not ask for wishes: see R8995-PLG-048")
    return asked(registrar)


def malformed(t, why, of_either, *what):
    """No request follows wishes that contradict the standard. of_either(request): does it follow them?"""
    registrar = t.new_registrar()
    registrar.attributes = wishes(*what)
    t.run(None, registrar)
    request = asked(registrar)
    t.need(request is None or not of_either(request), f"the request does what the wishes say: {why}")


def alternative_name(request):
    """subjectAltName of a request, or None."""
    try:
        return request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def dns_names(request):
    found = alternative_name(request)
    return found.get_values_for_type(x509.DNSName) if found else []


def own_name(*general_names):
    return extension(csrattrs.ALTERNATIVE_NAME, names(*general_names))


def curve(request):
    return getattr(getattr(request.public_key(), "curve", None), "name", "no EC key")


# -- OIDs and attributes

@check("ER-03", "ER-14", level=MUST, role="pledge", profiles=EST, mutant="passes over wishes it does not know")
def wishes_nobody_knows_are_passed_over(t):
    """OIDs and attributes that the device has never heard of, as in the corrected example of RFC 7030
    (an OID for a MAC address, some of the arc 2.999), are no obstacle."""
    request_for(t, oid(MAC_ADDRESS), oid(UNKNOWN_OID), attribute(UNKNOWN_ATTRIBUTE, tlv(0x13, b"x")))


@check("ER-05", level=MUST, role="pledge", profiles=EST, mutant="copies the extensions it is asked for")
def extension_asked_for_is_in_the_request(t):
    """One attribute extensionRequest with the extensions that are wanted: here a subjectAltName."""
    request = request_for(t, extension_request(own_name(dns("pump-7.example"))))
    t.equal(dns_names(request), ["pump-7.example"], "the names in the request")


@check("ER-05", level=MUST, role="pledge", profiles=EST, mutant="wants one request for extensions only")
def two_requests_for_extensions_are_malformed(t):
    """There is exactly one attribute extensionRequest; with two of them it is not known what is asked for,
    and the device does neither."""
    malformed(t, "there are two requests for extensions", dns_names,
              extension_request(own_name(dns("a.example"))), extension_request(own_name(dns("b.example"))))


@check("ER-06", level=MUST, role="pledge", profiles=EST, mutant="makes the key it is asked for")
def key_is_of_the_type_asked_for(t):
    """An attribute id-ecPublicKey with the curve secp384r1 asks for such a key."""
    t.equal(curve(request_for(t, attribute(EC_KEY, oid(P384)))), "secp384r1", "the key of the request")


@check("ER-06", level=MUST, role="pledge", profiles=EST, mutant="wants one type of key only")
def two_types_of_key_are_malformed(t):
    """There is one attribute that names a type of key; with two of them the second is not made."""
    malformed(t, "two types of key are asked for", lambda r: curve(r) == "secp384r1",
              attribute(EC_KEY, oid(P256)), attribute(EC_KEY, oid(P384)))


# -- templates

@check("ER-07", level=MUST, role="pledge", profiles=EST, mutant="knows templates of version 0 only")
def template_of_another_version_is_not_followed(t):
    """CertificationRequestInfoTemplate has version 0; what another one means is not known."""
    def follows(request):
        return "Pumps" in request.subject.rfc4514_string()
    malformed(t, "the template has version 1", follows, template(subject=[rdn(CN), rdn(OU, "Pumps")], version=1))


@check("ER-07", "ER-08", level=MUST, role="pledge", profiles=EST, mutant="follows the subject of a template")
def subject_is_as_the_template_says(t):
    """Parts with a value are copied, in their order; parts without one the device fills in."""
    parts = [rdn(CN), rdn(OU, "Pumps"), rdn(OU, "Basement")]
    request = request_for(t, template(subject=parts))
    units = request.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATIONAL_UNIT_NAME)
    t.equal([u.value for u in units], ["Pumps", "Basement"], "the organizational units")
    common = request.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    t.need(common and common[0].value, "the common name is not filled in")


@check("ER-09", level=MUST, role="pledge", profiles=EST, mutant="makes the key of a template")
def key_is_as_the_template_says(t):
    """The template names algorithm and curve, and holds no key."""
    t.equal(curve(request_for(t, template(key=(EC_KEY, oid(P384))))), "secp384r1", "the key of the request")


@check("ER-10", level=MUST, role="pledge", profiles=EST, mutant="wants one form of extensions in a template")
def full_and_partial_extensions_together_are_malformed(t):
    """A template has either extensionRequest or extensionReqTemplate; with both the device does neither."""
    malformed(t, "the template has extensions in both forms", dns_names, template(attributes=[
        extension_request(own_name(dns("a.example"))), extension_template(own_name(dns("b.example")))]))


@check("ER-11", level=SHOULD, role="pledge", profiles=EST, mutant="fills in what a template leaves open")
def open_name_is_filled_in_and_a_given_one_copied(t):
    """subjectAltName with a DNS name and an empty directoryName: the first is copied, the second is the
    device's own."""
    request = request_for(t, template(attributes=[extension_template(
        own_name(dns("pump-7.example"), csrattrs.OPEN_DIRECTORY_NAME))]))
    t.equal(dns_names(request), ["pump-7.example"], "the DNS names in the request")
    own = alternative_name(request).get_values_for_type(x509.DirectoryName)
    t.need(own and len(list(own[0])) > 0, "the directory name is missing, or empty as it was")


@check("ER-12", level=MUST, role="pledge", profiles=EST, mutant="takes a template alone")
def template_is_all_that_counts(t):
    """Beside a template all other elements are for devices that do not know templates."""
    request = request_for(t, template(attributes=[extension_template(own_name(dns("a.example")))]),
                          extension_request(own_name(dns("b.example"))))
    t.equal(dns_names(request), ["a.example"], "the names in the request")


# -- over CoAPS

@check("ER-15", level=SHOULD, role="pledge", profiles=("est-coaps", "est"),
       mutant="asks for no attributes over CoAP")
def constrained_pledge_asks_for_no_attributes(t):
    """Over CoAPS the device does without att: its request has the subject of the IDevID."""
    t.joins(t.device(), t.coap_registrar)
    t.need("att" not in t.coap_registrar.steps(), f"the steps are {t.coap_registrar.steps()}")
