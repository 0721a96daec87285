# SPDX-License-Identifier: Apache-2.0
"""How a pledge deals with registrars before it trusts any: TLS, its request, waiting, refusals,
redirects, the next one (RFC 8995 §5.1, §5.2, §5.6)."""
import base64
import socket

from brski_peer import certs, cms, forge, voucher
from brski_peer.registrar import CMS_TYPE
from brski_peer.server import Answer, text

from ..core import MUST, SHOULD, check

RFC8995, BIS = ("rfc8995",), ("8366bis",)
VOUCHER_ONLY = ("pinned-domain-cert", "last-renewal-date", "domain-cert-revocation-checks", "expires-on")
TARPIT_S = 12  # a good share more than the 5 s that the standard names


def requests(registrar):
    return registrar.seen("requestvoucher")


def once(registrar, answer):
    """This answer to the first request for a voucher, honest ones from then on."""
    registrar.on["requestvoucher"] = lambda _request: (
        answer if len(requests(registrar)) == 1 else NotImplemented)


# -- TLS

@check("R8995-PLG-013", level=MUST, role="pledge", profiles=RFC8995, mutant="speaks TLS 1.2 at least")
def registrar_with_tls_1_1_gets_nothing(t):
    """A registrar that knows no TLS after 1.1 gets no request."""
    registrar = t.old_registrar()
    outcome = t.run(None, registrar)
    t.need(not outcome.joined and not registrar.requests, "the pledge speaks TLS 1.1")


@check("R8995-PLG-060", level=SHOULD, role="pledge", profiles=RFC8995, mutant="uses TLS 1.3 where it can")
def tls_1_3_hides_the_device(t):
    """With a registrar that knows TLS 1.3 the IDevID does not travel in clear, as it does with 1.2."""
    t.joins()
    t.equal(requests(t.registrar)[0].tls, "TLSv1.3", "the version of TLS")


@check("R8995-PLG-015", "ET-13", level=SHOULD, role="pledge", profiles=("rfc8995", "est"),
       mutant="names no server in TLS")
def tls_says_no_name_of_the_server(t):
    """The pledge was given an address; there is no name to say in the ClientHello, and never an
    address."""
    t.joins()
    t.equal(t.registrar.server_names[0], None, "the server_name of the ClientHello")


@check("R8995-PLG-014", "R8995-PLG-002", level=MUST, role="pledge", profiles=RFC8995,
       mutant="shows its chain in TLS")
def tls_shows_the_idevid_and_its_issuer(t):
    """The client certificate is the IDevID, with the issuers that lead to the manufacturer's root."""
    device = t.device()
    t.joins(device)
    shown = requests(t.registrar)[0].peer_chain
    t.equal(shown[:1], [device.identity.der], "the client's certificate")
    t.need(len(shown) > 1, "the issuer of the IDevID is not shown")


@check("R8995-PLG-017", level=MUST, role="pledge", profiles=RFC8995,
       mutant="verifies what signatures it can")
def certificate_its_issuer_did_not_sign_ends_the_attempt(t):
    """The registrar shows its certificate and the CA that is said to have signed it; the signature is
    broken."""
    made = certs.make_registrar(certs.make_ca("Some CA"))
    made.cert = forge.parse(forge.flip_signature(made.der))
    registrar = t.new_registrar(t.lab.domain.saved(made))
    registrar.pin = made.cert
    t.need(not t.run(None, registrar).joined, "the pledge joins")
    t.need(not requests(registrar), "the registrar gets the request all the same")


# -- the request

@check("R8995-PLG-021", "ENC-ALL-010", level=SHOULD, role="pledge", profiles=RFC8995,
       mutant="dates its request")
def request_is_dated(t):
    """A device with a clock says when it asks, in RFC 3339 with a zone."""
    t.joins()
    created = t.pvr().fields.get("created-on")
    t.need(created and forge.parse_time(created).tzinfo, f"created-on is {created!r}")


@check("R8995-PLG-025", level=MUST, role="pledge", profiles=RFC8995,
       mutant="leaves out what belongs into vouchers")
def request_has_no_leaves_of_vouchers(t):
    """pinned-domain-cert and the like belong into vouchers only."""
    t.joins()
    there = [leaf for leaf in VOUCHER_ONLY if leaf in t.pvr().fields]
    t.need(not there, f"the request has {there}")


@check("ENC-ALL-001", "ENC-ALL-016", level=MUST, role="pledge", profiles=RFC8995, mutant="writes DER")
def request_is_one_der_object_as_it_is(t):
    """The body is the CMS itself: DER, no base64, its content inside."""
    t.run()
    octets = requests(t.registrar)[0].body
    t.equal(octets[:1], b"\x30", "the first octet")
    t.need(octets[1] != 0x80, "the length is indefinite: that is BER")
    t.need(cms.parse(octets).payload, "the content is not inside")


@check("ENC-ALL-002", "ENC-ALL-003", level=MUST, role="pledge", profiles=BIS,
       mutant="names the type of its content")
def request_says_what_it_contains(t):
    """eContentType is id-ct-animaJSONVoucher, SignedData of version 3, with signed attributes."""
    t.joins()
    got = t.pvr()
    t.equal((got.content_type, got.version), (cms.JSON_VOUCHER, 3), "content type and version")
    t.need(cms.parse(requests(t.registrar)[0].body).attributes(), "there are no signed attributes")


@check("ENC-ALL-005", level=SHOULD, role="pledge", profiles=RFC8995, mutant="sends its chain along")
def request_brings_its_signers_chain(t):
    """The certificates of the CMS are the IDevID and its issuer."""
    device = t.device()
    t.joins(device)
    there = t.pvr().certs
    if t.pvr().signer != device.identity.cert:
        t.skip("the IDevID does not sign: see R8995-PLG-019")
    t.need(device.identity.cert in there, "the IDevID is not there")
    t.need(any(c.subject == device.identity.cert.issuer for c in there), "its issuer is not there")


@check("ENC-ALL-007", "ENC-ALL-008", "ENC-ALL-009", "ENC-ALL-011", level=MUST, role="pledge",
       profiles=RFC8995, mutant="writes binary leaves in base64 on one line")
def leaves_of_the_request_are_as_specified(t):
    """One member, ietf-voucher-request:voucher; binary leaves are padded base64 on one line; the
    certificate is DER of one; the nonce has 8 to 32 octets."""
    t.joins()
    got = t.pvr()
    t.equal(got.top, voucher.REQUEST, "the one member")
    octets = {}
    for name in ("nonce", "proximity-registrar-cert"):
        octets[name] = base64.b64decode(got.fields[name])
        t.equal(got.fields[name], voucher.b64(octets[name]), name)
    t.need(8 <= len(octets["nonce"]) <= 32, f"the nonce has {len(octets['nonce'])} octets")
    shown = octets["proximity-registrar-cert"]
    t.equal(forge.der(forge.parse(shown)), shown, "proximity-registrar-cert as one certificate")


# -- waiting

@check("R8995-PLG-027", level=MUST, role="pledge", profiles=RFC8995, mutant="repeats the same octets")
def request_is_repeated_as_it_was(t):
    """After 202 the same request comes again, octet for octet, and the voucher for it is good."""
    once(t.registrar, Answer(202, headers=[("Retry-After", "1")]))
    t.joins()
    first, second = (r.body for r in requests(t.registrar))
    t.need(first == second, "the second request is not the first one")


@check("R8995-PLG-028", level=MUST, role="pledge", profiles=RFC8995, mutant="waits as long as it is told")
def retry_after_is_waited_for(t):
    """The request does not come again before Retry-After is over."""
    once(t.registrar, Answer(202, headers=[("Retry-After", "1")]))
    t.joins()
    first, second = (r.at for r in requests(t.registrar))
    t.need(second - first >= 0.9, f"it comes again after {second - first:.2f} s instead of 1 s")


@check("R8995-PLG-026", level=MUST, role="pledge", profiles=RFC8995,
       mutant="wants the same registrar after a wait")
def another_certificate_after_the_wait_is_another_registrar(t):
    """When the connection ends while the pledge waits and another certificate is shown on the next one,
    the old request is not for that registrar."""
    other = t.lab.domain.registrar_identity()
    registrar = t.new_registrar()

    def wait(_request):
        if len(requests(registrar)) > 1:
            return NotImplemented
        registrar.context.load_cert_chain(other.cert_path, other.key_path)
        return Answer(202, headers=[("Retry-After", "1")], close=True)
    registrar.on["requestvoucher"] = wait
    t.run(None, registrar)
    bodies = [r.body for r in requests(registrar)]
    t.need(bodies, "the pledge never asked for a voucher")
    t.need(bodies[0] not in bodies[1:], "the request for the first registrar goes to the second one")


# -- refusals, redirects, the next one

@check("R8995-PLG-031", level=MUST, role="pledge", profiles=RFC8995,
       mutant="ends the attempt at an error")
def error_ends_the_attempt(t):
    """A refusal is no voucher, and it is not asked again and again at once."""
    for status in (403, 404, 406, 415, 500):
        registrar = t.new_registrar()
        registrar.on["requestvoucher"] = lambda _request, status=status: text(status, "No.\n")
        t.need(not t.run(None, registrar).joined, f"the pledge joins after a {status}")
        t.no_est(registrar, f"the answer is {status}")
        t.need(len(requests(registrar)) <= 2, f"{len(requests(registrar))} requests in a row after a {status}")


@check("R8995-PLG-030", "R8995-PLG-018", level=MUST, role="pledge", profiles=RFC8995,
       mutant="follows one redirect only")
def second_redirect_to_another_origin_is_not_followed(t):
    """From one registrar to another is far enough; the third is not even connected to."""
    second, third = t.new_registrar(), t.new_registrar()

    def to(server):
        where = t.url(server) + "/.well-known/brski/requestvoucher"
        return lambda _request: Answer(302, headers=[("Location", where)])
    t.registrar.on["requestvoucher"] = to(second)
    second.on["requestvoucher"] = to(third)
    t.need(not t.run().joined, "the pledge joins")
    t.equal(third.connections, 0, "the number of connections to the third registrar")


@check("R8995-PLG-042", level=MUST, role="pledge", profiles=RFC8995, mutant="goes on to the next registrar")
def next_registrar_is_tried_after_a_false_one(t):
    """After a registrar that is not of the domain in its voucher, and one that refuses, the next one is
    asked, with another nonce."""
    false, unwilling = t.new_registrar(), t.new_registrar()
    false.pin = t.lab.other_domain.issuing.cert
    unwilling.on["requestvoucher"] = lambda _request: text(404, "Not ours.\n")
    t.joins(t.device(), false, unwilling, t.registrar)
    asked = [s for s in (false, unwilling, t.registrar) if requests(s)]
    if asked == [false]:
        t.skip("the pledge believes the false one: see R8995-PLG-041")
    nonces = {forge.read(requests(s)[0].body).fields["nonce"] for s in asked}
    if len(nonces) == 1:
        t.skip("the pledge has one nonce for all: see R8995-PLG-009")
    t.equal(len(nonces), 3, "the number of different nonces")


@check("R8995-PLG-010", "R8995-PLG-007", level=SHOULD, role="pledge", profiles=RFC8995,
       mutant="leaves who says nothing")
def silent_registrar_does_not_hold_the_pledge(t):
    """A host that takes the connection and says nothing is left for the next one."""
    with socket.create_server(("127.0.0.1", 0)) as tarpit:
        urls = [f"https://127.0.0.1:{tarpit.getsockname()[1]}", t.url(t.registrar)]
        outcome = t.joins(urls=urls)
    t.need(outcome.seconds < TARPIT_S, f"it takes {outcome.seconds:.0f} s")


@check("R8995-PLG-018", level=MUST, role="pledge", profiles=RFC8995, mutant="bounds what it reads")
def answer_without_measure_is_not_read(t):
    """Of somebody it does not trust yet the pledge does not take megabytes, be there a voucher among
    them or not."""
    t.registrar.on["requestvoucher"] = lambda request: Answer(
        200, t.registrar.make_voucher(request.body), CMS_TYPE, headers=[("X-Long", "y" * 4_000_000)])
    t.need(not t.run().joined, "the pledge joins after a header of 4 MB")


@check("R8995-PLG-001", level=MUST, role="pledge", profiles=RFC8995,
       mutant="starts only when it has not joined")
def device_that_has_joined_does_not_ask_again(t):
    """Switched on again, a device that has joined does not ask for another voucher."""
    device = t.device()
    t.joins(device)
    t.run(device)
    t.equal(len(requests(t.registrar)), 1, "the number of requests for a voucher")


@check("R8995-PLG-011", level=MUST, role="pledge", profiles=RFC8995, mutant="comes back when all have refused")
def pledge_comes_back_when_all_have_refused(t):
    """When nobody wanted the device it does not give up: later it asks again, with another nonce."""
    once(t.registrar, text(404, "Not yet.\n"))
    t.joins(action="join_patiently")
    nonces = [forge.read(r.body).fields["nonce"] for r in requests(t.registrar)]
    t.equal(len(nonces), 2, "the number of requests")
    if nonces[0] == nonces[1]:
        t.skip("the pledge has one nonce for all: see R8995-PLG-009")


@check("R8995-PLG-008", level=MUST, role="pledge", profiles=RFC8995, mutant="waits for each registrar apart")
def registrar_that_is_busy_for_long_does_not_keep_the_pledge_from_another(t):
    """One says 503 and Retry-After of ten minutes, the other is ready at the second time: each is waited for
    by itself."""
    busy = t.new_registrar()
    busy.on["requestvoucher"] = lambda _request: text(503, "Busy.\n", headers=[("Retry-After", "600")])
    once(t.registrar, text(404, "Not yet.\n"))
    outcome = t.run(t.device(), busy, t.registrar, action="join_patiently")
    if not requests(t.registrar):
        t.skip("the pledge tries one registrar only: see R8995-PLG-042")
    if len(requests(busy)) == len(requests(t.registrar)) == 1:
        t.skip("the pledge does not come back: see R8995-PLG-011")
    t.need(outcome.joined, "the pledge does not join with the other one")
    t.need(outcome.seconds < TARPIT_S, f"it takes {outcome.seconds:.0f} s")
